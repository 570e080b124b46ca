package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// What the shop's staff does in the provider's dashboard counts as if we had
// been asked: by notification, or by look-up where none arrives.
func learnBy(t *testing.T, scenario func(t *testing.T, s *shop, learn func(id string) *payment.Payment)) {
	t.Helper()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe, fake.PayPal, fake.Adyen} {
		for _, by := range []string{"notification", "sync"} {
			if kind == fake.Adyen && by == "sync" {
				continue // nothing can be looked up there
			}
			t.Run(string(kind)+" by "+by, func(t *testing.T) {
				t.Parallel()
				onStores(t, func(t *testing.T, store payment.Store) {
					s := open(t, store, fake.Options{Personality: kind})
					scenario(t, s, func(id string) *payment.Payment {
						t.Helper()
						if by == "sync" {
							s.bank.TakeWebhooks() // lost
							_, err := s.pay.Sync(s.ctx, id)
							require.NoError(t, err)
						}
						s.deliver()
						first := s.agree(id)
						if by == "sync" {
							_, err := s.pay.Sync(s.ctx, id)
							require.NoError(t, err)
							require.Equal(t, first.Totals, s.agree(id).Totals, "looking again finds nothing new")
						}
						return first
					})
				})
			})
		}
	}
}

func TestDashboardRefund(t *testing.T) {
	t.Parallel()
	learnBy(t, func(t *testing.T, s *shop, learn func(string) *payment.Payment) {
		p := s.paid("order-1")
		require.NoError(t, s.bank.DashboardRefund(p.ID, usd(25_00)))
		p = learn(p.ID)
		require.Equal(t, usd(25_00), p.Totals.Refunded.Done, dump(p))
		refunds := operations(p, payment.OpRefund)
		require.Len(t, refunds, 1)
		require.Equal(t, payment.OriginProvider, refunds[0].Origin, "it says who made it")
		require.Equal(t, usd(75_00), p.Refundable())
		_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(80_00)})
		require.ErrorIs(t, err, payment.ErrExceeds, "what staff gave back is not there any more")
	})
}

// A dashboard refund of the same size while one of ours is outstanding must
// not be taken for ours.
func TestDashboardRefundBesideOurs(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe, fake.PayPal} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind, AsyncDelay: time.Hour})
				p := s.paid("order-1")
				s.bank.Script("refund", fake.Pending())
				p, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(30_00)})
				require.NoError(t, err)
				require.Equal(t, usd(30_00), p.Totals.Refunded.Pending)
				require.NoError(t, s.bank.DashboardRefund(p.ID, usd(30_00)))
				s.deliver()
				p = s.get(p.ID)
				require.Equal(t, usd(30_00), p.Totals.Refunded.Done, dump(p))
				require.Equal(t, usd(30_00), p.Totals.Refunded.Pending, "ours is still on its way\n%s", dump(p))
				s.clock.Add(2 * time.Hour)
				s.quiet(2)
				p = s.agree(p.ID)
				require.Equal(t, usd(60_00), p.Totals.Refunded.Done, dump(p))
			})
		})
	}
}

// Ours of unknown outcome and one of the dashboard's: both are counted.
func TestDashboardRefundBesideAnUnknownOne(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fake.Fault{"arrived": fake.TimeoutAfter(), "lost": fake.TimeoutBefore()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{})
				p := s.paid("order-1")
				s.bank.Script("refund", fault)
				_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(30_00)})
				require.NoError(t, err)
				require.NoError(t, s.bank.DashboardRefund(p.ID, usd(30_00)))
				s.quiet(15)
				p = s.agree(p.ID)
				require.Equal(t, usd(60_00), p.Totals.Refunded.Done, dump(p))
			})
		})
	}
}

// Staff gives back more than our guard would let pass together with ours: the
// fact counts, and a person is told.
func TestDashboardRefundBreaksTheLimit(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.paid("order-1")
		_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(60_00)})
		require.NoError(t, err)
		e, err := s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "d1", Kind: payment.OpRefund, Status: payment.ResultApproved,
			Ref: "re_by_staff", Parent: p.Operations[0].Ref, Amount: usd(60_00)})
		require.NoError(t, err)
		require.True(t, e.Applied, "guards bind plans, never facts")
		p = s.get(p.ID)
		require.Equal(t, usd(120_00), p.Totals.Refunded.Done)
		require.NotNil(t, p.Parked)
		require.True(t, p.Refundable().IsZero(), "never below zero")
		require.Equal(t, payment.StatusRefunded, p.Status)
	})
}

