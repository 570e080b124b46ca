package payment

import (
	"context"
	"errors"
)

// This file is the safety rule of failover: see docs/design.md, "Failover".

// failover opens an attempt at the next provider if the rules let it: see
// docs/design.md, "Failover".
func (c *Client) failover(ctx context.Context, p *Payment) (*Payment, []send, error) {
	o := p.last()
	if o == nil || !allowsFailover(p, o) {
		return p, nil, nil
	}
	if o.Payable {
		var err error
		if p, err = c.fenceNow(ctx, p, o.ID); err != nil {
			return p, nil, err
		}
		if o = p.last(); o == nil || !allowsFailover(p, o) || o.Payable {
			return p, nil, nil
		}
	}
	next, why := c.nextProvider(p, o)
	if next == "" {
		return p, nil, nil
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	out, mine, err := c.change(ctx, p.ID, func(u *unit) error {
		last := u.p.last()
		if last == nil || last.ID != o.ID || !allowsFailover(u.p, last) || last.Payable {
			return errNothing
		}
		w, err := u.wish()
		if err != nil {
			return err
		}
		caps, _ := u.c.capsFor(next, o.Method)
		u.asked = last.Key
		err = u.startAttempt(next, o.Method, u.c.sells(u.p, caps), w, why, true)
		if err != nil {
			if errors.Is(err, ErrNotAllowed) || errors.Is(err, ErrReferenceLive) {
				return errNothing // another attempt or payment has the order now
			}
			return err
		}
		return nil
	})
	if err != nil {
		// The refused attempt is recorded; nothing was asked of the next one.
		c.log.Warn("payment: failover could not be planned", "payment", p.ID, "error", err)
		return p, nil, nil
	}
	return out, mine, nil
}

// allowsFailover is rule 1 and 2 of failover: the attempt ended, for certain,
// without money, and for a cause that another provider may not share.
func allowsFailover(p *Payment, o *Operation) bool {
	if p.takes() || p.givenUp() || p.Expired || p.live() != nil || o.Superseded || o.Overpaid {
		return false
	}
	switch o.State {
	case StateFailed:
		return o.Failure.Kind == KindNotSent || o.Failure.Kind == KindRejectedMerchant
	case StateDeclined:
		return o.Decline.MayFailOver()
	}
	return false
}

// sayWhyNoOther records why an attempt that ended is not followed by one at
// another provider.
func (u *unit) sayWhyNoOther(o *Operation) {
	if o.Kind != OpAuthorize || o.Superseded || len(u.p.Route) < 2 {
		return
	}
	cause := string(o.Failure.Kind)
	if o.State == StateDeclined {
		cause = string(o.Decline.Reason)
	}
	switch next, _ := u.c.nextProvider(u.p, o); {
	case o.State != StateDeclined && o.State != StateFailed:
		cause = "it is " + string(o.State)
	case !allowsFailover(u.p, o):
		cause += " is not helped by another provider"
	case next == "":
		cause += ", and no provider is left"
	default:
		return // failover says it
	}
	o.Why += "; no other provider is tried: " + cause
	u.note(EventRouted, SourceEngine, o.ID, "no other provider is tried: "+cause)
}

// nextProvider is the next on the payment's route that was not tried since the
// route was made, and the reason in words.
func (c *Client) nextProvider(p *Payment, failed *Operation) (string, string) {
	tried := map[string]bool{}
	for _, o := range p.attempts() {
		if o.Method == failed.Method {
			tried[o.Provider] = true
		}
	}
	for _, name := range p.Route {
		if tried[name] || c.byName[name] == nil || !c.lookedAt(p, name, failed.Method) {
			continue
		}
		cause := string(failed.Failure.Kind)
		if failed.State == StateDeclined {
			cause = string(failed.Decline.Reason)
		}
		return name, "after " + failed.Provider + ": " + cause
	}
	return "", ""
}

// lookedAt reports whether the hooks that look at an authorization have looked
// at the payment, or will: where a provider collects at once, only before the
// call.
func (c *Client) lookedAt(p *Payment, provider string, m Method) bool {
	mc, _ := c.capsFor(provider, m)
	return mc.Hold || !c.hasHooks(StageAfterAuthorize) || p.PreReviewed
}

// fenceNow makes an attempt unpayable and waits for the answer.
func (c *Client) fenceNow(ctx context.Context, p *Payment, operation string) (*Payment, error) {
	dctx, cancel := detached(ctx)
	defer cancel()
	out, mine, err := c.change(dctx, p.ID, func(u *unit) error {
		o := u.p.Operation(operation)
		caps := u.c.capabilitiesOf(o)
		if !o.Payable && !o.State.Outstanding() {
			return errNothing
		}
		if caps.FenceStep.IsZero() {
			return errNothing
		}
		u.planFence(o, caps.FenceStep, true)
		return nil
	})
	if err != nil {
		return p, &RecordError{PaymentID: p.ID, Err: err}
	}
	return c.carryAll(ctx, out, mine)
}
