package sqlstore

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/tender-go/payment"
)

// SQLite lets one transaction write at a time, and a commit waits for the
// disk. So the Updates that wait share a commit: the writer begins a
// transaction, runs one function after the other, commits, and tells each
// caller its own result. The functions run in the writer's goroutine: handing
// the transaction from one caller's to the next cost a tenth of the time. It
// lives only while Updates wait, and holds no lock otherwise (see connection
// for what it keeps); nobody waits for a timer to fill a batch. A lone caller's
// function runs in its own goroutine.
//
// A function that fails is undone alone: most fail before they write anything.
// For one that wrote first, the whole transaction is rolled back and the batch
// runs again with a savepoint around each function. Savepoints from the start
// would cost every Update for the few that fail: SQLite then keeps a copy of
// each page that a function touches.

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
	// cautious is for how many batches savepoints stay in use after one was
	// rolled back for want of them: who refuses often costs one run in 50.
	cautious = 50
)

type writer struct {
	s *Store

	mu      sync.Mutex
	waiting []*turn
	running bool
	closed  bool
	idle    sync.WaitGroup // the writer's goroutine

	// What follows is whoever's that is at work.

	kept *kept // the writer's own connection, or nil
	// durable are connections of the pool whose settings were read back, and
	// when. It holds them, so that none takes another's place.
	durable map[any]time.Time
	caution int // batches that still use savepoints
}

// turn is one Update on its way through the writer.
type turn struct {
	ctx      context.Context
	fn       func(ctx context.Context, t *tx) error
	result   chan error // holds one
	taken    bool       // by the writer; under writer.mu
	books    *ledgerTx  // what its run added to the ledger, or nil
	restarts int
}

func (t *turn) end(err error) { t.result <- err }

// errGone: the function of a turn ended its goroutine.
var errGone = errors.New("payment: the function of Update ended its goroutine")

func (w *writer) update(ctx context.Context, fn func(context.Context, *tx) error) error {
	t := &turn{ctx: ctx, fn: fn, result: make(chan error, 1)}
	if !w.enqueue(t) {
		w.alone(t)
	}
	err := w.await(t)
	if errors.Is(err, errGone) {
		runtime.Goexit() // as if it had run here: t.FailNow in a test ends the test
	}
	return err
}

// await waits for the result of a turn, or leaves the queue.
func (w *writer) await(t *turn) error {
	select {
	case err := <-t.result: // it ran in this goroutine
		return err
	default:
	}
	patience := time.NewTimer(w.s.options.BusyTimeout)
	defer patience.Stop()
	select {
	case err := <-t.result:
		return err
	case <-t.ctx.Done():
		if w.leave(t) {
			return t.ctx.Err()
		}
	case <-patience.C:
		if w.leave(t) {
			return busy(errors.New("other Updates took too long"))
		}
	}
	return <-t.result // it has begun: its own calls end with ctx
}

// enqueue puts a turn into the queue, or reports that nobody is at work: then
// the caller is.
func (w *writer) enqueue(t *turn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		t.end(errClosed)
		return true
	}
	if !w.running {
		w.running, t.taken = true, true
		w.idle.Add(1)
		return false
	}
	w.waiting = append(w.waiting, t)
	return true
}

// alone carries out the turn of a lone caller in the caller's own goroutine:
// to go through another one and back takes longer than the work. Those who
// come meanwhile are served by a goroutine of the writer's.
func (w *writer) alone(t *turn) {
	defer func() { // also when the function ends its goroutine
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.waiting) == 0 {
			w.running = false
			w.idle.Done()
			return
		}
		go w.work()
	}()
	w.commit([]*turn{t}, true)
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

// close returns when no Update is on its way; later ones are refused.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.idle.Wait()
	w.forget()
}

