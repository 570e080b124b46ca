//go:build unix

package crash_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/crash"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/store/sqlstore"
)

var (
	kills = flag.Int("kills", usualKills, "how many workers each test kills")
	seed  = flag.Uint64("seed", 1, "decides what workers do and how long they live")
)

func TestMain(m *testing.M) {
	os.Exit(crash.Main(m, map[string]crash.Work{"ledger": workOnBooks, "count": count, "quit": quit, "complain": complain}))
}

var ctx = context.Background()

// Workers that keep books are killed again and again.
func TestLedgerKilled(t *testing.T) {
	run := func(t *testing.T, s *ledgerSubject) {
		t.Parallel()
		s.every = 20
		require.NoError(t, s.prepare(ctx))
		report, err := crash.Run(ctx, crash.Config{Seed: *seed, Rounds: *kills, Pairs: true}, s)
		t.Logf("%s\n%s", report, s.counts)
		require.NoError(t, err)
		require.GreaterOrEqual(t, report.Killed, *kills)
		require.Greater(t, s.counts.Kept, *kills, "the workers worked")
		if *kills >= 20 {
			require.NotZero(t, s.counts.Open, "no kill met a change on its way")
			require.NotZero(t, s.counts.Whole, "no kill met a change that was recorded and not answered")
			require.NotZero(t, s.counts.Heads, "no head was exported")
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		run(t, &ledgerSubject{dialect: sqlstore.SQLite, where: filepath.Join(t.TempDir(), "books.db")})
	})
	t.Run("postgres", func(t *testing.T) {
		run(t, &ledgerSubject{dialect: sqlstore.Postgres, where: pgtest.DSN(t)})
	})
}

// stopping is the ledger on a server that is stopped in immediate mode while
// workers work, and started again.
type stopping struct {
	ledgerSubject
	cluster  *pgtest.Cluster
	stops    int
	starting chan error // one, if it is being started
}

func (s *stopping) meanwhile(_ context.Context, r crash.Round) error {
	time.Sleep(time.Duration(20+r.Rand.IntN(80)) * time.Millisecond)
	if err := s.cluster.StopImmediate(); err != nil {
		return err
	}
	s.stops++
	down := time.Duration(r.Rand.IntN(100)) * time.Millisecond
	start := func() error {
		time.Sleep(down)
		return s.cluster.Start()
	}
	if r.Rand.IntN(3) == 0 { // the workers may be killed while it is away or recovers
		s.starting = make(chan error, 1)
		go func() { s.starting <- start() }()
		return nil
	}
	return start()
}

// Check implements crash.Subject.
func (s *stopping) Check(ctx context.Context, r crash.Round) error {
	if s.starting != nil {
		if err := <-s.starting; err != nil {
			return err
		}
		s.starting = nil
	}
	return s.ledgerSubject.Check(ctx, r)
}

// PostgreSQL itself is stopped in immediate mode, again and again. The workers
// learn that a commit is unknown, ask with the same key, and go on.
func TestLedgerServerStopped(t *testing.T) {
	t.Parallel()
	cluster := pgtest.New(t)
	s := &stopping{ledgerSubject: ledgerSubject{dialect: sqlstore.Postgres, where: cluster.DSN(t), every: 5}, cluster: cluster}
	require.NoError(t, s.prepare(ctx))
	rounds := max(3, *kills/10)
	report, err := crash.Run(ctx, crash.Config{Seed: *seed, Rounds: rounds, Pairs: true, Meanwhile: s.meanwhile}, s)
	t.Logf("%s\n%d stops; %s", report, s.stops, s.counts)
	require.NoError(t, err)
	require.Equal(t, rounds, s.stops)
	if rounds >= 10 { // a few stops may all fall between two commits
		require.Positive(t, s.counts.Unknown, "no worker lost its connection during a commit")
	}
	if rounds >= 20 {
		require.NotZero(t, report.Ended, "no worker went on after the stop until it was asked to end")
	}
}
