package storetest

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"time"

	"github.com/tender-go/payment"
)

func transactionRules() []rule {
	return []rule{
		{name: "atomic", check: atomicWrites,
			why: "all writes of an Update become visible together: a plan without its claim could charge twice"},
		{name: "rollback on error", check: rollbackOnError,
			why: "an error of the function comes back unchanged, and nothing it wrote stays"},
		{name: "rollback on panic", check: rollbackOnPanic,
			why: "a panic fails its own Update as an error, writes nothing, and leaves the store working for the others"},
		{name: "rollback on goexit", check: rollbackOnGoexit,
			why: "a function that ends its goroutine (t.FailNow in a test) writes nothing and leaves the store working"},
		{name: "own writes", check: ownWrites,
			why: "within Update, reads see what the transaction wrote: the client decides on them"},
		{name: "nested update", check: nestedUpdate,
			why: "an Update inside an Update is refused with ErrInTransaction at once; waiting for itself it would hang for ever"},
		{name: "context over", check: contextOver,
			why: "once the context is over before the function began, nothing is written and the function does not run"},
		{name: "context over inside", check: contextOverInside,
			why: "a context that ends inside the function fails its calls, and what they wrote before is rolled back with the function's error"},
		{name: "context values", check: contextValues,
			why: "the function gets the values of its own caller's context, so that traces and host transactions find home"},
		{name: "conflict runs again", check: conflictRunsAgain,
			why: "after ErrConflict the function runs again on fresh records, and a conflict that stays ends with an error"},
		{name: "transaction over", check: transactionOver,
			why: "a Tx that is kept beyond its function is refused, for it would write outside any commit"},
	}
}

var errBoom = errors.New("boom")

func atomicWrites(c *checker) {
	p, m, d := c.small(), c.fullMethod(1), c.fullDispute(1)
	c.update(func(ctx context.Context, tx payment.Tx) error {
		return writeAll(ctx, tx, p, m, d, c.event(p.ID))
	})
	c.payment(c.s, p.ID)
	_, err := c.s.Claimed(c.ctx, payment.ClaimKey, p.ID)
	c.ok(err, "Claimed")
	_, err = c.s.Method(c.ctx, m.ID)
	c.ok(err, "Method")
	_, err = c.s.Dispute(c.ctx, d.ID)
	c.ok(err, "Dispute")
	_, err = c.s.SubjectKey(c.ctx, p.ID)
	c.ok(err, "SubjectKey")
	if events, err := c.s.Events(c.ctx, payment.EventQuery{PaymentID: p.ID}); err != nil || len(events) != 1 {
		c.fail("the event of the commit is not there: %d events, %v", len(events), err)
	}
}

// writeAll writes one of each kind.
func writeAll(ctx context.Context, tx payment.Tx, p *payment.Payment, m *payment.SavedMethod, d *payment.Dispute, e *payment.Event) error {
	if err := tx.Claim(ctx, payment.Claim{Kind: payment.ClaimKey, Key: p.ID, Owner: p.ID, Payment: p.ID}); err != nil {
		return err
	}
	if err := tx.InsertPayment(ctx, p); err != nil {
		return err
	}
	if err := tx.AppendEvents(ctx, e); err != nil {
		return err
	}
	if err := tx.SaveMethod(ctx, m); err != nil {
		return err
	}
	if err := tx.SaveDispute(ctx, d); err != nil {
		return err
	}
	_, err := tx.PutSubjectKey(ctx, p.ID, []byte("wrapped"))
	return err
}

// nothing fails if any of what writeAll wrote is there.
func (c *checker) nothing(p *payment.Payment, m *payment.SavedMethod, d *payment.Dispute, when string) {
	c.t.Helper()
	c.absent(p.ID, when)
	_, err := c.s.Claimed(c.ctx, payment.ClaimKey, p.ID)
	c.is(err, payment.ErrNotFound, "Claimed "+when)
	_, err = c.s.Method(c.ctx, m.ID)
	c.is(err, payment.ErrNotFound, "Method "+when)
	_, err = c.s.Dispute(c.ctx, d.ID)
	c.is(err, payment.ErrNotFound, "Dispute "+when)
	_, err = c.s.SubjectKey(c.ctx, p.ID)
	c.is(err, payment.ErrNotFound, "SubjectKey "+when)
	if events, err := c.s.Events(c.ctx, payment.EventQuery{PaymentID: p.ID}); err != nil || len(events) != 0 {
		c.fail("Events %s: %d events, %v; want none", when, len(events), err)
	}
}

