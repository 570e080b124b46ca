package fake

import (
	"context"
	"hash/maphash"
	"net/url"
	"strings"
	"time"

	"github.com/tender-go/payment"
)

// Tokens that decide the outcome without a script, so that a concurrent test
// can mix outcomes. Any other token is approved.
const (
	// TokenApproved is approved.
	TokenApproved = "tok_approved"
	// TokenChallenge makes the payer authenticate first.
	TokenChallenge = "tok_challenge"
	// TokenPending is decided later, in favour.
	TokenPending = "tok_pending"

	declinePrefix = "tok_decline_"
)

// TokenDecline returns a token that is declined with the given reason.
func TokenDecline(r payment.Reason) string { return declinePrefix + string(r) }

// outcome is what a script, or else the token, makes of a charge.
func (p *Provider) outcome(r *payment.AuthorizeRequest, f Fault) Fault {
	switch f.kind {
	case faultDecline, faultChallenge, faultPending, faultFailLater:
		return f
	default: // the token decides
	}
	token := r.Method.Token.Reveal()
	switch {
	case token == TokenChallenge:
		return Challenge()
	case token == TokenPending:
		return Pending()
	case strings.HasPrefix(token, declinePrefix):
		return Decline(payment.Reason(token[len(declinePrefix):]))
	case len(p.forgot) > 0 && p.forgot[token]:
		return Decline(payment.ReasonInvalidToken)
	case r.ThreeDS == payment.ThreeDSChallenge:
		return Challenge()
	}
	return f
}

// print stands for the content of an authorize request: what a real adapter
// puts on the wire, so not the time.
func (p *Provider) authorizePrint(r *payment.AuthorizeRequest) uint64 {
	h := maphash.Comparable(p.hash, struct {
		step, op, payment, reference, ref, method, token, customer, descriptor, back string
		minor, until                                                                 int64
		currency, threeDS                                                            string
		capture, save, off                                                           bool
	}{r.Step, r.Operation, r.Payment, r.Reference, r.Ref, string(r.Method.Method), r.Method.Token.Reveal(), r.Customer, r.Descriptor, r.ReturnURL,
		r.Amount.Minor(), r.Until.UnixNano(),
		string(r.Amount.Currency()), string(r.ThreeDS),
		r.Capture, r.Save, r.OffSession})
	for _, m := range [...]map[string]string{r.Metadata, r.Method.Fields, r.Data} {
		for k, v := range m { // in any order: the sum does not depend on it
			h += maphash.Comparable(p.hash, [2]string{k, v})
		}
	}
	return h
}

// Authorize carries out one step of the personality's flow. See
// [payment.Provider].
func (p *Provider) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	if err := p.checkAuthorize(&r); err != nil {
		return payment.Result{}, err
	}
	if p.d.kind == Alipay {
		return p.issue(ctx, &r)
	}
	print := p.authorizePrint(&r)
	k, f, now, err := p.enter(ctx, payment.OpAuthorize, &r.Call, print)
	if err != nil {
		return payment.Result{}, err
	}
	if f.kind == faultLate {
		kept := r // only here does the request outlive the call
		return p.postpone(k, r.Step, print, f, now, func(f Fault, now time.Time) answer { return p.authorize(k, &kept, f, now) })
	}
	a := p.once(k, r.Step, print, f, now, func(f Fault, now time.Time) answer { return p.authorize(k, &r, f, now) })
	return p.leave(ctx, r.Step, a, f, now)
}

// authorize is the work of a step of the flow. p.mu is held.
func (p *Provider) authorize(k *saved, r *payment.AuthorizeRequest, f Fault, now time.Time) answer {
	switch p.d.kind {
	case Stripe:
		if r.Step == "create" {
			return p.create(r, f, now)
		}
		return p.confirm(r, f, now)
	case PayPal:
		if r.Step == "create" {
			return p.createOrder(r, f, now)
		}
		return p.complete(r, f, now)
	case WeChatPay:
		return p.prepay(k, r, f, now)
	case Adyen:
		if r.Step == "details" {
			return deny("details_missing") // the browser's values come by Resume
		}
	default: // one step, charged below
	}
	return p.charge(p.newObject(r, phaseNew, now), r, f, now)
}

