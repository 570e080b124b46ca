package endtoend

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/sandbox"
)

// learnt runs a scenario on every store, once with notifications and once where
// the shop only asks.
func learnt(t *testing.T, scenario func(t *testing.T, o options)) {
	t.Helper()
	for _, store := range stores {
		for _, hooks := range []bool{true, false} {
			how := "asking"
			if hooks {
				how = "notified"
			}
			t.Run(store+"/"+how, func(t *testing.T) {
				t.Parallel()
				scenario(t, options{store: store, hooks: hooks})
			})
		}
	}
}

// Staff refund in the dashboard before, between and after our own refunds, of
// equal and of other amounts: every one is counted, and none twice.
func TestDashboardRefunds(t *testing.T) {
	t.Parallel()
	const staff, ours = "staff", "ours"
	for _, order := range [][]string{{staff}, {staff, ours, ours}, {ours, staff, ours}, {ours, ours, staff}, {staff, ours, staff, ours, staff}} {
		for _, amount := range []int64{5_00, 15_00} { // ours are of 15.00
			for _, held := range []bool{false, true} {
				t.Run(fmt.Sprint(order, amount, " held=", held), func(t *testing.T) {
					t.Parallel()
					learnt(t, func(t *testing.T, o options) {
						s := open(t, o)
						p := s.paid(held)
						intent := s.intent(p.Reference)
						for i, who := range order {
							var err error
							if who == staff {
								_, err = s.bank.Stripe.RefundFromDashboard(intent, amount)
							} else {
								_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: fmt.Sprint("refund-", i), Amount: usd(15_00)})
							}
							require.NoError(t, err)
							if i%2 == 0 { // some are heard of at once, some only in the end
								s.deliver()
							}
						}
						p = s.heard(o, p.ID)
						s.agrees(p)
						require.Equal(t, payment.StatusPartiallyRefunded, p.Status)
						left := whole - s.truth(p.Reference).refunded
						require.Equal(t, usd(left), p.Refundable())

						// The rest, and not a cent more, can be given back.
						_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "too-much", Amount: usd(left + 1)})
						require.Error(t, err)
						_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "rest"})
						require.NoError(t, err)
						p = s.settle(p.ID)
						s.agrees(p)
						require.Equal(t, payment.StatusRefunded, p.Status)
						require.EqualValues(t, whole, s.truth(p.Reference).refunded)
					})
				})
			}
		}
	}
}

// Our refund of the rest, planned before we hear that staff has refunded a part:
// Stripe refuses it, and nothing is given back twice.
func TestDashboardRefundUnheard(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		s := open(t, options{store: store})
		p := s.paid(false)
		_, err := s.bank.Stripe.RefundFromDashboard(s.intent(p.Reference), 40_00)
		require.NoError(t, err)
		_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "all"})
		require.NoError(t, err)
		s.settle(p.ID)
		p = s.sync(p.ID)
		s.agrees(p)
		require.EqualValues(t, 40_00, s.truth(p.Reference).refunded)
		require.Equal(t, usd(60_00), p.Refundable())
	}
}

// Staff capture or cancel a hold in the dashboard, with and without an act of
// ours that comes too late.
func TestDashboardCapture(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		staff  func(s *shop, intent string) error
		ours   func(s *shop, id string) error // nil: none
		taken  int64
		status payment.Status
	}{
		{"whole", func(s *shop, id string) error { return s.bank.Stripe.CaptureFromDashboard(id, 0) }, nil, whole, payment.StatusCaptured},
		{"part", func(s *shop, id string) error { return s.bank.Stripe.CaptureFromDashboard(id, 40_00) }, nil, 40_00, payment.StatusPartiallyCaptured},
		{"cancel", func(s *shop, id string) error { return s.bank.Stripe.CancelFromDashboard(id) }, nil, 0, payment.StatusVoided},
		{"whole, then ours", func(s *shop, id string) error { return s.bank.Stripe.CaptureFromDashboard(id, 0) }, captureOf(whole), whole, payment.StatusCaptured},
		{"part, then ours of the same", func(s *shop, id string) error { return s.bank.Stripe.CaptureFromDashboard(id, 40_00) }, captureOf(40_00), 40_00, payment.StatusPartiallyCaptured},
		{"part, then ours of more", func(s *shop, id string) error { return s.bank.Stripe.CaptureFromDashboard(id, 40_00) }, captureOf(60_00), 40_00, payment.StatusPartiallyCaptured},
		{"cancel, then ours", func(s *shop, id string) error { return s.bank.Stripe.CancelFromDashboard(id) }, captureOf(whole), 0, payment.StatusVoided},
		{"whole, then our void", func(s *shop, id string) error { return s.bank.Stripe.CaptureFromDashboard(id, 0) }, func(s *shop, id string) error {
			_, err := s.pay.Void(s.ctx, id, payment.VoidParams{Key: "void"})
			return err
		}, whole, payment.StatusCaptured},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			learnt(t, func(t *testing.T, o options) {
				for i := range 4 {
					late := i%2 == 1 // the notification: before ours, or after
					o.multi = i > 1  // staff's capture is the last one all the same
					s := open(t, o)
					r := request("pay", "order-1")
					r.Capture = payment.CaptureManual
					p, err := s.pay.Pay(s.ctx, r)
					require.NoError(t, err)
					s.deliver()
					if late {
						require.NoError(t, s.bank.Deliver(sandbox.DeliveryRule{Mode: sandbox.DeliverHold}))
					}
					require.NoError(t, c.staff(s, s.intent("order-1")))
					s.deliver()
					if c.ours != nil {
						if err := c.ours(s, p.ID); o.hooks && !late { // heard of already
							require.Error(t, err)
						} else {
							require.NoError(t, err)
						}
					}
					s.bank.DeliverNormally()
					s.bank.ReleaseWebhooks(false)
					p = s.heard(o, p.ID)
					s.agrees(p)
					require.Equal(t, c.status, p.Status, dump(p))
					require.Equal(t, c.taken, s.truth("order-1").collected)
					require.True(t, p.Capturable().IsZero(), "nothing is held any more\n%s", dump(p))
					require.Equal(t, whole-c.taken, p.Totals.Voided.Done.Minor(), dump(p))
				}
			})
		})
	}
}

