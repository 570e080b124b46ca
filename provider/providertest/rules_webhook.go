package providertest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

func webhookRules() []Rule {
	applies := func(c *check) bool { return c.caps.Webhooks }
	hooks := []Ability{AbilityWebhooks, AbilityPayer}
	return []Rule{
		{ID: "webhook-accept", needs: hooks, applies: applies,
			Text: "A genuine notification is accepted and says what it is about: a Kind, a Status or a Dispute, and an operation of ours or the provider's object.",
			Why:  "A fact that finds no home is a payment that nobody ships.",
			run: func(c *check) error {
				list, err := c.genuine()
				if err != nil {
					return err
				}
				seen := 0
				for _, w := range list {
					n, err := c.parse(c.p.(payment.WebhookParser), w)
					if err != nil {
						return fmt.Errorf("a genuine notification was refused: %w", err)
					}
					for _, e := range n.Events {
						seen++
						if e.Kind == "" || (e.Status == "" && e.Dispute == nil) {
							return fmt.Errorf("an event has Kind %q and Status %q", e.Kind, e.Status)
						}
						if e.OperationID == "" && e.StepKey == "" && e.Ref == "" && e.Parent == "" {
							return fmt.Errorf("an event of kind %s names nothing: no OperationID, StepKey, Ref or Parent", e.Kind)
						}
						if a := e.Amount; a != (money.Amount{}) && a.Currency() != c.amount.Currency() {
							return fmt.Errorf("an event names %s for a payment in %s", a, c.amount.Currency())
						}
					}
				}
				if seen == 0 {
					return errors.New("a whole payment was notified by no event")
				}
				return nil
			}},
		{ID: "webhook-forged", needs: hooks, applies: applies,
			Text: "A notification with a wrong, missing or foreign signature, or with one byte changed, is refused with a *WebhookError that says why.",
			Why:  "Anybody on the internet can post to the address: an accepted forgery is a free order.",
			run:  forged},
		{ID: "webhook-size", needs: []Ability{AbilityForge}, applies: applies,
			Text: "An empty body is refused as empty, one of several megabytes as too large, before anything is parsed.",
			Why:  "The address is public, and memory is not endless.",
			run: func(c *check) error {
				p := c.p.(payment.WebhookParser)
				for _, x := range []struct {
					body []byte
					want []string
				}{{nil, []string{payment.WebhookEmpty}}, {bytes.Repeat([]byte(" "), 8<<20), []string{payment.WebhookTooLarge}}} {
					w := c.rig.Sign(x.body, c.now())
					w.Body, w.Now = x.body, c.now()
					if err := c.refuses(p, w, x.want...); err != nil {
						return fmt.Errorf("a body of %d bytes: %w", len(x.body), err)
					}
				}
				return nil
			}},
		{ID: "webhook-no-secret", static: true, applies: applies0,
			Text: "An adapter without a secret refuses every notification.",
			Why:  "An empty secret verifies whatever was signed with an empty secret: configuration that is missing must not open the door.",
			run: func(c *check) error {
				p, ok := c.p.(payment.WebhookParser)
				if !ok {
					return nil
				}
				if c.p.Capabilities().Webhooks {
					return errors.New("Capabilities.Webhooks is true although there is no secret to verify with")
				}
				body := []byte(`{"id":"evt_1","type":"payment.succeeded"}`)
				w := payment.Webhook{Header: http.Header{}, Body: body, Now: c.now()}
				if c.rig.Sign != nil {
					w = c.rig.Sign(body, c.now())
					w.Now = c.now()
				}
				return c.refuses(p, w, payment.WebhookNoSecret)
			}},
		{ID: "webhook-stale", needs: []Ability{AbilityWebhooks, AbilityForge, AbilityPayer}, applies: applies,
			Text: "Where the signed text holds the time of delivery, a notification from an hour ago or an hour ahead is refused as stale.",
			Why:  "A captured delivery could be played back for ever; a check on one side only lets one from the future in.",
			run:  stale},
		{ID: "webhook-dedup", needs: hooks, applies: applies,
			Text: "A notification delivered twice gives the same events with the same Dedup; two different ones do not share one.",
			Why:  "Without it a duplicate is a second fact; with a shared one a fact is dropped.",
			run:  dedup},
		{ID: "webhook-hostile", needs: []Ability{AbilityForge}, applies: applies,
			Text: "A body that is signed and nonsense is refused as malformed, or read as no event; it never panics.",
			Why:  "A provider's bug must not take the shop down.",
			run: func(c *check) error {
				p := c.p.(payment.WebhookParser)
				for _, body := range []string{"null", "[]", "{}", `"x"`, "0", "{", "\x00\xff\xfe", `{"id":null,"type":null,"data":null}`,
					`{"notificationItems":[{}]}`, `{"notificationItems":null}`, `{"resource":{}}`, `{"data":{"object":null}}`,
					strings.Repeat("[", 20000), "a=b&a=c&%zz", `{"id":"e","kind":"authorize","at":"x"}`} {
					w := c.rig.Sign([]byte(body), c.now())
					w.Now = c.now()
					n, err := c.parse(p, w)
					var we *payment.WebhookError
					if err != nil && !errors.As(err, &we) {
						return fmt.Errorf("body %.30q failed with %T, not a *WebhookError", body, err)
					}
					if err == nil && len(n.Events) > 0 && n.Events[0].Status == payment.ResultApproved {
						return fmt.Errorf("body %.30q was read as an approval", body)
					}
				}
				return nil
			}},
	}
}

