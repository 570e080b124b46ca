package ledgermodel

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/store/memstore"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlite"
	"github.com/tender-go/payment/store/sqlstore"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(workerEnv); job != "" {
		os.Exit(work(job))
	}
	// A flag on the command line counts more: it is parsed later.
	if err := flag.Set("rapid.checks", "300"); err != nil {
		panic(err)
	}
	os.Exit(pgtest.Main(m))
}

// opened is a store that keeps books, empty.
type opened struct {
	payment.Store
	// other is a second handle on the same data, as another process has it.
	other payment.Store
	close func()
	// join begins a transaction of the host's. nil if the store has none.
	join func(t require.TestingT) (ctx context.Context, end func(commit bool) error)
}

// kind of store, and how many random histories it is worth: a database takes
// longer to make than to ask.
type kind struct {
	name  string
	cases int64
	open  func(t testing.TB) opened
}

func kinds() []kind {
	return []kind{
		{"memstore", 1 << 30, func(testing.TB) opened {
			s := memstore.New()
			return opened{Store: s, other: s, close: func() {}}
		}},
		{"sqlite", 40, newSQLite()},
		{"postgres", 30, func(t testing.TB) opened {
			dsn := migrated(t)
			return sqlOpened(t, func() (*sqlstore.Store, error) { return postgres.Open(context.Background(), dsn) })
		}},
	}
}

// newSQLite opens a file of its own for each.
func newSQLite() func(t testing.TB) opened {
	var n atomic.Int64
	return func(t testing.TB) opened {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("books-%d.db", n.Add(1)))
		return sqlOpened(t, func() (*sqlstore.Store, error) { return sqlite.Open(path) })
	}
}

// migrated returns a fresh PostgreSQL database that has the tables already.
func migrated(t testing.TB) string {
	t.Helper()
	return pgtest.Copy(t, "migrated", func(dsn string) error {
		s, err := postgres.Open(context.Background(), dsn)
		if err != nil {
			return err
		}
		return s.Close()
	})
}

func sqlOpened(t testing.TB, open func() (*sqlstore.Store, error)) opened {
	t.Helper()
	s, err := open()
	require.NoError(t, err)
	other, err := open()
	require.NoError(t, err)
	return opened{Store: s, other: other, close: func() { _, _ = s.Close(), other.Close() }, join: func(t require.TestingT) (context.Context, func(bool) error) {
		tx, err := s.DB().BeginTx(context.Background(), nil)
		require.NoError(t, err)
		return sqlstore.In(context.Background(), tx), func(commit bool) error {
			if commit {
				return tx.Commit()
			}
			return tx.Rollback()
		}
	}}
}
