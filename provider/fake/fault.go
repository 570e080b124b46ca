package fake

import (
	"time"

	"github.com/tender-go/payment"
)

// Fault is one thing that goes wrong, or otherwise than usual, with a call.
// Make it with one of the functions of this package; the zero value is none.
type Fault struct {
	kind   faultKind
	reason payment.Reason
	code   string
	delay  time.Duration
}

type faultKind uint8

const (
	faultNone faultKind = iota
	faultDecline
	faultChallenge
	faultPending
	faultFailLater
	faultNotSent
	faultMerchant
	faultRequest
	faultKeyBusy
	faultTimeoutBefore
	faultTimeoutAfter
	faultLate
	faultResetBefore
	faultResetAfter
	faultErrorBefore
	faultErrorSaved
	faultErrorAfter
	faultGarbage
	faultHang
	faultSlow
	faultPanic
)

var faultNames = [...]string{"ok", "decline", "challenge", "pending", "fail_later", "not_sent", "rejected_merchant",
	"rejected_request", "key_busy", "timeout_before", "timeout_after", "late", "reset_before", "reset_after",
	"error_before", "error_saved", "error_after", "garbage", "hang", "slow", "panic"}

// String names the fault, with its reason or delay.
func (f Fault) String() string {
	s := faultNames[f.kind]
	if f.reason != "" {
		s += "(" + string(f.reason) + ")"
	}
	if f.delay != 0 {
		s += "(" + f.delay.String() + ")"
	}
	return s
}

// OK is no fault: it lets one call of a script pass.
func OK() Fault { return Fault{} }

// Decline refuses for good with the given reason.
func Decline(r payment.Reason) Fault {
	return Fault{kind: faultDecline, reason: r, code: "fake_" + string(r)}
}

// Challenge makes the payer act first (3-D Secure), where the method has it.
func Challenge() Fault { return Fault{kind: faultChallenge} }

// Pending accepts and decides later, in favour.
func Pending() Fault { return Fault{kind: faultPending} }

// FailLater accepts and decides later, against: a capture that the network
// rejects, a refund that cannot be paid out, a pending payment that is denied.
// What the provider answers finally at once is declined at once.
func FailLater(r payment.Reason) Fault {
	return Fault{kind: faultFailLater, reason: r, code: "fake_" + string(r)}
}

// NotSent fails before anything leaves: a refused connection.
func NotSent() Fault { return Fault{kind: faultNotSent, code: "connection_refused"} }

// RejectedMerchant refuses because of the shop's account: 401, 403, 429.
func RejectedMerchant() Fault { return Fault{kind: faultMerchant, code: "account_restricted"} }

// RejectedRequest refuses the request itself: 400.
func RejectedRequest() Fault { return Fault{kind: faultRequest, code: "invalid_request"} }

// KeyBusy answers that a request with the same key is in progress: 409.
func KeyBusy() Fault { return Fault{kind: faultKeyBusy, code: "idempotency_key_in_use"} }

// TimeoutBefore loses the request on its way: no work, no answer.
func TimeoutBefore() Fault { return Fault{kind: faultTimeoutBefore, code: "timeout"} }

// TimeoutAfter does the work and loses the answer.
func TimeoutAfter() Fault { return Fault{kind: faultTimeoutAfter, code: "timeout"} }

// Late loses the answer and does the work only when the clock has moved on by
// d: the request lay in a queue. A d longer than the declared grace is a
// provider that breaks its word.
func Late(d time.Duration) Fault { return Fault{kind: faultLate, code: "timeout", delay: d} }

// ResetBefore breaks the connection after the request was written; no work.
func ResetBefore() Fault { return Fault{kind: faultResetBefore, code: "connection_reset"} }

// ResetAfter does the work and breaks the connection.
func ResetAfter() Fault { return Fault{kind: faultResetAfter, code: "connection_reset"} }

// ErrorBefore answers 500 from a front door: no work, nothing saved.
func ErrorBefore() Fault { return Fault{kind: faultErrorBefore, code: "http_502"} }

// ErrorSaved answers 500 with no work done. Where the provider saves answers
// with their key (Stripe) every replay gets this 500 for the key's life.
func ErrorSaved() Fault { return Fault{kind: faultErrorSaved, code: "http_500"} }

// ErrorAfter does the work and answers 500; saved as ErrorSaved is.
func ErrorAfter() Fault { return Fault{kind: faultErrorAfter, code: "http_500"} }

// Garbage does the work and answers 200 with what nobody can read.
func Garbage() Fault { return Fault{kind: faultGarbage, code: "unreadable_answer"} }

// Hang does the work and answers nothing until the ctx is over. With a ctx that
// never ends it fails at once.
func Hang() Fault { return Fault{kind: faultHang, code: "canceled"} }

// Slow answers after d, by [Options.Wait].
func Slow(d time.Duration) Fault { return Fault{kind: faultSlow, delay: d} }

// Panic makes the adapter panic before anything leaves.
func Panic() Fault { return Fault{kind: faultPanic} }

// Odd is a fault that comes by chance.
type Odd struct {
	// Step or kind of operation it applies to; "" for every call.
	Step  string
	Fault Fault
	// P is its probability per call, 0 to 1. The odds that apply to a call
	// should sum to at most 1; the first ones win.
	P float64
}

// Any, as the step of a script, stands for every call.
const Any = "*"

// Script queues faults for the coming calls of a step, by its name ("confirm"),
// its kind of operation ("capture"), "lookup", or [Any]. Each call takes the
// first waiting fault of its step, else of its kind, else of Any, and only then
// are the odds drawn. A step that calls nobody ([payment.StepSpec].Local) knows
// no network: of its faults only NotSent and Panic act.
func (p *Provider) Script(step string, faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.scripts == nil {
		p.scripts = make(map[string][]Fault)
	}
	p.scripts[step] = append(p.scripts[step], faults...)
}

// ClearScript drops what is still queued.
func (p *Provider) ClearScript() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts = nil
}

// SetOdds replaces the odds, for a simulation that ends in calm weather.
func (p *Provider) SetOdds(odds ...Odd) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.odds = append([]Odd(nil), odds...)
}

// fault decides what happens to a call. p.mu is held.
func (p *Provider) fault(kind, step, key string, nth int) Fault {
	if len(p.scripts) > 0 {
		for _, name := range [...]string{step, kind, Any} {
			if q := p.scripts[name]; len(q) > 0 {
				p.scripts[name] = q[1:]
				return q[0]
			}
		}
	}
	if len(p.odds) == 0 {
		return Fault{}
	}
	x := p.draw(step, key, nth)
	for _, o := range p.odds {
		if o.Step != "" && o.Step != step && o.Step != kind {
			continue
		}
		if x < o.P {
			return o.Fault
		}
		x -= o.P
	}
	return Fault{}
}

// draw returns a number in [0,1) that depends on nothing but its arguments and
// the seed: goroutines may come in any order.
func (p *Provider) draw(step, key string, nth int) float64 {
	h := p.seed ^ 14695981039346656037 // FNV-1a
	for _, s := range [...]string{step, "\x00", key} {
		for i := 0; i < len(s); i++ {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
	}
	h += uint64(nth) * 0x9e3779b97f4a7c15 // splitmix64 spreads the rest
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	h ^= h >> 31
	return float64(h>>11) / (1 << 53)
}
