package ledgermodel

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlstore"
)

// openedByHost returns books on PostgreSQL, and a transaction of a host's that
// has taken from shop:1:EUR and is still open.
func openedByHost(t *testing.T, options sqlstore.Options) (book *ledger.Book, commit func() error) {
	t.Helper()
	db, err := postgres.Open(t.Context(), migrated(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	s, err := sqlstore.New(db.DB(), sqlstore.Postgres, options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	book, err = ledger.New(ledger.Config{Store: s, Chart: newChart(t)})
	require.NoError(t, err)
	for _, r := range book.PostAll(t.Context(), move("fund-1", "bank:EUR", "shop:1:EUR", eur(1000)), move("fund-2", "bank:EUR", "shop:2:EUR", eur(1000)), move("fund-3", "bank:EUR", "till:a", eur(1))) {
		require.NoError(t, r.Err)
	}
	tx, err := s.DB().BeginTx(context.Background(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	_, err = book.Post(sqlstore.In(t.Context(), tx), move("host", "shop:1:EUR", "bank:EUR", eur(100)))
	require.NoError(t, err)
	return book, tx.Commit
}

// TestHostStallsNobodyElse: an open transaction of a host's keeps the account
// that it took from, and nothing else: what goes elsewhere, and what comes into
// that account, is recorded meanwhile, though one that waits was sent first.
func TestHostStallsNobodyElse(t *testing.T) {
	t.Parallel()
	book, commit := openedByHost(t, sqlstore.Options{})
	waiting := make(chan error, 1)
	go func() {
		_, err := book.Post(context.Background(), conditional(move("waits", "shop:1:EUR", "bank:EUR", eur(900)), ledger.NotOverdrawn("shop:1:EUR")))
		waiting <- err
	}()
	time.Sleep(20 * time.Millisecond)
	began := time.Now()
	for n := range 30 {
		_, err := book.Post(t.Context(), conditional(move(fmt.Sprint("elsewhere-", n), "shop:2:EUR", "till:a", eur(1)), ledger.NotOverdrawn("shop:2:EUR")))
		require.NoError(t, err)
		_, err = book.Post(t.Context(), move(fmt.Sprint("into-", n), "bank:EUR", "shop:1:EUR", eur(1)))
		require.NoError(t, err)
	}
	require.Less(t, time.Since(began), 4*time.Second, "60 posts beside an open transaction")
	_, err := book.Seal(t.Context())
	require.NoError(t, err, "the sealer waits for no transaction")
	select {
	case err := <-waiting:
		t.Fatalf("a taking was decided while the account was locked by somebody else: %v", err)
	default:
	}
	require.NoError(t, commit())
	require.NoError(t, <-waiting, "900 of 1000 - 100 + 30")
	b, err := book.Balance(t.Context(), "shop:1:EUR", ledger.AsOf{})
	require.NoError(t, err)
	require.Equal(t, eur(30), b.Available)
	head, err := book.Head(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3+60+2, head.Seq, "the number that the host held open is filled")
	proof, err := book.Verify(t.Context(), ledger.VerifyOptions{})
	require.NoError(t, err)
	require.True(t, proof.OK(), "%v", proof)
}

// TestWhatWaitsKeepsItsOrder: a change that refers to one that has to wait for
// a lock waits behind it.
func TestWhatWaitsKeepsItsOrder(t *testing.T) {
	t.Parallel()
	book, commit := openedByHost(t, sqlstore.Options{})
	hold := move("hold", "shop:1:EUR", "till:b", eur(50))
	hold.Pending = true
	done := make(chan []ledger.Result, 1)
	go func() {
		done <- book.PostAll(context.Background(), hold,
			ledger.Settlement{Key: "settle", Hold: "hold", Amount: eur(20)},
			ledger.Void{Key: "void", Hold: "hold"},
			ledger.Reversal{Key: "back", Of: "settle"},
			move("elsewhere", "shop:2:EUR", "bank:EUR", eur(1)))
	}()
	require.Eventually(t, func() bool {
		_, err := book.Find(t.Context(), "elsewhere")
		return err == nil
	}, 5*time.Second, time.Millisecond, "what waits for nobody is recorded")
	_, err := book.Find(t.Context(), "hold")
	require.ErrorIs(t, err, ledger.ErrNotFound)
	require.NoError(t, commit())
	for i, r := range <-done {
		require.NoError(t, r.Err, "change %d", i)
	}
}

// TestBusy: who waits too long is told so, and nothing was written.
func TestBusy(t *testing.T) {
	t.Parallel()
	book, commit := openedByHost(t, sqlstore.Options{BusyTimeout: 200 * time.Millisecond})
	results := book.PostAll(t.Context(), move("waits", "shop:1:EUR", "bank:EUR", eur(1)), move("elsewhere", "shop:2:EUR", "bank:EUR", eur(1)))
	require.ErrorIs(t, results[0].Err, ledger.ErrBusy)
	require.NoError(t, results[1].Err, "one that waits fails no other")
	_, err := book.Find(t.Context(), "waits")
	require.ErrorIs(t, err, ledger.ErrNotFound)
	require.NoError(t, commit())
	_, err = book.Post(t.Context(), move("waits", "shop:1:EUR", "bank:EUR", eur(1)))
	require.NoError(t, err)
}
