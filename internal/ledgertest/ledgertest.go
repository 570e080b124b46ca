// Package ledgertest fills books with random transactions, for tests.
package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// Chart is the chart of accounts of the random books: every type and mode.
func Chart() *ledger.Chart {
	c, err := ledger.NewChart(
		ledger.Rule{Pattern: "psp:{provider}:clearing:{currency}", Type: ledger.Asset},
		ledger.Rule{Pattern: "bank:{currency}", Type: ledger.Asset, Mode: ledger.Strict},
		ledger.Rule{Pattern: "merchant:{id}:payable:{currency}", Type: ledger.Liability, Mode: ledger.Strict},
		ledger.Rule{Pattern: "platform:commission:{currency}", Type: ledger.Income},
		ledger.Rule{Pattern: "fees:psp:{currency}", Type: ledger.Expense},
		ledger.Rule{Pattern: "equity:fx:{currency}", Type: ledger.Equity},
	)
	if err != nil {
		panic(err) // the rules are the constants above
	}
	return c
}

// Clock is a clock that goes on by a second and a bit whenever it is read.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock begins at the start of 2026.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

// Now tells the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second + 137*time.Microsecond)
	return c.now
}

// Filler posts random transactions to a book.
type Filler struct {
	Book *ledger.Book
	// SealEvery is after how many changes the book is sealed, about; 0 for
	// never.
	SealEvery int
	// Closings lets periods be closed now and then.
	Closings bool

	rand   *rand.Rand
	prefix string
	n      int
	clock  time.Time
	holds  []string
	posted []string
	// Accepted counts what was recorded, Refused what was not.
	Accepted, Refused int
}

// NewFiller returns one whose choices follow from the seed; the keys begin
// with prefix.
func NewFiller(book *ledger.Book, prefix string, seed uint64) *Filler {
	return &Filler{Book: book, SealEvery: 20, Closings: true, prefix: prefix, rand: rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)),
		clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

var currencies = []money.Currency{money.EUR, money.EUR, money.EUR, money.USD, money.JPY, money.KWD}

// Fill makes n changes. It returns the first error that is no refusal.
func (f *Filler) Fill(ctx context.Context, n int) error {
	for range n {
		f.n++
		c := f.change()
		receipt, err := f.Book.Apply(ctx, c)
		var refused *ledger.Error
		switch {
		case err == nil:
			f.Accepted++
			f.remember(receipt)
			f.clock = receipt.Recorded
		case errors.As(err, &refused):
			f.Refused++
		default:
			return err
		}
		if f.SealEvery > 0 && f.rand.IntN(f.SealEvery) == 0 {
			if _, err := f.Book.Seal(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

const remembered = 200

func (f *Filler) remember(r ledger.Receipt) {
	list := &f.posted
	switch r.Kind {
	case ledger.KindHold:
		list = &f.holds
	case ledger.KindVoid, ledger.KindExpire, ledger.KindClose:
		return
	}
	if *list = append(*list, r.Key); len(*list) > remembered {
		*list = (*list)[1:]
	}
}

func (f *Filler) key(what string) string { return fmt.Sprintf("%s%s-%d", f.prefix, what, f.n) }

func (f *Filler) pick(list []string) string {
	if len(list) == 0 {
		return f.prefix + "nothing"
	}
	return list[f.rand.IntN(len(list))]
}

func (f *Filler) change() ledger.Change {
	text, data := f.text()
	switch n := f.rand.IntN(100); {
	case n < 45:
		return f.transaction(f.key("post"), text, data)
	case n < 65:
		t := f.transaction(f.key("hold"), text, data)
		t.Pending = true
		if f.rand.IntN(2) == 0 {
			t.ExpiresAt = f.clock.Add(time.Duration(f.rand.IntN(1000)) * time.Hour)
		}
		return t
	case n < 80:
		s := ledger.Settlement{Key: f.key("settle"), Hold: f.pick(f.holds), Description: text, Metadata: data, Final: f.rand.IntN(3) == 0}
		if f.rand.IntN(3) > 0 {
			s.Amount = money.Of(1+f.rand.Int64N(500), f.currency())
		}
		return s
	case n < 84:
		return ledger.Void{Key: f.key("void"), Hold: f.pick(f.holds), Description: text}
	case n < 86:
		return ledger.Expiry{Key: f.key("expire"), Hold: f.pick(f.holds), Fact: true}
	case n < 95:
		r := ledger.Reversal{Key: f.key("reverse"), Of: f.pick(f.posted), Description: text, Metadata: data}
		if f.rand.IntN(2) == 0 {
			r.Amount = money.Of(1+f.rand.Int64N(300), f.currency())
		}
		return r
	case n < 96 && f.Closings:
		return ledger.Closing{Key: f.key("close"), Before: f.clock.Add(-time.Duration(1+f.rand.IntN(100)) * time.Minute)}
	case n < 98:
		t := f.transaction(f.key("fx"), text, data)
		to := f.currency()
		in := money.Of(1+f.rand.Int64N(10000), to)
		t.Entries = append(t.Entries, ledger.Debit("equity:fx:"+string(to), in), ledger.Credit("bank:"+string(to), in))
		return t
	default:
		t := f.transaction(f.key("fact"), text, data)
		t.Fact, t.Effective = true, f.clock.Add(-time.Duration(f.rand.IntN(1000))*time.Hour)
		return t
	}
}

func (f *Filler) currency() money.Currency { return currencies[f.rand.IntN(len(currencies))] }

func (f *Filler) text() (string, map[string]string) {
	texts := []string{"", "order 42", "Überweisung; part 2 | note", "=SUM(A1:A9)", `a "quoted", text`, "  (odd) * ! code", "未定"}
	text := strings.TrimRight(texts[f.rand.IntN(len(texts))], " ")
	if f.rand.IntN(3) > 0 {
		return text, nil
	}
	return text, map[string]string{"order": fmt.Sprint(f.n), "shop": "de"}
}

// transaction debits a provider's clearing account and credits a merchant,
// with commission and fee now and then.
func (f *Filler) transaction(key, text string, data map[string]string) ledger.Transaction {
	c := f.currency()
	code := string(c)
	minor := 2 + f.rand.Int64N(100_000)
	debit := []string{"psp:stripe:clearing:" + code, "psp:adyen:clearing:" + code, "bank:" + code}[f.rand.IntN(3)]
	merchant := fmt.Sprintf("merchant:%d:payable:%s", f.rand.IntN(5), code)
	fee := f.rand.Int64N(minor)
	t := ledger.Transaction{Key: key, Description: text, Metadata: data, Entries: []ledger.Entry{ledger.Debit(debit, money.Of(minor, c))}}
	if fee > 0 && f.rand.IntN(2) == 0 {
		t.Entries = append(t.Entries, ledger.Credit("platform:commission:"+code, money.Of(fee, c)))
	} else {
		fee = 0
	}
	t.Entries = append(t.Entries, ledger.Credit(merchant, money.Of(minor-fee, c)))
	if f.rand.IntN(6) == 0 { // paid out: the other way round
		for i := range t.Entries {
			t.Entries[i].Side = -t.Entries[i].Side
		}
		t.Conditions = []ledger.Condition{ledger.NotOverdrawn(merchant)}
	}
	if f.rand.IntN(6) == 0 {
		cost := money.Of(1+f.rand.Int64N(50), c)
		t.Entries = append(t.Entries, ledger.Debit("fees:psp:"+code, cost), ledger.Credit(debit, cost))
	}
	if f.rand.IntN(5) == 0 {
		t.Effective = f.clock.Add(-time.Duration(f.rand.IntN(90)) * time.Minute)
	}
	return t
}
