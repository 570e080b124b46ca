package postgres_test

import (
	"context"
	"os"
	"testing"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlstore"
	"github.com/tender-go/payment/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func open(t testing.TB, dsn string) *sqlstore.Store {
	t.Helper()
	s, err := postgres.Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// migrated returns a fresh database that has the tables already.
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

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) storetest.Fixture {
		dsn := migrated(t)
		s := open(t, dsn)
		return storetest.Fixture{
			Store:  s,
			Reopen: func(t testing.TB) payment.Store { return open(t, dsn) },
			Second: func(t testing.TB) payment.Store { return open(t, dsn) },
			Join: func(t testing.TB) (context.Context, func() error, func() error) {
				tx, err := s.DB().BeginTx(context.Background(), nil)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = tx.Rollback() })
				return sqlstore.In(context.Background(), tx), tx.Commit, tx.Rollback
			},
		}
	})
}
