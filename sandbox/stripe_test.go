package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"
	"github.com/stripe/stripe-go/v76/webhook"

	"github.com/tender-go/payment/sandbox"
)

// bench is one sandbox with Stripe's own SDK pointed at it.
type bench struct {
	*sandbox.Server
	t  *testing.T
	sc *client.API
	at time.Time
}

func start(t *testing.T, o sandbox.Options) *bench {
	t.Helper()
	if o.Seed == 0 {
		o.Seed = 7
	}
	srv, err := sandbox.Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	return &bench{Server: srv, t: t, sc: sdk(srv)}
}

func sdk(srv *sandbox.Server) *client.API {
	hc := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}} // net/http itself repeats a keyed POST on a kept-alive connection
	mk := func(kind stripe.SupportedBackend) stripe.Backend {
		return stripe.GetBackendWithConfig(kind, &stripe.BackendConfig{URL: stripe.String(srv.Stripe.URL), HTTPClient: hc,
			MaxNetworkRetries: stripe.Int64(0), EnableTelemetry: stripe.Bool(false), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull}})
	}
	return client.New(srv.Stripe.SecretKey, &stripe.Backends{API: mk(stripe.APIBackend), Connect: mk(stripe.ConnectBackend), Uploads: mk(stripe.UploadsBackend)})
}

// card is a confirmed payment by test card; mod changes the parameters.
func (b *bench) card(method string, mod ...func(*stripe.PaymentIntentParams)) (*stripe.PaymentIntent, error) {
	p := &stripe.PaymentIntentParams{Amount: stripe.Int64(2000), Currency: stripe.String("usd"), Confirm: stripe.Bool(true),
		PaymentMethod: stripe.String(method), PaymentMethodTypes: stripe.StringSlice([]string{"card"})}
	for _, f := range mod {
		f(p)
	}
	return b.sc.PaymentIntents.New(p)
}

func manual(p *stripe.PaymentIntentParams) { p.CaptureMethod = stripe.String("manual") }

func (b *bench) types() []string {
	var out []string
	for _, e := range b.Stripe.Events() {
		out = append(out, e.Type)
	}
	return out
}

func (b *bench) flush() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(b.t, b.Flush(ctx))
}

// stripeError returns the SDK's error; a nil or foreign error fails the test.
func stripeError(t *testing.T, err error) *stripe.Error {
	t.Helper()
	var e *stripe.Error
	require.True(t, errors.As(err, &e), "want a Stripe error, got %v", err)
	return e
}

// inbox is a shop's webhook endpoint that records what verifies.
type inbox struct {
	*httptest.Server
	mu      sync.Mutex
	got     []stripe.Event
	refused int
	status  func(n int) int // answer to the n-th delivery, from 0
	n       int
}

func newInbox(t *testing.T, secret string) *inbox {
	in := &inbox{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		defer in.mu.Unlock()
		n := in.n
		in.n++
		e, err := webhook.ConstructEvent(body, r.Header.Get("Stripe-Signature"), secret)
		if err != nil {
			in.refused++
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if in.status != nil {
			if code := in.status(n); code != 200 {
				w.WriteHeader(code)
				return
			}
		}
		in.got = append(in.got, e)
	}))
	t.Cleanup(in.Close)
	return in
}

func (in *inbox) types() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	var out []string
	for _, e := range in.got {
		out = append(out, string(e.Type))
	}
	return out
}

