package httpx

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestZeroOutcomeClaimsNothing(t *testing.T) {
	t.Parallel()
	require.Equal(t, Ambiguous, Outcome{}.Kind)
	require.Equal(t, "ambiguous", Outcome{}.String())
	require.Equal(t, "answered 402", Outcome{Answered, 402, ""}.String())
	require.Equal(t, "not_sent (dns)", Outcome{NotSent, 0, ClassDNS}.String())
}

func TestUnobservedRequestIsRefused(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	url := handler(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	_, err := send(context.Background(), newClient(t, Options{}), url)
	var refused *RefusedError
	require.ErrorAs(t, err, &refused, "an SDK that drops the context must not make a sent request look unsent")
	require.Zero(t, hits.Load())
	_, err = send(context.Background(), newClient(t, Options{AllowUnobserved: true}), url)
	require.NoError(t, err)
	require.EqualValues(t, 1, hits.Load())
}

func TestScopeKeepsSideCallsApart(t *testing.T) {
	t.Parallel()
	url := handler(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client left
			<-r.Context().Done()
			return
		}
		w.Header().Set("Paypal-Debug-Id", "d1")
		w.WriteHeader(201)
	})
	c := newClient(t, Options{Timeout: 150 * time.Millisecond})
	ctx, call := Observe(context.Background())
	_, err := send(Scope(ctx, "token"), c, url+"/token")
	require.Error(t, err)
	require.Equal(t, Outcome{Ambiguous, 0, ClassTimeout}, call.ScopeOutcome("token"))
	require.Equal(t, NotSent, call.ScopeOutcome("").Kind, "a lost token answer leaves the payment unsent")
	require.Zero(t, call.Sends())

	_, err = send(ctx, c, url+"/v2/checkout/orders")
	require.NoError(t, err)
	require.Equal(t, Outcome{Answered, 201, ""}, call.Outcome())
	require.Equal(t, "d1", call.RequestID())
	require.Len(t, call.Exchanges(), 2)
	require.Equal(t, "token", call.Exchanges()[0].Scope)
	require.GreaterOrEqual(t, call.Elapsed(), 150*time.Millisecond)

	require.Equal(t, context.Background(), Scope(context.Background(), "token"), "without a Call there is nothing to scope")
	inner, nested := Observe(ctx)
	_, err = send(inner, c, url+"/x")
	require.NoError(t, err)
	require.Len(t, nested.Exchanges(), 1, "a nested Observe is a call of its own")
	require.Len(t, call.Exchanges(), 2)
}

func TestNotSentStaysTrue(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	url := handler(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	c := newClient(t, Options{})
	ctx, call := Observe(context.Background())
	require.Equal(t, Outcome{Kind: NotSent}, call.Outcome(), "no exchange, no request")
	_, err := send(ctx, c, url)
	var refused *RefusedError
	require.ErrorAs(t, err, &refused, "a request after the report would make it a lie")
	require.Zero(t, hits.Load())
	require.Equal(t, NotSent, call.Outcome().Kind)
}

func TestExchangeInProgressIsAmbiguous(t *testing.T) {
	t.Parallel()
	in, out := make(chan struct{}), make(chan struct{})
	url := handler(t, func(http.ResponseWriter, *http.Request) { close(in); <-out })
	c := newClient(t, Options{})
	ctx, call := Observe(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = send(ctx, c, url) })
	<-in
	require.Equal(t, Outcome{Ambiguous, 0, ClassPending}, call.Outcome())
	close(out)
	wg.Wait()
	require.Equal(t, Outcome{Answered, 200, ""}, call.Outcome())
}

func TestOutcomeOfSeveralExchanges(t *testing.T) {
	t.Parallel()
	ok, no, lost, unsent := Outcome{Answered, 200, ""}, Outcome{Answered, 409, ""}, Outcome{Ambiguous, 0, ClassReset}, Outcome{NotSent, 0, ClassDNS}
	for _, tc := range []struct {
		in   []Outcome
		want Outcome
		rule string
	}{
		{nil, Outcome{Kind: NotSent}, "nothing happened"},
		{[]Outcome{unsent, unsent}, unsent, "nothing was sent, twice"},
		{[]Outcome{unsent, ok}, ok, "the second try was answered"},
		{[]Outcome{ok, unsent}, ok, "something was answered: not unsent"},
		{[]Outcome{ok, no}, no, "the last answer speaks"},
		{[]Outcome{lost, ok}, lost, "an answer to a second request says nothing about the first"},
		{[]Outcome{lost, no, unsent}, lost, "once in doubt, always in doubt"},
		{[]Outcome{ok, lost}, lost, "the second request may have been processed"},
	} {
		sum := Outcome{Kind: NotSent}
		for _, o := range tc.in {
			sum = combine(sum, o)
		}
		require.Equal(t, tc.want, sum, "%v: %s", tc.in, tc.rule)
	}
}

