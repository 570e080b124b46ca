package ledger_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

// What several entries hold on one account may be more than a line takes: it is
// drawn in several, and the books verify.
func TestDrawMoreThanALineTakes(t *testing.T) {
	t.Parallel()
	chart, err := ledger.NewChart(ledger.Rule{Pattern: "a:{currency}", Type: ledger.Asset}, ledger.Rule{Pattern: "b:{currency}", Type: ledger.Income})
	require.NoError(t, err)
	most := money.Of(ledger.MaxAmount, money.EUR)
	var entries []ledger.Entry
	for range 3 {
		entries = append(entries, ledger.Debit("a:EUR", most), ledger.Credit("b:EUR", most))
	}
	for name, changes := range map[string][]ledger.Change{
		"void":     {ledger.Void{Key: "v", Hold: "first"}},
		"reversal": {ledger.Settlement{Key: "s", Hold: "first"}, ledger.Reversal{Key: "r", Of: "s"}},
		"part": {ledger.Settlement{Key: "s", Hold: "first", Final: true, Entries: append(entries[:2:2], ledger.Debit("a:EUR", money.Of(1, money.EUR)), ledger.Credit("b:EUR", money.Of(1, money.EUR)))},
			ledger.Reversal{Key: "r", Of: "s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			book, err := ledger.New(ledger.Config{Store: memstore.New(), Chart: chart})
			require.NoError(t, err)
			_, err = book.Post(ctx, ledger.Transaction{Key: "first", Pending: true, Entries: entries})
			require.NoError(t, err)
			for _, c := range changes {
				_, err = book.Apply(ctx, c)
				require.NoError(t, err)
			}
			b, err := book.Balance(ctx, "a:EUR", ledger.AsOf{})
			require.NoError(t, err)
			require.True(t, b.Posted.IsZero() && b.PendingIn.IsZero() && b.PendingOut.IsZero(), "%+v", b)
			report, err := book.Verify(ctx, ledger.VerifyOptions{})
			require.NoError(t, err)
			require.True(t, report.OK(), "%s", report)
		})
	}
}
