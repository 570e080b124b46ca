package stripe

import (
	"time"

	"github.com/tender-go/payment/sandbox/internal/core"
)

type refund struct {
	id, status, reason, failureReason string
	amount, created                   int64
	charge                            *charge
	metadata                          map[string]string
	txn, failureTxn                   *balanceTransaction
	transferReversal                  string
	instructionsEmail                 string
}

func (r *refund) objectID() string     { return r.id }
func (r *refund) objectCreated() int64 { return r.created }
func (r *refund) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderRefund(a, w, r, nil)
}

// refundInput is what a refund says.
type refundInput struct {
	amount            int64
	amountSent        bool
	reason            string
	metadata          map[string]string
	instructionsEmail string
	reverseTransfer   bool
	refundFee         bool
}

func createRefund(c *call) *apiError {
	p := c.p
	intentID, chargeID := p.text("payment_intent", 0), p.text("charge", 0)
	var in refundInput
	in.amount, in.amountSent = p.int("amount")
	in.reason = p.enum("reason", "duplicate", "fraudulent", "requested_by_customer")
	in.metadata = p.metadata(nil)
	in.instructionsEmail = p.text("instructions_email", 0)
	in.reverseTransfer, in.refundFee = p.is("reverse_transfer"), p.is("refund_application_fee")
	p.ignore("currency", "customer", "origin")
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	var ch *charge
	switch {
	case intentID == "" && chargeID == "":
		return invalid("parameter_missing", "", "One of the following params should be provided for this request: payment_intent or charge.")
	case intentID != "" && chargeID != "":
		return invalid("parameters_exclusive", "", "You may only specify one of these parameters: charge, payment_intent.")
	case chargeID != "":
		if ch = c.a.charges.find(chargeID); ch == nil {
			e := missing("charge", chargeID, "charge")
			e.status = 404
			return e
		}
	default:
		pi := c.a.intents.find(intentID)
		if pi == nil {
			e := missing("payment_intent", intentID, "payment_intent")
			e.status = 404
			return e
		}
		if pi.charge == nil || !pi.charge.paid {
			return refused("payment_intent_unexpected_state", "payment_intent", "This PaymentIntent ("+pi.id+") does not have a successful charge to refund.")
		}
		ch = pi.charge
	}
	r, apiErr := c.refund(c.a, ch, in)
	if apiErr != nil {
		return apiErr
	}
	c.renderRefund(c.a, c.w, r, c.x)
	return nil
}

func (c *call) refund(a *account, ch *charge, in refundInput) (*refund, *apiError) {
	left := ch.amountCaptured - ch.returned
	if !in.amountSent {
		in.amount = left
	}
	switch {
	case !ch.paid:
		return nil, refused("charge_not_refundable", "charge", "This charge ("+ch.id+") cannot be refunded because it did not succeed.")
	case ch.chargedBack():
		return nil, refused("charge_disputed", "", "Charge "+ch.id+" has been charged back; cannot issue a refund.")
	case ch.amountCaptured == 0 && ch.released == 0:
		return nil, refused("charge_not_refundable", "charge", "Charge "+ch.id+" was authorized but not captured. Cancel the PaymentIntent to release the funds.")
	case left == 0:
		return nil, refused("charge_already_refunded", "", "Charge "+ch.id+" has already been refunded.")
	case in.amount < 1:
		return nil, invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	case in.amount > ch.amount:
		return nil, refused("amount_too_large", "amount", "Refund amount ("+display(in.amount, ch.currency)+") is greater than charge amount ("+display(ch.amount, ch.currency)+")")
	case in.amount > left:
		return nil, refused("amount_too_large", "amount", "Refund amount ("+display(in.amount, ch.currency)+") is greater than unrefunded amount on charge ("+display(left, ch.currency)+")")
	case threeDecimal[ch.currency] && in.amount%10 != 0:
		return nil, invalid("invalid_charge_amount", "amount", "Invalid amount: three-decimal currencies must be rounded to the nearest ten, so that the last digit is 0.")
	}
	prefix := "re_3"
	if ch.id[:3] == "py_" {
		prefix = "pyr_3"
	}
	r := &refund{id: c.id(prefix, 23), status: "succeeded", reason: in.reason, amount: in.amount, created: c.at, charge: ch, metadata: in.metadata, instructionsEmail: in.instructionsEmail}
	rule := refundNow
	if ch.method.card != nil {
		rule = ch.method.card.test.refund
	} else if ch.method.typ != "card_present" {
		rule = refundPends // banks and wallets answer later
	}
	typ := "refund"
	if prefix == "pyr_3" {
		typ = "payment_refund"
	}
	r.txn = c.post(a, &balanceTransaction{currency: ch.currency, typ: typ, category: "refund", description: "REFUND FOR CHARGE", amount: -in.amount, source: r}, true)
	ch.refunds = append(ch.refunds, r)
	c.returnConnect(a, ch, r, in)
	ch.returned += in.amount
	a.refunds.add(r.id, r)
	switch rule {
	case refundPends:
		r.status = "pending"
		c.later(refundTime, func() { c.settleRefund(a, r, true) })
	case refundFails:
		c.later(refundTime, func() { c.settleRefund(a, r, false) })
	}
	c.emit(a, "charge.refunded", ch)
	c.emit(a, "refund.created", r)
	return r, nil
}

