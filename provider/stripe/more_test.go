package stripe_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/stripe"
	"github.com/tender-go/payment/sandbox"
)

func TestSaveAndPayAgain(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	save := payment.SaveRequest{Call: s.call("save"), Method: payment.Card("pm_card_visa"), Customer: "customer-1", Payer: payment.Payer{Name: "A. Payer", Email: "a@example.test"}}
	res, err := s.p.Save(ctx, save)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, res.Status)
	require.True(t, strings.HasPrefix(res.Token.Reveal(), "pm_"))
	require.True(t, strings.HasPrefix(res.ProviderCustomer, "cus_"))
	require.Equal(t, payment.MethodVisa, res.Card.Brand)

	again, err := s.p.Save(ctx, save)
	require.NoError(t, err)
	require.Equal(t, res.ProviderCustomer, again.ProviderCustomer, "a replay makes no second customer")
	require.Equal(t, res.Token.Reveal(), again.Token.Reveal())
	found := s.lookup(save.Call, payment.OpSave, "", money.Amount{})
	require.Equal(t, res.Token.Reveal(), found.Token.Reveal())
	require.Equal(t, found.Ref, s.lookup(save.Call, payment.OpSave, res.Ref, money.Amount{}).Ref)
	e := s.events()["setup_intent.succeeded"]
	require.Len(t, e, 1)
	require.Equal(t, save.Operation, e[0].OperationID)
	require.Equal(t, res.Token.Reveal(), e[0].Token.Reveal())

	one := payment.Instrument{Method: payment.MethodCard, Token: res.Token}
	for _, away := range []bool{false, true} {
		_, paid := s.pay(payment.AuthorizeRequest{Capture: true, Method: one, ProviderCustomer: res.ProviderCustomer, OffSession: away})
		require.Equal(t, payment.ResultApproved, paid.Status)
	}

	forget := payment.ForgetRequest{Call: s.call("forget"), Token: res.Token, ProviderCustomer: res.ProviderCustomer}
	gone, err := s.p.Forget(ctx, forget)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, gone.Status)
	forget.Call = s.call("forget")
	gone, err = s.p.Forget(ctx, forget)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, gone.Status, "a method that is detached already is forgotten")
	gone, err = s.p.Forget(ctx, payment.ForgetRequest{Call: s.call("forget"), Token: payment.NewSecret("pm_nobody_knows")})
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, gone.Status)
}

func TestSaveWithPayment(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	_, res := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_visa"), Save: true, Customer: "customer-1"})
	require.Equal(t, payment.ResultApproved, res.Status)
	require.NotEmpty(t, res.ProviderCustomer)
	require.NotEmpty(t, res.Token.Reveal())
	_, again := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Instrument{Method: payment.MethodCard, Token: res.Token}, ProviderCustomer: res.ProviderCustomer, OffSession: true})
	require.Equal(t, payment.ResultApproved, again.Status)
}

func TestSaveDeclinedAndChallenged(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	res, err := s.p.Save(ctx, payment.SaveRequest{Call: s.call("save"), Method: payment.Card("pm_card_visa_chargeDeclinedInsufficientFunds")})
	require.NoError(t, err)
	require.Equal(t, payment.ResultDeclined, res.Status)
	require.Equal(t, payment.ReasonInsufficientFunds, res.Decline.Reason)

	save := payment.SaveRequest{Call: s.call("save"), Method: payment.Card("pm_card_authenticationRequiredOnSetup"), ReturnURL: "https://shop.example/back"}
	res, err = s.p.Save(ctx, save)
	require.NoError(t, err)
	require.Equal(t, payment.ResultActionRequired, res.Status)
	require.NoError(t, s.srv.Stripe.CompleteAction(res.Ref, sandbox.Succeed))
	require.Equal(t, payment.ResultApproved, s.lookup(save.Call, payment.OpSave, res.Ref, money.Amount{}).Status)

	page := payment.SaveRequest{Call: s.call("save"), Method: payment.Using(payment.MethodCard)}
	res, err = s.p.Save(ctx, page)
	require.NoError(t, err)
	require.Equal(t, payment.ActionSDK, res.Action.Kind)
	require.Contains(t, res.Action.Params["client_secret"], "_secret_")
}

func TestOffSessionSoftDecline(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	_, res := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_authenticationRequired"), OffSession: true})
	require.Equal(t, payment.ResultDeclined, res.Status)
	require.Equal(t, payment.ReasonAuthenticationRequired, res.Decline.Reason)
	require.False(t, res.Payable)
	for _, e := range s.events()["payment_intent.payment_failed"] {
		require.False(t, e.Payable, "nobody was there to be handed anything")
	}
}

