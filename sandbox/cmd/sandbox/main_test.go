package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRunPrintsOneLineAndEndsWithStdin(t *testing.T) {
	t.Parallel()
	stdin, closeStdin := io.Pipe()
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run([]string{"-exit-with-stdin", "-stripe-key", "sk_test_given", "-stripe-webhook-secret", "whsec_given", "-webhook-url", "http://127.0.0.1:1/"}, stdin, stdout, io.Discard)
	}()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err)
	var ready struct {
		URL, Control string
		Stripe       map[string]string
	}
	require.NoError(t, json.Unmarshal(line, &ready))
	require.Equal(t, "sk_test_given", ready.Stripe["secret_key"])
	require.Equal(t, "whsec_given", ready.Stripe["webhook_secret"])
	resp, err := http.Get(ready.Control + "/info")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode)
	require.NoError(t, closeStdin.Close())
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("the process outlived its standard input")
	}
}

func TestRunRefusesBadFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-nonsense"}, {"stray"}, {"-addr", "0.0.0.0:0"}, {"-webhook-url", "https://example.com/"}} {
		var stderr bytes.Buffer
		require.Error(t, run(args, bytes.NewReader(nil), io.Discard, &stderr), args)
	}
}
