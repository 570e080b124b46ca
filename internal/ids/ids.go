// Package ids makes the ids of payments, operations and events: short,
// sortable by time, and made only of characters that every provider accepts in
// a reference of ours.
//
// An id is a prefix of 1 to 4 letters that tells its kind, 10 characters of
// time (milliseconds since 1970) and 16 characters of randomness (80 bits), all
// out of [0-9a-z] without i, l, o and u. With a prefix of two letters it is 28
// characters long: WeChat Pay's out_trade_no, the tightest of the providers'
// fields, holds 32 of [0-9a-zA-Z_-|*], so four remain for the suffix of a step.
// Ids of one prefix sort by their millisecond, as bytes; within one
// millisecond their order is random.
package ids

import (
	"crypto/rand"
	"fmt"
	"io"
	"time"
)

// MaxPrefix is the longest prefix, in letters.
const MaxPrefix = 4

const (
	alphabet   = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's base 32, in ASCII order
	timeChars  = 10
	randChars  = 16
	randBytes  = randChars * 5 / 8
	bodyChars  = timeChars + randChars
	maxTime    = 1<<(5*timeChars) - 1
	bitsPerSym = 5
)

// Source makes ids. The zero value takes its randomness from crypto/rand and
// is safe for concurrent use.
type Source struct {
	// Rand, if not nil, is read instead of crypto/rand: a seeded reader makes a
	// simulation repeat itself. It must be safe for concurrent use if the Source
	// is used so.
	Rand io.Reader
}

// New returns a fresh id from crypto/rand. See Source.New.
func New(prefix string, now time.Time) string { return Source{}.New(prefix, now) }

// New returns a fresh id. The prefix is 1 to MaxPrefix letters out of a-z. A
// time before 1970 counts as 1970.
//
// New panics if the prefix is not that, which is a mistake in the program, and
// if Rand fails: to go on would be to give out an id twice. crypto/rand does
// not fail (since Go 1.24 the runtime ends the program instead).
func (s Source) New(prefix string, now time.Time) string {
	if !validPrefix(prefix) {
		panic(fmt.Sprintf("ids: prefix %q is not 1 to %d letters a-z", prefix, MaxPrefix))
	}
	var random [randBytes]byte
	if s.Rand == nil {
		_, _ = rand.Read(random[:]) // never fails
	} else {
		s.read(&random)
	}

	var buf [MaxPrefix + bodyChars]byte
	n := copy(buf[:], prefix)
	ms := min(max(now.UnixMilli(), 0), maxTime)
	for shift := bitsPerSym * (timeChars - 1); shift >= 0; shift -= bitsPerSym {
		buf[n] = alphabet[ms>>shift&31]
		n++
	}
	// Five bytes are eight characters.
	for i := 0; i < randBytes; i += 5 {
		v := uint64(random[i])<<32 | uint64(random[i+1])<<24 | uint64(random[i+2])<<16 |
			uint64(random[i+3])<<8 | uint64(random[i+4])
		for shift := 35; shift >= 0; shift -= bitsPerSym {
			buf[n] = alphabet[v>>shift&31]
			n++
		}
	}
	return string(buf[:n])
}

// read is apart from New so that the array stays on New's stack when it is not
// needed.
func (s Source) read(dst *[randBytes]byte) {
	var b [randBytes]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		panic("ids: the random source failed: " + err.Error())
	}
	*dst = b
}

// Valid reports whether s has the form of an id: prefix, time and randomness,
// nothing else. It says nothing about whether it was ever given out, and since
// the prefix has no fixed length, not even whether a character is missing.
func Valid(s string) bool {
	p := len(s) - bodyChars
	if p < 1 || p > MaxPrefix || !validPrefix(s[:p]) {
		return false
	}
	for i := p; i < len(s); i++ {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
		case 'a' <= c && c <= 'z' && c != 'i' && c != 'l' && c != 'o' && c != 'u':
		default:
			return false
		}
	}
	return true
}

func validPrefix(p string) bool {
	if len(p) < 1 || len(p) > MaxPrefix {
		return false
	}
	for i := 0; i < len(p); i++ {
		if p[i] < 'a' || p[i] > 'z' {
			return false
		}
	}
	return true
}
