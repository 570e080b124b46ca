package payment_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/provider/stripe"
	"github.com/tender-go/payment/sandbox"
	"github.com/tender-go/payment/store/memstore"
)

// The pages are tested like code: the program in them is the one that runs, the
// tables are what the adapters declare, and every link leads somewhere.

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// readmes are the first pages, with their word for yes.
var readmes = map[string]string{"README.md": "yes", "README.zh-CN.md": "是"}

func TestReadmeProgram(t *testing.T) {
	t.Parallel()
	main := readText(t, "examples/minimal/main.go")
	_, program, found := strings.Cut(main, "package main\n")
	require.True(t, found)
	for page := range readmes {
		blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readText(t, page), -1)
		require.NotEmpty(t, blocks, page)
		require.Equal(t, "package main\n"+program, blocks[0][1], "%s: the first program is examples/minimal/main.go, byte for byte", page)
	}
}

func TestReadmeTables(t *testing.T) {
	t.Parallel()
	p, err := stripe.New(stripe.Config{SecretKey: payment.NewSecret("sk_test_readme"), WebhookSecrets: []payment.Secret{payment.NewSecret("whsec_0123456789abcdef")}})
	require.NoError(t, err)
	for page, word := range readmes {
		text := readText(t, page)
		for _, line := range append(methodLines(p, word), providerLine("[Stripe](docs/providers/stripe.md)", p, word)) {
			require.Contains(t, text, line+"\n", "%s: what the table says is what the adapter declares", page)
		}
	}
}

// providerLine is an adapter's line in the table of providers.
func providerLine(name string, p payment.Provider, word string) string {
	c := p.Capabilities()
	var sale, hold, refund, void, save bool
	for _, m := range c.Methods {
		sale, hold, refund, void, save = sale || m.Sale, hold || m.Hold, refund || !m.Refund.IsZero(), void || !m.Void.IsZero(), save || m.Save
	}
	_, look := p.(payment.Lookuper)
	return tableLine(word, name, sale, hold, refund, void, save && !c.Save.IsZero(), !c.Respond.IsZero(), !c.Transfer.IsZero(), c.Webhooks, look)
}

// methodLines are the lines of the table of methods.
func methodLines(p payment.Provider, word string) []string {
	c := p.Capabilities()
	var lines []string
	for m, mc := range c.Methods {
		currencies := "all"
		if word != "yes" {
			currencies = "全部"
		}
		if len(mc.Currencies) > 0 {
			sorted := slices.Sorted(slices.Values(mc.Currencies))
			names := make([]string, len(sorted))
			for i, x := range sorted {
				names[i] = string(x)
			}
			currencies = strings.Join(names, ", ")
		}
		lines = append(lines, tableLine(word, "`"+string(m)+"`", mc.Sale, mc.Hold, mc.PartialCapture, mc.PartialRefund, mc.Save, mc.ThreeDS)+" "+currencies+" |")
	}
	slices.Sort(lines)
	return lines
}

func tableLine(word, name string, cells ...bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |", name)
	for _, yes := range cells {
		if yes {
			fmt.Fprintf(&b, " %s |", word)
		} else {
			b.WriteString(" - |")
		}
	}
	return b.String()
}

// What is planned is said to be planned, and what is there is listed.
func TestReadmeProviders(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir("provider")
	require.NoError(t, err)
	for page := range readmes {
		text := readText(t, page)
		for _, f := range folders {
			if f.IsDir() && f.Name() != "fake" && f.Name() != "providertest" {
				require.Contains(t, text, "docs/providers/"+f.Name()+".md", "%s lists the adapter %s and links to its page", page, f.Name())
			}
		}
		for _, planned := range []string{"Adyen", "PayPal", "Alipay", "WeChat Pay"} {
			folder := filepath.Join("provider", strings.ToLower(strings.ReplaceAll(planned, " ", "")))
			if _, err := os.Stat(folder); err != nil {
				require.Regexp(t, regexp.MustCompile(`\| `+planned+` \| (planned|计划中) \|`), text, "%s must not promise %s", page, planned)
			}
		}
	}
}

// docs/disputes.md names every fact that an adapter takes, and the amounts and
// limits it repeats are the ones in force.
func TestDisputeFacts(t *testing.T) {
	t.Parallel()
	page := readText(t, "docs/disputes.md")
	p, err := stripe.New(stripe.Config{SecretKey: payment.NewSecret("sk_test_readme")})
	require.NoError(t, err)
	for _, ask := range []payment.Evidence{
		{Fields: map[string]string{"no_such_fact": "x"}},
		{Files: []payment.EvidenceFile{{Kind: "no_such_kind", ContentType: "application/pdf", Data: []byte("x")}}},
	} {
		// The refusal lists what is taken; nothing is sent.
		_, err := p.Respond(t.Context(), payment.RespondRequest{Call: payment.Call{Key: "k1", Operation: "o1", Step: "respond"}, DisputeRef: "dp_1", Evidence: ask})
		require.Error(t, err)
		_, list, found := strings.Cut(err.Error(), "use one of ")
		require.True(t, found, err.Error())
		names := regexp.MustCompile(`[a-z_]+`).FindAllString(list, -1)
		require.Greater(t, len(names), 5)
		for _, name := range names {
			require.Contains(t, page, "`"+name+"`", "docs/disputes.md documents every name")
		}
	}
}

