package payment_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// stuck makes a payment whose outcome cannot be proven and that was parked.
func stuck(t *testing.T, store payment.Store) (*shop, *payment.Payment) {
	t.Helper()
	s := open(t, store, fake.Options{NoWebhooks: true}, func(c *payment.Config) { c.ParkAfter = time.Hour })
	s.bank.Script("pay", repeat(fake.TimeoutBefore(), 50)...)
	s.bank.Script("lookup", repeat(fake.TimeoutBefore(), 500)...)
	s.bank.Script("cancel", repeat(fake.TimeoutBefore(), 50)...)
	p := s.mustPay(s.request("order-1"))
	for range 8 {
		s.clock.Add(30 * time.Minute)
		s.repair(time.Minute)
	}
	p = s.get(p.ID)
	require.NotNil(t, p.Parked, dump(p))
	return s, p
}

// A person found out what became of it, and says so with evidence.
func TestDecideEachFinding(t *testing.T) {
	t.Parallel()
	for finding, want := range map[payment.Finding]payment.Status{
		payment.FindingApproved: payment.StatusCaptured,
		payment.FindingDeclined: payment.StatusDeclined,
		payment.FindingAbsent:   payment.StatusDeclined,
		payment.FindingCanceled: payment.StatusCanceled,
		payment.FindingReversed: payment.StatusVoided,
	} {
		t.Run(string(finding), func(t *testing.T) {
			t.Parallel()
			onStores(t, func(t *testing.T, store payment.Store) {
				s, p := stuck(t, store)
				o := p.Operations[0]
				require.Equal(t, o.ID, p.Parked.Operation)
				cites := s.events(p.ID)[1].ID
				p, err := s.pay.Decide(s.ctx, payment.Decision{PaymentID: p.ID, Operation: o.ID, Finding: finding, Ref: "fk_seen", Who: "mia", Evidence: "dashboard, 22 Nov", Cites: cites})
				require.NoError(t, err)
				require.Equal(t, want, p.Status, dump(p))
				require.Nil(t, p.Parked)
				events := s.events(p.ID)
				var verdict *payment.Event
				for _, e := range events {
					if e.Type == payment.EventVerdict {
						verdict = e
					}
				}
				require.NotNil(t, verdict, "a decision is an event")
				require.Equal(t, "mia", verdict.Who)
				require.Equal(t, cites, verdict.Cites)
				require.Equal(t, payment.SourceDecision, verdict.Source)
				require.Contains(t, verdict.Reason, "dashboard")
				parked, err := s.pay.Parked(s.ctx, "", 0)
				require.NoError(t, err)
				require.Empty(t, parked)
				s.bank.ClearScript()
				s.repair(2 * time.Hour)
				require.Equal(t, want, s.get(p.ID).Status, "what was decided is not asked again\n%s", dump(s.get(p.ID)))
				if finding == payment.FindingApproved {
					require.Equal(t, "fk_seen", s.get(p.ID).Operations[0].Ref)
					require.Equal(t, usd(100_00), s.get(p.ID).Totals.Captured.Done)
				}
			})
		})
	}
	t.Run("noted", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s, p := stuck(t, store)
			p, err := s.pay.Decide(s.ctx, payment.Decision{PaymentID: p.ID, Finding: payment.FindingNoted, Who: "mia", Evidence: "asked the provider's support"})
			require.NoError(t, err)
			require.Nil(t, p.Parked)
			require.Equal(t, payment.StatusUnknown, p.Status, "it changes nothing")
			_, err = s.pay.Decide(s.ctx, payment.Decision{PaymentID: p.ID, Finding: payment.FindingNoted, Who: "mia", Evidence: "again"})
			require.ErrorIs(t, err, payment.ErrNotAllowed)
		})
	})
	t.Run("another amount was seen", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s, p := stuck(t, store)
			p, err := s.pay.Decide(s.ctx, payment.Decision{PaymentID: p.ID, Operation: p.Operations[0].ID, Finding: payment.FindingApproved, Amount: usd(60_00), Who: "mia", Evidence: "dashboard"})
			require.NoError(t, err)
			require.Equal(t, usd(60_00), p.Totals.Captured.Done, dump(p))
			require.Equal(t, payment.StatusPartiallyCaptured, p.Status)
		})
	})
}

