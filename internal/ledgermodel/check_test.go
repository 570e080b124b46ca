package ledgermodel

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// check holds what is stored against the model, without sealing anything.
func (w *world) check(*rapid.T) {
	w.journal()
	w.verify(ledger.VerifyOptions{AsTheyAre: true})
	sums := map[money.Currency]totals{}
	for _, path := range paths {
		got, err := w.book.Balance(w.ctx, path, ledger.AsOf{})
		a, _ := lookUp(path)
		currency := cmp.Or(a.currency, w.m.currency(path))
		if currency == "" {
			require.ErrorIs(w.t, err, ledger.ErrNotFound, "an account that has no currency yet")
			continue
		}
		require.NoError(w.t, err)
		want := balance(path, currency, w.m.totals(path))
		want.Version = w.m.version(path)
		require.Equal(w.t, want, got, "balance now")
		if sums[currency] == (totals{}) {
			sums[currency] = zeroTotals()
		}
		posted, debit, credit := got.Posted.Minor(), got.PendingIn.Minor(), got.PendingOut.Minor()
		if a.kind.Normal() == ledger.CreditSide {
			posted, debit, credit = -posted, credit, debit
		}
		for i, n := range []int64{posted, debit, credit} {
			sums[currency][i].Add(sums[currency][i], big.NewInt(n))
		}
	}
	for c, sum := range sums {
		require.Zero(w.t, sum[ledger.Posted].Sign(), "all accounts in %s sum to zero", c)
		require.Zero(w.t, sum[ledger.HeldDebit].Cmp(sum[ledger.HeldCredit]), "as much is held on the debit side as on the credit side in %s", c)
	}
}

// balance is what the books say of totals.
func balance(path string, currency money.Currency, t totals) ledger.Balance {
	a, _ := lookUp(path)
	of := func(n *big.Int) money.Amount { return money.Of(n.Int64(), currency) }
	b := ledger.Balance{Account: path, Type: a.kind, Mode: a.mode, Posted: of(t[ledger.Posted]), PendingIn: of(t[ledger.HeldDebit]), PendingOut: of(t[ledger.HeldCredit]),
		Available: of(t.available(a.kind.Normal()))}
	if a.kind.Normal() == ledger.CreditSide {
		b.Posted, b.PendingIn, b.PendingOut = of(new(big.Int).Neg(t[ledger.Posted])), of(t[ledger.HeldCredit]), of(t[ledger.HeldDebit])
	}
	return b
}

// effect is what lines come to, by account and layer.
type effect map[string]int64

func (e effect) add(path string, layer ledger.Layer, amount int64) {
	k := path + " " + layer.String()
	if e[k] += amount; e[k] == 0 {
		delete(e, k)
	}
}

// journal reads the whole journal and every account that is open: what was
// refused has left nothing.
func (w *world) journal() {
	err := w.store.Store.(ledger.Store).Ledger().View(w.ctx, func(ctx context.Context, v ledger.View) error {
		n := 0
		err := v.Journal(ctx, 0, 0, func(r *ledger.Record, broken error) error {
			require.NoError(w.t, broken)
			require.Less(w.t, n, len(w.m.journal), "record %q was not accepted", r.Key)
			w.record(w.m.journal[n], r)
			n++
			return nil
		})
		require.Equal(w.t, len(w.m.journal), n, "every accepted record is in the journal")
		if err != nil {
			return err
		}
		var open []string
		err = v.Accounts(ctx, func(a *ledger.Account, _ []byte) error {
			open = append(open, a.Path)
			known, _ := lookUp(a.Path)
			require.Equal(w.t, ledger.Spec{Path: a.Path, Currency: w.m.currency(a.Path), Type: known.kind, Mode: known.mode}, a.Spec)
			return nil
		})
		require.ElementsMatch(w.t, w.m.opened(), open, "an account is opened by its first transaction, and by no refused one")
		return err
	})
	require.NoError(w.t, err)
}

func (w *world) record(e *entry, r *ledger.Record) {
	of := int64(0)
	if e.of != nil {
		of = e.of.receipt.ID
		part := slices.Index(w.m.parts(e.of), e) + 1
		require.Equal(w.t, part, r.Part, "the parts of %s are counted", e.of.key())
	}
	expires := int64(0)
	if !e.expires.IsZero() {
		expires = e.expires.UnixMicro()
	}
	require.Equal(w.t, []any{e.receipt.ID, e.kind(), e.key(), e.receipt.Recorded.UnixMicro(), e.receipt.Effective.UnixMicro(), expires, of, e.final, e.description},
		[]any{r.ID, r.Kind, r.Key, r.Recorded, r.Effective, r.Expires, r.Of, r.Final, r.Description}, "a record never changes")
	want, got := effect{}, effect{}
	for _, l := range e.lines {
		want.add(l.path, l.layer, l.amount)
	}
	posted, held := map[money.Currency]*big.Int{}, map[money.Currency]*big.Int{}
	for _, l := range r.Lines {
		got.add(l.Account.Path, l.Layer, l.Amount)
		sums, n := posted, big.NewInt(l.Amount)
		if l.Layer != ledger.Posted {
			sums = held
		}
		if l.Layer == ledger.HeldCredit {
			n.Neg(n)
		}
		c := l.Account.Currency
		if sums[c] == nil {
			sums[c] = new(big.Int)
		}
		sums[c].Add(sums[c], n)
	}
	require.Equal(w.t, want, got, "what %s %q does to each account", r.Kind, r.Key)
	for _, sums := range []map[money.Currency]*big.Int{posted, held} {
		for c, sum := range sums {
			require.Zero(w.t, sum.Sign(), "%s %q balances in %s", r.Kind, r.Key, c)
		}
	}
}

