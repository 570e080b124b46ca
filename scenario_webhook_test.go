package payment_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

// The provider's notification arrives before its answer.
func TestWebhookDuringTheCall(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe, fake.Adyen} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				var s *shop
				s = open(t, store, fake.Options{Personality: kind, Webhooks: func(w payment.Webhook) {
					if _, err := s.pay.Receive(s.ctx, s.bank.Name(), w); err != nil {
						t.Error(err)
					}
				}})
				r := s.request("order-1")
				p := s.mustPay(r)
				s.quiet(2)
				p = s.agree(p.ID)
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				require.Len(t, s.bank.Truth(p.ID).Collections(), 1)
				_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(60_00)})
				require.NoError(t, err)
				s.quiet(2)
				p = s.agree(p.ID)
				require.Equal(t, usd(60_00), p.Totals.Refunded.Done, dump(p))
			})
		})
	}
}

// A notification counts once, however often and in which order it comes.
func TestWebhookTwiceAndOutOfOrder(t *testing.T) {
	t.Parallel()
	for _, kind := range fake.Personalities() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind})
				r := s.request("order-1")
				for m, c := range s.bank.Capabilities().Methods {
					r.Method.Method = m
					if len(c.Currencies) > 0 {
						r.Amount = money.Of(100_00, c.Currencies[0])
					}
				}
				p := s.mustPay(r)
				var hooks []payment.Webhook
				keep := func() { hooks = append(hooks, s.bank.TakeWebhooks()...) }
				keep()
				if p.Next().Kind == payment.PayerMustAct {
					require.NoError(t, s.bank.PayerPays(p.ID))
					_, err := s.pay.Resume(s.ctx, p.ID, s.bank.Return(p.Operations[0].Ref))
					require.NoError(t, err)
				}
				s.repair(time.Minute)
				keep()
				for i := len(hooks) - 1; i >= 0; i-- { // the newest first
					s.receive(s.bank, hooks[i])
				}
				s.quiet(2)
				p = s.agree(p.ID)
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: money.Of(30_00, p.Amount.Currency())})
				require.NoError(t, err)
				s.repair(time.Minute)
				keep()
				s.clock.Add(time.Hour)
				for range 3 {
					for i := len(hooks) - 1; i >= 0; i-- {
						s.receive(s.bank, hooks[i])
					}
				}
				s.quiet(2)
				before := s.agree(p.ID)
				require.Equal(t, payment.StatusPartiallyRefunded, before.Status, dump(before))
				require.Equal(t, int64(30_00), before.Totals.Refunded.Done.Minor())
				n := len(s.events(p.ID))
				for _, w := range hooks {
					s.receive(s.bank, w)
				}
				after := s.agree(p.ID)
				require.Equal(t, before.Version, after.Version, "a notification that was handled writes nothing")
				require.Len(t, s.events(p.ID), n)
			})
		})
	}
}

// What names nothing of ours is kept, acknowledged, and work for nobody.
func TestWebhookForeign(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		e, err := s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "evt_1", Kind: payment.OpAuthorize,
			Status: payment.ResultApproved, Captured: true, Ref: "fk_of_somebody_else", Amount: usd(5)})
		require.NoError(t, err)
		require.False(t, e.Applied)
		require.NotEmpty(t, e.Reason)
		kept := s.events("")
		require.Len(t, kept, 1)
		require.Empty(t, kept[0].PaymentID)
		_, err = s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "evt_1", Kind: payment.OpAuthorize,
			Status: payment.ResultApproved, Captured: true, Ref: "fk_of_somebody_else", Amount: usd(5)})
		require.NoError(t, err)
		require.Len(t, s.events(""), 1, "kept once")
		parked, err := s.pay.Parked(s.ctx, "", 0)
		require.NoError(t, err)
		require.Empty(t, parked)

		_, err = s.pay.Apply(s.ctx, payment.Event{Provider: "nobody", Kind: payment.OpAuthorize, Status: payment.ResultApproved})
		require.ErrorIs(t, err, payment.ErrInvalid, "a provider that is not configured is the caller's mistake")
		_, err = s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Kind: payment.OpAuthorize, Status: "nonsense", Ref: "x"})
		require.NoError(t, err, "a verified fact that nobody understands is acknowledged")
	})
}

// Forged, stale, future-dated, empty and oversized notifications are refused,
// and nothing is written.
func TestWebhookRefused(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		s.paid("order-1")
		good := s.bank.Sign([]byte(`{"id":"x","kind":"refund","account":"fake"}`), s.clock.Now())
		forged := good
		forged.Body = []byte(`{"id":"y","kind":"refund","account":"fake"}`)
		n := len(s.events(""))
		for name, w := range map[string]payment.Webhook{
			payment.WebhookBadSignature: forged,
			payment.WebhookStale:        withNow(good, s.clock.Now().Add(time.Hour)),
			payment.WebhookEmpty:        withNow(s.bank.Sign(nil, s.clock.Now()), s.clock.Now()),
			payment.WebhookTooLarge:     withNow(s.bank.Sign(make([]byte, 2<<20), s.clock.Now()), s.clock.Now()),
			payment.WebhookNoSignature:  {Body: good.Body},
			payment.WebhookMalformed:    s.bank.Sign([]byte("{"), s.clock.Now()),
		} {
			_, err := s.pay.Receive(s.ctx, "fake", w)
			var we *payment.WebhookError
			require.ErrorAs(t, err, &we, name)
			require.Equal(t, name, we.Reason)
			require.ErrorIs(t, err, payment.ErrWebhook)
		}
		_, err := s.pay.Receive(s.ctx, "fake", withNow(s.bank.Sign(good.Body, s.clock.Now().Add(time.Hour)), s.clock.Now()))
		var we *payment.WebhookError
		require.ErrorAs(t, err, &we, "a notification from the future is refused")
		require.Equal(t, payment.WebhookStale, we.Reason)
		require.Len(t, s.events(""), n, "a refused notification writes nothing")
	})
	t.Run("no secret", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{WebhookSecrets: []string{}})
			_, err := s.pay.Receive(s.ctx, "fake", s.bank.Sign([]byte(`{}`), s.clock.Now()))
			var we *payment.WebhookError
			require.ErrorAs(t, err, &we)
			require.Equal(t, payment.WebhookNoSecret, we.Reason)
		})
	})
}

