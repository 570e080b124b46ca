package posting

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// This file compares what an operation has come to with what is posted of it,
// and makes the changes of the journal that take the one to the other. It is
// pure: it reads nothing but its arguments.

// Names of what the metadata of a transaction says. They stay for good.
const (
	metaPayment   = "payment"
	metaOperation = "operation"
	metaReference = "reference"
	metaObject    = "provider_ref"
	metaAmount    = "amount"
)

// pass books one payment once.
type pass struct {
	books   *Books
	p       *payment.Payment
	journal journal
	at      time.Time // the business date of what is posted
	expired bool      // what ends a hold is its time
	changes []ledger.Change
	anew    map[string]string // what is posted instead, by the key of what is undone
	refused []error           // what the ledger did not take
}

// book compares a scope with the journal and returns the changes to be made.
func (x *pass) book(s scope) []ledger.Change {
	x.anew = map[string]string{}
	for _, o := range s.operations {
		wants := wanted(x.p, o)
		for _, st := range stagesOf(o.Kind) {
			if now, _ := x.journal.current(o.ID, st); now != nil && !slices.ContainsFunc(wants, func(w want) bool { return w.stage == st && w.amount.String() == now.amount }) {
				x.undo(o, now)
			}
		}
	}
	x.postAll(s, false)
	for _, root := range s.pools {
		x.resettle(root) // before what is new takes its share
	}
	x.postAll(s, true)
	for _, root := range s.roots {
		x.hold(root)
	}
	return x.changes
}

// postAll posts what is missing: what takes a share of what the parts have, or
// the rest.
func (x *pass) postAll(s scope, shared bool) {
	for _, o := range s.operations {
		for _, w := range wanted(x.p, o) {
			if x.sharesPool(o, w.stage) != shared {
				continue
			}
			if now, next := x.journal.current(o.ID, w.stage); now == nil {
				x.post(o, w, next)
			}
		}
	}
}

func (x *pass) currency() money.Currency { return x.p.Amount.Currency() }

// undo takes a posted transaction back.
func (x *pass) undo(o *payment.Operation, r *posted) {
	r.undone = true
	x.changes = append(x.changes, ledger.Reversal{Key: Undone(r.key), Of: r.key, Fact: true, Effective: x.at,
		Description: describe("undone", r.key), Metadata: x.metadata(o, r.amount)})
}

// post books a stage.
func (x *pass) post(o *payment.Operation, w want, n int) {
	entries := x.entriesOf(o, w)
	if len(entries) == 0 {
		return
	}
	key := Key(o.ID, w.stage, n)
	x.journal[key] = &posted{key: key, amount: w.amount.String(), lines: linesOf(entries)}
	if hold := x.fits(o, w.stage, entries); hold != nil {
		for _, l := range linesOf(entries) {
			hold.left = addTo(hold.left, line{l.path, -l.minor})
		}
		x.changes = append(x.changes, ledger.Settlement{Key: key, Hold: hold.key, Entries: entries, Fact: true, Effective: x.at,
			Description: describe(string(w.stage), key), Metadata: x.metadata(o, w.amount.String())})
		return
	}
	x.changes = append(x.changes, ledger.Transaction{Key: key, Entries: entries, Fact: true, Effective: x.at,
		Description: describe(string(w.stage), key), Metadata: x.metadata(o, w.amount.String())})
}

// entriesOf applies the rule of a stage.
func (x *pass) entriesOf(o *payment.Operation, w want) []ledger.Entry {
	abs, err := w.amount.Abs()
	if err != nil {
		abs = w.amount
	}
	entries := x.books.rules.entries(w.stage, place{provider: o.Provider}, x.shares(o, w.stage, abs))
	if w.amount.IsNegative() { // a fee that was given back
		for i := range entries {
			entries[i].Side = -entries[i].Side
		}
	}
	return entries
}

// shares divides the amount of a stage.
func (x *pass) shares(o *payment.Operation, s Stage, amount money.Amount) []share {
	switch s {
	case Held:
		return scale(x.partsOf(o), amount)
	case Captured:
		return scale(x.partsOf(o), amount)
	case Refunded, DisputeLost:
		switch {
		case len(o.Splits) > 0:
			return scale(x.explicit(o.Splits), amount)
		case x.sharesPool(o, s):
			return x.share(o, amount)
		}
		return own(amount)
	case Transferred:
		if len(o.Splits) > 0 {
			return scale(x.explicit(o.Splits), amount)
		}
		return own(amount)
	}
	return []share{{kind: Gross, amount: amount}}
}