func (w *writer) work() {
	done := false
	defer func() {
		if !done { // a function ended the goroutine
			go w.work()
		}
	}()
	for batch := w.take(maxBatch, true); batch != nil; batch = w.take(maxBatch, true) {
		w.commit(batch, false)
	}
	done = true
	w.idle.Done()
}

// commit carries out a batch in one transaction, and once more, carefully, if
// what a function of it wrote could not be taken back alone. With alone, nobody
// else's turn joins it.
func (w *writer) commit(batch []*turn, alone bool) {
	careful := w.caution > 0
	w.caution = max(0, w.caution-1)
	for len(batch) > 0 {
		if batch = w.transact(batch, careful, alone); len(batch) > 0 {
			careful, w.caution = true, cautious
		}
	}
}

// transact carries out a batch in one transaction. It returns the turns that
// have to go through another one: the transaction is rolled back.
func (w *writer) transact(batch []*turn, careful, alone bool) (again []*turn) {
	b, err := w.begin()
	if err != nil {
		for _, t := range batch {
			t.end(err)
		}
		return nil
	}
	defer b.c.end()
	b.careful = careful
	start := time.Now()
	var kept []*turn
	var refused []refusal
	var running *turn
	defer func() {
		if running == nil {
			return
		}
		// Its function ended the goroutine: the others begin anew in the next.
		_ = b.c.rollback()
		running.end(errGone)
		for _, other := range slices.Concat(kept, batch, turnsOf(refused)) {
			w.restart(other, nil)
		}
	}()
	for count := 0; len(batch) > 0; {
		count += len(batch)
		for len(batch) > 0 {
			t := batch[0]
			batch = batch[1:]
			if err := t.ctx.Err(); err != nil {
				t.end(err)
				continue
			}
			running = t
			err := b.run(t)
			running = nil
			var spoiled *spoiledBy
			if errors.As(err, &spoiled) {
				if b.c.rollback() == nil {
					return w.spoiled(t, spoiled.err, slices.Concat(kept, turnsOf(refused)), batch)
				}
				err = &brokenBy{spoiled.err}
			}
			switch {
			case err == nil:
				kept = append(kept, t)
			case errors.Is(err, errBroken):
				_ = b.c.rollback()
				w.restart(t, err)
				for _, other := range slices.Concat(kept, batch, turnsOf(refused)) {
					w.restart(other, nil)
				}
				return nil
			case len(kept) > 0:
				// What refused it may rest on what is not committed yet.
				refused = append(refused, refusal{t, err})
			default:
				t.end(err)
			}
		}
		// Whoever came meanwhile shares the commit.
		if !alone && count < maxBatch && time.Since(start) < maxBatchTime {
			batch = w.take(maxBatch-count, false)
		}
	}
	if len(kept) == 0 {
		_ = b.c.rollback()
		return nil
	}
	err = b.c.commit()
	if err != nil {
		_ = b.c.rollback()
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
		if err == nil {
			t.books.commit()
		}
		t.end(err)
	}
	for _, r := range refused {
		if err != nil {
			w.restart(r.turn, nil)
			continue
		}
		r.turn.end(r.err)
	}
	return nil
}

// spoiled says who goes on after the transaction was rolled back because of
// what t wrote before it failed with err.
func (w *writer) spoiled(t *turn, err error, before, after []*turn) (again []*turn) {
	if len(before) == 0 && !errors.Is(err, payment.ErrConflict) {
		t.end(err) // it rests on nothing but what is committed
		return after
	}
	return slices.Concat(before, []*turn{t}, after)
}

func turnsOf(refused []refusal) []*turn {
	turns := make([]*turn, len(refused))
	for i, r := range refused {
		turns[i] = r.turn
	}
	return turns
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
		t.end(by.err)
	case t.restarts == maxRestarts:
		t.end(&failure{errors.Join(errBroken, err)})
	default:
		t.restarts++
		w.mu.Lock()
		t.taken = false
		w.waiting = append(w.waiting, t)
		w.mu.Unlock()
	}
}
