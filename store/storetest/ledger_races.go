package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/tender-go/payment/ledger"
)

// atOnce runs n calls at the same time and waits for them.
func atOnce[T any](c *checker, n int, fn func(i int) T) []T {
	c.t.Helper()
	out := make([]T, n)
	start, done := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			out[i] = fn(i)
		})
	}
	go func() { all.Wait(); close(done) }()
	close(start)
	soon(c, done, fmt.Sprint(n, " callers at once"))
	return out
}

// outcome of one call.
type outcome struct {
	receipt ledger.Receipt
	err     error
}

// accepted counts those without an error; the others must be of a kind.
func (c *checker) accepted(list []outcome, otherwise error) (n int) {
	c.t.Helper()
	for _, o := range list {
		if o.err == nil {
			n++
		} else {
			c.is(o.err, otherwise, "the refusal of one of many")
		}
	}
	return n
}

func booksManyCallers(c *checker) {
	b := c.book(c.s)
	c.posted(b, fund(0, 1000))
	out := atOnce(c, 64, func(i int) outcome {
		amount := int64(1)
		if i%8 == 7 {
			amount = 5000
		}
		r, err := c.again(c.ctx, b, spend(fmt.Sprint("call-", i), 0, 1+i%5, amount))
		return outcome{r, err}
	})
	good := int64(0)
	for i, o := range out {
		key := fmt.Sprint("call-", i)
		if i%8 == 7 {
			c.is(o.err, ledger.ErrCondition, key+", which asks for more than there is")
		} else {
			c.ok(o.err, key)
			good++
		}
		if o.err == nil && o.receipt.Key != key {
			c.fail("%s got the receipt of %s", key, o.receipt.Key)
		}
		c.recorded(b, key, o.err == nil)
	}
	c.has(b, acct(0), 1000-good)
	c.books(b, c.s)
}

func booksOneKey(c *checker) {
	b := c.book(c.s)
	c.posted(b, fund(1, 100))
	out := atOnce(c, 48, func(i int) outcome {
		amount := int64(3)
		if i%6 == 5 {
			amount = 4
		}
		r, err := c.again(c.ctx, b, spend("the-key", 1, 2, amount))
		return outcome{r, err}
	})
	first, fresh := ledger.Receipt{}, 0
	for _, o := range out {
		if o.err != nil {
			c.is(o.err, ledger.ErrKeyConflict, "the same key with other content")
			continue
		}
		if !o.receipt.Replayed {
			fresh++
		}
		o.receipt.Replayed = false
		if first.ID == 0 {
			first = o.receipt
		}
		if o.receipt != first {
			c.fail("two receipts for one key: %+v and %+v", first, o.receipt)
		}
	}
	if fresh != 1 {
		c.fail("%d of those that sent one key were told that theirs was the first", fresh)
	}
	if n := len(c.books(b, c.s)); n != 2 {
		c.fail("%d records for two keys", n)
	}
}

func booksNeverOverdrawn(c *checker) {
	b := c.book(c.s)
	const money, each, callers, tries = 100, 7, 16, 3
	c.posted(b, fund(1, money))
	out := atOnce(c, callers, func(i int) []outcome {
		var all []outcome
		for n := range tries {
			r, err := c.again(c.ctx, b, spend(fmt.Sprintf("take-%d-%d", i, n), 1, 2+i, each))
			all = append(all, outcome{r, err})
		}
		return all
	})
	took := 0
	for _, o := range out {
		took += c.accepted(o, ledger.ErrCondition)
	}
	if took != money/each {
		c.fail("%d of %d takings of %d from %d were accepted, want %d", took, callers*tries, each, money, money/each)
	}
	c.has(b, acct(1), money%each)
	c.books(b, c.s)
}

func booksVersion(c *checker) {
	b := c.book(c.s)
	c.posted(b, fund(1, 1000))
	for round := range 5 {
		before, err := b.Balance(c.ctx, acct(1), ledger.AsOf{})
		c.ok(err, "Balance")
		if before.Version != int64(round) {
			c.fail("after %d takings the version is %d", round, before.Version)
		}
		out := atOnce(c, 12, func(i int) outcome {
			t := spend(fmt.Sprintf("v-%d-%d", round, i), 1, 2, 1)
			t.Conditions = []ledger.Condition{ledger.AtVersion(acct(1), before.Version)}
			r, err := c.again(c.ctx, b, t)
			return outcome{r, err}
		})
		if n := c.accepted(out, ledger.ErrCondition); n != 1 {
			c.fail("%d changes were accepted at version %d", n, before.Version)
		}
	}
	c.books(b, c.s)
}

