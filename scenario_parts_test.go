package payment_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// A router is asked with the eligible candidates, and its order is kept.
func TestRouter(t *testing.T) {
	t.Parallel()
	t.Run("its order is kept", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			var mu sync.Mutex
			var asked []payment.RouteRequest
			s := openPair(t, store, fake.Options{}, fake.Options{}, func(c *payment.Config) {
				jpy := fake.New(fake.Options{Name: "three", Now: c.Now, Currencies: []moneyCurrency{"JPY"}})
				c.Providers = append(c.Providers, jpy.Narrow())
				c.Router = payment.RouterFunc(func(_ context.Context, r payment.RouteRequest) (payment.Route, error) {
					mu.Lock()
					defer mu.Unlock()
					asked = append(asked, r)
					return payment.Route{Providers: []string{"two", "nobody", "three", "one"}, Reason: "two is cheaper"}, nil
				})
			})
			s.second.Script("pay", fake.NotSent())
			r := s.request("order-1")
			r.Customer, r.Payer.Country, r.Metadata = "cust-1", "DE", map[string]string{"cart": "7"}
			p := s.mustPay(r)
			require.Len(t, asked, 1, "asked once per wish of the payer, not per attempt")
			require.Equal(t, []string{"one", "two"}, asked[0].Candidates, "only who can take it")
			require.Contains(t, asked[0].Excluded["three"], "USD")
			require.Equal(t, usd(100_00), asked[0].Amount)
			require.Equal(t, "cust-1", asked[0].Customer)
			require.Equal(t, "DE", asked[0].Country)
			require.Equal(t, "7", asked[0].Metadata["cart"])
			require.Equal(t, []string{"two", "one"}, p.Route, "a name that is no candidate is ignored")
			require.Equal(t, "two", p.Operations[0].Provider)
			require.Equal(t, "two is cheaper", p.Operations[0].Why)
			require.Equal(t, "one", p.Operations[1].Provider)
			require.Equal(t, payment.StatusCaptured, s.agree(p.ID, s.bank, s.second).Status)
		})
	})
	for name, route := range map[string]func(context.Context, payment.RouteRequest) (payment.Route, error){
		"it fails": func(context.Context, payment.RouteRequest) (payment.Route, error) {
			return payment.Route{}, errors.New("no scores")
		},
		"it drops all": func(context.Context, payment.RouteRequest) (payment.Route, error) {
			return payment.Route{Reason: "all are down"}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Record: true}, func(c *payment.Config) { c.Router = payment.RouterFunc(route) })
				_, err := s.pay.Pay(s.ctx, s.request("order-1"))
				require.Error(t, err)
				if name == "it drops all" {
					var re *payment.RouteError
					require.ErrorAs(t, err, &re)
					require.Contains(t, re.Reasons["fake"], "all are down")
				}
				require.Empty(t, s.bank.Requests())
				listed, err := s.pay.List(s.ctx, payment.PaymentQuery{})
				require.NoError(t, err)
				require.Empty(t, listed, "nothing is written")
			})
		})
	}
}

// books is a small participant: it counts what it sees, in the commit.
type books struct {
	mu       sync.Mutex
	check    error
	plan     func(p *payment.Payment, o *payment.Operation, s *payment.Step) error
	record   func(p *payment.Payment, e *payment.Event) error
	planTx   map[string]payment.Tx // by step
	recorded []string              // event types, in order
}

func (*books) Name() string { return "books" }

func (b *books) Check(payment.Store) error { return b.check }

func (b *books) OnPlan(_ context.Context, tx payment.Tx, p *payment.Payment, o *payment.Operation, s *payment.Step) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.planTx == nil {
		b.planTx = map[string]payment.Tx{}
	}
	b.planTx[s.ID] = tx
	if b.plan != nil {
		return b.plan(p, o, s)
	}
	return nil
}

func (b *books) OnRecord(ctx context.Context, tx payment.Tx, p *payment.Payment, e *payment.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := tx.Payment(ctx, p.ID); err != nil {
		return err // it reads in the transaction that it takes part in
	}
	b.recorded = append(b.recorded, string(e.Type))
	if b.record != nil {
		return b.record(p, e)
	}
	return nil
}

