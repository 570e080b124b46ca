package httpx

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the observation costs, against a plain client over the same kind of
// transport: once over loopback, once with no network at all.
func BenchmarkClient(b *testing.B) {
	const answer = `{"id":"pi_1","object":"payment_intent","amount":1999,"status":"succeeded"}`
	l := http.NewServeMux()
	l.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Request-Id", "req_1")
		_, _ = io.WriteString(w, answer)
	})
	url := benchServer(b, l)
	stub := roundTripper(func(r *http.Request) (*http.Response, error) {
		_ = r.Body.Close()
		return &http.Response{StatusCode: 200, Header: http.Header{"Request-Id": {"req_1"}},
			Body: io.NopCloser(strings.NewReader(answer)), ContentLength: int64(len(answer)), Request: r}, nil
	})
	plain := func(rt http.RoundTripper) *http.Client { return &http.Client{Transport: rt, Timeout: DefaultTimeout} }
	observed := func(rt http.RoundTripper) *http.Client {
		c, err := New(Options{Base: rt})
		require.NoError(b, err)
		return c
	}
	for _, bm := range []struct {
		name    string
		client  *http.Client
		observe bool
	}{
		{"loopback/plain", plain(defaultTransport()), false},
		{"loopback/httpx", observed(defaultTransport()), true},
		{"nonetwork/plain", plain(stub), false},
		{"nonetwork/httpx", observed(stub), true},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ctx := context.Background()
				var call *Call
				if bm.observe {
					ctx, call = Observe(ctx)
				}
				if _, err := send(ctx, bm.client, url); err != nil {
					b.Fatal(err)
				}
				if bm.observe && call.Outcome().Kind != Answered {
					b.Fatal(call.Outcome())
				}
			}
			bm.client.CloseIdleConnections()
		})
	}
}