func TestPaymentSucceedsAtOnce(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	p := &stripe.PaymentIntentParams{Amount: stripe.Int64(2000), Currency: stripe.String("usd"), Confirm: stripe.Bool(true), PaymentMethod: stripe.String("pm_card_visa"),
		AutomaticPaymentMethods: &stripe.PaymentIntentAutomaticPaymentMethodsParams{Enabled: stripe.Bool(true), AllowRedirects: stripe.String("never")},
		Metadata:                map[string]string{"order": "42"}}
	p.AddExpand("latest_charge.balance_transaction")
	p.AddExpand("payment_method")
	pi, err := b.sc.PaymentIntents.New(p)
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusSucceeded, pi.Status)
	require.EqualValues(t, 2000, pi.AmountReceived)
	require.Equal(t, "4242", pi.PaymentMethod.Card.Last4)
	require.Equal(t, "approved_by_network", pi.LatestCharge.Outcome.NetworkStatus)
	require.EqualValues(t, 88, pi.LatestCharge.BalanceTransaction.Fee)
	require.EqualValues(t, 1912, pi.LatestCharge.BalanceTransaction.Net)
	require.Equal(t, []string{"payment_intent.created", "charge.succeeded", "payment_intent.succeeded"}, b.types())
	gross, net := b.Stripe.Collected("usd")
	require.EqualValues(t, 2000, gross)
	require.EqualValues(t, 2000, net)
	require.Len(t, b.Stripe.PaymentsWhere(map[string]string{"order": "42"}), 1)
	require.Empty(t, b.Stripe.PaymentsWhere(map[string]string{"order": "43"}))
}

func TestAuthorizeCaptureRefund(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	pi, err := b.card("pm_card_mastercard", manual)
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusRequiresCapture, pi.Status)
	require.EqualValues(t, 2000, pi.AmountCapturable)

	_, err = b.sc.PaymentIntents.Capture(pi.ID, &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(2001)})
	require.Equal(t, stripe.ErrorCodeAmountTooLarge, stripeError(t, err).Code)

	pi, err = b.sc.PaymentIntents.Capture(pi.ID, &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(1500)})
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusSucceeded, pi.Status)
	require.EqualValues(t, 1500, pi.AmountReceived)
	require.Zero(t, pi.AmountCapturable)

	_, err = b.sc.PaymentIntents.Capture(pi.ID, nil)
	e := stripeError(t, err)
	require.Equal(t, stripe.ErrorCodePaymentIntentUnexpectedState, e.Code)
	require.Equal(t, pi.ID, e.PaymentIntent.ID)

	r, err := b.sc.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(600)})
	require.NoError(t, err)
	require.Equal(t, stripe.RefundStatusSucceeded, r.Status)
	_, err = b.sc.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID), Amount: stripe.Int64(901)})
	require.Equal(t, stripe.ErrorCodeAmountTooLarge, stripeError(t, err).Code)
	r, err = b.sc.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID)})
	require.NoError(t, err)
	require.EqualValues(t, 900, r.Amount)
	_, err = b.sc.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID)})
	require.Equal(t, stripe.ErrorCodeChargeAlreadyRefunded, stripeError(t, err).Code)

	gross, net := b.Stripe.Collected("usd")
	require.EqualValues(t, 1500, gross)
	require.Zero(t, net)
}

func TestAuthorizationExpiresAfterSevenDays(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	pi, err := b.card("pm_card_visa", manual)
	require.NoError(t, err)
	b.Advance(7*24*time.Hour - time.Minute)
	pi, err = b.sc.PaymentIntents.Get(pi.ID, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusRequiresCapture, pi.Status)
	b.Advance(2 * time.Minute)
	pi, err = b.sc.PaymentIntents.Get(pi.ID, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusCanceled, pi.Status)
	require.EqualValues(t, "automatic", pi.CancellationReason)
	require.Contains(t, b.types(), "charge.expired")
}

