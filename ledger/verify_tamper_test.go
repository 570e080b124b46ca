package ledger_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/ledgertest"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

// Rows as a store keeps them: accounts by number.
type (
	accountRow struct {
		ID       int64
		Path     string
		Currency money.Currency
		Type     ledger.Type
		Mode     ledger.Mode
		Digest   []byte
	}
	lineRow struct {
		Account int64
		Layer   ledger.Layer
		Amount  int64
	}
	recordRow struct {
		ledger.Record // but its lines
		Lines         []lineRow
		Broken        bool
	}
	blockRow struct {
		ledger.Block
		Broken bool
	}
	postingRow struct {
		Account int64
		Layer   ledger.Layer
		Seq     int64
		N       int
		ID      int64
		Amount  int64
		Running int64
		Booked  int64
	}
)

// rows is a copy of books that can be tampered with.
type rows struct {
	accounts []*accountRow
	journal  []*recordRow
	blocks   []*blockRow
	postings []*postingRow
	totals   []*ledger.Locked
}

// copyOf copies the books of a store.
func copyOf(t testing.TB, s ledger.Store) *rows {
	t.Helper()
	c := &rows{}
	require.NoError(t, s.Ledger().View(ctx, func(ctx context.Context, v ledger.View) error {
		require.NoError(t, v.Accounts(ctx, func(a *ledger.Account, digest []byte) error {
			c.accounts = append(c.accounts, &accountRow{a.ID, a.Path, a.Currency, a.Type, a.Mode, slices.Clone(digest)})
			return nil
		}))
		require.NoError(t, v.Journal(ctx, 0, 0, func(r *ledger.Record, broken error) error {
			row := &recordRow{Record: *r}
			row.Record.Lines, row.Metadata = nil, slices.Clone(r.Metadata)
			for _, l := range r.Lines {
				row.Lines = append(row.Lines, lineRow{l.Account.ID, l.Layer, l.Amount})
			}
			c.journal = append(c.journal, row)
			return broken
		}))
		require.NoError(t, v.Blocks(ctx, 0, 0, func(b *ledger.Block, broken error) error {
			row := &blockRow{Block: *b}
			row.IDs, row.Marks = slices.Clone(b.IDs), slices.Clone(b.Marks)
			c.blocks = append(c.blocks, row)
			return broken
		}))
		require.NoError(t, v.AllPostings(ctx, func(p ledger.Posting, number int64) error {
			c.postings = append(c.postings, &postingRow{number, p.Layer, p.Seq, p.N, p.ID, p.Amount, p.Running, p.Booked})
			return nil
		}))
		return v.Totals(ctx, func(l ledger.Locked) error {
			c.totals = append(c.totals, &l)
			return nil
		})
	}))
	slices.SortFunc(c.postings, func(a, b *postingRow) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.N, b.N))
	})
	return c
}

// Ledger makes a store of the rows that can only be read.
func (c *rows) Ledger() ledger.Backend { return readOnly{c} }

type readOnly struct{ c *rows }

func (readOnly) Apply(context.Context, []*ledger.Request) error { return ledger.ErrBusy }
func (readOnly) Joined(context.Context) bool                    { return false }
func (readOnly) Seal(context.Context, func(context.Context, ledger.SealTx) error) error {
	return nil // nothing to seal
}

func (b readOnly) View(ctx context.Context, fn func(context.Context, ledger.View) error) error {
	v := &rowView{rows: *b.c, opened: map[int64]*ledger.Account{}}
	v.journal = slices.Clone(v.journal)
	slices.SortStableFunc(v.journal, func(a, b *recordRow) int { return cmp.Compare(a.ID, b.ID) })
	v.blocks = slices.Clone(v.blocks)
	slices.SortStableFunc(v.blocks, func(a, b *blockRow) int { return cmp.Compare(a.First, b.First) })
	v.postings = slices.Clone(v.postings)
	slices.SortStableFunc(v.postings, func(a, b *postingRow) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.N, b.N))
	})
	for _, a := range v.accounts {
		v.opened[a.ID] = &ledger.Account{ID: a.ID, Spec: ledger.Spec{Path: a.Path, Currency: a.Currency, Type: a.Type, Mode: a.Mode}}
	}
	return fn(ctx, v)
}

