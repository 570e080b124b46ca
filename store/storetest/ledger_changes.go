package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

func booksAtomic(c *checker) {
	b := c.book(c.s)
	c.posted(b, fund(1, 100))
	for _, refused := range []ledger.Change{
		spend("too-much", 1, 2, 101),
		ledger.Settlement{Key: "no-hold", Hold: "nowhere"},
		ledger.Transaction{Key: "till-in-two", Entries: []ledger.Entry{ledger.Debit("till", euros(1)), ledger.Credit(acct(3), euros(1)),
			ledger.Debit("till", money.Of(1, money.USD)), ledger.Credit("acct:3:USD", money.Of(1, money.USD))}},
	} {
		if _, err := b.Apply(c.ctx, refused); err == nil {
			c.fail("%+v was accepted", refused)
		}
	}
	c.posted(b, ledger.Transaction{Key: "held", Pending: true, Entries: []ledger.Entry{ledger.Debit(acct(1), euros(60)), ledger.Credit(acct(2), euros(20)), ledger.Credit(world, euros(40))}},
		ledger.Settlement{Key: "part", Hold: "held", Amount: euros(30)},
		ledger.Reversal{Key: "back", Of: "part", Amount: euros(3)},
		ledger.Void{Key: "rest", Hold: "held"})
	c.has(b, acct(1), 100-30+3)
	c.has(b, acct(2), 10-1)
	c.has(b, acct(3), 0)
	if n := len(c.books(b, c.s)); n != 5 {
		c.fail("%d records after 5 accepted changes", n)
	}
}

func booksOwnResult(c *checker) {
	b := c.book(c.s)
	c.posted(b, fund(1, 50), spend("earlier", 1, 2, 1))
	changed := spend("earlier", 1, 2, 2)
	results := b.PostAll(c.ctx,
		spend("good-1", 1, 2, 10),
		spend("bad", 1, 2, 1000),
		spend("earlier", 1, 2, 1), // a replay
		changed,                   // the same key, other content
		spend("good-1", 1, 2, 10), // a replay within the call
		ledger.Void{Key: "nothing", Hold: "nowhere"},
		ledger.Transaction{Key: "one-sided", Entries: []ledger.Entry{ledger.Debit(world, euros(1)), ledger.Credit(acct(1), euros(2))}},
		spend("good-2", 1, 3, 39),
		spend("bad-2", 1, 3, 1))
	want := []error{nil, ledger.ErrCondition, nil, ledger.ErrKeyConflict, nil, ledger.ErrNotFound, ledger.ErrUnbalanced, nil, ledger.ErrCondition}
	replayed := []bool{false, false, true, false, true, false, false, false, false}
	for i, r := range results {
		if !errors.Is(r.Err, want[i]) {
			c.fail("result %d is %v, want %v", i, r.Err, want[i])
		}
		if r.Err == nil && (r.Receipt.ID == 0 || r.Receipt.Replayed != replayed[i]) {
			c.fail("the receipt %d is %+v, want Replayed %t", i, r.Receipt, replayed[i])
		}
	}
	c.has(b, acct(1), 0)
	c.has(b, acct(2), 11)
	c.has(b, acct(3), 39)
	c.books(b, c.s)
}

func booksInOrder(c *checker) {
	b := c.book(c.s)
	c.posted(b, fund(1, 100))
	hold := spend("hold", 1, 2, 60)
	hold.Pending = true
	results := b.PostAll(c.ctx,
		hold,
		ledger.Settlement{Key: "settle", Hold: "hold", Amount: euros(20)},
		ledger.Settlement{Key: "settle-rest", Hold: "hold"},
		ledger.Settlement{Key: "settle-again", Hold: "hold"},
		ledger.Void{Key: "void", Hold: "hold"},
		ledger.Reversal{Key: "back", Of: "settle"},
		ledger.Reversal{Key: "back-again", Of: "settle"},
		spend("spend-what-came-back", 1, 3, 60),
		spend("and-more", 1, 3, 1))
	want := []error{nil, nil, nil, ledger.ErrState, ledger.ErrState, nil, ledger.ErrState, nil, ledger.ErrCondition}
	for i, r := range results {
		if !errors.Is(r.Err, want[i]) {
			c.fail("result %d is %v, want %v", i, r.Err, want[i])
		}
	}
	c.has(b, acct(1), 0)
	c.has(b, acct(2), 40)
	c.has(b, acct(3), 60)
	c.books(b, c.s)
}

