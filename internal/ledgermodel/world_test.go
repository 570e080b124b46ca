package ledgermodel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
)

// world is books and the model of them, to which the same happens.
type world struct {
	t     *rapid.T
	ctx   context.Context
	store opened
	book  *ledger.Book
	books [2]*ledger.Book // on two handles
	m     *model
	now   time.Time

	keys  int             // drawn so far
	heads []ledger.Head   // exported so far
	asked []ledger.Change // whatever was asked, accepted or not
}

func newWorld(t *rapid.T, s opened, chart *ledger.Chart) *world {
	w := &world{t: t, ctx: context.Background(), store: s, m: &model{}, now: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)}
	for i, handle := range []payment.Store{s.Store, s.other} {
		var err error
		w.books[i], err = ledger.New(ledger.Config{Store: handle.(ledger.Store), Chart: chart, Now: func() time.Time { return w.now }})
		require.NoError(t, err)
	}
	w.book = w.books[0]
	return w
}

// expect holds a result against the model's verdict, and moves the model on.
func (w *world) expect(c ledger.Change, v verdict, receipt ledger.Receipt, err error) {
	if err != nil {
		w.refused(c, v, err)
		return
	}
	require.Empty(w.t, v.refused, "accepted: %s", short(c))
	if v.replay != nil {
		want := v.replay.receipt
		want.Replayed = true
		require.Equal(w.t, want, receipt, "the receipt of a replay is that of the first, and says so")
		return
	}
	last := int64(0)
	if n := len(w.m.journal); n > 0 {
		last = w.m.journal[n-1].receipt.ID
	}
	require.Greater(w.t, receipt.ID, last, "ids ascend")
	v.entry.receipt.ID = receipt.ID
	require.Equal(w.t, v.entry.receipt, receipt, "receipt of %s", short(c))
	w.m.journal = append(w.m.journal, v.entry)
}

func (w *world) refused(c ledger.Change, v verdict, err error) {
	var told *ledger.Error
	require.ErrorAs(w.t, err, &told, "a refusal is typed: %s", short(c))
	require.False(w.t, strings.ContainsAny(err.Error(), "\n\r"), "a refusal is one line: %q", err)
	kinds := v.refused
	if v.maybe {
		kinds = append(kinds, ledger.ErrOverflow)
	}
	for _, k := range kinds {
		if errors.Is(err, k) {
			require.Equal(w.t, k, told.Kind)
			return
		}
	}
	w.t.Fatalf("refused: %v\n\twant one of %v (none: accepted)\n\tof %s", err, kinds, short(c))
}

// drawn draws changes that may follow each other: the model takes each on
// trial, so that a later one can refer to an earlier.
func (w *world) drawn(most int) []ledger.Change {
	d := dice{w.t}
	was := len(w.m.journal)
	var list []ledger.Change
	for range 1 + d.upTo(most) {
		c := w.change(d)
		list = append(list, c)
		if v := w.m.judge(c, w.now); v.entry != nil && len(v.refused) == 0 {
			w.m.journal = append(w.m.journal, v.entry)
		}
	}
	w.m.journal = w.m.journal[:was]
	w.asked = append(w.asked, list...)
	w.book = pick(d, w.books[:])
	for _, c := range list {
		w.t.Logf("asked: %s", short(c))
	}
	return list
}

// one asks for a single change.
func (w *world) one(*rapid.T) {
	c := w.drawn(1)[0]
	v := w.m.judge(c, w.now)
	var receipt ledger.Receipt
	var err error
	switch c := c.(type) {
	case ledger.Transaction:
		receipt, err = w.book.Post(w.ctx, c)
	case ledger.Settlement:
		receipt, err = w.book.Settle(w.ctx, c)
	case ledger.Void:
		receipt, err = w.book.Void(w.ctx, c)
	case ledger.Expiry:
		receipt, err = w.book.Expire(w.ctx, c)
	case ledger.Reversal:
		receipt, err = w.book.Reverse(w.ctx, c)
	case ledger.Closing:
		receipt, err = w.book.ClosePeriod(w.ctx, c)
	}
	w.expect(c, v, receipt, err)
}

