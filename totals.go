package payment

import (
	"time"

	"github.com/tender-go/payment/money"
)

// This file derives what a payment comes to from its operations: totals,
// status, what may still be captured or refunded. All of it is pure.

// sum adds amounts of one payment. They are bounded by what providers reported
// and by int64 checks where they entered, so an overflow here is a broken
// record; it saturates instead of wrapping.
func sum(a, b money.Amount) money.Amount {
	if a.Currency() == "" {
		return b
	}
	if b.Currency() == "" {
		return a
	}
	s, err := a.Add(b)
	if err != nil {
		return money.Of(int64(^uint64(0)>>1), a.Currency())
	}
	return s
}

func minus(a, b money.Amount) money.Amount {
	if b.Currency() == "" {
		return a
	}
	s, err := a.Sub(b)
	if err != nil {
		return money.Of(0, a.Currency())
	}
	return s
}

// less orders amounts of one currency.
func less(a, b money.Amount) bool { return a.Minor() < b.Minor() }

func smaller(a, b money.Amount) money.Amount {
	if less(b, a) {
		return b
	}
	return a
}

// floor0 is the amount, or zero if it is negative.
func floor0(a money.Amount) money.Amount {
	if a.IsNegative() {
		return money.Zero(a.Currency())
	}
	return a
}

func (t *Total) add(state State, asked, approved money.Amount) {
	switch {
	case state == StateApproved:
		t.Done = sum(t.Done, approved)
	case state.Outstanding():
		t.Pending = sum(t.Pending, asked)
	}
}

// computeTotals adds the operations up.
func computeTotals(p *Payment) Totals {
	zero := Total{Done: money.Zero(p.Amount.Currency()), Pending: money.Zero(p.Amount.Currency())}
	t := Totals{Authorized: zero, Captured: zero, Voided: zero, Refunded: zero, Disputed: zero,
		Overpaid: zero, OverpaidRefunded: zero, Transferred: zero}
	for _, o := range p.Operations {
		switch o.Kind {
		case OpAuthorize:
			if o.Overpaid {
				t.addOverpaid(p, o)
				continue
			}
			t.Authorized.add(o.State, o.Amount, o.Approved)
			if o.Sale {
				t.Captured.add(o.State, o.Amount, o.Approved)
			}
		case OpCapture:
			if !o.Overpaid {
				t.Captured.add(o.State, o.Amount, o.Approved)
			}
		case OpVoid:
			if !o.Overpaid {
				t.Voided.add(o.State, o.Amount, o.Approved)
			}
		case OpRefund:
			if o.Overpaid {
				t.OverpaidRefunded.add(o.State, o.Amount, o.Approved)
			} else {
				t.Refunded.add(o.State, o.Amount, o.Approved)
			}
		case OpDispute:
			t.Disputed.add(o.State, o.Amount, o.Approved)
		case OpTransfer:
			t.Transferred.add(o.State, o.Amount, o.Approved)
		}
	}
	for _, o := range p.Operations {
		if o.Kind == OpAuthorize && !o.Overpaid && p.finallyCaptured(o) {
			// A final capture released the rest.
			rest := floor0(minus(minus(o.Approved, p.collected(o)), p.drawn(o.ID, OpVoid)))
			t.Voided.Done = sum(t.Voided.Done, rest)
		}
	}
	return t
}

// addOverpaid adds an attempt whose money is not the order's.
func (t *Totals) addOverpaid(p *Payment, o *Operation) {
	if o.Sale || o.State != StateApproved {
		t.Overpaid.add(o.State, o.Amount, o.Approved)
		return
	}
	t.Overpaid.Done = sum(t.Overpaid.Done, p.collected(o))
	t.Overpaid.Pending = sum(t.Overpaid.Pending, p.held(o))
}

// finallyCaptured reports whether a capture released the rest of a hold.
func (p *Payment) finallyCaptured(root *Operation) bool {
	for _, c := range p.Operations {
		if c.Kind == OpCapture && c.Target == root.ID && c.Final && c.State == StateApproved {
			return true
		}
	}
	return false
}

