package sandbox_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment/sandbox"
)

// TestControlOverHTTP does over HTTP what the Go methods do.
func TestControlOverHTTP(t *testing.T) {
	t.Parallel()
	in := newInbox(t, "whsec_test")
	b := start(t, sandbox.Options{WebhookURLs: []string{in.URL}, StripeWebhookSecret: "whsec_test", StripeKey: "sk_test_given"})
	ask := func(method, path string, in, out any) int {
		t.Helper()
		var body io.Reader
		if in != nil {
			raw, err := json.Marshal(in)
			require.NoError(t, err)
			body = bytes.NewReader(raw)
		}
		req, err := http.NewRequest(method, b.URL+"/_sandbox/"+path, body)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		if out != nil {
			require.NoError(t, json.NewDecoder(resp.Body).Decode(out))
		}
		return resp.StatusCode
	}
	type object = map[string]any
	var info struct{ Stripe map[string]string }
	require.Equal(t, 200, ask("GET", "info", nil, &info))
	require.Equal(t, "sk_test_given", info.Stripe["secret_key"])
	require.Equal(t, b.Stripe.URL, info.Stripe["url"])

	var fault struct{ ID int64 }
	require.Equal(t, 200, ask("POST", "faults", object{"kind": "error_500", "path": "/v1/payment_intents", "count": 1, "delay_ms": 5}, &fault))
	_, err := b.card("pm_card_visa")
	require.Equal(t, 500, stripeError(t, err).HTTPStatusCode)
	var faults []sandbox.FaultState
	require.Equal(t, 200, ask("GET", "faults", nil, &faults))
	require.Equal(t, 1, faults[0].Fired)
	require.Equal(t, 400, ask("POST", "faults", object{"kind": "flood"}, nil))
	require.Equal(t, 400, ask("POST", "faults", object{"kind": "reset", "colour": "red"}, nil))
	require.Equal(t, 200, ask("DELETE", "faults?id=1", nil, nil))
	require.Equal(t, 400, ask("DELETE", "faults?id=x", nil, nil))

	require.Equal(t, 200, ask("POST", "delivery-rules", object{"mode": "hold", "type": "charge.*"}, nil))
	pi, err := b.card("pm_card_threeDSecure2Required", manual, func(p *stripe.PaymentIntentParams) { p.Metadata = map[string]string{"order": "42"} })
	require.NoError(t, err)
	require.Equal(t, 400, ask("POST", "stripe/complete", object{"id": pi.ID, "outcome": "shrug"}, nil))
	require.Equal(t, 200, ask("POST", "stripe/complete", object{"id": pi.ID, "outcome": "succeed"}, nil))
	require.Equal(t, 200, ask("POST", "stripe/capture", object{"id": pi.ID, "amount": 1500}, nil))
	require.Equal(t, 400, ask("POST", "stripe/cancel", object{"id": pi.ID}, nil))
	var done struct{ ID string }
	require.Equal(t, 200, ask("POST", "stripe/refund", object{"id": pi.ID, "amount": 100}, &done))
	require.Equal(t, 200, ask("POST", "stripe/settle-refund", object{"id": done.ID, "ok": false}, nil))
	require.Equal(t, 200, ask("POST", "stripe/open-dispute", object{"id": pi.ID, "reason": "fraudulent"}, &done))
	require.Equal(t, 200, ask("POST", "stripe/close-dispute", object{"id": done.ID, "won": true}, nil))
	require.Equal(t, 200, ask("POST", "flush", object{"timeout_ms": 5000}, nil))
	for _, typ := range in.types() {
		require.False(t, strings.HasPrefix(typ, "charge."), "charge events are held")
	}
	var released struct{ Released int }
	require.Equal(t, 200, ask("POST", "release", object{"reversed": true}, &released))
	require.Positive(t, released.Released)
	require.Equal(t, 200, ask("POST", "flush", nil, nil))
	require.Contains(t, in.types(), "charge.captured")
	require.Equal(t, 200, ask("DELETE", "delivery-rules", nil, nil))

	var payments []sandbox.StripePayment
	require.Equal(t, 200, ask("GET", "stripe/payments?metadata[order]=42", nil, &payments))
	require.Len(t, payments, 1)
	require.EqualValues(t, 1500, payments[0].Received)
	require.Zero(t, payments[0].Refunded)
	require.Equal(t, 200, ask("GET", "stripe/payments?id="+pi.ID, nil, &payments))
	require.Equal(t, 400, ask("GET", "stripe/payments?id=pi_none", nil, nil))
	var collected struct{ Gross, Net int64 }
	require.Equal(t, 200, ask("GET", "stripe/collected?currency=usd", nil, &collected))
	require.EqualValues(t, 1500, collected.Net)
	var events []sandbox.StripeEvent
	require.Equal(t, 200, ask("GET", "stripe/events", nil, &events))
	require.Equal(t, len(b.Stripe.Events()), len(events))
	require.Equal(t, 200, ask("POST", "stripe/resend", object{"id": events[0].ID}, nil))
	require.Equal(t, 200, ask("POST", "stripe/forge", object{"type": "payment_intent.succeeded", "object": object{"id": "pi_1"}}, nil))
	var now struct{ Now time.Time }
	before := b.Now()
	require.Equal(t, 200, ask("POST", "advance", object{"seconds": 3600.5}, &now))
	require.GreaterOrEqual(t, now.Now.Sub(before), time.Hour)
	require.Equal(t, 400, ask("POST", "advance", object{"seconds": -1}, nil))
	var requests []sandbox.Request
	require.Equal(t, 200, ask("GET", "requests", nil, &requests))
	require.Equal(t, 500, requests[0].Status)
	require.Equal(t, sandbox.FaultError500, requests[0].Fault)
	require.Equal(t, 404, ask("GET", "no-such-thing", nil, nil))
}

