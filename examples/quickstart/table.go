package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

func lower(c money.Currency) string { return strings.ToLower(string(c)) }

// columns is how wide a line may be: what does not fit goes on below.
const columns = 112

// under is how far what belongs to an order stands to the right of it.
const under = "         "

// printTable writes a line per order with what became of it. Under it stand the
// attempts, one after the other, each with the states that the payment went
// through; what the payer read where one failed or waits, and can do, in the
// payer's own language and in English; and what a second tab showed.
func printTable(out io.Writer, rows []row) {
	type line struct {
		cells []string
		under []string
	}
	lines := []line{{cells: []string{"ORDER", "AMOUNT", "FINAL", "KEPT", "PAYER", "WHAT HAPPENED"}}}
	for _, r := range rows {
		l := line{cells: []string{r.order.Number, show(r.order.Amount), "none", "-", payer(r.order), r.order.Note}}
		p := r.payment()
		if p == nil {
			l.under = failures(r, nil)
			lines = append(lines, l)
			continue
		}
		l.cells[1], l.cells[2], l.cells[3] = show(p.Amount), string(p.Status), show(r.kept())
		for _, a := range r.attempts {
			l.under = append(l.under, a.line(r.order))
			l.under = append(l.under, failures(r, a.op)...)
		}
		for _, t := range r.second {
			l.under = append(l.under, wrap("= the second "+t.where+" read: ", t.text.Title+" - "+t.text.Body+" "+t.text.Advice)...)
		}
		lines = append(lines, l)
	}
	width := make([]int, len(lines[0].cells))
	for _, l := range lines {
		for i, c := range l.cells {
			width[i] = max(width[i], screen(c))
		}
	}
	for _, l := range lines {
		var b strings.Builder
		for i, c := range l.cells {
			pad := strings.Repeat(" ", width[i]-screen(c))
			if i == 1 || i == 3 { // amounts end at the same column
				c, pad = pad+c, ""
			}
			b.WriteString(c + pad + "  ")
		}
		fmt.Fprintln(out, strings.TrimRight(b.String(), " "))
		for _, u := range l.under {
			fmt.Fprintln(out, under+u)
		}
	}
	fmt.Fprintln(out, `
KEPT   what the shop has of an order in the end: captured, less what went back to the payer
FINAL  the payment's status; under each order its attempts, with the states that the payment went through
!  >   what the payer read, and can do, in the payer's language and in English
=      what the payer read who pressed the button a second time, or in a second tab: it is the same payment`)
}

// payer says who pays, and whether the button was the one-click one.
func payer(o order) string {
	switch {
	case o.Customer == "":
		return "guest"
	case o.Pay[0].OneClick:
		return "one click"
	}
	return "customer"
}

// line is an attempt on one line.
func (a attempt) line(o order) string {
	provider, method := "-", "-"
	if a.op != nil {
		provider, method = a.op.Provider, methodName(a.op)
	}
	if o.Pay[0].OneClick {
		method += ", saved"
	}
	states := make([]string, len(a.states))
	for i, s := range a.states {
		states[i] = string(s)
	}
	return fmt.Sprintf("%s  %-16s  %s", provider, method, strings.Join(states, " > "))
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
	say := func(what string, text func(language string) payment.Text) {
		t := text(r.order.Language)
		out = append(out, wrap("! "+what+": ", t.Title+" - "+t.Body)...)
		out = append(out, wrap("  > ", t.Advice)...)
		if en := text("en"); en != t {
			out = append(out, wrap("    in English: ", en.Title+" - "+en.Body+" > "+en.Advice)...)
		}
	}
	p := r.payment()
	if op != nil {
		if !op.Decline.IsZero() {
			say(fmt.Sprintf("%s (%s)", op.State, op.Decline.Reason), op.Decline.Text)
		}
		for _, o := range p.Operations {
			if o.Failure.Kind != "" && o.State != payment.StateApproved && (o == op || o.Target == op.ID) {
				out = append(out, wrap(fmt.Sprintf("! %s %s (%s %s): ", o.Kind, o.State, o.Failure.Kind, o.Failure.Code), o.Failure.Message)...)
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
			say(what, next.Text)
		case payment.Refused:
			if len(out) == 0 && p.Status == payment.StatusCanceled {
				say("canceled", next.Text)
			}
		case payment.Paid:
		}
	}
	if r.refused != "" {
		out = append(out, wrap("! the shop refused: ", r.refused)...)
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
