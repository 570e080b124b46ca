package ledger

// Quick is a batch that can be decided by one comparison for each account, so
// that a store can lock, check and write it in one statement: plain posts and
// holds, on accounts that are open, of which no account is asked for more than
// the whole batch leaves on it. What is refused that way may still be accepted
// by Carry, which looks at one request after the other.
type Quick struct {
	Requests []*Request
	Records  []*Record
	Deltas   []QuickDelta
	// Earliest effective date that a closed period would refuse, 0 for none.
	Earliest int64

	byAccount map[*Account]int
}

// QuickDelta is what a quick batch does to a strict account.
type QuickDelta struct {
	Account *Account
	Add     Totals
	// Taken is added to the version.
	Taken int64
	// Must: the account has to be locked, since something is taken from it or
	// asked of it.
	Must bool
	// Least has to be available before, if Asked.
	Least int64
	Asked bool

	lowered, floor int64
	seen           *Record
}

// NewQuick makes a quick batch, or reports that it cannot be one. account
// returns the open account of a path, or nil if it is not known.
func NewQuick(requests []*Request, account func(path string) *Account) (*Quick, bool) {
	q := &Quick{Requests: requests, Records: make([]*Record, 0, len(requests))}
	q.Deltas = make([]QuickDelta, 0, 2*len(requests))
	var keys map[string]bool
	if len(requests) > 1 {
		keys = make(map[string]bool, len(requests))
		q.byAccount = make(map[*Account]int, 2*len(requests))
	}
	for _, r := range requests {
		if r.kind != KindPost && r.kind != KindHold || keys[r.key] || !q.add(r, account) {
			return nil, false
		}
		if keys != nil {
			keys[r.key] = true
		}
	}
	for i := range q.Deltas {
		d := &q.Deltas[i]
		if !d.Asked {
			continue
		}
		var ok bool
		if d.Least, ok = add(d.floor, d.lowered); !ok {
			return nil, false
		}
	}
	return q, true
}

func (q *Quick) add(r *Request, account func(string) *Account) bool {
	r.Receipt, r.Err, r.waits = Receipt{}, nil, false
	if r.expired() {
		return false
	}
	for i := range r.legs {
		l := &r.legs[i]
		a := account(l.spec.Path)
		if a == nil || a.Spec != l.spec || a.full.Load() {
			return false
		}
		l.acct = a
	}
	rec := r.newRecord()
	rec.setLines(r)
	if !r.fact && (q.Earliest == 0 || rec.Effective < q.Earliest) {
		q.Earliest = rec.Effective
	}
	for i := range rec.Lines {
		l := &rec.Lines[i]
		if l.Account.Mode != Strict {
			continue
		}
		d := q.delta(l.Account)
		if !d.Add.Add(l.Layer, l.Amount) || d.Add.nearlyFull() {
			return false
		}
		if !l.Account.lowers(l.Layer, l.Amount) {
			continue
		}
		amount := max(l.Amount, -l.Amount)
		d.lowered += amount // at most requests * entries * 2^53: checked below
		if d.lowered > 1<<61 {
			return false
		}
		d.Must = true
		if d.seen != rec {
			d.Taken++
			d.seen = rec
		}
	}
	for i := range r.conditions {
		c := &r.conditions[i]
		a := account(c.Account)
		if c.Version != nil || a == nil || a.Mode != Strict {
			return false
		}
		d := q.delta(a)
		if !d.Asked || c.Floor > d.floor {
			d.floor = c.Floor
		}
		d.Must, d.Asked = true, true
	}
	r.record = rec
	q.Records = append(q.Records, rec)
	return true
}

func (q *Quick) delta(a *Account) *QuickDelta {
	if q.byAccount != nil {
		if i, ok := q.byAccount[a]; ok {
			return &q.Deltas[i]
		}
		q.byAccount[a] = len(q.Deltas)
	} else {
		for i := range q.Deltas {
			if q.Deltas[i].Account == a {
				return &q.Deltas[i]
			}
		}
	}
	q.Deltas = append(q.Deltas, QuickDelta{Account: a})
	return &q.Deltas[len(q.Deltas)-1]
}

// Touching returns the requests that have to lock one of the given accounts,
// and those that do not.
func (q *Quick) Touching(ids map[int64]bool) (touching, free []*Request) {
	groups := map[*byte]bool{}
	hits := func(r *Request) bool {
		for i := range r.record.Lines {
			l := &r.record.Lines[i]
			if l.Account.Mode == Strict && ids[l.Account.ID] && l.Account.lowers(l.Layer, l.Amount) {
				return true
			}
		}
		for i := range r.conditions {
			if q.asks(r.conditions[i].Account, ids) {
				return true
			}
		}
		return false
	}
	for _, r := range q.Requests {
		if r.group != nil && hits(r) {
			groups[r.group] = true
		}
	}
	for _, r := range q.Requests {
		if r.group != nil && groups[r.group] || r.group == nil && hits(r) {
			touching = append(touching, r)
		} else {
			free = append(free, r)
		}
	}
	return touching, free
}

func (q *Quick) asks(path string, ids map[int64]bool) bool {
	for i := range q.Deltas {
		if a := q.Deltas[i].Account; a.Path == path {
			return ids[a.ID]
		}
	}
	return false
}

// Written gives the records their ids and the requests their receipts.
func (q *Quick) Written(ids []int64) {
	for i, r := range q.Records {
		r.ID = ids[i]
		q.Requests[i].Receipt = r.receipt(false)
	}
}

// Paths lists the accounts of requests that are not known, each once.
func Paths(requests []*Request, known func(path string) bool) []string {
	var paths []string
	seen := map[string]bool{}
	add := func(path string) {
		if !seen[path] && !known(path) {
			seen[path] = true
			paths = append(paths, path)
		}
	}
	for _, r := range requests {
		for i := range r.legs {
			add(r.legs[i].spec.Path)
		}
		for i := range r.conditions {
			add(r.conditions[i].Account)
		}
	}
	return paths
}
