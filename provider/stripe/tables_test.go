package stripe

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	stripego "github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// TestUnits holds the table against Stripe's list of currencies: what is sent
// for 7 whole units, and that it comes back as the same amount.
func TestUnits(t *testing.T) {
	t.Parallel()
	for c, sent := range map[money.Currency]int64{
		money.USD: 700, money.EUR: 700, money.GBP: 700, money.CNY: 700, money.SGD: 700,
		// Zero-decimal, docs.stripe.com/currencies#zero-decimal.
		money.BIF: 7, money.CLP: 7, money.DJF: 7, money.GNF: 7, money.JPY: 7, money.KMF: 7, money.KRW: 7, money.MGA: 7,
		money.PYG: 7, money.RWF: 7, money.VND: 7, money.VUV: 7, money.XAF: 7, money.XOF: 7, money.XPF: 7,
		// Special cases: two decimals that are always 00.
		money.ISK: 700, money.UGX: 700,
		// Two decimals in payments, whatever payouts take.
		money.HUF: 700, money.TWD: 700,
		// Three-decimal.
		money.BHD: 7000, money.JOD: 7000, money.KWD: 7000, money.OMR: 7000, money.TND: 7000,
	} {
		exp, ok := c.Exponent()
		require.True(t, ok)
		a := money.Of(7*int64(math.Pow10(exp)), c)
		n, err := units.ToUnits(a)
		require.NoError(t, err, c)
		require.Equal(t, sent, n, c)
		back, err := amountOf(n, code(c))
		require.NoError(t, err, c)
		require.Equal(t, a, back, c)
	}
	for _, a := range []money.Amount{money.Of(1234, money.KWD), money.Of(50, money.MGA)} {
		_, err := units.ToUnits(a)
		require.ErrorIs(t, err, money.ErrExponent, "%s is not a sum that Stripe takes, and nothing is rounded in silence", a)
	}
	for n, c := range map[int64]string{550: "isk", 101: "ugx", math.MaxInt64: "mga", 1: "zzz", 2: ""} {
		_, err := amountOf(n, c)
		require.Error(t, err, c)
	}
	odd, err := amountOf(1234, "kwd")
	require.NoError(t, err, "what Stripe reports is a fact")
	require.Equal(t, money.Of(1234, money.KWD), odd)
}

// TestDeclineTable: every code that the SDK knows is either a refusal or
// declared to be none.
func TestDeclineTable(t *testing.T) {
	t.Parallel()
	for code, reason := range declines {
		d := DeclineFor(code)
		require.Equal(t, reason, d.Reason, code)
		require.True(t, reason.Valid(), code)
		require.Equal(t, code, d.Code)
		require.False(t, noDeclines[code], "%s is in both tables", code)
	}
	for code := range noDeclines {
		require.True(t, DeclineFor(code).IsZero(), code)
	}
	require.True(t, DeclineFor("").IsZero())
	require.Equal(t, payment.ReasonUnknown, DeclineFor("code_of_the_future").Reason)
	require.False(t, DeclineFor("code_of_the_future").MayFailOver())
	require.Equal(t, payment.RetryNever, DeclineFor("do_not_try_again").Retry)

	for _, code := range []stripego.DeclineCode{
		stripego.DeclineCodeAuthenticationRequired, stripego.DeclineCodeApproveWithID, stripego.DeclineCodeCallIssuer, stripego.DeclineCodeCardNotSupported,
		stripego.DeclineCodeCardVelocityExceeded, stripego.DeclineCodeCurrencyNotSupported, stripego.DeclineCodeDoNotHonor, stripego.DeclineCodeDoNotTryAgain,
		stripego.DeclineCodeDuplicateTransaction, stripego.DeclineCodeExpiredCard, stripego.DeclineCodeFraudulent, stripego.DeclineCodeGenericDecline,
		stripego.DeclineCodeIncorrectNumber, stripego.DeclineCodeIncorrectCVC, stripego.DeclineCodeIncorrectPIN, stripego.DeclineCodeIncorrectZip,
		stripego.DeclineCodeInsufficientFunds, stripego.DeclineCodeInvalidAccount, stripego.DeclineCodeInvalidAmount, stripego.DeclineCodeInvalidCVC,
		stripego.DeclineCodeInvalidExpiryMonth, stripego.DeclineCodeInvalidExpiryYear, stripego.DeclineCodeInvalidNumber, stripego.DeclineCodeInvalidPIN,
		stripego.DeclineCodeIssuerNotAvailable, stripego.DeclineCodeLostCard, stripego.DeclineCodeMerchantBlacklist,
		stripego.DeclineCodeNewAccountInformationAvailable, stripego.DeclineCodeNoActionTaken, stripego.DeclineCodeNotPermitted,
		stripego.DeclineCodeOfflinePINRequired, stripego.DeclineCodeOnlineOrOfflinePINRequired, stripego.DeclineCodePickupCard,
		stripego.DeclineCodePINTryExceeded, stripego.DeclineCodeProcessingError, stripego.DeclineCodeReenterTransaction, stripego.DeclineCodeRestrictedCard,
		stripego.DeclineCodeRevocationOfAllAuthorizations, stripego.DeclineCodeRevocationOfAuthorization, stripego.DeclineCodeSecurityViolation,
		stripego.DeclineCodeServiceNotAllowed, stripego.DeclineCodeStolenCard, stripego.DeclineCodeStopPaymentOrder, stripego.DeclineCodeTestModeDecline,
		stripego.DeclineCodeTransactionNotAllowed, stripego.DeclineCodeTryAgainLater, stripego.DeclineCodeWithdrawalCountLimitExceeded,
	} {
		_, known := declines[string(code)]
		require.True(t, known, "decline code %s is not mapped", code)
	}
	// Codes that must never let a payment travel on to another provider.
	for _, code := range []string{"fraudulent", "lost_card", "stolen_card", "pickup_card", "merchant_blacklist", "insufficient_funds", "generic_decline",
		"duplicate_transaction", "authentication_required", "incorrect_cvc", "expired_card", "compliance_violation"} {
		require.False(t, DeclineFor(code).MayFailOver(), code)
	}
}

