package providertest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/examples/ownprovider"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/providertest"
)

// till is a voucher service that says yes, for the adapter of
// examples/ownprovider. It keeps what it said under each key.
type till struct {
	mu   sync.Mutex
	done map[string][2]string // by path: the request, the answer
}

func (s *till) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	old, known := s.done[r.URL.Path]
	switch {
	case r.Method == http.MethodGet && !known:
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Method == http.MethodGet:
	case known && old[0] != string(body):
		w.WriteHeader(http.StatusConflict)
		return
	case !known:
		var o struct{ Amount json.RawMessage }
		if json.Unmarshal(body, &o) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		key := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		old = [2]string{string(body), `{"id":"v` + key + `","status":"done","amount":` + string(o.Amount) + `}`}
		s.done[r.URL.Path] = old
	}
	_, _ = io.WriteString(w, old[1])
}

// mutant is the adapter of examples/ownprovider with one rule broken, in what
// it makes of the wire or in what it says.
type mutant struct {
	rule, what string
	transport  func(http.RoundTripper) http.RoundTripper
	say        func(payment.Result, error) (payment.Result, error)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// blind reads answers as an adapter does that never looks at one of their
// fields: it takes what it asked for.
func blind(edit func(answer map[string]any)) func(http.RoundTripper) http.RoundTripper {
	return func(base http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			res, err := base.RoundTrip(r)
			if err != nil || res.StatusCode != http.StatusOK {
				return res, err
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				return nil, err
			}
			if mended, err := providertest.EditJSON(edit)(body); err == nil {
				body = mended
			}
			res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			return res, nil
		})
	}
}

func amountOf(answer map[string]any) map[string]any {
	a, _ := answer["amount"].(map[string]any)
	return a
}

// obedient follows redirects with everything it has, as http.Client does for
// headers it does not know.
func obedient(base http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		res, err := base.RoundTrip(r)
		if err != nil || res.StatusCode != http.StatusTemporaryRedirect {
			return res, err
		}
		_ = res.Body.Close()
		to, err := res.Location()
		if err != nil {
			return nil, err
		}
		next := r.Clone(r.Context())
		next.URL, next.Host = to, to.Host
		if r.GetBody != nil {
			if next.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
		return base.RoundTrip(next)
	})
}

var (
	anyAmount   = blind(func(a map[string]any) { amountOf(a)["value"] = "10.00" })
	anyCurrency = blind(func(a map[string]any) { amountOf(a)["currency"] = "USD" })
	anyID       = blind(func(a map[string]any) {
		if a["id"] == nil {
			a["id"] = "v1"
		}
	})
)

// approves believes an answer about something else.
func approves(amount string) func(payment.Result, error) (payment.Result, error) {
	return func(r payment.Result, err error) (payment.Result, error) {
		var ce *payment.CallError
		if errors.As(err, &ce) && ce.Message == "the answer is about something else" {
			named, perr := money.Parse(amount, money.USD)
			return payment.Result{Status: payment.ResultApproved, Captured: true, Ref: "v1", Amount: named}, perr
		}
		return r, err
	}
}

var mutants = []mutant{
	{rule: "other-answer", what: "does not look at the amount", transport: anyAmount},
	{rule: "other-answer", what: "does not look at the currency", transport: anyCurrency},
	{rule: "other-answer", what: "does not look at the id", transport: anyID},
	{rule: "other-answer", what: "approves another amount and names it", say: approves("3.21")},
	{rule: "other-answer-later", what: "approves another amount and names it", say: approves("3.21")},
	{rule: "other-answer", what: "takes what it does not understand for a refusal", say: func(r payment.Result, err error) (payment.Result, error) {
		var ce *payment.CallError
		if errors.As(err, &ce) && ce.Message == "the answer is about something else" {
			ce.Kind = payment.KindRejectedRequest
		}
		return r, err
	}},
	{rule: "other-answer-later", what: "does not look at the amount", transport: anyAmount},
	{rule: "other-answer-later", what: "does not look at the currency", transport: anyCurrency},
	{rule: "other-answer-later", what: "does not look at the id", transport: anyID},
	{rule: "other-answer-lookup", what: "does not look at the amount", transport: anyAmount},
	{rule: "other-answer-lookup", what: "does not look at the currency", transport: anyCurrency},
	{rule: "other-answer-lookup", what: "does not look at the id", transport: anyID},
	{rule: "key-conflict", what: "takes a conflict for a refusal", say: rekind(payment.KindUnknown, payment.KindRejectedRequest)},
	{rule: "key-other-request", what: "takes a conflict for a refusal", say: rekind(payment.KindUnknown, payment.KindRejectedRequest)},
	{rule: "key-conflict", what: "does not mark a conflict", say: func(r payment.Result, err error) (payment.Result, error) {
		var ce *payment.CallError
		if errors.As(err, &ce) {
			ce.KeyConflict = false
		}
		return r, err
	}},
	{rule: "redirect", what: "follows redirects", transport: obedient},
	{rule: "redirect", what: "takes a redirect for a refusal", say: rekind(payment.KindUnknown, payment.KindRejectedRequest)},
}

// loud is the adapter with a mutant's words.
type loud struct {
	*ownprovider.Provider
	say func(payment.Result, error) (payment.Result, error)
}

func (l loud) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	return l.say(l.Provider.Authorize(ctx, r))
}

