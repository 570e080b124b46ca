package stripe

import "github.com/tender-go/payment/sandbox/internal/core"

type token struct {
	id      string
	created int64
	card    *cardDetails
	name    string
	address address
	used    bool
}

func (t *token) objectID() string     { return t.id }
func (t *token) objectCreated() int64 { return t.created }
func (t *token) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderToken(a, w, t, nil)
}

func createToken(c *call) *apiError {
	t := &token{created: c.at}
	if !c.p.has("card") {
		c.p.missing("card")
	} else {
		q := c.p.sub("card")
		t.name = q.text("name", 5000)
		t.address.line1, t.address.line2 = q.text("address_line1", 0), q.text("address_line2", 0)
		t.address.city, t.address.state = q.text("address_city", 0), q.text("address_state", 0)
		t.address.postalCode, t.address.country = q.text("address_zip", 0), q.text("address_country", 0)
		q.ignore("currency")
		t.card = c.cardData(q)
	}
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	t.id = c.id("tok_1", 23)
	c.a.tokens.add(t.id, t)
	c.renderToken(c.a, c.w, t, nil)
	return nil
}

func getToken(c *call) *apiError {
	t := c.a.tokens.find(c.ids[0])
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	if t == nil {
		return missing("token", c.ids[0], "id")
	}
	c.renderToken(c.a, c.w, t, nil)
	return nil
}

func (s *Stripe) renderToken(_ *account, w *core.JSON, t *token, _ expand) {
	w.Open()
	w.S("id", t.id)
	w.S("object", "token")
	w.Object("card")
	w.S("id", "card_"+last(t.id, 24))
	w.S("object", "card")
	w.SN("address_city", t.address.city)
	w.SN("address_country", t.address.country)
	w.SN("address_line1", t.address.line1)
	w.N("address_line1_check")
	w.SN("address_line2", t.address.line2)
	w.SN("address_state", t.address.state)
	w.SN("address_zip", t.address.postalCode)
	w.N("address_zip_check")
	w.S("brand", map[string]string{"visa": "Visa", "mastercard": "MasterCard", "amex": "American Express", "discover": "Discover", "diners": "Diners Club",
		"jcb": "JCB", "unionpay": "UnionPay"}[t.card.test.brand])
	w.S("country", t.card.test.country)
	if t.card.cvcSent {
		w.S("cvc_check", "unchecked")
	} else {
		w.N("cvc_check")
	}
	w.N("dynamic_last4")
	w.I("exp_month", t.card.expMonth)
	w.I("exp_year", t.card.expYear)
	w.S("fingerprint", t.card.print)
	w.S("funding", t.card.test.funding)
	w.S("last4", t.card.last4)
	w.Map("metadata", nil)
	w.SN("name", t.name)
	w.N("tokenization_method")
	w.Close()
	w.N("client_ip")
	w.I("created", t.created)
	w.B("livemode", false)
	w.S("type", "card")
	w.B("used", t.used)
	w.Close()
}
