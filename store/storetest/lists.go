package storetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tender-go/payment"
)

func listRules() []rule {
	return []rule{
		{name: "payments newest first", check: paymentsInOrder,
			why: "Payments lists newest first, by CreatedAt and then ID, without operations"},
		{name: "payments in pages", check: paymentsInPages,
			why: "pages that follow a cursor hold every payment once, also those of the same instant"},
		{name: "payments filtered", check: paymentsFiltered,
			why: "each filter lets through what it says, and together they all hold"},
		{name: "disputes listed", check: disputesListed,
			why: "Disputes lists newest first, in pages, with filters"},
		{name: "methods listed", check: methodsListed,
			why: "Methods lists a customer's methods, oldest first"},
	}
}

func ids[T any](all []T, id func(T) string) []string {
	out := []string{}
	for _, v := range all {
		out = append(out, id(v))
	}
	return out
}

func paymentID(p *payment.Payment) string { return p.ID }

func (c *checker) list(q payment.PaymentQuery) []*payment.Payment {
	c.t.Helper()
	got, err := c.s.Payments(c.ctx, q)
	c.ok(err, "Payments")
	return got
}

func paymentsInOrder(c *checker) {
	var want []string
	for range 110 {
		want = append(want, c.inserted().ID)
	}
	slices.Reverse(want)
	got := c.list(payment.PaymentQuery{})
	if !slices.Equal(ids(got, paymentID), want[:100]) {
		c.fail("the list without filters is not the newest 100 in order; it has %d", len(got))
	}
	for _, p := range got {
		if len(p.Operations) != 0 {
			c.fail("a listed payment carries operations")
		}
	}
	p := c.full(5)
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.InsertPayment(ctx, p) })
	p.Operations = nil
	c.same(p, c.list(payment.PaymentQuery{Reference: p.Reference})[0], "a listed payment")
}

