package endtoend

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/sandbox"
)

const day = 24 * time.Hour

// The answer to one write is lost, before or after the work, and the shop is
// down: for a moment, for twenty minutes, for longer than Stripe keeps a key.
// When it is back, the money moved once or not at all, and the records say which.
func TestLongOutages(t *testing.T) {
	t.Parallel()
	for step, path := range map[string]string{
		"create": "/v1/payment_intents", "confirm": "/v1/payment_intents/*/confirm", "capture": "/v1/payment_intents/*/capture",
		"void": "/v1/payment_intents/*/cancel", "refund": "/v1/refunds",
	} {
		for _, done := range []bool{false, true} {
			for _, down := range []time.Duration{0, 20 * time.Minute, 30 * time.Hour} {
				for _, kind := range []sandbox.FaultKind{sandbox.FaultReset, sandbox.FaultError500} {
					for _, store := range stores {
						t.Run(fmt.Sprintf("%s done=%v %s down %s/%s", step, done, kind, down, store), func(t *testing.T) {
							t.Parallel()
							s := open(t, options{store: store})
							breaks := func() {
								_, err := s.bank.Fault(sandbox.Fault{Method: "POST", Path: path, Kind: kind, After: done})
								require.NoError(t, err)
							}
							r := request("pay", "order-1")
							if step == "capture" || step == "void" {
								r.Capture = payment.CaptureManual
							}
							if step == "create" || step == "confirm" {
								breaks()
							}
							p, err := s.pay.Pay(s.ctx, r)
							require.NoError(t, err, "an unknown outcome is a payment, not an error")
							breaks()
							switch step {
							case "capture":
								_, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "m", Amount: usd(whole)})
							case "void":
								_, err = s.pay.Void(s.ctx, p.ID, payment.VoidParams{Key: "m"})
							case "refund":
								_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "m", Amount: usd(30_00)})
							}
							require.NoError(t, err)
							s.bank.ClearFaults()
							s.bank.Advance(down)
							s.settle(p.ID)
							p = s.sync(p.ID)
							s.agrees(p)
							is := s.truth("order-1")
							require.LessOrEqual(t, is.refunded, int64(30_00))
							for _, o := range p.Operations {
								require.False(t, o.State.Outstanding(), "it ends\n%s", dump(p))
							}
							// Asked for once, it happened once; of what never arrived nothing
							// is sent after the key's life, since only a key makes that safe.
							if step == "refund" && (done || kind == sandbox.FaultReset && down < day) {
								require.EqualValues(t, 30_00, is.refunded)
							}
							if step == "refund" && is.refunded == 0 {
								require.Equal(t, usd(whole), p.Refundable(), "it can be asked for again")
							}
						})
					}
				}
			}
		}
	}
}
