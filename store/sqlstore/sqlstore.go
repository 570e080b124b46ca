// Package sqlstore keeps payments in SQLite or PostgreSQL through database/sql.
// It imports no driver: bring an open *sql.DB, or let package store/sqlite or
// store/postgres open one with the right settings.
//
//	err := sqlstore.Migrate(ctx, db, sqlstore.Postgres) // or your own migrator: see Migrations
//	store, err := sqlstore.New(db, sqlstore.Postgres)
//
// The tables are named payment_...; all that is worth a question stands in
// columns of its own. Personal values stand in sealed columns only, encrypted
// by the client; [Columns] lists what every column holds.
//
// On SQLite one writer folds the Updates that wait into one commit, and runs
// their functions one after the other in a goroutine of its own. On PostgreSQL
// each Update is a transaction of its own, at READ COMMITTED. On
// both an Update may join a transaction of the host's: see [In].
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tender-go/payment"
)

// Dialect is the SQL that a database speaks.
type Dialect string

// The dialects. SQLite must be 3.38 or newer, PostgreSQL 13 or newer.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Options of a Store. The zero value is fine.
type Options struct {
	// BusyTimeout is how long an Update waits for its turn to begin and for a
	// connection, before it answers payment.ErrBusy. Zero for five seconds.
	// How long the database waits for a lock is the connection's own setting
	// (busy_timeout, lock_timeout).
	BusyTimeout time.Duration
	// OwnDB: Close closes the *sql.DB too.
	OwnDB bool
}

// Store is a payment.Store in a SQL database. Its methods may be called from
// many goroutines.
type Store struct {
	db      *sql.DB
	dialect Dialect
	options Options
	sql     *statements
	// identity of the database, to know a host's transaction by.
	identity identity
	writer   *writer // SQLite
	queue    *queue  // of the ledger
	accounts accounts
	sealing  sync.Mutex
	running  running // under sealing
	volume   int64   // of the ledger's postings; another one in tests
	closed   atomic.Bool
	commits  atomic.Int64

	mu    sync.RWMutex
	ready map[string]*sql.Stmt // SQLite: prepared by text

	onStatement func(text string) // for tests
}

var _ payment.Store = (*Store)(nil)

var errClosed = errors.New("payment: the store is closed")

// defaultBusy is Options.BusyTimeout when none is set.
const defaultBusy = 5 * time.Second

