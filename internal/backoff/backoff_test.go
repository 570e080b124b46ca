package backoff

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func fixed(f float64) func() float64 { return func() float64 { return f } }

func TestDelay(t *testing.T) {
	t.Parallel()
	p := Policy{Base: time.Second, Max: 10 * time.Second, Factor: 2}
	half := Policy{Base: time.Second, Max: 10 * time.Second, Factor: 2, Jitter: 0.5}
	for _, tc := range []struct {
		name    string
		p       Policy
		attempt int
		rnd     float64
		want    time.Duration
	}{
		{"first", p, 0, 0, time.Second},
		{"negative attempt", p, -3, 0, time.Second},
		{"second", p, 1, 0, 2 * time.Second},
		{"fourth", p, 3, 0, 8 * time.Second},
		{"bounded", p, 4, 0, 10 * time.Second},
		{"huge attempt", p, math.MaxInt, 0, 10 * time.Second},
		{"zero policy", Policy{}, 0, 0.9, DefaultBase},
		{"zero policy grows", Policy{}, 3, 0, 8 * DefaultBase},
		{"zero policy bounded", Policy{}, 100, 0, DefaultMax},
		{"factor one stays", Policy{Base: time.Second, Factor: 1}, 50, 0, time.Second},
		{"factor that is no number", Policy{Base: time.Second, Factor: math.NaN()}, 1, 0, 2 * time.Second},
		{"factor below one", Policy{Base: time.Second, Factor: 0.1}, 1, 0, 2 * time.Second},
		{"infinite factor", Policy{Base: time.Second, Max: time.Minute, Factor: math.Inf(1)}, 1, 0, time.Minute},
		{"base above max", Policy{Base: time.Hour, Max: time.Minute}, 0, 0, time.Minute},
		{"largest max", Policy{Base: time.Hour, Max: math.MaxInt64}, 500, 0, math.MaxInt64},
		{"jitter, lucky", half, 0, 0, time.Second},
		{"jitter, middle", half, 0, 0.5, 750 * time.Millisecond},
		{"jitter, all", half, 0, 1, 500 * time.Millisecond},
		{"jitter clamped", Policy{Base: time.Second, Jitter: 7}, 0, 1, 0},
		{"random number clamped", half, 0, -4, time.Second},
		{"random number that is no number", half, 0, math.NaN(), time.Second},
	} {
		require.Equal(t, tc.want, tc.p.Delay(tc.attempt, fixed(tc.rnd)), tc.name)
	}
}

func TestDelayIsAlwaysInRange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{
			Base:   time.Duration(rapid.Int64().Draw(t, "base")),
			Max:    time.Duration(rapid.Int64().Draw(t, "max")),
			Factor: rapid.Float64().Draw(t, "factor"),
			Jitter: rapid.Float64().Draw(t, "jitter"),
		}
		limit := p.Max
		if limit <= 0 {
			limit = DefaultMax
		}
		d := p.Delay(rapid.Int().Draw(t, "attempt"), fixed(rapid.Float64().Draw(t, "rnd")))
		if d < 0 || d > limit {
			t.Fatalf("%+v: delay %s is outside 0 to %s", p, d, limit)
		}
	})
}

func TestDelayNeverShrinksWithoutJitter(t *testing.T) {
	t.Parallel()
	p := Policy{Base: 3 * time.Millisecond, Max: time.Hour, Factor: 1.7}
	for i := range 60 {
		require.LessOrEqual(t, p.Delay(i, nil), p.Delay(i+1, nil))
	}
}

func TestNilRandomIsSpread(t *testing.T) {
	t.Parallel()
	p := Policy{Base: time.Hour, Max: time.Hour, Jitter: 1}
	seen := map[time.Duration]bool{}
	for range 100 {
		seen[p.Delay(0, nil)] = true
	}
	require.Greater(t, len(seen), 90, "replicas must not wake together")
}
