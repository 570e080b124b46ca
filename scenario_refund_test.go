package payment_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

// Two clerks refund 60 of 100 at the same moment: one of them is told that
// there is not enough, before the provider is asked.
func TestRefundSixtyTwice(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe, fake.Adyen, fake.PayPal} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind, Record: true})
				p := s.paid("order-1")
				var passed, exceeded atomic.Int32
				together(2, func(i int) {
					_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: fmt.Sprint("r", i), Amount: money.Of(60_00, p.Amount.Currency())})
					var ex *payment.ExceedsError
					switch {
					case err == nil:
						passed.Add(1)
					case asError(err, &ex):
						exceeded.Add(1)
						if ex.Available.Minor() != 40_00 {
							t.Errorf("the error says that %s is available, not 40.00", ex.Available)
						}
					default:
						t.Error(err)
					}
				})
				require.EqualValues(t, 1, passed.Load(), "exactly one refund passes")
				require.EqualValues(t, 1, exceeded.Load(), "the other is told how much there is")
				s.quiet(3)
				p = s.agree(p.ID)
				require.Equal(t, int64(60_00), s.bank.Truth(p.ID).Refunded().Minor())
				require.Equal(t, payment.StatusPartiallyRefunded, p.Status)
				require.Equal(t, int64(40_00), p.Refundable().Minor())
				refunds := 0
				for _, r := range s.bank.Requests() {
					if r.Step == "refund" {
						refunds++
					}
				}
				require.Equal(t, 1, refunds, "the refused refund was asked of nobody")
			})
		})
	}
}

// paid makes a payment of 100.00 that is captured, over the shop's own bank.
func (s *shop) paid(ref string) *payment.Payment {
	s.t.Helper()
	r := s.request(ref)
	for m, c := range s.bank.Capabilities().Methods {
		r.Method.Method = m
		if len(c.Currencies) > 0 && !slices.Contains(c.Currencies, money.USD) {
			r.Amount = money.Of(100_00, c.Currencies[0])
		}
	}
	p := s.mustPay(r)
	if p.Next().Kind == payment.PayerMustAct {
		require.NoError(s.t, s.bank.PayerPays(p.ID))
		var err error
		p, err = s.pay.Resume(s.ctx, p.ID, s.bank.Return(p.Operations[0].Ref))
		require.NoError(s.t, err)
	}
	s.quiet(2)
	p = s.get(p.ID)
	require.Equal(s.t, payment.StatusCaptured, p.Status, dump(p))
	return p
}

func TestManyRefundsAtOnce(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.paid("order-1")
		var passed atomic.Int32
		together(16, func(i int) {
			for j := range 20 {
				_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: fmt.Sprintf("r%d-%d", i, j), Amount: usd(10_00)})
				var ex *payment.ExceedsError
				switch {
				case err == nil:
					passed.Add(1)
				case !asError(err, &ex):
					t.Error(err)
				}
			}
		})
		require.EqualValues(t, 10, passed.Load())
		p = s.agree(p.ID)
		require.Equal(t, payment.StatusRefunded, p.Status)
		require.Equal(t, usd(100_00), s.bank.Truth(p.ID).Refunded())
	})
}

// A key is one refund, however often it is sent; another key is another.
func TestRefundKeys(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.paid("order-1")
		r := payment.RefundParams{Key: "r1", Amount: usd(10_00), Reason: "damaged"}
		together(16, func(int) {
			if _, err := s.pay.Refund(s.ctx, p.ID, r); err != nil {
				t.Error(err)
			}
		})
		require.Equal(t, usd(10_00), s.bank.Truth(p.ID).Refunded())
		r.Key = "r2"
		_, err := s.pay.Refund(s.ctx, p.ID, r)
		require.NoError(t, err, "the second legitimate refund of the same size has a key of its own")
		require.Equal(t, usd(20_00), s.bank.Truth(p.ID).Refunded())
		r.Amount = usd(11_00)
		_, err = s.pay.Refund(s.ctx, p.ID, r)
		require.ErrorIs(t, err, payment.ErrKeyReused)
		p = s.agree(p.ID)
		require.Len(t, operations(p, payment.OpRefund), 2)
	})
}

// A refund whose answer was lost holds its amount until the outcome is known,
// and is found by the worker, not sent as a second one.
func TestRefundUnknownKeepsItsAmount(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fake.Fault{"done": fake.TimeoutAfter(), "not done": fake.TimeoutBefore()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{})
				p := s.paid("order-1")
				s.bank.Script("refund", fault)
				p, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(60_00)})
				require.NoError(t, err, "an unknown outcome is a payment, not an error")
				require.Equal(t, usd(60_00), p.Totals.Refunded.Pending)
				_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r2", Amount: usd(60_00)})
				require.ErrorIs(t, err, payment.ErrExceeds)
				s.quiet(10)
				p = s.agree(p.ID)
				require.Equal(t, usd(60_00), p.Totals.Refunded.Done, dump(p))
				require.True(t, p.Totals.Refunded.Pending.IsZero())
			})
		})
	}
}

