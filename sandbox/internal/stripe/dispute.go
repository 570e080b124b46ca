package stripe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tender-go/payment/sandbox/internal/core"
)

type dispute struct {
	id, status, reason, networkCode string
	amount, created, dueBy          int64
	charge                          *charge
	evidence                        map[string]string
	submissions                     int64
	metadata                        map[string]string
	txns                            []*balanceTransaction
}

func (d *dispute) objectID() string     { return d.id }
func (d *dispute) objectCreated() int64 { return d.created }
func (d *dispute) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderDispute(a, w, d, nil)
}

const (
	disputeFee   = 1500                   // Stripe's US dispute fee: https://stripe.com/pricing
	disputeAfter = 500 * time.Millisecond // a test card's dispute opens about that long after the charge
	disputeDue   = 9 * 24 * time.Hour     // within the 7 to 21 days the networks give
	reviewTime   = 5 * time.Second        // until test evidence is decided
)

// networkCodes are the Visa codes for the reasons the test cards use:
// https://docs.stripe.com/disputes/categories
var networkCodes = map[string]string{"fraudulent": "10.4", "product_not_received": "13.1", "subscription_canceled": "13.2", "product_unacceptable": "13.3",
	"duplicate": "12.6.1", "credit_not_processed": "13.7", "general": "", "unrecognized": "10.4"}

var disputeReasons = []string{"bank_cannot_process", "check_returned", "credit_not_processed", "customer_initiated", "debit_not_authorized", "duplicate",
	"fraudulent", "general", "incorrect_account_details", "insufficient_funds", "product_not_received", "product_unacceptable", "subscription_canceled", "unrecognized"}

var evidenceTexts = []string{"access_activity_log", "billing_address", "cancellation_policy_disclosure", "cancellation_rebuttal", "customer_email_address",
	"customer_name", "customer_purchase_ip", "duplicate_charge_explanation", "duplicate_charge_id", "product_description", "refund_policy_disclosure",
	"refund_refusal_explanation", "service_date", "shipping_address", "shipping_carrier", "shipping_date", "shipping_tracking_number", "uncategorized_text"}
var evidenceFiles = []string{"cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation", "receipt",
	"refund_policy", "service_documentation", "shipping_documentation", "uncategorized_file"}

// aftermath is what a test card does to a payment once it is captured.
func (c *call) aftermath(a *account, ch *charge) {
	if ch.method.card == nil {
		return
	}
	test := ch.method.card.test
	for range test.disputes {
		c.later(disputeAfter, func() {
			d := &call{Stripe: c.Stripe, a: a, at: c.now()}
			reason := map[disputeRule]string{disputeNotReceived: "product_not_received"}[test.dispute]
			if reason == "" {
				reason = "fraudulent"
			}
			amount := ch.amountCaptured
			if test.disputes > 1 {
				amount /= int64(test.disputes)
			}
			d.openDispute(a, ch, reason, amount, test.dispute == disputeInquiry)
		})
	}
}

// chargedBack tells whether a dispute stands in the way of a refund.
func (ch *charge) chargedBack() bool {
	for _, d := range ch.disputes {
		switch d.status {
		case "needs_response", "under_review", "lost":
			return true
		}
	}
	return false
}

func (c *call) openDispute(a *account, ch *charge, reason string, amount int64, inquiry bool) *dispute {
	d := &dispute{id: c.id("du_1", 23), status: "needs_response", reason: reason, networkCode: networkCodes[reason], amount: amount, created: c.at,
		dueBy: c.at + int64(disputeDue/time.Second), charge: ch, evidence: map[string]string{}}
	if inquiry {
		d.status = "warning_needs_response"
	}
	a.disputes.add(d.id, d)
	ch.disputes = append(ch.disputes, d)
	ch.disputed = true
	if !inquiry {
		c.withdraw(a, d)
	}
	c.emit(a, "charge.dispute.created", d)
	c.emit(a, "charge.updated", ch)
	if !inquiry {
		c.emit(a, "charge.dispute.funds_withdrawn", d)
	}
	return d
}

func (c *call) withdraw(a *account, d *dispute) {
	d.charge.withdrawn += d.amount
	d.txns = append(d.txns, c.post(a, &balanceTransaction{currency: d.charge.currency, typ: "adjustment", category: "dispute",
		description: "Chargeback withdrawal for " + d.charge.id, amount: -d.amount, fee: disputeFee, feeName: "Dispute fee", source: d}, true))
}

