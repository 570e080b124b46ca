package posting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
)

// Config says how payments are booked. The zero value is [Default].
type Config struct {
	// Accounts is the chart of accounts. nil is DefaultAccounts; append to
	// those to add accounts of your own.
	Accounts []ledger.Rule
	// Rules replace the default rule of their stage.
	Rules []Rule
	// Merchant names the {merchant} segment of the accounts that a split is
	// booked to. nil takes Split.Merchant, or without one Split.Account.
	// Characters that no path may have are replaced, and the name marked. It
	// must answer the same for ever.
	Merchant func(payment.Split) string
	// Providers are the instances that Payout and Exchange may name, also those
	// that serve no payments any more. nil takes any name.
	Providers []string
	// SealEvery and Now are those of ledger.Config.
	SealEvery time.Duration
	Now       func() time.Time
	// Logger hears what could not be booked, and failures of the sealer. nil
	// discards.
	Logger *slog.Logger
}

// Books books payments: it is the participant for payment.Config.Books. It
// serves one store; its methods may be called from many goroutines once
// payment.New has returned.
type Books struct {
	config Config
	chart  *ledger.Chart
	rules  *ruleBook
	logger *slog.Logger

	mu    sync.RWMutex
	store payment.Store
	book  *ledger.Book
}

var (
	_ payment.Participant = (*Books)(nil)
	_ payment.Runner      = (*Books)(nil)
)

// Default books by DefaultAccounts and DefaultRules.
func Default() *Books {
	b, err := New(Config{})
	if err != nil {
		panic("posting: the default rules do not fit the default accounts: " + err.Error()) // a test proves that they do
	}
	return b
}

