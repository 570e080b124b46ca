package payment

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tender-go/payment/internal/recovered"
)

// This file is the worker: it finds what a caller, a crash or a silent provider
// left open, and when to look at it. What it then does is in repair.go.

const (
	workerBatch = 32
	workerLease = 3 * time.Minute
	workerIdle  = time.Second
)

// Run repairs until ctx ends: it sends what was planned and not sent, learns
// unknown outcomes by each step's own recovery, expires what nobody paid and
// carries out verdicts that nobody gave. Any number of replicas may run it on
// one store; they share the work by leases. Participants that are a [Runner]
// run beside it. It returns ctx's error, after all of them have ended.
func (c *Client) Run(ctx context.Context) error {
	if c.store.Joined(ctx) {
		return ErrInTransaction
	}
	c.running.Store(true)
	var beside sync.WaitGroup
	defer beside.Wait()
	for _, part := range c.participants {
		if r, ok := part.(Runner); ok {
			beside.Go(func() { c.runBeside(ctx, part.Name(), r) })
		}
	}
	owner := c.newID("w", c.now())
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		n, err := c.repairDue(ctx, owner)
		if err != nil && ctx.Err() == nil {
			c.log.Error("payment: the worker could not read due payments; it tries again", "error", err)
		}
		if n == workerBatch {
			t.Reset(0)
		} else {
			t.Reset(workerIdle)
		}
	}
}

// runBeside runs a participant's own work. If it ends before its time, by an
// error or a panic, it is started again.
func (c *Client) runBeside(ctx context.Context, name string, r Runner) {
	for try := 0; ctx.Err() == nil; try++ {
		err := recovered.Call("Run of "+name, func() error { return r.Run(ctx) })
		if ctx.Err() != nil {
			return
		}
		c.log.Error("payment: the background work of a participant ended; it is started again", "participant", name, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(c.backoff(try + 1)):
		}
	}
}

// RunOnce does the due work once and returns how many payments it looked at.
// Hosts with a scheduler of their own, and tests, call it instead of Run.
func (c *Client) RunOnce(ctx context.Context) (int, error) {
	if c.store.Joined(ctx) {
		return 0, ErrInTransaction
	}
	c.running.Store(true)
	return c.repairDue(ctx, c.newID("w", c.now()))
}

// warnIdle says once, a minute after New, that nobody repairs.
func (c *Client) warnIdle() {
	if !c.running.Load() && c.now().Sub(c.made) > time.Minute && c.warned.CompareAndSwap(false, true) {
		c.log.Warn("payment: Client.Run was never started: unknown outcomes are not repaired, payments do not expire; run it in one goroutine")
	}
}

func (c *Client) repairDue(ctx context.Context, owner string) (int, error) {
	now := c.now()
	due, err := c.store.ClaimDue(ctx, owner, now, now.Add(workerLease), workerBatch)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	done := make([]string, 0, len(due))
	for _, id := range due {
		if ctx.Err() != nil {
			done = append(done, id)
			continue
		}
		switch stuck, err := c.repair(ctx, id); {
		case err != nil:
			c.log.Error("payment: repair failed; it is tried again when the lease is over", "payment", id, "error", err)
		case stuck:
			c.log.Warn("payment: nothing that is due could be done; it is tried again when the lease is over", "payment", id)
		default:
			done = append(done, id)
		}
	}
	if len(done) == 0 {
		return len(due), nil
	}
	rctx, cancel := detached(ctx)
	defer cancel()
	return len(due), c.store.ReleaseDue(rctx, owner, done...)
}

// repair does what is due for one payment. It is stuck if all of it changed
// nothing: such a payment keeps its lease, so that it holds up no other.
func (c *Client) repair(ctx context.Context, id string) (stuck bool, err error) {
	version, idle := int64(0), 0
	for range 16 { // bounded: each round does one thing
		p, err := c.store.Payment(ctx, id)
		if err != nil {
			return false, err
		}
		if idle++; p.Version != version {
			version, idle = p.Version, 0
		} // else what was done before changed nothing: on to the next
		tasks := c.dueTasks(p)
		if idle >= len(tasks) {
			return len(tasks) > 0, nil
		}
		if err := tasks[idle](ctx, p); err != nil {
			return false, err
		}
	}
	return false, nil
}

// task is one thing to do for a payment.
type task func(ctx context.Context, p *Payment) error

// dueTasks is what is due, the most urgent first.
func (c *Client) dueTasks(p *Payment) []task {
	now := c.now()
	var tasks []task
	if life := lifeOf(p); !life.IsZero() && !now.Before(life) {
		if p.Unattended && len(p.attempts()) == 0 && now.Before(p.ExpiresAt.Add(c.cfg.ExpireAfter)) {
			return []task{c.sendUnattended}
		}
		return []task{func(ctx context.Context, p *Payment) error {
			return c.mend(ctx, p.ID, func(u *unit) error {
				if life := lifeOf(u.p); life.IsZero() || u.now.Before(life) {
					return errNothing
				}
				u.expire()
				return nil
			})
		}}
	}
	if p.Unattended && p.Status == StatusCreated && len(p.attempts()) == 0 && !now.Before(p.CreatedAt.Add(unattendedAfter)) {
		return []task{c.sendUnattended}
	}
	if r := p.Review; r != nil && !r.Passed {
		if r.By == "" && r.Stage == StageAfterAuthorize && !now.Before(p.UpdatedAt.Add(c.cfg.HookTimeout+c.skew)) {
			tasks = append(tasks, func(ctx context.Context, p *Payment) error { return c.driveAll(c.reviewAuthorized(ctx, p)) })
		}
		if !r.Until.IsZero() && !now.Before(r.Until) {
			tasks = append(tasks, c.endReview)
		}
	}
	for _, o := range p.Operations {
		tasks = append(tasks, c.tasksOf(p, o, now)...)
	}
	return tasks
}

