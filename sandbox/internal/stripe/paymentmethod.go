package stripe

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/tender-go/payment/sandbox/internal/core"
)

// methodTypes are the payment method types the sandbox plays.
var methodTypes = []string{"card", "ideal", "grabpay", "alipay", "wechat_pay", "card_present", "link", "sepa_debit"}

type paymentMethod struct {
	id       string
	typ      string
	created  int64
	customer string
	metadata map[string]string
	billing  billingDetails
	card     *cardDetails
	bank     string // ideal
	iban     string // sepa_debit
	email    string // link
	spent    bool   // used without a customer, or detached: may not be used again
}

type billingDetails struct {
	address            address
	email, name, phone string
}

type address struct{ city, country, line1, line2, postalCode, state string }

type cardDetails struct {
	test     *testCard
	last4    string
	expMonth int64
	expYear  int64
	wallet   string
	cvcSent  bool
	print    string
}

func (p params) billing(b *billingDetails) {
	p.address("address", &b.address)
	p.set(&b.email, "email", 800)
	p.set(&b.name, "name", 5000)
	p.set(&b.phone, "phone", 20)
}

func (p params) address(name string, a *address) {
	if !p.has(name) {
		return
	}
	q := p.sub(name)
	q.set(&a.city, "city", 5000)
	q.set(&a.country, "country", 5000)
	q.set(&a.line1, "line1", 5000)
	q.set(&a.line2, "line2", 5000)
	q.set(&a.postalCode, "postal_code", 5000)
	q.set(&a.state, "state", 5000)
}

func (a address) render(w *core.JSON) {
	w.Open()
	w.SN("city", a.city)
	w.SN("country", a.country)
	w.SN("line1", a.line1)
	w.SN("line2", a.line2)
	w.SN("postal_code", a.postalCode)
	w.SN("state", a.state)
	w.Close()
}

func (b *billingDetails) render(w *core.JSON) {
	w.Object("billing_details")
	w.Key("address")
	b.address.render(w)
	w.SN("email", b.email)
	w.SN("name", b.name)
	w.SN("phone", b.phone)
	w.Close()
}

// fingerprint is the same for the same number within one sandbox, as Stripe's is within one account.
func (s *Stripe) fingerprint(number string) string {
	sum := sha256.Sum256([]byte(s.platform.id + number))
	return hex.EncodeToString(sum[:])[:16]
}

func (s *Stripe) newCard(test *testCard) *cardDetails {
	return &cardDetails{test: test, last4: test.number[len(test.number)-4:], expMonth: 12,
		expYear: int64(s.Clock.Now().Year() + 5), print: s.fingerprint(test.number)}
}

// methodData reads payment_method_data, or the body of POST /v1/payment_methods.
func (c *call) methodData(p params) *paymentMethod {
	m := &paymentMethod{typ: p.need("type"), created: c.at, metadata: p.metadata(nil)}
	if m.typ != "" && !slices.Contains(methodTypes, m.typ) {
		p.fail(invalid("payment_method_unsupported_type", "type", "The payment method type '"+m.typ+"' is not one the sandbox plays: "+strings.Join(methodTypes, ", ")+"."))
	}
	if p.has("billing_details") {
		p.sub("billing_details").billing(&m.billing)
	}
	p.ignore("radar_options", "allow_redisplay")
	for _, t := range methodTypes {
		if !p.has(t) {
			if t == m.typ && (t == "card" || t == "sepa_debit") {
				p.missing(t)
			}
			continue
		}
		q := p.sub(t)
		if t != m.typ {
			p.ignore(t)
			p.fail(invalid("", t, "You provided parameters for '"+t+"' on a PaymentMethod of type '"+m.typ+"'."))
			continue
		}
		switch t {
		case "card":
			m.card = c.cardData(q)
		case "ideal":
			m.bank = q.text("bank", 0)
		case "sepa_debit":
			m.iban = strings.ToUpper(strings.ReplaceAll(q.need("iban"), " ", ""))
		}
	}
	return m
}

