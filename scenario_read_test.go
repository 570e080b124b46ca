package payment_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

func TestList(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := openPair(t, store, fake.Options{}, fake.Options{})
		var ids []string
		start := s.clock.Now()
		for i := range 10 {
			r := s.request(fmt.Sprint("order-", i))
			r.Customer = fmt.Sprint("cust-", i%2)
			if i%3 == 0 {
				r.Method = payment.Card(fake.TokenDecline(payment.ReasonDoNotHonor))
				r.Method.Provider = "two"
			}
			if i == 5 {
				r.Method = payment.Card(fake.TokenChallenge)
			}
			ids = append([]string{s.mustPay(r).ID}, ids...)
			s.clock.Add(time.Minute)
		}
		list := func(q payment.PaymentQuery) []string {
			t.Helper()
			var got []string
			for range 20 {
				page, err := s.pay.List(s.ctx, q)
				require.NoError(t, err)
				for _, p := range page {
					require.Empty(t, p.Operations, "a list has no operations")
					got = append(got, p.ID)
				}
				if q.Limit == 0 || len(page) < q.Limit {
					return got
				}
				q.After = payment.Cursor(page[len(page)-1])
			}
			t.Fatal("the pages never end")
			return nil
		}
		require.Equal(t, ids, list(payment.PaymentQuery{}), "newest first")
		require.Equal(t, ids, list(payment.PaymentQuery{Limit: 3}), "pages lose and repeat nothing")
		require.Equal(t, []string{ids[9-4]}, list(payment.PaymentQuery{Reference: "order-4"}))
		require.Len(t, list(payment.PaymentQuery{Customer: "cust-1"}), 5)
		require.Len(t, list(payment.PaymentQuery{Provider: "two"}), 4)
		require.Len(t, list(payment.PaymentQuery{Statuses: []payment.Status{payment.StatusDeclined}}), 4)
		require.Len(t, list(payment.PaymentQuery{Statuses: []payment.Status{payment.StatusDeclined, payment.StatusCaptured}}), 9)
		require.Equal(t, []string{ids[9-5]}, list(payment.PaymentQuery{OpenOnly: true}))
		require.Equal(t, ids[9-3:9-1], list(payment.PaymentQuery{From: start.Add(2 * time.Minute), To: start.Add(4 * time.Minute)}), "[From, To)")
		require.Empty(t, list(payment.PaymentQuery{ParkedOnly: true}))

		for field, q := range map[string]payment.PaymentQuery{
			"Limit":     {Limit: 1001},
			"Statuses":  {Statuses: []payment.Status{"paid"}},
			"Reference": {Reference: "a b"},
			"Customer":  {Customer: "ann@example.com"},
			"To":        {From: start.Add(time.Hour), To: start},
		} {
			_, err := s.pay.List(s.ctx, q)
			var fe *payment.FieldError
			require.ErrorAs(t, err, &fe, field)
			require.Equal(t, field, fe.Field)
		}
		_, err := s.pay.List(s.ctx, payment.PaymentQuery{After: "nonsense"})
		require.Error(t, err, "a cursor that is none is refused, not taken for the beginning")
		_, err = s.pay.Get(s.ctx, "p00000000000000000000000")
		require.ErrorIs(t, err, payment.ErrNotFound)
		_, err = s.pay.Events(s.ctx, payment.EventQuery{AfterSeq: -1})
		require.ErrorIs(t, err, payment.ErrInvalid)
		_, err = s.pay.Events(s.ctx, payment.EventQuery{Limit: -1})
		require.ErrorIs(t, err, payment.ErrInvalid)
	})
}

// What a caller gets is a copy: changing it changes nothing.
func TestGetReturnsCopies(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		r := s.request("order-1")
		r.Description, r.Metadata = "two tickets", map[string]string{"cart": "7"}
		p := s.mustPay(r)
		got := s.get(p.ID)
		require.Equal(t, "two tickets", got.Description, "the shop reads its own words")
		require.Equal(t, "7", got.Metadata["cart"])
		got.Status, got.Operations[0].State, got.Operations[0].Steps[0].Name = "x", "x", "x"
		got.Metadata["cart"] = "8"
		again := s.get(p.ID)
		require.Equal(t, payment.StatusCaptured, again.Status)
		require.Equal(t, payment.StateApproved, again.Operations[0].State)
		require.Equal(t, "pay", again.Operations[0].Steps[0].Name)
		require.Equal(t, "7", again.Metadata["cart"])
	})
}

