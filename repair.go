package payment

import (
	"context"
	"fmt"
	"time"
)

// This file is how the worker settles what is open, by the recovery that each
// step declares. It never guesses; what it cannot prove it parks for a person.

// later puts a step off; 0 for good.
func (c *Client) later(stepID string, d time.Duration) task {
	return func(ctx context.Context, p *Payment) error {
		return c.mend(ctx, p.ID, func(u *unit) error {
			_, s := u.p.Step(stepID)
			if s.DueAt.IsZero() || u.now.Before(s.DueAt) {
				return errNothing
			}
			s.Checks++
			if s.DueAt = u.now.Add(d); d == 0 {
				s.DueAt = time.Time{}
			}
			u.touchStep(s)
			return nil
		})
	}
}

// crashed marks a step that was found planned after its lease: it may have been
// sent.
func (c *Client) crashed(stepID string) task {
	return func(ctx context.Context, p *Payment) error {
		return c.mend(ctx, p.ID, func(u *unit) error {
			o, s := u.p.Step(stepID)
			if s.State != StatePlanned || u.now.Before(s.DueAt) {
				return errNothing
			}
			return u.apply(&Event{Source: SourceClock, Kind: o.Kind, Provider: o.Provider, StepKey: s.ID, OperationID: o.ID,
				Failure: Failure{Kind: KindUnknown, Code: "interrupted", Message: "the process ended while the step was being sent"}}, false)
		})
	}
}

// sendNow leases a step and sends it.
func (c *Client) sendNow(stepID string) task {
	return func(ctx context.Context, p *Payment) error {
		var leased bool
		out, _, err := c.change(ctx, p.ID, func(u *unit) error {
			leased = false
			o, s := u.p.Step(stepID)
			if u.now.Before(s.DueAt) || (s.State != StatePlanned && s.State != StateUnknown) {
				return errNothing
			}
			if s.Closed {
				s.DueAt = time.Time{} // it is never sent again
				u.touchStep(s)
				return nil
			}
			if o.Kind == OpAuthorize && !s.Fence {
				if stop := u.mayNotCharge(o); stop != "" && s.Sends == 0 {
					u.supersede(o, false)
					return nil
				}
			}
			if s.Sends >= maxSends {
				s.DueAt = time.Time{}
				u.touchStep(s)
				u.parkFor(o.ID, fmt.Sprintf("%s was sent %d times without a usable answer", s.Name, s.Sends), "look in the provider's dashboard what became of it, then decide")
				return nil
			}
			u.leaseStep(s)
			u.touch(o)
			leased = true
			return nil
		})
		if err != nil || !leased {
			return err
		}
		_, err = c.drive(ctx, out, []send{{step: stepID}}, false)
		return err
	}
}

// fenceSends is how often a fence is asked for under one key. A provider may
// save a server error with the key and repeat it for a day; a fence moves no
// money, so that a new key is safe.
const fenceSends = 3

// fenceAgain settles a fence that is not confirmed: by what became of its
// attempt, else by asking again.
func (c *Client) fenceAgain(operation, stepID string) task {
	return func(ctx context.Context, p *Payment) error {
		if cur := p.Operation(operation).current(); cur != nil && cur.Recovery.Lookup {
			next, _, err := c.ask(ctx, p, operation, SourceLookup, false)
			if err != nil {
				return err
			}
			if _, s := next.Step(stepID); !s.State.Outstanding() {
				return nil
			}
		}
		if _, s := p.Step(stepID); s.Sends < fenceSends {
			return c.sendNow(stepID)(ctx, p)
		}
		return c.mend(ctx, p.ID, func(u *unit) error {
			o, s := u.p.Step(stepID)
			if !s.State.Outstanding() || u.now.Before(s.DueAt) {
				return errNothing
			}
			if len(o.Steps) > maxSends*fenceSends {
				s.DueAt = time.Time{}
				u.touchStep(s)
				u.parkFor(o.ID, s.Name+" was never confirmed", "close the attempt in the provider's dashboard, then decide")
				return nil
			}
			wait := u.c.backoff(len(o.Steps))
			s.State, s.Closed, s.DueAt = StateFailed, true, time.Time{}
			u.touchStep(s)
			u.planFence(o, u.c.capabilitiesOf(o).FenceStep, false)
			if f := o.fence(); f != s {
				f.DueAt = u.now.Add(wait)
			}
			u.touch(o)
			return nil
		})
	}
}

