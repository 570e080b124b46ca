package endtoend

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/sandbox"
)

// Staff capture a part in the dashboard, and the notification of it arrives
// while a capture of ours, which Stripe will refuse, is on its way.
func TestDashboardCaptureWhileOursIsOnItsWay(t *testing.T) {
	t.Parallel()
	for _, amount := range []int64{20_00, 40_00, 60_00, whole} {
		for _, store := range stores {
			t.Run(usd(amount).String()+"/"+store, func(t *testing.T) {
				t.Parallel()
				s := open(t, options{store: store, hooks: true})
				r := request("pay", "order-1")
				r.Capture = payment.CaptureManual
				p, err := s.pay.Pay(s.ctx, r)
				require.NoError(t, err)
				s.deliver()
				_, err = s.bank.Fault(sandbox.Fault{Method: "POST", Path: "/v1/payment_intents/*/capture", Kind: sandbox.FaultDelay, Delay: 400 * time.Millisecond})
				require.NoError(t, err)
				done := make(chan error, 1)
				go func() {
					_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "capture", Amount: usd(amount)})
					done <- err
				}()
				time.Sleep(100 * time.Millisecond) // ours is planned and sent
				require.NoError(t, s.bank.Stripe.CaptureFromDashboard(s.intent("order-1"), 40_00))
				s.deliver()
				require.NoError(t, <-done)
				p = s.settle(p.ID)
				t.Log("settled:", dump(p))
				p = s.sync(p.ID)
				t.Log("synced:", dump(p))
				s.agrees(p)
				require.Equal(t, payment.StatusPartiallyCaptured, p.Status)
			})
		}
	}
}
