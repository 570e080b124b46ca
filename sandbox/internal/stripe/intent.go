package stripe

import (
	"slices"
	"strings"

	"github.com/tender-go/payment/sandbox/internal/core"
)

// The statuses of a PaymentIntent: https://docs.stripe.com/payments/paymentintents/lifecycle
const (
	needsMethod       = "requires_payment_method"
	needsConfirmation = "requires_confirmation"
	needsAction       = "requires_action"
	processing        = "processing"
	needsCapture      = "requires_capture"
	succeeded         = "succeeded"
	canceled          = "canceled"
)

type paymentIntent struct {
	id, currency, status, clientSecret string
	created                            int64
	amount, capturable, received       int64
	captureMethod, confirmationMethod  string
	customer, method                   string
	types                              []string
	automatic                          bool // automatic_payment_methods
	allowRedirects                     string
	description, receiptEmail          string
	descriptor, descriptorSuffix       string
	metadata                           map[string]string
	shipping                           *shipping
	setupFutureUsage                   string
	feeAmount                          *int64
	onBehalfOf                         string
	transferTo                         string
	transferAmount                     *int64
	transferGroup                      string
	options                            intentOptions
	returnURL                          string
	useSDK                             bool
	action                             *nextAction
	lastError                          *apiError
	charge                             *charge   // latest_charge
	attempts                           []*charge // every charge made, oldest first
	canceledAt                         int64
	cancelReason                       string
	session                            int // counts attempts, so that a stale page or timer acts on nothing
	offSession                         bool
	authenticated                      string // with confirmation_method manual: the method the payer has authenticated
}

// intentOptions are the parts of payment_method_options that change behaviour.
type intentOptions struct {
	captureMethod string
	threeDS       string
	moto          bool
	multicapture  string
	client        string // wechat_pay
	futureUsage   string
	extended      string
	incremental   string
	overcapture   string
	network       string
}

// nextAction is what the payer has to do.
type nextAction struct {
	typ       string
	url       string
	returnURL string
}

func (pi *paymentIntent) objectID() string     { return pi.id }
func (pi *paymentIntent) objectCreated() int64 { return pi.created }
func (pi *paymentIntent) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderPaymentIntent(a, w, pi, nil)
}

// confirmation is what the caller says when confirming.
type confirmation struct {
	method        string
	data          *paymentMethod
	returnURL     string
	offSession    bool
	errorOnAction bool
}

// intentParams reads the parameters that create and update share.
func (c *call) intentParams(pi *paymentIntent) {
	p := c.p
	p.set(&pi.customer, "customer", 0)
	p.set(&pi.description, "description", 1000)
	p.set(&pi.receiptEmail, "receipt_email", 0)
	p.set(&pi.transferGroup, "transfer_group", 0)
	p.descriptors(&pi.descriptor, &pi.descriptorSuffix)
	pi.metadata = p.metadata(pi.metadata)
	pi.shipping = p.shipping("shipping", pi.shipping)
	if v := p.enum("setup_future_usage", "on_session", "off_session"); p.has("setup_future_usage") {
		pi.setupFutureUsage = v
	}
	if v := p.enum("capture_method", "automatic", "automatic_async", "manual"); v != "" {
		pi.captureMethod = v
	}
	if v, ok := p.int("application_fee_amount"); ok {
		pi.feeAmount = &v
	} else if p.has("application_fee_amount") {
		pi.feeAmount = nil
	}
	if types, ok := p.strs("payment_method_types"); ok && len(types) > 0 {
		pi.types, pi.automatic = types, false
		for _, t := range types {
			if !slices.Contains(methodTypes, t) {
				p.fail(invalid("payment_method_unactivated", "payment_method_types", "The payment method type \""+t+"\" is invalid or not one the sandbox plays: "+strings.Join(methodTypes, ", ")+"."))
			}
		}
	}
	c.intentOptions(&pi.options)
	p.ignore("payment_method_configuration", "payment_details", "amount_details", "hooks")
}

func (p params) descriptors(descriptor, suffix *string) {
	p.set(descriptor, "statement_descriptor", 22)
	p.set(suffix, "statement_descriptor_suffix", 22)
	for name, v := range map[string]string{"statement_descriptor": *descriptor, "statement_descriptor_suffix": *suffix} {
		if strings.ContainsAny(v, `<>\'"*`) {
			p.fail(invalid("", name, "The statement descriptor must not contain any of the characters < > \\ ' \" *."))
		}
		if v != "" && !strings.ContainsFunc(v, func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }) {
			p.fail(invalid("", name, "The statement descriptor must contain at least one letter."))
		}
	}
}

