package simulation

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutant is the engine with one rule broken on purpose.
type mutant struct {
	name  string
	edits []edit
	// found lists the rules of the simulation of which one must find it.
	found []Rule
}

// edit replaces old in every place of the file where it stands; it must stand in
// at least one, or the engine has moved on and the mutant must follow.
type edit struct{ file, old, broken string }

// mutants are mistakes that a payment engine may make. Each of them costs
// somebody money, or their privacy.
var mutants = []mutant{
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
	_, here, _, ok := runtime.Caller(0)
	require.True(t, ok)
	root := filepath.Dir(filepath.Dir(filepath.Dir(here)))
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			replaced := map[string]string{} // by file
			for _, e := range m.edits {
				source, patched := filepath.Join(root, e.file), filepath.Join(dir, e.file)
				from := source
				if replaced[source] != "" {
					from = patched // a second edit of one file
				}
				was, err := os.ReadFile(from) //nolint:gosec // a file of this module
				require.NoError(t, err)
				require.True(t, bytes.Contains(was, []byte(e.old)), "%s no longer holds what the mutant changes: adapt it to the engine", e.file)
				require.NoError(t, os.MkdirAll(filepath.Dir(patched), 0o700))
				require.NoError(t, os.WriteFile(patched, bytes.ReplaceAll(was, []byte(e.old), []byte(e.broken)), 0o600))
				replaced[source] = patched
			}
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": replaced})
			require.NoError(t, err)
			list := filepath.Join(dir, "overlay.json")
			require.NoError(t, os.WriteFile(list, overlay, 0o600))
			binary := filepath.Join(dir, "mutant.test")
			build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", list, "-o", binary, "./internal/simulation") //nolint:gosec // fixed arguments
			build.Dir = root
			out, err := build.CombinedOutput()
			require.NoError(t, err, "%s", out)
			run := exec.CommandContext(t.Context(), binary, "-test.run", "TestSimulate$", "-payments", mutantPayments, "-stop", join(m.found)) //nolint:gosec // the binary just made
			run.Dir = dir
			out, err = run.CombinedOutput()
			require.Error(t, err, "the mutant survived %s payments", mutantPayments)
			found := false
			for line := range strings.Lines(string(out)) {
				for _, r := range m.found {
					if _, after, ok := strings.Cut(line, "  broken "); ok && strings.Contains(after, "  "+string(r)+": ") {
						found = true
						t.Log(strings.TrimSpace(line))
					}
				}
			}
			require.True(t, found, "the mutant must break one of the rules %v:\n%s", m.found, head(string(out), 60))
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
