package sandbox_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment/sandbox"
)

// unsent lists the fields of the SDK's types that Stripe sends only when asked,
// only for other products, or only with the request's version of something.
var unsent = map[string][]string{
	"Charge":                         {"authorization_code", "level3", "refunds", "source_transfer", "transfer"},
	"ChargeOutcome":                  {"risk_score", "rule"},
	"ChargePaymentMethodDetailsCard": {"capture_before", "description", "iin", "issuer", "moto"},
	"ChargePaymentMethodDetailsCardThreeDSecure": {"exemption_indicator_applied"},
	"Customer":                     {"cash_balance", "deleted", "invoice_credit_balance", "sources", "subscriptions", "tax", "tax_ids"},
	"SetupIntent":                  {"attach_to_self"},
	"PaymentMethod":                {"radar_options"},
	"PaymentMethodCard":            {"description", "iin", "issuer"},
	"Refund":                       {"description", "destination_details", "failure_balance_transaction", "failure_reason", "instructions_email", "next_action"},
	"RefundDestinationDetailsCard": {"reference"},
	"Event":                        {"account"},
	"EventData":                    {"previous_attributes"},
	"Balance":                      {"connect_reserved", "instant_available", "issuing"},
	"PaymentIntentTransferData":    {"amount"},
	"ChargeTransferData":           {"amount"},
	"Token":                        {"bank_account"},
	"PaymentIntentPaymentMethodOptionsWeChatPay": {"setup_future_usage"},
	"WebhookEndpoint": {"deleted", "secret"},
	"Error": {"charge", "code", "decline_code", "doc_url", "error", "error_description", "param", "payment_intent", "payment_method", "payment_method_type",
		"request_id", "request_log_url", "setup_intent", "source", "status"},
}

// anyOf lists the types of which Stripe sends the members that apply.
var anyOf = []string{"Card", "ChargeFraudDetails", "ChargePaymentMethodDetails", "ChargeRadarOptions", "FileLinkList", "PaymentMethodCardWallet", "PaymentIntentAmountDetailsTip",
	"PaymentIntentNextAction", "PaymentIntentPaymentMethodOptions", "PaymentIntentPaymentMethodOptionsCard", "RefundDestinationDetails", "SetupIntentNextAction", "SetupIntentPaymentMethodOptions",
	"SetupIntentPaymentMethodOptionsCard"}

// extra lists what Stripe sends and the SDK's types leave out.
var extra = map[string][]string{
	"PaymentIntentNextActionUseStripeSDK": {"type", "stripe_js", "source"},
	"SetupIntentNextActionUseStripeSDK":   {"type", "stripe_js", "source"},
	"PaymentMethodCard":                   {"generated_from"},
}

// shape compares a JSON value with the SDK's type for it: every key sent is
// known to the SDK, every key the SDK reads is sent.
func shape(t *testing.T, path string, v any, typ reflect.Type, problems map[string]bool) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch val := v.(type) {
	case []any:
		if typ.Kind() != reflect.Slice {
			problems[path+": a list where the SDK has "+typ.String()] = true
			return
		}
		for _, item := range val {
			shape(t, path+"[]", item, typ.Elem(), problems)
		}
	case map[string]any:
		if typ.Kind() != reflect.Struct {
			return // metadata and the like
		}
		fields := map[string]reflect.Type{}
		var collect func(reflect.Type)
		collect = func(st reflect.Type) {
			for i := range st.NumField() {
				f := st.Field(i)
				tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if f.Anonymous && tag == "" {
					if f.Type.Name() != "APIResource" {
						collect(f.Type)
					}
					continue
				}
				if tag != "" && tag != "-" {
					fields[tag] = f.Type
				}
			}
		}
		collect(typ)
		name := typ.Name()
		for k, item := range val {
			if ft, ok := fields[k]; ok {
				shape(t, path+"."+k, item, ft, problems)
			} else if k != "object" && !slices.Contains(extra[name], k) {
				problems[fmt.Sprintf("%s (%s): sends %q, which the SDK does not know", path, name, k)] = true
			}
		}
		if slices.Contains(anyOf, name) || (strings.HasPrefix(name, "PaymentIntentPaymentMethodOptions") && len(val) == 0) {
			return
		}
		optional := unsent[name]
		for _, k := range slices.Sorted(maps.Keys(fields)) {
			if name == "PaymentMethod" && k != val["type"] && strings.HasPrefix(fields[k].String(), "*stripe.PaymentMethod") && k != "billing_details" {
				continue // the details of another type
			}
			if _, ok := val[k]; !ok && !slices.Contains(optional, k) {
				problems[fmt.Sprintf("%s (%s): does not send %q", path, name, k)] = true
			}
		}
	}
}

