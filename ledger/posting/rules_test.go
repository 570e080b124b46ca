package posting

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

func TestDefaultsFit(t *testing.T) {
	t.Parallel()
	b, err := New(Config{})
	require.NoError(t, err)
	require.NotPanics(t, func() { Default() })
	require.Len(t, b.Rules(), len(stages), "each stage has a rule")
	for i, r := range b.Rules() {
		require.Equal(t, stages[i].stage, r.Stage)
		require.NotEmpty(t, r.Legs)
		require.NotEmpty(t, r.Note)
	}
}

func TestFaultyRules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule Rule
		want []string
	}{
		"no such stage":                      {Rule{Stage: "sold"}, []string{`rule "sold"`, "no stage"}},
		"one side is more":                   {Rule{Stage: Captured, Legs: []Leg{Debit(clearing, Gross), Credit(payable, Part), Credit(sales, Own)}}, []string{`rule "captured"`, "does not balance", "commission"}},
		"both on one side":                   {Rule{Stage: Overpaid, Legs: []Leg{Debit(clearing, Gross), Debit(overpaid, Gross)}}, []string{`rule "overpaid"`, "does not balance"}},
		"the same part twice":                {Rule{Stage: Disputed, Legs: []Leg{Debit(disputed, Gross), Credit(clearing, Gross), Credit(clearing, Gross)}}, []string{"does not balance"}},
		"an account not in the chart":        {Rule{Stage: Disputed, Legs: []Leg{Debit("psp:{provider}:held:{currency}", Gross), Credit(clearing, Gross)}}, []string{`rule "disputed": leg 1`, "chart does not have"}},
		"one for all currencies":             {Rule{Stage: Disputed, Legs: []Leg{Debit("petty:cash", Gross), Credit(clearing, Gross)}}, []string{"leg 1", "one account for all currencies"}},
		"a merchant of the whole":            {Rule{Stage: Captured, Legs: []Leg{Debit(clearing, Gross), Credit(payable, Gross)}}, []string{"leg 2", "{merchant}"}},
		"a bank in a sale":                   {Rule{Stage: Captured, Legs: []Leg{Debit(bank, Gross), Credit(sales, Gross)}}, []string{"leg 1", "{bank}"}},
		"an amount it does not have":         {Rule{Stage: Disputed, Legs: []Leg{Debit(disputed, Part), Credit(clearing, Part)}}, []string{"leg 1", `"part"`, "gross"}},
		"gross of two currencies":            {Rule{Stage: Exchanged, Legs: []Leg{Debit(fxPosition, Gross), Credit(clearing, Gross)}}, []string{"leg 1", "sold, bought"}},
		"no side":                            {Rule{Stage: Disputed, Legs: []Leg{{Account: disputed, Amount: Gross}, Credit(clearing, Gross)}}, []string{"leg 1", "no side"}},
		"a condition on a fact":              {Rule{Stage: Refunded, Legs: []Leg{{Side: ledger.DebitSide, Account: payable, Amount: Part, NotOverdrawn: true}, Debit(sales, Commission), Debit(sales, Own), Debit(sales, Excess), Credit(clearing, Gross)}}, []string{`rule "refunded": leg 1`, "condition", "never refused"}},
		"a condition on a deferred":          {Rule{Stage: Disbursed, Legs: []Leg{Debit(payable, Gross), {Side: ledger.CreditSide, Account: bank, Amount: Gross, NotOverdrawn: true}}}, []string{`rule "disbursed": leg 2`, "condition", "Strict"}},
		"disputes without what is held back": {Rule{Stage: Disputed}, []string{`rule "disputed"`, `"dispute_lost"`, "give it legs"}},
		"nothing that is held back is lost":  {Rule{Stage: DisputeLost}, []string{`rule "dispute_lost"`, `"disputed"`}},
		"no sales, and refunds of them":      {Rule{Stage: Captured}, []string{`rule "captured"`, `"refunded"`}},
		"no refunds of what is sold":         {Rule{Stage: Refunded}, []string{`rule "refunded"`, `"captured"`}},
		"overpaid, and never given back":     {Rule{Stage: OverpaidRefunded}, []string{`rule "overpaid_refunded"`, `"overpaid"`}},
		"one account on both sides":          {Rule{Stage: Disputed, Legs: []Leg{Debit(clearing, Gross), Credit(clearing, Gross)}}, []string{`rule "disputed": leg 2`, "other side"}},
		"one account on both sides, in part": {Rule{Stage: Captured, Legs: []Leg{Debit(sales, Gross), Credit(payable, Part), Credit(commission, Commission), Credit(sales, Own)}}, []string{`rule "captured": leg 4`, "other side"}},
		"a hold without a whole":             {Rule{Stage: Held, Legs: []Leg{Debit(clearing, Own), Credit(sales, Own)}}, []string{`rule "held"`, "whole amount"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(Config{Rules: []Rule{c.rule}, Accounts: append(DefaultAccounts(), ledger.Rule{Pattern: "petty:cash", Type: ledger.Asset})})
			var own *Error
			require.ErrorAs(t, err, &own)
			for _, w := range c.want {
				require.Contains(t, err.Error(), w)
			}
		})
	}
	_, err := New(Config{Rules: []Rule{{Stage: Disputed}, {Stage: DisputeLost}, {Stage: DisputeLostOverpaid}, {Stage: DisputeFee}, {Stage: Held}, {Stage: Transferred}}})
	require.NoError(t, err, "what belongs together may be left out together")
	_, err = New(Config{Rules: []Rule{{Stage: Held}, {Stage: Held}}})
	require.ErrorContains(t, err, "twice")
	_, err = New(Config{Accounts: []ledger.Rule{{Pattern: "a:b", Type: ledger.Asset}}})
	require.ErrorContains(t, err, "chart does not have", "a chart of one's own needs rules of one's own")
	_, err = New(Config{Accounts: []ledger.Rule{{Pattern: "a b", Type: ledger.Asset}}})
	require.ErrorIs(t, err, ledger.ErrInvalid)
}

