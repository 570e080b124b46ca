package storetest

import (
	"bytes"
	"context"
	"time"

	"github.com/tender-go/payment"
)

func recordRules() []rule {
	return []rule{
		{name: "every field", check: everyField,
			why: "every field of every record comes back as it was stored; a forgotten one is a fact lost"},
		{name: "empty fields", check: emptyFields,
			why: "a record with nothing but its ids comes back as such: nil stays nil, no time stays no time, no amount stays no amount"},
		{name: "replace", check: replaceFields,
			why: "a saved record replaces every field of the one before, those that became empty included"},
		{name: "copies", check: copies,
			why: "values handed in and out are the caller's: changing them changes nothing in the store"},
		{name: "nothing outside Sealed", check: nothingOutsideSealed,
			why: "what belongs inside Sealed only (description, metadata, actions, tokens) is never kept in clear"},
		{name: "time", check: keptTime,
			why: "times keep their microsecond and come back in UTC, from whatever zone they came"},
		{name: "odd text", check: oddText,
			why: "a provider's words are kept as they came, NUL and broken UTF-8 included: a text must never refuse a fact about money"},
		{name: "big values", check: bigValues,
			why: "a sealed value of 1 MiB is kept whole"},
	}
}

func everyField(c *checker) {
	for seed := range uint64(3) {
		p, m, d, e := c.full(seed), c.fullMethod(seed), c.fullDispute(seed), c.fullEvent(seed)
		held := payment.Claim{}
		newFiller(seed).fill(&held)
		c.update(func(ctx context.Context, tx payment.Tx) error {
			if err := tx.InsertPayment(ctx, p); err != nil {
				return err
			}
			if err := tx.SaveMethod(ctx, m); err != nil {
				return err
			}
			if err := tx.SaveDispute(ctx, d); err != nil {
				return err
			}
			if err := tx.Claim(ctx, held); err != nil {
				return err
			}
			return tx.AppendEvents(ctx, e)
		})
		c.stored(p, m, d, e)
		gotC, err := c.s.Claimed(c.ctx, held.Kind, held.Key)
		c.ok(err, "Claimed")
		c.same(held, gotC, "a claim")
	}
}

// stored fails if the records do not come back as they are.
func (c *checker) stored(p *payment.Payment, m *payment.SavedMethod, d *payment.Dispute, e *payment.Event) {
	c.t.Helper()
	c.same(p, c.payment(c.s, p.ID), "a payment")
	gotM, err := c.s.Method(c.ctx, m.ID)
	c.ok(err, "Method")
	c.same(m, gotM, "a saved method")
	gotD, err := c.s.Dispute(c.ctx, d.ID)
	c.ok(err, "Dispute")
	c.same(d, gotD, "a dispute")
	gotE, err := c.s.Events(c.ctx, payment.EventQuery{AfterSeq: e.Seq - 1, Limit: 1})
	c.ok(err, "Events")
	if len(gotE) != 1 {
		c.fail("the event is not there")
	}
	c.same(e, gotE[0], "an event")
}

func emptyFields(c *checker) {
	p := &payment.Payment{ID: c.id("p"), Version: 1}
	o := &payment.Operation{ID: c.id("o"), PaymentID: p.ID, Revision: 1}
	o.Steps = []*payment.Step{{ID: c.id("s"), OperationID: o.ID, Revision: 1}}
	p.Operations = []*payment.Operation{o}
	bare := &payment.Payment{ID: c.id("p"), Version: 1, Review: &payment.Review{}, Parked: &payment.Parked{}}
	m, d := &payment.SavedMethod{ID: c.id("m")}, &payment.Dispute{ID: c.id("d")}
	e := &payment.Event{ID: c.id("e"), Dispute: &payment.DisputeFact{}}
	c.update(func(ctx context.Context, tx payment.Tx) error {
		for _, p := range []*payment.Payment{p, bare} {
			if err := tx.InsertPayment(ctx, p); err != nil {
				return err
			}
		}
		if err := tx.SaveMethod(ctx, m); err != nil {
			return err
		}
		if err := tx.SaveDispute(ctx, d); err != nil {
			return err
		}
		return tx.AppendEvents(ctx, e, &payment.Event{ID: c.id("e")})
	})
	c.stored(p, m, d, e)
	c.same(bare, c.payment(c.s, bare.ID), "a payment with an empty review and an empty parking")
	events, err := c.s.Events(c.ctx, payment.EventQuery{AfterSeq: e.Seq})
	c.ok(err, "Events")
	if len(events) != 1 || events[0].Dispute != nil {
		c.fail("an event without a dispute came back with one")
	}
}

