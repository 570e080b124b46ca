package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// postings compares the pages of the accounts with the journal: as sums first,
// and where they differ, line by line.
func (v *verifier) postings(ctx context.Context) error {
	end := int64(0)
	err := v.view.AllPostings(ctx, func(p Posting, number int64) error {
		v.report.Postings++
		end = max(end, p.Seq)
		t := v.accounts[number]
		switch {
		case t == nil || p.Account == nil:
			v.add(Problem{Table: TablePostings, Seq: p.Seq, N: p.N, ID: p.ID, Account: numbered(number), What: "belongs to no account"})
		case p.Layer > HeldCredit:
			v.add(Problem{Table: TablePostings, Seq: p.Seq, N: p.N, ID: p.ID, Account: t.account.Path, What: fmt.Sprintf("is where no reader looks for it: its layer (%d) or its volume was changed", p.Layer)})
		default:
			t.pages[p.Layer].sub(v.print(number, &p))
		}
		if v.report.Postings%(100*walkPage) == 0 {
			v.progress(TablePostings, v.report.Postings)
			return ctx.Err()
		}
		return nil
	})
	if err != nil {
		return v.readable(TablePostings, err)
	}
	v.progress(TablePostings, v.report.Postings)
	if last := v.seal.last.Last(); end > last && v.seal.next != 0 {
		v.add(Problem{Table: TableBlocks, Seq: last + 1, What: fmt.Sprintf("is not there, and the pages of the accounts go on to number %d: "+
			"the blocks after number %d were removed, or postings were added", end, last)})
	}
	var differ []int64
	for id, t := range v.accounts {
		if t.pages != [3]digest{} {
			differ = append(differ, id)
		}
	}
	if len(differ) == 0 {
		return nil
	}
	slices.Sort(differ)
	return v.locate(ctx, differ)
}

// locateWindow is how many records' postings are compared at a time.
const locateWindow = 16 * walkPage

// locator walks the journal again and compares the pages of accounts that
// differ line by line, a window of numbers at a time.
type locator struct {
	v        *verifier
	accounts map[int64]*located
	order    []int64
	after    int64 // the window begins behind it
	last     int64
	records  int
	closed   int64
	book     Block
	gaps     [][2]int64 // numbers, both ends included, that no readable block has
	low      map[int64]bool
}

type located struct {
	account  *Account
	running  Totals
	expected []Posting
	// drift is by how much running balances are off since a line that was
	// named, or since a record that is lost: then adopt is set first.
	drift [3]int64
	adopt [3]bool
	found int
}

func (v *verifier) locate(ctx context.Context, differ []int64) error {
	n := max(v.options.Limit-len(v.report.Problems), 1)
	if len(differ) > n {
		for _, id := range differ[n:] {
			v.add(Problem{Table: TablePostings, Account: v.accounts[id].account.Path, What: "are not what the journal says"})
		}
		differ = differ[:n]
	}
	l := locator{v: v, accounts: make(map[int64]*located, n), order: differ}
	for _, id := range differ {
		l.accounts[id] = &located{account: v.accounts[id].account}
	}
	w := walker{view: v.view, begin: l.begin, sealed: l.sealed, end: l.end, tail: func(*Record, error) {}, again: func(int64) {}, page: l.page}
	if err := w.run(ctx); err != nil {
		return err
	}
	if err := l.compare(ctx, 0); err != nil {
		return err
	}
	for _, id := range differ {
		if a := l.accounts[id]; a.found == 0 && len(v.lost) == 0 {
			v.add(Problem{Table: TablePostings, Account: a.account.Path, What: "are not what the journal says"})
		}
	}
	return nil
}

func (l *locator) begin(b *Block, broken error) {
	l.book = Block{Closed: l.closed}
	if broken == nil && b.First > l.last+1 {
		l.gaps = append(l.gaps, [2]int64{l.last + 1, b.First - 1})
		l.book.Closed = max(l.closed, b.Closed)
	}
}

func (l *locator) end(b *Block, broken error) {
	l.closed = l.book.Closed
	if broken == nil {
		l.last = max(l.last, b.Last())
	}
}

func (l *locator) sealed(s step) {
	l.records++
	l.last = max(l.last, s.seq)
	r := s.record
	if r == nil {
		return
	}
	booked := l.book.book(r)
	for n := range r.Lines {
		line := &r.Lines[n]
		a := l.accounts[line.Account.ID]
		if a == nil {
			continue
		}
		a.running.Add(line.Layer, line.Amount)
		a.expected = append(a.expected, Posting{Layer: line.Layer, Seq: s.seq, N: n, ID: r.ID, Amount: line.Amount, Running: a.running.Of(line.Layer), Booked: booked})
	}
}

