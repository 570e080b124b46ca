// Package posting books payments: it turns what happens to a payment into
// journal transactions of package ledger, in the same commit that changes the
// payment.
//
//	pay, err := payment.New(payment.Config{Store: store, Providers: providers, Books: posting.Default()})
//	go pay.Run(ctx) // also seals the ledger
//
// The chart of accounts is [DefaultAccounts] and the rules are [DefaultRules]:
// both are data, and a shop replaces what it wants otherwise in [Config].
// docs/bookkeeping.md explains them to a bookkeeper.
//
// # How an event is booked
//
// An event may be told twice, late or out of order, and what was told may be
// taken back. So events are not booked: after each, the books of the payment's
// operations are compared with what the operations have come to, and the
// difference is posted. Totals, events and books therefore always agree; see
// [Books.Compare].
//
// Every transaction carries a key made of the operation and the stage that is
// booked: "<operation>:captured", with "#2" for the second time, and ":undone"
// for its reversal. See [Key].
//
// # A fact is never refused
//
// What a provider reports is booked without conditions and whatever period is
// closed. If the ledger cannot take a transaction because its chart is not what
// it was when an account was opened, the payment is recorded all the same, the
// Logger hears of it, and [Books.CatchUp] books it once the chart is corrected.
package posting
