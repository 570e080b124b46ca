package memstore

import (
	"context"
	"sort"
	"sync"

	"github.com/tender-go/payment/ledger"
)

// sealed is what sealing made of the journal. It changes only while its writer
// holds its turn and mu, and not the turn of posts: what is sealed is committed
// and never changes, so that the two need not wait for each other.
type sealed struct {
	turn   chan struct{}
	mu     sync.RWMutex
	blocks []*ledger.Block
	pages  [][3][]entry // by account and layer; of the first accounts
}

// page is one layer of an account.
func (s *sealed) page(account int64, layer ledger.Layer) []entry {
	if account < 1 || account > int64(len(s.pages)) {
		return nil
	}
	return s.pages[account-1][layer]
}

func (s *sealed) last() ledger.Block {
	if n := len(s.blocks); n > 0 {
		return *s.blocks[n-1]
	}
	return ledger.Block{}
}

func (s *sealed) running(seq int64, accounts []*ledger.Account) []ledger.Totals {
	totals := make([]ledger.Totals, len(accounts))
	for i, a := range accounts {
		for _, layer := range []ledger.Layer{ledger.Posted, ledger.HeldDebit, ledger.HeldCredit} {
			list := s.page(a.ID, layer)
			n := len(list)
			if n > 0 && list[n-1].seq > seq {
				n = sort.Search(n, func(i int) bool { return list[i].seq > seq })
			}
			if n > 0 {
				totals[i].Add(layer, list[n-1].running)
			}
		}
	}
	return totals
}

func (s *sealed) write(b *ledger.Block, postings []ledger.Posting) {
	s.blocks = append(s.blocks, b)
	for i := range postings {
		p := &postings[i]
		if more := int(p.Account.ID) - len(s.pages); more > 0 {
			s.pages = append(s.pages, make([][3][]entry, more)...)
		}
		at := &s.pages[p.Account.ID-1][p.Layer]
		*at = append(*at, entry{seq: p.Seq, id: p.ID, amount: p.Amount, running: p.Running, booked: p.Booked, n: int32(p.N)})
	}
}

// Seal implements ledger.Backend.
func (b backend) Seal(ctx context.Context, fn func(context.Context, ledger.SealTx) error) error {
	if within(ctx) != nil {
		return ledger.ErrInTransaction
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	books := b.s.books
	if err := take(ctx, books.sealed.turn); err != nil {
		return err
	}
	defer func() { <-books.sealed.turn }()
	s := &sealer{books: books}
	return b.s.run(&books.sealed.mu, func() error { *s = sealer{books: books}; return fn(ctx, s) }, s.commit)
}

// sealer is what one block adds.
type sealer struct {
	books    *books
	block    *ledger.Block
	postings []ledger.Posting
}

var _ ledger.SealTx = (*sealer)(nil)

func (s *sealer) commit() {
	if s.block != nil {
		s.books.sealed.write(s.block, s.postings)
	}
}

// Last implements ledger.SealTx.
func (s *sealer) Last(ctx context.Context) (ledger.Block, error) {
	return s.books.sealed.last(), ctx.Err()
}

// Unsealed implements ledger.SealTx.
func (s *sealer) Unsealed(ctx context.Context, last ledger.Block, limit int) (records []*ledger.Record, high int64, notes []byte, err error) {
	b := s.books.since(last.High)
	high = min(b.count, last.High+int64(limit))
	for id := last.High + 1; id <= high; id++ {
		records = append(records, b.record(id))
	}
	return records, high, nil, ctx.Err()
}

// since returns what a post may not change any more of the records after one,
// and of their accounts.
func (b *books) since(id int64) *books {
	b.mu.RLock()
	defer b.mu.RUnlock()
	part := &books{accounts: b.accounts, journal: journal{chunks: make([][]kept, len(b.chunks)), count: b.count}}
	copy(part.chunks[id/chunk:], b.chunks[id/chunk:])
	return part
}

// Running implements ledger.SealTx.
func (s *sealer) Running(ctx context.Context, last ledger.Block, accounts []*ledger.Account) ([]ledger.Totals, error) {
	return s.books.sealed.running(last.Last(), accounts), ctx.Err()
}

// Write implements ledger.SealTx.
func (s *sealer) Write(ctx context.Context, b *ledger.Block, postings []ledger.Posting) error {
	s.block, s.postings = b, postings
	return ctx.Err()
}
