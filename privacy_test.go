package payment_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/memstore"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlite"
	"github.com/tender-go/payment/store/sqlstore"
)

// planted are values that must be found nowhere in clear once they went in.
var planted = map[string]string{
	"name": "Annabel Quixoticson", "email": "annabel.quix@plantedmail.example", "phone": "+4915199887766", "ip": "203.0.113.77",
	"user agent": "PlantedBrowser/77.1", "device": "dev-planted-5f3c9a", "line": "Plantedstrasse 99", "city": "Plantedhausen", "postal code": "PL4N-7ED",
	"description": "planted description of the order", "metadata": "planted-metadata-value", "token": "tok_planted_8c1f22d0", "field": "planted-field-value",
	"api key": "sk_live_plantedPLANTEDplanted77", "customer at the provider": "cus_planted_314159", "client secret": "pi_1_secret_plantedsecret",
	"evidence": "planted evidence text", "evidence file": "planted evidence file bytes", "saved token": "pm_planted_2718281", "return query": "planted-return-value",
	"decline message": "holder Annabel Quixoticson called",
}

// clear reports which planted values a text holds, in clear or in one of the
// encodings that anybody can undo.
func clear(text []byte) []string {
	var found []string
	for what, v := range planted {
		encodings := [][]byte{[]byte(v), []byte(hex.EncodeToString([]byte(v))), []byte(strings.ToUpper(hex.EncodeToString([]byte(v))))}
		for shift := range 3 { // base64 within a longer text, whatever stands before
			e := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + v))
			encodings = append(encodings, []byte(e[4:len(e)-3]))
		}
		for _, e := range encodings {
			if bytes.Contains(text, e) {
				found = append(found, what)
				break
			}
		}
	}
	return found
}

// logs collects every line that is logged.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// leaky wraps the fake so that its answers and errors carry planted values
// where real providers put them.
func leaky(a *adapter) {
	a.authorize = func(ctx context.Context, r payment.AuthorizeRequest, next authorizeFunc) (payment.Result, error) {
		res, err := next(ctx, r)
		if err != nil {
			return res, &payment.CallError{Kind: payment.KindUnknown, Code: "timeout",
				Message: "Post https://api.example: key " + planted["api key"] + " for " + planted["email"] + " failed",
				Err:     fmt.Errorf("dial with Authorization: Bearer %s and %s", planted["api key"], planted["token"])}
		}
		if res.Action != nil {
			res.Action.Params = map[string]string{"client_secret": planted["client secret"]}
		}
		if res.Status == payment.ResultApproved {
			res.Token, res.ProviderCustomer = payment.NewSecret(planted["saved token"]), planted["customer at the provider"]
		}
		if res.Status == payment.ResultDeclined {
			res.Decline.Message = planted["decline message"] + " card 4242424242424242 " + planted["api key"] + " " + planted["email"]
		}
		return res, nil
	}
	a.refund = func(ctx context.Context, r payment.RefundRequest, next refundFunc) (payment.Result, error) {
		if r.Reason == "panic" {
			panic("adapter bug with " + planted["api key"] + " and " + planted["email"] + " of " + planted["name"])
		}
		if r.Reason == "plain" {
			return payment.Result{}, fmt.Errorf("unexpected: %s for %s (%s) from %s", planted["api key"], planted["email"], planted["name"], planted["ip"])
		}
		return next(ctx, r)
	}
}