// rowView reads rows as a database would: sorted by key, and decoded anew.
type rowView struct {
	ledger.View // what Verify and the exports do not use is not there
	rows
	opened map[int64]*ledger.Account
	inside bool
}

// alone fails where a view is used inside a listing of its own: a database
// connection has one result open at a time.
func (v *rowView) alone() func() {
	if v.inside {
		panic("the view is used while it lists")
	}
	v.inside = true
	return func() { v.inside = false }
}

func (v *rowView) record(r *recordRow) (*ledger.Record, error) {
	if r.Broken {
		return &ledger.Record{ID: r.ID}, fmt.Errorf("the row %d is torn: %w", r.ID, ledger.ErrCorrupt)
	}
	d := r.Record
	for _, l := range r.Lines {
		a := v.opened[l.Account]
		if a == nil {
			return &ledger.Record{ID: r.ID}, fmt.Errorf("no account has the number %d: %w", l.Account, ledger.ErrCorrupt)
		}
		d.Lines = append(d.Lines, ledger.Line{Account: a, Layer: l.Layer, Amount: l.Amount})
	}
	return &d, nil
}

func (v *rowView) Accounts(_ context.Context, each func(*ledger.Account, []byte) error) error {
	defer v.alone()()
	for _, a := range v.accounts {
		spec := &ledger.Account{ID: a.ID, Spec: ledger.Spec{Path: a.Path, Currency: a.Currency, Type: a.Type, Mode: a.Mode}}
		if err := each(spec, a.Digest); err != nil {
			return err
		}
	}
	return nil
}

func (v *rowView) Totals(_ context.Context, each func(ledger.Locked) error) error {
	defer v.alone()()
	for _, l := range v.totals {
		if err := each(*l); err != nil {
			return err
		}
	}
	return nil
}

func (v *rowView) Last(context.Context) (ledger.Block, error) {
	if len(v.blocks) == 0 {
		return ledger.Block{}, nil
	}
	return v.blocks[len(v.blocks)-1].Block, nil
}

func (v *rowView) Blocks(_ context.Context, after int64, limit int, each func(*ledger.Block, error) error) error {
	defer v.alone()()
	for _, b := range v.blocks {
		if b.Last() <= after && !b.Broken {
			continue
		}
		own, broken := b.Block, error(nil)
		if b.Broken {
			own, broken = ledger.Block{First: b.First}, ledger.ErrCorrupt
		}
		if err := each(&own, broken); err != nil {
			return err
		}
		if limit--; limit == 0 {
			return nil
		}
	}
	return nil
}

func (v *rowView) posting(p *postingRow) ledger.Posting {
	return ledger.Posting{Account: v.opened[p.Account], Layer: p.Layer, Seq: p.Seq, N: p.N, ID: p.ID, Amount: p.Amount, Running: p.Running, Booked: p.Booked}
}

func (v *rowView) AllPostings(_ context.Context, each func(ledger.Posting, int64) error) error {
	defer v.alone()()
	for i := range v.postings {
		p := v.postings[len(v.postings)-1-i] // any order will do
		if err := each(v.posting(p), p.Account); err != nil {
			return err
		}
	}
	return nil
}

func (v *rowView) Postings(_ context.Context, q ledger.PostingQuery, each func(ledger.Posting) error) error {
	defer v.alone()()
	for _, p := range v.postings {
		if p.Account != q.Account.ID || q.After != 0 && p.Seq <= q.After || q.Until != 0 && p.Seq > q.Until {
			continue
		}
		if err := each(v.posting(p)); err != nil {
			return err
		}
	}
	return nil
}

func (v *rowView) Unsealed(_ context.Context, last ledger.Block, each func(*ledger.Record) error) error {
	defer v.alone()()
	for _, r := range v.journal {
		if r.ID <= last.High {
			continue
		}
		d, err := v.record(r)
		if err != nil {
			return err
		}
		if err := each(d); err != nil {
			return err
		}
	}
	return nil
}

