package providertest

import (
	"errors"
	"fmt"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

func flowRules() []Rule {
	return []Rule{
		{ID: "approve-sale", needs: []Ability{AbilityPayer},
			Text:    "A sale ends approved, with Captured set, a Ref, and exactly its amount collected once.",
			Why:     "Captured false books a hold; no Ref loses every later notification.",
			applies: func(c *check) bool { return c.mc.Sale },
			run:     func(c *check) error { return c.approves(true) }},
		{ID: "approve-hold", needs: []Ability{AbilityPayer},
			Text:    "A hold ends approved, without Captured, with a Ref, and exactly its amount held once.",
			Why:     "Captured true books money that is not there.",
			applies: func(c *check) bool { return c.mc.Hold },
			run:     func(c *check) error { return c.approves(false) }},
		{ID: "decline", needs: []Ability{AbilityDecline, AbilityPayer},
			Text: "A refused payment is a Result, not an error, with a known Reason, the provider's own Code, and no money moved.",
			Why:  "An error says that the outcome may be open; a decline taken for one blocks the payer, an error taken for a decline charges twice.",
			run: func(c *check) error {
				a, err := c.pay(c.sale(true), c.m.Decline)
				if err != nil {
					return err
				}
				switch d := a.last.Decline; {
				case a.final != payment.ResultDeclined:
					return fmt.Errorf("it ended %s", a.final)
				case !d.Reason.Valid():
					return fmt.Errorf("its Reason is %q, which is none of payment.Reasons", d.Reason)
				case c.m.DeclineReason != "" && d.Reason != c.m.DeclineReason:
					return fmt.Errorf("its Reason is %q, the instrument is declined for %q", d.Reason, c.m.DeclineReason)
				case d.Code == "":
					return errors.New("its Code is empty: the provider's own word is lost")
				}
				return c.truth(a.op, 0, 0, 0)
			}},
		{ID: "action", needs: []Ability{AbilityChallenge, AbilityPayer},
			Text: "Where the payer must act, no money moves before; the Action can be carried out; and its end is learned by Resume, look-up or notification.",
			Why:  "An action whose end is never learned is a payment that nobody ships.",
			run: func(c *check) error {
				sale := c.sale(true)
				a, err := c.begin(sale, c.m.Challenge)
				if err != nil {
					return err
				}
				if a.last.Status != payment.ResultActionRequired {
					return fmt.Errorf("the instrument should need the payer, and the answer is %s", a.last.Status)
				}
				if err := c.truth(a.op, 0, 0, 0); err != nil {
					return fmt.Errorf("before the payer acted: %w", err)
				}
				b, err := c.pay(sale, c.m.Challenge)
				if err != nil {
					return err
				}
				if b.final != payment.ResultApproved {
					return fmt.Errorf("after the payer acted it ended %s", b.final)
				}
				return c.truthPaid(b)
			}},
	}
}

// truthPaid says that an attempt, and nothing else, holds or collected its
// amount.
func (c *check) truthPaid(a *attempt) error {
	if a.sale {
		return c.truth(a.op, 0, a.amount.Minor(), 0)
	}
	return c.truth(a.op, a.amount.Minor(), 0, 0)
}

func (c *check) approves(sale bool) error {
	a, err := c.pay(sale, c.m.Approve)
	if err != nil {
		return err
	}
	switch {
	case a.final != payment.ResultApproved:
		return fmt.Errorf("it ended %s (%s)", a.final, a.last.Decline.Reason)
	case a.last.Captured != sale:
		return fmt.Errorf("it says Captured %v", a.last.Captured)
	case a.ref == "":
		return errors.New("no Ref was ever named")
	case a.approved.Currency() != "" && a.approved != a.amount:
		return fmt.Errorf("it names the amount %s for %s", a.approved, a.amount)
	case sale && !a.last.ExpiresAt.IsZero() && a.last.ExpiresAt.Before(c.now()):
		return errors.New("ExpiresAt is in the past")
	}
	return c.truthPaid(a)
}

func moneyRules() []Rule {
	return []Rule{
		{ID: "capture", needs: []Ability{AbilityPayer},
			Text:    "A hold is captured in full, or in the parts that are declared, and the sum is collected exactly.",
			Why:     "A capture booked and not made is an order shipped for nothing.",
			applies: func(c *check) bool { return c.mc.Hold },
			run:     captures},
		{ID: "void", needs: []Ability{AbilityPayer},
			Text:    "A void releases what is held, and nothing can be captured afterwards.",
			Why:     "The payer's money stays blocked, or is taken after we said that it is free.",
			applies: func(c *check) bool { return c.mc.Hold && !c.mc.Void.IsZero() },
			run:     voids},
		{ID: "refund", needs: []Ability{AbilityPayer},
			Text:    "Collected money is given back in full, or in parts where that is declared, and exactly that.",
			Why:     "A refund booked and not made is the payer's loss; one made twice the shop's.",
			applies: func(c *check) bool { return !c.mc.Refund.IsZero() },
			run:     refunds},
		{ID: "over-capture", needs: []Ability{AbilityPayer},
			Text:    "A capture above what is held is refused: rejected, declined, or accepted and declined later. Never approved, never unknown.",
			Why:     "An unknown parks the order; an approval books money that is not there.",
			applies: func(c *check) bool { return c.mc.Hold },
			run: func(c *check) error {
				a, err := c.approved(false)
				if err != nil {
					return err
				}
				m := c.capture(a, money.Of(a.amount.Minor()+100, a.amount.Currency()), money.Zero(a.amount.Currency()), false)
				if err := c.refused(a, m); err != nil {
					return err
				}
				return c.truth(a.op, a.amount.Minor(), 0, 0)
			}},
		{ID: "over-refund", needs: []Ability{AbilityPayer},
			Text:    "A refund above what was collected is refused: rejected, declined, or accepted and declined later. Never approved, never unknown.",
			Why:     "The rest would be the shop's own money.",
			applies: func(c *check) bool { return !c.mc.Refund.IsZero() },
			run: func(c *check) error {
				p, err := c.collect()
				if err != nil {
					return err
				}
				if err := c.refused(p.attempt, c.refund(p, money.Of(p.amount.Minor()+100, p.amount.Currency()))); err != nil {
					return err
				}
				return c.truth(p.op, 0, p.amount.Minor(), 0)
			}},
		{ID: "amounts", needs: []Ability{AbilityPayer},
			Text: "An amount in every class of decimals makes the round trip: what is asked for moves, and what is named back is the same.",
			Why:  "One wrong exponent charges a hundred times too much, or too little, in one currency only.",
			run:  amounts},
	}
}

// approved is an attempt that holds (or, where there is no hold, collected).
func (c *check) approved(sale bool) (*attempt, error) {
	a, err := c.pay(sale, c.m.Approve)
	if err != nil {
		return nil, err
	}
	if a.final != payment.ResultApproved {
		return nil, fmt.Errorf("the payment is %s, not approved", a.final)
	}
	return a, nil
}

// refused sends a modification that must not succeed.
func (c *check) refused(a *attempt, m *modification) error {
	r, err := c.do(a, m)
	var ce *payment.CallError
	switch {
	case errors.As(err, &ce):
		if ce.Kind != payment.KindRejectedRequest && ce.Kind != payment.KindRejectedMerchant && ce.Kind != payment.KindNotSent {
			return fmt.Errorf("it failed with kind %s, which leaves the outcome open: %w", ce.Kind, err)
		}
		return nil
	case err != nil:
		return err
	case r.Status != payment.ResultDeclined:
		return fmt.Errorf("it is %s", r.Status)
	}
	return nil
}

func captures(c *check) error {
	a, err := c.approved(false)
	if err != nil {
		return err
	}
	whole, cur := a.amount.Minor(), a.amount.Currency()
	parts := []int64{whole}
	switch {
	case c.mc.MultiCapture:
		first := stepOf(cur, whole/4)
		parts = []int64{first, stepOf(cur, whole/2)}
		parts = append(parts, whole-parts[0]-parts[1])
	case c.mc.PartialCapture:
		parts = []int64{stepOf(cur, whole/4)}
	}
	var done int64
	for i, part := range parts {
		last := i == len(parts)-1
		m := c.capture(a, money.Of(part, cur), money.Of(done, cur), last)
		r, err := c.do(a, m)
		if err != nil {
			return fmt.Errorf("capture %d of %d: %w", i+1, len(parts), err)
		}
		if r.Status != payment.ResultApproved {
			return fmt.Errorf("capture %d of %d is %s", i+1, len(parts), r.Status)
		}
		done += part
		if !last {
			if err := c.truth(a.op, whole-done, done, 0); err != nil {
				return fmt.Errorf("after capture %d: %w", i+1, err)
			}
		}
	}
	// The last one was final: nothing stays held.
	return c.truth(a.op, 0, done, 0)
}

// stepOf rounds down to a multiple of ten minor units where currencies with
// three decimals must be (Stripe), so that every provider takes the part.
func stepOf(c money.Currency, minor int64) int64 {
	if e, _ := c.Exponent(); e == 3 {
		return minor / 10 * 10
	}
	return minor
}

func voids(c *check) error {
	a, err := c.approved(false)
	if err != nil {
		return err
	}
	r, err := c.do(a, c.void(a, a.amount))
	if err != nil {
		return err
	}
	if r.Status != payment.ResultApproved && r.Status != payment.ResultCanceled {
		return fmt.Errorf("the void is %s", r.Status)
	}
	if err := c.truth(a.op, 0, 0, 0); err != nil {
		return err
	}
	if err := c.refused(a, c.capture(a, a.amount, money.Zero(a.amount.Currency()), true)); err != nil {
		return fmt.Errorf("a capture after the void: %w", err)
	}
	return c.truth(a.op, 0, 0, 0)
}

func refunds(c *check) error {
	p, err := c.collect()
	if err != nil {
		return err
	}
	whole, cur := p.amount.Minor(), p.amount.Currency()
	parts := []int64{whole}
	if c.mc.PartialRefund {
		first := stepOf(cur, whole/4)
		parts = []int64{first, whole - first}
	}
	var done int64
	for i, part := range parts {
		r, err := c.do(p.attempt, c.refund(p, money.Of(part, cur)))
		if err != nil {
			return fmt.Errorf("refund %d of %d: %w", i+1, len(parts), err)
		}
		if r.Status != payment.ResultApproved {
			return fmt.Errorf("refund %d of %d is %s", i+1, len(parts), r.Status)
		}
		done += part
		if err := c.truth(p.op, 0, whole, done); err != nil {
			return fmt.Errorf("after refund %d: %w", i+1, err)
		}
	}
	return nil
}

// amounts pays once in each currency.
func amounts(c *check) error {
	currencies := c.m.Currencies
	if currencies == nil {
		for _, cur := range []money.Currency{money.USD, money.JPY, money.KWD} {
			if takes(c.mc, cur) {
				currencies = append(currencies, cur)
			}
		}
	}
	if len(currencies) == 0 {
		currencies = []money.Currency{c.amount.Currency()}
	}
	keep := c.amount
	defer func() { c.amount = keep }()
	for _, cur := range currencies {
		c.amount = money.Of(12340, cur) // 123.40, 12340, 12.340
		a, err := c.approved(c.sale(false))
		if err != nil {
			return fmt.Errorf("%s: %w", c.amount, err)
		}
		if a.approved.Currency() != "" && a.approved != c.amount {
			return fmt.Errorf("%s came back as %s", c.amount, a.approved)
		}
		if err := c.truthPaid(a); err != nil {
			return fmt.Errorf("%s: %w", c.amount, err)
		}
	}
	return nil
}

func takes(mc payment.MethodCapabilities, cur money.Currency) bool {
	if len(mc.Currencies) == 0 {
		return true
	}
	for _, c := range mc.Currencies {
		if c == cur {
			return true
		}
	}
	return false
}
