package simulation

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

// shops are the sets of providers that random orders run at.
var shops = [][]fake.Personality{
	{fake.Plain}, {fake.Stripe}, {fake.Adyen}, {fake.Alipay}, {fake.PayPal}, {fake.WeChatPay},
	{fake.Stripe, fake.Adyen}, {fake.Adyen, fake.Stripe}, {fake.Plain, fake.Stripe}, {fake.Stripe, fake.Stripe}, {fake.Plain, fake.Adyen, fake.Stripe},
	{fake.Stripe, fake.PayPal}, {fake.Adyen, fake.PayPal}, {fake.Stripe, fake.Alipay}, {fake.Plain, fake.WeChatPay}, {fake.Adyen, fake.Alipay, fake.WeChatPay},
	{fake.PayPal, fake.PayPal}, {fake.Alipay, fake.WeChatPay},
}

// methods is how a payer pays at a provider.
var methods = map[fake.Personality]payment.Method{
	fake.Plain: payment.MethodCard, fake.Stripe: payment.MethodCard, fake.Adyen: payment.MethodCard,
	fake.Alipay: payment.MethodAlipay, fake.WeChatPay: payment.MethodWeChatPayQR, fake.PayPal: payment.MethodPayPal,
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// chance reports true with probability p.
func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// play runs the order of one seed.
func play(seed uint64, telling bool) *world {
	r := rand.New(rand.NewPCG(seed, 0x7061796d656e74)) //nolint:gosec // a simulation must repeat itself
	kinds := pick(r, shops...)
	var specs []bankSpec
	for i, k := range kinds {
		specs = append(specs, bankSpec{kind: k, name: fmt.Sprintf("bank%d", i+1), options: fake.Options{
			AsyncDelay: pick(r, 0, 0, 5*time.Second, 2*time.Minute), LookupLag: pick(r, 0, 0, 20*time.Second)}})
	}
	wx := &storm{rng: r}
	if !chance(r, 0.25) {
		wx.budget = 1 + r.IntN(5)
		wx.fault, wx.crash, wx.store, wx.aside = pick(r, 0.02, 0.1, 0.3), pick(r, 0, 0.01, 0.05), pick(r, 0, 0.01, 0.03), pick(r, 0, 0.02, 0.1)
		wx.burst, wx.outage = pick(r, 0, 0.5, 0.9), chance(r, 0.3)
	}
	w := newWorld(seed, wx, specs...)
	w.rng, w.telling = r, telling
	patience := pick(r, 0, 0.5, 0.9)
	w.retry = func(int) bool { return chance(r, patience) }
	prompt := pick(r, 0, 0, 0.3, 1)
	w.post.instantly = func() bool { return !w.asleep && chance(r, prompt) }
	if chance(r, 0.1) {
		w.tune = func(c *payment.Config) { c.KeepOverpaid = true }
	}
	o := newOrder(w, drawAmount(r, kinds), drawMethod(r, kinds), payment.CaptureAutomatic)
	if slices.Contains([]payment.Method{payment.MethodCard, payment.MethodPayPal}, o.request.Method.Method) && chance(r, 0.35) {
		o.request.Capture = payment.CaptureManual
	}
	if chance(r, 0.3) {
		o.create()
		o.between()
		o.proceed(payment.Instrument{})
	} else {
		o.pay()
	}
	for range 1 + r.IntN(9) {
		o.between()
		o.act(kinds)
		w.checkNow()
	}
	w.settle()
	return w
}

func drawAmount(r *rand.Rand, kinds []fake.Personality) money.Amount {
	currencies := []money.Currency{money.USD, money.EUR, money.JPY, money.KWD}
	if slices.Contains(kinds, fake.PayPal) {
		currencies = currencies[:3]
	}
	if slices.Contains(kinds, fake.Alipay) || slices.Contains(kinds, fake.WeChatPay) {
		currencies = []money.Currency{money.CNY}
	}
	c := pick(r, currencies...)
	n := 1 + r.Int64N(pick[int64](r, 10, 1000, 500_000))
	return money.Of(n*unitOf(c), c)
}

func drawMethod(r *rand.Rand, kinds []fake.Personality) payment.Instrument {
	m := methods[pick(r, kinds...)]
	if m != payment.MethodCard {
		return payment.Instrument{Method: m}
	}
	return payment.Card(pick(r, fake.TokenApproved, fake.TokenApproved, fake.TokenApproved, fake.TokenChallenge, fake.TokenPending,
		fake.TokenDecline(payment.ReasonIssuerUnavailable), fake.TokenDecline(payment.ReasonInsufficientFunds), fake.TokenDecline(payment.ReasonDoNotHonor)))
}

// between lets time pass, the worker run and notifications arrive: early, late,
// twice, out of order, or not yet.
func (o *order) between() {
	w, r := o.w, o.w.rng
	switch r.IntN(7) {
	case 0:
		w.post.deliver()
	case 1:
		w.post.deliverOne(r.IntN(8), chance(r, 0.3))
	case 2:
		o.later(pick(r, time.Second, 20*time.Second, 45*time.Second, 65*time.Second, 10*time.Minute))
	case 3:
		o.later(pick(r, 3*time.Hour, 30*time.Hour, 8*24*time.Hour))
	case 4:
		w.clock.pass(pick(r, time.Second, 30*time.Second, time.Minute, time.Hour))
	case 5: // the worker is never far behind
		for range r.IntN(12) {
			o.later(10 * time.Second)
			w.checkNow()
		}
	}
}

// act does one thing that somebody may do with an order.
func (o *order) act(kinds []fake.Personality) {
	r := o.w.rng
	p := o.record()
	if p == nil { // nobody heard of it: the shop tries anew, or gives up
		o.again()
		return
	}
	part := o.part(pick[int64](r, 1, 30, 50, 99, 100))
	waits := p.Status == payment.StatusRequiresAction || p.Status == payment.StatusCreated || p.Status == payment.StatusDeclined
	if waits && chance(r, 0.6) {
		pick(r, o.payerPays, o.payerPays, func() { o.payerPays(); o.resume() }, o.payerStarts, o.payerCancels, o.payerFails, o.payerAbandons,
			o.resume, func() { o.proceed(drawMethod(r, kinds)) }, func() { o.proceed(payment.Instrument{}) }, o.payerPaysOld)()
		return
	}
	pick(r,
		func() { o.again() },
		o.resume, o.sync, o.sync,
		func() { o.captureOf(part, chance(r, 0.3)) }, func() { o.captureOf(0, true) }, func() { o.captureOf(part, false) },
		o.void, o.cancel,
		func() { o.refund(part) }, func() { o.refund(part) }, func() { o.refund(0) },
		func() { o.secondTab(chance(r, 0.3)) },
		func() { o.proceed(drawMethod(r, kinds)) },
		o.payerPaysOld, o.payerPays,
		func() { o.dashboardCapture(part) }, o.dashboardVoid, func() { o.dashboardRefund(part) },
		o.captureFails, o.refundBounces, o.authorizationExpires,
		func() { o.disputes(part) }, func() { o.answerDispute(chance(r, 0.3)) }, func() { o.disputeEnds(chance(r, 0.5)) },
		func() { o.transfer(part) },
	)()
}

// RunOptions of [Run].
type RunOptions struct {
	// KeepParked tells a story of each reason for which a person was asked.
	KeepParked bool
	// Stop ends the run at the first violation of one of these rules.
	Stop []Rule
}

// Run plays n orders, the seeds of which count up from the given one, on all
// processors. Unless it stops early, the report does not depend on their number.
func Run(seed uint64, n int, o RunOptions) *Report {
	workers := runtime.GOMAXPROCS(0)
	reports := make([]Report, workers)
	tell := func(seed uint64) string { return play(seed, true).story.String() }
	var next atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for {
				k := next.Add(1) - 1
				if k >= int64(n) || stop.Load() {
					return
				}
				s := seed + uint64(k) //nolint:gosec // k is not negative
				w := play(s, false)
				reports[i].KeepParked = o.KeepParked
				reports[i].take(w, fmt.Sprintf("seed %d", s), s, nil)
				if slices.ContainsFunc(w.broken, func(v Violation) bool { return slices.Contains(o.Stop, v.Rule) }) {
					stop.Store(true)
				}
			}
		})
	}
	wg.Wait()
	all := &Report{}
	for i := range reports {
		all.merge(&reports[i])
	}
	for i := range all.Broken { // told last: the same story, whoever found it
		all.Broken[i].Story = tell(all.Broken[i].Seed)
	}
	for i := range all.Parks {
		all.Parks[i].Story = tell(all.Parks[i].Seed)
	}
	return all
}
