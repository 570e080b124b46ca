package endtoend

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger/posting"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/stripe"
	"github.com/tender-go/payment/sandbox"
	"github.com/tender-go/payment/store/memstore"
	"github.com/tender-go/payment/store/sqlite"
	"github.com/tender-go/payment/webhook"
)

// shop is a shop on the sandbox's clock.
type shop struct {
	t     *testing.T
	ctx   context.Context
	bank  *sandbox.Server
	pay   *payment.Client
	books *posting.Books
	url   string // of the webhook handler
}

type options struct {
	store string // memstore or sqlite
	hooks bool   // Stripe notifies
	multi bool   // holds can be captured several times
}

var stores = []string{"memstore", "sqlite"}

func open(t *testing.T, o options) *shop {
	t.Helper()
	s := &shop{t: t, ctx: context.Background()}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL + "/webhooks/stripe"
	var bank sandbox.Options
	if o.hooks {
		bank.WebhookURLs = []string{s.url}
	}
	var err error
	s.bank, err = sandbox.Start(bank)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.bank.Close() })
	card, err := stripe.New(stripe.Config{
		SecretKey: payment.NewSecret(s.bank.Stripe.SecretKey), WebhookSecrets: []payment.Secret{payment.NewSecret(s.bank.Stripe.WebhookSecret)},
		BaseURL: s.bank.Stripe.URL, MultiCapture: o.multi,
	})
	require.NoError(t, err)
	var store payment.Store = memstore.New()
	if o.store == "sqlite" {
		db, err := sqlite.Open(filepath.Join(t.TempDir(), "shop.db"))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		store = db
	}
	s.books, err = posting.New(posting.Config{Now: s.bank.Now})
	require.NoError(t, err)
	s.pay, err = payment.New(payment.Config{Store: store, Providers: []payment.Provider{card}, Books: s.books, Now: s.bank.Now, CallTimeout: 5 * time.Second})
	require.NoError(t, err)
	mux.Handle("/webhooks/stripe", webhook.Handler(s.pay, card))
	return s
}

func usd(cents int64) money.Amount { return money.Of(cents, money.USD) }

const whole = 100_00

// request is an order of 100.00 by card.
func request(key, reference string) payment.Request {
	return payment.Request{Key: key, Reference: reference, Amount: usd(whole), Method: payment.Card("pm_card_visa")}
}

// paid collects an order, by a hold and its capture if held is set.
func (s *shop) paid(held bool) *payment.Payment {
	s.t.Helper()
	r := request("pay", "order-1")
	if held {
		r.Capture = payment.CaptureManual
	}
	p, err := s.pay.Pay(s.ctx, r)
	require.NoError(s.t, err)
	if held {
		p, err = s.pay.Capture(s.ctx, p.ID, payment.CaptureParams{Key: "capture"})
		require.NoError(s.t, err)
	}
	require.Equal(s.t, payment.StatusCaptured, p.Status)
	return p
}

// intent is the id of the one PaymentIntent of an order.
func (s *shop) intent(reference string) string {
	s.t.Helper()
	found := s.bank.Stripe.PaymentsWhere(map[string]string{"tender_reference": reference})
	require.Len(s.t, found, 1)
	return found[0].ID
}

// deliver waits until Stripe's notifications have arrived.
func (s *shop) deliver() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	require.NoError(s.t, s.bank.Flush(ctx))
}

// settle lets the worker and the clock run until nothing of the payment is open,
// at most for two weeks.
func (s *shop) settle(id string) *payment.Payment {
	s.t.Helper()
	for i := range 40 {
		s.deliver()
		_, err := s.pay.RunOnce(s.ctx)
		require.NoError(s.t, err)
		s.deliver()
		p, err := s.pay.Get(s.ctx, id)
		require.NoError(s.t, err)
		open := false
		for _, o := range p.Operations {
			open = open || o.State.Outstanding() && o.State != payment.StateActionRequired
		}
		if !open || p.Parked != nil {
			return p
		}
		s.bank.Advance(time.Minute + time.Duration(i)*10*time.Minute)
	}
	p, err := s.pay.Get(s.ctx, id)
	require.NoError(s.t, err)
	return p
}

// heard is the payment once the shop could have heard of everything: by Stripe's
// notifications alone where there are any, else by asking.
func (s *shop) heard(o options, id string) *payment.Payment {
	s.t.Helper()
	p := s.settle(id)
	if !o.hooks {
		p = s.sync(id)
	}
	return p
}

func (s *shop) sync(id string) *payment.Payment {
	s.t.Helper()
	p, err := s.pay.Sync(s.ctx, id)
	require.NoError(s.t, err)
	return p
}

// truth is what Stripe holds of an order, over all its objects.
type truth struct{ collected, refunded, held, charges int64 }

func (s *shop) truth(reference string) (t truth) {
	for _, p := range s.bank.Stripe.PaymentsWhere(map[string]string{"tender_reference": reference}) {
		t.collected += p.Received
		t.refunded += p.Refunded
		t.held += p.Capturable
		for _, c := range p.Charges {
			if c.Status == "succeeded" {
				t.charges++
			}
		}
	}
	return t
}

// agrees says that the records and the books tell what happened, that nobody was charged
// twice, and that no person is needed.
func (s *shop) agrees(p *payment.Payment) {
	s.t.Helper()
	is, sums := s.truth(p.Reference), p.Totals
	require.Nil(s.t, p.Parked, dump(p))
	require.LessOrEqual(s.t, is.charges, int64(1), "charged twice\n%s", dump(p))
	require.Equal(s.t, is.collected, sums.Captured.Done.Minor()+sums.Overpaid.Done.Minor(), "collected\n%s", dump(p))
	require.Equal(s.t, is.refunded, sums.Refunded.Done.Minor()+sums.OverpaidRefunded.Done.Minor(), "refunded\n%s", dump(p))
	require.Equal(s.t, is.held, p.Capturable().Minor(), "held\n%s", dump(p))
	now, err := s.pay.Get(s.ctx, p.ID)
	require.NoError(s.t, err)
	found, err := s.books.Compare(s.ctx, now)
	require.NoError(s.t, err)
	require.Empty(s.t, found, "the books say something else\n%s", dump(now))
}

func dump(p *payment.Payment) string {
	text := fmt.Sprintf("%s is %s, parked %+v", p.Reference, p.Status, p.Parked)
	for _, o := range p.Operations {
		text += fmt.Sprintf("\n  %s %s %s of %s, approved %s, origin %s, decline %s, failure %s", o.ID, o.Kind, o.State, o.Amount, o.Approved, o.Origin, o.Decline.Reason, o.Failure.Code)
	}
	return text
}
