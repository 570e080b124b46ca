package payment

import (
	"time"

	"github.com/tender-go/payment/money"
)

// Capabilities says what a provider instance can do. It is checked before
// every call, so that what cannot work is refused without asking.
type Capabilities struct {
	// Methods maps each accepted method to what can be done with it. A family
	// (card) stands for its members (card.visa) that are not listed.
	Methods map[Method]MethodCapabilities
	// Transfer, Respond, Accept, Save and Forget describe the steps of those
	// operations; a zero StepSpec says that the provider cannot.
	Transfer, Respond, Accept, Save, Forget StepSpec
	// Webhooks: the provider notifies, and the instance has what it needs to
	// verify it.
	Webhooks bool
}

// MethodCapabilities says what can be done with one method.
type MethodCapabilities struct {
	// Currencies accepted; empty for all.
	Currencies []money.Currency
	// Countries of the payer, ISO 3166 alpha-2; empty for all. Checked only
	// where the request names a country.
	Countries []string
	// Min and Max bound an amount per currency, in minor units, inclusive.
	Min, Max map[money.Currency]int64

	// Flow lists the steps of an authorize operation in order. At least one.
	Flow []StepSpec
	// Sale: money can be collected at once. Hold: it can be held and captured
	// later. At least one is true.
	Sale, Hold bool
	// PartialCapture: less than the authorized amount. MultiCapture: in
	// several parts. PartialRefund: less than the captured amount.
	PartialCapture, MultiCapture, PartialRefund bool
	// RefundWindow is how long after the capture a refund is accepted; zero
	// if the provider sets no limit.
	RefundWindow time.Duration
	// Capture, Void and Refund describe those steps; a zero StepSpec says that
	// the provider cannot.
	Capture, Void, Refund StepSpec
	// RefundsCapture: a refund names one capture, so a refund over several
	// captures becomes one operation per capture.
	RefundsCapture bool

	// Fence is how a payable attempt becomes unpayable; FenceStep the step
	// that does it where Fence is FenceConfirmed or FenceDeadline.
	Fence     Fence
	FenceStep StepSpec
	// PayableFor is how long the payer has, where Fence is FenceDeadline; the
	// client sets AuthorizeRequest.Until by it. PayableGrace is how long after
	// the deadline a payment may still arrive.
	PayableFor, PayableGrace time.Duration
	// HoldFor is the life of an authorization; its end is recorded by the
	// client even if no webhook says so. Required with Hold.
	HoldFor time.Duration

	// Save: the method can be kept for later payments. OffSession: and be
	// charged without the payer.
	Save, OffSession bool
	// ThreeDS: the method can be authenticated on request.
	ThreeDS bool
	// Splits: parts can be sent to other parties within the payment itself.
	Splits bool
}

// StepSpec describes a step: what it risks and how its outcome is learned.
type StepSpec struct {
	// Name of the step; "" in the zero StepSpec, which says "cannot".
	Name string
	// MovesMoney: money can move on this step alone, without a further act of
	// the payer or of ours. A step that does not is treated as never sent once
	// it is closed, whatever became of its answer.
	MovesMoney bool
	// Local: the step calls nobody; handing out what it makes (a signed URL)
	// is the step.
	Local bool
	// Recovery is how an unknown outcome is resolved.
	Recovery Recovery
}

// IsZero reports whether the provider cannot do the step.
func (s StepSpec) IsZero() bool { return s.Name == "" }

// Recovery says how the outcome of a step whose answer was lost can be
// learned. At least one way must end, or the step could never be resolved.
type Recovery struct {
	// KeyLife is how long a replay with the same key returns the first answer
	// instead of acting again; zero if the provider has no such key.
	KeyLife time.Duration
	// Lookup: the provider can be asked. LookupGrace is how long after the
	// last send a "not there" counts as proof.
	Lookup      bool
	LookupGrace time.Duration
	// FenceByReference: the step can be fenced by our own key although its
	// object was never learned.
	FenceByReference bool
	// Webhook: a notification will tell. Report: the settlement report will.
	Webhook, Report bool
	// ReplayPending: a pending step is re-sent with its key to learn more.
	ReplayPending bool
}

// Terminates reports whether the recovery can end without a person.
func (r Recovery) Terminates() bool {
	return r.KeyLife > 0 || r.Lookup || r.FenceByReference || r.Webhook || r.Report
}

// Fence is how an attempt that the payer can still pay is made unpayable
// before another one opens.
type Fence string

// The fences.
const (
	// FenceOurs: it cannot be collected without a later step of ours, which we
	// do not send (PayPal before our capture).
	FenceOurs Fence = "ours"
	// FenceConfirmed: the provider confirms that it is closed (Stripe cancel,
	// WeChat close); another attempt opens only after that.
	FenceConfirmed Fence = "confirmed"
	// FenceDeadline: it ends by itself at a time that we set (Alipay); closing
	// is tried, another attempt opens at once.
	FenceDeadline Fence = "deadline"
	// FenceNone: there is no way.
	FenceNone Fence = "none"
)

// For returns what can be done with m: its own entry or that of its family.
func (c Capabilities) For(m Method) (MethodCapabilities, bool) {
	if mc, ok := c.Methods[m]; ok {
		return mc, true
	}
	mc, ok := c.Methods[m.Family()]
	return mc, ok
}
