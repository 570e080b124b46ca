package ledgermodel

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// verdict is what the model says of a change.
type verdict struct {
	// replay is what was recorded under the key before.
	replay *entry
	// entry would be recorded.
	entry *entry
	// refused lists what is wrong with it: one of these must be told. None:
	// it is accepted.
	refused []error
	// maybe it is refused as an overflow: a sum comes so near to the end of
	// int64 that books may stop here.
	maybe bool
}

// common is what every change has.
type common struct {
	kind        ledger.Kind
	key, of     string
	draws       bool
	entries     []ledger.Entry
	amount      money.Amount
	final       bool
	effective   time.Time
	expires     time.Time
	conditions  []ledger.Condition
	fact        bool
	description string
	metadata    map[string]string
}

func commonOf(c ledger.Change) common {
	switch c := c.(type) {
	case ledger.Transaction:
		kind := ledger.KindPost
		if c.Pending {
			kind = ledger.KindHold
		}
		return common{kind: kind, key: c.Key, entries: c.Entries, expires: c.ExpiresAt, effective: c.Effective, conditions: c.Conditions,
			description: c.Description, metadata: c.Metadata, fact: c.Fact}
	case ledger.Settlement:
		return common{kind: ledger.KindSettle, key: c.Key, of: c.Hold, draws: true, entries: c.Entries, amount: c.Amount, final: c.Final, effective: c.Effective,
			description: c.Description, metadata: c.Metadata, fact: c.Fact}
	case ledger.Void:
		return common{kind: ledger.KindVoid, key: c.Key, of: c.Hold, draws: true, effective: c.Effective, description: c.Description, metadata: c.Metadata, fact: c.Fact}
	case ledger.Expiry:
		return common{kind: ledger.KindExpire, key: c.Key, of: c.Hold, draws: true, effective: c.Effective, description: c.Description, metadata: c.Metadata, fact: c.Fact}
	case ledger.Reversal:
		return common{kind: ledger.KindReversal, key: c.Key, of: c.Of, draws: true, entries: c.Entries, amount: c.Amount, effective: c.Effective, conditions: c.Conditions,
			description: c.Description, metadata: c.Metadata, fact: c.Fact}
	case ledger.Closing:
		return common{kind: ledger.KindClose, key: c.Key, effective: c.Before, description: c.Description}
	}
	panic(fmt.Sprintf("no change: %T", c))
}

// short is what a change says, short enough to be read.
func short(c ledger.Change) string {
	return strings.NewReplacer(strings.Repeat("x", 50), "x", micro(time.Time{}).String(), "-").Replace(content(c))
}

// content is all that a change says: two that say the same are the same wish.
func content(c ledger.Change) string {
	h := commonOf(c)
	var b strings.Builder
	fmt.Fprintf(&b, "%v %q %q %v %v %v %v %v %q", h.kind, h.key, h.of, h.amount, h.final, micro(h.effective), micro(h.expires), h.fact, h.description)
	for _, e := range h.entries {
		fmt.Fprintf(&b, " entry %q %v %v", e.Account, e.Side, e.Amount)
	}
	for _, c := range h.conditions {
		fmt.Fprintf(&b, " condition %q %v", c.Account, c.Floor)
		if c.Version != nil {
			fmt.Fprintf(&b, " at %v", *c.Version)
		}
	}
	if len(h.metadata) > 0 {
		fmt.Fprintf(&b, " %v", h.metadata) // printed by sorted key
	}
	return b.String()
}

