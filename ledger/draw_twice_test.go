package ledger_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

// Changes of one call that draw on the same transaction see each other: a hold
// is not settled twice because both came at once.
func TestDrawnTwiceInOneCall(t *testing.T) {
	t.Parallel()
	chart, err := ledger.NewChart(ledger.Rule{Pattern: "a:{currency}", Type: ledger.Asset}, ledger.Rule{Pattern: "b:{currency}", Type: ledger.Income})
	require.NoError(t, err)
	book, err := ledger.New(ledger.Config{Store: memstore.New(), Chart: chart})
	require.NoError(t, err)
	ctx := context.Background()
	ten, six := money.Of(1000, money.EUR), money.Of(600, money.EUR)
	_, err = book.Post(ctx, ledger.Transaction{Key: "hold", Pending: true, Entries: []ledger.Entry{ledger.Debit("a:EUR", ten), ledger.Credit("b:EUR", ten)}})
	require.NoError(t, err)
	got := book.PostAll(ctx, ledger.Settlement{Key: "s1", Hold: "hold", Amount: six}, ledger.Settlement{Key: "s2", Hold: "hold", Amount: six}, ledger.Void{Key: "v", Hold: "hold"})
	require.NoError(t, got[0].Err)
	require.ErrorIs(t, got[1].Err, ledger.ErrExceeds, "4.00 is left")
	require.NoError(t, got[2].Err)
	b, err := book.Balance(ctx, "a:EUR", ledger.AsOf{})
	require.NoError(t, err)
	require.Equal(t, six, b.Posted)
	require.True(t, b.PendingIn.IsZero(), "nothing is held any more: %s", b.PendingIn)

	_, err = book.Post(ctx, ledger.Transaction{Key: "sale", Entries: []ledger.Entry{ledger.Debit("a:EUR", ten), ledger.Credit("b:EUR", ten)}})
	require.NoError(t, err)
	_, err = book.PostTogether(ctx, ledger.Reversal{Key: "r1", Of: "sale", Amount: six}, ledger.Reversal{Key: "r2", Of: "sale", Amount: six})
	require.ErrorIs(t, err, ledger.ErrInvalid, "what stands or falls together cannot draw on one transaction")
}
