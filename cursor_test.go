package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
)

func TestCursorRoundTrip(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{{}, time.UnixMicro(1).UTC(), time.Date(2026, 2, 3, 4, 5, 6, 789000, time.UTC)} {
		for _, id := range []string{"a", "with.dot", "0123456789abcdefghij"} {
			gotAt, gotID, err := payment.ParseCursor(payment.Cursor(&payment.Payment{ID: id, CreatedAt: at}))
			require.NoError(t, err)
			require.True(t, at.Equal(gotAt), "a cursor keeps the time: %s became %s", at, gotAt)
			require.Equal(t, id, gotID)
		}
	}
}

func TestForeignCursorIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", ".", "12", "12.", ".id", "!.id", "zzzzzzzzzzzzzzzzzzzz.id"} {
		_, _, err := payment.ParseCursor(s)
		require.ErrorIs(t, err, payment.ErrInvalid, "%q is no cursor", s)
		var f *payment.FieldError
		require.ErrorAs(t, err, &f)
		require.Equal(t, "After", f.Field)
	}
	onStores(t, func(t *testing.T, store payment.Store) {
		_, err := store.Payments(t.Context(), payment.PaymentQuery{After: "12"})
		require.ErrorIs(t, err, payment.ErrInvalid)
	})
}