func (l loud) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	return l.say(l.Provider.Refund(ctx, r))
}

// httpHarness is a harness over HTTP, for the adapter as m makes it. spoil
// changes the wire.
func httpHarness(m mutant, spoil func(*providertest.Wire)) providertest.Harness {
	return providertest.Harness{
		New: func(providertest.Options) (*providertest.Rig, error) {
			wire := &providertest.Wire{Next: &till{done: map[string][2]string{}},
				Step: func(r *http.Request, _ []byte) string {
					switch {
					case r.Method == http.MethodGet:
						return "lookup"
					case strings.HasPrefix(r.URL.Path, "/refunds/"):
						return "refund"
					}
					return "redeem"
				},
				Key:      func(r *http.Request, _ []byte) string { return r.URL.Path },
				Conflict: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) }),
				Alter: func(f providertest.Fault, _ string) func([]byte) ([]byte, error) {
					return providertest.EditJSON(func(answer map[string]any) {
						switch f {
						case providertest.FaultOtherAmount:
							amountOf(answer)["value"] = "3.21"
						case providertest.FaultOtherCurrency:
							amountOf(answer)["currency"] = "CHF"
						default:
							delete(answer, "id")
						}
					})
				},
			}
			if spoil != nil {
				spoil(wire)
			}
			server := httptest.NewServer(wire)
			p := &ownprovider.Provider{BaseURL: server.URL, Key: payment.NewSecret("key"), HTTP: &http.Client{Transport: wire.Transport()}}
			if m.transport != nil {
				p.HTTP.Transport = m.transport(p.HTTP.Transport)
			}
			rig := &providertest.Rig{Provider: p, Close: server.Close, Fault: wire.Fault, Requests: wire.Requests}
			if m.say != nil {
				rig.Provider = loud{p, m.say}
			}
			return rig, nil
		},
		Methods: []providertest.Method{{Approve: payment.Instrument{Method: ownprovider.MethodVoucher, Token: payment.NewSecret("GIFT")}}},
		Only:    []string{"other-answer", "other-answer-later", "other-answer-lookup", "key-conflict", "key-other-request", "redirect"},
		Without: map[providertest.Ability]string{
			providertest.AbilityPayer: "a voucher needs no act of the payer", providertest.AbilityChallenge: "nor here",
			providertest.AbilityDecline: "this till says yes", providertest.AbilityTruth: "nor does it count",
			providertest.AbilityClock: "nothing depends on the time", providertest.AbilityDispute: "vouchers have none",
		},
	}
}

// The rules about HTTP answers have teeth too: the adapter passes, and each of
// its mutants breaks its rule.
func TestTeethHTTP(t *testing.T) {
	t.Parallel()
	require.Empty(t, providertest.Check(httpHarness(mutant{}, nil)))
	for _, m := range mutants {
		t.Run(m.rule+"/"+m.what, func(t *testing.T) {
			t.Parallel()
			h := httpHarness(m, nil)
			h.Only = []string{m.rule}
			found := providertest.Check(h)
			require.Len(t, found, 1, "an adapter that %s passes", m.what)
			require.Equal(t, m.rule, found[0].Rule.ID)
		})
	}
}

// What only the provider's own words can say, the harness supplies: one that
// does not is told so, and one that alters nothing is found out.
func TestWireWithoutWords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule, says string
		spoil      func(*providertest.Wire)
	}{
		"no Conflict": {"key-conflict", "set Wire.Conflict", func(w *providertest.Wire) { w.Conflict = nil }},
		"no Alter":    {"other-answer", "Wire.Alter", func(w *providertest.Wire) { w.Alter = nil }},
		"no Alter for one step": {"other-answer-later", `step "refund"`, func(w *providertest.Wire) {
			all := w.Alter
			w.Alter = func(f providertest.Fault, step string) func([]byte) ([]byte, error) {
				if step == "refund" {
					return nil
				}
				return all(f, step)
			}
		}},
		"an Alter that alters nothing": {"other-answer", "really alters", func(w *providertest.Wire) {
			w.Alter = func(providertest.Fault, string) func([]byte) ([]byte, error) {
				return providertest.EditJSON(func(map[string]any) {})
			}
		}},
		"an Alter for another form": {"other-answer-lookup", "really alters", func(w *providertest.Wire) {
			w.Alter = func(providertest.Fault, string) func([]byte) ([]byte, error) {
				return func([]byte) ([]byte, error) { return nil, errors.New("no such field") }
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := httpHarness(mutant{}, c.spoil)
			h.Only = []string{c.rule}
			found := providertest.Check(h)
			require.Len(t, found, 1)
			require.ErrorContains(t, found[0].Err, c.says)
		})
	}
	// Declared for one step, it is not asked for there.
	h := httpHarness(mutant{}, func(w *providertest.Wire) {
		all := w.Alter
		w.Alter = func(f providertest.Fault, step string) func([]byte) ([]byte, error) {
			if f == providertest.FaultOtherAmount && step == "refund" {
				return nil
			}
			return all(f, step)
		}
	})
	h.Only = []string{"other-answer-later"}
	require.Len(t, providertest.Check(h), 1)
	h.Without["fault:other_amount:refund"] = "the answer to a refund names no amount"
	require.Empty(t, providertest.Check(h))
}
