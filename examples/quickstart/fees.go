package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// learnFees asks what the provider took for the payments of which nobody has
// said it: Stripe's webhooks tell that a payment is paid, not what it cost. A
// shop does so once a day, or leaves it to the settlement.
func learnFees(ctx context.Context, pay *payment.Client, rows []row) error {
	for _, r := range rows {
		for i, p := range r.payments {
			if p.Totals.Captured.Done.IsZero() || feeKnown(p) {
				continue
			}
			p, err := pay.Sync(ctx, p.ID)
			if err != nil {
				return fmt.Errorf("order %s: what the provider took: %w", r.order.Number, err)
			}
			r.payments[i] = p
		}
	}
	return nil
}

func feeKnown(p *payment.Payment) bool {
	for _, o := range p.Operations {
		if o.Fee.Currency() != "" {
			return true
		}
	}
	return false
}

// compareFees holds the fees in the books against the provider's own statement.
func compareFees(ctx context.Context, provider payment.StatementSource, trial *ledger.TrialBalance) (differences []string, err error) {
	told := map[money.Currency]money.Amount{}
	err = provider.Statement(ctx, time.Time{}, time.Time{}, func(l payment.StatementLine) (err error) {
		c := l.Fee.Currency()
		if _, ok := told[c]; !ok {
			told[c] = money.Zero(c)
		}
		told[c], err = told[c].Add(l.Fee)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, sum := range trial.Sums {
		c, booked := sum.Currency, money.Zero(sum.Currency)
		for _, l := range trial.Lines {
			if l.Account == "fees:psp:stripe:"+string(c) {
				booked = l.Debit
			}
		}
		if told[c] != booked {
			differences = append(differences, fmt.Sprintf("%s: the books have fees of %s, Stripe took %s", c, booked, told[c]))
		}
	}
	return differences, nil
}
