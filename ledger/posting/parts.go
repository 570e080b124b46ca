package posting

import (
	"slices"
	"strings"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// This file divides amounts among those who have a part in a payment.

// own is an amount that is no merchant's.
func own(a money.Amount) []share { return []share{{kind: Own, amount: a}} }

// partsOf is what a sale, hold or capture is divided into.
func (x *pass) partsOf(o *payment.Operation) []share {
	total := o.Amount
	if o.Approved.IsPositive() {
		total = o.Approved
	}
	if len(o.Splits) > 0 {
		return scale(x.explicit(o.Splits), total)
	}
	root := x.p.Operation(o.Target)
	if o.Kind != payment.OpCapture || root == nil || len(root.Splits) == 0 {
		return own(total)
	}
	if r, _ := x.journal.current(o.ID, Captured); r != nil {
		parts := x.partsOf(root)
		took, _ := x.taken(Captured, o.Provider, r, parts)
		for i, n := range took {
			parts[i].amount = money.Of(n, total.Currency())
		}
		return parts
	}
	return x.ofHold(root, total, o)
}

// explicit reads the splits that the shop gave.
func (x *pass) explicit(splits []payment.Split) []share {
	var out []share
	add := func(s share) {
		for i := range out {
			if out[i].kind == s.kind && out[i].merchant == s.merchant {
				if sum, err := out[i].amount.Add(s.amount); err == nil {
					out[i].amount = sum
				}
				return
			}
		}
		if s.amount.IsPositive() {
			out = append(out, s)
		}
	}
	for _, s := range splits {
		if s.Merchant == "" && s.Account == "" {
			add(share{kind: Own, amount: s.Amount})
			continue
		}
		name := x.merchant(s)
		kept := s.Commission
		if kept.Currency() == "" {
			kept = money.Zero(s.Amount.Currency())
		}
		rest, err := s.Amount.Sub(kept)
		if err != nil {
			rest, kept = s.Amount, money.Zero(s.Amount.Currency())
		}
		add(share{kind: Part, merchant: name, amount: rest})
		add(share{kind: Commission, merchant: name, amount: kept})
	}
	return out
}

// merchant names the receiver of a split. One that is known by its account
// alone is looked for among the payment's other splits.
func (x *pass) merchant(s payment.Split) string {
	if s.Merchant == "" {
		for _, o := range x.p.Operations {
			for _, t := range o.Splits {
				if t.Account == s.Account && t.Merchant != "" {
					s.Merchant = t.Merchant
				}
			}
		}
	}
	return segment(x.books.name(s))
}

// segment makes a segment of an account's path of a name. Names with other
// characters, or that are too long, keep apart by a mark.
func segment(name string) string {
	const long = 64
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, name)
	if clean == name && name != "" && len(name) <= long {
		return name
	}
	return clean[:min(len(clean), long)] + "." + mark(name)
}

// scale makes parts add up to another total, where less or more was approved
// than asked for. What they lack is the shop's own.
func scale(parts []share, total money.Amount) []share {
	have := sum(parts, total.Currency())
	if have == total {
		return parts
	}
	if rest, err := total.Sub(have); err == nil && rest.IsPositive() {
		return append(parts, share{kind: Own, amount: rest})
	}
	weights := make([]money.Amount, len(parts))
	for i := range parts {
		weights[i] = parts[i].amount
	}
	scaled, err := total.AllocateOver(weights)
	if err != nil {
		return own(total)
	}
	out := slices.Clone(parts)
	for i := range out {
		out[i].amount = scaled[i]
	}
	return out
}

func sum(parts []share, c money.Currency) money.Amount {
	s := money.Zero(c)
	for _, x := range parts {
		if t, err := s.Add(x.amount); err == nil {
			s = t
		}
	}
	return s
}

// ofHold divides a capture by largest remainder over what each part of its
// hold still has. What is more than all of them is divided like the whole.
func (x *pass) ofHold(root *payment.Operation, amount money.Amount, by *payment.Operation) []share {
	left := x.partsOf(root)
	full := slices.Clone(left)
	for _, o := range x.p.Operations {
		if o.Kind != payment.OpCapture || o == by || o.Target != root.ID {
			continue
		}
		if r, _ := x.journal.current(o.ID, Captured); r != nil {
			took, _ := x.taken(Captured, o.Provider, r, left)
			for i, n := range took {
				left[i].amount = money.Of(max(0, left[i].amount.Minor()-n), amount.Currency())
			}
		}
	}
	over, err := amount.Sub(sum(left, amount.Currency()))
	if err != nil || !over.IsPositive() {
		return scale(left, amount)
	}
	weights := make([]int64, len(full))
	for i := range full {
		weights[i] = full[i].amount.Minor()
	}
	more, err := over.Allocate(weights...)
	if err != nil {
		return append(left, share{kind: Own, amount: over})
	}
	for i := range left {
		if t, err := left[i].amount.Add(more[i]); err == nil {
			left[i].amount = t
		}
	}
	return left
}

// taken reads from a posted transaction how much of each part it took, and how
// much was excess. Where the rule books several parts to one account, or the
// rule is not what it was, they are told apart by largest remainder over what
// they have.
func (x *pass) taken(s Stage, provider string, r *posted, parts []share) (out []int64, over int64) {
	out = make([]int64, len(parts))
	at := place{provider: provider}
	booked := map[string]int64{}
	for _, l := range r.lines {
		booked[l.path] += l.minor
	}
	groups := map[string][]int{}
	var order []string
	for i, part := range parts {
		for _, l := range x.books.rules.legs[s] {
			if l.Amount != part.kind {
				continue
			}
			at.merchant = part.merchant
			path := l.path(at, part.amount.Currency())
			if groups[path] == nil {
				order = append(order, path)
			}
			groups[path] = append(groups[path], i)
			break
		}
	}
	rest := debits(r.lines)
	alone := s == Captured // whether excess, if any, has an account of its own
	for _, l := range x.books.rules.legs[s] {
		if path := l.path(at, x.currency()); l.Amount == Excess && groups[path] == nil {
			over = min(rest, max(booked[path], -booked[path]))
			rest -= over
			alone = true
			break
		}
	}
	take := func(named []int, n int64) {
		if !alone { // what they do not have is the excess
			has := int64(0)
			for _, k := range named {
				has += max(0, parts[k].amount.Minor()-out[k])
			}
			over += max(0, n-has)
			n = min(n, has)
		}
		divide(out, parts, named, n)
	}
	for _, path := range order {
		n := booked[path]
		n = min(max(n, -n), rest)
		rest -= n
		take(groups[path], n)
	}
	if rest > 0 { // on accounts that no part is booked to
		all := make([]int, len(parts))
		for i := range all {
			all[i] = i
		}
		take(all, rest)
	}
	return out, over
}

// divide adds n to the parts named, by what each of them has.
func divide(out []int64, parts []share, named []int, n int64) {
	if n == 0 || len(named) == 0 {
		return
	}
	if len(named) == 1 {
		out[named[0]] += n
		return
	}
	weights := make([]int64, len(named))
	for i, k := range named {
		weights[i] = max(0, parts[k].amount.Minor()-out[k])
	}
	shares, err := money.Of(n, parts[named[0]].amount.Currency()).Allocate(weights...)
	if err != nil {
		out[named[0]] += n
		return
	}
	for i, k := range named {
		out[k] += shares[i].Minor()
	}
}
