package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// ledgerRules are those of a store that keeps books. One that does not skips
// them.
func ledgerRules() []rule {
	rules := []rule{
		{name: "ledger atomic", check: booksAtomic,
			why: "a change is in the books with all its lines, accounts and balances, and one that is refused leaves nothing"},
		{name: "ledger own result", check: booksOwnResult,
			why: "of many changes in one commit each has its own result, and one that is refused fails no other"},
		{name: "ledger in order", check: booksInOrder,
			why: "a change can refer to one before it in the same call, and sees what that one left"},
		{name: "ledger batch", check: booksBatch,
			why: "a thousand changes in one call are recorded in their order, and again they are all told to have been"},
		{name: "ledger together", check: booksTogether,
			why: "of what is posted together all is recorded or nothing"},
		{name: "ledger context over", check: booksContextOver,
			why: "under a context that has ended nothing is written"},
		{name: "ledger nested", check: booksNested,
			why: "a post inside an Update that does not name its transaction is refused: waiting for it would be a deadlock, and a commit of its own would outlive a rollback"},
		{name: "ledger with the payment", check: booksParticipant,
			why: "what a participant posts in an Update is committed or gone with the payment, and seen by nobody before"},
		{name: "ledger many callers", check: booksManyCallers,
			why: "64 callers at once all get their own result, and each result is true"},
		{name: "ledger one key", check: booksOneKey,
			why: "one key is one record, however many send it at once, and all of them get its receipt"},
		{name: "ledger never overdrawn", check: booksNeverOverdrawn,
			why: "a condition holds when its change is committed, whoever else takes from the account"},
		{name: "ledger version", check: booksVersion,
			why: "of those that decided on one version of an account one is recorded"},
		{name: "ledger one end", check: booksOneEnd,
			why: "a hold ends once: what was voided is never posted, and what was posted is never released"},
		{name: "ledger reversed once", check: booksReversedOnce,
			why: "no more is taken back of a transaction than it moved, whoever asks at once"},
		{name: "ledger period", check: booksPeriod,
			why: "once a period is closed nothing dated into it is accepted"},
		{name: "ledger together at once", check: booksTogetherAtOnce,
			why: "changes that stand or fall together do so with many callers too"},
		{name: "ledger eight batches", check: booksEightBatches,
			why: "batches over the same accounts in any order all finish: none waits for another that waits for it"},
		{name: "ledger seals", check: booksSeals,
			why: "every record gets one number, without gaps, while others post and seal"},
		{name: "ledger seal order", check: booksSealOrder,
			why: "conditions hold in the order of the seals too: the books can be replayed"},
		{name: "ledger one view", check: booksOneView,
			why: "what is read in one view is one state of the books: it foots at every moment"},
		{name: "ledger reopen", check: booksReopen, needs: needsReopen,
			why: "what was acknowledged is in the books after a crash, and what was not is not"},
		{name: "ledger commit unknown", check: booksCommitUnknown, needs: needsLose,
			why: "a connection lost during commit is ErrCommitUnknown, and the same key tells which it was"},
		{name: "ledger two handles", check: booksTwoHandles, needs: needsSecond,
			why: "two processes that post and seal on the same data keep all the rules between them"},
		{name: "ledger host commits", check: booksHostCommits, needs: needsJoin,
			why: "a post under a host's transaction is in the books with the host's commit, not before"},
		{name: "ledger host rolls back", check: booksHostRollsBack, needs: needsJoin,
			why: "a post under a host's transaction is gone with the host's rollback, its accounts and seals too"},
		{name: "ledger host goes on", check: booksHostGoesOn, needs: needsJoin,
			why: "a post that is refused under a host's transaction leaves it as it was, and what cannot be done inside one is refused"},
		{name: "ledger host and others", check: booksHostAndOthers, needs: needsJoin,
			why: "while a host's transaction is open others post, or are told that they have to wait; nothing is lost or counted twice"},
	}
	for i := range rules {
		also := rules[i].needs
		rules[i].needs = func(f Fixture) string {
			if s, ok := f.Store.(ledger.Store); !ok || s.Ledger() == nil {
				return "ledger"
			}
			if also != nil {
				return also(f)
			}
			return ""
		}
	}
	return rules
}

