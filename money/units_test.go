package money

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Tables as adapters have them. The adapters own the real ones.
var (
	// Three-decimal currencies end in zero; ISK and UGX are counted in
	// hundredths for old times' sake.
	stripeLike = ProviderUnits{
		Exponents: Exponents{ISK: 2, UGX: 2, MGA: 0},
		Multiple:  map[Currency]int64{BHD: 10, JOD: 10, KWD: 10, OMR: 10, TND: 10},
	}
	adyenLike  = Exponents{CLP: 2, CVE: 0, IDR: 0, ISK: 2}
	paypalLike = Exponents{HUF: 0, JPY: 0, TWD: 0}
)

func TestToAndFromUnits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		p     ProviderUnits
		a     Amount
		units int64
		text  string
	}{
		{"iso", ProviderUnits{}, Of(1999, USD), 1999, "19.99"},
		{"iso", ProviderUnits{}, Of(1999, JPY), 1999, "1999"},
		{"iso", ProviderUnits{}, Of(1255, KWD), 1255, "1.255"},
		{"iso", ProviderUnits{}, Of(math.MinInt64, USD), math.MinInt64, "-92233720368547758.08"},
		{"stripe", stripeLike, Of(1999, USD), 1999, "19.99"},
		{"stripe", stripeLike, Of(5, UGX), 500, "5.00"},
		{"stripe", stripeLike, Of(-5, ISK), -500, "-5.00"},
		{"stripe", stripeLike, Of(500, MGA), 5, "5"},
		{"stripe", stripeLike, Of(1250, KWD), 1250, "1.250"},
		{"stripe", stripeLike, Zero(KWD), 0, "0.000"},
		{"stripe", stripeLike, Of(1255, IQD), 1255, "1.255"},
		{"adyen", ProviderUnits{Exponents: adyenLike}, Of(1990, CLP), 199000, "1990.00"},
		{"adyen", ProviderUnits{Exponents: adyenLike}, Of(1500000, IDR), 15000, "15000"},
		{"adyen", ProviderUnits{Exponents: adyenLike}, Of(100, CVE), 1, "1"},
		{"paypal", ProviderUnits{Exponents: paypalLike}, Of(100000, HUF), 1000, "1000"},
		{"paypal", ProviderUnits{Exponents: paypalLike}, Of(1000, JPY), 1000, "1000"},
		{"paypal", ProviderUnits{Exponents: paypalLike}, Of(1000, USD), 1000, "10.00"},
	} {
		units, err := tc.p.ToUnits(tc.a)
		require.NoError(t, err, "%s %s", tc.name, tc.a)
		require.Equal(t, tc.units, units, "%s %s", tc.name, tc.a)
		back, err := tc.p.FromUnits(units, tc.a.Currency())
		require.NoError(t, err)
		require.Equal(t, tc.a, back, "%s: there and back", tc.name)

		text, err := tc.p.ToDecimalString(tc.a)
		require.NoError(t, err)
		require.Equal(t, tc.text, text, "%s %s", tc.name, tc.a)
		back, err = tc.p.FromDecimalString(text, tc.a.Currency())
		require.NoError(t, err)
		require.Equal(t, tc.a, back, "%s: there and back", tc.name)
	}
}

func TestUnitsNeverRound(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		p    ProviderUnits
		a    Amount
		kind error
		says string
	}{
		{ProviderUnits{Exponents: paypalLike}, Of(100001, HUF), ErrExponent, "with 0 decimals; use a multiple of 1.00 HUF"},
		{ProviderUnits{Exponents: paypalLike}, Of(-1, TWD), ErrExponent, "multiple of 1.00 TWD"},
		{ProviderUnits{Exponents: adyenLike}, Of(150, IDR), ErrExponent, "multiple of 1.00 IDR"},
		{stripeLike, Of(1255, KWD), ErrExponent, "in multiples of 10 of its units, and this is 1255"},
		{stripeLike, Of(-1255, KWD), ErrExponent, "multiples of 10"},
		{stripeLike, Of(math.MaxInt64, UGX), ErrOverflow, "64-bit"},
		{stripeLike, Of(math.MaxInt64/100+1, UGX), ErrOverflow, "64-bit"},
		{stripeLike, Of(math.MinInt64, UGX), ErrOverflow, "64-bit"},
		{stripeLike, Amount{}, ErrUnknownCurrency, "missing"},
		{stripeLike, Of(1, "BGN"), ErrUnknownCurrency, "EUR"},
		{stripeLike, Of(1, XAU), ErrNoMinorUnit, "Gold"},
		{ProviderUnits{Exponents: Exponents{USD: -1}}, Of(1, USD), ErrArgument, "0 to 18"},
		{ProviderUnits{Exponents: Exponents{USD: 19}}, Of(1, USD), ErrArgument, "0 to 18"},
		{ProviderUnits{Multiple: map[Currency]int64{USD: 0}}, Of(1, USD), ErrArgument, "1 or more"},
		{ProviderUnits{Multiple: map[Currency]int64{USD: -10}}, Of(10, USD), ErrArgument, "1 or more"},
	} {
		_, err := tc.p.ToUnits(tc.a)
		require.ErrorIs(t, err, tc.kind, tc.a)
		require.ErrorContains(t, err, tc.says)
		requireReadable(t, err)
		text, err := tc.p.ToDecimalString(tc.a)
		require.ErrorIs(t, err, tc.kind, tc.a)
		require.Empty(t, text)
	}
}

func TestFromUnitsRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		e     Exponents
		units int64
		c     Currency
		kind  error
	}{
		{stripeLike.Exponents, 550, UGX, ErrExponent},
		{stripeLike.Exponents, -1, ISK, ErrExponent},
		{adyenLike, 199001, CLP, ErrExponent},
		{adyenLike, math.MaxInt64, IDR, ErrOverflow},
		{adyenLike, math.MinInt64, IDR, ErrOverflow},
		{nil, 1, "", ErrUnknownCurrency},
		{nil, 1, "usd", ErrUnknownCurrency},
		{nil, 1, XDR, ErrNoMinorUnit},
		{Exponents{USD: 99}, 1, USD, ErrArgument},
	} {
		got, err := tc.e.FromUnits(tc.units, tc.c)
		require.ErrorIs(t, err, tc.kind, "%d %s", tc.units, tc.c)
		require.Equal(t, Amount{}, got)
		requireReadable(t, err)
	}
	_, err := stripeLike.FromUnits(550, UGX)
	require.EqualError(t, err, `money: convert from provider units "550": that is a fraction of the smallest UGX amount (1 UGX); check the provider's exponent, here 2`)
}

// What a provider has moved is a fact, also where it breaks the provider's own
// rule for requests.
func TestMultipleDoesNotBindReports(t *testing.T) {
	t.Parallel()
	got, err := stripeLike.FromUnits(1255, KWD)
	require.NoError(t, err)
	require.Equal(t, Of(1255, KWD), got)
	got, err = stripeLike.FromDecimalString("1.255", KWD)
	require.NoError(t, err)
	require.Equal(t, Of(1255, KWD), got)
}

func TestFromDecimalString(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		c    Currency
		want int64
	}{
		{"10.00", USD, 1000}, {"10", USD, 1000}, {"10.0", USD, 1000}, {"10.00000", USD, 1000}, {"-0.5", USD, -50},
		{"1000", HUF, 100000}, {"1000.00", HUF, 100000}, {"1000.50", HUF, 100050}, {"1000.00", JPY, 1000}, {"0.60000", CNY, 60},
		{"1.2500", KWD, 1250}, {"-0.00", USD, 0},
	} {
		got, err := paypalLike.FromDecimalString(tc.in, tc.c)
		require.NoError(t, err, tc.in)
		require.Equal(t, Of(tc.want, tc.c), got, tc.in)
	}
	for _, tc := range []struct {
		in   string
		c    Currency
		kind error
	}{
		{"0.005", USD, ErrExponent}, {"10.0000001", USD, ErrExponent}, {"1000.50", JPY, ErrExponent}, {"0.00614", CNY, ErrExponent},
		{"", USD, ErrSyntax}, {"1,000.00", USD, ErrSyntax}, {"10.", USD, ErrSyntax}, {"1e3", USD, ErrSyntax}, {" 10", USD, ErrSyntax},
		{"99999999999999999999", USD, ErrOverflow}, {"1", "", ErrUnknownCurrency}, {"1", XTS, ErrNoMinorUnit},
		{strings.Repeat("9", 1000) + "x", USD, ErrSyntax},
	} {
		got, err := paypalLike.FromDecimalString(tc.in, tc.c)
		require.ErrorIs(t, err, tc.kind, "%.40s", tc.in)
		require.Equal(t, Amount{}, got)
		requireReadable(t, err)
	}
	_, err := Exponents{USD: -2}.FromDecimalString("1", USD)
	require.ErrorIs(t, err, ErrArgument)
}

// For every currency and every override: either exact in unbounded arithmetic
// and there and back again, or the right error.
func TestUnitsAgreeWithBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := anyAmount().Draw(t, "a")
		exp := rapid.IntRange(0, maxExponent).Draw(t, "exponent")
		iso, _ := a.Currency().Exponent()
		e := Exponents{a.Currency(): exp}
		want := new(big.Rat).SetInt64(a.Minor())
		want.Mul(want, new(big.Rat).SetFrac(pow10(int64(exp)), pow10(int64(iso))))

		units, err := e.ToUnits(a)
		switch {
		case !want.IsInt():
			require.ErrorIs(t, err, ErrExponent)
		case !want.Num().IsInt64():
			require.ErrorIs(t, err, ErrOverflow)
		default:
			require.NoError(t, err)
			require.Equal(t, want.Num().Int64(), units)
			back, err := e.FromUnits(units, a.Currency())
			require.NoError(t, err)
			require.Equal(t, a, back)
			text, err := e.ToDecimalString(a)
			require.NoError(t, err)
			back, err = e.FromDecimalString(text, a.Currency())
			require.NoError(t, err)
			require.Equal(t, a, back)
		}
	})
}

func FuzzFromDecimalString(f *testing.F) {
	for _, s := range []string{"10.00", "1000.00", "0.00614", "-1", "1e5", "", "99999999999999999999", "1.000000000000000000000"} {
		f.Add(s, "USD", 2)
		f.Add(s, "JPY", 0)
		f.Add(s, "HUF", 0)
	}
	f.Fuzz(func(t *testing.T, s, code string, exp int) {
		c := Currency(code)
		a, err := Exponents{c: exp}.FromDecimalString(s, c)
		if err != nil {
			require.Equal(t, Amount{}, a)
			requireReadable(t, err)
			return
		}
		require.Regexp(t, plainDecimal, s)
		r, ok := new(big.Rat).SetString(s)
		require.True(t, ok)
		require.Equal(t, 0, r.Cmp(a.Decimal().Rat()), "%q is not %s", s, a)
	})
}
