package stripe_test

import (
	"fmt"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/stripe"
)

func ExampleNew() {
	_, err := stripe.New(stripe.Config{SecretKey: payment.NewSecret("pk_test_123"), Account: "my account"})
	fmt.Println(err)
	// Output:
	// payment: SecretKey is not a secret key of Stripe: give the key that starts with sk_live_, sk_test_, rk_live_ or rk_test_
	// payment: Account is not the id of a connected account: give the id that starts with acct_, or leave it empty
}

func ExampleDeclineFor() {
	for _, code := range []string{"insufficient_funds", "issuer_not_available", "idempotency_key_in_use"} {
		d := stripe.DeclineFor(code)
		fmt.Printf("%s: %q, retry %q, elsewhere %v\n", code, d.Reason, d.Retry, d.MayFailOver())
	}
	// Output:
	// insufficient_funds: "insufficient_funds", retry "later", elsewhere false
	// issuer_not_available: "issuer_unavailable", retry "later", elsewhere true
	// idempotency_key_in_use: "", retry "", elsewhere false
}
