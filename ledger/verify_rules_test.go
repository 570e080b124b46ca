package ledger_test

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

// few makes rows of a post that is reversed in two parts, and a hold that is
// settled in part and voided.
func few() *rows {
	c := &rows{}
	for i, spec := range []ledger.Spec{
		{Path: "psp:a:clearing:EUR", Currency: money.EUR, Type: ledger.Asset},
		{Path: "platform:commission:EUR", Currency: money.EUR, Type: ledger.Income},
		{Path: "platform:commission:USD", Currency: money.USD, Type: ledger.Income},
	} {
		digest := spec.Digest()
		c.accounts = append(c.accounts, &accountRow{int64(i + 1), spec.Path, spec.Currency, spec.Type, spec.Mode, digest[:]})
	}
	add := func(kind ledger.Kind, of int64, part int, final bool, lines ...lineRow) {
		id := int64(len(c.journal) + 1)
		c.journal = append(c.journal, &recordRow{Lines: lines,
			Record: ledger.Record{ID: id, Kind: kind, Key: "k" + strconv.FormatInt(id, 10), Recorded: 1000 + id, Effective: 1000 + id, Of: of, Part: part, Final: final}})
	}
	add(ledger.KindPost, 0, 0, false, lineRow{1, ledger.Posted, 100}, lineRow{2, ledger.Posted, -100})
	add(ledger.KindReversal, 1, 1, false, lineRow{1, ledger.Posted, -30}, lineRow{2, ledger.Posted, 30})
	add(ledger.KindHold, 0, 0, false, lineRow{1, ledger.HeldDebit, 50}, lineRow{2, ledger.HeldCredit, 50})
	add(ledger.KindSettle, 3, 1, false, lineRow{1, ledger.HeldDebit, -20}, lineRow{1, ledger.Posted, 20}, lineRow{2, ledger.HeldCredit, -20}, lineRow{2, ledger.Posted, -20})
	add(ledger.KindVoid, 3, 2, true, lineRow{1, ledger.HeldDebit, -30}, lineRow{2, ledger.HeldCredit, -30})
	add(ledger.KindReversal, 1, 2, true, lineRow{1, ledger.Posted, -70}, lineRow{2, ledger.Posted, 70})
	add(ledger.KindClose, 0, 0, false)
	return c
}

// TestWhatIsSealedAndMakesNoSenseIsNamed seals records that the package would
// never write: the hashes hold, and the rules do not.
func TestWhatIsSealedAndMakesNoSenseIsNamed(t *testing.T) {
	t.Parallel()
	cases := []struct {
		what   string
		id     int64 // that must be named
		change func(c *rows)
		says   string
	}{
		{"unbalanced", 1, func(c *rows) { c.journal[0].Lines[0].Amount = 101 }, "does not balance"},
		{"unbalanced by currency", 1, func(c *rows) { c.journal[0].Lines[1].Account = 3 }, "does not balance"},
		{"one line", 1, func(c *rows) { c.journal[0].Lines = c.journal[0].Lines[:1] }, "has 1 lines"},
		{"zero", 1, func(c *rows) { c.journal[0].Lines[0].Amount = 0 }, "of 0 minor units"},
		{"too much", 1, func(c *rows) {
			c.journal[0].Lines[0].Amount, c.journal[0].Lines[1].Amount = ledger.MaxAmount+1, -ledger.MaxAmount-1
		}, "minor units"},
		{"held by a post", 1, func(c *rows) { c.journal[0].Lines[0].Layer = ledger.HeldDebit }, "on the layer held debit"},
		{"held on one side", 3, func(c *rows) { c.journal[2].Lines[1].Layer = ledger.HeldDebit }, "on the debit side"},
		{"a kind that is none", 1, func(c *rows) { c.journal[0].Kind = 9 }, "kind 9"},
		{"a key that is none", 1, func(c *rows) { c.journal[0].Key = "a b" }, "key"},
		{"a description of two lines", 1, func(c *rows) { c.journal[0].Description = "a\nb" }, "description"},
		{"metadata", 1, func(c *rows) { c.journal[0].Metadata = []byte("{") }, "metadata"},
		{"no time", 1, func(c *rows) { c.journal[0].Recorded = 0 }, "time"},
		{"a post that expires", 1, func(c *rows) { c.journal[0].Expires = 9 }, "expires"},
		{"a post that draws", 3, func(c *rows) { c.journal[2].Of, c.journal[2].Part = 1, 7 }, "draws on"},
		{"a void that goes on", 5, func(c *rows) { c.journal[4].Final = false }, "does not end"},
		{"of a later one", 2, func(c *rows) { c.journal[1].Of = 6 }, "names no earlier"},
		{"of none", 2, func(c *rows) { c.journal = slices.Delete(c.journal, 0, 1) }, "not in the journal"},
		{"a part left out", 5, func(c *rows) { c.journal[4].Part = 3 }, "is part 3"},
		{"more than was held", 4, func(c *rows) {
			c.journal[3].Lines = []lineRow{{1, ledger.HeldDebit, -60}, {1, ledger.Posted, 60}, {2, ledger.HeldCredit, -60}, {2, ledger.Posted, -60}}
		}, "more from"},
		{"more than was posted", 6, func(c *rows) { c.journal[5].Lines = []lineRow{{1, ledger.Posted, -71}, {2, ledger.Posted, 71}} }, "more from"},
		{"a reversal the same way", 2, func(c *rows) { c.journal[1].Lines = []lineRow{{1, ledger.Posted, 30}, {2, ledger.Posted, -30}} }, "more from"},
		{"other than it releases", 4, func(c *rows) { c.journal[3].Lines[1].Amount, c.journal[3].Lines[3].Amount = 21, -21 }, "settles another amount"},
		{"after the end", 5, func(c *rows) { c.journal[3].Final = true }, "nothing was left"},
		{"an end with something left", 4, func(c *rows) { c.journal[3].Final = true }, "not all of that"},
		{"no end with nothing left", 6, func(c *rows) { c.journal[5].Final = false }, "not marked as the last"},
		{"a reversal of a hold", 2, func(c *rows) { c.journal[1].Of, c.journal[0], c.journal[2] = 1, c.journal[2], c.journal[0] }, "is a reversal of a hold"},
		{"a settlement of a post", 4, func(c *rows) { c.journal[3].Of = 1; c.journal[3].Part = 2 }, "is a settle of a post"},
		{"a closing with lines", 7, func(c *rows) { c.journal[6].Lines = c.journal[0].Lines }, "is a closing"},
	}
	for _, tc := range cases {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			c := few()
			tc.change(c)
			for i, r := range c.journal {
				if tc.what != "of none" {
					r.ID = int64(i + 1)
				}
			}
			var order []int64
			for _, r := range c.journal {
				order = append(order, r.ID)
			}
			sealInOrder(t, c, [][]int64{order[:2], order[2:]})
			report, err := bookOn(t, c).Verify(ctx, ledger.VerifyOptions{})
			require.NoError(t, err)
			require.True(t, slices.ContainsFunc(report.Problems, func(p ledger.Problem) bool {
				return p.Table == ledger.TableJournal && p.ID == tc.id && strings.Contains(p.What, tc.says)
			}), "%s", list(report))
		})
	}
	c := few()
	sealInOrder(t, c, [][]int64{{1, 2, 3}, {4, 5, 6, 7}})
	report, err := bookOn(t, c).Verify(ctx, ledger.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems, "as they are, they make sense")
}

