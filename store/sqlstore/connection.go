package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"reflect"
	"time"
)

// connection is what the writer's transaction runs on: one of the pool's, or
// one that the writer keeps.
type connection interface {
	querier
	commit() error
	rollback() error
	// end gives back what is not kept, after commit or rollback.
	end()
}

const (
	// checkEvery is how long a connection's settings count as read back: it is
	// asked at its first use and then from time to time, since to ask each
	// time would cost a lone caller a tenth of its commit.
	checkEvery = 100 * time.Millisecond
	// maxChecked bounds the connections of the pool that are remembered.
	maxChecked = 64
)

// begin begins a transaction that holds the write lock, on a connection whose
// settings were read back.
func (w *writer) begin() (*batched, error) {
	c, err := w.connect()
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return nil, busy(errors.New("no connection was free: raise SetMaxOpenConns"))
		}
		return nil, w.s.statementError(err)
	}
	return &batched{s: w.s, c: c}, nil
}

func (w *writer) connect() (connection, error) {
	// On a pool that is not the store's, or has room for one only, a connection
	// that is kept would be missing elsewhere.
	if w.s.options.OwnDB && w.s.db.Stats().MaxOpenConnections != 1 {
		return w.keep()
	}
	w.forget()
	return w.borrow()
}

// patient bounds how long fn may wait for a connection: on a pool without a free
// one it would be for ever.
func (w *writer) patient(fn func(context.Context) error) (cancel func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	patience := time.AfterFunc(w.s.options.BusyTimeout, cancel)
	err = fn(ctx)
	if !patience.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	return cancel, err
}

// kept is a connection of the writer's own. Its statements stay compiled, and
// database/sql needs no goroutine to watch over it, as it does over each
// transaction: a quarter of the time of a lone caller's commit went into that.
type kept struct {
	s       *Store
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	checked time.Time
	broken  bool // it may still be in a transaction
}

const (
	begin    = "BEGIN IMMEDIATE"
	commit   = "COMMIT"
	rollback = "ROLLBACK"
)

// keep begins a transaction on the writer's connection.
func (w *writer) keep() (c connection, err error) {
	k := w.kept
	if k == nil {
		k = &kept{s: w.s, stmts: make(map[string]*sql.Stmt, 32)}
		cancel, err := w.patient(func(ctx context.Context) (err error) {
			k.conn, err = w.s.db.Conn(ctx)
			return err
		})
		cancel()
		w.kept = k
		if err != nil {
			w.forget()
			return nil, err
		}
	}
	if _, err = k.exec(context.Background(), begin, nil); err == nil && time.Since(k.checked) >= checkEvery {
		if err = w.s.checkDurable(context.Background(), k); err == nil {
			k.checked = time.Now()
		} else {
			_ = k.rollback()
		}
	}
	if err != nil {
		k.broken = k.broken || !sqliteBusy(err) // whatever is wrong with it
		w.forget()
		return nil, err
	}
	return k, nil
}

// forget gives the writer's connection up.
func (w *writer) forget() {
	k := w.kept
	if k == nil {
		return
	}
	w.kept = nil
	for _, st := range k.stmts {
		if st != nil {
			_ = st.Close()
		}
	}
	if k.conn == nil {
		return
	}
	if k.broken { // nobody else may get it
		_ = k.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = k.conn.Close()
}

func (k *kept) stmt(text string) (*sql.Stmt, error) {
	st, ok := k.stmts[text]
	if ok {
		return st, nil
	}
	var err error
	if k.s.prepared(text) != nil || text == begin || text == commit || text == rollback {
		st, err = k.conn.PrepareContext(context.Background(), text)
	}
	if err == nil && st != nil { // other texts may be of any number
		k.stmts[text] = st
	}
	return st, err
}

func (k *kept) exec(ctx context.Context, text string, args []any) (sql.Result, error) {
	st, err := k.stmt(text)
	switch {
	case err != nil:
		return nil, err
	case st == nil:
		return k.conn.ExecContext(ctx, text, args...)
	}
	return st.ExecContext(ctx, args...)
}

func (k *kept) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	st, err := k.stmt(text)
	switch {
	case err != nil:
		return nil, err
	case st == nil:
		return k.conn.QueryContext(ctx, text, args...)
	}
	return st.QueryContext(ctx, args...)
}

func (k *kept) commit() error {
	_, err := k.exec(context.Background(), commit, nil)
	return err
}

func (k *kept) rollback() error {
	_, err := k.exec(context.Background(), rollback, nil)
	k.broken = k.broken || err != nil
	return err
}

func (k *kept) end() {
	if w := k.s.writer; k.broken && w.kept == k {
		w.forget()
	}
}

// borrowed is a transaction on a connection of the pool's.
type borrowed struct {
	s      *Store
	cancel func()
	conn   *sql.Conn
	tx     *sql.Tx
	stmts  map[string]*sql.Stmt // bound to tx
}

// borrow begins a transaction on a connection of the pool's.
func (w *writer) borrow() (c connection, err error) {
	b := &borrowed{s: w.s, stmts: make(map[string]*sql.Stmt, 16)}
	b.cancel, err = w.patient(func(ctx context.Context) (err error) {
		if b.conn, err = w.s.db.Conn(ctx); err == nil {
			b.tx, err = b.conn.BeginTx(ctx, nil)
		}
		return err
	})
	if err == nil {
		if _, err = b.exec(context.Background(), w.s.sql.takeLock, nil); err == nil {
			err = w.checked(b)
		}
	}
	if err != nil {
		if b.tx != nil {
			_ = b.tx.Rollback()
		}
		b.end()
		return nil, err
	}
	return b, nil
}

// checked reads the settings of a connection back, unless that was just done.
// Whoever is at work only.
func (w *writer) checked(b *borrowed) error {
	var this any
	if err := b.conn.Raw(func(driverConn any) error {
		if reflect.TypeOf(driverConn).Comparable() {
			this = driverConn
		}
		return nil
	}); err != nil {
		return err
	}
	now := time.Now()
	if at, known := w.durable[this]; this != nil && known && now.Sub(at) < checkEvery {
		return nil
	}
	if err := w.s.checkDurable(context.Background(), b); err != nil || this == nil {
		return err
	}
	if w.durable == nil || len(w.durable) >= maxChecked {
		w.durable = make(map[any]time.Time, 2)
	}
	w.durable[this] = now
	return nil
}

func (b *borrowed) stmt(text string) *sql.Stmt {
	if st, ok := b.stmts[text]; ok {
		return st
	}
	var st *sql.Stmt
	if p := b.s.prepared(text); p != nil {
		st = b.tx.StmtContext(context.Background(), p)
	}
	b.stmts[text] = st
	return st
}

func (b *borrowed) exec(ctx context.Context, text string, args []any) (sql.Result, error) {
	if st := b.stmt(text); st != nil {
		return st.ExecContext(ctx, args...)
	}
	return b.tx.ExecContext(ctx, text, args...)
}

func (b *borrowed) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if st := b.stmt(text); st != nil {
		return st.QueryContext(ctx, args...)
	}
	return b.tx.QueryContext(ctx, text, args...)
}

func (b *borrowed) commit() error   { return b.tx.Commit() }
func (b *borrowed) rollback() error { return b.tx.Rollback() }

func (b *borrowed) end() {
	b.cancel()
	if b.conn != nil {
		_ = b.conn.Close() // back to the pool
	}
}
