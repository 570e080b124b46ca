package payment

import (
	"context"
	"errors"
	"time"
)

// This file carries steps out: send, record, and while the caller waits,
// whatever follows. See docs/design.md, "The unit of work".

// recordTimeout bounds the commit that records an answer. It does not end with
// the caller's context: a closed browser tab must not make an unknown.
const recordTimeout = 15 * time.Second

func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
}

// record commits what an event says, and the plan of what follows. hint is the
// payment as the caller last saw it; it saves a read where nobody else changed
// it. With lease, the steps planned are the caller's to send: they are returned.
func (c *Client) record(ctx context.Context, hint *Payment, e *Event, lease bool) (*Payment, []send, error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	var out *Payment
	var mine []send
	first := true
	refused := map[string]error{}
	write := func(ctx context.Context, tx Tx) error {
		out, mine = nil, nil
		p := hint.clone()
		if !first {
			var err error
			if p, err = tx.Payment(ctx, hint.ID); err != nil {
				return err
			}
		}
		first = false
		ev := *e
		if seen, err := c.seen(ctx, tx, &ev); seen || err != nil {
			out = p
			return err
		}
		u := c.begin(ctx, tx, p, c.now())
		u.refused = refused
		if err := u.apply(&ev, lease); err != nil {
			return err
		}
		if (ev.Source == SourceLookup || ev.Source == SourceReturn) && !ev.Applied {
			if u.drop(&ev); u.unchanged() {
				p.Version--
				out = p
				return nil
			}
		}
		if err := u.commit(); err != nil {
			return err
		}
		out = p
		if lease {
			mine = u.leased()
		}
		e.Applied, e.Reason, e.OperationID = ev.Applied, ev.Reason, ev.OperationID
		return nil
	}
	err := c.store.Update(ctx, write)
	for range maxRefusals {
		// A participant may refuse what follows, never the fact.
		var pe *PlanError
		if !errors.As(err, &pe) {
			break
		}
		refused[pe.Step] = pe
		err = c.store.Update(ctx, write)
	}
	if err != nil {
		return hint, nil, &RecordError{PaymentID: hint.ID, Err: err}
	}
	return out, mine, nil
}

// maxRefusals bounds how many plans of one commit participants may refuse.
const maxRefusals = 8

// seen claims a notification, and reports whether it was handled before. The
// claim and the effect go in one commit.
func (c *Client) seen(ctx context.Context, tx Tx, e *Event) (bool, error) {
	if e.Dedup == "" {
		return false, nil
	}
	err := tx.Claim(ctx, Claim{Kind: ClaimEvent, Key: refKey(e.Provider, e.Dedup), Owner: e.Provider, Payment: e.PaymentID})
	if errors.Is(err, ErrTaken) {
		return true, nil
	}
	return false, err
}

// drop leaves an event out that says nothing new, so that polling does not fill
// the outbox.
func (u *unit) drop(e *Event) {
	for i, x := range u.events {
		if x == e {
			u.events = append(u.events[:i], u.events[i+1:]...)
			return
		}
	}
}

// unchanged reports whether the unit would write nothing but a new version.
func (u *unit) unchanged() bool {
	if len(u.events)+len(u.claims)+len(u.release)+len(u.planned) > 0 {
		return false
	}
	for _, o := range u.p.Operations {
		if o.Revision == u.p.Version {
			return false
		}
		for _, s := range o.Steps {
			if s.Revision == u.p.Version {
				return false
			}
		}
	}
	return true
}

// send is a step that is leased to the caller. order is its request, where the
// caller planned it itself; else it is opened from the record.
type send struct {
	step  string
	order *order
}

// leased lists the steps planned in this unit that are leased to the caller.
func (u *unit) leased() []send {
	var mine []send
	for i, s := range u.planned {
		if s.Lease.After(u.now) && s.State == StatePlanned {
			mine = append(mine, send{step: s.ID, order: &u.orders[i]})
		}
	}
	return mine
}

// change runs f on a payment in one commit, loading it first.
func (c *Client) change(ctx context.Context, id string, f func(u *unit) error) (*Payment, []send, error) {
	var out *Payment
	var mine []send
	err := c.store.Update(ctx, func(ctx context.Context, tx Tx) error {
		out, mine = nil, nil
		p, err := tx.Payment(ctx, id)
		if err != nil {
			return err
		}
		u := c.begin(ctx, tx, p, c.now())
		switch err := f(u); {
		case errors.Is(err, errNothing):
			p.Version--
			out = p
			return nil
		case err != nil:
			return err
		}
		if err := u.commit(); err != nil {
			return err
		}
		out, mine = p, u.leased()
		return nil
	})
	return out, mine, err
}

// errNothing ends a change without writing.
var errNothing = errors.New("payment: nothing to change")

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
	if p.Paid() || p.Canceled || p.Expired || p.Blocked != (Decline{}) || p.live() != nil || o.Superseded || o.Overpaid {
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
	p = out
	for _, id := range mine {
		if p, _, err = c.carry(ctx, p, id, false); err != nil {
			return p, err
		}
	}
	return p, nil
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
