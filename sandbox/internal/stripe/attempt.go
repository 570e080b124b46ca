package stripe

import (
	"net/url"
	"time"

	"github.com/tender-go/payment/sandbox/internal/core"
)

// manualTypes are the types that can be authorized now and captured later.
var manualTypes = map[string]bool{"card": true, "card_present": true, "link": true}

func (pi *paymentIntent) manual(m *paymentMethod) bool {
	return pi.captureMethod == "manual" || (m.typ == "card" && pi.options.captureMethod == "manual")
}

// canConfirm refuses a confirmation before anything is changed.
func (c *call) canConfirm(pi *paymentIntent, m *paymentMethod, cf confirmation) *apiError {
	if m == nil {
		e := invalid("payment_intent_unexpected_state", "", "You cannot confirm this PaymentIntent because it's missing a payment method. Update the PaymentIntent with a payment method, or give one when confirming.")
		if pi.id != "" {
			e.pi = pi
		}
		return e
	}
	returnURL := cf.returnURL
	if returnURL == "" {
		returnURL = pi.returnURL
	}
	if returnURL != "" {
		if u, err := url.Parse(returnURL); err != nil || u.Scheme == "" {
			return invalid("url_invalid", "return_url", "Not a valid URL")
		}
	}
	switch {
	case pi.automatic && pi.allowRedirects == "always" && returnURL == "" && !pi.useSDK && !cf.offSession:
		return invalid("", "return_url", "This PaymentIntent accepts the payment methods enabled for the account, some of which redirect the customer away from your page, so you must provide a `return_url`. To accept none that redirects, set `automatic_payment_methods[enabled]` to true and `automatic_payment_methods[allow_redirects]` to never when creating it.")
	case redirectTypes[m.typ] && returnURL == "":
		return invalid("parameter_missing", "return_url", "Missing required param: return_url. The payment method type "+m.typ+" redirects the customer.")
	case m.typ == "wechat_pay" && pi.options.client == "":
		return invalid("parameter_missing", "payment_method_options[wechat_pay][client]", "Missing required param: payment_method_options[wechat_pay][client].")
	case pi.manual(m) && !manualTypes[m.typ]:
		return invalid("payment_intent_invalid_parameter", "capture_method", "The payment method type "+m.typ+" does not support manual capture.")
	}
	return nil
}

// confirm starts an attempt to pay with m. The intent is stored already; a
// decline leaves it in requires_payment_method and is returned as an error.
func (c *call) confirm(pi *paymentIntent, m *paymentMethod, cf confirmation) *apiError {
	authenticated := pi.confirmationMethod == "manual" && pi.authenticated == m.id
	pi.authenticated = ""
	pi.method, pi.action, pi.lastError = m.id, nil, nil
	pi.offSession = cf.offSession
	pi.session++
	if cf.returnURL != "" {
		pi.returnURL = cf.returnURL
	}
	if m.typ == "card" {
		return c.confirmCard(pi, m, cf, authenticated)
	}
	switch {
	case redirectTypes[m.typ]:
		c.ask(pi, map[string]string{"alipay": "alipay_handle_redirect"}[m.typ])
	case m.typ == "wechat_pay":
		c.ask(pi, "wechat_pay_display_qr_code")
	case m.typ == "sepa_debit":
		c.startDebit(pi, m, debitTime)
	default:
		return c.pay(c.a, pi, m, threeDS{})
	}
	return nil
}

func (c *call) confirmCard(pi *paymentIntent, m *paymentMethod, cf confirmation, authenticated bool) *apiError {
	test := m.card.test
	wanted := pi.options.threeDS == "any" || pi.options.threeDS == "challenge"
	need := false
	switch test.auth {
	case authRequired, authAlways:
		need = true
	case authOnSetup:
		need = !cf.offSession || !c.a.setUpCards[m.id]
	case authIsSetUp:
		need = !cf.offSession
	case authOptional:
		need = wanted && !cf.offSession
	}
	if pi.options.moto || m.card.wallet != "" {
		need = false
	}
	result := threeDS{}
	switch {
	case authenticated:
		need, result = false, threeDS{flow: "challenge", result: "authenticated"}
	case test.auth == authFrictionless:
		result = threeDS{flow: "frictionless", result: "authenticated"}
	case wanted && test.auth == authUnenrolled && !cf.offSession:
		result = threeDS{result: "attempt_acknowledged"}
	}
	switch {
	case need && test.authFail != "" && test.auth == authOptional: // 3D Secure is tried, fails, and is not insisted on
		return c.pay(c.a, pi, m, threeDS{result: "processing_error"})
	case need && test.authFail != "":
		return c.refuse(c.a, pi, m, declineFor("generic_decline"), threeDS{result: "processing_error"})
	case need && cf.offSession:
		return c.refuse(c.a, pi, m, declineFor("authentication_required"), threeDS{})
	case need && cf.errorOnAction:
		d := declineFor("authentication_required")
		return c.refuse(c.a, pi, m, d, threeDS{})
	case need:
		c.ask(pi, "")
		return nil
	}
	return c.pay(c.a, pi, m, result)
}

