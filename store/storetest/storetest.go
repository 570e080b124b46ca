// Package storetest proves that a payment.Store keeps the rules that the
// client relies on. Run it in the tests of a store of your own:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t testing.TB) storetest.Fixture {
//			s, err := mystore.Open(filepath.Join(t.TempDir(), "shop.db"))
//			if err != nil {
//				t.Fatal(err)
//			}
//			t.Cleanup(func() { s.Close() })
//			return storetest.Fixture{Store: s}
//		})
//	}
//
// Each failure names the rule it breaks and why the rule is there.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tender-go/payment"
)

// Fixture is an empty store and what the test can do to it. A nil function
// says that the store cannot do that; the tests that need it are skipped with
// a line that says so.
type Fixture struct {
	// Store under test, empty.
	Store payment.Store
	// Reopen ends Store as a crash would and opens it again on the same data.
	// Nil for a store that keeps nothing.
	Reopen func(t testing.TB) payment.Store
	// Second opens one more handle on the same data, as another process
	// would. Nil for a store that only one process can use.
	Second func(t testing.TB) payment.Store
	// Join begins a transaction of the host's that an Update under ctx joins.
	// Nil for a store that cannot join.
	Join func(t testing.TB) (ctx context.Context, commit, rollback func() error)
	// LoseCommit makes the next commit of Store lose its answer: it is
	// carried out if written, else not, and Update returns
	// payment.ErrCommitUnknown. Nil if that cannot be arranged.
	LoseCommit func(t testing.TB, written bool)
}

// Run checks every rule against a fixture of its own, in parallel.
func Run(t *testing.T, open func(t testing.TB) Fixture) {
	t.Helper()
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.run(t, open)
		})
	}
}

// rule is one promise of payment.Store.
type rule struct {
	name string
	// why the rule is there; a failure prints it.
	why   string
	check func(c *checker)
	// needs says what the fixture lacks, "" for nothing.
	needs func(f Fixture) string
}

func rules() []rule {
	var all []rule
	all = append(all, transactionRules()...)
	all = append(all, concurrencyRules()...)
	all = append(all, paymentRules()...)
	all = append(all, claimRules()...)
	all = append(all, eventRules()...)
	all = append(all, leaseRules()...)
	all = append(all, listRules()...)
	all = append(all, recordRules()...)
	all = append(all, hostRules()...)
	all = append(all, ledgerRules()...)
	return all
}

func (r rule) run(t testing.TB, open func(t testing.TB) Fixture) {
	t.Helper()
	f := open(t)
	if f.Store == nil {
		t.Fatal("storetest: the fixture has no Store")
	}
	if r.needs != nil {
		if missing := r.needs(f); missing != "" {
			t.Skip("not checked: the fixture declares no " + missing)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	r.check(&checker{t: t, f: f, s: f.Store, ctx: ctx, why: r.why})
}

// checker is what a rule works with.
type checker struct {
	t   testing.TB
	f   Fixture
	s   payment.Store
	ctx context.Context
	why string
	n   int
}

// fail ends the test with the rule that is broken.
func (c *checker) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("%s\n\tThe rule: %s", fmt.Sprintf(format, args...), c.why)
}

// ok fails on an error.
func (c *checker) ok(err error, doing string) {
	c.t.Helper()
	if err != nil {
		c.fail("%s: %v", doing, err)
	}
}

// is fails if err is not target.
func (c *checker) is(err, target error, doing string) {
	c.t.Helper()
	if !errors.Is(err, target) {
		c.fail("%s: got %v, want %v", doing, err, target)
	}
}

// update runs fn in an Update that must succeed.
func (c *checker) update(fn func(ctx context.Context, tx payment.Tx) error) {
	c.t.Helper()
	c.ok(c.s.Update(c.ctx, fn), "Update")
}

// id returns a new id.
func (c *checker) id(kind string) string {
	c.n++
	return fmt.Sprintf("%s%04d", kind, c.n)
}

// payment returns the payment with that id, which must be there.
func (c *checker) payment(r payment.Reader, id string) *payment.Payment {
	c.t.Helper()
	p, err := r.Payment(c.ctx, id)
	c.ok(err, "Payment("+id+")")
	return p
}

// absent fails if the payment is there.
func (c *checker) absent(id, when string) {
	c.t.Helper()
	if _, err := c.s.Payment(c.ctx, id); !errors.Is(err, payment.ErrNotFound) {
		c.fail("payment %s is there %s: got %v, want ErrNotFound", id, when, err)
	}
}

// inserted returns a small payment that the store holds.
func (c *checker) inserted() *payment.Payment {
	c.t.Helper()
	p := c.small()
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.InsertPayment(ctx, p) })
	return p
}

// soon waits for a channel, so that a store that hangs is a failure and not a
// hanging test.
func soon[T any](c *checker, ch <-chan T, what string) T {
	c.t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(time.Minute):
		c.fail("%s did not end within a minute", what)
		panic("unreachable")
	}
}
