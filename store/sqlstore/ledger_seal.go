package sqlstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/tender-go/payment/ledger"
)

// running is what accounts came to at a number: the sealer's memory, used as
// long as nobody else sealed since.
type running struct {
	seq    int64
	totals map[int64]ledger.Totals
}

// after is what is known after a further block.
func (r running) after(seq int64, fresh map[int64]ledger.Totals) running {
	if r.totals == nil || len(r.totals)+len(fresh) > maxAccounts {
		return running{seq, fresh}
	}
	maps.Copy(r.totals, fresh)
	return running{seq, r.totals}
}

// seal runs fn in a transaction in which nobody else seals.
func (s *Store) seal(ctx context.Context, fn func(context.Context, ledger.SealTx) error) error {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	seal := s.sealPostgres
	if s.dialect == SQLite {
		seal = s.sealSQLite
	}
	st, err := seal(ctx, fn)
	switch {
	case err == nil && st.block != nil:
		s.running = st.known.after(st.block.Last(), st.fresh())
	case err != nil:
		s.running = running{}
	}
	return err
}

// sealPostgres seals in one transaction, under a lock that only sealers take.
func (s *Store) sealPostgres(ctx context.Context, fn func(context.Context, ledger.SealTx) error) (st *sealTx, err error) {
	return st, s.update(ctx, func(ctx context.Context, t *tx) error {
		st = &sealTx{ledgerTx: t.ledger(), known: s.running}
		free, err := one(ctx, t.q, func(r row) (free bool, err error) { return free, r.Scan(flagInto{&free}) }, s.sql.ledger.sealLock)
		if err != nil {
			return err
		}
		if !free {
			return ledger.ErrBusy
		}
		if err := fn(ctx, st); err != nil {
			return err
		}
		if err := st.write(ctx, t); err != nil {
			return err
		}
		_, err = t.q.exec(ctx, s.sql.ledger.foldFree, nil)
		return err
	})
}

// maxSealRuns is how often a block is made anew because another process sealed
// meanwhile.
const maxSealRuns = 3

// sealSQLite makes a block without the write lock, which posts wait for: what
// it reads is committed and never changes. Under the lock it is only written,
// if nobody else has sealed meanwhile.
func (s *Store) sealSQLite(ctx context.Context, fn func(context.Context, ledger.SealTx) error) (st *sealTx, err error) {
	for range maxSealRuns {
		t := newTx(s, pooled{s})
		st = &sealTx{ledgerTx: t.ledger(), known: s.running}
		err = t.result(fn(ctx, st))
		t.end()
		if err != nil || st.block == nil {
			return st, err
		}
		err = s.update(ctx, func(ctx context.Context, t *tx) error {
			last, err := t.lastBlock(ctx, s.sql.ledger.lastBlock)
			if err != nil {
				return err
			}
			if last.Last()+1 != st.block.First {
				return errSealed
			}
			return st.write(ctx, t)
		})
		if !errors.Is(err, errSealed) {
			return st, err
		}
		s.running = running{}
	}
	return st, ledger.ErrBusy
}

var errSealed = errors.New("payment: another process sealed meanwhile")

// sealTx is what sealing needs of a transaction.
type sealTx struct {
	*ledgerTx
	known    running
	base     map[int64]ledger.Totals // at the last block, of the accounts asked for
	block    *ledger.Block           // to be written, with
	postings []ledger.Posting
}

// Last implements ledger.SealTx.
func (st *sealTx) Last(ctx context.Context) (ledger.Block, error) {
	return st.t.lastBlock(ctx, st.t.s.sql.ledger.lastBlock)
}

func (r *reader) lastBlock(ctx context.Context, text string, args ...any) (ledger.Block, error) {
	found, err := all(ctx, r.q, scanBlock, text, args)
	if err != nil || len(found) == 0 {
		return ledger.Block{}, err
	}
	return found[0], nil
}

// gap is a number that was given to a transaction which had not committed when
// a higher one was sealed. The transaction that holds it has an xid below seen.
type gap struct{ id, seen int64 }

