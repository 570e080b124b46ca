package payment

import (
	"fmt"
	"time"

	"github.com/tender-go/payment/internal/httpx"
)

// This file takes facts in. Answers, webhooks, look-ups, the payer's return and
// a person's decisions all end in unit.apply, which moves one operation along
// the transition table and plans what follows without the payer. A fact is
// always recorded; one that changes nothing says why.

// stateOf maps an answer to the state it leads to.
func stateOf(s ResultStatus) State {
	switch s {
	case ResultApproved:
		return StateApproved
	case ResultPending, ResultContinue:
		return StatePending
	case ResultActionRequired:
		return StateActionRequired
	case ResultDeclined:
		return StateDeclined
	case ResultCanceled:
		return StateCanceled
	case ResultExpired:
		return StateExpired
	case ResultReversed:
		return StateReversed
	case ResultAbsent:
		return StateAbsent
	}
	return StateUnknown
}

// apply records e and its effect. With lease, what follows at once is leased to
// the caller, who sends it after the commit; else the worker sends it.
func (u *unit) apply(e *Event, lease bool) error {
	u.emit(e)
	if e.Type == "" {
		e.Type = EventFact
	}
	u.withoutPayer(e)
	if e.Kind == OpDispute {
		return u.applyDispute(e)
	}
	o, s := u.resolve(e)
	if o == nil {
		return u.originate(e)
	}
	named := e.OperationID == o.ID || operationOf(e.StepKey) == o.ID
	e.OperationID = o.ID
	if s != nil {
		e.StepKey = s.ID
	}
	if e.Provider != "" && e.Provider != o.Provider {
		u.park(e, o, fmt.Sprintf("provider %q reports an operation that ran at %q", e.Provider, o.Provider), "find out which provider has the money")
		return nil
	}
	if e.Cumulative {
		return u.applyCumulative(e, o, lease)
	}
	if s != nil && s.Fence {
		return u.applyFence(e, o, s)
	}
	if e.Failure.Kind != "" {
		u.applyFailure(e, o, s)
		return nil
	}
	if !u.amountFits(e, o) {
		if s != nil && s.State == StatePlanned {
			// An answer came, and it is in doubt: not an interrupted send.
			s.State, s.Doubt = StateUnknown, true
			u.applied(e, o, StateUnknown)
			e.Applied = false
			u.touchStep(s)
			u.schedule(o, s)
		}
		return nil
	}
	if named && u.mistaken(e, o) {
		return u.unmix(e, o, s)
	}
	if !named && o.Kind == OpCapture && o.Final && e.Ref != "" && !o.known(e.Ref) {
		o.Final = !u.c.capabilitiesOf(o).MultiCapture // it may be staff's, who did not say so
	}
	return u.applyStatus(e, o, s, lease)
}

// words are a person's own, as they are kept for good: without the payer's
// values and what the scrubber knows.
func (u *unit) words(s string) string {
	var values []string
	if w, err := u.wish(); err == nil {
		values = w.personal()
	}
	return httpx.Scrub(hide(s, values))
}

// withoutPayer takes the payer's own values out of a provider's free text,
// which is kept for good: the scrubber knows their forms, not their names.
func (u *unit) withoutPayer(e *Event) {
	if e.Decline.Message == "" && e.Failure.Message == "" {
		return
	}
	w, err := u.wish()
	if err != nil {
		e.Decline.Message, e.Failure.Message = "", "" // unreadable: the code says enough
		return
	}
	values := w.personal()
	e.Decline.Message = hide(e.Decline.Message, values)
	e.Failure.Message = hide(e.Failure.Message, values)
}

// ignore records that the fact changes nothing, and why.
func (u *unit) ignore(e *Event, why string) {
	e.Applied = false
	if e.Reason == "" {
		e.Reason = why
	}
}