// intentOptions reads payment_method_options[type][...]. What the sandbox has no
// use for is accepted under a known type, since it changes no amount and no state.
func (c *call) intentOptions(o *intentOptions) {
	if !c.p.has("payment_method_options") {
		return
	}
	p := c.p.sub("payment_method_options")
	if q := p.sub("card"); q.f != nil {
		if v := q.enum("capture_method", "manual"); q.has("capture_method") {
			o.captureMethod = v
		}
		if v := q.enum("request_three_d_secure", "any", "automatic", "challenge"); v != "" {
			o.threeDS = v
		}
		if v := q.enum("request_multicapture", "if_available", "never"); v != "" {
			o.multicapture = v
		}
		if v := q.enum("request_extended_authorization", "if_available", "never"); v != "" {
			o.extended = v
		}
		if v := q.enum("request_incremental_authorization", "if_available", "never"); v != "" {
			o.incremental = v
		}
		if v := q.enum("request_overcapture", "if_available", "never"); v != "" {
			o.overcapture = v
		}
		if v := q.enum("setup_future_usage", "none", "off_session", "on_session"); v != "" {
			o.futureUsage = v
		}
		o.network = q.text("network", 0)
		if v, ok := q.bool("moto"); ok {
			o.moto = v
		}
		q.ignore("cvc_token", "installments", "mandate_options", "require_cvc_recollection", "three_d_secure", "statement_descriptor_suffix_kana", "statement_descriptor_suffix_kanji")
	}
	if q := p.sub("wechat_pay"); q.f != nil {
		if v := q.enum("client", "web", "ios", "android"); v != "" {
			o.client = v
		}
		q.ignore("app_id", "setup_future_usage")
	}
	p.ignore("ideal", "grabpay", "alipay", "card_present", "link", "sepa_debit")
}

// confirmParams reads the parameters of a confirmation.
func (c *call) confirmParams(pi *paymentIntent) confirmation {
	p := c.p
	var cf confirmation
	cf.method = p.text("payment_method", 0)
	cf.returnURL = p.text("return_url", 0)
	cf.errorOnAction = p.is("error_on_requires_action")
	if v, ok := p.str("off_session"); ok { // true, false, "one_off" or "recurring"
		cf.offSession = v != "false" && v != ""
	}
	if v, ok := p.bool("use_stripe_sdk"); ok {
		pi.useSDK = v
	}
	if p.has("payment_method_data") {
		cf.data = c.methodData(p.sub("payment_method_data"))
		if cf.method != "" {
			p.fail(invalid("parameters_exclusive", "", "You may only specify one of these parameters: payment_method, payment_method_data."))
		}
	}
	if p.has("confirmation_token") {
		p.text("confirmation_token", 0)
		p.fail(invalid("", "confirmation_token", "The sandbox does not play confirmation tokens; use payment_method or payment_method_data."))
	}
	p.ignore("mandate", "mandate_data", "radar_options")
	return cf
}