func TestIntentStatuses(t *testing.T) {
	t.Parallel()
	p, err := New(Config{SecretKey: payment.NewSecret("sk_test_1")})
	require.NoError(t, err)
	for _, c := range []struct {
		name string
		in   intent
		v    view
		want payment.ResultStatus
	}{
		{"created", intent{Status: "requires_payment_method"}, view{step: stepCreate}, payment.ResultContinue},
		{"created for a page", intent{Status: "requires_payment_method", ClientSecret: "s", Metadata: map[string]string{metaFlow: flowPage}}, view{step: stepCreate}, payment.ResultActionRequired},
		{"created with a method", intent{Status: "requires_confirmation"}, view{step: stepCreate}, payment.ResultContinue},
		{"never confirmed", intent{Status: "requires_confirmation"}, view{step: stepConfirm, lookup: true}, payment.ResultAbsent},
		{"never given a method", intent{Status: "requires_payment_method"}, view{step: stepConfirm, lookup: true}, payment.ResultAbsent},
		{"declined", intent{Status: "requires_payment_method", LastPaymentError: &apiError{Code: "card_declined"}}, view{step: stepConfirm, lookup: true}, payment.ResultDeclined},
		{"challenged", intent{Status: "requires_action", ClientSecret: "s"}, view{step: stepConfirm}, payment.ResultActionRequired},
		{"processing", intent{Status: "processing"}, view{step: stepConfirm}, payment.ResultPending},
		{"held", intent{Status: "requires_capture", AmountCapturable: 1000, CaptureMethod: "manual"}, view{step: stepConfirm}, payment.ResultApproved},
		{"collected", intent{Status: "succeeded", AmountReceived: 1000}, view{step: stepConfirm}, payment.ResultApproved},
		{"canceled", intent{Status: "canceled"}, view{step: stepConfirm, lookup: true}, payment.ResultCanceled},
		{"expired", intent{Status: "canceled", CancellationReason: "automatic"}, view{step: stepConfirm, lookup: true}, payment.ResultExpired},
	} {
		c.in.ID, c.in.Currency, c.in.Amount = "pi_1", "usd", 1000
		r, err := p.result(&c.in, c.v)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, r.Status, c.name)
		require.Equal(t, c.in.Status == "succeeded", r.Captured, c.name)
	}
}

func TestConfigReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	_, err := New(Config{
		Name: "Not A Name", SecretKey: payment.NewSecret("pk_live_abc"), PublishableKey: "sk_live_abc", WebhookSecrets: []payment.Secret{{}, payment.NewSecret("sk_live_abcdefghijk")},
		Account: "mine", BaseURL: "ftp://x", Timeout: -1, Tolerance: 48 * time.Hour, Methods: []payment.Method{"paypal", payment.MethodAlipayBarcode},
		Descriptor: "a descriptor that is far too long", HTTPClient: &http.Client{Transport: (*http.Transport)(nil)},
	})
	require.Error(t, err)
	for _, field := range []string{"Name", "SecretKey", "PublishableKey", "WebhookSecrets[0]", "WebhookSecrets[1]", "Account", "BaseURL", "Timeout", "Tolerance",
		"Methods[0]", "Methods[1]", "Descriptor", "HTTPClient"} {
		require.Contains(t, err.Error(), "payment: "+field+" ", "every problem is named at once, with its field")
	}
	require.ErrorIs(t, err, payment.ErrInvalid)
	require.NotContains(t, err.Error(), "abc", "a key is never repeated in an error")
	var fe *payment.FieldError
	require.True(t, errors.As(err, &fe))
	require.NotEmpty(t, fe.Remedy)

	for name, c := range map[string]Config{
		"no key":               {},
		"key without its rest": {SecretKey: payment.NewSecret("sk_test_")},
		"key with a line end":  {SecretKey: payment.NewSecret("sk_test_abc\n")},
		"modes mixed":          {SecretKey: payment.NewSecret("sk_test_abc"), PublishableKey: "pk_live_abc"},
		"live key in clear":    {SecretKey: payment.NewSecret("sk_live_abc"), BaseURL: "http://127.0.0.1:1"},
		"no method":            {SecretKey: payment.NewSecret("sk_test_abc"), Methods: []payment.Method{}},
	} {
		_, err := New(c)
		require.Error(t, err, name)
	}
	for name, c := range map[string]Config{
		"the least":      {SecretKey: payment.NewSecret("sk_test_abc")},
		"restricted":     {SecretKey: payment.NewSecret("rk_live_abc"), PublishableKey: "pk_live_abc"},
		"live, by proxy": {SecretKey: payment.NewSecret("sk_live_abc"), BaseURL: "https://gateway.example/stripe/"},
	} {
		p, err := New(c)
		require.NoError(t, err, name)
		require.Equal(t, DefaultName, p.Name())
	}
}

func TestMethodsAreRestricted(t *testing.T) {
	t.Parallel()
	p, err := New(Config{SecretKey: payment.NewSecret("sk_test_1"), Methods: []payment.Method{payment.MethodVisa, payment.MethodIDEAL}})
	require.NoError(t, err)
	caps := p.Capabilities()
	require.Len(t, caps.Methods, 2)
	_, ok := caps.For(payment.MethodMastercard)
	require.False(t, ok)
	caps.Methods[payment.MethodPayPal] = payment.MethodCapabilities{}
	caps.Methods[payment.MethodIDEAL].Flow[0].MovesMoney = true
	caps.Methods[payment.MethodIDEAL].Max[money.EUR] = 1
	require.Len(t, p.Capabilities().Methods, 2, "what a caller does to its copy changes nothing")
	require.False(t, p.Capabilities().Methods[payment.MethodIDEAL].Flow[0].MovesMoney)
	require.EqualValues(t, 99_999_999, p.Capabilities().Methods[payment.MethodIDEAL].Max[money.EUR])
}

func TestCapabilitiesAreWhole(t *testing.T) {
	t.Parallel()
	p, err := New(Config{SecretKey: payment.NewSecret("sk_test_1")})
	require.NoError(t, err)
	for m, c := range p.Capabilities().Methods {
		require.NoError(t, m.Check())
		require.NotEmpty(t, stripeType(m), m)
		require.False(t, c.Flow[0].MovesMoney, "%s: create moves no money", m)
		require.Equal(t, stripeType(m) == "card" || stripeType(m) == "card_present", c.Flow[1].MovesMoney,
			"%s: a link or code that was never handed out cannot be paid", m)
		for _, s := range append(c.Flow, c.Refund, c.FenceStep) {
			require.True(t, s.Recovery.Terminates(), "%s %s", m, s.Name)
			require.Less(t, s.Recovery.KeyLife, 24*time.Hour, "Stripe may forget a key after 24 hours")
		}
		require.Equal(t, payment.FenceConfirmed, c.Fence, m)
		require.Equal(t, c.Hold, c.HoldFor > 0, m)
		require.Equal(t, c.Hold, !c.Capture.IsZero() && !c.Void.IsZero(), m)
	}
}

