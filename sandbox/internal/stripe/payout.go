package stripe

import (
	"fmt"
	"time"

	"github.com/tender-go/payment/sandbox/internal/core"
)

type payout struct {
	id, currency, status, description, method, descriptor, destination string
	failureCode, failureMessage, sourceType                            string
	amount, created, arrival                                           int64
	metadata                                                           map[string]string
	txn, failureTxn                                                    *balanceTransaction
}

func (p *payout) objectID() string     { return p.id }
func (p *payout) objectCreated() int64 { return p.created }
func (p *payout) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderPayout(a, w, p, nil)
}

// payoutTime stands for the days until a payout arrives.
const payoutTime = 3 * time.Second

func createPayout(c *call) *apiError {
	p := c.p
	po := &payout{created: c.at, status: "pending", method: "standard", sourceType: "card", metadata: p.metadata(nil),
		description: p.text("description", 0), descriptor: p.text("statement_descriptor", 22), destination: p.text("destination", 0)}
	amount, sent := p.int("amount")
	if !sent {
		p.missing("amount")
	}
	cur, err := checkCurrency(p.need("currency"))
	if err != nil {
		p.fail(err)
	}
	if v := p.enum("method", "standard", "instant"); v != "" {
		po.method = v
	}
	if v := p.enum("source_type", "bank_account", "card", "fpx"); v != "" {
		po.sourceType = v
	}
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	po.amount, po.currency = amount, cur
	switch {
	case amount < 1:
		return invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	case (cur == "huf" || cur == "twd" || cur == "isk" || cur == "ugx") && amount%100 != 0: // https://docs.stripe.com/currencies#special-cases
		return invalid("", "amount", "A payout in this currency must be evenly divisible by 100.")
	case c.a.money(cur).available < amount:
		return refused("balance_insufficient", "", "You have insufficient funds in your Stripe account for this transfer. Your card balance is too low. You can use the /v1/balance endpoint to view your Stripe balance (for more details, see stripe.com/docs/api#balance).")
	}
	po.id = c.id("po_1", 23)
	if po.destination == "" {
		po.destination = "ba_1" + last(c.a.id, 15) + "00000000"
	}
	po.arrival = time.Unix(c.at, 0).UTC().Add(payoutDelay).Truncate(24 * time.Hour).Unix()
	c.a.payouts.add(po.id, po)
	po.txn = c.post(c.a, &balanceTransaction{currency: cur, typ: "payout", category: "payout", description: "STRIPE PAYOUT", amount: -amount, source: po}, true)
	a := c.a
	c.emit(a, "payout.created", po)
	c.later(payoutTime, func() {
		if po.status == "pending" {
			po.status = "paid"
			d := &call{Stripe: c.Stripe, a: a, at: c.now()}
			d.emit(a, "payout.paid", po)
		}
	})
	c.renderPayout(c.a, c.w, po, c.x)
	return nil
}

func (c *call) payout0() (*payout, *apiError) {
	po := c.a.payouts.find(c.ids[0])
	if po == nil {
		return nil, missing("payout", c.ids[0], "id")
	}
	return po, nil
}

func getPayout(c *call) *apiError {
	po, apiErr := c.payout0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	c.renderPayout(c.a, c.w, po, c.x)
	return nil
}

func updatePayout(c *call) *apiError {
	po, apiErr := c.payout0()
	if apiErr != nil {
		return apiErr
	}
	metadata := c.p.metadata(po.metadata)
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	po.metadata = metadata
	c.emit(c.a, "payout.updated", po)
	c.renderPayout(c.a, c.w, po, c.x)
	return nil
}

func cancelPayout(c *call) *apiError {
	po, apiErr := c.payout0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	if po.status != "pending" {
		return refused("", "", "Payouts can only be canceled while they are pending; this one is "+po.status+".")
	}
	po.status = "canceled"
	c.returnPayout(c.a, po, "payout_cancel")
	c.emit(c.a, "payout.canceled", po)
	c.renderPayout(c.a, c.w, po, c.x)
	return nil
}

func (c *call) returnPayout(a *account, po *payout, typ string) {
	t := c.post(a, &balanceTransaction{currency: po.currency, typ: typ, category: "payout_reversal", description: "PAYOUT REVERSAL", amount: po.amount, source: po}, true)
	po.failureTxn = t
}

func listPayouts(c *call) *apiError {
	status, to := c.p.text("status", 0), c.p.text("destination", 0)
	c.p.ignore("arrival_date")
	return list(c, &c.a.payouts, "/v1/payouts", func(po *payout) bool {
		return (status == "" || po.status == status) && (to == "" || po.destination == to)
	}, c.renderPayout)
}

// FailPayout lets a payout come back from the bank.
func (s *Stripe) FailPayout(id, code string) error {
	s.Timers.RunDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		po := a.payouts.find(id)
		if po == nil {
			continue
		}
		if po.status == "failed" || po.status == "canceled" {
			return fmt.Errorf("sandbox: stripe: payout %s is %s", id, po.status)
		}
		if code == "" {
			code = "account_closed"
		}
		c := &call{Stripe: s, a: a, at: s.now()}
		po.status, po.failureCode, po.failureMessage = "failed", code, "The bank returned the payout."
		c.returnPayout(a, po, "payout_failure")
		c.emit(a, "payout.failed", po)
		return nil
	}
	return noSuch("payout", id)
}

func (s *Stripe) renderPayout(a *account, w *core.JSON, po *payout, x expand) {
	w.Open()
	w.S("id", po.id)
	w.S("object", "payout")
	w.I("amount", po.amount)
	w.I("arrival_date", po.arrival)
	w.B("automatic", false)
	w.Key("balance_transaction")
	s.refTxn(a, w, po.txn, x, "balance_transaction")
	w.I("created", po.created)
	w.S("currency", po.currency)
	w.SN("description", po.description)
	w.S("destination", po.destination)
	w.Key("failure_balance_transaction")
	s.refTxn(a, w, po.failureTxn, x, "failure_balance_transaction")
	w.SN("failure_code", po.failureCode)
	w.SN("failure_message", po.failureMessage)
	w.B("livemode", false)
	w.Map("metadata", po.metadata)
	w.S("method", po.method)
	w.N("original_payout")
	w.S("reconciliation_status", "not_applicable")
	w.N("reversed_by")
	w.S("source_type", po.sourceType)
	w.SN("statement_descriptor", po.descriptor)
	w.S("status", po.status)
	w.S("type", "bank_account")
	w.Close()
}
