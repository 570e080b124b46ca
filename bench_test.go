package payment_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/memstore"
)

// BenchmarkPay is one payment on memory and a provider without latency: what
// the library itself costs.
func BenchmarkPay(b *testing.B) {
	bank := fake.New(fake.Options{NoWebhooks: true})
	pay, err := payment.New(payment.Config{Store: memstore.New(), Providers: []payment.Provider{bank}})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n := strconv.Itoa(i)
		p, err := pay.Pay(ctx, payment.Request{Key: "k" + n, Reference: "o" + n, Amount: usd(1999), Method: payment.Card(fake.TokenApproved)})
		if err != nil || !p.Paid() {
			b.Fatal(p, err)
		}
	}
}
