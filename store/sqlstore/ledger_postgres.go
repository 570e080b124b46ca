package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/recovered"
	"github.com/tender-go/payment/ledger"
)

const (
	// uniquePatience is how long a transaction that serves many callers waits
	// for another that writes the same key. Whoever wrote it is tried alone
	// then.
	uniquePatience = "50ms"
	// lonePatience is the same for a lone post, and how long that waits for an
	// account: what is not free by then is tried step by step.
	lonePatience = "1ms"
	// conflictRuns is how often a batch is carried out again after a conflict.
	conflictRuns = 10
	// quickRuns is how often it is tried in one statement.
	quickRuns = 3
	// keyTaken is the state by which ledger_post says so.
	keyTaken = "LG001"
)

// carryPostgres carries requests out in one transaction: in one statement if
// that can decide all of them, else step by step.
func (s *Store) carryPostgres(ctx context.Context, requests []*ledger.Request) (aside []*ledger.Request, err error) {
	err = recovered.Call("the ledger's writer", func() error {
		aside, err = s.quick(ctx, requests)
		return err
	})
	return aside, err
}

// quick carries requests out by ledger_post. What it cannot decide goes on to
// stepwise.
func (s *Store) quick(ctx context.Context, requests []*ledger.Request) (aside []*ledger.Request, err error) {
	for range quickRuns {
		q, ok := ledger.NewQuick(requests, s.accounts.path)
		if !ok {
			if learned, err := s.learn(ctx, requests); err != nil || !learned {
				break
			}
			if q, ok = ledger.NewQuick(requests, s.accounts.path); !ok {
				break
			}
		}
		got, err := s.callQuick(ctx, q)
		if err != nil {
			if sqlState(err) == "" {
				return nil, err
			}
			break // nothing is written
		}
		switch got[0] {
		case 0:
			s.commits.Add(1)
			q.Written(got[1:])
			return aside, nil
		case 1:
			taken := make(map[int64]bool, len(got))
			for _, id := range got[1:] {
				taken[id] = true
			}
			var waiting []*ledger.Request
			if waiting, requests = q.Touching(taken); len(waiting) == 0 {
				break
			}
			aside = append(aside, waiting...)
			if len(requests) == 0 {
				return aside, nil
			}
			continue
		}
		break
	}
	more, err := s.stepwise(ctx, requests)
	return append(aside, more...), err
}

// callQuick carries a quick batch out in one statement, which is its own
// transaction. An error without a SQLSTATE says all; with one, nothing is
// written and the requests may go on step by step.
func (s *Store) callQuick(ctx context.Context, q *ledger.Quick) ([]int64, error) {
	// A connection first: if there is none, nothing was sent for certain.
	waiting, done := context.WithTimeout(ctx, s.options.BusyTimeout)
	conn, err := s.db.Conn(waiting)
	done()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, &ledgerError{ledger.ErrBusy, errors.New("no connection was free: raise SetMaxOpenConns")}
	case err != nil:
		return nil, &failure{err}
	}
	defer func() { _ = conn.Close() }() // back to the pool
	sending, done := context.WithTimeout(ctx, commitTimeout)
	defer done()
	var got []int64
	if len(q.Records) == 1 && len(q.Deltas) < len(s.sql.ledger.postOne) {
		got, err = s.callOne(sending, plain{conn}, q)
	} else {
		got, err = s.callPost(sending, plain{conn}, postQuick(q))
	}
	if err == nil {
		return got, nil
	}
	if state := sqlState(err); len(state) == 5 && state != "40003" {
		switch state[:2] {
		case "08", "57", "58", "XX": // the connection or the server broke, perhaps after the commit
		default:
			return nil, err
		}
	}
	// With the statement's answer that of its commit is lost. Without a
	// SQLSTATE: the cause is told in words.
	return nil, &ledgerError{ledger.ErrCommitUnknown, errors.New("payment: the database failed: " + err.Error())}
}

// callOne carries a lone post out, and answers like ledger_post.
func (s *Store) callOne(ctx context.Context, on querier, q *ledger.Quick) ([]int64, error) {
	// In one order for all, so that two that wait do so in a line.
	slices.SortFunc(q.Deltas, func(a, b ledger.QuickDelta) int { return cmp.Compare(a.Account.ID, b.Account.ID) })
	args := make([]any, 0, 28)
	for i := range q.Deltas {
		d := &q.Deltas[i]
		var least any
		if d.Asked {
			least = d.Least
		}
		args = append(args, d.Account.ID, d.Add.Posted, d.Add.HeldDebit, d.Add.HeldCredit, d.Taken, least, int64(d.Account.Type.Normal()), lonePatience)
	}
	r := q.Records[0]
	args = append(args, r.Key, r.Fingerprint[:], r.Recorded, ledger.AppendLines(nil, r.Lines), int64(r.Kind), effectiveOf(r), positive(r.Expires),
		filled(r.Description), filled(string(r.Metadata)), lonePatience, positive(q.Earliest))
	id, err := one(ctx, on, func(row row) (id int64, err error) { return id, row.Scan(&id) }, s.sql.ledger.postOne[len(q.Deltas)], args...)
	return []int64{0, id}, err
}

// learn reads accounts that are not remembered yet.
func (s *Store) learn(ctx context.Context, requests []*ledger.Request) (bool, error) {
	unknown := ledger.Paths(requests, func(path string) bool { return s.accounts.path(path) != nil })
	if len(unknown) == 0 {
		return false, nil
	}
	r := &reader{s: s, q: plain{s.db}}
	found, err := r.accountsBy(ctx, s.sql.ledger.accountsByPath, set(Postgres, unknown))
	if err != nil {
		return false, err
	}
	s.accounts.keep(found...)
	return len(found) == len(unknown), nil
}

