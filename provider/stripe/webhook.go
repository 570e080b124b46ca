package stripe

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/tender-go/payment"
)

// WebhookForeign is the reason of a [*payment.WebhookError] for a genuine event
// that was meant for another instance: of the other mode, or of the platform
// where the instance charges for a connected account. It means that the
// endpoint has the wrong secret or address.
const WebhookForeign = "foreign"

// notification is Stripe's event object.
type notification struct {
	ID       string `json:"id"`
	Object   string `json:"object"`
	Type     string `json:"type"`
	Account  string `json:"account"`
	Livemode *bool  `json:"livemode"`
	Created  int64  `json:"created"`
	Data     struct {
		Object   json.RawMessage `json:"object"`
		Previous lenient[struct {
			Status string `json:"status"`
		}] `json:"previous_attributes"`
	} `json:"data"`
}

// ParseWebhook verifies an event and reads what it says of payments, refunds,
// disputes, transfers and saved methods. A type that says nothing of these gives
// no events, and neither does an event of a connected account that is not this
// instance's: Stripe sends those to the same endpoint.
func (p *Provider) ParseWebhook(_ context.Context, w payment.Webhook) (payment.Notification, error) {
	if err := p.verify(w); err != nil {
		return payment.Notification{}, err
	}
	var n notification
	if json.Unmarshal(w.Body, &n) != nil || n.Object != "event" || !strings.HasPrefix(n.ID, "evt_") || ident(n.ID) == "" || n.Type == "" {
		return payment.Notification{}, malformed("it is no event of Stripe's API")
	}
	switch {
	case n.Account != p.account && n.Account != "":
		return payment.Notification{}, nil
	case n.Account != p.account:
		return payment.Notification{}, &payment.WebhookError{Reason: WebhookForeign, Detail: "it is the platform's own, and this instance charges for a connected account: use the secret of the Connect endpoint"}
	case n.Livemode == nil:
		return payment.Notification{}, malformed("it does not say whether it is live")
	case *n.Livemode != p.live && n.Account != "":
		// A live Connect endpoint gets the test events of its accounts too.
		return payment.Notification{}, nil
	case *n.Livemode != p.live:
		return payment.Notification{}, &payment.WebhookError{Reason: WebhookForeign, Detail: "it is of the other mode than the key: check which endpoint's secret is configured"}
	}
	events, err := p.read(n)
	if err != nil {
		return payment.Notification{}, err
	}
	for i := range events {
		// One notification may hold several facts; each is taken once.
		events[i].Dedup = n.ID
		if i > 0 {
			events[i].Dedup += "#" + itoa(i+1)
		}
		events[i].At = unix(n.Created)
	}
	return payment.Notification{Events: events}, nil
}

func malformed(detail string) error {
	return &payment.WebhookError{Reason: payment.WebhookMalformed, Detail: detail}
}

// object reads data.object as the kind that the event's type promises.
func object[T any](n notification, kind string) (*T, error) {
	var head struct {
		Object string `json:"object"`
	}
	v := new(T)
	if len(n.Data.Object) == 0 || json.Unmarshal(n.Data.Object, &head) != nil || head.Object != kind || json.Unmarshal(n.Data.Object, v) != nil {
		return nil, malformed("its object is no " + kind + " that can be read")
	}
	return v, nil
}

func (p *Provider) read(n notification) ([]payment.Event, error) {
	switch n.Type {
	case "payment_intent.succeeded", "payment_intent.processing", "payment_intent.requires_action", "payment_intent.payment_failed",
		"payment_intent.amount_capturable_updated", "payment_intent.canceled":
		in, err := object[intent](n, "payment_intent")
		if err != nil {
			return nil, err
		}
		return p.intentEvents(in)
	case "charge.succeeded":
		ch, err := object[charge](n, "charge")
		if err != nil || ident(ch.PaymentIntent.ID) == "" {
			return nil, err
		}
		return ch.succeeded()
	case "charge.expired":
		ch, err := object[charge](n, "charge")
		if err != nil || ident(ch.PaymentIntent.ID) == "" {
			return nil, err
		}
		return []payment.Event{{Kind: payment.OpAuthorize, Status: payment.ResultExpired, Ref: ch.PaymentIntent.ID, Refs: refs(ch.ID),
			OperationID: ident(ch.Metadata[metaOperation])}}, nil
	case "refund.created", "refund.updated", "refund.failed", "charge.refund.updated":
		re, err := object[refund](n, "refund")
		if err != nil {
			return nil, err
		}
		return refundEvents(re, n.Data.Previous.V.Status), nil
	case "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn",
		"charge.dispute.funds_reinstated":
		d, err := object[dispute](n, "dispute")
		if err != nil {
			return nil, err
		}
		if e, ok := disputeEvent(d); ok {
			return []payment.Event{e}, nil
		}
		return nil, malformed("its dispute has a status or amount that is not known")
	case "setup_intent.succeeded", "setup_intent.setup_failed", "setup_intent.requires_action", "setup_intent.canceled":
		si, err := object[setupIntent](n, "setup_intent")
		if err != nil {
			return nil, err
		}
		return p.setupEvents(si)
	case "transfer.created", "transfer.updated", "transfer.reversed":
		tr, err := object[transfer](n, "transfer")
		if err != nil {
			return nil, err
		}
		return p.transferEvents(tr)
	case "terminal.reader.action_failed":
		rd, err := object[reader](n, "terminal.reader")
		if err != nil {
			return nil, err
		}
		return p.readerEvents(rd), nil
	}
	return nil, nil
}

