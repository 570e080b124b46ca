package payment

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// askHooks runs the hooks of a stage and returns the strictest verdict and the name
// of the hook that gave it. It runs outside transactions.
func (c *Client) askHooks(ctx context.Context, r HookRequest) (Verdict, string) {
	worst, by := Verdict{}, ""
	for _, h := range c.cfg.Hooks {
		if !slices.Contains(h.Hook.Stages(), r.Stage) {
			continue
		}
		v, err := c.askHook(ctx, h, r)
		if err != nil {
			c.log.Warn("payment: a hook failed; its OnError counts", "hook", h.Hook.Name(), "stage", string(r.Stage), "outcome", h.OnError.String())
			v = Verdict{Outcome: h.OnError, Reason: "the check itself failed"}
		}
		if v.Outcome > Block {
			v.Outcome = Block
		}
		if v.Outcome > worst.Outcome || by == "" {
			worst, by = v, h.Hook.Name()
		}
	}
	if worst.Outcome == Block && worst.Decline.IsZero() {
		worst.Decline = NewDecline(ReasonRiskBlocked, "")
	}
	return worst, by
}

func (c *Client) askHook(ctx context.Context, h HookConfig, r HookRequest) (v Verdict, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.HookTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("payment: hook %s panicked", h.Hook.Name())
		}
	}()
	v, err = h.Hook.Decide(ctx, r)
	if err == nil && ctx.Err() != nil && v.Outcome < Hold {
		err = ctx.Err() // late: its word was not waited for
	}
	return v, err
}

// askBeforeRoute asks the hooks before a provider is chosen, and records a
// verdict that stops or changes the payment.
func (c *Client) askBeforeRoute(ctx context.Context, p *Payment, w wish) (*Payment, wish, error) {
	if err := ctx.Err(); err != nil {
		return p, w, err // nothing was asked yet
	}
	stages := []Stage{StageBeforeRoute}
	before := c.hasHooks(StageAfterAuthorize) && c.saleOnly(p, w)
	if before {
		// There will be no authorization to look at: those hooks look now.
		stages = append(stages, StageAfterAuthorize)
	}
	view := p.clone()
	view.Description, view.Metadata = w.Description, w.Metadata
	var v Verdict
	var by string
	for _, stage := range stages {
		if !c.hasHooks(stage) {
			continue
		}
		x, name := c.askHooks(ctx, HookRequest{Stage: stage, Payment: view, Method: w.Method.instrument(), Payer: w.Payer, Now: c.now()})
		if by == "" || x.Outcome > v.Outcome {
			v, by = x, name
		}
	}
	if v.Outcome == StepUp {
		if c.anyThreeDS(p, w) {
			w.ThreeDS = ThreeDSChallenge
			if !before {
				return p, w, nil
			}
		} else {
			v.Outcome = Hold // the method has no authentication: a person looks
		}
	}
	if v.Outcome == Hold && p.Review != nil && p.Review.Passed && p.Review.Stage == StageBeforeRoute {
		v.Outcome = Allow // a person let it pass
		if !before {
			return p, w, nil
		}
	}
	if v.Outcome == Allow && !before {
		return p, w, nil
	}
	out, _, err := c.change(ctx, p.ID, func(u *unit) error {
		if settled(u.p) {
			return errNothing
		}
		u.p.PreReviewed = before
		switch v.Outcome {
		case Allow, StepUp:
			return nil
		case Block:
			u.p.Blocked = v.Decline
			u.note(EventBlocked, SourceDecision, "", v.Reason).Who = by
			return nil
		}
		key, err := u.aead()
		if err != nil {
			return err
		}
		if u.p.Sealed, err = c.keys.sealJSON(key, w, wishPlace(u.p.ID)); err != nil {
			return err // what the payer chose is what the reviewer lets pass
		}
		u.p.Review = &Review{Stage: StageBeforeRoute, By: by, Reason: v.Reason, Until: c.reviewUntil(nil, v)}
		u.note(EventReview, SourceDecision, "", v.Reason).Who = by
		return nil
	})
	return out, w, err
}

