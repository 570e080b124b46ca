package payment

import (
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
	Fee       money.Amount
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
