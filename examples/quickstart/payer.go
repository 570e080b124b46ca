package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/sandbox"
)

// players play everybody but the shop: the payers with their browsers, phones
// and banks, and the shop's staff. They know the shop by its address alone.
type players struct {
	http  *http.Client
	base  string
	staff string
	bank  *sandbox.Server // nil against Stripe itself: then nobody passes a challenge
	poll  time.Duration   // between two looks at a page that waits
	run   string          // makes keys of this run differ from those of another
}

// played is what came of an order besides its payment.
type played struct {
	refused string // a wish that the shop refused, in words
	second  []seen // what a second press of the button showed
}

// seen is what a payer read, and where.
type seen struct {
	where string
	text  payment.Text
}

// play takes one order through its life.
func (y *players) play(ctx context.Context, o order) (played, error) {
	var did played
	var last page
	for i, t := range o.Pay {
		form := payForm{Order: o.Number, Key: fmt.Sprintf("%s.%s.%d", y.run, o.Number, i), Payment: last.Payment,
			Method: t.Method, Token: t.Token, Save: t.Save, OneClick: t.OneClick}
		first, second, err := y.press(ctx, o, t, form)
		if err != nil || first.Error != "" {
			return played{refused: first.Error}, err
		}
		if last, err = y.carryOut(ctx, o, t, first); err != nil {
			return did, err
		}
		if second != nil {
			if did.second, err = y.watch(ctx, o, t, *second); err != nil {
				return did, err
			}
		}
		if last.Next != payment.Refused {
			break
		}
	}
	if last.Next != payment.Paid && !gaveUp(o) {
		return did, nil
	}
	for i, a := range o.Then {
		form := staffForm{Order: o.Number, Key: fmt.Sprintf("%s.%s.%s.%d", y.run, o.Number, a.Do, i), Amount: a.Amount, Final: a.Final}
		answer, err := y.post(ctx, o, "/staff/"+a.Do, form)
		if err != nil || answer.Error != "" {
			did.refused = answer.Error
			return did, err
		}
	}
	return did, nil
}

// watch is the payer who looks at the second tab: at what it showed at once,
// and, if that was to wait, at what it shows now.
func (y *players) watch(ctx context.Context, o order, t try, at page) ([]seen, error) {
	where := map[string]string{"two_tabs": "tab", "double_submit": "press"}[t.How]
	saw := []seen{{where, at.Text}}
	if at.Next != payment.Wait {
		return saw, nil
	}
	now, err := y.get(ctx, o, "/orders/"+url.PathEscape(o.Number))
	return append(saw, seen{where + ", a moment later,", now.Text}), err
}

// gaveUp reports whether the staff cancels an order that nobody paid.
func gaveUp(o order) bool { return len(o.Then) > 0 && o.Then[0].Do == "cancel" }

// press presses the pay button: once, twice, or in two tabs at the same time. It
// returns what the first and the second press showed.
func (y *players) press(ctx context.Context, o order, t try, form payForm) (page, *page, error) {
	if t.Fault == "answer_lost" && y.bank != nil {
		// Stripe charges the card, and the connection breaks before it can say so.
		fault := sandbox.Fault{Method: http.MethodPost, Path: "/v1/payment_intents/*/confirm", Kind: sandbox.FaultReset, After: true, Count: 1}
		if _, err := y.bank.Fault(fault); err != nil {
			return page{}, nil, err
		}
	}
	second := form
	switch t.How {
	case "":
		p, err := y.post(ctx, o, "/pay", form)
		return p, nil, err
	case "two_tabs":
		second.Key += ".tab2"
	}
	type result struct {
		page page
		err  error
	}
	other := make(chan result, 1)
	go func() {
		p, err := y.post(ctx, o, "/pay", second)
		other <- result{p, err}
	}()
	first, err := y.post(ctx, o, "/pay", form)
	two := <-other
	if err = errors.Join(err, two.err); err != nil {
		return page{}, nil, err
	}
	if first.Error != "" || two.page.Error != "" {
		return page{Error: strings.TrimSpace(first.Error + " " + two.page.Error)}, nil, nil
	}
	if first.Payment != two.page.Payment {
		return page{}, nil, fmt.Errorf("order %s has two payments, %s and %s", o.Number, first.Payment, two.page.Payment)
	}
	return first, &two.page, nil
}

// carryOut does what the page asks until it is paid or refused, or the payer
// has left.
func (y *players) carryOut(ctx context.Context, o order, t try, at page) (page, error) {
	end := time.Now().Add(10 * time.Second)
	for acted := false; ; {
		switch {
		case at.Next == payment.Paid, at.Next == payment.Refused:
			return at, nil
		case at.Next == payment.PayerMustAct && !acted:
			if y.bank == nil || t.Challenge == "leave" || at.Action == nil {
				return at, nil
			}
			if err := y.act(ctx, o, t, at.Action); err != nil {
				return page{}, err
			}
			acted = true
		case time.Now().After(end):
			return at, nil // the table shows where it stands
		}
		if err := pause(ctx, y.poll); err != nil {
			return page{}, err
		}
		var err error
		if at, err = y.get(ctx, o, "/orders/"+url.PathEscape(o.Number)); err != nil {
			return page{}, err
		}
	}
}

// act is the payer on the bank's page: there the browser posts a decision and is
// sent back to the shop. A code is scanned with a phone, and the browser stays.
func (y *players) act(ctx context.Context, o order, t try, a *payment.Action) error {
	outcome := "succeed"
	if t.Challenge == "fail" {
		outcome = "fail"
	}
	address, browser := a.URL, *y.http
	if a.Kind == payment.ActionQR {
		address = a.Code
		browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	if !strings.HasPrefix(address, y.bank.URL+"/") {
		return fmt.Errorf("order %s: the payer was sent to a strange place", o.Number)
	}
	_, err := send(ctx, &browser, o, http.MethodPost, address, "application/x-www-form-urlencoded", []byte("outcome="+outcome), "")
	return err
}

func (y *players) post(ctx context.Context, o order, path string, form any) (page, error) {
	body, err := json.Marshal(form)
	if err != nil {
		return page{}, err
	}
	password := ""
	if strings.HasPrefix(path, "/staff/") {
		password = y.staff
	}
	answer, err := send(ctx, y.http, o, http.MethodPost, y.base+path, "application/json", body, password)
	return decode(answer, err)
}

func (y *players) get(ctx context.Context, o order, path string) (page, error) {
	return decode(send(ctx, y.http, o, http.MethodGet, y.base+path, "", nil, ""))
}

func decode(body []byte, err error) (page, error) {
	var p page
	if err == nil {
		err = json.Unmarshal(body, &p)
	}
	return p, err
}

func send(ctx context.Context, c *http.Client, o order, method, address, kind string, body []byte, password string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Language", o.Language)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if password != "" {
		req.SetBasicAuth("staff", password)
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(io.LimitReader(res.Body, 1<<20))
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
