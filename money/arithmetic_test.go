package money

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// edges are the values where 64-bit arithmetic goes wrong.
var edges = []int64{
	math.MinInt64, math.MinInt64 + 1, math.MinInt64 / 2, -1 << 32, -1000, -101, -100, -3, -2, -1, 0,
	1, 2, 3, 99, 100, 101, 1000, 1 << 31, 1 << 32, 3037000499, 3037000500, math.MaxInt64 / 2, math.MaxInt64 - 1, math.MaxInt64,
}

func anyMinor() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64(), rapid.SampledFrom(edges), rapid.Int64Range(-100000, 100000))
}

// sameAsBig demands that a checked operation agrees with unbounded arithmetic:
// the exact result where it fits, ErrOverflow where not.
func sameAsBig(t require.TestingT, want *big.Int, got Amount, err error, what string) {
	if !want.IsInt64() {
		require.ErrorIs(t, err, ErrOverflow, "%s = %s does not fit", what, want)
		require.Equal(t, Amount{}, got, "no amount comes with an error")
		return
	}
	require.NoError(t, err, what)
	require.Equal(t, Of(want.Int64(), USD), got, what)
}

func checkPair(t require.TestingT, x, y int64) {
	a, b, bx, by := Of(x, USD), Of(y, USD), big.NewInt(x), big.NewInt(y)
	sum, err := a.Add(b)
	sameAsBig(t, new(big.Int).Add(bx, by), sum, err, fmt.Sprintf("%d + %d", x, y))
	diff, err := a.Sub(b)
	sameAsBig(t, new(big.Int).Sub(bx, by), diff, err, fmt.Sprintf("%d - %d", x, y))
	prod, err := a.Mul(y)
	sameAsBig(t, new(big.Int).Mul(bx, by), prod, err, fmt.Sprintf("%d * %d", x, y))
	neg, err := a.Neg()
	sameAsBig(t, new(big.Int).Neg(bx), neg, err, fmt.Sprintf("-(%d)", x))
	abs, err := a.Abs()
	sameAsBig(t, new(big.Int).Abs(bx), abs, err, fmt.Sprintf("|%d|", x))
	c, err := a.Cmp(b)
	require.NoError(t, err)
	require.Equal(t, bx.Cmp(by), c)
	lo, err := Min(a, b)
	require.NoError(t, err)
	hi, err := Max(a, b)
	require.NoError(t, err)
	require.Equal(t, [2]int64{min(x, y), max(x, y)}, [2]int64{lo.Minor(), hi.Minor()})
}

func TestArithmeticAtTheEdges(t *testing.T) {
	t.Parallel()
	for _, x := range edges {
		for _, y := range edges {
			checkPair(t, x, y)
		}
	}
}

func TestArithmeticAgreesWithBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		checkPair(t, anyMinor().Draw(t, "x"), anyMinor().Draw(t, "y"))
	})
}

func TestCurrenciesDoNotMix(t *testing.T) {
	t.Parallel()
	usd, eur := Of(1, USD), Of(1, EUR)
	ops := map[string]func(a, b Amount) error{
		"Add": func(a, b Amount) error { _, err := a.Add(b); return err },
		"Sub": func(a, b Amount) error { _, err := a.Sub(b); return err },
		"Cmp": func(a, b Amount) error { _, err := a.Cmp(b); return err },
		"Min": func(a, b Amount) error { _, err := Min(a, b); return err },
		"Max": func(a, b Amount) error { _, err := Max(a, b); return err },
		"Sum": func(a, b Amount) error { _, err := Sum(a.Currency(), a, b); return err },
	}
	for name, op := range ops {
		require.NoError(t, op(usd, usd), name)
		require.ErrorIs(t, op(usd, eur), ErrCurrencyMismatch, name)
		require.ErrorIs(t, op(usd, Amount{}), ErrCurrencyMismatch, "%s: the zero Amount is of no currency", name)
		require.ErrorIs(t, op(usd, Zero(EUR)), ErrCurrencyMismatch, "%s: zero does not change that", name)
	}
	err := ops["Add"](usd, Amount{})
	require.EqualError(t, err, "money: add: the amounts are in USD and no currency; convert one of them first")
	err = ops["Add"](usd, Of(1, "us\nd"))
	require.EqualError(t, err, `money: add: the amounts are in USD and "us\nd"; convert one of them first`)
}

func TestSum(t *testing.T) {
	t.Parallel()
	got, err := Sum(USD)
	require.NoError(t, err)
	require.Equal(t, Zero(USD), got)

	got, err = Sum(USD, Of(math.MaxInt64, USD), Of(1, USD), Of(-1, USD))
	require.NoError(t, err, "only the result has to fit")
	require.Equal(t, Of(math.MaxInt64, USD), got)

	rapid.Check(t, func(t *rapid.T) {
		xs := rapid.SliceOfN(anyMinor(), 0, 20).Draw(t, "xs")
		want, amounts := new(big.Int), make([]Amount, len(xs))
		for i, x := range xs {
			want.Add(want, big.NewInt(x))
			amounts[i] = Of(x, USD)
		}
		got, err := Sum(USD, amounts...)
		sameAsBig(t, want, got, err, fmt.Sprint("sum of ", xs))
	})
}

