package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/store/sqlstore"
)

func TestStatementsPerUpdate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store) {
		var texts []string
		sqlstore.OnStatement(s, func(text string) {
			if strings.HasPrefix(text, "INSERT") || strings.HasPrefix(text, "UPDATE") || strings.HasPrefix(text, "SELECT") {
				texts = append(texts, text[:min(40, len(text))])
			}
		})
		p := planned("p")
		require.NoError(t, s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return plan(ctx, tx, p) }))
		t.Logf("plan commit: %d statements", len(texts))
		require.LessOrEqual(t, len(texts), 5, "the plan commit of a new payment: %s", strings.Join(texts, "; "))
		texts = nil
		require.NoError(t, s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return record(ctx, tx, p) }))
		t.Logf("record commit without reload: %d statements", len(texts))
		require.LessOrEqual(t, len(texts), 4, "the record commit without a reload: %s", strings.Join(texts, "; "))
	})
}

// TestGroupCommit: many callers share a commit, and each gets its own result.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, filepath.Join(t.TempDir(), "shop.db"))
	const callers, rounds = 64, 5
	var wg sync.WaitGroup
	errs := make(chan error, callers*rounds)
	for i := range callers {
		wg.Go(func() {
			for n := range rounds {
				errs <- pair(ctx, s, fmt.Sprintf("p%d-%d", i, n))
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	per := float64(s.Commits()) / (callers * rounds)
	t.Logf("%.2f commits per payment at %d callers", per, callers)
	require.Less(t, per, 1.0, "64 callers share commits: a payment alone costs 2")
	require.Equal(t, callers*rounds, count(t, s.DB(), "payment_payments"))
}

// TestIdleWriterHoldsNothing: between Updates the store has no lock, and no
// connection but one where it may, so that a host's transaction is never in its
// way.
func TestIdleWriterHoldsNothing(t *testing.T) {
	t.Parallel()
	t.Run("a host's pool", func(t *testing.T) {
		t.Parallel()
		db := rawSQLite(t, filepath.Join(t.TempDir(), "shop.db"), good)
		require.NoError(t, sqlstore.Migrate(ctx, db, sqlstore.SQLite))
		s, err := sqlstore.New(db, sqlstore.SQLite)
		require.NoError(t, err)
		require.NoError(t, pair(ctx, s, "p"))
		require.Zero(t, db.Stats().InUse)
	})
	t.Run("a pool of one", func(t *testing.T) {
		t.Parallel()
		s := openSQLite(t, filepath.Join(t.TempDir(), "shop.db"))
		require.NoError(t, pair(ctx, s, "p"))
		s.DB().SetMaxOpenConns(1) // while the writer keeps one
		require.NoError(t, pair(ctx, s, "q"))
		require.Equal(t, 2, count(t, s.DB(), "payment_payments"))
		require.NoError(t, pair(ctx, s, "r"))
	})
	each(t, func(t *testing.T, s *sqlstore.Store) {
		require.NoError(t, pair(ctx, s, "p"))
		own := 0
		if s.Dialect() == sqlstore.SQLite {
			own = 1
		}
		require.Eventually(t, func() bool { return s.DB().Stats().InUse == own }, time.Second, time.Millisecond, "no connection is held")
		tx, err := s.DB().BeginTx(ctx, nil)
		require.NoError(t, err)
		mustExec(t, tx, "UPDATE payment_payments SET version = version")
		require.NoError(t, tx.Rollback())
	})
}

// TestBrokenTransaction: SQLite rolls a whole transaction back on some errors.
// Whoever shared it begins anew and loses nothing.
func TestBrokenTransaction(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, filepath.Join(t.TempDir(), "shop.db"))
	boom := errors.New("boom")
	inside, goOn := make(chan struct{}), make(chan struct{})
	results, breaker := make(chan error, 10), make(chan error, 1)
	go func() { // keeps the writer until the others queue
		results <- s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
			select {
			case <-inside:
			default:
				close(inside)
			}
			<-goOn
			return plan(ctx, tx, planned("first"))
		})
	}()
	<-inside
	var runs atomic.Int64
	for i := range 9 {
		go func() {
			results <- s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
				runs.Add(1)
				return plan(ctx, tx, planned(fmt.Sprint("p", i)))
			})
		}()
	}
	time.Sleep(50 * time.Millisecond)
	go func() {
		breaker <- s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
			if err := plan(ctx, tx, planned("breaker")); err != nil {
				return err
			}
			_, err := tx.(sqlstore.Tx).SQL().ExecContext(ctx, "ROLLBACK") // as SQLite does by itself when the disk is full
			return errors.Join(err, boom)
		})
	}()
	time.Sleep(50 * time.Millisecond)
	close(goOn)
	require.ErrorIs(t, <-breaker, boom, "the one that broke it gets its own error")
	for range 10 {
		require.NoError(t, <-results, "the others begin anew")
	}
	require.Equal(t, 10, count(t, s.DB(), "payment_payments"))
	require.EqualValues(t, 18, runs.Load(), "each ran in the broken transaction and again in the next")
	_, err := s.Payment(ctx, "breaker")
	require.ErrorIs(t, err, payment.ErrNotFound)
}

// TestWaitingEnds: an Update that waits for its turn ends with its context, or
// after BusyTimeout. Nothing is written.
func TestWaitingEnds(t *testing.T) {
	t.Parallel()
	db := rawSQLite(t, filepath.Join(t.TempDir(), "shop.db"), good)
	require.NoError(t, sqlstore.Migrate(ctx, db, sqlstore.SQLite))
	s, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Options{BusyTimeout: 100 * time.Millisecond})
	require.NoError(t, err)
	require.NoError(t, s.Update(ctx, func(context.Context, payment.Tx) error {
		// Another's context: the writer is busy with this very function.
		short, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, appendOne(s, short, "e1"), context.DeadlineExceeded)
		require.ErrorIs(t, appendOne(s, context.Background(), "e2"), payment.ErrBusy, "what cannot get its turn is busy, never stuck")
		return nil
	}))
	require.NoError(t, appendOne(s, ctx, "e3"))
	require.Equal(t, 1, count(t, db, "payment_events"))
	require.NoError(t, s.Close())
}

// BenchmarkPair is what one payment costs the store: two commits.
func BenchmarkPair(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("sqlite/%d", callers), func(b *testing.B) {
			benchPairs(b, openSQLite(b, filepath.Join(b.TempDir(), "shop.db")), callers)
		})
	}
}

func benchPairs(b *testing.B, s *sqlstore.Store, callers int) {
	b.Helper()
	var next atomic.Int64
	before := s.Commits()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := pair(ctx, s, fmt.Sprintf("p%d", n)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "payments/s")
	b.ReportMetric(float64(s.Commits()-before)/float64(b.N), "commits/payment")
}
