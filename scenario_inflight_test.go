package payment_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// during opens a shop and pays; do runs in the middle of the provider call,
// before the provider works, with the payment as the store has it.
func during(t *testing.T, store payment.Store, o fake.Options, step string, do func(s *shop, id string), change func(*payment.Request)) (*shop, *payment.Payment) {
	t.Helper()
	var s *shop
	once := false
	s = openWith(t, store, o, func(a *adapter) {
		a.authorize = func(ctx context.Context, r payment.AuthorizeRequest, next authorizeFunc) (payment.Result, error) {
			if r.Step == step && !once {
				once = true
				do(s, r.Payment)
			}
			return next(ctx, r)
		}
	})
	r := s.request("order-1")
	if change != nil {
		change(&r)
	}
	p := s.mustPay(r)
	require.True(t, once, "the call was made")
	return s, p
}

// While a call is on its way, everybody else keeps their hands off it.
func TestWhileTheCallIsOnItsWay(t *testing.T) {
	t.Parallel()
	t.Run("the worker and Sync wait", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s, p := during(t, store, fake.Options{Record: true}, "pay", func(s *shop, id string) {
				for range 3 {
					if _, err := s.pay.RunOnce(s.ctx); err != nil {
						t.Error(err)
					}
					s.clock.Add(15 * time.Second) // within the lease
				}
				if _, err := s.pay.Sync(s.ctx, id); err != nil {
					t.Error(err)
				}
				if p, err := s.pay.Proceed(s.ctx, id, payment.Choice{Key: "x", Method: payment.Card("tok_other")}); err != nil || len(p.Operations) != 1 {
					t.Error("another attempt beside one on its way: ", err, p)
				}
			}, nil)
			require.Len(t, s.bank.Requests(), 1)
			require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
		})
	})
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe} {
		for _, step := range kindSteps(kind) {
			t.Run(fmt.Sprintf("the shop cancels, at %s during %s", kind, step), func(t *testing.T) {
				t.Parallel()
				onStores(t, func(t *testing.T, store payment.Store) {
					s, p := during(t, store, fake.Options{Personality: kind, Record: true}, step, func(s *shop, id string) { s.cancel(id) }, nil)
					require.NotEqual(t, payment.Paid, p.Next().Kind, "a canceled payment is not shipped\n%s", dump(p))
					end := s.givenBack(p.ID)
					if step == "create" {
						require.Empty(t, s.bank.Truth(p.ID).Movements, "nothing was confirmed after the cancel\n%s", dump(end))
					}
				})
			})
		}
	}
	t.Run("it takes longer than its lease", func(t *testing.T) {
		t.Parallel()
		// A process that sleeps (a paused machine) wakes up after the worker
		// has taken the step for lost. Its answer still counts.
		onStores(t, func(t *testing.T, store payment.Store) {
			s, p := during(t, store, fake.Options{}, "pay", func(s *shop, id string) {
				s.clock.Add(5 * time.Minute)
				for range 12 {
					if _, err := s.pay.RunOnce(s.ctx); err != nil {
						t.Error(err)
					}
					s.clock.Add(20 * time.Second)
				}
			}, nil)
			s.quiet(20)
			p = s.agree(p.ID)
			require.LessOrEqual(t, len(s.bank.Truth(p.ID).Collections()), 1)
			require.NotEqual(t, payment.StatusUnknown, p.Status, dump(p))
		})
	})
}

func kindSteps(kind fake.Personality) []string {
	if kind == fake.Stripe {
		return []string{"create", "confirm"}
	}
	return []string{"pay"}
}

