package stripe

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/sandbox"
	"github.com/tender-go/payment/store/memstore"
)

// The greatest amounts that Stripe takes, in minor units of ISO 4217.
func TestLimits(t *testing.T) {
	t.Parallel()
	p, err := New(Config{SecretKey: payment.NewSecret("sk_test_1")})
	require.NoError(t, err)
	for c, most := range map[money.Currency]int64{
		money.USD: 99_999_999, money.JPY: 99_999_999, money.IDR: 999_999_999_999,
		money.KWD: 99_999_990,    // the last digit is 0
		money.ISK: 999_999,       // written with two decimals that are 00
		money.UGX: 999_999,       // likewise
		money.MGA: 9_999_999_900, // whole units there, two decimals in ISO
	} {
		require.Equal(t, most, p.caps.Methods[payment.MethodCard].Max[c], c)
		r := payment.AuthorizeRequest{Method: payment.Card("pm_card_visa"), Amount: money.Of(most, c)}
		require.NoError(t, p.Validate(r), c)
		if _, err := units.ToUnits(money.Of(most+1, c)); err == nil {
			r.Amount = money.Of(most+1, c)
			var fe *payment.FieldError
			require.ErrorAs(t, p.Validate(r), &fe, c)
			require.Equal(t, "Amount", fe.Field)
		}
	}
	// Each currency of Stripe's list is one that we know, with its limit.
	for _, c := range presentment {
		require.True(t, money.Currency(c).Valid(), c)
		require.Positive(t, p.caps.Methods[payment.MethodCard].Max[money.Currency(c)], c)
	}
	require.Equal(t, map[money.Currency]int64{money.EUR: 99_999_999}, p.caps.Methods[payment.MethodIDEAL].Max)
	// One that no list names is refused all the same.
	require.Error(t, p.Validate(payment.AuthorizeRequest{Method: payment.Card("pm_card_visa"), Amount: money.Of(100_000_000, "XDR")}))
}

func TestDescriptorsThatStripeRefuses(t *testing.T) {
	t.Parallel()
	p, err := New(Config{SecretKey: payment.NewSecret("sk_test_1")})
	require.NoError(t, err)
	for label, want := range map[string]string{
		"": "", "VASES 7": "", "A1": "", "12345": "no letter", "# 77-1": "no letter",
	} {
		err := p.Validate(payment.AuthorizeRequest{Method: payment.Card("pm_card_visa"), Amount: money.Of(1000, money.USD), Descriptor: label})
		if want == "" {
			require.NoError(t, err, label)
			continue
		}
		var fe *payment.FieldError
		require.ErrorAs(t, err, &fe, label)
		require.Equal(t, "Descriptor", fe.Field)
		require.Contains(t, fe.Problem, want)
	}
	ideal := payment.AuthorizeRequest{Method: payment.Using(payment.MethodIDEAL), Amount: money.Of(1000, money.EUR), ReturnURL: "https://shop.example/back"}
	ideal.Descriptor = "VASE"
	require.ErrorContains(t, p.Validate(ideal), "5 characters")
	ideal.Descriptor = "VASES"
	require.NoError(t, p.Validate(ideal))
	_, err = New(Config{SecretKey: payment.NewSecret("sk_test_1"), Descriptor: "12345"})
	require.ErrorContains(t, err, "no letter")
}

// What Stripe could never take is refused before a payment is written or
// anything is sent.
func TestRefusedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	bank, err := sandbox.Start(sandbox.Options{})
	require.NoError(t, err)
	defer bank.Close()
	card, err := New(Config{SecretKey: payment.NewSecret(bank.Stripe.SecretKey), BaseURL: bank.Stripe.URL})
	require.NoError(t, err)
	pay, err := payment.New(payment.Config{Store: memstore.New(), Providers: []payment.Provider{card}})
	require.NoError(t, err)
	for field, change := range map[string]func(*payment.Request){
		"no more than 999999.99 USD": func(r *payment.Request) { r.Amount = money.Of(100_000_000, money.USD) },
		"Descriptor":                 func(r *payment.Request) { r.Descriptor = `V<ASES` },
		"Descriptor ":                func(r *payment.Request) { r.Descriptor = "\u82b1\u74f6 shop" },
		"Descriptor  ":               func(r *payment.Request) { r.Descriptor = "20260101" },
	} {
		r := payment.Request{Key: "k1", Reference: "order-1", Amount: money.Of(1000, money.USD), Method: payment.Card("pm_card_visa")}
		change(&r)
		_, err := pay.Pay(t.Context(), r)
		require.ErrorContains(t, err, strings.TrimSpace(field))
		var known *payment.CallError
		require.False(t, errors.As(err, &known), "nothing was asked of Stripe")
		list, err := pay.List(t.Context(), payment.PaymentQuery{})
		require.NoError(t, err)
		require.Empty(t, list, "nothing was written")
	}
	require.Empty(t, bank.Requests())
}
