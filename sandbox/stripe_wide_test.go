package sandbox_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment/sandbox"
)

func TestMulticapture(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	pi, err := b.card("pm_card_visa", manual, func(p *stripe.PaymentIntentParams) {
		p.Amount = stripe.Int64(1000)
		p.PaymentMethodOptions = &stripe.PaymentIntentPaymentMethodOptionsParams{Card: &stripe.PaymentIntentPaymentMethodOptionsCardParams{RequestMulticapture: stripe.String("if_available")}}
		p.AddExpand("latest_charge")
	})
	require.NoError(t, err)
	require.EqualValues(t, "available", pi.LatestCharge.PaymentMethodDetails.Card.Multicapture.Status)
	take := func(amount int64, final bool) (*stripe.PaymentIntent, error) {
		p := &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(amount), FinalCapture: stripe.Bool(final)}
		p.AddExpand("latest_charge")
		return b.sc.PaymentIntents.Capture(pi.ID, p)
	}
	got, err := take(700, false)
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusRequiresCapture, got.Status)
	require.EqualValues(t, 300, got.AmountCapturable)
	require.EqualValues(t, 700, got.AmountReceived)
	require.False(t, got.LatestCharge.Captured)
	_, err = take(300, false)
	require.Equal(t, 400, stripeError(t, err).HTTPStatusCode, "the full rest is the final capture")
	r, err := b.sc.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(100)})
	require.NoError(t, err, "what is captured can be refunded before the final capture")
	require.EqualValues(t, "succeeded", r.Status)
	got, err = take(200, true)
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusSucceeded, got.Status)
	require.EqualValues(t, 900, got.AmountReceived)
	require.Zero(t, got.AmountCapturable)
	require.EqualValues(t, 100, got.LatestCharge.AmountRefunded)
	require.False(t, got.LatestCharge.Refunded)
	_, err = b.sc.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(801)})
	require.Equal(t, stripe.ErrorCodeAmountTooLarge, stripeError(t, err).Code)

	plain, err := b.card("pm_card_visa", manual)
	require.NoError(t, err)
	_, err = b.sc.PaymentIntents.Capture(plain.ID, &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(700), FinalCapture: stripe.Bool(false)})
	require.Equal(t, "final_capture", stripeError(t, err).Param)
}

// Several captures are for cards online of the brands that Stripe documents, and
// where they are asked for.
func TestMulticaptureAvailability(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	status := func(token, ask string) string {
		pi, err := b.card(token, manual, func(p *stripe.PaymentIntentParams) {
			p.PaymentMethodOptions = &stripe.PaymentIntentPaymentMethodOptionsParams{Card: &stripe.PaymentIntentPaymentMethodOptionsCardParams{RequestMulticapture: stripe.String(ask)}}
			p.AddExpand("latest_charge")
		})
		require.NoError(t, err, token)
		return string(pi.LatestCharge.PaymentMethodDetails.Card.Multicapture.Status)
	}
	for _, token := range []string{"pm_card_visa", "pm_card_mastercard", "pm_card_amex", "pm_card_discover", "pm_card_diners", "pm_card_unionpay", "pm_card_jcb"} {
		require.Equal(t, "available", status(token, "if_available"), token)
		require.Equal(t, "unavailable", status(token, "never"), token)
	}
}

func TestPartialCaptureReleasesTheRest(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	pi, err := b.card("pm_card_visa", manual)
	require.NoError(t, err)
	p := &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(1500)}
	p.AddExpand("latest_charge")
	pi, err = b.sc.PaymentIntents.Capture(pi.ID, p)
	require.NoError(t, err)
	require.EqualValues(t, 1500, pi.LatestCharge.AmountCaptured)
	require.EqualValues(t, 500, pi.LatestCharge.AmountRefunded, "the rest of the hold counts as refunded")
	require.False(t, pi.LatestCharge.Refunded)
	truth, _ := b.Stripe.Payment(pi.ID)
	require.EqualValues(t, 500, truth.Charges[0].Released)
	require.Zero(t, truth.Refunded)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	pi, err := b.card("pm_card_visa", manual)
	require.NoError(t, err)
	pi, err = b.sc.PaymentIntents.Cancel(pi.ID, &stripe.PaymentIntentCancelParams{CancellationReason: stripe.String("abandoned")})
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusCanceled, pi.Status)
	require.NotZero(t, pi.CanceledAt)
	_, err = b.sc.PaymentIntents.Cancel(pi.ID, nil)
	require.Equal(t, stripe.ErrorCodePaymentIntentUnexpectedState, stripeError(t, err).Code)
	_, err = b.sc.PaymentIntents.Capture(pi.ID, nil)
	require.Equal(t, stripe.ErrorCodePaymentIntentUnexpectedState, stripeError(t, err).Code)
	paid, err := b.card("pm_card_visa")
	require.NoError(t, err)
	_, err = b.sc.PaymentIntents.Cancel(paid.ID, nil)
	require.Equal(t, stripe.ErrorCodePaymentIntentUnexpectedState, stripeError(t, err).Code)
	_, err = b.sc.PaymentIntents.Cancel(paid.ID, &stripe.PaymentIntentCancelParams{CancellationReason: stripe.String("whim")})
	require.Equal(t, "cancellation_reason", stripeError(t, err).Param)
	gross, _ := b.Stripe.Collected("usd")
	require.EqualValues(t, 2000, gross)
}

func TestDescriptors(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	for suffix, good := range map[string]bool{"VASES 7": true, "7": false, "A*B": false} {
		_, err := b.sc.PaymentIntents.New(&stripe.PaymentIntentParams{Amount: stripe.Int64(500), Currency: stripe.String("usd"), StatementDescriptorSuffix: &suffix})
		if good {
			require.NoError(t, err)
		} else {
			require.Equal(t, "statement_descriptor_suffix", stripeError(t, err).Param)
		}
	}
}

