// Package ledgermodel holds package ledger against a small model of it, and the
// stores that keep books against each other.
//
// The model is the journal itself, a list of what was accepted. Everything else
// is added up from it each time it is asked for, in integers that cannot
// overflow, one change after the other: there is nothing in it that could be
// locked, cached or forgotten. It is written from what the exported names of
// package ledger promise.
package ledgermodel

import (
	"math/big"
	"slices"
	"time"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// model is books kept as naively as can be.
type model struct {
	journal []*entry
	// blocks says how many of the journal were sealed when.
	blocks []block
}

type block struct {
	until int
	at    time.Time
}

// entry is a change that was accepted.
type entry struct {
	asked       ledger.Change
	receipt     ledger.Receipt
	expires     time.Time
	of          *entry
	final       bool
	lines       []line
	description string
	metadata    map[string]string
	booked      time.Time // the date it counts at, once it is sealed
}

type line struct {
	path     string
	currency money.Currency
	layer    ledger.Layer
	amount   int64
}

func (e *entry) key() string       { return e.receipt.Key }
func (e *entry) kind() ledger.Kind { return e.receipt.Kind }

// totals of an account, by layer.
type totals [3]*big.Int

func zeroTotals() totals { return totals{new(big.Int), new(big.Int), new(big.Int)} }

func (t totals) add(l line) { t[l.layer].Add(t[l.layer], big.NewInt(l.amount)) }

func (t totals) plus(lines []line, path string) totals {
	sum := zeroTotals()
	for i := range sum {
		sum[i].Set(t[i])
	}
	for _, l := range lines {
		if l.path == path {
			sum.add(l)
		}
	}
	return sum
}

// available is posted on the normal side less what holds would take.
func (t totals) available(side ledger.Side) *big.Int {
	if side == ledger.DebitSide {
		return new(big.Int).Sub(t[ledger.Posted], t[ledger.HeldCredit])
	}
	return new(big.Int).Sub(new(big.Int).Neg(t[ledger.Posted]), t[ledger.HeldDebit])
}

// until is the journal as it was when so many were in it.
func (m *model) until(n int) *model { return &model{journal: m.journal[:n]} }

func (m *model) find(key string) *entry {
	for _, e := range m.journal {
		if e.key() == key {
			return e
		}
	}
	return nil
}

func (m *model) totals(path string) totals {
	sum := zeroTotals()
	for _, e := range m.journal {
		for _, l := range e.lines {
			if l.path == path {
				sum.add(l)
			}
		}
	}
	return sum
}

// currency of an account that was opened, "" for one that was not.
func (m *model) currency(path string) money.Currency {
	for _, e := range m.journal {
		for _, l := range e.lines {
			if l.path == path {
				return l.currency
			}
		}
	}
	return ""
}

// opened lists the accounts in the order in which they were opened.
func (m *model) opened() []string {
	var paths []string
	for _, e := range m.journal {
		for _, l := range e.lines {
			if !slices.Contains(paths, l.path) {
				paths = append(paths, l.path)
			}
		}
	}
	return paths
}

// version counts the transactions that took from what was available.
func (m *model) version(path string) int64 {
	a, _ := lookUp(path)
	if a.mode != ledger.Strict {
		return 0
	}
	n := int64(0)
	for _, e := range m.journal {
		if slices.ContainsFunc(e.lines, func(l line) bool { return l.path == path && takes(a.kind.Normal(), l) }) {
			n++
		}
	}
	return n
}

func takes(normal ledger.Side, l line) bool {
	switch l.layer {
	case ledger.HeldDebit:
		return normal == ledger.CreditSide && l.amount > 0
	case ledger.HeldCredit:
		return normal == ledger.DebitSide && l.amount > 0
	}
	return l.amount*int64(normal) < 0
}

// closedBefore is the instant before which all is closed.
func (m *model) closedBefore() time.Time {
	var at time.Time
	for _, e := range m.journal {
		if e.kind() == ledger.KindClose && e.receipt.Effective.After(at) {
			at = e.receipt.Effective
		}
	}
	return at
}

// parts lists what was drawn on an entry.
func (m *model) parts(of *entry) []*entry {
	var parts []*entry
	for _, e := range m.journal {
		if e.of == of {
			parts = append(parts, e)
		}
	}
	return parts
}

// piece is what is left of the entries of one account on one side.
type piece struct {
	path     string
	currency money.Currency
	side     ledger.Side
	left     int64
}

// left is what can still be drawn of a hold, or taken back of what was posted.
// Several entries of one account on one side count together.
func (m *model) left(of *entry) []piece {
	var pieces []piece
	hold := of.kind() == ledger.KindHold
	count := func(l line, sign int64) {
		if hold == (l.layer == ledger.Posted) {
			return
		}
		side, amount := ledger.DebitSide, l.amount
		switch {
		case l.layer == ledger.HeldCredit:
			side = ledger.CreditSide
		case l.layer == ledger.Posted && sign*l.amount < 0:
			side, amount = ledger.CreditSide, -l.amount
		}
		i := slices.IndexFunc(pieces, func(p piece) bool { return p.path == l.path && p.side == side })
		if i < 0 {
			i = len(pieces)
			pieces = append(pieces, piece{path: l.path, currency: l.currency, side: side})
		}
		pieces[i].left += amount
	}
	for _, l := range of.lines {
		count(l, 1)
	}
	for _, p := range m.parts(of) {
		for _, l := range p.lines {
			count(l, -1)
		}
	}
	return pieces
}

// ended reports whether nothing of an entry is left.
func (m *model) ended(of *entry) bool {
	for _, p := range m.left(of) {
		if p.left != 0 {
			return false
		}
	}
	return true
}

// seal notes that all is sealed.
func (m *model) seal(at time.Time) (n int) {
	at = at.Truncate(time.Microsecond)
	from := m.sealed()
	if n = len(m.journal) - from; n == 0 {
		return 0
	}
	if len(m.blocks) > 0 && m.blocks[len(m.blocks)-1].at.After(at) {
		at = m.blocks[len(m.blocks)-1].at
	}
	for i, e := range m.journal[from:] {
		e.booked = e.receipt.Effective
		if closed := m.until(from + i).closedBefore(); e.kind() != ledger.KindClose && closed.After(e.booked) {
			e.booked = closed
		}
	}
	m.blocks = append(m.blocks, block{len(m.journal), at})
	return n
}

func (m *model) sealed() int {
	if len(m.blocks) == 0 {
		return 0
	}
	return m.blocks[len(m.blocks)-1].until
}

// asOf adds up an account as of two times. All is sealed.
func (m *model) asOf(path string, at ledger.AsOf) totals {
	n := m.sealed()
	if !at.Recorded.IsZero() {
		n = 0
		for _, b := range m.blocks {
			if !b.at.After(at.Recorded) {
				n = b.until
			}
		}
	}
	if at.Effective.IsZero() {
		return m.until(n).totals(path)
	}
	sum := zeroTotals()
	for _, e := range m.journal[:n] {
		if !e.booked.Before(at.Effective.Truncate(time.Microsecond)) {
			continue
		}
		for _, l := range e.lines {
			if l.path == path && l.layer == ledger.Posted {
				sum.add(l)
			}
		}
	}
	return sum
}
