package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/sandbox"
)

// outcome is what must become of an order: the states of each attempt, what the
// shop has in the end, and why an attempt was refused.
type outcome struct {
	states string
	final  payment.Status
	kept   string
	reason payment.Reason
}

const (
	paid       = "processing > captured"
	refusedAt  = "processing > declined"
	challenged = "processing > requires_action > captured"
)

var outcomes = map[string]outcome{
	"US-1001": {paid, "captured", "24.90", ""},
	"US-1002": {paid, "captured", "18.50", ""},
	"US-1003": {"processing > authorized > captured", "captured", "129.00", ""},
	"US-1004": {refusedAt + " | " + paid, "captured", "899.00", payment.ReasonInsufficientFunds},
	"US-1005": {refusedAt, "declined", "0.00", payment.ReasonExpiredCard},
	"US-1006": {"processing > authorized > partially_captured", "partially_captured", "250.00", ""},
	"US-1007": {paid + " > refunded", "refunded", "0.00", ""},
	"US-1008": {paid, "captured", "75.25", ""},
	"US-1009": {paid, "captured", "210.00", ""},
	"US-1010": {paid, "captured", "1450.00", ""},
	"US-1011": {refusedAt, "declined", "0.00", payment.ReasonStolenCard},
	"EU-2001": {challenged, "captured", "89.90", ""},
	"EU-2002": {challenged, "captured", "34.50", ""},
	"EU-2003": {challenged, "captured", "54.95", ""},
	"EU-2004": {"processing > requires_action > declined | " + paid, "captured", "72.00", payment.ReasonPayerCanceled},
	"EU-2005": {"processing > requires_action > declined", "declined", "0.00", payment.ReasonAuthenticationFailed},
	"EU-2006": {"processing > requires_action > canceled", "canceled", "0.00", ""},
	"EU-2007": {paid + " > partially_refunded", "partially_refunded", "80.00", ""},
	"EU-2008": {refusedAt, "declined", "0.00", payment.ReasonLostCard},
	"EU-2009": {refusedAt + " | " + paid, "captured", "58.40", payment.ReasonIncorrectCVC},
	"EU-2010": {"processing > authorized > voided", "voided", "0.00", ""},
	"JP-3001": {paid, "captured", "4800", ""},
	"JP-3002": {"processing > authorized > partially_captured > captured", "captured", "12800", ""},
	"JP-3003": {refusedAt, "declined", "0", payment.ReasonDeclined},
	"JP-3004": {paid + " > partially_refunded", "partially_refunded", "1980", ""},
	"JP-3005": {"processing > requires_action > declined", "declined", "0", payment.ReasonDeclined},
	"JP-3006": {refusedAt, "declined", "0", payment.ReasonLimitExceeded},
	"KW-4001": {paid, "captured", "24.500", ""},
	"KW-4002": {paid + " > partially_refunded", "partially_refunded", "100.500", ""},
	"KW-4003": {refusedAt + " | " + paid, "captured", "9.990", payment.ReasonProcessorError},
	"KW-4004": {"processing > authorized > partially_captured > partially_refunded", "partially_refunded", "150.000", ""},
	"KW-4005": {"processing > authorized > voided", "voided", "0.000", ""},
	"CN-5001": {challenged, "captured", "328.00", ""},
	"CN-5002": {challenged, "captured", "99.00", ""},
	"CN-5003": {"processing > requires_action > declined | " + challenged, "captured", "599.00", payment.ReasonPayerCanceled},
	"CN-5004": {paid, "captured", "1280.00", ""},
	"CN-5005": {challenged + " > partially_refunded", "partially_refunded", "300.00", ""},
	"CN-5006": {"processing > requires_action", "requires_action", "0.00", ""},
}

func play(t *testing.T, set settings) (*report, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	set.db = filepath.Join(t.TempDir(), "quickstart.db")
	var out bytes.Buffer
	rep, err := run(ctx, set, &out)
	require.NoError(t, err, out.String())
	return rep, out.String()
}

