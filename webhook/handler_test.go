package webhook_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/webhook"
)

func TestGenuineNotificationIsAppliedOnce(t *testing.T) {
	t.Parallel()
	s := open(t, fake.Options{})
	p, w := s.pending("order-1")

	res, _ := s.post(w)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, payment.StatusCaptured, s.status(p.ID))
	before := s.events()

	for range 3 {
		res, _ = s.post(w)
		require.Equal(t, http.StatusOK, res.StatusCode, "a repeated notification is acknowledged")
	}
	require.Equal(t, payment.StatusCaptured, s.status(p.ID))
	require.Equal(t, before, s.events(), "a notification that was handled leaves no second trace")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil  func(s *shop, w payment.Webhook) payment.Webhook
		status int
		reason string
	}{
		"forged body": {func(_ *shop, w payment.Webhook) payment.Webhook {
			w.Body = bytes.Replace(w.Body, []byte(`"`), []byte(` "`), 1)
			return w
		}, 400, payment.WebhookBadSignature},
		"forged by a stranger": {func(s *shop, w payment.Webhook) payment.Webhook {
			return fake.New(fake.Options{WebhookSecrets: []string{"whsec_of_the_attacker"}}).Sign(w.Body, now)
		}, 400, payment.WebhookBadSignature},
		"no signature": {func(_ *shop, w payment.Webhook) payment.Webhook {
			w.Header = http.Header{}
			return w
		}, 400, payment.WebhookNoSignature},
		"stale": {func(s *shop, w payment.Webhook) payment.Webhook {
			return s.bank.Resign(w, now.Add(-time.Hour))
		}, 400, payment.WebhookStale},
		"from the future": {func(s *shop, w payment.Webhook) payment.Webhook {
			return s.bank.Resign(w, now.Add(time.Hour))
		}, 400, payment.WebhookStale},
		"empty": {func(s *shop, w payment.Webhook) payment.Webhook {
			return s.bank.Sign(nil, now)
		}, 400, payment.WebhookEmpty},
		"signed nonsense": {func(s *shop, w payment.Webhook) payment.Webhook {
			return s.bank.Sign([]byte("\x00\xff not json"), now)
		}, 400, payment.WebhookMalformed},
		"oversized": {func(s *shop, w payment.Webhook) payment.Webhook {
			return s.bank.Sign(bytes.Repeat([]byte("x"), webhook.MaxBody+1), now)
		}, 413, payment.WebhookTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, fake.Options{})
			p, w := s.pending("order-1")
			before := s.events()
			res, body := s.post(c.spoil(s, w))
			require.Equal(t, c.status, res.StatusCode)
			require.Equal(t, payment.StatusProcessing, s.status(p.ID), "a refused notification changes nothing")
			require.Equal(t, before, s.events(), "a refused notification leaves no trace in the store")

			require.Equal(t, 1, strings.Count(body, "\n"), "the sender gets one line: %q", body)
			for _, leak := range []string{"signature", "secret", "stale", "time", "json", "fake", "payment:"} {
				require.NotContains(t, strings.ToLower(body), leak, "the sender learns nothing of the cause")
			}
			require.Contains(t, s.log.String(), "reason="+c.reason, "the operator learns the cause")

			res, _ = s.post(w)
			require.Equal(t, http.StatusOK, res.StatusCode, "the genuine one is still taken")
			require.Equal(t, payment.StatusCaptured, s.status(p.ID))
		})
	}
}

func TestNoSecretConfiguredRefusesEverything(t *testing.T) {
	t.Parallel()
	signed := open(t, fake.Options{})
	_, w := signed.pending("order-1")
	s := open(t, fake.Options{WebhookSecrets: []string{}})
	for _, w := range []payment.Webhook{w, s.bank.Sign(w.Body, now)} {
		res, _ := s.post(w)
		require.Equal(t, http.StatusBadRequest, res.StatusCode)
		require.Contains(t, s.log.String(), "reason="+payment.WebhookNoSecret)
	}
	require.Zero(t, s.events())
}

