package providertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/provider/providertest"
)

// broken is a fake with one rule broken: a nil function behaves well.
type broken struct {
	*fake.Provider
	name         func() string
	caps         func(payment.Capabilities) payment.Capabilities
	authorize    func(context.Context, payment.AuthorizeRequest) (payment.Result, error)
	capture      func(context.Context, payment.CaptureRequest) (payment.Result, error)
	void         func(context.Context, payment.VoidRequest) (payment.Result, error)
	refund       func(context.Context, payment.RefundRequest) (payment.Result, error)
	lookup       func(context.Context, payment.LookupRequest) (payment.Result, error)
	fence        func(context.Context, payment.FenceRequest) (payment.Result, error)
	forget       func(context.Context, payment.ForgetRequest) (payment.Result, error)
	save         func(context.Context, payment.SaveRequest) (payment.Result, error)
	transfer     func(context.Context, payment.TransferRequest) (payment.Result, error)
	parseWebhook func(context.Context, payment.Webhook) (payment.Notification, error)
}

func (b *broken) Name() string {
	if b.name != nil {
		return b.name()
	}
	return b.Provider.Name()
}
func (b *broken) Capabilities() payment.Capabilities {
	c := b.Provider.Capabilities()
	if b.caps == nil {
		return c
	}
	m := make(map[payment.Method]payment.MethodCapabilities)
	for k, v := range c.Methods {
		v.Flow = slices.Clone(v.Flow)
		m[k] = v
	}
	c.Methods = m
	return b.caps(c)
}
func (b *broken) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	if b.authorize != nil {
		return b.authorize(ctx, r)
	}
	return b.Provider.Authorize(ctx, r)
}
func (b *broken) Capture(ctx context.Context, r payment.CaptureRequest) (payment.Result, error) {
	if b.capture != nil {
		return b.capture(ctx, r)
	}
	return b.Provider.Capture(ctx, r)
}
func (b *broken) Void(ctx context.Context, r payment.VoidRequest) (payment.Result, error) {
	if b.void != nil {
		return b.void(ctx, r)
	}
	return b.Provider.Void(ctx, r)
}
func (b *broken) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	if b.refund != nil {
		return b.refund(ctx, r)
	}
	return b.Provider.Refund(ctx, r)
}
func (b *broken) Lookup(ctx context.Context, r payment.LookupRequest) (payment.Result, error) {
	if b.lookup != nil {
		return b.lookup(ctx, r)
	}
	return b.Provider.Lookup(ctx, r)
}
func (b *broken) Fence(ctx context.Context, r payment.FenceRequest) (payment.Result, error) {
	if b.fence != nil {
		return b.fence(ctx, r)
	}
	return b.Provider.Fence(ctx, r)
}
func (b *broken) Forget(ctx context.Context, r payment.ForgetRequest) (payment.Result, error) {
	if b.forget != nil {
		return b.forget(ctx, r)
	}
	return b.Provider.Forget(ctx, r)
}
func (b *broken) Save(ctx context.Context, r payment.SaveRequest) (payment.Result, error) {
	if b.save != nil {
		return b.save(ctx, r)
	}
	return b.Provider.Save(ctx, r)
}
func (b *broken) Transfer(ctx context.Context, r payment.TransferRequest) (payment.Result, error) {
	if b.transfer != nil {
		return b.transfer(ctx, r)
	}
	return b.Provider.Transfer(ctx, r)
}
func (b *broken) ParseWebhook(ctx context.Context, w payment.Webhook) (payment.Notification, error) {
	if b.parseWebhook != nil {
		return b.parseWebhook(ctx, w)
	}
	return b.Provider.ParseWebhook(ctx, w)
}

// adapter hides the fake behind the plain Provider interface.
type bare struct{ payment.Provider }

// unique gives keys that nobody asked for.
var unique atomic.Int64

func fresh() string { return "rnd" + strconv.FormatInt(unique.Add(1), 36) }

// asUnknown changes the kind of failed calls.
func rekind(from, to payment.ErrorKind) func(payment.Result, error) (payment.Result, error) {
	return func(r payment.Result, err error) (payment.Result, error) {
		var ce *payment.CallError
		if errors.As(err, &ce) && ce.Kind == from {
			changed := *ce
			changed.Kind = to
			return r, &changed
		}
		return r, err
	}
}