func (c *call) cardData(q params) *cardDetails {
	if q.has("token") {
		raw := q.need("token")
		name, ok := strings.CutPrefix(raw, "tok_")
		number := ""
		if t := c.a.tokens.find(raw); ok && t != nil {
			if t.used {
				q.fail(invalid("token_already_used", "card[token]", "You cannot use a Stripe token more than once: "+raw+"."))
			}
			t.used = true
			return t.card
		}
		if ok {
			number, ok = tokenNumber(name)
		}
		wallet := map[string]string{"applepay": "apple_pay", "visa_applepay": "apple_pay", "googlepay": "google_pay"}[name]
		if wallet != "" {
			number, ok = "4242424242424242", true
		}
		if !ok {
			q.fail(missing("token", raw, "card[token]"))
			return nil
		}
		card := c.newCard(testCards[number])
		card.wallet = wallet
		return card
	}
	number := q.need("number")
	month, hasMonth := q.int("exp_month")
	year, hasYear := q.int("exp_year")
	cvc, cvcSent := q.str("cvc")
	q.ignore("networks")
	if !hasMonth {
		q.missing("exp_month")
	}
	if !hasYear {
		q.missing("exp_year")
	}
	if year < 100 {
		year += 2000
	}
	now := c.Clock.Now()
	switch {
	case q.root.err != nil:
		return nil
	case month < 1 || month > 12:
		q.fail(&apiError{status: 402, typ: "card_error", code: "invalid_expiry_month", param: "exp_month", message: "Your card's expiration month is invalid."})
	case year < int64(now.Year()) || (year == int64(now.Year()) && month < int64(now.Month())) || year > int64(now.Year())+50:
		q.fail(&apiError{status: 402, typ: "card_error", code: "invalid_expiry_year", param: "exp_year", message: "Your card's expiration year is invalid."})
	case cvcSent && (len(cvc) < 3 || len(cvc) > 4 || strings.Trim(cvc, "0123456789") != ""):
		q.fail(&apiError{status: 402, typ: "card_error", code: "invalid_cvc", param: "cvc", message: "Your card's security code is invalid."})
	}
	test, apiErr := cardFor(number)
	if apiErr != nil {
		q.fail(apiErr)
		return nil
	}
	card := c.newCard(test)
	card.expMonth, card.expYear, card.cvcSent = month, year, cvcSent
	return card
}

// methodOf finds a payment method by id, or makes one from a documented test name.
func (c *call) methodOf(id, param string) (*paymentMethod, *apiError) {
	if m, ok := c.a.methods.get(id); ok {
		return m, nil
	}
	m := &paymentMethod{created: c.at, typ: "card"}
	if name, ok := strings.CutPrefix(id, "pm_card_"); ok {
		if number, known := tokenNumber(name); known {
			m.card = c.newCard(testCards[number])
			c.addMethod(m)
			return m, nil
		}
		switch name {
		case "applePay", "visa_applePay":
			m.card = c.newCard(testCards["4242424242424242"])
			m.card.wallet = "apple_pay"
			c.addMethod(m)
			return m, nil
		case "googlePay", "visa_googlePay":
			m.card = c.newCard(testCards["4242424242424242"])
			m.card.wallet = "google_pay"
			c.addMethod(m)
			return m, nil
		}
	}
	return nil, missing("PaymentMethod", id, param)
}

func (c *call) addMethod(m *paymentMethod) {
	m.id = c.id("pm_1", 23)
	c.a.methods.add(m.id, m)
}

func createMethod(c *call) *apiError {
	p := c.p
	if p.has("payment_method") { // cloning a customer's method to a connected account
		from, customer := p.need("payment_method"), p.text("customer", 0)
		if apiErr := p.done(); apiErr != nil {
			return apiErr
		}
		src, ok := c.platform.methods.get(from)
		if !ok || (customer != "" && src.customer != customer) {
			return missing("PaymentMethod", from, "payment_method")
		}
		m := *src
		m.customer, m.created, m.spent = "", c.at, false
		c.addMethod(&m)
		c.renderPaymentMethod(c.a, c.w, &m, c.x)
		return nil
	}
	m := c.methodData(p)
	if p.has("customer") {
		p.text("customer", 0)
		p.fail(invalid("", "customer", "`customer` goes with `payment_method`, to copy a customer's method to a connected account. Attach the new method instead."))
	}
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	c.addMethod(m)
	c.renderPaymentMethod(c.a, c.w, m, c.x)
	return nil
}

func (c *call) method0() (*paymentMethod, *apiError) { return c.methodOf(c.ids[0], "id") }

func getMethod(c *call) *apiError {
	m, apiErr := c.method0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	c.renderPaymentMethod(c.a, c.w, m, c.x)
	return nil
}

func updateMethod(c *call) *apiError {
	m, apiErr := c.method0()
	if apiErr != nil {
		return apiErr
	}
	next := *m
	next.metadata = c.p.metadata(m.metadata)
	if c.p.has("billing_details") {
		c.p.sub("billing_details").billing(&next.billing)
	}
	if c.p.has("card") && m.card != nil {
		card := *m.card
		q := c.p.sub("card")
		if v, ok := q.int("exp_month"); ok {
			card.expMonth = v
		}
		if v, ok := q.int("exp_year"); ok {
			card.expYear = v
		}
		q.ignore("networks")
		next.card = &card
	}
	c.p.ignore("allow_redisplay", "link", "us_bank_account")
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	if m.customer == "" {
		return refused("", "", "You must save this PaymentMethod to a customer before you can update it.")
	}
	*m = next
	c.emit(c.a, "payment_method.updated", m)
	c.renderPaymentMethod(c.a, c.w, m, c.x)
	return nil
}

func attachMethod(c *call) *apiError {
	customerID := c.p.need("customer")
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	m, apiErr := c.method0()
	if apiErr != nil {
		return apiErr
	}
	cus := c.a.customers.find(customerID)
	switch {
	case cus == nil || cus.deleted:
		return missing("customer", customerID, "customer")
	case m.customer == customerID:
		c.renderPaymentMethod(c.a, c.w, m, c.x)
		return nil
	case m.customer != "":
		return refused("", "", "The payment method you provided has already been attached to a customer.")
	case m.spent:
		return spentError()
	case m.card != nil && m.card.test.attach != "":
		d := declineFor(m.card.test.attach)
		return &apiError{status: 402, typ: "card_error", code: d.code, declineCode: d.declineCode, message: d.message}
	}
	c.attach(m, customerID)
	c.renderPaymentMethod(c.a, c.w, m, c.x)
	return nil
}

