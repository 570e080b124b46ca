package payment

import (
	"context"
	"time"

	"github.com/tender-go/payment/money"
)

// Router orders the providers that may take a payment.
type Router interface {
	// Route returns instance names in the order in which they may be tried,
	// with the reason in words. It gets only eligible candidates and may drop
	// some; a name that is no candidate is ignored. An error stops the payment
	// before anything is asked of a provider. It may call out; it runs outside
	// transactions.
	Route(ctx context.Context, r RouteRequest) (Route, error)
}

// RouteRequest is what a router decides on.
type RouteRequest struct {
	PaymentID, Reference, Customer string
	Amount                         money.Amount
	Method                         Instrument
	Country, BIN                   string
	Metadata                       map[string]string
	// Candidates are the eligible instances, in the order of Config.Providers.
	Candidates []string
	// Excluded says why each other instance is not eligible.
	Excluded map[string]string
	Now      time.Time
}

// Route is an ordered choice.
type Route struct {
	Providers []string
	// Reason in words, kept with the attempt.
	Reason string
}

// RouterFunc makes a Router of a function.
type RouterFunc func(ctx context.Context, r RouteRequest) (Route, error)

// Route calls f.
func (f RouterFunc) Route(ctx context.Context, r RouteRequest) (Route, error) { return f(ctx, r) }

// Stage is a moment at which hooks are asked.
type Stage string

// The stages.
const (
	StageBeforeRoute Stage = "before_route"
	// StageAfterAuthorize: money is held and not yet collected, so a verdict
	// costs a void. Methods that collect at once are looked at before the call
	// instead, without an Operation.
	StageAfterAuthorize Stage = "after_authorize"
	StageBeforeRefund   Stage = "before_refund"
	StageBeforeTransfer Stage = "before_transfer"
	StageBeforeSave     Stage = "before_save"
)

// Outcome is a hook's word. The strictest of several wins.
type Outcome uint8

// The outcomes, from the mildest to the strictest.
const (
	Allow  Outcome = iota // go on
	StepUp                // go on with payer authentication, where the method has it
	Hold                  // a person decides first
	Block                 // stop
)

// String names the outcome.
func (o Outcome) String() string {
	switch o {
	case Allow:
		return "allow"
	case StepUp:
		return "step_up"
	case Hold:
		return "review"
	case Block:
		return "block"
	}
	return "unknown"
}

// Verdict is what a hook answers.
type Verdict struct {
	Outcome Outcome
	// Reason is for the shop's staff; it is stored, so no personal values.
	Reason string
	// Decline is what the payer is told with Block; the zero value reads like
	// a generic decline.
	Decline Decline
	// Until bounds a Hold; zero for Config.ReviewFor.
	Until time.Time
}

// HookRequest is what a hook decides on.
type HookRequest struct {
	Stage Stage
	// Payment as it stands; nil at StageBeforeSave.
	Payment *Payment
	// Operation it is about: the authorized attempt, or the refund or transfer
	// that is asked for (not yet planned).
	Operation *Operation
	Method    Instrument
	Payer     Payer
	// Saved is the method to be stored, at StageBeforeSave.
	Saved *SavedMethod
	Now   time.Time
}

// Hook looks at a payment at fixed moments. It runs outside transactions, may
// call out, and is asked again after a crash: it must be idempotent. It honours
// ctx, which carries Config.HookTimeout. An error counts as the hook's
// configured verdict for its own failure (see [HookConfig]).
type Hook interface {
	// Name is stable, for the record.
	Name() string
	// Stages at which it wants to be asked.
	Stages() []Stage
	// Decide answers.
	Decide(ctx context.Context, r HookRequest) (Verdict, error)
}

// HookConfig wires a hook.
type HookConfig struct {
	Hook Hook
	// OnError is the outcome when the hook fails or is late. The zero value
	// is Allow: a good payer is not blocked because a check is down.
	OnError Outcome
}

// Participant takes part in the commits of the client: a ledger, limits, a
// search index in the same database. It sees the store's own Tx and asserts
// the narrow interface that it needs.
type Participant interface {
	// Name is stable, for errors.
	Name() string
	// Check is called once by New: does the store offer what is needed?
	Check(s Store) error
	// OnPlan runs in the commit that plans a step, before anything is sent. It
	// may refuse: its error ends the plan with nothing written, and the caller
	// gets a [*PlanError]. Where the plan follows from a fact (an automatic
	// capture), the fact is recorded all the same, the step is not sent, and
	// the payment is parked.
	OnPlan(ctx context.Context, tx Tx, p *Payment, o *Operation, s *Step) error
	// OnRecord runs in the commit that records an event. It may not refuse: a
	// verified fact is always recorded. An error means that the store failed;
	// the commit is rolled back and tried again.
	OnRecord(ctx context.Context, tx Tx, p *Payment, e *Event) error
}

// Runner is a [Participant] with work of its own in the background, such as
// sealing a ledger. [Client.Run] runs it beside its own work.
type Runner interface {
	// Run works until ctx ends and returns its error. Several processes may run
	// it on one store.
	Run(ctx context.Context) error
}
