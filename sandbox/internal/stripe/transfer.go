package stripe

import (
	"strings"

	"github.com/tender-go/payment/sandbox/internal/core"
)

type transfer struct {
	id, currency, description, destination, group, sourceType string
	amount, reversedAmount, created                           int64
	source                                                    *charge
	metadata                                                  map[string]string
	txn                                                       *balanceTransaction
	payment                                                   string // destination_payment
	reversals                                                 []*reversal
}

type reversal struct {
	id, refund, description string
	amount, created         int64
	transfer                *transfer
	metadata                map[string]string
	txn                     *balanceTransaction
}

func (t *transfer) objectID() string     { return t.id }
func (t *transfer) objectCreated() int64 { return t.created }
func (t *transfer) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderTransfer(a, w, t, nil)
}
func (r *reversal) objectID() string     { return r.id }
func (r *reversal) objectCreated() int64 { return r.created }
func (r *reversal) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderReversal(a, w, r, nil)
}

func createTransfer(c *call) *apiError {
	p := c.p
	t := &transfer{created: c.at, description: p.text("description", 0), group: p.text("transfer_group", 0), metadata: p.metadata(nil), sourceType: "card"}
	amount, amountSent := p.int("amount")
	cur, err := checkCurrency(p.need("currency"))
	if err != nil {
		p.fail(err)
	}
	t.amount, t.currency = amount, cur
	t.destination = p.need("destination")
	source := p.text("source_transaction", 0)
	if v := p.enum("source_type", "bank_account", "card", "fpx"); v != "" {
		t.sourceType = v
	}
	if !amountSent && source == "" {
		p.missing("amount")
	}
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	if !strings.HasPrefix(t.destination, "acct_") || t.destination == c.a.id {
		return invalid("resource_missing", "destination", "No such destination: '"+t.destination+"'")
	}
	if source != "" {
		ch := c.a.charges.find(source)
		switch {
		case ch == nil:
			return missing("charge", source, "source_transaction")
		case ch.multicapture:
			return refused("", "source_transaction", "A charge with multicapture cannot be the source_transaction of a transfer.")
		case ch.currency != t.currency:
			return refused("", "currency", "The currency of source_transaction's balance transaction ("+ch.currency+") must be the same as the transfer currency ("+t.currency+")")
		}
		if !amountSent {
			t.amount = ch.amountCaptured
		}
		if ch.transferred+t.amount > ch.amountCaptured {
			return refused("", "amount", "Transfers using this transaction as a source must not exceed the source amount of "+display(ch.amountCaptured, ch.currency)+". (There is already a total of "+display(ch.transferred, ch.currency)+" transferred from this charge.)")
		}
		t.source = ch
	}
	if t.amount < 1 {
		return invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	}
	if t.source == nil && c.a.money(t.currency).available < t.amount {
		return refused("balance_insufficient", "", "You have insufficient available funds in your Stripe account. Charge the test card 4000000000000077 to add funds to your available balance at once, or move the sandbox's clock forward.")
	}
	c.makeTransfer(c.a, t)
	c.renderTransfer(c.a, c.w, t, c.x)
	return nil
}

// makeTransfer moves the money into the connected account.
func (c *call) makeTransfer(a *account, t *transfer) {
	t.id = c.id("tr_1", 23)
	a.transfers.add(t.id, t)
	if t.source != nil {
		t.source.transferred += t.amount
		if t.group == "" {
			t.group = t.source.transferGroup
		}
		if t.group == "" && t.source.intent != nil {
			t.group = "group_" + t.source.intent.id
		}
	}
	t.txn = c.post(a, &balanceTransaction{currency: t.currency, typ: "transfer", category: "transfer", description: t.description, amount: -t.amount, source: t}, t.source == nil)
	to := c.account(t.destination)
	t.payment = c.id("py_1", 23)
	c.post(to, &balanceTransaction{currency: t.currency, typ: "payment", category: "charge", amount: t.amount, source: named(t.payment)}, t.source == nil)
	c.emit(a, "transfer.created", t)
}

// named is an object the sandbox knows by its id only.
type named string

func (n named) objectID() string                                { return string(n) }
func (n named) objectCreated() int64                            { return 0 }
func (n named) renderPlain(_ *Stripe, _ *account, w *core.JSON) { w.Text(string(n)) }

func (c *call) transfer0() (*transfer, *apiError) {
	t := c.a.transfers.find(c.ids[0])
	if t == nil {
		return nil, missing("transfer", c.ids[0], "id")
	}
	return t, nil
}

func getTransfer(c *call) *apiError {
	t, apiErr := c.transfer0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	c.renderTransfer(c.a, c.w, t, c.x)
	return nil
}

func updateTransfer(c *call) *apiError {
	t, apiErr := c.transfer0()
	if apiErr != nil {
		return apiErr
	}
	metadata, description := c.p.metadata(t.metadata), t.description
	c.p.set(&description, "description", 0)
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	t.metadata, t.description = metadata, description
	c.emit(c.a, "transfer.updated", t)
	c.renderTransfer(c.a, c.w, t, c.x)
	return nil
}

func listTransfers(c *call) *apiError {
	to, group := c.p.text("destination", 0), c.p.text("transfer_group", 0)
	return list(c, &c.a.transfers, "/v1/transfers", func(t *transfer) bool {
		return (to == "" || t.destination == to) && (group == "" || t.group == group)
	}, c.renderTransfer)
}

