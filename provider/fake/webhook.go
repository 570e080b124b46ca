package fake

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// note is a notification that waits to be delivered.
type note struct {
	kind               payment.OperationKind
	status             payment.ResultStatus
	op, stepKey        string
	ref, parent, extra string // extra is a further id
	amount             money.Amount
	cumulative         bool
	captured, payable  bool
	reason             payment.Reason
	code, token        string
	expires, at        time.Time
	auth               string
	taken              int64 // captured so far of the object, minor units
	dispute            *payment.DisputeFact
	seq                uint64
}

// wire is the body of a notification.
type wire struct {
	ID         string                `json:"id"`
	Account    string                `json:"account"`
	Kind       payment.OperationKind `json:"kind"`
	Status     payment.ResultStatus  `json:"status,omitempty"`
	Operation  string                `json:"operation,omitempty"`
	Step       string                `json:"step,omitempty"`
	Ref        string                `json:"ref,omitempty"`
	Parent     string                `json:"parent,omitempty"`
	Extra      string                `json:"extra,omitempty"`
	Minor      int64                 `json:"minor,omitempty"`
	Currency   money.Currency        `json:"currency,omitempty"`
	Cumulative bool                  `json:"cumulative,omitempty"`
	Captured   bool                  `json:"captured,omitempty"`
	Payable    bool                  `json:"payable,omitempty"`
	Reason     payment.Reason        `json:"reason,omitempty"`
	Code       string                `json:"code,omitempty"`
	Token      string                `json:"token,omitempty"`
	Auth       string                `json:"auth,omitempty"`
	Taken      int64                 `json:"taken,omitempty"`
	Expires    int64                 `json:"expires,omitempty"`
	At         int64                 `json:"at"` // nanoseconds: the order of facts must survive
	Dispute    *wireDispute          `json:"dispute,omitempty"`
}

type wireDispute struct {
	Ref      string                `json:"ref"`
	Status   payment.DisputeStatus `json:"status"`
	Reason   string                `json:"reason"`
	Code     string                `json:"code"`
	Minor    int64                 `json:"minor"`
	FeeMinor int64                 `json:"fee_minor"`
	Currency money.Currency        `json:"currency"`
	Due      int64                 `json:"due"`
}

// tell queues a notification. p.mu is held.
func (p *Provider) tell(n note) {
	if p.o.NoWebhooks {
		return
	}
	p.noteSeq++
	n.seq = p.noteSeq
	p.notes = append(p.notes, n)
}

// tellObject notifies where an attempt stands. p.mu is held.
func (p *Provider) tellObject(o *object, status payment.ResultStatus, now time.Time) {
	if p.o.NoWebhooks || (status == payment.ResultActionRequired && p.d.payerFirst) {
		return // a wallet says nothing of an order that waits
	}
	n := note{kind: payment.OpAuthorize, status: status, op: o.op, ref: o.ref, amount: o.amount, at: now}
	if p.d.kind == Stripe && !o.sale {
		n.taken = o.captured // an intent is notified as it is, with what was received
	}
	switch status {
	case payment.ResultApproved:
		n.captured, n.expires = o.sale, o.expires
		if p.d.method.RefundsCapture {
			n.auth = "auth" + o.ref
			for _, t := range o.parts {
				if o.sale && t.kind == payment.OpCapture {
					n.auth, n.extra = "", t.ref
				}
			}
		}
		n.token = o.token
	case payment.ResultDeclined:
		n.reason, n.code, n.payable = o.declined, o.code, o.out
	default: // says nothing more
	}
	p.tell(n)
}

