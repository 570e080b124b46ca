package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

// faults fails one point once.
type faults struct {
	mu    sync.Mutex
	point string
	err   error
}

func (f *faults) once(point string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.point, f.err = point, err
}

func (f *faults) ask(point string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.point != point {
		return nil
	}
	f.point = ""
	return f.err
}

func insert(s *memstore.Store, id string) (runs int, err error) {
	err = s.Update(context.Background(), func(ctx context.Context, tx payment.Tx) error {
		runs++
		return tx.InsertPayment(ctx, &payment.Payment{ID: id, Version: 1})
	})
	return runs, err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, tc := range []struct {
		point   string
		err     error
		runs    int
		written bool
		want    error
	}{
		{memstore.FaultBegin, boom, 0, false, boom},
		{memstore.FaultBeforeCommit, boom, 1, false, boom},
		{memstore.FaultBeforeCommit, payment.ErrConflict, 2, true, nil},
		{memstore.FaultAfterCommit, payment.ErrCommitUnknown, 1, true, payment.ErrCommitUnknown},
	} {
		t.Run(fmt.Sprint(tc.point, " ", tc.err), func(t *testing.T) {
			t.Parallel()
			var f faults
			s := memstore.New(memstore.Options{Fault: f.ask})
			f.once(tc.point, tc.err)
			runs, err := insert(s, "p")
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, tc.runs, runs, "how often the function ran")
			_, err = s.Payment(context.Background(), "p")
			require.Equal(t, tc.written, err == nil, "whether it was written")
		})
	}
	var f faults
	s := memstore.New(memstore.Options{Fault: f.ask})
	f.once(memstore.FaultRead, boom)
	_, err := s.Payment(context.Background(), "p")
	require.ErrorIs(t, err, boom)
	f.once(memstore.FaultLease, boom)
	_, err = s.ClaimDue(context.Background(), "w", time.Now(), time.Now(), 1)
	require.ErrorIs(t, err, boom)
}

func TestOnCommit(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	books := 0
	post := func(err error) error {
		return s.Update(context.Background(), func(_ context.Context, tx payment.Tx) error {
			tx.(memstore.Committer).OnCommit(func() { books++ })
			return err
		})
	}
	require.Error(t, post(errors.New("boom")))
	require.Zero(t, books, "a transaction that rolled back posts nothing")
	require.NoError(t, post(nil))
	require.Equal(t, 1, books)
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	require.NoError(t, s.Update(context.Background(), func(context.Context, payment.Tx) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond) // another caller's
		defer cancel()
		require.ErrorIs(t, s.Update(ctx, func(context.Context, payment.Tx) error { return nil }), context.DeadlineExceeded)
		return nil
	}))
}

// BenchmarkPair is what one payment costs: the commit of its plan and that of
// its record.
func BenchmarkPair(b *testing.B) {
	s := memstore.New()
	ctx := context.Background()
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprintf("p%d", i)
		st := &payment.Step{ID: id + "s", OperationID: id + "o", Revision: 1, State: payment.StatePlanned, Request: make([]byte, 300)}
		o := &payment.Operation{ID: id + "o", PaymentID: id, Revision: 1, Amount: money.Of(1999, money.EUR), Steps: []*payment.Step{st}}
		p := &payment.Payment{ID: id, Version: 1, Reference: id, Amount: money.Of(1999, money.EUR), Operations: []*payment.Operation{o},
			Sealed: make([]byte, 300), CreatedAt: now.Add(time.Duration(i)), DueAt: now}
		if err := s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
			if err := tx.Claim(ctx, payment.Claim{Kind: payment.ClaimKey, Key: id, Owner: id}, payment.Claim{Kind: payment.ClaimReference, Key: id, Owner: id}); err != nil {
				return err
			}
			if err := tx.InsertPayment(ctx, p); err != nil {
				return err
			}
			return tx.AppendEvents(ctx, &payment.Event{ID: id + "e1", PaymentID: id})
		}); err != nil {
			b.Fatal(err)
		}
		p.Version, o.Revision, st.Revision, p.DueAt = 2, 2, 2, time.Time{}
		if err := s.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
			if err := tx.SavePayment(ctx, p); err != nil {
				return err
			}
			return tx.AppendEvents(ctx, &payment.Event{ID: id + "e2", PaymentID: id})
		}); err != nil {
			b.Fatal(err)
		}
	}
}
