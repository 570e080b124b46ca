package fake

import (
	"context"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// read is the way of every call that writes nothing.
func (p *Provider) read(ctx context.Context, c *payment.Call, do func(now time.Time) answer) (payment.Result, error) {
	if ctx.Err() != nil {
		return payment.Result{}, p.fail(c.Step, payment.KindNotSent, "canceled", "the context was over before the request was written", ctx.Err())
	}
	if !safe(c.Operation, 64) || (c.Key != "" && !safe(c.Key, 64)) || (c.Ref != "" && !safe(c.Ref, 255)) {
		return payment.Result{}, p.fail(c.Step, payment.KindNotSent, "invalid_id", "Key, Operation or Ref cannot be sent", errHostile)
	}
	p.mu.Lock()
	now := p.now()
	p.settle(now)
	p.reads[c.Operation]++
	f := p.fault("lookup", "lookup", c.Operation, p.reads[c.Operation])
	switch f.kind {
	case faultNone, faultSlow, faultDecline, faultChallenge, faultPending, faultFailLater, faultKeyBusy: // a read decides nothing
	case faultNotSent:
		p.mu.Unlock()
		return payment.Result{}, p.fail(c.Step, payment.KindNotSent, f.code, "", nil)
	case faultPanic:
		p.mu.Unlock()
		panic("fake: scripted panic in a look-up")
	case faultHang:
		p.mu.Unlock()
		if ctx.Done() != nil {
			<-ctx.Done()
		}
		return payment.Result{}, p.fail(c.Step, payment.KindUnknown, f.code, "", ctx.Err())
	default:
		p.mu.Unlock()
		return payment.Result{}, p.before(c.Step, f)
	}
	var r payment.Result
	a := do(now)
	err := p.render(c.Step, &r, &a, now)
	p.mu.Unlock()
	p.push()
	if f.kind == faultSlow && p.o.Wait != nil {
		if werr := p.o.Wait(ctx, f.delay); werr != nil {
			return payment.Result{}, p.fail(c.Step, payment.KindUnknown, "timeout", "", werr)
		}
	}
	return r, err
}

// absent: no trace.
var absent = answer{status: payment.ResultAbsent}

// Lookup says what became of a step. See [payment.Lookuper].
func (p *Provider) Lookup(ctx context.Context, r payment.LookupRequest) (payment.Result, error) {
	if !p.d.lookup {
		return p.unsupported(r.Step)
	}
	if r.StepRef != "" && !safe(r.StepRef, 255) {
		return payment.Result{}, p.fail(r.Step, payment.KindNotSent, "invalid_id", "StepRef cannot be sent", errHostile)
	}
	return p.read(ctx, &r.Call, func(now time.Time) answer {
		switch r.Kind {
		case payment.OpAuthorize:
			return p.lookupAttempt(&r, now)
		case payment.OpCapture:
			if p.d.sums {
				return p.lookupSum(&r, now)
			}
		case payment.OpVoid:
			return p.lookupVoid(&r, now)
		default: // the rest have objects of their own
		}
		t := p.parts[r.StepRef]
		if t == nil || t.kind != r.Kind {
			t = p.partOf[r.Operation]
		}
		if t == nil || t.kind != r.Kind || (r.StepRef == "" && p.lags(t.at, now)) {
			return absent
		}
		return standing(t)
	})
}

// lags reports whether something made at that time is not found by reference
// yet.
func (p *Provider) lags(made, now time.Time) bool {
	return p.o.LookupLag > 0 && now.Before(made.Add(p.o.LookupLag))
}

// find returns an attempt by the provider's reference, our operation, or a
// payment (its newest attempt). p.mu is held.
func (p *Provider) find(id string) *object {
	if o := p.object(id); o != nil {
		return o
	}
	if o := p.ofOperation(id); o != nil {
		return p.best(o)
	}
	for i := len(p.order) - 1; i >= 0; i-- {
		if p.order[i].payment == id {
			return p.order[i]
		}
	}
	return nil
}

// best picks, of several attempts of one operation (a key that expired), the
// one that moved money, else the newest.
func (p *Provider) best(newest *object) *object {
	for o := newest; o != nil; o = o.prev {
		if o.phase == phaseHeld || o.phase == phasePaid {
			return o
		}
	}
	return newest
}

// attempt finds what a look-up or fence is about. p.mu is held.
func (p *Provider) attempt(refs []string, op, key string, now time.Time) (o *object, byID bool) {
	for _, ref := range refs {
		if o := p.object(ref); o != nil {
			return o, true
		}
	}
	if !p.d.byReference {
		return nil, false
	}
	if o = p.made(key); o == nil {
		if o = p.ofOperation(op); o != nil {
			o = p.best(o)
		}
	}
	if o != nil && p.lags(o.created, now) {
		return nil, false
	}
	return o, false
}

func (p *Provider) lookupAttempt(r *payment.LookupRequest, now time.Time) answer {
	o, _ := p.attempt([]string{r.StepRef, r.Ref}, r.Operation, r.Key, now)
	if o == nil {
		if !p.d.byReference {
			return answer{fail: payment.KindNotSent, code: "needs_id"} // an order is read by its id only
		}
		return absent
	}
	p.refresh(o, now)
	switch {
	case o.phase == phaseIssued:
		return absent // no trade until the payer opens the URL
	case p.d.numbers && o.phase == phaseExpired && o.key != "" && p.d.kind == Alipay && !o.browser:
		return absent // nor afterwards, if nobody ever did
	case r.Step == "confirm" && o.phase == phaseNew,
		r.Step == "complete" && (o.phase == phaseReady || o.phase == phaseWaiting):
		return absent // the object is there, this step is not
	}
	a := p.state(o)
	a.bare = p.d.numbers // a query there does not repeat the code or the URL
	a.events = p.strangers(o)
	return a
}

// strangers are the facts about an attempt that no request of ours caused.
func (p *Provider) strangers(o *object) []payment.Event {
	var events []payment.Event
	for _, t := range o.parts {
		if t.by == ByShop || t.by == ByPayer || (t.kind == payment.OpCapture && o.sale) {
			continue
		}
		a := standing(t)
		e := payment.Event{Kind: t.kind, Status: a.status, Ref: t.ref, Parent: o.ref, Amount: t.amount, At: t.at}
		if p.d.sums && t.kind == payment.OpCapture {
			e.Ref, e.Amount, e.Cumulative = "", o.of(o.captured), true
		}
		events = append(events, e)
	}
	return events
}

// lookupSum tells whether a capture happened where only the sum is known.
func (p *Provider) lookupSum(r *payment.LookupRequest, now time.Time) answer {
	o := p.object(r.Ref)
	if o == nil {
		return absent
	}
	p.refresh(o, now)
	since := o.captured - r.Before.Minor()
	if since <= 0 {
		return absent
	}
	return answer{status: payment.ResultApproved, amount: o.of(since)}
}

func (p *Provider) lookupVoid(r *payment.LookupRequest, now time.Time) answer {
	o := p.object(r.Ref)
	if o == nil {
		return absent
	}
	p.refresh(o, now)
	if t := p.partOf[r.Operation]; t != nil && t.kind == payment.OpVoid && t.obj == o && !p.d.sums {
		return standing(t)
	}
	switch {
	case o.phase == phaseCanceled, o.phase == phasePaid && o.released > 0:
		return answer{status: payment.ResultApproved, amount: o.of(o.released)}
	case o.phase == phaseExpired:
		return answer{status: payment.ResultDeclined, reason: payment.ReasonAuthorizationExpired, code: "expired"}
	}
	return absent
}

// Fence makes an attempt unpayable. See [payment.Fencer].
func (p *Provider) Fence(ctx context.Context, r payment.FenceRequest) (payment.Result, error) {
	if p.d.method.FenceStep.IsZero() {
		return p.unsupported(r.Step)
	}
	if r.TargetKey != "" && !safe(r.TargetKey, 64) {
		return payment.Result{}, p.fail(r.Step, payment.KindNotSent, "invalid_id", "TargetKey cannot be sent", errHostile)
	}
	if p.d.kind == Stripe && r.Ref == "" {
		return payment.Result{}, p.fail(r.Step, payment.KindNotSent, "needs_id", "an intent is canceled by its id: look it up first", nil)
	}
	return p.call(ctx, "fence", &r.Call, p.modifyPrint("fence", &r.Call, money.Amount{}, r.TargetKey, false), func(_ Fault, now time.Time) answer {
		if p.d.kind == Adyen {
			return p.technicalCancel(&r, now)
		}
		o := p.object(r.Ref)
		if o == nil {
			o = p.made(r.TargetKey)
		}
		if o == nil && p.d.byReference && r.TargetKey == "" {
			o = p.ofOperation(r.Operation)
		}
		if o == nil {
			// Nothing was ever handed out for the payer to pay.
			return answer{status: payment.ResultApproved}
		}
		p.refresh(o, now)
		return p.fenceNow(o, now)
	})
}

// fenceNow cancels or closes. p.mu is held.
func (p *Provider) fenceNow(o *object, now time.Time) answer {
	done := answer{status: payment.ResultApproved, obj: o}
	phase := o.phase
	if phase == phaseHeld && o.captured > 0 {
		phase = phasePaid // what is captured cannot be closed
	}
	switch phase {
	case phasePaid:
		a := answer{status: payment.ResultDeclined, obj: o, reason: payment.ReasonDuplicate, code: "already_paid"}
		a.events = []payment.Event{{Kind: payment.OpAuthorize, Status: payment.ResultApproved, Captured: o.sale,
			OperationID: o.op, Ref: o.ref, Amount: o.amount, At: now}}
		return a
	case phasePaying, phasePending:
		return answer{status: payment.ResultPending, obj: o} // a payer is at it, or the bank is
	case phaseIssued:
		// TRADE_NOT_EXIST: nothing is closed, and the URL stays good until its
		// deadline.
		return answer{status: payment.ResultPending}
	case phaseCanceled, phaseExpired:
		return done
	case phaseHeld:
		p.release(o, nil, ByShop, now)
	default: // nobody has paid
	}
	if o.taken > 0 {
		o.phase = phasePaid
	} else {
		o.phase = phaseCanceled
	}
	o.out = false
	p.tellObject(o, payment.ResultCanceled, now)
	return done
}

// technicalCancel cancels by our reference; the outcome comes by notification.
// p.mu is held.
func (p *Provider) technicalCancel(r *payment.FenceRequest, now time.Time) answer {
	ref, op, target, key := r.Ref, r.Operation, r.TargetKey, r.Key
	p.later(now.Add(p.o.AsyncDelay), func(now time.Time) {
		o := p.object(ref)
		if o == nil {
			o = p.made(target)
		}
		if o == nil {
			o = p.ofOperation(op)
		}
		if o != nil {
			p.refresh(o, now)
		}
		if o == nil || o.phase == phasePaid || o.phase == phasePending || (o.phase == phaseHeld && o.captured > 0) {
			// success=false: nothing is proven, not even that there is no payment.
			p.tell(note{kind: payment.OpVoid, status: payment.ResultDeclined, stepKey: key, parent: refOf(o),
				reason: payment.ReasonUnknown, code: "technical_cancel_failed", at: now})
			return
		}
		if o.phase == phaseHeld {
			p.release(o, nil, ByShop, now)
		}
		o.phase, o.out = phaseCanceled, false
		p.tellObject(o, payment.ResultCanceled, now)
	})
	return answer{status: payment.ResultPending}
}

func refOf(o *object) string {
	if o == nil {
		return ""
	}
	return o.ref
}
