package stripe_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/stripe"
	"github.com/tender-go/payment/sandbox"
)

const (
	oldSecret = "whsec_the_old_one_that_is_rolled"
	newSecret = "whsec_the_new_one_that_is_rolled"
)

var sentAt = time.Unix(1700000000, 0)

func hooked(t testing.TB, change func(*stripe.Config)) *stripe.Provider {
	t.Helper()
	c := stripe.Config{SecretKey: payment.NewSecret("sk_test_123"), WebhookSecrets: []payment.Secret{payment.NewSecret(oldSecret), payment.NewSecret(newSecret)}}
	if change != nil {
		change(&c)
	}
	p, err := stripe.New(c)
	require.NoError(t, err)
	return p
}

func signature(secret, body string, at time.Time) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "." + body))
	return "t=" + stamp + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

func signed(secret, body string) payment.Webhook {
	return payment.Webhook{Header: http.Header{"Stripe-Signature": {signature(secret, body, sentAt)}}, Body: []byte(body), Now: sentAt}
}

// eventBody is an event of type typ about object.
func eventBody(typ, object string) string {
	return `{"id":"evt_1","object":"event","api_version":"2099-01-01","type":"` + typ + `","livemode":false,"created":1700000000,"data":{"object":` + object + `}}`
}

const paidIntent = `{"id":"pi_1","object":"payment_intent","status":"succeeded","currency":"usd","amount":1000,"amount_received":1000,"capture_method":"automatic","latest_charge":"ch_1","metadata":{"tender_operation":"op1"}}`

// TestForgeries: one row per way in which an event may be made up or damaged.
func TestForgeries(t *testing.T) {
	t.Parallel()
	body := eventBody("payment_intent.succeeded", paidIntent)
	header := func(h string) payment.Webhook {
		w := signed(newSecret, body)
		w.Header = http.Header{"Stripe-Signature": {h}}
		return w
	}
	good := signature(newSecret, body, sentAt)
	moved := func(d time.Duration) payment.Webhook { w := signed(newSecret, body); w.Now = sentAt.Add(d); return w }
	other := func(b string) payment.Webhook { w := signed(newSecret, body); w.Body = []byte(b); return w }
	for _, c := range []struct {
		name   string
		w      payment.Webhook
		reason string
	}{
		{"genuine", signed(newSecret, body), ""},
		{"genuine, by the older secret", signed(oldSecret, body), ""},
		{"genuine, several signatures, one good", header("t=1700000000,v1=" + strings.Repeat("ab", 32) + ",v0=00," + good[len("t=1700000000,"):]), ""},
		{"genuine, at the edge", moved(5 * time.Minute), ""},
		{"genuine, clock behind", moved(-5 * time.Minute), ""},
		{"stale", moved(5*time.Minute + time.Second), payment.WebhookStale},
		{"from the future", moved(-5*time.Minute - time.Second), payment.WebhookStale},
		{"from next year", moved(-365 * 24 * time.Hour), payment.WebhookStale},
		{"signed with another secret", signed("whsec_of_somebody_else_entirely", body), payment.WebhookBadSignature},
		{"signed with an empty secret", signed("", body), payment.WebhookBadSignature},
		{"one byte changed", other(strings.Replace(body, "1000", "9000", 1)), payment.WebhookBadSignature},
		{"one byte added", other(body + " "), payment.WebhookBadSignature},
		{"time changed", header("t=1700000001," + good[len("t=1700000000,"):]), payment.WebhookBadSignature},
		{"a time of 2300 years on", header("t=9223372036854775807," + good[len("t=1700000000,"):]), payment.WebhookBadSignature},
		{"scheme v0 only", header(strings.Replace(good, "v1=", "v0=", 1)), payment.WebhookNoSignature},
		{"no time", header(good[len("t=1700000000,"):]), payment.WebhookNoSignature},
		{"time no number", header("t=now," + good[len("t=1700000000,"):]), payment.WebhookNoSignature},
		{"time negative", header("t=-1," + good[len("t=1700000000,"):]), payment.WebhookNoSignature},
		{"signature cut", header(good[:len(good)-2]), payment.WebhookNoSignature},
		{"signature no hex", header("t=1700000000,v1=" + strings.Repeat("zz", 32)), payment.WebhookNoSignature},
		{"header empty", header(""), payment.WebhookNoSignature},
		{"header huge", header(good + strings.Repeat(",v1="+strings.Repeat("ab", 32), 1000)), payment.WebhookNoSignature},
		{"no header at all", payment.Webhook{Body: []byte(body), Now: sentAt}, payment.WebhookNoSignature},
		{"empty body", signed(newSecret, ""), payment.WebhookEmpty},
		{"oversize body", signed(newSecret, body+strings.Repeat(" ", 1<<20)), payment.WebhookTooLarge},
		{"no JSON", signed(newSecret, "hello"), payment.WebhookMalformed},
		{"JSON null", signed(newSecret, "null"), payment.WebhookMalformed},
		{"JSON array", signed(newSecret, "[]"), payment.WebhookMalformed},
		{"no event", signed(newSecret, `{"id":"pi_1","object":"payment_intent"}`), payment.WebhookMalformed},
		{"no data", signed(newSecret, `{"id":"evt_1","object":"event","type":"payment_intent.succeeded","livemode":false}`), payment.WebhookMalformed},
		{"no livemode", signed(newSecret, `{"id":"evt_1","object":"event","type":"payment_intent.succeeded","data":{"object":`+paidIntent+`}}`), payment.WebhookMalformed},
		{"another object than the type says", signed(newSecret, eventBody("charge.refund.updated", paidIntent)), payment.WebhookMalformed},
		{"amount no number", signed(newSecret, eventBody("payment_intent.succeeded", strings.Replace(paidIntent, "1000", `"1000"`, 1))), payment.WebhookMalformed},
		{"currency unheard of", signed(newSecret, eventBody("payment_intent.succeeded", strings.Replace(paidIntent, "usd", "zzz", 1))), payment.WebhookMalformed},
		{"live event for a test key", signed(newSecret, strings.Replace(body, `"livemode":false`, `"livemode":true`, 1)), stripe.WebhookForeign},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, err := hooked(t, nil).ParseWebhook(ctx, c.w)
			if c.reason == "" {
				require.NoError(t, err)
				require.Len(t, n.Events, 1)
				return
			}
			require.Empty(t, n.Events)
			require.Equal(t, c.reason, webhookError(t, err).Reason, err.Error())
			require.NotContains(t, err.Error(), "op1", "an error does not repeat the body")
		})
	}
}

