package stripe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	stripego "github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// Capture takes an authorization's money, or a part of it. Without
// Config.MultiCapture, or with r.Final, Stripe releases the rest. The capture
// has no object of its own: Result.Ref is "".
func (p *Provider) Capture(ctx context.Context, r payment.CaptureRequest) (payment.Result, error) {
	if err := p.keyed(r.Call); err != nil {
		return payment.Result{}, err
	}
	if why := checkRef(r.Ref, "pi_"); why != "" {
		return payment.Result{}, p.notSent(r.Step, "Ref", why)
	}
	n, err := units.ToUnits(r.Amount)
	if err != nil {
		return payment.Result{}, p.notSent(r.Step, "Amount", err.Error())
	}
	if n <= 0 {
		// Zero would release the authorization: that is Void's.
		return payment.Result{}, p.notSent(r.Step, "Amount", "is not more than zero")
	}
	params := &stripego.PaymentIntentCaptureParams{AmountToCapture: &n}
	// The mark proves later that this very step happened; the intent itself
	// knows only the sum of its captures.
	params.AddMetadata(captureMark(r.Key), r.Key)
	if p.multi && !r.Final {
		more, err := p.mayGoOn(ctx, r, n)
		if err != nil {
			return payment.Result{}, err
		}
		if more {
			params.FinalCapture = stripego.Bool(false)
		}
	}
	if to, keeps, serr := p.share(r.Step, r.Amount, r.Splits); serr != nil {
		return payment.Result{}, serr
	} else if to != "" {
		fee, ferr := units.ToUnits(keeps)
		if ferr != nil {
			return payment.Result{}, p.notSent(r.Step, "Splits", ferr.Error())
		}
		params.ApplicationFeeAmount = &fee
	}
	params.AddExpand("latest_charge.balance_transaction")

	in := &intent{}
	if _, f := p.post(ctx, r.Step, "/v1/payment_intents/"+r.Ref+"/capture", r.Key, params, in); f != nil {
		return p.captureRefused(f, r)
	}
	if why := in.check(r.Ref, r.Amount); why != "" {
		return payment.Result{}, p.unreadable(r.Step, why)
	}
	_, _, received, err := in.amounts()
	if err != nil {
		return payment.Result{}, p.unreadable(r.Step, "an amount of the answer is not one of its currency")
	}
	if in.Status != "succeeded" && in.Status != "requires_capture" {
		return payment.Result{}, p.unreadable(r.Step, "the intent is neither captured nor held after its capture")
	}
	res := payment.Result{Status: payment.ResultApproved, Captured: true, Data: map[string]string{}}
	in.describe(&res)
	res.ExpiresAt = unix(0)
	if !p.multi && r.Data[dataMulti] != "available" {
		// One capture is all there is, so the sum is this one.
		if received != r.Amount {
			return payment.Result{}, p.unreadable(r.Step, "the answer names another amount than the one to capture")
		}
		res.Amount = received
	} else if received.Minor() < r.Amount.Minor() {
		return payment.Result{}, p.unreadable(r.Step, "less was received in all than this capture asked for")
	}
	return res, nil
}

// captureMark is the metadata entry in which a capture leaves its step's key.
// There may be 50 captures, and Stripe takes 50 entries in all, of up to 40
// characters (docs.stripe.com/metadata), so sixteen entries are shared: one that
// is empty proves that the step did not capture, one that holds another key
// proves nothing.
func captureMark(key string) string {
	sum := sha256.Sum256([]byte(key))
	return metaCapture + hex.EncodeToString(sum[:1])[:1]
}

// mayGoOn reports whether a capture that is not the last may leave the rest
// held. A card that allows only one capture would lose its rest in silence: then
// only the whole may be captured.
func (p *Provider) mayGoOn(ctx context.Context, r payment.CaptureRequest, n int64) (bool, error) {
	if r.Data[dataMulti] == "available" {
		return true, nil
	}
	// Unknown, where the authorization was learned by a webhook.
	in, f := p.intent(ctx, r.Step, r.Ref)
	switch {
	case f != nil:
		return false, f.before()
	case in.check(r.Ref, r.Amount) != "":
		return false, p.notSent(r.Step, "Ref", "could not be read before the capture")
	case in.multi():
		return true, nil
	case in.Status == "requires_capture" && n < in.AmountCapturable:
		return false, p.notSent(r.Step, "Final", "is not set, and this card can be captured only once: capture all that is due now with Final, the rest is released")
	}
	return false, nil
}

