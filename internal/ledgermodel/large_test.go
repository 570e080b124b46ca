package ledgermodel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
)

// TestDrawnMoreThanALineTakes: what several entries hold on one account may be
// more than a line takes. It is drawn in several lines, and the books verify.
func TestDrawnMoreThanALineTakes(t *testing.T) {
	t.Parallel()
	const debit, credit = "bank:EUR", "shop:1:EUR"
	cases := map[string]func(hold ledger.Transaction) []ledger.Change{
		"void": func(ledger.Transaction) []ledger.Change { return []ledger.Change{ledger.Void{Key: "v", Hold: "hold"}} },
		"whole, taken back": func(ledger.Transaction) []ledger.Change {
			return []ledger.Change{ledger.Settlement{Key: "s", Hold: "hold"}, ledger.Reversal{Key: "r", Of: "s"}}
		},
		"part, taken back": func(hold ledger.Transaction) []ledger.Change {
			part := append(hold.Entries[:len(hold.Entries)-2:len(hold.Entries)-2], move("", debit, credit, eur(1)).Entries...)
			return []ledger.Change{ledger.Settlement{Key: "s", Hold: "hold", Entries: part, Final: true}, ledger.Reversal{Key: "r", Of: "s"}}
		},
	}
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			for name, changes := range cases {
				for _, n := range []int{2, 3, 400} { // 800 entries; a thousand would fill the accounts
					s := k.open(t)
					book, err := ledger.New(ledger.Config{Store: s.Store.(ledger.Store), Chart: newChart(t)})
					require.NoError(t, err)
					hold := largest("hold", debit, credit, n)
					hold.Pending = true
					_, err = book.Post(t.Context(), hold)
					require.NoError(t, err)
					for _, c := range changes(hold) {
						_, err = book.Apply(t.Context(), c)
						require.NoError(t, err, "%s of %d", name, n)
					}
					for _, account := range []string{debit, credit} {
						b, err := book.Balance(t.Context(), account, ledger.AsOf{})
						require.NoError(t, err)
						require.True(t, b.Posted.IsZero() && b.PendingIn.IsZero() && b.PendingOut.IsZero(), "%s of %d: %+v", name, n, b)
					}
					_, err = book.Seal(t.Context())
					require.NoError(t, err)
					report, err := book.Verify(t.Context(), ledger.VerifyOptions{})
					require.NoError(t, err)
					require.True(t, report.OK(), "%s of %d: %s", name, n, report)
					s.close()
				}
			}
		})
	}
}