func booksOneEnd(c *checker) {
	b := c.book(c.s)
	const holds, amount = 12, 10
	c.posted(b, fund(1, holds*amount))
	settled := 0
	for h := range holds {
		hold := spend(fmt.Sprint("hold-", h), 1, 2, amount)
		hold.Pending = true
		c.posted(b, hold)
		out := atOnce(c, 6, func(i int) outcome {
			key := fmt.Sprintf("end-%d-%d", h, i)
			var end ledger.Change = ledger.Void{Key: key, Hold: hold.Key}
			if i%2 == 0 {
				end = ledger.Settlement{Key: key, Hold: hold.Key}
			}
			r, err := c.again(c.ctx, b, end)
			return outcome{r, err}
		})
		if n := c.accepted(out, ledger.ErrState); n != 1 {
			c.fail("a hold was ended %d times", n)
		}
		for _, o := range out {
			if o.err == nil && o.receipt.Kind == ledger.KindSettle {
				settled++
			}
		}
		// Parts of a hold at once: never more than it holds.
		hold.Key, hold.Entries = hold.Key+"p", spend("", 2, 3, 0).Entries
		hold.Entries[0].Amount, hold.Entries[1].Amount, hold.Conditions = euros(amount), euros(amount), nil
		c.posted(b, hold)
		out = atOnce(c, 6, func(i int) outcome {
			r, err := c.again(c.ctx, b, ledger.Settlement{Key: fmt.Sprintf("part-%d-%d", h, i), Hold: hold.Key, Amount: euros(3)})
			return outcome{r, err}
		})
		if n := c.accepted(out, ledger.ErrExceeds); n != amount/3 {
			c.fail("%d parts of 3 of a hold of %d were posted", n, amount)
		}
	}
	c.has(b, acct(1), int64(holds-settled)*amount)
	c.books(b, c.s)
}

func booksReversedOnce(c *checker) {
	b := c.book(c.s)
	c.posted(b, fund(1, 100), spend("sale", 1, 2, 20), spend("sale-2", 1, 2, 20))
	out := atOnce(c, 10, func(i int) outcome {
		r, err := c.again(c.ctx, b, ledger.Reversal{Key: fmt.Sprint("whole-", i), Of: "sale"})
		return outcome{r, err}
	})
	if n := c.accepted(out, ledger.ErrState); n != 1 {
		c.fail("a transaction was reversed %d times", n)
	}
	out = atOnce(c, 10, func(i int) outcome {
		r, err := c.again(c.ctx, b, ledger.Reversal{Key: fmt.Sprint("part-", i), Of: "sale-2", Amount: euros(6)})
		return outcome{r, err}
	})
	if n := c.accepted(out, ledger.ErrExceeds); n != 3 {
		c.fail("%d parts of 6 were taken back of 20", n)
	}
	c.has(b, acct(1), 98)
	c.books(b, c.s)
}

func booksPeriod(c *checker) {
	b := c.book(c.s)
	noon := epoch.AddDate(0, 0, 1)
	c.posted(b, fund(1, 100), ledger.Closing{Key: "close-0", Before: epoch})
	out := atOnce(c, 24, func(i int) outcome {
		var change ledger.Change = ledger.Closing{Key: fmt.Sprint("close-", i+1), Before: noon}
		if i%6 != 0 {
			t := fund(10+i, 1)
			t.Effective = noon.Add(-1)
			change = t
		}
		r, err := c.again(c.ctx, b, change)
		return outcome{r, err}
	})
	closings := 0
	for i, o := range out {
		if o.err != nil {
			c.is(o.err, ledger.ErrClosed, "what comes after the period was closed")
		} else if i%6 == 0 {
			closings++
		}
	}
	if closings == 0 {
		c.fail("of four closings of one period at once none was accepted")
	}
	late := fund(2, 1)
	late.Effective = noon.Add(-1)
	_, err := c.again(c.ctx, b, late)
	c.is(err, ledger.ErrClosed, "a post into a closed period")
	_, err = c.again(c.ctx, b, ledger.Closing{Key: "close-again", Before: noon})
	c.is(err, ledger.ErrClosed, "a second closing of the same period")
	c.recorded(b, late.Key, false)
	late.Fact = true
	c.posted(b, late)
	c.books(b, c.s)
}

