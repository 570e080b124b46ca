package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/httpx"
)

// Receiver stores and applies a notification. [payment.Client] is one.
type Receiver interface {
	// Receive verifies w and stores what it reports. A *[payment.WebhookError]
	// refuses the notification. [payment.ErrUnsupported], or a
	// *[payment.FieldError] on the field "provider", says that nothing of this
	// provider is ever taken. Any other error asks for it to be sent again.
	Receive(ctx context.Context, provider string, w payment.Webhook) (payment.Notification, error)
}

// Checker is a Receiver that can say beforehand whether it takes notifications
// under a provider's name. [payment.Client] is one.
type Checker interface {
	// Receives returns nil if it does, else what is wrong with the wiring.
	Receives(provider string) error
}

// Sender is a provider that notifies: it has a name and reads its own
// notifications. Every [payment.Provider] that is a [payment.WebhookParser] is
// one.
type Sender interface {
	Name() string
	payment.WebhookParser
}

// Handler returns the handler for the notifications of one provider instance.
// Mount it under an address of its own, one per instance; it may serve any
// number of requests at once.
//
// A mistake in the wiring of the program panics, as [http.ServeMux.Handle]
// does: a nil argument, or a provider that the receiver, being a [Checker], says
// it does not take (it is not in Config.Providers).
func Handler(r Receiver, from Sender, opts ...Option) http.Handler {
	if r == nil {
		panic("webhook: Handler needs a receiver, the *payment.Client")
	}
	if from == nil {
		panic("webhook: Handler needs the provider whose notifications it takes")
	}
	if c, ok := r.(Checker); ok {
		if err := c.Receives(from.Name()); err != nil {
			panic("webhook: Handler cannot take the notifications of " + strconv.Quote(from.Name()) + ": " + err.Error())
		}
	}
	h := &handler{receiver: r, provider: from.Name(), limit: MaxBody, readFor: DefaultReadTimeout, storeFor: DefaultTimeout, log: newLog()}
	for _, o := range opts {
		if o != nil {
			o(h)
		}
	}
	return h
}

type handler struct {
	receiver          Receiver
	provider          string
	limit             int64
	readFor, storeFor time.Duration
	log               *pacedLog
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, "only POST is allowed here")
		return
	}
	body, err := h.read(w, r)
	if err != nil {
		h.unread(w, err)
		return
	}
	n, err := h.receive(r, body)
	var refused *payment.WebhookError
	switch {
	case err == nil:
		acknowledge(w, n)
	case errors.As(err, &refused) && refused.Reason == payment.WebhookTooLarge:
		h.refuse(w, http.StatusRequestEntityTooLarge, "the body is too large", refused)
	case errors.As(err, &refused):
		h.refuse(w, http.StatusBadRequest, "the notification was refused", refused)
	case misplaced(err):
		h.log.misplaced(h.provider, err)
		answer(w, http.StatusNotFound, "nothing is received here")
	default:
		h.log.failed(h.provider, err)
		tryAgain(w)
	}
}

// misplaced reports whether no notification can ever be taken here, however
// often it is sent: the receiver does not know the provider.
func misplaced(err error) bool {
	var f *payment.FieldError
	return errors.Is(err, payment.ErrUnsupported) || errors.As(err, &f) && f.Field == "provider"
}

// read takes the whole body, as it came, within the limits.
func (h *handler) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > h.limit {
		return nil, &http.MaxBytesError{Limit: h.limit}
	}
	wait := h.readFor
	if s, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && s.ReadTimeout > 0 {
		wait = min(wait, s.ReadTimeout)
	}
	// The deadline is the network's: it counts in real time, whatever clock the
	// shop runs on.
	rc := http.NewResponseController(w)
	deadline := rc.SetReadDeadline(time.Now().Add(wait)) == nil
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.limit))
	if err == nil && deadline {
		// A deadline that passes while the store works would look to the server
		// as if the sender had gone.
		_ = rc.SetReadDeadline(time.Time{})
	}
	return body, err
}

// unread answers a body that did not arrive.
func (h *handler) unread(w http.ResponseWriter, err error) {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		h.refuse(w, http.StatusRequestEntityTooLarge, "the body is too large",
			&payment.WebhookError{Reason: payment.WebhookTooLarge, Detail: "the body has more than " + strconv.FormatInt(h.limit, 10) + " bytes"})
	case errors.Is(err, os.ErrDeadlineExceeded):
		h.refuse(w, http.StatusRequestTimeout, "the body came too slowly",
			&payment.WebhookError{Reason: reasonSlow, Detail: "the body did not arrive in time"})
	default:
		h.refuse(w, http.StatusBadRequest, "the body could not be read",
			&payment.WebhookError{Reason: reasonBroken, Detail: "the connection broke within the body"})
	}
}

// Reasons of this package, beside those of payment.
const (
	reasonSlow   = "slow_body"
	reasonBroken = "broken_body"
)

// receive hands the notification on. Work that has begun goes on when the
// sender hangs up: what is stored now need not be sent again. A panic becomes an
// error, since nobody can say what was stored before it.
func (h *handler) receive(r *http.Request, body []byte) (n payment.Notification, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = payment.Notification{}, panicError{v, debug.Stack()}
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), h.storeFor)
	defer cancel()
	return h.receiver.Receive(ctx, h.provider, payment.Webhook{Header: r.Header, Query: r.URL.Query(), Body: body})
}

func (h *handler) refuse(w http.ResponseWriter, status int, line string, why *payment.WebhookError) {
	h.log.refused(h.provider, why.Reason, httpx.Scrub(why.Detail))
	if status != http.StatusBadRequest {
		// The rest of the body is not worth reading.
		w.Header().Set("Connection", "close")
	}
	answer(w, status, line)
}

func acknowledge(w http.ResponseWriter, n payment.Notification) {
	kind := n.AckType
	if kind == "" {
		kind = "text/plain; charset=utf-8"
	}
	head(w, kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(n.Ack)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(n.Ack) // a sender that is gone sends it again
}

func tryAgain(w http.ResponseWriter) {
	w.Header().Set("Retry-After", retryAfter)
	answer(w, http.StatusServiceUnavailable, "not stored: send it again")
}

// answer writes one line that says nothing of the cause.
func answer(w http.ResponseWriter, status int, line string) {
	head(w, "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, line+"\n")
}

func head(w http.ResponseWriter, kind string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
}
