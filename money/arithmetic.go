package money

import (
	"cmp"
	"math"
	"math/big"
	"math/bits"
	"strconv"

	"github.com/shopspring/decimal"
)

// Rounding says what to do with a fraction of a minor unit. There is no
// default: the zero value is refused.
type Rounding uint8

// The rounding modes. "Half" modes round to the nearest minor unit and differ
// only when the value lies exactly between two.
const (
	HalfEven     Rounding = iota + 1 // ties to the even neighbour (banker's rounding)
	HalfUp                           // ties away from zero, as taught in school
	HalfDown                         // ties toward zero
	AwayFromZero                     // every fraction away from zero
	TowardZero                       // every fraction dropped
	Ceiling                          // every fraction toward positive infinity
	Floor                            // every fraction toward negative infinity
)

var roundingNames = [...]string{"unset", "half even", "half up", "half down",
	"away from zero", "toward zero", "ceiling", "floor"}

// String returns the name of the mode.
func (r Rounding) String() string {
	if int(r) < len(roundingNames) {
		return roundingNames[r]
	}
	return "Rounding(" + strconv.Itoa(int(r)) + ")"
}

func (r Rounding) check(op string) error {
	if r < HalfEven || r > Floor {
		return fail(ErrArgument, op, "rounding", r.String(), "name a rounding mode, such as money.HalfEven")
	}
	return nil
}

// away decides whether a quotient that was cut toward zero moves one unit away
// from zero. half compares the cut fraction with one half; the fraction is not
// zero.
func (r Rounding) away(half int, odd, negative bool) bool {
	switch r {
	case HalfEven:
		return half > 0 || half == 0 && odd
	case HalfUp:
		return half >= 0
	case HalfDown:
		return half > 0
	case AwayFromZero:
		return true
	case Ceiling:
		return !negative
	case Floor:
		return negative
	default: // TowardZero
		return false
	}
}

// Add returns a + b, or ErrCurrencyMismatch or ErrOverflow.
func (a Amount) Add(b Amount) (Amount, error) {
	if err := same("add", a, b); err != nil {
		return Amount{}, err
	}
	sum := a.minor + b.minor
	if (a.minor^sum)&(b.minor^sum) < 0 { // both operands differ in sign from the sum
		return Amount{}, overflow("add", a)
	}
	return Amount{sum, a.currency}, nil
}

// Sub returns a - b, or ErrCurrencyMismatch or ErrOverflow.
func (a Amount) Sub(b Amount) (Amount, error) {
	if err := same("subtract", a, b); err != nil {
		return Amount{}, err
	}
	diff := a.minor - b.minor
	if (a.minor^b.minor)&(a.minor^diff) < 0 {
		return Amount{}, overflow("subtract", a)
	}
	return Amount{diff, a.currency}, nil
}

// Neg returns -a. The smallest int64 has no negative: ErrOverflow.
func (a Amount) Neg() (Amount, error) {
	if a.minor == math.MinInt64 {
		return Amount{}, overflow("negate", a)
	}
	return Amount{-a.minor, a.currency}, nil
}

// Abs returns a without its sign. The smallest int64 has none: ErrOverflow.
func (a Amount) Abs() (Amount, error) {
	if a.minor < 0 {
		return a.Neg()
	}
	return a, nil
}

// Mul returns a times n (a unit price times a quantity), or ErrOverflow.
func (a Amount) Mul(n int64) (Amount, error) {
	hi, lo := bits.Mul64(magnitude(a.minor), magnitude(n))
	minor, ok := signed(lo, (a.minor < 0) != (n < 0))
	if hi != 0 || !ok {
		return Amount{}, overflow("multiply", a)
	}
	return Amount{minor, a.currency}, nil
}

// MulRate returns a times rate, rounded to a whole minor unit by mode: 19 % of
// a is a.MulRate(decimal.RequireFromString("0.19"), money.HalfUp). The product
// is exact before it is rounded. It returns ErrOverflow, or ErrArgument for a
// mode that is not set.
func (a Amount) MulRate(rate decimal.Decimal, mode Rounding) (Amount, error) {
	return a.scale("multiply by rate", rate, 0, a.currency, mode)
}

// MulRatio returns a times num/den, rounded to a whole minor unit by mode. It
// holds ratios that no decimal can: the 19 % tax inside a gross price is
// a.MulRatio(19, 119, money.HalfUp), and 290 basis points are MulRatio(290,
// 10000, ...). It returns ErrArgument for den 0 or a mode that is not set, and
// ErrOverflow.
func (a Amount) MulRatio(num, den int64, mode Rounding) (Amount, error) {
	const op = "multiply by ratio"
	if err := mode.check(op); err != nil {
		return Amount{}, err
	}
	if den == 0 {
		return Amount{}, fail(ErrArgument, op, "", "", "the denominator is zero; give one that is not")
	}
	n := new(big.Int).Mul(big.NewInt(a.minor), big.NewInt(num))
	minor, _, ok := round(n, big.NewInt(den), mode)
	if !ok {
		return Amount{}, overflow(op, a)
	}
	return Amount{minor, a.currency}, nil
}

