package payment

import (
	"context"
	"errors"
	"fmt"

	"github.com/tender-go/payment/internal/httpx"
)

// call carries out one send of a step: it opens the stored request and asks the
// provider. It never runs inside a transaction.
func (c *Client) call(ctx context.Context, p *Payment, o *Operation, s *Step, known *order) (Result, error) {
	prov, ok := c.byName[o.Provider]
	if !ok {
		return Result{}, &CallError{Kind: KindNotSent, Provider: o.Provider, Step: s.Name, Code: "no_instance", Message: "no provider instance has this name: add it to Config.Providers"}
	}
	if known == nil {
		ord, err := c.storedOrder(ctx, p, o, s)
		if err != nil {
			return Result{}, notSent(o, s, "request", err.Error())
		}
		known = &ord
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.CallTimeout)
	defer cancel()
	res, err := guarded(o, s, func() (Result, error) { return dispatch(ctx, prov, *known) })
	return res, asCallError(err, o, s)
}

// storedOrder opens the request of a step as it was planned.
func (c *Client) storedOrder(ctx context.Context, p *Payment, o *Operation, s *Step) (order, error) {
	key := c.ordersKey
	if (o.Kind == OpAuthorize && !s.Fence) || o.Kind == OpRespond {
		var err error
		if key, err = c.keys.of(ctx, c.store, p.Subject); err != nil {
			return order{}, fmt.Errorf("the payer's key cannot be read: %w", err)
		}
	}
	plain, err := openWith(key, s.Request, orderPlace(s.ID))
	if err != nil {
		return order{}, err
	}
	ord, err := decodeOrder(plain)
	if err != nil {
		return order{}, errors.New("the stored request cannot be read")
	}
	return ord, nil
}

// notSent is an error of our own before anything was asked. On a step whose
// earlier send is in doubt it proves nothing, and record knows that.
func notSent(o *Operation, s *Step, code, message string) *CallError {
	return &CallError{Kind: KindNotSent, Provider: o.Provider, Step: s.Name, Code: code, Message: message}
}

// asCallError makes sure that what is not known to be harmless is unknown.
func asCallError(err error, o *Operation, s *Step) error {
	if err == nil {
		return nil
	}
	var ce *CallError
	if !errors.As(err, &ce) {
		ce = &CallError{Kind: KindUnknown, Message: httpx.ScrubError(err), Err: err}
	}
	out := *ce
	switch out.Kind {
	case KindNotSent, KindRejectedMerchant, KindRejectedRequest:
		if out.KeyConflict {
			out.Kind = KindUnknown // an earlier send arrived
		}
	default:
		out.Kind = KindUnknown
	}
	if out.Provider == "" {
		out.Provider = o.Provider
	}
	if out.Step == "" {
		out.Step = s.Name
	}
	out.Message = httpx.Scrub(out.Message)
	return &out
}

// guarded turns a panic of an adapter into an unknown outcome: the request may
// have left before it.
func guarded(o *Operation, s *Step, f func() (Result, error)) (Result, error) {
	var res Result
	err := httpx.Guard(func() (err error) {
		res, err = f()
		return err
	})
	var panicked *httpx.PanicError
	if errors.As(err, &panicked) {
		return Result{}, &CallError{Kind: KindUnknown, Provider: o.Provider, Step: s.Name, Code: "panic", Message: "the adapter panicked", Err: err}
	}
	return res, err
}

// dispatch hands the request to the interface that takes it. New has checked
// that the capabilities agree with the interfaces; a provider that shrank since
// is answered here, before anything is sent.
func dispatch(ctx context.Context, p Provider, o order) (Result, error) {
	missing := func(what string) (Result, error) {
		return Result{}, &CallError{Kind: KindNotSent, Code: "unsupported", Message: "the provider does not implement " + what}
	}
	switch {
	case o.Authorize != nil:
		return p.Authorize(ctx, *o.Authorize)
	case o.Resume != nil:
		if i, ok := p.(Resumer); ok {
			return i.Resume(ctx, *o.Resume)
		}
		return missing("Resumer")
	case o.Capture != nil:
		if i, ok := p.(Capturer); ok {
			return i.Capture(ctx, *o.Capture)
		}
		return missing("Capturer")
	case o.Void != nil:
		if i, ok := p.(Voider); ok {
			return i.Void(ctx, *o.Void)
		}
		return missing("Voider")
	case o.Refund != nil:
		if i, ok := p.(Refunder); ok {
			return i.Refund(ctx, *o.Refund)
		}
		return missing("Refunder")
	case o.Fence != nil:
		if i, ok := p.(Fencer); ok {
			return i.Fence(ctx, *o.Fence)
		}
		return missing("Fencer")
	case o.Transfer != nil:
		if i, ok := p.(Splitter); ok {
			return i.Transfer(ctx, *o.Transfer)
		}
		return missing("Splitter")
	case o.Respond != nil:
		if i, ok := p.(Disputer); ok {
			return i.Respond(ctx, *o.Respond)
		}
		return missing("Disputer")
	case o.Accept != nil:
		if i, ok := p.(Disputer); ok {
			return i.Accept(ctx, *o.Accept)
		}
		return missing("Disputer")
	}
	return missing("the stored request")
}

