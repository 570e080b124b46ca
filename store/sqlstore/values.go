package sqlstore

import (
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/records"
	"github.com/tender-go/payment/money"
)

// values collects the values of one row, in the order of the table's columns.
// An error is kept until the end.
type values struct {
	dialect Dialect
	args    []any
	err     error
}

func (v *values) text(s string) { v.args = append(v.args, escape(s)) }
func (v *values) number(n int64) {
	v.args = append(v.args, n)
}

func (v *values) flag(b bool) {
	if v.dialect == Postgres {
		v.args = append(v.args, b)
		return
	}
	v.args = append(v.args, bit(b))
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// time keeps an instant, NULL for none.
func (v *values) time(t time.Time) {
	if t.IsZero() {
		v.args = append(v.args, nil)
		return
	}
	v.instant(t)
}

// instant keeps an instant that rows are sorted by: none sorts first.
func (v *values) instant(t time.Time) { v.args = append(v.args, v.dialect.instant(t)) }

func (d Dialect) instant(t time.Time) any {
	t = records.Time(t)
	if d == Postgres {
		return t
	}
	return t.UnixMicro()
}

func (v *values) bytes(b []byte) {
	if len(b) == 0 {
		v.args = append(v.args, nil)
		return
	}
	v.args = append(v.args, b)
}

func (v *values) json(x any) {
	s, err := encode(x)
	if err != nil && v.err == nil {
		v.err = err
	}
	v.args = append(v.args, s)
}

func (v *values) amount(a money.Amount) {
	v.number(a.Minor())
	v.text(string(a.Currency()))
}

// decline keeps what people ask for in columns, and the rest as JSON.
func (v *values) decline(d payment.Decline) {
	v.text(string(d.Reason))
	v.text(d.Code)
	d.Reason, d.Code = "", ""
	v.json(d)
}

func (v *values) failure(f payment.Failure) {
	v.text(string(f.Kind))
	v.text(f.Code)
	v.text(f.Message)
}

// totals lists the amounts of Totals in the order of their columns.
func totals(t *payment.Totals) []*money.Amount {
	return []*money.Amount{
		&t.Authorized.Done, &t.Authorized.Pending, &t.Captured.Done, &t.Captured.Pending, &t.Voided.Done, &t.Voided.Pending,
		&t.Refunded.Done, &t.Refunded.Pending, &t.Disputed.Done, &t.Disputed.Pending, &t.Overpaid.Done, &t.Overpaid.Pending,
		&t.OverpaidRefunded.Done, &t.OverpaidRefunded.Pending, &t.Transferred.Done, &t.Transferred.Pending,
	}
}

// totalsAt is the first column of totals, and totalColumns their number.
const (
	totalsAt     = 10
	totalColumns = 16
)

// otherAmount is a total in another currency than the payment's.
type otherAmount struct {
	Minor    int64          `json:"minor"`
	Currency money.Currency `json:"currency"`
}

func (v *values) payment(p *payment.Payment) {
	v.text(p.ID)
	v.number(p.Version)
	v.text(p.Reference)
	v.flag(p.Additional)
	v.flag(p.HoldsReference)
	v.amount(p.Amount)
	v.text(p.Customer)
	v.text(string(p.Capture))
	v.text(string(p.Status))
	t := p.Totals
	var other map[string]otherAmount
	for i, a := range totals(&t) {
		switch {
		case *a == money.Amount{}:
			v.args = append(v.args, nil)
		case a.Currency() == p.Amount.Currency():
			v.number(a.Minor())
		default:
			v.args = append(v.args, nil)
			if other == nil {
				other = map[string]otherAmount{}
			}
			other[paymentTable.columns[totalsAt+i].name] = otherAmount{a.Minor(), a.Currency()}
		}
	}
	v.json(other)
	v.json(p.Route)
	v.flag(p.Canceled)
	v.flag(p.Expired)
	v.decline(p.Blocked)
	if r := p.Review; r != nil {
		v.text(string(r.Stage))
		v.text(r.By)
		v.text(r.Reason)
		v.time(r.Until)
		v.text(r.Operation)
		v.flag(r.Passed)
	} else {
		v.args = append(v.args, nil, nil, nil, nil, nil)
		v.flag(false)
	}
	v.flag(p.PreReviewed)
	if k := p.Parked; k != nil {
		v.time(k.Since)
		v.text(k.Operation)
		v.text(k.Why)
		v.text(k.Missing)
	} else {
		v.args = append(v.args, nil, nil, nil, nil)
	}
	v.flag(p.Unattended)
	v.text(p.Subject)
	v.bytes(p.Sealed)
	v.instant(p.CreatedAt)
	v.time(p.UpdatedAt)
	v.time(p.ExpiresAt)
	v.time(p.DueAt)
}

// splitText is a payment.Split as JSON: an amount that is not set has no
// encoding of its own.
type splitText struct {
	Account            string         `json:"account,omitempty"`
	Merchant           string         `json:"merchant,omitempty"`
	Minor              int64          `json:"amount"`
	Currency           money.Currency `json:"currency,omitempty"`
	Commission         int64          `json:"commission,omitempty"`
	CommissionCurrency money.Currency `json:"commission_currency,omitempty"`
}

func (v *values) splits(all []payment.Split) {
	if len(all) == 0 {
		v.args = append(v.args, nil)
		return
	}
	texts := make([]splitText, len(all))
	for i, s := range all {
		texts[i] = splitText{s.Account, s.Merchant, s.Amount.Minor(), s.Amount.Currency(), s.Commission.Minor(), s.Commission.Currency()}
	}
	v.json(texts)
}

// recoveryText is a payment.Recovery with names that outlive a renaming. The
// conversion between the two fails to compile when a field is added.
type recoveryText struct {
	KeyLife          time.Duration `json:"key_life,omitempty"`
	Lookup           bool          `json:"lookup,omitempty"`
	LookupGrace      time.Duration `json:"lookup_grace,omitempty"`
	FenceByReference bool          `json:"fence_by_reference,omitempty"`
	Webhook          bool          `json:"webhook,omitempty"`
	Report           bool          `json:"report,omitempty"`
	ReplayPending    bool          `json:"replay_pending,omitempty"`
}

func (v *values) operation(o *payment.Operation, paymentID string, position int) {
	v.text(o.ID)
	v.text(paymentID)
	v.number(int64(position))
	v.number(o.Revision)
	v.text(string(o.Kind))
	v.text(string(o.Origin))
	v.text(o.Key)
	v.text(string(o.State))
	v.flag(o.Sale)
	v.amount(o.Amount)
	v.amount(o.Approved)
	v.text(o.Provider)
	v.text(string(o.Method))
	v.text(o.Target)
	v.text(o.Dispute)
	v.text(o.Ref)
	v.json(o.Refs)
	v.json(o.Data)
	v.flag(o.Charging)
	v.flag(o.Payable)
	v.time(o.PayableUntil)
	v.time(o.ExpiresAt)
	v.flag(o.Overpaid)
	v.flag(o.Superseded)
	v.flag(o.Final)
	v.decline(o.Decline)
	v.failure(o.Failure)
	v.text(o.Why)
	v.json(o.Card)
	v.json(o.ThreeDS)
	v.amount(o.Fee)
	v.splits(o.Splits)
	v.bytes(o.Sealed)
	v.time(o.CreatedAt)
	v.time(o.UpdatedAt)
}

func (v *values) step(s *payment.Step, operationID, paymentID string, position int) {
	v.text(s.ID)
	v.text(operationID)
	v.text(paymentID)
	v.number(int64(position))
	v.number(s.Revision)
	v.text(s.Name)
	v.text(string(s.State))
	v.flag(s.Fence)
	v.flag(s.MovesMoney)
	v.flag(s.Local)
	v.json(recoveryText(s.Recovery))
	v.flag(s.Doubt)
	v.flag(s.Closed)
	v.number(int64(s.Sends))
	v.time(s.FirstSent)
	v.time(s.LastSent)
	v.time(s.Lease)
	v.number(int64(s.Checks))
	v.time(s.DueAt)
	v.text(s.Ref)
	v.failure(s.Failure)
	v.bytes(s.Request)
	v.time(s.CreatedAt)
	v.time(s.UpdatedAt)
}

// disputeText is a payment.DisputeFact as JSON.
type disputeText struct {
	Ref         string                `json:"ref,omitempty"`
	Status      payment.DisputeStatus `json:"status,omitempty"`
	Reason      string                `json:"reason,omitempty"`
	Code        string                `json:"code,omitempty"`
	Minor       int64                 `json:"amount"` // never omitted: an empty fact is not none
	Currency    money.Currency        `json:"currency,omitempty"`
	Fee         int64                 `json:"fee,omitempty"`
	FeeCurrency money.Currency        `json:"fee_currency,omitempty"`
	Due         int64                 `json:"due,omitempty"` // microseconds since 1970
	HasDue      bool                  `json:"has_due,omitempty"`
}

func (v *values) disputeFact(d *payment.DisputeFact) {
	if d == nil {
		v.args = append(v.args, nil)
		return
	}
	text := &disputeText{Ref: d.Ref, Status: d.Status, Reason: d.Reason, Code: d.Code, Minor: d.Amount.Minor(), Currency: d.Amount.Currency(),
		Fee: d.Fee.Minor(), FeeCurrency: d.Fee.Currency()}
	if !d.Due.IsZero() {
		text.Due, text.HasDue = records.Time(d.Due).UnixMicro(), true
	}
	v.json(text)
}

// event leaves seq out, which the database gives.
func (v *values) event(e *payment.Event) {
	v.text(e.ID)
	v.text(e.Provider)
	v.text(e.Dedup)
	v.text(string(e.Kind))
	v.text(string(e.Status))
	v.text(e.StepKey)
	v.text(e.OperationID)
	v.text(e.Ref)
	v.json(e.Refs)
	v.text(e.Parent)
	v.amount(e.Amount)
	v.flag(e.Cumulative)
	v.flag(e.Captured)
	v.flag(e.Payable)
	v.decline(e.Decline)
	v.time(e.ExpiresAt)
	v.json(e.Card)
	v.json(e.ThreeDS)
	v.amount(e.Fee)
	v.json(e.Data)
	v.disputeFact(e.Dispute)
	v.time(e.At)
	v.time(e.RecordedAt)
	v.text(string(e.Type))
	v.text(string(e.Source))
	v.text(e.PaymentID)
	v.flag(e.Applied)
	v.text(e.Reason)
	v.text(string(e.State))
	v.text(string(e.PaymentStatus))
	v.failure(e.Failure)
	v.text(e.Who)
	v.text(e.Cites)
}

func (v *values) claim(c payment.Claim) {
	v.text(string(c.Kind))
	v.args = append(v.args, indexed(c.Key))
	v.text(c.Owner)
	v.text(c.Payment)
	v.bytes(c.Fingerprint)
}

func (v *values) method(m *payment.SavedMethod) {
	v.text(m.ID)
	v.text(m.Customer)
	v.text(m.Provider)
	v.text(string(m.Method))
	v.text(string(m.State))
	v.json(m.Card)
	v.text(m.Ref)
	v.json(m.Data)
	v.decline(m.Decline)
	v.text(m.Subject)
	v.bytes(m.Sealed)
	v.instant(m.CreatedAt)
	v.time(m.UpdatedAt)
}

func (v *values) dispute(d *payment.Dispute) {
	v.text(d.ID)
	v.text(d.PaymentID)
	v.text(d.Operation)
	v.text(d.Provider)
	v.text(d.Ref)
	v.text(string(d.Status))
	v.text(d.Reason)
	v.text(d.Code)
	v.amount(d.Amount)
	v.amount(d.Fee)
	v.time(d.Due)
	v.instant(d.CreatedAt)
	v.time(d.UpdatedAt)
}
