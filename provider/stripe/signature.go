package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/tender-go/payment"
)

// Limits of what ParseWebhook looks at. Stripe's events are far smaller.
const (
	maxWebhookBody      = 1 << 20
	maxSignatureHeader  = 4 << 10
	maxSignatures       = 16
	signatureHeader     = "Stripe-Signature"
	signatureScheme     = "v1"
	timestampSchemeName = "t"
)

// verify checks that one of the secrets signed the body, byte for byte, not long
// before or after now. Source: docs.stripe.com/webhooks/signature.
func (p *Provider) verify(w payment.Webhook) *payment.WebhookError {
	switch {
	case len(p.secrets) == 0:
		return &payment.WebhookError{Reason: payment.WebhookNoSecret, Detail: "no signing secret is configured: set Config.WebhookSecrets"}
	case len(w.Body) == 0:
		return &payment.WebhookError{Reason: payment.WebhookEmpty, Detail: "the body is empty"}
	case len(w.Body) > maxWebhookBody:
		return &payment.WebhookError{Reason: payment.WebhookTooLarge, Detail: "the body is longer than 1 MB"}
	}
	stamp, sums := signatures(w.Header.Get(signatureHeader))
	if stamp == "" || len(sums) == 0 {
		return &payment.WebhookError{Reason: payment.WebhookNoSignature, Detail: "the header " + signatureHeader + " holds no time and v1 signature"}
	}
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || at < 0 {
		return &payment.WebhookError{Reason: payment.WebhookNoSignature, Detail: "the time in " + signatureHeader + " is no number"}
	}
	if !p.signed(stamp, w.Body, sums) {
		return &payment.WebhookError{Reason: payment.WebhookBadSignature, Detail: "no configured secret gives this signature: check the endpoint's secret, and that the body arrives unchanged"}
	}
	now := w.Now
	if now.IsZero() {
		now = p.now()
	}
	// Compared as numbers: a time far off would overflow a Duration.
	if off := now.Unix() - at; off > int64(p.tolerance/time.Second) || off < -int64(p.tolerance/time.Second) {
		return &payment.WebhookError{Reason: payment.WebhookStale, Detail: "it was sent more than " + p.tolerance.String() + " from now: check the clock"}
	}
	return nil
}

// signatures reads "t=...,v1=...,v1=..."; other schemes are left out.
func signatures(header string) (stamp string, sums [][]byte) {
	if len(header) > maxSignatureHeader {
		return "", nil
	}
	for part := range strings.SplitSeq(header, ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case !ok:
		case k == timestampSchemeName && stamp == "" && len(v) <= 20:
			stamp = v
		case k == signatureScheme && len(sums) < maxSignatures:
			if sum, err := hex.DecodeString(v); err == nil && len(sum) == sha256.Size {
				sums = append(sums, sum)
			}
		}
	}
	return stamp, sums
}

// signed tries every secret with every signature, in constant time each.
func (p *Provider) signed(stamp string, body []byte, sums [][]byte) bool {
	ok := false
	for _, s := range p.secrets {
		mac := hmac.New(sha256.New, []byte(s.Reveal()))
		mac.Write([]byte(stamp))
		mac.Write([]byte{'.'})
		mac.Write(body)
		want := mac.Sum(nil)
		for _, sum := range sums {
			ok = hmac.Equal(want, sum) || ok
		}
	}
	return ok
}