// closeDispute ends it: won gives the money back, the fee is kept.
func (c *call) closeDispute(a *account, d *dispute, won bool) {
	inquiry := strings.HasPrefix(d.status, "warning_")
	switch {
	case inquiry:
		d.status = "warning_closed"
	case won:
		d.status = "won"
		d.charge.withdrawn -= d.amount
		d.txns = append(d.txns, c.post(a, &balanceTransaction{currency: d.charge.currency, typ: "adjustment", category: "dispute_reversal",
			description: "Chargeback reversal for " + d.charge.id, amount: d.amount, source: d}, true))
		c.emit(a, "charge.dispute.funds_reinstated", d)
	default:
		d.status = "lost"
	}
	c.emit(a, "charge.dispute.closed", d)
	c.emit(a, "charge.updated", d.charge)
}

func (d *dispute) closed() bool {
	return d.status == "won" || d.status == "lost" || d.status == "warning_closed"
}

func (c *call) dispute0() (*dispute, *apiError) {
	d := c.a.disputes.find(c.ids[0])
	if d == nil {
		e := missing("dispute", c.ids[0], "id")
		e.param = "dispute"
		return nil, e
	}
	return d, nil
}

func getDispute(c *call) *apiError {
	d, apiErr := c.dispute0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	c.renderDispute(c.a, c.w, d, c.x)
	return nil
}

func listDisputes(c *call) *apiError {
	intent, chargeID := c.p.text("payment_intent", 0), c.p.text("charge", 0)
	return list(c, &c.a.disputes, "/v1/disputes", func(d *dispute) bool {
		return (intent == "" || d.charge.intent.id == intent) && (chargeID == "" || d.charge.id == chargeID)
	}, c.renderDispute)
}

// Limits of evidence: https://docs.stripe.com/api/disputes/update
const (
	maxEvidenceField = 20000
	maxEvidenceTotal = 150000
)

func updateDispute(c *call) *apiError {
	d, apiErr := c.dispute0()
	if apiErr != nil {
		return apiErr
	}
	p := c.p
	evidence := maps.Clone(d.evidence)
	sent := p.has("evidence")
	if sent {
		q := p.sub("evidence")
		total := 0
		for _, name := range evidenceTexts {
			if v, ok := q.str(name); ok {
				if len(v) > maxEvidenceField {
					p.fail(invalid("", "evidence["+name+"]", fmt.Sprintf("Invalid string: must be at most %d characters", maxEvidenceField)))
				}
				evidence[name] = v
			}
			total += len(evidence[name])
		}
		if total > maxEvidenceTotal {
			p.fail(invalid("", "evidence", fmt.Sprintf("The combined character count of all evidence fields must be at most %d.", maxEvidenceTotal)))
		}
		for _, name := range evidenceFiles {
			v, ok := q.str(name)
			if !ok {
				continue
			}
			if f := c.a.files.find(v); v != "" && f == nil {
				p.fail(missing("file upload", v, "evidence["+name+"]"))
			} else if v != "" && f.purpose != "dispute_evidence" && f.purpose != "customer_signature" {
				p.fail(invalid("", "evidence["+name+"]", "The file "+v+" was uploaded with the purpose "+f.purpose+"; dispute evidence needs dispute_evidence."))
			}
			evidence[name] = v
		}
	}
	metadata := p.metadata(d.metadata)
	submit := true
	if v, ok := p.bool("submit"); ok {
		submit = v
	}
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	switch {
	case d.closed():
		return refused("", "", "This dispute is already closed")
	case sent && d.submissions > 0 && (d.status == "under_review" || d.status == "warning_under_review"):
		return refused("", "", "This dispute's evidence has already been submitted; it can be submitted once.")
	}
	d.metadata = metadata
	if sent {
		maps.DeleteFunc(evidence, func(_, v string) bool { return v == "" })
		d.evidence = evidence
	}
	if submit && sent {
		c.submit(d)
	}
	c.emit(c.a, "charge.dispute.updated", d)
	c.renderDispute(c.a, c.w, d, c.x)
	return nil
}

// submit hands the evidence in. Test evidence decides the dispute:
// https://docs.stripe.com/testing#disputes
func (c *call) submit(d *dispute) {
	a := c.a
	d.submissions++
	d.status = map[string]string{"needs_response": "under_review", "warning_needs_response": "warning_under_review"}[d.status]
	verdict := d.evidence["uncategorized_text"]
	if !slices.Contains([]string{"winning_evidence", "losing_evidence", "escalate_inquiry_evidence"}, verdict) {
		return
	}
	c.later(reviewTime, func() {
		if d.closed() {
			return
		}
		r := &call{Stripe: c.Stripe, a: a, at: c.now()}
		if verdict == "escalate_inquiry_evidence" {
			r.escalate(a, d)
			return
		}
		r.closeDispute(a, d, verdict == "winning_evidence")
	})
}

