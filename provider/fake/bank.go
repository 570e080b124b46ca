package fake

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// phase is where an attempt stands at the provider.
type phase uint8

const (
	phaseNew      phase = iota // created, our next step is awaited
	phaseIssued                // a signed URL is out; the provider knows nothing of it yet
	phaseWaiting               // the payer must act
	phasePaying                // the payer is in the act
	phaseReady                 // the payer approved, our next step is awaited
	phasePending               // accepted, decided later
	phaseHeld                  // authorized; some of it may be captured
	phasePaid                  // collected
	phaseDeclined              // refused
	phaseCanceled              // canceled, closed, voided
	phaseExpired               // ended by time
	phaseReversed              // collected, and undone by the bank
)

// object is one attempt at the provider: an intent, an order, a trade.
type object struct {
	ref, op, payment, key string
	method                payment.Method
	amount                money.Amount
	sale                  bool
	phase                 phase
	created               time.Time
	until                 time.Time // payable until
	expires               time.Time // end of the authorization
	out                   bool      // the payer holds what it takes to pay it alone
	browser               bool      // the payer came through the challenge; details are awaited
	declined              payment.Reason
	code                  string
	token                 string // of the method, when it is to be saved
	by                    Actor  // who made it move money
	// In minor units of amount's currency. captured falls when the bank undoes a
	// collection, taken does not: what failed does not return to the hold.
	taken, captured, released, refunded int64
	parts                               []*part
	prev                                *object // an older attempt of the same operation
	moves                               []move
	first                               [1]move // where moves begins
}

// move is a Movement as an attempt keeps it.
type move struct {
	kind    MovementKind
	by      Actor
	minor   int64
	at      time.Time
	part    *part
	dispute *dispute
	key     string
}

// movements spells an attempt's moves out.
func (o *object) movements() []Movement {
	all := make([]Movement, len(o.moves))
	for i, v := range o.moves {
		m := Movement{Kind: v.kind, By: v.by, Amount: o.of(v.minor), At: v.at, Object: o.ref, Payment: o.payment, Key: v.key}
		switch {
		case v.dispute != nil:
			m.Ref = v.dispute.fact.Ref
		case v.part != nil:
			m.Ref, m.Operation, m.Key = v.part.ref, v.part.op, v.part.key
		case v.by == ByShop || v.by == ByPayer:
			m.Operation = o.op
		}
		all[i] = m
	}
	return all
}

// held is what is left of an authorization.
func (o *object) held() int64 {
	if o.phase != phaseHeld {
		return 0
	}
	return o.amount.Minor() - o.taken - o.released
}

func (o *object) of(minor int64) money.Amount { return money.Of(minor, o.amount.Currency()) }

type partState uint8

const (
	partPending partState = iota
	partDone
	partFailed
	partReversed
)

// part is what was done with an attempt: a capture, a refund, a void; or a
// write that belongs to none: a transfer, a saved method.
type part struct {
	kind    payment.OperationKind
	ref     string
	op, key string
	amount  money.Amount
	state   partState
	reason  payment.Reason
	code    string
	by      Actor
	at      time.Time
	obj     *object
	of      *part // the capture that a refund names
	// refunded of a capture, in minor units.
	refunded int64
	token    string // of a saved method
}

// MovementKind says what happened to money.
type MovementKind string

// The kinds of movement.
const (
	MoveAuthorized    MovementKind = "authorized"     // held on the payer's account
	MoveReleased      MovementKind = "released"       // a hold, or the rest of one, given back
	MoveCaptured      MovementKind = "captured"       // collected
	MoveCaptureFailed MovementKind = "capture_failed" // a collection undone by the bank
	MoveRefunded      MovementKind = "refunded"       // given back to the payer
	MoveRefundFailed  MovementKind = "refund_failed"  // a refund that came back
	MoveDisputed      MovementKind = "disputed"       // taken back by the payer's bank
	MoveDisputeWon    MovementKind = "dispute_won"    // and returned
	MoveTransferred   MovementKind = "transferred"    // sent on to another party
)

// Actor says who caused a movement.
type Actor string

// The actors.
const (
	ByShop      Actor = "shop"      // a request of ours
	ByPayer     Actor = "payer"     // the payer's own act
	ByDashboard Actor = "dashboard" // the shop's staff, at the provider
	ByBank      Actor = "bank"
	ByClock     Actor = "clock"
)

