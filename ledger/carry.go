package ledger

import (
	"context"
	"sync"
)

// Carry carries requests out in a transaction, in order, as far as what they
// stand on was free: it returns those that have to wait because an account is
// locked elsewhere. Each of the others has its Receipt or Err when the
// transaction is committed. An error means that the transaction is to be
// rolled back; the requests may be carried out again.
//
// It reads and locks all it needs, decides, and only then writes: what is
// refused leaves nothing behind.
func Carry(ctx context.Context, tx Tx, requests []*Request) (aside []*Request, err error) {
	for len(requests) > 0 {
		c := carriers.Get().(*carrier) //nolint:forcetypeassert // nothing else is in it
		c.tx, c.requests = tx, requests[:independent(requests)]
		waiting, err := c.carry(ctx)
		n := len(c.requests)
		c.reset()
		carriers.Put(c)
		if err != nil {
			return nil, err
		}
		aside = append(aside, waiting...)
		requests = requests[n:]
		if len(waiting) > 0 {
			requests, aside = behind(requests, aside)
		}
	}
	return aside, nil
}

// independent counts the requests that can be decided in one go: as many as
// name no key that one before them names, or follow the end of a period. A
// group stays together.
func independent(requests []*Request) int {
	if len(requests) == 1 {
		return 1
	}
	named := make(map[string]int, len(requests)) // by the request at that place
	from, closes := 0, false                     // where the group of request i begins
	for i, r := range requests {
		if !together(requests, i) {
			if closes {
				return i
			}
			from = i
		}
		for _, key := range [...]string{r.key, r.of} {
			if at, ok := named[key]; ok && at < from {
				return from
			}
			if key != "" {
				named[key] = i
			}
		}
		closes = closes || r.kind == KindClose
	}
	return len(requests)
}

// together reports whether a request belongs to the group of the one before.
func together(requests []*Request, i int) bool {
	return i > 0 && requests[i].group != nil && requests[i].group == requests[i-1].group
}

// behind sets aside what names a key of those that wait: it comes after them.
func behind(requests, aside []*Request) (rest, all []*Request) {
	waits := make(map[string]bool, len(aside))
	for _, r := range aside {
		waits[r.key] = true
	}
	for from := 0; from < len(requests); {
		to, after := from, false
		for ; to == from || to < len(requests) && together(requests, to); to++ {
			after = after || waits[requests[to].key] || waits[requests[to].of]
		}
		if !after {
			rest = append(rest, requests[from:to]...)
		} else {
			for _, r := range requests[from:to] {
				waits[r.key] = true
				aside = append(aside, r)
			}
		}
		from = to
	}
	return rest, aside
}

// carriers are used again: most rounds are of one request, and would make more
// garbage than they write.
var carriers = sync.Pool{New: func() any { return &carrier{} }} //nolint:gochecknoglobals // a free list

// carrier is one round of Carry.
type carrier struct {
	tx       Tx
	requests []*Request

	paths    []string
	accounts []*Account // by paths; a new one has no ID yet
	index    map[string]int
	keys     []string
	keyed    []*Record
	byKey    map[string]*Record
	parts    map[int64][]*Record
	closed   int64
	work     []*working
	byID     map[*Account]*working
	undo     []undone
	records  []*Record
	deltas   []Delta
	must     []int64
	may      []int64

	room [few]working // for work, as far as it goes
}

func (c *carrier) reset() {
	room := c.work
	if len(room) > few {
		*c = carrier{} // what a large batch grew to is not kept
		return
	}
	clear(c.accounts)
	clear(c.keyed)
	clear(c.records)
	clear(c.deltas)
	clear(c.undo[:cap(c.undo)])
	clear(c.work)
	*c = carrier{paths: c.paths[:0], accounts: c.accounts[:0], keys: c.keys[:0], keyed: c.keyed[:0], work: c.work[:0], undo: c.undo[:0],
		records: c.records[:0], deltas: c.deltas[:0], must: c.must[:0], may: c.may[:0]}
}

func (c *carrier) carry(ctx context.Context) (aside []*Request, err error) {
	for _, r := range c.requests {
		r.Receipt, r.Err, r.record, r.waits = Receipt{}, nil, nil, false
	}
	if err := c.read(ctx); err != nil {
		return nil, err
	}
	from := 0 // where the group of request i begins
	for i, r := range c.requests {
		if !together(c.requests, i) {
			from = i
		}
		if !c.resolve(r, from == 0) {
			c.requests = c.requests[:from]
			break
		}
	}
	if err := c.lock(ctx); err != nil {
		return nil, err
	}
	for from := 0; from < len(c.requests); {
		to := from + 1
		for to < len(c.requests) && together(c.requests, to) {
			to++
		}
		c.decide(c.requests[from:to])
		from = to
	}
	if err := c.write(ctx); err != nil {
		return nil, err
	}
	for _, r := range c.requests {
		switch {
		case r.waits:
			aside = append(aside, r)
		case r.Err == nil && r.record != nil:
			r.Receipt = r.record.receipt(r.Receipt.Replayed)
		}
	}
	return aside, nil
}

