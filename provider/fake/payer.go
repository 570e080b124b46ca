package fake

import (
	"fmt"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// act runs a change from outside on an attempt that id names: the provider's
// reference, our operation, or a payment (its newest attempt).
func (p *Provider) act(what, id string, do func(o *object, now time.Time) error) error {
	p.mu.Lock()
	now := p.now()
	p.settle(now)
	o := p.find(id)
	if o == nil {
		p.mu.Unlock()
		return fmt.Errorf("fake: cannot %s %q: the provider knows nothing of that name", what, id)
	}
	p.refresh(o, now)
	err := do(o, now)
	p.mu.Unlock()
	p.push()
	if err != nil {
		return fmt.Errorf("fake: cannot %s %q: %w", what, id, err)
	}
	return nil
}

var phaseNames = [...]string{"new", "issued", "waiting for the payer", "being paid", "approved by the payer", "pending",
	"authorized", "paid", "declined", "canceled", "expired", "reversed"}

func wrongPhase(o *object) error { return fmt.Errorf("it is %s", phaseNames[o.phase]) }

// payable reports whether the payer alone can act on it now.
func (o *object) payable() bool {
	switch o.phase {
	case phaseIssued, phaseWaiting, phasePaying:
		return true
	case phaseNew, phaseDeclined:
		return o.out
	default: // out of the payer's hands
	}
	return false
}

// PayerPays lets the payer do what was asked: pass the challenge, scan and pay,
// approve the order. It fails where the payer could not, which is what a fence
// is for. Where the provider wants the browser's values sent on, money moves
// only with Resume: see [Provider.Return]. On a saved method that waits for its
// owner, name the method's reference or operation.
func (p *Provider) PayerPays(id string) error {
	if p.payerSaves(id, true) {
		return nil
	}
	return p.act("pay", id, func(o *object, now time.Time) error {
		if !o.payable() {
			return wrongPhase(o)
		}
		switch p.d.kind {
		case Adyen:
			o.browser, o.code = true, ""
		case PayPal:
			o.phase = phaseReady
			o.until = now.Add(3 * time.Hour) // an approved order waits three hours
			p.tellObject(o, payment.ResultContinue, now)
		default:
			o.browser = true // the trade exists
			p.take(o, ByPayer, now)
		}
		return nil
	})
}

// PayerStarts lets the payer open it and not finish: an Alipay trade comes into
// being, a WeChat order is USERPAYING.
func (p *Provider) PayerStarts(id string) error {
	return p.act("start", id, func(o *object, _ time.Time) error {
		switch {
		case p.d.kind == Alipay && o.phase == phaseIssued:
			o.phase, o.browser = phaseWaiting, true
		case p.d.kind == WeChatPay && o.phase == phaseWaiting:
			o.phase = phasePaying
		case !o.payable():
			return wrongPhase(o)
		}
		return nil
	})
}

// PayerCancels lets the payer press cancel. Wallets keep the order open, as
// they do: the payer may come back.
func (p *Provider) PayerCancels(id string) error {
	return p.payerEnds("cancel", id, payment.ReasonPayerCanceled, "cancels")
}

// PayerFailsChallenge lets the payer fail to authenticate.
func (p *Provider) PayerFailsChallenge(id string) error {
	if p.payerSaves(id, false) {
		return nil
	}
	return p.payerEnds("fail the challenge of", id, payment.ReasonAuthenticationFailed, "fails")
}

func (p *Provider) payerEnds(what, id string, reason payment.Reason, mark string) error {
	return p.act(what, id, func(o *object, now time.Time) error {
		if !o.payable() {
			return wrongPhase(o)
		}
		switch p.d.kind {
		case Adyen:
			o.browser, o.code = false, mark
		case Alipay, WeChatPay, PayPal:
			if o.phase == phasePaying {
				o.phase = phaseWaiting
			}
		default:
			o.phase, o.declined, o.code = phaseDeclined, reason, string(reason)
			p.tellObject(o, payment.ResultDeclined, now)
		}
		return nil
	})
}

// PayerAbandons lets the payer walk away: nothing happens, which fails only if
// there is nothing to walk away from.
func (p *Provider) PayerAbandons(id string) error {
	return p.act("abandon", id, func(o *object, _ time.Time) error {
		if !o.payable() {
			return wrongPhase(o)
		}
		if o.phase == phasePaying {
			o.phase = phaseWaiting
		}
		return nil
	})
}

// DashboardCapture captures in the provider's dashboard, without us.
func (p *Provider) DashboardCapture(id string, amount money.Amount) error {
	return p.act("capture", id, func(o *object, now time.Time) error {
		if o.phase != phaseHeld || amount.Minor() > o.held() {
			return wrongPhase(o)
		}
		t := p.newPart(o, payment.OpCapture, nil, "cap", amount, partPending, now)
		t.by = ByDashboard
		p.captureNow(o, t, false, Fault{}, now)
		p.tellPart(t, now)
		return nil
	})
}

// DashboardVoid releases an authorization in the provider's dashboard. Whose id
// its notification carries is the provider's way: Stripe and PayPal notify that
// our own object is canceled, with what we put on it (metadata, custom_id);
// elsewhere the void is an object made there, which knows only its parent.
func (p *Provider) DashboardVoid(id string) error {
	return p.act("void", id, func(o *object, now time.Time) error {
		if o.phase != phaseHeld {
			return wrongPhase(o)
		}
		if p.d.sums || p.d.kind == PayPal {
			p.release(o, nil, ByDashboard, now)
			if o.taken > 0 {
				o.phase = phasePaid
			} else {
				o.phase = phaseCanceled
			}
			p.tellObject(o, payment.ResultCanceled, now)
			return nil
		}
		t := p.newPart(o, payment.OpVoid, nil, "void", o.of(o.held()), partPending, now)
		t.by = ByDashboard
		p.voidNow(o, t, Fault{}, now)
		p.tellPart(t, now)
		return nil
	})
}

// DashboardRefund refunds in the provider's dashboard.
func (p *Provider) DashboardRefund(id string, amount money.Amount) error {
	return p.act("refund", id, func(o *object, now time.Time) error {
		if amount.Currency() != o.amount.Currency() || amount.Minor() > o.captured-o.refunded {
			return fmt.Errorf("%s is more than what is captured and not refunded", amount)
		}
		t := p.newPart(o, payment.OpRefund, nil, "re", amount, partPending, now)
		t.by = ByDashboard
		o.refunded += amount.Minor()
		for _, c := range o.parts {
			if c.kind == payment.OpCapture && c.state == partDone && c.amount.Minor()-c.refunded >= amount.Minor() {
				c.refunded += amount.Minor()
				t.of = c
				break
			}
		}
		p.refundNow(o, t, Fault{}, now)
		p.tellPart(t, now)
		return nil
	})
}

// CaptureFails undoes collected money: the bank never pays it. id names a
// capture, or an attempt for its sale or its newest capture.
func (p *Provider) CaptureFails(id string) error {
	return p.actPart("undo the capture of", id, payment.OpCapture, func(o *object, t *part, now time.Time) error {
		amount := o.of(o.captured)
		if p.d.sums && !o.sale {
			return fmt.Errorf("a card's capture does not fail afterwards there")
		}
		if t != nil {
			if t.state != partDone {
				return fmt.Errorf("the capture is not approved")
			}
			amount = t.amount
			t.state, t.reason, t.code = partReversed, payment.ReasonUnknown, "capture_failed"
		}
		if amount.Minor() == 0 {
			return wrongPhase(o)
		}
		o.captured -= amount.Minor()
		p.move(o, t, MoveCaptureFailed, ByBank, amount, now)
		if t == nil || o.sale {
			o.phase, o.declined, o.code, o.out = phaseReversed, payment.ReasonUnknown, "capture_failed", false
			p.tell(note{kind: payment.OpAuthorize, status: payment.ResultReversed, op: o.op, stepKey: o.key, ref: o.ref, amount: amount, at: now})
			return nil
		}
		p.tellPart(t, now)
		return nil
	})
}

// RefundBounces returns a refund that was approved: the payer's account is
// closed. id names the refund, or an attempt for its newest one.
func (p *Provider) RefundBounces(id string) error {
	return p.actPart("return the refund of", id, payment.OpRefund, func(o *object, t *part, now time.Time) error {
		if t == nil || t.state != partDone {
			return fmt.Errorf("there is no approved refund")
		}
		t.state, t.reason, t.code = partReversed, payment.ReasonRefundDestination, "refund_returned"
		p.unreserve(o, t)
		p.move(o, t, MoveRefundFailed, ByBank, t.amount, now)
		p.tellPart(t, now)
		return nil
	})
}

// AuthorizationExpires ends a hold before its time, as issuers do.
func (p *Provider) AuthorizationExpires(id string) error {
	return p.act("expire", id, func(o *object, now time.Time) error {
		if o.phase != phaseHeld {
			return wrongPhase(o)
		}
		p.expireHold(o, ByBank, now)
		return nil
	})
}

// actPart is act on the part that id names, or on the newest of its kind of the
// attempt that id names; t is nil if there is none.
func (p *Provider) actPart(what, id string, kind payment.OperationKind, do func(o *object, t *part, now time.Time) error) error {
	p.mu.Lock()
	p.settle(p.now())
	t := p.parts[id]
	if t == nil {
		t = p.partOf[id]
	}
	p.mu.Unlock()
	if t != nil && t.obj != nil && t.kind == kind {
		id = t.obj.ref
	} else {
		t = nil
	}
	return p.act(what, id, func(o *object, now time.Time) error {
		for i := len(o.parts) - 1; i >= 0 && t == nil; i-- {
			if o.parts[i].kind == kind && o.parts[i].state == partDone {
				t = o.parts[i]
			}
		}
		return do(o, t, now)
	})
}
