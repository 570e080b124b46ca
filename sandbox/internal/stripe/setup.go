package stripe

import (
	"slices"
	"strings"

	"github.com/tender-go/payment/sandbox/internal/core"
)

type setupIntent struct {
	id, status, clientSecret      string
	created                       int64
	customer, method, description string
	usage                         string
	types                         []string
	automatic                     bool
	allowRedirects                string
	metadata                      map[string]string
	returnURL                     string
	action                        *nextAction
	lastError                     *apiError
	cancelReason, onBehalfOf      string
	latestAttempt                 string
	session                       int
	useSDK                        bool
	threeDS                       string
}

func (si *setupIntent) objectID() string     { return si.id }
func (si *setupIntent) objectCreated() int64 { return si.created }
func (si *setupIntent) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderSetupIntent(a, w, si, nil)
}

func (c *call) setupParams(si *setupIntent) {
	p := c.p
	p.set(&si.customer, "customer", 0)
	p.set(&si.description, "description", 1000)
	si.metadata = p.metadata(si.metadata)
	if types, ok := p.strs("payment_method_types"); ok && len(types) > 0 {
		si.types, si.automatic = types, false
		for _, t := range types {
			if !slices.Contains(methodTypes, t) {
				p.fail(invalid("payment_method_unactivated", "payment_method_types", "The payment method type \""+t+"\" is not one the sandbox plays: "+strings.Join(methodTypes, ", ")+"."))
			}
		}
	}
	if q := p.sub("payment_method_options"); q.f != nil {
		if card := q.sub("card"); card.f != nil {
			if v := card.enum("request_three_d_secure", "any", "automatic", "challenge"); v != "" {
				si.threeDS = v
			}
			card.ignore("mandate_options", "network", "three_d_secure")
		}
		q.ignore("sepa_debit", "link", "card_present")
	}
	p.ignore("attach_to_self", "flow_directions", "payment_method_configuration")
}

func createSetup(c *call) *apiError {
	p := c.p
	si := &setupIntent{created: c.at, status: needsMethod, usage: "off_session", allowRedirects: "always"}
	c.setupParams(si)
	if v := p.enum("usage", "off_session", "on_session"); v != "" {
		si.usage = v
	}
	si.onBehalfOf = p.text("on_behalf_of", 0)
	confirm := p.is("confirm")
	p.ignore("single_use")
	auto := p.sub("automatic_payment_methods")
	enabled, asked := auto.bool("enabled")
	redirects := auto.enum("allow_redirects", "always", "never")
	switch {
	case enabled && len(si.types) > 0:
		p.fail(invalid("parameters_exclusive", "", "You may only specify one of these parameters: automatic_payment_methods, payment_method_types."))
	case len(si.types) == 0 && asked && !enabled:
		si.types = []string{"card"}
	case len(si.types) == 0:
		si.automatic, si.types = true, []string{"card", "link"}
		if redirects != "" {
			si.allowRedirects = redirects
		}
	}
	cf := c.setupConfirmation(si)
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	if si.customer != "" {
		if cus := c.a.customers.find(si.customer); cus == nil || cus.deleted {
			return missing("customer", si.customer, "customer")
		}
	}
	m, apiErr := c.setupMethod(si, cf)
	if apiErr != nil {
		return apiErr
	}
	if confirm {
		if apiErr := c.canConfirmSetup(si, m, cf); apiErr != nil {
			return apiErr
		}
	}
	si.id = c.id("seti_1", 23)
	si.clientSecret = si.id + "_secret_" + c.IDs.Text("stripe secrets", 25)
	if m != nil {
		si.method, si.status = m.id, needsConfirmation
	}
	c.a.setups.add(si.id, si)
	c.emit(c.a, "setup_intent.created", si)
	if confirm {
		if apiErr := c.confirmSetupNow(si, m, cf); apiErr != nil {
			return apiErr
		}
	}
	c.renderSetupIntent(c.a, c.w, si, c.x)
	return nil
}

func (c *call) setupConfirmation(si *setupIntent) confirmation {
	p := c.p
	cf := confirmation{method: p.text("payment_method", 0), returnURL: p.text("return_url", 0)}
	if v, ok := p.bool("use_stripe_sdk"); ok {
		si.useSDK = v
	}
	if p.has("payment_method_data") {
		cf.data = c.methodData(p.sub("payment_method_data"))
	}
	p.ignore("mandate_data")
	return cf
}

