package httpx

import (
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// exchange is the recorder of one RoundTrip. Trace hooks may fire on other
// goroutines, and with HTTP/2 even after RoundTrip has returned.
type exchange struct {
	scope  string
	method string
	host   string
	path   string
	start  time.Time

	mu sync.Mutex

	// From the trace.
	asked     bool          // a connection was asked for
	got       bool          // a connection was handed out, in any attempt
	shared    bool          // one of them carries other requests too (HTTP/2)
	reused    bool          // the last of them was used before
	writing   bool          // this attempt put a header into the connection's buffer
	meter     *atomic.Int64 // writes of this attempt's connection, if known
	meterBase int64
	wrote     bool // a byte may have gone out, in any attempt
	sends     int

	// The result.
	done    bool // no answer will come any more
	notSent bool
	ended   bool // nothing will change any more
	end     time.Time
	status  int
	proto   string
	header  http.Header // as it came: scrubbed only when it is asked for
	bytes   int64
	class   Class
	broken  bool // the body could not be read to its end
}

func (e *exchange) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:          e.onGetConn,
		GotConn:          e.onGotConn,
		WroteHeaderField: e.onHeaderField,
		WroteHeaders:     e.onWrite,
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			// Called with an error too when nothing was written.
			if i.Err == nil {
				e.onWrite()
			}
		},
	}
}

func (e *exchange) onGetConn(string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = true
}

func (e *exchange) onGotConn(i httptrace.GotConnInfo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.endAttempt()
	e.got, e.reused = true, i.Reused
	if c, ok := i.Conn.(interface{ ConnectionState() tls.ConnectionState }); ok &&
		c.ConnectionState().NegotiatedProtocol == "h2" {
		e.shared = true
		return
	}
	if e.meter = meterOf(i.Conn); e.meter != nil {
		e.meterBase = e.meter.Load()
	}
}

func (e *exchange) onHeaderField(string, []string) { e.onWrite() }

func (e *exchange) onWrite() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writing = true
}

// endAttempt draws the line under one connection: net/http may go on with
// another.
func (e *exchange) endAttempt() {
	if e.writing && (e.meter == nil || e.meter.Load() != e.meterBase) {
		e.wrote = true
		e.sends++
	}
	e.writing, e.meter = false, nil
}

// fail records that RoundTrip returned err instead of an answer. trusted says
// that the transport is net/http's own.
func (e *exchange) fail(err error, trusted bool, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.endAttempt()
	e.notSent = e.proven(trusted)
	e.class = classOf(err)
	e.done, e.ended, e.end = true, true, now
}

// proven reports whether the request certainly did not reach the provider.
//
// Over HTTP/1.1, net/http returns an error only once the connection is closed
// and its writer has ended, so that what has not been written never will be.
// Over HTTP/2 the writer of a cancelled request may be a step behind: having
// been given a connection is then enough to doubt.
func (e *exchange) proven(trusted bool) bool {
	switch {
	case e.wrote:
		return false
	case e.got:
		return trusted && !e.shared
	case e.asked:
		return true // no connection was made
	}
	// Refused before a connection was asked for (an invalid header, say); a
	// transport that we do not know may simply not report.
	return trusted
}

// refuse records that the request was not handed to the transport.
func (e *exchange) refuse(err error, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notSent, e.class = true, classOf(err)
	e.done, e.ended, e.end = true, true, now
}

// answer records the head of the answer.
func (e *exchange) answer(r *http.Response, keep []string) {
	kept := make(http.Header, 4)
	for _, k := range keep {
		if v := r.Header[k]; len(v) > 0 {
			kept[k] = []string{v[0]}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.endAttempt()
	if e.sends == 0 {
		e.sends = 1 // an answer without a write seen: a transport that does not report
	}
	e.done, e.status, e.proto, e.header = true, r.StatusCode, r.Proto, kept
}

// finish records the end of the body: err is nil if all that was asked for
// could be read. Only the first call counts.
func (e *exchange) finish(n int64, err error, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return false
	}
	e.ended, e.end, e.bytes = true, now, n
	if err != nil {
		e.broken, e.class = true, classOf(err)
	}
	return true
}

func (e *exchange) outcome() Outcome {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.outcomeLocked()
}

func (e *exchange) outcomeLocked() Outcome {
	o := Outcome{Status: e.status, Class: e.class}
	switch {
	case !e.done:
		o.Class = ClassPending
	case e.notSent:
		o.Kind = NotSent
	case e.status == 0, e.broken:
	case e.status < 200, e.status >= 500:
		o.Class = ClassServer
	default:
		o.Kind = Answered
	}
	return o
}

// value returns a header of the answer, scrubbed, and whether an answer came.
func (e *exchange) value(name string) (v string, answered bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Scrub(e.header.Get(name)), e.header != nil
}

func (e *exchange) snapshot() Exchange {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := Exchange{
		Scope:         e.scope,
		Method:        e.method,
		Host:          e.host,
		Path:          safePath(e.path),
		Proto:         e.proto,
		RequestID:     Scrub(firstHeader(e.header, requestIDHeaders())),
		Outcome:       e.outcomeLocked(),
		Start:         e.start,
		ResponseBytes: e.bytes,
		Sends:         e.sends,
		Reused:        e.reused,
	}
	if e.ended {
		x.Duration = e.end.Sub(e.start)
	}
	return x
}
