package fake_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

// BenchmarkAuthorize is the floor under a benchmark of the client: one plain
// authorize with a fresh key.
func BenchmarkAuthorize(b *testing.B) {
	p := fake.New(fake.Options{NoWebhooks: true})
	keys := make([]string, b.N)
	for i := range keys {
		keys[i] = "k" + strconv.Itoa(i)
	}
	r := payment.AuthorizeRequest{Amount: money.Of(1000, money.USD), Capture: true, Method: payment.Card(fake.TokenApproved)}
	r.Step, r.Payment = "pay", "p1"
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		r.Key, r.Operation = keys[i], keys[i]
		if _, err := p.Authorize(ctx, r); err != nil {
			b.Fatal(err)
		}
	}
}
