package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/memstore"
	"github.com/tender-go/payment/webhook"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// shop is a client whose notifications come over HTTP.
type shop struct {
	t    *testing.T
	bank *fake.Provider
	pay  *payment.Client
	down atomic.Bool // the store refuses every transaction
	log  *safeBuffer
	url  string
}

func open(t *testing.T, o fake.Options, opts ...webhook.Option) *shop {
	t.Helper()
	s := &shop{t: t, log: new(safeBuffer)}
	o.Now = func() time.Time { return now }
	s.bank = fake.New(o)
	store := memstore.New(memstore.Options{Fault: func(point string) error {
		if s.down.Load() && point == memstore.FaultBegin {
			return errors.New("disk full; dsn postgres://shop:hunter2hunter2@db/shop")
		}
		return nil
	}})
	var err error
	s.pay, err = payment.New(payment.Config{Store: store, Providers: []payment.Provider{s.bank}, Now: o.Now})
	require.NoError(t, err)
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	opts = append([]webhook.Option{webhook.Logger(logger), webhook.Clock(o.Now)}, opts...)
	s.url = serve(t, webhook.Handler(s.pay, s.bank, opts...))
	return s
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// pending makes a payment whose outcome only a notification tells, and returns
// that notification.
func (s *shop) pending(reference string) (*payment.Payment, payment.Webhook) {
	s.t.Helper()
	p, err := s.pay.Pay(context.Background(), payment.Request{Key: "key-" + reference, Reference: reference,
		Amount: money.Of(100_00, money.USD), Method: payment.Card(fake.TokenPending)})
	require.NoError(s.t, err)
	require.Equal(s.t, payment.StatusProcessing, p.Status)
	s.bank.Tick()
	hooks := s.bank.TakeWebhooks()
	require.NotEmpty(s.t, hooks)
	return p, hooks[len(hooks)-1]
}

// post delivers a notification and returns the answer with its body.
func (s *shop) post(w payment.Webhook) (*http.Response, string) {
	s.t.Helper()
	return post(s.t, s.url, w)
}

func post(t *testing.T, url string, w payment.Webhook) (*http.Response, string) {
	t.Helper()
	res, body, err := send(url, w)
	require.NoError(t, err)
	return res, body
}

func send(url string, w payment.Webhook) (*http.Response, string, error) {
	req, err := http.NewRequest(http.MethodPost, url+"?"+w.Query.Encode(), bytes.NewReader(w.Body))
	if err != nil {
		return nil, "", err
	}
	req.Header = w.Header.Clone()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

func (s *shop) status(id string) payment.Status {
	s.t.Helper()
	p, err := s.pay.Get(context.Background(), id)
	require.NoError(s.t, err)
	return p.Status
}

// events counts what is recorded.
func (s *shop) events() int {
	s.t.Helper()
	all, err := s.pay.Events(context.Background(), payment.EventQuery{Limit: 1000})
	require.NoError(s.t, err)
	return len(all)
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
