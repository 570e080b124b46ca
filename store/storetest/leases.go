package storetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tender-go/payment"
)

func leaseRules() []rule {
	return []rule{
		{name: "lease what is due", check: leaseDue,
			why: "ClaimDue leases payments whose DueAt is not after now, earliest first, up to the limit"},
		{name: "leases end", check: leasesEnd,
			why: "a lease ends by time or by its owner's release, so that a worker that died blocks nothing for ever"},
		{name: "leases stand beside", check: leasesBeside,
			why: "a lease changes neither the record nor its Version, and a save does not end it"},
		{name: "one lease at a time", check: oneLease,
			why: "concurrent workers never hold the same payment: two of them would look it up, or send it, twice"},
	}
}

// due stores payments that are due at the given offsets from epoch; a negative
// offset is never due.
func (c *checker) due(offsets ...time.Duration) []*payment.Payment {
	c.t.Helper()
	var all []*payment.Payment
	for _, o := range offsets {
		p := c.small()
		if o >= 0 {
			p.DueAt = epoch.Add(o)
		}
		all = append(all, p)
		c.update(func(ctx context.Context, tx payment.Tx) error { return tx.InsertPayment(ctx, p) })
	}
	return all
}

func (c *checker) lease(owner string, now, until time.Time, limit int) []string {
	c.t.Helper()
	ids, err := c.s.ClaimDue(c.ctx, owner, now, until, limit)
	c.ok(err, "ClaimDue")
	return ids
}

func leaseDue(c *checker) {
	ps := c.due(3*time.Second, time.Second, 2*time.Second, time.Hour, -1, 5*time.Second)
	now, until := epoch.Add(5*time.Second), epoch.Add(time.Minute)
	if got := c.lease("w", now, until, 0); len(got) != 0 {
		c.fail("with a limit of 0 ClaimDue leased %d", len(got))
	}
	if got, want := c.lease("w", now, until, 2), []string{ps[1].ID, ps[2].ID}; !slices.Equal(got, want) {
		c.fail("ClaimDue of 2 leased %v, want the earliest due %v", got, want)
	}
	if got, want := c.lease("w", now, until, 100), []string{ps[0].ID, ps[5].ID}; !slices.Equal(got, want) {
		c.fail("ClaimDue leased %v, want the rest that is due %v: no payment twice, not even to the same owner", got, want)
	}
}

func leasesEnd(c *checker) {
	p := c.due(0)[0]
	minute := func(n int) time.Time { return epoch.Add(time.Duration(n) * time.Minute) }
	one := []string{p.ID}
	if got := c.lease("first", minute(0), minute(10), 1); !slices.Equal(got, one) {
		c.fail("ClaimDue leased %v, want %v", got, one)
	}
	if got := c.lease("second", minute(10).Add(-time.Microsecond), minute(20), 1); len(got) != 0 {
		c.fail("a lease that is not over was given to another")
	}
	if got := c.lease("second", minute(10), minute(20), 1); !slices.Equal(got, one) {
		c.fail("a lease that is over was not given to another")
	}
	c.ok(c.s.ReleaseDue(c.ctx, "first", p.ID, "nowhere"), "ReleaseDue by another")
	if got := c.lease("third", minute(11), minute(30), 1); len(got) != 0 {
		c.fail("ReleaseDue by a former owner ended another's lease")
	}
	c.ok(c.s.ReleaseDue(c.ctx, "second"), "ReleaseDue of nothing")
	c.ok(c.s.ReleaseDue(c.ctx, "second", p.ID), "ReleaseDue")
	if got := c.lease("third", minute(11), minute(30), 1); !slices.Equal(got, one) {
		c.fail("after ReleaseDue by its owner the payment was not leased")
	}
}

func leasesBeside(c *checker) {
	p := c.due(0)[0]
	c.lease("w", epoch, epoch.Add(time.Hour), 1)
	c.same(p, c.payment(c.s, p.ID), "a leased payment")
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.SavePayment(ctx, next(p)) })
	if got := c.lease("other", epoch.Add(time.Minute), epoch.Add(time.Hour), 1); len(got) != 0 {
		c.fail("a save ended the lease")
	}
	done := next(next(p))
	done.DueAt = time.Time{}
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.SavePayment(ctx, done) })
	if got := c.lease("other", epoch.Add(2*time.Hour), epoch.Add(3*time.Hour), 1); len(got) != 0 {
		c.fail("a payment whose DueAt was cleared was leased")
	}
}

func oneLease(c *checker) {
	const payments, workers = 40, 8
	offsets := make([]time.Duration, payments)
	c.due(offsets...)
	type result struct {
		ids []string
		err error
	}
	results := make(chan result, workers)
	for i := range workers {
		go func() {
			var r result
			for range 4 * payments { // bounded; each round takes some or ends
				ids, err := c.s.ClaimDue(c.ctx, string(rune('A'+i)), epoch, epoch.Add(time.Hour), 3)
				if errors.Is(err, payment.ErrBusy) {
					continue
				}
				if r.err = err; err != nil || len(ids) == 0 {
					break
				}
				r.ids = append(r.ids, ids...)
			}
			results <- r
		}()
	}
	owners := map[string]int{}
	for range workers {
		r := soon(c, results, "a worker")
		c.ok(r.err, "ClaimDue")
		for _, id := range r.ids {
			owners[id]++
		}
	}
	for id, n := range owners {
		if n != 1 {
			c.fail("payment %s was leased to %d workers at a time", id, n)
		}
	}
	// A worker may have found nothing while others held the rows; what is left
	// is leased now.
	for _, id := range c.lease("last", epoch, epoch.Add(time.Hour), payments) {
		owners[id]++
	}
	if len(owners) != payments {
		c.fail("%d of %d due payments were leased", len(owners), payments)
	}
}
