package providertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// Values that must appear in no error and in nothing that is stored in clear.
const (
	plantedName  = "Planted Q. Payer"
	plantedEmail = "planted.payer@example.test"
	plantedPhone = "+1-555-0100-777"
	plantedText  = "planted evidence text 9c1f"
)

var planted = []string{plantedName, plantedEmail, plantedPhone, plantedText}

// guarded makes a call with a net under it, and looks at what every call owes.
func (c *check) guarded(what string, secrets []string, call func() (payment.Result, error)) (r payment.Result, err error) {
	defer func() {
		if x := recover(); x != nil {
			c.aside("no-panic", "%s panicked: %v", what, x)
			err = fmt.Errorf("%s panicked: %v", what, x)
		}
	}()
	r, err = call()
	secrets = append(slices.Clone(planted), secrets...)
	if err != nil {
		var ce *payment.CallError
		if !errors.As(err, &ce) {
			c.aside("error-typed", "%s failed with %T: %v", what, err, err)
		} else if !slices.Contains([]payment.ErrorKind{payment.KindNotSent, payment.KindRejectedMerchant, payment.KindRejectedRequest, payment.KindUnknown}, ce.Kind) {
			c.aside("error-typed", "%s failed with kind %q, which is none", what, ce.Kind)
		}
		text := err.Error()
		for _, s := range secrets {
			if s != "" && strings.Contains(text, s) {
				c.aside("error-clean", "the error of %s holds a secret or personal value of the request (%d characters of it)", what, len(s))
			}
		}
		if strings.ContainsAny(text, "\r\n") {
			c.aside("error-clean", "the error of %s is not one line", what)
		}
		return r, err
	}
	c.sane(what, &r, secrets)
	return r, nil
}

// sane looks at what every Result owes.
func (c *check) sane(what string, r *payment.Result, secrets []string) {
	switch r.Status {
	case payment.ResultContinue, payment.ResultApproved, payment.ResultPending, payment.ResultCanceled, payment.ResultExpired,
		payment.ResultReversed:
	case payment.ResultAbsent:
		if !strings.HasPrefix(what, "Lookup") {
			c.aside("result-sane", "%s answered absent, which only a look-up may", what)
		}
	case payment.ResultActionRequired:
		if (r.Action == nil && !strings.HasPrefix(what, "Lookup")) || (r.Action != nil && r.Action.Kind == "") {
			c.aside("result-sane", "%s wants the payer to act and gives no Action", what)
		}
	case payment.ResultDeclined:
		if r.Decline.IsZero() && !strings.HasPrefix(what, "Fence") {
			c.aside("result-sane", "%s declined and gives no Decline", what)
		}
	default:
		c.aside("result-sane", "%s answered with status %q, which is none", what, r.Status)
	}
	if r.Status != payment.ResultDeclined && r.Status != payment.ResultReversed && !r.Decline.IsZero() {
		c.aside("result-sane", "%s is %s and carries a Decline", what, r.Status)
	}
	if a := r.Amount; a != (money.Amount{}) && c.m != nil && a.Currency() != c.amount.Currency() {
		c.aside("result-sane", "%s names an amount in %q for a payment in %q", what, a.Currency(), c.amount.Currency())
	}
	clear := []string{r.Ref, r.Decline.Message, r.Decline.Code}
	clear = append(clear, r.Refs...)
	for k, v := range r.Data {
		clear = append(clear, k, v)
	}
	for _, v := range clear {
		for _, s := range secrets {
			if s != "" && strings.Contains(v, s) {
				c.aside("result-clean", "the Result of %s, which is stored in clear, holds a secret or personal value of the request", what)
			}
		}
	}
}

// attempt is one authorize operation as the suite carries it out.
type attempt struct {
	op, payment string
	sale        bool
	amount      money.Amount
	instrument  payment.Instrument
	until       time.Time
	key         string // of the last step sent
	step        string
	since       time.Time
	ref         string
	data        map[string]string
	last        payment.Result
	final       payment.ResultStatus // "" while it is open
	approved    money.Amount         // the amount that the approval named
}

func (c *check) newAttempt(sale bool, i payment.Instrument) *attempt {
	a := &attempt{op: c.id(), sale: sale, amount: c.amount, instrument: i, since: c.now(), data: map[string]string{}}
	a.payment = a.op + "p"
	if c.mc.Fence == payment.FenceDeadline {
		a.until = c.now().Add(c.mc.PayableFor)
	}
	return a
}

// call fills in what every request about an attempt carries.
func (c *check) callOf(a *attempt, op, step, key string) payment.Call {
	return payment.Call{Step: step, Key: key, Operation: op, Payment: a.payment, Reference: "order-" + a.op,
		Ref: a.ref, Data: maps.Clone(a.data), Now: a.since}
}

