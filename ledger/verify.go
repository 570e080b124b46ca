package ledger

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"time"
)

// Table is a part of the books that Verify covers. Stores may keep one in
// several tables of a database.
type Table string

// The tables.
const (
	// TableAccounts says what each account is.
	TableAccounts Table = "accounts"
	// TableJournal has the records: what was posted, held and taken back.
	TableJournal Table = "journal"
	// TableBlocks has the seals: number and hash of every record.
	TableBlocks Table = "blocks"
	// TablePostings has the pages of the accounts, with running balances.
	TablePostings Table = "postings"
	// TableTotals says what each strict account comes to, raises that are not
	// folded in yet included.
	TableTotals Table = "totals"
)

// VerifyOptions says how books are verified.
type VerifyOptions struct {
	// Head is one that was exported and kept outside. Without it nobody can
	// see that the newest blocks were cut off with all that belongs to them,
	// or that the books were made anew from the beginning. nil for none.
	Head *Head
	// Limit is how many problems are reported; more are only counted.
	// Defaults to 100.
	Limit int
	// AsTheyAre verifies without sealing first: nothing is written.
	AsTheyAre bool
	// Progress, if not nil, is told from time to time how many rows of a table
	// were read. It must not use the Book.
	Progress func(table Table, rows int64)
}

// Report is what Verify found.
type Report struct {
	// Problems, at most the limit of them; More counts the rest.
	Problems []Problem
	More     int
	// Tables that were covered.
	Tables []Table
	// Records counts the sealed ones and Unsealed those that have no number
	// yet: of these no hash proves anything.
	Accounts, Records, Unsealed, Blocks, Postings int64
	// Head that the books come to. It is worth keeping outside.
	Head Head
	// Took is how long it took.
	Took time.Duration
}

// OK reports whether no problem was found.
func (r *Report) OK() bool { return len(r.Problems) == 0 && r.More == 0 }

// String is one line.
func (r *Report) String() string {
	of := fmt.Sprintf("%d records in %d blocks, %d postings on %d accounts, %d not sealed yet", r.Records, r.Blocks, r.Postings, r.Accounts, r.Unsealed)
	if r.OK() {
		return "the ledger verifies: " + of
	}
	n := len(r.Problems) + r.More
	first := ""
	if len(r.Problems) > 0 {
		first = "; first: " + r.Problems[0].String()
	}
	return fmt.Sprintf("the ledger does not verify: %d problems among %s%s", n, of, first)
}

// Problem is one place where the books are not what they must be.
type Problem struct {
	Table Table
	// ID and Seq name a record by its number in the journal and its gapless
	// one; with TableBlocks Seq is the first number of a block or that of one
	// of its records, with TableAccounts and TableTotals ID is the number of
	// the account; N is the line of a posting. 0 where it is about none.
	ID, Seq int64
	N       int
	// Account by its path, or "number 17" where no account has the number.
	Account string
	// What is wrong, in words.
	What string
}

// String names the place and what is wrong with it, in one line.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(string(p.Table))
	ofAccount := p.Table == TableAccounts || p.Table == TableTotals
	switch {
	case p.Seq == 0:
	case p.Table == TableBlocks:
		fmt.Fprintf(&b, ", block of number %d", p.Seq)
	case p.Table == TablePostings:
		fmt.Fprintf(&b, ", number %d line %d", p.Seq, p.N)
	default:
		fmt.Fprintf(&b, ", number %d", p.Seq)
	}
	switch {
	case p.ID == 0 || ofAccount && p.Account == numbered(p.ID):
	case ofAccount:
		fmt.Fprintf(&b, ", row %d", p.ID)
	default:
		fmt.Fprintf(&b, ", record %d", p.ID)
	}
	if p.Account != "" {
		b.WriteString(", account " + p.Account)
	}
	return b.String() + ": " + p.What
}