func createIntent(c *call) *apiError {
	p := c.p
	pi := &paymentIntent{created: c.at, captureMethod: "automatic", confirmationMethod: "automatic", status: needsMethod, session: 1}
	amount, sent := p.int("amount")
	if !sent {
		p.missing("amount")
	}
	currency, err := checkCurrency(p.need("currency"))
	if err != nil {
		p.fail(err)
	}
	pi.amount, pi.currency = amount, currency
	if v := p.enum("confirmation_method", "automatic", "manual"); v != "" {
		pi.confirmationMethod = v
	}
	c.intentParams(pi)
	pi.onBehalfOf = p.text("on_behalf_of", 0)
	c.transferData(pi)
	confirm := p.is("confirm")
	cf := c.confirmParams(pi)
	automatic := p.sub("automatic_payment_methods")
	enabled, asked := automatic.bool("enabled")
	redirects := automatic.enum("allow_redirects", "always", "never")
	switch {
	case p.has("automatic_payment_methods") && !asked:
		automatic.missing("enabled")
	case enabled && len(pi.types) > 0:
		p.fail(invalid("parameters_exclusive", "", "You may only specify one of these parameters: automatic_payment_methods, payment_method_types."))
	case len(pi.types) == 0 && asked && !enabled:
		pi.types = []string{"card"}
	case len(pi.types) == 0: // on by default since 2023-08-16
		pi.automatic, pi.allowRedirects, pi.types = true, "always", automaticTypes(currency, redirects)
		if redirects != "" {
			pi.allowRedirects = redirects
		}
	}
	for _, param := range []string{"return_url", "off_session", "error_on_requires_action", "mandate", "mandate_data"} {
		if p.has(param) && !confirm && param != "mandate" {
			p.fail(invalid("", param, "You cannot provide `"+param+"` when `confirm` is not true: it applies to a confirmation."))
		}
	}
	if p.root.err == nil {
		if e := checkAmount(amount, currency, "amount"); e != nil {
			p.fail(e)
		}
	}
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	if apiErr := c.checkIntent(pi); apiErr != nil {
		return apiErr
	}
	var method *paymentMethod
	if cf.method != "" {
		if method, err = c.methodOf(cf.method, "payment_method"); err != nil {
			return err
		}
	} else if cf.data != nil {
		method = cf.data
		c.addMethod(method)
	}
	if method != nil {
		if apiErr := c.allows(pi, method); apiErr != nil {
			return apiErr
		}
	}
	if confirm {
		if apiErr := c.canConfirm(pi, method, cf); apiErr != nil {
			return apiErr
		}
	}
	pi.id = c.id("pi_3", 23)
	pi.clientSecret = pi.id + "_secret_" + c.IDs.Text("stripe secrets", 25)
	if method != nil {
		pi.method, pi.status = method.id, needsConfirmation
	}
	c.a.intents.add(pi.id, pi)
	c.emit(c.a, "payment_intent.created", pi)
	if confirm {
		if apiErr := c.confirm(pi, method, cf); apiErr != nil {
			return apiErr
		}
	}
	c.renderPaymentIntent(c.a, c.w, pi, c.x)
	return nil
}

func (c *call) transferData(pi *paymentIntent) {
	if !c.p.has("transfer_data") {
		return
	}
	q := c.p.sub("transfer_data")
	if pi.id == "" {
		pi.transferTo = q.need("destination")
	}
	if v, ok := q.int("amount"); ok {
		pi.transferAmount = &v
	}
}

// checkIntent validates what refers to other objects or fields.
func (c *call) checkIntent(pi *paymentIntent) *apiError {
	if pi.customer != "" {
		if cus := c.a.customers.find(pi.customer); cus == nil || cus.deleted {
			return missing("customer", pi.customer, "customer")
		}
	}
	if pi.feeAmount != nil {
		switch {
		case *pi.feeAmount < 0 || *pi.feeAmount > pi.amount:
			return invalid("", "application_fee_amount", "Your application fee cannot exceed the amount of the charge.")
		case pi.transferTo == "" && c.a == c.platform && pi.onBehalfOf == "":
			return invalid("", "application_fee_amount", "Can only apply an application_fee when the PaymentIntent is attempting a direct payment (using an OAuth key or Stripe-Account header) or destination payment (using `transfer_data[destination]`).")
		case pi.transferAmount != nil:
			return invalid("parameters_exclusive", "transfer_data[amount]", "You may only specify one of these parameters: application_fee_amount, transfer_data[amount].")
		}
	}
	if pi.transferAmount != nil && (*pi.transferAmount < 0 || *pi.transferAmount > pi.amount) {
		return invalid("amount_too_large", "transfer_data[amount]", "The transfer amount cannot exceed the amount of the charge.")
	}
	for _, id := range []string{pi.transferTo, pi.onBehalfOf} {
		if id != "" && !strings.HasPrefix(id, "acct_") {
			return invalid("resource_missing", "transfer_data[destination]", "No such destination: '"+id+"'")
		}
	}
	return nil
}

