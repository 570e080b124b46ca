package payment

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tender-go/payment/money"
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
	return u.applyStatus(e, o, s, lease)
}

// outcomeUnknown begins what giveUp says; unpark lifts it once the outcome is
// known after all.
const outcomeUnknown = "the outcome of "

// givenUp begins what giveBack says; it is lifted once nothing is left to give.
const givenUp = "the payment was given up, and "

func (u *unit) unpark(o *Operation) {
	k := u.p.Parked
	if k == nil || k.Operation != o.ID || o.State.Outstanding() || !strings.HasPrefix(k.Why, outcomeUnknown) || strings.Contains(k.Why, "; ") {
		return
	}
	u.p.Parked = nil
	u.note(EventFact, SourceEngine, o.ID, "its outcome is known after all: nobody is needed")
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

// resolve finds the operation, and where it can the step, that a fact is about.
func (u *unit) resolve(e *Event) (*Operation, *Step) {
	if o, s := u.p.Step(e.StepKey); o != nil && (o.Kind == e.Kind || s.Fence) {
		return o, s
	}
	match := func(o *Operation) bool { return o.Kind == e.Kind && (e.Provider == "" || o.Provider == e.Provider) }
	step := func(o *Operation) *Step {
		if e.Status == ResultContinue {
			return o.waiting(u.c.capabilitiesOf(o).Flow)
		}
		return o.current()
	}
	if o := u.p.Operation(e.OperationID); o != nil && match(o) {
		return o, step(o)
	}
	refs := []string{e.Ref}
	if e.Kind == OpAuthorize {
		// Only an attempt goes by several ids. A refund's further ids are those
		// of the charge, which all its refunds share.
		refs = append(refs, e.Refs...)
	}
	for _, ref := range refs {
		for _, o := range u.p.Operations {
			if root := rootOf(u.p, o); ref == "" || !match(o) || !o.known(ref) || (e.Kind == OpCapture && root != nil && root.Ref == ref) {
				continue
			}
			return o, step(o)
		}
	}
	if e.Cumulative {
		return u.parent(e), nil
	}
	if e.Kind == OpVoid || e.Kind == OpCapture {
		// An authorization has one void, and a capture without an id of its
		// own is the one whose outcome is open.
		if parent := u.parent(e); parent != nil {
			for _, o := range u.p.Operations {
				if match(o) && !o.other(e.Ref, parent) && o.Target == parent.ID && o.State.Outstanding() && (e.Amount.Currency() == "" || e.Amount == o.Amount) {
					return o, o.current()
				}
			}
		}
	}
	return nil, nil
}

// known reports whether the provider calls the operation by ref.
func (o *Operation) known(ref string) bool { return o.Ref == ref || slices.Contains(o.Refs, ref) }

// current is the step that carries the operation on: the newest whose outcome
// is open, else the newest, or nil.
func (o *Operation) current() *Step {
	for i := len(o.Steps) - 1; i >= 0; i-- {
		if !o.Steps[i].Fence && o.Steps[i].State.Outstanding() {
			return o.Steps[i]
		}
	}
	for i := len(o.Steps) - 1; i >= 0; i-- {
		if !o.Steps[i].Fence {
			return o.Steps[i]
		}
	}
	return nil
}

// other reports whether the provider has another object for the operation than
// the one named.
func (o *Operation) other(ref string, root *Operation) bool {
	return ref != "" && o.Ref != "" && o.Ref != ref && root.Ref != ref
}

// later reports whether a further step follows s.
func (o *Operation) later(s *Step) bool {
	cur := o.current()
	return cur != nil && cur != s && !s.Fence
}

// waiting is the newest step that a further one of the flow may follow: what a
// "go on" without a step's key is about.
func (o *Operation) waiting(flow []StepSpec) *Step {
	for i := len(o.Steps) - 1; i >= 0; i-- {
		if s := o.Steps[i]; !s.Fence {
			if _, ok := nextSpec(flow, s.Name); ok {
				return s
			}
		}
	}
	return nil
}

// fence is the newest fence step, or nil.
func (o *Operation) fence() *Step {
	for i := len(o.Steps) - 1; i >= 0; i-- {
		if o.Steps[i].Fence {
			return o.Steps[i]
		}
	}
	return nil
}

// parent finds the authorize operation that a fact about another kind of
// operation points to.
func (u *unit) parent(e *Event) *Operation {
	if o := u.p.Operation(e.OperationID); o != nil {
		if root := rootOf(u.p, o); root != nil {
			return root
		}
	}
	for _, ref := range append([]string{e.Parent, e.Ref}, e.Refs...) {
		if ref == "" {
			continue
		}
		for _, o := range u.p.Operations {
			if o.known(ref) && (e.Provider == "" || o.Provider == e.Provider) {
				if root := rootOf(u.p, o); root != nil {
					return root
				}
			}
		}
	}
	return nil
}

// ignore records that the fact changes nothing, and why.
func (u *unit) ignore(e *Event, why string) {
	e.Applied = false
	if e.Reason == "" {
		e.Reason = why
	}
}

// park records that a person is needed.
func (u *unit) park(e *Event, o *Operation, why, missing string) {
	u.ignore(e, why)
	id := ""
	if o != nil {
		id = o.ID
	}
	u.parkFor(id, why, missing)
}

func (u *unit) parkFor(operation, why, missing string) {
	if k := u.p.Parked; k != nil {
		if strings.Contains(k.Why, why) {
			return
		}
		// One more cause: neither is lost, and a person clears both.
		both := &Parked{Since: k.Since, Operation: k.Operation, Why: k.Why + "; " + why, Missing: k.Missing}
		if k.Operation != operation {
			both.Operation = ""
		}
		if !strings.Contains(k.Missing, missing) {
			both.Missing += "; " + missing
		}
		u.p.Parked = both
	} else {
		u.p.Parked = &Parked{Since: u.now, Operation: operation, Why: why, Missing: missing}
	}
	u.note(EventParked, SourceEngine, operation, why)
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

// learn merges ids and data. It reports whether anything was new.
func (u *unit) learn(o *Operation, s *Step, e *Event) {
	changed := false
	if s != nil && e.Ref != "" && s.Ref != e.Ref {
		s.Ref = e.Ref
		u.touchStep(s)
	}
	refs := []string{e.Ref}
	if o.Kind == OpAuthorize {
		refs = append(refs, e.Refs...)
	}
	for _, ref := range refs {
		if ref == "" || o.known(ref) {
			continue
		}
		if o.Ref == "" {
			o.Ref = ref
		} else {
			o.Refs = append(slices.Clone(o.Refs), ref)
		}
		changed = true
		u.claimRef(o, ref)
	}
	for k, v := range e.Data {
		if o.Data[k] != v {
			data := make(map[string]string, len(o.Data)+1)
			for k, v := range o.Data {
				data[k] = v
			}
			data[k] = v
			o.Data, changed = data, true
		}
	}
	if e.Card != (CardInfo{}) && o.Card != e.Card {
		o.Card, changed = e.Card, true
	}
	if e.ThreeDS != (ThreeDSResult{}) && o.ThreeDS != e.ThreeDS {
		o.ThreeDS, changed = e.ThreeDS, true
	}
	if e.Fee.Currency() != "" && o.Fee != e.Fee {
		o.Fee, changed = e.Fee, true
	}
	if !e.ExpiresAt.IsZero() && !o.ExpiresAt.Equal(e.ExpiresAt) && e.Status == ResultApproved {
		o.ExpiresAt, changed = e.ExpiresAt, true
	}
	if changed {
		u.touch(o)
	}
}

// claimRef makes the provider's id lead to this operation, unless an operation
// of the payment has it already (a capture that shares its intent's id).
func (u *unit) claimRef(o *Operation, ref string) {
	for _, other := range u.p.Operations {
		if other != o && other.Provider == o.Provider && other.known(ref) {
			return
		}
	}
	u.claims = append(u.claims, Claim{Kind: ClaimRef, Key: refKey(o.Provider, ref), Owner: o.ID, Payment: u.p.ID})
}

func refKey(provider, ref string) string { return provider + ":" + ref }

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
		u.learn(o, nil, e)
		u.ignore(e, "an earlier stage reported late: a further step follows already")
		return nil
	}
	u.learn(o, s, e)
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
		} else if s != nil && s.State.Outstanding() {
			s.State, s.Doubt, s.Closed, s.DueAt = to, false, true, time.Time{}
			u.touchStep(s)
		}
		u.ignore(e, "already known")
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
		if !e.At.IsZero() && o.Kind == OpAuthorize {
			u.remember(o, dataEnded, e.At)
		}
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

