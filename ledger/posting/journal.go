package posting

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// This file reads what was posted for a payment before.

// posted is one transaction as it is in the journal, or is about to be.
type posted struct {
	key    string
	id     int64
	amount string // that it was booked with: see metadata
	lines  []line
	undone bool
	// left of a hold, nil once it has ended.
	left []line
}

// line is an entry: minor units, positive for debits.
type line struct {
	path  string
	minor int64
}

// debits adds the debit side up.
func debits(lines []line) int64 {
	var n int64
	for _, l := range lines {
		n += max(0, l.minor)
	}
	return n
}

// journal is what was read, by key; nil for a key that is not there.
type journal map[string]*posted

// current returns what is in force of a stage, nil for nothing, and the number
// that its next posting has.
func (j journal) current(operation string, s Stage) (now *posted, next int) {
	for n := 1; ; n++ {
		r := j[Key(operation, s, n)]
		if r == nil {
			return nil, n
		}
		if (isHold(s) && r.left != nil) || (!isHold(s) && !r.undone) {
			return r, n + 1
		}
	}
}

func isHold(s Stage) bool { return s == Held || s == HeldOverpaid }

// series is a stage of an operation, of which it is not known how often it was
// posted.
type series struct {
	operation string
	stage     Stage
	n         int // the posting that is asked for
}

// reader is what reading needs: a ledger.Tx, or a View of it.
type reader interface {
	Keyed(ctx context.Context, keys []string) ([]*ledger.Record, error)
	Parts(ctx context.Context, of []int64) ([]*ledger.Record, error)
}

// maxPostings bounds how often a stage of one operation is posted anew.
const maxPostings = 1000

// read reads what is posted of the given stages. Usually one question is
// enough: the first posting of a stage is not there, or is in force.
func read(ctx context.Context, from reader, open []series) (journal, error) {
	j := journal{}
	for len(open) > 0 {
		var keys []string
		for _, s := range open {
			if key := Key(s.operation, s.stage, s.n); s.n <= maxPostings {
				keys = append(keys, key)
			}
		}
		found, err := from.Keyed(ctx, keys)
		if err != nil || len(found) == 0 {
			return j, err
		}
		for _, r := range found {
			j[r.Key] = postedOf(r)
		}
		if err := j.ends(ctx, from, open); err != nil {
			return nil, err
		}
		var more []series
		for _, s := range open {
			if r := j[Key(s.operation, s.stage, s.n)]; r != nil && (isHold(s.stage) && r.left == nil || !isHold(s.stage) && r.undone) {
				s.n++
				more = append(more, s)
			}
		}
		open = more
	}
	return j, nil
}

// ends reads what became of the records that were just found.
func (j journal) ends(ctx context.Context, from reader, open []series) error {
	var undone []string
	var holds []int64
	byID := map[int64]*posted{}
	for _, s := range open {
		switch r := j[Key(s.operation, s.stage, s.n)]; {
		case r == nil:
		case isHold(s.stage):
			holds = append(holds, r.id)
			byID[r.id] = r
		default:
			undone = append(undone, Undone(r.key))
		}
	}
	if len(undone) > 0 {
		found, err := from.Keyed(ctx, undone)
		if err != nil {
			return err
		}
		for _, r := range found {
			j[r.Key[:len(r.Key)-len(Undone(""))]].undone = true
		}
	}
	if len(holds) == 0 {
		return nil
	}
	parts, err := from.Parts(ctx, sorted(holds))
	if err != nil {
		return err
	}
	for _, p := range parts {
		hold := byID[p.Of]
		for _, l := range p.Lines {
			if l.Layer != ledger.Posted {
				hold.left = addTo(hold.left, line{l.Account.Path, signed(l)})
			}
		}
	}
	for _, p := range parts {
		if p.Final {
			byID[p.Of].left = nil
		}
	}
	return nil
}

// signed is a line's amount, positive on the debit side.
func signed(l ledger.Line) int64 {
	if l.Layer == ledger.HeldCredit {
		return -l.Amount
	}
	return l.Amount
}

// addTo adds to the line of the same account and side.
func addTo(lines []line, add line) []line {
	for i := range lines {
		if lines[i].path == add.path {
			lines[i].minor += add.minor
			return lines
		}
	}
	return append(lines, add)
}

func postedOf(r *ledger.Record) *posted {
	out := &posted{key: r.Key, id: r.ID}
	for _, l := range r.Lines {
		x := line{l.Account.Path, signed(l)}
		switch {
		case r.Kind == ledger.KindHold:
			out.left = append(out.left, x)
		case l.Layer == ledger.Posted:
			out.lines = append(out.lines, x)
		}
	}
	var meta map[string]string
	if json.Unmarshal(r.Metadata, &meta) == nil {
		out.amount = meta[metaAmount]
	}
	return out
}

// needed lists what has to be read to book a scope.
func needed(p *payment.Payment, s scope) []series {
	var out []series
	seen := map[series]bool{}
	ask := func(operation string, stages ...Stage) {
		for _, st := range stages {
			if x := (series{operation, st, 1}); !seen[x] {
				seen[x] = true
				out = append(out, x)
			}
		}
	}
	for _, o := range s.operations {
		for _, st := range stagesOf(o.Kind) {
			if (st == ProviderFee || st == DisputeFee) && o.Fee == (money.Amount{}) {
				continue // a fee that was told once is never forgotten
			}
			ask(o.ID, st)
		}
	}
	for _, o := range p.Operations { // what the pools are made of
		if st, _ := pooled(o); st != "" && mayBeBooked(o) && slices.Contains(s.pools, rootOf(p, o)) {
			ask(o.ID, st)
		}
	}
	for _, root := range s.roots {
		ask(root.ID, Held, HeldOverpaid)
	}
	return out
}
