package core

import (
	"container/heap"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Timers runs functions at times of a Clock: authorizations that expire,
// payments that settle, deliveries that are retried. Functions run one after
// another in order of their time, then of their registration.
type Timers struct {
	clock *Clock
	next  atomic.Int64 // time of the earliest task, so that the common check takes no lock

	mu   sync.Mutex
	heap taskHeap
	seq  int64

	run  sync.Mutex // held while tasks run: keeps their order when several goroutines find work
	wake chan struct{}
	done chan struct{}
	wg   sync.WaitGroup
}

type task struct {
	at  int64
	seq int64
	f   func()
}

// NewTimers returns running timers; Close ends their goroutine.
func NewTimers(clock *Clock) *Timers {
	t := &Timers{clock: clock, wake: make(chan struct{}, 1), done: make(chan struct{})}
	t.next.Store(math.MaxInt64)
	t.wg.Go(t.loop)
	return t
}

// At registers f for time at. f must not call RunDue or Advance.
func (t *Timers) At(at time.Time, f func()) {
	t.mu.Lock()
	t.seq++
	heap.Push(&t.heap, task{at: at.UnixNano(), seq: t.seq, f: f})
	t.next.Store(t.heap[0].at)
	t.mu.Unlock()
	t.poke()
}

// RunDue runs what is due now. It costs an atomic load when nothing is.
func (t *Timers) RunDue() {
	if t.clock.Now().UnixNano() < t.next.Load() {
		return
	}
	t.run.Lock()
	defer t.run.Unlock()
	t.runDue()
}

func (t *Timers) runDue() {
	for {
		now := t.clock.Now().UnixNano()
		t.mu.Lock()
		if len(t.heap) == 0 || t.heap[0].at > now {
			t.mu.Unlock()
			return
		}
		due := heap.Pop(&t.heap).(task)
		if len(t.heap) == 0 {
			t.next.Store(math.MaxInt64)
		} else {
			t.next.Store(t.heap[0].at)
		}
		t.mu.Unlock()
		due.f()
	}
}

// Advance moves the clock forward by d, stopping at each task on the way so
// that every task sees the time it was registered for.
func (t *Timers) Advance(d time.Duration) {
	t.run.Lock()
	defer t.run.Unlock()
	target := t.clock.Now().Add(d)
	for {
		t.runDue()
		next := t.next.Load()
		if next > target.UnixNano() {
			break
		}
		t.clock.add(time.Unix(0, next).Sub(t.clock.Now()))
	}
	t.clock.add(target.Sub(t.clock.Now()))
	t.poke()
}

// Close ends the goroutine; tasks that are not due are dropped.
func (t *Timers) Close() {
	close(t.done)
	t.wg.Wait()
}

func (t *Timers) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// loop runs tasks that fall due while no request arrives. The longest sleep is
// short because an injected base clock may move without telling anyone.
func (t *Timers) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		t.RunDue()
		wait := time.Second
		if next := t.next.Load(); next != math.MaxInt64 {
			if d := time.Unix(0, next).Sub(t.clock.Now()); d < wait {
				wait = max(d, time.Millisecond)
			}
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-t.wake:
		case <-t.done:
			return
		}
	}
}

type taskHeap []task

func (h taskHeap) Len() int { return len(h) }
func (h taskHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].seq < h[j].seq
}
func (h taskHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *taskHeap) Push(x any)   { *h = append(*h, x.(task)) }
func (h *taskHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = task{}
	*h = old[:len(old)-1]
	return last
}
