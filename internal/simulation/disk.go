package simulation

import (
	"context"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/store/memstore"
)

// view is the store as one process sees it: it ends with the process, and what
// is written through it is watched.
type view struct {
	*memstore.Store
	w    *world
	proc *process
}

// Update implements payment.Store.
func (v *view) Update(ctx context.Context, fn func(context.Context, payment.Tx) error) error {
	w := v.w
	if v.proc.dead {
		return errDead
	}
	if w.cur != nil {
		if t := w.strike(placeOpen); t.err != nil {
			return t.err
		}
	}
	err := w.disk.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
		w.staged = staged{}
		return fn(ctx, &watch{tx, w})
	})
	if err != nil && !v.proc.dead && w.telling {
		w.say("   not committed: %v", err)
	}
	return err
}

// onDisk is asked by the store at each point of its work.
func (w *world) onDisk(point string) error {
	if w.cur == nil {
		if point == memstore.FaultAfterCommit {
			w.committed()
		}
		return nil
	}
	if w.cur.dead {
		return errDead
	}
	var at place
	switch point {
	case memstore.FaultBeforeCommit:
		at = placeCommit
	case memstore.FaultAfterCommit:
		w.committed()
		at = placeDone
	case memstore.FaultRead:
		at = placeFetch
	case memstore.FaultLease:
		at = placeLease
	default:
		return nil
	}
	t := w.strike(at)
	if t.crash {
		return errDead
	}
	return t.err
}

// staged is what a transaction writes, until it commits.
type staged struct {
	saved  []*payment.Payment
	events []payment.Event
	claims []payment.Claim
}

// watch is a transaction that notes what is written.
type watch struct {
	payment.Tx
	w *world
}

// InsertPayment implements payment.Tx.
func (t *watch) InsertPayment(ctx context.Context, p *payment.Payment) error {
	err := t.Tx.InsertPayment(ctx, p)
	if err == nil {
		t.w.staged.saved = append(t.w.staged.saved, snapshot(p))
	}
	return err
}

// SavePayment implements payment.Tx.
func (t *watch) SavePayment(ctx context.Context, p *payment.Payment) error {
	err := t.Tx.SavePayment(ctx, p)
	if err == nil {
		t.w.staged.saved = append(t.w.staged.saved, snapshot(p))
	}
	return err
}

// AppendEvents implements payment.Tx.
func (t *watch) AppendEvents(ctx context.Context, events ...*payment.Event) error {
	err := t.Tx.AppendEvents(ctx, events...)
	if err == nil {
		for _, e := range events {
			t.w.staged.events = append(t.w.staged.events, *e)
		}
	}
	return err
}

// snapshot copies a payment, its operations and steps. What they point to is
// replaced by the engine, never changed in place.
func snapshot(p *payment.Payment) *payment.Payment {
	q := *p
	q.Operations = make([]*payment.Operation, len(p.Operations))
	ops := make([]payment.Operation, len(p.Operations))
	for i, o := range p.Operations {
		ops[i] = *o
		steps := make([]payment.Step, len(o.Steps))
		ops[i].Steps = make([]*payment.Step, len(o.Steps))
		for j, s := range o.Steps {
			steps[j] = *s
			ops[i].Steps[j] = &steps[j]
		}
		q.Operations[i] = &ops[i]
	}
	return &q
}