func TestParticipant(t *testing.T) {
	t.Parallel()
	t.Run("sees every plan and every fact", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			b := &books{}
			s := open(t, store, fake.Options{}, func(c *payment.Config) { c.Books = b })
			p := s.paid("order-1")
			_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(10_00)})
			require.NoError(t, err)
			require.Len(t, b.planTx, 2, "one per step")
			require.Len(t, b.recorded, len(s.events(p.ID)), "one per event")
		})
	})
	t.Run("refuses a payment", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			limit := errors.New("over the daily limit")
			b := &books{plan: func(*payment.Payment, *payment.Operation, *payment.Step) error { return limit }}
			s := open(t, store, fake.Options{Record: true}, func(c *payment.Config) { c.Participants = []payment.Participant{b} })
			r := s.request("order-1")
			_, err := s.pay.Pay(s.ctx, r)
			require.ErrorIs(t, err, limit)
			require.Contains(t, err.Error(), "books")
			require.Empty(t, s.bank.Requests())
			require.Empty(t, s.events(""), "nothing is written")
			b.plan = nil
			require.Equal(t, payment.StatusCaptured, s.mustPay(r).Status, "not even the key")
		})
	})
	t.Run("refuses a refund", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			limit := errors.New("not enough in the merchant's account")
			b := &books{plan: func(_ *payment.Payment, o *payment.Operation, _ *payment.Step) error {
				if o.Kind == payment.OpRefund {
					return limit
				}
				return nil
			}}
			s := open(t, store, fake.Options{}, func(c *payment.Config) { c.Books = b })
			p := s.paid("order-1")
			_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(10_00)})
			require.ErrorIs(t, err, limit)
			require.Equal(t, p.Version, s.get(p.ID).Version)
			require.Empty(t, s.bank.Truth(p.ID).Sum(fake.MoveRefunded))
		})
	})
	t.Run("fails once to record", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			failed := false
			b := &books{}
			b.record = func(_ *payment.Payment, e *payment.Event) error {
				if e.Type == payment.EventFact && !failed {
					failed = true
					return errors.New("deadlock")
				}
				return nil
			}
			s := open(t, store, fake.Options{}, func(c *payment.Config) { c.Books = b })
			_, err := s.pay.Pay(s.ctx, s.request("order-1"))
			var doubt *payment.RecordError
			if err != nil {
				require.ErrorAs(t, err, &doubt)
			}
			s.quiet(5)
			listed, err := s.pay.List(s.ctx, payment.PaymentQuery{})
			require.NoError(t, err)
			require.Len(t, listed, 1)
			p := s.agree(listed[0].ID)
			require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
			require.Len(t, s.bank.Truth(p.ID).Collections(), 1)
		})
	})
	t.Run("refuses what follows from a fact", func(t *testing.T) {
		t.Parallel()
		// The automatic capture is planned in the commit that records the
		// authorization. A refusal must not lose the fact.
		onStores(t, func(t *testing.T, store payment.Store) {
			b := &books{plan: func(_ *payment.Payment, o *payment.Operation, _ *payment.Step) error {
				if o.Kind == payment.OpCapture {
					return errors.New("the ledger is closed")
				}
				return nil
			}}
			s := open(t, store, fake.Options{Personality: fake.Adyen}, func(c *payment.Config) { c.Books = b })
			_, err := s.pay.Pay(s.ctx, s.request("order-1"))
			_ = err // what the caller is told is another matter
			s.quiet(5)
			listed, err := s.pay.List(s.ctx, payment.PaymentQuery{})
			require.NoError(t, err)
			p := s.agree(listed[0].ID)
			require.Equal(t, payment.StateApproved, p.Operations[0].State, "a verified fact is always recorded\n%s", dump(p))
		})
	})
	t.Run("is checked by New", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			_, err := payment.New(payment.Config{Store: store, Providers: []payment.Provider{fake.New(fake.Options{})},
				Books: &books{check: errors.New("no journal tables")}})
			require.ErrorContains(t, err, "no journal tables")
		})
	})
}

