package payment_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

// witness is a store that counts what is written.
type witness struct {
	payment.Store
	writes int
}

func (w *witness) Update(ctx context.Context, fn func(context.Context, payment.Tx) error) error {
	return w.Store.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return fn(ctx, &writeWitness{tx, w}) })
}

type writeWitness struct {
	payment.Tx
	w *witness
}

func (t *writeWitness) Claim(ctx context.Context, c ...payment.Claim) error {
	t.w.writes++
	return t.Tx.Claim(ctx, c...)
}

func (t *writeWitness) InsertPayment(ctx context.Context, p *payment.Payment) error {
	t.w.writes++
	return t.Tx.InsertPayment(ctx, p)
}

func (t *writeWitness) AppendEvents(ctx context.Context, e ...*payment.Event) error {
	t.w.writes++
	return t.Tx.AppendEvents(ctx, e...)
}

// everything is what a store holds, as far as a reader can tell.
func everything(t *testing.T, s *shop) string {
	t.Helper()
	list, err := s.store.Payments(s.ctx, payment.PaymentQuery{Limit: 1000})
	require.NoError(t, err)
	var full []*payment.Payment
	for _, p := range list {
		q, err := s.store.Payment(s.ctx, p.ID)
		require.NoError(t, err)
		full = append(full, q)
	}
	events, err := s.store.Events(s.ctx, payment.EventQuery{Limit: 1000})
	require.NoError(t, err)
	methods, err := s.store.Methods(s.ctx, "cust-1")
	require.NoError(t, err)
	out, err := json.Marshal([]any{full, events, methods})
	require.NoError(t, err)
	return string(out)
}

const long = 1 << 20

