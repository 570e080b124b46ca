package main

import (
	"context"
	"fmt"
	"sort"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/sandbox"
)

// row is what became of one order, by the shop's own records.
type row struct {
	order    order
	payments []*payment.Payment
	attempts []attempt
	refused  string // a wish that the shop refused, in words
	second   []seen // what a second press of the button showed
}

// attempt is one way that the payer tried, with all that followed from it.
type attempt struct {
	op     *payment.Operation // nil if nothing was ever sent
	states []payment.Status   // the payment went through, in order
}

func (a *attempt) went(s payment.Status) {
	if s != "" && (len(a.states) == 0 || a.states[len(a.states)-1] != s) {
		a.states = append(a.states, s)
	}
}

func (r row) payment() *payment.Payment {
	if len(r.payments) == 0 {
		return nil
	}
	return r.payments[len(r.payments)-1]
}

// readRow reads an order's payments and their history.
func readRow(ctx context.Context, pay *payment.Client, o order, did played) (row, error) {
	r := row{order: o, refused: did.refused, second: did.second}
	found, err := pay.List(ctx, payment.PaymentQuery{Reference: o.Number})
	if err != nil {
		return r, err
	}
	for i := len(found) - 1; i >= 0; i-- { // oldest first
		p, err := pay.Get(ctx, found[i].ID)
		if err != nil {
			return r, err
		}
		r.payments = append(r.payments, p)
		events, err := pay.Events(ctx, payment.EventQuery{PaymentID: p.ID, Limit: 1000})
		if err != nil {
			return r, err
		}
		r.attempts = append(r.attempts, attempts(p, events)...)
	}
	return r, nil
}

// attempts splits a payment's history where another attempt begins. What
// changed nothing (a webhook that says what an answer said before) is left out.
func attempts(p *payment.Payment, events []*payment.Event) []attempt {
	all := []attempt{{}}
	begun := map[string]bool{}
	for _, e := range events {
		if !e.Applied {
			continue
		}
		now := &all[len(all)-1]
		if o := p.Operation(e.OperationID); o != nil && o.Kind == payment.OpAuthorize && !begun[o.ID] {
			begun[o.ID] = true
			if now.op != nil {
				all = append(all, attempt{})
				now = &all[len(all)-1]
			}
			now.op = o
		}
		now.went(e.PaymentStatus)
	}
	return all
}

// kept is what the shop has of an order: captured, less what went back.
func (r row) kept() money.Amount {
	sum, err := addUp([]row{r})
	if err != nil || len(sum) != 1 {
		return money.Zero(r.order.Amount.Currency())
	}
	left, err := sum[0].captured.Sub(sum[0].refunded)
	if err != nil {
		return money.Zero(r.order.Amount.Currency())
	}
	return left
}

// total is what came in and went back in one currency.
type total struct {
	currency           money.Currency
	captured, refunded money.Amount // by the shop's records
	gross, net         money.Amount // by the sandbox; zero values without one
}

// addUp sums what the shop's records say, per currency.
func addUp(rows []row) ([]total, error) {
	by := map[money.Currency]*total{}
	for _, r := range rows {
		for _, p := range r.payments {
			c := p.Amount.Currency()
			t := by[c]
			if t == nil {
				t = &total{currency: c, captured: money.Zero(c), refunded: money.Zero(c)}
				by[c] = t
			}
			var err error
			if t.captured, err = money.Sum(c, t.captured, p.Totals.Captured.Done, p.Totals.Overpaid.Done); err != nil {
				return nil, err
			}
			if t.refunded, err = money.Sum(c, t.refunded, p.Totals.Refunded.Done, p.Totals.OverpaidRefunded.Done); err != nil {
				return nil, err
			}
		}
	}
	var out []total
	for _, t := range by {
		out = append(out, *t)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].currency < out[j].currency })
	return out, nil
}

// compare holds the shop's records against what the sandbox really collected,
// in all and order by order, and names every difference.
func compare(rows []row, totals []total, bank *sandbox.Server) (differences []string) {
	differ := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	for i := range totals {
		t := &totals[i]
		gross, net := bank.Stripe.Collected(lower(t.currency))
		t.gross, t.net = money.Of(gross, t.currency), money.Of(net, t.currency)
		kept, err := t.captured.Sub(t.refunded)
		if err != nil || t.captured != t.gross || kept != t.net {
			differ("%s: the shop recorded %s captured and %s kept, the sandbox collected %s and %s", t.currency, t.captured, kept, t.gross, t.net)
		}
	}
	for _, r := range rows {
		for _, p := range r.payments {
			for _, o := range p.Operations {
				if o.State.Outstanding() && o.State != payment.StateActionRequired || o.State == payment.StateFailed {
					differ("%s: the %s is %s %s", r.order.Number, o.Kind, o.State, o.Failure.Message)
				}
			}
		}
		charged := 0
		received, back := money.Zero(r.order.Amount.Currency()), money.Zero(r.order.Amount.Currency())
		for _, pi := range bank.Stripe.PaymentsWhere(map[string]string{"order": r.order.Number}) {
			if pi.Received > 0 {
				charged++
			}
			received = money.Of(received.Minor()+pi.Received, received.Currency())
			back = money.Of(back.Minor()+pi.Refunded, back.Currency())
		}
		if charged > 1 {
			differ("%s was charged %d times", r.order.Number, charged)
		}
		mine, err := addUp([]row{r})
		switch {
		case err != nil:
			differ("%s: %v", r.order.Number, err)
		case len(mine) != 1:
			differ("%s has no payment", r.order.Number)
		case mine[0].captured != received || mine[0].refunded != back:
			differ("%s: the shop recorded %s captured and %s refunded, the sandbox %s and %s", r.order.Number, mine[0].captured, mine[0].refunded, received, back)
		}
	}
	return differences
}