// Movement is money that really moved.
type Movement struct {
	Kind   MovementKind
	By     Actor
	Amount money.Amount
	At     time.Time
	// Object is the provider's attempt, Ref the capture, refund or dispute
	// ("" where it has no id of its own).
	Object, Ref string
	// Operation is ours, as the request named it, and Payment its payment; ""
	// for what we did not ask for. Key is the idempotency key of the request
	// that caused it.
	Operation, Payment, Key string
}

// Truth is what really happened.
type Truth struct{ Movements []Movement }

// Sum adds up the movements of one kind; the zero Amount if there are none.
// All movements of one payment are in one currency.
func (t Truth) Sum(kind MovementKind) money.Amount {
	var sum money.Amount
	for _, m := range t.Movements {
		if m.Kind == kind {
			sum = money.Of(sum.Minor()+m.Amount.Minor(), m.Amount.Currency())
		}
	}
	return sum
}

// Collected is what was captured and not undone, before refunds and disputes.
func (t Truth) Collected() money.Amount {
	return less(t.Sum(MoveCaptured), t.Sum(MoveCaptureFailed))
}

// Refunded is what was given back and did not return.
func (t Truth) Refunded() money.Amount {
	return less(t.Sum(MoveRefunded), t.Sum(MoveRefundFailed))
}

// Collections lists the attempts on which money was collected and not undone,
// in order. More than one for a payment is a second collection.
func (t Truth) Collections() []string {
	net := make(map[string]int64)
	var order []string
	for _, m := range t.Movements {
		switch m.Kind {
		case MoveCaptured:
			if _, seen := net[m.Object]; !seen {
				order = append(order, m.Object)
			}
			net[m.Object] += m.Amount.Minor()
		case MoveCaptureFailed:
			net[m.Object] -= m.Amount.Minor()
		default: // what is no collection
		}
	}
	return slices.DeleteFunc(order, func(o string) bool { return net[o] <= 0 })
}

func less(a, b money.Amount) money.Amount {
	if a.Currency() == "" {
		return a
	}
	return money.Of(a.Minor()-b.Minor(), a.Currency())
}

// Truth returns every movement of an attempt, an operation or a payment, named
// by the provider's reference or by our id, in the order they happened.
func (p *Provider) Truth(id string) Truth {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(p.now())
	var t Truth
	for _, o := range p.order {
		whole := o.ref == id || o.op == id || o.payment == id
		for _, m := range o.movements() {
			if whole || m.Operation == id || m.Ref == id {
				t.Movements = append(t.Movements, m)
			}
		}
	}
	for _, m := range p.loose {
		if m.Operation == id || m.Payment == id || m.Ref == id {
			t.Movements = append(t.Movements, m)
		}
	}
	slices.SortStableFunc(t.Movements, func(a, b Movement) int { return a.At.Compare(b.At) })
	return t
}

// Movements returns every movement there ever was, grouped by attempt.
func (p *Provider) Movements() []Movement {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(p.now())
	var all []Movement
	for _, o := range p.order {
		all = append(all, o.movements()...)
	}
	return append(all, p.loose...)
}

// Collected returns what was captured and not undone, per currency, before
// refunds and disputes.
func (p *Provider) Collected() map[money.Currency]money.Amount {
	sums := make(map[money.Currency]money.Amount)
	for _, m := range p.Movements() {
		c := m.Amount.Currency()
		switch m.Kind {
		case MoveCaptured:
			sums[c] = money.Of(sums[c].Minor()+m.Amount.Minor(), c)
		case MoveCaptureFailed:
			sums[c] = money.Of(sums[c].Minor()-m.Amount.Minor(), c)
		default: // what is no collection
		}
	}
	return sums
}

// Calls returns how many requests with that idempotency key reached the
// provider's door, replays included.
func (p *Provider) Calls(key string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.keys[key]; k != nil {
		return k.calls
	}
	return 0
}

// move books a movement of an attempt. p.mu is held.
func (p *Provider) move(o *object, t *part, kind MovementKind, by Actor, amount money.Amount, now time.Time) {
	v := move{kind: kind, by: by, minor: amount.Minor(), at: now, part: t}
	if t == nil && (by == ByShop || by == ByPayer) {
		v.key = o.key
	}
	o.moves = append(o.moves, v)
}

