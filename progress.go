package payment

import "strings"

// This file tells what became of one call, beside what the payment came to as a
// whole.

// Progress is how far what one call asked for has come.
type Progress string

// How far.
const (
	// ProgressNone: the call asked for nothing, or no call had the key.
	ProgressNone Progress = ""
	// ProgressDone: all of it is done.
	ProgressDone Progress = "done"
	// ProgressPending: some of it is on its way, or not known yet. Wait for an
	// event of the payment, or look again.
	ProgressPending Progress = "pending"
	// ProgressPartial: some is done, and the rest is not and will not be.
	ProgressPartial Progress = "partial"
	// ProgressFailed: nothing of it is done, and nothing will be.
	ProgressFailed Progress = "failed"
)

// Asked returns the operations that a call asked for, by the call's idempotency
// key, oldest first: the attempts of a Pay or Proceed, the capture of a Capture,
// the refunds of a Refund, one for each capture that bears it. It is empty if
// the call asked for none.
//
// Calls of two kinds may have the same key: tell them apart by Kind.
func (p *Payment) Asked(key string) []*Operation {
	var out []*Operation
	for _, o := range p.Operations {
		if key != "" && o.Key == key {
			out = append(out, o)
		}
	}
	return out
}

// Progress says what became of the Capture, Void, Cancel, Refund or Transfer with
// the given key, and, where it is not done, why, in words for the shop's staff.
// The payment's own status and [Payment.Next] speak of the payment as a whole,
// and an error of the call only of calls that asked nobody: a refund that the
// provider declines is neither.
//
//	p, err := pay.Refund(ctx, id, payment.RefundParams{Key: key, Amount: amount})
//	if err != nil { ... }                    // nothing was asked of the provider
//	switch how, why := p.Progress(key); how {
//	case payment.ProgressDone:                // tell the customer
//	case payment.ProgressPending:             // tell the customer later, by an event
//	default:                                 // log why, and ask again or otherwise
//	}
func (p *Payment) Progress(key string) (Progress, string) {
	done, open := 0, 0
	var why []string
	asked := p.Asked(key)
	for _, o := range asked {
		switch {
		case o.State == StateApproved:
			done++
		case o.State.Outstanding():
			open++
		case o.State == StateReversed:
			why = append(why, string(o.Kind)+" of "+o.Amount.String()+": done, and undone later by the provider or a bank")
		default:
			why = append(why, string(o.Kind)+" of "+o.Amount.String()+": "+o.cause())
		}
	}
	reason := strings.Join(why, "; ")
	switch {
	case len(asked) == 0:
		return ProgressNone, "no operation was asked for under this key"
	case open > 0:
		return ProgressPending, reason
	case done == len(asked):
		return ProgressDone, ""
	case done > 0:
		return ProgressPartial, reason
	}
	return ProgressFailed, reason
}