// checkAuthorize refuses what cannot be sent.
func (p *Provider) checkAuthorize(r *payment.AuthorizeRequest) error {
	refuse := func(code, message string) error {
		return p.fail(r.Step, payment.KindNotSent, code, message, nil)
	}
	m, ok := p.caps.For(r.Method.Method)
	if !ok {
		return refuse("method_not_supported", "this instance does not take the method")
	}
	known := false
	for i := range m.Flow {
		known = known || m.Flow[i].Name == r.Step
	}
	switch {
	case !known:
		return refuse("no_such_step", "Step is not in the flow of the method")
	case r.Amount.Check() != nil || !r.Amount.IsPositive():
		return refuse("invalid_amount", "Amount must be positive and in a known currency")
	case r.Capture && !m.Sale:
		return refuse("sale_not_supported", "the method holds only: set Capture to false and capture afterwards")
	case !r.Capture && !m.Hold:
		return refuse("hold_not_supported", "the method collects at once: set Capture to true")
	}
	if len(m.Currencies) > 0 {
		known = false
		for _, c := range m.Currencies {
			known = known || c == r.Amount.Currency()
		}
		if !known {
			return refuse("currency_not_supported", "this instance does not take the currency")
		}
	}
	if _, err := p.d.units.ToUnits(r.Amount); err != nil {
		return p.fail(r.Step, payment.KindNotSent, "invalid_amount", "the amount does not fit the provider's units", err)
	}
	return nil
}

// charge tries to hold or collect what an attempt asks for. p.mu is held.
func (p *Provider) charge(o *object, r *payment.AuthorizeRequest, f Fault, now time.Time) answer {
	switch f = p.outcome(r, f); f.kind {
	case faultDecline:
		o.phase, o.declined, o.code = phaseDeclined, f.reason, f.code
		p.tellObject(o, payment.ResultDeclined, now)
	case faultChallenge:
		if r.OffSession {
			o.phase, o.declined, o.code = phaseDeclined, payment.ReasonAuthenticationRequired, "authentication_required"
			p.tellObject(o, payment.ResultDeclined, now)
			break
		}
		o.phase, o.out = phaseWaiting, p.d.secretOut
		p.tellObject(o, payment.ResultActionRequired, now)
	case faultPending, faultFailLater:
		o.phase = phasePending
		p.decideLater(o, f, ByShop, now)
	default:
		p.take(o, ByShop, now)
	}
	return p.state(o)
}

// decideLater ends a pending attempt after the async delay. p.mu is held.
func (p *Provider) decideLater(o *object, f Fault, by Actor, now time.Time) {
	p.later(now.Add(p.o.AsyncDelay), func(now time.Time) {
		if o.phase != phasePending {
			return
		}
		if f.kind == faultFailLater {
			o.phase, o.declined, o.code = phaseDeclined, f.reason, f.code
			p.tellObject(o, payment.ResultDeclined, now)
			return
		}
		p.take(o, by, now)
	})
}

// state says where an attempt stands now.
func (p *Provider) state(o *object) answer {
	a := answer{obj: o}
	switch o.phase {
	case phaseNew, phaseReady:
		a.status = payment.ResultContinue
	case phaseIssued, phaseWaiting:
		a.status = payment.ResultActionRequired
	case phasePaying, phasePending:
		a.status = payment.ResultPending
	case phaseHeld:
		a.status = payment.ResultApproved
	case phasePaid:
		a.status, a.captured = payment.ResultApproved, o.sale
	case phaseDeclined:
		a.status, a.reason, a.code, a.payable = payment.ResultDeclined, o.declined, o.code, o.out
	case phaseCanceled:
		a.status = payment.ResultCanceled
	case phaseExpired:
		a.status = payment.ResultExpired
	case phaseReversed:
		a.status, a.reason, a.code = payment.ResultReversed, o.declined, o.code
	}
	return a
}

