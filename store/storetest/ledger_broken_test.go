package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/store/memstore"
)

// brokenBooks is memstore whose ledger is replaced in part. Each function gets
// what it replaces.
type brokenBooks struct {
	*memstore.Store
	apply  func(apply, context.Context, []*ledger.Request) error
	tx     func(ledger.Tx) ledger.Tx
	seal   func(ledger.SealTx) ledger.SealTx
	view   func(ledger.View) ledger.View
	update func(s update, ctx context.Context, fn body) error
}

type apply = func(context.Context, []*ledger.Request) error

func (b *brokenBooks) Ledger() ledger.Backend { return brokenBackend{b.Store.Ledger(), b} }

func (b *brokenBooks) Update(ctx context.Context, fn body) error {
	run := fn
	if b.tx != nil {
		run = func(ctx context.Context, tx payment.Tx) error { return fn(ctx, brokenKeeper{tx, b}) }
	}
	if b.update != nil {
		return b.update(b.Store.Update, ctx, run)
	}
	return b.Store.Update(ctx, run)
}

type brokenKeeper struct {
	payment.Tx
	b *brokenBooks
}

func (k brokenKeeper) LedgerTx() ledger.Tx { return k.b.tx(k.Tx.(ledger.Keeper).LedgerTx()) }

type brokenBackend struct {
	ledger.Backend
	b *brokenBooks
}

func (b brokenBackend) Apply(ctx context.Context, requests []*ledger.Request) error {
	run := b.Backend.Apply
	if b.b.tx != nil {
		run = func(ctx context.Context, requests []*ledger.Request) error {
			return b.b.Store.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
				_, err := ledger.Carry(ctx, b.b.tx(tx.(ledger.Keeper).LedgerTx()), requests)
				return err
			})
		}
	}
	if b.b.apply != nil {
		return b.b.apply(run, ctx, requests)
	}
	return run(ctx, requests)
}

func (b brokenBackend) Seal(ctx context.Context, fn func(context.Context, ledger.SealTx) error) error {
	return b.Backend.Seal(ctx, func(ctx context.Context, tx ledger.SealTx) error {
		if b.b.seal != nil {
			tx = b.b.seal(tx)
		}
		return fn(ctx, tx)
	})
}

func (b brokenBackend) View(ctx context.Context, fn func(context.Context, ledger.View) error) error {
	return b.Backend.View(ctx, func(ctx context.Context, v ledger.View) error {
		if b.b.view != nil {
			v = b.b.view(v)
		}
		return fn(ctx, v)
	})
}

// brokenLedgerTx is a transaction with some methods replaced.
type brokenLedgerTx struct {
	ledger.Tx
	keyed  func(ctx context.Context, keys []string) ([]*ledger.Record, error)
	parts  func(ctx context.Context, of []int64) ([]*ledger.Record, error)
	closed func(ctx context.Context) (int64, error)
	lock   func(ctx context.Context, must, may []int64) ([]ledger.Locked, error)
	append func(ctx context.Context, records []*ledger.Record, deltas []ledger.Delta) error
}

func (t brokenLedgerTx) Keyed(ctx context.Context, keys []string) ([]*ledger.Record, error) {
	if t.keyed != nil {
		return t.keyed(ctx, keys)
	}
	return t.Tx.Keyed(ctx, keys)
}

func (t brokenLedgerTx) Parts(ctx context.Context, of []int64) ([]*ledger.Record, error) {
	if t.parts != nil {
		return t.parts(ctx, of)
	}
	return t.Tx.Parts(ctx, of)
}

func (t brokenLedgerTx) ClosedBefore(ctx context.Context) (int64, error) {
	if t.closed != nil {
		return t.closed(ctx)
	}
	return t.Tx.ClosedBefore(ctx)
}

func (t brokenLedgerTx) Lock(ctx context.Context, must, may []int64) ([]ledger.Locked, error) {
	if t.lock != nil {
		return t.lock(ctx, must, may)
	}
	return t.Tx.Lock(ctx, must, may)
}

func (t brokenLedgerTx) Append(ctx context.Context, records []*ledger.Record, deltas []ledger.Delta) error {
	if t.append != nil {
		return t.append(ctx, records, deltas)
	}
	return t.Tx.Append(ctx, records, deltas)
}

type brokenSealTx struct {
	ledger.SealTx
	unsealed func(records []*ledger.Record, high int64) ([]*ledger.Record, int64)
	write    func(b *ledger.Block)
}