func rollbackOnError(c *checker) {
	p, m, d := c.small(), c.fullMethod(1), c.fullDispute(1)
	err := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
		if err := writeAll(ctx, tx, p, m, d, c.event(p.ID)); err != nil {
			return err
		}
		return errBoom
	})
	if err != errBoom { //nolint:errorlint // the very value is the rule
		c.fail("Update returned %v, want the function's own error, unwrapped", err)
	}
	c.nothing(p, m, d, "after a rollback")
	c.update(func(ctx context.Context, tx payment.Tx) error { return writeAll(ctx, tx, p, m, d, c.event(p.ID)) })
}

func rollbackOnPanic(c *checker) {
	p, m, d := c.small(), c.fullMethod(1), c.fullDispute(1)
	err := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
		if err := writeAll(ctx, tx, p, m, d, c.event(p.ID)); err != nil {
			return err
		}
		panic("4242 is a secret")
	})
	if err == nil {
		c.fail("Update returned nil although its function panicked")
	}
	if strings.Contains(err.Error(), "4242") {
		c.fail("the error shows the value of the panic, which may be secret: %v", err)
	}
	c.nothing(p, m, d, "after a panic")

	// Of callers at the same time, only the one that panics fails.
	type result struct {
		id  string
		err error
	}
	results := make(chan result, 16)
	for i := range cap(results) {
		p := c.small()
		go func() {
			results <- result{p.ID, c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
				if err := tx.InsertPayment(ctx, p); err != nil {
					return err
				}
				if i%4 == 0 {
					panic(errBoom)
				}
				return nil
			})}
		}()
	}
	failed := 0
	for range cap(results) {
		r := soon(c, results, "an Update beside one that panics")
		if r.err != nil {
			failed++
			c.absent(r.id, "after its Update panicked")
			continue
		}
		c.payment(c.s, r.id)
	}
	if failed != 4 {
		c.fail("%d of 16 Updates failed; 4 panicked", failed)
	}
}

func rollbackOnGoexit(c *checker) {
	p := c.small()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
			if err := tx.InsertPayment(ctx, p); err != nil {
				return err
			}
			runtime.Goexit()
			return nil
		})
	}()
	soon(c, done, "an Update whose function ended its goroutine")
	c.absent(p.ID, "after its function ended the goroutine")
	c.inserted()
}

func ownWrites(c *checker) {
	old := c.inserted()
	p, m, d := c.small(), c.fullMethod(1), c.fullDispute(1)
	e := c.event(p.ID)
	c.update(func(ctx context.Context, tx payment.Tx) error {
		if err := writeAll(ctx, tx, p, m, d, e); err != nil {
			return err
		}
		c.same(p, c.payment(tx, p.ID), "a payment read in its own transaction")
		held, err := tx.Claimed(ctx, payment.ClaimKey, p.ID)
		c.ok(err, "Claimed in its own transaction")
		c.same(p.ID, held.Owner, "the owner of a claim")
		gotM, err := tx.Method(ctx, m.ID)
		c.ok(err, "Method in its own transaction")
		c.same(m, gotM, "a method")
		gotD, err := tx.Dispute(ctx, d.ID)
		c.ok(err, "Dispute in its own transaction")
		c.same(d, gotD, "a dispute")
		if _, err := tx.SubjectKey(ctx, p.ID); err != nil {
			c.fail("SubjectKey in its own transaction: %v", err)
		}
		events, err := tx.Events(ctx, payment.EventQuery{PaymentID: p.ID})
		c.ok(err, "Events in its own transaction")
		if len(events) != 1 || events[0].Seq != e.Seq {
			c.fail("Events in its own transaction returned %d events, want the one appended", len(events))
		}
		list, err := tx.Payments(ctx, payment.PaymentQuery{})
		c.ok(err, "Payments in its own transaction")
		if len(list) != 2 || list[0].ID != p.ID || list[1].ID != old.ID {
			c.fail("Payments in its own transaction returned %d payments, want its own and the older one", len(list))
		}
		methods, err := tx.Methods(ctx, m.Customer)
		c.ok(err, "Methods in its own transaction")
		disputes, err := tx.Disputes(ctx, payment.DisputeQuery{PaymentID: d.PaymentID})
		c.ok(err, "Disputes in its own transaction")
		if len(methods) != 1 || len(disputes) != 1 {
			c.fail("lists in its own transaction returned %d methods and %d disputes, want 1 and 1", len(methods), len(disputes))
		}
		n := next(p)
		n.Status = payment.StatusProcessing
		if err := tx.SavePayment(ctx, n); err != nil {
			return err
		}
		if got := c.payment(tx, p.ID); got.Version != 2 || got.Status != payment.StatusProcessing {
			c.fail("a payment saved in the transaction reads as version %d, %s", got.Version, got.Status)
		}
		return nil
	})
}

