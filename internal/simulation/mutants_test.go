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
	name, file string
	// old is replaced by broken, in every place it stands; it must stand in at
	// least one, or the engine has moved on and the mutant must follow.
	old, broken string
}

// mutants are mistakes that a payment engine may make. Each of them costs
// somebody money.
var mutants = []mutant{
	{"an unknown outcome counts as a refusal", "call.go",
		"	default:\n		out.Kind = KindUnknown\n	}", "	default:\n		out.Kind = KindRejectedMerchant\n	}"},
	{"a replay that is refused settles the first send", "apply.go",
		"	case s.Doubt:\n", "	case false:\n"},
	{"no guard against a second charging attempt", "apply.go",
		"if other != o && other.Charging && other.State.Outstanding() {", "if false {"},
	{"a replay under a new key", "call.go",
		"	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.CallTimeout)\n	defer cancel()\n	res, err := guarded(o, s, func() (Result, error) { return dispatch(ctx, prov, ord) })",
		"	ord.call().Key = fmt.Sprintf(\"%s%d\", ord.call().Key, s.Sends)\n	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.CallTimeout)\n	defer cancel()\n	res, err := guarded(o, s, func() (Result, error) { return dispatch(ctx, prov, ord) })"},
	{"a late success is dropped", "operation.go",
		"	StateDeclined:       {StateApproved, StateReversed},\n", "	StateDeclined:       {},\n"},
	{"refunds on their way are not reserved", "totals.go",
		"	return floor0(minus(o.Approved, p.drawn(o.ID, OpRefund)))", "	return o.Approved"},
	{"an absence counts at once", "repair.go",
		"	proves := s.Closed && !c.now().Before(proofAt)", "	proves, _ := true, proofAt"},
	{"overpaid money is kept as the order's", "apply.go",
		"			return true, \"the order is paid by another attempt\", nil", "			return false, \"\", nil"},
	{"notifications are not deduplicated", "engine.go",
		"	if errors.Is(err, ErrTaken) {\n		return true, nil\n	}", "	if errors.Is(err, ErrTaken) {\n		return false, nil\n	}"},
	{"a canceled payment may still be charged", "apply.go",
		"	case p.Canceled:\n		return \"the payment was canceled\"\n", ""},
	{"a failover forgets that the attempt can still be paid", "engine.go",
		"	if o.Payable {\n		var err error", "	if false {\n		var err error"},
	{"personal values in the reason of an event", "engine.go",
		"u.note(EventRouted, SourceEngine, attempt.ID, why)", "u.note(EventRouted, SourceEngine, attempt.ID, why+w.Payer.Email)"},
}

// mutantPayments is how many random orders a mutant has at most before it must
// be found out.
const mutantPayments = "4000"

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
			source := filepath.Join(root, m.file)
			was, err := os.ReadFile(source)
			require.NoError(t, err)
			require.True(t, bytes.Contains(was, []byte(m.old)), "%s no longer holds what the mutant changes: adapt it to the engine", m.file)
			patched := filepath.Join(dir, m.file)
			require.NoError(t, os.WriteFile(patched, []byte(strings.ReplaceAll(string(was), m.old, m.broken)), 0o600))
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {source: patched}})
			require.NoError(t, err)
			list := filepath.Join(dir, "overlay.json")
			require.NoError(t, os.WriteFile(list, overlay, 0o600))
			binary := filepath.Join(dir, "mutant.test")
			build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", list, "-o", binary, "./internal/simulation") //nolint:gosec // fixed arguments
			build.Dir = root
			out, err := build.CombinedOutput()
			require.NoError(t, err, "%s", out)
			run := exec.CommandContext(t.Context(), binary, "-test.run", "TestSimulate$", "-payments", mutantPayments) //nolint:gosec // the binary just made
			run.Dir = dir
			out, err = run.CombinedOutput()
			require.Error(t, err, "the mutant survived %s payments", mutantPayments)
			require.Contains(t, string(out), "is broken:", "the mutant must break a rule of the simulation, not end otherwise:\n%s", out)
			for line := range strings.Lines(string(out)) {
				if strings.Contains(line, "  broken ") {
					t.Log(strings.TrimSpace(line))
				}
			}
		})
	}
}
