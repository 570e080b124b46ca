package stripe

import (
	"slices"

	"github.com/tender-go/payment/sandbox/internal/core"
)

func (h *webhookEndpoint) objectID() string     { return h.id }
func (h *webhookEndpoint) objectCreated() int64 { return h.created }
func (h *webhookEndpoint) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderHook(a, w, h, nil)
}

func (c *call) hookParams(h *webhookEndpoint) {
	p := c.p
	if p.has("url") {
		h.url = p.need("url")
		if core.CheckLoopback(h.url) != nil {
			p.fail(invalid("url_invalid", "url", "Invalid URL: the sandbox delivers to loopback addresses only (127.0.0.1, ::1, localhost)."))
		}
	}
	if events, ok := p.strs("enabled_events"); ok {
		h.enabledEvents = events
		if len(events) == 0 {
			p.fail(invalid("parameter_invalid_empty", "enabled_events", "You must provide at least one event."))
		}
	}
	p.set(&h.description, "description", 5000)
	h.metadata = p.metadata(h.metadata)
}

func createHook(c *call) *apiError {
	h := &webhookEndpoint{created: c.at, status: "enabled"}
	c.hookParams(h)
	h.apiVersion = c.p.text("api_version", 0)
	h.connect = c.p.is("connect")
	if !c.p.has("url") {
		c.p.missing("url")
	}
	if !c.p.has("enabled_events") {
		c.p.missing("enabled_events")
	}
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	if h.apiVersion != "" && h.apiVersion != APIVersion {
		return invalid("", "api_version", "The sandbox speaks API version "+APIVersion+" only.")
	}
	h.id = c.id("we_1", 23)
	h.secret = "whsec_" + c.IDs.Text("stripe secrets", 32)
	c.a.hooks = append(c.a.hooks, h)
	c.renderHook(c.a, c.w, h, nil)
	c.w.Reopen() // the secret is given once, at creation
	c.w.S("secret", h.secret)
	c.w.Close()
	return nil
}

func (c *call) hook0() (*webhookEndpoint, *apiError) {
	for _, h := range c.a.hooks {
		if h.id == c.ids[0] {
			return h, nil
		}
	}
	return nil, missing("webhook endpoint", c.ids[0], "id")
}

func getHook(c *call) *apiError {
	h, apiErr := c.hook0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	c.renderHook(c.a, c.w, h, nil)
	return nil
}

func updateHook(c *call) *apiError {
	h, apiErr := c.hook0()
	if apiErr != nil {
		return apiErr
	}
	next := *h
	c.hookParams(&next)
	if v, ok := c.p.bool("disabled"); ok {
		next.status = map[bool]string{true: "disabled", false: "enabled"}[v]
	}
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	*h = next
	c.renderHook(c.a, c.w, h, nil)
	return nil
}

func deleteHook(c *call) *apiError {
	h, apiErr := c.hook0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	c.a.hooks = slices.DeleteFunc(c.a.hooks, func(o *webhookEndpoint) bool { return o == h })
	w := c.w
	w.Open()
	w.S("id", h.id)
	w.S("object", "webhook_endpoint")
	w.B("deleted", true)
	w.Close()
	return nil
}

func listHooks(c *call) *apiError {
	var of table[*webhookEndpoint]
	for _, h := range c.a.hooks {
		of.add(h.id, h)
	}
	return list(c, &of, "/v1/webhook_endpoints", func(*webhookEndpoint) bool { return true }, c.renderHook)
}

func (s *Stripe) renderHook(_ *account, w *core.JSON, h *webhookEndpoint, _ expand) {
	w.Open()
	w.S("id", h.id)
	w.S("object", "webhook_endpoint")
	w.SN("api_version", h.apiVersion)
	w.N("application")
	w.I("created", h.created)
	w.SN("description", h.description)
	w.Texts("enabled_events", h.enabledEvents)
	w.B("livemode", false)
	w.Map("metadata", h.metadata)
	w.S("status", h.status)
	w.S("url", h.url)
	w.Close()
}
