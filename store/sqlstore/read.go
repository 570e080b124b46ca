package sqlstore

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/records"
)

// reader reads inside a transaction or outside.
type reader struct {
	s *Store
	q querier
	// inTx: reads see the transaction's own writes, and Payment locks.
	inTx bool
	// own are the events that the transaction appended: they are its own to
	// see, whatever other transactions are open.
	own []int64
}

// one reads the first row, or payment.ErrNotFound.
func one[T any](ctx context.Context, q querier, scan func(row) (T, error), text string, args ...any) (T, error) {
	found, err := all(ctx, q, scan, text, args)
	if err == nil && len(found) == 0 {
		err = payment.ErrNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return found[0], nil
}

// wholeTries bounds how often a payment is read again because it changed
// between two statements.
const wholeTries = 20

// payment reads a payment whole. Outside a transaction the three statements
// may see three moments. That shows: every save gives the rows that it writes
// its version as their revision, so a row of a later moment has a revision
// above the payment's version.
func (r *reader) payment(ctx context.Context, id string) (*payment.Payment, error) {
	for try := 0; ; try++ {
		p, err := r.paymentOnce(ctx, id)
		if err != nil || r.inTx || try == wholeTries || !newer(p) {
			return p, err
		}
	}
}

func newer(p *payment.Payment) bool {
	for _, o := range p.Operations {
		if o.Revision > p.Version || slices.ContainsFunc(o.Steps, func(s *payment.Step) bool { return s.Revision > p.Version }) {
			return true
		}
	}
	return false
}

func (r *reader) paymentOnce(ctx context.Context, id string) (*payment.Payment, error) {
	text := r.s.sql.payment
	if r.inTx {
		text = r.s.sql.lockPayment
	}
	p, err := one(ctx, r.q, scanPayment, text, escape(id))
	if err != nil {
		return nil, err
	}
	args := []any{escape(id)}
	// Steps before operations: a step's operation is then always there.
	steps, err := all(ctx, r.q, scanStep, r.s.sql.steps, args)
	if err != nil {
		return nil, err
	}
	if p.Operations, err = all(ctx, r.q, scanOperation, r.s.sql.operations, args); err != nil {
		return nil, err
	}
	for _, s := range steps {
		if o := p.Operation(s.OperationID); o != nil {
			o.Steps = append(o.Steps, s)
		}
	}
	return p, nil
}

// filter collects the conditions of a list.
type filter struct {
	where []string
	args  []any
}

func (f *filter) add(condition string, args ...any) {
	f.where = append(f.where, condition)
	f.args = append(f.args, args...)
}

func (f *filter) in(column string, n int, value func(i int) string) {
	marks := "?" + strings.Repeat(", ?", n-1)
	f.where = append(f.where, column+" IN ("+marks+")")
	for i := range n {
		f.args = append(f.args, escape(value(i)))
	}
}

// page completes a list, newest first.
func (r *reader) page(text string, f *filter, limit int) (string, []any) {
	if len(f.where) > 0 {
		text += " WHERE " + strings.Join(f.where, " AND ")
	}
	text += " ORDER BY created_at DESC, id DESC LIMIT ?"
	if r.s.dialect == Postgres {
		text = number(text)
	}
	return text, append(f.args, int64(limit))
}

// outstanding is, word for word, the condition of the index that serves it.
const outstanding = "state = 'planned' OR state = 'action_required' OR state = 'pending' OR state = 'unknown'"

func (r *reader) payments(ctx context.Context, q payment.PaymentQuery) ([]*payment.Payment, error) {
	limit, err := records.Limit(q.Limit)
	if err != nil {
		return nil, err
	}
	d := r.s.dialect
	var f filter
	if q.After != "" {
		at, id, err := payment.ParseCursor(q.After)
		if err != nil {
			return nil, err
		}
		f.add("(created_at, id) < (?, ?)", d.instant(at), escape(id))
	}
	if q.Reference != "" {
		f.add("reference = ?", escape(q.Reference))
	}
	if q.Customer != "" {
		f.add("customer <> '' AND customer = ?", escape(q.Customer)) // so that the partial index serves
	}
	if n := len(q.Statuses); n > 0 {
		f.in("status", n, func(i int) string { return string(q.Statuses[i]) })
	}
	if q.Provider != "" {
		f.add("id IN (SELECT payment_id FROM payment_operations WHERE provider = ?)", escape(q.Provider))
	}
	if q.ParkedOnly {
		f.add("parked_why IS NOT NULL")
	}
	if q.OpenOnly {
		f.add("id IN (SELECT payment_id FROM payment_operations WHERE " + outstanding + ")")
	}
	if n := len(q.OpenNotAt); n > 0 {
		names := make([]any, n)
		for i, name := range q.OpenNotAt {
			names[i] = escape(name)
		}
		f.add("id IN (SELECT payment_id FROM payment_operations WHERE ("+outstanding+") AND provider <> '' AND provider NOT IN (?"+strings.Repeat(", ?", n-1)+"))", names...)
	}
	if !q.From.IsZero() {
		f.add("created_at >= ?", d.instant(q.From))
	}
	if !q.To.IsZero() {
		f.add("created_at < ?", d.instant(q.To))
	}
	text, args := r.page(r.s.sql.payments, &f, limit)
	return all(ctx, r.q, scanPayment, text, args)
}

func (r *reader) claimed(ctx context.Context, kind payment.ClaimKind, key string) (payment.Claim, error) {
	c, err := one(ctx, r.q, scanClaim, r.s.sql.claimed, escape(string(kind)), indexed(key))
	if err != nil {
		return payment.Claim{}, err
	}
	c.Key = key // a long one is kept shortened
	return c, nil
}

// errSnapshot: the cursor's promise needs each statement to see the present.
var errSnapshot = errors.New("payment: Events needs READ COMMITTED: read events outside the host's transaction, or begin it at that isolation")

func (r *reader) events(ctx context.Context, q payment.EventQuery) ([]*payment.Event, error) {
	limit, err := records.Limit(q.Limit)
	if err != nil {
		return nil, err
	}
	args := []any{q.AfterSeq}
	if r.s.dialect == Postgres {
		horizon, err := r.horizon(ctx)
		if err != nil {
			return nil, err
		}
		args = append(args, horizon)
	}
	text := r.s.sql.eventsAll
	if q.PaymentID != "" {
		text = r.s.sql.eventsOf
		args = append(args, escape(q.PaymentID))
	}
	found, err := all(ctx, r.q, scanEvent, text, append(args, int64(limit)))
	if err != nil || r.s.dialect != Postgres || len(r.own) == 0 || len(found) == limit {
		return found, err
	}
	// A transaction's own events lie beyond the horizon while an older one is
	// open: add them.
	last := q.AfterSeq
	if len(found) > 0 {
		last = found[len(found)-1].Seq
	}
	var f filter
	f.add("seq > ?", last)
	marks := make([]string, len(r.own))
	for i, seq := range r.own {
		marks[i] = "?"
		f.args = append(f.args, seq)
	}
	f.where = append(f.where, "seq IN ("+strings.Join(marks, ", ")+")")
	if q.PaymentID != "" {
		f.add("payment_id = ?", escape(q.PaymentID))
	}
	own, err := all(ctx, r.q, scanEvent, number("SELECT "+list(eventTable)+" FROM payment_events WHERE "+strings.Join(f.where, " AND ")+" ORDER BY seq LIMIT ?"),
		append(f.args, int64(limit-len(found))))
	return append(found, own...), err
}

// horizon returns the Seq up to which nothing can still appear; see the
// migration for why it is a statement of its own.
func (r *reader) horizon(ctx context.Context) (int64, error) {
	type mark struct {
		seq       int64
		isolation string
	}
	m, err := one(ctx, r.q, func(row row) (m mark, err error) {
		return m, row.Scan(&m.seq, &m.isolation)
	}, r.s.sql.horizon)
	if err == nil && m.isolation != "read committed" && m.isolation != "read uncommitted" && r.inTx {
		err = errSnapshot
	}
	return m.seq, err
}

func (r *reader) method(ctx context.Context, id string) (*payment.SavedMethod, error) {
	return one(ctx, r.q, scanMethod, r.s.sql.method, escape(id))
}

func (r *reader) methods(ctx context.Context, customer string) ([]*payment.SavedMethod, error) {
	return all(ctx, r.q, scanMethod, r.s.sql.methods, []any{escape(customer)})
}

func (r *reader) dispute(ctx context.Context, id string) (*payment.Dispute, error) {
	return one(ctx, r.q, scanDispute, r.s.sql.dispute, escape(id))
}

func (r *reader) disputes(ctx context.Context, q payment.DisputeQuery) ([]*payment.Dispute, error) {
	limit, err := records.Limit(q.Limit)
	if err != nil {
		return nil, err
	}
	var f filter
	if q.After != "" {
		last, err := r.dispute(ctx, q.After)
		if err != nil {
			return nil, err
		}
		f.add("(created_at, id) < (?, ?)", r.s.dialect.instant(last.CreatedAt), escape(last.ID))
	}
	if q.PaymentID != "" {
		f.add("payment_id = ?", escape(q.PaymentID))
	}
	if q.Provider != "" {
		f.add("provider = ?", escape(q.Provider))
	}
	if n := len(q.Statuses); n > 0 {
		f.in("status", n, func(i int) string { return string(q.Statuses[i]) })
	}
	text, args := r.page(r.s.sql.disputes, &f, limit)
	return all(ctx, r.q, scanDispute, text, args)
}

type subjectRow struct {
	wrapped []byte
	erased  bool
}

func scanSubject(r row) (s subjectRow, err error) {
	return s, r.Scan(bytesInto{&s.wrapped}, flagInto{&s.erased})
}

func (r *reader) subjectKey(ctx context.Context, subject string) ([]byte, error) {
	s, err := one(ctx, r.q, scanSubject, r.s.sql.subject, escape(subject))
	if err == nil && s.erased {
		err = payment.ErrErased
	}
	if err != nil {
		return nil, err
	}
	return s.wrapped, nil
}

// outside makes a reader for a call on the Store: within the transaction that
// ctx carries, the store's own or the host's, else on the pool.
func (s *Store) outside(ctx context.Context) (*reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.closed.Load() {
		return nil, errClosed
	}
	if t := within(ctx); t != nil && t.s == s {
		return &t.reader, nil
	}
	r := &reader{s: s}
	switch h := hostOf(ctx); {
	case h != nil:
		tx, err := s.join(ctx, h)
		if err != nil {
			return nil, err
		}
		r.q, r.inTx = plain{tx}, true
	case s.dialect == SQLite:
		r.q = pooled{s}
	default:
		r.q = plain{s.db}
	}
	return r, nil
}

// read runs a read of the Store and puts its errors into words of payment.
func read[T any](ctx context.Context, s *Store, fn func(*reader) (T, error)) (T, error) {
	r, err := s.outside(ctx)
	if err == nil {
		var v T
		if v, err = fn(r); err == nil {
			return v, nil
		}
	}
	var none T
	return none, s.readError(err)
}

// Payment implements payment.Reader.
func (s *Store) Payment(ctx context.Context, id string) (*payment.Payment, error) {
	return read(ctx, s, func(r *reader) (*payment.Payment, error) { return r.payment(ctx, id) })
}

// Payments implements payment.Reader.
func (s *Store) Payments(ctx context.Context, q payment.PaymentQuery) ([]*payment.Payment, error) {
	return read(ctx, s, func(r *reader) ([]*payment.Payment, error) { return r.payments(ctx, q) })
}

// Claimed implements payment.Reader.
func (s *Store) Claimed(ctx context.Context, kind payment.ClaimKind, key string) (payment.Claim, error) {
	return read(ctx, s, func(r *reader) (payment.Claim, error) { return r.claimed(ctx, kind, key) })
}

// Events implements payment.Reader. On PostgreSQL it must run on the primary:
// a replica does not show which transactions are open.
func (s *Store) Events(ctx context.Context, q payment.EventQuery) ([]*payment.Event, error) {
	return read(ctx, s, func(r *reader) ([]*payment.Event, error) { return r.events(ctx, q) })
}

// Method implements payment.Reader.
func (s *Store) Method(ctx context.Context, id string) (*payment.SavedMethod, error) {
	return read(ctx, s, func(r *reader) (*payment.SavedMethod, error) { return r.method(ctx, id) })
}

// Methods implements payment.Reader.
func (s *Store) Methods(ctx context.Context, customer string) ([]*payment.SavedMethod, error) {
	return read(ctx, s, func(r *reader) ([]*payment.SavedMethod, error) { return r.methods(ctx, customer) })
}

// Dispute implements payment.Reader.
func (s *Store) Dispute(ctx context.Context, id string) (*payment.Dispute, error) {
	return read(ctx, s, func(r *reader) (*payment.Dispute, error) { return r.dispute(ctx, id) })
}

// Disputes implements payment.Reader.
func (s *Store) Disputes(ctx context.Context, q payment.DisputeQuery) ([]*payment.Dispute, error) {
	return read(ctx, s, func(r *reader) ([]*payment.Dispute, error) { return r.disputes(ctx, q) })
}

// SubjectKey implements payment.Reader.
func (s *Store) SubjectKey(ctx context.Context, subject string) ([]byte, error) {
	return read(ctx, s, func(r *reader) ([]byte, error) { return r.subjectKey(ctx, subject) })
}
