package payment

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"slices"
)

// Create writes a payment and asks nobody. It may join the host's transaction
// (see the store's In), so that the order row and the payment commit as one; on
// [ErrBusy] roll that transaction back and run it again. Send the payment with
// [Client.Proceed] after the commit; one that nobody sends expires, or, if
// Unattended, is sent by the worker.
//
// The same Key with the same request returns the payment as it is now.
func (c *Client) Create(ctx context.Context, r Request) (*Payment, error) {
	if err := r.check(false); err != nil {
		return nil, err
	}
	p, _, err := c.create(ctx, r, false)
	return p, err
}

// Pay creates a payment and asks a provider for it, in one call. It returns
// when the outcome is known, or is known to take longer; see [Payment.Next].
//
// The same Key with the same request returns the payment as it is now and
// charges nothing twice, whatever became of the first call.
func (c *Client) Pay(ctx context.Context, r Request) (*Payment, error) {
	if c.store.Joined(ctx) {
		return nil, ErrInTransaction
	}
	if err := r.check(true); err != nil {
		return nil, err
	}
	if c.hasHooks(StageBeforeRoute) || c.hasHooks(StageAfterAuthorize) {
		// The hooks see a payment that is written: asked between two commits.
		p, _, err := c.create(ctx, r, false)
		if err != nil || p.Status != StatusCreated {
			return p, err
		}
		return c.proceedWith(ctx, p.ID, Choice{Key: r.Key}, true)
	}
	p, mine, err := c.create(ctx, r, true)
	if err != nil {
		return nil, err
	}
	if len(mine) > 0 {
		return c.finish(c.drive(ctx, p, mine, true))
	}
	if p.Status == StatusCreated {
		// Written by an earlier call that ended before it was sent.
		return c.proceedWith(ctx, p.ID, Choice{Key: r.Key}, true)
	}
	return p, nil // a repeated request asks nothing of anybody
}

