package payment

import (
	"context"
	"errors"
	"slices"

	"github.com/tender-go/payment/money"
)

// CaptureParams asks for a capture.
type CaptureParams struct {
	// Key is the idempotency key. Required.
	Key string
	// Amount to take; the zero value takes all that is left.
	Amount money.Amount
	// Final: nothing more will be captured; the rest is released.
	Final  bool
	Splits []Split
}

// VoidParams asks for the release of what is authorized and not captured.
type VoidParams struct {
	Key string
}

// CancelParams asks that a payment be given up.
type CancelParams struct {
	Key string
	// Reason for the record, without personal values.
	Reason string
}

// RefundParams asks for money to be given back.
type RefundParams struct {
	Key string
	// Amount to give back; the zero value gives all that is left.
	Amount money.Amount
	// Capture names the operation to refund, "" to let the client choose.
	Capture string
	// Reason for the provider and the record, without personal values.
	Reason string
	Splits []Split
}

// TransferParams asks for collected money to be moved to another party.
type TransferParams struct {
	Key         string
	Amount      money.Amount
	Destination string // the receiver's account at the provider
	Description string
}

// Capture takes authorized money, in full or in part. The payment may hold less
// than it asks for: then the error is an [*ExceedsError] and nothing is asked of
// the provider. A nil error says that the provider was asked, not that it did
// it: see [Payment.Progress].
func (c *Client) Capture(ctx context.Context, id string, r CaptureParams) (*Payment, error) {
	var p problems
	p.modification(id, r.Key, r.Amount)
	return c.modify(ctx, p, id, "capture", r.Key, keyPrint{Amount: amountPrint(r.Amount), Final: r.Final, Splits: r.Splits}, func(u *unit) error {
		o := u.p.paying()
		if o == nil || o.Sale || o.State != StateApproved {
			return u.refuse("capture", "nothing is authorized and uncaptured")
		}
		if u.p.inReview() {
			return u.refuse("capture", "it is in review: decide first")
		}
		if u.p.Canceled || u.p.Blocked != (Decline{}) {
			return u.refuse("capture", "it was given up")
		}
		caps := u.c.capabilitiesOf(o)
		if caps.Capture.IsZero() {
			return u.refuse("capture", o.Provider+" cannot capture "+string(o.Method))
		}
		left := u.p.capturable(o)
		amount, err := u.amountOr("capture", r.Amount, left)
		if err != nil {
			return err
		}
		if r.Final && u.p.pendingCapture(o) {
			return u.refuse("capture", "another capture is on its way: wait for it, then send the final one")
		}
		// The last of the money is final only if nothing else is on its way that
		// the provider might see later.
		final := r.Final || (amount == left && !u.p.pendingCapture(o)) || !caps.MultiCapture
		if amount != o.Approved && !caps.PartialCapture {
			return u.refuse("capture", o.Provider+" captures "+string(o.Method)+" only in full: "+o.Approved.String())
		}
		if u.p.drawn(o.ID, OpCapture).IsPositive() && !caps.MultiCapture {
			return u.refuse("capture", o.Provider+" captures "+string(o.Method)+" only once")
		}
		var sp problems
		if sp.splits(r.Splits, amount); sp.err() != nil {
			return sp.err()
		}
		return u.planCapture(o, amount, final, OriginShop, r.Splits, true)
	})
}

func (p *Payment) pendingCapture(root *Operation) bool { return p.pendingCaptures(root) > 0 }

// pendingCaptures counts the captures of a hold that are on their way.
func (p *Payment) pendingCaptures(root *Operation) int {
	n := 0
	for _, o := range p.Operations {
		if o.Kind == OpCapture && o.Target == root.ID && o.State.Outstanding() {
			n++
		}
	}
	return n
}

