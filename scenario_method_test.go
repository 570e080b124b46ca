package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

// wallets are the four ways in which an attempt that a payer left is made
// unpayable, each by the personality that has it.
var wallets = []struct {
	fence payment.Fence
	kind  fake.Personality
}{
	{payment.FenceOurs, fake.PayPal},
	{payment.FenceConfirmed, fake.WeChatPay},
	{payment.FenceConfirmed, fake.Stripe}, // a card with a challenge
	{payment.FenceDeadline, fake.Alipay},
}

// openWallet opens a shop whose first provider is a wallet and whose second
// takes cards, and starts a payment that waits for the payer at the wallet.
func openWallet(t *testing.T, store payment.Store, kind fake.Personality, more ...func(*payment.Config)) (*pair, *payment.Payment) {
	t.Helper()
	s := openPair(t, store, fake.Options{Personality: kind}, fake.Options{}, more...)
	r := s.request("order-1")
	for m, c := range s.bank.Capabilities().Methods {
		r.Method = payment.Using(m)
		if m == payment.MethodCard {
			r.Method = payment.Card(fake.TokenChallenge)
			r.Method.Provider = "one"
		}
		if len(c.Currencies) > 0 {
			r.Amount = money.Of(100_00, c.Currencies[0])
		}
	}
	p := s.mustPay(r)
	require.Equal(t, payment.PayerMustAct, p.Next().Kind, dump(p))
	s.deliver()
	return s, s.get(p.ID)
}

func (s *pair) byCard(id, key string) *payment.Payment {
	s.t.Helper()
	m := payment.Card(fake.TokenApproved)
	m.Provider = "two"
	p, err := s.pay.Proceed(s.ctx, id, payment.Choice{Key: key, Method: m})
	require.NoError(s.t, err)
	return p
}

// A payer leaves the wallet's page and pays by card.
func TestPayerComesBackWithAnotherMethod(t *testing.T) {
	t.Parallel()
	for _, w := range wallets {
		t.Run(string(w.kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s, p := openWallet(t, store, w.kind)
				p = s.byCard(p.ID, "card")
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				require.True(t, p.Operations[0].Superseded)
				require.Equal(t, int64(100_00), s.second.Truth(p.ID).Collected().Minor())
				require.Empty(t, s.bank.Truth(p.ID).Collections())
				again := s.byCard(p.ID, "card")
				require.Len(t, operations(again, payment.OpAuthorize), 2, "the same choice twice is one attempt")
				s.quiet(60)
				p = s.agree(p.ID, s.bank, s.second)
				require.Equal(t, payment.StatusCaptured, p.Status)
				require.False(t, p.Operations[0].State.Outstanding(), "the left attempt is closed in the end\n%s", dump(p))
			})
		})
	}
}

// The fence is not confirmed: another attempt opens only after it is, where
// the method has a confirmed fence.
func TestAnotherMethodWaitsForTheFence(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.WeChatPay, fake.Stripe} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s, p := openWallet(t, store, kind)
				fence := s.bank.Capabilities().Methods[p.Operations[0].Method].FenceStep.Name
				s.bank.Script(fence, fake.TimeoutBefore())
				p = s.byCard(p.ID, "card-1")
				require.Len(t, operations(p, payment.OpAuthorize), 1, "the old attempt may still be paid\n%s", dump(p))
				require.Empty(t, s.second.Movements())
				s.quiet(5) // the fence is asked for again
				p = s.byCard(p.ID, "card-2")
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				s.agree(p.ID, s.bank, s.second)
			})
		})
	}
}

// The payer paid at the wallet in the moment the card was chosen: the fence
// fails, the look-up shows it, and the card is not charged.
func TestAnotherMethodAfterThePayerPaid(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.WeChatPay, fake.Stripe} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s, p := openWallet(t, store, kind)
				require.NoError(t, s.bank.PayerPays(p.ID))
				s.bank.TakeWebhooks() // lost
				p = s.byCard(p.ID, "card")
				s.quiet(3)
				p = s.agree(p.ID, s.bank, s.second)
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				require.Empty(t, s.second.Movements(), "paid is paid")
			})
		})
	}
}

