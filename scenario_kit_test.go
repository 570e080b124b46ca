package payment_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

// pair is a shop with a second provider behind the first.
type pair struct {
	*shop
	second *fake.Provider
}

// openPair opens a shop whose payments may go to "one" and then to "two".
func openPair(t *testing.T, store payment.Store, one, two fake.Options, more ...func(*payment.Config)) *pair {
	t.Helper()
	one.Name, two.Name = "one", "two"
	p := &pair{}
	p.shop = open(t, store, one, append([]func(*payment.Config){func(c *payment.Config) {
		two.Now = c.Now
		p.second = fake.New(two)
		c.Providers = append(c.Providers, p.second.Narrow())
	}}, more...)...)
	return p
}

// deliver hands the waiting notifications of both providers in.
func (p *pair) deliver() int {
	p.t.Helper()
	return p.deliverFrom(p.bank) + p.deliverFrom(p.second)
}

func (s *shop) deliverFrom(bank *fake.Provider) int {
	s.t.Helper()
	hooks := bank.TakeWebhooks()
	for _, w := range hooks {
		s.receive(bank, w)
	}
	return len(hooks)
}

func (s *shop) receive(bank *fake.Provider, w payment.Webhook) {
	s.t.Helper()
	_, err := s.pay.Receive(s.ctx, bank.Name(), bank.Resign(w, s.clock.Now()))
	require.NoError(s.t, err, "a genuine notification is always acknowledged")
}

// events reads all events of a payment ("" for all) page by page.
func (s *shop) events(id string) []*payment.Event {
	s.t.Helper()
	var all []*payment.Event
	after := int64(0)
	for page := 0; page < 1000; page++ {
		got, err := s.pay.Events(s.ctx, payment.EventQuery{PaymentID: id, AfterSeq: after, Limit: 7})
		require.NoError(s.t, err)
		for _, e := range got {
			require.Greater(s.t, e.Seq, after, "the outbox is ordered by Seq")
			after = e.Seq
		}
		all = append(all, got...)
		if len(got) < 7 {
			return all
		}
	}
	s.t.Fatal("the outbox never ends")
	return nil
}

// hasEvent reports whether an event of the given type was recorded.
func (s *shop) hasEvent(id string, typ payment.EventType) bool {
	for _, e := range s.events(id) {
		if e.Type == typ {
			return true
		}
	}
	return false
}

// agree checks that record, totals, events and the banks say the same, and
// returns the payment.
func (s *shop) agree(id string, banks ...*fake.Provider) *payment.Payment {
	s.t.Helper()
	p := s.get(id)
	if banks == nil {
		banks = []*fake.Provider{s.bank}
	}
	var took, gave int64
	for _, b := range banks {
		truth := b.Truth(id)
		took += truth.Collected().Minor()
		gave += truth.Refunded().Minor()
	}
	var collected, returned int64
	for _, o := range p.Operations {
		if o.State != payment.StateApproved {
			continue
		}
		switch {
		case o.Kind == payment.OpCapture, o.Kind == payment.OpAuthorize && o.Sale:
			collected += o.Approved.Minor()
		case o.Kind == payment.OpRefund:
			returned += o.Approved.Minor()
		}
	}
	require.Equal(s.t, took, collected, "collected by the record and by the bank differ\n%s", dump(p))
	require.Equal(s.t, gave, returned, "refunded by the record and by the bank differ\n%s", dump(p))
	require.Equal(s.t, returned, p.Totals.Refunded.Done.Minor()+refundedOverpaid(p), "refund totals are not the sum of the operations\n%s", dump(p))

	stored, err := s.store.Payment(s.ctx, id)
	require.NoError(s.t, err)
	require.Equal(s.t, stored.Status, p.Status)
	require.Equal(s.t, stored.Totals, p.Totals)
	listed, err := s.pay.List(s.ctx, payment.PaymentQuery{Reference: p.Reference})
	require.NoError(s.t, err)
	found := false
	for _, l := range listed {
		if l.ID == id {
			found = true
			require.Equal(s.t, p.Status, l.Status, "the list and the record differ")
			require.Equal(s.t, p.Totals, l.Totals, "the list and the record differ")
		}
	}
	require.True(s.t, found, "the payment is listed under its reference")

	events := s.events(id)
	require.NotEmpty(s.t, events)
	require.Equal(s.t, payment.EventCreated, events[0].Type, "the first event of a payment is its creation")
	require.Equal(s.t, p.Status, events[len(events)-1].PaymentStatus, "a subscriber that read all events knows another status than the record has\n%s", dump(p))
	for _, e := range events {
		require.NotEmpty(s.t, e.ID)
		require.False(s.t, e.RecordedAt.IsZero())
		if !e.Applied {
			require.NotEmpty(s.t, e.Reason, "an event that changed nothing says why: %+v", e)
		}
	}
	return p
}

