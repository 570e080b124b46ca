package fake_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

var ctx = context.Background()

// world is a fake and its clock.
type world struct {
	*fake.Provider
	t   *testing.T
	now time.Time
	mu  sync.Mutex
}

func open(t *testing.T, o fake.Options) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	o.Now = func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.now
	}
	w.Provider = fake.New(o)
	return w
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func usd(minor int64) money.Amount { return money.Of(minor, money.USD) }
func cny(minor int64) money.Amount { return money.Of(minor, money.CNY) }

func call(op, step string) payment.Call {
	return payment.Call{Step: step, Key: op + "-" + step, Operation: op, Payment: "pay-1", Reference: "order-1"}
}

func sale(op, step, ref string, amount money.Amount) payment.AuthorizeRequest {
	r := payment.AuthorizeRequest{Call: call(op, step), Amount: amount, Capture: true, Method: payment.Card(fake.TokenApproved)}
	r.Ref = ref
	return r
}

func hold(op, step, ref string, amount money.Amount) payment.AuthorizeRequest {
	r := sale(op, step, ref, amount)
	r.Capture = false
	return r
}

func (w *world) must(r payment.Result, err error) payment.Result {
	w.t.Helper()
	require.NoError(w.t, err)
	return r
}

// failed returns the error of a call that must fail with a kind.
func (w *world) failed(kind payment.ErrorKind, err error) *payment.CallError {
	w.t.Helper()
	var ce *payment.CallError
	require.ErrorAs(w.t, err, &ce)
	require.Equal(w.t, kind, ce.Kind, ce.Error())
	return ce
}

// events parses everything that waits.
func (w *world) events() []payment.Event {
	w.t.Helper()
	var all []payment.Event
	for _, h := range w.TakeWebhooks() {
		n, err := w.ParseWebhook(ctx, h)
		require.NoError(w.t, err)
		all = append(all, n.Events...)
	}
	return all
}

func (w *world) lookup(op, step, ref string, kind payment.OperationKind) (payment.Result, error) {
	r := payment.LookupRequest{Call: call(op, step), Kind: kind, StepRef: ref}
	r.Ref = ref
	return w.Lookup(ctx, r)
}

// stripeSale creates and confirms.
func (w *world) stripeSale(op string, amount money.Amount) payment.Result {
	w.t.Helper()
	c := w.must(w.Authorize(ctx, sale(op, "create", "", amount)))
	require.Equal(w.t, payment.ResultContinue, c.Status)
	return w.must(w.Authorize(ctx, sale(op, "confirm", c.Ref, amount)))
}

func TestStripeKeyExpires(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Personality: fake.Stripe})
	paid := w.stripeSale("op1", usd(1000))
	r := payment.RefundRequest{Call: call("op2", "refund"), Amount: usd(300)}
	r.Ref = paid.Ref
	first := w.must(w.Refund(ctx, r))
	w.advance(24*time.Hour - 1)
	require.Equal(t, first.Ref, w.must(w.Refund(ctx, r)).Ref, "within 24 hours it is the first answer")
	w.advance(1)
	require.NotEqual(t, first.Ref, w.must(w.Refund(ctx, r)).Ref, "after it the key acts again")
	require.Equal(t, usd(600), w.Truth("op1").Refunded())
	require.Equal(t, 3, w.Calls(r.Key))
}

func TestStripeSavesServerErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault fake.Fault
		truth money.Amount
	}{
		"after the work":  {fake.ErrorAfter(), usd(1000)},
		"before the work": {fake.ErrorSaved(), money.Amount{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, fake.Options{Personality: fake.Stripe})
			made := w.must(w.Authorize(ctx, sale("op1", "create", "", usd(1000))))
			w.Script("confirm", c.fault)
			for range 3 {
				_, err := w.Authorize(ctx, sale("op1", "confirm", made.Ref, usd(1000)))
				require.Equal(t, "http_500", w.failed(payment.KindUnknown, err).Code)
			}
			require.Equal(t, c.truth, w.Truth("op1").Collected())
			found := w.must(w.lookup("op1", "confirm", made.Ref, payment.OpAuthorize))
			if c.truth.IsPositive() {
				require.Equal(t, payment.ResultApproved, found.Status)
			} else {
				require.Equal(t, payment.ResultAbsent, found.Status, "the intent is there, the confirmation is not")
			}
		})
	}
}

func TestStripeKeyWithOtherParameters(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Personality: fake.Stripe})
	w.must(w.Authorize(ctx, sale("op1", "create", "", usd(1000))))
	_, err := w.Authorize(ctx, sale("op1", "create", "", usd(2000)))
	require.True(t, w.failed(payment.KindUnknown, err).KeyConflict)
}

