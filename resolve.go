package payment

import (
	"slices"
)

// This file finds the operation that a fact is about, and keeps what the
// provider calls it.

// resolve finds the operation, and where it can the step, that a fact is about.
func (u *unit) resolve(e *Event) (*Operation, *Step) {
	if o, s := u.p.Step(e.StepKey); o != nil && (o.Kind == e.Kind || s.Fence) {
		return o, s
	}
	match := func(o *Operation) bool { return o.Kind == e.Kind && (e.Provider == "" || o.Provider == e.Provider) }
	step := func(o *Operation) *Step {
		if e.Status == ResultContinue {
			return o.waiting(u.c.capabilitiesOf(o).Flow)
		}
		return o.current()
	}
	if o := u.p.Operation(e.OperationID); o != nil && match(o) {
		return o, step(o)
	}
	refs := []string{e.Ref}
	if e.Kind == OpAuthorize {
		// Only an attempt goes by several ids. A refund's further ids are those
		// of the charge, which all its refunds share.
		refs = append(refs, e.Refs...)
	}
	for _, ref := range refs {
		for _, o := range u.p.Operations {
			if root := rootOf(u.p, o); ref == "" || !match(o) || !o.known(ref) || (e.Kind == OpCapture && root != nil && root.Ref == ref) {
				continue
			}
			return o, step(o)
		}
	}
	if e.Cumulative {
		return u.parent(e), nil
	}
	if e.Kind == OpVoid || e.Kind == OpCapture {
		// An authorization has one void, and a capture without an id of its
		// own is the one whose outcome is open.
		if parent := u.parent(e); parent != nil {
			for _, o := range u.p.Operations {
				if match(o) && !o.other(e.Ref, parent) && o.Target == parent.ID && o.State.Outstanding() && (e.Amount.Currency() == "" || e.Amount == o.Amount) {
					return o, o.current()
				}
			}
		}
	}
	return nil, nil
}

// known reports whether the provider calls the operation by ref.
func (o *Operation) known(ref string) bool { return o.Ref == ref || slices.Contains(o.Refs, ref) }

// current is the step that carries the operation on: the newest whose outcome
// is open, else the newest, or nil.
func (o *Operation) current() *Step {
	for i := len(o.Steps) - 1; i >= 0; i-- {
		if !o.Steps[i].Fence && o.Steps[i].State.Outstanding() {
			return o.Steps[i]
		}
	}
	for i := len(o.Steps) - 1; i >= 0; i-- {
		if !o.Steps[i].Fence {
			return o.Steps[i]
		}
	}
	return nil
}

// other reports whether the provider has another object for the operation than
// the one named.
func (o *Operation) other(ref string, root *Operation) bool {
	return ref != "" && o.Ref != "" && o.Ref != ref && root.Ref != ref
}

// later reports whether a further step follows s.
func (o *Operation) later(s *Step) bool {
	cur := o.current()
	return cur != nil && cur != s && !s.Fence
}

// waiting is the newest step that a further one of the flow may follow: what a
// "go on" without a step's key is about.
func (o *Operation) waiting(flow []StepSpec) *Step {
	for i := len(o.Steps) - 1; i >= 0; i-- {
		if s := o.Steps[i]; !s.Fence {
			if _, ok := nextSpec(flow, s.Name); ok {
				return s
			}
		}
	}
	return nil
}

// parent finds the authorize operation that a fact about another kind of
// operation points to.
func (u *unit) parent(e *Event) *Operation {
	if o := u.p.Operation(e.OperationID); o != nil {
		if root := rootOf(u.p, o); root != nil {
			return root
		}
	}
	for _, ref := range append([]string{e.Parent, e.Ref}, e.Refs...) {
		if ref == "" {
			continue
		}
		for _, o := range u.p.Operations {
			if o.known(ref) && (e.Provider == "" || o.Provider == e.Provider) {
				if root := rootOf(u.p, o); root != nil {
					return root
				}
			}
		}
	}
	return nil
}

// learn merges ids and data.
func (u *unit) learn(o *Operation, s *Step, e *Event) error {
	changed := false
	if s != nil && e.Ref != "" && s.Ref != e.Ref {
		s.Ref = e.Ref
		u.touchStep(s)
	}
	refs := []string{e.Ref}
	if o.Kind == OpAuthorize {
		refs = append(refs, e.Refs...)
	}
	for _, ref := range refs {
		if ref == "" || o.known(ref) {
			continue
		}
		if o.Ref == "" {
			o.Ref = ref
		} else {
			o.Refs = append(slices.Clone(o.Refs), ref)
		}
		changed = true
		if err := u.claimRef(o, ref); err != nil {
			return err
		}
	}
	for k, v := range e.Data {
		if o.Data[k] != v {
			data := make(map[string]string, len(o.Data)+1)
			for k, v := range o.Data {
				data[k] = v
			}
			data[k] = v
			o.Data, changed = data, true
		}
	}
	if e.Card != (CardInfo{}) && o.Card != e.Card {
		o.Card, changed = e.Card, true
	}
	if e.ThreeDS != (ThreeDSResult{}) && o.ThreeDS != e.ThreeDS {
		o.ThreeDS, changed = e.ThreeDS, true
	}
	if e.Fee.Currency() != "" && o.Fee != e.Fee {
		o.Fee, changed, u.tells = e.Fee, true, true
	}
	if !e.ExpiresAt.IsZero() && !o.ExpiresAt.Equal(e.ExpiresAt) && e.Status == ResultApproved {
		o.ExpiresAt, changed = e.ExpiresAt, true
	}
	if changed {
		u.touch(o)
	}
	return nil
}

// claimRef makes the provider's id lead to this operation, unless an operation
// of the payment has it already (a capture that shares its intent's id).
func (u *unit) claimRef(o *Operation, ref string) error {
	for _, other := range u.p.Operations {
		if other != o && other.Provider == o.Provider && other.known(ref) {
			return nil
		}
	}
	claim := Claim{Kind: ClaimRef, Key: refKey(o.Provider, ref), Owner: o.ID, Payment: u.p.ID}
	if u.seeks {
		return u.take([]Claim{claim})
	}
	u.claims = append(u.claims, claim) // with the others, in one statement
	return nil
}

func refKey(provider, ref string) string { return provider + ":" + ref }