// amountFits checks what the provider named against what was asked. A fact with
// another amount or currency is kept for a person and changes nothing.
func (u *unit) amountFits(e *Event, o *Operation) bool {
	if e.Amount.Currency() == "" || e.Status == ResultDeclined || e.Status == ResultCanceled ||
		e.Status == ResultExpired || e.Status == ResultAbsent {
		return true
	}
	if e.Amount.Currency() == o.Amount.Currency() && (e.Amount == o.Amount || (e.Status == ResultReversed && e.Amount == o.Approved)) {
		return true
	}
	if target := u.p.Operation(o.Target); o.Kind == OpVoid && target != nil && e.Amount.Currency() == o.Amount.Currency() &&
		!e.Amount.IsNegative() && !less(minus(target.Approved, u.p.collected(target)), e.Amount) {
		return true // a void releases what is left, whatever was captured, or not, meanwhile
	}
	u.park(e, o, fmt.Sprintf("the provider reports %s for an operation of %s", e.Amount, o.Amount),
		"compare with the provider's dashboard, then decide what was approved")
	return false
}

// applyFailure takes in a send without a usable answer.
func (u *unit) applyFailure(e *Event, o *Operation, s *Step) {
	if s == nil || (s.State != StatePlanned && s.State != StateUnknown) {
		u.ignore(e, "the step has an answer already")
		return
	}
	s.Failure = e.Failure
	u.touchStep(s)
	switch {
	case e.Failure.Kind == KindUnknown:
		s.Doubt, s.State = true, StateUnknown
		u.applied(e, o, StateUnknown)
		o.Failure = e.Failure
	case s.Doubt:
		// What a replay is told at the door proves nothing about the first send.
		s.State = StateUnknown
		u.touch(o)
		u.ignore(e, "an earlier send may have arrived; this refusal proves nothing about it")
	case (o.Kind != OpAuthorize || o.State == StatePending) && e.Failure.Kind != KindRejectedRequest && s.Sends < maxSends:
		// Nobody has to act for it and nothing was done: the worker sends it again.
		s.State, s.Lease = StatePlanned, u.now
		s.DueAt = u.now.Add(u.c.backoff(s.Sends))
		o.Failure = e.Failure
		u.touch(o)
		e.Applied, e.Reason = true, "not done; it is sent again"
		return
	case o.Kind == OpAuthorize && (o.State == StatePending || o.State == StateActionRequired):
		u.refusedLater(e, o, s)
		return
	default:
		s.State, s.Closed = StateFailed, true
		o.Failure = e.Failure
		u.applied(e, o, StateFailed)
		u.ended(o)
		u.sayWhyNoOther(o)
		if o.Kind != OpAuthorize && o.Origin == OriginEngine {
			u.parkFor(o.ID, fmt.Sprintf("the %s was refused: %s", o.Kind, e.Failure.Message), "carry it out by hand, or correct the cause and ask again")
		}
	}
	u.schedule(o, s)
}

// refusedLater takes in that a later step of an attempt was refused for good,
// after the payer has acted. Where the step carried what the browser brought
// back, the payer may come back with better; else the attempt has ended.
func (u *unit) refusedLater(e *Event, o *Operation, s *Step) {
	s.State, s.Closed, s.DueAt = StateFailed, true, time.Time{}
	o.Failure = e.Failure
	e.Applied = true
	u.touch(o)
	if _, resumes := u.c.byName[o.Provider].(Resumer); resumes && len(o.Steps) > 1 {
		for i := len(o.Steps) - 1; i >= 0; i-- {
			if back := o.Steps[i]; back != s && !back.Fence && back.Closed && back.State == StateApproved {
				back.State, back.Closed = StateActionRequired, false
				o.State, o.Payable = StateActionRequired, true
				u.uncharge(o)
				e.Reason = "what the payer's browser brought back was refused; the payer may come back again"
				u.touchStep(back)
				u.schedule(o, back)
				return
			}
		}
	}
	o.State = StateDeclined
	o.Decline = NewDecline(ReasonMerchantConfiguration, e.Failure.Code)
	o.Payable = u.c.capabilitiesOf(o).Fence != FenceOurs
	u.ended(o)
	u.sayWhyNoOther(o)
}

// applied moves the operation and says so in the event.
func (u *unit) applied(e *Event, o *Operation, to State) {
	if o.State != to && o.State.May(to) {
		o.State = to
	}
	e.Applied = true
	u.touch(o)
}

