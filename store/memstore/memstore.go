// Package memstore keeps payments in memory: the reference for how a store
// behaves, and the store for tests and examples. Everything is gone when the
// process ends, so it is not for a shop that takes money.
//
// Updates run one after the other with full isolation; reads see the last
// commit and never wait for an Update that is still running.
package memstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/records"
	"github.com/tender-go/payment/internal/recovered"
)

// The points at which Options.Fault is asked.
const (
	// FaultBegin: before the function of an Update runs. An error is returned
	// by Update; nothing is written.
	FaultBegin = "begin"
	// FaultBeforeCommit: the function has returned nil. An error is returned by
	// Update; nothing is written. With payment.ErrConflict the function runs
	// again, as after a conflict.
	FaultBeforeCommit = "before commit"
	// FaultAfterCommit: all is written. An error is returned by Update all the
	// same: payment.ErrCommitUnknown is a connection lost during commit.
	FaultAfterCommit = "after commit"
	// FaultRead: before a read outside Update, which returns the error.
	FaultRead = "read"
	// FaultLease: before ClaimDue and ReleaseDue.
	FaultLease = "lease"
)

// Options of a Store. The zero value is fine.
type Options struct {
	// Fault is asked at each of the points above and may return an error, for
	// simulations. It may be called from many goroutines, and must not call
	// the store. Nil for none.
	Fault func(point string) error
}

// maxRuns is how often the function of an Update runs before a conflict is
// returned to its caller.
const maxRuns = 10

// Store is a payment.Store in memory. Use New.
type Store struct {
	fault func(string) error

	// turn is held by the Update that runs: a channel, so that waiting ends
	// with a context.
	turn chan struct{}

	// mu guards what is below. The Update whose turn it is reads without it,
	// since only its own commit writes, except for leases.
	mu       sync.RWMutex
	payments map[string]*payment.Payment // values are immutable
	byTime   []*payment.Payment          // by CreatedAt, ID, ascending
	due      map[string]time.Time        // DueAt of the payments that have one
	leases   map[string]lease
	claims   map[claimKey]payment.Claim
	events   []*payment.Event            // Seq is the index plus one
	ofOne    map[string][]*payment.Event // the same by payment
	methods  map[string]*payment.SavedMethod
	disputes map[string]*payment.Dispute
	subjects map[string]subject

	books  *books
	drafts *draft // reused by whoever has the turn
}

type claimKey struct {
	kind payment.ClaimKind
	key  string
}

type lease struct {
	owner string
	until time.Time
}

type subject struct {
	wrapped []byte
	erased  bool
}

// New returns an empty store. With no options, the zero Options count.
func New(options ...Options) *Store {
	s := &Store{
		turn:     make(chan struct{}, 1),
		payments: map[string]*payment.Payment{},
		due:      map[string]time.Time{},
		leases:   map[string]lease{},
		claims:   map[claimKey]payment.Claim{},
		ofOne:    map[string][]*payment.Event{},
		methods:  map[string]*payment.SavedMethod{},
		disputes: map[string]*payment.Dispute{},
		subjects: map[string]subject{},
		books:    newBooks(),
	}
	s.drafts = &draft{books: s.books}
	for _, o := range options {
		s.fault = o.Fault
	}
	return s
}

var _ payment.Store = (*Store)(nil)

// inUpdate marks the context of a function that runs in an Update.
type inUpdate struct{}

// within returns the transaction that ctx belongs to, or nil: a context may
// outlive its Update.
func within(ctx context.Context) *tx {
	if t, ok := ctx.Value(inUpdate{}).(*tx); ok && !t.over.Load() {
		return t
	}
	return nil
}

// Joined is always false: there is no transaction of a host's to join.
func (s *Store) Joined(context.Context) bool { return false }

// Update implements payment.Store. A waiting Update ends with its context.
func (s *Store) Update(ctx context.Context, fn func(ctx context.Context, tx payment.Tx) error) error {
	if within(ctx) != nil {
		return payment.ErrInTransaction
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := take(ctx, s.turn); err != nil {
		return err
	}
	defer func() { <-s.turn }()
	if err := ctx.Err(); err != nil { // both were ready
		return err
	}
	var err error
	for run := 0; run < maxRuns; run++ {
		if err = s.once(ctx, fn); !errors.Is(err, payment.ErrConflict) {
			break
		}
	}
	return err
}

// once runs fn and commits. The caller has the turn.
func (s *Store) once(ctx context.Context, fn func(context.Context, payment.Tx) error) error {
	if err := s.ask(FaultBegin); err != nil {
		return err
	}
	t := &tx{s: s}
	defer t.over.Store(true)
	if err := recovered.Call("the function of Update", func() error {
		return fn(context.WithValue(ctx, inUpdate{}, t), t)
	}); err != nil {
		return err
	}
	if err := s.ask(FaultBeforeCommit); err != nil {
		return err
	}
	t.commit()
	return s.ask(FaultAfterCommit)
}

func (s *Store) ask(point string) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(point)
}

// ClaimDue implements payment.Store.
func (s *Store) ClaimDue(ctx context.Context, owner string, now, until time.Time, limit int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.ask(FaultLease); err != nil {
		return nil, err
	}
	now, until = records.Time(now), records.Time(until)
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id, at := range s.due {
		if !at.After(now) && !s.leases[id].until.After(now) {
			ids = append(ids, id)
		}
	}
	s.earliestFirst(ids)
	ids = ids[:max(0, min(limit, len(ids)))]
	for _, id := range ids {
		s.leases[id] = lease{owner, until}
	}
	return ids, nil
}

// ReleaseDue implements payment.Store.
func (s *Store) ReleaseDue(ctx context.Context, owner string, ids ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.ask(FaultLease); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.leases[id].owner == owner {
			delete(s.leases, id)
		}
	}
	return nil
}