func packGaps(gaps []gap) []byte {
	b := []byte{}
	for _, g := range gaps {
		b = binary.AppendVarint(binary.AppendVarint(b, g.id), g.seen)
	}
	return b
}

func unpackGaps(b []byte) ([]gap, error) {
	var gaps []gap
	for len(b) > 0 {
		id, n := binary.Varint(b)
		if n <= 0 {
			return nil, ledger.ErrCorrupt
		}
		seen, m := binary.Varint(b[n:])
		if m <= 0 {
			return nil, ledger.ErrCorrupt
		}
		b = b[n+m:]
		gaps = append(gaps, gap{id, seen})
	}
	return gaps, nil
}

// Unsealed implements ledger.SealTx.
func (st *sealTx) Unsealed(ctx context.Context, last ledger.Block, limit int) (records []*ledger.Record, high int64, notes []byte, err error) {
	rows, notes, err := st.t.unsealed(ctx, last, limit, func() (int64, error) {
		// The sealer's own xid, which it is given only now, after what it read:
		// whoever took one of the missing numbers had its own by then. (The
		// xmax of the snapshot is no such bound: it comes right after the last
		// that has ended, and those that are open may be above it.)
		return one(ctx, st.t.q, func(row row) (xid int64, err error) { return xid, row.Scan(&xid) }, st.t.s.sql.ledger.ownXID)
	})
	if err != nil {
		return nil, 0, nil, err
	}
	high = last.High
	for _, r := range rows {
		rec, err := r.record(func(id int64) (*ledger.Account, error) { return st.account(ctx, id) })
		if err != nil {
			return nil, 0, nil, err
		}
		records = append(records, rec)
		high = max(high, r.ID)
	}
	if st.t.s.dialect == SQLite {
		notes = binary.AppendVarint(nil, highestOf(records, highestAccount(last)))
	}
	return records, high, notes, nil
}

// highestAccount is the highest number of an account that was ever posted to,
// as the last block notes it on SQLite. Those above it come to nothing yet, and
// are not looked for.
func highestAccount(last ledger.Block) int64 {
	if last.Last() == 0 {
		return 0
	}
	high, n := binary.Varint(last.Notes)
	if n <= 0 {
		return math.MaxInt64 // not as it was written: all are looked for
	}
	return high
}

func highestOf(records []*ledger.Record, high int64) int64 {
	for _, r := range records {
		for i := range r.Lines {
			high = max(high, r.Lines[i].Account.ID)
		}
	}
	return high
}

// unsealed reads the rows of the journal that come after a block, by id, and
// the gaps as they are then.
//
// On SQLite one transaction writes at a time, so rows appear in the order of
// their ids. On PostgreSQL a row may appear after one with a higher id: the
// ids that are missing are noted, and looked for again, until no transaction
// is left that could still write them. All is read by one statement, so that
// what it sees and which transactions are open belong together.
//
// seen returns a bound for new gaps; nil leaves them out.
func (r *reader) unsealed(ctx context.Context, last ledger.Block, limit int, seen func() (int64, error)) (found []*recordRow, gaps []byte, err error) {
	if r.s.dialect == SQLite {
		found, err = all(ctx, r.q, scanRecord, r.s.sql.ledger.unsealed, []any{last.High, int64(limit)})
		return found, []byte{}, err
	}
	open, err := unpackGaps(last.Notes)
	if err != nil {
		return nil, nil, err
	}
	ids := make([]int64, len(open))
	for i, g := range open {
		ids[i] = g.id
	}
	var oldest int64
	found, err = all(ctx, r.q, func(row row) (*recordRow, error) {
		return scanRecord(withSnapshot{row, &oldest})
	}, r.s.sql.ledger.unsealed, []any{set(Postgres, ids), last.High, int64(limit)})
	if err != nil || len(found) == 0 {
		return nil, last.Notes, err
	}
	slices.SortFunc(found, func(a, b *recordRow) int { return int(a.ID - b.ID) })
	here := make(map[int64]bool, len(found))
	high := last.High
	for _, f := range found {
		here[f.ID] = true
		high = max(high, f.ID)
	}
	if high-last.High-int64(len(found)) > maxGaps {
		return nil, nil, fmt.Errorf("the numbers of the journal jump from %d to %d: %w", last.High, high, ledger.ErrCorrupt)
	}
	left := open[:0]
	for _, g := range open {
		if !here[g.id] && g.seen > oldest {
			left = append(left, g)
		}
	}
	bound := int64(0)
	for id := last.High + 1; id < high && seen != nil; id++ {
		if here[id] {
			continue
		}
		if bound == 0 {
			if bound, err = seen(); err != nil {
				return nil, nil, err
			}
		}
		left = append(left, gap{id, bound})
	}
	return found, packGaps(left), nil
}

