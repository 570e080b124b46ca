package stripe

import (
	"strings"

	"github.com/tender-go/payment/sandbox/internal/core"
)

type customer struct {
	id, name, email, phone, description string
	created                             int64
	address                             *address
	shipping                            *shipping
	metadata                            map[string]string
	defaultMethod                       string
	locales                             []string
	taxExempt                           string
	balance                             int64
	invoicePrefix                       string
	deleted                             bool
}

type shipping struct {
	address                              address
	carrier, name, phone, trackingNumber string
}

func (p params) shipping(name string, old *shipping) *shipping {
	k := p.get(name)
	if k == nil {
		return old
	}
	if k.has && k.val == "" {
		k.read = true
		return nil
	}
	var s shipping
	q := p.sub(name)
	q.address("address", &s.address)
	q.set(&s.carrier, "carrier", 5000)
	q.set(&s.name, "name", 5000)
	q.set(&s.phone, "phone", 5000)
	q.set(&s.trackingNumber, "tracking_number", 5000)
	return &s
}

func (s *shipping) render(w *core.JSON) {
	if s == nil {
		w.N("shipping")
		return
	}
	w.Object("shipping")
	w.Key("address")
	s.address.render(w)
	w.SN("carrier", s.carrier)
	w.SN("name", s.name)
	w.SN("phone", s.phone)
	w.SN("tracking_number", s.trackingNumber)
	w.Close()
}

func (c *call) customerParams(cus *customer) {
	p := c.p
	p.set(&cus.name, "name", 256)
	p.set(&cus.email, "email", 512)
	p.set(&cus.phone, "phone", 20)
	p.set(&cus.description, "description", 5000)
	cus.metadata = p.metadata(cus.metadata)
	cus.shipping = p.shipping("shipping", cus.shipping)
	if p.has("address") {
		var a address
		p.address("address", &a)
		cus.address = &a
	}
	if v, ok := p.int("balance"); ok {
		cus.balance = v
	}
	if v, ok := p.strs("preferred_locales"); ok {
		cus.locales = v
	}
	if p.has("invoice_settings") {
		q := p.sub("invoice_settings")
		q.set(&cus.defaultMethod, "default_payment_method", 0)
		q.ignore("custom_fields", "footer", "rendering_options")
	}
	if v := p.enum("tax_exempt", "none", "exempt", "reverse"); v != "" {
		cus.taxExempt = v
	}
	if cus.email != "" && !strings.Contains(cus.email, "@") {
		p.fail(invalid("email_invalid", "email", "Invalid email address: "+cus.email))
	}
	p.ignore("cash_balance", "invoice_prefix", "next_invoice_sequence", "tax", "tax_id_data", "test_clock", "validate")
}

func createCustomer(c *call) *apiError {
	cus := &customer{created: c.at, taxExempt: "none"}
	c.customerParams(cus)
	method := c.p.text("payment_method", 0)
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	var m *paymentMethod
	if method != "" {
		var apiErr *apiError
		if m, apiErr = c.methodOf(method, "payment_method"); apiErr != nil {
			return apiErr
		}
		if m.spent || m.customer != "" {
			return spentError()
		}
		if m.card != nil && m.card.test.attach != "" {
			d := declineFor(m.card.test.attach)
			return &apiError{status: 402, typ: "card_error", code: d.code, declineCode: d.declineCode, message: d.message}
		}
	}
	cus.id = c.id("cus_", 14)
	cus.invoicePrefix = strings.ToUpper(c.id("", 8))
	c.a.customers.add(cus.id, cus)
	c.emit(c.a, "customer.created", cus)
	if m != nil {
		c.attach(m, cus.id)
	}
	c.renderCustomer(c.a, c.w, cus, c.x)
	return nil
}

func (c *call) customer0() (*customer, *apiError) {
	cus := c.a.customers.find(c.ids[0])
	if cus == nil {
		return nil, missing("customer", c.ids[0], "id")
	}
	return cus, nil
}