// micro is the resolution of the books.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// malformed lists what is wrong with a change whatever the books say.
func malformed(c ledger.Change) (kinds []error) {
	h := commonOf(c)
	invalid := func(bad bool) {
		if bad {
			kinds = append(kinds, ledger.ErrInvalid)
		}
	}
	invalid(!validKey.MatchString(h.key))
	invalid(h.draws && !validKey.MatchString(h.of))
	invalid(!oneLine(h.description, 500) || len(h.metadata) > 20)
	for k, v := range h.metadata {
		invalid(k == "" || !oneLine(k, 40) || !oneLine(v, 200))
	}
	for _, t := range []time.Time{h.effective, h.expires} {
		invalid(!t.IsZero() && (t.Year() < 1970 || t.Year() > 9999))
	}
	switch {
	case h.kind == ledger.KindClose:
		invalid(h.effective.IsZero())
	case h.kind == ledger.KindPost, h.kind == ledger.KindHold:
		invalid(len(h.entries) < 2)
		invalid(h.kind == ledger.KindPost && !h.expires.IsZero())
	case h.amount != money.Amount{}:
		invalid(len(h.entries) > 0 || !h.amount.IsPositive())
	}
	invalid(len(h.entries) > 1000 || len(h.conditions) > 100 || h.fact && len(h.conditions) > 0)
	sums := map[money.Currency]*big.Int{}
	for _, e := range h.entries {
		invalid(e.Side != ledger.DebitSide && e.Side != ledger.CreditSide || e.Amount.Minor() <= 0)
		if e.Amount.Minor() > ledger.MaxAmount {
			kinds = append(kinds, ledger.ErrOverflow)
		}
		currency := e.Amount.Currency()
		switch a, known := lookUp(e.Account); {
		case e.Amount.Check() != nil:
			invalid(true)
		case !known:
			kinds = append(kinds, ledger.ErrUnknownAccount)
		case a.currency != "" && a.currency != currency:
			kinds = append(kinds, ledger.ErrCurrency)
		}
		if sums[currency] == nil {
			sums[currency] = new(big.Int)
		}
		sums[currency].Add(sums[currency], big.NewInt(e.Amount.Minor()*int64(e.Side)))
	}
	for _, sum := range sums {
		if sum.Sign() != 0 {
			kinds = append(kinds, ledger.ErrUnbalanced)
		}
	}
	for _, c := range h.conditions {
		a, known := lookUp(c.Account)
		if !known {
			kinds = append(kinds, ledger.ErrUnknownAccount)
		}
		invalid(known && a.mode != ledger.Strict)
	}
	return kinds
}

var validKey = regexp.MustCompile(`^[A-Za-z0-9._:/#-]{1,128}$`)

func oneLine(s string, limit int) bool {
	return len(s) <= limit && !strings.ContainsAny(s, "\n\r\t\x00\u2028\u202e")
}

// judge says what becomes of a change now.
func (m *model) judge(c ledger.Change, now time.Time) verdict {
	if bad := malformed(c); len(bad) > 0 {
		return verdict{refused: bad}
	}
	h := commonOf(c)
	if old := m.find(h.key); old != nil {
		if content(old.asked) != content(c) {
			return verdict{refused: []error{ledger.ErrKeyConflict}}
		}
		return verdict{replay: old}
	}
	var v verdict
	refuse := func(kind error) { v.refused = append(v.refused, kind) }
	e := &entry{asked: c, expires: micro(h.expires), description: h.description, metadata: h.metadata,
		receipt: ledger.Receipt{Key: h.key, Kind: h.kind, Recorded: micro(now), Effective: micro(h.effective)}}
	if h.effective.IsZero() {
		e.receipt.Effective = e.receipt.Recorded
	}
	closed := m.closedBefore()
	switch {
	case h.kind == ledger.KindClose:
		if e.receipt.Effective.After(e.receipt.Recorded) {
			refuse(ledger.ErrInvalid) // it cannot be taken back
		}
		if !closed.IsZero() && !e.receipt.Effective.After(closed) {
			refuse(ledger.ErrClosed)
		}
	case !h.fact && e.receipt.Effective.Before(closed):
		refuse(ledger.ErrClosed)
	}
	if h.kind == ledger.KindHold && !h.fact && !e.expires.IsZero() && !e.expires.After(e.receipt.Recorded) {
		refuse(ledger.ErrInvalid)
	}
	in := map[string]money.Currency{} // accounts that this change opens
	for _, side := range h.entries {
		was := m.currency(side.Account)
		if was == "" {
			was = in[side.Account]
		}
		if c := side.Amount.Currency(); was != "" && was != c {
			refuse(ledger.ErrCurrency)
		} else {
			in[side.Account] = c
		}
	}
	if h.draws {
		kind := m.draw(e, h, now)
		if kind != nil {
			refuse(kind)
		}
	} else {
		e.lines = linesOf(h)
	}
	m.conditions(h, e, refuse)
	must, may := m.overflows(e)
	if must {
		refuse(ledger.ErrOverflow)
	}
	v.maybe = may
	v.entry = e
	return v
}

func linesOf(h common) []line {
	var lines []line
	for _, s := range h.entries {
		l := line{path: s.Account, currency: s.Amount.Currency(), amount: s.Amount.Minor() * int64(s.Side)}
		switch {
		case h.kind == ledger.KindHold && s.Side == ledger.DebitSide:
			l.layer, l.amount = ledger.HeldDebit, s.Amount.Minor()
		case h.kind == ledger.KindHold:
			l.layer, l.amount = ledger.HeldCredit, s.Amount.Minor()
		}
		lines = append(lines, l)
	}
	return lines
}

func (m *model) conditions(h common, e *entry, refuse func(error)) {
	for _, c := range h.conditions {
		a, _ := lookUp(c.Account)
		if c.Version != nil {
			if m.version(c.Account) != *c.Version {
				refuse(ledger.ErrCondition)
			}
			continue
		}
		after := m.totals(c.Account).plus(e.lines, c.Account)
		if after.available(a.kind.Normal()).Cmp(big.NewInt(c.Floor)) < 0 {
			refuse(ledger.ErrCondition)
		}
	}
}

