package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tender-go/payment"
)

func needsJoin(f Fixture) string {
	if f.Join == nil {
		return "Join"
	}
	return ""
}

func needsReopen(f Fixture) string {
	if f.Reopen == nil {
		return "Reopen"
	}
	return ""
}

func needsSecond(f Fixture) string {
	if f.Second == nil {
		return "Second"
	}
	return ""
}

func needsLose(f Fixture) string {
	if f.LoseCommit == nil {
		return "LoseCommit"
	}
	return ""
}

func hostRules() []rule {
	return []rule{
		{name: "reopen", check: reopen, needs: needsReopen,
			why: "what was committed is there after a crash, and what was not is not"},
		{name: "commit unknown", check: commitUnknown, needs: needsLose,
			why: "a connection lost during commit is ErrCommitUnknown, and the claim of the second run tells which it was"},
		{name: "two handles", check: twoHandles, needs: needsSecond,
			why: "two processes on the same data keep all the rules between them"},
		{name: "join commits", check: joinCommits, needs: needsJoin,
			why: "an Update under a host's transaction becomes visible with the host's commit, not before"},
		{name: "join rolls back", check: joinRollsBack, needs: needsJoin,
			why: "an Update under a host's transaction is gone with the host's rollback"},
		{name: "join savepoint", check: joinSavepoint, needs: needsJoin,
			why: "an error under a host's transaction undoes that Update alone; the host may go on"},
		{name: "join refuses", check: joinRefuses, needs: needsJoin,
			why: "under a host's transaction a nested Update and ClaimDue are refused, and a conflict is ErrBusy: the host rolls back and runs again"},
	}
}

func reopen(c *checker) {
	p, m, d, e := c.full(1), c.fullMethod(1), c.fullDispute(1), c.fullEvent(1)
	c.update(func(ctx context.Context, tx payment.Tx) error { return writeAll(ctx, tx, p, m, d, e) })
	gone := c.small()
	_ = c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
		if err := tx.InsertPayment(ctx, gone); err != nil {
			return err
		}
		return errBoom
	})
	c.s = c.f.Reopen(c.t)
	c.stored(p, m, d, e)
	c.absent(gone.ID, "after a crash although it was rolled back")
	err := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
		return tx.Claim(ctx, payment.Claim{Kind: payment.ClaimKey, Key: p.ID, Owner: "other"})
	})
	c.is(err, payment.ErrTaken, "a claim of before the crash")
	after := c.event("after")
	c.appended(after)
	if after.Seq <= e.Seq {
		c.fail("after a crash an event got Seq %d, before it %d", after.Seq, e.Seq)
	}
}

func commitUnknown(c *checker) {
	for _, written := range []bool{true, false} {
		p := c.small()
		try := func() error {
			return c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
				if err := tx.Claim(ctx, payment.Claim{Kind: payment.ClaimKey, Key: p.ID, Owner: p.ID}); err != nil {
					return err
				}
				return tx.InsertPayment(ctx, p)
			})
		}
		c.f.LoseCommit(c.t, written)
		c.is(try(), payment.ErrCommitUnknown, "Update whose commit lost its answer")
		if written {
			c.is(try(), payment.ErrTaken, "the second run after a commit that was written")
		} else {
			c.ok(try(), "the second run after a commit that was not written")
		}
		c.payment(c.s, p.ID)
	}
}

