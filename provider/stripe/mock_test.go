package stripe_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/stripe"
)

// stripeMock is Stripe's own validating mock, at the version whose API
// specification these tests hold the requests against.
const stripeMock = "github.com/stripe/stripe-mock@v0.203.0"

// TestMain stops the mock that TestRequestsFitTheSpecification may have started.
func TestMain(m *testing.M) {
	code := m.Run()
	mock.stop()
	os.Exit(code)
}

var mock mockProcess

type mockProcess struct {
	once sync.Once
	url  string
	err  error
	dir  string
	cmd  *exec.Cmd
}

// start returns the address of the mock: that of STRIPE_MOCK_URL, or of one
// that is built and started here.
func (m *mockProcess) start() (string, error) {
	m.once.Do(func() {
		if m.url = os.Getenv("STRIPE_MOCK_URL"); m.url == "" {
			m.err = m.launch()
		}
	})
	return m.url, m.err
}

func (m *mockProcess) launch() error {
	dir, err := os.MkdirTemp("", "stripe-mock")
	if err != nil {
		return err
	}
	m.dir = dir
	install := exec.Command("go", "install", stripeMock)
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w: %s", stripeMock, err, bytes.TrimSpace(out))
	}
	plain, err := freePort()
	if err != nil {
		return err
	}
	secure, err := freePort()
	if err != nil {
		return err
	}
	// Both, or it listens on every interface for the other.
	m.cmd = exec.Command(filepath.Join(dir, "stripe-mock"), "-http-addr", plain, "-https-addr", secure)
	if err := m.cmd.Start(); err != nil {
		return err
	}
	for range 200 {
		c, err := net.DialTimeout("tcp", plain, time.Second)
		if err == nil {
			_ = c.Close()
			m.url = "http://" + plain
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("stripe-mock did not begin to listen")
}

func (m *mockProcess) stop() {
	if m.cmd != nil && m.cmd.Process != nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
	}
	if m.dir != "" {
		_ = os.RemoveAll(m.dir)
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// recorder is a transport that keeps what went over the wire.
type recorder struct {
	base http.RoundTripper
	mu   sync.Mutex
	got  []exchanged
}

type exchanged struct {
	method, path, query, body, key, account string
	header                                  http.Header
	status                                  int
	answer                                  string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchanged{method: req.Method, path: req.URL.Path, query: req.URL.RawQuery, key: req.Header.Get("Idempotency-Key"),
		account: req.Header.Get("Stripe-Account"), header: req.Header.Clone()}
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		x.body = string(b)
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(b))
	}
	resp, err := r.base.RoundTrip(req)
	if err == nil {
		b, rerr := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if rerr != nil {
			return nil, rerr
		}
		x.status, x.answer = resp.StatusCode, string(b)
		resp.Body = io.NopCloser(bytes.NewReader(b))
	}
	r.mu.Lock()
	r.got = append(r.got, x)
	r.mu.Unlock()
	return resp, err
}

