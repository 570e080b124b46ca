package fake

import (
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// Personality names whose documented behaviour the provider has. The zero value
// is [Plain].
type Personality string

// The personalities. The steps of each are named in brackets.
//
// A notification carries our ids where the provider's object holds them: Stripe's
// metadata on what we made, Adyen's merchant reference, the out_trade_no and
// refund number of Alipay and WeChat Pay, PayPal's custom_id and invoice_id. What
// staff make in the provider's dashboard holds none of ours but its parent's.
const (
	// Plain: one step [pay] that holds or collects at once; everything is
	// supported, synchronous, and found by look-up.
	Plain Personality = "plain"

	// Stripe-like [create, confirm, capture, void, cancel, refund]: the first
	// answer to a key, a 500 included, is repeated for 24 hours, after which
	// the key acts again; other parameters under a known key are refused;
	// validation errors are not saved. A capture has no object of its own: the
	// intent knows the sum. Cancel is a confirmed fence, and a declined intent
	// whose client secret went out can still be paid.
	// Source: Stripe API reference, "Idempotent requests", "Cancel a
	// PaymentIntent", "Capture a PaymentIntent".
	Stripe Personality = "stripe"

	// Adyen-like [payments, details, capture, void, cancel, refund]: always a
	// hold; a redirect ends only when details are sent on. Capture, cancel and
	// refund are answered "received" and decided by notification. Nothing can
	// be looked up. Keys live 31 days; errors are not saved. A payment is
	// fenced by our reference: a notification with success is the proof, one
	// without proves nothing.
	// Source: Adyen docs, "API idempotency", "Capture", "Cancel".
	Adyen Personality = "adyen"

	// Alipay-like [pay, close, refund]: the signed URL is made without a call,
	// and no trade exists until the payer opens it, up to the deadline inside.
	// Sale only. Close of a trade that does not exist says so and closes
	// nothing. A refund with a known number and the same amount is answered
	// again, with another amount refused.
	// Source: Alipay open platform, alipay.trade.page.pay, .query, .close,
	// .refund.
	Alipay Personality = "alipay"

	// PayPal-like [create, complete, capture, void, refund]: the payer approves
	// an order, our next step authorizes or captures it. Keys live 6 hours for
	// orders and 45 days for payments, and a replay shows the state as it is
	// now. Without our step no money moves, which is the fence. A capture may
	// be pending. A refund names its capture.
	// Source: PayPal REST docs, "Idempotency", Orders v2, Payments v2.
	PayPal Personality = "paypal"

	// WeChatPay-like [prepay, close, refund]: a QR code under our number; sale
	// only. A number that is paid or closed cannot be used again. Close is
	// followed by a query: a payer in the act of paying makes it undecided.
	// Refunds are decided later, under our refund number.
	// Source: WeChat Pay API v3, native prepay, query, close, refunds.
	WeChatPay Personality = "wechatpay"
)

// Personalities lists them all.
func Personalities() []Personality {
	return []Personality{Plain, Stripe, Adyen, Alipay, PayPal, WeChatPay}
}

const day = 24 * time.Hour

// persona is the part of a personality that is data. What is behaviour is in
// the functions that switch on its flags.
type persona struct {
	kind    Personality
	name    string // of an instance, by default
	prefix  string // of its objects
	methods []payment.Method
	method  payment.MethodCapabilities
	units   money.ProviderUnits

	transfer, respond, accept, save, forget payment.StepSpec

	// savesErrors: a 500 is saved with its key and repeated.
	savesErrors bool
	// latest: a replay shows the state now, not the first answer.
	latest bool
	// asyncModify: captures, voids and refunds are decided later;
	// asyncRefund: only refunds are.
	asyncModify, asyncRefund bool
	// payerFirst: nothing is collected without an act of the payer.
	payerFirst bool
	// lookup: there is a read API; byReference: it finds an attempt by our own
	// reference, not only by its id.
	lookup, byReference bool
	// sums: a capture has no object of its own.
	sums bool
	// stamps: a notification is signed with the time of its delivery.
	stamps bool
	// secretOut: an action hands the payer what it takes to pay without us.
	secretOut bool
	// numbers: our own number names the object, and cannot be used twice.
	numbers bool

	ack, ackType string
}

func spec(name string, moves bool, r payment.Recovery) payment.StepSpec {
	return payment.StepSpec{Name: name, MovesMoney: moves, Recovery: r}
}

// personaOf returns a fresh persona; the caller may change it.
func personaOf(k Personality) (persona, bool) {
	switch k {
	case Plain, "":
		return plainPersona(), true
	case Stripe:
		return stripePersona(), true
	case Adyen:
		return adyenPersona(), true
	case Alipay:
		return alipayPersona(), true
	case PayPal:
		return paypalPersona(), true
	case WeChatPay:
		return wechatPersona(), true
	}
	return persona{}, false
}

// cards is what a hold-and-sale card method can do; r is the recovery of its
// later steps.
func cards(flow []payment.StepSpec, r payment.Recovery) payment.MethodCapabilities {
	return payment.MethodCapabilities{
		Flow: flow, Sale: true, Hold: true,
		PartialCapture: true, MultiCapture: true, PartialRefund: true,
		Capture: spec("capture", true, r), Void: spec("void", true, r), Refund: spec("refund", true, r),
		Fence: payment.FenceConfirmed, FenceStep: spec("cancel", false, r),
		HoldFor: 7 * day,
		Save:    true, OffSession: true, ThreeDS: true, Splits: true,
	}
}

func plainPersona() persona {
	r := payment.Recovery{KeyLife: day, Lookup: true, LookupGrace: time.Minute, Webhook: true}
	byRef := r
	byRef.FenceByReference = true
	return persona{
		kind: Plain, name: "fake", prefix: "fk_", methods: []payment.Method{payment.MethodCard},
		method:   cards([]payment.StepSpec{spec("pay", true, byRef)}, r),
		transfer: spec("transfer", true, r), respond: spec("respond", false, r), accept: spec("accept", true, r),
		save: spec("save", false, r), forget: spec("forget", false, r),
		lookup: true, byReference: true, stamps: true, secretOut: true,
	}
}

func stripePersona() persona {
	// Idempotent results may be removed once they are 24 hours old.
	r := payment.Recovery{KeyLife: day, Lookup: true, LookupGrace: time.Minute, Webhook: true}
	return persona{
		kind: Stripe, name: "stripe", prefix: "pi_", methods: []payment.Method{payment.MethodCard},
		method:   cards([]payment.StepSpec{spec("create", false, r), spec("confirm", true, r)}, r),
		transfer: spec("transfer", true, r), respond: spec("respond", false, r), accept: spec("accept", true, r),
		save: spec("save", false, r), forget: spec("forget", false, r),
		// Three-decimal currencies must end in zero.
		units: money.ProviderUnits{Multiple: map[money.Currency]int64{
			money.KWD: 10, money.BHD: 10, money.JOD: 10, money.OMR: 10, money.TND: 10}},
		savesErrors: true, lookup: true, byReference: true, sums: true, stamps: true, secretOut: true,
	}
}

func adyenPersona() persona {
	// At least 31 days; no read API for payments.
	r := payment.Recovery{KeyLife: 31 * day, Webhook: true, Report: true}
	first := r
	first.FenceByReference = true
	m := cards([]payment.StepSpec{spec("payments", true, first), spec("details", true, first)}, r)
	m.Sale = false
	m.HoldFor = 28 * day // the default life of a card authorization there
	return persona{
		kind: Adyen, name: "adyen", prefix: "psp", methods: []payment.Method{payment.MethodCard},
		method: m, accept: spec("accept", true, r), respond: spec("respond", false, r),
		transfer: spec("transfer", true, r), forget: spec("forget", false, r),
		asyncModify: true, ack: "[accepted]",
	}
}

func alipayPersona() persona {
	pay := spec("pay", false, payment.Recovery{Lookup: true, LookupGrace: time.Minute, Webhook: true, Report: true})
	pay.Local = true
	return persona{
		kind: Alipay, name: "alipay", prefix: "ali", methods: []payment.Method{payment.MethodAlipay},
		method: payment.MethodCapabilities{
			Currencies: []money.Currency{money.CNY},
			Flow:       []payment.StepSpec{pay}, Sale: true, PartialRefund: true, RefundWindow: 365 * day,
			// The refund number stays good as long as refunds do.
			Refund: spec("refund", true, payment.Recovery{KeyLife: 365 * day, Lookup: true, LookupGrace: time.Minute, Report: true}),
			Fence:  payment.FenceDeadline, FenceStep: spec("close", false, payment.Recovery{Lookup: true, LookupGrace: time.Minute}),
			PayableFor: 30 * time.Minute, PayableGrace: 5 * time.Minute,
		},
		latest: true, payerFirst: true, lookup: true, byReference: true, secretOut: true, numbers: true, ack: "success",
	}
}

func paypalPersona() persona {
	orders := payment.Recovery{KeyLife: 6 * time.Hour, Lookup: true, LookupGrace: time.Minute, Webhook: true}
	payments := payment.Recovery{KeyLife: 45 * day, Lookup: true, LookupGrace: time.Minute, Webhook: true}
	return persona{
		kind: PayPal, name: "paypal", prefix: "pp", methods: []payment.Method{payment.MethodPayPal},
		method: payment.MethodCapabilities{
			Currencies: []money.Currency{money.AUD, money.CAD, money.CHF, money.EUR, money.GBP, money.HUF, money.JPY, money.USD, money.TWD},
			Flow:       []payment.StepSpec{spec("create", false, orders), spec("complete", true, orders)},
			Sale:       true, Hold: true, PartialCapture: true, MultiCapture: true, PartialRefund: true, RefundWindow: 180 * day,
			Capture: spec("capture", true, payments), Void: spec("void", true, payments), Refund: spec("refund", true, payments),
			RefundsCapture: true,
			Fence:          payment.FenceOurs,
			HoldFor:        29 * day,
		},
		accept: spec("accept", true, payment.Recovery{Lookup: true, LookupGrace: time.Minute, Webhook: true}),
		// These three take whole units only.
		units:  money.ProviderUnits{Exponents: money.Exponents{money.HUF: 0, money.JPY: 0, money.TWD: 0}},
		latest: true, payerFirst: true, lookup: true,
	}
}

func wechatPersona() persona {
	r := payment.Recovery{KeyLife: 2 * time.Hour, Lookup: true, LookupGrace: time.Minute, FenceByReference: true, Webhook: true, Report: true}
	return persona{
		kind: WeChatPay, name: "wechatpay", prefix: "wx", methods: []payment.Method{payment.MethodWeChatPayQR},
		method: payment.MethodCapabilities{
			Currencies: []money.Currency{money.CNY},
			Flow:       []payment.StepSpec{spec("prepay", false, r)}, Sale: true, PartialRefund: true, RefundWindow: 365 * day,
			Refund: spec("refund", true, payment.Recovery{KeyLife: 365 * day, Lookup: true, LookupGrace: time.Minute, Webhook: true, Report: true}),
			Fence:  payment.FenceConfirmed, FenceStep: spec("close", false, r),
		},
		latest: true, payerFirst: true, asyncRefund: true, lookup: true, byReference: true, stamps: true, secretOut: true, numbers: true,
		ack: `{"code":"SUCCESS"}`, ackType: "application/json",
	}
}

// life returns how long a step's key lives, by the step's name.
func (d *persona) lives() map[string]time.Duration {
	m := make(map[string]time.Duration)
	for _, s := range append(append([]payment.StepSpec(nil), d.method.Flow...), d.method.Capture, d.method.Void,
		d.method.Refund, d.method.FenceStep, d.transfer, d.respond, d.accept, d.save, d.forget) {
		if s.Name != "" {
			m[s.Name] = s.Recovery.KeyLife
		}
	}
	return m
}
