package stripe_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/stripe"
	"github.com/tender-go/payment/sandbox"
)

func TestSale(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	req, res := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_visa"), Metadata: map[string]string{"cart": "7"}})
	require.Equal(t, payment.ResultApproved, res.Status)
	require.True(t, res.Captured)
	require.Equal(t, usd10, res.Amount)
	require.Equal(t, req.Ref, res.Ref)
	require.NotEmpty(t, res.Refs, "the charge's id is needed to find disputes")
	require.Equal(t, payment.MethodVisa, res.Card.Brand)
	require.Equal(t, "4242", res.Card.Last4)
	require.Equal(t, money.USD, res.Fee.Currency())
	require.True(t, res.Fee.IsPositive())

	truth, ok := s.srv.Stripe.Payment(res.Ref)
	require.True(t, ok)
	require.Equal(t, int64(1000), truth.Received)
	require.Equal(t, map[string]string{
		"cart": "7", "tender_operation": req.Operation, "tender_step": req.Operation + "s1", "tender_payment": "pay1",
		"tender_reference": "order-42", "tender_flow": "server",
	}, truth.Metadata)

	events := s.events()
	require.Len(t, events["payment_intent.succeeded"], 1)
	e := events["payment_intent.succeeded"][0]
	require.Equal(t, payment.OpAuthorize, e.Kind)
	require.Equal(t, payment.ResultApproved, e.Status)
	require.True(t, e.Captured)
	require.Equal(t, usd10, e.Amount)
	require.Equal(t, req.Operation, e.OperationID)
	require.Equal(t, res.Ref, e.Ref)
	require.NotEmpty(t, e.Dedup)

	found := s.lookup(req.Call, payment.OpAuthorize, res.Ref, usd10)
	require.Equal(t, payment.ResultApproved, found.Status)
	require.True(t, found.Captured)
}

func TestCreateMovesNoMoney(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	res, err := s.p.Authorize(ctx, payment.AuthorizeRequest{Call: s.call("create"), Amount: usd10, Capture: true, Method: payment.Card("pm_card_visa")})
	require.NoError(t, err)
	require.Equal(t, payment.ResultContinue, res.Status)
	truth, _ := s.srv.Stripe.Payment(res.Ref)
	require.Empty(t, truth.Charges, "create is declared as moving no money")
}

func TestHoldCaptureRefund(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	req, res := s.pay(payment.AuthorizeRequest{Method: payment.Card("pm_card_visa")})
	require.Equal(t, payment.ResultApproved, res.Status)
	require.False(t, res.Captured, "a hold is not collected")
	require.Equal(t, usd10, res.Amount)
	require.False(t, res.ExpiresAt.IsZero(), "the end of the hold is known from capture_before")
	hold := s.events()["payment_intent.amount_capturable_updated"]
	require.Len(t, hold, 1)
	require.Equal(t, payment.OpAuthorize, hold[0].Kind)
	require.False(t, hold[0].Captured)

	six := money.Of(600, money.USD)
	capture := payment.CaptureRequest{Call: s.on(req.Call, "capture"), Amount: six, Final: true}
	before := s.lookup(capture.Call, payment.OpCapture, "", six)
	require.Equal(t, payment.ResultAbsent, before.Status)
	captured, err := s.p.Capture(ctx, capture)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, captured.Status)
	require.Equal(t, six, captured.Amount)
	require.Empty(t, captured.Ref, "Stripe has no object for a capture")
	after := s.lookup(capture.Call, payment.OpCapture, "", six)
	require.Equal(t, payment.ResultApproved, after.Status)

	facts := s.events()["payment_intent.succeeded"]
	require.Len(t, facts, 3)
	require.Equal(t, payment.OpVoid, facts[2].Kind, "the one capture gave the rest back")
	require.Equal(t, usd10.Minor()-six.Minor(), facts[2].Amount.Minor())
	require.Equal(t, payment.OpAuthorize, facts[0].Kind)
	require.False(t, facts[0].Captured)
	require.Equal(t, usd10, facts[0].Amount)
	require.Equal(t, payment.OpCapture, facts[1].Kind)
	require.True(t, facts[1].Cumulative)
	require.Equal(t, six, facts[1].Amount)
	require.Equal(t, req.Ref, facts[1].Parent)
	require.NotEqual(t, facts[0].Dedup, facts[1].Dedup, "two facts of one notification must both be taken")

	two := money.Of(200, money.USD)
	refund := payment.RefundRequest{Call: s.on(req.Call, "refund"), Amount: two, CaptureRef: req.Ref, Captured: six, Reason: "the vase was broken"}
	require.Equal(t, payment.ResultAbsent, s.lookup(refund.Call, payment.OpRefund, "", two).Status)
	back, err := s.p.Refund(ctx, refund)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, back.Status)
	require.Equal(t, two, back.Amount)
	require.Equal(t, payment.ResultApproved, s.lookup(refund.Call, payment.OpRefund, back.Ref, two).Status)
	lost := s.lookup(refund.Call, payment.OpRefund, "", two)
	require.Equal(t, back.Ref, lost.Ref, "a refund whose id never came back is found by its metadata")

	too, err := s.p.Refund(ctx, payment.RefundRequest{Call: s.on(req.Call, "refund"), Amount: money.Of(500, money.USD)})
	if err == nil {
		require.Equal(t, payment.ResultDeclined, too.Status)
	} else {
		require.Equal(t, payment.KindRejectedRequest, callError(t, err).Kind)
	}

	seen := s.lookup(req.Call, payment.OpAuthorize, req.Ref, usd10)
	require.False(t, seen.Captured, "the authorize step was a hold; its capture is a fact of its own")
	require.Len(t, seen.Events, 3)
	require.Equal(t, payment.OpCapture, seen.Events[0].Kind)
	require.Equal(t, payment.OpVoid, seen.Events[1].Kind)
	require.Equal(t, payment.OpRefund, seen.Events[2].Kind)
	require.Equal(t, back.Ref, seen.Events[2].Ref)
	require.Equal(t, refund.Operation, seen.Events[2].OperationID)
}

