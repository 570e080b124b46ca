package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

func lower(c money.Currency) string { return strings.ToLower(string(c)) }

// printTable writes one line per attempt, the first with what became of the
// order, and under it, for each failure, what the payer read and what the payer
// can do, in the language of the order.
func printTable(out io.Writer, rows []row) {
	type line struct {
		cells []string
		under []string
	}
	lines := []line{{cells: []string{"ORDER", "AMOUNT", "PROVIDER", "METHOD", "STATES", "FINAL", "KEPT", "WHAT HAPPENED"}}}
	for _, r := range rows {
		p := r.payment()
		if p == nil {
			lines = append(lines, line{[]string{r.order.Number, show(r.order.Amount), "-", "-", "-", "none", "-", r.order.Note}, failures(r, nil)})
			continue
		}
		for i, a := range r.attempts {
			provider, method := "-", "-"
			if a.op != nil {
				provider, method = a.op.Provider, methodName(a.op)
			}
			if r.order.Pay[0].OneClick {
				method += ", saved"
			}
			states := make([]string, len(a.states))
			for i, s := range a.states {
				states[i] = string(s)
			}
			l := line{[]string{"", "", provider, method, strings.Join(states, " > "), "", "", ""}, failures(r, a.op)}
			if i == 0 {
				l.cells[0], l.cells[1], l.cells[5], l.cells[6], l.cells[7] = r.order.Number, show(p.Amount), string(p.Status), show(r.kept()), r.order.Note
			}
			lines = append(lines, l)
		}
	}
	width := make([]int, len(lines[0].cells))
	for _, l := range lines {
		for i, c := range l.cells {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for _, l := range lines {
		var b strings.Builder
		for i, c := range l.cells {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if i == 1 || i == 6 { // amounts end at the same column
				c, pad = pad+c, ""
			}
			b.WriteString(c + pad + "  ")
		}
		fmt.Fprintln(out, strings.TrimRight(b.String(), " "))
		for _, u := range l.under {
			fmt.Fprintln(out, "         "+u)
		}
	}
}

// methodName is the method as a person would say it: visa 4242.
func methodName(o *payment.Operation) string {
	if o.Card.Last4 == "" {
		return string(o.Method)
	}
	_, brand, ok := strings.Cut(string(o.Card.Brand), ".")
	if !ok {
		brand = string(o.Method)
	}
	return brand + " " + o.Card.Last4
}

// failures says what the payer reads and can do where an attempt failed or
// waits. The lines on the payment as a whole stand under its last attempt.
func failures(r row, op *payment.Operation) []string {
	var out []string
	say := func(what string, t payment.Text) {
		out = append(out, "! "+what+": "+t.Title+" - "+t.Body, "  > "+t.Advice)
	}
	p := r.payment()
	if op != nil {
		if !op.Decline.IsZero() {
			say(fmt.Sprintf("%s (%s)", op.State, op.Decline.Reason), op.Decline.Text(r.order.Language))
		}
		for _, o := range p.Operations {
			if o.Failure.Kind != "" && o.State != payment.StateApproved && (o == op || o.Target == op.ID) {
				out = append(out, fmt.Sprintf("! %s %s (%s %s): %s", o.Kind, o.State, o.Failure.Kind, o.Failure.Code, o.Failure.Message))
			}
		}
	}
	if len(r.attempts) > 0 && op != r.attempts[len(r.attempts)-1].op {
		return out
	}
	if p != nil {
		switch next := p.Next(); next.Kind {
		case payment.PayerMustAct, payment.Wait:
			what := string(p.Status)
			if next.Action != nil {
				what += " (" + string(next.Action.Kind) + ")"
			}
			say(what, next.Text(r.order.Language))
		case payment.Refused:
			if len(out) == 0 && p.Status == payment.StatusCanceled {
				say("canceled", next.Text(r.order.Language))
			}
		case payment.Paid:
		}
	}
	if r.refused != "" {
		out = append(out, "! the shop refused: "+r.refused)
	}
	return out
}

// show is an amount on one line of a terminal.
func show(a money.Amount) string { return plain(a.Format("en")) }

// plain takes the no-break spaces out, which some terminals draw oddly.
func plain(s string) string {
	return strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(s)
}

// printTotals shows both sides of the books.
func printTotals(out io.Writer, totals []total, compared bool) {
	fmt.Fprintln(out)
	if !compared {
		fmt.Fprintf(out, "%-8s %18s %18s\n", "", "captured", "refunded")
		for _, t := range totals {
			fmt.Fprintf(out, "%-8s %18s %18s\n", t.currency, show(t.captured), show(t.refunded))
		}
		return
	}
	fmt.Fprintf(out, "%-8s %18s %18s %22s %22s\n", "", "captured", "refunded", "sandbox collected", "sandbox kept")
	for _, t := range totals {
		fmt.Fprintf(out, "%-8s %18s %18s %22s %22s\n", t.currency, show(t.captured), show(t.refunded), show(t.gross), show(t.net))
	}
}
