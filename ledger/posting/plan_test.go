package posting

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// tell writes a change on one line.
func tell(c ledger.Change) string {
	entries := func(of []ledger.Entry) string {
		var out []string
		for _, e := range of {
			sign := "+"
			if e.Side == ledger.CreditSide {
				sign = "-"
			}
			out = append(out, fmt.Sprintf("%s%s %s", sign, strings.TrimSuffix(e.Amount.String(), " USD"), strings.TrimSuffix(e.Account, ":USD")))
		}
		return strings.Join(out, ", ")
	}
	switch c := c.(type) {
	case ledger.Transaction:
		if c.Pending {
			return "hold " + c.Key + ": " + entries(c.Entries)
		}
		return "post " + c.Key + ": " + entries(c.Entries)
	case ledger.Settlement:
		final := ""
		if c.Final {
			final = " finally"
		}
		return "settle " + c.Hold + final + " as " + c.Key + ": " + entries(c.Entries)
	case ledger.Reversal:
		return "reverse " + c.Of + " as " + c.Key
	case ledger.Void:
		return "void " + c.Hold + " as " + c.Key
	case ledger.Expiry:
		return "expire " + c.Hold + " as " + c.Key
	}
	return fmt.Sprintf("%T", c)
}

// at is a step of a table: what changes, and what is booked for it.
type at struct {
	change func(p *payment.Payment)
	want   []string
}

func op(o payment.Operation) func(*payment.Payment) {
	return func(p *payment.Payment) {
		o := o
		o.Provider, o.State = "p", payment.StateApproved
		if o.Approved.Currency() == "" {
			o.Approved = o.Amount
		}
		o.Revision = p.Version
		p.Operations = append(p.Operations, &o)
	}
}

func turn(id string, f func(o *payment.Operation)) func(*payment.Payment) {
	return func(p *payment.Payment) {
		o := p.Operation(id)
		f(o)
		o.Revision = p.Version
	}
}

func state(s payment.State) func(*payment.Operation) {
	return func(o *payment.Operation) { o.State = s }
}

func disputeAt(s payment.State, minor int64) func(*payment.Operation) {
	return func(o *payment.Operation) {
		o.State, o.Amount, o.Approved = s, usd(minor), usd(0)
		if s == payment.StateApproved {
			o.Approved = o.Amount
		}
	}
}

func both(all ...func(*payment.Payment)) func(*payment.Payment) {
	return func(p *payment.Payment) {
		for _, f := range all {
			f(p)
		}
	}
}

