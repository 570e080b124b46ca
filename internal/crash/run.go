//go:build unix

package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// Subject is what is tested: a job for the workers, and a check. No two of its
// calls run at once.
type Subject interface {
	// Job is what the workers of a round do.
	Job(round int) Job
	// Hear is told each line of a worker, in its order.
	Hear(l Line) error
	// Check compares what was told with what is stored. No worker lives then.
	// It may wrap its error in a *Finding to name what it is about.
	Check(ctx context.Context, r Round) error
}

// Round is one round of a run.
type Round struct {
	// Number from 1. Last is set in the last.
	Number int
	Last   bool
	// Lives are the workers of the round, Killed those of them that were
	// killed; the others were asked to end, and did.
	Lives, Killed []int
	// Rand decides what is left to chance, by the seed.
	Rand *rand.Rand
}

// Config of a run.
type Config struct {
	Seed uint64
	// Rounds of workers that start, work, and are killed.
	Rounds int
	// Least and Most bound how long a worker works before it is killed. Both
	// zero are 30 and 150 milliseconds.
	Least, Most time.Duration
	// Lines is how many lines a worker tells before it is killed, so that a run
	// is worth as much on a slow machine; after ten seconds it is killed all the
	// same. Defaults to 30.
	Lines int
	// Opening kills every worker while it starts and opens its store, between
	// Least and Most after its start. Without it one in ten is.
	Opening bool
	// Pairs lets two workers work at once in every third round.
	Pairs bool
	// Meanwhile, if not nil, runs while the workers of a round work; they are
	// killed, or in every second such round asked to end, after it.
	Meanwhile func(ctx context.Context, r Round) error
	// Progress, if not nil, is told now and then how far it is.
	Progress func(text string)
}

// Report says what a run did.
type Report struct {
	Rounds, Workers int
	// Killed workers; of them Opening before they had opened their store.
	Killed, Opening int
	// Ended were asked to, and did.
	Ended int
	// Lines that were told.
	Lines int
	// Working is how long workers lived, Checking how long was checked.
	Working, Checking, Took time.Duration
}

// String is one line.
func (r Report) String() string {
	return fmt.Sprintf("%d rounds, %d workers: %d killed (%d of them while opening), %d ended; %d lines; %s (%s with workers, %s checking)",
		r.Rounds, r.Workers, r.Killed, r.Opening, r.Ended, r.Lines, r.Took.Round(time.Millisecond), r.Working.Round(time.Millisecond), r.Checking.Round(time.Millisecond))
}

// Failure is a broken rule with all that is needed to look for its cause.
type Failure struct {
	Seed  uint64
	Round int
	Err   error
	// Story is what the last workers told.
	Story string
}

