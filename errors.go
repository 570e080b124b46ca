package payment

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tender-go/payment/money"
)

// Sentinels that errors.Is finds. Errors of this package are one readable line
// and carry no personal value and no secret.
var (
	// ErrNotFound: no record has that id or key.
	ErrNotFound = errors.New("payment: not found")
	// ErrConflict: the record changed meanwhile. Stores return it from
	// SavePayment; Update runs its function again.
	ErrConflict = errors.New("payment: the record changed meanwhile")
	// ErrBusy: the store could not get its lock in time; nothing is written.
	// Roll back and run the transaction again.
	ErrBusy = errors.New("payment: the store is busy; nothing was written, try again")
	// ErrCommitUnknown: the connection was lost during commit.
	ErrCommitUnknown = errors.New("payment: the connection was lost during commit; the transaction may or may not be written")
	// ErrInTransaction: the context carries a transaction, and the call would
	// reach a provider, or open a transaction inside a transaction.
	ErrInTransaction = errors.New("payment: the context carries a transaction; commit it first (only Create may join one)")
	// ErrTaken is behind every [*TakenError].
	ErrTaken = errors.New("payment: the key is held")
	// ErrErased: the personal values were erased and cannot be read.
	ErrErased = errors.New("payment: the personal values were erased")
	// ErrInvalid is behind every [*FieldError].
	ErrInvalid = errors.New("payment: invalid input")
	// ErrKeyReused: the idempotency key was used with another request.
	ErrKeyReused = errors.New("payment: the idempotency key was used with another request")
	// ErrReferenceLive is behind every [*ReferenceError].
	ErrReferenceLive = errors.New("payment: another payment with this reference is live")
	// ErrNotAllowed is behind every [*StateError].
	ErrNotAllowed = errors.New("payment: not allowed in this state")
	// ErrExceeds is behind every [*ExceedsError].
	ErrExceeds = errors.New("payment: the amount exceeds what is available")
	// ErrNoProvider is behind every [*RouteError].
	ErrNoProvider = errors.New("payment: no provider can take this payment")
	// ErrUnsupported: the provider cannot do that.
	ErrUnsupported = errors.New("payment: the provider does not support this")
	// ErrRecord is behind every [*RecordError].
	ErrRecord = errors.New("payment: the record is in doubt")
	// ErrWebhook is behind every [*WebhookError].
	ErrWebhook = errors.New("payment: the webhook was refused")
)

// FieldError names one thing wrong with an input and its remedy. Several are
// joined with errors.Join.
type FieldError struct {
	Field   string // as in the Go struct: "Amount", "Splits[1].Account"
	Problem string // what is wrong
	Remedy  string // what to do
}

func (e *FieldError) Error() string {
	s := "payment: " + e.Field + " " + e.Problem
	if e.Remedy != "" {
		s += ": " + e.Remedy
	}
	return s
}

// Is matches ErrInvalid.
func (e *FieldError) Is(target error) bool { return target == ErrInvalid }

// TakenError says who holds a claim.
type TakenError struct{ Claim Claim }

func (e *TakenError) Error() string {
	return "payment: the " + string(e.Claim.Kind) + " is held by " + e.Claim.Owner
}

// Is matches ErrTaken.
func (e *TakenError) Is(target error) bool { return target == ErrTaken }

// NotFoundError says which record is not there.
type NotFoundError struct{ What, ID string }

func (e *NotFoundError) Error() string { return "payment: no " + e.What + " has the id " + quote(e.ID) }

// Is matches ErrNotFound.
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

// KeyError says that an idempotency key came back with another request.
type KeyError struct {
	Key       string
	PaymentID string // of the first use; that of the saved method, for Save
}

func (e *KeyError) Error() string {
	return "payment: Key " + quote(e.Key) + " was used with another request (by " + e.PaymentID + "): use a new key for a new request, and the same request for a retry"
}

// Is matches ErrKeyReused.
func (e *KeyError) Is(target error) bool { return target == ErrKeyReused }

// ReferenceError says which payment holds a reference.
type ReferenceError struct{ Reference, PaymentID string }

func (e *ReferenceError) Error() string {
	return "payment: Reference " + quote(e.Reference) + " is held by payment " + e.PaymentID + ": show or resume that payment, cancel it, or set Additional if the order is to be paid twice"
}

// Is matches ErrReferenceLive.
func (e *ReferenceError) Is(target error) bool { return target == ErrReferenceLive }

// StateError says why a verb is not allowed now.
type StateError struct {
	Verb, PaymentID string
	Status          Status
	Reason          string
}

func (e *StateError) Error() string {
	return fmt.Sprintf("payment: cannot %s payment %s (%s): %s", e.Verb, e.PaymentID, e.Status, e.Reason)
}

// Is matches ErrNotAllowed.
func (e *StateError) Is(target error) bool { return target == ErrNotAllowed }

// ExceedsError says how much was asked and how much there is.
type ExceedsError struct {
	Verb string
	// Asked for; the zero value asked for all that is left, and nothing is.
	Asked, Available money.Amount
	// Pending is not available because it is on its way, and may come back if
	// that fails; Disputed because disputes hold it. The zero value for none.
	Pending, Disputed money.Amount
}

