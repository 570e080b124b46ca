package ledger

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/tender-go/payment/money"
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