func paymentsInPages(c *checker) {
	var want []string
	c.update(func(ctx context.Context, tx payment.Tx) error {
		want = nil
		for i := range 25 {
			p := c.small()
			p.CreatedAt = epoch.Add(time.Duration(i/5) * time.Second) // five of each instant
			want = append(want, p.ID)
			if err := tx.InsertPayment(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	slices.Reverse(want)
	for _, limit := range []int{1, 4, 5, 25} {
		var got []string
		after := ""
		for range 30 {
			page := c.list(payment.PaymentQuery{After: after, Limit: limit})
			if len(page) == 0 {
				break
			}
			got = append(got, ids(page, paymentID)...)
			after = payment.Cursor(page[len(page)-1])
		}
		if !slices.Equal(got, want) {
			c.fail("in pages of %d the list is %v, want %v", limit, got, want)
		}
	}
	for _, q := range []payment.PaymentQuery{{Limit: -1}, {Limit: 1001}, {After: "!"}, {After: "no-cursor"}} {
		if _, err := c.s.Payments(c.ctx, q); err == nil {
			c.fail("the query %+v was accepted", q)
		}
	}
}

func paymentsFiltered(c *checker) {
	var all []*payment.Payment
	for i := range 24 {
		p := c.small()
		p.Reference = fmt.Sprintf("order-%d", i%3)
		p.Customer = fmt.Sprintf("customer-%d", i%4)
		p.Status = []payment.Status{payment.StatusCreated, payment.StatusCaptured, payment.StatusUnknown}[i%3]
		p.CreatedAt = epoch.Add(time.Duration(i) * time.Minute)
		p.Operations[0].Provider = fmt.Sprintf("psp-%d", i%2)
		p.Operations[0].State = payment.States()[i%len(payment.States())]
		if i%5 == 0 {
			p.Parked = &payment.Parked{Since: epoch}
		}
		if i%6 == 0 {
			p.Operations = nil
		}
		all = append(all, p)
		c.update(func(ctx context.Context, tx payment.Tx) error { return tx.InsertPayment(ctx, p) })
	}
	slices.Reverse(all)
	operation := func(p *payment.Payment, ok func(*payment.Operation) bool) bool {
		return slices.ContainsFunc(p.Operations, ok)
	}
	open := func(p *payment.Payment) bool {
		return operation(p, func(o *payment.Operation) bool { return o.State.Outstanding() })
	}
	at := func(p *payment.Payment) int { return int(p.CreatedAt.Sub(epoch) / time.Minute) }
	for _, tc := range []struct {
		name string
		q    payment.PaymentQuery
		want func(*payment.Payment) bool
	}{
		{"Reference", payment.PaymentQuery{Reference: "order-1"}, func(p *payment.Payment) bool { return p.Reference == "order-1" }},
		{"Customer", payment.PaymentQuery{Customer: "customer-2"}, func(p *payment.Payment) bool { return p.Customer == "customer-2" }},
		{"Statuses", payment.PaymentQuery{Statuses: []payment.Status{payment.StatusUnknown, payment.StatusCreated}},
			func(p *payment.Payment) bool { return p.Status != payment.StatusCaptured }},
		{"Provider", payment.PaymentQuery{Provider: "psp-1"},
			func(p *payment.Payment) bool {
				return operation(p, func(o *payment.Operation) bool { return o.Provider == "psp-1" })
			}},
		{"ParkedOnly", payment.PaymentQuery{ParkedOnly: true}, func(p *payment.Payment) bool { return p.Parked != nil }},
		{"OpenOnly", payment.PaymentQuery{OpenOnly: true}, open},
		{"OpenNotAt", payment.PaymentQuery{OpenNotAt: []string{"psp-0", "psp-2"}}, func(p *payment.Payment) bool {
			return operation(p, func(o *payment.Operation) bool { return o.State.Outstanding() && o.Provider == "psp-1" })
		}},
		{"From and To", payment.PaymentQuery{From: epoch.Add(3 * time.Minute), To: epoch.Add(9 * time.Minute)},
			func(p *payment.Payment) bool { return at(p) >= 3 && at(p) < 9 }},
		{"all at once", payment.PaymentQuery{Reference: "order-1", Provider: "psp-1", OpenOnly: true, Statuses: []payment.Status{payment.StatusCaptured},
			From: epoch.Add(time.Minute), To: epoch.Add(20 * time.Minute)},
			func(p *payment.Payment) bool {
				return p.Reference == "order-1" && p.Status == payment.StatusCaptured && at(p)%2 == 1 && len(p.Operations) > 0 && open(p) && at(p) >= 1 && at(p) < 20
			}},
	} {
		var want []string
		for _, p := range all {
			if tc.want(p) {
				want = append(want, p.ID)
			}
		}
		if got := ids(c.list(tc.q), paymentID); len(want) == 0 || !slices.Equal(got, want) {
			c.fail("the filter %s lists %v, want %v", tc.name, got, want)
		}
	}
	// A change of what is filtered by shows at once.
	p := *all[0]
	p.Version, p.Status, p.Parked, p.Operations = 2, payment.StatusRefunded, &payment.Parked{Why: "why"}, nil
	c.update(func(ctx context.Context, tx payment.Tx) error { return tx.SavePayment(ctx, &p) })
	got := c.list(payment.PaymentQuery{Statuses: []payment.Status{payment.StatusRefunded}, ParkedOnly: true})
	if len(got) != 1 || got[0].ID != p.ID {
		c.fail("a payment that came to match a filter is not listed")
	}
}

func disputesListed(c *checker) {
	var all []*payment.Dispute
	for i := range 12 {
		d := &payment.Dispute{ID: c.id("d"), PaymentID: fmt.Sprintf("p%d", i%2), Provider: fmt.Sprintf("psp-%d", i%3),
			Status: []payment.DisputeStatus{payment.DisputeNeedsResponse, payment.DisputeLost}[i%2], CreatedAt: epoch.Add(time.Duration(i/4) * time.Second)}
		all = append(all, d)
		c.update(func(ctx context.Context, tx payment.Tx) error { return tx.SaveDispute(ctx, d) })
	}
	slices.Reverse(all)
	disputeID := func(d *payment.Dispute) string { return d.ID }
	for _, tc := range []struct {
		q    payment.DisputeQuery
		want func(*payment.Dispute) bool
	}{
		{payment.DisputeQuery{}, func(*payment.Dispute) bool { return true }},
		{payment.DisputeQuery{PaymentID: "p1"}, func(d *payment.Dispute) bool { return d.PaymentID == "p1" }},
		{payment.DisputeQuery{Provider: "psp-2"}, func(d *payment.Dispute) bool { return d.Provider == "psp-2" }},
		{payment.DisputeQuery{Statuses: []payment.DisputeStatus{payment.DisputeLost}}, func(d *payment.Dispute) bool { return d.Status == payment.DisputeLost }},
	} {
		want := ids(slices.DeleteFunc(slices.Clone(all), func(d *payment.Dispute) bool { return !tc.want(d) }), disputeID)
		for _, limit := range []int{0, 1, 5} {
			var got []string
			tc.q.After, tc.q.Limit = "", limit
			for range 20 {
				page, err := c.s.Disputes(c.ctx, tc.q)
				c.ok(err, "Disputes")
				if len(page) == 0 {
					break
				}
				got = append(got, ids(page, disputeID)...)
				tc.q.After = got[len(got)-1]
			}
			if !slices.Equal(got, want) {
				c.fail("Disputes %+v lists %v, want %v", tc.q, got, want)
			}
		}
	}
	_, err := c.s.Disputes(c.ctx, payment.DisputeQuery{After: "nowhere"})
	c.is(err, payment.ErrNotFound, "Disputes behind a dispute that is not stored")
	if _, err := c.s.Disputes(c.ctx, payment.DisputeQuery{Limit: 1001}); err == nil {
		c.fail("Limit 1001 was accepted")
	}
}

func methodsListed(c *checker) {
	var want []string
	for i := range 8 {
		m := &payment.SavedMethod{ID: c.id("m"), Customer: fmt.Sprintf("c%d", i%2), State: payment.MethodActive, CreatedAt: epoch.Add(time.Duration(i/4) * time.Second)}
		c.update(func(ctx context.Context, tx payment.Tx) error { return tx.SaveMethod(ctx, m) })
		if i%2 == 1 {
			want = append(want, m.ID)
		}
	}
	got, err := c.s.Methods(c.ctx, "c1")
	c.ok(err, "Methods")
	if g := ids(got, func(m *payment.SavedMethod) string { return m.ID }); !slices.Equal(g, want) {
		c.fail("Methods lists %v, want %v", g, want)
	}
	if got, err := c.s.Methods(c.ctx, "nobody"); err != nil || len(got) != 0 {
		c.fail("Methods of an unknown customer: %d and %v", len(got), err)
	}
}