func TestStripeDeclinedCanStillBePaid(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Personality: fake.Stripe})
	r := sale("op1", "create", "", usd(1000))
	ref := w.must(w.Authorize(ctx, r)).Ref
	r = sale("op1", "confirm", ref, usd(1000))
	r.Method = payment.Card(fake.TokenChallenge)
	asked := w.must(w.Authorize(ctx, r))
	require.Equal(t, payment.ActionChallenge, asked.Action.Kind)
	require.NoError(t, w.PayerFailsChallenge(ref))
	found := w.must(w.lookup("op1", "confirm", ref, payment.OpAuthorize))
	require.Equal(t, payment.ResultDeclined, found.Status)
	require.Equal(t, payment.ReasonAuthenticationFailed, found.Decline.Reason)
	require.True(t, found.Payable, "the client secret is out")
	require.NoError(t, w.PayerPays(ref), "and is used with another card")
	require.Equal(t, usd(1000), w.Truth("op1").Collected())
	require.Equal(t, fake.ByPayer, w.Truth("op1").Movements[0].By)
}

func TestStripeCancel(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Personality: fake.Stripe})
	ref := w.must(w.Authorize(ctx, hold("op1", "create", "", usd(1000)))).Ref
	w.must(w.Authorize(ctx, hold("op1", "confirm", ref, usd(1000))))
	f := payment.FenceRequest{Call: call("op1", "cancel")}
	_, err := w.Fence(ctx, f)
	w.failed(payment.KindNotSent, err) // by its id only
	f.Ref = ref
	require.Equal(t, payment.ResultApproved, w.must(w.Fence(ctx, f)).Status)
	require.Equal(t, usd(1000), w.Truth("op1").Sum(fake.MoveReleased))

	paid := w.stripeSale("op2", usd(500))
	f = payment.FenceRequest{Call: call("op2", "cancel")}
	f.Ref = paid.Ref
	no := w.must(w.Fence(ctx, f))
	require.Equal(t, payment.ResultDeclined, no.Status)
	require.Equal(t, payment.ResultApproved, no.Events[0].Status)
	require.Equal(t, "op2", no.Events[0].OperationID)
}

func TestStripeCaptureSums(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Personality: fake.Stripe})
	ref := w.must(w.Authorize(ctx, hold("op1", "create", "", usd(1000)))).Ref
	w.must(w.Authorize(ctx, hold("op1", "confirm", ref, usd(1000))))
	w.events()
	c := payment.CaptureRequest{Call: call("op2", "capture"), Amount: usd(300)}
	c.Ref = ref
	require.Empty(t, w.must(w.Capture(ctx, c)).Ref, "a capture has no object of its own")
	require.NoError(t, w.DashboardCapture(ref, usd(200)))
	all := w.events()
	require.Len(t, all, 2)
	require.True(t, all[1].Cumulative)
	require.Equal(t, usd(500), all[1].Amount)
	require.Equal(t, ref, all[1].Parent)
	l := payment.LookupRequest{Call: call("op2", "capture"), Kind: payment.OpCapture, Amount: usd(300), Before: usd(0)}
	l.Ref = ref
	require.Equal(t, usd(500), w.must(w.Lookup(ctx, l)).Amount)
	seen := w.must(w.lookup("op1", "confirm", ref, payment.OpAuthorize))
	require.Len(t, seen.Events, 1, "the dashboard's capture is a fact that nobody asked for")
}

func TestHoldExpires(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{})
	ref := w.must(w.Authorize(ctx, hold("op1", "pay", "", usd(1000)))).Ref
	w.events()
	w.advance(7 * 24 * time.Hour)
	c := payment.CaptureRequest{Call: call("op2", "capture"), Amount: usd(1000)}
	c.Ref = ref
	_, err := w.Capture(ctx, c)
	require.Equal(t, "authorization_ended", w.failed(payment.KindRejectedRequest, err).Code)
	require.Equal(t, payment.ResultExpired, w.events()[0].Status)
	require.Equal(t, fake.ByClock, w.Truth("op1").Movements[1].By)
}

func TestAdyenDecidesLater(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Personality: fake.Adyen, AsyncDelay: time.Minute})
	_, err := w.Authorize(ctx, sale("op0", "payments", "", usd(1000)))
	w.failed(payment.KindNotSent, err) // always a hold
	ref := w.must(w.Authorize(ctx, hold("op1", "payments", "", usd(1000)))).Ref
	_, err = w.lookup("op1", "payments", ref, payment.OpAuthorize)
	require.ErrorIs(t, err, payment.ErrUnsupported)
	w.events()

	try := func(op string, amount int64) payment.Result {
		c := payment.CaptureRequest{Call: call(op, "capture"), Amount: usd(amount)}
		c.Ref = ref
		return w.must(w.Capture(ctx, c))
	}
	w.Script("capture", fake.FailLater(payment.ReasonUnknown))
	refs := []string{try("op2", 100).Ref, try("op3", 400).Ref, try("op4", 5000).Ref}
	require.Empty(t, w.events(), "all three are received, none is decided")
	w.advance(time.Minute)
	want := []payment.ResultStatus{payment.ResultDeclined, payment.ResultApproved, payment.ResultDeclined}
	for i, e := range w.events() {
		require.Equal(t, want[i], e.Status)
		require.Equal(t, refs[i], e.Ref)
		require.Equal(t, ref, e.Parent)
	}
	require.Equal(t, usd(400), w.Truth("op1").Collected())
	require.NoError(t, w.CaptureFails(refs[1]), "the network rejects it days later")
	require.Equal(t, payment.ResultReversed, w.events()[0].Status)
	require.True(t, w.Truth("op1").Collected().IsZero())
}

