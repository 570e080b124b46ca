package ledgermodel

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlstore"
)

// workerEnv makes the test binary a worker: "name|dsn|posts|log file".
const workerEnv = "LEDGER_TEST_WORKER"

const (
	// funds is what each of the pots has at first: a few posts drain one.
	pots, funds = 12, 300
	callers     = 20 // of each worker
)

func pot(n int) string { return fmt.Sprintf("shop:%d:EUR", n) }

// attempt is one post as its worker logs it.
type attempt struct {
	Key      string
	From, To int
	Amount   int64
	// Floor or Version is the condition on From; neither, there is none.
	Floor   *int64 `json:",omitempty"`
	Version *int64 `json:",omitempty"`
	// Start and End are before the call and after its answer, in nanoseconds
	// of a clock that all processes share.
	Start, End int64
	// ID of the record; 0 for a refusal by the condition.
	ID       int64
	Replayed bool
	Problem  string `json:",omitempty"`
}

func (a *attempt) change() ledger.Transaction {
	t := ledger.Transaction{Key: a.Key, Entries: []ledger.Entry{ledger.Debit(pot(a.From), money.Of(a.Amount, money.EUR)), ledger.Credit(pot(a.To), money.Of(a.Amount, money.EUR))}}
	if a.Floor != nil {
		t.Conditions = []ledger.Condition{{Account: pot(a.From), Floor: *a.Floor}}
	}
	if a.Version != nil {
		t.Conditions = []ledger.Condition{ledger.AtVersion(pot(a.From), *a.Version)}
	}
	return t
}

func (a *attempt) took(r ledger.Receipt, err error) {
	switch {
	case err == nil:
		a.ID, a.Replayed = r.ID, r.Replayed
	case !errors.Is(err, ledger.ErrCondition):
		a.Problem = err.Error()
	}
}

// worker posts from one process.
type worker struct {
	name  string
	book  *ledger.Book
	store *sqlstore.Store
	clock func() int64
	busy  atomic.Int64

	mu  sync.Mutex
	log []*attempt
}

func newWorker(name, dsn string) (*worker, error) {
	s, err := postgres.Open(context.Background(), dsn)
	if err != nil {
		return nil, err
	}
	chart, err := ledger.NewChart(ledger.Rule{Pattern: "shop:{id}:{currency}", Type: ledger.Liability, Mode: ledger.Strict}, ledger.Rule{Pattern: "bank:{currency}", Type: ledger.Asset})
	if err != nil {
		return nil, err
	}
	book, err := ledger.New(ledger.Config{Store: s, Chart: chart, SealEvery: 5 * time.Millisecond})
	// The wall clock is read once: it may be set while the test runs.
	base := time.Now()
	return &worker{name: name, book: book, store: s, clock: func() int64 { return base.UnixNano() + int64(time.Since(base)) }}, err
}

// draw makes a post that often fails: the pots are small and all draw on them.
func (w *worker) draw(ctx context.Context, random *rand.Rand, key string) *attempt {
	a := &attempt{Key: key, From: random.IntN(pots), Amount: 1 + random.Int64N(60)}
	if random.IntN(3) == 0 {
		a.From = 0 // hot
	}
	a.To = (a.From + 1 + random.IntN(pots-1)) % pots
	switch n := random.IntN(20); {
	case n < 13:
		a.Floor = new(int64)
	case n < 15:
		floor := random.Int64N(200) - 100
		a.Floor = &floor
	case n < 19:
		b, err := w.book.Balance(ctx, pot(a.From), ledger.AsOf{})
		if err != nil {
			a.Problem = err.Error()
		}
		a.Version = &b.Version
	}
	return a
}

// post asks until the books are not busy. The interval is that of all tries.
func (w *worker) post(ctx context.Context, list ...*attempt) {
	changes := make([]ledger.Change, len(list))
	for i, a := range list {
		changes[i] = a.change()
		a.Start = w.clock()
	}
	for left := list; len(left) > 0; {
		results := []ledger.Result{{}}
		if len(changes) == 1 {
			results[0].Receipt, results[0].Err = w.book.Apply(ctx, changes[0])
		} else {
			results = w.book.PostAll(ctx, changes...)
		}
		var again []*attempt
		var more []ledger.Change
		for i, a := range left {
			if errors.Is(results[i].Err, ledger.ErrBusy) {
				w.busy.Add(1)
				again, more = append(again, a), append(more, changes[i])
				continue
			}
			a.End = w.clock()
			a.took(results[i].Receipt, results[i].Err)
		}
		left, changes = again, more
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, list...)
}

