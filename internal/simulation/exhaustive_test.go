package simulation

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	only   = flag.String("only", "", "run only the scenarios whose name holds this")
	thin   = flag.Int("thin", 6, "TestEveryInstant plays one of so many troubles; 1 for all of them")
	parked = flag.Bool("parked", false, "tell one story of each reason for which a person was asked")
)

func chosen() []scenario {
	var out []scenario
	for _, s := range scenarios() {
		if strings.Contains(s.name, *only) {
			out = append(out, s)
		}
	}
	return out
}

func conclude(t *testing.T, r *Report) {
	t.Helper()
	t.Logf("\n%s", r.String())
	for _, v := range r.Parks {
		t.Log(v.String())
	}
	for _, v := range r.Broken {
		t.Error(v.String())
	}
}

// TestScenarios plays every written order in calm weather.
func TestScenarios(t *testing.T) {
	t.Parallel()
	r := Report{KeepParked: *parked}
	for _, s := range chosen() {
		for _, st := range styles {
			w := s.play(st, fair{}, false)
			r.take(w, fmt.Sprintf("%s (%s)", s.name, st.name), 0, func() string { return s.play(st, fair{}, true).story.String() })
		}
	}
	conclude(t, &r)
}

// TestEveryInstant puts every trouble at every instant of every written order,
// one at a time: every crash, every fault of the provider, every failure of the
// store, and every act of somebody else in between. With -thin 1 it plays them
// all, else an even sample, which falls on all kinds of trouble, since what it
// leaves out differs from instant to instant.
func TestEveryInstant(t *testing.T) {
	t.Parallel()
	list := chosen()
	if testing.Short() {
		*thin = max(*thin, 32)
	}
	var next, runs atomic.Int64
	var wg sync.WaitGroup
	reports := make([]Report, runtime.GOMAXPROCS(0))
	for i := range reports {
		r := &reports[i]
		r.KeepParked = *parked
		wg.Go(func() {
			for {
				k := int(next.Add(1) - 1)
				if k >= len(list)*len(styles) {
					return
				}
				runs.Add(int64(everyInstant(r, &list[k/len(styles)], styles[k%len(styles)], k)))
			}
		})
	}
	wg.Wait()
	var all Report
	for i := range reports {
		all.merge(&reports[i])
	}
	t.Logf("%d runs", runs.Load())
	conclude(t, &all)
}

func everyInstant(r *Report, s *scenario, st style, n int) int {
	places := s.play(st, fair{}, false).places
	runs := 0
	for i, at := range places {
		for _, x := range troublesAt(at) {
			if n++; n%*thin != 0 {
				continue
			}
			wx := once{map[int]trouble{i: x}}
			w := s.play(st, wx, false)
			runs++
			r.take(w, fmt.Sprintf("%s (%s), instant %d: %s", s.name, st.name, i, x), 0, func() string { return s.play(st, wx, true).story.String() })
		}
	}
	return runs
}
