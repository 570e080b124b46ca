package posting

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

var update = flag.Bool("update", false, "write the tables of docs/bookkeeping.md anew")

const docFile = "../../docs/bookkeeping.md"

// block compares a table of the documentation with what the code says.
func block(t *testing.T, name, want string) {
	t.Helper()
	text, err := os.ReadFile(docFile)
	require.NoError(t, err)
	part := regexp.MustCompile("(?s)<!-- " + name + " -->\n(.*?)<!-- /" + name + " -->")
	found := part.FindSubmatch(text)
	require.NotNil(t, found, "docs/bookkeeping.md has no block %q", name)
	if *update {
		out := part.ReplaceAllLiteralString(string(text), "<!-- "+name+" -->\n"+want+"<!-- /"+name+" -->")
		require.NoError(t, os.WriteFile(docFile, []byte(out), 0o600))
		return
	}
	require.Equal(t, want, string(found[1]), "docs/bookkeeping.md differs from the code: run go test ./ledger/posting -run TestDoc -update, and read what changed")
}

// The tests of the documentation are not parallel: with -update each writes the
// file.

func TestDocAccounts(t *testing.T) { //nolint:paralleltest // see above
	out := "| Account | Type | Mode | What it holds |\n|---|---|---|---|\n"
	for _, a := range DefaultAccounts() {
		out += fmt.Sprintf("| `%s` | %s | %s | %s |\n", a.Pattern, a.Type, a.Mode, a.Note)
	}
	block(t, "accounts", out)
}

func TestDocRules(t *testing.T) { //nolint:paralleltest // see above
	out := "| Stage | Debit | Credit | When |\n|---|---|---|---|\n"
	for _, r := range DefaultRules() {
		sides := map[ledger.Side][]string{}
		for _, l := range r.Legs {
			sides[l.Side] = append(sides[l.Side], fmt.Sprintf("`%s` %s", strings.TrimSuffix(l.Account, ":{currency}"), l.Amount))
		}
		out += fmt.Sprintf("| %s | %s | %s | %s |\n", r.Stage, strings.Join(sides[ledger.DebitSide], "<br>"), strings.Join(sides[ledger.CreditSide], "<br>"), r.Note)
	}
	block(t, "rules", out)
}

func eur(minor int64) money.Amount { return money.Of(minor, money.EUR) }

// TestDocExample books the worked example and writes down what was booked.
func TestDocExample(t *testing.T) { //nolint:paralleltest // see above
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	store := memstore.New()
	books, err := New(Config{Now: func() time.Time { now = now.Add(time.Minute); return now }})
	require.NoError(t, err)
	require.NoError(t, books.Check(store))
	p := &payment.Payment{ID: "p1", Reference: "order-1", Amount: eur(10000), UpdatedAt: now}
	hold := &payment.Operation{ID: "p1o1", Kind: payment.OpAuthorize, Provider: "adyen", Amount: eur(10000), Splits: []payment.Split{
		{Merchant: "ada", Amount: eur(8000), Commission: eur(800)}, {Merchant: "bob", Amount: eur(2000), Commission: eur(200)}}}
	capture := &payment.Operation{ID: "p1o2", Kind: payment.OpCapture, Target: "p1o1", Provider: "adyen", Amount: eur(10000), Final: true, Splits: hold.Splits}
	refund := &payment.Operation{ID: "p1o3", Kind: payment.OpRefund, Target: "p1o2", Provider: "adyen", Amount: eur(3333)}
	dispute := &payment.Operation{ID: "p1o4", Kind: payment.OpDispute, Target: "p1o2", Provider: "adyen", Amount: eur(2000)}
	approve := func(o *payment.Operation) func() {
		return func() {
			if p.Operation(o.ID) == nil {
				p.Operations = append(p.Operations, o)
			}
			o.State, o.Approved, o.Revision = payment.StateApproved, o.Amount, p.Version
		}
	}
	ctx := context.Background()
	post := func(c ledger.Transaction, err error) func() {
		require.NoError(t, err)
		return func() {
			_, err := books.Book().Post(ctx, c)
			require.NoError(t, err)
		}
	}
	out := "| What happens | Account | Debit | Credit |\n|---|---|---:|---:|\n"
	seen := int64(0)
	for _, step := range []struct {
		what string
		do   func()
	}{
		{"The payer's bank holds 100.00", approve(hold)},
		{"Captured", approve(capture)},
		{"Adyen tells its fee of 3.20", func() { capture.Fee, capture.Revision = eur(320), p.Version }},
		{"33.33 is refunded: 33.33 % of what each part has", approve(refund)},
		{"A dispute over 20.00 is opened, for a fee of 15.00", func() {
			p.Operations = append(p.Operations, dispute)
			dispute.State, dispute.Approved, dispute.Fee, dispute.Revision = payment.StatePending, eur(0), eur(1500), p.Version
		}},
		{"It is lost", approve(dispute)},
		{"Adyen pays out what is left", post(books.Payout(Payout{Key: "po_1", Provider: "adyen", Bank: "main", Net: eur(2847)}))},
		{"Ada is paid 25.00", post(books.Disbursement(Disbursement{Key: "ada-1", Merchant: "ada", Bank: "main", Amount: eur(2500)}))},
	} {
		p.Version++
		step.do()
		require.NoError(t, store.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
			_, err := books.record(ctx, tx, &pass{books: books, p: p, at: now}, changed(p, false))
			return err
		}))
		what := "**" + step.what + "**"
		require.NoError(t, store.Ledger().View(ctx, func(ctx context.Context, v ledger.View) error {
			return v.Journal(ctx, seen, 0, func(r *ledger.Record, err error) error {
				seen = r.ID
				for _, l := range r.Lines {
					amount := exampleAmount(l)
					debit, credit := amount, ""
					if l.Layer == ledger.HeldCredit || l.Layer == ledger.Posted && l.Amount < 0 {
						debit, credit = "", amount
					}
					out += fmt.Sprintf("| %s | `%s` | %s | %s |\n", what, l.Account.Path, debit, credit)
					what = ""
				}
				return err
			})
		}))
	}
	out += "\nIn brackets: pending, and a minus where it is released. After it the trial balance foots:\n\n| Account | Debit | Credit |\n|---|---:|---:|\n"
	tb, err := books.Book().TrialBalance(ctx, ledger.AsOf{})
	require.NoError(t, err)
	require.True(t, tb.Foots())
	show := func(a money.Amount) string {
		if a.IsZero() {
			return ""
		}
		return strings.TrimSuffix(a.String(), " EUR")
	}
	for _, l := range tb.Lines {
		out += fmt.Sprintf("| `%s` | %s | %s |\n", l.Account, show(l.Debit), show(l.Credit))
		require.True(t, l.PendingDebit.IsZero() && l.PendingCredit.IsZero())
	}
	out += fmt.Sprintf("| **sum** | **%s** | **%s** |\n", show(tb.Sums[0].Debit), show(tb.Sums[0].Credit))
	block(t, "example", out)
}

// exampleAmount is a line's amount as the example shows it.
func exampleAmount(l ledger.Line) string {
	n := l.Amount
	if l.Layer == ledger.Posted {
		n = max(n, -n)
	}
	s := strings.TrimSuffix(money.Of(n, l.Account.Currency).String(), " EUR")
	if l.Layer != ledger.Posted {
		return "(" + s + ")"
	}
	return s
}