// allows checks that the intent may use the method at all.
func (c *call) allows(pi *paymentIntent, m *paymentMethod) *apiError {
	switch {
	case m.spent:
		return spentError()
	case m.customer != "" && pi.customer == "":
		return invalid("", "payment_method", "The PaymentMethod "+m.id+" belongs to a Customer. Please include the Customer in the `customer` parameter on the PaymentIntent.")
	case m.customer != "" && m.customer != pi.customer:
		return invalid("", "payment_method", "The payment method supplied ("+m.id+") belongs to a different Customer.")
	case !slices.Contains(pi.types, m.typ):
		return invalid("payment_intent_incompatible_payment_method", "payment_method", "The PaymentMethod provided ("+m.typ+") is not allowed for this PaymentIntent. Please attach a PaymentMethod of one of the following types: "+strings.Join(pi.types, ", ")+".")
	}
	if cur := methodCurrencies[m.typ]; cur != nil && !cur[pi.currency] {
		return invalid("", "currency", "The currency provided ("+pi.currency+") is invalid for the payment method type "+m.typ+".")
	}
	return nil
}

// methodCurrencies limits the types that work in some currencies only.
var methodCurrencies = map[string]map[string]bool{
	"ideal":      words("eur"),
	"sepa_debit": words("eur"),
	"grabpay":    words("sgd myr"),
	"alipay":     words("cny usd aud cad eur gbp hkd jpy myr nzd sgd"),
	"wechat_pay": words("cny usd aud cad eur gbp hkd jpy sgd dkk nok sek chf"),
}

var redirectTypes = map[string]bool{"ideal": true, "grabpay": true, "alipay": true}

// automaticTypes is what automatic_payment_methods resolves to.
func automaticTypes(currency, redirects string) []string {
	out := []string{"card"}
	for _, t := range []string{"alipay", "grabpay", "ideal", "link", "wechat_pay"} {
		if cur := methodCurrencies[t]; (cur == nil || cur[currency]) && !(redirects == "never" && redirectTypes[t]) {
			out = append(out, t)
		}
	}
	return out
}

func (c *call) intent0() (*paymentIntent, *apiError) {
	pi := c.a.intents.find(c.ids[0])
	if pi == nil {
		return nil, missing("payment_intent", c.ids[0], "intent")
	}
	return pi, nil
}

func getIntent(c *call) *apiError {
	secret := c.p.text("client_secret", 0)
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	pi, apiErr := c.intent0()
	if apiErr != nil {
		return apiErr
	}
	if secret != "" && secret != pi.clientSecret {
		return invalid("payment_intent_invalid_parameter", "client_secret", "The client_secret provided does not match any associated PaymentIntent on this account.")
	}
	c.renderPaymentIntent(c.a, c.w, pi, c.x)
	return nil
}

func updateIntent(c *call) *apiError {
	pi, apiErr := c.intent0()
	if apiErr != nil {
		return apiErr
	}
	p := c.p
	next := *pi
	if v, ok := p.int("amount"); ok {
		next.amount = v
	}
	if p.has("currency") {
		cur, e := checkCurrency(p.need("currency"))
		if e != nil {
			p.fail(e)
		}
		next.currency = cur
	}
	c.intentParams(&next)
	c.transferData(&next)
	methodID := p.text("payment_method", 0)
	var data *paymentMethod
	if p.has("payment_method_data") {
		data = c.methodData(p.sub("payment_method_data"))
	}
	p.ignore("mandate", "mandate_data", "radar_options")
	money := p.has("amount") || p.has("currency") || p.has("payment_method") || p.has("payment_method_data") ||
		p.has("capture_method") || p.has("payment_method_types") || p.has("customer") || p.has("setup_future_usage")
	if p.root.err == nil && (p.has("amount") || p.has("currency")) {
		if e := checkAmount(next.amount, next.currency, "amount"); e != nil {
			p.fail(e)
		}
	}
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	switch pi.status {
	case needsMethod, needsConfirmation, needsAction:
	default:
		if money {
			return refused("payment_intent_unexpected_state", "", "This PaymentIntent's amount, currency, customer, payment method or capture method could not be updated because it has a status of "+pi.status+". You may only update them while its status is requires_payment_method, requires_confirmation or requires_action.").withPI(pi)
		}
	}
	if apiErr := c.checkIntent(&next); apiErr != nil {
		return apiErr
	}
	var m *paymentMethod
	if methodID != "" {
		if m, apiErr = c.methodOf(methodID, "payment_method"); apiErr != nil {
			return apiErr
		}
	} else if data != nil {
		m = data
		c.addMethod(m)
	}
	if m != nil {
		if apiErr := c.allows(&next, m); apiErr != nil {
			return apiErr
		}
		next.method = m.id
	}
	if money && pi.status == needsAction || m != nil { // what the payer was asked for no longer holds
		next.action = nil
		next.session++
		next.status = needsMethod
		if next.method != "" {
			next.status = needsConfirmation
		}
	}
	*pi = next
	c.renderPaymentIntent(c.a, c.w, pi, c.x)
	return nil
}

