package main

import (
	"net/http"
	"sync"
)

// counts of webhook deliveries.
type counts struct{ all, taken, refused int }

// counter counts what passes through a handler.
type counter struct {
	next http.Handler

	mu sync.Mutex
	n  counts
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	c.next.ServeHTTP(seen, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n.all++
	switch {
	case seen.status == http.StatusOK:
		c.n.taken++
	case seen.status < http.StatusInternalServerError:
		c.n.refused++
	}
}

func (c *counter) read() counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// statusWriter remembers the status. Unwrap lets the handler set deadlines.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
