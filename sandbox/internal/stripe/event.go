package stripe

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
	oldSecret                            string
	oldUntil                             time.Time // a rolled secret signs beside the new one until then
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
	if tellsChanges(typ) {
		if last := a.lastSeen[o.objectID()]; last != nil {
			e.previous = changed(last, e.object)
		}
	}
	a.lastSeen[o.objectID()] = e.object
	c.publish(a, e)
}

// tellsChanges: events about a change carry previous_attributes.
func tellsChanges(typ string) bool {
	return strings.HasSuffix(typ, "updated") || typ == "charge.captured" || typ == "charge.refunded"
}

// changed returns the members of the old object whose values are not those of
// the new one, as previous_attributes shows them.
func changed(before, after []byte) []byte {
	var old, now map[string]json.RawMessage
	if json.Unmarshal(before, &old) != nil || json.Unmarshal(after, &now) != nil {
		return nil
	}
	maps.DeleteFunc(old, func(k string, v json.RawMessage) bool { return bytes.Equal(v, now[k]) })
	if len(old) == 0 {
		return nil
	}
	out, err := json.Marshal(old)
	if err != nil {
		return nil
	}
	return out
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
		secrets, oldUntil := []string{h.secret, h.oldSecret}, h.oldUntil
		s.Outbox.Post(core.Message{Provider: "stripe", EventID: e.id, Type: e.typ, URL: h.url,
			Build: func(mode core.Mode, at time.Time) (http.Header, []byte) {
				if force != core.Plain {
					mode = force
				}
				if at.Before(oldUntil) {
					return signed(body, secrets, mode, at), body
				}
				return signed(body, secrets[:1], mode, at), body
			}})
	}
}

func (s *Stripe) postForged(e *event) { s.deliver(s.platform, e, core.Forged) }

// staleBy is how old the timestamp of a stale delivery is: beyond the five
// minutes Stripe's libraries tolerate.
const staleBy = 15 * time.Minute

// signed returns the headers of a delivery: one v1 signature per secret in
// force, and the meaningless v0 that Stripe adds in test mode so that receivers
// learn to ignore other schemes. https://docs.stripe.com/webhooks#verify-manually
func signed(body []byte, secrets []string, mode core.Mode, at time.Time) http.Header {
	if mode == core.Stale {
		at = at.Add(-staleBy)
	}
	if mode == core.Forged {
		secrets = []string{"whsec_of_somebody_else"}
	}
	t := strconv.FormatInt(at.Unix(), 10)
	sign := func(secret string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(t + "."))
		mac.Write(body)
		return hex.EncodeToString(mac.Sum(nil))
	}
	signature := "t=" + t
	for _, secret := range secrets {
		signature += ",v1=" + sign(secret)
	}
	signature += ",v0=" + sign("v0")
	return http.Header{
		"Content-Type":     {"application/json; charset=utf-8"},
		"User-Agent":       {"Stripe/1.0 (+https://stripe.com/docs/webhooks)"},
		"Stripe-Signature": {signature},
	}
}

// RollSecret gives the configured endpoints a new secret; the old one signs as
// well for keep, as when a secret is rolled in the Dashboard.
func (s *Stripe) RollSecret(keep time.Duration) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret := "whsec_" + s.IDs.Text("stripe secrets", 32)
	for _, h := range s.platform.hooks {
		if h.configured {
			h.oldSecret, h.oldUntil, h.secret = h.secret, s.Clock.Now().Add(keep), secret
		}
	}
	return secret
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
