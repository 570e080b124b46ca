package ledger

import (
	"fmt"
	"strconv"

	"github.com/tender-go/payment/money"
)

// This file makes the lines of what draws on an earlier record: settlements,
// voids and expiries of a hold, reversals of what was posted.

// remaining is what is left of the earlier record on one side of an account.
type remaining struct {
	account *Account
	side    Side
	left    int64 // not negative
}

// draw makes the lines of r's record from the record that it names.
func (c *carrier) draw(r *Request, rec *Record) *Error {
	of := c.recorded(r.of)
	if of == nil {
		return &Error{Kind: ErrNotFound, Problem: "refers to " + strconv.Quote(r.of) + ", which is not in the journal", Remedy: "name the key it was recorded under"}
	}
	parts := c.parts[of.ID]
	rec.Of, rec.Part = of.ID, len(parts)+1
	if r.kind == KindReversal {
		return drawBack(r, rec, of, parts)
	}
	return drawHold(r, rec, of, parts)
}

// drawHold settles or ends a hold.
func drawHold(r *Request, rec, of *Record, parts []*Record) *Error {
	if of.Kind != KindHold {
		return &Error{Kind: ErrState, Problem: strconv.Quote(of.Key) + " is a " + of.Kind.String() + ", not a pending transaction", Remedy: "name one that was posted with Pending"}
	}
	if n := len(parts); n > 0 && parts[n-1].Final {
		return &Error{Kind: ErrState, Problem: "the hold " + strconv.Quote(of.Key) + " ended by " + parts[n-1].Kind.String() + " " + strconv.Quote(parts[n-1].Key), Remedy: "nothing of it is held any more"}
	}
	if r.kind == KindExpire && !r.fact && (of.Expires == 0 || r.recorded < of.Expires) {
		return &Error{Kind: ErrState, Problem: "the hold " + strconv.Quote(of.Key) + " has not expired", Remedy: "void it, or say with Fact that it ended elsewhere"}
	}
	left := leftOf(of, parts)
	if r.kind != KindSettle {
		rec.Final = true
		rec.Lines = release(nil, left)
		return nil
	}
	shares, err := share(r, of, left)
	if err != nil {
		return err
	}
	all := true
	for i := range left {
		l := &left[i]
		if shares[i] > 0 {
			rec.Lines = appendLines(rec.Lines, l.account, heldLayer(l.side), -shares[i])
			rec.Lines = appendLines(rec.Lines, l.account, Posted, int64(l.side)*shares[i])
			l.left -= shares[i]
		}
		all = all && l.left == 0
	}
	rec.Final = r.final || all
	if r.final {
		rec.Lines = release(rec.Lines, left)
	}
	return nil
}

// release ends what is left of a hold.
func release(lines []Line, left []remaining) []Line {
	for _, l := range left {
		if l.left > 0 {
			lines = appendLines(lines, l.account, heldLayer(l.side), -l.left)
		}
	}
	return lines
}

// appendLines appends an amount on an account. What was several entries there
// is drawn as one sum, which may be more than a line takes.
func appendLines(lines []Line, a *Account, layer Layer, amount int64) []Line {
	for ; amount > MaxAmount; amount -= MaxAmount {
		lines = append(lines, Line{a, layer, MaxAmount})
	}
	for ; amount < -MaxAmount; amount += MaxAmount {
		lines = append(lines, Line{a, layer, -MaxAmount})
	}
	return append(lines, Line{a, layer, amount})
}

// drawBack takes back what was posted.
func drawBack(r *Request, rec, of *Record, parts []*Record) *Error {
	if of.Kind == KindHold {
		return &Error{Kind: ErrState, Problem: strconv.Quote(of.Key) + " is pending", Remedy: "void it; what was settled of it is reversed by the settlement's key"}
	}
	left := leftOf(of, parts)
	whole := int64(0)
	for _, l := range left {
		whole += l.left
	}
	if whole == 0 {
		if len(parts) > 0 {
			return &Error{Kind: ErrState, Problem: strconv.Quote(of.Key) + " was reversed by " + strconv.Quote(parts[len(parts)-1].Key), Remedy: "nothing of it is left to take back; a reversal is undone by reversing it, and that by reversing it again"}
		}
		return &Error{Kind: ErrState, Problem: strconv.Quote(of.Key) + " is a " + of.Kind.String() + " and posted nothing", Remedy: "there is nothing to take back"}
	}
	shares, err := share(r, of, left)
	if err != nil {
		return err
	}
	rec.Final = true
	for i := range left {
		if shares[i] > 0 {
			rec.Lines = appendLines(rec.Lines, left[i].account, Posted, -int64(left[i].side)*shares[i])
		}
		rec.Final = rec.Final && shares[i] == left[i].left
	}
	return nil
}

