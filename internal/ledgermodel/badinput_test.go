package ledgermodel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

func eur(minor int64) money.Amount { return money.Of(minor, money.EUR) }

// move is a plain transaction.
func move(key, debit, credit string, amount money.Amount) ledger.Transaction {
	return ledger.Transaction{Key: key, Entries: []ledger.Entry{ledger.Debit(debit, amount), ledger.Credit(credit, amount)}}
}

// largest fills an account to the brim: so many entries of MaxAmount.
func largest(key, debit, credit string, n int) ledger.Transaction {
	t := ledger.Transaction{Key: key}
	for range n {
		t.Entries = append(t.Entries, ledger.Debit(debit, eur(ledger.MaxAmount)), ledger.Credit(credit, eur(ledger.MaxAmount)))
	}
	return t
}

var march = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// standing is what the bad input meets.
var standing = []ledger.Change{
	move("sale", "bank:EUR", "shop:1:EUR", eur(1000)),
	move("dollars", "till:a", "capital", money.Of(500, money.USD)),
	ledger.Transaction{Key: "hold", Pending: true, Entries: []ledger.Entry{ledger.Debit("shop:1:EUR", eur(300)), ledger.Credit("bank:EUR", eur(300))}},
	ledger.Transaction{Key: "voided", Pending: true, Entries: []ledger.Entry{ledger.Debit("shop:1:EUR", eur(10)), ledger.Credit("bank:EUR", eur(10))}},
	ledger.Void{Key: "void", Hold: "voided"},
	ledger.Transaction{Key: "expired", Pending: true, Entries: []ledger.Entry{ledger.Debit("shop:1:EUR", eur(10)), ledger.Credit("bank:EUR", eur(10))}},
	ledger.Expiry{Key: "expiry", Hold: "expired", Fact: true},
	ledger.Transaction{Key: "two-currencies", Pending: true, Entries: []ledger.Entry{ledger.Debit("bank:EUR", eur(7)), ledger.Credit("income:EUR", eur(7)),
		ledger.Debit("bank:USD", money.Of(8, money.USD)), ledger.Credit("income:USD", money.Of(8, money.USD))}},
	ledger.Settlement{Key: "part", Hold: "hold", Amount: eur(100)},
	move("reversed", "bank:EUR", "shop:1:EUR", eur(50)),
	ledger.Reversal{Key: "reversal", Of: "reversed"},
	ledger.Closing{Key: "close", Before: march},
	largest("brim-1", "till:b", "rent", 500),
	largest("brim-2", "till:b", "rent", 12),
	largest("far-1", "bank:EUR", "income:EUR", 300),
}

