package memstore

import (
	"context"

	"github.com/tender-go/payment/ledger"
)

// draft is what one transaction adds to the books. It lies over them until
// commit, so a rollback is to forget it.
type draft struct {
	books *books
	t     *tx // whose it is; nil for a transaction of the ledger's own

	accounts []*ledger.Account
	records  []*ledger.Record
	deltas   []ledger.Delta

	keys    map[string]*ledger.Record // of records, once there are several
	scratch []*ledger.Account
	locked  []ledger.Locked
}

var _ ledger.Tx = (*draft)(nil)

func (d *draft) reset() {
	*d = draft{books: d.books, accounts: d.accounts[:0], records: d.records[:0], deltas: d.deltas[:0], scratch: d.scratch[:0], locked: d.locked[:0]}
}

func (d *draft) check(ctx context.Context) error {
	if d.t != nil {
		return d.t.check(ctx)
	}
	return ctx.Err()
}

func (d *draft) account(path string) *ledger.Account {
	for _, a := range d.accounts {
		if a.Path == path {
			return a
		}
	}
	return d.books.byPath[path]
}

func (d *draft) keyed(key string) *ledger.Record {
	if d.keys != nil {
		if r := d.keys[key]; r != nil {
			return r
		}
	} else {
		for _, r := range d.records {
			if r.Key == key {
				return r
			}
		}
	}
	if id := d.books.find(key); id != 0 {
		return d.books.record(id)
	}
	return nil
}

// Accounts implements ledger.Tx.
func (d *draft) Accounts(ctx context.Context, paths []string) ([]*ledger.Account, error) {
	if err := d.check(ctx); err != nil {
		return nil, err
	}
	d.scratch = d.scratch[:0]
	for _, p := range paths {
		d.scratch = append(d.scratch, d.account(p))
	}
	return d.scratch, nil
}

// Open implements ledger.Tx.
func (d *draft) Open(ctx context.Context, specs []ledger.Spec) ([]*ledger.Account, error) {
	if err := d.check(ctx); err != nil {
		return nil, err
	}
	opened := make([]*ledger.Account, len(specs))
	for i, s := range specs {
		if d.account(s.Path) == nil {
			opened[i] = &ledger.Account{ID: int64(len(d.books.accounts) + len(d.accounts) + 1), Spec: s}
			d.accounts = append(d.accounts, opened[i])
		}
	}
	return opened, nil
}

// Keyed implements ledger.Tx.
func (d *draft) Keyed(ctx context.Context, keys []string) ([]*ledger.Record, error) {
	if err := d.check(ctx); err != nil {
		return nil, err
	}
	var found []*ledger.Record
	for _, k := range keys {
		if r := d.keyed(k); r != nil {
			found = append(found, r)
		}
	}
	return found, nil
}

// Parts implements ledger.Tx and ledger.View.
func (d *draft) Parts(ctx context.Context, of []int64) ([]*ledger.Record, error) {
	if err := d.check(ctx); err != nil {
		return nil, err
	}
	var found []*ledger.Record
	for _, id := range of {
		for _, part := range d.books.parts[id] {
			found = append(found, d.books.record(part))
		}
		for _, r := range d.records {
			if r.Of == id {
				found = append(found, r)
			}
		}
	}
	return found, nil
}

// ClosedBefore implements ledger.Tx and ledger.View.
func (d *draft) ClosedBefore(ctx context.Context) (int64, error) {
	if err := d.check(ctx); err != nil {
		return 0, err
	}
	closed := d.books.closed
	for _, r := range d.records {
		if r.Kind == ledger.KindClose {
			closed = max(closed, r.Effective)
		}
	}
	return closed, nil
}

// Lock implements ledger.Tx: all is free, in the store's turn.
func (d *draft) Lock(ctx context.Context, must, may []int64) ([]ledger.Locked, error) {
	if err := d.check(ctx); err != nil {
		return nil, err
	}
	d.locked = d.locked[:0]
	for _, id := range must {
		d.locked = append(d.locked, d.total(id))
	}
	for _, id := range may {
		d.locked = append(d.locked, d.total(id))
	}
	return d.locked, nil
}

// total is what a strict account comes to.
func (d *draft) total(id int64) ledger.Locked {
	l := ledger.Locked{ID: id}
	if id <= int64(len(d.books.totals)) {
		l = d.books.totals[id-1]
	}
	for i := range d.deltas {
		if d.deltas[i].Account.ID == id {
			l.Totals, l.Version = d.deltas[i].Totals, d.deltas[i].Version // the last one counts
		}
	}
	return l
}

// Append implements ledger.Tx.
func (d *draft) Append(ctx context.Context, records []*ledger.Record, deltas []ledger.Delta) error {
	if err := d.check(ctx); err != nil {
		return err
	}
	if len(d.records)+len(records) > 8 && d.keys == nil {
		d.keys = make(map[string]*ledger.Record, len(records))
		for _, r := range d.records {
			d.keys[r.Key] = r
		}
	}
	for _, r := range records {
		r.ID = d.books.count + int64(len(d.records)) + 1
		d.records = append(d.records, r)
		if d.keys != nil {
			d.keys[r.Key] = r
		}
	}
	d.deltas = append(d.deltas, deltas...)
	return nil
}

// commit lays the draft into the books. The caller has the turn and mu.
func (d *draft) commit() {
	b := d.books
	for _, a := range d.accounts {
		digest := a.Digest()
		b.accounts, b.digests = append(b.accounts, a), append(b.digests, digest[:])
		b.totals = append(b.totals, ledger.Locked{ID: a.ID})
		b.byPath[a.Path] = a
	}
	for _, r := range d.records {
		b.add(r)
		b.keys.add(r.Key, r.ID)
		if r.Of != 0 {
			b.parts[r.Of] = append(b.parts[r.Of], r.ID)
		}
		if r.Kind == ledger.KindClose {
			b.closed = max(b.closed, r.Effective)
		}
		if r.Kind == ledger.KindHold && r.Expires != 0 {
			b.expiring = append(b.expiring, r.ID)
		}
	}
	for i := range d.deltas {
		t := &b.totals[d.deltas[i].Account.ID-1]
		t.Totals, t.Version = d.deltas[i].Totals, d.deltas[i].Version
	}
}
