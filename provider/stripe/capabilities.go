package stripe

import (
	"maps"
	"slices"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// The steps, as Capabilities names them.
const (
	stepCreate   = "create"   // make the PaymentIntent; moves no money
	stepConfirm  = "confirm"  // charge or authorize it
	stepProcess  = "process"  // hand it to a terminal reader
	stepCapture  = "capture"  // take authorized money
	stepVoid     = "void"     // release it
	stepRefund   = "refund"   // give captured money back
	stepFence    = "cancel"   // make the intent unpayable
	stepTransfer = "transfer" // move money to a connected account
	stepRespond  = "respond"  // send evidence
	stepAccept   = "accept"   // give a dispute up
	stepSave     = "save"     // make a SetupIntent
	stepForget   = "forget"   // detach a PaymentMethod
)

const day = 24 * time.Hour

// How outcomes are learned.
//
// Keys are kept for at least 24 hours (docs.stripe.com/api/idempotent_requests);
// an hour is left as a margin. Lists are read from the primary data, other than
// Search; the grace covers a request that is still under way at Stripe when our
// wait for it has ended.
const (
	keyLife = 23 * time.Hour
	grace   = 90 * time.Second
)

// Capabilities says what the instance can do.
func (p *Provider) Capabilities() payment.Capabilities { return clone(p.caps) }

// clone copies what can be changed, so that no caller changes what another reads.
func clone(c payment.Capabilities) payment.Capabilities {
	methods := make(map[payment.Method]payment.MethodCapabilities, len(c.Methods))
	for m, mc := range c.Methods {
		mc.Flow, mc.Currencies, mc.Max = slices.Clone(mc.Flow), slices.Clone(mc.Currencies), maps.Clone(mc.Max)
		methods[m] = mc
	}
	c.Methods = methods
	return c
}

// capabilities is what Stripe documents, per method:
//
//   - cards: docs.stripe.com/payments/place-a-hold-on-a-payment-method (7 days
//     online, 2 days at a reader; a charge's own capture_before goes before),
//     docs.stripe.com/payments/multicapture, docs.stripe.com/refunds
//   - docs.stripe.com/payments/ideal (EUR, refunds for 180 days)
//   - docs.stripe.com/payments/grabpay (SGD, MYR; no manual capture; 90 days)
//   - docs.stripe.com/payments/alipay (90 days)
//   - docs.stripe.com/payments/wechat-pay (180 days)
//
// Stripe sets no time limit on the refund of a card. The currency of a wallet
// must also be one of the account's own country; that is Stripe's to refuse.
func capabilities(c Config) payment.Capabilities {
	rec := payment.Recovery{KeyLife: keyLife, Lookup: true, LookupGrace: grace, Webhook: len(c.WebhookSecrets) > 0}
	replayed := payment.Recovery{KeyLife: keyLife} // nothing tells, and nothing needs to
	step := func(name string, moves bool, r payment.Recovery) payment.StepSpec {
		return payment.StepSpec{Name: name, MovesMoney: moves, Recovery: r}
	}
	// Of a redirect or a QR code the confirmation moves no money: the payer can
	// only act on the link in its answer.
	base := payment.MethodCapabilities{
		Flow:          []payment.StepSpec{step(stepCreate, false, rec), step(stepConfirm, false, rec)},
		Sale:          true,
		PartialRefund: true,
		Refund:        step(stepRefund, true, rec),
		Fence:         payment.FenceConfirmed,
		FenceStep:     step(stepFence, false, rec),
		Splits:        true,
	}

	card := base
	card.Flow = []payment.StepSpec{step(stepCreate, false, rec), step(stepConfirm, true, rec)}
	card.Hold, card.HoldFor = true, 7*day
	card.PartialCapture, card.MultiCapture = true, c.MultiCapture
	card.Capture, card.Void = step(stepCapture, true, rec), step(stepVoid, true, rec)
	card.Save, card.OffSession, card.ThreeDS = true, true, true

	applePay := card
	applePay.ThreeDS = false // the device has authenticated the payer already

	// A reader that got the payment asks for the card whatever became of our
	// answer.
	present := card
	present.Flow = []payment.StepSpec{step(stepCreate, false, rec), step(stepProcess, true, rec)}
	present.HoldFor, present.MultiCapture = 2*day, false
	present.Save, present.OffSession, present.ThreeDS = false, false, false

	ideal := base
	ideal.Currencies, ideal.RefundWindow = []money.Currency{money.EUR}, 180*day

	grab := base
	grab.Currencies, grab.RefundWindow = []money.Currency{money.SGD, money.MYR}, 90*day

	alipay := base
	alipay.Currencies, alipay.RefundWindow = []money.Currency{
		money.CNY, money.AUD, money.CAD, money.EUR, money.GBP, money.HKD, money.JPY, money.MYR, money.NZD, money.SGD, money.USD,
	}, 90*day

	wechat := base
	wechat.Currencies, wechat.RefundWindow = []money.Currency{
		money.CNY, money.AUD, money.CAD, money.CHF, money.DKK, money.EUR, money.GBP, money.HKD, money.JPY, money.NOK, money.SEK,
		money.SGD, money.USD,
	}, 180*day

	for _, mc := range []*payment.MethodCapabilities{&card, &applePay, &present, &ideal, &grab, &alipay, &wechat} {
		mc.Max = limits(mc.Currencies)
	}

	transfer := step(stepTransfer, true, rec)
	if c.Account != "" {
		transfer = payment.StepSpec{} // only a platform pays others on
	}
	return payment.Capabilities{
		Methods: map[payment.Method]payment.MethodCapabilities{
			payment.MethodCard:        card,
			payment.MethodApplePay:    applePay,
			payment.MethodGooglePay:   card,
			payment.MethodCardPresent: present,
			payment.MethodIDEAL:       ideal,
			payment.MethodGrabPay:     grab,
			payment.MethodAlipay:      alipay,
			payment.MethodWeChatPay:   wechat,
		},
		Transfer: transfer,
		Respond:  step(stepRespond, false, rec),
		Accept:   step(stepAccept, false, rec),
		Save:     step(stepSave, false, rec),
		Forget:   step(stepForget, false, replayed),
		Webhooks: len(c.WebhookSecrets) > 0,
	}
}

// stripeType is Stripe's payment_method_type for a method.
func stripeType(m payment.Method) string {
	switch m.Family() {
	case payment.MethodCard, payment.MethodApplePay, payment.MethodGooglePay:
		return "card"
	case payment.MethodCardPresent:
		return "card_present"
	case payment.MethodIDEAL:
		return "ideal"
	case payment.MethodGrabPay:
		return "grabpay"
	case payment.MethodAlipay:
		return "alipay"
	case payment.MethodWeChatPay:
		return "wechat_pay"
	default:
		return ""
	}
}

// served reports whether a member of a family is one that Stripe can carry. The
// family stands for all its members in Capabilities, so that the others are
// refused before anything is sent.
func served(m payment.Method) bool {
	switch m {
	case payment.MethodAlipayQR, payment.MethodAlipayBarcode,
		payment.MethodWeChatPayH5, payment.MethodWeChatPayJSAPI, payment.MethodWeChatPayMini, payment.MethodWeChatPayBarcode:
		return false
	default:
		return stripeType(m) != ""
	}
}
