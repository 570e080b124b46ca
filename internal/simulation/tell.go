package simulation

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tender-go/payment"
)

// This file puts things into the words of a story.

func tellResult(r payment.Result, err error) string {
	var ce *payment.CallError
	switch {
	case errors.As(err, &ce):
		return fmt.Sprintf("no answer: %s %s", ce.Kind, ce.Code)
	case err != nil:
		return "no answer: " + err.Error()
	}
	s := string(r.Status)
	if r.Ref != "" {
		s += " " + r.Ref
	}
	if r.Amount.Currency() != "" {
		s += " " + r.Amount.String()
	}
	if r.Captured {
		s += " captured"
	}
	if r.Payable {
		s += " payable"
	}
	if !r.Decline.IsZero() {
		s += " " + string(r.Decline.Reason)
	}
	for _, e := range r.Events {
		s += fmt.Sprintf(" +event(%s %s %s %s)", e.Kind, e.Status, e.Ref, e.Amount)
	}
	return s
}

func tellOp(o *payment.Operation) string {
	if o == nil {
		return "no operation"
	}
	s := fmt.Sprintf("%s(%s %s)", o.Kind, tail(o.ID), o.Amount)
	if o.Overpaid {
		s += " overpaid"
	}
	return s
}

func tellEvent(e *payment.Event) string {
	var s []string
	if e.Kind != "" {
		s = append(s, string(e.Kind))
	}
	if e.Status != "" {
		s = append(s, string(e.Status))
	}
	if e.Amount.Currency() != "" {
		s = append(s, e.Amount.String())
	}
	if e.Failure.Kind != "" {
		s = append(s, string(e.Failure.Kind), e.Failure.Code)
	}
	if !e.Applied {
		s = append(s, "not applied")
	}
	if e.Reason != "" {
		s = append(s, "("+e.Reason+")")
	}
	return strings.Join(s, " ")
}

// tellPayment is a payment in one line.
func tellPayment(p *payment.Payment) string {
	var b strings.Builder
	fmt.Fprintf(&b, "v%d %s", p.Version, p.Status)
	for _, o := range p.Operations {
		fmt.Fprintf(&b, " | %s %s %s %s", tail(o.ID), o.Kind, o.State, o.Approved)
		if o.Provider != "" {
			b.WriteString(" " + o.Provider)
		}
		for _, f := range []struct {
			on   bool
			word string
		}{{o.Sale, "sale"}, {o.Charging, "charging"}, {o.Payable, "payable"}, {o.Overpaid, "overpaid"}, {o.Superseded, "superseded"}, {o.Final, "final"}} {
			if f.on {
				b.WriteString(" " + f.word)
			}
		}
		for _, s := range o.Steps {
			fmt.Fprintf(&b, " [%s %s x%d%s%s%s]", s.Name, s.State, s.Sends, when(s.Fence, " fence"), when(s.Doubt, " doubt"), when(s.Closed, " closed"))
		}
	}
	if p.Parked != nil {
		b.WriteString(" PARKED: " + p.Parked.Why)
	}
	return b.String()
}

func tellCall(p *payment.Payment, err error, lived bool) string {
	switch {
	case !lived:
		return "the process ended"
	case err != nil:
		return "error: " + err.Error()
	case p == nil:
		return "nothing"
	}
	return fmt.Sprintf("%s %s", p.Status, p.Next().Kind)
}
