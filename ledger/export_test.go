package ledger_test

import (
	"bytes"
	"encoding/csv"
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
	post(ledger.Transaction{Key: "late", Entries: entries(1234, money.KWD), Fact: true, Effective: now.Add(-72 * time.Hour)})
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

2026-03-29 * (late)
    ; seq:5, id:5, kind:post, booked:2026-03-31
    psp:stripe:clearing:KWD  1.234 KWD
    merchant:42:payable:KWD  -1.234 KWD
`, text)

	after := export(t, book, ledger.ExportOptions{AfterSeq: 4})
	require.NotContains(t, after, "order-")
	require.Contains(t, after, "seq:5, id:5, kind:post, booked:2026-03-31", "what was closed before it is known")
	march := export(t, book, ledger.ExportOptions{From: now.Add(-80 * time.Hour), To: now.Add(-70 * time.Hour)})
	require.Contains(t, march, "(late)")
	require.NotContains(t, march, "(order-1)")
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
		require.Equal(t, strings.Split("seq,id,key,kind,effective,booked,recorded,account,type,side,amount,currency,layer,running,description", ","), rows[0])
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
	last := map[string]string{}
	layers := map[string]bool{}
	for _, r := range rows {
		layers[r["layer"]] = true
		if r["layer"] == "posted" {
			require.False(t, strings.HasPrefix(r["amount"], "-"), "the side says the direction")
			last[r["account"]] = r["running"] + " " + r["currency"]
		}
		if r["kind"] == "close" {
			require.Empty(t, r["account"])
		}
	}
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