// Accounts of the tests: acct:<n>:EUR are liabilities whose balance is known at
// every moment, world:EUR is only appended to.
const world = "world:EUR"

func acct(n int) string { return "acct:" + strconv.Itoa(n) + ":EUR" }

// book opens the books of a store.
func (c *checker) book(s payment.Store) *ledger.Book {
	c.t.Helper()
	chart, err := ledger.NewChart(
		ledger.Rule{Pattern: "world:{currency}", Type: ledger.Asset},
		ledger.Rule{Pattern: "acct:{n}:{currency}", Type: ledger.Liability, Mode: ledger.Strict},
		ledger.Rule{Pattern: "till", Type: ledger.Asset, Mode: ledger.Strict},
	)
	c.ok(err, "NewChart")
	keeper, ok := s.(ledger.Store)
	if !ok {
		c.fail("this handle of the store keeps no books")
	}
	b, err := ledger.New(ledger.Config{Store: keeper, Chart: chart})
	c.ok(err, "ledger.New")
	return b
}

func euros(minor int64) money.Amount { return money.Of(minor, money.EUR) }

// fund puts money on an account.
func fund(n int, amount int64) ledger.Transaction {
	return ledger.Transaction{Key: fmt.Sprint("fund-", n), Entries: []ledger.Entry{ledger.Debit(world, euros(amount)), ledger.Credit(acct(n), euros(amount))}}
}

// spend takes money from an account that must have it.
func spend(key string, from, to int, amount int64) ledger.Transaction {
	return ledger.Transaction{Key: key, Entries: []ledger.Entry{ledger.Debit(acct(from), euros(amount)), ledger.Credit(acct(to), euros(amount))},
		Conditions: []ledger.Condition{ledger.NotOverdrawn(acct(from))}}
}

// again asks for a change until the books are not busy, as callers do.
func (c *checker) again(ctx context.Context, b *ledger.Book, change ledger.Change) (ledger.Receipt, error) {
	var r ledger.Receipt
	var err error
	for range 50 {
		if r, err = b.Apply(ctx, change); !errors.Is(err, ledger.ErrBusy) {
			break
		}
	}
	return r, err
}

// posted records changes that must be accepted.
func (c *checker) posted(b *ledger.Book, changes ...ledger.Change) []ledger.Receipt {
	c.t.Helper()
	var out []ledger.Receipt
	for _, change := range changes {
		r, err := c.again(c.ctx, b, change)
		c.ok(err, "Apply")
		out = append(out, r)
	}
	return out
}

// available is what an account has.
func (c *checker) available(b *ledger.Book, path string) int64 {
	c.t.Helper()
	got, err := b.Balance(c.ctx, path, ledger.AsOf{})
	c.ok(err, "Balance of "+path)
	return got.Available.Minor()
}

// has fails if an account does not come to an amount.
func (c *checker) has(b *ledger.Book, path string, want int64) {
	c.t.Helper()
	if got := c.available(b, path); got != want {
		c.fail("%s has %d available, want %d", path, got, want)
	}
}

// recorded fails unless there is a record under a key, or unless there is none.
func (c *checker) recorded(b *ledger.Book, key string, want bool) {
	c.t.Helper()
	_, err := b.Find(c.ctx, key)
	switch {
	case want:
		c.ok(err, "Find("+key+")")
	case !errors.Is(err, ledger.ErrNotFound):
		c.fail("%s is in the books: Find returned %v, want ErrNotFound", key, err)
	}
}

