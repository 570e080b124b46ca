package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// With three refunds on a payment the shop finds its own by the key it gave,
// and learns what became of it.
func TestAskedByKey(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		r := s.request("order-1")
		p := s.mustPay(r)
		require.Equal(t, []*payment.Operation{p.Operations[0]}, p.Asked(r.Key))
		require.Empty(t, p.Asked(""))
		require.Empty(t, p.Asked("nobody's"))

		p, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(30_00)})
		require.NoError(t, err)
		require.Equal(t, payment.StateApproved, p.Asked("r1")[0].State)
		how, why := p.Progress("r1")
		require.Equal(t, payment.ProgressDone, how, why)

		s.bank.Script("refund", fake.Decline(payment.ReasonInsufficientFunds))
		p, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r2", Amount: usd(30_00)})
		require.NoError(t, err, "the provider was asked: the outcome is in the payment")
		require.Len(t, p.Asked("r2"), 1)
		require.Equal(t, payment.StateDeclined, p.Asked("r2")[0].State)
		require.True(t, s.hasEvent(p.ID, payment.EventIncident), "a refund that was not done is told loudly")
		how, why = p.Progress("r2")
		require.Equal(t, payment.ProgressFailed, how)
		require.Equal(t, "refund of 30.00 USD: declined, insufficient_funds", why)
		how, _ = p.Progress("nobody's")
		require.Equal(t, payment.ProgressNone, how)
		s.bank.Script("refund", fake.Pending())
		waiting, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r3", Amount: usd(1_00)})
		require.NoError(t, err)
		how, _ = waiting.Progress("r3")
		require.Equal(t, payment.ProgressPending, how)
		s.quiet(3)
		how, _ = s.get(p.ID).Progress("r3")
		require.Equal(t, payment.ProgressDone, how)

		again, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r2", Amount: usd(30_00)})
		require.NoError(t, err)
		require.Equal(t, payment.StateDeclined, again.Asked("r2")[0].State, "the same key gives the same answer")
		require.Len(t, again.Asked("r1"), 1)
		s.agree(p.ID)
	})
}

// A refund whose sends were all lost, and that is proven absent when nothing can
// be replayed any more, is told: a customer waits for money.
func TestRefundThatNeverHappenedIsTold(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Personality: fake.Stripe})
		p := s.paid("order-1")
		s.bank.Script("refund", fake.TimeoutBefore())
		_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(30_00)})
		require.NoError(t, err)
		s.clock.Add(30 * time.Hour) // nobody ran for longer than a key lives
		s.quiet(10)
		p = s.agree(p.ID)
		require.Equal(t, payment.StateAbsent, p.Asked("r1")[0].State, dump(p))
		require.True(t, s.hasEvent(p.ID, payment.EventIncident))
		require.Equal(t, usd(100_00), p.Refundable(), "it can be asked for anew")
	})
}

// The attempts of one Pay, at two providers, are both found under its key.
func TestAskedAfterFailover(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		second := fake.New(fake.Options{Name: "second"})
		s := open(t, store, fake.Options{}, func(c *payment.Config) { c.Providers = append(c.Providers, second.Narrow()) })
		s.bank.Script("pay", fake.NotSent())
		r := s.request("order-1")
		p, err := s.pay.Pay(s.ctx, r)
		require.NoError(t, err)
		tries := p.Asked(r.Key)
		require.Len(t, tries, 2, dump(p))
		require.Equal(t, payment.StateFailed, tries[0].State)
		require.Equal(t, "second", tries[1].Provider)
	})
}

// A refund that two captures bear, of which one is refused, is done in part.
func TestAskedInPart(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.authorized("order-1")
		for _, key := range []string{"c1", "c2"} {
			_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: key, Amount: usd(50_00)})
			require.NoError(t, err)
		}
		s.bank.Script("refund", fake.OK(), fake.Decline(payment.ReasonMerchantBalance))
		p, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1"})
		require.NoError(t, err)
		how, why := p.Progress("r1")
		require.Equal(t, payment.ProgressPartial, how, dump(p))
		require.Contains(t, why, "refund of 50.00 USD: declined")
		require.Equal(t, usd(50_00), s.agree(p.ID).Refundable())
	})
}
