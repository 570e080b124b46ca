package webhook_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/store/memstore"
	"github.com/tender-go/payment/webhook"
)

func memory() payment.Store { return memstore.New() }

// Whoever can reach the address must not be able to fill the log.
func TestLogIsPaced(t *testing.T) {
	t.Parallel()
	out := new(safeBuffer)
	var minutes atomic.Int64
	url := handle(t, func(context.Context, payment.Webhook) (payment.Notification, error) {
		return payment.Notification{}, &payment.WebhookError{Reason: payment.WebhookBadSignature, Detail: "key sk_live_51H8abcdefghijklmnopqrstuv does not fit"}
	}, webhook.Logger(slog.New(slog.NewTextHandler(out, nil))),
		webhook.Clock(func() time.Time { return now.Add(time.Duration(minutes.Load()) * time.Minute) }))
	for range 10 {
		post(t, url, payment.Webhook{Header: http.Header{}})
	}
	require.Equal(t, 1, strings.Count(out.String(), "refused"), out.String())
	minutes.Store(2)
	post(t, url, payment.Webhook{Header: http.Header{}})
	require.Equal(t, 2, strings.Count(out.String(), "refused"))
	require.Contains(t, out.String(), "same_since=9", "what was not said is counted")
	require.NotContains(t, out.String(), "sk_live_51H8", "details are scrubbed")
}

func TestDebugSaysEveryCase(t *testing.T) {
	t.Parallel()
	out := new(safeBuffer)
	url := handle(t, func(context.Context, payment.Webhook) (payment.Notification, error) {
		return payment.Notification{}, &payment.WebhookError{Reason: payment.WebhookStale, Detail: "it is old"}
	}, webhook.Logger(slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	for range 3 {
		post(t, url, payment.Webhook{Header: http.Header{}})
	}
	require.Equal(t, 3, strings.Count(out.String(), "stale"))
}