func (c *call) setupMethod(si *setupIntent, cf confirmation) (*paymentMethod, *apiError) {
	var m *paymentMethod
	switch {
	case cf.method != "":
		var apiErr *apiError
		if m, apiErr = c.methodOf(cf.method, "payment_method"); apiErr != nil {
			return nil, apiErr
		}
	case cf.data != nil:
		m = cf.data
		c.addMethod(m)
	default:
		return c.a.methods.find(si.method), nil
	}
	switch {
	case m.spent:
		return nil, spentError()
	case m.customer != "" && m.customer != si.customer:
		return nil, invalid("", "payment_method", "The payment method supplied ("+m.id+") belongs to a different Customer, or the SetupIntent has none.")
	case !slices.Contains(si.types, m.typ):
		return nil, invalid("setup_intent_invalid_parameter", "payment_method", "The PaymentMethod provided ("+m.typ+") is not allowed for this SetupIntent. It takes: "+strings.Join(si.types, ", ")+".")
	}
	return m, nil
}

func (c *call) canConfirmSetup(si *setupIntent, m *paymentMethod, cf confirmation) *apiError {
	if m == nil {
		return invalid("setup_intent_unexpected_state", "", "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a payment method, or give one when confirming.")
	}
	if si.automatic && si.allowRedirects == "always" && cf.returnURL == "" && si.returnURL == "" && !si.useSDK {
		return invalid("", "return_url", "This SetupIntent accepts the payment methods enabled for the account, some of which redirect the customer away from your page, so you must provide a `return_url`. To accept none that redirects, set `automatic_payment_methods[allow_redirects]` to never when creating it.")
	}
	return nil
}

func (c *call) confirmSetupNow(si *setupIntent, m *paymentMethod, cf confirmation) *apiError {
	si.method, si.action, si.lastError = m.id, nil, nil
	si.session++
	si.latestAttempt = c.id("setatt_1", 23)
	if cf.returnURL != "" {
		si.returnURL = cf.returnURL
	}
	if m.card != nil {
		switch auth := m.card.test.auth; {
		case m.card.wallet != "":
		case auth == authRequired || auth == authAlways || auth == authOnSetup || auth == authIsSetUp || (auth == authOptional && (si.threeDS == "any" || si.threeDS == "challenge")):
			if m.card.test.authFail != "" {
				break
			}
			si.status = needsAction
			si.action = &nextAction{typ: "redirect_to_url", returnURL: si.returnURL, url: c.BaseURL + "/setup/" + si.id}
			if si.returnURL == "" {
				si.action.typ = "use_stripe_sdk"
			}
			c.emit(c.a, "setup_intent.requires_action", si)
			return nil
		}
	}
	return c.finishSetup(c.a, si, m)
}

// finishSetup saves the method for later use, or refuses it.
func (c *call) finishSetup(a *account, si *setupIntent, m *paymentMethod) *apiError {
	if m.card != nil && m.card.test.attach != "" {
		d := declineFor(m.card.test.attach)
		return c.failSetup(a, si, m, &apiError{status: 402, typ: "card_error", code: d.code, declineCode: d.declineCode, message: d.message})
	}
	si.status = succeeded
	a.setUpCards[m.id] = true
	if si.customer != "" && m.customer == "" {
		m.customer = si.customer
		c.emit(a, "payment_method.attached", m)
	}
	c.emit(a, "setup_intent.succeeded", si)
	return nil
}

func (c *call) failSetup(a *account, si *setupIntent, m *paymentMethod, e *apiError) *apiError {
	kept := *e
	kept.pm = m
	si.lastError, si.status, si.method, si.action = &kept, needsMethod, "", nil
	c.emit(a, "setup_intent.setup_failed", si)
	e.si, e.pm = si, m
	return e
}

// completeSetup is the payer's answer to a challenge.
func (s *Stripe) completeSetup(a *account, si *setupIntent, outcome string) *apiError {
	m := a.methods.find(si.method)
	if si.status != needsAction || m == nil {
		return refused("setup_intent_unexpected_state", "", "This SetupIntent has a status of "+si.status+"; there is no action to complete.")
	}
	c := &call{Stripe: s, a: a, at: s.now()}
	si.action = nil
	if outcome == "succeed" {
		return c.finishSetup(a, si, m)
	}
	return c.failSetup(a, si, m, &apiError{status: 402, typ: "invalid_request_error", code: "setup_intent_authentication_failure",
		message: "The latest setup attempt failed because authentication failed. Provide a new payment method to attempt this setup again."})
}

func (c *call) setup0() (*setupIntent, *apiError) {
	si := c.a.setups.find(c.ids[0])
	if si == nil {
		return nil, missing("setupintent", c.ids[0], "intent")
	}
	return si, nil
}

