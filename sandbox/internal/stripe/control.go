package stripe

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// This file is what a person would do in the Dashboard or what happens outside
// the API: the payer acts, the bank answers late, money comes back.

// Error makes apiError usable as an error by the control methods. It names no
// object's contents.
func (e *apiError) Error() string {
	return fmt.Sprintf("sandbox: stripe: %s %s: %s", e.typ, e.code, e.message)
}

func asError(e *apiError) error {
	if e == nil {
		return nil
	}
	return e
}

func noSuch(kind, id string) error { return fmt.Errorf("sandbox: stripe: no such %s: %q", kind, id) }

// Complete lets the payer answer the next action of a PaymentIntent or a
// SetupIntent: succeed, fail, cancel, expire or process. A refusal that follows
// from the answer (a card declined after the challenge) is the intent's state,
// not an error here.
func (s *Stripe) Complete(id, outcome string) error {
	if !slices.Contains([]string{"succeed", "fail", "cancel", "expire", "process"}, outcome) {
		return fmt.Errorf("sandbox: stripe: outcome %q is not one of succeed, fail, cancel, expire, process", outcome)
	}
	s.Timers.RunDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, pi := s.findIntent(id); pi != nil {
		if pi.status != needsAction {
			return fmt.Errorf("sandbox: stripe: %s has status %s; there is no action to complete", id, pi.status)
		}
		_ = s.complete(a, pi, outcome)
		return nil
	}
	if a, si := s.findSetup(id); si != nil {
		if si.status != needsAction {
			return fmt.Errorf("sandbox: stripe: %s has status %s; there is no action to complete", id, si.status)
		}
		_ = s.completeSetup(a, si, outcome)
		return nil
	}
	return noSuch("intent", id)
}

// Settle is the bank's late answer to a payment in processing.
func (s *Stripe) Settle(intentID string, ok bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, pi := s.findIntent(intentID)
	if pi == nil {
		return noSuch("payment_intent", intentID)
	}
	if pi.status != processing {
		return fmt.Errorf("sandbox: stripe: %s has status %s, not processing", intentID, pi.status)
	}
	s.settleDebit(a, pi, ok)
	return nil
}

// Refund refunds from the Dashboard; amount 0 is everything left. It returns the refund's id.
func (s *Stripe) Refund(intentID string, amount int64) (string, error) {
	s.Timers.RunDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	a, pi := s.findIntent(intentID)
	if pi == nil {
		return "", noSuch("payment_intent", intentID)
	}
	if pi.charge == nil || !pi.charge.paid {
		return "", fmt.Errorf("sandbox: stripe: %s has no successful charge to refund", intentID)
	}
	c := &call{Stripe: s, a: a, at: s.now()}
	r, apiErr := c.refund(a, pi.charge, refundInput{amount: amount, amountSent: amount != 0, reason: "requested_by_customer"})
	if apiErr != nil {
		return "", apiErr
	}
	return r.id, nil
}

// SettleRefund is the late answer to a refund.
func (s *Stripe) SettleRefund(id string, ok bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if r := a.refunds.find(id); r != nil {
			if !s.settleRefund(a, r, ok) {
				return fmt.Errorf("sandbox: stripe: refund %s has status %s", id, r.status)
			}
			return nil
		}
	}
	return noSuch("refund", id)
}

// Capture captures from the Dashboard; amount 0 is everything.
func (s *Stripe) Capture(intentID string, amount int64) error {
	s.Timers.RunDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	a, pi := s.findIntent(intentID)
	if pi == nil {
		return noSuch("payment_intent", intentID)
	}
	c := &call{Stripe: s, a: a, at: s.now()}
	return asError(c.capture(a, pi, captureInput{amount: amount, amountSent: amount != 0, final: true, metadata: pi.metadata,
		descriptor: pi.descriptor, suffix: pi.descriptorSuffix}))
}

// Cancel cancels from the Dashboard.
func (s *Stripe) Cancel(intentID string) error {
	s.Timers.RunDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	a, pi := s.findIntent(intentID)
	if pi == nil {
		return noSuch("payment_intent", intentID)
	}
	c := &call{Stripe: s, a: a, at: s.now()}
	return asError(c.cancel(a, pi, "requested_by_customer"))
}

