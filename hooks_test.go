package payment_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// hook is a small hook: it answers what the test says and remembers what it
// was asked.
type hook struct {
	name   string
	stages []payment.Stage
	decide func(ctx context.Context, r payment.HookRequest) (payment.Verdict, error)

	mu    sync.Mutex
	asked []payment.HookRequest
}

func (h *hook) Name() string            { return h.name }
func (h *hook) Stages() []payment.Stage { return h.stages }

func (h *hook) Decide(ctx context.Context, r payment.HookRequest) (payment.Verdict, error) {
	h.mu.Lock()
	h.asked = append(h.asked, r)
	h.mu.Unlock()
	return h.decide(ctx, r)
}

func (h *hook) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.asked)
}

// says makes a hook that always answers the same.
func says(stage payment.Stage, o payment.Outcome) *hook {
	return &hook{name: "rules", stages: []payment.Stage{stage}, decide: func(context.Context, payment.HookRequest) (payment.Verdict, error) {
		return payment.Verdict{Outcome: o, Reason: "rule 7"}, nil
	}}
}

func with(hooks ...*hook) func(*payment.Config) {
	return func(c *payment.Config) {
		for _, h := range hooks {
			c.Hooks = append(c.Hooks, payment.HookConfig{Hook: h})
		}
	}
}

func TestHookBeforeRoute(t *testing.T) {
	t.Parallel()
	t.Run("allow", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			h := says(payment.StageBeforeRoute, payment.Allow)
			s := open(t, store, fake.Options{}, with(h))
			r := s.request("order-1")
			r.Payer.Email, r.Metadata = "ann@example.com", map[string]string{"cart": "7"}
			p := s.mustPay(r)
			require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
			require.Equal(t, 1, h.count())
			require.Equal(t, "ann@example.com", h.asked[0].Payer.Email, "a hook sees the payer")
			require.Equal(t, "7", h.asked[0].Payment.Metadata["cart"])
			require.Equal(t, fake.TokenApproved, h.asked[0].Method.Token.Reveal())
			s.mustPay(r)
			require.Equal(t, 1, h.count(), "a double submit is not judged again")
		})
	})
	t.Run("step up", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{}, with(says(payment.StageBeforeRoute, payment.StepUp)))
			p := s.mustPay(s.request("order-1"))
			require.Equal(t, payment.StatusRequiresAction, p.Status, "the payer authenticates first")
			require.Equal(t, payment.ActionChallenge, p.Next().Action.Kind)
			require.NoError(t, s.bank.PayerPays(p.ID))
			s.deliver()
			require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
		})
	})
	t.Run("step up where the method has none", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{Personality: fake.PayPal, Record: true}, with(says(payment.StageBeforeRoute, payment.StepUp)))
			r := s.request("order-1")
			r.Method = payment.Using(payment.MethodPayPal)
			p := s.mustPay(r)
			require.Equal(t, payment.StatusInReview, p.Status, "a person looks instead")
			require.Empty(t, s.bank.Requests())
		})
	})
	t.Run("block", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{Record: true}, with(says(payment.StageBeforeRoute, payment.Block)))
			r := s.request("order-1")
			p := s.mustPay(r)
			require.Equal(t, payment.StatusBlocked, p.Status)
			require.Equal(t, payment.Refused, p.Next().Kind)
			require.Equal(t, payment.NewDecline(payment.ReasonDeclined, "").Text("en").Body, p.Next().Text("en").Body, "a thief reads a plain decline")
			require.Empty(t, s.bank.Requests())
			e := s.events(p.ID)[1]
			require.Equal(t, payment.EventBlocked, e.Type)
			require.Equal(t, "rules", e.Who)
			require.Equal(t, "rule 7", e.Reason)
			q, err := s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "again", Method: payment.Card("tok_other")})
			require.NoError(t, err)
			require.Equal(t, payment.StatusBlocked, q.Status)
			require.Equal(t, payment.StatusBlocked, s.mustPay(r).Status)
			require.Empty(t, s.bank.Requests())
			s.agree(p.ID)
		})
	})
	t.Run("hold, then approved", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{Record: true}, with(says(payment.StageBeforeRoute, payment.Hold)))
			r := s.request("order-1")
			p := s.mustPay(r)
			require.Equal(t, payment.StatusInReview, p.Status)
			require.Equal(t, payment.Wait, p.Next().Kind)
			require.Empty(t, s.bank.Requests())
			require.Equal(t, "rules", p.Review.By)
			_, err := s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "impatient"})
			require.NoError(t, err)
			require.Empty(t, s.bank.Requests())
			p, err = s.pay.Decide(s.ctx, payment.Decision{PaymentID: p.ID, Finding: payment.FindingApprove, Who: "mia", Evidence: "called the customer"})
			require.NoError(t, err)
			p, err = s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "go"})
			require.NoError(t, err)
			require.Equal(t, payment.StatusCaptured, p.Status, "the same review does not hold it twice\n%s", dump(p))
			s.agree(p.ID)
		})
	})
	t.Run("hold, then rejected", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{Record: true}, with(says(payment.StageBeforeRoute, payment.Hold)))
			p := s.mustPay(s.request("order-1"))
			p, err := s.pay.Decide(s.ctx, payment.Decision{PaymentID: p.ID, Finding: payment.FindingReject, Who: "mia", Evidence: "known fraudster"})
			require.NoError(t, err)
			require.Equal(t, payment.StatusBlocked, p.Status)
			_, err = s.pay.Decide(s.ctx, payment.Decision{PaymentID: p.ID, Finding: payment.FindingApprove, Who: "tom", Evidence: "no"})
			require.ErrorIs(t, err, payment.ErrNotAllowed, "a verdict is given once")
			require.Empty(t, s.bank.Requests())
			s.agree(p.ID)
		})
	})
	t.Run("hold, and nobody decides", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{}, with(says(payment.StageBeforeRoute, payment.Hold)), func(c *payment.Config) { c.ReviewFor = time.Hour })
			p := s.mustPay(s.request("order-1"))
			s.repair(2 * time.Hour)
			p = s.agree(p.ID)
			require.Equal(t, payment.StatusBlocked, p.Status)
			_, err := s.pay.Decide(s.ctx, payment.Decision{PaymentID: p.ID, Finding: payment.FindingApprove, Who: "mia", Evidence: "late"})
			require.ErrorIs(t, err, payment.ErrNotAllowed, "a later approval is a typed error")
			require.Empty(t, s.bank.Movements())
		})
	})
}