// leftOf is what the parts have left of a record, by account and side: a part
// does not say which of several lines of one account it took. Of a settlement
// only what it posted counts.
func leftOf(of *Record, parts []*Record) []remaining {
	hold := of.Kind == KindHold
	left := make([]remaining, 0, len(of.Lines))
	for _, l := range of.Lines {
		switch {
		case hold && l.Layer == HeldDebit:
			left = put(left, l, DebitSide, l.Amount)
		case hold && l.Layer == HeldCredit:
			left = put(left, l, CreditSide, l.Amount)
		case !hold && l.Layer == Posted && l.Amount > 0:
			left = put(left, l, DebitSide, l.Amount)
		case !hold && l.Layer == Posted && l.Amount < 0:
			left = put(left, l, CreditSide, -l.Amount)
		}
	}
	for _, p := range parts {
		for _, l := range p.Lines {
			switch {
			case hold && l.Layer == HeldDebit:
				take(left, l.Account, DebitSide, -l.Amount)
			case hold && l.Layer == HeldCredit:
				take(left, l.Account, CreditSide, -l.Amount)
			case !hold && l.Amount < 0:
				take(left, l.Account, DebitSide, -l.Amount)
			case !hold:
				take(left, l.Account, CreditSide, l.Amount)
			}
		}
	}
	return left
}

// put adds to what is left on an account and side.
func put(left []remaining, l Line, side Side, amount int64) []remaining {
	for i := range left {
		if left[i].account.ID == l.Account.ID && left[i].side == side {
			left[i].left += amount
			return left
		}
	}
	return append(left, remaining{account: l.Account, side: side, left: amount})
}

// take lowers what is left on an account and side. It returns what was more
// than that.
func take(left []remaining, a *Account, side Side, amount int64) (over int64) {
	for i := range left {
		if l := &left[i]; l.account.ID == a.ID && l.side == side {
			n := min(amount, l.left)
			l.left -= n
			return amount - n
		}
	}
	return amount
}

// share says how much of each line is drawn.
func share(r *Request, of *Record, left []remaining) ([]int64, *Error) {
	shares := make([]int64, len(left))
	switch {
	case len(r.legs) > 0:
		rest := append([]remaining(nil), left...)
		for i := range r.legs {
			l := &r.legs[i]
			if over := take(rest, l.acct, l.side, l.minor); over > 0 {
				return nil, &Error{Kind: ErrExceeds, Field: "Entries[" + strconv.Itoa(i) + "]", Account: l.spec.Path,
					Problem: fmt.Sprintf("asks %s more on the %s side than is left of %s", money.Of(over, l.spec.Currency), l.side, strconv.Quote(of.Key)), Remedy: "ask for what is left"}
			}
		}
		for i := range left {
			shares[i] = left[i].left - rest[i].left
		}
	case r.amount != money.Amount{}:
		return proportional(r, of, left)
	default:
		for i := range left {
			shares[i] = left[i].left
		}
	}
	return shares, nil
}

// proportional shares an amount over the lines of each side by largest
// remainder over what each still holds.
func proportional(r *Request, of *Record, left []remaining) ([]int64, *Error) {
	shares := make([]int64, len(left))
	for _, side := range []Side{DebitSide, CreditSide} {
		var weights []money.Amount
		var at []int
		for i := range left {
			if left[i].side != side {
				continue
			}
			if c := left[i].account.Currency; c != r.amount.Currency() {
				return nil, &Error{Kind: ErrCurrency, Field: "Amount", Problem: fmt.Sprintf("is %s, and %s has entries in %s", r.amount, strconv.Quote(of.Key), c), Remedy: "give an amount in its currency; what is in several currencies needs Entries"}
			}
			weights, at = append(weights, money.Of(left[i].left, r.amount.Currency())), append(at, i)
		}
		parts, err := r.amount.AllocateOver(weights)
		if err != nil {
			sum, _ := money.Sum(r.amount.Currency(), weights...)
			return nil, &Error{Kind: ErrExceeds, Field: "Amount", Problem: fmt.Sprintf("is %s, and %s is left of %s", r.amount, sum, strconv.Quote(of.Key)), Remedy: "ask for what is left"}
		}
		for i, p := range parts {
			shares[at[i]] = p.Minor()
		}
	}
	return shares, nil
}
