package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// shop is the web shop: everything in this file is what a real one would have.
type shop struct {
	pay    *payment.Client
	orders map[string]order // the shop's own order table
	base   string           // its address
	staff  string           // the password of its back office
	asks   bool             // no webhook can arrive here: ask the provider instead
}

func (s *shop) routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /pay", s.takePayment)
	mux.HandleFunc("GET /return", s.payerReturns)
	mux.HandleFunc("GET /orders/{order}", s.showOrder)
	mux.HandleFunc("POST /staff/{verb}", s.backOffice)
}

// payForm is what the checkout page sends. It names no price: the shop knows it.
type payForm struct {
	Order    string         `json:"order"`
	Key      string         `json:"key"`               // made once per page view
	Payment  string         `json:"payment,omitempty"` // after a refusal: the payment to try again
	Method   payment.Method `json:"method,omitempty"`
	Token    string         `json:"token,omitempty"` // from Stripe's script in the browser
	Save     bool           `json:"save,omitempty"`
	OneClick bool           `json:"one_click,omitempty"`
}

// page is what the checkout page shows: text for the payer, and what to do.
type page struct {
	Payment string           `json:"payment"`
	Next    payment.NextKind `json:"next"`
	Text    payment.Text     `json:"text"`
	Action  *payment.Action  `json:"action,omitempty"`
	Error   string           `json:"error,omitempty"`
}

func (s *shop) takePayment(w http.ResponseWriter, r *http.Request) {
	var form payForm
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&form); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	o, ok := s.orders[form.Order]
	if !ok {
		http.NotFound(w, r)
		return
	}
	p, err := s.charge(r.Context(), o, form)
	s.answer(w, r, p, err)
}

// charge pays an order. However often and from however many tabs it is called,
// at most one payment of the order collects money.
func (s *shop) charge(ctx context.Context, o order, form payForm) (*payment.Payment, error) {
	method := payment.Instrument{Method: form.Method, Token: payment.NewSecret(form.Token)}
	if form.OneClick {
		kept, err := s.pay.Methods(ctx, o.Customer)
		if err != nil {
			return nil, err
		}
		if len(kept) == 0 {
			return nil, &payment.FieldError{Field: "method", Problem: "is not kept", Remedy: "pay with a card first and keep it"}
		}
		method = payment.Saved(kept[len(kept)-1].ID)
	}
	again := payment.Choice{Key: form.Key, Method: method}
	if form.Payment != "" { // another try, or another method, for the same payment
		p, err := s.pay.Get(ctx, form.Payment)
		if err != nil || p.Reference != o.Number {
			return nil, payment.ErrNotFound // somebody else's
		}
		return s.pay.Proceed(ctx, p.ID, again)
	}
	p, err := s.pay.Pay(ctx, payment.Request{
		Key: form.Key, Reference: o.Number, Amount: o.Amount, Method: method, Capture: o.Capture,
		Customer: o.Customer, Save: form.Save, Description: o.Items, Metadata: map[string]string{"order": o.Number},
		Payer:     payment.Payer{Name: o.Name, Email: o.Email, Country: o.Country, Language: o.Language},
		ReturnURL: s.base + "/return?order=" + url.QueryEscape(o.Number),
	})
	var held *payment.ReferenceError
	if errors.As(err, &held) { // another tab was faster
		return s.pay.Proceed(ctx, held.PaymentID, again)
	}
	return p, err
}

// payerReturns is where the bank's page sends the payer back to. What the URL
// says is not believed: Resume asks Stripe.
func (s *shop) payerReturns(w http.ResponseWriter, r *http.Request) {
	p, err := s.newest(r.Context(), r.URL.Query().Get("order"))
	if err == nil {
		p, err = s.pay.Resume(r.Context(), p.ID, r.URL.Query())
	}
	s.answer(w, r, p, err)
}

// showOrder is the page that a waiting payer reloads.
func (s *shop) showOrder(w http.ResponseWriter, r *http.Request) {
	p, err := s.newest(r.Context(), r.PathValue("order"))
	if err == nil && s.asks {
		p, err = s.pay.Sync(r.Context(), p.ID)
	}
	s.answer(w, r, p, err)
}

// staffForm is what the back office sends.
type staffForm struct {
	Order  string        `json:"order"`
	Key    string        `json:"key"`
	Amount *money.Amount `json:"amount,omitempty"`
	Final  bool          `json:"final,omitempty"`
}

func (s *shop) backOffice(w http.ResponseWriter, r *http.Request) {
	if _, password, _ := r.BasicAuth(); subtle.ConstantTimeCompare([]byte(password), []byte(s.staff)) != 1 {
		w.Header().Set("WWW-Authenticate", `Basic realm="back office"`)
		http.Error(w, "for staff only", http.StatusUnauthorized)
		return
	}
	var form staffForm
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&form); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	ctx := r.Context()
	p, err := s.newest(ctx, form.Order)
	if err == nil {
		var amount money.Amount // the zero value: all of it
		if form.Amount != nil {
			amount = *form.Amount
		}
		switch r.PathValue("verb") {
		case "capture":
			p, err = s.pay.Capture(ctx, p.ID, payment.CaptureParams{Key: form.Key, Amount: amount, Final: form.Final})
		case "refund":
			p, err = s.pay.Refund(ctx, p.ID, payment.RefundParams{Key: form.Key, Amount: amount, Reason: "requested_by_customer"})
		case "void":
			p, err = s.pay.Void(ctx, p.ID, payment.VoidParams{Key: form.Key})
		case "cancel":
			p, err = s.pay.Cancel(ctx, p.ID, payment.CancelParams{Key: form.Key, Reason: "the payer did not come back"})
		default:
			http.NotFound(w, r)
			return
		}
	}
	s.answer(w, r, p, err)
}

// newest returns the order's newest payment.
func (s *shop) newest(ctx context.Context, number string) (*payment.Payment, error) {
	found, err := s.pay.List(ctx, payment.PaymentQuery{Reference: number, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, payment.ErrNotFound
	}
	return s.pay.Get(ctx, found[0].ID)
}

// answer shows a payment, or why there is none. The payer never reads an error's
// text; the back office does.
func (s *shop) answer(w http.ResponseWriter, r *http.Request, p *payment.Payment, err error) {
	w.Header().Set("Content-Type", "application/json")
	var doubt *payment.RecordError
	if errors.As(err, &doubt) { // asked, but not recorded: look again, charge nothing
		p, err = &payment.Payment{ID: doubt.PaymentID, Status: payment.StatusUnknown}, nil
	}
	if err != nil {
		status := http.StatusInternalServerError
		switch {
		case errors.Is(err, payment.ErrNotFound):
			status = http.StatusNotFound
		case errors.Is(err, payment.ErrInvalid), errors.Is(err, payment.ErrNoProvider):
			status = http.StatusUnprocessableEntity
		case errors.Is(err, payment.ErrNotAllowed), errors.Is(err, payment.ErrExceeds), errors.Is(err, payment.ErrKeyReused), errors.Is(err, payment.ErrReferenceLive):
			status = http.StatusConflict
		case errors.Is(err, payment.ErrBusy):
			status = http.StatusServiceUnavailable
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(page{Error: err.Error()})
		return
	}
	next := p.Next()
	_ = json.NewEncoder(w).Encode(page{Payment: p.ID, Next: next.Kind, Text: next.Text(r.Header.Get("Accept-Language")), Action: next.Action})
}
