package providertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// kinds says which error kind each fault proves.
var kinds = []struct {
	fault Fault
	kind  payment.ErrorKind
}{
	{FaultRefused, payment.KindNotSent},
	{FaultReset, payment.KindUnknown},
	{FaultServerError, payment.KindUnknown},
	{FaultUnauthorized, payment.KindRejectedMerchant},
	{FaultForbidden, payment.KindRejectedMerchant},
	{FaultTooMany, payment.KindRejectedMerchant},
	{FaultBadRequest, payment.KindRejectedRequest},
	{FaultLost, payment.KindUnknown},
	{FaultServerErrorDone, payment.KindUnknown},
	{FaultGarbage, payment.KindUnknown},
}

func faultRules() []Rule {
	return []Rule{
		{ID: "error-kinds", needs: []Ability{AbilityFault},
			Text:    "Every failed call says what is proven: refused connection NotSent; reset, timeout, 5xx and an unreadable 200 Unknown; 401, 403 and 429 RejectedMerchant; 400 RejectedRequest.",
			Why:     "An unknown taken for a failure is charged again elsewhere; a failure taken for an unknown stops a good payer.",
			applies: func(c *check) bool { return c.remoteStep() >= 0 },
			run:     errorKinds},
		{ID: "error-kinds-refund", needs: []Ability{AbilityFault, AbilityPayer},
			Text:    "The same for a refund.",
			Why:     "A refund that is sent again because its outcome was misread is given twice.",
			applies: func(c *check) bool { return !c.mc.Refund.IsZero() },
			run: func(c *check) error {
				for _, k := range kinds {
					p, err := c.collect()
					if err != nil {
						return err
					}
					m := c.refund(p, p.amount)
					if err := c.fault(m.spec.Name, k.fault); errors.Is(err, errDeclared) {
						continue
					} else if err != nil {
						return err
					}
					_, err = m.send()
					if err := ofKind(err, k.kind); err != nil {
						return fmt.Errorf("fault %s: %w", k.fault, err)
					}
				}
				return nil
			}},
		{ID: "hostile-answers", needs: []Ability{AbilityFault},
			Text:    "Whatever a 200 holds that is no answer (nothing, null, {}, HTML, half a document) is Unknown.",
			Why:     "The work may be done; an empty object read as success, or as failure, is the wrong payment either way.",
			applies: func(c *check) bool { return c.remoteStep() >= 0 },
			run: func(c *check) error {
				for n := range garbageForms {
					a := c.newAttempt(c.sale(true), c.m.Approve)
					if err := c.fault(c.mc.Flow[0].Name, FaultGarbage); err != nil {
						return err
					}
					r, err := c.send(a, 0)
					if err == nil {
						return fmt.Errorf("garbage %d of %d was read as %s", n+1, garbageForms, r.Status)
					}
					if err := ofKind(err, payment.KindUnknown); err != nil {
						return fmt.Errorf("garbage %d of %d: %w", n+1, garbageForms, err)
					}
				}
				return nil
			}},
		{ID: "context-over-before", needs: []Ability{AbilityTruth},
			Text:    "A call whose context is over already is NotSent, and nothing happens.",
			Why:     "It is the one moment at which the truth is free; anything else parks a payment that never was.",
			applies: func(c *check) bool { return c.remoteStep() >= 0 },
			run: func(c *check) error {
				a := c.newAttempt(c.sale(true), c.m.Approve)
				r := c.request(a, 0)
				ctx, cancel := context.WithCancel(c.ctx)
				cancel()
				_, err := c.guarded("Authorize "+r.Step, a.secrets(), func() (payment.Result, error) { return c.p.Authorize(ctx, r) })
				if err := ofKind(err, payment.KindNotSent); err != nil {
					return err
				}
				return c.truth(a.op, 0, 0, 0)
			}},
		{ID: "context-over-during", needs: []Ability{AbilityFault},
			Text:    "A context that ends while the answer is awaited ends the call at once, with Unknown.",
			Why:     "The work may be done. And a call that ignores its context holds a worker for as long as the provider likes.",
			applies: func(c *check) bool { return c.remoteStep() >= 0 },
			run:     overDuring},
		{ID: "replay", needs: []Ability{AbilityPayer},
			Text: "Within the key's life the same request with the same key does not act twice, and is answered as before.",
			Why:  "It is how a lost answer is recovered: a replay that acts charges twice.",
			run:  replays},
		{ID: "key-other-request", needs: []Ability{AbilityPayer},
			Text: "Within the key's life another request under a known key does not act, and is answered as a conflict: Unknown, with KeyConflict.",
			Why:  "A bug on our side must not move money twice, and a conflict proves that an earlier send arrived: taken for a refusal, it is sent anew under another key.",
			applies: func(c *check) bool {
				return !c.mc.Refund.IsZero() && c.mc.PartialRefund && c.mc.Refund.Recovery.KeyLife > 0
			},
			run: func(c *check) error {
				p, err := c.collect()
				if err != nil {
					return err
				}
				part := stepOf(p.amount.Currency(), p.amount.Minor()/4)
				first := c.refund(p, money.Of(part, p.amount.Currency()))
				if r, err := c.do(p.attempt, first); err != nil || r.Status != payment.ResultApproved {
					return fmt.Errorf("the first refund is %s: %w", r.Status, orNil(err))
				}
				second := c.refund(p, money.Of(stepOf(p.amount.Currency(), p.amount.Minor()/2), p.amount.Currency()))
				r := payment.RefundRequest{Call: c.callOf(p.attempt, first.op, first.spec.Name, first.key), Amount: second.amount,
					CaptureRef: p.capture, Captured: p.amount, Reason: "requested_by_customer"}
				_, err = c.guarded("Refund", nil, func() (payment.Result, error) { return c.p.(payment.Refunder).Refund(c.ctx, r) })
				if err := conflicts(err); err != nil {
					return err
				}
				c.wait()
				return c.truth(p.op, 0, p.amount.Minor(), part)
			}},
		{ID: "replay-after-lost", needs: []Ability{AbilityFault, AbilityPayer},
			Text:    "A charge whose answer was lost is learned by a replay with the same key, and charged once.",
			Why:     "The commonest accident there is.",
			applies: func(c *check) bool { i := c.chargingStep(); return i >= 0 && c.mc.Flow[i].Recovery.KeyLife > 0 },
			run: func(c *check) error {
				a, i, err := c.lose()
				if err != nil {
					return err
				}
				r, err := c.send(a, i)
				if err != nil {
					return fmt.Errorf("the replay: %w", err)
				}
				a.take(r)
				if a.final == "" {
					if err := c.outcome(a); err != nil {
						return err
					}
				}
				if a.final != payment.ResultApproved {
					return fmt.Errorf("the replay says %s", a.final)
				}
				return c.truthPaid(a)
			}},
		{ID: "lookup-after-lost", needs: []Ability{AbilityFault, AbilityPayer},
			Text:    "A charge whose answer was lost is found by look-up.",
			Why:     "A look-up that misses it says absent, and absent is charged again elsewhere.",
			applies: func(c *check) bool { i := c.chargingStep(); return i >= 0 && c.mc.Flow[i].Recovery.Lookup },
			run: func(c *check) error {
				a, i, err := c.lose()
				if err != nil {
					return err
				}
				for range patience {
					r, _, err := c.lookupAttempt(a)
					if err != nil {
						return fmt.Errorf("the look-up: %w", err)
					}
					if r.Status == payment.ResultApproved {
						a.take(r)
						if r.Captured != a.sale {
							return fmt.Errorf("the look-up says Captured %v", r.Captured)
						}
						return c.truthPaid(a)
					}
					if r.Status != payment.ResultAbsent && r.Status != payment.ResultPending {
						return fmt.Errorf("the look-up says %s of step %s", r.Status, c.mc.Flow[i].Name)
					}
					c.waitGrace(c.mc.Flow[i].Recovery.LookupGrace)
				}
				return errors.New("after the declared grace the look-up still finds nothing")
			}},
		{ID: "lookup-refund-lost", needs: []Ability{AbilityFault, AbilityPayer},
			Text:    "A refund whose answer was lost is found by look-up; one that was never sent is absent.",
			Why:     "The same, with the shop's money.",
			applies: func(c *check) bool { return !c.mc.Refund.IsZero() && c.mc.Refund.Recovery.Lookup },
			run:     lookupRefund},
		{ID: "lookup-capture-lost", needs: []Ability{AbilityFault, AbilityPayer},
			Text:    "A capture whose answer was lost is found by look-up, and told apart from an earlier one; one that was never sent is absent.",
			Why:     "Where the provider knows only the sum, an earlier capture looks like this one.",
			applies: func(c *check) bool { return c.mc.Hold && c.mc.Capture.Recovery.Lookup && c.mc.MultiCapture },
			run:     lookupCapture},
		{ID: "lookup-absent",
			Text: "Of a step that never reached the provider the look-up says absent; if it cannot search, an error.",
			Why:  "Anything else keeps the payer waiting for a payment that is not there, or invents one.",
			applies: func(c *check) bool {
				_, ok := c.lookups()
				return ok
			},
			run: func(c *check) error {
				a := c.newAttempt(c.sale(true), c.m.Approve)
				r := c.request(a, 0)
				a.key, a.step = r.Key, r.Step
				res, _, err := c.lookupAttempt(a)
				if err == nil && res.Status != payment.ResultAbsent {
					return fmt.Errorf("the look-up says %s", res.Status)
				}
				return nil
			}},
		{ID: "lookup-error", needs: []Ability{AbilityFault},
			Text: "A look-up that fails is an error, never absent.",
			Why:  "Absent is proof that nothing happened; a provider that is down proves nothing.",
			applies: func(c *check) bool {
				_, ok := c.lookups()
				return ok
			},
			run: func(c *check) error {
				for _, f := range []Fault{FaultServerError, FaultUnauthorized, FaultGarbage, FaultReset} {
					a := c.newAttempt(c.sale(true), c.m.Approve)
					r := c.request(a, 0)
					a.key, a.step, a.ref = r.Key, r.Step, ""
					if err := c.fault("lookup", f); errors.Is(err, errDeclared) {
						continue
					} else if err != nil {
						return err
					}
					if res, _, err := c.lookupAttempt(a); err == nil {
						return fmt.Errorf("fault %s: the look-up says %s", f, res.Status)
					}
				}
				return nil
			}},
	}
}

