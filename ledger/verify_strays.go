package ledger

import (
	"context"
	"slices"
)

// maxStrays bounds how many postings of a page are looked up in the journal
// because no sealed record has such a line.
const maxStrays = walkPage

// stray takes a posting that no sealed record has.
func (m *merge) stray(p *Posting) {
	unblocked := m.l.unblocked(p.Seq)
	if unblocked && p.Layer <= HeldCredit {
		m.a.adopt[p.Layer] = true // its record counts, though nothing says under which number
	}
	switch {
	case len(m.strays) < maxStrays:
		m.strays = append(m.strays, *p)
	case unblocked:
		m.a.found++ // the block is named
	default:
		m.bad(p, "is a line that no record under this number has")
	}
}

// unblocked reports whether a number is in no block that can be read: Verify
// has named the place where one is missing.
func (l *locator) unblocked(seq int64) bool {
	return seq > l.last || slices.ContainsFunc(l.gaps, func(g [2]int64) bool { return g[0] <= seq && seq <= g[1] })
}

// strays says of each stray posting what is wrong with it. Those whose number
// has lost its block, and that are what their record says, are as they were:
// the block is named, and they are not.
func (l *locator) strays(ctx context.Context, m *merge) error {
	if len(m.strays) == 0 {
		return nil
	}
	ids := make([]int64, len(m.strays))
	for i := range m.strays {
		ids[i] = m.strays[i].ID
	}
	found, err := recordsOf(ctx, l.v.view, sortedUnique(ids))
	if err != nil {
		return err
	}
	for i := range m.strays {
		p := &m.strays[i]
		row, unblocked, unsealed := found[p.ID], l.unblocked(p.Seq), l.unsealed(p.ID)
		switch {
		case row == nil:
			m.bad(p, "is of a record that is not in the journal")
		case unblocked && unsealed && (row.record == nil || hasLine(row.record, m.a.account, p)):
			m.a.found++
		case row.record == nil:
			m.bad(p, "is of a record that cannot be read")
		case unblocked && unsealed:
			m.bad(p, "is not what the record says, which is in the journal without a seal")
		case unsealed:
			m.bad(p, "is of a record that is in the journal without a seal, and the number is another's")
		default:
			m.bad(p, "is a line that the record, which is in the journal, does not have under this number")
		}
	}
	return nil
}

// unsealed reports whether a record of the journal is in no block.
func (l *locator) unsealed(id int64) bool {
	if l.low == nil {
		l.low = make(map[int64]bool, len(l.v.low))
		for _, id := range l.v.low {
			l.low[id] = true
		}
	}
	return id > l.v.highest || l.low[id]
}

func hasLine(r *Record, a *Account, p *Posting) bool {
	return p.N >= 0 && p.N < len(r.Lines) && r.Lines[p.N].Account.ID == a.ID && r.Lines[p.N].Layer == p.Layer && r.Lines[p.N].Amount == p.Amount
}
