package ledgermodel

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// This file draws changes: most of them sensible in the books as they are, some
// spoilt in one place.

// dice draws with fewer words.
type dice struct{ t *rapid.T }

// upTo draws 0 to n-1, each as often: ranges of rapid prefer the small.
func (d dice) upTo(n int) int { return uniform.Draw(d.t, "n") % n }

var uniform = rapid.Custom(func(t *rapid.T) int {
	n := 0
	for range 10 {
		n *= 2
		if rapid.Bool().Draw(t, "bit") {
			n++
		}
	}
	return n
})

// percent is true so often. Shrinking leads to false.
func (d dice) percent(p int) bool { return d.upTo(100) >= 100-p }

func (d dice) between(low, high int64) int64 { return rapid.Int64Range(low, high).Draw(d.t, "amount") }

func pick[T any](d dice, list []T) T { return list[d.upTo(len(list))] }

func (d dice) amount() int64 {
	switch d.upTo(12) {
	case 10:
		return d.between(1, 3)
	case 11:
		return d.between(1, ledger.MaxAmount)
	}
	return d.between(1, 400)
}

// split divides a total into parts, each at least 1 if it can be.
func (d dice) split(total int64, parts int) []int64 {
	var out []int64
	for n := parts; n > 1 && total > 1; n-- {
		part := d.between(1, total-1)
		out = append(out, part)
		total -= part
	}
	return append(out, total)
}

func (w *world) key(d dice) string {
	w.keys++
	return fmt.Sprintf("k%d", w.keys)
}

// entries draws entries that balance.
func (w *world) entries(d dice) []ledger.Entry {
	var out []ledger.Entry
	blocks := 1
	if d.percent(10) {
		blocks = 2
	}
	for range blocks {
		currency := pick(d, []money.Currency{money.EUR, money.EUR, money.EUR, money.USD})
		var fit []string
		for _, p := range paths {
			a, _ := lookUp(p)
			is := w.m.currency(p)
			if (a.currency == "" || a.currency == currency) && (is == "" || is == currency) {
				fit = append(fit, p)
			}
		}
		total := d.amount()
		for _, side := range []ledger.Side{ledger.DebitSide, ledger.CreditSide} {
			for _, part := range d.split(total, 1+d.upTo(3)) {
				out = append(out, ledger.Entry{Account: pick(d, fit), Side: side, Amount: money.Of(part, currency)})
			}
		}
	}
	return out
}

// spoil breaks one entry.
func (w *world) spoil(d dice, entries []ledger.Entry) []ledger.Entry {
	entries = slices.Clone(entries)
	e := &entries[d.upTo(len(entries))]
	switch d.upTo(9) {
	case 0:
		e.Account = pick(d, strangers)
	case 1:
		e.Account = pick(d, paths)
	case 2:
		e.Amount = money.Of(e.Amount.Minor()+pick(d, []int64{-1, 1}), e.Amount.Currency())
	case 3:
		e.Amount = money.Of(pick(d, []int64{0, -e.Amount.Minor(), ledger.MaxAmount + 1}), e.Amount.Currency())
	case 4:
		e.Amount = money.Of(e.Amount.Minor(), pick(d, []money.Currency{money.EUR, money.USD, money.JPY, "XXQ", ""}))
	case 5:
		e.Side = pick(d, []ledger.Side{0, -e.Side, 2})
	case 6:
		return entries[:d.upTo(2)]
	case 7: // another currency throughout: of the account, it may be the wrong one
		for i := range entries {
			entries[i].Amount = money.Of(entries[i].Amount.Minor(), money.JPY)
		}
	case 8:
		entries = append(entries, entries[0])
	}
	return entries
}

