package payment

import (
	"time"

	"github.com/tender-go/payment/money"
)

// OperationKind is what was asked for.
type OperationKind string

// The kinds of operation.
const (
	// OpAuthorize collects money: a hold, or with Operation.Sale a sale. One
	// such operation is an attempt.
	OpAuthorize OperationKind = "authorize"
	OpCapture   OperationKind = "capture"
	OpVoid      OperationKind = "void"
	OpRefund    OperationKind = "refund"
	OpTransfer  OperationKind = "transfer"
	// OpRespond and OpAccept answer a dispute.
	OpRespond OperationKind = "respond"
	OpAccept  OperationKind = "accept"
	// OpSave is the storing of a method; it belongs to no payment and appears
	// in events and look-ups only.
	OpSave OperationKind = "save"
	// OpDispute is a chargeback or complaint; it appears in events only.
	OpDispute OperationKind = "dispute"
)

// Origin says who asked for an operation.
type Origin string

// The origins.
const (
	OriginShop     Origin = "shop"     // a call of the Client
	OriginEngine   Origin = "engine"   // automatic capture, failover, incident refund
	OriginProvider Origin = "provider" // made in the provider's dashboard, or by a bank
)

// State is where a step or an operation stands. See [State.Next] for the moves
// that are allowed.
type State string

// The states of steps and operations.
const (
	// StatePlanned: committed; it is being sent, will be sent, or was being
	// sent when the process died.
	StatePlanned State = "planned"
	// StateActionRequired: the payer must act.
	StateActionRequired State = "action_required"
	// StatePending: the provider accepted it; the outcome comes later.
	StatePending State = "pending"
	// StateUnknown: it may or may not have happened. Never a failure.
	StateUnknown State = "unknown"
	// StateApproved: done.
	StateApproved State = "approved"
	// StateDeclined: refused by payer, issuer or provider.
	StateDeclined State = "declined"
	// StateFailed: proven not to have been done: not sent, or rejected.
	StateFailed State = "failed"
	// StateAbsent: was unknown, and is proven not to have happened.
	StateAbsent State = "absent"
	// StateCanceled: canceled or fenced, by us or at the provider.
	StateCanceled State = "canceled"
	// StateExpired: ended unpaid by time.
	StateExpired State = "expired"
	// StateReversed: was approved and undone since. Final.
	StateReversed State = "reversed"
)

// transitions is the whole table: from each state, the states it may move to.
// An event that asks for another move is stored with its reason and changes
// nothing. Approved after a dead state is a late success.
var transitions = map[State][]State{
	StatePlanned:        {StateActionRequired, StatePending, StateUnknown, StateApproved, StateDeclined, StateFailed, StateAbsent, StateCanceled, StateExpired, StateReversed},
	StateUnknown:        {StateActionRequired, StatePending, StateApproved, StateDeclined, StateFailed, StateAbsent, StateCanceled, StateExpired, StateReversed},
	StateActionRequired: {StatePending, StateUnknown, StateApproved, StateDeclined, StateCanceled, StateExpired, StateAbsent, StateReversed},
	StatePending:        {StateActionRequired, StateUnknown, StateApproved, StateDeclined, StateCanceled, StateExpired, StateAbsent, StateReversed},
	StateApproved:       {StateReversed},
	StateDeclined:       {StateApproved, StateReversed},
	StateAbsent:         {StateApproved, StatePending, StateActionRequired, StateDeclined, StateReversed},
	StateCanceled:       {StateApproved, StateReversed},
	StateExpired:        {StateApproved, StateReversed},
	StateFailed:         {StateApproved, StateReversed},
	StateReversed:       {},
}

// States lists all states.
func States() []State {
	return []State{StatePlanned, StateActionRequired, StatePending, StateUnknown, StateApproved, StateDeclined,
		StateFailed, StateAbsent, StateCanceled, StateExpired, StateReversed}
}

// Next returns the states that s may move to.
func (s State) Next() []State { return append([]State(nil), transitions[s]...) }

// May reports whether a move from s to t is in the table.
func (s State) May(t State) bool {
	for _, n := range transitions[s] {
		if n == t {
			return true
		}
	}
	return false
}

// Outstanding reports whether the outcome is still open.
func (s State) Outstanding() bool {
	switch s {
	case StatePlanned, StateActionRequired, StatePending, StateUnknown:
		return true
	}
	return false
}

