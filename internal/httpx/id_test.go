package httpx

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"pi_3NabcDEF", "5O190127TN364715T", "op01hx3", "2024010122001", "a-b.c~d", strings.Repeat("a", MaxID)} {
		require.NoError(t, CheckID("capture id", id))
	}
	for id, why := range map[string]string{
		"":                           "is empty",
		".":                          "dot at position 1",
		"..":                         "dot at position 1",
		"a..b":                       "dot at position 3",
		".htaccess":                  "dot at position 1",
		"O1/../../v1/identity?x=":    "position 3",
		"a?b":                        "position 2",
		"a#b":                        "position 2",
		"a%2fb":                      "position 2",
		"a b":                        "position 2",
		"a\nb":                       "position 2",
		"a\\b":                       "position 2",
		"a;b":                        "position 2",
		"\xff":                       "position 1",
		"\u00e9":                     "position 1",
		strings.Repeat("a", MaxID+1): "256 characters",
	} {
		err := CheckID("capture id", id)
		var e *IDError
		require.ErrorAs(t, err, &e, "%q", id)
		require.ErrorContains(t, err, why)
		require.ErrorContains(t, err, "capture id")
	}
}

func FuzzCheckID(f *testing.F) {
	f.Add("pi_1")
	f.Add("a/../b")
	f.Add("a.b")
	f.Fuzz(func(t *testing.T, id string) {
		if CheckID("id", id) != nil {
			return
		}
		require.Equal(t, id, url.PathEscape(id), "needs no escaping")
		p := "/v2/orders/" + id + "/capture"
		require.Equal(t, p, path.Clean(p), "stays one segment")
		u, err := url.Parse("https://h" + p)
		require.NoError(t, err)
		require.Equal(t, p, u.Path)
		require.Empty(t, u.RawQuery+u.Fragment)
	})
}
