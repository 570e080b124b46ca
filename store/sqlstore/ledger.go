package sqlstore

import (
	"context"
	"errors"
	"sync"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
)

var (
	_ ledger.Store  = (*Store)(nil)
	_ ledger.Keeper = (*tx)(nil)
)

// Ledger implements ledger.Store.
func (s *Store) Ledger() ledger.Backend { return books{s} }

// books is the part of a store that keeps the ledger.
type books struct{ s *Store }

// Joined implements ledger.Backend.
func (b books) Joined(ctx context.Context) bool { return hostOf(ctx) != nil }

// Apply implements ledger.Backend. Requests of many callers share a commit.
func (b books) Apply(ctx context.Context, requests []*ledger.Request) error {
	s := b.s
	switch {
	case within(ctx) != nil:
		return ledger.ErrInTransaction
	case ctx.Err() != nil:
		return ctx.Err()
	case s.closed.Load():
		return errClosed
	case len(requests) == 0:
		return nil
	}
	if h := hostOf(ctx); h != nil {
		return booksError(s.updateJoined(ctx, h, func(ctx context.Context, t *tx) error {
			return carryAll(ctx, t, requests)
		}))
	}
	return s.queue.apply(ctx, requests)
}

// carryAll carries out all requests in one transaction, or fails.
func carryAll(ctx context.Context, t *tx, requests []*ledger.Request) error {
	aside, err := ledger.Carry(ctx, t.LedgerTx(), requests)
	switch {
	case errors.Is(err, ledger.ErrConflict):
		return &storeError{payment.ErrConflict, err}
	case err == nil && len(aside) > 0:
		return busy(errors.New("an account is locked"))
	}
	return err
}

// carrySQLite carries requests out in the transaction of the store's writer.
func (s *Store) carrySQLite(ctx context.Context, requests []*ledger.Request) ([]*ledger.Request, error) {
	return nil, booksError(s.writer.update(ctx, func(ctx context.Context, t *tx) error {
		return carryAll(ctx, t, requests)
	}))
}

// Seal implements ledger.Backend.
func (b books) Seal(ctx context.Context, fn func(context.Context, ledger.SealTx) error) error {
	s := b.s
	switch {
	case within(ctx) != nil || hostOf(ctx) != nil:
		return ledger.ErrInTransaction
	case s.closed.Load():
		return errClosed
	}
	return booksError(s.seal(ctx, fn))
}

// booksError gives an error of the store the meaning that package ledger has
// for it.
func booksError(err error) error {
	var own *storeError
	switch {
	case err == nil || !errors.As(err, &own):
		return err
	case errors.Is(own.sentinel, payment.ErrCommitUnknown):
		return &ledgerError{ledger.ErrCommitUnknown, err}
	case errors.Is(own.sentinel, payment.ErrBusy), errors.Is(own.sentinel, payment.ErrConflict):
		return &ledgerError{ledger.ErrBusy, err}
	}
	return err
}

// ledgerError is a failure of the database that means one of the sentinels of
// package ledger.
type ledgerError struct{ sentinel, cause error }

func (e *ledgerError) Error() string { return e.sentinel.Error() + " (" + e.cause.Error() + ")" }

// Is matches the sentinel.
func (e *ledgerError) Is(target error) bool { return target == e.sentinel }

// Unwrap returns the store's error.
func (e *ledgerError) Unwrap() error { return e.cause }

// accounts remembers those that are committed. What an account is never
// changes, so what is remembered is never stale.
type accounts struct {
	mu     sync.RWMutex
	byPath map[string]*ledger.Account
	byID   map[int64]*ledger.Account
}

// maxAccounts bounds what is remembered.
const maxAccounts = 200_000

func (c *accounts) path(path string) *ledger.Account {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byPath[path]
}

func (c *accounts) id(id int64) *ledger.Account {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byID[id]
}

// keep remembers committed accounts, and returns for each the one to be used:
// there is one value for an account.
func (c *accounts) keep(list ...*ledger.Account) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byPath == nil || len(c.byPath)+len(list) > maxAccounts {
		c.byPath, c.byID = map[string]*ledger.Account{}, map[int64]*ledger.Account{}
	}
	for _, a := range list {
		if c.byID[a.ID] == nil {
			c.byPath[a.Path], c.byID[a.ID] = a, a
		}
	}
}
