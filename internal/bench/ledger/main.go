// Command ledger measures the ledger against what the same machine can do: on
// PostgreSQL against pgbench with the same work in six round trips, on SQLite
// against a bare loop of prepared statements, in memory against a limit. Both
// sides run in one process tree, in rounds that alternate; medians count.
// Compare the ratios, not the absolutes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

func main() {
	if os.Getenv(workerEnv) != "" {
		os.Exit(work())
	}
	s := settings{}
	flag.IntVar(&s.rounds, "rounds", 5, "rounds of each measure; the median counts")
	flag.DurationVar(&s.each, "each", 3*time.Second, "length of a round")
	flag.StringVar(&s.only, "only", "", "run one of memory, sqlite, postgres, verify; empty runs all")
	flag.StringVar(&s.dir, "dir", "", "folder on the disk that is measured; empty for the system's temporary one")
	flag.IntVar(&s.verify, "verify", 1_000_000, "transactions that Verify proves")
	flag.StringVar(&s.match, "match", "", "measure only what has this in its name")
	flag.BoolVar(&s.unsealed, "unsealed", false, "leave the sealer off, to see what it costs")
	profile := flag.String("cpuprofile", "", "write a CPU profile to this `file`")
	flag.Parse()
	err := profiled(*profile, func() error { return run(context.Background(), s) })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type settings struct {
	rounds, verify   int
	each             time.Duration
	only, dir, match string
	unsealed         bool
}

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

func run(ctx context.Context, s settings) error {
	fmt.Printf("%s, %s, %d CPUs, %s; medians of %d rounds of %s\n\n", time.Now().Format("2006-01-02"), runtime.Version(), runtime.NumCPU(), runtime.GOARCH, s.rounds, s.each)
	fmt.Printf("%-66s %10s %9s\n", "what", "figure", "goal")
	var all error
	for _, part := range []struct {
		name string
		run  func(context.Context, settings) error
	}{{"memory", inMemory}, {"sqlite", onSQLite}, {"postgres", onPostgres}, {"verify", verifying}} {
		if s.only == "" || s.only == part.name {
			all = errors.Join(all, part.run(ctx, s))
			fmt.Println()
		}
	}
	return all
}

// measure is one way to work: run works for the given time and returns how many
// transactions it did.
type measure struct {
	name string
	run  func(ctx context.Context, d time.Duration) (int, error)
	// exact: it works for just that time, and what it takes besides (to start a
	// process) does not count.
	exact bool

	rates []float64
}

func (m *measure) rate() float64 { return median(m.rates) }

// alternate runs all measures in rounds, each once a round.
func alternate(ctx context.Context, s settings, measures []*measure) error {
	for round := range s.rounds {
		for i := range measures {
			m := measures[(i+round)%len(measures)]
			if s.match != "" && !strings.Contains(m.name, s.match) {
				continue
			}
			began := time.Now()
			n, err := m.run(ctx, s.each)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			took := time.Since(began)
			if m.exact {
				took = s.each
			}
			m.rates = append(m.rates, float64(n)/took.Seconds())
		}
	}
	return nil
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// line prints a figure beside its goal: at least, or at most if upTo.
func line(what string, figure, goal float64, format string, upTo bool) {
	if figure == 0 {
		return
	}
	sign, met := ">=", figure >= goal
	if upTo {
		sign, met = "<=", figure <= goal
	}
	text, verdict := "", ""
	if goal != 0 {
		text = sign + " " + fmt.Sprintf(format, goal)
		if verdict = "met"; !met {
			verdict = "MISSED"
		}
	}
	fmt.Printf("%-66s %10s %9s %s\n", what, fmt.Sprintf(format, figure), text, verdict)
}

// ratio is the median of what each round's two rates come to: they lie next to
// each other in time, so what else the machine does weighs on both.
func ratio(a, b *measure) float64 {
	each := make([]float64, 0, len(a.rates))
	for i := range min(len(a.rates), len(b.rates)) {
		if b.rates[i] > 0 {
			each = append(each, a.rates[i]/b.rates[i])
		}
	}
	return median(each)
}