var badInput = []struct {
	name   string
	change ledger.Change
	kind   error
	says   string // what the line must name
}{
	{"unbalanced", ledger.Transaction{Key: "k", Entries: []ledger.Entry{ledger.Debit("bank:EUR", eur(100)), ledger.Credit("shop:1:EUR", eur(99))}}, ledger.ErrUnbalanced, "0.01 EUR"},
	{"balanced across currencies only", ledger.Transaction{Key: "k", Entries: []ledger.Entry{ledger.Debit("bank:EUR", eur(100)), ledger.Credit("shop:1:USD", money.Of(100, money.USD))}}, ledger.ErrUnbalanced, "1.00"},
	{"no entries", ledger.Transaction{Key: "k"}, ledger.ErrInvalid, "Entries"},
	{"one entry", ledger.Transaction{Key: "k", Entries: []ledger.Entry{ledger.Debit("bank:EUR", eur(100))}}, ledger.ErrInvalid, "Entries"},
	{"too many entries", largest("k", "bank:EUR", "income:EUR", 501), ledger.ErrInvalid, "1000"},
	{"zero amount", move("k", "bank:EUR", "shop:1:EUR", eur(0)), ledger.ErrInvalid, "Entries[0].Amount"},
	{"no amount", move("k", "bank:EUR", "shop:1:EUR", money.Amount{}), ledger.ErrInvalid, "Entries[0].Amount"},
	{"negative amount", move("k", "bank:EUR", "shop:1:EUR", eur(-5)), ledger.ErrInvalid, "-0.05 EUR"},
	{"more than an entry takes", move("k", "bank:EUR", "shop:1:EUR", eur(ledger.MaxAmount+1)), ledger.ErrOverflow, "Entries[0].Amount"},
	{"no side", ledger.Transaction{Key: "k", Entries: []ledger.Entry{{Account: "bank:EUR", Amount: eur(1)}, ledger.Credit("shop:1:EUR", eur(1))}}, ledger.ErrInvalid, "Side"},
	{"mixed currencies on one account", ledger.Transaction{Key: "k", Entries: []ledger.Entry{ledger.Debit("fees", eur(1)), ledger.Credit("shop:1:EUR", eur(1)),
		ledger.Debit("fees", money.Of(1, money.USD)), ledger.Credit("shop:1:USD", money.Of(1, money.USD))}}, ledger.ErrCurrency, "fees"},
	{"an account of another currency", move("k", "till:a", "shop:1:EUR", eur(1)), ledger.ErrCurrency, "till:a"},
	{"a path of another currency", move("k", "bank:EUR", "shop:1:USD", eur(1)), ledger.ErrCurrency, "shop:1:USD"},
	{"unknown currency", move("k", "fees", "capital", money.Of(1, "XXQ")), ledger.ErrInvalid, "XXQ"},
	{"unknown account", move("k", "bank:EUR", "shoP:1:EUR", eur(1)), ledger.ErrUnknownAccount, "shoP:1:EUR"},
	{"an account with a longer path", move("k", "bank:EUR", strings.Repeat("x", 1000), eur(1)), ledger.ErrUnknownAccount, "xxx"},
	{"closed period", ledger.Transaction{Key: "k", Entries: move("", "bank:EUR", "shop:1:EUR", eur(1)).Entries, Effective: march.Add(-time.Microsecond)}, ledger.ErrClosed, "2026-03-01"},
	{"settled in a closed period", ledger.Settlement{Key: "k", Hold: "hold", Effective: march.AddDate(0, -1, 0)}, ledger.ErrClosed, "Effective"},
	{"closed again", ledger.Closing{Key: "k", Before: march}, ledger.ErrClosed, "Before"},
	{"closed in the future", ledger.Closing{Key: "k", Before: time.Now().AddDate(50, 0, 0)}, ledger.ErrInvalid, "Before"},
	{"a hold that is over", ledger.Transaction{Key: "k", Pending: true, Entries: move("", "bank:EUR", "shop:1:EUR", eur(1)).Entries, ExpiresAt: march.AddDate(0, 0, 1)}, ledger.ErrInvalid, "ExpiresAt"},
	{"a pattern for a path", move("k", "bank:EUR", "shop:{id}:EUR", eur(1)), ledger.ErrUnknownAccount, "shop:{id}:EUR"},
	{"no path", move("k", "bank:EUR", "", eur(1)), ledger.ErrUnknownAccount, "names no account"},
	{"closed at no time", ledger.Closing{Key: "k"}, ledger.ErrInvalid, "Before"},
	{"an instant of another age", ledger.Transaction{Key: "k", Entries: move("", "bank:EUR", "shop:1:EUR", eur(1)).Entries, Effective: time.Date(20260, 1, 1, 0, 0, 0, 0, time.UTC)}, ledger.ErrInvalid, "Effective"},
	{"key reuse with another amount", move("sale", "bank:EUR", "shop:1:EUR", eur(1001)), ledger.ErrKeyConflict, "sale"},
	{"key reuse for another kind", ledger.Void{Key: "sale", Hold: "hold"}, ledger.ErrKeyConflict, "sale"},
	{"key reuse with another date", ledger.Transaction{Key: "sale", Entries: move("", "bank:EUR", "shop:1:EUR", eur(1000)).Entries, Effective: march}, ledger.ErrKeyConflict, "sale"},
	{"no key", move("", "bank:EUR", "shop:1:EUR", eur(1)), ledger.ErrInvalid, "Key"},
	{"a key of two lines", move("a\nb", "bank:EUR", "shop:1:EUR", eur(1)), ledger.ErrInvalid, "Key"},
	{"a long key", move(strings.Repeat("k", 129), "bank:EUR", "shop:1:EUR", eur(1)), ledger.ErrInvalid, "129"},
	{"post of a voided hold", ledger.Settlement{Key: "k", Hold: "voided"}, ledger.ErrState, "void"},
	{"post of an expired hold", ledger.Settlement{Key: "k", Hold: "expired", Amount: eur(1)}, ledger.ErrState, "expiry"},
	{"void of a voided hold", ledger.Void{Key: "k", Hold: "voided"}, ledger.ErrState, "void"},
	{"void of what was posted", ledger.Void{Key: "k", Hold: "sale"}, ledger.ErrState, "sale"},
	{"expiry before its time", ledger.Expiry{Key: "k", Hold: "hold"}, ledger.ErrState, "hold"},
	{"post of no hold", ledger.Settlement{Key: "k", Hold: "nothing"}, ledger.ErrNotFound, "nothing"},
	{"post of no key", ledger.Settlement{Key: "k"}, ledger.ErrInvalid, "Hold"},
	{"post of more than is held", ledger.Settlement{Key: "k", Hold: "hold", Amount: eur(201)}, ledger.ErrExceeds, "2.00 EUR"},
	{"post of a negative part", ledger.Settlement{Key: "k", Hold: "hold", Amount: eur(-1)}, ledger.ErrInvalid, "Amount"},
	{"post of a part in another currency", ledger.Settlement{Key: "k", Hold: "hold", Amount: money.Of(1, money.USD)}, ledger.ErrCurrency, "Amount"},
	{"post of a part of two currencies", ledger.Settlement{Key: "k", Hold: "two-currencies", Amount: eur(1)}, ledger.ErrCurrency, "Entries"},
	{"post of entries that are not held", ledger.Settlement{Key: "k", Hold: "hold", Entries: []ledger.Entry{ledger.Debit("shop:2:EUR", eur(1)), ledger.Credit("bank:EUR", eur(1))}}, ledger.ErrExceeds, "shop:2:EUR"},
	{"post of entries of the other side", ledger.Settlement{Key: "k", Hold: "hold", Entries: []ledger.Entry{ledger.Debit("bank:EUR", eur(1)), ledger.Credit("shop:1:EUR", eur(1))}}, ledger.ErrExceeds, "bank:EUR"},
	{"post of unbalanced entries", ledger.Settlement{Key: "k", Hold: "hold", Entries: []ledger.Entry{ledger.Debit("shop:1:EUR", eur(1)), ledger.Credit("bank:EUR", eur(2))}}, ledger.ErrUnbalanced, "0.01 EUR"},
	{"post of an amount and entries", ledger.Settlement{Key: "k", Hold: "hold", Amount: eur(1), Entries: move("", "shop:1:EUR", "bank:EUR", eur(1)).Entries}, ledger.ErrInvalid, "Amount"},
	{"second full reversal", ledger.Reversal{Key: "k", Of: "reversed"}, ledger.ErrState, "reversal"},
	{"reversal of more than was posted", ledger.Reversal{Key: "k", Of: "part", Amount: eur(101)}, ledger.ErrExceeds, "1.00 EUR"},
	{"reversal of a hold", ledger.Reversal{Key: "k", Of: "hold"}, ledger.ErrState, "pending"},
	{"reversal of a void", ledger.Reversal{Key: "k", Of: "void"}, ledger.ErrState, "void"},
	{"reversal of a closing", ledger.Reversal{Key: "k", Of: "close"}, ledger.ErrState, "close"},
	{"reversal of nothing", ledger.Reversal{Key: "k", Of: "nothing"}, ledger.ErrNotFound, "nothing"},
	{"overdrawn", conditional(move("k", "shop:1:EUR", "bank:EUR", eur(701)), ledger.NotOverdrawn("shop:1:EUR")), ledger.ErrCondition, "7.00 EUR"},
	{"another version", conditional(move("k", "bank:EUR", "shop:1:EUR", eur(1)), ledger.AtVersion("shop:1:EUR", 99)), ledger.ErrCondition, "99"},
	{"a condition on a deferred account", conditional(move("k", "bank:EUR", "shop:1:EUR", eur(1)), ledger.NotOverdrawn("bank:EUR")), ledger.ErrInvalid, "bank:EUR"},
	{"a condition on an unknown account", conditional(move("k", "bank:EUR", "shop:1:EUR", eur(1)), ledger.NotOverdrawn("nowhere")), ledger.ErrUnknownAccount, "nowhere"},
	{"a condition on a fact", func() ledger.Change {
		t := conditional(move("k", "bank:EUR", "shop:1:EUR", eur(1)), ledger.NotOverdrawn("shop:1:EUR"))
		t.Fact = true
		return t
	}(), ledger.ErrInvalid, "Conditions"},
	{"overflow of a balance", move("k", "till:b", "shop:1:EUR", eur(ledger.MaxAmount)), ledger.ErrOverflow, "till:b"},
	{"overflow downwards", move("k", "shop:1:EUR", "rent", eur(ledger.MaxAmount)), ledger.ErrOverflow, "rent"},
	{"an expiry of what is not pending", ledger.Transaction{Key: "k", Entries: move("", "bank:EUR", "shop:1:EUR", eur(1)).Entries, ExpiresAt: march.AddDate(1, 0, 0)}, ledger.ErrInvalid, "ExpiresAt"},
	{"a description of two lines", ledger.Transaction{Key: "k", Entries: move("", "bank:EUR", "shop:1:EUR", eur(1)).Entries, Description: "a\nb"}, ledger.ErrInvalid, "Description"},
	{"a description that is no text", ledger.Transaction{Key: "k", Entries: move("", "bank:EUR", "shop:1:EUR", eur(1)).Entries, Description: "a\xff"}, ledger.ErrInvalid, "Description"},
	{"too long a value", ledger.Transaction{Key: "k", Entries: move("", "bank:EUR", "shop:1:EUR", eur(1)).Entries, Metadata: map[string]string{"id": strings.Repeat("x", 201)}}, ledger.ErrInvalid, "Metadata[id]"},
	{"an empty name", ledger.Transaction{Key: "k", Entries: move("", "bank:EUR", "shop:1:EUR", eur(1)).Entries, Metadata: map[string]string{"": "x"}}, ledger.ErrInvalid, "Metadata"},
}

