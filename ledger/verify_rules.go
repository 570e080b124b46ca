package ledger

import (
	"fmt"
	"slices"

	"github.com/tender-go/payment/money"
)

// account takes one row of the accounts.
func (v *verifier) account(a *Account, kept []byte) error {
	v.report.Accounts++
	bad := func(format string, args ...any) {
		v.add(Problem{Table: TableAccounts, ID: a.ID, Account: a.Path, What: fmt.Sprintf(format, args...)})
	}
	if digest := a.Digest(); string(digest[:]) != string(kept) {
		bad("is not what its digest says: it was changed after it was opened")
	}
	if a.Type < Asset || a.Type > Income {
		bad("has the type %d, which is none", a.Type)
	}
	if a.Mode > Strict {
		bad("has the mode %d, which is none", a.Mode)
	}
	if _, ok := a.Currency.Exponent(); !ok {
		bad("is kept in %q, which is no currency of ISO 4217 with a minor unit", a.Currency)
	}
	if !isPath(a.Path) {
		bad("has a path that is none")
	}
	if v.paths[a.Path] {
		bad("is listed twice with that path")
	}
	if v.accounts[a.ID] != nil {
		bad("has the number of another account")
	}
	v.paths[a.Path] = true
	v.accounts[a.ID] = &tally{account: a}
	return nil
}

func isPath(path string) bool {
	from := 0
	for i := 0; i <= len(path); i++ {
		if i == len(path) || path[i] == ':' {
			if !isSegment(path[from:i]) {
				return false
			}
			from = i + 1
		}
	}
	return len(path) <= maxPath
}

// maxLines is the most that a record can have: a settlement of a part that
// releases the rest has three lines for each of the hold's.
const maxLines = 3 * maxEntries

// rules checks what can be told from a record alone.
func (v *verifier) rules(r *Record, seq int64) {
	bad := func(format string, args ...any) {
		v.add(Problem{Table: TableJournal, ID: r.ID, Seq: seq, What: fmt.Sprintf(format, args...)})
	}
	draws := false
	switch r.Kind {
	case KindPost, KindHold, KindClose:
	case KindSettle, KindVoid, KindExpire, KindReversal:
		draws = true
	default:
		bad("is of kind %d, which is none", r.Kind)
		return
	}
	if p := badKey(r.Key); p != "" {
		bad("has a key that %s", p)
	}
	if p := badText(r.Description, maxDescription); p != "" {
		bad("has a description that %s", p)
	}
	if r.Metadata != nil {
		if m, err := r.metadata(); err != nil || len(m) == 0 || len(m) > maxMetadata {
			bad("has metadata that cannot be read")
		}
	}
	if !isInstant(r.Recorded) || !isInstant(r.Effective) || r.Expires != 0 && !isInstant(r.Expires) {
		bad("has a time outside the years 1970 to 9999")
	}
	if r.Expires != 0 && r.Kind != KindHold {
		bad("is a %s and expires", r.Kind)
	}
	switch {
	case !draws && (r.Of != 0 || r.Part != 0 || r.Final):
		bad("is a %s and draws on record %d", r.Kind, r.Of)
	case draws && (r.Of <= 0 || r.Of >= r.ID || r.Part < 1):
		bad("is a %s, and names no earlier record: part %d of record %d", r.Kind, r.Part, r.Of)
	case (r.Kind == KindVoid || r.Kind == KindExpire) && !r.Final:
		bad("is a %s that does not end the hold", r.Kind)
	}
	if v.lines(r, bad) {
		balances(r, bad)
	}
}

func isInstant(micros int64) bool { return micros >= firstInstant && micros <= lastInstant }

// lines checks each line by itself.
func (v *verifier) lines(r *Record, bad func(string, ...any)) (ok bool) {
	switch n := len(r.Lines); {
	case r.Kind == KindClose && n > 0:
		bad("is a closing, and moves amounts")
	case r.Kind != KindClose && n < 2:
		bad("has %d lines: what moves amounts has two at least", n)
	case n > maxLines:
		bad("has %d lines", n)
		return false
	}
	for i := range r.Lines {
		l := &r.Lines[i]
		switch {
		case l.Amount == 0 || l.Amount > MaxAmount || l.Amount < -MaxAmount:
			bad("line %d on %s is of %d minor units", i, l.Account.Path, l.Amount)
			return false
		case l.Layer > HeldCredit || !mayTouch(r.Kind, l):
			bad("is a %s, and line %d on %s is of %d minor units on the layer %s", r.Kind, i, l.Account.Path, l.Amount, l.Layer)
			return false
		}
	}
	return true
}

// mayTouch reports whether a record of a kind has such lines.
func mayTouch(k Kind, l *Line) bool {
	switch k {
	case KindHold:
		return l.Layer != Posted && l.Amount > 0
	case KindSettle:
		return l.Layer == Posted || l.Amount < 0
	case KindVoid, KindExpire:
		return l.Layer != Posted && l.Amount < 0
	}
	return l.Layer == Posted
}

// balances checks that of each currency as much is debited as credited, and
// held on the one side as on the other. At most maxLines of MaxAmount fit.
func balances(r *Record, bad func(string, ...any)) {
	type sum struct {
		currency money.Currency
		by       Totals
	}
	var room [2]sum
	sums := room[:0]
	for i := range r.Lines {
		l := &r.Lines[i]
		at := slices.IndexFunc(sums, func(s sum) bool { return s.currency == l.Account.Currency })
		if at < 0 {
			at = len(sums)
			sums = append(sums, sum{currency: l.Account.Currency})
		}
		if !sums[at].by.Add(l.Layer, l.Amount) {
			bad("does not balance in %s: it runs over", l.Account.Currency)
			return
		}
	}
	for _, s := range sums {
		if s.by.Posted != 0 {
			bad("does not balance: %d minor units of %s are more on one side", s.by.Posted, s.currency)
		}
		if s.by.HeldDebit != s.by.HeldCredit {
			bad("holds %d minor units of %s on the debit side and %d on the credit side", s.by.HeldDebit, s.currency, s.by.HeldCredit)
		}
	}
}
