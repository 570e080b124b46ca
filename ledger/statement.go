package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tender-go/payment/money"
)

// StatementQuery asks for the statement of an account.
type StatementQuery struct {
	Account string
	// From and To bound the date that a line counts at: [From, To). Zero for
	// no bound.
	From, To time.Time
	// After continues behind the Cursor of the page before; "" begins.
	After string
	// Limit of the page, 1 to 1000; 0 for 100.
	Limit int
}

// Statement is a page of an account: what was posted to it, in the order of
// the books. A reader that goes on with Cursor misses nothing.
type Statement struct {
	Account  string
	Type     Type
	Currency money.Currency
	Lines    []StatementLine
	// Cursor continues behind this page; it is set on every page, so that what
	// is posted later can be read later.
	Cursor string
	// More lines are there already.
	More bool
	// Unsealed counts the transactions on the account that have no number yet.
	// It is above zero only where nothing can be sealed (inside a transaction of
	// the host's) and for what was posted during the call; they follow on a
	// later page.
	Unsealed int
}

// StatementLine is one posting.
type StatementLine struct {
	// Seq is the gapless number of the transaction, ID and Key its names.
	Seq  int64
	ID   int64
	Key  string
	Kind Kind
	// Side and Amount, which is positive; Balance of the account after it, as
	// in Balance.Posted, in the order of the books.
	Side    Side
	Amount  money.Amount
	Balance money.Amount
	// Effective is the business date, Booked the one that it counts at, which
	// is later only for what came after its period was closed.
	Effective, Booked, Recorded time.Time
	Description                 string
	Metadata                    map[string]string
}

