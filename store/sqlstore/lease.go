package sqlstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tender-go/payment"
)

type dueRow struct {
	id string
	at time.Time
}

// ClaimDue implements payment.Store. It is refused under a host's transaction:
// its leases would hang on the host's commit.
func (s *Store) ClaimDue(ctx context.Context, owner string, now, until time.Time, limit int) ([]string, error) {
	if within(ctx) != nil || hostOf(ctx) != nil {
		return nil, payment.ErrInTransaction
	}
	if limit <= 0 {
		return nil, ctx.Err()
	}
	at := s.dialect.instant(now)
	due, err := read(ctx, s, func(r *reader) (bool, error) { // most polls find nothing, and need no write lock for that
		return one(ctx, r.q, func(row row) (yes bool, err error) { return yes, row.Scan(flagInto{&yes}) }, s.sql.anyDue, at, at)
	})
	if err != nil || !due {
		return nil, err
	}
	var leased []dueRow
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		var err error
		leased, err = all(ctx, t.q, func(r row) (d dueRow, err error) { return d, r.Scan(text(&d.id), timeInto{&d.at}) },
			s.sql.claimDue, []any{at, at, int64(limit), escape(owner), s.dialect.instant(until)})
		_, err = rows(t, 0, err)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(leased, func(a, b dueRow) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	})
	ids := make([]string, len(leased))
	for i, d := range leased {
		ids[i] = d.id
	}
	return ids, nil
}

// ReleaseDue implements payment.Store.
func (s *Store) ReleaseDue(ctx context.Context, owner string, ids ...string) error {
	if within(ctx) != nil || hostOf(ctx) != nil {
		return payment.ErrInTransaction
	}
	if len(ids) == 0 {
		return ctx.Err()
	}
	sorted := slices.Sorted(slices.Values(ids)) // one order for all: no deadlock
	return s.update(ctx, func(ctx context.Context, t *tx) error {
		for _, id := range sorted {
			if _, err := t.q.exec(ctx, s.sql.releaseDue, []any{escape(id), escape(owner)}); err != nil {
				return err
			}
		}
		return nil
	})
}
