package httpx

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	stripe "github.com/stripe/stripe-go/v76"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	require.NoError(t, Guard(func() error { return nil }))
	require.Equal(t, boom, Guard(func() error { return boom }))

	for name, v := range map[string]any{
		"string":            "key sk_live_abc123\nline two",
		"error":             errors.New("key sk_live_abc123\nline two"),
		"nil":               nil,
		"typed nil error":   (*brokenError)(nil),
		"error that panics": &brokenError{},
	} {
		err := Guard(func() error { panic(v) })
		var p *PanicError
		require.ErrorAs(t, err, &p, name)
		require.NotContains(t, err.Error(), "abc123", name)
		require.NotContains(t, err.Error(), "\n", "%s: one line", name)
		require.NotContains(t, err.Error(), "guard_test.go", "%s: the stack is kept out of the text", name)
		require.Contains(t, p.Stack(), "guard_test.go", name)
		require.LessOrEqual(t, strings.Count(p.Stack(), "\n"), 16)
	}
}

type brokenError struct{ text *string }

func (e *brokenError) Error() string { return *e.text }

// stripe-go v76 dereferences a nil response when a streaming call gets no
// connection.
func TestGuardCatchesStripe(t *testing.T) {
	t.Parallel()
	be := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL: stripe.String("http://" + closedPort(t)), HTTPClient: newClient(t, Options{}),
		MaxNetworkRetries: stripe.Int64(0), EnableTelemetry: stripe.Bool(false),
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
	ctx, call := Observe(context.Background())
	err := Guard(func() error {
		return be.CallStreaming(http.MethodGet, "/v1/files/file_1/contents", "sk_test_x", &stripe.Params{Context: ctx}, &stripe.APIStream{})
	})
	var p *PanicError
	require.ErrorAs(t, err, &p)
	require.Contains(t, p.Stack(), "stripe-go", "the stack names the culprit")
	require.Equal(t, Outcome{NotSent, 0, ClassConnect}, call.Outcome(), "the panic hides the outcome from the caller, not from the recorder")
}
