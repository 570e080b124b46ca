package fake

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// modifyPrint stands for the content of a request that acts on an attempt.
func (p *Provider) modifyPrint(kind payment.OperationKind, c *payment.Call, amount money.Amount, more string, final bool) uint64 {
	return maphash.Comparable(p.hash, struct {
		kind, step, op, ref, more, currency string
		minor                               int64
		final                               bool
	}{string(kind), c.Step, c.Operation, c.Ref, more, string(amount.Currency()), amount.Minor(), final})
}

// checkAmount refuses amounts that cannot be sent.
func (p *Provider) checkAmount(step string, a money.Amount) error {
	if a.Check() != nil || !a.IsPositive() {
		return p.fail(step, payment.KindNotSent, "invalid_amount", "Amount must be positive and in a known currency", nil)
	}
	if _, err := p.d.units.ToUnits(a); err != nil {
		return p.fail(step, payment.KindNotSent, "invalid_amount", "the amount does not fit the provider's units", err)
	}
	return nil
}

// named refuses a modification that names no attempt: an empty id reaches a
// real provider's list of all objects.
func (p *Provider) named(c *payment.Call) error {
	if c.Ref == "" && (!p.d.numbers || !safe(c.Data["number"], 64)) {
		return p.fail(c.Step, payment.KindNotSent, "invalid_id", "Ref is empty: there is nothing to act on", errHostile)
	}
	return nil
}

// partAnswer says where a part stands, and goes on saying so at replays where
// the provider shows things as they are.
func (p *Provider) partAnswer(t *part) answer {
	a := standing(t)
	if p.d.latest {
		a.again = func(time.Time) answer { return standing(t) }
	}
	return a
}

func standing(t *part) answer {
	a := answer{obj: t.obj, part: t}
	switch t.state {
	case partPending:
		a.status = payment.ResultPending
	case partDone:
		a.status = payment.ResultApproved
	case partFailed:
		a.status, a.reason, a.code = payment.ResultDeclined, t.reason, t.code
	case partReversed:
		a.status, a.reason, a.code = payment.ResultReversed, t.reason, t.code
	}
	return a
}

// Capture takes authorized money. See [payment.Capturer].
func (p *Provider) Capture(ctx context.Context, r payment.CaptureRequest) (payment.Result, error) {
	if p.d.method.Capture.IsZero() {
		return p.unsupported(r.Step)
	}
	if err := p.checkAmount(r.Step, r.Amount); err != nil {
		return payment.Result{}, err
	}
	if err := p.named(&r.Call); err != nil {
		return payment.Result{}, err
	}
	return p.call(ctx, payment.OpCapture, &r.Call, p.modifyPrint(payment.OpCapture, &r.Call, r.Amount, "", r.Final), func(f Fault, now time.Time) answer {
		o := p.object(r.Ref)
		if o == nil {
			return deny("resource_missing")
		}
		p.refresh(o, now)
		if o.amount.Currency() != r.Amount.Currency() {
			return deny("currency_mismatch")
		}
		if p.d.asyncModify {
			t := p.newPart(o, payment.OpCapture, &r.Call, "mod", r.Amount, partPending, now)
			p.later(now.Add(p.o.AsyncDelay), func(now time.Time) { p.captureNow(o, t, r.Final, f, now); p.tellPart(t, now) })
			return p.partAnswer(t)
		}
		switch {
		case o.phase == phaseExpired || o.phase == phaseCanceled:
			return deny("authorization_ended")
		case o.phase != phaseHeld:
			return deny("not_capturable")
		case r.Amount.Minor() > o.held():
			return deny("amount_too_large")
		}
		t := p.newPart(o, payment.OpCapture, &r.Call, "cap", r.Amount, partPending, now)
		if f.kind == faultPending || (f.kind == faultFailLater && p.d.kind == PayPal) {
			p.later(now.Add(p.o.AsyncDelay), func(now time.Time) { p.captureNow(o, t, r.Final, f, now); p.tellPart(t, now) })
			return p.partAnswer(t)
		}
		p.captureNow(o, t, r.Final, f, now)
		p.tellPart(t, now)
		return p.partAnswer(t)
	})
}

// captureNow decides a capture. p.mu is held.
func (p *Provider) captureNow(o *object, t *part, final bool, f Fault, now time.Time) {
	p.refresh(o, now)
	switch {
	case f.kind == faultDecline || f.kind == faultFailLater:
		t.state, t.reason, t.code = partFailed, f.reason, f.code
		return
	case o.phase != phaseHeld:
		t.state, t.reason, t.code = partFailed, payment.ReasonAuthorizationExpired, "not_capturable"
		return
	case t.amount.Minor() > o.held():
		t.state, t.reason, t.code = partFailed, payment.ReasonAmountTooLarge, "insufficient_balance_on_payment"
		return
	}
	t.state = partDone
	p.collect(o, t, t.amount.Minor(), t.by, now)
	if final {
		p.release(o, nil, ByClock, now)
		o.phase = phasePaid
	}
}

