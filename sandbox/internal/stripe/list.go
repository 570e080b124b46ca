package stripe

import (
	"github.com/tender-go/payment/sandbox/internal/core"
)

// object is anything with an id that a list can hold and an event can show.
type object interface {
	objectID() string
	objectCreated() int64
	renderPlain(s *Stripe, a *account, w *core.JSON)
}

// list answers a list endpoint: newest first, filtered, with cursor pagination
// and a range over created, as https://docs.stripe.com/api/pagination says.
func list[T object](c *call, t *table[T], url string, keep func(T) bool, render func(*account, *core.JSON, T, expand)) *apiError {
	p := c.p
	limit, sent := p.int("limit")
	if !sent {
		limit = 10
	}
	if limit < 1 || limit > 100 {
		p.fail(invalid("parameter_invalid_integer", "limit", "This value must be between 1 and 100."))
	}
	within := p.created()
	after, before := p.text("starting_after", 0), p.text("ending_before", 0)
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	if after != "" && before != "" {
		return invalid("parameters_exclusive", "", "You may only specify one of these parameters: starting_after, ending_before.")
	}
	for _, id := range []string{after, before} {
		if _, ok := t.get(id); id != "" && !ok {
			param := "starting_after"
			if before != "" {
				param = "ending_before"
			}
			return invalid("resource_missing", param, "No such object: '"+id+"'")
		}
	}
	var page []T
	more := false
	if before != "" { // the objects just newer than the cursor, still newest first
		started := false
		for _, v := range t.order {
			if v.objectID() == before {
				started = true
				continue
			}
			if !started || !keep(v) || !within(v.objectCreated()) {
				continue
			}
			if int64(len(page)) == limit {
				more = true
				break
			}
			page = append([]T{v}, page...)
		}
	} else {
		started := after == ""
		for i := len(t.order) - 1; i >= 0; i-- {
			v := t.order[i]
			if !started {
				started = v.objectID() == after
				continue
			}
			if !keep(v) || !within(v.objectCreated()) {
				continue
			}
			if int64(len(page)) == limit {
				more = true
				break
			}
			page = append(page, v)
		}
	}
	w := c.w
	w.Open()
	w.S("object", "list")
	w.List("data")
	for _, v := range page {
		render(c.a, w, v, c.x)
	}
	w.CloseList()
	w.B("has_more", more)
	w.S("url", url)
	w.Close()
	return nil
}

// created reads created=N or created[gt|gte|lt|lte]=N.
func (p params) created() func(int64) bool {
	k := p.get("created")
	if k == nil {
		return func(int64) bool { return true }
	}
	if k.has {
		v, _ := p.int("created")
		return func(at int64) bool { return at == v }
	}
	q := params{f: k, root: p.root}
	type bound struct {
		op string
		v  int64
	}
	var bounds []bound
	for _, op := range []string{"gt", "gte", "lt", "lte"} {
		if v, ok := q.int(op); ok {
			bounds = append(bounds, bound{op, v})
		}
	}
	return func(at int64) bool {
		for _, b := range bounds {
			switch {
			case b.op == "gt" && at <= b.v, b.op == "gte" && at < b.v, b.op == "lt" && at >= b.v, b.op == "lte" && at > b.v:
				return false
			}
		}
		return true
	}
}