// audit seals, and holds all that can be asked of sealed books against the
// model.
func (w *world) audit(*rapid.T) {
	d := dice{w.t}
	switch d.upTo(4) { // any read of sealed books seals first
	case 0:
		w.seal(w.t)
	case 1: // balances count what has no seal as if it were sealed now
		w.m.seal(w.now)
		later, dated := w.now.Add(1000*time.Hour), w.asOf(d).Effective
		for _, at := range []ledger.AsOf{{}, {Effective: dated}, {Recorded: later}, {Recorded: later, Effective: dated}} {
			w.trial(at)
			w.balanceAsOf(pick(d, paths), at)
		}
	default:
		_, err := w.book.Head(w.ctx)
		require.NoError(w.t, err)
		w.m.seal(w.now)
	}
	head, err := w.book.Head(w.ctx)
	require.NoError(w.t, err)
	require.EqualValues(w.t, len(w.m.journal), head.Seq, "numbers have no gaps")
	if n := len(w.m.blocks); n > 0 {
		require.Equal(w.t, w.m.blocks[n-1].at, head.Sealed, "sealed by the clock, and never before an earlier block")
	}
	again, err := ledger.ParseHead(head.String())
	require.NoError(w.t, err)
	w.heads = append(w.heads, again)
	old := pick(d, w.heads)
	w.verify(ledger.VerifyOptions{Head: &old})
	for _, at := range []ledger.AsOf{{}, w.asOf(d), w.asOf(d)} {
		require.Zero(w.t, w.trial(at).Unsealed, "all was sealed")
		w.balanceAsOf(pick(d, paths), at)
	}
	for _, path := range paths {
		w.statement(d, path)
	}
	for range min(3, len(w.m.journal)) {
		w.found(d.upTo(len(w.m.journal)))
	}
	_, err = w.book.Find(w.ctx, "never-recorded")
	require.ErrorIs(w.t, err, ledger.ErrNotFound)
}

// verify: books that nobody tampered with are proven, and all of them.
func (w *world) verify(o ledger.VerifyOptions) {
	got, err := w.book.Verify(w.ctx, o)
	require.NoError(w.t, err)
	require.True(w.t, got.OK(), "%v", got)
	sealed := w.m.sealed()
	require.Equal(w.t, []int64{int64(sealed), int64(len(w.m.journal) - sealed), int64(len(w.m.opened()))}, []int64{got.Records, got.Unsealed, got.Accounts}, "%v", got)
}

// asOf draws an earlier time, mostly one at which something happened.
func (w *world) asOf(d dice) (at ledger.AsOf) {
	instants := []time.Time{micro(w.now), micro(w.now).Add(-time.Duration(d.between(0, 72)) * time.Hour)}
	for _, b := range w.m.blocks {
		instants = append(instants, b.at)
	}
	for _, e := range w.m.journal {
		instants = append(instants, e.receipt.Effective, e.booked)
	}
	near := func() time.Time {
		return pick(d, instants).Add(time.Duration(d.between(-1, 1)) * time.Microsecond)
	}
	which := d.upTo(3)
	if which != 0 {
		at.Recorded = near()
	}
	if which != 1 {
		at.Effective = near()
	}
	return at
}

func (w *world) balanceAsOf(path string, at ledger.AsOf) {
	a, _ := lookUp(path)
	currency := cmp.Or(a.currency, w.m.currency(path))
	if currency == "" {
		return
	}
	got, err := w.book.Balance(w.ctx, path, at)
	require.NoError(w.t, err)
	want := balance(path, currency, w.m.asOf(path, at))
	if at == (ledger.AsOf{}) {
		want.Version = w.m.version(path)
	}
	require.Equal(w.t, want, got, "balance as of %v", at)
}

