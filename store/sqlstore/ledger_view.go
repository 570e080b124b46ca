package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/recovered"
	"github.com/tender-go/payment/ledger"
)

// viewPage is how many rows are read at a time: between two pages the
// connection is free for what the reader asks meanwhile.
const viewPage = 2000

// endOfTime is beyond every instant that the ledger takes.
const endOfTime = 1<<63 - 1

// View implements ledger.Backend: in a transaction of its own that sees one
// moment, or in the one that ctx carries.
func (b books) View(ctx context.Context, fn func(context.Context, ledger.View) error) error {
	s := b.s
	if s.closed.Load() {
		return errClosed
	}
	if t := within(ctx); t != nil {
		return fn(ctx, &ledgerView{ledgerTx: t.ledger()})
	}
	if h := hostOf(ctx); h != nil {
		host, err := s.join(ctx, h)
		if err != nil {
			return booksError(err)
		}
		t := newTx(s, joined{host})
		defer t.end()
		return booksError(fn(ctx, &ledgerView{ledgerTx: t.ledger()}))
	}
	return booksError(s.view(ctx, fn))
}

func (s *Store) view(ctx context.Context, fn func(context.Context, ledger.View) error) error {
	own, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: s.dialect.snapshotIsolation()})
	if err != nil {
		return s.statementError(err)
	}
	defer func() { _ = own.Rollback() }() // it wrote nothing
	t := newTx(s, plain{own})
	defer t.end()
	return recovered.Call("the function of View", func() error {
		return fn(ctx, &ledgerView{ledgerTx: t.ledger(), committed: true})
	})
}

