package ledger

import (
	"context"
	"errors"
)

// Store is a store that keeps books: store/memstore, and store/sqlstore on
// SQLite and PostgreSQL. Package store/storetest proves that one keeps the
// rules.
type Store interface {
	// Ledger returns the part that keeps the books.
	Ledger() Backend
}

// Backend keeps a journal, what each strict account comes to, and the seals.
// It decides nothing: it gives atomicity, uniqueness, locks and order, and
// runs the functions of this package in transactions of its own. Its methods
// may be called from many goroutines.
type Backend interface {
	// Apply carries requests out with [Carry] and sets the result of each. It
	// may share a commit with other callers, so that many posts cost one. One
	// that is refused fails no other. An error means that nothing is known of
	// any of them but what it says: [ErrBusy] and a ctx that ended before it
	// began mean nothing was written.
	//
	// Under a ctx that carries a transaction of the host's, it is carried out
	// inside that one, and committed with it.
	Apply(ctx context.Context, requests []*Request) error
	// Joined reports whether ctx carries a transaction of the host's.
	Joined(ctx context.Context) bool
	// View runs fn on a consistent view of what is committed; under a ctx that
	// carries a transaction, on what that one sees. The view is valid until fn
	// returns.
	View(ctx context.Context, fn func(ctx context.Context, v View) error) error
	// Seal runs fn in a transaction in which nobody else seals. If somebody
	// does, it returns ErrBusy at once.
	Seal(ctx context.Context, fn func(ctx context.Context, tx SealTx) error) error
}

// Keeper is implemented by a transaction of a store that keeps books, so that
// a participant of another package can post in its commit: see [Book.PostIn].
type Keeper interface {
	LedgerTx() Tx
}

// Tx is what [Carry] needs of a transaction.
type Tx interface {
	// Accounts returns the accounts that are open under these paths, in their
	// order, nil where there is none.
	Accounts(ctx context.Context, paths []string) ([]*Account, error)
	// Open opens accounts, in order, and returns nil for one that somebody
	// else has opened since.
	Open(ctx context.Context, specs []Spec) ([]*Account, error)
	// Keyed returns the records that have these keys, in any order.
	Keyed(ctx context.Context, keys []string) ([]*Record, error)
	// Parts returns the records whose Of is among ids, by Of and Part.
	Parts(ctx context.Context, of []int64) ([]*Record, error)
	// ClosedBefore returns the instant before which all is closed, 0 for none.
	ClosedBefore(ctx context.Context) (int64, error)
	// Lock returns what strict accounts come to, and keeps them from changing
	// until the transaction ends. Ids are sorted. Those of must are waited for,
	// unless the transaction serves many callers: then one that is not free is
	// left out. Those of may are always left out if they are not free.
	Lock(ctx context.Context, must, may []int64) ([]Locked, error)
	// Append writes records, gives them their IDs in order, and adds deltas to
	// the totals of strict accounts. It returns [ErrConflict] if a key, or an
	// Of and Part, is taken: then the transaction is to be rolled back.
	Append(ctx context.Context, records []*Record, deltas []Delta) error
}

// ErrConflict is returned by a [Tx], and by [Carry], for what another
// transaction did meanwhile: roll back and run again.
var ErrConflict = errors.New("ledger: conflict")

// Locked is a strict account under lock.
type Locked struct {
	ID      int64
	Totals  Totals
	Version int64
}

// Delta is a change of what a strict account comes to.
type Delta struct {
	Account *Account
	Add     Totals
	// Taken counts the records that took from what is available, and is added
	// to the version.
	Taken int64
	// Locked: it was returned by Lock, and comes to Totals and Version now.
	// Otherwise only Add is known.
	Locked  bool
	Totals  Totals
	Version int64
}

// SealTx is what sealing needs of a transaction.
type SealTx interface {
	// Last returns the newest block, the zero Block if there is none.
	Last(ctx context.Context) (Block, error)
	// Unsealed returns up to limit committed records that are in no block, by
	// ID, with High and Notes as the next block has to keep them: they are the
	// store's own notes of where it looks on.
	Unsealed(ctx context.Context, last Block, limit int) (records []*Record, high int64, notes []byte, err error)
	// Running returns what accounts came to at the last block, in order.
	Running(ctx context.Context, last Block, accounts []*Account) ([]Totals, error)
	// Write appends a block and what it posts to the accounts.
	Write(ctx context.Context, b *Block, postings []Posting) error
}

