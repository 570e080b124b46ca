package storetest

import (
	"context"
	"errors"

	"github.com/tender-go/payment"
)

func paymentRules() []rule {
	return []rule{
		{name: "save compares versions", check: saveCompares,
			why: "SavePayment replaces a payment only if the stored version is p.Version-1, else ErrConflict: a plan made on an old record may not be written"},
		{name: "save writes the changed", check: saveWritesChanged,
			why: "of the operations and steps SavePayment writes those whose Revision is p.Version, in place; none is ever removed"},
		{name: "insert once", check: insertOnce,
			why: "inserting a payment whose id is stored fails and changes nothing"},
		{name: "not found", check: notFound,
			why: "what is not stored is ErrNotFound, so that callers can tell it from a failing store"},
		{name: "subjects", check: subjects,
			why: "a subject has one key; it can be destroyed for good, and never comes back"},
	}
}

func saveCompares(c *checker) {
	p := c.inserted()
	for _, version := range []int64{1, 3, 0, -1} {
		stale := *p
		stale.Version, stale.Status = version, payment.StatusCanceled
		err := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
			if err := tx.SavePayment(ctx, &stale); !errors.Is(err, payment.ErrConflict) {
				c.fail("SavePayment with version %d over a stored 1 returned %v, want ErrConflict", version, err)
			}
			return errBoom
		})
		c.is(err, errBoom, "Update")
	}
	if got := c.payment(c.s, p.ID); got.Version != 1 || got.Status == payment.StatusCanceled {
		c.fail("a save with a wrong version changed the payment: version %d, %s", got.Version, got.Status)
	}
	unknown := c.small()
	unknown.Version = 2
	err := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
		if err := tx.SavePayment(ctx, unknown); !errors.Is(err, payment.ErrConflict) {
			c.fail("SavePayment of a payment that is not stored returned %v, want ErrConflict", err)
		}
		return errBoom
	})
	c.is(err, errBoom, "Update")
	c.absent(unknown.ID, "after a save without an insert")
}

func saveWritesChanged(c *checker) {
	p := c.small()
	second := c.operation(p.ID, 1)
	p.Operations = append(p.Operations, second)
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.InsertPayment(ctx, p) })

	// Version 2: of the first operation only a step changes, the second is not
	// in the record at all, a third is new.
	n := c.payment(c.s, p.ID)
	n.Version = 2
	first := n.Operations[0]
	first.Why = "changed without a new Revision"
	first.Steps[0].Revision, first.Steps[0].Sends = 2, 1
	added := c.step(first.ID, 2)
	kept := c.step(first.ID, 1) // new, but its Revision says that it did not change
	first.Steps = append(first.Steps, added, kept)
	third := c.operation(p.ID, 2)
	n.Operations = []*payment.Operation{first, n.Operations[1], third}
	n.Operations[1].Steps[0].Sends = 99 // not its Revision either
	n.Operations[1].Provider = "other"
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.SavePayment(ctx, n) })

	want := c.payment(c.s, p.ID)
	if len(want.Operations) != 3 || want.Operations[0].ID != first.ID || want.Operations[1].ID != second.ID || want.Operations[2].ID != third.ID {
		c.fail("the operations are not the three in the order they began: %d of them", len(want.Operations))
	}
	got := want.Operations[0]
	if got.Why != "" {
		c.fail("an operation whose Revision is not the payment's Version was written")
	}
	if len(got.Steps) != 2 || got.Steps[0].Sends != 1 || got.Steps[1].ID != added.ID {
		c.fail("of the first operation's steps %d are stored; want the changed one and the added one", len(got.Steps))
	}
	c.same(second, want.Operations[1], "an operation that did not change")

	// Version 3: the record names none of them, and none is removed.
	bare := *want
	bare.Version, bare.Operations = 3, nil
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.SavePayment(ctx, &bare) })
	if after := c.payment(c.s, p.ID); len(after.Operations) != 3 || after.Version != 3 {
		c.fail("after a save that names no operation %d of 3 are left", len(after.Operations))
	}

	// An operation that changes keeps the steps it is saved without.
	o := *want.Operations[2]
	o.Revision, o.State, o.Steps = 4, payment.StateApproved, nil
	last := bare
	last.Version, last.Operations = 4, []*payment.Operation{want.Operations[0], want.Operations[1], &o}
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.SavePayment(ctx, &last) })
	if got := c.payment(c.s, p.ID).Operations[2]; got.State != payment.StateApproved || len(got.Steps) != 1 {
		c.fail("the changed operation is %s with %d steps, want approved with 1", got.State, len(got.Steps))
	}
}

