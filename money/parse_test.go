package money

import (
	"errors"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		c    Currency
		want int64
	}{
		{"19.99", USD, 1999}, {"19.9", USD, 1990}, {"19", USD, 1900}, {"0", USD, 0}, {"0.00", USD, 0},
		{"-19.99", USD, -1999}, {"-0.5", USD, -50}, {"-0", USD, 0}, {"007.50", USD, 750},
		{"1999", JPY, 1999}, {"1.25", KWD, 1250}, {"1.250", KWD, 1250}, {"0.0001", UYW, 1},
		{"92233720368547758.07", USD, 9223372036854775807},
		{"-92233720368547758.08", USD, -9223372036854775808},
		{"9223372036854775807", JPY, 9223372036854775807},
		{strings.Repeat("0", 1000) + "1", JPY, 1},
	} {
		got, err := Parse(tc.in, tc.c)
		require.NoError(t, err, tc.in)
		require.Equal(t, Of(tc.want, tc.c), got, tc.in)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind error
		c    Currency
		in   []string
	}{
		{ErrSyntax, USD, []string{
			"", " ", "-", "+", ".", "-.", "+1", "--1", "1-", "- 1", " 1", "1 ", "1\n", "\t1", ".5", "5.", "-.5", "1..2", "1.2.3",
			"1,999", "1,99", "1 999", "1'999", "1_000", "1e3", "1E3", "0x10", "1.5e1", "NaN", "nan", "Inf", "-Inf", "infinity",
			"$1", "1$", "1.00 USD", "(1.00)", "\u0661\u0662", "\uff11", "1\u00a0000", "\u22121", "1\x00", "\xff", "0b1", "1/2", "%d",
		}},
		{ErrExponent, USD, []string{"19.999", "19.990", "0.000", "1." + strings.Repeat("0", 100000)}},
		{ErrExponent, JPY, []string{"1999.0", "1999.00", "0.5"}},
		{ErrExponent, KWD, []string{"1.2500"}},
		{ErrOverflow, USD, []string{"92233720368547758.08", "-92233720368547758.09", "92233720368547759", "184467440737095516.16",
			"184467440737095516.15", "99999999999999999999", strings.Repeat("9", 100000), "1" + strings.Repeat("0", 64)}},
		{ErrOverflow, JPY, []string{"9223372036854775808", "-9223372036854775809", "18446744073709551616", "18446744073709551615"}},
		{ErrUnknownCurrency, "", []string{"1", ""}},
		{ErrUnknownCurrency, "usd", []string{"1"}},
		{ErrUnknownCurrency, "BGN", []string{"1"}},
		{ErrNoMinorUnit, XAU, []string{"1"}},
		{ErrNoMinorUnit, XXX, []string{"0"}},
	} {
		for _, in := range tc.in {
			got, err := Parse(in, tc.c)
			require.ErrorIs(t, err, tc.kind, "%.40q in %s", in, tc.c)
			require.Equal(t, Amount{}, got)
			requireReadable(t, err)
		}
	}
	_, err := Parse("19.999", USD)
	require.EqualError(t, err, `money: parse "19.999": it has 3 decimals, but USD has 2; round it first, or check the currency`)
	_, err = Parse("1", XAU)
	require.EqualError(t, err, `money: parse currency "XAU": XAU (Gold) has no minor unit, so nothing can be paid in it; use a payable currency`)
}

// requireReadable states what every error of the package has to be.
func requireReadable(t require.TestingT, err error) {
	var e *Error
	require.True(t, errors.As(err, &e), "%T", err)
	require.NotNil(t, e.Err)
	require.LessOrEqual(t, len(e.Value), maxEcho+3, "foreign text is cut")
	require.Less(t, len(err.Error()), 400)
	require.NotRegexp(t, `[\x00-\x1f\x7f]`, err.Error(), "one readable line")
}

