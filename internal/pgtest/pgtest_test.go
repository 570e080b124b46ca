//go:build unix

package pgtest_test

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestDatabasesAreFreshAndApart(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	a, b := connect(t, pgtest.DSN(t)), connect(t, pgtest.DSN(t))
	_, err := a.Exec(ctx, "CREATE TABLE mine (n INT)")
	require.NoError(t, err)
	_, err = b.Exec(ctx, "SELECT * FROM mine")
	require.Error(t, err, "each test has a database of its own")
	var fsync string
	require.NoError(t, a.QueryRow(ctx, "SHOW fsync").Scan(&fsync))
	require.Equal(t, "on", fsync, "tests run with the durability that production has")
}

func TestCopies(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var filled atomic.Int32
	fill := func(dsn string) error {
		filled.Add(1)
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "CREATE TABLE kept (n INT); INSERT INTO kept VALUES (1)")
		return errors.Join(err, conn.Close(ctx))
	}
	for range 4 {
		t.Run("copy", func(t *testing.T) {
			t.Parallel()
			conn := connect(t, pgtest.Copy(t, "kept", fill))
			_, err := conn.Exec(ctx, "UPDATE kept SET n = n + 1")
			require.NoError(t, err)
			var n int
			require.NoError(t, conn.QueryRow(ctx, "SELECT sum(n) FROM kept").Scan(&n))
			require.Equal(t, 2, n, "each test has a copy of its own")
			var fsync string
			require.NoError(t, conn.QueryRow(ctx, "SHOW fsync").Scan(&fsync))
			require.Equal(t, "on", fsync)
		})
	}
	t.Cleanup(func() { require.EqualValues(t, 1, filled.Load(), "the first is filled once") })
	conn := connect(t, pgtest.DSN(t))
	_, err := conn.Exec(ctx, "SELECT * FROM kept")
	require.Error(t, err, "an empty database is empty")
}

func TestCrash(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	cluster := pgtest.New(t, "synchronous_commit=on")
	dsn := cluster.DSN(t)
	conn := connect(t, dsn)
	_, err := conn.Exec(ctx, "CREATE TABLE kept (n INT); INSERT INTO kept VALUES (1)")
	require.NoError(t, err)
	cluster.Crash(t)
	_, err = conn.Exec(ctx, "SELECT 1")
	require.Error(t, err, "a crash ends the sessions")
	var n int
	require.NoError(t, connect(t, dsn).QueryRow(ctx, "SELECT n FROM kept").Scan(&n))
	require.Equal(t, 1, n, "what was committed is there after a crash")
}
