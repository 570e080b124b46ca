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
// What is sealed changes apart from that: see sealed.
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
	sealed   sealed
}

func newBooks() *books {
	return &books{byPath: map[string]*ledger.Account{}, keys: newKeys(), parts: map[int64][]int64{},
		sealed: sealed{turn: make(chan struct{}, 1)}}
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

// write runs fn on a draft in the store's turn, and commits it.
func (b backend) write(ctx context.Context, fn func(*draft) error) error {
	s := b.s
	if within(ctx) != nil {
		return ledger.ErrInTransaction
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := take(ctx, s.turn); err != nil {
		return err
	}
	defer func() { <-s.turn }()
	d := s.drafts
	return b.s.run(&s.books.mu, func() error { d.reset(); return fn(d) }, d.commit)
}

// take waits for a turn.
func take(ctx context.Context, turn chan struct{}) error {
	select {
	case turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run makes something and commits it, again after a conflict.
func (s *Store) run(mu sync.Locker, draw func() error, commit func()) error {
	once := func() error {
		if err := s.ask(FaultBegin); err != nil {
			return err
		}
		if err := draw(); err != nil {
			return err
		}
		if err := s.ask(FaultBeforeCommit); err != nil {
			return err
		}
		mu.Lock()
		commit()
		mu.Unlock()
		return s.ask(FaultAfterCommit)
	}
	for run := 1; ; run++ {
		err := once()
		if run == maxRuns || !errors.Is(err, ledger.ErrConflict) && !errors.Is(err, payment.ErrConflict) {
			return booksError(err)
		}
	}
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
	books := b.s.books
	if t := within(ctx); t != nil {
		books.sealed.mu.RLock()
		defer books.sealed.mu.RUnlock()
		return fn(ctx, viewer{t.draft()})
	}
	if err := b.s.ask(FaultRead); err != nil {
		return err
	}
	books.mu.RLock() // first, so that all that is sealed is there
	defer books.mu.RUnlock()
	books.sealed.mu.RLock()
	defer books.sealed.mu.RUnlock()
	return fn(ctx, viewer{&draft{books: books}})
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
