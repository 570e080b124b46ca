package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/store/sqlstore"
	"github.com/tender-go/payment/store/storetest"
)

// lossy is a driver whose next COMMIT loses its answer.
type lossy struct {
	driver driver.Driver
	dsn    string
	next   atomic.Int32 // 0: nothing is lost
}

const (
	loseWritten = 1 + iota
	loseUnwritten
)

var errLost = errors.New("connection reset by peer")

// fullConn is what the drivers of both databases offer.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
}

type lossyConn struct {
	fullConn
	l *lossy
}

func (l *lossy) Driver() driver.Driver { return l.driver }

func (l *lossy) Connect(context.Context) (driver.Conn, error) {
	c, err := l.driver.Open(l.dsn)
	if err != nil {
		return nil, err
	}
	full := &lossyConn{c.(fullConn), l}
	if checker, ok := c.(driver.NamedValueChecker); ok {
		return &struct {
			*lossyConn
			driver.NamedValueChecker
		}{full, checker}, nil
	}
	return full, nil
}

func (c *lossyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.fullConn.BeginTx(ctx, o)
	return &lossyTx{tx, c.l}, err
}

func (c *lossyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	st, err := c.fullConn.PrepareContext(ctx, query)
	if err != nil || query != "COMMIT" {
		return st, err
	}
	return &lossyStmt{st.(fullStmt), c}, nil
}

// fullStmt is what the drivers of both databases offer.
type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
}

// lossyStmt is a COMMIT.
type lossyStmt struct {
	fullStmt
	c *lossyConn
}

func (s *lossyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	switch s.c.l.next.Swap(0) {
	case loseWritten:
		_, err := s.fullStmt.ExecContext(ctx, args)
		return nil, errors.Join(err, errLost)
	case loseUnwritten:
		_, err := s.c.ExecContext(ctx, "ROLLBACK", nil)
		return nil, errors.Join(err, errLost)
	}
	return s.fullStmt.ExecContext(ctx, args)
}

type lossyTx struct {
	driver.Tx
	l *lossy
}

func (t *lossyTx) Commit() error {
	switch t.l.next.Swap(0) {
	case loseWritten:
		return errors.Join(t.Tx.Commit(), errLost)
	case loseUnwritten:
		return errors.Join(t.Rollback(), errLost)
	}
	return t.Tx.Commit()
}

// lossyStore opens a database through the lossy driver.
func lossyStore(t testing.TB, name, dsn string, dialect sqlstore.Dialect, own bool) (*sqlstore.Store, *lossy) {
	t.Helper()
	plain, err := sql.Open(name, dsn)
	require.NoError(t, err)
	l := &lossy{driver: plain.Driver(), dsn: dsn}
	require.NoError(t, plain.Close())
	db := sql.OpenDB(l)
	db.SetMaxOpenConns(20)
	require.NoError(t, sqlstore.Migrate(ctx, db, dialect))
	s, err := sqlstore.New(db, dialect, sqlstore.Options{OwnDB: own})
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = s.Close(), db.Close() })
	return s, l
}

func lossyFixture(s payment.Store, l *lossy) storetest.Fixture {
	return storetest.Fixture{Store: s, LoseCommit: func(_ testing.TB, written bool) {
		if written {
			l.next.Store(loseWritten)
		} else {
			l.next.Store(loseUnwritten)
		}
	}}
}

// TestRules runs the whole suite on a pool that a host opened and on one that
// the store owns (where the writer keeps a connection), with a driver that can
// lose a commit.
func TestRules(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]bool{"host's": false, "own": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t testing.TB) storetest.Fixture {
				dsn := "file:" + filepath.Join(t.TempDir(), "shop.db") + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)"
				return lossyFixture(lossyStore(t, "sqlite", dsn, sqlstore.SQLite, own))
			})
		})
	}
}

// TestLostCommitOnPostgres: the answer of a COMMIT is lost, written or not, and
// the claim of the second run tells which it was.
func TestLostCommitOnPostgres(t *testing.T) {
	t.Parallel()
	s, l := lossyStore(t, "pgx", pgtest.DSN(t), sqlstore.Postgres, true)
	for id, tc := range map[string]struct {
		lose   int32
		second error
	}{"p1": {loseWritten, payment.ErrTaken}, "p2": {loseUnwritten, nil}} {
		p := planned(id)
		try := func() error {
			return s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return plan(ctx, tx, p) })
		}
		l.next.Store(tc.lose)
		require.ErrorIs(t, try(), payment.ErrCommitUnknown)
		require.ErrorIs(t, try(), tc.second)
		_, err := s.Payment(ctx, id)
		require.NoError(t, err)
	}
}
