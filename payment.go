package payment

import (
	"log/slog"
	"time"

	"github.com/tender-go/payment/money"
)

// CaptureMode says when authorized money is taken.
type CaptureMode string

// The capture modes.
const (
	// CaptureAutomatic (the zero value): at once, or as soon as the hooks that
	// look at an authorization have let it pass.
	CaptureAutomatic CaptureMode = ""
	// CaptureManual: when the shop calls Capture.
	CaptureManual CaptureMode = "manual"
)

// Payment is what the shop wants to collect for one order, and all that
// happened to it. Values returned by the Client are copies; changing them
// changes nothing.
type Payment struct {
	ID string
	// Version counts the commits that changed the payment, from 1.
	Version int64
	// Reference is the shop's own name for the order. Two payments with the
	// same reference cannot both be live or hold money, unless the later one
	// is Additional.
	Reference  string
	Additional bool
	// HoldsReference: no other payment with the reference may be live.
	HoldsReference bool
	Amount         money.Amount
	// Customer is the shop's opaque id of the payer, "" for a guest.
	Customer string
	Capture  CaptureMode
	// Status is a pure function of Totals and what is outstanding.
	Status Status
	Totals Totals
	// Operations in the order they began.
	Operations []*Operation
	// Route is the order in which providers may be tried, decided once per
	// choice of method.
	Route []string
	// Canceled: the shop gave it up. Nothing is charged any more; what was
	// outstanding is fenced.
	Canceled bool
	// Expired: it was given up because its time was over.
	Expired bool
	// Blocked names the hook's public reason that stopped it.
	Blocked Decline
	// Review is set while a person or a hook decides.
	Review *Review
	// PreReviewed: the hooks that look at an authorization looked before the
	// call, since a provider that may take the payment collects at once.
	PreReviewed bool
	// Parked is set while the payment needs a person: a fact that contradicts
	// another, an outcome that cannot be proven. See [Client.Parked].
	Parked *Parked
	// Unattended: the worker may send it although no payer waits.
	Unattended bool
	// Description and Metadata are the shop's own. Stores keep them encrypted,
	// since shops put names there.
	Description string            `json:"-"`
	Metadata    map[string]string `json:"-"`
	// Subject names the key that the personal values are encrypted with.
	Subject string
	// Sealed holds the request with its personal values, encrypted.
	Sealed    []byte
	CreatedAt time.Time
	UpdatedAt time.Time
	// ExpiresAt is when a payment with nothing outstanding is given up.
	ExpiresAt time.Time
	// DueAt is when the worker looks at it next, zero for never.
	DueAt time.Time
}

// Total is money done and money on its way.
type Total struct {
	Done    money.Amount
	Pending money.Amount // asked for, outcome open
}

// Totals add up what the operations of a payment came to. They are computed
// from the operations, never counted up beside them.
type Totals struct {
	Authorized Total // holds and sales that are the order's
	Captured   Total // collected for the order
	Voided     Total // released or expired of Authorized
	Refunded   Total // given back of Captured
	// Disputed: Pending while a dispute is open, Done once it is lost.
	Disputed Total
	// Overpaid is money collected that is not the order's (see
	// Operation.Overpaid), and what is held of such money is Pending until it
	// is released or captured. OverpaidRefunded is what of it went back.
	Overpaid         Total
	OverpaidRefunded Total
	// Transferred to other parties.
	Transferred Total
}

// Review holds a payment for a verdict.
type Review struct {
	// Stage: before_route or after_authorize.
	Stage Stage
	// By names the hook; Reason is its reason, for the shop's staff.
	By, Reason string
	// Until is when Config.OnReviewExpiry is carried out without a verdict.
	Until time.Time
	// Operation under review, after authorize.
	Operation string
	// Passed: a person let it pass; the same stage does not hold it again.
	Passed bool
}

// Parked says what a person has to settle.
type Parked struct {
	Since time.Time
	// Operation it is about, "" for the payment.
	Operation string
	// Why in words, and what is Missing to settle it.
	Why     string
	Missing string
}

// Status of a payment.
type Status string

// The statuses.
const (
	StatusCreated           Status = "created"
	StatusBlocked           Status = "blocked"
	StatusRequiresAction    Status = "requires_action"
	StatusProcessing        Status = "processing"
	StatusUnknown           Status = "unknown"
	StatusInReview          Status = "in_review"
	StatusAuthorized        Status = "authorized"
	StatusPartiallyCaptured Status = "partially_captured"
	StatusCaptured          Status = "captured"
	StatusPartiallyRefunded Status = "partially_refunded"
	StatusRefunded          Status = "refunded"
	StatusChargedBack       Status = "charged_back"
	StatusVoided            Status = "voided"
	StatusDeclined          Status = "declined"
	StatusCanceled          Status = "canceled"
	StatusExpired           Status = "expired"
)

// Statuses lists all statuses.
func Statuses() []Status {
	return []Status{StatusCreated, StatusBlocked, StatusRequiresAction, StatusProcessing, StatusUnknown,
		StatusInReview, StatusAuthorized, StatusPartiallyCaptured, StatusCaptured, StatusPartiallyRefunded,
		StatusRefunded, StatusChargedBack, StatusVoided, StatusDeclined, StatusCanceled, StatusExpired}
}

// String names the payment without anything of its payer.
func (p *Payment) String() string {
	if p == nil {
		return "payment(nil)"
	}
	return "payment " + p.ID + " " + p.Amount.String() + " " + string(p.Status)
}

// LogValue is what a log shows of a payment.
func (p *Payment) LogValue() slog.Value {
	if p == nil {
		return slog.StringValue("nil")
	}
	return slog.GroupValue(slog.String("id", p.ID), slog.String("reference", p.Reference),
		slog.String("amount", p.Amount.String()), slog.String("status", string(p.Status)))
}

// Operation returns the operation with the given id, or nil.
func (p *Payment) Operation(id string) *Operation {
	for _, o := range p.Operations {
		if o.ID == id {
			return o
		}
	}
	return nil
}

// Step returns the step with the given id and its operation, or nils.
func (p *Payment) Step(id string) (*Operation, *Step) {
	for _, o := range p.Operations {
		for _, s := range o.Steps {
			if s.ID == id {
				return o, s
			}
		}
	}
	return nil, nil
}