func replaceFields(c *checker) {
	first, m, d := c.full(1), c.fullMethod(1), c.fullDispute(1)
	save := func(p *payment.Payment, m *payment.SavedMethod, d *payment.Dispute, e *payment.Event) {
		c.t.Helper()
		c.update(func(ctx context.Context, tx payment.Tx) error {
			write := tx.SavePayment
			if p.Version == 1 {
				write = tx.InsertPayment
			}
			if err := write(ctx, p); err != nil {
				return err
			}
			if err := tx.SaveMethod(ctx, m); err != nil {
				return err
			}
			if err := tx.SaveDispute(ctx, d); err != nil {
				return err
			}
			return tx.AppendEvents(ctx, e)
		})
		c.stored(p, m, d, e)
	}
	save(first, m, d, c.fullEvent(1))

	second, m2, d2 := c.full(2), c.fullMethod(2), c.fullDispute(2)
	second.ID, second.Version, m2.ID, d2.ID = first.ID, 2, m.ID, d.ID
	for i, o := range second.Operations {
		o.ID, o.PaymentID, o.Revision = first.Operations[i].ID, first.ID, 2
		for j, s := range o.Steps {
			s.ID, s.OperationID, s.Revision = first.Operations[i].Steps[j].ID, o.ID, 2
		}
	}
	save(second, m2, d2, c.fullEvent(2))

	third := &payment.Payment{ID: first.ID, Version: 3}
	for _, o := range second.Operations {
		bare := &payment.Operation{ID: o.ID, PaymentID: first.ID, Revision: 3}
		for _, s := range o.Steps {
			bare.Steps = append(bare.Steps, &payment.Step{ID: s.ID, OperationID: o.ID, Revision: 3})
		}
		third.Operations = append(third.Operations, bare)
	}
	save(third, &payment.SavedMethod{ID: m.ID}, &payment.Dispute{ID: d.ID}, &payment.Event{ID: c.id("e")})
}

func copies(c *checker) {
	p, want := c.full(1), c.full(1)
	want.ID = p.ID
	for i, o := range want.Operations {
		o.ID, o.PaymentID = p.Operations[i].ID, p.ID
		for j, s := range o.Steps {
			s.ID, s.OperationID = p.Operations[i].Steps[j].ID, o.ID
		}
	}
	m, wantM := c.fullMethod(1), c.fullMethod(1)
	wantM.ID = m.ID
	held := claim(payment.ClaimKey, "k", "owner")
	key := []byte("wrapped")
	c.update(func(ctx context.Context, tx payment.Tx) error {
		if err := tx.InsertPayment(ctx, p); err != nil {
			return err
		}
		if err := tx.SaveMethod(ctx, m); err != nil {
			return err
		}
		if _, err := tx.PutSubjectKey(ctx, "s", key); err != nil {
			return err
		}
		return tx.Claim(ctx, held)
	})
	// What was handed in.
	spoilPayment(p)
	m.Sealed[0]++
	clear(m.Data)
	held.Fingerprint[0]++
	key[0]++
	c.same(want, c.payment(c.s, want.ID), "a payment whose record the caller changed after the commit")
	// What was handed out.
	spoilPayment(c.payment(c.s, want.ID))
	c.same(want, c.payment(c.s, want.ID), "a payment whose copy the caller changed")
	listed := c.list(payment.PaymentQuery{})[0]
	listed.Sealed[0]++
	listed.Route[0] = "changed"
	c.same(want, c.payment(c.s, want.ID), "a payment whose listed copy the caller changed")
	for range 2 {
		got, err := c.s.Method(c.ctx, wantM.ID)
		c.ok(err, "Method")
		c.same(wantM, got, "a saved method whose copy the caller changed")
		got.Sealed[0]++
		clear(got.Data)
		gotC, err := c.s.Claimed(c.ctx, payment.ClaimKey, "k")
		c.ok(err, "Claimed")
		c.same(claim(payment.ClaimKey, "k", "owner"), gotC, "a claim whose copy the caller changed")
		gotC.Fingerprint[0]++
		gotK, err := c.s.SubjectKey(c.ctx, "s")
		c.ok(err, "SubjectKey")
		c.same([]byte("wrapped"), gotK, "a subject's key whose copy the caller changed")
		gotK[0]++
	}
	// What was read inside a transaction that rolled back.
	err := c.s.Update(c.ctx, func(ctx context.Context, tx payment.Tx) error {
		spoilPayment(c.payment(tx, want.ID))
		return errBoom
	})
	c.is(err, errBoom, "Update")
	c.same(want, c.payment(c.s, want.ID), "a payment whose copy was changed in a transaction that rolled back")
}

