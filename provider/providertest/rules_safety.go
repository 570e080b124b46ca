package providertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

func safetyRules() []Rule {
	return []Rule{
		{ID: "wire-key", needs: []Ability{AbilityRequests, AbilityPayer},
			Text: "Every write carries the step's key, as idempotency key or as our number.",
			Why:  "A write without one acts again at every replay, also at those that net/http makes by itself.",
			run: func(c *check) error {
				before := len(c.rig.Requests())
				if err := c.life(); err != nil {
					return err
				}
				seen := c.rig.Requests()[before:]
				if len(seen) == 0 {
					return errors.New("a whole payment wrote nothing to the wire")
				}
				keys := make(map[string]string)
				for i, r := range seen {
					if r.Key == "" {
						return fmt.Errorf("write %d of %d carries no key", i+1, len(seen))
					}
					if content, ok := keys[r.Key]; ok && content != r.Content {
						return fmt.Errorf("two different writes carry the key %q", r.Key)
					}
					keys[r.Key] = r.Content
				}
				return nil
			}},
		{ID: "wire-same", needs: []Ability{AbilityRequests, AbilityPayer},
			Text: "The same request gives the same bytes on the wire, every time.",
			Why:  "A replay whose bytes differ is refused by the provider as another request under a known key, and the answer stays lost.",
			run: func(c *check) error {
				a := c.newAttempt(c.sale(true), c.m.Approve)
				r := c.request(a, 0)
				r.Metadata = map[string]string{"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6"}
				before := len(c.rig.Requests())
				for range 8 {
					if _, err := c.guarded("Authorize "+r.Step, a.secrets(), func() (payment.Result, error) { return c.p.Authorize(c.ctx, r) }); err != nil {
						return err
					}
				}
				seen := c.rig.Requests()[before:]
				for i := range seen {
					if seen[i].Key == seen[0].Key && seen[i].Content != seen[0].Content {
						return fmt.Errorf("send %d differs from the first", i+1)
					}
				}
				return nil
			}},
		{ID: "ids-hostile",
			Text: "Ids with a slash, a line break, a traversal or nothing in them are refused before the wire: NotSent.",
			Why:  "An id goes into a path, a header or a signed text; \"../\" reaches another endpoint, and an empty one the list of all.",
			run:  hostile},
		{ID: "concurrent", needs: []Ability{AbilityPayer},
			Text: "Calls from many goroutines do not disturb each other, and the same key sent from many at once acts once.",
			Why:  "A server is concurrent from its first day. Run the suite with -race.",
			run:  concurrent},
	}
}

// sideRules are broken by the way, in whatever rule is under test.
func sideRules() []Rule {
	return []Rule{
		{ID: "error-typed", Text: "Every failed call is a *payment.CallError with one of the four kinds.",
			Why: "Any other error counts as Unknown, and parks payments that never left."},
		{ID: "error-clean", Text: "An error is one line without tokens, personal values and evidence.",
			Why: "Errors are logged, stored and shown to staff."},
		{ID: "result-sane", Text: "A Result has a known status; action with its Action, declined with its Decline, and amounts in the payment's currency.",
			Why: "The client can only act on what is there."},
		{ID: "result-clean", Text: "Ref, Refs, Data and the decline's text hold no token and no personal value.",
			Why: "They are stored in clear, in tables that are never erased."},
		{ID: "no-panic", Text: "No call panics, whatever it is given and whatever the provider answers.",
			Why: "A panic after the request was written is an unknown outcome that nobody records."},
	}
}

// life is a payment from beginning to end.
func (c *check) life() error {
	if c.mc.Refund.IsZero() {
		_, err := c.approved(c.sale(false))
		return err
	}
	p, err := c.collect()
	if err != nil {
		return err
	}
	_, err = c.do(p.attempt, c.refund(p, p.amount))
	return err
}

// hostileIDs are never ids of ours.
var hostileIDs = []string{"", "a/b", "../x", "..", "a\nb", "a b", "a?b=c", "a#b", "a%2fb", "a\x00b", "\u202e1", strings.Repeat("a", 300)}

