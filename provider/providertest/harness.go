package providertest

import (
	"errors"
	"net/url"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// Harness connects an adapter to the suite.
type Harness struct {
	// New makes an adapter on a fresh provider account. It is called once per
	// rule and method. Required.
	New func(Options) (*Rig, error)
	// Methods to test. Every method that the adapter declares is listed, once
	// itself or in the SameAs of another. Required.
	Methods []Method
	// Without declares what cannot be shown, with the reason.
	Without map[Ability]string
	// Only limits the run to the rules with these ids, for work on one of them.
	Only []string
	// Timeout of one rule; zero for ten seconds.
	Timeout time.Duration
}

// Options say what kind of adapter a rule needs.
type Options struct {
	// NoWebhookSecret: the adapter has no secret to verify notifications with.
	NoWebhookSecret bool
}

// Method is one method of payment under test.
type Method struct {
	// Approve is paid, after the payer's act where the method needs one.
	// Required; its Method is what is tested.
	Approve payment.Instrument
	// Decline is refused for DeclineReason. Zero: declare AbilityDecline.
	Decline       payment.Instrument
	DeclineReason payment.Reason
	// Challenge needs the payer first; zero for Approve where the method always
	// does. Else declare AbilityChallenge.
	Challenge payment.Instrument
	// Amount of the payments; zero for 10.00 of the first currency the method
	// takes (USD where it takes all).
	Amount money.Amount
	// Currencies in which an amount makes the round trip; nil for those of USD,
	// JPY and KWD that the method takes: two, no and three decimals.
	Currencies []money.Currency
	// SameAs are further declared methods that the adapter handles alike.
	SameAs []payment.Method
}

// Ability is something a rig can do, or a test instrument that exists.
type Ability string

// The abilities.
const (
	AbilityPayer     Ability = "payer"     // Rig.Pay: what needs no act of the payer is checked without it
	AbilityFault     Ability = "fault"     // Rig.Fault; "fault:reset" for a single one, "fault:reset:refund" at one step
	AbilityTruth     Ability = "truth"     // Rig.Truth
	AbilityWebhooks  Ability = "webhooks"  // Rig.Webhooks
	AbilityForge     Ability = "forge"     // Rig.Sign
	AbilityRequests  Ability = "requests"  // Rig.Requests
	AbilityClock     Ability = "clock"     // Rig.Now and Rig.Advance
	AbilityDispute   Ability = "dispute"   // Rig.Dispute
	AbilityDecline   Ability = "decline"   // an instrument that is declined, for every method
	AbilityChallenge Ability = "challenge" // an instrument that needs the payer, for every method
)

// Rig is one adapter and the world around it. A nil function is an ability
// that it lacks.
type Rig struct {
	// Provider under test. Required.
	Provider payment.Provider
	// Close ends the rig.
	Close func()
	// Now is the clock the adapter and its provider run on; Advance moves it.
	Now     func() time.Time
	Advance func(time.Duration)
	// Pay lets the payer do what an attempt asks for, and returns what the
	// browser brings back to the shop. It fails if the payer cannot pay (any
	// more).
	Pay func(Attempt) (url.Values, error)
	// Fault breaks the next write of the given step, or, for "lookup", the next
	// read. [ErrNoFault] says that the rig cannot do this one, which
	// Harness.Without must declare.
	Fault func(step string, f Fault) error
	// Truth says what really happened to the attempt of an authorize
	// operation, its captures and refunds included, whatever was answered.
	Truth func(operation string) (Truth, error)
	// Webhooks returns the notifications sent since the last call, signed as of
	// now.
	Webhooks func() ([]payment.Webhook, error)
	// Sign makes a notification of a body, signed with the right secret as of
	// the given time.
	Sign func(body []byte, at time.Time) payment.Webhook
	// Requests returns the writes seen on the wire since the rig was made.
	Requests func() []Request
	// Dispute opens a chargeback on an attempt and returns the provider's
	// reference of it.
	Dispute func(Attempt, money.Amount) (string, error)
}

// Attempt is what the payer, or the payer's bank, is shown.
type Attempt struct {
	Operation, Payment string
	Ref                string // the provider's object, when known
	Method             payment.Method
	Action             *payment.Action
}

// Truth is what really happened to an attempt.
type Truth struct {
	// Held is authorized, and neither captured nor released. Collected is
	// captured in all, before refunds; Refunded given back.
	Held, Collected, Refunded int64 // minor units
	// Attempts is on how many objects of the provider money was held or
	// collected. More than one is a second charge.
	Attempts int
}

// Request is one write on the wire.
type Request struct {
	// Key is the idempotency key, or our own number where the provider knows
	// that instead, as it was found in the request.
	Key string
	// Content stands for all that was sent and must be the same on a replay:
	// method, path, body.
	Content string
	// Elsewhere: it went to another host than the provider's, a read included.
	Elsewhere bool
}

// Fault is a break of the network, or an answer of the provider's front door.
type Fault string

// The faults.
const (
	// FaultRefused: the connection is refused; nothing leaves.
	FaultRefused Fault = "refused"
	// FaultReset: reset after the request was written; no work is done.
	FaultReset Fault = "reset"
	// FaultLost: the work is done, and the answer never comes.
	FaultLost Fault = "lost"
	// FaultHang: the work is done, and the answer is held back until the
	// caller's context is over.
	FaultHang Fault = "hang"
	// FaultServerError: 500 and no work; FaultServerErrorDone: 500 after it.
	FaultServerError     Fault = "server_error"
	FaultServerErrorDone Fault = "server_error_done"
	// FaultGarbage: the work is done, and the answer is a 200 that nobody can
	// read.
	FaultGarbage Fault = "garbage"
	// FaultUnauthorized, FaultForbidden, FaultTooMany, FaultBadRequest: 401,
	// 403, 429, 400 and no work.
	FaultUnauthorized Fault = "unauthorized"
	FaultForbidden    Fault = "forbidden"
	FaultTooMany      Fault = "too_many"
	FaultBadRequest   Fault = "bad_request"
	// FaultRedirect: the front door redirects (307) to another host, which would
	// do the work and answer as the provider does. Whatever follows it there is
	// in Rig.Requests, as Elsewhere.
	FaultRedirect Fault = "redirect"
	// FaultKeyConflict: no work, and the answer says in the provider's own words
	// that the key is known with another request, or that one with it is in
	// progress.
	FaultKeyConflict Fault = "key_conflict"
	// FaultOtherAmount, FaultOtherCurrency, FaultNoRef: the work is done, and the
	// answer is whole and in the provider's own words, but it names another
	// amount, another currency, or no object of the provider. An answer that
	// names no amount anyway cannot be altered so: declare that for the step, as
	// in Without["fault:other_amount:create"].
	FaultOtherAmount   Fault = "other_amount"
	FaultOtherCurrency Fault = "other_currency"
	FaultNoRef         Fault = "no_ref"
)

// ErrNoFault says that a rig cannot break a call in this way.
var ErrNoFault = errors.New("providertest: the rig does not know this fault")

// lacks returns the first of the needed abilities that is missing.
func (h *Harness) lacks(r *Rig, m *Method, needs []Ability) (Ability, bool) {
	for _, a := range needs {
		_, declared := h.Without[a]
		if a == AbilityPayer && declared {
			continue // where the payer must act after all, the check ends there
		}
		if declared || !r.has(m, a) {
			return a, true
		}
	}
	return "", false
}

func (r *Rig) has(m *Method, a Ability) bool {
	switch a {
	case AbilityPayer:
		return r.Pay != nil
	case AbilityFault:
		return r.Fault != nil
	case AbilityTruth:
		return r.Truth != nil
	case AbilityWebhooks:
		return r.Webhooks != nil
	case AbilityForge:
		return r.Sign != nil
	case AbilityRequests:
		return r.Requests != nil
	case AbilityClock:
		return r.Now != nil && r.Advance != nil
	case AbilityDispute:
		return r.Dispute != nil
	case AbilityDecline:
		return m == nil || m.Decline.Method != ""
	case AbilityChallenge:
		return m == nil || m.Challenge.Method != ""
	}
	return true
}
