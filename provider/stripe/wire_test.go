package stripe_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/stripe"
	"github.com/tender-go/payment/sandbox"
)

// at is an adapter whose every call is answered by h.
func at(t *testing.T, h http.HandlerFunc) *stripe.Provider {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return connect(t, srv.URL)
}

func connect(t *testing.T, url string) *stripe.Provider {
	t.Helper()
	p, err := stripe.New(stripe.Config{SecretKey: payment.NewSecret("sk_test_123"), BaseURL: url, Timeout: 2 * time.Second})
	require.NoError(t, err)
	return p
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Request-Id", "req_123")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func confirmation() payment.AuthorizeRequest {
	return payment.AuthorizeRequest{Call: payment.Call{Step: "confirm", Key: "k1", Operation: "op1", Ref: "pi_1"}, Amount: usd10, Capture: true, Method: payment.Card("pm_1")}
}

// TestErrorKinds: what an error proves decides whether another provider may be
// asked, so every condition on the wire has its row.
func TestErrorKinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		status   int
		body     string
		kind     payment.ErrorKind
		conflict bool
	}{
		{"bad key", 401, `{"error":{"type":"invalid_request_error","message":"Invalid API Key provided"}}`, payment.KindRejectedMerchant, false},
		{"forbidden", 403, `{"error":{"type":"invalid_request_error","code":"platform_account_required"}}`, payment.KindRejectedMerchant, false},
		{"too many requests", 429, `{"error":{"type":"invalid_request_error","code":"rate_limit"}}`, payment.KindRejectedMerchant, false},
		{"key of the other mode", 400, `{"error":{"type":"invalid_request_error","code":"livemode_mismatch"}}`, payment.KindRejectedMerchant, false},
		{"locked", 429, `{"error":{"type":"invalid_request_error","code":"lock_timeout"}}`, payment.KindUnknown, false},
		{"bad parameter", 400, `{"error":{"type":"invalid_request_error","code":"parameter_missing","param":"amount"}}`, payment.KindRejectedRequest, false},
		{"no such object", 404, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"intent"}}`, payment.KindRejectedRequest, false},
		{"unexpected state", 400, `{"error":{"type":"invalid_request_error","code":"payment_intent_unexpected_state"}}`, payment.KindRejectedRequest, false},
		{"key reused", 400, `{"error":{"type":"idempotency_error","message":"Keys for idempotent requests can only be used with the same parameters"}}`, payment.KindUnknown, true},
		{"key in use", 409, `{"error":{"type":"invalid_request_error","code":"idempotency_key_in_use"}}`, payment.KindUnknown, true},
		{"conflict", 409, `{"error":{"type":"invalid_request_error"}}`, payment.KindUnknown, false},
		{"api error below 500", 400, `{"error":{"type":"api_error"}}`, payment.KindUnknown, false},
		{"500", 500, `{"error":{"type":"api_error"}}`, payment.KindUnknown, false},
		{"500 that looks like a decline", 500, `{"error":{"type":"card_error","code":"card_declined"}}`, payment.KindUnknown, false},
		{"502 of a proxy", 502, `<html>bad gateway</html>`, payment.KindUnknown, false},
		{"503", 503, ``, payment.KindUnknown, false},
		{"400 of a proxy", 400, `<html>bad request</html>`, payment.KindUnknown, false},
		{"401 of a proxy", 401, `<html>log in</html>`, payment.KindUnknown, false},
		{"400 and no more", 400, `{}`, payment.KindRejectedRequest, false},
		{"401 and no more", 401, `{}`, payment.KindRejectedMerchant, false},
		{"403 and no more", 403, `{"error":{}}`, payment.KindRejectedMerchant, false},
		{"429 and no more", 429, `{}`, payment.KindRejectedMerchant, false},
		{"409 and no more", 409, `{}`, payment.KindUnknown, false},
		{"402 without a body", 402, ``, payment.KindUnknown, false},
		{"402 with an empty object", 402, `{}`, payment.KindUnknown, false},
		{"402 with an empty error", 402, `{"error":{}}`, payment.KindUnknown, false},
		{"error of a wrong type", 402, `{"error":"card_declined"}`, payment.KindUnknown, false},
		{"redirect", 302, `{"id":"pi_1"}`, payment.KindUnknown, false},
		{"200 empty", 200, ``, payment.KindUnknown, false},
		{"200 garbage", 200, `<html>`, payment.KindUnknown, false},
		{"200 null", 200, `null`, payment.KindUnknown, false},
		{"200 empty object", 200, `{}`, payment.KindUnknown, false},
		{"200 array", 200, `[]`, payment.KindUnknown, false},
		{"200 another object", 200, `{"id":"ch_1","status":"succeeded","currency":"usd","amount":1000}`, payment.KindUnknown, false},
		{"200 another intent", 200, `{"id":"pi_2","status":"succeeded","currency":"usd","amount":1000,"amount_received":1000}`, payment.KindUnknown, false},
		{"200 another currency", 200, `{"id":"pi_1","status":"succeeded","currency":"eur","amount":1000,"amount_received":1000}`, payment.KindUnknown, false},
		{"200 no currency", 200, `{"id":"pi_1","status":"succeeded","amount":1000,"amount_received":1000}`, payment.KindUnknown, false},
		{"200 amount as text", 200, `{"id":"pi_1","status":"succeeded","currency":"usd","amount":"1000"}`, payment.KindUnknown, false},
		{"200 fractional amount", 200, `{"id":"pi_1","status":"succeeded","currency":"usd","amount":10.5}`, payment.KindUnknown, false},
		{"200 status unheard of", 200, `{"id":"pi_1","status":"levitating","currency":"usd","amount":1000}`, payment.KindUnknown, false},
		{"200 asks again", 200, `{"id":"pi_1","status":"requires_confirmation","currency":"usd","amount":1000}`, payment.KindUnknown, false},
		{"200 action without a link", 200, `{"id":"pi_1","status":"requires_action","currency":"usd","amount":1000,"next_action":{"type":"redirect_to_url"}}`, payment.KindUnknown, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := at(t, says(c.status, c.body))
			_, err := p.Authorize(ctx, confirmation())
			ce := callError(t, err)
			require.Equal(t, c.kind, ce.Kind, ce.Error())
			require.Equal(t, c.conflict, ce.KeyConflict)
			require.Equal(t, "stripe", ce.Provider)
			require.Equal(t, "confirm", ce.Step)
			require.NotContains(t, err.Error(), "\n")
			if c.status != 200 && c.status != 302 && !strings.Contains(c.body, "html") {
				require.Equal(t, "req_123", ce.RequestID)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	p := at(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		says(429, `{"error":{"type":"invalid_request_error","code":"rate_limit"}}`)(w, r)
	})
	_, err := p.Authorize(ctx, confirmation())
	require.Equal(t, 7, callError(t, err).RetryAfter)
}

func TestNetworkFailures(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		addr := l.Addr().String()
		require.NoError(t, l.Close())
		_, err = connect(t, "http://"+addr).Authorize(ctx, confirmation())
		require.Equal(t, payment.KindNotSent, callError(t, err).Kind)
	})
	t.Run("context over", func(t *testing.T) {
		t.Parallel()
		over, cancel := context.WithCancel(ctx)
		cancel()
		_, err := at(t, says(200, `{}`)).Authorize(over, confirmation())
		require.Equal(t, payment.KindNotSent, callError(t, err).Kind)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("no answer", func(t *testing.T) {
		t.Parallel()
		done := make(chan struct{})
		p := at(t, func(_ http.ResponseWriter, r *http.Request) { <-done })
		t.Cleanup(func() { close(done) })
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err := p.Authorize(short, confirmation())
		require.Equal(t, payment.KindUnknown, callError(t, err).Kind)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(begin), time.Second, "the context is honoured, and nothing is retried behind it")
	})
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		var n int
		var mu sync.Mutex
		p := at(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			n++
			mu.Unlock()
			_, _ = io.Copy(io.Discard, r.Body)
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = c.Close()
			}
		})
		_, err := p.Authorize(ctx, confirmation())
		require.Equal(t, payment.KindUnknown, callError(t, err).Kind)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, 1, n, "the adapter retries nothing by itself")
	})
}

// TestDeclineAnswers: a refusal is an answer, whatever status carries it.
func TestDeclineAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		want   payment.Reason
		code   string
	}{
		{402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds"}}`, payment.ReasonInsufficientFunds, "insufficient_funds"},
		{402, `{"error":{"type":"card_error","code":"incorrect_cvc","decline_code":"generic_decline"}}`, payment.ReasonIncorrectCVC, "generic_decline"},
		{402, `{"error":{"type":"card_error","code":"authentication_required","decline_code":"authentication_required"}}`, payment.ReasonAuthenticationRequired, "authentication_required"},
		{402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"code_of_the_future"}}`, payment.ReasonDeclined, "code_of_the_future"},
		{402, `{"error":{"type":"card_error","code":"code_of_the_future"}}`, payment.ReasonUnknown, "code_of_the_future"},
		{402, `{"error":{"type":"invalid_request_error","code":"payment_intent_authentication_failure"}}`, payment.ReasonAuthenticationFailed, "payment_intent_authentication_failure"},
		{400, `{"error":{"type":"invalid_request_error","code":"amount_too_small","param":"amount"}}`, payment.ReasonAmountTooSmall, "amount_too_small"},
		{400, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"payment_method"}}`, payment.ReasonInvalidToken, "resource_missing"},
		{400, `{"error":{"type":"invalid_request_error","code":"token_already_used"}}`, payment.ReasonInvalidToken, "token_already_used"},
	} {
		res, err := at(t, says(c.status, c.body)).Authorize(ctx, confirmation())
		require.NoError(t, err, c.body)
		require.Equal(t, payment.ResultDeclined, res.Status, c.body)
		require.Equal(t, c.want, res.Decline.Reason, c.body)
		require.Equal(t, c.code, res.Decline.Code, c.body)
	}
}