// giveBack carries a cancellation on when an operation ends that was on its way
// when the payment was given up: what it collected is refunded, what it left
// held is voided, and what it did not give back is for a person.
func (u *unit) giveBack(o *Operation, lease bool) error {
	if !u.p.Canceled && u.p.Blocked == (Decline{}) || o.Overpaid {
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
	case (o.Kind == OpRefund || o.Kind == OpVoid) && (o.State.Dead() || o.State == StateReversed) && o.Origin != OriginProvider:
		if u.p.Totals = computeTotals(u.p); u.p.Refundable().IsPositive() || u.p.holds() {
			u.parkFor(o.ID, fmt.Sprintf(givenUp+"the %s of %s failed", o.Kind, o.Amount), "give the money back by hand, or ask again")
		}
	}
	return nil
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
	default:
		u.ignore(e, fmt.Sprintf("an earlier stage reported late: it is %s already", o.State))
	}
	return nil
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

// approved takes in a success.
func (u *unit) approved(e *Event, o *Operation, was State, lease bool) error {
	amount := o.Amount
	if e.Amount.Currency() != "" {
		amount = e.Amount
	}
	if root := u.p.Operation(o.Target); o.Kind == OpVoid && root != nil {
		amount = smaller(amount, u.p.held(root)) // another void may have counted the same release
	}
	o.Approved, o.Payable = amount, false
	if err := u.setAction(o, nil); err != nil {
		return err
	}
	if o.Kind != OpAuthorize {
		u.approvedModification(o)
		return nil
	}
	if was.Dead() && was != StateFailed {
		e.Reason = "a late success of an attempt that was " + string(was)
	}
	o.Sale = e.Captured || (o.Sale && !u.c.capabilitiesOf(o).Hold)
	if o.ExpiresAt.IsZero() && !o.Sale {
		if life := u.c.capabilitiesOf(o).HoldFor; life > 0 {
			o.ExpiresAt = u.now.Add(life)
		}
	}
	overpaid, why, err := u.notTheOrders(o)
	if err != nil {
		return err
	}
	if overpaid {
		return u.overpaid(e, o, why, lease)
	}
	u.closeOthers(o, lease)
	if ended, at := time.Parse(time.RFC3339Nano, o.Data[dataEnded]); !o.Sale && at == nil && !e.At.IsZero() && e.At.Before(ended) {
		// Reported late: the hold had ended by then.
		return u.released(&Event{}, o, was)
	}
	if err := u.saveToken(e, o); err != nil {
		return err
	}
	if o.Sale {
		return nil
	}
	if u.c.hasHooks(StageAfterAuthorize) {
		u.p.Review = &Review{Stage: StageAfterAuthorize, Operation: o.ID, Until: u.now.Add(u.c.cfg.ReviewFor)}
		return nil
	}
	return u.autoCapture(o, lease)
}

