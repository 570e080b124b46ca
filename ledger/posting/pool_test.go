package posting

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// attempt is a payment of 100.00 of which ada sells 60.00, for a commission of
// 6.00, and the shop the rest; its books are kept after each step.
type attempt struct {
	t      *testing.T
	p      *payment.Payment
	books  *Books
	booked journal
	sums   map[string]int64
}

func newAttempt(t *testing.T) *attempt {
	t.Helper()
	a := &attempt{t: t, p: &payment.Payment{ID: "p", Amount: usd(10000)}, books: Default(), booked: journal{}, sums: map[string]int64{}}
	a.do(op(payment.Operation{ID: "auth", Kind: payment.OpAuthorize, Amount: usd(10000), Splits: []payment.Split{
		{Merchant: "ada", Amount: usd(6000), Commission: usd(600)}, {Amount: usd(4000)}}}))
	return a
}

// do books a commit and returns what it took.
func (a *attempt) do(change func(*payment.Payment)) []string {
	a.t.Helper()
	a.p.Version++
	change(a.p)
	book := func(s scope) []ledger.Change {
		return (&pass{books: a.books, p: a.p, journal: a.booked, at: time.Unix(1, 0)}).book(s)
	}
	var out []string
	for _, c := range book(changed(a.p, false)) {
		out = append(out, tell(c))
		var lines []line
		sign := int64(1)
		switch c := c.(type) {
		case ledger.Transaction:
			if !c.Pending {
				lines = linesOf(c.Entries)
			}
		case ledger.Settlement:
			lines = linesOf(c.Entries)
		case ledger.Reversal:
			lines, sign = a.booked[c.Of].lines, -1
		}
		for _, l := range lines {
			a.sums[strings.TrimSuffix(l.path, ":USD")] += sign * l.minor
		}
	}
	require.Empty(a.t, book(changed(a.p, true)), "the commit missed something")
	return out
}

func (a *attempt) capture(id string, minor int64, splits ...payment.Split) func(*payment.Payment) {
	return op(payment.Operation{ID: id, Kind: payment.OpCapture, Target: "auth", Amount: usd(minor), Splits: splits})
}

func (a *attempt) refund(id, of string, minor int64, splits ...payment.Split) func(*payment.Payment) {
	return op(payment.Operation{ID: id, Kind: payment.OpRefund, Target: of, Amount: usd(minor), Splits: splits})
}

func (a *attempt) lost(id, of string, minor int64) func(*payment.Payment) {
	return op(payment.Operation{ID: id, Kind: payment.OpDispute, Target: of, Amount: usd(minor)})
}

// holds says what each part still has, and the excess.
func (a *attempt) holds(ada, commission, own, excess int64) {
	a.t.Helper()
	require.Equal(a.t, map[string]int64{"ada": ada, "commission": commission, "own": own, "excess": excess}, map[string]int64{
		"ada": -a.sums["merchant:ada:payable"], "commission": -a.sums["platform:commission"],
		"own":    -a.sums["shop:sales"] - a.sums["shop:refunds"] - a.sums["shop:chargebacks"],
		"excess": a.sums["suspense:excess"]})
}

