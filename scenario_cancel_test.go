package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

func (s *shop) cancel(id string) *payment.Payment {
	s.t.Helper()
	p, err := s.pay.Cancel(s.ctx, id, payment.CancelParams{Key: "cancel", Reason: "out of stock"})
	require.NoError(s.t, err)
	return p
}

// given back: whatever a cancel meets, in the end the payer has all the money
// and the order can be paid anew.
func (s *shop) givenBack(id string) *payment.Payment {
	s.t.Helper()
	s.quiet(15)
	p := s.agree(id)
	truth := s.bank.Truth(id)
	require.Equal(s.t, truth.Collected().Minor(), truth.Refunded().Minor(), "the payer has everything back\n%s", dump(p))
	require.Equal(s.t, truth.Sum(fake.MoveAuthorized).Minor(), truth.Sum(fake.MoveReleased).Minor()+capturedOfHolds(p), "nothing stays held\n%s", dump(p))
	require.Equal(s.t, payment.Refused, p.Next().Kind, dump(p))
	require.True(s.t, p.Canceled)
	r := s.request(p.Reference)
	for m := range s.bank.Capabilities().Methods {
		r.Method.Method = m
	}
	_, err := s.pay.Pay(s.ctx, r)
	require.NoError(s.t, err, "the reference is free again\n%s", dump(p))
	return p
}

func capturedOfHolds(p *payment.Payment) int64 {
	var sum int64
	for _, o := range operations(p, payment.OpCapture) {
		if o.State == payment.StateApproved {
			sum += o.Approved.Minor()
		}
	}
	return sum
}

func TestCancelInEveryStatus(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		kinds []fake.Personality
		make  func(s *shop) *payment.Payment
		now   payment.Status // right after the cancel; "" for any
		end   payment.Status
	}{
		{"created", nil, func(s *shop) *payment.Payment {
			p, err := s.pay.Create(s.ctx, s.request("order-1"))
			require.NoError(s.t, err)
			return p
		}, payment.StatusCanceled, payment.StatusCanceled},
		{"requires_action", []fake.Personality{fake.Plain, fake.Stripe}, func(s *shop) *payment.Payment {
			r := s.request("order-1")
			r.Method = payment.Card(fake.TokenChallenge)
			return s.mustPay(r)
		}, payment.StatusCanceled, payment.StatusCanceled},
		{"declined", nil, func(s *shop) *payment.Payment {
			r := s.request("order-1")
			r.Method = payment.Card(fake.TokenDecline(payment.ReasonDoNotHonor))
			return s.mustPay(r)
		}, payment.StatusCanceled, payment.StatusCanceled},
		{"unknown, and it had arrived", []fake.Personality{fake.Plain, fake.Stripe}, func(s *shop) *payment.Payment {
			return s.unknown(fake.TimeoutAfter())
		}, "", payment.StatusCanceled},
		{"unknown, and it was lost", []fake.Personality{fake.Plain}, func(s *shop) *payment.Payment {
			return s.unknown(fake.TimeoutBefore())
		}, "", payment.StatusCanceled},
		{"processing", nil, func(s *shop) *payment.Payment {
			s.bank.Script("pay", fake.Pending())
			return s.mustPay(s.request("order-1"))
		}, "", payment.StatusCanceled},
		{"authorized", []fake.Personality{fake.Plain, fake.Stripe, fake.Adyen, fake.PayPal}, func(s *shop) *payment.Payment {
			return s.authorized("order-1")
		}, "", payment.StatusVoided},
		{"partially captured", []fake.Personality{fake.Plain, fake.PayPal}, func(s *shop) *payment.Payment {
			p := s.authorized("order-1")
			_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c", Amount: usd(30_00)})
			require.NoError(s.t, err)
			return s.get(p.ID)
		}, "", payment.StatusRefunded},
		{"captured", []fake.Personality{fake.Plain, fake.Stripe, fake.Adyen, fake.PayPal}, func(s *shop) *payment.Payment {
			return s.paid("order-1")
		}, "", payment.StatusRefunded},
		{"partially refunded", nil, func(s *shop) *payment.Payment {
			p := s.paid("order-1")
			_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r", Amount: usd(30_00)})
			require.NoError(s.t, err)
			return s.get(p.ID)
		}, payment.StatusRefunded, payment.StatusRefunded},
		{"capture on its way", []fake.Personality{fake.Adyen}, func(s *shop) *payment.Payment {
			return s.mustPay(s.request("order-1")) // authorized at once, captured by notification
		}, "", ""},
		{"capture of unknown outcome", []fake.Personality{fake.Plain, fake.Stripe}, func(s *shop) *payment.Payment {
			p := s.authorized("order-1")
			s.bank.Script("capture", fake.TimeoutAfter())
			p, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c"})
			require.NoError(s.t, err)
			return p
		}, "", payment.StatusRefunded},
		{"refund of unknown outcome", nil, func(s *shop) *payment.Payment {
			p := s.paid("order-1")
			s.bank.Script("refund", fake.TimeoutAfter())
			p, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r", Amount: usd(30_00)})
			require.NoError(s.t, err)
			return p
		}, "", payment.StatusRefunded},
	}
	for _, c := range cases {
		kinds := c.kinds
		if kinds == nil {
			kinds = []fake.Personality{fake.Plain}
		}
		for _, kind := range kinds {
			t.Run(c.name+" at "+string(kind), func(t *testing.T) {
				t.Parallel()
				onStores(t, func(t *testing.T, store payment.Store) {
					s := open(t, store, fake.Options{Personality: kind})
					p := c.make(s)
					got := s.cancel(p.ID)
					if c.now != "" {
						require.Equal(t, c.now, got.Status, dump(got))
					}
					again := s.cancel(p.ID)
					require.Equal(t, got.Version, again.Version, "the same cancel twice is one")
					q, err := s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "after-all", Method: payment.Card(fake.TokenApproved)})
					require.NoError(t, err)
					require.Len(t, operations(q, payment.OpAuthorize), len(operations(got, payment.OpAuthorize)), "a canceled payment is charged no more")
					end := s.givenBack(p.ID)
					if c.end != "" {
						require.Equal(t, c.end, end.Status, dump(end))
					}
				})
			})
		}
	}
}

