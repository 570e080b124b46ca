package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/store/sqlstore"
)

// together runs Updates in one batch, in their order, behind one that plans
// "first", and returns their errors. A function that ends its goroutine leaves
// errGone.
func together(t *testing.T, s *sqlstore.Store, fns ...func(ctx context.Context, tx payment.Tx) error) []error {
	t.Helper()
	inside, goOn := make(chan struct{}, 10), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
			inside <- struct{}{}
			<-goOn
			return plan(ctx, tx, planned("first"))
		})
	}()
	<-inside
	results := make([]chan error, len(fns))
	for i, fn := range fns {
		results[i] = make(chan error, 1)
		go func() {
			err := errGone
			defer func() { results[i] <- err }()
			err = s.Update(ctx, fn)
		}()
		time.Sleep(10 * time.Millisecond) // so that they queue in this order
	}
	close(goOn)
	errs := make([]error, len(fns))
	for i, r := range results {
		select {
		case errs[i] = <-r:
		case <-time.After(20 * time.Second):
			t.Fatalf("Update %d of the batch never ended", i)
		}
	}
	require.NoError(t, <-first)
	return errs
}

var (
	errGone = errors.New("the goroutine ended")
	errBoom = errors.New("boom")
)

// TestFailureAmongOthers: whatever a function does before it fails, it fails
// alone, and those who share its transaction lose nothing.
func TestFailureAmongOthers(t *testing.T) {
	t.Parallel()
	write := func(ctx context.Context, tx payment.Tx) error { return plan(ctx, tx, planned("bad")) }
	for _, tc := range []struct {
		name string
		bad  func(ctx context.Context, tx payment.Tx) error
		want error
		runs int64 // of each of the others
	}{
		{"refused before it wrote", func(context.Context, payment.Tx) error { return errBoom }, errBoom, 1},
		{"refused by a claim that is held", func(ctx context.Context, tx payment.Tx) error {
			err := tx.Claim(ctx, payment.Claim{Kind: payment.ClaimCharging, Key: "new", Owner: "bad"},
				payment.Claim{Kind: payment.ClaimKey, Key: "first", Owner: "bad"})
			var taken *payment.TakenError
			if !errors.As(err, &taken) || taken.Claim.Owner != "first" {
				return fmt.Errorf("the claim in the way is %w", err)
			}
			return errBoom
		}, errBoom, 1},
		{"conflict before it wrote", func(ctx context.Context, tx payment.Tx) error {
			p := planned("first")
			p.Version = 9
			return tx.SavePayment(ctx, p)
		}, payment.ErrConflict, 1},
		{"refused after it wrote", func(ctx context.Context, tx payment.Tx) error { return errors.Join(write(ctx, tx), errBoom) }, errBoom, 2},
		{"conflict after it wrote", func(ctx context.Context, tx payment.Tx) error {
			return errors.Join(write(ctx, tx), payment.ErrConflict)
		}, payment.ErrConflict, 2},
		{"panic after it wrote", func(ctx context.Context, tx payment.Tx) error {
			_ = write(ctx, tx)
			panic(errBoom)
		}, nil, 2},
		{"goroutine ended", func(context.Context, payment.Tx) error { runtime.Goexit(); return nil }, errGone, 2},
		{"goroutine ended after it wrote", func(ctx context.Context, tx payment.Tx) error {
			_ = write(ctx, tx)
			runtime.Goexit()
			return nil
		}, errGone, 2},
		{"statement of a participant that fails", func(ctx context.Context, tx payment.Tx) error {
			_, err := tx.(sqlstore.Tx).SQL().ExecContext(ctx, "INSERT INTO nowhere VALUES (1)")
			return errors.Join(err, errBoom)
		}, errBoom, 1},
		{"participant writes first", func(ctx context.Context, tx payment.Tx) error {
			_, err := tx.(sqlstore.Tx).SQL().ExecContext(ctx, "UPDATE payment_payments SET customer = 'bad'")
			return errors.Join(err, write(ctx, tx), errBoom)
		}, errBoom, 1},
		{"participant rolls back and hides it", func(ctx context.Context, tx payment.Tx) error {
			_, _ = tx.(sqlstore.Tx).SQL().ExecContext(ctx, "ROLLBACK")
			return nil
		}, nil, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := openSQLite(t, filepath.Join(t.TempDir(), "shop.db"))
			var runs [3]atomic.Int64
			good := func(i int) func(ctx context.Context, tx payment.Tx) error {
				return func(ctx context.Context, tx payment.Tx) error {
					runs[i].Add(1)
					return plan(ctx, tx, planned(fmt.Sprint("p", i)))
				}
			}
			errs := together(t, s, good(0), good(1), tc.bad, good(2))
			require.NoError(t, errs[0])
			require.NoError(t, errs[1])
			require.NoError(t, errs[3])
			require.Error(t, errs[2])
			if tc.want != nil {
				require.ErrorIs(t, errs[2], tc.want, "who failed gets its own error")
			}
			require.Equal(t, 4, count(t, s.DB(), "payment_payments"), "those who share its transaction are written, once")
			require.Equal(t, 8, count(t, s.DB(), "payment_events"))
			require.Equal(t, 12, count(t, s.DB(), "payment_claims"), "nothing of the failed one stays")
			require.EqualValues(t, tc.runs, runs[0].Load(), "runs of one before it")
			for i, want := range []string{"p0", "p1", "p2"} {
				p, err := s.Payment(ctx, want)
				require.NoError(t, err, i)
				require.Empty(t, p.Customer)
			}
			require.NoError(t, pair(ctx, s, "after"), "the store goes on")
		})
	}
}

// TestFailingOften: after one batch that ran twice, the next use savepoints.
func TestFailingOften(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, filepath.Join(t.TempDir(), "shop.db"))
	bad := func(ctx context.Context, tx payment.Tx) error {
		return errors.Join(plan(ctx, tx, planned("bad")), errBoom)
	}
	var runs atomic.Int64
	good := func(ctx context.Context, tx payment.Tx) error {
		runs.Add(1)
		return tx.AppendEvents(ctx, event("good"))
	}
	errs := together(t, s, good, bad)
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], errBoom)
	require.EqualValues(t, 2, runs.Load())

	inside, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	go func() {
		done <- s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
			runs.Add(1)
			close(inside) // a second run would panic
			<-goOn
			return tx.AppendEvents(ctx, event("good2"))
		})
	}()
	<-inside
	go func() { done <- s.Update(ctx, bad) }()
	time.Sleep(20 * time.Millisecond)
	close(goOn)
	a, b := <-done, <-done
	require.ErrorIs(t, errors.Join(a, b), errBoom)
	require.True(t, a == nil || b == nil, "only the second one fails")
	require.EqualValues(t, 3, runs.Load(), "nobody ran twice for it")
}
