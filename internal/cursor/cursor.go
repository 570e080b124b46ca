// Package cursor makes and reads the marks by which a list of payments is
// continued.
package cursor

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// ErrMalformed: the text is no mark that Make made.
var ErrMalformed = errors.New("payment: After is not a cursor: use payment.Cursor of the last payment of the page before, or \"\" to begin")

// Make returns the mark of a record by its two sort keys, as payment.Cursor
// does: "microseconds.id".
func Make(createdAt time.Time, id string) string {
	return strconv.FormatInt(createdAt.UnixMicro(), 10) + "." + id
}

// Parse reads what Make made.
func Parse(s string) (createdAt time.Time, id string, err error) {
	at, id, ok := strings.Cut(s, ".")
	if !ok || id == "" {
		return time.Time{}, "", ErrMalformed
	}
	us, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return time.Time{}, "", ErrMalformed
	}
	return time.UnixMicro(us).UTC(), id, nil
}
