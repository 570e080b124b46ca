package crash_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/crash"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/store/sqlstore"
)

var (
	kills = flag.Int("kills", 20, "how many workers each test kills")
	seed  = flag.Uint64("seed", 1, "decides what workers do and how long they live")
)

func TestMain(m *testing.M) {
	os.Exit(crash.Main(m, map[string]crash.Work{"ledger": workOnBooks}))
}

var ctx = context.Background()

// A worker that keeps books is killed again and again.
func TestLedgerKilled(t *testing.T) {
	run := func(t *testing.T, s *ledgerSubject) {
		t.Parallel()
		s.every = 20
		require.NoError(t, s.prepare(ctx))
		report, err := crash.Run(ctx, crash.Config{Seed: *seed, Rounds: *kills, Pairs: true, Progress: func(text string) { t.Log(text) }}, s)
		t.Logf("%s\n%s", report, s.counts)
		require.NoError(t, err)
		require.GreaterOrEqual(t, report.Killed, *kills)
		require.Greater(t, s.counts.Kept, *kills, "the workers worked")
		if *kills >= 20 {
			require.NotZero(t, s.counts.Open, "no kill met a change on its way")
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		run(t, &ledgerSubject{dialect: sqlstore.SQLite, where: filepath.Join(t.TempDir(), "books.db")})
	})
	t.Run("postgres", func(t *testing.T) {
		run(t, &ledgerSubject{dialect: sqlstore.Postgres, where: pgtest.DSN(t)})
	})
}
