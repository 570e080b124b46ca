package core

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"time"
)

// Kind names what a fault does.
type Kind string

// The kinds of fault.
const (
	Decline      Kind = "decline"
	Delay        Kind = "delay"
	Timeout      Kind = "timeout"
	Reset        Kind = "reset"
	Error500     Kind = "error_500"
	BadGateway   Kind = "bad_gateway"
	Unavailable  Kind = "unavailable"
	Garbage      Kind = "garbage"
	Empty        Kind = "empty"
	Truncated    Kind = "truncated"
	RateLimit    Kind = "rate_limit"
	Conflict     Kind = "conflict"
	LockTimeout  Kind = "lock_timeout"
	Unauthorized Kind = "unauthorized"
)

// Kinds lists every kind.
var kinds = []Kind{Decline, Delay, Timeout, Reset, Error500, BadGateway, Unavailable, Garbage, Empty, Truncated,
	RateLimit, Conflict, LockTimeout, Unauthorized}

// neverWorks holds the kinds that mean "nothing was done" and so cannot come after the work.
var neverWorks = []Kind{Decline, RateLimit, Conflict, LockTimeout, Unauthorized}

// Fault is one rule of misbehaviour.
type Fault struct {
	Provider    string
	Method      string
	Path        string
	Kind        Kind
	After       bool
	Count       int
	Skip        int
	Probability float64
	Delay       time.Duration
	Code        string
}

// FaultState is a fault with what happened to it so far.
type FaultState struct {
	ID      int64
	Fault   Fault
	Matched int
	Fired   int
}

// Faults holds the rules. It is safe for use by several goroutines.
type Faults struct {
	mu    sync.Mutex
	ids   *IDs
	seq   int64
	rules []*rule
}

type rule struct {
	FaultState
	rng     *rand.Rand
	cleared bool
}

// NewFaults returns an empty set whose chances come from ids' seed.
func NewFaults(ids *IDs) *Faults { return &Faults{ids: ids} }

// Add checks f and puts it in force.
func (fs *Faults) Add(f Fault) (int64, error) {
	switch {
	case !slices.Contains(kinds, f.Kind):
		return 0, fmt.Errorf("sandbox: fault: Kind %q is not one of %v", f.Kind, kinds)
	case f.After && slices.Contains(neverWorks, f.Kind):
		return 0, fmt.Errorf("sandbox: fault: After does not go with %q, which means that nothing was done", f.Kind)
	case f.Probability < 0 || f.Probability > 1:
		return 0, fmt.Errorf("sandbox: fault: Probability %v is not within 0 to 1", f.Probability)
	case f.Count < 0 || f.Skip < 0 || f.Delay < 0:
		return 0, fmt.Errorf("sandbox: fault: Count, Skip and Delay must not be negative")
	case f.Kind == Delay && f.Delay == 0:
		return 0, fmt.Errorf("sandbox: fault: kind delay needs Delay")
	}
	if _, err := path.Match(f.Path, ""); err != nil {
		return 0, fmt.Errorf("sandbox: fault: Path %q: %w", f.Path, err)
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.seq++
	fs.rules = append(fs.rules, &rule{
		FaultState: FaultState{ID: fs.seq, Fault: f},
		rng:        fs.ids.Rand(fmt.Sprintf("fault %d", fs.seq)),
	})
	return fs.seq, nil
}

// Clear ends the named faults, or all of them when none is named. Their counts remain readable.
func (fs *Faults) Clear(ids ...int64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, r := range fs.rules {
		if len(ids) == 0 || slices.Contains(ids, r.ID) {
			r.cleared = true
		}
	}
}

// List returns every fault ever added with its counts, in the order added.
func (fs *Faults) List() []FaultState {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	out := make([]FaultState, len(fs.rules))
	for i, r := range fs.rules {
		out[i] = r.FaultState
	}
	return out
}

// Take returns the first fault in force for a request, and counts it as fired.
// wanted filters kinds: some act on the exchange, some on the work itself.
func (fs *Faults) Take(provider, method, requestPath string, wanted func(Kind) bool) (Fault, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, r := range fs.rules {
		f := &r.Fault
		if r.cleared || !wanted(f.Kind) || (f.Count > 0 && r.Fired >= f.Count) ||
			(f.Provider != "" && f.Provider != provider) || (f.Method != "" && f.Method != method) {
			continue
		}
		if f.Path != "" {
			if ok, _ := path.Match(f.Path, requestPath); !ok {
				continue
			}
		}
		r.Matched++
		if r.Matched <= f.Skip {
			continue
		}
		if f.Probability > 0 && r.rng.Float64() >= f.Probability {
			continue
		}
		r.Fired++
		return *f, true
	}
	return Fault{}, false
}
