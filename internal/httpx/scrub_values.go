package httpx

import (
	"bytes"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// The functions in this file mask what can be told by its own form. Each
// returns its argument if it finds nothing.

// edit builds a copy of src in which spans are replaced; it copies nothing
// until the first span.
type edit struct {
	src, out []byte
	from     int // src[from:] is not yet copied
}

func (e *edit) replace(start, end int, with string) {
	e.out = append(e.out, e.src[e.from:start]...)
	e.out = append(e.out, with...)
	e.from = end
}

func (e *edit) done() []byte {
	if e.from == 0 && e.out == nil {
		return e.src
	}
	return append(e.out, e.src[e.from:]...)
}

// maskPrivateKeys masks PEM blocks of private keys, with the line breaks that
// clean has escaped; a block without an end goes to the end of the text.
func maskPrivateKeys(b []byte) []byte {
	e := edit{src: b}
	for i := 0; ; {
		k := bytes.Index(b[i:], []byte("PRIVATE KEY-----"))
		if k < 0 {
			return e.done()
		}
		start := i + k + len("PRIVATE KEY-----")
		end := len(b)
		if k = bytes.Index(b[start:], []byte("-----END")); k >= 0 {
			end = start + k
		}
		if start < end && string(b[start:end]) != maskKey {
			e.replace(start, end, maskKey)
		}
		if i = end + len("-----END"); i >= len(b) {
			return e.done()
		}
		// The END line holds the same words; step over it.
		if k = bytes.Index(b[i:], []byte("PRIVATE KEY-----")); k >= 0 && k < 32 {
			i += k + len("PRIVATE KEY-----")
		}
	}
}

// keyPrefixes begin the secret formats of the providers: Stripe's keys and
// webhook secrets (Standard Webhooks uses whsec_ too).
func keyPrefixes() [13]string {
	return [...]string{"sk_live_", "sk_test_", "rk_live_", "rk_test_", "pk_live_", "pk_test_",
		"ek_live_", "ek_test_", "sk_org_", "uk_live_", "uk_test_", "whsec_", "whpk_"}
}

func isTokenByte(c byte) bool {
	return isAlnum(c) || c == '_' || c == '-' || c == '.' || c == '~' || c == '+' || c == '/' || c == '=' || c == '*'
}

// maskTokens masks credentials: it looks at each run of token characters.
func maskTokens(b []byte) []byte {
	e := edit{src: b}
	for i := 0; i < len(b); {
		if !isTokenByte(b[i]) || afterEscape(b, i) {
			i++
			continue
		}
		j := i + 1
		for j < len(b) && isTokenByte(b[j]) {
			j++
		}
		run := b[i:j]
		if at, with := secretIn(run); at >= 0 {
			e.replace(i+at, j, with)
		} else if scheme := schemeAtEnd(run); scheme {
			// "Bearer xyz": the credential is the next run.
			k := j
			for k < len(b) && b[k] == ' ' {
				k++
			}
			if k == j && bytes.HasPrefix(b[k:], []byte("%20")) {
				k += 3
			}
			m := k
			for m < len(b) && isTokenByte(b[m]) {
				m++
			}
			if k > j && looksSecret(b[k:m]) {
				e.replace(k, m, maskField)
				j = m
			}
		}
		i = j
	}
	return e.done()
}

// secretIn finds where a secret starts in a run of token characters, or -1.
func secretIn(run []byte) (at int, with string) {
	if bytes.IndexByte(run, '_') >= 0 {
		for _, p := range keyPrefixes() {
			if k := bytes.Index(run, []byte(p)); k >= 0 && k+len(p) < len(run) {
				return k, maskKey
			}
		}
		if k := bytes.Index(run, []byte("_secret_")); k > 0 && k+len("_secret_") < len(run) {
			tail := run[k+len("_secret_"):]
			if hasIDPrefix(run) || bytes.ContainsFunc(tail, func(r rune) bool { return r < utf8.RuneSelf && (isDigit(byte(r)) || isUpper(byte(r))) }) {
				return k + len("_secret_"), maskKey
			}
		}
	}
	if k := bytes.Index(run, []byte("eyJ")); k >= 0 && (k == 0 || !isAlnum(run[k-1])) &&
		len(run)-k >= 20 && bytes.IndexByte(run[k:], '.') > 0 {
		return k, maskToken // a JSON web token: base64 of {"
	}
	start := bytes.LastIndexAny(run, "=.") + 1
	if start == len(run) { // padding of base64
		start = 0
	}
	word := run[start:]
	switch {
	case len(word) >= 44 && (bytes.HasPrefix(word, []byte("AQE")) || bytes.HasPrefix(word, []byte("A21AA"))):
		return start, maskToken // Adyen API key, PayPal access token
	case len(run) >= 80 && mixed(run):
		return 0, maskToken // a long base64 text: a signature or a credential
	}
	return -1, ""
}

// hasIDPrefix reports whether a run starts like the id of a Stripe object that
// has a client secret.
func hasIDPrefix(run []byte) bool {
	for _, p := range [...]string{"pi_", "seti_", "cs_", "src_", "ca_", "fcsess_", "vs_"} {
		if bytes.HasPrefix(run, []byte(p)) {
			return true
		}
	}
	return false
}

func mixed(b []byte) bool {
	var lower, upper, digit bool
	for _, c := range b {
		lower, upper, digit = lower || isLower(c), upper || isUpper(c), digit || isDigit(c)
	}
	return lower && upper && digit
}

func schemeAtEnd(run []byte) bool {
	for _, s := range [...]string{"bearer", "basic"} {
		n := len(run) - len(s)
		if n >= 0 && strings.EqualFold(string(run[n:]), s) && (n == 0 || !isAlnum(run[n-1])) {
			return true
		}
	}
	return false
}

// looksSecret tells a credential from the next word of a sentence ("basic
// authentication failed").
func looksSecret(b []byte) bool {
	if len(b) < 6 {
		return false
	}
	for i, c := range b {
		if isDigit(c) || i > 0 && isUpper(c) || c == '=' || c == '+' || c == '/' || c == '_' {
			return true
		}
	}
	return len(b) > 20
}

// maskEmails masks e-mail addresses, with the at sign as it is or
// percent-encoded, and the user part of URLs.
func maskEmails(b []byte) []byte {
	e := edit{src: b}
	local := func(c byte) bool {
		return isAlnum(c) || c >= utf8.RuneSelf || c == '.' || c == '_' || c == '%' || c == '+' || c == '-' || c == '\''
	}
	domain := func(c byte) bool { return isAlnum(c) || c >= utf8.RuneSelf || c == '.' || c == '-' }
	for i := 0; i < len(b); i++ {
		var width int
		switch {
		case b[i] == '@':
			width = 1
		case b[i] == '%' && i+2 < len(b) && b[i+1] == '4' && b[i+2] == '0':
			width = 3
		default:
			continue
		}
		start, end := i, i+width
		for start > e.from && i-start < 3*64 && local(b[start-1]) { // RFC 5321: 64 octets, here perhaps encoded
			start--
		}
		if start < i && afterEscape(b, start) {
			start++
		}
		for end < len(b) && domain(b[end]) {
			end++
		}
		for end > i+width && (b[end-1] == '.' || b[end-1] == '-') {
			end--
		}
		if start == i || end == i+width {
			continue
		}
		// user:password@host in a URL: the user goes too.
		if p := bytes.LastIndex(b[e.from:start], []byte("://")); p >= 0 {
			p += e.from + len("://")
			if !bytes.ContainsAny(b[p:start], "/?# \"'") {
				start = p
			}
		}
		e.replace(start, end, maskEmail)
		i = end - 1
	}
	return e.done()
}

func maskIPv4(b []byte) []byte {
	e := edit{src: b}
	for i := 0; i < len(b); {
		if !isDigit(b[i]) {
			i++
			continue
		}
		end := dottedQuad(b[i:])
		if end > 0 && (i == 0 || b[i-1] != '.') {
			e.replace(i, i+end, maskIP)
			i += end
			continue
		}
		for i < len(b) && (isDigit(b[i]) || b[i] == '.') {
			i++
		}
	}
	return e.done()
}

// dottedQuad returns the length of the IPv4 address at the start of b, or zero.
func dottedQuad(b []byte) int {
	i := 0
	for octet := range 4 {
		if octet > 0 {
			if i >= len(b) || b[i] != '.' {
				return 0
			}
			i++
		}
		n, digits := 0, 0
		for i < len(b) && isDigit(b[i]) && digits < 4 {
			n = n*10 + int(b[i]-'0')
			i, digits = i+1, digits+1
		}
		if digits == 0 || digits > 3 || n > 255 {
			return 0
		}
	}
	if i+1 < len(b) && b[i] == '.' && isDigit(b[i+1]) {
		return 0 // an object identifier or a long version
	}
	return i
}

func maskIPv6(b []byte) []byte {
	e := edit{src: b}
	in := func(c byte) bool { return isHex(c) || c == ':' || c == '.' }
	for i := 0; i < len(b); {
		if !in(b[i]) {
			i++
			continue
		}
		start := i
		for i < len(b) && in(b[i]) {
			i++
		}
		end := i
		if bytes.Count(b[start:end], []byte(":")) < 2 {
			continue
		}
		for end > start && (b[end-1] == '.' || b[end-1] == ':' && !(end-2 >= start && b[end-2] == ':')) {
			end--
		}
		for start < end && (b[start] == '.' || b[start] == ':' && !(start+1 < end && b[start+1] == ':')) {
			start++
		}
		if end-start < 3 || start > 0 && isWordByte(b[start-1]) && !afterEscape(b, start-1) || end < len(b) && isWordByte(b[end]) {
			continue
		}
		if _, err := netip.ParseAddr(string(b[start:end])); err == nil {
			e.replace(start, end, maskIP)
		}
	}
	return e.done()
}

func isWordByte(c byte) bool { return isAlnum(c) || c == '_' }

// maskCards masks card numbers: 13 to 19 digits (ISO/IEC 7812-1) that pass the
// Luhn check. Groups of digits may be joined by one separator each; any row of
// whole groups counts, so that a number beside the card number hides nothing.
func maskCards(b []byte) []byte {
	e := edit{src: b}
	for i := 0; i < len(b); {
		if !isDigit(b[i]) {
			i++
			continue
		}
		// Try the longest row of groups first.
		end := 0
		var digits [19]byte
		n := 0
		j := i
		for {
			for j < len(b) && isDigit(b[j]) && n < len(digits) {
				digits[n] = b[j] - '0'
				n++
				j++
			}
			if j < len(b) && isDigit(b[j]) {
				break // more than 19 digits
			}
			if n >= 13 && luhn(digits[:n]) {
				end = j
			}
			w := separator(b[j:])
			if w == 0 || n == len(digits) {
				break
			}
			j += w
		}
		if end > 0 {
			e.replace(i, end, maskCard)
			i = end
			continue
		}
		for i < len(b) && isDigit(b[i]) {
			i++
		}
	}
	return e.done()
}

// separator returns the width of a separator that is followed by a digit.
func separator(b []byte) int {
	w := 0
	switch {
	case len(b) == 0:
		return 0
	case b[0] == ' ', b[0] == '-', b[0] == '+':
		w = 1
	case bytes.HasPrefix(b, []byte("%20")):
		w = 3
	}
	if w == 0 || w >= len(b) || !isDigit(b[w]) {
		return 0
	}
	return w
}

// luhn is the check of ISO/IEC 7812-1 annex B.
func luhn(digits []byte) bool {
	sum, double, any := 0, false, byte(0)
	for i := len(digits) - 1; i >= 0; i-- {
		d := int(digits[i])
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		double = !double
		any |= digits[i]
	}
	return sum%10 == 0 && any != 0 // a row of zeros is an amount or an id
}