func (w *world) conditions(d dice, entries []ledger.Entry) []ledger.Condition {
	var out []ledger.Condition
	for range 2 {
		if !d.percent(30) {
			continue
		}
		path := pick(d, paths)
		if len(entries) > 0 && d.percent(60) {
			path = pick(d, entries).Account
		}
		a, known := lookUp(path)
		if (!known || a.mode != ledger.Strict) && !d.percent(10) {
			continue
		}
		c := ledger.NotOverdrawn(path)
		switch d.upTo(4) {
		case 0:
			c.Floor = d.between(-500, 500)
		case 1:
			if known {
				c = ledger.AtVersion(path, w.m.version(path)+pick(d, []int64{0, 0, 0, 1, -1}))
			}
		}
		out = append(out, c)
	}
	return out
}

func (w *world) effective(d dice) time.Time {
	switch d.upTo(8) {
	case 0:
		return w.now.Add(-time.Duration(d.between(0, 96)) * time.Hour)
	case 1:
		return w.now.Add(time.Duration(d.between(0, 96)) * time.Hour)
	}
	return time.Time{}
}

// words draws a description and metadata.
func (w *world) words(d dice) (string, map[string]string) {
	if !d.percent(15) {
		return "", nil
	}
	meta := map[string]string{}
	for i := range d.upTo(3) {
		meta[fmt.Sprint("id", i)] = fmt.Sprint("v", d.upTo(3))
	}
	text := pick(d, []string{"", "a sale", "Münze <&>", strings.Repeat("x", 500)})
	if d.percent(6) {
		text = pick(d, []string{"two\nlines", strings.Repeat("x", 501)})
	}
	return text, meta
}

func (w *world) transaction(d dice) ledger.Transaction {
	t := ledger.Transaction{Key: w.key(d), Entries: w.entries(d), Effective: w.effective(d), Pending: d.percent(45), Fact: d.percent(10)}
	if t.Pending && d.percent(40) || d.percent(1) {
		t.ExpiresAt = w.now.Add(time.Duration(d.between(-2, 48)) * time.Hour)
	}
	if !t.Fact || d.percent(5) {
		t.Conditions = w.conditions(d, t.Entries)
	}
	if d.percent(12) {
		t.Entries = w.spoil(d, t.Entries)
	}
	t.Description, t.Metadata = w.words(d)
	return t
}

// earlier draws an entry of the journal to be drawn on, one of the given kinds
// if there is any.
func (w *world) earlier(d dice, open bool, kinds ...ledger.Kind) *entry {
	var fit []*entry
	for _, e := range w.m.journal {
		if slices.Contains(kinds, e.kind()) && (!open || !w.m.ended(e)) {
			fit = append(fit, e)
		}
	}
	if len(fit) == 0 || d.percent(8) {
		fit = w.m.journal
	}
	if len(fit) == 0 || d.percent(3) {
		return nil
	}
	return pick(d, fit)
}

// share draws how much is drawn of an entry: all, an amount, or entries.
func (w *world) share(d dice, of *entry) (amount money.Amount, entries []ledger.Entry) {
	if of == nil {
		return
	}
	left := w.m.left(of)
	byCurrency := map[money.Currency]int64{}
	var currencies []money.Currency
	for _, p := range left {
		if p.side == ledger.DebitSide {
			if byCurrency[p.currency] == 0 {
				currencies = append(currencies, p.currency)
			}
			byCurrency[p.currency] += p.left
		}
	}
	if len(currencies) == 0 {
		return
	}
	currency := pick(d, currencies)
	whole := byCurrency[currency]
	part := d.between(1, max(1, whole))
	switch d.upTo(12) {
	case 0, 1, 2, 3, 4, 5:
		amount = money.Of(part, currency)
	case 6:
		amount = money.Of(whole+d.between(0, 2), currency)
	case 7:
		amount = money.Of(pick(d, []int64{0, -1, part}), pick(d, []money.Currency{money.EUR, money.USD}))
	case 8, 9, 10:
		for _, side := range []ledger.Side{ledger.DebitSide, ledger.CreditSide} {
			rest := part
			pieces := slices.DeleteFunc(slices.Clone(left), func(p piece) bool { return p.currency != currency || p.side != side || p.left == 0 })
			for len(pieces) > 0 && rest > 0 {
				i := d.upTo(len(pieces))
				n := min(rest, pieces[i].left)
				entries = append(entries, ledger.Entry{Account: pieces[i].path, Side: side, Amount: money.Of(n, currency)})
				rest -= n
				pieces = slices.Delete(pieces, i, i+1)
			}
		}
		if len(entries) > 0 && d.percent(10) {
			entries = w.spoil(d, entries)
		}
		if d.percent(3) {
			amount = money.Of(part, currency)
		}
	}
	return amount, entries
}