func TestSegment(t *testing.T) {
	t.Parallel()
	require.Equal(t, "merchant-7.eu", segment("merchant-7.eu"))
	require.NotEqual(t, segment("a:b"), segment("a-b"), "two merchants never share an account")
	require.NotEqual(t, segment("a:b"), segment("a/b"))
	require.NotEmpty(t, segment(""))
	long := make([]byte, 300)
	for i := range long {
		long[i] = 'x'
	}
	require.LessOrEqual(t, len(segment(string(long))), 80)
	require.NotEqual(t, segment(string(long)), segment(string(long[1:])))
}

func TestCallsOfTheHost(t *testing.T) {
	t.Parallel()
	b := Default()
	require.Nil(t, b.Book())
	require.NoError(t, b.Check(memstore.New()))
	ctx := t.Context()
	post := func(tx ledger.Transaction, err error) error {
		t.Helper()
		require.NoError(t, err)
		_, err = b.Book().Post(ctx, tx)
		return err
	}
	require.NoError(t, post(b.Payout(Payout{Key: "po_1", Provider: "stripe", Bank: "main", Net: usd(970), Fee: usd(30)})))
	require.ErrorIs(t, post(b.Disbursement(Disbursement{Key: "d1", Merchant: "ada", Bank: "main", Amount: usd(1)})), ledger.ErrCondition, "nothing is owed")
	require.NoError(t, post(b.Disbursement(Disbursement{Key: "d2", Merchant: "ada", Bank: "main", Amount: usd(5), Fact: true})), "what is paid is paid")
	require.NoError(t, post(b.Exchange(Exchange{Key: "x1", Provider: "stripe", Sold: usd(1000), Bought: eur(922), Rate: "0.922"})))
	require.NoError(t, post(b.Exchange(Exchange{Key: "x2", Bank: "main", Sold: eur(22), Bought: usd(24), Rate: "1.0909"})))
	found, err := b.Book().Find(ctx, "x1")
	require.NoError(t, err)
	require.Equal(t, "0.922", found.Metadata["rate"])
	tb, err := b.Book().TrialBalance(ctx, ledger.AsOf{})
	require.NoError(t, err)
	require.True(t, tb.Foots())
	got := map[string]int64{}
	for _, l := range tb.Lines {
		got[l.Account] = l.Debit.Minor() - l.Credit.Minor()
	}
	require.Equal(t, map[string]int64{"bank:main:USD": 970 - 5 + 24, "fees:psp:stripe:USD": 30, "psp:stripe:clearing:USD": -2000, "merchant:ada:payable:USD": 5,
		"fx:position:USD": 1000 - 24, "fx:position:EUR": -922 + 22, "psp:stripe:clearing:EUR": 922, "bank:main:EUR": -22}, got)

	for name, make := range map[string]func() (ledger.Transaction, error){
		"Payout.Net": func() (ledger.Transaction, error) { return b.Payout(Payout{Key: "k", Provider: "p", Bank: "b"}) },
		"Payout.Fee": func() (ledger.Transaction, error) {
			return b.Payout(Payout{Key: "k", Provider: "p", Bank: "b", Net: usd(1), Fee: eur(1)})
		},
		"Payout.Bank": func() (ledger.Transaction, error) {
			return b.Payout(Payout{Key: "k", Provider: "p", Bank: "my bank", Net: usd(1)})
		},
		"Disbursement.Amount": func() (ledger.Transaction, error) {
			return b.Disbursement(Disbursement{Key: "k", Merchant: "m", Bank: "b", Amount: usd(-1)})
		},
		"Disbursement.Merchant": func() (ledger.Transaction, error) {
			return b.Disbursement(Disbursement{Key: "k", Bank: "b", Amount: usd(1)})
		},
		"Exchange.Sold": func() (ledger.Transaction, error) {
			return b.Exchange(Exchange{Key: "k", Bank: "b", Bought: eur(1), Rate: "1"})
		},
		"Exchange.Bought": func() (ledger.Transaction, error) {
			return b.Exchange(Exchange{Key: "k", Bank: "b", Sold: usd(1), Bought: usd(1), Rate: "1"})
		},
		"Exchange.Rate": func() (ledger.Transaction, error) {
			return b.Exchange(Exchange{Key: "k", Bank: "b", Sold: usd(1), Bought: eur(1), Rate: "0.0"})
		},
		"Exchange names": func() (ledger.Transaction, error) {
			return b.Exchange(Exchange{Key: "k", Bank: "b", Provider: "p", Sold: usd(1), Bought: eur(1), Rate: "1"})
		},
	} {
		_, err := make()
		require.ErrorContains(t, err, name)
	}
	for name, c := range map[string]struct {
		sold, bought money.Amount
		rate         string
		ok           bool
	}{
		"to the cent":               {usd(1000), eur(922), "0.922", true},
		"rounded":                   {usd(999), eur(921), "0.922", true},
		"the rate has few digits":   {usd(1_000_000), eur(921_577), "0.92", true},
		"another exponent":          {usd(10_000), money.Of(15_532, "JPY"), "155.32", true},
		"not that rate":             {eur(100), usd(500), "1.1", false},
		"the other way round":       {usd(1000), eur(922), "1.0846", false},
		"a fee is in it":            {usd(1000), eur(900), "0.922", false},
		"a whole number is exact":   {usd(10_000), eur(10_300), "1", false},
		"minor units are not meant": {usd(10_000), money.Of(1_553_200, "JPY"), "155.32", false},
	} {
		_, err := b.Exchange(Exchange{Key: "k", Bank: "b", Sold: c.sold, Bought: c.bought, Rate: c.rate})
		if c.ok {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, "Exchange.Rate", name)
		}
	}
	known, err := New(Config{Providers: []string{"stripe"}})
	require.NoError(t, err)
	_, err = known.Payout(Payout{Key: "k", Provider: "nosuch", Bank: "b", Net: usd(1)})
	require.ErrorContains(t, err, `Payout.Provider is "nosuch"`)
	_, err = known.Payout(Payout{Key: "k", Provider: "stripe", Bank: "b", Net: usd(1)})
	require.NoError(t, err)
	_, err = known.Exchange(Exchange{Key: "k", Bank: "b", Sold: usd(100), Bought: eur(92), Rate: "0.92"})
	require.NoError(t, err, "a bank's exchange names no provider")
	for rate, ok := range map[string]bool{"1": true, "0.5": true, "": false, ".5": false, "5.": false, "1e3": false, "-1": false, "1.2.3": false, "0": false} {
		require.Equal(t, ok, isRate(rate), rate)
	}
}