// sabotage is one way to break a rule.
type sabotage struct {
	rule string
	what string
	base fake.Personality
	make func(p *fake.Provider) payment.Provider
}

// with starts from a fake whose fields mend.
func with(set func(p *fake.Provider, b *broken)) func(*fake.Provider) payment.Provider {
	return func(p *fake.Provider) payment.Provider {
		b := &broken{Provider: p}
		set(p, b)
		return b
	}
}

func onMethods(f func(*payment.MethodCapabilities)) func(*fake.Provider) payment.Provider {
	return with(func(_ *fake.Provider, b *broken) {
		b.caps = func(c payment.Capabilities) payment.Capabilities {
			for k, m := range c.Methods {
				f(&m)
				c.Methods[k] = m
			}
			return c
		}
	})
}

func onAuthorize(f func(r *payment.Result, err *error)) func(*fake.Provider) payment.Provider {
	return with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			r, err := p.Authorize(ctx, q)
			f(&r, &err)
			return r, err
		}
	})
}

func onParse(f func(p *fake.Provider, w payment.Webhook) (payment.Notification, error)) func(*fake.Provider) payment.Provider {
	return with(func(p *fake.Provider, b *broken) {
		b.parseWebhook = func(_ context.Context, w payment.Webhook) (payment.Notification, error) { return f(p, w) }
	})
}

// readAnything reads a notification without looking at its signature.
func readAnything(p *fake.Provider, w payment.Webhook) (payment.Notification, error) {
	signed := p.Sign(w.Body, w.Now)
	return p.ParseWebhook(context.Background(), signed)
}

