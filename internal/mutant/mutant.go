// Package mutant builds the tests of a package with mistakes put into the
// sources of this module, to prove that the tests find them.
package mutant

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Edit replaces Old in every place of File where it stands, a path from the
// module's root. It must stand in at least one, or the source has moved on and
// the mutant must follow.
type Edit struct{ File, Old, Broken string }

// Build compiles the tests of a package ("./internal/simulation") with the
// edits made, and returns the test binary. The sources stay as they are.
func Build(t testing.TB, pkg string, edits ...Edit) (binary string) {
	t.Helper()
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("mutant: the source of this package is not known")
	}
	root := filepath.Dir(filepath.Dir(filepath.Dir(here)))
	dir := t.TempDir()
	replaced := map[string]string{} // by source
	for _, e := range edits {
		source, patched := filepath.Join(root, e.File), filepath.Join(dir, e.File)
		from := source
		if replaced[source] != "" {
			from = patched // a second edit of one file
		}
		was, err := os.ReadFile(from) //nolint:gosec // a file of this module
		if err != nil {
			t.Fatal("mutant: ", err)
		}
		if !bytes.Contains(was, []byte(e.Old)) {
			t.Fatalf("mutant: %s no longer holds what the mutant changes: adapt it. It was:\n%s", e.File, e.Old)
		}
		if err := os.MkdirAll(filepath.Dir(patched), 0o700); err != nil {
			t.Fatal("mutant: ", err)
		}
		if err := os.WriteFile(patched, bytes.ReplaceAll(was, []byte(e.Old), []byte(e.Broken)), 0o600); err != nil { //nolint:gosec // in a folder of the test
			t.Fatal("mutant: ", err)
		}
		replaced[source] = patched
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replaced})
	if err != nil {
		t.Fatal("mutant: ", err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal("mutant: ", err)
	}
	binary = filepath.Join(dir, "mutant.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", list, "-o", binary, pkg) //nolint:gosec // fixed arguments
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("mutant: %v\n%s", err, out)
	}
	return binary
}

// Run runs a test binary in a folder of its own, with flags, and returns what
// it printed. It fails the test if the mutant survived.
func Run(t testing.TB, binary string, flags ...string) (output string) {
	t.Helper()
	run := exec.CommandContext(t.Context(), binary, flags...) //nolint:gosec // the binary just made
	run.Dir = t.TempDir()
	out, err := run.CombinedOutput()
	if err == nil {
		t.Fatal("the mutant survived")
	}
	return string(out)
}
