package ledger

import (
	"context"
	"fmt"
	"strconv"

	"github.com/tender-go/payment/money"
)

// Whether the strict accounts of a round have what its requests take.

// working is a strict account that the round changes.
type working struct {
	account *Account
	must    bool // its totals decide something
	locked  bool
	totals  Totals
	version int64
	add     Totals
	taken   int64
	seen    *Record // the last record that was counted in taken
}

// undone is what an account was before a request of a group changed it.
type undone struct {
	at     *working
	before working
}

// few accounts are searched faster than a map is made.
const few = 8

func (c *carrier) seek(a *Account) *working {
	if c.byID != nil {
		return c.byID[a]
	}
	for _, w := range c.work {
		if w.account == a {
			return w
		}
	}
	return nil
}

func (c *carrier) working(a *Account) *working {
	if w := c.seek(a); w != nil {
		return w
	}
	var w *working
	if n := len(c.work); n < few {
		w = &c.room[n]
	} else {
		w = &working{}
	}
	w.account = a
	c.work = append(c.work, w)
	switch {
	case c.byID != nil:
		c.byID[a] = w
	case len(c.work) > few:
		c.byID = make(map[*Account]*working, 4*len(c.requests))
		for _, w := range c.work {
			c.byID[w.account] = w
		}
	}
	return w
}

// lock locks what decides something, and what is free of the rest.
func (c *carrier) lock(ctx context.Context) error {
	for _, w := range c.work {
		switch {
		case w.account.ID == 0:
			w.locked = true // new: nobody else knows it
		case w.must:
			c.must = append(c.must, w.account.ID)
		default:
			c.may = append(c.may, w.account.ID)
		}
	}
	if len(c.must)+len(c.may) == 0 {
		return nil
	}
	got, err := c.tx.Lock(ctx, sortedUnique(c.must), sortedUnique(c.may))
	if err != nil {
		return err
	}
	if len(got) <= few {
		for _, g := range got {
			for _, w := range c.work {
				if w.account.ID == g.ID {
					w.locked, w.totals, w.version = true, g.Totals, g.Version
				}
			}
		}
		return nil
	}
	byID := make(map[int64]*working, len(c.work))
	for _, w := range c.work {
		byID[w.account.ID] = w
	}
	for _, g := range got {
		if w := byID[g.ID]; w != nil {
			w.locked, w.totals, w.version = true, g.Totals, g.Version
		}
	}
	return nil
}

// decide accepts or refuses requests that stand or fall together.
func (c *carrier) decide(requests []*Request) {
	c.undo = c.undo[:0]
	grouped := len(requests) > 1
	for i, r := range requests {
		if r.Err == nil && r.record != nil && !r.Receipt.Replayed {
			c.try(r, grouped)
		}
		if r.Err == nil && !r.waits {
			continue
		}
		if grouped {
			c.takeBack()
			for j, other := range requests {
				switch {
				case r.waits:
					other.waits, other.Err = true, nil
				case j != i:
					other.refuse(&Error{Kind: ErrTogether, Problem: "was refused together with " + strconv.Quote(r.key), Remedy: "see its error"})
				}
			}
		}
		return
	}
	for _, r := range requests {
		if r.record != nil && !r.Receipt.Replayed {
			c.records = append(c.records, r.record)
		}
	}
}

func (c *carrier) takeBack() {
	for i := len(c.undo) - 1; i >= 0; i-- {
		*c.undo[i].at = c.undo[i].before
	}
}

// try changes the working totals by one request. If it is refused they are as
// before, except in a group, which is taken back as a whole.
func (c *carrier) try(r *Request, grouped bool) {
	for i := range r.conditions {
		a := r.conditions[i].acct
		if a == nil {
			continue
		}
		if w := c.seek(a); !w.locked {
			r.waits = true
			return
		}
	}
	for i := range r.conditions {
		cond := &r.conditions[i]
		if cond.Version == nil {
			continue
		}
		var have working
		if cond.acct != nil {
			have = *c.seek(cond.acct)
		}
		if have.version != *cond.Version {
			r.refuse(c.unmet(cond, &have, fmt.Sprintf("is at version %d, not %d", have.version, *cond.Version), "read it again and decide anew"))
			return
		}
	}
	from := len(c.undo)
	failed := c.moves(r)
	for i := range r.conditions {
		if cond := &r.conditions[i]; !failed && cond.Version == nil {
			failed = !c.floor(r, cond)
		}
	}
	if failed {
		for i := len(c.undo) - 1; i >= from; i-- {
			*c.undo[i].at = c.undo[i].before
		}
	}
	if failed || !grouped {
		c.undo = c.undo[:from]
	}
}

// moves adds the lines of a request to the working totals.
func (c *carrier) moves(r *Request) (failed bool) {
	for i := range r.record.Lines {
		l := &r.record.Lines[i]
		if l.Account.Mode != Strict {
			continue
		}
		w := c.seek(l.Account)
		lowers := l.Account.lowers(l.Layer, l.Amount)
		if lowers && !w.locked {
			r.waits = true
			return true
		}
		c.undo = append(c.undo, undone{w, *w})
		fits := w.add.Add(l.Layer, l.Amount)
		if w.locked {
			fits = w.totals.Add(l.Layer, l.Amount) && w.totals.fits() && fits
		}
		if lowers && w.seen != r.record {
			w.taken++
			w.version++
			w.seen = r.record
		}
		if !fits {
			r.refuse(overflow(l.Account))
			return true
		}
	}
	return false
}

func (c *carrier) floor(r *Request, cond *condition) bool {
	var have working
	if cond.acct != nil {
		have = *c.seek(cond.acct)
	}
	left := int64(0)
	if have.account != nil {
		left = have.totals.available(have.account.Type)
	}
	if left >= cond.Floor {
		return true
	}
	// What is told is what there was before.
	before := have
	for i := range c.undo {
		if c.undo[i].at.account == cond.acct && cond.acct != nil {
			before = c.undo[i].before
			break
		}
	}
	available := int64(0)
	currency := cond.spec.Currency
	if before.account != nil {
		available, currency = before.totals.available(before.account.Type), before.account.Currency
	}
	problem := "would have " + money.Of(left, currency).String() + " available"
	if cond.Floor != 0 {
		problem += ", less than " + money.Of(cond.Floor, currency).String()
	}
	r.refuse(c.unmet(cond, &before, problem, fmt.Sprintf("it has %s: take less, or try again when more came in", money.Of(available, currency))))
	return false
}

func (c *carrier) unmet(cond *condition, have *working, problem, remedy string) *Error {
	e := &Error{Kind: ErrCondition, Account: cond.Account, Problem: problem, Remedy: remedy, Version: have.version}
	if have.account != nil {
		e.Available = money.Of(have.totals.available(have.account.Type), have.account.Currency)
	}
	return e
}

func (r *Request) refuse(err *Error) {
	if err.Key == "" {
		err.Key = r.key
	}
	r.Err = err
}