func TestParseAmount(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Amount{
		"19.99 USD": Of(1999, USD), "19.9 USD": Of(1990, USD), "1999 JPY": Of(1999, JPY), "-1.250 KWD": Of(-1250, KWD),
	} {
		got, err := ParseAmount(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got)
	}
	for in, kind := range map[string]error{
		"": ErrSyntax, "19.99": ErrSyntax, "19.99USD": ErrSyntax, "USD": ErrSyntax, "19.99 ": ErrUnknownCurrency, " USD": ErrSyntax,
		" 19.99 USD": ErrUnknownCurrency, "19.99  USD": ErrUnknownCurrency, "19.99 USD ": ErrUnknownCurrency, "19.99 usd": ErrUnknownCurrency,
		"USD 19.99": ErrUnknownCurrency, "19.99 XAU": ErrNoMinorUnit, "19.999 USD": ErrExponent, "1,999.00 USD": ErrSyntax,
		"99999999999999999999 USD": ErrOverflow, "0 (no currency)": ErrUnknownCurrency, `7 minor units of "XAU"`: ErrUnknownCurrency,
	} {
		_, err := ParseAmount(in)
		require.ErrorIs(t, err, kind, in)
		requireReadable(t, err)
	}
}

func payable() []Currency {
	var out []Currency
	for _, c := range Currencies() {
		if c.Check() == nil {
			out = append(out, c)
		}
	}
	return out
}

func anyAmount() *rapid.Generator[Amount] {
	return rapid.Custom(func(t *rapid.T) Amount {
		return Of(anyMinor().Draw(t, "minor"), rapid.SampledFrom(payable()).Draw(t, "currency"))
	})
}

func TestParseReadsString(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := anyAmount().Draw(t, "a")
		got, err := ParseAmount(a.String())
		require.NoError(t, err)
		require.Equal(t, a, got)
		got, err = FromDecimal(a.Decimal(), a.Currency())
		require.NoError(t, err)
		require.Equal(t, a, got)
		got, err = Parse(a.Decimal().String(), a.Currency())
		require.NoError(t, err, "decimal's own spelling, without trailing zeros")
		require.Equal(t, a, got)
	})
}

func TestFromDecimal(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{"19.99": 1999, "19.9900": 1999, "2e1": 2000, "-0.5": -50, "0": 0} {
		got, err := FromDecimal(decimal.RequireFromString(in), USD)
		require.NoError(t, err, in)
		require.Equal(t, Of(want, USD), got, in)
	}
	for in, kind := range map[string]error{
		"19.999": ErrExponent, "-0.001": ErrExponent, "92233720368547758.08": ErrOverflow, "1e30": ErrOverflow, "92233720368547758.071": ErrExponent,
	} {
		_, err := FromDecimal(decimal.RequireFromString(in), USD)
		require.ErrorIs(t, err, kind, in)
	}
	for c, kind := range map[Currency]error{"": ErrUnknownCurrency, XAU: ErrNoMinorUnit} {
		_, err := FromDecimal(decimal.NewFromInt(1), c)
		require.ErrorIs(t, err, kind)
		_, err = RoundDecimal(decimal.NewFromInt(1), c, HalfEven)
		require.ErrorIs(t, err, kind)
	}
	_, err := RoundDecimal(decimal.RequireFromString("1e17"), USD, HalfEven)
	require.ErrorIs(t, err, ErrOverflow)
	got, err := RoundDecimal(decimal.RequireFromString("0.0049999"), USD, HalfUp)
	require.NoError(t, err)
	require.Equal(t, Zero(USD), got)
}

var plainDecimal = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

func FuzzParse(f *testing.F) {
	for _, s := range []string{"19.99", "-0.01", "1,999", "1e3", "", "92233720368547758.07", "-92233720368547758.08", "0.000", "\u0661", "00.5"} {
		f.Add(s, "USD")
		f.Add(s, "JPY")
		f.Add(s, "UYW")
	}
	f.Fuzz(func(t *testing.T, s, code string) {
		c := Currency(code)
		a, err := Parse(s, c)
		if err != nil {
			require.Equal(t, Amount{}, a)
			requireReadable(t, err)
			return
		}
		require.NoError(t, c.Check())
		require.Regexp(t, plainDecimal, s)
		exp, _ := c.Exponent()
		r, ok := new(big.Rat).SetString(s)
		require.True(t, ok)
		r.Mul(r, new(big.Rat).SetInt(pow10(int64(exp))))
		require.Equal(t, 0, r.Cmp(new(big.Rat).SetInt64(a.Minor())), "%q is not %s", s, a)
		back, err := ParseAmount(a.String())
		require.NoError(t, err)
		require.Equal(t, a, back)
	})
}
