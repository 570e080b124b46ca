package posting

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

// walk changes a payment at random, in every way that the engine's records can
// change and in some that they cannot, and books it after each commit.
type walk struct {
	t       *rapid.T
	store   *memstore.Store
	books   *Books
	p       *payment.Payment
	refused []string
}

func usd(minor int64) money.Amount { return money.Of(minor, money.USD) }

func newWalk(t *rapid.T) *walk {
	w := &walk{t: t, store: memstore.New()}
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	var err error
	w.books, err = New(Config{Now: func() time.Time { return now }, Logger: loggerTo(&w.refused)})
	require.NoError(t, err)
	require.NoError(t, w.books.Check(w.store))
	w.p = &payment.Payment{ID: "p1", Reference: "order-1", Amount: usd(rapid.Int64Range(1, 999).Draw(t, "amount")), UpdatedAt: now}
	return w
}

func (w *walk) splits(total money.Amount) []payment.Split {
	n := total.Minor()
	switch rapid.IntRange(0, 3).Draw(w.t, "splits") {
	case 0:
		a := rapid.Int64Range(0, n).Draw(w.t, "part")
		b := rapid.Int64Range(0, n-a).Draw(w.t, "part")
		var out []payment.Split
		for i, m := range []int64{a, b, n - a - b} {
			if m > 0 {
				s := payment.Split{Merchant: []string{"one", "two:of", ""}[i], Amount: usd(m)}
				if i < 2 {
					s.Commission = usd(rapid.Int64Range(0, m).Draw(w.t, "commission"))
				}
				out = append(out, s)
			}
		}
		return out
	case 1:
		return []payment.Split{{Merchant: "one", Amount: total, Commission: usd(n / 7)}}
	}
	return nil
}

// add adds an operation.
func (w *walk) add(o payment.Operation) *payment.Operation {
	o.ID = fmt.Sprintf("p1o%d", len(w.p.Operations)+1)
	o.PaymentID, o.Provider, o.State, o.Approved, o.Revision = "p1", "stripe", payment.StatePlanned, usd(0), w.p.Version
	w.p.Operations = append(w.p.Operations, &o)
	return &o
}

func (w *walk) pick(kinds ...payment.OperationKind) *payment.Operation {
	var of []*payment.Operation
	for _, o := range w.p.Operations {
		for _, k := range kinds {
			if o.Kind == k {
				of = append(of, o)
			}
		}
	}
	if len(of) == 0 {
		return nil
	}
	return rapid.SampledFrom(of).Draw(w.t, "operation")
}

func (w *walk) some(of money.Amount) money.Amount {
	if rapid.Bool().Draw(w.t, "all of it") {
		return of
	}
	return usd(rapid.Int64Range(1, max(1, of.Minor()+of.Minor()/4)).Draw(w.t, "some")) // sometimes more
}

