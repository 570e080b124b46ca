package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// The first send timed out; the replay is refused at the door. The refusal
// proves nothing about the first send: nothing is charged elsewhere, and a
// look-up finds out.
func TestReplayRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	doors := map[string]fake.Fault{"429": fake.RejectedMerchant(), "400": fake.RejectedRequest(), "refused connection": fake.NotSent(), "key busy": fake.KeyBusy()}
	for name, door := range doors {
		for how, first := range map[string]fake.Fault{"first arrived": fake.TimeoutAfter(), "first lost": fake.TimeoutBefore()} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				onStores(t, func(t *testing.T, store payment.Store) {
					s := openPair(t, store, fake.Options{}, fake.Options{})
					s.bank.Script("pay", first, door)
					s.bank.Script("lookup", fake.TimeoutBefore())
					p := s.mustPay(s.request("order-1"))
					require.Equal(t, payment.StatusUnknown, p.Status, dump(p))
					require.Equal(t, payment.Wait, p.Next().Kind)
					require.Empty(t, s.second.Movements(), "nothing is charged elsewhere while it is not known")
					_, err := s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "impatient", Method: payment.Card("tok_other")})
					require.NoError(t, err)
					require.Equal(t, payment.StatusUnknown, s.get(p.ID).Status, "not even on the payer's wish")
					s.quiet(15)
					p = s.agree(p.ID, s.bank, s.second)
					require.Empty(t, s.second.Movements())
					if how == "first arrived" {
						require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
					} else {
						require.Equal(t, payment.StatusDeclined, p.Status, dump(p))
						require.Empty(t, s.bank.Movements())
					}
				})
			})
		}
	}
}

// A request that lay in a queue arrives after the look-up said "not there".
func TestLateArrival(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind})
				step := s.bank.Capabilities().Methods[payment.MethodCard].Flow
				s.bank.Script(step[len(step)-1].Name, fake.Late(50*time.Second), fake.TimeoutBefore())
				p := s.mustPay(s.request("order-1"))
				require.Equal(t, payment.StatusUnknown, p.Status, dump(p))
				s.quiet(15)
				p = s.agree(p.ID)
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				require.Len(t, s.bank.Truth(p.ID).Collections(), 1)
			})
		})
	}
}

// The object exists at the provider but its index lags: a look-up by our
// reference that finds nothing proves nothing before the grace is over.
func TestLookupThatLags(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{LookupLag: 50 * time.Second, NoWebhooks: true})
		s.bank.Script("pay", fake.TimeoutAfter(), fake.ErrorBefore())
		p := s.mustPay(s.request("order-1"))
		require.Equal(t, payment.StatusUnknown, p.Status)
		s.repair(15 * time.Minute)
		require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
	})
}

// Stripe repeats a saved 500 for the whole life of the key: replays learn
// nothing, and a look-up decides.
func TestSavedErrorIsNoAnswer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fake.Fault{"work done": fake.ErrorAfter(), "no work": fake.ErrorSaved()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: fake.Stripe, NoWebhooks: true})
				s.bank.Script("confirm", fault)
				p := s.mustPay(s.request("order-1"))
				s.repair(15 * time.Minute)
				p = s.agree(p.ID)
				if name == "work done" {
					require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				} else {
					require.Equal(t, payment.StatusDeclined, p.Status, dump(p))
					require.Empty(t, s.bank.Movements())
				}
			})
		})
	}
}

// The key's life is over: a replay would act again, so none is sent.
func TestNoReplayAfterTheKeysLife(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Record: true, NoWebhooks: true})
		p := s.paid("order-1")
		s.bank.Script("refund", fake.TimeoutAfter())
		s.bank.Script("lookup", repeat(fake.TimeoutBefore(), 400)...)
		p, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(60_00)})
		require.NoError(t, err)
		key := operations(p, payment.OpRefund)[0].Steps[0].ID
		s.bank.Script("refund", fake.TimeoutBefore(), fake.TimeoutBefore(), fake.TimeoutBefore())
		s.repair(30 * time.Minute)
		s.clock.Add(48 * time.Hour)
		calls := s.bank.Calls(key)
		s.repair(30 * time.Minute)
		require.Equal(t, calls, s.bank.Calls(key), "a replay after the key's life would refund twice")
		s.bank.ClearScript()
		s.clock.Add(2 * time.Hour)
		s.repair(30 * time.Minute)
		p = s.agree(p.ID)
		require.Equal(t, usd(60_00), p.Totals.Refunded.Done, dump(p))
	})
}

func repeat(f fake.Fault, n int) []fake.Fault {
	out := make([]fake.Fault, n)
	for i := range out {
		out[i] = f
	}
	return out
}

// What cannot be proven is not guessed: after Config.ParkAfter a person is
// asked, the payment stays unknown, and a late proof still counts.
func TestUnprovableIsParked(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{NoWebhooks: true})
		s.bank.Script("pay", repeat(fake.TimeoutAfter(), 50)...)
		s.bank.Script("lookup", repeat(fake.TimeoutBefore(), 5000)...)
		s.bank.Script("cancel", repeat(fake.TimeoutBefore(), 500)...)
		p := s.mustPay(s.request("order-1"))
		for range 5 * 24 {
			s.clock.Add(time.Hour)
			s.repair(time.Minute)
		}
		p = s.get(p.ID)
		require.Equal(t, payment.StatusUnknown, p.Status, dump(p))
		require.NotNil(t, p.Parked)
		require.True(t, s.hasEvent(p.ID, payment.EventParked))
		s.bank.ClearScript()
		s.clock.Add(26 * time.Hour)
		s.repair(2 * time.Hour)
		require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
	})
}

// Where nothing can be looked up (Adyen), the fence by our reference decides.
func TestUnknownWithoutLookup(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fake.Fault{"arrived": fake.TimeoutAfter(), "lost": fake.TimeoutBefore()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: fake.Adyen})
				s.bank.Script("payments", fault, fake.ErrorBefore())
				p := s.mustPay(s.request("order-1"))
				require.Equal(t, payment.StatusUnknown, p.Status)
				s.bank.TakeWebhooks() // lost
				s.quiet(30)
				p = s.agree(p.ID)
				require.NotEqual(t, payment.StatusUnknown, p.Status, dump(p))
				require.LessOrEqual(t, len(s.bank.Truth(p.ID).Collections()), 1)
			})
		})
	}
}

// An adapter that panics, or answers what nobody can read, leaves an unknown
// outcome and harms nobody else.
func TestAdapterMisbehaves(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fake.Fault{"panic": fake.Panic(), "garbage": fake.Garbage()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{})
				s.bank.Script("pay", fault, fault)
				p, err := s.pay.Pay(s.ctx, s.request("order-1"))
				require.NoError(t, err)
				require.Contains(t, []payment.Status{payment.StatusUnknown, payment.StatusCaptured}, p.Status)
				s.quiet(15)
				p = s.agree(p.ID)
				require.NotEqual(t, payment.StatusUnknown, p.Status, dump(p))
				require.Equal(t, payment.StatusCaptured, s.mustPay(s.request("order-2")).Status)
			})
		})
	}
}
