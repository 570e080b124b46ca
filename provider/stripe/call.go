package stripe

import (
	"bytes"
	"context"
	"net/http"

	stripego "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/form"

	"github.com/tender-go/payment/internal/httpx"
)

// answer, embedded in one of our own wire types, lets the SDK decode an answer
// straight into it; the SDK's own types follow one API version.
type answer struct{}

// SetLastResponse takes what the SDK knows of the answer: httpx has it already.
func (answer) SetLastResponse(*stripego.APIResponse) {}

// get reads an object or a list. params is a struct of the SDK's, or nil.
func (p *Provider) get(ctx context.Context, step, path string, params any, into stripego.LastResponseSetter) *failure {
	_, f := p.exchange(ctx, step, http.MethodGet, path, "", params, into)
	return f
}

// post writes, with key as the idempotency key. kept says that Stripe gave the
// answer of the first send again.
func (p *Provider) post(ctx context.Context, step, path, key string, params any, into stripego.LastResponseSetter) (kept bool, f *failure) {
	return p.exchange(ctx, step, http.MethodPost, path, key, params, into)
}

func (p *Provider) exchange(ctx context.Context, step, method, path, key string, params any, into stripego.LastResponseSetter) (kept bool, f *failure) {
	body := &form.Values{}
	if params != nil {
		form.AppendTo(body, params)
	}
	return p.do(ctx, step, key, func(common *stripego.Params) error {
		return p.api.CallRaw(method, path, p.key.Reveal(), body, common, into)
	})
}

// upload sends a file. The boundary is fixed by the content, so that a replay is
// the same bytes.
func (p *Provider) upload(ctx context.Context, step, key, boundary string, body *bytes.Buffer, into stripego.LastResponseSetter) *failure {
	_, f := p.do(ctx, step, key, func(common *stripego.Params) error {
		return p.uploads.CallMultipart(http.MethodPost, "/v1/files", p.key.Reveal(), boundary, body, common, into)
	})
	return f
}

func (p *Provider) do(ctx context.Context, step, key string, send func(*stripego.Params) error) (kept bool, f *failure) {
	watched, call := httpx.Observe(ctx)
	common := &stripego.Params{Context: watched}
	if key != "" {
		common.IdempotencyKey = &key
	}
	if p.account != "" {
		common.SetStripeAccount(p.account)
	}
	err := httpx.Guard(func() error { return send(common) })
	out := call.Outcome()
	if err == nil && out.Kind == httpx.Answered && out.Status < 300 {
		return replayed(call), nil
	}
	return false, p.failed(ctx, step, call, err)
}

// replayed reports whether Stripe gave a kept answer again.
func replayed(call *httpx.Call) bool { return call.Header("Idempotent-Replayed") == "true" }

// withoutUname drops the header in which the SDK reports the machine's name and
// kernel: Stripe has no need of it.
type withoutUname struct{ base http.RoundTripper }

func (t withoutUname) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("X-Stripe-Client-User-Agent")
	return t.base.RoundTrip(r)
}

func (t withoutUname) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
