package ledger_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/ledgertest"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/store/memstore"
)

var ctx = context.Background()

// newBook returns a book on a store of its own.
func newBook(t testing.TB) *ledger.Book { return bookOn(t, memstore.New()) }

func bookOn(t testing.TB, s ledger.Store) *ledger.Book {
	t.Helper()
	book, err := ledger.New(ledger.Config{Store: s, Chart: ledgertest.Chart(), Now: ledgertest.NewClock().Now})
	require.NoError(t, err)
	return book
}

func TestHealthyBooksVerify(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		book := newBook(t)
		f := ledgertest.NewFiller(book, "", seed)
		if seed%4 == 0 {
			f.SealEvery = 0
		}
		require.NoError(t, f.Fill(ctx, 50+int(seed)*100))
		require.Greater(t, f.Accepted, f.Refused)
		head, err := book.Head(ctx)
		require.NoError(t, err)
		require.NoError(t, f.Fill(ctx, 30))
		report, err := book.Verify(ctx, ledger.VerifyOptions{Head: &head, AsTheyAre: seed%2 == 1})
		require.NoError(t, err)
		require.Empty(t, report.Problems, "seed %d", seed)
		require.True(t, report.OK())
		require.EqualValues(t, f.Accepted, report.Records+report.Unsealed, "every record is counted")
		require.Positive(t, report.Postings)
		require.Equal(t, report.Records, report.Head.Seq)
		if seed%2 == 0 {
			require.Zero(t, report.Unsealed)
		}
		require.Positive(t, report.Took)
		t.Log(report)
	}
}
