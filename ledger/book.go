package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/tender-go/payment/money"
)

// Config wires a Book.
type Config struct {
	// Store keeps the books. Required.
	Store Store
	// Chart says which accounts may exist. Required.
	Chart *Chart
	// SealEvery is how long what was posted may wait for its seal while Run
	// runs, so that many share one block. Defaults to 250 milliseconds.
	SealEvery time.Duration
	// Logger hears of failures of Run. nil discards.
	Logger *slog.Logger
	// Now is the clock. nil is time.Now.
	Now func() time.Time
}

// Book keeps books in a store. Its methods may be called from many goroutines;
// several Books, in several processes, may work on one database.
type Book struct {
	backend   Backend
	chart     *Chart
	sealEvery time.Duration
	logger    *slog.Logger
	now       func() time.Time

	mu    sync.RWMutex
	specs map[string]Spec // of paths that were looked up before

	wake    chan struct{} // something was posted
	sealing sync.Mutex
	sealed  int64 // the number up to which this Book sealed; under sealing
}

// New makes a Book.
func New(config Config) (*Book, error) {
	switch {
	case nothing(config.Store):
		return nil, invalid("Config.Store", "is missing", "open one: store/sqlite, store/postgres, or store/memstore for tests")
	case config.Chart == nil:
		return nil, invalid("Config.Chart", "is missing", "make one with ledger.NewChart")
	case config.SealEvery < 0:
		return nil, invalid("Config.SealEvery", "is negative", "leave it out for 250 ms")
	}
	b := &Book{backend: config.Store.Ledger(), chart: config.Chart, sealEvery: config.SealEvery, logger: config.Logger, now: config.Now,
		specs: map[string]Spec{}, wake: make(chan struct{}, 1)}
	if b.backend == nil {
		return nil, invalid("Config.Store", "keeps no books", "use a store that does")
	}
	if b.sealEvery == 0 {
		b.sealEvery = 250 * time.Millisecond
	}
	if b.logger == nil {
		b.logger = slog.New(slog.DiscardHandler)
	}
	if b.now == nil {
		b.now = time.Now
	}
	return b, nil
}

func nothing(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}

// Chart returns the chart of accounts.
func (b *Book) Chart() *Chart { return b.chart }

// maxSpecs bounds what is remembered of paths.
const maxSpecs = 100_000

