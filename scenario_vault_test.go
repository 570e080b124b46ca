package payment_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

func (s *shop) save(key string) *payment.SavedMethod {
	s.t.Helper()
	m, err := s.pay.Save(s.ctx, payment.SaveParams{Key: key, Customer: "cust-1", Method: payment.Card("tok_" + key)})
	require.NoError(s.t, err)
	return m
}

// A method is saved, listed, paid with by one click, and forgotten.
func TestSavedMethod(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind})
				m := s.save("s1")
				require.Equal(t, payment.MethodActive, m.State)
				require.Equal(t, "4242", m.Card.Last4)
				require.Equal(t, m.ID, s.save("s1").ID, "the same key stores once")
				listed, err := s.pay.Methods(s.ctx, "cust-1")
				require.NoError(t, err)
				require.Len(t, listed, 1)
				s.deliver() // its notification says what is known
				require.True(t, s.hasEvent("", payment.EventMethod))

				r := s.request("order-1")
				r.Customer, r.Method = "cust-1", payment.Saved(m.ID)
				p := s.mustPay(r)
				require.Equal(t, payment.StatusCaptured, p.Status)
				require.Equal(t, payment.MethodCard, p.Operations[0].Method)
				s.agree(p.ID)

				for name, customer := range map[string]string{"another customer": "cust-2", "a guest": ""} {
					r := s.request("order-2")
					r.Customer, r.Method = customer, payment.Saved(m.ID)
					_, err := s.pay.Pay(s.ctx, r)
					var field *payment.FieldError
					require.ErrorAs(t, err, &field, name)
					require.Equal(t, "Method.Saved", field.Field)
				}
				require.NoError(t, s.pay.Forget(s.ctx, m.ID))
				require.NoError(t, s.pay.Forget(s.ctx, m.ID), "it can be called again")
				listed, err = s.pay.Methods(s.ctx, "cust-1")
				require.NoError(t, err)
				require.Empty(t, listed)
				r = s.request("order-3")
				r.Customer, r.Method = "cust-1", payment.Saved(m.ID)
				_, err = s.pay.Pay(s.ctx, r)
				var field *payment.FieldError
				require.ErrorAs(t, err, &field, "a forgotten method is named, not a decryption error")
				require.Equal(t, "Method.Saved", field.Field)
				require.Error(t, s.pay.Forget(s.ctx, "pm_nothing"))
			})
		})
	}
}

// Saving needs the payer: the end comes by notification.
func TestSaveWithChallenge(t *testing.T) {
	t.Parallel()
	for name, pass := range map[string]bool{"passed": true, "failed": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{})
				sp := payment.SaveParams{Key: "s1", Customer: "cust-1", Method: payment.Card(fake.TokenChallenge), ReturnURL: "https://shop.example/back"}
				m, err := s.pay.Save(s.ctx, sp)
				require.NoError(t, err)
				require.Equal(t, payment.MethodActionRequired, m.State)
				require.NotNil(t, m.Action)
				require.Equal(t, payment.ActionChallenge, m.Action.Kind)
				again, err := s.pay.Save(s.ctx, sp)
				require.NoError(t, err)
				require.Equal(t, m.ID, again.ID)
				require.NotNil(t, again.Action, "a reloaded page gets the challenge again")
				listed, err := s.pay.Methods(s.ctx, "cust-1")
				require.NoError(t, err)
				require.Empty(t, listed, "it cannot be paid with yet")
				if pass {
					require.NoError(t, s.bank.PayerPays(m.ID))
				} else {
					require.NoError(t, s.bank.PayerFailsChallenge(m.ID))
				}
				hooks := s.bank.TakeWebhooks()
				for range 2 {
					for _, w := range hooks {
						s.receive(s.bank, w)
					}
				}
				m, err = s.pay.Save(s.ctx, sp)
				require.NoError(t, err)
				if !pass {
					require.Equal(t, payment.MethodFailed, m.State)
					require.Equal(t, payment.ReasonAuthenticationFailed, m.Decline.Reason)
					return
				}
				require.Equal(t, payment.MethodActive, m.State)
				r := s.request("order-1")
				r.Customer, r.Method = "cust-1", payment.Saved(m.ID)
				require.Equal(t, payment.StatusCaptured, s.mustPay(r).Status)
			})
		})
	}
}

// The answer to Save is lost: the same key asks again and stores once.
func TestSaveLostAnswer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fake.Fault{"arrived": fake.TimeoutAfter(), "lost": fake.TimeoutBefore()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Record: true})
				s.bank.Script("save", fault)
				m := s.save("s1")
				require.Equal(t, payment.MethodSaving, m.State)
				m = s.save("s1")
				require.Equal(t, payment.MethodActive, m.State)
				listed, err := s.pay.Methods(s.ctx, "cust-1")
				require.NoError(t, err)
				require.Len(t, listed, 1)
				for _, r := range s.bank.Requests() {
					require.Equal(t, m.ID, r.Key, "every send carries the one key")
				}
				s.deliver()
			})
		})
	}
	t.Run("the notification tells", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			s.bank.Script("save", fake.TimeoutAfter())
			require.Equal(t, payment.MethodSaving, s.save("s1").State)
			s.deliver()
			listed, err := s.pay.Methods(s.ctx, "cust-1")
			require.NoError(t, err)
			require.Len(t, listed, 1)
		})
	})
}