// ask puts the intent into requires_action. typ is empty for a plain redirect.
func (c *call) ask(pi *paymentIntent, typ string) {
	pi.action = &nextAction{typ: typ, returnURL: pi.returnURL, url: c.BaseURL + "/pay/" + pi.id + "/" + sessionName(pi)}
	if typ == "" {
		pi.action.typ = "redirect_to_url"
		if pi.returnURL == "" {
			pi.action.typ = "use_stripe_sdk"
		}
	}
	pi.status = needsAction
	c.emit(c.a, "payment_intent.requires_action", pi)
}

// complete is the payer's answer to a next action.
func (s *Stripe) complete(a *account, pi *paymentIntent, outcome string) *apiError {
	c := &call{Stripe: s, a: a, at: s.now()}
	m := a.methods.find(pi.method)
	if pi.status != needsAction || m == nil {
		return refused("payment_intent_unexpected_state", "", "This PaymentIntent has a status of "+pi.status+"; there is no action to complete.").withPI(pi)
	}
	isCard := m.typ == "card"
	pi.action = nil
	pi.session++
	switch outcome {
	case "succeed":
		if !isCard {
			return c.pay(a, pi, m, threeDS{})
		}
		if pi.confirmationMethod == "manual" { // the server confirms once more
			pi.status, pi.authenticated = needsConfirmation, m.id
			return nil
		}
		if usage(pi) == "off_session" {
			a.setUpCards[m.id] = true
		}
		return c.pay(a, pi, m, threeDS{flow: "challenge", result: "authenticated"})
	case "process": // the bank will tell later
		c.startDebit(pi, m, 0)
		return nil
	}
	e := &apiError{status: 402, typ: "invalid_request_error", code: "payment_intent_authentication_failure",
		message: "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again."}
	if !isCard {
		e.typ, e.code, e.message = "card_error", "payment_method_customer_decline", "The customer did not approve the payment. Provide a new payment method to attempt this payment again."
		if outcome == "expire" {
			e.typ, e.code, e.message = "invalid_request_error", "payment_intent_payment_attempt_expired", "The payment attempt failed because the customer did not complete it in time."
		}
	}
	c.fail(a, pi, m, e)
	return e
}

func usage(pi *paymentIntent) string {
	if pi.options.futureUsage != "" {
		return pi.options.futureUsage
	}
	return pi.setupFutureUsage
}

// fail returns the intent to requires_payment_method.
func (c *call) fail(a *account, pi *paymentIntent, m *paymentMethod, e *apiError) {
	kept := *e
	kept.pi, kept.pm = nil, m
	pi.lastError = &kept
	pi.status, pi.method, pi.action = needsMethod, "", nil
	c.emit(a, "payment_intent.payment_failed", pi)
	e.pi, e.pm = pi, m
}

// pay makes the charge, unless the card or a fault refuses.
func (c *call) pay(a *account, pi *paymentIntent, m *paymentMethod, auth threeDS) *apiError {
	if f, ok := c.Faults.Take("stripe", c.method, c.path, func(k core.Kind) bool { return k == core.Decline }); ok {
		reason := f.Code
		if reason == "" {
			reason = "generic_decline"
		}
		return c.refuse(a, pi, m, declineFor(reason), auth)
	}
	if m.card != nil && m.card.test.decline != "" {
		d := declineFor(m.card.test.decline)
		if m.card.test.block != "" {
			d.network, d.outcomeType = "not_sent_to_network", "blocked"
		}
		return c.refuse(a, pi, m, d, auth)
	}
	ch := c.newCharge(a, pi, m, auth)
	ch.status, ch.paid = "succeeded", true
	c.adopt(a, pi, m)
	if pi.manual(m) {
		ch.captureBefore = c.at + holdSeconds
		pi.status, pi.capturable = needsCapture, pi.amount
		c.later(holdSeconds*time.Second, func() { c.expire(a, pi, ch) })
		c.emit(a, "charge.succeeded", ch)
		c.emit(a, "payment_intent.amount_capturable_updated", pi)
		return nil
	}
	ch.captured, ch.amountCaptured = true, pi.amount
	pi.status, pi.received, pi.capturable = succeeded, pi.amount, 0
	if pi.captureMethod == "automatic_async" { // the balance transaction follows
		c.emit(a, "charge.succeeded", ch)
		c.emit(a, "payment_intent.succeeded", pi)
		c.later(asyncCapture, func() { c.credit(a, ch, ch.amountCaptured); c.emit(a, "charge.updated", ch) })
	} else {
		c.credit(a, ch, ch.amountCaptured)
		c.emit(a, "charge.succeeded", ch)
		c.emit(a, "payment_intent.succeeded", pi)
	}
	c.aftermath(a, ch)
	return nil
}

