package simulation

import (
	"context"
	"errors"
	"slices"

	"github.com/tender-go/payment"
)

// letter is a notification on its way.
type letter struct {
	bank *bank
	hook payment.Webhook
}

// postOffice delivers notifications: at once, within the call that caused them;
// or when an act asks for it, in any order and more than once.
type postOffice struct {
	w *world
	// instantly says whether the next letter is delivered within the call; nil
	// for never.
	instantly func() bool
	waiting   []letter
	delivered []letter
}

// take receives a notification from a bank, on the goroutine and possibly
// within the call that caused it.
func (p *postOffice) take(b *bank, h payment.Webhook) {
	l := letter{b, h}
	if p.instantly != nil && p.instantly() && p.w.depth <= 1 && p.hand(l) {
		return
	}
	p.waiting = append(p.waiting, l)
}

// hand delivers one letter and reports whether it was acknowledged.
func (p *postOffice) hand(l letter) bool {
	w := p.w
	h := l.bank.Resign(l.hook, w.clock.now)
	var err error
	w.say("notification of %s: %s", l.bank.Name(), l.hook.Body)
	lived := w.in(w.other(), func(c *payment.Client) { _, err = c.Receive(context.Background(), l.bank.Name(), h) })
	if !lived || err != nil {
		w.say("  not acknowledged: %v", err)
		if errors.Is(err, payment.ErrWebhook) {
			w.breach(RuleWebhook, "a genuine notification was refused: %v", err)
		}
		return false
	}
	p.delivered = append(p.delivered, l)
	return true
}

// deliver hands out what waits, oldest first, those that are not acknowledged
// stay.
func (p *postOffice) deliver() {
	for range 4 { // what is delivered may cause more
		waiting := p.waiting
		p.waiting = nil
		for _, l := range waiting {
			if !p.hand(l) {
				p.waiting = append(p.waiting, l)
			}
		}
		if len(waiting) == 0 || len(p.waiting) == len(waiting) {
			return
		}
	}
}

// deliverOne hands out the n-th letter that waits; twice, if told so.
func (p *postOffice) deliverOne(n int, twice bool) {
	if len(p.waiting) == 0 {
		return
	}
	n %= len(p.waiting)
	l := p.waiting[n]
	p.waiting = slices.Delete(p.waiting, n, n+1)
	if !p.hand(l) {
		p.waiting = append(p.waiting, l)
	}
	if twice {
		p.hand(l)
	}
}

// repeat delivers everything once more, the newest first. Nothing may change.
func (p *postOffice) repeat() {
	all := p.delivered
	p.delivered = nil
	for _, l := range slices.Backward(all) {
		p.hand(l)
	}
}
