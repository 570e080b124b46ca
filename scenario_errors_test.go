package payment_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

// Whatever verb meets an id that is not there says what is not there, and which.
func TestUnknownIDIsNamed(t *testing.T) {
	t.Parallel()
	const id = "p0nothing"
	verbs := map[string]struct {
		what string
		do   func(s *shop) error
	}{
		"Get":     {"payment", func(s *shop) error { _, err := s.pay.Get(s.ctx, id); return err }},
		"Proceed": {"payment", func(s *shop) error { _, err := s.pay.Proceed(s.ctx, id, payment.Choice{Key: "k"}); return err }},
		"Resume":  {"payment", func(s *shop) error { _, err := s.pay.Resume(s.ctx, id, url.Values{}); return err }},
		"Sync":    {"payment", func(s *shop) error { _, err := s.pay.Sync(s.ctx, id); return err }},
		"Capture": {"payment", func(s *shop) error { _, err := s.pay.Capture(s.ctx, id, payment.CaptureParams{Key: "k"}); return err }},
		"Void":    {"payment", func(s *shop) error { _, err := s.pay.Void(s.ctx, id, payment.VoidParams{Key: "k"}); return err }},
		"Cancel":  {"payment", func(s *shop) error { _, err := s.pay.Cancel(s.ctx, id, payment.CancelParams{Key: "k"}); return err }},
		"Refund":  {"payment", func(s *shop) error { _, err := s.pay.Refund(s.ctx, id, payment.RefundParams{Key: "k"}); return err }},
		"Transfer": {"payment", func(s *shop) error {
			_, err := s.pay.Transfer(s.ctx, id, payment.TransferParams{Key: "k", Amount: usd(1), Destination: "acct_1"})
			return err
		}},
		"Decide": {"payment", func(s *shop) error {
			_, err := s.pay.Decide(s.ctx, payment.Decision{PaymentID: id, Finding: payment.FindingNoted, Who: "ann", Evidence: "seen"})
			return err
		}},
		"EraseGuest": {"payment", func(s *shop) error { return s.pay.EraseGuest(s.ctx, id) }},
		"Erase":      {"customer", func(s *shop) error { return s.pay.Erase(s.ctx, id) }},
		"Forget":     {"saved method", func(s *shop) error { return s.pay.Forget(s.ctx, id) }},
		"Respond": {"dispute", func(s *shop) error {
			_, err := s.pay.Respond(s.ctx, id, payment.RespondParams{Key: "k"})
			return err
		}},
		"Accept": {"dispute", func(s *shop) error { _, err := s.pay.Accept(s.ctx, id, "k"); return err }},
		"Disputes": {"dispute", func(s *shop) error {
			_, err := s.pay.Disputes(s.ctx, payment.DisputeQuery{After: id})
			return err
		}},
	}
	onStores(t, func(t *testing.T, store payment.Store) {
		plain := open(t, store, fake.Options{})
		// A hook is asked before some verbs plan anything: it must not hide the id.
		hooked := open(t, store, fake.Options{}, with(says(payment.StageBeforeRefund, payment.Allow)))
		for verb, c := range verbs {
			for _, s := range []*shop{plain, hooked} {
				err := c.do(s)
				require.ErrorIs(t, err, payment.ErrNotFound, verb)
				var nf *payment.NotFoundError
				require.ErrorAs(t, err, &nf, "%s: %v", verb, err)
				require.Equal(t, payment.NotFoundError{What: c.what, ID: id}, *nf, verb)
				require.Equal(t, "payment: no "+c.what+` has the id "`+id+`"`, err.Error(), verb)
			}
		}
	})
}

// particular is a provider that would take anything but this request.
type particular struct {
	*fake.Provider
	bad error
}

func (p particular) Validate(payment.AuthorizeRequest) error { return p.bad }