func TestOversizedBodyWithoutLengthIsCutOff(t *testing.T) {
	t.Parallel()
	s := open(t, fake.Options{}, webhook.BodyLimit(1000))
	// A reader of unknown length is sent in chunks.
	req, err := http.NewRequest(http.MethodPost, s.url, struct{ *strings.Reader }{strings.NewReader(strings.Repeat("x", 5000))})
	require.NoError(t, err)
	req.ContentLength = -1
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
}

func TestBodyLimitOnlyLowers(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int64]int{-1: 400, 0: 400, webhook.MaxBody + 1: 400, 10: 413} {
		s := open(t, fake.Options{}, webhook.BodyLimit(limit))
		res, _ := s.post(payment.Webhook{Header: http.Header{}, Body: bytes.Repeat([]byte("x"), 2000)})
		require.Equal(t, want, res.StatusCode, "limit %d", limit)
		res, _ = s.post(payment.Webhook{Header: http.Header{}, Body: bytes.Repeat([]byte("x"), webhook.MaxBody+1)})
		require.Equal(t, 413, res.StatusCode, "limit %d never lets more than MaxBody in", limit)
	}
}

func TestOnlyPost(t *testing.T) {
	t.Parallel()
	s := open(t, fake.Options{})
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		req, err := http.NewRequest(m, s.url, nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode, m)
		require.Equal(t, http.MethodPost, res.Header.Get("Allow"), m)
	}
}

func TestStoreDownThenUp(t *testing.T) {
	t.Parallel()
	s := open(t, fake.Options{})
	p, w := s.pending("order-1")
	s.down.Store(true)
	res, body := s.post(w)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, "the provider must send it again")
	require.NotEmpty(t, res.Header.Get("Retry-After"))
	require.NotContains(t, body, "disk")
	require.Contains(t, s.log.String(), "disk full")
	require.NotContains(t, s.log.String(), "hunter2", "what is logged is scrubbed")

	s.down.Store(false)
	require.Equal(t, payment.StatusProcessing, s.status(p.ID))
	res, _ = s.post(w)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, payment.StatusCaptured, s.status(p.ID), "the second delivery is no duplicate: the first was not stored")
}

func TestForeignNotificationIsAcknowledged(t *testing.T) {
	t.Parallel()
	s, other := open(t, fake.Options{}), open(t, fake.Options{})
	_, w := other.pending("order-of-another-shop")
	before := s.events()
	res, _ := s.post(w)
	require.Equal(t, http.StatusOK, res.StatusCode, "an odd event must not block those behind it")
	require.Equal(t, before+1, s.events(), "and it is kept")
}

func TestConcurrentDeliveries(t *testing.T) {
	t.Parallel()
	s := open(t, fake.Options{})
	const orders, copies = 8, 8
	var ids []string
	var hooks []payment.Webhook
	for i := range orders {
		p, w := s.pending("order-" + string(rune('a'+i)))
		ids, hooks = append(ids, p.ID), append(hooks, w)
	}
	codes := make(chan int, orders*copies)
	var wg sync.WaitGroup
	for range copies {
		for _, w := range hooks {
			wg.Go(func() {
				res, _, err := send(s.url, w)
				if err != nil {
					codes <- 0
					return
				}
				codes <- res.StatusCode
			})
		}
	}
	wg.Wait()
	close(codes)
	for c := range codes {
		require.Equal(t, http.StatusOK, c)
	}
	for _, id := range ids {
		require.Equal(t, payment.StatusCaptured, s.status(id))
		events, err := s.pay.Events(t.Context(), payment.EventQuery{PaymentID: id, Limit: 1000})
		require.NoError(t, err)
		told := 0
		for _, e := range events {
			if e.Source == payment.SourceWebhook {
				told++
			}
		}
		require.Equal(t, 1, told, "eight copies of one notification are one event")
	}
}
