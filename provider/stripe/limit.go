package stripe

import (
	"strconv"
	"strings"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// The most that one payment can be, in Stripe's units: twelve digits for IDR,
// eight for every other currency. What a card network or a wallet allows can be
// less, and is theirs to refuse.
//
// Source: docs.stripe.com/currencies, "Minimum and maximum charge amounts". The
// minimum there goes by the account's settlement currency, which is not known
// here.
const (
	mostUnits  = 99_999_999
	mostRupiah = 999_999_999_999
)

// presentment are the currencies that Stripe charges in. Source:
// docs.stripe.com/currencies, "Supported presentment currencies", and the three-decimal ones; without ANG, BGN
// and STD, which are no longer money.
var presentment = strings.Fields(`USD AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BWP
	BYN BZD CAD CDF CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF
	IDR ILS INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN
	MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD
	SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW`)

func mostOf(c money.Currency) int64 {
	if c == money.IDR {
		return mostRupiah
	}
	return mostUnits
}

// limits lists the most per currency in minor units, of the given currencies or
// of all that Stripe charges in.
func limits(of []money.Currency) map[money.Currency]int64 {
	if of == nil {
		for _, c := range presentment {
			of = append(of, money.Currency(c))
		}
	}
	most := make(map[money.Currency]int64, len(of))
	for _, c := range of {
		// The greatest that Stripe can be told: not all units are amounts.
		for _, step := range []int64{1, 10, 100} {
			a, err := units.FromUnits(mostOf(c)/step*step, c)
			if err == nil {
				_, err = units.ToUnits(a)
			}
			if err == nil {
				most[c] = a.Minor()
				break
			}
		}
	}
	return most
}

// checkUnits refuses an amount that Stripe could never take, in its units.
func (p *Provider) checkUnits(step string, a money.Amount) (int64, *payment.CallError) {
	n, err := units.ToUnits(a)
	switch {
	case err != nil:
		return 0, p.notSent(step, "Amount", err.Error())
	case n <= 0:
		return 0, p.notSent(step, "Amount", "is not more than zero")
	case n > mostOf(a.Currency()):
		return 0, p.notSent(step, "Amount", "has more than the "+strconv.Itoa(len(strconv.FormatInt(mostOf(a.Currency()), 10)))+" digits that Stripe takes: split it into several payments")
	}
	return n, nil
}

// leastDescriptor is the least that a whole statement descriptor has; of a card's
// it is only the end.
//
// Source: docs.stripe.com/get-started/account/statement-descriptors,
// "Requirements": 5 to 22 characters, Latin only, at least one letter (in prefix
// and suffix each), none of < > \ ' " *.
const leastDescriptor = 5

// checkDescriptor says what is wrong with a label, "" if nothing is. What can be
// left out of it is no fault: see descriptor.
func checkDescriptor(s, kind string) string {
	label := descriptor(s)
	switch {
	case label == "":
		return ""
	case !strings.ContainsFunc(label, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }):
		return "has no letter, which Stripe wants in it: put a word before the number"
	case len(label) < leastDescriptor && kind != "card" && kind != "card_present":
		return "is shorter than the 5 characters that Stripe wants for this method"
	}
	return ""
}