// applies0: rules that ask for a different rig decide for themselves.
func applies0(*check) bool { return true }

// genuine carries a whole payment out and returns its notifications.
func (c *check) genuine() ([]payment.Webhook, error) {
	var all []payment.Webhook
	keep := c.rig
	take := func() error {
		list, err := keep.Webhooks()
		for _, w := range list {
			w.Now = c.now()
			all = append(all, w)
		}
		return err
	}
	// The driver reads notifications too; here they are kept.
	rig := *c.rig
	rig.Webhooks = func() ([]payment.Webhook, error) {
		before := len(all)
		err := take()
		return all[before:], err
	}
	c.rig = &rig
	defer func() { c.rig = keep }()
	if c.mc.Refund.IsZero() {
		if _, err := c.approved(c.sale(false)); err != nil {
			return nil, err
		}
	} else {
		p, err := c.collect()
		if err != nil {
			return nil, err
		}
		if _, err := c.do(p.attempt, c.refund(p, p.amount)); err != nil {
			return nil, err
		}
	}
	for n := 0; n < patience && len(all) == 0; n++ {
		c.wait()
		if err := take(); err != nil {
			return nil, err
		}
	}
	c.rig = keep
	if err := take(); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("a whole payment sent no notification")
	}
	// The clock may have moved while they were collected: each is judged as of
	// its own delivery.
	return all, nil
}

// refuses checks that a notification is refused for one of the reasons; for
// any, where none is given.
func (c *check) refuses(p payment.WebhookParser, w payment.Webhook, reasons ...string) error {
	n, err := c.parse(p, w)
	var we *payment.WebhookError
	switch {
	case err == nil:
		return fmt.Errorf("it was accepted, with %d events", len(n.Events))
	case !errors.As(err, &we):
		return fmt.Errorf("it failed with %T, not a *WebhookError", err)
	case len(n.Events) > 0:
		return errors.New("it was refused and gave events all the same")
	case len(reasons) > 0 && !slices.Contains(reasons, we.Reason):
		return fmt.Errorf("its Reason is %q; it should be %q", we.Reason, reasons)
	case len(w.Body) > 8 && strings.Contains(err.Error(), string(w.Body[:min(len(w.Body), 64)])):
		return errors.New("the error repeats the body")
	}
	return nil
}

