package payment

import (
	"errors"
	"fmt"
	"time"
)

// This file carries an attempt on to the next step of its flow.

// advance carries an attempt on to the next step of its flow.
func (u *unit) advance(e *Event, o *Operation, s *Step, lease bool) error {
	if s == nil || o.Kind != OpAuthorize || !o.State.Outstanding() {
		u.ignore(e, fmt.Sprintf("an earlier stage reported late: it is %s already", o.State))
		return nil
	}
	caps := u.c.capabilitiesOf(o)
	next, ok := nextSpec(caps.Flow, s.Name)
	if !ok || s.State == StateApproved || o.later(s) {
		u.ignore(e, reasonKnown)
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
