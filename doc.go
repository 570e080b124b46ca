// Package payment takes payments for a shop: one core interface over payment
// providers, a client that never charges twice, and the records that prove it.
//
// A shop imports this package, one or more adapters (provider/stripe, ...) and
// a store (store/sqlite, store/postgres, or one of its own), and wires them:
//
//	pay, err := payment.New(payment.Config{Store: store, Providers: []payment.Provider{card}})
//	go pay.Run(ctx)
//	p, err := pay.Pay(ctx, payment.Request{Key: key, Reference: "order-42", Amount: amount, Method: payment.Card(token)})
//	switch next := p.Next(); next.Kind { ... }
//
// # Two audiences
//
// Shops use [Client] and the records it returns: [Payment], [Operation],
// [Event]. Adapter writers implement [Provider], the core payment interface,
// and those of the optional capability interfaces ([Capturer], [Voider],
// [Refunder], [Resumer], [Lookuper], [Fencer], [Vault], [Disputer],
// [Splitter], [StatementSource], [WebhookParser]) that their provider
// offers; package provider/providertest proves that they did it right.
//
// # The rules the client keeps
//
// Every write to a provider is a [Step]: planned and committed before it is
// sent, sent with a stable idempotency key and no database transaction open,
// and its answer recorded in a second commit. A decline is an answer; an error
// says whether the provider was reached. What is not known is [StateUnknown],
// never a failure, and nothing is charged elsewhere before it is known.
//
// # What it is not
//
// It is no server, no card vault and no payment provider. No type of this
// package has a field for a card number or a security code.
package payment