// stateAgain is state for replays that show things as they are now.
func (p *Provider) stateAgain(o *object) answer {
	a := p.state(o)
	if p.d.latest {
		a.again = func(now time.Time) answer {
			p.refresh(o, now)
			return p.state(o)
		}
	}
	return a
}

// create makes a Stripe-like intent; no money can move on it yet.
func (p *Provider) create(r *payment.AuthorizeRequest, f Fault, now time.Time) answer {
	o := p.newObject(r, phaseNew, now)
	if f.kind == faultDecline { // some checks run at creation
		o.phase, o.declined, o.code = phaseDeclined, f.reason, f.code
	}
	return p.state(o)
}

// confirm charges a Stripe-like intent.
func (p *Provider) confirm(r *payment.AuthorizeRequest, f Fault, now time.Time) answer {
	o := p.object(r.Ref)
	switch {
	case o == nil:
		return deny("resource_missing")
	case o.amount != r.Amount || o.sale != r.Capture:
		return deny("parameter_mismatch")
	case o.phase != phaseNew && o.phase != phaseDeclined:
		return deny("payment_intent_unexpected_state")
	}
	o.key = r.Key
	return p.charge(o, r, f, now)
}

// createOrder makes a PayPal-like order that the payer must approve.
func (p *Provider) createOrder(r *payment.AuthorizeRequest, f Fault, now time.Time) answer {
	o := p.newObject(r, phaseWaiting, now)
	o.until = now.Add(6 * time.Hour)
	if f.kind == faultDecline {
		o.phase, o.declined, o.code = phaseDeclined, f.reason, f.code
	}
	return p.stateAgain(o)
}

// complete authorizes or captures an order that the payer approved.
func (p *Provider) complete(r *payment.AuthorizeRequest, f Fault, now time.Time) answer {
	o := p.object(r.Ref)
	if o == nil {
		return deny("RESOURCE_NOT_FOUND")
	}
	p.refresh(o, now)
	switch o.phase {
	case phaseReady:
	case phaseWaiting:
		return deny("ORDER_NOT_APPROVED")
	case phaseHeld, phasePaid, phasePending:
		// Proof that an earlier send arrived, under a key that has expired.
		return conflict("ORDER_ALREADY_CAPTURED")
	default:
		return deny("ORDER_EXPIRED")
	}
	o.key = r.Key
	p.charge(o, r, f, now)
	return p.stateAgain(o)
}

// prepay makes a WeChat-like order under our number.
func (p *Provider) prepay(k *saved, r *payment.AuthorizeRequest, f Fault, now time.Time) answer {
	if k.known && k.answer.obj != nil {
		// The number is older than a code lives.
		if o := k.answer.obj; o.phase == phasePaid {
			return conflict("ORDERPAID")
		}
		return conflict("OUT_TRADE_NO_USED")
	}
	o := p.newObject(r, phaseWaiting, now)
	o.out = true
	if o.until.IsZero() {
		o.until = now.Add(2 * time.Hour)
	}
	if f.kind == faultDecline {
		o.phase, o.declined, o.code, o.out = phaseDeclined, f.reason, f.code, false
	}
	a := p.stateAgain(o)
	a.again = func(now time.Time) answer {
		p.refresh(o, now)
		switch o.phase {
		case phasePaid:
			return conflict("ORDERPAID")
		case phaseCanceled, phaseExpired:
			return conflict("ORDER_CLOSED")
		default: // still open
		}
		return p.state(o)
	}
	return a
}