// What goes back of an attempt with several captures falls on all of them.
func TestSeveralCaptures(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(a *attempt){
		"a dispute of all of it is lost": func(a *attempt) {
			a.do(a.lost("d", "auth", 7500))
			a.holds(0, 0, 0, 0)
		},
		"a dispute of some is lost, and the rest refunded over both": func(a *attempt) {
			a.do(a.lost("d", "auth", 1000))
			a.holds(3510, 390, 2600, 0)
			a.do(both(a.refund("r1", "c1", 5000), a.refund("r2", "c2", 1500)))
			a.holds(0, 0, 0, 0)
		},
		"the dispute names the first capture": func(a *attempt) {
			a.do(a.lost("d", "c1", 1000))
			a.do(both(a.refund("r1", "c1", 5000), a.refund("r2", "c2", 1500)))
			a.holds(0, 0, 0, 0)
		},
		"the dispute is open while all is refunded, and lost then": func(a *attempt) {
			a.do(both(a.lost("d", "c1", 1000), turn("d", disputeAt(payment.StatePending, 1000))))
			a.do(both(a.refund("r1", "c1", 5000), a.refund("r2", "c2", 1500)))
			a.holds(540, 60, 400, 0)
			a.do(turn("d", disputeAt(payment.StateApproved, 1000)))
			a.holds(0, 0, 0, 0)
		},
		"a dispute is more than either capture": func(a *attempt) {
			a.do(a.lost("d", "c1", 6000))
			a.do(a.refund("r1", "c1", 1500))
			a.holds(0, 0, 0, 0)
		},
		"more goes back than was collected": func(a *attempt) {
			a.do(a.lost("d", "auth", 6000))
			a.do(a.refund("r1", "c1", 2000))
			a.holds(0, 0, 0, 500)
		},
		"and the excess goes when a refund fails": func(a *attempt) {
			a.do(a.lost("d", "auth", 6000))
			a.do(a.refund("r1", "c1", 2000))
			a.do(turn("r1", state(payment.StateReversed)))
			a.holds(810, 90, 600, 0)
		},
		"and when the dispute is won after all": func(a *attempt) {
			a.do(a.lost("d", "auth", 6000))
			a.do(a.refund("r1", "c1", 2000))
			require.Equal(a.t, []string{
				"reverse d:disputed as d:disputed:undone", "reverse d:dispute_lost as d:dispute_lost:undone", "reverse r1:refunded as r1:refunded:undone",
				"post r1:refunded#2: +10.80 merchant:ada:payable, +1.20 platform:commission, +8.00 shop:refunds, -20.00 psp:p:clearing"},
				a.do(turn("d", disputeAt(payment.StateDeclined, 6000))))
			a.holds(2970, 330, 2200, 0)
		},
		"a capture comes after what went back of it": func(a *attempt) {
			a.do(a.lost("d", "auth", 10000))
			a.holds(0, 0, 0, 2500)
			a.do(a.capture("c3", 2500))
			a.holds(0, 0, 0, 0)
		},
		"a capture fails after all went back": func(a *attempt) {
			a.do(a.lost("d", "auth", 7500))
			a.do(turn("c2", state(payment.StateReversed)))
			a.holds(0, 0, 0, 2500)
			require.Equal(a.t, int64(0), a.sums["psp:p:disputed"])
		},
		"a refund says whose it is, and the rest is shared": func(a *attempt) {
			a.do(a.refund("r1", "c1", 1000))
			a.do(a.refund("r2", "c2", 2500, payment.Split{Amount: usd(2500)}))
			a.holds(3510, 390, 100, 0)
			a.do(a.lost("d", "auth", 4000))
			a.holds(0, 0, 0, 0)
		},
		"a refund takes what a part has given already": func(a *attempt) {
			a.do(a.refund("r1", "c1", 1000))
			a.do(a.refund("r2", "c1", 3000, payment.Split{Amount: usd(3000)})) // the own part had 26.00
			a.holds(3150, 350, 0, 0)
			a.do(a.refund("r3", "c2", 3500))
			a.holds(0, 0, 0, 0)
		},
		"a refund takes more of a part than it ever had": func(a *attempt) {
			a.do(a.refund("r1", "c1", 4000, payment.Split{Amount: usd(4000)}))
			a.holds(4050, 450, -1000, 0)
			a.do(a.lost("d", "auth", 3500))
			a.holds(900, 100, -1000, 0) // as the shop said: its own part owes it to the others
			a.do(a.lost("d2", "auth", 1))
			a.holds(900, 100, -1000, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAttempt(t)
			a.do(a.capture("c1", 5000))
			a.do(a.capture("c2", 2500))
			a.holds(4050, 450, 3000, 0)
			f(a)
		})
	}
}

// A refund of a capture takes from those who had a part in it, as long as they
// have something.
func TestRefundOfOneShipment(t *testing.T) {
	t.Parallel()
	a := newAttempt(t)
	a.do(a.capture("ada", 6000, payment.Split{Merchant: "ada", Amount: usd(6000), Commission: usd(600)}))
	a.do(a.capture("own", 4000, payment.Split{Amount: usd(4000)}))
	a.do(a.refund("r1", "own", 3000))
	a.holds(5400, 600, 1000, 0)
	a.do(a.lost("d", "auth", 3500)) // half of all that is left
	a.holds(2700, 300, 500, 0)
	a.do(a.refund("r2", "own", 1000)) // more than the shop still has of it
	a.holds(2250, 250, 0, 0)
	require.Empty(t, a.do(func(*payment.Payment) {}))
}