// Forge posts an event that never happened, as somebody without the secret
// would: type typ, with object as its data.object. It is not in the list of events.
func (s *Stripe) Forge(typ string, object json.RawMessage) error {
	if !json.Valid(object) {
		return errors.New("sandbox: stripe: forge: the object is not JSON")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &event{id: s.id("evt_3", 23), typ: typ, created: s.now(), object: object}
	s.postForged(e)
	return nil
}

// PaymentTruth is what really happened to one PaymentIntent.
type PaymentTruth struct {
	ID, Account, Status, Currency, CaptureMethod, Customer, PaymentMethod, LatestCharge string
	DeclineCode                                                                         string
	ActionURL                                                                           string
	Amount, Capturable, Received, Refunded, Disputed                                    int64
	Created                                                                             int64
	Metadata                                                                            map[string]string
	Charges                                                                             []ChargeTruth
	Refunds                                                                             []RefundTruth
}

// ChargeTruth is one attempt.
type ChargeTruth struct {
	ID, Status                 string
	Amount, Captured, Released int64
	Disputed                   bool
}

// RefundTruth is one refund.
type RefundTruth struct {
	ID, Status string
	Amount     int64
}

// Payments returns every PaymentIntent of every account, oldest first within an account.
func (s *Stripe) Payments(keep func(map[string]string) bool) []PaymentTruth {
	s.Timers.RunDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []PaymentTruth
	for _, id := range slices.Sorted(maps.Keys(s.accounts)) {
		a := s.accounts[id]
		for _, pi := range a.intents.order {
			if keep == nil || keep(pi.metadata) {
				out = append(out, truth(a, pi))
			}
		}
	}
	return out
}

// Payment returns one PaymentIntent.
func (s *Stripe) Payment(id string) (PaymentTruth, bool) {
	s.Timers.RunDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	a, pi := s.findIntent(id)
	if pi == nil {
		return PaymentTruth{}, false
	}
	return truth(a, pi), true
}

func truth(a *account, pi *paymentIntent) PaymentTruth {
	t := PaymentTruth{ID: pi.id, Account: a.id, Status: pi.status, Currency: pi.currency, CaptureMethod: pi.captureMethod, Customer: pi.customer,
		PaymentMethod: pi.method, Amount: pi.amount, Capturable: pi.capturable, Received: pi.received, Created: pi.created, Metadata: maps.Clone(pi.metadata)}
	if pi.lastError != nil {
		t.DeclineCode = pi.lastError.declineCode
		if t.DeclineCode == "" {
			t.DeclineCode = pi.lastError.code
		}
	}
	if pi.action != nil {
		t.ActionURL = pi.action.url
	}
	if pi.charge != nil {
		t.LatestCharge = pi.charge.id
	}
	for _, ch := range pi.attempts {
		t.Charges = append(t.Charges, ChargeTruth{ID: ch.id, Status: ch.status, Amount: ch.amount, Captured: ch.amountCaptured,
			Released: ch.released, Disputed: ch.disputed})
		for _, r := range ch.refunds {
			t.Refunds = append(t.Refunds, RefundTruth{ID: r.id, Status: r.status, Amount: r.amount})
			if r.status != "failed" && r.status != "canceled" {
				t.Refunded += r.amount
			}
		}
		t.Disputed += ch.withdrawn
	}
	return t
}

// Collected returns what really reached the merchants: captured, and captured
// less refunds and disputed amounts, in minor units of currency, before fees.
func (s *Stripe) Collected(currency string) (gross, net int64) {
	for _, t := range s.Payments(nil) {
		if t.Currency == currency {
			gross += t.Received
			net += t.Received - t.Refunded - t.Disputed
		}
	}
	return gross, net
}

// EventRecord is one recorded event.
type EventRecord struct {
	ID, Type, Account string
	Created           int64
	RequestID         string
	IdempotencyKey    string
	Object            json.RawMessage
}

// Events returns the recorded events of every account, oldest first within an account.
func (s *Stripe) Events() []EventRecord {
	s.Timers.RunDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []EventRecord
	for _, id := range slices.Sorted(maps.Keys(s.accounts)) {
		for _, e := range s.accounts[id].events.order {
			out = append(out, EventRecord{ID: e.id, Type: e.typ, Account: e.account, Created: e.created, RequestID: e.requestID, IdempotencyKey: e.key, Object: slices.Clone(e.object)})
		}
	}
	return out
}

// Resend delivers a recorded event once more, as the Dashboard's button does.
func (s *Stripe) Resend(eventID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if e := a.events.find(eventID); e != nil {
			s.deliver(a, e, "")
			return nil
		}
	}
	return noSuch("event", eventID)
}