// badRequests is the table of what Create and Pay refuse, by the field that
// the error names.
var badRequests = []struct {
	name, field string
	change      func(r *payment.Request)
}{
	{"empty key", "Key", func(r *payment.Request) { r.Key = "" }},
	{"key with a slash", "Key", func(r *payment.Request) { r.Key = "a/b" }},
	{"key with a newline", "Key", func(r *payment.Request) { r.Key = "a\nb" }},
	{"key too long", "Key", func(r *payment.Request) { r.Key = strings.Repeat("a", 129) }},
	{"key with a NUL", "Key", func(r *payment.Request) { r.Key = "a\x00" }},
	{"empty reference", "Reference", func(r *payment.Request) { r.Reference = "" }},
	{"reference with a slash", "Reference", func(r *payment.Request) { r.Reference = "orders/1" }},
	{"reference in another script", "Reference", func(r *payment.Request) { r.Reference = "\u8ba2\u5355" }},
	{"customer that is an e-mail address", "Customer", func(r *payment.Request) { r.Customer = "ann@example.com" }},
	{"no amount", "Amount", func(r *payment.Request) { r.Amount = money.Amount{} }},
	{"zero amount", "Amount", func(r *payment.Request) { r.Amount = usd(0) }},
	{"negative amount", "Amount", func(r *payment.Request) { r.Amount = usd(-1) }},
	{"smallest amount there is", "Amount", func(r *payment.Request) { r.Amount = usd(-1 << 63) }},
	{"unknown currency", "Amount", func(r *payment.Request) { r.Amount = money.Of(100, "XYZ") }},
	{"currency in small letters", "Amount", func(r *payment.Request) { r.Amount = money.Of(100, "usd") }},
	{"no currency", "Amount", func(r *payment.Request) { r.Amount = money.Of(100, "") }},
	{"no method", "Method", func(r *payment.Request) { r.Method = payment.Instrument{} }},
	{"method in capitals", "Method.Method", func(r *payment.Request) { r.Method.Method = "CARD" }},
	{"card number as token", "Method.Token", func(r *payment.Request) { r.Method = payment.Card("4242424242424242") }},
	{"card number with spaces as token", "Method.Token", func(r *payment.Request) { r.Method = payment.Card("4242 4242 4242 4242") }},
	{"token with a newline", "Method.Token", func(r *payment.Request) { r.Method = payment.Card("tok\nX-Header: 1") }},
	{"huge token", "Method.Token", func(r *payment.Request) { r.Method = payment.Card(strings.Repeat("t", 9000)) }},
	{"card number in a field", `Method.Fields["pan"]`, func(r *payment.Request) { r.Method = r.Method.With("pan", "378282246310005") }},
	{"saved and token", "Method", func(r *payment.Request) { r.Method.Saved = "pm1" }},
	{"saved id with a slash", "Method.Saved", func(r *payment.Request) { r.Method = payment.Saved("../x") }},
	{"unknown saved method", "Method.Saved", func(r *payment.Request) { r.Method, r.Customer = payment.Saved("pm1"), "cust-1" }},
	{"unknown capture mode", "Capture", func(r *payment.Request) { r.Capture = "later" }},
	{"unknown 3DS wish", "ThreeDS", func(r *payment.Request) { r.ThreeDS = "please" }},
	{"1 MiB description", "Description", func(r *payment.Request) { r.Description = strings.Repeat("d", long) }},
	{"invalid UTF-8", "Description", func(r *payment.Request) { r.Description = "caf\xe9" }},
	{"control characters", "Description", func(r *payment.Request) { r.Description = "a\x1b[2J" }},
	{"descriptor too long", "Descriptor", func(r *payment.Request) { r.Descriptor = strings.Repeat("d", 23) }},
	{"too much metadata", "Metadata", func(r *payment.Request) {
		r.Metadata = map[string]string{}
		for i := range 51 {
			r.Metadata[fmt.Sprint(i)] = ""
		}
	}},
	{"empty metadata key", "Metadata", func(r *payment.Request) { r.Metadata = map[string]string{"": "x"} }},
	{"long metadata value", `Metadata["a"]`, func(r *payment.Request) { r.Metadata = map[string]string{"a": strings.Repeat("v", 501)} }},
	{"card number in metadata", `Metadata["note"]`, func(r *payment.Request) { r.Metadata = map[string]string{"note": "5555-5555-5555-4444"} }},
	{"relative return URL", "ReturnURL", func(r *payment.Request) { r.ReturnURL = "/return" }},
	{"return URL without TLS", "ReturnURL", func(r *payment.Request) { r.ReturnURL = "http://shop.example/return" }},
	{"return URL that is a script", "ReturnURL", func(r *payment.Request) { r.ReturnURL = "javascript://x/%0aalert(1)" }},
	{"bad IP", "Payer.IP", func(r *payment.Request) { r.Payer.IP = "1.2.3.4:99" }},
	{"bad e-mail", "Payer.Email", func(r *payment.Request) { r.Payer.Email = "ann" }},
	{"bad country", "Payer.Country", func(r *payment.Request) { r.Payer.Country = "Germany" }},
	{"bad billing country", "Payer.Billing.Country", func(r *payment.Request) { r.Payer.Billing.Country = "de" }},
	{"long name", "Payer.Name", func(r *payment.Request) { r.Payer.Name = strings.Repeat("n", 501) }},
	{"a forgotten token", "Method.Token", func(r *payment.Request) { r.Method = payment.Card("") }},
	{"a descriptor of two lines", "Descriptor", func(r *payment.Request) { r.Descriptor = "SHOP\nX" }},
	{"a language of two lines", "Payer.Language", func(r *payment.Request) { r.Payer.Language = "xx\n" }},
	{"a description that reads as another", "Description", func(r *payment.Request) { r.Description = "invoice \u202e1002" }},
	{"save for a guest", "Save", func(r *payment.Request) { r.Save = true }},
	{"splits that do not add up", "Splits", func(r *payment.Request) { r.Splits = []payment.Split{{Amount: usd(1)}} }},
	{"split in another currency", "Splits[0].Amount", func(r *payment.Request) { r.Splits = []payment.Split{{Amount: eur(100_00)}} }},
	{"negative split", "Splits[1].Amount", func(r *payment.Request) {
		r.Splits = []payment.Split{{Amount: usd(200_00)}, {Amount: usd(-100_00)}}
	}},
	{"splits over int64", "Splits", func(r *payment.Request) {
		r.Splits = []payment.Split{{Amount: usd(1<<63 - 1)}, {Amount: usd(1<<63 - 1)}}
	}},
	{"commission over its part", "Splits[0].Commission", func(r *payment.Request) {
		r.Splits = []payment.Split{{Amount: usd(100_00), Commission: usd(100_01)}}
	}},
	{"split account with a slash", "Splits[0].Account", func(r *payment.Request) { r.Splits = []payment.Split{{Account: "a/b", Amount: usd(100_00)}} }},
}