// What one capture gave back is not another's.
func TestRefundsOfTwoShipments(t *testing.T) {
	t.Parallel()
	a := newAttempt(t)
	a.do(a.capture("c1", 4000, payment.Split{Amount: usd(4000)}))
	a.do(a.capture("c2", 6000, payment.Split{Merchant: "ada", Amount: usd(3000)}, payment.Split{Amount: usd(3000)}))
	a.do(a.refund("r1", "c2", 3000))
	a.holds(1500, 0, 5500, 0)
	a.do(a.refund("r2", "c1", 3000))
	a.holds(1500, 0, 2500, 0)
}

// Where the rules do not tell the parts and the excess apart, the books are as
// good as they can be, and a second look changes nothing.
func TestPoolsOnOneAccount(t *testing.T) {
	t.Parallel()
	books, err := New(Config{Rules: []Rule{{Stage: Refunded, Legs: []Leg{Debit(refunds, Gross), Credit(clearing, Gross)}},
		{Stage: DisputeLost, Legs: []Leg{Debit(payable, Part), Debit(losses, Commission), Debit(losses, Own), Debit(losses, Excess), Credit(disputed, Gross)}}}})
	require.NoError(t, err)
	a := newAttempt(t)
	a.books = books
	a.do(a.capture("c1", 5000))
	a.do(a.capture("c2", 2500))
	a.do(a.refund("r1", "c1", 4000, payment.Split{Amount: usd(4000)})) // more than it has
	a.do(a.lost("d1", "auth", 3000))
	a.do(a.refund("r2", "c1", 3000))
	a.do(a.lost("d2", "c2", 3000))
	require.Equal(t, int64(13000), a.sums["shop:refunds"]+a.sums["shop:chargebacks"]+4050+a.sums["merchant:ada:payable"])
	a.do(turn("c1", state(payment.StateReversed)))
	require.Empty(t, a.do(func(*payment.Payment) {}))
	require.Empty(t, books.pools(&tally{p: a.p, journal: a.booked}))
}

// A refund that says more than was ever collected leaves nothing to share: what
// is shared after it is all excess, and that is as it should be.
func TestNothingLeftToShare(t *testing.T) {
	t.Parallel()
	a := newAttempt(t)
	a.do(a.capture("c1", 1000))
	a.do(a.refund("r1", "c1", 1500, payment.Split{Amount: usd(1500)}))
	a.do(a.lost("d", "auth", 200))
	a.holds(540, 60, -1100, 200)
	x := &pass{books: a.books, p: a.p, journal: a.booked}
	root := a.p.Operation("auth")
	require.True(t, x.settled(root, x.drawn(root)).sound())
}

// Two attempts of a payment are two pools.
func TestAttemptsAreApart(t *testing.T) {
	t.Parallel()
	a := newAttempt(t)
	a.do(a.capture("c1", 5000))
	a.do(op(payment.Operation{ID: "auth2", Kind: payment.OpAuthorize, Sale: true, Amount: usd(1000)}))
	a.do(a.refund("r1", "auth2", 1500))
	a.holds(2700, 300, 2000, 500)
}

// However an attempt is captured, refunded, disputed and what of it is undone,
// after every commit: excess is what went back beyond all that was collected,
// no part gave more than it had, and so none has money that went back.
func TestPoolsAreSound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWalk(t)
		root := w.add(payment.Operation{Kind: payment.OpAuthorize, Amount: w.p.Amount})
		root.State, root.Approved, root.Splits = payment.StateApproved, root.Amount, w.splits(root.Amount)
		w.commit(false)
		for range rapid.IntRange(1, 20).Draw(t, "commits") {
			w.p.Version++
			for range rapid.IntRange(1, 3).Draw(t, "changes") {
				w.pooled(root)
			}
			w.commit(false)
			w.check()
			require.Zero(t, w.commit(true), "a second look booked more")
			w.checkPool(false)
		}
		// Everything that is not back goes back.
		w.p.Version++
		if left := w.left(); left > 0 {
			o := w.add(payment.Operation{Kind: payment.OpDispute, Target: root.ID, Amount: usd(left)})
			o.State, o.Approved = payment.StateApproved, o.Amount
		}
		w.commit(false)
		w.check()
		w.checkPool(true)
	})
}

