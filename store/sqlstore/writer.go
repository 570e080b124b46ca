package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/recovered"
)

// SQLite lets one transaction write at a time, and a commit waits for the
// disk. So the Updates that wait share a commit: the writer begins a
// transaction, hands it to one caller after the other, each within a savepoint
// of its own, commits, and tells each caller its own result. A function runs
// in its caller's goroutine. The writer's goroutine lives only while Updates
// wait, and holds no lock and no connection otherwise; nobody waits for a
// timer to fill a batch.

const (
	// maxBatch and maxBatchTime bound a transaction, so that the first of a
	// batch is not kept waiting by those who come later.
	maxBatch     = 128
	maxBatchTime = 20 * time.Millisecond
	// maxRuns is how often a function runs before a conflict is returned.
	maxRuns = 10
	// maxRestarts is how often an Update begins anew because a transaction
	// that it shared broke.
	maxRestarts = 3
)

type writer struct {
	s *Store

	mu      sync.Mutex
	waiting []*turn
	running bool
	idle    sync.WaitGroup // the writer's goroutine
}

// turn is one Update on its way through the writer.
type turn struct {
	ctx context.Context
	fn  func(ctx context.Context, t *tx) error
	// begin hands the transaction to the caller, ran gives it back with what
	// the function came to, and done ends the Update. Each holds one.
	begin    chan *batched
	ran      chan error
	done     chan error
	taken    bool // by the writer; under writer.mu
	restarts int
}

// errBroken: the shared transaction is gone; whoever was in it begins anew.
var errBroken = errors.New("payment: the shared transaction was rolled back")

func (w *writer) update(ctx context.Context, fn func(context.Context, *tx) error) error {
	t := &turn{ctx: ctx, fn: fn, begin: make(chan *batched, 1), ran: make(chan error, 1), done: make(chan error, 1)}
	w.enqueue(t)
	patience := time.NewTimer(w.s.options.BusyTimeout)
	defer patience.Stop()
	over, late := ctx.Done(), patience.C
	for {
		select {
		case b := <-t.begin:
			b.run(t)
		case err := <-t.done:
			return err
		case <-over:
			if w.leave(t) {
				return ctx.Err()
			}
			over = nil // it has begun: its own calls end with ctx
		case <-late:
			if w.leave(t) {
				return busy(errors.New("other Updates took too long"))
			}
			late = nil
		}
	}
}

// run carries out one turn in the caller's goroutine.
func (b *batched) run(t *turn) {
	err := error(nil)
	ended := false
	defer func() {
		if !ended { // the function ended the goroutine
			err = b.rollback(errors.New("payment: the function of Update ended its goroutine"))
		}
		t.ran <- err
	}()
	for range maxRuns {
		if err = b.attempt(t); !errors.Is(err, payment.ErrConflict) || errors.Is(err, errBroken) {
			break
		}
	}
	ended = true
}

const (
	savepoint  = "SAVEPOINT payment_update"
	release    = "RELEASE payment_update"
	rollbackTo = "ROLLBACK TO payment_update"
)

// attempt runs the function once, within a savepoint.
func (b *batched) attempt(t *turn) error {
	if _, err := b.exec(context.Background(), savepoint, nil); err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	tx := newTx(b.s, b)
	defer tx.end()
	err := tx.result(recovered.Call("the function of Update", func() error {
		return t.fn(context.WithValue(t.ctx, inUpdate{}, tx), tx)
	}))
	tx.end()
	if err != nil {
		return b.rollback(err)
	}
	if _, err := b.exec(context.Background(), release, nil); err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	return nil
}

// rollback undoes the savepoint and returns err. SQLite rolls a whole
// transaction back on some errors (a full disk, for one): then the savepoint is
// gone, and so is the work of the others.
func (b *batched) rollback(err error) error {
	for _, text := range []string{rollbackTo, release} {
		if _, failed := b.exec(context.Background(), text, nil); failed != nil {
			return &brokenBy{err}
		}
	}
	return err
}

// brokenBy is an error that took the whole transaction with it.
type brokenBy struct{ err error }

func (e *brokenBy) Error() string        { return e.err.Error() }
func (e *brokenBy) Is(target error) bool { return target == errBroken }
func (e *brokenBy) Unwrap() error        { return e.err }

func (w *writer) enqueue(t *turn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = append(w.waiting, t)
	if !w.running {
		w.running = true
		w.idle.Add(1)
		go w.work()
	}
}

// leave takes a turn that has not begun out of the queue.
func (w *writer) leave(t *turn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.taken {
		return false
	}
	w.waiting = slices.DeleteFunc(w.waiting, func(o *turn) bool { return o == t })
	return true
}

