package fake

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// Provider is a payment provider in memory. Make it with [New].
//
// It has the methods of every optional interface; what its personality cannot
// do is refused as not sent, with [payment.ErrUnsupported] behind the error.
// [Provider.Narrow] gives a value that has only the interfaces it can serve.
type Provider struct {
	o       Options
	d       persona
	caps    payment.Capabilities
	life    map[string]time.Duration
	secrets []string
	seed    uint64
	hash    maphash.Seed

	mu       sync.Mutex
	ids      uint64
	reads    map[string]int     // look-ups per operation, for the draw
	order    []*object          // of which the provider's reference is the number
	byOp     map[string]*object // by our operation, the newest
	indexed  int                // how many of order are in byOp
	parts    map[string]*part   // by the provider's reference
	partOf   map[string]*part   // by our operation
	disputes map[string]*dispute
	loose    []Movement // of no attempt
	keys     map[string]*saved
	slab     []object // allocated together: a benchmark measures its caller, not the collector
	keySlab  []saved
	scripts  map[string][]Fault
	odds     []Odd
	jobs     jobs
	notes    []note
	noteSeq  uint64
	forgot   map[string]bool
	requests []Request
}

// Everything a provider can be.
var (
	_ payment.Provider        = (*Provider)(nil)
	_ payment.Capturer        = (*Provider)(nil)
	_ payment.Voider          = (*Provider)(nil)
	_ payment.Refunder        = (*Provider)(nil)
	_ payment.Resumer         = (*Provider)(nil)
	_ payment.Lookuper        = (*Provider)(nil)
	_ payment.Fencer          = (*Provider)(nil)
	_ payment.Vault           = (*Provider)(nil)
	_ payment.Disputer        = (*Provider)(nil)
	_ payment.Splitter        = (*Provider)(nil)
	_ payment.StatementSource = (*Provider)(nil)
	_ payment.WebhookParser   = (*Provider)(nil)
)

// New makes a provider. It panics on a personality that does not exist: that
// is a mistake in a test, seen at once.
func New(o Options) *Provider {
	d, ok := personaOf(o.Personality)
	if !ok {
		panic(fmt.Sprintf("fake: no personality %q: use one of fake.Personalities()", o.Personality))
	}
	p := &Provider{
		o: o, d: d, seed: o.Seed, hash: maphash.MakeSeed(),
		byOp:  make(map[string]*object),
		parts: make(map[string]*part), partOf: make(map[string]*part),
		disputes: make(map[string]*dispute), keys: make(map[string]*saved),
		forgot: make(map[string]bool), reads: make(map[string]int), odds: append([]Odd(nil), o.Odds...),
	}
	if p.o.Name == "" {
		p.o.Name = d.name
	}
	if p.o.Now == nil {
		p.o.Now = time.Now
	}
	p.secrets = []string{defaultSecret}
	if o.WebhookSecrets != nil {
		p.secrets = append([]string(nil), o.WebhookSecrets...)
	}
	p.caps, p.life = p.capabilities(), d.lives()
	return p
}

// capabilities builds what the instance declares.
func (p *Provider) capabilities() payment.Capabilities {
	methods := p.o.Methods
	if methods == nil {
		methods = p.d.methods
	}
	hooks := !p.o.NoWebhooks && len(p.secrets) > 0
	m := p.d.method
	if p.o.Currencies != nil {
		m.Currencies = append([]money.Currency(nil), p.o.Currencies...)
	}
	step := func(s *payment.StepSpec) { s.Recovery.Webhook = s.Recovery.Webhook && hooks }
	m.Flow = append([]payment.StepSpec(nil), m.Flow...)
	for i := range m.Flow {
		step(&m.Flow[i])
	}
	c := payment.Capabilities{Methods: make(map[payment.Method]payment.MethodCapabilities, len(methods)),
		Transfer: p.d.transfer, Respond: p.d.respond, Accept: p.d.accept, Save: p.d.save, Forget: p.d.forget, Webhooks: hooks}
	for _, s := range []*payment.StepSpec{&m.Capture, &m.Void, &m.Refund, &m.FenceStep, &c.Transfer, &c.Respond, &c.Accept, &c.Save, &c.Forget} {
		step(s)
	}
	for _, name := range methods {
		c.Methods[name] = m
	}
	return c
}

// Name returns the instance's name.
func (p *Provider) Name() string { return p.o.Name }

// Capabilities returns what the personality can do.
func (p *Provider) Capabilities() payment.Capabilities { return p.caps }

func (p *Provider) now() time.Time { return p.o.Now() }