// fits returns the hold that a capture settles: where all of its entries are
// held.
func (x *pass) fits(o *payment.Operation, s Stage, entries []ledger.Entry) *posted {
	root := x.p.Operation(o.Target)
	if o.Kind != payment.OpCapture || root == nil || (s != Captured && s != Overpaid) {
		return nil
	}
	of := Held
	if s == Overpaid {
		of = HeldOverpaid
	}
	hold, _ := x.journal.current(root.ID, of)
	if hold == nil {
		return nil
	}
	for _, l := range linesOf(entries) {
		if !slices.ContainsFunc(hold.left, func(h line) bool {
			return h.path == l.path && (l.minor > 0 && h.minor >= l.minor || l.minor < 0 && h.minor <= l.minor)
		}) {
			return nil
		}
	}
	return hold
}

// hold makes the pending transactions of an attempt hold what it holds.
func (x *pass) hold(root *payment.Operation) {
	reserved := held(x.p, root)
	for _, s := range []Stage{Held, HeldOverpaid} {
		amount := money.Zero(reserved.Currency())
		if (s == HeldOverpaid) == root.Overpaid {
			amount = reserved
		}
		now, next := x.journal.current(root.ID, s)
		if now != nil && debits(now.left) == amount.Minor() && amount.IsPositive() {
			continue
		}
		if now != nil {
			x.release(root, now)
		}
		if !amount.IsPositive() {
			continue
		}
		entries := x.books.rules.entries(s, place{provider: root.Provider}, x.shares(root, s, amount))
		if len(entries) == 0 {
			continue
		}
		key := Key(root.ID, s, next)
		x.journal[key] = &posted{key: key, amount: amount.String(), left: linesOf(entries)}
		x.changes = append(x.changes, ledger.Transaction{Key: key, Entries: entries, Pending: true, Fact: true, Effective: x.at,
			Description: describe(string(s), key), Metadata: x.metadata(root, amount.String())})
	}
}

// release ends what is left of a hold.
func (x *pass) release(root *payment.Operation, r *posted) {
	left := r.left
	r.left = nil
	for i := len(x.changes) - 1; i >= 0; i-- {
		if s, ok := x.changes[i].(ledger.Settlement); ok && s.Hold == r.key {
			s.Final = true // nothing is held any more after it
			x.changes[i] = s
			return
		}
	}
	if debits(left) == 0 {
		return // settled to the last cent
	}
	meta := x.metadata(root, "")
	if x.expired {
		x.changes = append(x.changes, ledger.Expiry{Key: Undone(r.key), Hold: r.key, Fact: true, Effective: x.at, Description: describe("expired", r.key), Metadata: meta})
		return
	}
	x.changes = append(x.changes, ledger.Void{Key: Undone(r.key), Hold: r.key, Fact: true, Effective: x.at, Description: describe("released", r.key), Metadata: meta})
}

func linesOf(entries []ledger.Entry) []line {
	lines := make([]line, len(entries))
	for i, e := range entries {
		lines[i] = line{e.Account, int64(e.Side) * e.Amount.Minor()}
	}
	return lines
}

// describe is the line that a reader of the journal sees.
func describe(what, key string) string {
	operation, _, _ := strings.Cut(key, ":")
	return strings.ReplaceAll(what, "_", " ") + " " + operation
}

// metadata holds ids, which stay for good: nothing of the payer.
func (x *pass) metadata(o *payment.Operation, amount string) map[string]string {
	m := map[string]string{metaPayment: x.p.ID, metaOperation: o.ID, metaReference: x.p.Reference}
	if isName(o.Ref) {
		m[metaObject] = o.Ref
	}
	if amount != "" {
		m[metaAmount] = amount
	}
	return m
}

// isName reports whether a provider's id can be kept as it is.
func isName(s string) bool {
	return s != "" && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// mark tells names apart that look alike once they are segments.
func mark(name string) string {
	h := sha256.Sum256([]byte(name))
	return hex.EncodeToString(h[:4])
}

func sorted(ids []int64) []int64 {
	slices.Sort(ids)
	return slices.Compact(ids)
}
