package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/store/storetest"
)

func open(t testing.TB, path string) *Journal {
	t.Helper()
	j, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) storetest.Fixture {
		path := filepath.Join(t.TempDir(), "shop.journal")
		return storetest.Fixture{
			Store:  open(t, path),
			Reopen: func(t testing.TB) payment.Store { return open(t, path) },
		}
	})
}

func TestTornLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shop.journal")
	insert := func(j *Journal, id string) {
		require.NoError(t, j.Update(context.Background(), func(ctx context.Context, tx payment.Tx) error {
			return tx.InsertPayment(ctx, &payment.Payment{ID: id, Version: 1})
		}))
	}
	j := open(t, path)
	insert(j, "p1")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for cut := 1; cut < len(whole); cut += 7 { // the process dies while it writes the second line
		require.NoError(t, os.WriteFile(path, append(bytes.Clone(whole), whole[:cut]...), 0o600))
		j := open(t, path)
		_, err := j.Payment(context.Background(), "p1")
		require.NoError(t, err)
		insert(j, "p2")
		_, err = open(t, path).Payment(context.Background(), "p2")
		require.NoError(t, err, "what was answered after the crash is there")
	}
	require.NoError(t, os.WriteFile(path, append([]byte("{damaged\n"), whole...), 0o600))
	_, err = Open(path)
	require.ErrorContains(t, err, "byte 0 is damaged", "a damaged line in the middle is never passed over")
}

func TestLoadsWhatItRan(t *testing.T) {
	t.Chdir(t.TempDir())
	var out bytes.Buffer
	require.NoError(t, run(&out))
	require.Regexp(t, `(?s)^paid: .* captured\nafter a restart: .* captured, \d+ events\nsame key again: .* captured\n$`, out.String())
}
