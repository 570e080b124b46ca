package payment

import (
	"context"
	"fmt"
	"time"

	"github.com/tender-go/payment/money"
)

// DisputeStatus is where a dispute stands.
type DisputeStatus string

// The statuses of a dispute.
const (
	// DisputeInquiry: the issuer asks; no money has moved.
	DisputeInquiry DisputeStatus = "inquiry"
	// DisputeNeedsResponse: open, evidence is due.
	DisputeNeedsResponse DisputeStatus = "needs_response"
	// DisputeUnderReview: evidence is in.
	DisputeUnderReview DisputeStatus = "under_review"
	DisputeWon         DisputeStatus = "won"
	DisputeLost        DisputeStatus = "lost"
	// DisputeAccepted: the shop gave it up; the money is gone.
	DisputeAccepted DisputeStatus = "accepted"
	// DisputeClosed: an inquiry that ended, or a dispute withdrawn.
	DisputeClosed DisputeStatus = "closed"
)

// Dispute is a chargeback or complaint of a payer.
type Dispute struct {
	ID        string
	PaymentID string
	// Operation is the sale or capture that is disputed, when known.
	Operation string
	Provider  string
	Ref       string
	Status    DisputeStatus
	Reason    string
	Code      string
	Amount    money.Amount
	Fee       money.Amount `json:",omitzero"`
	// Due is when a response must be in; zero if none is awaited.
	Due       time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Open reports whether the outcome is still open and money is held back.
func (d *Dispute) Open() bool {
	return d.Status == DisputeNeedsResponse || d.Status == DisputeUnderReview
}

// Ended reports whether nothing further is expected.
func (s DisputeStatus) Ended() bool {
	switch s {
	case DisputeWon, DisputeLost, DisputeAccepted, DisputeClosed:
		return true
	}
	return false
}

// RespondParams answers a dispute.
type RespondParams struct {
	Key      string
	Evidence Evidence
	// Submit makes the answer final; without it the evidence is a draft.
	Submit bool
}

// maxEvidence bounds the files of one answer, all together.
const maxEvidence = 8 << 20

// Disputes lists disputes, newest first.
func (c *Client) Disputes(ctx context.Context, q DisputeQuery) ([]*Dispute, error) {
	var bad problems
	bad.limit(q.Limit)
	if err := bad.err(); err != nil {
		return nil, err
	}
	found, err := c.store.Disputes(ctx, q)
	return found, named(err, "dispute", q.After)
}

// Respond sends evidence on a dispute.
func (c *Client) Respond(ctx context.Context, disputeID string, r RespondParams) (*Payment, error) {
	var bad problems
	bad.id("disputeID", disputeID, true)
	bad.id("Key", r.Key, true)
	bad.text("Evidence.Text", r.Evidence.Text, 20000)
	size := 0
	for i, f := range r.Evidence.Files {
		size += len(f.Data)
		switch f.ContentType {
		case "application/pdf", "image/png", "image/jpeg":
		default:
			bad.add(fmt.Sprintf("Evidence.Files[%d].ContentType", i), quote(f.ContentType)+" is not accepted", "use application/pdf, image/png or image/jpeg")
		}
		if len(f.Data) == 0 {
			bad.add(fmt.Sprintf("Evidence.Files[%d].Data", i), "is empty", "give the document, or leave it out")
		}
	}
	if size > maxEvidence {
		bad.add("Evidence.Files", fmt.Sprintf("have %d bytes together", size), fmt.Sprintf("give at most %d", maxEvidence))
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	return c.answerDispute(ctx, disputeID, "respond", r.Key, keyPrint{Extra: r.Evidence, Final: r.Submit}, OpRespond, func(d *Dispute) order {
		return order{Respond: &RespondRequest{DisputeRef: d.Ref, Evidence: r.Evidence, Submit: r.Submit}}
	})
}

// Accept gives a dispute up: the money stays with the payer.
func (c *Client) Accept(ctx context.Context, disputeID, key string) (*Payment, error) {
	var bad problems
	bad.id("disputeID", disputeID, true)
	bad.id("key", key, true)
	if err := bad.err(); err != nil {
		return nil, err
	}
	return c.answerDispute(ctx, disputeID, "accept", key, keyPrint{}, OpAccept, func(d *Dispute) order {
		return order{Accept: &AcceptRequest{DisputeRef: d.Ref}}
	})
}

func (c *Client) answerDispute(ctx context.Context, id, verb, key string, kp keyPrint, kind OperationKind, make func(*Dispute) order) (*Payment, error) {
	if c.store.Joined(ctx) {
		return nil, ErrInTransaction
	}
	d, err := c.store.Dispute(ctx, id)
	if err != nil {
		return nil, named(err, "dispute", id)
	}
	kp.Target = id
	return c.modify(ctx, nil, d.PaymentID, verb, key, kp, func(u *unit) error {
		d, err := u.tx.Dispute(u.ctx, id)
		if err != nil {
			return err
		}
		if d.Status.Ended() || d.Status == DisputeUnderReview && kind == OpRespond {
			return u.refuse(verb, "the dispute is "+string(d.Status))
		}
		caps := u.c.caps[d.Provider]
		spec := caps.Respond
		if kind == OpAccept {
			spec = caps.Accept
		}
		if spec.IsZero() {
			return u.refuse(verb, d.Provider+" takes no such answer here: use its dashboard")
		}
		of := u.p.Operation(d.Operation)
		if of == nil {
			return u.refuse(verb, "the disputed operation is not known")
		}
		o, err := u.newOperation(kind, OriginShop, d.Amount)
		if err != nil {
			return err
		}
		o.Target, o.Dispute, o.Provider, o.Method = of.ID, d.ID, of.Provider, of.Method
		return u.planStep(o, spec, make(d), true)
	})
}
