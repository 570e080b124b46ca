package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/recovered"
)

type hostKey struct{}

// In returns a context that carries a transaction of the host's, begun on the
// same database. An Update under it (payment.Client.Create, ledger Post) runs
// inside that transaction and is committed, or rolled back, by the host: the
// order's row and the payment's row become one commit.
//
//	tx, err := store.DB().BeginTx(ctx, nil)
//	_, err = tx.ExecContext(ctx, "INSERT INTO orders ...")
//	p, err := pay.Create(sqlstore.In(ctx, tx), request)
//	err = tx.Commit()
//	p, err = pay.Proceed(ctx, p.ID, payment.Choice{Key: "pay-1"})
//
// Each Update is a savepoint: if it fails, the host may go on. On ErrBusy the
// host rolls back and runs its whole transaction again: a lock was not got in
// time, a record changed, or the transaction's snapshot is too old. Keep the
// transaction short: until it ends, readers of events wait for its events.
//
// On SQLite the host's transaction is a second writer beside the store's. It
// must take the write lock at its start (BEGIN IMMEDIATE; sqlite.Open sets
// _txlock=immediate): one that begins by reading answers ErrBusy as soon as
// anyone else wrote since.
func In(ctx context.Context, tx *sql.Tx) context.Context {
	if tx == nil {
		return ctx
	}
	return context.WithValue(ctx, hostKey{}, tx)
}

// updateJoined runs fn on the host's transaction, inside a savepoint.
func (s *Store) updateJoined(ctx context.Context, host *sql.Tx, fn func(context.Context, *tx) error) error {
	// As in a batch, no statement of ours is interrupted: on SQLite that would
	// roll the host's whole transaction back.
	background := context.WithoutCancel(ctx)
	if _, err := host.ExecContext(background, savepoint); err != nil {
		return s.joinError(s.statementError(err))
	}
	ended := false
	t := newTx(s, joined{host})
	defer func() {
		t.end()
		if !ended { // the function ended the goroutine
			_ = undo(background, host)
		}
	}()
	err := t.result(recovered.Call("the function of Update", func() error {
		return fn(context.WithValue(ctx, inUpdate{}, t), t)
	}))
	t.end()
	ended = true
	if err == nil {
		if _, err = host.ExecContext(background, release); err == nil {
			return nil
		}
		err = s.statementError(err)
	}
	if failed := undo(background, host); failed != nil {
		// The host cannot go on: its transaction is gone.
		return errors.Join(s.joinError(err), s.statementError(failed))
	}
	return s.joinError(err)
}

func undo(ctx context.Context, host *sql.Tx) error {
	for _, text := range []string{rollbackTo, release} {
		if _, err := host.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// joinError turns a conflict into ErrBusy: within the host's transaction the
// function cannot be run again to any use, the host can.
func (s *Store) joinError(err error) error {
	if errors.Is(err, payment.ErrConflict) && !errors.Is(err, payment.ErrBusy) {
		return busy(err)
	}
	return err
}

// joined runs texts on the host's transaction, never interrupted.
type joined struct{ tx *sql.Tx }

func (j joined) exec(ctx context.Context, text string, args []any) (sql.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return plain{j.tx}.exec(context.WithoutCancel(ctx), text, args)
}

func (j joined) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return plain{j.tx}.query(context.WithoutCancel(ctx), text, args)
}
