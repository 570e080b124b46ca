package stripe

import (
	"context"
	"strings"

	stripego "github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/httpx"
)

// Save keeps a card for later payments, with a SetupIntent. With a token it is
// confirmed at once; without one the answer is an action, and the payer types
// the card into Stripe's element. A payer who has no customer at Stripe gets one
// first (see the package comment).
func (p *Provider) Save(ctx context.Context, r payment.SaveRequest) (payment.Result, error) {
	if err := p.keyed(r.Call); err != nil {
		return payment.Result{}, err
	}
	token := r.Method.Token.Reveal()
	switch {
	case !served(r.Method.Method) || stripeType(r.Method.Method) != "card":
		return payment.Result{}, p.notSent(r.Step, "Method", "cannot be kept: only cards, Apple Pay and Google Pay can")
	case strings.HasPrefix(token, "tok_"):
		return payment.Result{}, p.notSent(r.Step, "Method.Token", "is a one-time token: use a PaymentMethod (pm_...) or a confirmation token (ctoken_...)")
	case token != "" && !validToken(token):
		return payment.Result{}, p.notSent(r.Step, "Method.Token", "is not a token of Stripe: use one that starts with pm_ or ctoken_")
	}
	owner := r.ProviderCustomer
	if owner == "" {
		var err error
		if owner, err = p.newCustomer(ctx, r.Call, r.Customer, r.Payer); err != nil {
			return payment.Result{}, err
		}
	}
	kind := "card"
	params := &stripego.SetupIntentParams{
		Customer: &owner, PaymentMethodTypes: []*string{&kind}, Usage: stripego.String("off_session"), Metadata: p.metadata(r.Call, nil),
	}
	if three := threeDS(r.ThreeDS); three != "" && r.Method.Method != payment.MethodApplePay {
		params.PaymentMethodOptions = &stripego.SetupIntentPaymentMethodOptionsParams{
			Card: &stripego.SetupIntentPaymentMethodOptionsCardParams{RequestThreeDSecure: &three},
		}
	}
	if token == "" {
		params.Metadata[metaFlow] = flowPage
	} else {
		params.Metadata[metaFlow] = flowServer
		params.Confirm = stripego.Bool(true)
		params.ReturnURL = text(r.ReturnURL)
		if p.stripeJS || r.ReturnURL == "" {
			params.UseStripeSDK = stripego.Bool(true)
		}
		if strings.HasPrefix(token, "ctoken_") {
			params.ConfirmationToken = &token
		} else {
			params.PaymentMethod = &token
		}
	}
	params.AddExpand("payment_method")

	si := &setupIntent{}
	kept, f := p.post(ctx, r.Step, "/v1/setup_intents", r.Key, params, si)
	if f != nil {
		d, ok := f.decline()
		if !ok {
			return payment.Result{}, f.call
		}
		res := payment.Result{Status: payment.ResultDeclined, Decline: d, ProviderCustomer: owner}
		if f.api.SetupIntent != nil {
			res.Ref = word(f.api.SetupIntent.ID, 255)
		}
		return res, nil
	}
	if kept && checkRef(si.ID, "seti_") == "" {
		now := &setupIntent{}
		if f := p.get(ctx, r.Step, "/v1/setup_intents/"+si.ID, expandSetup(), now); f == nil && now.ID == si.ID {
			si = now
		}
	}
	return p.setUp(si, r.Step)
}

func expandSetup() *stripego.SetupIntentParams {
	params := &stripego.SetupIntentParams{}
	params.AddExpand("payment_method")
	return params
}

// setUp says what a SetupIntent means.
func (p *Provider) setUp(si *setupIntent, step string) (payment.Result, error) {
	if checkRef(si.ID, "seti_") != "" {
		return payment.Result{}, p.unreadable(step, "the answer names no SetupIntent")
	}
	r := payment.Result{Ref: si.ID, ProviderCustomer: ident(si.Customer.ID), At: unix(si.Created)}
	if m := si.PaymentMethod.Object; m != nil {
		r.Card = m.V.info()
	}
	switch si.Status {
	case "succeeded":
		if si.PaymentMethod.ID == "" {
			return payment.Result{}, p.unreadable(step, "the answer lacks the saved method")
		}
		r.Status, r.Token = payment.ResultApproved, payment.NewSecret(si.PaymentMethod.ID)
	case "requires_payment_method":
		if si.LastSetupError != nil {
			r.Status, r.Decline = payment.ResultDeclined, si.LastSetupError.refusal()
			break
		}
		fallthrough
	case "requires_confirmation", "requires_action":
		a, why := p.action(si.NextAction, si.ClientSecret, []string{"card"}, "")
		if a == nil {
			return payment.Result{}, p.unreadable(step, why)
		}
		r.Status, r.Action = payment.ResultActionRequired, a
	case "processing":
		r.Status = payment.ResultPending
	case "canceled":
		r.Status = payment.ResultCanceled
	default:
		return payment.Result{}, p.unreadable(step, "the SetupIntent has a status that is not known")
	}
	return r, nil
}

