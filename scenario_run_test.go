package payment_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/memstore"
)

// Two workers on one store share the work by leases: no step is sent twice at
// a time, and what one drops when it dies, the other takes up.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Record: true})
		var ids []string
		for i := range 12 {
			r := s.request(fmt.Sprint("order-", i))
			r.Unattended = true
			p, err := s.pay.Create(s.ctx, r)
			require.NoError(t, err)
			ids = append(ids, p.ID)
		}
		s.clock.Add(2 * time.Minute)
		other, err := payment.New(payment.Config{Store: store, Providers: []payment.Provider{s.bank.Narrow()}, Now: s.clock.Now, Books: s.participant()})
		require.NoError(t, err)
		var looked atomic.Int64
		together(2, func(i int) {
			c := s.pay
			if i == 1 {
				c = other
			}
			n, err := c.RunOnce(s.ctx)
			if err != nil {
				t.Error(err)
			}
			looked.Add(int64(n))
		})
		require.EqualValues(t, 12, looked.Load(), "each payment was looked at by one of them")
		require.Len(t, s.bank.Requests(), 12, "and sent once")
		for _, id := range ids {
			require.Equal(t, payment.StatusCaptured, s.agree(id).Status)
		}
	})
	t.Run("one dies", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			r := s.request("order-1")
			r.Unattended = true
			p, err := s.pay.Create(s.ctx, r)
			require.NoError(t, err)
			s.clock.Add(2 * time.Minute)
			// A worker takes the lease and is never heard of again.
			taken, err := store.ClaimDue(s.ctx, "w-dead", s.clock.Now(), s.clock.Now().Add(3*time.Minute), 10)
			require.NoError(t, err)
			require.Equal(t, []string{p.ID}, taken)
			n, err := s.pay.RunOnce(s.ctx)
			require.NoError(t, err)
			require.Zero(t, n, "as long as the lease holds, nobody else takes it")
			s.clock.Add(4 * time.Minute)
			_, err = s.pay.RunOnce(s.ctx)
			require.NoError(t, err)
			require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
		})
	})
}

// Run works until its context ends, and returns the context's error.
func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		r := s.request("order-1")
		r.Unattended = true
		p, err := s.pay.Create(s.ctx, r)
		require.NoError(t, err)
		s.clock.Add(2 * time.Minute)
		ctx, stop := context.WithCancel(s.ctx)
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- s.pay.Run(ctx) }()
		require.Eventually(t, func() bool {
			q, err := s.pay.Get(s.ctx, p.ID)
			return err == nil && q.Status == payment.StatusCaptured
		}, 10*time.Second, 5*time.Millisecond, "Run did the due work")
		stop()
		select {
		case err := <-ended:
			require.ErrorIs(t, err, context.Canceled)
		case <-time.After(10 * time.Second):
			t.Fatal("Run did not end with its context")
		}
	})
}

// One payment that cannot be repaired stops nobody else.
func TestRunGoesOnPastABrokenPayment(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, inner payment.Store) {
		store := &flaky{Store: inner}
		s := open(t, store, fake.Options{})
		for i := range 3 {
			r := s.request(fmt.Sprint("order-", i))
			r.Unattended = true
			_, err := s.pay.Create(s.ctx, r)
			require.NoError(t, err)
		}
		s.clock.Add(2 * time.Minute)
		var n atomic.Int64
		store.set(func() error {
			if n.Add(1) == 1 {
				return errDied
			}
			return nil
		}, nil)
		_, err := s.pay.RunOnce(s.ctx)
		require.NoError(t, err)
		store.set(nil, nil)
		paid, err := s.pay.List(s.ctx, payment.PaymentQuery{Statuses: []payment.Status{payment.StatusCaptured}})
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(paid), 2)
		s.quiet(10)
		paid, err = s.pay.List(s.ctx, payment.PaymentQuery{Statuses: []payment.Status{payment.StatusCaptured}})
		require.NoError(t, err)
		require.Len(t, paid, 3)
	})
}

// narrowName is a provider under another name.
type renamed struct {
	*fake.Provider
	name string
}

func (r renamed) Name() string { return r.name }

