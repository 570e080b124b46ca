package sqlstore_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/ledgertest"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/store/sqlstore"
)

// bookTable says how rows of a table are named by Verify. The columns come
// from the database's own catalog, so that one that is added and that nobody
// protects fails the test.
type bookTable struct {
	name string
	keys []string // primary key: it stays when the contents of two rows are swapped
	// stay are columns that stay as well: what is swapped must not be a mere
	// change of places in a set.
	stay []string
	// at adds what names a row to a place.
	at func(row map[string]any, p *bookPlace)
	// says are columns that mean nothing, with the reason.
	says map[string]string
}

type bookPlace struct {
	ids, seqs, accounts []int64 // of records; of accounts
	paths               []string
}

var bookTables = []bookTable{
	{name: "ledger_accounts", keys: []string{"id"}, at: func(r map[string]any, p *bookPlace) {
		p.accounts, p.paths = append(p.accounts, integer(r["id"])), append(p.paths, fmt.Sprint(r["path"]))
	}},
	{name: "ledger_journal", keys: []string{"id"}, at: func(r map[string]any, p *bookPlace) { p.ids = append(p.ids, integer(r["id"])) }},
	{name: "ledger_seals", keys: []string{"first_seq"}, at: func(r map[string]any, p *bookPlace) {
		first, n := integer(r["first_seq"]), int64(len(r["marks"].([]byte))/8)
		for seq := first; seq <= first+n; seq++ { // a gap is named by the block behind it
			p.seqs = append(p.seqs, seq)
		}
	}},
	{name: "ledger_postings", keys: []string{"account_id", "layer", "seq", "n"}, at: func(r map[string]any, p *bookPlace) {
		p.seqs, p.accounts = append(p.seqs, integer(r["seq"])), append(p.accounts, integer(r["account_id"]))
	}},
	{name: "ledger_totals", keys: []string{"account_id"}, at: func(r map[string]any, p *bookPlace) {
		p.accounts = append(p.accounts, integer(r["account_id"]))
	}},
	{name: "ledger_raises", keys: []string{"id"}, stay: []string{"posted"}, says: map[string]string{"id": "a row number that nothing refers to"},
		at: func(r map[string]any, p *bookPlace) { p.accounts = append(p.accounts, integer(r["account_id"])) }},
}

func integer(v any) int64 { n, _ := v.(int64); return n }

// named reports whether a problem names the place.
func (p *bookPlace) named(report *ledger.Report, paths map[int64]string) bool {
	return slices.ContainsFunc(report.Problems, func(f ledger.Problem) bool {
		for _, id := range p.accounts {
			if f.Account == fmt.Sprint("number ", id) || f.Account == paths[id] && f.Account != "" || f.Table == ledger.TableAccounts && f.ID == id {
				return true
			}
			if strings.Contains(f.What, paths[id]) && len(p.seqs) == 0 {
				return true
			}
		}
		if slices.Contains(p.paths, f.Account) {
			return true
		}
		ofRecord := f.Table != ledger.TableAccounts && f.Table != ledger.TableTotals
		return ofRecord && (f.ID != 0 && slices.Contains(p.ids, f.ID) || f.Seq != 0 && slices.Contains(p.seqs, f.Seq))
	})
}

// tamperer changes a database below the ledger, in transactions that are
// rolled back.
type tamperer struct {
	t       *testing.T
	db      *sql.DB
	dialect sqlstore.Dialect
	book    *ledger.Book
	rand    *rand.Rand
	paths   map[int64]string
}