func (v *rowView) Records(_ context.Context, ids []int64) (found []*ledger.Record, err error) {
	defer v.alone()()
	for _, r := range v.journal {
		if _, ok := slices.BinarySearch(ids, r.ID); ok {
			d, err := v.record(r)
			if err != nil {
				return nil, err
			}
			found = append(found, d)
		}
	}
	return found, nil
}

func (v *rowView) Parts(_ context.Context, of []int64) (found []*ledger.Record, err error) {
	defer v.alone()()
	for _, r := range v.journal {
		if _, ok := slices.BinarySearch(of, r.Of); !ok || r.Of == 0 {
			continue
		}
		d, err := v.record(r)
		if err != nil {
			return nil, err
		}
		found = append(found, d)
	}
	slices.SortStableFunc(found, func(a, b *ledger.Record) int {
		return cmp.Or(cmp.Compare(a.Of, b.Of), cmp.Compare(a.Part, b.Part))
	})
	return found, nil
}

func (v *rowView) Journal(_ context.Context, after int64, limit int, each func(*ledger.Record, error) error) error {
	defer v.alone()()
	for _, r := range v.journal {
		if r.ID <= after {
			continue
		}
		d, err := v.record(r)
		if err := each(d, err); err != nil {
			return err
		}
		*d = ledger.Record{Key: "what is handed out is reused"}
		if limit--; limit == 0 {
			return nil
		}
	}
	return nil
}

func (v *rowView) ClosedBefore(context.Context) (closed int64, err error) {
	for _, r := range v.journal {
		if r.Kind == ledger.KindClose {
			closed = max(closed, r.Effective)
		}
	}
	return closed, nil
}

// place is what a problem must name: any of these.
type place struct {
	table    ledger.Table
	ids      []int64
	seqs     []int64
	accounts []string
}

// named reports whether a problem of the report names the place.
func named(report *ledger.Report, at place) bool {
	return slices.ContainsFunc(report.Problems, func(p ledger.Problem) bool {
		if slices.ContainsFunc(at.accounts, func(a string) bool { return a == p.Account || strings.Contains(p.What, a) }) {
			return true
		}
		if at.table == ledger.TableAccounts || at.table == ledger.TableTotals {
			return p.Table == at.table && slices.Contains(at.ids, p.ID)
		}
		return p.ID != 0 && slices.Contains(at.ids, p.ID) || p.Seq != 0 && slices.Contains(at.seqs, p.Seq)
	})
}

func list(report *ledger.Report) string {
	var b strings.Builder
	for _, p := range report.Problems {
		fmt.Fprintln(&b, "  ", p)
	}
	return b.String()
}

// flip changes one byte of a value of a row.
func flip(t *testing.T, r *rand.Rand, v reflect.Value) {
	t.Helper()
	bit := func(n int) uint64 { return 1 << (8*r.IntN(n) + r.IntN(8)) }
	switch v.Kind() {
	case reflect.Int64, reflect.Int:
		v.SetInt(v.Int() ^ int64(bit(8)))
	case reflect.Uint8:
		v.SetUint(v.Uint() ^ bit(1))
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		b := []byte(v.String())
		if len(b) == 0 {
			b = []byte("x")
		} else {
			b[r.IntN(len(b))] ^= 1
		}
		v.SetString(string(b))
	case reflect.Array:
		i := v.Index(r.IntN(v.Len()))
		i.SetUint(i.Uint() ^ bit(1))
	case reflect.Slice:
		if v.Len() == 0 {
			require.Equal(t, reflect.Uint8, v.Type().Elem().Kind())
			v.SetBytes([]byte{byte(bit(1))})
			return
		}
		v.Set(reflect.AppendSlice(reflect.Zero(v.Type()), v)) // not the one that is shared
		flip(t, r, v.Index(r.IntN(v.Len())))
	case reflect.Struct:
		flip(t, r, v.Field(r.IntN(v.NumField())))
	default:
		t.Fatalf("a column of kind %s is not tampered with: teach flip", v.Kind())
	}
}