func (l *locator) page(ctx context.Context) error {
	if l.records < locateWindow || l.last <= l.after {
		return nil
	}
	return l.compare(ctx, l.last)
}

// compare reads the window of every account, up to a number, 0 for the rest.
func (l *locator) compare(ctx context.Context, until int64) error {
	for _, id := range l.order {
		a := l.accounts[id]
		m := merge{l: l, a: a, rest: a.expected}
		err := l.v.view.Postings(ctx, PostingQuery{Account: a.account, After: l.after, Until: until}, func(p Posting) error {
			m.actual(&p)
			return nil
		})
		if err = l.v.readable(TablePostings, err); err != nil {
			return err
		}
		m.before(nil)
		a.expected = a.expected[:0]
		if err := l.strays(ctx, &m); err != nil {
			return err
		}
	}
	l.after, l.records, l.gaps = until, 0, l.gaps[:0]
	return nil
}

// merge compares what is on a page with what the journal expects there, both
// by Seq and N.
type merge struct {
	l    *locator
	a    *located
	rest []Posting
	// strays are on the page, and no sealed record has such a line.
	strays []Posting
}

func (m *merge) bad(p *Posting, what string) {
	m.a.found++
	m.l.v.add(Problem{Table: TablePostings, ID: p.ID, Seq: p.Seq, N: p.N, Account: m.a.account.Path, What: what})
}

// before reports what is expected before a posting, nil for all, as missing.
func (m *merge) before(p *Posting) {
	for len(m.rest) > 0 {
		e := &m.rest[0]
		if p != nil && (e.Seq > p.Seq || e.Seq == p.Seq && e.N >= p.N) {
			return
		}
		m.bad(e, "is missing: the record has such a line")
		m.rest = m.rest[1:]
	}
}

func (m *merge) actual(p *Posting) {
	m.before(p)
	if len(m.rest) == 0 || m.rest[0].Seq != p.Seq || m.rest[0].N != p.N {
		if m.l.v.lost[p.Seq] {
			if p.Layer <= HeldCredit {
				m.a.adopt[p.Layer] = true
			}
			m.a.found++ // the record is named
			return
		}
		m.stray(p)
		return
	}
	e := &m.rest[0]
	m.rest = m.rest[1:]
	var wrong []string
	differs := func(name string, have, want int64) {
		if have != want {
			wrong = append(wrong, fmt.Sprintf("%s is %d and must be %d", name, have, want))
		}
	}
	if p.Layer != e.Layer {
		wrong = append(wrong, fmt.Sprintf("it is on the layer %s and must be on %s", p.Layer, e.Layer))
	}
	differs("the record", p.ID, e.ID)
	differs("the amount", p.Amount, e.Amount)
	differs("the booked date", p.Booked, e.Booked)
	if p.Layer == e.Layer && p.Layer <= HeldCredit {
		drift, at := p.Running-e.Running, p.Layer
		if drift != 0 && drift != m.a.drift[at] && !m.a.adopt[at] {
			differs("the running balance", p.Running, e.Running+m.a.drift[at])
		}
		if drift != 0 {
			m.a.drift[at] = drift
		}
		m.a.adopt[at] = false
	}
	if len(wrong) > 0 {
		m.bad(p, "is not what the record says: "+strings.Join(wrong, ", "))
	}
}

// totals compares what strict accounts come to with the journal.
func (v *verifier) totals(ctx context.Context) error {
	rows := int64(0)
	err := v.view.Totals(ctx, func(l Locked) error {
		rows++
		t := v.accounts[l.ID]
		if t == nil {
			v.add(Problem{Table: TableTotals, ID: l.ID, Account: numbered(l.ID), What: "belongs to no account"})
			return nil
		}
		bad := func(format string, args ...any) {
			v.add(Problem{Table: TableTotals, ID: l.ID, Account: t.account.Path, What: fmt.Sprintf(format, args...)})
		}
		switch {
		case t.account.Mode != Strict:
			bad("is kept for an account that is not strict")
		case t.listed:
			bad("is listed twice")
		}
		t.listed = true
		for _, layer := range [...]Layer{Posted, HeldDebit, HeldCredit} {
			if have, want := l.Totals.Of(layer), t.all.Of(layer); have != want {
				bad("says that %d minor units are %s, and the journal comes to %d", have, layer, want)
			}
		}
		if l.Version != t.taken {
			bad("is at version %d, and %d records took from it", l.Version, t.taken)
		}
		return nil
	})
	if err != nil {
		return v.readable(TableTotals, err)
	}
	v.progress(TableTotals, rows)
	for _, id := range slices.Sorted(maps.Keys(v.accounts)) {
		if t := v.accounts[id]; t.account.Mode == Strict && t.used && !t.listed {
			v.add(Problem{Table: TableTotals, ID: id, Account: t.account.Path, What: "is missing"})
		}
	}
	return nil
}
