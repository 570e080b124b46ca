package posting

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// Rule says how a stage is booked.
type Rule struct {
	Stage Stage
	// Legs, whose debits and credits are equal whatever the amounts. With none
	// the stage is not booked; New refuses that where another stage that is
	// booked would then stand alone, as DisputeLost without Disputed.
	Legs []Leg
	// Note for the reader.
	Note string
}

// Leg is one side of a rule.
type Leg struct {
	Side ledger.Side
	// Account is a path with placeholders: {provider} is the name of the
	// provider's instance, {merchant} the receiver of a part, {bank} the bank
	// account's name, {currency} the amount's currency, which every path has.
	Account string
	Amount  Amount
	// NotOverdrawn refuses what would take more than the account has. Only in
	// rules of the host's own calls, and on strict accounts.
	NotOverdrawn bool
}

// Debit is a leg on the debit side.
func Debit(account string, a Amount) Leg {
	return Leg{Side: ledger.DebitSide, Account: account, Amount: a}
}

// Credit is a leg on the credit side.
func Credit(account string, a Amount) Leg {
	return Leg{Side: ledger.CreditSide, Account: account, Amount: a}
}

// Error says what is wrong with a Config or a call.
type Error struct {
	// Field, e.g. `rule "captured": leg 2`.
	Field string
	// Problem in words, and what can be done about it.
	Problem, Remedy string
}

// Error is one line.
func (e *Error) Error() string { return "posting: " + e.Field + " " + e.Problem + ": " + e.Remedy }

func itoa(n int) string { return strconv.Itoa(n) }

const (
	clearing   = "psp:{provider}:clearing:{currency}"
	disputed   = "psp:{provider}:disputed:{currency}"
	payable    = "merchant:{merchant}:payable:{currency}"
	commission = "platform:commission:{currency}"
	sales      = "shop:sales:{currency}"
	refunds    = "shop:refunds:{currency}"
	losses     = "shop:chargebacks:{currency}"
	pspFees    = "fees:psp:{provider}:{currency}"
	caseFees   = "fees:dispute:{provider}:{currency}"
	overpaid   = "suspense:overpaid:{currency}"
	excess     = "suspense:excess:{currency}"
	bank       = "bank:{bank}:{currency}"
	fxPosition = "fx:position:{currency}"
)

// DefaultAccounts is the chart of accounts that DefaultRules book to, with the
// accounts that settlement uses. The slice is the caller's.
func DefaultAccounts() []ledger.Rule {
	return []ledger.Rule{
		{Pattern: clearing, Type: ledger.Asset, Note: "what a provider has collected for us and not paid out yet"},
		{Pattern: disputed, Type: ledger.Asset, Note: "what a provider holds back because of open disputes"},
		{Pattern: "psp:{provider}:reserve:{currency}", Type: ledger.Asset, Note: "what a provider keeps as security"},
		{Pattern: bank, Type: ledger.Asset, Note: "money in the shop's bank account of that name"},
		{Pattern: excess, Type: ledger.Asset, Note: "given back or charged back beyond what was collected: to be claimed or written off"},
		{Pattern: payable, Type: ledger.Liability, Mode: ledger.Strict, Note: "what we owe a merchant; below zero, what the merchant owes us"},
		{Pattern: "merchant:{merchant}:reserve:{currency}", Type: ledger.Liability, Mode: ledger.Strict, Note: "what we keep of a merchant's money as security"},
		{Pattern: overpaid, Type: ledger.Liability, Note: "collected, but not the order's: to be given back"},
		{Pattern: "tax:{authority}:{kind}:{currency}", Type: ledger.Liability, Note: "tax collected for an authority, e.g. tax:DE:output:EUR"},
		{Pattern: sales, Type: ledger.Income, Note: "the shop's own sales"},
		{Pattern: refunds, Type: ledger.Income, Note: "sales given back; stands on the debit side and lowers the income"},
		{Pattern: commission, Type: ledger.Income, Note: "what the platform keeps of merchants' sales"},
		{Pattern: losses, Type: ledger.Expense, Note: "the shop's own sales lost in disputes"},
		{Pattern: pspFees, Type: ledger.Expense, Note: "fees of a provider"},
		{Pattern: caseFees, Type: ledger.Expense, Note: "fees of a provider for disputes"},
		{Pattern: fxPosition, Type: ledger.Equity, Note: "bought less sold of a currency; revalued, the positions of all currencies are the gain or loss"},
		{Pattern: "fx:result:{currency}", Type: ledger.Income, Note: "exchange gains, and losses on the debit side, once realised"},
		{Pattern: "rounding:{currency}", Type: ledger.Expense, Note: "what rounding leaves over"},
		{Pattern: "equity:opening:{currency}", Type: ledger.Equity, Note: "opening balances"},
	}
}