// A refused refund frees its amount, and says why.
func TestRefundDeclined(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.paid("order-1")
		s.bank.Script("refund", fake.Decline(payment.ReasonRefundDestination))
		p, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(60_00)})
		require.NoError(t, err)
		require.Equal(t, payment.StateDeclined, operations(p, payment.OpRefund)[0].State)
		require.Equal(t, payment.ReasonRefundDestination, operations(p, payment.OpRefund)[0].Decline.Reason)
		require.Equal(t, usd(100_00), p.Refundable())
		s.agree(p.ID)
	})
}

// The guard is the store's: two transactions that both read 100 cannot both
// reserve 60, since the second one's write finds another version.
func TestOverRefundIsRefusedByTheStore(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.paid("order-1")
		before, err := store.Payment(s.ctx, p.ID)
		require.NoError(t, err)
		_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(60_00)})
		require.NoError(t, err)
		runs := 0
		err = store.Update(s.ctx, func(ctx context.Context, tx payment.Tx) error {
			if runs++; runs > 1 {
				return errStop
			}
			stale := *before
			stale.Version++
			return tx.SavePayment(ctx, &stale)
		})
		require.True(t, errors.Is(err, errStop) || errors.Is(err, payment.ErrConflict), "a plan made on a stale read is not written: %v", err)
		now, err := store.Payment(s.ctx, p.ID)
		require.NoError(t, err)
		require.Equal(t, usd(60_00), now.Totals.Refunded.Done)
	})
}

// errStop ends an Update that the store asked to run again: its refusal.
var errStop = errors.New("the store asked to run again")

// Where several captures bear a refund, one operation is made for each.
func TestRefundSpansCaptures(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.PayPal, fake.Stripe} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind})
				p := s.authorized("order-1")
				for i, part := range []int64{30_00, 50_00, 20_00} {
					_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: fmt.Sprint("c", i), Amount: usd(part)})
					require.NoError(t, err)
				}
				p, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(70_00)})
				require.NoError(t, err)
				s.quiet(2)
				p = s.agree(p.ID)
				parts := operations(p, payment.OpRefund)
				require.Len(t, parts, 2, "30.00 of the first capture and 40.00 of the second\n%s", dump(p))
				require.Equal(t, usd(30_00), parts[0].Approved)
				require.Equal(t, usd(40_00), parts[1].Approved)
				require.NotEqual(t, parts[0].Target, parts[1].Target)
				p, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r2"})
				require.NoError(t, err, "the zero amount gives all that is left")
				s.quiet(2)
				require.Equal(t, payment.StatusRefunded, s.agree(p.ID).Status)
			})
		})
	}
}

// authorized makes a payment of 100.00 USD that is held, for manual capture.
func (s *shop) authorized(ref string) *payment.Payment {
	s.t.Helper()
	r := s.request(ref)
	r.Capture = payment.CaptureManual
	for m := range s.bank.Capabilities().Methods {
		r.Method.Method = m
	}
	p := s.mustPay(r)
	if p.Next().Kind == payment.PayerMustAct {
		require.NoError(s.t, s.bank.PayerPays(p.ID))
		var err error
		p, err = s.pay.Resume(s.ctx, p.ID, s.bank.Return(p.Operations[0].Ref))
		require.NoError(s.t, err)
	}
	s.deliver()
	p = s.get(p.ID)
	require.Equal(s.t, payment.StatusAuthorized, p.Status, dump(p))
	return p
}

// A refund may name the capture it gives back; no more than that one is given.
func TestRefundOfOneCapture(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.authorized("order-1")
		for i, part := range []int64{30_00, 70_00} {
			var err error
			p, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: fmt.Sprint("c", i), Amount: usd(part)})
			require.NoError(t, err)
		}
		first := operations(p, payment.OpCapture)[0]
		_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(40_00), Capture: first.ID})
		var ex *payment.ExceedsError
		require.ErrorAs(t, err, &ex)
		require.Equal(t, usd(30_00), ex.Available)
		p, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r2", Amount: usd(30_00), Capture: first.ID})
		require.NoError(t, err)
		require.Equal(t, first.ID, operations(p, payment.OpRefund)[0].Target)
		_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r3", Capture: "nonsense"})
		require.Error(t, err, "a capture that does not exist is named")
		s.agree(p.ID)
	})
}

// Refund of one capture without an amount gives back what is left of that
// capture, not of the payment.
func TestRefundAllOfOneCapture(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.authorized("order-1")
		for i, part := range []int64{30_00, 70_00} {
			var err error
			p, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: fmt.Sprint("c", i), Amount: usd(part)})
			require.NoError(t, err)
		}
		first := operations(p, payment.OpCapture)[0]
		p, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Capture: first.ID})
		require.NoError(t, err)
		require.Equal(t, usd(30_00), p.Totals.Refunded.Done)
		_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r2", Capture: first.ID})
		require.ErrorIs(t, err, payment.ErrExceeds, "nothing of it is left")
		require.Equal(t, usd(70_00), s.agree(p.ID).Refundable())
	})
}