// Statement returns a page of an account's statement, after sealing what is
// there: only what has a number has its place in it. [ErrBusy]: another process
// held that up.
func (b *Book) Statement(ctx context.Context, q StatementQuery) (*Statement, error) {
	limit := q.Limit
	switch {
	case limit == 0:
		limit = 100
	case limit < 0 || limit > 1000:
		return nil, invalid("Limit", fmt.Sprintf("is %d", limit), "use 1 to 1000, or 0 for 100, and go on with After")
	}
	seq, n, err := parseCursor(q.After)
	if err != nil {
		return nil, err
	}
	spec, err := b.chart.anyCurrency(q.Account)
	if err != nil {
		return nil, err
	}
	from, err := boundary("From", q.From)
	if err != nil {
		return nil, err
	}
	to, err := boundary("To", q.To)
	if err != nil {
		return nil, err
	}
	if err := b.fresh(ctx); err != nil {
		return nil, err
	}
	var out *Statement
	err = b.backend.View(ctx, func(ctx context.Context, v View) error {
		a, err := v.Account(ctx, q.Account)
		if isNotFound(err) && spec.Currency != "" {
			a, err = &Account{Spec: spec}, nil // nothing was ever posted to it
		}
		if err != nil {
			return err
		}
		out = &Statement{Account: a.Path, Type: a.Type, Currency: a.Currency, Cursor: q.After}
		var page []Posting
		query := PostingQuery{Account: a, Layers: []Layer{Posted}, After: max(seq-1, 0), BookedFrom: from, BookedBefore: to}
		// The transaction that the page before ended in may have further lines.
		query.Limit = limit + 1 + n + 1
		if err := v.Postings(ctx, query, func(p Posting) error {
			if p.Seq > seq || p.N > n {
				page = append(page, p)
			}
			return nil
		}); err != nil {
			return err
		}
		if out.More = len(page) > limit; out.More {
			page = page[:limit]
		}
		last, err := v.Last(ctx)
		if err != nil {
			return err
		}
		if err := v.Unsealed(ctx, last, func(r *Record) error {
			if slices.ContainsFunc(r.Lines, func(l Line) bool { return l.Account.Path == a.Path && l.Layer == Posted }) {
				out.Unsealed++
			}
			return nil
		}); err != nil {
			return err
		}
		return out.fill(ctx, v, a, page)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Statement) fill(ctx context.Context, v View, a *Account, page []Posting) error {
	if len(page) == 0 {
		return nil
	}
	ids := make([]int64, 0, len(page))
	for _, p := range page {
		ids = append(ids, p.ID)
	}
	records, err := v.Records(ctx, sortedUnique(ids))
	if err != nil {
		return err
	}
	byID := make(map[int64]*Record, len(records))
	for _, r := range records {
		byID[r.ID] = r
	}
	sign := int64(a.Type.Normal())
	for _, p := range page {
		r := byID[p.ID]
		if r == nil {
			return fmt.Errorf("the record %d that is posted to %s is not in the journal: %w", p.ID, a.Path, ErrCorrupt)
		}
		l := StatementLine{Seq: p.Seq, ID: p.ID, Key: r.Key, Kind: r.Kind, Side: DebitSide, Amount: money.Of(p.Amount, a.Currency),
			Balance: money.Of(sign*p.Running, a.Currency), Effective: instant(r.Effective), Booked: instant(p.Booked), Recorded: instant(r.Recorded), Description: r.Description}
		if p.Amount < 0 {
			l.Side, l.Amount = CreditSide, money.Of(-p.Amount, a.Currency)
		}
		if l.Metadata, err = r.metadata(); err != nil {
			return err
		}
		s.Lines = append(s.Lines, l)
	}
	end := page[len(page)-1]
	s.Cursor = strconv.FormatInt(end.Seq, 10) + "." + strconv.Itoa(end.N)
	return nil
}

// metadata decodes what the record carries.
func (r *Record) metadata() (map[string]string, error) {
	if len(r.Metadata) == 0 {
		return nil, nil
	}
	var m map[string]string
	if err := json.Unmarshal(r.Metadata, &m); err != nil {
		return nil, fmt.Errorf("the metadata of record %d cannot be read: %w", r.ID, ErrCorrupt)
	}
	return m, nil
}

func parseCursor(s string) (seq int64, n int, err error) {
	if s == "" {
		return 0, -1, nil
	}
	a, b, ok := strings.Cut(s, ".")
	seq, e1 := strconv.ParseInt(a, 10, 64)
	n, e2 := strconv.Atoi(b)
	if !ok || e1 != nil || e2 != nil || seq < 0 || n < 0 || n > 4*maxEntries {
		return 0, 0, invalid("After", "is no cursor", "give the Cursor of the page before, unchanged")
	}
	return seq, n, nil
}

func sortBy[T any, K cmp.Ordered](list []T, key func(T) K) {
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// Found is a transaction of the journal, with what became of it.
type Found struct {
	Receipt Receipt
	// Seq is its gapless number, 0 while it is not sealed.
	Seq         int64
	Entries     []FoundEntry
	Description string
	Metadata    map[string]string
	ExpiresAt   time.Time
	// Of is the key of what it settles, ends or takes back.
	Of string
	// Parts are what settled, ended or took it back, in order.
	Parts []Receipt
	// Ended: of a pending transaction nothing is held any more; what was
	// posted is reversed in whole.
	Ended bool
}

// FoundEntry is a line of the journal.
type FoundEntry struct {
	Account string
	Layer   Layer
	// Amount is positive for posted debits, negative for posted credits, and
	// on the held layers positive for what is held and negative for what is
	// released.
	Amount money.Amount
}

// Find returns what was recorded under a key, or an error of kind ErrNotFound.
func (b *Book) Find(ctx context.Context, key string) (*Found, error) {
	var out *Found
	err := b.backend.View(ctx, func(ctx context.Context, v View) error {
		r, err := v.Keyed(ctx, key)
		if err != nil {
			if isNotFound(err) {
				return &Error{Kind: ErrNotFound, Key: key, Problem: "is not in the journal", Remedy: "nothing was recorded under this key"}
			}
			return err
		}
		out = &Found{Receipt: r.receipt(false), Description: r.Description, ExpiresAt: instant(r.Expires)}
		if out.Metadata, err = r.metadata(); err != nil {
			return err
		}
		for _, l := range r.Lines {
			out.Entries = append(out.Entries, FoundEntry{l.Account.Path, l.Layer, money.Of(l.Amount, l.Account.Currency)})
		}
		block, err := v.BlockOf(ctx, r.ID)
		if err != nil {
			return err
		}
		if i := slices.Index(block.IDs, r.ID); i >= 0 {
			out.Seq = block.First + int64(i)
		}
		return out.relations(ctx, v, r)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (f *Found) relations(ctx context.Context, v View, r *Record) error {
	if r.Of != 0 {
		of, err := v.Records(ctx, []int64{r.Of})
		if err != nil {
			return err
		}
		if len(of) == 1 {
			f.Of = of[0].Key
		}
	}
	parts, err := v.Parts(ctx, []int64{r.ID})
	for _, p := range parts {
		f.Parts = append(f.Parts, p.receipt(false))
		f.Ended = f.Ended || p.Final
	}
	return err
}