func TestAdyenRedirectNeedsDetails(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Personality: fake.Adyen})
	r := hold("op1", "payments", "", usd(1000))
	r.Method = payment.Card(fake.TokenChallenge)
	ref := w.must(w.Authorize(ctx, r)).Ref
	require.NoError(t, w.PayerPays("op1"))
	require.Empty(t, w.Truth("op1").Movements, "without the details nothing is authorized")
	d := payment.ResumeRequest{Call: call("op1", "details"), Values: w.Return("op1")}
	d.Ref = ref
	require.Equal(t, payment.ResultApproved, w.must(w.Resume(ctx, d)).Status)
	require.Equal(t, payment.ResultApproved, w.must(w.Resume(ctx, d)).Status)
	require.Len(t, w.Truth("op1").Movements, 1)

	for act, reason := range map[string]payment.Reason{"cancel": payment.ReasonPayerCanceled, "fail": payment.ReasonAuthenticationFailed} {
		r := hold("op-"+act, "payments", "", usd(1000))
		r.Method = payment.Card(fake.TokenChallenge)
		ref := w.must(w.Authorize(ctx, r)).Ref
		if act == "cancel" {
			require.NoError(t, w.PayerCancels(ref))
		} else {
			require.NoError(t, w.PayerFailsChallenge(ref))
		}
		d := payment.ResumeRequest{Call: call("op-"+act, "details"), Values: w.Return(ref)}
		d.Ref = ref
		require.Equal(t, reason, w.must(w.Resume(ctx, d)).Decline.Reason)
	}
}

func TestAdyenTechnicalCancel(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Personality: fake.Adyen})
	w.Script("payments", fake.TimeoutAfter())
	r := hold("op1", "payments", "", usd(1000))
	_, err := w.Authorize(ctx, r)
	w.failed(payment.KindUnknown, err)
	w.events()
	f := payment.FenceRequest{Call: call("op1", "cancel"), TargetKey: r.Key}
	require.Equal(t, payment.ResultPending, w.must(w.Fence(ctx, f)).Status)
	said := w.events()
	require.Equal(t, payment.ResultCanceled, said[len(said)-1].Status)
	require.Equal(t, "op1", said[len(said)-1].OperationID)
	require.Equal(t, usd(1000), w.Truth("op1").Sum(fake.MoveReleased))

	// Of a payment that is not there success is false, which proves nothing.
	f = payment.FenceRequest{Call: call("op9", "cancel"), TargetKey: "nothing"}
	w.must(w.Fence(ctx, f))
	said = w.events()
	require.Equal(t, payment.ResultDeclined, said[0].Status)
	require.Equal(t, f.Key, said[0].StepKey)
	require.NotEqual(t, payment.OpAuthorize, said[0].Kind, "it must not read as a declined payment")
}

func TestAlipayHasNoTradeBeforeThePayer(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Personality: fake.Alipay})
	r := sale("op1", "pay", "", cny(1000))
	r.Method = payment.Using(payment.MethodAlipay)
	_, err := w.Authorize(ctx, r)
	w.failed(payment.KindNotSent, err) // no deadline
	r.Until = w.now.Add(30 * time.Minute)
	url := w.must(w.Authorize(ctx, r))
	require.Equal(t, url.Action.URL, w.must(w.Authorize(ctx, r)).Action.URL, "the same request is the same URL")
	require.Equal(t, payment.ResultAbsent, w.must(w.lookup("op1", "pay", "", payment.OpAuthorize)).Status)

	f := payment.FenceRequest{Call: call("op1", "close"), TargetKey: r.Key}
	require.Equal(t, payment.ResultPending, w.must(w.Fence(ctx, f)).Status, "nothing is closed by closing nothing")
	require.NoError(t, w.PayerPays("op1"), "so the payer can still pay")
	found := w.must(w.lookup("op1", "pay", "", payment.OpAuthorize))
	require.True(t, found.Captured)
	w.advance(time.Hour)
	f.Key += "2"
	require.Equal(t, payment.ResultDeclined, w.must(w.Fence(ctx, f)).Status)

	// The refund number: same amount is answered again, another is refused.
	q := payment.RefundRequest{Call: call("op2", "refund"), Amount: cny(100)}
	q.Ref = found.Ref
	one := w.must(w.Refund(ctx, q))
	w.advance(300 * 24 * time.Hour)
	require.Equal(t, one.Ref, w.must(w.Refund(ctx, q)).Ref)
	q.Amount = cny(200)
	_, err = w.Refund(ctx, q)
	require.True(t, w.failed(payment.KindUnknown, err).KeyConflict)
	w.advance(100 * 24 * time.Hour)
	q = payment.RefundRequest{Call: call("op3", "refund"), Amount: cny(100)}
	q.Data = map[string]string{"number": r.Key} // our number is as good as theirs
	_, err = w.Refund(ctx, q)
	require.Equal(t, "refund_window_over", w.failed(payment.KindRejectedRequest, err).Code)
}