func spoilPayment(p *payment.Payment) {
	p.Status = "changed"
	p.Route[0] = "changed"
	p.Sealed[0]++
	p.Review.Reason, p.Parked.Why = "changed", "changed"
	o := p.Operations[0]
	o.State = "changed"
	o.Splits[0].Account = "changed"
	o.Refs[0] = "changed"
	o.Sealed[0]++
	clear(o.Data)
	o.Steps[0].State = "changed"
	o.Steps[0].Request[0]++
	p.Operations = p.Operations[:1]
}

func nothingOutsideSealed(c *checker) {
	p, m, e := c.small(), c.fullMethod(1), c.event("p")
	p.Description, p.Metadata = "for Alice", map[string]string{"name": "Alice"}
	action := &payment.Action{Kind: payment.ActionRedirect, URL: "https://psp.example/secret"}
	p.Operations[0].Action, m.Action, e.Action = action, action, action
	e.Token, e.ProviderCustomer = payment.NewSecret("token"), "cus_alice"
	c.update(func(ctx context.Context, tx payment.Tx) error {
		if err := tx.InsertPayment(ctx, p); err != nil {
			return err
		}
		if err := tx.SaveMethod(ctx, m); err != nil {
			return err
		}
		return tx.AppendEvents(ctx, e)
	})
	n := next(p)
	n.Operations[0].Revision = 2
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.SavePayment(ctx, n) })
	got := c.payment(c.s, p.ID)
	gotM, err := c.s.Method(c.ctx, m.ID)
	c.ok(err, "Method")
	gotE := c.tail(c.s, 0, 10)[0]
	for what, kept := range map[string]bool{
		"Payment.Description":    got.Description != "",
		"Payment.Metadata":       len(got.Metadata) > 0,
		"Operation.Action":       got.Operations[0].Action != nil,
		"SavedMethod.Action":     gotM.Action != nil,
		"Event.Action":           gotE.Action != nil,
		"Event.Token":            !gotE.Token.IsZero(),
		"Event.ProviderCustomer": gotE.ProviderCustomer != "",
	} {
		if kept {
			c.fail("%s came back from the store", what)
		}
	}
	if e.Token.IsZero() || p.Description == "" || p.Operations[0].Action == nil {
		c.fail("the store changed the caller's record")
	}
}

