// Command ownstore takes payments with a store of its own, a file of JSON
// lines: what a shop does whose database this project does not know. The suite
// store/storetest proves that it keeps the rules.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run pays once, opens the file again as after a restart, and pays with the
// same key: the second call finds the payment and charges nothing.
func run(out io.Writer) error {
	dir, err := os.MkdirTemp("", "ownstore")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "shop.journal")
	ctx := context.Background()
	request := payment.Request{Key: "checkout-1", Reference: "order-42", Amount: money.Of(1999, money.USD), Method: payment.Card(fake.TokenApproved)}

	bank := fake.New(fake.Options{})
	store, err := Open(path)
	if err != nil {
		return err
	}
	shop, err := payment.New(payment.Config{Store: store, Providers: []payment.Provider{bank}})
	if err != nil {
		return err
	}
	p, err := shop.Pay(ctx, request)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "paid:", p)
	if err := store.Close(); err != nil {
		return err
	}

	if store, err = Open(path); err != nil {
		return err
	}
	defer store.Close()
	if p, err = store.Payment(ctx, p.ID); err != nil {
		return err
	}
	events, err := store.Events(ctx, payment.EventQuery{PaymentID: p.ID})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "after a restart: %s, %d events\n", p, len(events))
	if shop, err = payment.New(payment.Config{Store: store, Providers: []payment.Provider{bank}}); err != nil {
		return err
	}
	if p, err = shop.Pay(ctx, request); err != nil {
		return err
	}
	fmt.Fprintln(out, "same key again:", p)
	return nil
}