func TestVoid(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	req, _ := s.pay(payment.AuthorizeRequest{Method: payment.Card("pm_card_visa")})
	void := payment.VoidRequest{Call: s.on(req.Call, "void"), Amount: usd10}
	require.Equal(t, payment.ResultAbsent, s.lookup(void.Call, payment.OpVoid, "", usd10).Status)
	res, err := s.p.Void(ctx, void)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, res.Status)
	require.Equal(t, payment.ResultApproved, s.lookup(void.Call, payment.OpVoid, "", usd10).Status)

	again, err := s.p.Void(ctx, payment.VoidRequest{Call: s.on(req.Call, "void"), Amount: usd10})
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, again.Status, "what is canceled already is released")

	e := s.events()["payment_intent.canceled"]
	require.Len(t, e, 1)
	require.Equal(t, payment.ResultCanceled, e[0].Status)

	late, err := s.p.Capture(ctx, payment.CaptureRequest{Call: s.on(req.Call, "capture"), Amount: usd10, Final: true})
	require.NoError(t, err)
	require.Equal(t, payment.ResultDeclined, late.Status)
	require.Equal(t, payment.ReasonAuthorizationExpired, late.Decline.Reason)

	paid, _ := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_visa")})
	res, err = s.p.Void(ctx, payment.VoidRequest{Call: s.on(paid.Call, "void"), Amount: usd10})
	require.NoError(t, err)
	require.Equal(t, payment.ResultDeclined, res.Status, "collected money is refunded, not voided")
	require.NotEmpty(t, res.Events)
}

func TestExpiredHold(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	req, _ := s.pay(payment.AuthorizeRequest{Method: payment.Card("pm_card_visa")})
	s.srv.Advance(8 * 24 * 3600 * 1e9)
	require.Equal(t, payment.ResultExpired, s.lookup(req.Call, payment.OpAuthorize, req.Ref, usd10).Status)
	res, err := s.p.Capture(ctx, payment.CaptureRequest{Call: s.on(req.Call, "capture"), Amount: usd10, Final: true})
	require.NoError(t, err)
	require.Equal(t, payment.ReasonAuthorizationExpired, res.Decline.Reason)
	require.Len(t, res.Events, 1)
	require.Equal(t, payment.ResultExpired, res.Events[0].Status)
}

