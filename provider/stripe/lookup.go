package stripe

import (
	"context"
	"time"

	stripego "github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

var noAmount money.Amount

const (
	pageSize = 100
	// maxPages bounds a listing: 100,000 objects.
	maxPages = 1000
	// skew is how far Stripe's clock may be behind ours.
	skew = 5 * time.Minute
)

// Lookup reads what became of a step: by the object's id, or by listing the
// objects made since r.Since and comparing the operation in their metadata.
func (p *Provider) Lookup(ctx context.Context, r payment.LookupRequest) (payment.Result, error) {
	switch r.Kind {
	case payment.OpAuthorize:
		return p.lookupAuthorize(ctx, r)
	case payment.OpCapture:
		return p.lookupCapture(ctx, r)
	case payment.OpVoid:
		return p.lookupVoid(ctx, r)
	case payment.OpRefund:
		return p.lookupRefund(ctx, r)
	case payment.OpTransfer:
		return p.lookupTransfer(ctx, r)
	case payment.OpSave:
		return p.lookupSave(ctx, r)
	case payment.OpRespond, payment.OpAccept:
		return p.lookupDispute(ctx, r)
	default:
		return payment.Result{}, p.notSent(r.Step, "Kind", "is not one that can be looked up")
	}
}

// intent reads a PaymentIntent with its charge.
func (p *Provider) intent(ctx context.Context, step, id string) (*intent, *failure) {
	in := &intent{}
	return in, p.get(ctx, step, "/v1/payment_intents/"+id, expandIntent(), in)
}

// before turns the failure of a read into one of the write that it came before:
// nothing was written.
func (f *failure) before() error {
	e := *f.call
	if e.Kind == payment.KindUnknown {
		e.Kind, e.Message, e.KeyConflict = payment.KindNotSent, "the state could not be read, so nothing was sent", false
	}
	return &e
}

// unseen is the failure of a look-up. What it was about stays as it is: a
// refusal to answer proves nothing of the step.
func (f *failure) unseen() error {
	e := *f.call
	return &e
}

func (p *Provider) lookupAuthorize(ctx context.Context, r payment.LookupRequest) (payment.Result, error) {
	ref := firstOf(r.StepRef, r.Ref)
	if ref == "" {
		found, err := p.findIntent(ctx, r)
		if err != nil || found == nil {
			return payment.Result{Status: payment.ResultAbsent}, err
		}
		ref = found.ID
	}
	if why := checkRef(ref, "pi_"); why != "" {
		return payment.Result{}, p.notSent(r.Step, "Ref", why)
	}
	in, f := p.intent(ctx, r.Step, ref)
	if f != nil {
		if f.missing() {
			return payment.Result{Status: payment.ResultAbsent}, nil
		}
		return payment.Result{}, f.unseen()
	}
	if why := in.check(ref, r.Amount); why != "" {
		return payment.Result{}, p.unreadable(r.Step, why)
	}
	if r.Step == stepProcess && in.Status == "requires_payment_method" && in.LastPaymentError == nil && in.Metadata[metaReader] != "" {
		return p.lookupReader(ctx, r, in)
	}
	res, err := p.result(in, view{step: r.Step, asked: r.Amount, lookup: true, handed: handedOut(in, r.Data)})
	if err != nil {
		return payment.Result{}, err
	}
	if ch := in.LatestCharge.Object; ch != nil && ch.AmountRefunded > 0 {
		more, err := p.refundsOf(ctx, r, ref)
		if err != nil {
			return payment.Result{}, err
		}
		res.Events = append(res.Events, more...)
	}
	if ch := in.LatestCharge.Object; ch != nil && ch.Disputed {
		more, err := p.disputesOf(ctx, r, ref)
		if err != nil {
			return payment.Result{}, err
		}
		res.Events = append(res.Events, more...)
	}
	return res, nil
}

// disputesOf lists the disputes over an intent.
func (p *Provider) disputesOf(ctx context.Context, r payment.LookupRequest, ref string) ([]payment.Event, error) {
	params := &stripego.DisputeListParams{PaymentIntent: &ref}
	params.Limit = stripego.Int64(pageSize)
	var page list[*dispute]
	if f := p.get(ctx, r.Step, "/v1/disputes", params, &page); f != nil {
		return nil, f.unseen()
	}
	var events []payment.Event
	for _, d := range page.Data {
		if e, ok := disputeEvent(d); ok && e.Parent == ref {
			events = append(events, e)
		}
	}
	return events, nil
}

// missing: Stripe has no object with that id.
func (f *failure) missing() bool {
	return f.status == 404 && f.api != nil && f.api.Code == "resource_missing"
}

// handedOut says whether the payer holds something to pay an intent with.
func handedOut(in *intent, data map[string]string) bool {
	return data[dataHanded] == "1" || in.Metadata[metaFlow] == flowPage
}

// lookupReader asks the reader whether it has the payment on its screen.
func (p *Provider) lookupReader(ctx context.Context, r payment.LookupRequest, in *intent) (payment.Result, error) {
	id := in.Metadata[metaReader]
	if why := checkRef(id, "tmr_"); why != "" {
		return payment.Result{}, p.unreadable(r.Step, "the intent names no reader")
	}
	rd := &reader{}
	if f := p.get(ctx, r.Step, "/v1/terminal/readers/"+id, nil, rd); f != nil {
		return payment.Result{}, f.unseen()
	}
	if rd.Action == nil || rd.Action.Process.PaymentIntent.ID != in.ID {
		return payment.Result{Status: payment.ResultAbsent}, nil
	}
	return p.atReader(rd, in.ID, r.Step)
}

// findIntent searches for the intent of an operation among those made since.
func (p *Provider) findIntent(ctx context.Context, r payment.LookupRequest) (*intent, error) {
	var found *intent
	params := &stripego.PaymentIntentListParams{CreatedRange: madeSince(r.Since)}
	err := page(ctx, p, r.Step, "/v1/payment_intents", params, &params.ListParams,
		func(in *intent) string { return in.ID },
		func(in *intent) bool {
			if ours(in.Metadata, r.Call) {
				found = in
			}
			return found != nil
		})
	return found, err
}

// ours reports whether an object carries the operation, or the very step.
func ours(meta map[string]string, c payment.Call) bool {
	return c.Operation != "" && meta[metaOperation] == c.Operation || c.Key != "" && meta[metaStep] == c.Key
}

func madeSince(t time.Time) *stripego.RangeQueryParams {
	if t.IsZero() {
		return nil
	}
	return &stripego.RangeQueryParams{GreaterThanOrEqual: t.Add(-skew).Unix()}
}

// page walks a list until visit returns true. Params must hold lp.
func page[T any](ctx context.Context, p *Provider, step, path string, params any, lp *stripego.ListParams, id func(*T) string, visit func(*T) bool) error {
	lp.Limit = stripego.Int64(pageSize)
	for range maxPages {
		var l list[T]
		if f := p.get(ctx, step, path, params, &l); f != nil {
			return f.unseen()
		}
		if l.Object != "list" {
			return p.unreadable(step, "the answer is no list")
		}
		for i := range l.Data {
			if visit(&l.Data[i]) {
				return nil
			}
		}
		if !l.HasMore {
			return nil
		}
		if len(l.Data) == 0 {
			return p.unreadable(step, "the list promises more and holds nothing")
		}
		last := id(&l.Data[len(l.Data)-1])
		if last == "" || (lp.StartingAfter != nil && *lp.StartingAfter == last) {
			return p.unreadable(step, "the list does not go on")
		}
		lp.StartingAfter = &last
	}
	return p.unreadable(step, "the list is longer than 100,000 objects")
}

// lookupCapture tells a capture by the mark it left on the intent, and where
// another has taken its place by the sum.
func (p *Provider) lookupCapture(ctx context.Context, r payment.LookupRequest) (payment.Result, error) {
	in, err := p.modified(ctx, r)
	if err != nil {
		return payment.Result{}, err
	}
	_, _, received, err := in.amounts()
	if err != nil {
		return payment.Result{}, p.unreadable(r.Step, "an amount of the answer is not one of its currency")
	}
	before := r.Before
	if before.Currency() == "" {
		before = money.Zero(r.Amount.Currency())
	}
	want, err := before.Add(r.Amount)
	if err != nil {
		return payment.Result{}, p.notSent(r.Step, "Before", err.Error())
	}
	mark := in.Metadata[captureMark(r.Key)]
	switch {
	case mark == r.Key && received.IsPositive(), received == want:
		out := payment.Result{Status: payment.ResultApproved, Captured: true, Data: map[string]string{}}
		in.describe(&out)
		out.Amount, out.ExpiresAt = r.Amount, time.Time{}
		return out, nil
	case in.Status == "processing":
		return payment.Result{Status: payment.ResultPending}, nil
	case mark != "" && received.Minor() > before.Minor():
		// A later capture took the place of the mark, and the sum fits neither.
		return payment.Result{}, p.unreadable(r.Step, "the intent does not tell whether this capture is among those that were made: compare the charge in Stripe's dashboard")
	}
	out := payment.Result{Status: payment.ResultAbsent}
	// Another capture, in the dashboard perhaps, or the end of the hold.
	whole, err := p.result(in, view{step: r.Step, lookup: true})
	if err != nil {
		return payment.Result{}, err
	}
	if received.Minor() > before.Minor() {
		out.Events = append(out.Events, whole.Events...)
	}
	if in.Status == "canceled" {
		out.Events = append(out.Events, event(whole))
	}
	return out, nil
}

func (p *Provider) lookupVoid(ctx context.Context, r payment.LookupRequest) (payment.Result, error) {
	in, err := p.modified(ctx, r)
	if err != nil {
		return payment.Result{}, err
	}
	switch in.Status {
	case "canceled":
		return payment.Result{Status: payment.ResultApproved, At: unix(in.CanceledAt)}, nil
	case "processing":
		return payment.Result{Status: payment.ResultPending}, nil
	case "succeeded":
		// Released after a partial capture, or captured whole.
		if in.AmountReceived < in.Amount {
			return payment.Result{Status: payment.ResultApproved}, nil
		}
		whole, err := p.result(in, view{step: r.Step, lookup: true})
		return payment.Result{Status: payment.ResultAbsent, Events: whole.Events}, err
	}
	return payment.Result{Status: payment.ResultAbsent}, nil
}

// modified reads the intent that a capture or void acted on.
func (p *Provider) modified(ctx context.Context, r payment.LookupRequest) (*intent, error) {
	if why := checkRef(r.Ref, "pi_"); why != "" {
		return nil, p.notSent(r.Step, "Ref", why)
	}
	in, f := p.intent(ctx, r.Step, r.Ref)
	if f != nil {
		return nil, f.unseen()
	}
	if why := in.check(r.Ref, r.Amount); why != "" {
		return nil, p.unreadable(r.Step, why)
	}
	return in, nil
}

func (p *Provider) lookupRefund(ctx context.Context, r payment.LookupRequest) (payment.Result, error) {
	if r.StepRef != "" {
		if checkRef(r.StepRef, "re_") != "" && checkRef(r.StepRef, "pyr_") != "" {
			return payment.Result{}, p.notSent(r.Step, "StepRef", "is not the id of a refund")
		}
		re := &refund{}
		if f := p.get(ctx, r.Step, "/v1/refunds/"+r.StepRef, nil, re); f != nil {
			if f.missing() {
				return payment.Result{Status: payment.ResultAbsent}, nil
			}
			return payment.Result{}, f.unseen()
		}
		if re.ID != r.StepRef {
			return payment.Result{}, p.unreadable(r.Step, "the answer names another refund than the one asked about")
		}
		return p.refunded(re, r.Step, r.Amount)
	}
	if why := checkRef(r.Ref, "pi_"); why != "" {
		return payment.Result{}, p.notSent(r.Step, "Ref", why)
	}
	var found *refund
	err := p.eachRefund(ctx, r.Step, r.Ref, func(re *refund) bool {
		if ours(re.Metadata, r.Call) {
			found = re
		}
		return found != nil
	})
	if err != nil || found == nil {
		return payment.Result{Status: payment.ResultAbsent}, err
	}
	return p.refunded(found, r.Step, r.Amount)
}

func (p *Provider) eachRefund(ctx context.Context, step, ref string, visit func(*refund) bool) error {
	params := &stripego.RefundListParams{PaymentIntent: &ref}
	return page(ctx, p, step, "/v1/refunds", params, &params.ListParams, func(re *refund) string { return re.ID }, visit)
}

// refundsOf reports every refund of an intent, those made in the dashboard too.
func (p *Provider) refundsOf(ctx context.Context, r payment.LookupRequest, ref string) ([]payment.Event, error) {
	var out []payment.Event
	err := p.eachRefund(ctx, r.Step, ref, func(re *refund) bool {
		if e, ok := refundEvent(re, ref); ok {
			out = append(out, e)
		}
		return false
	})
	return out, err
}

// refundEvent is the fact of a refund; ok is false if it cannot be read.
func refundEvent(re *refund, parent string) (payment.Event, bool) {
	a, err := amountOf(re.Amount, re.Currency)
	status, decline := refundStatus(re)
	if err != nil || status == "" || ident(re.ID) == "" {
		return payment.Event{}, false
	}
	return payment.Event{
		Kind: payment.OpRefund, Status: status, Decline: decline, Ref: re.ID, Parent: parent, Amount: a,
		OperationID: ident(re.Metadata[metaOperation]), StepKey: ident(re.Metadata[metaStep]), At: unix(re.Created),
	}, true
}
