//go:build unix

package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tender-go/payment/internal/crash"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/sqlstore"
)

// ledgerSubject holds what workers told against the books.
type ledgerSubject struct {
	dialect sqlstore.Dialect
	where   string
	tooth   string // what the workers do wrong, to see that it is found
	prefix  string // of keys, where there are several runs on one store
	every   int    // rounds between the thorough checks

	facts    map[string]*fact // by key
	fresh    []*fact          // told since the last check
	heads    []ledger.Head    // exported
	newHeads []ledger.Head
	holds    []hold // open ones, for the next worker
	prepared bool
	counts   counts
}

// fact is what was told of one change.
type fact struct {
	*change
	op   *operation
	life int
	// outcome is "" until it is answered.
	outcome outcome
	id      int64
}

// counts show that a run met what it is for.
type counts struct {
	Asked, Kept, Refused, Undone             int
	Busy, Failed, Unknown                    int // answers that were not final
	Doubted                                  int // answered as replayed, after a commit unknown
	Open, Whole, Absent                      int // at the kill: not answered; of these in the journal, and not
	AgainReplayed, AgainKept, AgainRefused   int // sent again after the kill
	Expired, Heads, Thorough, Sealed, Orders int
	SendingAgain, Finding, Proving           time.Duration
}

func (c counts) String() string {
	return fmt.Sprintf("%d changes asked: %d kept, %d refused, %d rolled back by the host; met %d busy, %d failed, %d commit unknown (of which %d turned out as recorded); open at a kill %d: %d whole, %d absent; sent again: %d replayed, %d kept, %d refused; %d holds expired by the book; %d heads exported; %d thorough checks; %d sealed, %d orders; finding %s, sending again %s, proving %s",
		c.Asked, c.Kept, c.Refused, c.Undone, c.Busy, c.Failed, c.Unknown, c.Doubted, c.Open, c.Whole, c.Absent, c.AgainReplayed, c.AgainKept, c.AgainRefused, c.Expired, c.Heads, c.Thorough, c.Sealed, c.Orders,
		c.Finding.Round(time.Millisecond), c.SendingAgain.Round(time.Millisecond), c.Proving.Round(time.Millisecond))
}

