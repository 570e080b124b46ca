package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/sqlstore"
)

func begin(t *testing.T, db *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

// another opens a store of the same dialect on another database.
func another(t *testing.T, s *sqlstore.Store) *sqlstore.Store {
	t.Helper()
	if s.Dialect() == sqlstore.SQLite {
		return openSQLite(t, filepath.Join(t.TempDir(), "other.db"))
	}
	return openPostgres(t, migrated(t))
}

// TestTransactionThatCannotBeJoined: the host believes that it can still roll
// back, so nothing may be committed beside its transaction.
func TestTransactionThatCannotBeJoined(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tx   func(t *testing.T, s *sqlstore.Store) *sql.Tx
		want string
	}{
		"none": {func(*testing.T, *sqlstore.Store) *sql.Tx { return nil }, "nil *sql.Tx"},
		"committed": {func(t *testing.T, s *sqlstore.Store) *sql.Tx {
			tx := begin(t, s.DB())
			require.NoError(t, tx.Commit())
			return tx
		}, "has ended"},
		"rolled back": {func(t *testing.T, s *sqlstore.Store) *sql.Tx {
			tx := begin(t, s.DB())
			require.NoError(t, tx.Rollback())
			return tx
		}, "has ended"},
		"of another shop": {func(t *testing.T, s *sqlstore.Store) *sql.Tx { return begin(t, another(t, s).DB()) }, "another database"},
		"of a database without payments": {func(t *testing.T, s *sqlstore.Store) *sql.Tx {
			if s.Dialect() == sqlstore.SQLite {
				return begin(t, rawSQLite(t, filepath.Join(t.TempDir(), "orders.db"), good))
			}
			db, err := sql.Open("pgx", pgtest.DSN(t))
			require.NoError(t, err)
			t.Cleanup(func() { _ = db.Close() })
			return begin(t, db)
		}, "another database"},
		"of another dialect": {func(t *testing.T, s *sqlstore.Store) *sql.Tx {
			if s.Dialect() == sqlstore.SQLite {
				return begin(t, openPostgres(t, migrated(t)).DB())
			}
			return begin(t, openSQLite(t, filepath.Join(t.TempDir(), "shop.db")).DB())
		}, "another database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, s *sqlstore.Store) {
				pay, err := payment.New(payment.Config{Store: s, Providers: []payment.Provider{fake.New(fake.Options{})}})
				require.NoError(t, err)
				refused := func(err error) {
					t.Helper()
					var join *sqlstore.JoinError
					require.ErrorAs(t, err, &join)
					require.ErrorContains(t, err, "payment: sqlstore.In was given ", "the error names the call at fault")
					require.ErrorContains(t, err, c.want)
				}
				tx := c.tx(t, s)
				joined := sqlstore.In(ctx, tx)
				request := payment.Request{Key: "k1", Reference: "order-1", Amount: money.Of(1999, money.EUR), Method: payment.Card(fake.TokenApproved)}
				for range 2 { // the second is no luckier
					_, err = pay.Create(joined, request)
					refused(err)
				}
				refused(s.Update(joined, func(context.Context, payment.Tx) error { t.Error("the function must not run"); return nil }))
				_, err = pay.Get(joined, "p1")
				refused(err)
				_, err = s.Events(joined, payment.EventQuery{})
				refused(err)
				_, err = pay.Pay(joined, request)
				require.ErrorIs(t, err, payment.ErrInTransaction, "what asks a provider is refused as under any transaction")
				_, err = s.ClaimDue(joined, "w", time.Time{}, time.Time{}, 1)
				require.ErrorIs(t, err, payment.ErrInTransaction)

				if tx != nil {
					if _, err := tx.ExecContext(ctx, "SELECT 1"); c.want != "has ended" {
						require.NoError(t, err, "a transaction that is not ours is left as it was")
						require.NoError(t, tx.Commit())
					}
				}
				for _, table := range []string{"payment_payments", "payment_claims", "payment_events"} {
					require.Zero(t, count(t, s.DB(), table), "nothing is written to %s", table)
				}
				_, err = pay.Create(ctx, request)
				require.NoError(t, err, "nothing holds the key")
			})
		})
	}
}

// TestHostTransactionIsProvenOnce: what it costs to know a host's transaction
// is paid once, and its work goes on behind it.
func TestHostTransactionIsProvenOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store) {
		tx := begin(t, s.DB())
		joined := sqlstore.In(ctx, tx)
		for i := range 3 {
			_, err := s.Payment(joined, "p0")
			require.ErrorIs(t, err, payment.ErrNotFound)
			id := fmt.Sprint("p", i+1)
			require.NoError(t, s.Update(joined, func(ctx context.Context, tx payment.Tx) error { return plan(ctx, tx, planned(id)) }))
			_, err = s.Payment(joined, id)
			require.NoError(t, err)
		}
		require.NoError(t, tx.Commit())
		require.Equal(t, 3, count(t, s.DB(), "payment_payments"))

		// The same context on another store is another question.
		tx = begin(t, s.DB())
		joined = sqlstore.In(ctx, tx)
		require.NoError(t, appendOne(s, joined, "e1"))
		var join *sqlstore.JoinError
		require.ErrorAs(t, appendOne(another(t, s), joined, "e2"), &join)
	})
}
