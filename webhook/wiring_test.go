package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/webhook"
)

// silent is an instance of a provider that sends no notifications.
type silent struct{ payment.Provider }

func (silent) Capabilities() payment.Capabilities {
	return payment.Capabilities{Methods: map[payment.Method]payment.MethodCapabilities{payment.MethodCard: {
		Sale: true, Fence: payment.FenceNone, Flow: []payment.StepSpec{{Name: "pay", MovesMoney: true, Recovery: payment.Recovery{KeyLife: time.Hour}}}}}}
}

// notifier is one of the same name that does.
type notifier struct {
	name string
	webhook.Sender
}

func (n notifier) Name() string { return n.name }

// A handler that could only ever refuse is never mounted.
func TestMiswiredHandlerIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	known, other := fake.New(fake.Options{}), fake.New(fake.Options{Name: "other"})
	pay, err := payment.New(payment.Config{Store: memory(), Providers: []payment.Provider{known, silent{fake.New(fake.Options{Name: "silent"})}}})
	require.NoError(t, err)
	require.NotPanics(t, func() { webhook.Handler(pay, known) })
	for name, c := range map[string]struct {
		wire func()
		want []string
	}{
		"no receiver":           {func() { webhook.Handler(nil, known) }, []string{"receiver"}},
		"no provider":           {func() { webhook.Handler(pay, nil) }, []string{"provider"}},
		"not configured":        {func() { webhook.Handler(pay, other) }, []string{`"other"`, "not configured", "Config.Providers"}},
		"sends none":            {func() { webhook.Handler(pay, notifier{"silent", other}) }, []string{`"silent"`, "no webhooks"}},
		"a mistyped name":       {func() { webhook.Handler(pay, notifier{"fak", known}) }, []string{`"fak"`, "not configured"}},
		"not configured either": {func() { webhook.Handler(pay, notifier{"", known}) }, []string{`""`, "not configured"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				said := fmt.Sprint(recover())
				for _, w := range append(c.want, "webhook: Handler ") {
					require.Contains(t, said, w, "the panic names the mistake and its remedy")
				}
			}()
			c.wire()
		})
	}
}

func TestReceives(t *testing.T) {
	t.Parallel()
	pay, err := payment.New(payment.Config{Store: memory(), Providers: []payment.Provider{
		fake.New(fake.Options{}), silent{fake.New(fake.Options{Name: "silent"})}}})
	require.NoError(t, err)
	require.NoError(t, pay.Receives("fake"))
	for name, want := range map[string]error{"other": payment.ErrInvalid, "": payment.ErrInvalid, "silent": payment.ErrUnsupported} {
		require.ErrorIs(t, pay.Receives(name), want)
		_, err := pay.Receive(context.Background(), name, payment.Webhook{})
		require.EqualError(t, err, pay.Receives(name).Error(), "Receives says what Receive would")
	}
}

// A receiver of the host's own that cannot tell beforehand: the provider is
// never asked to send again what nobody will ever take.
func TestMiswiredNotificationIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	pay, err := payment.New(payment.Config{Store: memory(), Providers: []payment.Provider{
		fake.New(fake.Options{}), silent{fake.New(fake.Options{Name: "silent"})}}})
	require.NoError(t, err)
	for _, name := range []string{"other", "silent"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := new(safeBuffer)
			url := handle(t, func(ctx context.Context, w payment.Webhook) (payment.Notification, error) {
				n, err := pay.Receive(ctx, name, w)
				return n, fmt.Errorf("shop: %w", err)
			}, webhook.Logger(slog.New(slog.NewTextHandler(log, nil))))
			for range 5 {
				res, body := post(t, url, payment.Webhook{Header: http.Header{}, Body: []byte("{}")})
				require.Equal(t, http.StatusNotFound, res.StatusCode)
				require.Empty(t, res.Header.Get("Retry-After"), "it is not asked for again")
				require.NotContains(t, body, name, "the sender learns nothing of the cause")
			}
			require.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), "the operator hears it once a minute: %s", log)
			require.Contains(t, log.String(), name)
		})
	}
}

// Another field at fault may be the store's passing trouble: it is asked for again.
func TestOtherFieldIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for _, err := range []error{&payment.FieldError{Field: "Limit", Problem: "is odd"}, errors.New("disk full")} {
		url := handle(t, func(context.Context, payment.Webhook) (payment.Notification, error) {
			return payment.Notification{}, err
		})
		res, _ := post(t, url, payment.Webhook{Header: http.Header{}})
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	}
}