// request is the authorize request of step i.
func (c *check) request(a *attempt, i int) payment.AuthorizeRequest {
	return payment.AuthorizeRequest{
		Call:   c.callOf(a, a.op, c.mc.Flow[i].Name, fmt.Sprintf("%ss%d", a.op, i+1)),
		Amount: a.amount, Capture: a.sale, Method: a.instrument,
		Payer:     payment.Payer{Name: plantedName, Email: plantedEmail, Phone: plantedPhone, Country: "US", Language: "en"},
		ReturnURL: "https://shop.example.test/return", Description: "conformance", Until: a.until,
	}
}

func (a *attempt) secrets() []string { return []string{a.instrument.Token.Reveal()} }

// send sends step i as it stands.
func (c *check) send(a *attempt, i int) (payment.Result, error) {
	r := c.request(a, i)
	a.key, a.step = r.Key, r.Step
	return c.guarded("Authorize "+r.Step, a.secrets(), func() (payment.Result, error) { return c.p.Authorize(c.ctx, r) })
}

// take remembers what an answer brought.
func (a *attempt) take(r payment.Result) {
	a.last = r
	if r.Ref != "" {
		a.ref = r.Ref
	}
	for k, v := range r.Data {
		a.data[k] = v
	}
	if r.Status == payment.ResultApproved && r.Amount.Currency() != "" {
		a.approved = r.Amount
	}
	switch r.Status {
	case payment.ResultContinue, payment.ResultActionRequired, payment.ResultPending, "":
	default:
		a.final = r.Status
	}
}

// mode picks sale or hold, hold first where it is wanted and there is one.
func (c *check) sale(wantHold bool) bool { return !c.mc.Hold || (c.mc.Sale && !wantHold) }

// pay carries an attempt to its end, the payer included.
func (c *check) pay(sale bool, i payment.Instrument) (*attempt, error) {
	a := c.newAttempt(sale, i)
	return a, c.carry(a, 0, false)
}

// begin carries an attempt to where the payer must act.
func (c *check) begin(sale bool, i payment.Instrument) (*attempt, error) {
	a := c.newAttempt(sale, i)
	return a, c.carry(a, 0, true)
}

// carry goes on from step i to the end, or with stop until the payer must act.
func (c *check) carry(a *attempt, i int, stop bool) error {
	for ; i < len(c.mc.Flow); i++ {
		r, err := c.send(a, i)
		if err != nil {
			return fmt.Errorf("step %s: %w", c.mc.Flow[i].Name, err)
		}
		a.take(r)
		if r.Status == payment.ResultActionRequired {
			if stop {
				return nil
			}
			values, err := c.payer(a)
			if err != nil {
				return err
			}
			resumed, err := c.resume(a, i, values)
			if err != nil {
				return err
			}
			if resumed {
				break
			}
		}
		if a.last.Status != payment.ResultContinue && a.final == "" {
			if err := c.outcome(a); err != nil {
				return err
			}
		}
		if a.last.Status != payment.ResultContinue {
			break
		}
	}
	if a.final == "" && !stop {
		return fmt.Errorf("the flow ended with status %q and no outcome", a.last.Status)
	}
	return nil
}

func (c *check) payer(a *attempt) (url.Values, error) {
	if c.rig.Pay == nil {
		return nil, fmt.Errorf("the payer must act, and the rig has no Pay: %w", errDeclared)
	}
	v, err := c.rig.Pay(Attempt{Operation: a.op, Payment: a.payment, Ref: a.ref, Method: a.instrument.Method, Action: a.last.Action})
	if err != nil {
		return nil, fmt.Errorf("the payer could not do what the Action asks: %w", err)
	}
	return v, nil
}

// resume sends the browser's values on where the provider wants them.
func (c *check) resume(a *attempt, i int, values url.Values) (bool, error) {
	p, ok := c.p.(payment.Resumer)
	if !ok || len(values) == 0 {
		return false, nil
	}
	step := "resume"
	if i+1 < len(c.mc.Flow) {
		step = c.mc.Flow[i+1].Name
	}
	r := payment.ResumeRequest{Call: c.callOf(a, a.op, step, a.op+"r"), Values: values, Amount: a.amount, Method: a.instrument}
	res, err := c.guarded("Resume", a.secrets(), func() (payment.Result, error) { return p.Resume(c.ctx, r) })
	var ce *payment.CallError
	if errors.As(err, &ce) && errors.Is(err, payment.ErrUnsupported) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("the resume: %w", err)
	}
	a.key, a.step = r.Key, step
	a.take(res)
	return true, nil
}

// patience is how often the suite looks for an outcome that comes later.
const patience = 20

