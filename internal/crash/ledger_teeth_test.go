//go:build unix

package crash_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/crash"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/store/sqlstore"
)

// A store that loses, tears or makes up what it answered is caught: each way
// is tried, by a worker that goes wrong in it.
func TestLedgerTeeth(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ tooth, finding string }{
		{"early", "was answered as recorded"}, // before the commit
		{"lost", "was answered as recorded|which is not in the journal"},
		{"torn", "is half there"},
		{"apart", "the host's order is there: true"},
	} {
		for _, dialect := range []sqlstore.Dialect{sqlstore.SQLite, sqlstore.Postgres} {
			t.Run(tc.tooth+" "+string(dialect), func(t *testing.T) {
				t.Parallel()
				s := &ledgerSubject{dialect: dialect, tooth: tc.tooth, every: 1000}
				if s.where = filepath.Join(t.TempDir(), "books.db"); dialect == sqlstore.Postgres {
					s.where = pgtest.DSN(t)
				}
				require.NoError(t, s.prepare(ctx))
				_, err := crash.Run(ctx, crash.Config{Seed: *seed, Rounds: 40, Lines: 150}, s)
				var failure *crash.Failure
				require.ErrorAs(t, err, &failure, "books that are kept wrong (%s) passed the check", tc.tooth)
				require.Regexp(t, tc.finding, failure.Err.Error())
				require.Contains(t, err.Error(), fmt.Sprintf("seed %d, round %d: ", *seed, failure.Round))
				require.Contains(t, failure.Story, "was killed", "the story tells how the worker ended")
				var finding *crash.Finding
				require.ErrorAs(t, err, &finding)
				require.Contains(t, failure.Story, finding.About[0], "the story tells what was asked")
			})
		}
	}
}

// What only the thorough check can see.
func TestLedgerTeethOfTheThoroughCheck(t *testing.T) {
	t.Parallel()
	where := filepath.Join(t.TempDir(), "books.db")
	s := &ledgerSubject{dialect: sqlstore.SQLite, where: where, every: 1}
	require.NoError(t, s.prepare(ctx))
	run := func(rounds int) error {
		_, err := crash.Run(ctx, crash.Config{Seed: *seed, Rounds: rounds}, s)
		return err
	}
	require.NoError(t, run(3))
	require.NotEmpty(t, s.heads)
	open := func(t *testing.T) books {
		b, err := openBooks(ctx, sqlstore.SQLite, where)
		require.NoError(t, err)
		t.Cleanup(func() { _ = b.store.Close() })
		return b
	}
	check := func(b books) error { return s.thorough(ctx, b, crash.Round{Number: 1, Rand: chance(1)}) }

	t.Run("totals", func(t *testing.T) {
		b := open(t)
		require.NoError(t, check(b))
		change := func(by string) {
			_, err := b.store.DB().ExecContext(ctx, "UPDATE ledger_totals SET posted = posted "+by+" WHERE account_id = (SELECT min(account_id) FROM ledger_totals)")
			require.NoError(t, err)
		}
		change("+ 1")
		require.ErrorContains(t, check(b), "does not verify")
		require.ErrorContains(t, checkTotals(ctx, b), "comes to other amounts")
		change("- 1")
		require.NoError(t, check(b))
	})
	t.Run("an order without its posting", func(t *testing.T) {
		b := open(t)
		_, err := b.store.DB().ExecContext(ctx, "INSERT INTO crash_orders (key, minor) VALUES ('nobody', 1)")
		require.NoError(t, err)
		require.ErrorContains(t, check(b), "1 orders have no posting")
		_, err = b.store.DB().ExecContext(ctx, "DELETE FROM crash_orders WHERE key = 'nobody'")
		require.NoError(t, err)
		require.NoError(t, check(b))
	})
	t.Run("a posting that nobody asked for", func(t *testing.T) {
		b := open(t)
		stranger := &operation{ID: "stranger", Shape: single, Changes: []*change{(&author{Rand: chance(2), prefix: "nobody"}).post("post")}}
		_, err := b.perform(ctx, stranger)
		require.NoError(t, err)
		require.ErrorContains(t, check(b), "nobody asked for it")
		require.NoError(t, s.asked(0, stranger))
		answers, err := b.perform(ctx, stranger)
		require.NoError(t, err)
		require.NoError(t, s.answered(answers))
		require.NoError(t, check(b))
	})
	// The disk lied: the file is as it was before.
	t.Run("a database of yesterday", func(t *testing.T) {
		old, err := os.ReadFile(where) // the last to close has put the log into the file
		require.NoError(t, err)
		s.prefix = "today."
		require.NoError(t, run(2))
		for _, end := range []string{"-wal", "-shm"} {
			_ = os.Remove(where + end)
		}
		require.NoError(t, os.WriteFile(where, old, 0o600))
		b := open(t)
		require.ErrorContains(t, s.checkHeads(ctx, b, s.heads), "do not go on from it")
		require.ErrorContains(t, s.checkJournal(ctx, b), "is no longer in the journal")
		require.ErrorContains(t, check(b), "does not verify")
	})
}

func chance(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
