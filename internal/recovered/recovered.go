// Package recovered runs foreign functions so that their panics are errors.
package recovered

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// PanicError is a panic that was caught. Its text names the place, and the
// value only where it is the runtime's own: a value that a program panics with
// may hold a secret.
type PanicError struct {
	// What panicked: "the function of Update".
	What string
	// Value that was passed to panic. Do not print it.
	Value any
	// At is the function, file and line that panicked.
	At string
	// Stack of the goroutine.
	Stack []byte
}

func (e *PanicError) Error() string {
	kind := fmt.Sprintf("a value of type %T", e.Value)
	if err, ok := e.Value.(runtime.Error); ok {
		kind = err.Error()
	}
	return "payment: " + e.What + " panicked at " + e.At + ": " + kind
}

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Call runs fn; a panic becomes a *PanicError. A runtime.Goexit in fn goes on
// to end the goroutine, after the caller's deferred functions.
func Call(what string, fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{What: what, Value: v, At: origin(), Stack: debug.Stack()}
		}
	}()
	return fn()
}

// origin names the function that panicked: the first frame below the
// runtime's.
func origin() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)]) // skips Callers, origin and the deferred function
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return f.Function[strings.LastIndexByte(f.Function, '/')+1:] + " (" + filepath.Base(f.File) + ":" + strconv.Itoa(f.Line) + ")"
		}
		if !more {
			return "an unknown place"
		}
	}
}