func TestNoSecretRefusesEverything(t *testing.T) {
	t.Parallel()
	p := hooked(t, func(c *stripe.Config) { c.WebhookSecrets = nil })
	for _, secret := range []string{"", oldSecret, "default_secret"} {
		_, err := p.ParseWebhook(ctx, signed(secret, eventBody("payment_intent.succeeded", paidIntent)))
		require.Equal(t, payment.WebhookNoSecret, webhookError(t, err).Reason)
	}
	require.False(t, p.Capabilities().Webhooks)
	require.False(t, p.Capabilities().Methods[payment.MethodCard].Flow[1].Recovery.Webhook)
}

func TestAccountsDoNotMix(t *testing.T) {
	t.Parallel()
	of := func(account, live string) payment.Webhook {
		body := eventBody("payment_intent.succeeded", paidIntent)
		if account != "" {
			body = strings.Replace(body, `"object":"event"`, `"object":"event","account":"`+account+`"`, 1)
		}
		return signed(newSecret, strings.Replace(body, `"livemode":false`, `"livemode":`+live, 1))
	}
	platform := hooked(t, nil)
	connected := hooked(t, func(c *stripe.Config) { c.Account = "acct_mine" })
	for _, c := range []struct {
		p             *stripe.Provider
		account, live string
		events        int
		reason        string
	}{
		{platform, "", "false", 1, ""},
		{platform, "acct_other", "false", 0, ""},
		{platform, "acct_other", "true", 0, ""},
		{platform, "", "true", 0, stripe.WebhookForeign},
		{connected, "acct_mine", "false", 1, ""},
		{connected, "acct_mine", "true", 0, ""},
		{connected, "acct_other", "false", 0, ""},
		{connected, "", "false", 0, stripe.WebhookForeign},
	} {
		n, err := c.p.ParseWebhook(ctx, of(c.account, c.live))
		name := fmt.Sprintf("%q %s", c.account, c.live)
		if c.reason != "" {
			require.Equal(t, c.reason, webhookError(t, err).Reason, name)
			continue
		}
		require.NoError(t, err, name)
		require.Len(t, n.Events, c.events, name)
	}
}