func (r *recorder) take() []exchanged {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// requests sends everything that the adapter can send, and names it.
func requests(p *stripe.Provider) map[string]func() error {
	full := payment.Payer{Name: "A. Payer", Email: "a@example.test", Phone: "+4930123456", Billing: payment.Address{Line1: "Street 1", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Shipping: payment.Address{Name: "A. Payer", Line1: "Street 1", Line2: "c/o", City: "Berlin", State: "BE", PostalCode: "10115", Country: "DE"}}
	c := func(step, ref string) payment.Call {
		return payment.Call{Step: step, Key: "key" + step, Operation: "op1", Payment: "pay1", Reference: "order-42", Ref: ref, Data: map[string]string{"multi": "available", "destination": "acct_2", "fee": "1"}}
	}
	auth := func(step, ref string, change func(*payment.AuthorizeRequest)) func() error {
		r := payment.AuthorizeRequest{Call: c(step, ref), Amount: usd10, Capture: true, Method: payment.Card("pm_card_visa"), Payer: full, ReturnURL: "https://shop.example/back",
			Description: "two vases", Descriptor: "VASES", Metadata: map[string]string{"cart": "7"}}
		change(&r)
		return func() error { _, err := p.Authorize(ctx, r); return err }
	}
	same := func(*payment.AuthorizeRequest) {}
	method := func(i payment.Instrument, amount money.Amount) func(*payment.AuthorizeRequest) {
		return func(r *payment.AuthorizeRequest) { r.Method, r.Amount = i, amount }
	}
	eur, sgd, cny := money.Of(1000, money.EUR), money.Of(1000, money.SGD), money.Of(1000, money.CNY)
	present := payment.Using(payment.MethodCardPresent)
	look := func(kind payment.OperationKind, step, ref, stepRef string) func() error {
		return func() error {
			_, err := p.Lookup(ctx, payment.LookupRequest{Call: c(step, ref), Kind: kind, StepRef: stepRef, Since: time.Unix(1700000000, 0), Amount: usd10})
			return err
		}
	}
	file := func(kind, ct string) payment.EvidenceFile {
		return payment.EvidenceFile{Kind: kind, Name: "x", ContentType: ct, Data: []byte("%PDF-1.4 not really")}
	}
	return map[string]func() error{
		"create card": auth("create", "", same),
		"create hold": auth("create", "", func(r *payment.AuthorizeRequest) { r.Capture = false }),
		"create page": auth("create", "", func(r *payment.AuthorizeRequest) {
			r.Method, r.ThreeDS = payment.Using(payment.MethodCard), payment.ThreeDSRequested
		}),
		"create save":  auth("create", "", func(r *payment.AuthorizeRequest) { r.Save, r.Customer = true, "customer-1" }),
		"create owner": auth("create", "", func(r *payment.AuthorizeRequest) { r.ProviderCustomer = "cus_1" }),
		"create split": auth("create", "", func(r *payment.AuthorizeRequest) {
			r.Splits = []payment.Split{{Account: "acct_2", Amount: money.Of(900, money.USD), Commission: money.Of(90, money.USD)}}
		}),
		"create reader":  auth("create", "", method(present.With("reader", "tmr_1"), usd10)),
		"create sdk":     auth("create", "", method(present, usd10)),
		"create ideal":   auth("create", "", method(payment.Using(payment.MethodIDEAL), eur)),
		"confirm pm":     auth("confirm", "pi_1", func(r *payment.AuthorizeRequest) { r.ThreeDS = payment.ThreeDSChallenge }),
		"confirm inpage": auth("confirm", "pi_1", func(r *payment.AuthorizeRequest) { r.ReturnURL = "" }),
		"confirm ctoken": auth("confirm", "pi_1", method(payment.Card("ctoken_1"), usd10)),
		"confirm apple":  auth("confirm", "pi_1", method(payment.Wallet(payment.MethodApplePay, "pm_1"), usd10)),
		"confirm away":   auth("confirm", "pi_1", func(r *payment.AuthorizeRequest) { r.OffSession, r.ReturnURL = true, "" }),
		"confirm ideal":  auth("confirm", "pi_1", method(payment.Using(payment.MethodIDEAL).With("bank", "ing"), eur)),
		"confirm grab":   auth("confirm", "pi_1", method(payment.Using(payment.MethodGrabPay), sgd)),
		"confirm ali":    auth("confirm", "pi_1", method(payment.Using(payment.MethodAlipay), cny)),
		"confirm qr":     auth("confirm", "pi_1", method(payment.Using(payment.MethodWeChatPayQR), cny)),
		"confirm wxapp":  auth("confirm", "pi_1", method(payment.Using(payment.MethodWeChatPayApp).With("app_id", "wx1").With("client", "ios"), cny)),
		"process":        auth("process", "pi_1", method(present.With("reader", "tmr_1"), usd10)),
		"capture": func() error {
			_, err := p.Capture(ctx, payment.CaptureRequest{Call: c("capture", "pi_1"), Amount: usd10, Splits: []payment.Split{{Account: "acct_2", Amount: usd10, Commission: money.Of(100, money.USD)}}})
			return err
		},
		"void": func() error {
			_, err := p.Void(ctx, payment.VoidRequest{Call: c("void", "pi_1"), Amount: usd10})
			return err
		},
		"fence": func() error {
			_, err := p.Fence(ctx, payment.FenceRequest{Call: c("cancel", "pi_1"), Amount: usd10})
			return err
		},
		"refund": func() error {
			_, err := p.Refund(ctx, payment.RefundRequest{Call: c("refund", "pi_1"), Amount: usd10, Reason: "duplicate"})
			return err
		},
		"transfer of a charge": func() error {
			r := payment.TransferRequest{Call: c("transfer", "pi_1"), Amount: usd10, Destination: "acct_2", SourceRef: "pi_1", Description: "your share"}
			r.Data = map[string]string{"charge": "ch_1"}
			_, err := p.Transfer(ctx, r)
			return err
		},
		"transfer": func() error {
			_, err := p.Transfer(ctx, payment.TransferRequest{Call: c("transfer", ""), Amount: usd10, Destination: "acct_2"})
			return err
		},
		"save": func() error {
			_, err := p.Save(ctx, payment.SaveRequest{Call: c("save", ""), Method: payment.Card("pm_card_visa"), Customer: "customer-1", Payer: full, ReturnURL: "https://shop.example/back", ThreeDS: payment.ThreeDSRequested})
			return err
		},
		"save inpage": func() error {
			_, err := p.Save(ctx, payment.SaveRequest{Call: c("save", ""), Method: payment.Card("ctoken_1"), ProviderCustomer: "cus_1"})
			return err
		},
		"save page": func() error {
			_, err := p.Save(ctx, payment.SaveRequest{Call: c("save", ""), Method: payment.Using(payment.MethodCard), ProviderCustomer: "cus_1"})
			return err
		},
		"forget": func() error {
			_, err := p.Forget(ctx, payment.ForgetRequest{Call: c("forget", ""), Token: payment.NewSecret("pm_1")})
			return err
		},
		"respond": func() error {
			_, err := p.Respond(ctx, payment.RespondRequest{Call: c("respond", "pi_1"), DisputeRef: "dp_1", Submit: true, Evidence: payment.Evidence{
				Text: "it arrived",
				Fields: map[string]string{"access_activity_log": "x", "billing_address": "x", "cancellation_policy_disclosure": "x", "cancellation_rebuttal": "x", "customer_email": "a@example.test",
					"customer_name": "x", "customer_ip": "192.0.2.1", "duplicate_charge_explanation": "x", "duplicate_charge_id": "ch_2", "product_description": "x", "refund_policy_disclosure": "x",
					"refund_refusal_explanation": "x", "service_date": "x", "shipping_address": "x", "shipping_carrier": "x", "shipping_date": "x", "shipping_tracking_number": "x"},
				Files: []payment.EvidenceFile{file("receipt", "application/pdf"), file("shipping_documentation", "image/png"), file("cancellation_policy", "image/jpeg"), file("customer_communication", "application/pdf"),
					file("customer_signature", "application/pdf"), file("duplicate_charge_documentation", "application/pdf"), file("refund_policy", "application/pdf"), file("service_documentation", "application/pdf"), file("uncategorized_file", "application/pdf")},
			}})
			return err
		},
		"accept": func() error {
			_, err := p.Accept(ctx, payment.AcceptRequest{Call: c("accept", "pi_1"), DisputeRef: "dp_1"})
			return err
		},
		"lookup intent":    look(payment.OpAuthorize, "confirm", "pi_1", ""),
		"lookup intents":   look(payment.OpAuthorize, "create", "", ""),
		"lookup refund":    look(payment.OpRefund, "refund", "pi_1", "re_1"),
		"lookup refunds":   look(payment.OpRefund, "refund", "pi_1", ""),
		"lookup transfer":  look(payment.OpTransfer, "transfer", "pi_1", "tr_1"),
		"lookup transfers": look(payment.OpTransfer, "transfer", "pi_1", ""),
		"lookup setup":     look(payment.OpSave, "save", "", "seti_1"),
		"lookup setups":    look(payment.OpSave, "save", "", ""),
		"lookup dispute":   look(payment.OpRespond, "respond", "pi_1", "dp_1"),
		"statement": func() error {
			return p.Statement(ctx, time.Unix(1700000000, 0), time.Unix(1700086400, 0), func(payment.StatementLine) error { return nil })
		},
	}
}

// TestRequestsFitTheSpecification sends every request to Stripe's validating
// mock, which refuses unknown parameters, wrong types and values outside an
// enumeration. What the mock answers is a fixture and proves nothing, so that
// only its verdict on the request counts.
func TestRequestsFitTheSpecification(t *testing.T) {
	t.Parallel()
	url, err := mock.start()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("stripe-mock cannot be started: %v", err)
		}
		t.Skipf("NOT CHECKED against Stripe's specification: stripe-mock cannot be started: %v; set STRIPE_MOCK_URL to a running one", err)
	}
	// Checking must be alive, or the test could not fail.
	probe, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/refunds", strings.NewReader("payment_intent=pi_1&no_such_parameter=1"))
	require.NoError(t, err)
	probe.Header.Set("Authorization", "Bearer sk_test_123")
	probe.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultTransport.RoundTrip(probe)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusBadRequest, resp.StatusCode, "the mock does not check what it is sent")

	rec := &recorder{base: &http.Transport{}}
	for _, account := range []string{"", "acct_2"} {
		p, err := stripe.New(stripe.Config{SecretKey: payment.NewSecret("sk_test_123"), BaseURL: url, HTTPClient: &http.Client{Transport: rec}, MultiCapture: true, Account: account})
		require.NoError(t, err)
		all := requests(p)
		for _, name := range sorted(all) {
			err := all[name]()
			got := rec.take()
			if account != "" && strings.HasPrefix(name, "transfer") {
				require.Error(t, err, "a connected account pays nobody on")
				continue
			}
			require.NotEmpty(t, got, "%s sent nothing: %v", name, err)
			for _, x := range got {
				require.Less(t, x.status, 400, "%s: %s %s was refused: %s\nsent: %s%s", name, x.method, x.path, x.answer, x.query, x.body)
				require.Equal(t, account, x.account, "%s %s", name, x.path)
				require.Equal(t, x.method == http.MethodPost, x.key != "", "%s: every write carries a key, and no read: %s %s", name, x.method, x.path)
				require.Empty(t, x.header.Get("X-Stripe-Client-User-Agent"), "the machine's name is nobody's business")
				require.Empty(t, x.header.Get("X-Stripe-Client-Telemetry"))
				require.Equal(t, "2023-10-16", x.header.Get("Stripe-Version"))
			}
		}
	}
}

