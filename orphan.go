package payment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// This file keeps facts that come before we know whose they are. A provider may
// report a capture, a refund or a dispute of an object whose creation is still
// on its way to our record, or whose answer was lost. Such a fact is recorded as
// foreign, and leaves a mark under each object it names. Whoever learns of the
// object finds the mark in the way of its own claim, and takes the fact in.

// nobody owns the claim on a provider's object that no operation is known for.
const nobody = "nobody"

// maxOrphans bounds the facts kept for one object of nobody's; what is further
// reported of it is recorded as foreign only.
const maxOrphans = 32

// errHome says that an object got an owner while a fact about it was kept as
// foreign.
var errHome = errors.New("payment: the object has an owner now")

// foreign keeps a fact that names nothing of ours. It is no work for anybody,
// unless one of the objects it names turns out to be ours: errHome says that it
// did just now.
func (c *Client) foreign(ctx context.Context, e *Event) error {
	return c.store.Update(ctx, func(ctx context.Context, tx Tx) error {
		ev := *e
		if seen, err := c.seen(ctx, tx, &ev); seen || err != nil {
			return err
		}
		ev.Decline.Message, ev.Failure.Message = "", "" // nobody's: nothing to keep
		ev.Type, ev.PaymentID, ev.ID, ev.RecordedAt = EventFact, "", c.newID("ev", c.now()), c.now()
		if err := c.orphan(ctx, tx, &ev); err != nil {
			return err
		}
		return tx.AppendEvents(ctx, &ev)
	})
}

// orphan marks the objects that a foreign fact names, and keeps the fact there.
func (c *Client) orphan(ctx context.Context, tx Tx, e *Event) error {
	if e.Failure.Kind != "" {
		return nil // it says nothing that could be applied later
	}
	kept, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("payment: keep a foreign fact: %w", err)
	}
	for _, ref := range e.names() {
		key := refKey(e.Provider, ref)
		// The mark is made anew, so that of a fact that comes and an owner who
		// takes over at once, one waits for the other.
		if err := tx.Release(ctx, ClaimRef, key, nobody); err != nil {
			return err
		}
		var taken *TakenError
		switch err := tx.Claim(ctx, Claim{Kind: ClaimRef, Key: key, Owner: nobody}); {
		case errors.As(err, &taken) && taken.Claim.Payment != "":
			return errHome
		case taken != nil && taken.Claim.Owner != nobody:
			continue // a saved method's: no payment will ever have it
		case taken != nil:
			return ErrConflict
		case err != nil:
			return err
		}
		for n := 1; n <= maxOrphans; n++ {
			err := tx.Claim(ctx, Claim{Kind: ClaimOrphan, Key: nthKey(key, n), Owner: nobody, Fingerprint: kept})
			if err == nil {
				break
			}
			if !errors.Is(err, ErrTaken) {
				return err
			}
		}
	}
	return nil
}

func nthKey(ref string, n int) string { return fmt.Sprintf("%s#%d", ref, n) }

// names lists the provider's objects that an event names, each once.
func (e *Event) names() []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, ref := range append([]string{e.Ref, e.Parent}, e.Refs...) {
		if !seen[ref] {
			seen[ref] = true
			out = append(out, ref)
		}
	}
	return out
}

// errEarly says that a unit met the mark of a fact that came early. The unit
// runs again and seeks such facts as it learns of objects, so that what follows
// is planned with their knowledge.
var errEarly = errors.New("payment: a notification came before its object was known")

// inherit takes the claim on an object over from nobody, and with it the facts
// that were kept for it, oldest first.
func (u *unit) inherit(claim Claim) error {
	if !u.seeks {
		return errEarly
	}
	if err := u.tx.Release(u.ctx, claim.Kind, claim.Key, nobody); err != nil {
		return err
	}
	if err := u.tx.Claim(u.ctx, claim); errors.Is(err, ErrTaken) {
		return ErrConflict // one more fact came at this moment
	} else if err != nil {
		return err
	}
	for n := 1; n <= maxOrphans; n++ {
		held, err := u.tx.Claimed(u.ctx, ClaimOrphan, nthKey(claim.Key, n))
		if isNotFound(err) {
			break
		}
		if err != nil {
			return err
		}
		if err := u.tx.Release(u.ctx, held.Kind, held.Key, nobody); err != nil {
			return err
		}
		e := new(Event)
		if err := json.Unmarshal(held.Fingerprint, e); err != nil {
			u.parkFor(claim.Owner, "a notification about "+quote(claim.Key)+" that came early cannot be read", "compare with the provider's dashboard")
			continue
		}
		if u.inherited[e.ID] {
			continue // it named two objects of ours
		}
		if u.inherited == nil {
			u.inherited = map[string]bool{}
		}
		u.inherited[e.ID] = true
		e.Cites, e.ID, e.Seq, e.Reason = e.ID, "", 0, ""
		u.first = append(u.first, func() error { return u.apply(e, false) })
	}
	return nil
}

// takeFirst takes in what is known and not applied yet.
func (u *unit) takeFirst() error {
	for len(u.first) > 0 {
		next := u.first[0]
		u.first = u.first[1:]
		if err := next(); err != nil {
			return err
		}
	}
	return nil
}
