package memstore

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	b := newBooks()
	require.Zero(t, b.find("none"))
	name := func(i int64) string { return "key-" + strconv.FormatInt(i, 10) }
	const n = 100_000
	for id := int64(1); id <= n; id++ {
		key := name(id)
		b.journal.add(&ledger.Record{ID: id, Key: key})
		if id%5 == 0 { // the same part of a hash, and another key
			s, part := b.keys.of(key)
			if 2*len(s.slots) > 3*(s.used+2) {
				s.put(uint64(part)<<32 | 1)
				s.used++
			}
		}
		b.keys.add(key, id)
	}
	for id := int64(1); id <= n; id++ {
		require.Equal(t, id, b.find(name(id)))
	}
	for id := int64(n + 1); id <= 2*n; id++ {
		require.Zero(t, b.find(name(id)))
	}
}