// Void releases an authorization. See [payment.Voider].
func (p *Provider) Void(ctx context.Context, r payment.VoidRequest) (payment.Result, error) {
	if p.d.method.Void.IsZero() {
		return p.unsupported(r.Step)
	}
	if err := p.named(&r.Call); err != nil {
		return payment.Result{}, err
	}
	return p.call(ctx, payment.OpVoid, &r.Call, p.modifyPrint(payment.OpVoid, &r.Call, r.Amount, "", false), func(f Fault, now time.Time) answer {
		o := p.object(r.Ref)
		if o == nil {
			return deny("resource_missing")
		}
		p.refresh(o, now)
		if p.d.asyncModify {
			t := p.newPart(o, payment.OpVoid, &r.Call, "mod", r.Amount, partPending, now)
			p.later(now.Add(p.o.AsyncDelay), func(now time.Time) { p.voidNow(o, t, f, now); p.tellPart(t, now) })
			return p.partAnswer(t)
		}
		if o.phase != phaseHeld {
			return deny("not_voidable")
		}
		t := p.newPart(o, payment.OpVoid, &r.Call, "void", r.Amount, partPending, now)
		p.voidNow(o, t, f, now)
		p.tellPart(t, now)
		return p.partAnswer(t)
	})
}

// voidNow decides a void. p.mu is held.
func (p *Provider) voidNow(o *object, t *part, f Fault, now time.Time) {
	p.refresh(o, now)
	switch {
	case f.kind == faultDecline || f.kind == faultFailLater:
		t.state, t.reason, t.code = partFailed, f.reason, f.code
	case o.phase != phaseHeld:
		t.state, t.reason, t.code = partFailed, payment.ReasonAuthorizationExpired, "not_voidable"
	default:
		t.state, t.amount = partDone, o.of(o.held())
		p.release(o, t, t.by, now)
		if o.taken > 0 {
			o.phase = phasePaid
		} else {
			o.phase = phaseCanceled
		}
	}
}

// Refund gives captured money back. See [payment.Refunder].
func (p *Provider) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	if p.d.method.Refund.IsZero() {
		return p.unsupported(r.Step)
	}
	if err := p.checkAmount(r.Step, r.Amount); err != nil {
		return payment.Result{}, err
	}
	if err := p.named(&r.Call); err != nil {
		return payment.Result{}, err
	}
	if r.CaptureRef != "" && !safe(r.CaptureRef, 255) {
		return payment.Result{}, p.fail(r.Step, payment.KindNotSent, "invalid_id", "CaptureRef cannot be sent", errHostile)
	}
	return p.call(ctx, payment.OpRefund, &r.Call, p.modifyPrint(payment.OpRefund, &r.Call, r.Amount, r.CaptureRef, false), func(f Fault, now time.Time) answer {
		o, of := p.refundable(&r)
		if o == nil {
			return deny("resource_missing")
		}
		p.refresh(o, now)
		if o.amount.Currency() != r.Amount.Currency() {
			return deny("currency_mismatch")
		}
		later := p.d.asyncModify || p.d.asyncRefund || f.kind == faultPending || (f.kind == faultFailLater && p.d.kind != Alipay)
		if p.d.asyncModify {
			// Accepted as received; too much is found out later.
			t := p.newPart(o, payment.OpRefund, &r.Call, "mod", r.Amount, partPending, now)
			p.later(now.Add(p.o.AsyncDelay), func(now time.Time) {
				if r.Amount.Minor() > p.refundLeft(o, nil) {
					t.state, t.reason, t.code = partFailed, payment.ReasonRefundNotAllowed, "insufficient_balance_on_payment"
				} else {
					o.refunded += r.Amount.Minor()
					p.refundNow(o, t, f, now)
				}
				p.tellPart(t, now)
			})
			return p.partAnswer(t)
		}
		switch left := p.refundLeft(o, of); {
		case o.captured == 0:
			return deny("not_refundable")
		case p.d.method.RefundWindow > 0 && now.After(o.created.Add(p.d.method.RefundWindow)):
			return deny("refund_window_over")
		case r.Amount.Minor() > left:
			return deny("amount_exceeds_refundable")
		}
		t := p.newPart(o, payment.OpRefund, &r.Call, "re", r.Amount, partPending, now)
		t.of = of
		o.refunded += r.Amount.Minor() // reserved at once, freed if it fails
		if of != nil {
			of.refunded += r.Amount.Minor()
		}
		if later {
			p.later(now.Add(p.o.AsyncDelay), func(now time.Time) { p.refundNow(o, t, f, now); p.tellPart(t, now) })
			return p.partAnswer(t)
		}
		p.refundNow(o, t, f, now)
		p.tellPart(t, now)
		return p.partAnswer(t)
	})
}

