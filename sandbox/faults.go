package sandbox

import (
	"time"

	"github.com/tender-go/payment/sandbox/internal/core"
)

// FaultKind names what a Fault does.
type FaultKind string

// The kinds of fault. Those marked "once done" may be combined with After.
const (
	// FaultDecline refuses the payment with Fault.Code, a decline code. It acts
	// when a charge is tried; to hit a charge tried after a challenge or on a
	// payer's page, leave Fault.Method and Fault.Path empty.
	FaultDecline FaultKind = "decline"
	// FaultDelay waits for Fault.Delay, then goes on. Before the work it waits
	// with the idempotency key taken, so that a second request meets a 409.
	// Once done: the answer is late.
	FaultDelay FaultKind = "delay"
	// FaultTimeout never answers: the connection hangs until the client gives
	// up or Fault.Delay is over, then breaks. Once done: the work was done.
	FaultTimeout FaultKind = "timeout"
	// FaultReset breaks the connection with a reset. Once done: the work was done.
	FaultReset FaultKind = "reset"
	// FaultError500 answers 500 api_error. Before the work nothing is kept
	// under the idempotency key; once done, the 500 is what the key replays, as
	// Stripe documents.
	FaultError500 FaultKind = "error_500"
	// FaultBadGateway answers 502 with an HTML page. Once done: the work was
	// done and its real answer is kept under the key.
	FaultBadGateway FaultKind = "bad_gateway"
	// FaultUnavailable answers 503. Once done: as FaultBadGateway.
	FaultUnavailable FaultKind = "unavailable"
	// FaultGarbage answers 200 with a body that is not JSON. Once done: the work was done.
	FaultGarbage FaultKind = "garbage"
	// FaultEmpty answers 200 with an empty body. Once done: the work was done.
	FaultEmpty FaultKind = "empty"
	// FaultTruncated answers 200 and breaks off within the body. Once done: the work was done.
	FaultTruncated FaultKind = "truncated"
	// FaultRateLimit answers 429 rate_limit; nothing was done.
	FaultRateLimit FaultKind = "rate_limit"
	// FaultConflict answers 409 idempotency_key_in_use; nothing was done.
	FaultConflict FaultKind = "conflict"
	// FaultLockTimeout answers 429 lock_timeout; nothing was done.
	FaultLockTimeout FaultKind = "lock_timeout"
	// FaultUnauthorized answers 401 as for an expired key; nothing was done.
	FaultUnauthorized FaultKind = "unauthorized"
)

// Fault is one rule of misbehaviour. The first fault in force that matches a
// request acts; declines are looked for separately, when a payment is tried.
type Fault struct {
	// Provider limits the fault to one stand-in: "stripe". Empty means all.
	Provider string `json:"provider,omitempty"`
	// Method is the HTTP method. Empty means all.
	Method string `json:"method,omitempty"`
	// Path is a pattern of path.Match over the API's path, such as
	// "/v1/payment_intents/*/capture". Empty means all.
	Path string `json:"path,omitempty"`
	// Kind is what happens. It must be set.
	Kind FaultKind `json:"kind"`
	// After does the request's work first, then misbehaves.
	After bool `json:"after,omitempty"`
	// Count is how many requests it hits. Zero means all until cleared.
	Count int `json:"count,omitempty"`
	// Skip lets that many matching requests pass first.
	Skip int `json:"skip,omitempty"`
	// Probability hits a matching request with that chance, 0 to 1. Zero means always.
	Probability float64 `json:"probability,omitempty"`
	// Delay is how long to wait, in real time. FaultDelay needs it; the other
	// kinds wait that long before they act; FaultTimeout hangs that long, zero
	// meaning until the client gives up.
	Delay time.Duration `json:"-"`
	// Code is the decline code of FaultDecline. Empty means generic_decline.
	Code string `json:"code,omitempty"`
}

// FaultState is a fault and what became of it.
type FaultState struct {
	// ID names the fault in ClearFaults.
	ID int64 `json:"id"`
	// Fault is the rule as given.
	Fault Fault `json:"fault"`
	// Matched counts the requests it applied to, Fired those it hit.
	Matched int `json:"matched"`
	Fired   int `json:"fired"`
}

// Fault puts a fault in force and returns its id. It returns an error that
// names the field when f makes no sense.
func (s *Server) Fault(f Fault) (int64, error) {
	return s.faults.Add(core.Fault{Provider: f.Provider, Method: f.Method, Path: f.Path, Kind: core.Kind(f.Kind), After: f.After,
		Count: f.Count, Skip: f.Skip, Probability: f.Probability, Delay: f.Delay, Code: f.Code})
}

// ClearFaults ends the faults with the given ids, or all when none is given.
// Requests that hang already stay hanging. Their counts remain readable.
func (s *Server) ClearFaults(ids ...int64) { s.faults.Clear(ids...) }

// Faults returns every fault put in force so far with its counts, in order.
func (s *Server) Faults() []FaultState {
	list := s.faults.List()
	out := make([]FaultState, len(list))
	for i, st := range list {
		f := st.Fault
		out[i] = FaultState{ID: st.ID, Matched: st.Matched, Fired: st.Fired, Fault: Fault{Provider: f.Provider, Method: f.Method, Path: f.Path,
			Kind: FaultKind(f.Kind), After: f.After, Count: f.Count, Skip: f.Skip, Probability: f.Probability, Delay: f.Delay, Code: f.Code}}
	}
	return out
}

// Fired returns how many requests the fault has hit.
func (s *Server) Fired(id int64) int {
	for _, st := range s.faults.List() {
		if st.ID == id {
			return st.Fired
		}
	}
	return 0
}
