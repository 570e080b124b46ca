package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlite"
	"github.com/tender-go/payment/store/sqlstore"
)

// good are the settings that a host's own SQLite pool needs.
const good = "busy_timeout(5000) journal_mode(WAL) synchronous(FULL) foreign_keys(ON)"

// rawSQLite opens a pool as a host would, with pragmas in the DSN.
func rawSQLite(t testing.TB, path, pragmas string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?"+url.Values{"_pragma": strings.Fields(pragmas)}.Encode())
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestSQLiteSettingsAreReadBack(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, pragmas, want string }{
		{"synchronous normal", "journal_mode(WAL) synchronous(NORMAL) foreign_keys(ON)", "synchronous"},
		{"synchronous off", "journal_mode(WAL) synchronous(OFF) foreign_keys(ON)", "synchronous"},
		{"rollback journal", "journal_mode(DELETE) synchronous(FULL) foreign_keys(ON)", "journal_mode"},
		{"foreign keys off", "journal_mode(WAL) synchronous(FULL) foreign_keys(OFF)", "foreign_keys"},
		{"full", good, ""},
		{"extra", "journal_mode(WAL) synchronous(EXTRA) foreign_keys(ON)", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			db := rawSQLite(t, filepath.Join(t.TempDir(), "shop.db"), tc.pragmas)
			require.NoError(t, sqlstore.Migrate(ctx, db, sqlstore.SQLite))
			_, err := sqlstore.New(db, sqlstore.SQLite)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want, "a commit under this setting may be lost")
		})
	}
}

func TestSQLiteEveryConnectionIsChecked(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, filepath.Join(t.TempDir(), "shop.db"))
	s.DB().SetMaxOpenConns(2)
	s.DB().SetMaxIdleConns(2)
	// Spoil both connections of the pool behind the store's back.
	for range 2 {
		c, err := s.DB().Conn(ctx)
		require.NoError(t, err)
		defer func() { _ = c.Close() }()
		mustExec(t, c, "PRAGMA synchronous = OFF")
	}
	for range 2 { // give them back
		s.DB().SetMaxOpenConns(3)
	}
	c, err := s.DB().Conn(ctx)
	require.NoError(t, err)
	mustExec(t, c, "PRAGMA synchronous = NORMAL")
	require.NoError(t, c.Close())
	require.ErrorContains(t, appendOne(s, ctx, "e"), "synchronous", "an Update on a connection that may lose it is refused")
}

func TestSQLitePoolsThatCannotWork(t *testing.T) {
	t.Parallel()
	memory, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	defer memory.Close()
	_, err = sqlstore.New(memory, sqlstore.SQLite)
	require.ErrorContains(t, err, "memstore", "a database in memory is refused with the remedy")

	single := rawSQLite(t, filepath.Join(t.TempDir(), "shop.db"), good)
	single.SetMaxOpenConns(1)
	_, err = sqlstore.New(single, sqlstore.SQLite)
	require.ErrorContains(t, err, "SetMaxOpenConns", "a pool of one connection is refused with the remedy")

	_, err = sqlstore.New(nil, sqlstore.SQLite)
	require.ErrorContains(t, err, "*sql.DB")
	_, err = sqlstore.New(single, "oracle")
	require.ErrorContains(t, err, "dialect")
	for _, path := range []string{"", ":memory:", "file:shop.db"} {
		_, err = sqlite.Open(path)
		require.ErrorContains(t, err, "memstore", path)
	}
	_, err = sqlite.Open(filepath.Join(t.TempDir(), "no", "such", "folder", "shop.db"))
	require.ErrorContains(t, err, "cannot be opened")
}

func TestPostgresSettingsAreReadBack(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	_, err := postgres.Open(ctx, dsn+" options='-c synchronous_commit=off'")
	require.ErrorContains(t, err, "synchronous_commit")

	s := openPostgres(t, dsn)
	// Behind the store's back, for one transaction: the database itself refuses.
	tx, err := s.DB().BeginTx(ctx, nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	mustExec(t, tx, "SET LOCAL synchronous_commit = off")
	require.ErrorContains(t, appendOne(s, sqlstore.In(ctx, tx), "e"), "durable")

	plain, err := sql.Open("pgx", dsn+" options='-c synchronous_commit=off'")
	require.NoError(t, err)
	defer plain.Close()
	_, err = sqlstore.New(plain, sqlstore.Postgres)
	require.ErrorContains(t, err, "synchronous_commit")

	_, err = postgres.Open(ctx, pgtest.New(t, "fsync=off").DSN(t))
	require.ErrorContains(t, err, "fsync")
}

func TestBusy(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "shop.db")
		other := openSQLite(t, path)
		db := rawSQLite(t, path, strings.Replace(good, "5000", "20", 1))
		s, err := sqlstore.New(db, sqlstore.SQLite)
		require.NoError(t, err)
		tx, err := other.DB().BeginTx(ctx, nil) // takes the write lock
		require.NoError(t, err)
		require.ErrorIs(t, appendOne(s, ctx, "e"), payment.ErrBusy)
		require.NoError(t, tx.Rollback())
		require.NoError(t, appendOne(s, ctx, "e"), "after the lock is free the same Update goes through")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		s := openPostgres(t, pgtest.DSN(t)+" lock_timeout=50ms")
		require.NoError(t, pair(ctx, s, "p"))
		tx, err := s.DB().BeginTx(ctx, nil)
		require.NoError(t, err)
		mustExec(t, tx, "SELECT * FROM payment_payments WHERE id = 'p' FOR UPDATE")
		err = s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { _, err := tx.Payment(ctx, "p"); return err })
		require.ErrorIs(t, err, payment.ErrBusy)
		require.NoError(t, tx.Rollback())
	})
}

func TestNoConnectionIsBusy(t *testing.T) {
	t.Parallel()
	try := func(t *testing.T, db *sql.DB, dialect sqlstore.Dialect) {
		require.NoError(t, sqlstore.Migrate(ctx, db, dialect))
		s, err := sqlstore.New(db, dialect, sqlstore.Options{BusyTimeout: 50 * time.Millisecond})
		require.NoError(t, err)
		db.SetMaxOpenConns(2)
		for range 2 {
			c, err := db.Conn(ctx)
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.Close() })
		}
		start := time.Now()
		require.ErrorIs(t, appendOne(s, ctx, "e"), payment.ErrBusy, "a pool without a free connection is not waited for for ever")
		require.Less(t, time.Since(start), 10*time.Second)
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

func TestConnectionLostDuringCommit(t *testing.T) {
	t.Parallel()
	s := openPostgres(t, migrated(t))
	var pid int
	err := s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
		if err := tx.AppendEvents(ctx, event("e")); err != nil {
			return err
		}
		rows, err := tx.(sqlstore.Tx).SQL().QueryContext(ctx, "SELECT pg_backend_pid()")
		if err != nil {
			return err
		}
		rows.Next()
		if err := errors.Join(rows.Scan(&pid), rows.Close()); err != nil {
			return err
		}
		_, err = s.DB().ExecContext(context.WithoutCancel(ctx), "SELECT pg_terminate_backend($1)", pid)
		time.Sleep(50 * time.Millisecond)
		return err
	})
	require.ErrorIs(t, err, payment.ErrCommitUnknown, "whoever loses the connection at COMMIT cannot know")
	require.NoError(t, appendOne(s, ctx, "e"), "here it was not written: the second run writes it")
}