// saleOnly reports whether a provider that may take the wish collects at once.
func (c *Client) saleOnly(p *Payment, w wish) bool {
	for _, name := range c.order {
		if mc, ok := c.capsFor(name, w.Method.Method); ok && !mc.Hold && c.fits(name, p, w) {
			return true
		}
	}
	return false
}

func (c *Client) anyThreeDS(p *Payment, w wish) bool {
	for _, name := range c.order {
		if mc, ok := c.capsFor(name, w.Method.Method); ok && mc.ThreeDS && c.fits(name, p, w) {
			return true
		}
	}
	return false
}

// reviewUntil bounds a review; that of an authorization ends before the
// authorization does.
func (c *Client) reviewUntil(o *Operation, v Verdict) time.Time {
	until := c.now().Add(c.cfg.ReviewFor)
	if !v.Until.IsZero() {
		until = v.Until
	}
	if o != nil && !o.ExpiresAt.IsZero() {
		margin := min(time.Hour, o.ExpiresAt.Sub(c.now())/10)
		if last := o.ExpiresAt.Add(-margin); until.After(last) {
			until = last
		}
	}
	return until
}

// reviewAuthorized asks the hooks that look at an authorization, and captures,
// holds or voids by their verdict.
func (c *Client) reviewAuthorized(ctx context.Context, p *Payment) (*Payment, []send, error) {
	ctx = context.WithoutCancel(ctx) // the payer who leaves does not switch the hooks off
	o := p.Operation(p.Review.Operation)
	w, err := c.wishOf(ctx, c.store, p)
	if err != nil {
		c.log.Warn("payment: the payer's values cannot be read for a hook", "payment", p.ID, "error", err)
	}
	v, by := c.askHooks(ctx, HookRequest{Stage: StageAfterAuthorize, Payment: p.clone(), Operation: o, Method: w.Method.instrument(), Payer: w.Payer, Now: c.now()})
	dctx, cancel := detached(ctx)
	defer cancel()
	out, mine, err := c.change(dctx, p.ID, func(u *unit) error {
		r := u.p.Review
		if r == nil || r.Stage != StageAfterAuthorize || r.By != "" || r.Operation != o.ID {
			return errNothing
		}
		return u.verdict(u.p.Operation(o.ID), v, by, "", true)
	})
	if err != nil {
		return p, nil, &RecordError{PaymentID: p.ID, Err: err}
	}
	return out, mine, nil
}

// verdict carries a decision about an authorized attempt out.
func (u *unit) verdict(o *Operation, v Verdict, who, cites string, lease bool) error {
	if v.Outcome == StepUp {
		v.Outcome = Hold // too late to authenticate: a person looks
	}
	switch v.Outcome {
	case Hold:
		u.p.Review = &Review{Stage: StageAfterAuthorize, By: who, Reason: v.Reason, Operation: o.ID, Until: u.c.reviewUntil(o, v)}
		u.note(EventReview, SourceDecision, o.ID, v.Reason).Who = who
		return nil
	case Block:
		u.p.Review = nil
		u.p.Blocked = v.Decline
		if u.p.Blocked.IsZero() {
			u.p.Blocked = NewDecline(ReasonRiskBlocked, "")
		}
		e := u.note(EventBlocked, SourceDecision, o.ID, v.Reason)
		e.Who, e.Cites = who, cites
		if u.p.capturable(o).IsPositive() {
			return u.planVoid(o, OriginEngine, lease)
		}
		return nil
	}
	u.p.Review = nil
	if who != "" {
		e := u.note(EventVerdict, SourceDecision, o.ID, v.Reason)
		e.Who, e.Cites = who, cites
	}
	return u.autoCapture(o, lease)
}
