//go:build unix

package crash_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/crash"
)

// The harness itself, with workers that keep no books.

func quit(_ context.Context, w *crash.Worker) error {
	w.Ready()
	w.Tell("told", 1)
	return errors.New("no more of this")
}

func complain(ctx context.Context, w *crash.Worker) error {
	w.Ready()
	w.Tell("told", "about the moon")
	for range 100 { // the complaint is not among the last lines
		w.Tell("told", 1)
	}
	w.Wrong("moon", "the %s is not green", "moon")
	<-ctx.Done()
	return nil
}

// count tells a number, writes it into a file, and tells that it is written.
func count(ctx context.Context, w *crash.Worker) error {
	f, err := os.OpenFile(w.Args["file"], os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w.Ready()
	for n := 1; ctx.Err() == nil; n++ {
		w.Tell("ask", n)
		if _, err := f.WriteAt([]byte(strconv.Itoa(n)), 0); err != nil {
			return err
		}
		w.Tell("answer", n)
	}
	return f.Close()
}

// counted is the subject of count.
type counted struct {
	work, file    string
	asked, answer int
}

func (c *counted) Job(int) crash.Job {
	c.asked, c.answer = 0, 0
	return crash.Job{Work: c.work, Args: map[string]string{"file": c.file}}
}

func (c *counted) Hear(l crash.Line) error {
	n, err := strconv.Atoi(string(l.Body))
	switch l.Word {
	case "ask":
		c.asked = n
	case "answer":
		c.answer = n
	default:
		return nil
	}
	return err
}

func (c *counted) Check(_ context.Context, r crash.Round) error {
	text, err := os.ReadFile(c.file)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n > c.asked || n < c.answer || len(r.Lives) != 1 {
		return fmt.Errorf("%d is written, %d was asked, %d answered (%w)", n, c.asked, c.answer, err)
	}
	return nil
}

// What a worker told before it did it is heard, whenever it is killed.
func TestWhatIsToldIsHeard(t *testing.T) {
	t.Parallel()
	c := &counted{work: "count", file: filepath.Join(t.TempDir(), "n")}
	report, err := crash.Run(ctx, crash.Config{Seed: *seed, Rounds: 30, Least: time.Millisecond, Most: 10 * time.Millisecond, Lines: 2}, opened{c})
	require.NoError(t, err)
	require.Equal(t, 30, report.Killed)
	c.asked = 0
	require.Error(t, c.Check(ctx, crash.Round{Lives: []int{1}}), "a check that cannot fail proves nothing")
}

// opened passes over rounds in which the worker was killed too early to count.
type opened struct{ *counted }

func (o opened) Check(ctx context.Context, r crash.Round) error {
	if o.asked < 2 {
		return nil
	}
	return o.counted.Check(ctx, r)
}

func TestWorkersThatFail(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ work, want, story string }{
		{"quit", "life 1 ended by itself: exit status 2\nworker: no more of this", "told 1"},
		{"complain", "life 1 says: the moon is not green", "about the moon"},
		{"nobody", `there is no work "nobody"`, ""},
	} {
		t.Run(tc.work, func(t *testing.T) {
			t.Parallel()
			_, err := crash.Run(ctx, crash.Config{Seed: 7, Rounds: 1, Pairs: true}, &counted{work: tc.work})
			var failure *crash.Failure
			require.ErrorAs(t, err, &failure)
			require.EqualValues(t, 7, failure.Seed)
			require.Equal(t, 1, failure.Round)
			require.ErrorContains(t, failure.Err, tc.want)
			require.Contains(t, failure.Story, tc.story)
		})
	}
}
