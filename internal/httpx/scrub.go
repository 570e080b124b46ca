package httpx

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// MaxScrubbed bounds the length, in bytes, of what Scrub returns.
const MaxScrubbed = 8 << 10

const (
	maxScrubInput = 4 * MaxScrubbed
	maxPasses     = 6

	// The last word before a colon is read as a field's name by the next pass:
	// it must not be one that is masked.
	maskField = "[redacted]"
	maskCard  = "[card redacted]"
	maskKey   = "[key redacted]"
	maskToken = "[token redacted]"
	maskEmail = "[email redacted]"
	maskIP    = "[ip redacted]"
	markCut   = " [cut]"
	withheld  = "[text withheld]"
)

// Scrub makes text of foreign origin fit for a log line or an error: one line,
// valid UTF-8, at most MaxScrubbed bytes, without secrets and personal data.
//
// It masks card numbers (13 to 19 digits that pass the Luhn check, with single
// separators), fields by name in JSON, forms, URLs, headers, XML and Go's %v
// (security codes, card and account numbers, tokens, passwords, names,
// addresses, e-mail, phone, IP, ...), Bearer and Basic credentials, the
// providers' key formats, client secrets, JSON web tokens, private keys,
// e-mail addresses and IP addresses. Line breaks and tabs are written as \n,
// \r and \t, invisible characters dropped, other control characters and bad
// UTF-8 replaced by U+FFFD.
//
// It masks too much rather than too little, but it cannot know a name or an
// address in free prose: text that holds one must not get here. Scrubbing twice
// changes nothing.
func Scrub(s string) string {
	if len(s) > maxScrubInput {
		s = string(cutBack([]byte(s[:maxScrubInput]))) + markCut
	}
	return scrub([]byte(s))
}

// ScrubBytes is Scrub for bytes; b is not changed.
func ScrubBytes(b []byte) string {
	if len(b) > maxScrubInput {
		b = append(bytes.Clone(cutBack(b[:maxScrubInput])), markCut...)
	}
	return scrub(b)
}

// ScrubError is Scrub for an error's text: empty for nil. It survives errors
// whose Error method panics, which SDKs do return.
func ScrubError(err error) (s string) {
	if err == nil {
		return ""
	}
	defer func() {
		if recover() != nil {
			s = "[error without text: its Error method panicked]"
		}
	}()
	return Scrub(err.Error())
}

// scrub repeats the passes until nothing changes, so that idempotence holds by
// construction and not by an argument about how the masks interact.
func scrub(b []byte) string {
	for range maxPasses {
		next := truncate(mask(clean(b)))
		if bytes.Equal(next, b) {
			return string(b)
		}
		b = next
	}
	return withheld
}

func mask(b []byte) []byte {
	b = maskPrivateKeys(b)
	b = maskFields(b)
	b = maskTokens(b)
	b = maskEmails(b)
	b = maskIPv6(b)
	b = maskIPv4(b)
	return maskCards(b)
}

// clean returns b as one line of printable UTF-8.
func clean(b []byte) []byte {
	i := 0
	for i < len(b) && ' ' <= b[i] && b[i] < 0x7f {
		i++
	}
	if i == len(b) {
		return b
	}
	out := append(make([]byte, 0, len(b)+16), b[:i]...)
	for i < len(b) {
		r, size := utf8.DecodeRune(b[i:])
		switch {
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\r':
			out = append(out, `\r`...)
		case r == '\t':
			out = append(out, `\t`...)
		case unicode.IsPrint(r): // U+FFFD, and so a bad byte, included
			out = utf8.AppendRune(out, r)
		case unicode.IsSpace(r) && r != '\v' && r != '\f' && r != 0x85 && r != 0x2028 && r != 0x2029:
			out = append(out, ' ')
		case unicode.Is(unicode.Cf, r): // a zero-width joint would hide a card number
		default:
			out = utf8.AppendRune(out, utf8.RuneError)
		}
		i += size
	}
	return out
}

// truncate bounds the length, at the start of a rune.
func truncate(b []byte) []byte {
	if len(b) <= MaxScrubbed {
		return b
	}
	n := MaxScrubbed - len(markCut)
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return append(b[:n:n], markCut...)
}

// cutBack drops what could be the first part of a secret that the cut has
// split: half a card number or half an address is not recognised.
func cutBack(b []byte) []byte {
	for n := 0; n < 512 && len(b) > 0; n++ {
		c := b[len(b)-1]
		if !isAlnum(c) && c < utf8.RuneSelf && bytes.IndexByte([]byte(" ._%+@:/=~-"), c) < 0 {
			break
		}
		b = b[:len(b)-1]
	}
	return b
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isAlnum(c byte) bool { return isDigit(c) || isUpper(c) || isLower(c) }
func isHex(c byte) bool   { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

// afterEscape reports whether b[i] is the letter of a line break that has been
// written as two characters, by clean or by the text's author: that letter is
// not part of the word that follows.
func afterEscape(b []byte, i int) bool {
	return i > 0 && b[i-1] == '\\' && (b[i] == 'n' || b[i] == 'r' || b[i] == 't')
}
