package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/recovered"
)

// batched runs the statements of a SQLite transaction that several Updates
// share. A statement's context never ends: interrupting a write makes SQLite
// roll the whole transaction back, and with it the work of the other callers.
type batched struct {
	s       *Store
	c       connection
	careful bool // each run within a savepoint

	// Of the run that goes on: its savepoint is open, or it wrote without one.
	open, wrote bool
}

const (
	savepoint  = "SAVEPOINT payment_update"
	release    = "RELEASE payment_update"
	rollbackTo = "ROLLBACK TO payment_update"
)

// errBroken: the shared transaction is gone; whoever was in it begins anew.
var errBroken = errors.New("payment: the shared transaction was rolled back")

// brokenBy is an error that took the whole transaction with it.
type brokenBy struct{ err error }

func (e *brokenBy) Error() string        { return e.err.Error() }
func (e *brokenBy) Is(target error) bool { return target == errBroken }
func (e *brokenBy) Unwrap() error        { return e.err }

// spoiledBy is the error of a function that had written without a savepoint:
// only rolling the whole transaction back undoes that.
type spoiledBy struct{ err error }

func (e *spoiledBy) Error() string { return e.err.Error() }

// run carries out one turn.
func (b *batched) run(t *turn) (err error) {
	for range maxRuns {
		if err = b.attempt(t); !errors.Is(err, payment.ErrConflict) || errors.Is(err, errBroken) {
			break
		}
	}
	return err
}

// attempt runs the function once.
func (b *batched) attempt(t *turn) error {
	b.open, b.wrote = false, false
	if b.careful {
		if err := b.secure(); err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
	}
	tx := newTx(b.s, b)
	defer tx.end()
	err := tx.result(recovered.Call("the function of Update", func() error {
		return t.fn(context.WithValue(t.ctx, inUpdate{}, tx), tx)
	}))
	tx.end()
	if err != nil {
		return b.undo(err)
	}
	t.books = tx.books
	if b.open {
		if _, err := b.exec(context.Background(), release, nil); err != nil {
			return &brokenBy{fmt.Errorf("payment: a statement of the function of Update ended the transaction, which it may not: %w", err)}
		}
	}
	return nil
}

// secure opens the run's savepoint. The statements of participants never run
// without: if one of them ends the transaction behind the store's back, the
// savepoint is gone with it, and that shows.
func (b *batched) secure() error {
	if b.open {
		return nil
	}
	wrote := b.wrote
	_, err := b.exec(context.Background(), savepoint, nil)
	b.open, b.wrote = err == nil, wrote
	return err
}

// undo takes back what the run wrote, and returns err. SQLite rolls a whole
// transaction back on some errors (a full disk, for one): then the savepoint is
// gone, and so is the work of the others.
func (b *batched) undo(err error) error {
	switch {
	case b.wrote:
		return &spoiledBy{err}
	case !b.open:
		return err
	}
	for _, text := range []string{rollbackTo, release} {
		if _, failed := b.exec(context.Background(), text, nil); failed != nil {
			return &brokenBy{err}
		}
	}
	return err
}

func (b *batched) exec(ctx context.Context, text string, args []any) (done sql.Result, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	done, err = b.c.exec(context.Background(), text, args)
	if !b.open && !b.wrote {
		n, countErr := affected(done, err)
		// A statement that met a constraint undid itself.
		b.wrote = n > 0 || countErr != nil && !sqliteConstraint(countErr)
	}
	return done, err
}

func (b *batched) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !b.open && !strings.HasPrefix(text, "SELECT ") {
		b.wrote = true
	}
	return b.c.query(context.Background(), text, args)
}
