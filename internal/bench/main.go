// Command bench measures, in one run, what the library costs: its own work per
// payment, what it adds to the raw calls of a provider's SDK, and how many
// durable commits a payment takes. All figures of one run stand side by side,
// with what they are compared to; compare ratios, not absolutes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/memstore"
	"github.com/tender-go/payment/store/sqlite"
	"github.com/tender-go/payment/store/sqlstore"
)

func main() {
	rounds := flag.Int("rounds", 7, "rounds of each measure; the median counts")
	each := flag.Duration("each", 700*time.Millisecond, "length of a round")
	only := flag.String("only", "", "run one of own, stripe, sqlite; empty runs all")
	profile := flag.String("cpuprofile", "", "write a CPU profile to this `file`")
	flag.Parse()
	err := profiled(*profile, func() error { return run(context.Background(), *only, *rounds, *each) })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// profiled runs f and writes a profile of it, if a file is named.
func profiled(file string, f func() error) error {
	if file == "" {
		return f()
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return f()
}

func run(ctx context.Context, only string, rounds int, each time.Duration) error {
	fmt.Printf("%s, %d CPUs, %s; medians of %d rounds of %s\n\n", runtime.Version(), runtime.NumCPU(), runtime.GOARCH, rounds, each)
	fmt.Printf("%-64s %12s %10s\n", "what", "figure", "goal")
	for _, part := range []struct {
		name string
		run  func(context.Context, int, time.Duration) error
	}{{"own", own}, {"stripe", overStripe}, {"sqlite", commits}} {
		if only != "" && only != part.name {
			continue
		}
		if err := part.run(ctx, rounds, each); err != nil {
			return err
		}
	}
	return nil
}

func row(what, figure, goal string) { fmt.Printf("%-64s %12s %10s\n", what, figure, goal) }

// counter makes order numbers that no round repeats.
var counter atomic.Int64

func order(token string) payment.Request {
	n := fmt.Sprintf("order-%d", counter.Add(1))
	return payment.Request{Key: n, Reference: n, Amount: money.Of(19_99, money.USD), Method: payment.Card(token)}
}

// payOne pays one order and makes sure that it is paid.
func payOne(ctx context.Context, c *payment.Client, token string) error {
	p, err := c.Pay(ctx, order(token))
	if err != nil {
		return err
	}
	if !p.Paid() {
		return fmt.Errorf("bench: %s is not paid", p)
	}
	return nil
}

// own is one payment on memory and a provider without latency.
func own(ctx context.Context, rounds int, each time.Duration) error {
	var nanos, allocs []float64
	for range rounds {
		bank := fake.New(fake.Options{NoWebhooks: true})
		c, err := payment.New(payment.Config{Store: memstore.New(), Providers: []payment.Provider{bank}})
		if err != nil {
			return err
		}
		if err := payOne(ctx, c, fake.TokenApproved); err != nil {
			return err
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n, took, err := loop(each, 1, func() error { return payOne(ctx, c, fake.TokenApproved) })
		if err != nil {
			return err
		}
		runtime.ReadMemStats(&after)
		nanos = append(nanos, float64(took.Nanoseconds())/float64(n))
		allocs = append(allocs, float64(after.Mallocs-before.Mallocs)/float64(n))
	}
	row("Pay, memstore and a provider without latency", fmt.Sprintf("%.1f us", median(nanos)/1000), "")
	row("  allocations", fmt.Sprintf("%.0f", median(allocs)), "")
	return nil
}

// commits counts the durable commits of a payment on SQLite, alone and among
// many callers.
func commits(ctx context.Context, rounds int, each time.Duration) error {
	dir, err := os.MkdirTemp("", "payment-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, kind := range []struct {
		name string
		who  fake.Personality
		goal string
	}{{"one step", fake.Plain, "2"}, {"create and confirm", fake.Stripe, "3"}} {
		store, c, err := onSQLite(filepath.Join(dir, string(kind.who)+".db"), kind.who)
		if err != nil {
			return err
		}
		before := store.Commits()
		if err := payOne(ctx, c, fake.TokenApproved); err != nil {
			return err
		}
		row("SQLite: durable commits of a payment by "+kind.name, fmt.Sprint(store.Commits()-before), kind.goal)
		if err := store.Close(); err != nil {
			return err
		}
	}
	store, c, err := onSQLite(filepath.Join(dir, "many.db"), fake.Plain)
	if err != nil {
		return err
	}
	defer store.Close()
	var one, many, per []float64
	for range rounds { // interleaved: both see the same machine
		for _, callers := range []int{1, 64} {
			before := store.Commits()
			n, took, err := loop(each, callers, func() error { return payOne(ctx, c, fake.TokenApproved) })
			if err != nil {
				return err
			}
			rate := float64(n) / took.Seconds()
			if callers == 1 {
				one = append(one, rate)
				continue
			}
			many = append(many, rate)
			per = append(per, float64(store.Commits()-before)/float64(n))
		}
	}
	row("SQLite: payments/s, one caller", fmt.Sprintf("%.0f", median(one)), "")
	row("SQLite: payments/s, 64 callers", fmt.Sprintf("%.0f", median(many)), "")
	row("  64 callers / one caller", fmt.Sprintf("%.1f x", median(many)/median(one)), ">= 5")
	row("  durable commits per payment at 64 callers", fmt.Sprintf("%.2f", median(per)), "< 0.5")
	return nil
}

func onSQLite(path string, who fake.Personality) (*sqlstore.Store, *payment.Client, error) {
	store, err := sqlite.Open(path)
	if err != nil {
		return nil, nil, err
	}
	bank := fake.New(fake.Options{Personality: who, NoWebhooks: true})
	c, err := payment.New(payment.Config{Store: store, Providers: []payment.Provider{bank.Narrow()}})
	return store, c, err
}

// loop runs f by so many callers for about the given time, and returns how often
// it ran and how long that took.
func loop(each time.Duration, callers int, f func() error) (int64, time.Duration, error) {
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	began := time.Now()
	for range callers {
		wg.Go(func() {
			for time.Since(began) < each && failed.Load() == nil {
				if err := f(); err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, 0, *err
	}
	return done.Load(), time.Since(began), nil
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}