// TestEvents is the table of what each event says.
func TestEvents(t *testing.T) {
	t.Parallel()
	intent := func(status, more string) string {
		return `{"id":"pi_1","object":"payment_intent","status":"` + status + `","currency":"usd","amount":1000,"client_secret":"pi_1_secret_x","payment_method_types":["card"],"latest_charge":"ch_1","metadata":{"tender_operation":"op1","tender_step":"op1s1"}` + more + `}`
	}
	refund := func(status, more string) string {
		return `{"id":"re_1","object":"refund","status":"` + status + `","currency":"usd","amount":400,"payment_intent":"pi_1","charge":"ch_1","metadata":{"tender_operation":"op2","tender_step":"op2s1"}` + more + `}`
	}
	dispute := func(status string) string {
		return `{"id":"dp_1","object":"dispute","status":"` + status + `","currency":"usd","amount":1000,"reason":"fraudulent","payment_intent":"pi_1","charge":"ch_1","evidence_details":{"due_by":1700600000},"payment_method_details":{"card":{"network_reason_code":"10.4"}},"balance_transactions":[{"fee":1500,"currency":"usd"}]}`
	}
	setup := func(status, more string) string {
		return `{"id":"seti_1","object":"setup_intent","status":"` + status + `","client_secret":"seti_1_secret_x","customer":"cus_1","metadata":{"tender_operation":"method1","tender_step":"method1s1"}` + more + `}`
	}
	const failed = `,"last_payment_error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds"}`
	type want struct {
		kind    payment.OperationKind
		status  payment.ResultStatus
		payable bool
	}
	auth := func(s payment.ResultStatus) want { return want{payment.OpAuthorize, s, false} }
	for _, c := range []struct {
		typ, object string
		want        []want
	}{
		{"payment_intent.succeeded", intent("succeeded", `,"amount_received":1000`), []want{auth(payment.ResultApproved)}},
		{"payment_intent.succeeded", intent("succeeded", `,"amount_received":600,"capture_method":"manual"`), []want{auth(payment.ResultApproved), {payment.OpCapture, payment.ResultApproved, false}, {payment.OpVoid, payment.ResultApproved, false}}},
		{"payment_intent.amount_capturable_updated", intent("requires_capture", `,"amount_capturable":1000,"capture_method":"manual"`), []want{auth(payment.ResultApproved)}},
		{"payment_intent.amount_capturable_updated", intent("requires_capture", `,"amount_capturable":400,"amount_received":600,"capture_method":"manual"`), []want{auth(payment.ResultApproved), {payment.OpCapture, payment.ResultApproved, false}}},
		{"payment_intent.processing", intent("processing", ""), []want{auth(payment.ResultPending)}},
		{"payment_intent.requires_action", intent("requires_action", `,"next_action":{"type":"use_stripe_sdk","use_stripe_sdk":{}}`), []want{auth(payment.ResultActionRequired)}},
		{"payment_intent.payment_failed", intent("requires_payment_method", failed), []want{{payment.OpAuthorize, payment.ResultDeclined, true}}},
		{"payment_intent.payment_failed", strings.Replace(intent("requires_payment_method", failed), `"tender_step":"op1s1"`, `"tender_flow":"unattended"`, 1), []want{auth(payment.ResultDeclined)}},
		{"payment_intent.payment_failed", intent("requires_payment_method", ""), nil},
		{"payment_intent.canceled", intent("canceled", `,"cancellation_reason":"requested_by_customer"`), []want{auth(payment.ResultCanceled)}},
		{"payment_intent.canceled", intent("canceled", `,"cancellation_reason":"automatic"`), []want{auth(payment.ResultExpired)}},
		{"payment_intent.created", intent("requires_payment_method", ""), nil},
		{"charge.succeeded", `{"id":"ch_1","object":"charge","payment_intent":"pi_1","amount":1000,"currency":"usd","captured":true}`, []want{auth(payment.ResultApproved)}},
		{"charge.succeeded", `{"id":"ch_1","object":"charge","amount":1000,"currency":"usd","captured":true}`, nil}, // made without an intent: not ours
		{"charge.expired", `{"id":"ch_1","object":"charge","payment_intent":"pi_1"}`, []want{auth(payment.ResultExpired)}},
		{"charge.refunded", `{"id":"ch_1","object":"charge","payment_intent":"pi_1","amount_refunded":400}`, nil},
		{"refund.created", refund("succeeded", ""), []want{{payment.OpRefund, payment.ResultApproved, false}}},
		{"refund.created", refund("pending", ""), []want{{payment.OpRefund, payment.ResultPending, false}}},
		{"refund.updated", refund("canceled", ""), []want{{payment.OpRefund, payment.ResultCanceled, false}}},
		{"refund.failed", refund("failed", `,"failure_reason":"expired_or_canceled_card"`), []want{{payment.OpRefund, payment.ResultReversed, false}}},
		{"charge.refund.updated", refund("succeeded", ""), []want{{payment.OpRefund, payment.ResultApproved, false}}},
		{"charge.dispute.created", dispute("needs_response"), []want{{payment.OpDispute, "", false}}},
		{"setup_intent.succeeded", setup("succeeded", `,"payment_method":"pm_1"`), []want{{payment.OpSave, payment.ResultApproved, false}}},
		{"setup_intent.setup_failed", setup("requires_payment_method", `,"last_setup_error":{"type":"card_error","code":"card_declined"}`), []want{{payment.OpSave, payment.ResultDeclined, false}}},
		{"setup_intent.requires_action", setup("requires_action", ""), []want{{payment.OpSave, payment.ResultActionRequired, false}}},
		{"setup_intent.canceled", setup("canceled", ""), []want{{payment.OpSave, payment.ResultCanceled, false}}},
		{"setup_intent.succeeded", `{"id":"seti_1","object":"setup_intent","status":"succeeded","payment_method":"pm_1"}`, nil},
		{"transfer.created", `{"id":"tr_1","object":"transfer","amount":900,"currency":"usd"}`, []want{{payment.OpTransfer, payment.ResultApproved, false}}},
		{"transfer.reversed", `{"id":"tr_1","object":"transfer","amount":900,"currency":"usd","reversed":true}`, []want{{payment.OpTransfer, payment.ResultReversed, false}}},
		{"terminal.reader.action_failed", `{"id":"tmr_1","object":"terminal.reader","action":{"type":"process_payment_intent","status":"failed","failure_code":"customer_canceled","process_payment_intent":{"payment_intent":"pi_1"}}}`, []want{auth(payment.ResultDeclined)}},
		{"invoice.paid", `{"id":"in_1","object":"invoice"}`, nil},
		{"payment_intent.type_of_the_future", intent("succeeded", ""), nil},
	} {
		n, err := hooked(t, nil).ParseWebhook(ctx, signed(newSecret, eventBody(c.typ, c.object)))
		require.NoError(t, err, "%s %s", c.typ, c.object)
		var got []want
		seen := map[string]bool{}
		for _, e := range n.Events {
			got = append(got, want{e.Kind, e.Status, e.Payable})
			require.False(t, seen[e.Dedup], "each fact has a mark of its own")
			seen[e.Dedup] = true
			require.Equal(t, sentAt.UTC(), e.At)
		}
		require.Equal(t, c.want, got, "%s %s", c.typ, c.object)
	}
}