// dataEnded is when the provider says that an attempt ended without money.
const dataEnded = "ended"

// remember keeps a time of the provider's with an operation.
func (u *unit) remember(o *Operation, name string, at time.Time) {
	data := make(map[string]string, len(o.Data)+1)
	for k, v := range o.Data {
		data[k] = v
	}
	data[name] = at.UTC().Format(time.RFC3339Nano)
	o.Data = data
	u.touch(o)
}

// notTheOrders reports whether a success of attempt o is money that is not the
// order's: it is paid, canceled or expired already, or another payment holds
// its reference.
func (u *unit) notTheOrders(o *Operation) (bool, string, error) {
	p := u.p
	for _, other := range p.attempts() {
		if other != o && !other.Overpaid && other.State == StateApproved {
			return true, "the order is paid by another attempt", nil
		}
	}
	switch {
	case p.Canceled:
		return true, "the payment was canceled", nil
	case p.Expired || p.Status == StatusExpired || p.Status == StatusCanceled:
		return true, "the payment had " + string(p.Status) + " before", nil
	case p.Blocked != (Decline{}):
		return true, "the payment is blocked", nil
	case p.Additional || p.HoldsReference:
		return false, "", nil
	}
	// The reference was given free when the payment seemed dead: it is taken
	// again, unless another payment has it.
	held, err := u.tx.Claimed(u.ctx, ClaimReference, p.Reference)
	switch {
	case errors.Is(err, ErrNotFound):
		p.HoldsReference = true
		u.claims = append(u.claims, Claim{Kind: ClaimReference, Key: p.Reference, Owner: p.ID, Payment: p.ID})
		return false, "", nil
	case err != nil:
		return false, "", err
	case held.Owner == p.ID:
		p.HoldsReference = true
		return false, "", nil
	}
	return true, "payment " + held.Owner + " holds the reference", nil
}

