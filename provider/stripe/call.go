package stripe

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"

	stripego "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/form"

	"github.com/tender-go/payment/internal/httpx"
)

// get reads an object or a list. params is a struct of the SDK's, or nil.
func (p *Provider) get(ctx context.Context, step, path string, params, into any) *failure {
	_, f := p.exchange(ctx, step, http.MethodGet, path, "", params, into)
	return f
}

// post writes, with key as the idempotency key. kept says that Stripe gave the
// answer of the first send again.
func (p *Provider) post(ctx context.Context, step, path, key string, params, into any) (kept bool, f *failure) {
	return p.exchange(ctx, step, http.MethodPost, path, key, params, into)
}

func (p *Provider) exchange(ctx context.Context, step, method, path, key string, params, into any) (kept bool, f *failure) {
	values := &form.Values{}
	if params != nil {
		form.AppendTo(values, params)
	}
	body := values.Encode()
	if method == http.MethodGet && body != "" {
		path, body = path+"?"+body, ""
	}
	return p.do(ctx, step, key, func(common *stripego.Params) error {
		return p.send(p.api, method, path, "application/x-www-form-urlencoded", []byte(body), common, into)
	})
}

// upload sends a file. The boundary is fixed by the content, so that a replay is
// the same bytes.
func (p *Provider) upload(ctx context.Context, step, key, boundary string, body *bytes.Buffer, into any) *failure {
	_, f := p.do(ctx, step, key, func(common *stripego.Params) error {
		return p.send(p.uploads, http.MethodPost, "/v1/files", "multipart/form-data; boundary="+boundary, body.Bytes(), common, into)
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

// send carries out one exchange. The SDK makes the request and reads the errors;
// the rest of its call is left out: it reads every answer twice, for types that
// follow one API version, and has retries, telemetry and logs of its own.
func (p *Provider) send(b *stripego.BackendImplementation, method, path, contentType string, body []byte, common *stripego.Params, into any) error {
	r, err := b.NewRequest(method, path, p.key.Reveal(), contentType, common)
	if err != nil {
		return err
	}
	// The machine's name and kernel: Stripe has no need of it.
	r.Header.Del("X-Stripe-Client-User-Agent")
	if len(body) > 0 {
		r.ContentLength = int64(len(body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		r.Body, _ = r.GetBody()
	}
	resp, err := b.HTTPClient.Do(r)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	switch {
	case err != nil:
		return err
	case resp.StatusCode >= 400:
		return b.ResponseToError(resp, got)
	}
	return json.Unmarshal(got, into)
}

// replayed reports whether Stripe gave a kept answer again.
func replayed(call *httpx.Call) bool { return call.Header("Idempotent-Replayed") == "true" }