func TestSaveRefused(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		m, err := s.pay.Save(s.ctx, payment.SaveParams{Key: "s1", Customer: "cust-1", Method: payment.Card(fake.TokenDecline(payment.ReasonStolenCard))})
		require.NoError(t, err)
		require.Equal(t, payment.MethodFailed, m.State)
		require.Equal(t, payment.ReasonStolenCard, m.Decline.Reason)
		_, err = s.pay.Save(s.ctx, payment.SaveParams{Key: "s1", Customer: "cust-1", Method: payment.Card("tok_another")})
		require.ErrorIs(t, err, payment.ErrKeyReused, "a reused key is the same error with every verb")
		_, err = s.pay.Save(s.ctx, payment.SaveParams{Key: "s2", Method: payment.Card("tok_x")})
		require.ErrorIs(t, err, payment.ErrInvalid, "guests have no saved methods")
		_, err = s.pay.Save(s.ctx, payment.SaveParams{Key: "s3", Customer: "cust-1", Method: payment.Using(payment.MethodIDEAL)})
		require.ErrorIs(t, err, payment.ErrNoProvider)
	})
}

// The provider did not confirm that it forgot: the method stays, and the call
// can be repeated.
func TestForgetFails(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		m := s.save("s1")
		s.bank.Script("forget", fake.TimeoutBefore())
		err := s.pay.Forget(s.ctx, m.ID)
		var ce *payment.CallError
		require.ErrorAs(t, err, &ce)
		listed, err := s.pay.Methods(s.ctx, "cust-1")
		require.NoError(t, err)
		require.Len(t, listed, 1)
		require.NoError(t, s.pay.Forget(s.ctx, m.ID))
	})
}

// A payment may save its method on the way.
func TestPaySaves(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind})
				r := s.request("order-1")
				r.Customer, r.Save = "cust-1", true
				s.mustPay(r)
				s.quiet(2) // answer, notification and look-ups say the same: it is saved once
				listed, err := s.pay.Methods(s.ctx, "cust-1")
				require.NoError(t, err)
				require.Len(t, listed, 1)
				r = s.request("order-2")
				r.Customer, r.Method = "cust-1", payment.Saved(listed[0].ID)
				r.OffSession = true
				p := s.mustPay(r)
				require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
				guest := s.request("order-3")
				guest.Save = true
				_, err = s.pay.Pay(s.ctx, guest)
				require.ErrorIs(t, err, payment.ErrInvalid)
			})
		})
	}
}

// Two clicks on "save this card" with one key store it once.
func TestSaveAtOnce(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		together(8, func(int) {
			if _, err := s.pay.Save(s.ctx, payment.SaveParams{Key: "s1", Customer: "cust-1", Method: payment.Card("tok_x")}); err != nil {
				t.Error(err)
			}
		})
		s.clock.Add(time.Minute)
		s.deliver()
		listed, err := s.pay.Methods(s.ctx, "cust-1")
		require.NoError(t, err)
		require.Len(t, listed, 1)
	})
}

// A success is reported by several facts: one brings the token, another the
// card, and they come in any order. The method is kept once and whole, and not
// kept again once it was forgotten.
func TestSavedWithAPaymentInAnyOrderOfFacts(t *testing.T) {
	t.Parallel()
	card := payment.CardInfo{Brand: "visa", Last4: "3220", ExpMonth: 4, ExpYear: 2030}
	type fact struct {
		name string
		add  func(*payment.Event)
	}
	bare := fact{"bare", func(*payment.Event) {}}
	token := fact{"token", func(e *payment.Event) { e.Token = payment.NewSecret("tok_kept") }}
	face := fact{"card", func(e *payment.Event) { e.Card = card }}
	for _, order := range [][]fact{{bare, token, face}, {token, bare, face}, {face, token, bare}, {token, face, token}} {
		name := order[0].name + " " + order[1].name + " " + order[2].name
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{})
				s.bank.Script("pay", fake.Pending())
				r := s.request("order-1")
				r.Customer, r.Save = "cust-1", true
				p := s.mustPay(r)
				s.bank.TakeWebhooks()
				tell := func(dedup string, f fact) {
					e := payment.Event{Provider: s.bank.Name(), Dedup: dedup, Kind: payment.OpAuthorize, Status: payment.ResultApproved,
						OperationID: p.Operations[0].ID, Ref: p.Operations[0].Ref, Amount: usd(100_00), Captured: true}
					f.add(&e)
					_, err := s.pay.Apply(s.ctx, e)
					require.NoError(t, err)
				}
				for i, f := range order {
					tell(fmt.Sprint("evt-", i), f)
				}
				kept, err := s.pay.Methods(s.ctx, "cust-1")
				require.NoError(t, err)
				require.Len(t, kept, 1)
				require.Equal(t, card, kept[0].Card)
				require.NoError(t, s.pay.Forget(s.ctx, kept[0].ID))
				tell("evt-late", token)
				kept, err = s.pay.Methods(s.ctx, "cust-1")
				require.NoError(t, err)
				require.Empty(t, kept, "what was forgotten stays forgotten")
			})
		})
	}
}