// lookup asks what became of a step. The error is a *CallError; whatever it is,
// a failed look-up proves nothing.
func (c *Client) lookup(ctx context.Context, p *Payment, o *Operation, s *Step) (Result, error) {
	l, ok := c.byName[o.Provider].(Lookuper)
	if !ok {
		return Result{}, notSent(o, s, "unsupported", "the provider cannot be asked")
	}
	root := rootOf(p, o)
	r := LookupRequest{
		Call:    Call{Step: s.Name, Key: s.ID, Operation: o.ID, Payment: p.ID, Reference: p.Reference, Data: mergedData(p, o), Now: s.CreatedAt},
		Kind:    o.Kind,
		StepRef: s.Ref,
		Since:   s.CreatedAt,
		Amount:  o.Amount,
		Method:  o.Method,
		Capture: o.Sale,
	}
	if root != nil {
		r.Ref = root.Ref
		if o.Kind == OpCapture {
			r.Before = p.collected(root)
			if o.State == StateApproved {
				r.Before = minus(r.Before, o.Approved)
			}
		}
	}
	if o.Kind != OpAuthorize && r.StepRef == "" {
		r.StepRef = o.Ref
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.CallTimeout)
	defer cancel()
	res, err := guarded(o, s, func() (Result, error) { return l.Lookup(ctx, r) })
	return res, asCallError(err, o, s)
}

func rootOf(p *Payment, o *Operation) *Operation {
	for i := 0; o != nil && i <= len(p.Operations); i++ {
		if o.Kind == OpAuthorize {
			return o
		}
		o = p.Operation(o.Target)
	}
	return nil
}

func mergedData(p *Payment, o *Operation) map[string]string {
	data := map[string]string{}
	for _, from := range []*Operation{rootOf(p, o), p.Operation(o.Target), o} {
		if from != nil {
			for k, v := range from.Data {
				data[k] = v
			}
		}
	}
	return data
}

// answer makes the event of a step's answer.
func answer(o *Operation, s *Step, source Source, res Result, err error) *Event {
	e := &Event{Source: source, Kind: o.Kind, Provider: o.Provider, StepKey: s.ID, OperationID: o.ID}
	if err != nil {
		var ce *CallError
		errors.As(err, &ce) // asCallError made it one
		e.Failure = Failure{Kind: ce.Kind, Code: ce.Code, Message: ce.Message}
		return e
	}
	e.fill(res)
	return e
}

// fill copies what a result says into the event.
func (e *Event) fill(r Result) {
	e.Status, e.Ref, e.Refs, e.Amount = r.Status, r.Ref, r.Refs, r.Amount
	e.Captured, e.Payable, e.Decline, e.Action = r.Captured, r.Payable, r.Decline, r.Action
	e.ExpiresAt, e.Card, e.ThreeDS, e.Fee, e.Data = r.ExpiresAt, r.Card, r.ThreeDS, r.Fee, r.Data
	e.Token, e.ProviderCustomer, e.At = r.Token, r.ProviderCustomer, r.At
	e.Decline.Message = httpx.Scrub(e.Decline.Message)
	switch e.Status {
	case ResultContinue, ResultApproved, ResultPending, ResultActionRequired, ResultDeclined,
		ResultCanceled, ResultExpired, ResultReversed, ResultAbsent:
	default: // an answer that cannot be read
		e.Failure = Failure{Kind: KindUnknown, Code: "unreadable", Message: "the provider's answer has no status that is known"}
		e.Status = ""
	}
	if e.Status == ResultDeclined && e.Decline.IsZero() {
		e.Decline = NewDecline(ReasonUnknown, "")
	}
}
