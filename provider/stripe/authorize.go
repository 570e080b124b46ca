package stripe

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	stripego "github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/httpx"
)

// Authorize carries out one step of a payment: "create" makes the
// PaymentIntent, "confirm" charges or authorizes it with the payer's token, and
// "process" hands it to a terminal reader. See the package comment.
func (p *Provider) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	if err := p.keyed(r.Call); err != nil {
		return payment.Result{}, err
	}
	if !served(r.Method.Method) {
		return payment.Result{}, p.notSent(r.Step, "Method", "is not one that Stripe carries")
	}
	switch r.Step {
	case stepCreate:
		return p.create(ctx, r)
	case stepConfirm:
		return p.confirm(ctx, r)
	case stepProcess:
		return p.process(ctx, r)
	}
	return payment.Result{}, p.notSent(r.Step, "Step", "is not a step of this adapter: create, confirm or process")
}

// flowOf says how an intent will be paid.
func flowOf(r payment.AuthorizeRequest) string {
	switch kind := stripeType(r.Method.Method); {
	case kind == "card_present" && r.Method.Fields["reader"] != "":
		return flowReader
	case kind == "card_present", kind == "card" && r.Method.Token.IsZero():
		return flowPage
	case r.OffSession:
		return flowUnattended
	}
	return flowServer
}

func (p *Provider) create(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	n, bad := p.checkUnits(r.Step, r.Amount)
	if bad != nil {
		return payment.Result{}, bad
	}
	if err := p.checkAuthorize(r); err != nil {
		return payment.Result{}, err
	}
	kind, flow := stripeType(r.Method.Method), flowOf(r)
	params := &stripego.PaymentIntentParams{
		Amount:             stripego.Int64(n),
		Currency:           stripego.String(code(r.Amount.Currency())),
		CaptureMethod:      stripego.String(string(captureMethod(r.Capture))),
		PaymentMethodTypes: []*string{stripego.String(kind)},
		Description:        text(cut(r.Description, 1000)),
		Shipping:           shipping(r.Payer),
	}
	if err := p.split(r, params); err != nil {
		return payment.Result{}, err
	}
	if label := descriptor(orElse(r.Descriptor, p.descriptor)); label != "" {
		// A card's statement starts with the account's own prefix.
		if kind == "card" || kind == "card_present" {
			params.StatementDescriptorSuffix = &label
		} else {
			params.StatementDescriptor = &label
		}
	}
	if kind == "card" && !r.Capture && p.multi {
		params.PaymentMethodOptions = &stripego.PaymentIntentPaymentMethodOptionsParams{
			Card: &stripego.PaymentIntentPaymentMethodOptionsCardParams{RequestMulticapture: stripego.String("if_available")},
		}
	}
	if flow == flowPage && kind == "card" {
		// The page confirms: what confirm would say goes in here.
		if three := threeDS(r.ThreeDS); three != "" {
			if params.PaymentMethodOptions == nil {
				params.PaymentMethodOptions = &stripego.PaymentIntentPaymentMethodOptionsParams{Card: &stripego.PaymentIntentPaymentMethodOptionsCardParams{}}
			}
			params.PaymentMethodOptions.Card.RequestThreeDSecure = &three
		}
	}
	params.Metadata = p.metadata(r.Call, r.Metadata)
	params.Metadata[metaFlow] = flow
	if flow == flowReader {
		params.Metadata[metaReader] = r.Method.Fields["reader"]
	}

	owner := r.ProviderCustomer
	if r.Save && kind == "card" {
		if owner == "" {
			var err error
			if owner, err = p.newCustomer(ctx, r.Call, r.Customer, r.Payer); err != nil {
				return payment.Result{}, err
			}
		}
		params.SetupFutureUsage = stripego.String("off_session")
	}
	params.Customer = text(owner)

	in := &intent{}
	if _, f := p.post(ctx, r.Step, "/v1/payment_intents", r.Key, params, in); f != nil {
		return p.refusedOrFailed(f, "", false)
	}
	return p.answered(in, "", view{step: r.Step, asked: r.Amount})
}

