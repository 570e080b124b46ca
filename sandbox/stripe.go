package sandbox

import (
	"encoding/json"
	"time"

	"github.com/tender-go/payment/sandbox/internal/stripe"
)

// Stripe is the stand-in for Stripe: where to reach it, and what a person could
// do in its Dashboard or what happens at banks. Its methods are safe for use by
// several goroutines.
type Stripe struct {
	// URL is the API's base address: give it to the client in place of
	// https://api.stripe.com (and of https://files.stripe.com).
	URL string
	// SecretKey and WebhookSecret are what a shop would copy from the Dashboard.
	SecretKey, WebhookSecret string

	s *stripe.Stripe
}

// Outcome is what a payer does with a next action.
type Outcome string

// The outcomes.
const (
	// Succeed completes the challenge or approves the payment.
	Succeed Outcome = "succeed"
	// Fail fails the challenge or declines the payment.
	Fail Outcome = "fail"
	// Abandon is the payer giving up on the bank's page.
	Abandon Outcome = "cancel"
	// Expire is the bank giving up on the payer.
	Expire Outcome = "expire"
	// Process approves, with the result to follow by Settle.
	Process Outcome = "process"
)

// CompleteAction answers the next action of a PaymentIntent or SetupIntent. A
// card that is declined after its challenge is the intent's new state, not an
// error; the error says that there was no action, or no such intent.
func (s *Stripe) CompleteAction(id string, o Outcome) error { return s.s.Complete(id, string(o)) }

// Settle is the bank's late answer for a PaymentIntent in processing.
func (s *Stripe) Settle(paymentIntentID string, ok bool) error {
	return s.s.Settle(paymentIntentID, ok)
}

// CaptureFromDashboard captures amount of an authorized payment, releasing the
// rest; zero captures all. Minor units.
func (s *Stripe) CaptureFromDashboard(paymentIntentID string, amount int64) error {
	return s.s.Capture(paymentIntentID, amount)
}

// CancelFromDashboard cancels a payment that was not captured.
func (s *Stripe) CancelFromDashboard(paymentIntentID string) error {
	return s.s.Cancel(paymentIntentID)
}

// RefundFromDashboard refunds amount, zero meaning all that is left, in minor
// units, and returns the refund's id.
func (s *Stripe) RefundFromDashboard(paymentIntentID string, amount int64) (string, error) {
	return s.s.Refund(paymentIntentID, amount)
}

// FailRefund lets a refund fail late, as when the card's bank sends it back.
func (s *Stripe) FailRefund(refundID string) error { return s.s.SettleRefund(refundID, false) }

// SettleRefund completes a pending refund.
func (s *Stripe) SettleRefund(refundID string) error { return s.s.SettleRefund(refundID, true) }

// OpenDispute lets the cardholder dispute a charge (or the latest charge of a
// PaymentIntent) and returns the dispute's id. reason is one of Stripe's
// ("fraudulent", "product_not_received", ...); amount zero means all that was
// captured and not refunded. The money is withdrawn at once.
func (s *Stripe) OpenDispute(chargeID, reason string, amount int64) (string, error) {
	return s.s.OpenDispute(chargeID, reason, amount, false)
}

// OpenInquiry opens an inquiry: a question by the bank that withdraws nothing
// unless it is escalated.
func (s *Stripe) OpenInquiry(chargeID, reason string, amount int64) (string, error) {
	return s.s.OpenDispute(chargeID, reason, amount, true)
}

// EscalateInquiry turns an inquiry into a dispute.
func (s *Stripe) EscalateInquiry(disputeID string) error { return s.s.EscalateInquiry(disputeID) }

// CloseDispute lets the bank decide: won gives the money back, the fee is kept.
// An inquiry is closed without a decision.
func (s *Stripe) CloseDispute(disputeID string, won bool) error {
	return s.s.CloseDispute(disputeID, won)
}

// FailPayout lets a payout come back from the bank, with one of Stripe's
// failure codes; empty means account_closed.
func (s *Stripe) FailPayout(payoutID, code string) error { return s.s.FailPayout(payoutID, code) }

// RollWebhookSecret gives the endpoints of Options.WebhookURLs a new secret and
// returns it; for keep, by the sandbox's clock, deliveries carry signatures by
// the old secret as well. WebhookSecret keeps the one from the start.
func (s *Stripe) RollWebhookSecret(keep time.Duration) string { return s.s.RollSecret(keep) }

// Resend delivers an event once more, as the Dashboard's button does.
func (s *Stripe) Resend(eventID string) error { return s.s.Resend(eventID) }

