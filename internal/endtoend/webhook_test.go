package endtoend

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/sandbox"
)

// signed is Stripe's signature header over a body.
func signed(secret string, body []byte, at time.Time) string {
	m := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(m, "%d.", at.Unix())
	m.Write(body)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(m.Sum(nil)))
}

// post delivers a body and returns the answer's status.
func (s *shop) post(body []byte, signature string) int {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.url, bytes.NewReader(body))
	require.NoError(s.t, err)
	r.Header.Set("Stripe-Signature", signature)
	res, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err)
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(s.t, err)
	return res.StatusCode
}

// hostile is a hold, and what is needed to notify lies about it.
type hostile struct {
	*shop
	id     string
	intent map[string]any // as it would be once it is captured
}

func newHostile(t *testing.T, store string) *hostile {
	t.Helper()
	s := open(t, options{store: store})
	r := request("pay", "order-1")
	r.Capture = payment.CaptureManual
	p, err := s.pay.Pay(s.ctx, r)
	require.NoError(t, err)
	found := s.bank.Stripe.PaymentsWhere(map[string]string{"tender_reference": "order-1"})[0]
	return &hostile{s, p.ID, map[string]any{
		"id": found.ID, "object": "payment_intent", "status": "succeeded", "amount": whole, "amount_received": whole, "amount_capturable": 0,
		"currency": "usd", "livemode": false, "capture_method": "manual", "latest_charge": found.LatestCharge, "metadata": found.Metadata,
	}}
}

// event is the body of a notification about the intent, with some of its fields
// changed.
func (h *hostile) event(id, typ string, change map[string]any) []byte {
	h.t.Helper()
	in := maps.Clone(h.intent)
	maps.Copy(in, change)
	body, err := json.Marshal(map[string]any{"id": id, "object": "event", "api_version": "2023-10-16", "created": h.bank.Now().Unix(),
		"livemode": in["livemode"], "type": typ, "pending_webhooks": 1, "request": nil, "data": map[string]any{"object": in}})
	require.NoError(h.t, err)
	return body
}

// send posts a body signed with the right secret now.
func (h *hostile) send(body []byte) int {
	return h.post(body, signed(h.bank.Stripe.WebhookSecret, body, h.bank.Now()))
}

// state is the payment as the records have it.
func (h *hostile) state() *payment.Payment {
	h.t.Helper()
	p, err := h.pay.Get(h.ctx, h.id)
	require.NoError(h.t, err)
	return p
}

// What is not Stripe's, or not of now, is refused and changes nothing.
func TestForgedWebhooks(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t, store)
			secret, now := h.bank.Stripe.WebhookSecret, h.bank.Now()
			good := h.event("evt_1", "payment_intent.succeeded", nil)
			for name, bad := range map[string]struct {
				body      []byte
				signature string
			}{
				"unsigned":           {good, ""},
				"another secret":     {good, signed("whsec_another_secret", good, now)},
				"the empty secret":   {good, signed("", good, now)},
				"an hour old":        {good, signed(secret, good, now.Add(-time.Hour))},
				"an hour ahead":      {good, signed(secret, good, now.Add(time.Hour))},
				"changed on its way": {bytes.ReplaceAll(good, []byte("10000"), []byte("90000")), signed(secret, good, now)},
				"nonsense":           {[]byte("nonsense"), signed(secret, []byte("nonsense"), now)},
				"no times":           {good, "t=,v1=" + strings.Repeat("0", 64)},
				"a huge time":        {good, "t=99999999999999999999,v1=" + strings.Repeat("0", 64)},
				"many signatures":    {good, strings.Repeat("v1=aa,", 5000)},
			} {
				require.Equal(t, http.StatusBadRequest, h.post(bad.body, bad.signature), name)
				require.Equal(t, payment.StatusAuthorized, h.state().Status, name)
			}
			h.agrees(h.state())
		})
	}
}

