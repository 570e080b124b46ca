package ledgermodel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/mutant"
)

// mutants are mistakes that a ledger may make: each is one edit of package
// ledger, and the histories must find it.
var mutants = []struct{ name, file, old, broken string }{
	{"two that draw on one hold are decided at once", "carry.go", "[...]string{r.key, r.of}", "[...]string{r.key}"},
	{"a closing does not count for what follows it", "carry_resolve.go", "		c.closed = rec.Effective // for the rest of its group\n", ""},
	{"one that is refused decides an account's currency", "carry_resolve.go", "if !first && c.stale(r) {", "if false {"},
	{"a cent below the floor", "carry_decide.go", "if left >= cond.Floor {", "if left+1 >= cond.Floor {"},
	{"any version will do", "carry_decide.go", "if have.version != *cond.Version {", "if false {"},
	{"a transaction counts once for each line", "carry_decide.go", "if lowers && w.seen != r.record {", "if lowers {"},
	{"what is refused is not taken back", "carry_decide.go", "for i := len(c.undo) - 1; i >= from; i-- {", "for i := len(c.undo) - 1; i >= from && false; i-- {"},
	{"a key is a key, whatever is asked for", "carry_resolve.go", "if old.Fingerprint != r.fingerprint {", "if false {"},
	{"the first instant that stays open is closed", "carry_resolve.go", "case rec.Effective < c.closed:", "case rec.Effective <= c.closed:"},
	{"a fact can be refused", "carry_resolve.go", "case c.closed == 0 || r.fact:", "case c.closed == 0:"},
	{"what is held can be spent", "account.go", "return t.Posted - t.HeldCredit", "return t.Posted"},
	{"the rest of a final settlement stays held", "draw.go", "	if r.final {\n		rec.Lines = release", "	if false {\n		rec.Lines = release"},
	{"a hold that was settled in whole goes on", "draw.go", "rec.Final = r.final || all", "rec.Final = r.final"},
	{"what was taken back can be taken back again", "draw.go", "	for _, p := range parts {\n		for _, l := range p.Lines {", "	for _, p := range parts[:0] {\n		for _, l := range p.Lines {"},
	{"several entries of one account are shared out apart", "draw.go", "if left[i].account.ID == l.Account.ID && left[i].side == side {\n			left[i].left += amount", "if false {\n			left[i].left += amount"},
	{"a hold expires a moment late", "draw.go", "r.recorded < of.Expires)", "r.recorded <= of.Expires)"},
	{"what came too late counts at its date", "seal.go", "return max(r.Effective, b.Closed)", "return r.Effective"},
	{"seals follow a clock that goes back", "seal.go", "Sealed: max(now, last.Sealed)", "Sealed: now"},
	{"a page begins in the wrong place", "statement.go", "if p.Seq > seq || p.N > n {", "if p.Seq > seq {"},
	{"a balance as of an instant takes it in", "balance.go", "BookedBefore: at.effective}", "BookedBefore: at.effective + 1}"},
	{"the description is not part of the wish", "request.go", "	b = appendString(b, r.description)\n	b = append(b, r.metadata...)\n	sum", "	sum"},
	{"sides need not balance", "request.go", "	if same {\n		if sum != 0 {", "	if same {\n		if false {"},
}

// TestMutantsAreFoundOut proves that the histories have teeth: books with one
// rule broken do not survive them.
func TestMutantsAreFoundOut(t *testing.T) {
	if underRace {
		t.Skip("the histories of the mutants run without the race detector, in make test")
	}
	if testing.Short() {
		t.Skip("compiles the ledger once per mutant: run without -short")
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			binary := mutant.Build(t, "./internal/ledgermodel", mutant.Edit{File: "ledger/" + m.file, Old: m.old, Broken: m.broken})
			out := mutant.Run(t, binary, "-test.run", "TestAgainstModel/memstore$", "-rapid.checks", "3000", "-rapid.shrinktime", "1ms", "-rapid.nofailfile")
			// By a rule, or by memstore, which has no row for an account that is not there.
			require.Regexp(t, `\[rapid\] (failed|panic)`, out)
		})
	}
}
