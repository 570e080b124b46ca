package records

import (
	"slices"
	"strconv"

	"github.com/tender-go/payment"
)

// The bounds of a page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Limit returns the size of a page for the Limit of a query. It refuses what
// is out of range: a page cut in silence looks like the last one.
func Limit(n int) (int, error) {
	switch {
	case n == 0:
		return DefaultLimit, nil
	case n < 0 || n > MaxLimit:
		return 0, &payment.FieldError{Field: "Limit", Problem: "is " + strconv.Itoa(n), Remedy: "use 1 to 1000, or 0 for 100, and go on with After"}
	}
	return n, nil
}

// Matches reports whether a payment passes the filters of a query, bounds of
// time included, After and Limit not.
func Matches(q payment.PaymentQuery, p *payment.Payment) bool {
	switch {
	case q.Reference != "" && p.Reference != q.Reference,
		q.Customer != "" && p.Customer != q.Customer,
		len(q.Statuses) > 0 && !slices.Contains(q.Statuses, p.Status),
		q.ParkedOnly && p.Parked == nil,
		!q.From.IsZero() && p.CreatedAt.Before(Time(q.From)),
		!q.To.IsZero() && !p.CreatedAt.Before(Time(q.To)):
		return false
	}
	return (q.Provider == "" || anyOperation(p, func(o *payment.Operation) bool { return o.Provider == q.Provider })) &&
		(!q.OpenOnly || anyOperation(p, func(o *payment.Operation) bool { return o.State.Outstanding() })) &&
		(len(q.OpenNotAt) == 0 || anyOperation(p, func(o *payment.Operation) bool {
			return o.State.Outstanding() && o.Provider != "" && !slices.Contains(q.OpenNotAt, o.Provider)
		}))
}

func anyOperation(p *payment.Payment, ok func(*payment.Operation) bool) bool {
	return slices.ContainsFunc(p.Operations, ok)
}

// DisputeMatches reports whether a dispute passes the filters of a query.
func DisputeMatches(q payment.DisputeQuery, d *payment.Dispute) bool {
	return (q.PaymentID == "" || d.PaymentID == q.PaymentID) &&
		(q.Provider == "" || d.Provider == q.Provider) &&
		(len(q.Statuses) == 0 || slices.Contains(q.Statuses, d.Status))
}

// Merge returns what a store keeps after p is saved over stored: the head of
// p, and of the operations and steps those whose Revision is p.Version; the
// others stay as stored. The result shares the unchanged operations with
// stored, so both count as immutable.
func Merge(stored, p *payment.Payment) *payment.Payment {
	next := PaymentHead(p)
	next.Operations = slices.Clip(slices.Clone(stored.Operations))
	for _, o := range p.Operations {
		i := slices.IndexFunc(next.Operations, func(s *payment.Operation) bool { return s.ID == o.ID })
		if i < 0 {
			if o.Revision == p.Version {
				next.Operations = append(next.Operations, Operation(o))
			}
			continue
		}
		next.Operations[i] = mergeOperation(next.Operations[i], o, p.Version)
	}
	return next
}

func mergeOperation(stored, o *payment.Operation, version int64) *payment.Operation {
	next := stored
	if o.Revision == version {
		next = OperationHead(o)
		next.Steps = stored.Steps
	}
	own := false // next.Steps is still shared with stored
	for _, s := range o.Steps {
		if s.Revision != version {
			continue
		}
		if next == stored {
			c := *stored // the head stays; only the list of steps changes
			next = &c
		}
		if !own {
			next.Steps, own = slices.Clip(slices.Clone(next.Steps)), true
		}
		if i := slices.IndexFunc(next.Steps, func(t *payment.Step) bool { return t.ID == s.ID }); i >= 0 {
			next.Steps[i] = Step(s)
		} else {
			next.Steps = append(next.Steps, Step(s))
		}
	}
	return next
}
