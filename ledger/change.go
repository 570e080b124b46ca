package ledger

import (
	"time"

	"github.com/tender-go/payment/money"
)

// Change is something that may be put into the journal: a [Transaction],
// [Settlement], [Void], [Expiry], [Reversal] or [Closing].
type Change interface {
	// request checks all that can be known without the books.
	request(b *Book) (*Request, error)
}

// Entry is one side of a transaction.
type Entry struct {
	Account string
	Side    Side
	// Amount is positive, in the account's currency, at most [MaxAmount] minor
	// units.
	Amount money.Amount
}

// MaxAmount is the largest amount of one entry in minor units, 2^53 - 1: JSON
// numbers, spreadsheets and other ledgers take it without loss. A deferred
// account that nears the range of 64 bits takes no more; should many posts of
// this size outrun that, its balance is ErrOverflow and all others go on.
const MaxAmount = 1<<53 - 1

// Debit is an entry on the debit side.
func Debit(account string, amount money.Amount) Entry { return Entry{account, DebitSide, amount} }

// Credit is an entry on the credit side.
func Credit(account string, amount money.Amount) Entry { return Entry{account, CreditSide, amount} }

// Condition must hold for a change to be recorded. Accounts with conditions
// are strict.
type Condition struct {
	Account string
	// Floor is the least that must be available on the account after the
	// change, in minor units; it may be negative, where a line of credit is
	// given. It counts unless Version is set.
	Floor int64
	// Version, if not nil, is the one that the account must have before the
	// change: see Balance.Version.
	Version *int64
}

// NotOverdrawn asks that the account is not below zero after the change.
func NotOverdrawn(account string) Condition { return Condition{Account: account} }

// AtVersion asks that nothing was taken from the account since its version was
// read.
func AtVersion(account string, version int64) Condition {
	return Condition{Account: account, Version: &version}
}

// Transaction moves amounts between accounts: of each currency as much on the
// debit side as on the credit side.
type Transaction struct {
	// Key names the change for good: 1 to 128 characters of [A-Za-z0-9._:/#-].
	// Sending the same again returns the receipt of the first. Keys that begin
	// with "expire:" are Run's.
	Key string
	// Entries, two or more, at most 1000.
	Entries []Entry
	// Pending holds the amounts instead of posting them: what is taken counts
	// against Balance.Available at once, and Posted stays. It ends by a
	// Settlement, a Void or an Expiry.
	Pending bool
	// ExpiresAt ends a pending transaction by itself, a second or two after the
	// instant; zero for never.
	ExpiresAt time.Time
	// Effective is the business's date; zero for when it is recorded.
	Effective time.Time
	// Conditions, all of which must hold.
	Conditions []Condition
	// Description of one line for the reader, at most 500 bytes; Metadata at
	// most 20 entries of 40 and 200 bytes. Both stay for good: ids only, no
	// names, addresses or other personal values.
	Description string
	Metadata    map[string]string
	// Fact says that this has happened outside and cannot be refused: it takes
	// no conditions, and where the period of its date is closed it is recorded
	// all the same and counts in the next.
	Fact bool
}

// Settlement posts what a pending transaction holds, in whole or in part.
type Settlement struct {
	Key string
	// Hold is the key of the pending transaction.
	Hold string
	// Amount of its debit side to be posted; each entry gets its share by
	// largest remainder over what it still holds, where several of one account
	// on one side count as one. The zero Amount with no Entries is all that is
	// left. A hold of several currencies needs Entries.
	Amount money.Amount
	// Entries says what is posted entry by entry, instead of Amount: accounts
	// and sides of the hold, at most what each still holds.
	Entries []Entry
	// Final releases what then is left. Without it the rest stays held for
	// further settlements.
	Final bool

	Effective   time.Time
	Description string
	Metadata    map[string]string
	Fact        bool
}

// Void releases what a pending transaction still holds.
type Void struct {
	Key  string
	Hold string

	Effective   time.Time
	Description string
	Metadata    map[string]string
	Fact        bool
}

// Expiry releases what a pending transaction still holds, because its time is
// over. Book.Run makes it for transactions with ExpiresAt; where the end of the
// hold is told by somebody else (a bank), send it with Fact.
type Expiry struct {
	Key  string
	Hold string

	Effective   time.Time
	Description string
	Metadata    map[string]string
	Fact        bool
}

// Reversal takes a posted transaction or settlement back, in whole or up to
// the whole in parts.
type Reversal struct {
	Key string
	// Of is the key of what is taken back.
	Of string
	// Amount of its debit side, zero for all that is left; or Entries of the
	// original, to say it entry by entry. As for Settlement.
	Amount  money.Amount
	Entries []Entry

	Effective   time.Time
	Conditions  []Condition
	Description string
	Metadata    map[string]string
	Fact        bool
}

// Closing closes the time before an instant: nothing can be recorded with an
// earlier effective date any more.
type Closing struct {
	Key string
	// Before is the first instant that stays open. It must be later than that
	// of any closing before, and not in the future: a closing is never undone.
	Before      time.Time
	Description string
}

// Receipt says what was recorded.
type Receipt struct {
	Key string
	// ID is the number the journal gave it: ascending, with gaps. Its gapless
	// number comes with the seal: see Book.Find.
	ID   int64
	Kind Kind
	// Recorded is when the books took it, Effective its business date.
	Recorded, Effective time.Time
	// Replayed: it had been recorded before, by an earlier call.
	Replayed bool
}