func booksTogetherAtOnce(c *checker) {
	b := c.book(c.s)
	const pots = 4
	for i := range pots {
		c.posted(b, fund(i, []int64{50, 40, 30, 10}[i])) // the last of a group often fails
	}
	keys := func(i int) [3]string {
		return [3]string{fmt.Sprintf("g%d-a", i), fmt.Sprintf("g%d-b", i), fmt.Sprintf("g%d-c", i)}
	}
	out := atOnce(c, 32, func(i int) error {
		k := keys(i)
		for range 50 {
			_, err := b.PostTogether(c.ctx, spend(k[0], i%pots, 10, 5), spend(k[1], (i+1)%pots, 11, 7), spend(k[2], (i+3)%pots, 12, 4))
			if !errors.Is(err, ledger.ErrBusy) {
				return err
			}
		}
		return ledger.ErrBusy
	})
	good := int64(0)
	for i, err := range out {
		if err == nil {
			good++
		} else {
			c.is(err, ledger.ErrCondition, "the refusal of a group")
		}
		for _, key := range keys(i) {
			c.recorded(b, key, err == nil)
		}
	}
	if good == 0 {
		c.fail("no group was accepted")
	}
	c.has(b, acct(10), 5*good)
	for i := range pots {
		if n := c.available(b, acct(i)); n < 0 {
			c.fail("%s is overdrawn: %d", acct(i), n)
		}
	}
	c.books(b, c.s)
}

func booksEightBatches(c *checker) {
	b := c.book(c.s)
	const callers, size, accounts, rounds = 8, 100, 12, 3
	for i := range accounts {
		c.posted(b, fund(i, 300))
	}
	var recorded atomic.Int64
	out := atOnce(c, callers, func(i int) error {
		random := rand.New(rand.NewPCG(1, uint64(i))) //nolint:gosec // the same again
		for round := range rounds {
			batch := make([]ledger.Change, size)
			for n := range batch {
				from := random.IntN(accounts)
				batch[n] = spend(fmt.Sprintf("b%d-%d-%d", i, round, n), from, (from+1+random.IntN(accounts-1))%accounts, 1+random.Int64N(40))
			}
			for _, r := range b.PostAll(c.ctx, batch...) {
				switch {
				case r.Err == nil:
					recorded.Add(1)
				case !errors.Is(r.Err, ledger.ErrCondition):
					return r.Err
				}
			}
		}
		return nil
	})
	for _, err := range out {
		c.ok(err, "one of eight batches at once")
	}
	total := int64(0)
	for i := range accounts {
		n := c.available(b, acct(i))
		if total += n; n < 0 {
			c.fail("%s is overdrawn: %d", acct(i), n)
		}
	}
	if total != accounts*300 {
		c.fail("all accounts together hold %d after transfers among them, want %d", total, accounts*300)
	}
	if n := int64(len(c.books(b, c.s))); n != recorded.Load()+accounts {
		c.fail("%d records, and %d changes were told to be accepted", n, recorded.Load()+accounts)
	}
}

func booksSeals(c *checker) {
	b, other := c.book(c.s), c.book(c.s)
	const callers, each = 8, 25
	c.posted(b, fund(0, 1_000_000))
	var posting atomic.Int64
	posting.Store(callers)
	out := atOnce(c, callers+2, func(i int) error {
		if i >= callers {
			for posting.Load() > 0 {
				if _, err := []*ledger.Book{b, other}[i-callers].Seal(c.ctx); err != nil && !errors.Is(err, ledger.ErrBusy) {
					posting.Store(0)
					return err
				}
			}
			return nil
		}
		defer posting.Add(-1)
		for n := range each {
			if _, err := c.again(c.ctx, b, spend(fmt.Sprintf("s%d-%d", i, n), 0, 1+i, 1)); err != nil {
				return err
			}
		}
		return nil
	})
	for _, err := range out {
		c.ok(err, "posting and sealing at once")
	}
	if n := len(c.books(b, c.s)); n != callers*each+1 {
		c.fail("%d records have a number, %d were posted", n, callers*each+1)
	}
	was, err := b.Head(c.ctx)
	c.ok(err, "Head")
	now, err := other.Head(c.ctx)
	c.ok(err, "Head")
	if was != now || was.Seq != callers*each+1 {
		c.fail("after %d records the head is %s, and again %s", callers*each+1, was, now)
	}
}