func (t brokenSealTx) Unsealed(ctx context.Context, last ledger.Block, limit int) ([]*ledger.Record, int64, []byte, error) {
	records, high, gaps, err := t.SealTx.Unsealed(ctx, last, limit)
	if t.unsealed != nil && err == nil {
		records, high = t.unsealed(records, high)
	}
	return records, high, gaps, err
}

func (t brokenSealTx) Write(ctx context.Context, b *ledger.Block, postings []ledger.Posting) error {
	if t.write != nil {
		t.write(b)
	}
	return t.SealTx.Write(ctx, b, postings)
}

type brokenView struct {
	ledger.View
	totals func(ctx context.Context, each func(ledger.Locked) error) error
}

func (v brokenView) Totals(ctx context.Context, each func(ledger.Locked) error) error {
	return v.totals(ctx, each)
}

// breakBooks makes a store whose books are spoilt.
func breakBooks(spoil func(b *brokenBooks)) func(testing.TB) Fixture {
	return func(testing.TB) Fixture {
		b := &brokenBooks{Store: memstore.New()}
		spoil(b)
		return Fixture{Store: b}
	}
}

// breakBooksTx makes a store whose transactions spoil the books.
func breakBooksTx(spoil func(t *brokenLedgerTx)) func(testing.TB) Fixture {
	return breakBooks(func(b *brokenBooks) {
		b.tx = func(tx ledger.Tx) ledger.Tx {
			t := brokenLedgerTx{Tx: tx}
			spoil(&t)
			return t
		}
	})
}

// forgetParts lets every draw on an earlier record be the first.
func forgetParts(t *brokenLedgerTx) {
	t.parts = func(context.Context, []int64) ([]*ledger.Record, error) { return nil, nil }
}

// snapshot reads what strict accounts come to once, and goes on from there, as
// a cache that outlives a commit does.
func snapshot() func(t *brokenLedgerTx) {
	var mu sync.Mutex
	kept := map[int64]ledger.Locked{}
	return func(t *brokenLedgerTx) {
		tx := t.Tx
		t.lock = func(ctx context.Context, must, may []int64) ([]ledger.Locked, error) {
			mu.Lock()
			defer mu.Unlock()
			got, err := tx.Lock(ctx, must, may)
			for i := range got {
				if old, ok := kept[got[i].ID]; ok {
					got[i] = old
				} else {
					kept[got[i].ID] = got[i]
				}
			}
			return got, err
		}
	}
}

// ungrouped carries requests out one by one.
func ungrouped(run apply, ctx context.Context, requests []*ledger.Request) error { //nolint:revive // what is replaced comes first
	for _, r := range requests {
		if err := run(ctx, []*ledger.Request{r}); err != nil {
			return err
		}
	}
	return nil
}