// ForgeEvent delivers an event that never happened, signed with a secret that
// is not the shop's: what an attacker could send.
func (s *Stripe) ForgeEvent(eventType string, object json.RawMessage) error {
	return s.s.Forge(eventType, object)
}

// StripePayment is the truth about one PaymentIntent, whatever was answered or
// delivered. Amounts are minor units.
type StripePayment struct {
	ID            string            `json:"id"`
	Account       string            `json:"account"` // the platform's own or a connected one
	Status        string            `json:"status"`
	Currency      string            `json:"currency"` // lower case
	CaptureMethod string            `json:"capture_method"`
	Customer      string            `json:"customer,omitempty"`
	PaymentMethod string            `json:"payment_method,omitempty"`
	LatestCharge  string            `json:"latest_charge,omitempty"`
	DeclineCode   string            `json:"decline_code,omitempty"` // of last_payment_error
	ActionURL     string            `json:"action_url,omitempty"`   // where the payer goes, while an action is open
	Amount        int64             `json:"amount"`
	Capturable    int64             `json:"capturable"`
	Received      int64             `json:"received"` // captured, before refunds
	Refunded      int64             `json:"refunded"` // by refunds that did not fail
	Disputed      int64             `json:"disputed"` // withdrawn by disputes and not reinstated
	Created       time.Time         `json:"created"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	Charges       []StripeCharge    `json:"charges,omitempty"` // every attempt, oldest first
	Refunds       []StripeRefund    `json:"refunds,omitempty"`
}

// StripeCharge is one attempt of a payment.
type StripeCharge struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Amount   int64  `json:"amount"`
	Captured int64  `json:"captured"`
	Released int64  `json:"released"` // of a hold that was canceled, expired or captured in part
	Disputed bool   `json:"disputed"`
}

// StripeRefund is one refund of a payment.
type StripeRefund struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Amount int64  `json:"amount"`
}

func payment(t stripe.PaymentTruth) StripePayment {
	p := StripePayment{ID: t.ID, Account: t.Account, Status: t.Status, Currency: t.Currency, CaptureMethod: t.CaptureMethod, Customer: t.Customer,
		PaymentMethod: t.PaymentMethod, LatestCharge: t.LatestCharge, DeclineCode: t.DeclineCode, ActionURL: t.ActionURL, Amount: t.Amount,
		Capturable: t.Capturable, Received: t.Received, Refunded: t.Refunded, Disputed: t.Disputed, Created: time.Unix(t.Created, 0).UTC(), Metadata: t.Metadata}
	for _, c := range t.Charges {
		p.Charges = append(p.Charges, StripeCharge(c))
	}
	for _, r := range t.Refunds {
		p.Refunds = append(p.Refunds, StripeRefund(r))
	}
	return p
}

// Payments returns every PaymentIntent, oldest first within its account.
func (s *Stripe) Payments() []StripePayment { return s.PaymentsWhere(nil) }

// PaymentsWhere returns the PaymentIntents whose metadata holds all of want.
func (s *Stripe) PaymentsWhere(want map[string]string) []StripePayment {
	list := s.s.Payments(func(have map[string]string) bool {
		for k, v := range want {
			if have[k] != v {
				return false
			}
		}
		return true
	})
	out := make([]StripePayment, len(list))
	for i, t := range list {
		out[i] = payment(t)
	}
	return out
}

// Payment returns one PaymentIntent and whether there is one.
func (s *Stripe) Payment(id string) (StripePayment, bool) {
	t, ok := s.s.Payment(id)
	return payment(t), ok
}

// Collected returns the money really collected in a currency (lower case): in
// all, and less refunds that did not fail and amounts withdrawn by disputes.
// Minor units, before fees, over all accounts.
func (s *Stripe) Collected(currency string) (gross, net int64) { return s.s.Collected(currency) }

// StripeEvent is one recorded event.
type StripeEvent struct {
	ID             string          `json:"id"`
	Type           string          `json:"type"`
	Account        string          `json:"account,omitempty"` // of a connected account
	Created        time.Time       `json:"created"`
	RequestID      string          `json:"request_id,omitempty"` // the API request that caused it
	IdempotencyKey string          `json:"idempotency_key,omitempty"`
	Object         json.RawMessage `json:"object"`
}

// Events returns the recorded events, oldest first within their account, as far
// as remembered, whether or not anything was delivered.
func (s *Stripe) Events() []StripeEvent {
	list := s.s.Events()
	out := make([]StripeEvent, len(list))
	for i, e := range list {
		out[i] = StripeEvent{ID: e.ID, Type: e.Type, Account: e.Account, Created: time.Unix(e.Created, 0).UTC(), RequestID: e.RequestID,
			IdempotencyKey: e.IdempotencyKey, Object: e.Object}
	}
	return out
}
