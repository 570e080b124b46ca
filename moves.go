package payment

import (
	"errors"
	"fmt"
	"time"

	"github.com/tender-go/payment/money"
)

// This file plans operations: what is put into a commit before a provider is
// asked. Limits are checked here, on the payment as the transaction sees it, so
// that two callers cannot both pass.

// planAuthorize adds a step of an attempt's flow.
func (u *unit) planAuthorize(o *Operation, spec StepSpec, w wish, lease bool) error {
	caps := u.c.capabilitiesOf(o)
	r := w.authorize(u.p, o.Sale, caps)
	r.Method.Method = o.Method
	if caps.Fence == FenceDeadline && caps.PayableFor > 0 {
		r.Until = u.now.Add(caps.PayableFor)
		o.PayableUntil = r.Until
	}
	return u.planStep(o, spec, order{Authorize: r}, lease)
}

// authorize makes the request of an attempt, less what the step adds.
func (w *wish) authorize(p *Payment, sale bool, caps MethodCapabilities) *AuthorizeRequest {
	r := &AuthorizeRequest{
		Amount: p.Amount, Capture: sale, Method: w.Method.instrument(), Customer: p.Customer, Payer: w.Payer,
		Description: w.Description, Descriptor: w.Descriptor, Metadata: w.Metadata, ReturnURL: w.ReturnURL,
		ThreeDS: w.ThreeDS, Save: w.Save, OffSession: w.OffSession, ProviderCustomer: w.Method.Fields[fieldProviderCustomer],
	}
	if caps.Splits {
		r.Splits = w.Splits
	}
	return r
}

// fieldProviderCustomer carries a saved method's customer at its provider.
const fieldProviderCustomer = "provider_customer"

// startAttempt opens an attempt at a provider and plans its first step.
func (u *unit) startAttempt(provider string, method Method, sale bool, w wish, why string, lease bool) error {
	if stop := u.mayNotCharge(nil); stop != "" {
		return &StateError{Verb: "authorize", PaymentID: u.p.ID, Status: u.p.Status, Reason: stop}
	}
	caps, ok := u.c.capsFor(provider, method)
	if !ok || len(caps.Flow) == 0 {
		return &RouteError{Reasons: map[string]string{provider: "does not take " + string(method)}}
	}
	if err := u.takeReference(); err != nil {
		return err
	}
	o, err := u.newOperation(OpAuthorize, OriginShop, u.p.Amount)
	if err != nil {
		return err
	}
	if !u.fresh {
		u.note(EventRouted, SourceEngine, o.ID, why)
	}
	o.Provider, o.Method, o.Sale, o.Why = provider, method, sale, why
	o.Splits = w.Splits
	return u.planAuthorize(o, caps.Flow[0], w, lease)
}

// takeReference makes the payment the live one of its reference again, where it
// had given it free. No attempt opens without it.
func (u *unit) takeReference() error {
	if u.p.HoldsReference {
		return nil
	}
	err := u.tx.Claim(u.ctx, Claim{Kind: ClaimReference, Key: u.p.Reference, Owner: u.p.ID, Payment: u.p.ID})
	var taken *TakenError
	if errors.As(err, &taken) && taken.Claim.Owner != u.p.ID {
		if u.p.Additional {
			return nil // it may be live beside the other
		}
		return &ReferenceError{Reference: u.p.Reference, PaymentID: taken.Claim.Owner}
	}
	if err != nil && taken == nil {
		return err
	}
	u.p.HoldsReference = true
	return nil
}

// autoCapture captures a hold whose payment is to be captured at once.
func (u *unit) autoCapture(o *Operation, lease bool) error {
	if u.p.Capture != CaptureAutomatic || o.Sale || u.c.capabilitiesOf(o).Capture.IsZero() {
		return nil
	}
	rest := u.p.capturable(o)
	if !rest.IsPositive() {
		return nil
	}
	splits := o.Splits
	if rest != o.Amount {
		splits = nil // they are of all of it
	}
	return u.planCapture(o, rest, true, OriginEngine, splits, lease)
}

func (u *unit) planCapture(root *Operation, amount money.Amount, final bool, origin Origin, splits []Split, lease bool) error {
	o, err := u.newOperation(OpCapture, origin, amount)
	if err != nil {
		return err
	}
	o.Target, o.Provider, o.Method, o.Final, o.Splits, o.Overpaid = root.ID, root.Provider, root.Method, final, splits, root.Overpaid
	return u.planStep(o, u.c.capabilitiesOf(root).Capture, order{Capture: &CaptureRequest{Amount: amount, Final: final, Splits: splits}}, lease)
}

