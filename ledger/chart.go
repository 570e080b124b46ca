package ledger

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tender-go/payment/money"
)

// Rule opens a family of accounts.
type Rule struct {
	// Pattern of paths: segments joined by colons. A segment in braces stands
	// for any one segment; {currency} for the account's own currency, so that
	// each currency has an account of its own: "psp:{provider}:clearing:{currency}".
	// An account whose pattern has no {currency} gets the currency of its first
	// entry and keeps it.
	Pattern string
	Type    Type
	// Mode is Deferred unless conditions are to be put on the accounts.
	Mode Mode
	// Note for the reader of the chart.
	Note string
}

// Chart is the chart of accounts: which accounts may exist, and what they are.
// It may be used from many goroutines.
type Chart struct {
	rules []Rule
	parts [][]string
}

// NewChart makes a chart. Where several patterns match a path, the first rule
// counts. A rule that can never be reached is refused.
func NewChart(rules ...Rule) (*Chart, error) {
	c := &Chart{rules: slices.Clone(rules)}
	for i, r := range rules {
		field := fmt.Sprintf("Rules[%d]", i)
		switch {
		case r.Type < Asset || r.Type > Income:
			return nil, invalid(field+".Type", "is none of the types", "use Asset, Expense, Liability, Equity or Income")
		case r.Mode > Strict:
			return nil, invalid(field+".Mode", "is none of the modes", "use Deferred or Strict")
		}
		parts := strings.Split(r.Pattern, ":")
		for _, p := range parts {
			name, open := strings.CutPrefix(p, "{")
			name, closed := strings.CutSuffix(name, "}")
			if open != closed || !isSegment(name) {
				return nil, invalid(field+".Pattern", fmt.Sprintf("%q has the segment %q", r.Pattern, p), "use segments of [A-Za-z0-9._-], or {name} for any one, joined by colons")
			}
		}
		for j, earlier := range c.parts {
			if covers(earlier, parts) {
				return nil, invalid(field+".Pattern", fmt.Sprintf("%q is never reached: %q matches first", r.Pattern, rules[j].Pattern), "put the narrower rule first")
			}
		}
		c.parts = append(c.parts, parts)
	}
	if len(rules) == 0 {
		return nil, invalid("Rules", "are empty", "name the accounts that may exist")
	}
	return c, nil
}

// Rules returns the rules in order.
func (c *Chart) Rules() []Rule { return slices.Clone(c.rules) }

// Spec returns what the chart says of a path for an entry in the given
// currency. The error is an *[Error] of kind [ErrUnknownAccount] or
// [ErrCurrency].
func (c *Chart) Spec(path string, currency money.Currency) (Spec, error) {
	if path == "" {
		return Spec{}, &Error{Kind: ErrUnknownAccount, Problem: "names no account", Remedy: "give the path of one"}
	}
	if len(path) > maxPath {
		return Spec{}, &Error{Kind: ErrUnknownAccount, Account: path[:maxPath], Problem: "has a path of more than 200 characters", Remedy: "use a shorter one"}
	}
	parts := strings.Split(path, ":")
	for i, rule := range c.parts {
		if ok, own := matches(rule, parts); ok {
			if own != "" && own != string(currency) {
				return Spec{}, &Error{Kind: ErrCurrency, Account: path, Problem: "is an account in " + own + ", and the entry is in " + string(currency), Remedy: "use the account of that currency"}
			}
			return Spec{Path: path, Currency: currency, Type: c.rules[i].Type, Mode: c.rules[i].Mode}, nil
		}
	}
	return Spec{}, &Error{Kind: ErrUnknownAccount, Account: path, Problem: "is matched by no rule of the chart", Remedy: "correct the path, or add a rule"}
}

// anyCurrency is Spec of a path whose currency is not known but by its
// {currency}: it may be empty.
func (c *Chart) anyCurrency(path string) (Spec, error) {
	parts := strings.Split(path, ":")
	for i, rule := range c.parts {
		if ok, own := matches(rule, parts); ok {
			return Spec{Path: path, Currency: money.Currency(own), Type: c.rules[i].Type, Mode: c.rules[i].Mode}, nil
		}
	}
	return c.Spec(path, "")
}

const (
	maxPath = 200
	// currencySegment stands for the account's own currency.
	currencySegment = "{currency}"
)

func isSegment(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-' {
			return false
		}
	}
	return s != ""
}

// matches reports whether a path is one of a rule's, and the currency that
// stands in it.
func matches(rule, path []string) (ok bool, currency string) {
	if len(rule) != len(path) {
		return false, ""
	}
	for i, p := range rule {
		switch {
		case !isSegment(path[i]): // nor is a pattern a path
			return false, ""
		case p == path[i]:
		case p[0] != '{':
			return false, ""
		case p == currencySegment:
			if currency != "" && currency != path[i] {
				return false, ""
			}
			currency = path[i]
		}
	}
	return true, currency
}

// covers reports whether every path of rule b is one of rule a too.
func covers(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && a[i][0] != '{' {
			return false
		}
		if a[i] == currencySegment && b[i] != currencySegment {
			return false // it asks more of the segment
		}
	}
	return true
}
