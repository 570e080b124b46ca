package httpx

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rawServer accepts connections on loopback and hands each, with its number
// from 0, to serve, which owns it. It ends with the test.
func rawServer(t *testing.T, serve func(n int, c net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() { serve(n, c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// readRequest reads one request with its body.
func readRequest(r *bufio.Reader) error {
	req, err := http.ReadRequest(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err
}

// reset closes so that the peer gets a RST, not a FIN.
func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// closedPort returns an address on which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// quiet keeps the expected complaints of a test server out of the output.
func quiet(s *httptest.Server) *httptest.Server {
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

func handler(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := quiet(httptest.NewUnstartedServer(h))
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// answering serves each connection: read one request, write text, then end.
func answering(t *testing.T, text string, end func(net.Conn)) string {
	return "http://" + rawServer(t, func(_ int, c net.Conn) {
		if readRequest(bufio.NewReader(c)) != nil {
			return
		}
		_, _ = io.WriteString(c, text)
		if end != nil {
			end(c)
		}
	})
}

func wait(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
func fin(c net.Conn)  { _ = c.Close() }
func late(c net.Conn) { // lets the bytes written arrive before the RST
	time.Sleep(50 * time.Millisecond)
	reset(c)
}

// deadResolver answers "no such host" from loopback; no query leaves the machine.
func deadResolver(t *testing.T) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if n > 12 {
				binary.BigEndian.PutUint16(buf[2:], 0x8183) // a response: NXDOMAIN
				binary.BigEndian.PutUint16(buf[10:], 0)     // without the additional records
				end := 12 + bytes.IndexByte(buf[12:n], 0) + 5
				_, _ = pc.WriteTo(buf[:end], from)
			}
		}
	}()
	t.Cleanup(func() { _ = pc.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// send makes one POST under ctx and reads the answer to its end, as an SDK does.
func send(ctx context.Context, c *http.Client, url string, header ...string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"amount":1999}`))
	if err != nil {
		return "", err
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func newClient(t *testing.T, o Options) *http.Client {
	t.Helper()
	c, err := New(o)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// roundTripper is a transport that net/http knows nothing of.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestOutcomeOnTheWire(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	short := func(context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, 150*time.Millisecond)
	}
	type setup struct {
		url    string
		opt    Options
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		header []string
	}
	cases := []struct {
		name  string
		rule  string
		setup func(t *testing.T) setup
		want  Outcome
		sends int
	}{
		// Nothing was sent.
		{"connection refused", "no connection, no request", func(t *testing.T) setup {
			return setup{url: "http://" + closedPort(t)}
		}, Outcome{NotSent, 0, ClassConnect}, 0},
		{"name does not resolve", "no address, no request", func(t *testing.T) setup {
			d := &net.Dialer{Resolver: deadResolver(t)}
			return setup{url: "https://api.provider.invalid/v1/x", opt: Options{Base: &http.Transport{DialContext: d.DialContext}}}
		}, Outcome{NotSent, 0, ClassDNS}, 0},
		{"unknown CA", "a handshake that fails carries no request", func(t *testing.T) setup {
			s := quiet(httptest.NewUnstartedServer(http.NotFoundHandler()))
			s.StartTLS()
			t.Cleanup(s.Close)
			return setup{url: s.URL}
		}, Outcome{NotSent, 0, ClassTLS}, 0},
		{"https to a port that speaks http", "a handshake that fails carries no request", func(t *testing.T) setup {
			return setup{url: strings.Replace(handler(t, func(http.ResponseWriter, *http.Request) {}), "http:", "https:", 1)}
		}, Outcome{NotSent, 0, ClassTLS}, 0},
		{"handshake stalls", "the context ended before the first byte", func(t *testing.T) setup {
			return setup{url: "https://" + rawServer(t, func(_ int, c net.Conn) { wait(c) }), ctx: short}
		}, Outcome{NotSent, 0, ClassTimeout}, 0},
		{"handshake reset", "a handshake that fails carries no request", func(t *testing.T) setup {
			return setup{url: "https://" + rawServer(t, func(_ int, c net.Conn) { _, _ = c.Read(make([]byte, 1)); reset(c) })}
		}, Outcome{NotSent, 0, ClassReset}, 0},
		{"dial stalls until Timeout", "the time ran out before a connection existed", func(*testing.T) setup {
			return setup{url: "http://127.0.0.1:1", opt: Options{Timeout: 100 * time.Millisecond,
				Base: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}}}}
		}, Outcome{NotSent, 0, ClassTimeout}, 0},
		{"context cancelled before", "a dead context sends nothing", func(t *testing.T) setup {
			return setup{url: handler(t, func(http.ResponseWriter, *http.Request) {}),
				ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
					ctx, cancel := context.WithCancel(ctx)
					cancel()
					return ctx, cancel
				}}
		}, Outcome{NotSent, 0, ClassCanceled}, 0},
		{"header that net/http refuses", "refused before a connection was asked for", func(t *testing.T) setup {
			return setup{url: handler(t, func(http.ResponseWriter, *http.Request) {}), header: []string{"X-Id", "a\nb"}}
		}, Outcome{NotSent, 0, ClassOther}, 0},
		{"unknown transport over net/http, refused", "a dial that fails proves it through any wrapper", func(t *testing.T) setup {
			inner := &http.Transport{}
			return setup{url: "http://" + closedPort(t), opt: Options{Base: roundTripper(inner.RoundTrip)}}
		}, Outcome{NotSent, 0, ClassConnect}, 0},

		// Nobody knows.
		{"unknown transport fails", "a transport that reports nothing proves nothing", func(*testing.T) setup {
			return setup{url: "https://api.provider.invalid", opt: Options{Base: roundTripper(func(*http.Request) (*http.Response, error) {
				return nil, errors.New("boom")
			})}}
		}, Outcome{Ambiguous, 0, ClassOther}, 0},
		{"transport without answer or error", "a broken transport proves nothing", func(*testing.T) setup {
			return setup{url: "https://api.provider.invalid", opt: Options{Base: roundTripper(func(*http.Request) (*http.Response, error) {
				return nil, nil //nolint:nilnil // the broken contract is the case
			})}}
		}, Outcome{Ambiguous, 0, ClassOther}, 0},
		{"reset while the request is read", "a byte arrived", func(t *testing.T) setup {
			return setup{url: "http://" + rawServer(t, func(_ int, c net.Conn) { _, _ = c.Read(make([]byte, 1)); reset(c) })}
		}, Outcome{Ambiguous, 0, ClassReset}, 1},
		{"reset after the request was read", "the provider may have acted", func(t *testing.T) setup {
			return setup{url: answering(t, "", reset)}
		}, Outcome{Ambiguous, 0, ClassReset}, 1},
		{"closed after the request was read", "the provider may have acted", func(t *testing.T) setup {
			return setup{url: answering(t, "", fin)}
		}, Outcome{Ambiguous, 0, ClassEOF}, 1},
		{"no answer until Timeout", "the answer may have been yes", func(t *testing.T) setup {
			return setup{url: answering(t, "", wait), opt: Options{Timeout: 150 * time.Millisecond}}
		}, Outcome{Ambiguous, 0, ClassTimeout}, 1},
		{"no answer until the context's deadline", "the answer may have been yes", func(t *testing.T) setup {
			return setup{url: answering(t, "", wait), ctx: short}
		}, Outcome{Ambiguous, 0, ClassTimeout}, 1},
		{"context cancelled while waiting", "the answer may have been yes", func(t *testing.T) setup {
			return setup{url: answering(t, "", wait), ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(150*time.Millisecond, cancel)
				return ctx, cancel
			}}
		}, Outcome{Ambiguous, 0, ClassCanceled}, 1},
		{"garbage", "an answer that is not HTTP says nothing", func(t *testing.T) setup {
			return setup{url: answering(t, "\x00\x01 what?\r\n\r\n", fin)}
		}, Outcome{Ambiguous, 0, ClassOther}, 1},
		{"500", "the provider may have acted before it failed", func(t *testing.T) setup {
			return setup{url: handler(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })}
		}, Outcome{Ambiguous, 500, ClassServer}, 1},
		{"HTML 502 of a gateway", "the gateway does not know either", func(t *testing.T) setup {
			return setup{url: handler(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(502)
				_, _ = io.WriteString(w, "<html>Bad Gateway</html>")
			})}
		}, Outcome{Ambiguous, 502, ClassServer}, 1},
		{"100 Continue, then reset", "an interim answer is none", func(t *testing.T) setup {
			return setup{url: answering(t, "HTTP/1.1 100 Continue\r\n\r\n", late)}
		}, Outcome{Ambiguous, 0, ClassReset}, 1},
		{"103 Early Hints, then closed", "an interim answer is none", func(t *testing.T) setup {
			return setup{url: answering(t, "HTTP/1.1 103 Early Hints\r\n\r\n", fin)}
		}, Outcome{Ambiguous, 0, ClassEOF}, 1},
		{"101 without being asked", "a change of protocol is no answer", func(t *testing.T) setup {
			return setup{url: answering(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", fin)}
		}, Outcome{Ambiguous, 101, ClassServer}, 1},
		{"body shorter than its length", "half an answer is none", func(t *testing.T) setup {
			return setup{url: answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\":", fin)}
		}, Outcome{Ambiguous, 200, ClassEOF}, 1},
		{"chunked body without its end", "half an answer is none", func(t *testing.T) setup {
			return setup{url: answering(t, "HTTP/1.1 402 Payment Required\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"id\r\n", fin)}
		}, Outcome{Ambiguous, 402, ClassEOF}, 1},
		{"reset within the body", "half an answer is none", func(t *testing.T) setup {
			return setup{url: answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", late)}
		}, Outcome{Ambiguous, 200, ClassReset}, 1},
		{"body stalls until Timeout", "Timeout bounds the body too", func(t *testing.T) setup {
			return setup{url: answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", wait), opt: Options{Timeout: 150 * time.Millisecond}}
		}, Outcome{Ambiguous, 200, ClassTimeout}, 1},
		{"body too large, announced", "an answer that was not read is none", func(t *testing.T) setup {
			return setup{url: answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890", fin), opt: Options{MaxResponseBytes: 10}}
		}, Outcome{Ambiguous, 200, ClassTooLarge}, 1},
		{"body too large, chunked", "an answer that was not read is none", func(t *testing.T) setup {
			return setup{url: answering(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n", fin), opt: Options{MaxResponseBytes: 10}}
		}, Outcome{Ambiguous, 200, ClassTooLarge}, 1},

		// Answered.
		{"body of exactly the limit", "the limit itself fits", func(t *testing.T) setup {
			return setup{url: answering(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n", fin), opt: Options{MaxResponseBytes: 10}}
		}, Outcome{Answered, 200, ""}, 1},
		{"204", "no body is a whole answer", func(t *testing.T) setup {
			return setup{url: handler(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })}
		}, Outcome{Answered, 204, ""}, 1},
		{"402", "a refusal is an answer", func(t *testing.T) setup {
			return setup{url: handler(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(402) })}
		}, Outcome{Answered, 402, ""}, 1},
		{"http to a port that speaks https", "it says 400 in clear text", func(t *testing.T) setup {
			s := quiet(httptest.NewUnstartedServer(http.NotFoundHandler()))
			s.StartTLS()
			t.Cleanup(s.Close)
			return setup{url: strings.Replace(s.URL, "https:", "http:", 1)}
		}, Outcome{Answered, 400, ""}, 1},
		{"Expect: 100-continue, granted", "interim answers are passed over", func(t *testing.T) setup {
			return setup{url: handler(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }),
				header: []string{"Expect", "100-continue"}}
		}, Outcome{Answered, 200, ""}, 1},
		{"Expect: 100-continue, refused", "417 without reading the body is an answer", func(t *testing.T) setup {
			return setup{url: handler(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(417) }),
				header: []string{"Expect", "100-continue"}}
		}, Outcome{Answered, 417, ""}, 1},
		{"unknown transport answers", "an answer is an answer", func(*testing.T) setup {
			return setup{url: "https://api.provider.invalid", opt: Options{Base: roundTripper(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Proto: "HTTP/3.0", Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
			})}}
		}, Outcome{Answered, 200, ""}, 1},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := tc.setup(t)
			if s.opt.Timeout == 0 {
				s.opt.Timeout = 20 * time.Second // a bound for the test, not a part of it
			}
			c := newClient(t, s.opt)
			ctx := ctx
			if s.ctx != nil {
				var cancel context.CancelFunc
				ctx, cancel = s.ctx(ctx)
				defer cancel()
			}
			ctx, call := Observe(ctx)
			_, err := send(ctx, c, s.url, s.header...)
			got := call.Outcome()
			require.Equal(t, tc.want, got, "rule: %s; the client said: %v", tc.rule, err)
			require.Equal(t, tc.sends, call.Sends(), "requests that went on the wire")
			if got.Kind == NotSent {
				require.Error(t, err, "what was not sent cannot have succeeded")
			}
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		other := handler(t, func(_ http.ResponseWriter, r *http.Request) {
			t.Errorf("status %d carried the request to another host, with X-Api-Key %q", status, r.Header.Get("X-Api-Key"))
		})
		url := handler(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, status) })
		ctx, call := Observe(context.Background())
		_, err := send(ctx, newClient(t, Options{}), url, "X-Api-Key", "secret")
		require.NoError(t, err)
		require.Equal(t, Outcome{Answered, status, ""}, call.Outcome())
	}
}

func TestGzipBombIsBounded(t *testing.T) {
	t.Parallel()
	url := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(gzipped(t, make([]byte, 1<<20)))
	})
	ctx, call := Observe(context.Background())
	got, err := send(ctx, newClient(t, Options{MaxResponseBytes: 64 << 10}), url)
	var tooLarge *BodyTooLargeError
	require.ErrorAs(t, err, &tooLarge)
	require.Len(t, got, 64<<10, "the bound counts bytes after decompression")
	require.Equal(t, Outcome{Ambiguous, 200, ClassTooLarge}, call.Outcome())
}

// keepAlive serves the first request of the first connection well and closes
// that connection when the first byte of the second arrives; other connections
// go to rest.
func keepAlive(t *testing.T, rest func(c net.Conn)) string {
	return "http://" + rawServer(t, func(n int, c net.Conn) {
		if n > 0 {
			rest(c)
			return
		}
		r := bufio.NewReader(c)
		if readRequest(r) != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_, _ = r.ReadByte()
		reset(c)
	})
}

func TestDeadKeepAliveConnection(t *testing.T) {
	t.Parallel()
	serveOK := func(c net.Conn) {
		if readRequest(bufio.NewReader(c)) == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}
	first := func(t *testing.T, c *http.Client, url string) {
		ctx, call := Observe(context.Background())
		_, err := send(ctx, c, url)
		require.NoError(t, err)
		require.Equal(t, Outcome{Answered, 200, ""}, call.Outcome())
	}
	t.Run("without Idempotency-Key", func(t *testing.T) {
		t.Parallel()
		c, url := newClient(t, Options{}), keepAlive(t, serveOK)
		first(t, c, url)
		ctx, call := Observe(context.Background())
		_, err := send(ctx, c, url)
		require.Error(t, err)
		require.Equal(t, Ambiguous, call.Outcome().Kind, "it was written into a socket: the peer may have read it")
		require.Equal(t, 1, call.Sends(), "a POST without a key is not sent again")
		require.True(t, call.Exchanges()[0].Reused)
	})
	t.Run("with Idempotency-Key", func(t *testing.T) {
		t.Parallel()
		c, url := newClient(t, Options{}), keepAlive(t, serveOK)
		first(t, c, url)
		ctx, call := Observe(context.Background())
		_, err := send(ctx, c, url, "Idempotency-Key", "k1")
		require.NoError(t, err)
		require.Equal(t, Outcome{Answered, 200, ""}, call.Outcome())
		require.Equal(t, 2, call.Sends(), "net/http sends it again by itself, and that is counted")
	})
	t.Run("with Idempotency-Key, second send lost too", func(t *testing.T) {
		t.Parallel()
		c, url := newClient(t, Options{}), keepAlive(t, func(c net.Conn) {
			_ = readRequest(bufio.NewReader(c))
			reset(c)
		})
		first(t, c, url)
		ctx, call := Observe(context.Background())
		_, err := send(ctx, c, url, "Idempotency-Key", "k1")
		require.Error(t, err)
		require.Equal(t, Ambiguous, call.Outcome().Kind)
		require.Equal(t, 2, call.Sends())
	})
	t.Run("closed while idle, server gone", func(t *testing.T) {
		t.Parallel()
		closed := make(chan struct{})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		go func() {
			c, err := l.Accept()
			if err == nil {
				serveOK(c)
				_ = c.Close()
			}
			_ = l.Close()
			close(closed)
		}()
		c, url := newClient(t, Options{}), "http://"+l.Addr().String()
		first(t, c, url)
		<-closed
		time.Sleep(100 * time.Millisecond) // the client notices the FIN and drops the connection
		ctx, call := Observe(context.Background())
		_, err = send(ctx, c, url)
		require.Error(t, err)
		require.Equal(t, Outcome{NotSent, 0, ClassConnect}, call.Outcome(), "nothing was written: the new connection was refused")
	})
}

// stubConn fails its writes once armed, after letting through n bytes.
type stubConn struct {
	net.Conn
	armed *bool
	n     int
}

func (c *stubConn) Write(p []byte) (int, error) {
	if *c.armed {
		n, _ := c.Conn.Write(p[:min(c.n, len(p))])
		return n, &net.OpError{Op: "write", Err: errors.New("stub: broken pipe")}
	}
	return c.Conn.Write(p)
}

// The case that hooks alone cannot decide: net/http puts the headers into its
// buffer, which fires them, and then the kernel takes nothing.
func TestReusedConnectionThatTakesNothing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		taken   int  // bytes that the second write gets out
		metered bool // whether the connections count
		want    Kind
		sends   int
	}{
		{"nothing taken", 0, true, NotSent, 0},
		{"one byte taken", 1, true, Ambiguous, 1},
		{"nothing taken, but nobody counted", 0, false, Ambiguous, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			url := handler(t, func(http.ResponseWriter, *http.Request) {})
			armed := false
			base := defaultTransport()
			dial := base.DialContext
			base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if armed {
					return nil, &net.OpError{Op: "dial", Err: errors.New("stub: refused")}
				}
				c, err := dial(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				c = &stubConn{Conn: c.(*meteredConn).Conn, armed: &armed, n: tc.taken}
				if tc.metered {
					c = &meteredConn{Conn: c}
				}
				return c, nil
			}
			c := newClient(t, Options{Base: base})
			ctx, _ := Observe(context.Background())
			_, err := send(ctx, c, url)
			require.NoError(t, err)
			armed = true
			ctx, call := Observe(context.Background())
			_, err = send(ctx, c, url)
			require.Error(t, err)
			require.Equal(t, tc.want, call.Outcome().Kind, "%v", err)
			require.Equal(t, tc.sends, call.Sends())
		})
	}
}
