package sqlstore

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/tender-go/payment/ledger"
)

// The ledger's requests of many callers go into one transaction: whoever finds
// nobody at work carries out all that waits, its own among it, and hands the
// work on to the next that waits. So a lone caller is served at once, by
// itself, and what comes while a commit is on its way shares the next one.

const (
	// maxFold bounds the requests of one transaction, unless one caller brings
	// more.
	maxFold = 1000
	// asideFor is how long requests on an account that is locked elsewhere are
	// set aside, before they are tried again.
	asideFor = 2 * time.Millisecond
)

// ticket is one caller's requests in the queue.
type ticket struct {
	ctx      context.Context
	requests []*ledger.Request // what is left of them
	until    time.Time         // then what is left is busy
	done     chan error        // holds one
	lead     chan struct{}     // holds one: the work is handed on
	taken    bool              // under queue.mu
	alone    bool              // it goes into a transaction of its own
	partly   bool              // some of its requests have their result
}

// fail ends a ticket by an error. What was carried out already stays so: the
// error is that of the rest.
func (t *ticket) fail(err error) {
	if t.partly {
		for _, r := range t.requests {
			r.Err = err
		}
		err = nil
	}
	t.done <- err
}

// queue is the ledger's writer.
type queue struct {
	// carry carries requests out in one transaction, and returns those that
	// have to wait for a lock.
	carry    func(ctx context.Context, requests []*ledger.Request) (aside []*ledger.Request, err error)
	patience time.Duration

	mu      sync.Mutex
	waiting []*ticket
	led     bool
	idle    sync.WaitGroup
}

// apply returns when each request has its result.
func (q *queue) apply(ctx context.Context, requests []*ledger.Request) error {
	t := &ticket{ctx: ctx, requests: requests, until: time.Now().Add(q.patience), done: make(chan error, 1), lead: make(chan struct{}, 1)}
	if q.enqueue(t) {
		q.work(t)
	}
	over := ctx.Done()
	for {
		select {
		case err := <-t.done:
			// Handed on at the same moment: somebody else has to.
			select {
			case <-t.lead:
				q.handOn()
			default:
			}
			return err
		case <-t.lead:
			q.work(t)
		case <-over:
			if q.leave(t) {
				return ctx.Err()
			}
			over = nil // it has begun: it ends by itself
		}
	}
}

// enqueue puts a ticket into the queue, and reports that nobody is at work: the
// caller has to.
func (q *queue) enqueue(t *ticket) (leads bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, t)
	if q.led {
		return false
	}
	q.led = true
	q.idle.Add(1)
	return true
}

// leave takes a ticket that has not begun out of the queue. One that is done in
// part has: its caller learns of each request what became of it.
func (q *queue) leave(t *ticket) bool {
	q.mu.Lock()
	i := slices.Index(q.waiting, t)
	if i >= 0 && !t.taken && !t.partly {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		q.mu.Unlock()
		select {
		case <-t.lead: // it was to lead
			q.handOn()
		default:
		}
		return true
	}
	q.mu.Unlock()
	return false
}

// work carries out batches until t has its result, and hands the work on.
func (q *queue) work(t *ticket) {
	handed := false
	defer func() {
		if !handed { // a panic: nobody must wait for ever
			go q.work(nil)
		}
	}()
	for {
		// Those who have just been served may come again, and share this
		// transaction: they run first. It is no pause: where nobody else is
		// about to run, it returns at once.
		runtime.Gosched()
		batch := q.take()
		if batch == nil {
			handed = true
			return
		}
		q.run(batch)
		if t != nil && len(t.done) > 0 {
			handed = true
			q.handOn()
			return
		}
	}
}

// handOn gives the work to the first that waits.
func (q *queue) handOn() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.led = false
		q.idle.Done()
		return
	}
	q.waiting[0].lead <- struct{}{}
}

// take returns what goes into the next transaction. With nothing to do it
// returns nil, and the work is done.
func (q *queue) take() []*ticket {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, requests := 0, 0
	for n < len(q.waiting) {
		t := q.waiting[n]
		if n > 0 && (requests+len(t.requests) > maxFold || t.alone) {
			break
		}
		requests += len(t.requests)
		t.taken = true
		n++
		if t.alone {
			break
		}
	}
	if n == 0 {
		q.led = false
		q.idle.Done()
		return nil
	}
	batch := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	return batch
}

// run carries out a batch in one transaction. If that fails for a cause that
// may lie in one of them, each goes into one of its own.
func (q *queue) run(batch []*ticket) {
	live := batch[:0:0]
	for _, t := range batch {
		if err := t.ctx.Err(); err != nil {
			t.fail(err)
			continue
		}
		live = append(live, t)
	}
	if len(live) == 0 {
		return
	}
	requests := live[0].requests
	if len(live) > 1 {
		requests = nil
		for _, t := range live {
			requests = append(requests, t.requests...)
		}
	}
	aside, err := q.carry(context.Background(), requests)
	switch {
	case err == nil:
		q.settle(live, aside)
	case len(live) == 1 || errors.Is(err, ledger.ErrCommitUnknown):
		for _, t := range live {
			t.fail(err)
		}
	default:
		q.mu.Lock()
		for _, t := range live {
			t.taken, t.alone = false, true
		}
		q.waiting = append(live, q.waiting...)
		q.mu.Unlock()
	}
}

// settle ends the tickets that are done, and sets the others aside.
func (q *queue) settle(batch []*ticket, aside []*ledger.Request) {
	if len(aside) == 0 {
		for _, t := range batch {
			t.done <- nil
		}
		return
	}
	waits := make(map[*ledger.Request]bool, len(aside))
	for _, r := range aside {
		waits[r] = true
	}
	now := time.Now()
	for _, t := range batch {
		left := slices.DeleteFunc(slices.Clone(t.requests), func(r *ledger.Request) bool { return !waits[r] })
		switch {
		case len(left) == 0:
			t.done <- nil
		case now.After(t.until):
			for _, r := range left {
				r.Err = ledger.Busy(r)
			}
			t.done <- nil
		default:
			t.partly = t.partly || len(left) < len(t.requests)
			t.requests = left
			time.AfterFunc(asideFor, func() { q.again(t) })
		}
	}
}

// again puts a ticket that was set aside back into the queue.
func (q *queue) again(t *ticket) {
	if q.enqueue(t) {
		q.work(nil)
	}
}

// wait returns when nothing is on its way.
func (q *queue) wait() { q.idle.Wait() }