func TestAmountsAndCurrencies(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	for _, tc := range []struct {
		amount   int64
		currency string
		code     string
	}{
		{50, "usd", ""}, {49, "usd", "amount_too_small"}, {100000000, "usd", "amount_too_large"}, {0, "usd", "parameter_invalid_integer"},
		{-5, "usd", "parameter_invalid_integer"}, {500, "jpy", ""}, {49, "jpy", "amount_too_small"}, {1230, "kwd", ""}, {1234, "kwd", "invalid_charge_amount"},
		{500, "isk", ""}, {550, "isk", "invalid_charge_amount"}, {500, "USD", ""}, {500, "xxx", "-"},
		{99_999_999, "usd", ""}, {999_999_999_999, "idr", ""}, {1_000_000_000_000, "idr", "amount_too_large"},
	} {
		_, err := b.sc.PaymentIntents.New(&stripe.PaymentIntentParams{Amount: stripe.Int64(tc.amount), Currency: stripe.String(tc.currency)})
		if tc.code == "" {
			require.NoError(t, err, "%d %s", tc.amount, tc.currency)
			continue
		}
		e := stripeError(t, err)
		require.Equal(t, 400, e.HTTPStatusCode)
		if tc.code != "-" {
			require.EqualValues(t, tc.code, e.Code, "%d %s", tc.amount, tc.currency)
		}
	}
}

func TestAutomaticMethodsNeedAReturnURL(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	p := func() *stripe.PaymentIntentParams {
		return &stripe.PaymentIntentParams{Amount: stripe.Int64(500), Currency: stripe.String("usd"), Confirm: stripe.Bool(true), PaymentMethod: stripe.String("pm_card_visa")}
	}
	_, err := b.sc.PaymentIntents.New(p())
	require.Equal(t, "return_url", stripeError(t, err).Param)
	with := p()
	with.ReturnURL = stripe.String("https://shop.example/back")
	pi, err := b.sc.PaymentIntents.New(with)
	require.NoError(t, err)
	require.Contains(t, pi.PaymentMethodTypes, "alipay")
	require.NotContains(t, pi.PaymentMethodTypes, "ideal", "iDEAL is for euros only")
}

func TestUnknownAndInvalidParametersAreRefused(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	post := func(path, body string) (int, string) {
		req, err := http.NewRequest("POST", b.Stripe.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+b.Stripe.SecretKey)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		out, _ := io.ReadAll(resp.Body)
		require.NotEmpty(t, resp.Header.Get("Request-Id"))
		return resp.StatusCode, string(out)
	}
	for body, want := range map[string]string{
		"amount=500&currency=usd&colour=red":                               `"param":"colour"`,
		"amount=500&currency=usd&payment_method_options[card][colour]=red": `payment_method_options[card][colour]`,
		"amount=500&currency=usd&shipping[address][planet]=x":              `shipping[address][planet]`,
		"amount=500":                                                          `Missing required param: currency.`,
		"amount=5x&currency=usd":                                              `Invalid integer: 5x`,
		"amount=500&currency=usd&confirm=maybe":                               `Invalid boolean: maybe`,
		"amount=500&currency=usd&capture_method=later":                        `Invalid capture_method`,
		"amount=500&currency=usd&expand[]=colour":                             `cannot be expanded`,
		"amount=500&currency=usd&metadata[" + strings.Repeat("k", 41) + "]=v": `40 characters`,
		"amount=500&currency=usd&metadata[k]=" + strings.Repeat("v", 501):     `500 characters`,
		"amount=500&currency=usd&amount[x]=1":                                 `Invalid string`,
		"amount=500&currency=usd&customer=cus_none":                           `No such customer`,
		"amount=500&currency=usd&payment_method_types[]=carrier_pigeon":       `carrier_pigeon`,
		"amount=%zz&currency=usd":                                             `Invalid URL-encoding`,
		"a[b=1":                                                               `Invalid parameter name`,
	} {
		status, out := post("/v1/payment_intents", body)
		require.Equal(t, 400, status, body)
		require.Contains(t, out, want, body)
		require.Contains(t, out, `"type":"invalid_request_error"`)
	}
	require.Empty(t, b.Stripe.Payments())
	status, out := post("/v1/no_such_thing", "")
	require.Equal(t, 404, status)
	require.Contains(t, out, "Unrecognized request URL")

	many := url.Values{"amount": {"500"}, "currency": {"usd"}}
	for i := range 51 {
		many.Set(fmt.Sprintf("metadata[k%d]", i), "v")
	}
	status, out = post("/v1/payment_intents", many.Encode())
	require.Equal(t, 400, status)
	require.Contains(t, out, "50 keys")
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	get := func(auth func(*http.Request)) (int, string) {
		req, _ := http.NewRequest("GET", b.Stripe.URL+"/v1/balance", nil)
		auth(req)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		out, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(out)
	}
	status, _ := get(func(*http.Request) {})
	require.Equal(t, 401, status)
	status, out := get(func(r *http.Request) { r.Header.Set("Authorization", "Bearer sk_test_someone_elses_key_1234") })
	require.Equal(t, 401, status)
	require.NotContains(t, out, "someone_elses", "a key is never repeated in full")
	status, _ = get(func(r *http.Request) { r.SetBasicAuth(b.Stripe.SecretKey, "") })
	require.Equal(t, 200, status)
	status, _ = get(func(r *http.Request) {
		r.SetBasicAuth(b.Stripe.SecretKey, "")
		r.Header.Set("Stripe-Account", "not-an-account")
	})
	require.Equal(t, 403, status)
	_, err := b.sc.PaymentIntents.Get("pi_none", nil)
	e := stripeError(t, err)
	require.Equal(t, 404, e.HTTPStatusCode)
	require.Equal(t, stripe.ErrorCodeResourceMissing, e.Code)
	require.Equal(t, "intent", e.Param)
	for _, r := range b.Requests() {
		require.NotContains(t, fmt.Sprintf("%+v", r), b.Stripe.SecretKey)
	}
}