// take returns up to n turns that wait. With none it returns nil, and with
// last set it also ends the writer.
func (w *writer) take(n int, last bool) []*turn {
	w.mu.Lock()
	defer w.mu.Unlock()
	n = min(n, len(w.waiting))
	if n == 0 {
		w.running = !last && w.running
		return nil
	}
	batch := slices.Clone(w.waiting[:n])
	w.waiting = slices.Delete(w.waiting, 0, n)
	for _, t := range batch {
		t.taken = true
	}
	return batch
}

// wait returns when no Update is on its way.
func (w *writer) wait() { w.idle.Wait() }

func (w *writer) work() {
	defer w.idle.Done()
	for {
		batch := w.take(maxBatch, true)
		if batch == nil {
			return
		}
		w.commit(batch)
	}
}

// commit carries out a batch in one transaction.
func (w *writer) commit(batch []*turn) {
	b, end, err := w.begin()
	if err != nil {
		for _, t := range batch {
			t.done <- err
		}
		return
	}
	defer end()
	start := time.Now()
	var kept []*turn
	var refused []refusal
	for count := 0; len(batch) > 0; {
		for i, t := range batch {
			if err := t.ctx.Err(); err != nil {
				t.done <- err
				continue
			}
			t.begin <- b
			err := <-t.ran
			switch {
			case err == nil:
				kept = append(kept, t)
			case errors.Is(err, errBroken):
				_ = b.tx.Rollback()
				w.restart(t, err)
				for _, other := range append(kept, batch[i+1:]...) {
					w.restart(other, nil)
				}
				for _, r := range refused {
					w.restart(r.turn, nil)
				}
				return
			case len(kept) > 0:
				// What refused it may rest on what is not committed yet.
				refused = append(refused, refusal{t, err})
			default:
				t.done <- err
			}
		}
		count += len(batch)
		// Whoever came meanwhile shares the commit.
		batch = nil
		if count < maxBatch && time.Since(start) < maxBatchTime {
			batch = w.take(maxBatch-count, false)
		}
	}
	if len(kept) == 0 {
		_ = b.tx.Rollback()
		return
	}
	err = b.tx.Commit()
	if err != nil {
		_ = b.tx.Rollback()
		if sqliteBusy(err) {
			err = busy(err)
		} else { // the disk failed: the next start may find the commit whole
			err = &storeError{payment.ErrCommitUnknown, err}
		}
	}
	if err == nil {
		w.s.commits.Add(1)
	}
	for _, t := range kept {
		t.done <- err
	}
	for _, r := range refused {
		if err != nil {
			w.restart(r.turn, nil)
			continue
		}
		r.turn.done <- r.err
	}
}

// refusal is a turn that failed after others of its transaction had written:
// it is told once they are committed, or begins anew if they are not.
type refusal struct {
	turn *turn
	err  error
}

// restart lets a turn begin anew after its transaction broke, or ends it: with
// its own error if it was the one that broke it.
func (w *writer) restart(t *turn, err error) {
	var by *brokenBy
	switch {
	case errors.As(err, &by):
		t.done <- by.err
	case t.restarts == maxRestarts:
		t.done <- &failure{errors.Join(errBroken, err)}
	default:
		t.restarts++
		w.mu.Lock()
		t.taken = false
		w.waiting = append(w.waiting, t)
		w.mu.Unlock()
	}
}

// begin begins a transaction that holds the write lock, on a connection whose
// settings are read back.
func (w *writer) begin() (b *batched, end func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	// A pool without a free connection would let it wait for ever.
	patience := time.AfterFunc(w.s.options.BusyTimeout, cancel)
	tx, err := w.s.db.BeginTx(ctx, nil)
	if !patience.Stop() && err == nil {
		_ = tx.Rollback()
		err = context.DeadlineExceeded
	}
	if err == nil {
		b = &batched{s: w.s, tx: tx, stmts: make(map[string]*sql.Stmt, 16)}
		if _, err = b.exec(context.Background(), w.s.sql.takeLock, nil); err == nil {
			err = w.s.checkDurable(context.Background(), b)
		}
		if err != nil {
			_ = tx.Rollback()
		}
	}
	if err != nil {
		cancel()
		if ctxErr := context.DeadlineExceeded; errors.Is(err, ctxErr) || errors.Is(err, context.Canceled) {
			return nil, nil, busy(errors.New("no connection was free: raise SetMaxOpenConns"))
		}
		return nil, nil, w.s.statementError(err)
	}
	return b, cancel, nil
}
