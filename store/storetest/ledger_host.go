package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
)

func booksReopen(c *checker) {
	b := c.book(c.s)
	hold := spend("hold", 1, 2, 40)
	hold.Pending = true
	receipts := c.posted(b, fund(1, 100), spend("sale", 1, 2, 30), hold)
	_, err := b.Seal(c.ctx)
	c.ok(err, "Seal")
	receipts = append(receipts, c.posted(b, ledger.Settlement{Key: "part", Hold: "hold", Amount: euros(15)})...)
	_, err = b.Post(c.ctx, spend("refused", 1, 2, 1000))
	c.is(err, ledger.ErrCondition, "Post")
	c.s = c.f.Reopen(c.t)
	b = c.book(c.s)
	for _, want := range receipts {
		got, err := b.Find(c.ctx, want.Key)
		c.ok(err, "Find after a crash")
		if got.Receipt != want {
			c.fail("after a crash the receipt of %s is %+v, and was %+v", want.Key, got.Receipt, want)
		}
	}
	c.recorded(b, "refused", false)
	c.has(b, acct(1), 30)
	r := c.posted(b, spend("sale", 1, 2, 30), ledger.Void{Key: "rest", Hold: "hold"})
	if !r[0].Replayed || r[1].ID <= receipts[3].ID {
		c.fail("after a crash a replay and a new change got %+v", r)
	}
	c.has(b, acct(1), 55)
	if n := len(c.books(b, c.s)); n != 5 {
		c.fail("%d records after 5 accepted changes", n)
	}
}

func booksCommitUnknown(c *checker) {
	b := c.book(c.s)
	for _, written := range []bool{true, false} {
		t := fund(1, 10)
		t.Key = fmt.Sprint("lost-", written)
		c.f.LoseCommit(c.t, written)
		_, err := b.Post(c.ctx, t)
		c.is(err, ledger.ErrCommitUnknown, "a post whose commit lost its answer")
		r, err := b.Post(c.ctx, t)
		c.ok(err, "the same post again")
		if r.Replayed != written {
			c.fail("the commit was written: %t, and the same again was told Replayed %t", written, r.Replayed)
		}
	}
	c.has(b, acct(1), 20)
	c.books(b, c.s)
}

func booksTwoHandles(c *checker) {
	stores := []payment.Store{c.s, c.f.Second(c.t)}
	books := []*ledger.Book{c.book(stores[0]), c.book(stores[1])}
	const money, each = 200, 40
	c.posted(books[0], fund(1, money))
	c.posted(books[1], fund(2, money))
	out := atOnce(c, 4, func(i int) []outcome {
		b := books[i%2]
		var all []outcome
		for n := range each {
			from := 1 + n%2
			r, err := c.again(c.ctx, b, spend(fmt.Sprintf("h%d-%d", i, n), from, 3+i, 7))
			all = append(all, outcome{r, err})
			if _, err := c.again(c.ctx, b, spend(fmt.Sprint("same-", n), 3-from, 9, 1)); err != nil && !errors.Is(err, ledger.ErrCondition) {
				all = append(all, outcome{r, err})
			}
			if n%10 == 9 {
				if _, err := b.Seal(c.ctx); err != nil && !errors.Is(err, ledger.ErrBusy) {
					all = append(all, outcome{r, err})
				}
			}
		}
		return all
	})
	took := 0
	for _, o := range out {
		took += c.accepted(o, ledger.ErrCondition)
	}
	for i, b := range books {
		left, once := c.available(b, acct(1))+c.available(b, acct(2)), c.available(b, acct(9))
		if left != 2*money-int64(7*took)-once || c.available(b, acct(1)) < 0 || c.available(b, acct(2)) < 0 {
			c.fail("handle %d sees %d left of %d after %d takings of 7 and %d of 1", i, left, 2*money, took, once)
		}
		if once > each {
			c.fail("%d keys, each sent by both handles, were recorded %d times", each, once)
		}
		c.books(b, stores[i])
	}
}

