package ledger_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/ledgertest"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

// hledger runs the program of that name on a journal.
func hledger(t *testing.T, file string, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("hledger")
	if err != nil {
		const line = "hledger is not installed: install the package hledger to run this test"
		if os.Getenv("CI") == "true" || os.Getenv("PAYMENT_REQUIRE_HLEDGER") == "1" {
			t.Fatal(line)
		}
		t.Skip(line)
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"-f", file}, args...)...)
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8", "LC_ALL=C.UTF-8")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	require.NoError(t, cmd.Run(), "hledger %s: %s", strings.Join(args, " "), complaint.String())
	return out.String()
}

func export(t *testing.T, book *ledger.Book, o ledger.ExportOptions) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, book.ExportHledger(ctx, &b, o))
	return b.String()
}

func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "books.journal")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// balances reads what hledger says that accounts come to.
func balances(t *testing.T, file string, args ...string) map[string]money.Amount {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(hledger(t, file, append([]string{"bal", "--flat", "-N", "-E", "-O", "csv"}, args...)...))).ReadAll()
	require.NoError(t, err)
	out := map[string]money.Amount{}
	for _, r := range rows[1:] {
		number, code, ok := strings.Cut(r[1], " ")
		if r[1] == "0" { // it has no currency where an account comes to nothing
			continue
		}
		require.True(t, ok, "%q", r)
		a, err := money.Parse(number, money.Currency(code))
		require.NoError(t, err)
		out[r[0]] = a
	}
	return out
}

func TestHledgerAgrees(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		book := newBook(t)
		f := ledgertest.NewFiller(book, "", 100+seed)
		require.NoError(t, f.Fill(ctx, 1500))
		file := written(t, export(t, book, ledger.ExportOptions{}))
		hledger(t, file, "check", "--strict")
		theirs := balances(t, file)
		trial, err := book.TrialBalance(ctx, ledger.AsOf{})
		require.NoError(t, err)
		currencies := map[money.Currency]bool{}
		for _, l := range trial.Lines {
			ours, err := l.Debit.Sub(l.Credit)
			require.NoError(t, err)
			have, ok := theirs[l.Account]
			if !ok {
				have = money.Zero(ours.Currency())
			}
			require.Equal(t, ours, have, l.Account)
			delete(theirs, l.Account)
			currencies[ours.Currency()] = true
		}
		require.Empty(t, theirs, "accounts that only hledger has")
		require.Len(t, currencies, 4, "JPY without decimals, KWD with three")
		require.Equal(t, int64(f.Accepted), trial.Seq)
		require.Equal(t, f.Accepted, strings.Count(hledger(t, file, "print"), "; seq:"), "a transaction for each record")
		require.NotEmpty(t, hledger(t, file, "print", "tag:kind=hold", "tag:held-debit=bank"))
		for code, kind := range map[string]string{"A": "psp:stripe:clearing:EUR", "L": "merchant:1:payable:EUR", "R": "platform:commission:EUR", "X": "fees:psp:EUR", "E": "equity:fx:EUR"} {
			require.Contains(t, hledger(t, file, "accounts", "type:"+code), kind)
		}
	}
}

// TestHledgerAgreesOnDates compares balances at the beginnings of days, in
// books with closings and with facts that came after them.
func TestHledgerAgreesOnDates(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("NST", -(3*3600 + 1800))
	book := newBook(t)
	f := ledgertest.NewFiller(book, "", 3)
	require.NoError(t, f.Fill(ctx, 1500))
	options := ledger.ExportOptions{Zone: zone}
	text := export(t, book, options)
	require.Contains(t, text, ", effective:", "facts came late")
	file := written(t, text)
	moved := 0
	for _, day := range []time.Time{time.Date(2025, 11, 30, 0, 0, 0, 0, zone), time.Date(2025, 12, 31, 0, 0, 0, 0, zone), time.Date(2026, 1, 1, 0, 0, 0, 0, zone), time.Date(2026, 1, 2, 0, 0, 0, 0, zone)} {
		theirs := balances(t, file, "-e", day.Format(time.DateOnly))
		options.To = day
		period := balances(t, written(t, export(t, book, options)))
		require.Equal(t, theirs, period, "what is exported until a day is what hledger counts until then")
		trial, err := book.TrialBalance(ctx, ledger.AsOf{Effective: day})
		require.NoError(t, err)
		for _, l := range trial.Lines {
			ours, err := l.Debit.Sub(l.Credit)
			require.NoError(t, err)
			have, ok := theirs[l.Account]
			if !ok {
				have = money.Zero(ours.Currency())
			} else {
				moved++
			}
			require.Equal(t, ours, have, "%s before %s", l.Account, day)
			delete(theirs, l.Account)
		}
		require.Empty(t, theirs, "accounts that only hledger has")
	}
	require.Greater(t, moved, 20)
}

