package memstore

import (
	"hash/maphash"

	"github.com/tender-go/payment/ledger"
)

// Books in memory grow to millions of records. What is kept of them holds
// hardly a pointer, or the garbage collector would walk through all of them
// again and again: half of the time of a post went into that.

// kept is a record of the journal; its ID is its place.
type kept struct {
	key                              string
	recorded, effective, expires, of int64
	fingerprint                      ledger.Fingerprint
	lines                            [2]line
	part, count                      int32 // count of lines
	kind                             ledger.Kind
	final                            bool
	more                             *rest // nil for nearly all
}

// line is a ledger.Line.
type line struct {
	amount  int64
	account int32
	layer   ledger.Layer
}

// rest is what few records have.
type rest struct {
	lines       []line // from the third
	description string
	metadata    []byte
}

func keep(r *ledger.Record) kept {
	k := kept{key: r.Key, recorded: r.Recorded, effective: r.Effective, expires: r.Expires, of: r.Of, fingerprint: r.Fingerprint,
		part: int32(r.Part), count: int32(len(r.Lines)), kind: r.Kind, final: r.Final}
	if len(r.Lines) > len(k.lines) || r.Description != "" || r.Metadata != nil {
		k.more = &rest{description: r.Description, metadata: r.Metadata}
	}
	for i := range r.Lines {
		l := line{amount: r.Lines[i].Amount, account: int32(r.Lines[i].Account.ID), layer: r.Lines[i].Layer}
		if i < len(k.lines) {
			k.lines[i] = l
		} else {
			k.more.lines = append(k.more.lines, l)
		}
	}
	return k
}

// record returns the record with that ID.
func (b *books) record(id int64) *ledger.Record {
	k := b.kept(id)
	r := &ledger.Record{ID: id, Kind: k.kind, Key: k.key, Fingerprint: k.fingerprint, Recorded: k.recorded, Effective: k.effective,
		Expires: k.expires, Of: k.of, Part: int(k.part), Final: k.final}
	if k.count > 0 {
		r.Lines = make([]ledger.Line, k.count)
	}
	for i := range r.Lines {
		l := &k.lines[i&1]
		if i >= len(k.lines) {
			l = &k.more.lines[i-len(k.lines)]
		}
		r.Lines[i] = ledger.Line{Account: b.accounts[l.account-1], Layer: l.layer, Amount: l.amount}
	}
	if k.more != nil {
		r.Description, r.Metadata = k.more.description, k.more.metadata
	}
	return r
}

// chunk is how many records stand together: what stands is never moved.
const chunk = 1024

// journal holds the records.
type journal struct {
	chunks [][]kept
	count  int64
}

func (j *journal) add(r *ledger.Record) {
	if j.count%chunk == 0 {
		j.chunks = append(j.chunks, make([]kept, 0, chunk))
	}
	last := &j.chunks[len(j.chunks)-1]
	*last = append(*last, keep(r))
	j.count++
}

func (j *journal) kept(id int64) *kept { return &j.chunks[(id-1)/chunk][(id-1)%chunk] }

// keys finds records by key, through a hash of it.
type keys struct {
	seed  maphash.Seed
	first map[uint64]int32
	other map[string]int32 // whose hash another has
}

func newKeys() keys { return keys{seed: maphash.MakeSeed(), first: map[uint64]int32{}} }

func (k *keys) add(key string, id int64) {
	h := maphash.String(k.seed, key)
	if _, taken := k.first[h]; !taken {
		k.first[h] = int32(id)
		return
	}
	if k.other == nil {
		k.other = map[string]int32{}
	}
	k.other[key] = int32(id)
}

// find returns the ID of the record with that key, 0 for none.
func (b *books) find(key string) int64 {
	id, ok := b.keys.first[maphash.String(b.keys.seed, key)]
	switch {
	case !ok:
		return 0
	case b.kept(int64(id)).key == key:
		return int64(id)
	}
	return int64(b.keys.other[key])
}

// entry is a posting, without what its page says.
type entry struct {
	seq, id, amount, running, booked int64
	n                                int32
}

func (b *books) posting(account *ledger.Account, layer ledger.Layer, e *entry) ledger.Posting {
	return ledger.Posting{Account: account, Layer: layer, Seq: e.seq, N: int(e.n), ID: e.id, Amount: e.amount, Running: e.running, Booked: e.booked}
}