// tellPart notifies where a part stands. p.mu is held.
func (p *Provider) tellPart(t *part, now time.Time) {
	if p.o.NoWebhooks || t.state == partPending {
		return
	}
	a := standing(t)
	n := note{kind: t.kind, status: a.status, op: t.op, stepKey: t.key, ref: t.ref, amount: t.amount, reason: a.reason, code: a.code, at: now}
	if t.obj != nil {
		n.parent = t.obj.ref
	}
	if p.d.sums {
		switch t.kind {
		case payment.OpCapture: // the intent tells what it received in all
			n.op, n.stepKey, n.ref, n.amount, n.cumulative = "", "", "", t.obj.of(t.obj.captured), true
		case payment.OpVoid: // the intent is canceled
			if t.state != partDone || t.obj.phase != phaseCanceled {
				return
			}
			p.tellObject(t.obj, payment.ResultCanceled, now)
			return
		default: // has an object of its own
		}
	}
	p.tell(n)
}

// push hands notifications to Options.Webhooks. p.mu is not held.
func (p *Provider) push() {
	if p.o.Webhooks == nil {
		return
	}
	for _, w := range p.TakeWebhooks() {
		p.o.Webhooks(w)
	}
}

// TakeWebhooks returns the notifications that wait, oldest first, signed as of
// now, and forgets them: a test delivers them in any order, twice, late (see
// Resign) or not at all.
func (p *Provider) TakeWebhooks() []payment.Webhook {
	p.mu.Lock()
	now := p.now()
	p.settle(now)
	notes := p.notes
	p.notes = nil
	p.mu.Unlock()
	var all []payment.Webhook
	for i := range notes {
		body, err := json.Marshal(p.wire(&notes[i]))
		if err != nil {
			panic("fake: a notification does not marshal: " + err.Error()) // plain values always do
		}
		all = append(all, p.Sign(body, now))
	}
	return all
}

func (p *Provider) wire(n *note) wire {
	w := wire{
		ID: p.o.Name + "_evt_" + strconv.FormatUint(n.seq, 36), Account: p.o.Name, Kind: n.kind, Status: n.status, Taken: n.taken,
		Operation: n.op, Step: n.stepKey, Ref: n.ref, Parent: n.parent, Extra: n.extra, Auth: n.auth,
		Minor: n.amount.Minor(), Currency: n.amount.Currency(), Cumulative: n.cumulative, Captured: n.captured, Payable: n.payable,
		Reason: n.reason, Code: n.code, Token: n.token, At: n.at.UnixNano(),
	}
	if !n.expires.IsZero() {
		w.Expires = n.expires.UnixNano()
	}
	if d := n.dispute; d != nil {
		w.Dispute = &wireDispute{Ref: d.Ref, Status: d.Status, Reason: d.Reason, Code: d.Code, Minor: d.Amount.Minor(),
			FeeMinor: d.Fee.Minor(), Currency: d.Amount.Currency(), Due: d.Due.UnixNano()}
	}
	return w
}

// The headers of a notification.
const (
	headerSignature = "Fake-Signature"
	headerTime      = "Fake-Time"
)

// Sign makes a notification of a body, signed as the provider would at that
// time. Without a secret it signs with the empty key, which is never accepted.
func (p *Provider) Sign(body []byte, at time.Time) payment.Webhook {
	stamp := strconv.FormatInt(at.Unix(), 10)
	h := http.Header{}
	if p.d.stamps {
		h.Set(headerTime, stamp)
	} else {
		stamp = ""
	}
	secret := ""
	if len(p.secrets) > 0 {
		secret = p.secrets[0]
	}
	h.Set(headerSignature, hex.EncodeToString(sign(secret, stamp, body)))
	return payment.Webhook{Header: h, Body: body, Now: at}
}

// Resign is a later delivery of the same notification: same body, signed anew.
func (p *Provider) Resign(w payment.Webhook, at time.Time) payment.Webhook { return p.Sign(w.Body, at) }

func sign(secret, stamp string, body []byte) []byte {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(stamp + "."))
	m.Write(body)
	return m.Sum(nil)
}

const (
	maxBody   = 64 << 10
	tolerance = 5 * time.Minute
)

