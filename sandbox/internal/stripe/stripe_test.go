package stripe

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func jsonValid(b []byte) bool { return json.Valid(b) }

// TestTestCards: every token names a number in the table, every number is
// well-formed, and the brand fits.
func TestTestCards(t *testing.T) {
	t.Parallel()
	for name, number := range cardTokens {
		require.Contains(t, testCards, number, name)
	}
	for number, c := range testCards {
		require.Equal(t, number != "4242424242424241", luhn(number), number)
		require.NotEqual(t, "unknown", c.brand, number)
	}
	for _, n := range []string{"visa", "visa_chargeDeclined", "chargeDeclined", "visa_chargeDeclinedInsufficientFunds"} {
		_, ok := tokenNumber(n)
		require.True(t, ok, n)
	}
	_, ok := tokenNumber("visa_nothing")
	require.False(t, ok)
}

// TestRoutesExpand: every type an endpoint answers with is known to expand[],
// unless nothing in it can be expanded.
func TestRoutesExpand(t *testing.T) {
	t.Parallel()
	plain := []string{"balance", "event", "file", "token", "webhook_endpoint"}
	for name, r := range routes() {
		kind := strings.TrimPrefix(r.root, "list:")
		if _, ok := expandable[kind]; !ok {
			require.Contains(t, plain, kind, name)
		}
	}
}

func TestCurrencyTablesDoNotOverlap(t *testing.T) {
	t.Parallel()
	for cur := range zeroDecimal {
		require.False(t, twoDecimal[cur] || threeDecimal[cur], cur)
	}
	for cur := range threeDecimal {
		require.False(t, twoDecimal[cur], cur)
	}
	for cur := range minimum {
		require.True(t, twoDecimal[cur] || zeroDecimal[cur], cur)
	}
}

// TestEveryRouteAnswersJSON: an empty request for something that does not exist is refused in Stripe's form.
func TestEveryRouteAnswersJSON(t *testing.T) {
	t.Parallel()
	s := standIn(t)
	names := make([]string, 0, len(s.routes))
	for name := range s.routes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		method, path, _ := strings.Cut(name, " ")
		r := httptest.NewRequest(method, "/v1/"+strings.ReplaceAll(path, ":", "nothing_1"), nil)
		r.Header.Set("Authorization", "Bearer sk_test_1")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		require.Less(t, w.Code, 500, name)
		require.True(t, json.Valid(w.Body.Bytes()), name)
		if strings.Contains(path, ":") && name != "GET customers/:/payment_methods" && name != "GET charges/:/refunds" {
			require.Contains(t, []int{http.StatusNotFound, http.StatusBadRequest}, w.Code, "%s: %s", name, w.Body.String())
		}
	}
}

const payBody = "amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa&payment_method_types[0]=card&metadata[order]=42&expand[0]=latest_charge"

// BenchmarkCreateAndConfirm measures the handler of one whole payment: create,
// confirm, charge, balance transaction, three events, the answer with the
// charge expanded. It must stay well below 100 microseconds.
func BenchmarkCreateAndConfirm(b *testing.B) {
	s := standIn(b)
	b.ReportAllocs()
	for b.Loop() {
		if w := post(s, "/v1/payment_intents", payBody, formType); w.Code != 200 {
			b.Fatal(w.Body.String())
		}
	}
}

func BenchmarkRetrieve(b *testing.B) {
	s := standIn(b)
	w := post(s, "/v1/payment_intents", payBody, formType)
	var pi struct{ ID string }
	require.NoError(b, json.Unmarshal(w.Body.Bytes(), &pi))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, "/v1/payment_intents/"+pi.ID, nil)
		r.Header.Set("Authorization", "Bearer sk_test_1")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
	}
}
