package simulation

import (
	"context"
	"strings"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/ledger/posting"
	"github.com/tender-go/payment/money"
)

// RuleBooks: the books say something else than the payments, or do not balance.
const RuleBooks Rule = "books"

// newBooks makes books on the world's clock.
func (w *world) newBooks() *posting.Books {
	b, err := posting.New(posting.Config{Now: w.clock.Now})
	if err != nil {
		panic("simulation: posting.New: " + err.Error())
	}
	return b
}

// splitsOf divides every other order among two merchants, the platform and the
// shop, in parts that leave cents over.
func splitsOf(amount money.Amount) []payment.Split {
	n, c := amount.Minor(), amount.Currency()
	if n < 10 || n%4 > 1 {
		return nil
	}
	a, b := n/3, n/5
	return []payment.Split{
		{Account: "acct_1", Merchant: "one", Amount: money.Of(a, c), Commission: money.Of(a/10, c)},
		{Merchant: "two", Amount: money.Of(b, c), Commission: money.Of(b/7, c)},
		{Amount: money.Of(n-a-b, c)},
	}
}

// LedgerTx implements ledger.Keeper.
func (t *watch) LedgerTx() ledger.Tx { return t.Tx.(ledger.Keeper).LedgerTx() } //nolint:forcetypeassert // memstore's

// checkBooks compares the books with the records.
func (w *world) checkBooks() {
	if w.booked == w.commits {
		return
	}
	w.booked = w.commits
	was := w.cur
	w.cur = nil // an auditor's look is no instant
	defer func() { w.cur = was }()
	if w.auditor == nil {
		w.auditor = w.newBooks()
		if err := w.auditor.Check(w.disk); err != nil {
			panic("simulation: the store keeps no books: " + err.Error())
		}
	}
	payments := make([]*payment.Payment, 0, len(w.records))
	of := map[string]*payment.Payment{}
	for _, id := range w.ids() {
		p := w.records[id].p
		payments = append(payments, p)
		for _, o := range p.Operations {
			of[o.ID] = p
		}
	}
	found, err := w.auditor.Compare(quiet, payments...)
	if err != nil {
		panic("simulation: the books cannot be read: " + err.Error())
	}
	for _, d := range found {
		w.breach(RuleBooks, "%s", d)
	}
	kept := map[*payment.Payment]map[string]int64{}
	err = w.disk.Ledger().View(quiet, func(ctx context.Context, v ledger.View) error {
		return v.Journal(ctx, 0, 0, func(r *ledger.Record, broken error) error {
			if broken != nil {
				return broken
			}
			w.checkBalanced(r)
			operation, _, _ := strings.Cut(r.Key, ":")
			p := of[operation]
			if p == nil {
				w.breach(RuleBooks, "%s belongs to no payment", r.Key)
				return nil
			}
			if kept[p] == nil {
				kept[p] = map[string]int64{}
			}
			for _, l := range r.Lines {
				if l.Layer == ledger.Posted {
					kept[p][l.Account.Path] += l.Amount
				}
			}
			return nil
		})
	})
	if err != nil {
		panic("simulation: the journal cannot be read: " + err.Error())
	}
	for _, p := range payments {
		w.checkGivenBack(p, kept[p])
	}
}

// checkBalanced holds that each transaction balances, posted and held apart.
func (w *world) checkBalanced(r *ledger.Record) {
	posted, pending := map[money.Currency]int64{}, map[money.Currency]int64{}
	for _, l := range r.Lines {
		switch l.Layer {
		case ledger.Posted:
			posted[l.Account.Currency] += l.Amount
		case ledger.HeldDebit:
			pending[l.Account.Currency] += l.Amount
		case ledger.HeldCredit:
			pending[l.Account.Currency] -= l.Amount
		}
	}
	for _, sums := range []map[money.Currency]int64{posted, pending} {
		for c, n := range sums {
			if n != 0 {
				w.breach(RuleBooks, "%s is %d %s out of balance", r.Key, n, c)
			}
		}
	}
}

// checkGivenBack holds that what was given back to the last cent left nothing
// with anybody who had a part in it.
func (w *world) checkGivenBack(p *payment.Payment, kept map[string]int64) {
	for _, o := range p.Operations {
		collected := o.Kind == payment.OpCapture || o.Kind == payment.OpAuthorize && o.Sale
		switch {
		case o.Kind == payment.OpDispute || o.Kind == payment.OpTransfer:
			return // they take from the parts too
		case collected && o.State == payment.StateApproved && !o.Overpaid && approvedOf(p, o.ID, payment.OpRefund) != o.Approved.Minor():
			return // something is left
		case o.Kind == payment.OpRefund && o.State == payment.StateApproved:
			if of := p.Operation(o.Target); of == nil || of.State != payment.StateApproved || of.Kind == payment.OpAuthorize && !of.Sale {
				return // given back, and not known to have been collected
			}
		}
	}
	sales := int64(0)
	for path, n := range kept {
		switch {
		case strings.HasPrefix(path, "shop:"):
			sales += n
		case strings.HasPrefix(path, "merchant:"), strings.HasPrefix(path, "platform:"), strings.HasPrefix(path, "suspense:excess:"):
			if n != 0 {
				w.breach(RuleBooks, "all was given back, and %s is left with %d", path, n)
			}
		}
	}
	if sales != 0 {
		w.breach(RuleBooks, "all was given back, and the shop is left with %d", sales)
	}
}
