package sqlstore_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/store/sqlstore"
)

// TestHostOrder is what In is for: the order's row and the payment's row are
// one commit.
func TestHostOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store) {
		db := s.DB()
		mustExec(t, db, "CREATE TABLE orders (id TEXT PRIMARY KEY, payment_id TEXT REFERENCES payment_payments (id))")
		order := func(id string, end func(commit, rollback func() error) error) {
			tx, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
			defer func() { _ = tx.Rollback() }()
			require.NoError(t, s.Update(sqlstore.In(ctx, tx), func(ctx context.Context, tx payment.Tx) error { return plan(ctx, tx, planned("p"+id)) }))
			mustExec(t, tx, "INSERT INTO orders (id, payment_id) VALUES ('"+id+"', 'p"+id+"')")
			require.NoError(t, end(tx.Commit, tx.Rollback))
		}
		order("1", func(commit, _ func() error) error { return commit() })
		order("2", func(_, rollback func() error) error { return rollback() })
		require.Equal(t, 1, count(t, db, "orders"))
		require.Equal(t, 1, count(t, db, "payment_payments"))
		_, err := s.Payment(ctx, "p1")
		require.NoError(t, err, "committed with the order")
		_, err = s.Payment(ctx, "p2")
		require.ErrorIs(t, err, payment.ErrNotFound, "rolled back with the order")
		require.NoError(t, pair(ctx, s, "p2"), "no claim is left behind")
	})
}

// TestDeferredHostTransaction: on SQLite a transaction that began by reading
// cannot write once another wrote.
func TestDeferredHostTransaction(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shop.db")
	s := openSQLite(t, path)
	db := rawSQLite(t, path, good) // BEGIN is deferred here
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	var n int
	require.NoError(t, tx.QueryRowContext(ctx, "SELECT count(*) FROM payment_payments").Scan(&n))
	require.NoError(t, pair(ctx, s, "p1"))
	err = s.Update(sqlstore.In(ctx, tx), func(ctx context.Context, tx payment.Tx) error { return plan(ctx, tx, planned("p2")) })
	require.ErrorIs(t, err, payment.ErrBusy, "its snapshot is too old to write on: roll back and run again")
	require.NoError(t, tx.Rollback())

	// One that did not read before takes the lock by its first write.
	tx, err = db.BeginTx(ctx, nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	require.NoError(t, s.Update(sqlstore.In(ctx, tx), func(ctx context.Context, tx payment.Tx) error { return plan(ctx, tx, planned("p2")) }))
	require.NoError(t, tx.Commit())
	_, err = s.Payment(ctx, "p2")
	require.NoError(t, err)
}

// TestEventsUnderASnapshot: the cursor's promise cannot be kept in a
// transaction that sees the past.
func TestEventsUnderASnapshot(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store) {
		if s.Dialect() == sqlstore.SQLite {
			return // a SQLite transaction that joins holds the write lock
		}
		tx, err := s.DB().BeginTx(ctx, nil)
		require.NoError(t, err)
		defer func() { _ = tx.Rollback() }()
		mustExec(t, tx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
		_, err = s.Events(sqlstore.In(ctx, tx), payment.EventQuery{})
		require.ErrorContains(t, err, "READ COMMITTED")
		require.NoError(t, s.Update(sqlstore.In(ctx, tx), func(ctx context.Context, tx payment.Tx) error { return plan(ctx, tx, planned("p")) }),
			"writing joins at any isolation")
		require.NoError(t, tx.Commit())
	})
}

// TestParticipantsShareTheCommit: another package keeps its rows in the same
// transaction.
func TestParticipantsShareTheCommit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store) {
		mustExec(t, s.DB(), "CREATE TABLE books (n INTEGER PRIMARY KEY)")
		const insert = "INSERT INTO books (n) VALUES (1)"
		require.NoError(t, s.Prepare(ctx, insert))
		post := func(result error) error {
			return s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
				_, err := tx.(sqlstore.Tx).SQL().ExecContext(ctx, insert)
				return errors.Join(err, result)
			})
		}
		boom := errors.New("boom")
		require.ErrorIs(t, post(boom), boom)
		require.Zero(t, count(t, s.DB(), "books"))
		require.NoError(t, post(nil))
		require.Error(t, post(nil), "a duplicate key")
		require.Equal(t, 1, count(t, s.DB(), "books"))

		err := s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
			require.NoError(t, tx.AppendEvents(ctx, event("e")))
			_, _ = tx.(sqlstore.Tx).SQL().ExecContext(ctx, insert) // swallowed
			return nil
		})
		require.Error(t, err, "an Update with a failed statement fails, whatever its function says")
		require.Zero(t, count(t, s.DB(), "payment_events"))
	})
}