// New names every problem of a configuration at once, each with its remedy.
func TestNewNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := payment.New(payment.Config{
		Providers: []payment.Provider{nil, renamed{fake.New(fake.Options{}), "Not Valid"}, fake.New(fake.Options{}), fake.New(fake.Options{})},
		Hooks: []payment.HookConfig{{}, {Hook: &hook{name: "", stages: []payment.Stage{"sometime"}}, OnError: 9},
			{Hook: &hook{name: "idle"}}},
		Participants: []payment.Participant{nil},
		MasterKeys:   [][]byte{make([]byte, 16)},
		CallTimeout:  time.Hour,
		HookTimeout:  -1,
		ReviewFor:    -1,
		ExpireAfter:  -1,
		ParkAfter:    -1,
		MaxAttempts:  -1,
	})
	require.ErrorIs(t, err, payment.ErrInvalid)
	for _, field := range []string{"Config.Store", "Config.Providers[0]", "Config.Providers[1]", "Config.Providers[3]", "Config.Hooks[0].Hook",
		"Config.Hooks[1].Hook", "Config.Hooks[1].OnError", "Config.Hooks[1]", "Config.Hooks[2]", "Config.Participants[0]", "Config.MasterKeys[0]",
		"Config.CallTimeout", "Config.HookTimeout", "Config.ReviewFor", "Config.ExpireAfter", "Config.ParkAfter", "Config.MaxAttempts"} {
		require.Contains(t, err.Error(), field+" ", "not named")
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		require.Contains(t, line, ": ", "a problem without a remedy: %s", line)
		require.True(t, strings.HasPrefix(line, "payment: "), line)
	}
	// Nil pointers, of constructors whose error nobody looked at.
	var unopened *memstore.Store
	var unmade *fake.Provider
	_, err = payment.New(payment.Config{Store: unopened, Providers: []payment.Provider{unmade}})
	require.ErrorContains(t, err, "Config.Store")
	require.ErrorContains(t, err, "Config.Providers[0]")
	_, err = payment.New(payment.Config{})
	require.ErrorContains(t, err, "Config.Store")
	require.ErrorContains(t, err, "Config.Providers")
}

// half is a provider that declares what it does not implement.
type half struct{ payment.Provider }

func TestNewChecksCapabilities(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		_, err := payment.New(payment.Config{Store: store, Providers: []payment.Provider{half{fake.New(fake.Options{})}}})
		for _, iface := range []string{"Capturer", "Voider", "Refunder", "Lookuper", "Fencer", "Vault", "Disputer", "Splitter", "WebhookParser"} {
			require.ErrorContains(t, err, iface)
		}
	})
}

// A provider that was taken out of the configuration while it has operations
// open: nobody could ever learn their outcome.
func TestNewMissesAnInstance(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Name: "old"})
		p := s.unknown(fake.TimeoutAfter())
		now := fake.New(fake.Options{Name: "new", Now: s.clock.Now})
		_, err := payment.New(payment.Config{Store: store, Providers: []payment.Provider{now.Narrow()}, Now: s.clock.Now})
		var field *payment.FieldError
		require.ErrorAs(t, err, &field)
		require.Equal(t, "Config.Providers", field.Field)
		require.Contains(t, err.Error(), `"old"`)
		require.Contains(t, err.Error(), p.ID)
		s.quiet(10)
		require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
		_, err = payment.New(payment.Config{Store: store, Providers: []payment.Provider{now.Narrow()}, Now: s.clock.Now})
		require.NoError(t, err, "once they have ended it may go")
	})
}

// poisoned cannot read some payments: their rows are damaged.
type poisoned struct {
	payment.Store
	ids map[string]bool
}

func (s *poisoned) Payment(ctx context.Context, id string) (*payment.Payment, error) {
	if s.ids[id] {
		return nil, errors.New("the row is damaged")
	}
	return s.Store.Payment(ctx, id)
}

// More payments than the worker takes at a time can never be repaired. They
// hold up no other.
func TestPaymentsThatCannotBeRepairedHoldUpNoOther(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, inner payment.Store) {
		store := &poisoned{Store: inner, ids: map[string]bool{}}
		s := open(t, store, fake.Options{})
		for i := range 40 {
			r := s.request(fmt.Sprint("damaged-", i))
			p, err := s.pay.Create(s.ctx, r)
			require.NoError(t, err)
			store.ids[p.ID] = true
		}
		s.bank.Script("pay", fake.TimeoutAfter(), fake.TimeoutAfter(), fake.TimeoutAfter())
		s.clock.Add(time.Minute)
		p, err := s.pay.Create(s.ctx, s.request("healthy"))
		require.NoError(t, err)
		s.clock.Add(100 * 24 * time.Hour) // all are due, the damaged ones first
		for range 2 {
			_, err = s.pay.RunOnce(s.ctx)
			require.NoError(t, err)
		}
		require.Equal(t, payment.StatusExpired, s.get(p.ID).Status)
	})
}
