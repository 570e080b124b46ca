package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

// A hold whose expiry cannot be recorded, since somebody used its key for
// something else, keeps no other hold from ending.
func TestOneThatCannotExpireStopsNoOther(t *testing.T) {
	t.Parallel()
	chart, err := ledger.NewChart(ledger.Rule{Pattern: "a:{n}:{currency}", Type: ledger.Asset})
	require.NoError(t, err)
	book, err := ledger.New(ledger.Config{Store: memstore.New(), Chart: chart})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	entries := []ledger.Entry{ledger.Debit("a:1:EUR", money.Of(5, money.EUR)), ledger.Credit("a:2:EUR", money.Of(5, money.EUR))}
	at := time.Now().Add(100 * time.Millisecond)
	first, err := book.Post(ctx, ledger.Transaction{Key: "first", Pending: true, ExpiresAt: at, Entries: entries})
	require.NoError(t, err)
	require.EqualValues(t, 1, first.ID)
	_, err = book.Post(ctx, ledger.Transaction{Key: "second", Pending: true, ExpiresAt: at.Add(time.Millisecond), Entries: entries})
	require.NoError(t, err)
	_, err = book.Post(ctx, ledger.Transaction{Key: "expire:1", Entries: entries})
	require.ErrorIs(t, err, ledger.ErrInvalid, "the keys of Run are its own")
	// As books may hold it that an older version wrote.
	_, err = book.Post(ctx, ledger.Transaction{Key: "third", Pending: true, Entries: entries})
	require.NoError(t, err)
	_, err = book.Apply(ctx, ledger.OfRun(ledger.Expiry{Key: "expire:1", Hold: "third", Fact: true}))
	require.NoError(t, err)
	go func() { _ = book.Run(ctx) }()
	require.Eventually(t, func() bool {
		found, err := book.Find(ctx, "second")
		return err == nil && found.Ended
	}, 10*time.Second, 20*time.Millisecond)
	found, err := book.Find(ctx, "first")
	require.NoError(t, err)
	require.False(t, found.Ended)
}
