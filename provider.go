package payment

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/tender-go/payment/money"
)

// Provider is the core payment interface: what every payment provider can do.
// The optional interfaces beside it ([Validator], [Capturer], [Voider], [Refunder],
// [Resumer], [Lookuper], [Fencer], [Vault], [Disputer], [Splitter],
// [StatementSource], [WebhookParser]) are found by type assertion, and
// [Capabilities] must agree with them.
//
// The contract of every call:
//
//   - It carries out exactly one step: at most one write at the provider, with
//     [Call].Key as the idempotency key or as our reference, the same on every
//     replay. The same request gives the same bytes on the wire.
//   - An answer is a [Result] with a nil error. A decline is an answer.
//   - No usable answer is a [*CallError], whose Kind says what is proven. An
//     error of any other type counts as [KindUnknown].
//   - It honours ctx, does not retry by itself, starts no goroutine that
//     outlives it, and never panics on what a provider sends.
//   - It may be called from many goroutines at once.
//   - Nothing it returns carries a card number, a security code or a
//     credential; personal values only where the field's comment allows them.
type Provider interface {
	// Name is the stable name of this instance, [a-z0-9_-], at most 32
	// characters. A shop may have two accounts with one provider: two
	// instances, two names. The name is stored with every operation.
	Name() string

	// Capabilities says what the instance can do, per method. The client reads
	// it once, in [New]; it must not change afterwards.
	Capabilities() Capabilities

	// Authorize carries out one step of collecting money: r.Step names which,
	// in the order of [MethodCapabilities].Flow. With r.Capture the flow ends
	// in a sale (money collected), without it in a hold.
	Authorize(ctx context.Context, r AuthorizeRequest) (Result, error)
}

// Validator checks a request before anything is written or sent: what this
// provider could never take. The error is one or several joined *[FieldError].
// It calls nobody. r.Call is empty.
type Validator interface {
	Validate(r AuthorizeRequest) error
}

// Capturer takes authorized money.
type Capturer interface {
	Capture(ctx context.Context, r CaptureRequest) (Result, error)
}

// Voider gives authorized, uncaptured money back to the payer. It releases
// what is left of the authorization, never a part of what is left.
type Voider interface {
	Void(ctx context.Context, r VoidRequest) (Result, error)
}

// Refunder gives captured money back, in part or in full.
type Refunder interface {
	Refund(ctx context.Context, r RefundRequest) (Result, error)
}

// Resumer takes what the payer's browser brought back from a redirect or a
// challenge, where the provider wants it sent on (Adyen: payments/details). A
// provider without it is asked by Lookup instead.
type Resumer interface {
	Resume(ctx context.Context, r ResumeRequest) (Result, error)
}

// Lookuper reads what became of a step. It writes nothing.
//
// A Result with [ResultAbsent] says that the provider has no trace of the
// step's key or reference now; the client counts it as proof only after the
// step is closed for sends and [Recovery].LookupGrace has passed.
type Lookuper interface {
	Lookup(ctx context.Context, r LookupRequest) (Result, error)
}

// Fencer makes an attempt unpayable, by the provider's object or by our
// reference. [ResultApproved] confirms that no money can move on it any more;
// [ResultPending] that it is not decided yet; [ResultDeclined] that it could
// not be fenced (usually: it is paid, which Result.Events or a look-up shows).
type Fencer interface {
	Fence(ctx context.Context, r FenceRequest) (Result, error)
}

// Vault keeps a payer's method at the provider and gives a token for it.
type Vault interface {
	// Save stores a method for later payments. It may need the payer
	// ([ResultActionRequired]); the end comes by webhook or Lookup with
	// [OpSave]. An approved Result carries Token.
	Save(ctx context.Context, r SaveRequest) (Result, error)
	// Forget removes it. A token that the provider no longer knows is approved.
	Forget(ctx context.Context, r ForgetRequest) (Result, error)
}

// Disputer answers chargebacks and complaints.
type Disputer interface {
	// Respond sends evidence. With r.Submit it is final.
	Respond(ctx context.Context, r RespondRequest) (Result, error)
	// Accept gives the dispute up.
	Accept(ctx context.Context, r AcceptRequest) (Result, error)
}

// Splitter moves collected money on to other parties.
type Splitter interface {
	Transfer(ctx context.Context, r TransferRequest) (Result, error)
}

// StatementSource lists what the provider settled.
type StatementSource interface {
	// Statement yields the lines booked in [from, to) in the provider's order,
	// calling yield for each until it returns an error or the lines end.
	Statement(ctx context.Context, from, to time.Time, yield func(StatementLine) error) error
}

// WebhookParser verifies and reads a provider's notifications.
type WebhookParser interface {
	// ParseWebhook verifies w.Body, byte for byte, before it reads it, and
	// refuses everything when no secret is configured. The error is a
	// *[WebhookError]. It never panics and never calls out.
	ParseWebhook(ctx context.Context, w Webhook) (Notification, error)
}

