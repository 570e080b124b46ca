package fake_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

// The answer to a charge is lost. The records of a client say unknown; the
// truth says that the money is taken; the replay, with the same key, says so
// too, and takes nothing.
func Example() {
	bank := fake.New(fake.Options{})
	bank.Script("pay", fake.TimeoutAfter())

	r := payment.AuthorizeRequest{
		Call:   payment.Call{Step: "pay", Key: "op1s1", Operation: "op1", Payment: "pay1"},
		Amount: money.Of(1999, money.USD), Capture: true, Method: payment.Card(fake.TokenApproved),
	}
	_, err := bank.Authorize(context.Background(), r)
	var lost *payment.CallError
	fmt.Println(errors.As(err, &lost), lost.Kind)
	fmt.Println("taken:", bank.Truth("pay1").Collected())

	again, _ := bank.Authorize(context.Background(), r)
	fmt.Println(again.Status, len(bank.Truth("pay1").Collections()))
	// Output:
	// true unknown
	// taken: 19.99 USD
	// approved 1
}

// The payer scans a code: the order waits, the payer pays, and a notification
// tells.
func ExampleProvider_PayerPays() {
	bank := fake.New(fake.Options{Personality: fake.WeChatPay})
	r, _ := bank.Authorize(context.Background(), payment.AuthorizeRequest{
		Call:   payment.Call{Step: "prepay", Key: "op1s1", Operation: "op1", Payment: "pay1"},
		Amount: money.Of(8800, money.CNY), Capture: true, Method: payment.Using(payment.MethodWeChatPayQR),
	})
	fmt.Println(r.Status, r.Action.Kind)

	if err := bank.PayerPays("op1"); err != nil {
		fmt.Println(err)
	}
	for _, w := range bank.TakeWebhooks() {
		n, err := bank.ParseWebhook(context.Background(), w)
		fmt.Println(n.Events[0].Status, n.Events[0].Amount, err)
	}
	// Output:
	// action_required qr
	// approved 88.00 CNY <nil>
}

// Faults by chance, replayed exactly by their seed.
func ExampleOdd() {
	bank := fake.New(fake.Options{Seed: 42, Odds: []fake.Odd{
		{Step: "pay", Fault: fake.TimeoutAfter(), P: 0.05},
		{Step: "pay", Fault: fake.Decline(payment.ReasonInsufficientFunds), P: 0.10},
		{Fault: fake.ErrorBefore(), P: 0.01},
	}})
	fmt.Println(bank.Name())
	// Output: fake
}
