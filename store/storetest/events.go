package storetest

import (
	"context"
	"time"

	"github.com/tender-go/payment"
)

func eventRules() []rule {
	return []rule{
		{name: "events in order", check: eventsInOrder,
			why: "AppendEvents sets a Seq that rises in the order of appending, and Events returns that order"},
		{name: "events roll back", check: eventsRollBack,
			why: "an event of a transaction that rolled back never happened"},
		{name: "events are immutable", check: eventsImmutable,
			why: "what was recorded stays as it was, whatever a caller does with its copy"},
		{name: "event cursor", check: eventCursor,
			why: "an event is returned only when no event with a lower Seq can still appear: a reader that remembers the last Seq it saw misses none"},
		{name: "event cursor under load", check: eventCursorUnderLoad,
			why: "a reader that follows the events while many write sees each of them exactly once, in order"},
		{name: "events do not wait", check: eventsDoNotWait,
			why: "events committed before a transaction began are returned while it is still open"},
	}
}

// tail reads all events behind a cursor, page by page.
func (c *checker) tail(s payment.Store, after int64, limit int) []*payment.Event {
	c.t.Helper()
	var all []*payment.Event
	for {
		page, err := s.Events(c.ctx, payment.EventQuery{AfterSeq: after, Limit: limit})
		c.ok(err, "Events")
		for _, e := range page {
			if e.Seq <= after {
				c.fail("Events behind %d returned Seq %d", after, e.Seq)
			}
			after = e.Seq
		}
		all = append(all, page...)
		if len(page) < limit {
			return all
		}
	}
}

func (c *checker) appended(events ...*payment.Event) {
	c.t.Helper()
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.AppendEvents(ctx, events...) })
}

func eventsInOrder(c *checker) {
	var want []*payment.Event
	for i := range 7 {
		a, b := c.event("p1"), c.event("p2")
		if i%2 == 0 {
			c.appended(a, b)
		} else {
			c.appended(a)
			c.appended(b)
		}
		want = append(want, a, b)
	}
	last := int64(0)
	for i, e := range want {
		if e.Seq <= last {
			c.fail("event %d got Seq %d after Seq %d", i, e.Seq, last)
		}
		last = e.Seq
	}
	for _, limit := range []int{1, 3, 1000} {
		got := c.tail(c.s, 0, limit)
		if len(got) != len(want) {
			c.fail("in pages of %d there are %d events, want %d", limit, len(got), len(want))
		}
		for i := range want {
			c.same(want[i], got[i], "an event")
		}
	}
	of, err := c.s.Events(c.ctx, payment.EventQuery{PaymentID: "p2", AfterSeq: want[1].Seq, Limit: 4})
	c.ok(err, "Events of a payment")
	if len(of) != 4 || of[0].ID != want[3].ID || of[3].ID != want[9].ID {
		c.fail("Events of one payment behind its first returned %d, not its next four", len(of))
	}
	many := make([]*payment.Event, 120)
	for i := range many {
		many[i] = c.event("p3")
	}
	c.appended(many...)
	page, err := c.s.Events(c.ctx, payment.EventQuery{PaymentID: "p3"})
	c.ok(err, "Events")
	if len(page) != 100 || page[0].ID != many[0].ID {
		c.fail("without a Limit Events returned %d, want the oldest 100", len(page))
	}
	for i := 1; i < len(page); i++ {
		if page[i].Seq <= page[i-1].Seq || page[i].ID != many[i].ID {
			c.fail("event %d of one AppendEvents is out of order", i)
		}
	}
	for _, limit := range []int{-1, 1001} {
		if _, err := c.s.Events(c.ctx, payment.EventQuery{Limit: limit}); err == nil {
			c.fail("Limit %d was accepted; a page cut in silence looks like the last one", limit)
		}
	}
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.AppendEvents(ctx) })
}

func eventsRollBack(c *checker) {
	a, b := c.event("p"), c.event("p")
	err := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
		if err := tx.AppendEvents(ctx, a); err != nil {
			return err
		}
		return errBoom
	})
	c.is(err, errBoom, "Update")
	c.appended(b)
	got := c.tail(c.s, 0, 100)
	if len(got) != 1 || got[0].ID != b.ID {
		c.fail("after one rolled back and one kept event there are %d", len(got))
	}
}