func TestPaymentOnThePage(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	req, res := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Using(payment.MethodCard)})
	require.Equal(t, payment.ResultActionRequired, res.Status, "without a token the page asks for the card")
	require.Equal(t, payment.ActionSDK, res.Action.Kind)
	require.Contains(t, res.Action.Params["client_secret"], "_secret_")
	again := s.lookup(next(req.Call, "create", res), payment.OpAuthorize, "", usd10)
	require.Equal(t, payment.ResultActionRequired, again.Status)
	require.Equal(t, res.Action, again.Action)
}

func TestDestinationCharge(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	split := []payment.Split{{Account: "acct_2", Amount: money.Of(900, money.USD), Commission: money.Of(90, money.USD)}, {Amount: money.Of(100, money.USD)}}
	req, res := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_visa"), Splits: split})
	require.Equal(t, payment.ResultApproved, res.Status)
	require.Equal(t, "acct_2", res.Data["destination"])
	require.Equal(t, "1", res.Data["fee"], "the commission and the shop's own part are the application fee")

	back, err := s.p.Refund(ctx, payment.RefundRequest{Call: s.on(req.Call, "refund"), Amount: money.Of(500, money.USD)})
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, back.Status)

	for field, splits := range map[string][]payment.Split{
		"Splits":               {{Account: "acct_2", Amount: money.Of(100, money.USD)}, {Account: "acct_3", Amount: money.Of(100, money.USD)}},
		"Splits[0].Account":    {{Account: "../acct", Amount: money.Of(100, money.USD)}},
		"Splits[0]":            {{Account: "acct_2", Amount: money.Of(1100, money.USD)}},
		"Splits[0].Amount":     {{Account: "acct_2", Amount: money.Of(100, money.EUR)}},
		"Splits[0].Commission": {{Account: "acct_2", Amount: money.Of(100, money.USD), Commission: money.Of(1, money.EUR)}},
	} {
		_, err := s.p.Authorize(ctx, payment.AuthorizeRequest{Call: s.call("create"), Amount: usd10, Capture: true, Method: payment.Card("pm_card_visa"), Splits: splits})
		ce := callError(t, err)
		require.Equal(t, payment.KindNotSent, ce.Kind)
		require.Contains(t, ce.Message, field+":")
	}
}

func TestTransfers(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	req, res := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_bypassPending")})
	move := payment.TransferRequest{Call: s.on(req.Call, "transfer"), Amount: money.Of(300, money.USD), Destination: "acct_2", SourceRef: res.Ref}
	require.Equal(t, payment.ResultAbsent, s.lookup(move.Call, payment.OpTransfer, "", move.Amount).Status)
	moved, err := s.p.Transfer(ctx, move)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, moved.Status)
	require.Equal(t, moved.Ref, s.lookup(move.Call, payment.OpTransfer, "", move.Amount).Ref)
	require.Equal(t, moved.Ref, s.lookup(move.Call, payment.OpTransfer, moved.Ref, move.Amount).Ref)

	move.Call = s.call("transfer") // the charge's id was never stored
	moved, err = s.p.Transfer(ctx, move)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, moved.Status)

	poor, err := s.p.Transfer(ctx, payment.TransferRequest{Call: s.call("transfer"), Amount: money.Of(90000000, money.USD), Destination: "acct_2"})
	require.NoError(t, err)
	require.Equal(t, payment.ResultDeclined, poor.Status)
	require.Equal(t, payment.ReasonMerchantBalance, poor.Decline.Reason)
}

func TestDirectCharge(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *stripe.Config) { c.Account = "acct_shop2" })
	_, res := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_visa"), Splits: []payment.Split{{Account: "acct_shop2", Amount: usd10, Commission: money.Of(100, money.USD)}}})
	require.Equal(t, payment.ResultApproved, res.Status)
	truth, _ := s.srv.Stripe.Payment(res.Ref)
	require.Equal(t, "acct_shop2", truth.Account)
	require.Equal(t, "1", res.Data["fee"])
	e := s.events()["payment_intent.succeeded"]
	require.Len(t, e, 1)
	for _, r := range s.srv.Requests() {
		require.Equal(t, "acct_shop2", r.Account, r.Path)
	}
}