// snapshotIsolation is the level at which a transaction sees one moment; on
// SQLite every one does.
func (d Dialect) snapshotIsolation() sql.IsolationLevel {
	if d == Postgres {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

// ledgerView reads the books in a transaction.
type ledgerView struct {
	*ledgerTx
	committed bool // what it sees is
}

var _ ledger.View = (*ledgerView)(nil)

func (v *ledgerView) sql() *ledgerStatements { return v.t.s.sql.ledger }

// Last implements ledger.View.
func (v *ledgerView) Last(ctx context.Context) (ledger.Block, error) {
	return v.t.lastBlock(ctx, v.sql().lastBlock)
}

// SealedBy implements ledger.View.
func (v *ledgerView) SealedBy(ctx context.Context, at int64) (ledger.Block, error) {
	return v.t.lastBlock(ctx, v.sql().blockBy, at)
}

// BlockOf implements ledger.View. A record is in the first block that reaches
// its number, unless that block says that it was still missing then.
func (v *ledgerView) BlockOf(ctx context.Context, id int64) (ledger.Block, error) {
	for from := id; ; {
		const page = 100
		blocks, err := all(ctx, v.t.q, scanBlock, v.sql().blockHolding, []any{from, int64(page)})
		if err != nil {
			return ledger.Block{}, err
		}
		for i := range blocks {
			b := &blocks[i]
			if slices.Contains(b.IDs, id) {
				return *b, nil
			}
			if v.t.s.dialect == SQLite {
				return ledger.Block{}, nil
			}
			gaps, err := unpackGaps(b.Notes)
			if err != nil {
				return ledger.Block{}, err
			}
			if !slices.ContainsFunc(gaps, func(g gap) bool { return g.id == id }) {
				return ledger.Block{}, nil
			}
			from = b.High + 1
		}
		if len(blocks) < page {
			return ledger.Block{}, nil
		}
	}
}

// pages reads rows page by page, and hands them out between the pages. next
// reads the page that follows a row.
func pages[T any](ctx context.Context, next func(ctx context.Context) ([]T, error), each func(T) error) error {
	for {
		page, err := next(ctx)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := each(r); err != nil {
				return err
			}
		}
		if len(page) < viewPage {
			return ctx.Err()
		}
	}
}

// Blocks implements ledger.View.
func (v *ledgerView) Blocks(ctx context.Context, after int64, limit int, each func(*ledger.Block, error) error) error {
	from := int64(-1 << 63)
	if after > 0 {
		// The block that holds the number after it, or the last before it.
		found, err := all(ctx, v.t.q, func(r row) (n int64, err error) { return n, r.Scan(&n) }, v.sql().blockAt, []any{after + 1})
		if err != nil {
			return err
		}
		if len(found) > 0 {
			from = found[0] - 1
		}
	}
	blockPage := 10 // of up to 4000 records each
	if limit > 0 {
		blockPage = min(blockPage, limit+1) // the first may end before what is asked for
	}
	for count := 0; ; {
		blocks, err := all(ctx, v.t.q, scanBlockRow, v.sql().blockPage, []any{from, int64(blockPage)})
		if err != nil {
			return err
		}
		for i := range blocks {
			b := &blocks[i]
			from = b.First
			if b.broken == nil && b.Last() <= after {
				continue
			}
			if err := each(&b.Block, b.broken); err != nil {
				return err
			}
			if count++; count == limit {
				return nil
			}
		}
		if len(blocks) < blockPage {
			return ctx.Err()
		}
	}
}

// Account implements ledger.View.
func (v *ledgerView) Account(ctx context.Context, path string) (*ledger.Account, error) {
	found, err := v.find(ctx, path)
	if err == nil && found == nil {
		err = &ledger.Error{Kind: ledger.ErrNotFound, Account: path, Problem: "was never posted to", Remedy: "check the path"}
	}
	return found, err
}

// find returns the account with that path, or nil.
func (v *ledgerView) find(ctx context.Context, path string) (*ledger.Account, error) {
	found, err := v.ledgerTx.Accounts(ctx, []string{path})
	if err != nil || found[0] == nil {
		return nil, err
	}
	if v.committed {
		v.t.s.accounts.keep(found[0])
	}
	return found[0], nil
}

// Accounts implements ledger.View.
func (v *ledgerView) Accounts(ctx context.Context, each func(*ledger.Account, []byte) error) error {
	type one struct {
		a      *ledger.Account
		digest []byte
	}
	after := int64(-1 << 63)
	return pages(ctx, func(ctx context.Context) ([]one, error) {
		return all(ctx, v.t.q, func(r row) (o one, err error) {
			o.a, o.digest, err = scanAccount(r)
			return o, err
		}, v.sql().accountPage, []any{after, int64(viewPage)})
	}, func(o one) error {
		after = o.a.ID
		if known := v.own[o.a.ID]; known != nil && known.Spec == o.a.Spec {
			o.a = known
		} else if v.own == nil || known == nil {
			o.a = v.same(o.a)
		}
		return each(o.a, o.digest)
	})
}

// Totals implements ledger.View.
func (v *ledgerView) Totals(ctx context.Context, each func(ledger.Locked) error) error {
	after := int64(-1 << 63)
	return pages(ctx, func(ctx context.Context) ([]ledger.Locked, error) {
		args := []any{after, int64(viewPage)}
		if v.t.s.dialect == Postgres {
			args = []any{after, after, int64(viewPage)}
		}
		return all(ctx, v.t.q, scanLocked, v.sql().totalPage, args)
	}, func(l ledger.Locked) error {
		after = l.ID
		return each(l)
	})
}

// Total implements ledger.View.
func (v *ledgerView) Total(ctx context.Context, account int64) (ledger.Locked, error) {
	args := []any{account}
	if v.t.s.dialect == Postgres {
		args = []any{account, account}
	}
	l, err := one(ctx, v.t.q, scanLocked, v.sql().totalOf, args...)
	if errors.Is(err, payment.ErrNotFound) {
		return ledger.Locked{}, nil
	}
	return l, err
}

// Running implements ledger.View.
func (v *ledgerView) Running(ctx context.Context, seq int64, accounts []*ledger.Account) ([]ledger.Totals, error) {
	return v.t.runningAt(ctx, seq, accounts)
}

const noLayer = ledger.Layer(255)

// posting is a row of the postings.
type posting struct {
	ledger.Posting
	account, layer, n, volume int64
}

func scanPosting(r row) (p posting, err error) {
	err = r.Scan(&p.account, &p.layer, &p.Seq, &p.n, &p.ID, &p.Amount, &p.Running, &p.Booked, &p.volume)
	p.Layer, p.N = ledger.Layer(p.layer), int(p.n)
	if int64(p.Layer) != p.layer {
		p.Layer = noLayer // no number that was ever written
	}
	return p, err
}

// Postings implements ledger.View.
func (v *ledgerView) Postings(ctx context.Context, q ledger.PostingQuery, each func(ledger.Posting) error) error {
	if len(q.Layers) == 1 {
		return v.layer(ctx, q, q.Layers[0], each)
	}
	layers := q.Layers
	if len(layers) == 0 {
		layers = []ledger.Layer{ledger.Posted, ledger.HeldDebit, ledger.HeldCredit}
	}
	// In one order, over several layers: each is read apart and they are merged.
	return v.merge(ctx, q, layers, each)
}

func (v *ledgerView) layer(ctx context.Context, q ledger.PostingQuery, layer ledger.Layer, each func(ledger.Posting) error) error {
	next := v.cursor(q, layer)
	for {
		page, err := next(ctx)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, p := range page {
			if err := each(p); err != nil {
				return err
			}
		}
	}
}

// cursor returns a function that reads a layer page by page, nothing at its
// end.
func (v *ledgerView) cursor(q ledger.PostingQuery, layer ledger.Layer) func(context.Context) ([]ledger.Posting, error) {
	seq, n, left, over := q.After, int64(endOfTime>>32), q.Limit, false
	in := v.t.s.volumeOf(seq)
	until, before := q.Until, q.BookedBefore
	if until == 0 {
		until = endOfTime
	}
	if before == 0 {
		before = endOfTime
	}
	return func(ctx context.Context) ([]ledger.Posting, error) {
		size := viewPage
		if q.Limit > 0 {
			size = min(size, left)
		}
		args := []any{q.Account.ID, int64(layer), seq, seq, n, until, q.BookedFrom, before, int64(size)}
		if v.t.s.dialect == SQLite {
			args = append([]any{in}, args...)
		}
		for !over && size > 0 {
			rows, err := all(ctx, v.t.q, scanPosting, v.sql().postings, args)
			if err != nil {
				return nil, err
			}
			if len(rows) < size {
				if in, err = v.volumeAfter(ctx, in, until, q.Account.ID, layer); err != nil {
					return nil, err
				}
				over, args[0] = in < 0, in
			}
			if len(rows) == 0 {
				continue
			}
			left -= len(rows)
			out := make([]ledger.Posting, len(rows))
			for i, p := range rows {
				p.Account = q.Account
				out[i] = p.Posting
				seq, n = p.Seq, p.n
			}
			return out, nil
		}
		return nil, ctx.Err()
	}
}

// volumeAfter returns the next volume that has the account, up to a number, or
// -1 for none.
func (v *ledgerView) volumeAfter(ctx context.Context, after, until, account int64, layer ledger.Layer) (int64, error) {
	if v.t.s.dialect == Postgres {
		return -1, nil
	}
	return one(ctx, v.t.q, func(r row) (next int64, err error) { return next, r.Scan(&next) }, v.sql().volumeAfter, after, v.t.s.volumeOf(until), v.t.s.volumeOf(until), account, int64(layer))
}

func (v *ledgerView) merge(ctx context.Context, q ledger.PostingQuery, layers []ledger.Layer, each func(ledger.Posting) error) error {
	type source struct {
		next func(context.Context) ([]ledger.Posting, error)
		page []ledger.Posting
	}
	sources := make([]source, len(layers))
	for i, l := range layers {
		sources[i].next = v.cursor(q, l)
	}
	for count := 0; q.Limit == 0 || count < q.Limit; count++ {
		var first *source
		for i := range sources {
			s := &sources[i]
			if len(s.page) == 0 && s.next != nil {
				var err error
				if s.page, err = s.next(ctx); err != nil {
					return err
				}
				if len(s.page) == 0 {
					s.next = nil
				}
			}
			if len(s.page) == 0 {
				continue
			}
			if a := s.page[0]; first == nil || a.Seq < first.page[0].Seq || a.Seq == first.page[0].Seq && a.N < first.page[0].N {
				first = s
			}
		}
		if first == nil {
			return nil
		}
		p := first.page[0]
		first.page = first.page[1:]
		if err := each(p); err != nil {
			return err
		}
	}
	return nil
}

// AllPostings implements ledger.View.
func (v *ledgerView) AllPostings(ctx context.Context, each func(ledger.Posting, int64) error) error {
	const first = -1 << 63
	after := posting{account: first, volume: first}
	after.layer, after.n, after.Seq = -1<<15, -1<<31, first
	return pages(ctx, func(ctx context.Context) ([]posting, error) {
		args := []any{after.account, after.layer, after.Seq, after.n, int64(viewPage)}
		if v.t.s.dialect == SQLite {
			args = append([]any{after.volume}, args...)
		}
		return all(ctx, v.t.q, scanPosting, v.sql().allPostings, args)
	}, func(p posting) error {
		after = p
		a := v.own[p.account]
		if a == nil {
			var err error
			if a, err = v.account(ctx, p.account); err != nil && !errors.Is(err, ledger.ErrCorrupt) {
				return err
			}
		}
		p.Account = a
		if v.t.s.dialect == SQLite && p.volume != v.t.s.volumeOf(p.Seq) {
			p.Layer = noLayer // where no reader looks for it
		}
		return each(p.Posting, p.account)
	})
}

// Unsealed implements ledger.View.
func (v *ledgerView) Unsealed(ctx context.Context, last ledger.Block, each func(*ledger.Record) error) error {
	return pages(ctx, func(ctx context.Context) ([]*recordRow, error) {
		// The first page holds the gaps, too.
		rows, _, err := v.t.unsealed(ctx, last, viewPage, nil)
		if n := len(rows); n > 0 {
			last.High, last.Notes = max(last.High, rows[n-1].ID), nil
		}
		return rows, err
	}, func(r *recordRow) error {
		rec, err := r.record(func(id int64) (*ledger.Account, error) { return v.account(ctx, id) })
		if err != nil {
			return err
		}
		return each(rec)
	})
}

// Keyed implements ledger.View.
func (v *ledgerView) Keyed(ctx context.Context, key string) (*ledger.Record, error) {
	found, err := v.ledgerTx.Keyed(ctx, []string{key})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ledger.ErrNotFound
	}
	return found[0], nil
}