func TestQuickstart(t *testing.T) {
	t.Parallel()
	rep, text := play(t, settings{})
	require.Len(t, rep.rows, len(outcomes))
	for _, r := range rep.rows {
		want, known := outcomes[r.order.Number]
		require.True(t, known, r.order.Number)
		require.Len(t, r.payments, 1, "%s: an order has one payment, however often it was tried", r.order.Number)
		var states []string
		reason := payment.Reason("")
		for _, a := range r.attempts {
			var s []string
			for _, x := range a.states {
				s = append(s, string(x))
			}
			states = append(states, strings.Join(s, " > "))
			if a.op != nil && !a.op.Decline.IsZero() {
				reason = a.op.Decline.Reason
			}
		}
		got := outcome{strings.Join(states, " | "), r.payment().Status, r.kept().Decimal().StringFixed(decimals(r.order.Amount)), reason}
		require.Equal(t, want, got, r.order.Number)
	}

	for c, want := range map[money.Currency][2]string{ // captured, refunded; added up by hand from orders.json
		"USD": {"3120.65", "64.00"}, "EUR": {"458.75", "69.00"}, "JPY": {"20570", "990"},
		"KWD": {"327.740", "42.750"}, "CNY": {"2762.00", "156.00"},
	} {
		found := false
		for _, tot := range rep.totals {
			if tot.currency != c {
				continue
			}
			found = true
			require.Equal(t, want[0]+" "+string(c), tot.captured.String())
			require.Equal(t, want[1]+" "+string(c), tot.refunded.String())
			require.Equal(t, tot.captured, tot.gross)
			kept, err := tot.gross.Sub(tot.refunded)
			require.NoError(t, err)
			require.Equal(t, kept, tot.net)
		}
		require.True(t, found, c)
	}
	require.Equal(t, 2, rep.webhooks.refused, "the forged ones and no other")
	require.Equal(t, rep.webhooks.all, rep.webhooks.taken+rep.webhooks.refused)
	require.Greater(t, rep.webhooks.taken, 100)

	for _, cell := range []string{
		"30 by guests, 8 by known customers, 3 of these with one click on a kept card",
		"US-1002       $18.50  captured                 $18.50  one click  one click, with the kept card\n         stripe  visa 4242, saved  processing > captured\n",
		"EU-2004       €72.00  captured                 €72.00  guest ",
		"         stripe  ideal             processing > requires_action > declined\n",
		"= the second tab",
		"= the second press",
		"KEPT   what the shop has of an order in the end",
		"in English: Payment not approved - ", // beside the German, too
		"! declined (expired_card): Card has expired",
		"> Pay with your new card or with another method.",
		"! declined (lost_card): Zahlung nicht genehmigt", // says nothing of lost
		"Réessayez", // what the payer can do, in French
		"お支払いが承認されませんでした", // in Japanese
		"请完成该步骤以完成付款",     // and in Chinese
		"KWD 150.000",
		"CN¥2,762.00",
		"nobody was charged twice",
	} {
		require.Contains(t, text, cell)
	}
	fees := 0
	for _, l := range rep.ledger.trial.Lines {
		if strings.HasPrefix(l.Account, "fees:psp:stripe:") && !l.Debit.IsZero() {
			fees++
		}
	}
	require.Equal(t, 5, fees, "the fees of each currency, which compareFees holds against Stripe's statement")
	require.True(t, rep.ledger.trial.Foots())
	require.Len(t, rep.ledger.trial.Sums, 5, "each currency has books of its own")
	for _, sum := range rep.ledger.trial.Sums {
		for _, tot := range rep.totals {
			if tot.currency == sum.Currency {
				require.Equal(t, tot.captured, sum.Credit, "%s: what was sold stands on the credit side", sum.Currency)
			}
		}
	}
	require.True(t, rep.ledger.verified.OK())
	require.Contains(t, text, "TRIAL BALANCE")
	require.Contains(t, text, "KWD, debits less credits: KWD 0.000")
	last := strings.Split(strings.TrimSpace(text), "\n")
	require.Contains(t, last[len(last)-1], "verify     passed: ", "the program ends with the proof of its books")
	for _, r := range rep.rows {
		how := r.order.Pay[0].How
		require.Equal(t, how != "", len(r.second) > 0, "%s: what the second press showed is kept", r.order.Number)
		if how != "" {
			require.Equal(t, r.payment().Next().Text(r.order.Language), r.second[len(r.second)-1].text,
				"%s: the second press ends at the same payment", r.order.Number)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "database") { // a path is as long as it is
			require.LessOrEqual(t, screen(line), columns+2, line) // a closing mark may stand over the edge
		}
	}
	require.NotContains(t, text, "verloren", "a payer never reads that a card is reported lost")
}

func decimals(a money.Amount) int32 {
	exp, _ := a.Currency().Exponent()
	return int32(exp)
}