// applyStatus takes in an answer or a report with a status.
func (u *unit) applyStatus(e *Event, o *Operation, s *Step, lease bool) error {
	to := stateOf(e.Status)
	if s != nil && o.later(s) && (to == StatePending || to == StateActionRequired) {
		u.ignore(e, "an earlier stage reported late: a further step follows already")
		return u.learn(o, nil, e)
	}
	if err := u.learn(o, s, e); err != nil {
		return err
	}
	if e.Status == ResultContinue {
		return u.advance(e, o, s, lease)
	}
	if to == o.State {
		if to == StateActionRequired || to == StatePending {
			if err := u.refreshAction(e, o); err != nil {
				return err
			}
			if s != nil {
				if e.Source == SourceLookup {
					s.Checks++
				}
				s.State = to
				s.Doubt = false
				u.touchStep(s)
				u.schedule(o, s)
			}
		} else if to == StateApproved && o.Kind == OpAuthorize {
			if err := u.saveToken(e, o); err != nil {
				return err
			}
		}
		if to == StateCanceled || to == StateExpired {
			u.endedAt(o, e.At)
		}
		if !to.Outstanding() && s != nil && s.State.Outstanding() {
			s.State, s.Doubt, s.Closed, s.DueAt = to, false, true, time.Time{}
			u.touchStep(s)
		}
		u.ignore(e, reasonKnown)
		return nil
	}
	if !o.State.May(to) {
		return u.disallowed(e, o, to)
	}
	was := o.State
	u.applied(e, o, to)
	u.unpark(o)
	if s != nil {
		s.State, s.Doubt = to, false
		s.Failure = Failure{}
		s.Closed = s.Closed || to == StateApproved || to.Dead() || to == StateReversed
		u.touchStep(s)
	}
	o.Failure = Failure{}
	var err error
	switch {
	case to == StateApproved:
		err = u.approved(e, o, was, lease)
	case to == StateReversed:
		u.reversed(e, o)
	case to == StateActionRequired:
		o.Payable = true
		o.PayableUntil = e.ExpiresAt
		u.uncharge(o)
		if err = u.refreshAction(e, o); err == nil && (o.Superseded || u.p.Canceled || u.p.Expired || u.p.paying() != nil) {
			u.supersede(o, lease) // nobody wants it any more: close it at once
		}
	case to == StatePending:
		o.Payable = false
		err = u.setAction(o, nil)
	case to.Dead():
		o.Decline = e.Decline
		u.endedAt(o, e.At)
		o.Payable = o.Kind == OpAuthorize && to == StateDeclined && e.Payable
		err = u.setAction(o, nil)
		u.ended(o)
		u.sayWhyNoOther(o)
		if o.Kind != OpAuthorize && o.Origin == OriginEngine {
			u.parkFor(o.ID, fmt.Sprintf("the %s of %s, which nobody asked for by hand, was refused", o.Kind, o.Amount), "carry it out by hand, or ask again")
		}
	}
	if s != nil {
		u.schedule(o, s)
	}
	if o.Kind == OpAuthorize && !to.Outstanding() && !o.Payable {
		u.settleFence(o)
	}
	if err == nil && !to.Outstanding() {
		err = u.giveBack(o, lease)
	}
	return err
}

func (u *unit) refreshAction(e *Event, o *Operation) error {
	if e.Action == nil {
		return nil
	}
	u.touch(o)
	return u.setAction(o, e.Action)
}

// disallowed takes in a fact that the table does not let through.
func (u *unit) disallowed(e *Event, o *Operation, to State) error {
	switch {
	case o.Kind == OpAuthorize && o.State == StateApproved && !o.Sale && (to == StateCanceled || to == StateExpired):
		return u.released(e, o, to)
	case o.State == StateApproved && o.Kind == OpAuthorize && o.Sale && to == StateCanceled:
		u.park(e, o, "the provider reports a collected payment as canceled", "check whether the money came back, then decide")
	case o.Kind == OpRefund && o.State == StateApproved && (to == StateDeclined || to == StateCanceled):
		// A refund that went out and is refused since came back from the bank.
		u.applied(e, o, StateReversed)
		u.reversed(e, o)
		return u.giveBack(o, false)
	case o.State == StateReversed:
		u.ignore(e, "it was reversed; a reversal is final")
	case o.Kind == OpAuthorize && o.State.Dead() && (to == StateCanceled || to == StateExpired):
		u.endedAt(o, e.At)
		u.ignore(e, fmt.Sprintf("it is %s already", o.State))
	default:
		u.ignore(e, fmt.Sprintf("an earlier stage reported late: it is %s already", o.State))
	}
	return nil
}
