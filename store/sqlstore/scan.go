package sqlstore

import (
	"fmt"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/records"
	"github.com/tender-go/payment/money"
)

// The scanners below are one pointer each, so that handing them to Scan
// allocates nothing. They take what any driver of the two databases gives.

type (
	textInto     struct{ p *string }
	numberInto   struct{ p *int64 }
	flagInto     struct{ p *bool }
	timeInto     struct{ p *time.Time }
	bytesInto    struct{ p *[]byte }
	minorInto    struct{ p *money.Amount }
	currencyInto struct{ p *money.Amount }
	// presentInto is a text that is NULL when the record has no such part.
	presentInto struct {
		p       *string
		present *bool
	}
	totalInto struct{ p *money.Amount } // the currency follows
	jsonInto  struct{ p any }
)

func wrong(src any, want string) error {
	return fmt.Errorf("payment: a column gave a %T, want %s: was the table changed by hand?", src, want)
}

func asText(src any) (string, error) {
	switch v := src.(type) {
	case string:
		return unescape(v), nil
	case []byte:
		return unescape(string(v)), nil
	case nil:
		return "", nil
	}
	return "", wrong(src, "text")
}

func (d textInto) Scan(src any) (err error) {
	*d.p, err = asText(src)
	return err
}

func (d presentInto) Scan(src any) (err error) {
	*d.present = src != nil
	*d.p, err = asText(src)
	return err
}

func asNumber(src any) (int64, error) {
	switch v := src.(type) {
	case int64:
		return v, nil
	case nil:
		return 0, nil
	}
	return 0, wrong(src, "an integer")
}

func (d numberInto) Scan(src any) (err error) {
	*d.p, err = asNumber(src)
	return err
}

func (d flagInto) Scan(src any) error {
	switch v := src.(type) {
	case bool:
		*d.p = v
	case int64:
		*d.p = v != 0
	default:
		return wrong(src, "a boolean")
	}
	return nil
}

func (d timeInto) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d.p = time.Time{}
	case time.Time:
		*d.p = records.Time(v)
	case int64:
		*d.p = time.UnixMicro(v).UTC()
	default:
		return wrong(src, "an instant")
	}
	return nil
}

func (d bytesInto) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d.p = nil
	case []byte:
		*d.p = records.Bytes(v) // the driver's own buffer
	case string:
		*d.p = []byte(v)
	default:
		return wrong(src, "bytes")
	}
	return nil
}

func (d minorInto) Scan(src any) error {
	n, err := asNumber(src)
	*d.p = money.Of(n, d.p.Currency())
	return err
}

func (d currencyInto) Scan(src any) error {
	s, err := asText(src)
	*d.p = money.Of(d.p.Minor(), money.Currency(s))
	return err
}

// totalSet marks a total that has a number but no currency yet.
const totalSet = money.Currency("\x00")

func (d totalInto) Scan(src any) error {
	if src == nil {
		*d.p = money.Amount{}
		return nil
	}
	n, err := asNumber(src)
	*d.p = money.Of(n, totalSet)
	return err
}

func (d jsonInto) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		return decode(v, d.p)
	case []byte:
		return decode(string(v), d.p)
	}
	return wrong(src, "JSON text")
}

// row is one row of a result, *sql.Row or *sql.Rows.
type row interface{ Scan(dest ...any) error }

// textAs is textInto for a named type of string.
type textAs[S ~string] struct{ p *S }

func (d textAs[S]) Scan(src any) error {
	s, err := asText(src)
	*d.p = S(s)
	return err
}

func text[S ~string](p *S) textAs[S] { return textAs[S]{p} }

func declineInto(d *payment.Decline) []any {
	return []any{text(&d.Reason), text(&d.Code), jsonInto{d}}
}

