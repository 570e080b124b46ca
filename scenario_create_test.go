package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
)

// Create asks nobody; Proceed sends, once per key.
func TestCreateThenProceed(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Record: true})
		r := s.request("order-1")
		p, err := s.pay.Create(s.ctx, r)
		require.NoError(t, err)
		require.Equal(t, payment.StatusCreated, p.Status)
		require.Empty(t, p.Operations)
		require.Empty(t, s.bank.Requests())
		again, err := s.pay.Create(s.ctx, r)
		require.NoError(t, err)
		require.Equal(t, p.ID, again.ID)
		ch := payment.Choice{Key: "go"}
		together(8, func(int) {
			if _, err := s.pay.Proceed(s.ctx, p.ID, ch); err != nil {
				t.Error(err)
			}
		})
		p, err = s.pay.Proceed(s.ctx, p.ID, ch)
		require.NoError(t, err)
		require.Equal(t, payment.StatusCaptured, p.Status)
		require.Len(t, s.bank.Requests(), 1)
		s.agree(p.ID)
		_, err = s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "go", Method: payment.Card("tok_other")})
		require.ErrorIs(t, err, payment.ErrKeyReused)
		p, err = s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "go2"})
		require.NoError(t, err)
		require.Len(t, p.Operations, 1, "a paid payment is charged no more")
	})
}

// Two tabs choose different methods for one payment at once.
func TestProceedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p, err := s.pay.Create(s.ctx, s.request("order-1"))
		require.NoError(t, err)
		together(16, func(int) {
			if _, err := s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: s.key(), Method: payment.Card("tok_" + s.key())}); err != nil {
				t.Error(err)
			}
		})
		p = s.agree(p.ID)
		require.Equal(t, payment.StatusCaptured, p.Status)
		require.Len(t, s.bank.Truth(p.ID).Collections(), 1, dump(p))
	})
}

// A method may be left open by Create, and must be named by Proceed.
func TestProceedNamesTheMethod(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		r := s.request("order-1")
		r.Method = payment.Instrument{}
		p, err := s.pay.Create(s.ctx, r)
		require.NoError(t, err)
		_, err = s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "go"})
		var field *payment.FieldError
		require.ErrorAs(t, err, &field)
		require.Equal(t, "Method", field.Field)
		_, err = s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "go", Method: payment.Using(payment.MethodIDEAL)})
		var route *payment.RouteError
		require.ErrorAs(t, err, &route)
		require.Contains(t, route.Reasons["fake"], "ideal")
		p, err = s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "go", Method: payment.Card(fake.TokenApproved)})
		require.NoError(t, err, "a refused choice does not use its key up")
		require.Equal(t, payment.StatusCaptured, p.Status)
		_, err = s.pay.Proceed(s.ctx, "p0nothing", payment.Choice{Key: "go"})
		require.ErrorIs(t, err, payment.ErrNotFound)
	})
}

// Nobody sends it: it is given up after its time, and its reference is free.
func TestCreatedPaymentExpires(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{}, func(c *payment.Config) { c.ExpireAfter = time.Hour })
		p, err := s.pay.Create(s.ctx, s.request("order-1"))
		require.NoError(t, err)
		s.repair(59 * time.Minute)
		require.Equal(t, payment.StatusCreated, s.get(p.ID).Status)
		s.repair(3 * time.Minute)
		p = s.agree(p.ID)
		require.Equal(t, payment.StatusExpired, p.Status)
		require.Equal(t, payment.ReasonExpired, p.Next().Decline.Reason)
		q, err := s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "late"})
		require.NoError(t, err)
		require.Equal(t, payment.StatusExpired, q.Status)
		require.Empty(t, s.bank.Movements())
		require.Equal(t, payment.StatusCaptured, s.mustPay(s.request("order-1")).Status)
	})
}

// An unattended payment is sent by the worker if its creator died, and only
// then; one that cannot be sent asks for a person.
func TestUnattended(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Record: true})
		r := s.request("order-1")
		r.Unattended, r.OffSession = true, true
		p, err := s.pay.Create(s.ctx, r)
		require.NoError(t, err)
		s.repair(40 * time.Second)
		require.Empty(t, s.bank.Requests(), "its creator may still send it")
		s.repair(2 * time.Minute)
		p = s.agree(p.ID)
		require.Equal(t, payment.StatusCaptured, p.Status, dump(p))
		require.Len(t, s.bank.Requests(), 1)
	})
	t.Run("sent by its creator", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{Record: true})
			r := s.request("order-1")
			r.Unattended = true
			p, err := s.pay.Create(s.ctx, r)
			require.NoError(t, err)
			_, err = s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "go"})
			require.NoError(t, err)
			s.repair(5 * time.Minute)
			require.Len(t, s.bank.Requests(), 1)
			s.agree(p.ID)
		})
	})
	t.Run("that cannot be sent", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{})
			r := s.request("order-1")
			r.Unattended, r.Method = true, payment.Instrument{}
			p, err := s.pay.Create(s.ctx, r)
			require.NoError(t, err)
			s.repair(5 * time.Minute)
			p = s.agree(p.ID)
			require.NotNil(t, p.Parked)
			require.NotEmpty(t, p.Parked.Missing)
		})
	})
	t.Run("declined", func(t *testing.T) {
		t.Parallel()
		onStores(t, func(t *testing.T, store payment.Store) {
			s := open(t, store, fake.Options{Record: true})
			r := s.request("order-1")
			r.Unattended, r.Method = true, payment.Card(fake.TokenDecline(payment.ReasonInsufficientFunds))
			p, err := s.pay.Create(s.ctx, r)
			require.NoError(t, err)
			s.repair(20 * time.Minute)
			require.Equal(t, payment.StatusDeclined, s.agree(p.ID).Status)
			require.Len(t, s.bank.Requests(), 1, "a decline is not tried again by the worker")
		})
	})
}

// A payer whose card was declined tries another, on the same payment.
func TestProceedAfterADecline(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		r := s.request("order-1")
		r.Method = payment.Card(fake.TokenDecline(payment.ReasonInsufficientFunds))
		p := s.mustPay(r)
		require.Equal(t, payment.Refused, p.Next().Kind)
		require.NotEmpty(t, p.Next().Text("de").Body)
		p, err := s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "second-card", Method: payment.Card(fake.TokenApproved)})
		require.NoError(t, err)
		require.Equal(t, payment.StatusCaptured, p.Status)
		require.Len(t, operations(p, payment.OpAuthorize), 2)
		s.agree(p.ID)
	})
}