// Bad input gets an error that names the field and its remedy, and nothing is
// written: no payment, no event, no claim. Nobody is asked.
func TestBadRequest(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, inner payment.Store) {
		w := &witness{Store: inner}
		s := open(t, w, fake.Options{Record: true})
		s.mustPay(s.request("order-0"))
		before, writes, asked := everything(t, s), w.writes, len(s.bank.Requests())
		for _, c := range badRequests {
			r := s.request("order-1")
			c.change(&r)
			_, err := s.pay.Pay(s.ctx, r)
			var field *payment.FieldError
			require.ErrorAs(t, err, &field, c.name)
			require.Equal(t, c.field, field.Field, "%s: %v", c.name, err)
			require.NotEmpty(t, field.Remedy, c.name)
			require.ErrorIs(t, err, payment.ErrInvalid, c.name)
			require.NotContains(t, strings.TrimSpace(field.Error()), "\n", "one readable line")
			require.Less(t, len(field.Error()), 600, "an error does not repeat a megabyte")
			require.NotContains(t, err.Error(), "4242", "a card number is not repeated")
			if c.field == "Method" || c.name == "unknown saved method" || strings.HasPrefix(c.name, "saved") {
				continue // Create may leave the method to Proceed
			}
			_, err = s.pay.Create(s.ctx, r)
			require.ErrorIs(t, err, payment.ErrInvalid, c.name)
		}
		require.Equal(t, before, everything(t, s))
		require.Equal(t, writes, w.writes, "nothing was written, not even to be rolled back")
		require.Len(t, s.bank.Requests(), asked)
	})
}

// Several problems are named at once.
func TestBadRequestNamesAllProblems(t *testing.T) {
	t.Parallel()
	s := open(t, stores[0].open(t), fake.Options{})
	_, err := s.pay.Pay(s.ctx, payment.Request{Payer: payment.Payer{IP: "x", Country: "x"}})
	for _, field := range []string{"Key", "Reference", "Amount", "Method", "Payer.IP", "Payer.Country"} {
		require.ErrorContains(t, err, "payment: "+field+" ")
	}
}