// TestVerifyTakesTheSameMemoryForTenTimesTheBooks compares the heap that
// Verify needs beside the books themselves.
func TestVerifyTakesTheSameMemoryForTenTimesTheBooks(t *testing.T) { //nolint:paralleltest // it measures the heap
	const n = 5_000
	small, large := verifyHeap(t, n), verifyHeap(t, 10*n)
	t.Logf("beside the books: %d KB for %d records, %d KB for %d", small>>10, n, large>>10, 10*n)
	require.Less(t, large, 2*small+1<<20, "memory grows with the journal")
}

func verifyHeap(t *testing.T, n int) int64 {
	book := bookOn(t, memstore.New())
	batch := make([]ledger.Change, 0, 500)
	for i := range n {
		batch = append(batch, ledger.Transaction{Key: "k" + strconv.Itoa(i), Entries: []ledger.Entry{
			ledger.Debit("psp:stripe:clearing:EUR", money.Of(5, money.EUR)), ledger.Credit("merchant:"+strconv.Itoa(i%100)+":payable:EUR", money.Of(5, money.EUR))}})
		if len(batch) == cap(batch) {
			for _, r := range book.PostAll(ctx, batch...) {
				require.NoError(t, r.Err)
			}
			batch = batch[:0]
		}
	}
	_, err := book.Seal(ctx)
	require.NoError(t, err)
	inUse := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := inUse()
	peak, pages := int64(0), 0
	report, err := book.Verify(ctx, ledger.VerifyOptions{Progress: func(table ledger.Table, rows int64) {
		if pages++; table != ledger.TableJournal || rows%5_000 == 0 {
			peak = max(peak, inUse()-before)
		}
	}})
	require.NoError(t, err)
	require.True(t, report.OK(), report)
	require.EqualValues(t, n, report.Records)
	require.Greater(t, pages, n/1000)
	return peak
}

func BenchmarkVerify(b *testing.B) {
	book := bookOn(b, memstore.New())
	const n = 100_000
	for i := range n {
		_, err := book.Post(ctx, ledger.Transaction{Key: "k" + strconv.Itoa(i), Entries: []ledger.Entry{
			ledger.Debit("psp:stripe:clearing:EUR", money.Of(5, money.EUR)), ledger.Credit("merchant:"+strconv.Itoa(i%100)+":payable:EUR", money.Of(5, money.EUR))}})
		require.NoError(b, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		report, err := book.Verify(ctx, ledger.VerifyOptions{})
		require.NoError(b, err)
		require.True(b, report.OK())
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
