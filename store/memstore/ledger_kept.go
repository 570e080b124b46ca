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

// keys finds records by key. A new key misses the processor's caches on its way
// through a map of Go's several times, here once; and of the shards only one at
// a time grows.
type keys struct {
	seed   maphash.Seed
	shards [256]shard
}

// shard is a hash table with linear probing. A slot is a part of the key's
// hash, which also says where it belongs, and an ID; zero is free.
type shard struct {
	slots []uint64 // a power of two of them, of which a third and more are free
	used  int
}

func newKeys() keys { return keys{seed: maphash.MakeSeed()} }

func (k *keys) of(key string) (s *shard, part uint32) {
	h := maphash.String(k.seed, key)
	return &k.shards[h>>56], uint32(h)
}

// add keeps the ID of a key that is not there yet.
func (k *keys) add(key string, id int64) {
	s, part := k.of(key)
	if 3*(s.used+1) > 2*len(s.slots) {
		old := s.slots
		s.slots = make([]uint64, max(8, 2*len(old)))
		for _, slot := range old {
			if slot != 0 {
				s.put(slot)
			}
		}
	}
	s.put(uint64(part)<<32 | uint64(id))
	s.used++
}

func (s *shard) put(slot uint64) {
	last := uint64(len(s.slots) - 1)
	at := slot >> 32 & last
	for s.slots[at] != 0 {
		at = (at + 1) & last
	}
	s.slots[at] = slot
}

// find returns the ID of the record with that key, 0 for none.
func (b *books) find(key string) int64 {
	s, part := b.keys.of(key)
	if s.used == 0 {
		return 0
	}
	last := uint32(len(s.slots) - 1)
	for at := part & last; ; at = (at + 1) & last {
		slot := s.slots[at]
		if slot == 0 {
			return 0
		}
		if id := int64(uint32(slot)); uint32(slot>>32) == part && b.kept(id).key == key {
			return id
		}
	}
}

// entry is a posting, without what its page says.
type entry struct {
	seq, id, amount, running, booked int64
	n                                int32
}

func (b *books) posting(account *ledger.Account, layer ledger.Layer, e *entry) ledger.Posting {
	return ledger.Posting{Account: account, Layer: layer, Seq: e.seq, N: int(e.n), ID: e.id, Amount: e.amount, Running: e.running, Booked: e.booked}
}
