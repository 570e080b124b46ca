package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/ledger/posting"
	"github.com/tender-go/payment/money"
)

// ledgerReport is what the double-entry books say in the end.
type ledgerReport struct {
	trial    *ledger.TrialBalance
	verified *ledger.Report
}

// readLedger takes the trial balance, and names every payment that the books
// and the shop's records do not agree on.
func readLedger(ctx context.Context, books *posting.Books, rows []row) (ledgerReport, []string, error) {
	var rep ledgerReport
	var wrong []string
	for _, r := range rows {
		found, err := books.Compare(ctx, r.payments...)
		if err != nil {
			return rep, nil, err
		}
		for _, d := range found {
			wrong = append(wrong, r.order.Number+": "+d.String())
		}
	}
	var err error
	if rep.trial, err = books.Book().TrialBalance(ctx, ledger.AsOf{}); err != nil {
		return rep, nil, err
	}
	if !rep.trial.Foots() {
		wrong = append(wrong, "the books do not foot")
	}
	// Last of all: are the books whole and unchanged? A head that was kept
	// outside would also tell whether they were written anew (docs/ledger.md).
	if rep.verified, err = books.Book().Verify(ctx, ledger.VerifyOptions{}); err != nil {
		return rep, nil, err
	}
	if !rep.verified.OK() {
		wrong = append(wrong, "the books do not verify")
	}
	return rep, wrong, nil
}

// print writes the trial balance, one currency after the other.
func (rep *ledgerReport) print(out io.Writer) {
	fmt.Fprintf(out, "\n%-46s %-9s %17s %17s %17s\n", "TRIAL BALANCE", "", "debit", "credit", "held")
	for _, sum := range rep.trial.Sums {
		for _, l := range rep.trial.Lines {
			if l.Debit.Currency() != sum.Currency || l.Debit.IsZero() && l.Credit.IsZero() && l.PendingDebit.IsZero() && l.PendingCredit.IsZero() {
				continue
			}
			held := l.PendingDebit
			if held.IsZero() {
				held = l.PendingCredit
			}
			fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("%-46s %-9s %17s %17s %17s", l.Account, l.Type, cell(l.Debit), cell(l.Credit), cell(held)), " "))
		}
		left, err := sum.Debit.Sub(sum.Credit)
		if err != nil {
			left = sum.Debit
		}
		foot := fmt.Sprintf("%s, debits less credits: %s", sum.Currency, show(left))
		fmt.Fprintf(out, "%-46s %-9s %17s %17s\n\n", foot, "sum", show(sum.Debit), show(sum.Credit))
	}
}

// printVerified writes the last line: what the proof of the books came to.
func (rep *ledgerReport) printVerified(out io.Writer) {
	v := rep.verified
	if !v.OK() {
		for _, p := range v.Problems {
			fmt.Fprintln(out, "verify     "+p.String())
		}
		return
	}
	fmt.Fprintf(out, "verify     passed: %d transactions, %d postings on %d accounts; all balance, the chain of hashes is whole\n", v.Records, v.Postings, v.Accounts)
}

// cell is an amount, and nothing for zero.
func cell(a money.Amount) string {
	if a.IsZero() {
		return ""
	}
	return show(a)
}