// refundable finds what a refund is of: the attempt, and the capture where the
// provider wants one named. p.mu is held.
func (p *Provider) refundable(r *payment.RefundRequest) (*object, *part) {
	if !p.d.method.RefundsCapture {
		o := p.object(r.Ref)
		if o == nil && p.d.numbers {
			o = p.made(r.Data["number"])
		}
		return o, nil
	}
	// A sale's capture is in its data; a capture of ours is named.
	for _, ref := range []string{r.CaptureRef, r.Data["capture"]} {
		if t := p.parts[ref]; t != nil && t.kind == payment.OpCapture && t.state == partDone {
			return t.obj, t
		}
	}
	return nil, nil
}

// refundLeft is what can still be given back. p.mu is held.
func (p *Provider) refundLeft(o *object, of *part) int64 {
	if of != nil {
		return of.amount.Minor() - of.refunded
	}
	return o.captured - o.refunded
}

// refundNow decides a refund whose amount is reserved. p.mu is held.
func (p *Provider) refundNow(o *object, t *part, f Fault, now time.Time) {
	if f.kind == faultDecline || f.kind == faultFailLater {
		p.unreserve(o, t)
		t.state, t.reason, t.code = partFailed, f.reason, f.code
		return
	}
	// The money may be gone since the refund was accepted.
	if o.refunded > o.captured || (t.of != nil && t.of.state != partDone) {
		p.unreserve(o, t)
		t.state, t.reason, t.code = partFailed, payment.ReasonRefundNotAllowed, "capture_reversed"
		return
	}
	t.state = partDone
	p.move(o, t, MoveRefunded, t.by, t.amount, now)
}

// unreserve gives a failed refund's amount back to what can be refunded.
func (p *Provider) unreserve(o *object, t *part) {
	o.refunded -= t.amount.Minor()
	if t.of != nil {
		t.of.refunded -= t.amount.Minor()
	}
}

// Transfer sends collected money on. See [payment.Splitter].
func (p *Provider) Transfer(ctx context.Context, r payment.TransferRequest) (payment.Result, error) {
	if p.d.transfer.IsZero() {
		return p.unsupported(r.Step)
	}
	if err := p.checkAmount(r.Step, r.Amount); err != nil {
		return payment.Result{}, err
	}
	if !safe(r.Destination, 255) || (r.SourceRef != "" && !safe(r.SourceRef, 255)) {
		return payment.Result{}, p.fail(r.Step, payment.KindNotSent, "invalid_id", "Destination or SourceRef cannot be sent", errHostile)
	}
	return p.call(ctx, payment.OpTransfer, &r.Call, p.modifyPrint(payment.OpTransfer, &r.Call, r.Amount, r.Destination+"|"+r.SourceRef, false), func(f Fault, now time.Time) answer {
		t := p.newPart(nil, payment.OpTransfer, &r.Call, "tr", r.Amount, partDone, now)
		switch {
		case f.kind == faultDecline || f.kind == faultFailLater:
			t.state, t.reason, t.code = partFailed, f.reason, f.code
		case r.Amount.Minor() > p.balance(r.Amount.Currency()):
			t.state, t.reason, t.code = partFailed, payment.ReasonMerchantBalance, "balance_insufficient"
		default:
			p.loose = append(p.loose, Movement{Kind: MoveTransferred, By: ByShop, Amount: r.Amount, At: now,
				Object: r.SourceRef, Ref: t.ref, Operation: r.Operation, Payment: r.Payment, Key: r.Key})
		}
		p.tellPart(t, now)
		return p.partAnswer(t)
	})
}

// balance is what the shop holds at the provider. p.mu is held.
func (p *Provider) balance(c money.Currency) int64 {
	var sum int64
	add := func(m Movement) {
		if m.Amount.Currency() != c {
			return
		}
		switch m.Kind {
		case MoveCaptured, MoveRefundFailed, MoveDisputeWon:
			sum += m.Amount.Minor()
		case MoveCaptureFailed, MoveRefunded, MoveDisputed, MoveTransferred:
			sum -= m.Amount.Minor()
		default: // a hold is not the shop's
		}
	}
	for _, o := range p.order {
		for _, m := range o.movements() {
			add(m)
		}
	}
	for _, m := range p.loose {
		add(m)
	}
	return sum
}
