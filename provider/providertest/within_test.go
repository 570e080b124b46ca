package providertest_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/provider/providertest"
)

// enclosed signs inside the body, as some providers do.
type enclosed struct {
	*fake.Provider
	verify bool
}

type envelope struct{ Sig, Stamp, Body string }

func enclose(w payment.Webhook) payment.Webhook {
	body, err := json.Marshal(envelope{Sig: w.Header.Get("Fake-Signature"), Stamp: w.Header.Get("Fake-Time"), Body: string(w.Body)})
	if err != nil {
		panic(err)
	}
	return payment.Webhook{Body: body, Now: w.Now}
}

func (e enclosed) ParseWebhook(ctx context.Context, w payment.Webhook) (payment.Notification, error) {
	var v envelope
	switch err := json.Unmarshal(w.Body, &v); {
	case len(w.Body) == 0 || len(w.Body) > 64<<10:
		return e.Provider.ParseWebhook(ctx, w)
	case err != nil:
		return payment.Notification{}, &payment.WebhookError{Reason: payment.WebhookMalformed, Detail: "no envelope"}
	case e.verify:
		inner := payment.Webhook{Header: map[string][]string{"Fake-Signature": {v.Sig}, "Fake-Time": {v.Stamp}}, Body: []byte(v.Body), Now: w.Now}
		return e.Provider.ParseWebhook(ctx, inner)
	}
	return readAnything(e.Provider, payment.Webhook{Body: []byte(v.Body), Now: w.Now})
}

// A signature inside the body is tried like one in a header.
func TestSignedWithin(t *testing.T) {
	t.Parallel()
	for verify, want := range map[bool]int{true: 0, false: 1} {
		h := harnessOf(fake.Adyen, func(p *fake.Provider) payment.Provider { return enclosed{p, verify} })
		h.Only = []string{"webhook-forged", "webhook-accept", "webhook-size", "webhook-hostile", "webhook-dedup"}
		open := h.New
		h.New = func(o providertest.Options) (*providertest.Rig, error) {
			r, err := open(o)
			hooks, sign := r.Webhooks, r.Sign
			r.Webhooks = func() ([]payment.Webhook, error) {
				list, err := hooks()
				for i := range list {
					list[i] = enclose(list[i])
				}
				return list, err
			}
			r.Sign = func(body []byte, at time.Time) payment.Webhook { return enclose(sign(body, at)) }
			return r, err
		}
		found := providertest.Check(h)
		require.Len(t, found, want, "verify %v: %v", verify, found)
		for _, v := range found {
			require.Equal(t, "webhook-forged", v.Rule.ID)
		}
	}
}
