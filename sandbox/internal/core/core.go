// Package core holds what every stand-in of the sandbox shares: the clock that
// can be moved forward, seeded identifiers, timers, faults, the log of requests
// and the queue of webhook deliveries. It knows no provider.
package core

import (
	"sync/atomic"
	"time"
)

// Clock is a source of time that only moves forward: a base plus an offset.
// It is safe for use by several goroutines.
type Clock struct {
	base   func() time.Time
	offset atomic.Int64
}

// NewClock returns a clock over base; nil means time.Now.
func NewClock(base func() time.Time) *Clock {
	if base == nil {
		base = time.Now
	}
	return &Clock{base: base}
}

// Now returns the base time plus everything added by Advance, in UTC.
func (c *Clock) Now() time.Time {
	return c.base().Add(time.Duration(c.offset.Load())).UTC()
}

// add moves the clock forward; a negative step is ignored, since state that was
// already answered to a caller cannot be taken back.
func (c *Clock) add(d time.Duration) {
	if d > 0 {
		c.offset.Add(int64(d))
	}
}