func (u *unit) planVoid(root *Operation, origin Origin, lease bool) error {
	rest := u.p.capturable(root)
	o, err := u.newOperation(OpVoid, origin, rest)
	if err != nil {
		return err
	}
	o.Target, o.Provider, o.Method, o.Overpaid = root.ID, root.Provider, root.Method, root.Overpaid
	return u.planStep(o, u.c.capabilitiesOf(root).Void, order{Void: &VoidRequest{Amount: rest}}, lease)
}

func (u *unit) planRefund(target *Operation, amount money.Amount, origin Origin, reason string, splits []Split, lease bool) error {
	if less(u.p.refundable(target), amount) {
		return &ExceedsError{Verb: "refund", Asked: amount, Available: u.p.refundable(target)}
	}
	o, err := u.newOperation(OpRefund, origin, amount)
	if err != nil {
		return err
	}
	o.Target, o.Provider, o.Method, o.Overpaid, o.Splits = target.ID, target.Provider, target.Method, target.Overpaid, splits
	ref := target.Ref
	if root := rootOf(u.p, target); ref == "" && root != nil {
		ref = root.Ref
	}
	return u.planStep(o, u.c.capabilitiesOf(target).Refund,
		order{Refund: &RefundRequest{Amount: amount, CaptureRef: ref, Captured: target.Approved, Reason: reason, Splits: splits}}, lease)
}

// saveToken keeps the method that a payment asked to save.
func (u *unit) saveToken(e *Event, o *Operation) error {
	if id := o.Data[dataSaved]; id != "" {
		return u.completeCard(id, o)
	}
	if e.Token.IsZero() || u.p.Customer == "" {
		return nil
	}
	w, err := u.wish()
	if err != nil || !w.Save {
		return nil //nolint:nilerr // erased meanwhile: nothing is kept
	}
	key, err := u.aead()
	if err != nil {
		return err
	}
	m := &SavedMethod{ID: u.c.newID("pm", u.now), Customer: u.p.Customer, Provider: o.Provider, Method: o.Method,
		State: MethodActive, Card: o.Card, Ref: e.Ref, Subject: u.p.Subject, CreatedAt: u.now, UpdatedAt: u.now}
	if m.Sealed, err = u.c.keys.sealJSON(key, savedSecrets{Token: e.Token.Reveal(), ProviderCustomer: e.ProviderCustomer}, methodPlace(m.ID)); err != nil {
		return err
	}
	u.remember(o, dataSaved, m.ID) // once, also after it was forgotten
	u.note(EventMethod, e.Source, o.ID, "saved method "+m.ID)
	return u.tx.SaveMethod(u.ctx, m)
}

// dataSaved is the method that an attempt saved.
const dataSaved = "saved_method"

// completeCard adds to a saved method what became known of its card since: of
// the reports of one success, one brings the token and another the card.
func (u *unit) completeCard(id string, o *Operation) error {
	if o.Card == (CardInfo{}) {
		return nil
	}
	m, err := u.tx.Method(u.ctx, id)
	if isNotFound(err) || (err == nil && (m.State != MethodActive || m.Card != (CardInfo{}))) {
		return nil
	}
	if err != nil {
		return err
	}
	m.Card, m.UpdatedAt = o.Card, u.now
	return u.tx.SaveMethod(u.ctx, m)
}

