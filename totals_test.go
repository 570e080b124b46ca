package payment

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/money"
)

func dollars(n int64) money.Amount { return money.Of(n*100, money.USD) }

// op makes an operation of 100 USD in a state.
func op(id string, kind OperationKind, state State, change ...func(*Operation)) *Operation {
	o := &Operation{ID: id, Kind: kind, State: state, Amount: dollars(100), Approved: dollars(0), Target: "a"}
	if kind == OpAuthorize {
		o.Target = ""
	}
	if state == StateApproved || state == StateReversed {
		o.Approved = o.Amount
	}
	for _, f := range change {
		f(o)
	}
	return o
}

func sale(o *Operation) { o.Sale = true }

func over(o *Operation) { o.Overpaid = true }

func of(n int64) func(*Operation) {
	return func(o *Operation) {
		o.Amount = dollars(n)
		if !o.Approved.IsZero() {
			o.Approved = dollars(n)
		}
	}
}

func paymentOf100(ops ...*Operation) *Payment {
	p := &Payment{ID: "p", Amount: dollars(100), Operations: ops}
	p.refresh()
	return p
}

// Every kind in every state: done if approved, pending if open, nothing else.
func TestTotalsOfEveryState(t *testing.T) {
	t.Parallel()
	field := map[OperationKind]func(Totals) Total{
		OpAuthorize: func(t Totals) Total { return t.Authorized }, OpCapture: func(t Totals) Total { return t.Captured },
		OpVoid: func(t Totals) Total { return t.Voided }, OpRefund: func(t Totals) Total { return t.Refunded },
		OpTransfer: func(t Totals) Total { return t.Transferred }, OpDispute: func(t Totals) Total { return t.Disputed },
	}
	for kind, get := range field {
		for _, state := range States() {
			got := get(paymentOf100(op("x", kind, state)).Totals)
			done, pending := int64(0), int64(0)
			if state == StateApproved {
				done = 100
			} else if state.Outstanding() {
				pending = 100
			}
			require.Equal(t, dollars(done), got.Done, "%s %s", kind, state)
			require.Equal(t, dollars(pending), got.Pending, "%s %s", kind, state)
		}
	}
	for _, state := range States() {
		// A sale is authorized and captured in one; what is overpaid is neither.
		s := paymentOf100(op("a", OpAuthorize, state, sale)).Totals
		require.Equal(t, s.Authorized, s.Captured, "%s", state)
		for _, kind := range []OperationKind{OpAuthorize, OpCapture, OpRefund, OpVoid} {
			tot := paymentOf100(op("a", kind, state, over)).Totals
			for name, part := range map[string]Total{"authorized": tot.Authorized, "captured": tot.Captured, "refunded": tot.Refunded, "voided": tot.Voided} {
				require.True(t, part.Done.IsZero() && part.Pending.IsZero(), "overpaid %s %s counts as %s", kind, state, name)
			}
		}
	}
	empty := paymentOf100().Totals
	require.Equal(t, money.USD, empty.OverpaidRefunded.Pending.Currency(), "a total of nothing is zero in the payment's currency")
}

