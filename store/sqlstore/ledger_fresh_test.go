package sqlstore_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/store/sqlstore"
)

// TestLedgerReadsWhatWasAcknowledged: while somebody else is sealing, or holds
// the write lock, no read leaves out a post that was acknowledged before.
func TestLedgerReadsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour)
	balances := func(t *testing.T, b *ledger.Book, want int64) {
		for _, at := range []ledger.AsOf{{}, {Effective: later}, {Recorded: later}, {Effective: later, Recorded: later}} {
			began := time.Now()
			got, err := b.Balance(ctx, "acct:1:EUR", at)
			require.NoError(t, err)
			require.Equal(t, eur(want), got.Posted, "%+v", at)
			trial, err := b.TrialBalance(ctx, at)
			require.NoError(t, err)
			require.Equal(t, eur(want), trial.Lines[0].Credit)
			require.True(t, trial.Foots())
			require.Less(t, time.Since(began), time.Second, "a balance waits for no lock")
		}
	}
	// hold keeps what the other book seals from being committed until it is
	// told to.
	type held struct{ inside, goOn chan struct{} }
	sealSlowly := func(t *testing.T, s ledger.Store) (held, chan error) {
		h, done := held{make(chan struct{}), make(chan struct{})}, make(chan error, 1)
		go func() {
			done <- s.Ledger().Seal(ctx, func(ctx context.Context, tx ledger.SealTx) error {
				if _, err := tx.Last(ctx); err != nil {
					return err
				}
				close(h.inside)
				<-h.goOn
				return nil
			})
		}()
		return h, done
	}
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		dsn := migrated(t)
		mine, other := openPostgres(t, dsn), openPostgres(t, dsn)
		b := openBook(t, mine)
		h, done := sealSlowly(t, other)
		<-h.inside
		_, err := b.Post(ctx, move("k", "world:EUR", "acct:1:EUR", 7))
		require.NoError(t, err)
		balances(t, b, 7)
		time.AfterFunc(200*time.Millisecond, func() { close(h.goOn) })
		statement, err := b.Statement(ctx, ledger.StatementQuery{Account: "acct:1:EUR"})
		require.NoError(t, err)
		require.Len(t, statement.Lines, 1, "it waits for the other's seal")
		require.Zero(t, statement.Unsealed)
		require.NoError(t, <-done)
		head, err := b.Head(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, head.Seq)
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		s := openSQLite(t, filepath.Join(t.TempDir(), "shop.db"))
		b := openBook(t, s)
		_, err := b.Post(ctx, move("k", "world:EUR", "acct:1:EUR", 7))
		require.NoError(t, err)
		tx, err := s.DB().BeginTx(ctx, nil)
		require.NoError(t, err)
		mustExec(t, tx, "UPDATE payment_schema SET applied_at = applied_at")
		balances(t, b, 7)
		time.AfterFunc(200*time.Millisecond, func() { _ = tx.Rollback() })
		statement, err := b.Statement(ctx, ledger.StatementQuery{Account: "acct:1:EUR"})
		require.NoError(t, err)
		require.Len(t, statement.Lines, 1, "it waits for the lock")
		// Inside a host's transaction nothing can be sealed, and it says so.
		tx, err = s.DB().BeginTx(ctx, nil)
		require.NoError(t, err)
		inside := sqlstore.In(ctx, tx)
		_, err = b.Post(inside, move("own", "world:EUR", "acct:1:EUR", 3))
		require.NoError(t, err)
		statement, err = b.Statement(inside, ledger.StatementQuery{Account: "acct:1:EUR"})
		require.NoError(t, err)
		require.Len(t, statement.Lines, 1)
		require.Equal(t, 1, statement.Unsealed)
		got, err := b.Balance(inside, "acct:1:EUR", ledger.AsOf{Effective: later})
		require.NoError(t, err)
		require.Equal(t, eur(10), got.Posted)
		require.NoError(t, tx.Commit())
	})
}
