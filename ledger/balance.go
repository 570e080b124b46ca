package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tender-go/payment/money"
)

// Balance is what an account comes to. Amounts are in the account's currency,
// and positive where the account stands on its normal side: what a merchant is
// owed is a positive balance of a liability.
type Balance struct {
	Account string
	Type    Type
	Mode    Mode
	// Posted is the balance in the usual sense.
	Posted money.Amount
	// PendingIn would raise it and PendingOut lower it, if all that is held
	// were settled.
	PendingIn, PendingOut money.Amount
	// Available is Posted less PendingOut.
	Available money.Amount
	// Version of a strict account counts the transactions that took from it:
	// see AtVersion. 0 for a deferred one, and as of an earlier time.
	Version int64
}

// AsOf says when a balance is asked for. The zero value is now.
type AsOf struct {
	// Effective leaves out what is dated at or after it; of late entries the
	// date counts that they were booked at. Zero for no bound. Pending amounts
	// are not asked as of an effective date: they are then zero.
	Effective time.Time
	// Recorded leaves out what was sealed after it; what has no seal yet counts
	// as sealed now. Zero for no bound.
	Recorded time.Time
}

// instants are those of an AsOf, in microseconds; 0 for no bound.
type instants struct{ effective, recorded int64 }

func (at AsOf) bounds() (i instants, err error) {
	if i.effective, err = boundary("AsOf.Effective", at.Effective); err == nil {
		i.recorded, err = boundary("AsOf.Recorded", at.Recorded)
	}
	return i, err
}

func boundary(field string, t time.Time) (int64, error) {
	if t.IsZero() {
		return 0, nil
	}
	if y := t.UTC().Year(); y < 1970 || y > 9999 {
		return 0, invalid(field, "lies outside the years 1970 to 9999", "give an instant of these years, or none")
	}
	return max(t.UnixMicro(), firstInstant), nil
}

func (a *Account) balance(t Totals) (Balance, error) {
	if !t.inRange() {
		return Balance{}, overflow(a)
	}
	c := a.Currency
	b := Balance{Account: a.Path, Type: a.Type, Mode: a.Mode, Available: money.Of(t.available(a.Type), c)}
	if a.Type.Normal() == DebitSide {
		b.Posted, b.PendingIn, b.PendingOut = money.Of(t.Posted, c), money.Of(t.HeldDebit, c), money.Of(t.HeldCredit, c)
	} else {
		b.Posted, b.PendingIn, b.PendingOut = money.Of(-t.Posted, c), money.Of(t.HeldCredit, c), money.Of(t.HeldDebit, c)
	}
	return b, nil
}

// Balance returns what an account comes to, all that was acknowledged included.
// A path that the chart does not know is ErrUnknownAccount. One that it knows
// and that was never posted to is at zero, or ErrNotFound if its pattern names
// no currency to be zero in.
func (b *Book) Balance(ctx context.Context, account string, at AsOf) (Balance, error) {
	spec, err := b.chart.anyCurrency(account)
	if err != nil {
		return Balance{}, err
	}
	bounds, err := at.bounds()
	if err != nil {
		return Balance{}, err
	}
	var out Balance
	err = b.backend.View(ctx, func(ctx context.Context, v View) error {
		a, err := v.Account(ctx, account)
		if err != nil {
			if spec.Currency == "" || !isNotFound(err) {
				return err
			}
			out, err = (&Account{Spec: spec}).balance(Totals{})
			return err
		}
		if a.Mode == Strict && at == (AsOf{}) {
			now, err := v.Total(ctx, a.ID)
			if err == nil && now.ID != a.ID {
				err = fmt.Errorf("what the account %s comes to is not stored any more (see Verify): %w", a.Path, ErrCorrupt)
			}
			if err != nil {
				return err
			}
			out, err = a.balance(now.Totals)
			out.Version = now.Version
			return err
		}
		totals, _, _, err := b.totalsAt(ctx, v, bounds, []*Account{a})
		if err != nil {
			return err
		}
		out, err = a.balance(totals[0])
		return err
	})
	return out, err
}

// totalsAt adds up what accounts come to, after the record with number seq and
// as many that have no number yet. Those count as if they were sealed now: what
// was acknowledged is never missing, and no read waits for a seal.
func (b *Book) totalsAt(ctx context.Context, v View, at instants, accounts []*Account) (totals []Totals, seq int64, unsealed int, err error) {
	last, err := v.Last(ctx)
	tail := at.recorded == 0 || at.recorded >= max(micros(b.now()), last.Sealed)
	if err == nil && !tail {
		last, err = v.SealedBy(ctx, at.recorded)
	}
	if err != nil {
		return nil, 0, 0, err
	}
	if at.effective == 0 {
		totals, err = v.Running(ctx, last.Last(), accounts)
	} else {
		totals, err = effectiveTotals(ctx, v, at, last, accounts)
	}
	if err != nil || !tail {
		return totals, last.Last(), 0, err
	}
	index := make(map[*Account]int, len(accounts))
	for i, a := range accounts {
		index[a] = i
	}
	err = v.Unsealed(ctx, last, func(r *Record) error {
		unsealed++
		if booked := last.book(r); at.effective != 0 && booked >= at.effective {
			return nil
		}
		for _, l := range r.Lines {
			if i, ok := index[l.Account]; ok && (at.effective == 0 || l.Layer == Posted) {
				totals[i].Add(l.Layer, l.Amount)
			}
		}
		return nil
	})
	return totals, last.Last(), unsealed, err
}

