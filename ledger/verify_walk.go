package ledger

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
)

const (
	// walkPage is how many rows a walk reads at a time.
	walkPage = 1000
	// walkBlocks is how many blocks it reads at a time, at most.
	walkBlocks = 256
	// walkHeld bounds the rows that it keeps in memory because they were
	// sealed later than rows with higher IDs.
	walkHeld = 8 * walkPage
)

// walker goes through all records in the order of their numbers and then
// through those that are not sealed, in memory that does not grow with the
// books. The journal comes by ID, which is almost the order of the seals: what
// comes early is held back. It stops at nothing but a failing store: what is
// missing or cannot be read is handed on as such.
type walker struct {
	view View
	// begin and end frame the records of a block; sealed is called for each of
	// them, and tail for those in no block. They must not use the view.
	begin  func(b *Block, broken error)
	sealed func(s step)
	end    func(b *Block, broken error)
	tail   func(r *Record, broken error)
	// again is called for a row that has the ID of another.
	again func(id int64)
	// page is called between reads, when the view may be used.
	page func(ctx context.Context) error

	queue     []walkBlock
	queued    int   // records of the queue
	after     int64 // number that blocks are read behind
	blocks    int   // that were read, and the records in them
	ids       int
	lastFirst int64 // of the newest of them
	allBlocks bool
	began     bool // the first of the queue
	at        int  // the place in it

	read int64 // ID up to which the journal was read
	done bool  // all of it
	held map[int64]*heldRow
	full int            // of held that are in memory
	got  map[int64]bool // fetched before the journal came to them
}

type walkBlock struct {
	*Block
	broken error
}

// step is one sealed record on a walk.
type step struct {
	block *Block
	i     int // its place in the block
	seq   int64
	id    int64
	// record is nil if it cannot be read, for the reason broken, or is not in
	// the journal.
	record *Record
	broken error
	twice  bool // it had been sealed before
}

type heldRow struct {
	record  *Record
	broken  error
	evicted bool // too many were held: it is fetched again
	gone    bool // it is not in the journal
	twice   bool
}

func (w *walker) run(ctx context.Context) error {
	w.held, w.got = map[int64]*heldRow{}, map[int64]bool{}
	w.read, w.after = math.MinInt64, math.MinInt64
	for !w.done || !w.allBlocks || len(w.queue) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		for !w.allBlocks && w.queued < walkPage {
			if err := w.moreBlocks(ctx); err != nil {
				return err
			}
		}
		if !w.done {
			if err := w.moreRows(ctx); err != nil {
				return err
			}
		}
		if err := w.resolve(ctx); err != nil {
			return err
		}
		if err := w.page(ctx); err != nil {
			return err
		}
	}
	if err := w.leftOver(ctx); err != nil {
		return err
	}
	return w.page(ctx)
}

func (w *walker) moreBlocks(ctx context.Context) error {
	n := 0
	// As many as a page of the journal is likely to fill.
	limit := 4
	if w.blocks > 0 {
		limit = max(limit, min(walkPage/(w.ids/w.blocks+1)+1, walkBlocks))
	}
	err := w.view.Blocks(ctx, w.after, limit, func(b *Block, broken error) error {
		n++
		if w.blocks > 0 && w.lastFirst == b.First {
			return nil // its end was not known: it came with the page before
		}
		w.blocks++
		w.lastFirst = b.First
		own := *b
		own.IDs, own.Marks, own.Notes = slices.Clone(b.IDs), slices.Clone(b.Marks), slices.Clone(b.Notes)
		w.queue = append(w.queue, walkBlock{&own, broken})
		w.queued += len(own.IDs)
		w.ids += len(own.IDs)
		w.after = max(w.after+1, b.First, b.Last())
		return nil
	})
	w.allBlocks = n < limit
	return err
}

func (w *walker) moreRows(ctx context.Context) error {
	n := 0
	err := w.view.Journal(ctx, w.read, walkPage, func(r *Record, broken error) error {
		n++
		w.see(r, broken)
		return nil
	})
	w.done = n < walkPage
	return err
}

// see takes the next row of the journal.
func (w *walker) see(r *Record, broken error) {
	if r.ID <= w.read {
		w.again(r.ID)
		return
	}
	w.read = r.ID
	if w.got[r.ID] {
		delete(w.got, r.ID)
		return
	}
	id, ok := w.next()
	switch {
	case ok && id == r.ID:
		row := heldRow{record: r, broken: broken}
		w.emit(id, &row)
		w.pump()
	case !ok && w.allBlocks:
		w.tail(r, broken)
	case broken != nil:
		w.held[r.ID] = &heldRow{broken: broken}
	case w.full >= walkHeld:
		w.held[r.ID] = &heldRow{evicted: true}
	default:
		w.held[r.ID] = &heldRow{record: r.clone()}
		w.full++
	}
}

