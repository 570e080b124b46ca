package sqlstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
)

// Of a call whose requests were carried out in part, the rest being set aside,
// a later failure is told of the rest alone: what is committed stays told so.
func TestLedgerQueueTellsWhatFailed(t *testing.T) {
	t.Parallel()
	down := errors.New("the database is down")
	done, waits := &ledger.Request{}, &ledger.Request{}
	calls := 0
	q := &queue{patience: time.Second, carry: func(_ context.Context, requests []*ledger.Request) ([]*ledger.Request, error) {
		if calls++; calls == 1 {
			require.Len(t, requests, 2)
			return []*ledger.Request{waits}, nil
		}
		require.Equal(t, []*ledger.Request{waits}, requests)
		return nil, down
	}}
	require.NoError(t, q.apply(t.Context(), []*ledger.Request{done, waits}))
	require.NoError(t, done.Err)
	require.ErrorIs(t, waits.Err, down)
	q.wait()

	// A call of which nothing was carried out fails as a whole.
	require.ErrorIs(t, q.apply(t.Context(), []*ledger.Request{waits}), down)
}

// A call that is done in part does not leave with its context's error, which
// would say that nothing is written.
func TestLedgerQueueKeepsWhatIsDone(t *testing.T) {
	t.Parallel()
	untouched, part := &ticket{}, &ticket{partly: true}
	q := &queue{waiting: []*ticket{untouched, part}, led: true}
	require.True(t, q.leave(untouched))
	require.False(t, q.leave(part))
	require.Equal(t, []*ticket{part}, q.waiting)
}
