package money

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestErrorIsTypedAndReadable(t *testing.T) {
	t.Parallel()
	_, err := Parse("12.345", USD)
	var e *Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, "parse", e.Op)
	require.Equal(t, "12.345", e.Value)
	require.Same(t, ErrExponent, e.Unwrap())

	require.EqualError(t, &Error{Op: "add", Reason: "why"}, "money: add: why")
	require.EqualError(t, &Error{Op: "add", Field: "weight 1", Value: "x\ny", Reason: "why"}, `money: add weight 1 "x\ny": why`)
}

func TestForeignTextIsCut(t *testing.T) {
	t.Parallel()
	require.Equal(t, "short", clip("short"))
	require.Equal(t, strings.Repeat("a", maxEcho), clip(strings.Repeat("a", maxEcho)))
	require.Equal(t, strings.Repeat("a", maxEcho)+"...", clip(strings.Repeat("a", maxEcho+1)))
	for pad := range 4 {
		got := clip(strings.Repeat("a", pad) + strings.Repeat("\u00a5", 100))
		require.True(t, utf8.ValidString(got), "a rune is not cut in half: %q", got)
		require.LessOrEqual(t, len(got), maxEcho+3)
	}
	require.LessOrEqual(t, len(clip(strings.Repeat("\x80", 100))), maxEcho+3)
}
