package simulation

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/mutant"
)

// mistake is the engine with one rule broken on purpose.
type mistake struct {
	name  string
	edits []edit
	// found lists the rules of the simulation of which one must find it.
	found []Rule
}

type edit struct{ file, old, broken string }

// mutants are mistakes that a payment engine may make. Each of them costs
// somebody money, or their privacy.
var mutants = []mistake{
	{"an unknown outcome counts as a refusal", []edit{{"call.go",
		"	default:\n		out.Kind = KindUnknown\n	}",
		"	default:\n		out.Kind = KindRejectedMerchant\n	}"}},
		[]Rule{RuleDouble, RuleUnknown}},
	{"what a replay is told at the door settles the first send", []edit{{"apply.go",
		"	case s.Doubt:\n",
		"	case false:\n"}},
		[]Rule{RuleDouble, RuleUnknown}},
	{"a step found after a crash counts as not sent", []edit{{"repair.go",
		"Failure: Failure{Kind: KindUnknown, Code: \"interrupted\"",
		"Failure: Failure{Kind: KindNotSent, Code: \"interrupted\""}},
		[]Rule{RuleDouble, RuleUnknown}},
	{"no guard against a second charging attempt", []edit{{"advance.go",
		"if other != o && other.Charging && other.State.Outstanding() {",
		"if other != o && other.Charging && other.State.Outstanding() && false {"}, {"plan.go",
		"		if !o.Charging {\n", "		if false {\n"}, {"proceed.go",
		"case o.State == StateUnknown, o.State == StatePlanned,", "case"}},
		[]Rule{RuleDouble, RulePlan}},
	{"a replay goes out under a new key", []edit{{"call.go",
		"return dispatch(ctx, prov, *known)",
		"known.call().Key += fmt.Sprint(s.Sends); return dispatch(ctx, prov, *known)"}},
		[]Rule{RuleDouble, RuleLost}},
	{"a late success is dropped", []edit{{"operation.go",
		"	StateDeclined:       {StateApproved, StateReversed},\n",
		"	StateDeclined:       {},\n"}},
		[]Rule{RuleLost, RuleIncident}},
	{"an earlier stage reported late is believed", []edit{{"operation.go",
		"	StateApproved:       {StateReversed},\n",
		"	StateApproved:       {StateReversed, StatePending, StateActionRequired, StateDeclined},\n"}},
		[]Rule{RuleLost, RuleOpen, RuleUnknown}},
	{"refunds on their way are not reserved", []edit{{"totals.go",
		"	return floor0(minus(o.Approved, p.drawn(o.ID, OpRefund)))",
		"	return o.Approved"}, {"totals.go",
		"	s := minus(minus(t.Captured.Done, t.Refunded.Done), t.Refunded.Pending)", "	s := t.Captured.Done"}},
		[]Rule{RuleExceeds}},
	{"an absence is believed at once", []edit{{"repair.go",
		"	proves := s.Closed && !c.now().Before(c.proofAt(s))",
		"	proves := s.ID != \"\""}},
		[]Rule{RuleDouble, RuleUnknown}},
	{"a second success is the order's too", []edit{{"success.go",
		"			return true, \"the order is paid by another attempt\", nil",
		"			return false, \"\", nil"}},
		[]Rule{RuleIncident}},
	{"notifications are not remembered", []edit{{"record.go",
		"	if errors.Is(err, ErrTaken) {\n		return true, nil\n	}",
		"	if errors.Is(err, ErrTaken) {\n		return false, nil\n	}"}},
		[]Rule{RuleRepeat}},
	{"two payments may share a reference", []edit{{"pay.go",
		"		if q.HoldsReference {\n",
		"		if false {\n"}},
		[]Rule{RuleDouble, RuleClaim, RuleReference}},
	{"a caller's key is not remembered", []edit{{"modify.go",
		"		if err := u.tx.Claim(u.ctx, claim); err != nil {",
		"		if err := u.tx.Claim(u.ctx, claim); err != nil && claim.Key == \"\" {"}},
		[]Rule{RuleTwice}},
	{"a payer's address in the reason of an event", []edit{{"moves.go",
		"o.Provider, o.Method, o.Sale, o.Why = provider, method, sale, why",
		"o.Provider, o.Method, o.Sale, o.Why = provider, method, sale, why+w.Payer.Email"}},
		[]Rule{RulePrivacy}},
	{"what failed later stays booked", []edit{{"ledger/posting/plan.go",
		"				x.undo(o, now)",
		"				_ = now"}},
		[]Rule{RuleBooks}},
	{"what is left of a hold is not released in the books", []edit{{"ledger/posting/plan.go",
		"			x.release(root, now)",
		"			now.left = nil"}},
		[]Rule{RuleBooks}},
	{"a refund is shared by what was collected, not by what is left", []edit{{"ledger/posting/pool.go",
		"parts[i].amount.Minor()-n, ",
		"parts[i].amount.Minor()-0*n, "}},
		[]Rule{RuleBooks}},
	{"what was shared stays although a capture fails or comes late", []edit{{"ledger/posting/plan.go",
		"		x.resettle(root)",
		"		_ = root"}},
		[]Rule{RuleBooks}},
	{"a second success is a sale in the books", []edit{{"ledger/posting/state.go",
		"	overpaid := o.Overpaid\n",
		"	overpaid := o.Overpaid && o.ID == \"\"\n"}},
		[]Rule{RuleBooks}},
}

// mutantPayments is how many random orders a mutant has at most before it must
// be found out.
const mutantPayments = "6000"

// TestMutantsAreFoundOut proves that the simulation has teeth: an engine with
// one rule broken does not survive it.
func TestMutantsAreFoundOut(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the engine once per mutant: run without -short")
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			var edits []mutant.Edit
			for _, e := range m.edits {
				edits = append(edits, mutant.Edit{File: e.file, Old: e.old, Broken: e.broken})
			}
			binary := mutant.Build(t, "./internal/simulation", edits...)
			out := mutant.Run(t, binary, "-test.run", "TestSimulate$", "-payments", mutantPayments, "-stop", join(m.found))
			found := false
			for line := range strings.Lines(out) {
				for _, r := range m.found {
					if _, after, ok := strings.Cut(line, "  broken "); ok && strings.Contains(after, "  "+string(r)+": ") {
						found = true
						t.Log(strings.TrimSpace(line))
					}
				}
			}
			require.True(t, found, "the mutant must break one of the rules %v:\n%s", m.found, head(out, 60))
		})
	}
}

func join(rules []Rule) string {
	var b strings.Builder
	for _, r := range rules {
		b.WriteString(string(r) + ",")
	}
	return strings.TrimSuffix(b.String(), ",")
}

// head is the beginning of a text.
func head(s string, lines int) string {
	all := strings.SplitN(s, "\n", lines+1)
	return strings.Join(all[:min(len(all), lines)], "\n")
}
