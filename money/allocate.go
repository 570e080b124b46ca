package money

import (
	"cmp"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
)

// Allocate splits a by weights without losing a minor unit: the parts, one for
// each weight and in the same order, always add up to a.
//
// It is the method of the largest remainder (Hamilton): each part gets its
// share rounded toward zero, and the units left over go one each to the parts
// that lost the largest fractions, the earlier part first where fractions are
// equal. So the same call always gives the same parts, a part is never more
// than one unit off its exact share, a weight of zero gets zero, and a negative
// amount splits as its positive twin does. Any int64 amounts and weights work.
//
// It returns ErrArgument if there are no weights, if one is negative, or if all
// are zero and a is not.
func (a Amount) Allocate(weights ...int64) ([]Amount, error) {
	const op = "allocate"
	if len(weights) == 0 {
		return nil, fail(ErrArgument, op, "", "", "there are no weights; give one for each part")
	}
	for i, w := range weights {
		if w < 0 {
			return nil, fail(ErrArgument, op, "weight "+strconv.Itoa(i+1), strconv.FormatInt(w, 10),
				"a weight cannot be negative; give zero or more")
		}
	}
	shares, ok := largestRemainder(magnitude(a.minor), weights)
	if !ok {
		return nil, fail(ErrArgument, op, "", "", "all weights are zero, so %s cannot be shared out; give one that is not", a)
	}
	parts := make([]Amount, len(shares))
	for i, s := range shares {
		minor, _ := signed(s, a.minor < 0) // a share is never larger than the whole
		parts[i] = Amount{minor, a.currency}
	}
	return parts, nil
}

// AllocateOver splits a over parts that still hold remaining, in proportion to
// what each holds: it is how a partial refund or capture falls on the sellers
// or lines of an order. It uses the method of Allocate with the remaining
// amounts as weights.
//
// No part gets more than it holds, none is negative, and when a is all that
// remains every part is drained exactly; so after any series of partial
// refunds that ends in a full one, every part is back at zero.
//
// It returns ErrExceeds if a is more than the sum of remaining, ErrArgument if
// a or a remaining amount is negative, and ErrCurrencyMismatch.
func (a Amount) AllocateOver(remaining []Amount) ([]Amount, error) {
	const op = "allocate over remaining"
	if a.minor < 0 {
		return nil, fail(ErrArgument, op, "amount", a.String(), "the amount is negative; give the size of the refund or capture")
	}
	weights := make([]int64, len(remaining))
	var hi, lo uint64
	for i, r := range remaining {
		if err := same(op, a, r); err != nil {
			return nil, err
		}
		if r.minor < 0 {
			return nil, fail(ErrArgument, op, "part "+strconv.Itoa(i+1), r.String(),
				"a part cannot hold less than nothing; leave it out or correct it")
		}
		weights[i] = r.minor
		hi, lo = add128(hi, lo, uint64(r.minor))
	}
	if hi == 0 && uint64(a.minor) > lo {
		held, _ := signed(lo, false) // less than a, so it fits
		return nil, fail(ErrExceeds, op, "amount", a.String(), "only %s is left; ask for that much or less", Amount{held, a.currency})
	}
	shares, _ := largestRemainder(uint64(a.minor), weights) // all weights zero: then a is zero as well
	parts := make([]Amount, len(shares))
	for i, s := range shares {
		parts[i] = Amount{int64(s), a.currency} // at most remaining[i]
	}
	return parts, nil
}

// largestRemainder shares x, at most 2^63, by weights that are not negative.
// ok is false if the weights add up to zero while x does not.
func largestRemainder(x uint64, weights []int64) (shares []uint64, ok bool) {
	shares = make([]uint64, len(weights))
	if x == 0 {
		return shares, true
	}
	var hi, lo uint64
	for _, w := range weights {
		hi, lo = add128(hi, lo, uint64(w))
	}
	if hi == 0 && lo == 0 {
		return nil, false
	}
	type fraction struct {
		part   int
		hi, lo uint64 // what the part lost to rounding, in 1/sum of a unit
	}
	lost := make([]fraction, 0, len(weights))
	left := x
	for i, w := range weights {
		q, rhi, rlo := mulDiv(x, uint64(w), hi, lo)
		shares[i] = q
		left -= q
		if rhi|rlo != 0 {
			lost = append(lost, fraction{i, rhi, rlo})
		}
	}
	// The lost fractions add up to left whole units and each is less than one,
	// so there are more of them than units.
	slices.SortStableFunc(lost, func(a, b fraction) int {
		if c := cmp.Compare(b.hi, a.hi); c != 0 {
			return c
		}
		return cmp.Compare(b.lo, a.lo)
	})
	for _, f := range lost[:left] {
		shares[f.part]++
	}
	return shares, true
}

// mulDiv returns x*w divided by the 128-bit sum, which is at least w and not
// zero, with the remainder.
func mulDiv(x, w, sumHi, sumLo uint64) (q, remHi, remLo uint64) {
	if sumHi == 0 {
		hi, lo := bits.Mul64(x, w)        // x*w < 2^64 * sum, so hi < sum
		q, r := bits.Div64(hi, lo, sumLo) // and Div64 cannot overflow
		return q, 0, r
	}
	// Three or more weights near MaxInt64: rare enough for big.Int.
	n := new(big.Int).SetUint64(x)
	n.Mul(n, new(big.Int).SetUint64(w))
	sum := new(big.Int).SetUint64(sumHi)
	sum.Lsh(sum, 64).Or(sum, new(big.Int).SetUint64(sumLo))
	quo, rem := n.QuoRem(n, sum, new(big.Int))
	remLo = new(big.Int).And(rem, new(big.Int).SetUint64(^uint64(0))).Uint64()
	return quo.Uint64(), rem.Rsh(rem, 64).Uint64(), remLo
}

// add128 adds n to the 128-bit number hi, lo.
func add128(hi, lo, n uint64) (uint64, uint64) {
	lo, carry := bits.Add64(lo, n, 0)
	return hi + carry, lo
}