// Validate refuses what Stripe could never take, before anything is written or
// sent. The error is a *payment.FieldError.
func (p *Provider) Validate(r payment.AuthorizeRequest) error {
	if !served(r.Method.Method) {
		return &payment.FieldError{Field: "Method", Problem: "is not one that Stripe carries", Remedy: "see docs/providers/stripe.md"}
	}
	if _, err := units.ToUnits(r.Amount); err != nil {
		return &payment.FieldError{Field: "Amount", Problem: "is not one that Stripe takes", Remedy: err.Error()}
	}
	for k := range r.Metadata {
		if strings.HasPrefix(k, metaPrefix) {
			return &payment.FieldError{Field: "Metadata[" + strconv.Quote(k) + "]", Problem: "begins with " + metaPrefix, Remedy: "use another name: this library keeps its own ids under it"}
		}
	}
	r.Step = stepCreate
	if _, bad := p.checkUnits(r.Step, r.Amount); bad != nil {
		field, problem, _ := strings.Cut(bad.Message, ": ")
		return &payment.FieldError{Field: field, Problem: problem}
	}
	err := p.checkAuthorize(r)
	if err == nil {
		_, _, err = p.share(r.Step, r.Amount, r.Splits)
	}
	var ce *payment.CallError
	if errors.As(err, &ce) {
		field, problem, _ := strings.Cut(ce.Message, ": ")
		return &payment.FieldError{Field: field, Problem: problem}
	}
	return err
}

// checkAuthorize finds what would be refused only at the second step, when an
// intent stands already.
func (p *Provider) checkAuthorize(r payment.AuthorizeRequest) error {
	token := r.Method.Token.Reveal()
	switch stripeType(r.Method.Method) {
	case "card":
		if token != "" && !validToken(token) {
			return p.notSent(r.Step, "Method.Token", "is not a token of Stripe: use one that starts with pm_, tok_ or ctoken_")
		}
	case "card_present":
		if id := r.Method.Fields["reader"]; id != "" && httpx.CheckID("reader", id) != nil {
			return p.notSent(r.Step, `Method.Fields["reader"]`, "is not the id of a reader (tmr_...)")
		}
	default:
		if token != "" {
			return p.notSent(r.Step, "Method.Token", "is set, but this method needs none")
		}
		// WeChat Pay shows a code and has nothing to come back from.
		if stripeType(r.Method.Method) != "wechat_pay" && r.ReturnURL == "" {
			return p.notSent(r.Step, "ReturnURL", "is missing: the payer must be able to come back from the bank or wallet")
		}
		if r.Method.Method == payment.MethodWeChatPayApp && (r.Method.Fields["app_id"] == "" || wechatClient(r.Method) == "") {
			return p.notSent(r.Step, `Method.Fields["app_id"]`, `or ["client"] is missing: an app pays with its WeChat app id and ios or android`)
		}
	}
	if why := checkDescriptor(orElse(r.Descriptor, p.descriptor), stripeType(r.Method.Method)); why != "" {
		return p.notSent(r.Step, "Descriptor", why)
	}
	if len(r.Metadata) > maxShopMetadata {
		return p.notSent(r.Step, "Metadata", "has more than "+itoa(maxShopMetadata)+" entries")
	}
	for k, v := range r.Metadata {
		if k == "" || len(k) > 40 || strings.ContainsAny(k, "[]") || len(v) > 500 {
			return p.notSent(r.Step, "Metadata", "has an entry that Stripe does not take: keys have 1 to 40 characters without [ and ], values at most 500")
		}
	}
	if r.ReturnURL != "" {
		if u, err := url.Parse(r.ReturnURL); err != nil || u.Scheme == "" {
			return p.notSent(r.Step, "ReturnURL", "is not a URL")
		}
	}
	return nil
}

func (p *Provider) confirm(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	if err := checkRef(r.Ref, "pi_"); err != "" {
		return payment.Result{}, p.notSent(r.Step, "Ref", err)
	}
	if err := p.checkAuthorize(r); err != nil {
		return payment.Result{}, err
	}
	kind, token := stripeType(r.Method.Method), r.Method.Token.Reveal()
	params := &stripego.PaymentIntentConfirmParams{ReturnURL: text(r.ReturnURL)}
	switch {
	case kind == "card_present":
		return payment.Result{}, p.notSent(r.Step, "Step", "is not one of a payment at a reader")
	case kind != "card":
		params.PaymentMethodData = &stripego.PaymentIntentPaymentMethodDataParams{Type: &kind, BillingDetails: billing(r.Payer)}
		if bank := r.Method.Fields["bank"]; kind == "ideal" && bank != "" {
			params.PaymentMethodData.IDEAL = &stripego.PaymentMethodIDEALParams{Bank: &bank}
		}
	case token == "":
		return payment.Result{}, p.notSent(r.Step, "Method.Token", "is missing: without a token the payer's page confirms")
	case strings.HasPrefix(token, "tok_"):
		params.PaymentMethodData = &stripego.PaymentIntentPaymentMethodDataParams{Type: &kind, BillingDetails: billing(r.Payer)}
		params.AddExtra("payment_method_data[card][token]", token)
	case strings.HasPrefix(token, "ctoken_"):
		params.ConfirmationToken = &token
	default:
		params.PaymentMethod = &token
	}
	switch {
	case kind == "wechat_pay":
		client, app := wechatClient(r.Method), r.Method.Fields["app_id"]
		params.PaymentMethodOptions = &stripego.PaymentIntentPaymentMethodOptionsParams{
			WeChatPay: &stripego.PaymentIntentPaymentMethodOptionsWeChatPayParams{Client: &client, AppID: text(app)},
		}
	case kind == "card" && r.OffSession:
		params.OffSession = stripego.Bool(true)
	case kind == "card":
		if p.stripeJS || r.ReturnURL == "" {
			params.UseStripeSDK = stripego.Bool(true)
		}
		if three := threeDS(r.ThreeDS); three != "" && r.Method.Method != payment.MethodApplePay {
			params.PaymentMethodOptions = &stripego.PaymentIntentPaymentMethodOptionsParams{
				Card: &stripego.PaymentIntentPaymentMethodOptionsCardParams{RequestThreeDSecure: &three},
			}
		}
	}
	params.AddExpand("latest_charge.balance_transaction")

	in := &intent{}
	kept, f := p.post(ctx, r.Step, "/v1/payment_intents/"+r.Ref+"/confirm", r.Key, params, in)
	v := view{step: r.Step, asked: r.Amount, handed: r.Data[dataHanded] == "1"}
	if f != nil {
		if _, declined := f.decline(); declined && f.replayed {
			if now := p.since(ctx, r); now != nil && now.Status != "requires_payment_method" {
				v.lookup = true
				return p.answered(now, r.Ref, v)
			}
		}
		return p.refusedOrFailed(f, r.Ref, v.handed)
	}
	if kept {
		if now := p.since(ctx, r); now != nil {
			in, v.lookup = now, true
		}
	}
	return p.answered(in, r.Ref, v)
}

