package sqlstore_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
	"github.com/tender-go/payment/store/sqlstore"
)

func ledgerChart(t testing.TB) *ledger.Chart {
	t.Helper()
	chart, err := ledger.NewChart(
		ledger.Rule{Pattern: "acct:{n}:{currency}", Type: ledger.Liability, Mode: ledger.Strict},
		ledger.Rule{Pattern: "world:{currency}", Type: ledger.Asset})
	require.NoError(t, err)
	return chart
}

func openBook(t testing.TB, s ledger.Store) *ledger.Book {
	t.Helper()
	b, err := ledger.New(ledger.Config{Store: s, Chart: ledgerChart(t)})
	require.NoError(t, err)
	return b
}

func eur(n int64) money.Amount { return money.Of(n, money.EUR) }

func move(key, from, to string, amount int64, conditions ...ledger.Condition) ledger.Transaction {
	return ledger.Transaction{Key: key, Entries: []ledger.Entry{ledger.Debit(from, eur(amount)), ledger.Credit(to, eur(amount))}, Conditions: conditions}
}

func TestLedgerFromEndToEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store) {
		b := openBook(t, s)
		first, err := b.Post(ctx, move("fund", "world:EUR", "acct:1:EUR", 1000))
		require.NoError(t, err)
		again, err := b.Post(ctx, move("fund", "world:EUR", "acct:1:EUR", 1000))
		require.NoError(t, err)
		require.True(t, again.Replayed)
		require.Equal(t, first.ID, again.ID)
		_, err = b.Post(ctx, move("fund", "world:EUR", "acct:1:EUR", 1001))
		require.ErrorIs(t, err, ledger.ErrKeyConflict)
		_, err = b.Post(ctx, move("too much", "acct:1:EUR", "acct:2:EUR", 1001, ledger.NotOverdrawn("acct:1:EUR")))
		require.ErrorIs(t, err, ledger.ErrInvalid, "a blank in a key")
		_, err = b.Post(ctx, move("too-much", "acct:1:EUR", "acct:2:EUR", 1001, ledger.NotOverdrawn("acct:1:EUR")))
		require.ErrorIs(t, err, ledger.ErrCondition)
		_, err = b.Post(ctx, ledger.Transaction{Key: "hold", Pending: true, Entries: []ledger.Entry{ledger.Debit("acct:1:EUR", eur(600)), ledger.Credit("acct:2:EUR", eur(600))},
			Conditions: []ledger.Condition{ledger.NotOverdrawn("acct:1:EUR")}})
		require.NoError(t, err)
		have, err := b.Balance(ctx, "acct:1:EUR", ledger.AsOf{})
		require.NoError(t, err)
		require.Equal(t, eur(400), have.Available)
		_, err = b.Settle(ctx, ledger.Settlement{Key: "part", Hold: "hold", Amount: eur(250)})
		require.NoError(t, err)
		_, err = b.Void(ctx, ledger.Void{Key: "void", Hold: "hold"})
		require.NoError(t, err)
		_, err = b.Settle(ctx, ledger.Settlement{Key: "late", Hold: "hold"})
		require.ErrorIs(t, err, ledger.ErrState)
		_, err = b.Reverse(ctx, ledger.Reversal{Key: "back", Of: "part"})
		require.NoError(t, err)
		trial, err := b.TrialBalance(ctx, ledger.AsOf{})
		require.NoError(t, err)
		require.True(t, trial.Foots(), "%+v", trial)
		require.EqualValues(t, 5, trial.Seq+int64(trial.Unsealed))
		statement, err := b.Statement(ctx, ledger.StatementQuery{Account: "acct:1:EUR"})
		require.NoError(t, err)
		require.Len(t, statement.Lines, 3)
		require.Equal(t, eur(1000), statement.Lines[2].Balance)
		found, err := b.Find(ctx, "hold")
		require.NoError(t, err)
		require.True(t, found.Ended)
		require.EqualValues(t, 2, found.Seq)
	})
}