// The pure core, table by table: no store, no client.
func TestWhatIsBooked(t *testing.T) {
	t.Parallel()
	hold := op(payment.Operation{ID: "o1", Kind: payment.OpAuthorize, Amount: usd(1000)})
	sale := op(payment.Operation{ID: "o1", Kind: payment.OpAuthorize, Sale: true, Amount: usd(1000)})
	split := []payment.Split{{Merchant: "m", Account: "acct", Amount: usd(600), Commission: usd(60)}, {Amount: usd(400)}}
	market := op(payment.Operation{ID: "o1", Kind: payment.OpAuthorize, Sale: true, Amount: usd(1000), Splits: split})
	capture := func(id string, minor int64, final bool) func(*payment.Payment) {
		return op(payment.Operation{ID: id, Kind: payment.OpCapture, Target: "o1", Amount: usd(minor), Final: final})
	}
	refund := func(id string, minor int64) func(*payment.Payment) {
		return op(payment.Operation{ID: id, Kind: payment.OpRefund, Target: "o1", Amount: usd(minor)})
	}
	dispute := func(p *payment.Payment) {
		op(payment.Operation{ID: "o2", Kind: payment.OpDispute, Target: "o1", Amount: usd(1000)})(p)
		turn("o2", disputeAt(payment.StatePending, 1000))(p)
	}
	const held = "hold o1:held: +10.00 psp:p:clearing, -10.00 shop:sales"
	const captured = "post o1:captured: +10.00 psp:p:clearing, -10.00 shop:sales"
	const disputedLine = "post o2:disputed: +10.00 psp:p:disputed, -10.00 psp:p:clearing"
	for name, steps := range map[string][]at{
		"planned and declined": {{both(sale, turn("o1", state(payment.StatePlanned))), nil}, {turn("o1", state(payment.StateDeclined)), nil}},
		"a late success":       {{both(sale, turn("o1", state(payment.StateDeclined))), nil}, {turn("o1", state(payment.StateApproved)), []string{captured}}},
		"a hold, captured":     {{hold, []string{held}}, {capture("o2", 1000, true), []string{"settle o1:held finally as o2:captured: +10.00 psp:p:clearing, -10.00 shop:sales"}}},
		"captured in parts, the last releases the rest": {{hold, []string{held}},
			{capture("o2", 300, false), []string{"settle o1:held as o2:captured: +3.00 psp:p:clearing, -3.00 shop:sales"}},
			{capture("o3", 400, true), []string{"settle o1:held finally as o3:captured: +4.00 psp:p:clearing, -4.00 shop:sales"}}},
		"voided":          {{hold, []string{held}}, {op(payment.Operation{ID: "o2", Kind: payment.OpVoid, Target: "o1", Amount: usd(1000)}), []string{"void o1:held as o1:held:undone"}}},
		"reversed":        {{hold, []string{held}}, {turn("o1", state(payment.StateReversed)), []string{"void o1:held as o1:held:undone"}}},
		"voided in part":  {{hold, []string{held}}, {op(payment.Operation{ID: "o2", Kind: payment.OpVoid, Target: "o1", Amount: usd(400)}), []string{"void o1:held as o1:held:undone", "hold o1:held#2: +6.00 psp:p:clearing, -6.00 shop:sales"}}},
		"captured beyond": {{hold, []string{held}}, {capture("o2", 1200, true), []string{"post o2:captured: +12.00 psp:p:clearing, -12.00 shop:sales", "void o1:held as o1:held:undone"}}},
		"a capture fails later": {{both(hold, capture("o2", 1000, true)), []string{"post o2:captured: +10.00 psp:p:clearing, -10.00 shop:sales"}},
			{turn("o2", state(payment.StateReversed)), []string{"reverse o2:captured as o2:captured:undone", held}}},
		"captured after the hold had ended": {{hold, []string{held}},
			{op(payment.Operation{ID: "o2", Kind: payment.OpVoid, Origin: payment.OriginProvider, Target: "o1", Amount: usd(1000)}), []string{"void o1:held as o1:held:undone"}},
			{both(capture("o3", 1000, true), turn("o2", state(payment.StateReversed))), []string{"post o3:captured: +10.00 psp:p:clearing, -10.00 shop:sales"}}},
		"refunded, and the bank sends it back": {{sale, []string{captured}},
			{refund("o2", 400), []string{"post o2:refunded: +4.00 shop:refunds, -4.00 psp:p:clearing"}},
			{turn("o2", state(payment.StateReversed)), []string{"reverse o2:refunded as o2:refunded:undone"}}},
		"refunded beyond": {{sale, []string{captured}}, {refund("o2", 1100), []string{"post o2:refunded: +10.00 shop:refunds, +1.00 suspense:excess, -11.00 psp:p:clearing"}}},
		"a split sale, refunded twice": {{market, []string{"post o1:captured: +10.00 psp:p:clearing, -5.40 merchant:m:payable, -0.60 platform:commission, -4.00 shop:sales"}},
			{refund("o2", 333), []string{"post o2:refunded: +1.80 merchant:m:payable, +0.20 platform:commission, +1.33 shop:refunds, -3.33 psp:p:clearing"}},
			{refund("o3", 667), []string{"post o3:refunded: +3.60 merchant:m:payable, +0.40 platform:commission, +2.67 shop:refunds, -6.67 psp:p:clearing"}}},
		"a refund with splits of its own": {{market, []string{"post o1:captured: +10.00 psp:p:clearing, -5.40 merchant:m:payable, -0.60 platform:commission, -4.00 shop:sales"}},
			{op(payment.Operation{ID: "o2", Kind: payment.OpRefund, Target: "o1", Amount: usd(500), Splits: []payment.Split{{Merchant: "m", Amount: usd(500)}}}), []string{"post o2:refunded: +5.00 merchant:m:payable, -5.00 psp:p:clearing"}}},
		"a hold with splits, captured in part without": {{both(hold, turn("o1", func(o *payment.Operation) { o.Splits = split })), []string{"hold o1:held: +10.00 psp:p:clearing, -5.40 merchant:m:payable, -0.60 platform:commission, -4.00 shop:sales"}},
			{capture("o2", 500, false), []string{"settle o1:held as o2:captured: +5.00 psp:p:clearing, -2.70 merchant:m:payable, -0.30 platform:commission, -2.00 shop:sales"}}},
		"a capture split otherwise than its hold": {{both(hold, turn("o1", func(o *payment.Operation) { o.Splits = split })), []string{"hold o1:held: +10.00 psp:p:clearing, -5.40 merchant:m:payable, -0.60 platform:commission, -4.00 shop:sales"}},
			{op(payment.Operation{ID: "o2", Kind: payment.OpCapture, Target: "o1", Amount: usd(700), Splits: []payment.Split{{Merchant: "m", Amount: usd(700)}}}), []string{"post o2:captured: +7.00 psp:p:clearing, -7.00 merchant:m:payable", "void o1:held as o1:held:undone",
				"hold o1:held#2: +3.00 psp:p:clearing, -1.62 merchant:m:payable, -0.18 platform:commission, -1.20 shop:sales"}}},
		"a dispute, won": {{both(sale, dispute), []string{captured, disputedLine}}, {turn("o2", disputeAt(payment.StateDeclined, 1000)), []string{"reverse o2:disputed as o2:disputed:undone"}}},
		"a dispute, lost, and won after all, and opened again": {{both(sale, dispute), []string{captured, disputedLine}},
			{turn("o2", disputeAt(payment.StateApproved, 1000)), []string{"post o2:dispute_lost: +10.00 shop:chargebacks, -10.00 psp:p:disputed"}},
			{turn("o2", disputeAt(payment.StateDeclined, 1000)), []string{"reverse o2:disputed as o2:disputed:undone", "reverse o2:dispute_lost as o2:dispute_lost:undone"}},
			{turn("o2", disputeAt(payment.StatePending, 700)), []string{"post o2:disputed#2: +7.00 psp:p:disputed, -7.00 psp:p:clearing"}}},
		"an inquiry becomes a dispute of less": {{both(sale, dispute, turn("o2", disputeAt(payment.StatePending, 0))), []string{captured}},
			{turn("o2", disputeAt(payment.StatePending, 500)), []string{"post o2:disputed: +5.00 psp:p:disputed, -5.00 psp:p:clearing"}},
			{turn("o2", disputeAt(payment.StatePending, 300)), []string{"reverse o2:disputed as o2:disputed:undone", "post o2:disputed#2: +3.00 psp:p:disputed, -3.00 psp:p:clearing"}}},
		"a dispute fee, and it is given back": {{both(sale, dispute, turn("o2", func(o *payment.Operation) { o.Fee = usd(1500) })), []string{captured, disputedLine, "post o2:dispute_fee: +15.00 fees:dispute:p, -15.00 psp:p:clearing"}},
			{turn("o2", func(o *payment.Operation) { o.Fee = usd(0) }), []string{"reverse o2:dispute_fee as o2:dispute_fee:undone"}}},
		"a fee is told late, and corrected, in another currency": {{sale, []string{captured}},
			{turn("o1", func(o *payment.Operation) { o.Fee = usd(59) }), []string{"post o1:fee: +0.59 fees:psp:p, -0.59 psp:p:clearing"}},
			{turn("o1", func(o *payment.Operation) { o.Fee = money.Of(55, "EUR") }), []string{"reverse o1:fee as o1:fee:undone", "post o1:fee#2: +0.55 EUR fees:psp:p:EUR, -0.55 EUR psp:p:clearing:EUR"}},
			{turn("o1", func(o *payment.Operation) { o.Fee = usd(-2) }), []string{"reverse o1:fee#2 as o1:fee#2:undone", "post o1:fee#3: -0.02 fees:psp:p, +0.02 psp:p:clearing"}}},
		"a transfer to a merchant known by its account": {{market, []string{"post o1:captured: +10.00 psp:p:clearing, -5.40 merchant:m:payable, -0.60 platform:commission, -4.00 shop:sales"}},
			{op(payment.Operation{ID: "o2", Kind: payment.OpTransfer, Target: "o1", Amount: usd(540), Splits: []payment.Split{{Account: "acct", Amount: usd(540)}}}), []string{"post o2:transferred: +5.40 merchant:m:payable, -5.40 psp:p:clearing"}},
			{turn("o2", state(payment.StateReversed)), []string{"reverse o2:transferred as o2:transferred:undone"}}},
		"a second success, and it goes back": {{both(sale, turn("o1", func(o *payment.Operation) { o.Overpaid = true })), []string{"post o1:overpaid: +10.00 psp:p:clearing, -10.00 suspense:overpaid"}},
			{both(refund("o2", 1000), turn("o2", func(o *payment.Operation) { o.Overpaid = true })), []string{"post o2:overpaid_refunded: +10.00 suspense:overpaid, -10.00 psp:p:clearing"}}},
		"a second authorization, and it is voided": {{both(hold, turn("o1", func(o *payment.Operation) { o.Overpaid = true })), []string{"hold o1:held_overpaid: +10.00 psp:p:clearing, -10.00 suspense:overpaid"}},
			{op(payment.Operation{ID: "o2", Kind: payment.OpVoid, Target: "o1", Amount: usd(1000), Overpaid: true}), []string{"void o1:held_overpaid as o1:held_overpaid:undone"}}},
		"money turns out not to be the order's": {{both(hold, capture("o2", 400, false)), []string{"post o2:captured: +4.00 psp:p:clearing, -4.00 shop:sales", "hold o1:held: +6.00 psp:p:clearing, -6.00 shop:sales"}},
			{both(turn("o1", func(o *payment.Operation) { o.Overpaid = true }), turn("o2", func(o *payment.Operation) { o.Overpaid = true })), []string{"reverse o2:captured as o2:captured:undone",
				"post o2:overpaid: +4.00 psp:p:clearing, -4.00 suspense:overpaid", "void o1:held as o1:held:undone", "hold o1:held_overpaid: +6.00 psp:p:clearing, -6.00 suspense:overpaid"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &payment.Payment{ID: "p", Reference: "order-1", Amount: usd(1000)}
			books, booked := Default(), journal{}
			for i, step := range steps {
				p.Version++
				step.change(p)
				x := &pass{books: books, p: p, journal: booked, at: time.Unix(1, 0)}
				var got []string
				for _, c := range x.book(changed(p, false)) {
					got = append(got, tell(c))
				}
				require.Equal(t, step.want, got, "step %d", i+1)
			}
		})
	}
}

// What ends by its time is an expiry.
func TestExpiredHold(t *testing.T) {
	t.Parallel()
	p := &payment.Payment{ID: "p", Amount: usd(1000), Version: 1}
	op(payment.Operation{ID: "o1", Kind: payment.OpAuthorize, Amount: usd(1000)})(p)
	booked := journal{}
	(&pass{books: Default(), p: p, journal: booked}).book(changed(p, false))
	p.Version++
	op(payment.Operation{ID: "o2", Kind: payment.OpVoid, Target: "o1", Amount: usd(1000)})(p)
	x := &pass{books: Default(), p: p, journal: booked, expired: true}
	got := x.book(changed(p, false))
	require.Len(t, got, 1)
	require.Equal(t, "expire o1:held as o1:held:undone", tell(got[0]))
}

// Metadata holds ids, and of those only what can be kept.
func TestMetadata(t *testing.T) {
	t.Parallel()
	x := &pass{p: &payment.Payment{ID: "p", Reference: "order-1"}}
	require.Equal(t, map[string]string{"payment": "p", "operation": "o", "reference": "order-1", "provider_ref": "pi_1", "amount": "1.00 USD"},
		x.metadata(&payment.Operation{ID: "o", Ref: "pi_1"}, "1.00 USD"))
	require.NotContains(t, x.metadata(&payment.Operation{ID: "o", Ref: "pi\n1"}, ""), "provider_ref")
	now := time.Unix(1000, 0)
	require.Equal(t, now, dated(&payment.Event{RecordedAt: now}))
	require.Equal(t, now, dated(&payment.Event{RecordedAt: now, At: now.Add(time.Hour)}), "a provider's clock that is ahead dates nothing into the future")
	require.Equal(t, now.Add(-time.Hour), dated(&payment.Event{RecordedAt: now, At: now.Add(-time.Hour)}))
}
