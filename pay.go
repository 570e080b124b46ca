package payment

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tender-go/payment/money"
)

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
	print, err := c.fingerprint(keyPrint{Verb: "create", Reference: r.Reference, Additional: r.Additional, Customer: r.Customer,
		Capture: r.Capture, Amount: r.Amount.String(), Wish: &w, Unattended: r.Unattended})
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
	var key cipher.AEAD
	write := func(ctx context.Context, tx Tx) error {
		q := p.clone()
		out, mine = nil, nil
		u := c.begin(ctx, tx, q, now)
		u.fresh = true
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
		}
		var err error
		if u.key, err = c.keys.create(ctx, tx, q.Subject, fresh); errors.Is(err, ErrErased) {
			return fmt.Errorf("payment: Customer %s was erased: give the customer a new id, or none (%w)", quote(r.Customer), err)
		} else if err != nil {
			return err
		}
		if q.Sealed, err = c.keys.sealJSON(u.key, w, wishPlace(q.ID)); err != nil {
			return err
		}
		u.note(EventCreated, SourceEngine, "", "")
		if sendNow {
			caps, _ := c.capsFor(q.Route[0], method)
			if err := u.startAttempt(q.Route[0], method, c.sells(q, caps), w, why, true); err != nil {
				return err
			}
		}
		if err := u.commit(); err != nil {
			return err
		}
		out, mine, key = q, u.leased(), u.key
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
		c.keys.remember(p.Subject, key) // committed: the record of the answer needs it at once
	}
	return out, mine, err
}

