package payment

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// This file is where facts come in from outside: webhooks, the payer's return,
// look-ups. All end in Client.record.

// maxWebhook bounds a notification. The largest documented ones are far below.
const maxWebhook = 1 << 20

// Receive verifies a provider's notification and applies what it reports. It
// returns what to answer. A *[WebhookError] means that the notification is not
// genuine; any other error that the store failed and the provider should send
// it again. Everything else is acknowledged, understood or not.
func (c *Client) Receive(ctx context.Context, provider string, w Webhook) (Notification, error) {
	if c.store.Joined(ctx) {
		return Notification{}, ErrInTransaction
	}
	if err := c.Receives(provider); err != nil {
		return Notification{}, err
	}
	parser := c.byName[provider].(WebhookParser)
	if len(w.Body) > maxWebhook {
		return Notification{}, &WebhookError{Reason: WebhookTooLarge, Detail: fmt.Sprintf("the body has more than %d bytes", maxWebhook)}
	}
	if w.Now.IsZero() {
		w.Now = c.now()
	}
	n, err := parseGuarded(ctx, parser, w)
	if err != nil {
		var we *WebhookError
		if !errors.As(err, &we) {
			err = &WebhookError{Reason: WebhookMalformed, Detail: "the adapter could not read it"}
		}
		return Notification{}, err
	}
	for i := range n.Events {
		e := n.Events[i]
		e.Source, e.Provider = SourceWebhook, provider
		if e.Dedup != "" && i > 0 {
			e.Dedup = fmt.Sprintf("%s#%d", e.Dedup, i)
		}
		if _, err := c.Apply(ctx, e); err != nil {
			return Notification{}, err
		}
	}
	return n, nil
}

// Receives reports whether [Client.Receive] takes notifications under the given
// name: nil, or what is wrong with the wiring. A *[FieldError] says that no
// instance of Config.Providers has the name, ErrUnsupported that the instance
// sends no webhooks. It asks nobody.
func (c *Client) Receives(provider string) error {
	prov, ok := c.byName[provider]
	if !ok {
		return &FieldError{Field: "provider", Problem: quote(provider) + " is not configured", Remedy: "use the name of a provider in Config.Providers"}
	}
	if _, ok := prov.(WebhookParser); !ok {
		return fmt.Errorf("%w: %s sends no webhooks", ErrUnsupported, provider)
	}
	return nil
}

func parseGuarded(ctx context.Context, parser WebhookParser, w Webhook) (n Notification, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = Notification{}, &WebhookError{Reason: WebhookMalformed, Detail: "the adapter panicked on it"}
		}
	}()
	return parser.ParseWebhook(ctx, w)
}

// Apply takes a fact in that an adapter verified: from a webhook handler of the
// host's own, a report, a queue. It is the one way in; [Client.Receive] uses it
// too. Event.Provider is required. The event returned says whether it changed
// anything, and if not, why. A fact that names nothing of ours is kept as
// foreign. The error is the store's alone.
func (c *Client) Apply(ctx context.Context, e Event) (Event, error) {
	if c.store.Joined(ctx) {
		return e, ErrInTransaction
	}
	if _, ok := c.byName[e.Provider]; !ok {
		return e, &FieldError{Field: "Provider", Problem: quote(e.Provider) + " is not configured", Remedy: "use the name of a provider in Config.Providers"}
	}
	if e.Source == "" {
		e.Source = SourceWebhook
	}
	e.fill(Result{Status: e.Status, Amount: e.Amount, Captured: e.Captured, Ref: e.Ref, Refs: e.Refs, Data: e.Data, Decline: e.Decline,
		Action: e.Action, Payable: e.Payable, ExpiresAt: e.ExpiresAt, Card: e.Card, ThreeDS: e.ThreeDS, Token: e.Token,
		ProviderCustomer: e.ProviderCustomer, Fee: e.Fee, At: e.At})
	if e.Kind == OpDispute {
		e.Failure = Failure{}
	} else if e.Failure.Kind != "" {
		e.Applied, e.Reason = false, "it has no status that is known"
		return e, c.foreign(ctx, &e)
	}
	if e.Kind == OpSave {
		return e, c.applySaved(ctx, &e)
	}
	for range 3 { // bounded: an object gets an owner once
		p, err := c.home(ctx, &e)
		if err != nil {
			return e, err
		}
		if p != nil {
			e.PaymentID = p.ID
			_, _, err = c.record(ctx, p, &e, false)
			return e, err
		}
		e.Applied, e.Reason = false, "it names nothing of ours"
		if err = c.foreign(ctx, &e); !errors.Is(err, errHome) {
			return e, err
		}
	}
	return e, ErrBusy
}

// home finds the payment that an event is about, nil for none: by our ids on
// the provider's object, else by the object's own.
func (c *Client) home(ctx context.Context, e *Event) (*Payment, error) {
	for _, id := range []string{e.StepKey, e.OperationID} {
		if id = paymentOf(id); id == "" || !strings.HasPrefix(id, "p") {
			continue
		}
		if p, err := c.store.Payment(ctx, id); err == nil || !isNotFound(err) {
			return p, err
		}
	}
	for _, ref := range e.names() {
		held, err := c.store.Claimed(ctx, ClaimRef, refKey(e.Provider, ref))
		switch {
		case err == nil && held.Payment != "": // else nobody's, or a saved method's
			return c.store.Payment(ctx, held.Payment)
		case err != nil && !isNotFound(err):
			return nil, err
		}
	}
	return nil, nil
}

