package payment

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tender-go/payment/money"
)

// unit is one commit that changes one payment: the record, its claims, events
// and participants, all or nothing.
type unit struct {
	c   *Client
	ctx context.Context
	tx  Tx
	p   *Payment
	now time.Time
	key cipher.AEAD // of the payment's subject; nil until needed

	asked   string // the key of the call that runs the unit
	fresh   bool   // the payment is new
	was     Status // before the unit
	claims  []Claim
	release []Claim
	events  []*Event
	planned []*Step
	orders  []order          // of planned
	refused map[string]error // steps that a participant refused, in a commit that must be made

	// tells: an event brought a fee, and is kept although it changed no state:
	// the books learn of it by the event.
	tells bool

	// first is taken in before anything is planned that follows.
	first []func() error
	// Notifications that came before their object was known: see orphan.go.
	seeks     bool            // look for them as objects become known
	inherited map[string]bool // found, by their event's id
}

// begin opens a unit on a loaded payment.
func (c *Client) begin(ctx context.Context, tx Tx, p *Payment, now time.Time) *unit {
	p.Version++
	return &unit{c: c, ctx: ctx, tx: tx, p: p, now: now, was: p.Status}
}

func (u *unit) touch(o *Operation) {
	o.Revision, o.UpdatedAt = u.p.Version, u.now
}

func (u *unit) touchStep(s *Step) {
	s.Revision, s.UpdatedAt = u.p.Version, u.now
}

func (u *unit) aead() (cipher.AEAD, error) {
	if u.key == nil {
		k, err := u.c.keys.of(u.ctx, u.tx, u.p.Subject)
		if err != nil {
			return nil, err
		}
		u.key = k
	}
	return u.key, nil
}

// Where sealed values belong, for the encryption's binding.
func wishPlace(paymentID string) string { return "wish:" + paymentID }

func actionPlace(operation string) string { return "action:" + operation }

func orderPlace(step string) string { return "order:" + step }

func methodPlace(id string) string { return "method:" + id }

// wish opens what the shop asked for.
func (u *unit) wish() (wish, error) { return u.c.wishOf(u.ctx, u.tx, u.p) }

func (c *Client) wishOf(ctx context.Context, r Reader, p *Payment) (wish, error) {
	var w wish
	a, err := c.keys.of(ctx, r, p.Subject)
	if err != nil {
		return w, err
	}
	return w, openJSON(a, p.Sealed, wishPlace(p.ID), &w)
}

func (u *unit) newOperation(kind OperationKind, origin Origin, amount money.Amount) (*Operation, error) {
	if len(u.p.Operations) >= maxOperations-1 {
		return nil, &StateError{Verb: string(kind), PaymentID: u.p.ID, Status: u.p.Status, Reason: "it has too many operations"}
	}
	o := &Operation{
		ID: numbered(u.p.ID, "o", len(u.p.Operations)+1), PaymentID: u.p.ID, Kind: kind, Origin: origin,
		State: StatePlanned, Amount: amount, Approved: money.Zero(amount.Currency()), CreatedAt: u.now,
	}
	if origin == OriginShop {
		o.Key = u.asked
	}
	u.touch(o)
	u.p.Operations = append(u.p.Operations, o)
	return o, nil
}

// planStep adds a step to an operation. With lease it is born leased to the
// caller, who sends it after the commit; else the worker does.
func (u *unit) planStep(o *Operation, spec StepSpec, ord order, lease bool) error {
	if len(o.Steps) >= maxSteps-1 {
		return &StateError{Verb: string(o.Kind), PaymentID: u.p.ID, Status: u.p.Status, Reason: "it has too many steps"}
	}
	s := &Step{
		ID: numbered(o.ID, "s", len(o.Steps)+1), OperationID: o.ID, Name: spec.Name, State: StatePlanned,
		MovesMoney: spec.MovesMoney, Local: spec.Local, Recovery: spec.Recovery, CreatedAt: u.now, DueAt: u.now,
		Fence: ord.Fence != nil,
	}
	root := rootOf(u.p, o)
	data := mergedData(u.p, o)
	call := ord.call()
	*call = Call{Step: s.Name, Key: s.ID, Operation: o.ID, Payment: u.p.ID, Reference: u.p.Reference, Data: data, Now: u.now}
	if root != nil {
		call.Ref = root.Ref
	}
	if lease {
		u.leaseStep(s)
	}
	plain, err := ord.encode()
	if err != nil {
		return fmt.Errorf("payment: encode step %s: %w", s.Name, err)
	}
	key := u.c.ordersKey
	if ord.personal() {
		if key, err = u.aead(); err != nil {
			return err
		}
	}
	if s.Request, err = sealWith(key, u.c.random, plain, orderPlace(s.ID)); err != nil {
		return err
	}
	u.touchStep(s)
	u.touch(o)
	o.Steps = append(o.Steps, s)
	if s.MovesMoney && o.Kind == OpAuthorize && !s.Fence {
		if !o.Charging {
			u.claims = append(u.claims, Claim{Kind: ClaimCharging, Key: u.p.ID, Owner: o.ID, Payment: u.p.ID})
		}
		o.Charging = true
	}
	u.planned, u.orders = append(u.planned, s), append(u.orders, ord)
	return nil
}

// leaseStep gives the step to the caller for longer than all its sends take.
func (u *unit) leaseStep(s *Step) {
	s.Sends++
	if s.FirstSent.IsZero() {
		s.FirstSent = u.now
	}
	s.LastSent, s.Failure = u.now, Failure{}
	s.Lease = u.now.Add(u.c.leaseFor)
	s.DueAt = s.Lease.Add(u.c.skew)
	u.touchStep(s)
}

