package ownprovider_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/examples/ownprovider"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/providertest"
	"github.com/tender-go/payment/store/memstore"
)

// service is the voucher service, as far as the adapter needs it.
type service struct {
	mu   sync.Mutex
	done map[string]entry // by path: /redemptions/{key}, /refunds/{key}
}

type entry struct {
	Request string       `json:"-"`
	ID      string       `json:"id"`
	Status  string       `json:"status"`
	Reason  string       `json:"reason"`
	Amount  money.Amount `json:"amount"`
	Of      string       `json:"-"` // a refund's redemption
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer voucher_key" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	old, known := s.done[r.URL.Path]
	if r.Method == http.MethodGet {
		s.answer(w, old, known)
		return
	}
	var o struct {
		Voucher, Redemption, Reference string
		Amount                         money.Amount
	}
	if json.NewDecoder(r.Body).Decode(&o) != nil || !o.Amount.IsPositive() {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	print := o.Voucher + "|" + o.Redemption + "|" + o.Amount.String()
	if known && old.Request != print {
		w.WriteHeader(http.StatusConflict)
		return
	}
	if !known && o.Redemption != "" && o.Amount.Minor() > s.left(o.Redemption) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	if !known {
		kind, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		old = entry{Request: print, ID: kind[:3] + "_" + key, Status: "done", Amount: o.Amount, Of: o.Redemption}
		if o.Voucher == "GIFT-EMPTY" {
			old.Status, old.Reason = "refused", "empty"
		}
		s.done[r.URL.Path] = old
	}
	s.answer(w, old, true)
}

// left is what of a redemption is not refunded yet.
func (s *service) left(redemption string) (minor int64) {
	for _, e := range s.done {
		switch {
		case e.Status != "done":
		case e.ID == redemption:
			minor += e.Amount.Minor()
		case e.Of == redemption:
			minor -= e.Amount.Minor()
		}
	}
	return minor
}

func (s *service) answer(w http.ResponseWriter, e entry, known bool) {
	switch {
	case !known:
		w.WriteHeader(http.StatusNotFound)
		return
	case e.Status == "refused":
		w.WriteHeader(http.StatusPaymentRequired)
	}
	_ = json.NewEncoder(w).Encode(e)
}

// truth is what really happened, whatever was answered.
func (s *service) truth(operation string) (providertest.Truth, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var t providertest.Truth
	for path, e := range s.done {
		if strings.HasPrefix(path, "/redemptions/"+operation) && e.Status == "done" {
			t.Collected += e.Amount.Minor()
			t.Attempts++
			for _, f := range s.done {
				if f.Of == e.ID && f.Status == "done" {
					t.Refunded += f.Amount.Minor()
				}
			}
		}
	}
	return t, nil
}

func rig(providertest.Options) (*providertest.Rig, error) {
	s := &service{done: map[string]entry{}}
	wire := &providertest.Wire{Next: s,
		Step: func(r *http.Request, _ []byte) string {
			switch {
			case r.Method == http.MethodGet:
				return "lookup"
			case strings.HasPrefix(r.URL.Path, "/refunds/"):
				return "refund"
			}
			return "redeem"
		},
		Key: func(r *http.Request, _ []byte) string { return r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:] },
		// What only this service's own words can say.
		Conflict: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) }),
		Alter: func(f providertest.Fault, _ string) func([]byte) ([]byte, error) {
			return providertest.EditJSON(func(answer map[string]any) {
				switch f {
				case providertest.FaultOtherAmount:
					answer["amount"].(map[string]any)["value"] = "3.21"
				case providertest.FaultOtherCurrency:
					answer["amount"].(map[string]any)["currency"] = "CHF"
				case providertest.FaultNoRef:
					delete(answer, "id")
				}
			})
		},
	}
	server := httptest.NewServer(wire)
	p := &ownprovider.Provider{BaseURL: server.URL, Key: payment.NewSecret("voucher_key"), HTTP: &http.Client{Transport: wire.Transport()}}
	return &providertest.Rig{Provider: p, Close: server.Close, Fault: wire.Fault, Requests: wire.Requests, Truth: s.truth}, nil
}

func TestConformance(t *testing.T) {
	t.Parallel()
	voucher := func(code string) payment.Instrument {
		return payment.Instrument{Method: ownprovider.MethodVoucher, Token: payment.NewSecret(code)}
	}
	providertest.Run(t, providertest.Harness{
		New: rig,
		Methods: []providertest.Method{{
			Approve: voucher("GIFT-2026"), Decline: voucher("GIFT-EMPTY"), DeclineReason: payment.ReasonInsufficientFunds,
		}},
		Without: map[providertest.Ability]string{
			providertest.AbilityPayer:     "a voucher needs no act of the payer",
			providertest.AbilityChallenge: "a voucher needs no act of the payer",
			providertest.AbilityWebhooks:  "the service answers at once and notifies nobody",
			providertest.AbilityForge:     "the service notifies nobody",
			providertest.AbilityClock:     "nothing depends on the time",
			providertest.AbilityDispute:   "vouchers have no chargebacks",
		},
	})
}

// The adapter at work: the service's answer is lost, and the voucher is redeemed
// once.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	r, err := rig(providertest.Options{})
	require.NoError(t, err)
	defer r.Close()
	pay, err := payment.New(payment.Config{Store: memstore.New(), Providers: []payment.Provider{r.Provider}})
	require.NoError(t, err)
	require.NoError(t, r.Fault("redeem", providertest.FaultLost))
	p, err := pay.Pay(t.Context(), payment.Request{Key: "k-1", Reference: "order-7", Amount: money.Of(2500, money.EUR),
		Method: payment.Instrument{Method: ownprovider.MethodVoucher, Token: payment.NewSecret("GIFT-2026")}})
	require.NoError(t, err)
	require.Equal(t, payment.StatusCaptured, p.Status)
	truth, err := r.Truth(p.Operations[0].ID)
	require.NoError(t, err)
	require.Equal(t, 1, truth.Attempts)
	require.Equal(t, int64(2500), truth.Collected)
}
