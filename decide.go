package payment

import (
	"context"
	"fmt"

	"github.com/tender-go/payment/money"
)

// Finding is what a person found out or decided.
type Finding string

// The findings. The first two answer a review; the others say what became of an
// operation; the last clears what was parked without changing anything.
const (
	FindingApprove  Finding = "approve"
	FindingReject   Finding = "reject"
	FindingApproved Finding = "approved"
	FindingDeclined Finding = "declined"
	FindingAbsent   Finding = "absent"
	FindingCanceled Finding = "canceled"
	FindingReversed Finding = "reversed"
	FindingNoted    Finding = "noted"
)

// Decision settles what needs a person.
type Decision struct {
	PaymentID string
	// Operation it is about; "" for a review, or to clear the payment's park.
	Operation string
	Finding   Finding
	// Amount and Ref as the provider's dashboard shows them, with
	// FindingApproved; the zero Amount takes the operation's.
	Amount money.Amount
	Ref    string
	// Who decided, and Evidence in words: both are kept for good, so no
	// personal values of the payer.
	Who, Evidence string
	// Cites is the event that the decision settles, if one.
	Cites string
}

// Decide records a person's decision and carries it out: it approves or rejects
// a review, says what became of an operation whose outcome could not be proven,
// or acknowledges an incident. A decision is a new event; it changes no event.
func (c *Client) Decide(ctx context.Context, d Decision) (*Payment, error) {
	if c.store.Joined(ctx) {
		return nil, ErrInTransaction
	}
	var bad problems
	bad.id("PaymentID", d.PaymentID, true)
	bad.id("Operation", d.Operation, false)
	bad.id("Cites", d.Cites, false)
	bad.id("Ref", d.Ref, false)
	if d.Who == "" {
		bad.add("Who", "is empty", "say who decides")
	}
	bad.text("Who", d.Who, maxKey)
	bad.text("Evidence", d.Evidence, maxDescription)
	if d.Evidence == "" {
		bad.add("Evidence", "is empty", "say what the decision rests on")
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	out, mine, err := c.change(ctx, d.PaymentID, func(u *unit) error { return u.decide(d) })
	if err != nil {
		return nil, named(err, "payment", d.PaymentID)
	}
	if out, err = c.drive(ctx, out, mine, false); err != nil {
		return nil, err
	}
	return c.shown(ctx, out)
}

func (u *unit) decide(d Decision) error {
	p := u.p
	d.Evidence = u.words(d.Evidence)
	switch d.Finding {
	case FindingApprove, FindingReject:
		return u.decideReview(d)
	case FindingNoted:
		if p.Parked == nil {
			return u.refuse("decide on", "nothing is parked")
		}
		p.Parked = nil
		e := u.note(EventVerdict, SourceDecision, d.Operation, d.Evidence)
		e.Who, e.Cites = d.Who, d.Cites
		return nil
	}
	status := map[Finding]ResultStatus{FindingApproved: ResultApproved, FindingDeclined: ResultDeclined, FindingAbsent: ResultAbsent,
		FindingCanceled: ResultCanceled, FindingReversed: ResultReversed}[d.Finding]
	if status == "" {
		return &FieldError{Field: "Finding", Problem: quote(string(d.Finding)) + " is unknown", Remedy: "use the Finding constants"}
	}
	o := p.Operation(d.Operation)
	if o == nil {
		return &FieldError{Field: "Operation", Problem: quote(d.Operation) + " is none of this payment", Remedy: "take it from Payment.Parked"}
	}
	if !o.State.May(stateOf(status)) {
		return u.refuse("decide on", fmt.Sprintf("operation %s is %s and cannot become %s", o.ID, o.State, status))
	}
	e := &Event{Type: EventVerdict, Source: SourceDecision, Kind: o.Kind, Provider: o.Provider, OperationID: o.ID, Status: status,
		Ref: d.Ref, Amount: d.Amount, Who: d.Who, Cites: d.Cites, Reason: d.Evidence, Captured: o.Sale}
	if status == ResultDeclined {
		e.Decline = NewDecline(ReasonUnknown, "")
	}
	if d.Amount != (money.Amount{}) && d.Amount != o.Amount {
		if d.Amount.Currency() != o.Amount.Currency() || !d.Amount.IsPositive() {
			return &FieldError{Field: "Amount", Problem: "is " + d.Amount.String(), Remedy: "give what the provider shows, in " + string(o.Amount.Currency())}
		}
		o.Amount = d.Amount // a person saw that it was made for another amount
	}
	if p.Parked != nil && p.Parked.Operation == o.ID {
		p.Parked = nil
	}
	return u.apply(e, true)
}

func (u *unit) decideReview(d Decision) error {
	r := u.p.Review
	if r == nil || r.Passed {
		return u.refuse("decide on", "it is not in review; a review ends before its authorization does")
	}
	v := Verdict{Outcome: Allow, Reason: d.Evidence}
	if d.Finding == FindingReject {
		v.Outcome = Block
	}
	if r.Stage == StageAfterAuthorize {
		o := u.p.Operation(r.Operation)
		if d.Finding == FindingApprove && !u.p.held(o).IsPositive() {
			return u.refuse("approve", "the authorization has ended")
		}
		return u.verdict(o, v, d.Who, d.Cites, true)
	}
	if v.Outcome == Block {
		u.p.Review = nil
		u.p.Blocked = NewDecline(ReasonRiskBlocked, "")
	} else {
		passed := *r
		passed.Passed = true
		u.p.Review = &passed
	}
	e := u.note(EventVerdict, SourceDecision, "", d.Evidence)
	e.Who, e.Cites = d.Who, d.Cites
	return nil
}