// Resume continues a payment whose payer came back from a redirect or a
// challenge. values are the parameters of the return URL; they are hints and
// never trusted: the provider is asked.
func (c *Client) Resume(ctx context.Context, id string, values url.Values) (*Payment, error) {
	if c.store.Joined(ctx) {
		return nil, ErrInTransaction
	}
	var bad problems
	bad.id("id", id, true)
	size := 0
	for k, vs := range values {
		size += len(k)
		for _, v := range vs {
			size += len(v)
		}
	}
	if size > 64<<10 {
		bad.add("values", "are longer than 64 KiB", "pass the return URL's own parameters only")
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	p, err := c.load(ctx, id)
	if err != nil {
		return nil, err
	}
	o := p.live()
	if o == nil {
		return c.reveal(ctx, p)
	}
	if _, ok := c.byName[o.Provider].(Resumer); ok && o.State == StateActionRequired {
		return c.resumeAt(ctx, p, o, values)
	}
	if _, ok := c.byName[o.Provider].(Lookuper); !ok {
		return c.reveal(ctx, p)
	}
	p, mine, err := c.ask(ctx, p, o.ID, SourceReturn, true)
	if err != nil {
		return nil, err
	}
	if p, err = c.drive(ctx, p, mine, true); err != nil {
		return nil, err
	}
	return c.shown(ctx, p)
}

// resumeAt sends what the browser brought back as the next step of the flow.
func (c *Client) resumeAt(ctx context.Context, p *Payment, o *Operation, values url.Values) (*Payment, error) {
	out, mine, err := c.change(ctx, p.ID, func(u *unit) error {
		o := u.p.Operation(o.ID)
		if o.State != StateActionRequired || o.Superseded {
			return errNothing
		}
		if stop := u.mayNotCharge(o); stop != "" {
			return errNothing
		}
		cur := o.current()
		caps := u.c.capabilitiesOf(o)
		spec, ok := nextSpec(caps.Flow, cur.Name)
		if !ok {
			spec = caps.Flow[len(caps.Flow)-1] // a second challenge: the same step again
		}
		w, err := u.wish()
		if err != nil {
			return err
		}
		inst := w.Method.instrument()
		inst.Method = o.Method
		if err = u.planStep(o, spec, order{Resume: &ResumeRequest{Values: values, Amount: o.Amount, Method: inst}}, true); err != nil {
			return err
		}
		cur.Closed = true
		cur.State = StateApproved
		u.touchStep(cur)
		o.State = StatePending
		u.note(EventFact, SourceReturn, o.ID, "the payer came back")
		return nil
	})
	if err != nil {
		return nil, err
	}
	if p, err = c.drive(ctx, out, mine, true); err != nil {
		return nil, err
	}
	return c.shown(ctx, p)
}

// ask looks an operation up and records what is found.
func (c *Client) ask(ctx context.Context, p *Payment, operation string, source Source, lease bool) (*Payment, []send, error) {
	o := p.Operation(operation)
	s := o.current()
	if s == nil {
		return p, nil, nil
	}
	res, err := c.lookup(ctx, p, o, s)
	if err != nil {
		return p, nil, nil //nolint:nilerr // a failed look-up proves nothing
	}
	var mine []send
	if res.Status != ResultAbsent && res.Status != "" {
		e := answer(o, s, source, res, nil)
		var rerr error
		if p, mine, rerr = c.record(ctx, p, e, lease); rerr != nil {
			return p, nil, rerr
		}
	}
	return c.also(ctx, p, o, res.Events), mine, nil
}

// Sync asks the providers what became of the payment's operations and records
// what they say. Use it where no webhook can arrive, and for a page that a
// payer reloads.
func (c *Client) Sync(ctx context.Context, id string) (*Payment, error) {
	if c.store.Joined(ctx) {
		return nil, ErrInTransaction
	}
	p, err := c.load(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, id := range syncable(c, p) {
		var mine []send
		if p, mine, err = c.ask(ctx, p, id, SourceLookup, true); err != nil {
			return nil, err
		}
		if p, err = c.drive(ctx, p, mine, false); err != nil {
			return nil, err
		}
	}
	return c.shown(ctx, p)
}

// syncable lists the operations worth asking about: what is open, and every
// attempt that has money, for what was done to it at the provider.
func syncable(c *Client, p *Payment) []string {
	var out []string
	for _, o := range p.Operations {
		s := o.current()
		if s == nil || !s.Recovery.Lookup {
			continue
		}
		if _, ok := c.byName[o.Provider].(Lookuper); !ok {
			continue
		}
		leased := s.State == StatePlanned && s.Lease.After(c.now())
		if (o.State.Outstanding() && !leased && s.Sends > 0) || ((o.Kind == OpAuthorize || o.Kind == OpRefund) && o.State == StateApproved) || o.Payable {
			out = append(out, o.ID)
		}
	}
	return out
}