func TestDisputes(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	open := func() string {
		req, _ := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_visa")})
		id, err := s.srv.Stripe.OpenDispute(req.Ref, "product_not_received", 0)
		require.NoError(t, err)
		e := s.events()["charge.dispute.created"]
		require.Len(t, e, 1)
		require.Equal(t, payment.OpDispute, e[0].Kind)
		require.Equal(t, req.Ref, e[0].Parent)
		require.Equal(t, payment.DisputeNeedsResponse, e[0].Dispute.Status)
		require.Equal(t, usd10, e[0].Dispute.Amount)
		require.False(t, e[0].Dispute.Due.IsZero())
		return id
	}
	id := open()
	respond := payment.RespondRequest{Call: s.call("respond"), DisputeRef: id, Submit: true, Evidence: payment.Evidence{
		Text: "it was delivered", Fields: map[string]string{"shipping_tracking_number": "1Z", "customer_email": "a@example.test"},
		Files: []payment.EvidenceFile{{Kind: "shipping_documentation", Name: "Müller, Anna.pdf", ContentType: "application/pdf", Data: []byte("%PDF-1.4 x")}},
	}}
	look := payment.LookupRequest{Call: respond.Call, Kind: payment.OpRespond, StepRef: id}
	found, err := s.p.Lookup(ctx, look)
	require.NoError(t, err)
	require.Equal(t, payment.ResultAbsent, found.Status)
	res, err := s.p.Respond(ctx, respond)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, res.Status)
	require.Equal(t, payment.DisputeUnderReview, res.Events[0].Dispute.Status)
	again, err := s.p.Respond(ctx, respond)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, again.Status, "a replay, files and all, is the same request")
	found, err = s.p.Lookup(ctx, look)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, found.Status)
	require.NoError(t, s.srv.Stripe.CloseDispute(id, true))
	won := s.events()["charge.dispute.closed"]
	require.Equal(t, payment.DisputeWon, won[0].Dispute.Status)

	id = open()
	accept := payment.AcceptRequest{Call: s.call("accept"), DisputeRef: id}
	res, err = s.p.Accept(ctx, accept)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, res.Status)
	require.Equal(t, payment.DisputeLost, res.Events[0].Dispute.Status)
	found, err = s.p.Lookup(ctx, payment.LookupRequest{Call: accept.Call, Kind: payment.OpAccept, StepRef: id})
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, found.Status)
}

func TestRefundsLate(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	req, _ := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_refundFail")})
	back, err := s.p.Refund(ctx, payment.RefundRequest{Call: s.on(req.Call, "refund"), Amount: usd10})
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, back.Status)
	s.events()
	if err := s.srv.Stripe.FailRefund(back.Ref); err != nil {
		s.srv.Advance(10 * 24 * time.Hour) // it has failed, or will, by itself
	}
	failed := s.events()["refund.failed"]
	require.Len(t, failed, 1)
	require.Equal(t, payment.ResultReversed, failed[0].Status, "a refund that the bank sends back is undone, not declined")
	require.Equal(t, back.Ref, failed[0].Ref)

	req, _ = s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_pendingRefund")})
	back, err = s.p.Refund(ctx, payment.RefundRequest{Call: s.on(req.Call, "refund"), Amount: usd10})
	require.NoError(t, err)
	require.Equal(t, payment.ResultPending, back.Status)

	req, _ = s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_visa")})
	id, err := s.srv.Stripe.RefundFromDashboard(req.Ref, 300)
	require.NoError(t, err)
	found := s.lookup(req.Call, payment.OpAuthorize, req.Ref, usd10)
	require.Len(t, found.Events, 1)
	require.Equal(t, id, found.Events[0].Ref)
	require.Equal(t, money.Of(300, money.USD), found.Events[0].Amount)
	require.Empty(t, found.Events[0].OperationID)
}

func TestStatement(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	from := s.srv.Now().Add(-time.Minute)
	req, _ := s.pay(payment.AuthorizeRequest{Capture: true, Method: payment.Card("pm_card_visa")})
	_, err := s.p.Refund(ctx, payment.RefundRequest{Call: s.on(req.Call, "refund"), Amount: money.Of(400, money.USD)})
	require.NoError(t, err)
	var lines []payment.StatementLine
	collect := func(l payment.StatementLine) error { lines = append(lines, l); return nil }
	require.NoError(t, s.p.Statement(ctx, from, s.srv.Now().Add(time.Minute), collect))
	require.Len(t, lines, 2)
	kinds := map[string]payment.StatementLine{}
	for _, l := range lines {
		kinds[l.Kind] = l
		sum, err := l.Net.Add(l.Fee)
		require.NoError(t, err)
		require.Equal(t, l.Gross, sum)
	}
	require.Equal(t, req.Ref, kinds["charge"].Ref)
	require.Equal(t, req.Operation, kinds["charge"].Operation)
	require.Equal(t, usd10, kinds["charge"].Gross)
	require.Equal(t, money.Of(-400, money.USD), kinds["refund"].Gross)

	require.ErrorIs(t, s.p.Statement(ctx, from, s.srv.Now().Add(time.Minute), func(payment.StatementLine) error { return io.ErrShortWrite }), io.ErrShortWrite)
	lines = nil
	require.NoError(t, s.p.Statement(ctx, from.Add(-time.Hour), from, collect))
	require.Empty(t, lines, "the end of the range is not in it")
}

