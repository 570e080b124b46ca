package simulation

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// quiet is the context of what the simulation reads for itself.
var quiet = context.Background()

// attempt is what a bank knows of one attempt, from its movements.
type attempt struct {
	bank       *bank
	ref, op    string
	payment    string
	by         fake.Actor // who made it move money first
	authorized int64
	released   int64
	captured   int64 // and not undone
	refunded   int64 // and not returned
	returned   int64 // refunds that came back, disputes that were won
	disputed   int64 // and not won back
	ended      bool  // somebody else than we gave the hold back
}

// held is what the payer's bank still reserves.
func (a *attempt) held() int64 { return max(0, a.authorized-a.released-a.captured) }

// kept is what the shop has collected of it and not given back.
func (a *attempt) kept() int64 { return a.captured - a.refunded - a.disputed }

// book adds a movement.
func (a *attempt) book(m *fake.Movement) {
	n := m.Amount.Minor()
	switch m.Kind {
	case fake.MoveAuthorized:
		a.authorized += n
	case fake.MoveReleased:
		a.released += n
	case fake.MoveCaptured:
		a.captured += n
	case fake.MoveCaptureFailed:
		a.captured -= n
		if a.authorized > 0 {
			a.released += n // it does not come back as a hold
		}
	case fake.MoveRefunded:
		a.refunded += n
	case fake.MoveRefundFailed:
		a.refunded -= n
		a.returned += n
	case fake.MoveDisputed:
		a.disputed += n
	case fake.MoveDisputeWon:
		a.disputed -= n
		a.returned += n
	}
	if m.Kind == fake.MoveReleased && (m.By == fake.ByDashboard || m.By == fake.ByBank || m.By == fake.ByClock) {
		a.ended = true
	}
}

// takes reports whether money is held or collected by a movement.
func takes(m *fake.Movement) bool {
	return m.Kind == fake.MoveAuthorized || m.Kind == fake.MoveCaptured
}

// What came back to us by a bank's act, a refund returned, a dispute won, may
// not be known yet when the order is paid anew: it is no collection of ours.

// truth folds what all banks know, and finds second collections by our own act
// on the way.
func (w *world) truth() []*attempt {
	type moved struct {
		fake.Movement
		bank *bank
	}
	var all []moved
	for _, b := range w.banks {
		for _, m := range b.Movements() {
			all = append(all, moved{m, b})
		}
	}
	slices.SortStableFunc(all, func(a, b moved) int { return a.At.Compare(b.At) })
	// What two banks did within one tick has no order: a release counts as done.
	released := func(i int, a *attempt) (n int64) {
		for j := i + 1; j < len(all) && all[j].At.Equal(all[i].At); j++ {
			if m := &all[j]; m.Kind == fake.MoveReleased && m.bank == a.bank && m.bank != all[i].bank && m.Object == a.ref {
				n += m.Amount.Minor()
			}
		}
		return n
	}
	var out []*attempt
	byRef := map[string]*attempt{}
	for i := range all {
		m := &all[i]
		if m.Kind == fake.MoveTransferred {
			continue
		}
		key := m.bank.Name() + ":" + m.Object
		a := byRef[key]
		if a == nil {
			a = &attempt{bank: m.bank, ref: m.Object, op: m.Operation, payment: m.Payment, by: m.By}
			byRef[key] = a
			out = append(out, a)
		}
		if takes(&m.Movement) && m.By == fake.ByShop {
			for _, other := range out {
				if other != a && w.sameOrder(a, other) && other.kept()-other.returned+other.held()-released(i, other) > 0 && !payersOwn(other) && !w.notTheOrders(other) {
					w.breach(RuleDouble, "%s %s of %s at %s, while attempt %s at %s has %d kept and %d held of the same order",
						m.Kind, m.Amount, a.ref, a.bank.Name(), other.ref, other.bank.Name(), other.kept(), other.held())
				}
			}
		}
		a.book(&m.Movement)
	}
	return out
}

// payersOwn reports whether an attempt took money by the payer's act alone,
// where no fence could have prevented it.
func payersOwn(a *attempt) bool {
	for _, mc := range a.bank.Capabilities().Methods {
		if mc.Fence == payment.FenceDeadline || mc.Fence == payment.FenceNone {
			return a.by == fake.ByPayer
		}
	}
	return false
}

