package payment_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// The payer closes the browser while the provider works: the outcome is
// recorded all the same.
func TestPayerClosesTheConnection(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				ctx, leave := context.WithCancel(context.Background())
				defer leave()
				s := openWith(t, store, fake.Options{Personality: kind}, func(a *adapter) {
					a.authorize = func(ctx context.Context, r payment.AuthorizeRequest, next authorizeFunc) (payment.Result, error) {
						leave()
						if err := ctx.Err(); err != nil {
							t.Error("the payer's leaving reached the provider call: ", err)
						}
						return next(ctx, r)
					}
				})
				p, err := s.pay.Pay(ctx, s.request("order-1"))
				require.NoError(t, err, "what was done is told, to nobody if need be")
				require.Equal(t, payment.StatusCaptured, p.Status)
				s.agree(p.ID)
			})
		})
	}
	t.Run("during a refund", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			ctx, leave := context.WithCancel(context.Background())
			defer leave()
			s := openWith(t, store, fake.Options{}, func(a *adapter) {
				a.refund = func(ctx context.Context, r payment.RefundRequest, next refundFunc) (payment.Result, error) {
					leave()
					return next(ctx, r)
				}
			})
			p := s.paid("order-1")
			p, err := s.pay.Refund(ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(10_00)})
			require.NoError(t, err)
			require.Equal(t, usd(10_00), p.Totals.Refunded.Done)
			s.agree(p.ID)
		})
	})
	t.Run("between plan and call", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, inner payment.Store) {
			store := &flaky{Store: inner}
			s := open(t, store, fake.Options{})
			s.paid("order-0") // the installation's own keys are made
			ctx, leave := context.WithCancel(context.Background())
			defer leave()
			store.set(nil, func() error { leave(); return nil })
			p, err := s.pay.Pay(ctx, s.request("order-1"))
			require.NoError(t, err)
			require.Equal(t, payment.StatusCaptured, p.Status, "after the plan commits, the call does not depend on who waits\n%s", dump(p))
			s.agree(p.ID)
		})
	})
	t.Run("before anything is written", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			s.paid("order-0")
			ctx, leave := context.WithCancel(context.Background())
			leave()
			n := len(s.bank.Movements())
			_, err := s.pay.Pay(ctx, s.request("order-1"))
			require.ErrorIs(t, err, context.Canceled)
			require.Len(t, s.bank.Movements(), n)
			listed, err := s.pay.List(s.ctx, payment.PaymentQuery{Reference: "order-1"})
			require.NoError(t, err)
			require.Empty(t, listed)
		})
	})
}

var errDied = errors.New("the process died")

// The process dies at every commit of a payment's way, one after the other; a
// new process over the same store finishes it. Nothing is charged twice and
// nothing is forgotten.
func TestCrashAtEveryCommit(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe, fake.Adyen} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, inner payment.Store) {
				store := &flaky{Store: inner}
				s := open(t, store, fake.Options{Personality: kind})
				s.paid("order-0")
				for commit := range int64(6) {
					for _, written := range []bool{false, true} {
						r := s.request("order-" + s.key())
						if written {
							store.set(nil, afterUpdates(commit, errDied))
						} else {
							store.set(afterUpdates(commit, errDied), nil)
						}
						_, err := s.pay.Pay(s.ctx, r)
						store.set(nil, nil)
						s.reopen()
						s.quiet(8)
						p, err2 := s.pay.Pay(s.ctx, r) // the shop asks again with its key
						require.NoError(t, err2, "commit %d written=%v: first error was %v", commit, written, err)
						s.quiet(3)
						p = s.agree(p.ID)
						require.LessOrEqual(t, len(s.bank.Truth(p.ID).Collections()), 1)
						switch p.Status {
						case payment.StatusCaptured:
						case payment.StatusDeclined: // proven not to have been sent
							require.Empty(t, s.bank.Truth(p.ID).Movements, "commit %d written=%v", commit, written)
						default:
							t.Fatalf("commit %d written=%v: not settled: %s", commit, written, dump(p))
						}
					}
				}
			})
		})
	}
}