// newObject opens an attempt for an authorize request. p.mu is held.
func (p *Provider) newObject(r *payment.AuthorizeRequest, ph phase, now time.Time) *object {
	if len(p.slab) == 0 {
		p.slab = make([]object, 32)
	}
	o := &p.slab[0]
	p.slab = p.slab[1:]
	var ref [24]byte
	p.order = append(p.order, o)
	o.ref = string(strconv.AppendUint(append(ref[:0], p.d.prefix...), uint64(len(p.order)), 36))
	o.op, o.payment, o.key = r.Operation, r.Payment, r.Key
	o.method, o.amount, o.sale, o.phase = r.Method.Method, r.Amount, r.Capture, ph
	o.created, o.until, o.by = now, r.Until, ByShop
	o.moves = o.first[:0]
	if r.Save {
		o.token = "saved_" + o.ref
	}
	return o
}

// ofOperation returns the newest attempt of our operation, or nil. The index is
// filled when it is asked, which keeps it off the way of an authorize. p.mu is
// held.
func (p *Provider) ofOperation(op string) *object {
	for _, o := range p.order[p.indexed:] {
		o.prev = p.byOp[o.op]
		p.byOp[o.op] = o
	}
	p.indexed = len(p.order)
	return p.byOp[op]
}

// object returns the attempt with that reference, or nil. p.mu is held.
func (p *Provider) object(ref string) *object {
	number, ok := strings.CutPrefix(ref, p.d.prefix)
	if !ok {
		return nil
	}
	n, err := strconv.ParseUint(number, 36, 64)
	if err != nil || n == 0 || n > uint64(len(p.order)) || p.order[n-1].ref != ref {
		return nil
	}
	return p.order[n-1]
}

// newPart adds something done to an attempt, o may be nil. p.mu is held.
func (p *Provider) newPart(o *object, kind payment.OperationKind, c *payment.Call, prefix string, amount money.Amount, st partState, now time.Time) *part {
	t := &part{kind: kind, ref: p.id(prefix), amount: amount, state: st, by: ByShop, at: now, obj: o}
	if c != nil {
		t.op, t.key = c.Operation, c.Key
	}
	if o != nil {
		o.parts = append(o.parts, t)
	}
	p.parts[t.ref] = t
	if t.op != "" {
		p.partOf[t.op] = t
	}
	return t
}

// id makes the next id of the provider. p.mu is held.
func (p *Provider) id(prefix string) string {
	p.ids++
	var b [24]byte
	return string(strconv.AppendUint(append(b[:0], prefix...), p.ids, 36))
}

// collect takes money of an attempt. p.mu is held.
func (p *Provider) collect(o *object, t *part, amount int64, by Actor, now time.Time) {
	o.captured += amount
	o.taken += amount
	p.move(o, t, MoveCaptured, by, o.of(amount), now)
	if o.phase == phaseHeld && o.held() == 0 {
		o.phase = phasePaid
	}
}

// release gives back what is held. p.mu is held.
func (p *Provider) release(o *object, t *part, by Actor, now time.Time) {
	if left := o.held(); left > 0 {
		o.released += left
		p.move(o, t, MoveReleased, by, o.of(left), now)
	}
}

// take makes an attempt hold or collect its amount. p.mu is held.
func (p *Provider) take(o *object, by Actor, now time.Time) {
	o.by, o.browser = by, false
	if o.sale {
		o.phase = phasePaid
		var t *part
		if p.d.method.RefundsCapture {
			t = p.newPart(o, payment.OpCapture, nil, "cap", o.amount, partDone, now)
			t.op, t.key = o.op, o.key
		}
		p.collect(o, t, o.amount.Minor(), by, now)
	} else {
		o.phase = phaseHeld
		o.expires = now.Add(p.d.method.HoldFor)
		p.move(o, nil, MoveAuthorized, by, o.amount, now)
	}
	p.tellObject(o, payment.ResultApproved, now)
}

// refresh applies what time alone does to an attempt. p.mu is held.
func (p *Provider) refresh(o *object, now time.Time) {
	switch o.phase {
	case phaseHeld:
		if now.Before(o.expires) {
			return
		}
		p.expireHold(o, ByClock, now)
	case phaseWaiting, phaseIssued, phasePaying:
		if o.until.IsZero() || now.Before(o.until) {
			return
		}
		known := o.phase != phaseIssued
		o.phase = phaseExpired
		if known {
			p.tellObject(o, payment.ResultExpired, now)
		}
	default: // time alone changes nothing
	}
}

// expireHold ends an authorization. What was captured of it stays.
func (p *Provider) expireHold(o *object, by Actor, now time.Time) {
	p.release(o, nil, by, now)
	if o.taken > 0 {
		o.phase = phasePaid
	} else {
		o.phase = phaseExpired
	}
	p.tellObject(o, payment.ResultExpired, now)
}
