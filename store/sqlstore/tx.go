package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
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

func (g guarded) exec(ctx context.Context, text string, args []any) (int64, error) {
	if err := g.check(ctx); err != nil {
		return 0, err
	}
	g.t.s.count(text)
	n, err := g.q.exec(ctx, text, args)
	return n, g.fail(err)
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

func (c conn) ExecContext(ctx context.Context, query string, args ...any) (int64, error) {
	return c.t.q.exec(ctx, query, args)
}

func (c conn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
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

// claimTries bounds how often Claim looks again because the claim in its way
// was given up in between.
const claimTries = 5

func (t *tx) Claim(ctx context.Context, claims ...payment.Claim) error {
	// In one order for all, so that two transactions that claim the same keys
	// wait for each other in a line, not in a circle.
	sorted := slices.SortedFunc(slices.Values(claims), func(a, b payment.Claim) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
	})
	for i := 1; i < len(sorted); i++ {
		if sorted[i].Kind == sorted[i-1].Kind && sorted[i].Key == sorted[i-1].Key {
			return &payment.TakenError{Claim: sorted[i-1]}
		}
	}
	for range claimTries {
		held, err := t.claimOnce(ctx, sorted)
		if err != nil {
			return err
		}
		if held == nil {
			return nil
		}
		taken, err := t.Claimed(ctx, held.Kind, held.Key)
		if err == nil {
			return &payment.TakenError{Claim: taken}
		}
		if !errors.Is(err, payment.ErrNotFound) {
			return err
		}
	}
	return payment.ErrConflict
}

// claimOnce inserts the claims. If one is held it takes the others back and
// returns it. ON CONFLICT DO NOTHING waits for whoever is inserting the same
// key, and does not abort the transaction.
func (t *tx) claimOnce(ctx context.Context, claims []payment.Claim) (held *payment.Claim, err error) {
	type key struct {
		kind payment.ClaimKind
		key  string
	}
	taken := map[key]bool{}
	err = t.chunks(len(claims), t.s.sql.insertClaim, func(insert string, from, to int) error {
		v := t.values((to - from) * len(claimTable.columns))
		for _, c := range claims[from:to] {
			v.claim(c)
		}
		got, err := all(ctx, t.q, func(r row) (k key, err error) { return k, r.Scan(text(&k.kind), &k.key) }, insert, v.args)
		_, err = rows(t, 0, err)
		for _, k := range got {
			taken[k] = true
		}
		return err
	})
	if err != nil || len(taken) == len(claims) {
		return nil, err
	}
	for i, c := range claims {
		if !taken[key{c.Kind, indexed(c.Key)}] {
			if held == nil {
				held = &claims[i]
			}
			continue
		}
		if _, err := t.q.exec(ctx, t.s.sql.unclaim, []any{escape(string(c.Kind)), indexed(c.Key)}); err != nil {
			return nil, err
		}
	}
	return held, nil
}

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

func (t *tx) values(n int) *values { return &values{dialect: t.s.dialect, args: make([]any, 0, n)} }

func (t *tx) Release(ctx context.Context, kind payment.ClaimKind, key, owner string) error {
	_, err := t.q.exec(ctx, t.s.sql.release, []any{escape(string(kind)), indexed(key), escape(owner)})
	return err
}

func (t *tx) InsertPayment(ctx context.Context, p *payment.Payment) error {
	v := t.values(len(paymentTable.columns))
	v.payment(p)
	if v.err != nil {
		return v.err
	}
	n, err := t.q.exec(ctx, t.s.sql.insertPayment, v.args)
	if err != nil {
		return err
	}
	if n != 1 {
		return fmt.Errorf("payment: payment %s exists already: %w", p.ID, payment.ErrConflict)
	}
	return t.saveOperations(ctx, p, func(int64) bool { return true })
}

func (t *tx) SavePayment(ctx context.Context, p *payment.Payment) error {
	v := t.values(len(paymentTable.columns) + 2)
	v.payment(p)
	if v.err != nil {
		return v.err
	}
	n, err := int64(0), error(nil)
	if text := t.s.sql.saveSettled; text != "" {
		args := make([]any, 0, len(v.args)+2)
		var same []any // the values that are compared instead of set
		for i, c := range paymentTable.columns {
			if slices.Contains(settled, c.name) {
				same = append(same, v.args[i])
			} else {
				args = append(args, v.args[i])
			}
		}
		args = append(args, same[0], p.Version-1)
		n, err = t.q.exec(ctx, text, append(args, same[1:]...))
	}
	if err == nil && n == 0 {
		n, err = t.q.exec(ctx, t.s.sql.savePayment, append(v.args[1:], v.args[0], p.Version-1))
	}
	if err != nil {
		return err
	}
	if n != 1 {
		return payment.ErrConflict
	}
	return t.saveOperations(ctx, p, func(revision int64) bool { return revision == p.Version })
}

// saveOperations writes the operations and steps that changed.
func (t *tx) saveOperations(ctx context.Context, p *payment.Payment, changed func(revision int64) bool) error {
	type placed struct {
		o  *payment.Operation
		s  *payment.Step
		o2 string // the step's operation
		at int
	}
	var operations, steps []placed
	for i, o := range p.Operations {
		if changed(o.Revision) {
			operations = append(operations, placed{o: o, at: i})
		}
		for j, s := range o.Steps {
			if changed(s.Revision) {
				steps = append(steps, placed{s: s, o2: o.ID, at: j})
			}
		}
	}
	write := func(texts []string, list []placed, add func(*values, placed)) error {
		return t.chunks(len(list), texts, func(text string, from, to int) error {
			v := t.values((to - from) * len(operationTable.columns))
			for _, x := range list[from:to] {
				add(v, x)
			}
			if v.err != nil {
				return v.err
			}
			n, err := t.q.exec(ctx, text, v.args)
			if err == nil && n != int64(to-from) {
				err = fmt.Errorf("payment: an operation or step of payment %s belongs to another: %w", p.ID, payment.ErrConflict)
			}
			return err
		})
	}
	if err := write(t.s.sql.upsertOperation, operations, func(v *values, x placed) { v.operation(x.o, p.ID, x.at) }); err != nil {
		return err
	}
	return write(t.s.sql.upsertStep, steps, func(v *values, x placed) { v.step(x.s, x.o2, p.ID, x.at) })
}

func (t *tx) AppendEvents(ctx context.Context, events ...*payment.Event) error {
	return t.chunks(len(events), t.s.sql.insertEvent, func(text string, from, to int) error {
		v := t.values((to - from) * len(eventTable.columns))
		for _, e := range events[from:to] {
			v.event(e)
		}
		if v.err != nil {
			return v.err
		}
		type given struct {
			id  string
			seq int64
		}
		got, err := all(ctx, t.q, func(r row) (g given, err error) { return g, r.Scan(textInto{&g.id}, &g.seq) }, text, v.args)
		if _, err := rows(t, 0, err); err != nil {
			return err
		}
		for _, e := range events[from:to] {
			i := slices.IndexFunc(got, func(g given) bool { return g.id == e.ID })
			if i < 0 {
				return fmt.Errorf("payment: event %s got no Seq", e.ID)
			}
			e.Seq = got[i].seq
			t.own = append(t.own, e.Seq)
		}
		return nil
	})
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
	n, err := t.q.exec(ctx, t.s.sql.putSubject, v.args)
	if err != nil || n == 1 {
		return nil, err
	}
	return t.SubjectKey(ctx, subject)
}

func (t *tx) DestroySubjectKey(ctx context.Context, subject string) error {
	v := t.values(2)
	v.flag(true)
	v.text(subject)
	n, err := t.q.exec(ctx, t.s.sql.destroySubject, v.args)
	if err == nil && n == 0 {
		err = payment.ErrNotFound
	}
	return err
}