// A signed notification that contradicts the order is acknowledged, kept for a
// person, and books nothing; the payment itself goes on.
func TestContradictingWebhooks(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		for name, change := range map[string]map[string]any{
			"another amount":   {"amount": 150_00, "amount_received": 150_00},
			"another sum":      {"amount_received": 150_00},
			"another currency": {"currency": "eur"},
		} {
			t.Run(store+"/"+name, func(t *testing.T) {
				t.Parallel()
				h := newHostile(t, store)
				lie := h.event("evt_lie", "payment_intent.succeeded", change)
				require.Equal(t, http.StatusOK, h.send(lie), "or Stripe would send it for days")
				p := h.state()
				require.True(t, p.Totals.Captured.Done.IsZero(), dump(p))
				require.NotNil(t, p.Parked, "a person is told")
				require.Equal(t, http.StatusOK, h.send(lie), "a repetition changes nothing")
				require.True(t, h.state().Totals.Captured.Done.IsZero())
				require.EqualValues(t, whole, h.truth("order-1").held)
			})
		}
	}
}

// What is true, but about another object, another mode, or an earlier time,
// changes nothing; and the truth is taken once, however often it comes.
func TestForeignAndRepeatedWebhooks(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t, store)
			for name, body := range map[string][]byte{
				"a stranger's intent": h.event("evt_2", "payment_intent.canceled", map[string]any{"id": "pi_stranger", "metadata": map[string]string{}, "latest_charge": nil, "status": "canceled"}),
				"a type unknown":      h.event("evt_3", "payment_intent.blessed", nil),
			} {
				require.Equal(t, http.StatusOK, h.send(body), name)
				require.Equal(t, payment.StatusAuthorized, h.state().Status, name)
			}
			h.send(h.event("evt_4", "payment_intent.succeeded", map[string]any{"livemode": true}))
			require.Equal(t, payment.StatusAuthorized, h.state().Status, "live mode is not this instance's")

			// Staff capture; the notification comes three times, then an earlier one.
			require.NoError(t, h.bank.Stripe.CaptureFromDashboard(h.intent["id"].(string), 0))
			for range 3 {
				require.Equal(t, http.StatusOK, h.send(h.event("evt_5", "payment_intent.succeeded", nil)))
			}
			require.Equal(t, http.StatusOK, h.send(h.event("evt_6", "payment_intent.amount_capturable_updated",
				map[string]any{"status": "requires_capture", "amount_received": 0, "amount_capturable": whole})))
			p := h.state()
			require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
			h.agrees(p)
			h.agrees(h.sync(h.id))
		})
	}
}

// However Stripe's notifications travel, the records end at the truth.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	for _, mode := range []sandbox.DeliveryMode{sandbox.DeliverTwice, sandbox.DeliverHold, sandbox.DeliverReordered, sandbox.DeliverLost,
		sandbox.DeliverForged, sandbox.DeliverStale} {
		for _, store := range stores {
			t.Run(string(mode)+"/"+store, func(t *testing.T) {
				t.Parallel()
				s := open(t, options{store: store, hooks: true})
				require.NoError(t, s.bank.Deliver(sandbox.DeliveryRule{Mode: mode}))
				p := s.paid(true)
				intent := s.intent(p.Reference)
				_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "refund-1", Amount: usd(15_00)})
				require.NoError(t, err)
				_, err = s.bank.Stripe.RefundFromDashboard(intent, 15_00)
				require.NoError(t, err)
				_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "refund-2", Amount: usd(15_00)})
				require.NoError(t, err)
				s.deliver()
				s.bank.ReleaseWebhooks(true)
				s.settle(p.ID)
				switch mode {
				case sandbox.DeliverLost, sandbox.DeliverForged, sandbox.DeliverStale: // nothing ever tells but asking
					p = s.sync(p.ID)
				default:
					p, err = s.pay.Get(s.ctx, p.ID)
					require.NoError(t, err)
				}
				s.agrees(p)
				require.EqualValues(t, 45_00, s.truth(p.Reference).refunded)
			})
		}
	}
}