// Void releases all that is authorized and not captured. What became of it says
// [Payment.Progress], not the error.
func (c *Client) Void(ctx context.Context, id string, r VoidParams) (*Payment, error) {
	var p problems
	p.modification(id, r.Key, money.Amount{})
	return c.modify(ctx, p, id, "void", r.Key, keyPrint{}, func(u *unit) error {
		o := u.p.paying()
		if o == nil || !u.p.capturable(o).IsPositive() {
			return u.refuse("void", "nothing is authorized and uncaptured")
		}
		return u.void(o)
	})
}

func (u *unit) void(o *Operation) error {
	if u.c.capabilitiesOf(o).Void.IsZero() {
		return u.refuse("void", o.Provider+" cannot void "+string(o.Method))
	}
	if u.p.Review != nil && u.p.Review.Operation == o.ID {
		u.p.Review = nil
	}
	return u.planVoid(o, OriginShop, true)
}

// Refund gives captured money back, in full or in part. Where several captures
// bear it, one operation is made for each. More than is refundable is refused
// with an [*ExceedsError], whatever runs at the same time.
//
// A nil error says that the provider was asked, not that the money went back: a
// provider may decline a refund, or decide it days later. What became of this
// call says [Payment.Progress], now and after every event of the payment.
func (c *Client) Refund(ctx context.Context, id string, r RefundParams) (*Payment, error) {
	var p problems
	p.modification(id, r.Key, r.Amount)
	p.text("Reason", r.Reason, maxMetaValue)
	if err := c.askBefore(ctx, p.err(), id, StageBeforeRefund, &Operation{Kind: OpRefund, Amount: r.Amount}); err != nil {
		return nil, err
	}
	return c.modify(ctx, p, id, "refund", r.Key, keyPrint{Amount: amountPrint(r.Amount), Target: r.Capture, Text: r.Reason, Splits: r.Splits}, func(u *unit) error {
		if of := u.p.Operation(r.Capture); r.Capture != "" && (of == nil || (of.Kind != OpCapture && !of.Sale)) {
			return &FieldError{Field: "Capture", Problem: quote(r.Capture) + " is no capture or sale of this payment", Remedy: "take it from Payment.Operations, or leave it empty"}
		}
		left := u.p.Refundable()
		if of := u.p.Operation(r.Capture); of != nil {
			left = u.p.refundable(of)
		}
		if !u.p.Totals.Captured.Done.IsPositive() {
			return u.refuse("refund", "nothing is captured: cancel or void it instead")
		}
		amount, err := u.amountOr("refund", r.Amount, left)
		if err != nil {
			return err
		}
		var sp problems
		if sp.splits(r.Splits, amount); sp.err() != nil {
			return sp.err()
		}
		return u.refund(amount, r.Capture, r.Reason, r.Splits)
	})
}

// refund spreads an amount over what was captured.
func (u *unit) refund(amount money.Amount, capture, reason string, splits []Split) error {
	type part struct {
		target *Operation
		amount money.Amount
	}
	var parts []part
	rest := amount
	for _, o := range slices.Clone(u.p.Operations) {
		if o.Overpaid || (capture != "" && o.ID != capture) || !rest.IsPositive() {
			continue
		}
		if can := u.p.refundable(o); can.IsPositive() {
			take := smaller(can, rest)
			parts = append(parts, part{o, take})
			rest = minus(rest, take)
		}
	}
	if rest.IsPositive() {
		return &ExceedsError{Verb: "refund", Asked: amount, Available: minus(amount, rest)}
	}
	for _, x := range parts {
		caps := u.c.capabilitiesOf(x.target)
		switch {
		case caps.Refund.IsZero():
			return u.refuse("refund", x.target.Provider+" cannot refund "+string(x.target.Method))
		case x.amount != x.target.Approved && !caps.PartialRefund:
			return u.refuse("refund", x.target.Provider+" refunds "+string(x.target.Method)+" only in full: "+x.target.Approved.String())
		case caps.RefundWindow > 0 && u.now.After(x.target.CreatedAt.Add(caps.RefundWindow)):
			return u.refuse("refund", x.target.Provider+" takes no refund this late")
		}
		if len(parts) > 1 && len(splits) > 0 {
			return u.refuse("refund", "it spans several captures: give Splits per capture, with Capture set")
		}
		if err := u.planRefund(x.target, x.amount, OriginShop, reason, splits, true); err != nil {
			return err
		}
	}
	return nil
}

