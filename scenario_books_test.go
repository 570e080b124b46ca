package payment_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/ledger/posting"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/memstore"
)

// balances checks what accounts come to, on their normal sides: "12.00" posted,
// "12.00 + 3.00" with so much more pending.
func (s *shop) balances(want map[string]string) {
	s.t.Helper()
	got := map[string]string{}
	for account := range want {
		b, err := s.books.Book().Balance(s.ctx, account, ledger.AsOf{})
		require.NoError(s.t, err)
		got[account] = strings.TrimSuffix(b.Posted.String(), " USD")
		if !b.PendingIn.IsZero() {
			got[account] += " + " + strings.TrimSuffix(b.PendingIn.String(), " USD")
		}
	}
	require.Equal(s.t, want, got)
}

const (
	clearingUSD   = "psp:fake:clearing:USD"
	disputedUSD   = "psp:fake:disputed:USD"
	oneUSD        = "merchant:one:payable:USD"
	twoUSD        = "merchant:two:payable:USD"
	commissionUSD = "platform:commission:USD"
	salesUSD      = "shop:sales:USD"
	refundsUSD    = "shop:refunds:USD"
)

// market is an order of 100.00: 60.00 for merchant one, less 6.00, 30.00 for
// merchant two, less 1.50, and 10.00 of the shop's own.
func (s *shop) market(ref string) payment.Request {
	r := s.request(ref)
	r.Splits = []payment.Split{{Account: "acct_1", Merchant: "one", Amount: usd(60_00), Commission: usd(6_00)},
		{Merchant: "two", Amount: usd(30_00), Commission: usd(1_50)}, {Amount: usd(10_00)}}
	return r
}

func TestBooksOfAMarketplace(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		r := s.market("order-1")
		r.Capture = payment.CaptureManual
		p := s.mustPay(r)
		s.balances(map[string]string{clearingUSD: "0.00 + 100.00", oneUSD: "0.00 + 54.00", twoUSD: "0.00 + 28.50", commissionUSD: "0.00 + 7.50", salesUSD: "0.00 + 10.00"})

		_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c1", Amount: usd(33_33)})
		require.NoError(t, err)
		s.balances(map[string]string{clearingUSD: "33.33 + 66.67", oneUSD: "18.00 + 36.00", twoUSD: "9.50 + 19.00", commissionUSD: "2.50 + 5.00", salesUSD: "3.33 + 6.67"})

		_, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c2", Amount: usd(50_00), Final: true})
		require.NoError(t, err)
		p = s.get(p.ID)
		s.balances(map[string]string{clearingUSD: "83.33", oneUSD: "45.00", twoUSD: "23.75", commissionUSD: "6.25", salesUSD: "8.33"})

		_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(10_01)})
		require.NoError(t, err)
		s.quiet(2)
		s.agree(p.ID)
		_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r2"})
		require.NoError(t, err)
		s.quiet(2)
		s.agree(p.ID)
		s.balances(map[string]string{clearingUSD: "0.00", oneUSD: "0.00", twoUSD: "0.00", commissionUSD: "0.00", salesUSD: "8.33", refundsUSD: "-8.33"})
	})
}

func TestBooksOfASaleThatIsUndone(t *testing.T) {
	t.Parallel()
	collected := map[string]string{clearingUSD: "100.00", oneUSD: "54.00", twoUSD: "28.50", commissionUSD: "7.50", salesUSD: "10.00", refundsUSD: "0.00"}
	t.Run("a refund fails later", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p := s.mustPay(s.market("order-1"))
			s.balances(collected)
			p, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(50_00), Splits: []payment.Split{{Merchant: "one", Amount: usd(20_00), Commission: usd(2_00)}, {Amount: usd(30_00)}}})
			require.NoError(t, err)
			s.deliver()
			s.balances(map[string]string{clearingUSD: "50.00", oneUSD: "36.00", twoUSD: "28.50", commissionUSD: "5.50", salesUSD: "10.00", refundsUSD: "-30.00"})
			require.NoError(t, s.bank.RefundBounces(operations(p, payment.OpRefund)[0].Ref))
			s.deliver()
			require.Equal(t, payment.StateReversed, operations(s.get(p.ID), payment.OpRefund)[0].State)
			s.balances(collected)
		})
	})
	t.Run("a dispute, lost, and won after all", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p := s.mustPay(s.market("order-1"))
			ref, err := s.bank.OpenDispute(p.ID, usd(40_00), "fraudulent")
			require.NoError(t, err)
			s.deliver()
			s.balances(map[string]string{clearingUSD: "45.00", disputedUSD: "40.00", oneUSD: "54.00", "fees:dispute:fake:USD": "15.00"})
			require.NoError(t, s.bank.LoseDispute(ref))
			s.deliver()
			s.balances(map[string]string{clearingUSD: "45.00", disputedUSD: "0.00", oneUSD: "32.40", twoUSD: "17.10", commissionUSD: "4.50", salesUSD: "10.00", "shop:chargebacks:USD": "4.00"})
			s.agree(p.ID)
		})
	})
	t.Run("a transfer goes to the merchant with that account", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{Personality: fake.Stripe, Name: "fake"})
			p := s.mustPay(s.market("order-1"))
			_, err := s.pay.Transfer(s.ctx, p.ID, payment.TransferParams{Key: "t1", Amount: usd(54_00), Destination: "acct_1"})
			require.NoError(t, err)
			s.quiet(1)
			s.balances(map[string]string{clearingUSD: "46.00", oneUSD: "0.00", twoUSD: "28.50"})
			s.agree(p.ID)
		})
	})
}

