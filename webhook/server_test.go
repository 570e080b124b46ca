package webhook_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/webhook"
)

// receiver is a Receiver made of functions.
type receiver struct {
	do func(ctx context.Context, w payment.Webhook) (payment.Notification, error)
}

func (r receiver) Receive(ctx context.Context, _ string, w payment.Webhook) (payment.Notification, error) {
	return r.do(ctx, w)
}

func handle(t *testing.T, do func(ctx context.Context, w payment.Webhook) (payment.Notification, error), opts ...webhook.Option) string {
	t.Helper()
	return serve(t, webhook.Handler(receiver{do: do}, fake.New(fake.Options{}), opts...))
}

func TestAcknowledgementIsTheAdapters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ ack, kind, want string }{
		{"", "", "text/plain; charset=utf-8"},
		{"success", "", "text/plain; charset=utf-8"},
		{`{"code":"SUCCESS"}`, "application/json", "application/json"},
	} {
		url := handle(t, func(context.Context, payment.Webhook) (payment.Notification, error) {
			return payment.Notification{Ack: []byte(c.ack), AckType: c.kind}, nil
		})
		res, body := post(t, url, payment.Webhook{Header: http.Header{}})
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, c.ack, body)
		require.Equal(t, c.want, res.Header.Get("Content-Type"))
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
	}
}

func TestBytesHeadersAndQueryPassUnchanged(t *testing.T) {
	t.Parallel()
	var got payment.Webhook
	url := handle(t, func(_ context.Context, w payment.Webhook) (payment.Notification, error) {
		got = w
		return payment.Notification{}, nil
	})
	body := " {\"a\" :1}\r\n\x00\xff"
	post(t, url, payment.Webhook{Header: http.Header{"X-Signature": {"one", "two"}}, Query: map[string][]string{"sign": {"a b&c"}}, Body: []byte(body)})
	require.Equal(t, body, string(got.Body))
	require.Equal(t, []string{"one", "two"}, got.Header.Values("X-Signature"))
	require.Equal(t, "a b&c", got.Query.Get("sign"))
	require.True(t, got.Now.IsZero(), "the client's own clock judges the age")
}

func TestPanicIsAnswered(t *testing.T) {
	t.Parallel()
	calls := 0
	url := handle(t, func(context.Context, payment.Webhook) (payment.Notification, error) {
		if calls++; calls == 1 {
			panic("boom")
		}
		return payment.Notification{}, nil
	})
	res, body := post(t, url, payment.Webhook{Header: http.Header{}})
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, "nobody knows what was stored: send it again")
	require.NotContains(t, body, "boom")
	res, _ = post(t, url, payment.Webhook{Header: http.Header{}})
	require.Equal(t, http.StatusOK, res.StatusCode, "the server lives")
}

// panicking is an adapter whose parser panics.
type panicking struct{ *fake.Provider }

func (panicking) ParseWebhook(context.Context, payment.Webhook) (payment.Notification, error) {
	panic("index out of range")
}

func TestPanickingParserRefuses(t *testing.T) {
	t.Parallel()
	s := open(t, fake.Options{})
	p := panicking{fake.New(fake.Options{Name: "odd"})}
	pay, err := payment.New(payment.Config{Store: memory(), Providers: []payment.Provider{p}})
	require.NoError(t, err)
	_, w := s.pending("order-1")
	res, _ := post(t, serve(t, webhook.Handler(pay, p)), w)
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
}

func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	url := handle(t, func(ctx context.Context, _ payment.Webhook) (payment.Notification, error) {
		<-ctx.Done()
		return payment.Notification{}, ctx.Err()
	}, webhook.Timeout(50*time.Millisecond))
	begin := time.Now()
	res, _ := post(t, url, payment.Webhook{Header: http.Header{}})
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Less(t, time.Since(begin), 5*time.Second)
}

// A sender that hangs up does not undo what is being stored.
func TestWorkGoesOnWhenTheSenderLeaves(t *testing.T) {
	t.Parallel()
	begun, result := make(chan struct{}), make(chan error, 1)
	url := handle(t, func(ctx context.Context, _ payment.Webhook) (payment.Notification, error) {
		close(begun)
		select {
		case <-ctx.Done():
			result <- ctx.Err()
		case <-time.After(200 * time.Millisecond):
			result <- nil
		}
		return payment.Notification{}, nil
	})
	ctx, hangUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("{}"))
	require.NoError(t, err)
	go func() { <-begun; hangUp() }()
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		res.Body.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, <-result, "the store's work must not be canceled with the connection")
}

// A store that needs longer than the body's deadline is not disturbed by it, and
// what wraps the handler does not see the sender as gone.
func TestReadDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	h := webhook.Handler(receiver{do: func(ctx context.Context, _ payment.Webhook) (payment.Notification, error) {
		time.Sleep(150 * time.Millisecond)
		return payment.Notification{Ack: []byte("late")}, ctx.Err()
	}}, fake.New(fake.Options{}), webhook.ReadTimeout(50*time.Millisecond))
	gone := make(chan error, 2)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		gone <- r.Context().Err()
	}))
	for range 2 { // the second on the same connection
		res, body := post(t, url, payment.Webhook{Header: http.Header{}, Body: []byte("{}")})
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, "late", body)
		require.NoError(t, <-gone)
	}
}

func TestSlowBodyIsCutOff(t *testing.T) {
	t.Parallel()
	called := make(chan struct{}, 1)
	url := handle(t, func(context.Context, payment.Webhook) (payment.Notification, error) {
		called <- struct{}{}
		return payment.Notification{}, nil
	}, webhook.ReadTimeout(100*time.Millisecond))
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000\r\n\r\n{")
	require.NoError(t, err)
	begin := time.Now()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusRequestTimeout, res.StatusCode)
	require.True(t, res.Close, "a connection in the middle of a body cannot be used again")
	require.Less(t, time.Since(begin), 5*time.Second)
	require.Empty(t, called, "half a body is never handed on")
}

func TestBrokenBody(t *testing.T) {
	t.Parallel()
	url := handle(t, func(context.Context, payment.Webhook) (payment.Notification, error) {
		return payment.Notification{}, errors.New("must not be called")
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n")
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	require.NoError(t, conn.Close())
}

func TestWiringMistakesPanic(t *testing.T) {
	t.Parallel()
	bank := fake.New(fake.Options{})
	require.Panics(t, func() { webhook.Handler(nil, bank) })
	require.Panics(t, func() { webhook.Handler(receiver{}, nil) })
	require.NotPanics(t, func() {
		webhook.Handler(receiver{}, bank, nil, webhook.Logger(nil), webhook.Clock(nil), webhook.Timeout(0), webhook.ReadTimeout(-1))
	})
}
