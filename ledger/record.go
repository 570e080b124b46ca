package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"
)

// Kind says what a record of the journal does.
type Kind uint8

// The kinds.
const (
	KindPost     Kind = 1
	KindHold     Kind = 2
	KindSettle   Kind = 3
	KindVoid     Kind = 4
	KindExpire   Kind = 5
	KindReversal Kind = 6
	KindClose    Kind = 7
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case KindPost:
		return "post"
	case KindHold:
		return "hold"
	case KindSettle:
		return "settle"
	case KindVoid:
		return "void"
	case KindExpire:
		return "expire"
	case KindReversal:
		return "reversal"
	case KindClose:
		return "close"
	}
	return "no kind"
}

// Line is what a record does to one account.
type Line struct {
	Account *Account
	Layer   Layer
	// Amount in minor units; see Layer for its sign.
	Amount int64
}

// Record is one row of the journal, as stores keep it. Instants are
// microseconds since 1970, UTC; 0 is none.
type Record struct {
	// ID is given by the store when the record is appended, after all locks
	// were taken: of two records of which one could see the other, the later
	// has the higher.
	ID   int64
	Kind Kind
	Key  string
	// Fingerprint of what was asked for under the key.
	Fingerprint Fingerprint
	Recorded    int64
	// Effective is the business date; for KindClose the instant before which
	// all is closed.
	Effective int64
	Expires   int64
	// Of is the ID of the record that it settles, ends or takes back, 0 for
	// none; Part its number among those, from 1, which makes it unique.
	Of   int64
	Part int
	// Final: nothing of the hold is left.
	Final       bool
	Lines       []Line
	Description string
	// Metadata as JSON with sorted keys; nil for none.
	Metadata []byte
}

// Fingerprint is the first half of the SHA-256 of a request.
type Fingerprint [16]byte

// Hash is a SHA-256.
type Hash [sha256.Size]byte

func (r *Record) receipt(replayed bool) Receipt {
	return Receipt{Key: r.Key, ID: r.ID, Kind: r.Kind, Recorded: instant(r.Recorded), Effective: instant(r.Effective), Replayed: replayed}
}

// instant is the time of a number of microseconds.
func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// micros is the way back.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// AppendLines encodes lines as stores keep them: for each the account's
// number, the layer and the amount as varints.
func AppendLines(b []byte, lines []Line) []byte {
	for _, l := range lines {
		b = binary.AppendUvarint(b, uint64(l.Account.ID)<<2|uint64(l.Layer))
		b = binary.AppendVarint(b, l.Amount)
	}
	return b
}

// ParseLines decodes what AppendLines made. The error is ErrCorrupt.
func ParseLines(b []byte, account func(id int64) (*Account, error)) ([]Line, error) {
	lines := make([]Line, 0, 2)
	for len(b) > 0 {
		head, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, ErrCorrupt
		}
		amount, m := binary.Varint(b[n:])
		if m <= 0 || Layer(head&3) > HeldCredit {
			return nil, ErrCorrupt
		}
		b = b[n+m:]
		a, err := account(int64(head >> 2))
		if err != nil {
			return nil, err
		}
		lines = append(lines, Line{Account: a, Layer: Layer(head & 3), Amount: amount})
	}
	return lines, nil
}

// appendCanonical writes all that a record says, accounts by what they are and
// not by their number: these bytes are what the chain of hashes is made of, so
// they never change. Strings are preceded by their length.
func appendCanonical(b []byte, r *Record) []byte {
	b = append(b, "tx1"...)
	b = binary.AppendUvarint(b, uint64(r.ID))
	final := byte(0)
	if r.Final {
		final = 1
	}
	b = append(b, byte(r.Kind), final)
	b = appendString(b, r.Key)
	b = append(b, r.Fingerprint[:]...)
	for _, n := range [...]int64{r.Recorded, r.Effective, r.Expires, r.Of, int64(r.Part), int64(len(r.Lines))} {
		b = binary.AppendVarint(b, n)
	}
	for _, l := range r.Lines {
		b = appendSpec(b, &l.Account.Spec)
		b = append(b, byte(l.Layer))
		b = binary.AppendVarint(b, l.Amount)
	}
	b = appendString(b, r.Description)
	b = binary.AppendUvarint(b, uint64(len(r.Metadata)))
	return append(b, r.Metadata...)
}

func appendSpec(b []byte, s *Spec) []byte {
	b = appendString(b, s.Path)
	b = appendString(b, string(s.Currency))
	return append(b, byte(s.Type), byte(s.Mode))
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// Digest is the SHA-256 of what an account is, kept beside it: an account that
// was changed is named by it, before the transactions that no longer fit.
func (s *Spec) Digest() Hash {
	return sha256.Sum256(appendSpec([]byte("account1"), s))
}

// chain hashes records one after the other.
type chain struct {
	sum hash.Hash
	buf []byte
	at  Hash
}

func newChain(from Hash) *chain { return &chain{sum: sha256.New(), at: from} }

func (c *chain) next(add []byte) {
	c.sum.Reset()
	c.sum.Write(c.at[:])
	c.sum.Write(add)
	c.sum.Sum(c.at[:0])
}

func (c *chain) record(r *Record) {
	c.buf = appendCanonical(c.buf[:0], r)
	c.next(c.buf)
}
