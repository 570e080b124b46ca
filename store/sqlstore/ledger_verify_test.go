package sqlstore_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/ledgertest"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/store/sqlstore"
)

func randomBook(t testing.TB, s ledger.Store) *ledger.Book {
	t.Helper()
	b, err := ledger.New(ledger.Config{Store: s, Chart: ledgertest.Chart(), Now: ledgertest.NewClock().Now})
	require.NoError(t, err)
	return b
}

func TestLedgerVerifiesWhatManyWroteAndSealed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store) {
		b := randomBook(t, s)
		var wg sync.WaitGroup
		accepted := make([]int, 4)
		for i := range accepted {
			wg.Go(func() {
				f := ledgertest.NewFiller(b, fmt.Sprintf("w%d-", i), uint64(20+i))
				f.SealEvery = 0
				if err := f.Fill(ctx, 200); err != nil {
					t.Error(err)
				}
				accepted[i] = f.Accepted
			})
		}
		sealed := make(chan struct{})
		wg.Go(func() {
			for range 20 {
				if _, err := b.Seal(ctx); err != nil {
					t.Error(err)
				}
			}
			close(sealed)
		})
		<-sealed
		wg.Wait()
		report, err := b.Verify(ctx, ledger.VerifyOptions{})
		require.NoError(t, err)
		require.Empty(t, report.Problems)
		require.EqualValues(t, accepted[0]+accepted[1]+accepted[2]+accepted[3], report.Records)
		require.Zero(t, report.Unsealed)
		var journal, table bytes.Buffer
		require.NoError(t, b.ExportHledger(ctx, &journal, ledger.ExportOptions{}))
		require.EqualValues(t, report.Records, strings.Count(journal.String(), "; seq:"))
		require.NoError(t, b.ExportCSV(ctx, &table, ledger.ExportOptions{}))
		closings := int64(strings.Count(journal.String(), "kind:close"))
		require.EqualValues(t, report.Postings+closings+1, strings.Count(table.String(), "\r\n"))
	})
}

// TestLedgerVerifiesLateRecords: on PostgreSQL a host's transaction may commit
// when records with higher numbers were sealed long ago.
func TestLedgerVerifiesLateRecords(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := openPostgres(t, dsn)
	b := randomBook(t, s)
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	f := ledgertest.NewFiller(b, "", 30)
	f.Closings = false
	require.NoError(t, f.Fill(ctx, 30))
	var slow []*sql.Tx
	for i := range 3 {
		tx, err := db.BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = b.Post(sqlstore.In(ctx, tx), ledger.Transaction{Key: fmt.Sprint("slow-", i), Entries: []ledger.Entry{
			ledger.Debit("psp:stripe:clearing:EUR", eur(700)), ledger.Credit("platform:commission:EUR", eur(700))}})
		require.NoError(t, err)
		slow = append(slow, tx)
		require.NoError(t, f.Fill(ctx, 20))
		_, err = b.Seal(ctx)
		require.NoError(t, err)
	}
	verify := func() *ledger.Report {
		report, err := b.Verify(ctx, ledger.VerifyOptions{})
		require.NoError(t, err)
		require.Empty(t, report.Problems)
		return report
	}
	before := verify()
	require.NoError(t, slow[1].Commit())
	require.NoError(t, slow[2].Rollback())
	require.EqualValues(t, before.Records+1, verify().Records)
	require.NoError(t, f.Fill(ctx, 40))
	require.NoError(t, slow[0].Commit())
	report, err := b.Verify(ctx, ledger.VerifyOptions{AsTheyAre: true})
	require.NoError(t, err)
	require.Empty(t, report.Problems, "one that waits for its seal, with a number far below the last")
	require.Positive(t, report.Unsealed)
	require.EqualValues(t, f.Accepted+2, verify().Records)
}