// New checks the rules against the chart. The error is an *[Error] that names
// the faulty rule, or a *ledger.Error about the chart.
func New(config Config) (*Books, error) {
	if config.Accounts == nil {
		config.Accounts = DefaultAccounts()
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	chart, err := ledger.NewChart(config.Accounts...)
	if err != nil {
		return nil, err
	}
	rules, err := newRules(config.Rules, chart)
	if err != nil {
		return nil, err
	}
	return &Books{config: config, chart: chart, rules: rules, logger: config.Logger}, nil
}

// Rules lists the rules in force, one for each stage.
func (b *Books) Rules() []Rule {
	notes := map[Stage]string{}
	for _, r := range append(DefaultRules(), b.config.Rules...) {
		notes[r.Stage] = r.Note
	}
	out := make([]Rule, 0, len(stages))
	for _, info := range stages {
		out = append(out, Rule{Stage: info.stage, Legs: append([]Leg(nil), b.rules.legs[info.stage]...), Note: notes[info.stage]})
	}
	return out
}

// Chart is the chart of accounts.
func (b *Books) Chart() *ledger.Chart { return b.chart }

// Book is the ledger that payments are booked to: for balances, statements,
// exports, and what the host posts itself. It is nil before payment.New.
func (b *Books) Book() *ledger.Book {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.book
}

func (b *Books) name(s payment.Split) string {
	if b.config.Merchant != nil {
		return b.config.Merchant(s)
	}
	if s.Merchant != "" {
		return s.Merchant
	}
	return s.Account
}

// Name implements payment.Participant.
func (b *Books) Name() string { return "books" }

// Check implements payment.Participant: the store must keep a ledger.
func (b *Books) Check(s payment.Store) error {
	keeps, ok := s.(ledger.Store)
	if !ok {
		return &Error{"the store", fmt.Sprintf("(%T) keeps no ledger", s), "use store/sqlite, store/postgres or store/memstore, or implement ledger.Store"}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.book != nil {
		if !same(b.store, s) {
			return &Error{"the store", "is not the one that these Books serve", "make Books for each store"}
		}
		return nil
	}
	book, err := ledger.New(ledger.Config{Store: keeps, Chart: b.chart, SealEvery: b.config.SealEvery, Logger: b.config.Logger, Now: b.config.Now})
	if err != nil {
		return err
	}
	b.store, b.book = s, book
	return nil
}

func same(a, b payment.Store) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}

// Run seals the ledger until ctx ends. payment.Client.Run runs it.
func (b *Books) Run(ctx context.Context) error {
	book := b.Book()
	if book == nil {
		return &Error{"Run", "is called before payment.New", "give the Books to payment.Config first"}
	}
	return book.Run(ctx)
}

// OnPlan implements payment.Participant. Nothing is booked before it happened.
func (b *Books) OnPlan(context.Context, payment.Tx, *payment.Payment, *payment.Operation, *payment.Step) error {
	return nil
}

// OnRecord implements payment.Participant: it books what the event changed, in
// its commit.
func (b *Books) OnRecord(ctx context.Context, tx payment.Tx, p *payment.Payment, e *payment.Event) error {
	s := changed(p, false)
	if len(s.operations) == 0 {
		return nil
	}
	x := &pass{books: b, p: p, at: dated(e), expired: e.Status == payment.ResultExpired || e.Source == payment.SourceClock}
	_, err := b.record(ctx, tx, x, s)
	return err
}

// dated is the business date of an event: when it happened, as far as the
// provider says so and its clock is not ahead of ours.
func dated(e *payment.Event) time.Time {
	if e.At.IsZero() || e.At.After(e.RecordedAt) {
		return e.RecordedAt
	}
	return e.At
}

// record makes the journal say what the payment's record says, in a
// transaction, and returns how many changes that took.
func (b *Books) record(ctx context.Context, tx payment.Tx, x *pass, s scope) (int, error) {
	keeper, ok := tx.(ledger.Keeper)
	if !ok {
		return 0, &Error{"the store's transaction", fmt.Sprintf("(%T) keeps no ledger", tx), "implement ledger.Keeper; a wrapper must pass LedgerTx on"}
	}
	var err error
	if x.journal, err = read(ctx, keeper.LedgerTx(), needed(x.p, s)); err != nil {
		return 0, again(err)
	}
	changes := x.book(s)
	if len(changes) == 0 {
		return 0, nil
	}
	if changes, err = x.undoable(ctx, keeper.LedgerTx(), changes); err != nil {
		return 0, again(err)
	}
	book := b.Book()
	if _, err = book.PostIn(ctx, keeper, changes...); err == nil {
		return len(changes), nil
	} else if !refused(err) {
		return 0, again(err)
	}
	// One by one, so that what is refused stops nothing else.
	done := 0
	for _, c := range changes {
		switch _, err := book.PostIn(ctx, keeper, c); {
		case err == nil:
			done++
		case !refused(err):
			return 0, again(err)
		default:
			x.refused = append(x.refused, err)
			b.logger.LogAttrs(ctx, slog.LevelError, "posting: a payment could not be booked; correct the cause, then call CatchUp", slog.String("payment", x.p.ID), slog.Any("error", err))
		}
	}
	return done, nil
}

// undoable leaves out reversals of what somebody has reversed already.
func (x *pass) undoable(ctx context.Context, from reader, changes []ledger.Change) ([]ledger.Change, error) {
	var ids []int64
	for _, c := range changes {
		if r, ok := c.(ledger.Reversal); ok {
			ids = append(ids, x.journal[r.Of].id)
		}
	}
	if len(ids) == 0 {
		return changes, nil
	}
	parts, err := from.Parts(ctx, sorted(ids))
	if err != nil {
		return nil, err
	}
	gone := map[int64]bool{}
	for _, p := range parts {
		gone[p.Of] = gone[p.Of] || p.Final
	}
	instead := map[string]bool{} // it would be there twice
	for key, next := range x.anew {
		instead[next] = gone[x.journal[key].id]
	}
	out := changes[:0:0]
	for _, c := range changes {
		if r, ok := c.(ledger.Reversal); ok && gone[x.journal[r.Of].id] {
			continue
		}
		if t, ok := c.(ledger.Transaction); ok && instead[t.Key] {
			continue
		}
		out = append(out, c)
	}
	return out, nil
}

// refused reports whether the ledger will never take a change as it is.
func refused(err error) bool {
	var own *ledger.Error
	return errors.As(err, &own)
}

// again makes the payment's store run its transaction again where the ledger's
// asks for it.
func again(err error) error {
	switch {
	case errors.Is(err, ledger.ErrConflict) && !errors.Is(err, payment.ErrConflict):
		return &retry{payment.ErrConflict, err}
	case errors.Is(err, ledger.ErrBusy) && !errors.Is(err, payment.ErrBusy):
		return &retry{payment.ErrBusy, err}
	}
	return err
}

type retry struct{ as, cause error }

func (r *retry) Error() string   { return r.cause.Error() }
func (r *retry) Unwrap() []error { return []error{r.as, r.cause} }

// CatchUp books what is missing of a payment, and takes back what should not be
// there: after payments were made without books, or could not be booked. It
// returns how many changes that took; none, if the books are right. What the
// ledger does not take is an error that wraps the first *ledger.Error; what it
// takes stays booked, and counted, all the same.
func (b *Books) CatchUp(ctx context.Context, paymentID string) (int, error) {
	b.mu.RLock()
	store := b.store
	b.mu.RUnlock()
	if store == nil {
		return 0, &Error{"CatchUp", "is called before payment.New", "give the Books to payment.Config first"}
	}
	n := 0
	var refused []error
	err := store.Update(ctx, func(ctx context.Context, tx payment.Tx) error {
		n, refused = 0, nil
		p, err := tx.Payment(ctx, paymentID) // locked: no event comes between
		if err != nil {
			return err
		}
		x := &pass{books: b, p: p, at: p.UpdatedAt}
		n, err = b.record(ctx, tx, x, changed(p, true))
		refused = x.refused
		return err
	})
	if err == nil && len(refused) > 0 {
		err = fmt.Errorf("posting: payment %s: %d changes could not be booked; correct the cause and call CatchUp again: %w", paymentID, len(refused), refused[0])
	}
	return n, err
}