// read reads what the requests stand on.
func (c *carrier) read(ctx context.Context) error {
	for _, r := range c.requests {
		c.keys = append(c.keys, r.key)
		if r.of != "" {
			c.keys = append(c.keys, r.of)
		}
		for i := range r.legs {
			r.legs[i].at = c.path(r.legs[i].spec.Path)
		}
		for i := range r.conditions {
			r.conditions[i].at = c.path(r.conditions[i].Account)
		}
	}
	found, err := c.tx.Accounts(ctx, c.paths)
	if err != nil {
		return err
	}
	c.accounts = append(c.accounts, found...)
	records, err := c.tx.Keyed(ctx, c.keys)
	if err != nil {
		return err
	}
	if len(records) > 0 {
		if err := c.history(ctx, records); err != nil {
			return err
		}
	}
	c.closed, err = c.tx.ClosedBefore(ctx)
	return err
}

// path returns the place of a path in paths.
func (c *carrier) path(path string) int {
	if c.index != nil {
		if i, ok := c.index[path]; ok {
			return i
		}
		c.index[path] = len(c.paths)
	} else {
		for i, p := range c.paths {
			if p == path {
				return i
			}
		}
		if len(c.paths) == few {
			c.index = make(map[string]int, 4*len(c.requests))
			for i, p := range c.paths {
				c.index[p] = i
			}
			c.index[path] = len(c.paths)
		}
	}
	c.paths = append(c.paths, path)
	return len(c.paths) - 1
}

// recorded returns the record with a key, or nil.
func (c *carrier) recorded(key string) *Record {
	if c.byKey != nil {
		return c.byKey[key]
	}
	for _, r := range c.keyed {
		if r.Key == key {
			return r
		}
	}
	return nil
}

// history reads what became of the records that requests refer to.
func (c *carrier) history(ctx context.Context, records []*Record) error {
	c.keyed = append(c.keyed, records...)
	if len(records) > few {
		c.byKey = make(map[string]*Record, len(records))
		for _, r := range records {
			c.byKey[r.Key] = r
		}
	}
	var ids []int64
	for _, r := range c.requests {
		if r.of == "" {
			continue
		}
		if of := c.recorded(r.of); of != nil && c.recorded(r.key) == nil {
			ids = append(ids, of.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	parts, err := c.tx.Parts(ctx, sortedUnique(ids))
	if err != nil {
		return err
	}
	c.parts = make(map[int64][]*Record, len(ids))
	for _, p := range parts {
		c.parts[p.Of] = append(c.parts[p.Of], p)
	}
	return nil
}

// write opens the new accounts of what was accepted, and appends it.
func (c *carrier) write(ctx context.Context) error {
	if len(c.records) == 0 {
		return nil
	}
	if err := c.openNew(ctx); err != nil {
		return err
	}
	for _, w := range c.work {
		if w.add != (Totals{}) || w.taken > 0 {
			c.deltas = append(c.deltas, Delta{Account: w.account, Add: w.add, Taken: w.taken, Locked: w.locked, Totals: w.totals, Version: w.version})
		}
	}
	return c.tx.Append(ctx, c.records, c.deltas)
}

// openNew opens the accounts that are new, and puts them in the place of their
// stand-ins.
func (c *carrier) openNew(ctx context.Context) error {
	var specs []Spec
	var opened map[*Account]*Account // by stand-in
	var order []*Account
	for _, r := range c.records {
		for i := range r.Lines {
			a := r.Lines[i].Account
			if a.ID != 0 {
				continue
			}
			if opened == nil {
				opened = map[*Account]*Account{}
			}
			if _, seen := opened[a]; !seen {
				opened[a] = nil
				order, specs = append(order, a), append(specs, a.Spec)
			}
		}
	}
	if len(order) == 0 {
		return nil
	}
	accounts, err := c.tx.Open(ctx, specs)
	if err != nil {
		return err
	}
	for i, a := range accounts {
		if a == nil {
			return ErrConflict // somebody else's: decide anew on what it is
		}
		opened[order[i]] = a
	}
	for _, r := range c.records {
		for i := range r.Lines {
			if a := opened[r.Lines[i].Account]; a != nil {
				r.Lines[i].Account = a
			}
		}
	}
	for _, w := range c.work {
		if a := opened[w.account]; a != nil {
			w.account = a
		}
	}
	return nil
}

// Busy is the error of a request whose account was locked elsewhere for too
// long: nothing of it was written.
func Busy(r *Request) error {
	return &Error{Kind: ErrBusy, Key: r.key, Problem: "was not recorded: an account is locked by a transaction that takes long", Remedy: "send it again with the same key"}
}
