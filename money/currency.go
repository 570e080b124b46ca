package money

import "slices"

// Currency is an ISO 4217 alphabetic code in upper case, such as money.USD.
// The zero value is no currency at all. Any string converts, so a Currency
// from outside goes through ParseCurrency, or Valid is asked.
type Currency string

// ParseCurrency returns the currency of a three-letter code in any letter case
// (Stripe writes "usd"). It refuses everything that is not in ISO 4217 List
// One with ErrUnknownCurrency; spaces are not trimmed. A code without a minor
// unit (XAU) parses, but no amount can be held in it: see Currency.Exponent.
func ParseCurrency(s string) (Currency, error) {
	if c := upper(s); c.Valid() {
		return c, nil
	}
	return "", unknownCurrency("parse", Currency(s))
}

// Valid reports whether c is an active code of ISO 4217 List One, in upper case.
func (c Currency) Valid() bool {
	_, ok := table[c]
	return ok
}

// Exponent returns the number of decimals of c's minor unit as ISO 4217 gives
// it: 2 for USD, 0 for JPY, 3 for KWD. It returns 0, false for an unknown code
// and for a code without a minor unit. Providers may count differently: see
// Exponents.
func (c Currency) Exponent() (int, bool) {
	row, ok := table[c]
	if !ok || row.exponent == noMinorUnit {
		return 0, false
	}
	return int(row.exponent), true
}

// Number returns the three-digit ISO 4217 numeric code with its leading zeros
// ("036" for AUD), or "" for an unknown code.
func (c Currency) Number() string { return table[c].number }

// Name returns the English name of c from ISO 4217, or "" for an unknown code.
// It is not translated.
func (c Currency) Name() string { return table[c].name }

// String returns the code.
func (c Currency) String() string { return string(c) }

// Check returns nil if amounts can be held in c. Otherwise it returns
// ErrUnknownCurrency or ErrNoMinorUnit.
func (c Currency) Check() error {
	_, err := c.exponent("check")
	return err
}

// Currencies returns every active code of ISO 4217 List One in alphabetical
// order, those without a minor unit included. The caller owns the slice.
func Currencies() []Currency {
	all := make([]Currency, 0, len(table))
	for c := range table {
		all = append(all, c)
	}
	slices.Sort(all)
	return all
}

// exponent is Exponent with an error that says why there is none.
func (c Currency) exponent(op string) (int, error) {
	row, ok := table[c]
	if !ok {
		return 0, unknownCurrency(op, c)
	}
	if row.exponent == noMinorUnit {
		return 0, fail(ErrNoMinorUnit, op, "currency", string(c),
			"%s (%s) has no minor unit, so nothing can be paid in it; use a payable currency", c, row.name)
	}
	return int(row.exponent), nil
}

// unknownCurrency explains a code that is not in the table.
func unknownCurrency(op string, c Currency) error {
	s := string(c)
	folded := upper(s)
	switch {
	case c == "":
		return fail(ErrUnknownCurrency, op, "currency", "", "the currency is missing; give an ISO 4217 code such as USD")
	case folded.Valid():
		return fail(ErrUnknownCurrency, op, "currency", s, "codes are in upper case here; write %s", folded)
	}
	if next, ok := withdrawn[folded]; ok {
		return fail(ErrUnknownCurrency, op, "currency", s,
			"the code was withdrawn from ISO 4217; convert to its successor %s at the official rate", next)
	}
	return fail(ErrUnknownCurrency, op, "currency", s, "not an active ISO 4217 code; give three letters such as USD")
}

// upper folds a three-letter code to upper case. Only ASCII letters fold:
// strings.ToUpper would make an S of the long s, too. Anything else is returned
// as the empty Currency.
func upper(s string) Currency {
	if len(s) != 3 {
		return ""
	}
	b := [3]byte([]byte(s))
	for i, ch := range b {
		if 'a' <= ch && ch <= 'z' {
			b[i] = ch - 'a' + 'A'
		}
	}
	return Currency(b[:])
}
