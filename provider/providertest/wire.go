package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// Wire breaks HTTP between an adapter and a stand-in for its provider, and
// records what was written. It sits on both sides: as the handler in front of
// the stand-in, and as the transport that the adapter is given, which can
// refuse a connection.
//
//	wire := &providertest.Wire{Next: standIn, Step: stepOf, Key: keyOf}
//	server := httptest.NewServer(wire)
//	adapter, err := psp.New(psp.Config{BaseURL: server.URL, HTTPClient: &http.Client{Transport: wire.Transport()}})
//	rig := &providertest.Rig{Provider: adapter, Fault: wire.Fault, Requests: wire.Requests, ...}
//
// The fields are set before it is first used; the methods may be called from
// many goroutines.
type Wire struct {
	// Next is the stand-in. Required.
	Next http.Handler
	// Step names the step that a request is, "lookup" for a read, and "" for
	// what is neither (fetching an access token). Required.
	Step func(r *http.Request, body []byte) string
	// Key finds the idempotency key, or our own number, in a write; nil for the
	// header Idempotency-Key.
	Key func(r *http.Request, body []byte) string
	// Content is what a replay must repeat; nil for method, URL and body. Leave
	// out what the protocol wants fresh (a nonce, a timestamp, the signature
	// over them).
	Content func(r *http.Request, body []byte) string
	// Conflict answers as the provider does to a key that it knows with another
	// request, or is working on. Required for [FaultKeyConflict]: no two
	// providers say it alike.
	Conflict http.Handler
	// Alter returns what makes the provider's own answer to a step one about
	// another amount ([FaultOtherAmount]), another currency
	// ([FaultOtherCurrency]) or without its id ([FaultNoRef]); nil if such an
	// answer cannot be. The rest of the answer stays as it is, a signature
	// within it is made anew, and an amount or currency differs from whatever
	// was asked: the suite pays 1000 and 12340 minor units of USD, where the
	// method takes them, and parts of that. Required for those faults;
	// [EditJSON] helps. An answer that Alter fails on is sent as it was.
	Alter func(f Fault, step string) func(answer []byte) ([]byte, error)

	mu       sync.Mutex
	armed    map[string][]Fault
	refuse   int
	garbage  int
	requests []Request
	home     string // the address of the stand-in, once a redirect led away from it
}

// Fault arms a fault for the next request of a step; see [Rig].
func (w *Wire) Fault(step string, f Fault) error {
	switch f {
	case FaultRefused, FaultReset, FaultLost, FaultHang, FaultGarbage, FaultServerErrorDone, FaultRedirect:
	case FaultKeyConflict:
		if w.Conflict == nil {
			return fmt.Errorf("%w: set Wire.Conflict to what the provider answers to a key that it knows from another request", ErrNoFault)
		}
	case FaultOtherAmount, FaultOtherCurrency, FaultNoRef:
		if w.Alter == nil || w.Alter(f, step) == nil {
			return fmt.Errorf("%w: let Wire.Alter make the provider's answer one about something else", ErrNoFault)
		}
	default:
		if _, known := statusOf[f]; !known {
			return ErrNoFault
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if f == FaultRefused {
		w.refuse++
		return nil
	}
	if w.armed == nil {
		w.armed = make(map[string][]Fault)
	}
	w.armed[step] = append(w.armed[step], f)
	return nil
}

// Requests returns the writes that arrived, and every connection to the host
// that a redirect named; see [Rig].
func (w *Wire) Requests() []Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Request(nil), w.requests...)
}

var errRefused = errors.New("connection refused (by providertest.Wire)")

// Transport is what the adapter speaks through. It dials for every request, so
// that an armed refusal meets the next one.
func (w *Wire) Transport() *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			w.mu.Lock()
			refuse := w.refuse > 0
			if refuse {
				w.refuse--
			}
			if host, _, err := net.SplitHostPort(addr); err == nil && host == elsewhere {
				w.requests = append(w.requests, Request{Content: "connection to " + addr, Elsewhere: true})
				addr = w.home // nothing leaves the machine
			}
			w.mu.Unlock()
			if refuse {
				return nil, &net.OpError{Op: "dial", Net: network, Err: errRefused}
			}
			d := net.Dialer{Timeout: 5 * time.Second}
			return d.DialContext(ctx, network, addr)
		},
	}
}

// statusOf are the faults that are an answer of the front door.
var statusOf = map[Fault]int{
	FaultServerError: http.StatusInternalServerError, FaultUnauthorized: http.StatusUnauthorized,
	FaultForbidden: http.StatusForbidden, FaultTooMany: http.StatusTooManyRequests, FaultBadRequest: http.StatusBadRequest,
}

// garbageBodies are answers that are none.
var garbageBodies = []string{"", "null", "{}", "[]", "<html><body>Bad gateway</body></html>", `{"id":`, `{"id":null,"status":7}`, "\x00\xff"}

// maxRequest bounds what is read of a request.
const maxRequest = 4 << 20

// ServeHTTP passes a request on, or breaks it.
func (w *Wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if r.Host == elsewhere {
		w.Next.ServeHTTP(rw, r)
		return
	}
	f := w.next(r, body)
	if status, ok := statusOf[f]; ok {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, `{}`)
		return
	}
	switch f {
	case FaultReset:
		abort(rw)
	case FaultLost:
		w.Next.ServeHTTP(httptest.NewRecorder(), r)
		abort(rw)
	case FaultHang:
		w.Next.ServeHTTP(httptest.NewRecorder(), r)
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
	case FaultServerErrorDone:
		w.Next.ServeHTTP(httptest.NewRecorder(), r)
		http.Error(rw, "{}", http.StatusInternalServerError)
	case FaultGarbage:
		w.Next.ServeHTTP(httptest.NewRecorder(), r)
		w.mu.Lock()
		form := garbageBodies[w.garbage%len(garbageBodies)]
		w.garbage++
		w.mu.Unlock()
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, form)
	case FaultRedirect:
		w.sendAway(rw, r)
	case FaultKeyConflict:
		w.Conflict.ServeHTTP(rw, r)
	case FaultOtherAmount, FaultOtherCurrency, FaultNoRef:
		w.alter(rw, r, w.Alter(f, w.Step(r, body)))
	default:
		w.Next.ServeHTTP(rw, r)
	}
}

// next records a request and takes the fault that is armed for it.
func (w *Wire) next(r *http.Request, body []byte) Fault {
	step := w.Step(r, body)
	w.mu.Lock()
	defer w.mu.Unlock()
	if step != "" && step != "lookup" {
		q := Request{Key: r.Header.Get("Idempotency-Key"), Content: r.Method + " " + r.URL.String() + "\n" + string(body)}
		if w.Key != nil {
			q.Key = w.Key(r, body)
		}
		if w.Content != nil {
			q.Content = w.Content(r, body)
		}
		w.requests = append(w.requests, q)
	}
	q := w.armed[step]
	if len(q) == 0 {
		return ""
	}
	w.armed[step] = q[1:]
	return q[0]
}

// abort ends the connection with a reset where the kernel lets us.
func abort(rw http.ResponseWriter) {
	if h, ok := rw.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // close with RST
			}
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler) // HTTP/2: the stream is reset
}
