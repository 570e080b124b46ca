package core

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimersRunInOrderAndSeeTheirTime(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := NewClock(func() time.Time { return start })
	timers := NewTimers(clock)
	defer timers.Close()
	var seen []string
	note := func(name string) func() {
		return func() { seen = append(seen, name+" "+clock.Now().Sub(start).String()) }
	}
	timers.At(start.Add(2*time.Hour), note("late"))
	timers.At(start.Add(time.Hour), func() {
		note("first")()
		timers.At(clock.Now().Add(10*time.Minute), note("from within"))
	})
	timers.At(start.Add(time.Hour), note("second"))
	timers.Advance(3 * time.Hour)
	require.Equal(t, []string{"first 1h0m0s", "second 1h0m0s", "from within 1h10m0s", "late 2h0m0s"}, seen)
	require.Equal(t, start.Add(3*time.Hour), clock.Now())
	timers.Advance(-time.Hour)
	require.Equal(t, start.Add(3*time.Hour), clock.Now(), "time does not go back")
}

func TestTimersRunByThemselves(t *testing.T) {
	t.Parallel()
	timers := NewTimers(NewClock(nil))
	defer timers.Close()
	ran := make(chan struct{})
	timers.At(time.Now().Add(5*time.Millisecond), func() { close(ran) })
	select {
	case <-ran:
	case <-time.After(5 * time.Second):
		t.Fatal("a task that fell due was not run")
	}
}

func TestIDsRepeatUnderASeed(t *testing.T) {
	t.Parallel()
	a, b, c := NewIDs(5), NewIDs(5), NewIDs(6)
	require.Equal(t, a.Text("x", 24), b.Text("x", 24))
	require.NotEqual(t, a.Text("x", 24), a.Text("x", 24))
	require.NotEqual(t, b.Text("x", 24), c.Text("x", 24))
	_ = a.Text("requests", 14)
	require.Equal(t, a.Text("y", 24), b.Text("y", 24), "one stream does not shift another")
	require.NotEqual(t, NewIDs(0).Text("x", 24), NewIDs(0).Text("x", 24), "seed zero is random")
}

func TestFaultsCountAndSkip(t *testing.T) {
	t.Parallel()
	fs := NewFaults(NewIDs(3))
	all := func(Kind) bool { return true }
	for _, bad := range []Fault{{}, {Kind: "flood"}, {Kind: Decline, After: true}, {Kind: Reset, Probability: 2}, {Kind: Reset, Count: -1}, {Kind: Delay}, {Kind: Reset, Path: "["}} {
		_, err := fs.Add(bad)
		require.Error(t, err, "%+v", bad)
	}
	id, err := fs.Add(Fault{Kind: Reset, Path: "/v1/*", Method: "POST", Count: 2, Skip: 1})
	require.NoError(t, err)
	var fired []bool
	for range 5 {
		_, ok := fs.Take("p", "POST", "/v1/a", all)
		fired = append(fired, ok)
	}
	require.Equal(t, []bool{false, true, true, false, false}, fired)
	_, ok := fs.Take("p", "POST", "/v1/a/b", all)
	require.False(t, ok, "a star does not cross a slash")
	require.Equal(t, 2, fs.List()[0].Fired)
	fs.Clear(id)
	half, err := fs.Add(Fault{Kind: Reset, Probability: 0.5})
	require.NoError(t, err)
	n := 0
	for range 1000 {
		if _, ok := fs.Take("p", "GET", "/", all); ok {
			n++
		}
	}
	require.InDelta(t, 500, n, 80)
	require.Equal(t, n, fs.List()[half-1].Fired)
	fs.Clear()
	_, ok = fs.Take("p", "GET", "/", all)
	require.False(t, ok)
}

func TestLogKeepsTheNewest(t *testing.T) {
	t.Parallel()
	l := NewLog(3)
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		l.Add(Request{ID: id})
	}
	var got []string
	for _, r := range l.List() {
		got = append(got, r.ID)
	}
	require.Equal(t, []string{"c", "d", "e"}, got)
}

func FuzzJSONText(f *testing.F) {
	for _, s := range []string{"", "plain", "quote\" back\\slash", "line\nbreak", "\x00\x1f", "<&>", "é中\u2028", "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var w JSON
		w.Open()
		w.S("a", s)
		w.Map("m", map[string]string{s: s})
		w.Close()
		var v map[string]any
		require.NoError(t, json.Unmarshal(w.Bytes(), &v))
		std, err := json.Marshal(s)
		require.NoError(t, err)
		var want string
		require.NoError(t, json.Unmarshal(std, &want))
		require.Equal(t, want, v["a"])
	})
}
