package money

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func minors(parts []Amount) []int64 {
	out := make([]int64, len(parts))
	for i, p := range parts {
		out[i] = p.Minor()
	}
	return out
}

func TestAllocate(t *testing.T) {
	t.Parallel()
	const top, bottom = math.MaxInt64, math.MinInt64
	for _, tc := range []struct {
		minor   int64
		weights []int64
		want    []int64
		why     string
	}{
		{100, []int64{1, 1, 1}, []int64{34, 33, 33}, "equal shares: the first declared gets the odd cent"},
		{101, []int64{50, 50}, []int64{51, 50}, "a tie goes to the first, every time"},
		{-101, []int64{50, 50}, []int64{-51, -50}, "a negative amount splits like its positive twin"},
		{5, []int64{3, 7}, []int64{2, 3}, "1.5 and 3.5: a tie of fractions"},
		{100, []int64{0, 1, 0, 1, 1}, []int64{0, 34, 0, 33, 33}, "zero weight gets zero"},
		{2, []int64{1, 1, 1, 0}, []int64{1, 1, 0, 0}, "fewer units than parts"},
		{10, []int64{1, 2, 2}, []int64{2, 4, 4}, "exact"},
		{7, []int64{1}, []int64{7}, "a single part gets all"},
		{1, []int64{1, 3, 2}, []int64{0, 1, 0}, "the largest remainder, not the first"},
		{0, []int64{1, 2}, []int64{0, 0}, "nothing splits into nothing"},
		{0, []int64{0, 0}, []int64{0, 0}, "even with nothing to weigh by"},
		{bottom, []int64{1}, []int64{bottom}, "MinInt64 survives"},
		{bottom, []int64{1, 1}, []int64{bottom / 2, bottom / 2}, "MinInt64 is even"},
		{bottom, []int64{top, 0}, []int64{bottom, 0}, "product of 2^63 and 2^63-1"},
		{top, []int64{top, top}, []int64{top/2 + 1, top / 2}, "weights that add up to 2^64-2"},
		{top, []int64{top, top, top}, []int64{top/3 + 1, top / 3, top / 3}, "weights beyond 64 bits (2^63-1 = 3k+1)"},
		{10, []int64{top, top, top, top, 0}, []int64{3, 3, 2, 2, 0}, "ties beyond 64 bits"},
		{bottom, []int64{top, 1, top, top}, nil, "checked against the rules only"},
	} {
		parts, err := Of(tc.minor, EUR).Allocate(tc.weights...)
		require.NoError(t, err, tc.why)
		if tc.want != nil {
			require.Equal(t, tc.want, minors(parts), tc.why)
		}
		requireFairSplit(t, Of(tc.minor, EUR), tc.weights, parts)
	}
}

// A sort that is not stable keeps the order of short or equal inputs by chance,
// so many parts with few different weights are needed to show it.
func TestAllocateTiesInDeclaredOrderAmongMany(t *testing.T) {
	t.Parallel()
	weights := make([]int64, 500)
	for i := range weights {
		weights[i] = int64(i*i%7 + 1)
	}
	for _, units := range []int64{123, 1001, 99999} {
		got, err := Of(units, JPY).Allocate(weights...)
		require.NoError(t, err)
		require.Equal(t, hamilton(big.NewInt(units), weights), minors(got), "%d units", units)
	}
}

func TestAllocateRefuses(t *testing.T) {
	t.Parallel()
	_, err := Of(1, USD).Allocate()
	require.ErrorIs(t, err, ErrArgument)
	_, err = Of(1, USD).Allocate(0, 0)
	require.ErrorIs(t, err, ErrArgument)
	_, err = Of(1, USD).Allocate(1, -1)
	require.ErrorIs(t, err, ErrArgument)
	require.Contains(t, err.Error(), "weight 2")
	_, err = Of(0, USD).Allocate(math.MinInt64)
	require.ErrorIs(t, err, ErrArgument)
}

// requireFairSplit states what a split has to be, in unbounded arithmetic.
func requireFairSplit(t require.TestingT, whole Amount, weights []int64, parts []Amount) {
	require.Len(t, parts, len(weights))
	sum, total := new(big.Int), new(big.Int)
	for _, w := range weights {
		total.Add(total, big.NewInt(w))
	}
	for i, p := range parts {
		require.Equal(t, whole.Currency(), p.Currency())
		sum.Add(sum, big.NewInt(p.Minor()))
		if weights[i] == 0 {
			require.Zero(t, p.Minor(), "part %d has no weight", i)
		}
		if p.Minor() != 0 {
			require.Equal(t, whole.IsNegative(), p.IsNegative(), "part %d has the sign of the whole", i)
		}
	}
	require.Equal(t, big.NewInt(whole.Minor()).String(), sum.String(), "the parts add up to the whole")
	if total.Sign() == 0 {
		return
	}
	one := big.NewRat(1, 1)
	for i, p := range parts {
		share := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(whole.Minor()), big.NewInt(weights[i])), total)
		off := share.Sub(share, new(big.Rat).SetInt64(p.Minor()))
		require.Negative(t, off.Abs(off).Cmp(one), "part %d is less than one unit off its exact share", i)
	}
}

