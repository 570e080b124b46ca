package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	stripego "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/provider/stripe"
	"github.com/tender-go/payment/store/memstore"
)

// overStripe compares a payment through the library with the same two raw calls
// of stripe-go, both to a sandbox without delay in another process.
func overStripe(ctx context.Context, rounds int, each time.Duration) error {
	box, err := startSandbox(ctx)
	if err != nil {
		return err
	}
	defer box.stop()
	raw := rawClient(box.URL, box.Key)
	card, err := stripe.New(stripe.Config{SecretKey: payment.NewSecret(box.Key), BaseURL: box.URL})
	if err != nil {
		return err
	}
	c, err := payment.New(payment.Config{Store: memstore.New(), Providers: []payment.Provider{card}})
	if err != nil {
		return err
	}
	ours := func() error { return payOne(ctx, c, "pm_card_visa") }
	theirs := func() error { return rawPay(ctx, raw) }
	for _, warm := range []func() error{ours, theirs} {
		if _, _, err := loop(each/4, 1, warm); err != nil {
			return err
		}
	}
	var a, b, ratio []float64
	for range rounds {
		n, took, err := loop(each, 1, theirs)
		if err != nil {
			return err
		}
		base := float64(took.Microseconds()) / float64(n)
		if n, took, err = loop(each, 1, ours); err != nil {
			return err
		}
		us := float64(took.Microseconds()) / float64(n)
		a, b, ratio = append(a, base), append(b, us), append(ratio, us/base)
	}
	row("raw stripe-go: the same create and confirm", fmt.Sprintf("%.0f us", median(a)), "")
	row("Pay through the library, memstore", fmt.Sprintf("%.0f us", median(b)), "")
	row("  library / raw", fmt.Sprintf("%.2f x", median(ratio)), "<= 1.15")
	row("  added", fmt.Sprintf("%.0f us", median(b)-median(a)), "")
	return nil
}

func rawClient(url, key string) *client.API {
	hc := &http.Client{Timeout: 20 * time.Second}
	backend := func(t stripego.SupportedBackend) stripego.Backend {
		return stripego.GetBackendWithConfig(t, &stripego.BackendConfig{URL: stripego.String(url), HTTPClient: hc,
			MaxNetworkRetries: stripego.Int64(0), EnableTelemetry: stripego.Bool(false), LeveledLogger: &stripego.LeveledLogger{Level: stripego.LevelNull}})
	}
	return client.New(key, &stripego.Backends{API: backend(stripego.APIBackend), Connect: backend(stripego.ConnectBackend), Uploads: backend(stripego.UploadsBackend)})
}

func rawPay(ctx context.Context, sc *client.API) error {
	n := counter.Add(1)
	create := &stripego.PaymentIntentParams{Amount: stripego.Int64(1999), Currency: stripego.String("usd"), CaptureMethod: stripego.String("automatic"),
		PaymentMethodTypes: []*string{stripego.String("card")}}
	create.Context, create.IdempotencyKey = ctx, stripego.String(fmt.Sprintf("raw-%d-create", n))
	for _, k := range []string{"payment", "operation", "step", "reference"} { // what a shop needs to find it again
		create.AddMetadata(k, fmt.Sprintf("raw-%d", n))
	}
	pi, err := sc.PaymentIntents.New(create)
	if err != nil {
		return fmt.Errorf("bench: raw create failed: %T", err)
	}
	confirm := &stripego.PaymentIntentConfirmParams{PaymentMethod: stripego.String("pm_card_visa")}
	confirm.Context, confirm.IdempotencyKey = ctx, stripego.String(fmt.Sprintf("raw-%d-confirm", n))
	confirm.AddExpand("latest_charge.balance_transaction") // the card and the fee, as the adapter asks for them
	if pi, err = sc.PaymentIntents.Confirm(pi.ID, confirm); err != nil {
		return fmt.Errorf("bench: raw confirm failed: %T", err)
	}
	if pi.Status != stripego.PaymentIntentStatusSucceeded {
		return fmt.Errorf("bench: raw payment is %s", pi.Status)
	}
	return nil
}

type box struct {
	URL, Key string
	stop     func()
}

// startSandbox builds and runs the sandbox as a process of its own.
func startSandbox(ctx context.Context) (*box, error) {
	dir, err := os.MkdirTemp("", "payment-sandbox")
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(dir, "sandbox")
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, "./sandbox/cmd/sandbox")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("bench: build the sandbox (run from the module's root): %w", err)
	}
	cmd := exec.CommandContext(ctx, bin, "-exit-with-stdin")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := func() {
		stdin.Close()
		_ = cmd.Wait()
		os.RemoveAll(dir)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		stop()
		return nil, fmt.Errorf("bench: the sandbox said nothing: %w", err)
	}
	var ready struct {
		Stripe struct {
			URL       string `json:"url"`
			SecretKey string `json:"secret_key"`
		} `json:"stripe"`
	}
	if err := json.Unmarshal(line, &ready); err != nil || ready.Stripe.URL == "" {
		stop()
		return nil, fmt.Errorf("bench: the sandbox said %q", line)
	}
	return &box{URL: ready.Stripe.URL, Key: ready.Stripe.SecretKey, stop: stop}, nil
}
