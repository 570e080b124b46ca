package stripe

import (
	"net"
	"net/http"
	"time"

	"github.com/tender-go/payment/sandbox/internal/core"
)

// misbehave acts a fault out. It returns true when the request should go on as
// usual afterwards (a delay), false when the exchange is over.
func (s *Stripe) misbehave(w http.ResponseWriter, r *http.Request, line *core.Request, f core.Fault) bool {
	if f.Kind == core.Delay {
		if f.After {
			s.sleep(r, f.Delay)
		}
		return true // before the work, the delay is slept with the idempotency key claimed
	}
	if f.Delay > 0 && f.Kind != core.Timeout {
		s.sleep(r, f.Delay)
	}
	switch f.Kind {
	case core.Timeout:
		if f.Delay > 0 {
			s.sleep(r, f.Delay)
		} else {
			s.sleep(r, 24*time.Hour)
		}
		hangUp(w)
	case core.Reset:
		hangUp(w)
	case core.Error500:
		if f.After {
			return true // the reply is a 500 already, and kept under the key
		}
		e := internalError()
		e.unsaved = true
		s.sendError(w, line, e)
	case core.BadGateway:
		line.Status = http.StatusBadGateway
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(line.Status)
		_, _ = w.Write([]byte("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"))
	case core.Unavailable:
		s.sendError(w, line, &apiError{status: http.StatusServiceUnavailable, typ: "api_error", message: "The service is temporarily unavailable.", unsaved: true})
	case core.Garbage:
		line.Status = http.StatusOK
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Request-Id", line.ID)
		_, _ = w.Write([]byte("\x1f\x8b{\"id\": \"pi_<!-- garbage"))
	case core.Empty:
		line.Status = http.StatusOK
		w.Header().Set("Request-Id", line.ID)
		w.WriteHeader(line.Status)
	case core.Truncated:
		line.Status = http.StatusOK
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "4096")
		_, _ = w.Write([]byte(`{"id": "`))
		if fl, ok := w.(http.Flusher); ok {
			fl.Flush()
		}
		hangUp(w)
	case core.RateLimit:
		s.sendError(w, line, &apiError{status: http.StatusTooManyRequests, typ: "invalid_request_error", code: "rate_limit", unsaved: true, shouldRetry: "false",
			message: "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."})
	case core.LockTimeout:
		s.sendError(w, line, &apiError{status: http.StatusTooManyRequests, typ: "invalid_request_error", code: "lock_timeout", unsaved: true, shouldRetry: "true",
			message: "This object cannot be accessed right now because another API request or Stripe process is currently accessing it. If you see this error intermittently, retry the request."})
	case core.Conflict:
		s.sendError(w, line, &apiError{status: http.StatusConflict, typ: "idempotency_error", code: "idempotency_key_in_use", unsaved: true, shouldRetry: "true",
			message: "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): " + line.IdempotencyKey})
	case core.Unauthorized:
		s.sendError(w, line, &apiError{status: http.StatusUnauthorized, typ: "invalid_request_error", code: "api_key_expired", unsaved: true,
			message: "Expired API Key provided: " + maskKey(s.SecretKey)})
	}
	return false
}

// sleep waits in real time: a client's timeout is real, whatever the clock says.
func (s *Stripe) sleep(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-s.Done:
	}
}

// hangUp breaks the connection with a reset, as far as the transport allows.
func hangUp(w http.ResponseWriter) {
	hj, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler) // net/http's own way to abort an exchange
	}
	conn, _, err := hj.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
