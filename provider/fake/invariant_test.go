package fake_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

// Whatever is asked of it, and whatever goes wrong, the bank's own books stay
// possible: no more is captured or released than was held, no more refunded
// than captured, and every look-up of a sale agrees with the truth.
func TestBooksStayPossible(t *testing.T) {
	t.Parallel()
	for _, k := range fake.Personalities() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) { storm(rt, k) })
		})
	}
}

// faultsOf are all that a storm may bring, panics apart.
var faultsOf = []fake.Fault{fake.OK(), fake.OK(), fake.OK(), fake.Decline(payment.ReasonDoNotHonor), fake.Challenge(), fake.Pending(),
	fake.FailLater(payment.ReasonUnknown), fake.NotSent(), fake.RejectedMerchant(), fake.RejectedRequest(), fake.KeyBusy(),
	fake.TimeoutBefore(), fake.TimeoutAfter(), fake.Late(30 * time.Second), fake.ResetAfter(), fake.ErrorSaved(), fake.ErrorAfter(), fake.Garbage()}

func storm(rt *rapid.T, k fake.Personality) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := fake.New(fake.Options{Personality: k, Now: func() time.Time { return now }, AsyncDelay: time.Minute})
	caps := p.Capabilities()
	var m payment.MethodCapabilities
	var method payment.Method
	for method, m = range caps.Methods { // each has one
	}
	cur := money.USD
	if k == fake.Alipay || k == fake.WeChatPay {
		cur = money.CNY
	}
	type made struct {
		op, ref string
		data    map[string]string
	}
	var ops []made
	pick := func() made { return ops[rapid.IntRange(0, len(ops)-1).Draw(rt, "which")] }
	amount := func() money.Amount { return money.Of(rapid.Int64Range(1, 1500).Draw(rt, "amount"), cur) }
	id := 0
	call := func(step string, o made) payment.Call {
		// A key is sometimes used again, as a replay or as a mistake.
		n := id
		if n > 0 && rapid.IntRange(0, 4).Draw(rt, "old key") == 0 {
			n--
		} else {
			id++
		}
		return payment.Call{Step: step, Key: fmt.Sprintf("k%d", n), Operation: fmt.Sprintf("o%d", n), Payment: "p", Ref: o.ref, Data: o.data}
	}
	begin := func() {
		c := call(m.Flow[0].Name, made{})
		r := payment.AuthorizeRequest{Call: c, Amount: money.Of(1000, cur), Capture: !m.Hold || (m.Sale && rapid.Bool().Draw(rt, "sale")),
			Method: payment.Using(method), Until: now.Add(30 * time.Minute)}
		res, _ := p.Authorize(ctx, r)
		o := made{c.Operation, res.Ref, res.Data}
		if res.Ref == "" {
			o.ref = "x"
		}
		if len(m.Flow) > 1 && k == fake.Stripe && res.Status == payment.ResultContinue {
			r.Call, r.Ref = call(m.Flow[1].Name, o), res.Ref
			_, _ = p.Authorize(ctx, r)
		}
		if k == fake.PayPal && res.Ref != "" && p.PayerPays(res.Ref) == nil {
			r.Call = call("complete", o)
			if done, err := p.Authorize(ctx, r); err == nil {
				o.data = done.Data
			}
		}
		ops = append(ops, o)
	}
	begin()
	for range rapid.IntRange(1, 40).Draw(rt, "steps") {
		p.Script(fake.Any, rapid.SampledFrom(faultsOf).Draw(rt, "fault"))
		switch o := pick(); rapid.IntRange(0, 13).Draw(rt, "act") {
		case 0:
			begin()
		case 1:
			_, _ = p.Capture(ctx, payment.CaptureRequest{Call: call("capture", o), Amount: amount(), Final: rapid.Bool().Draw(rt, "final")})
		case 2:
			_, _ = p.Void(ctx, payment.VoidRequest{Call: call("void", o)})
		case 3, 4:
			_, _ = p.Refund(ctx, payment.RefundRequest{Call: call("refund", o), Amount: amount(), CaptureRef: o.ref})
		case 5:
			_, _ = p.Fence(ctx, payment.FenceRequest{Call: call(m.FenceStep.Name, o)})
		case 6:
			_ = p.PayerPays(o.op)
		case 7:
			_ = p.DashboardRefund(o.op, amount())
		case 8:
			_ = p.DashboardCapture(o.op, amount())
		case 9:
			_ = p.DashboardVoid(o.op)
		case 10:
			_ = p.CaptureFails(o.op)
		case 11:
			_ = p.RefundBounces(o.op)
		case 12:
			now = now.Add(time.Duration(rapid.IntRange(1, 100).Draw(rt, "minutes")) * time.Minute)
			p.Tick()
		case 13:
			now = now.Add(time.Duration(rapid.IntRange(1, 20).Draw(rt, "days")) * 24 * time.Hour)
		}
		p.ClearScript()
		possible(rt, p)
	}
	now = now.Add(time.Hour)
	p.Tick()
	possible(rt, p)
	for _, w := range p.TakeWebhooks() {
		_, err := p.ParseWebhook(ctx, w)
		require.NoError(rt, err)
	}
}

// possible checks each attempt's movements in their order.
func possible(rt *rapid.T, p *fake.Provider) {
	type sums struct{ held, captured, refunded int64 }
	all := make(map[string]*sums)
	for _, m := range p.Movements() {
		s := all[m.Object]
		if s == nil {
			s = &sums{}
			all[m.Object] = s
		}
		minor := m.Amount.Minor()
		require.Positive(rt, minor, "%+v", m)
		switch m.Kind {
		case fake.MoveAuthorized:
			require.Zero(rt, s.held, "held twice: %+v", m)
			s.held = minor
		case fake.MoveReleased:
			s.held -= minor
			require.GreaterOrEqual(rt, s.held, int64(0), "released more than was held: %+v", m)
		case fake.MoveCaptured:
			if s.held > 0 {
				s.held -= minor
				require.GreaterOrEqual(rt, s.held, int64(0), "captured more than was held: %+v", m)
			} else {
				require.Zero(rt, s.captured, "collected twice: %+v", m)
			}
			s.captured += minor
		case fake.MoveRefunded:
			s.refunded += minor
			require.LessOrEqual(rt, s.refunded, s.captured, "refunded more than was captured: %+v", m)
		case fake.MoveRefundFailed:
			s.refunded -= minor
			require.GreaterOrEqual(rt, s.refunded, int64(0))
		case fake.MoveCaptureFailed:
			s.captured -= minor // also of what was refunded meanwhile: the shop's loss
			require.GreaterOrEqual(rt, s.captured, int64(0))
		}
	}
}

// A body that is signed and hostile is refused or says nothing; it never
// panics.
func FuzzParseWebhook(f *testing.F) {
	p := fake.New(fake.Options{})
	f.Add([]byte(`{"id":"e","account":"fake","kind":"authorize","status":"approved","minor":1,"currency":"USD","at":1}`))
	f.Add([]byte(`{"id":"e","account":"fake","kind":"dispute","dispute":null}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, body []byte) {
		w := p.Sign(body, time.Now())
		n, err := p.ParseWebhook(ctx, w)
		if err != nil {
			var we *payment.WebhookError
			require.ErrorAs(t, err, &we)
			require.Empty(t, n.Events)
		}
	})
}
