package core

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"sync"
	"time"
)

// Mode names how a delivery departs from the plain one.
type Mode string

// The delivery modes.
const (
	Plain     Mode = ""
	Duplicate Mode = "duplicate"
	Late      Mode = "late"
	Hold      Mode = "hold"
	Reorder   Mode = "reorder"
	Lost      Mode = "lost"
	Forged    Mode = "forged"
	Stale     Mode = "stale"
)

var modes = []Mode{Duplicate, Late, Hold, Reorder, Lost, Forged, Stale}

// DeliveryRule changes how matching events are delivered.
type DeliveryRule struct {
	Type  string // path.Match pattern over the event type; empty matches all
	Mode  Mode
	Count int           // 0: until cleared
	Delay time.Duration // for Late, by the clock
}

// Message is one event for one receiver. Build signs it at the moment it is sent.
type Message struct {
	Provider string
	EventID  string
	Type     string
	URL      string
	Build    func(mode Mode, at time.Time) (http.Header, []byte)
}

// Delivery is one attempt that was made, or a message that was lost on purpose.
type Delivery struct {
	Provider string
	EventID  string
	Type     string
	URL      string
	Attempt  int
	Mode     Mode
	At       time.Time
	Status   int    // 0: no answer
	Error    string // why there was no answer
}

// Outbox delivers messages: in order, retried with growing pauses, or as the
// rules say. It is safe for use by several goroutines.
type Outbox struct {
	clock  *Clock
	timers *Timers
	client *http.Client
	log    *slog.Logger
	retry  []time.Duration

	mu       sync.Mutex
	cond     *sync.Cond
	seq      int64
	pending  []*parcel
	held     []*parcel
	swapped  []*parcel // wait for the next message to overtake them
	rules    []*DeliveryRule
	inFlight int
	done     []Delivery
	limit    int
	changed  chan struct{}
	closed   bool
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

type parcel struct {
	Message
	seq     int64
	due     time.Time
	attempt int
	mode    Mode
}

// OutboxConfig sets up an Outbox.
type OutboxConfig struct {
	Clock   *Clock
	Timers  *Timers
	Log     *slog.Logger
	Retry   []time.Duration // pauses before the second and later attempts
	Workers int             // 1 keeps deliveries strictly in order
	Limit   int             // deliveries remembered
	Timeout time.Duration   // for one attempt
}

// NewOutbox returns a running outbox; Close ends its goroutines.
func NewOutbox(c OutboxConfig) *Outbox {
	ctx, cancel := context.WithCancel(context.Background())
	o := &Outbox{
		clock: c.Clock, timers: c.Timers, log: c.Log, retry: c.Retry, limit: c.Limit,
		client: LoopbackClient(c.Timeout), changed: make(chan struct{}), ctx: ctx, cancel: cancel,
	}
	o.cond = sync.NewCond(&o.mu)
	for range max(c.Workers, 1) {
		o.wg.Go(o.work)
	}
	return o
}

// Rule checks r and puts it in force for messages posted from now on.
func (o *Outbox) Rule(r DeliveryRule) error {
	if !slices.Contains(modes, r.Mode) {
		return fmt.Errorf("sandbox: delivery rule: Mode %q is not one of %v", r.Mode, modes)
	}
	if r.Mode == Late && r.Delay <= 0 {
		return fmt.Errorf("sandbox: delivery rule: mode late needs Delay")
	}
	if _, err := path.Match(r.Type, ""); err != nil {
		return fmt.Errorf("sandbox: delivery rule: Type %q: %w", r.Type, err)
	}
	if r.Count < 0 {
		return fmt.Errorf("sandbox: delivery rule: Count must not be negative")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Count == 0 {
		r.Count = -1
	}
	o.rules = append(o.rules, &r)
	return nil
}

// ClearRules ends all rules; held messages stay held.
func (o *Outbox) ClearRules() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rules = nil
}

// Release sends what was held, in the order it was posted, or reversed.
func (o *Outbox) Release(reversed bool) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	held := o.held
	o.held = nil
	if reversed {
		slices.Reverse(held)
	}
	for _, p := range held {
		o.queue(p, o.clock.Now())
	}
	return len(held)
}

// Post takes a message for delivery.
func (o *Outbox) Post(m Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	now := o.clock.Now()
	rule := o.take(m.Type)
	overtaken := o.swapped
	if rule.Mode != Lost && rule.Mode != Hold {
		o.swapped = nil
	} else {
		overtaken = nil
	}
	switch rule.Mode {
	case Lost:
		o.record(Delivery{Provider: m.Provider, EventID: m.EventID, Type: m.Type, URL: m.URL, Mode: Lost, At: now})
	case Hold:
		o.held = append(o.held, &parcel{Message: m})
	case Reorder:
		if len(overtaken) == 0 {
			o.swapped = append(o.swapped, &parcel{Message: m, mode: Reorder})
			return
		}
		o.queue(&parcel{Message: m}, now)
	case Late:
		o.queue(&parcel{Message: m, mode: Late}, now.Add(rule.Delay))
	case Duplicate:
		o.queue(&parcel{Message: m}, now)
		o.queue(&parcel{Message: m, mode: Duplicate}, now)
	case Forged, Stale: // a copy by a stranger, then the real one
		o.queue(&parcel{Message: m, mode: rule.Mode}, now)
		o.queue(&parcel{Message: m}, now)
	default:
		o.queue(&parcel{Message: m}, now)
	}
	for _, p := range overtaken {
		o.queue(p, now)
	}
}

