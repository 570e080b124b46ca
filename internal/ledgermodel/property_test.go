package ledgermodel

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/pgtest"
	"github.com/tender-go/payment/store/memstore"
)

func TestMain(m *testing.M) {
	// A flag on the command line counts more: it is parsed later.
	if err := flag.Set("rapid.checks", "300"); err != nil {
		panic(err)
	}
	os.Exit(pgtest.Main(m))
}

// opened is a store that keeps books, and how to post in the host's own
// transaction, nil if it cannot.
type opened struct {
	payment.Store
	join func(t require.TestingT) (ctx context.Context, end func(commit bool) error)
}

// kind of store, and how many random histories it is worth: a database takes
// longer to be made than to be asked.
type kind struct {
	name  string
	cases int64
	open  func(t testing.TB) func() opened
}

func kinds() []kind {
	return []kind{
		{"memstore", 1 << 30, func(testing.TB) func() opened { return func() opened { return opened{Store: memstore.New()} } }},
	}
}

var _ = filepath.Join

// TestAgainstModel: whatever is asked of the books, valid or not, one by one or
// several at once, they say and keep what the model says.
func TestAgainstModel(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			open, chart := k.open(t), newChart(t)
			var ran atomic.Int64
			var failed atomic.Bool
			rapid.Check(t, func(t *rapid.T) {
				// What failed is run again until it is small, however often.
				if ran.Add(1) > k.cases && !failed.Load() {
					return
				}
				good := false
				defer func() { failed.Store(failed.Load() || !good) }()
				w := newWorld(t, open(), chart)
				t.Repeat(map[string]func(*rapid.T){
					"":         w.books,
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
				w.audit(t)
				good = true
			})
		})
	}
}
