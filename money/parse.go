package money

import (
	"math/bits"
	"strings"

	"github.com/shopspring/decimal"
)

// Parse reads a plain decimal in major units of c: an optional '-', digits, and
// optionally a point with more digits ("19.99", "5", "-0.5"). Fewer decimals
// than c has are fine, and so are leading zeros.
//
// It refuses with ErrExponent more decimals than c has, even zeros, since a
// third decimal on a dollar price says that the text is not what it seems; with
// ErrSyntax everything else that is not plain: empty text, spaces, '+',
// grouping marks, a decimal comma, exponents, NaN, digits of other scripts;
// with ErrOverflow what does not fit; and with ErrUnknownCurrency or
// ErrNoMinorUnit a currency that cannot hold an amount.
func Parse(s string, c Currency) (Amount, error) {
	return parse("parse", s, c)
}

// ParseAmount reads what Amount.String writes: a decimal as in Parse, one
// space, and the code in upper case: "19.99 USD".
func ParseAmount(s string) (Amount, error) {
	return parseAmount("parse amount", s)
}

// FromDecimal returns d major units of c. It never rounds: a value with more
// decimals than c has is refused with ErrExponent, though trailing zeros are
// dropped first. It also returns ErrOverflow, ErrUnknownCurrency and
// ErrNoMinorUnit. To round, see RoundDecimal.
func FromDecimal(d decimal.Decimal, c Currency) (Amount, error) {
	const op = "from decimal"
	exp, err := c.exponent(op)
	if err != nil {
		return Amount{}, err
	}
	minor, exact, ok := scale(1, d, exp, TowardZero)
	switch {
	case !ok:
		return Amount{}, tooLarge(op, "", c)
	case !exact:
		return Amount{}, fail(ErrExponent, op, "", "",
			"the value has more than the %d decimals of %s; round it with RoundDecimal first", exp, c)
	}
	return Amount{minor, c}, nil
}

// RoundDecimal returns d major units of c, rounded to a whole minor unit by
// mode. It returns ErrOverflow, ErrUnknownCurrency, ErrNoMinorUnit, or
// ErrArgument for a mode that is not set.
func RoundDecimal(d decimal.Decimal, c Currency, mode Rounding) (Amount, error) {
	const op = "round decimal"
	exp, err := c.exponent(op)
	if err != nil {
		return Amount{}, err
	}
	if err := mode.check(op); err != nil {
		return Amount{}, err
	}
	minor, _, ok := scale(1, d, exp, mode)
	if !ok {
		return Amount{}, tooLarge(op, "", c)
	}
	return Amount{minor, c}, nil
}

func parseAmount(op, s string) (Amount, error) {
	value, code, ok := strings.Cut(s, " ")
	if !ok {
		return Amount{}, fail(ErrSyntax, op, "", s, `want a value, a space and a currency, such as "19.99 USD"`)
	}
	return parse(op, value, Currency(code))
}

func parse(op, s string, c Currency) (Amount, error) {
	exp, err := c.exponent(op)
	if err != nil {
		return Amount{}, err
	}
	n, err := scan(op, s)
	if err != nil {
		return Amount{}, err
	}
	if len(n.fraction) > exp {
		return Amount{}, fail(ErrExponent, op, "", s, "it has %d decimals, but %s has %d; round it first, or check the currency",
			len(n.fraction), c, exp)
	}
	return n.amount(op, s, c, exp)
}

// number is a plain decimal taken apart; whole and fraction are ASCII digits.
type number struct {
	negative        bool
	whole, fraction string
}

// scan takes a plain decimal apart, or says what is wrong with it.
func scan(op, s string) (number, error) {
	if s == "" {
		return number{}, fail(ErrSyntax, op, "", "", `the value is empty; give a plain decimal such as "19.99"`)
	}
	rest, negative := strings.CutPrefix(s, "-")
	whole, fraction, point := strings.Cut(rest, ".")
	if !allDigits(whole) || point && !allDigits(fraction) {
		return number{}, fail(ErrSyntax, op, "", s,
			`not a plain decimal; write it like "-1234.50", without spaces, grouping marks, plus sign or exponent`)
	}
	return number{negative, whole, fraction}, nil
}

// amount joins the digits as minor units of c; there are at most exp decimals.
func (n number) amount(op, s string, c Currency, exp int) (Amount, error) {
	var m uint64
	for _, part := range [...]string{n.whole, n.fraction, strings.Repeat("0", exp-len(n.fraction))} {
		for i := range len(part) {
			hi, lo := bits.Mul64(m, 10)
			sum, carry := bits.Add64(lo, uint64(part[i]-'0'), 0)
			if hi|carry != 0 {
				return Amount{}, tooLarge(op, s, c)
			}
			m = sum
		}
	}
	minor, ok := signed(m, n.negative)
	if !ok {
		return Amount{}, tooLarge(op, s, c)
	}
	return Amount{minor, c}, nil
}

func tooLarge(op, s string, c Currency) error {
	return fail(ErrOverflow, op, "", s, "the value does not fit into 64-bit minor units of %s; check it", c)
}

// allDigits reports whether s is one or more of 0 to 9.
func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
