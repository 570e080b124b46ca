//go:build unix

package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tender-go/payment/internal/crash"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlite"
	"github.com/tender-go/payment/store/sqlstore"
)

const (
	callers   = 8
	headEvery = 15 * time.Millisecond
	// oneCall bounds one operation with all its retries.
	oneCall = 40 * time.Second
	// workerName tells a worker's connections from others.
	workerName = "crash-worker"
)

func openBooks(ctx context.Context, dialect sqlstore.Dialect, where string) (books, error) {
	var s *sqlstore.Store
	var err error
	if dialect == sqlstore.SQLite {
		s, err = sqlite.Open(where)
	} else {
		s, err = postgres.Open(ctx, where)
	}
	if err != nil {
		return books{}, err
	}
	b, err := openBook(s)
	if err != nil {
		return books{}, errors.Join(err, s.Close())
	}
	return books{b, s}, nil
}

// workOnBooks is a worker that asks all that a ledger can be asked, with many
// callers at once, while the book is sealed.
func workOnBooks(ctx context.Context, w *crash.Worker) error {
	where := w.Args["where"]
	if w.Args["dialect"] == string(sqlstore.Postgres) {
		where += " application_name=" + workerName
	}
	b, err := openBooks(ctx, sqlstore.Dialect(w.Args["dialect"]), where)
	if err != nil {
		return err
	}
	var holds []hold
	if text := w.Args["holds"]; text != "" {
		if err := json.Unmarshal([]byte(text), &holds); err != nil {
			return err
		}
	}
	w.Ready()
	sealing, sealed := context.WithCancel(context.Background())
	var behind, callersOf sync.WaitGroup
	behind.Go(func() { _ = b.Run(sealing) })
	behind.Go(func() { tellHeads(sealing, w, b) })
	for i := range callers {
		c := &caller{w: w, books: b, author: &author{Rand: rand.New(rand.NewPCG(w.Seed, uint64(w.Life)<<8|uint64(i))), prefix: fmt.Sprintf("%sL%d.c%d", w.Args["prefix"], w.Life, i)}}
		for j := i; j < len(holds); j += callers {
			c.author.holds = append(c.author.holds, holds[j])
		}
		callersOf.Go(func() {
			for ctx.Err() == nil {
				c.call(ctx, c.author.next())
			}
		})
	}
	callersOf.Wait()
	sealed()
	behind.Wait()
	return b.store.Close()
}

// tellHeads exports the head of the books from time to time.
func tellHeads(ctx context.Context, w *crash.Worker, b books) {
	last := int64(-1)
	for ctx.Err() == nil {
		h, err := b.Head(ctx)
		if err == nil {
			if h.Seq < last {
				w.Wrong("head", "the head went back from %d to %d", last, h.Seq)
			}
			last = h.Seq
			w.Tell("head", h.String())
		}
		select {
		case <-ctx.Done():
		case <-time.After(headEvery):
		}
	}
}

// caller asks one thing after the other.
type caller struct {
	w      *crash.Worker
	books  books
	author *author
}

// call tells an operation, asks until it is answered for good, as a user would
// with the same key, and tells the answer.
func (c *caller) call(ctx context.Context, op *operation) {
	c.w.Tell("ask", op)
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), oneCall)
	defer cancel()
	left := *op
	doubt := map[string]bool{}
	for {
		answers, wrong := c.ask(limited, &left)
		if wrong != nil {
			c.w.Wrong(op.ID, "%v", wrong)
			return
		}
		var final, met []answer
		var again []*change
		for i, a := range answers {
			switch {
			case !a.Outcome.final():
				doubt[a.Key] = doubt[a.Key] || a.Outcome == unknown
				met, again = append(met, a), append(again, left.Changes[i])
			case a.Replayed && !doubt[a.Key]:
				c.w.Wrong(a.Key, "%s was answered with busy, a failure or nothing before, which says that nothing is written, and is in the journal", a.Key)
			default:
				c.author.answered(left.Changes[i], a)
				final = append(final, a)
			}
		}
		if len(final) > 0 {
			c.w.Tell("answer", final)
		}
		if len(met) == 0 {
			return
		}
		c.w.Tell("met", met)
		if limited.Err() != nil {
			c.w.Wrong(op.ID, "%s was not answered within %s: %v", op.ID, oneCall, met)
			return
		}
		left.Changes = again
		time.Sleep(time.Duration(1+c.author.IntN(5)) * time.Millisecond)
	}
}

// ask performs an operation; with args["tooth"] it does so in one of the ways
// that the check must catch.
func (c *caller) ask(ctx context.Context, op *operation) ([]answer, error) {
	switch tooth := c.w.Args["tooth"]; {
	case tooth == "early" && op.Shape == single, tooth == "lost" && op.Shape == single && c.author.IntN(10) == 0:
		return c.early(ctx, op, tooth == "early")
	case tooth == "torn" && op.Shape == together:
		return c.torn(ctx, op)
	case tooth == "apart" && op.Shape == host:
		return c.apart(ctx, op)
	}
	return c.books.perform(ctx, op)
}

// early answers with the receipt before it commits, or without a commit.
func (c *caller) early(ctx context.Context, op *operation, commit bool) ([]answer, error) {
	tx, err := c.books.store.DB().BeginTx(ctx, nil)
	if err != nil {
		return []answer{{Key: op.ID, Outcome: failed}}, nil //nolint:nilerr // it is the answer
	}
	defer func() { _ = tx.Rollback() }()
	answers, wrong := c.books.perform(sqlstore.In(ctx, tx), op)
	if answers[0].Outcome == kept && commit {
		c.w.Tell("answer", answers)
		time.Sleep(time.Millisecond) // as one that writes later would
		_ = tx.Commit()
	}
	return answers, wrong
}

// torn posts what belongs together one by one.
func (c *caller) torn(ctx context.Context, op *operation) ([]answer, error) {
	var answers []answer
	for _, ch := range op.Changes {
		one, err := c.books.perform(ctx, &operation{ID: ch.Key, Shape: single, Changes: []*change{ch}})
		if err != nil || one[0].Outcome != kept {
			return answers, err
		}
		answers = append(answers, one[0])
	}
	return answers, nil
}

// apart commits the order, and then posts.
func (c *caller) apart(ctx context.Context, op *operation) ([]answer, error) {
	b := c.books
	if _, err := b.store.DB().ExecContext(ctx, "INSERT INTO crash_orders (key, minor) VALUES ("+b.marks(2)+") ON CONFLICT DO NOTHING", op.ID, 1); err != nil {
		return []answer{{Key: op.ID, Outcome: failed}}, nil //nolint:nilerr // it is the answer
	}
	return b.perform(ctx, &operation{ID: op.ID, Shape: single, Changes: op.Changes})
}
