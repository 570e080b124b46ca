package payment

import (
	"strconv"
	"strings"
	"time"
)

// ParseCursor reads a cursor that [Cursor] made, for stores: a list goes on with
// the payments that sort behind createdAt, in microseconds, and id. The error of
// any other text is a *[FieldError] on PaymentQuery.After.
func ParseCursor(after string) (createdAt time.Time, id string, err error) {
	at, id, ok := strings.Cut(after, ".")
	us, err := strconv.ParseInt(at, 10, 64)
	if !ok || id == "" || err != nil {
		return time.Time{}, "", &FieldError{Field: "After", Problem: "is not a cursor",
			Remedy: `give payment.Cursor of the last payment of the page before, or "" to begin`}
	}
	return time.UnixMicro(us).UTC(), id, nil
}
