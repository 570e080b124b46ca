package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlstore"
)

func TestEveryColumnIsRegistered(t *testing.T) {
	t.Parallel()
	registered := map[string]sqlstore.Class{}
	for _, c := range sqlstore.Columns() {
		require.NotEmpty(t, c.Class, "%s.%s has no class", c.Table, c.Name)
		registered[c.Table+"."+c.Name] = c.Class
	}
	each(t, func(t *testing.T, s *sqlstore.Store) {
		text := `SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() AND table_name NOT IN (SELECT table_name FROM information_schema.views) AND (table_name LIKE 'payment\_%' OR table_name LIKE 'ledger\_%')`
		if s.Dialect() == sqlstore.SQLite {
			text = `SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND (m.name LIKE 'payment\_%' ESCAPE '\' OR m.name LIKE 'ledger\_%' ESCAPE '\')`
		}
		rows, err := s.DB().QueryContext(ctx, text)
		require.NoError(t, err)
		defer rows.Close()
		n := 0
		for rows.Next() {
			var table, column, kind string
			require.NoError(t, rows.Scan(&table, &column, &kind))
			class, ok := registered[table+"."+column]
			require.True(t, ok, "column %s.%s is not in sqlstore.Columns: say what it holds", table, column)
			bytes := kind == "BLOB" || kind == "bytea"
			sealed := class == sqlstore.ClassSealed || class == sqlstore.ClassKey || class == sqlstore.ClassDigest || class == sqlstore.ClassPacked
			require.Equal(t, sealed, bytes, "%s.%s: sealed and packed values are bytes, and only they", table, column)
			n++
		}
		require.NoError(t, rows.Err())
		if s.Dialect() == sqlstore.SQLite {
			n += 5 // ledger_raises: only PostgreSQL has several writers
		} else {
			n++ // ledger_postings.volume
		}
		require.Len(t, registered, n, "sqlstore.Columns names a column that is not there")
	})
}

func TestEventsAreAppendOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store) {
		require.NoError(t, appendOne(s, ctx, "e1"))
		before, err := s.Events(ctx, payment.EventQuery{})
		require.NoError(t, err)
		attacks := []string{
			"UPDATE payment_events SET reason = 'changed'",
			"UPDATE payment_events SET reason = 'changed' WHERE id = 'e1'",
			"DELETE FROM payment_events",
			"DELETE FROM payment_events WHERE seq = 1",
		}
		if s.Dialect() == sqlstore.Postgres {
			attacks = append(attacks, "TRUNCATE payment_events", "SET session_replication_role = replica; DELETE FROM payment_events",
				"INSERT INTO payment_events SELECT * FROM payment_events ON CONFLICT (id) DO UPDATE SET reason = 'changed'")
		} else {
			attacks = append(attacks, "INSERT OR REPLACE INTO payment_events SELECT * FROM payment_events", "UPDATE OR REPLACE payment_events SET id = 'e2'",
				"INSERT INTO payment_events SELECT * FROM payment_events WHERE true ON CONFLICT (id) DO UPDATE SET reason = 'changed'")
		}
		for _, attack := range attacks {
			_, err := s.DB().ExecContext(ctx, attack)
			require.ErrorContains(t, err, "append-only", attack)
		}
		after, err := s.Events(ctx, payment.EventQuery{})
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
}

