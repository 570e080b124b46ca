package payment_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// object is what the bank calls the payment's attempt: in a dashboard it is
// seen before our record knows it.
func (s *shop) object(id string) string {
	s.t.Helper()
	for _, m := range s.bank.Movements() {
		if m.Payment == id {
			return m.Object
		}
	}
	s.t.Fatal("no money moved for " + id)
	return ""
}

// dies pays an order in a process that ends after the bank's work and before
// our record: nothing of the answer is known.
func (s *shop) dies(store *flaky, reference string) *payment.Payment {
	s.t.Helper()
	r := s.request(reference)
	r.Key = reference
	p, err := s.pay.Create(s.ctx, r)
	require.NoError(s.t, err)
	store.set(afterUpdates(1, errDied), nil)
	_, err = s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "go"})
	require.Error(s.t, err)
	store.set(nil, nil)
	s.reopen()
	require.Equal(s.t, usd(100_00), s.bank.Truth(p.ID).Collected())
	return p
}

// refundedThere refunds in the bank's dashboard and returns what the bank
// notifies of it: it names the bank's objects alone.
func (s *shop) refundedThere(id, dedup string, minor int64) payment.Event {
	s.t.Helper()
	require.NoError(s.t, s.bank.DashboardRefund(id, usd(minor)))
	s.bank.TakeWebhooks()
	moves := s.bank.Movements()
	return payment.Event{Provider: s.bank.Name(), Dedup: dedup, Kind: payment.OpRefund, Status: payment.ResultApproved,
		Ref: moves[len(moves)-1].Ref, Parent: s.object(id), Amount: usd(minor)}
}

// A refund made in the dashboard is reported while the answer that would tell
// us the object's id is lost. It is nobody's then, and must not stay so.
func TestNotificationBeforeItsObjectIsKnown(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, inner payment.Store) {
		store := &flaky{Store: inner}
		s := open(t, store, fake.Options{})
		p := s.dies(store, "order-1")

		refund := s.refundedThere(p.ID, "evt_refund", 25_00)
		for range 2 {
			e, err := s.pay.Apply(s.ctx, refund)
			require.NoError(t, err)
			require.False(t, e.Applied, "it names nothing that is known yet")
		}
		require.True(t, s.get(p.ID).Totals.Refunded.Done.IsZero())

		s.clock.Add(time.Hour)
		s.repair(10 * time.Minute) // learns of the object
		p = s.agree(p.ID)
		require.Equal(t, usd(25_00), p.Totals.Refunded.Done, dump(p))
		require.Equal(t, usd(75_00), p.Refundable())
		require.Nil(t, p.Parked)
		found := false
		for _, e := range s.events(p.ID) {
			found = found || (e.Dedup == "evt_refund" && e.Applied && e.Cites != "")
		}
		require.True(t, found, "the fact is an event of the payment, and cites the foreign one")

		e, err := s.pay.Apply(s.ctx, refund)
		require.NoError(t, err)
		require.False(t, e.Applied)
		require.Equal(t, usd(25_00), s.agree(p.ID).Totals.Refunded.Done, "a third delivery changes nothing")
	})
}

// More facts than one wait for the same object, and each counts once, also
// where the object becomes known at the same moment.
func TestManyNotificationsBeforeTheirObjectIsKnown(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, inner payment.Store) {
		store := &flaky{Store: inner}
		for round := range 5 {
			s := open(t, store, fake.Options{Name: fmt.Sprintf("bank%d", round)})
			p := s.dies(store, fmt.Sprintf("order-%d", round))
			var facts []payment.Event
			for i := range 6 {
				facts = append(facts, s.refundedThere(p.ID, fmt.Sprint("evt", i), 10_00))
			}
			s.clock.Add(time.Hour)
			learned := payment.Event{Provider: s.bank.Name(), Dedup: "evt_paid", Kind: payment.OpAuthorize, Status: payment.ResultApproved,
				OperationID: p.ID + "o001", Ref: s.object(p.ID), Amount: usd(100_00), Captured: true}
			var all sync.WaitGroup
			for _, e := range append(facts, learned) {
				all.Go(func() {
					for range 50 { // bounded: the provider delivers again
						if _, err := s.pay.Apply(s.ctx, e); err == nil {
							return
						}
					}
					t.Error("a notification was never taken in")
				})
			}
			all.Wait()
			p = s.agree(p.ID)
			require.Equal(t, usd(60_00), p.Totals.Refunded.Done, dump(p))
		}
	})
}

// A fact about a saved method's object that is none of saving belongs to no
// payment: it is kept and acknowledged, not asked for again for ever.
func TestNotificationAboutAMethodsObject(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		m := s.save("s1")
		require.NotEmpty(t, m.Ref)
		for _, fact := range []payment.Event{{Ref: m.Ref}, {Ref: "re_other", Parent: m.Ref}} {
			fact.Provider, fact.Dedup, fact.Kind, fact.Status, fact.Amount = s.bank.Name(), "evt-"+fact.Ref, payment.OpRefund, payment.ResultApproved, usd(1_00)
			e, err := s.pay.Apply(s.ctx, fact)
			require.NoError(t, err)
			require.False(t, e.Applied)
		}
	})
}
