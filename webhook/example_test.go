package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/memstore"
	"github.com/tender-go/payment/webhook"
)

// A payment whose outcome the provider tells later, by notification.
func ExampleHandler() {
	bank := fake.New(fake.Options{})
	pay, err := payment.New(payment.Config{Store: memstore.New(), Providers: []payment.Provider{bank}})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/webhooks/fake", webhook.Handler(pay, bank))

	p, err := pay.Pay(context.Background(), payment.Request{Key: "k-1", Reference: "order-42",
		Amount: money.Of(1999, money.USD), Method: payment.Card(fake.TokenPending)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Status)

	bank.Tick() // the bank decides, and notifies
	for _, w := range bank.TakeWebhooks() {
		req := httptest.NewRequest(http.MethodPost, "/webhooks/fake", strings.NewReader(string(w.Body)))
		req.Header = w.Header
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, req)
		fmt.Println(answer.Code)
	}
	p, err = pay.Get(context.Background(), p.ID)
	fmt.Println(p.Status, err)
	// Output:
	// processing
	// 200
	// captured <nil>
}