func booksSealOrder(c *checker) {
	b := c.book(c.s)
	const accounts, callers, each = 4, 8, 20
	for i := range accounts {
		c.posted(b, fund(i, 40))
	}
	atOnce(c, callers+1, func(i int) error {
		if i == callers {
			for range 50 {
				_, _ = b.Seal(c.ctx)
			}
			return nil
		}
		random := rand.New(rand.NewPCG(2, uint64(i))) //nolint:gosec // the same again
		for n := range each {
			from := random.IntN(accounts)
			_, _ = c.again(c.ctx, b, spend(fmt.Sprintf("o%d-%d", i, n), from, (from+1)%accounts, 1+random.Int64N(30)))
		}
		return nil
	})
	has := map[string]int64{}
	for seq, r := range c.books(b, c.s) {
		for _, l := range r.Lines {
			if l.Account.Type == ledger.Liability {
				has[l.Account.Path] -= l.Amount
			}
		}
		for path, n := range has {
			if n < 0 {
				c.fail("in the order of the seals %s is overdrawn after number %d: %d", path, seq+1, n)
			}
		}
	}
}

func booksOneView(c *checker) {
	b := c.book(c.s)
	const accounts = 6
	for i := range accounts {
		c.posted(b, fund(i, 500))
	}
	_, err := b.Seal(c.ctx)
	c.ok(err, "Seal")
	backend := c.s.(ledger.Store).Ledger()
	var writing atomic.Int64
	writing.Store(2)
	out := atOnce(c, 3, func(i int) error {
		if i > 0 {
			defer writing.Add(-1)
			for n := range 100 {
				if _, err := c.again(c.ctx, b, spend(fmt.Sprintf("w%d-%d", i, n), n%accounts, (n+i)%accounts, 1)); err != nil && !errors.Is(err, ledger.ErrCondition) {
					return err
				}
				if n%20 == 19 {
					_, _ = b.Seal(c.ctx)
				}
			}
			return nil
		}
		for last := false; !last; {
			last = writing.Load() == 0
			if err := backend.View(c.ctx, footing); err != nil {
				return err
			}
		}
		return nil
	})
	for _, err := range out {
		c.ok(err, "reading while others post")
	}
	c.books(b, c.s)
}

// footing fails if one view shows what was never there at one moment.
func footing(ctx context.Context, v ledger.View) error {
	strict := map[int64]ledger.Totals{}
	if err := v.Totals(ctx, func(l ledger.Locked) error { strict[l.ID] = l.Totals; return nil }); err != nil {
		return err
	}
	lines := map[int64]ledger.Totals{}
	if err := v.Journal(ctx, 0, 0, func(r *ledger.Record, broken error) error {
		for _, l := range r.Lines {
			t := lines[l.Account.ID]
			t.Add(l.Layer, l.Amount)
			lines[l.Account.ID] = t
		}
		return broken
	}); err != nil {
		return err
	}
	last, err := v.Last(ctx)
	if err != nil {
		return err
	}
	var accounts []*ledger.Account
	if err := v.Accounts(ctx, func(a *ledger.Account, _ []byte) error { accounts = append(accounts, a); return nil }); err != nil {
		return err
	}
	running, err := v.Running(ctx, last.Last(), accounts)
	if err != nil {
		return err
	}
	at := map[int64]int{}
	for i, a := range accounts {
		at[a.ID] = i
	}
	if err := v.Unsealed(ctx, last, func(r *ledger.Record) error {
		for _, l := range r.Lines {
			running[at[l.Account.ID]].Add(l.Layer, l.Amount)
		}
		return nil
	}); err != nil {
		return err
	}
	for i, a := range accounts {
		if a.Mode == ledger.Strict && strict[a.ID] != lines[a.ID] || running[i] != lines[a.ID] {
			return fmt.Errorf("in one view %s comes to %+v by its balance, to %+v by its lines, and to %+v by its page and what is not sealed", a.Path, strict[a.ID], lines[a.ID], running[i])
		}
	}
	return nil
}