// Cancel gives a payment up, by what it has come to: what was never sent is
// dropped, what the payer could still pay is fenced, what is authorized is
// voided, what is captured is refunded. While an outcome is not known, the
// fence is asked for and nothing is freed before it is confirmed; money that
// still arrives goes back as overpaid. What became of the void or refund that
// it asked for says [Payment.Progress].
func (c *Client) Cancel(ctx context.Context, id string, r CancelParams) (*Payment, error) {
	var p problems
	p.modification(id, r.Key, money.Amount{})
	p.text("Reason", r.Reason, maxMetaValue)
	return c.modify(ctx, p, id, "cancel", r.Key, keyPrint{Text: r.Reason}, func(u *unit) error {
		if u.p.Canceled {
			return errNothing
		}
		u.p.Canceled = true
		if u.p.Review != nil {
			u.p.Review = nil
		}
		u.note(EventCanceled, SourceDecision, "", u.words(r.Reason))
		for _, o := range slices.Clone(u.p.Operations) {
			if o.Kind == OpAuthorize && !o.Overpaid && (o.State.Outstanding() || o.Payable) {
				u.supersede(o, true)
			}
		}
		o := u.p.paying()
		if o == nil {
			return nil
		}
		if u.p.capturable(o).IsPositive() {
			if err := u.void(o); err != nil {
				return err
			}
		}
		u.p.Totals = computeTotals(u.p)
		if left := u.p.Refundable(); left.IsPositive() {
			return u.refund(left, "", "canceled", nil)
		}
		return nil
	})
}

// Transfer moves collected money to another party at the provider. What became
// of it says [Payment.Progress], not the error.
func (c *Client) Transfer(ctx context.Context, id string, r TransferParams) (*Payment, error) {
	var p problems
	p.modification(id, r.Key, money.Amount{})
	p.amount("Amount", r.Amount)
	p.id("Destination", r.Destination, true)
	p.text("Description", r.Description, maxMetaValue)
	if err := c.askBefore(ctx, p.err(), id, StageBeforeTransfer, &Operation{Kind: OpTransfer, Amount: r.Amount}); err != nil {
		return nil, err
	}
	return c.modify(ctx, p, id, "transfer", r.Key, keyPrint{Amount: amountPrint(r.Amount), Target: r.Destination, Text: r.Description}, func(u *unit) error {
		source := u.p.paying()
		if source == nil || !u.p.Totals.Captured.Done.IsPositive() {
			return u.refuse("transfer", "nothing is captured")
		}
		spec := u.c.caps[source.Provider].Transfer
		if spec.IsZero() {
			return u.refuse("transfer", source.Provider+" cannot transfer")
		}
		t := u.p.Totals
		left := floor0(minus(minus(minus(minus(t.Captured.Done, t.Refunded.Done), t.Refunded.Pending), t.Transferred.Done), t.Transferred.Pending))
		amount, err := u.amountOr("transfer", r.Amount, left)
		if err != nil {
			return err
		}
		o, err := u.newOperation(OpTransfer, OriginShop, amount)
		if err != nil {
			return err
		}
		o.Target, o.Provider, o.Method = source.ID, source.Provider, source.Method
		o.Splits = []Split{{Account: r.Destination, Amount: amount}}
		ref := source.Ref
		for _, x := range u.p.Operations {
			if x.Kind == OpCapture && x.State == StateApproved && x.Ref != "" {
				ref = x.Ref
			}
		}
		return u.planStep(o, spec, order{Transfer: &TransferRequest{Amount: amount, Destination: r.Destination, SourceRef: ref, Description: r.Description}}, true)
	})
}

func (p *problems) modification(id, key string, amount money.Amount) {
	p.id("id", id, true)
	p.id("Key", key, true)
	if amount != (money.Amount{}) {
		p.amount("Amount", amount)
	}
}