// stepwise carries requests out in a transaction of several statements.
func (s *Store) stepwise(ctx context.Context, requests []*ledger.Request) (aside []*ledger.Request, err error) {
	// A dead network must not hold all callers for ever.
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	for run := 1; ; run++ {
		var again bool
		err, again = s.oncePostgres(ctx, func(ctx context.Context, t *tx) error {
			if _, err := t.q.exec(ctx, s.sql.ledger.patience, []any{uniquePatience}); err != nil {
				return err
			}
			l := t.ledger()
			l.shared = true
			var err error
			aside, err = ledger.Carry(ctx, l, requests)
			if errors.Is(err, ledger.ErrConflict) {
				return &storeError{payment.ErrConflict, err}
			}
			return err
		})
		if !again || run == conflictRuns {
			return aside, booksError(err)
		}
		time.Sleep(time.Duration(run) * time.Millisecond)
	}
}

// appendPostgres writes what a transaction of several statements decided.
func (l *ledgerTx) appendPostgres(ctx context.Context, records []*ledger.Record, deltas []ledger.Delta) error {
	got, err := l.t.s.callPost(ctx, l.t.q, postDecided(records, deltas))
	if sqlState(err) == keyTaken {
		return ledger.ErrConflict
	}
	if err != nil {
		return err
	}
	for i, r := range records {
		r.ID = got[1+i]
	}
	return nil
}

// callPost calls ledger_post.
func (s *Store) callPost(ctx context.Context, q querier, p *post) ([]int64, error) {
	text, err := one(ctx, q, func(r row) (answer string, err error) { return answer, r.Scan(&answer) }, s.sql.ledger.post, p.args()...)
	if err != nil {
		return nil, err
	}
	return parseNumbers(text)
}

// post collects the arguments of ledger_post.
type post struct {
	patience, earliest, held                                 any
	accounts, posted, debit, credit, taken, least            array
	must, sides                                              array
	keys, prints, recorded, lines, kinds, effective, expires array
	of, part, final, description, metadata                   array
	packed                                                   []byte
}

func (p *post) args() []any {
	args := []any{p.patience, p.earliest, p.held}
	for _, a := range []*array{&p.accounts, &p.posted, &p.debit, &p.credit, &p.taken, &p.must, &p.least, &p.sides,
		&p.keys, &p.prints, &p.recorded, &p.lines, &p.kinds, &p.effective, &p.expires, &p.of, &p.part, &p.final, &p.description, &p.metadata} {
		args = append(args, a.arg())
	}
	return args
}

func postQuick(q *ledger.Quick) *post {
	p := &post{patience: uniquePatience}
	if q.Earliest != 0 {
		p.earliest = q.Earliest
	}
	for i := range q.Deltas {
		d := &q.Deltas[i]
		p.delta(d.Account, d.Add, d.Taken)
		p.must.flag(d.Must)
		if d.Asked {
			p.least.number(d.Least)
		} else {
			p.least.null()
		}
		p.sides.number(int64(d.Account.Type.Normal()))
	}
	p.records(q.Records)
	return p
}

func postDecided(records []*ledger.Record, deltas []ledger.Delta) *post {
	p := &post{}
	var held array
	for i := range deltas {
		d := &deltas[i]
		p.delta(d.Account, d.Add, d.Taken)
		if d.Locked {
			held.number(d.Account.ID)
		}
	}
	p.held = held.String()
	p.records(records)
	return p
}

func (p *post) delta(a *ledger.Account, add ledger.Totals, taken int64) {
	p.accounts.number(a.ID)
	p.posted.number(add.Posted)
	p.debit.number(add.HeldDebit)
	p.credit.number(add.HeldCredit)
	p.taken.number(taken)
}

func (p *post) records(records []*ledger.Record) {
	optional := func(a *array, n int64) {
		if n == 0 {
			a.null()
		} else {
			a.number(n)
		}
	}
	words := func(a *array, s string) {
		if s == "" {
			a.null()
		} else {
			a.text(s)
		}
	}
	for _, r := range records {
		p.keys.text(r.Key)
		p.prints.bytes(r.Fingerprint[:])
		p.recorded.number(r.Recorded)
		p.packed = ledger.AppendLines(p.packed[:0], r.Lines)
		p.lines.bytes(p.packed)
		if r.Kind == ledger.KindPost {
			p.kinds.null()
		} else {
			p.kinds.number(int64(r.Kind))
		}
		if effectiveOf(r) == nil {
			p.effective.null()
		} else {
			p.effective.number(r.Effective)
		}
		optional(&p.expires, r.Expires)
		optional(&p.of, r.Of)
		optional(&p.part, int64(r.Part))
		if r.Final {
			p.final.flag(true)
		} else {
			p.final.null()
		}
		words(&p.description, r.Description)
		words(&p.metadata, string(r.Metadata))
	}
}

// parseNumbers reads an array of numbers as PostgreSQL writes it.
func parseNumbers(text string) ([]int64, error) {
	var numbers []int64
	n, negative, digits := int64(0), false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			n, digits = n*10+int64(c-'0'), true
		case c == '-':
			negative = true
		case digits:
			if negative {
				n = -n
			}
			numbers = append(numbers, n)
			n, negative, digits = 0, false, false
		}
	}
	if len(numbers) == 0 {
		return nil, &failure{fmt.Errorf("ledger_post answered %q", text)}
	}
	return numbers, nil
}
