package stripe_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/stripe"
	"github.com/tender-go/payment/sandbox"
)

var (
	ctx   = context.Background()
	usd10 = money.Of(1000, money.USD)
)

// shop is one adapter on its own sandbox, and a counter for keys.
type shop struct {
	t    *testing.T
	srv  *sandbox.Server
	p    *stripe.Provider
	mu   sync.Mutex
	n    int
	hook hookServer
}

func newShop(t *testing.T, change func(*stripe.Config)) *shop {
	t.Helper()
	s := &shop{t: t}
	s.hook.start(t)
	srv, err := sandbox.Start(sandbox.Options{Seed: 1, WebhookURLs: []string{s.hook.url}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = srv.Close() })
	s.srv = srv
	s.p = s.provider(change)
	return s
}

func (s *shop) provider(change func(*stripe.Config)) *stripe.Provider {
	s.t.Helper()
	c := stripe.Config{
		SecretKey: payment.NewSecret(s.srv.Stripe.SecretKey), WebhookSecrets: []payment.Secret{payment.NewSecret(s.srv.Stripe.WebhookSecret)},
		BaseURL: s.srv.Stripe.URL, Timeout: 5 * time.Second, PublishableKey: "pk_test_abc",
	}
	if change != nil {
		change(&c)
	}
	p, err := stripe.New(c)
	require.NoError(s.t, err)
	return p
}

// call makes a Call with a fresh operation and the step's key.
func (s *shop) call(step string) payment.Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	op := "op" + strings.Repeat("0", 4) + string(rune('a'+s.n/26)) + string(rune('a'+s.n%26))
	return payment.Call{Step: step, Key: op + "s1", Operation: op, Payment: "pay1", Reference: "order-42", Now: time.Now()}
}

// next is the same operation's next step.
func next(c payment.Call, step string, after payment.Result) payment.Call {
	c.Step, c.Key = step, c.Operation+step[:2]
	c.Ref = firstNonEmpty(c.Ref, after.Ref)
	c.Data = merge(c.Data, after.Data)
	return c
}

func firstNonEmpty(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func merge(a, b map[string]string) map[string]string {
	m := map[string]string{}
	for k, v := range a {
		m[k] = v
	}
	for k, v := range b {
		m[k] = v
	}
	return m
}

// pay walks create and confirm, and returns the request and result of the last.
func (s *shop) pay(r payment.AuthorizeRequest) (payment.AuthorizeRequest, payment.Result) {
	s.t.Helper()
	if r.Step == "" {
		r.Call = s.call("create")
	}
	if r.Amount.Currency() == "" {
		r.Amount = usd10
	}
	created, err := s.p.Authorize(ctx, r)
	require.NoError(s.t, err)
	if created.Status != payment.ResultContinue {
		return r, created
	}
	r.Call = next(r.Call, "confirm", created)
	res, err := s.p.Authorize(ctx, r)
	require.NoError(s.t, err)
	r.Data = merge(r.Data, res.Data)
	return r, res
}

func (s *shop) on(r payment.Call, step string) payment.Call {
	c := s.call(step)
	c.Ref, c.Data = r.Ref, r.Data
	return c
}

func (s *shop) lookup(c payment.Call, kind payment.OperationKind, stepRef string, amount money.Amount) payment.Result {
	s.t.Helper()
	res, err := s.p.Lookup(ctx, payment.LookupRequest{Call: c, Kind: kind, StepRef: stepRef, Amount: amount, Since: time.Now().Add(-time.Minute)})
	require.NoError(s.t, err)
	return res
}

// events waits for the webhooks and returns what the adapter reads in them, by
// the type of Stripe's event.
func (s *shop) events() map[string][]payment.Event {
	s.t.Helper()
	wait, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	require.NoError(s.t, s.srv.Flush(wait))
	out := map[string][]payment.Event{}
	for _, w := range s.hook.take() {
		w.Now = s.srv.Now()
		n, err := s.p.ParseWebhook(ctx, w)
		require.NoError(s.t, err)
		kind := typeOf(w.Body)
		out[kind] = append(out[kind], n.Events...)
	}
	return out
}

func (s *shop) fault(f sandbox.Fault) int64 {
	s.t.Helper()
	id, err := s.srv.Fault(f)
	require.NoError(s.t, err)
	return id
}

// callError requires that err says what a call proves.
func callError(t *testing.T, err error) *payment.CallError {
	t.Helper()
	var ce *payment.CallError
	require.ErrorAs(t, err, &ce, "an adapter's error must be a *payment.CallError, or the client counts it as unknown")
	return ce
}

func webhookError(t *testing.T, err error) *payment.WebhookError {
	t.Helper()
	var we *payment.WebhookError
	require.True(t, errors.As(err, &we), "want a *payment.WebhookError, got %v", err)
	return we
}
