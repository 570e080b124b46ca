package payment_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/ledger/posting"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/memstore"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlite"
)

// clock is a clock that tests turn by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// shop is one client with its store, bank and clock.
type shop struct {
	t     *testing.T
	ctx   context.Context
	clock *clock
	store payment.Store
	bank  *fake.Provider
	pay   *payment.Client
	books *posting.Books // nil on a store that keeps no ledger
	keys  atomic.Int64
}

// stores lists the stores every scenario runs on.
var stores = []struct {
	name string
	open func(t *testing.T) payment.Store
}{
	{"memstore", func(*testing.T) payment.Store { return memstore.New() }},
	{"sqlite", func(t *testing.T) payment.Store {
		s, err := sqlite.Open(filepath.Join(t.TempDir(), "shop.db"))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}},
	{"postgres", func(t *testing.T) payment.Store {
		s, err := postgres.Open(context.Background(), migrated(t))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}},
}

// migrated returns a fresh PostgreSQL database that has the tables already.
func migrated(t *testing.T) string {
	t.Helper()
	return pgtest.Copy(t, "migrated", func(dsn string) error {
		s, err := postgres.Open(context.Background(), dsn)
		if err != nil {
			return err
		}
		return s.Close()
	})
}

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// onStores runs a scenario on every store.
func onStores(t *testing.T, scenario func(t *testing.T, store payment.Store)) {
	t.Helper()
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			scenario(t, s.open(t))
		})
	}
}

func open(t *testing.T, store payment.Store, o fake.Options, more ...func(*payment.Config)) *shop {
	t.Helper()
	s := &shop{t: t, ctx: context.Background(), clock: newClock(), store: store}
	o.Now = s.clock.Now
	s.bank = fake.New(o)
	cfg := payment.Config{Store: store, Providers: []payment.Provider{s.bank.Narrow()}, Now: s.clock.Now}
	s.keepBooks(&cfg)
	for _, f := range more {
		f(&cfg)
	}
	var err error
	s.pay, err = payment.New(cfg)
	require.NoError(t, err)
	t.Cleanup(s.audit)
	return s
}

func usd(minor int64) money.Amount { return money.Of(minor, money.USD) }

func (s *shop) key() string { return fmt.Sprintf("key-%d", s.keys.Add(1)) }

// request is an order of 100.00 USD by card.
func (s *shop) request(ref string) payment.Request {
	return payment.Request{Key: s.key(), Reference: ref, Amount: usd(100_00), Method: payment.Card(fake.TokenApproved), ReturnURL: "https://shop.example/return"}
}

func (s *shop) get(id string) *payment.Payment {
	s.t.Helper()
	p, err := s.pay.Get(s.ctx, id)
	require.NoError(s.t, err)
	return p
}

// deliver hands the bank's waiting notifications to the client.
func (s *shop) deliver() int {
	s.t.Helper()
	hooks := s.bank.TakeWebhooks()
	for _, w := range hooks {
		w.Now = s.clock.Now()
		_, err := s.pay.Receive(s.ctx, s.bank.Name(), w)
		require.NoError(s.t, err)
	}
	return len(hooks)
}

// repair turns the clock and lets the worker run, until nothing changes any
// more or the time is over.
func (s *shop) repair(d time.Duration) {
	s.t.Helper()
	for end := s.clock.Now().Add(d); s.clock.Now().Before(end); s.clock.Add(20 * time.Second) {
		_, err := s.pay.RunOnce(s.ctx)
		require.NoError(s.t, err)
	}
}

func TestPaySmoke(t *testing.T) {
	t.Parallel()
	for _, kind := range fake.Personalities() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind})
				mc := s.bank.Capabilities().Methods
				r := s.request("order-1")
				for m := range mc {
					r.Method.Method = m
					if len(mc[m].Currencies) > 0 {
						r.Amount = money.Of(10000, mc[m].Currencies[0])
					}
				}
				p, err := s.pay.Pay(s.ctx, r)
				require.NoError(t, err)
				t.Log(p, p.Next().Kind)
				if p.Next().Kind == payment.PayerMustAct {
					require.NoError(t, s.bank.PayerPays(p.ID))
					p, err = s.pay.Resume(s.ctx, p.ID, s.bank.Return(p.Operations[0].Ref))
					require.NoError(t, err)
					t.Log(p, p.Next().Kind)
				}
				s.deliver()
				s.repair(5 * time.Minute)
				s.deliver()
				p = s.get(p.ID)
				require.Equal(t, payment.StatusCaptured, p.Status, "%v", dump(p))
				require.Equal(t, r.Amount, s.bank.Truth(p.ID).Collected())
				p, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: money.Of(4000, r.Amount.Currency())})
				require.NoError(t, err)
				s.repair(time.Minute)
				s.deliver()
				p = s.get(p.ID)
				require.Equal(t, payment.StatusPartiallyRefunded, p.Status, "%v", dump(p))
				require.Equal(t, int64(4000), p.Totals.Refunded.Done.Minor())
				require.Equal(t, int64(4000), s.bank.Truth(p.ID).Refunded().Minor())
			})
		})
	}
}

func dump(p *payment.Payment) string {
	out := p.String() + "\n"
	for _, o := range p.Operations {
		out += fmt.Sprintf("  %s %s %s %s amount=%s approved=%s ref=%s charging=%v payable=%v over=%v sup=%v fail=%v decline=%v\n", o.ID[24:], o.Kind, o.Origin, o.State, o.Amount, o.Approved, o.Ref, o.Charging, o.Payable, o.Overpaid, o.Superseded, o.Failure, o.Decline.Reason)
		for _, st := range o.Steps {
			out += fmt.Sprintf("     %s %s %s sends=%d doubt=%v closed=%v checks=%d due=%s fail=%v\n", st.ID[28:], st.Name, st.State, st.Sends, st.Doubt, st.Closed, st.Checks, st.DueAt.Format(time.TimeOnly), st.Failure)
		}
	}
	if p.Parked != nil {
		out += fmt.Sprintf("  parked: %+v\n", *p.Parked)
	}
	return out
}