func withNow(w payment.Webhook, now time.Time) payment.Webhook {
	w.Now = now
	return w
}

// A fact in another amount or currency than was asked changes no total and
// waits for a person.
func TestWebhookThatDoesNotFitIsParked(t *testing.T) {
	t.Parallel()
	for name, amount := range map[string]money.Amount{"another amount": usd(1_00), "more": usd(100_01), "another currency": eur(100_00)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{})
				r := s.request("order-1")
				r.Method = payment.Card(fake.TokenChallenge)
				p := s.mustPay(r)
				e, err := s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "evt_odd", Kind: payment.OpAuthorize,
					Status: payment.ResultApproved, Captured: true, OperationID: p.Operations[0].ID, Amount: amount})
				require.NoError(t, err)
				require.False(t, e.Applied)
				require.Contains(t, e.Reason, amount.String())
				p = s.get(p.ID)
				require.Equal(t, payment.StatusRequiresAction, p.Status, "the payment stays as it is")
				require.NotNil(t, p.Parked)
				require.NotEmpty(t, p.Parked.Missing, "it says what settles it")
				parked, err := s.pay.Parked(s.ctx, "", 0)
				require.NoError(t, err)
				require.Len(t, parked, 1)
				require.True(t, s.hasEvent(p.ID, payment.EventParked))
				require.True(t, p.Totals.Captured.Done.IsZero())
			})
		})
	}
}

// A fact about an operation that ran at another provider is not believed.
func TestWebhookFromAnotherProvider(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := openPair(t, store, fake.Options{}, fake.Options{})
		r := s.request("order-1")
		r.Method = payment.Card(fake.TokenChallenge)
		p := s.mustPay(r)
		e, err := s.pay.Apply(s.ctx, payment.Event{Provider: "two", Dedup: "evt_1", Kind: payment.OpAuthorize,
			Status: payment.ResultApproved, Captured: true, OperationID: p.Operations[0].ID, StepKey: p.Operations[0].Steps[0].ID, Amount: usd(100_00)})
		require.NoError(t, err)
		require.False(t, e.Applied)
		p = s.get(p.ID)
		require.Equal(t, payment.StatusRequiresAction, p.Status)
		require.NotNil(t, p.Parked)
		s.agree(p.ID, s.bank, s.second)
	})
}

// A provider that names sums: what is new of a sum is a capture.
func TestWebhookCumulative(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Personality: fake.Stripe})
		p := s.authorized("order-1")
		ref := p.Operations[0].Ref
		sum := func(dedup string, minor int64) payment.Event {
			e, err := s.pay.Apply(s.ctx, payment.Event{Provider: "stripe", Dedup: dedup, Kind: payment.OpCapture, Status: payment.ResultApproved,
				Ref: ref, Amount: usd(minor), Cumulative: true})
			require.NoError(t, err)
			return e
		}
		require.True(t, sum("e1", 30_00).Applied)
		require.True(t, sum("e3", 80_00).Applied)
		require.False(t, sum("e2", 50_00).Applied, "an earlier sum that comes late is known")
		require.False(t, sum("e4", 80_00).Applied)
		p = s.get(p.ID)
		require.Equal(t, usd(80_00), p.Totals.Captured.Done, dump(p))
		require.Len(t, operations(p, payment.OpCapture), 2)
		require.Equal(t, usd(20_00), p.Capturable())
	})
}

// A store that fails must not acknowledge: the provider sends it again, and
// then it counts.
func TestWebhookWhileTheStoreFails(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, inner payment.Store) {
		store := &flaky{Store: inner}
		s := open(t, store, fake.Options{})
		r := s.request("order-1")
		r.Method = payment.Card(fake.TokenChallenge)
		p := s.mustPay(r)
		s.deliver()
		require.NoError(t, s.bank.PayerPays(p.ID))
		hooks := s.bank.TakeWebhooks()
		require.Len(t, hooks, 1)
		down := errors.New("disk full")
		store.set(func() error { return down }, nil)
		_, err := s.pay.Receive(s.ctx, "fake", hooks[0])
		require.ErrorIs(t, err, down)
		var we *payment.WebhookError
		require.False(t, errors.As(err, &we), "a failing store is not a bad signature")
		store.set(nil, nil)
		s.receive(s.bank, hooks[0])
		require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status, "the dedup mark was not left behind without its effect")
	})
}