// taken is what an operation holds of the amount it draws on: what it got, or
// while its outcome is open, what it asked for.
func (o *Operation) taken() money.Amount {
	switch {
	case o.State == StateApproved:
		return o.Approved
	case o.State.Outstanding():
		return o.Amount
	}
	return money.Zero(o.Amount.Currency())
}

// drawn adds up what operations of the given kinds hold of target.
func (p *Payment) drawn(target string, kinds ...OperationKind) money.Amount {
	s := money.Zero(p.Amount.Currency())
	for _, o := range p.Operations {
		if o.Target != target {
			continue
		}
		for _, k := range kinds {
			if o.Kind == k {
				s = sum(s, o.taken())
			}
		}
	}
	return s
}

// capturable is what may still be captured of a hold.
func (p *Payment) capturable(o *Operation) money.Amount {
	if o.Kind != OpAuthorize || o.Sale || o.State != StateApproved {
		return money.Zero(p.Amount.Currency())
	}
	for _, c := range p.Operations {
		if c.Kind == OpCapture && c.Target == o.ID && c.Final && (c.State == StateApproved || c.State.Outstanding()) {
			return money.Zero(p.Amount.Currency())
		}
	}
	return floor0(minus(o.Approved, p.drawn(o.ID, OpCapture, OpVoid)))
}

// held is what a hold still reserves at the payer's bank, for certain.
func (p *Payment) held(o *Operation) money.Amount {
	if o.Kind != OpAuthorize || o.Sale || o.State != StateApproved {
		return money.Zero(p.Amount.Currency())
	}
	s := o.Approved
	for _, c := range p.Operations {
		if c.Target == o.ID && c.State == StateApproved && (c.Kind == OpCapture || c.Kind == OpVoid) {
			s = minus(s, c.Approved)
			if c.Kind == OpCapture && c.Final {
				return money.Zero(p.Amount.Currency())
			}
		}
	}
	return floor0(s)
}

// refundable is what may still be given back of a sale or capture.
func (p *Payment) refundable(o *Operation) money.Amount {
	collects := o.Kind == OpCapture || (o.Kind == OpAuthorize && o.Sale)
	if !collects || o.State != StateApproved {
		return money.Zero(p.Amount.Currency())
	}
	return floor0(minus(o.Approved, p.drawn(o.ID, OpRefund)))
}

// Refundable is what [Client.Refund] may still give back: captured, less what
// was refunded or is on its way, less what disputes hold.
func (p *Payment) Refundable() money.Amount {
	t := p.Totals
	s := minus(minus(t.Captured.Done, t.Refunded.Done), t.Refunded.Pending)
	return floor0(minus(minus(s, t.Disputed.Done), t.Disputed.Pending))
}

// Capturable is what [Client.Capture] may still take.
func (p *Payment) Capturable() money.Amount {
	s := money.Zero(p.Amount.Currency())
	for _, o := range p.Operations {
		if o.Kind == OpAuthorize && !o.Overpaid {
			s = sum(s, p.capturable(o))
		}
	}
	return s
}

// holds reports whether money is still reserved for the order.
func (p *Payment) holds() bool {
	for _, o := range p.Operations {
		if o.Kind == OpAuthorize && !o.Overpaid && p.held(o).IsPositive() {
			return true
		}
	}
	return false
}

// attempts lists the authorize operations, oldest first.
func (p *Payment) attempts() []*Operation {
	var a []*Operation
	for _, o := range p.Operations {
		if o.Kind == OpAuthorize {
			a = append(a, o)
		}
	}
	return a
}

// paying returns the attempt whose money is the order's, or nil: an approved
// one that is not overpaid and still holds or has collected something.
func (p *Payment) paying() *Operation {
	for _, o := range p.Operations {
		if o.Kind != OpAuthorize || o.Overpaid || o.State != StateApproved {
			continue
		}
		if o.Sale || p.held(o).IsPositive() || p.collected(o).IsPositive() {
			return o
		}
	}
	return nil
}

// refunded is what was given back of a sale or capture, for certain.
func (p *Payment) refunded(target string) money.Amount {
	s := money.Zero(p.Amount.Currency())
	for _, o := range p.Operations {
		if o.Kind == OpRefund && o.Target == target && o.State == StateApproved {
			s = sum(s, o.Approved)
		}
	}
	return s
}

