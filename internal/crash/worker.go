//go:build unix

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tender-go/payment/internal/pgtest"
)

// workerEnv makes the test binary a worker; it holds its Job.
const workerEnv = "PAYMENT_CRASH_WORKER"

// longestLife ends a worker that nobody ends.
const longestLife = 5 * time.Minute

// Job is what a worker is to do.
type Job struct {
	// Work is the name of its function: see Main.
	Work string
	// Args for the function: where the store is, and so on.
	Args map[string]string
	// Seed and Life are set by Run: the seed of the run, and the number of the
	// process in it, from 1.
	Seed uint64
	Life int
}

// Work is the function of a worker. It works until ctx ends, then brings to an
// end what it has begun, and returns. Its error fails the run.
type Work func(ctx context.Context, w *Worker) error

// Main is for TestMain: it runs the tests, with pgtest.Main, or makes this
// process the worker that a test has started.
func Main(m *testing.M, works map[string]Work) int {
	text := os.Getenv(workerEnv)
	if text == "" {
		return pgtest.Main(m)
	}
	var job Job
	err := json.Unmarshal([]byte(text), &job)
	work := works[job.Work]
	if err == nil && work == nil {
		err = fmt.Errorf("there is no work %q", job.Work)
	}
	if err == nil {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() { // whoever started it asks for the end, or is gone
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
		time.AfterFunc(longestLife, func() { os.Exit(3) })
		err = work(ctx, &Worker{Job: job, out: os.Stdout})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 2
	}
	return 0
}

// Worker is the worker's end of the pipe. It may be used from many goroutines.
type Worker struct {
	Job

	mu  sync.Mutex
	out io.Writer
}

// Ready tells that the worker has opened what it works on. Call it once.
func (w *Worker) Ready() { w.Tell(wordReady, nil) }

// Wrong tells that the worker has seen what may not be, and what it is about.
// It fails the run.
func (w *Worker) Wrong(about, format string, args ...any) {
	w.Tell(wordWrong, Findf(about, format, args...))
}

// Tell tells a line: a word, and a body as JSON. When it returns the line is in
// the pipe, where the death of the worker does not reach it. The error of a
// pipe that nobody reads any more ends the process.
func (w *Worker) Tell(word string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // of the test's own types
	}
	line := make([]byte, 0, len(word)+len(text)+2)
	line = append(append(append(append(line, word...), ' '), text...), '\n')
	w.mu.Lock()
	_, err = w.out.Write(line) // one write, no buffer
	w.mu.Unlock()
	if err != nil {
		os.Exit(3)
	}
}

// The words of the harness; all others are the subject's own.
const (
	wordReady = "ready"
	wordWrong = "wrong"
)