func confirmIntent(c *call) *apiError {
	pi, apiErr := c.intent0()
	if apiErr != nil {
		return apiErr
	}
	p := c.p
	next := *pi
	cf := c.confirmParams(&next)
	next.shipping = p.shipping("shipping", pi.shipping)
	p.set(&next.receiptEmail, "receipt_email", 0)
	if v := p.enum("setup_future_usage", "on_session", "off_session"); p.has("setup_future_usage") {
		next.setupFutureUsage = v
	}
	if v := p.enum("capture_method", "automatic", "automatic_async", "manual"); v != "" {
		next.captureMethod = v
	}
	if types, ok := p.strs("payment_method_types"); ok {
		next.types, next.automatic = types, false
	}
	c.intentOptions(&next.options)
	if secret, ok := p.str("client_secret"); ok && secret != pi.clientSecret {
		p.fail(invalid("payment_intent_invalid_parameter", "client_secret", "The client_secret provided does not match any associated PaymentIntent on this account."))
	}
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	switch pi.status {
	case succeeded, needsCapture:
		return refused("payment_intent_unexpected_state", "", "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.").withPI(pi)
	case canceled, processing:
		return refused("payment_intent_unexpected_state", "", "You cannot confirm this PaymentIntent because it has a status of "+pi.status+". Only a PaymentIntent with one of the following statuses may be confirmed: requires_confirmation, requires_action, requires_payment_method.").withPI(pi)
	}
	var m *paymentMethod
	switch {
	case cf.method != "":
		if m, apiErr = c.methodOf(cf.method, "payment_method"); apiErr != nil {
			return apiErr
		}
	case cf.data != nil:
		m = cf.data
		c.addMethod(m)
	case pi.method != "":
		m = c.a.methods.find(pi.method)
	}
	if m != nil {
		if apiErr := c.allows(&next, m); apiErr != nil {
			return apiErr
		}
	}
	if apiErr := c.canConfirm(&next, m, cf); apiErr != nil {
		return apiErr
	}
	*pi = next
	if apiErr := c.confirm(pi, m, cf); apiErr != nil {
		return apiErr
	}
	c.renderPaymentIntent(c.a, c.w, pi, c.x)
	return nil
}

func cancelIntent(c *call) *apiError {
	pi, apiErr := c.intent0()
	if apiErr != nil {
		return apiErr
	}
	reason := c.p.enum("cancellation_reason", "duplicate", "fraudulent", "requested_by_customer", "abandoned")
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	if apiErr := c.cancel(c.a, pi, reason); apiErr != nil {
		return apiErr
	}
	c.renderPaymentIntent(c.a, c.w, pi, c.x)
	return nil
}

func listIntents(c *call) *apiError {
	customer := c.p.text("customer", 0)
	return list(c, &c.a.intents, "/v1/payment_intents", func(pi *paymentIntent) bool {
		return customer == "" || pi.customer == customer
	}, c.renderPaymentIntent)
}

func captureIntent(c *call) *apiError {
	pi, apiErr := c.intent0()
	if apiErr != nil {
		return apiErr
	}
	p := c.p
	in := captureInput{final: true}
	in.amount, in.amountSent = p.int("amount_to_capture")
	if v, ok := p.bool("final_capture"); ok {
		in.final, in.finalSent = v, true
	}
	if v, ok := p.int("application_fee_amount"); ok {
		in.fee = &v
	}
	in.metadata = p.metadata(pi.metadata)
	in.descriptor, in.suffix = pi.descriptor, pi.descriptorSuffix
	p.descriptors(&in.descriptor, &in.suffix)
	if q := p.sub("transfer_data"); q.f != nil {
		if v, ok := q.int("amount"); ok {
			in.transfer = &v
		}
	}
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	if apiErr := c.capture(c.a, pi, in); apiErr != nil {
		return apiErr
	}
	c.renderPaymentIntent(c.a, c.w, pi, c.x)
	return nil
}