// resolve learns the outcome of an unknown step: it asks, and where asking
// proves nothing, replays, closes and fences, each only where it is safe.
func (c *Client) resolve(o *Operation, s *Step, now time.Time) task {
	_, canAsk := c.byName[o.Provider].(Lookuper)
	canAsk = canAsk && s.Recovery.Lookup
	caps := c.capabilitiesOf(o)
	old := now.Sub(s.FirstSent) > c.cfg.ParkAfter
	return func(ctx context.Context, p *Payment) error {
		if canAsk {
			done, err := c.askUnknown(ctx, p, s.ID)
			if done || err != nil {
				return err
			}
		}
		switch {
		case !s.MovesMoney && o.Kind == OpAuthorize:
			_, _, err := c.closeHarmless(ctx, p, s.ID)
			return err
		case o.Kind != OpAuthorize && c.mayReplay(s):
			return c.sendNow(s.ID)(ctx, p)
		case o.Kind == OpAuthorize && !canAsk && c.mayReplay(s) && !caps.Void.IsZero() && o.fence() == nil:
			// An approval that comes of it is voided if nobody wants it any more.
			return c.sendNow(s.ID)(ctx, p)
		case !s.Closed:
			return c.closeStep(ctx, p, s.ID)
		case o.Kind == OpAuthorize && !caps.FenceStep.IsZero() && o.fencible() && fenceMayHelp(o):
			return c.mend(ctx, p.ID, func(u *unit) error {
				o, s := u.p.Step(s.ID)
				if s.State != StateUnknown || !fenceMayHelp(o) {
					return errNothing
				}
				u.planFence(o, caps.FenceStep, false)
				s.Checks++
				s.DueAt = u.now.Add(u.c.backoff(s.Checks))
				u.touchStep(s)
				return nil
			})
		case old:
			return c.giveUp(ctx, p, s.ID)
		}
		return c.later(s.ID, c.backoff(s.Checks+1))(ctx, p)
	}
}

// fenceMayHelp reports whether no fence is on its way, or was tried in vain.
func fenceMayHelp(o *Operation) bool {
	f := o.fence()
	return f == nil || (!f.State.Outstanding() && f.State != StateDeclined && f.State != StateApproved)
}

// askUnknown looks an unknown step up. "Not there" is proof only once the step
// is closed for sends, its last lease is over, and the grace has passed.
func (c *Client) askUnknown(ctx context.Context, p *Payment, stepID string) (bool, error) {
	o, s := p.Step(stepID)
	proves := s.Closed && !c.now().Before(c.proofAt(s))
	res, err := c.lookup(ctx, p, o, s)
	if err != nil {
		return false, nil //nolint:nilerr // a failed look-up proves nothing
	}
	if res.Status == ResultAbsent && !proves {
		c.also(ctx, p, o, res.Events)
		return false, nil
	}
	next, _, rerr := c.record(ctx, p, answer(o, s, SourceLookup, res, nil), false)
	if rerr != nil {
		return false, rerr
	}
	next = c.also(ctx, next, o, res.Events)
	_, s = next.Step(stepID)
	return s.State != StateUnknown, nil
}

// closeStep decides that a step is never sent again, and waits until what was
// sent has arrived or never will.
func (c *Client) closeStep(ctx context.Context, p *Payment, stepID string) error {
	return c.mend(ctx, p.ID, func(u *unit) error {
		_, s := u.p.Step(stepID)
		if s.State != StateUnknown || s.Closed {
			return errNothing
		}
		s.Closed = true
		s.Checks++
		s.DueAt = u.c.proofAt(s)
		if s.DueAt.Before(u.now) {
			s.DueAt = u.now
		}
		u.touchStep(s)
		return nil
	})
}