// outcome learns what became of an open attempt, by notification or look-up.
func (c *check) outcome(a *attempt) error {
	for range patience {
		for _, e := range c.events() {
			if e.Kind != payment.OpAuthorize || !namesAttempt(&e, a) {
				continue
			}
			if e.Status != payment.ResultActionRequired && e.Status != payment.ResultPending {
				a.take(payment.Result{Status: e.Status, Ref: e.Ref, Data: e.Data, Amount: e.Amount, Captured: e.Captured, Decline: e.Decline,
					Payable: e.Payable, ExpiresAt: e.ExpiresAt})
			}
		}
		if a.final != "" || a.last.Status == payment.ResultContinue {
			return nil
		}
		if r, asked, err := c.lookupAttempt(a); err != nil {
			return err
		} else if asked {
			if r.Status != payment.ResultAbsent { // a trade that does not exist yet
				a.take(r)
			}
			if a.final != "" || r.Status == payment.ResultContinue {
				return nil
			}
		}
		c.wait()
	}
	return fmt.Errorf("no notification and no look-up tells how it ended (last: %s)", a.last.Status)
}

// namesAttempt reports whether a notification can be matched to an attempt.
func namesAttempt(e *payment.Event, a *attempt) bool {
	return e.OperationID == a.op || (a.key != "" && e.StepKey == a.key) || (a.ref != "" && (e.Ref == a.ref || slices.Contains(e.Refs, a.ref)))
}

// lookups reports whether an attempt's steps can be looked up.
func (c *check) lookups() (payment.Lookuper, bool) {
	p, ok := c.p.(payment.Lookuper)
	return p, ok && slices.ContainsFunc(c.mc.Flow, func(s payment.StepSpec) bool { return s.Recovery.Lookup })
}

func (c *check) lookupAttempt(a *attempt) (r payment.Result, asked bool, err error) {
	p, ok := c.lookups()
	if !ok {
		return payment.Result{}, false, nil
	}
	req := payment.LookupRequest{Call: c.callOf(a, a.op, a.step, a.key), Kind: payment.OpAuthorize, StepRef: a.ref, Since: a.since,
		Amount: a.amount, Method: a.instrument.Method, Capture: a.sale}
	r, err = c.guarded("Lookup "+a.step, a.secrets(), func() (payment.Result, error) { return p.Lookup(c.ctx, req) })
	return r, true, err
}

// lookup asks what became of a later operation.
func (c *check) lookup(a *attempt, kind payment.OperationKind, spec payment.StepSpec, op, key, ref string, amount, before money.Amount) (payment.Result, bool, error) {
	p, ok := c.p.(payment.Lookuper)
	if !ok || !spec.Recovery.Lookup {
		return payment.Result{}, false, nil
	}
	req := payment.LookupRequest{Call: c.callOf(a, op, spec.Name, key), Kind: kind, StepRef: ref, Since: a.since,
		Amount: amount, Method: a.instrument.Method, Before: before}
	r, err := c.guarded("Lookup "+spec.Name, nil, func() (payment.Result, error) { return p.Lookup(c.ctx, req) })
	return r, true, err
}

// events returns the facts of the notifications that came.
func (c *check) events() []payment.Event {
	p, ok := c.p.(payment.WebhookParser)
	if !ok || c.rig.Webhooks == nil || !c.caps.Webhooks {
		return nil
	}
	hooks, err := c.rig.Webhooks()
	if err != nil {
		c.aside("webhook-accept", "Rig.Webhooks: %v", err)
		return nil
	}
	var all []payment.Event
	for _, w := range hooks {
		w.Now = c.now()
		n, err := c.parse(p, w)
		if err != nil {
			c.aside("webhook-accept", "a genuine notification was refused: %v", err)
			continue
		}
		all = append(all, n.Events...)
	}
	return all
}

func (c *check) parse(p payment.WebhookParser, w payment.Webhook) (n payment.Notification, err error) {
	defer func() {
		if x := recover(); x != nil {
			c.aside("no-panic", "ParseWebhook panicked: %v", x)
			err = fmt.Errorf("ParseWebhook panicked: %v", x)
		}
	}()
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	return p.ParseWebhook(ctx, w)
}

// modification is a capture, void or refund of an attempt.
type modification struct {
	kind   payment.OperationKind
	op     string
	key    string
	spec   payment.StepSpec
	amount money.Amount
	before money.Amount
	send   func() (payment.Result, error)
	res    payment.Result
}