// prepare makes the tables, and gives the shops something to sell.
func (s *ledgerSubject) prepare(ctx context.Context) error {
	s.facts = map[string]*fact{}
	b, err := openBooks(ctx, s.dialect, s.where)
	if err != nil {
		return err
	}
	defer b.store.Close()
	if _, err := b.store.DB().ExecContext(ctx, ordersTable); err != nil {
		return err
	}
	for _, c := range []money.Currency{money.EUR, money.USD} {
		for n := range shops {
			op := &operation{Shape: single, Changes: []*change{{Key: fmt.Sprintf("fund-%d-%s", n, c), Kind: "post", Currency: c,
				Legs: []leg{{world(c), funded}, {shop(n, c), -funded}}}}}
			op.ID = op.Changes[0].Key
			s.asked(0, op)
			answers, err := b.perform(ctx, op)
			if err == nil {
				err = s.answered(answers)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Job implements crash.Subject.
func (s *ledgerSubject) Job(int) crash.Job {
	holds, _ := json.Marshal(s.holds[max(0, len(s.holds)-40):])
	return crash.Job{Work: "ledger", Args: map[string]string{"dialect": string(s.dialect), "where": s.where, "holds": string(holds), "tooth": s.tooth, "prefix": s.prefix}}
}

// Hear implements crash.Subject.
func (s *ledgerSubject) Hear(l crash.Line) error {
	switch l.Word {
	case "ask":
		op := &operation{}
		if err := json.Unmarshal(l.Body, op); err != nil {
			return err
		}
		return s.asked(l.Life, op)
	case "answer":
		var answers []answer
		if err := json.Unmarshal(l.Body, &answers); err != nil {
			return err
		}
		for _, a := range answers {
			if a.Replayed {
				s.counts.Doubted++
			}
		}
		return s.answered(answers)
	case "met":
		var answers []answer
		if err := json.Unmarshal(l.Body, &answers); err != nil {
			return err
		}
		for _, a := range answers {
			switch a.Outcome {
			case busy:
				s.counts.Busy++
			case failed:
				s.counts.Failed++
			default:
				s.counts.Unknown++
			}
		}
		return nil
	case "head":
		var text string
		if err := json.Unmarshal(l.Body, &text); err != nil {
			return err
		}
		h, err := ledger.ParseHead(text)
		if h.Seq > 0 {
			s.newHeads = append(s.newHeads, h)
		}
		return err
	}
	return fmt.Errorf("nobody knows the line %s", l)
}

func (s *ledgerSubject) asked(life int, op *operation) error {
	for _, c := range op.Changes {
		if s.facts[c.Key] != nil {
			return fmt.Errorf("the workload used the key %s twice", c.Key)
		}
		f := &fact{change: c, op: op, life: life}
		s.facts[c.Key] = f
		s.fresh = append(s.fresh, f)
		s.counts.Asked++
	}
	return nil
}

func (s *ledgerSubject) answered(answers []answer) error {
	for _, a := range answers {
		f := s.facts[a.Key]
		if f == nil || !a.Outcome.final() {
			return fmt.Errorf("an answer to nothing that was asked: %+v", a)
		}
		if f.outcome != "" && (f.outcome != a.Outcome || f.id != a.ID) {
			return crash.Findf(a.Key, "%s was answered %s with receipt %d and then %s with receipt %d", a.Key, f.outcome, f.id, a.Outcome, a.ID)
		}
		if f.outcome == "" {
			switch a.Outcome {
			case kept:
				s.counts.Kept++
			case refused:
				s.counts.Refused++
			case undone:
				s.counts.Undone++
			}
		}
		f.outcome, f.id = a.Outcome, a.ID
		if f.outcome == kept && f.Kind == "hold" {
			s.holds = append(s.holds, hold{f.Key, f.Currency})
		}
	}
	return nil
}

// Check implements crash.Subject.
func (s *ledgerSubject) Check(ctx context.Context, r crash.Round) error {
	b, err := openBooks(ctx, s.dialect, s.where)
	if err != nil {
		return fmt.Errorf("the store does not open after a kill: %w", err)
	}
	defer b.store.Close()
	if err := s.quiet(ctx, b); err != nil {
		return err
	}
	if err := s.checkFresh(ctx, b, r); err != nil {
		return err
	}
	s.counts.Heads += len(s.newHeads)
	s.heads = append(s.heads, s.newHeads...)
	if err := s.checkHeads(ctx, b, s.newHeads); err != nil {
		return err
	}
	s.newHeads = s.newHeads[:0]
	s.holds = slices.DeleteFunc(s.holds[max(0, len(s.holds)-400):], func(hold) bool { return r.Rand.IntN(8) == 0 })
	if r.Last || r.Number%s.every == 0 {
		began := time.Now()
		defer func() { s.counts.Proving += time.Since(began) }()
		s.counts.Thorough++
		return s.thorough(ctx, b, r)
	}
	return nil
}

// quiet waits until the server has noticed that the workers are dead: what
// they had sent may still be committed.
func (s *ledgerSubject) quiet(ctx context.Context, b books) error {
	if s.dialect != sqlstore.Postgres {
		return nil
	}
	for {
		var n int
		err := b.store.DB().QueryRowContext(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", workerName).Scan(&n)
		if err != nil || n == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d sessions of dead workers are still there: %w", n, ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// checkFresh holds what was told in this round against the journal, and sends
// again what was not answered.
func (s *ledgerSubject) checkFresh(ctx context.Context, b books, r crash.Round) error {
	began := time.Now()
	here := make(map[string]bool, len(s.fresh))
	var open []*operation
	for _, f := range s.fresh {
		found, err := find(ctx, b, f)
		if err != nil {
			return err
		}
		here[f.Key] = found
		switch {
		case f.outcome == kept && !found:
			return crash.Findf(f.Key, "%s was answered as recorded, with receipt %d, and is not in the journal", f.Key, f.id)
		case f.outcome == refused && found:
			return crash.Findf(f.Key, "%s was refused, and is in the journal", f.Key)
		case f.op.Shape == takeBack && found:
			return crash.Findf(f.Key, "%s was posted in a transaction that the host rolled back or never committed, and is in the journal", f.Key)
		case f.outcome != "":
			continue
		case !slices.Contains(r.Killed, f.life):
			return crash.Findf(f.Key, "%s was never answered, by a worker that was not killed", f.Key)
		}
		if len(open) == 0 || open[len(open)-1] != f.op {
			open = append(open, f.op)
		}
		s.counts.Open++
		if found {
			s.counts.Whole++
		} else {
			s.counts.Absent++
		}
	}
	for _, f := range s.fresh {
		if err := s.wholeGroup(f, here); err != nil {
			return err
		}
	}
	if err := s.checkOrders(ctx, b, here); err != nil {
		return err
	}
	s.counts.Finding += time.Since(began)
	began = time.Now()
	for _, op := range open {
		if err := s.sendAgain(ctx, b, op, here); err != nil {
			return err
		}
	}
	s.counts.SendingAgain += time.Since(began)
	s.fresh = s.fresh[:0]
	return nil
}

// find looks a change up by its key: it is there as it was asked, or absent.
func find(ctx context.Context, b books, f *fact) (bool, error) {
	got, err := b.Find(ctx, f.Key)
	if errors.Is(err, ledger.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if f.outcome == kept && got.Receipt.ID != f.id {
		return true, crash.Findf(f.Key, "%s was answered with receipt %d, and the journal has it as %d", f.Key, f.id, got.Receipt.ID)
	}
	if problem := f.differs(got); problem != "" {
		return true, crash.Findf(f.Key, "%s is in the journal, but %s: asked %+v, found %+v", f.Key, problem, *f.change, *got)
	}
	return true, nil
}

// differs says how a record is not what was asked, or not whole.
func (f *fact) differs(got *ledger.Found) string {
	type side struct {
		currency money.Currency
		layer    ledger.Layer
	}
	sums, debits := map[side]int64{}, int64(0)
	for _, e := range got.Entries {
		at, minor := side{e.Amount.Currency(), e.Layer}, e.Amount.Minor()
		if e.Layer == ledger.HeldCredit {
			at.layer, minor = ledger.HeldDebit, -minor
		}
		sums[at] += minor
		if e.Layer == ledger.Posted && minor > 0 {
			debits += minor
		}
	}
	for at, sum := range sums {
		if sum != 0 {
			return fmt.Sprintf("its %s entries in %s do not balance", at.layer, at.currency)
		}
	}
	kinds := map[string]ledger.Kind{"post": ledger.KindPost, "hold": ledger.KindHold, "settle": ledger.KindSettle, "void": ledger.KindVoid, "reverse": ledger.KindReversal, "close": ledger.KindClose}
	switch {
	case got.Receipt.Kind != kinds[f.Kind]:
		return "it is a " + got.Receipt.Kind.String()
	case got.Of != f.Of:
		return "it is of " + got.Of
	case f.Amount > 0 && debits != f.Amount:
		return fmt.Sprintf("it posts %d", debits)
	case len(f.Legs) == 0:
		return ""
	case len(got.Entries) != len(f.Legs) || got.Metadata["order"] != f.Key:
		return "something is missing"
	}
	for i, l := range f.Legs {
		layer, minor := ledger.Posted, l.Minor
		if f.Kind == "hold" {
			layer, minor = ledger.HeldDebit, max(minor, -minor)
			if l.Minor < 0 {
				layer = ledger.HeldCredit
			}
		}
		if e := got.Entries[i]; e.Account != l.Account || e.Layer != layer || e.Amount != money.Of(minor, f.Currency) {
			return fmt.Sprintf("entry %d is another", i)
		}
	}
	return ""
}

// wholeGroup checks that what belongs together is there together.
func (s *ledgerSubject) wholeGroup(f *fact, here map[string]bool) error {
	if f.op.Shape != together || f.op.Changes[0] != f.change {
		return nil
	}
	for _, c := range f.op.Changes {
		if here[c.Key] != here[f.Key] {
			return &crash.Finding{About: []string{f.op.ID}, Rule: fmt.Sprintf("the group %s is half there: %s is in the journal: %t, %s: %t", f.op.ID, f.Key, here[f.Key], c.Key, here[c.Key])}
		}
		if other := s.facts[c.Key]; other.outcome != f.outcome {
			return crash.Findf(f.op.ID, "the group %s was answered in halves: %s %q, %s %q", f.op.ID, f.Key, f.outcome, c.Key, other.outcome)
		}
	}
	return nil
}

// checkOrders checks that a host's row is there with its record, or neither.
func (s *ledgerSubject) checkOrders(ctx context.Context, b books, here map[string]bool) error {
	orders, err := readOrders(ctx, b)
	if err != nil {
		return err
	}
	for _, f := range s.fresh {
		if f.op.Shape != host && f.op.Shape != takeBack {
			continue
		}
		if minor, ordered := orders[f.Key]; ordered != here[f.Key] || ordered && minor != f.Legs[0].Minor {
			return crash.Findf(f.Key, "%s: the host's order is there: %t (%d), and its posting: %t, though they were one commit", f.Key, ordered, minor, here[f.Key])
		}
	}
	return nil
}

func readOrders(ctx context.Context, b books) (map[string]int64, error) {
	orders := map[string]int64{}
	err := b.rows(ctx, "SELECT key, minor FROM crash_orders", func(scan func(...any) error) error {
		var key string
		var minor int64
		err := scan(&key, &minor)
		orders[key] = minor
		return err
	})
	return orders, err
}

// rows reads rows past the library.
func (b books) rows(ctx context.Context, text string, each func(scan func(...any) error) error, args ...any) error {
	rows, err := b.store.DB().QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// sendAgain asks with the same keys for what was not answered.
func (s *ledgerSubject) sendAgain(ctx context.Context, b books, op *operation, here map[string]bool) error {
	left := *op
	left.Linger = 0
	if op.Shape == all { // some of a batch may have been answered
		left.Changes = slices.DeleteFunc(slices.Clone(op.Changes), func(c *change) bool { return s.facts[c.Key].outcome != "" })
	}
	answers, err := b.perform(ctx, &left)
	if err != nil {
		return crash.Findf(op.ID, "%s is sent again after the kill: %v", op.ID, err)
	}
	for _, a := range answers {
		switch {
		case !a.Outcome.final():
			return crash.Findf(a.Key, "%s is sent again with nobody else at work, and answered %s: %s", a.Key, a.Outcome, a.Error)
		case a.Outcome == refused && here[a.Key]:
			return crash.Findf(a.Key, "%s is in the journal, and is refused when it is sent again: %s", a.Key, a.Error)
		case a.Outcome == kept && a.Replayed != here[a.Key]:
			return crash.Findf(a.Key, "%s was in the journal: %t, and when it is sent again the receipt says replayed: %t", a.Key, here[a.Key], a.Replayed)
		case a.Outcome == refused:
			s.counts.AgainRefused++
		case a.Replayed:
			s.counts.AgainReplayed++
		case a.Outcome == kept:
			s.counts.AgainKept++
		}
	}
	return s.answered(answers)
}