func eventsImmutable(c *checker) {
	e := c.fullEvent(3)
	want := c.fullEvent(3)
	want.ID = e.ID
	c.appended(e)
	want.Seq = e.Seq
	e.Reason, e.Data, e.Amount = "changed", nil, want.Fee
	e.Refs[0] = "changed"
	got := c.tail(c.s, 0, 10)[0]
	c.same(want, got, "an event whose record the caller changed after it was appended")
	got.Reason = "changed"
	got.Refs[0] = "changed"
	for k := range got.Data {
		got.Data[k] = "changed"
	}
	got.Dispute.Reason = "changed"
	c.same(want, c.tail(c.s, 0, 10)[0], "an event whose copy the caller changed")
	if err := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error { return tx.AppendEvents(ctx, want) }); err == nil {
		if n := len(c.tail(c.s, 0, 10)); n != 2 {
			c.fail("appending an event again replaced it")
		}
		c.same(e.Seq, c.tail(c.s, 0, 10)[0].Seq, "the Seq of the first event")
	}
}

func eventCursor(c *checker) {
	s2 := c.s
	if c.f.Second != nil {
		s2 = c.f.Second(c.t)
	}
	before := c.event("before")
	c.appended(before)
	early, late := c.event("early"), c.event("late")
	release := c.held(func(ctx context.Context, tx payment.Tx) error { return tx.AppendEvents(ctx, early) })

	// Another writer appends while the first is open. A store that lets one
	// write at a time makes it wait.
	done := make(chan error, 1)
	go func() {
		done <- c.retry(s2, func(ctx context.Context, tx payment.Tx) error { return tx.AppendEvents(ctx, late) })
	}()
	select {
	case err := <-done:
		done <- err
	case <-time.After(300 * time.Millisecond):
	}
	seen := map[string]int{}
	cursor := int64(0)
	read := func() {
		for _, e := range c.tail(s2, cursor, 100) {
			seen[e.ID]++
			cursor = e.Seq
		}
	}
	read()
	c.ok(release(), "the open Update")
	c.ok(soon(c, done, "the second writer"), "Update")
	read()
	for _, e := range []*payment.Event{before, early, late} {
		if seen[e.ID] != 1 {
			c.fail("the reader saw event %s (Seq %d) %d times, want once", e.PaymentID, e.Seq, seen[e.ID])
		}
	}
}

func eventCursorUnderLoad(c *checker) {
	const writers, each = 8, 25
	done := make(chan error, writers)
	for range writers {
		events := make([]*payment.Event, each)
		for i := range events {
			events[i] = c.event("p")
		}
		go func() {
			for i, e := range events {
				err := c.retry(c.s, func(ctx context.Context, tx payment.Tx) error {
					if err := tx.AppendEvents(ctx, e); err != nil {
						return err
					}
					if i%5 == 0 { // commit out of order
						time.Sleep(time.Millisecond)
					}
					return nil
				})
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	seen := map[string]bool{}
	cursor := int64(0)
	read := func() {
		for _, e := range c.tail(c.s, cursor, 10) {
			if seen[e.ID] {
				c.fail("the reader saw event %s twice", e.ID)
			}
			seen[e.ID], cursor = true, e.Seq
		}
	}
	for finished := 0; finished < writers; {
		select {
		case err := <-done:
			c.ok(err, "Update")
			finished++
		default:
			read()
		}
	}
	read()
	if len(seen) != writers*each {
		c.fail("the reader saw %d of %d events", len(seen), writers*each)
	}
}

func eventsDoNotWait(c *checker) {
	a, b := c.event("p"), c.event("p")
	c.appended(a)
	c.appended(b)
	release := c.held(func(ctx context.Context, tx payment.Tx) error { return tx.AppendEvents(ctx, c.event("q")) })
	if got := c.tail(c.s, 0, 10); len(got) != 2 {
		c.fail("while a later transaction is open %d of the 2 events before it are returned", len(got))
	}
	c.ok(release(), "the open Update")
	if got := c.tail(c.s, b.Seq, 10); len(got) != 1 {
		c.fail("after the commit %d events follow, want 1", len(got))
	}
}
