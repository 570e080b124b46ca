package ledger_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

// sealedElsewhere is a store of which another process is sealing, until the
// given time.
type sealedElsewhere struct {
	ledger.Store
	until time.Time
}

func (s sealedElsewhere) Ledger() ledger.Backend { return busySeal{s.Store.Ledger(), s.until} }

type busySeal struct {
	ledger.Backend
	until time.Time
}

func (b busySeal) Seal(ctx context.Context, fn func(context.Context, ledger.SealTx) error) error {
	if time.Now().Before(b.until) {
		return ledger.ErrBusy
	}
	return b.Backend.Seal(ctx, fn)
}

// A read of what is sealed waits for another's seal as long as is bearable, and
// then says so: it never answers without what was acknowledged.
func TestReadsWaitForAnothersSeal(t *testing.T) {
	t.Parallel()
	chart, err := ledger.NewChart(ledger.Rule{Pattern: "a:{n}:{currency}", Type: ledger.Asset})
	require.NoError(t, err)
	posted := func(t *testing.T, busyFor time.Duration) *ledger.Book {
		book, err := ledger.New(ledger.Config{Store: sealedElsewhere{memstore.New(), time.Now().Add(busyFor)}, Chart: chart})
		require.NoError(t, err)
		_, err = book.Post(t.Context(), ledger.Transaction{Key: "k", Entries: []ledger.Entry{
			ledger.Debit("a:1:EUR", money.Of(5, money.EUR)), ledger.Credit("a:2:EUR", money.Of(5, money.EUR))}})
		require.NoError(t, err)
		return book
	}
	reads := map[string]func(context.Context, *ledger.Book) error{
		"head": func(ctx context.Context, b *ledger.Book) error {
			h, err := b.Head(ctx)
			if err == nil {
				require.EqualValues(t, 1, h.Seq)
			}
			return err
		},
		"statement": func(ctx context.Context, b *ledger.Book) error {
			s, err := b.Statement(ctx, ledger.StatementQuery{Account: "a:1:EUR"})
			if err == nil {
				require.Len(t, s.Lines, 1)
			}
			return err
		},
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				require.NoError(t, read(t.Context(), posted(t, 4*time.Second)), "it ends in time")

				began := time.Now()
				require.ErrorIs(t, read(t.Context(), posted(t, time.Hour)), ledger.ErrBusy)
				require.Equal(t, 5*time.Second, time.Since(began))

				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began = time.Now()
				require.ErrorIs(t, read(ctx, posted(t, time.Hour)), context.DeadlineExceeded)
				require.Equal(t, time.Second, time.Since(began))
			})
		})
	}
}