// TestSameSeedSameRun: ids, keys, chances and answers repeat under a seed.
func TestSameSeedSameRun(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	run := func() (out []string) {
		b := start(t, sandbox.Options{Seed: 99, Now: func() time.Time { return at }})
		_, err := b.Fault(sandbox.Fault{Kind: sandbox.FaultDecline, Probability: 0.5})
		require.NoError(t, err)
		out = append(out, b.Stripe.SecretKey, b.Stripe.WebhookSecret)
		for range 20 {
			_, err := b.card("pm_card_visa")
			out = append(out, fmt.Sprint(err == nil))
			_, _ = b.sc.Balance.Get(nil)
		}
		for _, p := range b.Stripe.Payments() {
			out = append(out, p.ID, p.Status, p.LatestCharge)
		}
		for _, e := range b.Stripe.Events() {
			out = append(out, e.ID+e.Type)
		}
		return out
	}
	first := run()
	require.Equal(t, first, run())
	require.Contains(t, first, "true")
	require.Contains(t, first, "false")
}

// TestOneKeyOnePayment: many clients repeat the same keyed requests against a
// server that misbehaves in every way; each key pays once.
func TestOneKeyOnePayment(t *testing.T) {
	t.Parallel()
	in := newInbox(t, "whsec_test")
	b := start(t, sandbox.Options{WebhookURLs: []string{in.URL}, StripeWebhookSecret: "whsec_test", WebhookWorkers: 4})
	for _, f := range []sandbox.Fault{
		{Kind: sandbox.FaultReset, After: true, Probability: 0.1}, {Kind: sandbox.FaultReset, Probability: 0.1}, {Kind: sandbox.FaultBadGateway, After: true, Probability: 0.1},
		{Kind: sandbox.FaultTruncated, After: true, Probability: 0.1}, {Kind: sandbox.FaultDelay, Delay: time.Millisecond, Probability: 0.2},
		{Kind: sandbox.FaultTimeout, After: true, Delay: time.Millisecond, Probability: 0.1}, {Kind: sandbox.FaultConflict, Probability: 0.1},
	} {
		_, err := b.Fault(f)
		require.NoError(t, err)
	}
	const keys = 12
	var wg sync.WaitGroup
	for i := range keys * 4 {
		wg.Go(func() {
			for range 200 {
				_, err := b.card("pm_card_visa", func(p *stripe.PaymentIntentParams) {
					p.SetIdempotencyKey(fmt.Sprintf("key-%d", i%keys))
					p.Metadata = map[string]string{"key": fmt.Sprint(i % keys)}
				})
				if err == nil {
					return
				}
				var e *stripe.Error
				if errors.As(err, &e) && e.HTTPStatusCode != 409 {
					t.Errorf("want a lost answer or a conflict, got %v", e.Code)
					return
				}
			}
			t.Error("no answer after 200 tries")
		})
	}
	wg.Wait()
	b.flush()
	gross, _ := b.Stripe.Collected("usd")
	require.EqualValues(t, keys*2000, gross)
	for i := range keys {
		require.Len(t, b.Stripe.PaymentsWhere(map[string]string{"key": fmt.Sprint(i)}), 1)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	require.Len(t, in.got, keys*3)
}

func TestLogsNoSecret(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var buf bytes.Buffer
	logger := slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return buf.Write(p) }), &slog.HandlerOptions{Level: slog.LevelDebug}))
	in := newInbox(t, "other")
	b := start(t, sandbox.Options{Logger: logger, WebhookURLs: []string{in.URL}})
	_, err := b.sc.Tokens.New(&stripe.TokenParams{Card: &stripe.CardParams{Number: stripe.String("4242424242424242"), ExpMonth: stripe.String("1"), ExpYear: stripe.String("2050")}})
	require.NoError(t, err)
	_, err = b.card("pm_card_visa")
	require.NoError(t, err)
	b.flush()
	mu.Lock()
	defer mu.Unlock()
	require.Contains(t, buf.String(), "webhook delivered")
	require.Contains(t, buf.String(), "/v1/payment_intents")
	for _, secret := range []string{b.Stripe.SecretKey, b.Stripe.WebhookSecret, "4242424242424242", "client_secret"} {
		require.NotContains(t, buf.String(), secret)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestCloseEndsWhatHangs: a request that hangs does not keep Close waiting.
func TestCloseEndsWhatHangs(t *testing.T) {
	t.Parallel()
	srv, err := sandbox.Start(sandbox.Options{})
	require.NoError(t, err)
	_, err = srv.Fault(sandbox.Fault{Kind: sandbox.FaultTimeout})
	require.NoError(t, err)
	failed := make(chan error, 1)
	go func() {
		_, err := sdk(srv).Balance.Get(nil)
		failed <- err
	}()
	require.Eventually(t, func() bool { return srv.Fired(1) == 1 }, 3*time.Second, time.Millisecond)
	require.NoError(t, srv.Close())
	require.NoError(t, srv.Close())
	require.Error(t, <-failed)
}