func TestTheExportOfAClosedPeriodStays(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 4, 2, 9, 0, 0, 0, time.UTC)
	april := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	book, err := ledger.New(ledger.Config{Store: memstore.New(), Chart: ledgertest.Chart(), Now: func() time.Time { return now }})
	require.NoError(t, err)
	sale := func(key string, minor int64, effective time.Time, fact bool) {
		_, err := book.Apply(ctx, ledger.Transaction{Key: key, Effective: effective, Fact: fact, Metadata: map[string]string{"order": key},
			Entries: []ledger.Entry{ledger.Debit("bank:EUR", money.Of(minor, money.EUR)), ledger.Credit("merchant:42:payable:EUR", money.Of(minor, money.EUR))}})
		require.NoError(t, err)
	}
	march := ledger.ExportOptions{From: april.AddDate(0, -1, 0), To: april}
	both := func(o ledger.ExportOptions) (journal, table string) {
		var b bytes.Buffer
		require.NoError(t, book.ExportCSV(ctx, &b, o))
		_, journal, _ = strings.Cut(export(t, book, o), "\n\n2026") // accounts and currencies are those of all books
		return journal, b.String()
	}
	sale("in-time", 1000, april.Add(-50*time.Hour), false)
	sale("first-of-april", 1, april, false)
	_, err = book.Apply(ctx, ledger.Closing{Key: "march", Before: april})
	require.NoError(t, err)
	journal, table := both(march)
	require.Contains(t, journal, "(in-time)")
	require.Contains(t, table, "in-time")
	require.NotContains(t, journal+table, "first-of-april")

	sale("late", 200, april.Add(-40*time.Hour), true)
	sale("on-the-edge", 30, april.Add(-time.Microsecond), true)
	now = now.AddDate(0, 1, 0)
	_, err = book.Apply(ctx, ledger.Closing{Key: "april", Before: april.AddDate(0, 1, 0)})
	require.NoError(t, err)
	sale("very-late", 5, april.Add(-40*time.Hour), true)
	afterJournal, afterTable := both(march)
	require.Equal(t, journal, afterJournal)
	require.Equal(t, table, afterTable)

	file := written(t, export(t, book, ledger.ExportOptions{}))
	hledger(t, file, "check", "--strict")
	for day, want := range map[time.Time]int64{april: 1000, april.AddDate(0, 0, 1): 1231, april.AddDate(0, 1, 0): 1231, april.AddDate(0, 1, 1): 1236} {
		balance, err := book.Balance(ctx, "bank:EUR", ledger.AsOf{Effective: day})
		require.NoError(t, err)
		require.Equal(t, money.Of(want, money.EUR), balance.Posted, day)
		require.Equal(t, balance.Posted, balances(t, file, "-e", day.Format(time.DateOnly))["bank:EUR"], day)
		s, err := book.Statement(ctx, ledger.StatementQuery{Account: "bank:EUR", To: day})
		require.NoError(t, err)
		require.Equal(t, len(s.Lines), strings.Count(export(t, book, ledger.ExportOptions{To: day}), "kind:post"))
	}
	require.Contains(t, hledger(t, file, "print", "tag:meta-order=^late$", "tag:effective=2026-03-30"), "(late)")
}

