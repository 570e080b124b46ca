package stripe

import (
	"context"
	"time"

	stripego "github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment"
)

const stepStatement = "statement"

// Statement lists the account's balance transactions made in [from, to), newest
// first, as Stripe has them. Gross, fee and net are in the currency of
// settlement. Payout is known for the lines of payouts only: which payout a
// line went out with is in Stripe's payout reconciliation report.
func (p *Provider) Statement(ctx context.Context, from, to time.Time, yield func(payment.StatementLine) error) error {
	params := &stripego.BalanceTransactionListParams{CreatedRange: &stripego.RangeQueryParams{}}
	// Stripe counts in seconds: the first second that is wholly in, and the
	// first that is wholly out.
	if !from.IsZero() {
		params.CreatedRange.GreaterThanOrEqual = ceil(from)
	}
	if !to.IsZero() {
		params.CreatedRange.LesserThan = ceil(to)
	}
	params.AddExpand("data.source")
	var stop error
	err := page(ctx, p, stepStatement, "/v1/balance_transactions", params, &params.ListParams,
		func(b *balanceTransaction) string { return b.ID },
		func(b *balanceTransaction) bool {
			line, err := p.line(b)
			if err == nil {
				err = yield(line)
			}
			stop = err
			return err != nil
		})
	if stop != nil {
		return stop
	}
	return err
}

func ceil(t time.Time) int64 {
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	return s
}

// line reads a balance transaction. In Stripe's own books net = amount - fee.
func (p *Provider) line(b *balanceTransaction) (payment.StatementLine, error) {
	gross, err := amountOf(b.Amount, b.Currency)
	if err != nil || ident(b.ID) == "" {
		return payment.StatementLine{}, p.unreadable(stepStatement, "a line has no id or an amount that is not one of its currency")
	}
	fee, ferr := amountOf(b.Fee, b.Currency)
	net, nerr := amountOf(b.Net, b.Currency)
	if ferr != nil || nerr != nil {
		return payment.StatementLine{}, p.unreadable(stepStatement, "line "+word(b.ID, 64)+" has an amount that is not one of its currency")
	}
	if sum, err := net.Add(fee); err != nil || sum != gross {
		return payment.StatementLine{}, p.unreadable(stepStatement, "line "+word(b.ID, 64)+" does not add up")
	}
	l := payment.StatementLine{ID: b.ID, Kind: lineKind[b.ReportingCategory], RawKind: firstOf(b.ReportingCategory, b.Type),
		Ref: ident(b.Source.ID), Gross: gross, Fee: fee, Net: net, At: unix(b.Created), AvailableAt: unix(b.AvailableOn)}
	if s := b.Source.Object; s != nil {
		l.Operation = ident(s.V.Metadata[metaOperation])
		if s.V.PaymentIntent.ID != "" && l.Kind == "charge" {
			l.Ref = ident(s.V.PaymentIntent.ID)
		}
	}
	if l.Kind == "payout" {
		l.Payout = b.Source.ID
	}
	return l, nil
}

// lineKind maps reporting categories.
// Source: docs.stripe.com/reports/reporting-categories.
var lineKind = map[string]string{
	"charge": "charge", "refund": "refund", "refund_failure": "refund", "partial_capture_reversal": "refund", "charge_failure": "charge",
	"dispute": "dispute", "dispute_reversal": "dispute",
	"fee": "fee", "tax": "fee", "network_cost": "fee", "platform_earning": "fee", "platform_earning_refund": "fee",
	"transfer": "transfer", "transfer_reversal": "transfer", "connect_collection_transfer": "transfer",
	"payout": "payout", "payout_reversal": "payout", "payout_minimum_balance_hold": "payout", "payout_minimum_balance_release": "payout",
	"other_adjustment": "adjustment", "topup": "adjustment", "topup_reversal": "adjustment", "advance": "adjustment",
	"advance_funding": "adjustment", "risk_reserved_funds": "adjustment", "connect_reserved_funds": "adjustment",
}
