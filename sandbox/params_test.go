package sandbox_test

import (
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment/sandbox"
)

// TestEverySDKParameterIsKnown sends each parameter that the SDK's types have,
// down to the second level, and wants none refused as unknown: a shop's valid
// request must not fail in the sandbox.
func TestEverySDKParameterIsKnown(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	pi, err := b.card("pm_card_visa", manual)
	require.NoError(t, err)
	pm, err := b.sc.PaymentMethods.Get("pm_card_visa", nil)
	require.NoError(t, err)
	cus, err := b.sc.Customers.New(&stripe.CustomerParams{})
	require.NoError(t, err)
	si, err := b.sc.SetupIntents.New(&stripe.SetupIntentParams{})
	require.NoError(t, err)
	paid, err := b.card("pm_card_visa")
	require.NoError(t, err)
	du, err := b.Stripe.OpenDispute(paid.ID, "fraudulent", 100)
	require.NoError(t, err)
	tr, err := b.sc.Transfers.New(&stripe.TransferParams{Amount: stripe.Int64(100), Currency: stripe.String("usd"), Destination: stripe.String("acct_x"), SourceTransaction: stripe.String(paid.LatestCharge.ID)})
	require.NoError(t, err)
	another, err := b.card("pm_card_visa")
	require.NoError(t, err)
	re, err := b.sc.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(another.ID), Amount: stripe.Int64(100)})
	require.NoError(t, err)

	// The types and options of methods that the sandbox does not play, and
	// parameters of an update that the API takes on creation only (the SDK uses
	// one type for both).
	played := []string{"alipay", "card", "card_present", "grabpay", "ideal", "link", "sepa_debit", "wechat_pay"}
	creation := map[string][]string{
		"payment_intents/:": {"automatic_payment_methods", "confirm", "confirmation_method", "confirmation_token", "error_on_requires_action", "mandate", "off_session", "on_behalf_of", "return_url", "use_stripe_sdk", "client_secret", "transfer_data[destination]"},
		"payment_intents":   {"client_secret"},
		"setup_intents":     {"client_secret", "confirmation_token"},
		"webhook_endpoints": {"disabled"}, "payment_intents/:/capture": {"transfer_data[destination]"},
		"setup_intents/:":         {"automatic_payment_methods", "client_secret", "confirm", "confirmation_token", "on_behalf_of", "single_use", "usage", "mandate_data", "return_url", "use_stripe_sdk"},
		"setup_intents/:/confirm": {"confirmation_token"},
		"refunds/:":               {"amount", "charge", "currency", "customer", "instructions_email", "origin", "payment_intent", "reason", "refund_application_fee", "reverse_transfer"},
		"transfers/:":             {"amount", "currency", "destination", "source_transaction", "source_type", "transfer_group"},
		"customers":               {"coupon", "promotion_code", "default_source", "source"},
		"customers/:":             {"coupon", "promotion_code", "default_source", "source", "payment_method", "tax_id_data", "test_clock"},
		"payment_methods/:":       {"customer", "payment_method", "type", "card[cvc]", "card[number]", "card[token]", "ideal[bank]", "radar_options", "sepa_debit"},
		"tokens":                  {"account", "bank_account", "customer", "cvc_update", "person", "pii", "email", "card[account]", "card[default_for_currency]", "card[metadata]", "card[networks]", "card[account_holder_name]", "card[account_holder_type]", "card[expand]", "card[owner]"},
	}
	for path, params := range map[string]struct {
		id  string
		typ any
	}{
		"payment_intents": {"", stripe.PaymentIntentParams{}}, "payment_intents/:": {pi.ID, stripe.PaymentIntentParams{}},
		"payment_intents/:/confirm": {pi.ID, stripe.PaymentIntentConfirmParams{}}, "payment_intents/:/capture": {pi.ID, stripe.PaymentIntentCaptureParams{}},
		"payment_intents/:/cancel": {another.ID, stripe.PaymentIntentCancelParams{}}, "refunds": {"", stripe.RefundParams{}}, "refunds/:": {re.ID, stripe.RefundParams{}},
		"customers": {"", stripe.CustomerParams{}}, "customers/:": {cus.ID, stripe.CustomerParams{}}, "payment_methods": {"", stripe.PaymentMethodParams{}},
		"payment_methods/:": {pm.ID, stripe.PaymentMethodParams{}}, "setup_intents": {"", stripe.SetupIntentParams{}}, "setup_intents/:": {si.ID, stripe.SetupIntentParams{}},
		"setup_intents/:/confirm": {si.ID, stripe.SetupIntentConfirmParams{}}, "setup_intents/:/cancel": {si.ID, stripe.SetupIntentCancelParams{}},
		"disputes/:": {du, stripe.DisputeParams{}}, "transfers": {"", stripe.TransferParams{}}, "transfers/:": {tr.ID, stripe.TransferParams{}},
		"transfers/:/reversals": {tr.ID, stripe.TransferReversalParams{}}, "payouts": {"", stripe.PayoutParams{}}, "tokens": {"", stripe.TokenParams{}},
		"webhook_endpoints":   {"", stripe.WebhookEndpointParams{}},
		"GET payment_intents": {"", stripe.PaymentIntentListParams{}}, "GET charges": {"", stripe.ChargeListParams{}}, "GET refunds": {"", stripe.RefundListParams{}},
		"GET customers": {"", stripe.CustomerListParams{}}, "GET payment_methods": {"", stripe.PaymentMethodListParams{}}, "GET setup_intents": {"", stripe.SetupIntentListParams{}},
		"GET disputes": {"", stripe.DisputeListParams{}}, "GET balance_transactions": {"", stripe.BalanceTransactionListParams{}}, "GET transfers": {"", stripe.TransferListParams{}},
		"GET payouts": {"", stripe.PayoutListParams{}}, "GET events": {"", stripe.EventListParams{}}, "GET files": {"", stripe.FileListParams{}},
	} {
		method, short := "POST", path
		if rest, ok := strings.CutPrefix(path, "GET "); ok {
			method, short = "GET", rest
		}
		for _, name := range formNames(reflect.TypeOf(params.typ), played) {
			if slices.ContainsFunc(creation[path], func(n string) bool { return name == n || strings.HasPrefix(name, n+"[") }) {
				continue
			}
			target := b.Stripe.URL + "/v1/" + strings.ReplaceAll(short, ":", params.id)
			var body io.Reader
			if method == "GET" {
				target += "?" + name + "="
			} else {
				body = strings.NewReader(name + "=")
			}
			req, err := http.NewRequest(method, target, body)
			require.NoError(t, err)
			req.SetBasicAuth(b.Stripe.SecretKey, "")
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			out, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if strings.Contains(string(out), "parameter_unknown") {
				t.Errorf("%s: %s is refused as unknown", path, name)
			}
		}
	}
}

// formNames lists the parameters of an SDK type, one level of nesting included.
func formNames(typ reflect.Type, played []string) []string {
	var out []string
	var walk func(reflect.Type, string)
	walk = func(st reflect.Type, prefix string) {
		for i := range st.NumField() {
			f := st.Field(i)
			tag := f.Tag.Get("form")
			ft := f.Type
			for ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			if tag == "*" && f.Anonymous {
				if n := ft.Name(); n != "Params" {
					walk(ft, prefix)
				}
				continue
			}
			if tag == "" || tag == "-" || tag == "*" || f.Name == "Filters" {
				continue
			}
			name := tag
			if prefix != "" {
				name = prefix + "[" + tag + "]"
			}
			// A member named after a payment method's type.
			if ft.Kind() == reflect.Struct && strings.Contains(st.Name(), "PaymentMethod") && !slices.Contains(played, tag) && tag != "billing_details" && tag != "radar_options" {
				continue
			}
			if ft.Kind() == reflect.Struct && prefix == "" {
				walk(ft, name)
				continue
			}
			out = append(out, name)
		}
	}
	walk(typ, "")
	return out
}