func TestAlipayDeadline(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Personality: fake.Alipay})
	for _, started := range []bool{false, true} {
		op := fmt.Sprintf("op-%v", started)
		r := sale(op, "pay", "", cny(1000))
		r.Method, r.Until = payment.Using(payment.MethodAlipay), w.now.Add(30*time.Minute)
		w.must(w.Authorize(ctx, r))
		if started {
			require.NoError(t, w.PayerStarts(op))
			require.Equal(t, payment.ResultActionRequired, w.must(w.lookup(op, "pay", "", payment.OpAuthorize)).Status)
			require.NoError(t, w.PayerCancels(op))
		}
		w.advance(30 * time.Minute)
		require.Error(t, w.PayerPays(op))
		want := payment.ResultAbsent
		if started {
			want = payment.ResultExpired
		}
		require.Equal(t, want, w.must(w.lookup(op, "pay", "", payment.OpAuthorize)).Status)
	}
}

// order makes an approved PayPal-like order.
func (w *world) order(op string, r payment.AuthorizeRequest) string {
	w.t.Helper()
	r.Call, r.Method = call(op, "create"), payment.Using(payment.MethodPayPal)
	made := w.must(w.Authorize(ctx, r))
	require.Equal(w.t, payment.ResultActionRequired, made.Status)
	require.NoError(w.t, w.PayerPays(op))
	return made.Ref
}

func TestPayPal(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Personality: fake.PayPal})
	ref := w.order("op1", sale("", "", "", usd(1000)))
	require.Equal(t, payment.ResultContinue, w.must(w.lookup("op1", "create", ref, payment.OpAuthorize)).Status)
	_, err := w.lookup("op1", "create", "", payment.OpAuthorize)
	w.failed(payment.KindNotSent, err) // an order is read by its id
	require.Empty(t, w.Truth("op1").Movements, "without our step no money moves")

	r := sale("op1", "complete", ref, usd(1000))
	r.Method = payment.Using(payment.MethodPayPal)
	w.Script("complete", fake.Pending())
	require.Equal(t, payment.ResultPending, w.must(w.Authorize(ctx, r)).Status)
	now := w.must(w.Authorize(ctx, r))
	require.Equal(t, payment.ResultApproved, now.Status, "a replay shows the state as it is")
	require.NotEmpty(t, now.Data["capture"])
	w.advance(6 * time.Hour)
	_, err = w.Authorize(ctx, r)
	require.True(t, w.failed(payment.KindUnknown, err).KeyConflict, "the key is gone, the order is not captured twice")
	require.Equal(t, usd(1000), w.Truth("op1").Collected())

	q := payment.RefundRequest{Call: call("op2", "refund"), Amount: usd(400), CaptureRef: now.Data["capture"]}
	q.Ref = ref
	back := w.must(w.Refund(ctx, q))
	w.advance(45*24*time.Hour - time.Second)
	require.Equal(t, back.Ref, w.must(w.Refund(ctx, q)).Ref, "payments keep their keys 45 days")

	// A capture that is denied later.
	ref = w.order("op3", hold("", "", "", usd(1000)))
	r = hold("op3", "complete", ref, usd(1000))
	r.Method = payment.Using(payment.MethodPayPal)
	w.must(w.Authorize(ctx, r))
	w.Script("capture", fake.FailLater(payment.ReasonDeclined))
	c := payment.CaptureRequest{Call: call("op4", "capture"), Amount: usd(1000), Final: true}
	c.Ref = ref
	require.Equal(t, payment.ResultPending, w.must(w.Capture(ctx, c)).Status)
	require.Equal(t, payment.ResultDeclined, w.must(w.Capture(ctx, c)).Status)
	require.True(t, w.Truth("op3").Collected().IsZero())
}

