package ledger

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tender-go/payment/money"
)

// sealCheck follows the blocks and hashes every record again.
type sealCheck struct {
	chain  *chain
	known  bool  // the hash before the next block
	next   int64 // number of the next record; 0 if a block could not be read
	sealed int64
	closed int64
	last   Block // newest that could be read
	named  bool  // the exported head was met

	// Of the block at hand.
	book   Block // Closed moves on by its records
	wrong  int   // first record that does not fit its mark; -1 for none
	name   Problem
	lost   bool // not all of it can be hashed
	marked bool // it has a mark for each record
}

func (s *sealCheck) init() { s.chain, s.known, s.next = newChain(Hash{}), true, 1 }

// begin takes a block.
func (v *verifier) begin(b *Block, broken error) {
	s := &v.seal
	s.book, s.wrong, s.lost = Block{Closed: s.closed}, -1, !s.known
	if broken != nil {
		v.add(Problem{Table: TableBlocks, Seq: b.First, What: "cannot be read: " + oneLine(broken)})
		return
	}
	v.report.Blocks++
	bad := func(format string, args ...any) {
		v.add(Problem{Table: TableBlocks, Seq: b.First, What: fmt.Sprintf(format, args...)})
	}
	switch {
	case s.next == 0 || b.First == s.next:
	case b.First > s.next:
		bad("begins at %d, and the numbers %d to %d are in no block: what sealed them was removed or changed", b.First, s.next, b.First-1)
		s.lost = true
	default:
		bad("begins at %d, and the block before ended at %d", b.First, s.next-1)
		s.lost = true
	}
	if b.First > s.next {
		s.book.Closed = max(s.closed, b.Closed) // closings may have been in what is not there
	}
	if len(b.IDs) == 0 {
		bad("seals no record")
	}
	if s.marked = len(b.Marks) == 8*len(b.IDs); !s.marked {
		bad("has %d bytes of marks for %d records", len(b.Marks), len(b.IDs))
	}
	if b.Sealed < s.sealed {
		bad("is sealed at %s, before the one before it (%s)", dated(b.Sealed), dated(s.sealed))
	} else if b.Sealed < firstInstant || b.Sealed > lastInstant {
		bad("is sealed outside the years 1970 to 9999")
	}
	s.sealed = max(s.sealed, min(b.Sealed, lastInstant))
	if i := firstUnsorted(b.IDs); i >= 0 {
		v.add(Problem{Table: TableBlocks, ID: b.IDs[i], Seq: b.First + int64(i), What: "does not list its records by ID"})
	}
	if !s.lost {
		s.chain.block(b)
	}
}

func firstUnsorted(ids []int64) int {
	for i := 1; i < len(ids); i++ {
		if ids[i] <= ids[i-1] {
			return i
		}
	}
	return -1
}

// sealed takes a sealed record.
func (v *verifier) sealed(st step) {
	s := &v.seal
	v.report.Records++
	v.highest = max(v.highest, st.id)
	r := st.record
	switch {
	case st.broken != nil:
		v.add(Problem{Table: TableJournal, ID: st.id, Seq: st.seq, What: "cannot be read: " + oneLine(st.broken)})
	case r == nil:
		v.add(Problem{Table: TableJournal, ID: st.id, Seq: st.seq, What: "is sealed, and is not in the journal"})
	case st.twice:
		v.add(Problem{Table: TableBlocks, ID: st.id, Seq: st.seq, What: "is sealed a second time"})
	}
	if r == nil {
		s.lost = true
		v.loseSeq(st.seq)
		return
	}
	v.rules(r, st.seq)
	v.note(r, st.seq)
	if !s.lost {
		s.chain.record(r)
		if s.marked && s.wrong < 0 && !bytes.Equal(s.chain.at[:8], st.block.Marks[8*st.i:8*st.i+8]) {
			s.wrong = st.i
			s.name = Problem{ID: r.ID, Seq: st.seq, What: accountsIn(r)}
		}
	}
	p := Posting{Seq: st.seq, ID: r.ID, Booked: s.book.book(r)}
	for n := range r.Lines {
		l := &r.Lines[n]
		t := v.tallyOf(l.Account)
		t.over = !t.sealed.Add(l.Layer, l.Amount) || t.over
		t.count(r, l)
		p.Layer, p.N, p.Amount, p.Running = l.Layer, n, l.Amount, t.sealed.Of(l.Layer)
		if l.Layer <= HeldCredit {
			t.pages[l.Layer].add(v.print(l.Account.ID, &p))
		}
	}
}

// maxLost bounds what is remembered of records that cannot be read.
const maxLost = 100_000

func (v *verifier) loseSeq(seq int64) {
	if len(v.lost) < maxLost {
		v.lost[seq] = true
	}
}

// accountsIn lists the accounts of a record, the first few.
func accountsIn(r *Record) string {
	var names []string
	for _, l := range r.Lines {
		if !slices.Contains(names, l.Account.Path) {
			names = append(names, l.Account.Path)
		}
		if len(names) == 8 {
			break
		}
	}
	return strings.Join(names, ", ")
}

// end closes a block.
func (v *verifier) end(b *Block, broken error) {
	s := &v.seal
	if broken != nil {
		s.next, s.known = 0, false
		return
	}
	if s.lost {
		s.chain.at = b.Head
		s.closed = b.Closed
	} else {
		v.hashed(b)
		if s.closed = s.book.Closed; s.closed != b.Closed {
			v.add(Problem{Table: TableBlocks, Seq: b.First, What: "says that all before " + dated(b.Closed) + " is closed, and by its records it is " + dated(s.closed)})
		}
	}
	s.known, s.next, s.last = true, b.Last()+1, *b
	if h := v.options.Head; h != nil && h.Seq == b.Last() && h.Seq > 0 {
		s.named = true
		if h.Hash != b.Head {
			v.add(Problem{Table: TableBlocks, Seq: b.First, What: fmt.Sprintf("has the head %s, and the exported one for number %d is %s: the books up to here are not those it was taken from",
				short(b.Head), h.Seq, short(h.Hash))})
		}
	}
}