// step is one change.
func (w *walk) step() {
	switch rapid.SampledFrom([]int{6, 1, 6, 3, 6, 0, 6, 4, 2, 5, 7, 8}).Draw(w.t, "step") {
	case 0:
		o := w.add(payment.Operation{Kind: payment.OpAuthorize, Amount: w.p.Amount, Sale: rapid.Bool().Draw(w.t, "sale")})
		o.Splits = w.splits(o.Amount)
	case 1:
		if root := w.pick(payment.OpAuthorize); root != nil && !root.Sale {
			o := w.add(payment.Operation{Kind: payment.OpCapture, Target: root.ID, Amount: w.some(root.Amount), Overpaid: root.Overpaid, Final: rapid.Bool().Draw(w.t, "final")})
			o.Splits = w.splits(o.Amount)
		}
	case 2:
		if root := w.pick(payment.OpAuthorize); root != nil && !root.Sale {
			w.add(payment.Operation{Kind: payment.OpVoid, Target: root.ID, Amount: w.some(root.Amount), Overpaid: root.Overpaid})
		}
	case 3:
		if of := w.pick(payment.OpAuthorize, payment.OpCapture); of != nil {
			o := w.add(payment.Operation{Kind: payment.OpRefund, Target: of.ID, Amount: w.some(of.Amount), Overpaid: of.Overpaid})
			o.Splits = w.splits(o.Amount)
		}
	case 4:
		if of := w.pick(payment.OpAuthorize, payment.OpCapture); of != nil {
			w.add(payment.Operation{Kind: payment.OpDispute, Target: of.ID, Amount: w.some(of.Amount)}).State = payment.StatePending
		}
	case 5:
		if of := w.pick(payment.OpAuthorize); of != nil {
			a := w.some(of.Amount)
			w.add(payment.Operation{Kind: payment.OpTransfer, Target: of.ID, Amount: a, Splits: []payment.Split{{Account: "acct_9", Amount: a}}})
		}
	case 6:
		o := w.pick(payment.OpAuthorize, payment.OpCapture, payment.OpVoid, payment.OpRefund, payment.OpDispute, payment.OpTransfer)
		if o == nil {
			return
		}
		o.Revision = w.p.Version
		if o.Kind == payment.OpDispute { // any way
			o.Amount, o.Approved = w.some(w.p.Amount), usd(0)
			if o.State = rapid.SampledFrom([]payment.State{payment.StatePending, payment.StateApproved, payment.StateDeclined}).Draw(w.t, "state"); o.State == payment.StateApproved {
				o.Approved = o.Amount
			}
			return
		}
		next := o.State.Next()
		if o.State.May(payment.StateApproved) && rapid.IntRange(0, 3).Draw(w.t, "does it go well") < 3 {
			next = []payment.State{payment.StateApproved}
		}
		if len(next) == 0 || o.State == payment.StateApproved && rapid.IntRange(0, 3).Draw(w.t, "does it stay") < 3 {
			return
		}
		if o.State = rapid.SampledFrom(next).Draw(w.t, "state"); o.State == payment.StateApproved {
			o.Approved = w.some(o.Amount)
		}
	case 7:
		if root := w.pick(payment.OpAuthorize); root != nil && root.State == payment.StateApproved {
			root.Overpaid, root.Revision = true, w.p.Version
			for _, o := range w.p.Operations {
				if o != root && rootOf(w.p, o) == root && o.Kind != payment.OpDispute && o.Kind != payment.OpTransfer {
					o.Overpaid, o.Revision = true, w.p.Version
				}
			}
		}
	case 8:
		if o := w.pick(payment.OpAuthorize, payment.OpCapture, payment.OpRefund, payment.OpDispute); o != nil {
			o.Fee, o.Revision = money.Of(rapid.Int64Range(-3, 30).Draw(w.t, "fee"), rapid.SampledFrom([]money.Currency{"USD", "EUR"}).Draw(w.t, "currency")), w.p.Version
		}
	}
}

// commit books what the last steps changed, as OnRecord does.
func (w *walk) commit(all bool) int {
	n := 0
	err := w.store.Update(context.Background(), func(ctx context.Context, tx payment.Tx) error {
		var err error
		n, err = w.books.record(ctx, tx, &pass{books: w.books, p: w.p, at: w.p.UpdatedAt}, changed(w.p, all))
		return err
	})
	require.NoError(w.t, err)
	return n
}

// totals adds up what the payment came to, from the meaning of the words.
func (w *walk) totals() {
	sum := map[string]int64{}
	for _, o := range w.p.Operations {
		if o.State == payment.StateApproved {
			name := string(o.Kind)
			if o.Kind == payment.OpAuthorize && o.Sale {
				name = "capture"
			}
			if o.Overpaid {
				name += " overpaid"
			}
			sum[name] += o.Approved.Minor()
		} else if o.Kind == payment.OpDispute && o.State == payment.StatePending {
			sum["open"] += o.Amount.Minor()
		}
	}
	total := func(name string) payment.Total { return payment.Total{Done: usd(sum[name]), Pending: usd(0)} }
	w.p.Totals = payment.Totals{Captured: total("capture"), Refunded: total("refund"), Disputed: payment.Total{Done: usd(sum["dispute"]), Pending: usd(sum["open"])},
		Overpaid: total("capture overpaid"), OverpaidRefunded: total("refund overpaid"), Transferred: total("transfer")}
}