// effectiveTotals adds up what is dated before an instant.
func effectiveTotals(ctx context.Context, v View, at instants, last Block, accounts []*Account) ([]Totals, error) {
	totals := make([]Totals, len(accounts))
	if last.Last() == 0 {
		return totals, nil
	}
	for i, a := range accounts {
		q := PostingQuery{Account: a, Layers: []Layer{Posted}, Until: last.Last(), BookedBefore: at.effective}
		err := v.Postings(ctx, q, func(p Posting) error {
			totals[i].Add(p.Layer, p.Amount)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return totals, nil
}

// TrialBalance lists every account with what it comes to, as debit or credit,
// and the sums of both, which are equal in each currency: the books foot.
type TrialBalance struct {
	// At is as it was asked for; Seq the number of the last sealed record that
	// counts, and Unsealed how many were added that have no number yet.
	At       AsOf
	Seq      int64
	Unsealed int
	// Lines by path.
	Lines []TrialLine
	// Sums by currency code.
	Sums []TrialSum
}

// TrialLine is one account of a trial balance. One of Debit and Credit is zero.
type TrialLine struct {
	Account       string
	Type          Type
	Debit, Credit money.Amount
	// PendingDebit and PendingCredit are held on each side.
	PendingDebit, PendingCredit money.Amount
}

// TrialSum adds up one currency.
type TrialSum struct {
	Currency      money.Currency
	Debit, Credit money.Amount
	// PendingDebit and PendingCredit are held on each side.
	PendingDebit, PendingCredit money.Amount
}

// Foots reports whether debits equal credits in every currency. Books that do
// not are corrupt: see Verify.
func (t *TrialBalance) Foots() bool {
	for _, s := range t.Sums {
		if s.Debit != s.Credit || s.PendingDebit != s.PendingCredit {
			return false
		}
	}
	return true
}

// TrialBalance takes a trial balance.
func (b *Book) TrialBalance(ctx context.Context, at AsOf) (*TrialBalance, error) {
	bounds, err := at.bounds()
	if err != nil {
		return nil, err
	}
	var out *TrialBalance
	err = b.backend.View(ctx, func(ctx context.Context, v View) error {
		out = &TrialBalance{At: at}
		var accounts []*Account
		if err := v.Accounts(ctx, func(a *Account, _ []byte) error {
			accounts = append(accounts, a)
			return nil
		}); err != nil {
			return err
		}
		totals, seq, unsealed, err := b.totalsAt(ctx, v, bounds, accounts)
		if err != nil {
			return err
		}
		out.Seq, out.Unsealed = seq, unsealed
		return out.fill(accounts, totals)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *TrialBalance) fill(accounts []*Account, totals []Totals) error {
	sums := map[money.Currency]*TrialSum{}
	for i, a := range accounts {
		c, have := a.Currency, totals[i]
		if !have.inRange() {
			return overflow(a)
		}
		line := TrialLine{Account: a.Path, Type: a.Type, Debit: money.Of(max(have.Posted, 0), c), Credit: money.Of(max(-have.Posted, 0), c),
			PendingDebit: money.Of(have.HeldDebit, c), PendingCredit: money.Of(have.HeldCredit, c)}
		t.Lines = append(t.Lines, line)
		s := sums[c]
		if s == nil {
			zero := money.Zero(c)
			s = &TrialSum{c, zero, zero, zero, zero}
			sums[c] = s
		}
		for _, add := range []struct {
			to *money.Amount
			by money.Amount
		}{{&s.Debit, line.Debit}, {&s.Credit, line.Credit}, {&s.PendingDebit, line.PendingDebit}, {&s.PendingCredit, line.PendingCredit}} {
			sum, err := add.to.Add(add.by)
			if err != nil {
				return &Error{Kind: ErrOverflow, Account: a.Path, Problem: fmt.Sprintf("makes the sum of %s run over", c), Remedy: "read the balances one by one"}
			}
			*add.to = sum
		}
	}
	sortBy(t.Lines, func(l TrialLine) string { return l.Account })
	for _, s := range sums {
		t.Sums = append(t.Sums, *s)
	}
	sortBy(t.Sums, func(s TrialSum) string { return string(s.Currency) })
	return nil
}
