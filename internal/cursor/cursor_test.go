package cursor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/cursor"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{{}, time.UnixMicro(1).UTC(), time.Date(2026, 2, 3, 4, 5, 6, 789000, time.UTC)} {
		for _, id := range []string{"a", "with.dot", "0123456789abcdefghij"} {
			gotAt, gotID, err := cursor.Parse(cursor.Make(at, id))
			require.NoError(t, err)
			require.True(t, at.Equal(gotAt), "a cursor keeps the time: %s became %s", at, gotAt)
			require.Equal(t, id, gotID)
		}
	}
}

func TestForeignTextIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", ".", "12", "12.", ".id", "!.id", "zzzzzzzzzzzzzzzzzzzz.id"} {
		_, _, err := cursor.Parse(s)
		require.ErrorIs(t, err, cursor.ErrMalformed, "%q is no cursor", s)
	}
}
