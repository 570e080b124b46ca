package posting_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/ledger/posting"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/memstore"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlite"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// onStores runs a test on every store.
func onStores(t *testing.T, f func(t *testing.T, store payment.Store)) {
	t.Helper()
	for name, open := range map[string]func(t *testing.T) payment.Store{
		"memstore": func(*testing.T) payment.Store { return memstore.New() },
		"sqlite": func(t *testing.T) payment.Store {
			s, err := sqlite.Open(filepath.Join(t.TempDir(), "shop.db"))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return s
		},
		"postgres": func(t *testing.T) payment.Store {
			s, err := postgres.Open(t.Context(), pgtest.DSN(t))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

type shop struct {
	*payment.Client
	t     *testing.T
	bank  *fake.Provider
	books *posting.Books
	heard *strings.Builder
}

// open opens a client on a store. With no config it keeps no books.
func open(t *testing.T, store payment.Store, bank *fake.Provider, config *posting.Config) *shop {
	t.Helper()
	s := &shop{t: t, bank: bank, heard: &strings.Builder{}}
	c := payment.Config{Store: store, Providers: []payment.Provider{bank.Narrow()}}
	if config != nil {
		config.Logger = slog.New(slog.NewTextHandler(s.heard, nil))
		var err error
		s.books, err = posting.New(*config)
		require.NoError(t, err)
		c.Books = s.books
	}
	var err error
	s.Client, err = payment.New(c)
	require.NoError(t, err)
	return s
}

func usd(minor int64) money.Amount { return money.Of(minor, money.USD) }

func (s *shop) paid(ref string) *payment.Payment {
	s.t.Helper()
	p, err := s.Pay(s.t.Context(), payment.Request{Key: ref, Reference: ref, Amount: usd(10000), Method: payment.Card(fake.TokenApproved), ReturnURL: "https://shop.example/return",
		Splits: []payment.Split{{Merchant: "ada", Amount: usd(8000), Commission: usd(800)}, {Amount: usd(2000)}}})
	require.NoError(s.t, err)
	require.Equal(s.t, payment.StatusCaptured, p.Status)
	return p
}

func (s *shop) deliver() {
	s.t.Helper()
	for _, w := range s.bank.TakeWebhooks() {
		_, err := s.Receive(s.t.Context(), s.bank.Name(), w)
		require.NoError(s.t, err, "a fact is never refused")
	}
}

func (s *shop) differences(p *payment.Payment) []posting.Difference {
	s.t.Helper()
	now, err := s.Get(s.t.Context(), p.ID)
	require.NoError(s.t, err)
	found, err := s.books.Compare(s.t.Context(), now)
	require.NoError(s.t, err)
	return found
}

func (s *shop) balance(account string) int64 {
	s.t.Helper()
	b, err := s.books.Book().Balance(s.t.Context(), account, ledger.AsOf{})
	require.NoError(s.t, err)
	return b.Posted.Minor()
}

// A shop that begins to keep books books what was paid before.
func TestCatchUpWithOldPayments(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		bank := fake.New(fake.Options{})
		p := open(t, store, bank, nil).paid("order-1")
		s := open(t, store, bank, &posting.Config{})
		require.NotEmpty(t, s.differences(p), "Compare tells what is missing")
		n, err := s.books.CatchUp(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Empty(t, s.differences(p))
		require.Equal(t, int64(7200), s.balance("merchant:ada:payable:USD"))
		n, err = s.books.CatchUp(t.Context(), p.ID)
		require.NoError(t, err)
		require.Zero(t, n, "and books nothing twice")
		_, err = s.books.CatchUp(t.Context(), "nobody")
		require.ErrorIs(t, err, payment.ErrNotFound)
	})
}

// Where the ledger cannot take a transaction, the payment is recorded all the
// same, what can be booked is, somebody hears of it, and the rest is booked
// once the cause is gone.
func TestAFactIsNeverRefused(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		bank := fake.New(fake.Options{})
		first := open(t, store, bank, &posting.Config{})
		first.paid("order-1")
		accounts := posting.DefaultAccounts()
		for i := range accounts {
			if strings.HasPrefix(accounts[i].Pattern, "merchant:") {
				accounts[i].Mode = ledger.Deferred // what an account is cannot change
			}
		}
		rules := []posting.Rule{{Stage: posting.Disbursed, Legs: []posting.Leg{posting.Debit("merchant:{merchant}:payable:{currency}", posting.Gross), posting.Credit("bank:{bank}:{currency}", posting.Gross)}}}
		s := open(t, store, bank, &posting.Config{Accounts: accounts, Rules: rules})
		p := s.paid("order-2")
		require.Contains(t, s.heard.String(), "could not be booked")
		require.Contains(t, s.heard.String(), p.ID)
		require.Contains(t, s.heard.String(), "merchant:ada:payable:USD")
		require.NotEmpty(t, s.differences(p))
		n, err := s.books.CatchUp(t.Context(), p.ID)
		require.ErrorIs(t, err, ledger.ErrInvalid, "CatchUp says why nothing came of it")
		require.ErrorContains(t, err, p.ID)
		require.Zero(t, n)

		again := open(t, store, bank, &posting.Config{})
		n, err = again.books.CatchUp(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Empty(t, again.differences(p))
	})
}

// A bookkeeper's own reversal of what a payment booked stops no later fact.
func TestReversedByHand(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		bank := fake.New(fake.Options{Personality: fake.Adyen, Name: "fake"})
		s := open(t, store, bank, &posting.Config{})
		p := s.paid2("order-1")
		var capture *payment.Operation
		for _, o := range p.Operations {
			if o.Kind == payment.OpCapture {
				capture = o
			}
		}
		_, err := s.books.Book().Reverse(t.Context(), ledger.Reversal{Key: "by-hand", Of: posting.Key(capture.ID, posting.Captured, 1)})
		require.NoError(t, err)
		require.NoError(t, bank.CaptureFails(p.ID))
		s.deliver()
		now, err := s.Get(t.Context(), p.ID)
		require.NoError(t, err)
		require.True(t, now.Totals.Captured.Done.IsZero(), "the failure is recorded")
		require.Equal(t, int64(0), s.balance("psp:fake:clearing:USD"), "and not reversed a second time")
	})
}

