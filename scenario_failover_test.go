package payment_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// Rules 1 to 3 of failover, with a second provider that would take the
// payment: it is asked only where the first one's end is proven and another
// provider may help.
func TestFailoverRules(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		kind   fake.Personality
		step   string
		faults []fake.Fault
		goesOn bool
		status payment.Status // where it stops
	}{
		{"not sent", fake.Plain, "pay", []fake.Fault{fake.NotSent()}, true, ""},
		{"rejected for the shop's account", fake.Plain, "pay", []fake.Fault{fake.RejectedMerchant()}, true, ""},
		{"a decline that another provider may not share", fake.Plain, "pay", []fake.Fault{fake.Decline(payment.ReasonIssuerUnavailable)}, true, ""},
		{"the provider cannot work", fake.Plain, "pay", []fake.Fault{fake.Decline(payment.ReasonProviderUnavailable)}, true, ""},
		{"stolen card", fake.Plain, "pay", []fake.Fault{fake.Decline(payment.ReasonStolenCard)}, false, payment.StatusDeclined},
		{"suspected fraud", fake.Plain, "pay", []fake.Fault{fake.Decline(payment.ReasonSuspectedFraud)}, false, payment.StatusDeclined},
		{"insufficient funds", fake.Plain, "pay", []fake.Fault{fake.Decline(payment.ReasonInsufficientFunds)}, false, payment.StatusDeclined},
		{"authentication required", fake.Plain, "pay", []fake.Fault{fake.Decline(payment.ReasonAuthenticationRequired)}, false, payment.StatusDeclined},
		{"rejected for the request itself", fake.Plain, "pay", []fake.Fault{fake.RejectedRequest()}, false, payment.StatusDeclined},
		{"the payer must act", fake.Plain, "pay", []fake.Fault{fake.Challenge()}, false, payment.StatusRequiresAction},
		{"pending", fake.Plain, "pay", []fake.Fault{fake.Pending()}, false, payment.StatusProcessing},
		{"unknown, lost", fake.Plain, "pay", []fake.Fault{fake.TimeoutBefore(), fake.TimeoutBefore()}, false, payment.StatusUnknown},
		{"unknown, done", fake.Plain, "pay", []fake.Fault{fake.TimeoutAfter(), fake.ResetAfter()}, false, ""},
		{"a 502", fake.Plain, "pay", []fake.Fault{fake.ErrorBefore(), fake.ErrorBefore()}, false, payment.StatusUnknown},
		{"the answer to a create is lost", fake.Stripe, "create", []fake.Fault{fake.TimeoutAfter(), fake.TimeoutBefore()}, true, ""},
		{"the create never arrives", fake.Stripe, "create", []fake.Fault{fake.TimeoutBefore(), fake.TimeoutBefore()}, true, ""},
		{"the answer to a confirm is lost", fake.Stripe, "confirm", []fake.Fault{fake.TimeoutBefore(), fake.TimeoutBefore()}, false, payment.StatusUnknown},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := openPair(t, store, fake.Options{Personality: c.kind}, fake.Options{})
				s.bank.Script(c.step, c.faults...)
				if c.status == payment.StatusUnknown || c.goesOn {
					s.bank.Script("lookup", fake.TimeoutBefore())
				}
				p := s.mustPay(s.request("order-1"))
				attempts := operations(p, payment.OpAuthorize)
				if !c.goesOn {
					require.Len(t, attempts, 1, dump(p))
					require.Empty(t, s.second.Movements())
					if c.status != "" {
						require.Equal(t, c.status, p.Status, dump(p))
					}
					if c.status == payment.StatusDeclined {
						require.NotEmpty(t, s.routed(p.ID, attempts[0].ID), "why no other provider was tried is stored\n%s", dump(p))
					}
				} else {
					require.Len(t, attempts, 2, dump(p))
					require.Equal(t, payment.StatusCaptured, p.Status)
					require.Equal(t, "two", attempts[1].Provider)
					require.Contains(t, attempts[1].Why, "one", "why this provider is stored with the attempt")
					require.True(t, s.hasEvent(p.ID, payment.EventRouted), "and in the outbox")
					require.Equal(t, usd(100_00), s.second.Truth(p.ID).Collected())
				}
				require.NotEmpty(t, attempts[0].Why, "why this provider")
				s.quiet(15)
				s.deliver()
				p = s.agree(p.ID, s.bank, s.second)
				require.LessOrEqual(t, len(s.bank.Truth(p.ID).Collections())+len(s.second.Truth(p.ID).Collections()), 1)
			})
		})
	}
}

// routed returns the reason that was recorded for what followed an attempt.
func (s *shop) routed(id, attempt string) string {
	for _, e := range s.events(id) {
		if e.Type == payment.EventRouted && e.OperationID == attempt {
			return e.Reason
		}
	}
	return ""
}

// Not more providers are tried than Config.MaxAttempts, nor any twice.
func TestFailoverIsBounded(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		var more []*fake.Provider
		s := openPair(t, store, fake.Options{}, fake.Options{}, func(c *payment.Config) {
			for _, name := range []string{"three", "four"} {
				f := fake.New(fake.Options{Name: name, Now: c.Now})
				f.Script("pay", repeat(fake.NotSent(), 9)...)
				more = append(more, f)
				c.Providers = append(c.Providers, f.Narrow())
			}
			c.MaxAttempts = 3
		})
		s.bank.Script("pay", repeat(fake.NotSent(), 9)...)
		s.second.Script("pay", repeat(fake.NotSent(), 9)...)
		p := s.mustPay(s.request("order-1"))
		require.Equal(t, payment.StatusDeclined, p.Status)
		var asked []string
		for _, o := range p.Operations {
			asked = append(asked, o.Provider)
		}
		require.Equal(t, []string{"one", "two", "three"}, asked)
		require.Equal(t, payment.Refused, p.Next().Kind)
		require.Equal(t, payment.ReasonProviderUnavailable, p.Next().Decline.Reason)
		s.agree(p.ID, append(more, s.bank, s.second)...)
	})
}

// A token that one provider gave is offered to no other.
func TestFailoverKeepsTokensHome(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := openPair(t, store, fake.Options{}, fake.Options{Record: true})
		s.bank.Script("pay", fake.NotSent())
		r := s.request("order-1")
		r.Method.Provider = "one"
		p := s.mustPay(r)
		require.Equal(t, payment.StatusDeclined, p.Status)
		require.Empty(t, s.second.Requests())
	})
}

// An object that the lost create made is found later and can be paid by
// nobody: no second collection comes of it.
func TestLostCreateIsHarmless(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := openPair(t, store, fake.Options{Personality: fake.Stripe}, fake.Options{})
		s.bank.Script("create", fake.TimeoutAfter(), fake.TimeoutBefore())
		s.bank.Script("lookup", fake.TimeoutBefore())
		p := s.mustPay(s.request("order-1"))
		require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
		require.Equal(t, payment.StateFailed, p.Operations[0].State)
		s.quiet(30)
		p = s.agree(p.ID, s.bank, s.second)
		require.Empty(t, s.bank.Movements())
		require.Equal(t, payment.StatusCaptured, p.Status)
	})
}
