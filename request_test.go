package payment

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLooksLikeCard(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"4242424242424242", "4242 4242 4242 4242", "5555-5555-5555-4444", "378282246310005", "6011111111111117", "3530111333300000", "4222222222222", "6304000000000000"} {
		require.True(t, looksLikeCard(s), s)
	}
	for _, s := range []string{"", "4242424242424241", "tok_4242424242424242", "424242424242", "42424242424242424242", "2026-11-22", "+49 151 99887766", "4242.4242.4242.4242"} {
		require.False(t, looksLikeCard(s), s)
	}
}

func TestIDCheck(t *testing.T) {
	t.Parallel()
	ok := func(v string, required bool) bool {
		var p problems
		p.id("Key", v, required)
		return p.err() == nil
	}
	for _, v := range []string{"a", "A-1_b.c:d", strings.Repeat("x", 128)} {
		require.True(t, ok(v, true), v)
	}
	for _, v := range []string{"a b", "a/b", "a\nb", "a\x00", "\u00e9", "a%2Fb", "a?b", "a#b", "<a>", strings.Repeat("x", 129), "\xff"} {
		require.False(t, ok(v, true), "%q", v)
	}
	require.False(t, ok("", true))
	require.True(t, ok("", false))
}

func TestReturnURL(t *testing.T) {
	t.Parallel()
	ok := func(v string) bool {
		var p problems
		p.returnURL(v)
		return p.err() == nil
	}
	for _, v := range []string{"", "https://shop.example/return?a=b", "http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:80/x", "myshop://return"} {
		require.True(t, ok(v), v)
	}
	for _, v := range []string{"shop.example/return", "/return", "http://shop.example", "http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "javascript://x/alert", "data://x/y",
		"file://x/etc/passwd", "vbscript://x/y", "JAVASCRIPT://x/y", "https://", "https://a b/", "https://shop.example/\n", "https://shop.example/" + strings.Repeat("x", 2048)} {
		require.False(t, ok(v), "%q", v)
	}
}

// Errors show foreign input quoted, cut and without control bytes.
func TestQuoteAndTruncate(t *testing.T) {
	t.Parallel()
	require.Equal(t, `"a\nb"`, quote("a\nb"))
	require.Equal(t, `"\x1b[2J"`, quote("\x1b[2J"))
	require.Less(t, len(quote(strings.Repeat("\u00e9", 1000))), 450)
	for n := range 12 {
		cut := truncate("a\u00e9\u4e2d\U0001f600bcdef", n)
		require.True(t, strings.HasPrefix("a\u00e9\u4e2d\U0001f600bcdef", strings.TrimSuffix(cut, "...")), "%d: %q", n, cut)
	}
}

func TestFieldErrorIsOneLine(t *testing.T) {
	t.Parallel()
	r := Request{Key: "a\nb", Reference: strings.Repeat("x", 10000), Description: "\x00", Method: Instrument{Method: Method("x\ny" + strings.Repeat("z", 10000))}}
	err := r.check(true)
	require.Error(t, err)
	for _, line := range strings.Split(err.Error(), "\n") {
		require.True(t, strings.HasPrefix(line, "payment: "), "a problem spans lines: %q", line)
		require.Less(t, len(line), 400)
	}
}

func FuzzRequestCheck(f *testing.F) {
	f.Add("key", "order-1", "card", "tok", "desc", "https://x.example")
	f.Add("", "\xff", "card.", "4242424242424242", strings.Repeat("x", 2000), "javascript:x")
	f.Fuzz(func(t *testing.T, key, reference, method, token, text, url string) {
		r := Request{Key: key, Reference: reference, Amount: dollars(1), Method: Wallet(Method(method), token).With(text, text), Description: text,
			Metadata: map[string]string{text: text}, ReturnURL: url, Payer: Payer{Name: text}}
		err := r.check(true)
		if err != nil {
			return
		}
		for _, v := range []string{key, reference} {
			for _, c := range v {
				if !isIDRune(c) {
					t.Fatalf("%q passed as an id", v)
				}
			}
		}
		if looksLikeCard(token) || looksLikeCard(text) {
			t.Fatal("a card number passed")
		}
	})
}