// hashed names what in a block does not fit its hashes, and goes on from its
// stored head where the fault would run through all that follows.
func (v *verifier) hashed(b *Block) {
	s := &v.seal
	fits := s.chain.at == b.Head
	p := s.name
	switch {
	case s.wrong < 0 && fits:
		return
	case s.wrong < 0 && s.marked:
		// The next block tells: it follows from what is right.
		v.add(Problem{Table: TableBlocks, Seq: b.First, What: "has the head " + short(b.Head) + ", and its records hash to " + short(s.chain.at)})
		return
	case s.wrong >= 0 && fits:
		v.add(Problem{Table: TableBlocks, Seq: p.Seq, ID: p.ID, What: "has another mark for this record than its hash, which is right"})
		return
	case s.wrong < 0 || s.wrong == 0:
		p.Table, p.Seq = TableBlocks, b.First
		p.What = "does not hash to its marks: its own row, or its first record, is not what was sealed" + among(p.What)
	default:
		p.Table = TableJournal
		p.What = "does not hash to its mark: it is not what was sealed" + among(p.What)
	}
	v.add(p)
	s.chain.at = b.Head
}

func among(accounts string) string {
	if accounts == "" {
		return ""
	}
	return ", or an account of its lines is not (" + accounts + ")"
}

func short(h Hash) string { return hex.EncodeToString(h[:8]) + "..." }

// heads compares the end of the books with the exported head.
func (v *verifier) heads() {
	last := &v.seal.last
	v.report.Head = Head{Seq: last.Last(), Hash: last.Head, Sealed: instant(last.Sealed)}
	h := v.options.Head
	switch {
	case h == nil || h.Seq == 0 || v.seal.named:
	case h.Seq > last.Last():
		v.add(Problem{Table: TableBlocks, Seq: last.First, What: fmt.Sprintf("is the last and ends at number %d, and the exported head is of number %d: the tail was cut off", last.Last(), h.Seq)})
	default:
		v.add(Problem{Table: TableBlocks, What: fmt.Sprintf("no block ends at number %d, of which the exported head is: the seals were made anew", h.Seq)})
	}
}

// unsealed checks that the sealer will find what has no number.
func (v *verifier) unsealed(ctx context.Context) error {
	if v.seal.next == 0 {
		return nil // where it looks on stands in a block that cannot be read
	}
	found := map[int64]bool{}
	above := int64(0)
	err := v.view.Unsealed(ctx, v.seal.last, func(r *Record) error {
		if r.ID <= v.highest {
			found[r.ID] = true
		} else {
			above++
		}
		return nil
	})
	if err != nil {
		return v.readable(TableJournal, err)
	}
	from, n := int64(0), 0 // rows that follow each other are told as one
	tell := func() {
		switch {
		case n == 1:
			v.add(Problem{Table: TableJournal, ID: from, What: "is in no block, and the sealer does not look for it any more"})
		case n > 1:
			v.add(Problem{Table: TableJournal, ID: from, What: fmt.Sprintf("and the %d records after it are in no block, and the sealer does not look for them any more", n-1)})
		}
		n = 0
	}
	for _, id := range v.low {
		if found[id] {
			delete(found, id)
			continue
		}
		if n > 0 && id != from+int64(n) {
			tell()
		}
		if n == 0 {
			from = id
		}
		n++
	}
	tell()
	for _, id := range slices.Sorted(maps.Keys(found)) {
		v.add(Problem{Table: TableBlocks, ID: id, What: "is sealed, and the sealer would seal it again"})
	}
	if above != v.high {
		v.add(Problem{Table: TableJournal, What: fmt.Sprintf("%d records come after the last block, and the sealer finds %d", v.high, above)})
	}
	return nil
}

// closing compares the end of the closed time with the closings.
func (v *verifier) closing(ctx context.Context) error {
	closed, err := v.view.ClosedBefore(ctx)
	if err == nil && closed != v.closed {
		v.add(Problem{Table: TableJournal, What: "all before " + dated(closed) + " counts as closed, and by the closings in the journal it is " + dated(v.closed)})
	}
	return v.readable(TableJournal, err)
}

// sums checks that all accounts together come to zero.
func (v *verifier) sums() {
	type sum struct{ posted, held wide }
	sums := map[money.Currency]*sum{}
	for _, id := range slices.Sorted(maps.Keys(v.accounts)) {
		t := v.accounts[id]
		s := sums[t.account.Currency]
		if s == nil {
			s = &sum{}
			sums[t.account.Currency] = s
		}
		s.posted.add(t.all.Posted)
		s.held.add(t.all.HeldDebit)
		s.held.sub(t.all.HeldCredit)
		if t.over {
			v.add(Problem{Table: TableJournal, Account: t.account.Path, What: "runs out of the range of 64 bits"})
		}
	}
	for _, c := range slices.Sorted(maps.Keys(sums)) {
		s := sums[c]
		if s.posted != (wide{}) {
			v.add(Problem{Table: TableJournal, What: "all accounts in " + string(c) + " together do not come to zero"})
		}
		if s.held != (wide{}) {
			v.add(Problem{Table: TableJournal, What: "what is held in " + string(c) + " is not as much on the debit as on the credit side"})
		}
	}
}