func TestHookAfterAuthorize(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe, fake.Adyen} {
		t.Run("allow at "+string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				h := says(payment.StageAfterAuthorize, payment.Allow)
				s := open(t, store, fake.Options{Personality: kind}, with(h))
				p := s.paid("order-1")
				require.Len(t, operations(p, payment.OpCapture), 1, "a sale became authorize and capture, so that a verdict costs a void")
				require.Equal(t, 1, h.count())
				require.Equal(t, payment.StateApproved, h.asked[0].Operation.State)
				s.agree(p.ID)
			})
		})
		t.Run("block at "+string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind}, with(says(payment.StageAfterAuthorize, payment.Block)))
				p := s.mustPay(s.request("order-1"))
				require.Equal(t, payment.Refused, p.Next().Kind, dump(p))
				s.quiet(2)
				p = s.agree(p.ID)
				require.Equal(t, payment.StatusBlocked, p.Status, dump(p))
				require.Equal(t, usd(100_00), s.bank.Truth(p.ID).Sum(fake.MoveReleased))
				require.Empty(t, s.bank.Truth(p.ID).Collections())
			})
		})
		t.Run("hold at "+string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s := open(t, store, fake.Options{Personality: kind}, with(says(payment.StageAfterAuthorize, payment.Hold)))
				p := s.mustPay(s.request("order-1"))
				require.Equal(t, payment.StatusInReview, p.Status, dump(p))
				_, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c"})
				require.ErrorIs(t, err, payment.ErrNotAllowed, "nothing is captured before the verdict")
				p, err = s.pay.Decide(s.ctx, payment.Decision{PaymentID: p.ID, Finding: payment.FindingApprove, Who: "mia", Evidence: "checked"})
				require.NoError(t, err)
				s.quiet(2)
				p = s.agree(p.ID)
				require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
			})
		})
	}
	t.Run("hold of a manual capture", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{}, with(says(payment.StageAfterAuthorize, payment.Hold)))
			r := s.request("order-1")
			r.Capture = payment.CaptureManual
			p := s.mustPay(r)
			p, err := s.pay.Decide(s.ctx, payment.Decision{PaymentID: p.ID, Finding: payment.FindingApprove, Who: "mia", Evidence: "checked"})
			require.NoError(t, err)
			require.Equal(t, payment.StatusAuthorized, p.Status)
			_, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c"})
			require.NoError(t, err)
			s.agree(p.ID)
		})
	})
	t.Run("a review ends before the authorization does", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{}, with(says(payment.StageAfterAuthorize, payment.Hold)), func(c *payment.Config) { c.ReviewFor = 30 * 24 * time.Hour })
			p := s.mustPay(s.request("order-1"))
			o := p.Operations[0]
			require.True(t, p.Review.Until.Before(o.ExpiresAt), "review until %s, hold until %s", p.Review.Until, o.ExpiresAt)
			s.clock.Add(p.Review.Until.Sub(s.clock.Now()))
			s.quiet(3)
			p = s.agree(p.ID)
			require.Equal(t, payment.StatusBlocked, p.Status, dump(p))
			require.Equal(t, usd(100_00), s.bank.Truth(p.ID).Sum(fake.MoveReleased), "voided, not left to expire")
			require.Equal(t, fake.ByShop, s.bank.Truth(p.ID).Movements[1].By)
		})
	})
	t.Run("step up comes too late and a person looks", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{}, with(says(payment.StageAfterAuthorize, payment.StepUp)))
			p := s.mustPay(s.request("order-1"))
			require.Equal(t, payment.StatusInReview, p.Status, "a stricter word than allow must not read as allow\n%s", dump(p))
			require.Empty(t, s.bank.Truth(p.ID).Collections())
		})
	})
	t.Run("the payer leaves before the hook is asked", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			ctx, leave := context.WithCancel(context.Background())
			defer leave()
			h := &hook{name: "rules", stages: []payment.Stage{payment.StageAfterAuthorize}, decide: func(ctx context.Context, r payment.HookRequest) (payment.Verdict, error) {
				if err := ctx.Err(); err != nil {
					return payment.Verdict{}, err
				}
				return payment.Verdict{Outcome: payment.Block, Reason: "stolen"}, nil
			}}
			s := openWith(t, store, fake.Options{}, func(a *adapter) {
				a.authorize = func(ctx context.Context, r payment.AuthorizeRequest, next authorizeFunc) (payment.Result, error) {
					leave()
					return next(ctx, r)
				}
			}, with(h))
			p, err := s.pay.Pay(ctx, s.request("order-1"))
			require.NoError(t, err)
			require.Equal(t, payment.StatusBlocked, p.Status, "closing the tab must not switch a check off\n%s", dump(p))
			require.Empty(t, s.bank.Truth(p.ID).Collections())
		})
	})
	t.Run("asked again after a crash", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, inner payment.Store) {
			store := &flaky{Store: inner}
			h := says(payment.StageAfterAuthorize, payment.Block)
			s := open(t, store, fake.Options{}, with(h))
			s.mustPay(s.request("order-0"))
			store.set(afterUpdates(2, errDied), nil) // plan, record; the verdict is lost
			_, err := s.pay.Pay(s.ctx, s.request("order-1"))
			require.Error(t, err)
			store.set(nil, nil)
			s.reopen(with(h))
			n := h.count()
			s.quiet(3)
			require.Greater(t, h.count(), n)
			listed, err := s.pay.List(s.ctx, payment.PaymentQuery{Reference: "order-1"})
			require.NoError(t, err)
			require.Equal(t, payment.StatusBlocked, s.agree(listed[0].ID).Status)
		})
	})
	t.Run("a failover to one that collects at once is looked at first", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			h := says(payment.StageAfterAuthorize, payment.Block)
			s := openPair(t, store, fake.Options{}, fake.Options{Personality: fake.WeChatPay, Methods: []payment.Method{payment.MethodCard}, Currencies: []moneyCurrency{"USD"}}, with(h))
			s.bank.Script("pay", fake.NotSent())
			p := s.mustPay(s.request("order-1"))
			if p.Next().Kind == payment.PayerMustAct {
				require.NoError(t, s.second.PayerPays(p.ID))
				s.deliver()
			}
			s.quiet(5)
			p = s.agree(p.ID, s.bank, s.second)
			require.Equal(t, s.second.Truth(p.ID).Collected().Minor(), s.second.Truth(p.ID).Refunded().Minor(), "the check was never asked, and the money was kept\n%s", dump(p))
			require.NotZero(t, h.count())
		})
	})
}

