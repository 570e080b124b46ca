//go:build unix

package crash

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Line is what a worker told.
type Line struct {
	// Life is the number of the worker.
	Life int
	// At is how long the worker had lived when it was heard.
	At time.Duration
	// Word says what it is, Body is JSON.
	Word string
	Body []byte
}

// String is the line as it is shown in a story.
func (l Line) String() string {
	return fmt.Sprintf("life %d %7.1fms %s %s", l.Life, float64(l.At.Microseconds())/1000, l.Word, l.Body)
}

// patience is how long a worker may take to open its store, and to end.
const patience = time.Minute

// process is a worker that runs.
type process struct {
	job   Job
	cmd   *exec.Cmd
	stdin io.WriteCloser
	began time.Time
	ready chan struct{}
	gone  chan struct{} // dead, and all it told is heard
	fault error         // why it ended, valid after gone

	mu   sync.Mutex
	told int
	tail []Line // the last lines
	note string // how it ended
}

// start starts a worker. hear is called for each line, in order.
func start(job Job, hear func(Line)) (*process, error) {
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	p := &process{job: job, cmd: exec.Command(os.Args[0]), ready: make(chan struct{}), gone: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), workerEnv+"="+string(text))
	var stderr bytes.Buffer
	p.cmd.Stderr = &stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.gone)
		p.listen(out, hear)
		p.fault = p.cmd.Wait()
		if text := strings.TrimSpace(stderr.String()); text != "" {
			p.fault = errors.Join(p.fault, errors.New(text[max(0, len(text)-4000):]))
		}
	}()
	return p, nil
}

// listen hands each line on until the pipe is at its end. What has no line end
// was not told: the worker died before it could go on.
func (p *process) listen(out io.Reader, hear func(Line)) {
	lines := bufio.NewReaderSize(out, 64<<10)
	for {
		text, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		word, body, _ := bytes.Cut(bytes.TrimSuffix(text, []byte("\n")), []byte(" "))
		l := Line{Life: p.job.Life, At: time.Since(p.began), Word: string(word), Body: body}
		p.remember(l)
		if l.Word == wordReady {
			close(p.ready)
			continue
		}
		hear(l)
	}
}

// remembered is how many lines of each worker are kept for the story.
const remembered = 4000

func (p *process) remember(l Line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told++
	if len(p.tail) == 2*remembered {
		p.tail = append(p.tail[:0], p.tail[remembered:]...)
	}
	p.tail = append(p.tail, l)
}

// lines is how many lines the worker has told.
func (p *process) lines() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.told
}

// opened waits until the worker has opened its store.
func (p *process) opened() error {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-p.ready:
		return nil
	case <-p.gone:
		return p.ended()
	case <-late.C:
		p.kill("did not open its store in time")
		return fmt.Errorf("life %d did not open its store within %s", p.job.Life, patience)
	}
}

// ended says why a worker that nobody ended is gone.
func (p *process) ended() error {
	return fmt.Errorf("life %d ended by itself: %w", p.job.Life, p.fault)
}

// kill kills the worker with SIGKILL and waits until all it told is heard. It
// reports whether the worker lived until then.
func (p *process) kill(note string) bool {
	select {
	case <-p.gone:
		return false
	default:
	}
	p.end(note)
	_ = p.cmd.Process.Kill()
	<-p.gone
	_ = p.stdin.Close()
	return p.cmd.ProcessState == nil || !p.cmd.ProcessState.Exited()
}

// stop asks the worker to end, and waits until it has.
func (p *process) stop() error {
	p.end("was asked to end")
	_ = p.stdin.Close()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-p.gone:
		if p.fault != nil {
			return fmt.Errorf("life %d was asked to end and failed: %w", p.job.Life, p.fault)
		}
		return nil
	case <-late.C:
		p.kill("did not end")
		return fmt.Errorf("life %d did not end within %s of being asked to", p.job.Life, patience)
	}
}

func (p *process) end(note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note = fmt.Sprintf("life %d %7.1fms %s", p.job.Life, float64(time.Since(p.began).Microseconds())/1000, note)
}

// story returns the lines that mention one of the words, and the last ones.
func (p *process) story(about []string, last int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for i, l := range p.tail {
		text := l.String()
		if i < len(p.tail)-last && !mentions(text, about) {
			continue
		}
		b.WriteString(text + "\n")
	}
	if p.note != "" {
		b.WriteString(p.note + "\n")
	}
	return b.String()
}

func mentions(text string, about []string) bool {
	for _, a := range about {
		if a != "" && strings.Contains(text, a) {
			return true
		}
	}
	return false
}