// since reads the intent after Stripe gave the kept answer of a first send
// again, which says what was true then: the payer may have acted. It returns nil
// if that cannot be read; then is still a truth.
func (p *Provider) since(ctx context.Context, r payment.AuthorizeRequest) *intent {
	now, f := p.intent(ctx, r.Step, r.Ref)
	if f != nil || now.check(r.Ref, r.Amount) != "" {
		return nil
	}
	return now
}

// process hands an intent to a reader. From then on the payer pays at the till
// with no further act of ours.
func (p *Provider) process(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	if err := checkRef(r.Ref, "pi_"); err != "" {
		return payment.Result{}, p.notSent(r.Step, "Ref", err)
	}
	id := r.Method.Fields["reader"]
	if httpx.CheckID("reader", id) != nil {
		return payment.Result{}, p.notSent(r.Step, `Method.Fields["reader"]`, "is not the id of a reader (tmr_...)")
	}
	rd := &reader{}
	_, f := p.post(ctx, r.Step, "/v1/terminal/readers/"+id+"/process_payment_intent", r.Key,
		&stripego.TerminalReaderProcessPaymentIntentParams{PaymentIntent: &r.Ref}, rd)
	if f != nil {
		return p.refusedOrFailed(f, r.Ref, false)
	}
	return p.atReader(rd, r.Ref, r.Step)
}

// atReader reads what a reader says of an intent.
func (p *Provider) atReader(rd *reader, ref, step string) (payment.Result, error) {
	r := payment.Result{Ref: ref, Data: map[string]string{}}
	if rd.Action == nil || rd.Action.Process.PaymentIntent.ID != ref {
		return r, p.unreadable(step, "the reader does not name the payment")
	}
	switch rd.Action.Status {
	case "in_progress":
		r.Status, r.Action = payment.ResultActionRequired, &payment.Action{Kind: payment.ActionWait}
		r.Data[dataHanded] = "1"
	case "failed":
		r.Status, r.Decline = payment.ResultDeclined, (&apiError{Code: rd.Action.FailureCode}).refusal()
	case "succeeded":
		// Whether it is a hold or a sale, and of how much, the intent says.
		r.Status = payment.ResultPending
	default:
		return r, p.unreadable(step, "the reader has a status that is not known")
	}
	return r, nil
}

// answered turns an intent into a result, once it is the one asked about.
func (p *Provider) answered(in *intent, ref string, v view) (payment.Result, error) {
	if why := in.check(ref, v.asked); why != "" {
		return payment.Result{}, p.unreadable(v.step, why)
	}
	r, err := p.result(in, v)
	if err != nil {
		return payment.Result{}, err
	}
	// The intent is made for one amount, which it names in every state; a result
	// names it again where money is held or collected.
	total, _, _, err := in.amounts()
	if err != nil || total != v.asked || (r.Amount.Currency() != "" && r.Amount != v.asked) {
		return payment.Result{}, p.unreadable(v.step, "the answer names another amount than the payment's")
	}
	return r, nil
}