// Call is what every step that is sent carries.
type Call struct {
	// Step names the step within its operation, as in Capabilities.
	Step string
	// Key is the idempotency key: the step's id, [0-9a-z], at most 32
	// characters, the same on every replay.
	Key string
	// Operation and Payment are our ids; put Operation on the provider's
	// object (metadata, reference) so that its webhooks and reports find home.
	Operation, Payment string
	// Reference is the shop's own name for the order.
	Reference string
	// Ref is the authorize operation's object at the provider ("" before the
	// first answer), and Data what its steps, and those of the operation acted
	// on, returned in Result.Data, merged.
	Ref  string
	Data map[string]string
	// Now is the time by the client's clock when the step was planned, the
	// same on every replay: use it where a request must hold a time.
	Now time.Time
}

// AuthorizeRequest asks for one step of collecting Amount.
type AuthorizeRequest struct {
	Call
	Amount  money.Amount
	Capture bool // a sale: collect at once; false: hold only
	Method  Instrument
	// Customer is the shop's id of a known payer, "" for a guest.
	// ProviderCustomer is the payer's id at this provider, when known.
	Customer, ProviderCustomer string
	// Payer holds personal values; each may be empty.
	Payer       Payer
	Description string
	// Descriptor is what the payer's statement should show, "" for the default.
	Descriptor string
	Metadata   map[string]string
	// ReturnURL is where the payer comes back to after leaving the shop's page.
	ReturnURL string
	// ThreeDS is the shop's or a risk hook's wish for authentication.
	ThreeDS ThreeDS
	// Save asks the provider to keep the method for later payments.
	Save bool
	// OffSession: the payer is not there (a subscription, an unattended retry).
	OffSession bool
	Splits     []Split
	// Until is when an unpaid attempt must stop being payable; set for methods
	// whose fence is [FenceDeadline].
	Until time.Time
}

// CaptureRequest takes Amount of an authorization.
type CaptureRequest struct {
	Call
	Amount money.Amount
	// Final: no further capture follows; the provider may release the rest.
	Final  bool
	Splits []Split
}

// VoidRequest releases an authorization.
type VoidRequest struct {
	Call
	Amount money.Amount // what is left of the authorization, for providers that ask
}

// RefundRequest gives Amount of a capture or sale back.
type RefundRequest struct {
	Call
	Amount money.Amount
	// CaptureRef is the object of the capture or sale that is refunded; equals
	// Ref where a capture has none of its own.
	CaptureRef string
	// Captured is the full amount of that capture.
	Captured money.Amount `json:",omitzero"`
	Reason   string
	Splits   []Split
}

// ResumeRequest carries what the payer's browser brought back.
type ResumeRequest struct {
	Call
	Values url.Values
	Amount money.Amount
	Method Instrument
}

// LookupRequest asks what became of a step.
type LookupRequest struct {
	Call
	// Kind of the operation the step belongs to.
	Kind OperationKind
	// StepRef is the provider's object of this very step, "" when its answer
	// never came: then search by Operation or Key in the window [Since, now].
	StepRef string
	Since   time.Time
	Amount  money.Amount
	Method  Method
	// Before is, for a capture, what earlier captures of the same
	// authorization came to: a provider that knows only the sum can tell.
	Before money.Amount
	// Capture repeats AuthorizeRequest.Capture for an authorize step.
	Capture bool
}

// FenceRequest asks that an authorize operation become unpayable.
type FenceRequest struct {
	Call
	// TargetKey is the key of the step that may have created the object, for
	// fences by our reference; Ref (in Call) its object, when known.
	TargetKey string
	Amount    money.Amount
	Method    Method
}

// SaveRequest stores a method.
type SaveRequest struct {
	Call
	Method                     Instrument
	Customer, ProviderCustomer string
	Payer                      Payer
	ReturnURL                  string
	ThreeDS                    ThreeDS
}

// ForgetRequest removes a stored method.
type ForgetRequest struct {
	Call
	Token            Secret
	ProviderCustomer string
}

// RespondRequest answers a dispute.
type RespondRequest struct {
	Call
	DisputeRef string
	Evidence   Evidence
	Submit     bool
}

// AcceptRequest gives a dispute up.
type AcceptRequest struct {
	Call
	DisputeRef string
}

// TransferRequest moves collected money to another party.
type TransferRequest struct {
	Call
	Amount money.Amount
	// Destination is the receiver's account at the provider.
	Destination string
	// SourceRef is the capture or sale it is taken from, "" for the balance.
	SourceRef   string
	Description string
}

// ResultStatus is what an answer says about its step. The zero value is none
// and is treated as an answer that cannot be read.
type ResultStatus string