func TestDeclines(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	for token, want := range map[string][2]string{
		"pm_card_visa_chargeDeclined":                  {"card_declined", "generic_decline"},
		"pm_card_visa_chargeDeclinedInsufficientFunds": {"card_declined", "insufficient_funds"},
		"pm_card_visa_chargeDeclinedLostCard":          {"card_declined", "lost_card"},
		"pm_card_visa_chargeDeclinedStolenCard":        {"card_declined", "stolen_card"},
		"pm_card_chargeDeclinedExpiredCard":            {"expired_card", "expired_card"},
		"pm_card_chargeDeclinedIncorrectCvc":           {"incorrect_cvc", "incorrect_cvc"},
		"pm_card_chargeDeclinedProcessingError":        {"processing_error", "processing_error"},
		"pm_card_chargeDeclinedVelocityLimitExceeded":  {"card_declined", "card_velocity_exceeded"},
		"pm_card_radarBlock":                           {"card_declined", "fraudulent"},
	} {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			_, err := b.card(token)
			e := stripeError(t, err)
			require.Equal(t, 402, e.HTTPStatusCode)
			require.Equal(t, stripe.ErrorTypeCard, e.Type)
			require.EqualValues(t, want[0], e.Code)
			require.EqualValues(t, want[1], e.DeclineCode)
			require.NotEmpty(t, e.ChargeID)
			require.Equal(t, stripe.PaymentIntentStatusRequiresPaymentMethod, e.PaymentIntent.Status)
			require.EqualValues(t, want[0], e.PaymentIntent.LastPaymentError.Code)
			pi, err := b.sc.PaymentIntents.Confirm(e.PaymentIntent.ID, &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String("pm_card_visa")})
			require.NoError(t, err, "a declined intent takes another card")
			require.Equal(t, stripe.PaymentIntentStatusSucceeded, pi.Status)
			require.Nil(t, pi.LastPaymentError)
		})
	}
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	back := func(p *stripe.PaymentIntentParams) { p.ReturnURL = stripe.String("http://127.0.0.1/back?order=1") }

	pi, err := b.card("pm_card_threeDSecure2Required", back)
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusRequiresAction, pi.Status)
	require.EqualValues(t, "redirect_to_url", pi.NextAction.Type)
	require.NoError(t, b.Stripe.CompleteAction(pi.ID, sandbox.Succeed))
	get := &stripe.PaymentIntentParams{}
	get.AddExpand("latest_charge")
	pi, err = b.sc.PaymentIntents.Get(pi.ID, get)
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusSucceeded, pi.Status)
	require.EqualValues(t, "authenticated", pi.LatestCharge.PaymentMethodDetails.Card.ThreeDSecure.Result)
	require.Error(t, b.Stripe.CompleteAction(pi.ID, sandbox.Succeed), "an action is completed once")

	pi, err = b.card("pm_card_authenticationRequired")
	require.NoError(t, err)
	require.EqualValues(t, "use_stripe_sdk", pi.NextAction.Type)
	require.NoError(t, b.Stripe.CompleteAction(pi.ID, sandbox.Fail))
	pi, err = b.sc.PaymentIntents.Get(pi.ID, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.PaymentIntentStatusRequiresPaymentMethod, pi.Status)
	require.Equal(t, stripe.ErrorCodePaymentIntentAuthenticationFailure, pi.LastPaymentError.Code)

	_, err = b.card("pm_card_authenticationRequired", func(p *stripe.PaymentIntentParams) { p.OffSession = stripe.Bool(true) })
	require.Equal(t, stripe.ErrorCodeAuthenticationRequired, stripeError(t, err).Code)

	pi, err = b.card("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")
	require.NoError(t, err)
	require.NoError(t, b.Stripe.CompleteAction(pi.ID, sandbox.Succeed))
	truth, ok := b.Stripe.Payment(pi.ID)
	require.True(t, ok)
	require.Equal(t, "insufficient_funds", truth.DeclineCode)
}

