package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/recovered"
)

type hostKey struct{}

// host is what In put into a context.
type host struct {
	tx *sql.Tx // nil if In was given none
	// of is the store whose database the transaction was found to be on.
	of atomic.Pointer[Store]
}

// hostOf returns what In put into ctx, or nil.
func hostOf(ctx context.Context) *host {
	h, _ := ctx.Value(hostKey{}).(*host)
	return h
}

// JoinError says why the transaction that was given to [In] cannot be joined.
// Nothing was written, by it or beside it.
type JoinError struct {
	Problem string
	Err     error // the cause, or nil
}

func (e *JoinError) Error() string { return "payment: sqlstore.In " + e.Problem }

// Unwrap returns the cause.
func (e *JoinError) Unwrap() error { return e.Err }

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
//
// A transaction that cannot be joined (nil, already ended, or of another
// database) is never passed over: all that is done under the context answers a
// *[JoinError], so that nothing is committed which the host believes it could
// still roll back.
func In(ctx context.Context, tx *sql.Tx) context.Context {
	return context.WithValue(ctx, hostKey{}, &host{tx: tx})
}

// join returns the transaction of h for reads, once it is proven to be one on
// the store's own database: asked once, behind a savepoint, since on PostgreSQL
// a statement that fails would spoil the host's transaction.
func (s *Store) join(ctx context.Context, h *host) (*sql.Tx, error) {
	if h.tx != nil && h.of.Load() == s {
		return h.tx, nil
	}
	background := context.WithoutCancel(ctx)
	if err := s.begins(background, h); err != nil {
		return nil, err
	}
	if err := undo(background, h.tx); err != nil {
		return nil, s.hostError(err)
	}
	return h.tx, nil
}

// begins opens a savepoint in the host's transaction, and proves that it is one
// on the store's own database. With an error no savepoint is left.
func (s *Store) begins(ctx context.Context, h *host) error {
	if h.tx == nil {
		return &JoinError{Problem: "was given a nil *sql.Tx, so there is no transaction to join: check the error of BeginTx"}
	}
	if _, err := h.tx.ExecContext(ctx, savepoint); err != nil {
		return s.hostError(err)
	}
	if h.of.Load() == s {
		return nil
	}
	there, err := identify(ctx, plain{h.tx}, s.dialect)
	switch {
	case err != nil:
		err = s.hostError(err)
	case there.name != s.identity.name:
		err = elsewhere(fmt.Errorf("it is on %s, the store on %s", there.name, s.identity.name))
	case there != s.identity:
		err = elsewhere(fmt.Errorf("it is on another server or schema with a database %s", there.name))
	default:
		h.of.Store(s)
		return nil
	}
	_ = undo(ctx, h.tx) // the error says enough
	return err
}

func elsewhere(err error) error {
	return &JoinError{"was given a transaction of another database (" + err.Error() + "): begin it on the database of the store, see Store.DB", err}
}

// hostError says what an error of a first statement on a host's transaction
// means.
func (s *Store) hostError(err error) error {
	var coded interface{ Code() int } // of a SQLite driver
	switch {
	case errors.Is(err, sql.ErrTxDone):
		return &JoinError{"was given a transaction that has ended (" + err.Error() + "): use it before its Commit or Rollback, and while the context of BeginTx lives", err}
	case sqlState(err) == "42P01", sqlState(err) == "42883", // undefined table or function
		errors.As(err, &coded) && coded.Code()&0xff == 1: // SQLITE_ERROR: no such table or function
		return elsewhere(err)
	}
	return s.joinError(s.statementError(err))
}

// identity tells databases apart.
type identity struct {
	name string // of the database, or the file
	made int64  // when its tables were made; 0 on SQLite, where the file says all
}

func identify(ctx context.Context, q querier, d Dialect) (identity, error) {
	text := "SELECT file, 0 FROM pragma_database_list WHERE name = 'main'"
	if d == Postgres {
		// A name may be used on two servers, and a schema of that name twice.
		text = "SELECT current_database()::text, (extract(epoch FROM applied_at) * 1000000)::bigint FROM payment_schema WHERE version = 1"
	}
	return one(ctx, q, func(r row) (i identity, err error) { return i, r.Scan(&i.name, &i.made) }, text)
}

// updateJoined runs fn on the host's transaction, inside a savepoint.
func (s *Store) updateJoined(ctx context.Context, h *host, fn func(context.Context, *tx) error) error {
	// As in a batch, no statement of ours is interrupted: on SQLite that would
	// roll the host's whole transaction back.
	background := context.WithoutCancel(ctx)
	if err := s.begins(background, h); err != nil {
		return err
	}
	host := h.tx
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