func TestCustomersAndTheirMethods(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	cus, err := b.sc.Customers.New(&stripe.CustomerParams{Name: stripe.String("Ada"), Email: stripe.String("ada@example.com"), PaymentMethod: stripe.String("pm_card_visa"),
		Metadata: map[string]string{"a": "1", "b": "2"}})
	require.NoError(t, err)
	pm, err := b.sc.PaymentMethods.New(&stripe.PaymentMethodParams{Type: stripe.String("card"), Card: &stripe.PaymentMethodCardParams{
		Number: stripe.String("5555555555554444"), ExpMonth: stripe.Int64(12), ExpYear: stripe.Int64(int64(time.Now().Year() + 2)), CVC: stripe.String("123")}})
	require.NoError(t, err)
	require.EqualValues(t, "mastercard", pm.Card.Brand)
	_, err = b.sc.PaymentMethods.Attach(pm.ID, &stripe.PaymentMethodAttachParams{Customer: stripe.String(cus.ID)})
	require.NoError(t, err)
	n := 0
	it := b.sc.PaymentMethods.List(&stripe.PaymentMethodListParams{Customer: stripe.String(cus.ID), Type: stripe.String("card")})
	for it.Next() {
		n++
	}
	require.NoError(t, it.Err())
	require.Equal(t, 2, n)

	_, err = b.card(pm.ID)
	require.Contains(t, stripeError(t, err).Msg, "belongs to a Customer")
	for range 2 {
		pi, err := b.card(pm.ID, func(p *stripe.PaymentIntentParams) { p.Customer = stripe.String(cus.ID) })
		require.NoError(t, err, "an attached method can be used again")
		require.Equal(t, cus.ID, pi.Customer.ID)
	}
	_, err = b.sc.PaymentMethods.Detach(pm.ID, nil)
	require.NoError(t, err)
	_, err = b.card(pm.ID)
	require.Contains(t, stripeError(t, err).Msg, "may not be used again")

	once, err := b.sc.PaymentMethods.Get("pm_card_visa", nil)
	require.NoError(t, err)
	_, err = b.card(once.ID)
	require.NoError(t, err)
	_, err = b.card(once.ID)
	require.Contains(t, stripeError(t, err).Msg, "may not be used again", "a method without a customer is used once")

	cus, err = b.sc.Customers.Update(cus.ID, &stripe.CustomerParams{Name: stripe.String("Ada L"), Metadata: map[string]string{"a": ""}})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"b": "2"}, cus.Metadata)
	require.Equal(t, "ada@example.com", cus.Email)
	_, err = b.sc.Customers.Del(cus.ID, nil)
	require.NoError(t, err)
	gone, err := b.sc.Customers.Get(cus.ID, nil)
	require.NoError(t, err)
	require.True(t, gone.Deleted)

	_, err = b.sc.Customers.New(&stripe.CustomerParams{PaymentMethod: stripe.String("pm_card_visa_chargeDeclined")})
	require.Equal(t, 402, stripeError(t, err).HTTPStatusCode)
	_, err = b.sc.Customers.New(&stripe.CustomerParams{PaymentMethod: stripe.String("pm_card_chargeCustomerFail")})
	require.NoError(t, err, "this card attaches and is declined later")
}

func TestRawCardNumbers(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	year := int64(time.Now().Year() + 1)
	for _, tc := range []struct {
		number, code string
		month, year  int64
	}{
		{"4242424242424242", "", 1, year}, {"4242 4242 4242 4242", "", 1, year}, {"4242424242424243", "incorrect_number", 1, year},
		{"4111111111111111", "card_declined", 1, year}, {"4242424242424242", "invalid_expiry_month", 13, year}, {"4242424242424242", "invalid_expiry_year", 1, 2001},
	} {
		_, err := b.sc.Tokens.New(&stripe.TokenParams{Card: &stripe.CardParams{Number: stripe.String(tc.number), ExpMonth: stripe.String(fmt.Sprint(tc.month)), ExpYear: stripe.String(fmt.Sprint(tc.year))}})
		if tc.code == "" {
			require.NoError(t, err)
			continue
		}
		e := stripeError(t, err)
		require.EqualValues(t, tc.code, e.Code, tc.number)
		require.NotContains(t, e.Error(), tc.number, "an error repeats no card number")
	}
	tok, err := b.sc.Tokens.New(&stripe.TokenParams{Card: &stripe.CardParams{Number: stripe.String("4000000000009995"), ExpMonth: stripe.String("1"), ExpYear: stripe.String(fmt.Sprint(year))}})
	require.NoError(t, err)
	pm, err := b.sc.PaymentMethods.New(&stripe.PaymentMethodParams{Type: stripe.String("card"), Card: &stripe.PaymentMethodCardParams{Token: stripe.String(tok.ID)}})
	require.NoError(t, err)
	_, err = b.card(pm.ID)
	require.EqualValues(t, "insufficient_funds", stripeError(t, err).DeclineCode)
	_, err = b.sc.PaymentMethods.New(&stripe.PaymentMethodParams{Type: stripe.String("card"), Card: &stripe.PaymentMethodCardParams{Token: stripe.String(tok.ID)}})
	require.Equal(t, stripe.ErrorCodeTokenAlreadyUsed, stripeError(t, err).Code)
	for _, name := range []string{"tok_visa", "tok_mastercard", "tok_visa_chargeDeclined", "tok_createDispute"} {
		_, err = b.sc.PaymentMethods.New(&stripe.PaymentMethodParams{Type: stripe.String("card"), Card: &stripe.PaymentMethodCardParams{Token: stripe.String(name)}})
		require.NoError(t, err, name)
	}
}

