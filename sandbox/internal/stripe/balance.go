package stripe

import (
	"maps"
	"slices"
	"time"

	"github.com/tender-go/payment/sandbox/internal/core"
)

type balanceTransaction struct {
	id, currency, typ, category, description string
	amount, fee                              int64
	applicationFee                           int64 // part of fee
	feeName                                  string
	created, availableOn                     int64
	source                                   object
}

func (t *balanceTransaction) objectID() string     { return t.id }
func (t *balanceTransaction) objectCreated() int64 { return t.created }
func (t *balanceTransaction) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderTxn(a, w, t, nil)
}

// Fees of the sandbox: 2.9 % rounded half up plus a fixed part, the standard US
// card price (https://stripe.com/pricing); the fixed part is 30 minor units of
// a two-decimal currency, 30 of a zero-decimal one, 300 of a three-decimal one.
func processingFee(amount int64, currency string) int64 {
	fixed := int64(30)
	if threeDecimal[currency] {
		fixed = 300
	}
	return min((amount*29+500)/1000+fixed, amount)
}

// payoutDelay is when a charge's money becomes available.
const payoutDelay = 2 * 24 * time.Hour

// post books one balance transaction.
func (c *call) post(a *account, t *balanceTransaction, available bool) *balanceTransaction {
	t.id, t.created, t.availableOn = c.id("txn_3", 23), c.at, c.at
	b := a.money(t.currency)
	net := t.amount - t.fee
	if available {
		b.available += net
	} else {
		t.availableOn = time.Unix(c.at, 0).UTC().Add(payoutDelay).Truncate(24 * time.Hour).Unix()
		b.pending += net
		c.later(time.Unix(t.availableOn, 0).Sub(time.Unix(c.at, 0)), func() { b.pending -= net; b.available += net })
	}
	a.balanceTxn.add(t.id, t)
	return t
}

func (a *account) money(currency string) *money {
	b := a.balance[currency]
	if b == nil {
		b = &money{}
		a.balance[currency] = b
	}
	return b
}

// credit books captured money.
func (c *call) credit(a *account, ch *charge, amount int64) {
	typ := "charge"
	if ch.id[:3] == "py_" {
		typ = "payment"
	}
	t := &balanceTransaction{currency: ch.currency, typ: typ, category: "charge", description: ch.description, amount: amount,
		fee: processingFee(amount, ch.currency), source: ch}
	if ch.feeAmount != nil && a != c.platform { // a direct charge pays the platform's fee out of its own proceeds
		t.applicationFee = min(*ch.feeAmount, amount-t.fee)
		t.fee += t.applicationFee
	}
	ch.txn = c.post(a, t, ch.method.card != nil && ch.method.card.test.available)
	c.spread(a, ch, amount)
}

func getTxn(c *call) *apiError {
	t := c.a.balanceTxn.find(c.ids[0])
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	if t == nil {
		return missing("balance transaction", c.ids[0], "id")
	}
	c.renderTxn(c.a, c.w, t, c.x)
	return nil
}

func listTxns(c *call) *apiError {
	typ, source, currency, payout := c.p.text("type", 0), c.p.text("source", 0), c.p.text("currency", 0), c.p.text("payout", 0)
	return list(c, &c.a.balanceTxn, "/v1/balance_transactions", func(t *balanceTransaction) bool {
		return (typ == "" || t.typ == typ) && (source == "" || t.source.objectID() == source) && (currency == "" || t.currency == currency) && payout == ""
	}, c.renderTxn)
}

func getBalance(c *call) *apiError {
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	w := c.w
	w.Open()
	w.S("object", "balance")
	part := func(name string, of func(*money) int64) {
		w.List(name)
		for _, cur := range slices.Sorted(maps.Keys(c.a.balance)) {
			v := of(c.a.balance[cur])
			w.Open()
			w.I("amount", v)
			w.S("currency", cur)
			w.Object("source_types")
			w.I("card", v)
			w.Close()
			w.Close()
		}
		w.CloseList()
	}
	part("available", func(m *money) int64 { return m.available })
	w.B("livemode", false)
	part("pending", func(m *money) int64 { return m.pending })
	w.Close()
	return nil
}

// refTxn writes a balance_transaction field's value.
func (s *Stripe) refTxn(a *account, w *core.JSON, t *balanceTransaction, x expand, field string) {
	sub, want := x.in(field)
	switch {
	case t == nil:
		w.Null()
	case want:
		s.renderTxn(a, w, t, sub)
	default:
		w.Text(t.id)
	}
}

func (s *Stripe) renderTxn(a *account, w *core.JSON, t *balanceTransaction, x expand) {
	w.Open()
	w.S("id", t.id)
	w.S("object", "balance_transaction")
	w.I("amount", t.amount)
	w.I("available_on", t.availableOn)
	w.I("created", t.created)
	w.S("currency", t.currency)
	w.SN("description", t.description)
	w.N("exchange_rate")
	w.I("fee", t.fee)
	w.List("fee_details")
	detail := func(amount int64, description, typ string) {
		if amount == 0 {
			return
		}
		w.Open()
		w.I("amount", amount)
		w.N("application")
		w.S("currency", t.currency)
		w.S("description", description)
		w.S("type", typ)
		w.Close()
	}
	name := t.feeName
	if name == "" {
		name = "Stripe processing fees"
	}
	detail(t.fee-t.applicationFee, name, "stripe_fee")
	detail(t.applicationFee, "Application fee", "application_fee")
	w.CloseList()
	w.I("net", t.amount-t.fee)
	w.S("reporting_category", t.category)
	w.Key("source")
	if _, want := x.in("source"); t.source == nil {
		w.Null()
	} else if want {
		t.source.renderPlain(s, a, w)
	} else {
		w.Text(t.source.objectID())
	}
	status := "available"
	if t.availableOn > s.now() {
		status = "pending"
	}
	w.S("status", status)
	w.S("type", t.typ)
	w.Close()
}