// unknown makes a payment whose one send had the given fate and whose outcome
// is not known.
func (s *shop) unknown(fate fake.Fault) *payment.Payment {
	s.t.Helper()
	flow := s.bank.Capabilities().Methods[payment.MethodCard].Flow
	s.bank.Script(flow[len(flow)-1].Name, fate, fake.ErrorBefore())
	s.bank.Script("lookup", fake.TimeoutBefore())
	p := s.mustPay(s.request("order-1"))
	require.Equal(s.t, payment.StatusUnknown, p.Status, dump(p))
	return p
}

// Until the fence of an unknown attempt is confirmed, the reference stays
// held: a new payment for the order could be a second collection.
func TestCancelOfUnknownFreesNothing(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{NoWebhooks: true})
		p := s.unknown(fake.TimeoutAfter())
		s.bank.Script("cancel", repeat(fake.TimeoutBefore(), 3)...)
		s.bank.Script("lookup", repeat(fake.TimeoutBefore(), 100)...)
		p = s.cancel(p.ID)
		require.Equal(t, payment.StatusUnknown, p.Status, dump(p))
		_, err := s.pay.Pay(s.ctx, s.request("order-1"))
		require.ErrorIs(t, err, payment.ErrReferenceLive)
		s.bank.ClearScript()
		s.givenBack(p.ID)
	})
}

// A capture that was on its way and fails after the cancel leaves a hold: it
// is released too.
func TestCancelWhileACaptureFails(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.PayPal, fake.Adyen} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind, AsyncDelay: time.Minute})
				p := s.authorized("order-1")
				s.bank.Script("capture", fake.FailLater(payment.ReasonProcessorError))
				_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c"})
				require.NoError(t, err)
				s.cancel(p.ID)
				s.givenBack(p.ID)
			})
		})
	}
}

// A refund that was on its way and fails after the cancel leaves money with
// the shop: a person knows, whatever the worker does about it.
func TestCancelWhileARefundFails(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{AsyncDelay: time.Minute})
		p := s.paid("order-1")
		s.bank.Script("refund", fake.FailLater(payment.ReasonMerchantBalance))
		_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r", Amount: usd(30_00)})
		require.NoError(t, err)
		s.cancel(p.ID)
		s.quiet(15)
		p = s.agree(p.ID)
		require.True(t, p.Parked != nil || p.Status == payment.StatusRefunded, "30.00 of a canceled payment are forgotten\n%s", dump(p))
	})
}

// A void that the provider refuses leaves the hold where it is, and a person
// knows.
func TestCancelWhoseVoidIsRefused(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.authorized("order-1")
		s.bank.Script("void", fake.Decline(payment.ReasonProcessorError))
		p = s.cancel(p.ID)
		s.quiet(3)
		p = s.agree(p.ID)
		require.Equal(t, usd(100_00), p.Totals.Authorized.Done)
		require.True(t, p.Totals.Voided.Done.IsZero())
		require.Equal(t, payment.StateDeclined, operations(p, payment.OpVoid)[0].State)
		_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c"})
		require.ErrorIs(t, err, payment.ErrNotAllowed, "it was given up")
		_, err = s.pay.Void(s.ctx, p.ID, payment.VoidParams{Key: "v"})
		require.NoError(t, err, "asked again by hand")
		s.givenBack(p.ID)
	})
}

// A payment that was given up is never told to be paid, whatever it still
// holds, and what a dispute held back goes back once it is won.
func TestCanceledWhileDisputed(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.paid("order-1")
		_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(30_00)})
		require.NoError(t, err)
		ref, err := s.bank.OpenDispute(p.ID, usd(70_00), "fraudulent")
		require.NoError(t, err)
		s.deliver()
		p = s.cancel(p.ID)
		require.Equal(t, payment.Refused, p.Next().Kind, "nobody may ship it\n%s", dump(p))
		require.Equal(t, payment.NoticeCanceled, p.Next().Notice)
		require.False(t, p.Paid())
		require.NoError(t, s.bank.WinDispute(ref))
		s.deliver()
		s.quiet(3)
		p = s.agree(p.ID)
		require.Equal(t, payment.StatusRefunded, p.Status, "the payer has all of it back\n%s", dump(p))
		require.Equal(t, usd(100_00), p.Totals.Refunded.Done)
	})
}

func TestCanceledAndItsRefundIsNotDone(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.paid("order-1")
		s.bank.Script("refund", fake.Decline(payment.ReasonMerchantBalance))
		p = s.cancel(p.ID)
		require.Equal(t, payment.StatusCaptured, p.Status)
		require.Equal(t, payment.Refused, p.Next().Kind)
		require.NotNil(t, p.Parked, "a person is asked")
	})
}
