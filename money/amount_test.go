package money

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAmountIsComparable(t *testing.T) {
	t.Parallel()
	a, b := Of(1999, USD), Of(1999, USD)
	require.True(t, a == b)
	require.False(t, Of(1999, USD) == Of(1999, EUR))
	require.False(t, Zero(USD) == Amount{}, "no money in USD is not no amount")
	totals := map[Amount]int{Of(1, USD): 1}
	require.Equal(t, 1, totals[Of(1, USD)])
}

func TestSigns(t *testing.T) {
	t.Parallel()
	for minor, want := range map[int64][3]bool{
		-1: {false, false, true}, 0: {true, false, false}, 1: {false, true, false},
		math.MinInt64: {false, false, true}, math.MaxInt64: {false, true, false},
	} {
		a := Of(minor, USD)
		require.Equal(t, want, [3]bool{a.IsZero(), a.IsPositive(), a.IsNegative()}, minor)
		require.Equal(t, minor, a.Minor())
		require.Equal(t, USD, a.Currency())
	}
	require.Equal(t, Of(0, EUR), Zero(EUR))
	require.True(t, Amount{}.IsZero())
}

func TestString(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]Amount{
		"19.99 USD":                 Of(1999, USD),
		"0.00 USD":                  Zero(USD),
		"0.01 USD":                  Of(1, USD),
		"-0.01 USD":                 Of(-1, USD),
		"-10.00 USD":                Of(-1000, USD),
		"1999 JPY":                  Of(1999, JPY),
		"-5 JPY":                    Of(-5, JPY),
		"0 JPY":                     Zero(JPY),
		"1.250 KWD":                 Of(1250, KWD),
		"0.0001 CLF":                Of(1, CLF),
		"92233720368547758.07 USD":  Of(math.MaxInt64, USD),
		"-92233720368547758.08 USD": Of(math.MinInt64, USD),
		"-9223372036854775808 JPY":  Of(math.MinInt64, JPY),
		"-922337203685477.5808 UYW": Of(math.MinInt64, UYW),
		"0 (no currency)":           {},
		`7 minor units of "XAU"`:    Of(7, XAU),
		`7 minor units of "usd"`:    Of(7, "usd"),
		`7 minor units of "\n\x00"`: Of(7, "\n\x00"),
	} {
		require.Equal(t, want, a.String())
		require.Equal(t, want, fmt.Sprint(a))
		require.Equal(t, want, fmt.Sprintf("%v", a))
		require.Equal(t, want, fmt.Sprintf("%v", &a))
	}
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]Amount{
		"19.99": Of(1999, USD), "1999": Of(1999, JPY), "1.25": Of(1250, KWD), "-0.01": Of(-1, USD), "0": Zero(USD),
		"-92233720368547758.08": Of(math.MinInt64, USD),
		"7":                     Of(7, XAU),
	} {
		require.Equal(t, want, a.Decimal().String())
	}
}

func TestSlog(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("paid", "amount", Of(1999, USD), "none", Amount{})
	require.Contains(t, buf.String(), `"amount":"19.99 USD"`)
	require.Contains(t, buf.String(), `"none":"0 (no currency)"`, "an unset amount does not break a log line")
}

func TestSignedAndMagnitudeAreInverse(t *testing.T) {
	t.Parallel()
	for _, x := range edges {
		got, ok := signed(magnitude(x), x < 0)
		require.True(t, ok)
		require.Equal(t, x, got)
	}
	for _, tc := range []struct {
		m   uint64
		neg bool
	}{{1 << 63, false}, {1<<63 + 1, true}, {math.MaxUint64, false}, {math.MaxUint64, true}} {
		_, ok := signed(tc.m, tc.neg)
		require.False(t, ok, "%d %v", tc.m, tc.neg)
	}
}
