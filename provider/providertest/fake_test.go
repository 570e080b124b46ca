package providertest_test

import (
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/provider/fake"
	"github.com/tender-go/payment/provider/providertest"
)

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// faults maps the network of the suite to the faults of the fake.
var faults = map[providertest.Fault]fake.Fault{
	providertest.FaultRefused: fake.NotSent(), providertest.FaultReset: fake.ResetBefore(), providertest.FaultLost: fake.TimeoutAfter(),
	providertest.FaultHang: fake.Hang(), providertest.FaultServerError: fake.ErrorBefore(), providertest.FaultServerErrorDone: fake.ErrorAfter(),
	providertest.FaultGarbage: fake.Garbage(), providertest.FaultUnauthorized: fake.RejectedMerchant(),
	providertest.FaultForbidden: fake.RejectedMerchant(), providertest.FaultTooMany: fake.RejectedMerchant(),
	providertest.FaultBadRequest: fake.RejectedRequest(), providertest.FaultKeyConflict: fake.KeyBusy(),
}

// rigOf puts a fake under test, as wrap makes it.
func rigOf(k fake.Personality, o providertest.Options, wrap func(*fake.Provider) payment.Provider) *providertest.Rig {
	c := &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	opts := fake.Options{Personality: k, Now: c.now, Record: true}
	if o.NoWebhookSecret {
		opts.WebhookSecrets = []string{}
	}
	bank := fake.New(opts)
	return &providertest.Rig{
		Provider: wrap(bank),
		Now:      c.now, Advance: c.advance,
		Pay: func(a providertest.Attempt) (url.Values, error) {
			if err := bank.PayerPays(a.Operation); err != nil {
				return nil, err
			}
			return bank.Return(a.Operation), nil
		},
		Fault: func(step string, f providertest.Fault) error {
			x, ok := faults[f]
			if !ok {
				return providertest.ErrNoFault
			}
			bank.Script(step, x)
			return nil
		},
		Truth:    func(op string) (providertest.Truth, error) { return truthOf(bank, op), nil },
		Webhooks: func() ([]payment.Webhook, error) { return bank.TakeWebhooks(), nil },
		Sign:     bank.Sign,
		Requests: func() []providertest.Request {
			var all []providertest.Request
			for _, r := range bank.Requests() {
				all = append(all, providertest.Request{Key: r.Key, Content: fmt.Sprint(r.Step, " ", r.Print)})
			}
			return all
		},
		Dispute: func(a providertest.Attempt, amount money.Amount) (string, error) {
			return bank.OpenDispute(a.Operation, amount, "fraudulent")
		},
	}
}

// truthOf sums what the fake's bank did for an attempt.
func truthOf(bank *fake.Provider, op string) providertest.Truth {
	t := bank.Truth(op)
	moved := make(map[string]bool)
	for _, m := range t.Movements {
		if m.Kind == fake.MoveAuthorized || m.Kind == fake.MoveCaptured {
			moved[m.Object] = true
		}
	}
	// Of a hold, what was authorized and neither captured nor released is held.
	held := int64(0)
	if t.Sum(fake.MoveAuthorized).IsPositive() {
		held = t.Sum(fake.MoveAuthorized).Minor() - t.Sum(fake.MoveCaptured).Minor() - t.Sum(fake.MoveReleased).Minor()
	}
	return providertest.Truth{Held: held, Collected: t.Collected().Minor(), Refunded: t.Refunded().Minor(), Attempts: len(moved)}
}

// harnessOf is the harness of a personality.
func harnessOf(k fake.Personality, wrap func(*fake.Provider) payment.Provider) providertest.Harness {
	h := providertest.Harness{
		New:     func(o providertest.Options) (*providertest.Rig, error) { return rigOf(k, o, wrap), nil },
		Without: map[providertest.Ability]string{},
	}
	for _, f := range []providertest.Fault{providertest.FaultRedirect, providertest.FaultOtherAmount, providertest.FaultOtherCurrency, providertest.FaultNoRef} {
		h.Without[providertest.Ability("fault:"+string(f))] = "bank and adapter are one: no HTTP between them, and no answer on a wire to alter"
	}
	decline := fake.TokenDecline(payment.ReasonInsufficientFunds)
	switch k {
	case fake.Alipay:
		i := payment.Using(payment.MethodAlipay)
		h.Methods = []providertest.Method{{Approve: i, Challenge: i}}
		h.Without[providertest.AbilityDecline] = "the provider knows of no payment before the payer pays, and a payer who does not is no decline"
	case fake.WeChatPay:
		i := payment.Using(payment.MethodWeChatPayQR)
		h.Methods = []providertest.Method{{Approve: i, Challenge: i}}
		h.Without[providertest.AbilityDecline] = "an order waits until the payer pays or it is closed"
	case fake.PayPal:
		i := payment.Using(payment.MethodPayPal)
		d := i
		d.Token = payment.NewSecret(decline)
		h.Methods = []providertest.Method{{Approve: i, Challenge: i, Decline: d, DeclineReason: payment.ReasonInsufficientFunds}}
	default:
		h.Methods = []providertest.Method{{Approve: payment.Card(fake.TokenApproved), Challenge: payment.Card(fake.TokenChallenge),
			Decline: payment.Card(decline), DeclineReason: payment.ReasonInsufficientFunds}}
	}
	return h
}

func whole(p *fake.Provider) payment.Provider  { return p }
func narrow(p *fake.Provider) payment.Provider { return p.Narrow() }

// Every personality keeps the contract, as the wide type and as the narrow one.
func TestFakes(t *testing.T) {
	t.Parallel()
	for _, k := range fake.Personalities() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, harnessOf(k, whole))
		})
		t.Run(string(k)+"-narrow", func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, harnessOf(k, narrow))
		})
	}
}
