package stripe

import (
	"fmt"
	"strings"
)

// Zero- and three-decimal currencies, and the charge limits:
// https://docs.stripe.com/currencies
var zeroDecimal = words("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf")
var threeDecimal = words("bhd jod kwd omr tnd")

// twoDecimal lists the other presentment currencies.
var twoDecimal = words("usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl hrk htg huf idr ils inr isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx uyu uzs wst xcd yer zar zmw")

// minimum is the least amount that can be charged, in minor units.
var minimum = map[string]int64{
	"usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
	"gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "pln": 200,
	"ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}

// maxAmount is the most that can be charged: twelve digits for IDR, eight else.
func maxAmount(cur string) int64 {
	if cur == "idr" {
		return 999_999_999_999
	}
	return 99_999_999
}

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// checkCurrency returns the currency in lower case.
func checkCurrency(raw string) (string, *apiError) {
	cur := strings.ToLower(raw)
	if zeroDecimal[cur] || threeDecimal[cur] || twoDecimal[cur] {
		return cur, nil
	}
	return "", invalid("", "currency", "Invalid currency: "+raw+". Stripe currently supports these currencies: see https://docs.stripe.com/currencies")
}

// checkAmount applies the limits for charging amount.
func checkAmount(amount int64, cur, param string) *apiError {
	switch {
	case amount < 1:
		return invalid("parameter_invalid_integer", param, "This value must be greater than or equal to 1.")
	case amount > maxAmount(cur):
		return invalid("amount_too_large", param, "Amount must be no more than "+display(maxAmount(cur), cur))
	case threeDecimal[cur] && amount%10 != 0:
		return invalid("invalid_charge_amount", param, "Invalid amount: three-decimal currencies must be rounded to the nearest ten, so that the last digit is 0.")
	case (cur == "isk" || cur == "ugx") && amount%100 != 0: // kept as two-decimal for old integrations, always ending in 00
		return invalid("invalid_charge_amount", param, "Invalid amount: "+strings.ToUpper(cur)+" has no decimals; the last two digits must be 00.")
	case amount < minimum[cur]:
		return invalid("amount_too_small", param, "Amount must be at least "+display(minimum[cur], cur))
	}
	return nil
}

// display writes an amount for a message.
func display(amount int64, cur string) string {
	symbol := map[string]string{"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}[cur]
	if symbol == "" {
		symbol = strings.ToUpper(cur) + " "
	}
	switch {
	case zeroDecimal[cur]:
		return fmt.Sprintf("%s%d", symbol, amount)
	case threeDecimal[cur]:
		return fmt.Sprintf("%s%d.%03d", symbol, amount/1000, amount%1000)
	}
	return fmt.Sprintf("%s%d.%02d", symbol, amount/100, amount%100)
}
