package simulation

import (
	"fmt"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

// scenario is an order whose acts are written down.
type scenario struct {
	name    string
	banks   []bankSpec
	amount  money.Amount
	method  payment.Instrument
	capture payment.CaptureMode
	acts    func(o *order)
}

// style is how post and callers behave in a run of a scenario.
type style struct {
	name    string
	instant bool // notifications arrive within the call that causes them
	retry   bool // callers ask again with their key until they hear
}

var styles = []style{
	{"prompt post, patient callers", true, true},
	{"late post, callers that never come back", false, false},
}

// play runs a scenario in a world of its own.
func (s *scenario) play(st style, wx weather, telling bool) *world {
	w := newWorld(1, wx, s.banks...)
	w.telling = telling
	w.retry = func(int) bool { return st.retry }
	if st.instant {
		w.post.instantly = func() bool { return true }
	}
	o := newOrder(w, s.amount, s.method, s.capture)
	s.acts(o)
	w.settle()
	return w
}

var (
	usd = money.Of(100_00, money.USD)
	cny = money.Of(88_88, money.CNY)
)

// cardScenarios are what a provider of cards is put through.
func cardScenarios(kind fake.Personality) []scenario {
	one := []bankSpec{{kind: kind, name: "first"}}
	auto, manual := payment.CaptureAutomatic, payment.CaptureManual
	ok, challenge, pending := payment.Card(fake.TokenApproved), payment.Card(fake.TokenChallenge), payment.Card(fake.TokenPending)
	list := []scenario{
		{"sale", one, usd, ok, auto, func(o *order) { o.pay(); o.later(30 * time.Second); o.later(2 * time.Minute) }},
		{"sale, sent apart", one, usd, ok, auto, func(o *order) { o.create(); o.proceed(payment.Instrument{}); o.later(time.Minute) }},
		{"sale, refunded in two", one, usd, ok, auto, func(o *order) {
			o.pay()
			o.later(30 * time.Second)
			o.refund(o.part(30))
			o.refund(0)
			o.later(2 * time.Minute)
		}},
		{"sale, refund bounces", one, usd, ok, auto, func(o *order) {
			o.pay()
			o.later(30 * time.Second)
			o.refund(o.part(30))
			o.later(time.Minute)
			o.refundBounces()
			o.refund(0)
		}},
		{"sale, canceled", one, usd, ok, auto, func(o *order) { o.pay(); o.later(30 * time.Second); o.cancel(); o.later(2 * time.Minute) }},
		{"sale, disputed and lost", one, usd, ok, auto, func(o *order) {
			o.pay()
			o.later(30 * time.Second)
			o.disputes(o.part(100))
			o.later(time.Minute)
			o.answerDispute(false)
			o.disputeEnds(false)
		}},
		{"sale, disputed and won", one, usd, ok, auto, func(o *order) { o.pay(); o.later(30 * time.Second); o.disputes(o.part(40)); o.disputeEnds(true) }},
		{"sale, capture fails later", one, usd, ok, auto, func(o *order) { o.pay(); o.later(30 * time.Second); o.captureFails(); o.later(time.Minute) }},
		{"sale, refunded in the dashboard", one, usd, ok, auto, func(o *order) {
			o.pay()
			o.later(30 * time.Second)
			o.dashboardRefund(o.part(40))
			o.refund(0)
			o.later(time.Minute)
			o.sync()
		}},
		{"pending", one, usd, pending, auto, func(o *order) { o.pay(); o.later(time.Minute) }},
		{"challenge, passed", one, usd, challenge, auto, func(o *order) { o.pay(); o.payerPays(); o.resume(); o.later(time.Minute) }},
		{"challenge, failed", one, usd, challenge, auto, func(o *order) {
			o.pay()
			o.payerFails()
			o.resume()
			o.proceed(ok)
			o.later(time.Minute)
		}},
		{"challenge, another card, old link paid", one, usd, challenge, auto, func(o *order) {
			o.pay()
			o.proceed(ok)
			o.payerPaysOld()
			o.later(time.Minute)
		}},
		{"challenge, abandoned", one, usd, challenge, auto, func(o *order) {
			o.pay()
			o.payerAbandons()
			o.later(25 * time.Hour)
			o.later(time.Minute)
		}},
		{"challenge, canceled, then paid", one, usd, challenge, auto, func(o *order) { o.pay(); o.cancel(); o.payerPays(); o.resume(); o.later(time.Minute) }},
		{"challenge, paid, then canceled", one, usd, challenge, auto, func(o *order) { o.pay(); o.payerPays(); o.cancel(); o.later(time.Minute) }},
		{"hold, captured in two, refunded", one, usd, ok, manual, func(o *order) {
			o.pay()
			o.captureOf(o.part(30), false)
			o.captureOf(0, true)
			o.later(30 * time.Second)
			o.refund(o.part(50))
			o.refund(0)
			o.later(2 * time.Minute)
		}},
		{"hold, captured in part for good", one, usd, ok, manual, func(o *order) { o.pay(); o.captureOf(o.part(30), true); o.later(2 * time.Minute) }},
		{"hold, voided", one, usd, ok, manual, func(o *order) { o.pay(); o.void(); o.later(2 * time.Minute) }},
		{"hold, captured in part, rest voided", one, usd, ok, manual, func(o *order) {
			o.pay()
			o.captureOf(o.part(30), false)
			o.later(30 * time.Second)
			o.void()
			o.later(2 * time.Minute)
		}},
		{"hold, captured in part, canceled", one, usd, ok, manual, func(o *order) {
			o.pay()
			o.captureOf(o.part(30), false)
			o.later(30 * time.Second)
			o.cancel()
			o.later(2 * time.Minute)
		}},
		{"hold, expires at the bank", one, usd, ok, manual, func(o *order) { o.pay(); o.authorizationExpires(); o.captureOf(0, true); o.later(time.Minute) }},
		{"hold, left alone", one, usd, ok, manual, func(o *order) { o.pay() }},
		{"hold, captured in the dashboard", one, usd, ok, manual, func(o *order) {
			o.pay()
			o.dashboardCapture(o.part(30))
			o.captureOf(0, true)
			o.later(time.Minute)
			o.sync()
		}},
		{"hold, voided in the dashboard", one, usd, ok, manual, func(o *order) { o.pay(); o.dashboardVoid(); o.captureOf(0, true); o.later(time.Minute); o.sync() }},
		{"declined, then another card", one, usd, payment.Card(fake.TokenDecline(payment.ReasonInsufficientFunds)), auto, func(o *order) { o.pay(); o.proceed(ok); o.later(time.Minute) }},
		{"declined, then a second tab", one, usd, payment.Card(fake.TokenDecline(payment.ReasonStolenCard)), auto, func(o *order) {
			o.pay()
			o.request.Method = ok
			o.secondTab(false)
			o.later(time.Minute)
		}},
	}
	for i := range list {
		list[i].name = string(kind) + ": " + list[i].name
	}
	return list
}

// walletScenarios are what a provider whose payer acts first is put through.
func walletScenarios(kind fake.Personality, method payment.Method, amount money.Amount) []scenario {
	one := []bankSpec{{kind: kind, name: "first"}}
	m := payment.Instrument{Method: method}
	auto := payment.CaptureAutomatic
	list := []scenario{
		{"paid", one, amount, m, auto, func(o *order) { o.pay(); o.payerPays(); o.resume(); o.later(time.Minute) }},
		{"paid, payer does not come back", one, amount, m, auto, func(o *order) { o.pay(); o.payerStarts(); o.payerPays(); o.later(time.Minute); o.later(time.Hour) }},
		{"paid, refunded in two", one, amount, m, auto, func(o *order) {
			o.pay()
			o.payerPays()
			o.resume()
			o.refund(o.part(30))
			o.refund(0)
			o.later(2 * time.Minute)
		}},
		{"paid, canceled", one, amount, m, auto, func(o *order) { o.pay(); o.payerPays(); o.resume(); o.cancel(); o.later(2 * time.Minute) }},
		{"canceled, then paid", one, amount, m, auto, func(o *order) { o.pay(); o.payerStarts(); o.cancel(); o.payerPays(); o.later(time.Minute) }},
		{"given up by the payer", one, amount, m, auto, func(o *order) { o.pay(); o.payerStarts(); o.payerCancels(); o.resume(); o.later(40 * time.Minute) }},
		{"abandoned", one, amount, m, auto, func(o *order) { o.pay(); o.later(25 * time.Hour); o.payerPays(); o.later(time.Minute) }},
		{"asked again, both paid", one, amount, m, auto, func(o *order) {
			o.pay()
			o.proceed(m)
			o.payerPaysOld()
			o.payerPays()
			o.resume()
			o.later(time.Minute)
		}},
		{"paid, refunded in the dashboard", one, amount, m, auto, func(o *order) {
			o.pay()
			o.payerPays()
			o.resume()
			o.dashboardRefund(o.part(40))
			o.later(time.Minute)
			o.sync()
		}},
	}
	for i := range list {
		list[i].name = string(kind) + ": " + list[i].name
	}
	return list
}

// shopScenarios run at shops with several providers.
func shopScenarios() []scenario {
	auto, manual := payment.CaptureAutomatic, payment.CaptureManual
	ok := payment.Card(fake.TokenApproved)
	var list []scenario
	cards := []fake.Personality{fake.Plain, fake.Stripe, fake.Adyen}
	for _, a := range cards {
		for _, b := range cards {
			two := []bankSpec{{kind: a, name: "first"}, {kind: b, name: "second"}}
			name := fmt.Sprintf("%s and %s: ", a, b)
			list = append(list,
				scenario{name + "failover", two, usd, ok, auto, func(o *order) {
					o.w.banks[0].Script("authorize", scripted(a)...)
					o.pay()
					o.later(time.Minute)
				}},
				scenario{name + "failover of a hold", two, usd, ok, manual, func(o *order) {
					o.w.banks[0].Script("authorize", scripted(a)...)
					o.pay()
					o.later(time.Minute)
					o.captureOf(0, true)
				}})
		}
	}
	wallets := []struct {
		kind   fake.Personality
		method payment.Method
		amount money.Amount
	}{{fake.Alipay, payment.MethodAlipay, cny}, {fake.WeChatPay, payment.MethodWeChatPayQR, cny}, {fake.PayPal, payment.MethodPayPal, usd}}
	for _, x := range wallets {
		for _, b := range cards {
			two := []bankSpec{{kind: x.kind, name: "first"}, {kind: b, name: "second"}}
			name := fmt.Sprintf("%s and %s: ", x.kind, b)
			m := payment.Instrument{Method: x.method}
			list = append(list,
				scenario{name + "left for a card", two, x.amount, m, auto, func(o *order) { o.pay(); o.proceed(ok); o.later(time.Minute) }},
				scenario{name + "left for a card, both paid", two, x.amount, m, auto, func(o *order) {
					o.pay()
					o.payerStarts()
					o.proceed(ok)
					o.payerPaysOld()
					o.later(time.Minute)
				}},
				scenario{name + "a challenge left for a wallet", two, x.amount, payment.Card(fake.TokenChallenge), auto, func(o *order) {
					o.pay()
					o.proceed(m)
					o.payerPays()
					o.payerPaysOld()
					o.resume()
					o.later(time.Minute)
				}})
		}
	}
	return list
}

// scripted makes the first provider refuse in a way that lets another help: at
// the step on which it charges.
func scripted(kind fake.Personality) []fake.Fault {
	refuse := fake.Decline(payment.ReasonIssuerUnavailable)
	if kind == fake.Stripe {
		return []fake.Fault{fake.OK(), refuse}
	}
	return []fake.Fault{refuse}
}

// scenarios lists all.
func scenarios() []scenario {
	var all []scenario
	for _, k := range []fake.Personality{fake.Plain, fake.Stripe, fake.Adyen} {
		all = append(all, cardScenarios(k)...)
	}
	all = append(all, walletScenarios(fake.Alipay, payment.MethodAlipay, cny)...)
	all = append(all, walletScenarios(fake.WeChatPay, payment.MethodWeChatPayQR, cny)...)
	all = append(all, walletScenarios(fake.PayPal, payment.MethodPayPal, usd)...)
	return append(all, shopScenarios()...)
}