func TestWeChatClose(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Personality: fake.WeChatPay})
	r := sale("op1", "prepay", "", cny(1000))
	r.Method = payment.Using(payment.MethodWeChatPayQR)
	code := w.must(w.Authorize(ctx, r))
	require.Equal(t, payment.ActionQR, code.Action.Kind)
	require.NoError(t, w.PayerStarts("op1"))
	f := payment.FenceRequest{Call: call("op1", "close"), TargetKey: r.Key}
	require.Equal(t, payment.ResultPending, w.must(w.Fence(ctx, f)).Status, "USERPAYING")
	require.NoError(t, w.PayerAbandons("op1"))
	w.Script("close", fake.TimeoutAfter())
	f.Key = "close-2"
	_, err := w.Fence(ctx, f)
	w.failed(payment.KindUnknown, err)
	require.Equal(t, payment.ResultCanceled, w.must(w.lookup("op1", "prepay", "", payment.OpAuthorize)).Status, "the close had arrived")
	require.Error(t, w.PayerPays("op1"))
	_, err = w.Authorize(ctx, r)
	require.Equal(t, "ORDER_CLOSED", w.failed(payment.KindUnknown, err).Code)

	r = sale("op2", "prepay", "", cny(1000))
	r.Method = payment.Using(payment.MethodWeChatPayQR)
	ref := w.must(w.Authorize(ctx, r)).Ref
	require.NoError(t, w.PayerPays("op2"))
	_, err = w.Authorize(ctx, r)
	require.Equal(t, "ORDERPAID", w.failed(payment.KindUnknown, err).Code)
	q := payment.RefundRequest{Call: call("op3", "refund"), Amount: cny(1000)}
	q.Ref = ref
	require.Equal(t, payment.ResultPending, w.must(w.Refund(ctx, q)).Status)
	require.Equal(t, payment.ResultApproved, w.must(w.lookup("op3", "refund", "", payment.OpRefund)).Status)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  fake.Fault
		kind   payment.ErrorKind
		worked bool
		calls  int
	}{
		"not sent":          {fake.NotSent(), payment.KindNotSent, false, 0},
		"rejected merchant": {fake.RejectedMerchant(), payment.KindRejectedMerchant, false, 1},
		"rejected request":  {fake.RejectedRequest(), payment.KindRejectedRequest, false, 1},
		"key busy":          {fake.KeyBusy(), payment.KindUnknown, false, 1},
		"timeout before":    {fake.TimeoutBefore(), payment.KindUnknown, false, 1},
		"timeout after":     {fake.TimeoutAfter(), payment.KindUnknown, true, 1},
		"reset before":      {fake.ResetBefore(), payment.KindUnknown, false, 1},
		"reset after":       {fake.ResetAfter(), payment.KindUnknown, true, 1},
		"error before":      {fake.ErrorBefore(), payment.KindUnknown, false, 1},
		"error after":       {fake.ErrorAfter(), payment.KindUnknown, true, 1},
		"garbage":           {fake.Garbage(), payment.KindUnknown, true, 1},
		"hang":              {fake.Hang(), payment.KindUnknown, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, fake.Options{})
			w.Script("pay", c.fault)
			r := sale("op1", "pay", "", usd(1000))
			_, err := w.Authorize(ctx, r)
			w.failed(c.kind, err)
			require.Equal(t, c.worked, w.Truth("op1").Collected().IsPositive())
			require.Equal(t, c.calls, w.Calls(r.Key))
			// The replay brings it home, once.
			require.Equal(t, payment.ResultApproved, w.must(w.Authorize(ctx, r)).Status)
			require.Equal(t, usd(1000), w.Truth("pay-1").Collected())
			require.Len(t, w.Truth("pay-1").Collections(), 1)
		})
	}
}

func TestPanicIsScripted(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{})
	w.Script(fake.Any, fake.Panic(), fake.OK())
	require.Panics(t, func() { _, _ = w.Authorize(ctx, sale("op1", "pay", "", usd(1000))) })
	w.must(w.Authorize(ctx, sale("op1", "pay", "", usd(1000))))
}

func TestLateWork(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{})
	w.Script("pay", fake.Late(30*time.Second))
	_, err := w.Authorize(ctx, sale("op1", "pay", "", usd(1000)))
	w.failed(payment.KindUnknown, err)
	require.Equal(t, payment.ResultAbsent, w.must(w.lookup("op1", "pay", "", payment.OpAuthorize)).Status)
	w.advance(30 * time.Second)
	require.Equal(t, payment.ResultApproved, w.must(w.lookup("op1", "pay", "", payment.OpAuthorize)).Status)
}

func TestLookupLag(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{LookupLag: 10 * time.Second})
	ref := w.must(w.Authorize(ctx, sale("op1", "pay", "", usd(1000)))).Ref
	require.Equal(t, payment.ResultAbsent, w.must(w.lookup("op1", "pay", "", payment.OpAuthorize)).Status)
	require.Equal(t, payment.ResultApproved, w.must(w.lookup("op1", "pay", ref, payment.OpAuthorize)).Status, "an id is never late")
	w.advance(10 * time.Second)
	require.Equal(t, payment.ResultApproved, w.must(w.lookup("op1", "pay", "", payment.OpAuthorize)).Status)
}

func TestLookupFaultsAreErrors(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{})
	w.Script("lookup", fake.ErrorBefore(), fake.NotSent(), fake.Garbage())
	for _, kind := range []payment.ErrorKind{payment.KindUnknown, payment.KindNotSent, payment.KindUnknown} {
		_, err := w.lookup("op1", "pay", "", payment.OpAuthorize)
		w.failed(kind, err)
	}
}