// taken resolves a create whose key or reference is held.
func (c *Client) taken(ctx context.Context, held Claim, p *Payment, r Request, print []byte) (*Payment, []send, error) {
	if held.Kind == ClaimReference {
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

// instrument fills in a saved method's provider and token.
func (c *Client) instrument(ctx context.Context, i Instrument, customer string) (Instrument, error) {
	if i.Saved == "" {
		return i, nil
	}
	m, secrets, err := c.savedMethod(ctx, i.Saved)
	if isNotFound(err) {
		return i, &FieldError{Field: "Method.Saved", Problem: quote(i.Saved) + " is not known", Remedy: "list the customer's methods with Methods"}
	}
	if err != nil {
		return i, err
	}
	switch {
	case m.Customer != customer || customer == "":
		return i, &FieldError{Field: "Method.Saved", Problem: quote(i.Saved) + " belongs to another customer", Remedy: "give the Customer it was saved for"}
	case m.State != MethodActive:
		return i, &FieldError{Field: "Method.Saved", Problem: quote(i.Saved) + " is " + string(m.State), Remedy: "let the payer choose another method"}
	}
	i.Method, i.Provider, i.Token = m.Method, m.Provider, NewSecret(secrets.Token)
	if secrets.ProviderCustomer != "" {
		i = i.With(fieldProviderCustomer, secrets.ProviderCustomer)
	}
	return i, nil
}

// route orders the eligible providers for a wish.
func (c *Client) route(ctx context.Context, p *Payment, w wish) (Route, error) {
	fit, excluded, err := c.eligible(p, w)
	if err != nil {
		return Route{}, err
	}
	if c.cfg.Router == nil {
		return Route{Providers: fit, Reason: "first of the configured providers that takes it"}, nil
	}
	r, err := c.cfg.Router.Route(ctx, RouteRequest{
		PaymentID: p.ID, Reference: p.Reference, Customer: p.Customer, Amount: p.Amount, Method: w.Method.instrument(),
		Country: w.Payer.Country, BIN: w.Method.Fields["bin"], Metadata: w.Metadata, Candidates: slices.Clone(fit), Excluded: excluded, Now: c.now(),
	})
	if err != nil {
		return Route{}, fmt.Errorf("payment: the router refused: %w", err)
	}
	r.Providers = slices.DeleteFunc(slices.Clone(r.Providers), func(n string) bool { return !slices.Contains(fit, n) })
	if len(r.Providers) == 0 {
		for _, n := range fit {
			excluded[n] = "was not chosen by the router (" + truncate(r.Reason, 200) + ")"
		}
		return Route{}, &RouteError{Reasons: excluded}
	}
	return r, nil
}

// eligible lists the providers that can take a wish, and says why the others
// cannot. None is a *RouteError.
func (c *Client) eligible(p *Payment, w wish) (fit []string, excluded map[string]string, err error) {
	excluded = map[string]string{}
	var invalid []error
	for _, name := range c.order {
		why := c.unfit(name, p, w)
		if why == "" {
			if bad := c.invalidAt(name, p, w); bad != nil {
				why = "cannot take it as it is (" + bad.Error() + ")"
				invalid = append(invalid, bad)
			}
		}
		if why != "" {
			excluded[name] = why
			continue
		}
		fit = append(fit, name)
	}
	if len(fit) == 0 {
		return nil, excluded, &RouteError{Reasons: excluded, Invalid: errors.Join(invalid...)}
	}
	return fit, excluded, nil
}

// invalidAt asks a provider whether it could take the request at all.
func (c *Client) invalidAt(name string, p *Payment, w wish) error {
	v, ok := c.byName[name].(Validator)
	if !ok {
		return nil
	}
	caps, _ := c.capsFor(name, w.Method.Method)
	return v.Validate(*w.authorize(p, c.sells(p, caps), caps))
}

// unfit says why a provider cannot take the payment, or "".
func (c *Client) unfit(name string, p *Payment, w wish) string {
	i := w.Method
	mc, ok := c.capsFor(name, i.Method)
	switch {
	case i.Provider != "" && i.Provider != name:
		return "does not hold the token, which is " + i.Provider + "'s"
	case !ok:
		return "does not take " + string(i.Method)
	case len(mc.Currencies) > 0 && !slices.Contains(mc.Currencies, p.Amount.Currency()):
		return "does not take " + string(p.Amount.Currency()) + " by " + string(i.Method)
	case w.Payer.Country != "" && len(mc.Countries) > 0 && !slices.Contains(mc.Countries, w.Payer.Country):
		return "does not take " + string(i.Method) + " from " + w.Payer.Country
	case mc.Min[p.Amount.Currency()] > p.Amount.Minor():
		return "takes no less than " + money.Of(mc.Min[p.Amount.Currency()], p.Amount.Currency()).String()
	case mc.Max[p.Amount.Currency()] > 0 && mc.Max[p.Amount.Currency()] < p.Amount.Minor():
		return "takes no more than " + money.Of(mc.Max[p.Amount.Currency()], p.Amount.Currency()).String()
	case p.Capture == CaptureManual && !mc.Hold:
		return "cannot hold money by " + string(i.Method) + " for a later capture"
	case w.OffSession && !mc.OffSession:
		return "cannot charge " + string(i.Method) + " without the payer"
	case w.Save && !mc.Save:
		return "cannot save " + string(i.Method)
	case len(w.Splits) > 0 && !mc.Splits:
		return "cannot split " + string(i.Method)
	}
	return ""
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
	out, err := c.open(ctx, p, w, route, claim, payer)
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
func (c *Client) open(ctx context.Context, p *Payment, w wish, route Route, claim Claim, payer bool) (*Payment, error) {
	out, mine, err := c.change(ctx, p.ID, func(u *unit) error {
		if settled(u.p) || c.blockedBy(u.p) != "" {
			return errNothing
		}
		if err := u.tx.Claim(u.ctx, claim); err != nil {
			return err
		}
		key, err := u.aead()
		if err != nil {
			return err
		}
		u.p.Route = route.Providers
		u.p.ExpiresAt = u.now.Add(c.cfg.ExpireAfter)
		if u.p.Sealed, err = c.keys.sealJSON(key, w, wishPlace(u.p.ID)); err != nil {
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
		p = out
		for _, id := range mine {
			if p, _, err = c.carry(ctx, p, id, false); err != nil {
				return p, err
			}
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
