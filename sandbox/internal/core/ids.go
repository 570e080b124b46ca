package core

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	mrand "math/rand/v2"
	"sync"
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// IDs makes identifiers from independent named streams, so that reading an
// object (which takes a request id) does not shift the ids of objects made
// later. With a non-zero seed the streams repeat from run to run; with zero
// they start from the system's entropy. It is safe for use by several goroutines.
type IDs struct {
	root    [32]byte
	mu      sync.Mutex
	streams map[string]*mrand.ChaCha8
}

// NewIDs returns a source for seed.
func NewIDs(seed int64) *IDs {
	ids := &IDs{streams: map[string]*mrand.ChaCha8{}}
	if seed == 0 {
		_, _ = rand.Read(ids.root[:]) // crypto/rand.Read never fails since Go 1.24
	} else {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(seed))
		ids.root = sha256.Sum256(append([]byte("sandbox ids "), b[:]...))
	}
	return ids
}

// Text returns n characters out of 0-9A-Za-z from the named stream.
func (ids *IDs) Text(stream string, n int) string {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	r := ids.stream(stream)
	out := make([]byte, n)
	var word uint64
	var left int
	for i := range out {
		for {
			if left == 0 {
				word, left = r.Uint64(), 10
			}
			v := word & 63
			word >>= 6
			left--
			if v < uint64(len(alphabet)) {
				out[i] = alphabet[v]
				break
			}
		}
	}
	return string(out)
}

// Rand returns a generator seeded from the named stream. The caller guards it.
func (ids *IDs) Rand(stream string) *mrand.Rand {
	return mrand.New(mrand.NewChaCha8(sha256.Sum256(append(ids.root[:], stream...))))
}

func (ids *IDs) stream(name string) *mrand.ChaCha8 {
	r := ids.streams[name]
	if r == nil {
		r = mrand.NewChaCha8(sha256.Sum256(append(ids.root[:], name...)))
		ids.streams[name] = r
	}
	return r
}
