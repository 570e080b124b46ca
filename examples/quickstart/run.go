package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger/posting"
	"github.com/tender-go/payment/provider/stripe"
	"github.com/tender-go/payment/sandbox"
	"github.com/tender-go/payment/store/sqlite"
	"github.com/tender-go/payment/webhook"
)

// settings of a run.
type settings struct {
	key string // Stripe's test key, "" for the sandbox
	url string // in place of Stripe's own address, for tests
	db  string // the SQLite file
}

// report is what a run came to.
type report struct {
	rows        []row
	totals      []total
	webhooks    counts
	ledger      ledgerReport
	differences []string
	leaks       []string
}

// run opens the shop, plays every order, waits until all is told, and prints.
// The error names whatever does not agree.
func run(ctx context.Context, set settings, out io.Writer) (rep *report, err error) {
	if err := checkKey(set.key); err != nil {
		return nil, err
	}
	orders, err := readOrders()
	if err != nil {
		return nil, err
	}
	began := time.Now()

	// The shop's address is known before the sandbox is told where to notify.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	base := "http://" + listener.Addr().String()
	mux := http.NewServeMux()
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}

	// 1. A provider: Stripe, played by the sandbox unless a key is given.
	cfg := stripe.Config{SecretKey: payment.NewSecret(set.key), BaseURL: set.url}
	var bank *sandbox.Server
	if set.key == "" {
		if bank, err = sandbox.Start(sandbox.Options{WebhookURLs: []string{base + "/webhooks/stripe"}}); err != nil {
			return nil, err
		}
		defer func() { _ = bank.Close() }()
		cfg = stripe.Config{SecretKey: payment.NewSecret(bank.Stripe.SecretKey), BaseURL: bank.Stripe.URL,
			WebhookSecrets: []payment.Secret{payment.NewSecret(bank.Stripe.WebhookSecret)}, MultiCapture: true}
	}
	card, err := stripe.New(cfg)
	if err != nil {
		return nil, err
	}

	// 2. A store: one SQLite file.
	store, err := sqlite.Open(set.db)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	// 3. The client, its double-entry books, and its worker. A real shop keeps the master key in its
	// secret store: without it the personal values in the file cannot be read.
	master := make([]byte, 32)
	if _, err := rand.Read(master); err != nil {
		return nil, err
	}
	books := posting.Default()
	pay, err := payment.New(payment.Config{Store: store, Providers: []payment.Provider{card}, MasterKeys: [][]byte{master}, Books: books})
	if err != nil {
		return nil, err
	}
	working, stop := context.WithCancel(ctx)
	var jobs sync.WaitGroup
	jobs.Go(func() { _ = pay.Run(working) })
	defer jobs.Wait()
	defer stop()

	// 4. The shop's web server, on this machine only.
	s := &shop{pay: pay, orders: map[string]order{}, base: base, staff: rand.Text(), asks: bank == nil}
	for _, o := range orders {
		s.orders[o.Number] = o
	}
	s.routes(mux)
	hooks := &counter{next: webhook.Handler(pay, card)}
	if bank != nil { // Stripe itself cannot reach this machine
		mux.Handle("/webhooks/stripe", hooks)
	}
	jobs.Go(func() { _ = server.Serve(listener) })
	defer func() { _ = server.Close() }()

	// 5. Everybody plays.
	rep = &report{}
	y := &players{http: &http.Client{Timeout: time.Minute}, base: base, staff: s.staff, bank: bank, poll: time.Second, run: strings.ToLower(rand.Text()[:8])}
	if bank != nil {
		y.poll = 20 * time.Millisecond
		// The network has its moods, and so have strangers.
		for _, rule := range []sandbox.DeliveryRule{
			{Type: "payment_intent.succeeded", Mode: sandbox.DeliverTwice, Count: 5},
			{Type: "charge.refunded", Mode: sandbox.DeliverForged, Count: 2},
		} {
			if err := bank.Deliver(rule); err != nil {
				return nil, err
			}
		}
	}
	did := map[string]played{}
	for _, o := range orders {
		if did[o.Number], err = y.play(ctx, o); err != nil {
			return nil, fmt.Errorf("order %s: %w", o.Number, err)
		}
		if bank != nil && did[o.Number].refused != "" {
			rep.differences = append(rep.differences, o.Number+": "+did[o.Number].refused)
		}
	}

	// 6. Wait until everything is told, then look.
	if rep.rows, err = s.settle(ctx, bank, orders, did); err != nil {
		return nil, err
	}
	if rep.totals, err = addUp(rep.rows); err != nil {
		return nil, err
	}
	if bank != nil {
		rep.differences = append(rep.differences, compare(rep.rows, rep.totals, bank)...)
	}
	if err := learnFees(ctx, pay, rep.rows); err != nil {
		return nil, err
	}
	var wrong []string
	if rep.ledger, wrong, err = readLedger(ctx, books, rep.rows); err != nil {
		return nil, err
	}
	rep.differences = append(rep.differences, wrong...)
	if bank != nil { // a real account's statement has other payments, too
		if wrong, err = compareFees(ctx, card, rep.ledger.trial); err != nil {
			return nil, err
		}
		rep.differences = append(rep.differences, wrong...)
	}
	rep.webhooks = hooks.read()
	rep.leaks = leaks(set.db, orders)
	rep.print(out, set, time.Since(began))
	if wrong = slices.Concat(rep.differences, rep.leaks); len(wrong) > 0 {
		return rep, fmt.Errorf("%d things are not as they should be:\n  %s", len(wrong), strings.Join(wrong, "\n  "))
	}
	return rep, nil
}

