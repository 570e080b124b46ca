package simulation

import "time"

// The times after which everything must have ended by itself: a little more
// than the engine looks for an unknown outcome before it asks a person, and
// more than the longest hold.
const (
	soon = 80 * time.Hour
	long = 45 * 24 * time.Hour
)

// maxRounds bounds the calm: so often may the worker be due in soon and long
// together.
const maxRounds = 1000

// maxVersion bounds the commits of one payment. The busiest orders need a few
// hundred.
const maxVersion = 1500

// maxIdle bounds the minutes for which work may be due and nothing be done: a
// process that ended in the middle of it holds it for three.
const maxIdle = 10

// settle ends all troubles, delivers what is left of the post, lets time pass
// until nothing is open, and holds the records against the banks.
func (w *world) settle() {
	w.checkNow()
	w.asleep = true
	w.say("---- the weather is calm from here on")
	end := w.clock.now.Add(soon)
	w.calm(end)
	w.order.disputeEnds(w.order.calls%2 == 0)
	w.calm(w.clock.now.Add(time.Hour))
	w.checkNow()
	w.checkSettled()
	w.repeatPost()
	w.calm(start.Add(long))
	w.order.disputeEnds(false)
	w.calm(w.clock.now.Add(time.Hour))
	w.checkNow()
	w.checkSettled()
	w.checkPrivacy()
}

// calm lets the worker and the post work until a time, jumping from one thing
// that is due to the next.
func (w *world) calm(end time.Time) {
	idle := 0
	for range maxRounds {
		if w.spins {
			break
		}
		was := w.commits
		w.post.deliver()
		w.work(w.process(worker))
		w.post.deliver()
		next, busy := w.nextDue()
		switch {
		case !busy || next.After(end):
			if !w.clock.now.Before(end) {
				return
			}
			w.clock.until(end)
		case next.After(w.clock.now):
			w.clock.until(next)
		default: // leased to a process that ended
			w.clock.pass(time.Minute)
			if idle++; w.commits > was {
				idle = 0
			}
			w.spins = idle > maxIdle
		}
	}
	w.breach(RuleQuiet, "the worker is due again and again")
}

// nextDue is when the worker, or a bank, has something to do.
func (w *world) nextDue() (time.Time, bool) {
	var next time.Time
	add := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, r := range w.records {
		add(r.p.DueAt)
	}
	if len(w.clock.agenda) > 0 {
		add(w.clock.agenda[0])
	}
	return next, !next.IsZero()
}

// repeatPost delivers all notifications a second time: nothing may change.
func (w *world) repeatPost() {
	before := map[string]int64{}
	for id, r := range w.records {
		before[id] = r.p.Version
	}
	w.post.repeat()
	for id, r := range w.records {
		if r.p.Version != before[id] {
			w.breach(RuleRepeat, "notifications that were delivered again changed the payment")
		}
	}
}
