package stripe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/providertest"
	"github.com/tender-go/payment/provider/stripe"
	"github.com/tender-go/payment/sandbox"
)

// TestConformance runs the suite that every adapter must pass, over the sandbox.
// A reader at a till is not part of the sandbox: see TestReader.
func TestConformance(t *testing.T) {
	t.Parallel()
	card := func(m payment.Method, token string) payment.Instrument { return payment.Wallet(m, token) }
	cards := func(m payment.Method) providertest.Method {
		return providertest.Method{
			Approve: card(m, "pm_card_visa"), Decline: card(m, "pm_card_visa_chargeDeclinedInsufficientFunds"),
			Challenge: card(m, "pm_card_threeDSecure2Required"), DeclineReason: payment.ReasonInsufficientFunds,
		}
	}
	away := func(m payment.Method, same ...payment.Method) providertest.Method {
		return providertest.Method{Approve: payment.Using(m), Decline: payment.Using(m).With(refuses, "yes"), Challenge: payment.Using(m), SameAs: same}
	}
	for name, multi := range map[string]bool{"plain": false, "multicapture": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, providertest.Harness{
				New: func(o providertest.Options) (*providertest.Rig, error) { return newRig(o, multi) },
				Methods: []providertest.Method{cards(payment.MethodCard), cards(payment.MethodGooglePay), cards(payment.MethodApplePay),
					away(payment.MethodIDEAL), away(payment.MethodGrabPay), away(payment.MethodAlipay), away(payment.MethodWeChatPay)},
			})
		})
	}
}

// refuses marks an instrument whose payer says no at the bank or wallet.
const refuses = "payer_refuses"

// client does for the suite what the Client does for a shop: it keeps the
// payer's id at the provider with a saved token. It also remembers whose payer
// refuses.
type client struct {
	*stripe.Provider
	mu      sync.Mutex
	owners  map[string]string
	refused map[string]bool
}

func (c *client) Save(ctx context.Context, r payment.SaveRequest) (payment.Result, error) {
	res, err := c.Provider.Save(ctx, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !res.Token.IsZero() {
		c.owners[res.Token.Reveal()] = res.ProviderCustomer
	}
	return res, err
}

func (c *client) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	c.mu.Lock()
	if owner := c.owners[r.Method.Token.Reveal()]; owner != "" && r.ProviderCustomer == "" {
		r.ProviderCustomer = owner
	}
	if r.Method.Fields[refuses] != "" {
		c.refused[r.Operation] = true
	}
	c.mu.Unlock()
	return c.Provider.Authorize(ctx, r)
}

// stepOf names the step that a request is.
func stepOf(r *http.Request, _ []byte) string {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	_, last, _ := strings.Cut(path, "/")
	last = last[strings.LastIndex(last, "/")+1:]
	switch {
	case r.Method == http.MethodGet:
		return "lookup"
	case path == "payment_intents":
		return "create"
	case last == "cancel" && !strings.HasSuffix(r.Header.Get("Idempotency-Key"), "f") && !strings.HasSuffix(r.Header.Get("Idempotency-Key"), "fx"):
		return "void"
	case path == "refunds":
		return "refund"
	case path == "setup_intents":
		return "save"
	case path == "transfers":
		return "transfer"
	case last == "detach":
		return "forget"
	case last == "close":
		return "accept"
	case strings.HasPrefix(path, "disputes/"):
		return "respond"
	case path == "customers", path == "files":
		return path
	}
	return last // confirm, capture, cancel
}

// keyInUse is Stripe's answer while a request with the same key is in progress.
// Source: docs.stripe.com/error-codes, idempotency_key_in_use; 409 there.
func keyInUse(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusConflict)
	_, _ = io.WriteString(w, `{"error":{"type":"invalid_request_error","code":"idempotency_key_in_use","message":"There is currently another in-progress request using this Idempotent Key"}}`)
}

// alter makes an answer of Stripe one about something else.
func alter(f providertest.Fault, _ string) func([]byte) ([]byte, error) {
	return providertest.EditJSON(func(answer map[string]any) {
		switch f {
		case providertest.FaultOtherAmount: // in every field that names one
			for _, field := range []string{"amount", "amount_capturable", "amount_received"} {
				if n, ok := answer[field].(json.Number); ok && n != "0" {
					answer[field] = 320
				}
			}
		case providertest.FaultOtherCurrency:
			answer["currency"] = "sek"
		case providertest.FaultNoRef:
			delete(answer, "id")
		}
	})
}

