//go:build unix

package crash_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/sqlstore"
)

// The ledger's workload: what is asked of the books, as a worker tells it
// before it asks.

// The accounts. The strict ones are few, so that writers meet.
const (
	shops  = 12
	funded = 3_000 // minor units on each, so that some conditions fail
)

func shop(n int, c money.Currency) string { return fmt.Sprintf("shop:%d:%s", n, c) }
func world(c money.Currency) string       { return "world:" + string(c) }

func chart() *ledger.Chart {
	c, err := ledger.NewChart(
		ledger.Rule{Pattern: "shop:{n}:{currency}", Type: ledger.Liability, Mode: ledger.Strict},
		ledger.Rule{Pattern: "fees:{currency}", Type: ledger.Income},
		ledger.Rule{Pattern: "world:{currency}", Type: ledger.Asset})
	if err != nil {
		panic(err) // of the lines above
	}
	return c
}

func openBook(s ledger.Store) (*ledger.Book, error) {
	// Sealed often, so that many a kill meets the sealer.
	return ledger.New(ledger.Config{Store: s, Chart: chart(), SealEvery: 3 * time.Millisecond})
}

// shape says how the changes of an operation belong together.
type shape string

const (
	single   shape = "single"
	all      shape = "all"      // PostAll: each by itself
	together shape = "together" // PostTogether: all or none
	host     shape = "host"     // in a host's transaction, with a row of the host's
	takeBack shape = "takeBack" // the same, and the host rolls it back
)

// operation is one call.
type operation struct {
	ID      string
	Shape   shape
	Changes []*change
	// Late: the host writes its row after it has posted, not before.
	Late bool `json:",omitempty"`
	// Linger is how long the host's transaction stays open, in microseconds.
	Linger int `json:",omitempty"`
}

// change is a ledger.Change as a line of text.
type change struct {
	Key, Kind string
	Legs      []leg          `json:",omitempty"`
	Of        string         `json:",omitempty"`
	Amount    int64          `json:",omitempty"`
	Currency  money.Currency `json:",omitempty"`
	Final     bool           `json:",omitempty"`
	// Floor is the account that must not be overdrawn.
	Floor string `json:",omitempty"`
	// At is an instant in microseconds: when a hold expires, or what is closed.
	At int64 `json:",omitempty"`
}

// leg of a post or hold: debits are positive.
type leg struct {
	Account string
	Minor   int64
}

func (c *change) ledger() ledger.Change {
	var amount money.Amount
	if c.Amount > 0 {
		amount = money.Of(c.Amount, c.Currency)
	}
	var conditions []ledger.Condition
	if c.Floor != "" {
		conditions = []ledger.Condition{ledger.NotOverdrawn(c.Floor)}
	}
	var at time.Time
	if c.At != 0 {
		at = time.UnixMicro(c.At)
	}
	switch c.Kind {
	case "settle":
		return ledger.Settlement{Key: c.Key, Hold: c.Of, Amount: amount, Final: c.Final}
	case "void":
		return ledger.Void{Key: c.Key, Hold: c.Of}
	case "reverse":
		return ledger.Reversal{Key: c.Key, Of: c.Of, Amount: amount, Conditions: conditions}
	case "close":
		return ledger.Closing{Key: c.Key, Before: at}
	}
	t := ledger.Transaction{Key: c.Key, Pending: c.Kind == "hold", ExpiresAt: at, Conditions: conditions, Metadata: map[string]string{"order": c.Key}}
	for _, l := range c.Legs {
		e := ledger.Debit(l.Account, money.Of(l.Minor, c.Currency))
		if l.Minor < 0 {
			e = ledger.Credit(l.Account, money.Of(-l.Minor, c.Currency))
		}
		t.Entries = append(t.Entries, e)
	}
	return t
}

// outcome is what an answer means.
type outcome string

const (
	kept    outcome = "kept"    // recorded
	refused outcome = "refused" // for good: nothing is written
	undone  outcome = "undone"  // the host rolled it back
	busy    outcome = "busy"    // nothing is written, may be sent again
	failed  outcome = "failed"  // the database failed before COMMIT: likewise
	unknown outcome = "unknown" // may or may not be written
)

func (o outcome) final() bool { return o == kept || o == refused || o == undone }

// answer is what came back for one change.
type answer struct {
	Key      string
	Outcome  outcome
	ID       int64  `json:",omitempty"`
	Replayed bool   `json:",omitempty"`
	Error    string `json:",omitempty"`
}

// refusals are the errors that the workload may meet. Any other, ErrNotFound
// for a hold that was answered say, is a fault.
func isRefusal(err error) bool {
	for _, kind := range []error{ledger.ErrCondition, ledger.ErrState, ledger.ErrExceeds, ledger.ErrClosed, ledger.ErrTogether} {
		if errors.Is(err, kind) {
			return true
		}
	}
	// A hold whose time is over before it could be made.
	var own *ledger.Error
	return errors.As(err, &own) && own.Field == "ExpiresAt"
}