// intentEvents reads an intent as of the event. Which step it concludes is not
// said: the operation is named, and the intent.
func (p *Provider) intentEvents(in *intent) ([]payment.Event, error) {
	if why := in.check("", noAmount); why != "" {
		return nil, malformed(why)
	}
	// Whether a page held the client secret is known only where nothing was ever
	// handed out. Elsewhere payable is the safe reading: it costs a cancellation.
	handed := in.Metadata[metaFlow] != flowUnattended
	r, err := p.result(in, view{step: stepConfirm, lookup: true, handed: handed})
	if err != nil {
		return nil, malformed("its PaymentIntent cannot be read")
	}
	if r.Status == payment.ResultAbsent {
		return nil, nil
	}
	whole := event(r)
	whole.OperationID = ident(in.Metadata[metaOperation])
	if r.Status == payment.ResultCanceled || r.Status == payment.ResultExpired {
		return append(r.Events, whole), nil // what was captured came before the end
	}
	return append([]payment.Event{whole}, r.Events...), nil
}

// succeeded reads a charge that went through. It repeats what its intent's own
// notification says, and adds the card, which that one does not hold.
func (ch *charge) succeeded() ([]payment.Event, error) {
	amount, err := amountOf(ch.Amount, ch.Currency)
	if err != nil {
		return nil, malformed("its charge has an amount that cannot be read")
	}
	r := payment.Result{Status: payment.ResultApproved, Ref: ch.PaymentIntent.ID, Refs: refs(ch.ID), Amount: amount, Captured: ch.Captured,
		Data: map[string]string{dataCharge: ch.ID}}
	ch.describe(&r)
	e := event(r)
	e.OperationID = ident(ch.Metadata[metaOperation])
	return []payment.Event{e}, nil
}

// refundEvents reads a refund. One that fails after it had succeeded is a
// reversal: the bank sent the money back.
func refundEvents(re *refund, before string) []payment.Event {
	e, ok := refundEvent(re, re.PaymentIntent.ID)
	if !ok {
		return nil
	}
	if e.Status == payment.ResultDeclined && before != "pending" && before != "requires_action" {
		e.Status = payment.ResultReversed
	}
	return []payment.Event{e}
}

func (p *Provider) setupEvents(si *setupIntent) ([]payment.Event, error) {
	if si.Metadata[metaOperation] == "" {
		return nil, nil // not one of ours
	}
	r, err := p.setUp(si, stepSave)
	if err != nil {
		return nil, malformed("its SetupIntent cannot be read")
	}
	e := event(r)
	e.Kind, e.OperationID, e.StepKey = payment.OpSave, ident(si.Metadata[metaOperation]), ident(si.Metadata[metaStep])
	return []payment.Event{e}, nil
}

func (p *Provider) transferEvents(tr *transfer) ([]payment.Event, error) {
	r, err := p.transferred(tr, stepTransfer)
	if err != nil {
		return nil, malformed("its transfer cannot be read")
	}
	e := event(r)
	e.Kind, e.OperationID, e.StepKey = payment.OpTransfer, ident(tr.Metadata[metaOperation]), ident(tr.Metadata[metaStep])
	return []payment.Event{e}, nil
}

// readerEvents reads that a payer walked away from a reader, or that it failed:
// the intent itself knows nothing of it.
func (p *Provider) readerEvents(rd *reader) []payment.Event {
	if rd.Action == nil || rd.Action.Type != "process_payment_intent" || rd.Action.Process.PaymentIntent.ID == "" || rd.Action.Status != "failed" {
		return nil
	}
	r, err := p.atReader(rd, rd.Action.Process.PaymentIntent.ID, stepProcess)
	if err != nil {
		return nil
	}
	return []payment.Event{event(r)}
}
