// Package sqlite opens a payment store in a SQLite file, with the settings
// that money needs: every commit is on the disk before it is answered.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver: pure Go, no C compiler needed

	"github.com/tender-go/payment/store/sqlstore"
)

// busyTimeout is how long a connection waits for another process's write lock.
const busyTimeout = 5 * time.Second

// Open opens the file at path, makes it if it is not there (readable by its
// owner only), and brings the tables up to date. Close the store when done.
// The file must lie on a disk of this machine: SQLite's locks do not hold on
// network file systems.
//
// The store keeps one connection of store.DB() for its commits. A limit by
// SetMaxOpenConns has to leave three: with one, a read during a transaction of
// the host's waits for ever.
//
// Transactions that a host begins on store.DB() take the write lock at their
// start, so that they can join (see sqlstore.In); begin one that only reads
// with sql.TxOptions{ReadOnly: true}.
func Open(path string) (*sqlstore.Store, error) {
	if path == "" || path == ":memory:" || strings.HasPrefix(path, "file:") {
		return nil, errors.New("payment: sqlite.Open takes the path of a file: use one in t.TempDir() for a test, or package store/memstore for a store in memory")
	}
	// SQLite gives its files the mode that the umask leaves; payments are
	// nobody else's to read.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("payment: the SQLite file cannot be opened: %w", err)
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return nil, fmt.Errorf("payment: the SQLite file cannot be opened: %w", err)
	}
	db.SetMaxIdleConns(8) // an open one is cheap, opening is not
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := sqlstore.Migrate(ctx, db, sqlstore.SQLite); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	store, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Options{OwnDB: true, BusyTimeout: busyTimeout})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return store, nil
}

// dsn names the file with its settings, which the driver applies to every
// connection: wait for locks, before anything else; write-ahead log; a commit
// reaches the disk; foreign keys hold; what a savepoint would restore stays in
// memory (in a file it costs a quarter of the time); BEGIN takes the write lock.
func dsn(path string) string {
	settings := url.Values{}
	for _, p := range []string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "temp_store(MEMORY)"} {
		settings.Add("_pragma", p)
	}
	settings.Set("_txlock", "immediate")
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: settings.Encode()}).String()
}