// multi reports whether the card allows several captures.
func (in *intent) multi() bool {
	ch := in.LatestCharge.Object
	if ch == nil {
		return false
	}
	c := ch.Details.V.card()
	return c != nil && c.Multicapture != nil && c.Multicapture.Status == "available"
}

// captureRefused reads why a capture did not happen. An authorization that has
// ended is a refusal for good.
func (p *Provider) captureRefused(f *failure, r payment.CaptureRequest) (payment.Result, error) {
	if d, ok := f.decline(); ok {
		return payment.Result{Status: payment.ResultDeclined, Decline: d}, nil
	}
	if !f.refused() {
		return payment.Result{}, f.call
	}
	in := f.api.PaymentIntent
	if in == nil || in.check(r.Ref, r.Amount) != "" || in.Status != "canceled" {
		return payment.Result{}, f.call
	}
	status := payment.ResultCanceled
	if in.expired() {
		status = payment.ResultExpired
	}
	return payment.Result{
		Status: payment.ResultDeclined, Decline: payment.NewDecline(payment.ReasonAuthorizationExpired, f.api.Code),
		Events: []payment.Event{{Kind: payment.OpAuthorize, Status: status, Ref: in.ID, At: unix(in.CanceledAt)}},
	}, nil
}

// Void releases what is left of an authorization. An intent that was captured in
// part is ended by a final capture of nothing, as Stripe has it; another one is
// canceled. One that is canceled already is approved.
func (p *Provider) Void(ctx context.Context, r payment.VoidRequest) (payment.Result, error) {
	if err := p.keyed(r.Call); err != nil {
		return payment.Result{}, err
	}
	if why := checkRef(r.Ref, "pi_"); why != "" {
		return payment.Result{}, p.notSent(r.Step, "Ref", why)
	}
	if p.multi || r.Data[dataMulti] == "available" {
		in, f := p.intent(ctx, r.Step, r.Ref)
		switch {
		case f != nil:
			return payment.Result{}, f.before()
		case in.check(r.Ref, r.Amount) != "":
			return payment.Result{}, p.notSent(r.Step, "Ref", "could not be read before the void")
		case in.Status == "requires_capture" && in.AmountReceived > 0:
			return p.release(ctx, r)
		}
	}
	res, f, err := p.cancel(ctx, r.Step, r.Key, r.Ref)
	if f != nil {
		return payment.Result{}, f.call
	}
	return res, err
}

// release ends an authorization that was captured in part.
// Source: docs.stripe.com/payments/multicapture, "Release uncaptured funds".
func (p *Provider) release(ctx context.Context, r payment.VoidRequest) (payment.Result, error) {
	params := &stripego.PaymentIntentCaptureParams{AmountToCapture: stripego.Int64(0), FinalCapture: stripego.Bool(true)}
	in := &intent{}
	if _, f := p.post(ctx, r.Step, "/v1/payment_intents/"+r.Ref+"/capture", r.Key, params, in); f != nil {
		return payment.Result{}, f.call
	}
	if why := in.check(r.Ref, r.Amount); why != "" {
		return payment.Result{}, p.unreadable(r.Step, why)
	}
	if in.Status != "succeeded" {
		return payment.Result{}, p.unreadable(r.Step, "the intent is still held after its release")
	}
	return payment.Result{Status: payment.ResultApproved}, nil
}

// Fence cancels the intent so that it cannot be paid any more. If it is paid
// already the answer is declined, with the fact in Result.Events; while Stripe
// works on it the answer is pending.
func (p *Provider) Fence(ctx context.Context, r payment.FenceRequest) (payment.Result, error) {
	if err := p.keyed(r.Call); err != nil {
		return payment.Result{}, err
	}
	if why := checkRef(r.Ref, "pi_"); why != "" {
		return payment.Result{}, p.notSent(r.Step, "Ref", why)
	}
	// A refusal is kept under the key for a day, so what can be known is asked
	// before the key is spent.
	in, f := p.intent(ctx, r.Step, r.Ref)
	if f != nil {
		return payment.Result{}, f.before()
	}
	if why := in.check(r.Ref, r.Amount); why != "" {
		return payment.Result{}, p.notSent(r.Step, "Ref", "could not be read before the fence: "+why)
	}
	if res, done, err := p.ended(in, r.Step); done {
		return res, err
	}
	if err := p.clearReader(ctx, r.Call, in); err != nil {
		return payment.Result{}, err
	}
	res, f, err := p.cancel(ctx, r.Step, r.Key, r.Ref)
	if f != nil {
		return payment.Result{}, f.call
	}
	return res, err
}