func hostile(c *check) error {
	var errs []error
	before := 0
	if c.rig.Requests != nil {
		before = len(c.rig.Requests())
	}
	refuse := func(what, id string, call func() (payment.Result, error)) {
		_, err := c.guarded(what, nil, call)
		var ce *payment.CallError
		if !errors.As(err, &ce) || ce.Kind != payment.KindNotSent {
			errs = append(errs, fmt.Errorf("%s with id %.20q: %w", what, id, orNil(err)))
		}
	}
	for _, id := range hostileIDs {
		a := c.newAttempt(c.sale(true), c.m.Approve)
		r := c.request(a, 0)
		r.Key = id
		refuse("Authorize, Key", id, func() (payment.Result, error) { return c.p.Authorize(c.ctx, r) })
		if !c.mc.Refund.IsZero() {
			a.ref = id
			p := &paid{attempt: a, capture: id}
			m := c.refund(p, a.amount)
			// Where our own number names the payment, the provider's is not sent.
			if c.sendsRef() {
				refuse("Refund, Ref", id, m.send)
			}
		}
		if c.mc.Hold && c.sendsRef() {
			a.ref = id
			m := c.capture(a, a.amount, money.Zero(a.amount.Currency()), true)
			refuse("Capture, Ref", id, m.send)
		}
	}
	if c.rig.Requests != nil {
		if n := len(c.rig.Requests()) - before; n > 0 {
			errs = append(errs, fmt.Errorf("%d of them reached the wire", n))
		}
	}
	return errors.Join(errs...)
}

// sendsRef reports whether later steps name the provider's object.
func (c *check) sendsRef() bool { return c.mc.Hold }

func concurrent(c *check) error {
	const many = 16
	type result struct {
		a   *attempt
		err error
	}
	// Different payments at once. Each goroutine has a driver of its own.
	var wg sync.WaitGroup
	results := make([]result, many)
	drivers := make([]*check, many)
	for i := range many {
		d := *c
		d.side, d.ids = nil, c.ids+100*(i+1)
		drivers[i] = &d
		wg.Go(func() {
			a := d.newAttempt(d.sale(true), d.m.Approve)
			_, err := d.send(a, 0)
			results[i] = result{a, err}
		})
	}
	wg.Wait()
	for i, r := range results {
		c.side = append(c.side, drivers[i].side...)
		if r.err != nil {
			return fmt.Errorf("payment %d of %d at once: %w", i+1, many, r.err)
		}
	}
	if c.mc.Flow[0].Recovery.KeyLife == 0 {
		return nil
	}
	// One payment, sent many times at once.
	a := c.newAttempt(c.sale(true), c.m.Approve)
	r := c.request(a, 0)
	a.key, a.step = r.Key, r.Step
	refs := make([]string, many)
	errs := make([]error, many)
	for i := range many {
		d := drivers[i]
		wg.Go(func() {
			ctx, cancel := context.WithCancel(c.ctx)
			defer cancel()
			res, err := d.guarded("Authorize "+r.Step, a.secrets(), func() (payment.Result, error) { return c.p.Authorize(ctx, r) })
			refs[i], errs[i] = res.Ref, err
		})
	}
	wg.Wait()
	ref := ""
	for i := range many {
		var ce *payment.CallError
		switch {
		case errors.As(errs[i], &ce) && ce.Kind == payment.KindUnknown && ce.KeyConflict:
			continue // it says that the key is in use
		case errs[i] != nil:
			return fmt.Errorf("send %d of one key at once: %w", i+1, errs[i])
		case ref == "":
			ref = refs[i]
		case ref != refs[i]:
			return fmt.Errorf("one key sent %d times at once made the objects %q and %q", many, ref, refs[i])
		}
	}
	if c.rig.Truth != nil {
		t, err := c.rig.Truth(a.op)
		if err != nil {
			return err
		}
		if t.Attempts > 1 || t.Held+t.Collected > a.amount.Minor() {
			return fmt.Errorf("one key sent %d times at once moved %d on %d objects", many, t.Held+t.Collected, t.Attempts)
		}
	}
	return nil
}