func TestStatusIsAFunctionOfTheOperations(t *testing.T) {
	t.Parallel()
	attempt := func(state State, change ...func(*Operation)) *Operation {
		return op("a", OpAuthorize, state, change...)
	}
	capture := func(n int64, state State) *Operation { return op(fmt.Sprint("c", n, state), OpCapture, state, of(n)) }
	refund := func(n int64, state State) *Operation { return op(fmt.Sprint("r", n, state), OpRefund, state, of(n)) }
	superseded := func(o *Operation) { o.Superseded = true }
	cases := []struct {
		name string
		want Status
		ops  []*Operation
		set  func(*Payment)
	}{
		{"nothing yet", StatusCreated, nil, nil},
		{"planned", StatusProcessing, []*Operation{attempt(StatePlanned)}, nil},
		{"pending", StatusProcessing, []*Operation{attempt(StatePending)}, nil},
		{"unknown", StatusUnknown, []*Operation{attempt(StateUnknown)}, nil},
		{"action", StatusRequiresAction, []*Operation{attempt(StateActionRequired)}, nil},
		{"declined", StatusDeclined, []*Operation{attempt(StateDeclined)}, nil},
		{"failed", StatusDeclined, []*Operation{attempt(StateFailed)}, nil},
		{"absent", StatusDeclined, []*Operation{attempt(StateAbsent)}, nil},
		{"attempt canceled", StatusCanceled, []*Operation{attempt(StateCanceled)}, nil},
		{"attempt expired", StatusExpired, []*Operation{attempt(StateExpired)}, nil},
		{"reversed sale", StatusVoided, []*Operation{attempt(StateReversed, sale)}, nil},
		{"held", StatusAuthorized, []*Operation{attempt(StateApproved)}, nil},
		{"sold", StatusCaptured, []*Operation{attempt(StateApproved, sale)}, nil},
		{"voided", StatusVoided, []*Operation{attempt(StateApproved), op("v", OpVoid, StateApproved)}, nil},
		{"void on its way", StatusAuthorized, []*Operation{attempt(StateApproved), op("v", OpVoid, StatePending)}, nil},
		{"capture on its way", StatusAuthorized, []*Operation{attempt(StateApproved), capture(100, StateUnknown)}, nil},
		{"a part captured", StatusPartiallyCaptured, []*Operation{attempt(StateApproved), capture(30, StateApproved)}, nil},
		{"captured in parts", StatusCaptured, []*Operation{attempt(StateApproved), capture(30, StateApproved), capture(70, StateApproved)}, nil},
		{"a part refunded", StatusPartiallyRefunded, []*Operation{attempt(StateApproved, sale), refund(30, StateApproved)}, nil},
		{"refund on its way", StatusCaptured, []*Operation{attempt(StateApproved, sale), refund(100, StatePending)}, nil},
		{"refunded", StatusRefunded, []*Operation{attempt(StateApproved, sale), refund(30, StateApproved), refund(70, StateApproved)}, nil},
		{"refund bounced", StatusCaptured, []*Operation{attempt(StateApproved, sale), refund(100, StateReversed)}, nil},
		{"all of a part refunded, the rest still held", StatusPartiallyRefunded, []*Operation{attempt(StateApproved), capture(30, StateApproved), refund(30, StateApproved)}, nil},
		{"dispute open", StatusCaptured, []*Operation{attempt(StateApproved, sale), op("d", OpDispute, StatePending)}, nil},
		{"dispute lost", StatusChargedBack, []*Operation{attempt(StateApproved, sale), op("d", OpDispute, StateApproved)}, nil},
		{"overpaid only", StatusCanceled, []*Operation{attempt(StateApproved, sale, over)}, func(p *Payment) { p.Canceled = true }},
		{"canceled", StatusCanceled, nil, func(p *Payment) { p.Canceled = true }},
		{"canceled, outcome unknown", StatusUnknown, []*Operation{attempt(StateUnknown, superseded)}, func(p *Payment) { p.Canceled = true }},
		{"canceled, page left open", StatusCanceled, []*Operation{attempt(StateActionRequired, superseded)}, func(p *Payment) { p.Canceled = true }},
		{"expired", StatusExpired, nil, func(p *Payment) { p.Expired = true }},
		{"blocked", StatusBlocked, nil, func(p *Payment) { p.Blocked = NewDecline(ReasonRiskBlocked, "") }},
		{"blocked, and captured all the same", StatusCaptured, []*Operation{attempt(StateApproved, sale)}, func(p *Payment) { p.Blocked = NewDecline(ReasonRiskBlocked, "") }},
		{"in review before", StatusInReview, nil, func(p *Payment) { p.Review = &Review{Stage: StageBeforeRoute} }},
		{"in review after", StatusInReview, []*Operation{attempt(StateApproved)}, func(p *Payment) { p.Review = &Review{Stage: StageAfterAuthorize, Operation: "a"} }},
		{"reviewed", StatusAuthorized, []*Operation{attempt(StateApproved)}, func(p *Payment) { p.Review = &Review{Passed: true} }},
		{"unknown weighs most", StatusUnknown, []*Operation{op("b", OpAuthorize, StateUnknown), attempt(StateActionRequired)}, nil},
		{"declined, then paid", StatusCaptured, []*Operation{op("b", OpAuthorize, StateDeclined), attempt(StateApproved, sale)}, nil},
		{"declined, then waiting", StatusRequiresAction, []*Operation{op("b", OpAuthorize, StateDeclined), attempt(StateActionRequired)}, nil},
	}
	covered := map[Status]bool{}
	for _, c := range cases {
		p := &Payment{ID: "p", Amount: dollars(100), Operations: c.ops}
		if c.set != nil {
			c.set(p)
		}
		p.refresh()
		require.Equal(t, c.want, p.Status, c.name)
		covered[p.Status] = true
		before := *p
		p.refresh()
		require.Equal(t, before.Status, p.Status, "deriving twice changes nothing: %s", c.name)
		// Next has an answer for every status, and never lets a payer pay what
		// may be paid already.
		next := p.Next()
		require.Contains(t, []NextKind{Paid, PayerMustAct, Wait, Refused}, next.Kind, c.name)
		require.NotEmpty(t, next.Text("en").Body, "%s: a page has something to say", c.name)
		if next.Kind == Paid {
			require.True(t, p.Paid(), c.name)
		}
		if p.Status == StatusUnknown || p.Status == StatusProcessing || p.Status == StatusInReview {
			require.Equal(t, Wait, next.Kind, c.name)
			require.True(t, next.MayLeave, c.name)
		}
		if next.Kind == Refused {
			require.True(t, !next.Decline.IsZero() || next.Notice != "", "%s: it says why", c.name)
		}
	}
	for _, s := range Statuses() {
		require.True(t, covered[s], "no case ends in %s", s)
	}
}

