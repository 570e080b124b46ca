//go:build unix

package crash_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/crash"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/store/sqlstore"
)

// opening is a worker that meets an empty database and is killed while it makes
// the tables.
type opening struct {
	dialect sqlstore.Dialect
	fresh   func() string
	where   string
	empty   int // databases in which nothing was recorded when it died
}

// Job implements crash.Subject.
func (o *opening) Job(int) crash.Job {
	o.where = o.fresh()
	return crash.Job{Work: "ledger", Args: map[string]string{"dialect": string(o.dialect), "where": o.where}}
}

// Hear implements crash.Subject.
func (o *opening) Hear(crash.Line) error { return nil }

// Check implements crash.Subject: the next one opens it, and books can be kept.
func (o *opening) Check(ctx context.Context, r crash.Round) error {
	b, err := openBooks(ctx, o.dialect, o.where)
	if err != nil {
		return fmt.Errorf("a database whose first worker was killed does not open: %w", err)
	}
	defer b.store.Close()
	s := &ledgerSubject{dialect: o.dialect, where: o.where}
	if err := s.quiet(ctx, b); err != nil {
		return err
	}
	before := 0
	if err := b.store.DB().QueryRowContext(ctx, "SELECT count(*) FROM ledger_journal").Scan(&before); err != nil {
		return err
	}
	if before == 0 {
		o.empty++
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	return s.balanced(ctx, b, r.Rand)
}

// A worker is killed while it makes the tables: the next one opens what it left.
func TestOpeningKilled(t *testing.T) {
	run := func(t *testing.T, o *opening, most time.Duration) {
		t.Parallel()
		report, err := crash.Run(ctx, crash.Config{Seed: *seed, Rounds: min(40, max(5, *kills*3/4)), Opening: true, Most: most}, o)
		t.Logf("%s; %d had recorded nothing yet", report, o.empty)
		require.NoError(t, err)
		require.NotZero(t, report.Opening, "no worker was killed before it had opened its store")
	}
	t.Run("sqlite", func(t *testing.T) {
		dir, n := t.TempDir(), 0
		run(t, &opening{dialect: sqlstore.SQLite, fresh: func() string { n++; return filepath.Join(dir, fmt.Sprint(n, ".db")) }}, 40*time.Millisecond)
	})
	t.Run("postgres", func(t *testing.T) {
		run(t, &opening{dialect: sqlstore.Postgres, fresh: func() string { return pgtest.DSN(t) }}, 70*time.Millisecond)
	})
}