// escalate turns an inquiry into a chargeback.
func (c *call) escalate(a *account, d *dispute) {
	if !strings.HasPrefix(d.status, "warning_") || d.closed() {
		return
	}
	d.status, d.submissions = "needs_response", 0
	c.withdraw(a, d)
	c.emit(a, "charge.dispute.updated", d)
	c.emit(a, "charge.dispute.funds_withdrawn", d)
}

func closeDispute(c *call) *apiError {
	d, apiErr := c.dispute0()
	if apiErr == nil {
		apiErr = c.p.done()
	}
	if apiErr != nil {
		return apiErr
	}
	if d.closed() {
		return refused("", "", "This dispute is already closed")
	}
	c.closeDispute(c.a, d, false)
	c.renderDispute(c.a, c.w, d, c.x)
	return nil
}

func (s *Stripe) renderDispute(a *account, w *core.JSON, d *dispute, x expand) {
	w.Open()
	w.S("id", d.id)
	w.S("object", "dispute")
	w.I("amount", d.amount)
	w.List("balance_transactions")
	for _, t := range d.txns {
		s.renderTxn(a, w, t, nil)
	}
	w.CloseList()
	w.Key("charge")
	if sub, want := x.in("charge"); want {
		s.renderCharge(a, w, d.charge, sub)
	} else {
		w.Text(d.charge.id)
	}
	w.I("created", d.created)
	w.S("currency", d.charge.currency)
	w.Object("evidence")
	for _, name := range evidenceTexts {
		w.SN(name, d.evidence[name])
	}
	for _, name := range evidenceFiles {
		w.SN(name, d.evidence[name])
	}
	w.Close()
	w.Object("evidence_details")
	w.I("due_by", d.dueBy)
	w.B("has_evidence", len(d.evidence) > 0)
	w.B("past_due", s.now() > d.dueBy)
	w.I("submission_count", d.submissions)
	w.Close()
	w.B("is_charge_refundable", !d.charge.chargedBack() && d.charge.returned < d.charge.amountCaptured)
	w.B("livemode", false)
	w.Map("metadata", d.metadata)
	w.SN("network_reason_code", d.networkCode)
	w.Key("payment_intent")
	if sub, want := x.in("payment_intent"); want {
		s.renderPaymentIntent(a, w, d.charge.intent, sub)
	} else {
		w.Text(d.charge.intent.id)
	}
	if card := d.charge.method.card; card != nil {
		w.Object("payment_method_details")
		w.Object("card")
		w.S("brand", card.test.brand)
		w.SN("network_reason_code", d.networkCode)
		w.Close()
		w.S("type", "card")
		w.Close()
	}
	w.S("reason", d.reason)
	w.S("status", d.status)
	w.Close()
}

// OpenDispute opens a dispute over a charge, or the latest charge of a
// PaymentIntent; amount 0 is all that was captured and not refunded. It returns the dispute's id.
func (s *Stripe) OpenDispute(id, reason string, amount int64, inquiry bool) (string, error) {
	if !slices.Contains(disputeReasons, reason) {
		return "", fmt.Errorf("sandbox: stripe: dispute reason %q is not one of %s", reason, strings.Join(disputeReasons, ", "))
	}
	s.Timers.RunDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		ch := a.charges.find(id)
		if pi := a.intents.find(id); pi != nil {
			ch = pi.charge
		}
		if ch == nil {
			continue
		}
		left := ch.amountCaptured - ch.withdrawn
		if amount == 0 {
			amount = left - ch.returned
		}
		if amount <= 0 || amount > left {
			return "", fmt.Errorf("sandbox: stripe: %s: cannot dispute %d of %d captured and not yet withdrawn", id, amount, left)
		}
		c := &call{Stripe: s, a: a, at: s.now()}
		return c.openDispute(a, ch, reason, amount, inquiry).id, nil
	}
	return "", noSuch("charge", id)
}

// CloseDispute decides a dispute; an inquiry is closed without a decision.
func (s *Stripe) CloseDispute(id string, won bool) error {
	return s.withDispute(id, func(c *call, d *dispute) { c.closeDispute(c.a, d, won) })
}

// EscalateInquiry turns an inquiry into a chargeback.
func (s *Stripe) EscalateInquiry(id string) error {
	return s.withDispute(id, func(c *call, d *dispute) { c.escalate(c.a, d) })
}

func (s *Stripe) withDispute(id string, f func(*call, *dispute)) error {
	s.Timers.RunDue()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if d := a.disputes.find(id); d != nil {
			if d.closed() {
				return fmt.Errorf("sandbox: stripe: dispute %s is closed (%s)", id, d.status)
			}
			f(&call{Stripe: s, a: a, at: s.now()}, d)
			return nil
		}
	}
	return noSuch("dispute", id)
}
