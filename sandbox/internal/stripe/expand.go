package stripe

import "strings"

// expand is the tree of expand[] paths.
type expand map[string]expand

// in returns the subtree for a field and whether the field is to be expanded.
func (x expand) in(field string) (expand, bool) { sub, ok := x[field]; return sub, ok }

const maxExpandDepth = 4 // https://docs.stripe.com/api/expanding_objects

// expandable says, per object type, which fields can be expanded and into what.
var expandable = map[string]map[string]string{
	"payment_intent": {"customer": "customer", "latest_charge": "charge", "payment_method": "payment_method", "on_behalf_of": "account",
		"application": "application", "invoice": "invoice", "review": "review", "source": "source", "transfer_data.destination": "account",
		"last_payment_error.payment_method": "payment_method"},
	"charge": {"customer": "customer", "payment_intent": "payment_intent", "balance_transaction": "balance_transaction", "refunds": "list:refund",
		"transfer": "transfer", "application_fee": "application_fee", "on_behalf_of": "account", "invoice": "invoice", "review": "review",
		"application": "application", "failure_balance_transaction": "balance_transaction", "source_transfer": "transfer", "transfer_data.destination": "account"},
	"refund": {"charge": "charge", "payment_intent": "payment_intent", "balance_transaction": "balance_transaction", "transfer_reversal": "transfer_reversal",
		"failure_balance_transaction": "balance_transaction", "source_transfer_reversal": "transfer_reversal"},
	"customer":       {"default_source": "source", "invoice_settings.default_payment_method": "payment_method", "sources": "list:source", "subscriptions": "list:subscription", "tax": "tax", "tax_ids": "list:tax_id", "test_clock": "test_clock", "cash_balance": "cash_balance"},
	"payment_method": {"customer": "customer"},
	"setup_intent": {"customer": "customer", "payment_method": "payment_method", "latest_attempt": "setup_attempt", "mandate": "mandate",
		"single_use_mandate": "mandate", "on_behalf_of": "account", "application": "application"},
	"dispute":             {"charge": "charge", "payment_intent": "payment_intent"},
	"balance_transaction": {"source": "any"},
	"transfer":            {"balance_transaction": "balance_transaction", "destination": "account", "source_transaction": "charge", "destination_payment": "charge"},
	"transfer_reversal":   {"balance_transaction": "balance_transaction", "transfer": "transfer", "source_refund": "refund", "destination_payment_refund": "refund"},
	"payout":              {"balance_transaction": "balance_transaction", "destination": "bank_account", "failure_balance_transaction": "balance_transaction", "original_payout": "payout", "reversed_by": "payout"},
}

// parseExpand reads expand[] and checks each path against the answer's type.
func parseExpand(p params, root string) (expand, *apiError) {
	paths, _ := p.strs("expand")
	if len(paths) == 0 {
		return nil, nil
	}
	x := expand{}
	for _, path := range paths {
		if strings.Count(path, ".") >= maxExpandDepth+1 {
			return nil, invalid("", "expand", "You cannot expand more than "+"4"+" levels of a property. Property: "+path)
		}
		at, kind, rest := x, root, path
		if item, ok := strings.CutPrefix(kind, "list:"); ok {
			var data string
			data, rest, _ = strings.Cut(path, ".")
			if data != "data" || rest == "" {
				return nil, cannotExpand(path)
			}
			kind = item
		}
		for rest != "" {
			field, sub, tail := "", "", ""
			for f, t := range expandable[kind] {
				if rest == f || strings.HasPrefix(rest, f+".") {
					field, sub, tail = f, t, strings.TrimPrefix(rest[len(f):], ".")
					break
				}
			}
			if kind == "any" || kind == "account" {
				field, tail = rest, ""
			}
			if field == "" {
				return nil, cannotExpand(path)
			}
			if at[field] == nil {
				at[field] = expand{}
			}
			at, kind, rest = at[field], sub, tail
			if item, ok := strings.CutPrefix(kind, "list:"); ok {
				kind = item
				if rest == "data" {
					rest = ""
				}
				rest = strings.TrimPrefix(rest, "data.")
			}
		}
	}
	return x, nil
}

func cannotExpand(path string) *apiError {
	return invalid("", "expand", "This property cannot be expanded ("+path+"). You may want to try expanding 'data."+path+"' instead.")
}
