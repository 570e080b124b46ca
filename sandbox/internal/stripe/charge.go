package stripe

import (
	"strconv"

	"github.com/tender-go/payment/sandbox/internal/core"
)

type charge struct {
	id, currency, status             string
	created                          int64
	amount                           int64
	amountCaptured, returned         int64 // returned: by refunds that did not fail
	released                         int64 // of the hold, never captured
	captured, paid, disputed         bool
	failureCode, failureMessage      string
	decline                          decline
	intent                           *paymentIntent
	method                           *paymentMethod // as it was, for payment_method_details
	methodID                         string
	customer, description            string
	descriptor, suffix, receiptEmail string
	metadata                         map[string]string
	shipping                         *shipping
	auth                             threeDS
	captureBefore                    int64
	multicapture                     bool
	captures                         int
	txn, failureTxn                  *balanceTransaction
	refunds                          []*refund
	disputes                         []*dispute
	transferred                      int64 // by transfers with this source_transaction
	feeTaken                         int64 // application fees
	fraudDetails                     map[string]string
	authorization                    string
	feeAmount                        *int64
	onBehalfOf, transferTo           string
	transferAmount                   *int64
	transferGroup                    string
	transfer                         string
	applicationFee                   string
	withdrawn                        int64 // taken back by disputes
}

// threeDS is the result of an authentication; the zero value is none.
type threeDS struct{ flow, result string }

// multicaptureBrands are the cards that can be captured several times. Source:
// https://docs.stripe.com/payments/multicapture, "Availability"; of the brands
// of test cards it lists all (Cartes Bancaires has no test card of its own here).
// Earlier the page named Amex, Visa, Discover and Mastercard only.
var multicaptureBrands = map[string]bool{"amex": true, "visa": true, "discover": true, "mastercard": true, "diners": true, "unionpay": true, "jcb": true}

// amountRefunded is the field of that name: a partial capture counts the rest
// of the hold as refunded, unless multicapture was available for the charge
// (https://docs.stripe.com/payments/multicapture shows 0 there).
func (ch *charge) amountRefunded() int64 {
	if ch.multicapture {
		return ch.returned
	}
	return ch.returned + ch.released
}

// refunded tells whether nothing of the charge is left.
func (ch *charge) refunded() bool {
	if ch.multicapture && ch.amountCaptured > 0 {
		return ch.captured && ch.returned == ch.amountCaptured
	}
	return ch.paid && ch.returned+ch.released == ch.amount
}

func (ch *charge) objectID() string     { return ch.id }
func (ch *charge) objectCreated() int64 { return ch.created }
func (ch *charge) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderCharge(a, w, ch, nil)
}

// newCharge records an attempt; the caller sets its result.
func (c *call) newCharge(a *account, pi *paymentIntent, m *paymentMethod, auth threeDS) *charge {
	prefix := "py_3" // payments by other means than cards
	if m.typ == "card" || m.typ == "card_present" {
		prefix = "ch_3"
	}
	was := *m
	ch := &charge{id: c.id(prefix, 23), currency: pi.currency, created: c.at, amount: pi.amount, intent: pi, method: &was, methodID: m.id,
		customer: pi.customer, description: pi.description, descriptor: pi.descriptor, suffix: pi.descriptorSuffix, receiptEmail: pi.receiptEmail,
		metadata: pi.metadata, shipping: pi.shipping, auth: auth, feeAmount: pi.feeAmount, onBehalfOf: pi.onBehalfOf, transferTo: pi.transferTo,
		transferAmount: pi.transferAmount, transferGroup: pi.transferGroup,
		multicapture: pi.options.multicapture == "if_available" && pi.manual(m) && m.typ == "card" && multicaptureBrands[m.card.test.brand]}
	if m.typ == "card" {
		ch.authorization = strconv.FormatInt(100000+int64(len(a.charges.order))%900000, 10)
	}
	a.charges.add(ch.id, ch)
	pi.charge = ch
	pi.attempts = append(pi.attempts, ch)
	return ch
}

func (c *call) charge0() (*charge, *apiError) {
	ch := c.a.charges.find(c.ids[0])
	if ch == nil {
		return nil, missing("charge", c.ids[0], "id")
	}
	return ch, nil
}

func getCharge(c *call) *apiError {
	ch, apiErr := c.charge0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	c.renderCharge(c.a, c.w, ch, c.x)
	return nil
}

func updateCharge(c *call) *apiError {
	ch, apiErr := c.charge0()
	if apiErr != nil {
		return apiErr
	}
	next := *ch
	p := c.p
	p.set(&next.description, "description", 40000)
	p.set(&next.receiptEmail, "receipt_email", 0)
	p.set(&next.transferGroup, "transfer_group", 0)
	p.set(&next.customer, "customer", 0)
	next.metadata = p.metadata(ch.metadata)
	next.shipping = p.shipping("shipping", ch.shipping)
	if q := p.sub("fraud_details"); q.f != nil {
		if v := q.enum("user_report", "fraudulent", "safe"); v != "" {
			next.fraudDetails = map[string]string{"user_report": v}
		}
	}
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	*ch = next
	c.emit(c.a, "charge.updated", ch)
	c.renderCharge(c.a, c.w, ch, c.x)
	return nil
}

