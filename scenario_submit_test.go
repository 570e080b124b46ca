package payment_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// The payer presses the button twice: one payment, one charge.
func TestDoubleSubmit(t *testing.T) {
	t.Parallel()
	t.Run("one after the other", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			r := s.request("order-1")
			first := s.mustPay(r)
			second := s.mustPay(r)
			require.Equal(t, first.ID, second.ID, "the same key with the same request is the same payment")
			require.Equal(t, payment.StatusCaptured, second.Status)
			require.Len(t, s.bank.Truth(first.ID).Collections(), 1)
			s.agree(first.ID)
		})
	})
	t.Run("sixteen at once", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{Record: true})
			r := s.request("order-1")
			var mu sync.Mutex
			ids := map[string]int{}
			together(16, func(int) {
				p, err := s.pay.Pay(s.ctx, r)
				if err != nil {
					t.Error("a double submit is no error: ", err)
					return
				}
				mu.Lock()
				ids[p.ID]++
				mu.Unlock()
			})
			require.Len(t, ids, 1)
			require.Len(t, s.bank.Requests(), 1, "one request reached the provider")
			require.Len(t, s.bank.Movements(), 1)
			for id := range ids {
				require.Equal(t, payment.StatusCaptured, s.agree(id).Status)
			}
		})
	})
	t.Run("after a decline it shows the decline", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{Record: true})
			r := s.request("order-1")
			r.Method = payment.Card(fake.TokenDecline(payment.ReasonInsufficientFunds))
			first := s.mustPay(r)
			second := s.mustPay(r)
			require.Equal(t, first.ID, second.ID)
			require.Equal(t, payment.StatusDeclined, second.Status)
			require.Len(t, s.bank.Requests(), 1, "a retry of a declined wish asks nobody: a new wish has a new key")
			s.agree(first.ID)
		})
	})
	t.Run("after an unknown outcome", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			s.bank.Script("pay", fake.TimeoutAfter(), fake.TimeoutAfter())
			s.bank.Script("lookup", fake.TimeoutBefore())
			r := s.request("order-1")
			first := s.mustPay(r)
			require.Equal(t, payment.StatusUnknown, first.Status)
			require.Equal(t, payment.Wait, first.Next().Kind)
			second := s.mustPay(r)
			require.Equal(t, first.ID, second.ID)
			require.Equal(t, payment.StatusUnknown, second.Status, "the retry neither charges nor guesses")
			s.quiet(5)
			require.Equal(t, payment.StatusCaptured, s.agree(first.ID).Status)
			require.Len(t, s.bank.Truth(first.ID).Collections(), 1)
		})
	})
	t.Run("after a validation error nothing is remembered", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			r := s.request("order-1")
			bad := r
			bad.Amount = usd(-1)
			_, err := s.pay.Pay(s.ctx, bad)
			require.ErrorIs(t, err, payment.ErrInvalid)
			require.Equal(t, payment.StatusCaptured, s.mustPay(r).Status, "a refused request does not use its key up")
		})
	})
	t.Run("the same key with another request", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			r := s.request("order-1")
			first := s.mustPay(r)
			r.Amount = usd(99_99)
			_, err := s.pay.Pay(s.ctx, r)
			var key *payment.KeyError
			require.ErrorAs(t, err, &key)
			require.Equal(t, first.ID, key.PaymentID)
			s.agree(first.ID)
		})
	})
	t.Run("years later", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			r := s.request("order-1")
			first := s.mustPay(r)
			s.clock.Add(3 * 365 * 24 * time.Hour)
			require.Equal(t, first.ID, s.mustPay(r).ID, "keys are kept for good: the provider's would be gone")
		})
	})
}

