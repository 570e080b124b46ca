package simulation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger/posting"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/memstore"
)

// callTimeout is what the clients wait for an answer.
const callTimeout = 20 * time.Second

// latency of a call that is answered.
const latency = 200 * time.Millisecond

// errDead is what a process that has ended gets from everything. Nobody hears
// of it: the result of its call is thrown away.
var errDead = errors.New("simulation: the process has ended")

// world is one order, its shop and its banks.
type world struct {
	clock   *clock
	weather weather
	rng     *rand.Rand // acts; nil in a scripted scenario
	entropy *rand.ChaCha8
	disk    *memstore.Store
	banks   []*bank
	procs   [2]*process
	post    postOffice
	order   *order

	cur     *process // the process whose code runs, nil for none
	depth   int      // calls of clients inside calls of clients
	instant int
	places  []place // of the instants so far
	asleep  bool    // no more troubles, and instants are not counted
	retry   func(try int) bool
	tune    func(*payment.Config)

	staged  staged
	records map[string]*record
	seq     int64
	events  []payment.Event

	telling bool
	story   strings.Builder
	broken  []Violation
	muted   bool // what is found now is not for the story
	counts  Counts
	commits int
	asides  int
	booked  int            // commits that the auditor has seen
	auditor *posting.Books // nil until it looks
	spins   bool           // a payment is written, or looked at, without end
}

// process is a running program of the shop's.
type process struct {
	w    *world
	name string
	dead bool
	pay  *payment.Client
	sent int // requests that may have changed something at a provider
}

// bankSpec is one provider of a shop.
type bankSpec struct {
	kind    fake.Personality
	name    string
	options fake.Options
}

func newWorld(seed uint64, wx weather, specs ...bankSpec) *world {
	w := &world{weather: wx, records: map[string]*record{}, retry: func(int) bool { return true }}
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	w.entropy = rand.NewChaCha8(key)
	w.clock = &clock{now: start, tick: w.tick}
	w.disk = memstore.New(memstore.Options{Fault: w.onDisk})
	w.post.w = w
	for _, s := range specs {
		b := &bank{kind: s.kind, shown: map[string]bool{}, delay: s.options.AsyncDelay}
		s.options.Personality, s.options.Name, s.options.Now = s.kind, s.name, w.clock.Now
		s.options.Webhooks = func(h payment.Webhook) { w.post.take(b, h) }
		s.options.Wait = w.wait
		b.Provider = fake.New(s.options)
		w.banks = append(w.banks, b)
	}
	return w
}

// tick lets the banks do what fell due.
func (w *world) tick() {
	for _, b := range w.banks {
		b.Tick()
	}
}

// wait is what a slow answer takes.
func (w *world) wait(_ context.Context, d time.Duration) error {
	if d >= callTimeout {
		return context.DeadlineExceeded // the caller's time passes behind the call
	}
	w.clock.pass(d)
	return nil
}

// bankOf returns the bank with an instance's name.
func (w *world) bankOf(name string) *bank {
	for _, b := range w.banks {
		if b.Name() == name {
			return b
		}
	}
	return nil
}

// say adds a line to the story.
func (w *world) say(format string, args ...any) {
	if !w.telling {
		return
	}
	d := w.clock.now.Sub(start)
	fmt.Fprintf(&w.story, "%02d:%02d:%06.3f %s", int(d.Hours()), int(d.Minutes())%60, (d % time.Minute).Seconds(), strings.Repeat("    ", w.depth))
	fmt.Fprintf(&w.story, format, args...)
	w.story.WriteByte('\n')
}

// breach records a broken rule.
func (w *world) breach(rule Rule, format string, args ...any) {
	v := Violation{Rule: rule, Text: fmt.Sprintf(format, args...)}
	if !w.muted {
		w.say("!! %s: %s", v.Rule, v.Text)
	}
	for _, old := range w.broken {
		if old.Rule == v.Rule {
			return // once is enough of each
		}
	}
	w.broken = append(w.broken, v)
}

// strike asks the weather what happens at this instant, and lets what somebody
// else does meanwhile happen.
func (w *world) strike(p place) trouble {
	if w.asleep || w.cur == nil {
		return trouble{}
	}
	t := w.weather.at(w, p)
	w.places = append(w.places, p)
	w.instant++
	if t.none() {
		return t
	}
	w.say("** at a %s: %s", placeNames[p], t)
	switch {
	case t.crash:
		w.counts.Crashes++
		w.cur.dead = true
	case t.aside > 0:
		if w.depth > 1 {
			return trouble{}
		}
		w.counts.Asides++
		w.asides++
		w.aside(t.aside)
	default:
		w.counts.Faults++
	}
	return t
}

// The two processes: web serves payers and staff, the other one runs the
// worker and takes notifications.
const (
	web = iota
	worker
)

// process returns a living process, started anew if it has ended.
func (w *world) process(i int) *process {
	if p := w.procs[i]; p != nil && !p.dead {
		return p
	}
	p := &process{w: w, name: [...]string{"web", "worker"}[i]}
	cfg := payment.Config{Store: &view{Store: w.disk, w: w, proc: p}, CallTimeout: callTimeout, Now: w.clock.Now, Rand: w.entropy,
		Logger: slog.New(&ears{w}), Books: w.newBooks()}
	for _, b := range w.banks {
		cfg.Providers = append(cfg.Providers, newLine(w, p, b))
	}
	if w.tune != nil {
		w.tune(&cfg)
	}
	// Starting is no instant: a process that cannot start is started again.
	was := w.cur
	w.cur = nil
	defer func() { w.cur = was }()
	var err error
	if p.pay, err = payment.New(cfg); err != nil {
		panic("simulation: New: " + err.Error())
	}
	w.procs[i] = p
	return p
}

// other returns the process that is not the one whose code runs.
func (w *world) other() *process {
	if w.cur != nil && w.cur == w.procs[worker] {
		return w.process(web)
	}
	return w.process(worker)
}

// in runs f as code of a process and reports whether the process lived. A panic
// that reaches a caller is a breach.
func (w *world) in(p *process, f func(c *payment.Client)) (lived bool) {
	was := w.cur
	w.cur = p
	w.depth++
	defer func() {
		w.depth--
		w.cur = was
		if v := recover(); v != nil {
			w.breach(RulePanic, "a call of the client panicked: %v", v)
			p.dead = true
		}
		lived = !p.dead
	}()
	f(p.pay)
	return true
}

// ears is the logger: what it hears goes into the story, and must hold nothing
// personal.
type ears struct{ w *world }

func (e *ears) Enabled(context.Context, slog.Level) bool { return true }
func (e *ears) WithAttrs([]slog.Attr) slog.Handler       { return e }
func (e *ears) WithGroup(string) slog.Handler            { return e }

// Handle takes a record.
func (e *ears) Handle(_ context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn || !e.w.telling {
		return nil
	}
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	e.w.clear("the log", text)
	if !strings.Contains(text, "MasterKeys") {
		e.w.say("log: %s", text)
	}
	return nil
}
