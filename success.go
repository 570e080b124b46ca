package payment

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// This file takes successes in: whose money it is, and what follows.

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
	if err := u.takeFirst(); err != nil {
		return err
	}
	if !o.Sale && o.hadEnded(e.At, was) {
		return u.released(u.emit(&Event{Type: EventFact, Source: e.Source, Kind: OpAuthorize, Provider: o.Provider}), o, was)
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

// hadEnded reports whether a hold whose approval is reported now, and happened
// at the given time, has ended since: the provider closed that very
// object at our request, or told us of a later end. Within one tick of the provider's clock an
// attempt that was declined may succeed; one that was closed cannot.
func (o *Operation) hadEnded(at time.Time, was State) bool {
	if f := o.fence(); was == StateCanceled && f != nil && f.State == StateApproved && f.Ref != "" {
		return true
	}
	ended, err := time.Parse(time.RFC3339Nano, o.Data[dataEnded])
	if err != nil || at.IsZero() {
		return false
	}
	return at.Before(ended) || (at.Equal(ended) && (was == StateCanceled || was == StateExpired))
}

// endedAt keeps when an attempt ended at the provider, the last time it did.
func (u *unit) endedAt(o *Operation, at time.Time) {
	if was, err := time.Parse(time.RFC3339Nano, o.Data[dataEnded]); o.Kind != OpAuthorize || at.IsZero() || (err == nil && !at.After(was)) {
		return
	}
	u.remember(o, dataEnded, at.UTC().Format(time.RFC3339Nano))
}

// remember keeps a fact of the provider's with an operation; "" forgets it.
func (u *unit) remember(o *Operation, name, value string) {
	data := make(map[string]string, len(o.Data)+1)
	for k, v := range o.Data {
		data[k] = v
	}
	if data[name] = value; value == "" {
		delete(data, name)
	}
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
	for _, x := range slices.Clone(u.p.Operations) {
		// What was done with it before it was known is not the order's either.
		if x == o || rootOf(u.p, x) != o || x.Overpaid || (x.Kind != OpCapture && x.Kind != OpVoid && x.Kind != OpRefund) {
			continue
		}
		x.Overpaid = true
		u.touch(x)
		if x.Kind == OpCapture && x.State == StateApproved {
			u.first = append(u.first, func() error { return u.refundOverpaid(x, why, lease) })
		}
	}
	u.note(EventIncident, SourceEngine, o.ID, fmt.Sprintf("%s arrived that is not the order's: %s", o.Approved, why))
	if u.c.cfg.KeepOverpaid {
		u.parkFor(o.ID, "overpaid: "+why, "refund it or assign it to another order")
		return nil
	}
	if err := u.takeFirst(); err != nil {
		return err
	}
	if o.Sale {
		return u.refundOverpaid(o, why, lease)
	}
	if !u.p.held(o).IsPositive() {
		return nil // released meanwhile
	}
	if u.c.capabilitiesOf(o).Void.IsZero() {
		return nil // the hold ends by itself
	}
	return u.planVoid(o, OriginEngine, lease)
}

// refundOverpaid gives back what a sale or capture collected that is not the
// order's, as far as it is not back already.
func (u *unit) refundOverpaid(o *Operation, why string, lease bool) error {
	switch can := u.p.refundable(o); {
	case !can.IsPositive():
		return nil
	case u.c.cfg.KeepOverpaid:
		u.parkFor(o.ID, "overpaid: "+why, "refund it or assign it to another order")
		return nil
	case u.c.capabilitiesOf(o).Refund.IsZero():
		u.parkFor(o.ID, "overpaid: "+why, "the provider cannot refund: give it back by hand")
		return nil
	default:
		return u.planRefund(o, can, OriginEngine, "overpaid", nil, lease)
	}
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
