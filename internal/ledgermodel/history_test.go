package ledgermodel

import (
	"context"
	"maps"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
)

// history is what is known of concurrent posts afterwards, and what it proves.
//
// Accepted posts are replayed in the order of the seals: each condition must
// hold on what the replay has come to.
//
// Of a refusal is known that it was decided at some moment between Start and
// End of its call, on what was committed then, with the account under lock. The
// moment itself is not known, so it is asked whether there is any possible one
// at which the condition does not hold:
//
//   - Takings from one account are decided one after the other, under its lock,
//     and the seals keep their order. So what the refusal saw of them is the
//     first k in the order of the seals. All that were answered before it
//     Started are among these, and none that was Started after its End. That
//     bounds k from below and above; an order in which these bounds cross is an
//     error of its own.
//   - What came into the account may be appended without the lock, and be
//     committed earlier or later than its place among the seals. But what was
//     answered before the refusal Started, or before one of the k takings
//     Started, was committed when it was decided: it counts. All else may not
//     have been there, so least it is taken as if it was not.
//   - A taking that was accepted with a floor left at least that on the account,
//     and until the next taking it can only become more.
//
// So for each k there is a least amount that must have been available. If with
// it the floor holds at every possible k, the refusal was wrong at every moment
// of its interval. A refused version is simpler: the version is k.
//
// Every bound errs on the side of the books, so no true refusal is blamed; and
// a refusal for money that was there all the time is found out.
type history struct {
	t *testing.T
	// of each pot, in the order of the seals
	takings, income [pots][]*attempt
}

func prove(t *testing.T, w *worker, log []*attempt) {
	t.Helper()
	h := &history{t: t}
	accepted := map[string]*attempt{}
	refused, replayed := 0, 0
	for _, a := range log {
		require.Empty(t, a.Problem, "%s", a.Key)
		switch {
		case a.ID == 0:
			refused++
		case a.Replayed:
			replayed++
		default:
			require.Nil(t, accepted[a.Key], "%s was recorded twice", a.Key)
			accepted[a.Key] = a
		}
	}
	for _, a := range log {
		if a.Replayed {
			require.NotNil(t, accepted[a.Key], "%s was replayed, and nobody recorded it", a.Key)
			require.Equal(t, accepted[a.Key].ID, a.ID, "the receipt of a replay")
		}
		if first := accepted[a.Key]; a.ID == 0 && first != nil {
			require.Greater(t, first.End, a.Start, "%s was refused after it had been recorded", a.Key)
		}
	}
	t.Logf("%d attempts: %d accepted, %d refused, %d replayed; the host was busy %d times", len(log), len(accepted), refused, replayed, w.busy.Load())
	require.Greater(t, refused, len(log)/20, "the conditions conflict, or nothing is proven")
	require.Greater(t, len(accepted), len(log)/20)
	h.replay(w, accepted)
	wide := 0
	for _, a := range log {
		if a.ID == 0 {
			wide += h.refusal(a)
		}
	}
	t.Logf("possible moments of a refusal: %.1f", float64(wide)/float64(refused))
}

