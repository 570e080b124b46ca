package memstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/records"
)

// tx is one run of an Update's function. Its writes lie over the store until
// commit, so a rollback is to forget it. Values in it are immutable copies.
// The lists are searched from the end: a payment's Update writes a handful.
type tx struct {
	s        *Store
	over     atomic.Bool
	payments map[string]*payment.Payment
	claims   map[claimKey]*payment.Claim // nil: released
	events   []*payment.Event
	methods  map[string]*payment.SavedMethod
	disputes map[string]*payment.Dispute
	subjects map[string]subject
	onCommit []func()
	books    *draft // nil until it is asked for
}

// Committer is implemented by the transactions of this package, for
// participants that keep books of their own in memory.
type Committer interface {
	payment.Tx
	// OnCommit calls fn when the transaction commits, and not at all if it does
	// not. No other Update runs meanwhile, and no reader of the store sees the
	// commit before fn is done. It must not fail and not call the store.
	OnCommit(fn func())
}

var _ Committer = (*tx)(nil)

var errOver = errors.New("payment: the transaction is over: use a Tx only inside the function it was given to")

func (t *tx) check(ctx context.Context) error {
	if t.over.Load() {
		return errOver
	}
	return ctx.Err()
}

func (t *tx) OnCommit(fn func()) { t.onCommit = append(t.onCommit, fn) }

func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = make(map[K]V, 4)
	}
	(*m)[k] = v
}

func (t *tx) payment(id string) *payment.Payment {
	if p, ok := t.payments[id]; ok {
		return p
	}
	return t.s.payments[id]
}

func (t *tx) claim(k claimKey) (payment.Claim, bool) {
	if c, ok := t.claims[k]; ok {
		if c == nil {
			return payment.Claim{}, false
		}
		return *c, true
	}
	c, ok := t.s.claims[k]
	return c, ok
}

func (t *tx) subject(name string) (subject, bool) {
	if s, ok := t.subjects[name]; ok {
		return s, true
	}
	s, ok := t.s.subjects[name]
	return s, ok
}

func (t *tx) Claim(ctx context.Context, claims ...payment.Claim) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	for i, c := range claims {
		k := claimKey{c.Kind, c.Key}
		if held, ok := t.claim(k); ok {
			return &payment.TakenError{Claim: records.Claim(held)}
		}
		if j := slices.IndexFunc(claims[:i], func(o payment.Claim) bool { return o.Kind == c.Kind && o.Key == c.Key }); j >= 0 {
			return &payment.TakenError{Claim: records.Claim(claims[j])}
		}
	}
	for _, c := range claims {
		kept := records.Claim(c)
		put(&t.claims, claimKey{c.Kind, c.Key}, &kept)
	}
	return nil
}

func (t *tx) Release(ctx context.Context, kind payment.ClaimKind, key, owner string) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	k := claimKey{kind, key}
	if held, ok := t.claim(k); ok && held.Owner == owner {
		put(&t.claims, k, nil)
	}
	return nil
}

func (t *tx) InsertPayment(ctx context.Context, p *payment.Payment) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	if t.payment(p.ID) != nil {
		return fmt.Errorf("payment: payment %s exists already: %w", p.ID, payment.ErrConflict)
	}
	put(&t.payments, p.ID, records.Payment(p))
	return nil
}

func (t *tx) SavePayment(ctx context.Context, p *payment.Payment) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	stored := t.payment(p.ID)
	if stored == nil || stored.Version != p.Version-1 {
		return payment.ErrConflict
	}
	put(&t.payments, p.ID, records.Merge(stored, p))
	return nil
}

func (t *tx) AppendEvents(ctx context.Context, events ...*payment.Event) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	for _, e := range events {
		e.Seq = int64(len(t.s.events) + len(t.events) + 1)
		t.events = append(t.events, records.Event(e))
	}
	return nil
}

func (t *tx) SaveMethod(ctx context.Context, m *payment.SavedMethod) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	put(&t.methods, m.ID, records.Method(m))
	return nil
}

func (t *tx) SaveDispute(ctx context.Context, d *payment.Dispute) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	put(&t.disputes, d.ID, records.Dispute(d))
	return nil
}

func (t *tx) PutSubjectKey(ctx context.Context, name string, wrapped []byte) ([]byte, error) {
	if err := t.check(ctx); err != nil {
		return nil, err
	}
	held, ok := t.subject(name)
	switch {
	case ok && held.erased:
		return nil, payment.ErrErased
	case ok:
		return records.Bytes(held.wrapped), nil
	}
	put(&t.subjects, name, subject{wrapped: records.Bytes(wrapped)})
	return nil, nil
}

func (t *tx) DestroySubjectKey(ctx context.Context, name string) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	if _, ok := t.subject(name); !ok {
		return payment.ErrNotFound
	}
	put(&t.subjects, name, subject{erased: true})
	return nil
}

// commit lays the transaction's writes into the store.
func (t *tx) commit() {
	s := t.s
	t.over.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fn := range t.onCommit {
		fn()
	}
	for id, p := range t.payments {
		s.keep(id, p)
	}
	for k, c := range t.claims {
		if c == nil {
			delete(s.claims, k)
		} else {
			s.claims[k] = *c
		}
	}
	for _, e := range t.events {
		s.events = append(s.events, e)
		s.ofOne[e.PaymentID] = append(s.ofOne[e.PaymentID], e)
	}
	for id, m := range t.methods {
		s.methods[id] = m
	}
	for id, d := range t.disputes {
		s.disputes[id] = d
	}
	for name, k := range t.subjects {
		s.subjects[name] = k
	}
}

// keep stores p and its places in the indexes.
func (s *Store) keep(id string, p *payment.Payment) {
	old := s.payments[id]
	s.payments[id] = p
	if p.DueAt.IsZero() {
		delete(s.due, id)
	} else {
		s.due[id] = p.DueAt
	}
	if old != nil {
		i, _ := slices.BinarySearchFunc(s.byTime, old, older)
		if older(old, p) == 0 {
			s.byTime[i] = p
			return
		}
		s.byTime = slices.Delete(s.byTime, i, i+1)
	}
	if n := len(s.byTime); n == 0 || older(s.byTime[n-1], p) < 0 { // nearly always the newest
		s.byTime = append(s.byTime, p)
		return
	}
	i, _ := slices.BinarySearchFunc(s.byTime, p, older)
	s.byTime = slices.Insert(s.byTime, i, p)
}

func older(a, b *payment.Payment) int {
	if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

// earliestFirst sorts the ids of due payments.
func (s *Store) earliestFirst(ids []string) {
	slices.SortFunc(ids, func(a, b string) int {
		if c := s.due[a].Compare(s.due[b]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
}
