package ledger

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// digest sums up a set of rows whatever their order: the sum, mod 2^128, of
// hashes under keys that are drawn anew for each run, so that nobody who
// changes rows can arrange that the sum stays.
type digest struct{ hi, lo uint64 }

func (d *digest) add(x digest) {
	var carry uint64
	d.lo, carry = bits.Add64(d.lo, x.lo, 0)
	d.hi, _ = bits.Add64(d.hi, x.hi, carry)
}

func (d *digest) sub(x digest) {
	var borrow uint64
	d.lo, borrow = bits.Sub64(d.lo, x.lo, 0)
	d.hi, _ = bits.Sub64(d.hi, x.hi, borrow)
}

// print hashes one posting of the account with that number.
func (v *verifier) print(account int64, p *Posting) digest {
	var b [8 * 8]byte
	for i, n := range [...]int64{account, int64(p.Layer), p.Seq, int64(p.N), p.ID, p.Amount, p.Running, p.Booked} {
		binary.LittleEndian.PutUint64(b[8*i:], uint64(n))
	}
	return digest{maphash.Bytes(v.seeds[0], b[:]), maphash.Bytes(v.seeds[1], b[:])}
}

// wide is a sum of 128 bits.
type wide struct{ hi, lo uint64 }

func (w *wide) add(n int64) {
	d := digest(*w)
	d.add(digest{uint64(n >> 63), uint64(n)})
	*w = wide(d)
}

func (w *wide) sub(n int64) {
	d := digest(*w)
	d.sub(digest{uint64(n >> 63), uint64(n)})
	*w = wide(d)
}
