package stripe

import (
	"strings"

	"github.com/tender-go/payment/money"
)

// units is how Stripe counts money where that differs from ISO 4217.
//
// Source: docs.stripe.com/currencies, "Zero-decimal currencies" (MGA, which has
// two decimals in ISO), "Special cases" (ISK and UGX have none, but are written
// with two, always 00) and "Three-decimal currencies" (the last digit must be
// 0). HUF and TWD count two decimals in payments, as in ISO; only payouts take
// whole units.
var units = money.ProviderUnits{
	Exponents: money.Exponents{money.ISK: 2, money.UGX: 2, money.MGA: 0},
	Multiple:  map[money.Currency]int64{money.BHD: 10, money.JOD: 10, money.KWD: 10, money.OMR: 10, money.TND: 10},
}

// amountOf reads an amount that Stripe names.
func amountOf(n int64, currency string) (money.Amount, error) {
	c, err := money.ParseCurrency(currency)
	if err != nil {
		return money.Amount{}, err
	}
	return units.FromUnits(n, c)
}

// code is how Stripe writes a currency.
func code(c money.Currency) string { return strings.ToLower(string(c)) }
