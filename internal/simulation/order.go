package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

// order is what the shop's own program knows: its order, its keys, and the
// payment once an answer named it. Its methods are the acts of the shop, of its
// payer and staff, and of the banks.
type order struct {
	w       *world
	request payment.Request
	id      string // "" until an answer named it
	calls   int    // numbers the keys
	byKey   map[string]string
	made    map[string]int // how many calls with a key made operations
	again   func()         // the last call, with its key, once more
	dispute string         // the bank's open dispute
}

func newOrder(w *world, amount money.Amount, method payment.Instrument, capture payment.CaptureMode) *order {
	o := &order{w: w, byKey: map[string]string{}, made: map[string]int{}, request: payment.Request{
		Key: "pay-1", Reference: "order-1", Amount: amount, Method: method, Capture: capture, ReturnURL: "https://shop.example/return",
		Payer:       payment.Payer{Name: plantedName, Email: plantedEmail},
		Description: "for " + plantedName, Metadata: map[string]string{"note": plantedMark}, Splits: splitsOf(amount),
	}}
	w.order = o
	return o
}

func (o *order) key(verb string) string {
	o.calls++
	return fmt.Sprintf("%s-%d", verb, o.calls)
}

// retryable: the caller is told, or must assume, that the call may be made
// again with its key.
func retryable(err error) bool {
	for _, e := range []error{payment.ErrRecord, payment.ErrBusy, payment.ErrConflict, payment.ErrCommitUnknown, errStore} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// call makes one call of the shop's program and, where its answer is lost, the
// same again, as long as the caller has the patience.
func (o *order) call(key, what string, f func(c *payment.Client) (*payment.Payment, error)) *payment.Payment {
	w := o.w
	o.again = func() { o.try(key, what+" again", f) }
	for try := 0; ; try++ {
		p, err, lived := o.try(key, what, f)
		if lived && err == nil {
			return p
		}
		if (lived && !retryable(err)) || try >= 3 || w.depth > 0 || !w.retry(try) {
			return nil
		}
		w.clock.pass(2 * time.Second)
	}
}

func (o *order) try(key, what string, f func(c *payment.Client) (*payment.Payment, error)) (*payment.Payment, error, bool) {
	w := o.w
	var p *payment.Payment
	var err error
	by := w.process(web)
	if w.cur != nil {
		by = w.other()
	}
	before, planned, asides := by.sent, o.planned(), w.asides
	w.say("%s: %s", by.name, what)
	lived := w.in(by, func(c *payment.Client) { p, err = f(c) })
	w.say("%s: %s => %s", by.name, what, tellCall(p, err, lived))
	// A verb makes operations of the shop's in one commit at most, whatever
	// became of its answer, and however often it is called with its key.
	if key != "" && w.depth == 0 {
		if made := o.planned() - planned; made > 0 && w.asides == asides {
			if o.made[key]++; o.made[key] > 1 {
				w.breach(RuleTwice, "%s planned operations when it was called with its key again", what)
			}
		}
	}
	if !lived {
		return nil, nil, false
	}
	var re *payment.RecordError
	switch {
	case errors.As(err, &re):
		if o.id == "" {
			o.id = re.PaymentID
		}
	case err != nil:
		if by.sent > before {
			w.breach(RuleAnswer, "%s sent %d requests and answered with the error %v", what, by.sent-before, err)
		}
	case p == nil:
		w.breach(RuleAnswer, "%s answered neither a payment nor an error", what)
	default:
		if was, known := o.byKey[key]; key != "" && known && was != p.ID {
			w.breach(RuleKey, "key %s made payment %s and then %s", key, was, p.ID)
		}
		o.byKey[key] = p.ID
		if o.id == "" {
			o.id = p.ID
		}
		w.judge(what, p)
	}
	return p, err, true
}

// planned counts the captures, voids, refunds, transfers and answers that the
// shop asked for.
func (o *order) planned() int {
	n := 0
	for _, r := range o.w.records {
		for _, x := range r.p.Operations {
			if x.Kind != payment.OpAuthorize && x.Origin == payment.OriginShop {
				n++
			}
		}
	}
	return n
}

// judge looks at an answer to the shop: money that our own act moved is never
// reported as refused.
func (w *world) judge(what string, p *payment.Payment) {
	if p.Next().Kind != payment.Refused || w.depth > 0 {
		return
	}
	for _, a := range w.truth() {
		if a.payment != p.ID || a.by != fake.ByShop || a.ended || a.kept()+a.held() <= 0 {
			continue
		}
		// What the records know, and are giving back, is no failure reported.
		if o := p.Operation(a.op); o == nil || o.State.Dead() {
			w.breach(RuleUnknown, "%s answers %s, and %s has %d kept and %d held", what, p.Status, a.bank.Name(), a.kept(), a.held())
		}
	}
}

// pay creates and sends the payment in one call.
func (o *order) pay() {
	r := o.request
	o.call(r.Key, "pay "+r.Amount.String()+" by "+string(r.Method.Method), func(c *payment.Client) (*payment.Payment, error) {
		return c.Pay(context.Background(), r)
	})
}

// create writes the payment only.
func (o *order) create() {
	r := o.request
	o.call(r.Key, "create "+r.Amount.String(), func(c *payment.Client) (*payment.Payment, error) { return c.Create(context.Background(), r) })
}

// proceed sends the payment, with another method if one is named.
func (o *order) proceed(m payment.Instrument) {
	id := o.target()
	if id == "" {
		return
	}
	k := o.key("proceed")
	o.call(k, "proceed "+string(m.Method), func(c *payment.Client) (*payment.Payment, error) {
		return c.Proceed(context.Background(), id, payment.Choice{Key: k, Method: m})
	})
}

// secondTab pays the same order with another key.
func (o *order) secondTab(additional bool) {
	r := o.request
	r.Key, r.Additional = o.key("tab"), additional
	if additional {
		r.Reference += "-more"
	}
	p := o.call(r.Key, "pay in a second tab", func(c *payment.Client) (*payment.Payment, error) { return c.Pay(context.Background(), r) })
	if p != nil && !additional {
		o.id = p.ID // the shop goes on with it
	}
}

// resume brings the payer back from the redirect.
func (o *order) resume() {
	p := o.record()
	if p == nil {
		return
	}
	values := map[string][]string{}
	if a := newest(p); a != nil {
		if b := o.w.bankOf(a.Provider); b != nil && b.shown[a.ID] {
			values = b.Return(a.ID)
		}
	}
	o.call("", "resume", func(c *payment.Client) (*payment.Payment, error) { return c.Resume(context.Background(), p.ID, values) })
}

func (o *order) sync() {
	if id := o.target(); id != "" {
		o.call("", "sync", func(c *payment.Client) (*payment.Payment, error) { return c.Sync(context.Background(), id) })
	}
}

func (o *order) captureOf(minor int64, final bool) {
	id := o.target()
	if id == "" {
		return
	}
	k, a := o.key("capture"), o.amount(minor)
	o.call(k, "capture "+a.String(), func(c *payment.Client) (*payment.Payment, error) {
		return c.Capture(context.Background(), id, payment.CaptureParams{Key: k, Amount: a, Final: final})
	})
}

func (o *order) void() {
	id := o.target()
	if id == "" {
		return
	}
	k := o.key("void")
	o.call(k, "void", func(c *payment.Client) (*payment.Payment, error) {
		return c.Void(context.Background(), id, payment.VoidParams{Key: k})
	})
}

func (o *order) cancel() {
	id := o.target()
	if id == "" {
		return
	}
	k := o.key("cancel")
	o.call(k, "cancel", func(c *payment.Client) (*payment.Payment, error) {
		return c.Cancel(context.Background(), id, payment.CancelParams{Key: k, Reason: "out of stock"})
	})
}

// refund gives back; 0 gives all that is left.
func (o *order) refund(minor int64) {
	id := o.target()
	if id == "" {
		return
	}
	k, a := o.key("refund"), o.amount(minor)
	o.call(k, "refund "+a.String(), func(c *payment.Client) (*payment.Payment, error) {
		return c.Refund(context.Background(), id, payment.RefundParams{Key: k, Amount: a})
	})
}

func (o *order) transfer(minor int64) {
	id := o.target()
	if id == "" {
		return
	}
	k, a := o.key("transfer"), o.amount(minor)
	o.call(k, "transfer "+a.String(), func(c *payment.Client) (*payment.Payment, error) {
		return c.Transfer(context.Background(), id, payment.TransferParams{Key: k, Amount: a, Destination: "acct_1"})
	})
}

// amount is so many minor units of the order's currency; the zero Amount for 0.
func (o *order) amount(minor int64) money.Amount {
	if minor == 0 {
		return money.Amount{}
	}
	return money.Of(minor, o.request.Amount.Currency())
}

// part is so many percent of the order, rounded down to units that every
// provider takes.
func (o *order) part(percent int64) int64 {
	n := o.request.Amount.Minor() * percent / 100
	unit := unitOf(o.request.Amount.Currency())
	return max(n-n%unit, unit)
}

// unitOf is the smallest step of amounts that every provider takes.
func unitOf(c money.Currency) int64 {
	if c == money.KWD {
		return 10
	}
	return 1
}

// target is the payment that acts are about: the one an answer named, else the
// one that the shop finds by its reference; "" for none.
func (o *order) target() string {
	if o.id == "" {
		for _, id := range o.w.ids() {
			return id
		}
	}
	return o.id
}

// record is the payment as the store has it, or nil.
func (o *order) record() *payment.Payment {
	if r := o.w.records[o.target()]; r != nil {
		return r.p
	}
	return nil
}

// newest is the newest attempt, or nil.
func newest(p *payment.Payment) *payment.Operation {
	for _, o := range slices.Backward(p.Operations) {
		if o.Kind == payment.OpAuthorize {
			return o
		}
	}
	return nil
}

// oldest is the first attempt, or nil.
func oldest(p *payment.Payment) *payment.Operation {
	for _, o := range p.Operations {
		if o.Kind == payment.OpAuthorize {
			return o
		}
	}
	return nil
}

// payer lets the payer act on an attempt that was shown to them.
func (o *order) payer(what string, of func(*payment.Payment) *payment.Operation, act func(b *bank, op string) error) {
	p := o.record()
	if p == nil {
		return
	}
	a := of(p)
	if a == nil {
		return
	}
	b := o.w.bankOf(a.Provider)
	if b == nil || !b.shown[a.ID] {
		return
	}
	o.w.say("the payer %s %s at %s", what, tail(a.ID), b.Name())
	if err := act(b, a.ID); err != nil {
		o.w.say("  but %s", strings.TrimPrefix(err.Error(), "fake: "))
	}
}

func (o *order) payerPays() {
	o.payer("pays", newest, func(b *bank, op string) error { return b.PayerPays(op) })
}

// payerPaysOld is the payer with an old link.
func (o *order) payerPaysOld() {
	o.payer("pays the old link of", oldest, func(b *bank, op string) error { return b.PayerPays(op) })
}

func (o *order) payerStarts() {
	o.payer("starts to pay", newest, func(b *bank, op string) error { return b.PayerStarts(op) })
}

func (o *order) payerCancels() {
	o.payer("cancels", newest, func(b *bank, op string) error { return b.PayerCancels(op) })
}

func (o *order) payerFails() {
	o.payer("fails the challenge of", newest, func(b *bank, op string) error { return b.PayerFailsChallenge(op) })
}

func (o *order) payerAbandons() {
	o.payer("abandons", newest, func(b *bank, op string) error { return b.PayerAbandons(op) })
}

// bankActs lets somebody act at the bank on the attempt that has the money.
func (o *order) bankActs(who, what string, act func(b *bank, op string) error) {
	p := o.record()
	if p == nil {
		return
	}
	for _, a := range slices.Backward(p.Operations) {
		if a.Kind != payment.OpAuthorize {
			continue
		}
		b := o.w.bankOf(a.Provider)
		if b == nil || len(b.Truth(a.ID).Movements) == 0 {
			continue
		}
		o.w.say("%s %s %s at %s", who, what, tail(a.ID), b.Name())
		if err := act(b, a.ID); err != nil {
			o.w.say("  but %s", strings.TrimPrefix(err.Error(), "fake: "))
		}
		return
	}
}

func (o *order) dashboardCapture(minor int64) {
	o.bankActs("staff", "captures "+o.amount(minor).String()+" in the dashboard of", func(b *bank, op string) error { return b.DashboardCapture(op, o.amount(minor)) })
}

func (o *order) dashboardVoid() {
	o.bankActs("staff", "voids in the dashboard", func(b *bank, op string) error { return b.DashboardVoid(op) })
}

func (o *order) dashboardRefund(minor int64) {
	o.bankActs("staff", "refunds "+o.amount(minor).String()+" in the dashboard of", func(b *bank, op string) error { return b.DashboardRefund(op, o.amount(minor)) })
}

func (o *order) captureFails() {
	o.bankActs("the bank", "undoes the capture of", func(b *bank, op string) error { return b.CaptureFails(op) })
}

func (o *order) refundBounces() {
	o.bankActs("the bank", "returns the refund of", func(b *bank, op string) error { return b.RefundBounces(op) })
}

func (o *order) authorizationExpires() {
	o.bankActs("the bank", "ends the authorization", func(b *bank, op string) error { return b.AuthorizationExpires(op) })
}

func (o *order) disputes(minor int64) {
	o.bankActs("the payer", "disputes "+o.amount(minor).String()+" of", func(b *bank, op string) error {
		ref, err := b.OpenDispute(op, o.amount(minor), "fraudulent")
		if err == nil {
			o.dispute = ref
		}
		return err
	})
}

// disputeEnds lets the bank decide the open dispute.
func (o *order) disputeEnds(won bool) {
	for _, b := range o.w.banks {
		if o.dispute == "" {
			return
		}
		act := b.LoseDispute
		if won {
			act = b.WinDispute
		}
		if act(o.dispute) == nil {
			o.w.say("the bank decides dispute %s: won %v", o.dispute, won)
			o.dispute = ""
		}
	}
}

// answerDispute sends evidence, or gives up.
func (o *order) answerDispute(accept bool) {
	list, err := o.w.disk.Disputes(quiet, payment.DisputeQuery{})
	if err != nil || len(list) == 0 {
		return
	}
	id, k := list[0].ID, o.key("dispute")
	o.call(k, fmt.Sprintf("answer the dispute, accept %v", accept), func(c *payment.Client) (*payment.Payment, error) {
		if accept {
			return c.Accept(context.Background(), id, k)
		}
		return c.Respond(context.Background(), id, payment.RespondParams{Key: k, Evidence: payment.Evidence{Text: "shipped to " + plantedName}, Submit: true})
	})
}

// work lets the worker of one process run until it has nothing to do.
func (w *world) work(by *process) {
	for range 20 {
		n, was := 0, w.commits
		lived := w.in(by, func(c *payment.Client) { n, _ = c.RunOnce(context.Background()) })
		if !lived || n == 0 || w.commits == was || w.spins {
			return
		}
	}
}

// later lets time pass and the worker run.
func (o *order) later(d time.Duration) {
	w := o.w
	w.clock.pass(d)
	w.say("the worker runs")
	w.work(w.process(worker))
}

// asideNames are what somebody else may do in the middle of a call; see
// world.aside.
var asideNames = [...]string{"nothing", "the worker of the other process runs", "a notification arrives", "the caller submits again", "the shop cancels",
	"the shop refunds half", "the shop captures", "the shop voids", "the payer pays", "the payer comes back", "a page syncs", "a second tab pays"}

// aside lets somebody else act, in the other process, while a call is going on.
func (w *world) aside(n int) {
	o := w.order
	if o == nil {
		return
	}
	keep := o.again
	defer func() { o.again = keep }()
	switch n {
	case 1:
		w.work(w.other())
	case 2:
		w.post.deliver()
	case 3:
		if keep != nil {
			keep()
		}
	case 4:
		o.cancel()
	case 5:
		o.refund(o.part(50))
	case 6:
		o.captureOf(0, true)
	case 7:
		o.void()
	case 8:
		o.payerPays()
	case 9:
		o.resume()
	case 10:
		o.sync()
	case 11:
		o.secondTab(false)
	}
}