func TestNetworkAdviceNarrows(t *testing.T) {
	t.Parallel()
	res, err := at(t, says(402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"do_not_honor","network_decline_code":"05","network_advice_code":"03","advice_code":"do_not_try_again"}}`)).Authorize(ctx, confirmation())
	require.NoError(t, err)
	require.Equal(t, payment.ReasonDoNotHonor, res.Decline.Reason)
	require.Equal(t, "05", res.Decline.NetworkCode)
	require.Equal(t, "03", res.Decline.AdviceCode)
	require.False(t, res.Decline.OtherProvider, "the network says never: no other provider either")
	require.Equal(t, payment.RetryNever, res.Decline.Retry)

	res, err = at(t, says(402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"do_not_honor"}}`)).Authorize(ctx, confirmation())
	require.NoError(t, err)
	require.True(t, res.Decline.MayFailOver())
}

// TestNothingSecretGetsOut plants secrets wherever Stripe could put them and
// looks at everything that comes back.
func TestNothingSecretGetsOut(t *testing.T) {
	t.Parallel()
	const secret, key, mail, card = "pi_1_secret_PLANTEDSECRET", "sk_live_PLANTEDKEY", "planted@example.test", "4242424242424242"
	planted := []string{"PLANTED", "planted@", card}
	text := fmt.Sprintf("No such thing: %s %s %s %s", secret, key, mail, card)
	errorBody := func(code, extra string) string {
		return fmt.Sprintf(`{"error":{"type":"invalid_request_error","code":%q,"param":%q,"message":%q,"decline_code":%q%s}}`, code, mail, text, key, extra)
	}
	intent := fmt.Sprintf(`,"payment_intent":{"id":"pi_1","client_secret":%q,"status":"requires_payment_method","currency":"usd","amount":1000,"receipt_email":%q}`, secret, mail)
	for status, body := range map[int]string{
		400: errorBody(secret, intent), 401: errorBody("", ""), 402: errorBody("card_declined", intent), 404: errorBody(mail, intent),
		409: errorBody("idempotency_key_in_use", ""), 429: errorBody("rate_limit", ""), 500: errorBody("", intent), 502: text, 200: text,
	} {
		res, err := at(t, says(status, body)).Authorize(ctx, confirmation())
		shown := fmt.Sprintf("%v %+v %#v", res, res, res.Decline)
		for e := err; e != nil; {
			shown += fmt.Sprintf("%v %+v %s", e, e, e.Error())
			u, ok := e.(interface{ Unwrap() error })
			if !ok {
				break
			}
			e = u.Unwrap()
		}
		for _, s := range planted {
			require.NotContains(t, shown, s, "status %d", status)
		}
	}
}

