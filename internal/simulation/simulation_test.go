package simulation

import (
	"flag"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	payments = flag.Int("payments", usualPayments, "how many orders TestSimulate plays")
	seed     = flag.Uint64("seed", 1, "the seed of the first of them; each further one has the next")
	stop     = flag.String("stop", "", "end TestSimulate at the first violation of one of these rules, separated by commas")
)

// TestSimulate plays random orders. With -payments 1 -seed S it tells the story
// of the order with seed S, whatever became of it.
func TestSimulate(t *testing.T) {
	o := RunOptions{KeepParked: *parked}
	for _, rule := range strings.Split(*stop, ",") {
		o.Stop = append(o.Stop, Rule(rule))
	}
	r := Run(*seed, *payments, o)
	if *payments == 1 {
		t.Log("\n" + middleOut(play(*seed, true).story.String()))
	}
	conclude(t, r)
}

// TestSeedReplays proves that a seed tells the same story, byte for byte.
func TestSeedReplays(t *testing.T) {
	t.Parallel()
	for s := range uint64(50) {
		once, again := play(s, true), play(s, true)
		require.Equal(t, once.story.String(), again.story.String(), "seed %d", s)
		silent := play(s, false)
		require.Equal(t, once.broken, silent.broken, "seed %d told and untold", s)
		require.Equal(t, once.events, silent.events, "seed %d told and untold", s)
	}
}