func TestHookOnOtherMoves(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		outcome := payment.Block
		h := &hook{name: "limits", stages: []payment.Stage{payment.StageBeforeRefund, payment.StageBeforeTransfer, payment.StageBeforeSave},
			decide: func(context.Context, payment.HookRequest) (payment.Verdict, error) {
				return payment.Verdict{Outcome: outcome, Reason: "over the daily limit"}, nil
			}}
		s := open(t, store, fake.Options{}, with(h))
		p := s.paid("order-1")
		before := s.get(p.ID).Version
		_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(10_00)})
		var state *payment.StateError
		require.ErrorAs(t, err, &state)
		require.Contains(t, state.Reason, "over the daily limit")
		require.Contains(t, state.Reason, "limits")
		require.Equal(t, usd(10_00), h.asked[0].Operation.Amount)
		_, err = s.pay.Transfer(s.ctx, p.ID, payment.TransferParams{Key: "t1", Amount: usd(10_00), Destination: "acct_1"})
		require.ErrorIs(t, err, payment.ErrNotAllowed)
		_, err = s.pay.Save(s.ctx, payment.SaveParams{Key: "s1", Customer: "cust-1", Method: payment.Card("tok_x")})
		require.ErrorIs(t, err, payment.ErrNotAllowed)
		require.Equal(t, before, s.get(p.ID).Version, "nothing is written")
		outcome = payment.Allow
		_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(10_00)})
		require.NoError(t, err, "a blocked refund does not use its key up")
		s.agree(p.ID)
	})
}

