package sqlstore_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/store/sqlstore"
)

// documentedRights reads the statements that docs/ledger.md gives for the user
// that an application connects as.
func documentedRights(t *testing.T, user string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/ledger.md")
	require.NoError(t, err)
	_, block, ok := strings.Cut(string(text), "```sql\n")
	require.True(t, ok, "the page has the statements")
	block, _, ok = strings.Cut(block, "```")
	require.True(t, ok)
	require.Contains(t, block, " TO shop;")
	return strings.ReplaceAll(block, " TO shop;", " TO "+user+";")
}

// role makes a user with rights, and returns the connection string of it.
func role(t *testing.T, owner *sql.DB, dsn, name, rights string) string {
	t.Helper()
	mustExec(t, owner, "CREATE ROLE "+name+" LOGIN")
	t.Cleanup(func() {
		mustExec(t, owner, "DROP OWNED BY "+name)
		mustExec(t, owner, "DROP ROLE "+name)
	})
	mustExec(t, owner, rights)
	require.Contains(t, dsn, "user=payment ")
	return strings.Replace(dsn, "user=payment ", "user="+name+" ", 1)
}

func state(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return fmt.Sprint(err)
}

func TestLedgerRights(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	owner, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = owner.Close() })
	var database string
	require.NoError(t, owner.QueryRowContext(ctx, "SELECT current_database()").Scan(&database))

	shopDSN := role(t, owner, dsn, "shop_"+database, documentedRights(t, "shop_"+database))
	s := openPostgres(t, shopDSN)
	book := openBook(t, s)
	require.NoError(t, pair(ctx, s, "p1"), "payments are recorded")
	_, err = book.Post(ctx, move("fund", "world:EUR", "acct:1:EUR", 1000))
	require.NoError(t, err)

	// What is raised while the account is locked goes to the inbox.
	lock, err := owner.BeginTx(ctx, nil)
	require.NoError(t, err)
	mustExec(t, lock, "SELECT 1 FROM ledger_totals FOR NO KEY UPDATE")
	_, err = book.Post(ctx, move("raise", "world:EUR", "acct:1:EUR", 10))
	require.NoError(t, err)
	require.Equal(t, 1, count(t, owner, "ledger_raises"))
	require.NoError(t, lock.Rollback())
	_, err = book.Apply(ctx, ledger.Transaction{Key: "hold", Pending: true, Entries: move("", "acct:1:EUR", "world:EUR", 1005).Entries,
		Conditions: []ledger.Condition{{Account: "acct:1:EUR"}}, Metadata: map[string]string{"a": "b"}})
	require.NoError(t, err, "what was raised is folded in")
	for _, c := range []ledger.Change{ledger.Settlement{Key: "settle", Hold: "hold", Amount: eur(5)}, ledger.Void{Key: "void", Hold: "hold"}, ledger.Reversal{Key: "back", Of: "fund", Amount: eur(1)}} {
		_, err = book.Apply(ctx, c)
		require.NoError(t, err)
	}
	n, err := book.Seal(ctx)
	require.NoError(t, err)
	require.Equal(t, 6, n)
	require.Zero(t, count(t, owner, "ledger_raises"))
	report, err := book.Verify(ctx, ledger.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	balance, err := book.Balance(ctx, "acct:1:EUR", ledger.AsOf{})
	require.NoError(t, err)
	require.Equal(t, eur(1004), balance.Posted)
	var table bytes.Buffer
	require.NoError(t, book.ExportCSV(ctx, &table, ledger.ExportOptions{}))
	require.Positive(t, count(t, s.DB(), "ledger_book"))

	const insufficient = "42501"
	refused := []string{"TRUNCATE ledger_totals", "TRUNCATE ledger_raises", "SET session_replication_role = replica", "CREATE TABLE mine (n INTEGER)",
		"CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'", "DROP FUNCTION ledger_refuse_change() CASCADE"}
	for table, column := range map[string]string{"ledger_accounts": "type", "ledger_journal": "kind", "ledger_seals": "sealed_at", "ledger_postings": "amount"} {
		refused = append(refused, "UPDATE "+table+" SET "+column+" = 1", "DELETE FROM "+table, "TRUNCATE "+table, "DROP TABLE "+table+" CASCADE",
			"DROP TRIGGER "+table+"_append_only ON "+table, "ALTER TABLE "+table+" DISABLE TRIGGER ALL")
		for _, change := range []string{"UPDATE " + table + " SET " + column + " = 1", "DELETE FROM " + table, "TRUNCATE " + table} {
			_, err := owner.ExecContext(ctx, change)
			require.Equal(t, "23001", state(err), "the trigger refuses it to the owner: %s", change)
		}
	}
	for _, text := range refused {
		_, err := s.DB().ExecContext(ctx, text)
		require.Equal(t, insufficient, state(err), text)
	}

	readerDSN := role(t, owner, dsn, "auditor_"+database, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor_"+database)
	auditor := openBook(t, openPostgres(t, readerDSN))
	verified, err := auditor.Verify(ctx, ledger.VerifyOptions{AsTheyAre: true, Head: &report.Head})
	require.NoError(t, err, "who may only read verifies the books as they are")
	require.Empty(t, verified.Problems)

	mustExec(t, owner, "TRUNCATE ledger_totals")
	verified, err = auditor.Verify(ctx, ledger.VerifyOptions{AsTheyAre: true})
	require.NoError(t, err)
	require.Len(t, verified.Problems, 1)
	require.Equal(t, "acct:1:EUR", verified.Problems[0].Account)
	require.Equal(t, ledger.TableTotals, verified.Problems[0].Table)
}

// TestLedgerASealThatIsGone deletes the newest blocks below the ledger.
func TestLedgerASealThatIsGone(t *testing.T) {
	t.Parallel()
	eachTampered(t, func(m *tamperer) {
		var last, high int64
		require.NoError(m.t, m.db.QueryRowContext(ctx, "SELECT max(first_seq) FROM ledger_seals").Scan(&last))
		require.NoError(m.t, m.db.QueryRowContext(ctx, "SELECT max(seq) FROM ledger_postings").Scan(&high))
		for _, from := range []int64{last, last / 2, 1} {
			var first int64
			require.NoError(m.t, m.db.QueryRowContext(ctx, fmt.Sprint("SELECT min(first_seq) FROM ledger_seals WHERE first_seq >= ", from)).Scan(&first))
			tx, err := m.db.BeginTx(ctx, nil)
			require.NoError(m.t, err)
			m.unguard(tx)
			mustExec(m.t, tx, fmt.Sprint("DELETE FROM ledger_seals WHERE first_seq >= ", first))
			report, err := m.book.Verify(sqlstore.In(ctx, tx), ledger.VerifyOptions{})
			require.NoError(m.t, err)
			require.NoError(m.t, tx.Rollback())
			require.Len(m.t, report.Problems, 1, "only the blocks are gone")
			p := report.Problems[0]
			require.Equal(m.t, ledger.TableBlocks, p.Table)
			require.Equal(m.t, first, p.Seq)
			require.Contains(m.t, p.What, fmt.Sprintf("the pages of the accounts go on to number %d: the blocks after number %d were removed", high, first-1))
			require.False(m.t, slices.ContainsFunc(report.Problems, func(p ledger.Problem) bool { return strings.Contains(p.What, "not in the journal") }))
		}
		// The same in the open, where Verify tries to seal first.
		tx, err := m.db.BeginTx(ctx, nil)
		require.NoError(m.t, err)
		m.unguard(tx)
		mustExec(m.t, tx, fmt.Sprint("DELETE FROM ledger_seals WHERE first_seq >= ", last))
		require.NoError(m.t, tx.Commit())
		report, err := m.book.Verify(ctx, ledger.VerifyOptions{})
		require.NoError(m.t, err)
		require.Len(m.t, report.Problems, 2, "the cause comes first")
		require.Contains(m.t, report.Problems[0].What, "were removed")
		require.Contains(m.t, report.Problems[1].What, "cannot be sealed")
	})
}