func TestLongCallForgetsNoDoubt(t *testing.T) {
	t.Parallel()
	n := 0
	url := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 2 {
			w.WriteHeader(500)
		}
	})
	c := newClient(t, Options{})
	ctx, call := Observe(context.Background())
	for range 2*maxKept + 5 {
		_, err := send(ctx, c, url)
		require.NoError(t, err)
	}
	require.Len(t, call.Exchanges(), maxKept, "memory is bounded")
	require.Equal(t, Outcome{Ambiguous, 500, ClassServer}, call.Outcome(), "the one in doubt has been dropped, its doubt has not")
}

// The proof, case by case, from the hooks alone.
func TestProof(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	h1 := httptrace.GotConnInfo{Conn: a}
	h2 := httptrace.GotConnInfo{Conn: tlsStub{a}}
	boom := errors.New("boom")
	for _, tc := range []struct {
		name    string
		trusted bool
		hooks   func(*httptrace.ClientTrace)
		want    Kind
	}{
		{"no hook, net/http", true, func(*httptrace.ClientTrace) {}, NotSent},
		{"no hook, unknown transport", false, func(*httptrace.ClientTrace) {}, Ambiguous},
		{"asked for a connection", false, func(c *httptrace.ClientTrace) { c.GetConn("") }, NotSent},
		{"HTTP/1.1 connection, nothing written", true, func(c *httptrace.ClientTrace) { c.GetConn(""); c.GotConn(h1) }, NotSent},
		{"connection of an unknown transport", false, func(c *httptrace.ClientTrace) { c.GetConn(""); c.GotConn(h1) }, Ambiguous},
		{"HTTP/2 connection: its writer may be a step behind", true, func(c *httptrace.ClientTrace) { c.GetConn(""); c.GotConn(h2) }, Ambiguous},
		{"first header field", true, func(c *httptrace.ClientTrace) { c.GotConn(h1); c.WroteHeaderField("Host", nil) }, Ambiguous},
		{"headers", true, func(c *httptrace.ClientTrace) { c.GotConn(h1); c.WroteHeaders() }, Ambiguous},
		{"request", true, func(c *httptrace.ClientTrace) { c.GotConn(h1); c.WroteRequest(httptrace.WroteRequestInfo{}) }, Ambiguous},
		{"request failed before its headers", true, func(c *httptrace.ClientTrace) {
			c.GotConn(h1)
			c.WroteRequest(httptrace.WroteRequestInfo{Err: boom})
		}, NotSent},
		{"written once, then a connection that got nothing", true, func(c *httptrace.ClientTrace) {
			c.GotConn(h1)
			c.WroteHeaderField("Host", nil)
			c.GetConn("")
			c.GotConn(h1)
		}, Ambiguous},
	} {
		e := &exchange{}
		tr := e.trace()
		tc.hooks(tr)
		e.fail(boom, tc.trusted, time.Now())
		require.Equal(t, tc.want, e.outcome().Kind, tc.name)
		tr.WroteHeaderField("late", nil)
		tr.WroteRequest(httptrace.WroteRequestInfo{})
		require.Equal(t, tc.want, e.outcome().Kind, "%s: hooks that fire late change no report", tc.name)
	}
}

type tlsStub struct{ net.Conn }

func (tlsStub) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{NegotiatedProtocol: "h2"}
}