func eachTampered(t *testing.T, fn func(m *tamperer)) {
	t.Helper()
	run := func(t *testing.T, s *sqlstore.Store, db *sql.DB, d sqlstore.Dialect) {
		db.SetMaxOpenConns(2)
		t.Cleanup(func() { _ = db.Close() })
		book, err := ledger.New(ledger.Config{Store: s, Chart: ledgertest.Chart(), Now: ledgertest.NewClock().Now})
		require.NoError(t, err)
		f := ledgertest.NewFiller(book, "", 11)
		require.NoError(t, f.Fill(ctx, 25*rounds+50))
		_, err = book.Seal(ctx)
		require.NoError(t, err)
		if d == sqlstore.Postgres {
			// What was raised while the row was locked, as another process leaves it.
			mustExec(t, db, "INSERT INTO ledger_raises (account_id, posted, held_debit, held_credit) SELECT account_id, 1000 + account_id, 0, -3 FROM ledger_totals")
			mustExec(t, db, "UPDATE ledger_totals SET posted = posted - 1000 - account_id, held_credit = held_credit + 3")
		}
		m := &tamperer{t: t, db: db, dialect: d, book: book, rand: rand.New(rand.NewPCG(4, 2)), paths: map[int64]string{}}
		rows, err := db.QueryContext(ctx, "SELECT id, path FROM ledger_accounts")
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var id int64
			var path string
			require.NoError(t, rows.Scan(&id, &path))
			m.paths[id] = path
		}
		require.NoError(t, rows.Err())
		report, err := book.Verify(ctx, ledger.VerifyOptions{AsTheyAre: true}) // sealing folds the raises in
		require.NoError(t, err)
		require.Empty(t, report.Problems, "healthy books")
		fn(m)
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "shop.db")
		s := openSQLite(t, path)
		db, err := sql.Open("sqlite", "file:"+path+"?"+url.Values{"_pragma": strings.Fields(good), "_txlock": {"immediate"}}.Encode())
		require.NoError(t, err)
		run(t, s, db, sqlstore.SQLite)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		dsn := migrated(t)
		s := openPostgres(t, dsn)
		db, err := sql.Open("pgx", dsn)
		require.NoError(t, err)
		run(t, s, db, sqlstore.Postgres)
	})
}

// columns lists the tables of the ledger that the database has, with their
// columns and types.
func (m *tamperer) columns() map[string][][2]string {
	text := "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name) " +
		"WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name LIKE 'ledger%' ORDER BY 1, c.ordinal_position"
	if m.dialect == sqlstore.SQLite {
		text = "SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name LIKE 'ledger%' ORDER BY 1, c.cid"
	}
	rows, err := m.db.QueryContext(ctx, text)
	require.NoError(m.t, err)
	defer rows.Close()
	out := map[string][][2]string{}
	for rows.Next() {
		var table, column, typ string
		require.NoError(m.t, rows.Scan(&table, &column, &typ))
		out[table] = append(out[table], [2]string{column, typ})
	}
	require.NoError(m.t, rows.Err())
	return out
}

// within runs change in a transaction in which nothing guards the tables, and
// Verify in the same, and rolls it back. change returns false if it could not
// be made.
func (m *tamperer) within(change func(tx *sql.Tx) bool, check func(report *ledger.Report)) bool {
	m.t.Helper()
	tx, err := m.db.BeginTx(ctx, nil)
	require.NoError(m.t, err)
	defer func() { _ = tx.Rollback() }()
	m.unguard(tx)
	if !change(tx) {
		return false
	}
	report, err := m.book.Verify(sqlstore.In(ctx, tx), ledger.VerifyOptions{Limit: 1000})
	require.NoError(m.t, err)
	check(report)
	return true
}

// unguard takes away what refuses changes of the insert-only tables.
func (m *tamperer) unguard(tx *sql.Tx) {
	if m.dialect == sqlstore.Postgres {
		for table := range m.columnsOnce() {
			mustExec(m.t, tx, "ALTER TABLE "+table+" DISABLE TRIGGER USER")
		}
		return
	}
	mustExec(m.t, tx, "PRAGMA defer_foreign_keys = ON")
	mustExec(m.t, tx, "PRAGMA ignore_check_constraints = ON")
	rows, err := tx.QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'ledger%'")
	require.NoError(m.t, err)
	var names []string
	for rows.Next() {
		var n string
		require.NoError(m.t, rows.Scan(&n))
		names = append(names, n)
	}
	require.NoError(m.t, rows.Close())
	require.NotEmpty(m.t, names, "the tables are guarded")
	for _, n := range names {
		mustExec(m.t, tx, "DROP TRIGGER "+n)
	}
}