// answerOf says what became of a change; the error is for what may not be.
func answerOf(key string, r ledger.Receipt, err error) (answer, error) {
	var own *ledger.Error
	a := answer{Key: key}
	switch {
	case err == nil:
		a.Outcome, a.ID, a.Replayed = kept, r.ID, r.Replayed
		if r.Key != key || r.ID == 0 {
			return a, fmt.Errorf("the receipt for %s is %+v", key, r)
		}
		return a, nil
	case errors.Is(err, ledger.ErrCommitUnknown):
		a.Outcome = unknown
	case errors.Is(err, ledger.ErrBusy):
		a.Outcome = busy
	case isRefusal(err):
		a.Outcome = refused
	case errors.As(err, &own), errors.Is(err, ledger.ErrCorrupt):
		return a, fmt.Errorf("%s is answered with what it does not deserve: %w", key, err)
	default:
		a.Outcome = failed
	}
	a.Error = err.Error()
	return a, nil
}

// books is an open store with its book.
type books struct {
	*ledger.Book
	store *sqlstore.Store
}

// perform asks once. Its error is for what may not be.
func (b books) perform(ctx context.Context, op *operation) ([]answer, error) {
	changes := make([]ledger.Change, len(op.Changes))
	receipts := make([]ledger.Receipt, len(op.Changes))
	errs := make([]error, len(op.Changes))
	for i, c := range op.Changes {
		changes[i] = c.ledger()
	}
	var wrong error
	switch op.Shape {
	case single:
		receipts[0], errs[0] = b.Apply(ctx, changes[0])
	case all:
		for i, r := range b.PostAll(ctx, changes...) {
			receipts[i], errs[i] = r.Receipt, r.Err
		}
	case together:
		got, err := b.PostTogether(ctx, changes...)
		copy(receipts, got)
		for i := range errs {
			errs[i] = err
		}
	case host, takeBack:
		receipts[0], errs[0], wrong = b.asHost(ctx, op, changes[0])
	}
	answers := make([]answer, len(op.Changes))
	for i, c := range op.Changes {
		var err error
		answers[i], err = answerOf(c.Key, receipts[i], errs[i])
		if op.Shape == takeBack && answers[i].Outcome == kept {
			answers[i] = answer{Key: c.Key, Outcome: undone}
		}
		wrong = errors.Join(wrong, err)
	}
	return answers, wrong
}

// asHost posts in a transaction of the host's, together with the order's row.
func (b books) asHost(ctx context.Context, op *operation, c ledger.Change) (receipt ledger.Receipt, err, wrong error) { //nolint:revive // two errors
	db := b.store.DB()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return receipt, err, nil
	}
	defer func() { _ = tx.Rollback() }()
	key := op.Changes[0].Key
	var rows int64
	order := func() error {
		done, err := tx.ExecContext(ctx, "INSERT INTO crash_orders (key, minor) VALUES ("+b.marks(2)+") ON CONFLICT DO NOTHING", key, op.Changes[0].Legs[0].Minor)
		if err == nil {
			rows, err = done.RowsAffected()
		}
		return err
	}
	if !op.Late {
		if err := order(); err != nil {
			return receipt, err, nil
		}
	}
	if receipt, err = b.Apply(sqlstore.In(ctx, tx), c); err != nil {
		return receipt, err, nil
	}
	if op.Late {
		if err := order(); err != nil {
			return ledger.Receipt{}, err, nil
		}
	}
	if receipt.Replayed != (rows == 0) {
		wrong = fmt.Errorf("%s is in the journal: %t, and its order is there: %t", key, receipt.Replayed, rows == 0)
	}
	time.Sleep(time.Duration(op.Linger) * time.Microsecond)
	if op.Shape == takeBack {
		return receipt, tx.Rollback(), wrong
	}
	if err := tx.Commit(); err != nil {
		// A host cannot tell either whether a COMMIT without an answer came through.
		return ledger.Receipt{}, fmt.Errorf("%w: %w", ledger.ErrCommitUnknown, err), wrong
	}
	return receipt, nil, wrong
}

// marks are n parameters of a statement.
func (b books) marks(n int) string {
	text := ""
	for i := 1; i <= n; i++ {
		mark := "$"
		if b.store.Dialect() == sqlstore.SQLite {
			mark = "?"
		}
		text += "," + mark + strconv.Itoa(i)
	}
	return text[1:]
}

const ordersTable = "CREATE TABLE crash_orders (key VARCHAR(128) PRIMARY KEY, minor BIGINT NOT NULL)"

// author makes up what one caller asks for.
type author struct {
	*rand.Rand
	prefix string
	count  int
	holds  []hold // answered, and perhaps still open
	posts  []*change
}

type hold struct {
	Key      string
	Currency money.Currency
}