func conditional(t ledger.Transaction, c ...ledger.Condition) ledger.Transaction {
	t.Conditions = c
	return t
}

// TestBadInput: what cannot be recorded is refused with an error of its kind, in
// one line that names what is wrong, and nothing is written, whichever way it
// is asked for.
func TestBadInput(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := k.open(t)
			t.Cleanup(s.close)
			backend := s.Store.(ledger.Store)
			now := march.AddDate(0, 0, 10)
			book, err := ledger.New(ledger.Config{Store: backend, Chart: newChart(t), Now: func() time.Time { return now }})
			require.NoError(t, err)
			for _, r := range book.PostAll(t.Context(), standing...) {
				require.NoError(t, r.Err)
			}
			before := everything(t, backend)
			good := move("good", "fees", "shop:2:EUR", eur(1))
			for _, c := range badInput {
				ways := map[string]func() error{
					"alone": func() error {
						_, err := book.Apply(t.Context(), c.change)
						return err
					},
					"all": func() error { return book.PostAll(t.Context(), c.change)[0].Err },
					"together": func() error {
						_, err := book.PostTogether(t.Context(), good, c.change)
						return err
					},
					"in": func() error {
						return s.Update(t.Context(), func(ctx context.Context, tx payment.Tx) error {
							_, err := book.PostIn(ctx, tx.(ledger.Keeper), good, c.change)
							return err
						})
					},
					"twice": func() error { // and refused again
						_, _ = book.Apply(t.Context(), c.change)
						_, err := book.Apply(t.Context(), c.change)
						return err
					},
				}
				if s.join != nil {
					ways["host"] = func() error {
						ctx, end := s.join(t)
						_, err := book.Apply(ctx, c.change)
						require.NoError(t, end(true), "what is refused leaves the host's transaction as it was")
						return err
					}
				}
				if k.name == "postgres" && errors.Is(c.kind, ledger.ErrOverflow) && strings.HasPrefix(c.name, "overflow") {
					// In a transaction of several statements what comes into an account
					// is appended without a look at it: MaxBalance is kept only by
					// whoever locks the account next.
					delete(ways, "in")
					delete(ways, "host")
				}
				for way, ask := range ways {
					err := ask()
					about := fmt.Sprintf("%s (%s): %v", c.name, way, err)
					require.ErrorIs(t, err, c.kind, about)
					var told *ledger.Error
					require.ErrorAs(t, err, &told, about)
					require.Equal(t, c.kind, told.Kind, about)
					require.NotEmpty(t, told.Remedy, about)
					line := told.Error()
					require.Contains(t, line, c.says, about)
					require.False(t, strings.ContainsAny(line, "\n\r"), "one line: %s", about)
					require.Less(t, len(line), 400, about)
				}
			}
			require.Equal(t, before, everything(t, backend), "nothing was written")
			_, err = book.Post(t.Context(), good)
			require.NoError(t, err)
			// What is only appended to is known to be full once it is sealed.
			for n := range 2 {
				_, err = book.Seal(t.Context())
				require.NoError(t, err)
				for _, change := range []ledger.Change{move("one-more", "bank:EUR", "shop:1:EUR", eur(1)), largest("many-more", "bank:EUR", "income:EUR", 1)} {
					_, err = book.Apply(t.Context(), change)
					require.ErrorIs(t, err, ledger.ErrOverflow, "a deferred account that is nearly full, %d", n)
				}
			}
			proof, err := book.Verify(t.Context(), ledger.VerifyOptions{})
			require.NoError(t, err)
			require.True(t, proof.OK(), "%v", proof)
			now = now.AddDate(1000, 0, 0).AddDate(9000, 0, 0)
			_, err = book.Post(t.Context(), move("too-late", "fees", "shop:2:EUR", eur(1)))
			require.ErrorIs(t, err, ledger.ErrInvalid, "a clock that is wrong")
		})
	}
}