// notTheOrders reports whether the records hold an attempt's money apart, to be
// given back or for a person: it pays no order.
func (w *world) notTheOrders(a *attempt) bool {
	if r := w.records[a.payment]; r != nil {
		o := r.p.Operation(a.op)
		return o != nil && o.Overpaid && r.incidents[o.ID]
	}
	return false
}

// sameOrder reports whether two attempts collect for one order.
func (w *world) sameOrder(a, b *attempt) bool {
	if a.payment == b.payment {
		return true
	}
	p, q := w.records[a.payment], w.records[b.payment]
	return p != nil && q != nil && p.p.Reference == q.p.Reference && !p.p.Additional && !q.p.Additional
}

// ids lists the payments in the order they were made.
func (w *world) ids() []string {
	return slices.SortedFunc(maps.Keys(w.records), func(a, b string) int {
		return cmp.Or(w.records[a].p.CreatedAt.Compare(w.records[b].p.CreatedAt), cmp.Compare(a, b))
	})
}

// checkNow holds what must be true at any time.
func (w *world) checkNow() {
	w.checkBooks()
	attempts := w.truth()
	for _, a := range attempts {
		r := w.records[a.payment]
		if r == nil {
			w.breach(RuleLost, "attempt %s at %s belongs to payment %q, which nobody recorded", a.ref, a.bank.Name(), a.payment)
			continue
		}
		o := r.p.Operation(a.op)
		if o == nil {
			w.breach(RuleLost, "attempt %s at %s belongs to operation %q, which nobody recorded", a.ref, a.bank.Name(), a.op)
			continue
		}
		if o.State.Dead() && a.by == fake.ByShop && a.kept()+a.held() > 0 && !a.ended && r.p.Parked == nil {
			w.breach(RuleUnknown, "%s is %s, and %s has %d kept and %d held of it", tellOp(o), o.State, a.bank.Name(), a.kept(), a.held())
		}
	}
	holding := 0
	for _, r := range w.records {
		if r.p.HoldsReference && !r.p.Additional {
			holding++
		}
	}
	if holding > 1 {
		w.breach(RuleReference, "%d payments hold one reference", holding)
	}
}

// checkSettled holds what must be true once there are no more troubles, all
// notifications have arrived and time enough has passed.
func (w *world) checkSettled() {
	attempts := w.truth()
	orderParked := false
	for _, id := range w.ids() {
		orderParked = orderParked || w.records[id].p.Parked != nil
	}
	for _, id := range w.ids() {
		r := w.records[id]
		w.checkEvents(r)
		w.checkClaims(r.p)
		if r.p.Parked != nil {
			// A person was asked: what is still open or differs is in doubt.
			before := w.broken
			w.broken = nil
			w.muted = true
			w.checkEnded(r, attempts)
			r.doubtful = len(w.broken) > 0
			w.broken, w.muted = before, false
			continue
		}
		w.checkEnded(r, attempts)
	}
	var keepers []*attempt
	for _, a := range attempts {
		if p := w.records[a.payment]; p != nil && !p.p.Additional && a.kept()+a.held() > 0 {
			keepers = append(keepers, a)
		}
	}
	if len(keepers) > 1 && !orderParked {
		w.breach(RuleIncident, "%d attempts keep money of one order: %s and %s", len(keepers), keepers[0].ref, keepers[1].ref)
	}
}

// checkEnded holds that a payment agrees with the banks and that nothing of it
// is open.
func (w *world) checkEnded(r *record, attempts []*attempt) {
	w.checkMoney(r, attempts)
	for _, o := range r.p.Operations {
		if o.State.Outstanding() && o.Kind != payment.OpDispute {
			w.breach(RuleOpen, "%s is still %s", tellOp(o), o.State)
		}
		for _, s := range o.Steps {
			if s.State.Outstanding() && !o.State.Outstanding() {
				w.breach(RuleOpen, "%s is %s, and its step %s is still %s", tellOp(o), o.State, s.Name, s.State)
			}
		}
	}
}