func (c *check) capture(a *attempt, amount, before money.Amount, final bool) *modification {
	m := &modification{kind: payment.OpCapture, op: c.id(), spec: c.mc.Capture, amount: amount, before: before}
	m.key = m.op + "s1"
	r := payment.CaptureRequest{Call: c.callOf(a, m.op, m.spec.Name, m.key), Amount: amount, Final: final}
	m.send = func() (payment.Result, error) {
		return c.guarded("Capture", nil, func() (payment.Result, error) { return c.p.(payment.Capturer).Capture(c.ctx, r) })
	}
	return m
}

func (c *check) void(a *attempt, amount money.Amount) *modification {
	m := &modification{kind: payment.OpVoid, op: c.id(), spec: c.mc.Void, amount: amount}
	m.key = m.op + "s1"
	r := payment.VoidRequest{Call: c.callOf(a, m.op, m.spec.Name, m.key), Amount: amount}
	m.send = func() (payment.Result, error) {
		return c.guarded("Void", nil, func() (payment.Result, error) { return c.p.(payment.Voider).Void(c.ctx, r) })
	}
	return m
}

// paid is a collected payment: the attempt, and the object that refunds name.
type paid struct {
	*attempt
	capture string
}

func (c *check) refund(p *paid, amount money.Amount) *modification {
	m := &modification{kind: payment.OpRefund, op: c.id(), spec: c.mc.Refund, amount: amount}
	m.key = m.op + "s1"
	r := payment.RefundRequest{Call: c.callOf(p.attempt, m.op, m.spec.Name, m.key), Amount: amount, CaptureRef: p.capture,
		Captured: p.amount, Reason: "requested_by_customer"}
	m.send = func() (payment.Result, error) {
		return c.guarded("Refund", nil, func() (payment.Result, error) { return c.p.(payment.Refunder).Refund(c.ctx, r) })
	}
	return m
}

// do sends a modification and waits for its outcome.
func (c *check) do(a *attempt, m *modification) (payment.Result, error) {
	r, err := m.send()
	if err != nil {
		return r, fmt.Errorf("%s: %w", m.kind, err)
	}
	m.res = r
	return c.settle(a, m, r)
}

// settle waits for the outcome of a modification that is pending.
func (c *check) settle(a *attempt, m *modification, r payment.Result) (payment.Result, error) {
	for range patience {
		if r.Status != payment.ResultPending {
			if r.Ref != "" {
				m.res.Ref = r.Ref
			}
			return r, nil
		}
		for _, e := range c.events() {
			if e.Kind != m.kind || e.Status == payment.ResultPending {
				continue
			}
			if e.OperationID == m.op || e.StepKey == m.key || (m.res.Ref != "" && e.Ref == m.res.Ref) || (e.Cumulative && e.Parent == a.ref) {
				r = payment.Result{Status: e.Status, Ref: e.Ref, Data: e.Data, Decline: e.Decline, Amount: e.Amount}
			}
		}
		if r.Status == payment.ResultPending {
			if found, asked, err := c.lookup(a, m.kind, m.spec, m.op, m.key, m.res.Ref, m.amount, m.before); err != nil {
				return r, err
			} else if asked && found.Status != payment.ResultAbsent {
				r = found
			}
		}
		c.wait()
	}
	return r, fmt.Errorf("%s stays pending: no notification and no look-up tells how it ended", m.kind)
}

// collect pays and captures, so that there is something to refund.
func (c *check) collect() (*paid, error) {
	a, err := c.pay(c.sale(false), c.m.Approve)
	if err != nil {
		return nil, err
	}
	if a.final != payment.ResultApproved {
		return nil, fmt.Errorf("the payment is %s, not approved", a.final)
	}
	p := &paid{attempt: a, capture: a.ref}
	if a.sale {
		return p, nil
	}
	m := c.capture(a, a.amount, money.Zero(a.amount.Currency()), true)
	r, err := c.do(a, m)
	if err != nil {
		return nil, err
	}
	if r.Status != payment.ResultApproved {
		return nil, fmt.Errorf("the capture is %s, not approved", r.Status)
	}
	if m.res.Ref != "" {
		p.capture = m.res.Ref
	}
	return p, nil
}

// truth compares what really happened with what should have.
func (c *check) truth(op string, held, collected, refunded int64) error {
	if c.rig.Truth == nil {
		return nil
	}
	t, err := c.rig.Truth(op)
	if err != nil {
		return fmt.Errorf("Rig.Truth: %w", err)
	}
	if t.Held != held || t.Collected != collected || t.Refunded != refunded {
		return fmt.Errorf("at the provider %d is held, %d collected and %d refunded; it should be %d, %d and %d",
			t.Held, t.Collected, t.Refunded, held, collected, refunded)
	}
	if t.Attempts > 1 {
		return fmt.Errorf("money moved on %d objects of the provider for one operation", t.Attempts)
	}
	return nil
}
