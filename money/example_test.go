package money_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/tender-go/payment/money"
)

func Example() {
	price := money.Of(1999, money.USD) // minor units: 19.99 USD
	total, err := price.Mul(3)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(total, "is", total.Minor(), "cents")

	_, err = total.Add(money.Of(500, money.EUR))
	fmt.Println(err)
	fmt.Println(errors.Is(err, money.ErrCurrencyMismatch))
	// Output:
	// 59.97 USD is 5997 cents
	// money: add: the amounts are in USD and EUR; convert one of them first
	// true
}

func ExampleParse() {
	a, err := money.Parse("19.99", money.USD)
	fmt.Println(a, err)
	_, err = money.Parse("19.999", money.USD)
	fmt.Println(err)
	_, err = money.Parse("1,999.00", money.USD)
	fmt.Println(err)
	// Output:
	// 19.99 USD <nil>
	// money: parse "19.999": it has 3 decimals, but USD has 2; round it first, or check the currency
	// money: parse "1,999.00": not a plain decimal; write it like "-1234.50", without spaces, grouping marks, plus sign or exponent
}

func ExampleParseCurrency() {
	c, err := money.ParseCurrency("kwd")
	exp, _ := c.Exponent()
	fmt.Println(c, c.Number(), c.Name(), exp, err)
	_, err = money.ParseCurrency("BGN")
	fmt.Println(err)
	// Output:
	// KWD 414 Kuwaiti Dinar 3 <nil>
	// money: parse currency "BGN": the code was withdrawn from ISO 4217; convert to its successor EUR at the official rate
}

func ExampleAmount_Allocate() {
	// Two sellers and the platform share a payment 60 : 30 : 10.
	parts, err := money.Of(1001, money.EUR).Allocate(60, 30, 10)
	fmt.Println(parts, err)
	// Output: [6.01 EUR 3.00 EUR 1.00 EUR] <nil>
}

func ExampleAmount_AllocateOver() {
	// What two sellers still hold of an order, and a partial refund over it.
	held := []money.Amount{money.Of(601, money.EUR), money.Of(300, money.EUR)}
	refund, err := money.Of(100, money.EUR).AllocateOver(held)
	fmt.Println(refund, err)

	_, err = money.Of(902, money.EUR).AllocateOver(held)
	fmt.Println(err)
	// Output:
	// [0.67 EUR 0.33 EUR] <nil>
	// money: allocate over remaining amount "9.02 EUR": only 9.01 EUR is left; ask for that much or less
}

func ExampleAmount_MulRate() {
	net := money.Of(1999, money.EUR)
	tax, err := net.MulRate(decimal.RequireFromString("0.19"), money.HalfUp)
	fmt.Println(tax, err)
	// Output: 3.80 EUR <nil>
}

func ExampleAmount_MulRatio() {
	gross := money.Of(11900, money.EUR)
	tax, err := gross.MulRatio(19, 119, money.HalfUp) // the tax inside a gross price
	fmt.Println(tax, err)
	// Output: 19.00 EUR <nil>
}

func ExampleAmount_Format() {
	a := money.Of(123450, money.EUR)
	for _, lang := range []string{"en", "de", "fr", "es", "pt-BR"} {
		fmt.Printf("%+q\n", a.Format(lang))
	}
	fmt.Println(money.Of(1999, money.JPY).Format("en"), money.Of(1999, money.CNY).Format("zh-CN"))
	// Output:
	// "\u20ac1,234.50"
	// "1.234,50\u00a0\u20ac"
	// "1\u202f234,50\u00a0\u20ac"
	// "1234,50\u00a0\u20ac"
	// "\u20ac\u00a01.234,50"
	// ¥1,999 ¥19.99
}

func ExampleAmount_MarshalJSON() {
	data, err := json.Marshal(money.Of(1999, money.USD))
	fmt.Println(string(data), err)

	var a money.Amount
	fmt.Println(json.Unmarshal([]byte(`{"value":19.99,"currency":"USD"}`), &a))
	// Output:
	// {"value":"19.99","currency":"USD"} <nil>
	// money: decode JSON value: it must be a JSON string, such as "19.99": numbers lose digits on the way
}

func ExampleProviderUnits() {
	provider := money.ProviderUnits{
		Exponents: money.Exponents{money.UGX: 2, money.HUF: 0}, // where it differs from ISO 4217
		Multiple:  map[money.Currency]int64{money.KWD: 10},
	}
	units, err := provider.ToUnits(money.Of(5000, money.UGX)) // 5000 UGX
	fmt.Println(units, err)
	back, err := provider.FromUnits(units, money.UGX)
	fmt.Println(back, err)
	_, err = provider.ToUnits(money.Of(1999, money.HUF))
	fmt.Println(err)
	_, err = provider.ToUnits(money.Of(1255, money.KWD))
	fmt.Println(err)
	// Output:
	// 500000 <nil>
	// 5000 UGX <nil>
	// money: convert to provider units "19.99 HUF": this provider takes HUF with 0 decimals; use a multiple of 1.00 HUF
	// money: convert to provider units "1.255 KWD": this provider takes KWD in multiples of 10 of its units, and this is 1255; round the price first
}