func (c *call) attach(m *paymentMethod, customer string) {
	m.customer = customer
	c.emit(c.a, "payment_method.attached", m)
}

func detachMethod(c *call) *apiError {
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	m, apiErr := c.method0()
	if apiErr != nil {
		return apiErr
	}
	if m.customer == "" {
		return refused("", "", "The payment method you provided is not attached to a customer so detachment is impossible.")
	}
	m.customer, m.spent = "", true
	c.emit(c.a, "payment_method.detached", m)
	c.renderPaymentMethod(c.a, c.w, m, c.x)
	return nil
}

func spentError() *apiError {
	return refused("", "", "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.")
}

func listMethods(c *call) *apiError {
	customer, typ := c.p.text("customer", 0), c.p.text("type", 0)
	if c.ids[0] != "" {
		customer = c.ids[0]
		if cus := c.a.customers.find(customer); cus == nil || cus.deleted {
			return missing("customer", customer, "id")
		}
	}
	return list(c, &c.a.methods, "/v1/payment_methods", func(m *paymentMethod) bool {
		return m.customer == customer && customer != "" && (typ == "" || m.typ == typ)
	}, c.renderPaymentMethod)
}

func getCustomerMethod(c *call) *apiError {
	m := c.a.methods.find(c.ids[1])
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	if m == nil || m.customer != c.ids[0] {
		return missing("PaymentMethod", c.ids[1], "id")
	}
	c.renderPaymentMethod(c.a, c.w, m, c.x)
	return nil
}

func (m *paymentMethod) objectID() string     { return m.id }
func (m *paymentMethod) objectCreated() int64 { return m.created }
func (m *paymentMethod) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderPaymentMethod(a, w, m, nil)
}

func (s *Stripe) renderPaymentMethod(a *account, w *core.JSON, m *paymentMethod, x expand) {
	w.Open()
	w.S("id", m.id)
	w.S("object", "payment_method")
	m.billing.render(w)
	switch m.typ {
	case "card":
		w.Object("card")
		m.card.renderFace(w)
		m.card.renderChecks(w, m.billing)
		w.N("generated_from")
		w.Object("networks")
		w.Texts("available", []string{m.card.test.brand})
		w.N("preferred")
		w.Close()
		w.Object("three_d_secure_usage")
		w.B("supported", m.card.test.auth != authNone)
		w.Close()
		m.card.renderWallet(w)
		w.Close()
	case "ideal":
		w.Object("ideal")
		w.SN("bank", m.bank)
		w.SN("bic", "")
		w.Close()
	case "sepa_debit":
		w.Object("sepa_debit")
		w.S("bank_code", last(m.iban, 12))
		w.S("branch_code", "")
		w.S("country", first(m.iban, 2))
		w.S("fingerprint", s.fingerprint(m.iban))
		w.N("generated_from")
		w.S("last4", last(m.iban, 4))
		w.Close()
	case "link":
		w.Object("link")
		w.SN("email", m.email)
		w.Close()
	default:
		w.Object(m.typ)
		w.Close()
	}
	w.I("created", m.created)
	w.Key("customer")
	s.refCustomer(a, w, m.customer, x)
	w.B("livemode", false)
	w.Map("metadata", m.metadata)
	w.S("type", m.typ)
	w.Close()
}

func (d *cardDetails) renderFace(w *core.JSON) {
	w.S("brand", d.test.brand)
	w.S("country", d.test.country)
	w.S("display_brand", d.test.brand)
	w.I("exp_month", d.expMonth)
	w.I("exp_year", d.expYear)
	w.S("fingerprint", d.print)
	w.S("funding", d.test.funding)
	w.S("last4", d.last4)
}

func (d *cardDetails) renderChecks(w *core.JSON, b billingDetails) {
	w.Object("checks")
	check := func(sent bool, result string) string {
		switch {
		case !sent:
			return ""
		case result != "":
			return result
		}
		return "pass"
	}
	w.SN("address_line1_check", check(b.address.line1 != "", d.test.line1Check))
	w.SN("address_postal_code_check", check(b.address.postalCode != "", d.test.zipCheck))
	w.SN("cvc_check", check(d.cvcSent || d.test.cvcCheck != "", d.test.cvcCheck))
	w.Close()
}

func (d *cardDetails) renderWallet(w *core.JSON) {
	if d.wallet == "" {
		w.N("wallet")
		return
	}
	w.Object("wallet")
	w.Object(d.wallet)
	w.Close()
	w.S("dynamic_last4", d.last4)
	w.S("type", d.wallet)
	w.Close()
}

func first(s string, n int) string { return s[:min(n, len(s))] }
func last(s string, n int) string  { return s[max(0, len(s)-n):] }
