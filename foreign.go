package payment

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tender-go/payment/money"
)

// This file takes in what was done without us: in the provider's dashboard, or
// by a bank. It is never refused.

// originate opens an operation for a fact that none of ours explains: a
// capture, void or refund made in the provider's dashboard, or by a bank.
func (u *unit) originate(e *Event) error {
	root := u.parent(e)
	if root == nil || (e.Kind != OpCapture && e.Kind != OpVoid && e.Kind != OpRefund) {
		u.ignore(e, "it names no operation of this payment")
		return nil
	}
	e.OperationID = root.ID
	if e.Provider != "" && e.Provider != root.Provider {
		u.park(e, root, fmt.Sprintf("provider %q reports an operation that ran at %q", e.Provider, root.Provider), "find out which provider has the money")
		return nil
	}
	if e.Cumulative {
		return u.applyCumulative(e, root, false)
	}
	if e.Kind == OpVoid && e.Status == ResultApproved && root.State != StateApproved {
		// Its authorization is reported late: it will be known to have ended.
		if !e.At.IsZero() {
			u.endedAt(root, e.At.Add(1)) // within a tick it followed its approval
		}
		u.ignore(e, "nothing is known to be held yet")
		return nil
	}
	if e.Kind == OpVoid && e.Status == ResultApproved {
		return u.released(e, root, StateCanceled)
	}
	state := stateOf(e.Status)
	if !(state == StateApproved || state == StatePending || state == StateReversed) || e.Amount.Currency() == "" {
		u.ignore(e, "an operation of the provider's own that came to nothing")
		return nil
	}
	if e.Amount.Currency() != u.p.Amount.Currency() || !e.Amount.IsPositive() {
		u.park(e, root, fmt.Sprintf("the provider reports a %s of %s for a payment in %s", e.Kind, e.Amount, u.p.Amount.Currency()), "compare with the provider's dashboard")
		return nil
	}
	return u.adopt(e, root, e.Amount, state)
}

// adopt records an operation of the provider's own. It is never refused: where
// it breaks a limit a person is told.
func (u *unit) adopt(e *Event, root *Operation, amount money.Amount, state State) error {
	target := root
	if e.Kind == OpRefund {
		target = u.refundTarget(e, root, amount)
	}
	o, err := u.newOperation(e.Kind, OriginProvider, amount)
	if err != nil {
		return err
	}
	o.Target, o.Provider, o.Method, o.State, o.Overpaid = target.ID, root.Provider, root.Method, state, root.Overpaid
	o.Final = e.Kind == OpCapture && !u.c.capabilitiesOf(root).MultiCapture // the rest is released
	o.Why = "not asked for by us: made at the provider"
	if state == StateApproved || state == StateReversed {
		o.Approved = amount
	}
	if err := u.learn(o, nil, e); err != nil {
		return err
	}
	e.Applied, e.OperationID, e.Reason = true, o.ID, o.Why
	switch state {
	case StateApproved:
		u.approvedModification(o)
	case StateReversed:
		u.reversed(e, o)
	}
	return u.giveBack(o, false)
}

// dataSum is what the provider reported as captured of an authorization while a
// capture of ours was on its way, in minor units.
const dataSum = "captured_there"

// sumOpen begins what applyCumulative says while it cannot tell whose a sum is.
const sumOpen = "the provider reports "

// explainSums takes a reported sum in again once nothing of ours is on its way
// that might be part of it.
func (u *unit) explainSums() error {
	for _, root := range u.p.Operations {
		total, known := u.reportedSum(root)
		if !known || u.p.pendingCapture(root) {
			continue
		}
		u.remember(root, dataSum, "")
		e := u.emit(&Event{Type: EventFact, Source: SourceEngine, Kind: OpCapture, Provider: root.Provider, Status: ResultApproved,
			OperationID: root.ID, Cumulative: true, Amount: total})
		if err := u.applyCumulative(e, root, false); err != nil {
			return err
		}
		if k := u.p.Parked; k != nil && strings.HasPrefix(k.Why, sumOpen) && !strings.Contains(k.Why, "; ") && (e.Applied || e.Reason == reasonKnown) {
			u.p.Parked = nil
			u.note(EventFact, SourceEngine, root.ID, "the reported sum is explained: nobody is needed")
		}
	}
	return nil
}

// reportedSum is what the provider reported as captured of a hold and is not
// explained yet.
func (u *unit) reportedSum(root *Operation) (money.Amount, bool) {
	minor, err := strconv.ParseInt(root.Data[dataSum], 10, 64)
	return money.Of(minor, u.p.Amount.Currency()), err == nil
}

// unexplained is how much of it no operation stands for.
func (u *unit) unexplained(root *Operation) money.Amount {
	total, known := u.reportedSum(root)
	if !known {
		return money.Zero(u.p.Amount.Currency())
	}
	return floor0(minus(total, u.p.collected(root)))
}

// reasonKnown says that a fact was recorded before.
const reasonKnown = "already known"

// mistaken reports whether a capture made at the provider was taken for ours,
// whose outcome was open: the provider names another object for ours now.
func (u *unit) mistaken(e *Event, o *Operation) bool {
	root := u.p.Operation(o.Target)
	return o.Kind == OpCapture && o.Origin != OriginProvider && root != nil && e.Status == ResultApproved && o.State == StateApproved &&
		e.Ref != "" && o.Ref != "" && !o.known(e.Ref) && o.Ref != root.Ref && e.Ref != root.Ref
}

