package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// part is a record that draws on an earlier one.
type part struct{ of, id, seq int64 }

// partsPage is for how many records the parts are read at a time.
const partsPage = 200

// drawn checks the records of the page that draw on earlier ones, together
// with all that draws on the same.
func (v *verifier) drawn(ctx context.Context) error {
	slices.SortFunc(v.parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.of, b.of), cmp.Compare(a.id, b.id))
	})
	for from := 0; from < len(v.parts); {
		to := from
		var ofs []int64
		for to < len(v.parts) {
			if of := v.parts[to].of; len(ofs) == 0 || ofs[len(ofs)-1] != of {
				if len(ofs) == partsPage {
					break
				}
				ofs = append(ofs, of)
			}
			to++
		}
		if err := v.groups(ctx, ofs, v.parts[from:to]); err != nil {
			return err
		}
		from = to
	}
	v.parts = v.parts[:0]
	return nil
}

func (v *verifier) groups(ctx context.Context, ofs []int64, mine []part) error {
	earlier, err := recordsOf(ctx, v.view, ofs)
	if err != nil {
		return err
	}
	groups, err := v.partsOf(ctx, ofs)
	if err != nil {
		return err
	}
	for len(mine) > 0 {
		of := mine[0].of
		n := 1
		for n < len(mine) && mine[n].of == of {
			n++
		}
		v.group(of, earlier[of], groups[of], mine[:n])
		mine = mine[n:]
	}
	return nil
}

// partsOf reads what draws on records.
func (v *verifier) partsOf(ctx context.Context, ofs []int64) (map[int64][]*Record, error) {
	groups := make(map[int64][]*Record, len(ofs))
	list, err := v.view.Parts(ctx, ofs)
	if err == nil {
		for _, r := range list {
			groups[r.Of] = append(groups[r.Of], r)
		}
		return groups, nil
	}
	if !errors.Is(err, ErrCorrupt) {
		return nil, err
	}
	for _, of := range ofs {
		list, err := v.view.Parts(ctx, []int64{of})
		switch {
		case errors.Is(err, ErrCorrupt):
			v.add(Problem{Table: TableJournal, ID: of, What: "what draws on it cannot be read: " + oneLine(err)})
		case err != nil:
			return nil, err
		default:
			groups[of] = list
		}
	}
	return groups, nil
}

// group checks all that draws on one record, when the first of them by ID is
// among those of the page.
func (v *verifier) group(id int64, row *heldRow, parts []*Record, mine []part) {
	for _, m := range mine {
		if row == nil {
			v.add(Problem{Table: TableJournal, ID: m.id, Seq: m.seq, What: fmt.Sprintf("draws on record %d, which is not in the journal", id)})
		} else if len(parts) > 0 && !slices.ContainsFunc(parts, func(r *Record) bool { return r.ID == m.id }) {
			v.add(Problem{Table: TableJournal, ID: m.id, Seq: m.seq, What: fmt.Sprintf("is not found among what draws on record %d", id)})
		}
	}
	if row == nil || row.record == nil || len(parts) == 0 {
		return
	}
	first := slices.MinFunc(parts, func(a, b *Record) int { return cmp.Compare(a.ID, b.ID) })
	for _, m := range mine {
		if m.id == first.ID {
			v.draws(row.record, parts, m)
		}
	}
}

// draws follows what is left of a record.
func (v *verifier) draws(of *Record, parts []*Record, m part) {
	left := map[sideOf]int64{}
	hold := of.Kind == KindHold
	for i := range of.Lines {
		if s, amount := drawable(hold, &of.Lines[i]); s.account != 0 {
			left[s] += amount
		}
	}
	ended := int64(0)
	last := of.ID
	for i, p := range parts {
		bad := func(format string, args ...any) {
			seq := int64(0)
			if p.ID == m.id {
				seq = m.seq
			}
			v.add(Problem{Table: TableJournal, ID: p.ID, Seq: seq, What: fmt.Sprintf(format, args...)})
		}
		switch {
		case p.Part != i+1:
			bad("is part %d of record %d, and %d is the next", p.Part, of.ID, i+1)
		case p.ID <= last:
			bad("has a lower number than record %d, which comes before it", last)
		case ended != 0:
			bad("draws on record %d, of which nothing was left after record %d", of.ID, ended)
		case hold != (p.Kind != KindReversal) || of.Kind == KindVoid || of.Kind == KindExpire || of.Kind == KindClose:
			bad("is a %s of a %s (record %d)", p.Kind, of.Kind, of.ID)
		default:
			v.take(of, p, hold, left, bad)
		}
		last = max(last, p.ID)
		if p.Final {
			ended = p.ID
		}
	}
}

// sideOf is a side of an account.
type sideOf struct {
	account int64
	side    Side
}

// drawable says what a line offers to be drawn: of a hold what it holds, else
// what is posted. The zero sideOf is nothing.
func drawable(hold bool, l *Line) (sideOf, int64) {
	switch {
	case hold && l.Layer == HeldDebit:
		return sideOf{l.Account.ID, DebitSide}, l.Amount
	case hold && l.Layer == HeldCredit:
		return sideOf{l.Account.ID, CreditSide}, l.Amount
	case !hold && l.Layer == Posted && l.Amount > 0:
		return sideOf{l.Account.ID, DebitSide}, l.Amount
	case !hold && l.Layer == Posted:
		return sideOf{l.Account.ID, CreditSide}, -l.Amount
	}
	return sideOf{}, 0
}

// take checks that a part draws no more than is left, that a settlement posts
// what it releases, and that it is the last exactly when nothing is left.
func (v *verifier) take(of, p *Record, hold bool, left map[sideOf]int64, bad func(string, ...any)) {
	posts := map[sideOf]int64{}
	for i := range p.Lines {
		l := &p.Lines[i]
		var s sideOf
		var amount int64
		switch {
		case hold && l.Layer == Posted:
			s, amount = drawable(false, l)
			posts[s] += amount
			continue
		case hold:
			s, amount = drawable(true, &Line{l.Account, l.Layer, -l.Amount})
		default:
			s, amount = drawable(false, &Line{l.Account, l.Layer, -l.Amount})
		}
		posts[s] -= amount
		if left[s] -= amount; left[s] < 0 {
			bad("takes %d minor units more from %s on the %s side than record %d had left", -left[s], l.Account.Path, s.side, of.ID)
			left[s] = 0
		}
	}
	nothing := true
	for _, n := range left {
		nothing = nothing && n == 0
	}
	for _, s := range slices.SortedFunc(maps.Keys(posts), func(a, b sideOf) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(b.side, a.side))
	}) {
		n := posts[s]
		if p.Kind == KindSettle && (n > 0 || n < 0 && !p.Final) {
			bad("settles another amount on account %s, %s side, than it takes from the hold", numbered(s.account), s.side)
			break
		}
	}
	switch {
	case p.Final && !nothing:
		bad("is the last of what draws on record %d, and not all of that was drawn", of.ID)
	case !p.Final && nothing:
		bad("leaves nothing of record %d, and is not marked as the last", of.ID)
	}
}