// The provider has done the work, and our record is lost.
func TestCrashBeforeOurRecord(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, inner payment.Store) {
		store := &flaky{Store: inner}
		s := open(t, store, fake.Options{})
		s.paid("order-0")
		store.set(afterUpdates(1, errDied), nil) // the plan is written, the record is not
		_, err := s.pay.Pay(s.ctx, s.request("order-1"))
		var doubt *payment.RecordError
		require.ErrorAs(t, err, &doubt, "the record is in doubt, and the error leads to it")
		require.NotEmpty(t, doubt.PaymentID)
		require.ErrorIs(t, err, errDied)
		store.set(nil, nil)
		require.Equal(t, usd(100_00), s.bank.Truth(doubt.PaymentID).Collected(), "the provider did the work")
		s.reopen()
		p := s.get(doubt.PaymentID)
		require.Equal(t, payment.Wait, p.Next().Kind, "until it is known, nothing else is charged")
		_, err = s.pay.Pay(s.ctx, s.request("order-1"))
		require.ErrorIs(t, err, payment.ErrReferenceLive)
		s.quiet(5) // without the webhook's help first
		require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
		require.Len(t, s.bank.Truth(p.ID).Collections(), 1)
	})
}

// The plan is written and the process dies before it calls: with the provider
// silent about it, the absence is proven before the order may be paid again.
func TestCrashBetweenPlanAndCall(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, inner payment.Store) {
		store := &flaky{Store: inner}
		s := open(t, store, fake.Options{})
		s.paid("order-0")
		store.set(nil, func() error { return errDied })
		r := s.request("order-1")
		_, err := s.pay.Pay(s.ctx, r)
		require.ErrorIs(t, err, errDied)
		store.set(nil, nil)
		s.reopen()
		listed, err := s.pay.List(s.ctx, payment.PaymentQuery{Reference: "order-1"})
		require.NoError(t, err)
		require.Len(t, listed, 1)
		id := listed[0].ID
		require.Equal(t, payment.StatusProcessing, s.get(id).Status)
		s.quiet(1)
		require.NotEqual(t, payment.StatusDeclined, s.get(id).Status, "within the lease it may still be on its way")
		s.quiet(15)
		p := s.agree(id)
		require.Equal(t, payment.StatusDeclined, p.Status, dump(p))
		require.Equal(t, payment.StateAbsent, p.Operations[0].State)
		require.Empty(t, s.bank.Truth(id).Movements)
		p, err = s.pay.Proceed(s.ctx, id, payment.Choice{Key: "again"})
		require.NoError(t, err)
		require.Equal(t, payment.StatusCaptured, p.Status, "and then it may be")
		s.agree(id)
	})
}

// The connection to the database is lost during the commit of the plan: it was
// written or not, and either way the order is charged once.
func TestCommitOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for name, written := range map[string]bool{"written": true, "not written": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, inner payment.Store) {
				store := &flaky{Store: inner}
				s := open(t, store, fake.Options{})
				s.paid("order-0")
				once := func() error { store.set(nil, nil); return payment.ErrCommitUnknown }
				if written {
					store.set(nil, once)
				} else {
					store.set(once, nil)
				}
				p, err := s.pay.Pay(s.ctx, s.request("order-1"))
				require.NoError(t, err)
				require.Equal(t, payment.StatusCaptured, p.Status)
				require.Len(t, s.bank.Truth(p.ID).Movements, 1)
				s.agree(p.ID)
			})
		})
	}
	t.Run("of a refund", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, inner payment.Store) {
			store := &flaky{Store: inner}
			s := open(t, store, fake.Options{})
			p := s.paid("order-1")
			store.set(nil, func() error { store.set(nil, nil); return payment.ErrCommitUnknown })
			_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(10_00)})
			var doubt *payment.RecordError
			require.ErrorAs(t, err, &doubt)
			require.Equal(t, p.ID, doubt.PaymentID)
			_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(10_00)})
			require.NoError(t, err, "the same key asks what became of it")
			s.quiet(10)
			p = s.agree(p.ID)
			require.Equal(t, usd(10_00), p.Totals.Refunded.Done)
		})
	})
}

// A commit is the store's, a conflict is run again: the caller sees neither.
func TestConflictsAreRunAgain(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.authorized("order-1")
		together(8, func(i int) {
			if _, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: s.key(), Amount: usd(5_00)}); err != nil {
				t.Error(err)
			}
			if _, err := s.pay.Sync(s.ctx, p.ID); err != nil {
				t.Error(err)
			}
		})
		s.clock.Add(time.Minute)
		s.quiet(2)
		p = s.agree(p.ID)
		require.Equal(t, usd(40_00), p.Totals.Captured.Done)
		require.Equal(t, usd(60_00), p.Capturable())
	})
}
