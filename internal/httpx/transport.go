package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"
)

// transport is the RoundTripper behind New.
type transport struct {
	base            http.RoundTripper
	trusted         bool  // base is net/http's own transport, whose trace proves what it says
	limit           int64 // bytes of a body
	timeout         time.Duration
	rewrite         map[string]*url.URL
	allow           []hostPattern
	allowPlain      bool
	allowUnobserved bool
	keep            []string
	log             *slog.Logger
	onExchange      func(Exchange)
	now             func() time.Time
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the base.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	e := &exchange{method: r.Method, start: t.now()}
	if r.URL != nil {
		e.host, e.path = r.URL.Host, r.URL.Path
	}
	s, observed := ctx.Value(slotKey{}).(*slot)
	if observed {
		e.scope = s.scope
	}
	target, err := t.admit(r, observed)
	if target != nil {
		e.host = target.Host
	}
	if observed && !s.call.begin(e) {
		err = &RefusedError{Host: e.host, Reason: "its call has already been reported as not sent: observe again for a new one"}
	}
	if err != nil {
		closeBody(r)
		e.refuse(err, t.now())
		t.report(ctx, e)
		return nil, err
	}

	// The base may keep using the request's context after it returned, but it
	// must not see a request that its caller owns: clone, then change.
	bounded, cancel := context.WithTimeoutCause(ctx, t.timeout, &TimeoutError{After: t.timeout})
	out := r.WithContext(httptrace.WithClientTrace(bounded, e.trace()))
	if target != r.URL {
		out.URL, out.Host = target, target.Host
	}
	resp, err := t.base.RoundTrip(out)
	if err == nil && resp == nil {
		err = errors.New("httpx: the transport returned neither an answer nor an error")
	}
	if err != nil {
		err = explain(bounded, err)
		cancel()
		e.fail(err, t.trusted, t.now())
		t.report(ctx, e)
		return nil, err
	}
	resp.Request = r
	e.answer(resp, t.keep)
	t.wrapBody(bounded, cancel, resp, e)
	return resp, nil
}

// admit returns the URL to ask, or why nothing may be asked.
func (t *transport) admit(r *http.Request, observed bool) (*url.URL, error) {
	u := r.URL
	if u == nil || u.Host == "" {
		return nil, &RefusedError{Reason: "it has no host"}
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return nil, &RefusedError{Host: u.Host, Reason: "its URL is neither https nor http"}
	}
	rewritten := false
	if t.rewrite != nil {
		base, ok := t.rewrite[lowerASCII(u.Host)]
		if !ok {
			base, ok = t.rewrite[lowerASCII(u.Hostname())]
		}
		if ok {
			u, rewritten = moved(u, base), true
		}
	}
	if !observed && !t.allowUnobserved {
		return u, &RefusedError{Host: u.Host, Reason: "its context is not observed: call httpx.Observe and pass that context on"}
	}
	if !rewritten && len(t.allow) > 0 && !t.allowed(u) {
		return u, &RefusedError{Host: u.Host, Reason: "the host is not in AllowHosts"}
	}
	if u.Scheme == "http" && !t.allowPlain && !isLoopback(u.Hostname()) {
		return u, &RefusedError{Host: u.Host, Reason: "plain http would show its credentials to the network: use https, or set AllowPlain"}
	}
	// net/http checks this too, but only once it has looked at the request.
	if err := r.Context().Err(); err != nil {
		return u, err
	}
	return u, nil
}

func (t *transport) allowed(u *url.URL) bool {
	for _, p := range t.allow {
		if p.match(u) {
			return true
		}
	}
	return false
}

// explain makes the error of a context that has ended say why, whatever the
// protocol: HTTP/1.1 returns the cause without the context's own error, HTTP/2
// the context's error without the cause.
func explain(ctx context.Context, err error) error {
	ended := ctx.Err()
	if ended == nil {
		return err
	}
	cause := context.Cause(ctx)
	var timeout *TimeoutError
	switch {
	case errors.Is(err, ended) && errors.As(cause, &timeout):
		return timeout
	case !errors.Is(err, ended) && errors.Is(err, cause):
		return fmt.Errorf("%w: %w", ended, err)
	}
	return err
}

// closeBody keeps the RoundTripper's promise to close the body, even on error.
func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// report tells logger and hook about an exchange that has ended.
func (t *transport) report(ctx context.Context, e *exchange) {
	level := slog.LevelDebug
	if e.outcome().Kind != Answered {
		level = slog.LevelWarn
	}
	if t.onExchange == nil && !t.log.Enabled(ctx, level) {
		return
	}
	x := e.snapshot()
	if t.onExchange != nil {
		t.notify(ctx, x)
	}
	t.log.LogAttrs(ctx, level, "provider exchange",
		slog.String("scope", x.Scope),
		slog.String("method", Scrub(x.Method)),
		slog.String("host", Scrub(x.Host)),
		slog.String("path", x.Path),
		slog.String("outcome", x.Outcome.String()),
		slog.String("request_id", x.RequestID),
		slog.Duration("duration", x.Duration),
		slog.Int("sends", x.Sends),
		slog.Bool("reused", x.Reused),
		slog.Int64("bytes", x.ResponseBytes),
	)
}

// notify keeps a broken metrics hook from breaking a payment.
func (t *transport) notify(ctx context.Context, x Exchange) {
	defer func() {
		if v := recover(); v != nil {
			t.log.LogAttrs(ctx, slog.LevelError, "OnExchange panicked", slog.String("value", scrubValue(v)))
		}
	}()
	t.onExchange(x)
}
