package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// Two days after the capture, and after a part of it was refunded, the bank
// says that the capture failed. The facts are recorded, the refund stays what
// it was, and a person is told that the shop is out of pocket.
func TestCaptureFailsAfterPartialRefund(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Adyen, fake.PayPal} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind})
				p := s.paid("order-1")
				_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(40_00)})
				require.NoError(t, err)
				s.quiet(2)
				require.Equal(t, payment.StatusPartiallyRefunded, s.agree(p.ID).Status)
				s.clock.Add(48 * time.Hour)
				require.NoError(t, s.bank.CaptureFails(p.ID))
				s.quiet(2)
				p = s.agree(p.ID)
				require.True(t, p.Totals.Captured.Done.IsZero(), "nothing is collected any more\n%s", dump(p))
				require.Equal(t, usd(40_00), p.Totals.Refunded.Done, "what was given back was given back")
				require.NotNil(t, p.Parked, "the shop is 40.00 out of pocket")
				require.True(t, s.hasEvent(p.ID, payment.EventIncident))
				require.False(t, p.Paid())
				_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r2", Amount: usd(10_00)})
				require.Error(t, err, "there is nothing left to give back")
				n := len(s.bank.Movements())
				s.quiet(5)
				require.Len(t, s.bank.Movements(), n, "nothing moves by itself")
				// An approval that comes once more changes nothing: a reversal is final.
				for _, o := range p.Operations {
					if o.State == payment.StateReversed {
						e, err := s.pay.Apply(s.ctx, payment.Event{Provider: s.bank.Name(), Dedup: "again", Kind: o.Kind, Status: payment.ResultApproved,
							OperationID: o.ID, Amount: o.Amount, Captured: true})
						require.NoError(t, err)
						require.False(t, e.Applied)
					}
				}
				s.agree(p.ID)
			})
		})
	}
}

// A refund that the payer's bank sends back is money of the shop's again.
func TestRefundBounces(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe, fake.PayPal} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind})
				p := s.paid("order-1")
				_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1"})
				require.NoError(t, err)
				s.quiet(1)
				require.Equal(t, payment.StatusRefunded, s.agree(p.ID).Status)
				require.NoError(t, s.bank.RefundBounces(p.ID))
				s.quiet(1)
				p = s.agree(p.ID)
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				require.Equal(t, usd(100_00), p.Refundable())
				_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r2"})
				require.NoError(t, err, "it can be given back anew")
				s.quiet(1)
				require.Equal(t, payment.StatusRefunded, s.agree(p.ID).Status)
			})
		})
	}
}

// Success after the payment was given up: never dropped, never the order's,
// always given back.
func TestLateSuccess(t *testing.T) {
	t.Parallel()
	// Each ends an attempt that the payer can, at the bank, still pay.
	ends := map[string]func(s *shop, p *payment.Payment){
		"after cancel": func(s *shop, p *payment.Payment) {
			s.bank.Script("cancel", repeat(fake.TimeoutBefore(), 50)...)
			_, err := s.pay.Cancel(s.ctx, p.ID, payment.CancelParams{Key: "c1"})
			require.NoError(s.t, err)
		},
		"after expiry": func(s *shop, p *payment.Payment) {
			_, err := s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "x1", Kind: payment.OpAuthorize, Status: payment.ResultExpired,
				OperationID: p.Operations[0].ID})
			require.NoError(s.t, err)
			s.clock.Add(25 * time.Hour)
			s.repair(time.Minute)
			require.Equal(s.t, payment.StatusExpired, s.get(p.ID).Status)
		},
		"after it was reported declined": func(s *shop, p *payment.Payment) {
			_, err := s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "d1", Kind: payment.OpAuthorize, Status: payment.ResultDeclined,
				OperationID: p.Operations[0].ID, Decline: payment.NewDecline(payment.ReasonAuthenticationFailed, "x")})
			require.NoError(s.t, err)
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{})
				r := s.request("order-1")
				r.Method = payment.Card(fake.TokenChallenge)
				p := s.mustPay(r)
				s.deliver()
				end(s, p)
				require.NoError(t, s.bank.PayerPays(p.ID))
				s.deliver()
				s.bank.ClearScript()
				s.quiet(3)
				p = s.agree(p.ID)
				if name == "after it was reported declined" {
					require.Equal(t, payment.StatusCaptured, p.Status, "a decline is not the payment's end: the money is the order's\n%s", dump(p))
					return
				}
				require.Equal(t, usd(100_00), p.Totals.Overpaid.Done, dump(p))
				require.Equal(t, usd(100_00), p.Totals.OverpaidRefunded.Done, "it goes back by itself")
				require.True(t, p.Totals.Captured.Done.IsZero(), "it is not the order's")
				require.True(t, p.Totals.Refunded.Done.IsZero())
				require.True(t, s.hasEvent(p.ID, payment.EventIncident))
				require.Equal(t, payment.Refused, p.Next().Kind)
			})
		})
	}
}

// The order was paid again under a new payment while the first seemed dead:
// the first one's late money goes back, the second stays paid.
func TestLateSuccessWhoseReferenceIsTaken(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		r := s.request("order-1")
		r.Method = payment.Card(fake.TokenDecline(payment.ReasonInsufficientFunds))
		first := s.mustPay(r)
		second := s.mustPay(s.request("order-1"))
		require.Equal(t, payment.StatusCaptured, second.Status)
		e, err := s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "late", Kind: payment.OpAuthorize, Status: payment.ResultApproved,
			Captured: true, OperationID: first.Operations[0].ID, Amount: usd(100_00)})
		require.NoError(t, err)
		require.True(t, e.Applied, "a verified fact is always recorded")
		got := s.get(first.ID)
		require.Equal(t, usd(100_00), got.Totals.Overpaid.Done)
		require.Len(t, operations(got, payment.OpRefund), 1, "and its refund is on its way")
		require.True(t, operations(got, payment.OpRefund)[0].Overpaid)
		require.Equal(t, payment.StatusCaptured, s.agree(second.ID).Status)
	})
}

// What of a pending payment that ends well after all, or not.
func TestPendingEndsLater(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fake.Fault{"well": fake.Pending(), "badly": fake.FailLater(payment.ReasonDoNotHonor)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{AsyncDelay: 3 * time.Hour})
				s.bank.Script("pay", fault)
				p := s.mustPay(s.request("order-1"))
				require.Equal(t, payment.StatusProcessing, p.Status)
				require.Equal(t, payment.Wait, p.Next().Kind)
				_, err := s.pay.Pay(s.ctx, s.request("order-1"))
				require.ErrorIs(t, err, payment.ErrReferenceLive)
				q, err := s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "other", Method: payment.Card("tok_other")})
				require.NoError(t, err)
				require.Len(t, operations(q, payment.OpAuthorize), 1, "nothing else is charged while it is pending")
				s.clock.Add(4 * time.Hour)
				s.repair(time.Hour) // by look-up alone: the notification is lost
				p = s.agree(p.ID)
				if name == "well" {
					require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				} else {
					require.Equal(t, payment.StatusDeclined, p.Status, dump(p))
					require.Equal(t, payment.ReasonDoNotHonor, p.Next().Decline.Reason)
				}
			})
		})
	}
}