// Tick lets time do its work: decisions that fell due are made, holds and
// payable links that ran out end, and their notifications are queued. Every
// other call does the same for the attempt it touches.
func (p *Provider) Tick() {
	p.mu.Lock()
	now := p.now()
	p.settle(now)
	for _, o := range p.order {
		p.refresh(o, now)
	}
	p.mu.Unlock()
	p.push()
}

// job is a decision that falls due later.
type job struct {
	due time.Time
	seq uint64
	do  func(now time.Time)
}

type jobs []job

func (j jobs) Len() int { return len(j) }
func (j jobs) Less(a, b int) bool {
	if !j[a].due.Equal(j[b].due) {
		return j[a].due.Before(j[b].due)
	}
	return j[a].seq < j[b].seq
}
func (j jobs) Swap(a, b int) { j[a], j[b] = j[b], j[a] }
func (j *jobs) Push(x any)   { *j = append(*j, x.(job)) }
func (j *jobs) Pop() any {
	old := *j
	last := old[len(old)-1]
	old[len(old)-1] = job{}
	*j = old[:len(old)-1]
	return last
}

// later plans a decision. p.mu is held.
func (p *Provider) later(due time.Time, do func(now time.Time)) {
	p.ids++
	heap.Push(&p.jobs, job{due: due, seq: p.ids, do: do})
}

// settle carries out what fell due. p.mu is held.
func (p *Provider) settle(now time.Time) {
	for len(p.jobs) > 0 && !p.jobs[0].due.After(now) {
		heap.Pop(&p.jobs).(job).do(now)
	}
}

// saved is what is known of a key.
type saved struct {
	calls  int  // that reached the door
	tries  int  // all of them, for the draw
	known  bool // answer is set
	print  uint64
	at     time.Time
	answer answer
}

// key returns what is known of a key, making a place for it. p.mu is held.
func (p *Provider) key(key string) *saved {
	s := p.keys[key]
	if s == nil {
		if len(p.keySlab) == 0 {
			p.keySlab = make([]saved, 64)
		}
		s, p.keySlab = &p.keySlab[0], p.keySlab[1:]
		p.keys[key] = s
	}
	return s
}

// made returns the attempt that was made under a key, nil for none. p.mu is
// held.
func (p *Provider) made(key string) *object {
	if s := p.keys[key]; s != nil && s.known {
		return s.answer.obj
	}
	return nil
}

// answer is what the provider says to a call, as a reference to its records.
type answer struct {
	status   payment.ResultStatus
	obj      *object
	part     *part
	captured bool
	payable  bool
	reason   payment.Reason
	code     string
	// amount named, where it is neither the part's nor the attempt's.
	amount money.Amount
	// fail is an answer that is a refusal of the request.
	fail payment.ErrorKind
	busy bool // fail says that the key is known from another request
	bare bool // what the payer must do is not shown again
	// again derives the answer anew at a replay, for providers that show the
	// state as it is.
	again  func(now time.Time) answer
	events []payment.Event
}

// deny is an answer that refuses the request: 400, 404, 422.
func deny(code string) answer { return answer{fail: payment.KindRejectedRequest, code: code} }

// conflict says that the key or number is known from another request.
func conflict(code string) answer {
	return answer{fail: payment.KindUnknown, code: code, busy: true}
}

// Request is a write that reached the provider's door, with [Options.Record].
type Request struct {
	Step, Key, Operation string
	// Print stands for the content: equal requests have equal prints within
	// one Provider.
	Print uint64
	At    time.Time
}

// Requests returns what was recorded, in order.
func (p *Provider) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Request(nil), p.requests...)
}

// errHostile: an id that no provider takes.
var errHostile = errors.New("fake: the id is empty or has characters outside [0-9A-Za-z_.:-]")

// safe reports whether an id may go on the wire: real adapters put ids into
// paths and signed strings.
func safe(id string, longest int) bool {
	if id == "" || len(id) > longest {
		return false
	}
	for i := 0; i < len(id); i++ {
		switch c := id[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '-', c == ':', c == '.':
		default:
			return false
		}
	}
	return !strings.Contains(id, "..")
}

// fail makes the error of a call.
func (p *Provider) fail(step string, kind payment.ErrorKind, code, message string, cause error) *payment.CallError {
	return &payment.CallError{Kind: kind, Provider: p.o.Name, Step: step, Code: code, Message: message, Err: cause}
}

// unsupported refuses what the personality cannot do.
func (p *Provider) unsupported(step string) (payment.Result, error) {
	return payment.Result{}, p.fail(step, payment.KindNotSent, "unsupported", "this provider cannot do that", payment.ErrUnsupported)
}

// work is what the provider does for a request, under its lock.
type work func(f Fault, now time.Time) answer