func TestMultiCapture(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *stripe.Config) { c.MultiCapture = true })
	req, res := s.pay(payment.AuthorizeRequest{Method: payment.Card("pm_card_visa")})
	require.Equal(t, "available", res.Data["multi"])
	four := money.Of(400, money.USD)
	first := payment.CaptureRequest{Call: s.on(req.Call, "capture"), Amount: four}
	_, err := s.p.Capture(ctx, first)
	require.NoError(t, err)
	second := payment.CaptureRequest{Call: s.on(req.Call, "capture"), Amount: four}

	look := payment.LookupRequest{Call: second.Call, Kind: payment.OpCapture, Amount: four, Before: four}
	found, err := s.p.Lookup(ctx, look)
	require.NoError(t, err)
	require.Equal(t, payment.ResultAbsent, found.Status, "the first capture of the same size is not the second")
	_, err = s.p.Capture(ctx, second)
	require.NoError(t, err)
	found, err = s.p.Lookup(ctx, look)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, found.Status)
	require.Equal(t, four, found.Amount)

	seen := s.lookup(req.Call, payment.OpAuthorize, req.Ref, usd10)
	require.Equal(t, usd10, seen.Amount, "held and captured together are what was authorized")
	require.Equal(t, money.Of(800, money.USD), seen.Events[0].Amount)
	require.True(t, seen.Events[0].Cumulative)

	void, err := s.p.Void(ctx, payment.VoidRequest{Call: s.on(req.Call, "void"), Amount: money.Of(200, money.USD)})
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, void.Status)
	truth, _ := s.srv.Stripe.Payment(req.Ref)
	require.Equal(t, int64(800), truth.Received)
	require.Equal(t, int64(0), truth.Capturable)
}

// TestManyCaptures: as many as Stripe takes, with as much metadata as the shop
// may give and keys as long as the client makes them.
func TestManyCaptures(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *stripe.Config) { c.MultiCapture = true })
	meta := map[string]string{}
	for i := range 25 {
		meta[fmt.Sprintf("shop_%d", i)] = "x"
	}
	req, res := s.pay(payment.AuthorizeRequest{Method: payment.Card("pm_card_visa"), Metadata: meta})
	require.Equal(t, payment.ResultApproved, res.Status)
	ten := money.Of(10, money.USD)
	for i := range 50 {
		c := s.on(req.Call, "capture")
		c.Key = fmt.Sprintf("%s%02d", strings.Repeat("k", 30), i)
		got, err := s.p.Capture(ctx, payment.CaptureRequest{Call: c, Amount: ten, Final: i == 49})
		require.NoError(t, err, "capture %d", i+1)
		require.Equal(t, payment.ResultApproved, got.Status)
		look, err := s.p.Lookup(ctx, payment.LookupRequest{Call: c, Kind: payment.OpCapture, Amount: ten, Before: money.Of(int64(10*i), money.USD)})
		require.NoError(t, err)
		require.Equal(t, payment.ResultApproved, look.Status, "capture %d", i+1)
	}
}

// TestCaptureThatWouldReleaseTheRest: a card that allows one capture only must
// not lose what the shop wants to capture later.
func TestCaptureThatWouldReleaseTheRest(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil) // asks for one capture only
	req, res := s.pay(payment.AuthorizeRequest{Method: payment.Card("pm_card_visa")})
	require.NotEqual(t, "available", res.Data["multi"])
	s.p = s.provider(func(c *stripe.Config) { c.MultiCapture = true })
	part := payment.CaptureRequest{Call: s.on(req.Call, "capture"), Amount: money.Of(400, money.USD)}
	_, err := s.p.Capture(ctx, part)
	ce := callError(t, err)
	require.Equal(t, payment.KindNotSent, ce.Kind)
	require.Contains(t, ce.Message, "Final:")
	truth, _ := s.srv.Stripe.Payment(req.Ref)
	require.Equal(t, int64(1000), truth.Capturable)

	whole := payment.CaptureRequest{Call: s.on(req.Call, "capture"), Amount: usd10}
	done, err := s.p.Capture(ctx, whole)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, done.Status)

	// What the card allows is asked for where only a webhook brought the hold.
	req, _ = s.pay(payment.AuthorizeRequest{Method: payment.Card("pm_card_visa")})
	part = payment.CaptureRequest{Call: s.on(req.Call, "capture"), Amount: money.Of(400, money.USD)}
	part.Data = nil
	_, err = s.p.Capture(ctx, part)
	require.NoError(t, err)
	truth, _ = s.srv.Stripe.Payment(req.Ref)
	require.Equal(t, int64(600), truth.Capturable, "the rest stays held")
}