// The draws depend on seed and key, not on the order in which goroutines come.
func TestOddsReplay(t *testing.T) {
	t.Parallel()
	run := func(seed uint64, parallel bool) map[string]string {
		p := fake.New(fake.Options{Seed: seed, Odds: []fake.Odd{
			{Fault: fake.Decline(payment.ReasonDoNotHonor), P: 0.2}, {Step: "pay", Fault: fake.TimeoutAfter(), P: 0.3}, {Step: "refund", Fault: fake.NotSent(), P: 1}}})
		out := make([]string, 200)
		var wg sync.WaitGroup
		one := func(i int) {
			r, err := p.Authorize(ctx, sale(fmt.Sprintf("op%d", i), "pay", "", usd(1000)))
			out[i] = fmt.Sprint(r.Status, err)
		}
		for i := range out {
			if parallel {
				wg.Go(func() { one(i) })
			} else {
				one(i)
			}
		}
		wg.Wait()
		m := make(map[string]string)
		count := make(map[string]int)
		for i, s := range out {
			m[fmt.Sprint(i)] = s
			count[s]++
		}
		require.Len(t, count, 3)
		for s, n := range count {
			require.Greater(t, n, 15, s)
		}
		return m
	}
	require.Equal(t, run(7, false), run(7, true))
	require.NotEqual(t, run(7, false), run(8, false))
}

func TestLateFacts(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{FeeBPS: 290})
	paid := w.must(w.Authorize(ctx, sale("op1", "pay", "", usd(1000))))
	q := payment.RefundRequest{Call: call("op2", "refund"), Amount: usd(400), CaptureRef: paid.Ref}
	q.Ref = paid.Ref
	back := w.must(w.Refund(ctx, q))
	w.events()

	require.NoError(t, w.RefundBounces(back.Ref))
	e := w.events()[0]
	require.Equal(t, payment.ResultReversed, e.Status)
	require.Equal(t, "op2", e.OperationID)
	require.True(t, w.Truth("op1").Refunded().IsZero())
	require.Error(t, w.RefundBounces(back.Ref), "it bounces once")

	require.NoError(t, w.DashboardRefund("op1", usd(100)))
	e = w.events()[0]
	require.Empty(t, e.OperationID, "nobody asked for it")
	require.Equal(t, paid.Ref, e.Parent)
	require.Error(t, w.DashboardRefund("op1", usd(901)))

	ref, err := w.OpenDispute("op1", usd(900), "fraudulent")
	require.NoError(t, err)
	require.Equal(t, payment.DisputeNeedsResponse, w.events()[0].Dispute.Status)
	answer := payment.RespondRequest{Call: call("op5", "respond"), DisputeRef: ref, Submit: true}
	w.must(w.Respond(ctx, answer))
	require.Equal(t, payment.DisputeUnderReview, w.events()[0].Dispute.Status)
	require.NoError(t, w.WinDispute(ref))
	require.Equal(t, payment.DisputeWon, w.events()[0].Dispute.Status)
	require.Error(t, w.LoseDispute(ref))

	require.Equal(t, usd(1000), w.Collected()[money.USD])
	var lines []payment.StatementLine
	require.NoError(t, w.Statement(ctx, w.now, w.now.Add(time.Hour), func(l payment.StatementLine) error {
		lines = append(lines, l)
		require.Equal(t, l.Gross.Minor(), l.Net.Minor()+l.Fee.Minor())
		return nil
	}))
	require.Len(t, lines, 6, "charge, refund, its return, refund, dispute, its return")
	require.Equal(t, usd(29), lines[0].Fee)
	stop := errors.New("enough")
	require.ErrorIs(t, w.Statement(ctx, w.now, w.now.Add(time.Hour), func(payment.StatementLine) error { return stop }), stop)

	require.NoError(t, w.CaptureFails("op1"))
	require.Equal(t, payment.ResultReversed, w.events()[0].Status)
	require.Zero(t, w.Collected()[money.USD].Minor())
}

func TestDashboardVoidAndEarlyExpiry(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{})
	w.must(w.Authorize(ctx, hold("op1", "pay", "", usd(1000))))
	w.must(w.Authorize(ctx, hold("op2", "pay", "", usd(1000))))
	w.events()
	require.NoError(t, w.DashboardVoid("op1"))
	void := w.events()
	require.Len(t, void, 1)
	require.Equal(t, payment.OpVoid, void[0].Kind)
	require.Equal(t, usd(1000), void[0].Amount)
	require.Equal(t, payment.ResultCanceled, w.must(w.lookup("op1", "pay", "", payment.OpAuthorize)).Status)
	require.NoError(t, w.AuthorizationExpires("op2"))
	require.Equal(t, payment.ResultExpired, w.events()[0].Status)
	require.Error(t, w.DashboardVoid("op2"))
	require.ErrorContains(t, w.PayerPays("nobody"), "knows nothing of that name")
}