// clearReader takes an intent off the screen of its reader, where it still is:
// Stripe cancels no intent that a reader works on. What else a reader does is
// left alone.
func (p *Provider) clearReader(ctx context.Context, c payment.Call, in *intent) error {
	id := in.Metadata[metaReader]
	if checkRef(id, "tmr_") != "" {
		return nil
	}
	rd := &reader{}
	if f := p.get(ctx, c.Step, "/v1/terminal/readers/"+id, nil, rd); f != nil {
		if f.missing() {
			return nil
		}
		return f.before()
	}
	if rd.Action == nil || rd.Action.Status != "in_progress" || rd.Action.Process.PaymentIntent.ID != in.ID {
		return nil
	}
	if _, f := p.post(ctx, c.Step, "/v1/terminal/readers/"+id+"/cancel_action", c.Key+"r", &stripego.TerminalReaderCancelActionParams{}, rd); f != nil {
		return f.aside("the end of the reader's action")
	}
	return nil
}

// cancel cancels an intent. When Stripe refuses, the intent itself says why. A
// refusal that was kept under the key although the intent can be canceled by
// now is overcome with a second key, also derived: canceling twice is harmless.
func (p *Provider) cancel(ctx context.Context, step, key, ref string) (payment.Result, *failure, error) {
	res, f, again, err := p.cancelOnce(ctx, step, key, ref)
	if again {
		res, f, _, err = p.cancelOnce(ctx, step, key+"x", ref)
	}
	return res, f, err
}

// cancelOnce sends one cancellation. again says that it was refused although the
// intent is open.
func (p *Provider) cancelOnce(ctx context.Context, step, key, ref string) (res payment.Result, f *failure, again bool, err error) {
	in := &intent{}
	if _, f = p.post(ctx, step, "/v1/payment_intents/"+ref+"/cancel", key, &stripego.PaymentIntentCancelParams{}, in); f != nil {
		if f.call.Kind != payment.KindRejectedRequest {
			return res, f, false, nil
		}
		now, rf := p.intent(ctx, step, ref)
		if rf != nil || now.check(ref, noAmount) != "" {
			return res, f, false, nil
		}
		if res, done, err := p.ended(now, step); done {
			return res, nil, false, err
		}
		return res, f, true, nil
	}
	if why := in.check(ref, noAmount); why != "" {
		return res, nil, false, p.unreadable(step, why)
	}
	res, done, err := p.ended(in, step)
	if !done {
		err = p.unreadable(step, "the intent is open after its cancellation")
	}
	return res, nil, false, err
}

// ended reports whether an intent can no longer be canceled or need not be, and
// what that comes to.
func (p *Provider) ended(in *intent, step string) (payment.Result, bool, error) {
	switch in.Status {
	case "canceled":
		return payment.Result{Status: payment.ResultApproved, Ref: in.ID, At: unix(in.CanceledAt)}, true, nil
	case "processing":
		return payment.Result{Status: payment.ResultPending, Ref: in.ID}, true, nil
	case "succeeded":
		paid, err := p.result(in, view{step: step, lookup: true})
		if err != nil {
			return payment.Result{}, true, err
		}
		d := payment.NewDecline(payment.ReasonUnknown, "payment_intent_unexpected_state")
		d.Message = "the payment has been collected"
		return payment.Result{Status: payment.ResultDeclined, Ref: in.ID, Decline: d, Events: append([]payment.Event{event(paid)}, paid.Events...)}, true, nil
	}
	return payment.Result{}, false, nil
}