func ledgerBreakers() map[string]func(testing.TB) Fixture {
	forgetDelta := breakBooksTx(func(t *brokenLedgerTx) {
		tx := t.Tx
		t.append = func(ctx context.Context, records []*ledger.Record, deltas []ledger.Delta) error {
			return tx.Append(ctx, records, deltas[:len(deltas)/2])
		}
	})
	sharedFailure := breakBooks(func(b *brokenBooks) {
		b.apply = func(run apply, ctx context.Context, requests []*ledger.Request) error {
			if err := run(ctx, requests); err != nil {
				return err
			}
			for _, r := range requests {
				if r.Err != nil {
					for _, other := range requests {
						other.Err = r.Err
					}
				}
			}
			return nil
		}
	})
	return map[string]func(testing.TB) Fixture{
		"ledger atomic":     forgetDelta,
		"ledger own result": sharedFailure,
		"ledger in order": breakBooks(func(b *brokenBooks) {
			b.apply = func(run apply, ctx context.Context, requests []*ledger.Request) error {
				turned := slices.Clone(requests)
				slices.Reverse(turned)
				return run(ctx, turned)
			}
		}),
		"ledger batch": breakBooks(func(b *brokenBooks) {
			b.apply = func(run apply, ctx context.Context, requests []*ledger.Request) error {
				return run(ctx, requests[:min(len(requests), 512)])
			}
		}),
		"ledger together": breakBooks(func(b *brokenBooks) { b.apply = ungrouped }),
		"ledger context over": breakBooks(func(b *brokenBooks) {
			b.apply = func(run apply, ctx context.Context, requests []*ledger.Request) error {
				return run(context.WithoutCancel(ctx), requests)
			}
		}),
		"ledger nested": breakBooks(func(b *brokenBooks) {
			b.apply = func(run apply, ctx context.Context, requests []*ledger.Request) error {
				if err := run(ctx, requests); !errors.Is(err, ledger.ErrInTransaction) {
					return err
				}
				return nil
			}
		}),
		"ledger with the payment": breakBooks(func(b *brokenBooks) {
			// The payment is rolled back, and what was posted with it is not.
			b.update = func(s update, ctx context.Context, fn body) error {
				var failed error
				err := s(ctx, func(ctx context.Context, tx payment.Tx) error {
					failed = fn(ctx, tx)
					return nil
				})
				return errors.Join(err, failed)
			}
		}),
		"ledger many callers": breakBooks(func(b *brokenBooks) {
			// The result of the one before is given to the next.
			var mu sync.Mutex
			var before error
			b.apply = func(run apply, ctx context.Context, requests []*ledger.Request) error {
				err := run(ctx, requests)
				mu.Lock()
				defer mu.Unlock()
				for _, r := range requests {
					before, r.Err = r.Err, before
				}
				return err
			}
		}),
		"ledger one key": breakBooksTx(func(t *brokenLedgerTx) {
			t.keyed = func(context.Context, []string) ([]*ledger.Record, error) { return nil, nil }
		}),
		"ledger never overdrawn": breakBooksTx(snapshot()),
		"ledger version":         breakBooksTx(snapshot()),
		"ledger one end":         breakBooksTx(forgetParts),
		"ledger reversed once":   breakBooksTx(forgetParts),
		"ledger period": breakBooksTx(func(t *brokenLedgerTx) {
			t.closed = func(context.Context) (int64, error) { return 0, nil }
		}),
		"ledger together at once": breakBooks(func(b *brokenBooks) { b.apply = ungrouped }),
		"ledger eight batches": breakBooks(func(b *brokenBooks) {
			// Two that work at once get in each other's way, and one is ended.
			var working atomic.Int64
			b.apply = func(run apply, ctx context.Context, requests []*ledger.Request) error {
				defer working.Add(-1)
				if working.Add(1) > 1 && len(requests) > 1 {
					return ledger.ErrBusy
				}
				time.Sleep(5 * time.Millisecond)
				return run(ctx, requests)
			}
		}),
		"ledger seals": breakBooks(func(b *brokenBooks) {
			b.seal = func(tx ledger.SealTx) ledger.SealTx {
				return brokenSealTx{SealTx: tx, write: func(b *ledger.Block) { b.First++ }}
			}
		}),
		"ledger seal order": breakBooks(func(b *brokenBooks) {
			b.seal = func(tx ledger.SealTx) ledger.SealTx {
				return brokenSealTx{SealTx: tx, unsealed: func(records []*ledger.Record, high int64) ([]*ledger.Record, int64) {
					records = slices.Clone(records)
					slices.Reverse(records)
					return records, high
				}}
			}
		}),
		"ledger one view": breakBooks(func(b *brokenBooks) {
			// Balances are read a moment before all else.
			var mu sync.Mutex
			var before []ledger.Locked
			b.view = func(v ledger.View) ledger.View {
				return brokenView{View: v, totals: func(ctx context.Context, each func(ledger.Locked) error) error {
					mu.Lock()
					defer mu.Unlock()
					stale := before
					before = nil
					if err := v.Totals(ctx, func(l ledger.Locked) error { before = append(before, l); return nil }); err != nil {
						return err
					}
					if stale == nil {
						stale = before
					}
					for _, l := range stale {
						if err := each(l); err != nil {
							return err
						}
					}
					return nil
				}}
			}
		}),
		"ledger reopen": func(testing.TB) Fixture {
			return Fixture{Store: memstore.New(), Reopen: func(testing.TB) payment.Store { return memstore.New() }}
		},
		"ledger commit unknown": func(testing.TB) Fixture {
			return Fixture{Store: memstore.New(), LoseCommit: func(testing.TB, bool) {}}
		},
		"ledger two handles": func(testing.TB) Fixture {
			return Fixture{Store: memstore.New(), Second: func(testing.TB) payment.Store { return memstore.New() }}
		},
		"ledger host commits":    passedOver,
		"ledger host rolls back": passedOver,
		"ledger host goes on":    passedOver,
		"ledger host and others": passedOver,
	}
}

// passedOver is a store that ignores the host's transaction.
func passedOver(testing.TB) Fixture {
	return Fixture{Store: memstore.New(), Join: func(testing.TB) (context.Context, func() error, func() error) {
		nothing := func() error { return nil }
		return context.Background(), nothing, nothing
	}}
}