// settle waits until every webhook has come in, or asks where none can, and
// reads what became of each order.
func (s *shop) settle(ctx context.Context, bank *sandbox.Server, orders []order, did map[string]played) ([]row, error) {
	if bank != nil {
		bank.Advance(5 * time.Second) // wallets decide on refunds later than cards
		wait, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if err := bank.Flush(wait); err != nil {
			return nil, fmt.Errorf("the webhooks did not all arrive: %w", err)
		}
	}
	var rows []row
	for _, o := range orders {
		if s.asks {
			p, err := s.newest(ctx, o.Number)
			if err == nil {
				_, err = s.pay.Sync(ctx, p.ID)
			}
			if err != nil && !errors.Is(err, payment.ErrNotFound) {
				return nil, err
			}
		}
		r, err := readRow(ctx, s.pay, o, did[o.Number])
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// leaks looks for the payers' names and addresses in the database's files.
func leaks(db string, orders []order) (found []string) {
	for _, path := range []string{db, db + "-wal"} {
		data, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return []string{err.Error()}
		}
		for _, o := range orders {
			for _, personal := range []string{o.Name, o.Email, o.Items} {
				if bytes.Contains(data, []byte(personal)) {
					found = append(found, o.Number+": a personal value of the payer lies in clear in "+path)
				}
			}
		}
	}
	return found
}

func (rep *report) print(out io.Writer, set settings, took time.Duration) {
	where := "the sandbox on this machine"
	if set.key != "" {
		where = "Stripe's test mode"
	}
	who := map[string]int{}
	for _, r := range rep.rows {
		who[payer(r.order)]++
	}
	fmt.Fprintf(out, "%d orders, paid through stripe-go at %s\n", len(rep.rows), where)
	fmt.Fprintf(out, "%d by guests, %d by known customers, %d of these with one click on a kept card\n\n",
		who["guest"], who["customer"]+who["one click"], who["one click"])
	printTable(out, rep.rows)
	printTotals(out, rep.totals, set.key == "")
	fmt.Fprintln(out)
	if set.key == "" {
		fmt.Fprintf(out, "webhooks   %d received: %d acknowledged (some of them twice), %d forged and refused\n", rep.webhooks.all, rep.webhooks.taken, rep.webhooks.refused)
		if len(rep.differences) == 0 {
			fmt.Fprintln(out, "records    the shop's records and the sandbox agree on every order; nobody was charged twice")
		}
	} else {
		fmt.Fprintln(out, "webhooks   none can reach this machine: outcomes were asked for (Sync); what needs the payer's own act waits")
	}
	fmt.Fprintf(out, "database   %s", set.db)
	if len(rep.leaks) == 0 {
		fmt.Fprint(out, " (no payer's name, e-mail or purchase in clear)")
	}
	fmt.Fprintln(out)
	fmt.Fprintf(out, "time       %s\n", took.Round(time.Millisecond))
	rep.ledger.print(out)
	rep.ledger.printVerified(out)
}