// TestNeverTwice: lost answers of every kind are unknown, and the replay with
// the same key gives the first outcome without acting again.
func TestNeverTwice(t *testing.T) {
	t.Parallel()
	for _, kind := range []sandbox.FaultKind{sandbox.FaultTimeout, sandbox.FaultReset, sandbox.FaultError500, sandbox.FaultBadGateway, sandbox.FaultGarbage, sandbox.FaultEmpty, sandbox.FaultTruncated} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := newShop(t, func(c *stripe.Config) { c.Timeout = 300 * time.Millisecond })
			r := payment.AuthorizeRequest{Call: s.call("create"), Amount: usd10, Capture: true, Method: payment.Card("pm_card_visa")}
			made, err := s.p.Authorize(ctx, r)
			require.NoError(t, err)
			r.Call = next(r.Call, "confirm", made)
			s.fault(sandbox.Fault{Path: "/v1/payment_intents/*/confirm", Kind: kind, After: true, Count: 1})
			// On a connection that was used before, net/http sends a request with
			// an Idempotency-Key again by itself; then the answer is there.
			if _, err = s.p.Authorize(ctx, r); err != nil || kind != sandbox.FaultReset {
				require.Equal(t, payment.KindUnknown, callError(t, err).Kind)
			}

			again, err := s.p.Authorize(ctx, r)
			if kind == sandbox.FaultError500 {
				require.Equal(t, payment.KindUnknown, callError(t, err).Kind, "a saved 500 is what the key replays")
			} else {
				require.NoError(t, err)
				require.Equal(t, payment.ResultApproved, again.Status)
			}
			found := s.lookup(r.Call, payment.OpAuthorize, "", usd10)
			require.Equal(t, payment.ResultApproved, found.Status)
			gross, _ := s.srv.Stripe.Collected("usd")
			require.Equal(t, int64(1000), gross, "collected once")
		})
	}
}