// Records implements ledger.View.
func (v *ledgerView) Records(ctx context.Context, ids []int64) ([]*ledger.Record, error) {
	return v.records(ctx, v.sql().recordsByID, set(v.t.s.dialect, ids))
}

// Journal implements ledger.View.
func (v *ledgerView) Journal(ctx context.Context, after int64, limit int, each func(*ledger.Record, error) error) error {
	if limit <= 0 {
		limit = 1<<63 - 1
	}
	// At the end an empty page is read, unless the one before was not full.
	return pages(ctx, func(ctx context.Context) ([]*recordRow, error) {
		if limit == 0 {
			return nil, nil
		}
		page, err := all(ctx, v.t.q, scanRecord, v.sql().journalPage, []any{after, int64(min(limit, viewPage))})
		limit -= len(page)
		return page, err
	}, func(r *recordRow) error {
		after = r.ID
		rec, err := r.record(func(id int64) (*ledger.Account, error) { return v.account(ctx, id) })
		switch {
		case errors.Is(err, ledger.ErrCorrupt):
			return each(&ledger.Record{ID: r.ID, Key: r.Key}, err)
		case err != nil:
			return err
		}
		return each(rec, nil)
	})
}

// Expiring implements ledger.View.
func (v *ledgerView) Expiring(ctx context.Context, after, until int64, limit int, each func(id int64, key string, expires int64) error) error {
	type due struct {
		id, expires int64
		key         string
	}
	found, err := all(ctx, v.t.q, func(r row) (d due, err error) { return d, r.Scan(&d.id, &d.key, &d.expires) }, v.sql().expiring, []any{after, until, int64(limit)})
	if err != nil {
		return err
	}
	for _, d := range found {
		if err := each(d.id, d.key, d.expires); err != nil {
			return err
		}
	}
	return nil
}
