package stripe

import (
	"bytes"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/sandbox/internal/core"
)

// standIn is a stand-in without a listener, for tests of its insides.
func standIn(t testing.TB) *Stripe {
	ids := core.NewIDs(1)
	clock := core.NewClock(func() time.Time { return time.Unix(1800000000, 0) })
	timers := core.NewTimers(clock)
	t.Cleanup(timers.Close)
	outbox := core.NewOutbox(core.OutboxConfig{Clock: clock, Timers: timers, Log: slog.New(slog.DiscardHandler), Limit: 10, Timeout: time.Second})
	t.Cleanup(outbox.Close)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	return New(Config{BaseURL: "http://127.0.0.1:1", SecretKey: "sk_test_1", WebhookSecret: "whsec_1", AccountID: "acct_1", Clock: clock, Timers: timers,
		IDs: ids, Faults: core.NewFaults(ids), Requests: core.NewLog(10), Outbox: outbox, Log: slog.New(slog.DiscardHandler), Done: done, MaxEvents: 1000})
}

func post(s *Stripe, path, body, contentType string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer sk_test_1")
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

const formType = "application/x-www-form-urlencoded"

// FuzzForm: whatever the body, the parser ends, keeps its limits, and gives
// back each well-formed flat pair.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"", "a=1", "a[b]=1&a[c]=2", "a[]=1&a[]=2", "a[0][b]=1", "a=1&a[b]=2", "a[b", "a]b=1", "[a]=1", "a%5Bb%5D=%20", "a=%zz",
		"a[b][c][d][e][f][g][h][i][j][k][l][m][n]=1", "metadata[a.b]=x&expand[0]=y", "&&&=&", "a[b]c=1", strings.Repeat("a=1&", 3000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		root, apiErr := parseForm(body)
		if apiErr != nil {
			require.Equal(t, 400, apiErr.status)
			require.True(t, apiErr.unsaved, "a malformed request is not kept under its key")
			return
		}
		var depth func(*form) int
		depth = func(n *form) int {
			d := 0
			for _, k := range n.keys {
				require.NotNil(t, n.kids[k])
				d = max(d, 1+depth(n.kids[k]))
			}
			require.Len(t, n.kids, len(n.keys))
			return d
		}
		require.LessOrEqual(t, depth(root), maxFormDepth+1)
		if u := root.unread(); u != nil {
			root.readAll()
			require.Nil(t, root.unread(), "reading all leaves nothing unread")
		}
		if values, err := url.ParseQuery(body); err == nil {
			for k, vs := range values {
				if !strings.ContainsAny(k, "[]") && k != "" && !strings.Contains(body, ";") {
					require.Equal(t, vs[len(vs)-1], root.kids[k].val, "the last value counts")
				}
			}
		}
	})
}

// FuzzRequest: whatever is sent to an endpoint, it answers with JSON and never
// with a 5xx, and money appears only when the answer says so.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{"amount=500&currency=usd", "amount=500&currency=usd&payment_method=pm_card_visa&confirm=true&payment_method_types[]=card",
		"amount=500&currency=eur&confirm=true&payment_method_types[]=ideal&return_url=http://x/&payment_method_data[type]=ideal",
		"amount=1&currency=jpy&payment_method_data[type]=card&payment_method_data[card][number]=4242424242424242&payment_method_data[card][exp_month]=1&payment_method_data[card][exp_year]=30",
		"amount[]=1&currency[a]=usd&metadata=x&expand[]=latest_charge.refunds&shipping[address]=1", "expand[]=a.b.c.d.e.f"} {
		for i := range 4 {
			f.Add(i, s)
		}
	}
	paths := []string{"/v1/payment_intents", "/v1/customers", "/v1/payment_methods", "/v1/setup_intents", "/v1/refunds", "/v1/tokens", "/v1/transfers", "/v1/payouts", "/v1/webhook_endpoints"}
	s := standIn(f)
	f.Fuzz(func(t *testing.T, which int, body string) {
		path := paths[uint(which)%uint(len(paths))]
		before, _ := s.Collected("usd")
		w := post(s, path, body, formType)
		require.Less(t, w.Code, 500)
		require.True(t, jsonValid(w.Body.Bytes()), "%s", w.Body.String())
		if after, _ := s.Collected("usd"); after != before {
			require.Equal(t, 200, w.Code)
		}
	})
}

// FuzzSearch: any query either parses or is refused by name.
func FuzzSearch(f *testing.F) {
	for _, s := range []string{`status:"succeeded"`, `metadata["a"]:"b" AND amount>5`, `-currency:'usd' OR amount<=7`, `metadata["a`, `a:`, `status:"x" AND`, `metadata[a]:b`, `-`, `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, q string) {
		clauses, _, apiErr := parseQuery(q)
		if apiErr != nil {
			require.Equal(t, "query", apiErr.param)
			return
		}
		require.NotEmpty(t, clauses)
		for _, c := range clauses {
			c.match(&paymentIntent{amount: 5, currency: "usd", metadata: map[string]string{"a": "b"}})
		}
	})
}

// FuzzUpload: a multipart body either gives its parts or is refused.
func FuzzUpload(f *testing.F) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	_ = w.SetBoundary("x")
	_ = w.WriteField("purpose", "dispute_evidence")
	part, _ := w.CreateFormFile("file", "a.pdf")
	_, _ = part.Write([]byte("%PDF-1.4"))
	_ = w.Close()
	f.Add(buf.Bytes())
	f.Add([]byte("--x\r\n\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		up, form, apiErr := parseMultipart("multipart/form-data; boundary=x", body)
		if apiErr != nil {
			require.Equal(t, 400, apiErr.status)
			return
		}
		require.NotNil(t, form)
		if up != nil {
			require.NotEmpty(t, fileKind(up))
		}
	})
}