func listCharges(c *call) *apiError {
	intent, customer, group := c.p.text("payment_intent", 0), c.p.text("customer", 0), c.p.text("transfer_group", 0)
	return list(c, &c.a.charges, "/v1/charges", func(ch *charge) bool {
		return (intent == "" || ch.intent.id == intent) && (customer == "" || ch.customer == customer) && (group == "" || ch.transferGroup == group)
	}, c.renderCharge)
}

func (s *Stripe) renderCharge(a *account, w *core.JSON, ch *charge, x expand) {
	w.Open()
	w.S("id", ch.id)
	w.S("object", "charge")
	w.I("amount", ch.amount)
	w.I("amount_captured", ch.amountCaptured)
	w.I("amount_refunded", ch.amountRefunded())
	w.N("application")
	w.SN("application_fee", ch.applicationFee)
	w.IP("application_fee_amount", ch.feeAmount)
	if ch.authorization != "" && ch.paid {
		w.S("authorization_code", ch.authorization)
	}
	w.Key("balance_transaction")
	s.refTxn(a, w, ch.txn, x, "balance_transaction")
	ch.method.billing.render(w)
	descriptor := ch.descriptor
	if descriptor == "" {
		descriptor = "SANDBOX"
	}
	if ch.suffix != "" {
		descriptor = first("SANDBOX* "+ch.suffix, 22)
	}
	w.S("calculated_statement_descriptor", descriptor)
	w.B("captured", ch.captured)
	w.I("created", ch.created)
	w.S("currency", ch.currency)
	w.Key("customer")
	s.refCustomer(a, w, ch.customer, x)
	w.SN("description", ch.description)
	w.B("disputed", ch.disputed)
	w.Key("failure_balance_transaction")
	s.refTxn(a, w, ch.failureTxn, x, "failure_balance_transaction")
	w.SN("failure_code", ch.failureCode)
	w.SN("failure_message", ch.failureMessage)
	w.Map("fraud_details", ch.fraudDetails)
	w.N("invoice")
	w.B("livemode", false)
	w.Map("metadata", ch.metadata)
	w.SN("on_behalf_of", ch.onBehalfOf)
	ch.renderOutcome(w)
	w.B("paid", ch.paid)
	w.Key("payment_intent")
	if sub, want := x.in("payment_intent"); want {
		s.renderPaymentIntent(a, w, ch.intent, sub)
	} else {
		w.Text(ch.intent.id)
	}
	w.S("payment_method", ch.methodID)
	s.renderMethodDetails(w, ch)
	w.Object("radar_options")
	w.Close()
	w.SN("receipt_email", ch.receiptEmail)
	w.N("receipt_number")
	if ch.paid {
		w.S("receipt_url", s.BaseURL+"/receipts/"+ch.id)
	} else {
		w.N("receipt_url")
	}
	w.B("refunded", ch.refunded())
	if sub, want := x.in("refunds"); want {
		w.Object("refunds")
		w.S("object", "list")
		w.List("data")
		for i := len(ch.refunds) - 1; i >= 0; i-- {
			s.renderRefund(a, w, ch.refunds[i], sub)
		}
		w.CloseList()
		w.B("has_more", false)
		w.I("total_count", int64(len(ch.refunds)))
		w.S("url", "/v1/charges/"+ch.id+"/refunds")
		w.Close()
	}
	w.N("review")
	ch.shipping.render(w)
	w.N("source", "source_transfer")
	w.SN("statement_descriptor", ch.descriptor)
	w.SN("statement_descriptor_suffix", ch.suffix)
	w.S("status", ch.status)
	if ch.transfer != "" {
		w.S("transfer", ch.transfer)
	}
	renderTransferData(w, ch.transferTo, ch.transferAmount)
	w.SN("transfer_group", ch.transferGroup)
	w.Close()
}