func keyOf(e *entry) string {
	if e == nil {
		return "never-recorded"
	}
	return e.key()
}

// change draws any change.
func (w *world) change(d dice) ledger.Change {
	text, meta := w.words(d)
	switch n := d.upTo(100); {
	case n < 45:
		return w.transaction(d)
	case n < 62:
		of := w.earlier(d, d.percent(85), ledger.KindHold)
		s := ledger.Settlement{Key: w.key(d), Hold: keyOf(of), Final: d.percent(25), Effective: w.effective(d), Description: text, Metadata: meta, Fact: d.percent(15)}
		s.Amount, s.Entries = w.share(d, of)
		return s
	case n < 67:
		return ledger.Void{Key: w.key(d), Hold: keyOf(w.earlier(d, d.percent(70), ledger.KindHold)), Effective: w.effective(d), Description: text, Metadata: meta, Fact: d.percent(15)}
	case n < 72:
		return ledger.Expiry{Key: w.key(d), Hold: keyOf(w.earlier(d, d.percent(70), ledger.KindHold)), Effective: w.effective(d), Description: text, Metadata: meta, Fact: d.percent(30)}
	case n < 84:
		of := w.earlier(d, d.percent(80), ledger.KindPost, ledger.KindSettle, ledger.KindReversal)
		r := ledger.Reversal{Key: w.key(d), Of: keyOf(of), Effective: w.effective(d), Description: text, Metadata: meta, Fact: d.percent(15)}
		if !r.Fact || d.percent(5) {
			r.Conditions = w.conditions(d, nil)
		}
		r.Amount, r.Entries = w.share(d, of)
		return r
	case n < 87:
		c := ledger.Closing{Key: w.key(d), Description: text}
		if !d.percent(5) {
			c.Before = w.now.Add(time.Duration(d.between(-96, 4)) * time.Hour)
		}
		return c
	case n < 95:
		return w.again(d)
	case n < 97:
		t := w.transaction(d)
		t.Key = pick(d, []string{"", "with space", "käse", strings.Repeat("k", 129), strings.Repeat("k", 128)})
		return t
	}
	v := ledger.Void{Key: w.key(d), Hold: pick(d, []string{"", "no such key", "missing"})}
	return v
}

// again draws a key that was used before: by a change that was accepted or
// refused, with the same content or other.
func (w *world) again(d dice) ledger.Change {
	if len(w.asked) == 0 {
		return w.transaction(d)
	}
	c := pick(d, w.asked)
	if d.percent(65) {
		return c
	}
	key := commonOf(c).key
	switch c := c.(type) {
	case ledger.Transaction:
		switch d.upTo(4) {
		case 0:
			c.Description += "."
		case 1:
			c.Pending = !c.Pending
		case 2:
			c.Effective = w.now
		case 3:
			c.Conditions = append(slices.Clone(c.Conditions), ledger.NotOverdrawn("till:a"))
		}
		return c
	case ledger.Void:
		return ledger.Expiry(c)
	case ledger.Expiry:
		return ledger.Void(c)
	case ledger.Settlement:
		c.Final = !c.Final
		return c
	}
	t := w.transaction(d)
	t.Key = key
	return t
}
