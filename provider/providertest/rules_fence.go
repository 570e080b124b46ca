package providertest

import (
	"errors"
	"fmt"
	"maps"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

func fenceRules() []Rule {
	return []Rule{
		{ID: "fence-open", needs: []Ability{AbilityPayer, AbilityChallenge},
			Text:    "A confirmed fence of an attempt that waits for its payer makes it unpayable; asked again, it says the same.",
			Why:     "The next attempt opens on its word: a payer who can still pay the old one pays twice.",
			applies: func(c *check) bool { return !c.mc.FenceStep.IsZero() },
			run:     fenceOpen},
		{ID: "fence-paid", needs: []Ability{AbilityPayer},
			Text:    "A fence after the payment never says that no money moved while it did: it releases what is held, or says declined and shows the payment in Events or by look-up.",
			Why:     "A paid order that is reported as unpayable is charged again.",
			applies: func(c *check) bool { return !c.mc.FenceStep.IsZero() },
			run:     fencePaid},
		{ID: "fence-by-reference", needs: []Ability{AbilityFault},
			Text: "Where it is declared, an attempt whose answer was lost is fenced by our key alone.",
			Why:  "It is the last proof before another provider is asked.",
			applies: func(c *check) bool {
				return !c.mc.FenceStep.IsZero() && !c.mc.Flow[0].Local && c.mc.Flow[0].Recovery.FenceByReference
			},
			run: fenceByReference},
		{ID: "deadline", needs: []Ability{AbilityPayer, AbilityClock},
			Text:    "Where the fence is a deadline, the payer cannot pay after Until and the declared grace.",
			Why:     "Nothing else ever closes such an attempt.",
			applies: func(c *check) bool { return c.mc.Fence == payment.FenceDeadline },
			run: func(c *check) error {
				a, err := c.begin(c.sale(true), c.m.Approve)
				if err != nil {
					return err
				}
				if a.last.Status != payment.ResultActionRequired {
					return fmt.Errorf("the answer is %s", a.last.Status)
				}
				c.rig.Advance(a.until.Sub(c.now()) + c.mc.PayableGrace + 1)
				if _, err := c.payer(a); err == nil {
					return errors.New("the payer could still pay")
				}
				return c.truth(a.op, 0, 0, 0)
			}},
	}
}

// fence sends a fence and waits for its word: approved, declined, or "" where
// it stays undecided.
func (c *check) fence(a *attempt, ref, targetKey string) (payment.Result, error) {
	p, ok := c.p.(payment.Fencer)
	if !ok {
		return payment.Result{}, errors.New("a FenceStep is declared and there is no Fencer")
	}
	op := a.op
	r := payment.FenceRequest{Call: c.callOf(a, op, c.mc.FenceStep.Name, c.id()+"f"), TargetKey: targetKey, Amount: a.amount, Method: a.instrument.Method}
	r.Ref, r.Data = ref, maps.Clone(a.data)
	res, err := c.guarded("Fence", nil, func() (payment.Result, error) { return p.Fence(c.ctx, r) })
	if err != nil {
		return res, fmt.Errorf("the fence: %w", err)
	}
	for n := 0; res.Status == payment.ResultPending && n < patience; n++ {
		for _, e := range c.events() {
			switch {
			case e.Kind == payment.OpAuthorize && namesAttempt(&e, a) && (e.Status == payment.ResultCanceled || e.Status == payment.ResultExpired):
				res = payment.Result{Status: payment.ResultApproved, Ref: e.Ref}
			case e.StepKey == r.Key && e.Status == payment.ResultDeclined:
				res = payment.Result{Status: payment.ResultDeclined, Decline: e.Decline}
			}
		}
		c.wait()
	}
	return res, nil
}

func fenceOpen(c *check) error {
	a, err := c.begin(c.sale(true), c.m.Challenge)
	if err != nil {
		return err
	}
	if a.last.Status != payment.ResultActionRequired {
		return fmt.Errorf("the instrument should need the payer, and the answer is %s", a.last.Status)
	}
	r, err := c.fence(a, a.ref, a.key)
	if err != nil {
		return err
	}
	switch r.Status {
	case payment.ResultApproved:
		if _, err := c.payer(a); err == nil {
			// The act may have gone through in the browser: did money move?
			c.wait()
			if err := c.truth(a.op, 0, 0, 0); err != nil {
				return fmt.Errorf("the fence is confirmed and the payer paid: %w", err)
			}
			if c.rig.Truth == nil {
				return errors.New("the fence is confirmed and the payer could still pay")
			}
		}
		again, err := c.fence(a, a.ref, a.key)
		if err != nil {
			return fmt.Errorf("a second fence: %w", err)
		}
		if again.Status == payment.ResultDeclined {
			return errors.New("a second fence says declined")
		}
	case payment.ResultPending:
		if c.mc.Fence == payment.FenceConfirmed {
			return errors.New("the fence stays undecided although nobody is paying")
		}
	default:
		return fmt.Errorf("the fence of an unpaid attempt is %s", r.Status)
	}
	return c.truth(a.op, 0, 0, 0)
}

func fencePaid(c *check) error {
	sale := c.sale(false)
	a, err := c.approved(sale)
	if err != nil {
		return err
	}
	c.events() // what was sent before the fence is no answer to it
	r, err := c.fence(a, a.ref, a.key)
	var ce *payment.CallError
	if errors.As(err, &ce) {
		if ce.Kind == payment.KindRejectedRequest || ce.Kind == payment.KindUnknown {
			return c.truthPaid(a) // it proves nothing, and says so
		}
		return err
	}
	if err != nil {
		return err
	}
	switch r.Status {
	case payment.ResultApproved:
		// Only a hold may be given back by it.
		if err := c.truth(a.op, 0, 0, 0); err != nil {
			return fmt.Errorf("the fence is confirmed: %w", err)
		}
		return nil
	case payment.ResultDeclined:
		for _, e := range r.Events {
			if e.Kind == payment.OpAuthorize && e.Status == payment.ResultApproved {
				return c.truthPaid(a)
			}
		}
		found, asked, err := c.lookupAttempt(a)
		if asked && (err != nil || found.Status != payment.ResultApproved) {
			return fmt.Errorf("the fence says declined, and the look-up says %s: %w", found.Status, orNil(err))
		}
	}
	return c.truthPaid(a)
}

func fenceByReference(c *check) error {
	a := c.newAttempt(c.sale(true), c.m.Approve)
	if err := c.fault(c.mc.Flow[0].Name, FaultLost); err != nil {
		return err
	}
	if _, err := c.send(a, 0); ofKind(err, payment.KindUnknown) != nil {
		return ofKind(err, payment.KindUnknown)
	}
	r, err := c.fence(a, "", a.key)
	if err != nil {
		return err
	}
	if r.Status != payment.ResultApproved {
		return fmt.Errorf("the fence is %s", r.Status)
	}
	return c.truth(a.op, 0, 0, 0)
}

func vaultRules() []Rule {
	return []Rule{
		{ID: "save", needs: []Ability{AbilityPayer},
			Text:    "A saved method has a token that pays; once forgotten it pays no more, and forgetting it again is no error.",
			Why:     "One click charges what the payer believes is gone, or fails for all.",
			applies: func(c *check) bool { return !c.caps.Save.IsZero() && c.mc.Save },
			run:     saves},
		{ID: "transfer",
			Text:    "A transfer happens once per key and carries a Ref.",
			Why:     "It is the seller's money.",
			applies: func(c *check) bool { return !c.caps.Transfer.IsZero() && !c.mc.Refund.IsZero() },
			run: func(c *check) error {
				p, err := c.collect()
				if err != nil {
					return err
				}
				part := money.Of(stepOf(p.amount.Currency(), p.amount.Minor()/2), p.amount.Currency())
				op := c.id()
				r := payment.TransferRequest{Call: c.callOf(p.attempt, op, c.caps.Transfer.Name, op+"s1"), Amount: part, Destination: "acct_conformance", SourceRef: p.capture}
				send := func() (payment.Result, error) {
					return c.guarded("Transfer", nil, func() (payment.Result, error) { return c.p.(payment.Splitter).Transfer(c.ctx, r) })
				}
				first, err := send()
				if err != nil {
					return err
				}
				if first.Status != payment.ResultApproved && first.Status != payment.ResultPending {
					return fmt.Errorf("the transfer is %s", first.Status)
				}
				if first.Ref == "" {
					return errors.New("the transfer has no Ref")
				}
				if c.caps.Transfer.Recovery.KeyLife == 0 {
					return nil
				}
				again, err := send()
				if err != nil {
					return fmt.Errorf("the replay: %w", err)
				}
				return same(first, again)
			}},
		{ID: "dispute", needs: []Ability{AbilityDispute, AbilityPayer, AbilityWebhooks},
			Text:    "A dispute is notified with its fact and the payment it is about, and accepted as declared.",
			Why:     "A chargeback that nobody hears of is lost by default.",
			applies: func(c *check) bool { return !c.caps.Accept.IsZero() && c.caps.Webhooks && !c.mc.Refund.IsZero() },
			run:     disputes},
	}
}

func saves(c *check) error {
	v := c.p.(payment.Vault)
	op := c.id()
	blank := &attempt{payment: op, data: map[string]string{}, since: c.now()}
	save := payment.SaveRequest{Call: c.callOf(blank, op, c.caps.Save.Name, op+"s1"), Method: c.m.Approve, Customer: "cust1",
		Payer: payment.Payer{Name: plantedName, Email: plantedEmail}, ReturnURL: "https://shop.example.test/return"}
	r, err := c.guarded("Save", []string{c.m.Approve.Token.Reveal()}, func() (payment.Result, error) { return v.Save(c.ctx, save) })
	if err != nil {
		return fmt.Errorf("the save: %w", err)
	}
	if r.Status != payment.ResultApproved {
		return fmt.Errorf("the save is %s", r.Status)
	}
	if r.Token.IsZero() {
		return errors.New("an approved Save has no Token")
	}
	saved := c.m.Approve
	saved.Token = r.Token
	pay := func() (*attempt, error) { return c.pay(c.sale(true), saved) }
	if a, err := pay(); err != nil || a.final != payment.ResultApproved {
		return fmt.Errorf("a payment with the saved token is %s: %w", a.final, orNil(err))
	}
	if c.caps.Forget.IsZero() {
		return nil
	}
	forget := func(n string) error {
		f := payment.ForgetRequest{Call: c.callOf(blank, op, c.caps.Forget.Name, op+n), Token: r.Token, ProviderCustomer: r.ProviderCustomer}
		res, err := c.guarded("Forget", []string{r.Token.Reveal()}, func() (payment.Result, error) { return v.Forget(c.ctx, f) })
		if err != nil {
			return fmt.Errorf("the forget: %w", err)
		}
		if res.Status != payment.ResultApproved {
			return fmt.Errorf("the forget is %s", res.Status)
		}
		return nil
	}
	if err := forget("f1"); err != nil {
		return err
	}
	if err := forget("f2"); err != nil {
		return fmt.Errorf("the second time: %w", err)
	}
	a, err := pay()
	var ce *payment.CallError
	if errors.As(err, &ce) && ce.Kind == payment.KindRejectedRequest {
		return nil
	}
	if err == nil && a.final == payment.ResultApproved {
		return errors.New("a forgotten token still pays")
	}
	return nil
}

func disputes(c *check) error {
	p, err := c.collect()
	if err != nil {
		return err
	}
	c.events()
	ref, err := c.rig.Dispute(Attempt{Operation: p.op, Payment: p.payment, Ref: p.ref, Method: p.instrument.Method}, p.amount)
	if err != nil {
		return fmt.Errorf("Rig.Dispute: %w", err)
	}
	var fact *payment.DisputeFact
	for n := 0; fact == nil && n < patience; n++ {
		for _, e := range c.events() {
			if e.Kind != payment.OpDispute {
				continue
			}
			if e.Dispute == nil {
				return errors.New("the notification of a dispute carries no Dispute")
			}
			if e.Parent != p.ref && e.Parent != p.capture && e.OperationID != p.op {
				return errors.New("the notification does not say which payment is disputed")
			}
			fact = e.Dispute
		}
		c.wait()
	}
	switch {
	case fact == nil:
		return errors.New("no notification came")
	case fact.Ref != ref || fact.Amount != p.amount || fact.Status == "":
		return fmt.Errorf("it names dispute %q over %s, %q; it is %q over %s", fact.Ref, fact.Amount, fact.Status, ref, p.amount)
	}
	if c.caps.Respond.IsZero() {
		return c.accept(p, ref)
	}
	op := c.id()
	r := payment.RespondRequest{Call: c.callOf(p.attempt, op, c.caps.Respond.Name, op+"s1"), DisputeRef: ref, Evidence: payment.Evidence{Text: plantedText}}
	if _, err := c.guarded("Respond", nil, func() (payment.Result, error) { return c.p.(payment.Disputer).Respond(c.ctx, r) }); err != nil {
		return fmt.Errorf("the response: %w", err)
	}
	return c.accept(p, ref)
}

func (c *check) accept(p *paid, ref string) error {
	op := c.id()
	r := payment.AcceptRequest{Call: c.callOf(p.attempt, op, c.caps.Accept.Name, op+"s1"), DisputeRef: ref}
	res, err := c.guarded("Accept", nil, func() (payment.Result, error) { return c.p.(payment.Disputer).Accept(c.ctx, r) })
	if err != nil {
		return fmt.Errorf("the acceptance: %w", err)
	}
	if res.Status != payment.ResultApproved && res.Status != payment.ResultPending {
		return fmt.Errorf("the acceptance is %s", res.Status)
	}
	return nil
}