// Bad modifications: nothing moves, the record keeps its version, and a key
// that was refused is not used up.
func TestBadModification(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, store payment.Store) {
		s := open(t, store, fake.Options{Record: true})
		held, paid := s.authorized("order-1"), s.paid("order-2")
		refund := func(id, key string, a money.Amount) error {
			_, err := s.pay.Refund(s.ctx, id, payment.RefundParams{Key: key, Amount: a})
			return err
		}
		capture := func(id, key string, a money.Amount) error {
			_, err := s.pay.Capture(s.ctx, id, payment.CaptureParams{Key: key, Amount: a})
			return err
		}
		before, asked := everything(t, s), len(s.bank.Requests())
		cases := []struct {
			name   string
			err    error
			is     error
			phrase string
		}{
			{"capture over the authorized amount", capture(held.ID, "k", usd(100_01)), payment.ErrExceeds, "100.00 USD"},
			{"capture in another currency", capture(held.ID, "k", eur(1_00)), payment.ErrInvalid, "Amount"},
			{"capture of nothing", capture(held.ID, "k", usd(0)), payment.ErrInvalid, "Amount"},
			{"negative capture", capture(held.ID, "k", usd(-5)), payment.ErrInvalid, "Amount"},
			{"capture of a sale", capture(paid.ID, "k", usd(1)), payment.ErrNotAllowed, "uncaptured"},
			{"capture without a key", capture(held.ID, "", usd(1)), payment.ErrInvalid, "Key"},
			{"capture of what is not there", capture("p00000000000000000000000", "k", usd(1)), payment.ErrNotFound, ""},
			{"refund of an uncaptured payment", refund(held.ID, "k", usd(1)), payment.ErrNotAllowed, "captured"},
			{"refund over the captured amount", refund(paid.ID, "k", usd(100_01)), payment.ErrExceeds, "100.00 USD"},
			{"negative refund", refund(paid.ID, "k", usd(-1)), payment.ErrInvalid, "Amount"},
			{"refund in another currency", refund(paid.ID, "k", eur(1)), payment.ErrInvalid, "Amount"},
			{"refund by a hostile id", refund("../"+paid.ID, "k", usd(1)), payment.ErrInvalid, "id"},
			{"refund with a hostile key", refund(paid.ID, "a\nb", usd(1)), payment.ErrInvalid, "Key"},
			{"void of a sale", second(s.pay.Void(s.ctx, paid.ID, payment.VoidParams{Key: "k"})), payment.ErrNotAllowed, "uncaptured"},
			{"cancel with a long reason", second(s.pay.Cancel(s.ctx, paid.ID, payment.CancelParams{Key: "k", Reason: strings.Repeat("r", 600)})), payment.ErrInvalid, "Reason"},
			{"transfer to nobody", second(s.pay.Transfer(s.ctx, paid.ID, payment.TransferParams{Key: "k", Amount: usd(1)})), payment.ErrInvalid, "Destination"},
			{"transfer of too much", second(s.pay.Transfer(s.ctx, paid.ID, payment.TransferParams{Key: "k", Amount: usd(100_01), Destination: "acct_1"})), payment.ErrExceeds, "100.00"},
			{"splits of a capture that do not add up", second(s.pay.Capture(s.ctx, held.ID, payment.CaptureParams{Key: "k", Amount: usd(10_00), Splits: []payment.Split{{Amount: usd(9_00)}}})), payment.ErrInvalid, "Splits"},
			{"proceed without a key", second(s.pay.Proceed(s.ctx, held.ID, payment.Choice{})), payment.ErrInvalid, "Key"},
			{"proceed with a card number", second(s.pay.Proceed(s.ctx, held.ID, payment.Choice{Key: "k", Method: payment.Card("4242424242424242")})), payment.ErrInvalid, "Method.Token"},
			{"save with a card number", second(s.pay.Save(s.ctx, payment.SaveParams{Key: "k", Customer: "cust-1", Method: payment.Card("4242424242424242")})), payment.ErrInvalid, "Method.Token"},
		}
		for _, c := range cases {
			require.ErrorIs(t, c.err, c.is, c.name)
			require.ErrorContains(t, c.err, c.phrase, c.name)
		}
		require.Equal(t, before, everything(t, s))
		require.Len(t, s.bank.Requests(), asked)
		require.NoError(t, capture(held.ID, "k", usd(10_00)), "the key is still good")
		require.NoError(t, refund(paid.ID, "k", usd(10_00)))
		require.ErrorIs(t, capture(held.ID, "k", usd(20_00)), payment.ErrKeyReused)
	})
}

func second[T any](_ T, err error) error { return err }

// An amount that is wrong for its currency does not come into being: the
// exponent is checked where text becomes money.
func TestWrongExponent(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"10.5 JPY", "1.234 USD", "1.2345 KWD", "92233720368547758.08 USD", "1e3 USD", "ten USD"} {
		_, err := money.Parse(strings.Fields(text)[0], money.Currency(strings.Fields(text)[1]))
		require.Error(t, err, text)
	}
}