// everything is all that is stored of the books.
func everything(t *testing.T, s ledger.Store) (all []string) {
	t.Helper()
	require.NoError(t, s.Ledger().View(t.Context(), func(ctx context.Context, v ledger.View) error {
		note := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
		last, err := v.Last(ctx)
		note("%+v", last)
		return errors.Join(err,
			v.Journal(ctx, 0, 0, func(r *ledger.Record, broken error) error {
				note("%d %s %d %v", r.ID, r.Key, r.Part, r.Final)
				return broken
			}),
			v.Accounts(ctx, func(a *ledger.Account, digest []byte) error {
				note("%d %+v %x", a.ID, a.Spec, digest)
				return nil
			}),
			v.Totals(ctx, func(l ledger.Locked) error {
				note("%+v", l)
				return nil
			}))
	}))
	return all
}

// TestBadCalls: what is wrong with a call and not with one change.
func TestBadCalls(t *testing.T) {
	t.Parallel()
	s := kinds()[0].open(t)
	book, err := ledger.New(ledger.Config{Store: s.Store.(ledger.Store), Chart: newChart(t)})
	require.NoError(t, err)
	ctx := t.Context()
	one := move("k", "bank:EUR", "shop:1:EUR", eur(1))
	_, err = book.Post(ctx, one)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		call func() error
		kind error
	}{
		"nothing together": {func() error { _, err := book.PostTogether(ctx); return err }, ledger.ErrInvalid},
		"too many together": {func() error {
			_, err := book.PostTogether(ctx, slices.Repeat([]ledger.Change{one}, 1001)...)
			return err
		}, ledger.ErrInvalid},
		"the same key twice": {func() error { _, err := book.PostTogether(ctx, one, one); return err }, ledger.ErrInvalid},
		"one on the other": {func() error {
			_, err := book.PostTogether(ctx, move("n", "fees", "capital", eur(1)), ledger.Reversal{Key: "r", Of: "n"})
			return err
		}, ledger.ErrInvalid},
		"nil":               {func() error { _, err := book.Apply(ctx, nil); return err }, ledger.ErrInvalid},
		"nil pointer":       {func() error { _, err := book.Apply(ctx, (*ledger.Transaction)(nil)); return err }, ledger.ErrInvalid},
		"nil among several": {func() error { return book.PostAll(ctx, one, nil)[1].Err }, ledger.ErrInvalid},
		"unknown account":   {func() error { _, err := book.Balance(ctx, "nowhere", ledger.AsOf{}); return err }, ledger.ErrUnknownAccount},
		"never posted to":   {func() error { _, err := book.Balance(ctx, "fees", ledger.AsOf{}); return err }, ledger.ErrNotFound},
		"page too long": {func() error {
			_, err := book.Statement(ctx, ledger.StatementQuery{Account: "bank:EUR", Limit: 1001})
			return err
		}, ledger.ErrInvalid},
		"page of nothing": {func() error {
			_, err := book.Statement(ctx, ledger.StatementQuery{Account: "bank:EUR", Limit: -1})
			return err
		}, ledger.ErrInvalid},
		"no cursor": {func() error {
			_, err := book.Statement(ctx, ledger.StatementQuery{Account: "bank:EUR", After: "1"})
			return err
		}, ledger.ErrInvalid},
		"no such statement":    {func() error { _, err := book.Statement(ctx, ledger.StatementQuery{Account: "nowhere"}); return err }, ledger.ErrUnknownAccount},
		"no such transaction":  {func() error { _, err := book.Find(ctx, "nothing"); return err }, ledger.ErrNotFound},
		"no key to be found":   {func() error { _, err := book.Find(ctx, ""); return err }, ledger.ErrNotFound},
		"half a head":          {func() error { _, err := ledger.ParseHead("ledger-head 1 5"); return err }, ledger.ErrInvalid},
		"a chart of no rules":  {func() error { _, err := ledger.NewChart(); return err }, ledger.ErrInvalid},
		"a book without store": {func() error { _, err := ledger.New(ledger.Config{Chart: newChart(t)}); return err }, ledger.ErrInvalid},
	} {
		err := c.call()
		var told *ledger.Error
		require.ErrorAs(t, err, &told, "%s: %v", name, err)
		require.Equal(t, c.kind, told.Kind, "%s: %v", name, err)
		require.False(t, strings.ContainsAny(err.Error(), "\n\r"), "%s: %v", name, err)
	}
}
