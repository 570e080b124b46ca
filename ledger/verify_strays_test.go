package ledger_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
)

func verifyRows(t *testing.T, c *rows) *ledger.Report {
	t.Helper()
	report, err := bookOn(t, c).Verify(ctx, ledger.VerifyOptions{Limit: 1000})
	require.NoError(t, err)
	return report
}

// TestBlocksThatAreGone removes seals: the records are in the journal as they
// were, and nothing may be said against them or their postings.
func TestBlocksThatAreGone(t *testing.T) {
	t.Parallel()
	store := filled(t, 9, 900)
	n := len(copyOf(t, store).blocks)
	require.Greater(t, n, 30)
	for _, gone := range [][2]int{{0, 1}, {5, 6}, {5, 12}, {n - 6, n - 1}, {0, n - 1}} {
		c := copyOf(t, store)
		first, next := c.blocks[gone[0]].First, c.blocks[gone[1]].First
		c.blocks = slices.Delete(c.blocks, gone[0], gone[1])
		report := verifyRows(t, c)
		require.False(t, report.OK())
		require.Equal(t, ledger.Problem{Table: ledger.TableBlocks, Seq: next, What: fmt.Sprintf("begins at %d, and the numbers %d to %d are in no block: what sealed them was removed or changed", next, first, next-1)},
			report.Problems[0])
		for _, p := range report.Problems[1:] {
			require.Equal(t, ledger.TableJournal, p.Table, "%v of %v", gone, p)
			require.Contains(t, p.What, "in no block, and the sealer does not look for", "%v of %v", gone, p)
		}
	}
	for _, kept := range []int{0, 1, n - 3, n - 1} { // and the rest is cut off
		c := copyOf(t, store)
		last, end := int64(0), c.blocks[n-1].Last()
		if kept > 0 {
			last = c.blocks[kept-1].Last()
		}
		c.blocks = c.blocks[:kept]
		report := verifyRows(t, c)
		require.Equal(t, []ledger.Problem{{Table: ledger.TableBlocks, Seq: last + 1,
			What: fmt.Sprintf("is not there, and the pages of the accounts go on to number %d: the blocks after number %d were removed, or postings were added", end, last)}}, report.Problems, "%d blocks kept", kept)
		require.Equal(t, end-last, report.Unsealed)
	}
	two := copyOf(t, store)
	first, second := *two.blocks[10], *two.blocks[20]
	two.blocks = slices.Delete(slices.Delete(two.blocks, 20, 21), 10, 11)
	report := verifyRows(t, two)
	for _, b := range []ledger.Block{first.Block, second.Block} {
		require.True(t, named(report, place{seqs: []int64{b.Last() + 1}}), "each gap is named:\n%s", list(report))
	}
}

func TestWhatWasChangedWhereABlockIsGone(t *testing.T) {
	t.Parallel()
	store := filled(t, 9, 900)
	for name, tc := range map[string]struct {
		change func(p *postingRow)
		what   string
	}{
		"amount":        {func(p *postingRow) { p.Amount++ }, "is not what the record says, which is in the journal without a seal"},
		"line":          {func(p *postingRow) { p.N = 90 }, "is not what the record says, which is in the journal without a seal"},
		"no record":     {func(p *postingRow) { p.ID = 1_000_000 }, "is of a record that is not in the journal"},
		"sealed record": {func(p *postingRow) { p.ID = 1 }, "is a line that the record, which is in the journal, does not have under this number"},
		"other number":  {func(p *postingRow) { p.Seq = 1 }, "is of a record that is in the journal without a seal, and the number is another's"},
	} {
		for _, tail := range []bool{false, true} {
			c := copyOf(t, store)
			at := 7
			if tail {
				at = len(c.blocks) - 1
			}
			b := c.blocks[at]
			c.blocks = slices.Delete(c.blocks, at, at+1)
			i := slices.IndexFunc(c.postings, func(p *postingRow) bool { return p.Seq >= b.First && p.Seq <= b.Last() })
			p := clone(c.postings[i])
			tc.change(p)
			c.postings[i] = p
			report := verifyRows(t, c)
			require.True(t, slices.ContainsFunc(report.Problems, func(f ledger.Problem) bool {
				return f.Table == ledger.TablePostings && f.Seq == p.Seq && f.N == p.N && f.ID == p.ID && f.What == tc.what
			}), "%s:\n%s", name, list(report))
		}
	}
}

// TestReportsAreTheSameEachTime verifies books with faults of every kind.
func TestReportsAreTheSameEachTime(t *testing.T) {
	t.Parallel()
	store := filled(t, 12, 900)
	damaged := func() *rows {
		c := copyOf(t, store)
		for i, r := range c.journal {
			if i%5 == 0 && len(r.Lines) > 0 {
				r.Lines = slices.Clone(r.Lines)
				for j := range r.Lines {
					r.Lines[j].Amount += int64(1 + j)
				}
			}
		}
		for i, p := range c.postings {
			switch i % 9 {
			case 0:
				p.Seq += 3
			case 1:
				p.Amount++
			}
		}
		for _, l := range c.totals {
			l.Version++
		}
		c.blocks = slices.Delete(c.blocks, 4, 6)
		c.accounts = slices.Delete(c.accounts, 3, 5)
		return c
	}
	for _, limit := range []int{10, 100, 10_000} {
		var first *ledger.Report
		for range 10 {
			report, err := bookOn(t, damaged()).Verify(ctx, ledger.VerifyOptions{Limit: limit})
			require.NoError(t, err)
			require.Greater(t, len(report.Problems)+report.More, 100)
			if first == nil {
				first = report
			}
			require.Equal(t, first.Problems, report.Problems)
			require.Equal(t, first.More, report.More)
		}
	}
}
