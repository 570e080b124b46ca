package stripe

import (
	"strconv"
	"strings"
)

// searchLag is how long new data stays invisible to search. Stripe documents
// "usually under one minute" and warns against searching right after writing:
// https://docs.stripe.com/search#data-freshness
const searchLag = 60

type clause struct {
	field, key, op, value string
	negated               bool
}

func searchIntents(c *call) *apiError {
	p := c.p
	query := p.need("query")
	limit, sent := p.int("limit")
	if !sent {
		limit = 10
	}
	if limit < 1 || limit > 100 {
		p.fail(invalid("parameter_invalid_integer", "limit", "This value must be between 1 and 100."))
	}
	page := p.text("page", 0)
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	clauses, anyOf, apiErr := parseQuery(query)
	if apiErr != nil {
		return apiErr
	}
	skip := 0
	if page != "" {
		var err error
		if skip, err = strconv.Atoi(page); err != nil || skip < 0 {
			return invalid("", "page", "Invalid page token: "+page)
		}
	}
	var hits []*paymentIntent
	for i := len(c.a.intents.order) - 1; i >= 0; i-- {
		pi := c.a.intents.order[i]
		if c.at-pi.created < searchLag {
			continue
		}
		matched := !anyOf
		for _, cl := range clauses {
			if ok := cl.match(pi); anyOf {
				matched = matched || ok
			} else {
				matched = matched && ok
			}
		}
		if matched {
			hits = append(hits, pi)
		}
	}
	hits = hits[min(skip, len(hits)):]
	more := int64(len(hits)) > limit
	hits = hits[:min(int64(len(hits)), limit)]
	w := c.w
	w.Open()
	w.S("object", "search_result")
	w.List("data")
	for _, pi := range hits {
		c.renderPaymentIntent(c.a, w, pi, c.x)
	}
	w.CloseList()
	w.B("has_more", more)
	if more {
		w.S("next_page", strconv.Itoa(skip+len(hits)))
	} else {
		w.N("next_page")
	}
	w.S("url", "/v1/payment_intents/search")
	w.Close()
	return nil
}

// parseQuery reads Stripe's search language: clauses joined by all AND or all OR.
func parseQuery(q string) (clauses []clause, anyOf bool, _ *apiError) {
	bad := func(why string) ([]clause, bool, *apiError) {
		return nil, false, invalid("", "query", "We were unable to parse your search query: "+why+".")
	}
	rest := strings.TrimSpace(q)
	joined := ""
	for rest != "" {
		var cl clause
		if r, ok := strings.CutPrefix(rest, "-"); ok {
			cl.negated, rest = true, r
		}
		i := strings.IndexAny(rest, ":~<>[")
		if i <= 0 {
			return bad("a clause must be field:value")
		}
		cl.field, rest = rest[:i], rest[i:]
		if rest[0] == '[' {
			var ok bool
			if cl.key, rest, ok = quoted(rest[1:]); !ok || !strings.HasPrefix(rest, "]") || cl.field != "metadata" {
				return bad("metadata takes metadata[\"key\"]:\"value\"")
			}
			rest = rest[1:]
		}
		for _, op := range []string{">=", "<=", ":", "~", ">", "<"} {
			if r, ok := strings.CutPrefix(rest, op); ok {
				cl.op, rest = op, r
				break
			}
		}
		if cl.op == "" || rest == "" {
			return bad("a clause needs an operator and a value")
		}
		if rest[0] == '"' || rest[0] == '\'' {
			var ok bool
			if cl.value, rest, ok = quoted(rest); !ok {
				return bad("a quote is not closed")
			}
		} else {
			cl.value, rest, _ = strings.Cut(rest, " ")
		}
		switch cl.field {
		case "amount", "created", "currency", "customer", "metadata", "status":
		default:
			return bad("the field " + strconv.Quote(cl.field) + " cannot be searched")
		}
		clauses = append(clauses, cl)
		rest = strings.TrimSpace(rest)
		if rest == "" {
			break
		}
		word, tail, _ := strings.Cut(rest, " ")
		upper := strings.ToUpper(word)
		if upper != "AND" && upper != "OR" {
			upper, tail = "AND", rest // clauses side by side mean AND
		}
		if joined != "" && joined != upper {
			return bad("AND and OR cannot be combined")
		}
		joined, rest = upper, strings.TrimSpace(tail)
		if rest == "" {
			return bad("it ends in " + word)
		}
	}
	if len(clauses) == 0 {
		return bad("it is empty")
	}
	return clauses, joined == "OR", nil
}

// quoted reads a quoted text with backslash escapes and returns what follows it.
func quoted(s string) (text, rest string, ok bool) {
	if s == "" || (s[0] != '"' && s[0] != '\'') {
		return "", s, false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == s[0]:
			return b.String(), s[i+1:], true
		default:
			b.WriteByte(s[i])
		}
	}
	return "", s, false
}

func (cl clause) match(pi *paymentIntent) bool {
	var ok bool
	switch cl.field {
	case "amount":
		ok = compare(pi.amount, cl.op, cl.value)
	case "created":
		ok = compare(pi.created, cl.op, cl.value)
	case "currency":
		ok = strings.EqualFold(pi.currency, cl.value)
	case "customer":
		ok = pi.customer == cl.value
	case "status":
		ok = pi.status == cl.value
	case "metadata":
		v, has := pi.metadata[cl.key]
		switch {
		case cl.value == "null":
			ok = has // -metadata["k"]:null finds what has the key; written positively it is its absence
			ok = !ok
		case cl.op == "~":
			ok = has && len(cl.value) >= 3 && strings.Contains(strings.ToLower(v), strings.ToLower(cl.value))
		default:
			ok = has && strings.EqualFold(v, cl.value)
		}
	}
	return ok != cl.negated
}

func compare(have int64, op, value string) bool {
	want, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return false
	}
	switch op {
	case ":":
		return have == want
	case ">":
		return have > want
	case ">=":
		return have >= want
	case "<":
		return have < want
	case "<=":
		return have <= want
	}
	return false
}
