package payment

import "time"

// MethodState is where a saved method stands.
type MethodState string

// The states of a saved method.
const (
	MethodSaving         MethodState = "saving" // being stored; the outcome may be unknown
	MethodActionRequired MethodState = "action_required"
	MethodActive         MethodState = "active"
	MethodFailed         MethodState = "failed"
	MethodForgotten      MethodState = "forgotten"
)

// SavedMethod is a payer's method that a provider keeps, for one-click
// payments.
type SavedMethod struct {
	ID       string
	Customer string
	Provider string
	Method   Method
	State    MethodState
	Card     CardInfo
	// Ref is the provider's object of the act of saving (a Stripe
	// SetupIntent), for look-ups and webhooks.
	Ref  string
	Data map[string]string
	// Decline says why it failed.
	Decline Decline
	// Action the payer must carry out, with MethodActionRequired.
	Action *Action `json:"-"`
	// Subject names the key of Sealed, which holds the token, the provider's
	// customer id, the request and the action, encrypted.
	Subject   string
	Sealed    []byte
	CreatedAt time.Time
	UpdatedAt time.Time
}