func (a *author) key(kind string) string {
	a.count++
	return fmt.Sprintf("%s.%d-%s", a.prefix, a.count, kind)
}

func (a *author) currency() money.Currency {
	if a.IntN(4) == 0 {
		return money.USD
	}
	return money.EUR
}

// next makes up an operation.
func (a *author) next() *operation {
	op := &operation{Shape: single}
	switch n := a.IntN(100); {
	case n < 26:
		op.Changes = []*change{a.post("post")}
	case n < 38:
		op.Shape = all
		for range 2 + a.IntN(6) {
			op.Changes = append(op.Changes, a.any())
		}
	case n < 54:
		op.Shape = together
		drawn := map[string]bool{}
		for range 2 + a.IntN(4) {
			c := a.post("group")
			if a.IntN(3) == 0 {
				// No two of a group may draw on the same.
				if other := a.any(); !drawn[other.Of] || other.Of == "" {
					c, drawn[other.Of] = other, true
				}
			}
			op.Changes = append(op.Changes, c)
		}
	case n < 70:
		op.Shape, op.Late = host, a.IntN(2) == 0
		if a.IntN(5) == 0 {
			op.Shape = takeBack
		}
		if a.IntN(4) == 0 {
			op.Linger = a.IntN(4000)
		}
		op.Changes = []*change{a.post(string(op.Shape))}
	default:
		op.Changes = []*change{a.any()}
	}
	op.ID = op.Changes[0].Key
	return op
}

// any makes up a change of any kind.
func (a *author) any() *change {
	switch n := a.IntN(100); {
	case n < 35:
		return a.hold()
	case n < 70 && len(a.holds) > 0:
		return a.endOfHold()
	case n < 85 && len(a.posts) > 0:
		of := a.posts[a.IntN(len(a.posts))]
		c := &change{Key: a.key("reverse"), Kind: "reverse", Of: of.Key, Currency: of.Currency}
		if a.IntN(2) == 0 {
			c.Amount = 1 + a.Int64N(100)
		}
		for _, l := range of.Legs {
			if l.Minor < 0 && l.Account[:4] == "shop" { // it takes the credit back
				c.Floor = l.Account
			}
		}
		return c
	case n < 87:
		return &change{Key: a.key("close"), Kind: "close", At: time.Now().Add(-time.Hour).UnixMicro()}
	}
	return a.post("post")
}

func (a *author) post(kind string) *change {
	c := &change{Key: a.key(kind), Kind: "post", Currency: a.currency()}
	minor := 1 + a.Int64N(400)
	to := shop(a.IntN(shops), c.Currency)
	switch n := a.IntN(20); {
	case n == 0: // to an account that it opens
		to = fmt.Sprintf("shop:%s.%d:%s", a.prefix, a.count, c.Currency)
		fallthrough
	case n < 7: // money comes in
		c.Legs = []leg{{world(c.Currency), minor}, {to, -minor}}
	case n < 10: // it goes out
		c.Legs = []leg{{to, minor}, {world(c.Currency), -minor}}
		c.Floor = to
	default: // a sale from one to another, with a fee
		from := shop(a.IntN(shops), c.Currency)
		if from == to {
			to = world(c.Currency)
		}
		c.Legs = []leg{{from, minor + 3}, {to, -minor}, {"fees:" + string(c.Currency), -3}}
		c.Floor = from
	}
	return c
}

func (a *author) hold() *change {
	c := &change{Key: a.key("hold"), Kind: "hold", Currency: a.currency()}
	minor := 1 + a.Int64N(200)
	from := shop(a.IntN(shops), c.Currency)
	c.Legs = []leg{{from, minor}, {world(c.Currency), -minor}}
	c.Floor = from
	if a.IntN(3) == 0 { // some expire while others are at it
		c.At = time.Now().Add(time.Duration(a.IntN(60)) * time.Millisecond).UnixMicro()
	}
	return c
}

func (a *author) endOfHold() *change {
	i := a.IntN(len(a.holds))
	h := a.holds[i]
	c := &change{Key: a.key("settle"), Kind: "settle", Of: h.Key, Currency: h.Currency, Final: a.IntN(2) == 0}
	switch a.IntN(4) {
	case 0:
		c.Key, c.Kind, c.Final = a.key("void"), "void", false
	case 1: // all of it
	default:
		c.Amount = 1 + a.Int64N(80)
	}
	if c.Kind == "void" || c.Final || len(a.holds) > 30 {
		a.holds = append(a.holds[:i], a.holds[i+1:]...)
	}
	return c
}

// answered learns from an answer what can be asked next.
func (a *author) answered(c *change, got answer) {
	if got.Outcome != kept {
		return
	}
	switch {
	case c.Kind == "hold":
		a.holds = append(a.holds, hold{c.Key, c.Currency})
	case c.Kind == "post" && len(a.posts) < 100:
		a.posts = append(a.posts, c)
	}
}
