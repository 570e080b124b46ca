package sqlstore_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/ledgertest"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/sqlstore"
)

// TestLedgerVolumes: on SQLite the pages of the accounts come in volumes. An
// account that is missing from some of them reads as if there were none.
func TestLedgerVolumes(t *testing.T) {
	t.Parallel()
	const volume, rare = 64, "fees:psp:EUR"
	path := filepath.Join(t.TempDir(), "shop.db")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	posted, hits := 0, []time.Time{}
	open := func() *ledger.Book {
		s := openSQLite(t, path)
		sqlstore.SetVolume(s, volume)
		b, err := ledger.New(ledger.Config{Store: s, Chart: ledgertest.Chart(), Now: func() time.Time { at = at.Add(time.Millisecond); return at }})
		require.NoError(t, err)
		return b
	}
	post := func(b *ledger.Book, account string, n int) {
		for ; n > 0; n -= 1000 {
			var all []ledger.Change
			for range min(n, 1000) {
				posted++
				all = append(all, ledger.Transaction{Key: fmt.Sprint("k", posted), Entries: []ledger.Entry{
					ledger.Debit(account, money.Of(int64(posted), money.EUR)), ledger.Credit("psp:x:clearing:EUR", money.Of(int64(posted), money.EUR))}})
			}
			for _, r := range b.PostAll(ctx, all...) {
				require.NoError(t, r.Err)
			}
		}
	}
	balances := []int64{0}
	seal := func(b *ledger.Book) {
		_, err := b.Seal(ctx)
		require.NoError(t, err)
	}
	hit := func(b *ledger.Book) {
		post(b, rare, 1)
		seal(b)
		hits, balances = append(hits, at), append(balances, balances[len(balances)-1]+int64(posted))
	}
	b := open()
	hit(b)
	post(b, "merchant:m:payable:EUR", 1) // an account with a higher number
	post(b, "bank:EUR", 2*volume)        // a volume without it
	seal(b)
	b = open() // whose sealer knows of no account
	hit(b)
	post(b, "bank:EUR", volume-2-posted%volume) // to the edge of a volume
	for range 4 {
		hit(b)
	}
	b = open()
	for i, when := range hits {
		got, err := b.Balance(ctx, rare, ledger.AsOf{Recorded: when})
		require.NoError(t, err)
		require.Equal(t, money.Of(balances[i+1], money.EUR), got.Posted)
	}
	for _, limit := range []int{1, 2, 3, 100} {
		var lines []ledger.StatementLine
		q := ledger.StatementQuery{Account: rare, Limit: limit}
		for more := true; more; {
			page, err := b.Statement(ctx, q)
			require.NoError(t, err)
			lines, more, q.After = append(lines, page.Lines...), page.More, page.Cursor
		}
		require.Len(t, lines, len(hits), "in pages of %d", limit)
		for i, l := range lines {
			require.Equal(t, money.Of(balances[i+1], money.EUR), l.Balance)
		}
	}
	report, err := b.Verify(ctx, ledger.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.EqualValues(t, posted, report.Records)
}
