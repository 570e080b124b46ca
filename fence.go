package payment

import (
	"fmt"
	"time"
)

// This file ends attempts: what the payer could still pay is made unpayable by
// the method's own fence before it is believed to be over.

// fence is the newest fence step, or nil.
func (o *Operation) fence() *Step {
	for i := len(o.Steps) - 1; i >= 0; i-- {
		if o.Steps[i].Fence {
			return o.Steps[i]
		}
	}
	return nil
}

// settleFence ends a fence whose attempt has ended: closed, or paid.
func (u *unit) settleFence(o *Operation) {
	f := o.fence()
	if f == nil || !f.State.Outstanding() {
		return
	}
	f.State, f.Closed, f.Doubt, f.DueAt = StateApproved, true, false, time.Time{}
	if o.State == StateApproved {
		f.State = StateDeclined
	}
	u.touchStep(f)
}

// cause says in words why an operation ended without effect.
func (o *Operation) cause() string {
	switch {
	case o.State == StateAbsent:
		return "the provider never received it"
	case o.State == StateDeclined && !o.Decline.IsZero():
		return "declined, " + string(o.Decline.Reason)
	case o.Failure.Message != "":
		return string(o.State) + ", " + o.Failure.Message
	}
	return string(o.State)
}

// uncharge ends the charging of an attempt.
func (u *unit) uncharge(o *Operation) {
	if o.Kind != OpAuthorize || !o.Charging {
		return
	}
	o.Charging = false
	u.touch(o)
	u.release = append(u.release, Claim{Kind: ClaimCharging, Key: u.p.ID, Owner: o.ID})
}

// ended closes what is left open of an operation that ended without effect.
func (u *unit) ended(o *Operation) {
	u.uncharge(o)
	switch o.Kind {
	case OpCapture, OpVoid, OpRefund, OpTransfer:
		if o.Origin == OriginShop { // the call may have returned long ago
			u.note(EventIncident, SourceEngine, o.ID, fmt.Sprintf("the %s of %s was not done: %s", o.Kind, o.Amount, o.cause()))
		}
	}
	for _, s := range o.Steps {
		if s.State.Outstanding() && !s.Fence {
			s.Closed, s.DueAt = true, time.Time{}
			if s.State == StatePlanned && s.Sends == 0 {
				s.State = StateFailed // never sent
			} else {
				s.State = o.State
			}
			u.touchStep(s)
		}
	}
}

// closeOthers fences every other attempt that could still take money.
func (u *unit) closeOthers(paid *Operation, lease bool) {
	for _, o := range u.p.attempts() {
		if o != paid && (o.State.Outstanding() || o.Payable) {
			u.supersede(o, lease)
		}
	}
}

// supersede gives an attempt up. What the payer could still pay is fenced by
// the method's own way; what is charging stays open until its outcome is known.
func (u *unit) supersede(o *Operation, lease bool) {
	if !o.Superseded {
		o.Superseded = true
		u.touch(o)
		u.note(EventRouted, SourceEngine, o.ID, "the attempt is given up")
	}
	for _, s := range o.Steps {
		if s.State == StatePlanned && s.Sends == 0 && !s.Fence {
			s.State, s.Closed, s.DueAt = StateFailed, true, time.Time{}
			u.touchStep(s)
		}
	}
	caps := u.c.capabilitiesOf(o)
	open := o.State == StateActionRequired || o.Payable
	switch {
	case o.State == StatePlanned && o.neverSent():
		o.State = StateFailed
		u.ended(o)
	case (o.State == StatePending || o.State == StateActionRequired || o.Payable) && caps.Fence == FenceOurs && !o.moving():
		// Without a later step of ours nothing can be collected.
		o.Payable = false
		if o.State.Outstanding() {
			o.State = StateCanceled
			u.ended(o)
		}
	case (open || o.State == StateUnknown || o.State == StatePending) && !caps.FenceStep.IsZero() && o.fencible():
		u.planFence(o, caps.FenceStep, lease)
	case o.State == StatePlanned && !o.current().State.Outstanding() && !o.moving():
		// A step was answered, and the next will never be sent.
		if o.State = StatePending; !caps.FenceStep.IsZero() && o.fencible() {
			u.planFence(o, caps.FenceStep, lease)
		} else {
			o.State = StateCanceled
			u.ended(o)
		}
	}
	u.touch(o)
}

// fencible reports whether the provider can be told what to close.
func (o *Operation) fencible() bool {
	s := o.current()
	return o.Ref != "" || (s != nil && s.Recovery.FenceByReference)
}

