// Package money holds amounts of money as int64 minor units of an ISO 4217
// currency, and refuses to lose any of it: arithmetic is checked for overflow
// and for mixed currencies, a split adds up to the whole, rounding happens only
// where a mode is named, and no float appears anywhere.
//
// An Amount is made from minor units or from text:
//
//	money.Of(1999, money.USD)          // 19.99 USD
//	money.Of(1999, money.JPY)          // 1999 JPY: the yen has no minor unit
//	money.Parse("19.99", money.USD)    // refuses "19.999", "1,999" and "2e1"
//
// JSON, text and SQL encodings are exact in both directions and refuse what
// they would not have written themselves. Providers that count in other units
// than ISO 4217 are served by Exponents and ProviderUnits.
//
// Every value in this package may be copied and used by several goroutines.
package money

import (
	"log/slog"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// Amount is a signed number of minor units of one currency. Equal amounts are
// equal under ==, and Amount can be a map key.
//
// The zero value is no amount: zero units of no currency. It is not equal to
// Zero(USD), does not encode, and Check refuses it.
type Amount struct {
	minor    int64
	currency Currency
}

// Of returns minor units of c in c's ISO 4217 exponent: Of(1999, USD) is 19.99
// USD and Of(1999, JPY) is 1999 JPY. It does not validate; see Amount.Check.
func Of(minor int64, c Currency) Amount { return Amount{minor, c} }

// Zero returns no money in c. It does not validate; see Amount.Check.
func Zero(c Currency) Amount { return Amount{0, c} }

// Minor returns the number of minor units (cents, fen, yen).
func (a Amount) Minor() int64 { return a.minor }

// Currency returns the currency; it is empty for the zero Amount.
func (a Amount) Currency() Currency { return a.currency }

// IsZero reports whether a is zero units of whatever currency. The omitzero
// option of encoding/json asks it too, and so would drop 0.00 USD together
// with its currency: leave omitzero off, or use *Amount.
func (a Amount) IsZero() bool { return a.minor == 0 }

// IsPositive reports whether a is more than zero.
func (a Amount) IsPositive() bool { return a.minor > 0 }

// IsNegative reports whether a is less than zero.
func (a Amount) IsNegative() bool { return a.minor < 0 }

// Check returns nil if a is in a currency that amounts can be held in, else
// ErrUnknownCurrency or ErrNoMinorUnit. Any number of minor units is fine.
func (a Amount) Check() error {
	_, err := a.currency.exponent("check amount")
	return err
}

// Decimal returns the value in major units: 19.99 for Of(1999, USD). Where
// Check fails there is no exponent, and the minor units are returned as they
// are.
func (a Amount) Decimal() decimal.Decimal {
	exp, _ := a.currency.Exponent()
	return decimal.New(a.minor, int32(-exp)) // exp is 0 to 4
}

// String returns the value with all decimals of the currency, a space and the
// code: "19.99 USD", "1999 JPY", "-1.250 KWD". ParseAmount reads it back. Where
// Check fails the text says so and cannot be read back.
func (a Amount) String() string {
	exp, ok := a.currency.Exponent()
	switch {
	case ok:
		return plain(a.minor, exp) + " " + string(a.currency)
	case a.currency == "":
		return strconv.FormatInt(a.minor, 10) + " (no currency)"
	default:
		return strconv.FormatInt(a.minor, 10) + " minor units of " + strconv.Quote(clip(string(a.currency)))
	}
}

// LogValue makes slog print an amount as its String.
func (a Amount) LogValue() slog.Value { return slog.StringValue(a.String()) }

// magnitude returns the absolute value of x; it is exact for math.MinInt64.
func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x) // two's complement: also right for MinInt64
	}
	return uint64(x)
}

// signed is the way back from magnitude. ok is false when the value does not
// fit into int64.
func signed(m uint64, negative bool) (x int64, ok bool) {
	const top = uint64(1) << 63
	switch {
	case negative && m <= top:
		return -int64(m), true // for m == top: int64(m) is MinInt64, as is its negation
	case !negative && m < top:
		return int64(m), true
	}
	return 0, false
}

// digits splits minor units into sign, whole and fraction digits.
func digits(minor int64, exp int) (negative bool, whole, fraction string) {
	s := strconv.FormatUint(magnitude(minor), 10)
	if pad := exp + 1 - len(s); pad > 0 {
		s = strings.Repeat("0", pad) + s
	}
	return minor < 0, s[:len(s)-exp], s[len(s)-exp:]
}

// plain writes minor units as a plain decimal with exactly exp decimals.
func plain(minor int64, exp int) string {
	negative, whole, fraction := digits(minor, exp)
	s := whole
	if exp > 0 {
		s += "." + fraction
	}
	if negative {
		s = "-" + s
	}
	return s
}