// A field that no provider can take is found through the error that says that
// none takes the payment.
func TestRouteErrorCarriesTheFields(t *testing.T) {
	t.Parallel()
	field := func(name string) error { return &payment.FieldError{Field: name, Problem: "is odd"} }
	for name, c := range map[string]struct {
		bad    []error
		fields []string
	}{
		"one field":       {[]error{field("ReturnURL")}, []string{"ReturnURL"}},
		"several":         {[]error{errors.Join(field("ReturnURL"), field("Amount"))}, []string{"ReturnURL", "Amount"}},
		"two providers":   {[]error{field("ReturnURL"), field("Method.Token")}, []string{"ReturnURL", "Method.Token"}},
		"in other words":  {[]error{errors.New("no")}, nil},
		"only one at all": {[]error{nil, field("ReturnURL")}, []string{"-"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var providers []payment.Provider
			for i, bad := range c.bad {
				providers = append(providers, particular{fake.New(fake.Options{Name: strings.Repeat("x", i+1)}), bad})
			}
			s := open(t, stores[0].open(t), fake.Options{}, func(cfg *payment.Config) { cfg.Providers = providers })
			check := func(err error) {
				t.Helper()
				if c.fields != nil && c.fields[0] == "-" {
					require.NoError(t, err, "one that can take it is enough")
					return
				}
				var route *payment.RouteError
				require.ErrorAs(t, err, &route)
				require.ErrorIs(t, err, payment.ErrNoProvider)
				require.ErrorIs(t, err, payment.ErrInvalid, "it is the request that must be changed")
				require.NotContains(t, err.Error(), "\n")
				for _, f := range c.fields {
					require.ErrorContains(t, err, f)
				}
				var first *payment.FieldError
				require.Equal(t, len(c.fields) > 0, errors.As(err, &first))
				if first != nil {
					require.Equal(t, c.fields[0], first.Field)
				}
			}
			_, err := s.pay.Pay(s.ctx, s.request("order-1"))
			check(err)
			_, err = s.pay.Create(s.ctx, s.request("order-2"))
			check(err)
			r := s.request("order-3")
			r.Method = payment.Instrument{}
			p, err := s.pay.Create(s.ctx, r)
			require.NoError(t, err)
			_, err = s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "k", Method: payment.Card(fake.TokenApproved)})
			check(err)
		})
	}
	for field, change := range map[string]func(*payment.Request){
		"Method":     func(r *payment.Request) { r.Method = payment.Using(payment.MethodIDEAL) },
		"Amount":     func(r *payment.Request) { r.Amount = money.Of(1, money.KWD) },
		"OffSession": func(r *payment.Request) { r.OffSession, r.Customer = true, "cust-1" },
	} {
		t.Run("no provider has what "+field+" asks for", func(t *testing.T) {
			t.Parallel()
			s := open(t, stores[0].open(t), fake.Options{Personality: fake.WeChatPay, Methods: []payment.Method{payment.MethodCard}, Currencies: []money.Currency{money.USD}})
			r := s.request("order-1")
			change(&r)
			_, err := s.pay.Pay(s.ctx, r)
			require.ErrorIs(t, err, payment.ErrNoProvider)
			require.ErrorIs(t, err, payment.ErrInvalid)
			var bad *payment.FieldError
			require.ErrorAs(t, err, &bad)
			require.Equal(t, field, bad.Field, err)
		})
	}
}

// Who asks for all that is left, where nothing is, reads so, and why.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{})
		p := s.paid("order-1")
		_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r"})
		require.NoError(t, err)
		s.quiet(2)
		for amount, want := range map[money.Amount]string{
			{}:     "payment: nothing is left to refund",
			usd(1): "payment: cannot refund 0.01 USD: only 0.00 USD is available",
		} {
			_, err = s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: s.key(), Amount: amount})
			require.EqualError(t, err, want)
			require.ErrorIs(t, err, payment.ErrExceeds)
			var ex *payment.ExceedsError
			require.ErrorAs(t, err, &ex)
			require.Equal(t, amount, ex.Asked)
			require.True(t, ex.Available.IsZero())
		}
	})
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Personality: fake.Adyen}) // tells of refunds later
		p, _, _ := s.disputed(40_00)
		p, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: "r"})
		require.NoError(t, err)
		require.Equal(t, usd(60_00), p.Totals.Refunded.Pending)
		for amount, want := range map[money.Amount]string{
			{}:          "payment: nothing is left to refund (60.00 USD is on its way, 40.00 USD is disputed)",
			usd(100_00): "payment: cannot refund 100.00 USD: only 0.00 USD is available (60.00 USD is on its way, 40.00 USD is disputed)",
		} {
			_, err := s.pay.Refund(s.ctx, p.ID, payment.RefundParams{Key: s.key(), Amount: amount})
			require.EqualError(t, err, want)
			var ex *payment.ExceedsError
			require.ErrorAs(t, err, &ex)
			require.Equal(t, payment.ExceedsError{Verb: "refund", Asked: amount, Available: usd(0), Pending: usd(60_00), Disputed: usd(40_00)}, *ex)
		}
	})
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Personality: fake.Adyen})
		p := s.authorized("order-1")
		p, err := s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c"})
		require.NoError(t, err)
		require.Equal(t, usd(100_00), p.Totals.Captured.Pending)
		_, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c2"})
		require.EqualError(t, err, "payment: nothing is left to capture (100.00 USD is on its way)")
		s.quiet(2)
		_, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "c3"})
		require.EqualError(t, err, "payment: nothing is left to capture")
	})
}
