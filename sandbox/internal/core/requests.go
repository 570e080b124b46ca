package core

import (
	"sync"
	"time"
)

// Request is one line of the log of requests. It holds no key, no body and no
// query, so it may be printed.
type Request struct {
	Time           time.Time
	Provider       string
	ID             string
	Method         string
	Path           string
	IdempotencyKey string
	Account        string
	Status         int  // 0: no answer was sent
	Replayed       bool // answered from the idempotency store
	Worked         bool // the endpoint's work ran to its end for this request
	Fault          Kind
}

// Log keeps the newest requests. It is safe for use by several goroutines.
type Log struct {
	mu    sync.Mutex
	ring  []Request
	start int
	limit int
}

// NewLog returns a log of at most limit lines.
func NewLog(limit int) *Log { return &Log{limit: limit} }

// Add appends r, dropping the oldest line when full.
func (l *Log) Add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) < l.limit {
		l.ring = append(l.ring, r)
		return
	}
	l.ring[l.start] = r
	l.start = (l.start + 1) % l.limit
}

// List returns the lines, oldest first.
func (l *Log) List() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Request, 0, len(l.ring))
	out = append(out, l.ring[l.start:]...)
	return append(out, l.ring[:l.start]...)
}