// DefaultRules is how each stage is booked unless Config says otherwise. The
// slice is the caller's.
func DefaultRules() []Rule {
	collected := []Leg{Debit(clearing, Gross), Credit(payable, Part), Credit(commission, Commission), Credit(sales, Own)}
	return []Rule{
		{Held, collected, "An authorization holds money: the sale, pending."},
		{Captured, slices.Clone(collected), "A sale, or a capture, which settles what is held. What a final capture leaves is released."},
		{Refunded, []Leg{Debit(payable, Part), Debit(commission, Commission), Debit(refunds, Own), Debit(excess, Excess), Credit(clearing, Gross)},
			"Every part gives back its share of what it still has."},
		{Disputed, []Leg{Debit(disputed, Gross), Credit(clearing, Gross)}, "The provider holds the money back. Undone when the dispute is won or withdrawn."},
		{DisputeLost, []Leg{Debit(payable, Part), Debit(commission, Commission), Debit(losses, Own), Debit(excess, Excess), Credit(disputed, Gross)},
			"What was held back is gone, and falls on the parts as a refund does."},
		{DisputeFee, []Leg{Debit(caseFees, Gross), Credit(clearing, Gross)}, "What the provider charges for a dispute. It stays, won or lost, unless the provider takes it back."},
		{ProviderFee, []Leg{Debit(pspFees, Gross), Credit(clearing, Gross)}, "When the provider says what it took. If it says so again, the old fee is undone and the new one booked."},
		{Transferred, []Leg{Debit(payable, Part), Debit(commission, Commission), Debit(sales, Own), Credit(clearing, Gross)}, "The provider moved money on to a merchant."},
		{HeldOverpaid, []Leg{Debit(clearing, Gross), Credit(overpaid, Gross)}, "An authorization that is not the order's, pending."},
		{Overpaid, []Leg{Debit(clearing, Gross), Credit(overpaid, Gross)}, "A second success, or one after a cancellation: not the order's money."},
		{OverpaidRefunded, []Leg{Debit(overpaid, Gross), Credit(clearing, Gross)}, "Such money given back."},
		{DisputeLostOverpaid, []Leg{Debit(overpaid, Gross), Credit(disputed, Gross)}, "Such money taken back by its payer in a dispute."},
		{PaidOut, []Leg{Debit(bank, Net), Debit(pspFees, Fee), Credit(clearing, Gross)}, "The provider paid to our bank (Books.Payout)."},
		{Disbursed, []Leg{{Side: ledger.DebitSide, Account: payable, Amount: Gross, NotOverdrawn: true}, Credit(bank, Gross)},
			"We paid a merchant, at most what is owed (Books.Disbursement)."},
		{Exchanged, []Leg{Debit(fxPosition, Sold), Credit(clearing, Sold), Debit(clearing, Bought), Credit(fxPosition, Bought)},
			"A provider changed money of its clearing account (Books.Exchange). The rate is kept in the metadata."},
		{BankExchanged, []Leg{Debit(fxPosition, Sold), Credit(bank, Sold), Debit(bank, Bought), Credit(fxPosition, Bought)},
			"The same at a bank."},
	}
}