// refusedOrFailed makes a decline of a refusal, and an error of the rest. ref is
// the intent that was acted on, "" for a creation; handed says that the payer
// can still act on it.
func (p *Provider) refusedOrFailed(f *failure, ref string, handed bool) (payment.Result, error) {
	d, ok := f.decline()
	if !ok {
		return payment.Result{}, f.call
	}
	r := payment.Result{Status: payment.ResultDeclined, Decline: d, Ref: ref, Payable: handed, Data: map[string]string{}}
	if in := f.api.PaymentIntent; in != nil && in.ID == ref {
		in.describe(&r)
		// A refusal while the intent has moved on is none of the payment.
		switch in.Status {
		case "succeeded", "requires_capture", "processing":
			return payment.Result{}, f.unknown("the refusal contradicts the state of the intent")
		}
	}
	return r, nil
}

// unknown turns a failure into one that proves nothing.
func (f *failure) unknown(why string) error {
	e := *f.call
	e.Kind, e.Message = payment.KindUnknown, why
	return &e
}

// maxShopMetadata leaves room for ours: Stripe takes 50 entries, and an intent
// gets up to six at once and sixteen marks of captures.
const maxShopMetadata = 25

// metadata puts the names by which webhooks, look-ups and reports find home on
// an object, over what the shop gave.
func (p *Provider) metadata(c payment.Call, shop map[string]string) map[string]string {
	m := make(map[string]string, len(shop)+6)
	for k, v := range shop {
		if !strings.HasPrefix(k, metaPrefix) {
			m[k] = v
		}
	}
	for k, v := range map[string]string{
		metaOperation: c.Operation, metaStep: c.Key, metaPayment: c.Payment, metaReference: cut(c.Reference, 500),
	} {
		if v != "" {
			m[k] = v
		}
	}
	return m
}

func captureMethod(sale bool) stripego.PaymentIntentCaptureMethod {
	if sale {
		return stripego.PaymentIntentCaptureMethodAutomatic
	}
	return stripego.PaymentIntentCaptureMethodManual
}

// threeDS maps the wish. Exemptions are Stripe's own to ask for, so skipping is
// the same as leaving it to Stripe.
func threeDS(t payment.ThreeDS) string {
	switch t {
	case payment.ThreeDSRequested:
		return "any"
	case payment.ThreeDSChallenge:
		return "challenge"
	case payment.ThreeDSAutomatic, payment.ThreeDSSkip:
	}
	return ""
}

func wechatClient(i payment.Instrument) string {
	if i.Method != payment.MethodWeChatPayApp {
		return "web"
	}
	if c := i.Fields["client"]; c == "ios" || c == "android" {
		return c
	}
	return ""
}

func expandIntent() *stripego.PaymentIntentParams {
	params := &stripego.PaymentIntentParams{}
	params.AddExpand("latest_charge.balance_transaction")
	return params
}

// validToken accepts what Stripe's libraries give for a card or wallet. The id
// of another kind of object, or a card number, is not sent.
func validToken(t string) bool {
	for _, prefix := range []string{"pm_", "tok_", "ctoken_", "card_", "src_"} {
		if strings.HasPrefix(t, prefix) {
			return httpx.CheckID("token", t) == nil
		}
	}
	return false
}

// checkRef vets an id before it becomes part of a path; an empty one would
// address the list of all objects.
func checkRef(id, prefix string) string {
	switch {
	case id == "":
		return "is empty: the object at Stripe is not known"
	case !strings.HasPrefix(id, prefix), httpx.CheckID("ref", id) != nil:
		return "is not the id of an object of the right kind (" + prefix + "...)"
	}
	return ""
}

// text is an optional parameter: nil for "".
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func address(a payment.Address) *stripego.AddressParams {
	if a == (payment.Address{}) {
		return nil
	}
	return &stripego.AddressParams{Line1: text(a.Line1), Line2: text(a.Line2), City: text(a.City),
		State: text(a.State), PostalCode: text(a.PostalCode), Country: text(a.Country)}
}

// shipping is sent only when complete: Stripe wants name and address.
func shipping(payer payment.Payer) *stripego.ShippingDetailsParams {
	name := firstOf(payer.Shipping.Name, payer.Name)
	if name == "" || payer.Shipping.Line1 == "" {
		return nil
	}
	return &stripego.ShippingDetailsParams{Name: &name, Phone: text(payer.Phone), Address: address(payer.Shipping)}
}

func billing(payer payment.Payer) *stripego.PaymentIntentPaymentMethodDataBillingDetailsParams {
	name := firstOf(payer.Billing.Name, payer.Name)
	if name == "" && payer.Email == "" && payer.Phone == "" && payer.Billing == (payment.Address{}) {
		return nil
	}
	return &stripego.PaymentIntentPaymentMethodDataBillingDetailsParams{
		Name: text(name), Email: text(payer.Email), Phone: text(payer.Phone), Address: address(payer.Billing),
	}
}
