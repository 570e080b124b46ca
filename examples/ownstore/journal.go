package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sync"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/store/memstore"
)

// Journal is a payment.Store without a database: what is true stands in memory,
// in a memstore, and every Update is one line of JSON in a file, on the disk
// before it counts. Open reads the lines again. It is for one process, and
// keeps every line for ever; a real one would write a snapshot now and then.
//
// The memstore brings isolation, order and uniqueness, so this shows only one
// half of a store of one's own: durability, whose rule is: first the disk, then
// the memory, then the answer. A store on a database that this project does not
// know has the other half to write too: compare-and-set on Payment.Version,
// claims with one owner, events in order, leases, and lists, which go on behind
// payment.ParseCursor of PaymentQuery.After. It needs nothing but the package
// payment for it; store/storetest names what it gets wrong.
type Journal struct {
	payment.Store // in memory: reads, and leases (which may be forgotten: they only say who looks first)

	mu   sync.Mutex // guards file and size
	file *os.File
	size int64 // of the whole lines
}

// write is one call on a payment.Tx that changes something. A line of the file
// is a list of them.
type write struct {
	Do   string          `json:"do"`
	What json.RawMessage `json:"what"`
}

// Open opens the journal at path, or begins one.
func Open(path string) (*Journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &Journal{Store: memstore.New(), file: file}
	if err := j.replay(); err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), file.Close())
	}
	return j, nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }

// replay carries out the lines of the file. A last line without its end was
// being written when the process died: its Update was never answered, and it is
// cut off.
func (j *Journal) replay() error {
	lines := bufio.NewReader(j.file)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return j.cut()
		}
		if err != nil {
			return err
		}
		var writes []write
		if err := json.Unmarshal(line, &writes); err != nil {
			return fmt.Errorf("the line at byte %d is damaged: %w", j.size, err)
		}
		if err := j.Store.Update(context.Background(), func(ctx context.Context, tx payment.Tx) error {
			for _, w := range writes {
				if err := w.replay(ctx, tx); err != nil {
					return fmt.Errorf("the line at byte %d: %s: %w", j.size, w.Do, err)
				}
			}
			return nil
		}); err != nil {
			return err
		}
		j.size += int64(len(line))
	}
}

// cut ends the file behind its last whole line.
func (j *Journal) cut() error {
	if err := j.file.Truncate(j.size); err != nil {
		return err
	}
	_, err := j.file.Seek(j.size, io.SeekStart)
	return err
}

// Update runs fn, writes what it did to the disk, and lets the memstore commit
// it. The memstore runs one Update at a time, and again after a conflict.
func (j *Journal) Update(ctx context.Context, fn func(ctx context.Context, tx payment.Tx) error) error {
	return j.Store.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
		r := &recorder{Tx: tx}
		if err := fn(ctx, r); err != nil {
			return err
		}
		if len(r.writes) == 0 {
			return nil
		}
		return j.append(r.writes)
	})
}

// append puts a line on the disk. If that fails nobody can say whether the line
// will be there after a crash: the commit is unknown.
func (j *Journal) append(writes []write) error {
	line, err := json.Marshal(writes)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err = j.file.Write(line)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", payment.ErrCommitUnknown, errors.Join(err, j.cut()))
	}
	j.size += int64(len(line))
	return nil
}

// recorder notes what a function writes through it.
type recorder struct {
	payment.Tx
	writes []write
}

// note keeps a write that was carried out.
func (r *recorder) note(err error, do string, what any) error {
	if err != nil {
		return err
	}
	text, err := json.Marshal(pack(reflect.ValueOf(what)))
	r.writes = append(r.writes, write{do, text})
	return err
}

// released and subjectKey are the arguments of calls that take several.
type (
	released struct {
		Kind       payment.ClaimKind
		Key, Owner string
	}
	subjectKey struct {
		Subject string
		Wrapped []byte
	}
)

func (r *recorder) Claim(ctx context.Context, claims ...payment.Claim) error {
	return r.note(r.Tx.Claim(ctx, claims...), "claim", claims)
}

func (r *recorder) Release(ctx context.Context, kind payment.ClaimKind, key, owner string) error {
	return r.note(r.Tx.Release(ctx, kind, key, owner), "release", released{kind, key, owner})
}

func (r *recorder) InsertPayment(ctx context.Context, p *payment.Payment) error {
	return r.note(r.Tx.InsertPayment(ctx, p), "insert", p)
}

func (r *recorder) SavePayment(ctx context.Context, p *payment.Payment) error {
	return r.note(r.Tx.SavePayment(ctx, p), "save", p)
}

func (r *recorder) AppendEvents(ctx context.Context, events ...*payment.Event) error {
	return r.note(r.Tx.AppendEvents(ctx, events...), "events", events)
}

func (r *recorder) SaveMethod(ctx context.Context, m *payment.SavedMethod) error {
	return r.note(r.Tx.SaveMethod(ctx, m), "method", m)
}

func (r *recorder) SaveDispute(ctx context.Context, d *payment.Dispute) error {
	return r.note(r.Tx.SaveDispute(ctx, d), "dispute", d)
}

func (r *recorder) PutSubjectKey(ctx context.Context, subject string, wrapped []byte) ([]byte, error) {
	existing, err := r.Tx.PutSubjectKey(ctx, subject, wrapped)
	if existing != nil {
		return existing, err
	}
	return nil, r.note(err, "key", subjectKey{subject, wrapped})
}

// DestroySubjectKey leaves the wrapped key in older lines. They must be
// rewritten before the personal values count as erased: a snapshot does that.
func (r *recorder) DestroySubjectKey(ctx context.Context, subject string) error {
	return r.note(r.Tx.DestroySubjectKey(ctx, subject), "destroy", subject)
}

// replay carries a write out again.
func (w write) replay(ctx context.Context, tx payment.Tx) error {
	switch w.Do {
	case "claim":
		return again(w, func(c []payment.Claim) error { return tx.Claim(ctx, c...) })
	case "release":
		return again(w, func(r released) error { return tx.Release(ctx, r.Kind, r.Key, r.Owner) })
	case "insert":
		return again(w, func(p *payment.Payment) error { return tx.InsertPayment(ctx, p) })
	case "save":
		return again(w, func(p *payment.Payment) error { return tx.SavePayment(ctx, p) })
	case "events":
		return again(w, func(e []*payment.Event) error { return tx.AppendEvents(ctx, e...) })
	case "method":
		return again(w, func(m *payment.SavedMethod) error { return tx.SaveMethod(ctx, m) })
	case "dispute":
		return again(w, func(d *payment.Dispute) error { return tx.SaveDispute(ctx, d) })
	case "key":
		return again(w, func(k subjectKey) error { _, err := tx.PutSubjectKey(ctx, k.Subject, k.Wrapped); return err })
	case "destroy":
		return again(w, func(s string) error { return tx.DestroySubjectKey(ctx, s) })
	}
	return errors.New("is not known here: was the file written by a newer program?")
}

func again[T any](w write, do func(T) error) error {
	var v T
	if err := unpack(w.What, &v); err != nil {
		return err
	}
	return do(v)
}