// overpaid keeps money apart that is not the order's, and gives it back.
func (u *unit) overpaid(e *Event, o *Operation, why string, lease bool) error {
	o.Overpaid = true
	e.Reason = why
	u.note(EventIncident, SourceEngine, o.ID, fmt.Sprintf("%s arrived that is not the order's: %s", o.Approved, why))
	if u.c.cfg.KeepOverpaid {
		u.parkFor(o.ID, "overpaid: "+why, "refund it or assign it to another order")
		return nil
	}
	caps := u.c.capabilitiesOf(o)
	if o.Sale {
		if caps.Refund.IsZero() {
			u.parkFor(o.ID, "overpaid: "+why, "the provider cannot refund: give it back by hand")
			return nil
		}
		can := u.p.refundable(o) // some of it may be back already
		if !can.IsPositive() {
			return nil
		}
		return u.planRefund(o, can, OriginEngine, "overpaid", nil, lease)
	}
	if caps.Void.IsZero() {
		return nil // the hold ends by itself
	}
	return u.planVoid(o, OriginEngine, lease)
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
	case e.Status == ResultApproved || e.Status == ResultCanceled:
		s.State, s.Closed, s.DueAt = StateApproved, true, time.Time{}
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

// advance carries an attempt on to the next step of its flow.
func (u *unit) advance(e *Event, o *Operation, s *Step, lease bool) error {
	if s == nil || o.Kind != OpAuthorize || !o.State.Outstanding() {
		u.ignore(e, fmt.Sprintf("an earlier stage reported late: it is %s already", o.State))
		return nil
	}
	caps := u.c.capabilitiesOf(o)
	next, ok := nextSpec(caps.Flow, s.Name)
	if !ok || s.State == StateApproved || o.later(s) {
		u.ignore(e, "already known")
		return nil
	}
	s.State, s.Closed, s.Doubt, s.DueAt, s.Failure = StateApproved, true, false, time.Time{}, Failure{}
	u.touchStep(s)
	e.Applied = true
	if o.State != StatePlanned {
		u.applied(e, o, StatePending)
		o.Failure = Failure{}
	}
	u.touch(o)
	if stop := u.mayNotCharge(o); stop != "" {
		e.Reason = stop
		u.applied(e, o, StatePending)
		if u.supersede(o, lease); o.State == StatePending && o.fence() == nil && !o.moving() {
			o.State = StateCanceled // nothing was handed out, and no further step is sent
			u.ended(o)
		}
		return nil
	}
	w, err := u.wish()
	if err != nil {
		return u.cannotRead(o, err)
	}
	return u.planAuthorize(o, next, w, lease)
}

// cannotRead gives an attempt up whose payer's values were erased: there is
// nothing left to send. Other errors are the store's.
func (u *unit) cannotRead(o *Operation, err error) error {
	if !errors.Is(err, ErrErased) && !errors.Is(err, errSealed) && !errors.Is(err, ErrNotFound) {
		return err
	}
	u.supersede(o, false)
	u.parkFor(o.ID, "the payer's values were erased before the attempt ended", "nothing further can be sent for it")
	return nil
}

// mayNotCharge says why no step that moves money may be planned for o, or "".
// Every plan of such a step asks it.
func (u *unit) mayNotCharge(o *Operation) string {
	p := u.p
	switch {
	case p.Canceled:
		return "the payment was canceled"
	case p.Expired:
		return "the payment expired"
	case p.Blocked != (Decline{}):
		return "the payment is blocked"
	case o != nil && o.Superseded:
		return "another attempt was opened"
	case p.paying() != nil && p.paying() != o:
		return "the order is paid by another attempt"
	}
	for _, other := range p.attempts() {
		if other != o && other.Charging && other.State.Outstanding() {
			return "another attempt may be charging"
		}
	}
	return ""
}

func nextSpec(flow []StepSpec, name string) (StepSpec, bool) {
	for i, s := range flow {
		if s.Name == name && i+1 < len(flow) {
			return flow[i+1], true
		}
	}
	return StepSpec{}, false
}

// approvedModification takes in the success of a capture, void, refund,
// transfer or answer to a dispute.
func (u *unit) approvedModification(o *Operation) {
	target := u.p.Operation(o.Target)
	switch o.Kind {
	case OpCapture:
		u.undoExpiry(target)
		if target != nil && less(target.Approved, u.p.collected(target)) {
			u.parkFor(o.ID, fmt.Sprintf("captures of %s exceed the authorization of %s", u.p.collected(target), target.Approved), "compare with the provider's dashboard")
		}
	case OpRefund:
		if back := u.p.refunded(o.Target); target != nil && less(target.Approved, back) {
			u.parkFor(o.ID, fmt.Sprintf("refunds of %s exceed the captured %s", back, target.Approved), "compare with the provider's dashboard")
		}
	}
	if o.Kind == OpVoid && target != nil && u.p.Review != nil && u.p.Review.Operation == target.ID {
		u.p.Review = nil
	}
}

// undoExpiry takes back a void that the clock recorded for a hold of which more
// was captured than was known then.
func (u *unit) undoExpiry(root *Operation) {
	if root == nil {
		return
	}
	for _, v := range u.p.Operations {
		over := minus(sum(u.p.collected(root), u.p.voided(root)), root.Approved)
		if !over.IsPositive() {
			return
		}
		if v.Kind != OpVoid || v.Target != root.ID || v.State != StateApproved || v.Origin != OriginProvider {
			continue
		}
		u.touch(v)
		if less(over, v.Approved) {
			v.Approved = minus(v.Approved, over)
		} else {
			v.State = StateReversed
		}
		u.note(EventIncident, SourceEngine, v.ID, "more was captured than was known when the authorization ended; its release was "+over.String()+" less")
	}
	if less(root.Approved, sum(u.p.collected(root), u.p.voided(root))) {
		u.parkFor(root.ID, "captures and releases exceed the authorization of "+root.Approved.String(), "compare with the provider's dashboard")
	}
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
	rest := u.p.held(o)
	if !rest.IsPositive() {
		u.ignore(e, "already known")
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
	u.learn(o, nil, e)
	e.Applied, e.OperationID, e.Reason = true, o.ID, o.Why
	switch state {
	case StateApproved:
		u.approvedModification(o)
	case StateReversed:
		u.reversed(e, o)
	}
	return nil
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
		u.ignore(e, "already known")
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
		u.ignore(e, "already known")
		return nil
	case rest.IsNegative():
		u.ignore(e, "an earlier sum reported late")
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
			u.park(e, o, fmt.Sprintf("the provider reports %s more %sd than is known, and %s is outstanding", rest, e.Kind, o.Amount), "compare with the provider's dashboard")
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
		if err := u.approved(&Event{Amount: root.Amount}, root, was, false); err != nil {
			return err
		}
		return u.applyCumulative(e, root, lease)
	}
	e.Cumulative = false
	if left := u.p.held(root); e.Kind == OpCapture && less(left, rest) {
		u.park(e, root, fmt.Sprintf("the provider reports a capture of %s of the %s that is held", rest, left), "compare with the provider's dashboard, then decide")
		return nil
	}
	return u.adopt(e, root, rest, StateApproved)
}
