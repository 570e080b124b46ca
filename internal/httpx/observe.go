package httpx

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Kind says what is known about a request.
type Kind uint8

// The kinds. The zero value is the one that claims nothing.
const (
	// Ambiguous: the request, or a part of it, may have reached the provider
	// and no usable answer came back.
	Ambiguous Kind = iota
	// NotSent: proven that the provider got no request. The name did not
	// resolve, the connection or the TLS handshake failed, or the context ended
	// before the first byte was written.
	NotSent
	// Answered: an answer with a status from 200 to 499 arrived, and no part of
	// its body that was read failed. A 3xx is an answer: it was not followed.
	Answered
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case NotSent:
		return "not_sent"
	case Answered:
		return "answered"
	}
	return "ambiguous"
}

// Outcome is the classification of a provider call.
type Outcome struct {
	Kind Kind
	// Status is the HTTP status of the answer, zero if none arrived. An
	// Ambiguous outcome has one too if a 5xx came, or if the body broke off.
	Status int
	// Class says why there is no good answer; it is for logs and metrics.
	Class Class
}

// String returns the outcome as a few words without secrets.
func (o Outcome) String() string {
	s := o.Kind.String()
	if o.Status != 0 {
		s += " " + strconv.Itoa(o.Status)
	}
	if o.Class != "" {
		s += " (" + string(o.Class) + ")"
	}
	return s
}

// Exchange is one request and its answer, as reported for logs and metrics. It
// holds no secret: no query, no body, and ids in the path replaced by "{id}".
type Exchange struct {
	Scope         string // see Scope; empty for the call proper
	Method        string
	Host          string
	Path          string
	Proto         string // of the answer, such as "HTTP/2.0"
	RequestID     string // the provider's id of the request, if it sent one
	Outcome       Outcome
	Start         time.Time
	Duration      time.Duration // to the end of the body; zero while in progress
	ResponseBytes int64         // body bytes read
	// Sends counts how often the request went on the wire. It is more than one
	// when net/http sent it again by itself: it does that with a request that
	// carries an Idempotency-Key when a kept-alive connection turns out dead.
	Sends  int
	Reused bool // went over a connection that had carried others
}

// Call records the exchanges that happen under one context. Its methods are
// safe for concurrent use.
type Call struct {
	mu     sync.Mutex
	sealed bool        // NotSent has been reported
	folded bool        // older exchanges were dropped; old sums them up
	old    Outcome     // of the main scope
	list   []*exchange // newest last
}

// maxKept bounds the exchanges a Call holds on to: an adapter may page through
// a long list under one context.
const maxKept = 64

type slotKey struct{}

// slot is what the context carries.
type slot struct {
	call  *Call
	scope string
}

// Observe returns a context under which requests are recorded in the Call. It
// replaces a Call that ctx already carries. One Call stands for one provider
// call: observe again for the next.
func Observe(ctx context.Context) (context.Context, *Call) {
	c := new(Call)
	return context.WithValue(ctx, slotKey{}, &slot{call: c}), c
}

// Scope returns a context under which requests are recorded under a name of
// their own, for the side calls that a provider call needs first, such as
// fetching an access token. They do not count in Call.Outcome: a token request
// that timed out leaves the payment NotSent. See Call.ScopeOutcome. Without a
// Call in ctx, or with an empty name, Scope returns ctx.
func Scope(ctx context.Context, name string) context.Context {
	s, ok := ctx.Value(slotKey{}).(*slot)
	if !ok || name == "" {
		return ctx
	}
	return context.WithValue(ctx, slotKey{}, &slot{call: s.call, scope: name})
}