func TestEventFacts(t *testing.T) {
	t.Parallel()
	parse := func(typ, object string) payment.Event {
		t.Helper()
		n, err := hooked(t, nil).ParseWebhook(ctx, signed(newSecret, eventBody(typ, object)))
		require.NoError(t, err)
		require.Len(t, n.Events, 1)
		return n.Events[0]
	}
	e := parse("payment_intent.succeeded", paidIntent)
	require.Equal(t, "op1", e.OperationID)
	require.Equal(t, "pi_1", e.Ref)
	require.Equal(t, []string{"ch_1"}, e.Refs)
	require.Equal(t, usd10, e.Amount)
	require.Empty(t, e.StepKey, "which of the steps is concluded, the intent does not say")

	e = parse("charge.succeeded", `{"id":"ch_1","object":"charge","payment_intent":"pi_1","amount":1000,"currency":"usd","captured":false,"metadata":{"tender_operation":"op1"},
		"payment_method_details":{"type":"card","card":{"brand":"visa","last4":"3220","exp_month":4,"exp_year":2030,"three_d_secure":{"result":"authenticated","version":"2.2.0"}}}}`)
	require.Equal(t, "3220", e.Card.Last4, "the intent's notification does not hold the card")
	require.Equal(t, "op1", e.OperationID)
	require.Equal(t, usd10, e.Amount)
	require.False(t, e.Captured)

	e = parse("refund.failed", `{"id":"re_1","object":"refund","status":"failed","failure_reason":"insufficient_funds","currency":"usd","amount":400,"payment_intent":"pi_1","metadata":{"tender_operation":"op2","tender_step":"op2s1"}}`)
	require.Equal(t, "op2s1", e.StepKey)
	require.Equal(t, "pi_1", e.Parent)
	require.Equal(t, payment.ReasonMerchantBalance, e.Decline.Reason, "it is the shop's balance that lacks funds")

	body := strings.Replace(eventBody("refund.failed", `{"id":"re_1","object":"refund","status":"failed","currency":"usd","amount":400,"payment_intent":"pi_1"}`),
		`"data":{`, `"data":{"previous_attributes":{"status":"pending"},`, 1)
	n, err := hooked(t, nil).ParseWebhook(ctx, signed(newSecret, body))
	require.NoError(t, err)
	require.Equal(t, payment.ResultDeclined, n.Events[0].Status, "one that was never made is declined, not reversed")

	for status, want := range map[string]payment.DisputeStatus{
		"warning_needs_response": payment.DisputeInquiry, "warning_under_review": payment.DisputeInquiry, "warning_closed": payment.DisputeClosed,
		"needs_response": payment.DisputeNeedsResponse, "under_review": payment.DisputeUnderReview, "won": payment.DisputeWon, "lost": payment.DisputeLost,
		"charge_refunded": payment.DisputeClosed, "prevented": payment.DisputeClosed,
	} {
		// The name of the event must not decide: funds are reinstated for a
		// moment on disputes that end up lost.
		e = parse("charge.dispute.funds_reinstated", `{"id":"dp_1","object":"dispute","status":"`+status+`","currency":"usd","amount":1000,"reason":"fraudulent","payment_intent":"pi_1","charge":"ch_1","evidence_details":{"due_by":1700600000},"payment_method_details":{"card":{"network_reason_code":"10.4"}},"balance_transactions":[{"fee":1500,"currency":"usd"}]}`)
		require.Equal(t, want, e.Dispute.Status, status)
		require.Equal(t, "pi_1", e.Parent)
		require.Equal(t, "fraudulent", e.Dispute.Reason)
		require.Equal(t, "10.4", e.Dispute.Code)
		require.Equal(t, int64(1500), e.Dispute.Fee.Minor())
		require.Equal(t, time.Unix(1700600000, 0).UTC(), e.Dispute.Due)
	}
	_, err = hooked(t, nil).ParseWebhook(ctx, signed(newSecret, eventBody("charge.dispute.updated", `{"id":"dp_1","object":"dispute","status":"levitating","currency":"usd","amount":1}`)))
	require.Equal(t, payment.WebhookMalformed, webhookError(t, err).Reason)
}

