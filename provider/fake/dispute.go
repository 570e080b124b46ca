package fake

import (
	"context"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// dispute is a chargeback.
type dispute struct {
	fact payment.DisputeFact
	obj  *object
	part *part // the capture it is about, where it has an id
}

// disputeFee is what the fake charges per dispute, in minor units.
const disputeFee = 1500

// OpenDispute lets the payer's bank take collected money back, and returns the
// dispute's reference. id names an attempt or a capture.
func (p *Provider) OpenDispute(id string, amount money.Amount, reason string) (string, error) {
	var ref string
	err := p.actPart("dispute", id, payment.OpCapture, func(o *object, t *part, now time.Time) error {
		if o.captured == 0 || amount.Currency() != o.amount.Currency() || !amount.IsPositive() || amount.Minor() > o.captured {
			return fmt.Errorf("%s is not collected on it", amount)
		}
		ref = p.id("dp")
		d := &dispute{obj: o, part: t, fact: payment.DisputeFact{Ref: ref, Status: payment.DisputeNeedsResponse, Reason: reason,
			Code: "10.4", Amount: amount, Fee: o.of(disputeFee), Due: now.Add(7 * day).UTC()}}
		p.disputes[ref] = d
		p.moveDispute(d, MoveDisputed, now)
		p.tellDispute(d, now)
		return nil
	})
	return ref, err
}

// WinDispute lets the shop win: the money comes back.
func (p *Provider) WinDispute(ref string) error { return p.endDispute(ref, payment.DisputeWon) }

// LoseDispute lets the shop lose.
func (p *Provider) LoseDispute(ref string) error { return p.endDispute(ref, payment.DisputeLost) }

func (p *Provider) endDispute(ref string, s payment.DisputeStatus) error {
	p.mu.Lock()
	now := p.now()
	p.settle(now)
	d := p.disputes[ref]
	if d == nil || d.fact.Status.Ended() {
		p.mu.Unlock()
		return fmt.Errorf("fake: dispute %q is not open", ref)
	}
	d.fact.Status, d.fact.Due = s, time.Time{}
	if s == payment.DisputeWon {
		p.moveDispute(d, MoveDisputeWon, now)
	}
	p.tellDispute(d, now)
	p.mu.Unlock()
	p.push()
	return nil
}

// moveDispute books the money of a dispute. p.mu is held.
func (p *Provider) moveDispute(d *dispute, kind MovementKind, now time.Time) {
	d.obj.moves = append(d.obj.moves, move{kind: kind, by: ByBank, minor: d.fact.Amount.Minor(), at: now, dispute: d})
}

// tellDispute notifies where a dispute stands. p.mu is held.
func (p *Provider) tellDispute(d *dispute, now time.Time) {
	f := d.fact
	p.tell(note{kind: payment.OpDispute, ref: f.Ref, parent: d.obj.ref, amount: f.Amount, dispute: &f, at: now})
}

// Respond sends evidence. See [payment.Disputer].
func (p *Provider) Respond(ctx context.Context, r payment.RespondRequest) (payment.Result, error) {
	if p.d.respond.IsZero() {
		return p.unsupported(r.Step)
	}
	if !safe(r.DisputeRef, 255) {
		return payment.Result{}, p.fail(r.Step, payment.KindNotSent, "invalid_id", "DisputeRef cannot be sent", errHostile)
	}
	submit := "draft"
	if r.Submit {
		submit = "submit"
	}
	print := maphash.Comparable(p.hash, [5]string{"respond", r.Operation, r.DisputeRef, submit, r.Evidence.Text})
	return p.call(ctx, payment.OpRespond, &r.Call, print, func(f Fault, now time.Time) answer {
		return p.onDispute(&r.Call, payment.OpRespond, r.DisputeRef, f, now, func(d *dispute) {
			if r.Submit {
				d.fact.Status, d.fact.Due = payment.DisputeUnderReview, time.Time{}
			}
		})
	})
}

// Accept gives a dispute up. See [payment.Disputer].
func (p *Provider) Accept(ctx context.Context, r payment.AcceptRequest) (payment.Result, error) {
	if p.d.accept.IsZero() {
		return p.unsupported(r.Step)
	}
	if !safe(r.DisputeRef, 255) {
		return payment.Result{}, p.fail(r.Step, payment.KindNotSent, "invalid_id", "DisputeRef cannot be sent", errHostile)
	}
	print := maphash.Comparable(p.hash, [3]string{"accept", r.Operation, r.DisputeRef})
	return p.call(ctx, payment.OpAccept, &r.Call, print, func(f Fault, now time.Time) answer {
		return p.onDispute(&r.Call, payment.OpAccept, r.DisputeRef, f, now, func(d *dispute) {
			d.fact.Status, d.fact.Due = payment.DisputeAccepted, time.Time{}
		})
	})
}

// onDispute carries out an answer to an open dispute. p.mu is held.
func (p *Provider) onDispute(c *payment.Call, kind payment.OperationKind, ref string, f Fault, now time.Time, do func(*dispute)) answer {
	d := p.disputes[ref]
	switch {
	case d == nil:
		return deny("resource_missing")
	case d.fact.Status != payment.DisputeNeedsResponse && d.fact.Status != payment.DisputeInquiry:
		return deny("dispute_not_open")
	}
	t := p.newPart(nil, kind, c, "dr", money.Amount{}, partDone, now)
	if f.kind == faultDecline {
		t.state, t.reason, t.code = partFailed, f.reason, f.code
		return p.partAnswer(t)
	}
	do(d)
	p.tellDispute(d, now)
	return p.partAnswer(t)
}
