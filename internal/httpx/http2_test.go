package httpx

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// h2 starts an HTTP/2 server and returns a transport that trusts it.
func h2(t *testing.T, h http.HandlerFunc) (url string, base *http.Transport) {
	t.Helper()
	s := quiet(httptest.NewUnstartedServer(h))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	base = defaultTransport()
	base.TLSClientConfig.RootCAs = x509.NewCertPool()
	base.TLSClientConfig.RootCAs.AddCert(s.Certificate())
	return s.URL, base
}

func TestOutcomeOverHTTP2(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		want    Outcome
	}{
		{"200", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }, Outcome{Answered, 200, ""}},
		{"404", http.NotFound, Outcome{Answered, 404, ""}},
		{"503", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, Outcome{Ambiguous, 503, ClassServer}},
		{"stream reset", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Outcome{Ambiguous, 0, ClassOther}},
		{"stream reset within the body", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, Outcome{Ambiguous, 200, ClassOther}},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, Outcome{Ambiguous, 0, ClassTimeout}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			url, base := h2(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/warm" {
					return
				}
				tc.handler(w, r)
			})
			c := newClient(t, Options{Base: base, Timeout: 2 * time.Second})
			for _, warm := range []bool{false, true} { // a fresh connection and a used one
				if warm {
					ctx, call := Observe(context.Background())
					_, err := send(ctx, c, url+"/warm")
					require.NoError(t, err)
					require.Equal(t, "HTTP/2.0", call.Exchanges()[0].Proto)
				}
				ctx, call := Observe(context.Background())
				_, err := send(ctx, c, url)
				require.Equal(t, tc.want, call.Outcome(), "warm %t; the client said: %v", warm, err)
				require.Equal(t, 1, call.Sends())
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			ctx, call := Observe(ctx)
			_, err := send(ctx, c, url)
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, Outcome{NotSent, 0, ClassCanceled}, call.Outcome())
		})
	}
}

// REFUSED_STREAM and GOAWAY promise that a stream was not processed. net/http
// acts on that promise by itself; what is left over stays in doubt.
func TestHTTP2RefusedStreamStaysAmbiguous(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		frame []byte
	}{
		{"REFUSED_STREAM", []byte{0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7}},
		{"GOAWAY, last stream 0", []byte{0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewUnstartedServer(nil)
			s.EnableHTTP2 = true
			s.StartTLS() // for its certificate
			t.Cleanup(s.Close)
			cfg := &tls.Config{Certificates: s.TLS.Certificates, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
			addr := rawServer(t, func(_ int, raw net.Conn) {
				c := tls.Server(raw, cfg)
				defer c.Close()
				r := bufio.NewReader(c)
				if _, err := r.Discard(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); err != nil {
					return
				}
				_, _ = c.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // SETTINGS
				for {
					var head [9]byte
					if _, err := io.ReadFull(r, head[:]); err != nil {
						return
					}
					if _, err := r.Discard(int(head[0])<<16 | int(head[1])<<8 | int(head[2])); err != nil {
						return
					}
					if head[3] == 1 { // HEADERS
						f := bytes.Clone(tc.frame)
						if f[3] == 3 {
							copy(f[5:9], head[5:9])
						}
						_, _ = c.Write(f)
					}
				}
			})
			base := defaultTransport()
			base.TLSClientConfig.RootCAs = x509.NewCertPool()
			base.TLSClientConfig.RootCAs.AddCert(s.Certificate())
			ctx, call := Observe(context.Background())
			_, err := send(ctx, newClient(t, Options{Base: base, Timeout: 500 * time.Millisecond}), "https://"+addr)
			require.Error(t, err)
			require.Equal(t, Ambiguous, call.Outcome().Kind, "%v", err)
			require.Positive(t, call.Sends())
		})
	}
}
