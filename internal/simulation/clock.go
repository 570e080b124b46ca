package simulation

import (
	"slices"
	"time"
)

// start is when every world begins.
var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// clock is virtual time. It stops at every moment at which a bank has something
// to decide, so that a decision is never later than the bank said.
type clock struct {
	now    time.Time
	agenda []time.Time
	tick   func() // lets the banks do what fell due
}

// Now is the injected clock of engine, banks and store.
func (c *clock) Now() time.Time { return c.now }

// remember makes the clock stop d from now.
func (c *clock) remember(d time.Duration) {
	if d <= 0 {
		return
	}
	at := c.now.Add(d)
	i, found := slices.BinarySearchFunc(c.agenda, at, time.Time.Compare)
	if !found {
		c.agenda = slices.Insert(c.agenda, i, at)
	}
}

// pass lets d go by.
func (c *clock) pass(d time.Duration) { c.until(c.now.Add(d)) }

// until turns the clock forward to a time. What the banks tell on the way may
// turn it further.
func (c *clock) until(at time.Time) {
	for len(c.agenda) > 0 && !c.agenda[0].After(at) {
		next := c.agenda[0]
		c.agenda = c.agenda[1:]
		if next.After(c.now) {
			c.now = next
		}
		c.tick()
	}
	if at.After(c.now) {
		c.now = at
	}
	c.tick()
}