// books reads the whole journal, and fails if anything in it contradicts
// anything else. It returns the records in the order of the seals.
func (c *checker) books(b *ledger.Book, s payment.Store) []*ledger.Record {
	c.t.Helper()
	for range 100 { // whoever else seals ends soon
		_, err := b.Seal(c.ctx)
		if err == nil {
			break
		}
		c.is(err, ledger.ErrBusy, "Seal")
		time.Sleep(time.Millisecond)
	}
	var ordered []*ledger.Record
	err := s.(ledger.Store).Ledger().View(c.ctx, func(ctx context.Context, v ledger.View) error {
		byID := map[int64]*ledger.Record{}
		keys := map[string]bool{}
		sums := map[int64]ledger.Totals{}
		open := map[int64]*ledger.Account{}
		if err := v.Journal(ctx, 0, 0, func(r *ledger.Record, broken error) error {
			if broken != nil {
				return broken
			}
			if keys[r.Key] || byID[r.ID] != nil {
				c.fail("two records have the key %q or the id %d", r.Key, r.ID)
			}
			keys[r.Key] = true
			kept := *r
			byID[r.ID] = &kept
			total := int64(0)
			for _, l := range r.Lines {
				t := sums[l.Account.ID]
				t.Add(l.Layer, l.Amount)
				sums[l.Account.ID], open[l.Account.ID] = t, l.Account
				if l.Layer == ledger.Posted {
					total += l.Amount
				}
			}
			if total != 0 {
				c.fail("the lines of %q sum to %d", r.Key, total)
			}
			return nil
		}); err != nil {
			return err
		}
		if err := v.Accounts(ctx, func(a *ledger.Account, _ []byte) error {
			if open[a.ID] == nil {
				c.fail("account %s is open, and nothing was posted to it", a.Path)
			}
			return nil
		}); err != nil {
			return err
		}
		if err := v.Totals(ctx, func(l ledger.Locked) error {
			if l.Totals != sums[l.ID] {
				c.fail("account %d comes to %+v, and its lines to %+v", l.ID, l.Totals, sums[l.ID])
			}
			return nil
		}); err != nil {
			return err
		}
		next := int64(1)
		if err := v.Blocks(ctx, 0, 0, func(block *ledger.Block, broken error) error {
			if broken != nil {
				return broken
			}
			if block.First != next {
				c.fail("a block begins at number %d, want %d", block.First, next)
			}
			for _, id := range block.IDs {
				r := byID[id]
				if r == nil {
					c.fail("number %d is given to the record %d, which is not in the journal or has a number", next, id)
				}
				delete(byID, id)
				ordered = append(ordered, r)
				next++
			}
			return nil
		}); err != nil {
			return err
		}
		for _, r := range byID {
			c.fail("the record %q has no number after all was sealed", r.Key)
		}
		for _, a := range open {
			if err := c.page(ctx, v, a, sums[a.ID], next-1); err != nil {
				return err
			}
		}
		return nil
	})
	c.ok(err, "View")
	proof, err := b.Verify(c.ctx, ledger.VerifyOptions{})
	c.ok(err, "Verify")
	if !proof.OK() {
		c.fail("%s", proof)
	}
	return ordered
}

// page fails if what is posted to an account does not add up.
func (c *checker) page(ctx context.Context, v ledger.View, a *ledger.Account, want ledger.Totals, last int64) error {
	c.t.Helper()
	var sum ledger.Totals
	if err := v.Postings(ctx, ledger.PostingQuery{Account: a}, func(p ledger.Posting) error {
		sum.Add(p.Layer, p.Amount)
		if p.Running != sum.Of(p.Layer) {
			c.fail("at number %d of %s the %s layer runs at %d, and its lines come to %d", p.Seq, a.Path, p.Layer, p.Running, sum.Of(p.Layer))
		}
		return nil
	}); err != nil {
		return err
	}
	running, err := v.Running(ctx, last, []*ledger.Account{a})
	if err == nil && (sum != want || running[0] != want) {
		c.fail("what is posted to %s comes to %+v and is told to come to %+v, and its lines come to %+v", a.Path, sum, running[0], want)
	}
	return err
}