func (w *world) trial(at ledger.AsOf) *ledger.TrialBalance {
	got, err := w.book.TrialBalance(w.ctx, at)
	require.NoError(w.t, err)
	require.True(w.t, got.Foots(), "the books foot as of %v: %+v", at, got.Sums)
	var want []ledger.TrialLine
	open := w.m.opened()
	slices.Sort(open)
	sums := map[money.Currency]*[4]int64{}
	for _, path := range open {
		a, _ := lookUp(path)
		t := w.m.asOf(path, at)
		posted, c := t[ledger.Posted].Int64(), w.m.currency(path)
		l := ledger.TrialLine{Account: path, Type: a.kind, Debit: money.Of(max(posted, 0), c), Credit: money.Of(max(-posted, 0), c),
			PendingDebit: money.Of(t[ledger.HeldDebit].Int64(), c), PendingCredit: money.Of(t[ledger.HeldCredit].Int64(), c)}
		want = append(want, l)
		if sums[c] == nil {
			sums[c] = new([4]int64)
		}
		for i, n := range []money.Amount{l.Debit, l.Credit, l.PendingDebit, l.PendingCredit} {
			sums[c][i] += n.Minor()
		}
	}
	require.Equal(w.t, want, got.Lines, "trial balance as of %v", at)
	require.Len(w.t, got.Sums, len(sums))
	for _, s := range got.Sums {
		n := sums[s.Currency]
		require.NotNil(w.t, n)
		require.Equal(w.t, *n, [4]int64{s.Debit.Minor(), s.Credit.Minor(), s.PendingDebit.Minor(), s.PendingCredit.Minor()})
	}
	return got
}

// statement reads an account page by page.
func (w *world) statement(d dice, path string) {
	q := ledger.StatementQuery{Account: path, Limit: 1 + d.upTo(5)}
	if d.percent(30) {
		q.From = micro(w.now).Add(-time.Duration(d.between(0, 72)) * time.Hour)
	}
	if d.percent(30) {
		q.To = micro(w.now).Add(-time.Duration(d.between(-24, 48)) * time.Hour)
	}
	a, _ := lookUp(path)
	c := w.m.currency(path)
	var want []ledger.StatementLine
	running := new(big.Int)
	for seq, e := range w.m.journal {
		for _, l := range e.lines {
			if l.path != path || l.layer != ledger.Posted {
				continue
			}
			running.Add(running, big.NewInt(l.amount*int64(a.kind.Normal())))
			if !q.From.IsZero() && e.booked.Before(q.From) || !q.To.IsZero() && !e.booked.Before(q.To) {
				continue
			}
			s := ledger.StatementLine{Seq: int64(seq) + 1, ID: e.receipt.ID, Key: e.key(), Kind: e.kind(), Side: ledger.DebitSide, Amount: money.Of(l.amount, c),
				Balance: money.Of(running.Int64(), c), Effective: e.receipt.Effective, Booked: e.booked, Recorded: e.receipt.Recorded, Description: e.description, Metadata: e.metadata}
			if len(e.metadata) == 0 {
				s.Metadata = nil
			}
			if l.amount < 0 {
				s.Side, s.Amount = ledger.CreditSide, money.Of(-l.amount, c)
			}
			want = append(want, s)
		}
	}
	var got []ledger.StatementLine
	for page := 0; ; page++ {
		s, err := w.book.Statement(w.ctx, q)
		if c == "" {
			if err != nil {
				require.ErrorIs(w.t, err, ledger.ErrNotFound, "an account that has no currency yet")
				return
			}
			require.Empty(w.t, s.Lines, "nothing was ever posted to it")
			return
		}
		require.NoError(w.t, err)
		require.LessOrEqual(w.t, len(s.Lines), q.Limit)
		require.Equal(w.t, []any{path, a.kind, c}, []any{s.Account, s.Type, s.Currency})
		got = append(got, s.Lines...)
		q.After = s.Cursor
		if !s.More {
			break
		}
		require.NotEmpty(w.t, s.Lines, "a page that is not the last has lines")
		require.Less(w.t, page, 10_000)
	}
	require.Equal(w.t, want, got, "statement of %s from %v to %v", path, q.From, q.To)
	if q.From.IsZero() && q.To.IsZero() && len(got) > 0 {
		now, err := w.book.Balance(w.ctx, path, ledger.AsOf{})
		require.NoError(w.t, err)
		require.Equal(w.t, now.Posted, got[len(got)-1].Balance, "a statement adds up to the balance")
	}
}

// found asks for an entry by its key.
func (w *world) found(n int) {
	e := w.m.journal[n]
	got, err := w.book.Find(w.ctx, e.key())
	require.NoError(w.t, err)
	require.Equal(w.t, e.receipt, got.Receipt, "a receipt stays as it is")
	require.EqualValues(w.t, n+1, got.Seq, "seal order is the order of ids here")
	of := ""
	if e.of != nil {
		of = e.of.key()
	}
	var parts []ledger.Receipt
	for _, p := range w.m.parts(e) {
		parts = append(parts, p.receipt)
	}
	require.Equal(w.t, []any{of, parts, e.expires}, []any{got.Of, got.Parts, got.ExpiresAt})
	require.Equal(w.t, len(parts) > 0 && w.m.ended(e), got.Ended, "whether anything of %s is left", e.key())
	want, have := effect{}, effect{}
	for _, l := range e.lines {
		want.add(l.path, l.layer, l.amount)
	}
	for _, l := range got.Entries {
		have.add(l.Account, l.Layer, l.Amount.Minor())
	}
	require.Equal(w.t, want, have)
}

func (t totals) String() string { return fmt.Sprint(t[0], t[1], t[2]) }