func amountPrint(a money.Amount) string {
	if a == (money.Amount{}) {
		return ""
	}
	return a.String()
}

// amountOr is the amount asked for, checked against what is left; the zero
// value asks for all of it.
func (u *unit) amountOr(verb string, asked, left money.Amount) (money.Amount, error) {
	if asked == (money.Amount{}) {
		if !left.IsPositive() {
			return left, u.exceeds(verb, asked, left)
		}
		return left, nil
	}
	if asked.Currency() != left.Currency() {
		return left, &FieldError{Field: "Amount", Problem: "is in " + string(asked.Currency()), Remedy: "use the payment's currency, " + string(left.Currency())}
	}
	if less(left, asked) {
		return left, u.exceeds(verb, asked, left)
	}
	return asked, nil
}

// exceeds says what is left, and what of the rest may become available yet.
func (u *unit) exceeds(verb string, asked, left money.Amount) error {
	e, t := &ExceedsError{Verb: verb, Asked: asked, Available: left}, u.p.Totals
	switch verb {
	case "capture":
		e.Pending = sum(t.Captured.Pending, t.Voided.Pending)
	case "refund":
		e.Pending, e.Disputed = t.Refunded.Pending, sum(t.Disputed.Done, t.Disputed.Pending)
	case "transfer":
		e.Pending = sum(t.Transferred.Pending, t.Refunded.Pending)
	}
	return e
}

func (u *unit) refuse(verb, reason string) error {
	return &StateError{Verb: verb, PaymentID: u.p.ID, Status: u.p.Status, Reason: reason}
}

// modify is what all verbs on an existing payment share: claim the key, plan,
// commit, send, record.
func (c *Client) modify(ctx context.Context, bad problems, id, verb, key string, kp keyPrint, plan func(u *unit) error) (*Payment, error) {
	if c.store.Joined(ctx) {
		return nil, ErrInTransaction
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	kp.Verb, kp.Payment = verb, id
	print, err := c.fingerprint(kp)
	if err != nil {
		return nil, err
	}
	claim := Claim{Kind: ClaimKey, Key: verb + ":" + id + ":" + key, Owner: id, Payment: id, Fingerprint: print}
	out, mine, err := c.change(ctx, id, func(u *unit) error {
		if err := u.tx.Claim(u.ctx, claim); err != nil {
			return err
		}
		u.asked = key
		return plan(u)
	})
	var taken *TakenError
	if errors.As(err, &taken) {
		if !slices.Equal(taken.Claim.Fingerprint, print) {
			return nil, &KeyError{Key: key, PaymentID: id}
		}
		return c.Get(ctx, id)
	}
	if errors.Is(err, ErrCommitUnknown) {
		return nil, &RecordError{PaymentID: id, Err: err} // the worker sends what was written
	}
	if err != nil {
		return nil, named(err, "payment", id)
	}
	p, err := c.finish(c.drive(ctx, out, mine, false))
	if err != nil {
		return nil, err
	}
	return c.shown(ctx, p)
}

// askBefore asks the hooks of a stage before a modification is planned.
func (c *Client) askBefore(ctx context.Context, bad error, id string, s Stage, o *Operation) error {
	if bad != nil || !c.hasHooks(s) {
		return bad
	}
	if c.store.Joined(ctx) {
		return ErrInTransaction
	}
	p, err := c.load(ctx, id)
	if err != nil {
		return err
	}
	w, _ := c.wishOf(ctx, c.store, p) // erased: the hook sees no payer
	v, by := c.askHooks(ctx, HookRequest{Stage: s, Payment: p, Operation: o, Method: w.Method.instrument(), Payer: w.Payer, Now: c.now()})
	if v.Outcome >= StepUp { // nobody can be authenticated for it: a person decides outside
		return &StateError{Verb: string(o.Kind), PaymentID: id, Status: p.Status, Reason: by + " says " + v.Outcome.String() + ": " + truncate(v.Reason, 200)}
	}
	return nil
}
