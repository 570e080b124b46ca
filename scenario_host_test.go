package payment_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/store/sqlstore"
)

// onSQL runs a scenario on the stores that live in a database of the host's.
func onSQL(t *testing.T, scenario func(t *testing.T, s *shop, db *sql.DB)) {
	t.Helper()
	onStores(t, func(t *testing.T, store payment.Store) {
		db, ok := store.(*sqlstore.Store)
		if !ok {
			require.False(t, store.Joined(context.Background()), "a store in memory has no transaction of a host's to join")
			return
		}
		s := open(t, store, fake.Options{Record: true})
		_, err := db.DB().ExecContext(s.ctx, "CREATE TABLE orders (name VARCHAR(40) PRIMARY KEY)")
		require.NoError(t, err)
		scenario(t, s, db.DB())
	})
}

func orders(t *testing.T, db *sql.DB) int {
	t.Helper()
	var n int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM orders").Scan(&n))
	return n
}

// begin starts the host's transaction and writes its order row.
func begin(t *testing.T, s *shop, db *sql.DB, order string) (context.Context, *sql.Tx) {
	t.Helper()
	tx, err := db.BeginTx(s.ctx, nil)
	require.NoError(t, err)
	_, err = tx.Exec("INSERT INTO orders (name) VALUES ('" + order + "')")
	require.NoError(t, err)
	return sqlstore.In(s.ctx, tx), tx
}

// The order row and the payment row commit as one, or not at all.
func TestCreateJoinsTheHostsTransaction(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, s *shop, db *sql.DB) {
		s.mustPay(s.request("order-0")) // the installation's keys exist
		ctx, tx := begin(t, s, db, "order-1")
		r := s.request("order-1")
		p, err := s.pay.Create(ctx, r)
		require.NoError(t, err)
		require.NoError(t, tx.Rollback())
		require.Zero(t, orders(t, db))
		_, err = s.pay.Get(s.ctx, p.ID)
		require.ErrorIs(t, err, payment.ErrNotFound, "rolled back with the order")

		ctx, tx = begin(t, s, db, "order-1")
		p, err = s.pay.Create(ctx, r)
		require.NoError(t, err, "the same request again, after the rollback")
		again, err := s.pay.Create(ctx, r)
		require.NoError(t, err, "twice in one transaction")
		require.Equal(t, p.ID, again.ID)
		require.NoError(t, tx.Commit())
		require.Equal(t, 1, orders(t, db))
		require.Equal(t, payment.StatusCreated, s.get(p.ID).Status)
		p, err = s.pay.Proceed(s.ctx, p.ID, payment.Choice{Key: "go"})
		require.NoError(t, err)
		require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
	})
}

// The very first payment of an installation may be created in the host's
// transaction, which then rolls back: its keys must not be lost with it.
func TestFirstCreateRollsBack(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, s *shop, db *sql.DB) {
		r := s.request("order-1")
		r.Customer = "cust-1"
		for range 3 {
			ctx, tx := begin(t, s, db, "order-1")
			_, err := s.pay.Create(ctx, r)
			if err != nil {
				require.ErrorIs(t, err, payment.ErrBusy, "the one error that says: roll back and run again")
				require.NoError(t, tx.Rollback())
				continue
			}
			require.NoError(t, tx.Rollback())
		}
		p := s.mustPay(r)
		require.Equal(t, payment.StatusCaptured, s.agree(p.ID).Status)
		s.reopen()
		require.Equal(t, p.ID, s.mustPay(r).ID, "another process knows the request again")
	})
}

// A reference that is held is refused inside the host's transaction too, and
// leaves that transaction usable.
func TestCreateInTransactionMeetsAReference(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, s *shop, db *sql.DB) {
		first := s.mustPay(s.request("order-1"))
		ctx, tx := begin(t, s, db, "order-1b")
		_, err := s.pay.Create(ctx, s.request("order-1"))
		var live *payment.ReferenceError
		require.ErrorAs(t, err, &live)
		require.Equal(t, first.ID, live.PaymentID)
		_, err = s.pay.Create(ctx, s.request("order-2"))
		require.NoError(t, err, "the host's transaction goes on")
		require.NoError(t, tx.Commit())
		require.Equal(t, 1, orders(t, db))
	})
}

// Whatever would reach a provider, or open a transaction of its own, is
// refused under a host's transaction, and never deadlocks.
func TestRefusedInTransaction(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, s *shop, db *sql.DB) {
		p := s.mustPay(s.request("order-1"))
		n, calls := len(s.events("")), len(s.bank.Requests())
		joined, tx := begin(t, s, db, "order-2")
		ctx, cancel := context.WithTimeout(joined, 20*time.Second)
		defer cancel()
		pay := s.pay
		verbs := map[string]func() error{
			"Pay":     func() error { _, err := pay.Pay(ctx, s.request("order-2")); return err },
			"Proceed": func() error { _, err := pay.Proceed(ctx, p.ID, payment.Choice{Key: "k"}); return err },
			"Capture": func() error { _, err := pay.Capture(ctx, p.ID, payment.CaptureParams{Key: "k"}); return err },
			"Void":    func() error { _, err := pay.Void(ctx, p.ID, payment.VoidParams{Key: "k"}); return err },
			"Refund":  func() error { _, err := pay.Refund(ctx, p.ID, payment.RefundParams{Key: "k"}); return err },
			"Cancel":  func() error { _, err := pay.Cancel(ctx, p.ID, payment.CancelParams{Key: "k"}); return err },
			"Transfer": func() error {
				_, err := pay.Transfer(ctx, p.ID, payment.TransferParams{Key: "k", Amount: usd(1), Destination: "acct_1"})
				return err
			},
			"Resume": func() error { _, err := pay.Resume(ctx, p.ID, nil); return err },
			"Sync":   func() error { _, err := pay.Sync(ctx, p.ID); return err },
			"Receive": func() error {
				_, err := pay.Receive(ctx, "fake", s.bank.Sign([]byte("{}"), s.clock.Now()))
				return err
			},
			"Apply": func() error {
				_, err := pay.Apply(ctx, payment.Event{Provider: "fake", Kind: payment.OpRefund, Status: payment.ResultApproved})
				return err
			},
			"Decide": func() error {
				_, err := pay.Decide(ctx, payment.Decision{PaymentID: p.ID, Finding: payment.FindingNoted, Who: "a", Evidence: "b"})
				return err
			},
			"Save": func() error {
				_, err := pay.Save(ctx, payment.SaveParams{Key: "k", Customer: "c", Method: payment.Card("tok_x")})
				return err
			},
			"Forget":     func() error { return pay.Forget(ctx, "pm0000") },
			"Respond":    func() error { _, err := pay.Respond(ctx, "d0000", payment.RespondParams{Key: "k"}); return err },
			"Accept":     func() error { _, err := pay.Accept(ctx, "d0000", "k"); return err },
			"Erase":      func() error { return pay.Erase(ctx, "cust-1") },
			"EraseGuest": func() error { return pay.EraseGuest(ctx, p.ID) },
			"RunOnce":    func() error { _, err := pay.RunOnce(ctx); return err },
			"Run":        func() error { return pay.Run(ctx) },
		}
		for name, call := range verbs {
			require.ErrorIs(t, call(), payment.ErrInTransaction, name)
		}
		require.NoError(t, tx.Commit(), "the host's transaction is unharmed")
		require.Len(t, s.events(""), n, "nothing was written")
		require.Len(t, s.bank.Requests(), calls, "nobody was asked")
		require.Equal(t, 1, orders(t, db))
	})
}
