package simulation

import (
	"context"
	"errors"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// bank is a provider. It outlives every process of the shop.
type bank struct {
	*fake.Provider
	kind fake.Personality
	// shown holds the operations whose payer was given what it takes to pay.
	shown map[string]bool
	delay time.Duration
}

// line is the wire between one process and one bank.
type line struct {
	w    *world
	proc *process
	bank *bank
}

// newLine returns a provider with exactly the interfaces the bank can serve.
func newLine(w *world, p *process, b *bank) payment.Provider {
	l := &line{w, p, b}
	switch b.kind {
	case fake.Adyen:
		return struct {
			payment.Provider
			payment.Capturer
			payment.Voider
			payment.Refunder
			payment.Resumer
			payment.Fencer
			payment.Vault
			payment.Disputer
			payment.Splitter
			payment.WebhookParser
		}{l, l, l, l, l, l, l, l, l, l}
	case fake.Alipay, fake.WeChatPay:
		return struct {
			payment.Provider
			payment.Refunder
			payment.Lookuper
			payment.Fencer
			payment.WebhookParser
		}{l, l, l, l, l}
	case fake.PayPal:
		return struct {
			payment.Provider
			payment.Capturer
			payment.Voider
			payment.Refunder
			payment.Lookuper
			payment.Disputer
			payment.WebhookParser
		}{l, l, l, l, l, l, l}
	}
	return struct {
		payment.Provider
		payment.Capturer
		payment.Voider
		payment.Refunder
		payment.Lookuper
		payment.Fencer
		payment.Vault
		payment.Disputer
		payment.Splitter
		payment.WebhookParser
	}{l, l, l, l, l, l, l, l, l, l}
}

// hanging is a context that ends while the call waits for an answer.
type hanging struct{ context.Context }

// Done is closed: the time is over as soon as anybody waits for it.
func (hanging) Done() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// timesOut reports whether the caller waits in vain for as long as it waits.
func timesOut(f fake.Fault) bool {
	switch f {
	case fake.TimeoutBefore(), fake.TimeoutAfter(), fake.Hang(), fake.Slow(time.Minute),
		fake.Late(7 * time.Second), fake.Late(50 * time.Second), fake.Late(80 * time.Second):
		return true
	}
	return false
}

var lates = map[fake.Fault]time.Duration{
	fake.Late(7 * time.Second): 7 * time.Second, fake.Late(50 * time.Second): 50 * time.Second, fake.Late(80 * time.Second): 80 * time.Second,
}

// send carries one request to the bank and its answer back.
func (l *line) send(c payment.Call, write bool, do func(ctx context.Context) (payment.Result, error)) (payment.Result, error) {
	w, b := l.w, l.bank
	if l.proc.dead {
		return payment.Result{}, errDead
	}
	at := placeRead
	if write {
		at = placeWrite
	}
	t := w.strike(at)
	if t.crash && !t.late {
		return payment.Result{}, errDead
	}
	f := t.fault
	if t.late {
		f = fake.Late(7 * time.Second)
	}
	ctx := context.Context(hanging{context.Background()})
	if f != fake.Hang() {
		ctx = context.Background()
	}
	if f != (fake.Fault{}) {
		b.Script(fake.Any, f)
	}
	if write {
		l.proc.sent++
		w.clock.remember(lates[f])
		w.clock.remember(b.delay)
	}
	res, err := do(ctx)
	if f != (fake.Fault{}) {
		b.ClearScript()
	}
	if w.telling {
		w.say("-> %s %s %s%s: %s", b.Name(), c.Step, tail(c.Key), when(!write, " (look-up)"), tellResult(res, err))
	}
	w.wrong(b, write, err)
	if l.proc.dead {
		return payment.Result{}, errDead
	}
	if timesOut(f) {
		w.clock.pass(callTimeout)
	} else {
		w.clock.pass(latency)
	}
	if write {
		if t := w.strike(placeAnswer); t.crash {
			return payment.Result{}, errDead
		}
	}
	if err == nil && res.Action != nil {
		b.shown[c.Operation] = true
	}
	return res, err
}

// neverSend are refusals that tell of a request no adapter should have got.
var neverSend = map[string]bool{
	"idempotency_key_reused": true, "key_reused": true, "parameter_mismatch": true, "currency_mismatch": true, "details_missing": true,
	"no_such_step": true, "method_not_supported": true, "currency_not_supported": true, "hold_not_supported": true,
	"sale_not_supported": true, "invalid_id": true, "unsupported": true, "no_deadline": true, "invalid_amount": true,
}

// wrong finds requests that the engine should not have made.
func (w *world) wrong(b *bank, write bool, err error) {
	var ce *payment.CallError
	if !errors.As(err, &ce) || ce == nil {
		return
	}
	if neverSend[ce.Code] || (write && ce.Code == "needs_id") {
		w.breach(RuleRequest, "%s refused %s with %s", b.Name(), ce.Step, ce.Code)
	}
}

func when(yes bool, s string) string {
	if yes {
		return s
	}
	return ""
}

// tail is the telling end of an id of ours.
func tail(id string) string {
	if len(id) > 24 {
		return id[24:]
	}
	return id
}

func (l *line) Name() string                       { return l.bank.Name() }
func (l *line) Capabilities() payment.Capabilities { return l.bank.Capabilities() }

// Authorize implements payment.Provider.
func (l *line) Authorize(_ context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	return l.send(r.Call, true, func(ctx context.Context) (payment.Result, error) { return l.bank.Authorize(ctx, r) })
}

// Capture implements payment.Capturer.
func (l *line) Capture(_ context.Context, r payment.CaptureRequest) (payment.Result, error) {
	return l.send(r.Call, true, func(ctx context.Context) (payment.Result, error) { return l.bank.Capture(ctx, r) })
}

// Void implements payment.Voider.
func (l *line) Void(_ context.Context, r payment.VoidRequest) (payment.Result, error) {
	return l.send(r.Call, true, func(ctx context.Context) (payment.Result, error) { return l.bank.Void(ctx, r) })
}

// Refund implements payment.Refunder.
func (l *line) Refund(_ context.Context, r payment.RefundRequest) (payment.Result, error) {
	return l.send(r.Call, true, func(ctx context.Context) (payment.Result, error) { return l.bank.Refund(ctx, r) })
}

// Resume implements payment.Resumer.
func (l *line) Resume(_ context.Context, r payment.ResumeRequest) (payment.Result, error) {
	return l.send(r.Call, true, func(ctx context.Context) (payment.Result, error) { return l.bank.Resume(ctx, r) })
}

// Lookup implements payment.Lookuper.
func (l *line) Lookup(_ context.Context, r payment.LookupRequest) (payment.Result, error) {
	return l.send(r.Call, false, func(ctx context.Context) (payment.Result, error) { return l.bank.Lookup(ctx, r) })
}

// Fence implements payment.Fencer.
func (l *line) Fence(_ context.Context, r payment.FenceRequest) (payment.Result, error) {
	return l.send(r.Call, true, func(ctx context.Context) (payment.Result, error) { return l.bank.Fence(ctx, r) })
}

// Save implements payment.Vault.
func (l *line) Save(_ context.Context, r payment.SaveRequest) (payment.Result, error) {
	return l.send(r.Call, true, func(ctx context.Context) (payment.Result, error) { return l.bank.Save(ctx, r) })
}

// Forget implements payment.Vault.
func (l *line) Forget(_ context.Context, r payment.ForgetRequest) (payment.Result, error) {
	return l.send(r.Call, true, func(ctx context.Context) (payment.Result, error) { return l.bank.Forget(ctx, r) })
}

// Respond implements payment.Disputer.
func (l *line) Respond(_ context.Context, r payment.RespondRequest) (payment.Result, error) {
	return l.send(r.Call, true, func(ctx context.Context) (payment.Result, error) { return l.bank.Respond(ctx, r) })
}

// Accept implements payment.Disputer.
func (l *line) Accept(_ context.Context, r payment.AcceptRequest) (payment.Result, error) {
	return l.send(r.Call, true, func(ctx context.Context) (payment.Result, error) { return l.bank.Accept(ctx, r) })
}

// Transfer implements payment.Splitter.
func (l *line) Transfer(_ context.Context, r payment.TransferRequest) (payment.Result, error) {
	return l.send(r.Call, true, func(ctx context.Context) (payment.Result, error) { return l.bank.Transfer(ctx, r) })
}

// ParseWebhook implements payment.WebhookParser. It is no request.
func (l *line) ParseWebhook(ctx context.Context, h payment.Webhook) (payment.Notification, error) {
	return l.bank.ParseWebhook(ctx, h)
}