func captureOf(amount int64) func(s *shop, id string) error {
	return func(s *shop, id string) error {
		_, err := s.pay.Capture(s.ctx, id, payment.CaptureParams{Key: "capture", Amount: usd(amount)})
		return err
	}
}

// A refund that had succeeded comes back: the payer's account is closed. The
// money counts as the shop's again, the old key does not send it twice, and a
// new one can.
func TestRefundFailsLater(t *testing.T) {
	t.Parallel()
	for _, amount := range []int64{30_00, whole} {
		t.Run(usd(amount).String(), func(t *testing.T) {
			t.Parallel()
			learnt(t, func(t *testing.T, o options) {
				s := open(t, o)
				p := s.paid(false)
				ask := payment.RefundParams{Key: "refund", Amount: usd(amount)}
				_, err := s.pay.Refund(s.ctx, p.ID, ask)
				require.NoError(t, err)
				p = s.settle(p.ID)
				s.agrees(p)
				found, ok := s.bank.Stripe.Payment(s.intent(p.Reference))
				require.True(t, ok)
				require.NoError(t, s.bank.Stripe.FailRefund(found.Refunds[0].ID))
				s.bank.Advance(time.Hour)
				p = s.heard(o, p.ID)
				s.agrees(p)
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				require.Equal(t, usd(whole), p.Refundable())

				p, err = s.pay.Refund(s.ctx, p.ID, ask)
				require.NoError(t, err, "the same key tells what became of it")
				s.agrees(p)
				require.Zero(t, s.truth(p.Reference).refunded)
				ask.Key = "refund-again"
				_, err = s.pay.Refund(s.ctx, p.ID, ask)
				require.NoError(t, err)
				p = s.settle(p.ID)
				s.agrees(p)
				require.Equal(t, amount, s.truth(p.Reference).refunded)
			})
		})
	}
}

// One order is paid once, unless the shop says that a second payment is meant.
func TestAdditionalPayment(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := open(t, options{store: store, hooks: true})
			first := s.paid(false)
			_, err := s.pay.Pay(s.ctx, request("tab-2", first.Reference))
			require.ErrorIs(t, err, payment.ErrReferenceLive)
			more := request("more", first.Reference)
			more.Additional, more.Amount = true, usd(5_00)
			second, err := s.pay.Pay(s.ctx, more)
			require.NoError(t, err)
			require.Equal(t, payment.StatusCaptured, second.Status)
			_, err = s.pay.Pay(s.ctx, request("tab-3", first.Reference))
			require.ErrorIs(t, err, payment.ErrReferenceLive, "an additional payment frees nothing")
			require.Equal(t, truth{collected: whole + 5_00, charges: 2}, s.truth(first.Reference))

			// Staff refund the additional one; the first stays as it is.
			for _, found := range s.bank.Stripe.PaymentsWhere(map[string]string{"tender_payment": second.ID}) {
				_, err = s.bank.Stripe.RefundFromDashboard(found.ID, 5_00)
				require.NoError(t, err)
			}
			s.settle(second.ID)
			second, first = s.sync(second.ID), s.sync(first.ID)
			require.Equal(t, payment.StatusRefunded, second.Status)
			require.Equal(t, payment.StatusCaptured, first.Status)
			require.Nil(t, first.Parked)
			require.Nil(t, second.Parked)
			_, err = s.pay.Pay(s.ctx, request("tab-4", first.Reference))
			require.ErrorIs(t, err, payment.ErrReferenceLive)

			// The additional one may come first: what follows it still has to say so.
			more = request("early", "order-2")
			more.Additional = true
			_, err = s.pay.Pay(s.ctx, more)
			require.NoError(t, err)
			_, err = s.pay.Pay(s.ctx, request("late", "order-2"))
			require.ErrorIs(t, err, payment.ErrReferenceLive)
		})
	}
}
