package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tender-go/payment/sandbox/internal/core"
	"github.com/tender-go/payment/sandbox/internal/stripe"
)

// Options sets up a sandbox. The zero value is a working one on a free port.
type Options struct {
	// Addr is the address to listen on, loopback only. Empty means 127.0.0.1:0,
	// a free port.
	Addr string
	// Now is the source of time. Nil means time.Now. Advance adds to it.
	Now func() time.Time
	// Seed makes ids, keys and chances repeat from run to run. Zero takes them
	// from the system's entropy.
	Seed int64
	// WebhookURLs receive every event, signed with the webhook secret. They
	// must be loopback addresses.
	WebhookURLs []string
	// WebhookRetries are the pauses after a delivery that was not answered with
	// 2xx, by the sandbox's clock. Nil means 1 s, doubling, for three days, the
	// time for which Stripe retries; an empty list means no retry.
	WebhookRetries []time.Duration
	// WebhookTimeout bounds one delivery. Zero means 10 s of real time.
	WebhookTimeout time.Duration
	// WebhookWorkers is how many deliveries may be under way at once. Zero
	// means 1: events arrive strictly in order.
	WebhookWorkers int
	// StripeKey and StripeWebhookSecret replace the keys made at start.
	StripeKey, StripeWebhookSecret string
	// Logger receives one line per request and delivery at level debug, without
	// keys or bodies. Nil logs nothing.
	Logger *slog.Logger
	// RequestLimit, DeliveryLimit and EventLimit bound what is remembered of
	// requests, deliveries and events (per account). Zero means 10000 each.
	RequestLimit, DeliveryLimit, EventLimit int
}

// Server is a running sandbox. Its methods are safe for use by several goroutines.
type Server struct {
	// URL is where the sandbox listens, without a trailing slash.
	URL string
	// Stripe is the stand-in for Stripe.
	Stripe *Stripe

	clock  *core.Clock
	timers *core.Timers
	faults *core.Faults
	log    *core.Log
	outbox *core.Outbox

	http  *http.Server
	done  chan struct{}
	close sync.Once
	wg    sync.WaitGroup
	err   error
}

// Start starts a sandbox. The caller ends it with Close.
func Start(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if err := core.CheckListen(o.Addr); err != nil {
		return nil, err
	}
	for _, u := range o.WebhookURLs {
		if err := core.CheckLoopback(u); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("sandbox: listen: %w", err)
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	ids := core.NewIDs(o.Seed)
	s := &Server{URL: "http://" + listener.Addr().String(), clock: core.NewClock(o.Now), done: make(chan struct{})}
	s.timers = core.NewTimers(s.clock)
	s.faults = core.NewFaults(ids)
	s.log = core.NewLog(or(o.RequestLimit, 10000))
	retries := o.WebhookRetries
	if retries == nil {
		retries = threeDays()
	}
	s.outbox = core.NewOutbox(core.OutboxConfig{Clock: s.clock, Timers: s.timers, Log: logger, Retry: retries,
		Workers: o.WebhookWorkers, Limit: or(o.DeliveryLimit, 10000), Timeout: or(o.WebhookTimeout, 10*time.Second)})
	s.Stripe = &Stripe{URL: s.URL + "/stripe", SecretKey: o.StripeKey, WebhookSecret: o.StripeWebhookSecret}
	if s.Stripe.SecretKey == "" {
		s.Stripe.SecretKey = "sk_test_" + ids.Text("stripe keys", 32)
	}
	if s.Stripe.WebhookSecret == "" {
		s.Stripe.WebhookSecret = "whsec_" + ids.Text("stripe keys", 32)
	}
	s.Stripe.s = stripe.New(stripe.Config{BaseURL: s.Stripe.URL, SecretKey: s.Stripe.SecretKey, WebhookSecret: s.Stripe.WebhookSecret,
		WebhookURLs: o.WebhookURLs, AccountID: "acct_1" + ids.Text("stripe keys", 15), Clock: s.clock, Timers: s.timers, IDs: ids, Faults: s.faults,
		Requests: s.log, Outbox: s.outbox, Log: logger, Done: s.done, MaxEvents: or(o.EventLimit, 10000)})

	mux := http.NewServeMux()
	mux.Handle("/stripe/", http.StripPrefix("/stripe", s.Stripe.s))
	mux.Handle("/_sandbox/", s.control())
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug)}
	s.wg.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.err = err
		}
	})
	return s, nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// threeDays are the default pauses between attempts of a delivery.
func threeDays() []time.Duration {
	var out []time.Duration
	var total time.Duration
	for d := time.Second; total+d <= 72*time.Hour; d = min(2*d, 12*time.Hour) {
		out = append(out, d)
		total += d
	}
	return out
}

// Close ends the sandbox: requests that hang are cut off, undelivered webhooks
// are dropped. It may be called more than once.
func (s *Server) Close() error {
	s.close.Do(func() {
		close(s.done)
		_ = s.http.Close()
		s.wg.Wait()
		s.outbox.Close()
		s.timers.Close()
	})
	return s.err
}

// Now is the sandbox's time, in UTC.
func (s *Server) Now() time.Time { return s.clock.Now() }

// Advance moves the sandbox's clock forward by d and runs everything that falls
// due on the way, in order: authorizations expire, payments settle, deliveries
// are tried again. With an Options.Now that is moved from outside, Advance(0)
// runs what fell due.
func (s *Server) Advance(d time.Duration) { s.timers.Advance(d) }

// Flush waits until every webhook due by now has been tried, and none is under
// way. Held deliveries and retries due later do not count. It returns ctx's
// error when ctx ends first.
func (s *Server) Flush(ctx context.Context) error { return s.outbox.Flush(ctx) }