// voided is what was released of a hold, for certain.
func (p *Payment) voided(root *Operation) money.Amount {
	s := money.Zero(p.Amount.Currency())
	for _, o := range p.Operations {
		if o.Kind == OpVoid && o.Target == root.ID && o.State == StateApproved {
			s = sum(s, o.Approved)
		}
	}
	return s
}

// collected is what captures took of a hold and kept.
func (p *Payment) collected(o *Operation) money.Amount {
	s := money.Zero(p.Amount.Currency())
	for _, c := range p.Operations {
		if c.Kind == OpCapture && c.Target == o.ID && c.State == StateApproved {
			s = sum(s, c.Approved)
		}
	}
	return s
}

// last returns the newest attempt, or nil.
func (p *Payment) last() *Operation {
	for i := len(p.Operations) - 1; i >= 0; i-- {
		if p.Operations[i].Kind == OpAuthorize {
			return p.Operations[i]
		}
	}
	return nil
}

// live returns the newest attempt whose outcome is open and that still is the
// payment's (not superseded), or nil.
func (p *Payment) live() *Operation {
	for i := len(p.Operations) - 1; i >= 0; i-- {
		if o := p.Operations[i]; o.Kind == OpAuthorize && o.State.Outstanding() && !o.Superseded {
			return o
		}
	}
	return nil
}

// computeStatus is the status as a pure function of totals and what is
// outstanding.
func computeStatus(p *Payment) Status {
	t := p.Totals
	switch {
	case !t.Captured.Done.IsPositive():
		// What was given back before its capture is known decides nothing.
	case t.Disputed.Done.IsPositive() && !less(sum(t.Disputed.Done, t.Refunded.Done), t.Captured.Done):
		return StatusChargedBack
	case t.Refunded.Done.IsPositive() && !less(t.Refunded.Done, t.Captured.Done) && !p.holds():
		return StatusRefunded
	case t.Refunded.Done.IsPositive():
		return StatusPartiallyRefunded
	case less(t.Captured.Done, p.Amount):
		return StatusPartiallyCaptured
	default:
		return StatusCaptured
	}
	if p.Blocked != (Decline{}) {
		return StatusBlocked
	}
	if o := p.paying(); o != nil {
		if p.inReview() || p.captureFailed(o) {
			return StatusInReview
		}
		return StatusAuthorized
	}
	if p.inReview() {
		return StatusInReview
	}
	if s, ok := outstandingStatus(p); ok {
		return s
	}
	switch {
	case t.Authorized.Done.IsPositive():
		return StatusVoided
	case p.Canceled:
		return StatusCanceled
	case p.Expired:
		return StatusExpired
	}
	if o := p.last(); o != nil {
		switch o.State {
		case StateCanceled:
			return StatusCanceled
		case StateExpired:
			return StatusExpired
		case StateReversed:
			return StatusVoided
		}
		return StatusDeclined
	}
	return StatusCreated
}

// outstandingStatus is the status by the open attempts: what is not known
// weighs most, since nothing may be charged before it is.
func outstandingStatus(p *Payment) (Status, bool) {
	found := Status("")
	for _, o := range p.attempts() {
		if o.Overpaid {
			continue
		}
		switch o.State {
		case StateUnknown:
			return StatusUnknown, true
		case StatePlanned, StatePending:
			found = StatusProcessing
		case StateActionRequired:
			f := o.fence()
			switch {
			case o.Superseded && f != nil && !p.Canceled && (f.State.Outstanding() || o.lookedUpNext(p.UpdatedAt)):
				found = StatusProcessing // it is being closed, and may still be paid
			case found == "" && !o.Superseded:
				found = StatusRequiresAction
			}
		}
	}
	return found, found != ""
}

// refresh recomputes what is derived. Every change of an operation ends here.
func (p *Payment) refresh() {
	p.Totals = computeTotals(p)
	p.Status = computeStatus(p)
}

// lookedUpNext reports whether the attempt's outcome is being looked up right
// after the given time: its fence said that it may be paid.
func (o *Operation) lookedUpNext(after time.Time) bool {
	s := o.current()
	return s != nil && s.State.Outstanding() && !s.DueAt.IsZero() && !s.DueAt.After(after)
}

