package fake

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// statementKinds names movements as statements do. What is only held, or given
// back before it was taken, is not booked.
var statementKinds = map[MovementKind]struct {
	kind string
	sign int64
}{
	MoveCaptured:      {"charge", 1},
	MoveCaptureFailed: {"adjustment", -1},
	MoveRefunded:      {"refund", -1},
	MoveRefundFailed:  {"adjustment", 1},
	MoveDisputed:      {"dispute", -1},
	MoveDisputeWon:    {"dispute", 1},
	MoveTransferred:   {"transfer", -1},
}

// Statement yields the movements booked in [from, to), oldest first. The fee of
// Options.FeeBPS is taken from charges and kept on refunds. Each UTC day is one
// payout. See [payment.StatementSource].
func (p *Provider) Statement(ctx context.Context, from, to time.Time, yield func(payment.StatementLine) error) error {
	all := p.Movements()
	slices.SortStableFunc(all, func(a, b Movement) int { return a.At.Compare(b.At) })
	for i, m := range all {
		k, booked := statementKinds[m.Kind]
		if !booked || m.At.Before(from) || !m.At.Before(to) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		c := m.Amount.Currency()
		gross := k.sign * m.Amount.Minor()
		var fee int64
		if k.kind == "charge" {
			fee = feeOf(gross, p.o.FeeBPS)
		}
		ref := m.Ref
		if ref == "" || p.d.sums && k.kind == "charge" {
			ref = m.Object
		}
		line := payment.StatementLine{
			ID: p.o.Name + "_txn_" + strconv.Itoa(i+1), Kind: k.kind, RawKind: string(m.Kind), Ref: ref, Operation: m.Operation,
			Gross: money.Of(gross, c), Fee: money.Of(fee, c), Net: money.Of(gross-fee, c),
			Payout: "po_" + m.At.UTC().Format("20060102"), At: m.At, AvailableAt: m.At.Add(2 * day),
		}
		if err := yield(line); err != nil {
			return err
		}
	}
	return nil
}

// feeOf is bps of a positive amount, rounded down, without overflow.
func feeOf(minor, bps int64) int64 {
	return minor/10_000*bps + minor%10_000*bps/10_000
}
