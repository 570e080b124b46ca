package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// accountsN is how many accounts are spread over.
const accountsN = 10_000

// load posts transfers between strict accounts, each with a key of its own and
// the condition that the payer is not overdrawn.
type load struct {
	book  *ledger.Book
	stop  context.CancelFunc
	done  chan error
	name  string // in keys, so that two processes differ
	next  atomic.Int64
	paths []string

	unsealed bool // the sealer does not run

	mu    sync.Mutex
	times []time.Duration // of posts, when they are wanted
}

func newLoad(ctx context.Context, s settings, store ledger.Store, name string, fund bool) (*load, error) {
	chart, err := ledger.NewChart(
		ledger.Rule{Pattern: "customer:{n}:{currency}", Type: ledger.Liability, Mode: ledger.Strict},
		ledger.Rule{Pattern: "world:{currency}", Type: ledger.Asset})
	if err != nil {
		return nil, err
	}
	book, err := ledger.New(ledger.Config{Store: store, Chart: chart})
	if err != nil {
		return nil, err
	}
	l := &load{book: book, name: name, unsealed: s.unsealed, paths: make([]string, accountsN)}
	for i := range l.paths {
		l.paths[i] = "customer:" + strconv.Itoa(i) + ":EUR"
	}
	if fund {
		if err := l.fund(ctx); err != nil {
			return nil, err
		}
	}
	running, stop := context.WithCancel(ctx)
	l.stop, l.done = stop, make(chan error, 1)
	go func() { // the seal runs all the time
		if l.unsealed {
			l.done <- nil
			return
		}
		l.done <- book.Run(running)
	}()
	return l, nil
}

func (l *load) close() {
	l.stop()
	<-l.done
}

func (l *load) fund(ctx context.Context) error {
	const a = 1_000_000_000_000
	for i := 0; i < accountsN; i += 500 {
		var all []ledger.Change
		for j := i; j < i+500; j++ {
			all = append(all, ledger.Transaction{Key: "fund/" + l.name + strconv.Itoa(j), Entries: []ledger.Entry{
				ledger.Debit("world:EUR", money.Of(a, money.EUR)), ledger.Credit(l.paths[j], money.Of(a, money.EUR))}})
		}
		for _, r := range l.book.PostAll(ctx, all...) {
			if r.Err != nil {
				return r.Err
			}
		}
	}
	return nil
}

// warm touches every account once, as a process has that runs for a while.
func (l *load) warm(ctx context.Context) error {
	for i := 0; i < accountsN; i += 500 {
		var all []ledger.Change
		for j := i; j < i+500; j++ {
			all = append(all, l.transfer(j))
		}
		for _, r := range l.book.PostAll(ctx, all...) {
			if r.Err != nil {
				return r.Err
			}
		}
	}
	return nil
}

// transfer makes the next one; to is the receiving account, or -1 for any.
func (l *load) transfer(to int) ledger.Transaction {
	from := rand.IntN(accountsN)
	for to < 0 || to == from {
		if to == from {
			from = rand.IntN(accountsN)
			continue
		}
		to = rand.IntN(accountsN)
	}
	amount := money.Of(1+int64(rand.IntN(100)), money.EUR)
	return ledger.Transaction{Key: l.name + "-" + strconv.FormatInt(l.next.Add(1), 36),
		Entries:    []ledger.Entry{ledger.Debit(l.paths[from], amount), ledger.Credit(l.paths[to], amount)},
		Conditions: []ledger.Condition{ledger.NotOverdrawn(l.paths[from])}}
}

// settle seals what is left to seal: each round pays for its own seals.
func (l *load) settle(ctx context.Context) error {
	for !l.unsealed {
		_, err := l.book.Seal(ctx)
		if !errors.Is(err, ledger.ErrBusy) {
			return err
		}
		time.Sleep(5 * time.Millisecond) // another process does
	}
	return nil
}

// single posts one at a time from n callers.
func (l *load) single(n, to int, timed bool) func(context.Context, time.Duration) (int, error) {
	return func(ctx context.Context, d time.Duration) (int, error) {
		var count atomic.Int64
		err := callers(n, d, func() error {
			began := time.Now()
			if _, err := l.book.Post(ctx, l.transfer(to)); err != nil {
				return err
			}
			count.Add(1)
			if timed {
				took := time.Since(began)
				l.mu.Lock()
				l.times = append(l.times, took)
				l.mu.Unlock()
			}
			return nil
		})
		return int(count.Load()), errors.Join(err, l.settle(ctx))
	}
}

// batch posts many at a time from one caller.
func (l *load) batch(size int) func(context.Context, time.Duration) (int, error) {
	return func(ctx context.Context, d time.Duration) (int, error) {
		count := 0
		err := callers(1, d, func() error {
			all := make([]ledger.Change, size)
			for i := range all {
				all[i] = l.transfer(-1)
			}
			for _, r := range l.book.PostAll(ctx, all...) {
				if r.Err != nil {
					return r.Err
				}
			}
			count += size
			return nil
		})
		return count, errors.Join(err, l.settle(ctx))
	}
}

// callers runs fn from n goroutines for a time.
func callers(n int, d time.Duration, fn func() error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	until := time.Now().Add(d)
	for i := range n {
		wg.Go(func() {
			for time.Now().Before(until) && errs[i] == nil {
				errs[i] = fn()
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// percentile of the times of posts, in milliseconds; it forgets them.
func (l *load) percentile(p float64) (v, half float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.times) == 0 {
		return 0, 0
	}
	slices.Sort(l.times)
	at := func(p float64) float64 {
		return float64(l.times[min(len(l.times)-1, int(p*float64(len(l.times))))]) / float64(time.Millisecond)
	}
	v, half = at(p), at(0.5)
	l.times = nil
	return v, half
}

func rates(measures ...*measure) {
	for _, m := range measures {
		if len(m.rates) > 0 {
			fmt.Printf("%-66s %10.0f\n", m.name+", transactions/s", m.rate())
		}
	}
}
