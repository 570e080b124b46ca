package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	stripego "github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/httpx"
)

// failure is a call without a usable result: what it proves, and Stripe's own
// error object where there is one.
type failure struct {
	call   *payment.CallError
	status int       // HTTP status, 0 if no answer came
	api    *apiError // nil if the answer held no error object
	// replayed: it is the answer of the first send with this key, kept by Stripe.
	replayed bool
}

// refused reports whether Stripe answered with an error object and did nothing.
func (f *failure) refused() bool {
	return f.api != nil && (f.call.Kind == payment.KindRejectedRequest || f.call.Kind == payment.KindRejectedMerchant)
}

// decline returns the refusal of the payment that the failure is, if it is one.
func (f *failure) decline() (payment.Decline, bool) {
	if f.api == nil || f.call.KeyConflict || f.status >= 500 {
		return payment.Decline{}, false
	}
	switch f.status {
	case http.StatusPaymentRequired:
		return f.api.refusal(), true
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
		if f.api.Code == "resource_missing" && strings.HasPrefix(f.api.Param, "payment_method") {
			return f.api.dress(payment.NewDecline(payment.ReasonInvalidToken, f.api.Code)), true
		}
		return f.api.decline()
	}
	return payment.Decline{}, false
}

// notSent is a call that was never made because its input is wrong. field and
// remedy are ours, never foreign text.
func (p *Provider) notSent(step, field, problem string) *payment.CallError {
	return &payment.CallError{Kind: payment.KindNotSent, Provider: p.name, Step: step, Code: "invalid_input", Message: field + ": " + problem}
}

// keyed refuses a key that could not be one of the client's, before anything is
// derived from it: it goes into a header, and an empty one protects from nothing.
func (p *Provider) keyed(c payment.Call) error {
	if c.Key == "" || len(c.Key) > 32 || httpx.CheckID("Key", c.Key) != nil {
		return p.notSent(c.Step, "Key", "is not an idempotency key of the client: 1 to 32 letters and digits")
	}
	return nil
}

// unreadable is an answer that came and cannot be used.
func (p *Provider) unreadable(step, why string) *payment.CallError {
	return &payment.CallError{Kind: payment.KindUnknown, Provider: p.name, Step: step, Code: "unreadable_answer", Message: why}
}

// failed makes a failure of what the SDK returned and what the wire showed. The
// SDK's error itself goes no further: its text holds the client secret.
func (p *Provider) failed(ctx context.Context, step string, call *httpx.Call, err error) *failure {
	out := call.Outcome()
	f := &failure{status: out.Status, replayed: replayed(call), call: &payment.CallError{Kind: payment.KindUnknown, Provider: p.name, Step: step, RequestID: call.RequestID(), Err: cause(ctx, err)}}
	ce := f.call
	switch out.Kind {
	case httpx.NotSent:
		ce.Kind, ce.Code = payment.KindNotSent, orElse(string(out.Class), "not_sent")
		ce.Message = "the request never left"
		return f
	case httpx.Ambiguous:
		ce.Code, ce.Message = orElse(string(out.Class), "no_answer"), "no usable answer came, it may have happened"
		if out.Status != 0 {
			ce.Message = "status " + strconv.Itoa(out.Status) + ", it may have happened"
		}
		return f
	case httpx.Answered:
	}
	if n, aerr := strconv.Atoi(call.Header("Retry-After")); aerr == nil && n > 0 {
		ce.RetryAfter = n
	}
	f.api = errorObject(err)
	if kind := bareKind(out.Status); f.api == nil && kind != "" && isJSON(err) {
		ce.Kind, ce.Code, ce.Message = kind, "status_"+strconv.Itoa(out.Status), "Stripe answered "+strconv.Itoa(out.Status)+" and said no more"
		return f
	}
	if f.api == nil || out.Status < 400 {
		ce.Code, ce.Message = "unreadable_answer", "status "+strconv.Itoa(out.Status)+" without a body that can be read, it may have happened"
		return f
	}
	ce.Code = httpx.Scrub(firstOf(f.api.DeclineCode, f.api.Code, f.api.Type))
	ce.Message = f.api.words(out.Status)
	ce.Kind, ce.KeyConflict = kindOf(out.Status, f.api)
	return f
}

// bareKind is what a status proves that comes with JSON but no error object; ""
// for nothing.
func bareKind(status int) payment.ErrorKind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return payment.KindRejectedMerchant
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
		return payment.KindRejectedRequest
	}
	return ""
}

// isJSON reports whether an error answer was JSON at all: the page of some proxy
// on the way proves nothing. The SDK makes its error of the very body if that is
// JSON without an error object.
func isJSON(err error) bool {
	var se *stripego.Error
	return errors.As(err, &se) || (err != nil && json.Valid([]byte(err.Error())))
}

// kindOf says what an error object proves.
func kindOf(status int, e *apiError) (kind payment.ErrorKind, keyConflict bool) {
	switch {
	case e.Type == "idempotency_error", e.Code == "idempotency_key_in_use":
		return payment.KindUnknown, true
	case status == http.StatusConflict, e.Code == "lock_timeout", e.Type == "api_error":
		// Another request holds the object, perhaps an earlier send of this one.
		return payment.KindUnknown, false
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusTooManyRequests, merchantSide[e.Code]:
		return payment.KindRejectedMerchant, false
	}
	return payment.KindRejectedRequest, false
}

// merchantSide are the error codes that speak of the account or its keys,
// whatever their status. Source: docs.stripe.com/error-codes.
var merchantSide = map[string]bool{
	"account_invalid": true, "api_key_expired": true, "platform_api_key_expired": true, "platform_account_required": true,
	"secret_key_required": true, "livemode_mismatch": true, "testmode_charges_only": true, "tls_version_unsupported": true,
	"rate_limit": true,
}

// words says in plain words what an error object says, from its fixed fields
// only: Stripe's message may repeat what was sent.
func (e *apiError) words(status int) string {
	s := "Stripe answered " + strconv.Itoa(status) + " " + httpx.Scrub(orElse(e.Type, "error"))
	if e.Code != "" && e.DeclineCode != "" {
		s += " " + httpx.Scrub(e.Code)
	}
	if e.Param != "" {
		s += ", parameter " + httpx.Scrub(e.Param)
	}
	return s
}

// errorObject reads Stripe's error object again from the bytes of the answer:
// the SDK's type lacks the network's codes.
func errorObject(err error) *apiError {
	var se *stripego.Error
	if !errors.As(err, &se) || se == nil {
		return nil
	}
	var body struct {
		Error *apiError `json:"error"`
	}
	if se.LastResponse != nil && json.Unmarshal(se.LastResponse.RawJSON, &body) == nil && body.Error != nil {
		if body.Error.Type == "" && body.Error.Code == "" {
			return nil
		}
		return body.Error
	}
	if se.Type == "" && se.Code == "" {
		return nil
	}
	return &apiError{Type: string(se.Type), Code: string(se.Code), DeclineCode: string(se.DeclineCode), Param: se.Param}
}

// cause keeps the causes that carry no foreign text.
func cause(ctx context.Context, err error) error {
	if cerr := ctx.Err(); cerr != nil {
		return cerr
	}
	var (
		panicked *httpx.PanicError
		refused  *httpx.RefusedError
		tooLarge *httpx.BodyTooLargeError
	)
	switch {
	case errors.As(err, &panicked):
		return panicked
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &tooLarge):
		return tooLarge
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