// maxGaps bounds the gaps that are noted of one block. What is rolled back
// leaves a few; a row with a number out of all order was not written here, and
// noting all that it skips would take all memory.
const maxGaps = 1 << 20

// withSnapshot reads a column before those of a row: the oldest transaction
// that is open.
type withSnapshot struct {
	row
	oldest *int64
}

func (w withSnapshot) Scan(dest ...any) error {
	return w.row.Scan(append([]any{w.oldest}, dest...)...)
}

// Running implements ledger.SealTx.
func (st *sealTx) Running(ctx context.Context, last ledger.Block, accounts []*ledger.Account) ([]ledger.Totals, error) {
	if st.known.seq != last.Last() {
		st.known = running{}
	}
	totals := make([]ledger.Totals, len(accounts))
	var unknown []*ledger.Account
	var at []int
	for i, a := range accounts {
		t, ok := st.known.totals[a.ID]
		if !ok && (st.t.s.dialect == Postgres || a.ID <= highestAccount(last)) {
			unknown, at = append(unknown, a), append(at, i)
		}
		totals[i] = t
	}
	if len(unknown) > 0 && last.Last() > 0 {
		got, err := st.t.runningAt(ctx, last.Last(), unknown)
		if err != nil {
			return nil, err
		}
		for i, t := range got {
			totals[at[i]] = t
		}
	}
	st.base = make(map[int64]ledger.Totals, len(accounts))
	for i, a := range accounts {
		st.base[a.ID] = totals[i]
	}
	return totals, nil
}

// runningAt reads what accounts came to at a number.
func (r *reader) runningAt(ctx context.Context, seq int64, accounts []*ledger.Account) ([]ledger.Totals, error) {
	totals := make([]ledger.Totals, len(accounts))
	if r.s.dialect == SQLite {
		// In units of a row walked over, as measured: an account by itself costs
		// about 60, and 20 for each volume that it may be missing from; a number
		// has two to four rows.
		if int64(len(accounts))*(60+20*r.s.volumeOf(seq)) > 4*seq {
			return totals, r.runningOfAll(ctx, seq, accounts, totals)
		}
		in := r.s.volumeOf(seq)
		for i, a := range accounts {
			var err error
			totals[i], err = one(ctx, r.q, func(row row) (t ledger.Totals, err error) {
				return t, row.Scan(&t.Posted, &t.HeldDebit, &t.HeldCredit)
			}, r.s.sql.ledger.running, in, a.ID, seq, in, a.ID, seq, in, a.ID, seq)
			if err != nil {
				return nil, err
			}
		}
		return totals, nil
	}
	ids := make([]int64, len(accounts))
	at := make(map[int64]int, len(accounts))
	for i, a := range accounts {
		ids[i], at[a.ID] = a.ID, i
	}
	type layerAt struct{ account, layer, running int64 }
	found, err := all(ctx, r.q, func(row row) (l layerAt, err error) { return l, row.Scan(&l.account, &l.layer, &l.running) },
		r.s.sql.ledger.running, []any{set(Postgres, ids), seq})
	for _, f := range found {
		totals[at[f.account]].Add(ledger.Layer(f.layer), f.running)
	}
	return totals, err
}