// table is one of the tables of rows: how it is tampered with and what names
// a row of it.
type table struct {
	name  ledger.Table
	size  func(*rows) int
	row   func(*rows, int) any // a pointer to it
	key   []string             // fields that stay when contents are swapped
	erase func(*rows, int)
	copy  func(c *rows, i int)
	at    func(*rows, int) place
}

var tables = []table{
	{
		name: ledger.TableAccounts, key: []string{"ID"},
		size:  func(c *rows) int { return len(c.accounts) },
		row:   func(c *rows, i int) any { return c.accounts[i] },
		erase: func(c *rows, i int) { c.accounts = slices.Delete(c.accounts, i, i+1) },
		copy:  func(c *rows, i int) { c.accounts = append(c.accounts, clone(c.accounts[i])) },
		at: func(c *rows, i int) place {
			return place{ids: []int64{c.accounts[i].ID}, accounts: []string{c.accounts[i].Path, fmt.Sprint("number ", c.accounts[i].ID)}}
		},
	},
	{
		name: ledger.TableJournal, key: []string{"ID"},
		size:  func(c *rows) int { return len(c.journal) },
		row:   func(c *rows, i int) any { return c.journal[i] },
		erase: func(c *rows, i int) { c.journal = slices.Delete(c.journal, i, i+1) },
		copy:  func(c *rows, i int) { c.journal = append(c.journal, clone(c.journal[i])) },
		at:    func(c *rows, i int) place { return place{ids: []int64{c.journal[i].ID}} },
	},
	{
		name: ledger.TableBlocks, key: []string{"First"},
		size:  func(c *rows) int { return len(c.blocks) },
		row:   func(c *rows, i int) any { return &c.blocks[i].Block },
		erase: func(c *rows, i int) { c.blocks = slices.Delete(c.blocks, i, i+1) },
		copy:  func(c *rows, i int) { b := clone(c.blocks[i]); b.First++; c.blocks = append(c.blocks, b) },
		at: func(c *rows, i int) place {
			p := place{}
			for seq := c.blocks[i].First; seq <= c.blocks[i].Last()+1; seq++ { // a gap is named by the next block
				p.seqs = append(p.seqs, seq)
			}
			return p
		},
	},
	{
		name:  ledger.TablePostings,
		size:  func(c *rows) int { return len(c.postings) },
		row:   func(c *rows, i int) any { return c.postings[i] },
		erase: func(c *rows, i int) { c.postings = slices.Delete(c.postings, i, i+1) },
		copy:  func(c *rows, i int) { c.postings = append(c.postings, clone(c.postings[i])) },
		at:    func(c *rows, i int) place { return place{seqs: []int64{c.postings[i].Seq}} },
	},
	{
		name: ledger.TableTotals, key: []string{"ID"},
		size:  func(c *rows) int { return len(c.totals) },
		row:   func(c *rows, i int) any { return c.totals[i] },
		erase: func(c *rows, i int) { c.totals = slices.Delete(c.totals, i, i+1) },
		copy:  func(c *rows, i int) { c.totals = append(c.totals, clone(c.totals[i])) },
		at:    func(c *rows, i int) place { return place{ids: []int64{c.totals[i].ID}} },
	},
}

func clone[T any](p *T) *T { c := *p; return &c }

// columns lists the fields of a row, those of embedded structs one by one. A
// field that is shadowed by a row's own is not stored.
func columns(t reflect.Type) [][]int {
	var out [][]int
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case f.Name == "Broken":
		case f.Anonymous || f.Type == reflect.TypeFor[ledger.Totals]():
			for _, sub := range columns(f.Type) {
				if name := f.Type.FieldByIndex(sub).Name; f.Anonymous && name == "Lines" {
					continue
				}
				out = append(out, append([]int{i}, sub...))
			}
		default:
			out = append(out, []int{i})
		}
	}
	return out
}

// tampered runs change on a fresh copy of books and expects its place named.
func tampered(t *testing.T, store ledger.Store, what string, change func(c *rows) (place, bool)) {
	t.Helper()
	c := copyOf(t, store)
	at, ok := change(c)
	if !ok {
		return
	}
	book := bookOn(t, c)
	report, err := book.Verify(ctx, ledger.VerifyOptions{Limit: 1000})
	require.NoError(t, err, what)
	require.False(t, report.OK(), "%s: nothing is said", what)
	require.True(t, named(report, at), "%s: %+v is not named among\n%s", what, at, list(report))
}

