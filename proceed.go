package payment

import (
	"context"
	"errors"
	"slices"
)

// This file opens attempts: the first one, and further ones with another method.

// Choice is how a payer wants to pay a payment that exists.
type Choice struct {
	// Key is the idempotency key of this choice. Required; as Request.Key.
	Key string
	// Method chosen; the zero value takes the payment's own.
	Method Instrument
	// ReturnURL replaces the payment's own, if set.
	ReturnURL string
	// ThreeDS replaces the payment's own wish, if set.
	ThreeDS ThreeDS
}

// Proceed asks a provider for a payment that exists: the first time, or again
// with the same or another method after an attempt ended, or while the payer
// has not acted on one. An attempt that could still be paid is closed by its
// method's fence before another opens. While the outcome of an attempt is not
// known, and once the payment is paid, Proceed changes nothing and returns the
// payment as it is.
func (c *Client) Proceed(ctx context.Context, id string, ch Choice) (*Payment, error) {
	if c.store.Joined(ctx) {
		return nil, ErrInTransaction
	}
	var p problems
	p.id("Key", ch.Key, true)
	p.id("id", id, true)
	p.instrument("Method", ch.Method, false)
	p.returnURL(ch.ReturnURL)
	p.threeDS(ch.ThreeDS)
	if err := p.err(); err != nil {
		return nil, err
	}
	return c.proceedWith(ctx, id, ch, true)
}

func (c *Client) proceedWith(ctx context.Context, id string, ch Choice, payer bool) (*Payment, error) {
	p, err := c.load(ctx, id)
	if err != nil {
		return nil, err
	}
	w, err := c.wishOf(ctx, c.store, p)
	if err != nil {
		return nil, err
	}
	if ch.Method.Method != "" || ch.Method.Saved != "" {
		w.Method = storeInstrument(ch.Method)
	}
	if w.Method.Method == "" && w.Method.Saved == "" {
		return nil, &FieldError{Field: "Method", Problem: "is empty", Remedy: "the payment was created without one: say how the payer pays"}
	}
	if ch.ReturnURL != "" {
		w.ReturnURL = ch.ReturnURL
	}
	if ch.ThreeDS != "" {
		w.ThreeDS = ch.ThreeDS
	}
	print, err := c.fingerprint(keyPrint{Verb: "proceed", Payment: id, Wish: &wish{Method: storeInstrument(ch.Method), ReturnURL: ch.ReturnURL, ThreeDS: ch.ThreeDS}})
	if err != nil {
		return nil, err
	}
	claim := Claim{Kind: ClaimKey, Key: "proceed:" + id + ":" + ch.Key, Owner: id, Payment: id, Fingerprint: print}
	if held, err := c.store.Claimed(ctx, ClaimKey, claim.Key); err == nil {
		if !slices.Equal(held.Fingerprint, print) {
			return nil, &KeyError{Key: ch.Key, PaymentID: id}
		}
		return c.reveal(ctx, p)
	} else if !isNotFound(err) {
		return nil, err
	}
	if settled(p) {
		return c.reveal(ctx, p)
	}
	inst, err := c.instrument(ctx, w.Method.instrument(), p.Customer)
	if err != nil {
		return nil, err
	}
	w.Method = storeInstrument(inst)
	if p, w, err = c.askBeforeRoute(ctx, p, w); err != nil || settled(p) {
		return p, err
	}
	route, err := c.route(ctx, p, w)
	if err != nil {
		return nil, err
	}
	if err := c.referenceFree(ctx, p); err != nil {
		return nil, err
	}
	before := p.Version
	if p, err = c.makeWay(ctx, p); err != nil {
		return nil, err
	}
	if c.blockedBy(p) != "" {
		return c.reveal(ctx, p)
	}
	out, err := c.open(ctx, p, w, route, claim, ch.Key, payer)
	if err != nil && p.Version != before && !errors.Is(err, ErrRecord) {
		err = &RecordError{PaymentID: p.ID, Err: err} // the open attempt was closed before
	}
	return out, err
}

// referenceFree checks, before an open attempt is closed, that a further one may
// open: the commit that opens it decides.
func (c *Client) referenceFree(ctx context.Context, p *Payment) error {
	if p.Additional || p.HoldsReference {
		return nil
	}
	held, err := c.store.Claimed(ctx, ClaimReference, p.Reference)
	switch {
	case isNotFound(err):
		return nil
	case err != nil:
		return err
	case held.Owner != p.ID:
		return &ReferenceError{Reference: p.Reference, PaymentID: held.Owner}
	}
	return nil
}