func refundedOverpaid(p *payment.Payment) int64 {
	var sum int64
	for _, o := range p.Operations {
		if o.Kind == payment.OpRefund && o.Overpaid && o.State == payment.StateApproved {
			sum += o.Approved.Minor()
		}
	}
	return sum
}

// quiet repairs and delivers until the given time is over.
func (s *shop) quiet(minutes int) {
	s.t.Helper()
	for i := 0; i < minutes*3; i++ {
		s.deliver()
		_, err := s.pay.RunOnce(s.ctx)
		require.NoError(s.t, err)
		s.clock.Add(20e9)
	}
	s.deliver()
}

func (s *shop) mustPay(r payment.Request) *payment.Payment {
	s.t.Helper()
	p, err := s.pay.Pay(s.ctx, r)
	require.NoError(s.t, err)
	return p
}

// operations lists a payment's operations of one kind.
func operations(p *payment.Payment, kind payment.OperationKind) []*payment.Operation {
	var out []*payment.Operation
	for _, o := range p.Operations {
		if o.Kind == kind {
			out = append(out, o)
		}
	}
	return out
}

// together runs n functions at once and waits for all.
func together(n int, f func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			<-start
			f(i)
		}()
	}
	close(start)
	wg.Wait()
}

// flaky is a store whose Update fails on demand, as a database does.
type flaky struct {
	payment.Store
	mu     sync.Mutex
	before func() error // of an Update, may be nil; its error ends the Update
	after  func() error // of a successful Update
}

func (f *flaky) set(before, after func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

func (f *flaky) hooks() (before, after func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.before, f.after
}

func (f *flaky) Update(ctx context.Context, fn func(context.Context, payment.Tx) error) error {
	before, after := f.hooks()
	if before != nil {
		if err := before(); err != nil {
			return err
		}
	}
	if err := f.Store.Update(ctx, fn); err != nil {
		return err
	}
	if after != nil {
		return after()
	}
	return nil
}

// Ledger is that of the store behind.
func (f *flaky) Ledger() ledger.Backend {
	if keeps, ok := f.Store.(ledger.Store); ok {
		return keeps.Ledger()
	}
	return nil
}

// SubjectKey ends with its context, as a database's read does.
func (f *flaky) SubjectKey(ctx context.Context, subject string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.Store.SubjectKey(ctx, subject)
}

// Payment ends with its context, as a database's read does.
func (f *flaky) Payment(ctx context.Context, id string) (*payment.Payment, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.Store.Payment(ctx, id)
}

// afterUpdates fails every Update but the first n.
func afterUpdates(n int64, err error) func() error {
	var count atomic.Int64
	return func() error {
		if count.Add(1) > n {
			return err
		}
		return nil
	}
}

// reopen is a new process over the same store, bank and clock.
func (s *shop) reopen(more ...func(*payment.Config)) {
	s.t.Helper()
	cfg := payment.Config{Store: s.store, Providers: []payment.Provider{s.bank.Narrow()}, Now: s.clock.Now}
	s.keepBooks(&cfg)
	for _, f := range more {
		f(&cfg)
	}
	var err error
	s.pay, err = payment.New(cfg)
	require.NoError(s.t, err)
}

// forgery is a copy of an amount in another shape, for facts that do not fit.
func eur(minor int64) money.Amount { return money.Of(minor, money.EUR) }

type (
	authorizeFunc func(context.Context, payment.AuthorizeRequest) (payment.Result, error)
	refundFunc    func(context.Context, payment.RefundRequest) (payment.Result, error)
)

// adapter wraps a fake provider so that a test can look at or change single
// calls. It has the optional interfaces of the fake, all of them.
type adapter struct {
	*fake.Provider
	authorize func(ctx context.Context, r payment.AuthorizeRequest, next authorizeFunc) (payment.Result, error)
	refund    func(ctx context.Context, r payment.RefundRequest, next refundFunc) (payment.Result, error)
}

func (a *adapter) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	if a.authorize == nil {
		return a.Provider.Authorize(ctx, r)
	}
	return a.authorize(ctx, r, a.Provider.Authorize)
}

func (a *adapter) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	if a.refund == nil {
		return a.Provider.Refund(ctx, r)
	}
	return a.refund(ctx, r, a.Provider.Refund)
}

// openWith opens a shop whose bank is behind an adapter.
func openWith(t *testing.T, store payment.Store, o fake.Options, change func(*adapter), more ...func(*payment.Config)) *shop {
	t.Helper()
	a := &adapter{}
	change(a)
	s := open(t, store, o, append([]func(*payment.Config){func(c *payment.Config) {
		o.Now = c.Now
		a.Provider = fake.New(o)
		c.Providers = []payment.Provider{a}
	}}, more...)...)
	s.bank = a.Provider
	return s
}

// asError is errors.As for a switch.
func asError[T error](err error, target *T) bool { return errors.As(err, target) }

type moneyCurrency = money.Currency

var moneyOf = money.Of
