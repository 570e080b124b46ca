package sqlstore

import (
	"encoding/binary"

	"github.com/tender-go/payment/ledger"
)

// pack writes numbers that mostly ascend as differences.
func pack(numbers []int64) []byte {
	b := make([]byte, 0, 2*len(numbers)+8)
	last := int64(0)
	for _, n := range numbers {
		b = binary.AppendVarint(b, n-last)
		last = n
	}
	return b
}

// unpack is the way back. It refuses what pack does not write.
func unpack(b []byte) ([]int64, error) {
	var numbers []int64
	last := int64(0)
	for len(b) > 0 {
		d, n := binary.Varint(b)
		if n <= 0 || n > 1 && b[n-1] == 0 {
			return nil, ledger.ErrCorrupt
		}
		b = b[n:]
		last += d
		numbers = append(numbers, last)
	}
	return numbers, nil
}
