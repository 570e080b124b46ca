package payment_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
)

// TestStatesPicture keeps docs/states.md and the transition table the same.
func TestStatesPicture(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("docs/states.md")
	require.NoError(t, err)
	picture, _, ok := strings.Cut(string(doc), "## Payments")
	require.True(t, ok)
	drawn := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^    (\w+) --> (\w+)$`).FindAllStringSubmatch(picture, -1) {
		drawn[m[1]+" "+m[2]] = true
	}
	for _, from := range payment.States() {
		for _, to := range payment.States() {
			key := string(from) + " " + string(to)
			require.Equal(t, from.May(to), drawn[key], "the move %s: the table says %v, the picture %v", key, from.May(to), drawn[key])
		}
	}
	for _, s := range payment.Statuses() {
		require.Contains(t, string(doc), "| "+string(s)+" |", "docs/states.md explains the status %s", s)
	}
}
