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

// checkGivenBack holds that what went back to the last cent, refunded or lost in
// a dispute, left nothing with anybody who had a part in it, and that excess is
// what went back beyond it.
func (w *world) checkGivenBack(p *payment.Payment, kept map[string]int64) {
	left := map[string]int64{} // by attempt
	for _, o := range p.Operations {
		root, of := o, p.Operation(o.Target)
		for root != nil && root.Kind != payment.OpAuthorize {
			root = p.Operation(root.Target)
		}
		if o.Kind == payment.OpTransfer {
			return // it takes from the parts too
		}
		if root == nil || o.State != payment.StateApproved || o.Overpaid || o.Kind == payment.OpDispute && of.Overpaid {
			continue
		}
		switch {
		case o.Kind == payment.OpCapture, o.Kind == payment.OpAuthorize && o.Sale:
			left[root.ID] += o.Approved.Minor()
		case o.Kind == payment.OpRefund, o.Kind == payment.OpDispute:
			left[root.ID] -= o.Approved.Minor()
		}
	}
	excess := int64(0)
	for _, n := range left {
		if n > 0 {
			return // something is left
		}
		excess -= n
	}
	sales := int64(0)
	for path, n := range kept {
		switch {
		case strings.HasPrefix(path, "shop:"):
			sales += n
		case strings.HasPrefix(path, "suspense:excess:"):
			if excess -= n; excess != 0 {
				w.breach(RuleBooks, "all was given back, and the excess is %d too little", excess)
			}
			excess = 0
		case strings.HasPrefix(path, "merchant:"), strings.HasPrefix(path, "platform:"):
			if n != 0 {
				w.breach(RuleBooks, "all was given back, and %s is left with %d", path, n)
			}
		}
	}
	if excess != 0 {
		w.breach(RuleBooks, "%d went back beyond all that was collected, and there is no excess", excess)
	}
	if sales != 0 {
		w.breach(RuleBooks, "all was given back, and the shop is left with %d", sales)
	}
}