// Alipay has no confirmed fence: another attempt opens at once, and the payer
// may pay the old link as well. The second money goes back, and the paid order
// stays paid.
func TestPayerPaysTheOldLinkToo(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s, p := openWallet(t, store, fake.Alipay)
		s.byCard(p.ID, "card")
		require.NoError(t, s.bank.PayerPays(p.ID), "the signed link is good until its deadline")
		s.quiet(40)
		p = s.agree(p.ID, s.bank, s.second)
		require.Equal(t, payment.StatusCaptured, p.Status, "the paid order stays paid\n%s", dump(p))
		require.Equal(t, int64(100_00), p.Totals.Captured.Done.Minor())
		require.Equal(t, int64(100_00), p.Totals.Overpaid.Done.Minor())
		require.Equal(t, int64(100_00), p.Totals.OverpaidRefunded.Done.Minor())
		require.True(t, p.Totals.Refunded.Done.IsZero())
		require.Equal(t, int64(100_00), s.bank.Truth(p.ID).Refunded().Minor())
		require.Empty(t, s.second.Truth(p.ID).Sum(fake.MoveRefunded))
		require.True(t, s.hasEvent(p.ID, payment.EventIncident))
		_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1"})
		require.NoError(t, err, "the incident's refund took nothing of what the order may refund")
		s.quiet(1)
		require.Equal(t, payment.StatusRefunded, s.agree(p.ID, s.bank, s.second).Status)
	})
	t.Run("and it is kept for a person", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s, p := openWallet(t, store, fake.Alipay, func(c *payment.Config) { c.KeepOverpaid = true })
			s.byCard(p.ID, "card")
			require.NoError(t, s.bank.PayerPays(p.ID))
			s.quiet(40)
			p = s.agree(p.ID, s.bank, s.second)
			require.Equal(t, int64(100_00), p.Totals.Overpaid.Done.Minor(), dump(p))
			require.True(t, p.Totals.OverpaidRefunded.Done.IsZero())
			require.NotNil(t, p.Parked)
			require.Equal(t, payment.StatusCaptured, p.Status)
			p, err := s.pay.Decide(s.ctx, payment.Decision{PaymentID: p.ID, Operation: p.Parked.Operation, Finding: payment.FindingNoted, Who: "mia", Evidence: "assigned to order-7"})
			require.NoError(t, err)
			require.Nil(t, p.Parked)
		})
	})
	t.Run("and its refund is refused", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s, p := openWallet(t, store, fake.Alipay)
			s.byCard(p.ID, "card")
			s.bank.Script("refund", fake.Decline(payment.ReasonMerchantBalance))
			require.NoError(t, s.bank.PayerPays(p.ID))
			s.quiet(40)
			p = s.agree(p.ID, s.bank, s.second)
			require.Equal(t, int64(100_00), p.Totals.Overpaid.Done.Minor())
			require.True(t, p.Totals.OverpaidRefunded.Done.IsZero())
			require.NotNil(t, p.Parked, "money that is not the shop's and could not be given back needs a person\n%s", dump(p))
		})
	})
}

// PayPal's order needs our capture: the payer's late approval moves nothing.
func TestPayerApprovesTheOrderThatWasLeft(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s, p := openWallet(t, store, fake.PayPal)
		s.byCard2(p)
		require.NoError(t, s.bank.PayerPays(p.ID))
		s.quiet(10)
		p = s.agree(p.ID, s.bank, s.second)
		require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
		require.Empty(t, s.bank.Truth(p.ID).Movements, "we never capture what the payer left")
	})
}

func (s *pair) byCard2(p *payment.Payment) {
	s.t.Helper()
	require.Equal(s.t, payment.StatusCaptured, s.byCard(p.ID, "card").Status)
}

// The payer's tab closes after the approval: the worker sends our capture.
func TestApprovedOrderIsCapturedWithoutThePayer(t *testing.T) {
	t.Parallel()
	for name, hooks := range map[string]bool{"by notification": true, "by look-up": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s, p := openWallet(t, store, fake.PayPal)
				require.NoError(t, s.bank.PayerPays(p.ID))
				if !hooks {
					s.bank.TakeWebhooks()
				}
				s.quiet(5)
				require.Equal(t, payment.StatusCaptured, s.agree(p.ID, s.bank, s.second).Status)
			})
		})
	}
}

// Nobody pays: the attempt ends by its own clock, and the payment after it.
func TestNobodyPays(t *testing.T) {
	t.Parallel()
	for _, w := range wallets {
		t.Run(string(w.kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s, p := openWallet(t, store, w.kind)
				for range 60 {
					s.clock.Add(time.Hour)
					s.deliver()
					s.repair(time.Minute)
				}
				p = s.agree(p.ID, s.bank, s.second)
				require.Equal(t, payment.StatusExpired, p.Status, dump(p))
				require.Equal(t, payment.Refused, p.Next().Kind)
				require.Empty(t, s.bank.Movements())
				r := s.request("order-1")
				r.Method.Provider = "two"
				require.Equal(t, payment.StatusCaptured, s.mustPay(r).Status, "the order can be paid anew")
			})
		})
	}
}

// A declined attempt whose client secret went out can still be paid by the
// payer alone: it is fenced before another opens.
func TestDeclinedButPayableIsFenced(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s, p := openWallet(t, store, fake.Stripe)
		require.NoError(t, s.bank.PayerFailsChallenge(p.ID))
		s.deliver()
		p = s.get(p.ID)
		require.Equal(t, payment.StatusDeclined, p.Status, dump(p))
		require.True(t, p.Operations[0].Payable)
		s.byCard2(p)
		p = s.agree(p.ID, s.bank, s.second)
		require.False(t, p.Operations[0].Payable, dump(p))
		require.Error(t, s.bank.PayerPays(p.ID), "the bank would not take it any more")
	})
}
