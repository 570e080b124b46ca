package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// After Erase the personal values are unreadable for everybody, in the process
// that erased as in the next, and the payments stay usable: the money in them
// is still the shop's to capture, give back and account for.
func TestErase(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		make := func(ref string, change func(*payment.Request)) *payment.Payment {
			r := s.request(ref)
			r.Customer, r.Description, r.Metadata, r.Payer = "cust-1", "for Ann", map[string]string{"name": "Ann"}, payment.Payer{Name: "Ann"}
			change(&r)
			return s.mustPay(r)
		}
		captured := make("order-1", func(*payment.Request) {})
		held := make("order-2", func(r *payment.Request) { r.Capture = payment.CaptureManual })
		voided := make("order-3", func(r *payment.Request) { r.Capture = payment.CaptureManual })
		waiting := make("order-4", func(r *payment.Request) { r.Method = payment.Card(fake.TokenChallenge) })
		other := s.request("order-5")
		other.Customer, other.Description = "cust-2", "for Bob"
		bob := s.mustPay(other)
		m := s.save("s1") // of cust-1

		require.NoError(t, s.pay.Erase(s.ctx, "cust-1"))
		for _, again := range []bool{false, true} {
			if again {
				s.reopen()
			}
			for _, p := range []*payment.Payment{captured, held, voided, waiting} {
				got := s.get(p.ID)
				require.Empty(t, got.Description)
				require.Empty(t, got.Metadata)
				require.Nil(t, got.Operations[0].Action)
			}
			require.Equal(t, "for Bob", s.get(bob.ID).Description, "nobody else's")
			r := s.request("order-6")
			r.Customer, r.Method = "cust-1", payment.Saved(m.ID)
			_, err := s.pay.Pay(s.ctx, r)
			require.Error(t, err, "the saved token is gone")
		}
		require.NoError(t, s.pay.Erase(s.ctx, "cust-1"), "it can be called again")

		_, err := s.pay.Refund(s.ctx, captured.ID, payment.RefundParams{Key: "r1", Amount: usd(40_00)})
		require.NoError(t, err, "a refund needs nothing of the payer")
		_, err = s.pay.Capture(s.ctx, held.ID, payment.CaptureParams{Key: "c1"})
		require.NoError(t, err)
		_, err = s.pay.Cancel(s.ctx, voided.ID, payment.CancelParams{Key: "x1"})
		require.NoError(t, err)
		require.NoError(t, s.bank.PayerPays(waiting.ID))
		s.deliver()
		s.quiet(3)
		require.Equal(t, usd(40_00), s.agree(captured.ID).Totals.Refunded.Done)
		require.Equal(t, payment.StatusCaptured, s.agree(held.ID).Status)
		require.Equal(t, payment.StatusVoided, s.agree(voided.ID).Status)
		require.Equal(t, payment.StatusCaptured, s.agree(waiting.ID).Status, "a fact is recorded, whoever was erased")
	})
}

// Money that arrives for an erased payer and is not the order's goes back.
func TestEraseThenOverpaid(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		r := s.request("order-1")
		r.Method = payment.Card(fake.TokenChallenge)
		p := s.mustPay(r)
		s.bank.Script("cancel", repeat(fake.TimeoutBefore(), 50)...)
		s.cancel(p.ID)
		require.NoError(t, s.pay.EraseGuest(s.ctx, p.ID))
		require.NoError(t, s.bank.PayerPays(p.ID))
		s.deliver()
		s.bank.ClearScript()
		s.quiet(5)
		p = s.agree(p.ID)
		require.Equal(t, usd(100_00), p.Totals.OverpaidRefunded.Done, dump(p))
	})
}

// The authorization, and with it the automatic capture, comes after the
// erasure.
func TestEraseBeforeAutomaticCapture(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		h := says(payment.StageAfterAuthorize, payment.Allow) // so that a hold is captured by us
		s := open(t, store, fake.Options{}, with(h))
		r := s.request("order-1")
		r.Method, r.Payer.Name = payment.Card(fake.TokenChallenge), "Ann"
		p := s.mustPay(r)
		require.NoError(t, s.pay.EraseGuest(s.ctx, p.ID))
		require.NoError(t, s.bank.PayerPays(p.ID))
		s.quiet(5)
		require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status, "%s", dump(s.get(p.ID)))
		require.Empty(t, h.asked[0].Payer.Name, "the hook sees no payer")
	})
}

// A look-up needs nothing of the payer: an unknown outcome is learned.
func TestEraseOfUnknown(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{NoWebhooks: true})
		p := s.unknown(fake.TimeoutAfter())
		require.NoError(t, s.pay.EraseGuest(s.ctx, p.ID))
		s.repair(15 * time.Minute)
		require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
	})
}

func TestEraseGuest(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		r := s.request("order-1")
		r.Description = "for Ann"
		guest := s.mustPay(r)
		r = s.request("order-2")
		r.Customer = "cust-1"
		known := s.mustPay(r)
		require.NoError(t, s.pay.EraseGuest(s.ctx, guest.ID))
		require.Empty(t, s.get(guest.ID).Description)
		require.ErrorIs(t, s.pay.EraseGuest(s.ctx, known.ID), payment.ErrNotAllowed)
		require.ErrorIs(t, s.pay.EraseGuest(s.ctx, "p00000000000000000000000"), payment.ErrNotFound)
		require.ErrorIs(t, s.pay.Erase(s.ctx, ""), payment.ErrInvalid)
		require.ErrorIs(t, s.pay.Erase(s.ctx, "nobody"), payment.ErrNotFound, "who was never here is not reported as erased")
		_, err := s.pay.Refund(s.ctx, guest.ID, payment.RefundParams{Key: "r1"})
		require.NoError(t, err)
		require.Equal(t, payment.StatusRefunded, s.agree(guest.ID).Status)
	})
}