// call is the way of every write: the network before it, the idempotency key,
// the work, and the network after it.
func (p *Provider) call(ctx context.Context, kind payment.OperationKind, c *payment.Call, print uint64, do work) (payment.Result, error) {
	k, f, now, err := p.enter(ctx, kind, c, print)
	if err != nil {
		return payment.Result{}, err
	}
	if f.kind == faultLate {
		return p.postpone(k, c.Step, print, f, now, do)
	}
	return p.leave(ctx, c.Step, p.once(k, c.Step, print, f, now, do), f, now)
}

// enter takes a request to the provider's door. Without an error p.mu is held
// until leave or postpone.
func (p *Provider) enter(ctx context.Context, kind payment.OperationKind, c *payment.Call, print uint64) (*saved, Fault, time.Time, error) {
	if ctx.Err() != nil {
		return nil, Fault{}, time.Time{}, p.fail(c.Step, payment.KindNotSent, "canceled", "the context was over before the request was written", ctx.Err())
	}
	if !safe(c.Key, 64) || !safe(c.Operation, 64) || (c.Ref != "" && !safe(c.Ref, 255)) {
		return nil, Fault{}, time.Time{}, p.fail(c.Step, payment.KindNotSent, "invalid_id", "Key, Operation or Ref cannot be sent", errHostile)
	}
	p.mu.Lock()
	now := p.now()
	p.settle(now)
	k := p.key(c.Key)
	f := p.fault(string(kind), c.Step, c.Key, k.tries)
	k.tries++
	switch f.kind {
	case faultNotSent:
		p.mu.Unlock()
		return nil, f, now, p.fail(c.Step, payment.KindNotSent, f.code, "", nil)
	case faultPanic:
		p.mu.Unlock()
		panic("fake: scripted panic in step " + c.Step)
	default: // it reaches the door
	}
	k.calls++
	if p.o.Record {
		p.requests = append(p.requests, Request{Step: c.Step, Key: c.Key, Operation: c.Operation, Print: print, At: now})
	}
	switch f.kind {
	case faultMerchant, faultRequest, faultKeyBusy, faultTimeoutBefore, faultResetBefore, faultErrorBefore:
		p.mu.Unlock()
		return nil, f, now, p.before(c.Step, f)
	default: // it reaches the work
	}
	return k, f, now, nil
}

// postpone does the work after the fault's delay; the caller has given up.
func (p *Provider) postpone(k *saved, step string, print uint64, f Fault, now time.Time, do work) (payment.Result, error) {
	p.later(now.Add(f.delay), func(now time.Time) { p.once(k, step, print, Fault{}, now, do) })
	p.mu.Unlock()
	return payment.Result{}, p.fail(step, payment.KindUnknown, f.code, "", nil)
}

// leave brings the answer home, or loses it.
func (p *Provider) leave(ctx context.Context, step string, a answer, f Fault, now time.Time) (r payment.Result, err error) {
	err = p.render(step, &r, &a, now)
	p.mu.Unlock()
	p.push()
	switch f.kind {
	case faultTimeoutAfter, faultResetAfter, faultErrorAfter, faultGarbage:
		return payment.Result{}, p.fail(step, payment.KindUnknown, f.code, "", nil)
	case faultHang:
		if ctx.Done() != nil {
			<-ctx.Done()
		}
		return payment.Result{}, p.fail(step, payment.KindUnknown, f.code, "", ctx.Err())
	case faultSlow:
		if p.o.Wait != nil {
			if werr := p.o.Wait(ctx, f.delay); werr != nil {
				return payment.Result{}, p.fail(step, payment.KindUnknown, "timeout", "", werr)
			}
		}
	default: // the answer comes home
	}
	return r, err
}

// before makes the error of a fault that ends a call before the work.
func (p *Provider) before(step string, f Fault) *payment.CallError {
	e := p.fail(step, payment.KindUnknown, f.code, "", nil)
	switch f.kind {
	case faultMerchant:
		e.Kind = payment.KindRejectedMerchant
	case faultRequest:
		e.Kind = payment.KindRejectedRequest
	case faultKeyBusy:
		e.KeyConflict = true
	default: // its outcome stays unknown
	}
	return e
}

// once does the work of a key once in the key's life. p.mu is held.
func (p *Provider) once(k *saved, step string, print uint64, f Fault, now time.Time, do work) answer {
	life := p.life[step]
	if k.known && life > 0 && now.Before(k.at.Add(life)) {
		switch {
		case k.print != print:
			return conflict("idempotency_key_reused")
		case k.answer.again != nil:
			return k.answer.again(now)
		}
		return k.answer
	}
	var a answer
	if f.kind == faultErrorSaved {
		a = answer{fail: payment.KindUnknown, code: f.code}
		if !p.d.savesErrors {
			return a
		}
	} else {
		a = do(f, now)
		// Validation and conflicts end before the endpoint runs and are not
		// saved: the same key may be tried again.
		if a.fail != "" {
			return a
		}
	}
	if life > 0 {
		k.known, k.print, k.at, k.answer = true, print, now, a
		if f.kind == faultErrorAfter && p.d.savesErrors {
			k.answer = answer{fail: payment.KindUnknown, code: f.code}
		}
	}
	return a
}