func TestLedgerManyCallers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *sqlstore.Store) {
		b := openBook(t, s)
		const accounts, callers, each = 20, 16, 50
		for i := range accounts {
			_, err := b.Post(ctx, move(fmt.Sprint("fund-", i), "world:EUR", fmt.Sprintf("acct:%d:EUR", i), 100))
			require.NoError(t, err)
		}
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				for i := range each {
					from, to := fmt.Sprintf("acct:%d:EUR", (c*7+i)%accounts), fmt.Sprintf("acct:%d:EUR", (c*3+i*5+1)%accounts)
					if from == to {
						continue
					}
					_, err := b.Post(ctx, move(fmt.Sprintf("t-%d-%d", c, i), from, to, 30, ledger.NotOverdrawn(from)))
					if err != nil {
						require.ErrorIs(t, err, ledger.ErrCondition)
					}
				}
			})
		}
		wg.Wait()
		trial, err := b.TrialBalance(ctx, ledger.AsOf{})
		require.NoError(t, err)
		require.True(t, trial.Foots(), "%+v", trial)
		for i := range accounts {
			have, err := b.Balance(ctx, fmt.Sprintf("acct:%d:EUR", i), ledger.AsOf{})
			require.NoError(t, err)
			require.False(t, have.Available.IsNegative())
			at, err := b.Balance(ctx, fmt.Sprintf("acct:%d:EUR", i), ledger.AsOf{Recorded: time.Now().Add(time.Hour)})
			require.NoError(t, err)
			require.Equal(t, have.Posted, at.Posted, "the page of the account says the same")
		}
	})
}

// An account that is filled beyond all measure is told so; it stops no other
// and not the sealer.
func TestLedgerBeyondAllMeasure(t *testing.T) {
	t.Parallel()
	try := func(t *testing.T, s ledger.Store) {
		chart, err := ledger.NewChart(ledger.Rule{Pattern: "a:{n}:{currency}", Type: ledger.Asset})
		require.NoError(t, err)
		b, err := ledger.New(ledger.Config{Store: s, Chart: chart})
		require.NoError(t, err)
		for i := range 6 {
			var entries []ledger.Entry
			for range 400 {
				entries = append(entries, ledger.Debit("a:1:EUR", eur(ledger.MaxAmount)), ledger.Credit("a:2:EUR", eur(ledger.MaxAmount)))
			}
			_, err := b.Post(ctx, ledger.Transaction{Key: fmt.Sprint("huge-", i), Entries: entries})
			require.NoError(t, err)
		}
		_, err = b.Post(ctx, ledger.Transaction{Key: "small", Entries: []ledger.Entry{ledger.Debit("a:3:EUR", eur(5)), ledger.Credit("a:4:EUR", eur(5))}})
		require.NoError(t, err)
		_, err = b.Seal(ctx)
		require.NoError(t, err)
		_, err = b.Balance(ctx, "a:1:EUR", ledger.AsOf{})
		require.ErrorIs(t, err, ledger.ErrOverflow)
		have, err := b.Balance(ctx, "a:3:EUR", ledger.AsOf{})
		require.NoError(t, err)
		require.Equal(t, eur(5), have.Posted)
		_, err = b.Post(ctx, ledger.Transaction{Key: "more", Entries: []ledger.Entry{ledger.Debit("a:1:EUR", eur(1)), ledger.Credit("a:3:EUR", eur(1))}})
		require.ErrorIs(t, err, ledger.ErrOverflow, "it takes no more")
		report, err := b.Verify(ctx, ledger.VerifyOptions{})
		require.NoError(t, err)
		require.False(t, report.OK())
		for _, p := range report.Problems {
			require.Contains(t, []string{"a:1:EUR", "a:2:EUR", ""}, p.Account, "%+v", report.Problems)
		}
	}
	t.Run("memstore", func(t *testing.T) { t.Parallel(); try(t, memstore.New()) })
	each(t, func(t *testing.T, s *sqlstore.Store) { try(t, s) })
}