func insertOnce(c *checker) {
	p := c.inserted()
	again := *p
	again.Status = payment.StatusCanceled
	if err := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error { return tx.InsertPayment(ctx, &again) }); err == nil {
		c.fail("a second payment with the same id was accepted")
	}
	c.same(p, c.payment(c.s, p.ID), "the payment that was there first")
}

func notFound(c *checker) {
	look := func(r payment.Reader, ctx context.Context) {
		_, err := r.Payment(ctx, "nowhere")
		c.is(err, payment.ErrNotFound, "Payment")
		_, err = r.Method(ctx, "nowhere")
		c.is(err, payment.ErrNotFound, "Method")
		_, err = r.Dispute(ctx, "nowhere")
		c.is(err, payment.ErrNotFound, "Dispute")
		_, err = r.Claimed(ctx, payment.ClaimKey, "nowhere")
		c.is(err, payment.ErrNotFound, "Claimed")
		_, err = r.SubjectKey(ctx, "nowhere")
		c.is(err, payment.ErrNotFound, "SubjectKey")
		list, err := r.Payments(ctx, payment.PaymentQuery{Reference: "nowhere"})
		if err != nil || len(list) != 0 {
			c.fail("a list without a match returned %d records and %v, want none and nil", len(list), err)
		}
	}
	look(c.s, c.ctx)
	c.update(func(ctx context.Context, tx payment.Tx) error { look(tx, ctx); return nil })
}

func subjects(c *checker) {
	put := func(key string) (existing []byte, err error) {
		uerr := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
			existing, err = tx.PutSubjectKey(ctx, "alice", []byte(key))
			return nil
		})
		c.ok(uerr, "Update")
		return existing, err
	}
	destroy := func(subject string) (err error) {
		c.update(func(ctx context.Context, tx payment.Tx) error { err = tx.DestroySubjectKey(ctx, subject); return nil })
		return err
	}
	c.is(destroy("alice"), payment.ErrNotFound, "DestroySubjectKey of a subject without a key")
	existing, err := put("first")
	c.ok(err, "PutSubjectKey")
	if existing != nil {
		c.fail("the first PutSubjectKey returned an existing key")
	}
	existing, err = put("second")
	c.ok(err, "PutSubjectKey")
	if string(existing) != "first" {
		c.fail("PutSubjectKey over a key returned %q, want the first", existing)
	}
	got, err := c.s.SubjectKey(c.ctx, "alice")
	if err != nil || string(got) != "first" {
		c.fail("SubjectKey returned %q and %v, want the first", got, err)
	}
	c.ok(destroy("alice"), "DestroySubjectKey")
	c.ok(destroy("alice"), "DestroySubjectKey again")
	_, err = c.s.SubjectKey(c.ctx, "alice")
	c.is(err, payment.ErrErased, "SubjectKey of a destroyed key")
	_, err = put("third")
	c.is(err, payment.ErrErased, "PutSubjectKey over a destroyed key")
	_, err = c.s.SubjectKey(c.ctx, "alice")
	c.is(err, payment.ErrErased, "SubjectKey of a destroyed key")

	// Of callers at the same time one key wins, and all get that one.
	type result struct {
		key string
		err error
	}
	results := make(chan result, 8)
	for i := range cap(results) {
		go func() {
			mine := string(rune('a' + i))
			var held []byte
			err := c.retry(c.s, func(ctx context.Context, tx payment.Tx) (err error) {
				held, err = tx.PutSubjectKey(ctx, "bob", []byte(mine))
				return err
			})
			if held != nil {
				mine = string(held)
			}
			results <- result{mine, err}
		}()
	}
	keys := map[string]bool{}
	for range cap(results) {
		r := soon(c, results, "PutSubjectKey")
		c.ok(r.err, "PutSubjectKey")
		keys[r.key] = true
	}
	if len(keys) != 1 {
		c.fail("8 callers hold %d different keys of one subject", len(keys))
	}
}