// The notification is quicker than an answer that then gets lost.
func TestWebhookBeforeALostAnswer(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				var s *shop
				s = open(t, store, fake.Options{Personality: kind, Webhooks: func(w payment.Webhook) {
					if _, err := s.pay.Receive(s.ctx, s.bank.Name(), w); err != nil {
						t.Error(err)
					}
				}})
				steps := kindSteps(kind)
				s.bank.Script(steps[len(steps)-1], fake.TimeoutAfter())
				p := s.mustPay(s.request("order-1"))
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
				s.bank.Script("refund", fake.TimeoutAfter())
				p, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r", Amount: usd(10_00)})
				require.NoError(t, err)
				s.quiet(5)
				require.Equal(t, usd(10_00), s.agree(p.ID).Totals.Refunded.Done)
			})
		})
	}
}

// The process dies at every commit of every verb; the shop asks again with the
// same key, and the verb has happened once.
func TestCrashAtEveryCommitOfEveryVerb(t *testing.T) {
	t.Parallel()
	verbs := map[string]struct {
		held bool
		do   func(s *shop, id string) error
		want func(t *testing.T, s *shop, p *payment.Payment)
	}{
		"capture": {true, func(s *shop, id string) error {
			return second(s.pay.Capture(s.ctx, id, payment.CaptureParams{Key: "k", Amount: usd(30_00)}))
		}, func(t *testing.T, s *shop, p *payment.Payment) {
			require.Equal(t, usd(30_00), p.Totals.Captured.Done, dump(p))
		}},
		"void": {true, func(s *shop, id string) error { return second(s.pay.Void(s.ctx, id, payment.VoidParams{Key: "k"})) },
			func(t *testing.T, s *shop, p *payment.Payment) {
				require.Equal(t, payment.StatusVoided, p.Status, dump(p))
			}},
		"refund": {false, func(s *shop, id string) error {
			return second(s.pay.Refund(s.ctx, id, payment.RefundParams{Key: "k", Amount: usd(30_00)}))
		}, func(t *testing.T, s *shop, p *payment.Payment) {
			require.Equal(t, usd(30_00), p.Totals.Refunded.Done, dump(p))
		}},
		"cancel of a hold": {true, func(s *shop, id string) error {
			return second(s.pay.Cancel(s.ctx, id, payment.CancelParams{Key: "k"}))
		}, func(t *testing.T, s *shop, p *payment.Payment) {
			require.Equal(t, payment.StatusVoided, p.Status, dump(p))
		}},
		"cancel of a sale": {false, func(s *shop, id string) error {
			return second(s.pay.Cancel(s.ctx, id, payment.CancelParams{Key: "k"}))
		}, func(t *testing.T, s *shop, p *payment.Payment) {
			require.Equal(t, payment.StatusRefunded, p.Status, dump(p))
		}},
		"transfer": {false, func(s *shop, id string) error {
			return second(s.pay.Transfer(s.ctx, id, payment.TransferParams{Key: "k", Amount: usd(30_00), Destination: "acct_1"}))
		}, func(t *testing.T, s *shop, p *payment.Payment) {
			require.Equal(t, usd(30_00), p.Totals.Transferred.Done, dump(p))
			require.Equal(t, usd(30_00), s.bank.Truth(p.ID).Sum(fake.MoveTransferred))
		}},
	}
	for name, v := range verbs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, inner payment.Store) {
				store := &flaky{Store: inner}
				s := open(t, store, fake.Options{NoWebhooks: true})
				for commit := range int64(3) {
					for _, written := range []bool{false, true} {
						ref := fmt.Sprintf("order-%d-%v", commit, written)
						var p *payment.Payment
						if v.held {
							p = s.authorized(ref)
						} else {
							p = s.paid(ref)
						}
						if written {
							store.set(nil, afterUpdates(commit, errDied))
						} else {
							store.set(afterUpdates(commit, errDied), nil)
						}
						_ = v.do(s, p.ID) // whatever the dying process says
						store.set(nil, nil)
						s.reopen()
						require.NoError(t, v.do(s, p.ID), "asked again with the same key")
						s.quiet(6)
						v.want(t, s, s.agree(p.ID))
					}
				}
			})
		})
	}
}
