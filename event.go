package payment

import (
	"time"

	"github.com/tender-go/payment/money"
)

// Source says how a fact was learned.
type Source string

// The sources.
const (
	SourceAnswer   Source = "answer"   // of the provider, to a step
	SourceWebhook  Source = "webhook"  // a verified notification
	SourceLookup   Source = "lookup"   // we asked
	SourceReturn   Source = "return"   // the payer's browser came back
	SourceReport   Source = "report"   // a settlement report
	SourceClock    Source = "clock"    // a deadline passed
	SourceDecision Source = "decision" // a person or a hook
	SourceEngine   Source = "engine"   // a rule of the client's own
)

// EventType says what an event is.
type EventType string

// The types of event.
const (
	// EventFact: what is known of an operation changed, or was said again.
	EventFact EventType = "fact"
	// EventCreated: a payment was created.
	EventCreated EventType = "created"
	// EventCanceled: the shop gave the payment up.
	EventCanceled EventType = "canceled"
	// EventBlocked, EventReview, EventVerdict: a hook's or a person's word.
	EventBlocked EventType = "blocked"
	EventReview  EventType = "review"
	EventVerdict EventType = "verdict"
	// EventIncident: money arrived that is not the order's, a fact contradicts
	// what was recorded, or a capture, void, refund or transfer that the shop
	// asked for came to nothing.
	EventIncident EventType = "incident"
	// EventParked: a person is needed.
	EventParked EventType = "parked"
	// EventRouted: why a provider was chosen, or why no other was tried.
	EventRouted EventType = "routed"
	// EventDispute: a dispute opened, changed or ended.
	EventDispute EventType = "dispute"
	// EventMethod: a saved method became usable or was forgotten.
	EventMethod EventType = "method"
)

// Event is an immutable fact. Adapters fill the first part; the client fills
// the second when it records the event, in the same commit as its effect. The
// recorded events are the shop's outbox: see [Client.Events].
type Event struct {
	// Provider instance that says so; filled by the client for answers.
	Provider string
	// Dedup is the provider's own id of the notification, unique per
	// provider; "" where it has none.
	Dedup string
	// Kind of operation the fact is about.
	Kind OperationKind
	// Status and the fields below as in Result.
	Status ResultStatus
	// StepKey is our step's id and OperationID our operation's, when the
	// provider's object carries them; the client fills in what it resolves.
	StepKey     string
	OperationID string
	// Ref is the provider's object of the operation; Parent that of the
	// operation it acts on (the payment behind a refund or dispute).
	Ref    string
	Refs   []string
	Parent string
	// Amount of the operation, or with Cumulative the total of this kind on
	// the Parent so far. Zero value: the provider named none.
	Amount     money.Amount `json:",omitzero"`
	Cumulative bool
	Captured   bool
	Payable    bool
	Decline    Decline
	Action     *Action `json:"-"` // never stored with the event
	ExpiresAt  time.Time
	Card       CardInfo
	ThreeDS    ThreeDSResult
	Fee        money.Amount `json:",omitzero"`
	Data       map[string]string
	Dispute    *DisputeFact
	// Token and ProviderCustomer of a saved method; never stored with the
	// event.
	Token            Secret `json:"-"`
	ProviderCustomer string `json:"-"`
	// At is the provider's time of the fact.
	At time.Time

	// ID, Seq and RecordedAt are given when it is recorded. Seq orders the
	// outbox; it rises, with gaps.
	ID         string
	Seq        int64
	RecordedAt time.Time
	Type       EventType
	Source     Source
	PaymentID  string
	// Applied: it changed something. If not, Reason says why: seen before, an
	// earlier stage reported late, a conflict.
	Applied bool
	Reason  string
	// State that the operation has, and Totals and PaymentStatus that the
	// payment has, after the event.
	State         State
	PaymentStatus Status
	// Failure of an answer that never came.
	Failure Failure
	// Who decided, for decisions and verdicts; Cites is the event it settles.
	Who, Cites string
}

// DisputeFact is what a provider says of a dispute.
type DisputeFact struct {
	Ref    string
	Status DisputeStatus
	// Reason as the network names it, Code its own code.
	Reason, Code string
	Amount       money.Amount
	Fee          money.Amount `json:",omitzero"`
	// Due is when the response must be in.
	Due time.Time
}
