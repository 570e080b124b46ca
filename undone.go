package payment

import (
	"fmt"
	"time"
)

// This file takes in that money went back: a success undone, a hold released,
// a payment given up.

// giveBack carries a cancellation on when an operation ends that was on its way
// when the payment was given up: what it collected is refunded, what it left
// held is voided, and what it did not give back is for a person.
func (u *unit) giveBack(o *Operation, lease bool) error {
	if o.Overpaid && o.Kind == OpCapture && o.State == StateApproved {
		return u.refundOverpaid(o, "captured at the provider", lease)
	}
	if !u.p.givenUp() || o.Overpaid {
		return nil
	}
	root := rootOf(u.p, o)
	switch {
	case root == nil:
		return nil
	case o.Kind == OpCapture && o.State == StateApproved:
		if can := u.p.refundable(o); can.IsPositive() && !u.c.capabilitiesOf(o).Refund.IsZero() {
			return u.planRefund(o, can, OriginEngine, "canceled", nil, lease)
		}
	case o.Kind == OpCapture && o.State.Dead(), o.Kind == OpCapture && o.State == StateReversed:
		if u.p.capturable(root).IsPositive() && !u.c.capabilitiesOf(root).Void.IsZero() {
			return u.planVoid(root, OriginEngine, lease)
		}
	case o.Kind == OpDispute && !o.State.Outstanding():
		// What the dispute held back is here again.
		of := u.p.Operation(o.Target)
		if can := smaller(u.p.refundable(of), floor0(u.p.Refundable())); can.IsPositive() && !u.c.capabilitiesOf(of).Refund.IsZero() {
			return u.planRefund(of, can, OriginEngine, "canceled", nil, lease)
		}
	case (o.Kind == OpRefund || o.Kind == OpVoid) && (o.State.Dead() || o.State == StateReversed) && o.Origin != OriginProvider:
		if u.p.Totals = computeTotals(u.p); u.p.Refundable().IsPositive() || u.p.holds() {
			u.parkFor(o.ID, fmt.Sprintf(givenUp+"the %s of %s failed", o.Kind, o.Amount), "give the money back by hand, or ask again")
		}
	}
	return nil
}

// reversed takes in that an approved operation was undone: a fact to record,
// not an error. Where it leaves more refunded than collected a person is told.
func (u *unit) reversed(e *Event, o *Operation) {
	if e.Reason == "" {
		e.Reason = fmt.Sprintf("the %s of %s was undone by the provider or a bank", o.Kind, o.Approved)
	}
	u.note(EventIncident, SourceEngine, o.ID, e.Reason)
	if o.Kind == OpRefund && o.Overpaid {
		u.parkFor(o.Target, "the refund of overpaid money came back from the bank", "give it back by another way")
	}
	if o.Kind == OpCapture && !o.Overpaid {
		u.parkFor(o.ID, fmt.Sprintf("the capture of %s failed after it was reported", o.Approved), "capture again, or void the authorization, or ask the payer")
	}
	t := computeTotals(u.p)
	if less(t.Captured.Done, t.Refunded.Done) {
		u.parkFor(o.ID, fmt.Sprintf("refunded %s of %s collected after the %s failed", t.Refunded.Done, t.Captured.Done, o.Kind), "collect the difference from the payer, or write it off")
	}
}

// released records that the rest of a hold is gone: canceled at the provider,
// or expired. It is a void that we did not ask for, or the answer to ours.
func (u *unit) released(e *Event, o *Operation, how State) error {
	for _, v := range u.p.Operations {
		if v.Kind == OpVoid && v.Target == o.ID && v.State.Outstanding() {
			// What was left is gone, whatever was captured meanwhile.
			v.Approved = u.p.held(o)
			u.applied(e, v, StateApproved)
			if s := v.current(); s != nil {
				s.State, s.Closed, s.Doubt, s.DueAt = StateApproved, true, false, time.Time{}
				u.touchStep(s)
			}
			e.OperationID, e.Kind = v.ID, OpVoid
			return nil
		}
	}
	rest := floor0(minus(u.p.held(o), u.unexplained(o)))
	if !rest.IsPositive() {
		u.ignore(e, reasonKnown)
		return nil
	}
	v, err := u.newOperation(OpVoid, OriginProvider, rest)
	if err != nil {
		return err
	}
	v.Target, v.Provider, v.Method, v.State, v.Approved, v.Overpaid = o.ID, o.Provider, o.Method, StateApproved, rest, o.Overpaid
	v.Why = "the authorization was " + string(how)
	e.Applied, e.Kind, e.OperationID, e.Reason, e.Amount = true, OpVoid, v.ID, v.Why, rest
	if u.p.Review != nil && u.p.Review.Operation == o.ID {
		u.p.Review = nil
	}
	return nil
}
