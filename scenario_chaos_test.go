package payment_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/memstore"
)

// Everything at once: payers, clerks, notifications, workers and faults, on a
// few payments. Whatever happens, in calm weather the record and the bank
// agree, no order is collected twice, and nothing is given back that was not
// collected.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.Personality{fake.Plain, fake.Stripe, fake.Adyen} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) { everythingAtOnce(t, store, kind, 7) })
		})
		t.Run(string(kind)+" with other seeds", func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(8) {
				everythingAtOnce(t, memstore.New(), kind, seed)
			}
		})
	}
}

func everythingAtOnce(t *testing.T, store payment.Store, kind fake.Personality, seed uint64) {
	t.Helper()
	s := open(t, store, fake.Options{Personality: kind, Seed: seed, Odds: []fake.Odd{
		{Fault: fake.TimeoutAfter(), P: 0.08}, {Fault: fake.TimeoutBefore(), P: 0.08}, {Fault: fake.ErrorAfter(), P: 0.04},
		{Fault: fake.NotSent(), P: 0.05}, {Fault: fake.RejectedMerchant(), P: 0.03}, {Fault: fake.Pending(), P: 0.05},
	}})
	var ids []string
	for i := range 5 {
		r := s.request(fmt.Sprint("order-", i))
		if i%2 == 0 {
			r.Capture = payment.CaptureManual
		}
		p, err := s.pay.Create(s.ctx, r)
		require.NoError(t, err)
		ids = append(ids, p.ID)
	}
	together(6, func(g int) {
		rng := rand.New(rand.NewPCG(seed, uint64(g)))
		for n := range 25 {
			id, key := ids[rng.IntN(len(ids))], fmt.Sprintf("k-%d-%d", g, n)
			amount := usd(1 + rng.Int64N(60_00))
			var err error
			switch rng.IntN(11) {
			case 0, 1:
				tokens := []string{fake.TokenApproved, fake.TokenChallenge, fake.TokenPending, fake.TokenDecline(payment.ReasonIssuerUnavailable)}
				_, err = s.pay.Proceed(s.ctx, id, payment.Choice{Key: key, Method: payment.Card(tokens[rng.IntN(len(tokens))])})
			case 2:
				_, err = s.pay.Capture(s.ctx, id, payment.CaptureParams{Key: key, Amount: amount})
			case 3, 4:
				_, err = s.pay.Refund(s.ctx, id, payment.RefundParams{Key: key, Amount: amount})
			case 5:
				if n > 15 {
					_, err = s.pay.Void(s.ctx, id, payment.VoidParams{Key: key})
				}
			case 6:
				_, err = s.pay.Sync(s.ctx, id)
			case 7:
				for _, w := range s.bank.TakeWebhooks() {
					if _, err := s.pay.Receive(s.ctx, s.bank.Name(), w); err != nil {
						t.Error("a genuine notification was refused: ", err)
					}
				}
			case 9:
				if s.bank.PayerPays(id) == nil { // else there was nothing to pay
					if p, err := s.store.Payment(s.ctx, id); err == nil {
						if ref := p.Operations[len(p.Operations)-1].Ref; ref != "" {
							_, _ = s.pay.Resume(s.ctx, id, s.bank.Return(ref)) // the end is checked, not the call
						}
					}
				}
			case 10:
				if n > 20 {
					_, err = s.pay.Cancel(s.ctx, id, payment.CancelParams{Key: key})
				}
			case 8:
				s.clock.Add(time.Duration(rng.IntN(20)) * time.Second)
				_, err = s.pay.RunOnce(s.ctx)
			}
			if err != nil && !isRefusal(err) {
				t.Error(err)
			}
		}
	})
	s.bank.SetOdds()
	for range 30 { // longer than a key lives: what replays cannot tell, look-ups then do
		s.quiet(1)
		s.clock.Add(time.Hour)
	}
	for _, id := range ids {
		p := s.agree(id)
		truth := s.bank.Truth(id)
		require.LessOrEqual(t, p.Totals.Captured.Done.Minor(), int64(100_00), dump(p))
		extra := truth.Collected().Minor() - p.Totals.Captured.Done.Minor()
		require.Equal(t, extra, extraOf(p), "what was collected beyond the order is an incident\n%s", dump(p))
		require.LessOrEqual(t, truth.Refunded().Minor(), truth.Collected().Minor())
		if p.Canceled && p.Parked == nil {
			require.Equal(t, truth.Collected().Minor(), truth.Refunded().Minor(), "a canceled payment kept money, and nobody was told\n%s", dump(p))
		}
		for _, o := range p.Operations {
			if o.Kind != payment.OpAuthorize {
				require.False(t, o.State.Outstanding(), "%s is left open\n%s", o.ID, dump(p))
			}
		}
	}
}

// isRefusal reports whether an error is one that a verb may answer.
func isRefusal(err error) bool {
	for _, is := range []error{payment.ErrExceeds, payment.ErrNotAllowed, payment.ErrReferenceLive} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

// extraOf is what the record says was collected beyond the order.
func extraOf(p *payment.Payment) int64 {
	var sum int64
	for _, o := range p.Operations {
		if o.Overpaid && o.State == payment.StateApproved && (o.Kind == payment.OpCapture || o.Kind == payment.OpAuthorize && o.Sale) {
			sum += o.Approved.Minor()
		}
	}
	return sum
}