func createReversal(c *call) *apiError {
	t, apiErr := c.transfer0()
	if apiErr != nil {
		return apiErr
	}
	amount, sent := c.p.int("amount")
	r := &reversal{description: c.p.text("description", 0), metadata: c.p.metadata(nil), transfer: t}
	c.p.ignore("refund_application_fee")
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	left := t.amount - t.reversedAmount
	if !sent {
		amount = left
	}
	switch {
	case left == 0:
		return refused("", "", "Transfer "+t.id+" is already fully reversed.")
	case amount < 1:
		return invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	case amount > left:
		return refused("", "amount", "Reversal amount ("+display(amount, t.currency)+") is greater than the unreversed amount on transfer ("+display(left, t.currency)+")")
	}
	r.amount = amount
	c.reverse(c.a, r)
	c.renderReversal(c.a, c.w, r, c.x)
	return nil
}

// reverse takes the money back from the connected account.
func (c *call) reverse(a *account, r *reversal) {
	t := r.transfer
	r.id, r.created = c.id("trr_1", 23), c.at
	t.reversals = append(t.reversals, r)
	t.reversedAmount += r.amount
	if t.source != nil {
		t.source.transferred -= r.amount
	}
	r.txn = c.post(a, &balanceTransaction{currency: t.currency, typ: "transfer_refund", category: "transfer_reversal", description: "REFUND FOR TRANSFER (" + t.id + ")", amount: r.amount, source: r}, true)
	c.post(c.account(t.destination), &balanceTransaction{currency: t.currency, typ: "payment_refund", category: "refund", amount: -r.amount, source: named(t.payment)}, true)
	c.emit(a, "transfer.reversed", t)
}

func listReversals(c *call) *apiError {
	t, apiErr := c.transfer0()
	if apiErr != nil {
		return apiErr
	}
	var of table[*reversal]
	for _, r := range t.reversals {
		of.add(r.id, r)
	}
	return list(c, &of, "/v1/transfers/"+t.id+"/reversals", func(*reversal) bool { return true }, c.renderReversal)
}

func getReversal(c *call) *apiError {
	t, apiErr := c.transfer0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	for _, r := range t.reversals {
		if r.id == c.ids[1] {
			c.renderReversal(c.a, c.w, r, c.x)
			return nil
		}
	}
	return missing("transfer_reversal", c.ids[1], "id")
}

func updateReversal(c *call) *apiError {
	t, apiErr := c.transfer0()
	if apiErr != nil {
		return apiErr
	}
	for _, r := range t.reversals {
		if r.id == c.ids[1] {
			metadata := c.p.metadata(r.metadata)
			if apiErr := c.p.done(); apiErr != nil {
				return apiErr
			}
			r.metadata = metadata
			c.renderReversal(c.a, c.w, r, c.x)
			return nil
		}
	}
	return missing("transfer_reversal", c.ids[1], "id")
}

func (s *Stripe) renderTransfer(a *account, w *core.JSON, t *transfer, x expand) {
	w.Open()
	w.S("id", t.id)
	w.S("object", "transfer")
	w.I("amount", t.amount)
	w.I("amount_reversed", t.reversedAmount)
	w.Key("balance_transaction")
	s.refTxn(a, w, t.txn, x, "balance_transaction")
	w.I("created", t.created)
	w.S("currency", t.currency)
	w.SN("description", t.description)
	w.S("destination", t.destination)
	w.S("destination_payment", t.payment)
	w.B("livemode", false)
	w.Map("metadata", t.metadata)
	w.Object("reversals")
	w.S("object", "list")
	w.List("data")
	for i := len(t.reversals) - 1; i >= max(0, len(t.reversals)-10); i-- {
		s.renderReversal(a, w, t.reversals[i], nil)
	}
	w.CloseList()
	w.B("has_more", len(t.reversals) > 10)
	w.I("total_count", int64(len(t.reversals)))
	w.S("url", "/v1/transfers/"+t.id+"/reversals")
	w.Close()
	w.B("reversed", t.reversedAmount == t.amount)
	w.Key("source_transaction")
	if sub, want := x.in("source_transaction"); t.source == nil {
		w.Null()
	} else if want {
		s.renderCharge(a, w, t.source, sub)
	} else {
		w.Text(t.source.id)
	}
	w.S("source_type", t.sourceType)
	w.SN("transfer_group", t.group)
	w.Close()
}

func (s *Stripe) renderReversal(a *account, w *core.JSON, r *reversal, x expand) {
	w.Open()
	w.S("id", r.id)
	w.S("object", "transfer_reversal")
	w.I("amount", r.amount)
	w.Key("balance_transaction")
	s.refTxn(a, w, r.txn, x, "balance_transaction")
	w.I("created", r.created)
	w.S("currency", r.transfer.currency)
	w.N("destination_payment_refund")
	w.Map("metadata", r.metadata)
	w.SN("source_refund", r.refund)
	w.Key("transfer")
	if sub, want := x.in("transfer"); want {
		s.renderTransfer(a, w, r.transfer, sub)
	} else {
		w.Text(r.transfer.id)
	}
	w.Close()
}
