package fake

import (
	"context"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// Options of a [Provider]. The zero value is a plain provider named "fake" on
// the real clock.
type Options struct {
	// Name of the instance; "" for the personality's, or "fake" for Plain.
	Name string
	// Personality; "" for [Plain].
	Personality Personality
	// Methods accepted; nil for the personality's own.
	Methods []payment.Method
	// Currencies accepted; nil for the personality's own.
	Currencies []money.Currency
	// Now is the clock; nil for time.Now.
	Now func() time.Time
	// Seed of the draws for Odds.
	Seed uint64
	// Odds of faults that come by chance; see [Odd].
	Odds []Odd
	// AsyncDelay is how long the provider needs for what it decides later (a
	// capture at Adyen). Zero: decided when the provider is next called, asked
	// for its webhooks or ticked, never within the call itself.
	AsyncDelay time.Duration
	// LookupLag hides objects younger than this from look-ups by our
	// reference, not from those by the provider's own id, as a lagging index
	// does. Keep it below the declared grace (a minute) or the fake lies.
	LookupLag time.Duration
	// WebhookSecrets sign and verify notifications; the first signs. nil for a
	// built-in one; empty but not nil for none, with which every notification
	// is refused.
	WebhookSecrets []string
	// Webhooks takes each notification as it falls due, on the goroutine whose
	// call caused it, after the provider's lock is released and possibly before
	// that call has returned. nil: they wait for TakeWebhooks.
	Webhooks func(payment.Webhook)
	// NoWebhooks sends none and declares none.
	NoWebhooks bool
	// Wait carries out the delay of [Slow]; its error (the ctx ended first)
	// loses the answer. nil does not wait.
	Wait func(ctx context.Context, d time.Duration) error
	// Record keeps every request for Requests.
	Record bool
	// FeeBPS is the fee in hundredths of a percent of each collection, rounded
	// down, as it appears in statements.
	FeeBPS int64
}

// defaultSecret signs where the options name none. It protects nothing: the
// fake moves no money.
const defaultSecret = "fake-webhook-secret" //nolint:gosec // G101: the secret of a fake, public on purpose