// The payer has the checkout open twice; each tab sends a key of its own.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	t.Run("one after the other", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			first := s.mustPay(s.request("order-1"))
			_, err := s.pay.Pay(s.ctx, s.request("order-1"))
			var live *payment.ReferenceError
			require.ErrorAs(t, err, &live, "one order is not paid twice")
			require.Equal(t, first.ID, live.PaymentID, "the error leads to the payment that exists")
			require.Len(t, s.bank.Movements(), 1)
			s.agree(first.ID)
		})
	})
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			var mu sync.Mutex
			var paid []string
			refused := 0
			together(16, func(int) {
				p, err := s.pay.Pay(s.ctx, s.request("order-1"))
				mu.Lock()
				defer mu.Unlock()
				var live *payment.ReferenceError
				switch {
				case err == nil:
					paid = append(paid, p.ID)
				case asError(err, &live):
					refused++
				default:
					t.Error(err)
				}
			})
			require.Len(t, paid, 1)
			require.Equal(t, 15, refused)
			require.Len(t, s.bank.Movements(), 1)
			s.agree(paid[0])
		})
	})
	t.Run("with a method that redirects", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			r := s.request("order-1")
			r.Method = payment.Card(fake.TokenChallenge)
			first := s.mustPay(r)
			require.Equal(t, payment.PayerMustAct, first.Next().Kind)
			_, err := s.pay.Pay(s.ctx, s.request("order-1"))
			require.ErrorIs(t, err, payment.ErrReferenceLive)
			require.NoError(t, s.bank.PayerPays(first.ID))
			s.deliver()
			require.Equal(t, payment.StatusCaptured, s.agree(first.ID).Status)
		})
	})
	t.Run("the second wins once the first has failed", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			r := s.request("order-1")
			r.Method = payment.Card(fake.TokenDecline(payment.ReasonInsufficientFunds))
			first := s.mustPay(r)
			require.Equal(t, payment.StatusDeclined, first.Status)
			second := s.mustPay(s.request("order-1"))
			require.Equal(t, payment.StatusCaptured, s.agree(second.ID).Status)
			require.Equal(t, payment.StatusDeclined, s.agree(first.ID).Status)
			_, err := s.pay.Proceed(s.ctx, first.ID, payment.Choice{Key: "again", Method: payment.Card(fake.TokenApproved)})
			require.ErrorIs(t, err, payment.ErrReferenceLive, "the first cannot be taken up again beside the second")
			require.Len(t, s.bank.Movements(), 1)
		})
	})
	t.Run("an additional payment is wanted", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			first := s.mustPay(s.request("order-1"))
			r := s.request("order-1")
			r.Additional, r.Amount = true, usd(20_00)
			second := s.mustPay(r)
			require.NotEqual(t, first.ID, second.ID)
			require.Equal(t, payment.StatusCaptured, s.agree(first.ID).Status)
			require.Equal(t, payment.StatusCaptured, s.agree(second.ID).Status)
			require.Equal(t, usd(20_00), s.bank.Truth(second.ID).Collected())
		})
	})
}

// An order was paid twice on purpose, and the first payment was refunded. What
// the second, additional one holds is the order's: a stale tab does not charge
// it again.
func TestAdditionalPaymentInheritsTheReference(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		first := s.paid("order-1")
		r := s.request("order-1")
		r.Additional = true
		second := s.mustPay(r)
		require.Equal(t, payment.StatusCaptured, second.Status)
		_, err := s.pay.Refund(s.ctx, first.ID, payment.RefundParams{Key: "r1"})
		require.NoError(t, err)
		require.Equal(t, payment.StatusRefunded, s.get(first.ID).Status)

		var held *payment.ReferenceError
		_, err = s.pay.Pay(s.ctx, s.request("order-1"))
		require.ErrorAs(t, err, &held)
		require.Equal(t, second.ID, held.PaymentID)

		_, err = s.pay.Refund(s.ctx, second.ID, payment.RefundParams{Key: "r1"})
		require.NoError(t, err)
		third := s.mustPay(s.request("order-1"))
		require.Equal(t, payment.StatusCaptured, third.Status, "nothing is held any more: the order can be paid anew")
	})
}
