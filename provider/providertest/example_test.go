package providertest_test

import (
	"context"
	"fmt"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/provider/providertest"
)

// optimist reports every hold as collected.
type optimist struct{ *fake.Provider }

func (o optimist) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	res, err := o.Provider.Authorize(ctx, r)
	res.Captured = res.Status == payment.ResultApproved
	return res, err
}

// Check returns what is broken as values; [providertest.Run] reports the same
// as subtests. The harness of this example is a fake bank; that of an adapter
// has a server on loopback behind it.
func ExampleCheck() {
	for _, v := range providertest.Check(harnessOf(fake.Plain, func(bank *fake.Provider) payment.Provider { return optimist{bank} })) {
		fmt.Printf("%s (%s): %v\n  %s\n", v.Rule.ID, v.Method, v.Err, v.Rule.Why)
	}
	// Output:
	// approve-hold (card): it says Captured true
	//   Captured true books money that is not there.
}
