package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tender-go/payment"
)

func concurrencyRules() []rule {
	return []rule{
		{name: "no dirty read", check: noDirtyRead,
			why: "what a transaction has not committed is seen by nobody else: a step sent on it might never have been planned"},
		{name: "no lost update", check: noLostUpdate,
			why: "of two transactions that read and write one payment, the second sees what the first wrote, or conflicts and runs again"},
		{name: "whole payments", check: wholePayments,
			why: "a payment is read with the operations of its own version, never with those of a later one"},
		{name: "many callers", check: manyCallers,
			why: "64 callers at once all get their own result, and each result is true"},
	}
}

// retry runs an Update again while the store is busy, as callers do.
func (c *checker) retry(s payment.Store, fn func(ctx context.Context, tx payment.Tx) error) error {
	var err error
	for range 20 {
		if err = s.Update(c.ctx, fn); !errors.Is(err, payment.ErrBusy) {
			break
		}
	}
	return err
}

// held runs an Update that stays open until release is called. Its function
// does work first.
func (c *checker) held(work func(ctx context.Context, tx payment.Tx) error) (release func() error) {
	c.t.Helper()
	inside, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		done <- c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
			if err := work(ctx, tx); err != nil {
				return err
			}
			once.Do(func() { close(inside) })
			<-goOn
			return nil
		})
	}()
	release = sync.OnceValue(func() error { close(goOn); return soon(c, done, "the open Update") })
	c.t.Cleanup(func() { _ = release() })
	select {
	case <-inside:
	case err := <-done:
		done <- err
		c.fail("the Update ended before its function was done: %v", err)
	case <-time.After(time.Minute):
		c.fail("the Update did not begin within a minute")
	}
	return release
}

func noDirtyRead(c *checker) {
	p, m, d := c.small(), c.fullMethod(1), c.fullDispute(1)
	seen := c.inserted()
	e := c.event(p.ID)
	release := c.held(func(ctx context.Context, tx payment.Tx) error {
		if err := tx.SavePayment(ctx, next(seen)); err != nil {
			return err
		}
		return writeAll(ctx, tx, p, m, d, e)
	})
	c.nothing(p, m, d, "while its transaction is open")
	if got := c.payment(c.s, seen.ID); got.Version != 1 {
		c.fail("a read outside sees version %d of a payment whose transaction is open", got.Version)
	}
	list, err := c.s.Payments(c.ctx, payment.PaymentQuery{})
	c.ok(err, "Payments")
	if len(list) != 1 {
		c.fail("a list outside shows %d payments while the second is not committed", len(list))
	}
	c.ok(release(), "the open Update")
	c.payment(c.s, p.ID)
}

func noLostUpdate(c *checker) {
	p := c.inserted()
	const callers, each = 8, 10
	done := make(chan error, callers)
	for i := range callers {
		go func() {
			for range each {
				err := c.retry(c.s, func(ctx context.Context, tx payment.Tx) error {
					stored, err := tx.Payment(ctx, p.ID)
					if err != nil {
						return err
					}
					n := next(stored)
					n.Totals.Captured.Done = n.Amount
					n.Route = append(n.Route, fmt.Sprint(i))
					return tx.SavePayment(ctx, n)
				})
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range callers {
		c.ok(soon(c, done, "concurrent changes of one payment"), "Update")
	}
	got := c.payment(c.s, p.ID)
	if got.Version != 1+callers*each || len(got.Route) != callers*each {
		c.fail("after %d changes the payment is at version %d and holds %d of them", callers*each, got.Version, len(got.Route))
	}
}

func wholePayments(c *checker) {
	p := c.inserted()
	stop := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := c.retry(c.s, func(ctx context.Context, tx payment.Tx) error {
				stored, err := tx.Payment(ctx, p.ID)
				if err != nil {
					return err
				}
				n := next(stored)
				o := n.Operations[0]
				o.Revision, o.Why = n.Version, fmt.Sprint(n.Version)
				o.Steps[0].Revision, o.Steps[0].Sends = n.Version, int(n.Version)
				return tx.SavePayment(ctx, n)
			}); err != nil {
				done <- err
				return
			}
		}
	}()
	until := time.Now().Add(300 * time.Millisecond)
	for i := 0; i < 50 || time.Now().Before(until) && i < 5000; i++ {
		got := c.payment(c.s, p.ID)
		o := got.Operations[0]
		if got.Version > 1 && (o.Why != fmt.Sprint(got.Version) || o.Steps[0].Sends != int(got.Version)) {
			c.fail("version %d of a payment was read with operation %s and step %d", got.Version, o.Why, o.Steps[0].Sends)
		}
	}
	close(stop)
	c.ok(soon(c, done, "the writer"), "Update")
}

func manyCallers(c *checker) {
	const callers = 64
	type result struct {
		p   *payment.Payment
		err error
	}
	results := make(chan result, callers)
	for i := range callers {
		p, e := c.small(), c.event("")
		e.PaymentID = p.ID
		go func() {
			err := c.retry(c.s, func(ctx context.Context, tx payment.Tx) error {
				if err := tx.Claim(ctx, payment.Claim{Kind: payment.ClaimKey, Key: p.ID, Owner: p.ID}); err != nil {
					return err
				}
				if err := tx.InsertPayment(ctx, p); err != nil {
					return err
				}
				if i%8 == 7 {
					return errBoom
				}
				return tx.AppendEvents(ctx, e)
			})
			if err == nil {
				err = c.retry(c.s, func(ctx context.Context, tx payment.Tx) error { return tx.SavePayment(ctx, next(p)) })
			}
			results <- result{p, err}
		}()
	}
	good := 0
	for range callers {
		r := soon(c, results, "one of 64 callers")
		if errors.Is(r.err, errBoom) {
			c.absent(r.p.ID, "although its Update returned an error")
			continue
		}
		c.ok(r.err, "Update of one of 64 callers")
		good++
		if got := c.payment(c.s, r.p.ID); got.Version != 2 {
			c.fail("payment %s is at version %d after its save succeeded, want 2", r.p.ID, got.Version)
		}
	}
	if good != callers-callers/8 {
		c.fail("%d of 64 callers succeeded, want 56", good)
	}
	events, err := c.s.Events(c.ctx, payment.EventQuery{Limit: 1000})
	c.ok(err, "Events")
	if len(events) != good {
		c.fail("%d events for %d successful Updates", len(events), good)
	}
}