// aLife runs a shop through everything that takes personal values in, and
// returns every error string that came out.
func aLife(t *testing.T, s *shop) []string {
	t.Helper()
	var said []string
	hear := func(err error) {
		if err != nil {
			said = append(said, err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err))
		}
	}
	request := func(ref, customer string) payment.Request {
		r := s.request(ref)
		r.Customer = customer
		r.Method = payment.Card(planted["token"]).With("note", planted["field"])
		a := payment.Address{Name: planted["name"], Line1: planted["line"], City: planted["city"], PostalCode: planted["postal code"], Country: "DE"}
		r.Payer = payment.Payer{Name: planted["name"], Email: planted["email"], Phone: planted["phone"], IP: planted["ip"], UserAgent: planted["user agent"],
			DeviceID: planted["device"], Country: "DE", Billing: a, Shipping: a}
		r.Description, r.Metadata = planted["description"], map[string]string{"note": planted["metadata"]}
		r.ReturnURL = "https://shop.example/return?v=" + planted["return query"]
		return r
	}
	pay := func(r payment.Request) *payment.Payment {
		p, err := s.pay.Pay(s.ctx, r)
		hear(err)
		require.NoError(t, err)
		return p
	}
	guest := pay(request("order-1", ""))
	r := request("order-2", "cust-1")
	r.Save = true
	known := pay(r)
	r = request("order-3", "cust-1")
	s.bank.Script("pay", fake.Challenge())
	r.Capture = payment.CaptureManual
	waiting := pay(r)
	require.Equal(t, planted["client secret"], waiting.Next().Action.Params["client_secret"], "what was planted went in")
	require.Equal(t, planted["description"], s.get(waiting.ID).Description)
	s.bank.Script("pay", fake.Decline(payment.ReasonDoNotHonor))
	declined := pay(request("order-4", "cust-1"))
	require.Equal(t, payment.StatusDeclined, declined.Status)
	s.bank.Script("pay", fake.TimeoutBefore(), fake.TimeoutBefore())
	s.bank.Script("lookup", fake.TimeoutBefore())
	unknown := pay(request("order-5", ""))
	_, err := s.pay.Resume(s.ctx, waiting.ID, map[string][]string{"v": {planted["return query"]}})
	hear(err)
	for _, reason := range []string{"panic", "plain"} {
		_, err := s.pay.Refund(s.ctx, guest.ID, payment.RefundParams{Key: reason, Amount: usd(1_00), Reason: reason})
		hear(err)
	}
	m, err := s.pay.Save(s.ctx, payment.SaveParams{Key: "s1", Customer: "cust-1", Method: payment.Card(planted["token"]), Payer: r.Payer, ReturnURL: r.ReturnURL})
	hear(err)
	require.NoError(t, err)
	require.NotNil(t, m)
	_, err = s.pay.Save(s.ctx, payment.SaveParams{Key: "s2", Customer: "cust-1", Method: payment.Card(fake.TokenChallenge), Payer: r.Payer})
	hear(err)
	ref, err := s.bank.OpenDispute(known.ID, usd(10_00), "fraudulent")
	require.NoError(t, err)
	s.deliver()
	require.NotEmpty(t, ref)
	_, err = s.pay.Respond(s.ctx, s.dispute(known.ID).ID, payment.RespondParams{Key: "d1", Evidence: payment.Evidence{Text: planted["evidence"],
		Fields: map[string]string{"customer_name": planted["name"]}, Files: []payment.EvidenceFile{{Kind: "receipt", Name: planted["name"] + ".pdf", ContentType: "application/pdf", Data: []byte(planted["evidence file"])}}}})
	hear(err)
	// What staff write, careless of the rule: the events keep it for good.
	careless := planted["name"] + " (" + planted["email"] + ") called from " + planted["ip"] + ", " + planted["phone"]
	_, err = s.pay.Cancel(s.ctx, declined.ID, payment.CancelParams{Key: "c1", Reason: careless})
	hear(err)
	require.NoError(t, err)
	_, err = s.pay.Decide(s.ctx, payment.Decision{PaymentID: unknown.ID, Operation: unknown.Operations[0].ID, Finding: payment.FindingAbsent, Who: "mia", Evidence: careless})
	hear(err)
	require.NoError(t, err)
	// Errors that a shop's mistake makes: they name the field, not its value.
	for _, change := range []func(*payment.Request){
		func(r *payment.Request) { r.Payer.IP = planted["ip"] + ":80" },
		func(r *payment.Request) { r.Payer.Email = planted["email"] + " " },
		func(r *payment.Request) { r.Description = planted["description"] + "\x00" },
		func(r *payment.Request) { r.Metadata["note"] += "\x00" },
		func(r *payment.Request) { r.Method = payment.Card(planted["token"] + "\n") },
		func(r *payment.Request) { r.ReturnURL = "http://x/" + planted["return query"] },
		func(r *payment.Request) {
			r.Key = known.Operations[0].ID
			r.Method = payment.Using(payment.MethodIDEAL)
		},
	} {
		r := request("order-9", "")
		change(&r)
		_, err := s.pay.Pay(s.ctx, r)
		require.Error(t, err)
		hear(err)
	}
	r = request("order-2", "cust-1") // the reference is held
	_, err = s.pay.Pay(s.ctx, r)
	require.Error(t, err)
	hear(err)
	// A webhook of a shop's queue with everything a provider might say.
	_, err = s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "w1", Kind: payment.OpAuthorize, Status: payment.ResultDeclined, OperationID: unknown.Operations[0].ID,
		Decline: payment.Decline{Reason: payment.ReasonDoNotHonor, Message: planted["decline message"] + " " + planted["email"] + " " + planted["api key"]},
		Action:  &payment.Action{Params: map[string]string{"client_secret": planted["client secret"]}}, Token: payment.NewSecret(planted["saved token"]),
		ProviderCustomer: planted["customer at the provider"]})
	hear(err)
	_, err = s.pay.Apply(s.ctx, payment.Event{Provider: "fake", Dedup: "w2", Kind: payment.OpAuthorize, Status: payment.ResultApproved, Ref: "of_nobody",
		Token: payment.NewSecret(planted["saved token"]), ProviderCustomer: planted["customer at the provider"], Action: &payment.Action{URL: planted["client secret"]}})
	hear(err)
	for range 6 {
		s.clock.Add(30 * time.Minute)
		_, err := s.pay.RunOnce(s.ctx)
		hear(err)
		s.deliver()
	}
	return said
}

// printed is every way in which a record is likely to end up in a log.
func printed(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%v %+v %#v %s\n", v, v, v, v)
	j, err := json.Marshal(v)
	require.NoError(t, err)
	b.Write(j)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	return b.Bytes()
}