func TestSetupIntentThenOffSession(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	cus, err := b.sc.Customers.New(&stripe.CustomerParams{})
	require.NoError(t, err)
	si, err := b.sc.SetupIntents.New(&stripe.SetupIntentParams{Customer: stripe.String(cus.ID), PaymentMethod: stripe.String("pm_card_authenticationRequiredOnSetup"),
		PaymentMethodTypes: stripe.StringSlice([]string{"card"}), Confirm: stripe.Bool(true)})
	require.NoError(t, err)
	require.Equal(t, stripe.SetupIntentStatusRequiresAction, si.Status)
	require.NoError(t, b.Stripe.CompleteAction(si.ID, sandbox.Succeed))
	si, err = b.sc.SetupIntents.Get(si.ID, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.SetupIntentStatusSucceeded, si.Status)
	pi, err := b.card(si.PaymentMethod.ID, func(p *stripe.PaymentIntentParams) {
		p.Customer, p.OffSession = stripe.String(cus.ID), stripe.Bool(true)
	})
	require.NoError(t, err, "a card that was set up passes off-session")
	require.Equal(t, stripe.PaymentIntentStatusSucceeded, pi.Status)

	_, err = b.card("pm_card_authenticationRequiredOnSetup", func(p *stripe.PaymentIntentParams) { p.OffSession = stripe.Bool(true) })
	require.Equal(t, stripe.ErrorCodeAuthenticationRequired, stripeError(t, err).Code)

	si, err = b.sc.SetupIntents.New(&stripe.SetupIntentParams{PaymentMethodTypes: stripe.StringSlice([]string{"card"})})
	require.NoError(t, err)
	_, err = b.sc.SetupIntents.Confirm(si.ID, &stripe.SetupIntentConfirmParams{PaymentMethod: stripe.String("pm_card_visa_chargeDeclined")})
	require.Equal(t, stripe.ErrorCodeCardDeclined, stripeError(t, err).Code)
	si, err = b.sc.SetupIntents.Cancel(si.ID, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.SetupIntentStatusCanceled, si.Status)
}

func TestManualConfirmation(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	pi, err := b.card("pm_card_threeDSecure2Required", func(p *stripe.PaymentIntentParams) { p.ConfirmationMethod = stripe.String("manual") })
	require.NoError(t, err)
	require.NoError(t, b.Stripe.CompleteAction(pi.ID, sandbox.Succeed))
	pi, err = b.sc.PaymentIntents.Get(pi.ID, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusRequiresConfirmation, pi.Status, "the server confirms once more")
	pi, err = b.sc.PaymentIntents.Confirm(pi.ID, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusSucceeded, pi.Status)
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	for typ, tc := range map[string]struct{ currency, action string }{
		"ideal": {"eur", "redirect_to_url"}, "grabpay": {"sgd", "redirect_to_url"}, "alipay": {"usd", "alipay_handle_redirect"},
		"wechat_pay": {"cny", "wechat_pay_display_qr_code"},
	} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			b := start(t, sandbox.Options{})
			pay := func() *stripe.PaymentIntent {
				p := &stripe.PaymentIntentParams{Amount: stripe.Int64(5000), Currency: stripe.String(tc.currency), Confirm: stripe.Bool(true),
					PaymentMethodTypes: stripe.StringSlice([]string{typ}), ReturnURL: stripe.String("http://127.0.0.1/back"),
					PaymentMethodData: &stripe.PaymentIntentPaymentMethodDataParams{Type: stripe.String(typ)}}
				if typ == "wechat_pay" {
					p.PaymentMethodOptions = &stripe.PaymentIntentPaymentMethodOptionsParams{WeChatPay: &stripe.PaymentIntentPaymentMethodOptionsWeChatPayParams{Client: stripe.String("web")}}
				}
				pi, err := b.sc.PaymentIntents.New(p)
				require.NoError(t, err)
				require.EqualValues(t, tc.action, pi.NextAction.Type)
				return pi
			}
			pi := pay()
			require.NoError(t, b.Stripe.CompleteAction(pi.ID, sandbox.Succeed))
			get := &stripe.PaymentIntentParams{}
			get.AddExpand("latest_charge")
			pi, err := b.sc.PaymentIntents.Get(pi.ID, get)
			require.NoError(t, err)
			require.Equal(t, stripe.PaymentIntentStatusSucceeded, pi.Status)
			require.EqualValues(t, typ, pi.LatestCharge.PaymentMethodDetails.Type)
			require.True(t, strings.HasPrefix(pi.LatestCharge.ID, "py_"))

			r, err := b.sc.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID)})
			require.NoError(t, err)
			require.Equal(t, stripe.RefundStatusPending, r.Status, "a bank answers later")
			b.Advance(time.Minute)
			r, err = b.sc.Refunds.Get(r.ID, nil)
			require.NoError(t, err)
			require.Equal(t, stripe.RefundStatusSucceeded, r.Status)

			pi = pay()
			require.NoError(t, b.Stripe.CompleteAction(pi.ID, sandbox.Expire))
			pi, err = b.sc.PaymentIntents.Get(pi.ID, nil)
			require.NoError(t, err)
			require.Equal(t, stripe.PaymentIntentStatusRequiresPaymentMethod, pi.Status)

			pi = pay()
			require.NoError(t, b.Stripe.CompleteAction(pi.ID, sandbox.Process))
			truth, _ := b.Stripe.Payment(pi.ID)
			require.Equal(t, "processing", truth.Status)
			require.NoError(t, b.Stripe.Settle(pi.ID, false))
			truth, _ = b.Stripe.Payment(pi.ID)
			require.Equal(t, "requires_payment_method", truth.Status)
			require.Zero(t, truth.Received)
		})
	}
}