var sabotages = []sabotage{
	{"name", "a name with a space", fake.Plain, with(func(_ *fake.Provider, b *broken) { b.name = func() string { return "My Bank" } })},
	{"name", "another name each time", fake.Plain, with(func(_ *fake.Provider, b *broken) { b.name = fresh })},
	{"capabilities-stable", "a limit that moves", fake.Plain, with(func(_ *fake.Provider, b *broken) {
		var n int64
		b.caps = func(c payment.Capabilities) payment.Capabilities {
			n++
			for k, m := range c.Methods {
				m.Max = map[money.Currency]int64{money.USD: 100_000_000 + n}
				c.Methods[k] = m
			}
			return c
		}
	})},
	{"capabilities-agree", "declares much, implements Authorize", fake.Plain, func(p *fake.Provider) payment.Provider { return bare{p} }},
	{"capabilities-agree", "a hold without an end", fake.Plain, onMethods(func(m *payment.MethodCapabilities) { m.HoldFor = 0 })},
	{"capabilities-agree", "a step that cannot be recovered", fake.Plain, onMethods(func(m *payment.MethodCapabilities) { m.Flow[0].Recovery = payment.Recovery{} })},
	{"capabilities-agree", "a deadline without a time", fake.Alipay, onMethods(func(m *payment.MethodCapabilities) { m.PayableFor = 0 })},
	{"capabilities-agree", "an empty flow", fake.Stripe, onMethods(func(m *payment.MethodCapabilities) { m.Flow[1].Name = m.Flow[0].Name })},
	{"undeclared-refused", "a transfer that is not declared", fake.Plain, with(func(_ *fake.Provider, b *broken) {
		b.caps = func(c payment.Capabilities) payment.Capabilities { c.Transfer = payment.StepSpec{}; return c }
	})},

	{"approve-sale", "a sale reported as a hold", fake.Plain, onAuthorize(func(r *payment.Result, _ *error) { r.Captured = false })},
	{"approve-sale", "no Ref", fake.Plain, onAuthorize(func(r *payment.Result, _ *error) { r.Ref = "" })},
	{"approve-hold", "a hold reported as a sale", fake.Plain, onAuthorize(func(r *payment.Result, _ *error) { r.Captured = r.Status == payment.ResultApproved })},
	{"approve-sale", "charges twice", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			r, err := p.Authorize(ctx, q)
			q.Key = fresh()
			_, _ = p.Authorize(ctx, q)
			return r, err
		}
	})},
	{"decline", "a decline as an error", fake.Plain, onAuthorize(func(r *payment.Result, err *error) {
		if r.Status == payment.ResultDeclined {
			*err = &payment.CallError{Kind: payment.KindRejectedRequest, Provider: "fake", Step: "pay", Code: r.Decline.Code}
		}
	})},
	{"decline", "a decline without its code", fake.Plain, onAuthorize(func(r *payment.Result, _ *error) { r.Decline.Code = "" })},
	{"decline", "a reason of its own", fake.Plain, onAuthorize(func(r *payment.Result, _ *error) {
		if !r.Decline.IsZero() {
			r.Decline.Reason = "no_luck"
		}
	})},
	{"action", "approves before the payer acted", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			q.Method.Token = payment.NewSecret(fake.TokenApproved)
			r, err := p.Authorize(ctx, q)
			if err == nil {
				r.Status, r.Action = payment.ResultActionRequired, &payment.Action{Kind: payment.ActionChallenge, URL: "https://acs.invalid/"}
			}
			return r, err
		}
	})},

	{"capture", "captures the whole at each part", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.capture = func(ctx context.Context, q payment.CaptureRequest) (payment.Result, error) {
			q.Amount = money.Of(1000, money.USD)
			return p.Capture(ctx, q)
		}
	})},
	{"capture", "forgets that the last one is final", fake.Stripe, with(func(p *fake.Provider, b *broken) {
		b.caps = func(c payment.Capabilities) payment.Capabilities {
			m := c.Methods[payment.MethodCard]
			m.MultiCapture = false
			c.Methods[payment.MethodCard] = m
			return c
		}
		b.capture = func(ctx context.Context, q payment.CaptureRequest) (payment.Result, error) {
			q.Final = false
			return p.Capture(ctx, q)
		}
	})},
	{"void", "says void and does nothing", fake.Plain, with(func(_ *fake.Provider, b *broken) {
		b.void = func(context.Context, payment.VoidRequest) (payment.Result, error) {
			return payment.Result{Status: payment.ResultApproved, Ref: "void1"}, nil
		}
	})},
	{"refund", "refunds a tenth", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.refund = func(ctx context.Context, q payment.RefundRequest) (payment.Result, error) {
			q.Amount = money.Of(q.Amount.Minor()/10, q.Amount.Currency())
			return p.Refund(ctx, q)
		}
	})},
	{"over-capture", "an unknown for a refusal", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.capture = func(ctx context.Context, q payment.CaptureRequest) (payment.Result, error) {
			return rekind(payment.KindRejectedRequest, payment.KindUnknown)(p.Capture(ctx, q))
		}
	})},
	{"over-refund", "cuts the refund to what is left", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.refund = func(ctx context.Context, q payment.RefundRequest) (payment.Result, error) {
			if q.Amount.Minor() > q.Captured.Minor() {
				q.Amount = q.Captured
			}
			return p.Refund(ctx, q)
		}
	})},
	{"amounts", "every currency has two decimals", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			if q.Amount.Currency() == money.JPY {
				q.Amount = money.Of(q.Amount.Minor()*100, money.JPY)
			}
			return p.Authorize(ctx, q)
		}
	})},

	{"error-kinds", "a server error as a failure", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			return rekind(payment.KindUnknown, payment.KindRejectedRequest)(p.Authorize(ctx, q))
		}
	})},
	{"error-kinds", "a refused connection as unknown", fake.Stripe, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			return rekind(payment.KindNotSent, payment.KindUnknown)(p.Authorize(ctx, q))
		}
	})},
	{"error-kinds", "retries by itself", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			r, err := p.Authorize(ctx, q)
			if err != nil && ctx.Err() == nil {
				return p.Authorize(ctx, q)
			}
			return r, err
		}
	})},
	{"error-kinds-refund", "a lost refund as a failure", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.refund = func(ctx context.Context, q payment.RefundRequest) (payment.Result, error) {
			return rekind(payment.KindUnknown, payment.KindNotSent)(p.Refund(ctx, q))
		}
	})},
	{"hostile-answers", "an empty object as success", fake.Plain, with(func(p *fake.Provider, b *broken) {
		var n atomic.Int64
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			r, err := p.Authorize(ctx, q)
			if err != nil && n.Add(1) == 3 {
				return payment.Result{Status: payment.ResultApproved}, nil
			}
			return r, err
		}
	})},
	{"context-over-before", "sends although nobody waits", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			return p.Authorize(context.WithoutCancel(ctx), q)
		}
	})},
	{"context-over-during", "waits for ever", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			r, err := p.Authorize(ctx, q)
			if err != nil && ctx.Err() != nil {
				time.Sleep(3500 * time.Millisecond)
			}
			return r, err
		}
	})},
	{"context-over-during", "a timeout as not sent", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			r, err := p.Authorize(ctx, q)
			if ctx.Err() != nil {
				return rekind(payment.KindUnknown, payment.KindNotSent)(r, err)
			}
			return r, err
		}
	})},
	{"replay", "a new key for each refund", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.refund = func(ctx context.Context, q payment.RefundRequest) (payment.Result, error) {
			q.Key = fresh()
			return p.Refund(ctx, q)
		}
	})},
	{"replay", "a new key for each charge", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			q.Key = fresh()
			return p.Authorize(ctx, q)
		}
	})},
	{"key-other-request", "the amount in the key", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.refund = func(ctx context.Context, q payment.RefundRequest) (payment.Result, error) {
			q.Key += strconv.FormatInt(q.Amount.Minor(), 36)
			return p.Refund(ctx, q)
		}
	})},
	{"key-other-request", "a taken key as a refusal", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.refund = func(ctx context.Context, q payment.RefundRequest) (payment.Result, error) {
			return rekind(payment.KindUnknown, payment.KindRejectedRequest)(p.Refund(ctx, q))
		}
	})},
	{"key-other-request", "the first answer for the second request", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.refund = func(ctx context.Context, q payment.RefundRequest) (payment.Result, error) {
			r, err := p.Refund(ctx, q)
			if err != nil {
				return payment.Result{Status: payment.ResultApproved, Ref: "re1"}, nil
			}
			return r, err
		}
	})},
	{"key-conflict", "a key in progress as a refusal", fake.Stripe, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			return rekind(payment.KindUnknown, payment.KindRejectedRequest)(p.Authorize(ctx, q))
		}
	})},
	{"key-conflict", "a capture's conflict without its mark", fake.PayPal, with(func(p *fake.Provider, b *broken) {
		b.capture = func(ctx context.Context, q payment.CaptureRequest) (payment.Result, error) {
			r, err := p.Capture(ctx, q)
			var ce *payment.CallError
			if errors.As(err, &ce) {
				ce.KeyConflict = false
			}
			return r, err
		}
	})},
	{"replay-after-lost", "the time in the key", fake.Plain, with(func(p *fake.Provider, b *broken) {
		var sends atomic.Int64
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			q.Key += strconv.FormatInt(sends.Add(1), 36)
			return p.Authorize(ctx, q)
		}
	})},
	{"lookup-after-lost", "absent for what it cannot find at once", fake.Stripe, with(func(_ *fake.Provider, b *broken) {
		b.lookup = func(context.Context, payment.LookupRequest) (payment.Result, error) {
			return payment.Result{Status: payment.ResultAbsent}, nil
		}
	})},
	{"lookup-refund-lost", "takes the payment for the refund", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.lookup = func(ctx context.Context, q payment.LookupRequest) (payment.Result, error) {
			if q.Kind == payment.OpRefund {
				return payment.Result{Status: payment.ResultApproved, Ref: q.Ref}, nil
			}
			return p.Lookup(ctx, q)
		}
	})},
	{"lookup-capture-lost", "takes the first capture for the second", fake.Stripe, with(func(p *fake.Provider, b *broken) {
		b.lookup = func(ctx context.Context, q payment.LookupRequest) (payment.Result, error) {
			q.Before = money.Amount{}
			return p.Lookup(ctx, q)
		}
	})},
	{"lookup-absent", "pending for what never was", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.lookup = func(ctx context.Context, q payment.LookupRequest) (payment.Result, error) {
			r, err := p.Lookup(ctx, q)
			if r.Status == payment.ResultAbsent {
				r.Status = payment.ResultPending
			}
			return r, err
		}
	})},
	{"lookup-error", "a failed look-up as absent", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.lookup = func(ctx context.Context, q payment.LookupRequest) (payment.Result, error) {
			r, err := p.Lookup(ctx, q)
			if err != nil {
				return payment.Result{Status: payment.ResultAbsent}, nil
			}
			return r, err
		}
	})},

	{"fence-open", "says closed and leaves it open", fake.WeChatPay, with(func(_ *fake.Provider, b *broken) {
		b.fence = func(context.Context, payment.FenceRequest) (payment.Result, error) {
			return payment.Result{Status: payment.ResultApproved}, nil
		}
	})},
	{"fence-paid", "says closed of what is paid", fake.Stripe, with(func(p *fake.Provider, b *broken) {
		b.fence = func(ctx context.Context, q payment.FenceRequest) (payment.Result, error) {
			r, err := p.Fence(ctx, q)
			if r.Status == payment.ResultDeclined {
				r = payment.Result{Status: payment.ResultApproved, Ref: r.Ref}
			}
			return r, err
		}
	})},
	{"fence-by-reference", "confirms without a search", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.fence = func(ctx context.Context, q payment.FenceRequest) (payment.Result, error) {
			if q.Ref == "" {
				return payment.Result{Status: payment.ResultApproved}, nil
			}
			return p.Fence(ctx, q)
		}
	})},
	{"deadline", "signs a URL that lasts a week", fake.Alipay, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			q.Until = q.Until.Add(7 * 24 * time.Hour)
			return p.Authorize(ctx, q)
		}
	})},

	{"webhook-accept", "refuses everything", fake.Plain, onParse(func(*fake.Provider, payment.Webhook) (payment.Notification, error) {
		return payment.Notification{}, &payment.WebhookError{Reason: payment.WebhookBadSignature, Detail: "no"}
	})},
	{"webhook-accept", "events that name nothing", fake.Plain, onParse(func(p *fake.Provider, w payment.Webhook) (payment.Notification, error) {
		n, err := p.ParseWebhook(context.Background(), w)
		for i := range n.Events {
			n.Events[i] = payment.Event{Dedup: n.Events[i].Dedup, Kind: n.Events[i].Kind, Status: n.Events[i].Status}
		}
		return n, err
	})},
	{"webhook-forged", "verifies nothing", fake.Plain, onParse(func(p *fake.Provider, w payment.Webhook) (payment.Notification, error) {
		if len(w.Body) == 0 || len(w.Body) > 64<<10 {
			return p.ParseWebhook(context.Background(), w)
		}
		return readAnything(p, w)
	})},
	{"webhook-forged", "an error of another type", fake.Plain, onParse(func(p *fake.Provider, w payment.Webhook) (payment.Notification, error) {
		n, err := p.ParseWebhook(context.Background(), w)
		if err != nil {
			err = errors.New("bad webhook")
		}
		return n, err
	})},
	{"webhook-size", "reads any size", fake.Plain, onParse(func(p *fake.Provider, w payment.Webhook) (payment.Notification, error) {
		if len(w.Body) > 64<<10 {
			return payment.Notification{}, nil
		}
		return p.ParseWebhook(context.Background(), w)
	})},
	{"webhook-no-secret", "an empty secret is a secret", fake.Plain, onParse(func(_ *fake.Provider, w payment.Webhook) (payment.Notification, error) {
		return payment.Notification{Events: []payment.Event{{Kind: payment.OpAuthorize, Status: payment.ResultApproved}}}, nil
	})},
	{"webhook-stale", "no look at the time", fake.Plain, onParse(func(p *fake.Provider, w payment.Webhook) (payment.Notification, error) {
		if sec, err := strconv.ParseInt(w.Header.Get("Fake-Time"), 10, 64); err == nil {
			w.Now = time.Unix(sec, 0)
		}
		return p.ParseWebhook(context.Background(), w)
	})},
	{"webhook-stale", "looks at one side only", fake.Stripe, onParse(func(p *fake.Provider, w payment.Webhook) (payment.Notification, error) {
		if sec, err := strconv.ParseInt(w.Header.Get("Fake-Time"), 10, 64); err == nil && time.Unix(sec, 0).After(w.Now) {
			w.Now = time.Unix(sec, 0)
		}
		return p.ParseWebhook(context.Background(), w)
	})},
	{"webhook-dedup", "a new id at each delivery", fake.Plain, onParse(func(p *fake.Provider, w payment.Webhook) (payment.Notification, error) {
		n, err := p.ParseWebhook(context.Background(), w)
		for i := range n.Events {
			n.Events[i].Dedup = fresh()
		}
		return n, err
	})},
	{"webhook-dedup", "the payment as the id", fake.Plain, onParse(func(p *fake.Provider, w payment.Webhook) (payment.Notification, error) {
		n, err := p.ParseWebhook(context.Background(), w)
		for i := range n.Events {
			n.Events[i].Dedup = "evt"
		}
		return n, err
	})},
	{"no-panic", "an index into nothing", fake.Plain, onParse(func(p *fake.Provider, w payment.Webhook) (payment.Notification, error) {
		n, err := p.ParseWebhook(context.Background(), w)
		var we *payment.WebhookError
		if errors.As(err, &we) && we.Reason == payment.WebhookMalformed {
			var list []int
			_ = list[len(w.Body)]
		}
		return n, err
	})},
	{"webhook-hostile", "a parser's own error", fake.Plain, onParse(func(p *fake.Provider, w payment.Webhook) (payment.Notification, error) {
		n, err := p.ParseWebhook(context.Background(), w)
		var we *payment.WebhookError
		if errors.As(err, &we) && we.Reason == payment.WebhookMalformed {
			return n, json.Unmarshal(w.Body, &struct{ ID int }{})
		}
		return n, err
	})},

	{"save", "a save without a token", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.save = func(ctx context.Context, q payment.SaveRequest) (payment.Result, error) {
			r, err := p.Save(ctx, q)
			r.Token = payment.Secret{}
			return r, err
		}
	})},
	{"save", "forgets nothing", fake.Plain, with(func(_ *fake.Provider, b *broken) {
		b.forget = func(context.Context, payment.ForgetRequest) (payment.Result, error) {
			return payment.Result{Status: payment.ResultApproved}, nil
		}
	})},
	{"transfer", "a new key for each transfer", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.transfer = func(ctx context.Context, q payment.TransferRequest) (payment.Result, error) {
			q.Key = fresh()
			return p.Transfer(ctx, q)
		}
	})},
	{"dispute", "a dispute without its fact", fake.Plain, onParse(func(p *fake.Provider, w payment.Webhook) (payment.Notification, error) {
		n, err := p.ParseWebhook(context.Background(), w)
		for i := range n.Events {
			n.Events[i].Dispute = nil
		}
		return n, err
	})},

	{"wire-key", "one key for two writes", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.refund = func(ctx context.Context, q payment.RefundRequest) (payment.Result, error) {
			first := q
			first.Amount = money.Of(q.Amount.Minor()/2, q.Amount.Currency())
			_, _ = p.Refund(ctx, first)
			q.Key, q.Step = first.Key, "refund"
			r, _ := p.Refund(ctx, q)
			return r, nil
		}
	})},
	{"wire-same", "a clock on the wire", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			good, err := p.Authorize(ctx, q)
			q.Description = ""
			q.Descriptor = fresh()
			_, _ = p.Authorize(ctx, q)
			return good, err
		}
	})},
	{"ids-hostile", "ids as they come", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.refund = func(ctx context.Context, q payment.RefundRequest) (payment.Result, error) {
			q.Ref, q.CaptureRef = strings.Map(clean, q.Ref)+"x", strings.Map(clean, q.CaptureRef)
			return p.Refund(ctx, q)
		}
	})},
	{"concurrent", "no key under load", fake.Plain, with(func(p *fake.Provider, b *broken) {
		var mu sync.Mutex
		seen := make(map[string]int)
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			mu.Lock()
			seen[q.Key]++
			n := seen[q.Key]
			mu.Unlock()
			if n > 2 {
				q.Key = fresh()
			}
			return p.Authorize(ctx, q)
		}
	})},
	{"error-typed", "an error of fmt", fake.Plain, onAuthorize(func(_ *payment.Result, err *error) {
		if *err != nil {
			*err = errors.New("wrapped: " + (*err).Error())
		}
	})},
	{"error-clean", "the payer in the error", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			r, err := p.Authorize(ctx, q)
			var ce *payment.CallError
			if errors.As(err, &ce) {
				ce.Message = "for " + q.Payer.Email
			}
			return r, err
		}
	})},
	{"error-clean", "the token in the error", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			r, err := p.Authorize(ctx, q)
			var ce *payment.CallError
			if errors.As(err, &ce) {
				ce.Message = "no such token " + q.Method.Token.Reveal()
			}
			return r, err
		}
	})},
	{"result-sane", "a currency of its own", fake.Plain, onAuthorize(func(r *payment.Result, _ *error) { r.Amount = money.Of(r.Amount.Minor(), money.EUR) })},
	{"result-sane", "an action without an Action", fake.Plain, onAuthorize(func(r *payment.Result, _ *error) { r.Action = nil })},
	{"result-clean", "the payer in Data", fake.Plain, with(func(p *fake.Provider, b *broken) {
		b.authorize = func(ctx context.Context, q payment.AuthorizeRequest) (payment.Result, error) {
			r, err := p.Authorize(ctx, q)
			r.Data = map[string]string{"payer": q.Payer.Name}
			return r, err
		}
	})},
	{"no-panic", "a panic on a lost answer", fake.Plain, onAuthorize(func(_ *payment.Result, err *error) {
		var ce *payment.CallError
		if errors.As(*err, &ce) && ce.Code == "unreadable_answer" {
			panic("unexpected end of JSON input")
		}
	})},
}

