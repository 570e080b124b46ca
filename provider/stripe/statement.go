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
// settlement. Payout is the automatic payout that a line went out with, if it
// has by now; which lines a manual or instant payout covers Stripe does not say.
func (p *Provider) Statement(ctx context.Context, from, to time.Time, yield func(payment.StatementLine) error) error {
	paidOut, err := p.payouts(ctx, from, to)
	if err != nil {
		return err
	}
	params := &stripego.BalanceTransactionListParams{CreatedRange: between(from, to)}
	params.AddExpand("data.source")
	return each(ctx, p, params, func(b *balanceTransaction) error {
		line, err := p.line(b)
		if err != nil {
			return err
		}
		if line.Payout == "" {
			line.Payout = paidOut[line.ID]
		}
		return yield(line)
	})
}

// between bounds a listing. Stripe counts in seconds: the first second that is
// wholly in, and the first that is wholly out.
func between(from, to time.Time) *stripego.RangeQueryParams {
	r := &stripego.RangeQueryParams{}
	if !from.IsZero() {
		r.GreaterThanOrEqual = ceil(from)
	}
	if !to.IsZero() {
		r.LesserThan = ceil(to)
	}
	return r
}

// payouts returns the payout of each line made in [from, to): a line goes out
// with a payout that is made after it.
func (p *Provider) payouts(ctx context.Context, from, to time.Time) (map[string]string, error) {
	var all []string
	params := &stripego.PayoutListParams{CreatedRange: between(from, time.Time{})}
	err := page(ctx, p, stepStatement, "/v1/payouts", params, &params.ListParams,
		func(po *payout) string { return po.ID },
		func(po *payout) bool {
			if po.Automatic && checkRef(po.ID, "po_") == "" {
				all = append(all, po.ID)
			}
			return false
		})
	if err != nil {
		return nil, err
	}
	paidOut := make(map[string]string)
	for _, id := range all {
		// The payout filter stands alone in Stripe's examples: the range is
		// applied here.
		err := each(ctx, p, &stripego.BalanceTransactionListParams{Payout: &id}, func(b *balanceTransaction) error {
			if at := unix(b.Created); !at.Before(from.Truncate(time.Second)) && (to.IsZero() || at.Before(to)) {
				paidOut[b.ID] = id
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return paidOut, nil
}

// each walks balance transactions until do fails, and returns its error.
func each(ctx context.Context, p *Provider, params *stripego.BalanceTransactionListParams, do func(*balanceTransaction) error) error {
	var stop error
	err := page(ctx, p, stepStatement, "/v1/balance_transactions", params, &params.ListParams,
		func(b *balanceTransaction) string { return b.ID },
		func(b *balanceTransaction) bool {
			stop = do(b)
			return stop != nil
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