func TestExportHledger(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 31, 22, 30, 0, 0, time.UTC)
	book, err := ledger.New(ledger.Config{Store: memstore.New(), Chart: ledgertest.Chart(), Now: func() time.Time { return now }})
	require.NoError(t, err)
	post := func(c ledger.Change) {
		_, err := book.Apply(ctx, c)
		require.NoError(t, err)
	}
	entries := func(minor int64, c money.Currency) []ledger.Entry {
		return []ledger.Entry{ledger.Debit("psp:stripe:clearing:"+string(c), money.Of(minor, c)), ledger.Credit("merchant:42:payable:"+string(c), money.Of(minor, c))}
	}
	post(ledger.Transaction{Key: "order-1", Entries: entries(1999, money.EUR), Description: "Order 1; with tax"})
	post(ledger.Transaction{Key: "order-2", Entries: entries(500, money.JPY), Pending: true})
	post(ledger.Settlement{Key: "order-2/capture", Hold: "order-2", Amount: money.Of(200, money.JPY), Final: true})
	post(ledger.Closing{Key: "march", Before: now.Add(-time.Hour)})
	post(ledger.Transaction{Key: "late", Entries: entries(1234, money.KWD), Fact: true, Effective: now.Add(-72 * time.Hour),
		Metadata: map[string]string{"the cause:": "a", "cause": "b, seq:1 ; 5% "}})
	text := export(t, book, ledger.ExportOptions{Zone: time.FixedZone("CEST", 2*3600)})
	_, text, _ = strings.Cut(text, "\n\n")
	require.Equal(t, `decimal-mark .

commodity 1000.00 EUR
commodity 1000. JPY
commodity 1000.000 KWD

account psp:stripe:clearing:EUR  ; type: A
account merchant:42:payable:EUR  ; type: L
account psp:stripe:clearing:JPY  ; type: A
account merchant:42:payable:JPY  ; type: L
account psp:stripe:clearing:KWD  ; type: A
account merchant:42:payable:KWD  ; type: L

2026-04-01 * (order-1) Order 1, with tax
    ; seq:1, id:1, kind:post
    psp:stripe:clearing:EUR  19.99 EUR
    merchant:42:payable:EUR  -19.99 EUR

2026-04-01 ! (order-2)
    ; seq:2, id:2, kind:hold
    ; held-debit:psp:stripe:clearing:JPY  500 JPY
    ; held-credit:merchant:42:payable:JPY  500 JPY

2026-04-01 * (order-2/capture)
    ; seq:3, id:3, kind:settle, of:order-2
    ; held-debit:psp:stripe:clearing:JPY  -200 JPY
    psp:stripe:clearing:JPY  200 JPY
    ; held-credit:merchant:42:payable:JPY  -200 JPY
    merchant:42:payable:JPY  -200 JPY
    ; held-debit:psp:stripe:clearing:JPY  -300 JPY
    ; held-credit:merchant:42:payable:JPY  -300 JPY

2026-03-31 * (march)
    ; seq:4, id:4, kind:close

2026-03-31 * (late)
    ; seq:5, id:5, kind:post, effective:2026-03-29
    ; meta-cause:b%2C seq:1 ; 5%25%20
    ; meta-the%20cause%3A:a
    psp:stripe:clearing:KWD  1.234 KWD
    merchant:42:payable:KWD  -1.234 KWD
`, text)

	after := export(t, book, ledger.ExportOptions{AfterSeq: 4})
	require.NotContains(t, after, "order-")
	require.Contains(t, after, "seq:5, id:5, kind:post, effective:2026-03-28", "what was closed before it is known")
	before := export(t, book, ledger.ExportOptions{From: now.Add(-80 * time.Hour), To: now.Add(-time.Hour)})
	require.NotContains(t, before, "seq:", "what is late counts in the first open period")
	open := export(t, book, ledger.ExportOptions{From: now.Add(-time.Hour), To: now})
	require.Contains(t, open, "(late)")
	require.NotContains(t, open, "(order-1)")
	file := written(t, export(t, book, ledger.ExportOptions{}))
	hledger(t, file, "check", "--strict")
	require.Contains(t, hledger(t, file, "print", "tag:meta-the%20cause%3A=^a$"), "(late)")
	require.NotContains(t, hledger(t, file, "print", "tag:seq=^1"), "(late)", "no value begins another tag")
}