// finish returns what a verb returns: the payment, and a record in doubt with it.
func (c *Client) finish(p *Payment, err error) (*Payment, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

// keyPrint is what a request's fingerprint is made of.
type keyPrint struct {
	Verb, Payment string
	Reference     string      `json:",omitempty"`
	Additional    bool        `json:",omitempty"`
	Customer      string      `json:",omitempty"`
	Capture       CaptureMode `json:",omitempty"`
	Amount        string      `json:",omitempty"`
	Wish          *wish       `json:",omitempty"`
	Unattended    bool        `json:",omitempty"`
	Target        string      `json:",omitempty"`
	Text          string      `json:",omitempty"`
	Final         bool        `json:",omitempty"`
	Splits        []Split     `json:",omitempty"`
	Extra         any         `json:",omitempty"`
}

// create writes the payment; with sendNow, also its first attempt, in the same
// commit. It returns the steps that are leased to the caller: none if the
// request was seen before.
func (c *Client) create(ctx context.Context, r Request, sendNow bool) (*Payment, []send, error) {
	w := r.wish()
	same := w.withoutBrowser()
	print, err := c.fingerprint(keyPrint{Verb: "create", Reference: r.Reference, Additional: r.Additional, Customer: r.Customer,
		Capture: r.Capture, Amount: r.Amount.String(), Wish: &same, Unattended: r.Unattended})
	if err != nil {
		return nil, nil, err
	}
	now := c.now()
	p := &Payment{
		ID: c.newPaymentID(now), Reference: r.Reference, Additional: r.Additional, HoldsReference: !r.Additional, Amount: r.Amount,
		Customer: r.Customer, Capture: r.Capture, Unattended: r.Unattended, Description: r.Description, Metadata: r.Metadata,
		CreatedAt: now, ExpiresAt: now.Add(c.cfg.ExpireAfter),
	}
	p.Subject = guestSubject(p.ID)
	if r.Customer != "" {
		p.Subject = customerSubject(r.Customer)
	}
	var method Method
	var why string
	if sendNow {
		inst, err := c.instrument(ctx, r.Method, r.Customer)
		if err != nil {
			return nil, nil, err
		}
		w.Method = storeInstrument(inst)
		method = inst.Method
		route, err := c.route(ctx, p, w)
		if err != nil {
			return nil, nil, err
		}
		p.Route, why = route.Providers, route.Reason
	}
	if !sendNow && (r.Method.Method != "" || r.Method.Saved != "") {
		// Refused now rather than after the host has committed its order.
		inst, err := c.instrument(ctx, r.Method, r.Customer)
		if err != nil {
			return nil, nil, err
		}
		check := w
		check.Method = storeInstrument(inst)
		if _, _, err := c.eligible(p, check); err != nil {
			return nil, nil, err
		}
	}
	fresh, err := c.keys.fresh()
	if err != nil {
		return nil, nil, err
	}
	c.warnIdle()
	var out *Payment
	var mine []send
	var used cipher.AEAD
	begin := func(ctx context.Context, tx Tx) *unit {
		u := c.begin(ctx, tx, p.clone(), now)
		u.fresh, u.asked = true, r.Key
		return u
	}
	plan := func(u *unit) (err error) {
		if u.p.Sealed, err = c.keys.sealJSON(u.key, w, wishPlace(u.p.ID)); err != nil {
			return err
		}
		u.note(EventCreated, SourceEngine, "", "")
		if !sendNow {
			return nil
		}
		caps, _ := c.capsFor(u.p.Route[0], method)
		return u.startAttempt(u.p.Route[0], method, c.sells(u.p, caps), w, why, true)
	}
	// A guest's key is new, so that all can be planned and encrypted here: a
	// store may have one writer for all callers.
	var ready *unit
	if r.Customer == "" && !r.Additional {
		ready = begin(ctx, nil)
		if ready.key, err = newAEAD(fresh); err == nil {
			err = plan(ready)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	write := func(ctx context.Context, tx Tx) error {
		out, mine = nil, nil
		u := ready
		ready = nil // good for one run
		planned := u != nil
		if planned {
			u.ctx, u.tx = ctx, tx
		} else {
			u = begin(ctx, tx)
		}
		q := u.p
		u.claims = append(u.claims, Claim{Kind: ClaimKey, Key: "create:" + r.Key, Owner: q.ID, Payment: q.ID, Fingerprint: print})
		if q.HoldsReference {
			u.claims = append(u.claims, Claim{Kind: ClaimReference, Key: q.Reference, Owner: q.ID, Payment: q.ID})
		}
		// The first write is unique: a second run after a lost commit sees the first.
		if err := tx.Claim(ctx, u.claims...); err != nil {
			return err
		}
		u.claims = nil
		if q.Additional {
			// It is the live one of its reference if no other is.
			if err := u.takeReference(); err != nil {
				return err
			}
			if err := u.additional(); err != nil {
				return err
			}
		}
		key, isNew, err := c.keys.create(ctx, tx, q.Subject, fresh)
		switch {
		case errors.Is(err, ErrErased):
			return fmt.Errorf("payment: Customer %s was erased: give the customer a new id, or none (%w)", quote(r.Customer), err)
		case err != nil:
			return err
		case planned && !isNew:
			return ErrConflict // planned with another key: once more
		case !planned:
			u.key = key
			if err := plan(u); err != nil {
				return err
			}
		}
		if err := u.commit(); err != nil {
			return err
		}
		out, mine, used = q, u.leased(), u.key
		return nil
	}
	if err = c.store.Update(ctx, write); errors.Is(err, ErrCommitUnknown) && !c.store.Joined(ctx) {
		// Once more: if the first was written, its own claim says so.
		if err = c.store.Update(ctx, write); errors.Is(err, ErrCommitUnknown) {
			return nil, nil, &RecordError{PaymentID: p.ID, Err: err}
		}
	}
	var taken *TakenError
	if errors.As(err, &taken) {
		return c.taken(ctx, taken.Claim, p, r, print)
	}
	if err == nil && !c.store.Joined(ctx) {
		c.keys.remember(p.Subject, used) // committed: the record of the answer needs it at once
	}
	return out, mine, err
}

// taken resolves a create whose key or reference is held.
func (c *Client) taken(ctx context.Context, held Claim, p *Payment, r Request, print []byte) (*Payment, []send, error) {
	if held.Kind != ClaimKey {
		// The same wish may hold it: then the key decides.
		if k, err := c.store.Claimed(ctx, ClaimKey, "create:"+r.Key); err == nil {
			held = k
		} else {
			return nil, nil, &ReferenceError{Reference: r.Reference, PaymentID: held.Owner}
		}
	}
	if !slices.Equal(held.Fingerprint, print) {
		return nil, nil, &KeyError{Key: r.Key, PaymentID: held.Owner}
	}
	q, err := c.Get(ctx, held.Owner)
	if err != nil {
		return nil, nil, err
	}
	if held.Owner != p.ID {
		return q, nil, nil
	}
	// Our own commit, whose answer was lost: its leased steps are ours to send.
	var mine []send
	for _, o := range q.Operations {
		for _, s := range o.Steps {
			if s.State == StatePlanned && s.Sends == 1 && s.Lease.After(c.now()) {
				mine = append(mine, send{step: s.ID})
			}
		}
	}
	return q, mine, nil
}