func (m *tamperer) columnsOnce() map[string]bool {
	return map[string]bool{"ledger_accounts": true, "ledger_journal": true, "ledger_seals": true, "ledger_postings": true, "ledger_totals": true, "ledger_raises": true}
}

// rows reads a table, in the order of its columns.
func (m *tamperer) rows(table string, columns [][2]string) []map[string]any {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c[0]
	}
	rows, err := m.db.QueryContext(ctx, "SELECT "+strings.Join(names, ", ")+" FROM "+table+" ORDER BY "+strings.Join(names, ", "))
	require.NoError(m.t, err)
	defer rows.Close()
	var out []map[string]any
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(m.t, rows.Scan(into...))
		r := map[string]any{}
		for i, n := range names {
			if r[n] = values[i]; values[i] != nil && fmt.Sprint(values[i]) == "[]" {
				r[n] = []byte{} // and not NULL, when it is written back
			}
		}
		out = append(out, r)
	}
	require.NoError(m.t, rows.Err())
	return out
}

// where is a condition that selects one row by its key.
func (m *tamperer) where(table string, row map[string]any, args *[]any) string {
	var parts []string
	for _, name := range bookTables[slices.IndexFunc(bookTables, func(b bookTable) bool { return b.name == table })].keys {
		parts = append(parts, name+" = "+m.arg(args, row[name]))
	}
	return strings.Join(parts, " AND ")
}