// TestSandboxMisdelivery lets the sandbox deliver forged and stale copies first.
func TestSandboxMisdelivery(t *testing.T) {
	t.Parallel()
	for mode, reason := range map[sandbox.DeliveryMode]string{sandbox.DeliverForged: payment.WebhookBadSignature, sandbox.DeliverStale: payment.WebhookStale} {
		s := newShop(t, nil)
		require.NoError(t, s.srv.Deliver(sandbox.DeliveryRule{Type: "payment_intent.succeeded", Mode: mode, Count: 1}))
		s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_visa")})
		require.NoError(t, s.srv.Flush(ctx))
		var refused, taken int
		for _, w := range s.hook.take() {
			n, err := s.p.ParseWebhook(ctx, w)
			if err != nil {
				require.Equal(t, reason, webhookError(t, err).Reason)
				refused++
				continue
			}
			for _, e := range n.Events {
				if e.Status == payment.ResultApproved {
					taken++
				}
			}
		}
		require.Equal(t, 1, refused, mode)
		require.Equal(t, 2, taken, "%s: the intent's and its charge's", mode)
	}
	s := newShop(t, nil)
	require.NoError(t, s.srv.Stripe.ForgeEvent("payment_intent.succeeded", json.RawMessage(paidIntent)))
	require.NoError(t, s.srv.Flush(ctx))
	for _, w := range s.hook.take() {
		_, err := s.p.ParseWebhook(ctx, w)
		require.Equal(t, payment.WebhookBadSignature, webhookError(t, err).Reason)
	}
}