// ParseWebhook verifies and reads a notification. See [payment.WebhookParser].
func (p *Provider) ParseWebhook(_ context.Context, w payment.Webhook) (payment.Notification, error) {
	refuse := func(reason, detail string) (payment.Notification, error) {
		return payment.Notification{}, &payment.WebhookError{Reason: reason, Detail: detail}
	}
	switch {
	case len(p.secrets) == 0:
		return refuse(payment.WebhookNoSecret, "no secret is configured, so nothing can be verified")
	case len(w.Body) == 0:
		return refuse(payment.WebhookEmpty, "the body is empty")
	case len(w.Body) > maxBody:
		return refuse(payment.WebhookTooLarge, "the body is larger than 64 KiB")
	}
	given, err := hex.DecodeString(w.Header.Get(headerSignature))
	if err != nil || len(given) == 0 {
		return refuse(payment.WebhookNoSignature, "header "+headerSignature+" is missing or not hexadecimal")
	}
	stamp := ""
	if p.d.stamps {
		stamp = w.Header.Get(headerTime)
	}
	good := false
	for _, s := range p.secrets {
		good = good || (s != "" && hmac.Equal(given, sign(s, stamp, w.Body)))
	}
	if !good {
		return refuse(payment.WebhookBadSignature, "the signature does not fit body and secret")
	}
	if p.d.stamps {
		sec, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil {
			return refuse(payment.WebhookMalformed, "header "+headerTime+" is not a time")
		}
		if age := w.Now.Sub(time.Unix(sec, 0)); age > tolerance || age < -tolerance {
			return refuse(payment.WebhookStale, "it was signed more than 5 minutes from now")
		}
	}
	var b wire
	if err := json.Unmarshal(w.Body, &b); err != nil || b.ID == "" || b.Kind == "" {
		return refuse(payment.WebhookMalformed, "the signed body is no notification of this provider")
	}
	n := payment.Notification{Ack: []byte(p.d.ack), AckType: p.d.ackType}
	if b.Account == p.o.Name { // another account's events are none of ours
		n.Events = []payment.Event{b.event()}
		if b.Taken > 0 {
			n.Events = append([]payment.Event{{Dedup: b.ID, Kind: payment.OpCapture, Status: payment.ResultApproved, Parent: b.Ref,
				Amount: money.Of(b.Taken, b.Currency), Cumulative: true, Captured: true, At: time.Unix(0, b.At).UTC()}}, n.Events...)
		}
	}
	return n, nil
}

func (b *wire) event() payment.Event {
	e := payment.Event{
		Dedup: b.ID, Kind: b.Kind, Status: b.Status, StepKey: b.Step, OperationID: b.Operation,
		Ref: b.Ref, Parent: b.Parent, Cumulative: b.Cumulative, Captured: b.Captured, Payable: b.Payable, At: time.Unix(0, b.At).UTC(),
	}
	if b.Currency != "" {
		e.Amount = money.Of(b.Minor, b.Currency)
	}
	if b.Reason != "" {
		e.Decline = payment.NewDecline(b.Reason, b.Code)
	}
	if b.Expires != 0 {
		e.ExpiresAt = time.Unix(0, b.Expires).UTC()
	}
	switch {
	case b.Auth != "":
		e.Refs, e.Data = []string{b.Auth}, map[string]string{"authorization": b.Auth}
	case b.Extra != "":
		e.Refs, e.Data = []string{b.Extra}, map[string]string{"capture": b.Extra}
	}
	if b.Token != "" {
		e.Token, e.ProviderCustomer, e.Card = payment.NewSecret(b.Token), "cus_"+strings.TrimPrefix(b.Ref, "seti_"), testCard
	}
	if d := b.Dispute; d != nil {
		e.Dispute = &payment.DisputeFact{Ref: d.Ref, Status: d.Status, Reason: d.Reason, Code: d.Code,
			Amount: money.Of(d.Minor, d.Currency), Fee: money.Of(d.FeeMinor, d.Currency), Due: time.Unix(0, d.Due).UTC()}
	}
	return e
}