// With a test key the program asks Stripe's test mode, here played by a sandbox
// that it does not know of: no control call, no webhook.
func TestTestMode(t *testing.T) {
	t.Parallel()
	bank, err := sandbox.Start(sandbox.Options{})
	require.NoError(t, err)
	defer bank.Close()
	rep, text := play(t, settings{key: bank.Stripe.SecretKey, url: bank.Stripe.URL})
	require.Contains(t, text, "Stripe's test mode")
	require.Zero(t, rep.webhooks.all)
	waiting := 0
	for _, r := range rep.rows {
		if r.order.Pay[0].OneClick && r.refused != "" {
			continue // the card was to be kept after a challenge that nobody passed
		}
		p := r.payment()
		require.NotNil(t, p, "%s: %s", r.order.Number, r.refused)
		if r.order.Pay[0].Challenge == "" {
			continue
		}
		if p.Status == payment.StatusRequiresAction {
			waiting++
			require.NotNil(t, p.Next().Action, "%s: the table shows what the payer must do", r.order.Number)
		}
	}
	require.GreaterOrEqual(t, waiting, 8)
	require.Contains(t, text, "requires_action (challenge)")
	require.Contains(t, text, "requires_action (qr)")
	require.Contains(t, text, "US-1004      $899.00  captured")
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "short", strings.Repeat("word ", 60), strings.Repeat("字", 200), strings.Repeat("お支払い、", 60),
		strings.Repeat("字 word。", 40), strings.Repeat("x", 300)} {
		lines := wrap("! label: ", text)
		require.True(t, strings.HasPrefix(lines[0], "! label:"))
		var back strings.Builder
		for i, l := range lines {
			require.LessOrEqual(t, screen(under+l), columns+2, "a closing mark may stand over the edge: %s", l)
			if i > 0 {
				require.True(t, strings.HasPrefix(l, "    "), l)
				require.NotContains(t, "。、", string([]rune(strings.TrimSpace(l))[0]), "no line begins with a closing mark")
			}
			back.WriteString(strings.TrimSpace(l))
		}
		squeeze := strings.NewReplacer(" ", "")
		require.Equal(t, squeeze.Replace("! label: "+text), squeeze.Replace(back.String()), "nothing is lost")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for key, ok := range map[string]bool{
		"": true, "sk_test_123": true, "rk_test_123": true,
		"sk_live_123": false, "rk_live_123": false, "pk_test_123": false, "whsec_1": false, "nonsense": false,
	} {
		err := checkKey(key)
		require.Equal(t, ok, err == nil, key)
		if err != nil {
			_, err = run(t.Context(), settings{key: key, db: filepath.Join(t.TempDir(), "never.db")}, new(bytes.Buffer))
			require.Error(t, err)
			if key != "" {
				require.NotContains(t, err.Error(), key, "a key is never printed")
			}
		}
	}
	require.ErrorContains(t, checkKey("sk_live_123"), "live key")
}

func TestNewFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	got, err := newFile(path)
	require.NoError(t, err)
	require.Equal(t, path, got)
	_, err = newFile("main.go")
	require.ErrorContains(t, err, "there already")
}

// The file of orders shows what it promises to show.
func TestOrders(t *testing.T) {
	t.Parallel()
	orders, err := readOrders()
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(orders), 30)
	seen := map[string]bool{}
	numbers := map[string]bool{}
	for _, o := range orders {
		require.False(t, numbers[o.Number], "%s comes twice", o.Number)
		numbers[o.Number] = true
		require.NoError(t, o.Amount.Check())
		require.True(t, strings.HasSuffix(o.Email, "@example.com"), "made-up people have made-up addresses")
		seen[string(o.Amount.Currency())] = true
		seen["guest"] = seen["guest"] || o.Customer == ""
		seen["customer"] = seen["customer"] || o.Customer != ""
		seen["manual"] = seen["manual"] || o.Capture == payment.CaptureManual
		seen["automatic"] = seen["automatic"] || o.Capture == payment.CaptureAutomatic
		for _, p := range o.Pay {
			seen["one click"] = seen["one click"] || p.OneClick
			seen["save"] = seen["save"] || p.Save
			seen[p.How], seen[p.Fault], seen[p.Challenge], seen[string(p.Method)] = true, true, true, true
			seen["expired"] = seen["expired"] || strings.Contains(p.Token, "Expired")
		}
		for _, a := range o.Then {
			seen[a.Do] = true
			if a.Amount != nil {
				seen["part "+a.Do] = true
			}
		}
	}
	for _, want := range []string{"USD", "EUR", "JPY", "KWD", "CNY", "guest", "customer", "manual", "automatic", "one click", "save",
		"double_submit", "two_tabs", "answer_lost", "pass", "fail", "leave", "expired", "card", "ideal", "alipay", "wechatpay",
		"capture", "part capture", "refund", "part refund", "void", "cancel"} {
		require.True(t, seen[want], "no order shows: %s", want)
	}
}