const (
	// holdSeconds is how long an online card authorization lasts:
	// https://docs.stripe.com/payments/place-a-hold-on-a-payment-method
	holdSeconds = 7 * 24 * 60 * 60
	// asyncCapture stands for the "up to one hour" of automatic_async.
	asyncCapture = 2 * time.Second
	// debitTime stands for the days a direct debit takes.
	debitTime = 3 * time.Second
)

// adopt attaches or uses up the method, as a success does.
func (c *call) adopt(a *account, pi *paymentIntent, m *paymentMethod) {
	switch {
	case m.customer != "":
	case pi.customer != "" && usage(pi) != "" && usage(pi) != "none":
		c.emit(a, "payment_method.attached", m)
		m.customer = pi.customer
	default:
		m.spent = true
	}
}

// refuse records a failed charge.
func (c *call) refuse(a *account, pi *paymentIntent, m *paymentMethod, d decline, auth threeDS) *apiError {
	ch := c.newCharge(a, pi, m, auth)
	ch.status, ch.failureCode, ch.failureMessage, ch.decline = "failed", d.code, d.message, d
	pi.capturable = 0
	c.emit(a, "charge.failed", ch)
	e := &apiError{status: 402, typ: "card_error", code: d.code, declineCode: d.declineCode, message: d.message, charge: ch.id}
	if d.code == "incorrect_cvc" {
		e.param = "cvc"
	}
	c.fail(a, pi, m, e)
	return e
}

// startDebit begins a payment whose result the bank tells after that time, or,
// with zero, when Settle is called.
func (c *call) startDebit(pi *paymentIntent, m *paymentMethod, after time.Duration) {
	a := c.a
	ch := c.newCharge(a, pi, m, threeDS{})
	ch.status, ch.paid, ch.captured, ch.amountCaptured = "pending", false, true, pi.amount
	pi.status = processing
	c.adopt(a, pi, m)
	c.emit(a, "charge.pending", ch)
	c.emit(a, "payment_intent.processing", pi)
	if after > 0 {
		c.later(after, func() { c.settleDebit(a, pi, !failingIBAN[m.iban]) })
	}
}

// failingIBAN holds the documented test accounts whose debit fails.
var failingIBAN = map[string]bool{"DE62370400440532013001": true, "AT861904300235473202": true, "FR8420041010050500013M02607": true,
	"NL91ABNA0417164301": true, "IE02AIBK93115212345679": true}

// settleDebit is the bank's late answer to a payment in processing.
func (s *Stripe) settleDebit(a *account, pi *paymentIntent, ok bool) {
	if pi.status != processing || pi.charge == nil {
		return
	}
	c := &call{Stripe: s, a: a, at: s.now()}
	ch, m := pi.charge, a.methods.find(pi.method)
	if !ok {
		ch.status, ch.captured, ch.amountCaptured = "failed", false, 0
		ch.failureCode, ch.failureMessage = "generic_decline", "The transaction can't be processed because your customer's bank refused it."
		ch.decline = decline{declineCode: "generic_decline", network: "declined_by_network", outcomeType: "issuer_declined", message: ch.failureMessage}
		c.emit(a, "charge.failed", ch)
		c.fail(a, pi, m, &apiError{status: 402, typ: "card_error", code: "payment_intent_payment_attempt_failed", declineCode: "generic_decline", message: ch.failureMessage, charge: ch.id})
		return
	}
	ch.status, ch.paid = "succeeded", true
	pi.status, pi.received = succeeded, pi.amount
	c.credit(a, ch, ch.amountCaptured)
	c.emit(a, "charge.succeeded", ch)
	c.emit(a, "payment_intent.succeeded", pi)
}

// captureInput is what a capture says.
type captureInput struct {
	amount             int64
	amountSent         bool
	final, finalSent   bool
	fee, transfer      *int64
	metadata           map[string]string
	descriptor, suffix string
}