func TestDeclines(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	for token, want := range map[string]payment.Reason{
		"pm_card_visa_chargeDeclined":                  payment.ReasonDeclined,
		"pm_card_visa_chargeDeclinedInsufficientFunds": payment.ReasonInsufficientFunds,
		"pm_card_visa_chargeDeclinedLostCard":          payment.ReasonLostCard,
		"pm_card_visa_chargeDeclinedStolenCard":        payment.ReasonStolenCard,
		"pm_card_chargeDeclinedExpiredCard":            payment.ReasonExpiredCard,
		"pm_card_chargeDeclinedIncorrectCvc":           payment.ReasonIncorrectCVC,
		"pm_card_chargeDeclinedProcessingError":        payment.ReasonProcessorError,
		"pm_card_radarBlock":                           payment.ReasonSuspectedFraud,
	} {
		req, res := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card(token)})
		require.Equal(t, payment.ResultDeclined, res.Status, token)
		require.Equal(t, want, res.Decline.Reason, token)
		require.NotEmpty(t, res.Decline.Code)
		require.False(t, res.Payable, "%s: nothing went out with which the payer could go on", token)

		found := s.lookup(req.Call, payment.OpAuthorize, req.Ref, usd10)
		require.Equal(t, payment.ResultDeclined, found.Status)
		require.Equal(t, want, found.Decline.Reason)
		require.False(t, found.Payable)
	}
	for _, e := range s.events()["payment_intent.payment_failed"] {
		require.Equal(t, payment.ResultDeclined, e.Status)
		require.True(t, e.Payable, "a webhook cannot know that no secret went out, so it must say payable")
	}
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	pay := func(token string) (payment.AuthorizeRequest, payment.Result) {
		return s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card(token), ReturnURL: "https://shop.example/back"})
	}
	req, res := pay("pm_card_threeDSecure2Required")
	require.Equal(t, payment.ResultActionRequired, res.Status)
	require.Equal(t, payment.ActionChallenge, res.Action.Kind)
	require.NotEmpty(t, res.Action.URL)
	require.NoError(t, s.srv.Stripe.CompleteAction(res.Ref, sandbox.Succeed))
	found := s.lookup(req.Call, payment.OpAuthorize, res.Ref, usd10)
	require.Equal(t, payment.ResultApproved, found.Status)
	require.Equal(t, "authenticated", found.ThreeDS.Outcome)
	require.True(t, found.ThreeDS.LiabilityShift)

	req, res = pay("pm_card_threeDSecure2Required")
	require.NoError(t, s.srv.Stripe.CompleteAction(res.Ref, sandbox.Fail))
	found = s.lookup(req.Call, payment.OpAuthorize, res.Ref, usd10)
	require.Equal(t, payment.ResultDeclined, found.Status)
	require.Equal(t, payment.ReasonAuthenticationFailed, found.Decline.Reason)
	require.True(t, found.Payable, "the payer came back with the client secret and can pay the intent")

	// In the page, by Stripe.js.
	req, res = s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_threeDSecure2Required")})
	require.Equal(t, payment.ActionChallenge, res.Action.Kind)
	require.Contains(t, res.Action.Params["client_secret"], "_secret_")
	require.Equal(t, "pk_test_abc", res.Action.Params["publishable_key"])
	again := s.lookup(req.Call, payment.OpAuthorize, res.Ref, usd10)
	require.Equal(t, res.Action, again.Action, "a look-up gives the action again")

	// Asked for.
	_, res = s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_threeDSecureOptional"), ThreeDS: payment.ThreeDSChallenge})
	require.Equal(t, payment.ResultActionRequired, res.Status)
	_, res = s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_threeDSecureOptional")})
	require.Equal(t, payment.ResultApproved, res.Status)
}