// New makes a store of an open database whose tables exist: see Migrate. It
// asks the database and refuses what would lose payments: missing or other
// tables, settings under which a commit may vanish with the power (SQLite:
// journal_mode other than WAL, synchronous below FULL, foreign_keys off;
// PostgreSQL: fsync or synchronous_commit off), a database in memory, and a
// pool of one connection, which a read during an Update would wait for for
// ever. The *sql.DB stays the caller's unless Options.OwnDB says otherwise.
func New(db *sql.DB, dialect Dialect, options ...Options) (*Store, error) {
	if db == nil {
		return nil, errors.New("payment: sqlstore.New needs a *sql.DB: open one with your driver, or use package store/sqlite or store/postgres")
	}
	if dialect != SQLite && dialect != Postgres {
		return nil, fmt.Errorf("payment: sqlstore knows no dialect %q: use sqlstore.SQLite or sqlstore.Postgres", string(dialect))
	}
	s := &Store{db: db, dialect: dialect, sql: sqlOf(dialect), ready: map[string]*sql.Stmt{}, volume: volume}
	for _, o := range options {
		s.options = o
	}
	if s.options.BusyTimeout <= 0 {
		s.options.BusyTimeout = defaultBusy
	}
	if db.Stats().MaxOpenConnections == 1 {
		return nil, errors.New("payment: the pool is limited to one connection, and a read during an Update would wait for ever: use db.SetMaxOpenConns(2) or more; a SQLite database in memory exists once per connection, so use a file (t.TempDir() in tests) or package store/memstore")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if dialect == SQLite {
		var file string
		if err := db.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&file); err != nil {
			return nil, fmt.Errorf("payment: the database cannot be read: %w", err)
		}
		if file == "" {
			return nil, errors.New("payment: the SQLite database is in memory, where each connection may have its own and nothing is durable: use a file (t.TempDir() in tests) or package store/memstore")
		}
	}
	if err := s.checkDurable(ctx, plain{db}); err != nil {
		return nil, err
	}
	if err := checkSchema(ctx, db, dialect); err != nil {
		return nil, err
	}
	var err error
	if s.identity, err = identify(ctx, plain{db}, dialect); err != nil {
		return nil, fmt.Errorf("payment: the database cannot be read: %w", err)
	}
	s.queue = &queue{carry: s.carryPostgres, patience: s.options.BusyTimeout}
	if dialect == SQLite {
		s.queue.carry = s.carrySQLite
		s.writer = &writer{s: s}
		texts := []string{savepoint, release, rollbackTo}
		s.sql.each(func(text *string) { texts = append(texts, *text) })
		s.sql.ledger.each(func(text *string) { texts = append(texts, *text) })
		if err := s.Prepare(ctx, texts...); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// DB returns the database, so that a host can begin transactions of its own
// and join them with In.
func (s *Store) DB() *sql.DB { return s.db }

// Dialect returns the store's dialect.
func (s *Store) Dialect() Dialect { return s.dialect }

// Commits returns how many transactions the store has committed. On SQLite one
// commit carries the Updates of many callers.
func (s *Store) Commits() int64 { return s.commits.Load() }

// Prepare makes statements that participants run through Tx.SQL fast: on
// SQLite each is compiled once per connection. Call it before the first
// Update, with the very texts; PostgreSQL drivers do so by themselves.
func (s *Store) Prepare(ctx context.Context, texts ...string) error {
	if s.dialect != SQLite {
		return nil
	}
	for _, text := range texts {
		if s.prepared(text) != nil {
			continue
		}
		st, err := s.db.PrepareContext(ctx, text)
		if err != nil {
			return fmt.Errorf("payment: a statement does not compile: %w", err)
		}
		s.mu.Lock()
		s.ready[text] = st
		s.mu.Unlock()
	}
	return nil
}

func (s *Store) prepared(text string) *sql.Stmt {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.ready[text]
}

// Close ends the store: Updates that run are waited for, later calls are
// refused. The database is closed with Options.OwnDB only.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.queue.wait()
	if s.writer != nil {
		s.writer.close()
	}
	s.mu.Lock()
	var err error
	for _, st := range s.ready {
		err = errors.Join(err, st.Close())
	}
	clear(s.ready)
	s.mu.Unlock()
	if s.options.OwnDB {
		err = errors.Join(err, s.db.Close())
	}
	return err
}

func (s *Store) count(text string) {
	if s.onStatement != nil {
		s.onStatement(text)
	}
}

// Update implements payment.Store.
func (s *Store) Update(ctx context.Context, fn func(ctx context.Context, tx payment.Tx) error) error {
	return s.update(ctx, func(ctx context.Context, t *tx) error { return fn(ctx, t) })
}

func (s *Store) update(ctx context.Context, fn func(ctx context.Context, t *tx) error) error {
	if within(ctx) != nil {
		return payment.ErrInTransaction
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return errClosed
	}
	if h := hostOf(ctx); h != nil {
		return s.updateJoined(ctx, h, fn)
	}
	if s.dialect == SQLite {
		return s.writer.update(ctx, fn)
	}
	return s.updatePostgres(ctx, fn)
}

// Joined implements payment.Store. It is true for a transaction that cannot be
// joined too: whoever asks must not go on as if there were none.
func (s *Store) Joined(ctx context.Context) bool { return hostOf(ctx) != nil }

// checkDurable reads the settings of a connection back and refuses those under
// which a commit that was answered may be lost.
func (s *Store) checkDurable(ctx context.Context, q querier) error {
	type setting struct{ a, b, c string }
	got, err := one(ctx, q, func(r row) (g setting, err error) {
		if s.dialect == Postgres {
			return g, r.Scan(&g.a, &g.b)
		}
		return g, r.Scan(&g.a, &g.b, &g.c)
	}, s.sql.durability)
	if err != nil {
		return s.statementError(err)
	}
	if s.dialect == Postgres {
		if got.a == "off" || got.b == "off" {
			return fmt.Errorf("payment: PostgreSQL runs with fsync %s and synchronous_commit %s, so a committed payment may be lost: set both to on", got.a, got.b)
		}
		return nil
	}
	switch {
	case got.a != "wal":
		return fmt.Errorf("payment: SQLite runs with journal_mode %s: set PRAGMA journal_mode = WAL on the database", got.a)
	case got.b != "2" && got.b != "3":
		return fmt.Errorf("payment: a SQLite connection has synchronous %s, so a committed payment may be lost: set PRAGMA synchronous = FULL (2) on every connection, in the DSN", got.b)
	case got.c != "1":
		return errors.New("payment: a SQLite connection has foreign_keys off: set PRAGMA foreign_keys = ON on every connection, in the DSN")
	}
	return nil
}
