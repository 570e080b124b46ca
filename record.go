package payment

import (
	"context"
	"errors"
	"time"
)

// This file is the one place that commits what is known: see docs/design.md,
// "The unit of work".

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
	first, seeks := true, false
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
		u.refused, u.seeks = refused, seeks
		if err := u.apply(&ev, lease); err != nil {
			return err
		}
		if (ev.Source == SourceLookup || ev.Source == SourceReturn) && !ev.Applied && !u.tells {
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
	for again := 0; err != nil && again < maxRefusals; again++ {
		var pe *PlanError
		if errors.As(err, &pe) {
			refused[pe.Step] = pe // a participant may refuse what follows, never the fact
		} else if !errors.Is(err, errEarly) {
			break
		}
		seeks = seeks || pe == nil
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
	if len(u.events)+len(u.claims)+len(u.release)+len(u.planned)+len(u.inherited) > 0 {
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
	seeks := false
	write := func(ctx context.Context, tx Tx) error {
		out, mine = nil, nil
		p, err := tx.Payment(ctx, id)
		if err != nil {
			return err
		}
		u := c.begin(ctx, tx, p, c.now())
		u.seeks = seeks
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
	}
	err := c.store.Update(ctx, write)
	if errors.Is(err, errEarly) {
		seeks = true
		err = c.store.Update(ctx, write)
	}
	return out, mine, err
}

// errNothing ends a change without writing.
var errNothing = errors.New("payment: nothing to change")
