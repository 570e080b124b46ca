package main

import (
	"io"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README tells the reader to run the program twice: the second run shows
// the payment of the first.
func TestRunTwiceChargeOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	first, second := output(t), output(t)
	require.Regexp(t, regexp.MustCompile(`^ship it: payment p\w+ 19\.99 USD captured\n$`), first)
	require.Equal(t, first, second)
}

// output runs main and returns what it printed.
func output(t *testing.T) string {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	before := os.Stdout
	os.Stdout = w
	defer func() { os.Stdout = before }()
	main()
	require.NoError(t, w.Close())
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}
