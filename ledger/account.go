package ledger

import (
	"math"
	"sync/atomic"

	"github.com/tender-go/payment/money"
)

// Side of an entry.
type Side int8

// The sides. Debits count as positive in the journal, credits as negative.
const (
	DebitSide  Side = 1
	CreditSide Side = -1
)

// String names the side.
func (s Side) String() string {
	switch s {
	case DebitSide:
		return "debit"
	case CreditSide:
		return "credit"
	}
	return "no side"
}

// Type of an account, which says what side makes it grow.
type Type uint8

// The types. Assets and expenses grow by debits, the others by credits.
const (
	Asset     Type = 1
	Expense   Type = 2
	Liability Type = 3
	Equity    Type = 4
	Income    Type = 5
)

// String names the type.
func (t Type) String() string {
	switch t {
	case Asset:
		return "asset"
	case Expense:
		return "expense"
	case Liability:
		return "liability"
	case Equity:
		return "equity"
	case Income:
		return "income"
	}
	return "no type"
}

// Normal is the side that makes an account of this type grow.
func (t Type) Normal() Side {
	if t == Asset || t == Expense {
		return DebitSide
	}
	return CreditSide
}

// Mode says how an account keeps its balance.
type Mode uint8

// The modes.
const (
	// Deferred, the zero value: entries are only appended, and the balance is
	// added up when it is asked for. Writers never wait for each other.
	Deferred Mode = 0
	// Strict: the balance is known in every commit, so that conditions can be
	// put on it. Entries that lower what is available take turns.
	Strict Mode = 1
)

// String names the mode.
func (m Mode) String() string {
	if m == Strict {
		return "strict"
	}
	return "deferred"
}

// Spec is what an account is.
type Spec struct {
	// Path of at most 200 characters: segments of [A-Za-z0-9._-], joined by
	// colons.
	Path     string
	Currency money.Currency
	Type     Type
	Mode     Mode
}

// Account is one that the store has opened. Values are shared and never
// changed; an account is opened by its first transaction.
type Account struct {
	// ID is the store's number of it.
	ID int64
	Spec

	full atomic.Bool // see Totals.nearlyFull
}

// Layer says what an entry in the journal counts to.
type Layer uint8

// The layers.
const (
	// Posted amounts are positive for debits, negative for credits.
	Posted Layer = 0
	// HeldDebit and HeldCredit are what pending transactions hold: positive
	// when the hold is made, negative when it ends.
	HeldDebit  Layer = 1
	HeldCredit Layer = 2
)

// String names the layer.
func (l Layer) String() string {
	switch l {
	case Posted:
		return "posted"
	case HeldDebit:
		return "held debit"
	case HeldCredit:
		return "held credit"
	}
	return "no layer"
}

func heldLayer(s Side) Layer {
	if s == DebitSide {
		return HeldDebit
	}
	return HeldCredit
}

// Totals of an account in minor units, by layer.
type Totals struct {
	Posted, HeldDebit, HeldCredit int64
}

// Of returns the total of a layer.
func (t Totals) Of(l Layer) int64 {
	switch l {
	case HeldDebit:
		return t.HeldDebit
	case HeldCredit:
		return t.HeldCredit
	}
	return t.Posted
}

// beyond stands in a total that left the range of 64 bits, and stays there: no
// number is made up for it, and the other accounts go on. Strict accounts never
// get so far.
const beyond = math.MinInt64

// Add adds to a layer, and reports whether the sum is in range.
func (t *Totals) Add(l Layer, amount int64) bool {
	p := &t.Posted
	switch l {
	case HeldDebit:
		p = &t.HeldDebit
	case HeldCredit:
		p = &t.HeldCredit
	}
	sum := *p + amount
	if *p == beyond || sum == beyond || (sum > *p) != (amount > 0) {
		*p = beyond
		return false
	}
	*p = sum
	return true
}

// inRange reports whether every layer is.
func (t Totals) inRange() bool {
	return t.Posted != beyond && t.HeldDebit != beyond && t.HeldCredit != beyond
}

// MaxBalance bounds what a strict account may come to on each layer, in minor
// units and either direction, 2^62: what is available is then always in range.
const MaxBalance = 1 << 62

// fits reports whether no layer is beyond MaxBalance.
func (t Totals) fits() bool {
	return t.inRange() && t.Posted <= MaxBalance && t.Posted >= -MaxBalance && t.HeldDebit <= MaxBalance && t.HeldCredit <= MaxBalance
}

// available is what may be taken from an account of type ty: posted on its
// normal side, less what holds would take.
func (t Totals) available(ty Type) int64 {
	if ty.Normal() == DebitSide {
		return t.Posted - t.HeldCredit
	}
	return -t.Posted - t.HeldDebit
}

// nearlyFull is far from the end of int64, and beyond any real book.
func (t Totals) nearlyFull() bool {
	const far = 1 << 61
	return !t.inRange() || t.Posted > far || t.Posted < -far || t.HeldDebit > far || t.HeldCredit > far
}

// lowers reports whether a line takes from what is available.
func (a *Account) lowers(l Layer, amount int64) bool {
	if a.Type.Normal() == DebitSide {
		return l == Posted && amount < 0 || l == HeldCredit && amount > 0
	}
	return l == Posted && amount > 0 || l == HeldDebit && amount > 0
}

func add(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}