// Transfers move collected money on, never more than there is.
func TestTransfer(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.paid("order-1")
		_, err := s.pay.Transfer(s.ctx, p.ID, payment.TransferParams{Key: "t1", Amount: usd(70_00), Destination: "acct_1", Description: "share"})
		require.NoError(t, err)
		_, err = s.pay.Transfer(s.ctx, p.ID, payment.TransferParams{Key: "t1", Amount: usd(70_00), Destination: "acct_1", Description: "share"})
		require.NoError(t, err)
		require.Equal(t, usd(70_00), s.bank.Truth(p.ID).Sum(fake.MoveTransferred), "once per key")
		var passed int
		var mu sync.Mutex
		together(8, func(int) {
			_, err := s.pay.Transfer(s.ctx, p.ID, payment.TransferParams{Key: s.key(), Amount: usd(20_00), Destination: "acct_2"})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				passed++
			} else if !errors.Is(err, payment.ErrExceeds) {
				t.Error(err)
			}
		})
		require.Equal(t, 1, passed)
		p = s.agree(p.ID)
		require.Equal(t, usd(90_00), p.Totals.Transferred.Done)
		s.bank.Script("transfer", fake.TimeoutAfter())
		p, err = s.pay.Transfer(s.ctx, p.ID, payment.TransferParams{Key: "t9", Amount: usd(10_00), Destination: "acct_1"})
		require.NoError(t, err)
		require.Equal(t, usd(10_00), p.Totals.Transferred.Pending)
		s.quiet(5)
		require.Equal(t, usd(100_00), s.agree(p.ID).Totals.Transferred.Done)
		require.Equal(t, usd(100_00), s.bank.Truth(p.ID).Sum(fake.MoveTransferred))
	})
}

func TestTransferOfNothing(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.authorized("order-1")
		_, err := s.pay.Transfer(s.ctx, p.ID, payment.TransferParams{Key: "t1", Amount: usd(1_00), Destination: "acct_1"})
		require.ErrorIs(t, err, payment.ErrNotAllowed)
	})
}

// Splits reach the provider with the payment, and must add up.
func TestSplits(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		var got []payment.Split
		s := openWith(t, store, fake.Options{}, func(a *adapter) {
			a.authorize = func(ctx context.Context, r payment.AuthorizeRequest, next authorizeFunc) (payment.Result, error) {
				got = r.Splits
				return next(ctx, r)
			}
		})
		r := s.request("order-1")
		r.Splits = []payment.Split{{Account: "acct_1", Merchant: "m1", Amount: usd(80_00), Commission: usd(8_00)}, {Amount: usd(20_00)}}
		p := s.mustPay(r)
		require.Equal(t, r.Splits, got)
		s.agree(p.ID)
		_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(50_00), Splits: []payment.Split{{Account: "acct_1", Amount: usd(40_00)}}})
		var field *payment.FieldError
		require.ErrorAs(t, err, &field)
		require.Equal(t, "Splits", field.Field)
		bad := s.request("order-2")
		bad.Splits = []payment.Split{{Account: "acct_1", Amount: usd(80_00)}}
		_, err = s.pay.Pay(s.ctx, bad)
		require.ErrorAs(t, err, &field)
		require.Equal(t, "Splits", field.Field)
	})
	t.Run("where the method has none", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{Personality: fake.PayPal})
			r := s.request("order-1")
			r.Method = payment.Using(payment.MethodPayPal)
			r.Splits = []payment.Split{{Account: "acct_1", Amount: usd(100_00)}}
			_, err := s.pay.Pay(s.ctx, r)
			require.ErrorIs(t, err, payment.ErrNoProvider)
		})
	})
}

// Two captures of the same size are on their way, of which one was never sent.
// A sum that the provider reports is not taken for the wrong one.
func TestSumWhileTwoCapturesAreOnTheirWay(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Personality: fake.Stripe})
		p := s.authorized("order-1")
		s.bank.TakeWebhooks()
		s.bank.Script("capture", fake.TimeoutBefore())
		_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c1", Amount: usd(10_00)})
		require.NoError(t, err)
		s.bank.Script("capture", fake.ResetAfter())
		_, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c2", Amount: usd(10_00)})
		require.NoError(t, err)
		s.deliver() // the sum of 10.00
		require.True(t, s.get(p.ID).Totals.Captured.Done.IsZero(), "whose it is, is not known")
		s.clock.Add(30 * time.Hour) // no key lives that long: only looking helps
		s.quiet(20)
		p = s.agree(p.ID)
		require.Equal(t, usd(10_00), p.Totals.Captured.Done, dump(p))
	})
}
