package sqlstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/tender-go/payment"
)

func (t *tx) InsertPayment(ctx context.Context, p *payment.Payment) error {
	v := t.values(len(paymentTable.columns))
	v.payment(p)
	if v.err != nil {
		return v.err
	}
	n, err := affected(t.q.exec(ctx, t.s.sql.insertPayment, v.args))
	if err != nil {
		return err
	}
	if n != 1 {
		return fmt.Errorf("payment: payment %s exists already: %w", p.ID, payment.ErrConflict)
	}
	return t.writeOperations(ctx, p, t.s.sql.insertOperation, t.s.sql.insertStep, func(int64) bool { return true })
}

func (t *tx) SavePayment(ctx context.Context, p *payment.Payment) error {
	v := t.values(len(paymentTable.columns) + 2)
	v.payment(p)
	if v.err != nil {
		return v.err
	}
	n, err := int64(0), error(nil)
	if text := t.s.sql.saveSettled; text != "" {
		args, same := split(v.args, settledAt)
		args = append(args, same[0], p.Version-1)
		n, err = affected(t.q.exec(ctx, text, append(args, same[1:]...)))
	}
	if err == nil && n == 0 {
		n, err = affected(t.q.exec(ctx, t.s.sql.savePayment, append(v.args[1:], v.args[0], p.Version-1)))
	}
	if err != nil {
		return err
	}
	if n != 1 {
		return payment.ErrConflict
	}
	return t.writeOperations(ctx, p, t.s.sql.upsertOperation, t.s.sql.upsertStep, func(revision int64) bool { return revision == p.Version })
}

// split takes the values of settled columns out of a row: they are compared
// instead of set.
func split(row []any, settled []bool) (set, same []any) {
	set, same = make([]any, 0, len(row)+2), make([]any, 0, 4)
	for i, v := range row {
		if settled[i] {
			same = append(same, v)
		} else {
			set = append(set, v)
		}
	}
	return set, same
}

// positions says which columns of a table are among names.
func positions(t table, names []string) []bool {
	at := make([]bool, len(t.columns))
	for i, c := range t.columns {
		at[i] = slices.Contains(names, c.name)
	}
	return at
}

var (
	settledAt          = positions(paymentTable, settled)
	settledOperationAt = positions(operationTable, settledOperation)
	settledStepAt      = positions(stepTable, settledStep)
)

// writeOperations writes the operations and steps that changed.
func (t *tx) writeOperations(ctx context.Context, p *payment.Payment, operationTexts, stepTexts []string, changed func(revision int64) bool) error {
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
			n, err := affected(t.q.exec(ctx, text, v.args))
			if err == nil && n != int64(to-from) {
				err = fmt.Errorf("payment: an operation or step of payment %s belongs to another: %w", p.ID, payment.ErrConflict)
			}
			return err
		})
	}
	// update writes those that are stored already, and returns the others: most
	// are, and an upsert costs more than an update.
	update := func(text string, settled []bool, list []placed, add func(*values, placed)) ([]placed, error) {
		if text == "" || p.Version == 1 {
			return list, nil
		}
		var added []placed
		for _, x := range list {
			v := t.values(len(settled))
			add(v, x)
			if v.err != nil {
				return nil, v.err
			}
			set, same := split(v.args, settled)
			n, err := affected(t.q.exec(ctx, text, append(set, same...)))
			if err != nil {
				return nil, err
			}
			if n == 0 {
				added = append(added, x)
			}
		}
		return added, nil
	}
	operation := func(v *values, x placed) { v.operation(x.o, p.ID, x.at) }
	step := func(v *values, x placed) { v.step(x.s, x.o2, p.ID, x.at) }
	added, err := update(t.s.sql.saveOperation, settledOperationAt, operations, operation)
	if err == nil {
		err = write(operationTexts, added, operation)
	}
	if err == nil {
		added, err = update(t.s.sql.saveStep, settledStepAt, steps, step)
	}
	if err == nil {
		err = write(stepTexts, added, step)
	}
	return err
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
		if t.s.dialect == SQLite {
			// RETURNING would cost a third on top. The numbers of one statement
			// follow each other: nobody else inserts meanwhile.
			done, err := t.q.exec(ctx, text, v.args)
			if err != nil {
				return err
			}
			last, err := done.LastInsertId()
			for i, e := range events[from:to] {
				e.Seq = last - int64(to-from-1-i)
			}
			_, err = rows(t, 0, err)
			return err
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