// arriving reports whether a send without an answer may still reach the
// provider.
func (u *unit) arriving(o *Operation) bool {
	s := o.current()
	return s != nil && s.State == StateUnknown && u.now.Before(u.c.proofAt(s))
}

// proofAt is when whatever was sent of a step has arrived or never will.
func (c *Client) proofAt(s *Step) time.Time {
	return s.Lease.Add(c.skew + s.Recovery.LookupGrace)
}

// neverSent reports whether no step of the operation was ever sent.
func (o *Operation) neverSent() bool {
	for _, s := range o.Steps {
		if s.Sends > 0 {
			return false
		}
	}
	return true
}

// moving reports whether a step that can move money was sent and is not dead.
func (o *Operation) moving() bool {
	for _, s := range o.Steps {
		if s.MovesMoney && s.Sends > 0 && !s.State.Dead() {
			return true
		}
	}
	return false
}

// planFence asks the provider to make an attempt unpayable. One fence at a time.
func (u *unit) planFence(o *Operation, spec StepSpec, lease bool) {
	if f := o.fence(); f != nil && f.State.Outstanding() {
		return
	}
	r := &FenceRequest{Amount: o.Amount, Method: o.Method}
	if s := o.current(); s != nil {
		r.TargetKey = s.ID
	}
	if err := u.planStep(o, spec, order{Fence: r}, lease); err != nil {
		// The subject was erased: nobody can ask any more, a person must.
		u.parkFor(o.ID, "the attempt could not be closed: "+err.Error(), "cancel it in the provider's dashboard")
	}
}

// applyFence takes in what became of a fence.
func (u *unit) applyFence(e *Event, o *Operation, s *Step) error {
	if s.Closed || (s.State != StatePlanned && s.State != StateUnknown) {
		u.ignore(e, "the fence is settled already")
		return nil
	}
	if s.Closed && e.Status != ResultApproved && e.Status != ResultCanceled {
		u.ignore(e, "the attempt has ended meanwhile; its fence is not asked for again")
		return nil
	}
	u.touchStep(s)
	s.Failure = e.Failure
	switch {
	case e.Failure.Kind == KindUnknown || e.Status == ResultPending:
		s.State, s.Doubt = StateUnknown, true
		s.Checks++
		s.DueAt = u.now.Add(u.c.backoff(s.Checks))
		e.Applied, e.Reason = true, "the fence is not confirmed"
	case e.Failure.Kind != "" && e.Failure.Kind != KindRejectedRequest && s.Sends < maxSends:
		s.State, s.Lease = StatePlanned, u.now
		s.DueAt = u.now.Add(u.c.backoff(s.Sends))
		e.Applied, e.Reason = true, "not done; it is sent again"
	case (e.Status == ResultApproved || e.Status == ResultCanceled) && e.Ref == "" && u.arriving(o):
		// The provider found nothing to close while our send may be on its way.
		s.State, s.Closed, s.DueAt = StateFailed, true, time.Time{}
		e.Applied, e.Reason = true, "nothing was there to close, and what was sent may still arrive; it is closed once it has"
		cur := o.current()
		cur.Closed, cur.DueAt = true, u.c.proofAt(cur)
		u.touchStep(cur)
	case e.Status == ResultApproved || e.Status == ResultCanceled:
		s.State, s.Closed, s.DueAt, s.Ref = StateApproved, true, time.Time{}, e.Ref
		e.Applied = true
		o.Payable = false
		if o.State.May(StateCanceled) && o.State.Outstanding() {
			o.State = StateCanceled
			u.ended(o)
		}
		e.Reason = "closed: no money can move on it any more"
		if err := u.setAction(o, nil); err != nil {
			return err
		}
		u.touch(o)
	default:
		s.State, s.Closed, s.DueAt = StateDeclined, true, time.Time{}
		e.Applied, e.Reason = true, "it could not be closed; its outcome is looked up"
		if o.State.Outstanding() && !o.Payable && !o.current().State.Outstanding() && !o.moving() {
			// Nothing that could charge was ever sent, and nothing was handed out.
			o.State, e.Reason = StateCanceled, "no money can move without a further step, which is never sent"
			u.ended(o)
			u.touch(o)
			return nil
		}
		if cur := o.current(); cur != nil && o.State.Outstanding() {
			cur.DueAt = u.now
			u.touchStep(cur)
		}
	}
	return nil
}