// Verify proves the books, or names the places where they are not what was
// written. It reads all of them once, on one consistent view, in memory that
// grows with the number of accounts and not with that of transactions.
//
// It checks that every account is what it was opened as; that the blocks
// number the records without a gap and their chain of hashes holds; that every
// record is sealed once, or waits for it; that each balances, and takes from an
// earlier one no more than that had; that the pages of the accounts are what
// the records say; and that what strict accounts come to, and their versions,
// follow from the journal. What it finds is in the Report, with a nil error:
// an error means that it could not be done.
func (b *Book) Verify(ctx context.Context, options VerifyOptions) (*Report, error) {
	switch {
	case options.Limit < 0:
		return nil, invalid("Limit", "is negative", "leave it out for 100")
	case options.Head != nil && options.Head.Seq < 0:
		return nil, invalid("Head", "has no number", "read it with ledger.ParseHead")
	case options.Limit == 0:
		options.Limit = 100
	}
	began := b.now()
	var unsealable error
	if !options.AsTheyAre {
		if !b.backend.Joined(ctx) {
			_, unsealable = b.Seal(ctx)
		}
		if unsealable != nil && ctx.Err() != nil {
			return nil, unsealable
		}
		if errors.Is(unsealable, ErrBusy) {
			unsealable = nil // Report.Unsealed says how much it is
		}
	}
	var report *Report
	err := b.backend.View(ctx, func(ctx context.Context, view View) error {
		v := newVerifier(options)
		report = v.report
		if err := v.verify(ctx, view); err != nil {
			return err
		}
		if unsealable != nil { // and what was found before is why
			v.add(Problem{Table: TableBlocks, What: "what has no seal cannot be sealed: " + oneLine(unsealable)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	report.Took = b.now().Sub(began)
	return report, nil
}

// verifier is one run of Verify.
type verifier struct {
	options VerifyOptions
	report  *Report
	view    View

	accounts map[int64]*tally
	paths    map[string]bool
	missing  map[int64]bool // numbers of accounts that were told to be missing
	seeds    [2]maphash.Seed

	seal  sealCheck
	parts []part // of the page that is read
	lost  map[int64]bool

	closed  int64   // by all records
	highest int64   // ID that is in a block
	low     []int64 // IDs in no block below it
	high    int64   // how many above it
}

// tally is what the journal makes of an account.
type tally struct {
	account *Account
	sealed  Totals
	all     Totals // and what is not sealed
	taken   int64
	seen    int64 // ID of the record that was counted in taken last
	used    bool
	over    bool
	listed  bool // has a row of totals
	pages   [3]digest
}

func newVerifier(options VerifyOptions) *verifier {
	v := &verifier{options: options, accounts: map[int64]*tally{}, paths: map[string]bool{}, missing: map[int64]bool{}, lost: map[int64]bool{},
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
	v.report = &Report{Tables: []Table{TableAccounts, TableJournal, TableBlocks, TablePostings, TableTotals}}
	v.seal.init()
	return v
}

func (v *verifier) add(p Problem) {
	if len(v.report.Problems) < v.options.Limit {
		v.report.Problems = append(v.report.Problems, p)
	} else {
		v.report.More++
	}
}

func (v *verifier) progress(t Table, rows int64) {
	if v.options.Progress != nil {
		v.options.Progress(t, rows)
	}
}

// readable makes a finding of rows that cannot be decoded.
func (v *verifier) readable(t Table, err error) error {
	if errors.Is(err, ErrCorrupt) {
		v.add(Problem{Table: t, What: "cannot be read to its end: " + oneLine(err)})
		return nil
	}
	return err
}

func (v *verifier) verify(ctx context.Context, view View) error {
	v.view = view
	if err := v.readable(TableAccounts, view.Accounts(ctx, v.account)); err != nil {
		return err
	}
	v.progress(TableAccounts, v.report.Accounts)
	w := walker{view: view, begin: v.begin, sealed: v.sealed, end: v.end, tail: v.tail, page: v.page, again: func(id int64) {
		v.add(Problem{Table: TableJournal, ID: id, What: "stands in the journal twice"})
	}}
	if err := w.run(ctx); err != nil {
		return err
	}
	v.heads()
	for _, check := range []func(context.Context) error{v.unsealed, v.closing, v.postings, v.totals} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	v.sums()
	return nil
}

// page checks what needs more than the row at hand.
func (v *verifier) page(ctx context.Context) error {
	if err := v.drawn(ctx); err != nil {
		return err
	}
	v.progress(TableJournal, v.report.Records+v.report.Unsealed)
	return nil
}

// tail takes a record that is in no block.
func (v *verifier) tail(r *Record, broken error) {
	v.report.Unsealed++
	if r.ID <= v.highest {
		v.low = append(v.low, r.ID)
	} else {
		v.high++
	}
	if broken != nil {
		v.add(Problem{Table: TableJournal, ID: r.ID, What: "cannot be read: " + oneLine(broken)})
		return
	}
	v.rules(r, 0)
	v.note(r, 0)
	for i := range r.Lines {
		l := &r.Lines[i]
		v.tallyOf(l.Account).count(r, l)
	}
}

// note keeps what is checked at the end of the page.
func (v *verifier) note(r *Record, seq int64) {
	if r.Of != 0 {
		v.parts = append(v.parts, part{of: r.Of, id: r.ID, seq: seq})
	}
	if r.Kind == KindClose {
		v.closed = max(v.closed, r.Effective)
	}
}

// count adds a line to what an account comes to now.
func (t *tally) count(r *Record, l *Line) {
	t.used = true
	t.over = !t.all.Add(l.Layer, l.Amount) || t.over
	if t.account.lowers(l.Layer, l.Amount) && t.seen != r.ID {
		t.taken++
		t.seen = r.ID
	}
}

// tallyOf returns the tally of an account, if need be a new one for what is in
// the journal and not among the accounts.
func (v *verifier) tallyOf(a *Account) *tally {
	t := v.accounts[a.ID]
	if t == nil {
		t = &tally{account: a}
		v.accounts[a.ID] = t
		v.noAccount(a.ID, a.Path)
	}
	return t
}

func (v *verifier) noAccount(number int64, name string) {
	if v.missing[number] {
		return
	}
	v.missing[number] = true
	if name == "" {
		name = numbered(number)
	}
	v.add(Problem{Table: TableAccounts, ID: number, Account: name, What: "is not among the accounts, and the books speak of it"})
}

func numbered(account int64) string { return "number " + strconv.FormatInt(account, 10) }

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