func (u *unit) emit(e *Event) *Event {
	e.PaymentID = u.p.ID
	u.events = append(u.events, e)
	return e
}

// note emits an event of the client's own.
func (u *unit) note(t EventType, source Source, operation, reason string) *Event {
	return u.emit(&Event{Type: t, Source: source, OperationID: operation, Reason: reason, Applied: true})
}

// setAction stores the payer's next act, encrypted.
func (u *unit) setAction(o *Operation, a *Action) error {
	o.Action, o.Sealed = a, nil
	if a == nil {
		return nil
	}
	key, err := u.aead()
	if err != nil {
		if errors.Is(err, ErrErased) || errors.Is(err, ErrNotFound) {
			return nil // the subject is gone: the act goes to this caller alone
		}
		return err
	}
	o.Sealed, err = u.c.keys.sealJSON(key, a, actionPlace(o.ID))
	return err
}

// commit writes everything the unit holds.
func (u *unit) commit() error {
	p := u.p
	if err := u.takeFirst(); err != nil {
		return err
	}
	if err := u.explainSums(); err != nil {
		return err
	}
	if err := u.claim(); err != nil {
		return err
	}
	for _, s := range u.planned {
		if err := u.refused[s.ID]; err != nil {
			u.unplan(s, err)
		}
	}
	p.UpdatedAt = u.now
	p.refresh()
	if k := p.Parked; k != nil && strings.HasPrefix(k.Why, givenUp) && !strings.Contains(k.Why, "; ") && !p.Refundable().IsPositive() && !p.holds() {
		p.Parked = nil
		u.note(EventFact, SourceEngine, k.Operation, "nothing is left to give back: nobody is needed")
	}
	if !u.fresh && u.was != p.Status && len(u.events) == 0 {
		u.note(EventFact, SourceEngine, "", "the payment was "+string(u.was)) // the outbox misses no change
	}
	if err := u.settleReference(); err != nil {
		return err
	}
	p.DueAt = u.c.dueAt(p)
	for _, s := range u.planned {
		if s.State != StatePlanned {
			continue
		}
		o, _ := p.Step(s.ID)
		for _, part := range u.c.participants {
			switch err := part.OnPlan(u.ctx, u.tx, p, o, s); {
			case errors.Is(err, ErrConflict), errors.Is(err, ErrBusy), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
				return err
			case err != nil:
				return &PlanError{Participant: part.Name(), Step: s.ID, Err: err}
			}
		}
	}
	if err := u.claim(); err != nil {
		return err
	}
	for _, r := range u.release {
		if err := u.tx.Release(u.ctx, r.Kind, r.Key, r.Owner); err != nil {
			return err
		}
	}
	var err error
	if u.fresh {
		err = u.tx.InsertPayment(u.ctx, p)
	} else {
		err = u.tx.SavePayment(u.ctx, p)
	}
	if err != nil {
		return err
	}
	return u.writeEvents()
}

// unplan takes a step back that a participant refused, in a commit that records
// a fact and must be made all the same.
func (u *unit) unplan(s *Step, why error) {
	o, _ := u.p.Step(s.ID)
	s.State, s.Closed, s.DueAt, s.Sends = StateFailed, true, time.Time{}, 0
	if o.current() == s && o.State.Outstanding() {
		o.State = StateFailed
		o.Failure = Failure{Kind: KindNotSent, Code: "refused", Message: why.Error()}
		u.ended(o)
	}
	u.parkFor(o.ID, fmt.Sprintf("the %s was not sent: %v", o.Kind, why), "settle the cause and ask again")
}

// claim takes the unit's claims.
func (u *unit) claim() error {
	claims := u.claims
	u.claims = nil
	return u.take(claims)
}

// take claims. That another payment has a provider's object already stops no
// fact: it is for a person. A guard that is lost to another transaction makes
// this one run again, unless the payment is new.
func (u *unit) take(claims []Claim) error {
	if len(claims) == 0 {
		return nil
	}
	err := u.tx.Claim(u.ctx, claims...)
	if u.fresh || !errors.Is(err, ErrTaken) {
		return err
	}
	for _, c := range claims {
		err := u.tx.Claim(u.ctx, c)
		var taken *TakenError
		switch {
		case err == nil:
		case !errors.As(err, &taken):
			return err
		case c.Kind == ClaimRef && taken.Claim.Owner == nobody:
			if err := u.inherit(c); err != nil {
				return err
			}
		case c.Kind == ClaimRef && taken.Claim.Payment != u.p.ID:
			u.parkFor(c.Owner, "the provider's object "+quote(c.Key)+" belongs to payment "+taken.Claim.Payment, "find out which of the two it pays")
		case c.Kind == ClaimKey:
			return err
		case taken.Claim.Owner != c.Owner:
			return ErrConflict
		}
	}
	return nil
}

func (u *unit) writeEvents() error {
	if len(u.events) == 0 {
		return nil
	}
	for _, e := range u.events {
		e.ID = u.c.newID("ev", u.now)
		e.RecordedAt = u.now
		e.PaymentStatus = u.p.Status
		if e.Type == "" {
			e.Type = EventFact
		}
		if o := u.p.Operation(e.OperationID); o != nil {
			e.State = o.State
			if e.Provider == "" {
				e.Provider = o.Provider
			}
		}
	}
	if err := u.tx.AppendEvents(u.ctx, u.events...); err != nil {
		return err
	}
	for _, e := range u.events {
		for _, part := range u.c.participants {
			if err := part.OnRecord(u.ctx, u.tx, u.p, e); err != nil {
				return fmt.Errorf("payment: %s could not record: %w", part.Name(), err)
			}
		}
	}
	return nil
}
