package sandbox

import (
	"time"

	"github.com/tender-go/payment/sandbox/internal/core"
)

// Request is one line of the log of requests. It holds no key, body or query.
type Request struct {
	Time           time.Time `json:"time"`
	Provider       string    `json:"provider"`
	ID             string    `json:"id"` // the provider's request id
	Method         string    `json:"method"`
	Path           string    `json:"path"`
	IdempotencyKey string    `json:"idempotency_key,omitempty"`
	Account        string    `json:"account,omitempty"` // the connected account it was made for
	Status         int       `json:"status"`            // 0: no answer was sent
	Replayed       bool      `json:"replayed"`          // answered from the idempotency store
	Worked         bool      `json:"worked"`            // the endpoint did its work for this request
	Fault          FaultKind `json:"fault,omitempty"`
}

// Requests returns the newest requests, oldest first, as far as remembered.
func (s *Server) Requests() []Request {
	list := s.log.List()
	out := make([]Request, len(list))
	for i, r := range list {
		out[i] = Request{Time: r.Time, Provider: r.Provider, ID: r.ID, Method: r.Method, Path: r.Path, IdempotencyKey: r.IdempotencyKey,
			Account: r.Account, Status: r.Status, Replayed: r.Replayed, Worked: r.Worked, Fault: FaultKind(r.Fault)}
	}
	return out
}

// DeliveryMode names how webhooks are delivered.
type DeliveryMode string

// The delivery modes.
const (
	// DeliverTwice sends the same event a second time, right after the first.
	DeliverTwice DeliveryMode = "duplicate"
	// DeliverLate sends it DeliveryRule.Delay later, by the sandbox's clock.
	DeliverLate DeliveryMode = "late"
	// DeliverHold keeps it until ReleaseWebhooks.
	DeliverHold DeliveryMode = "hold"
	// DeliverReordered lets the next event overtake it.
	DeliverReordered DeliveryMode = "reorder"
	// DeliverLost never sends it.
	DeliverLost DeliveryMode = "lost"
	// DeliverForged sends a copy with a signature by a wrong secret first, then the real one.
	DeliverForged DeliveryMode = "forged"
	// DeliverStale sends a copy signed 15 minutes ago first, then the real one.
	DeliverStale DeliveryMode = "stale"
)

// DeliveryRule changes how events are delivered from now on.
type DeliveryRule struct {
	// Type is a pattern of path.Match over the event's type, such as
	// "payment_intent.*". Empty means all.
	Type string `json:"type,omitempty"`
	// Mode must be set.
	Mode DeliveryMode `json:"mode"`
	// Count is how many events it changes. Zero means all until cleared.
	Count int `json:"count,omitempty"`
	// Delay is for DeliverLate.
	Delay time.Duration `json:"-"`
}

// Deliver puts a rule in force; the first matching rule counts.
func (s *Server) Deliver(r DeliveryRule) error {
	return s.outbox.Rule(core.DeliveryRule{Type: r.Type, Mode: core.Mode(r.Mode), Count: r.Count, Delay: r.Delay})
}

// DeliverNormally ends all rules. Held events stay held.
func (s *Server) DeliverNormally() { s.outbox.ClearRules() }

// ReleaseWebhooks sends what was held, oldest first, or newest first when
// reversed, and returns how many there were.
func (s *Server) ReleaseWebhooks(reversed bool) int { return s.outbox.Release(reversed) }

// Delivery is one attempt to deliver an event, or an event lost on purpose.
type Delivery struct {
	Provider string       `json:"provider"`
	EventID  string       `json:"event_id"`
	Type     string       `json:"type"`
	URL      string       `json:"url"`
	Attempt  int          `json:"attempt"` // from 1; 0 when lost
	Mode     DeliveryMode `json:"mode,omitempty"`
	At       time.Time    `json:"at"`
	Status   int          `json:"status"` // 0: no answer
	Error    string       `json:"error,omitempty"`
}

// Deliveries returns the attempts made, oldest first, as far as remembered.
func (s *Server) Deliveries() []Delivery {
	list := s.outbox.Deliveries()
	out := make([]Delivery, len(list))
	for i, d := range list {
		out[i] = Delivery{Provider: d.Provider, EventID: d.EventID, Type: d.Type, URL: d.URL, Attempt: d.Attempt, Mode: DeliveryMode(d.Mode),
			At: d.At, Status: d.Status, Error: d.Error}
	}
	return out
}

// WebhooksWaiting returns how many deliveries are queued (due now or later) and held.
func (s *Server) WebhooksWaiting() (queued, held int) { return s.outbox.Waiting() }