func scanPayment(r row) (*payment.Payment, error) {
	p := new(payment.Payment)
	var (
		review             payment.Review
		parked             payment.Parked
		reviewed, isParked bool
		other              map[string]otherAmount
	)
	dest := make([]any, 0, len(paymentTable.columns))
	dest = append(dest, text(&p.ID), numberInto{&p.Version}, text(&p.Reference), flagInto{&p.Additional}, flagInto{&p.HoldsReference},
		minorInto{&p.Amount}, currencyInto{&p.Amount}, text(&p.Customer), text(&p.Capture), text(&p.Status))
	all := totals(&p.Totals)
	for _, a := range all {
		dest = append(dest, totalInto{a})
	}
	dest = append(dest, jsonInto{&other}, jsonInto{&p.Route}, flagInto{&p.Canceled}, flagInto{&p.Expired})
	dest = append(dest, declineInto(&p.Blocked)...)
	dest = append(dest, presentInto{(*string)(&review.Stage), &reviewed}, text(&review.By), text(&review.Reason), timeInto{&review.Until}, text(&review.Operation), flagInto{&review.Passed}, flagInto{&p.PreReviewed},
		timeInto{&parked.Since}, text(&parked.Operation), presentInto{&parked.Why, &isParked}, text(&parked.Missing),
		flagInto{&p.Unattended}, text(&p.Subject), bytesInto{&p.Sealed},
		timeInto{&p.CreatedAt}, timeInto{&p.UpdatedAt}, timeInto{&p.ExpiresAt}, timeInto{&p.DueAt})
	if err := r.Scan(dest...); err != nil {
		return nil, err
	}
	for i, a := range all {
		if o, ok := other[paymentTable.columns[totalsAt+i].name]; ok {
			*a = money.Of(o.Minor, o.Currency)
		} else if a.Currency() == totalSet {
			*a = money.Of(a.Minor(), p.Amount.Currency())
		}
	}
	if reviewed {
		p.Review = &review
	}
	if isParked {
		p.Parked = &parked
	}
	return p, nil
}

func scanOperation(r row) (*payment.Operation, error) {
	o := new(payment.Operation)
	var position int64
	var splits []splitText
	dest := make([]any, 0, len(operationTable.columns))
	dest = append(dest, text(&o.ID), text(&o.PaymentID), numberInto{&position}, numberInto{&o.Revision}, text(&o.Kind), text(&o.Origin), text(&o.Key), text(&o.State), flagInto{&o.Sale},
		minorInto{&o.Amount}, currencyInto{&o.Amount}, minorInto{&o.Approved}, currencyInto{&o.Approved},
		text(&o.Provider), text(&o.Method), text(&o.Target), text(&o.Dispute), text(&o.Ref), jsonInto{&o.Refs}, jsonInto{&o.Data},
		flagInto{&o.Charging}, flagInto{&o.Payable}, timeInto{&o.PayableUntil}, timeInto{&o.ExpiresAt},
		flagInto{&o.Overpaid}, flagInto{&o.Superseded}, flagInto{&o.Final})
	dest = append(dest, declineInto(&o.Decline)...)
	dest = append(dest, text(&o.Failure.Kind), text(&o.Failure.Code), text(&o.Failure.Message), text(&o.Why), jsonInto{&o.Card}, jsonInto{&o.ThreeDS},
		minorInto{&o.Fee}, currencyInto{&o.Fee}, jsonInto{&splits}, bytesInto{&o.Sealed}, timeInto{&o.CreatedAt}, timeInto{&o.UpdatedAt})
	if err := r.Scan(dest...); err != nil {
		return nil, err
	}
	for _, s := range splits {
		o.Splits = append(o.Splits, payment.Split{Account: s.Account, Merchant: s.Merchant,
			Amount: money.Of(s.Minor, s.Currency), Commission: money.Of(s.Commission, s.CommissionCurrency)})
	}
	return o, nil
}

