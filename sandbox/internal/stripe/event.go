package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tender-go/payment/sandbox/internal/core"
)

type event struct {
	id, typ        string
	created        int64
	object         []byte // the object as it was
	previous       []byte // previous_attributes, for *.updated
	requestID, key string
	pending        int64
	account        string // for a connected account's event
}

func (e *event) objectID() string     { return e.id }
func (e *event) objectCreated() int64 { return e.created }
func (e *event) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderEvent(a, w, e, nil)
}

// webhookEndpoint is a receiver of events.
type webhookEndpoint struct {
	id, url, secret, description, status string
	created                              int64
	enabledEvents                        []string
	metadata                             map[string]string
	apiVersion                           string
	connect                              bool
	configured                           bool // from the sandbox's options
}

func (h *webhookEndpoint) wants(typ string) bool {
	return h.status == "enabled" && (slices.Contains(h.enabledEvents, "*") || slices.Contains(h.enabledEvents, typ))
}

// emit records an event with the object as it is now, and posts it to the receivers.
func (c *call) emit(a *account, typ string, o object) {
	w := c.writers.Get().(*core.JSON)
	w.Reset()
	o.renderPlain(c.Stripe, a, w)
	e := &event{id: c.id("evt_3", 23), typ: typ, created: c.now(), object: append([]byte(nil), w.Bytes()...), requestID: c.reqID, key: c.key}
	c.writers.Put(w)
	if a != c.platform {
		e.account = a.id
	}
	c.publish(a, e)
}

// publish records an event and posts it to whoever wants it.
func (s *Stripe) publish(a *account, e *event) {
	hooks := s.receivers(a, e.typ)
	e.pending = int64(len(hooks))
	a.events.add(e.id, e)
	if n := len(a.events.order); n > s.MaxEvents {
		drop := max(1, s.MaxEvents/10)
		for _, old := range a.events.order[:drop] {
			delete(a.events.byID, old.id)
		}
		a.events.order = slices.Delete(a.events.order, 0, drop)
	}
	if len(hooks) > 0 {
		s.deliver(a, e, core.Plain)
	}
}

// receivers are the endpoints for an event; one set up for Connect hears the
// connected accounts as well.
func (s *Stripe) receivers(a *account, typ string) []*webhookEndpoint {
	var out []*webhookEndpoint
	for _, h := range a.hooks {
		if h.wants(typ) {
			out = append(out, h)
		}
	}
	if a != s.platform {
		for _, h := range s.platform.hooks {
			if (h.connect || h.configured) && h.wants(typ) {
				out = append(out, h)
			}
		}
	}
	return out
}

func (s *Stripe) deliver(a *account, e *event, force core.Mode) {
	var w core.JSON
	s.renderEvent(a, &w, e, nil)
	body := w.Bytes()
	for _, h := range s.receivers(a, e.typ) {
		secret := h.secret
		s.Outbox.Post(core.Message{Provider: "stripe", EventID: e.id, Type: e.typ, URL: h.url,
			Build: func(mode core.Mode, at time.Time) (http.Header, []byte) {
				if force != core.Plain {
					mode = force
				}
				return signed(body, secret, mode, at), body
			}})
	}
}

func (s *Stripe) postForged(e *event) { s.deliver(s.platform, e, core.Forged) }

// staleBy is how old the timestamp of a stale delivery is: beyond the five
// minutes Stripe's libraries tolerate.
const staleBy = 15 * time.Minute

// signed returns the headers of a delivery: https://docs.stripe.com/webhooks#verify-manually
func signed(body []byte, secret string, mode core.Mode, at time.Time) http.Header {
	if mode == core.Stale {
		at = at.Add(-staleBy)
	}
	if mode == core.Forged {
		secret = "whsec_of_somebody_else"
	}
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return http.Header{
		"Content-Type":     {"application/json; charset=utf-8"},
		"User-Agent":       {"Stripe/1.0 (+https://stripe.com/docs/webhooks)"},
		"Stripe-Signature": {"t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))},
	}
}

func (s *Stripe) renderEvent(_ *account, w *core.JSON, e *event, _ expand) {
	w.Open()
	w.S("id", e.id)
	w.S("object", "event")
	if e.account != "" {
		w.S("account", e.account)
	}
	w.S("api_version", APIVersion)
	w.I("created", e.created)
	w.Object("data")
	w.Key("object")
	w.Raw(e.object)
	if e.previous != nil {
		w.Key("previous_attributes")
		w.Raw(e.previous)
	}
	w.Close()
	w.B("livemode", false)
	w.I("pending_webhooks", e.pending)
	w.Object("request")
	w.SN("id", e.requestID)
	w.SN("idempotency_key", e.key)
	w.Close()
	w.S("type", e.typ)
	w.Close()
}

func getEvent(c *call) *apiError {
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	e := c.a.events.find(c.ids[0])
	if e == nil {
		return missing("event", c.ids[0], "id")
	}
	c.renderEvent(c.a, c.w, e, nil)
	return nil
}

func listEvents(c *call) *apiError {
	typ := c.p.text("type", 0)
	types, _ := c.p.strs("types")
	success, filtered := c.p.bool("delivery_success")
	return list(c, &c.a.events, "/v1/events", func(e *event) bool {
		return matchType(typ, e.typ) && (len(types) == 0 || slices.Contains(types, e.typ)) && (!filtered || success == (e.pending == 0))
	}, c.renderEvent)
}

// matchType: the type filter takes one trailing wildcard, as charge.*.
func matchType(pattern, typ string) bool {
	if pattern == "" || pattern == typ {
		return true
	}
	n := len(pattern)
	return pattern[n-1] == '*' && len(typ) >= n-1 && typ[:n-1] == pattern[:n-1]
}
