package httpx

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// PanicError is a panic of foreign code, caught by Guard. What the code had
// done by then is unknown; the Call of its context tells what went out.
type PanicError struct {
	value string
	stack string
}

// Error returns one scrubbed line.
func (e *PanicError) Error() string { return "httpx: the provider's SDK panicked: " + e.value }

// Stack returns where it panicked: up to 16 frames, one "function file:line" a
// line, without arguments. It is kept out of Error.
func (e *PanicError) Stack() string { return e.stack }

// Guard runs fn and returns its error, or a *PanicError if it panics. SDKs
// panic on answers that they did not expect, and an answer is foreign input.
// It cannot catch what the runtime makes fatal, nor panics of goroutines that
// fn starts.
func Guard(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{value: scrubValue(v), stack: shortStack()}
		}
	}()
	return fn()
}

// scrubValue renders a panic value, whose own Error or String method may panic
// in turn (fmt catches that).
func scrubValue(v any) string { return Scrub(fmt.Sprint(v)) }

func shortStack() string {
	var pcs [48]uintptr
	n := runtime.Callers(3, pcs[:]) // skip Callers, shortStack and the deferred func
	frames := runtime.CallersFrames(pcs[:n])
	var b strings.Builder
	for kept := 0; kept < 16; {
		f, more := frames.Next()
		// The runtime's own frames only say that it was a panic.
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			fmt.Fprintf(&b, "%s %s:%d\n", f.Function, filepath.Base(f.File), f.Line)
			kept++
		}
		if !more {
			break
		}
	}
	return b.String()
}