var modes = []Rounding{HalfEven, HalfUp, HalfDown, AwayFromZero, TowardZero, Ceiling, Floor}

func TestRoundingModes(t *testing.T) {
	t.Parallel()
	// Tenths of a minor unit, and what each mode makes of them, in the order of
	// modes.
	for tenths, want := range map[int64][7]int64{
		-26: {-3, -3, -3, -3, -2, -2, -3},
		-25: {-2, -3, -2, -3, -2, -2, -3},
		-24: {-2, -2, -2, -3, -2, -2, -3},
		-15: {-2, -2, -1, -2, -1, -1, -2},
		-5:  {0, -1, 0, -1, 0, 0, -1},
		-1:  {0, 0, 0, -1, 0, 0, -1},
		0:   {0, 0, 0, 0, 0, 0, 0},
		1:   {0, 0, 0, 1, 0, 1, 0},
		5:   {0, 1, 0, 1, 0, 1, 0},
		15:  {2, 2, 1, 2, 1, 2, 1},
		20:  {2, 2, 2, 2, 2, 2, 2},
		24:  {2, 2, 2, 3, 2, 3, 2},
		25:  {2, 3, 2, 3, 2, 3, 2},
		26:  {3, 3, 3, 3, 2, 3, 2},
	} {
		for i, mode := range modes {
			got, err := Of(tenths, USD).MulRate(decimal.New(1, -1), mode)
			require.NoError(t, err)
			require.Equal(t, want[i], got.Minor(), "%d tenths, %s, by rate", tenths, mode)
			got, err = Of(tenths, USD).MulRatio(1, 10, mode)
			require.NoError(t, err)
			require.Equal(t, want[i], got.Minor(), "%d tenths, %s, by ratio", tenths, mode)
			got, err = Of(-tenths, USD).MulRatio(1, -10, mode)
			require.NoError(t, err)
			require.Equal(t, want[i], got.Minor(), "%d tenths, %s, by negative ratio", tenths, mode)
			got, err = RoundDecimal(decimal.New(tenths, -3), USD, mode)
			require.NoError(t, err)
			require.Equal(t, want[i], got.Minor(), "%d tenths, %s, as decimal", tenths, mode)
		}
	}
}

func TestRoundingMustBeNamed(t *testing.T) {
	t.Parallel()
	for _, mode := range []Rounding{0, Floor + 1, 255} {
		_, err := Of(1, USD).MulRate(decimal.NewFromInt(1), mode)
		require.ErrorIs(t, err, ErrArgument)
		_, err = Of(1, USD).MulRatio(1, 1, mode)
		require.ErrorIs(t, err, ErrArgument)
		_, err = Of(1, USD).Convert(EUR, decimal.NewFromInt(1), mode)
		require.ErrorIs(t, err, ErrArgument)
		_, err = RoundDecimal(decimal.NewFromInt(1), USD, mode)
		require.ErrorIs(t, err, ErrArgument)
		require.NotEmpty(t, mode.String())
	}
	require.Equal(t, "half even", HalfEven.String())
	require.Equal(t, "floor", Floor.String())
}

// roundRat is an independent oracle over big.Rat.
func roundRat(r *big.Rat, mode Rounding) *big.Int {
	floor := new(big.Int).Div(r.Num(), r.Denom()) // Euclidean, and Denom > 0: floor
	frac := new(big.Rat).Sub(r, new(big.Rat).SetInt(floor))
	if frac.Sign() == 0 {
		return floor
	}
	ceil := new(big.Int).Add(floor, big.NewInt(1))
	toward, away := floor, ceil
	if r.Sign() < 0 {
		toward, away = ceil, floor
	}
	nearest := map[int]*big.Int{-1: floor, 1: ceil}[frac.Cmp(big.NewRat(1, 2))]
	switch mode {
	case Floor:
		return floor
	case Ceiling:
		return ceil
	case TowardZero:
		return toward
	case AwayFromZero:
		return away
	}
	if nearest != nil {
		return nearest
	}
	switch mode {
	case HalfUp:
		return away
	case HalfDown:
		return toward
	}
	if floor.Bit(0) == 0 {
		return floor
	}
	return ceil
}