func TestRedirectPageReturnsToTheShop(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	for outcome, want := range map[string]string{"succeed": "succeeded", "fail": "failed"} {
		pi, err := b.sc.PaymentIntents.New(&stripe.PaymentIntentParams{Amount: stripe.Int64(2000), Currency: stripe.String("eur"), Confirm: stripe.Bool(true),
			PaymentMethodTypes: stripe.StringSlice([]string{"ideal"}), ReturnURL: stripe.String("http://127.0.0.1/back?order=1"),
			PaymentMethodData: &stripe.PaymentIntentPaymentMethodDataParams{Type: stripe.String("ideal"), IDEAL: &stripe.PaymentMethodIDEALParams{Bank: stripe.String("ing")}}})
		require.NoError(t, err)
		page := pi.NextAction.RedirectToURL.URL
		resp, err := http.Get(page)
		require.NoError(t, err)
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		require.Contains(t, string(body), "Complete")
		hc := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err = hc.PostForm(page, map[string][]string{"outcome": {outcome}})
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Equal(t, http.StatusSeeOther, resp.StatusCode)
		loc, err := resp.Location()
		require.NoError(t, err)
		require.Equal(t, pi.ID, loc.Query().Get("payment_intent"))
		require.Equal(t, pi.ClientSecret, loc.Query().Get("payment_intent_client_secret"))
		require.Equal(t, want, loc.Query().Get("redirect_status"))
		require.Equal(t, "1", loc.Query().Get("order"))
		resp, err = hc.PostForm(page, map[string][]string{"outcome": {"succeed"}})
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode, "a page acts once")
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	keyed := func(k string) func(*stripe.PaymentIntentParams) {
		return func(p *stripe.PaymentIntentParams) { p.SetIdempotencyKey(k) }
	}
	one, err := b.card("pm_card_visa", keyed("k1"))
	require.NoError(t, err)
	two, err := b.card("pm_card_visa", keyed("k1"))
	require.NoError(t, err)
	require.Equal(t, one.ID, two.ID)
	require.Equal(t, "true", two.LastResponse.Header.Get("Idempotent-Replayed"))
	require.Len(t, b.Stripe.Payments(), 1)

	_, err = b.card("pm_card_visa", keyed("k1"), func(p *stripe.PaymentIntentParams) { p.Amount = stripe.Int64(2100) })
	e := stripeError(t, err)
	require.Equal(t, stripe.ErrorTypeIdempotency, e.Type)
	require.Equal(t, 400, e.HTTPStatusCode)

	_, err = b.card("pm_card_visa_chargeDeclined", keyed("k2"))
	require.Equal(t, 402, stripeError(t, err).HTTPStatusCode)
	_, err = b.card("pm_card_visa_chargeDeclined", keyed("k2"))
	require.Equal(t, 402, stripeError(t, err).HTTPStatusCode)
	require.Len(t, b.Stripe.Payments(), 2, "a decline is replayed, not tried again")

	_, err = b.card("pm_card_visa", keyed("k3"), func(p *stripe.PaymentIntentParams) { p.Amount = stripe.Int64(1) })
	require.Equal(t, stripe.ErrorCodeAmountTooSmall, stripeError(t, err).Code)
	_, err = b.card("pm_card_visa", keyed("k3"))
	require.NoError(t, err, "a request that failed validation leaves its key free")

	b.Advance(24*time.Hour + time.Second)
	three, err := b.card("pm_card_visa", keyed("k1"))
	require.NoError(t, err)
	require.NotEqual(t, one.ID, three.ID, "keys are removed after 24 hours")
}

