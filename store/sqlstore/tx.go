package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"

	"github.com/tender-go/payment"
)

// Tx is what the transactions of this package offer beside payment.Tx, for
// participants that keep tables of their own in the same commit: assert it on
// the payment.Tx that a participant is given.
type Tx interface {
	payment.Tx
	// SQL runs statements in the transaction.
	SQL() Conn
	// Dialect says which SQL is spoken.
	Dialect() Dialect
}

// Conn runs statements in a transaction. An error of a statement fails the
// whole Update, whatever its function returns; end rows before the next
// statement. It does not commit, roll back or set savepoints, and must not be
// made to by text.
type Conn interface {
	ExecContext(ctx context.Context, query string, args ...any) (rowsAffected int64, err error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// tx is one run of an Update's function.
type tx struct {
	reader
	over atomic.Bool
	// failed is the first statement that failed. SQLite may have rolled the
	// whole transaction back with it, and PostgreSQL accepts nothing more: no
	// further statement runs, and the Update fails.
	failed error
	books  *ledgerTx // nil until it is asked for
}

var _ Tx = (*tx)(nil)

var errOver = errors.New("payment: the transaction is over: use a Tx only inside the function it was given to")

// inUpdate marks the context of a function that runs in an Update.
type inUpdate struct{}

// within returns the transaction whose function ctx belongs to, or nil: a
// context may outlive its Update.
func within(ctx context.Context) *tx {
	if t, ok := ctx.Value(inUpdate{}).(*tx); ok && !t.over.Load() {
		return t
	}
	return nil
}

// guarded is the querier of a tx: it runs nothing once the transaction is over
// or has failed.
type guarded struct {
	t *tx
	q querier
}

func (g guarded) check(ctx context.Context) error {
	if g.t.over.Load() {
		return errOver
	}
	if g.t.failed != nil {
		return g.t.failed
	}
	return ctx.Err()
}

func (g guarded) exec(ctx context.Context, text string, args []any) (sql.Result, error) {
	if err := g.check(ctx); err != nil {
		return nil, err
	}
	g.t.s.count(text)
	done, err := g.q.exec(ctx, text, args)
	return done, g.fail(err)
}

// try is exec of a statement whose error need not fail the Update.
func (g guarded) try(ctx context.Context, text string, args []any) (sql.Result, error) {
	if err := g.check(ctx); err != nil {
		return nil, err
	}
	g.t.s.count(text)
	return g.q.exec(ctx, text, args)
}

func (g guarded) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if err := g.check(ctx); err != nil {
		return nil, err
	}
	g.t.s.count(text)
	rows, err := g.q.query(ctx, text, args)
	return rows, g.fail(err)
}

func (g guarded) fail(err error) error {
	if err != nil && g.t.failed == nil {
		g.t.failed = g.t.s.statementError(err)
		return g.t.failed
	}
	return err
}

func (t *tx) guarded() guarded { return t.q.(guarded) } //nolint:forcetypeassert // newTx sets it

func newTx(s *Store, q querier) *tx {
	t := &tx{reader: reader{s: s, inTx: true}}
	t.q = guarded{t, q}
	return t
}

// end closes t: nothing runs on it any more.
func (t *tx) end() { t.over.Store(true) }

// result is what a run came to: the function's own error, or that of a
// statement that the function swallowed.
func (t *tx) result(err error) error {
	if err == nil {
		return t.failed
	}
	return err
}

func (t *tx) Dialect() Dialect { return t.s.dialect }

func (t *tx) SQL() Conn { return conn{t} }

type conn struct{ t *tx }

// secure makes sure that a text which breaks the rules of Conn shows.
func (c conn) secure(ctx context.Context) error {
	g := c.t.guarded()
	b, shared := g.q.(*batched)
	if !shared {
		return nil
	}
	if err := g.check(ctx); err != nil {
		return err
	}
	return g.fail(b.secure())
}

func (c conn) ExecContext(ctx context.Context, query string, args ...any) (int64, error) {
	if err := c.secure(ctx); err != nil {
		return 0, err
	}
	return affected(c.t.q.exec(ctx, query, args))
}

func (c conn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := c.secure(ctx); err != nil {
		return nil, err
	}
	return c.t.q.query(ctx, query, args)
}

// rows keeps a failure while reading rows, which the querier does not see.
func rows[T any](t *tx, v T, err error) (T, error) {
	if err == nil || errors.Is(err, payment.ErrNotFound) || errors.Is(err, payment.ErrErased) || errors.Is(err, payment.ErrInvalid) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return v, err
	}
	return v, guarded{t: t}.fail(err)
}