// run makes posts, with many callers at once.
func (w *worker) run(posts int) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	sealing := make(chan struct{})
	background, stop := context.WithCancel(ctx)
	go func() {
		defer close(sealing)
		_ = w.book.Run(background)
	}()
	var next atomic.Int64
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(len(w.name)), uint64(c)<<8+uint64(w.name[0]))) //nolint:gosec // the same again
			var mine []*attempt
			for {
				size := 1
				if c%5 == 4 {
					size = 8
				}
				n := int(next.Add(int64(size))) - size
				if n >= posts {
					return
				}
				var list []*attempt
				for i := range size {
					list = append(list, w.draw(ctx, random, fmt.Sprintf("%s-%d", w.name, n+i)))
				}
				if len(mine) > 0 && random.IntN(20) == 0 { // an earlier one again
					again := *mine[random.IntN(len(mine))]
					again.ID, again.Replayed = 0, false
					list[0] = &again
				} else if n%40 == 7 { // one that the other process sends too
					list[0] = &attempt{Key: fmt.Sprint("both-", n), From: n % pots, To: (n + 1) % pots, Amount: 3}
				}
				w.post(ctx, list...)
				mine = append(mine, list[0])
			}
		})
	}
	all.Wait()
	stop()
	<-sealing
}

// work is what a process of its own does.
func work(job string) int {
	part := strings.SplitN(job, "|", 4)
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	w, err := newWorker(part[0], part[1])
	if err != nil {
		return fail(err)
	}
	var posts int
	if _, err := fmt.Sscan(part[2], &posts); err != nil {
		return fail(err)
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return fail(err)
	}
	w.run(posts)
	f, err := os.Create(part[3])
	if err != nil {
		return fail(err)
	}
	out := json.NewEncoder(f)
	for _, a := range w.log {
		if err := out.Encode(a); err != nil {
			return fail(err)
		}
	}
	if err := errors.Join(f.Close(), w.store.Close()); err != nil {
		return fail(err)
	}
	fmt.Fprintf(os.Stderr, "%s: %d posts, busy %d times\n", w.name, len(w.log), w.busy.Load())
	return 0
}

// hosts posts in transactions of the host's, two posts each, in any order of
// accounts, and rolls some back.
func (w *worker) hosts(t *testing.T, transactions int) {
	ctx := context.Background()
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same again
	for n := range transactions {
		for try := 0; ; try++ {
			require.Less(t, try, 200, "a host's transaction never gets through")
			if w.hostOnce(t, ctx, random, fmt.Sprintf("host-%d-%d", n, try), n%4 == 3) {
				break
			}
		}
	}
}

func (w *worker) hostOnce(t *testing.T, ctx context.Context, random *rand.Rand, key string, undone bool) (done bool) { //nolint:revive // t first in tests
	tx, err := w.store.DB().BeginTx(ctx, nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	var list []*attempt
	for i := range 2 {
		a := w.draw(ctx, random, fmt.Sprint(key, "-", i))
		a.Version = nil // it may be long ago when the second is posted
		a.Start = w.clock()
		r, err := w.book.Post(sqlstore.In(ctx, tx), a.change())
		a.End = w.clock()
		if errors.Is(err, ledger.ErrBusy) {
			w.busy.Add(1)
			return false
		}
		a.took(r, err)
		list = append(list, a)
		time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
	}
	if undone {
		return tx.Rollback() == nil
	}
	require.NoError(t, tx.Commit())
	for _, a := range list {
		if a.ID != 0 {
			a.End = w.clock() // it counts from the commit
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, list...)
	return true
}

// TestTwoProcesses: two processes, and transactions of a host, post to the same
// accounts of one PostgreSQL at once. See history for what is proven of it.
func TestTwoProcesses(t *testing.T) {
	posts := 5000
	if testing.Short() {
		posts = 1000
	}
	dsn := migrated(t)
	own, err := newWorker("parent", dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, own.store.Close()) }()
	for i := range pots {
		_, err := own.book.Post(t.Context(), ledger.Transaction{Key: fmt.Sprint("fund-", i), Entries: []ledger.Entry{
			ledger.Debit("bank:EUR", money.Of(funds, money.EUR)), ledger.Credit(pot(i), money.Of(funds, money.EUR))}})
		require.NoError(t, err)
	}
	type process struct {
		*exec.Cmd
		in   io.WriteCloser
		file string
	}
	var running []process
	for _, name := range []string{"a", "b"} {
		p := process{Cmd: exec.CommandContext(t.Context(), os.Args[0]), file: filepath.Join(t.TempDir(), name)}
		p.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%d|%s", workerEnv, name, dsn, posts, p.file))
		p.Stderr = new(strings.Builder)
		var err error
		p.in, err = p.StdinPipe()
		require.NoError(t, err)
		out, err := p.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, p.Start())
		_, err = bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err, "a worker did not begin: %s", p.Stderr)
		running = append(running, p)
	}
	for _, p := range running {
		_, err := io.WriteString(p.in, "go\n")
		require.NoError(t, err)
	}
	own.hosts(t, posts/25)
	log := own.log
	for _, p := range running {
		require.NoError(t, p.Wait(), "a worker failed: %s", p.Stderr)
		t.Log(strings.TrimSpace(p.Stderr.(*strings.Builder).String()))
		f, err := os.Open(p.file)
		require.NoError(t, err)
		for in := json.NewDecoder(f); in.More(); {
			a := new(attempt)
			require.NoError(t, in.Decode(a))
			log = append(log, a)
		}
		require.NoError(t, f.Close())
	}
	prove(t, own, log)
}
