package webhook

import (
	"log/slog"
	"time"
)

const (
	// MaxBody is the largest body the handler ever reads. The largest
	// documented notifications are far below.
	MaxBody = 1 << 20

	// DefaultReadTimeout is the time for the body to arrive.
	DefaultReadTimeout = 5 * time.Second
	// DefaultTimeout is the time to verify and store it. The providers give up
	// after 5 seconds (WeChat Pay) to 30 (PayPal); what is stored after that is
	// recognized when it is sent again.
	DefaultTimeout = 10 * time.Second

	// retryAfter is what a 503 suggests, in seconds. The providers keep their
	// own schedule; gateways in between may honour it.
	retryAfter = "30"
)

// Option adjusts a handler.
type Option func(*handler)

// BodyLimit lowers the limit of the body to n bytes. A value outside 1 to
// [MaxBody] leaves it at MaxBody.
func BodyLimit(n int64) Option {
	return func(h *handler) {
		if n >= 1 && n <= MaxBody {
			h.limit = n
		}
	}
}

// ReadTimeout bounds the arrival of the body; zero or less for
// [DefaultReadTimeout]. A shorter ReadTimeout of the server goes before.
func ReadTimeout(d time.Duration) Option {
	return func(h *handler) {
		if d > 0 {
			h.readFor = d
		}
	}
}

// Timeout bounds verifying and storing; zero or less for [DefaultTimeout].
func Timeout(d time.Duration) Option {
	return func(h *handler) {
		if d > 0 {
			h.storeFor = d
		}
	}
}

// Logger hears why senders were refused and what could not be stored, at most
// once a minute per reason, and every single case at level debug. It never sees
// a body or a header. nil discards, which is the default.
func Logger(l *slog.Logger) Option {
	return func(h *handler) {
		if l != nil {
			h.log.out = l
		}
	}
}

// Clock is the source of time for the pace of the log; nil is time.Now. The
// age of a notification is judged by the client's clock, not by this one.
func Clock(now func() time.Time) Option {
	return func(h *handler) {
		if now != nil {
			h.log.now = now
		}
	}
}
