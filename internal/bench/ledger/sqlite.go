package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/store/sqlite"
	"github.com/tender-go/payment/store/sqlstore"
)

// bareSchema is what the bare loop writes into, in the same file.
const bareSchema = `
CREATE TABLE y_tx (id INTEGER PRIMARY KEY, ref TEXT NOT NULL UNIQUE, meta TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE y_entry (account INTEGER NOT NULL, id INTEGER NOT NULL, tx INTEGER NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (account, id)) WITHOUT ROWID;
CREATE TABLE y_balance (account INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
`

// bare is one transfer at a time by prepared statements, and nothing else.
func bare(ctx context.Context, db *sql.DB) (func(context.Context, time.Duration) (int, error), error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	texts := []string{"INSERT INTO y_tx (ref, meta, at) VALUES (?, '{}', ?)", "INSERT INTO y_entry (account, id, tx, amount) VALUES (?, ?, ?, ?)",
		"UPDATE y_balance SET balance = balance + ? WHERE account = ?", "BEGIN IMMEDIATE", "COMMIT"}
	stmts := make([]*sql.Stmt, len(texts))
	for i, text := range texts {
		if stmts[i], err = conn.PrepareContext(ctx, text); err != nil { //nolint:sqlclosecheck // they end with the program
			return nil, err
		}
	}
	id := time.Now().UnixNano()
	return func(ctx context.Context, d time.Duration) (int, error) {
		count := 0
		err := callers(1, d, func() error {
			x, y, amount := rand.IntN(accountsN), rand.IntN(accountsN), rand.IntN(100)
			if _, err := stmts[3].ExecContext(ctx); err != nil {
				return err
			}
			done, err := stmts[0].ExecContext(ctx, "b"+strconv.FormatInt(rand.Int64(), 36), time.Now().UnixMicro())
			if err != nil {
				return err
			}
			tx, err := done.LastInsertId()
			if err != nil {
				return err
			}
			id += 2
			_, e1 := stmts[1].ExecContext(ctx, x, id, tx, -amount)
			_, e2 := stmts[1].ExecContext(ctx, y, id+1, tx, amount)
			_, e3 := stmts[2].ExecContext(ctx, -amount, x)
			_, e4 := stmts[2].ExecContext(ctx, amount, y)
			_, e5 := stmts[4].ExecContext(ctx)
			count++
			return errors.Join(e1, e2, e3, e4, e5)
		})
		return count, err
	}, nil
}

func onSQLite(ctx context.Context, s settings) error {
	folder, err := os.MkdirTemp(s.dir, "ledger")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	store, err := sqlite.Open(filepath.Join(folder, "shop.db"))
	if err != nil {
		return err
	}
	defer store.Close()
	if _, err := store.DB().ExecContext(ctx, bareSchema); err != nil {
		return err
	}
	if _, err := store.DB().ExecContext(ctx, "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) INSERT INTO y_balance SELECT i, 0 FROM n"); err != nil {
		return err
	}
	loop, err := bare(ctx, store.DB())
	if err != nil {
		return err
	}
	l, err := newLoad(ctx, s, store, "s", true)
	if err != nil {
		return err
	}
	defer l.close()
	prepared := &measure{name: "bare prepared loop, 1 caller", run: loop}
	one := &measure{name: "ledger, 1 caller", run: l.single(1, -1, false)}
	many := &measure{name: "ledger, 32 callers", run: l.single(32, -1, true)}
	hot := &measure{name: "ledger, 32 callers, one hot account", run: l.single(32, 0, false)}
	b100 := &measure{name: "ledger, batches of 100", run: l.batch(100)}
	all := []*measure{prepared, one, many, hot, b100}
	if err := alternate(ctx, s, all); err != nil {
		return err
	}
	fmt.Println("SQLite, WAL, synchronous=FULL, sealer running")
	rates(all...)
	line("1 caller / bare prepared loop", ratio(one, prepared), 0.9, "%.2f", false)
	line("32 callers / 1 caller", ratio(many, one), 3.5, "%.2f", false)
	line("batches of 100 / 1 caller", ratio(b100, one), 6, "%.2f", false)
	p99, half := l.percentile(0.99)
	line("p99 of a post at 32 callers, ms", p99, 0, "%.2f", false)
	line("median of a post at 32 callers, ms", half, 0, "%.2f", false)
	if s.match != "" {
		return nil
	}
	return size(ctx, s)
}

// size measures what a transaction takes on the disk, with its seal.
func size(ctx context.Context, s settings) error {
	folder, err := os.MkdirTemp(s.dir, "ledger")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "shop.db")
	store, err := sqlite.Open(path)
	if err != nil {
		return err
	}
	defer store.Close()
	l, err := newLoad(ctx, s, store, "s", true)
	if err != nil {
		return err
	}
	defer l.close()
	before, err := filled(ctx, l, store)
	if err != nil {
		return err
	}
	const n = 100_000
	for range n / 100 {
		all := make([]ledger.Change, 100)
		for i := range all {
			all[i] = l.transfer(-1)
		}
		for _, r := range l.book.PostAll(ctx, all...) {
			if r.Err != nil {
				return r.Err
			}
		}
	}
	after, err := filled(ctx, l, store)
	if err != nil {
		return err
	}
	line("bytes a transaction in the file, with its seal", float64(after-before)/n, 250, "%.0f", true)
	return nil
}

func filled(ctx context.Context, l *load, store *sqlstore.Store) (bytes int64, err error) {
	if _, err := l.book.Seal(ctx); err != nil {
		return 0, err
	}
	err = store.DB().QueryRowContext(ctx, "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size").Scan(&bytes)
	return bytes, err
}