// The statuses of an answer.
const (
	// ResultContinue: the step is done, no money moved, and the flow's next
	// step may be sent now.
	ResultContinue ResultStatus = "continue"
	// ResultApproved: done. For a hold, authorized; for a sale, collected.
	ResultApproved ResultStatus = "approved"
	// ResultPending: accepted, the outcome comes later.
	ResultPending ResultStatus = "pending"
	// ResultActionRequired: the payer must act; Result.Action says how.
	ResultActionRequired ResultStatus = "action_required"
	// ResultDeclined: refused for good; Result.Decline says why.
	ResultDeclined ResultStatus = "declined"
	// ResultCanceled: the object was canceled or closed, by us or there.
	ResultCanceled ResultStatus = "canceled"
	// ResultExpired: it ended unpaid, or the authorization ran out.
	ResultExpired ResultStatus = "expired"
	// ResultReversed: it was approved and has been undone since: a capture
	// that failed later, a refund that the bank returned.
	ResultReversed ResultStatus = "reversed"
	// ResultAbsent: (look-up only) there is no trace of it.
	ResultAbsent ResultStatus = "absent"
)

// Result is a provider's answer to a step, or what a look-up found.
type Result struct {
	Status ResultStatus
	// Amount that the provider named, in the payment's currency. Zero value:
	// it named none, and the amount asked for counts. What differs from what
	// was asked is never silently taken over.
	Amount money.Amount
	// Captured says, for an approved authorize step, that the money is
	// collected, not only held.
	Captured bool
	// Ref is the provider's object that this step made or acted on; Refs are
	// further ids by which its notifications may name the operation.
	Ref  string
	Refs []string
	// Data is kept with the operation and handed to its later steps. It is
	// stored in clear: ids and flags only, no personal values, no secrets.
	Data map[string]string
	// Decline is set with ResultDeclined.
	Decline Decline
	// Action is set with ResultActionRequired. It is stored encrypted.
	Action *Action
	// Payable: the payer can still pay this object without us although the
	// step has ended (a declined one whose client secret went out).
	Payable bool
	// ExpiresAt is when the authorization, or the payable link, ends; zero if
	// the provider did not say.
	ExpiresAt time.Time
	// Card describes the instrument, when the provider says.
	Card CardInfo
	// ThreeDS says how the payer was authenticated, when the provider says.
	ThreeDS ThreeDSResult
	// Token and ProviderCustomer are set when a method was saved. Token is
	// stored encrypted.
	Token            Secret
	ProviderCustomer string
	// Fee that the provider says it took, zero value if it did not say.
	Fee money.Amount
	// At is the provider's own time of the fact, zero if it did not say.
	At time.Time
	// Events are further facts seen on the way that concern other operations
	// of the payment (a refund made in the provider's dashboard).
	Events []Event
}

// Webhook is a notification as it came in.
type Webhook struct {
	Header http.Header
	// Query holds the URL's parameters, for providers that sign them.
	Query url.Values
	Body  []byte
	// Now is the time by the client's clock, for staleness.
	Now time.Time
}

// Notification is a verified webhook.
type Notification struct {
	// Events it reports, in order; none if it says nothing of payments.
	Events []Event
	// Ack is the body to answer with, AckType its content type ("" for plain
	// text). The status is always 200.
	Ack     []byte
	AckType string
}

// StatementLine is one booked line of a provider's statement.
type StatementLine struct {
	// ID is the provider's unique id of the line.
	ID string
	// Kind as this project names it: charge, refund, dispute, fee, transfer,
	// payout, adjustment, or "" with RawKind when unknown.
	Kind, RawKind string
	// Ref is the object the line is about; Operation our id, when known.
	Ref, Operation string
	// Gross = Net + Fee, all in the settlement currency.
	Gross, Fee, Net money.Amount
	// Payout groups the lines that were paid out together.
	Payout      string
	At          time.Time
	AvailableAt time.Time
}

// Evidence answers a dispute. It may hold personal values; it is stored
// encrypted.
type Evidence struct {
	// Text is the shop's explanation.
	Text string
	// Fields are named facts in the provider-neutral names documented in
	// docs/disputes.md: customer_email, shipping_tracking_number, ...
	Fields map[string]string
	Files  []EvidenceFile
}

// EvidenceFile is a document for a dispute.
type EvidenceFile struct {
	// Kind as in Fields: receipt, shipping_documentation, ...
	Kind string
	Name string
	// ContentType is application/pdf, image/png or image/jpeg.
	ContentType string
	Data        []byte
}

// Split sends a part of an amount to another party.
type Split struct {
	// Account is the receiver at the provider, "" for the shop itself.
	Account string
	// Merchant is the shop's own name of the receiver, for the books.
	Merchant string
	// Amount of this part, before Commission.
	Amount money.Amount
	// Commission is what the shop keeps of it; the zero value is none.
	Commission money.Amount `json:",omitzero"`
}