// spec is Chart.Spec, remembered.
func (b *Book) spec(path string, currency money.Currency) (Spec, error) {
	b.mu.RLock()
	s, ok := b.specs[path]
	b.mu.RUnlock()
	if ok && s.Currency == currency {
		return s, nil
	}
	if err := currency.Check(); err != nil {
		return Spec{}, err
	}
	if _, ok := currency.Exponent(); !ok {
		return Spec{}, money.Zero(currency).Check()
	}
	s, err := b.chart.Spec(path, currency)
	if err != nil {
		return Spec{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.specs) >= maxSpecs {
		clear(b.specs)
	}
	b.specs[path] = s
	return s, nil
}

// Post records a transaction. Under a ctx that carries a transaction of the
// host's (sqlstore.In) it is committed, or rolled back, with that one.
//
// The error is an *[Error] whose kind says what was wrong, and nothing was
// written; or [ErrBusy], or that of ctx, and nothing was written; or
// [ErrCommitUnknown]: send it again with the same key. Any other is a failure
// of the store, in its own words: nothing was written.
func (b *Book) Post(ctx context.Context, t Transaction) (Receipt, error) {
	r, err := t.request(b) // without the detour through Change, which costs a copy
	if err == nil {
		err = b.stamp(r)
	}
	if err != nil {
		return Receipt{}, err
	}
	return b.one(ctx, r)
}

// Settle posts what a pending transaction holds. Errors as for Post.
func (b *Book) Settle(ctx context.Context, s Settlement) (Receipt, error) { return b.Apply(ctx, s) }

// Void releases what a pending transaction holds. Errors as for Post.
func (b *Book) Void(ctx context.Context, v Void) (Receipt, error) { return b.Apply(ctx, v) }

// Expire releases what a pending transaction holds, because its time is over.
// Errors as for Post.
func (b *Book) Expire(ctx context.Context, e Expiry) (Receipt, error) { return b.Apply(ctx, e) }

// Reverse takes back what was posted. Errors as for Post.
func (b *Book) Reverse(ctx context.Context, r Reversal) (Receipt, error) { return b.Apply(ctx, r) }

// ClosePeriod closes a period. Errors as for Post.
func (b *Book) ClosePeriod(ctx context.Context, c Closing) (Receipt, error) { return b.Apply(ctx, c) }

// Apply records any change. Errors as for Post.
func (b *Book) Apply(ctx context.Context, c Change) (Receipt, error) {
	r, err := b.request(c)
	if err != nil {
		return Receipt{}, err
	}
	return b.one(ctx, r)
}

func (b *Book) one(ctx context.Context, r *Request) (Receipt, error) {
	one := [1]*Request{r}
	if err := b.backend.Apply(ctx, one[:]); err != nil {
		return Receipt{}, err
	}
	if r.Err != nil {
		return Receipt{}, r.Err
	}
	b.posted()
	return r.Receipt, nil
}

func (b *Book) request(c Change) (*Request, error) {
	if nothing(c) {
		return nil, invalid("Change", "is nil", "give a Transaction, Settlement, Void, Expiry, Reversal or Closing")
	}
	r, err := c.request(b)
	if err == nil {
		err = b.stamp(r)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// stamp says when a request is recorded.
func (b *Book) stamp(r *Request) error {
	r.recorded = micros(b.now())
	if r.recorded < firstInstant || r.recorded > lastInstant {
		return invalid("Config.Now", "tells a time outside the years 1970 to 9999", "correct the clock")
	}
	return nil
}

// Result is what became of one of several changes.
type Result struct {
	Receipt Receipt
	// Err as for Post; nil if it is recorded.
	Err error
}

// PostAll records many changes at once, in order, each with its own result: one
// that is refused stops no other. It costs little more than one Post. A later
// change may refer to an earlier one.
func (b *Book) PostAll(ctx context.Context, changes ...Change) []Result {
	results := make([]Result, len(changes))
	requests := make([]*Request, 0, len(changes))
	at := make([]int, 0, len(changes))
	for i, c := range changes {
		r, err := b.request(c)
		if err != nil {
			results[i].Err = err
			continue
		}
		requests, at = append(requests, r), append(at, i)
	}
	if len(requests) == 0 {
		return results
	}
	err := b.backend.Apply(ctx, requests)
	for i, r := range requests {
		switch res := &results[at[i]]; {
		case err != nil:
			res.Err = err
		case r.Err != nil:
			res.Err = r.Err
		default:
			res.Receipt = r.Receipt
		}
	}
	if err == nil {
		b.posted()
	}
	return results
}

// PostTogether records all changes or none, at most 1000, in order. Errors as
// for Post: the error of the first that was refused. No change may refer to
// another of the same call, and no two to the same transaction.
func (b *Book) PostTogether(ctx context.Context, changes ...Change) ([]Receipt, error) {
	if len(changes) == 0 || len(changes) > maxTogether {
		return nil, invalid("Changes", fmt.Sprintf("are %d", len(changes)), "give 1 to 1000")
	}
	requests := make([]*Request, len(changes))
	keys := make(map[string]bool, len(changes))
	group := new(byte)
	for i, c := range changes {
		r, err := b.request(c)
		if err != nil {
			return nil, err
		}
		if keys[r.key] || keys[r.of] {
			return nil, r.fail(invalid(fmt.Sprintf("Changes[%d]", i), "refers to another of the same call, or draws on the same transaction as another", "make two calls"))
		}
		keys[r.key] = true
		if r.of != "" {
			keys[r.of] = true
		}
		r.group = group
		requests[i] = r
	}
	if err := b.backend.Apply(ctx, requests); err != nil {
		return nil, err
	}
	receipts := make([]Receipt, len(changes))
	var refused error
	for i, r := range requests {
		receipts[i] = r.Receipt
		if r.Err != nil && (refused == nil || isTogether(refused)) {
			refused = r.Err
		}
	}
	if refused != nil {
		return nil, refused
	}
	b.posted()
	return receipts, nil
}

const maxTogether = 1000

func isTogether(err error) bool {
	return errors.Is(err, ErrTogether)
}

// PostIn records changes in a transaction that is open already: that of a
// store's Update, where a participant posts in the same commit. It is all or
// nothing with that transaction; an error means that it has to be rolled back,
// [ErrConflict] and [ErrBusy] that it may be run again.
func (b *Book) PostIn(ctx context.Context, in Keeper, changes ...Change) ([]Receipt, error) {
	requests := make([]*Request, len(changes))
	for i, c := range changes {
		r, err := b.request(c)
		if err != nil {
			return nil, err
		}
		requests[i] = r
	}
	aside, err := Carry(ctx, in.LedgerTx(), requests)
	if err != nil {
		return nil, err
	}
	if len(aside) > 0 {
		return nil, ErrBusy
	}
	receipts := make([]Receipt, len(changes))
	for i, r := range requests {
		if r.Err != nil {
			return nil, r.Err
		}
		receipts[i] = r.Receipt
	}
	b.posted()
	return receipts, nil
}

// posted tells Run that there is something to seal.
func (b *Book) posted() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
