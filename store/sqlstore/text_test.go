package sqlstore

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "plain", "caf\u00e9", "\x00", "\xff", "\x1a", "\x1a1a", "a\xc3", "\u2028", "\x1a\x1a00", strings.Repeat("\xff", 300), strings.Repeat("a", 600)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		kept := escape(s)
		require.True(t, utf8.ValidString(kept) && !strings.Contains(kept, "\x00"), "a column takes only valid UTF-8 without NUL")
		require.Equal(t, s, unescape(kept), "an escaped text comes back as it was")
		if utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\x1a") {
			require.Equal(t, s, kept, "a plain text is kept as it is, so that people can query it")
		}
		require.LessOrEqual(t, len(indexed(s)), maxKey)

		m := map[string]string{s: s}
		text, err := encode(m)
		require.NoError(t, err)
		var got map[string]string
		require.NoError(t, decode(text.(string), &got))
		require.Equal(t, m, got, "a map comes back as it was")
	})
}

func TestLongKeysStayApart(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 600)+"1", strings.Repeat("a", 600)+"2"
	require.NotEqual(t, indexed(a), indexed(b))
	require.Equal(t, indexed(a), indexed(a))
	require.Equal(t, "stripe:pi_1", indexed("stripe:pi_1"))
}