// event is the fact of a result about its authorize operation.
func event(r payment.Result) payment.Event {
	return payment.Event{
		Kind: payment.OpAuthorize, Status: r.Status, Ref: r.Ref, Refs: r.Refs, Amount: r.Amount, Captured: r.Captured,
		Payable: r.Payable, Decline: r.Decline, Action: r.Action, ExpiresAt: r.ExpiresAt, Card: r.Card, ThreeDS: r.ThreeDS,
		Fee: r.Fee, Data: r.Data, Token: r.Token, ProviderCustomer: r.ProviderCustomer, At: r.At,
	}
}

// Refund gives money back. Where the payment was a destination charge, the part
// of the other party comes back from it in proportion, and the application fee
// likewise.
func (p *Provider) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	if err := p.keyed(r.Call); err != nil {
		return payment.Result{}, err
	}
	if why := checkRef(r.Ref, "pi_"); why != "" {
		return payment.Result{}, p.notSent(r.Step, "Ref", why)
	}
	n, err := units.ToUnits(r.Amount)
	if err != nil {
		return payment.Result{}, p.notSent(r.Step, "Amount", err.Error())
	}
	if n <= 0 {
		return payment.Result{}, p.notSent(r.Step, "Amount", "is not more than zero")
	}
	params := &stripego.RefundParams{PaymentIntent: &r.Ref, Amount: &n, Metadata: p.metadata(r.Call, nil)}
	// Stripe takes three reasons and no words of the shop's.
	switch r.Reason {
	case "duplicate", "fraudulent", "requested_by_customer":
		params.Reason = &r.Reason
	}
	if r.Data[dataDestination] != "" {
		params.ReverseTransfer = stripego.Bool(true)
	}
	if r.Data[dataFee] == "1" {
		params.RefundApplicationFee = stripego.Bool(true)
	}
	re := &refund{}
	if _, f := p.post(ctx, r.Step, "/v1/refunds", r.Key, params, re); f != nil {
		if d, ok := f.decline(); ok {
			return payment.Result{Status: payment.ResultDeclined, Decline: d}, nil
		}
		return payment.Result{}, f.call
	}
	res, err := p.refunded(re, r.Step, r.Amount)
	if err == nil && res.Amount != r.Amount {
		return payment.Result{}, p.unreadable(r.Step, "the answer names another amount than the one to refund")
	}
	return res, err
}

// refunded says what a refund means.
func (p *Provider) refunded(re *refund, step string, asked money.Amount) (payment.Result, error) {
	if checkRef(re.ID, "re_") != "" && checkRef(re.ID, "pyr_") != "" {
		return payment.Result{}, p.unreadable(step, "the answer names no refund")
	}
	a, err := amountOf(re.Amount, re.Currency)
	if err != nil || (asked.Currency() != "" && a.Currency() != asked.Currency()) {
		return payment.Result{}, p.unreadable(step, "the amount of the answer is not one of the payment's currency")
	}
	r := payment.Result{Ref: re.ID, Amount: a, At: unix(re.Created)}
	if r.Status, r.Decline = refundStatus(re); r.Status == "" {
		return payment.Result{}, p.unreadable(step, "the refund has a status that is not known")
	}
	return r, nil
}

// refundStatus maps a refund's status. Source: docs.stripe.com/api/refunds.
func refundStatus(re *refund) (payment.ResultStatus, payment.Decline) {
	switch re.Status {
	case "succeeded":
		return payment.ResultApproved, payment.Decline{}
	case "pending", "requires_action":
		return payment.ResultPending, payment.Decline{}
	case "failed":
		return payment.ResultDeclined, refundDecline(re)
	case "canceled":
		return payment.ResultCanceled, payment.Decline{}
	}
	return "", payment.Decline{}
}

func refundDecline(re *refund) payment.Decline {
	// insufficient_funds here speaks of the shop's balance, not the payer's.
	if re.FailureReason == "insufficient_funds" {
		return payment.NewDecline(payment.ReasonMerchantBalance, re.FailureReason)
	}
	if d := DeclineFor(re.FailureReason); !d.IsZero() {
		if d.Reason == payment.ReasonLostCard || d.Reason == payment.ReasonStolenCard {
			return payment.NewDecline(payment.ReasonRefundDestination, re.FailureReason)
		}
		return d
	}
	return payment.NewDecline(payment.ReasonUnknown, "")
}
