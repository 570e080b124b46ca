package stripe

import (
	"net/http"
	"strings"

	"github.com/tender-go/payment/sandbox/internal/core"
)

// apiError is an error object of Stripe's API: https://docs.stripe.com/api/errors
type apiError struct {
	status      int
	typ         string
	code        string
	declineCode string
	param       string
	message     string
	charge      string
	pi          *paymentIntent
	si          *setupIntent
	pm          *paymentMethod
	pmType      string
	// unsaved: the endpoint did not begin its work, so the idempotency layer
	// keeps no result and the same key may be tried again.
	unsaved     bool
	shouldRetry string // Stripe-Should-Retry
}

// invalid is a request refused before any work: 400, not saved under its key.
func invalid(code, param, message string) *apiError {
	return &apiError{status: http.StatusBadRequest, typ: "invalid_request_error", code: code, param: param, message: message, unsaved: true}
}

// refused is a request refused by the state of an object: 400, saved under its key.
func refused(code, param, message string) *apiError {
	return &apiError{status: http.StatusBadRequest, typ: "invalid_request_error", code: code, param: param, message: message}
}

// missing is a 404 for an object named in the path ("id") or, as a 400, in a parameter.
func missing(kind, id, param string) *apiError {
	e := &apiError{status: http.StatusNotFound, typ: "invalid_request_error", code: "resource_missing", param: param, message: "No such " + kind + ": '" + id + "'", unsaved: true}
	if param != "id" && param != "intent" {
		e.status = http.StatusBadRequest
	}
	return e
}

func (e *apiError) withPI(pi *paymentIntent) *apiError { e.pi = pi; return e }

// render writes {"error":{...}}.
func (e *apiError) render(s *Stripe, a *account, w *core.JSON, requestID string) {
	w.Open()
	w.Key("error")
	e.renderObject(s, a, w, requestID)
	w.Close()
}

// renderObject writes the error object itself; with an empty requestID it is
// the form kept in last_payment_error, which has no nested intent.
func (e *apiError) renderObject(s *Stripe, a *account, w *core.JSON, requestID string) {
	w.Open()
	if e.charge != "" {
		w.S("charge", e.charge)
	}
	if e.code != "" {
		w.S("code", e.code)
	}
	if e.declineCode != "" {
		w.S("decline_code", e.declineCode)
	}
	if e.code != "" {
		w.S("doc_url", "https://stripe.com/docs/error-codes/"+strings.ReplaceAll(e.code, "_", "-"))
	}
	w.S("message", e.message)
	if e.param != "" {
		w.S("param", e.param)
	}
	if requestID != "" && e.pi != nil {
		w.Key("payment_intent")
		s.renderPaymentIntent(a, w, e.pi, nil)
	}
	if e.pm != nil {
		w.Key("payment_method")
		s.renderPaymentMethod(a, w, e.pm, nil)
	}
	if e.pmType != "" {
		w.S("payment_method_type", e.pmType)
	}
	if requestID != "" {
		w.S("request_log_url", "https://dashboard.stripe.com/test/logs/"+requestID)
		if e.si != nil {
			w.Key("setup_intent")
			s.renderSetupIntent(a, w, e.si, nil)
		}
	}
	w.S("type", e.typ)
	w.Close()
}
