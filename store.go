package payment

import (
	"context"
	"time"
)

// Store keeps the records. Package store/storetest proves that an
// implementation keeps the rules; store/memstore is the reference.
//
// All methods may be called from many goroutines. Values handed in and out are
// the caller's: a store copies what it keeps and what it returns. A store never
// looks into sealed bytes and decides nothing about payments: it gives
// atomicity, uniqueness and order.
type Store interface {
	Reader

	// Update runs fn in one transaction and commits it if fn returns nil. It
	// may run fn again, after a conflict or because another Update failed that
	// was to share its commit, even if fn had returned; so fn resets what it
	// captures and never calls out. Errors of fn come back unchanged, with nothing written.
	// A panic of fn fails this call only, as an error. Errors of its own:
	// [ErrBusy] (nothing written; try again), [ErrCommitUnknown] (the
	// connection was lost during commit: it may or may not be written),
	// [ErrInTransaction] for an Update inside an Update.
	//
	// Once ctx is over before fn began, nothing is written.
	Update(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error

	// Joined reports whether ctx carries a transaction of the host's, which an
	// Update under it would join.
	Joined(ctx context.Context) bool

	// ClaimDue leases up to limit payments whose DueAt is not after now and
	// whose lease is over, to owner until the given time, and returns their
	// ids, earliest due first. No payment is leased twice at a time.
	// The lease is kept beside the record: it does not change its Version.
	ClaimDue(ctx context.Context, owner string, now, until time.Time, limit int) ([]string, error)
	// ReleaseDue ends the leases that owner holds on the given payments.
	ReleaseDue(ctx context.Context, owner string, ids ...string) error
}

// Reader reads committed records; within a transaction it also sees the
// transaction's own writes.
type Reader interface {
	// Payment returns the payment with all operations and steps, or
	// [ErrNotFound]. Within Update it also locks the payment until the end, so
	// that of two transactions the second sees what the first wrote, or
	// conflicts and runs again.
	Payment(ctx context.Context, id string) (*Payment, error)
	// Payments lists payments without their operations, newest first
	// (CreatedAt, then ID, descending).
	Payments(ctx context.Context, q PaymentQuery) ([]*Payment, error)
	// Claimed returns the claim with the given kind and key, or ErrNotFound.
	Claimed(ctx context.Context, kind ClaimKind, key string) (Claim, error)
	// Events returns recorded events in order. An event is returned only when
	// no event with a lower Seq can still appear, so that a reader that
	// remembers the last Seq it saw never misses one.
	Events(ctx context.Context, q EventQuery) ([]*Event, error)
	// Method returns a saved method, or ErrNotFound.
	Method(ctx context.Context, id string) (*SavedMethod, error)
	// Methods returns the saved methods of a customer, oldest first.
	Methods(ctx context.Context, customer string) ([]*SavedMethod, error)
	// Dispute returns a dispute, or ErrNotFound.
	Dispute(ctx context.Context, id string) (*Dispute, error)
	// Disputes lists disputes, newest first.
	Disputes(ctx context.Context, q DisputeQuery) ([]*Dispute, error)
	// SubjectKey returns the wrapped key of a subject; ErrNotFound if there
	// never was one, [ErrErased] if it was destroyed.
	SubjectKey(ctx context.Context, subject string) ([]byte, error)
}

// Tx is what a transaction can do.
type Tx interface {
	Reader

	// Claim takes all the given claims, or none: if one is held already it
	// returns a *[TakenError] with that claim, writes nothing, and the
	// transaction stays usable. It is the store's uniqueness, and usually the
	// transaction's first write.
	Claim(ctx context.Context, claims ...Claim) error
	// Release gives a claim up if owner holds it; else it does nothing.
	Release(ctx context.Context, kind ClaimKind, key, owner string) error

	// InsertPayment writes a new payment with its operations and steps.
	InsertPayment(ctx context.Context, p *Payment) error
	// SavePayment replaces the payment if the stored version is p.Version-1,
	// else it fails with [ErrConflict]. Of the operations and steps it writes
	// those whose Revision equals p.Version; none is ever removed.
	SavePayment(ctx context.Context, p *Payment) error
	// AppendEvents records events and sets their Seq. Events can never be
	// changed or removed.
	AppendEvents(ctx context.Context, events ...*Event) error

	// SaveMethod inserts or replaces a saved method.
	SaveMethod(ctx context.Context, m *SavedMethod) error
	// SaveDispute inserts or replaces a dispute.
	SaveDispute(ctx context.Context, d *Dispute) error

	// PutSubjectKey stores the wrapped key of a subject that has none and
	// returns nil; if it has one, it returns that one and keeps it.
	PutSubjectKey(ctx context.Context, subject string, wrapped []byte) (existing []byte, err error)
	// DestroySubjectKey destroys it for good.
	DestroySubjectKey(ctx context.Context, subject string) error
}

// ClaimKind names a space of unique keys.
type ClaimKind string

// The kinds of claim.
const (
	// ClaimKey: the caller's idempotency key. Kept for good.
	ClaimKey ClaimKind = "key"
	// ClaimReference: the live payment of a shop's reference.
	ClaimReference ClaimKind = "reference"
	// ClaimAdditional: an additional payment of a shop's reference,
	// "reference#n". Kept for good.
	ClaimAdditional ClaimKind = "additional"
	// ClaimCharging: the one charging attempt of a payment.
	ClaimCharging ClaimKind = "charging"
	// ClaimRef: a provider's object, "provider:ref", and the operation it
	// belongs to. Kept for good.
	ClaimRef ClaimKind = "ref"
	// ClaimOrphan: a notification about an object that no operation is known
	// for yet, "provider:ref#n". Kept until one is.
	ClaimOrphan ClaimKind = "orphan"
	// ClaimEvent: a notification that was handled. Kept for good.
	ClaimEvent ClaimKind = "event"
)

// Claim is one unique key held by an owner.
type Claim struct {
	Kind ClaimKind
	Key  string
	// Owner is the id of what holds it: a payment, operation, method, event.
	Owner string
	// Payment the owner belongs to, "" for none.
	Payment string
	// Fingerprint of the request, for ClaimKey; for ClaimOrphan the fact that
	// is kept, as JSON.
	Fingerprint []byte
}

// PaymentQuery filters payments. The zero value lists the newest 100.
type PaymentQuery struct {
	Reference string
	Customer  string
	Statuses  []Status
	Provider  string // an operation ran there
	// ParkedOnly lists those that need a person.
	ParkedOnly bool
	// OpenOnly lists those with an outstanding operation.
	OpenOnly bool
	// OpenNotAt lists those with an outstanding operation at a provider that
	// is named and not among these.
	OpenNotAt []string
	// From and To bound CreatedAt: [From, To). Zero for no bound.
	From, To time.Time
	// After continues behind a cursor that [Cursor] made from the last payment
	// of the page before; "" begins. Stores read it with [ParseCursor].
	After string
	// Limit of the page, 1 to 1000; 0 for 100.
	Limit int
}

// EventQuery filters events. The zero value lists the oldest 100.
type EventQuery struct {
	PaymentID string
	// AfterSeq continues behind the event with that Seq.
	AfterSeq int64
	// Limit of the page, 1 to 1000; 0 for 100.
	Limit int
}

// DisputeQuery filters disputes. The zero value lists the newest 100.
type DisputeQuery struct {
	PaymentID string
	Provider  string
	Statuses  []DisputeStatus
	// After continues behind the dispute with that id.
	After string
	Limit int
}