// replay goes through the journal in the order of the seals.
func (h *history) replay(w *worker, accepted map[string]*attempt) {
	ctx := h.t.Context()
	head, err := w.book.Head(ctx)
	require.NoError(h.t, err)
	require.NoError(h.t, w.store.Ledger().View(ctx, func(ctx context.Context, v ledger.View) error {
		told := maps.Clone(accepted)
		require.NoError(h.t, v.Journal(ctx, 0, 0, func(r *ledger.Record, broken error) error {
			if r.Lines[0].Account.Path != "bank:EUR" {
				require.NotNil(h.t, told[r.Key], "%s is in the journal, and nobody was told so", r.Key)
			}
			delete(told, r.Key)
			return broken
		}))
		require.Empty(h.t, told, "what was accepted is in the journal")
		return nil
	}))
	require.EqualValues(h.t, pots+len(accepted), head.Seq, "what was accepted is in the journal, and what was refused or rolled back is not")
	var has, version [pots]int64
	for i := range has {
		has[i] = funds
	}
	seq := int64(0)
	records := map[int64]*ledger.Record{}
	require.NoError(h.t, w.store.Ledger().View(ctx, func(ctx context.Context, v ledger.View) error {
		if err := v.Journal(ctx, 0, 0, func(r *ledger.Record, broken error) error {
			kept := *r
			records[r.ID] = &kept
			return broken
		}); err != nil {
			return err
		}
		return v.Blocks(ctx, 0, 0, func(b *ledger.Block, broken error) error {
			if broken != nil {
				return broken
			}
			require.Equal(h.t, seq+1, b.First, "the seals have no gaps")
			for _, id := range b.IDs {
				seq++
				r := records[id]
				require.NotNil(h.t, r, "number %d is that of one record", seq)
				delete(records, id)
				if seq <= pots {
					require.Contains(h.t, r.Key, "fund-")
					continue
				}
				a := accepted[r.Key]
				require.NotNil(h.t, a, "%s is in the journal, and nobody was told so", r.Key)
				require.Equal(h.t, a.ID, r.ID)
				if a.Version != nil {
					require.Equal(h.t, *a.Version, version[a.From], "in the order of the seals %s (number %d) finds the version it asks for", a.Key, seq)
				}
				has[a.From] -= a.Amount
				has[a.To] += a.Amount
				version[a.From]++
				if a.Floor != nil {
					require.GreaterOrEqual(h.t, has[a.From], *a.Floor, "in the order of the seals the condition of %s (number %d) holds", a.Key, seq)
				}
				h.takings[a.From] = append(h.takings[a.From], a)
				h.income[a.To] = append(h.income[a.To], a)
			}
			return nil
		})
	}))
	require.Empty(h.t, records, "every record has a number")
	proof, err := w.book.Verify(ctx, ledger.VerifyOptions{Head: &head})
	require.NoError(h.t, err)
	require.True(h.t, proof.OK(), "%v", proof)
	for i := range pots {
		b, err := w.book.Balance(ctx, pot(i), ledger.AsOf{})
		require.NoError(h.t, err)
		require.Equal(h.t, []int64{has[i], version[i]}, []int64{b.Available.Minor(), b.Version}, pot(i))
	}
}

// refusal fails the test if a refusal was wrong at every possible moment. It
// returns how many moments were possible.
func (h *history) refusal(r *attempt) int {
	takings := h.takings[r.From]
	least, most := 0, len(takings)
	for i, a := range takings {
		if a.End < r.Start {
			least = i + 1
		}
		if a.Start > r.End {
			most = min(most, i)
		}
	}
	require.LessOrEqual(h.t, least, most, "takings from %s are sealed in another order than they were made in", pot(r.From))
	if r.Version != nil {
		require.True(h.t, least < most || int64(least) != *r.Version, "%s was refused at version %d, and the version was %d all the time", r.Key, *r.Version, least)
		return most - least + 1
	}
	require.NotNil(h.t, r.Floor, "%s has no condition, and was refused", r.Key)
	lowest := int64(math.MaxInt64)
	taken, before := int64(0), r.Start
	for k := 0; k <= most; k++ {
		if k > 0 {
			taken += takings[k-1].Amount
			before = max(before, takings[k-1].Start)
		}
		if k < least {
			continue
		}
		has := funds - taken
		for _, a := range h.income[r.From] {
			if a.End < before {
				has += a.Amount
			}
		}
		if k > 0 && takings[k-1].Floor != nil {
			has = max(has, *takings[k-1].Floor)
		}
		lowest = min(lowest, has)
	}
	require.Less(h.t, lowest-r.Amount, *r.Floor, "%s was refused %d of %s with the floor %d, and at least %d was there all the time", r.Key, r.Amount, pot(r.From), *r.Floor, lowest)
	return most - least + 1
}
