package memstore

import (
	"context"
	"slices"
	"strings"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/records"
)

// view returns what a read under ctx sees: the transaction that ctx belongs
// to, or the last commit (an empty transaction over it). done ends it.
func (s *Store) view(ctx context.Context) (t *tx, done func(), err error) {
	if t := within(ctx); t != nil && t.s == s {
		return t, func() {}, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := s.ask(FaultRead); err != nil {
		return nil, nil, err
	}
	s.mu.RLock()
	return &tx{s: s}, s.mu.RUnlock, nil
}

// Payment implements payment.Reader.
func (s *Store) Payment(ctx context.Context, id string) (*payment.Payment, error) {
	return read(ctx, s, func(t *tx) (*payment.Payment, error) { return t.Payment(ctx, id) })
}

// Payments implements payment.Reader.
func (s *Store) Payments(ctx context.Context, q payment.PaymentQuery) ([]*payment.Payment, error) {
	return read(ctx, s, func(t *tx) ([]*payment.Payment, error) { return t.Payments(ctx, q) })
}

// Claimed implements payment.Reader.
func (s *Store) Claimed(ctx context.Context, kind payment.ClaimKind, key string) (payment.Claim, error) {
	return read(ctx, s, func(t *tx) (payment.Claim, error) { return t.Claimed(ctx, kind, key) })
}

// Events implements payment.Reader.
func (s *Store) Events(ctx context.Context, q payment.EventQuery) ([]*payment.Event, error) {
	return read(ctx, s, func(t *tx) ([]*payment.Event, error) { return t.Events(ctx, q) })
}

// Method implements payment.Reader.
func (s *Store) Method(ctx context.Context, id string) (*payment.SavedMethod, error) {
	return read(ctx, s, func(t *tx) (*payment.SavedMethod, error) { return t.Method(ctx, id) })
}

// Methods implements payment.Reader.
func (s *Store) Methods(ctx context.Context, customer string) ([]*payment.SavedMethod, error) {
	return read(ctx, s, func(t *tx) ([]*payment.SavedMethod, error) { return t.Methods(ctx, customer) })
}

// Dispute implements payment.Reader.
func (s *Store) Dispute(ctx context.Context, id string) (*payment.Dispute, error) {
	return read(ctx, s, func(t *tx) (*payment.Dispute, error) { return t.Dispute(ctx, id) })
}

// Disputes implements payment.Reader.
func (s *Store) Disputes(ctx context.Context, q payment.DisputeQuery) ([]*payment.Dispute, error) {
	return read(ctx, s, func(t *tx) ([]*payment.Dispute, error) { return t.Disputes(ctx, q) })
}

// SubjectKey implements payment.Reader.
func (s *Store) SubjectKey(ctx context.Context, subject string) ([]byte, error) {
	return read(ctx, s, func(t *tx) ([]byte, error) { return t.SubjectKey(ctx, subject) })
}

func read[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (T, error) {
	t, done, err := s.view(ctx)
	if err != nil {
		var none T
		return none, err
	}
	defer done()
	return fn(t)
}

func (t *tx) Payment(ctx context.Context, id string) (*payment.Payment, error) {
	if err := t.check(ctx); err != nil {
		return nil, err
	}
	p := t.payment(id)
	if p == nil {
		return nil, payment.ErrNotFound
	}
	return records.Payment(p), nil
}

func (t *tx) Payments(ctx context.Context, q payment.PaymentQuery) ([]*payment.Payment, error) {
	if err := t.check(ctx); err != nil {
		return nil, err
	}
	limit, err := records.Limit(q.Limit)
	if err != nil {
		return nil, err
	}
	var after *payment.Payment
	if q.After != "" {
		at, id, err := payment.ParseCursor(q.After)
		if err != nil {
			return nil, err
		}
		after = &payment.Payment{ID: id, CreatedAt: at}
	}
	all := t.s.byTime
	if len(t.payments) > 0 { // an Update lists its own writes too
		all = slices.DeleteFunc(slices.Clone(all), func(p *payment.Payment) bool { return t.payments[p.ID] != nil })
		for _, p := range t.payments {
			all = append(all, p)
		}
		slices.SortFunc(all, older)
	}
	if after != nil {
		i, _ := slices.BinarySearchFunc(all, after, older)
		all = all[:i]
	}
	var page []*payment.Payment
	for i := len(all) - 1; i >= 0 && len(page) < limit; i-- {
		if records.Matches(q, all[i]) {
			page = append(page, records.PaymentHead(all[i]))
		}
	}
	return page, nil
}

func (t *tx) Claimed(ctx context.Context, kind payment.ClaimKind, key string) (payment.Claim, error) {
	if err := t.check(ctx); err != nil {
		return payment.Claim{}, err
	}
	c, ok := t.claim(claimKey{kind, key})
	if !ok {
		return payment.Claim{}, payment.ErrNotFound
	}
	return records.Claim(c), nil
}

func (t *tx) Events(ctx context.Context, q payment.EventQuery) ([]*payment.Event, error) {
	if err := t.check(ctx); err != nil {
		return nil, err
	}
	limit, err := records.Limit(q.Limit)
	if err != nil {
		return nil, err
	}
	all := t.s.events
	if q.PaymentID != "" {
		all = t.s.ofOne[q.PaymentID]
	}
	from, found := slices.BinarySearchFunc(all, q.AfterSeq, func(e *payment.Event, seq int64) int {
		return int(min(1, max(-1, e.Seq-seq)))
	})
	if found {
		from++
	}
	var page []*payment.Event
	for _, part := range [][]*payment.Event{all[from:], t.events} {
		for _, e := range part {
			if len(page) == limit {
				return page, nil
			}
			if e.Seq > q.AfterSeq && (q.PaymentID == "" || e.PaymentID == q.PaymentID) {
				page = append(page, records.Event(e))
			}
		}
	}
	return page, nil
}

func (t *tx) Method(ctx context.Context, id string) (*payment.SavedMethod, error) {
	if err := t.check(ctx); err != nil {
		return nil, err
	}
	m, ok := t.methods[id]
	if !ok {
		m, ok = t.s.methods[id]
	}
	if !ok {
		return nil, payment.ErrNotFound
	}
	return records.Method(m), nil
}

func (t *tx) Methods(ctx context.Context, customer string) ([]*payment.SavedMethod, error) {
	if err := t.check(ctx); err != nil {
		return nil, err
	}
	var found []*payment.SavedMethod
	for _, m := range overlay(t.s.methods, t.methods) {
		if m.Customer == customer {
			found = append(found, records.Method(m))
		}
	}
	slices.SortFunc(found, func(a, b *payment.SavedMethod) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return found, nil
}

func (t *tx) dispute(id string) (*payment.Dispute, error) {
	d, ok := t.disputes[id]
	if !ok {
		d, ok = t.s.disputes[id]
	}
	if !ok {
		return nil, payment.ErrNotFound
	}
	return d, nil
}

func (t *tx) Dispute(ctx context.Context, id string) (*payment.Dispute, error) {
	if err := t.check(ctx); err != nil {
		return nil, err
	}
	d, err := t.dispute(id)
	if err != nil {
		return nil, err
	}
	return records.Dispute(d), nil
}

func (t *tx) Disputes(ctx context.Context, q payment.DisputeQuery) ([]*payment.Dispute, error) {
	if err := t.check(ctx); err != nil {
		return nil, err
	}
	limit, err := records.Limit(q.Limit)
	if err != nil {
		return nil, err
	}
	newest := func(a, b *payment.Dispute) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	}
	var after *payment.Dispute
	if q.After != "" {
		if after, err = t.dispute(q.After); err != nil {
			return nil, err
		}
	}
	var found []*payment.Dispute
	for _, d := range overlay(t.s.disputes, t.disputes) {
		if records.DisputeMatches(q, d) && (after == nil || newest(after, d) < 0) {
			found = append(found, records.Dispute(d))
		}
	}
	slices.SortFunc(found, newest)
	return found[:min(limit, len(found))], nil
}

func (t *tx) SubjectKey(ctx context.Context, name string) ([]byte, error) {
	if err := t.check(ctx); err != nil {
		return nil, err
	}
	held, ok := t.subject(name)
	switch {
	case !ok:
		return nil, payment.ErrNotFound
	case held.erased:
		return nil, payment.ErrErased
	}
	return records.Bytes(held.wrapped), nil
}

// overlay returns the values of base with those of over in their place.
func overlay[V any](base, over map[string]V) []V {
	all := make([]V, 0, len(base)+len(over))
	for id, v := range base {
		if _, changed := over[id]; !changed {
			all = append(all, v)
		}
	}
	for _, v := range over {
		all = append(all, v)
	}
	return all
}