func sortedKeys(row map[string]any) []string {
	names := make([]string, 0, len(row))
	for n := range row {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func (m *tamperer) arg(args *[]any, v any) string {
	*args = append(*args, v)
	if m.dialect == sqlstore.Postgres {
		return fmt.Sprintf("$%d", len(*args))
	}
	return "?"
}

// exec runs a statement on one row; false if a constraint refuses it.
func (m *tamperer) exec(tx *sql.Tx, text string, args []any) bool {
	m.t.Helper()
	done, err := tx.ExecContext(ctx, text, args...)
	if err != nil {
		return false
	}
	n, err := done.RowsAffected()
	require.NoError(m.t, err)
	require.EqualValues(m.t, 1, n, text)
	return true
}

func (m *tamperer) set(tx *sql.Tx, table string, row map[string]any, column string, value any) bool {
	var args []any
	text := "UPDATE " + table + " SET " + column + " = " + m.arg(&args, value)
	return m.exec(tx, text+" WHERE "+m.where(table, row, &args), args)
}

func (m *tamperer) erase(tx *sql.Tx, table string, row map[string]any) bool {
	var args []any
	return m.exec(tx, "DELETE FROM "+table+" WHERE "+m.where(table, row, &args), args)
}

func (m *tamperer) insert(tx *sql.Tx, table string, row map[string]any) bool {
	var args []any
	var marks []string
	names := sortedKeys(row)
	for _, n := range names {
		marks = append(marks, m.arg(&args, row[n]))
	}
	return m.exec(tx, "INSERT INTO "+table+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", args)
}

// flip changes one byte of a value.
func (m *tamperer) flip(v any, typ string) any {
	bit := byte(1) << m.rand.IntN(8)
	switch v := v.(type) {
	case nil:
		switch typ = strings.ToLower(typ); {
		case typ == "text":
			return "x"
		case typ == "blob" || typ == "bytea":
			return []byte{bit}
		}
		return int64(1)
	case bool:
		return !v
	case int64:
		width := map[string]int{"smallint": 2, "integer": 4}[typ] // SQLite says INTEGER
		if width == 0 {
			width = 8
		}
		if m.rand.IntN(2) == 0 {
			width = 1 // a small change, which fewer constraints refuse
		}
		return v ^ int64(bit)<<(8*m.rand.IntN(width))
	case string:
		b := []byte(v)
		b[m.rand.IntN(len(b))] ^= 1 << m.rand.IntN(7) // in PostgreSQL it stays text
		return string(b)
	case []byte:
		if len(v) == 0 {
			return []byte{bit}
		}
		b := slices.Clone(v)
		b[m.rand.IntN(len(b))] ^= bit
		return b
	}
	m.t.Fatalf("%T is no value of a database", v)
	return nil
}

// told fails unless the report names the place.
func (m *tamperer) told(report *ledger.Report, what string, p *bookPlace) {
	m.t.Helper()
	var all strings.Builder
	for _, f := range report.Problems {
		fmt.Fprintln(&all, "  ", f)
	}
	require.False(m.t, report.OK(), "%s: nothing is said", what)
	require.True(m.t, p.named(report, m.paths), "%s: %+v is not named among\n%s", what, *p, all.String())
}

func (m *tamperer) tables() map[string][][2]string {
	catalog := m.columns()
	for table := range catalog {
		require.True(m.t, slices.ContainsFunc(bookTables, func(b bookTable) bool { return b.name == table }), "%s is a new table: say how Verify names its rows", table)
	}
	return catalog
}

func TestLedgerEveryColumnIsProtected(t *testing.T) {
	t.Parallel()
	eachTampered(t, func(m *tamperer) {
		catalog := m.tables()
		for _, table := range bookTables {
			columns := catalog[table.name]
			if columns == nil {
				require.Equal(m.t, sqlstore.SQLite, m.dialect, table.name)
				continue
			}
			rows := m.rows(table.name, columns)
			require.NotEmpty(m.t, rows, table.name)
			for _, c := range columns {
				if table.says[c[0]] != "" {
					continue
				}
				done := 0
				for try := 0; done < rounds && try < 200; try++ {
					row := rows[m.rand.IntN(len(rows))]
					if row[c[0]] == nil && m.rand.IntN(4) > 0 && try < 50 {
						continue // what is there is tampered with more often
					}
					value := m.flip(row[c[0]], c[1])
					p := &bookPlace{}
					table.at(row, p)
					after := map[string]any{}
					for k, v := range row {
						after[k] = v
					}
					after[c[0]] = value
					table.at(after, p)
					what := fmt.Sprintf("%s.%s of %v from %v to %v", table.name, c[0], row, row[c[0]], value)
					if m.within(func(tx *sql.Tx) bool { return m.set(tx, table.name, row, c[0], value) }, func(r *ledger.Report) { m.told(r, what, p) }) {
						done++
					}
				}
				require.GreaterOrEqual(m.t, done, 2, "%s.%s was tampered with", table.name, c[0])
			}
		}
	})
}

func TestLedgerRowsDeletedSwappedOrDoubled(t *testing.T) {
	t.Parallel()
	eachTampered(t, func(m *tamperer) {
		catalog := m.tables()
		for _, table := range bookTables {
			columns := catalog[table.name]
			if columns == nil {
				continue
			}
			rows := m.rows(table.name, columns)
			deleted, swapped := 0, 0
			for range 2 * rounds {
				a := rows[m.rand.IntN(len(rows))]
				b := rows[m.rand.IntN(len(rows))]
				p := &bookPlace{}
				table.at(a, p)
				if m.within(func(tx *sql.Tx) bool { return m.erase(tx, table.name, a) }, func(r *ledger.Report) {
					m.told(r, fmt.Sprintf("%s: %v deleted", table.name, a), p)
				}) {
					deleted++
				}
				table.at(b, p)
				x, y := map[string]any{}, map[string]any{}
				same := true
				for _, c := range columns {
					x[c[0]], y[c[0]] = a[c[0]], b[c[0]]
					if !slices.Contains(table.keys, c[0]) && !slices.Contains(table.stay, c[0]) {
						x[c[0]], y[c[0]] = b[c[0]], a[c[0]]
						same = same && fmt.Sprint(a[c[0]]) == fmt.Sprint(b[c[0]])
					}
				}
				if same {
					continue
				}
				if m.within(func(tx *sql.Tx) bool {
					return m.erase(tx, table.name, a) && m.erase(tx, table.name, b) && m.insert(tx, table.name, x) && m.insert(tx, table.name, y)
				}, func(r *ledger.Report) { m.told(r, fmt.Sprintf("%s: %v and %v swapped", table.name, a, b), p) }) {
					swapped++
				}
			}
			require.GreaterOrEqual(m.t, deleted, rounds, table.name)
			require.Positive(m.t, swapped, table.name)
			// Where a key does not forbid it, a second copy is named, too.
			row := rows[m.rand.IntN(len(rows))]
			twin := map[string]any{}
			for k, v := range row {
				twin[k] = v
			}
			for _, k := range table.keys[:1] {
				twin[k] = integer(row[k]) + 100_000
			}
			p := &bookPlace{}
			table.at(row, p)
			table.at(twin, p)
			m.within(func(tx *sql.Tx) bool { return m.insert(tx, table.name, twin) }, func(r *ledger.Report) {
				m.told(r, fmt.Sprintf("%s: %v doubled", table.name, row), p)
			})
		}
	})
}

func TestLedgerACutTailIsNamedByTheHead(t *testing.T) {
	t.Parallel()
	eachTampered(t, func(m *tamperer) {
		early, err := m.book.Head(ctx) // and what was raised is folded in
		require.NoError(m.t, err)
		catalog := m.tables()
		totals := m.rows("ledger_totals", catalog["ledger_totals"])
		var lastID, lastAccount int64
		require.NoError(m.t, m.db.QueryRowContext(ctx, "SELECT (SELECT max(id) FROM ledger_journal), (SELECT max(id) FROM ledger_accounts)").Scan(&lastID, &lastAccount))
		require.NoError(m.t, ledgertest.NewFiller(m.book, "more-", 12).Fill(ctx, 100))
		late, err := m.book.Head(ctx)
		require.NoError(m.t, err)
		require.Greater(m.t, late.Seq, early.Seq)
		verify := func(change func(tx *sql.Tx), head *ledger.Head) *ledger.Report {
			tx, err := m.db.BeginTx(ctx, nil)
			require.NoError(m.t, err)
			defer func() { _ = tx.Rollback() }()
			m.unguard(tx)
			change(tx)
			report, err := m.book.Verify(sqlstore.In(ctx, tx), ledger.VerifyOptions{Head: head})
			require.NoError(m.t, err)
			return report
		}
		seals := func(tx *sql.Tx) {
			mustExec(m.t, tx, fmt.Sprint("DELETE FROM ledger_seals WHERE first_seq > ", early.Seq))
		}
		all := func(tx *sql.Tx) {
			seals(tx)
			mustExec(m.t, tx, fmt.Sprint("DELETE FROM ledger_postings WHERE seq > ", early.Seq))
			mustExec(m.t, tx, fmt.Sprint("DELETE FROM ledger_journal WHERE id > ", lastID))
			mustExec(m.t, tx, "DELETE FROM ledger_totals")
			for _, r := range totals {
				require.True(m.t, m.insert(tx, "ledger_totals", r))
			}
			if m.dialect == sqlstore.Postgres {
				mustExec(m.t, tx, "DELETE FROM ledger_raises")
			}
			mustExec(m.t, tx, fmt.Sprint("DELETE FROM ledger_accounts WHERE id > ", lastAccount))
		}
		require.Empty(m.t, verify(all, nil).Problems, "what was cut off as a whole cannot be missed from inside")
		require.Empty(m.t, verify(all, &early).Problems, "what is left is what the earlier head says")
		cut := verify(all, &late)
		require.Len(m.t, cut.Problems, 1)
		require.Equal(m.t, ledger.TableBlocks, cut.Problems[0].Table)
		require.Contains(m.t, cut.Problems[0].What, "cut off")
		require.Equal(m.t, early.Seq, cut.Head.Seq)

		require.False(m.t, verify(seals, nil).OK(), "postings without a seal are named")
		journal := func(tx *sql.Tx) { mustExec(m.t, tx, fmt.Sprint("DELETE FROM ledger_journal WHERE id > ", lastID)) }
		require.False(m.t, verify(journal, nil).OK(), "seals without a record are named")
		wrong := late
		wrong.Hash[3] ^= 1
		other := verify(func(*sql.Tx) {}, &wrong)
		require.Len(m.t, other.Problems, 1)
		require.Contains(m.t, other.Problems[0].What, "not those it was taken from")
	})
}

// TestLedgerARowInTheWayOfTheSealer: a posting beyond the last seal, which the
// triggers cannot tell from the sealer's, is named, and the error says so.
func TestLedgerARowInTheWayOfTheSealer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store) {
		b := openBook(t, s)
		_, err := b.Post(ctx, move("k1", "world:EUR", "acct:1:EUR", 7))
		require.NoError(t, err)
		_, err = b.Seal(ctx)
		require.NoError(t, err)
		list, values := "account_id, layer, seq, n, record_id, amount, running, booked_at", "(SELECT id FROM ledger_accounts WHERE path = 'acct:1:EUR'), 0, 2, 1, 2, 1, 1, 1"
		if s.Dialect() == sqlstore.SQLite {
			list, values = list+", volume", values+", 0"
		}
		_, err = s.DB().ExecContext(ctx, "INSERT INTO ledger_postings ("+list+") VALUES ("+values+")")
		require.NoError(t, err)
		_, err = b.Post(ctx, move("k2", "world:EUR", "acct:1:EUR", 7))
		require.NoError(t, err)
		_, err = b.Seal(ctx)
		require.ErrorIs(t, err, ledger.ErrCorrupt)
		require.ErrorContains(t, err, "see Verify")
		got, err := b.Balance(ctx, "acct:1:EUR", ledger.AsOf{})
		require.NoError(t, err)
		require.Equal(t, eur(14), got.Posted)
		report, err := b.Verify(ctx, ledger.VerifyOptions{})
		require.NoError(t, err)
		require.False(t, report.OK())
	})
}