// Block seals records: it gives them numbers without gaps and chains them.
type Block struct {
	// First is the number of its first record; numbers begin at 1.
	First int64
	// IDs of its records, in order.
	IDs []int64
	// Marks are the first eight bytes of the hash after each record: they name
	// the place when the chain does not hold.
	Marks []byte
	// Head is the hash after its last record.
	Head Hash
	// Sealed is when, in microseconds; never before an earlier block's.
	Sealed int64
	// Closed is the instant before which all is closed, after this block.
	Closed int64
	// High and Notes are the store's notes: see SealTx.Unsealed.
	High  int64
	Notes []byte
}

// Last is the number of its last record; 0 for the zero Block.
func (b *Block) Last() int64 {
	if b.First == 0 {
		return 0
	}
	return b.First + int64(len(b.IDs)) - 1
}

// Posting is a line of a sealed record, kept by account: the account's page in
// the ledger.
type Posting struct {
	Account *Account
	Layer   Layer
	// Seq is the gapless number of the record, N the line's place in it.
	Seq int64
	N   int
	// ID of the record.
	ID     int64
	Amount int64
	// Running is what the layer of the account comes to with it.
	Running int64
	// Booked is the date it counts at: the effective date, or the end of the
	// closed period that it came too late for.
	Booked int64
}

// View reads what is committed. Functions that hand rows out one by one stop
// at the first error of each and return it; what they hand out may be reused
// for the next row, and each must not call the view. What cannot be decoded is
// an error that is ErrCorrupt.
type View interface {
	// Last returns the newest block, the zero Block if there is none.
	Last(ctx context.Context) (Block, error)
	// SealedBy returns the newest block that was sealed at or before an
	// instant.
	SealedBy(ctx context.Context, at int64) (Block, error)
	// BlockOf returns the block that holds a record, the zero Block if none.
	BlockOf(ctx context.Context, id int64) (Block, error)
	// Blocks lists the blocks whose last number is above after, in order, at
	// most limit, 0 for all. One that cannot be read is handed out with its
	// First alone and the error.
	Blocks(ctx context.Context, after int64, limit int, each func(b *Block, broken error) error) error

	// Account returns the account with that path, or ErrNotFound.
	Account(ctx context.Context, path string) (*Account, error)
	// Accounts lists accounts by ID, with the digest that is kept beside each.
	Accounts(ctx context.Context, each func(a *Account, digest []byte) error) error
	// Totals lists what the strict accounts come to, unfolded raises included,
	// by ID. Rows of accounts that are not strict or not there are listed too.
	Totals(ctx context.Context, each func(Locked) error) error
	// Total is Totals of one account; a zero Locked if there is none.
	Total(ctx context.Context, account int64) (Locked, error)

	// Running returns what accounts came to at a number, in order.
	Running(ctx context.Context, seq int64, accounts []*Account) ([]Totals, error)
	// Postings lists the postings of a query, by Seq and N.
	Postings(ctx context.Context, q PostingQuery, each func(Posting) error) error
	// AllPostings lists every posting there is, in any order. Account is nil
	// where no account has the number; number is what stands in the row.
	AllPostings(ctx context.Context, each func(p Posting, number int64) error) error
	// Unsealed lists the committed records that come after the given block.
	Unsealed(ctx context.Context, last Block, each func(*Record) error) error

	// Keyed returns the record with that key, or ErrNotFound.
	Keyed(ctx context.Context, key string) (*Record, error)
	// Records returns those with the given ids, in any order.
	Records(ctx context.Context, ids []int64) ([]*Record, error)
	// Parts is that of Tx.
	Parts(ctx context.Context, of []int64) ([]*Record, error)
	// Journal lists the records with an ID above after, by ID, at most limit,
	// 0 for all. A row that cannot be read is handed out as a Record with its
	// ID alone and the error.
	Journal(ctx context.Context, after int64, limit int, each func(r *Record, broken error) error) error
	// Expiring lists the IDs and keys of pending transactions that expire
	// after one instant and at or before another and have not ended, by
	// expiry, at most limit.
	Expiring(ctx context.Context, after, until int64, limit int, each func(id int64, key string, expires int64) error) error
	// ClosedBefore is that of Tx.
	ClosedBefore(ctx context.Context) (int64, error)
}

// PostingQuery selects postings of one account.
type PostingQuery struct {
	Account *Account
	// Layers to be listed; empty for all.
	Layers []Layer
	// After and Until bound Seq: above the one, not above the other; 0 for no
	// bound.
	After, Until int64
	// BookedBefore and BookedFrom bound Booked; 0 for no bound.
	BookedFrom, BookedBefore int64
	// Limit, 0 for none.
	Limit int
}
