package payment

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/money"
)

const hidden = "tok_this_must_not_be_seen"

// holder nests a Secret in every way that a struct can.
type holder struct {
	Plain   Secret
	Pointer *Secret
	List    []Secret
	Map     map[string]Secret
	Any     any
	inner   Secret // unexported: fmt does not ask its methods
	nested  struct{ deep Secret }
}

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	s := NewSecret(hidden)
	h := holder{Plain: s, Pointer: &s, List: []Secret{s}, Map: map[string]Secret{"a": s}, Any: s, inner: s}
	h.nested.deep = s
	values := []any{s, &s, h, &h, []any{s}, Card(hidden), &AuthorizeRequest{Method: Card(hidden), Amount: money.Of(1, money.USD)}, &Event{Token: s}, Request{Method: Card(hidden), Amount: money.Of(1, money.USD)}, errors.Join(fmt.Errorf("%v", s))}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%10.3s", "%t"} {
			require.NotContains(t, fmt.Sprintf(verb, v), hidden, "%s of %T", verb, v)
			require.NotContains(t, fmt.Sprintf(verb, v), fmt.Sprintf("%x", hidden), "%s of %T", verb, v)
		}
		require.NotContains(t, fmt.Sprint(v), hidden)
		j, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotContains(t, string(j), hidden, "JSON of %T", v)
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v, slog.Group("g", "v", v))
		require.NotContains(t, b.String(), hidden, "slog of %T", v)
	}
	type named struct{ S Secret }
	x, err := xml.Marshal(named{s})
	require.NoError(t, err)
	require.NotContains(t, string(x), hidden)
	text, err := s.MarshalText()
	require.NoError(t, err)
	require.Equal(t, redacted, string(text))
	require.Equal(t, redacted, s.String())
	require.Equal(t, hidden, s.Reveal())
}

func TestSecretZero(t *testing.T) {
	t.Parallel()
	var zero Secret
	require.True(t, zero.IsZero())
	require.True(t, NewSecret("").IsZero())
	require.False(t, NewSecret("x").IsZero())
	require.Empty(t, zero.Reveal())
	require.Empty(t, zero.String(), "what is not set does not look set")
	j, err := json.Marshal(Instrument{Method: MethodCard})
	require.NoError(t, err)
	require.JSONEq(t, `{"method":"card"}`, string(j))
}

// The types that hold personal values print nothing of them either.
func TestPayerIsNotPrinted(t *testing.T) {
	t.Parallel()
	p := Payer{Name: "Annabel Quix", Email: "a@b.example", Billing: Address{Line1: "Main Street 1"}}
	a := Action{Kind: ActionSDK, URL: "https://x.example/?secret=1", Params: map[string]string{"client_secret": "cs_hidden"}}
	for _, v := range []any{p, &p, p.Billing, a, &a, struct{ P Payer }{p}, struct{ A *Action }{&a}, Next{Action: &a}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			out := fmt.Sprintf(verb, v)
			for _, value := range []string{"Annabel", "a@b.example", "Main Street", "cs_hidden", "secret=1"} {
				require.NotContains(t, out, value, "%s of %T", verb, v)
			}
		}
	}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "payer", p, "action", a, "address", p.Billing,
		"request", Request{Payer: p, Description: "for Annabel", Metadata: map[string]string{"name": "Annabel"}})
	require.NotContains(t, b.String(), "Annabel", "slog's JSON handler marshals structs")
	require.NotContains(t, b.String(), "cs_hidden")
	require.NotContains(t, b.String(), "Main Street")
}