// TestStatementGroupsByPayout plays automatic payouts, which the sandbox lacks.
func TestStatementGroupsByPayout(t *testing.T) {
	t.Parallel()
	const line = `{"id":"txn_%","object":"balance_transaction","amount":1000,"fee":59,"net":941,"currency":"usd","type":"charge","reporting_category":"charge","source":"ch_%","created":1700000000}`
	list := func(items ...string) string {
		return `{"object":"list","has_more":false,"data":[` + strings.Join(items, ",") + `]}`
	}
	n := func(s string) string { return strings.ReplaceAll(line, "%", s) }
	p := at(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/payouts":
			says(200, list(`{"id":"po_1","automatic":true}`, `{"id":"po_2","automatic":false}`))(w, r)
		case r.URL.Query().Get("payout") == "po_1":
			says(200, list(n("1"), n("2")))(w, r)
		case r.URL.Query().Get("payout") != "":
			t.Errorf("the lines of a manual payout were asked for")
		default:
			says(200, list(n("3"), n("2"), n("1")))(w, r)
		}
	})
	got := map[string]string{}
	require.NoError(t, p.Statement(ctx, time.Unix(1700000000, 0), time.Unix(1700000001, 0), func(l payment.StatementLine) error {
		got[l.ID] = l.Payout
		return nil
	}))
	require.Equal(t, map[string]string{"txn_1": "po_1", "txn_2": "po_1", "txn_3": ""}, got)

	broken := at(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/payouts" {
			says(200, list())(w, r)
			return
		}
		says(200, list(strings.Replace(n("1"), "941", "940", 1)))(w, r)
	})
	err := broken.Statement(ctx, time.Time{}, time.Time{}, func(payment.StatementLine) error { return nil })
	require.Contains(t, callError(t, err).Message, "does not add up")
}

// TestReader plays a terminal reader, of which the sandbox has none.
func TestReader(t *testing.T) {
	t.Parallel()
	state, failure := "in_progress", ""
	intent := `{"id":"pi_1","object":"payment_intent","status":"requires_payment_method","currency":"usd","amount":1000,"metadata":{"tender_flow":"reader","tender_reader":"tmr_1"}}`
	var paths []string
	p := at(t, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.Method+" "+r.URL.Path)
		if strings.Contains(r.URL.Path, "/readers/") {
			says(200, `{"id":"tmr_1","object":"terminal.reader","action":{"type":"process_payment_intent","status":"`+state+`","failure_code":"`+failure+`","process_payment_intent":{"payment_intent":"pi_1"}}}`)(w, r)
			return
		}
		says(200, intent)(w, r)
	})
	r := payment.AuthorizeRequest{Call: payment.Call{Step: "create", Key: "k1", Operation: "op1"}, Amount: usd10, Capture: true, Method: payment.Using(payment.MethodCardPresent).With("reader", "tmr_1")}
	made, err := p.Authorize(ctx, r)
	require.NoError(t, err)
	require.Equal(t, payment.ResultContinue, made.Status)
	r.Call = payment.Call{Step: "process", Key: "k2", Operation: "op1", Ref: made.Ref}
	res, err := p.Authorize(ctx, r)
	require.NoError(t, err)
	require.Equal(t, payment.ResultActionRequired, res.Status)
	require.Equal(t, payment.ActionWait, res.Action.Kind)
	look := payment.LookupRequest{Call: r.Call, Kind: payment.OpAuthorize, Amount: usd10}
	found, err := p.Lookup(ctx, look)
	require.NoError(t, err)
	require.Equal(t, payment.ResultActionRequired, found.Status, "the reader still shows it")

	state, failure = "failed", "customer_canceled"
	found, err = p.Lookup(ctx, look)
	require.NoError(t, err)
	require.Equal(t, payment.ResultDeclined, found.Status)
	require.Equal(t, payment.ReasonPayerCanceled, found.Decline.Reason)

	// A fence takes it off the screen first, but only if it is there.
	paths, state = nil, "in_progress"
	fence := payment.FenceRequest{Call: payment.Call{Step: "cancel", Key: "k3", Ref: "pi_1"}, Amount: usd10}
	_, err = p.Fence(ctx, fence)
	require.Error(t, err, "the intent is still open in this play")
	require.Equal(t, []string{"GET /v1/payment_intents/pi_1", "GET /v1/terminal/readers/tmr_1", "POST /v1/terminal/readers/tmr_1/cancel_action", "POST /v1/payment_intents/pi_1/cancel"}, paths)
	paths, state = nil, "failed"
	_, err = p.Fence(ctx, fence)
	require.Error(t, err)
	require.NotContains(t, strings.Join(paths, " "), "cancel_action")
	paths = append([]string{"POST /v1/payment_intents", "POST /v1/terminal/readers/tmr_1/process_payment_intent"}, paths...)

	intent = strings.Replace(intent, "requires_payment_method", "succeeded", 1)
	intent = strings.Replace(intent, `"amount":1000`, `"amount":1000,"amount_received":1000`, 1)
	found, err = p.Lookup(ctx, look)
	require.NoError(t, err)
	require.Equal(t, payment.ResultApproved, found.Status)
	require.Equal(t, []string{"POST /v1/payment_intents", "POST /v1/terminal/readers/tmr_1/process_payment_intent"}, paths[:2])
}

