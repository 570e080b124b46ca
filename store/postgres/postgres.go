// Package postgres opens a payment store in PostgreSQL through pgx.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/tender-go/payment/store/sqlstore"
)

const (
	// lockTimeout is how long a statement waits for a row that another
	// transaction holds, before the Update answers payment.ErrBusy.
	lockTimeout = "5s"
	// idleTimeout ends a transaction whose process hangs: it would hold its
	// locks, and the readers of events, for ever.
	idleTimeout = "60s"
	// connections is the limit of the pool; see DB().SetMaxOpenConns.
	connections = 20
	// statements is how many are kept prepared on each connection: above the
	// number of this project's texts.
	statements = 256
)

// Open connects to a PostgreSQL database (13 or newer) by a connection string
// or URL, brings the tables up to date, and refuses settings under which a
// committed payment may be lost; they are read back on every connection. ctx
// bounds the opening only. Close the store when done.
//
// Unless the connection string says otherwise, a lock is waited for five
// seconds and a transaction may idle for a minute. A pooler must be in session
// mode, or the string must say default_query_exec_mode=exec.
func Open(ctx context.Context, dsn string) (*sqlstore.Store, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("payment: postgres.Open: %w", err) // pgx masks the password
	}
	for name, value := range map[string]string{"lock_timeout": lockTimeout, "idle_in_transaction_session_timeout": idleTimeout} {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	config.StatementCacheCapacity = max(config.StatementCacheCapacity, statements)
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(checkDurable))
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := sqlstore.Migrate(ctx, db, sqlstore.Postgres); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	store, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Options{OwnDB: true})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return store, nil
}

// checkDurable refuses a connection on which a commit may be lost.
func checkDurable(ctx context.Context, conn *pgx.Conn) error {
	var fsync, commit string
	if err := conn.QueryRow(ctx, "SELECT current_setting('fsync'), current_setting('synchronous_commit')").Scan(&fsync, &commit); err != nil {
		return err
	}
	if fsync == "off" || commit == "off" {
		return fmt.Errorf("payment: PostgreSQL runs with fsync %s and synchronous_commit %s, so a committed payment may be lost: set both to on", fsync, commit)
	}
	return nil
}