func filled(t testing.TB, seed uint64, n int) *memstore.Store {
	t.Helper()
	s := memstore.New()
	book := bookOn(t, s)
	require.NoError(t, ledgertest.NewFiller(book, "", seed).Fill(ctx, n))
	_, err := book.Seal(ctx)
	require.NoError(t, err)
	return s
}

func TestACopyOfHealthyBooksVerifies(t *testing.T) {
	t.Parallel()
	report, err := bookOn(t, copyOf(t, filled(t, 3, 3000))).Verify(ctx, ledger.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.Greater(t, report.Blocks, int64(100))
}

func TestEveryColumnIsProtected(t *testing.T) {
	t.Parallel()
	store := filled(t, 5, 400)
	for _, table := range tables {
		t.Run(string(table.name), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(7, 7))
			sample := copyOf(t, store)
			typ := reflect.TypeOf(table.row(sample, 0)).Elem()
			for _, column := range columns(typ) {
				name := typ.FieldByIndex(column).Name
				for range 20 {
					i := r.IntN(table.size(sample))
					tampered(t, store, fmt.Sprintf("%s.%s of row %d", table.name, name, i), func(c *rows) (place, bool) {
						at := table.at(c, i)
						v := reflect.ValueOf(table.row(c, i)).Elem().FieldByIndex(column)
						before := fmt.Sprint(v.Interface())
						flip(t, r, v)
						after := table.at(c, i)
						at.ids, at.seqs, at.accounts = append(at.ids, after.ids...), append(at.seqs, after.seqs...), append(at.accounts, after.accounts...)
						return at, fmt.Sprint(v.Interface()) != before
					})
				}
			}
		})
	}
}

func TestARowThatIsDeletedSwappedOrDoubledIsNamed(t *testing.T) {
	t.Parallel()
	store := filled(t, 6, 400)
	for _, table := range tables {
		t.Run(string(table.name), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(8, 8))
			n := table.size(copyOf(t, store))
			for range 20 {
				i, j := r.IntN(n), r.IntN(n-1)
				if j >= i {
					j++
				}
				if table.name != ledger.TableBlocks || i < n-1 { // see TestACutTail
					tampered(t, store, fmt.Sprintf("%s: row %d deleted", table.name, i), func(c *rows) (place, bool) {
						at := table.at(c, i)
						table.erase(c, i)
						return at, true
					})
				}
				tampered(t, store, fmt.Sprintf("%s: row %d doubled", table.name, i), func(c *rows) (place, bool) {
					at := table.at(c, i)
					table.copy(c, i)
					return at, true
				})
				tampered(t, store, fmt.Sprintf("%s: rows %d and %d swapped", table.name, i, j), func(c *rows) (place, bool) {
					at, other := table.at(c, i), table.at(c, j)
					at.ids, at.seqs, at.accounts = append(at.ids, other.ids...), append(at.seqs, other.seqs...), append(at.accounts, other.accounts...)
					return at, swap(table, c, i, j)
				})
			}
		})
	}
}

// swap swaps the contents of two rows, but their keys; with no keys, one
// value of them. It reports whether they differed.
func swap(table table, c *rows, i, j int) bool {
	a, b := reflect.ValueOf(table.row(c, i)).Elem(), reflect.ValueOf(table.row(c, j)).Elem()
	before := fmt.Sprint(a.Interface())
	old := reflect.New(a.Type()).Elem()
	old.Set(a)
	a.Set(b)
	b.Set(old)
	for _, k := range table.key {
		key := reflect.New(a.FieldByName(k).Type()).Elem()
		key.Set(a.FieldByName(k))
		a.FieldByName(k).Set(b.FieldByName(k))
		b.FieldByName(k).Set(key)
	}
	if len(table.key) == 0 { // whole rows that change places stay a set
		at, bt := a.FieldByName("Account"), b.FieldByName("Account")
		x := at.Int()
		at.SetInt(bt.Int())
		bt.SetInt(x)
	}
	return fmt.Sprint(a.Interface()) != before
}