func (o *Outbox) take(eventType string) DeliveryRule {
	for _, r := range o.rules {
		if r.Count == 0 {
			continue
		}
		if ok, _ := path.Match(r.Type, eventType); r.Type != "" && !ok {
			continue
		}
		if r.Count > 0 {
			r.Count--
		}
		return *r
	}
	return DeliveryRule{}
}

// queue makes p wait for due; the caller holds mu.
func (o *Outbox) queue(p *parcel, due time.Time) {
	o.seq++
	p.seq, p.due = o.seq, due
	o.pending = append(o.pending, p)
	if due.After(o.clock.Now()) {
		o.timers.At(due, o.kick)
	}
	o.cond.Broadcast()
}

func (o *Outbox) kick() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cond.Broadcast()
}

// next removes the earliest due parcel; the caller holds mu.
func (o *Outbox) next() *parcel {
	now := o.clock.Now()
	best := -1
	for i, p := range o.pending {
		if p.due.After(now) {
			continue
		}
		if best < 0 || p.due.Before(o.pending[best].due) || (p.due.Equal(o.pending[best].due) && p.seq < o.pending[best].seq) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	p := o.pending[best]
	o.pending = slices.Delete(o.pending, best, best+1)
	return p
}

func (o *Outbox) work() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		if o.closed {
			return
		}
		p := o.next()
		if p == nil {
			o.announce()
			o.cond.Wait()
			continue
		}
		o.inFlight++
		o.mu.Unlock()
		d := o.send(p)
		o.mu.Lock()
		o.inFlight--
		o.record(d)
		stranger := p.mode == Forged || p.mode == Stale
		if (d.Status < 200 || d.Status > 299) && !stranger && p.attempt <= len(o.retry) && !o.closed {
			o.queue(p, o.clock.Now().Add(o.retry[p.attempt-1]))
		}
		o.announce()
	}
}

// announce tells every Flush that something changed; the caller holds mu.
func (o *Outbox) announce() {
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *Outbox) record(d Delivery) {
	if len(o.done) >= o.limit {
		o.done = slices.Delete(o.done, 0, max(1, o.limit/10))
	}
	o.done = append(o.done, d)
}

func (o *Outbox) send(p *parcel) Delivery {
	p.attempt++
	d := Delivery{Provider: p.Provider, EventID: p.EventID, Type: p.Type, URL: p.URL, Attempt: p.attempt, Mode: p.mode, At: o.clock.Now()}
	header, body := p.Build(p.mode, d.At)
	req, err := http.NewRequestWithContext(o.ctx, http.MethodPost, p.URL, bytes.NewReader(body))
	if err != nil {
		d.Error = err.Error()
		return d
	}
	req.Header = header
	resp, err := o.client.Do(req)
	if err != nil {
		d.Error = err.Error()
		o.log.Debug("webhook got no answer", "event", p.EventID, "type", p.Type, "attempt", p.attempt, "error", err)
		return d
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	d.Status = resp.StatusCode
	o.log.Debug("webhook delivered", "event", p.EventID, "type", p.Type, "attempt", p.attempt, "status", d.Status)
	return d
}

// Flush waits until nothing is due and nothing is being sent. Messages held,
// or due later by the clock, do not count; a message waiting to be overtaken is
// sent, since nothing follows it.
func (o *Outbox) Flush(ctx context.Context) error {
	o.timers.RunDue()
	for {
		o.mu.Lock()
		for _, p := range o.swapped {
			o.queue(p, o.clock.Now())
		}
		o.swapped = nil
		now := o.clock.Now()
		idle := o.inFlight == 0 && !slices.ContainsFunc(o.pending, func(p *parcel) bool { return !p.due.After(now) })
		changed, closed := o.changed, o.closed
		if !idle {
			o.cond.Broadcast()
		}
		o.mu.Unlock()
		if idle || closed {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("sandbox: webhooks still under way: %w", ctx.Err())
		}
	}
}

// Waiting returns how many messages are queued (due now or later) and held.
func (o *Outbox) Waiting() (queued, held int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pending) + len(o.swapped) + o.inFlight, len(o.held)
}

// Deliveries returns the attempts made, oldest first.
func (o *Outbox) Deliveries() []Delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.done)
}

// Close stops delivering and waits for attempts under way to be cut off.
func (o *Outbox) Close() {
	o.mu.Lock()
	o.closed = true
	o.cond.Broadcast()
	o.announce()
	o.mu.Unlock()
	o.cancel()
	o.wg.Wait()
	o.client.CloseIdleConnections()
}
