package stripe

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

func itoa(n int) string { return strconv.Itoa(n) }

// descriptor makes a text fit for a payer's statement: at most 22 characters
// of ASCII without < > \ ' " *. What Stripe refuses all the same is found by
// checkDescriptor before anything is sent.
//
// Source: docs.stripe.com/get-started/account/statement-descriptors.
func descriptor(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7E || strings.ContainsRune(`<>\'"*`, r) {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) > 22 {
		s = strings.TrimSpace(s[:22])
	}
	return s
}

// cut shortens a text to n bytes, on a character's boundary.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