// What may be captured or refunded never goes below zero and never counts the
// same money twice.
func TestRemainders(t *testing.T) {
	t.Parallel()
	hold := op("a", OpAuthorize, StateApproved)
	for _, state := range States() {
		p := paymentOf100(hold, op("c", OpCapture, state, of(40)))
		want := int64(100)
		if state == StateApproved || state.Outstanding() {
			want = 60
		}
		require.Equal(t, dollars(want), p.Capturable(), "a capture that is %s", state)
		p = paymentOf100(op("a", OpAuthorize, StateApproved, sale), op("r", OpRefund, state, of(40)))
		require.Equal(t, dollars(want), p.Refundable(), "a refund that is %s", state)
		p = paymentOf100(op("a", OpAuthorize, StateApproved, sale), op("d", OpDispute, state, of(40)))
		require.Equal(t, dollars(want), p.Refundable(), "a dispute that is %s", state)
		final := paymentOf100(hold, op("c", OpCapture, state, of(40), func(o *Operation) { o.Final = true }))
		if want == 60 {
			require.True(t, final.Capturable().IsZero(), "after a final capture that is %s", state)
		} else {
			require.Equal(t, dollars(100), final.Capturable(), "after a final capture that is %s", state)
		}
	}
	p := paymentOf100(op("a", OpAuthorize, StateApproved, sale), op("r", OpRefund, StateApproved, of(80)), op("d", OpDispute, StateApproved, of(70)))
	require.True(t, p.Refundable().IsZero(), "150 are gone of 100: nothing is left, not minus 50")
	p = paymentOf100(hold, op("c", OpCapture, StateApproved, of(130)))
	require.True(t, p.Capturable().IsZero())
	p = paymentOf100(op("a", OpAuthorize, StateApproved, sale, over))
	require.True(t, p.Refundable().IsZero(), "money that is not the order's is not the order's to refund")
}

func TestFreeStatus(t *testing.T) {
	t.Parallel()
	for _, s := range Statuses() {
		p := &Payment{Status: s}
		require.False(t, p.Paid() && freeStatus(s), "a paid payment holds its reference: %s", s)
		require.Equal(t, s == StatusAuthorized || s == StatusPartiallyCaptured || s == StatusCaptured || s == StatusPartiallyRefunded, p.Paid(), "%s", s)
	}
	for _, s := range []Status{StatusUnknown, StatusProcessing, StatusRequiresAction, StatusInReview, StatusCreated} {
		require.False(t, freeStatus(s), "%s may still be paid", s)
	}
}

func TestSumsDoNotWrap(t *testing.T) {
	t.Parallel()
	most := money.Of(1<<63-1, money.USD)
	require.Equal(t, most, sum(most, dollars(1)), "a sum saturates; it never turns negative")
	require.Equal(t, dollars(1), sum(money.Amount{}, dollars(1)))
	require.Equal(t, dollars(1), sum(dollars(1), money.Amount{}))
	require.Equal(t, dollars(0), floor0(dollars(-1)))
}

// A clone is deep: what a transaction does with it is seen by nobody before
// the commit.
func TestCloneIsDeep(t *testing.T) {
	t.Parallel()
	p := paymentOf100(op("a", OpAuthorize, StateApproved))
	p.Operations[0].Steps = []*Step{{ID: "s"}}
	p.Route, p.Review, p.Parked, p.CreatedAt = []string{"one"}, &Review{By: "x"}, &Parked{Why: "y"}, time.Unix(1, 0)
	q := p.clone()
	require.Equal(t, p, q)
	q.Route[0], q.Review.By, q.Parked.Why, q.Operations[0].State, q.Operations[0].Steps[0].ID = "two", "b", "b", StateReversed, "b"
	q.Operations = append(q.Operations, op("n", OpRefund, StatePlanned))
	require.Equal(t, "one", p.Route[0])
	require.Equal(t, "x", p.Review.By)
	require.Equal(t, "y", p.Parked.Why)
	require.Equal(t, StateApproved, p.Operations[0].State)
	require.Equal(t, "s", p.Operations[0].Steps[0].ID)
	require.Len(t, p.Operations, 1)
}