// TestLedgerTrialBalanceOfManyAccounts: most accounts at once are read another
// way than a few.
func TestLedgerTrialBalanceOfManyAccounts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store) {
		sqlstore.SetVolume(s, 64)
		b := openBook(t, s)
		want := map[string]int64{}
		for round := range 3 {
			var all []ledger.Change
			for i := range 150 {
				path := fmt.Sprintf("acct:%d:EUR", i*(round+1))
				want[path] += int64(i + 1)
				all = append(all, move(fmt.Sprintf("k%d-%d", round, i), "world:EUR", path, int64(i+1)))
				if i%10 == 0 {
					hold := move(fmt.Sprintf("h%d-%d", round, i), "world:EUR", path, 3)
					hold.Pending = true
					all = append(all, hold)
				}
			}
			for _, r := range b.PostAll(ctx, all...) {
				require.NoError(t, r.Err)
			}
			if round < 2 {
				_, err := b.Seal(ctx)
				require.NoError(t, err)
			}
		}
		for range 2 {
			trial, err := b.TrialBalance(ctx, ledger.AsOf{})
			require.NoError(t, err)
			require.True(t, trial.Foots())
			require.Len(t, trial.Lines, len(want)+1)
			for _, l := range trial.Lines {
				if l.Account != "world:EUR" {
					require.Equal(t, eur(want[l.Account]), l.Credit, l.Account)
					one, err := b.Balance(ctx, l.Account, ledger.AsOf{})
					require.NoError(t, err)
					require.Equal(t, one.PendingIn, l.PendingCredit)
				}
			}
			_, err = b.Seal(ctx)
			require.NoError(t, err)
		}
	})
}