// TestSameRequestSameBytes: a replay that differs in one byte is refused by
// Stripe as a reuse of the key, and then the outcome of the first send is lost.
func TestSameRequestSameBytes(t *testing.T) {
	t.Parallel()
	rec := &recorder{base: refuseAll{}}
	p, err := stripe.New(stripe.Config{SecretKey: payment.NewSecret("sk_test_123"), HTTPClient: &http.Client{Transport: rec}, MultiCapture: true})
	require.NoError(t, err)
	first := map[string][]exchanged{}
	for range 20 {
		all := requests(p)
		for name, send := range all {
			_ = send()
			got := rec.take()
			if first[name] == nil {
				first[name] = got
				continue
			}
			require.Equal(t, len(first[name]), len(got), name)
			for i := range got {
				require.Equal(t, first[name][i].body, got[i].body, name)
				require.Equal(t, first[name][i].key, got[i].key, name)
				require.Equal(t, first[name][i].path+first[name][i].query, got[i].path+got[i].query, name)
			}
		}
	}
	keys := map[string]string{}
	for name, list := range first {
		for _, x := range list {
			if x.method == http.MethodPost {
				require.LessOrEqual(t, len(x.key), 255)
				keys[x.key+x.path] = name
			}
		}
	}
	require.NotEmpty(t, keys)
}

// refuseAll answers every write with an object that only has an id, so that
// auxiliary writes pass and the step's own follows.
type refuseAll struct{}

func (refuseAll) RoundTrip(r *http.Request) (*http.Response, error) {
	id := "x"
	switch {
	case strings.HasSuffix(r.URL.Path, "/customers"):
		id = "cus_1"
	case strings.HasSuffix(r.URL.Path, "/files"):
		id = "file_1"
	}
	return &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"id":"` + id + `"}`))}, nil
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