// next returns the ID of the record that is walked next, false if the blocks
// that were read are through.
func (w *walker) next() (int64, bool) {
	for len(w.queue) > 0 {
		b := w.queue[0]
		if !w.began {
			w.began, w.at = true, 0
			w.begin(b.Block, b.broken)
		}
		if w.at < len(b.IDs) {
			return b.IDs[w.at], true
		}
		w.end(b.Block, b.broken)
		w.began = false
		w.queue = w.queue[1:]
		w.queued -= len(b.IDs)
	}
	return 0, false
}

func (w *walker) emit(id int64, row *heldRow) {
	b := w.queue[0].Block
	s := step{block: b, i: w.at, seq: b.First + int64(w.at), id: id, record: row.record, broken: row.broken, twice: row.twice}
	if s.broken != nil {
		s.record = nil
	}
	w.at++
	w.sealed(s)
}

// pump walks on as far as rows are at hand.
func (w *walker) pump() {
	for {
		id, ok := w.next()
		if !ok {
			return
		}
		row := w.held[id]
		if row == nil || row.evicted {
			return
		}
		delete(w.held, id)
		if row.record != nil {
			w.full--
		}
		w.emit(id, row)
	}
}

// resolve walks on until a row is needed that the journal has not come to.
func (w *walker) resolve(ctx context.Context) error {
	for {
		w.pump()
		id, ok := w.next()
		if !ok {
			return nil
		}
		passed := id <= w.read || w.done
		if !passed && w.full < walkHeld {
			return nil
		}
		if err := w.fetch(ctx, passed); err != nil {
			return err
		}
	}
}

// fetch gets what the block needs and the journal did not bring: it was
// evicted, was sealed twice, or is not there. If so much is held back that the
// journal cannot be read on, it gets what is ahead, too.
func (w *walker) fetch(ctx context.Context, passed bool) error {
	b := w.queue[0]
	var ids []int64
	for _, id := range b.IDs[w.at:] {
		if row := w.held[id]; row != nil && !row.evicted || passed && id > w.read && !w.done {
			continue
		}
		ids = append(ids, id)
	}
	ids = sortedUnique(ids)
	found, err := recordsOf(ctx, w.view, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		row, evicted := found[id], w.held[id] != nil
		switch {
		case row == nil:
			row = &heldRow{gone: true}
		case !evicted && id <= w.read:
			row.twice = true
		case !evicted && !w.done:
			w.got[id] = true
		}
		if row.record != nil {
			w.full++
		}
		w.held[id] = row
	}
	return nil
}

// recordsOf reads records, and those that cannot be read as such.
func recordsOf(ctx context.Context, v View, ids []int64) (map[int64]*heldRow, error) {
	found := make(map[int64]*heldRow, len(ids))
	list, err := v.Records(ctx, ids)
	switch {
	case err == nil:
		for _, r := range list {
			found[r.ID] = &heldRow{record: r}
		}
		return found, nil
	case !errors.Is(err, ErrCorrupt):
		return nil, err
	}
	for _, id := range ids {
		list, err := v.Records(ctx, []int64{id})
		switch {
		case errors.Is(err, ErrCorrupt):
			found[id] = &heldRow{broken: err}
		case err != nil:
			return nil, err
		case len(list) > 0:
			found[id] = &heldRow{record: list[0]}
		}
	}
	return found, nil
}

// leftOver hands out what was held back and is in no block.
func (w *walker) leftOver(ctx context.Context) error {
	ids := make([]int64, 0, len(w.held))
	for id := range w.held {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare)
	for page := range slices.Chunk(ids, walkPage) {
		var again []int64
		for _, id := range page {
			if w.held[id].evicted {
				again = append(again, id)
			}
		}
		if len(again) > 0 {
			found, err := recordsOf(ctx, w.view, again)
			if err != nil {
				return err
			}
			for id, row := range found {
				w.held[id] = row
			}
		}
		for _, id := range page {
			row := w.held[id]
			if row.record == nil {
				w.tail(&Record{ID: id}, cmp.Or(row.broken, ErrCorrupt))
			} else {
				w.tail(row.record, nil)
			}
		}
	}
	return nil
}

func (r *Record) clone() *Record {
	c := *r
	c.Lines, c.Metadata = slices.Clone(r.Lines), slices.Clone(r.Metadata)
	return &c
}
