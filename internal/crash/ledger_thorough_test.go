//go:build unix

package crash_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tender-go/payment/internal/crash"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/store/sqlstore"
)

// What is checked of the books as a whole.

// checkHeads checks that exported heads are where blocks of the chain end.
func (s *ledgerSubject) checkHeads(ctx context.Context, b books, heads []ledger.Head) error {
	if len(heads) == 0 {
		return nil
	}
	newest, err := b.Head(ctx) // it seals, so the blocks below are all there are
	if err != nil {
		return err
	}
	oldest := slices.MinFunc(heads, func(a, b ledger.Head) int { return int(a.Seq - b.Seq) })
	// A block does not say where it ends: the next one says where it begins.
	ends := map[int64]ledger.Hash{newest.Seq: newest.Hash}
	var before []byte
	err = b.rows(ctx, "SELECT first_seq, head FROM ledger_seals WHERE first_seq >= (SELECT max(first_seq) FROM ledger_seals WHERE first_seq <= "+b.marks(1)+") ORDER BY first_seq", func(scan func(...any) error) error {
		var first int64
		var head []byte
		if err := scan(&first, &head); err != nil {
			return err
		}
		if len(before) == len(ledger.Hash{}) {
			ends[first-1] = ledger.Hash(before)
		}
		before = head
		return nil
	}, oldest.Seq)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if hash, ok := ends[h.Seq]; !ok || hash != h.Hash {
			return &crash.Finding{About: []string{h.String()}, Rule: fmt.Sprintf("the head %s was exported, and the books do not go on from it: a block ends there: %t, with %x; they come to %d", h, ok, hash, newest.Seq)}
		}
	}
	return nil
}

// thorough checks the books as a whole.
func (s *ledgerSubject) thorough(ctx context.Context, b books, r crash.Round) error {
	if err := s.balanced(ctx, b, r.Rand); err != nil {
		return err
	}
	if err := s.checkHeads(ctx, b, s.heads); err != nil {
		return err
	}
	if err := s.checkJournal(ctx, b); err != nil {
		return err
	}
	return checkTotals(ctx, b)
}

// balanced checks that the trial balance foots and the books verify.
func (s *ledgerSubject) balanced(ctx context.Context, b books, chance *rand.Rand) error {
	trial, err := b.TrialBalance(ctx, ledger.AsOf{})
	if err != nil {
		return err
	}
	if !trial.Foots() {
		return &crash.Finding{Rule: fmt.Sprintf("the trial balance does not foot: %+v", trial.Sums)}
	}
	heads := []*ledger.Head{nil}
	if n := len(s.heads); n > 0 { // the newest, and one from long ago
		newest := slices.MaxFunc(s.heads, func(a, b ledger.Head) int { return int(a.Seq - b.Seq) })
		heads = []*ledger.Head{&newest, &s.heads[chance.IntN(n)]}
	}
	for _, head := range heads {
		report, err := b.Verify(ctx, ledger.VerifyOptions{Head: head})
		if err != nil {
			return err
		}
		if !report.OK() {
			return &crash.Finding{Rule: fmt.Sprintf("%s, against the head %v: %v", report, head, report.Problems)}
		}
		s.counts.Sealed = int(report.Records)
		s.heads = append(s.heads, report.Head)
	}
	return nil
}

// checkJournal reads the journal past the library: what was ever answered is
// there with its number, and nothing that nobody asked for.
func (s *ledgerSubject) checkJournal(ctx context.Context, b books) error {
	orders, err := readOrders(ctx, b)
	if err != nil {
		return err
	}
	s.counts.Orders, s.counts.Expired = len(orders), 0
	journal := make(map[string]int64, len(s.facts))
	err = b.rows(ctx, "SELECT key, id FROM ledger_journal", func(scan func(...any) error) error {
		var key string
		var id int64
		if err := scan(&key, &id); err != nil {
			return err
		}
		journal[key] = id
		if strings.HasPrefix(key, "expire:") {
			s.counts.Expired++
			return nil
		}
		f := s.facts[key]
		switch {
		case f == nil:
			return crash.Findf(key, "%s is in the journal, and nobody asked for it", key)
		case f.outcome != kept || f.id != id:
			return crash.Findf(key, "%s is in the journal as %d, and was answered %q with receipt %d", key, id, f.outcome, f.id)
		}
		if _, ordered := orders[key]; ordered != (f.op.Shape == host) {
			return crash.Findf(key, "%s is in the journal, and its order is there: %t", key, ordered)
		}
		delete(orders, key)
		return nil
	})
	if err != nil {
		return err
	}
	for key, f := range s.facts {
		if f.outcome == kept && journal[key] == 0 {
			return crash.Findf(key, "%s was answered as recorded in life %d, with receipt %d, and is no longer in the journal", key, f.life, f.id)
		}
	}
	if len(orders) > 0 {
		return &crash.Finding{About: slices.Collect(maps.Keys(orders)), Rule: fmt.Sprintf("%d orders have no posting, though they were one commit", len(orders))}
	}
	return nil
}

// checkTotals adds the pages of the accounts up past the library: they are what
// the totals of strict accounts say, and sum to zero.
func checkTotals(ctx context.Context, b books) error {
	if _, err := b.Seal(ctx); err != nil {
		return err
	}
	text := `SELECT a.path, p.posted, p.debit, p.credit, t.posted, t.debit, t.credit FROM ledger_accounts a
LEFT JOIN (SELECT account_id, sum(CASE layer WHEN 0 THEN amount ELSE 0 END) AS posted, sum(CASE layer WHEN 1 THEN amount ELSE 0 END) AS debit,
	sum(CASE layer WHEN 2 THEN amount ELSE 0 END) AS credit FROM ledger_postings GROUP BY account_id) p ON p.account_id = a.id
LEFT JOIN (SELECT account_id, sum(posted) AS posted, sum(held_debit) AS debit, sum(held_credit) AS credit FROM (
	SELECT account_id, posted, held_debit, held_credit FROM ledger_totals%s) x GROUP BY account_id) t ON t.account_id = a.id
WHERE a.mode = 1`
	raises := ""
	if b.store.Dialect() == sqlstore.Postgres {
		raises = " UNION ALL SELECT account_id, posted, held_debit, held_credit FROM ledger_raises"
	}
	return b.rows(ctx, fmt.Sprintf(text, raises), func(scan func(...any) error) error {
		var path string
		var pages, totals [3]*int64
		if err := scan(&path, &pages[0], &pages[1], &pages[2], &totals[0], &totals[1], &totals[2]); err != nil {
			return err
		}
		for i := range pages {
			if pages[i] == nil || totals[i] == nil || *pages[i] != *totals[i] {
				return crash.Findf(path, "%s comes to other amounts on its pages than in its totals: %s and %s", path, show(pages), show(totals))
			}
		}
		return nil
	})
}

func show(n [3]*int64) string {
	var words []string
	for _, v := range n {
		if v == nil {
			words = append(words, "nothing")
		} else {
			words = append(words, fmt.Sprint(*v))
		}
	}
	return strings.Join(words, " / ")
}
