package memstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
)

// books is what the ledger keeps in memory. It changes only while its writer
// holds the store's turn and mu; whoever has the turn may read it without mu.
type books struct {
	mu       sync.RWMutex
	accounts []*ledger.Account // ID is the index plus one
	byPath   map[string]*ledger.Account
	digests  [][]byte        // by account
	totals   []ledger.Locked // likewise; of strict accounts
	journal
	keys     keys
	parts    map[int64][]int64 // records by the one that they draw on
	expiring []int64           // pending ones that expire
	closed   int64
	blocks   []*ledger.Block
	pages    [][3][]entry // by account and layer
}

// page is one layer of an account.
func (b *books) page(account int64, layer ledger.Layer) []entry {
	if account < 1 || account > int64(len(b.pages)) {
		return nil
	}
	return b.pages[account-1][layer]
}

func newBooks() *books {
	return &books{byPath: map[string]*ledger.Account{}, keys: newKeys(), parts: map[int64][]int64{}}
}

var _ ledger.Store = (*Store)(nil)

// Ledger implements ledger.Store.
func (s *Store) Ledger() ledger.Backend { return backend{s} }

type backend struct{ s *Store }

// Joined is always false.
func (backend) Joined(context.Context) bool { return false }

// Apply implements ledger.Backend.
func (b backend) Apply(ctx context.Context, requests []*ledger.Request) error {
	return b.write(ctx, func(d *draft) error {
		_, err := ledger.Carry(ctx, d, requests)
		return err
	})
}

// Seal implements ledger.Backend.
func (b backend) Seal(ctx context.Context, fn func(context.Context, ledger.SealTx) error) error {
	return b.write(ctx, func(d *draft) error { return fn(ctx, d) })
}

// write runs fn on a draft in the store's turn, and commits it.
func (b backend) write(ctx context.Context, fn func(*draft) error) error {
	s := b.s
	if within(ctx) != nil {
		return ledger.ErrInTransaction
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
	default:
		select {
		case s.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-s.turn }()
	for run := 1; ; run++ {
		err := b.once(fn)
		if run == maxRuns || !errors.Is(err, ledger.ErrConflict) && !errors.Is(err, payment.ErrConflict) {
			return booksError(err)
		}
	}
}

func (b backend) once(fn func(*draft) error) error {
	if err := b.s.ask(FaultBegin); err != nil {
		return err
	}
	d := b.s.drafts
	d.reset()
	if err := fn(d); err != nil {
		return err
	}
	if err := b.s.ask(FaultBeforeCommit); err != nil {
		return err
	}
	b.s.books.mu.Lock()
	d.commit()
	b.s.books.mu.Unlock()
	return b.s.ask(FaultAfterCommit)
}

// booksError adds the ledger's sentinel to an error that a fault made.
func booksError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, payment.ErrCommitUnknown):
		return fmt.Errorf("%w (%w)", ledger.ErrCommitUnknown, err)
	case errors.Is(err, payment.ErrBusy), errors.Is(err, payment.ErrConflict), errors.Is(err, ledger.ErrConflict):
		return fmt.Errorf("%w (%w)", ledger.ErrBusy, err)
	}
	return err
}

// View implements ledger.Backend. Posts wait until fn returns.
func (b backend) View(ctx context.Context, fn func(context.Context, ledger.View) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if t := within(ctx); t != nil {
		return fn(ctx, viewer{t.draft()})
	}
	if err := b.s.ask(FaultRead); err != nil {
		return err
	}
	b.s.books.mu.RLock()
	defer b.s.books.mu.RUnlock()
	return fn(ctx, viewer{&draft{books: b.s.books}})
}

var _ ledger.Keeper = (*tx)(nil)

// LedgerTx implements ledger.Keeper.
func (t *tx) LedgerTx() ledger.Tx { return t.draft() }

// draft returns what the transaction writes into the books.
func (t *tx) draft() *draft {
	if t.books == nil {
		t.books = &draft{books: t.s.books, t: t}
		t.OnCommit(func() {
			t.s.books.mu.Lock()
			defer t.s.books.mu.Unlock()
			t.books.commit()
		})
	}
	return t.books
}