func TestConflictsRunAgain(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, again(ledger.ErrConflict), payment.ErrConflict)
	require.ErrorIs(t, again(ledger.ErrConflict), ledger.ErrConflict)
	require.ErrorIs(t, again(ledger.ErrBusy), payment.ErrBusy)
	other := errors.New("disk full")
	require.Equal(t, other, again(other))
	require.NoError(t, again(nil))
}

// Nothing leads back from approved but reversed: mayBeBooked stands on it.
func TestApprovedIsTheLastButReversed(t *testing.T) {
	t.Parallel()
	require.Equal(t, []payment.State{payment.StateReversed}, payment.StateApproved.Next())
	require.Empty(t, payment.StateReversed.Next())
}

func TestStoreWithoutALedger(t *testing.T) {
	t.Parallel()
	b := Default()
	require.ErrorContains(t, b.Check(struct{ payment.Store }{}), "keeps no ledger")
	require.Error(t, b.Run(t.Context()), "before New")
	_, err := b.CatchUp(t.Context(), "p1")
	require.Error(t, err)
	_, err = b.Compare(t.Context())
	require.Error(t, err)
	one := memstore.New()
	require.NoError(t, b.Check(one))
	require.NoError(t, b.Check(one), "a second client on the same store")
	require.ErrorContains(t, b.Check(memstore.New()), "make Books for each store")
	require.Equal(t, money.Zero("EUR"), in(money.Amount{}, "EUR"))
}