// pooled is one change of an attempt's captures, refunds and disputes.
func (w *walk) pooled(root *payment.Operation) {
	var captures, others []*payment.Operation
	for _, o := range w.p.Operations[1:] {
		if others = append(others, o); o.Kind == payment.OpCapture {
			captures = append(captures, o)
		}
	}
	n := usd(rapid.Int64Range(1, w.p.Amount.Minor()).Draw(w.t, "amount"))
	approve := func(o *payment.Operation) { o.State, o.Approved = payment.StateApproved, o.Amount }
	switch rapid.IntRange(0, 5).Draw(w.t, "what") {
	case 0, 1:
		o := w.add(payment.Operation{Kind: payment.OpCapture, Target: root.ID, Amount: n})
		o.Splits = w.splits(n)
		approve(o)
	case 2:
		if len(captures) > 0 {
			approve(w.add(payment.Operation{Kind: payment.OpRefund, Target: rapid.SampledFrom(captures).Draw(w.t, "of").ID, Amount: n}))
		}
	case 3:
		approve(w.add(payment.Operation{Kind: payment.OpDispute, Target: rapid.SampledFrom(append(captures, root)).Draw(w.t, "of").ID, Amount: n}))
	default:
		if len(others) == 0 {
			return
		}
		o := rapid.SampledFrom(others).Draw(w.t, "operation")
		o.Revision = w.p.Version
		if o.Kind != payment.OpDispute {
			o.State = payment.StateReversed
			return
		}
		o.State, o.Approved = rapid.SampledFrom([]payment.State{payment.StatePending, payment.StateDeclined, payment.StateApproved}).Draw(w.t, "state"), usd(0)
		if o.State == payment.StateApproved {
			o.Approved = o.Amount
		}
	}
}

// left is what was collected and is not back, by the record alone.
func (w *walk) left() int64 {
	n := int64(0)
	for _, o := range w.p.Operations {
		if o.State != payment.StateApproved {
			continue
		}
		switch o.Kind {
		case payment.OpCapture:
			n += o.Approved.Minor()
		case payment.OpRefund, payment.OpDispute:
			n -= o.Approved.Minor()
		}
	}
	return n
}

// checkPool reads the accounts, by nothing but their paths.
func (w *walk) checkPool(allIsBack bool) {
	own := int64(0)
	for _, l := range w.lines() {
		n := l.Credit.Minor() - l.Debit.Minor()
		switch {
		case strings.HasPrefix(l.Account, "merchant:"), strings.HasPrefix(l.Account, "platform:"):
			require.GreaterOrEqual(w.t, n, int64(0), "%s gave more than it had", l.Account)
			if w.left() <= 0 || allIsBack {
				require.Zero(w.t, n, "all went back, and %s keeps something", l.Account)
			}
		case strings.HasPrefix(l.Account, "shop:"):
			own += n
		case strings.HasPrefix(l.Account, "suspense:excess:"):
			require.Equal(w.t, max(0, -w.left()), -n, "excess is what went back beyond all that was collected")
		}
	}
	require.GreaterOrEqual(w.t, own, int64(0), "the shop gave more than it had")
	if w.left() <= 0 || allIsBack {
		require.Zero(w.t, own, "all went back, and the shop keeps something")
	}
}