// giveUp asks for a person, and looks again now and then.
func (c *Client) giveUp(ctx context.Context, p *Payment, stepID string) error {
	return c.mend(ctx, p.ID, func(u *unit) error {
		o, s := u.p.Step(stepID)
		if !s.State.Outstanding() {
			return errNothing
		}
		missing := "look in the provider's dashboard or report what became of it, then decide"
		u.parkFor(o.ID, fmt.Sprintf(outcomeUnknown+"%s at %s is not known since %s", s.Name, o.Provider, s.FirstSent.UTC().Format(time.DateTime)), missing)
		s.Checks++
		s.DueAt = u.now.Add(24 * time.Hour)
		u.touchStep(s)
		return nil
	})
}

// poll looks a pending step up, and ends an attempt that nobody paid in time.
func (c *Client) poll(o *Operation, s *Step, now time.Time) task {
	_, canAsk := c.byName[o.Provider].(Lookuper)
	canAsk = canAsk && s.Recovery.Lookup
	caps := c.capabilitiesOf(o)
	return func(ctx context.Context, p *Payment) error {
		var absent bool
		if canAsk {
			res, err := c.lookup(ctx, p, o, s)
			if err == nil {
				absent = res.Status == ResultAbsent
				if !absent {
					next, _, rerr := c.record(ctx, p, answer(o, s, SourceLookup, res, nil), false)
					if rerr != nil {
						return rerr
					}
					p = c.also(ctx, next, o, res.Events)
					if _, s := p.Step(s.ID); s.State != o.State || !s.State.Outstanding() {
						return nil
					}
				}
			}
			if err != nil {
				return c.later(s.ID, c.backoff(s.Checks+1))(ctx, p)
			}
		}
		if s.State == StatePending {
			if !canAsk && s.Recovery.ReplayPending && c.mayReplay(s) {
				return c.sendNow(s.ID)(ctx, p)
			}
			if now.Sub(s.FirstSent) > c.cfg.ParkAfter {
				return c.giveUp(ctx, p, s.ID)
			}
			return c.later(s.ID, c.backoff(s.Checks+1))(ctx, p)
		}
		if over := c.payableOver(o, caps); !now.Before(over) {
			return c.endPayable(ctx, p, o.ID, absent || !canAsk)
		}
		return c.later(s.ID, min(c.backoff(s.Checks+1), max(time.Second, c.payableOver(o, caps).Sub(now))))(ctx, p)
	}
}

// payableOver is when the payer's time for an attempt is over.
func (c *Client) payableOver(o *Operation, caps MethodCapabilities) time.Time {
	if caps.Fence == FenceDeadline && !o.PayableUntil.IsZero() {
		return o.PayableUntil.Add(caps.PayableGrace)
	}
	over := o.CreatedAt.Add(c.cfg.ExpireAfter)
	if !o.PayableUntil.IsZero() && o.PayableUntil.Before(over) {
		return o.PayableUntil.Add(c.skew)
	}
	return over
}

// endPayable ends an attempt that the payer did not pay in time, by the fence
// of its method.
func (c *Client) endPayable(ctx context.Context, p *Payment, operation string, nothingThere bool) error {
	return c.mend(ctx, p.ID, func(u *unit) error {
		o := u.p.Operation(operation)
		if o.State != StateActionRequired {
			return errNothing
		}
		caps := u.c.capabilitiesOf(o)
		s := o.current()
		if caps.Fence == FenceConfirmed && !caps.FenceStep.IsZero() {
			if f := o.fence(); f != nil && f.State == StateApproved {
				return errNothing
			}
			u.planFence(o, caps.FenceStep, false)
			s.Checks++
			s.DueAt = u.now.Add(u.c.backoff(s.Checks))
			u.touchStep(s)
			return nil
		}
		if caps.Fence == FenceDeadline && !nothingThere && !caps.FenceStep.IsZero() && fenceMayHelp(o) {
			u.planFence(o, caps.FenceStep, false)
			s.DueAt = u.now.Add(u.c.backoff(1))
			u.touchStep(s)
			return nil
		}
		return u.apply(&Event{Source: SourceClock, Kind: OpAuthorize, Provider: o.Provider, StepKey: s.ID, OperationID: o.ID,
			Status: ResultExpired, Decline: NewDecline(ReasonExpired, "")}, false)
	})
}