func TestIdempotencyKeyInUse(t *testing.T) {
	t.Parallel()
	b := start(t, sandbox.Options{})
	_, err := b.Fault(sandbox.Fault{Kind: sandbox.FaultDelay, Delay: 300 * time.Millisecond, Count: 1})
	require.NoError(t, err)
	keyed := func(p *stripe.PaymentIntentParams) { p.SetIdempotencyKey("same") }
	first := make(chan error, 1)
	go func() { _, err := b.card("pm_card_visa", keyed); first <- err }()
	require.Eventually(t, func() bool { return b.Fired(1) == 1 }, 2*time.Second, time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	_, err = b.card("pm_card_visa", keyed)
	e := stripeError(t, err)
	require.Equal(t, 409, e.HTTPStatusCode)
	require.Equal(t, stripe.ErrorCodeIdempotencyKeyInUse, e.Code)
	require.NoError(t, <-first)
	require.Len(t, b.Stripe.Payments(), 1)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault  sandbox.Fault
		status int // of a Stripe error; 0: no Stripe error at all
		worked bool
	}{
		"timeout before":     {sandbox.Fault{Kind: sandbox.FaultTimeout, Delay: 30 * time.Millisecond}, 0, false},
		"timeout after":      {sandbox.Fault{Kind: sandbox.FaultTimeout, Delay: 30 * time.Millisecond, After: true}, 0, true},
		"reset before":       {sandbox.Fault{Kind: sandbox.FaultReset}, 0, false},
		"reset after":        {sandbox.Fault{Kind: sandbox.FaultReset, After: true}, 0, true},
		"500 before":         {sandbox.Fault{Kind: sandbox.FaultError500}, 500, false},
		"500 after":          {sandbox.Fault{Kind: sandbox.FaultError500, After: true}, 500, true},
		"502 before":         {sandbox.Fault{Kind: sandbox.FaultBadGateway}, 0, false},
		"502 after":          {sandbox.Fault{Kind: sandbox.FaultBadGateway, After: true}, 0, true},
		"503 before":         {sandbox.Fault{Kind: sandbox.FaultUnavailable}, 503, false},
		"garbage after":      {sandbox.Fault{Kind: sandbox.FaultGarbage, After: true}, 0, true},
		"empty after":        {sandbox.Fault{Kind: sandbox.FaultEmpty, After: true}, 0, true},
		"truncated after":    {sandbox.Fault{Kind: sandbox.FaultTruncated, After: true}, 0, true},
		"rate limit":         {sandbox.Fault{Kind: sandbox.FaultRateLimit}, 429, false},
		"lock timeout":       {sandbox.Fault{Kind: sandbox.FaultLockTimeout}, 429, false},
		"conflict":           {sandbox.Fault{Kind: sandbox.FaultConflict}, 409, false},
		"unauthorized":       {sandbox.Fault{Kind: sandbox.FaultUnauthorized}, 401, false},
		"decline with code":  {sandbox.Fault{Kind: sandbox.FaultDecline, Code: "do_not_honor"}, 402, true},
		"delay then go on":   {sandbox.Fault{Kind: sandbox.FaultDelay, Delay: time.Millisecond}, 200, true},
		"another path":       {sandbox.Fault{Kind: sandbox.FaultReset, Path: "/v1/payment_intents/*/capture"}, 200, true},
		"another method":     {sandbox.Fault{Kind: sandbox.FaultReset, Method: "GET"}, 200, true},
		"only after a skip":  {sandbox.Fault{Kind: sandbox.FaultReset, Skip: 1}, 200, true},
		"never by chance":    {sandbox.Fault{Kind: sandbox.FaultReset, Probability: 1e-12}, 200, true},
		"path that matches":  {sandbox.Fault{Kind: sandbox.FaultRateLimit, Method: "POST", Path: "/v1/payment_intents"}, 429, false},
		"provider elsewhere": {sandbox.Fault{Kind: sandbox.FaultReset, Provider: "adyen"}, 200, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, sandbox.Options{})
			tc.fault.Count = 1
			id, err := b.Fault(tc.fault)
			require.NoError(t, err)
			keyed := func(p *stripe.PaymentIntentParams) { p.SetIdempotencyKey("key") }
			pi, err := b.card("pm_card_visa", keyed)
			var e *stripe.Error
			switch {
			case tc.status == 200:
				require.NoError(t, err)
				require.Equal(t, stripe.PaymentIntentStatusSucceeded, pi.Status)
			case tc.status == 0:
				require.Error(t, err)
				require.False(t, errors.As(err, &e), "want no Stripe error, got %v", err)
			default:
				require.Equal(t, tc.status, stripeError(t, err).HTTPStatusCode)
			}
			if tc.worked {
				require.Len(t, b.Stripe.Payments(), 1)
			} else {
				require.Empty(t, b.Stripe.Payments(), "nothing may be done")
			}
			if tc.status != 200 {
				require.Equal(t, 1, b.Fired(id))
			}
			// The same key again: the work exists once, and its first answer comes back.
			pi, err = b.card("pm_card_visa", keyed)
			switch {
			case tc.fault.Kind == sandbox.FaultError500 && tc.fault.After:
				require.Equal(t, 500, stripeError(t, err).HTTPStatusCode, "a 500 is kept under its key")
			case tc.fault.Kind == sandbox.FaultDecline:
				require.EqualValues(t, "do_not_honor", stripeError(t, err).DeclineCode)
			case name == "only after a skip":
				require.Error(t, err)
			default:
				require.NoError(t, err)
				require.Equal(t, stripe.PaymentIntentStatusSucceeded, pi.Status)
			}
			require.Len(t, b.Stripe.Payments(), 1, "one key, one payment")
		})
	}
}