// newCustomer makes the payer's customer at Stripe. It moves no money, and its
// key follows from the step's, so that a replay finds the same one.
func (p *Provider) newCustomer(ctx context.Context, c payment.Call, shopID string, payer payment.Payer) (string, error) {
	params := &stripego.CustomerParams{
		Name: text(payer.Name), Email: text(payer.Email), Metadata: p.metadata(c, nil),
	}
	if shopID != "" {
		params.Metadata["tender_customer"] = cut(shopID, 500)
	}
	made := &customer{}
	if _, f := p.post(ctx, c.Step, "/v1/customers", c.Key+"c", params, made); f != nil {
		return "", f.aside("the customer")
	}
	if why := checkRef(made.ID, "cus_"); why != "" {
		return "", p.unreadable(c.Step, "the answer names no customer")
	}
	return made.ID, nil
}

// aside is the failure of a write beside the step's own, which was not sent. It
// stays what it is: unknown is unknown, because a replay finds out.
func (f *failure) aside(what string) error {
	e := *f.call
	e.Message = what + " could not be made first: " + e.Message
	return &e
}

func (p *Provider) lookupSave(ctx context.Context, r payment.LookupRequest) (payment.Result, error) {
	ref := firstOf(r.StepRef, r.Ref)
	if ref == "" {
		var found *setupIntent
		params := &stripego.SetupIntentListParams{CreatedRange: madeSince(r.Since)}
		err := page(ctx, p, r.Step, "/v1/setup_intents", params, &params.ListParams,
			func(si *setupIntent) string { return si.ID },
			func(si *setupIntent) bool {
				if ours(si.Metadata, r.Call) {
					found = si
				}
				return found != nil
			})
		if err != nil || found == nil {
			return payment.Result{Status: payment.ResultAbsent}, err
		}
		ref = found.ID
	}
	if why := checkRef(ref, "seti_"); why != "" {
		return payment.Result{}, p.notSent(r.Step, "Ref", why)
	}
	si := &setupIntent{}
	if f := p.get(ctx, r.Step, "/v1/setup_intents/"+ref, expandSetup(), si); f != nil {
		if f.missing() {
			return payment.Result{Status: payment.ResultAbsent}, nil
		}
		return payment.Result{}, f.unseen()
	}
	if si.ID != ref {
		return payment.Result{}, p.unreadable(r.Step, "the answer names another SetupIntent than the one asked about")
	}
	return p.setUp(si, r.Step)
}

// Forget detaches the saved method from its customer: it can never be charged
// again. One that Stripe does not know, or that is detached already, is
// approved.
func (p *Provider) Forget(ctx context.Context, r payment.ForgetRequest) (payment.Result, error) {
	if err := p.keyed(r.Call); err != nil {
		return payment.Result{}, err
	}
	token := r.Token.Reveal()
	if httpx.CheckID("token", token) != nil || !strings.HasPrefix(token, "pm_") && !strings.HasPrefix(token, "card_") && !strings.HasPrefix(token, "src_") {
		return payment.Result{}, p.notSent(r.Step, "Token", "is not a saved method of Stripe (pm_...)")
	}
	_, f := p.post(ctx, r.Step, "/v1/payment_methods/"+token+"/detach", r.Key, &stripego.PaymentMethodDetachParams{}, &cardHolding{})
	switch {
	case f == nil, f.missing():
		return payment.Result{Status: payment.ResultApproved}, nil
	case f.call.Kind != payment.KindRejectedRequest:
		return payment.Result{}, f.call
	}
	// Refused: most likely it is attached to nobody, which the method itself says.
	m := &cardHolding{}
	rf := p.get(ctx, r.Step, "/v1/payment_methods/"+token, nil, m)
	if rf != nil && rf.missing() || rf == nil && m.ID == token && m.Customer.ID == "" {
		return payment.Result{Status: payment.ResultApproved}, nil
	}
	return payment.Result{}, f.call
}
