package simulation

import (
	"bytes"
	"reflect"
	"strings"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// Rule names what may never happen.
type Rule string

// The rules.
const (
	RuleDouble    Rule = "double"    // a second collection by our own act
	RuleLost      Rule = "lost"      // money at a bank that no record holds, or the reverse
	RuleUnknown   Rule = "unknown"   // an outcome that was not known reported as a failure
	RuleIncident  Rule = "incident"  // a second collection by the payer without an incident, or kept
	RuleTotals    Rule = "totals"    // totals that are not the sum of the operations, or of the events
	RuleExceeds   Rule = "exceeds"   // more refunded than captured, or captured than held, by our act
	RuleTable     Rule = "table"     // a move that is not in the transition table
	RuleVersion   Rule = "version"   // a commit that skips or repeats a version, or changes what is fixed
	RuleEvent     Rule = "event"     // a change without its event, or events out of order
	RulePlan      Rule = "plan"      // a step that moves money planned where a guard forbids it
	RuleOpen      Rule = "open"      // an operation that never ends although nobody was asked to settle it
	RuleClaim     Rule = "claim"     // a claim left over, or missing
	RuleKey       Rule = "key"       // one key, two payments; or a request changed under its key
	RuleTwice     Rule = "twice"     // one call, made again with its key, carried out twice
	RuleRequest   Rule = "request"   // a request that no adapter should get
	RuleAnswer    Rule = "answer"    // an error although a provider was asked
	RulePanic     Rule = "panic"     // a panic that reached a caller
	RuleWebhook   Rule = "webhook"   // a genuine notification refused
	RuleRepeat    Rule = "repeat"    // a notification delivered again that changed something
	RulePrivacy   Rule = "privacy"   // a personal value in clear
	RuleQuiet     Rule = "quiet"     // work that never ends
	RuleReference Rule = "reference" // two live payments for one reference
)

// record is a payment as it was last committed.
type record struct {
	p *payment.Payment
	// last is what the events say of each operation.
	last map[string]payment.Event
	// incidents holds the operations of which one was told.
	incidents map[string]bool
	unknown   bool // an outcome was unknown at some time
	doubtful  bool // a person was asked, and it is not settled
}

// committed looks at what a transaction wrote, right after it was written.
func (w *world) committed() {
	st := w.staged
	w.staged = staged{}
	for _, e := range st.events {
		if e.Seq <= w.seq {
			w.breach(RuleEvent, "event %d follows event %d", e.Seq, w.seq)
		}
		w.seq = e.Seq
		w.events = append(w.events, e)
	}
	w.commits += len(st.saved)
	for _, p := range st.saved {
		if p.Version > maxVersion {
			w.spins = true
		}
		r := w.records[p.ID]
		if r == nil {
			r = &record{last: map[string]payment.Event{}, incidents: map[string]bool{}}
			w.records[p.ID] = r
		}
		old := r.p
		r.p = p
		named := map[string]payment.Event{}
		for _, e := range st.events {
			if e.PaymentID != p.ID {
				continue
			}
			if w.telling {
				w.say("   event %d %s %s %s %s %s", e.Seq, e.Type, e.Source, tail(e.OperationID), e.State, tellEvent(&e))
			}
			if e.Type == payment.EventIncident {
				r.incidents[e.OperationID] = true
			}
			if e.OperationID != "" {
				named[e.OperationID] = e
				r.last[e.OperationID] = e
			}
		}
		if w.telling {
			w.say("   commit %s", tellPayment(p))
		}
		w.checkCommit(old, p, named)
	}
}

func (w *world) checkCommit(old, p *payment.Payment, named map[string]payment.Event) {
	before := int64(0)
	if old != nil {
		before = old.Version
		w.checkFixed(old, p)
	}
	if p.Version != before+1 {
		w.breach(RuleVersion, "version %d follows version %d", p.Version, before)
	}
	if want := addUp(p); want != p.Totals {
		w.breach(RuleTotals, "totals are %+v, the operations add up to %+v", p.Totals, want)
	}
	charging := 0
	for _, o := range p.Operations {
		var was *payment.Operation
		if old != nil {
			was = old.Operation(o.ID)
		}
		from := payment.StatePlanned
		if was != nil {
			from = was.State
		} else {
			w.checkPlanned(p, o)
		}
		e, told := named[o.ID]
		if o.State != from || was == nil {
			if o.State != from && o.Kind != payment.OpDispute && o.Origin != payment.OriginProvider && !from.May(o.State) {
				w.breach(RuleTable, "%s moved from %s to %s", tellOp(o), from, o.State)
			}
			money := o.State == payment.StateApproved || o.State == payment.StateReversed || from == payment.StateApproved
			if money && (!told || e.State != o.State) {
				w.breach(RuleEvent, "%s became %s without an event that says so", tellOp(o), o.State)
			}
		}
		if o.State == payment.StateUnknown {
			w.records[p.ID].unknown = true
		}
		if o.Charging && o.State.Outstanding() {
			charging++
		}
		live := 0
		for _, s := range o.Steps {
			if o.Kind == payment.OpAuthorize && !s.Fence && s.MovesMoney && s.State.Outstanding() && !s.Closed {
				live++
			}
			if was != nil && stepOf(was, s.ID) != nil {
				continue
			}
			w.checkStep(p, o, s)
		}
		if live > 1 {
			w.breach(RulePlan, "%s has %d steps at once on which money can move", tellOp(o), live)
		}
	}
	if charging > 1 {
		w.breach(RulePlan, "%d attempts are charging at once", charging)
	}
	if old != nil && old.Status != p.Status && len(named) == 0 && w.silent(p) {
		w.breach(RuleEvent, "the status went from %s to %s without an event", old.Status, p.Status)
	}
}

// silent reports whether the last commit of p wrote no event at all.
func (w *world) silent(p *payment.Payment) bool {
	if len(w.events) == 0 {
		return true
	}
	e := w.events[len(w.events)-1]
	return e.PaymentID != p.ID || e.PaymentStatus != p.Status
}

func stepOf(o *payment.Operation, id string) *payment.Step {
	for _, s := range o.Steps {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// checkFixed holds what may never change.
func (w *world) checkFixed(old, p *payment.Payment) {
	if p.Reference != old.Reference || p.Amount != old.Amount || p.Customer != old.Customer || p.Capture != old.Capture || !p.CreatedAt.Equal(old.CreatedAt) {
		w.breach(RuleVersion, "the payment's wish changed")
	}
	if len(p.Operations) < len(old.Operations) {
		w.breach(RuleVersion, "an operation is gone")
		return
	}
	for i, was := range old.Operations {
		o := p.Operations[i]
		switch {
		case o.ID != was.ID || o.Kind != was.Kind || o.Origin != was.Origin || o.Provider != was.Provider || o.Target != was.Target:
			w.breach(RuleVersion, "operation %s became %s", tellOp(was), tellOp(o))
		case o.Amount != was.Amount && o.Kind != payment.OpDispute:
			w.breach(RuleVersion, "the amount of %s was %s", tellOp(o), was.Amount)
		case len(o.Steps) < len(was.Steps):
			w.breach(RuleVersion, "a step of %s is gone", tellOp(o))
		}
		for _, s := range was.Steps {
			now := stepOf(o, s.ID)
			switch {
			case now == nil:
			case !bytes.Equal(now.Request, s.Request):
				w.breach(RuleKey, "the request of step %s changed", s.ID)
			case now.Sends < s.Sends:
				w.breach(RuleVersion, "step %s was sent %d times and now %d", s.ID, s.Sends, now.Sends)
			case s.Closed && now.Sends > s.Sends:
				w.breach(RulePlan, "step %s was sent after it was closed", s.ID)
			}
		}
	}
}

// checkPlanned looks at an operation that is new.
func (w *world) checkPlanned(p *payment.Payment, o *payment.Operation) {
	if o.Origin == payment.OriginProvider {
		return // a fact: it may break anything
	}
	target := p.Operation(o.Target)
	switch o.Kind {
	case payment.OpRefund:
		if taken := takenOf(p, o.Target, payment.OpRefund); target == nil || taken > target.Approved.Minor() || target.State != payment.StateApproved {
			w.breach(RuleExceeds, "refunds of %d are planned on %s", taken, tellOp(target))
		}
	case payment.OpCapture, payment.OpVoid:
		if taken := takenOf(p, o.Target, payment.OpCapture, payment.OpVoid); target == nil || taken > target.Approved.Minor() || target.State != payment.StateApproved {
			w.breach(RuleExceeds, "captures and voids of %d are planned on %s", taken, tellOp(target))
		}
	}
}

// checkStep looks at a step that is new: may it have been planned?
func (w *world) checkStep(p *payment.Payment, o *payment.Operation, s *payment.Step) {
	if o.Kind != payment.OpAuthorize || s.Fence || s.State != payment.StatePlanned {
		return
	}
	switch {
	case p.Canceled, p.Expired:
		w.breach(RulePlan, "step %s of %s is planned on a payment that was given up", s.Name, tellOp(o))
	case o.Superseded && s.MovesMoney:
		w.breach(RulePlan, "step %s of %s is planned on a superseded attempt", s.Name, tellOp(o))
	}
	for _, other := range p.Operations {
		if other == o || other.Kind != payment.OpAuthorize || other.Overpaid {
			continue
		}
		if other.Charging && other.State.Outstanding() {
			w.breach(RulePlan, "step %s of %s is planned while %s may be charging", s.Name, tellOp(o), tellOp(other))
		}
		if other.State == payment.StateApproved && keeps(p, other) > 0 {
			w.breach(RulePlan, "step %s of %s is planned while %s has the money", s.Name, tellOp(o), tellOp(other))
		}
	}
}

// takenOf is what operations of some kinds hold of their target, those whose
// outcome is open with what they asked for.
func takenOf(p *payment.Payment, target string, kinds ...payment.OperationKind) int64 {
	var n int64
	for _, o := range p.Operations {
		for _, k := range kinds {
			if o.Kind != k || o.Target != target {
				continue
			}
			switch {
			case o.State == payment.StateApproved:
				n += o.Approved.Minor()
			case o.State.Outstanding():
				n += o.Amount.Minor()
			}
		}
	}
	return n
}

// approvedOf is what approved operations of one kind took of their target.
func approvedOf(p *payment.Payment, target string, kind payment.OperationKind) int64 {
	var n int64
	for _, o := range p.Operations {
		if o.Kind == kind && o.Target == target && o.State == payment.StateApproved {
			n += o.Approved.Minor()
		}
	}
	return n
}

// heldBy is what an authorization still holds by the records.
func heldBy(p *payment.Payment, o *payment.Operation) int64 {
	if o.Sale || o.State != payment.StateApproved {
		return 0
	}
	for _, c := range p.Operations {
		if c.Kind == payment.OpCapture && c.Target == o.ID && c.Final && c.State == payment.StateApproved {
			return 0
		}
	}
	return max(0, o.Approved.Minor()-approvedOf(p, o.ID, payment.OpCapture)-approvedOf(p, o.ID, payment.OpVoid))
}

// collectedBy is what an attempt has collected by the records.
func collectedBy(p *payment.Payment, o *payment.Operation) int64 {
	if o.Sale {
		if o.State == payment.StateApproved {
			return o.Approved.Minor()
		}
		return 0
	}
	return approvedOf(p, o.ID, payment.OpCapture)
}

// refundedBy is what was given back of an attempt by the records.
func refundedBy(p *payment.Payment, o *payment.Operation) int64 {
	n := approvedOf(p, o.ID, payment.OpRefund)
	for _, c := range p.Operations {
		if c.Kind == payment.OpCapture && c.Target == o.ID {
			n += approvedOf(p, c.ID, payment.OpRefund)
		}
	}
	return n
}

// keeps is what an attempt holds or has collected and not given back.
func keeps(p *payment.Payment, o *payment.Operation) int64 {
	return heldBy(p, o) + collectedBy(p, o) - refundedBy(p, o)
}

// releasedByCapture is what a final capture gave back of a hold.
func releasedByCapture(p *payment.Payment, o *payment.Operation) int64 {
	for _, c := range p.Operations {
		if c.Kind == payment.OpCapture && c.Target == o.ID && c.Final && c.State == payment.StateApproved {
			return max(0, o.Approved.Minor()-approvedOf(p, o.ID, payment.OpCapture)-takenOf(p, o.ID, payment.OpVoid))
		}
	}
	return 0
}

// addUp computes totals anew, from the meaning of the words.
func addUp(p *payment.Payment) payment.Totals {
	cur := p.Amount.Currency()
	zero := payment.Total{Done: money.Zero(cur), Pending: money.Zero(cur)}
	t := payment.Totals{Authorized: zero, Captured: zero, Voided: zero, Refunded: zero, Disputed: zero, Overpaid: zero, OverpaidRefunded: zero, Transferred: zero}
	add := func(to *payment.Total, o *payment.Operation) {
		switch {
		case o.State == payment.StateApproved:
			to.Done = money.Of(to.Done.Minor()+o.Approved.Minor(), cur)
		case o.State.Outstanding():
			to.Pending = money.Of(to.Pending.Minor()+o.Amount.Minor(), cur)
		}
	}
	for _, o := range p.Operations {
		switch {
		case o.Kind == payment.OpAuthorize && o.Overpaid:
			if o.Sale || o.State != payment.StateApproved {
				add(&t.Overpaid, o)
				break
			}
			// A hold: what is neither captured nor released may still be taken.
			rest := o.Approved.Minor() - approvedOf(p, o.ID, payment.OpCapture) - approvedOf(p, o.ID, payment.OpVoid) - releasedByCapture(p, o)
			t.Overpaid.Pending = money.Of(t.Overpaid.Pending.Minor()+max(0, rest), cur)
		case o.Kind == payment.OpRefund && o.Overpaid:
			add(&t.OverpaidRefunded, o)
		case o.Kind == payment.OpCapture && o.Overpaid && o.State == payment.StateApproved:
			add(&t.Overpaid, o)
		case o.Overpaid:
		case o.Kind == payment.OpAuthorize:
			add(&t.Authorized, o)
			if o.Sale {
				add(&t.Captured, o)
			}
		case o.Kind == payment.OpCapture:
			add(&t.Captured, o)
		case o.Kind == payment.OpVoid:
			add(&t.Voided, o)
		case o.Kind == payment.OpRefund:
			add(&t.Refunded, o)
		case o.Kind == payment.OpDispute:
			add(&t.Disputed, o)
		case o.Kind == payment.OpTransfer:
			add(&t.Transferred, o)
		}
		if o.Kind == payment.OpAuthorize && !o.Overpaid {
			t.Voided.Done = money.Of(t.Voided.Done.Minor()+releasedByCapture(p, o), cur)
		}
	}
	return t
}

// planted are the personal values of every payer, found again by their marks.
const (
	plantedMark  = "planted"
	plantedEmail = "planted.payer@example.com"
	plantedName  = "Planted Payer"
)

// clear reports a personal value that lies open.
func (w *world) clear(where, text string) {
	if strings.Contains(strings.ToLower(text), plantedMark) {
		w.breach(RulePrivacy, "a personal value lies open in %s", where)
	}
}

// checkPrivacy scans everything the store keeps.
func (w *world) checkPrivacy() {
	for _, r := range w.records {
		kept, err := w.disk.Payment(quiet, r.p.ID)
		if err != nil {
			panic("simulation: a committed payment is gone: " + err.Error())
		}
		strands(reflect.ValueOf(kept), func(s string) { w.clear("a payment", s) })
	}
	for i := range w.events {
		strands(reflect.ValueOf(&w.events[i]), func(s string) { w.clear("an event", s) })
	}
}

// strands calls f with every string and byte slice inside v, unexported ones
// too.
func strands(v reflect.Value, f func(string)) {
	switch v.Kind() {
	case reflect.String:
		f(v.String())
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			strands(v.Elem(), f)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			strands(v.Field(i), f)
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			f(string(v.Bytes()))
			return
		}
		for i := range v.Len() {
			strands(v.Index(i), f)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			strands(it.Key(), f)
			strands(it.Value(), f)
		}
	}
}
