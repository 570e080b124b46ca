package httpx

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Defaults of [Options].
const (
	DefaultTimeout          = 30 * time.Second
	DefaultMaxResponseBytes = 8 << 20
)

// Options configure [New]. The zero value is ready to use.
type Options struct {
	// Base carries the requests. Nil means a transport of our own: verified TLS
	// 1.2 or newer, HTTP/2, keep-alive, no proxy. A host that needs a proxy or
	// private roots passes its own *http.Transport, which is used as it is and
	// never changed; another kind of RoundTripper works too, but proves less,
	// so more outcomes are Ambiguous.
	Base http.RoundTripper
	// Client is another way to give Base: its Transport is taken, and its
	// Timeout where Timeout below is zero. Its cookie jar and its redirect rule
	// are not used, and it is never changed. Excludes Base.
	Client *http.Client

	// Timeout bounds one exchange, from its start to the last byte of the body.
	// Zero means DefaultTimeout.
	Timeout time.Duration
	// MaxResponseBytes bounds a response body after decompression. A longer
	// body is a *BodyTooLargeError and its outcome Ambiguous, never a body cut
	// short in silence. Zero means DefaultMaxResponseBytes. For reports and other
	// long downloads, build a second client with wider bounds.
	MaxResponseBytes int64

	// Rewrite moves the requests for a host (key: "host" or "host:port", as in
	// the request's URL) to another base URL, whose path is put in front. It is
	// for SDKs with a constant host. The targets count as allowed hosts.
	Rewrite map[string]string
	// AllowHosts, if not empty, are the only hosts that may be asked: "host",
	// "host:port", or "*.domain" for every name below the domain.
	AllowHosts []string
	// AllowPlain permits http:// to hosts other than loopback. The credentials
	// of every request then travel in clear text.
	AllowPlain bool
	// AllowUnobserved permits requests whose context carries no Call. Without
	// it such a request is refused before it is sent: an SDK that drops the
	// context would otherwise make a sent request look like one never sent.
	AllowUnobserved bool

	// KeepHeaders names response headers to keep for Call.Header, beside the
	// usual request ids, Date, Retry-After and Content-Type. Only headers
	// without secrets belong here.
	KeepHeaders []string

	// Logger gets one scrubbed line per exchange: Debug when it was answered,
	// Warn otherwise. Nil discards.
	Logger *slog.Logger
	// OnExchange, for metrics, is called once per exchange: when its body has
	// ended or been closed, or when it failed. It may be called from several
	// goroutines and must not block; its panics are swallowed. Nil means none.
	OnExchange func(Exchange)
	// Now is the clock for the times and durations reported. It does not drive
	// Timeout. Nil means time.Now.
	Now func() time.Time
}

// New returns an http.Client to inject into a provider's SDK. It is safe for
// concurrent use; its CloseIdleConnections reaches the transport. The error
// names the option that is wrong.
func New(o Options) (*http.Client, error) {
	t, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport: t, // bounds the time itself: http.Client.Timeout costs two goroutines a request
		// A redirect would carry the API key and the body to a host that the
		// answer chose. The 3xx itself is handed to the caller.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func newTransport(o Options) (*transport, error) {
	if o.Timeout < 0 {
		return nil, errors.New("httpx: Timeout is negative: give a duration, or zero for the default")
	}
	if o.MaxResponseBytes < 0 {
		return nil, errors.New("httpx: MaxResponseBytes is negative: give a size, or zero for the default")
	}
	if o.Base != nil && o.Client != nil {
		return nil, errors.New("httpx: Base and Client are both set: give one")
	}
	base := o.Base
	if o.Client != nil {
		base = o.Client.Transport
	}
	var trusted bool
	switch b := base.(type) {
	case nil:
		base, trusted = defaultTransport(), true
	case *http.Transport:
		if b == nil {
			return nil, errors.New("httpx: Base is a nil *http.Transport: leave it out for the default")
		}
		if err := checkTLS(b.TLSClientConfig); err != nil {
			return nil, err
		}
		// HTTP/2 without TLS cannot be told from HTTP/1.1 by looking at the
		// connection, so the proof for HTTP/1.1 must not be used.
		trusted = b.Protocols == nil || !b.Protocols.UnencryptedHTTP2()
	}
	t := &transport{
		base:            base,
		trusted:         trusted,
		limit:           o.MaxResponseBytes,
		timeout:         o.Timeout,
		allowPlain:      o.AllowPlain,
		allowUnobserved: o.AllowUnobserved,
		log:             o.Logger,
		onExchange:      o.OnExchange,
		now:             o.Now,
	}
	if t.timeout == 0 && o.Client != nil {
		t.timeout = o.Client.Timeout
	}
	if t.timeout <= 0 {
		t.timeout = DefaultTimeout
	}
	if t.limit == 0 {
		t.limit = DefaultMaxResponseBytes
	}
	if t.now == nil {
		t.now = time.Now
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	for _, h := range append(keptHeaders(), o.KeepHeaders...) {
		t.keep = append(t.keep, http.CanonicalHeaderKey(h))
	}
	for _, h := range o.AllowHosts {
		p, err := parseHostPattern(h)
		if err != nil {
			return nil, err
		}
		t.allow = append(t.allow, p)
	}
	for host, target := range o.Rewrite {
		u, err := url.Parse(target)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" ||
			u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("httpx: Rewrite[%q] is not a base URL: want scheme://host[:port][/path]", host)
		}
		if t.rewrite == nil {
			t.rewrite = make(map[string]*url.URL, len(o.Rewrite))
		}
		t.rewrite[lowerASCII(host)] = u
	}
	return t, nil
}

func checkTLS(c *tls.Config) error {
	switch {
	case c == nil:
		return nil
	case c.InsecureSkipVerify:
		return errors.New("httpx: TLSClientConfig.InsecureSkipVerify is set: put the private root into RootCAs instead")
	case c.MinVersion != 0 && c.MinVersion < tls.VersionTLS12:
		return errors.New("httpx: TLSClientConfig.MinVersion is below TLS 1.2: raise it or leave it zero")
	}
	return nil
}

// defaultTransport is like http.DefaultTransport with three differences: no
// proxy from the environment, connections that count the bytes written, and
// idle connections that are given up early.
func defaultTransport() *http.Transport {
	d := &meteredDialer{Dialer: net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}}
	return &http.Transport{
		DialContext:            d.DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    32,
		MaxResponseHeaderBytes: 256 << 10,
		// A request written into a connection that the peer has just dropped is
		// Ambiguous. Common load balancers drop an idle one after 60 s: be first.
		IdleConnTimeout: 45 * time.Second,
		// Notice a dead HTTP/2 connection before the next payment does.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
	}
}
