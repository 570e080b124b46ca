package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// disputed makes a captured payment of which amount is disputed.
func (s *shop) disputed(minor int64) (*payment.Payment, *payment.Dispute, string) {
	s.t.Helper()
	p := s.paid("order-1")
	ref, err := s.bank.OpenDispute(p.ID, usd(minor), "fraudulent")
	require.NoError(s.t, err)
	s.deliver()
	return s.get(p.ID), s.dispute(p.ID), ref
}

func (s *shop) dispute(id string) *payment.Dispute {
	s.t.Helper()
	ds, err := s.pay.Disputes(s.ctx, payment.DisputeQuery{PaymentID: id})
	require.NoError(s.t, err)
	require.Len(s.t, ds, 1)
	return ds[0]
}

func TestDispute(t *testing.T) {
	t.Parallel()
	t.Run("opened", func(t *testing.T) {
		t.Parallel()
		for _, kind := range []fake.Personality{fake.Plain, fake.Stripe, fake.Adyen, fake.PayPal} {
			t.Run(string(kind), func(t *testing.T) {
				t.Parallel()
				onStores(t, func(t *testing.T, store payment.Store) {
					s := open(t, store, fake.Options{Personality: kind})
					p, d, ref := s.disputed(40_00)
					require.Equal(t, ref, d.Ref)
					require.Equal(t, payment.DisputeNeedsResponse, d.Status)
					require.True(t, d.Open())
					require.Equal(t, usd(40_00), d.Amount)
					require.Equal(t, usd(15_00), d.Fee)
					require.False(t, d.Due.IsZero())
					require.NotEmpty(t, d.Operation)
					require.Equal(t, usd(40_00), p.Totals.Disputed.Pending)
					require.Equal(t, payment.StatusCaptured, p.Status)
					require.Equal(t, usd(60_00), p.Refundable(), "what is disputed is not refunded as well")
					_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(60_01)})
					require.ErrorIs(t, err, payment.ErrExceeds)
					require.True(t, s.hasEvent(p.ID, payment.EventDispute))
					s.agree(p.ID)
				})
			})
		}
	})
	t.Run("evidence, then won", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p, d, ref := s.disputed(100_00)
			ev := payment.Evidence{Text: "it was delivered", Fields: map[string]string{"shipping_tracking_number": "1Z"},
				Files: []payment.EvidenceFile{{Kind: "receipt", Name: "r.pdf", ContentType: "application/pdf", Data: []byte("%PDF")}}}
			_, err := s.pay.Respond(s.ctx, d.ID, payment.RespondParams{Key: "d1", Evidence: ev})
			require.NoError(t, err)
			require.Equal(t, payment.DisputeNeedsResponse, s.dispute(p.ID).Status, "a draft is no answer")
			_, err = s.pay.Respond(s.ctx, d.ID, payment.RespondParams{Key: "d2", Evidence: ev, Submit: true})
			require.NoError(t, err)
			s.deliver()
			require.Equal(t, payment.DisputeUnderReview, s.dispute(p.ID).Status)
			_, err = s.pay.Respond(s.ctx, d.ID, payment.RespondParams{Key: "d3", Evidence: ev, Submit: true})
			require.ErrorIs(t, err, payment.ErrNotAllowed, "the evidence is in")
			require.NoError(t, s.bank.WinDispute(ref))
			s.deliver()
			p = s.agree(p.ID)
			require.Equal(t, payment.DisputeWon, s.dispute(p.ID).Status)
			require.Equal(t, payment.StatusCaptured, p.Status)
			require.True(t, p.Totals.Disputed.Pending.IsZero())
			require.Equal(t, usd(100_00), p.Refundable())
			_, err = s.pay.Accept(s.ctx, d.ID, "a1")
			require.ErrorIs(t, err, payment.ErrNotAllowed)
		})
	})
	t.Run("lost", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p, _, ref := s.disputed(100_00)
			require.NoError(t, s.bank.LoseDispute(ref))
			hooks := s.bank.TakeWebhooks()
			for range 2 {
				for _, w := range hooks {
					s.receive(s.bank, w)
				}
			}
			p = s.agree(p.ID)
			require.Equal(t, payment.StatusChargedBack, p.Status)
			require.Equal(t, usd(100_00), p.Totals.Disputed.Done)
			require.True(t, p.Refundable().IsZero())
			_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1", Amount: usd(1_00)})
			require.Error(t, err, "the payer has the money already")
			require.Equal(t, payment.Refused, p.Next().Kind)
		})
	})
	t.Run("accepted", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p, d, _ := s.disputed(100_00)
			_, err := s.pay.Accept(s.ctx, d.ID, "a1")
			require.NoError(t, err)
			_, err = s.pay.Accept(s.ctx, d.ID, "a1")
			require.NoError(t, err, "the same key twice is one")
			s.deliver()
			p = s.agree(p.ID)
			require.Equal(t, payment.DisputeAccepted, s.dispute(p.ID).Status)
			require.Equal(t, payment.StatusChargedBack, p.Status)
		})
	})
	t.Run("a part is lost", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p, _, ref := s.disputed(40_00)
			require.NoError(t, s.bank.LoseDispute(ref))
			s.deliver()
			p = s.agree(p.ID)
			require.Equal(t, usd(40_00), p.Totals.Disputed.Done)
			require.Equal(t, usd(60_00), p.Refundable())
			_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r1"})
			require.NoError(t, err)
			require.Equal(t, usd(60_00), s.bank.Truth(p.ID).Refunded())
		})
	})
	t.Run("stages out of order", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p := s.paid("order-1")
			ref, err := s.bank.OpenDispute(p.ID, usd(100_00), "fraudulent")
			require.NoError(t, err)
			opened := s.bank.TakeWebhooks()
			s.clock.Add(time.Minute)
			require.NoError(t, s.bank.LoseDispute(ref))
			s.deliver()
			for _, w := range opened {
				s.receive(s.bank, w)
			}
			p = s.agree(p.ID)
			require.Equal(t, payment.DisputeLost, s.dispute(p.ID).Status, "an earlier stage that comes late changes nothing")
			require.Equal(t, payment.StatusChargedBack, p.Status)
		})
	})
	t.Run("reopened", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p, d, ref := s.disputed(100_00)
			require.NoError(t, s.bank.WinDispute(ref))
			s.deliver()
			require.Equal(t, payment.StatusCaptured, s.get(p.ID).Status)
			s.clock.Add(24 * time.Hour)
			// The issuer appeals: the same dispute, reported later, is open again.
			e, err := s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "appeal", Kind: payment.OpDispute, Ref: ref, Parent: p.Operations[0].Ref, At: s.clock.Now(),
				Dispute: &payment.DisputeFact{Ref: ref, Status: payment.DisputeNeedsResponse, Amount: usd(100_00), Reason: "fraudulent", Due: s.clock.Now().Add(7 * 24 * time.Hour)}})
			require.NoError(t, err)
			require.True(t, e.Applied, "a dispute that the network reopens is open: %s", e.Reason)
			p = s.get(p.ID)
			require.Equal(t, usd(100_00), p.Totals.Disputed.Pending)
			require.True(t, p.Refundable().IsZero())
			require.True(t, s.dispute(p.ID).Open())
			_, err = s.pay.Respond(s.ctx, d.ID, payment.RespondParams{Key: "d9", Evidence: payment.Evidence{Text: "again"}})
			require.NoError(t, err)
			e, err = s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "end", Kind: payment.OpDispute, Ref: ref, Parent: p.Operations[0].Ref, At: s.clock.Now().Add(time.Hour),
				Dispute: &payment.DisputeFact{Ref: ref, Status: payment.DisputeLost, Amount: usd(100_00)}})
			require.NoError(t, err)
			require.True(t, e.Applied)
			require.Equal(t, payment.StatusChargedBack, s.get(p.ID).Status)
		})
	})
	t.Run("won after it was lost", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p, _, ref := s.disputed(100_00)
			require.NoError(t, s.bank.LoseDispute(ref))
			s.deliver()
			s.clock.Add(24 * time.Hour)
			e, err := s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "appeal", Kind: payment.OpDispute, Ref: ref, Parent: p.Operations[0].Ref, At: s.clock.Now(),
				Dispute: &payment.DisputeFact{Ref: ref, Status: payment.DisputeWon, Amount: usd(100_00)}})
			require.NoError(t, err)
			require.True(t, e.Applied)
			p = s.get(p.ID)
			require.Equal(t, payment.StatusCaptured, p.Status)
			require.True(t, p.Totals.Disputed.Done.IsZero())
		})
	})
	t.Run("an inquiry holds no money", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p := s.paid("order-1")
			_, err := s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "i1", Kind: payment.OpDispute, Ref: "dp_9", Parent: p.Operations[0].Ref,
				Dispute: &payment.DisputeFact{Ref: "dp_9", Status: payment.DisputeInquiry, Amount: usd(100_00)}})
			require.NoError(t, err)
			p = s.agree(p.ID)
			require.True(t, p.Totals.Disputed.Pending.IsZero())
			require.Equal(t, usd(100_00), p.Refundable())
		})
	})
	t.Run("in another currency", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p := s.paid("order-1")
			_, err := s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "i1", Kind: payment.OpDispute, Ref: "dp_9", Parent: p.Operations[0].Ref,
				Dispute: &payment.DisputeFact{Ref: "dp_9", Status: payment.DisputeNeedsResponse, Amount: eur(90_00)}})
			require.NoError(t, err, "a verified fact is acknowledged")
			p = s.agree(p.ID)
			require.NotNil(t, p.Parked)
			require.Len(t, operations(p, payment.OpDispute), 1, "and the dispute is on the record")
		})
	})
	t.Run("an answer of unknown outcome", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p, d, _ := s.disputed(100_00)
			s.bank.Script("accept", fake.TimeoutAfter())
			_, err := s.pay.Accept(s.ctx, d.ID, "a1")
			require.NoError(t, err)
			s.quiet(5)
			p = s.agree(p.ID)
			require.Equal(t, payment.DisputeAccepted, s.dispute(p.ID).Status)
			require.Equal(t, payment.StateApproved, operations(p, payment.OpAccept)[0].State, dump(p))
		})
	})
	t.Run("bad input", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			p, d, _ := s.disputed(100_00)
			before := p.Version
			var field *payment.FieldError
			_, err := s.pay.Respond(s.ctx, d.ID, payment.RespondParams{Key: "d1", Evidence: payment.Evidence{Files: []payment.EvidenceFile{{ContentType: "text/html", Data: []byte("x")}}}})
			require.ErrorAs(t, err, &field)
			require.Equal(t, "Evidence.Files[0].ContentType", field.Field)
			_, err = s.pay.Respond(s.ctx, "p0nothing", payment.RespondParams{Key: "d1"})
			require.ErrorIs(t, err, payment.ErrNotFound)
			_, err = s.pay.Accept(s.ctx, d.ID, "")
			require.ErrorIs(t, err, payment.ErrInvalid)
			require.Equal(t, before, s.get(p.ID).Version, "nothing is written")
		})
	})
}