// endHold records that an authorization ran out, whether or not the provider
// says so.
func (c *Client) endHold(operation string) task {
	return func(ctx context.Context, p *Payment) error {
		o := p.Operation(operation)
		if s := o.current(); s != nil && s.Recovery.Lookup && c.byName[o.Provider] != nil {
			// A capture that nobody told us of may have come before the end.
			res, err := c.lookup(ctx, p, o, s)
			if err != nil && s.Checks < maxEndChecks {
				return c.askEndLater(ctx, p, s.ID)
			}
			if err == nil && res.Status != ResultAbsent {
				next, _, rerr := c.record(ctx, p, answer(o, s, SourceLookup, res, nil), false)
				if rerr != nil {
					return rerr
				}
				c.also(ctx, next, o, res.Events)
			}
		}
		return c.mend(ctx, p.ID, func(u *unit) error {
			o := u.p.Operation(operation)
			if u.now.Before(o.ExpiresAt) || !u.p.held(o).IsPositive() {
				return errNothing
			}
			for _, x := range u.p.Operations {
				if x.Target == o.ID && x.State.Outstanding() && (x.Kind == OpCapture || x.Kind == OpVoid) {
					// Its outcome decides; look again when it is known.
					again := time.Hour
					if u.p.Parked != nil {
						again = 24 * time.Hour // a person has it
					}
					o.ExpiresAt = u.now.Add(again)
					u.touch(o)
					return nil
				}
			}
			return u.apply(&Event{Source: SourceClock, Kind: OpAuthorize, Provider: o.Provider, OperationID: o.ID, Status: ResultExpired}, false)
		})
	}
}

// maxEndChecks bounds how often, an hour apart, a provider that does not answer
// is asked what became of a hold, before the clock decides.
const maxEndChecks = 48

func (c *Client) askEndLater(ctx context.Context, p *Payment, stepID string) error {
	return c.mend(ctx, p.ID, func(u *unit) error {
		o, s := u.p.Step(stepID)
		if u.now.Before(o.ExpiresAt) {
			return errNothing
		}
		s.Checks++
		u.touchStep(s)
		o.ExpiresAt = u.now.Add(time.Hour)
		u.touch(o)
		return nil
	})
}

// endReview carries the configured verdict out when nobody gave one.
func (c *Client) endReview(ctx context.Context, p *Payment) error {
	out, mine, err := c.change(ctx, p.ID, func(u *unit) error {
		r := u.p.Review
		if r == nil || r.Passed || u.now.Before(r.Until) {
			return errNothing
		}
		v := Verdict{Outcome: c.cfg.OnReviewExpiry, Reason: "nobody decided in time"}
		if v.Outcome == Hold {
			v.Outcome = Block
		}
		if r.Stage == StageAfterAuthorize {
			return u.verdict(u.p.Operation(r.Operation), v, "clock", "", true)
		}
		u.p.Review = nil
		if v.Outcome == Block {
			u.p.Blocked = NewDecline(ReasonRiskBlocked, "")
		}
		u.note(EventVerdict, SourceClock, "", v.Reason)
		return nil
	})
	return c.driveAll(out, mine, err)
}

// expire gives up a payment that nobody sent or finished.
func (u *unit) expire() {
	u.p.Expired = true
	for _, o := range u.p.attempts() {
		if o.State.Outstanding() || o.Payable {
			u.supersede(o, false)
		}
	}
	u.note(EventCanceled, SourceClock, "", "nobody paid in time")
}

// lifeOf is when a payment without an outstanding attempt is given up.
func lifeOf(p *Payment) time.Time {
	switch p.Status {
	case StatusCreated, StatusDeclined:
		return p.ExpiresAt
	case StatusCanceled, StatusExpired:
		if !p.Canceled && !p.Expired {
			return p.ExpiresAt
		}
	}
	return time.Time{}
}