// applyDispute takes in what a provider says of a dispute.
func (u *unit) applyDispute(e *Event) error {
	e.Type = EventDispute
	f := e.Dispute
	root := u.parent(e)
	if f == nil || root == nil || f.Ref == "" {
		u.ignore(e, "a dispute that names no operation of this payment")
		return nil
	}
	var o *Operation
	for _, x := range u.p.Operations {
		if x.Kind == OpDispute && x.Provider == root.Provider && x.known(f.Ref) {
			o = x
		}
	}
	if f.Amount.Currency() != u.p.Amount.Currency() || f.Amount.IsNegative() {
		u.park(e, root, fmt.Sprintf("a dispute over %s on a payment in %s", f.Amount, u.p.Amount.Currency()), "see the dispute in the provider's dashboard")
		f.Amount = money.Zero(u.p.Amount.Currency())
	}
	if o == nil {
		var err error
		if o, err = u.newOperation(OpDispute, OriginProvider, f.Amount); err != nil {
			return err
		}
		o.Target, o.Provider, o.Method = u.disputed(e, root).ID, root.Provider, root.Method
		o.State = StatePending
		if err := u.learn(o, nil, &Event{Ref: f.Ref}); err != nil {
			return err
		}
	}
	e.OperationID = o.ID
	d, err := u.dispute(o, f)
	if err != nil {
		return err
	}
	// Networks reopen disputes: what the provider dates later counts.
	if d.Status.Ended() && !f.Status.Ended() && !reportedAfter(e, o) {
		u.ignore(e, "an earlier stage reported late: it is "+string(d.Status)+" already")
		return nil
	}
	if d.Status == f.Status && d.Amount == f.Amount && (d.Fee == f.Fee || f.Fee.Currency() == "") && o.Revision != u.p.Version {
		u.ignore(e, reasonKnown)
		return nil
	}
	o.Amount = f.Amount
	to, approved := StatePending, money.Zero(f.Amount.Currency())
	switch f.Status {
	case DisputeInquiry:
		o.Amount = money.Zero(f.Amount.Currency()) // no money is held back
	case DisputeLost, DisputeAccepted:
		to, approved = StateApproved, f.Amount
	case DisputeWon, DisputeClosed:
		to = StateDeclined
	}
	// A dispute may end one way and be reopened or reversed by the network: its
	// last reported state is its state.
	o.State, o.Approved = to, approved
	if f.Fee.Currency() != "" {
		o.Fee, d.Fee = f.Fee, f.Fee
	}
	if !e.At.IsZero() {
		o.Data = map[string]string{dataReported: e.At.UTC().Format(time.RFC3339Nano)}
	}
	u.touch(o)
	if f.Status.Ended() {
		u.endAnswers(o.ID, f.Status)
	}
	e.Applied, e.Amount = true, f.Amount
	d.Status, d.Reason, d.Code, d.Amount, d.Due, d.UpdatedAt = f.Status, f.Reason, f.Code, f.Amount, f.Due, u.now
	if err := u.tx.SaveDispute(u.ctx, d); err != nil {
		return err
	}
	u.p.Totals = computeTotals(u.p)
	return u.giveBack(o, false)
}

// endAnswers ends what was still being answered of a dispute that has ended.
func (u *unit) endAnswers(dispute string, how DisputeStatus) {
	for _, o := range u.p.Operations {
		if o.Dispute != dispute || !o.State.Outstanding() {
			continue
		}
		o.State = StateAbsent
		if o.Kind == OpAccept && (how == DisputeAccepted || how == DisputeLost) {
			o.State, o.Approved = StateApproved, o.Amount
		}
		u.touch(o)
		for _, s := range o.Steps {
			if s.State.Outstanding() {
				s.State, s.Closed, s.Doubt, s.DueAt = o.State, true, false, time.Time{}
				u.touchStep(s)
			}
		}
		u.note(EventFact, SourceEngine, o.ID, "the dispute has ended: "+string(how))
	}
}

// dataReported is when the provider last said something of a dispute.
const dataReported = "reported"

func reportedAfter(e *Event, o *Operation) bool {
	last, err := time.Parse(time.RFC3339Nano, o.Data[dataReported])
	return err == nil && e.At.After(last)
}

// disputed is the sale or capture that a dispute is about.
func (u *unit) disputed(e *Event, root *Operation) *Operation {
	for _, o := range u.p.Operations {
		if o.Kind == OpCapture && o.Target == root.ID && (o.known(e.Parent) || o.State == StateApproved) {
			return o
		}
	}
	return root
}

func (u *unit) dispute(o *Operation, f *DisputeFact) (*Dispute, error) {
	id := disputeID(o.ID)
	d, err := u.tx.Dispute(u.ctx, id)
	if err == nil {
		return d, nil
	}
	if !isNotFound(err) {
		return nil, err
	}
	return &Dispute{ID: id, PaymentID: u.p.ID, Operation: o.Target, Provider: o.Provider, Ref: f.Ref, CreatedAt: u.now}, nil
}

// disputeID is that of the operation that stands for it in the payment.
func disputeID(operation string) string { return operation }