// A hook that fails counts as its configured verdict; the strictest of several
// wins.
func TestHookFailures(t *testing.T) {
	t.Parallel()
	broken := map[string]func(context.Context, payment.HookRequest) (payment.Verdict, error){
		"error": func(context.Context, payment.HookRequest) (payment.Verdict, error) {
			return payment.Verdict{}, errors.New("the list server is down")
		},
		"panic": func(context.Context, payment.HookRequest) (payment.Verdict, error) { panic("nil map") },
		"timeout": func(ctx context.Context, _ payment.HookRequest) (payment.Verdict, error) {
			<-ctx.Done()
			return payment.Verdict{}, ctx.Err()
		},
		"late, but it says allow": func(ctx context.Context, _ payment.HookRequest) (payment.Verdict, error) {
			<-ctx.Done()
			return payment.Verdict{Outcome: payment.Allow}, nil
		},
	}
	want := map[payment.Outcome]payment.Status{payment.Allow: payment.StatusCaptured, payment.Hold: payment.StatusInReview, payment.Block: payment.StatusBlocked}
	for name, decide := range broken {
		for onError, status := range want {
			if name == "late, but it says allow" && onError == payment.Allow {
				continue
			}
			t.Run(name+" is "+onError.String(), func(t *testing.T) {
				t.Parallel()
				onStores(t, func(t *testing.T, store payment.Store) {
					h := &hook{name: "lists", stages: []payment.Stage{payment.StageBeforeRoute}, decide: decide}
					s := open(t, store, fake.Options{}, func(c *payment.Config) {
						c.HookTimeout = 20 * time.Millisecond
						c.Hooks = []payment.HookConfig{{Hook: h, OnError: onError}}
					})
					require.Equal(t, status, s.mustPay(s.request("order-1")).Status)
				})
			})
		}
	}
	t.Run("the strictest wins", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			outcomes := []payment.Outcome{payment.Allow, payment.Hold, payment.Block, payment.StepUp}
			var hooks []*hook
			for _, o := range outcomes {
				h := says(payment.StageBeforeRoute, o)
				h.name = o.String()
				hooks = append(hooks, h)
			}
			s := open(t, store, fake.Options{}, with(hooks...))
			p := s.mustPay(s.request("order-1"))
			require.Equal(t, payment.StatusBlocked, p.Status)
			i := slices.IndexFunc(s.events(p.ID), func(e *payment.Event) bool { return e.Type == payment.EventBlocked })
			require.Equal(t, "block", s.events(p.ID)[i].Who)
		})
	})
}