// What staff make in the dashboard carries no id of ours, only its parent's: the
// provider made it. Where the provider notifies about our own object instead,
// what we put on that is there.
func TestDashboardCarriesNoIDsOfOurs(t *testing.T) {
	t.Parallel()
	for _, k := range fake.Personalities() {
		for _, held := range []bool{true, false} {
			w := open(t, fake.Options{Personality: k})
			method, mc := payment.Method(""), payment.MethodCapabilities{}
			for m, c := range w.Capabilities().Methods {
				method, mc = m, c
			}
			if held && !mc.Hold || !held && !mc.Sale {
				continue
			}
			c := money.USD
			if len(mc.Currencies) == 1 {
				c = mc.Currencies[0]
			}
			ref := ""
			for _, s := range mc.Flow {
				r := hold("op1", s.Name, ref, money.Of(1000, c))
				r.Capture, r.Method.Method, r.Until = !held, method, w.now.Add(time.Hour)
				res := w.must(w.Authorize(ctx, r))
				if ref = res.Ref; res.Status == payment.ResultActionRequired {
					require.NoError(t, w.PayerPays("op1"))
				}
				if res.Status == payment.ResultApproved {
					break
				}
			}
			if paid := w.events(); len(paid) > 0 {
				require.Equal(t, "op1", paid[len(paid)-1].OperationID, "ours carries ours at %s", k)
				ref = paid[len(paid)-1].Ref
			}
			strange := func(what string, err error, kind payment.OperationKind) {
				require.NoError(t, err)
				for _, e := range w.events() {
					require.Equal(t, kind, e.Kind, "%s at %s", what, k)
					require.Empty(t, e.OperationID+e.StepKey, "%s at %s", what, k)
					require.Equal(t, ref, e.Parent, "%s at %s", what, k)
					require.Equal(t, k == fake.Stripe && kind == payment.OpCapture, e.Ref == "", "%s at %s", what, k)
				}
			}
			if held {
				strange("a capture", w.DashboardCapture("op1", money.Of(400, c)), payment.OpCapture)
			}
			strange("a refund", w.DashboardRefund("op1", money.Of(100, c)), payment.OpRefund)
			switch {
			case !held:
			case k == fake.Stripe, k == fake.PayPal: // our intent, our authorization
				require.NoError(t, w.DashboardVoid("op1"))
				told := w.events()
				if k == fake.Stripe { // an intent is told as it is: what was captured came first
					require.Equal(t, payment.OpCapture, told[0].Kind)
					require.True(t, told[0].Cumulative)
					require.Equal(t, int64(400), told[0].Amount.Minor())
					told = told[1:]
				}
				e := told[0]
				require.Equal(t, payment.OpAuthorize, e.Kind)
				require.Equal(t, payment.ResultCanceled, e.Status)
				require.Equal(t, [2]string{"op1", ref}, [2]string{e.OperationID, e.Ref})
				require.Empty(t, e.StepKey)
			default:
				strange("a void", w.DashboardVoid("op1"), payment.OpVoid)
			}
		}
	}
}

func TestVault(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{})
	s := payment.SaveRequest{Call: call("m1", "save"), Method: payment.Card(fake.TokenChallenge), Customer: "c1"}
	asked := w.must(w.Save(ctx, s))
	require.Equal(t, payment.ResultActionRequired, asked.Status)
	require.NotNil(t, asked.Action)
	require.NoError(t, w.PayerPays("m1"))
	done := w.must(w.lookup("m1", "save", asked.Ref, payment.OpSave))
	require.False(t, done.Token.IsZero())
	require.Equal(t, done.Token.Reveal(), w.events()[0].Token.Reveal())

	r := hold("op1", "pay", "", usd(100))
	r.Method, r.OffSession = payment.Card(done.Token.Reveal()), true
	require.Equal(t, payment.ResultApproved, w.must(w.Authorize(ctx, r)).Status)
	f := payment.ForgetRequest{Call: call("m1", "forget"), Token: done.Token}
	w.must(w.Forget(ctx, f))
	r.Call = call("op2", "pay")
	require.Equal(t, payment.ReasonInvalidToken, w.must(w.Authorize(ctx, r)).Decline.Reason)

	r = hold("op3", "pay", "", usd(100))
	r.Method, r.OffSession = payment.Card(fake.TokenChallenge), true
	require.Equal(t, payment.ReasonAuthenticationRequired, w.must(w.Authorize(ctx, r)).Decline.Reason, "nobody is there to authenticate")

	r = hold("op4", "pay", "", usd(100))
	r.Save = true
	require.False(t, w.must(w.Authorize(ctx, r)).Token.IsZero())
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{})
	w.must(w.Authorize(ctx, sale("op1", "pay", "", usd(1000))))
	r := payment.TransferRequest{Call: call("op2", "transfer"), Amount: usd(800), Destination: "acct_7"}
	require.Equal(t, payment.ResultApproved, w.must(w.Transfer(ctx, r)).Status)
	r.Call = call("op3", "transfer")
	require.Equal(t, payment.ReasonMerchantBalance, w.must(w.Transfer(ctx, r)).Decline.Reason)
	require.Equal(t, usd(800), w.Truth("op2").Sum(fake.MoveTransferred))
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{WebhookSecrets: []string{"new", "old"}})
	w.must(w.Authorize(ctx, sale("op1", "pay", "", usd(1000))))
	hook := w.TakeWebhooks()[0]
	require.Empty(t, w.TakeWebhooks(), "taken is taken")
	first, err := w.ParseWebhook(ctx, hook)
	require.NoError(t, err)
	again, err := w.ParseWebhook(ctx, hook)
	require.NoError(t, err)
	require.Equal(t, first, again)

	w.advance(time.Hour)
	hook.Now = w.now
	_, err = w.ParseWebhook(ctx, hook)
	var we *payment.WebhookError
	require.ErrorAs(t, err, &we)
	require.Equal(t, payment.WebhookStale, we.Reason)
	_, err = w.ParseWebhook(ctx, w.Resign(hook, w.now))
	require.NoError(t, err, "a retry of the provider is signed anew")

	old := open(t, fake.Options{WebhookSecrets: []string{"old"}})
	h := old.Sign(hook.Body, w.now)
	h.Now = w.now
	_, err = w.ParseWebhook(ctx, h)
	require.NoError(t, err, "the secret before the rotation still counts")

	other := open(t, fake.Options{Name: "other", WebhookSecrets: []string{"new"}})
	other.advance(time.Hour)
	n, err := other.ParseWebhook(ctx, other.Sign(hook.Body, w.now))
	require.NoError(t, err)
	require.Empty(t, n.Events, "another account's facts are none of ours")
}