func (c *call) capture(a *account, pi *paymentIntent, in captureInput) *apiError {
	if pi.status != needsCapture {
		return refused("payment_intent_unexpected_state", "", "This PaymentIntent could not be captured because it has a status of "+pi.status+". Only a PaymentIntent with one of the following statuses may be captured: requires_capture.").withPI(pi)
	}
	ch := pi.charge
	if !in.amountSent {
		in.amount = pi.capturable
	}
	switch {
	case in.amount < 0 || in.amount == 0 && !(ch.multicapture && in.final && ch.amountCaptured > 0):
		return invalid("parameter_invalid_integer", "amount_to_capture", "This value must be greater than or equal to 1.")
	case in.amount > pi.capturable:
		return refused("amount_too_large", "amount_to_capture", "The requested capture amount is greater than the amount you can capture for this charge.").withPI(pi)
	case !in.final && !ch.multicapture:
		return refused("", "final_capture", "This PaymentIntent does not support multiple captures; `final_capture` must be true. Ask for it with payment_method_options[card][request_multicapture].").withPI(pi)
	case !in.final && in.amount == pi.capturable:
		return refused("", "final_capture", "Capturing the full remaining amount is the final capture; `final_capture` must be true.").withPI(pi)
	case ch.captures == maxCaptures:
		return refused("", "", "This PaymentIntent has been captured 50 times, the most there can be.").withPI(pi)
	case in.fee != nil && *in.fee > in.amount:
		return invalid("", "application_fee_amount", "Your application fee cannot exceed the amount captured.")
	case threeDecimal[pi.currency] && in.amount%10 != 0:
		return invalid("invalid_charge_amount", "amount_to_capture", "Invalid amount: three-decimal currencies must be rounded to the nearest ten, so that the last digit is 0.")
	}
	if in.fee != nil {
		pi.feeAmount, ch.feeAmount = in.fee, in.fee
	}
	if in.transfer != nil {
		pi.transferAmount, ch.transferAmount = in.transfer, in.transfer
	}
	pi.metadata = in.metadata
	pi.descriptor, pi.descriptorSuffix = in.descriptor, in.suffix
	ch.descriptor, ch.suffix = in.descriptor, in.suffix
	ch.captures++
	ch.amountCaptured += in.amount
	pi.received += in.amount
	pi.capturable -= in.amount
	if in.amount > 0 {
		c.credit(a, ch, in.amount)
	}
	if ch.multicapture {
		c.emit(a, "charge.updated", ch)
	}
	if in.final {
		c.finishCapture(a, pi, ch)
	} else {
		c.emit(a, "payment_intent.amount_capturable_updated", pi)
	}
	return nil
}

// maxCaptures of one PaymentIntent: https://docs.stripe.com/payments/multicapture
const maxCaptures = 50

// finishCapture ends a hold of which something was captured; the rest is released.
func (c *call) finishCapture(a *account, pi *paymentIntent, ch *charge) {
	ch.captured = true
	ch.released = ch.amount - ch.amountCaptured
	pi.status, pi.capturable = succeeded, 0
	if ch.multicapture {
		c.emit(a, "payment_intent.amount_capturable_updated", pi)
	}
	c.emit(a, "charge.captured", ch)
	c.emit(a, "payment_intent.succeeded", pi)
	c.aftermath(a, ch)
}

// expire releases an authorization nobody captured in time.
func (s *Stripe) expire(a *account, pi *paymentIntent, ch *charge) {
	if pi.status != needsCapture || pi.charge != ch {
		return
	}
	c := &call{Stripe: s, a: a, at: s.now()}
	if ch.amountCaptured > 0 { // a multicapture that was never finished keeps what it took
		c.finishCapture(a, pi, ch)
		return
	}
	ch.released = ch.amount
	pi.status, pi.capturable, pi.canceledAt, pi.cancelReason = canceled, 0, c.at, "automatic"
	c.emit(a, "charge.expired", ch)
	c.emit(a, "payment_intent.canceled", pi)
}

// cancel ends an intent that has not succeeded.
func (c *call) cancel(a *account, pi *paymentIntent, reason string) *apiError {
	switch pi.status {
	case needsMethod, needsConfirmation, needsAction, needsCapture:
	default:
		return refused("payment_intent_unexpected_state", "", "You cannot cancel this PaymentIntent because it has a status of "+pi.status+". Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_reauthorization, requires_confirmation, requires_action, processing.").withPI(pi)
	}
	if pi.status == needsCapture {
		ch := pi.charge
		if ch.amountCaptured > 0 { // part of it was captured: only the rest can be let go
			c.finishCapture(a, pi, ch)
			return nil
		}
		ch.released = ch.amount
		c.emit(a, "charge.refunded", ch)
	}
	pi.status, pi.capturable, pi.action, pi.canceledAt, pi.cancelReason = canceled, 0, nil, c.at, reason
	pi.session++
	c.emit(a, "payment_intent.canceled", pi)
	return nil
}