func TestDirectDebitSettlesLater(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	for iban, want := range map[string]stripe.PaymentIntentStatus{"DE89370400440532013000": stripe.PaymentIntentStatusSucceeded, "DE62370400440532013001": stripe.PaymentIntentStatusRequiresPaymentMethod} {
		pi, err := b.sc.PaymentIntents.New(&stripe.PaymentIntentParams{Amount: stripe.Int64(5000), Currency: stripe.String("eur"), Confirm: stripe.Bool(true),
			PaymentMethodTypes: stripe.StringSlice([]string{"sepa_debit"}),
			PaymentMethodData:  &stripe.PaymentIntentPaymentMethodDataParams{Type: stripe.String("sepa_debit"), SEPADebit: &stripe.PaymentMethodSEPADebitParams{IBAN: stripe.String(iban)}}})
		require.NoError(t, err)
		require.Equal(t, stripe.PaymentIntentStatusProcessing, pi.Status)
		b.Advance(time.Minute)
		pi, err = b.sc.PaymentIntents.Get(pi.ID, nil)
		require.NoError(t, err)
		require.Equal(t, want, pi.Status)
	}
	require.Contains(t, b.types(), "charge.failed")
}

func TestAsyncCaptureBooksLater(t *testing.T) {
	t.Parallel()
	at := time.Now()
	b := start(t, sandbox.Options{Now: func() time.Time { return at }})
	pi, err := b.card("pm_card_visa", func(p *stripe.PaymentIntentParams) {
		p.CaptureMethod = stripe.String("automatic_async")
		p.AddExpand("latest_charge")
	})
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusSucceeded, pi.Status)
	require.Nil(t, pi.LatestCharge.BalanceTransaction)
	b.Advance(time.Minute)
	ch, err := b.sc.Charges.Get(pi.LatestCharge.ID, nil)
	require.NoError(t, err)
	require.NotNil(t, ch.BalanceTransaction)
}

func TestRefundsThatFailOrPend(t *testing.T) {
	t.Parallel()
	at := time.Now()
	b := start(t, sandbox.Options{Now: func() time.Time { return at }})
	for token, want := range map[string][2]stripe.RefundStatus{
		"pm_card_pendingRefund": {stripe.RefundStatusPending, stripe.RefundStatusSucceeded},
		"pm_card_refundFail":    {stripe.RefundStatusSucceeded, stripe.RefundStatusFailed},
	} {
		pi, err := b.card(token)
		require.NoError(t, err)
		r, err := b.sc.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(500), Reason: stripe.String("duplicate")})
		require.NoError(t, err)
		require.Equal(t, want[0], r.Status)
		b.Advance(time.Minute)
		r, err = b.sc.Refunds.Get(r.ID, nil)
		require.NoError(t, err)
		require.Equal(t, want[1], r.Status)
		truth, _ := b.Stripe.Payment(pi.ID)
		if want[1] == stripe.RefundStatusFailed {
			require.NotNil(t, r.FailureBalanceTransaction)
			require.Zero(t, truth.Refunded, "the money is back")
		} else {
			require.EqualValues(t, 500, truth.Refunded)
		}
	}
	require.Subset(t, b.types(), []string{"refund.created", "refund.updated", "charge.refund.updated", "refund.failed", "charge.refunded"})
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	pi, err := b.card("pm_card_visa", manual)
	require.NoError(t, err)
	require.NoError(t, b.Stripe.CaptureFromDashboard(pi.ID, 1200))
	id, err := b.Stripe.RefundFromDashboard(pi.ID, 200)
	require.NoError(t, err)
	require.NoError(t, b.Stripe.FailRefund(id))
	_, err = b.Stripe.RefundFromDashboard(pi.ID, 1201)
	require.Error(t, err)
	gross, net := b.Stripe.Collected("usd")
	require.EqualValues(t, 1200, gross)
	require.EqualValues(t, 1200, net)
	other, err := b.card("pm_card_visa", manual)
	require.NoError(t, err)
	require.NoError(t, b.Stripe.CancelFromDashboard(other.ID))
	require.Error(t, b.Stripe.CancelFromDashboard(other.ID))
	require.Error(t, b.Stripe.CaptureFromDashboard("pi_none", 0))
}

func TestDisputes(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	pi, err := b.card("pm_card_createDispute")
	require.NoError(t, err)
	b.Advance(time.Minute)
	it := b.sc.Disputes.List(&stripe.DisputeListParams{PaymentIntent: stripe.String(pi.ID)})
	require.True(t, it.Next())
	d := it.Dispute()
	require.Equal(t, stripe.DisputeStatusNeedsResponse, d.Status)
	require.Equal(t, stripe.DisputeReasonFraudulent, d.Reason)
	require.EqualValues(t, -2000, d.BalanceTransactions[0].Amount)
	require.EqualValues(t, 1500, d.BalanceTransactions[0].Fee)
	_, net := b.Stripe.Collected("usd")
	require.Zero(t, net)
	_, err = b.sc.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID)})
	require.Equal(t, stripe.ErrorCodeChargeDisputed, stripeError(t, err).Code)

	f, err := b.sc.Files.New(&stripe.FileParams{Purpose: stripe.String("dispute_evidence"), FileReader: strings.NewReader("%PDF-1.4 receipt"), Filename: stripe.String("receipt.pdf")})
	require.NoError(t, err)
	require.Equal(t, "pdf", f.Type)
	require.EqualValues(t, 16, f.Size)
	d, err = b.sc.Disputes.Update(d.ID, &stripe.DisputeParams{Evidence: &stripe.DisputeEvidenceParams{Receipt: stripe.String(f.ID), CustomerName: stripe.String("Ada")}, Submit: stripe.Bool(false)})
	require.NoError(t, err)
	require.Equal(t, stripe.DisputeStatusNeedsResponse, d.Status, "staged evidence is not submitted")
	d, err = b.sc.Disputes.Update(d.ID, &stripe.DisputeParams{Evidence: &stripe.DisputeEvidenceParams{UncategorizedText: stripe.String("winning_evidence")}, Submit: stripe.Bool(true)})
	require.NoError(t, err)
	require.Equal(t, stripe.DisputeStatusUnderReview, d.Status)
	require.EqualValues(t, 1, d.EvidenceDetails.SubmissionCount)
	require.Equal(t, f.ID, d.Evidence.Receipt.ID)
	b.Advance(time.Minute)
	d, err = b.sc.Disputes.Get(d.ID, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.DisputeStatusWon, d.Status)
	_, net = b.Stripe.Collected("usd")
	require.EqualValues(t, 2000, net)
	_, err = b.sc.Disputes.Close(d.ID, nil)
	require.Equal(t, 400, stripeError(t, err).HTTPStatusCode)

	pi, err = b.card("pm_card_visa")
	require.NoError(t, err)
	id, err := b.Stripe.OpenInquiry(pi.ID, "product_not_received", 500)
	require.NoError(t, err)
	d, err = b.sc.Disputes.Get(id, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.DisputeStatusWarningNeedsResponse, d.Status)
	require.Empty(t, d.BalanceTransactions)
	require.True(t, d.IsChargeRefundable)
	require.NoError(t, b.Stripe.EscalateInquiry(id))
	d, err = b.sc.Disputes.Close(id, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.DisputeStatusLost, d.Status)
	_, net = b.Stripe.Collected("usd")
	require.EqualValues(t, 3500, net)

	_, err = b.Stripe.OpenDispute(pi.ID, "fraudulent", 1501)
	require.Error(t, err, "no more than was captured and not yet withdrawn")
	_, err = b.Stripe.OpenDispute(pi.ID, "whim", 1)
	require.Error(t, err)
	require.Subset(t, b.types(), []string{"charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"})
}

