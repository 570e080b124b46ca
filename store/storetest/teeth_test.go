package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/store/memstore"
)

// A suite that passes a broken store proves nothing. For each rule there is a
// store here that breaks it, and the rule must notice.

type mark struct{}

func breakers() map[string]func(testing.TB) Fixture {
	return map[string]func(testing.TB) Fixture{
		"atomic": breakTx(func(t *brokenTx) {
			t.append = func(context.Context, ...*payment.Event) error { return nil }
		}),
		"rollback on error": breakStore(func(b *broken) {
			b.update = func(s update, ctx context.Context, fn body) error {
				var failed error
				if err := s(ctx, func(ctx context.Context, tx payment.Tx) error { failed = fn(ctx, tx); return nil }); err != nil {
					return err
				}
				return failed
			}
		}),
		"rollback on panic": breakStore(func(b *broken) {
			b.update = func(s update, ctx context.Context, fn body) error {
				var failed error
				err := s(ctx, func(ctx context.Context, tx payment.Tx) (err error) {
					defer func() {
						if v := recover(); v != nil {
							failed = errors.New("panicked")
						}
					}()
					return fn(ctx, tx)
				})
				return errors.Join(err, failed)
			}
		}),
		"rollback on goexit": breakStore(func(b *broken) {
			b.update = func(s update, ctx context.Context, fn body) error {
				return s(ctx, func(ctx context.Context, tx payment.Tx) error {
					done := make(chan error, 1)
					go func() {
						defer close(done)
						done <- fn(ctx, tx)
					}()
					return <-done
				})
			}
		}),
		"own writes": func(testing.TB) Fixture {
			s := memstore.New()
			return Fixture{Store: &broken{Store: s, tx: func(tx payment.Tx) payment.Tx {
				return &brokenTx{Tx: tx, read: func(_ context.Context, id string) (*payment.Payment, error) {
					return s.Payment(context.Background(), id)
				}}
			}}}
		},
		"nested update": breakStore(func(b *broken) {
			b.update = func(s update, ctx context.Context, fn body) error {
				if ctx.Value(mark{}) != nil {
					return nil
				}
				return s(context.WithValue(ctx, mark{}, true), fn)
			}
		}),
		"context over": breakStore(func(b *broken) {
			b.update = func(s update, ctx context.Context, fn body) error { return s(context.WithoutCancel(ctx), fn) }
		}),
		"context over inside": breakStore(func(b *broken) {
			b.update = func(s update, ctx context.Context, fn body) error { return s(context.WithoutCancel(ctx), fn) }
		}),
		"context values": breakStore(func(b *broken) {
			b.update = func(s update, _ context.Context, fn body) error { return s(context.Background(), fn) }
		}),
		"conflict runs again": breakStore(func(b *broken) {
			b.update = func(s update, ctx context.Context, fn body) error {
				return s(ctx, func(ctx context.Context, tx payment.Tx) error {
					if err := fn(ctx, tx); err != nil {
						return errors.New(err.Error())
					}
					return nil
				})
			}
		}),
		"transaction over": func(testing.TB) Fixture {
			s := memstore.New()
			return Fixture{Store: &broken{Store: s, tx: func(tx payment.Tx) payment.Tx {
				return &brokenTx{Tx: tx, insert: func(ctx context.Context, p *payment.Payment) error {
					if err := tx.InsertPayment(ctx, p); err == nil {
						return nil
					}
					return s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return tx.InsertPayment(ctx, p) })
				}}
			}}}
		},
		"no dirty read": func(testing.TB) Fixture {
			var mu sync.Mutex
			dirty := map[string]*payment.Payment{}
			b := &broken{Store: memstore.New()}
			b.tx = func(tx payment.Tx) payment.Tx {
				return &brokenTx{Tx: tx, insert: func(ctx context.Context, p *payment.Payment) error {
					mu.Lock()
					defer mu.Unlock()
					dirty[p.ID] = p
					return tx.InsertPayment(ctx, p)
				}}
			}
			b.payment = func(p *payment.Payment, err error) (*payment.Payment, error) {
				mu.Lock()
				defer mu.Unlock()
				for _, d := range dirty {
					if err != nil && len(dirty) > 1 {
						return d, nil
					}
				}
				return p, err
			}
			return Fixture{Store: b}
		},
		"no lost update": func(testing.TB) Fixture {
			var first *payment.Payment // under memstore's own turn
			return Fixture{Store: &broken{Store: memstore.New(), tx: func(tx payment.Tx) payment.Tx {
				return &brokenTx{Tx: tx,
					read: func(ctx context.Context, id string) (*payment.Payment, error) {
						if first == nil {
							first, _ = tx.Payment(ctx, id)
						}
						return first, nil
					},
					save: func(ctx context.Context, p *payment.Payment) error { return blind(ctx, tx, p) }}
			}}}
		},
		"whole payments": func(testing.TB) Fixture {
			b := &broken{Store: memstore.New()}
			b.payment = func(p *payment.Payment, err error) (*payment.Payment, error) {
				if err == nil {
					time.Sleep(100 * time.Microsecond)
					var later *payment.Payment
					later, err = b.Store.Payment(context.Background(), p.ID)
					p.Operations = later.Operations
				}
				return p, err
			}
			return Fixture{Store: b}
		},
		"many callers": breakStore(func(b *broken) {
			var n atomic.Int64
			b.update = func(s update, ctx context.Context, fn body) error {
				if n.Add(1)%10 == 0 {
					return nil
				}
				return s(ctx, fn)
			}
		}),
		"save compares versions": breakTx(func(t *brokenTx) {
			tx := t.Tx
			t.save = func(ctx context.Context, p *payment.Payment) error { return blind(ctx, tx, p) }
		}),
		"save writes the changed": breakTx(func(t *brokenTx) {
			tx := t.Tx
			t.save = func(ctx context.Context, p *payment.Payment) error {
				for _, o := range p.Operations {
					o.Revision = p.Version
				}
				return tx.SavePayment(ctx, p)
			}
		}),
		"insert once": breakTx(func(t *brokenTx) {
			tx := t.Tx
			t.insert = func(ctx context.Context, p *payment.Payment) error { return blind(ctx, tx, p) }
		}),
		"not found": breakStore(func(b *broken) {
			b.payment = func(p *payment.Payment, err error) (*payment.Payment, error) {
				if err != nil {
					err = errors.New("sql: no rows in result set")
				}
				return p, err
			}
		}),
		"subjects": breakStore(func(b *broken) {
			b.subjectKey = func(key []byte, err error) ([]byte, error) {
				if errors.Is(err, payment.ErrErased) {
					err = payment.ErrNotFound
				}
				return key, err
			}
		}),
		"claims all or none": breakTx(func(t *brokenTx) {
			tx := t.Tx
			t.claim = func(ctx context.Context, claims ...payment.Claim) error {
				for _, c := range claims {
					if err := tx.Claim(ctx, c); err != nil {
						return err
					}
				}
				return nil
			}
		}),
		"claims roll back": func(testing.TB) Fixture {
			taken := map[string]payment.Claim{} // under memstore's own turn
			return Fixture{Store: &broken{Store: memstore.New(), tx: func(tx payment.Tx) payment.Tx {
				return &brokenTx{Tx: tx, claim: func(_ context.Context, claims ...payment.Claim) error {
					for _, c := range claims {
						if held, ok := taken[c.Key]; ok {
							return &payment.TakenError{Claim: held}
						}
						taken[c.Key] = c
					}
					return nil
				}}
			}}}
		},
		"one claim wins": breakTx(func(t *brokenTx) {
			tx := t.Tx
			t.claim = func(ctx context.Context, claims ...payment.Claim) error {
				if err := tx.Claim(ctx, claims...); !errors.Is(err, payment.ErrTaken) {
					return err
				}
				return nil
			}
		}),
		"claims in any order": breakTx(func(t *brokenTx) {
			tx := t.Tx
			t.claim = func(ctx context.Context, claims ...payment.Claim) error {
				err := tx.Claim(ctx, claims...)
				if errors.Is(err, payment.ErrTaken) && claims[0].Kind == payment.ClaimReference {
					return nil
				}
				return err
			}
		}),
		"release by owner": breakTx(func(t *brokenTx) {
			tx := t.Tx
			t.release = func(ctx context.Context, kind payment.ClaimKind, key, owner string) error {
				if held, err := tx.Claimed(ctx, kind, key); err == nil {
					owner = held.Owner
				}
				return tx.Release(ctx, kind, key, owner)
			}
		}),
		"events in order": func(testing.TB) Fixture {
			b := &broken{Store: memstore.New()}
			b.events = func(ctx context.Context, q payment.EventQuery) ([]*payment.Event, error) {
				page, err := b.Store.Events(ctx, q)
				slices.Reverse(page)
				return page, err
			}
			return Fixture{Store: b}
		},
		"events roll back": func(testing.TB) Fixture {
			b := &broken{Store: memstore.New()}
			b.update = func(s update, ctx context.Context, fn body) error {
				err := s(ctx, fn)
				if err != nil { // what was appended stays
					_ = s(ctx, func(ctx context.Context, tx payment.Tx) error {
						return tx.AppendEvents(ctx, &payment.Event{ID: "ghost"})
					})
				}
				return err
			}
			return Fixture{Store: b}
		},
		"events are immutable": func(testing.TB) Fixture {
			b := &broken{Store: memstore.New()}
			var kept []*payment.Event
			b.events = func(ctx context.Context, q payment.EventQuery) (_ []*payment.Event, err error) {
				if kept == nil {
					kept, err = b.Store.Events(ctx, q)
				}
				return kept, err
			}
			return Fixture{Store: b}
		},
		"event cursor":            func(testing.TB) Fixture { return Fixture{Store: &looseEvents{Store: memstore.New()}} },
		"event cursor under load": func(testing.TB) Fixture { return Fixture{Store: &looseEvents{Store: memstore.New()}} },
		"events do not wait": func(testing.TB) Fixture {
			b := &broken{Store: memstore.New()}
			var open atomic.Int64
			b.update = func(s update, ctx context.Context, fn body) error {
				open.Add(1)
				defer open.Add(-1)
				return s(ctx, fn)
			}
			b.events = func(ctx context.Context, q payment.EventQuery) ([]*payment.Event, error) {
				if open.Load() > 0 {
					return nil, nil
				}
				return b.Store.Events(ctx, q)
			}
			return Fixture{Store: b}
		},
		"lease what is due": func(testing.TB) Fixture {
			b := &broken{Store: memstore.New()}
			b.claimDue = func(ctx context.Context, owner string, now, until time.Time, limit int) ([]string, error) {
				return b.Store.ClaimDue(ctx, owner, now.Add(24*time.Hour), until.Add(24*time.Hour), limit)
			}
			return Fixture{Store: b}
		},
		"leases end": func(testing.TB) Fixture {
			b := &broken{Store: memstore.New()}
			b.releaseDue = func(ctx context.Context, _ string, ids ...string) error {
				return errors.Join(b.Store.ReleaseDue(ctx, "first", ids...), b.Store.ReleaseDue(ctx, "second", ids...))
			}
			return Fixture{Store: b}
		},
		"leases stand beside": func(testing.TB) Fixture {
			b := &broken{Store: memstore.New()}
			b.claimDue = func(ctx context.Context, owner string, now, until time.Time, limit int) ([]string, error) {
				ids, err := b.Store.ClaimDue(ctx, owner, now, until, limit)
				for _, id := range ids {
					p, _ := b.Store.Payment(ctx, id)
					err = errors.Join(err, b.Store.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return tx.SavePayment(ctx, next(p)) }))
				}
				return ids, err
			}
			return Fixture{Store: b}
		},
		"one lease at a time": func(testing.TB) Fixture {
			b := &broken{Store: memstore.New()}
			b.claimDue = func(ctx context.Context, owner string, now, _ time.Time, limit int) ([]string, error) {
				return b.Store.ClaimDue(ctx, owner, now, now, limit)
			}
			return Fixture{Store: b}
		},
		"payments newest first": breakStore(func(b *broken) {
			b.payments = func(q payment.PaymentQuery) (payment.PaymentQuery, func([]*payment.Payment)) {
				return q, func(l []*payment.Payment) { slices.Reverse(l) }
			}
		}),
		"payments in pages": breakStore(func(b *broken) {
			b.payments = func(q payment.PaymentQuery) (payment.PaymentQuery, func([]*payment.Payment)) {
				if at, _, err := payment.ParseCursor(q.After); err == nil {
					q.After = payment.Cursor(&payment.Payment{CreatedAt: at, ID: "\x01"}) // by time alone
				}
				return q, func([]*payment.Payment) {}
			}
		}),
		"payments filtered": breakStore(func(b *broken) {
			b.payments = func(q payment.PaymentQuery) (payment.PaymentQuery, func([]*payment.Payment)) {
				q.OpenOnly = false
				return q, func([]*payment.Payment) {}
			}
		}),
		"disputes listed": breakStore(func(b *broken) {
			b.disputes = func(q payment.DisputeQuery) payment.DisputeQuery { q.Provider = ""; return q }
		}),
		"methods listed": breakStore(func(b *broken) {
			b.methods = func(l []*payment.SavedMethod) { slices.Reverse(l) }
		}),
		"every field": breakTx(func(t *brokenTx) {
			tx := t.Tx
			t.insert = func(ctx context.Context, p *payment.Payment) error {
				c := *p
				c.Operations = slices.Clone(p.Operations)
				o := *c.Operations[0]
				o.Refs = nil
				c.Operations[0] = &o
				return tx.InsertPayment(ctx, &c)
			}
		}),
		"empty fields": breakStore(func(b *broken) {
			b.payment = func(p *payment.Payment, err error) (*payment.Payment, error) {
				if err == nil && p.Review == nil {
					p.Review = &payment.Review{}
				}
				return p, err
			}
		}),
		"replace": breakTx(func(t *brokenTx) {
			tx := t.Tx
			t.saveDispute = func(ctx context.Context, d *payment.Dispute) error {
				c := *d
				if old, err := tx.Dispute(ctx, d.ID); err == nil && c.Due.IsZero() {
					c.Due = old.Due
				}
				return tx.SaveDispute(ctx, &c)
			}
		}),
		"copies": func(testing.TB) Fixture {
			b := &broken{Store: memstore.New()}
			var kept *payment.Payment
			b.payment = func(p *payment.Payment, err error) (*payment.Payment, error) {
				if kept == nil {
					kept = p
				}
				return kept, err
			}
			return Fixture{Store: b}
		},
		"nothing outside Sealed": breakStore(func(b *broken) {
			b.payment = func(p *payment.Payment, err error) (*payment.Payment, error) {
				p.Description = "for Alice"
				return p, err
			}
		}),
		"time": breakStore(func(b *broken) {
			b.payment = func(p *payment.Payment, err error) (*payment.Payment, error) {
				p.CreatedAt = p.CreatedAt.In(time.FixedZone("local", 3600))
				return p, err
			}
		}),
		"odd text": breakStore(func(b *broken) {
			b.payment = func(p *payment.Payment, err error) (*payment.Payment, error) {
				p.Operations[0].Ref = strings.ToValidUTF8(strings.ReplaceAll(p.Operations[0].Ref, "\x00", ""), "?")
				return p, err
			}
		}),
		"big values": breakStore(func(b *broken) {
			b.payment = func(p *payment.Payment, err error) (*payment.Payment, error) {
				p.Sealed = p.Sealed[:min(len(p.Sealed), 1<<16)]
				return p, err
			}
		}),
		"reopen": func(testing.TB) Fixture {
			return Fixture{Store: memstore.New(), Reopen: func(testing.TB) payment.Store { return memstore.New() }}
		},
		"commit unknown": func(testing.TB) Fixture {
			return Fixture{Store: memstore.New(), LoseCommit: func(testing.TB, bool) {}}
		},
		"two handles": func(testing.TB) Fixture {
			return Fixture{Store: memstore.New(), Second: func(testing.TB) payment.Store { return memstore.New() }}
		},
		"join commits":    spoiltJoin(func(_ *Fixture, commit, rollback *func() error) { *commit = *rollback }),
		"join rolls back": spoiltJoin(func(_ *Fixture, commit, rollback *func() error) { *rollback = *commit }),
		"join savepoint":  spoiltJoin(func(_ *Fixture, commit, rollback *func() error) { *commit = *rollback }),
		"join refuses": spoiltJoin(func(f *Fixture, _, _ *func() error) {
			s := f.Store
			if b, ok := s.(*broken); ok {
				s = b.Store
			}
			f.Store = &broken{Store: s, claimDue: func(context.Context, string, time.Time, time.Time, int) ([]string, error) { return nil, nil }}
		}),
	}
}

