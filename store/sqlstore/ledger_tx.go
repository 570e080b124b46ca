package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
)

// ledgerTx is what ledger.Carry needs of a transaction.
type ledgerTx struct {
	t *tx
	// shared: the transaction serves many callers, and waits for no lock.
	shared bool
	// own are the accounts that the transaction has seen, so that there is one
	// value for each, and those that it opened.
	own    map[int64]*ledger.Account
	opened []*ledger.Account
	// closed is what ClosedBefore answers, if closedRead.
	closed     int64
	closedRead bool
	// asked are the accounts that were asked for last, and seen what some of
	// them came to then (SQLite).
	asked []*ledger.Account
	seen  []ledger.Locked
}

// LedgerTx implements ledger.Keeper.
func (t *tx) LedgerTx() ledger.Tx { return t.ledger() }

func (t *tx) ledger() *ledgerTx {
	if t.books == nil {
		t.books = &ledgerTx{t: t}
	}
	return t.books
}

// commit remembers the accounts that the transaction opened, which now exist.
func (l *ledgerTx) commit() {
	if l != nil && len(l.opened) > 0 {
		l.t.s.accounts.keep(l.opened...)
	}
}

// same returns the value that the transaction uses for an account.
func (l *ledgerTx) same(a *ledger.Account) *ledger.Account {
	if a == nil {
		return nil
	}
	if known := l.own[a.ID]; known != nil {
		return known
	}
	if l.own == nil {
		l.own = make(map[int64]*ledger.Account, 8)
	}
	l.own[a.ID] = a
	return a
}

func (l *ledgerTx) opening(path string) *ledger.Account {
	for _, a := range l.opened {
		if a.Path == path {
			return a
		}
	}
	return nil
}

// Accounts implements ledger.Tx.
func (l *ledgerTx) Accounts(ctx context.Context, paths []string) ([]*ledger.Account, error) {
	found := make([]*ledger.Account, len(paths))
	l.asked, l.seen = found, nil
	var unknown []string
	for i, p := range paths {
		a := l.opening(p)
		if a == nil {
			a = l.t.s.accounts.path(p)
		}
		if found[i] = l.same(a); a == nil {
			unknown = append(unknown, p)
		}
	}
	if len(unknown) == 0 {
		return found, nil
	}
	rows, err := l.t.accountsBy(ctx, l.t.s.sql.ledger.accountsByPath, set(l.t.s.dialect, unknown))
	if err != nil {
		return nil, err
	}
	for _, a := range rows {
		for i, p := range paths {
			if p == a.Path {
				found[i] = l.same(a)
			}
		}
	}
	return found, nil
}

// account returns the account with that number, for the lines of a record.
func (l *ledgerTx) account(ctx context.Context, id int64) (*ledger.Account, error) {
	if a := l.own[id]; a != nil {
		return a, nil
	}
	if a := l.t.s.accounts.id(id); a != nil {
		return l.same(a), nil
	}
	rows, err := l.t.accountsBy(ctx, l.t.s.sql.ledger.accountsByID, set(l.t.s.dialect, []int64{id}))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no account has the number %d: %w", id, ledger.ErrCorrupt)
	}
	return l.same(rows[0]), nil
}

func (r *reader) accountsBy(ctx context.Context, text string, arg any) ([]*ledger.Account, error) {
	return all(ctx, r.q, func(row row) (*ledger.Account, error) {
		a, _, err := scanAccount(row)
		return a, err
	}, text, []any{arg})
}

// Keyed implements ledger.Tx.
func (l *ledgerTx) Keyed(ctx context.Context, keys []string) ([]*ledger.Record, error) {
	q := l.t.s.sql.ledger
	switch {
	case len(keys) != 1:
		return l.records(ctx, q.recordsByKey, set(l.t.s.dialect, keys))
	case l.t.s.dialect == Postgres:
		return l.records(ctx, q.recordByKey, keys[0])
	}
	return l.glance(ctx, keys[0])
}

// glance is Keyed of a lone post, which mostly finds nothing, on SQLite: one
// statement says so, and what ClosedBefore and Lock will ask.
func (l *ledgerTx) glance(ctx context.Context, key string) ([]*ledger.Record, error) {
	q := l.t.s.sql.ledger
	var ids [2]int64
	n := 0
	for _, a := range l.asked {
		if a != nil && a.Mode == ledger.Strict && n < len(ids) {
			ids[n] = a.ID
			n++
		}
	}
	type answer struct {
		closed, taken int64
		totals        [2]ledger.Locked
	}
	a, err := one(ctx, l.t.q, func(row row) (a answer, err error) {
		x, y := &a.totals[0], &a.totals[1]
		return a, row.Scan(&a.closed, &a.taken, &x.ID, &x.Totals.Posted, &x.Totals.HeldDebit, &x.Totals.HeldCredit, &x.Version,
			&y.ID, &y.Totals.Posted, &y.Totals.HeldDebit, &y.Totals.HeldCredit, &y.Version)
	}, q.glance, key, ids[0], ids[1])
	if err != nil {
		return nil, err
	}
	l.closed, l.closedRead = a.closed, true
	l.seen = a.totals[:n]
	if a.taken == 0 {
		return nil, nil
	}
	return l.records(ctx, q.recordByKey, key)
}

