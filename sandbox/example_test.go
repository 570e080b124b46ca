package sandbox_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tender-go/payment/sandbox"
)

// A payment whose answer is lost on the way, asked for again under its
// idempotency key: it was made once.
func Example() {
	sb, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sb.Close()
	if _, err := sb.Fault(sandbox.Fault{Kind: sandbox.FaultBadGateway, After: true, Count: 1}); err != nil {
		fmt.Println(err)
		return
	}
	form := url.Values{"amount": {"2000"}, "currency": {"usd"}, "payment_method_types[]": {"card"}, "payment_method": {"pm_card_visa"}, "confirm": {"true"}}
	for range 2 {
		req, _ := http.NewRequest(http.MethodPost, sb.Stripe.URL+"/v1/payment_intents", strings.NewReader(form.Encode()))
		req.SetBasicAuth(sb.Stripe.SecretKey, "")
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Idempotency-Key", "order-42")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resp.Body.Close()
		fmt.Printf("%d, replayed: %t\n", resp.StatusCode, resp.Header.Get("Idempotent-Replayed") == "true")
	}
	gross, _ := sb.Stripe.Collected("usd")
	fmt.Println("collected", gross)
	// Output:
	// 502, replayed: false
	// 200, replayed: true
	// collected 2000
}