func TestNothingPersonalInClear(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, open := range map[string]func(t *testing.T) payment.Store{
		"memstore": func(*testing.T) payment.Store { return memstore.New() },
		"sqlite": func(t *testing.T) payment.Store {
			s, err := sqlite.Open(filepath.Join(dir, "shop.db"))
			require.NoError(t, err)
			t.Cleanup(func() { _ = s.Close() })
			return s
		},
		"postgres": func(t *testing.T) payment.Store {
			s, err := postgres.Open(context.Background(), migrated(t))
			require.NoError(t, err)
			t.Cleanup(func() { _ = s.Close() })
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			l := &logs{}
			s := openWith(t, store, fake.Options{}, leaky, func(c *payment.Config) {
				c.Logger = slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
				c.MasterKeys = [][]byte{bytes.Repeat([]byte{7}, 32)}
				c.ParkAfter = time.Hour
			})
			said := aLife(t, s)
			for _, line := range said {
				require.Empty(t, clear([]byte(line)), "in an error: %s", line)
				require.NotContains(t, line, "4242424242424242")
			}
			l.mu.Lock()
			require.Empty(t, clear(l.buf.Bytes()), "in the log: %s", l.buf.String())
			l.mu.Unlock()
			scanRecords(t, s, store)
			if db, ok := store.(*sqlstore.Store); ok {
				scanTables(t, db)
			}
			if name == "sqlite" {
				scanFiles(t, dir)
			}
		})
	}
}

// scanRecords prints what a reader of the store gets, in every way.
func scanRecords(t *testing.T, s *shop, store payment.Store) {
	t.Helper()
	list, err := store.Payments(s.ctx, payment.PaymentQuery{Limit: 1000})
	require.NoError(t, err)
	require.NotEmpty(t, list)
	for _, p := range list {
		q, err := store.Payment(s.ctx, p.ID)
		require.NoError(t, err)
		all := []any{p, q, *q, q.Operations, q.Totals}
		for _, o := range q.Operations {
			all = append(all, o, *o)
			for _, st := range o.Steps {
				all = append(all, st, *st)
			}
		}
		for _, v := range all {
			require.Empty(t, clear(printed(t, v)), "in a stored record of %s\n%s", p.Reference, dump(q))
		}
	}
	events, err := store.Events(s.ctx, payment.EventQuery{Limit: 1000})
	require.NoError(t, err)
	require.NotEmpty(t, events)
	for _, e := range events {
		require.Empty(t, clear(printed(t, e)), "in event %d: %+v", e.Seq, e)
		require.Empty(t, clear(printed(t, *e)))
	}
	methods, err := store.Methods(s.ctx, "cust-1")
	require.NoError(t, err)
	require.NotEmpty(t, methods)
	for _, m := range methods {
		require.Empty(t, clear(printed(t, m)), "in a saved method")
	}
	disputes, err := store.Disputes(s.ctx, payment.DisputeQuery{})
	require.NoError(t, err)
	for _, d := range disputes {
		require.Empty(t, clear(printed(t, d)), "in a dispute")
	}
	// What the client reveals to its caller still does not print by accident.
	for _, p := range list {
		q := s.get(p.ID)
		var b bytes.Buffer
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "payment", q)
		fmt.Fprintf(&b, "%v %s", q, q)
		for _, o := range q.Operations {
			fmt.Fprintf(&b, "%v", o.Action)
		}
		require.Empty(t, clear(b.Bytes()), "a payment that is logged shows its payer")
	}
}

// scanTables reads every column of every table.
func scanTables(t *testing.T, store *sqlstore.Store) {
	t.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if store.Dialect() == sqlstore.Postgres {
		query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
	}
	rows, err := store.DB().Query(query)
	require.NoError(t, err)
	var tables []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, rows.Close())
	require.Greater(t, len(tables), 5)
	cells := 0
	for _, table := range tables {
		rows, err := store.DB().Query(`SELECT * FROM "` + table + `"`)
		require.NoError(t, err)
		columns, err := rows.Columns()
		require.NoError(t, err)
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			require.NoError(t, rows.Scan(values...))
			for i, v := range values {
				cells++
				cell := *v.(*any)
				text, ok := cell.([]byte)
				if !ok {
					text = []byte(fmt.Sprint(cell))
				}
				require.Empty(t, clear(text), "in %s.%s", table, columns[i])
			}
		}
		require.NoError(t, rows.Close())
	}
	require.Greater(t, cells, 500)
}

// scanFiles reads the database file and its write-ahead log byte for byte.
func scanFiles(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	total := 0
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		total += len(b)
		require.Empty(t, clear(b), "in %s", f.Name())
	}
	require.Greater(t, total, 50_000)
}

// The scan itself finds what is there: a check that cannot fail proves nothing.
func TestTheScanFinds(t *testing.T) {
	t.Parallel()
	for what, v := range planted {
		for _, text := range []string{"x" + v + "y", hex.EncodeToString([]byte(v)), base64.StdEncoding.EncodeToString([]byte("ab" + v + "z")),
			base64.StdEncoding.EncodeToString([]byte("{\"a\":\"" + v + "\"}"))} {
			require.Contains(t, clear([]byte(text)), what, text)
		}
	}
	require.Empty(t, clear([]byte("an innocent line")))
}