func TestWebhooksArePushed(t *testing.T) {
	t.Parallel()
	var got []payment.Webhook
	w := open(t, fake.Options{Webhooks: func(h payment.Webhook) { got = append(got, h) }})
	w.must(w.Authorize(ctx, sale("op1", "pay", "", usd(1000))))
	require.Len(t, got, 1)
	silent := open(t, fake.Options{NoWebhooks: true})
	silent.must(silent.Authorize(ctx, sale("op1", "pay", "", usd(1000))))
	require.Empty(t, silent.TakeWebhooks())
	require.False(t, silent.Capabilities().Webhooks)
}

func TestNarrowHasOnlyWhatItCan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		k                                                  fake.Personality
		capture, resume, lookup, fence, vault, split, disp bool
	}{
		{fake.Plain, true, false, true, true, true, true, true},
		{fake.Stripe, true, false, true, true, true, true, true},
		{fake.Adyen, true, true, false, true, true, true, true},
		{fake.Alipay, false, false, true, true, false, false, false},
		{fake.PayPal, true, false, true, false, false, false, true},
		{fake.WeChatPay, false, false, true, true, false, false, false},
	} {
		p := fake.New(fake.Options{Personality: c.k}).Narrow()
		has := func(ok bool, want bool, what string) { require.Equal(t, want, ok, "%s %s", c.k, what) }
		_, ok := p.(payment.Capturer)
		has(ok, c.capture, "Capturer")
		_, ok = p.(payment.Resumer)
		has(ok, c.resume, "Resumer")
		_, ok = p.(payment.Lookuper)
		has(ok, c.lookup, "Lookuper")
		_, ok = p.(payment.Fencer)
		has(ok, c.fence, "Fencer")
		_, ok = p.(payment.Vault)
		has(ok, c.vault, "Vault")
		_, ok = p.(payment.Splitter)
		has(ok, c.split, "Splitter")
		_, ok = p.(payment.Disputer)
		has(ok, c.disp, "Disputer")
	}
}

func TestSlowAndHang(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{Wait: func(ctx context.Context, d time.Duration) error {
		if d > time.Second {
			return context.DeadlineExceeded
		}
		return nil
	}})
	w.Script("pay", fake.Slow(time.Second), fake.Slow(time.Minute))
	w.must(w.Authorize(ctx, sale("op1", "pay", "", usd(1000))))
	_, err := w.Authorize(ctx, sale("op2", "pay", "", usd(1000)))
	w.failed(payment.KindUnknown, err)
	require.True(t, w.Truth("op2").Collected().IsPositive(), "slow is not undone")

	w.Script("pay", fake.Hang())
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, err = w.Authorize(short, sale("op3", "pay", "", usd(1000)))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestTruthNamesSecondCollections(t *testing.T) {
	t.Parallel()
	w := open(t, fake.Options{})
	w.must(w.Authorize(ctx, sale("op1", "pay", "", usd(1000))))
	w.must(w.Authorize(ctx, sale("op2", "pay", "", usd(1000))))
	require.Len(t, w.Truth("op1").Collections(), 1)
	require.Len(t, w.Truth("pay-1").Collections(), 2)
	m := w.Truth("op2").Movements[0]
	require.Equal(t, fake.Movement{Kind: fake.MoveCaptured, By: fake.ByShop, Amount: usd(1000), At: w.now,
		Object: m.Object, Operation: "op2", Payment: "pay-1", Key: "op2-pay"}, m)
}

func TestUnknownPersonalityPanics(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { fake.New(fake.Options{Personality: "acme"}) })
}