func TestEvidenceNames(t *testing.T) {
	t.Parallel()
	p, err := New(Config{SecretKey: payment.NewSecret("sk_test_1")})
	require.NoError(t, err)
	doc := payment.EvidenceFile{Kind: "receipt", ContentType: "application/pdf", Data: []byte("x")}
	for name, e := range map[string]payment.Evidence{
		"Evidence.Fields":               {Fields: map[string]string{"favourite_colour": "blue"}},
		"Evidence has":                  {},
		"Evidence.Files[0].Kind":        {Files: []payment.EvidenceFile{{Kind: "selfie", ContentType: "image/png", Data: []byte("x")}}},
		"Evidence.Files[1].Kind":        {Files: []payment.EvidenceFile{doc, doc}},
		"Evidence.Files[0].Data":        {Files: []payment.EvidenceFile{{Kind: "receipt", ContentType: "image/png"}}},
		"Evidence.Files[0].ContentType": {Files: []payment.EvidenceFile{{Kind: "receipt", ContentType: "text/html", Data: []byte("x")}}},
	} {
		if name == "Evidence has" {
			name, e.Text = "Evidence", strings.Repeat("x", maxEvidenceText+1)
		}
		_, err := p.Respond(t.Context(), payment.RespondRequest{Call: payment.Call{Step: stepRespond, Key: "k"}, DisputeRef: "dp_1", Evidence: e})
		var ce *payment.CallError
		require.ErrorAs(t, err, &ce, name)
		require.Equal(t, payment.KindNotSent, ce.Kind)
		require.Contains(t, ce.Message, name)
	}
}

func TestDescriptor(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"VASES": "VASES", `V<A>S"E'S*\`: "VASES", "花瓶 shop": "shop", strings.Repeat("x", 30): strings.Repeat("x", 22), "": ""} {
		require.Equal(t, want, descriptor(in))
	}
}

// TestCaptureLookup: of several captures whose answers are open at once, each is
// told apart, or said to be untold. Never is one called absent that was made.
func TestCaptureLookup(t *testing.T) {
	t.Parallel()
	const mine, twin = "op1s1", "op0us1"
	require.Equal(t, captureMark(mine), captureMark(twin), "the test needs two keys that share a mark")
	require.LessOrEqual(t, len(captureMark(strings.Repeat("z", 32))), 40)
	for _, c := range []struct {
		name     string
		mark     string
		received int64
		want     payment.ResultStatus // "" for an error
	}{
		{"ours, by its mark", mine, 900, payment.ResultApproved},
		{"ours, by the sum", twin, 600, payment.ResultApproved},
		{"nothing new", twin, 200, payment.ResultAbsent},
		{"never made, others were", "", 900, payment.ResultAbsent},
		{"overtaken by a twin", twin, 900, ""},
	} {
		body := fmt.Sprintf(`{"id":"pi_1","currency":"usd","status":"requires_capture","capture_method":"manual","amount":1000,"amount_capturable":%d,"amount_received":%d,"metadata":{%q:%q}}`,
			1000-c.received, c.received, captureMark(mine), c.mark)
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		t.Cleanup(srv.Close)
		p, err := New(Config{SecretKey: payment.NewSecret("sk_test_1"), BaseURL: srv.URL})
		require.NoError(t, err)
		res, err := p.Lookup(t.Context(), payment.LookupRequest{Call: payment.Call{Step: stepCapture, Key: mine, Ref: "pi_1"}, Kind: payment.OpCapture,
			Amount: money.Of(400, money.USD), Before: money.Of(200, money.USD)})
		if c.want == "" {
			var ce *payment.CallError
			require.ErrorAs(t, err, &ce, c.name)
			require.Equal(t, payment.KindUnknown, ce.Kind)
			continue
		}
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, res.Status, c.name)
	}
}