func TestListsAndPages(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := start(t, sandbox.Options{Now: func() time.Time { return at }})
	var made []string
	for range 7 {
		pi, err := b.card("pm_card_visa")
		require.NoError(t, err)
		made = append([]string{pi.ID}, made...)
		b.Advance(time.Minute)
	}
	ids := func(p *stripe.PaymentIntentListParams) []string {
		var out []string
		it := b.sc.PaymentIntents.List(p)
		for it.Next() {
			out = append(out, it.PaymentIntent().ID)
		}
		require.NoError(t, it.Err())
		return out
	}
	p := &stripe.PaymentIntentListParams{}
	p.Limit = stripe.Int64(3)
	require.Equal(t, made, ids(p), "newest first, over three pages")
	p = &stripe.PaymentIntentListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: at.Add(5 * time.Minute).Unix()}}
	require.Equal(t, made[:2], ids(p))
	p = &stripe.PaymentIntentListParams{}
	p.EndingBefore = stripe.String(made[3])
	require.ElementsMatch(t, made[:3], ids(p))

	cl := &stripe.ChargeListParams{PaymentIntent: stripe.String(made[0])}
	charges := b.sc.Charges.List(cl)
	n := 0
	for charges.Next() {
		n++
	}
	require.NoError(t, charges.Err())
	require.Equal(t, 1, n)
	bal, err := b.sc.Balance.Get(nil)
	require.NoError(t, err)
	require.EqualValues(t, 7*(2000-88), bal.Pending[0].Amount)
	b.Advance(3 * 24 * time.Hour)
	bal, err = b.sc.Balance.Get(nil)
	require.NoError(t, err)
	require.EqualValues(t, 7*(2000-88), bal.Available[0].Amount)
	txns := b.sc.BalanceTransactions.List(&stripe.BalanceTransactionListParams{Type: stripe.String("charge")})
	n = 0
	for txns.Next() {
		require.EqualValues(t, 88, txns.BalanceTransaction().FeeDetails[0].Amount)
		n++
	}
	require.Equal(t, 7, n)
}

func TestSearchLags(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	pi, err := b.card("pm_card_visa", func(p *stripe.PaymentIntentParams) { p.Metadata = map[string]string{"order": "4'2"} })
	require.NoError(t, err)
	find := func(q string) int {
		p := &stripe.PaymentIntentSearchParams{}
		p.Query = q
		it := b.sc.PaymentIntents.Search(p)
		n := 0
		for it.Next() {
			require.Equal(t, pi.ID, it.PaymentIntent().ID)
			n++
		}
		require.NoError(t, it.Err())
		return n
	}
	q := `metadata["order"]:"4'2" AND status:"succeeded"`
	require.Zero(t, find(q), "search does not see what was just written")
	b.Advance(2 * time.Minute)
	require.Equal(t, 1, find(q))
	require.Equal(t, 1, find(`metadata['order']:'4\'2' amount>1999`))
	require.Equal(t, 1, find(`currency:'usd' OR amount:1`))
	require.Zero(t, find(`-currency:'usd'`))
	require.Zero(t, find(`metadata["order"]:"43"`))
	p := &stripe.PaymentIntentSearchParams{}
	p.Query = `colour:"red"`
	it := b.sc.PaymentIntents.Search(p)
	require.False(t, it.Next())
	require.Equal(t, "query", stripeError(t, it.Err()).Param)
}