// paid2 pays where the capture is an operation of its own, told later.
func (s *shop) paid2(ref string) *payment.Payment {
	s.t.Helper()
	p, err := s.Pay(s.t.Context(), payment.Request{Key: ref, Reference: ref, Amount: usd(10000), Method: payment.Card(fake.TokenApproved), ReturnURL: "https://shop.example/return"})
	require.NoError(s.t, err)
	for range 5 {
		s.bank.Tick()
		s.deliver()
	}
	p, err = s.Get(s.t.Context(), p.ID)
	require.NoError(s.t, err)
	require.Equal(s.t, payment.StatusCaptured, p.Status, "%v", p.Operations)
	return p
}

// A stage without legs is not booked, and a merchant is named by the shop.
func TestOwnRules(t *testing.T) {
	t.Parallel()
	s := open(t, memstore.New(), fake.New(fake.Options{}), &posting.Config{
		Accounts: append(posting.DefaultAccounts(), ledger.Rule{Pattern: "sales:{merchant}:{currency}", Type: ledger.Income}),
		Merchant: func(p payment.Split) string { return strings.ToUpper(p.Merchant) },
		Rules: []posting.Rule{{Stage: posting.Held}, {Stage: posting.Captured, Legs: []posting.Leg{
			posting.Debit("psp:{provider}:clearing:{currency}", posting.Gross), posting.Credit("sales:{merchant}:{currency}", posting.Part),
			posting.Credit("sales:{merchant}:{currency}", posting.Commission), posting.Credit("shop:sales:{currency}", posting.Own)}}}})
	p := s.paid("order-1")
	require.Equal(t, int64(8000), s.balance("sales:ADA:USD"))
	require.Equal(t, int64(2000), s.balance("shop:sales:USD"))
	require.Empty(t, s.differences(p))
	p, err := s.Refund(t.Context(), p.ID, payment.RefundParams{Key: "r1", Amount: usd(5000)})
	require.NoError(t, err)
	s.deliver()
	p, err = s.Refund(t.Context(), p.ID, payment.RefundParams{Key: "r2"})
	require.NoError(t, err)
	s.deliver()
	require.Empty(t, s.differences(p))
	require.Equal(t, int64(-7200), s.balance("merchant:ADA:payable:USD"), "the refund's rule was left as it is")
}

// A store whose transactions keep no ledger is told at the first event.
func TestTransactionWithoutALedger(t *testing.T) {
	t.Parallel()
	s := open(t, wrapped{memstore.New()}, fake.New(fake.Options{}), &posting.Config{})
	_, err := s.Pay(t.Context(), payment.Request{Key: "k", Reference: "order-1", Amount: usd(1), Method: payment.Card(fake.TokenApproved), ReturnURL: "https://shop.example/return"})
	require.ErrorContains(t, err, "must pass LedgerTx on")
}

type wrapped struct{ *memstore.Store }

func (w wrapped) Update(ctx context.Context, fn func(context.Context, payment.Tx) error) error {
	return w.Store.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return fn(ctx, struct{ payment.Tx }{tx}) })
}
