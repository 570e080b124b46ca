package ids

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNewHasTheForm(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_123)
	zeros := Source{Rand: bytes.NewReader(make([]byte, 2*randBytes))}
	require.Equal(t, "op"+encode(t, 1_700_000_000_123)+"0000000000000000", zeros.New("op", now))
	id := New("op", now)
	require.Len(t, id, 28, "28 leaves 4 characters for a step within out_trade_no's 32")
	require.Regexp(t, `^op[0-9a-hjkmnp-tv-z]{26}$`, id)
	require.True(t, Valid(id))
	require.Equal(t, id[:12], New("op", now)[:12], "same millisecond, same head")
	for _, p := range []string{"p", "op", "pay", "refd"} {
		require.True(t, Valid(New(p, now)), p)
	}
}

// encode is base 32 by division, another way than the shifts of New.
func encode(t *testing.T, ms int64) string {
	t.Helper()
	out := make([]byte, timeChars)
	for i := range out {
		out[len(out)-1-i] = alphabet[ms%32]
		ms /= 32
	}
	require.Zero(t, ms)
	return string(out)
}

func TestIDsSortByTime(t *testing.T) {
	t.Parallel()
	var list []string
	for _, ms := range []int64{-5, 1, 31, 32, 1023, 1 << 20, 1_700_000_000_000, 1_700_000_000_001, 1 << 45, maxTime - 1, maxTime} {
		list = append(list, New("op", time.UnixMilli(ms)))
	}
	require.True(t, slices.IsSorted(list), "%v", list)
	require.Equal(t, strings.Repeat("0", timeChars), New("op", time.UnixMilli(-1))[2:12])
	require.Equal(t, strings.Repeat("z", timeChars), New("op", time.UnixMilli(maxTime+1))[2:12], "an absurd clock is clamped, not wrapped")
}

func TestIDsAreUnique(t *testing.T) {
	t.Parallel()
	const workers, each = 8, 5000
	now := time.UnixMilli(1_700_000_000_000)
	var mu sync.Mutex
	seen := make(map[string]bool, workers*each)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			mine := make([]string, each)
			for i := range mine {
				mine[i] = New("op", now)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, id := range mine {
				seen[id] = true
			}
		})
	}
	wg.Wait()
	require.Len(t, seen, workers*each, "one millisecond, no id twice")
}

func TestRandomPartUsesEveryBit(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(0)
	seen := map[string]bool{}
	for bit := range randBytes * 8 {
		var b [randBytes]byte
		b[bit/8] = 1 << (bit % 8)
		seen[Source{Rand: bytes.NewReader(b[:])}.New("op", now)] = true
	}
	require.Len(t, seen, 80, "each of the 80 random bits makes another id")
}

func TestSeededSourceRepeats(t *testing.T) {
	t.Parallel()
	run := func() (out []string) {
		s := Source{Rand: rand.NewChaCha8([32]byte{1})}
		for i := range 10 {
			out = append(out, s.New("op", time.UnixMilli(int64(i))))
		}
		return out
	}
	require.Equal(t, run(), run(), "a simulation must replay exactly")
}

func TestNewPanicsRatherThanRepeat(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(0)
	require.PanicsWithValue(t, "ids: the random source failed: boom", func() { Source{Rand: iotest.ErrReader(errors.New("boom"))}.New("op", now) })
	require.Panics(t, func() { Source{Rand: bytes.NewReader(make([]byte, randBytes-1))}.New("op", now) }, "half the randomness is not enough")
	require.NotPanics(t, func() { Source{Rand: iotest.OneByteReader(bytes.NewReader(make([]byte, randBytes)))}.New("op", now) })
	for _, p := range []string{"", "OP", "o1", "order", "\u00e4", "o-"} {
		require.Panics(t, func() { New(p, now) }, "%q", p)
	}
}

func TestValidRefuses(t *testing.T) {
	t.Parallel()
	good := New("op", time.UnixMilli(0))
	for _, s := range []string{"", "op", good[:26], good + "00", good[2:], "O" + good[1:], good[:27] + "i", good[:27] + "Z",
		good[:27] + "-", good[:27] + "\n", good[:26] + "\u00e4", "1" + good[1:], good + "-1", good + "s12"} {
		require.False(t, Valid(s), "%q", s)
	}
}

func FuzzValid(f *testing.F) {
	f.Add("op0000000000" + strings.Repeat("0", 16))
	f.Add("op")
	f.Fuzz(func(t *testing.T, s string) {
		if Valid(s) {
			require.Regexp(t, `^[a-z]{1,4}[0-9a-hjkmnp-tv-z]{26}$`, s)
		}
	})
}

var sink string

func BenchmarkNew(b *testing.B) {
	now := time.UnixMilli(1_700_000_000_000)
	b.ReportAllocs()
	for b.Loop() {
		sink = New("op", now)
	}
}