func (f *Failure) Error() string {
	return fmt.Sprintf("seed %d, round %d: %v\n%s", f.Seed, f.Round, f.Err, f.Story)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Finding is a broken rule that is about something: the story then shows each
// line that mentions it.
type Finding struct {
	About []string
	Rule  string
}

func (f *Finding) Error() string { return f.Rule }

// Findf makes a finding.
func Findf(about, format string, args ...any) *Finding {
	return &Finding{About: []string{about}, Rule: fmt.Sprintf(format, args...)}
}

// roundLimit bounds a round.
const roundLimit = 3 * time.Minute

// Run kills workers for as many rounds as it is told, and checks after each.
// Its error is a *Failure.
func Run(ctx context.Context, c Config, s Subject) (Report, error) {
	if c.Least == 0 && c.Most == 0 {
		c.Least, c.Most = 30*time.Millisecond, 150*time.Millisecond
	}
	c.Most = max(c.Most, c.Least)
	if c.Lines == 0 {
		c.Lines = 30
	}
	r := &runner{config: c, subject: s}
	began := time.Now()
	for n := 1; n <= c.Rounds; n++ {
		limited, cancel := context.WithTimeout(ctx, roundLimit)
		err := r.round(limited, n)
		cancel()
		r.report.Rounds, r.report.Took = n, time.Since(began)
		if err != nil {
			return r.report, &Failure{Seed: c.Seed, Round: n, Err: err, Story: r.story(err)}
		}
		if c.Progress != nil && n%50 == 0 {
			c.Progress(r.report.String())
		}
	}
	return r.report, nil
}

type runner struct {
	config  Config
	subject Subject
	report  Report
	workers []*process // of this round and the one before
	fresh   int        // how many of them are of this round

	mu    sync.Mutex // the subject's, while workers live
	heard error
}

func (r *runner) round(ctx context.Context, n int) error {
	chance := rand.New(rand.NewPCG(r.config.Seed, uint64(n)))
	round := Round{Number: n, Last: n == r.config.Rounds, Rand: chance}
	count := 1
	if r.config.Pairs && chance.IntN(3) == 0 {
		count = 2
	}
	r.workers, r.fresh = r.workers[len(r.workers)-r.fresh:], 0
	began := time.Now()
	err := r.work(ctx, &round, count)
	for _, p := range r.workers[len(r.workers)-r.fresh:] { // whatever came of it, none is left
		p.kill("was left over")
	}
	r.report.Working += time.Since(began)
	if err = errors.Join(err, r.heard); err != nil {
		return err
	}
	began = time.Now()
	err = r.subject.Check(ctx, round)
	r.report.Checking += time.Since(began)
	return err
}

// work starts the workers of a round and brings them to their end.
func (r *runner) work(ctx context.Context, round *Round, count int) error {
	opening := r.config.Opening || r.config.Meanwhile == nil && count == 1 && round.Rand.IntN(10) == 0
	for range count {
		r.mu.Lock() // the worker before it may tell something
		job := r.subject.Job(round.Number)
		r.mu.Unlock()
		r.report.Workers++
		job.Seed, job.Life = r.config.Seed, r.report.Workers
		p, err := start(job, r.hear)
		if err != nil {
			return err
		}
		r.workers, r.fresh = append(r.workers, p), r.fresh+1
		round.Lives = append(round.Lives, job.Life)
	}
	workers := r.workers[len(r.workers)-r.fresh:]
	if !opening {
		for _, p := range workers {
			if err := p.opened(); err != nil {
				return err
			}
		}
	}
	if r.config.Meanwhile != nil {
		if err := r.config.Meanwhile(ctx, *round); err != nil {
			return err
		}
	}
	ends := r.config.Meanwhile != nil && round.Rand.IntN(2) == 0
	for i, p := range workers {
		least, most := r.config.Least, r.config.Most
		if opening && !r.config.Opening {
			least, most = 0, least
		}
		span := least + time.Duration(round.Rand.Int64N(int64(most-least)+1))
		if i > 0 {
			span /= 2 // it has worked while the one before did
		}
		select {
		case <-p.gone:
			return p.ended()
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(span):
		}
		if !opening && p.lines() < r.config.Lines {
			if err := r.slow(ctx, p, round.Rand); err != nil {
				return err
			}
		}
		if ends {
			if err := p.stop(); err != nil {
				return err
			}
			r.report.Ended++
			continue
		}
		open := false
		select {
		case <-p.ready:
			open = true
		default:
		}
		if !p.kill("was killed") {
			return p.ended()
		}
		round.Killed = append(round.Killed, p.job.Life)
		r.report.Killed++
		if !open {
			r.report.Opening++
		}
	}
	return nil
}

// slow waits until a worker has told enough, and a little more.
func (r *runner) slow(ctx context.Context, p *process, chance *rand.Rand) error {
	const enough = 10 * time.Second
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for began := time.Now(); p.lines() < r.config.Lines && time.Since(began) < enough; {
		select {
		case <-p.gone:
			return p.ended()
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
	time.Sleep(time.Duration(chance.IntN(20_000)) * time.Microsecond)
	return nil
}

func (r *runner) hear(l Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Lines++
	var err error
	if l.Word == wordWrong {
		f := &Finding{}
		if err = json.Unmarshal(l.Body, f); err == nil {
			err = fmt.Errorf("life %d says: %w", l.Life, f)
		}
	} else {
		err = r.subject.Hear(l)
	}
	if r.heard == nil {
		r.heard = err
	}
}

// story tells what the workers of this round and the one before told: all that
// the error is about, and the end.
func (r *runner) story(err error) string {
	const last = 25
	var about []string
	var f *Finding
	if errors.As(err, &f) {
		about = f.About
	}
	var b strings.Builder
	for _, p := range r.workers {
		b.WriteString(p.story(about, last))
	}
	return b.String()
}
