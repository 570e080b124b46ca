package fake

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// Save stores a method. See [payment.Vault].
func (p *Provider) Save(ctx context.Context, r payment.SaveRequest) (payment.Result, error) {
	if p.d.save.IsZero() {
		return p.unsupported(r.Step)
	}
	token := r.Method.Token.Reveal()
	print := maphash.Comparable(p.hash, [6]string{"save", r.Operation, string(r.Method.Method), token, r.Customer, r.ProviderCustomer})
	return p.call(ctx, payment.OpSave, &r.Call, print, func(f Fault, now time.Time) answer {
		t := p.newPart(nil, payment.OpSave, &r.Call, "seti_", money.Amount{}, partDone, now)
		f = p.outcome(&payment.AuthorizeRequest{Method: r.Method, ThreeDS: r.ThreeDS}, f)
		switch f.kind {
		case faultDecline, faultFailLater:
			t.state, t.reason, t.code = partFailed, f.reason, f.code
		case faultChallenge:
			t.state = partPending
			return answer{part: t, status: payment.ResultActionRequired}
		default:
			t.token = "saved_" + t.ref
		}
		p.tellSaved(t, now)
		return p.partAnswer(t)
	})
}

// tellSaved notifies the end of a Save. p.mu is held.
func (p *Provider) tellSaved(t *part, now time.Time) {
	a := standing(t)
	p.tell(note{kind: payment.OpSave, status: a.status, op: t.op, stepKey: t.key, ref: t.ref, token: t.token, reason: a.reason, code: a.code, at: now})
}

// payerSaves ends a Save that waits for the payer, and reports whether id names
// one.
func (p *Provider) payerSaves(id string, pass bool) bool {
	p.mu.Lock()
	t := p.parts[id]
	if t == nil {
		t = p.partOf[id]
	}
	if t == nil || t.kind != payment.OpSave || t.state != partPending {
		p.mu.Unlock()
		return false
	}
	if pass {
		t.state, t.token = partDone, "saved_"+t.ref
	} else {
		t.state, t.reason, t.code = partFailed, payment.ReasonAuthenticationFailed, "setup_intent_authentication_failure"
	}
	p.tellSaved(t, p.now())
	p.mu.Unlock()
	p.push()
	return true
}

// Forget removes a stored method; a payment with its token is declined from
// then on. See [payment.Vault].
func (p *Provider) Forget(ctx context.Context, r payment.ForgetRequest) (payment.Result, error) {
	if p.d.forget.IsZero() {
		return p.unsupported(r.Step)
	}
	token := r.Token.Reveal()
	print := maphash.Comparable(p.hash, [4]string{"forget", r.Operation, token, r.ProviderCustomer})
	return p.call(ctx, "forget", &r.Call, print, func(Fault, time.Time) answer {
		if token == "" {
			return deny("token_missing")
		}
		p.forgot[token] = true
		return answer{status: payment.ResultApproved}
	})
}