func getCustomer(c *call) *apiError {
	cus, apiErr := c.customer0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	c.renderCustomer(c.a, c.w, cus, c.x)
	return nil
}

func updateCustomer(c *call) *apiError {
	cus, apiErr := c.customer0()
	if apiErr != nil {
		return apiErr
	}
	next := *cus
	c.customerParams(&next)
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	if cus.deleted {
		return missing("customer", cus.id, "id")
	}
	if id := next.defaultMethod; id != "" && id != cus.defaultMethod {
		if m := c.a.methods.find(id); m == nil || m.customer != cus.id {
			return refused("resource_missing", "invoice_settings[default_payment_method]", "The customer does not have a payment method with the ID "+id+". The payment method must be attached to the customer.")
		}
	}
	*cus = next
	c.emit(c.a, "customer.updated", cus)
	c.renderCustomer(c.a, c.w, cus, c.x)
	return nil
}

func deleteCustomer(c *call) *apiError {
	cus, apiErr := c.customer0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	if cus.deleted {
		return missing("customer", cus.id, "id")
	}
	c.emit(c.a, "customer.deleted", cus)
	*cus = customer{id: cus.id, created: cus.created, deleted: true}
	for _, m := range c.a.methods.order {
		if m.customer == cus.id {
			m.customer, m.spent = "", true
		}
	}
	c.renderCustomer(c.a, c.w, cus, c.x)
	return nil
}

func listCustomers(c *call) *apiError {
	email, hasEmail := c.p.str("email")
	c.p.ignore("test_clock")
	return list(c, &c.a.customers, "/v1/customers", func(cus *customer) bool {
		return !cus.deleted && (!hasEmail || cus.email == email)
	}, c.renderCustomer)
}

func (cus *customer) objectID() string     { return cus.id }
func (cus *customer) objectCreated() int64 { return cus.created }
func (cus *customer) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderCustomer(a, w, cus, nil)
}

// refCustomer writes a customer field's value: an id, the object, or null.
func (s *Stripe) refCustomer(a *account, w *core.JSON, id string, x expand) {
	sub, want := x.in("customer")
	if cus := a.customers.find(id); want && cus != nil {
		s.renderCustomer(a, w, cus, sub)
		return
	}
	ref(w, id)
}

// ref writes an id or null.
func ref(w *core.JSON, id string) {
	if id == "" {
		w.Null()
		return
	}
	w.Text(id)
}

func (s *Stripe) renderCustomer(a *account, w *core.JSON, cus *customer, x expand) {
	w.Open()
	w.S("id", cus.id)
	w.S("object", "customer")
	if cus.deleted {
		w.B("deleted", true)
		w.Close()
		return
	}
	w.Key("address")
	if cus.address == nil {
		w.Null()
	} else {
		cus.address.render(w)
	}
	w.I("balance", cus.balance)
	w.I("created", cus.created)
	w.N("currency", "default_source")
	w.B("delinquent", false)
	w.SN("description", cus.description)
	w.N("discount")
	w.SN("email", cus.email)
	w.S("invoice_prefix", cus.invoicePrefix)
	w.Object("invoice_settings")
	w.N("custom_fields")
	w.Key("default_payment_method")
	settings, _ := x.in("invoice_settings.default_payment_method")
	if m := a.methods.find(cus.defaultMethod); settings != nil && m != nil {
		s.renderPaymentMethod(a, w, m, settings)
	} else {
		ref(w, cus.defaultMethod)
	}
	w.N("footer", "rendering_options")
	w.Close()
	w.B("livemode", false)
	w.Map("metadata", cus.metadata)
	w.SN("name", cus.name)
	w.I("next_invoice_sequence", 1)
	w.SN("phone", cus.phone)
	w.Texts("preferred_locales", cus.locales)
	cus.shipping.render(w)
	w.S("tax_exempt", cus.taxExempt)
	w.N("test_clock")
	w.Close()
}