// garbageForms is how often a rule asks for an unreadable answer; [Wire] gives
// another one each time.
const garbageForms = 8

func orNil(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

// remoteStep is the first step of the flow that calls the provider, -1 if none.
func (c *check) remoteStep() int {
	if !c.mc.Flow[0].Local {
		return 0
	}
	return -1
}

// chargingStep is the first step on which money can move, -1 if only the
// payer's act moves it.
func (c *check) chargingStep() int {
	for i, s := range c.mc.Flow {
		if s.MovesMoney && !s.Local {
			return i
		}
	}
	return -1
}

// waitGrace moves the clock over a grace period, if there is a clock to move.
func (c *check) waitGrace(d time.Duration) {
	if c.rig.Advance != nil {
		c.rig.Advance(d/patience + time.Second)
		return
	}
	c.wait()
}

// ofKind checks the kind of a failed call.
func ofKind(err error, want payment.ErrorKind) error {
	var ce *payment.CallError
	switch {
	case err == nil:
		return fmt.Errorf("there is no error; it should be %s", want)
	case !errors.As(err, &ce):
		return fmt.Errorf("the error is a %T; it should be a *payment.CallError of kind %s: %w", err, want, err)
	case ce.Kind != want:
		return fmt.Errorf("the kind is %s; it should be %s: %w", ce.Kind, want, err)
	case ce.Step == "" || ce.Provider == "":
		return fmt.Errorf("the error does not name provider and step: %w", err)
	}
	return nil
}

func errorKinds(c *check) error {
	var errs []error
	for _, k := range kinds {
		if c.ctx.Err() != nil {
			break
		}
		a := c.newAttempt(c.sale(true), c.m.Approve)
		if err := c.fault(c.mc.Flow[0].Name, k.fault); errors.Is(err, errDeclared) {
			continue
		} else if err != nil {
			errs = append(errs, err)
			continue
		}
		_, err := c.send(a, 0)
		if err := ofKind(err, k.kind); err != nil {
			errs = append(errs, fmt.Errorf("fault %s: %w", k.fault, err))
		}
		if k.kind != payment.KindUnknown {
			if err := c.truth(a.op, 0, 0, 0); err != nil {
				errs = append(errs, fmt.Errorf("fault %s: %w", k.fault, err))
			}
		}
	}
	return errors.Join(errs...)
}

func overDuring(c *check) error {
	a := c.newAttempt(c.sale(true), c.m.Approve)
	if err := c.fault(c.mc.Flow[0].Name, FaultHang); err != nil {
		return err
	}
	r := c.request(a, 0)
	ctx, cancel := context.WithTimeout(c.ctx, 50*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := c.guarded("Authorize "+r.Step, a.secrets(), func() (payment.Result, error) { return c.p.Authorize(ctx, r) })
		done <- err
	}()
	select {
	case err := <-done:
		return ofKind(err, payment.KindUnknown)
	case <-time.After(3 * time.Second):
		return errors.New("the call is still running three seconds after its context ended")
	}
}

// lose carries an attempt to its charging step and loses the answer to it. It
// returns the step's place in the flow.
func (c *check) lose() (*attempt, int, error) {
	i := c.chargingStep()
	a, err := c.upTo(i)
	if err != nil {
		return nil, 0, err
	}
	if err := c.fault(c.mc.Flow[i].Name, FaultLost); err != nil {
		return nil, 0, err
	}
	_, err = c.send(a, i)
	return a, i, ofKind(err, payment.KindUnknown)
}

// upTo carries an attempt to where step i is the next to be sent.
func (c *check) upTo(i int) (*attempt, error) {
	a := c.newAttempt(c.sale(true), c.m.Approve)
	for k := range i {
		r, err := c.send(a, k)
		if err != nil {
			return nil, fmt.Errorf("step %s: %w", c.mc.Flow[k].Name, err)
		}
		a.take(r)
		if r.Status == payment.ResultActionRequired {
			if _, err := c.payer(a); err != nil {
				return nil, err
			}
			if err := c.outcome(a); err != nil {
				return nil, err
			}
		}
		switch a.last.Status {
		case payment.ResultContinue:
		case payment.ResultApproved:
			return nil, errNoStep
		default:
			return nil, fmt.Errorf("step %s ended with %s, not continue", c.mc.Flow[k].Name, a.last.Status)
		}
	}
	return a, nil
}

// errNoStep: the payment was approved before the step; another needs it.
var errNoStep = errors.New("the payment was approved before this step")

// replays sends each write of a payment's life twice.
func replays(c *check) error {
	a := c.newAttempt(c.sale(true), c.m.Approve)
	for i := range c.mc.Flow {
		first, err := c.send(a, i)
		if err != nil {
			return fmt.Errorf("step %s: %w", c.mc.Flow[i].Name, err)
		}
		if c.mc.Flow[i].Recovery.KeyLife > 0 || c.mc.Flow[i].Local {
			again, err := c.send(a, i)
			if err != nil {
				return fmt.Errorf("replay of step %s: %w", c.mc.Flow[i].Name, err)
			}
			if err := same(first, again); err != nil {
				return fmt.Errorf("replay of step %s: %w", c.mc.Flow[i].Name, err)
			}
		}
		a.take(first)
		if first.Status == payment.ResultActionRequired {
			values, err := c.payer(a)
			if err != nil {
				return err
			}
			if resumed, err := c.resume(a, i, values); err != nil {
				return err
			} else if resumed {
				break
			}
		}
		if a.last.Status != payment.ResultContinue && a.final == "" {
			if err := c.outcome(a); err != nil {
				return err
			}
		}
		if a.last.Status != payment.ResultContinue {
			break
		}
	}
	if a.final != payment.ResultApproved {
		return fmt.Errorf("the payment is %q, not approved", a.final)
	}
	if err := c.truthPaid(a); err != nil {
		return err
	}
	p := &paid{attempt: a, capture: a.ref}
	if !a.sale {
		m := c.capture(a, a.amount, money.Zero(a.amount.Currency()), true)
		if err := c.twice(a, m); err != nil {
			return err
		}
		if err := c.truth(a.op, 0, a.amount.Minor(), 0); err != nil {
			return fmt.Errorf("after the replay of a capture: %w", err)
		}
		if m.res.Ref != "" {
			p.capture = m.res.Ref
		}
	}
	if c.mc.Refund.IsZero() {
		return nil
	}
	part := p.amount
	if c.mc.PartialRefund {
		part = money.Of(stepOf(part.Currency(), part.Minor()/4), part.Currency())
	}
	if err := c.twice(a, c.refund(p, part)); err != nil {
		return err
	}
	if err := c.truth(p.op, 0, p.amount.Minor(), part.Minor()); err != nil {
		return fmt.Errorf("after the replay of a refund: %w", err)
	}
	return nil
}

// twice sends a modification two times and waits for its outcome.
func (c *check) twice(a *attempt, m *modification) error {
	first, err := m.send()
	if err != nil {
		return fmt.Errorf("%s: %w", m.kind, err)
	}
	m.res = first
	if m.spec.Recovery.KeyLife > 0 {
		again, err := m.send()
		if err != nil {
			return fmt.Errorf("replay of a %s: %w", m.kind, err)
		}
		if err := same(first, again); err != nil {
			return fmt.Errorf("replay of a %s: %w", m.kind, err)
		}
	}
	r, err := c.settle(a, m, first)
	if err != nil {
		return err
	}
	if r.Status != payment.ResultApproved {
		return fmt.Errorf("the %s is %s", m.kind, r.Status)
	}
	return nil
}

// same compares an answer with that of its replay. What was pending may have
// been decided meanwhile.
func same(first, again payment.Result) error {
	if first.Ref != again.Ref {
		return fmt.Errorf("it names the object %q, and first %q: it acted again", again.Ref, first.Ref)
	}
	if first.Status != again.Status && first.Status != payment.ResultPending {
		return fmt.Errorf("it says %s, and first %s", again.Status, first.Status)
	}
	return nil
}

func lookupRefund(c *check) error {
	p, err := c.collect()
	if err != nil {
		return err
	}
	never := c.refund(p, p.amount)
	r, _, err := c.lookup(p.attempt, payment.OpRefund, never.spec, never.op, never.key, "", never.amount, money.Amount{})
	if err != nil {
		return fmt.Errorf("the look-up of a refund that was never sent: %w", err)
	}
	if r.Status != payment.ResultAbsent {
		return fmt.Errorf("of a refund that was never sent the look-up says %s", r.Status)
	}
	m := c.refund(p, p.amount)
	if err := c.fault(m.spec.Name, FaultLost); err != nil {
		return err
	}
	if _, err := m.send(); ofKind(err, payment.KindUnknown) != nil {
		return ofKind(err, payment.KindUnknown)
	}
	for range patience {
		r, _, err := c.lookup(p.attempt, payment.OpRefund, m.spec, m.op, m.key, "", m.amount, money.Amount{})
		if err != nil {
			return fmt.Errorf("the look-up: %w", err)
		}
		if r.Status == payment.ResultApproved {
			return c.truth(p.op, 0, p.amount.Minor(), p.amount.Minor())
		}
		if r.Status != payment.ResultPending && r.Status != payment.ResultAbsent {
			return fmt.Errorf("the look-up says %s", r.Status)
		}
		c.waitGrace(m.spec.Recovery.LookupGrace)
	}
	return errors.New("after the declared grace the look-up still finds no refund")
}

func lookupCapture(c *check) error {
	a, err := c.approved(false)
	if err != nil {
		return err
	}
	cur := a.amount.Currency()
	part := money.Of(stepOf(cur, a.amount.Minor()/4), cur)
	if r, err := c.do(a, c.capture(a, part, money.Zero(cur), false)); err != nil || r.Status != payment.ResultApproved {
		return fmt.Errorf("the first capture is %s: %w", r.Status, orNil(err))
	}
	m := c.capture(a, part, part, false)
	r, _, err := c.lookup(a, payment.OpCapture, m.spec, m.op, m.key, "", part, part)
	if err != nil {
		return fmt.Errorf("the look-up of a capture that was never sent: %w", err)
	}
	if r.Status != payment.ResultAbsent {
		return fmt.Errorf("of a second capture that was never sent the look-up says %s", r.Status)
	}
	if err := c.fault(m.spec.Name, FaultLost); err != nil {
		return err
	}
	if _, err := m.send(); ofKind(err, payment.KindUnknown) != nil {
		return ofKind(err, payment.KindUnknown)
	}
	for range patience {
		r, _, err := c.lookup(a, payment.OpCapture, m.spec, m.op, m.key, "", part, part)
		if err != nil {
			return fmt.Errorf("the look-up: %w", err)
		}
		if r.Status == payment.ResultApproved {
			if r.Amount.Currency() != "" && r.Amount != part {
				return fmt.Errorf("the look-up names %s for a capture of %s", r.Amount, part)
			}
			return c.truth(a.op, a.amount.Minor()-2*part.Minor(), 2*part.Minor(), 0)
		}
		c.waitGrace(m.spec.Recovery.LookupGrace)
	}
	return errors.New("after the declared grace the look-up still finds no second capture")
}