// hamilton is the textbook method on big.Rat, quadratic and obvious.
func hamilton(x *big.Int, weights []int64) []int64 {
	negative := x.Sign() < 0
	x = new(big.Int).Abs(x)
	total := new(big.Int)
	for _, w := range weights {
		total.Add(total, big.NewInt(w))
	}
	parts, frac, left := make([]*big.Int, len(weights)), make([]*big.Int, len(weights)), new(big.Int).Set(x)
	for i, w := range weights {
		n := new(big.Int).Mul(x, big.NewInt(w))
		parts[i], frac[i] = new(big.Int).QuoRem(n, total, new(big.Int))
		left.Sub(left, parts[i])
	}
	for ; left.Sign() > 0; left.Sub(left, big.NewInt(1)) {
		best := 0
		for i := range frac {
			if frac[i].Cmp(frac[best]) > 0 {
				best = i
			}
		}
		parts[best].Add(parts[best], big.NewInt(1))
		frac[best] = big.NewInt(-1)
	}
	out := make([]int64, len(parts))
	for i, p := range parts {
		if negative {
			p.Neg(p)
		}
		out[i] = p.Int64()
	}
	return out
}

func anyWeight() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64Range(0, 10), rapid.Int64Range(0, math.MaxInt64),
		rapid.Int64Range(math.MaxInt64-3, math.MaxInt64))
}

func TestAllocateAgreesWithTextbook(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		whole := Of(anyMinor().Draw(t, "minor"), KWD)
		weights := rapid.SliceOfN(anyWeight(), 1, 12).Filter(func(ws []int64) bool {
			for _, w := range ws {
				if w > 0 {
					return true
				}
			}
			return false
		}).Draw(t, "weights")
		parts, err := whole.Allocate(weights...)
		require.NoError(t, err)
		requireFairSplit(t, whole, weights, parts)
		require.Equal(t, hamilton(big.NewInt(whole.Minor()), weights), minors(parts))
	})
}

func TestAllocateOver(t *testing.T) {
	t.Parallel()
	hold := func(ms ...int64) []Amount {
		out := make([]Amount, len(ms))
		for i, m := range ms {
			out[i] = Of(m, EUR)
		}
		return out
	}
	const top = math.MaxInt64
	for _, tc := range []struct {
		minor     int64
		remaining []Amount
		want      []int64
		why       string
	}{
		{1, hold(1, 1), []int64{1, 0}, "a tie goes to the first"},
		{1, hold(0, 1), []int64{0, 1}, "what is drained stays drained"},
		{100, hold(34, 33, 33), []int64{34, 33, 33}, "all that remains drains every part"},
		{50, hold(34, 33, 33), []int64{17, 17, 16}, "in proportion"},
		{0, hold(5, 5), []int64{0, 0}, "nothing takes nothing"},
		{0, hold(0, 0), []int64{0, 0}, "from nothing"},
		{0, nil, []int64{}, "from nobody"},
		{top, hold(top, top, top), []int64{top/3 + 1, top / 3, top / 3}, "a sum beyond 64 bits"},
		{top, hold(top), []int64{top}, "the largest amount"},
	} {
		parts, err := Of(tc.minor, EUR).AllocateOver(tc.remaining)
		require.NoError(t, err, tc.why)
		require.Equal(t, tc.want, minors(parts), tc.why)
	}

	_, err := Of(101, EUR).AllocateOver(hold(50, 50))
	require.ErrorIs(t, err, ErrExceeds)
	require.EqualError(t, err, `money: allocate over remaining amount "1.01 EUR": only 1.00 EUR is left; ask for that much or less`)
	_, err = Of(1, EUR).AllocateOver(nil)
	require.ErrorIs(t, err, ErrExceeds)
	_, err = Of(-1, EUR).AllocateOver(hold(50))
	require.ErrorIs(t, err, ErrArgument)
	_, err = Of(1, EUR).AllocateOver(hold(50, -1))
	require.ErrorIs(t, err, ErrArgument)
	require.Contains(t, err.Error(), "part 2")
	_, err = Of(1, EUR).AllocateOver([]Amount{Of(1, EUR), Of(1, USD)})
	require.ErrorIs(t, err, ErrCurrencyMismatch)
}

// A payment is split, then refunded in any number of steps until nothing is
// left: no part ever goes below zero, and in the end every part is zero.
func TestAllocateOverNeverDrifts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.OneOf(rapid.Int64Range(0, 200), rapid.Int64Range(0, math.MaxInt64)).Draw(t, "total")
		weights := rapid.SliceOfN(rapid.Int64Range(0, 20), 1, 8).Draw(t, "weights")
		weights[0]++
		held, err := Of(total, USD).Allocate(weights...)
		require.NoError(t, err)
		left := Of(total, USD)
		for step := 0; !left.IsZero() && step < 30; step++ {
			take := left
			if step < 29 {
				take = Of(rapid.Int64Range(0, left.Minor()).Draw(t, "take"), USD)
			}
			parts, err := take.AllocateOver(held)
			require.NoError(t, err)
			sum, err := Sum(USD, parts...)
			require.NoError(t, err)
			require.Equal(t, take, sum, "the parts add up to the refund")
			for i, p := range parts {
				require.False(t, p.IsNegative(), "no part of a refund is negative")
				held[i], err = held[i].Sub(p)
				require.NoError(t, err)
				require.False(t, held[i].IsNegative(), "no part gives more than it holds")
			}
			if !take.IsZero() { // one more than is left is always refused
				left, err = left.Sub(take)
				require.NoError(t, err)
			}
			if more, err := left.Add(Of(1, USD)); err == nil {
				_, err = more.AllocateOver(held)
				require.ErrorIs(t, err, ErrExceeds)
			}
		}
		for i, h := range held {
			require.True(t, h.IsZero(), "part %d is drained after a full refund", i)
		}
	})
}