// all asks for several at once, each on its own.
func (w *world) all(*rapid.T) {
	list := w.drawn(8)
	results := w.book.PostAll(w.ctx, list...)
	require.Len(w.t, results, len(list))
	for i, c := range list {
		w.expect(c, w.m.judge(c, w.now), results[i].Receipt, results[i].Err)
	}
}

// together asks for several of which all or none are to be recorded.
func (w *world) together(*rapid.T) {
	list := w.drawn(5)
	receipts, err := w.book.PostTogether(w.ctx, list...)
	w.group(list, receipts, err, w.knots(list))
}

// group holds the result of what stands or falls together against the model.
// before is what is refused whatever the books say.
func (w *world) group(list []ledger.Change, receipts []ledger.Receipt, err error, before []error) {
	was := len(w.m.journal)
	var refusing ledger.Change
	refused := verdict{refused: before}
	for _, c := range list {
		refused.refused = append(refused.refused, malformed(c)...)
	}
	verdicts := make([]verdict, len(list))
	for i, c := range list {
		v := w.m.judge(c, w.now)
		refused.maybe = refused.maybe || v.maybe
		if len(refused.refused) == 0 && len(v.refused) > 0 {
			refused.refused, refusing = v.refused, c
		}
		if v.entry != nil {
			w.m.journal = append(w.m.journal, v.entry)
		}
		verdicts[i] = v
	}
	w.m.journal = w.m.journal[:was]
	if err != nil {
		if refusing == nil {
			refusing = list[0]
		}
		w.refused(refusing, refused, err)
		return
	}
	require.Empty(w.t, refused.refused, "accepted together")
	require.Len(w.t, receipts, len(list))
	for i, c := range list {
		w.expect(c, verdicts[i], receipts[i], nil)
	}
}

// knots finds what cannot be asked for together: one that refers to another,
// and two that draw on one.
func (w *world) knots(list []ledger.Change) (kinds []error) {
	keys := map[string]bool{}
	for _, c := range list {
		h := commonOf(c)
		if keys[h.key] || keys[h.of] {
			kinds = append(kinds, ledger.ErrInvalid)
		}
		keys[h.key] = true
		if h.of != "" {
			keys[h.of] = true
		}
	}
	return kinds
}

// in posts in a transaction of the store's, as a participant does, and commits
// it or not.
func (w *world) in(*rapid.T) {
	list := w.drawn(4)
	fails := dice{w.t}.percent(20)
	boom := errors.New("boom")
	var receipts []ledger.Receipt
	var refused error
	err := w.store.Update(w.ctx, func(ctx context.Context, tx payment.Tx) error {
		receipts, refused = w.book.PostIn(ctx, tx.(ledger.Keeper), list...)
		if refused == nil && fails {
			return boom
		}
		return refused
	})
	if refused == nil && fails {
		require.ErrorIs(w.t, err, boom)
		return
	}
	require.Equal(w.t, refused, err, "Update returns what its function does")
	w.group(list, receipts, refused, nil)
}

// host posts in a transaction of the host's, which is committed or rolled back.
func (w *world) host(*rapid.T) {
	if w.store.join == nil {
		w.one(w.t)
		return
	}
	list := w.drawn(3)
	was := len(w.m.journal)
	ctx, end := w.store.join(w.t)
	for _, c := range list {
		receipt, err := w.book.Apply(ctx, c)
		w.expect(c, w.m.judge(c, w.now), receipt, err)
	}
	commit := !dice{w.t}.percent(35)
	require.NoError(w.t, end(commit))
	if !commit {
		w.m.journal = w.m.journal[:was]
	}
}

func (w *world) seal(*rapid.T) {
	n, err := w.book.Seal(w.ctx)
	require.NoError(w.t, err)
	require.Equal(w.t, w.m.seal(w.now), n, "what was not sealed is sealed")
}

// clock moves the clock on, and sometimes back a little, as clocks do.
func (w *world) clock(*rapid.T) {
	d := dice{w.t}
	if d.percent(10) {
		w.now = w.now.Add(-time.Duration(d.between(1, 5000)) * time.Millisecond)
		return
	}
	w.now = w.now.Add(time.Duration(d.between(1, 40_000)) * time.Second / 10)
}

func (w *world) String() string { return fmt.Sprintf("%d recorded, %s", len(w.m.journal), w.now) }
