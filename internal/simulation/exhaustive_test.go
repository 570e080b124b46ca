package simulation

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	only   = flag.String("only", "", "run only the scenarios whose name holds this")
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

func TestScenariosNominal(t *testing.T) {
	r := Report{KeepParked: *parked}
	for _, s := range chosen() {
		for _, st := range styles {
			w := s.play(st, fair{}, false)
			r.take(w, fmt.Sprintf("%s (%s)", s.name, st.name), 0, func() string { return s.play(st, fair{}, true).story.String() })
		}
	}
	conclude(t, &r)
}

func TestEveryInstant(t *testing.T) {
	r := Report{KeepParked: *parked}
	began := time.Now()
	runs := 0
	for _, s := range chosen() {
		for _, st := range styles {
			places := s.play(st, fair{}, false).places
			for i, at := range places {
				for _, x := range troublesAt(at) {
					wx := once{map[int]trouble{i: x}}
					w := s.play(st, wx, false)
					runs++
					r.take(w, fmt.Sprintf("%s (%s), instant %d: %s", s.name, st.name, i, x), 0, func() string { return s.play(st, wx, true).story.String() })
				}
			}
		}
	}
	t.Logf("%d runs in %s", runs, time.Since(began))
	conclude(t, &r)
}