func TestRedirectAndQRMethods(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	for _, c := range []struct {
		method payment.Method
		amount money.Amount
		kind   payment.ActionKind
	}{
		{payment.MethodIDEAL, money.Of(1000, money.EUR), payment.ActionRedirect},
		{payment.MethodGrabPay, money.Of(1000, money.SGD), payment.ActionRedirect},
		{payment.MethodAlipay, money.Of(1000, money.CNY), payment.ActionRedirect},
		{payment.MethodAlipayPage, money.Of(1000, money.CNY), payment.ActionRedirect},
		{payment.MethodWeChatPay, money.Of(1000, money.CNY), payment.ActionQR},
		{payment.MethodWeChatPayQR, money.Of(1000, money.CNY), payment.ActionQR},
	} {
		req, res := s.pay(payment.AuthorizeRequest{Capture: true, Amount: c.amount, Method: payment.Using(c.method), ReturnURL: "https://shop.example/back"})
		require.Equal(t, payment.ResultActionRequired, res.Status, c.method)
		require.Equal(t, c.kind, res.Action.Kind, c.method)
		if c.kind == payment.ActionQR {
			require.NotEmpty(t, res.Action.Code)
		} else {
			require.NotEmpty(t, res.Action.URL)
		}
		require.NoError(t, s.srv.Stripe.CompleteAction(res.Ref, sandbox.Succeed))
		found := s.lookup(req.Call, payment.OpAuthorize, res.Ref, c.amount)
		require.Equal(t, payment.ResultApproved, found.Status, c.method)
		require.True(t, found.Captured)

		req, res = s.pay(payment.AuthorizeRequest{Capture: true, Amount: c.amount, Method: payment.Using(c.method), ReturnURL: "https://shop.example/back"})
		require.NoError(t, s.srv.Stripe.CompleteAction(res.Ref, sandbox.Fail))
		found = s.lookup(req.Call, payment.OpAuthorize, res.Ref, c.amount)
		require.Equal(t, payment.ResultDeclined, found.Status, c.method)
		require.True(t, found.Payable, "%s: the link went out", c.method)
	}
}

func TestFence(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	fence := func(r payment.AuthorizeRequest) payment.Result {
		t.Helper()
		res, err := s.p.Fence(ctx, payment.FenceRequest{Call: func() payment.Call { c := next(r.Call, "cancel", payment.Result{}); return c }(), Amount: r.Amount})
		require.NoError(t, err)
		return res
	}
	open, _ := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_threeDSecure2Required"), ReturnURL: "https://shop.example/back"})
	require.Equal(t, payment.ResultApproved, fence(open).Status)
	require.Equal(t, payment.ResultApproved, fence(open).Status, "a fence that is repeated is confirmed again")
	truth, _ := s.srv.Stripe.Payment(open.Ref)
	require.Equal(t, "canceled", truth.Status)

	declined, _ := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_visa_chargeDeclined")})
	require.Equal(t, payment.ResultApproved, fence(declined).Status)

	held, _ := s.pay(payment.AuthorizeRequest{Method: payment.Card("pm_card_visa")})
	require.Equal(t, payment.ResultApproved, fence(held).Status)

	paid, _ := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_visa")})
	res := fence(paid)
	require.Equal(t, payment.ResultDeclined, res.Status, "what is paid cannot be fenced")
	require.Len(t, res.Events, 1)
	require.Equal(t, payment.ResultApproved, res.Events[0].Status)
	require.Equal(t, usd10, res.Events[0].Amount)
	require.True(t, res.Events[0].Captured)

	_, err := s.p.Fence(ctx, payment.FenceRequest{Call: s.call("cancel"), Amount: usd10})
	require.Equal(t, payment.KindNotSent, callError(t, err).Kind)
}

func TestLookupByOperation(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	c := s.call("create")
	require.Equal(t, payment.ResultAbsent, s.lookup(c, payment.OpAuthorize, "", usd10).Status)
	made, err := s.p.Authorize(ctx, payment.AuthorizeRequest{Call: c, Amount: usd10, Capture: true, Method: payment.Card("pm_card_visa")})
	require.NoError(t, err)
	for range 120 { // more than a page, all newer
		_, err := s.p.Authorize(ctx, payment.AuthorizeRequest{Call: s.call("create"), Amount: usd10, Capture: true, Method: payment.Card("pm_card_visa")})
		require.NoError(t, err)
	}
	found := s.lookup(c, payment.OpAuthorize, "", usd10)
	require.Equal(t, payment.ResultContinue, found.Status)
	require.Equal(t, made.Ref, found.Ref)
	confirm := next(c, "confirm", made)
	require.Equal(t, payment.ResultAbsent, s.lookup(confirm, payment.OpAuthorize, "", usd10).Status, "an intent that was never confirmed shows no trace of the confirm")
}