func booksHostCommits(c *checker) {
	b := c.book(c.s)
	c.posted(b, fund(1, 100))
	ctx, commit, _ := c.joined()
	if !c.s.(ledger.Store).Ledger().Joined(ctx) {
		c.fail("the books do not know that a context carries a host's transaction")
	}
	hold := spend("held", 1, 3, 10)
	hold.Pending = true
	for _, change := range []ledger.Change{spend("sale", 1, 2, 30), hold, ledger.Settlement{Key: "part", Hold: "held", Amount: euros(4)}, fund(5, 8)} {
		_, err := b.Apply(ctx, change)
		c.ok(err, "Apply under a host's transaction")
	}
	inside, err := b.Balance(ctx, acct(1), ledger.AsOf{})
	c.ok(err, "Balance under a host's transaction")
	if inside.Available != euros(60) {
		c.fail("under the host's transaction %s has %s available, want %s", acct(1), inside.Available, euros(60))
	}
	r, err := b.Post(ctx, spend("sale", 1, 2, 30))
	c.ok(err, "the same again")
	if !r.Replayed {
		c.fail("under the host's transaction its own key was taken again")
	}
	c.has(b, acct(1), 100)
	c.recorded(b, "sale", false)
	c.ok(commit(), "the host's commit")
	c.has(b, acct(1), 60)
	c.has(b, acct(2), 30)
	c.has(b, acct(5), 8)
	if n := len(c.books(b, c.s)); n != 5 {
		c.fail("%d records after 5 accepted changes", n)
	}
}

func booksHostRollsBack(c *checker) {
	b := c.book(c.s)
	c.posted(b, fund(1, 100))
	ctx, _, rollback := c.joined()
	receipts, err := b.PostTogether(ctx, spend("sale", 1, 2, 30), fund(5, 8))
	c.ok(err, "PostTogether under a host's transaction")
	c.ok(rollback(), "the host's rollback")
	for _, r := range receipts {
		c.recorded(b, r.Key, false)
	}
	c.has(b, acct(1), 100)
	c.has(b, acct(5), 0)
	c.books(b, c.s)
	c.posted(b, spend("sale", 1, 2, 100), fund(5, 9))
	c.has(b, acct(5), 9)
	if n := len(c.books(b, c.s)); n != 3 {
		c.fail("%d records after 3 accepted changes", n)
	}
}

func booksHostGoesOn(c *checker) {
	b := c.book(c.s)
	c.posted(b, fund(1, 100))
	ctx, commit, _ := c.joined()
	_, err := b.Post(ctx, spend("refused", 1, 2, 101))
	c.is(err, ledger.ErrCondition, "a post of more than there is")
	_, err = b.PostTogether(ctx, spend("one", 1, 2, 60), spend("two", 1, 2, 60))
	c.is(err, ledger.ErrCondition, "a group that asks for more than there is")
	_, err = b.Seal(ctx)
	c.is(err, ledger.ErrInTransaction, "Seal under a host's transaction")
	_, err = b.Post(ctx, spend("sale", 1, 2, 100))
	c.ok(err, "a post after one that was refused")
	c.ok(commit(), "the host's commit")
	c.recorded(b, "refused", false)
	c.recorded(b, "one", false)
	c.has(b, acct(1), 0)
	if n := len(c.books(b, c.s)); n != 2 {
		c.fail("%d records after 2 accepted changes", n)
	}
}

// booksHostAndOthers keeps a host's transaction open while others post to the
// accounts it has touched, and to others.
func booksHostAndOthers(c *checker) {
	b := c.book(c.s)
	const money = 1000
	for i := range 4 {
		c.posted(b, fund(i, money))
	}
	for round := range 4 {
		ctx, commit, rollback := c.joined()
		_, err := b.Post(ctx, spend(fmt.Sprint("host-", round), 0, 1, 10))
		c.ok(err, "Post under a host's transaction")
		ended := make(chan error, 1)
		go func() {
			time.Sleep(30 * time.Millisecond)
			if round%2 == 0 {
				ended <- commit()
			} else {
				ended <- rollback()
			}
		}()
		out := atOnce(c, 8, func(i int) outcome {
			// From the account that the host took from, to it, and apart from it.
			from, to := []int{0, 1, 2}[i%3], []int{2, 0, 3}[i%3]
			r, err := c.again(c.ctx, b, spend(fmt.Sprintf("other-%d-%d", round, i), from, to, 1))
			return outcome{r, err}
		})
		for _, o := range out {
			if o.err != nil { // still busy after many tries: nothing is there
				c.is(o.err, ledger.ErrBusy, "a post beside a host's open transaction")
			}
			if o.err == nil {
				c.recorded(b, o.receipt.Key, true)
			}
		}
		c.ok(soon(c, ended, "the host's transaction"), "the end of the host's transaction")
		c.recorded(b, fmt.Sprint("host-", round), round%2 == 0)
	}
	total := int64(0)
	for i := range 4 {
		total += c.available(b, acct(i))
	}
	if total != 4*money {
		c.fail("after transfers among them four accounts hold %d, want %d", total, 4*money)
	}
	c.books(b, c.s)
}