// ruleBook is a checked set of rules.
type ruleBook struct {
	legs map[Stage][]Leg
}

// newRules checks rules against the chart. Those given replace the default rule
// of their stage.
func newRules(given []Rule, chart *ledger.Chart) (*ruleBook, error) {
	b := &ruleBook{legs: map[Stage][]Leg{}}
	seen := map[Stage]bool{}
	for _, r := range given {
		if _, ok := infoOf(r.Stage); !ok {
			return nil, &Error{fmt.Sprintf("rule %q", r.Stage), "is for no stage that is known", "use the Stage constants"}
		}
		if seen[r.Stage] {
			return nil, &Error{fmt.Sprintf("rule %q", r.Stage), "is given twice", "keep one"}
		}
		seen[r.Stage] = true
	}
	for _, r := range append(DefaultRules(), given...) {
		b.legs[r.Stage] = slices.Clone(r.Legs)
	}
	for _, info := range stages {
		if err := checkRule(info, b.legs[info.stage], chart); err != nil {
			return nil, err
		}
	}
	for _, info := range stages {
		for _, needs := range info.needs {
			if len(b.legs[info.stage]) > 0 && len(b.legs[needs]) == 0 {
				return nil, &Error{fmt.Sprintf("rule %q", needs), fmt.Sprintf("has no legs, and %q is booked: one would stand without the other for ever", info.stage),
					fmt.Sprintf("give it legs, or give %q none as well", info.stage)}
			}
		}
	}
	return b, nil
}

func checkRule(info stageInfo, legs []Leg, chart *ledger.Chart) error {
	sums := map[Amount]int{}
	for i, l := range legs {
		field := fmt.Sprintf("rule %q: leg %d", info.stage, i+1)
		bad := func(problem, remedy string) error { return &Error{field, problem, remedy} }
		if l.Side != ledger.DebitSide && l.Side != ledger.CreditSide {
			return bad("has no side", "use posting.Debit or posting.Credit")
		}
		made := madeOf(info, l.Amount)
		if made == nil {
			return bad(fmt.Sprintf("moves the amount %q, which this stage does not have", l.Amount), "use one of "+amountsOf(info))
		}
		for _, a := range made {
			sums[a] += int(l.Side)
		}
		if err := checkAccount(info, l, chart, bad); err != nil {
			return err
		}
	}
	for i, l := range legs {
		for _, other := range legs[:i] {
			if other.Account == l.Account && other.Side != l.Side && slices.ContainsFunc(madeOf(info, l.Amount), func(a Amount) bool { return slices.Contains(madeOf(info, other.Amount), a) }) {
				return &Error{fmt.Sprintf("rule %q: leg %d", info.stage, i+1), fmt.Sprintf("books to %q what another leg books there on the other side", l.Account), "use two accounts, or leave both legs out"}
			}
		}
	}
	for _, a := range info.amounts {
		if sums[a] != 0 {
			return &Error{fmt.Sprintf("rule %q", info.stage), fmt.Sprintf("does not balance: of the amount %q, debits and credits differ", a), "move it once on each side; gross is all amounts of the stage together"}
		}
	}
	return checkHold(info, legs)
}

// checkHold asks of the rules of a hold and its capture that one side is the
// whole: what is left of a hold is told by it.
func checkHold(info stageInfo, legs []Leg) error {
	if (info.stage != Held && info.stage != HeldOverpaid) || len(legs) == 0 {
		return nil
	}
	for _, a := range info.amounts {
		n := 0
		for _, l := range legs {
			if l.Side == ledger.DebitSide && slices.Contains(madeOf(info, l.Amount), a) {
				n++
			}
		}
		if n != 1 {
			return &Error{fmt.Sprintf("rule %q", info.stage), fmt.Sprintf("debits the amount %q %d times", a, n), "debit the whole amount once, so that what is left of a hold can be told"}
		}
	}
	return nil
}

