package money

import (
	"math/bits"
	"strconv"
	"strings"
)

// Exponents maps currencies to the number of decimals a provider counts them
// in, for those where it differs from ISO 4217: Adyen counts CLP in hundredths
// though the peso has no minor unit, PayPal takes whole forints only. A missing
// currency, or a nil map, means the ISO exponent. Values are 0 to 18.
//
// It converts between an Amount and the provider's units in both directions,
// and never rounds: what does not fit exactly is ErrExponent. Its methods only
// read the map.
type Exponents map[Currency]int

// maxExponent bounds an override: 10^18 is the largest power of ten in int64.
const maxExponent = 18

// ToUnits returns a in the provider's units. It returns ErrExponent if a is not
// a whole number of them, ErrOverflow if they do not fit into int64,
// ErrArgument for an override out of range, ErrUnknownCurrency and
// ErrNoMinorUnit.
func (e Exponents) ToUnits(a Amount) (int64, error) {
	const op = "convert to provider units"
	iso, exp, err := e.lookup(op, a.currency)
	if err != nil {
		return 0, err
	}
	units, exact, ok := shift(a.minor, exp-iso)
	switch {
	case !ok:
		return 0, overflow(op, a)
	case !exact:
		return 0, fail(ErrExponent, op, "", a.String(), "this provider takes %s with %d decimals; use a multiple of %s",
			a.currency, exp, Amount{pow10int(iso - exp), a.currency})
	}
	return units, nil
}

// FromUnits returns the amount of c that the provider reports as units. It
// returns ErrExponent if they are not a whole number of ISO minor units,
// ErrOverflow if those do not fit into int64, ErrArgument for an override out
// of range, ErrUnknownCurrency and ErrNoMinorUnit.
func (e Exponents) FromUnits(units int64, c Currency) (Amount, error) {
	const op = "convert from provider units"
	iso, exp, err := e.lookup(op, c)
	if err != nil {
		return Amount{}, err
	}
	minor, exact, ok := shift(units, iso-exp)
	switch {
	case !ok:
		return Amount{}, fail(ErrOverflow, op, "", strconv.FormatInt(units, 10),
			"the value does not fit into 64-bit minor units of %s; check the provider's answer", c)
	case !exact:
		return Amount{}, fail(ErrExponent, op, "", strconv.FormatInt(units, 10),
			"that is a fraction of the smallest %s amount (%s); check the provider's exponent, here %d", c, Amount{1, c}, exp)
	}
	return Amount{minor, c}, nil
}

// ToDecimalString returns a as a plain decimal in major units with exactly the
// provider's decimals ("10.00", or "10" where it allows none). Errors are those
// of ToUnits.
func (e Exponents) ToDecimalString(a Amount) (string, error) {
	units, err := e.ToUnits(a)
	if err != nil {
		return "", err
	}
	_, exp, _ := e.lookup("", a.currency)
	return plain(units, exp), nil
}

// FromDecimalString reads a plain decimal in major units that the provider
// reports, in the syntax of Parse. Since money already moved cannot be refused
// for its spelling, zeros past the decimals of c are ignored ("1000.00" JPY is
// 1000 JPY); any other digit there is ErrExponent. It also returns ErrSyntax,
// ErrOverflow, ErrArgument for an override out of range, ErrUnknownCurrency and
// ErrNoMinorUnit.
func (e Exponents) FromDecimalString(s string, c Currency) (Amount, error) {
	const op = "read provider decimal"
	iso, _, err := e.lookup(op, c)
	if err != nil {
		return Amount{}, err
	}
	n, err := scan(op, s)
	if err != nil {
		return Amount{}, err
	}
	if len(n.fraction) > iso {
		if strings.Trim(n.fraction[iso:], "0") != "" {
			return Amount{}, fail(ErrExponent, op, "", s, "that is a fraction of the smallest %s amount (%s); read it as a decimal and round it on purpose",
				c, Amount{1, c})
		}
		n.fraction = n.fraction[:iso]
	}
	return n.amount(op, s, c, iso)
}

// lookup returns the ISO and the provider's exponent of c.
func (e Exponents) lookup(op string, c Currency) (iso, exp int, err error) {
	if iso, err = c.exponent(op); err != nil {
		return 0, 0, err
	}
	exp, ok := e[c]
	if !ok {
		exp = iso
	}
	if exp < 0 || exp > maxExponent {
		return 0, 0, fail(ErrArgument, op, "exponent of "+string(c), strconv.Itoa(exp), "an exponent is 0 to %d; correct the provider's table", maxExponent)
	}
	return iso, exp, nil
}

// ProviderUnits is Exponents together with a further rule that some providers
// have for what is sent to them: the number of units must be a multiple. Stripe
// counts KWD in thousandths, but takes only those that end in zero. The zero
// value is plain ISO 4217.
//
// Multiple binds only ToUnits and ToDecimalString. What a provider reports is a
// fact and is taken as it is, so FromUnits and FromDecimalString ignore it. A
// missing currency means 1; values are 1 or more.
type ProviderUnits struct {
	Exponents Exponents
	Multiple  map[Currency]int64
}

// ToUnits is Exponents.ToUnits, and returns ErrExponent if the units are not a
// multiple as the provider demands.
func (p ProviderUnits) ToUnits(a Amount) (int64, error) {
	const op = "convert to provider units"
	units, err := p.Exponents.ToUnits(a)
	if err != nil {
		return 0, err
	}
	m, ok := p.Multiple[a.currency]
	switch {
	case !ok:
		return units, nil
	case m < 1:
		return 0, fail(ErrArgument, op, "multiple of "+string(a.currency), strconv.FormatInt(m, 10), "a multiple is 1 or more; correct the provider's table")
	case units%m != 0:
		return 0, fail(ErrExponent, op, "", a.String(), "this provider takes %s in multiples of %d of its units, and this is %d; round the price first",
			a.currency, m, units)
	}
	return units, nil
}

// FromUnits is Exponents.FromUnits.
func (p ProviderUnits) FromUnits(units int64, c Currency) (Amount, error) {
	return p.Exponents.FromUnits(units, c)
}

// ToDecimalString is Exponents.ToDecimalString, and returns ErrExponent if the
// units are not a multiple as the provider demands.
func (p ProviderUnits) ToDecimalString(a Amount) (string, error) {
	if _, err := p.ToUnits(a); err != nil {
		return "", err
	}
	return p.Exponents.ToDecimalString(a)
}

// FromDecimalString is Exponents.FromDecimalString.
func (p ProviderUnits) FromDecimalString(s string, c Currency) (Amount, error) {
	return p.Exponents.FromDecimalString(s, c)
}

// shift returns x times 10^by, and for a negative by whether that was exact. ok
// is false on overflow. by is -18 to 18.
func shift(x int64, by int) (res int64, exact, ok bool) {
	if by < 0 {
		p := pow10int(-by)
		return x / p, x%p == 0, true
	}
	hi, lo := bits.Mul64(magnitude(x), uint64(pow10int(by)))
	if hi != 0 {
		return 0, false, false
	}
	res, ok = signed(lo, x < 0)
	return res, true, ok
}

// pow10int returns 10^n for n from 0 to 18.
func pow10int(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}
