package payment_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// holders are the personalities that hold money for later captures.
var holders = []fake.Personality{fake.Plain, fake.Stripe, fake.Adyen, fake.PayPal}

// Captures in parts, up to the whole and not a cent beyond.
func TestPartialCaptures(t *testing.T) {
	t.Parallel()
	for _, kind := range holders {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind})
				p := s.authorized("order-1")
				for i, part := range []int64{30_00, 50_00} {
					_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: fmt.Sprint("c", i), Amount: usd(part)})
					require.NoError(t, err)
					s.quiet(1)
				}
				p = s.agree(p.ID)
				require.Equal(t, payment.StatusPartiallyCaptured, p.Status, dump(p))
				require.Equal(t, payment.Paid, p.Next().Kind)
				require.Equal(t, usd(20_00), p.Capturable())
				_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c2", Amount: usd(20_01)})
				var ex *payment.ExceedsError
				require.ErrorAs(t, err, &ex)
				require.Equal(t, usd(20_00), ex.Available)
				_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r0", Amount: usd(80_01)})
				require.ErrorIs(t, err, payment.ErrExceeds, "only what is captured can be refunded")
				_, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c3"})
				require.NoError(t, err, "the zero amount takes the rest")
				s.quiet(1)
				p = s.agree(p.ID)
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				require.True(t, p.Capturable().IsZero())
				_, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c4", Amount: usd(1)})
				require.Error(t, err)
				require.Equal(t, usd(100_00), s.bank.Truth(p.ID).Collected())
			})
		})
	}
}

// A final capture releases the rest: nothing more can be taken.
func TestFinalCapture(t *testing.T) {
	t.Parallel()
	for _, kind := range holders {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind})
				p := s.authorized("order-1")
				_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c1", Amount: usd(30_00), Final: true})
				require.NoError(t, err)
				s.quiet(1)
				p = s.agree(p.ID)
				require.Equal(t, payment.StatusPartiallyCaptured, p.Status, dump(p))
				require.True(t, p.Capturable().IsZero())
				_, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c2", Amount: usd(1_00)})
				require.Error(t, err)
				_, err = s.pay.Void(s.ctx, p.ID, payment.VoidParams{Key: "v"})
				require.ErrorIs(t, err, payment.ErrNotAllowed)
				for range 30 { // the hold's life ends: nothing is left to expire
					s.clock.Add(24 * time.Hour)
					s.quiet(1)
				}
				p = s.agree(p.ID)
				require.Equal(t, usd(30_00), p.Totals.Captured.Done)
				require.Nil(t, p.Parked)
			})
		})
	}
}

// Sixteen captures of ten race for a hundred: ten pass.
func TestCapturesAtOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe, fake.Adyen} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind})
				p := s.authorized("order-1")
				together(16, func(i int) {
					_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: fmt.Sprint("c", i), Amount: usd(10_00)})
					if err != nil && !isExceeded(err) {
						t.Error(err)
					}
				})
				s.quiet(5)
				p = s.agree(p.ID)
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				require.Len(t, operations(p, payment.OpCapture), 10)
			})
		})
	}
}

func isExceeded(err error) bool {
	var ex *payment.ExceedsError
	var st *payment.StateError
	return asError(err, &ex) || asError(err, &st)
}

// A capture and a void race: one of them gets the hold.
func TestCaptureAndVoidAtOnce(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		for round := range 8 {
			p := s.authorized(fmt.Sprint("order-", round))
			errs := make([]error, 2)
			together(2, func(i int) {
				if i == 0 {
					_, errs[i] = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c"})
				} else {
					_, errs[i] = s.pay.Void(s.ctx, p.ID, payment.VoidParams{Key: "v"})
				}
			})
			require.True(t, (errs[0] == nil) != (errs[1] == nil), "exactly one passes: %v, %v", errs[0], errs[1])
			p = s.agree(p.ID)
			require.Contains(t, []payment.Status{payment.StatusCaptured, payment.StatusVoided}, p.Status)
		}
	})
}

// The life of an authorization ends. Run records it even without a webhook.
func TestAuthorizationExpires(t *testing.T) {
	t.Parallel()
	for _, kind := range holders {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind, NoWebhooks: kind != fake.Adyen})
				p := s.authorized("order-1")
				life := s.bank.Capabilities().Methods[p.Operations[0].Method].HoldFor
				s.clock.Add(life - time.Hour)
				s.repair(time.Minute)
				require.Equal(t, payment.StatusAuthorized, s.get(p.ID).Status)
				s.clock.Add(2 * time.Hour)
				s.repair(time.Hour)
				s.bank.TakeWebhooks() // lost
				p = s.agree(p.ID)
				require.Equal(t, payment.StatusVoided, p.Status, dump(p))
				require.Equal(t, usd(100_00), p.Totals.Voided.Done)
				_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c"})
				require.ErrorIs(t, err, payment.ErrNotAllowed)
				r := s.request("order-1")
				r.Method.Method = p.Operations[0].Method
				_, err = s.pay.Pay(s.ctx, r)
				require.NoError(t, err, "the reference is free again")
			})
		})
	}
	t.Run("after a part was captured", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{NoWebhooks: true})
			p := s.authorized("order-1")
			_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c", Amount: usd(30_00)})
			require.NoError(t, err)
			s.clock.Add(8 * 24 * time.Hour)
			s.repair(time.Hour)
			p = s.agree(p.ID)
			require.Equal(t, payment.StatusPartiallyCaptured, p.Status)
			require.Equal(t, usd(70_00), p.Totals.Voided.Done)
			require.Equal(t, usd(30_00), p.Refundable())
		})
	})
	t.Run("before its time, by notification", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p := s.authorized("order-1")
			require.NoError(t, s.bank.AuthorizationExpires(p.ID))
			s.deliver()
			require.Equal(t, payment.StatusVoided, s.agree(p.ID).Status)
		})
	})
	t.Run("while a capture is on its way", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{NoWebhooks: true, AsyncDelay: time.Hour})
			p := s.authorized("order-1")
			s.clock.Add(7*24*time.Hour - 2*time.Hour)
			s.bank.Script("capture", fake.Pending())
			_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c"})
			require.NoError(t, err)
			s.clock.Add(90 * time.Minute)
			s.bank.Tick()
			s.clock.Add(2 * time.Hour)
			s.repair(2 * time.Hour)
			p = s.agree(p.ID)
			require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
			require.True(t, p.Totals.Voided.Done.IsZero(), dump(p))
		})
	})
}

// Automatic capture is the client's act where the provider only holds.
func TestAutomaticCapture(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Personality: fake.Adyen})
		p := s.paid("order-1")
		captures := operations(p, payment.OpCapture)
		require.Len(t, captures, 1)
		require.Equal(t, payment.OriginEngine, captures[0].Origin)
		require.Len(t, operations(s.authorized("order-2"), payment.OpCapture), 0, "a manual one waits for the shop")
	})
}

// A capture that is refused leaves the hold: it can be tried again.
func TestCaptureDeclined(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.authorized("order-1")
		s.bank.Script("capture", fake.Decline(payment.ReasonProcessorError))
		p, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c1"})
		require.NoError(t, err)
		require.Equal(t, payment.StatusAuthorized, p.Status)
		require.Equal(t, usd(100_00), p.Capturable())
		p, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c2"})
		require.NoError(t, err)
		require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
	})
}
