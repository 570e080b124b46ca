package money

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The kinds of failure. Every error of this package is an *Error that wraps
// exactly one of them; test with errors.Is.
var (
	// ErrSyntax: the text is not a plain decimal or not the expected form.
	ErrSyntax = errors.New("money: bad syntax")
	// ErrUnknownCurrency: the code is empty, misspelt, withdrawn or not in
	// ISO 4217 List One.
	ErrUnknownCurrency = errors.New("money: unknown currency")
	// ErrNoMinorUnit: the currency is in ISO 4217, but has no minor unit (gold,
	// special drawing rights, test codes), so no amount can be held in it.
	ErrNoMinorUnit = errors.New("money: currency has no minor unit")
	// ErrCurrencyMismatch: the amounts are in different currencies.
	ErrCurrencyMismatch = errors.New("money: currency mismatch")
	// ErrExponent: the value has more, or other, decimals than the currency or
	// the provider holds, and this package does not round unless asked to.
	ErrExponent = errors.New("money: does not fit the exponent")
	// ErrOverflow: the result does not fit into int64 minor units.
	ErrOverflow = errors.New("money: overflow")
	// ErrExceeds: more is asked than there is.
	ErrExceeds = errors.New("money: more than is held")
	// ErrArgument: a weight, rate, rounding mode or table entry is out of range.
	ErrArgument = errors.New("money: bad argument")
)

// Error says what was refused, and what to do about it, in one line. Value
// holds at most 40 bytes of the text that was refused.
type Error struct {
	Op     string // the operation: "parse", "add", "scan" ...
	Field  string // the part that is wrong ("value", "weight 3"), may be empty
	Value  string // the offending value, truncated, may be empty
	Reason string // what is wrong, and the remedy
	Err    error  // one of the Err values of this package
}

// Error returns the one-line message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("money: ")
	b.WriteString(e.Op)
	if e.Field != "" {
		b.WriteString(" " + e.Field)
	}
	if e.Value != "" {
		b.WriteString(" " + strconv.Quote(e.Value))
	}
	b.WriteString(": " + e.Reason)
	return b.String()
}

// Unwrap returns the kind, one of the Err values of this package.
func (e *Error) Unwrap() error { return e.Err }

// maxEcho bounds how much foreign text an error repeats.
const maxEcho = 40

// clip cuts foreign text for a message, on a rune boundary.
func clip(s string) string {
	if len(s) <= maxEcho {
		return s
	}
	cut := maxEcho
	for cut > maxEcho-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// fail builds an *Error; value is foreign text and is clipped.
func fail(kind error, op, field, value, format string, args ...any) error {
	return &Error{Op: op, Field: field, Value: clip(value), Reason: fmt.Sprintf(format, args...), Err: kind}
}