// FuzzParseWebhook: nothing that is signed, or that tries to be, makes the
// parser panic, and nothing unsigned gives an event.
func FuzzParseWebhook(f *testing.F) {
	p := hooked(f, nil)
	for _, typ := range []string{"payment_intent.succeeded", "refund.failed", "charge.dispute.created", "setup_intent.succeeded", "transfer.reversed", "charge.expired", "terminal.reader.action_failed"} {
		f.Add(eventBody(typ, paidIntent), "t=1,v1=00", true)
		f.Add(eventBody(typ, `{"id":1,"object":{"a":[]},"payment_intent":{"id":{}},"amount":-1,"metadata":null}`), "", true)
	}
	f.Add(eventBody("refund.updated", `{"id":"re_1","object":"refund","status":"succeeded","currency":"kwd","amount":9223372036854775807,"payment_intent":{"id":"pi_1"}}`), "", true)
	f.Add("{}", "t=1700000000,v1=zz,v1", false)
	f.Fuzz(func(t *testing.T, body, header string, sign bool) {
		w := signed(newSecret, body)
		if !sign {
			w.Header.Set("Stripe-Signature", header)
		}
		n, err := p.ParseWebhook(ctx, w)
		if err != nil {
			webhookError(t, err)
			require.Empty(t, n.Events)
			return
		}
		require.True(t, sign, "an unsigned body was taken")
		for _, e := range n.Events {
			require.NotEmpty(t, e.Dedup)
			require.NotEmpty(t, e.Kind)
		}
	})
}

// FuzzAnswer: whatever Stripe answers, a call ends in a result or a typed error.
func FuzzAnswer(f *testing.F) {
	f.Add(200, paidIntent)
	f.Add(402, `{"error":{"type":"card_error","payment_intent":{"id":"pi_1","latest_charge":[]}}}`)
	f.Add(400, `{"error":{"payment_intent":"pi_1"}}`)
	f.Add(200, `{"id":"pi_1","object":"payment_intent","status":"requires_action","currency":"usd","next_action":{"type":"wechat_pay_redirect_to_ios_app"}}`)
	f.Add(200, `{"object":"list","has_more":true,"data":[{"id":"pi_1"}]}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			status = 200
		}
		p, err := stripe.New(stripe.Config{SecretKey: payment.NewSecret("sk_test_123"), HTTPClient: &http.Client{Transport: fixed{status, body}}})
		require.NoError(t, err)
		for name, send := range requests(p) {
			if err := send(); err != nil {
				require.NotContains(t, err.Error(), "\n", name)
				callError(t, err)
			}
		}
	})
}