func TestDashboardCapture(t *testing.T) {
	t.Parallel()
	learnBy(t, func(t *testing.T, s *shop, learn func(string) *payment.Payment) {
		p := s.authorized("order-1")
		require.NoError(t, s.bank.DashboardCapture(p.ID, usd(40_00)))
		p = learn(p.ID)
		require.Equal(t, usd(40_00), p.Totals.Captured.Done, dump(p))
		require.Equal(t, payment.StatusPartiallyCaptured, p.Status)
		require.Equal(t, usd(60_00), p.Capturable())
		_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c1", Amount: usd(70_00)})
		require.ErrorIs(t, err, payment.ErrExceeds)
		_, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c2"})
		require.NoError(t, err)
		s.quiet(2)
		require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
	})
}

func TestDashboardVoid(t *testing.T) {
	t.Parallel()
	learnBy(t, func(t *testing.T, s *shop, learn func(string) *payment.Payment) {
		p := s.authorized("order-1")
		require.NoError(t, s.bank.DashboardVoid(p.ID))
		p = learn(p.ID)
		require.Equal(t, payment.StatusVoided, p.Status, dump(p))
		require.True(t, p.Capturable().IsZero())
		_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c1"})
		require.ErrorIs(t, err, payment.ErrNotAllowed)
		require.Equal(t, payment.Refused, p.Next().Kind)
	})
}

// Staff releases the rest after a part was captured.
func TestDashboardVoidOfTheRest(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.PayPal} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind})
				p := s.authorized("order-1")
				_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c1", Amount: usd(30_00)})
				require.NoError(t, err)
				require.NoError(t, s.bank.DashboardVoid(p.ID))
				s.deliver()
				p = s.agree(p.ID)
				require.Equal(t, payment.StatusPartiallyCaptured, p.Status, dump(p))
				require.Equal(t, usd(70_00), p.Totals.Voided.Done, dump(p))
				require.True(t, p.Capturable().IsZero())
			})
		})
	}
}

// Staff voids while a capture of ours is on its way, and the other way round.
func TestDashboardVoidBesideOurCapture(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{AsyncDelay: time.Hour})
		p := s.authorized("order-1")
		s.bank.Script("capture", fake.Pending())
		_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c1"})
		require.NoError(t, err)
		require.NoError(t, s.bank.DashboardVoid(p.ID))
		s.clock.Add(2 * time.Hour)
		s.quiet(5)
		p = s.agree(p.ID)
		require.Equal(t, payment.StatusVoided, p.Status, dump(p))
		require.Equal(t, payment.StateDeclined, operations(p, payment.OpCapture)[0].State)
	})
	t.Run("capture there, void of ours on its way", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p := s.authorized("order-1")
			require.NoError(t, s.bank.DashboardCapture(p.ID, usd(40_00)))
			hooks := s.bank.TakeWebhooks()
			p, err := s.pay.Void(s.ctx, p.ID, payment.VoidParams{Key: "v1"})
			require.NoError(t, err)
			for _, w := range hooks {
				s.receive(s.bank, w)
			}
			s.quiet(2)
			p = s.agree(p.ID)
			require.Equal(t, usd(40_00), p.Totals.Captured.Done, dump(p))
			require.Equal(t, s.bank.Truth(p.ID).Sum(fake.MoveReleased), p.Totals.Voided.Done, "released is what was released, not what we asked for\n%s", dump(p))
		})
	})
}

// Staff captures as much in the dashboard as we asked for and have no answer
// to. Their capture is reported first and looks like ours; ours, reported
// later under its own name, shows that both were made.
func TestDashboardCaptureTakenForOurs(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Personality: fake.Adyen, AsyncDelay: time.Hour})
		p := s.authorized("order-1")
		s.bank.Script("capture", fake.ResetAfter())
		_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c1", Amount: usd(20_00)})
		require.NoError(t, err)
		require.NoError(t, s.bank.DashboardCapture(p.ID, usd(20_00)))
		s.deliver()
		s.clock.Add(2 * time.Hour)
		s.quiet(3)
		p = s.agree(p.ID)
		require.Equal(t, usd(40_00), p.Totals.Captured.Done, dump(p))
		require.Equal(t, usd(60_00), p.Capturable())
		captures := operations(p, payment.OpCapture)
		require.Len(t, captures, 2)
		require.NotEqual(t, captures[0].Ref, captures[1].Ref)
	})
}
