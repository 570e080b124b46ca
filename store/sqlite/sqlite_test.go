package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/store/sqlite"
	"github.com/tender-go/payment/store/sqlstore"
	"github.com/tender-go/payment/store/storetest"
)

func open(t testing.TB, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func join(t testing.TB, s *sqlstore.Store) (context.Context, func() error, func() error) {
	t.Helper()
	tx, err := s.DB().BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return sqlstore.In(context.Background(), tx), tx.Commit, tx.Rollback
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) storetest.Fixture {
		path := filepath.Join(t.TempDir(), "shop ?#%.db") // what a URL would treat specially
		s := open(t, path)
		return storetest.Fixture{
			Store:  s,
			Reopen: func(t testing.TB) payment.Store { return open(t, path) }, // without Close: as after a crash
			Second: func(t testing.TB) payment.Store { return open(t, path) },
			Join:   func(t testing.TB) (context.Context, func() error, func() error) { return join(t, s) },
		}
	})
}
