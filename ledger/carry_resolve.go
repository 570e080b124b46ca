package ledger

import (
	"fmt"
	"strconv"
)

// What a request stands on: its key, its accounts, the earlier record.

// resolve finds the accounts of a request and makes its record, or refuses it.
// It returns false for one that has to be left to the next round; first says
// that nothing came before it in this one.
func (c *carrier) resolve(r *Request, first bool) bool {
	if old := c.recorded(r.key); old != nil {
		r.record = old
		r.Receipt.Replayed = true
		if old.Fingerprint != r.fingerprint {
			r.record = nil
			r.refuse(&Error{Kind: ErrKeyConflict, Problem: "was used for something else (" + old.Kind.String() + " recorded " + instant(old.Recorded).Format("2006-01-02 15:04:05") + ")",
				Remedy: "use another key for another wish, and the same content for a retry"})
		}
		return true
	}
	if !first && c.stale(r) {
		return false
	}
	rec := r.newRecord()
	if !c.find(r) || !c.open(r, rec) {
		return true
	}
	switch r.kind {
	case KindPost, KindHold:
		rec.setLines(r)
	case KindClose:
		c.closed = rec.Effective // for the rest of its group
	default:
		if err := c.draw(r, rec); err != nil {
			r.refuse(err)
			return true
		}
	}
	r.record = rec
	c.touch(r)
	return true
}

// stale reports whether a request takes an account for something else than one
// before it that would open the account. It depends on whether that one is
// accepted, which is not decided yet.
func (c *carrier) stale(r *Request) bool {
	for i := range r.legs {
		l := &r.legs[i]
		if a := c.accounts[l.at]; a != nil && a.ID == 0 && a.Spec != l.spec {
			return true
		}
	}
	return false
}

// open refuses what is dated into a closed period.
func (c *carrier) open(r *Request, rec *Record) bool {
	switch {
	case r.kind == KindClose && rec.Effective > r.recorded:
		r.refuse(&Error{Kind: ErrInvalid, Field: "Before", Problem: "is " + dated(rec.Effective) + ", which is still to come", Remedy: "close what is over: a closing cannot be taken back"})
		return false
	case r.kind == KindHold && !r.fact && r.expired():
		r.refuse(&Error{Kind: ErrInvalid, Field: "ExpiresAt", Problem: "is " + dated(rec.Expires) + ", which is over", Remedy: "name a later instant, or none"})
		return false
	case c.closed == 0 || r.fact:
		return true
	case r.kind == KindClose:
		if rec.Effective > c.closed {
			return true
		}
		r.refuse(&Error{Kind: ErrClosed, Field: "Before", Problem: "is not after " + dated(c.closed) + ", before which all is closed", Remedy: "name a later instant"})
	case rec.Effective < c.closed:
		r.refuse(&Error{Kind: ErrClosed, Field: "Effective", Problem: "is " + dated(rec.Effective) + ", and all before " + dated(c.closed) + " is closed", Remedy: "date it into an open period"})
	default:
		return true
	}
	return false
}

// expired reports whether a hold would be over before it is made.
func (r *Request) expired() bool { return r.expires != 0 && r.expires <= r.recorded }

func dated(micros int64) string { return instant(micros).Format("2006-01-02T15:04:05.999999Z07:00") }

// find finds the accounts of a request, or notes which have to be opened.
func (c *carrier) find(r *Request) bool {
	for i := range r.legs {
		l := &r.legs[i]
		a := c.accounts[l.at]
		switch {
		case a == nil:
			a = &Account{Spec: l.spec}
			c.accounts[l.at] = a
		case a.Currency != l.spec.Currency:
			r.refuse(&Error{Kind: ErrCurrency, Field: "Entries[" + strconv.Itoa(i) + "]", Account: a.Path, Problem: "is kept in " + string(a.Currency) + ", and the entry is in " + string(l.spec.Currency),
				Remedy: "use an account of that currency; {currency} in the chart's pattern makes one for each"})
			return false
		case a.Type != l.spec.Type || a.Mode != l.spec.Mode:
			r.refuse(&Error{Kind: ErrInvalid, Account: a.Path, Problem: fmt.Sprintf("was opened as %s, %s, and the chart says %s, %s", a.Type, a.Mode, l.spec.Type, l.spec.Mode),
				Remedy: "what an account is cannot change: use another path"})
			return false
		}
		if a.Mode == Deferred && a.full.Load() {
			r.refuse(overflow(a))
			return false
		}
		l.acct = a
	}
	for i := range r.conditions {
		r.conditions[i].acct = c.accounts[r.conditions[i].at]
		if a := r.conditions[i].acct; a != nil && a.Mode != Strict {
			r.refuse(&Error{Kind: ErrInvalid, Field: "Conditions[" + strconv.Itoa(i) + "]", Account: a.Path, Problem: "was opened as " + a.Mode.String() + ", and keeps no balance at hand",
				Remedy: "put conditions on strict accounts"})
			return false
		}
	}
	return true
}

func overflow(a *Account) *Error {
	return &Error{Kind: ErrOverflow, Account: a.Path, Problem: "would come to more than a ledger holds (2^62 minor units)", Remedy: "close it and go on with another"}
}

// smallRecord is a record with its two lines.
type smallRecord struct {
	Record
	lines [2]Line
}

// newRecord makes the record of a request, without its lines.
func (r *Request) newRecord() *Record {
	s := &smallRecord{Record: Record{Kind: r.kind, Key: r.key, Fingerprint: r.fingerprint, Recorded: r.recorded, Effective: r.effective,
		Expires: r.expires, Description: r.description, Metadata: r.metadata}}
	s.Lines = s.lines[:0]
	if s.Effective == 0 {
		s.Effective = r.recorded
	}
	return &s.Record
}

// setLines makes the lines of a post or hold.
func (rec *Record) setLines(r *Request) {
	for i := range r.legs {
		l := &r.legs[i]
		if r.kind == KindHold {
			rec.Lines = append(rec.Lines, Line{l.acct, heldLayer(l.side), l.minor})
		} else {
			rec.Lines = append(rec.Lines, Line{l.acct, Posted, int64(l.side) * l.minor})
		}
	}
}

// touch notes the strict accounts that a request changes or asks about.
func (c *carrier) touch(r *Request) {
	for i := range r.record.Lines {
		l := &r.record.Lines[i]
		if l.Account.Mode == Strict {
			w := c.working(l.Account)
			w.must = w.must || l.Account.lowers(l.Layer, l.Amount)
		}
	}
	for i := range r.conditions {
		if a := r.conditions[i].acct; a != nil {
			c.working(a).must = true
		}
	}
}
