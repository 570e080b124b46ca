// Package ownprovider is a payment provider of one's own in one file: gift
// vouchers, kept by a service that speaks JSON over HTTP. It shows all that an
// adapter must do, and passes the conformance suite; docs/adding-a-provider.md
// walks through it.
//
// The service takes PUT /redemptions/{key} and PUT /refunds/{key}: the key in
// the address makes a repeated request harmless. GET of the same address tells
// what became of it.
package ownprovider

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// MethodVoucher is the method this provider brings: any word will do.
const MethodVoucher payment.Method = "voucher"

// Provider redeems vouchers at the service at BaseURL.
type Provider struct {
	BaseURL string
	Key     payment.Secret
	HTTP    *http.Client
}

// What is implemented, checked by the compiler.
var (
	_ payment.Provider = (*Provider)(nil)
	_ payment.Refunder = (*Provider)(nil)
	_ payment.Lookuper = (*Provider)(nil)
)

// Name is stored with every payment: it never changes.
func (p *Provider) Name() string { return "vouchers" }

// Capabilities says what can be done, and how a lost answer is found again.
func (p *Provider) Capabilities() payment.Capabilities {
	// A key is never forgotten; a request that we gave up on may still arrive
	// within the service's own limit of half a minute.
	found := payment.Recovery{KeyLife: 365 * 24 * time.Hour, Lookup: true, LookupGrace: 30 * time.Second}
	return payment.Capabilities{Methods: map[payment.Method]payment.MethodCapabilities{
		MethodVoucher: {
			Flow:          []payment.StepSpec{{Name: "redeem", MovesMoney: true, Recovery: found}},
			Sale:          true, // no hold: a voucher is redeemed at once
			Refund:        payment.StepSpec{Name: "refund", MovesMoney: true, Recovery: found},
			PartialRefund: true,
			Fence:         payment.FenceNone, // nothing waits for a payer, so there is nothing to close
		},
	}}
}

// Authorize redeems a voucher.
func (p *Provider) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	return p.put(ctx, r.Call, "/redemptions/", order{Voucher: r.Method.Token.Reveal(), Amount: r.Amount, Reference: r.Reference})
}

// Refund puts an amount back on the voucher.
func (p *Provider) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	return p.put(ctx, r.Call, "/refunds/", order{Redemption: r.CaptureRef, Amount: r.Amount})
}

// Lookup asks what became of a step, by its key.
func (p *Provider) Lookup(ctx context.Context, r payment.LookupRequest) (payment.Result, error) {
	path := "/redemptions/"
	if r.Kind == payment.OpRefund {
		path = "/refunds/"
	}
	return p.do(ctx, r.Call, http.MethodGet, path, nil, r.Amount)
}

// order is what the service is asked for, answer what it says.
type order struct {
	Voucher    string       `json:"voucher,omitempty"`
	Redemption string       `json:"redemption,omitempty"`
	Reference  string       `json:"reference,omitempty"`
	Amount     money.Amount `json:"amount"`
}

type answer struct {
	ID     string       `json:"id"`
	Status string       `json:"status"` // done or refused
	Reason string       `json:"reason"`
	Amount money.Amount `json:"amount"`
}

func (p *Provider) put(ctx context.Context, c payment.Call, path string, o order) (payment.Result, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return payment.Result{}, p.fail(c, payment.KindNotSent, "the request cannot be written")
	}
	return p.do(ctx, c, http.MethodPut, path, body, o.Amount)
}

// do makes one call. What it returns is the heart of an adapter: an answer, or
// what the missing answer proves.
func (p *Provider) do(ctx context.Context, c payment.Call, method, path string, body []byte, asked money.Amount) (payment.Result, error) {
	if !plainID(c.Key) {
		return payment.Result{}, p.fail(c, payment.KindNotSent, "the key is not one of [0-9a-z]: it goes into an address")
	}
	// Without a connection nothing can have left. With one, it may have.
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, method, p.BaseURL+path+c.Key, bytes.NewReader(body))
	if err != nil {
		return payment.Result{}, p.fail(c, payment.KindNotSent, "the address cannot be used")
	}
	req.Header.Set("Authorization", "Bearer "+p.Key.Reveal())
	client := *p.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // a key follows nobody
	res, err := client.Do(req)
	if err != nil {
		if !connected.Load() {
			return payment.Result{}, p.fail(c, payment.KindNotSent, "the service cannot be reached")
		}
		return payment.Result{}, p.fail(c, payment.KindUnknown, "the answer did not come")
	}
	defer res.Body.Close()
	text, readErr := io.ReadAll(io.LimitReader(res.Body, 1<<20))

	switch res.StatusCode {
	case http.StatusOK, http.StatusPaymentRequired:
		var a answer
		if readErr != nil || json.Unmarshal(text, &a) != nil {
			return payment.Result{}, p.fail(c, payment.KindUnknown, "the answer cannot be read")
		}
		return p.result(c, a, asked)
	case http.StatusNotFound:
		if method == http.MethodGet {
			return payment.Result{Status: payment.ResultAbsent}, nil
		}
		return payment.Result{}, p.fail(c, payment.KindRejectedRequest, "not found")
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return payment.Result{}, p.fail(c, payment.KindRejectedRequest, "the service refused the request")
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return payment.Result{}, p.fail(c, payment.KindRejectedMerchant, "the service refused us: check the key and the limits")
	case http.StatusConflict: // the key is known with another request
		err := p.fail(c, payment.KindUnknown, "the key is taken")
		err.KeyConflict = true
		return payment.Result{}, err
	}
	return payment.Result{}, p.fail(c, payment.KindUnknown, http.StatusText(res.StatusCode))
}

// result reads an answer. A refusal is an answer too.
func (p *Provider) result(c payment.Call, a answer, asked money.Amount) (payment.Result, error) {
	switch a.Status {
	case "done":
		if a.ID == "" || a.Amount != asked {
			return payment.Result{}, p.fail(c, payment.KindUnknown, "the answer is about something else")
		}
		return payment.Result{Status: payment.ResultApproved, Captured: true, Ref: a.ID, Amount: a.Amount}, nil
	case "refused":
		reason := payment.ReasonDeclined
		if a.Reason == "empty" {
			reason = payment.ReasonInsufficientFunds
		}
		return payment.Result{Status: payment.ResultDeclined, Ref: a.ID, Decline: payment.NewDecline(reason, a.Reason)}, nil
	}
	return payment.Result{}, p.fail(c, payment.KindUnknown, "the answer has an unknown status")
}

// plainID lets no id through that means something in an address.
func plainID(id string) bool {
	return id != "" && len(id) <= 32 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

func (p *Provider) fail(c payment.Call, kind payment.ErrorKind, message string) *payment.CallError {
	return &payment.CallError{Kind: kind, Provider: p.Name(), Step: c.Step, Message: message}
}