// issue signs an Alipay-like URL. It calls nobody: the bank learns of the trade
// only when the payer opens the URL.
func (p *Provider) issue(ctx context.Context, r *payment.AuthorizeRequest) (payment.Result, error) {
	if ctx.Err() != nil {
		return payment.Result{}, p.fail(r.Step, payment.KindNotSent, "canceled", "the context was over", ctx.Err())
	}
	if !safe(r.Key, 64) || !safe(r.Operation, 64) {
		return payment.Result{}, p.fail(r.Step, payment.KindNotSent, "invalid_id", "Key or Operation cannot be signed", errHostile)
	}
	if r.Until.IsZero() {
		return payment.Result{}, p.fail(r.Step, payment.KindNotSent, "no_deadline", "Until is missing: a URL without a deadline stays payable", nil)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	k := p.key(r.Key)
	k.tries++
	switch f := p.fault(string(payment.OpAuthorize), r.Step, r.Key, k.tries); f.kind {
	case faultNotSent:
		return payment.Result{}, p.fail(r.Step, payment.KindNotSent, f.code, "", nil)
	case faultPanic:
		panic("fake: scripted panic in step " + r.Step)
	default: // there is no network on the way
	}
	k.calls++
	print := p.authorizePrint(r)
	if p.o.Record {
		p.requests = append(p.requests, Request{Step: r.Step, Key: r.Key, Operation: r.Operation, Print: print, At: now})
	}
	// The same request makes the same URL, as often as it is made.
	if !k.known {
		o := p.newObject(r, phaseIssued, now)
		o.out = true
		k.known, k.print, k.at, k.answer = true, print, now, answer{status: payment.ResultActionRequired, obj: o}
	} else if k.print != print {
		return payment.Result{}, p.fail(r.Step, payment.KindNotSent, "key_reused", "another URL was signed with this key", nil)
	}
	var res payment.Result
	if err := p.render(r.Step, &res, &k.answer, now); err != nil {
		return payment.Result{}, err
	}
	res.Ref, res.At, res.Payable = "", time.Time{}, false // the provider knows nothing yet
	return res, nil
}

// Resume sends on what the payer's browser brought back; see
// [Provider.Return] for what that is.
func (p *Provider) Resume(ctx context.Context, r payment.ResumeRequest) (payment.Result, error) {
	if p.d.kind != Adyen {
		return p.unsupported(r.Step)
	}
	print := maphash.Comparable(p.hash, [4]string{"resume", r.Operation, r.Ref, r.Values.Encode()})
	return p.call(ctx, payment.OpAuthorize, &r.Call, print, func(f Fault, now time.Time) answer {
		o := p.object(r.Ref)
		result, known := strings.CutPrefix(r.Values.Get("redirectResult"), r.Ref+".")
		switch {
		case o == nil || !known:
			return deny("invalid_redirect_result")
		case o.phase != phaseWaiting:
			return p.state(o) // the details were taken before
		case result == "canceled":
			o.phase, o.declined, o.code = phaseDeclined, payment.ReasonPayerCanceled, "Cancelled"
			p.tellObject(o, payment.ResultDeclined, now)
		case result == "failed":
			o.phase, o.declined, o.code = phaseDeclined, payment.ReasonAuthenticationFailed, "3D Not Authenticated"
			p.tellObject(o, payment.ResultDeclined, now)
		case result == "ok" && o.browser && f.kind == faultDecline:
			o.phase, o.declined, o.code = phaseDeclined, f.reason, f.code
			p.tellObject(o, payment.ResultDeclined, now)
		case result == "ok" && o.browser:
			p.take(o, ByPayer, now)
		}
		return p.state(o)
	})
}

// Return is what the payer's browser brings back after a redirect; empty where
// the provider is asked by look-up instead.
func (p *Provider) Return(ref string) url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.find(ref)
	if p.d.kind != Adyen || o == nil {
		return url.Values{}
	}
	result := "pending"
	switch {
	case o.browser || o.phase == phaseHeld || o.phase == phasePaid:
		result = "ok"
	case o.code == "fails":
		result = "failed"
	case o.code == "cancels":
		result = "canceled"
	}
	return url.Values{"redirectResult": {o.ref + "." + result}}
}
