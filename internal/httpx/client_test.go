package httpx

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"Timeout":            {Timeout: -1},
		"MaxResponseBytes":   {MaxResponseBytes: -1},
		"Base and Client":    {Base: http.DefaultTransport, Client: &http.Client{}},
		"nil *http.":         {Base: (*http.Transport)(nil)},
		"InsecureSkipVerify": {Base: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}},                                //nolint:gosec // the refusal is the case
		"MinVersion":         {Client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS11}}}}, //nolint:gosec // the refusal is the case
		"Rewrite":            {Rewrite: map[string]string{"a.example": "b.example"}},
		"Rewrite[\"u\"]":     {Rewrite: map[string]string{"u": "https://user:pass@b.example"}},
		"AllowHosts":         {AllowHosts: []string{"https://a.example/"}},
	} {
		_, err := New(o)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "pass@")
	}
}

func TestHostClientIsTakenAndNotChanged(t *testing.T) {
	t.Parallel()
	var asked int
	host := &http.Client{Timeout: time.Minute, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		asked++
		return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
	})}
	before := *host
	c := newClient(t, Options{Client: host})
	ctx, call := Observe(context.Background())
	_, err := send(ctx, c, "https://api.provider.invalid")
	require.NoError(t, err)
	require.Equal(t, 1, asked)
	require.Equal(t, Answered, call.Outcome().Kind)
	require.Equal(t, before.Timeout, host.Timeout)
	require.Nil(t, host.CheckRedirect)
	require.Equal(t, time.Minute, c.Transport.(*transport).timeout, "the host's own timeout holds where none is given")
	require.Equal(t, DefaultTimeout, newClient(t, Options{Client: &http.Client{}}).Transport.(*transport).timeout)
}

func TestDefaultTransportIsStrict(t *testing.T) {
	t.Parallel()
	d := defaultTransport()
	require.False(t, d.TLSClientConfig.InsecureSkipVerify)
	require.EqualValues(t, tls.VersionTLS12, d.TLSClientConfig.MinVersion)
	require.Nil(t, d.Proxy, "no environment is read")
	require.True(t, d.ForceAttemptHTTP2)
}

func TestWhereRequestsMayGo(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		opt  Options
		url  string
		ok   bool
	}{
		{"https", Options{}, "https://api.example", true},
		{"plain http", Options{}, "http://api.example", false},
		{"plain http, allowed", Options{AllowPlain: true}, "http://api.example", true},
		{"plain http to loopback", Options{}, "http://127.0.0.1:8080", true},
		{"plain http to loopback, v6", Options{}, "http://[::1]:8080", true},
		{"plain http to localhost", Options{}, "http://LOCALHOST:8080", true},
		{"plain http to a name that starts like loopback", Options{}, "http://127.0.0.1.example", false},
		{"another scheme", Options{}, "ftp://api.example", false},
		{"no host", Options{}, "https:///x", false},
		{"listed host", Options{AllowHosts: []string{"api.example"}}, "https://API.example:8443", true},
		{"unlisted host", Options{AllowHosts: []string{"api.example"}}, "https://evil.example", false},
		{"listed host as a suffix", Options{AllowHosts: []string{"api.example"}}, "https://evil-api.example", false},
		{"host with port", Options{AllowHosts: []string{"api.example:8443"}}, "https://api.example", false},
		{"below the domain", Options{AllowHosts: []string{"*.adyen.example"}}, "https://checkout.adyen.example", true},
		{"the domain itself", Options{AllowHosts: []string{"*.adyen.example"}}, "https://adyen.example", false},
		{"a longer name", Options{AllowHosts: []string{"*.adyen.example"}}, "https://xadyen.example", false},
		{"user part that looks like a host", Options{AllowHosts: []string{"api.example"}}, "https://api.example@evil.example", false},
		{"moved to loopback", Options{Rewrite: map[string]string{"api.example": "http://127.0.0.1:1/p"}, AllowHosts: []string{"x.example"}}, "https://api.example/v3", true},
		{"moved to plain http elsewhere", Options{Rewrite: map[string]string{"api.example": "http://sandbox:8080"}}, "https://api.example/v3", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			asked := false
			tc.opt.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
				asked = true
				return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
			})
			ctx, call := Observe(context.Background())
			_, err := send(ctx, newClient(t, tc.opt), tc.url)
			require.Equal(t, tc.ok, asked, "%v", err)
			if !tc.ok {
				require.Error(t, err)
				require.Equal(t, NotSent, call.Outcome().Kind)
			}
		})
	}
}

func TestRewriteMovesTheRequestOnly(t *testing.T) {
	t.Parallel()
	var host, uri string
	target := handler(t, func(w http.ResponseWriter, r *http.Request) {
		host, uri = r.Host, r.RequestURI
		_, _ = io.WriteString(w, "ok")
	})
	c := newClient(t, Options{Rewrite: map[string]string{"api.mch.weixin.qq.com": target + "/wechat/"}})
	ctx, call := Observe(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://API.mch.weixin.qq.com/v3/pay/a%2Fb?mchid=1", nil)
	require.NoError(t, err)
	resp, err := c.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	u, _ := url.Parse(target)
	require.Equal(t, u.Host, host)
	require.Equal(t, "/wechat/v3/pay/a%2Fb?mchid=1", uri)
	require.Equal(t, "API.mch.weixin.qq.com", r.URL.Host, "the caller's request is its own")
	require.Equal(t, r.URL, resp.Request.URL)
	require.Equal(t, u.Host, call.Exchanges()[0].Host, "the report names where it really went")
}

func TestSafePath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                  "",
		"/":                                 "/",
		"/v1/payment_intents":               "/v1/payment_intents",
		"/v71/paymentLinks/PL61C53A8B":      "/v71/paymentLinks/{id}",
		"/v2/checkout/orders/5O190127/x":    "/v2/checkout/orders/{id}/x",
		"/v2/orders/ABCDEFGH":               "/v2/orders/{id}",
		"/gateway.do":                       "/gateway.do",
		"/v3/pay/out-trade-no/op01h":        "/v3/pay/out-trade-no/{id}",
		"/a@b.c":                            "/{id}",
		"/x\ny":                             "/{id}",
		"/vault":                            "/vault",
		"/ca/services/DisputeService/v30/x": "/ca/services/DisputeService/v30/x",
	} {
		require.Equal(t, want, safePath(in), in)
	}
}