func (w *walk) check() {
	w.totals()
	require.Empty(w.t, w.refused, "a fact was refused")
	found, err := w.books.Compare(context.Background(), w.p)
	require.NoError(w.t, err)
	require.Empty(w.t, found)
	tb, err := w.books.Book().TrialBalance(context.Background(), ledger.AsOf{})
	require.NoError(w.t, err)
	require.True(w.t, tb.Foots())
}

// Whatever a payment's operations go through, after each commit the books say
// what the totals say.
func TestBooksFollowTheRecord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWalk(t)
		root := w.add(payment.Operation{Kind: payment.OpAuthorize, Amount: w.p.Amount, Sale: rapid.IntRange(0, 3).Draw(t, "sale") == 0})
		root.State, root.Approved, root.Splits = payment.StateApproved, root.Amount, w.splits(root.Amount)
		w.commit(false)
		for range rapid.IntRange(1, 25).Draw(t, "commits") {
			w.p.Version++
			for range rapid.IntRange(1, 4).Draw(t, "changes") {
				w.step()
			}
			w.commit(false)
			w.check()
			require.Zero(t, w.commit(false), "an event that says nothing new books nothing")
			if n := w.commit(true); n != 0 {
				t.Fatalf("a look at the whole payment booked %d changes that the commit had missed", n)
			}
		}
		// What was collected and given back in full leaves no part with anything.
		w.p.Version++
		for _, o := range w.p.Operations {
			o.Revision = w.p.Version
			if mayBeBooked(o) && o.Kind != payment.OpDispute {
				o.State = payment.StateReversed
			}
			if o.Kind == payment.OpDispute {
				o.State, o.Approved = payment.StateDeclined, usd(0)
			}
			if o.Fee.Currency() != "" {
				o.Fee = money.Zero(o.Fee.Currency())
			}
		}
		w.commit(false)
		w.check()
		tb, err := w.books.Book().TrialBalance(context.Background(), ledger.AsOf{})
		require.NoError(t, err)
		for _, l := range tb.Lines {
			require.True(t, l.Debit.IsZero() && l.Credit.IsZero() && l.PendingDebit.IsZero() && l.PendingCredit.IsZero(), "all was undone, and %s keeps %s / %s", l.Account, l.Debit, l.Credit)
		}
	})
}

// However a capture is refunded, in whatever parts, once it is refunded in full
// every part is back at zero, and none is ever below.
func TestRefundsReverseEverySplit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWalk(t)
		sale := w.add(payment.Operation{Kind: payment.OpAuthorize, Amount: w.p.Amount, Sale: true})
		sale.Splits = w.splits(w.p.Amount)
		sale.State, sale.Approved = payment.StateApproved, sale.Amount
		w.commit(false)
		left := sale.Amount.Minor()
		for left > 0 {
			w.p.Version++
			n := rapid.Int64Range(1, left).Draw(t, "refund")
			o := w.add(payment.Operation{Kind: payment.OpRefund, Target: sale.ID, Amount: usd(n)})
			o.State, o.Approved = payment.StateApproved, o.Amount
			w.commit(false)
			if rapid.IntRange(0, 4).Draw(t, "fails later") == 0 {
				w.p.Version++
				o.State, o.Revision = payment.StateReversed, w.p.Version
				w.commit(false)
			} else {
				left -= n
			}
			w.check()
			for _, l := range w.lines() {
				if strings.HasPrefix(l.Account, "merchant:") || strings.HasPrefix(l.Account, "platform:") {
					require.True(t, l.Debit.IsZero(), "%s is below zero: %s", l.Account, l.Debit)
				}
			}
		}
		own := int64(0)
		for _, l := range w.lines() {
			if strings.HasPrefix(l.Account, "shop:") {
				own += l.Debit.Minor() - l.Credit.Minor()
				continue
			}
			require.True(t, l.Debit.IsZero() && l.Credit.IsZero(), "all was refunded, and %s keeps %s / %s", l.Account, l.Debit, l.Credit)
		}
		require.Zero(t, own, "all was refunded, and the shop keeps something")
	})
}

func (w *walk) lines() []ledger.TrialLine {
	tb, err := w.books.Book().TrialBalance(context.Background(), ledger.AsOf{})
	require.NoError(w.t, err)
	return tb.Lines
}