// A decision that cannot be: each names what is wrong, and changes nothing.
func TestDecideWrongly(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.paid("order-1")
		o := p.Operations[0].ID
		good := payment.Decision{PaymentID: p.ID, Operation: o, Finding: payment.FindingReversed, Who: "mia", Evidence: "bank statement"}
		for field, change := range map[string]func(d *payment.Decision){
			"Who":       func(d *payment.Decision) { d.Who = "" },
			"Evidence":  func(d *payment.Decision) { d.Evidence = "" },
			"Finding":   func(d *payment.Decision) { d.Finding = "probably" },
			"Operation": func(d *payment.Decision) { d.Operation = "p0nothing" },
			"PaymentID": func(d *payment.Decision) { d.PaymentID = "a/b" },
			"Amount":    func(d *payment.Decision) { d.Amount = eur(100_00) },
		} {
			d := good
			change(&d)
			_, err := s.pay.Decide(s.ctx, d)
			var fe *payment.FieldError
			require.ErrorAs(t, err, &fe, field)
			require.Equal(t, field, fe.Field)
		}
		d := good
		d.Finding = payment.FindingDeclined
		_, err := s.pay.Decide(s.ctx, d)
		require.ErrorIs(t, err, payment.ErrNotAllowed, "an approved operation cannot become declined")
		d.Finding = payment.FindingApprove
		_, err = s.pay.Decide(s.ctx, d)
		require.ErrorIs(t, err, payment.ErrNotAllowed, "it is not in review")
		require.Equal(t, p.Version, s.get(p.ID).Version, "nothing was written")
		d = good
		d.PaymentID = "p00000000000000000000000"
		_, err = s.pay.Decide(s.ctx, d)
		require.ErrorIs(t, err, payment.ErrNotFound)
		_, err = s.pay.Decide(s.ctx, good)
		require.NoError(t, err)
	})
}

// What a provider said and what a person decided contradict each other later:
// the fact counts, the decision stays on the record.
func TestDecisionIsContradictedByAFact(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s, p := stuck(t, store)
		o := p.Operations[0]
		_, err := s.pay.Decide(s.ctx, payment.Decision{PaymentID: p.ID, Operation: o.ID, Finding: payment.FindingAbsent, Who: "mia", Evidence: "nothing in the dashboard"})
		require.NoError(t, err)
		e, err := s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "late", Kind: payment.OpAuthorize, Status: payment.ResultApproved, Captured: true,
			OperationID: o.ID, Ref: "fk_late", Amount: usd(100_00)})
		require.NoError(t, err)
		require.True(t, e.Applied)
		require.Equal(t, payment.StatusCaptured, s.get(p.ID).Status, "the money is the order's: nobody else paid it")
	})
}

// The outbox holds all of a life in order, and a reader that remembers the last
// Seq misses nothing while others write.
func TestEventsWithConcurrentWriters(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		ctx, stop := context.WithCancel(s.ctx)
		defer stop()
		seen := map[string]int64{}
		var order []int64
		read := func(after int64) int64 {
			got, err := s.pay.Events(s.ctx, payment.EventQuery{AfterSeq: after, Limit: 3})
			if err != nil {
				t.Error(err)
				return after
			}
			for _, e := range got {
				if _, twice := seen[e.ID]; twice {
					t.Errorf("event %s is returned twice", e.ID)
				}
				seen[e.ID] = e.Seq
				order = append(order, e.Seq)
				after = e.Seq
			}
			return after
		}
		done := make(chan int64)
		go func() {
			after := int64(0)
			for ctx.Err() == nil {
				after = read(after)
			}
			done <- after
		}()
		together(8, func(i int) {
			for range 4 {
				p, err := s.pay.Pay(s.ctx, s.request("order-"+s.key()))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r", Amount: usd(1_00)}); err != nil {
					t.Error(err)
				}
			}
		})
		stop()
		after := <-done
		for range 1000 { // what is left
			next := read(after)
			if next == after {
				break
			}
			after = next
		}
		require.IsIncreasing(t, order, "the reader saw them in order")
		all := s.events("")
		require.Len(t, all, 32*3, "created, paid, refunded")
		for _, e := range all {
			require.Contains(t, seen, e.ID, "event %d appeared behind the reader's back", e.Seq)
		}
	})
}