// runningOfAll is runningAt in one walk over all pages, which is faster for
// most of the accounts (SQLite).
func (r *reader) runningOfAll(ctx context.Context, seq int64, accounts []*ledger.Account, totals []ledger.Totals) error {
	at := make(map[int64]int, len(accounts))
	for i, a := range accounts {
		at[a.ID] = i
	}
	rows, err := r.q.query(ctx, r.s.sql.ledger.runningOfAll, []any{seq})
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var account, layer, running int64
		if err := rows.Scan(&account, &layer, &running); err != nil {
			return err
		}
		i, ok := at[account]
		if !ok {
			continue
		}
		switch t := &totals[i]; ledger.Layer(layer) { // by number: the last one counts
		case ledger.HeldDebit:
			t.HeldDebit = running
		case ledger.HeldCredit:
			t.HeldCredit = running
		default:
			t.Posted = running
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

// Write implements ledger.SealTx: it keeps them for write.
func (st *sealTx) Write(_ context.Context, b *ledger.Block, postings []ledger.Posting) error {
	// Page by page: what lies together is written together.
	slices.SortFunc(postings, func(a, b ledger.Posting) int {
		return cmp.Or(cmp.Compare(a.Account.ID, b.Account.ID), cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.N, b.N))
	})
	st.block, st.postings = b, postings
	return nil
}

// fresh is what accounts came to after the block.
func (st *sealTx) fresh() map[int64]ledger.Totals {
	fresh := make(map[int64]ledger.Totals, len(st.base))
	for i := range st.postings {
		p := &st.postings[i]
		t, ok := fresh[p.Account.ID]
		if !ok {
			t = st.base[p.Account.ID]
		}
		switch p.Layer {
		case ledger.HeldDebit:
			t.HeldDebit = p.Running
		case ledger.HeldCredit:
			t.HeldCredit = p.Running
		default:
			t.Posted = p.Running
		}
		fresh[p.Account.ID] = t
	}
	return fresh
}

// write writes the block, if there is one.
func (st *sealTx) write(ctx context.Context, t *tx) error {
	if st.block == nil {
		return nil
	}
	if err := writePostings(ctx, t, st.postings); err != nil {
		if constraint(t.s.dialect, err) {
			return fmt.Errorf("postings of number %d or later are there already, which no block wrote: what was posted cannot be sealed (see Verify): %w", st.block.First, ledger.ErrCorrupt)
		}
		return err
	}
	// Last: once a block is there, nothing is posted to it any more.
	b := st.block
	_, err := t.q.exec(ctx, t.s.sql.ledger.insertBlock, []any{b.First, pack(b.IDs), b.Marks, b.Head[:], b.Sealed, b.Closed, b.High, b.Notes})
	return err
}

// writePostings writes postings, which are sorted.
func writePostings(ctx context.Context, t *tx, postings []ledger.Posting) error {
	if t.s.dialect == Postgres {
		return writePostingsPostgres(ctx, t, postings)
	}
	from := 0
	for i, size := range ledgerSteps {
		for len(postings)-from >= size {
			args := make([]any, 0, size*(postingColumns+1))
			for j := range postings[from : from+size] {
				p := &postings[from+j]
				args = append(args, t.s.volumeOf(p.Seq), p.Account.ID, int64(p.Layer), p.Seq, int64(p.N), p.ID, p.Amount, p.Running, p.Booked)
			}
			if _, err := t.q.exec(ctx, t.s.sql.ledger.insertPostings[i], args); err != nil {
				return err
			}
			from += size
		}
	}
	return nil
}

func writePostingsPostgres(ctx context.Context, t *tx, postings []ledger.Posting) error {
	var columns [postingColumns]array
	for i := range postings {
		p := &postings[i]
		for j, n := range [postingColumns]int64{p.Account.ID, int64(p.Layer), p.Seq, int64(p.N), p.ID, p.Amount, p.Running, p.Booked} {
			columns[j].number(n)
		}
	}
	args := make([]any, postingColumns)
	for i := range columns {
		args[i] = columns[i].String()
	}
	_, err := t.q.exec(ctx, t.s.sql.ledger.insertPostings[0], args)
	return err
}

// volume is how many numbers share a volume of the postings on SQLite. A thin
// one takes a block with few writes; many are more to look through for an
// account that was last posted to long ago.
const volume = 1 << 16

// volumeOf is where the postings of a number stand.
func (s *Store) volumeOf(seq int64) int64 { return seq / s.volume }