func TestRowsThatCannotBeReadAreNamed(t *testing.T) {
	t.Parallel()
	store := filled(t, 9, 300)
	for _, i := range []int{0, 17, 100, len(copyOf(t, store).journal) - 1} {
		tampered(t, store, fmt.Sprintf("journal: row %d torn", i), func(c *rows) (place, bool) {
			c.journal[i].Broken = true
			return tables[1].at(c, i), true
		})
	}
	for _, i := range []int{0, 3, len(copyOf(t, store).blocks) - 1} {
		tampered(t, store, fmt.Sprintf("blocks: row %d torn", i), func(c *rows) (place, bool) {
			at := tables[2].at(c, i)
			c.blocks[i].Broken = true
			return place{seqs: at.seqs[:1]}, true
		})
	}
}

func TestOneFaultIsNotToldAsMany(t *testing.T) {
	t.Parallel()
	store := filled(t, 10, 400)
	for _, tc := range []struct {
		what   string
		change func(c *rows)
		most   int
	}{
		{"an amount on a page", func(c *rows) { c.postings[50].Amount++ }, 1},
		{"a running balance", func(c *rows) { c.postings[50].Running++ }, 1},
		{"a posting that is missing", func(c *rows) { c.postings = slices.Delete(c.postings, 50, 51) }, 1},
		{"a total", func(c *rows) { c.totals[1].Totals.Posted++ }, 1},
		{"a mark", func(c *rows) { c.blocks[2].Marks[9]++ }, 1},
		{"a head", func(c *rows) { c.blocks[2].Head[9]++ }, 1},
		{"a description", func(c *rows) { c.journal[60].Description = "else" }, 1},
		{"a fingerprint", func(c *rows) { c.journal[60].Fingerprint[0]++ }, 1},
	} {
		c := copyOf(t, store)
		tc.change(c)
		report, err := bookOn(t, c).Verify(ctx, ledger.VerifyOptions{})
		require.NoError(t, err)
		require.False(t, report.OK(), tc.what)
		require.LessOrEqual(t, len(report.Problems), tc.most, "%s:\n%s", tc.what, list(report))
	}
}

func TestTheLimitOfProblemsCountsTheRest(t *testing.T) {
	t.Parallel()
	c := copyOf(t, filled(t, 10, 300))
	for _, p := range c.postings {
		p.Booked++
	}
	report, err := bookOn(t, c).Verify(ctx, ledger.VerifyOptions{Limit: 7})
	require.NoError(t, err)
	require.Len(t, report.Problems, 7)
	require.Positive(t, report.More)
	require.Contains(t, report.String(), "does not verify")
	_, err = bookOn(t, c).Verify(ctx, ledger.VerifyOptions{Limit: -1})
	require.ErrorIs(t, err, ledger.ErrInvalid)
}