// TestRefusedBeforeAnythingIsSent: what cannot work is not sent, and the error
// names the field.
func TestRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	p := at(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s was sent", r.Method, r.URL.Path) })
	base := payment.AuthorizeRequest{Call: payment.Call{Step: "create", Key: "k1"}, Amount: usd10, Capture: true, Method: payment.Card("pm_1")}
	for field, change := range map[string]func(*payment.AuthorizeRequest){
		"Step":         func(r *payment.AuthorizeRequest) { r.Step = "levitate" },
		"Method":       func(r *payment.AuthorizeRequest) { r.Method = payment.Using(payment.MethodAlipayBarcode) },
		"Method.Token": func(r *payment.AuthorizeRequest) { r.Method = payment.Card("4242424242424242") },
		"Amount":       func(r *payment.AuthorizeRequest) { r.Amount = money.Zero(money.USD) },
		"ReturnURL":    func(r *payment.AuthorizeRequest) { r.Method = payment.Using(payment.MethodIDEAL) },
		"Metadata":     func(r *payment.AuthorizeRequest) { r.Metadata = map[string]string{"a[b]": "c"} },
		"Ref":          func(r *payment.AuthorizeRequest) { r.Step, r.Ref = "confirm", "pi_1/../../v1/refunds" },
		`Method.Fields["reader"]`: func(r *payment.AuthorizeRequest) {
			r.Method = payment.Using(payment.MethodCardPresent).With("reader", "../x")
		},
	} {
		r := base
		change(&r)
		_, err := p.Authorize(ctx, r)
		ce := callError(t, err)
		require.Equal(t, payment.KindNotSent, ce.Kind, field)
		require.True(t, strings.HasPrefix(ce.Message, field+":"), "%s: %s", field, ce.Message)
		require.NotContains(t, err.Error(), "4242")
	}
	none := payment.Call{Step: "x", Key: "k"}
	for name, call := range map[string]func() error{
		"capture": func() error { _, err := p.Capture(ctx, payment.CaptureRequest{Call: none, Amount: usd10}); return err },
		"void":    func() error { _, err := p.Void(ctx, payment.VoidRequest{Call: none}); return err },
		"refund":  func() error { _, err := p.Refund(ctx, payment.RefundRequest{Call: none, Amount: usd10}); return err },
		"fence":   func() error { _, err := p.Fence(ctx, payment.FenceRequest{Call: none}); return err },
		"transfer": func() error {
			_, err := p.Transfer(ctx, payment.TransferRequest{Call: none, Amount: usd10})
			return err
		},
		"forget": func() error {
			_, err := p.Forget(ctx, payment.ForgetRequest{Call: none, Token: payment.NewSecret("4242424242424242")})
			return err
		},
		"respond": func() error { _, err := p.Respond(ctx, payment.RespondRequest{Call: none}); return err },
		"accept": func() error {
			_, err := p.Accept(ctx, payment.AcceptRequest{Call: none, DisputeRef: "dp_1/close"})
			return err
		},
		"save": func() error {
			_, err := p.Save(ctx, payment.SaveRequest{Call: none, Method: payment.Using(payment.MethodIDEAL)})
			return err
		},
		"lookup": func() error {
			_, err := p.Lookup(ctx, payment.LookupRequest{Call: none, Kind: payment.OpCapture})
			return err
		},
		"lookup of nothing": func() error { _, err := p.Lookup(ctx, payment.LookupRequest{Call: none, Kind: "?"}); return err },
	} {
		require.Equal(t, payment.KindNotSent, callError(t, call()).Kind, name)
	}
}
