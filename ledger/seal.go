package ledger

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The sealer numbers what was recorded and chains it, after the commit: a
// number without gaps, or a hash over the one before, in the commit itself
// would be one row that every writer waits for. It also posts each line to the
// page of its account, with the running balance.

// sealBlock bounds the records of one block. A large one is cheaper: of what it
// posts, more lies together.
const sealBlock = 4000

// Seal gives all that is recorded its number and hash, as Run does from time
// to time. It returns how many records it sealed. [ErrBusy]: somebody else is
// sealing.
func (b *Book) Seal(ctx context.Context) (int, error) {
	n, _, err := b.seal(ctx, 0)
	return n, err
}

// seal seals, unless another process has done so within the given time: the
// one that seals remembers what accounts came to, and is best left to it.
func (b *Book) seal(ctx context.Context, unless time.Duration) (total int, standby bool, err error) {
	if b.backend.Joined(ctx) {
		return 0, false, ErrInTransaction
	}
	b.sealing.Lock()
	defer b.sealing.Unlock()
	for {
		n, more, seq := 0, false, int64(0)
		err := b.backend.Seal(ctx, func(ctx context.Context, tx SealTx) error {
			now := micros(b.now())
			last, err := tx.Last(ctx)
			if err != nil {
				return err
			}
			if standby = unless > 0 && last.Last() != b.sealed && now-last.Sealed < unless.Microseconds(); standby {
				n, more = 0, false
				return nil
			}
			n, more, err = sealOne(ctx, tx, last, now)
			seq = last.Last() + int64(n)
			return err
		})
		if err != nil || standby {
			return total, standby, err
		}
		b.sealed = seq
		total += n
		if !more {
			return total, false, nil
		}
	}
}

// sealOne appends one block.
func sealOne(ctx context.Context, tx SealTx, last Block, now int64) (n int, more bool, err error) {
	records, high, notes, err := tx.Unsealed(ctx, last, sealBlock)
	if err != nil || len(records) == 0 {
		return 0, false, err
	}
	block := &Block{First: last.Last() + 1, Sealed: max(now, last.Sealed), Closed: last.Closed, High: high, Notes: notes,
		IDs: make([]int64, len(records)), Marks: make([]byte, 0, 8*len(records))}
	accounts, at := accountsOf(records)
	running, err := tx.Running(ctx, last, accounts)
	if err != nil {
		return 0, false, err
	}
	postings := make([]Posting, 0, 2*len(records))
	for i, r := range records {
		block.IDs[i] = r.ID
		booked := block.book(r)
		for n := range r.Lines {
			l := &r.Lines[n]
			t := &running[at[l.Account]]
			t.Add(l.Layer, l.Amount) // beyond 64 bits it says so for ever, and stops nobody
			postings = append(postings, Posting{Account: l.Account, Layer: l.Layer, Seq: block.First + int64(i), N: n, ID: r.ID,
				Amount: l.Amount, Running: t.Of(l.Layer), Booked: booked})
		}
	}
	for i, a := range accounts {
		a.full.Store(running[i].nearlyFull())
	}
	c := newChain(last.Head)
	c.block(block)
	for _, r := range records {
		c.record(r)
		block.Marks = append(block.Marks, c.at[:8]...)
	}
	block.Head = c.at
	return len(records), len(records) == sealBlock, tx.Write(ctx, block, postings)
}

// book moves the end of the closed time on by a record, and returns the date
// that the record counts at.
func (b *Block) book(r *Record) int64 {
	if r.Kind == KindClose {
		b.Closed = max(b.Closed, r.Effective)
		return r.Effective
	}
	return max(r.Effective, b.Closed)
}

func accountsOf(records []*Record) ([]*Account, map[*Account]int) {
	at := make(map[*Account]int, 64)
	var accounts []*Account
	for _, r := range records {
		for i := range r.Lines {
			a := r.Lines[i].Account
			if _, ok := at[a]; !ok {
				at[a] = len(accounts)
				accounts = append(accounts, a)
			}
		}
	}
	return accounts, at
}

// block begins a block in the chain. Closed follows from the records before.
func (c *chain) block(b *Block) {
	c.buf = append(c.buf[:0], "block1"...)
	for _, n := range [...]int64{b.First, int64(len(b.IDs)), b.Sealed, b.Closed, b.High} {
		c.buf = binary.AppendVarint(c.buf, n)
	}
	c.buf = append(c.buf, b.Notes...)
	c.next(c.buf)
}

// Head names the state of sealed books: how many records, and the hash over
// all of them. Kept outside (in a notary's, an auditor's or another system's
// hands), it proves later that nothing before it was changed or cut off.
type Head struct {
	Seq    int64
	Hash   Hash
	Sealed time.Time
}

// String writes a head as one line that ParseHead reads.
func (h Head) String() string {
	return fmt.Sprintf("ledger-head 1 %d %s %s", h.Seq, hex.EncodeToString(h.Hash[:]), h.Sealed.UTC().Format(time.RFC3339Nano))
}

// ParseHead reads what Head.String wrote. The error is of kind ErrInvalid.
func ParseHead(s string) (Head, error) {
	bad := func(problem string) (Head, error) {
		return Head{}, invalid("Head", problem, `give the line that was exported: "ledger-head 1 <number> <hash> <time>"`)
	}
	f := strings.Fields(s)
	if len(f) != 5 || f[0] != "ledger-head" || f[1] != "1" {
		return bad("is not the head of a ledger")
	}
	seq, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil || seq < 0 {
		return bad("has no number")
	}
	sum, err := hex.DecodeString(f[3])
	if err != nil || len(sum) != len(Hash{}) {
		return bad("has no hash")
	}
	at, err := time.Parse(time.RFC3339Nano, f[4])
	if err != nil {
		return bad("has no time")
	}
	return Head{Seq: seq, Hash: Hash(sum), Sealed: at.UTC()}, nil
}

// Head returns the newest head, after sealing what is there. It is zero for
// empty books. [ErrBusy]: another process held that up. Inside a transaction of
// the host's nothing is sealed.
func (b *Book) Head(ctx context.Context) (Head, error) {
	if err := b.fresh(ctx); err != nil {
		return Head{}, err
	}
	var h Head
	err := b.backend.View(ctx, func(ctx context.Context, v View) error {
		last, err := v.Last(ctx)
		h = Head{Seq: last.Last(), Hash: last.Head, Sealed: instant(last.Sealed)}
		return err
	})
	return h, err
}

// freshWithin is how long a read waits for another process that is sealing.
const freshWithin = 5 * time.Second

// fresh seals before a read of what is sealed, so that what was posted before
// is in it. The seal of another process may have begun earlier, so that is
// waited for. [ErrBusy] if it cannot be had: better no answer than one that
// leaves out what was acknowledged. Inside a transaction of the host's nothing
// can be sealed.
func (b *Book) fresh(ctx context.Context) error {
	if b.backend.Joined(ctx) {
		return nil
	}
	enough := time.NewTimer(freshWithin)
	defer enough.Stop()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		_, err := b.Seal(ctx)
		if !errors.Is(err, ErrBusy) {
			return err
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-enough.C:
			again.Stop()
			return &Error{Kind: ErrBusy, Problem: "what was posted last could not be sealed in time", Remedy: "try again; see whether a transaction holds the database's write lock"}
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		}
	}
}