// TestLateRecords seals records in another order than that of their IDs, as
// PostgreSQL does where transactions are slow, some of them very.
func TestLateRecords(t *testing.T) {
	t.Parallel()
	c := &rows{}
	for i, path := range []string{"psp:a:clearing:EUR", "platform:commission:EUR"} {
		spec := ledger.Spec{Path: path, Currency: money.EUR, Type: []ledger.Type{ledger.Asset, ledger.Income}[i]}
		digest := spec.Digest()
		c.accounts = append(c.accounts, &accountRow{int64(i + 1), path, spec.Currency, spec.Type, spec.Mode, digest[:]})
	}
	const n = 13_000
	for id := int64(1); id <= n; id++ {
		r := ledger.Record{ID: id, Kind: ledger.KindPost, Key: fmt.Sprint("k", id), Recorded: id, Effective: id}
		c.journal = append(c.journal, &recordRow{Record: r, Lines: []lineRow{{1, ledger.Posted, 5}, {2, ledger.Posted, -5}}})
	}
	// Most wait for their turn: each block takes every eleventh of what is
	// left up to some way ahead, and the first record is sealed last.
	r := rand.New(rand.NewPCG(1, 1))
	var order [][]int64
	left := make([]int64, 0, n)
	for id := int64(2); id <= n; id++ {
		left = append(left, id)
	}
	for len(left) > 0 {
		var block []int64
		rest := left[:0:0]
		ahead := min(len(left), 1+r.IntN(12_000))
		for i, id := range left {
			if i < ahead && len(block) < 1000 && (r.IntN(11) == 0 || len(left) < 50) {
				block = append(block, id)
			} else {
				rest = append(rest, id)
			}
		}
		left = rest
		if len(block) > 0 {
			order = append(order, block)
		}
	}
	order = append(order, []int64{1})
	sealInOrder(t, c, order)
	report, err := bookOn(t, c).Verify(ctx, ledger.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.EqualValues(t, n, report.Records)
	require.Zero(t, report.Unsealed)

	c.journal[0].Description = "changed"
	report, err = bookOn(t, c).Verify(ctx, ledger.VerifyOptions{})
	require.NoError(t, err)
	require.Len(t, report.Problems, 1, list(report))
	require.EqualValues(t, 1, report.Problems[0].ID)
	require.EqualValues(t, n, report.Problems[0].Seq)

	c.blocks = c.blocks[:len(c.blocks)-1]
	c.postings = c.postings[:len(c.postings)-2]
	report, err = bookOn(t, c).Verify(ctx, ledger.VerifyOptions{})
	require.NoError(t, err)
	require.Len(t, report.Problems, 1, list(report))
	require.Contains(t, report.Problems[0].What, "the sealer does not look for it")
	require.EqualValues(t, 1, report.Problems[0].ID)
}

// sealInOrder seals rows by the sealer of the package, in blocks of these IDs.
func sealInOrder(t *testing.T, c *rows, order [][]int64) {
	t.Helper()
	next := 0
	store := &sealing{rows: c, order: order, next: &next}
	book := bookOn(t, store)
	for range order {
		_, err := book.Seal(ctx)
		require.NoError(t, err)
	}
	require.Equal(t, len(order), next)
}

type sealing struct {
	*rows
	order [][]int64
	next  *int
}

func (s *sealing) Ledger() ledger.Backend { return sealingBackend{readOnly{s.rows}, s} }

type sealingBackend struct {
	readOnly
	s *sealing
}

func (b sealingBackend) Seal(ctx context.Context, fn func(context.Context, ledger.SealTx) error) error {
	return b.View(ctx, func(ctx context.Context, v ledger.View) error {
		return fn(ctx, &sealingTx{b.s, v.(*rowView), map[int64]ledger.Totals{}})
	})
}

type sealingTx struct {
	s       *sealing
	v       *rowView
	running map[int64]ledger.Totals
}

func (x *sealingTx) Last(ctx context.Context) (ledger.Block, error) { return x.v.Last(ctx) }

func (x *sealingTx) Unsealed(ctx context.Context, last ledger.Block, _ int) ([]*ledger.Record, int64, []byte, error) {
	if *x.s.next == len(x.s.order) {
		return nil, 0, nil, nil
	}
	ids := x.s.order[*x.s.next]
	found, err := x.v.Records(ctx, ids)
	return found, max(last.High, ids[len(ids)-1]), []byte("whatever the store notes"), err
}

func (x *sealingTx) Running(_ context.Context, _ ledger.Block, accounts []*ledger.Account) ([]ledger.Totals, error) {
	totals := make([]ledger.Totals, len(accounts))
	for i, a := range accounts {
		for _, p := range x.s.postings {
			if p.Account == a.ID {
				totals[i].Add(p.Layer, p.Running-totals[i].Of(p.Layer))
			}
		}
	}
	return totals, nil
}

func (x *sealingTx) Write(_ context.Context, b *ledger.Block, postings []ledger.Posting) error {
	*x.s.next++
	x.s.blocks = append(x.s.blocks, &blockRow{Block: *b})
	for _, p := range postings {
		x.s.postings = append(x.s.postings, &postingRow{p.Account.ID, p.Layer, p.Seq, p.N, p.ID, p.Amount, p.Running, p.Booked})
	}
	return nil
}