// Parts implements ledger.Tx.
func (l *ledgerTx) Parts(ctx context.Context, of []int64) ([]*ledger.Record, error) {
	return l.records(ctx, l.t.s.sql.ledger.parts, set(l.t.s.dialect, of))
}

func (l *ledgerTx) records(ctx context.Context, text string, args ...any) ([]*ledger.Record, error) {
	rows, err := all(ctx, l.t.q, scanRecord, text, args)
	if err != nil {
		return nil, err
	}
	records := make([]*ledger.Record, len(rows))
	for i, r := range rows { // after the rows are closed: accounts may have to be read
		if records[i], err = r.record(func(id int64) (*ledger.Account, error) { return l.account(ctx, id) }); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// ClosedBefore implements ledger.Tx.
func (l *ledgerTx) ClosedBefore(ctx context.Context) (int64, error) {
	if l.closedRead {
		l.closedRead = false
		return l.closed, nil
	}
	return l.t.closedBefore(ctx)
}

func (r *reader) closedBefore(ctx context.Context) (int64, error) {
	return one(ctx, r.q, func(row row) (n int64, err error) { return n, row.Scan(&n) }, r.s.sql.ledger.closed)
}

// Open implements ledger.Tx.
func (l *ledgerTx) Open(ctx context.Context, specs []ledger.Spec) ([]*ledger.Account, error) {
	opened := make([]*ledger.Account, len(specs))
	// In one order for all, so that two that open the same wait in a line.
	order := make([]int, len(specs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if specs[a].Path < specs[b].Path {
			return -1
		}
		return 1
	})
	for _, i := range order {
		s := &specs[i]
		digest := s.Digest()
		id, err := one(ctx, l.t.q, func(row row) (n int64, err error) { return n, row.Scan(&n) }, l.t.s.sql.ledger.openAccount,
			s.Path, string(s.Currency), int64(s.Type), int64(s.Mode), digest[:])
		if errors.Is(err, payment.ErrNotFound) {
			continue // somebody else has
		}
		if err != nil {
			return nil, err
		}
		if s.Mode == ledger.Strict {
			if _, err := l.t.q.exec(ctx, l.t.s.sql.ledger.openTotals, []any{id}); err != nil {
				return nil, err
			}
		}
		opened[i] = l.same(&ledger.Account{ID: id, Spec: *s})
		l.opened = append(l.opened, opened[i])
	}
	return opened, nil
}

// Lock implements ledger.Tx.
func (l *ledgerTx) Lock(ctx context.Context, must, may []int64) ([]ledger.Locked, error) {
	if l.t.s.dialect == SQLite {
		return l.totals(ctx, must, may)
	}
	var locked []ledger.Locked
	lock := func(text string, ids []int64) error {
		if len(ids) == 0 {
			return nil
		}
		got, err := all(ctx, l.t.q, scanLocked, text, []any{set(Postgres, ids)})
		locked = append(locked, got...)
		return err
	}
	q := l.t.s.sql.ledger
	var err error
	if l.shared {
		err = lock(q.lockFree, append(slices.Clone(must), may...))
	} else {
		err = lock(q.lock, must)
	}
	if err == nil && !l.shared && len(locked) < len(must) {
		err = noTotals(must...) // it waited for all that are there
	}
	if err != nil || len(locked) == 0 {
		return nil, err
	}
	ids := make([]int64, len(locked))
	for i, t := range locked {
		ids[i] = t.ID
	}
	// What was raised meanwhile counts, too.
	folded, err := all(ctx, l.t.q, scanLocked, q.fold, []any{set(Postgres, ids)})
	if err != nil {
		return nil, err
	}
	for _, f := range folded {
		for i := range locked {
			if locked[i].ID == f.ID {
				locked[i] = f
			}
		}
	}
	return locked, nil
}

// totals reads what accounts come to, where one writes at a time.
func (l *ledgerTx) totals(ctx context.Context, must, may []int64) ([]ledger.Locked, error) {
	if got := l.known(must, may); got != nil {
		return got, nil
	}
	const few = 6
	if len(must)+len(may) > few {
		ids := append(slices.Clone(must), may...)
		got, err := all(ctx, l.t.q, scanLocked, l.t.s.sql.ledger.totalsOf, []any{set(SQLite, ids)})
		if err == nil && len(got) < len(ids) {
			err = noTotals(ids...)
		}
		return got, err
	}
	got := make([]ledger.Locked, 0, few)
	for _, ids := range [...][]int64{must, may} {
		for _, id := range ids {
			t, err := one(ctx, l.t.q, scanLocked, l.t.s.sql.ledger.totalOf, id)
			if errors.Is(err, payment.ErrNotFound) {
				return nil, noTotals(id)
			}
			if err != nil {
				return nil, err
			}
			got = append(got, t)
		}
	}
	return got, nil
}

// known returns what the accounts came to at the glance, if all were in it.
func (l *ledgerTx) known(must, may []int64) []ledger.Locked {
	got := make([]ledger.Locked, 0, 2)
	for _, ids := range [...][]int64{must, may} {
		for _, id := range ids {
			i := slices.IndexFunc(l.seen, func(s ledger.Locked) bool { return s.ID == id })
			if i < 0 {
				return nil
			}
			got = append(got, l.seen[i])
		}
	}
	return got
}

// noTotals: an account without its row of totals is never met by accident.
func noTotals(ids ...int64) error {
	return fmt.Errorf("what one of the accounts %v comes to is not stored any more: prove the books with Verify: %w", ids, ledger.ErrCorrupt)
}

// Append implements ledger.Tx.
func (l *ledgerTx) Append(ctx context.Context, records []*ledger.Record, deltas []ledger.Delta) error {
	l.seen = nil
	if l.t.s.dialect == SQLite {
		return l.appendSQLite(ctx, records, deltas)
	}
	return l.appendPostgres(ctx, records, deltas)
}

// appendSQLite writes row by row where there are few, by many rows a statement
// where there are more.
func (l *ledgerTx) appendSQLite(ctx context.Context, records []*ledger.Record, deltas []ledger.Delta) error {
	q := l.t.s.sql.ledger
	from := 0
	for i, size := range ledgerSteps {
		for len(records)-from >= size {
			args := make([]any, 0, size*journalColumns)
			for _, r := range records[from : from+size] {
				args = appendRecord(args, r)
			}
			done, err := l.t.guarded().try(ctx, q.appendRecords[i], args)
			if err != nil && sqliteConstraint(err) {
				return ledger.ErrConflict
			}
			if _, err = rows(l.t, 0, err); err != nil {
				return err
			}
			last, err := done.LastInsertId()
			if err != nil {
				return err
			}
			for j, r := range records[from : from+size] {
				r.ID = last - int64(size-1-j)
			}
			from += size
		}
	}
	from = 0
	for i, size := range ledgerSteps {
		for len(deltas)-from >= size {
			args := make([]any, 0, size*strictColumns)
			for j := range deltas[from : from+size] {
				d := &deltas[from+j]
				args = append(args, d.Account.ID, d.Totals.Posted, d.Totals.HeldDebit, d.Totals.HeldCredit, d.Version)
			}
			if _, err := l.t.q.exec(ctx, q.saveTotals[i], args); err != nil {
				return err
			}
			from += size
		}
	}
	return nil
}

func appendRecord(args []any, r *ledger.Record) []any {
	return append(args, r.Key, int64(r.Kind), r.Fingerprint[:], r.Recorded, effectiveOf(r), positive(r.Expires), positive(r.Of), positive(int64(r.Part)),
		flagInt(r.Final), ledger.AppendLines(make([]byte, 0, 8*len(r.Lines)), r.Lines), filled(r.Description), filled(string(r.Metadata)))
}

// effectiveOf is NULL where it is the time of recording, except for closings,
// which are looked for by it.
func effectiveOf(r *ledger.Record) any {
	if r.Effective == r.Recorded && r.Kind != ledger.KindClose {
		return nil
	}
	return r.Effective
}

func positive(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func filled(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func flagInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// set is a list of values as one argument: a JSON array for SQLite, an array
// for PostgreSQL.
func set[T int64 | string](d Dialect, values []T) string {
	if d == Postgres {
		var a array
		for _, v := range values {
			switch v := any(v).(type) {
			case int64:
				a.number(v)
			case string:
				a.text(v)
			}
		}
		return a.String()
	}
	b, err := json.Marshal(values) // numbers and strings of a bounded alphabet
	if err != nil {
		return "[]"
	}
	return string(b)
}