func TestMulRateAgreesWithRat(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := anyMinor().Draw(t, "x")
		coef := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-1000, 1000)).Draw(t, "coefficient")
		exp := rapid.OneOf(rapid.Int32Range(-8, 4), rapid.Int32Range(-60, 40)).Draw(t, "exponent")
		mode := rapid.SampledFrom(modes).Draw(t, "mode")
		rate := decimal.New(coef, exp)
		exact := new(big.Rat).Mul(rate.Rat(), new(big.Rat).SetInt64(x))
		got, err := Of(x, USD).MulRate(rate, mode)
		sameAsBig(t, roundRat(exact, mode), got, err, fmt.Sprintf("%d * %s by %s", x, rate, mode))

		num, den := anyMinor().Draw(t, "num"), anyMinor().Filter(func(d int64) bool { return d != 0 }).Draw(t, "den")
		ratio := new(big.Rat).SetFrac(big.NewInt(num), big.NewInt(den))
		got, err = Of(x, USD).MulRatio(num, den, mode)
		sameAsBig(t, roundRat(ratio.Mul(ratio, new(big.Rat).SetInt64(x)), mode), got, err,
			fmt.Sprintf("%d * %d/%d by %s", x, num, den, mode))
	})
}

// A rate or value with an absurd exponent, as decimal reads it from text, must
// neither take memory nor give a wrong result.
func TestAbsurdExponents(t *testing.T) {
	t.Parallel()
	huge, tiny := decimal.New(1, math.MaxInt32), decimal.New(1, math.MinInt32)
	a := Of(100, USD)

	_, err := a.MulRate(huge, HalfEven)
	require.ErrorIs(t, err, ErrOverflow)
	got, err := a.MulRate(tiny, HalfEven)
	require.NoError(t, err)
	require.Equal(t, Zero(USD), got)
	got, err = a.MulRate(tiny, Ceiling)
	require.NoError(t, err)
	require.Equal(t, Of(1, USD), got)
	got, err = a.MulRate(tiny.Neg(), Floor)
	require.NoError(t, err)
	require.Equal(t, Of(-1, USD), got)
	got, err = Zero(USD).MulRate(huge, HalfEven)
	require.NoError(t, err)
	require.Equal(t, Zero(USD), got)
	got, err = a.MulRate(decimal.Decimal{}, HalfEven)
	require.NoError(t, err)
	require.Equal(t, Zero(USD), got)

	_, err = FromDecimal(huge, USD)
	require.ErrorIs(t, err, ErrOverflow)
	_, err = FromDecimal(tiny, USD)
	require.ErrorIs(t, err, ErrExponent)
	got, err = FromDecimal(decimal.New(0, math.MaxInt32), USD)
	require.NoError(t, err)
	require.Equal(t, Zero(USD), got)
	_, err = a.Convert(JPY, huge, HalfEven)
	require.ErrorIs(t, err, ErrOverflow)
}

// The bound on powers of ten cuts off nothing that fits.
func TestLargestPowersOfTen(t *testing.T) {
	t.Parallel()
	got, err := Of(-9, JPY).MulRate(decimal.New(1, 18), HalfEven)
	require.NoError(t, err)
	require.Equal(t, Of(-9e18, JPY), got)
	got, err = FromDecimal(decimal.New(9, 16), USD)
	require.NoError(t, err)
	require.Equal(t, Of(9e18, USD), got)
	_, err = Of(1, JPY).MulRate(decimal.New(1, 19), HalfEven)
	require.ErrorIs(t, err, ErrOverflow)
}

func TestMulRatioRefusesZeroDenominator(t *testing.T) {
	t.Parallel()
	_, err := Of(1, USD).MulRatio(1, 0, HalfEven)
	require.ErrorIs(t, err, ErrArgument)
}

func TestConvert(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		from Amount
		rate string
		want Amount
	}{
		{Of(1000, USD), "155.2", Of(1552, JPY)},
		{Of(1552, JPY), "0.00644", Of(999, USD)},  // 9.99488
		{Of(1000, USD), "0.30725", Of(3073, KWD)}, // 3.0725, half up
		{Of(1250, KWD), "3.25", Of(406, USD)},     // 4.0625
		{Of(-1000, USD), "0.9", Of(-900, EUR)},
		{Of(1000, USD), "1", Of(1000, USD)},
	} {
		got, err := tc.from.Convert(tc.want.Currency(), decimal.RequireFromString(tc.rate), HalfUp)
		require.NoError(t, err)
		require.Equal(t, tc.want, got, "%s at %s", tc.from, tc.rate)
	}
	for _, rate := range []string{"0", "-1"} {
		_, err := Of(1, USD).Convert(EUR, decimal.RequireFromString(rate), HalfUp)
		require.ErrorIs(t, err, ErrArgument, rate)
	}
	_, err := Of(1, USD).Convert("ZZZ", decimal.NewFromInt(1), HalfUp)
	require.ErrorIs(t, err, ErrUnknownCurrency)
	_, err = Amount{}.Convert(USD, decimal.NewFromInt(1), HalfUp)
	require.ErrorIs(t, err, ErrUnknownCurrency)
	_, err = Of(1, USD).Convert(XAU, decimal.NewFromInt(1), HalfUp)
	require.ErrorIs(t, err, ErrNoMinorUnit)
}