// Where no webhook can arrive, Sync asks.
func TestSync(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe, fake.PayPal, fake.WeChatPay, fake.Alipay} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s, p := openWallet2(t, store, kind)
				require.NoError(t, s.bank.PayerPays(p.ID))
				p, err := s.pay.Sync(s.ctx, p.ID)
				require.NoError(t, err)
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				n := len(s.events(p.ID))
				for range 3 {
					_, err = s.pay.Sync(s.ctx, p.ID)
					require.NoError(t, err)
				}
				require.Len(t, s.events(p.ID), n, "asking again fills nothing")
				s.agree(p.ID)
			})
		})
	}
	t.Run("the provider does not answer", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s, p := openWallet2(t, store, fake.Plain)
			s.bank.Script("lookup", fake.TimeoutBefore(), fake.Panic(), fake.NotSent())
			for range 3 {
				q, err := s.pay.Sync(s.ctx, p.ID)
				require.NoError(t, err)
				require.Equal(t, payment.StatusRequiresAction, q.Status, "a failed look-up proves nothing")
				require.NotNil(t, q.Next().Action)
			}
		})
	})
	t.Run("of what does not exist", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			_, err := s.pay.Sync(s.ctx, "p00000000000000000000000")
			require.ErrorIs(t, err, payment.ErrNotFound)
			p, err := s.pay.Create(s.ctx, s.request("order-1"))
			require.NoError(t, err)
			p, err = s.pay.Sync(s.ctx, p.ID)
			require.NoError(t, err)
			require.Equal(t, payment.StatusCreated, p.Status)
		})
	})
}

// openWallet2 is a shop with one provider that sends no notifications, and a
// payment that waits for the payer.
func openWallet2(t *testing.T, store payment.Store, kind fake.Personality) (*shop, *payment.Payment) {
	t.Helper()
	s := open(t, store, fake.Options{Personality: kind, NoWebhooks: true})
	r := s.request("order-1")
	for m, c := range s.bank.Capabilities().Methods {
		r.Method = payment.Using(m)
		if m == payment.MethodCard {
			r.Method = payment.Card(fake.TokenChallenge)
		}
		if len(c.Currencies) > 0 {
			r.Amount = moneyOf(100_00, c.Currencies[0])
		}
	}
	p := s.mustPay(r)
	require.Equal(t, payment.PayerMustAct, p.Next().Kind, dump(p))
	return s, p
}

// A page that is reloaded gets the payer's next act again.
func TestActionSurvivesAReload(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Alipay, fake.WeChatPay, fake.PayPal} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s, p := openWallet2(t, store, kind)
				want := *p.Next().Action
				s.reopen()
				got := s.get(p.ID).Next()
				require.Equal(t, payment.PayerMustAct, got.Kind)
				require.Equal(t, want.Kind, got.Action.Kind)
				require.Equal(t, want.URL, got.Action.URL)
				require.Equal(t, want.Code, got.Action.Code)
				require.Equal(t, want.Params, got.Action.Params)
			})
		})
	}
}

// Resume takes what the browser brought back as a hint and nothing more.
func TestResume(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Personality: fake.Adyen})
		r := s.request("order-1")
		r.Method = payment.Card(fake.TokenChallenge)
		p := s.mustPay(r)
		require.Equal(t, payment.PayerMustAct, p.Next().Kind)
		q, err := s.pay.Resume(s.ctx, p.ID, map[string][]string{"redirectResult": {"forged.ok"}})
		require.NoError(t, err)
		require.NotEqual(t, payment.Paid, q.Next().Kind, "a forged return pays nothing\n%s", dump(q))
		_, err = s.pay.Resume(s.ctx, p.ID, map[string][]string{"x": {string(make([]byte, 70<<10))}})
		require.ErrorIs(t, err, payment.ErrInvalid)
		_, err = s.pay.Resume(s.ctx, "p00000000000000000000000", nil)
		require.ErrorIs(t, err, payment.ErrNotFound)
	})
	t.Run("twice at once", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{Personality: fake.Adyen})
			r := s.request("order-1")
			r.Method = payment.Card(fake.TokenChallenge)
			p := s.mustPay(r)
			require.NoError(t, s.bank.PayerPays(p.ID))
			back := s.bank.Return(p.Operations[0].Ref)
			together(8, func(int) {
				if _, err := s.pay.Resume(s.ctx, p.ID, back); err != nil {
					t.Error(err)
				}
			})
			s.quiet(3)
			p = s.agree(p.ID)
			require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
			require.Len(t, s.bank.Truth(p.ID).Collections(), 1)
		})
	})
	t.Run("the payer failed the challenge", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{Personality: fake.Adyen})
			r := s.request("order-1")
			r.Method = payment.Card(fake.TokenChallenge)
			p := s.mustPay(r)
			require.NoError(t, s.bank.PayerFailsChallenge(p.ID))
			p, err := s.pay.Resume(s.ctx, p.ID, s.bank.Return(p.Operations[0].Ref))
			require.NoError(t, err)
			require.Equal(t, payment.StatusDeclined, p.Status)
			require.Equal(t, payment.ReasonAuthenticationFailed, p.Next().Decline.Reason)
			s.agree(p.ID)
		})
	})
}