func TestWebhooksAreSignedAndOrdered(t *testing.T) {
	t.Parallel()
	in := newInbox(t, "whsec_test")
	b := start(t, sandbox.Options{WebhookURLs: []string{in.URL}, StripeWebhookSecret: "whsec_test"})
	pi, err := b.card("pm_card_visa", func(p *stripe.PaymentIntentParams) { p.SetIdempotencyKey("order-1") })
	require.NoError(t, err)
	b.flush()
	require.Equal(t, []string{"payment_intent.created", "charge.succeeded", "payment_intent.succeeded"}, in.types())
	last := in.got[2]
	require.Equal(t, "2023-10-16", last.APIVersion)
	require.Equal(t, "order-1", last.Request.IdempotencyKey)
	require.Equal(t, pi.LastResponse.RequestID, last.Request.ID)
	require.Equal(t, pi.ID, last.Data.Object["id"])
	require.Equal(t, "succeeded", last.Data.Object["status"])
	require.Zero(t, in.refused)
}

func TestWebhookModes(t *testing.T) {
	t.Parallel()
	for mode, want := range map[sandbox.DeliveryMode]struct {
		types   []string
		refused int
	}{
		sandbox.DeliverTwice:     {[]string{"payment_intent.created", "payment_intent.created", "charge.succeeded", "payment_intent.succeeded"}, 0},
		sandbox.DeliverReordered: {[]string{"charge.succeeded", "payment_intent.created", "payment_intent.succeeded"}, 0},
		sandbox.DeliverLost:      {[]string{"charge.succeeded", "payment_intent.succeeded"}, 0},
		sandbox.DeliverHold:      {[]string{"charge.succeeded", "payment_intent.succeeded", "payment_intent.created"}, 0},
		sandbox.DeliverLate:      {[]string{"charge.succeeded", "payment_intent.succeeded", "payment_intent.created"}, 0},
		sandbox.DeliverForged:    {[]string{"payment_intent.created", "charge.succeeded", "payment_intent.succeeded"}, 1},
		sandbox.DeliverStale:     {[]string{"payment_intent.created", "charge.succeeded", "payment_intent.succeeded"}, 1},
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			in := newInbox(t, "whsec_test")
			b := start(t, sandbox.Options{WebhookURLs: []string{in.URL}, StripeWebhookSecret: "whsec_test"})
			rule := sandbox.DeliveryRule{Type: "payment_intent.*", Mode: mode, Count: 1}
			if mode == sandbox.DeliverLate {
				rule.Delay = time.Minute
			}
			require.NoError(t, b.Deliver(rule))
			_, err := b.card("pm_card_visa")
			require.NoError(t, err)
			b.flush()
			if mode == sandbox.DeliverHold {
				require.Equal(t, 1, b.ReleaseWebhooks(false))
			}
			b.Advance(time.Minute)
			b.flush()
			require.Equal(t, want.types, in.types())
			require.Equal(t, want.refused, in.refused)
		})
	}
}

func TestWebhookRetries(t *testing.T) {
	t.Parallel()
	in := newInbox(t, "whsec_test")
	in.status = func(n int) int {
		if n < 2 {
			return 500
		}
		return 200
	}
	// A clock that stands still: a retry is made when the test says so.
	at := time.Now()
	b := start(t, sandbox.Options{Now: func() time.Time { return at }, WebhookURLs: []string{in.URL}, StripeWebhookSecret: "whsec_test"})
	_, err := b.sc.Customers.New(&stripe.CustomerParams{Name: stripe.String("Ada")})
	require.NoError(t, err)
	b.flush()
	require.Empty(t, in.types())
	b.Advance(time.Second)
	b.flush()
	require.Empty(t, in.types())
	b.Advance(2 * time.Second)
	b.flush()
	require.Equal(t, []string{"customer.created"}, in.types())
	var attempts []int
	for _, d := range b.Deliveries() {
		attempts = append(attempts, d.Attempt)
	}
	require.Equal(t, []int{1, 2, 3}, attempts)
}

func TestRefusesToReachOtherMachines(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"http://example.com/", "http://10.0.0.1/", "http://[2001:db8::1]/", "ftp://127.0.0.1/", "http://localhost.example.com/", "::"} {
		_, err := sandbox.Start(sandbox.Options{WebhookURLs: []string{u}})
		require.Error(t, err, u)
	}
	for _, a := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "nonsense"} {
		_, err := sandbox.Start(sandbox.Options{Addr: a})
		require.Error(t, err, a)
	}
}
