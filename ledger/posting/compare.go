package posting

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// Difference is an amount that a payment's totals and the books do not agree
// on.
type Difference struct {
	Payment string
	// What is compared: a name of payment.Totals, "held", "fees", "excess", or
	// what was taken of a part ("taken from merchant ada").
	What string
	// Record is what the payment says, Books what the ledger does.
	Record, Books money.Amount
}

// String is one line.
func (d Difference) String() string {
	return fmt.Sprintf("payment %s: %s is %s by its record and %s by the books", d.Payment, d.What, d.Record, d.Books)
}

// Compare holds the totals of payments against the books and names every
// difference; none means that they agree. The payments must be as they are
// now: with events coming in meanwhile, a difference may be a matter of time,
// and CatchUp says for certain. Beyond the totals it asks of each attempt that
// excess is what went back beyond all that was collected of it, and that no part
// gave more than it had: so no part has money that went back. It reads the whole journal once. Stages that
// are not booked by the rules are left out.
func (b *Books) Compare(ctx context.Context, payments ...*payment.Payment) ([]Difference, error) {
	b.mu.RLock()
	store := b.store
	b.mu.RUnlock()
	if store == nil {
		return nil, &Error{"Compare", "is called before payment.New", "give the Books to payment.Config first"}
	}
	of := map[string]*tally{}
	all := make([]*tally, 0, len(payments))
	for _, p := range payments {
		t := &tally{p: p, sums: map[sumKey]int64{}, journal: journal{}}
		all = append(all, t)
		for _, o := range p.Operations {
			of[o.ID] = t
		}
	}
	err := store.(ledger.Store).Ledger().View(ctx, func(ctx context.Context, v ledger.View) error { //nolint:forcetypeassert // Check saw it
		for _, t := range all {
			clear(t.sums)
			clear(t.journal)
		}
		return v.Journal(ctx, 0, 0, func(r *ledger.Record, broken error) error {
			if broken != nil {
				return broken
			}
			operation, stage, _ := strings.Cut(r.Key, ":")
			if t := of[operation]; t != nil {
				t.add(stage, r)
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	var out []Difference
	for _, t := range all {
		out = append(out, b.differences(t)...)
	}
	return out, nil
}

// tally adds up what the journal says of a payment.
type tally struct {
	p       *payment.Payment
	sums    map[sumKey]int64
	journal journal // of what the pools are made of
}

type sumKey struct {
	stage    Stage
	currency money.Currency
}

// add takes a record in. The debit side of a posting is its amount; of a
// reversal it is the credit side, which was the debit side of what it undoes.
func (t *tally) add(stage string, r *ledger.Record) {
	stage, _, _ = strings.Cut(stage, ":")
	stage, _, _ = strings.Cut(stage, "#")
	s, sign := Stage(stage), int64(1)
	if s == Captured || s == Refunded || s == DisputeLost {
		t.journal.add(r)
	}
	if (s == ProviderFee || s == DisputeFee) && strings.HasPrefix(postedOf(r).amount, "-") {
		sign = -1 // a fee that was given back
	}
	for _, l := range r.Lines {
		k := sumKey{s, l.Account.Currency}
		switch {
		case l.Layer == ledger.HeldDebit && r.Kind == ledger.KindSettle:
			k.stage = Held // it lowers the hold, whichever it is
			if s == Overpaid {
				k.stage = HeldOverpaid
			}
			t.sums[k] += l.Amount
		case l.Layer == ledger.HeldDebit:
			t.sums[k] += l.Amount
		case l.Layer == ledger.Posted && r.Kind == ledger.KindReversal && l.Amount < 0:
			t.sums[k] += sign * l.Amount
		case l.Layer == ledger.Posted && r.Kind != ledger.KindReversal && l.Amount > 0:
			t.sums[k] += sign * l.Amount
		}
	}
}

// add takes a posting in, or that it was undone.
func (j journal) add(r *ledger.Record) {
	if of, ok := strings.CutSuffix(r.Key, Undone("")); !ok {
		j[r.Key] = postedOf(r)
	} else if was := j[of]; was != nil {
		was.undone = true
	}
}

// pools compares what the parts of each attempt gave with what they had, and
// names what CatchUp would correct.
func (b *Books) pools(t *tally) []Difference {
	x := &pass{books: b, p: t.p, journal: t.journal, anew: map[string]string{}}
	var out []Difference
	for _, root := range t.p.Operations {
		if root.Kind != payment.OpAuthorize {
			continue
		}
		l, before := x.settled(root, x.drawn(root)), len(x.changes)
		if x.resettle(root); len(x.changes) == before {
			continue
		}
		tell := func(what string, record, books int64) {
			if record != books {
				out = append(out, Difference{Payment: t.p.ID, What: what, Record: money.Of(record, x.currency()), Books: money.Of(books, x.currency())})
			}
		}
		tell("excess", l.excess(), l.over)
		for i, s := range l.parts {
			if s.amount.IsNegative() {
				tell("taken from "+s.name(), l.full[i].amount.Minor(), l.full[i].amount.Minor()-s.amount.Minor())
			}
		}
	}
	return out
}

// name says whose a share is.
func (s share) name() string {
	switch s.kind {
	case Part:
		return "merchant " + s.merchant
	case Commission:
		return "the commission of " + s.merchant
	}
	return "the shop's own part"
}

func (b *Books) differences(t *tally) []Difference {
	p, c := t.p, t.p.Amount.Currency()
	var out []Difference
	check := func(what string, record money.Amount, stages ...Stage) {
		if slices.ContainsFunc(stages, func(s Stage) bool { return len(b.rules.legs[s]) == 0 }) {
			return
		}
		booked := int64(0)
		for _, s := range stages {
			booked += t.sums[sumKey{s, record.Currency()}]
		}
		if booked != record.Minor() {
			out = append(out, Difference{Payment: p.ID, What: what, Record: record, Books: money.Of(booked, record.Currency())})
		}
	}
	n := p.Totals
	check("captured", in(n.Captured.Done, c), Captured)
	check("refunded", in(n.Refunded.Done, c), Refunded)
	check("overpaid", in(n.Overpaid.Done, c), Overpaid)
	check("overpaid and refunded", in(n.OverpaidRefunded.Done, c), OverpaidRefunded)
	check("disputed and lost", in(n.Disputed.Done, c), DisputeLost, DisputeLostOverpaid)
	check("disputed", money.Of(n.Disputed.Done.Minor()+n.Disputed.Pending.Minor(), c), Disputed)
	check("transferred", in(n.Transferred.Done, c), Transferred)
	holds := map[bool]int64{}
	fees := map[money.Currency]int64{c: 0}
	for _, o := range p.Operations {
		if o.Kind == payment.OpAuthorize {
			holds[o.Overpaid] += held(p, o).Minor()
		}
		if o.Fee != (money.Amount{}) {
			fees[o.Fee.Currency()] += o.Fee.Minor()
		}
	}
	check("held", money.Of(holds[false], c), Held)
	check("held and overpaid", money.Of(holds[true], c), HeldOverpaid)
	for _, currency := range slices.Sorted(maps.Keys(fees)) {
		check("fees", money.Of(fees[currency], currency), ProviderFee, DisputeFee)
	}
	return append(out, b.pools(t)...)
}

// in gives an amount that was never set the payment's currency.
func in(a money.Amount, c money.Currency) money.Amount { return money.Of(a.Minor(), c) }
