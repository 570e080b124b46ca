package posting

import (
	"slices"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// This file says what the books should say of an operation, from the payment's
// record alone.

// want is an amount that a stage should have been booked with.
type want struct {
	stage  Stage
	amount money.Amount
}

// stagesOf lists the stages an operation of a kind can be booked in, holds
// apart, in the order they are booked.
func stagesOf(k payment.OperationKind) []Stage {
	switch k {
	case payment.OpAuthorize, payment.OpCapture:
		return []Stage{Captured, Overpaid, ProviderFee}
	case payment.OpRefund:
		return []Stage{Refunded, OverpaidRefunded, ProviderFee}
	case payment.OpDispute:
		return []Stage{Disputed, DisputeLost, DisputeLostOverpaid, DisputeFee}
	case payment.OpTransfer:
		return []Stage{Transferred, ProviderFee}
	case payment.OpVoid, payment.OpRespond, payment.OpAccept:
		return []Stage{ProviderFee}
	}
	return nil
}

// wanted is what an operation has come to, holds apart.
func wanted(p *payment.Payment, o *payment.Operation) []want {
	var out []want
	add := func(s Stage, a money.Amount) {
		if !a.IsZero() {
			out = append(out, want{s, a})
		}
	}
	overpaid := o.Overpaid
	collected, overpaidStage, fee := Captured, Overpaid, ProviderFee
	done := o.State == payment.StateApproved
	switch o.Kind {
	case payment.OpAuthorize:
		done = done && o.Sale
	case payment.OpCapture:
	case payment.OpRefund:
		collected, overpaidStage = Refunded, OverpaidRefunded
	case payment.OpTransfer:
		collected, overpaidStage = Transferred, Transferred
	case payment.OpDispute:
		collected, overpaidStage, fee = DisputeLost, DisputeLostOverpaid, DisputeFee
		if of := p.Operation(o.Target); of != nil {
			overpaid = of.Overpaid
		}
		switch {
		case done:
			add(Disputed, o.Approved) // and with it, that it was held back before
		case o.State.Outstanding():
			add(Disputed, o.Amount)
		}
	default:
		done = false
	}
	if done && o.Approved.IsPositive() {
		if overpaid {
			collected = overpaidStage
		}
		add(collected, o.Approved)
	}
	add(fee, o.Fee)
	return out
}

// held is what a hold still reserves, for certain.
func held(p *payment.Payment, root *payment.Operation) money.Amount {
	none := money.Zero(root.Amount.Currency())
	if root.Kind != payment.OpAuthorize || root.Sale || root.State != payment.StateApproved {
		return none
	}
	left := root.Approved
	for _, c := range p.Operations {
		if c.Target != root.ID || c.State != payment.StateApproved || (c.Kind != payment.OpCapture && c.Kind != payment.OpVoid) {
			continue
		}
		if c.Kind == payment.OpCapture && c.Final {
			return none // it released the rest
		}
		var err error
		if left, err = left.Sub(c.Approved); err != nil {
			return none
		}
	}
	if left.IsNegative() {
		return none
	}
	return left
}

// mayBeBooked reports whether an operation was ever in a state that is booked.
// By the transition table nothing leads back from approved but reversed;
// disputes may go any way.
func mayBeBooked(o *payment.Operation) bool {
	return o.Fee != (money.Amount{}) || o.Kind == payment.OpDispute ||
		o.State == payment.StateApproved || o.State == payment.StateReversed
}

// rootOf is the attempt that an operation goes back to, or nil.
func rootOf(p *payment.Payment, o *payment.Operation) *payment.Operation {
	for range 4 { // refund, capture, authorization
		if o == nil || o.Kind == payment.OpAuthorize {
			return o
		}
		o = p.Operation(o.Target)
	}
	return nil
}

// scope is what has to be looked at after a change.
type scope struct {
	operations []*payment.Operation // whose stages
	roots      []*payment.Operation // whose holds
	pools      []*payment.Operation // attempts of which something went in or back
}

// changed is the scope of what the payment's last commit changed; with all, of
// the whole payment.
func changed(p *payment.Payment, all bool) scope {
	var s scope
	for _, o := range p.Operations {
		if (!all && o.Revision != p.Version) || !mayBeBooked(o) {
			continue
		}
		s.operations = append(s.operations, o)
		switch o.Kind {
		case payment.OpAuthorize, payment.OpCapture, payment.OpVoid:
			if root := rootOf(p, o); root != nil && !root.Sale && !slices.Contains(s.roots, root) {
				s.roots = append(s.roots, root)
			}
		}
	}
	// Whose money it is decides how a dispute of it is booked.
	for _, d := range p.Operations {
		of := p.Operation(d.Target)
		if d.Kind == payment.OpDispute && of != nil && of.Revision == p.Version && !slices.Contains(s.operations, d) {
			s.operations = append(s.operations, d)
		}
	}
	for _, o := range s.operations {
		if st, _ := pooled(o); st == "" {
			continue
		}
		if root := rootOf(p, o); root != nil && !slices.Contains(s.pools, root) {
			s.pools = append(s.pools, root)
		}
	}
	return s
}
