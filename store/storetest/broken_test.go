package storetest

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/store/memstore"
	"github.com/tender-go/payment/store/sqlite"
	"github.com/tender-go/payment/store/sqlstore"
)

type (
	body   = func(context.Context, payment.Tx) error
	update = func(context.Context, body) error
)

// broken is a store with some methods replaced. Each gets what it replaces.
type broken struct {
	payment.Store
	update     func(s update, ctx context.Context, fn body) error
	tx         func(payment.Tx) payment.Tx
	payment    func(*payment.Payment, error) (*payment.Payment, error)
	payments   func(payment.PaymentQuery) (payment.PaymentQuery, func([]*payment.Payment))
	events     func(context.Context, payment.EventQuery) ([]*payment.Event, error)
	methods    func([]*payment.SavedMethod)
	disputes   func(payment.DisputeQuery) payment.DisputeQuery
	subjectKey func([]byte, error) ([]byte, error)
	claimDue   func(ctx context.Context, owner string, now, until time.Time, limit int) ([]string, error)
	releaseDue func(ctx context.Context, owner string, ids ...string) error
}

func (b *broken) Update(ctx context.Context, fn body) error {
	run := fn
	if b.tx != nil {
		run = func(ctx context.Context, tx payment.Tx) error { return fn(ctx, b.tx(tx)) }
	}
	if b.update != nil {
		return b.update(b.Store.Update, ctx, run)
	}
	return b.Store.Update(ctx, run)
}

func (b *broken) Payment(ctx context.Context, id string) (*payment.Payment, error) {
	p, err := b.Store.Payment(ctx, id)
	if b.payment != nil {
		return b.payment(p, err)
	}
	return p, err
}

func (b *broken) Payments(ctx context.Context, q payment.PaymentQuery) ([]*payment.Payment, error) {
	spoil := func([]*payment.Payment) {}
	if b.payments != nil {
		q, spoil = b.payments(q)
	}
	list, err := b.Store.Payments(ctx, q)
	spoil(list)
	return list, err
}

func (b *broken) Events(ctx context.Context, q payment.EventQuery) ([]*payment.Event, error) {
	if b.events != nil {
		return b.events(ctx, q)
	}
	return b.Store.Events(ctx, q)
}

func (b *broken) Methods(ctx context.Context, customer string) ([]*payment.SavedMethod, error) {
	list, err := b.Store.Methods(ctx, customer)
	if b.methods != nil {
		b.methods(list)
	}
	return list, err
}

func (b *broken) Disputes(ctx context.Context, q payment.DisputeQuery) ([]*payment.Dispute, error) {
	if b.disputes != nil {
		q = b.disputes(q)
	}
	return b.Store.Disputes(ctx, q)
}

func (b *broken) SubjectKey(ctx context.Context, subject string) ([]byte, error) {
	key, err := b.Store.SubjectKey(ctx, subject)
	if b.subjectKey != nil {
		return b.subjectKey(key, err)
	}
	return key, err
}

func (b *broken) ClaimDue(ctx context.Context, owner string, now, until time.Time, limit int) ([]string, error) {
	if b.claimDue != nil {
		return b.claimDue(ctx, owner, now, until, limit)
	}
	return b.Store.ClaimDue(ctx, owner, now, until, limit)
}

func (b *broken) ReleaseDue(ctx context.Context, owner string, ids ...string) error {
	if b.releaseDue != nil {
		return b.releaseDue(ctx, owner, ids...)
	}
	return b.Store.ReleaseDue(ctx, owner, ids...)
}

// brokenTx is a transaction with some methods replaced.
type brokenTx struct {
	payment.Tx
	reader      payment.Reader
	read        func(ctx context.Context, id string) (*payment.Payment, error)
	claim       func(ctx context.Context, claims ...payment.Claim) error
	release     func(ctx context.Context, kind payment.ClaimKind, key, owner string) error
	insert      func(ctx context.Context, p *payment.Payment) error
	save        func(ctx context.Context, p *payment.Payment) error
	append      func(ctx context.Context, events ...*payment.Event) error
	saveDispute func(ctx context.Context, d *payment.Dispute) error
}

func (t *brokenTx) Payment(ctx context.Context, id string) (*payment.Payment, error) {
	switch {
	case t.read != nil:
		return t.read(ctx, id)
	case t.reader != nil:
		return t.reader.Payment(context.WithoutCancel(ctx), id)
	}
	return t.Tx.Payment(ctx, id)
}