// Every line of Go in the pages stands in a program or test of this repository,
// so it compiles.
func TestSnippets(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, pattern := range []string{"*_test.go", "examples/*/*.go", "*/example_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, f := range files {
			for line := range strings.SplitSeq(readText(t, f), "\n") {
				known[strings.TrimSpace(line)] = true
			}
		}
	}
	for _, page := range []string{"README.md", "README.zh-CN.md", "docs/adding-a-provider.md", "docs/operations.md"} {
		blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readText(t, page), -1)
		require.NotEmpty(t, blocks, page)
		for _, b := range blocks {
			for line := range strings.SplitSeq(b[1], "\n") {
				require.True(t, known[strings.TrimSpace(line)], "%s shows a line that no program has: %s", page, line)
			}
		}
	}
}

// The lines that the pages show beside the programs.
func TestSnippetsRun(t *testing.T) {
	t.Parallel()
	shop := httptest.NewServer(http.NotFoundHandler())
	defer shop.Close()
	bank, err := sandbox.Start(sandbox.Options{WebhookURLs: []string{shop.URL + "/webhooks/stripe"}})
	require.NoError(t, err)
	defer bank.Close()
	bank.Fault(sandbox.Fault{Path: "/v1/payment_intents/*/confirm", Kind: sandbox.FaultReset, After: true, Count: 1})
	require.Len(t, bank.Faults(), 1)

	s := open(t, memstore.New(), fake.Options{})
	created, err := s.pay.Pay(s.ctx, func() payment.Request {
		r := s.request("order-1")
		r.Method = payment.Card(fake.TokenPending)
		return r
	}())
	require.NoError(t, err)
	ctx, pay, id, op := s.ctx, s.pay, created.ID, created.Operations[0].ID
	p, err := pay.Decide(ctx, payment.Decision{PaymentID: id, Operation: op, Finding: payment.FindingApproved,
		Who: "maria", Evidence: "dashboard shows pi_3P... succeeded, 2026-11-20"})
	require.NoError(t, err)
	require.Equal(t, payment.StatusCaptured, p.Status)

	held, err := s.pay.Pay(s.ctx, func() payment.Request {
		r := s.request("order-2")
		r.Capture, r.Amount = payment.CaptureManual, money.Of(1999, money.USD)
		return r
	}())
	require.NoError(t, err)
	id = held.ID
	p, err = pay.Capture(ctx, id, payment.CaptureParams{Key: "ship-1", Amount: money.Of(1500, money.USD)})
	require.NoError(t, err)
	require.Equal(t, payment.StatusPartiallyCaptured, p.Status)
	p, err = pay.Refund(ctx, id, payment.RefundParams{Key: "return-1", Amount: money.Of(500, money.USD)})
	require.NoError(t, err)
	how, why := p.Progress("return-1")
	require.Equal(t, payment.ProgressDone, how, why)
	p, err = pay.Cancel(ctx, id, payment.CancelParams{Key: "cancel-1"})
	require.NoError(t, err)
	require.Equal(t, payment.StatusRefunded, p.Status)
}

var (
	mdLink  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	anchor  = regexp.MustCompile(`<a id="([^"]+)">`)
	fences  = regexp.MustCompile("(?s)```.*?```")
	noSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors lists what can be linked to in a page.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		out[strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	for _, m := range anchor.FindAllStringSubmatch(text, -1) {
		out[m[1]] = true
	}
	return out
}

func TestLinks(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	more, err := filepath.Glob("docs/providers/*.md")
	require.NoError(t, err)
	pages = append(append(pages, more...), "README.md", "README.zh-CN.md", "CHANGELOG.md")
	for _, page := range pages {
		text := readText(t, page)
		for _, m := range mdLink.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
			path, at, _ := strings.Cut(m[1], "#")
			if strings.Contains(path, "://") || strings.HasPrefix(path, "mailto:") {
				continue
			}
			target := text
			if path != "" {
				file := filepath.Join(filepath.Dir(page), path)
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s links to %s, which is not there", page, m[1])
					continue
				}
				if at != "" {
					target = readText(t, file)
				}
			}
			if at != "" && !anchors(target)[at] {
				t.Errorf("%s links to %s, but there is no such heading", page, m[1])
			}
		}
	}
}

// The first screen says what a stranger needs.
func TestReadmeFirstScreen(t *testing.T) {
	t.Parallel()
	for page := range readmes {
		text := readText(t, page)
		for _, must := range []string{"payment.Provider", "go run ./examples/quickstart", "make test", "docs/design.md", "LICENSE"} {
			first, _, _ := strings.Cut(text, "## ")
			if must == "docs/design.md" {
				first = text
			}
			require.Contains(t, first, must, "%s: the first screen says it", page)
		}
		require.LessOrEqual(t, strings.Count(text, "img.shields.io")+strings.Count(text, "/badge/"), 3, "%s: at most three badges", page)
	}
}