// Dead reports whether it ended without effect. A late success may still come.
func (s State) Dead() bool {
	switch s {
	case StateDeclined, StateFailed, StateAbsent, StateCanceled, StateExpired:
		return true
	}
	return false
}

// Operation is one thing asked for, and what became of it. It ends as the sum
// of its approved steps.
type Operation struct {
	// ID is at most 28 characters of [0-9a-z], so that it fits every
	// provider's own reference.
	ID        string
	PaymentID string
	// Revision is the version of the payment in which the operation last
	// changed; a store writes the operations whose Revision equals the
	// payment's Version.
	Revision int64
	Kind     OperationKind
	Origin   Origin
	// Key is the idempotency key of the call that asked for it, "" where no
	// call did. See [Payment.Progress].
	Key   string
	State State
	// Sale: an authorize operation that collects at once.
	Sale bool
	// Amount asked for. Approved is what the provider approved of it: held for
	// a hold, collected for a sale or capture, given back for a refund.
	Amount, Approved money.Amount
	// Provider instance and method that carry it.
	Provider string
	Method   Method
	// Target is the operation it acts on: a capture or void the authorize
	// operation, a refund the sale or capture. Dispute is the dispute that a
	// response or acceptance is about.
	Target, Dispute string
	// Ref is its object at the provider, Refs further ids the provider may call
	// it by; Data is what the provider wants back.
	Ref  string
	Refs []string
	Data map[string]string
	// Charging: money can move on it with no further act of the payer.
	// Payable: the payer can still pay it, even if it has ended for us.
	Charging, Payable bool
	// PayableUntil ends Payable by itself, where the method has a deadline.
	PayableUntil time.Time
	// ExpiresAt ends the authorization.
	ExpiresAt time.Time
	// Overpaid: it succeeded although the payment was paid, canceled or
	// superseded; its money is not the order's. On a refund: it gives such
	// money back.
	Overpaid bool
	// Superseded: the shop canceled, or opened a further attempt.
	Superseded bool
	// Final: a capture after which no other follows.
	Final bool
	// Decline says why it was refused; Failure what a technical end was.
	Decline Decline
	Failure Failure
	// Why says in words why this provider was chosen, why no other was tried,
	// or what waits for what.
	Why string
	// Action the payer must carry out, with StateActionRequired. Stores keep
	// it only inside Sealed.
	Action  *Action
	Card    CardInfo
	ThreeDS ThreeDSResult
	// Fee that the provider said it took.
	Fee money.Amount `json:",omitzero"`
	// Splits of the amount, where they were given; of an attempt those of the
	// request. On a transfer: its receiver.
	Splits []Split
	// Sealed holds Action encrypted, as stores keep it.
	Sealed []byte
	// Steps in the order they were planned.
	Steps     []*Step
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Failure is a technical end or doubt, in words that are safe to show to the
// shop's staff.
type Failure struct {
	Kind ErrorKind
	// Code and Message as the provider or the network gave them, scrubbed.
	Code, Message string
}

// Step is one write to a provider: planned, committed, then sent.
type Step struct {
	// ID is the idempotency key: the operation's id and a suffix, at most 32
	// characters.
	ID          string
	OperationID string
	Revision    int64 // as Operation.Revision
	// Name as the provider's capabilities call it.
	Name  string
	State State
	// Fence: it makes the attempt unpayable instead of carrying it on.
	Fence bool
	// MovesMoney and Recovery are copied from the StepSpec when it is planned:
	// the rules that were in force decide, not those of a later release.
	MovesMoney bool
	Local      bool
	Recovery   Recovery
	// Doubt is set once a send had an unknown outcome, and only an answer
	// about that send, a look-up or a confirmed fence lowers it: what a later
	// replay is told at the door proves nothing about the first send.
	Doubt bool
	// Closed: it will never be sent again.
	Closed bool
	// Sends counts the sends; Lease is when the last one is over for certain.
	Sends     int
	FirstSent time.Time
	LastSent  time.Time
	Lease     time.Time
	// Checks counts look-ups since it was last sent; DueAt is when the worker
	// looks at it again, zero for never.
	Checks int
	DueAt  time.Time
	// Ref is the provider's object of this step.
	Ref     string
	Failure Failure
	// Request is what is sent, encrypted: a replay after a crash is identical.
	Request   []byte
	CreatedAt time.Time
	UpdatedAt time.Time
}