// A second success waits in suspense, and goes back from there.
func TestBooksOfASecondSuccess(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s, p := openWallet(t, store, fake.Alipay, func(c *payment.Config) { c.KeepOverpaid = true })
		s.byCard(p.ID, "card")
		require.NoError(t, s.bank.PayerPays(p.ID))
		s.quiet(40)
		p = s.agree(p.ID, s.bank, s.second)
		require.Equal(t, int64(100_00), p.Totals.Overpaid.Done.Minor(), dump(p))
		c := string(p.Amount.Currency())
		waits := func() int64 {
			b, err := s.books.Book().Balance(s.ctx, "suspense:overpaid:"+c, ledger.AsOf{})
			require.NoError(t, err)
			return b.Posted.Minor()
		}
		require.Equal(t, int64(100_00), waits())
		require.NoError(t, s.bank.DashboardRefund(p.ID, p.Amount))
		s.quiet(3)
		p = s.agree(p.ID, s.bank, s.second)
		require.Equal(t, int64(100_00), p.Totals.OverpaidRefunded.Done.Minor(), dump(p))
		require.Zero(t, waits(), "nothing waits any more")
	})
}

// faulty is a participant with work of its own that fails at first.
type faulty struct {
	*posting.Books
	runs chan error
}

func (f *faulty) Name() string { return "faulty" }

func (f *faulty) Run(ctx context.Context) error {
	select {
	case err := <-f.runs:
		if err == nil {
			panic("the work of a participant")
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run seals the books, starts the work of a participant again that ended, and
// returns when all have ended.
func TestRunRunsParticipants(t *testing.T) {
	t.Parallel()
	var heard strings.Builder
	f := &faulty{Books: posting.Default(), runs: make(chan error, 2)}
	s := open(t, memstore.New(), fake.Options{}, func(c *payment.Config) {
		c.Participants = []payment.Participant{f}
		c.Logger = slog.New(slog.NewTextHandler(&heard, nil))
	})
	s.mustPay(s.market("order-1"))
	f.runs <- errors.New("no database")
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() { done <- s.pay.Run(ctx) }()
	require.Eventually(t, func() bool {
		tb, err := s.store.(ledger.Store).Ledger(), error(nil)
		require.NoError(t, err)
		sealed := int64(0)
		require.NoError(t, tb.View(s.ctx, func(ctx context.Context, v ledger.View) error {
			last, err := v.Last(ctx)
			sealed = last.Last()
			return err
		}))
		return sealed > 0 && len(f.runs) == 0
	}, 5*time.Second, 5*time.Millisecond, "Run seals what was posted, and runs the participant")
	cancel()
	select {
	case err := <-done:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(5 * time.Second):
		t.Fatal("Run does not end with its context")
	}
	require.Contains(t, heard.String(), "faulty")
	require.Contains(t, heard.String(), "no database")
}

// feeBank tells its fee only to those who ask.
type feeBank struct {
	*fake.Provider
	fee money.Amount
}

func (b *feeBank) Lookup(ctx context.Context, r payment.LookupRequest) (payment.Result, error) {
	res, err := b.Provider.Lookup(ctx, r)
	res.Fee = b.fee
	return res, err
}

// A fee that is learned by asking about what is known is booked, once, and
// corrected when the provider says otherwise.
func TestBooksOfAFeeThatIsLearnedLate(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		bank := &feeBank{fee: usd(3_20)}
		s := open(t, store, fake.Options{}, func(c *payment.Config) {
			bank.Provider = fake.New(fake.Options{Now: c.Now})
			c.Providers = []payment.Provider{bank}
		})
		p := s.mustPay(s.market("order-1"))
		for _, fee := range []string{"3.20", "3.20", "2.90"} {
			if fee == "2.90" {
				bank.fee = usd(2_90)
			}
			before := len(s.events(p.ID))
			_, err := s.pay.Sync(s.ctx, p.ID)
			require.NoError(t, err)
			_, err = s.pay.Sync(s.ctx, p.ID)
			require.NoError(t, err)
			require.LessOrEqual(t, len(s.events(p.ID)), before+1, "asking again fills no outbox")
			s.balances(map[string]string{"fees:psp:fake:USD": fee})
		}
		s.balances(map[string]string{clearingUSD: "97.10"})
	})
}
