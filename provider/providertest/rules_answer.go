package providertest

import (
	"errors"
	"fmt"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// others are the answers that are about something else than was asked.
var others = []Fault{FaultOtherAmount, FaultOtherCurrency, FaultNoRef}

func answerRules() []Rule {
	return []Rule{
		{ID: "other-answer", needs: []Ability{AbilityFault, AbilityPayer},
			Text:    "At every step of the flow an answer about another amount or currency, or without the provider's id, is Unknown.",
			Why:     "Counted as approved, an order of 100 is shipped for a payment of 1, or for one that nobody can refund.",
			applies: func(c *check) bool { return c.remoteStep() >= 0 },
			run:     otherAnswers},
		{ID: "other-answer-later", needs: []Ability{AbilityFault, AbilityPayer},
			Text:    "The same for captures and refunds; a void whose answer names no object of the provider is Unknown.",
			Why:     "The books say what was asked for, and the money did something else.",
			applies: func(c *check) bool { return c.mc.Hold || !c.mc.Refund.IsZero() },
			run:     otherAnswersLater},
		{ID: "other-answer-lookup", needs: []Ability{AbilityFault, AbilityPayer},
			Text: "A look-up that is answered about another amount or currency, or without the provider's id, is an error; an approval of another amount may name that amount instead.",
			Why:  "It is the last word on a payment that is in doubt.",
			applies: func(c *check) bool {
				_, ok := c.lookups()
				return ok
			},
			run: otherLookups},
		{ID: "key-conflict", needs: []Ability{AbilityFault, AbilityPayer},
			Text:    "An answer that the key is known from another request, or in progress, is Unknown with KeyConflict, at every write that has a key.",
			Why:     "It proves that an earlier send arrived. As a rejection it closes a step whose money may have moved.",
			applies: func(c *check) bool { return true },
			run:     keyConflicts},
		{ID: "redirect", needs: []Ability{AbilityFault, AbilityRequests, AbilityPayer},
			Text:    "A redirect is not followed, by a write or a look-up, and is Unknown.",
			Why:     "Whoever can make the provider's front door redirect gets the API key, the token and the payer's name; and 307 sends the write a second time.",
			applies: func(c *check) bool { return true },
			run:     redirects},
	}
}

// verdict judges what an adapter made of an altered answer.
func verdict(f Fault, asked money.Amount, r payment.Result, err error) error {
	if err != nil {
		return ofKind(err, payment.KindUnknown)
	}
	about := map[Fault]string{FaultOtherAmount: "about another amount", FaultOtherCurrency: "about another currency", FaultNoRef: "without the provider's id"}[f]
	return fmt.Errorf("an answer %s was read as %s of %s; if the adapter looks at that, see that the rig's fault %q really alters the answer", about, r.Status, asked, f)
}

func otherAnswers(c *check) error {
	var errs []error
	for _, f := range others {
		for i, s := range c.mc.Flow {
			if s.Local {
				continue
			}
			a, err := c.upTo(i)
			if errors.Is(err, errNoStep) {
				break
			} else if err != nil {
				return err
			}
			if err := c.fault(s.Name, f); errors.Is(err, errDeclared) {
				continue
			} else if err != nil {
				errs = append(errs, err)
				continue
			}
			r, err := c.send(a, i)
			if err := verdict(f, a.amount, r, err); err != nil {
				errs = append(errs, fmt.Errorf("step %s: %w", s.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// later is a modification on a payment of its own.
func (c *check) later(kind payment.OperationKind) (*modification, error) {
	if kind == payment.OpRefund {
		p, err := c.collect()
		if err != nil {
			return nil, err
		}
		return c.refund(p, p.amount), nil
	}
	a, err := c.approved(false)
	if err != nil {
		return nil, err
	}
	if kind == payment.OpVoid {
		return c.void(a, a.amount), nil
	}
	return c.capture(a, a.amount, money.Zero(a.amount.Currency()), true), nil
}

// laterKinds are the modifications that the method declares.
func (c *check) laterKinds() (kinds []payment.OperationKind) {
	if c.mc.Hold && !c.mc.Capture.IsZero() {
		kinds = append(kinds, payment.OpCapture)
	}
	if c.mc.Hold && !c.mc.Void.IsZero() {
		kinds = append(kinds, payment.OpVoid)
	}
	if !c.mc.Refund.IsZero() {
		kinds = append(kinds, payment.OpRefund)
	}
	return kinds
}

// onLater breaks every modification of the method with a fault and judges what
// the adapter says.
func (c *check) onLater(f Fault, kinds []payment.OperationKind, judge func(*modification, payment.Result, error) error) (errs []error) {
	for _, kind := range kinds {
		m, err := c.later(kind)
		if err != nil {
			return append(errs, err)
		}
		if err := c.fault(m.spec.Name, f); errors.Is(err, errDeclared) {
			continue
		} else if err != nil {
			errs = append(errs, err)
			continue
		}
		r, err := m.send()
		if err := judge(m, r, err); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", kind, err))
		}
	}
	return errs
}

func otherAnswersLater(c *check) error {
	var errs []error
	for _, f := range others {
		var kinds []payment.OperationKind
		for _, k := range c.laterKinds() {
			if k != payment.OpVoid || f == FaultNoRef { // a void is of what is left, whatever that was
				kinds = append(kinds, k)
			}
		}
		errs = append(errs, c.onLater(f, kinds, func(m *modification, r payment.Result, err error) error {
			return verdict(f, m.amount, r, err)
		})...)
	}
	return errors.Join(errs...)
}

func otherLookups(c *check) error {
	a, err := c.approved(c.sale(true))
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range others {
		if err := c.fault("lookup", f); errors.Is(err, errDeclared) {
			continue
		} else if err != nil {
			errs = append(errs, err)
			continue
		}
		r, _, err := c.lookupAttempt(a)
		switch {
		case err != nil:
			continue // whatever its kind: a failed look-up proves nothing
		case f == FaultOtherAmount && r.Status == payment.ResultApproved && r.Amount.Currency() == a.amount.Currency() && r.Amount != a.amount:
			continue // told as it was found: the client keeps it for a person
		}
		if err := verdict(f, a.amount, r, nil); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// conflicts checks that a failed call says that its key is taken.
func conflicts(err error) error {
	if err := ofKind(err, payment.KindUnknown); err != nil {
		return fmt.Errorf("the key is taken: %w", err)
	}
	var ce *payment.CallError
	if errors.As(err, &ce) && !ce.KeyConflict {
		return errors.New("the key is taken, and the error is not marked KeyConflict: nobody learns that an earlier send arrived")
	}
	return nil
}

func keyConflicts(c *check) error {
	var errs []error
	for i, s := range c.mc.Flow {
		if s.Local || s.Recovery.KeyLife == 0 {
			continue
		}
		a, err := c.upTo(i)
		if errors.Is(err, errNoStep) {
			break
		} else if err != nil {
			return err
		}
		if err := c.fault(s.Name, FaultKeyConflict); errors.Is(err, errDeclared) {
			continue
		} else if err != nil {
			return err
		}
		_, err = c.send(a, i)
		if err := conflicts(err); err != nil {
			errs = append(errs, fmt.Errorf("step %s: %w", s.Name, err))
		}
	}
	errs = append(errs, c.onLater(FaultKeyConflict, c.keyed(), func(_ *modification, _ payment.Result, err error) error { return conflicts(err) })...)
	return errors.Join(errs...)
}

// keyed are the modifications that have a key.
func (c *check) keyed() (kinds []payment.OperationKind) {
	life := map[payment.OperationKind]payment.StepSpec{payment.OpCapture: c.mc.Capture, payment.OpVoid: c.mc.Void, payment.OpRefund: c.mc.Refund}
	for _, k := range c.laterKinds() {
		if life[k].Recovery.KeyLife > 0 {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

func redirects(c *check) error {
	var errs []error
	strayed := func(what string, seen int, err error) {
		for _, r := range c.rig.Requests()[seen:] {
			if r.Elsewhere {
				errs = append(errs, fmt.Errorf("%s followed a redirect to another host", what))
				return
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	for i, s := range c.mc.Flow {
		if s.Local {
			continue
		}
		a, err := c.upTo(i)
		if errors.Is(err, errNoStep) {
			break
		} else if err != nil {
			return err
		}
		if err := c.fault(s.Name, FaultRedirect); err != nil {
			return err
		}
		seen := len(c.rig.Requests())
		_, err = c.send(a, i)
		strayed("step "+s.Name, seen, ofKind(err, payment.KindUnknown))
	}
	for _, k := range c.laterKinds() {
		m, err := c.later(k)
		if err != nil {
			return err
		}
		if err := c.fault(m.spec.Name, FaultRedirect); err != nil {
			return err
		}
		seen := len(c.rig.Requests())
		_, err = m.send()
		strayed("the "+string(k), seen, ofKind(err, payment.KindUnknown))
	}
	if _, ok := c.lookups(); ok {
		a, err := c.approved(c.sale(true))
		if err != nil {
			return err
		}
		if err := c.fault("lookup", FaultRedirect); err != nil {
			return err
		}
		seen := len(c.rig.Requests())
		r, _, err := c.lookupAttempt(a)
		var said error
		if err == nil {
			said = fmt.Errorf("it says %s", r.Status)
		}
		strayed("the look-up", seen, said)
	}
	return errors.Join(errs...)
}
