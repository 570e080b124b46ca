package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/postgres"
	"github.com/tender-go/payment/store/sqlite"
	"github.com/tender-go/payment/store/sqlstore"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(workerEnv); job != "" {
		os.Exit(work(job))
	}
	os.Exit(pgtest.Main(m))
}

var ctx = context.Background()

// each runs a test on both databases.
func each(t *testing.T, fn func(t *testing.T, s *sqlstore.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, openSQLite(t, filepath.Join(t.TempDir(), "shop.db")))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, openPostgres(t, migrated(t)))
	})
}

func openSQLite(t testing.TB, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlite.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// migrated returns a fresh PostgreSQL database that has the tables already.
func migrated(t testing.TB) string {
	t.Helper()
	return pgtest.Copy(t, "migrated", func(dsn string) error {
		s, err := postgres.Open(ctx, dsn)
		if err != nil {
			return err
		}
		return s.Close()
	})
}

func openPostgres(t testing.TB, dsn string) *sqlstore.Store {
	t.Helper()
	s, err := postgres.Open(ctx, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// pair is what one payment costs a store: the commit of its plan, and that of
// its record, on the payment as it was planned.
func pair(ctx context.Context, s payment.Store, id string) error {
	p := planned(id)
	if err := s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return plan(ctx, tx, p) }); err != nil {
		return err
	}
	return s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return record(ctx, tx, p) })
}

func planned(id string) *payment.Payment {
	now := time.Now()
	s := &payment.Step{ID: id + "os", OperationID: id + "o", Revision: 1, Name: "pay", State: payment.StatePlanned, MovesMoney: true,
		Recovery: payment.Recovery{KeyLife: time.Hour, Lookup: true}, Request: make([]byte, 300), CreatedAt: now, UpdatedAt: now}
	o := &payment.Operation{ID: id + "o", PaymentID: id, Revision: 1, Kind: payment.OpAuthorize, State: payment.StatePlanned, Sale: true,
		Amount: money.Of(1999, money.EUR), Provider: "stripe", Method: payment.MethodCard, Steps: []*payment.Step{s}, CreatedAt: now, UpdatedAt: now}
	return &payment.Payment{ID: id, Version: 1, Reference: "order-" + id, Amount: money.Of(1999, money.EUR), Status: payment.StatusProcessing,
		Route: []string{"stripe"}, Subject: id, Sealed: make([]byte, 400), Operations: []*payment.Operation{o}, CreatedAt: now, UpdatedAt: now, DueAt: now}
}

func plan(ctx context.Context, tx payment.Tx, p *payment.Payment) error {
	if err := tx.Claim(ctx, payment.Claim{Kind: payment.ClaimKey, Key: p.ID, Owner: p.ID, Payment: p.ID, Fingerprint: make([]byte, 32)},
		payment.Claim{Kind: payment.ClaimReference, Key: p.Reference, Owner: p.ID, Payment: p.ID},
		payment.Claim{Kind: payment.ClaimCharging, Key: p.ID, Owner: p.Operations[0].ID, Payment: p.ID}); err != nil {
		return err
	}
	if err := tx.InsertPayment(ctx, p); err != nil {
		return err
	}
	return tx.AppendEvents(ctx, &payment.Event{ID: p.ID + "e1", PaymentID: p.ID, Type: payment.EventCreated, RecordedAt: p.CreatedAt, Applied: true},
		&payment.Event{ID: p.ID + "e2", PaymentID: p.ID, Type: payment.EventRouted, RecordedAt: p.CreatedAt, Applied: true})
}

func record(ctx context.Context, tx payment.Tx, p *payment.Payment) error {
	n, o, s := *p, *p.Operations[0], *p.Operations[0].Steps[0]
	n.Version, o.Revision, s.Revision = 2, 2, 2
	n.Status, o.State, s.State, s.Closed, s.Sends, n.DueAt = payment.StatusCaptured, payment.StateApproved, payment.StateApproved, true, 1, time.Time{}
	o.Approved, o.Ref, n.Totals.Captured.Done = o.Amount, "pi_"+p.ID, o.Amount
	o.Steps, n.Operations = []*payment.Step{&s}, []*payment.Operation{&o}
	if err := tx.SavePayment(ctx, &n); err != nil {
		return err
	}
	return tx.AppendEvents(ctx, &payment.Event{ID: p.ID + "e3", PaymentID: p.ID, Type: payment.EventFact, Kind: payment.OpAuthorize,
		Status: payment.ResultApproved, OperationID: o.ID, Ref: o.Ref, Amount: o.Amount, State: o.State, PaymentStatus: n.Status, RecordedAt: p.CreatedAt, Applied: true})
}

func event(id string) *payment.Event { return &payment.Event{ID: id, Type: payment.EventFact} }

func appendOne(s payment.Store, ctx context.Context, id string) error { //nolint:revive // the store is what acts
	return s.Update(ctx, func(ctx context.Context, tx payment.Tx) error { return tx.AppendEvents(ctx, event(id)) })
}

func mustExec(t testing.TB, db interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, text string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(ctx, text, args...)
	require.NoError(t, err, text)
}

func count(t testing.TB, db *sql.DB, table string) int {
	t.Helper()
	var n int
	require.NoError(t, db.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n), fmt.Sprint("count of ", table))
	return n
}