func TestConnect(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	// A destination charge: the connected account gets the money less the fee.
	pi, err := b.card("pm_card_bypassPending", func(p *stripe.PaymentIntentParams) {
		p.ApplicationFeeAmount = stripe.Int64(300)
		p.TransferData = &stripe.PaymentIntentTransferDataParams{Destination: stripe.String("acct_seller")}
		p.AddExpand("latest_charge")
	})
	require.NoError(t, err)
	tr, err := b.sc.Transfers.Get(pi.LatestCharge.Transfer.ID, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2000, tr.Amount)
	require.Equal(t, "acct_seller", tr.Destination.ID)
	r, err := b.sc.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(1000), ReverseTransfer: stripe.Bool(true), RefundApplicationFee: stripe.Bool(true)})
	require.NoError(t, err)
	require.NotNil(t, r.TransferReversal)
	tr, err = b.sc.Transfers.Get(tr.ID, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1000, tr.AmountReversed)

	// A direct charge lives in the connected account.
	p := &stripe.PaymentIntentParams{Amount: stripe.Int64(2000), Currency: stripe.String("usd"), Confirm: stripe.Bool(true), PaymentMethod: stripe.String("pm_card_visa"),
		PaymentMethodTypes: stripe.StringSlice([]string{"card"}), ApplicationFeeAmount: stripe.Int64(200)}
	p.SetStripeAccount("acct_seller")
	direct, err := b.sc.PaymentIntents.New(p)
	require.NoError(t, err)
	_, err = b.sc.PaymentIntents.Get(direct.ID, nil)
	require.Equal(t, 404, stripeError(t, err).HTTPStatusCode, "not the platform's own")
	get := &stripe.PaymentIntentParams{}
	get.SetStripeAccount("acct_seller")
	get.AddExpand("latest_charge.balance_transaction")
	direct, err = b.sc.PaymentIntents.Get(direct.ID, get)
	require.NoError(t, err)
	require.EqualValues(t, 2000-88-200, direct.LatestCharge.BalanceTransaction.Net)

	// Separate charges and transfers.
	_, err = b.sc.Transfers.New(&stripe.TransferParams{Amount: stripe.Int64(1000000), Currency: stripe.String("usd"), Destination: stripe.String("acct_seller")})
	require.Equal(t, stripe.ErrorCodeBalanceInsufficient, stripeError(t, err).Code)
	src, err := b.card("pm_card_visa")
	require.NoError(t, err)
	tr, err = b.sc.Transfers.New(&stripe.TransferParams{Amount: stripe.Int64(1500), Currency: stripe.String("usd"), Destination: stripe.String("acct_other"), SourceTransaction: stripe.String(src.LatestCharge.ID)})
	require.NoError(t, err)
	_, err = b.sc.Transfers.New(&stripe.TransferParams{Amount: stripe.Int64(501), Currency: stripe.String("usd"), Destination: stripe.String("acct_other"), SourceTransaction: stripe.String(src.LatestCharge.ID)})
	require.Contains(t, stripeError(t, err).Msg, "must not exceed")
	rev, err := b.sc.TransferReversals.New(&stripe.TransferReversalParams{ID: stripe.String(tr.ID), Amount: stripe.Int64(400)})
	require.NoError(t, err)
	require.EqualValues(t, 400, rev.Amount)
	_, err = b.sc.TransferReversals.New(&stripe.TransferReversalParams{ID: stripe.String(tr.ID), Amount: stripe.Int64(1101)})
	require.Equal(t, "amount", stripeError(t, err).Param)
	_, err = b.card("pm_card_visa", func(p *stripe.PaymentIntentParams) { p.ApplicationFeeAmount = stripe.Int64(1) })
	require.Equal(t, "application_fee_amount", stripeError(t, err).Param)
}

func TestPayouts(t *testing.T) {
	t.Parallel()
	at := time.Now()
	b := start(t, sandbox.Options{Now: func() time.Time { return at }})
	_, err := b.sc.Payouts.New(&stripe.PayoutParams{Amount: stripe.Int64(100), Currency: stripe.String("usd")})
	require.Equal(t, stripe.ErrorCodeBalanceInsufficient, stripeError(t, err).Code)
	_, err = b.card("pm_card_bypassPending")
	require.NoError(t, err)
	po, err := b.sc.Payouts.New(&stripe.PayoutParams{Amount: stripe.Int64(1000), Currency: stripe.String("usd")})
	require.NoError(t, err)
	require.Equal(t, stripe.PayoutStatusPending, po.Status)
	b.Advance(time.Minute)
	po, err = b.sc.Payouts.Get(po.ID, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.PayoutStatusPaid, po.Status)
	require.NoError(t, b.Stripe.FailPayout(po.ID, ""))
	po, err = b.sc.Payouts.Get(po.ID, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.PayoutStatusFailed, po.Status)
	require.Equal(t, stripe.PayoutFailureCodeAccountClosed, po.FailureCode)
	bal, err := b.sc.Balance.Get(nil)
	require.NoError(t, err)
	require.EqualValues(t, 2000-88, bal.Available[0].Amount)
}

func TestEventsAndEndpoints(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	in := newInbox(t, "")
	_, err := b.sc.WebhookEndpoints.New(&stripe.WebhookEndpointParams{URL: stripe.String("https://example.com/hook"), EnabledEvents: stripe.StringSlice([]string{"*"})})
	require.Equal(t, stripe.ErrorCodeURLInvalid, stripeError(t, err).Code)
	we, err := b.sc.WebhookEndpoints.New(&stripe.WebhookEndpointParams{URL: stripe.String(in.URL), EnabledEvents: stripe.StringSlice([]string{"payment_intent.succeeded"})})
	require.NoError(t, err)
	require.NotEmpty(t, we.Secret)
	_, err = b.card("pm_card_visa")
	require.NoError(t, err)
	b.flush()
	require.Len(t, b.Deliveries(), 1, "only what the endpoint asked for")
	it := b.sc.Events.List(&stripe.EventListParams{Type: stripe.String("charge.*")})
	require.True(t, it.Next())
	require.EqualValues(t, "charge.succeeded", it.Event().Type)
	require.False(t, it.Next())
	e, err := b.sc.Events.Get(b.Stripe.Events()[0].ID, nil)
	require.NoError(t, err)
	require.EqualValues(t, "payment_intent.created", e.Type)
	require.NoError(t, b.Stripe.Resend(b.Stripe.Events()[2].ID))
	b.flush()
	require.Len(t, b.Deliveries(), 2)
	_, err = b.sc.WebhookEndpoints.Del(we.ID, nil)
	require.NoError(t, err)
}