// unattendedAfter lets the process that created a payment send it itself.
const unattendedAfter = time.Minute

func (c *Client) driveAll(p *Payment, mine []send, err error) error {
	if err != nil || len(mine) == 0 {
		return err
	}
	_, err = c.drive(context.Background(), p, mine, false)
	return err
}

func (c *Client) sendUnattended(ctx context.Context, p *Payment) error {
	_, err := c.proceedWith(ctx, p.ID, Choice{Key: "unattended"}, false)
	if willNotChange(err) {
		return c.mend(ctx, p.ID, func(u *unit) error {
			if len(u.p.attempts()) > 0 {
				return errNothing
			}
			u.expire()
			u.parkFor("", "it could not be sent unattended: "+truncate(err.Error(), 300), "send it with another method, or cancel it")
			return nil
		})
	}
	return err
}

// willNotChange reports whether trying again would meet the same error.
func willNotChange(err error) bool {
	for _, final := range []error{ErrNoProvider, ErrInvalid, ErrNotAllowed, ErrErased, ErrReferenceLive, ErrKeyReused} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// tasksOf is what is due for one operation.
func (c *Client) tasksOf(p *Payment, o *Operation, now time.Time) []task {
	var tasks []task
	if end := p.holdEnds(o); !end.IsZero() && !now.Before(end) {
		tasks = append(tasks, c.endHold(o.ID))
	}
	for _, s := range o.Steps {
		if s.DueAt.IsZero() || now.Before(s.DueAt) {
			continue
		}
		tasks = append(tasks, c.stepTask(o, s, now))
	}
	return tasks
}

// holdEnds is when a hold runs out of which something can still be captured,
// zero for never. While a capture or void of all of it is on its way, that one
// is waited for.
func (p *Payment) holdEnds(o *Operation) time.Time {
	if p.capturable(o).IsPositive() && p.held(o).IsPositive() {
		return o.ExpiresAt
	}
	return time.Time{}
}

// stepTask is what is due for one step: the policy of recovery. See
// docs/design.md, "An unknown outcome".
func (c *Client) stepTask(o *Operation, s *Step, now time.Time) task {
	if c.byName[o.Provider] == nil {
		return c.later(s.ID, time.Hour)
	}
	switch s.State {
	case StatePlanned:
		if s.Sends > 0 && s.Failure.Kind == "" {
			return c.crashed(s.ID) // it was being sent when its process died
		}
		return c.sendNow(s.ID)
	case StateUnknown:
		if s.Fence {
			return c.fenceAgain(o.ID, s.ID)
		}
		return c.resolve(o, s, now)
	case StatePending, StateActionRequired:
		return c.poll(o, s, now)
	}
	return c.later(s.ID, 0)
}

// mend runs f on a payment in one commit.
func (c *Client) mend(ctx context.Context, id string, f func(u *unit) error) error {
	_, _, err := c.change(ctx, id, f)
	return err
}

// unknownAtMost bounds how long an unknown outcome waits for the next look: the
// provider may be back.
const unknownAtMost = 15 * time.Minute

// schedule says when the worker looks at a step next.
func (u *unit) schedule(o *Operation, s *Step) {
	switch s.State {
	case StateUnknown:
		s.DueAt = u.now.Add(min(u.c.backoff(s.Checks+max(1, s.Sends)), unknownAtMost))
		if s.Lease.After(u.now) && s.Sends > 0 && s.LastSent.Equal(u.now) {
			s.DueAt = s.Lease
		}
	case StatePending:
		s.DueAt = u.now.Add(u.c.backoff(s.Checks + 1))
	case StateActionRequired:
		s.DueAt = u.now.Add(u.c.backoff(s.Checks + 1))
		if over := u.c.payableOver(o, u.c.capabilitiesOf(o)); s.DueAt.After(over) {
			s.DueAt = over
		}
	case StatePlanned:
	default:
		s.DueAt = time.Time{}
	}
}

// dueAt is when the worker looks at a payment next, zero for never.
func (c *Client) dueAt(p *Payment) time.Time {
	var due time.Time
	add := func(t time.Time) {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	for _, o := range p.Operations {
		for _, s := range o.Steps {
			if s.State.Outstanding() {
				add(s.DueAt)
			}
		}
		add(p.holdEnds(o))
	}
	if r := p.Review; r != nil && !r.Passed {
		add(r.Until)
		if r.By == "" {
			add(p.UpdatedAt.Add(c.cfg.HookTimeout + c.skew))
		}
	}
	add(lifeOf(p))
	if p.Unattended && p.Status == StatusCreated {
		add(p.CreatedAt.Add(unattendedAfter))
	}
	return due
}