// Outcome classifies the call: Ambiguous if any of its exchanges is (one that
// has not ended included), else Answered with the status of the last answer,
// else NotSent, which includes that there was no exchange at all.
//
// After it has reported NotSent the Call lets no further request out, so that
// the report stays true whatever goroutine the SDK left behind.
//
// An answer that is a success to HTTP may still be one that cannot be decoded
// or verified: that is for the adapter to see, and is ambiguous too.
func (c *Call) Outcome() Outcome {
	o := c.ScopeOutcome("")
	if o.Kind != NotSent {
		return o
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// An exchange may have begun since: look again under the lock that begin
	// takes.
	if o = c.outcomeLocked(""); o.Kind == NotSent {
		c.sealed = true
	}
	return o
}

// ScopeOutcome classifies the exchanges of one scope, like Outcome, but seals
// nothing.
func (c *Call) ScopeOutcome(name string) Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outcomeLocked(name)
}

func (c *Call) outcomeLocked(scope string) Outcome {
	sum := Outcome{Kind: NotSent}
	if scope == "" && c.folded {
		sum = c.old
	}
	for _, e := range c.list {
		if e.scope == scope {
			sum = combine(sum, e.outcome())
		}
	}
	return sum
}

// combine adds the outcome of a later exchange to the sum of earlier ones.
func combine(sum, next Outcome) Outcome {
	switch {
	case next.Kind == Ambiguous:
		return next
	case sum.Kind == Ambiguous:
		return sum
	case next.Kind == Answered:
		return next
	case sum.Kind == Answered:
		return sum
	}
	return next
}

// begin records a new exchange, or reports false if the call is sealed.
func (c *Call) begin(e *exchange) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealed && e.scope == "" {
		return false
	}
	if len(c.list) == maxKept {
		if first := c.list[0]; first.scope == "" {
			sum := Outcome{Kind: NotSent}
			if c.folded {
				sum = c.old
			}
			c.old, c.folded = combine(sum, first.outcome()), true
		}
		c.list = append(c.list[:0], c.list[1:]...)
	}
	c.list = append(c.list, e)
	return true
}

// Exchanges returns what was recorded, oldest first, all scopes; of a long call
// the last 64.
func (c *Call) Exchanges() []Exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Exchange, len(c.list))
	for i, e := range c.list {
		out[i] = e.snapshot()
	}
	return out
}

// Elapsed returns the time from the start of the first exchange to the end of
// the last one that ended, side calls included.
func (c *Call) Elapsed() time.Duration {
	var start, end time.Time
	for _, e := range c.Exchanges() {
		if start.IsZero() || e.Start.Before(start) {
			start = e.Start
		}
		if t := e.Start.Add(e.Duration); t.After(end) {
			end = t
		}
	}
	return end.Sub(start)
}

// Sends returns how many requests of the call proper went on the wire, those
// included that net/http sent again by itself.
func (c *Call) Sends() int {
	var n int
	for _, e := range c.Exchanges() {
		if e.Scope == "" {
			n += e.Sends
		}
	}
	return n
}

// Header returns a header of the last answer of the call proper. Only the
// headers that are kept can be asked for, see Options.KeepHeaders.
func (c *Call) Header(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.list) - 1; i >= 0; i-- {
		if e := c.list[i]; e.scope == "" {
			if v, answered := e.value(name); answered {
				return v
			}
		}
	}
	return ""
}

// RequestID returns the provider's id of the last answered request, empty if
// it sent none.
func (c *Call) RequestID() string {
	for _, n := range requestIDHeaders() {
		if v := c.Header(n); v != "" {
			return v
		}
	}
	return ""
}

// requestIDHeaders are the names the providers use: Stripe and WeChat
// Request-Id, PayPal Paypal-Debug-Id, Adyen pspReference, Alipay trace_id.
func requestIDHeaders() []string {
	return []string{"Request-Id", "Paypal-Debug-Id", "Pspreference", "Trace_id", "X-Request-Id"}
}

func keptHeaders() []string {
	return append(requestIDHeaders(), "Date", "Retry-After", "Content-Type",
		"Idempotent-Replayed", "Original-Request", "Stripe-Should-Retry")
}

func firstHeader(h http.Header, names []string) string {
	for _, n := range names {
		if v := h.Get(n); v != "" {
			return v
		}
	}
	return ""
}