// Convert returns a in the currency to, where rate is the number of major units
// of to that one major unit of a's currency costs: with rate 155.2 and to JPY,
// 10.00 USD becomes 1552 JPY. Both exponents are accounted for, and the result
// is rounded once, by mode. Store the rate: the result does not tell it. It
// returns ErrUnknownCurrency, ErrNoMinorUnit, ErrOverflow, or ErrArgument for a
// rate that is not positive or a mode that is not set.
func (a Amount) Convert(to Currency, rate decimal.Decimal, mode Rounding) (Amount, error) {
	const op = "convert"
	from, err := a.currency.exponent(op)
	if err != nil {
		return Amount{}, err
	}
	exp, err := to.exponent(op)
	if err != nil {
		return Amount{}, err
	}
	if rate.Sign() <= 0 {
		return Amount{}, fail(ErrArgument, op, "rate", "", "an exchange rate is more than zero; check which way it is quoted")
	}
	return a.scale(op, rate, exp-from, to, mode)
}

// scale returns a times rate times 10^shift in the currency to.
func (a Amount) scale(op string, rate decimal.Decimal, shift int, to Currency, mode Rounding) (Amount, error) {
	if err := mode.check(op); err != nil {
		return Amount{}, err
	}
	minor, _, ok := scale(a.minor, rate, shift, mode)
	if !ok {
		return Amount{}, overflow(op, a)
	}
	return Amount{minor, to}, nil
}

// scale returns x times d times 10^shift rounded by mode, and whether that was
// exact. ok is false when the result does not fit into int64.
func scale(x int64, d decimal.Decimal, shift int, mode Rounding) (res int64, exact, ok bool) {
	n := d.Coefficient()
	n.Mul(n, big.NewInt(x))
	if n.Sign() == 0 {
		return 0, true, true
	}
	// A number from outside can carry an absurd exponent ("1e999999999"). Powers
	// of ten are bounded by what can matter, so that it costs no memory.
	exp := int64(d.Exponent()) + int64(shift)
	switch {
	case exp >= 20: // |n| >= 1, and 10^20 alone is beyond int64
		return 0, false, false
	case exp >= 0:
		n.Mul(n, pow10(exp))
		return round(n, big.NewInt(1), mode)
	}
	// |n| < 2^BitLen < 10^(BitLen/3+1), so a divisor of 10^(BitLen/3+2) or more
	// leaves less than a tenth: any such divisor rounds alike.
	return round(n, pow10(min(-exp, int64(n.BitLen())/3+2)), mode)
}

// round returns n/den rounded by mode, and whether that was exact. den is not
// zero. ok is false when the result does not fit into int64.
func round(n, den *big.Int, mode Rounding) (res int64, exact, ok bool) {
	negative := (n.Sign() < 0) != (den.Sign() < 0)
	n, den = new(big.Int).Abs(n), new(big.Int).Abs(den)
	q, r := n.QuoRem(n, den, new(big.Int))
	exact = r.Sign() == 0
	if !exact {
		half := r.Lsh(r, 1).Cmp(den)
		if mode.away(half, q.Bit(0) == 1, negative) {
			q.Add(q, big.NewInt(1))
		}
	}
	if !q.IsUint64() {
		return 0, false, false
	}
	res, ok = signed(q.Uint64(), negative)
	return res, exact, ok
}

// Cmp returns -1, 0 or +1 as a is less than, equal to or more than b, or
// ErrCurrencyMismatch.
func (a Amount) Cmp(b Amount) (int, error) {
	if err := same("compare", a, b); err != nil {
		return 0, err
	}
	return cmp.Compare(a.minor, b.minor), nil
}

// Min returns the smaller of a and b, or ErrCurrencyMismatch.
func Min(a, b Amount) (Amount, error) {
	if err := same("compare", a, b); err != nil {
		return Amount{}, err
	}
	return Amount{min(a.minor, b.minor), a.currency}, nil
}

// Max returns the larger of a and b, or ErrCurrencyMismatch.
func Max(a, b Amount) (Amount, error) {
	if err := same("compare", a, b); err != nil {
		return Amount{}, err
	}
	return Amount{max(a.minor, b.minor), a.currency}, nil
}

// Sum returns the sum of the amounts, which are all in c; without amounts it is
// Zero(c). Only the result has to fit into int64, so the order of the amounts
// does not matter. It returns ErrCurrencyMismatch or ErrOverflow.
func Sum(c Currency, amounts ...Amount) (Amount, error) {
	var hi, lo uint64 // two's complement, 128 bits
	for _, a := range amounts {
		if err := same("sum", Amount{0, c}, a); err != nil {
			return Amount{}, err
		}
		var carry uint64
		lo, carry = bits.Add64(lo, uint64(a.minor), 0)
		hi, _ = bits.Add64(hi, uint64(a.minor>>63), carry)
	}
	minor := int64(lo)
	if int64(hi) != minor>>63 {
		return Amount{}, overflow("sum", Amount{0, c})
	}
	return Amount{minor, c}, nil
}

func same(op string, a, b Amount) error {
	if a.currency != b.currency {
		return fail(ErrCurrencyMismatch, op, "", "", "the amounts are in %s and %s; convert one of them first",
			named(a.currency), named(b.currency))
	}
	return nil
}

func overflow(op string, a Amount) error {
	return fail(ErrOverflow, op, "", a.String(), "the result does not fit into 64-bit minor units; check the operands")
}

// named shows a currency in a message, the missing one too.
func named(c Currency) string {
	switch {
	case c == "":
		return "no currency"
	case c.Valid():
		return string(c)
	default:
		return strconv.Quote(clip(string(c)))
	}
}

// pow10 returns 10^n for n >= 0.
func pow10(n int64) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil)
}