func twoHandles(c *checker) {
	stores := []payment.Store{c.s, c.f.Second(c.t)}
	p := c.inserted()
	const each = 20
	done := make(chan error, 2)
	for i, s := range stores {
		go func() {
			for n := range each {
				err := c.retry(s, func(ctx context.Context, tx payment.Tx) error {
					stored, err := tx.Payment(ctx, p.ID)
					if err != nil {
						return err
					}
					if err := tx.Claim(ctx, claim(payment.ClaimKey, fmt.Sprintf("%d-%d", i, n), "owner")); err != nil {
						return err
					}
					if err := tx.AppendEvents(ctx, &payment.Event{ID: fmt.Sprintf("e-%d-%d", i, n), PaymentID: p.ID}); err != nil {
						return err
					}
					return tx.SavePayment(ctx, next(stored))
				})
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range stores {
		c.ok(soon(c, done, "one of two handles"), "Update")
	}
	for i, s := range stores {
		if got := c.payment(s, p.ID); got.Version != 1+2*each {
			c.fail("handle %d sees version %d after %d changes", i, got.Version, 2*each)
		}
		if n := len(c.tail(s, 0, 7)); n != 2*each {
			c.fail("handle %d sees %d of %d events", i, n, 2*each)
		}
	}
}

func (c *checker) joined() (ctx context.Context, commit, rollback func() error) {
	c.t.Helper()
	ctx, commit, rollback = c.f.Join(c.t)
	if !c.s.Joined(ctx) || c.s.Joined(c.ctx) {
		c.fail("Joined is %t under a host's transaction and %t without", c.s.Joined(ctx), c.s.Joined(c.ctx))
	}
	return ctx, commit, rollback
}

func joinCommits(c *checker) {
	ctx, commit, _ := c.joined()
	p, m, d, e := c.full(1), c.fullMethod(1), c.fullDispute(1), c.fullEvent(1)
	c.ok(c.s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return writeAll(ctx, tx, p, m, d, e) }), "Update under a host's transaction")
	q := c.small()
	c.ok(c.s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return tx.InsertPayment(ctx, q) }), "a second Update under it")
	if _, err := c.s.Payment(ctx, p.ID); err != nil {
		c.fail("a read under the host's transaction does not see its own write: %v", err)
	}
	c.absent(p.ID, "before the host's commit")
	c.ok(commit(), "the host's commit")
	c.stored(p, m, d, e)
	c.payment(c.s, q.ID)
	c.inserted()
}

func joinRollsBack(c *checker) {
	ctx, _, rollback := c.joined()
	p, m, d := c.small(), c.fullMethod(1), c.fullDispute(1)
	c.ok(c.s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return writeAll(ctx, tx, p, m, d, c.event(p.ID)) }), "Update under a host's transaction")
	c.ok(rollback(), "the host's rollback")
	c.nothing(p, m, d, "after the host's rollback")
	c.inserted()
}

func joinSavepoint(c *checker) {
	ctx, commit, _ := c.joined()
	bad, good := c.small(), c.small()
	err := c.s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
		if err := tx.InsertPayment(ctx, bad); err != nil {
			return err
		}
		return errBoom
	})
	c.is(err, errBoom, "Update under a host's transaction")
	if err := c.s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
		if err := tx.InsertPayment(ctx, bad); err != nil {
			return err
		}
		panic(errBoom)
	}); err == nil {
		c.fail("a panic under a host's transaction returned nil")
	}
	c.ok(c.s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return tx.InsertPayment(ctx, good) }), "Update after one that failed")
	c.ok(commit(), "the host's commit")
	c.absent(bad.ID, "although its Update failed")
	c.payment(c.s, good.ID)
}

func joinRefuses(c *checker) {
	p := c.inserted()
	ctx, _, rollback := c.joined()
	err := c.s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
		if inner := c.s.Update(ctx, func(context.Context, payment.Tx) error { return nil }); !errors.Is(inner, payment.ErrInTransaction) {
			return errors.New("the nested Update returned " + errText(inner) + ", want ErrInTransaction")
		}
		return nil
	})
	c.ok(err, "Update under a host's transaction")
	_, err = c.s.ClaimDue(ctx, "w", epoch, epoch.Add(time.Minute), 1)
	c.is(err, payment.ErrInTransaction, "ClaimDue under a host's transaction")
	err = c.s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return tx.SavePayment(ctx, p) })
	c.is(err, payment.ErrBusy, "a conflict under a host's transaction")
	c.ok(rollback(), "the host's rollback")
	c.inserted()
}
