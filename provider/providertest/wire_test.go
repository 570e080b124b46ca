package providertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/provider/providertest"
)

// Each fault of the wire is what its name says, seen from a plain client.
func TestWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault  providertest.Fault
		worked bool
		status int // 0: no answer
	}{
		{"", true, 201},
		{providertest.FaultRefused, false, 0},
		{providertest.FaultReset, false, 0},
		{providertest.FaultLost, true, 0},
		{providertest.FaultHang, true, 0},
		{providertest.FaultServerError, false, 500},
		{providertest.FaultServerErrorDone, true, 500},
		{providertest.FaultGarbage, true, 200},
		{providertest.FaultUnauthorized, false, 401},
		{providertest.FaultForbidden, false, 403},
		{providertest.FaultTooMany, false, 429},
		{providertest.FaultBadRequest, false, 400},
	} {
		t.Run("fault "+string(c.fault), func(t *testing.T) {
			t.Parallel()
			var worked atomic.Bool
			wire := &providertest.Wire{
				Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					b, _ := io.ReadAll(r.Body)
					worked.Store(string(b) == "amount=1")
					w.WriteHeader(http.StatusCreated)
					_, _ = io.WriteString(w, `{"id":"x"}`)
				}),
				Step: func(r *http.Request, _ []byte) string { return strings.TrimPrefix(r.URL.Path, "/") },
			}
			server := httptest.NewServer(wire)
			defer server.Close()
			client := &http.Client{Transport: wire.Transport()}
			if c.fault != "" {
				require.NoError(t, wire.Fault("create", c.fault))
			}
			send := func(path string) (*http.Response, error) {
				ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
				t.Cleanup(cancel)
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, strings.NewReader("amount=1"))
				require.NoError(t, err)
				r.Header.Set("Idempotency-Key", "k1")
				return client.Do(r)
			}
			resp, err := send("/create")
			require.Equal(t, c.worked, worked.Load())
			if c.status == 0 {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
				require.Equal(t, c.status, resp.StatusCode)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				if c.fault == providertest.FaultGarbage {
					var v struct{ ID string }
					require.True(t, json.Unmarshal(body, &v) != nil || v.ID == "")
				}
			}
			// The next one is whole again, and both were recorded alike.
			resp, err = send("/create")
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, 201, resp.StatusCode)
			seen := wire.Requests()
			if c.fault != providertest.FaultRefused {
				require.Len(t, seen, 2)
				require.Equal(t, seen[0], seen[1])
			}
			require.Equal(t, "k1", seen[0].Key)
		})
	}
}

// A redirect leads to another host, and what follows it there is seen; without
// following it nothing is done.
func TestWireRedirect(t *testing.T) {
	t.Parallel()
	for _, follow := range []bool{false, true} {
		var hosts []string
		wire := &providertest.Wire{
			Next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				hosts = append(hosts, r.Host+r.URL.String()+r.Header.Get("X-Api-Key"))
			}),
			Step: func(*http.Request, []byte) string { return "create" },
		}
		server := httptest.NewServer(wire)
		defer server.Close()
		client := &http.Client{Transport: wire.Transport()}
		if !follow {
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		}
		require.NoError(t, wire.Fault("create", providertest.FaultRedirect))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/create?a=b", strings.NewReader("amount=1"))
		require.NoError(t, err)
		r.Header.Set("X-Api-Key", "secret")
		res, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		if !follow {
			require.Equal(t, http.StatusTemporaryRedirect, res.StatusCode)
			require.Empty(t, hosts)
			require.Len(t, wire.Requests(), 1)
			continue
		}
		require.Equal(t, []string{"elsewhere.invalid/v1/create?a=bsecret"}, hosts, "net/http hands on what it does not know to be a secret")
		seen := wire.Requests()
		require.Len(t, seen, 2)
		require.False(t, seen[0].Elsewhere)
		require.True(t, seen[1].Elsewhere)
	}
}

func TestWireUnknownFault(t *testing.T) {
	t.Parallel()
	wire := &providertest.Wire{}
	require.True(t, errors.Is(wire.Fault("create", "meteor"), providertest.ErrNoFault))
}