func TestMigrationsAreNumbered(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^\d{3}_[a-z_]+$`)
	lite, pg := sqlstore.Migrations(sqlstore.SQLite), sqlstore.Migrations(sqlstore.Postgres)
	require.Len(t, pg, len(lite), "both dialects have the same steps")
	for i := range lite {
		for _, m := range []sqlstore.Migration{lite[i], pg[i]} {
			require.Equal(t, i+1, m.Version, "%s: versions count from 1 without gaps", m.Name)
			require.Regexp(t, name, m.Name)
			require.Contains(t, m.SQL, fmt.Sprintf("VALUES (%d, '%s'", m.Version, m.Name), "a step notes itself in payment_schema")
		}
		require.Equal(t, lite[i].Name, pg[i].Name)
	}
	require.Empty(t, sqlstore.Migrations("oracle"))
}

func TestMigrateByManyAtOnce(t *testing.T) {
	t.Parallel()
	try := func(t *testing.T, db *sql.DB, dialect sqlstore.Dialect) {
		_, err := sqlstore.New(db, dialect)
		require.ErrorContains(t, err, "sqlstore.Migrate", "a store without its tables says what to do")
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() { errs[i] = sqlstore.Migrate(ctx, db, dialect) })
		}
		wg.Wait()
		for _, err := range errs {
			require.NoError(t, err, "one migrates, the others find it done")
		}
		s, err := sqlstore.New(db, dialect)
		require.NoError(t, err)
		require.NoError(t, appendOne(s, ctx, "e1"))
		require.NoError(t, s.Close())
		require.Error(t, appendOne(s, ctx, "e2"), "a closed store takes nothing")
		require.NoError(t, db.PingContext(ctx), "the database stays the host's")

		mustExec(t, db, "UPDATE payment_schema SET version = 99 WHERE version = (SELECT max(version) FROM payment_schema)")
		require.ErrorContains(t, sqlstore.Migrate(ctx, db, dialect), "newer release")
		_, err = sqlstore.New(db, dialect)
		require.ErrorContains(t, err, "newer release")
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		try(t, rawSQLite(t, filepath.Join(t.TempDir(), "shop.db"), good), sqlstore.SQLite)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		db, err := sql.Open("pgx", pgtest.DSN(t))
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		try(t, db, sqlstore.Postgres)
	})
}

func TestMigrateByTheHost(t *testing.T) {
	t.Parallel()
	db := rawSQLite(t, filepath.Join(t.TempDir(), "shop.db"), good)
	for _, m := range sqlstore.Migrations(sqlstore.SQLite) {
		mustExec(t, db, m.SQL)
	}
	_, err := sqlstore.New(db, sqlstore.SQLite)
	require.NoError(t, err, "the SQL of Migrations is all that a host's migrator runs")
	require.NoError(t, sqlstore.Migrate(ctx, db, sqlstore.SQLite))
}

func TestTwoInstallationsInOneDatabase(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer db.Close()
	mustExec(t, db, "CREATE SCHEMA a; CREATE SCHEMA b")
	open := func(schema string) *sqlstore.Store {
		s, err := postgres.Open(ctx, dsn+" search_path="+schema)
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	a, b := open("a"), open("b")
	for i := range 5 {
		require.NoError(t, appendOne(a, ctx, fmt.Sprint("a", i)))
	}
	inside, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- b.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
			err := tx.AppendEvents(ctx, event("b1"))
			close(inside)
			<-goOn
			return err
		})
	}()
	<-inside
	events, err := a.Events(ctx, payment.EventQuery{})
	require.NoError(t, err)
	require.Len(t, events, 5, "an open transaction of one installation does not hide the events of another")
	close(goOn)
	require.NoError(t, <-done)
}

func TestHorizonWrapsAround(t *testing.T) {
	t.Parallel()
	s := openPostgres(t, migrated(t))
	// Announcements hold 32 bits of a number: pass the end of them.
	mustExec(t, s.DB(), "SELECT setval('payment_events_seq', 4294967290)")
	for i := range 4 {
		require.NoError(t, appendOne(s, ctx, fmt.Sprint("before", i)))
	}
	inside, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
			err := tx.AppendEvents(ctx, event("open"))
			close(inside)
			<-goOn
			return err
		})
	}()
	<-inside
	for i := range 4 {
		require.NoError(t, appendOne(s, ctx, fmt.Sprint("after", i)))
	}
	events, err := s.Events(ctx, payment.EventQuery{})
	require.NoError(t, err)
	require.Len(t, events, 4, "what came after the open transaction waits for it")
	close(goOn)
	require.NoError(t, <-done)
	events, err = s.Events(ctx, payment.EventQuery{})
	require.NoError(t, err)
	require.Len(t, events, 9)
}