func scanStep(r row) (*payment.Step, error) {
	s := new(payment.Step)
	var paymentID string
	var position, sends, checks int64
	var recovery recoveryText
	if err := r.Scan(text(&s.ID), text(&s.OperationID), text(&paymentID), numberInto{&position}, numberInto{&s.Revision}, text(&s.Name), text(&s.State),
		flagInto{&s.Fence}, flagInto{&s.MovesMoney}, flagInto{&s.Local}, jsonInto{&recovery}, flagInto{&s.Doubt}, flagInto{&s.Closed},
		numberInto{&sends}, timeInto{&s.FirstSent}, timeInto{&s.LastSent}, timeInto{&s.Lease}, numberInto{&checks}, timeInto{&s.DueAt}, text(&s.Ref),
		text(&s.Failure.Kind), text(&s.Failure.Code), text(&s.Failure.Message), bytesInto{&s.Request}, timeInto{&s.CreatedAt}, timeInto{&s.UpdatedAt}); err != nil {
		return nil, err
	}
	s.Recovery, s.Sends, s.Checks = payment.Recovery(recovery), int(sends), int(checks)
	return s, nil
}

func scanEvent(r row) (*payment.Event, error) {
	e := new(payment.Event)
	var dispute *disputeText
	dest := make([]any, 0, len(eventTable.columns))
	dest = append(dest, numberInto{&e.Seq}, text(&e.ID), text(&e.Provider), text(&e.Dedup), text(&e.Kind), text(&e.Status), text(&e.StepKey), text(&e.OperationID),
		text(&e.Ref), jsonInto{&e.Refs}, text(&e.Parent), minorInto{&e.Amount}, currencyInto{&e.Amount},
		flagInto{&e.Cumulative}, flagInto{&e.Captured}, flagInto{&e.Payable})
	dest = append(dest, declineInto(&e.Decline)...)
	dest = append(dest, timeInto{&e.ExpiresAt}, jsonInto{&e.Card}, jsonInto{&e.ThreeDS}, minorInto{&e.Fee}, currencyInto{&e.Fee}, jsonInto{&e.Data}, jsonInto{&dispute},
		timeInto{&e.At}, timeInto{&e.RecordedAt}, text(&e.Type), text(&e.Source), text(&e.PaymentID), flagInto{&e.Applied}, text(&e.Reason), text(&e.State),
		text(&e.PaymentStatus), text(&e.Failure.Kind), text(&e.Failure.Code), text(&e.Failure.Message), text(&e.Who), text(&e.Cites))
	if err := r.Scan(dest...); err != nil {
		return nil, err
	}
	if d := dispute; d != nil {
		e.Dispute = &payment.DisputeFact{Ref: d.Ref, Status: d.Status, Reason: d.Reason, Code: d.Code,
			Amount: money.Of(d.Minor, d.Currency), Fee: money.Of(d.Fee, d.FeeCurrency)}
		if d.HasDue {
			e.Dispute.Due = time.UnixMicro(d.Due).UTC()
		}
	}
	return e, nil
}

func scanClaim(r row) (payment.Claim, error) {
	var c payment.Claim
	err := r.Scan(text(&c.Kind), text(&c.Key), text(&c.Owner), text(&c.Payment), bytesInto{&c.Fingerprint})
	return c, err
}

func scanMethod(r row) (*payment.SavedMethod, error) {
	m := new(payment.SavedMethod)
	dest := []any{text(&m.ID), text(&m.Customer), text(&m.Provider), text(&m.Method), text(&m.State), jsonInto{&m.Card}, text(&m.Ref), jsonInto{&m.Data}}
	dest = append(dest, declineInto(&m.Decline)...)
	dest = append(dest, text(&m.Subject), bytesInto{&m.Sealed}, timeInto{&m.CreatedAt}, timeInto{&m.UpdatedAt})
	return m, r.Scan(dest...)
}

func scanDispute(r row) (*payment.Dispute, error) {
	d := new(payment.Dispute)
	return d, r.Scan(text(&d.ID), text(&d.PaymentID), text(&d.Operation), text(&d.Provider), text(&d.Ref), text(&d.Status), text(&d.Reason), text(&d.Code),
		minorInto{&d.Amount}, currencyInto{&d.Amount}, minorInto{&d.Fee}, currencyInto{&d.Fee}, timeInto{&d.Due}, timeInto{&d.CreatedAt}, timeInto{&d.UpdatedAt})
}