// madeOf is what an amount is the sum of, nil if the stage does not have it.
func madeOf(info stageInfo, a Amount) []Amount {
	switch {
	case slices.Contains(info.amounts, a):
		return []Amount{a}
	case a == Gross && !slices.Contains(info.amounts, Sold):
		return info.amounts
	}
	return nil
}

func amountsOf(info stageInfo) string {
	var names []string
	for _, a := range info.amounts {
		names = append(names, string(a))
	}
	if madeOf(info, Gross) != nil && !slices.Contains(names, string(Gross)) {
		names = append(names, string(Gross))
	}
	return strings.Join(names, ", ")
}

// checkAccount checks a leg's path, by way of an example.
func checkAccount(info stageInfo, l Leg, chart *ledger.Chart, bad func(problem, remedy string) error) error {
	example := map[string]string{"currency": "EUR"}
	for _, p := range info.places {
		example[p] = "example"
	}
	if l.Amount == Part || l.Amount == Commission {
		example["merchant"] = "example"
	}
	path, unknown := fill(l.Account, example)
	if unknown != "" {
		return bad(fmt.Sprintf("has the placeholder {%s} in %q, which means nothing here", unknown, l.Account), "use {currency}, {provider}, {bank}, or {merchant} with the amounts part and commission, as far as the stage has them")
	}
	spec, err := chart.Spec(path, money.EUR)
	if err != nil {
		return bad(fmt.Sprintf("books to %q, which the chart does not have (%v)", l.Account, err), "correct it, or add it to Config.Accounts")
	}
	if _, err := chart.Spec(path, money.USD); err == nil {
		return bad(fmt.Sprintf("books to %q, which is one account for all currencies", l.Account), "put {currency} into the path and the chart: an account has one currency")
	}
	if !l.NotOverdrawn {
		return nil
	}
	if !info.hosts {
		return bad("has a condition, and is about what has happened", "leave NotOverdrawn out: a fact is never refused")
	}
	if spec.Mode != ledger.Strict {
		return bad(fmt.Sprintf("has a condition on %q, which keeps no balance at hand", l.Account), "make the account Strict in Config.Accounts, or leave NotOverdrawn out")
	}
	return nil
}

// fill puts values into a pattern, and returns the first placeholder that has
// none.
func fill(pattern string, values map[string]string) (path, unknown string) {
	segments := strings.Split(pattern, ":")
	for i, s := range segments {
		if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
			continue
		}
		v, ok := values[s[1:len(s)-1]]
		if !ok {
			return "", s[1 : len(s)-1]
		}
		segments[i] = v
	}
	return strings.Join(segments, ":"), ""
}

// place is where an amount is booked.
type place struct{ provider, bank, merchant string }

func (l Leg) path(at place, c money.Currency) string {
	path, _ := fill(l.Account, map[string]string{"provider": at.provider, "bank": at.bank, "merchant": at.merchant, "currency": string(c)})
	return path
}

// share is an elementary amount of a stage.
type share struct {
	kind     Amount
	merchant string // of a Part or Commission
	amount   money.Amount
}

// entries applies a rule. Entries to one account on one side are one.
func (b *ruleBook) entries(s Stage, at place, shares []share) []ledger.Entry {
	info, _ := infoOf(s)
	var out []ledger.Entry
	add := func(l Leg, x share) {
		if !x.amount.IsPositive() {
			return
		}
		if x.kind == Part || x.kind == Commission {
			at.merchant = x.merchant
		}
		path := l.path(at, x.amount.Currency())
		for i := range out {
			if e := &out[i]; e.Account == path && e.Side == l.Side {
				if sum, err := e.Amount.Add(x.amount); err == nil {
					e.Amount = sum
					return
				}
			}
		}
		out = append(out, ledger.Entry{Account: path, Side: l.Side, Amount: x.amount})
	}
	for _, l := range b.legs[s] {
		for _, a := range madeOf(info, l.Amount) {
			for _, x := range shares {
				if x.kind == a {
					add(l, x)
				}
			}
		}
	}
	return out
}
