package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

//go:embed migrations
var migrationFiles embed.FS

// Migration is one step of the tables, for hosts with a migrator of their own.
type Migration struct {
	// Version counts from 1, without gaps.
	Version int
	// Name as in the file's: "001_payments".
	Name string
	// SQL is the whole step. It runs in one transaction, and notes itself in
	// the table payment_schema.
	SQL string
}

// Migrations returns the steps of a dialect in order; none for a dialect that
// is not known.
func Migrations(dialect Dialect) []Migration {
	names, _ := fs.Glob(migrationFiles, "migrations/"+string(dialect)+"/*.sql") // sorted
	var steps []Migration
	for _, name := range names {
		text, err := migrationFiles.ReadFile(name)
		base := strings.TrimSuffix(path.Base(name), ".sql")
		version, numErr := strconv.Atoi(base[:min(3, len(base))])
		if err != nil || numErr != nil {
			continue // a test proves that each embedded file reads as NNN_name.sql
		}
		steps = append(steps, Migration{Version: version, Name: base, SQL: string(text)})
	}
	return steps
}

// Migrate brings the tables to what this release needs. It may be called by
// several processes at once: one works, the others wait and find it done. It
// refuses tables that a newer release has changed.
func Migrate(ctx context.Context, db *sql.DB, dialect Dialect) error {
	steps := Migrations(dialect)
	if len(steps) == 0 {
		return fmt.Errorf("payment: sqlstore knows no dialect %q: use sqlstore.SQLite or sqlstore.Postgres", string(dialect))
	}
	if have, err := schemaVersion(ctx, db, dialect); err == nil && have == len(steps) {
		return nil // the usual case takes no lock
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("payment: migrations cannot begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	lock := "SELECT pg_advisory_xact_lock(7239381274610958)"
	if dialect == SQLite {
		// Any write takes the lock; this one is undone.
		lock = "CREATE TABLE payment_migrating (n INTEGER); DROP TABLE payment_migrating"
	}
	if _, err := tx.ExecContext(ctx, lock); err != nil {
		return fmt.Errorf("payment: migrations cannot take their lock: %w", err)
	}
	have, err := schemaVersion(ctx, tx, dialect)
	if err != nil {
		return err
	}
	if newest := len(steps); have > newest {
		return newerSchema(have, newest)
	}
	for _, m := range steps[have:] {
		if _, err := tx.ExecContext(ctx, m.SQL); err != nil {
			return fmt.Errorf("payment: migration %s failed, nothing was changed: %w", m.Name, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("payment: migrations could not be committed: %w", err)
	}
	return nil
}

func newerSchema(have, known int) error {
	return fmt.Errorf("payment: the tables are at migration %d, this release knows %d: run the newer release", have, known)
}

// checkSchema refuses tables that this release cannot work on.
func checkSchema(ctx context.Context, db *sql.DB, dialect Dialect) error {
	have, err := schemaVersion(ctx, db, dialect)
	if err != nil {
		return err
	}
	switch need := len(Migrations(dialect)); {
	case have > need:
		return newerSchema(have, need)
	case have < need:
		return fmt.Errorf("payment: the tables are at migration %d, this release needs %d: call sqlstore.Migrate, or run the SQL of sqlstore.Migrations", have, need)
	}
	return nil
}

// schemaVersion returns the last migration that was applied, 0 for none.
func schemaVersion(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, dialect Dialect) (int, error) {
	// Not to_regclass: it may answer from a cache that does not see yet what
	// the holder of the lock has just committed.
	exists := `SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relname = 'payment_schema' AND n.nspname = ANY (current_schemas(false)) LIMIT 1`
	if dialect == SQLite {
		exists = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'payment_schema'"
	}
	var name sql.NullString
	err := q.QueryRowContext(ctx, exists).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !name.Valid {
		return 0, nil
	}
	var have sql.NullInt64
	if err == nil {
		err = q.QueryRowContext(ctx, "SELECT max(version) FROM payment_schema").Scan(&have)
	}
	if err != nil {
		return 0, fmt.Errorf("payment: the state of the migrations cannot be read: %w", err)
	}
	return int(have.Int64), nil
}
