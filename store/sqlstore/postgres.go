package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/recovered"
)

const (
	// The back-off between runs of a function after a conflict.
	firstPause = time.Millisecond
	maxPause   = 100 * time.Millisecond
	// commitTimeout is how long a COMMIT may take before its outcome counts as
	// unknown: a dead network would hold the caller for the life of a TCP
	// connection.
	commitTimeout = 30 * time.Second
)

// updatePostgres runs fn in a transaction of its own, again after a conflict.
func (s *Store) updatePostgres(ctx context.Context, fn func(context.Context, *tx) error) error {
	pause := firstPause
	for run := 1; ; run++ {
		err, again := s.oncePostgres(ctx, fn)
		if !again {
			return err
		}
		if run == maxRuns {
			var own *storeError
			if errors.As(err, &own) { // the database's word, not the function's
				return busy(own.cause)
			}
			return err
		}
		// Half fixed, half chance, so that two that met do not meet again.
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		pause = min(2*pause, maxPause)
	}
}

// oncePostgres runs fn once. again: nothing is written, and another run may
// succeed.
func (s *Store) oncePostgres(ctx context.Context, fn func(context.Context, *tx) error) (err error, again bool) { //nolint:revive // the error is the result
	// The transaction's own context is not the caller's: a caller who leaves
	// during COMMIT must not turn its outcome into a guess.
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var sqlTx *sql.Tx
	leave := context.AfterFunc(ctx, cancel)
	patience := time.AfterFunc(s.options.BusyTimeout, cancel)
	sqlTx, err = s.db.BeginTx(own, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	inTime, here := patience.Stop(), leave()
	if err == nil && !(inTime && here) {
		_ = sqlTx.Rollback()
		err = context.Canceled
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return ctx.Err(), false
	case !inTime:
		return busy(errors.New("no connection was free: raise SetMaxOpenConns")), false
	default:
		return s.statementError(err), false
	}
	done := false
	defer func() { // also when the function ends its goroutine
		if !done {
			_ = sqlTx.Rollback()
		}
	}()
	t := newTx(s, plain{sqlTx})
	defer t.end()
	err = t.result(recovered.Call("the function of Update", func() error {
		return fn(context.WithValue(ctx, inUpdate{}, t), t)
	}))
	t.end()
	if err != nil {
		return err, errors.Is(err, payment.ErrConflict) || errors.Is(t.failed, payment.ErrConflict)
	}
	done = true
	late := time.AfterFunc(commitTimeout, cancel)
	err = sqlTx.Commit()
	late.Stop()
	switch {
	case err == nil:
		s.commits.Add(1)
		t.books.commit()
		return nil, false
	case !notCommitted(err):
		return &storeError{payment.ErrCommitUnknown, err}, false
	}
	err = s.statementError(err)
	return err, errors.Is(err, payment.ErrConflict)
}