func TestExportCSV(t *testing.T) {
	t.Parallel()
	book := newBook(t)
	f := ledgertest.NewFiller(book, "", 7)
	require.NoError(t, f.Fill(ctx, 800))
	_, err := book.Post(ctx, ledger.Transaction{Key: "-key", Description: "\uff1dcmd()", Entries: []ledger.Entry{
		ledger.Debit("bank:EUR", money.Of(5, money.EUR)), ledger.Credit("merchant:-1:payable:EUR", money.Of(5, money.EUR))}})
	require.NoError(t, err)
	read := func(o ledger.ExportOptions) []map[string]string {
		var b bytes.Buffer
		require.NoError(t, book.ExportCSV(ctx, &b, o))
		require.Equal(t, strings.Count(b.String(), "\n"), strings.Count(b.String(), "\r\n"), "RFC 4180 ends lines by CR LF")
		rows, err := csv.NewReader(&b).ReadAll()
		require.NoError(t, err)
		require.Equal(t, strings.Split("seq,id,key,kind,effective,booked,recorded,account,type,side,amount,currency,layer,running,description,metadata", ","), rows[0])
		var out []map[string]string
		for _, r := range rows[1:] {
			m := map[string]string{}
			for i, name := range rows[0] {
				m[name] = r[i]
				for _, c := range []string{"=", "+", "-", "@", "\t", "\r"} {
					if strings.HasPrefix(r[i], c) {
						_, err := strconv.ParseFloat(r[i], 64)
						require.NoError(t, err, "only a number begins with a sign: %q", r[i])
					}
				}
			}
			out = append(out, m)
		}
		return out
	}
	rows := read(ledger.ExportOptions{})
	documented := 0
	last := map[string]string{}
	layers := map[string]bool{}
	for _, r := range rows {
		layers[r["layer"]] = true
		found, err := book.Find(ctx, strings.TrimPrefix(r["key"], "'"))
		require.NoError(t, err)
		if len(found.Metadata) > 0 {
			have := map[string]string{}
			require.NoError(t, json.Unmarshal([]byte(r["metadata"]), &have))
			require.Equal(t, found.Metadata, have)
			documented++
		} else {
			require.Empty(t, r["metadata"])
		}
		if r["layer"] == "posted" {
			require.False(t, strings.HasPrefix(r["amount"], "-"), "the side says the direction")
			last[r["account"]] = r["running"] + " " + r["currency"]
		}
		if r["kind"] == "close" {
			require.Empty(t, r["account"])
		}
	}
	require.Positive(t, documented)
	require.Len(t, layers, 4, "posted, held on either side, and closings with none")
	for path, running := range last {
		have, err := book.Balance(ctx, strings.TrimPrefix(path, "'"), ledger.AsOf{})
		require.NoError(t, err)
		require.Equal(t, have.Posted.String(), running, path)
	}
	end := rows[len(rows)-1]
	require.Equal(t, "'-key", end["key"])
	require.Equal(t, "merchant:-1:payable:EUR", end["account"])
	require.Equal(t, "'\uff1dcmd()", end["description"])
	require.Equal(t, []string{"credit", "0.05", "EUR", "liability"}, []string{end["side"], end["amount"], end["currency"], end["type"]})

	report, err := book.Verify(ctx, ledger.VerifyOptions{})
	require.NoError(t, err)
	middle := report.Records / 2
	var tail []map[string]string
	for _, r := range rows {
		if seq, err := strconv.ParseInt(r["seq"], 10, 64); err == nil && seq > middle {
			tail = append(tail, r)
		}
	}
	require.Equal(t, tail, read(ledger.ExportOptions{AfterSeq: middle}), "an export that goes on says the same, running balances and booked dates included")
	require.Empty(t, read(ledger.ExportOptions{AfterSeq: report.Records}))
}

func TestExportRefusals(t *testing.T) {
	t.Parallel()
	book := newBook(t)
	require.NoError(t, ledgertest.NewFiller(book, "", 7).Fill(ctx, 300))
	now := time.Now()
	var b bytes.Buffer
	require.ErrorIs(t, book.ExportCSV(ctx, &b, ledger.ExportOptions{AfterSeq: -1}), ledger.ErrInvalid)
	require.ErrorIs(t, book.ExportHledger(ctx, &b, ledger.ExportOptions{From: now, To: now}), ledger.ErrInvalid)
	require.ErrorIs(t, book.ExportCSV(ctx, &b, ledger.ExportOptions{From: time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)}), ledger.ErrInvalid)
	require.ErrorIs(t, book.ExportCSV(ctx, &b, ledger.ExportOptions{To: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}), ledger.ErrInvalid)
	full := errors.New("no space left")
	require.ErrorIs(t, book.ExportCSV(ctx, &failing{full}, ledger.ExportOptions{}), full)
	require.ErrorIs(t, book.ExportHledger(ctx, &failing{full}, ledger.ExportOptions{}), full)
	c := copyOf(t, filled(t, 5, 100))
	c.journal[20].Broken = true
	require.ErrorIs(t, bookOn(t, c).ExportHledger(ctx, &b, ledger.ExportOptions{}), ledger.ErrCorrupt)
	c.journal = append(c.journal[:20], c.journal[21:]...)
	err := bookOn(t, c).ExportHledger(ctx, &b, ledger.ExportOptions{})
	require.ErrorIs(t, err, ledger.ErrCorrupt)
	require.ErrorContains(t, err, "not in the journal")
}

type failing struct{ err error }

func (f *failing) Write([]byte) (int, error) { return 0, f.err }
