// Command minimal is the program of the README: one payment, with Stripe played
// by the sandbox and an SQLite file. Run it twice: it charges once.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger/posting"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/stripe"
	"github.com/tender-go/payment/sandbox"
	"github.com/tender-go/payment/store/sqlite"
)

func main() {
	bank := must(sandbox.Start(sandbox.Options{})) // Stripe, played on this machine
	defer bank.Close()
	card := must(stripe.New(stripe.Config{SecretKey: payment.NewSecret(bank.Stripe.SecretKey), BaseURL: bank.Stripe.URL}))
	store := must(sqlite.Open("shop.db"))
	defer store.Close()
	pay := must(payment.New(payment.Config{Store: store, Providers: []payment.Provider{card}, Books: posting.Default()}))

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { _ = pay.Run(ctx) }() // repairs what a crash or a silent provider left open; seals the books

	p := must(pay.Pay(ctx, payment.Request{
		Key: "checkout-1", Reference: "order-42", // the same key never charges again: run this twice
		Amount: money.Of(1999, money.USD), Method: payment.Card("pm_card_visa"),
	}))
	switch next := p.Next(); next.Kind {
	case payment.Paid:
		fmt.Println("ship it:", p)
	case payment.PayerMustAct:
		fmt.Println("send the payer to", next.Action.URL)
	case payment.Wait, payment.Refused:
		fmt.Println(next.Text("en").Body, next.Text("en").Advice)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
