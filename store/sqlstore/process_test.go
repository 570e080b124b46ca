package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlite"
	"github.com/tender-go/payment/store/sqlstore"
)

// workerEnv makes the test binary a worker: "name|dialect|where".
const workerEnv = "PAYMENT_TEST_WORKER"

const (
	workers       = 3
	eachOfWorkers = 40
)

// work is what one of several processes does to one database: it changes one
// payment, races for claims, and appends events.
func work(job string) int {
	part := strings.SplitN(job, "|", 3)
	name, dialect, where := part[0], sqlstore.Dialect(part[1]), part[2]
	var s *sqlstore.Store
	var err error
	if dialect == sqlstore.SQLite {
		s, err = sqlite.Open(where)
	} else {
		s, err = postgres.Open(ctx, where)
	}
	for i := 0; err == nil && i < eachOfWorkers; i++ {
		for try := 0; try < 50; try++ {
			err = s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
				p, err := tx.Payment(ctx, "shared")
				if err != nil {
					return err
				}
				p.Version++
				if err := tx.SavePayment(ctx, p); err != nil {
					return err
				}
				return tx.AppendEvents(ctx, event(fmt.Sprintf("%s-%d", name, i)))
			})
			if !errors.Is(err, payment.ErrBusy) {
				break
			}
		}
		if err != nil {
			break
		}
		err = s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
			return tx.Claim(ctx, payment.Claim{Kind: payment.ClaimCharging, Key: fmt.Sprint("race", i), Owner: name})
		})
		if errors.Is(err, payment.ErrTaken) || errors.Is(err, payment.ErrBusy) {
			err = nil
		}
	}
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, s *sqlstore.Store, where string) {
		require.NoError(t, s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return tx.InsertPayment(ctx, planned("shared")) }))
		var running []*exec.Cmd
		for i := range workers {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=w%d|%s|%s", workerEnv, i, s.Dialect(), where))
			cmd.Stderr = new(strings.Builder)
			require.NoError(t, cmd.Start())
			running = append(running, cmd)
		}
		for _, cmd := range running {
			require.NoError(t, cmd.Wait(), "a worker failed: %s", cmd.Stderr)
		}
		p, err := s.Payment(ctx, "shared")
		require.NoError(t, err)
		require.EqualValues(t, 1+workers*eachOfWorkers, p.Version, "no change of any process is lost")
		require.Equal(t, workers*eachOfWorkers, count(t, s.DB(), "payment_events"))
		for i := range eachOfWorkers {
			_, err := s.Claimed(ctx, payment.ClaimCharging, fmt.Sprint("race", i))
			require.NoError(t, err, "one process holds each claim")
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "shop.db")
		run(t, openSQLite(t, path), path)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		dsn := pgtest.DSN(t)
		run(t, openPostgres(t, dsn), dsn)
	})
}