func forged(c *check) error {
	list, err := c.genuine()
	if err != nil {
		return err
	}
	p := c.p.(payment.WebhookParser)
	signature := []string{payment.WebhookNoSignature, payment.WebhookBadSignature, payment.WebhookMalformed, payment.WebhookStale}
	for _, w := range list {
		bare := w
		bare.Header, bare.Query = http.Header{}, nil
		if signedByHeader(c, w) {
			if err := c.refuses(p, bare, payment.WebhookNoSignature, payment.WebhookBadSignature); err != nil {
				return fmt.Errorf("without its headers: %w", err)
			}
		}
		wrong := w
		wrong.Header = w.Header.Clone()
		for name, values := range wrong.Header {
			for i, v := range values {
				values[i] = flip(v)
			}
			wrong.Header[name] = values
		}
		if signedByHeader(c, w) {
			if err := c.refuses(p, wrong, signature...); err != nil {
				return fmt.Errorf("with its headers changed: %w", err)
			}
		}
	}
	// Change the first body byte by byte. Signed from a header, no change may
	// pass; signed within (Adyen, Alipay), the signature and what it covers may
	// not.
	w := list[0]
	within := !signedByHeader(c, w)
	tried, passed := 0, 0
	for i := range w.Body {
		if !alnum(w.Body[i]) {
			continue
		}
		edited := w
		edited.Body = bytes.Clone(w.Body)
		edited.Body[i] = flip(string(w.Body[i]))[0]
		tried++
		if n, err := c.parse(p, edited); err == nil && len(n.Events) > 0 {
			if !within {
				return fmt.Errorf("byte %d of the body was changed and it was accepted", i)
			}
			passed++
		}
	}
	if refused := tried - passed; refused < minSigned {
		return fmt.Errorf("of %d changed bytes only %d were noticed, fewer than a signature has", tried, refused)
	}
	return nil
}

// minSigned is the length of a SHA-256 in base64, the least that a signature
// inside a body brings along.
const minSigned = 43

// signedByHeader reports whether the signature travels in a header: then the
// notification fails without it, whatever the body. (Adyen and Alipay sign
// inside the body.)
func signedByHeader(c *check, w payment.Webhook) bool {
	signed := c.rig.Sign
	if signed == nil {
		return len(w.Header) > 0
	}
	for name := range signed(w.Body, c.now()).Header {
		if name != "Content-Type" && name != "Content-Length" {
			return true
		}
	}
	return false
}

func alnum(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// flip changes every letter and digit to another of its class.
func flip(s string) string {
	b := []byte(s)
	for i, x := range b {
		switch {
		case x == '9', x == 'z', x == 'Z', x == 'f':
			b[i] = x - 1
		case alnum(x):
			b[i] = x + 1
		}
	}
	return string(b)
}

func stale(c *check) error {
	list, err := c.genuine()
	if err != nil {
		return err
	}
	p := c.p.(payment.WebhookParser)
	body := list[0].Body
	now := c.now()
	fresh, old := c.rig.Sign(body, now), c.rig.Sign(body, now.Add(-time.Hour))
	if fmt.Sprint(fresh.Header, fresh.Query, string(fresh.Body)) == fmt.Sprint(old.Header, old.Query, string(old.Body)) {
		return nil // the signed text holds no time of delivery
	}
	fresh.Now = now
	if _, err := c.parse(p, fresh); err != nil {
		return fmt.Errorf("one signed now is refused: %w", err)
	}
	for what, at := range map[string]time.Time{"from an hour ago": now.Add(-time.Hour), "from an hour ahead": now.Add(time.Hour)} {
		w := c.rig.Sign(body, at)
		w.Now = now
		if err := c.refuses(p, w, payment.WebhookStale); err != nil {
			return fmt.Errorf("one %s: %w", what, err)
		}
	}
	return nil
}

func dedup(c *check) error {
	list, err := c.genuine()
	if err != nil {
		return err
	}
	p := c.p.(payment.WebhookParser)
	owner := make(map[string]int)
	for i, w := range list {
		first, err := c.parse(p, w)
		if err != nil {
			return err
		}
		again, err := c.parse(p, w)
		if err != nil {
			return fmt.Errorf("the second delivery: %w", err)
		}
		if len(first.Events) != len(again.Events) {
			return fmt.Errorf("%d events, and %d the second time", len(first.Events), len(again.Events))
		}
		for k, e := range first.Events {
			if e.Dedup != again.Events[k].Dedup || e.Kind != again.Events[k].Kind || e.Status != again.Events[k].Status || e.Amount != again.Events[k].Amount {
				return errors.New("the same delivery gives another event the second time")
			}
			if e.Dedup == "" {
				continue
			}
			if at, taken := owner[e.Dedup]; taken && at != i {
				return fmt.Errorf("two different notifications share the Dedup %q", e.Dedup)
			}
			owner[e.Dedup] = i
		}
	}
	return nil
}
