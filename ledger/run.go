package ledger

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"
)

// pollEvery is how often Run looks for what other processes posted.
const pollEvery = time.Second

// standbyFor is how often in a row the sealer of another process may be silent
// before this one takes over.
const standbyFor = 3

// Run seals what is posted and expires holds whose time is over, until ctx
// ends, which is its only error. Several processes may run it on one database:
// one of them seals for all, and if it ends another takes over.
func (b *Book) Run(ctx context.Context) error {
	if b.backend.Joined(ctx) {
		return ErrInTransaction
	}
	expired := int64(0) // all until then is done
	var looked, swept time.Time
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		n, standby, err := b.seal(ctx, max(time.Second, standbyFor*b.sealEvery))
		if err != nil && ctx.Err() == nil && !errors.Is(err, ErrBusy) {
			b.logger.LogAttrs(ctx, slog.LevelError, "the ledger could not be sealed; it is tried again", slog.Any("error", err))
		}
		if now := b.now(); now.Sub(looked) >= pollEvery || now.Before(looked) {
			looked = now
			if now.Sub(swept) >= sweepEvery || now.Before(swept) {
				swept, expired = now, 0 // a hold may be committed long after its time
			}
			if until, err := b.expireDue(ctx, expired); err == nil {
				expired = until
			} else if ctx.Err() == nil && !errors.Is(err, ErrBusy) {
				b.logger.LogAttrs(ctx, slog.LevelError, "holds could not be expired; it is tried again", slog.Any("error", err))
			}
		}
		wake := b.wake
		if standby || err != nil {
			wake = nil // there is no hurry
		}
		// A pause even if there is more: what comes meanwhile shares a block.
		pause := time.NewTimer(b.sealEvery)
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
		if n > 0 {
			continue // others may be posting, too
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		case <-poll.C:
		}
	}
}

// runPrefix begins the keys under which Run ends holds. They are its own, or a
// shop's key could stand in the way of an expiry.
const runPrefix = "expire:"

// expireDue ends the holds that expired after an instant until now.
func (b *Book) expireDue(ctx context.Context, after int64) (until int64, err error) {
	const page = 500
	now := micros(b.now())
	from := after
	var failed error
	for {
		var due []Change
		last := after
		err := b.backend.View(ctx, func(ctx context.Context, v View) error {
			due, last = nil, after
			return v.Expiring(ctx, after, now, page, func(id int64, key string, expires int64) error {
				due, last = append(due, ofRun{Expiry{Key: runPrefix + strconv.FormatInt(id, 10), Hold: key, Fact: true}}), expires
				return nil
			})
		})
		if err != nil {
			return after, err
		}
		stuck := false
		for _, r := range b.PostAll(ctx, due...) {
			// It may have been settled or voided since. One that cannot end (its
			// key is taken) keeps no other from ending.
			if r.Err != nil && !errors.Is(r.Err, ErrState) {
				failed, stuck = r.Err, true
			}
		}
		switch {
		case len(due) < page && failed != nil:
			return from, failed
		case len(due) < page:
			return max(after, now-expiryOverlap.Microseconds()), nil
		case stuck:
			after = last
		default:
			after = last - 1 // several may expire at once
		}
	}
}

// A hold may be committed by a slow transaction after its time: Run looks again
// at what expired lately, and from time to time at all.
const (
	expiryOverlap = time.Minute
	sweepEvery    = 10 * time.Minute
)
