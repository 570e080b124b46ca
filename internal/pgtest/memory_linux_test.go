package pgtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a killed test binary left in memory is removed, and nothing else. Not
// in parallel: a test that starts a server forks, and until its child calls
// exec it holds every lock of this process too.
func TestSweep(t *testing.T) {
	parent := t.TempDir()
	folder := func(name string) string {
		dir := filepath.Join(parent, name)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "data"), 0o700))
		return dir
	}
	used, left, foreign, other := folder(prefix+"1"), folder(prefix+"2"), folder(prefix+"3"), folder("mine")
	lock, err := claim(used)
	require.NoError(t, err)
	gone, err := claim(left)
	require.NoError(t, err)
	require.NoError(t, gone.Close()) // as the end of a process does

	sweep(parent, young)
	require.DirExists(t, left, "a young folder may not be claimed yet")
	sweep(parent, 0)
	require.NoDirExists(t, left)
	for _, dir := range []string{used, foreign, other} {
		require.DirExists(t, dir)
	}
	require.NoError(t, lock.Close())
	sweep(parent, 0)
	require.NoDirExists(t, used)
}
