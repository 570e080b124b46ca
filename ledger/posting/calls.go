package posting

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// This file makes the transactions that the host posts itself: money that moves
// without a payment. Each is data for Book.Post:
//
//	t, err := books.Payout(posting.Payout{Key: "po_1", Provider: "stripe", Bank: "main", Net: net, Fee: fee})
//	receipt, err := books.Book().Post(ctx, t)

// Payout is money that a provider paid to the shop's bank account.
type Payout struct {
	// Key of the transaction; the provider's own id of the payout is a good one.
	Key string
	// Provider instance, as payments name it (one of Config.Providers, if those
	// are given), and the name of the bank account.
	Provider, Bank string
	// Net is what arrived. Fee is what the provider kept for the payout; the
	// zero value is none.
	Net, Fee money.Amount
	// At is the business date; zero for now.
	At time.Time
}

// Payout books a payout: stage PaidOut. The error is an *[Error].
func (b *Books) Payout(p Payout) (ledger.Transaction, error) {
	fee := p.Fee
	if fee.Currency() == "" {
		fee = money.Zero(p.Net.Currency())
	}
	switch {
	case !p.Net.IsPositive():
		return ledger.Transaction{}, &Error{"Payout.Net", "is " + p.Net.String(), "give what arrived, above zero"}
	case fee.Currency() != p.Net.Currency() || fee.IsNegative():
		return ledger.Transaction{}, &Error{"Payout.Fee", "is " + fee.String(), "give zero or more, in the currency of Net"}
	}
	return b.call("Payout", PaidOut, p.Key, p.At, place{provider: p.Provider, bank: p.Bank},
		map[string]string{"Provider": p.Provider, "Bank": p.Bank}, nil, []share{{kind: Net, amount: p.Net}, {kind: Fee, amount: fee}}, true)
}

// Disbursement is money that the shop pays a merchant from its bank.
type Disbursement struct {
	Key string
	// Merchant as it stands in the account's path, and the name of the bank
	// account.
	Merchant, Bank string
	Amount         money.Amount
	At             time.Time
	// Fact: it has been paid already. Without it the transaction is refused,
	// with ledger.ErrCondition, if the merchant is owed less.
	Fact bool
}

// Disbursement books a payment to a merchant: stage Disbursed. Post it before
// the bank is asked, so that nothing is paid twice, and reverse it if the bank
// sends the money back. The error is an *[Error].
func (b *Books) Disbursement(d Disbursement) (ledger.Transaction, error) {
	if !d.Amount.IsPositive() {
		return ledger.Transaction{}, &Error{"Disbursement.Amount", "is " + d.Amount.String(), "give an amount above zero"}
	}
	return b.call("Disbursement", Disbursed, d.Key, d.At, place{merchant: d.Merchant, bank: d.Bank},
		map[string]string{"Merchant": d.Merchant, "Bank": d.Bank}, nil, []share{{kind: Gross, amount: d.Amount}}, d.Fact)
}

// Exchange is money that was changed into another currency, by a provider or a
// bank. It goes through a position account of each currency, so that each
// balances by itself.
type Exchange struct {
	Key string
	// Provider instance, or the name of the bank account: one of them.
	Provider, Bank string
	// Sold went out, Bought came in; their currencies differ.
	Sold, Bought money.Amount
	// Rate that was agreed, as a decimal number: one unit of Sold is that many
	// of Bought. It is kept with the transaction, and must fit the amounts: as
	// far as its last digit and the smallest unit of Bought are exact. Book a
	// fee by itself.
	Rate string
	At   time.Time
}