func (t *tx) Payment(ctx context.Context, id string) (*payment.Payment, error) {
	v, err := t.payment(ctx, id)
	return rows(t, v, err)
}

func (t *tx) Payments(ctx context.Context, q payment.PaymentQuery) ([]*payment.Payment, error) {
	v, err := t.payments(ctx, q)
	return rows(t, v, err)
}

func (t *tx) Claimed(ctx context.Context, kind payment.ClaimKind, key string) (payment.Claim, error) {
	v, err := t.claimed(ctx, kind, key)
	return rows(t, v, err)
}

func (t *tx) Events(ctx context.Context, q payment.EventQuery) ([]*payment.Event, error) {
	v, err := t.events(ctx, q)
	return rows(t, v, err)
}

func (t *tx) Method(ctx context.Context, id string) (*payment.SavedMethod, error) {
	v, err := t.method(ctx, id)
	return rows(t, v, err)
}

func (t *tx) Methods(ctx context.Context, customer string) ([]*payment.SavedMethod, error) {
	v, err := t.methods(ctx, customer)
	return rows(t, v, err)
}

func (t *tx) Dispute(ctx context.Context, id string) (*payment.Dispute, error) {
	v, err := t.dispute(ctx, id)
	return rows(t, v, err)
}

func (t *tx) Disputes(ctx context.Context, q payment.DisputeQuery) ([]*payment.Dispute, error) {
	v, err := t.disputes(ctx, q)
	return rows(t, v, err)
}

func (t *tx) SubjectKey(ctx context.Context, subject string) ([]byte, error) {
	v, err := t.subjectKey(ctx, subject)
	return rows(t, v, err)
}

func (t *tx) values(n int) *values { return &values{dialect: t.s.dialect, args: make([]any, 0, n)} }

// chunks splits n rows into the sizes that have a text.
func (t *tx) chunks(n int, texts []string, write func(text string, from, to int) error) error {
	from := 0
	for i, size := range rowSteps {
		for n-from >= size {
			if err := write(texts[i], from, from+size); err != nil {
				return err
			}
			from += size
		}
	}
	return nil
}

func (t *tx) SaveMethod(ctx context.Context, m *payment.SavedMethod) error {
	v := t.values(len(methodTable.columns))
	v.method(m)
	if v.err != nil {
		return v.err
	}
	_, err := t.q.exec(ctx, t.s.sql.saveMethod, v.args)
	return err
}

func (t *tx) SaveDispute(ctx context.Context, d *payment.Dispute) error {
	v := t.values(len(disputeTable.columns))
	v.dispute(d)
	_, err := t.q.exec(ctx, t.s.sql.saveDispute, v.args)
	return err
}

func (t *tx) PutSubjectKey(ctx context.Context, subject string, wrapped []byte) ([]byte, error) {
	v := t.values(3)
	v.text(subject)
	v.bytes(wrapped)
	v.flag(false)
	n, err := affected(t.q.exec(ctx, t.s.sql.putSubject, v.args))
	if err != nil || n == 1 {
		return nil, err
	}
	return t.SubjectKey(ctx, subject)
}

func (t *tx) DestroySubjectKey(ctx context.Context, subject string) error {
	v := t.values(2)
	v.flag(true)
	v.text(subject)
	n, err := affected(t.q.exec(ctx, t.s.sql.destroySubject, v.args))
	if err == nil && n == 0 {
		err = payment.ErrNotFound
	}
	return err
}
