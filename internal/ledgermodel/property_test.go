package ledgermodel

import (
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// TestAgainstModel: whatever is asked of the books, valid or not, one by one or
// several at once, they say and keep what the model says.
func TestAgainstModel(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			chart := newChart(t)
			var ran atomic.Int64
			var failed atomic.Bool
			rapid.Check(t, func(r *rapid.T) {
				// What failed is run again until it is small, however often.
				if ran.Add(1) > k.cases && !failed.Load() {
					return
				}
				s, good := k.open(t), false
				defer func() {
					s.close()
					failed.Store(failed.Load() || !good)
				}()
				w := newWorld(r, s, chart)
				r.Repeat(map[string]func(*rapid.T){
					"":         w.check,
					"one":      w.one,
					"another":  w.one,
					"all":      w.all,
					"together": w.together,
					"in":       w.in,
					"host":     w.host,
					"clock":    w.clock,
					"seal":     w.seal,
					"audit":    w.audit,
				})
				w.audit(r)
				good = true
			})
		})
	}
}