// Compare sees parts that do not fit the totals, as books have that shared by
// capture, and CatchUp corrects them.
func TestCompareSeesTheParts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWalk(t)
		w.p.Amount = usd(7500)
		root := w.add(payment.Operation{Kind: payment.OpAuthorize, Amount: w.p.Amount})
		root.Splits = []payment.Split{{Merchant: "ada", Amount: usd(4500), Commission: usd(450)}, {Amount: usd(3000)}}
		for _, n := range []int64{5000, 2500} {
			w.add(payment.Operation{Kind: payment.OpCapture, Target: root.ID, Amount: usd(n)})
		}
		lost := w.add(payment.Operation{Kind: payment.OpDispute, Target: root.ID, Amount: usd(7500)})
		for _, o := range w.p.Operations {
			o.State, o.Approved = payment.StateApproved, o.Amount
		}
		excess := rapid.Int64Range(0, 2500).Draw(t, "wrong excess")
		own := rapid.Int64Range(0, 3000).Draw(t, "own")
		if excess == 0 && own == 3000 {
			own--
		}
		// What an earlier version, or a bug, may have booked.
		given := 7500 - excess - own
		err := w.store.Update(context.Background(), func(ctx context.Context, tx payment.Tx) error {
			_, err := w.books.Book().PostIn(ctx, tx.(ledger.Keeper), ledger.Transaction{Key: Key(lost.ID, DisputeLost, 1), Fact: true, Metadata: map[string]string{metaAmount: usd(7500).String()}, Entries: nonzero( //nolint:forcetypeassert // memstore's
				ledger.Debit("merchant:ada:payable:USD", usd(given)), ledger.Debit("shop:chargebacks:USD", usd(own)), ledger.Debit("suspense:excess:USD", usd(excess)), ledger.Credit("psp:stripe:disputed:USD", usd(7500)))})
			return err
		})
		require.NoError(t, err)
		w.p.Version++
		for _, o := range w.p.Operations[:3] {
			o.Revision = w.p.Version
		}
		w.totals()
		found, err := w.books.Compare(context.Background(), w.p)
		require.NoError(t, err)
		require.NotEmpty(t, found, "nothing of it is booked but the loss")
		require.Positive(t, w.commit(true))
		w.check()
		w.checkPool(true)
		require.Zero(t, w.commit(true))
	})
}

func nonzero(entries ...ledger.Entry) []ledger.Entry {
	var out []ledger.Entry
	for _, e := range entries {
		if e.Amount.IsPositive() {
			out = append(out, e)
		}
	}
	return out
}

// Each difference of the parts is named.
func TestDifferencesOfTheParts(t *testing.T) {
	t.Parallel()
	a := newAttempt(t)
	a.do(a.capture("c1", 5000))
	a.do(a.capture("c2", 2500))
	a.do(a.lost("d", "auth", 7500))
	tally := &tally{p: a.p, journal: a.booked}
	require.Empty(t, a.books.pools(tally))
	wrong := *a.booked["d:dispute_lost"]
	wrong.lines = []line{{"merchant:ada:payable:USD", 4500}, {"platform:commission:USD", 0}, {"shop:chargebacks:USD", 500}, {"suspense:excess:USD", 2500}, {"psp:p:disputed:USD", -7500}}
	tally.journal = journal{"c1:captured": a.booked["c1:captured"], "c2:captured": a.booked["c2:captured"], "d:dispute_lost": &wrong}
	var got []string
	for _, d := range a.books.pools(tally) {
		got = append(got, d.String())
	}
	require.Equal(t, []string{
		"payment p: excess is 0.00 USD by its record and 25.00 USD by the books",
		"payment p: taken from merchant ada is 40.50 USD by its record and 45.00 USD by the books",
	}, got)
}

// What somebody reversed by hand is not booked a second time when it would be
// shared anew.
func TestSharedAnewAfterAHandsReversal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWalk(t)
		w.p.Amount = usd(1000)
		root := w.add(payment.Operation{Kind: payment.OpAuthorize, Amount: usd(1000)})
		first := w.add(payment.Operation{Kind: payment.OpCapture, Target: root.ID, Amount: usd(600)})
		second := w.add(payment.Operation{Kind: payment.OpCapture, Target: root.ID, Amount: usd(400)})
		lost := w.add(payment.Operation{Kind: payment.OpDispute, Target: root.ID, Amount: usd(1000)})
		for _, o := range []*payment.Operation{root, first, second, lost} {
			o.State, o.Approved = payment.StateApproved, o.Amount
		}
		w.commit(false)
		_, err := w.books.Book().Reverse(context.Background(), ledger.Reversal{Key: "by-hand", Of: Key(lost.ID, DisputeLost, 1)})
		require.NoError(t, err)
		w.p.Version++
		second.State, second.Revision = payment.StateReversed, w.p.Version
		require.Equal(t, 2, w.commit(false), "the capture is undone and held again, and nothing else")
		require.Zero(t, w.commit(false))
		require.Empty(t, w.refused)
		for _, l := range w.lines() {
			if l.Account == "suspense:excess:USD" {
				require.Equal(t, money.Zero("USD"), l.Debit)
			}
		}
	})
}