// clean keeps what is an id.
func clean(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return 'x'
}

// The suite has teeth: each rule is broken by an adapter that breaks it, and
// the violation names that rule.
func TestTeeth(t *testing.T) {
	t.Parallel()
	covered := make(map[string]bool)
	for _, m := range mutants { // of TestTeethHTTP
		covered[m.rule] = true
	}
	for _, s := range sabotages {
		covered[s.rule] = true
		t.Run(s.rule+"/"+s.what, func(t *testing.T) {
			t.Parallel()
			h := harnessOf(s.base, s.make)
			side := slices.Contains([]string{"error-typed", "error-clean", "result-sane", "result-clean", "no-panic"}, s.rule)
			if !side {
				h.Only = []string{s.rule}
			}
			var broken []string
			for _, v := range providertest.Check(h) {
				broken = append(broken, v.Rule.ID)
				require.NotEmpty(t, v.Rule.Text)
				require.NotEmpty(t, v.Rule.Why)
			}
			require.Contains(t, broken, s.rule, "an adapter that %s passes", s.what)
		})
	}
	for _, r := range providertest.Rules() {
		require.True(t, covered[r.ID], "no broken adapter proves that rule %s can fail", r.ID)
	}
}

// The harness itself is checked: nothing is silently left out.
func TestHarness(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*providertest.Harness){
		"no New":     func(h *providertest.Harness) { h.New = nil },
		"no Methods": func(h *providertest.Harness) { h.Methods = nil },
		"a method that the adapter does not declare": func(h *providertest.Harness) {
			h.Methods = append(h.Methods, providertest.Method{Approve: payment.Using(payment.MethodIDEAL),
				Decline: h.Methods[0].Decline, Challenge: h.Methods[0].Challenge})
		},
		"an ability that is declared missing and is there": func(h *providertest.Harness) {
			h.Without = map[providertest.Ability]string{providertest.AbilityTruth: "too lazy"}
		},
		"an ability that is missing and not declared": func(h *providertest.Harness) {
			open := h.New
			h.New = func(o providertest.Options) (*providertest.Rig, error) {
				r, err := open(o)
				r.Truth = nil
				return r, err
			}
		},
		"an instrument that is missing": func(h *providertest.Harness) { h.Methods[0].Decline = payment.Instrument{} },
		"a reason that is missing":      func(h *providertest.Harness) { h.Without = map[providertest.Ability]string{"fault:hang": " "} },
		"a rig that cannot be made": func(h *providertest.Harness) {
			h.New = func(providertest.Options) (*providertest.Rig, error) { return nil, errors.New("no port") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := harnessOf(fake.Plain, whole)
			h.Only = []string{"name"}
			require.Empty(t, providertest.Check(h))
			spoil(&h)
			require.NotEmpty(t, providertest.Check(h))
		})
	}
}

// A declared difference is honoured: the rules that need it are not checked.
func TestDeclaredDifference(t *testing.T) {
	t.Parallel()
	h := harnessOf(fake.Plain, whole)
	open := h.New
	h.New = func(o providertest.Options) (*providertest.Rig, error) {
		r, err := open(o)
		r.Pay = func(providertest.Attempt) (url.Values, error) { return nil, errors.New("no payer here") }
		return r, err
	}
	require.NotEmpty(t, providertest.Check(h))
	h.New = func(o providertest.Options) (*providertest.Rig, error) {
		r, err := open(o)
		r.Pay = nil
		return r, err
	}
	h.Without[providertest.AbilityPayer] = "nobody can pay here"
	require.Empty(t, providertest.Check(h))
}