func (t *brokenTx) Claim(ctx context.Context, claims ...payment.Claim) error {
	if t.claim != nil {
		return t.claim(ctx, claims...)
	}
	return t.Tx.Claim(ctx, claims...)
}

func (t *brokenTx) Release(ctx context.Context, kind payment.ClaimKind, key, owner string) error {
	if t.release != nil {
		return t.release(ctx, kind, key, owner)
	}
	return t.Tx.Release(ctx, kind, key, owner)
}

func (t *brokenTx) InsertPayment(ctx context.Context, p *payment.Payment) error {
	if t.insert != nil {
		return t.insert(ctx, p)
	}
	return t.Tx.InsertPayment(ctx, p)
}

func (t *brokenTx) SavePayment(ctx context.Context, p *payment.Payment) error {
	if t.save != nil {
		return t.save(ctx, p)
	}
	return t.Tx.SavePayment(ctx, p)
}

func (t *brokenTx) AppendEvents(ctx context.Context, events ...*payment.Event) error {
	if t.append != nil {
		return t.append(ctx, events...)
	}
	return t.Tx.AppendEvents(ctx, events...)
}

func (t *brokenTx) SaveDispute(ctx context.Context, d *payment.Dispute) error {
	if t.saveDispute != nil {
		return t.saveDispute(ctx, d)
	}
	return t.Tx.SaveDispute(ctx, d)
}

// breakTx makes a store whose transactions are spoilt.
func breakTx(spoil func(t *brokenTx)) func(testing.TB) Fixture {
	return func(testing.TB) Fixture {
		return Fixture{Store: &broken{Store: memstore.New(), tx: func(tx payment.Tx) payment.Tx {
			t := &brokenTx{Tx: tx}
			spoil(t)
			return t
		}}}
	}
}

func breakStore(spoil func(b *broken)) func(testing.TB) Fixture {
	return func(testing.TB) Fixture {
		b := &broken{Store: memstore.New()}
		spoil(b)
		return Fixture{Store: b}
	}
}

// blind saves over whatever version is stored.
func blind(ctx context.Context, tx payment.Tx, p *payment.Payment) error {
	stored, err := tx.Payment(ctx, p.ID)
	if err != nil {
		return tx.InsertPayment(ctx, p)
	}
	c := *p
	c.Version = stored.Version + 1
	return tx.SavePayment(ctx, &c)
}

// looseEvents gives numbers at once and shows events when their Update ends,
// as a naive sequence in PostgreSQL does.
type looseEvents struct {
	payment.Store
	last atomic.Int64
	mu   sync.Mutex
	seen []*payment.Event
}

func (l *looseEvents) Update(ctx context.Context, fn body) error {
	var mine []*payment.Event
	err := fn(ctx, &brokenTx{append: func(_ context.Context, events ...*payment.Event) error {
		for _, e := range events {
			e.Seq = l.last.Add(1)
			mine = append(mine, e)
		}
		return nil
	}})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, mine...)
	return err
}

func (l *looseEvents) Events(_ context.Context, q payment.EventQuery) ([]*payment.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.SortFunc(l.seen, func(a, b *payment.Event) int { return int(a.Seq - b.Seq) })
	var page []*payment.Event
	for _, e := range l.seen {
		if e.Seq > q.AfterSeq && len(page) < q.Limit {
			c := *e
			page = append(page, &c)
		}
	}
	return page, nil
}

// spoiltJoin joins a SQLite store with commit and rollback replaced.
func spoiltJoin(spoil func(f *Fixture, commit, rollback *func() error)) func(testing.TB) Fixture {
	return func(t testing.TB) Fixture {
		s, err := sqlite.Open(filepath.Join(t.TempDir(), "shop.db"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Close() })
		f := Fixture{Store: s}
		f.Join = func(t testing.TB) (context.Context, func() error, func() error) {
			tx, err := s.DB().BeginTx(context.Background(), nil)
			require.NoError(t, err)
			t.Cleanup(func() { _ = tx.Rollback() })
			commit, rollback := tx.Commit, tx.Rollback
			spoil(&f, &commit, &rollback)
			return sqlstore.In(context.Background(), tx), commit, rollback
		}
		spoil(&f, new(func() error), new(func() error))
		return f
	}
}