func newRig(o providertest.Options, multi bool) (*providertest.Rig, error) {
	var hook hookServer
	receiver := httptest.NewServer(&hook)
	srv, err := sandbox.Start(sandbox.Options{WebhookURLs: []string{receiver.URL}})
	if err != nil {
		receiver.Close()
		return nil, err
	}
	target, err := url.Parse(srv.Stripe.URL)
	if err != nil {
		return nil, err
	}
	wire := &providertest.Wire{
		Next: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}, Step: stepOf,
		Conflict: http.HandlerFunc(keyInUse), Alter: alter,
	}
	front := httptest.NewServer(wire)
	closeAll := func() {
		front.Close()
		_ = srv.Close()
		receiver.Close()
	}
	c := stripe.Config{
		SecretKey: payment.NewSecret(srv.Stripe.SecretKey), BaseURL: front.URL, Timeout: 5 * time.Second, MultiCapture: multi,
		HTTPClient: &http.Client{Transport: wire.Transport()},
		Methods: []payment.Method{payment.MethodCard, payment.MethodGooglePay, payment.MethodApplePay, payment.MethodIDEAL,
			payment.MethodGrabPay, payment.MethodAlipay, payment.MethodWeChatPay},
	}
	if !o.NoWebhookSecret {
		c.WebhookSecrets = []payment.Secret{payment.NewSecret(srv.Stripe.WebhookSecret)}
	}
	adapter, err := stripe.New(c)
	if err != nil {
		closeAll()
		return nil, err
	}
	p := &client{Provider: adapter, owners: map[string]string{}, refused: map[string]bool{}}
	sign := func(body []byte, at time.Time) payment.Webhook {
		return payment.Webhook{Header: http.Header{"Stripe-Signature": {signature(srv.Stripe.WebhookSecret, string(body), at)}}, Body: body}
	}
	return &providertest.Rig{
		Provider: p, Close: closeAll, Now: srv.Now, Advance: srv.Advance, Fault: wire.Fault, Requests: wire.Requests, Sign: sign,
		Pay: func(a providertest.Attempt) (url.Values, error) {
			if a.Action == nil {
				return nil, errors.New("there is no action")
			}
			p.mu.Lock()
			outcome := sandbox.Succeed
			if p.refused[a.Operation] {
				outcome = sandbox.Fail
			}
			p.mu.Unlock()
			return nil, srv.Stripe.CompleteAction(a.Ref, outcome)
		},
		Truth: func(operation string) (providertest.Truth, error) {
			var t providertest.Truth
			for _, pi := range srv.Stripe.PaymentsWhere(map[string]string{"tender_operation": operation}) {
				held, err := minor(pi.Capturable, pi.Currency)
				if err != nil {
					return t, err
				}
				got, err := minor(pi.Received, pi.Currency)
				if err != nil {
					return t, err
				}
				back, err := minor(pi.Refunded, pi.Currency)
				if err != nil {
					return t, err
				}
				t.Held, t.Collected, t.Refunded = t.Held+held, t.Collected+got, t.Refunded+back
				if held+got > 0 {
					t.Attempts++
				}
			}
			return t, nil
		},
		Webhooks: func() ([]payment.Webhook, error) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := srv.Flush(ctx); err != nil {
				return nil, err
			}
			var out []payment.Webhook
			for _, w := range hook.take() {
				out = append(out, sign(w.Body, srv.Now()))
			}
			return out, nil
		},
		Dispute: func(a providertest.Attempt, amount money.Amount) (string, error) {
			return srv.Stripe.OpenDispute(a.Ref, "fraudulent", 0)
		},
	}, nil
}

// minor reads the sandbox's units, for the currencies whose units are not those
// of ISO 4217. It is written out so that the adapter's table is not its own
// witness.
func minor(n int64, currency string) (int64, error) {
	switch currency {
	case "isk", "ugx":
		if n%100 != 0 {
			return 0, fmt.Errorf("%d %s is a fraction", n, currency)
		}
		return n / 100, nil
	case "mga":
		return n * 100, nil
	}
	return n, nil
}