func TestForgedEventsAreRefused(t *testing.T) {
	t.Parallel()
	in := newInbox(t, "whsec_test")
	b := start(t, sandbox.Options{WebhookURLs: []string{in.URL}, StripeWebhookSecret: "whsec_test", WebhookRetries: []time.Duration{}})
	require.NoError(t, b.Stripe.ForgeEvent("payment_intent.succeeded", []byte(`{"id":"pi_1","object":"payment_intent"}`)))
	require.Error(t, b.Stripe.ForgeEvent("payment_intent.succeeded", []byte(`{`)))
	b.flush()
	require.Equal(t, 1, in.refused)
	require.Empty(t, in.types())
	require.Empty(t, b.Stripe.Events())
}

func TestRolledSecretSignsBesideTheNewOne(t *testing.T) {
	t.Parallel()
	in := newInbox(t, "whsec_test")
	b := start(t, sandbox.Options{WebhookURLs: []string{in.URL}, StripeWebhookSecret: "whsec_test", WebhookRetries: []time.Duration{}})
	customer := func() {
		_, err := b.sc.Customers.New(&stripe.CustomerParams{})
		require.NoError(t, err)
		b.flush()
	}
	require.NotEqual(t, "whsec_test", b.Stripe.RollWebhookSecret(time.Hour))
	customer()
	require.Len(t, in.got, 1, "the old secret is still good")
	b.Advance(2 * time.Hour)
	customer()
	require.Len(t, in.got, 1)
	require.Equal(t, 1, in.refused)
}

func TestEventsTellWhatChanged(t *testing.T) {
	t.Parallel()
	in := newInbox(t, "whsec_test")
	b := start(t, sandbox.Options{WebhookURLs: []string{in.URL}, StripeWebhookSecret: "whsec_test"})
	pi, err := b.card("pm_card_visa", manual)
	require.NoError(t, err)
	_, err = b.sc.PaymentIntents.Capture(pi.ID, nil)
	require.NoError(t, err)
	b.flush()
	for _, e := range in.got {
		if e.Type == "charge.captured" {
			require.Equal(t, false, e.Data.PreviousAttributes["captured"])
			require.EqualValues(t, 0, e.Data.PreviousAttributes["amount_captured"])
			require.NotContains(t, e.Data.PreviousAttributes, "amount")
			return
		}
	}
	t.Fatal("no charge.captured event")
}

func TestInPersonAndWallets(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	p := &stripe.PaymentIntentParams{Amount: stripe.Int64(900), Currency: stripe.String("usd"), Confirm: stripe.Bool(true), CaptureMethod: stripe.String("manual"),
		PaymentMethodTypes: stripe.StringSlice([]string{"card_present"}), PaymentMethodData: &stripe.PaymentIntentPaymentMethodDataParams{Type: stripe.String("card_present")}}
	p.AddExpand("latest_charge")
	pi, err := b.sc.PaymentIntents.New(p)
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusRequiresCapture, pi.Status)
	require.EqualValues(t, "contactless_emv", pi.LatestCharge.PaymentMethodDetails.CardPresent.ReadMethod)
	resp, err := http.Get(pi.LatestCharge.ReceiptURL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode)
	for token, wallet := range map[string]string{"tok_applepay": "apple_pay", "tok_googlepay": "google_pay"} {
		pm, err := b.sc.PaymentMethods.New(&stripe.PaymentMethodParams{Type: stripe.String("card"), Card: &stripe.PaymentMethodCardParams{Token: stripe.String(token)}})
		require.NoError(t, err)
		pi, err := b.card(pm.ID, func(p *stripe.PaymentIntentParams) { p.AddExpand("latest_charge") })
		require.NoError(t, err)
		require.EqualValues(t, wallet, pi.LatestCharge.PaymentMethodDetails.Card.Wallet.Type)
	}
	pi, err = b.sc.PaymentIntents.New(&stripe.PaymentIntentParams{Amount: stripe.Int64(900), Currency: stripe.String("usd"), Confirm: stripe.Bool(true),
		PaymentMethodTypes: stripe.StringSlice([]string{"link"}), PaymentMethodData: &stripe.PaymentIntentPaymentMethodDataParams{Type: stripe.String("link")}})
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusSucceeded, pi.Status)
}

func TestMoneyAlwaysAddsUp(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	for i, token := range []string{"pm_card_visa", "pm_card_createDispute", "pm_card_refundFail", "pm_card_visa_chargeDeclined", "pm_card_pendingRefund", "pm_card_createDisputeInquiry"} {
		pi, err := b.card(token, func(p *stripe.PaymentIntentParams) {
			if i%2 == 0 {
				manual(p)
			}
		})
		if err != nil {
			continue
		}
		if pi.Status == stripe.PaymentIntentStatusRequiresCapture {
			require.NoError(t, b.Stripe.CaptureFromDashboard(pi.ID, 1700))
		}
		_, _ = b.Stripe.RefundFromDashboard(pi.ID, 300)
	}
	b.Advance(5 * 24 * time.Hour)
	// What the balance holds is the sum of all balance transactions' nets.
	var net int64
	txns := b.sc.BalanceTransactions.List(&stripe.BalanceTransactionListParams{})
	fees := int64(0)
	for txns.Next() {
		bt := txns.BalanceTransaction()
		require.Equal(t, bt.Amount-bt.Fee, bt.Net)
		net, fees = net+bt.Net, fees+bt.Fee
	}
	require.NoError(t, txns.Err())
	bal, err := b.sc.Balance.Get(nil)
	require.NoError(t, err)
	require.Equal(t, net, bal.Available[0].Amount+bal.Pending[0].Amount)
	require.Zero(t, bal.Pending[0].Amount, "everything is available by now")
	_, collected := b.Stripe.Collected("usd")
	require.Equal(t, collected-fees, net, "the truth, less fees, is the balance")
}