// Exchange books an exchange: stage Exchanged or BankExchanged. The error is an
// *[Error].
func (b *Books) Exchange(e Exchange) (ledger.Transaction, error) {
	switch {
	case !e.Sold.IsPositive():
		return ledger.Transaction{}, &Error{"Exchange.Sold", "is " + e.Sold.String(), "give an amount above zero"}
	case !e.Bought.IsPositive() || e.Bought.Currency() == e.Sold.Currency():
		return ledger.Transaction{}, &Error{"Exchange.Bought", "is " + e.Bought.String(), "give an amount above zero in another currency"}
	case !isRate(e.Rate):
		return ledger.Transaction{}, &Error{"Exchange.Rate", "is no positive decimal number", `give the rate as it was agreed, such as "1.0842"`}
	case !fits(e.Sold, e.Bought, e.Rate):
		return ledger.Transaction{}, &Error{"Exchange.Rate", fmt.Sprintf("is %s, and %s are not %s at that rate", e.Rate, e.Sold, e.Bought), "give how many of Bought are one of Sold, and book a fee by itself"}
	case (e.Provider == "") == (e.Bank == ""):
		return ledger.Transaction{}, &Error{"Exchange", "names not one of Provider and Bank", "say who changed the money"}
	}
	stage, names := Exchanged, map[string]string{"Provider": e.Provider}
	if e.Bank != "" {
		stage, names = BankExchanged, map[string]string{"Bank": e.Bank}
	}
	return b.call("Exchange", stage, e.Key, e.At, place{provider: e.Provider, bank: e.Bank}, names,
		map[string]string{"rate": e.Rate, "sold": e.Sold.String(), "bought": e.Bought.String()},
		[]share{{kind: Sold, amount: e.Sold}, {kind: Bought, amount: e.Bought}}, true)
}

// call applies a rule of the host's own calls.
func (b *Books) call(what string, s Stage, key string, at time.Time, where place, names, meta map[string]string, shares []share, fact bool) (ledger.Transaction, error) {
	for field, name := range names {
		if name == "" || segment(name) != name {
			return ledger.Transaction{}, &Error{what + "." + field, "is no segment of an account's path", "give 1 to 64 characters of [A-Za-z0-9._-]"}
		}
	}
	if p := where.provider; p != "" && b.config.Providers != nil && !slices.Contains(b.config.Providers, p) {
		return ledger.Transaction{}, &Error{what + ".Provider", fmt.Sprintf("is %q, which is none of posting.Config.Providers", p), "correct the name, or add it there"}
	}
	t := ledger.Transaction{Key: key, Entries: b.rules.entries(s, where, shares), Fact: fact, Effective: at,
		Description: strings.ReplaceAll(string(s), "_", " "), Metadata: meta}
	if len(t.Entries) == 0 {
		return ledger.Transaction{}, &Error{what, "is booked nowhere", "give a rule for the stage " + string(s)}
	}
	if fact {
		return t, nil
	}
	for _, l := range b.rules.legs[s] {
		if l.NotOverdrawn {
			t.Conditions = append(t.Conditions, ledger.NotOverdrawn(l.path(where, shares[0].amount.Currency())))
		}
	}
	return t, nil
}

// fits reports whether amounts agree with a rate, as far as its last digit and
// the smallest unit of what was bought are exact.
func fits(sold, bought money.Amount, rate string) bool {
	r, ok := new(big.Rat).SetString(rate)
	if !ok {
		return false
	}
	from, to := sold.Decimal().Rat(), bought.Decimal().Rat()
	digits := 0
	if i := strings.IndexByte(rate, '.'); i >= 0 {
		digits = len(rate) - i - 1
	}
	tenth := func(n int) *big.Rat {
		return new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil))
	}
	may := new(big.Rat).Mul(from, tenth(digits))
	if digits == 0 { // a whole number is meant as it stands
		may.SetInt64(0)
	}
	may.Add(may, new(big.Rat).Quo(to, new(big.Rat).SetInt64(bought.Minor()))) // and one unit of rounding
	off := new(big.Rat).Sub(new(big.Rat).Mul(from, r), to)
	return off.Abs(off).Cmp(may) <= 0
}

// isRate reports whether s is a positive decimal number.
func isRate(s string) bool {
	digits, points, positive := 0, 0, false
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
			positive = positive || r != '0'
		case r == '.':
			points++
		default:
			return false
		}
	}
	return positive && points <= 1 && len(s) <= 40 && s[0] != '.' && s[len(s)-1] != '.' && digits > 0
}
