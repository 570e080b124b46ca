package payment_test

import (
	"fmt"
	"time"

	"github.com/tender-go/payment"
)

// How a store of your own lists the next page: newest first, behind the cursor.
// In SQL: WHERE (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC.
func ExampleParseCursor() {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	stored := []*payment.Payment{ // newest first
		{ID: "p4", CreatedAt: noon.Add(time.Minute)},
		{ID: "p3", CreatedAt: noon},
		{ID: "p2", CreatedAt: noon},
		{ID: "p1", CreatedAt: noon.Add(-time.Minute)},
	}
	at, id, err := payment.ParseCursor(payment.Cursor(stored[1]))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range stored {
		if c := p.CreatedAt.Compare(at); c < 0 || c == 0 && p.ID < id {
			fmt.Println(p.ID)
		}
	}
	// Output:
	// p2
	// p1
}
