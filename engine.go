package payment

import (
	"context"
	"time"
)

// This file carries steps out: send, record, and while the caller waits,
// whatever follows. See docs/design.md, "The unit of work".

// drive sends the given leased steps and what follows from them until nothing
// is left to send now. With payer, somebody waits: unknown steps are replayed
// and a refused attempt may go to the next provider.
func (c *Client) drive(ctx context.Context, p *Payment, steps []send, payer bool) (*Payment, error) {
	attempts := 1
	for round := 0; round < 64; round++ { // bounded: each round sends a step
		if len(steps) > 0 {
			var more []send
			var err error
			p, more, err = c.carry(ctx, p, steps[0], payer)
			if err != nil {
				return p, err
			}
			steps = append(steps[1:], more...)
			continue
		}
		next, more, err := c.afterwards(ctx, p)
		if err != nil {
			return p, err
		}
		p = next
		if len(more) == 0 && payer && attempts < c.cfg.MaxAttempts {
			if p, more, err = c.failover(ctx, p); err != nil {
				return p, err
			}
			if len(more) > 0 {
				attempts++
			}
		}
		if len(more) == 0 {
			return p, nil
		}
		steps = more
	}
	return p, nil
}

// carry sends one leased step and records its answer.
func (c *Client) carry(ctx context.Context, p *Payment, w send, payer bool) (*Payment, []send, error) {
	for try := 0; ; try++ {
		o, s := p.Step(w.step)
		if s == nil || s.Closed || (s.State != StatePlanned && s.State != StateUnknown) {
			return p, nil, nil // answered meanwhile, by a webhook
		}
		res, err := c.call(ctx, p, o, s, w.order)
		p2, more, rerr := c.record(ctx, p, answer(o, s, SourceAnswer, res, err), true)
		if rerr != nil {
			return p, nil, rerr
		}
		p = c.also(ctx, p2, o, res.Events)
		o, s = p.Step(w.step)
		if s.State != StateUnknown || len(more) > 0 {
			return p, more, nil
		}
		if !payer {
			return p, nil, nil
		}
		if try < replays && c.mayReplay(s) && !c.now().Add(c.cfg.CallTimeout).After(s.Lease) {
			continue
		}
		return c.lastTry(ctx, p, o, s)
	}
}

// carryAll sends leased steps of which nothing follows that this caller sends.
func (c *Client) carryAll(ctx context.Context, p *Payment, steps []send) (*Payment, error) {
	for _, step := range steps {
		var err error
		if p, _, err = c.carry(ctx, p, step, false); err != nil {
			return p, err
		}
	}
	return p, nil
}

// also records facts that an answer brought about other operations.
func (c *Client) also(ctx context.Context, p *Payment, o *Operation, events []Event) *Payment {
	for i := range events {
		e := events[i]
		e.Source, e.Provider = SourceLookup, o.Provider
		if e.OperationID == "" && e.Parent == "" {
			e.OperationID = o.ID
		}
		next, _, err := c.record(ctx, p, &e, false)
		if err != nil {
			c.log.Error("payment: a fact could not be recorded; it is learned again", "payment", p.ID, "error", err)
			return p
		}
		p = next
	}
	return p
}

// mayReplay reports whether sending the step again with its key returns the
// first answer instead of acting twice.
func (c *Client) mayReplay(s *Step) bool {
	if s.Closed || s.Recovery.KeyLife <= 0 || s.Sends >= maxSends {
		return false
	}
	margin := min(s.Recovery.KeyLife/10, time.Hour)
	return c.now().Before(s.FirstSent.Add(s.Recovery.KeyLife - margin))
}

// lastTry resolves an unknown step while the payer still waits: by a look-up,
// or, if no money can move on it, by closing it for good.
func (c *Client) lastTry(ctx context.Context, p *Payment, o *Operation, s *Step) (*Payment, []send, error) {
	if s.Fence {
		return p, nil, nil // the worker asks again
	}
	if s.Recovery.Lookup {
		res, err := c.lookup(ctx, p, o, s)
		if err == nil && res.Status != ResultAbsent {
			p2, more, rerr := c.record(ctx, p, answer(o, s, SourceLookup, res, nil), true)
			if rerr != nil {
				return p, nil, rerr
			}
			p = c.also(ctx, p2, o, res.Events)
			if o, s = p.Step(s.ID); s.State != StateUnknown {
				return p, more, nil
			}
		}
	}
	if s.MovesMoney || o.Kind != OpAuthorize {
		return p, nil, nil
	}
	return c.closeHarmless(ctx, p, s.ID)
}

// closeHarmless closes a step on which no money can move and whose answer was
// lost: whatever it made at the provider is never paid through us, so it counts
// as not sent, and another provider may be tried.
func (c *Client) closeHarmless(ctx context.Context, p *Payment, stepID string) (*Payment, []send, error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	out, _, err := c.change(ctx, p.ID, func(u *unit) error {
		o, s := u.p.Step(stepID)
		if s.State != StateUnknown || s.MovesMoney || s.Fence || o.Payable || !o.State.May(StateFailed) {
			return errNothing
		}
		s.Closed, s.Doubt, s.State, s.DueAt = true, false, StateFailed, time.Time{}
		u.touchStep(s)
		o.State = StateFailed
		o.Failure.Kind = KindNotSent
		u.touch(o)
		u.ended(o)
		u.note(EventFact, SourceEngine, o.ID, "the answer to "+s.Name+" was lost; no money can move on it, and it is closed for good")
		return nil
	})
	if err != nil {
		return p, nil, &RecordError{PaymentID: p.ID, Err: err}
	}
	return out, nil, nil
}

// afterwards does what waits between two commits: hooks after an authorization.
func (c *Client) afterwards(ctx context.Context, p *Payment) (*Payment, []send, error) {
	if p.Review != nil && p.Review.Stage == StageAfterAuthorize && p.Review.By == "" {
		return c.reviewAuthorized(ctx, p)
	}
	return p, nil, nil
}

// sells reports whether an attempt collects at once rather than holding.
func (c *Client) sells(p *Payment, caps MethodCapabilities) bool {
	if p.Capture == CaptureManual {
		return false
	}
	if !caps.Hold {
		return true
	}
	return caps.Sale && !c.hasHooks(StageAfterAuthorize)
}