// unmix gives the object that was taken for ours to an operation of its own.
func (u *unit) unmix(e *Event, o *Operation, s *Step) error {
	root, theirs, amount := u.p.Operation(o.Target), o.Ref, o.Approved
	if less(u.p.held(root), amount) {
		u.park(e, o, fmt.Sprintf("the provider reports two captures, %s and %s, for one of ours", theirs, e.Ref), "compare with the provider's dashboard")
		return nil
	}
	if err := u.tx.Release(u.ctx, ClaimRef, refKey(o.Provider, theirs), o.ID); err != nil {
		return err
	}
	o.Ref = ""
	if err := u.learn(o, s, e); err != nil {
		return err
	}
	e.Applied, e.Reason = true, "the capture reported before was another one"
	own := u.emit(&Event{Type: EventFact, Source: e.Source, Kind: OpCapture, Provider: o.Provider, Status: ResultApproved, Ref: theirs, Parent: root.Ref, Amount: amount})
	return u.adopt(own, root, amount, StateApproved)
}

// refundTarget picks the sale or capture that a foreign refund draws on: the
// one it names, else the first that can bear it, else the last.
func (u *unit) refundTarget(e *Event, root *Operation, amount money.Amount) *Operation {
	if root.Sale {
		return root
	}
	var last *Operation
	for _, o := range u.p.Operations {
		if o.Kind != OpCapture || o.Target != root.ID || o.State != StateApproved {
			continue
		}
		if e.Parent != "" && o.known(e.Parent) {
			return o
		}
		if last == nil || less(u.p.refundable(last), amount) {
			last = o
		}
	}
	if last == nil {
		return root
	}
	return last
}

// applyCumulative takes in a sum of one kind on an authorize object: what is
// new of it belongs to the operation that waits for it, or was made there.
func (u *unit) applyCumulative(e *Event, at *Operation, lease bool) error {
	root := rootOf(u.p, at)
	if root == nil || e.Amount.Currency() != u.p.Amount.Currency() {
		u.park(e, at, fmt.Sprintf("the provider reports a sum of %s for a payment in %s", e.Amount, u.p.Amount.Currency()), "compare with the provider's dashboard")
		return nil
	}
	if root.Sale {
		u.ignore(e, reasonKnown)
		return nil
	}
	known := u.p.collected(root)
	if e.Kind == OpRefund {
		known = money.Zero(u.p.Amount.Currency())
		for _, o := range u.p.Operations {
			if o.Kind == OpRefund && o.State == StateApproved && rootOf(u.p, o) == root {
				known = sum(known, o.Approved)
			}
		}
	}
	rest := minus(e.Amount, known)
	switch {
	case rest.IsZero():
		u.ignore(e, reasonKnown)
		return nil
	case rest.IsNegative():
		u.ignore(e, "an earlier sum reported late")
		return nil
	}
	if e.Kind == OpCapture && u.p.pendingCaptures(root) > 1 {
		// Which of them it is, their answers and look-ups tell.
		u.remember(root, dataSum, strconv.FormatInt(e.Amount.Minor(), 10))
		u.ignore(e, "more than one capture is on its way; it is taken in once theirs is known")
		return nil
	}
	for _, o := range u.p.Operations {
		if o.Kind == e.Kind && rootOf(u.p, o) == root && o.State.Outstanding() && o.Amount == rest {
			e.Cumulative, e.Amount, e.OperationID = false, rest, o.ID
			s := o.current()
			if s != nil {
				e.StepKey = s.ID
			}
			return u.applyStatus(e, o, s, lease)
		}
	}
	for _, o := range u.p.Operations {
		if o.Kind == e.Kind && rootOf(u.p, o) == root && o.State.Outstanding() {
			if e.Kind == OpCapture {
				u.remember(root, dataSum, strconv.FormatInt(e.Amount.Minor(), 10))
			}
			u.park(e, o, fmt.Sprintf(sumOpen+"%s more %sd than is known, and %s is outstanding", rest, e.Kind, o.Amount), "compare with the provider's dashboard")
			return nil
		}
	}
	if root.State != StateApproved && root.State.May(StateApproved) {
		// The hold's own report was lost or comes later; a capture proves it.
		root.Sale = false
		was := root.State
		u.applied(e, root, StateApproved)
		if s := root.current(); s != nil && s.State.Outstanding() {
			s.State, s.Closed, s.Doubt, s.DueAt = StateApproved, true, false, time.Time{}
			u.touchStep(s)
		}
		u.note(EventFact, e.Source, root.ID, "a capture proves the authorization")
		u.first = append(u.first, func() error { return u.applyCumulative(e, root, lease) })
		if err := u.approved(&Event{Amount: root.Amount}, root, was, false); err != nil {
			return err
		}
		return u.takeFirst()
	}
	e.Cumulative = false
	left := u.p.held(root)
	for _, v := range u.p.Operations {
		if v.Kind == OpVoid && v.Target == root.ID && v.State == StateApproved && v.Origin == OriginProvider {
			left = sum(left, v.Approved) // undoExpiry takes back what was captured instead
		}
	}
	if e.Kind == OpCapture && less(left, rest) {
		u.park(e, root, fmt.Sprintf("the provider reports a capture of %s of the %s that is held", rest, left), "compare with the provider's dashboard, then decide")
		return nil
	}
	return u.adopt(e, root, rest, StateApproved)
}
