package payment

import "strings"

// This file asks for a person, and takes that back once nobody is needed.

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