// checkMoney compares one payment with the banks.
func (w *world) checkMoney(r *record, attempts []*attempt) {
	p := r.p
	seen := map[string]bool{}
	for _, a := range attempts {
		if a.payment != p.ID {
			continue
		}
		o := p.Operation(a.op)
		if o == nil {
			continue // told by checkNow
		}
		if seen[o.ID] {
			w.breach(RuleDouble, "%s took money on two attempts at %s", tellOp(o), a.bank.Name())
			continue
		}
		seen[o.ID] = true
		w.compare(p, o, a)
		if o.Overpaid && !r.incidents[o.ID] {
			w.breach(RuleIncident, "%s is overpaid without an incident", tellOp(o))
		}
	}
	for _, o := range p.Operations {
		if o.Kind == payment.OpAuthorize && !seen[o.ID] && (heldBy(p, o) != 0 || collectedBy(p, o) != 0) {
			w.breach(RuleLost, "%s has %d collected and %d held by the records, and the bank knows nothing of it", tellOp(o), collectedBy(p, o), heldBy(p, o))
		}
	}
}

// compare holds one attempt's records against the bank.
func (w *world) compare(p *payment.Payment, o *payment.Operation, a *attempt) {
	disputed := int64(0)
	for _, d := range p.Operations {
		if d.Kind != payment.OpDispute || rootOf(p, d) != o {
			continue
		}
		if d.State == payment.StateApproved || d.State == payment.StatePending {
			disputed += d.Amount.Minor()
		}
	}
	held, released := heldBy(p, o), approvedOf(p, o.ID, payment.OpVoid)+releasedByCapture(p, o)
	for _, c := range p.Operations {
		if c.Kind == payment.OpCapture && c.Target == o.ID && c.State == payment.StateReversed {
			held, released = a.held(), a.released // what a failed capture leaves of the hold is the bank's word alone
		}
	}
	for _, x := range []struct {
		what         string
		record, bank int64
	}{
		{"collected", collectedBy(p, o), a.captured},
		{"refunded", refundedBy(p, o), a.refunded},
		{"held", held, a.held()},
		{"released", released, a.released},
		{"disputed", disputed, a.disputed},
	} {
		if x.record != x.bank {
			w.breach(RuleLost, "%s: %s %d by the records, %d at %s", tellOp(o), x.what, x.record, x.bank, a.bank.Name())
		}
	}
}

func rootOf(p *payment.Payment, o *payment.Operation) *payment.Operation {
	for range p.Operations {
		if o == nil || o.Kind == payment.OpAuthorize {
			return o
		}
		o = p.Operation(o.Target)
	}
	return o
}

// checkEvents folds the events of a payment: they alone must tell which
// operations moved money.
func (w *world) checkEvents(r *record) {
	for _, o := range r.p.Operations {
		e, told := r.last[o.ID]
		moved := o.State == payment.StateApproved || o.State == payment.StateReversed
		says := e.State == payment.StateApproved || e.State == payment.StateReversed
		if (moved || says) && (!told || e.State != o.State) {
			w.breach(RuleEvent, "%s is %s, and its last event says %q", tellOp(o), o.State, e.State)
		}
	}
}

// checkClaims finds claims that block what they should not, or are missing.
func (w *world) checkClaims(p *payment.Payment) {
	held, err := w.disk.Claimed(quiet, payment.ClaimCharging, p.ID)
	if err == nil {
		o := p.Operation(held.Owner)
		if o == nil || o.State.Dead() {
			w.breach(RuleClaim, "the charging claim is held by %s", tellOp(o))
		}
	} else if !errors.Is(err, payment.ErrNotFound) {
		panic(err)
	}
	if p.Additional {
		return
	}
	held, err = w.disk.Claimed(quiet, payment.ClaimReference, p.Reference)
	mine := err == nil && held.Owner == p.ID
	if mine != p.HoldsReference {
		w.breach(RuleClaim, "HoldsReference is %v, and the claim is held by %q", p.HoldsReference, held.Owner)
	}
	if p.Paid() && !mine && p.Parked == nil {
		w.breach(RuleClaim, "a paid payment does not hold its reference")
	}
	if mine && over(p) {
		w.breach(RuleClaim, "a payment that is %s holds its reference for ever", p.Status)
	}
}

// over reports whether a payment can take no more money and holds none.
func over(p *payment.Payment) bool {
	switch p.Status {
	case payment.StatusBlocked, payment.StatusVoided, payment.StatusDeclined, payment.StatusCanceled, payment.StatusExpired, payment.StatusRefunded, payment.StatusChargedBack:
	default:
		return false
	}
	for _, o := range p.Operations {
		if o.Payable || (o.Kind == payment.OpAuthorize && heldBy(p, o) > 0) || (o.State.Outstanding() && o.Kind != payment.OpDispute) {
			return false
		}
	}
	return true
}
