// Package records holds what stores share: deep copies of the records in the
// form in which they are kept, and the text of their list and map columns.
//
// The kept form is the same for every store, so that an engine tested on one
// behaves alike on the others: times in UTC and whole microseconds, empty maps
// and lists as nil, and none of the values that live only inside Sealed
// (Description, Metadata, Action, Token, ProviderCustomer of an event).
package records

import (
	"maps"
	"time"

	"github.com/tender-go/payment"
)

// The bounds of what a column of time holds in every database. A provider's
// clock may be absurd; its fact is kept all the same.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
)

// Time returns t as it is kept: UTC, whole microseconds, within years 1 to
// 9999. The zero value stays the zero value.
func Time(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	t = t.UTC().Truncate(time.Microsecond)
	switch {
	case t.Before(earliest):
		return earliest
	case t.After(latest):
		return latest
	}
	return t
}

// Bytes returns a copy, nil for none.
func Bytes(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b...)
}

func texts(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}

func list[T any](l []T) []T {
	if len(l) == 0 {
		return nil
	}
	return append([]T(nil), l...)
}

// Payment returns a deep copy in the kept form, with operations and steps.
func Payment(p *payment.Payment) *payment.Payment {
	c := PaymentHead(p)
	if len(p.Operations) > 0 {
		c.Operations = make([]*payment.Operation, len(p.Operations))
		for i, o := range p.Operations {
			c.Operations[i] = Operation(o)
		}
	}
	return c
}

// PaymentHead is Payment without the operations.
func PaymentHead(p *payment.Payment) *payment.Payment {
	c := new(payment.Payment)
	*c = *p
	c.Operations = nil
	c.Description, c.Metadata = "", nil
	c.Route = list(p.Route)
	if p.Review != nil {
		r := *p.Review
		r.Until = Time(r.Until)
		c.Review = &r
	}
	if p.Parked != nil {
		k := *p.Parked
		k.Since = Time(k.Since)
		c.Parked = &k
	}
	c.Sealed = Bytes(p.Sealed)
	c.CreatedAt, c.UpdatedAt = Time(p.CreatedAt), Time(p.UpdatedAt)
	c.ExpiresAt, c.DueAt = Time(p.ExpiresAt), Time(p.DueAt)
	return c
}

// Operation returns a deep copy in the kept form, with its steps.
func Operation(o *payment.Operation) *payment.Operation {
	c := OperationHead(o)
	if len(o.Steps) > 0 {
		c.Steps = make([]*payment.Step, len(o.Steps))
		for i, s := range o.Steps {
			c.Steps[i] = Step(s)
		}
	}
	return c
}

// OperationHead is Operation without the steps.
func OperationHead(o *payment.Operation) *payment.Operation {
	c := new(payment.Operation)
	*c = *o
	c.Steps = nil
	c.Action = nil
	c.Refs = list(o.Refs)
	c.Data = texts(o.Data)
	c.Splits = list(o.Splits)
	c.Sealed = Bytes(o.Sealed)
	c.PayableUntil, c.ExpiresAt = Time(o.PayableUntil), Time(o.ExpiresAt)
	c.CreatedAt, c.UpdatedAt = Time(o.CreatedAt), Time(o.UpdatedAt)
	return c
}

// Step returns a deep copy in the kept form.
func Step(s *payment.Step) *payment.Step {
	c := new(payment.Step)
	*c = *s
	c.Request = Bytes(s.Request)
	c.FirstSent, c.LastSent, c.Lease = Time(s.FirstSent), Time(s.LastSent), Time(s.Lease)
	c.DueAt, c.CreatedAt, c.UpdatedAt = Time(s.DueAt), Time(s.CreatedAt), Time(s.UpdatedAt)
	return c
}

// Event returns a deep copy in the kept form.
func Event(e *payment.Event) *payment.Event {
	c := new(payment.Event)
	*c = *e
	c.Action, c.Token, c.ProviderCustomer = nil, payment.Secret{}, ""
	c.Refs = list(e.Refs)
	c.Data = texts(e.Data)
	if e.Dispute != nil {
		d := *e.Dispute
		d.Due = Time(d.Due)
		c.Dispute = &d
	}
	c.ExpiresAt, c.At, c.RecordedAt = Time(e.ExpiresAt), Time(e.At), Time(e.RecordedAt)
	return c
}

// Method returns a deep copy in the kept form.
func Method(m *payment.SavedMethod) *payment.SavedMethod {
	c := new(payment.SavedMethod)
	*c = *m
	c.Action = nil
	c.Data = texts(m.Data)
	c.Sealed = Bytes(m.Sealed)
	c.CreatedAt, c.UpdatedAt = Time(m.CreatedAt), Time(m.UpdatedAt)
	return c
}

// Dispute returns a copy in the kept form.
func Dispute(d *payment.Dispute) *payment.Dispute {
	c := new(payment.Dispute)
	*c = *d
	c.Due, c.CreatedAt, c.UpdatedAt = Time(d.Due), Time(d.CreatedAt), Time(d.UpdatedAt)
	return c
}

// Claim returns a deep copy.
func Claim(c payment.Claim) payment.Claim {
	c.Fingerprint = Bytes(c.Fingerprint)
	return c
}