// refundTime stands for the days an asynchronous refund takes.
const refundTime = 3 * time.Second

// settleRefund is the late answer to a refund. A failure puts the money back.
func (s *Stripe) settleRefund(a *account, r *refund, ok bool) bool {
	if ok {
		if r.status != "pending" && r.status != "requires_action" {
			return false
		}
		r.status = "succeeded"
		s.refundChanged(a, r)
		return true
	}
	if r.status == "failed" || r.status == "canceled" {
		return false
	}
	r.status, r.failureReason = "failed", "expired_or_canceled_card"
	if r.charge.method.card == nil {
		r.failureReason = "unknown"
	}
	s.undoRefund(a, r)
	s.refundChanged(a, r)
	c := &call{Stripe: s, a: a, at: s.now()}
	c.emit(a, "refund.failed", r)
	return true
}

func (s *Stripe) refundChanged(a *account, r *refund) {
	c := &call{Stripe: s, a: a, at: s.now()}
	c.emit(a, "refund.updated", r)
	c.emit(a, "charge.refund.updated", r)
}

func (s *Stripe) undoRefund(a *account, r *refund) {
	c := &call{Stripe: s, a: a, at: s.now()}
	r.failureTxn = c.post(a, &balanceTransaction{currency: r.charge.currency, typ: "refund_failure", category: "refund_failure", description: "REFUND FAILURE", amount: r.amount, source: r}, true)
	r.charge.returned -= r.amount
}

func (c *call) refund0() (*refund, *apiError) {
	r := c.a.refunds.find(c.ids[0])
	if r == nil {
		return nil, missing("refund", c.ids[0], "id")
	}
	return r, nil
}

func getRefund(c *call) *apiError {
	r, apiErr := c.refund0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	c.renderRefund(c.a, c.w, r, c.x)
	return nil
}

func updateRefund(c *call) *apiError {
	r, apiErr := c.refund0()
	if apiErr != nil {
		return apiErr
	}
	metadata := c.p.metadata(r.metadata)
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	r.metadata = metadata
	c.refundChanged(c.a, r)
	c.renderRefund(c.a, c.w, r, c.x)
	return nil
}

func cancelRefund(c *call) *apiError {
	r, apiErr := c.refund0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	if r.status != "requires_action" {
		return refused("", "", "You can't cancel this refund because its status is "+r.status+". Only refunds with the status requires_action can be canceled.")
	}
	r.status = "canceled"
	c.undoRefund(c.a, r)
	c.refundChanged(c.a, r)
	c.renderRefund(c.a, c.w, r, c.x)
	return nil
}

func listRefunds(c *call) *apiError {
	intent, chargeID := c.p.text("payment_intent", 0), c.p.text("charge", 0)
	if c.ids[0] != "" {
		chargeID = c.ids[0]
	}
	return list(c, &c.a.refunds, "/v1/refunds", func(r *refund) bool {
		return (intent == "" || r.charge.intent.id == intent) && (chargeID == "" || r.charge.id == chargeID)
	}, c.renderRefund)
}

func (s *Stripe) renderRefund(a *account, w *core.JSON, r *refund, x expand) {
	w.Open()
	w.S("id", r.id)
	w.S("object", "refund")
	w.I("amount", r.amount)
	w.Key("balance_transaction")
	s.refTxn(a, w, r.txn, x, "balance_transaction")
	w.Key("charge")
	if sub, want := x.in("charge"); want {
		s.renderCharge(a, w, r.charge, sub)
	} else {
		w.Text(r.charge.id)
	}
	w.I("created", r.created)
	w.S("currency", r.charge.currency)
	if r.charge.method.typ == "card" {
		w.Object("destination_details")
		w.Object("card")
		if r.status == "succeeded" {
			w.S("reference", first(last(r.id, 8)+"0000000", 15))
			w.S("reference_status", "available")
		} else {
			w.S("reference_status", "pending")
		}
		w.S("reference_type", "acquirer_reference_number")
		w.S("type", "refund")
		w.Close()
		w.S("type", "card")
		w.Close()
	} else if t := r.charge.method.typ; t == "alipay" || t == "grabpay" || t == "wechat_pay" { // the others have no details
		w.Object("destination_details")
		w.Object(t)
		w.Close()
		w.S("type", t)
		w.Close()
	}
	if r.failureTxn != nil {
		w.Key("failure_balance_transaction")
		s.refTxn(a, w, r.failureTxn, x, "failure_balance_transaction")
	}
	if r.failureReason != "" {
		w.S("failure_reason", r.failureReason)
	}
	if r.instructionsEmail != "" {
		w.S("instructions_email", r.instructionsEmail)
	}
	w.Map("metadata", r.metadata)
	w.Key("payment_intent")
	if sub, want := x.in("payment_intent"); want {
		s.renderPaymentIntent(a, w, r.charge.intent, sub)
	} else {
		w.Text(r.charge.intent.id)
	}
	w.SN("reason", r.reason)
	w.N("receipt_number", "source_transfer_reversal")
	w.S("status", r.status)
	w.SN("transfer_reversal", r.transferReversal)
	w.Close()
}