// render makes the Result or error of an answer. p.mu is held.
func (p *Provider) render(step string, r *payment.Result, a *answer, now time.Time) error {
	if a.fail != "" {
		e := p.fail(step, a.fail, a.code, "", nil)
		e.KeyConflict = a.busy
		return e
	}
	r.Status, r.Captured, r.Payable, r.At, r.Amount, r.Events = a.status, a.captured, a.payable, now, a.amount, a.events
	if a.reason != "" {
		r.Decline = payment.NewDecline(a.reason, a.code)
	}
	switch o, t := a.obj, a.part; {
	case t != nil:
		r.At = t.at
		if t.amount.Currency() != "" && r.Amount.Currency() == "" {
			r.Amount = t.amount
		}
		if nameless := p.d.sums && (t.kind == payment.OpCapture || t.kind == payment.OpVoid); !nameless {
			r.Ref = t.ref
		}
		if t.token != "" && a.status == payment.ResultApproved {
			r.Token, r.ProviderCustomer, r.Card = payment.NewSecret(t.token), "cus_"+t.ref, testCard
		}
		if a.status == payment.ResultActionRequired {
			r.Action = p.challenge(t.ref)
		}
	case o != nil:
		p.renderObject(r, o)
		if a.bare {
			r.Action = nil
		}
	}
	return nil
}

// testCard is what the fake says of every card.
var testCard = payment.CardInfo{Brand: payment.MethodVisa, Last4: "4242", ExpMonth: 12, ExpYear: 2040, Country: "US", Funding: "credit"}

// renderObject fills in what an attempt shows of itself.
func (p *Provider) renderObject(r *payment.Result, o *object) {
	r.Ref = o.ref
	if r.Amount.Currency() == "" {
		r.Amount = o.amount
	}
	if p.d.numbers {
		r.Data = map[string]string{"number": o.key}
	}
	switch r.Status {
	case payment.ResultActionRequired:
		r.Action = p.action(o)
		r.ExpiresAt = o.until
	case payment.ResultApproved:
		if !o.sale {
			r.ExpiresAt = o.expires
		}
		if o.method.Family() == payment.MethodCard {
			r.Card = testCard
			if o.by == ByPayer {
				r.ThreeDS = payment.ThreeDSResult{Outcome: "authenticated", Version: "2.2.0", ECI: "05", LiabilityShift: true}
			}
		}
		if o.token != "" {
			r.Token, r.ProviderCustomer = payment.NewSecret(o.token), "cus_"+o.op
		}
		if p.d.method.RefundsCapture {
			p.captureData(r, o)
		}
	default: // nothing more to show
	}
}

// captureData names the authorization or capture that later steps need.
func (p *Provider) captureData(r *payment.Result, o *object) {
	if !o.sale {
		r.Data = map[string]string{"authorization": "auth" + o.ref}
		r.Refs = []string{"auth" + o.ref}
		return
	}
	for _, t := range o.parts {
		if t.kind == payment.OpCapture {
			r.Data = map[string]string{"capture": t.ref}
			r.Refs = []string{t.ref}
			return
		}
	}
}

// action says what the payer must do.
func (p *Provider) action(o *object) *payment.Action {
	switch p.d.kind {
	case WeChatPay:
		return &payment.Action{Kind: payment.ActionQR, Code: "weixin://wxpay/bizpayurl?pr=" + o.ref, ExpiresAt: o.until}
	case Alipay:
		return &payment.Action{Kind: payment.ActionRedirect, URL: "https://alipay.invalid/gateway.do?out_trade_no=" + o.op, Method: "GET", ExpiresAt: o.until}
	case PayPal:
		return &payment.Action{Kind: payment.ActionRedirect, URL: "https://paypal.invalid/checkoutnow?token=" + o.ref, Method: "GET", ExpiresAt: o.until}
	default: // cards are challenged
	}
	return p.challenge(o.ref)
}

func (p *Provider) challenge(ref string) *payment.Action {
	return &payment.Action{Kind: payment.ActionChallenge, URL: "https://acs.invalid/challenge/" + ref, Method: "GET",
		Params: map[string]string{"client_secret": ref + "_secret"}}
}
