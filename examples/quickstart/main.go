// Command quickstart takes a file of orders through the whole life of a
// payment: a small web shop on loopback, payers who pay, fail, leave and press
// the button twice, and staff who capture, refund and void.
//
//	go run ./examples/quickstart
//
// It needs no account and no network: Stripe is played by package sandbox on
// this machine. With STRIPE_SECRET_KEY set to a test key (sk_test_...) the same
// program asks Stripe's test mode instead.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func start() error {
	db := flag.String("db", "", "the SQLite file to make (default: a new one in the temporary folder)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	key := os.Getenv("STRIPE_SECRET_KEY")
	if err := checkKey(key); err != nil {
		return err
	}
	path, err := newFile(*db)
	if err != nil {
		return err
	}
	_, err = run(ctx, settings{key: key, db: path}, os.Stdout)
	return err
}

// newFile returns a path where no file is yet: the orders of an earlier run are
// paid, and nobody pays them twice.
func newFile(path string) (string, error) {
	if path == "" {
		dir, err := os.MkdirTemp("", "payment-quickstart-")
		return filepath.Join(dir, "quickstart.db"), err
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("-db %s: the file is there already; name a new one", path)
	}
	return path, nil
}

// checkKey lets only Stripe's test mode through.
func checkKey(key string) error {
	switch {
	case key == "", strings.HasPrefix(key, "sk_test_"), strings.HasPrefix(key, "rk_test_"):
		return nil
	case strings.HasPrefix(key, "sk_live_"), strings.HasPrefix(key, "rk_live_"):
		return errors.New("STRIPE_SECRET_KEY is a live key: this program charges made-up orders and takes test keys (sk_test_, rk_test_) only; unset it to use the sandbox")
	}
	return errors.New("STRIPE_SECRET_KEY is no secret key of Stripe's test mode: give one that starts with sk_test_ or rk_test_, or unset it to use the sandbox")
}