// captureFailed reports whether a capture of the hold was undone and nothing
// has taken its place: a person decides whether the hold is still good.
func (p *Payment) captureFailed(root *Operation) bool {
	failed := false
	for _, o := range p.Operations {
		if o.Kind != OpCapture || o.Target != root.ID {
			continue
		}
		switch {
		case o.State == StateReversed:
			failed = true
		case o.State == StateApproved, o.State.Outstanding():
			failed = false
		}
	}
	return failed
}

func (p *Payment) inReview() bool { return p.Review != nil && !p.Review.Passed }

// givenUp reports whether the shop canceled the payment or a hook blocked it:
// what it still holds is to go back.
func (p *Payment) givenUp() bool { return p.Canceled || p.Blocked != (Decline{}) }

// Paid reports whether money is held or collected for the order, and the shop
// may deliver. It is false for a payment that was canceled or blocked, also
// while its money has not gone back yet.
func (p *Payment) Paid() bool { return !p.givenUp() && p.takes() }

// takes reports whether money of the payer's is held or collected.
func (p *Payment) takes() bool {
	switch p.Status {
	case StatusAuthorized, StatusPartiallyCaptured, StatusCaptured, StatusPartiallyRefunded:
		return true
	}
	return false
}

// pollAfter is how long a page waits before it asks again.
const pollAfter = 3 * time.Second

// Next says what to do with the payment now.
func (p *Payment) Next() Next {
	switch p.Status {
	case StatusAuthorized, StatusPartiallyCaptured, StatusCaptured, StatusPartiallyRefunded:
		switch {
		case p.Canceled: // what was paid or held goes back
			return Next{Kind: Refused, Notice: NoticeCanceled}
		case p.Blocked != (Decline{}):
			return Next{Kind: Refused, Decline: p.Blocked}
		}
		return Next{Kind: Paid, Notice: NoticePaid}
	case StatusInReview:
		return Next{Kind: Wait, Notice: NoticeReview, MayLeave: true, After: p.UpdatedAt.Add(time.Minute)}
	case StatusProcessing:
		return Next{Kind: Wait, Notice: NoticeProcessing, MayLeave: true, After: p.UpdatedAt.Add(pollAfter)}
	case StatusUnknown:
		return Next{Kind: Wait, Notice: NoticeChecking, MayLeave: true, After: p.UpdatedAt.Add(pollAfter)}
	case StatusCreated:
		return Next{Kind: PayerMustAct, Notice: NoticeAction}
	case StatusRequiresAction:
		o := p.live()
		if o == nil || o.Action == nil {
			return Next{Kind: Wait, Notice: NoticeChecking, MayLeave: true, After: p.UpdatedAt.Add(pollAfter)}
		}
		a := *o.Action
		return Next{Kind: PayerMustAct, Notice: NoticeAction, Action: &a}
	case StatusBlocked:
		return Next{Kind: Refused, Decline: p.Blocked}
	case StatusRefunded:
		return Next{Kind: Refused, Notice: NoticeRefunded}
	case StatusChargedBack:
		return Next{Kind: Refused, Notice: NoticeChargedBack}
	case StatusVoided:
		return Next{Kind: Refused, Notice: NoticeReleased}
	}
	if p.Canceled {
		return Next{Kind: Refused, Notice: NoticeCanceled}
	}
	return Next{Kind: Refused, Decline: p.refusal()}
}

// refusal is why the payment is not paid.
func (p *Payment) refusal() Decline {
	o := p.last()
	switch {
	case o == nil || p.Expired:
		return NewDecline(ReasonExpired, "")
	case !o.Decline.IsZero():
		return o.Decline
	case o.State == StateCanceled:
		return NewDecline(ReasonPayerCanceled, "")
	case o.State == StateExpired:
		return NewDecline(ReasonExpired, "")
	case o.Failure.Kind == KindRejectedRequest || o.Failure.Kind == KindRejectedMerchant:
		return NewDecline(ReasonMerchantConfiguration, o.Failure.Code)
	}
	return NewDecline(ReasonProviderUnavailable, o.Failure.Code)
}
