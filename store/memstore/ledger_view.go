package memstore

import (
	"cmp"
	"context"
	"slices"
	"sort"

	"github.com/tender-go/payment/ledger"
)

// viewer reads the books, and what a transaction adds to them.
type viewer struct{ *draft }

var _ ledger.View = viewer{}

// last is the highest ID.
func (v viewer) last() int64 { return v.books.count + int64(len(v.records)) }

// at returns the record with that ID, which is there.
func (v viewer) at(id int64) *ledger.Record {
	if id > v.books.count {
		return v.records[id-v.books.count-1]
	}
	return v.books.record(id)
}

// Last implements ledger.View.
func (v viewer) Last(ctx context.Context) (ledger.Block, error) {
	return v.books.sealed.last(), v.check(ctx)
}

// SealedBy implements ledger.View.
func (v viewer) SealedBy(ctx context.Context, at int64) (ledger.Block, error) {
	n := sort.Search(len(v.books.sealed.blocks), func(i int) bool { return v.books.sealed.blocks[i].Sealed > at })
	if n == 0 {
		return ledger.Block{}, v.check(ctx)
	}
	return *v.books.sealed.blocks[n-1], v.check(ctx)
}

// BlockOf implements ledger.View.
func (v viewer) BlockOf(ctx context.Context, id int64) (ledger.Block, error) {
	n := sort.Search(len(v.books.sealed.blocks), func(i int) bool { return v.books.sealed.blocks[i].High >= id })
	if n == len(v.books.sealed.blocks) {
		return ledger.Block{}, v.check(ctx)
	}
	return *v.books.sealed.blocks[n], v.check(ctx)
}

// Blocks implements ledger.View.
func (v viewer) Blocks(ctx context.Context, after int64, limit int, each func(*ledger.Block, error) error) error {
	all := v.books.sealed.blocks
	all = all[sort.Search(len(all), func(i int) bool { return all[i].Last() > after }):]
	for _, b := range atMost(limit, all) {
		if err := v.one(ctx, each(b, nil)); err != nil {
			return err
		}
	}
	return v.check(ctx)
}

// atMost cuts a list to limit, 0 for all.
func atMost[T any](limit int, list []T) []T {
	if limit > 0 && limit < len(list) {
		return list[:limit]
	}
	return list
}

func (v viewer) one(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	return v.check(ctx)
}

// Account implements ledger.View.
func (v viewer) Account(ctx context.Context, path string) (*ledger.Account, error) {
	a := v.account(path)
	if a == nil {
		return nil, &ledger.Error{Kind: ledger.ErrNotFound, Account: path, Problem: "was never posted to", Remedy: "check the path"}
	}
	return a, v.check(ctx)
}

// Accounts implements ledger.View.
func (v viewer) Accounts(ctx context.Context, each func(*ledger.Account, []byte) error) error {
	for i, a := range v.books.accounts {
		if err := v.one(ctx, each(a, v.books.digests[i])); err != nil {
			return err
		}
	}
	for _, a := range v.accounts {
		digest := a.Digest()
		if err := v.one(ctx, each(a, digest[:])); err != nil {
			return err
		}
	}
	return v.check(ctx)
}

// Totals implements ledger.View.
func (v viewer) Totals(ctx context.Context, each func(ledger.Locked) error) error {
	for _, a := range slices.Concat(v.books.accounts, v.accounts) {
		if a.Mode != ledger.Strict {
			continue
		}
		if err := v.one(ctx, each(v.total(a.ID))); err != nil {
			return err
		}
	}
	return v.check(ctx)
}

// Total implements ledger.View.
func (v viewer) Total(ctx context.Context, account int64) (ledger.Locked, error) {
	return v.total(account), v.check(ctx)
}

// Running implements ledger.View.
func (v viewer) Running(ctx context.Context, seq int64, accounts []*ledger.Account) ([]ledger.Totals, error) {
	return v.books.sealed.running(seq, accounts), v.check(ctx)
}

