package recovered_test

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/recovered"
)

func TestCall(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	require.NoError(t, recovered.Call("it", func() error { return nil }))
	require.Equal(t, boom, recovered.Call("it", func() error { return boom }), "an error comes back unchanged")

	err := recovered.Call("it", func() error { panic("card 4242") })
	require.ErrorContains(t, err, "it panicked at recovered_test.TestCall")
	require.ErrorContains(t, err, "recovered_test.go:")
	require.NotContains(t, err.Error(), "4242", "the value of a panic may be secret and is not printed")
	var caught *recovered.PanicError
	require.ErrorAs(t, err, &caught)
	require.Equal(t, "card 4242", caught.Value)
	require.NotEmpty(t, caught.Stack)

	var none []int
	err = recovered.Call("it", func() error { return errors.New(string(rune(none[3]))) })
	require.ErrorContains(t, err, "index out of range", "the runtime's own words are safe and help")

	require.ErrorIs(t, recovered.Call("it", func() error { panic(io.EOF) }), io.EOF)
}
