// Package backoff computes how long to wait before trying again.
package backoff

import (
	"math"
	"math/rand/v2"
	"time"
)

// Defaults of Policy.
const (
	DefaultBase   = 500 * time.Millisecond
	DefaultMax    = 5 * time.Minute
	DefaultFactor = 2
)

// Policy is exponential back-off with a bound and jitter. The zero value is
// usable: it starts at DefaultBase, doubles, stops growing at DefaultMax and
// has no jitter. It is a value, safe for concurrent use.
type Policy struct {
	// Base is the delay before the first retry. Zero or less means DefaultBase.
	Base time.Duration
	// Max bounds every delay. Zero or less means DefaultMax; less than Base
	// means that every delay is Max.
	Max time.Duration
	// Factor multiplies the delay from one attempt to the next. Below 1, or not
	// a number, it means DefaultFactor.
	Factor float64
	// Jitter is the part of each delay that is left to chance, from 0 (none) to
	// 1 (anything between nothing and the delay); outside that it is clamped.
	// Chance only shortens: Max and the sum of delays stay bounds.
	Jitter float64
}

// Delay returns the wait before retry number attempt, counted from 0 (a
// negative one counts as 0). It is from 0 to Max and cannot overflow. rnd
// returns a number in [0,1), clamped if it does not; nil means math/rand/v2.
func (p Policy) Delay(attempt int, rnd func() float64) time.Duration {
	base, limit, factor := p.Base, p.Max, p.Factor
	if base <= 0 {
		base = DefaultBase
	}
	if limit <= 0 {
		limit = DefaultMax
	}
	if !(factor >= 1) { // NaN too
		factor = DefaultFactor
	}
	// In floating point the power is at worst +Inf, which the bound catches.
	d := float64(base) * math.Pow(factor, float64(max(attempt, 0)))
	if !(d < float64(limit)) {
		d = float64(limit)
	}
	if j := clamp(p.Jitter); j > 0 {
		if rnd == nil {
			rnd = rand.Float64
		}
		d -= d * j * clamp(rnd())
	}
	// float64(limit) may round up past the largest Duration.
	if d >= float64(limit) {
		return limit
	}
	return time.Duration(d)
}

// clamp returns f within [0,1]; not a number is 0.
func clamp(f float64) float64 {
	switch {
	case f >= 1:
		return 1
	case f > 0:
		return f
	}
	return 0
}