// Postings implements ledger.View.
func (v viewer) Postings(ctx context.Context, q ledger.PostingQuery, each func(ledger.Posting) error) error {
	layers := q.Layers
	if len(layers) == 0 {
		layers = []ledger.Layer{ledger.Posted, ledger.HeldDebit, ledger.HeldCredit}
	}
	var found []ledger.Posting
	for _, l := range layers {
		list := v.books.sealed.page(q.Account.ID, l)
		for i := sort.Search(len(list), func(i int) bool { return list[i].seq > q.After }); i < len(list); i++ {
			e := &list[i]
			if q.Until != 0 && e.seq > q.Until {
				break
			}
			if q.BookedBefore != 0 && e.booked >= q.BookedBefore || q.BookedFrom != 0 && e.booked < q.BookedFrom {
				continue
			}
			found = append(found, v.books.posting(q.Account, l, e))
			if len(layers) == 1 && q.Limit > 0 && len(found) == q.Limit {
				break
			}
		}
	}
	if len(layers) > 1 {
		slices.SortFunc(found, func(a, b ledger.Posting) int {
			return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.N, b.N))
		})
	}
	if q.Limit > 0 {
		found = found[:min(q.Limit, len(found))]
	}
	for _, p := range found {
		if err := v.one(ctx, each(p)); err != nil {
			return err
		}
	}
	return v.check(ctx)
}

// AllPostings implements ledger.View.
func (v viewer) AllPostings(ctx context.Context, each func(ledger.Posting, int64) error) error {
	for i := range v.books.sealed.pages {
		a := v.books.accounts[i]
		for layer := range v.books.sealed.pages[i] {
			for j := range v.books.sealed.pages[i][layer] {
				if err := v.one(ctx, each(v.books.posting(a, ledger.Layer(layer), &v.books.sealed.pages[i][layer][j]), a.ID)); err != nil {
					return err
				}
			}
		}
	}
	return v.check(ctx)
}

// Unsealed implements ledger.View.
func (v viewer) Unsealed(ctx context.Context, last ledger.Block, each func(*ledger.Record) error) error {
	for id := last.High + 1; id <= v.last(); id++ {
		if err := v.one(ctx, each(v.at(id))); err != nil {
			return err
		}
	}
	return v.check(ctx)
}

// Keyed implements ledger.View.
func (v viewer) Keyed(ctx context.Context, key string) (*ledger.Record, error) {
	if r := v.keyed(key); r != nil {
		return r, v.check(ctx)
	}
	return nil, ledger.ErrNotFound
}

// Records implements ledger.View.
func (v viewer) Records(ctx context.Context, ids []int64) ([]*ledger.Record, error) {
	var found []*ledger.Record
	for _, id := range ids {
		if id >= 1 && id <= v.last() {
			found = append(found, v.at(id))
		}
	}
	return found, v.check(ctx)
}

// Journal implements ledger.View.
func (v viewer) Journal(ctx context.Context, after int64, limit int, each func(*ledger.Record, error) error) error {
	first := max(after, 0) + 1 // IDs have no gaps here
	last := v.last()
	if limit > 0 {
		last = min(last, first+int64(limit)-1)
	}
	for id := first; id <= last; id++ {
		if err := v.one(ctx, each(v.at(id), nil)); err != nil {
			return err
		}
	}
	return v.check(ctx)
}

// Expiring implements ledger.View.
func (v viewer) Expiring(ctx context.Context, after, until int64, limit int, each func(id int64, key string, expires int64) error) error {
	var due []*ledger.Record
	for _, id := range v.books.expiring {
		k := v.books.kept(id)
		if k.expires <= after || k.expires > until {
			continue
		}
		parts := v.books.parts[id]
		if n := len(parts); n > 0 && v.books.kept(parts[n-1]).final {
			continue
		}
		due = append(due, v.books.record(id))
	}
	slices.SortFunc(due, func(a, b *ledger.Record) int {
		return cmp.Or(cmp.Compare(a.Expires, b.Expires), cmp.Compare(a.ID, b.ID))
	})
	for _, r := range due[:min(limit, len(due))] {
		if err := v.one(ctx, each(r.ID, r.Key, r.Expires)); err != nil {
			return err
		}
	}
	return v.check(ctx)
}