// The property that failover stands on: whatever the timing, no request that
// the server saw is ever called NotSent.
func TestArrivedIsNeverNotSent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]bool{}
	mark := func(id string) {
		mu.Lock()
		defer mu.Unlock()
		seen[id] = true
	}
	h := func(w http.ResponseWriter, r *http.Request) {
		mark(r.Header.Get("X-Id"))
		switch len(r.Header.Get("X-Id")) % 3 {
		case 0:
			panic(http.ErrAbortHandler)
		case 1:
			time.Sleep(time.Millisecond)
		}
	}
	h2url, h2base := h2(t, h)
	// A server that drops kept-alive connections on receipt of their third request.
	rude := "http://" + rawServer(t, func(_ int, c net.Conn) {
		r := bufio.NewReader(c)
		for n := 0; ; n++ {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			mark(req.Header.Get("X-Id"))
			if n == 2 {
				reset(c)
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	rounds := 400
	if testing.Short() {
		rounds = 60
	}
	for name, target := range map[string]struct {
		url  string
		base http.RoundTripper
	}{
		"h1":            {handler(t, h), nil},
		"h1 unmetered":  {handler(t, h), &http.Transport{}},
		"h1 rude":       {rude, nil},
		"h2":            {h2url, h2base},
		"h2 as unknown": {h2url, roundTripper(h2base.RoundTrip)},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{Base: target.base, Timeout: 5 * time.Second})
			count := map[Kind]int{}
			var unsent []string
			var wg sync.WaitGroup
			for w := range 4 {
				wg.Go(func() {
					for i := range rounds {
						id := strings.Repeat("x", i%3) + name + string(rune('a'+w)) + time.Duration(i).String()
						// From "over before it starts" to "long enough".
						limit := time.Duration(i%40) * 25 * time.Microsecond
						if i%40 == 39 {
							limit = 5 * time.Second
						}
						ctx, cancel := context.WithTimeout(context.Background(), limit)
						ctx, call := Observe(ctx)
						_, _ = send(ctx, c, target.url, "X-Id", id)
						o := call.Outcome()
						cancel()
						mu.Lock()
						count[o.Kind]++
						if o.Kind == NotSent {
							unsent = append(unsent, id)
						}
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			time.Sleep(50 * time.Millisecond) // what is under way arrives
			mu.Lock()
			defer mu.Unlock()
			for _, id := range unsent {
				require.False(t, seen[id], "request %s arrived and was reported as not sent", id)
			}
			t.Logf("%d requests: %v", 4*rounds, count)
			require.Positive(t, count[NotSent], "the test must reach this outcome to mean anything")
			require.Positive(t, count[Ambiguous], "the test must reach this outcome to mean anything")
			require.Positive(t, count[Answered], "the test must reach this outcome to mean anything")
		})
	}
}

func TestReportsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64 // seconds; every request takes one
	url := handler(t, func(w http.ResponseWriter, r *http.Request) {
		clock.Add(1)
		w.Header().Set("Request-Id", "req_1")
		w.Header().Set("Retry-After", "3")
		w.Header().Set("Set-Cookie", "session=topsecret")
		w.Header().Set("X-Kept", "kept jane@example.com")
		if strings.Contains(r.URL.Path, "fail") {
			w.WriteHeader(500)
		}
		_, _ = io.WriteString(w, `{"email":"jane@example.com"}`)
	})
	var log bytes.Buffer
	var got []Exchange
	c := newClient(t, Options{
		Logger:      slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		OnExchange:  func(x Exchange) { got = append(got, x); panic("a broken metrics hook") },
		Now:         func() time.Time { return time.Unix(clock.Load(), 0) },
		KeepHeaders: []string{"x-kept"},
	})
	ctx, call := Observe(context.Background())
	_, err := send(ctx, c, url+"/v1/payment_intents/pi_3Nabc/capture?client_secret=pi_3Nabc_secret_zz",
		"Authorization", "Bearer sk_live_topsecret")
	require.NoError(t, err, "a broken metrics hook must not break a payment")
	_, _ = send(ctx, c, url+"/v1/fail")

	require.Len(t, got, 2)
	require.Equal(t, "/v1/payment_intents/{id}/capture", got[0].Path)
	require.Equal(t, "req_1", got[0].RequestID)
	require.Equal(t, http.MethodPost, got[0].Method)
	require.Equal(t, time.Second, got[0].Duration)
	require.EqualValues(t, 28, got[0].ResponseBytes)
	require.Equal(t, Outcome{Ambiguous, 500, ClassServer}, got[1].Outcome)
	require.Equal(t, "3", call.Header("retry-after"))
	require.Equal(t, "kept [email redacted]", call.Header("X-Kept"))
	require.Empty(t, call.Header("Set-Cookie"), "only the headers that are kept")
	require.Equal(t, 2*time.Second, call.Elapsed())

	text := log.String()
	require.Contains(t, text, "level=DEBUG")
	require.Contains(t, text, "level=WARN")
	require.Contains(t, text, "OnExchange panicked")
	for _, secret := range []string{"topsecret", "pi_3Nabc", "jane", "client_secret", "zz"} {
		require.NotContains(t, text, secret)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	url := handler(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	c := newClient(t, Options{})
	for i := range 3 {
		ctx, call := Observe(context.Background())
		_, err := send(ctx, c, url)
		require.NoError(t, err)
		require.Equal(t, i > 0, call.Exchanges()[0].Reused, "releasing the time limit must not cost the connection")
	}
}

func TestErrorSaysWhoseTimeRanOut(t *testing.T) {
	t.Parallel()
	arrived := map[string]chan struct{}{"/h1": make(chan struct{}), "/h2": make(chan struct{})}
	stall := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if c := arrived[r.URL.Path]; c != nil {
			close(c)
		}
		<-r.Context().Done()
	}
	h2url, h2base := h2(t, stall)
	h1url := handler(t, stall)
	shutdown := errors.New("shutdown")
	for _, tc := range []struct {
		name, url string
		base      http.RoundTripper
	}{{"h1", h1url, nil}, {"h2", h2url, h2base}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, Options{Base: tc.base, Timeout: 200 * time.Millisecond})
			ctx, _ := Observe(context.Background())
			_, err := send(ctx, c, tc.url)
			var timeout *TimeoutError
			require.ErrorAs(t, err, &timeout, "the client's own limit")
			require.Equal(t, 200*time.Millisecond, timeout.After)
			require.ErrorIs(t, err, context.DeadlineExceeded)

			ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			_, err = send(ctx, c, tc.url)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.False(t, errors.As(err, &timeout), "the caller's limit")

			ctx, stop := context.WithCancelCause(context.Background())
			ctx, call := Observe(ctx)
			go func() {
				<-arrived["/"+tc.name]
				stop(shutdown)
			}()
			_, err = send(ctx, newClient(t, Options{Base: tc.base}), tc.url+"/"+tc.name)
			require.ErrorIs(t, err, context.Canceled, "the caller's own cause does not hide that it cancelled")
			require.Equal(t, Outcome{Ambiguous, 0, ClassCanceled}, call.Outcome())
		})
	}
}