func (e *ExceedsError) Error() string {
	s := "payment: cannot " + e.Verb + " " + e.Asked.String() + ": only " + e.Available.String() + " is available"
	if e.Asked == (money.Amount{}) {
		s = "payment: nothing is left to " + e.Verb
	}
	var held []string
	if e.Pending.IsPositive() {
		held = append(held, e.Pending.String()+" is on its way")
	}
	if e.Disputed.IsPositive() {
		held = append(held, e.Disputed.String()+" is disputed")
	}
	if len(held) > 0 {
		s += " (" + strings.Join(held, ", ") + ")"
	}
	return s
}

// Is matches ErrExceeds.
func (e *ExceedsError) Is(target error) bool { return target == ErrExceeds }

// RouteError says why no provider can take a payment.
type RouteError struct {
	// Reasons per provider instance.
	Reasons map[string]string
	// Invalid joins which fields of the request are in the providers' way:
	// errors.As finds each *[FieldError]. Nil where no field is at fault.
	Invalid error
}

// Unwrap returns what is wrong with the request's fields, if that is why.
func (e *RouteError) Unwrap() error { return e.Invalid }

func (e *RouteError) Error() string {
	var b strings.Builder
	b.WriteString("payment: no provider can take this payment")
	for i, name := range sortedKeys(e.Reasons) {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(name + " " + strings.ReplaceAll(e.Reasons[name], "\n", "; "))
	}
	return b.String()
}

// Is matches ErrNoProvider, and ErrInvalid if a provider would take the payment
// with other fields.
func (e *RouteError) Is(target error) bool {
	return target == ErrNoProvider || target == ErrInvalid && e.Invalid != nil
}

// RecordError says that a provider was or may have been asked, and the record
// of it could not be written. The payment repairs itself; look at it again by
// its id and start nothing else for the order.
type RecordError struct {
	PaymentID string
	Err       error
}

func (e *RecordError) Error() string {
	return "payment: the record of payment " + e.PaymentID + " is in doubt (" + e.Err.Error() + "): get it again by its id, do not charge anew"
}

// Is matches ErrRecord.
func (e *RecordError) Is(target error) bool { return target == ErrRecord }

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// ErrorKind says what a failed call proves.
type ErrorKind string

// The kinds. The zero value counts as KindUnknown.
const (
	// KindNotSent: proven, the provider did nothing: the request never left
	// (name resolution, refused connection, TLS, context over before the
	// write, failed validation).
	KindNotSent ErrorKind = "not_sent"
	// KindRejectedMerchant: proven, the provider refused to process the
	// request because of the merchant's side (401, 403, 429, account off).
	KindRejectedMerchant ErrorKind = "rejected_merchant"
	// KindRejectedRequest: proven, it refused this very request (400, 404, 422).
	KindRejectedRequest ErrorKind = "rejected_request"
	// KindUnknown: anything else. It may have happened.
	KindUnknown ErrorKind = "unknown"
)

// PlanError says that a participant (a ledger, a limit) refused a plan. Nothing
// was written and nothing asked of a provider.
type PlanError struct {
	Participant string
	Step        string
	Err         error
}

func (e *PlanError) Error() string {
	return "payment: " + e.Participant + " refused the plan: " + e.Err.Error()
}

// Unwrap returns the participant's own error.
func (e *PlanError) Unwrap() error { return e.Err }

// CallError is a call without a usable answer.
type CallError struct {
	Kind ErrorKind
	// Provider instance and step.
	Provider, Step string
	// Code of the provider or network, Message in words, both scrubbed.
	Code, Message string
	// KeyConflict: the provider knows the idempotency key from another
	// request, or has a request with it in progress: an earlier send arrived.
	KeyConflict bool
	// RequestID of the provider, for its support.
	RequestID string
	// RetryAfter the provider asked for, in seconds; 0 for none.
	RetryAfter int
	// Err is the cause. It is not printed: SDK errors hold secrets.
	Err error
}

func (e *CallError) Error() string {
	s := "payment: " + e.Provider + " " + e.Step + ": " + string(e.Kind)
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.RequestID != "" {
		s += " [request " + e.RequestID + "]"
	}
	return s
}

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// WebhookError says why a notification was refused.
type WebhookError struct {
	// Reason: no_secret, too_large, empty, no_signature, bad_signature, stale,
	// malformed.
	Reason string
	// Detail in words, without content of the body.
	Detail string
}

// The reasons of a WebhookError.
const (
	WebhookNoSecret     = "no_secret"
	WebhookTooLarge     = "too_large"
	WebhookEmpty        = "empty"
	WebhookNoSignature  = "no_signature"
	WebhookBadSignature = "bad_signature"
	WebhookStale        = "stale"
	WebhookMalformed    = "malformed"
)

func (e *WebhookError) Error() string {
	return "payment: webhook refused (" + e.Reason + "): " + e.Detail
}

// Is matches ErrWebhook.
func (e *WebhookError) Is(target error) bool { return target == ErrWebhook }

// quote shows foreign input in an error: quoted, cut, without control bytes.
func quote(s string) string { return strconv.QuoteToASCII(truncate(s, 64)) }

func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "..."
}