// TestReplayTellsTheTruthOfNow: what Stripe kept under the key is the state of
// the first send; the payer may have paid since.
func TestReplayTellsTheTruthOfNow(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	req, res := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_threeDSecure2Required"), ReturnURL: "https://shop.example/back"})
	require.Equal(t, payment.ResultActionRequired, res.Status)
	require.NoError(t, s.srv.Stripe.CompleteAction(res.Ref, sandbox.Succeed))
	again, err := s.p.Authorize(ctx, req)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, again.Status)
}

// TestKeptDeclineIsNotTheLastWord: the same for a refusal, after which the payer
// paid with another card.
func TestKeptDeclineIsNotTheLastWord(t *testing.T) {
	t.Parallel()
	status := "succeeded"
	p := at(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			says(200, `{"id":"pi_1","currency":"usd","amount":1000,"amount_received":1000,"status":"`+status+`"}`)(w, r)
			return
		}
		w.Header().Set("Idempotent-Replayed", "true")
		says(402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds"}}`)(w, r)
	})
	res, err := p.Authorize(ctx, confirmation())
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, res.Status)
	status = "requires_payment_method"
	res, err = p.Authorize(ctx, confirmation())
	require.NoError(t, err)
	require.Equal(t, payment.ReasonInsufficientFunds, res.Decline.Reason)
}

func TestKeyReuseIsAConflict(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	r := payment.AuthorizeRequest{Call: s.call("create"), Amount: usd10, Capture: true, Method: payment.Card("pm_card_visa")}
	_, err := s.p.Authorize(ctx, r)
	require.NoError(t, err)
	r.Description = "another request"
	_, err = s.p.Authorize(ctx, r)
	ce := callError(t, err)
	require.True(t, ce.KeyConflict)
	require.Equal(t, payment.KindUnknown, ce.Kind)
}

// TestFenceAfterARefusalThatWasKept: the cancellation was refused while Stripe
// worked on the payment, and that refusal stays under the key for a day.
func TestFenceAfterARefusalThatWasKept(t *testing.T) {
	t.Parallel()
	status := "processing"
	reads := 0
	var keys []string
	p := at(t, func(w http.ResponseWriter, r *http.Request) {
		intent := func(s string) string { return `{"id":"pi_1","currency":"usd","amount":1000,"status":"` + s + `"}` }
		switch r.Method {
		case http.MethodGet:
			reads++
			if reads == 1 {
				says(200, intent("requires_action"))(w, r) // just before it began to process
				return
			}
			says(200, intent(status))(w, r)
		default:
			keys = append(keys, r.Header.Get("Idempotency-Key"))
			if r.Header.Get("Idempotency-Key") == "k1" {
				says(400, `{"error":{"type":"invalid_request_error","code":"payment_intent_unexpected_state","payment_intent":`+intent("processing")+`}}`)(w, r)
				return
			}
			says(200, intent("canceled"))(w, r)
		}
	})
	f := payment.FenceRequest{Call: payment.Call{Step: "cancel", Key: "k1", Ref: "pi_1"}, Amount: usd10}
	res, err := p.Fence(ctx, f)
	require.NoError(t, err)
	require.Equal(t, payment.ResultPending, res.Status)

	status = "requires_payment_method" // the bank refused, the payer may try again
	res, err = p.Fence(ctx, f)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, res.Status)
	require.Equal(t, []string{"k1", "k1", "k1x"}, keys)
}