func getSetup(c *call) *apiError {
	c.p.ignore("client_secret")
	si, apiErr := c.setup0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	c.renderSetupIntent(c.a, c.w, si, c.x)
	return nil
}

func updateSetup(c *call) *apiError {
	si, apiErr := c.setup0()
	if apiErr != nil {
		return apiErr
	}
	next := *si
	c.setupParams(&next)
	cf := c.setupConfirmation(&next)
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	m, apiErr := c.setupMethod(&next, cf)
	if apiErr != nil {
		return apiErr
	}
	if m != nil && m.id != si.method {
		next.method, next.status = m.id, needsConfirmation
	}
	*si = next
	c.renderSetupIntent(c.a, c.w, si, c.x)
	return nil
}

func confirmSetup(c *call) *apiError {
	si, apiErr := c.setup0()
	if apiErr != nil {
		return apiErr
	}
	probe := *si
	cf := c.setupConfirmation(&probe)
	if q := c.p.sub("payment_method_options"); q.f != nil {
		q.ignore("card", "card_present", "sepa_debit", "link")
	}
	c.p.ignore("client_secret")
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	switch si.status {
	case succeeded, canceled, processing:
		return refused("setup_intent_unexpected_state", "", "You cannot confirm this SetupIntent because it has already succeeded or was canceled (status "+si.status+").")
	}
	si.useSDK = probe.useSDK
	m, apiErr := c.setupMethod(si, cf)
	if apiErr == nil {
		apiErr = c.canConfirmSetup(si, m, cf)
	}
	if apiErr == nil {
		apiErr = c.confirmSetupNow(si, m, cf)
	}
	if apiErr != nil {
		return apiErr
	}
	c.renderSetupIntent(c.a, c.w, si, c.x)
	return nil
}

func cancelSetup(c *call) *apiError {
	si, apiErr := c.setup0()
	if apiErr != nil {
		return apiErr
	}
	reason := c.p.enum("cancellation_reason", "abandoned", "requested_by_customer", "duplicate")
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	if si.status == succeeded || si.status == canceled {
		return refused("setup_intent_unexpected_state", "", "You cannot cancel this SetupIntent because it has a status of "+si.status+". Only a SetupIntent with one of the following statuses may be canceled: requires_payment_method, requires_confirmation, requires_action.")
	}
	si.status, si.action, si.cancelReason = canceled, nil, reason
	c.emit(c.a, "setup_intent.canceled", si)
	c.renderSetupIntent(c.a, c.w, si, c.x)
	return nil
}

func listSetups(c *call) *apiError {
	customer, method := c.p.text("customer", 0), c.p.text("payment_method", 0)
	c.p.ignore("attach_to_self")
	return list(c, &c.a.setups, "/v1/setup_intents", func(si *setupIntent) bool {
		return (customer == "" || si.customer == customer) && (method == "" || si.method == method)
	}, c.renderSetupIntent)
}

func (s *Stripe) renderSetupIntent(a *account, w *core.JSON, si *setupIntent, x expand) {
	w.Open()
	w.S("id", si.id)
	w.S("object", "setup_intent")
	w.N("application")
	if si.automatic {
		w.Object("automatic_payment_methods")
		w.S("allow_redirects", si.allowRedirects)
		w.B("enabled", true)
		w.Close()
	} else {
		w.N("automatic_payment_methods")
	}
	w.SN("cancellation_reason", si.cancelReason)
	w.S("client_secret", si.clientSecret)
	w.I("created", si.created)
	w.Key("customer")
	s.refCustomer(a, w, si.customer, x)
	w.SN("description", si.description)
	w.N("flow_directions")
	w.Key("last_setup_error")
	if si.lastError == nil {
		w.Null()
	} else {
		si.lastError.renderObject(s, a, w, "")
	}
	w.SN("latest_attempt", si.latestAttempt)
	w.B("livemode", false)
	w.N("mandate")
	w.Map("metadata", si.metadata)
	si.action.render(s, &paymentIntent{id: si.id}, w)
	w.SN("on_behalf_of", si.onBehalfOf)
	w.Key("payment_method")
	s.refMethod(a, w, si.method, x)
	w.N("payment_method_configuration_details")
	w.Object("payment_method_options")
	if slices.Contains(si.types, "card") {
		w.Object("card")
		w.N("mandate_options", "network")
		threeDS := si.threeDS
		if threeDS == "" {
			threeDS = "automatic"
		}
		w.S("request_three_d_secure", threeDS)
		w.Close()
	}
	w.Close()
	w.Texts("payment_method_types", si.types)
	w.N("single_use_mandate")
	w.S("status", si.status)
	w.S("usage", si.usage)
	w.Close()
}