func keptTime(c *checker) {
	zone := time.FixedZone("somewhere", 5*3600+1800)
	at := time.Date(2026, 7, 8, 9, 10, 11, 123456789, zone)
	for _, at := range []time.Time{at, time.Now(), time.UnixMicro(1), time.UnixMicro(-1), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)} {
		p := c.small()
		p.CreatedAt, p.DueAt, p.Operations[0].Steps[0].Lease = at, at, at
		e := c.event(p.ID)
		e.At = at
		c.update(func(ctx context.Context, tx payment.Tx) error {
			if err := tx.InsertPayment(ctx, p); err != nil {
				return err
			}
			return tx.AppendEvents(ctx, e)
		})
		got := c.payment(c.s, p.ID)
		events, err := c.s.Events(c.ctx, payment.EventQuery{PaymentID: p.ID})
		c.ok(err, "Events")
		for what, kept := range map[string]time.Time{"CreatedAt": got.CreatedAt, "DueAt": got.DueAt, "Lease": got.Operations[0].Steps[0].Lease, "At": events[0].At} {
			if d := at.Sub(kept); d < 0 || d >= time.Microsecond {
				c.fail("%s was %s and came back as %s: cut times to the microsecond, never up", what, at, kept)
			}
			if kept.Location() != time.UTC || kept != kept.Round(0) {
				c.fail("%s came back as %s, not in plain UTC", what, kept)
			}
		}
	}
	// A provider's clock may be absurd; its fact is kept.
	e := c.event("absurd")
	e.At = time.Date(290000, 1, 1, 0, 0, 0, 0, time.UTC)
	c.appended(e)
	if got := c.tail(c.s, 0, 100); got[len(got)-1].At.IsZero() {
		c.fail("an absurd time came back as none")
	}
}

func oddText(c *checker) {
	for _, odd := range []string{"a\x00b", "\x00", "\xff\xfe", "caf\xe9", "\x1a", "\x1a\x1a00", "\ud7ff", "\u0000\u001a", "a\xc3", "'; --"} {
		p, e, m := c.small(), c.event("p"), c.fullMethod(1)
		o := p.Operations[0]
		o.Decline.Message, o.Failure.Message, o.Why = odd, odd, odd
		o.Data = map[string]string{"key" + odd: odd}
		o.Splits = []payment.Split{{Merchant: odd}}
		o.Card.BIN = odd
		o.Ref, o.Refs = "ref"+odd, []string{odd}
		p.Route = []string{odd}
		p.Parked = &payment.Parked{Why: odd}
		e.Reason, e.Ref, e.Refs, e.Data = odd, odd, []string{odd}, map[string]string{odd: odd}
		e.Dispute = &payment.DisputeFact{Reason: odd}
		m.Data = map[string]string{"x": odd}
		held := claim(payment.ClaimRef, "psp:"+odd, odd)
		c.update(func(ctx context.Context, tx payment.Tx) error {
			if err := tx.Claim(ctx, held); err != nil {
				return err
			}
			if err := tx.InsertPayment(ctx, p); err != nil {
				return err
			}
			if err := tx.SaveMethod(ctx, m); err != nil {
				return err
			}
			return tx.AppendEvents(ctx, e)
		})
		c.same(p, c.payment(c.s, p.ID), "a payment")
		got, err := c.s.Claimed(c.ctx, payment.ClaimRef, "psp:"+odd)
		c.ok(err, "Claimed")
		c.same(held, got, "a claim")
		events, err := c.s.Events(c.ctx, payment.EventQuery{AfterSeq: e.Seq - 1})
		c.ok(err, "Events")
		c.same(e, events[0], "an event")
		gotM, err := c.s.Method(c.ctx, m.ID)
		c.ok(err, "Method")
		c.same(m, gotM, "a saved method")
	}
}

func bigValues(c *checker) {
	p, m := c.small(), c.fullMethod(1)
	p.Sealed = bytes.Repeat([]byte{0, 1, 2, 255}, 1<<18)
	p.Operations[0].Sealed = bytes.Repeat([]byte{7}, 1<<20)
	p.Operations[0].Steps[0].Request = bytes.Repeat([]byte{0}, 1<<20)
	m.Sealed = p.Sealed
	c.update(func(ctx context.Context, tx payment.Tx) error {
		if err := tx.SaveMethod(ctx, m); err != nil {
			return err
		}
		return tx.InsertPayment(ctx, p)
	})
	got := c.payment(c.s, p.ID)
	gotM, err := c.s.Method(c.ctx, m.ID)
	c.ok(err, "Method")
	if !bytes.Equal(got.Sealed, p.Sealed) || !bytes.Equal(got.Operations[0].Sealed, p.Operations[0].Sealed) ||
		!bytes.Equal(got.Operations[0].Steps[0].Request, p.Operations[0].Steps[0].Request) || !bytes.Equal(gotM.Sealed, m.Sealed) {
		c.fail("sealed values of 1 MiB came back changed")
	}
}
