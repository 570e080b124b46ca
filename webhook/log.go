package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tender-go/payment/internal/httpx"
)

// logEvery is the pace at which one reason is repeated above level debug: who
// can reach the address can be refused as often as they like, and must not fill
// the shop's log.
const logEvery = time.Minute

// maxReasons bounds what is remembered; reasons are few and come from adapters.
const maxReasons = 32

// pacedLog says everything at debug, and each reason once a minute above it.
// It is safe for concurrent use.
type pacedLog struct {
	out *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	said map[string]pace
}

type pace struct {
	last  time.Time
	quiet int // not said since
}

func newLog() *pacedLog {
	return &pacedLog{out: slog.New(slog.DiscardHandler), now: time.Now, said: map[string]pace{}}
}

func (l *pacedLog) refused(provider, reason, detail string) {
	l.say(slog.LevelWarn, "webhook: a notification was refused", reason, "provider", provider, "reason", reason, "detail", detail)
}

func (l *pacedLog) failed(provider string, err error) {
	args := []any{"provider", provider, "error", httpx.ScrubError(err)}
	var p panicError
	if errors.As(err, &p) {
		args = append(args, "stack", string(p.stack)) // functions and lines; no values
	}
	l.say(slog.LevelError, "webhook: a notification could not be stored; the provider sends it again", "store", args...)
}

func (l *pacedLog) misplaced(provider string, err error) {
	l.say(slog.LevelError, "webhook: nothing of this provider is taken, every notification is answered 404: correct the wiring", "wiring",
		"provider", provider, "error", httpx.ScrubError(err))
}

func (l *pacedLog) say(level slog.Level, msg, reason string, args ...any) {
	due, quiet := l.due(reason)
	if !due {
		level = slog.LevelDebug
	} else if quiet > 0 {
		args = append(args, "same_since", quiet)
	}
	l.out.Log(context.Background(), level, msg, args...)
}

// due reports whether a reason may be said aloud now, and how often it was not
// since the last time.
func (l *pacedLog) due(reason string) (bool, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, known := l.said[reason]
	if !known && len(l.said) >= maxReasons {
		reason = "other"
		p, known = l.said[reason]
	}
	now := l.now()
	if age := now.Sub(p.last); known && age >= 0 && age < logEvery {
		p.quiet++
		l.said[reason] = p
		return false, 0
	}
	l.said[reason] = pace{last: now}
	return true, p.quiet
}

// panicError is a panic of the receiver.
type panicError struct {
	value any
	stack []byte
}

func (e panicError) Error() string { return fmt.Sprint("the receiver panicked: ", e.value) }