func (ch *charge) renderOutcome(w *core.JSON) {
	if ch.status == "pending" {
		w.Object("outcome")
		w.S("network_status", "approved_by_network")
		w.N("reason")
		w.S("risk_level", "not_assessed")
		w.S("seller_message", "Payment pending.")
		w.S("type", "authorized")
		w.Close()
		return
	}
	risk, score := "normal", int64(20)
	if ch.method.card != nil {
		switch ch.method.card.test.risk {
		case "elevated":
			risk, score = "elevated", 68
		case "highest":
			risk, score = "highest", 92
		}
	} else {
		risk, score = "not_assessed", 0
	}
	w.Object("outcome")
	if ch.status == "failed" {
		w.S("network_status", ch.decline.network)
		reason := ch.decline.declineCode
		if ch.decline.outcomeType == "blocked" {
			reason = "highest_risk_level"
		}
		w.S("reason", reason)
	} else {
		w.S("network_status", "approved_by_network")
		if risk == "elevated" {
			w.S("reason", "elevated_risk_level")
		} else {
			w.N("reason")
		}
	}
	w.S("risk_level", risk)
	if score > 0 {
		w.I("risk_score", score)
	}
	if ch.status == "failed" {
		message := "The bank did not return any further details with this decline."
		if ch.decline.outcomeType == "blocked" {
			message = "Stripe blocked this payment as too risky."
		}
		w.S("seller_message", message)
		w.S("type", ch.decline.outcomeType)
	} else {
		w.S("seller_message", "Payment complete.")
		w.S("type", "authorized")
	}
	w.Close()
}

func (s *Stripe) renderMethodDetails(w *core.JSON, ch *charge) {
	m := ch.method
	w.Object("payment_method_details")
	switch m.typ {
	case "card":
		d := m.card
		w.Object("card")
		w.I("amount_authorized", ch.amount)
		w.S("brand", d.test.brand)
		if ch.captureBefore > 0 && !ch.captured {
			w.I("capture_before", ch.captureBefore)
		}
		d.renderChecks(w, m.billing)
		w.S("country", d.test.country)
		w.I("exp_month", d.expMonth)
		w.I("exp_year", d.expYear)
		feature(w, "extended_authorization", "disabled")
		w.S("fingerprint", d.print)
		w.S("funding", d.test.funding)
		feature(w, "incremental_authorization", "unavailable")
		w.N("installments")
		w.S("last4", d.last4)
		w.N("mandate")
		multi := "unavailable"
		if ch.multicapture {
			multi = "available"
		}
		feature(w, "multicapture", multi)
		w.S("network", d.test.brand)
		w.Object("network_token")
		w.B("used", false)
		w.Close()
		w.Object("overcapture")
		w.I("maximum_amount_capturable", ch.amount)
		w.S("status", "unavailable")
		w.Close()
		if ch.auth == (threeDS{}) {
			w.N("three_d_secure")
		} else {
			w.Object("three_d_secure")
			w.SN("authentication_flow", ch.auth.flow)
			if ch.auth.result == "authenticated" {
				w.S("electronic_commerce_indicator", "05")
			} else {
				w.N("electronic_commerce_indicator")
			}
			w.N("exemption_indicator")
			w.S("result", ch.auth.result)
			w.N("result_reason")
			w.S("transaction_id", "00000000-0000-4000-8000-"+first(ch.id[len(ch.id)-12:], 12))
			w.S("version", "2.2.0")
			w.Close()
		}
		d.renderWallet(w)
		w.Close()
	case "ideal":
		w.Object("ideal")
		w.SN("bank", m.bank)
		w.N("bic", "generated_sepa_debit", "generated_sepa_debit_mandate", "iban_last4", "verified_name")
		w.Close()
	case "alipay":
		w.Object("alipay")
		w.S("buyer_id", "2088"+last(ch.id, 12))
		w.S("fingerprint", s.fingerprint("alipay"))
		w.S("transaction_id", last(ch.id, 20))
		w.Close()
	case "wechat_pay":
		w.Object("wechat_pay")
		w.S("fingerprint", s.fingerprint("wechat_pay"))
		w.S("transaction_id", last(ch.id, 20))
		w.Close()
	case "grabpay":
		w.Object("grabpay")
		w.S("transaction_id", last(ch.id, 20))
		w.Close()
	case "sepa_debit":
		w.Object("sepa_debit")
		w.S("bank_code", last(m.iban, 12))
		w.S("branch_code", "")
		w.S("country", first(m.iban, 2))
		w.S("fingerprint", s.fingerprint(m.iban))
		w.S("last4", last(m.iban, 4))
		w.N("mandate")
		w.Close()
	case "card_present":
		w.Object("card_present")
		w.I("amount_authorized", ch.amount)
		w.S("brand", "visa")
		if ch.captureBefore > 0 && !ch.captured {
			w.I("capture_before", ch.captureBefore)
		}
		w.S("country", "US")
		w.S("emv_auth_data", "8A023030")
		w.I("exp_month", 12)
		w.I("exp_year", int64(s.Clock.Now().Year()+5))
		w.S("fingerprint", s.fingerprint("card_present"))
		w.S("funding", "credit")
		w.B("incremental_authorization_supported", false)
		w.S("last4", "9969")
		w.S("network", "visa")
		w.B("overcapture_supported", false)
		w.S("read_method", "contactless_emv")
		w.N("receipt")
		w.Close()
	default:
		w.Object(m.typ)
		w.Close()
	}
	w.S("type", m.typ)
	w.Close()
}

func feature(w *core.JSON, name, status string) {
	w.Object(name)
	w.S("status", status)
	w.Close()
}