// recorder notes a failure instead of failing the test.
type recorder struct {
	testing.TB
	mu      sync.Mutex
	failure string
	skipped bool
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.mu.Lock()
	r.failure = fmt.Sprintf(format, args...)
	r.mu.Unlock()
	runtime.Goexit()
}

func (r *recorder) Skip(...any) {
	r.skipped = true
	runtime.Goexit()
}

func TestTeeth(t *testing.T) {
	t.Parallel()
	all := breakers()
	maps.Copy(all, ledgerBreakers())
	for _, rule := range rules() {
		open, ok := all[rule.name]
		delete(all, rule.name)
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			require.True(t, ok, "no store breaks this rule: nothing proves that it is checked")
			r := &recorder{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				rule.run(r, open)
			}()
			<-done
			require.False(t, r.skipped, "the rule was skipped")
			require.Contains(t, r.failure, rule.why, "a store that breaks the rule passed, or the failure does not explain it")
			t.Log(r.failure)
		})
	}
	for name := range all {
		t.Errorf("a store breaks the rule %q, which is not there", name)
	}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	c := &checker{t: t}
	p := c.full(1)
	require.Empty(t, difference(p, p))
	q := c.full(1)
	q.ID, q.Operations = p.ID, p.Operations
	require.Empty(t, difference(p, q))
	q.Totals.Disputed.Pending = p.Amount
	require.Contains(t, difference(p, q), ".Totals.Disputed.Pending")
	q = c.full(1)
	q.ID = p.ID
	require.Contains(t, difference(p, q), ".Operations[0].ID")
}
