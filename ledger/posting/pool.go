package posting

import (
	"slices"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// This file shares what went back of an attempt among its parts.
//
// All captures of an attempt are one pool: a dispute or refund of it may be
// more than the capture that it names still has, and then takes from the rest
// of the attempt. What a refund's own splits say comes first, whenever it
// comes; the others share what that leaves. So of what went back
//
//   - no part gives more than it has,
//   - excess is what goes beyond all that was collected, and nothing else,
//
// and with that no part keeps what went back. A pool is sound if both hold. It
// may cease to be when a capture fails, comes late, or a dispute is won; then
// what was shared last is shared anew (see resettle).

// pool is what the parts of an attempt still have.
type pool struct {
	parts []share // what each has left for sharing; below zero where it gave more
	full  []share // what each had before anything was shared
	room  int64   // all that may go back before it is excess
	gone  int64   // what went back and was shared
	over  int64   // what of it was booked as excess
}

// sound reports whether what is booked is as this file says.
func (l *pool) sound() bool {
	return l.over == l.excess() && !slices.ContainsFunc(l.parts, func(s share) bool { return s.amount.IsNegative() })
}

// excess is what should be booked as excess.
func (l *pool) excess() int64 { return max(0, l.gone-l.room) }

// part is the index of a part, which is made if it is not there.
func (l *pool) part(of share, c money.Currency) int {
	for i, s := range l.parts {
		if s.kind == of.kind && s.merchant == of.merchant {
			return i
		}
	}
	of.amount = money.Zero(c)
	l.parts = append(l.parts, of)
	return len(l.parts) - 1
}

func (l *pool) add(parts []share, sign int64, c money.Currency) {
	for _, s := range parts {
		i := l.part(s, c)
		l.parts[i].amount = money.Of(l.parts[i].amount.Minor()+sign*s.amount.Minor(), c)
		l.room += sign * s.amount.Minor()
	}
}

// collected is the pool of an attempt before anything of it is shared.
func (x *pass) collected(root *payment.Operation) *pool {
	l, c := &pool{}, x.currency()
	for _, o := range x.p.Operations { // a part stays known when its capture fails
		if rootOf(x.p, o) == root {
			for _, s := range x.explicit(o.Splits) {
				l.part(s, c)
			}
		}
	}
	l.part(share{kind: Own}, c)
	for _, o := range x.p.Operations {
		if rootOf(x.p, o) != root {
			continue
		}
		switch s, _ := pooled(o); {
		case s == "" || o.Approved.Currency() != c:
		case s == Captured:
			if r, _ := x.journal.current(o.ID, s); r != nil {
				l.add(x.partsOf(o), 1, c)
			}
		case len(o.Splits) > 0:
			if r, _ := x.journal.current(o.ID, s); r != nil {
				l.add(scale(x.explicit(o.Splits), o.Approved), -1, c)
			}
		}
	}
	for i := range l.parts {
		if l.parts[i].amount.IsNegative() { // the shop's own words: nobody makes up for it
			l.parts[i].amount = money.Zero(c)
		}
	}
	l.room = max(0, l.room)
	l.full = slices.Clone(l.parts)
	return l
}

// pooled is the stage in which an operation adds to its attempt's pool
// (Captured) or takes from it, empty for none.
func pooled(o *payment.Operation) (s Stage, takes bool) {
	switch {
	case o.Kind == payment.OpCapture, o.Kind == payment.OpAuthorize && o.Sale:
		return Captured, false
	case o.Kind == payment.OpRefund:
		return Refunded, true
	case o.Kind == payment.OpDispute:
		return DisputeLost, true
	}
	return "", false
}

// sharesPool reports whether a stage of an operation takes its share of the pool.
func (x *pass) sharesPool(o *payment.Operation, s Stage) bool {
	return (s == Refunded || s == DisputeLost) && len(o.Splits) == 0 && rootOf(x.p, o) != nil && o.Approved.Currency() == x.currency()
}

// draw is an operation that shared in a pool, as it is booked.
type draw struct {
	o     *payment.Operation
	stage Stage
	r     *posted
}

// drawn lists what is booked as shared of an attempt, in the order of the
// payment's operations.
func (x *pass) drawn(root *payment.Operation) []draw {
	var out []draw
	for _, o := range x.p.Operations {
		if s, _ := pooled(o); x.sharesPool(o, s) && rootOf(x.p, o) == root {
			if r, _ := x.journal.current(o.ID, s); r != nil {
				out = append(out, draw{o, s, r})
			}
		}
	}
	return out
}

// take takes from the pool what a posted transaction took.
func (x *pass) take(l *pool, d draw) []int64 {
	took, over := x.taken(d.stage, d.o.Provider, d.r, l.parts)
	l.over += over
	l.gone += over
	for i, n := range took {
		l.parts[i].amount = money.Of(l.parts[i].amount.Minor()-n, x.currency())
		l.gone += n
	}
	return took
}

// share divides what goes back of an attempt by largest remainder: over what
// the capture that it names still has, then over what the rest of the attempt
// has; what is more than that is the excess.
func (x *pass) share(by *payment.Operation, amount money.Amount) []share {
	root := rootOf(x.p, by)
	l, c := x.collected(root), x.currency()
	target := &pool{}
	for _, s := range l.parts {
		target.part(s, c)
	}
	of := x.p.Operation(by.Target)
	if r, _ := x.journal.current(of.ID, Captured); r != nil {
		target.add(x.partsOf(of), 1, c)
	}
	for _, o := range x.p.Operations {
		if s, takes := pooled(o); takes && o.Target == of.ID && len(o.Splits) > 0 && o.Approved.Currency() == c {
			if r, _ := x.journal.current(o.ID, s); r != nil {
				target.add(scale(x.explicit(o.Splits), o.Approved), -1, c)
			}
		}
	}
	for _, d := range x.drawn(root) {
		for i, n := range x.take(l, d) {
			if d.o.Target == of.ID {
				target.parts[i].amount = money.Of(target.parts[i].amount.Minor()-n, c)
			}
		}
	}
	out := slices.Clone(l.parts)
	for i := range out {
		out[i].amount = money.Zero(c)
	}
	rest := min(amount.Minor(), max(0, l.room-(l.gone-l.over)))
	excess := amount.Minor() - rest
	for _, first := range []bool{true, false} {
		left := make([]money.Amount, len(out))
		have := int64(0)
		for i := range left {
			n := max(0, l.parts[i].amount.Minor()-out[i].amount.Minor())
			if first {
				n = min(n, max(0, target.parts[i].amount.Minor()))
			}
			left[i] = money.Of(n, c)
			have += n
		}
		now := min(rest, have)
		shares, err := money.Of(now, c).AllocateOver(left)
		if err != nil {
			return own(amount)
		}
		for i := range out {
			out[i].amount = money.Of(out[i].amount.Minor()+shares[i].Minor(), c)
		}
		rest -= now
	}
	return append(out, share{kind: Excess, amount: money.Of(excess+rest, c)})
}

// resettle shares anew, where the pool of an attempt is no longer sound, what
// was shared last: as little as makes it sound. What comes out as it is booked
// stays.
func (x *pass) resettle(root *payment.Operation) {
	all := x.drawn(root)
	if len(all) == 0 || x.settled(root, all).sound() {
		return
	}
	n := len(all) - 1
	for n > 0 && !x.settled(root, all[:n]).sound() {
		n--
	}
	for _, d := range all[n:] {
		d.r.undone = true
	}
	for _, d := range all[n:] {
		w := want{d.stage, d.o.Approved}
		if sameLines(d.r.lines, linesOf(x.entriesOf(d.o, w))) {
			d.r.undone = false
			continue
		}
		x.undo(d.o, d.r)
		_, next := x.journal.current(d.o.ID, d.stage)
		x.anew[d.r.key] = Key(d.o.ID, d.stage, next)
		x.post(d.o, w, next)
	}
}

// settled is the pool of an attempt after what was shared of it.
func (x *pass) settled(root *payment.Operation, of []draw) *pool {
	l := x.collected(root)
	for _, d := range of {
		x.take(l, d)
	}
	return l
}

func sameLines(a, b []line) bool {
	sums := map[line]int64{}
	for sign, of := range map[int64][]line{1: a, -1: b} {
		for _, l := range of {
			sums[line{l.path, 0}] += sign * l.minor
		}
	}
	for _, n := range sums {
		if n != 0 {
			return false
		}
	}
	return true
}