func nestedUpdate(c *checker) {
	p := c.small()
	done := make(chan error, 1)
	go func() {
		done <- c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
			inner := c.s.Update(ctx, func(context.Context, payment.Tx) error { return nil })
			if !errors.Is(inner, payment.ErrInTransaction) {
				return errors.New("the nested Update returned " + errText(inner) + ", want ErrInTransaction")
			}
			return tx.InsertPayment(ctx, p)
		})
	}()
	c.ok(soon(c, done, "an Update inside an Update"), "Update")
	c.payment(c.s, p.ID)
}

func errText(err error) string {
	if err == nil {
		return "nil"
	}
	return err.Error()
}

func contextOver(c *checker) {
	p := c.small()
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	ran := false
	err := c.s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
		ran = true
		return tx.InsertPayment(context.WithoutCancel(ctx), p)
	})
	c.is(err, context.Canceled, "Update with a context that is over")
	if ran {
		c.fail("the function ran although the context was over")
	}
	c.absent(p.ID, "although the context was over")
	if _, err := c.s.Payments(ctx, payment.PaymentQuery{}); !errors.Is(err, context.Canceled) {
		c.fail("a read with a context that is over returned %v, want context.Canceled", err)
	}
}

func contextOverInside(c *checker) {
	p, q := c.small(), c.small()
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	err := c.s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
		if err := tx.InsertPayment(ctx, p); err != nil {
			return err
		}
		cancel()
		return tx.InsertPayment(ctx, q)
	})
	c.is(err, context.Canceled, "Update whose context ended inside its function")
	c.absent(p.ID, "after the context ended inside the function")
	c.absent(q.ID, "after the context ended inside the function")
	c.inserted()
}

type ctxKey struct{}

func contextValues(c *checker) {
	results := make(chan error, 16)
	for i := range cap(results) {
		ctx := context.WithValue(c.ctx, ctxKey{}, i)
		go func() {
			results <- c.s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
				if ctx.Value(ctxKey{}) != i {
					return errors.New("the function got the values of another caller's context")
				}
				return nil
			})
		}()
	}
	for range cap(results) {
		c.ok(soon(c, results, "Update"), "Update")
	}
}

func conflictRunsAgain(c *checker) {
	p := c.inserted()
	stale := next(p)
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.SavePayment(ctx, next(p)) })

	runs := 0
	c.update(func(ctx context.Context, tx payment.Tx) error {
		runs++
		n := stale
		if runs > 1 {
			fresh, err := tx.Payment(ctx, p.ID)
			if err != nil {
				return err
			}
			n = next(fresh)
		}
		return tx.SavePayment(ctx, n)
	})
	if got := c.payment(c.s, p.ID); runs != 2 || got.Version != 3 {
		c.fail("after one conflict the function ran %d times and the payment is at version %d, want 2 and 3", runs, got.Version)
	}

	start := time.Now()
	err := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error { return tx.SavePayment(ctx, stale) })
	if !errors.Is(err, payment.ErrConflict) && !errors.Is(err, payment.ErrBusy) {
		c.fail("a conflict that stays returned %v, want ErrConflict or ErrBusy", err)
	}
	if d := time.Since(start); d > 30*time.Second {
		c.fail("a conflict that stays took %s to end", d)
	}
}

func transactionOver(c *checker) {
	var kept payment.Tx
	c.update(func(_ context.Context, tx payment.Tx) error { kept = tx; return nil })
	p := c.small()
	if err := kept.InsertPayment(c.ctx, p); err == nil {
		c.fail("a Tx kept beyond its function took a write")
	}
	c.absent(p.ID, "after a write to a transaction that is over")
}