// draw makes the lines of what draws on an earlier entry, or says why not.
func (m *model) draw(e *entry, h common, now time.Time) error {
	of := m.find(h.of)
	if of == nil {
		return ledger.ErrNotFound
	}
	e.of = of
	left := m.left(of)
	switch {
	case h.kind == ledger.KindReversal && of.kind() == ledger.KindHold,
		h.kind != ledger.KindReversal && of.kind() != ledger.KindHold,
		m.ended(of), // or there never was anything
		h.kind == ledger.KindExpire && !h.fact && (of.expires.IsZero() || micro(now).Before(of.expires)):
		return ledger.ErrState
	}
	drawn := make([]int64, len(left)) // of each piece
	switch {
	case h.kind == ledger.KindVoid || h.kind == ledger.KindExpire:
	case len(h.entries) > 0:
		for _, s := range h.entries {
			i := slices.IndexFunc(left, func(p piece) bool { return p.path == s.Account && p.side == s.Side })
			if i < 0 {
				return ledger.ErrExceeds
			}
			drawn[i] += s.Amount.Minor()
			if drawn[i] > left[i].left {
				return ledger.ErrExceeds
			}
		}
	case h.amount != money.Amount{}:
		for _, side := range []ledger.Side{ledger.DebitSide, ledger.CreditSide} {
			if err := proportional(h.amount, left, side, drawn); err != nil {
				return err
			}
		}
	default:
		for i, p := range left {
			drawn[i] = p.left
		}
	}
	e.final = true
	release := h.final || h.kind == ledger.KindVoid || h.kind == ledger.KindExpire
	for i, p := range left {
		ends := drawn[i] // of what is held
		if release {
			ends = p.left
		}
		e.final = e.final && (release || drawn[i] == p.left)
		sign := int64(p.side)
		if h.kind == ledger.KindReversal {
			sign = -sign
		} else if ends > 0 {
			layer := ledger.HeldDebit
			if p.side == ledger.CreditSide {
				layer = ledger.HeldCredit
			}
			e.lines = append(e.lines, line{p.path, p.currency, layer, -ends})
		}
		if drawn[i] > 0 {
			e.lines = append(e.lines, line{p.path, p.currency, ledger.Posted, sign * drawn[i]})
		}
	}
	return nil
}

// proportional shares an amount over the pieces of a side by what each still
// holds: rounded down, and the units left over to the largest remainders, the
// earlier first.
func proportional(amount money.Amount, left []piece, side ledger.Side, drawn []int64) error {
	whole := new(big.Int)
	for _, p := range left {
		if p.side != side {
			continue
		}
		if p.currency != amount.Currency() {
			return ledger.ErrCurrency
		}
		whole.Add(whole, big.NewInt(p.left))
	}
	if whole.Cmp(big.NewInt(amount.Minor())) < 0 {
		return ledger.ErrExceeds
	}
	rest := amount.Minor()
	remainders := make([]*big.Int, len(left))
	for i, p := range left {
		if p.side != side {
			continue
		}
		product := new(big.Int).Mul(big.NewInt(amount.Minor()), big.NewInt(p.left))
		share, remainder := new(big.Int).QuoRem(product, whole, new(big.Int))
		drawn[i], remainders[i] = share.Int64(), remainder
		rest -= drawn[i]
	}
	for ; rest > 0; rest-- {
		best := -1
		for i, r := range remainders {
			if r != nil && (best < 0 || r.Cmp(remainders[best]) > 0) {
				best = i
			}
		}
		drawn[best]++
		remainders[best] = nil
	}
	return nil
}

// overflows reports whether a strict account would come to more than MaxBalance
// or any account to more than int64 holds, and whether one comes so near to its
// end on the way that books may refuse.
func (m *model) overflows(e *entry) (must, may bool) {
	for i, l := range e.lines {
		if slices.ContainsFunc(e.lines[:i], func(o line) bool { return o.path == l.path }) {
			continue
		}
		end, near := big.NewInt(math.MaxInt64), big.NewInt(1<<60)
		if a, _ := lookUp(l.path); a.mode == ledger.Strict {
			end, near = big.NewInt(ledger.MaxBalance), big.NewInt(ledger.MaxBalance)
		}
		before := m.totals(l.path)
		for n := range e.lines { // line by line
			for _, sum := range before.plus(e.lines[:n+1], l.path) {
				must = must || n == len(e.lines)-1 && sum.CmpAbs(end) > 0
				may = may || sum.CmpAbs(near) > 0
			}
		}
	}
	return must, may
}