func booksBatch(c *checker) {
	b := c.book(c.s)
	const n = 1000
	changes := make([]ledger.Change, n)
	for i := range changes {
		changes[i] = ledger.Transaction{Key: fmt.Sprint("batch-", i), Entries: []ledger.Entry{ledger.Debit(world, euros(1)), ledger.Credit(acct(i%7), euros(1))}}
	}
	for _, again := range []bool{false, true} {
		last := int64(0)
		for i, r := range b.PostAll(c.ctx, changes...) {
			c.ok(r.Err, fmt.Sprint("change ", i, " of a thousand"))
			if r.Receipt.ID <= last || r.Receipt.Replayed != again || r.Receipt.Key != fmt.Sprint("batch-", i) {
				c.fail("the receipt of change %d is %+v after id %d", i, r.Receipt, last)
			}
			last = r.Receipt.ID
		}
	}
	for i := range changes {
		changes[i] = spend(fmt.Sprint("together-", i), i%7, (i+1)%7, 1)
	}
	receipts, err := b.PostTogether(c.ctx, changes...)
	c.ok(err, "PostTogether of a thousand")
	if len(receipts) != n {
		c.fail("PostTogether of %d returned %d receipts", n, len(receipts))
	}
	if got := len(c.books(b, c.s)); got != 2*n {
		c.fail("%d records after %d accepted changes", got, 2*n)
	}
}

func booksTogether(c *checker) {
	b := c.book(c.s)
	c.posted(b, fund(1, 10), spend("early", 1, 2, 1))
	_, err := b.PostTogether(c.ctx, spend("one", 1, 2, 5), spend("two", 1, 2, 5))
	c.is(err, ledger.ErrCondition, "PostTogether of more than there is")
	c.recorded(b, "one", false)
	c.recorded(b, "two", false)
	c.has(b, acct(1), 9)
	receipts, err := b.PostTogether(c.ctx, spend("one", 1, 2, 5), spend("early", 1, 2, 1), spend("two", 1, 3, 4))
	c.ok(err, "PostTogether")
	if receipts[0].Replayed || !receipts[1].Replayed || receipts[2].Replayed {
		c.fail("of three posted together the second had been before, and the receipts are %+v", receipts)
	}
	c.has(b, acct(1), 0)
	c.books(b, c.s)
}

func booksContextOver(c *checker) {
	b := c.book(c.s)
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	_, err := b.Post(ctx, fund(1, 1))
	c.is(err, context.Canceled, "Post under a context that is over")
	c.recorded(b, "fund-1", false)
}

func booksNested(c *checker) {
	b := c.book(c.s)
	c.update(func(ctx context.Context, tx payment.Tx) error {
		if _, err := b.Post(ctx, fund(1, 1)); !errors.Is(err, ledger.ErrInTransaction) {
			return fmt.Errorf("a post inside an Update returned %w, want ErrInTransaction", err)
		}
		return tx.InsertPayment(ctx, c.small())
	})
	c.recorded(b, "fund-1", false)
	c.posted(b, fund(1, 1))
}

// keeper is the ledger's side of a transaction.
func (c *checker) keeper(tx payment.Tx) ledger.Keeper {
	k, ok := tx.(ledger.Keeper)
	if !ok {
		c.t.Error("the store keeps books, and its transaction is no ledger.Keeper")
		return nil
	}
	return k
}

func booksParticipant(c *checker) {
	b := c.book(c.s)
	c.posted(b, fund(1, 100), fund(2, 100))
	p := c.small()
	release := c.held(func(ctx context.Context, tx payment.Tx) error {
		if err := tx.InsertPayment(ctx, p); err != nil {
			return err
		}
		if _, err := b.PostIn(ctx, c.keeper(tx), spend("first", 1, 3, 30), fund(4, 7)); err != nil {
			return err
		}
		// What it posted before counts, and the same again is a replay.
		r, err := b.PostIn(ctx, c.keeper(tx), spend("first", 1, 3, 30), spend("second", 1, 3, 70))
		if err == nil && !r[0].Replayed {
			return errors.New("a key that the transaction wrote itself was taken again")
		}
		return err
	})
	c.has(b, acct(1), 100)
	c.has(b, acct(4), 0)
	c.recorded(b, "first", false)
	c.ok(release(), "the open Update")
	c.payment(c.s, p.ID)
	c.has(b, acct(1), 0)
	c.has(b, acct(3), 100)
	c.has(b, acct(4), 7)

	err := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
		if _, err := b.PostIn(ctx, c.keeper(tx), spend("undone", 2, 5, 60)); err != nil {
			return err
		}
		_, err := b.PostIn(ctx, c.keeper(tx), spend("too-much", 2, 5, 41))
		return err
	})
	c.is(err, ledger.ErrCondition, "an Update that posts more than it left before")
	gone := c.small()
	err = c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
		if err := tx.InsertPayment(ctx, gone); err != nil {
			return err
		}
		if _, err := b.PostIn(ctx, c.keeper(tx), spend("undone", 2, 5, 50)); err != nil {
			return err
		}
		return errBoom
	})
	c.is(err, errBoom, "Update")
	c.absent(gone.ID, "although its Update failed")
	c.recorded(b, "undone", false)
	c.has(b, acct(2), 100)
	c.posted(b, spend("undone", 2, 5, 100))
	if n := len(c.books(b, c.s)); n != 6 {
		c.fail("%d records after 6 accepted changes", n)
	}
}