// TestShapes holds every kind of answer and every event against the types of
// Stripe's SDK for the API version that the sandbox speaks.
func TestShapes(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	problems := map[string]bool{}
	see := func(raw []byte, v any) {
		t.Helper()
		var decoded any
		require.NoError(t, json.Unmarshal(raw, &decoded))
		if e, ok := decoded.(map[string]any)["error"]; ok {
			t.Fatalf("want an object, got the error %v", e)
		}
		typ := reflect.TypeOf(v)
		shape(t, typ.Name(), decoded, typ, problems)
	}
	year := int64(time.Now().Year() + 1)
	cus, err := b.sc.Customers.New(&stripe.CustomerParams{Name: stripe.String("Ada"), Address: &stripe.AddressParams{City: stripe.String("London")},
		Shipping: &stripe.CustomerShippingParams{Name: stripe.String("Ada"), Address: &stripe.AddressParams{Line1: stripe.String("1 St")}}})
	require.NoError(t, err)
	see(cus.LastResponse.RawJSON, stripe.Customer{})

	full := func(p *stripe.PaymentIntentParams) {
		for _, x := range []string{"latest_charge.balance_transaction", "latest_charge.refunds", "payment_method", "customer"} {
			p.AddExpand(x)
		}
	}
	pi, err := b.card("pm_card_bypassPending", full, func(p *stripe.PaymentIntentParams) {
		p.Customer, p.SetupFutureUsage = stripe.String(cus.ID), stripe.String("off_session")
		p.TransferData = &stripe.PaymentIntentTransferDataParams{Destination: stripe.String("acct_seller")}
		p.ApplicationFeeAmount = stripe.Int64(10)
	})
	require.NoError(t, err)
	see(pi.LastResponse.RawJSON, stripe.PaymentIntent{})
	held, err := b.card("pm_card_visa", full, manual)
	require.NoError(t, err)
	see(held.LastResponse.RawJSON, stripe.PaymentIntent{})
	for _, outcome := range []sandbox.Outcome{sandbox.Succeed, sandbox.Fail} {
		asked, err := b.card("pm_card_threeDSecure2Required", full, func(p *stripe.PaymentIntentParams) { p.ReturnURL = stripe.String("http://127.0.0.1/") })
		require.NoError(t, err)
		see(asked.LastResponse.RawJSON, stripe.PaymentIntent{})
		require.NoError(t, b.Stripe.CompleteAction(asked.ID, outcome))
		get := &stripe.PaymentIntentParams{}
		full(get)
		asked, err = b.sc.PaymentIntents.Get(asked.ID, get)
		require.NoError(t, err)
		see(asked.LastResponse.RawJSON, stripe.PaymentIntent{})
	}
	_, err = b.card("pm_card_threeDSecure2Required")
	require.NoError(t, err)
	_, err = b.card("pm_card_radarBlock")
	declined := stripeError(t, err)
	var body struct{ Error json.RawMessage }
	require.NoError(t, json.Unmarshal(declined.LastResponse.RawJSON, &body))
	see(body.Error, stripe.Error{})
	for typ, currency := range map[string]string{"ideal": "eur", "grabpay": "sgd", "alipay": "usd", "wechat_pay": "cny", "sepa_debit": "eur"} {
		p := &stripe.PaymentIntentParams{Amount: stripe.Int64(5000), Currency: stripe.String(currency), Confirm: stripe.Bool(true), PaymentMethodTypes: stripe.StringSlice([]string{typ}),
			ReturnURL: stripe.String("http://127.0.0.1/back"), PaymentMethodData: &stripe.PaymentIntentPaymentMethodDataParams{Type: stripe.String(typ)},
			PaymentMethodOptions: &stripe.PaymentIntentPaymentMethodOptionsParams{WeChatPay: &stripe.PaymentIntentPaymentMethodOptionsWeChatPayParams{Client: stripe.String("web")}}}
		if typ == "sepa_debit" {
			p.PaymentMethodData.SEPADebit = &stripe.PaymentMethodSEPADebitParams{IBAN: stripe.String("DE89370400440532013000")}
		}
		full(p)
		other, err := b.sc.PaymentIntents.New(p)
		require.NoError(t, err)
		see(other.LastResponse.RawJSON, stripe.PaymentIntent{})
		if typ == "sepa_debit" {
			b.Advance(time.Minute)
		} else {
			require.NoError(t, b.Stripe.CompleteAction(other.ID, sandbox.Succeed))
		}
		r, err := b.sc.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(other.ID)})
		require.NoError(t, err)
		see(r.LastResponse.RawJSON, stripe.Refund{})
		require.NoError(t, b.Stripe.FailRefund(r.ID))
	}
	rp := &stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(100), ReverseTransfer: stripe.Bool(true)}
	rp.AddExpand("charge")
	rp.AddExpand("balance_transaction")
	r, err := b.sc.Refunds.New(rp)
	require.NoError(t, err)
	see(r.LastResponse.RawJSON, stripe.Refund{})
	si, err := b.sc.SetupIntents.New(&stripe.SetupIntentParams{PaymentMethod: stripe.String("pm_card_authenticationRequired"), PaymentMethodTypes: stripe.StringSlice([]string{"card"}), Confirm: stripe.Bool(true)})
	require.NoError(t, err)
	see(si.LastResponse.RawJSON, stripe.SetupIntent{})
	pm, err := b.sc.PaymentMethods.New(&stripe.PaymentMethodParams{Type: stripe.String("card"), Card: &stripe.PaymentMethodCardParams{Token: stripe.String("tok_applepay")}})
	require.NoError(t, err)
	see(pm.LastResponse.RawJSON, stripe.PaymentMethod{})
	tok, err := b.sc.Tokens.New(&stripe.TokenParams{Card: &stripe.CardParams{Number: stripe.String("4242424242424242"), ExpMonth: stripe.String("1"), ExpYear: stripe.String(fmt.Sprint(year))}})
	require.NoError(t, err)
	see(tok.LastResponse.RawJSON, stripe.Token{})
	f, err := b.sc.Files.New(&stripe.FileParams{Purpose: stripe.String("dispute_evidence"), FileReader: strings.NewReader("%PDF-1.4"), Filename: stripe.String("a.pdf")})
	require.NoError(t, err)
	see(f.LastResponse.RawJSON, stripe.File{})
	id, err := b.Stripe.OpenDispute(pi.ID, "fraudulent", 0)
	require.NoError(t, err)
	d, err := b.sc.Disputes.Get(id, nil)
	require.NoError(t, err)
	see(d.LastResponse.RawJSON, stripe.Dispute{})
	tr, err := b.sc.Transfers.Get(pi.LatestCharge.Transfer.ID, nil)
	require.NoError(t, err)
	see(tr.LastResponse.RawJSON, stripe.Transfer{})
	rev, err := b.sc.TransferReversals.New(&stripe.TransferReversalParams{ID: stripe.String(tr.ID), Amount: stripe.Int64(5)})
	require.NoError(t, err)
	see(rev.LastResponse.RawJSON, stripe.TransferReversal{})
	_, err = b.card("pm_card_bypassPending")
	require.NoError(t, err)
	po, err := b.sc.Payouts.New(&stripe.PayoutParams{Amount: stripe.Int64(10), Currency: stripe.String("usd")})
	require.NoError(t, err)
	see(po.LastResponse.RawJSON, stripe.Payout{})
	bal, err := b.sc.Balance.Get(nil)
	require.NoError(t, err)
	see(bal.LastResponse.RawJSON, stripe.Balance{})
	we, err := b.sc.WebhookEndpoints.New(&stripe.WebhookEndpointParams{URL: stripe.String("http://127.0.0.1:1/"), EnabledEvents: stripe.StringSlice([]string{"none"})})
	require.NoError(t, err)
	see(we.LastResponse.RawJSON, stripe.WebhookEndpoint{})

	types := map[string]any{"payment_intent": stripe.PaymentIntent{}, "charge": stripe.Charge{}, "refund": stripe.Refund{}, "customer": stripe.Customer{}, "dispute": stripe.Dispute{},
		"setup_intent": stripe.SetupIntent{}, "payment_method": stripe.PaymentMethod{}, "transfer": stripe.Transfer{}, "payout": stripe.Payout{}, "file": stripe.File{}}
	for _, e := range b.Stripe.Events() {
		kind, ok := strings.CutPrefix(string(e.Object[strings.Index(string(e.Object), `"object":"`):]), `"object":"`)
		require.True(t, ok)
		kind, _, _ = strings.Cut(kind, `"`)
		require.Contains(t, types, kind)
		see(e.Object, types[kind])
	}
	ev, err := b.sc.Events.Get(b.Stripe.Events()[0].ID, nil)
	require.NoError(t, err)
	see(ev.LastResponse.RawJSON, stripe.Event{})
	if len(problems) > 0 {
		t.Error(strings.Join(slices.Sorted(maps.Keys(problems)), "\n"))
	}
}
