// Command sandbox runs the payment sandbox in a process of its own. It prints
// one line of JSON with its address and keys when it is ready, and ends on
// SIGINT or SIGTERM, or, with -exit-with-stdin, when its standard input ends, so
// that it does not outlive the test that started it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/tender-go/payment/sandbox"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// urls is a flag that may be given more than once.
type urls []string

func (u *urls) String() string     { return strings.Join(*u, ",") }
func (u *urls) Set(v string) error { *u = append(*u, v); return nil }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	fs.SetOutput(stderr)
	var o sandbox.Options
	var hooks urls
	fs.StringVar(&o.Addr, "addr", "127.0.0.1:0", "loopback `address` to listen on")
	fs.Int64Var(&o.Seed, "seed", 0, "makes ids, keys and chances repeat; 0 is random")
	fs.Var(&hooks, "webhook-url", "loopback `URL` that receives events; may be repeated")
	fs.StringVar(&o.StripeKey, "stripe-key", "", "Stripe secret `key`; made at start when empty")
	fs.StringVar(&o.StripeWebhookSecret, "stripe-webhook-secret", "", "Stripe webhook `secret`; made at start when empty")
	exitWithStdin := fs.Bool("exit-with-stdin", false, "end when standard input ends")
	verbose := fs.Bool("v", false, "log requests and deliveries to standard error")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("sandbox: unexpected argument %q", fs.Arg(0))
	}
	o.WebhookURLs = hooks
	if *verbose {
		o.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	srv, err := sandbox.Start(o)
	if err != nil {
		return err
	}
	defer srv.Close()
	if err := json.NewEncoder(stdout).Encode(map[string]any{
		"url":     srv.URL,
		"control": srv.URL + "/_sandbox",
		"stripe": map[string]string{"url": srv.Stripe.URL, "secret_key": srv.Stripe.SecretKey,
			"webhook_secret": srv.Stripe.WebhookSecret},
	}); err != nil {
		return fmt.Errorf("sandbox: print the address: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *exitWithStdin {
		go func() { // ends with the process at the latest
			_, _ = io.Copy(io.Discard, stdin)
			stop()
		}()
	}
	<-ctx.Done()
	return nil
}
