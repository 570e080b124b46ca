// Package ledger keeps books by double entry inside the shop's own database.
//
// A transaction moves amounts between accounts and sums to zero in each
// currency; nothing in the journal is ever changed or removed, and a mistake is
// corrected by a reversal. A sealer gives every transaction a number without
// gaps and chains it to the one before by a hash, so that [Book.Verify] can
// prove the books and name the place where they were tampered with.
//
//	chart, err := ledger.NewChart(
//		ledger.Rule{Pattern: "psp:{provider}:clearing:{currency}", Type: ledger.Asset},
//		ledger.Rule{Pattern: "merchant:{id}:payable:{currency}", Type: ledger.Liability, Mode: ledger.Strict},
//	)
//	book, err := ledger.New(ledger.Config{Store: store, Chart: chart})
//	go book.Run(ctx) // seals, and expires holds
//
//	receipt, err := book.Post(ctx, ledger.Transaction{Key: "order-42:captured", Entries: []ledger.Entry{
//		ledger.Debit("psp:stripe:clearing:EUR", amount),
//		ledger.Credit("merchant:42:payable:EUR", amount),
//	}})
//
// # What may be posted
//
// A [Transaction] is posted at once, or held ([Transaction.Pending]) and later
// settled in whole or in parts, voided or expired. A [Reversal] takes back a
// posted transaction, in whole or up to the whole. A [Closing] ends a period.
// Each carries an idempotency key: the same key with the same content returns
// what was recorded, with other content it is refused.
//
// # Two kinds of account
//
// A [Strict] account knows its balance at every moment, so a [Condition] may
// ask that it is not overdrawn. A [Deferred] account is only appended to, and
// never makes two writers wait for each other; conditions on it are refused.
//
// # Two times
//
// Effective is the business's date, recorded is when the books learned it.
// Balances can be asked as of either. A closed period takes nothing new: what
// could not be known when it was closed counts in the next.
//
// The package knows nothing of payments: package ledger/posting turns the
// events of payments into transactions. It stands on package money alone.
package ledger