// open starts the attempt that a choice asks for, and drives it.
func (c *Client) open(ctx context.Context, p *Payment, w wish, route Route, claim Claim, key string, payer bool) (*Payment, error) {
	out, mine, err := c.change(ctx, p.ID, func(u *unit) error {
		if settled(u.p) || c.blockedBy(u.p) != "" {
			return errNothing
		}
		if err := u.tx.Claim(u.ctx, claim); err != nil {
			return err
		}
		u.asked = key
		seal, err := u.aead()
		if err != nil {
			return err
		}
		u.p.Route = route.Providers
		u.p.ExpiresAt = u.now.Add(c.cfg.ExpireAfter)
		if u.p.Sealed, err = c.keys.sealJSON(seal, w, wishPlace(u.p.ID)); err != nil {
			return err
		}
		caps, _ := c.capsFor(route.Providers[0], w.Method.Method)
		return u.startAttempt(route.Providers[0], w.Method.Method, c.sells(u.p, caps), w, route.Reason, true)
	})
	var taken *TakenError
	if errors.As(err, &taken) {
		return c.Get(ctx, p.ID) // the same choice, sent twice at once
	}
	if errors.Is(err, ErrCommitUnknown) {
		return nil, &RecordError{PaymentID: p.ID, Err: err}
	}
	if err != nil {
		return nil, err
	}
	if len(mine) == 0 {
		return c.reveal(ctx, out)
	}
	return c.finish(c.drive(ctx, out, mine, payer))
}

// settled reports whether nothing may be sent for a payment any more.
func settled(p *Payment) bool {
	switch p.Status {
	case StatusCreated, StatusDeclined, StatusRequiresAction, StatusProcessing, StatusUnknown:
		return p.Canceled || p.Expired
	case StatusCanceled, StatusExpired:
		// An attempt was canceled or ran out; the payment itself may go on.
		return p.Canceled || p.Expired
	}
	return true
}

// blockedBy says which open attempt forbids another, or "".
func (c *Client) blockedBy(p *Payment) string {
	for _, o := range p.attempts() {
		if o.Overpaid {
			continue
		}
		switch {
		case o.State == StateUnknown, o.State == StatePlanned, o.State == StatePending && o.Charging:
			return "attempt " + o.ID + " is " + string(o.State)
		case o.State == StatePending && !o.Superseded:
			return "attempt " + o.ID + " is pending"
		case o.State == StateActionRequired && !o.Superseded, o.Payable && !o.Superseded:
			return "attempt " + o.ID + " can still be paid"
		case (o.State == StateActionRequired || o.State == StatePending || o.Payable) && c.capabilitiesOf(o).Fence == FenceConfirmed:
			return "attempt " + o.ID + " is not closed yet"
		}
	}
	return ""
}

// makeWay closes attempts that the payer could still pay, each by its method's
// fence, before another opens.
func (c *Client) makeWay(ctx context.Context, p *Payment) (*Payment, error) {
	open := func(p *Payment) bool {
		for _, o := range p.attempts() {
			if (o.State == StateActionRequired || o.Payable) && !o.Overpaid {
				return true
			}
		}
		return false
	}
	if open(p) {
		dctx, cancel := detached(ctx)
		defer cancel()
		out, mine, err := c.change(dctx, p.ID, func(u *unit) error {
			if !open(u.p) {
				return errNothing
			}
			for _, o := range u.p.attempts() {
				if (o.State == StateActionRequired || o.Payable) && !o.Overpaid {
					u.supersede(o, true)
				}
			}
			return nil
		})
		if err != nil {
			return p, &RecordError{PaymentID: p.ID, Err: err}
		}
		if p, err = c.carryAll(ctx, out, mine); err != nil {
			return p, err
		}
		p = c.lookAfterFences(ctx, p)
	}
	return p, nil
}

// lookAfterFences looks attempts up that could not be closed: the payer may
// just have paid.
func (c *Client) lookAfterFences(ctx context.Context, p *Payment) *Payment {
	for _, o := range p.attempts() {
		f := o.fence()
		if f == nil || f.State != StateDeclined || !o.State.Outstanding() {
			continue
		}
		if q, _, err := c.ask(ctx, p, o.ID, SourceLookup, false); err == nil {
			p = q
		}
	}
	return p
}
