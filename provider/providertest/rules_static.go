package providertest

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

var nameForm = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

func staticRules() []Rule {
	return []Rule{
		{ID: "name", static: true,
			Text: "Name is [a-z0-9_-], 1 to 32 characters, and always the same.",
			Why:  "The name is stored with every operation; one that changes orphans what is open.",
			run: func(c *check) error {
				n := c.p.Name()
				if !nameForm.MatchString(n) {
					return fmt.Errorf("the Name is %q", n)
				}
				if again := c.p.Name(); again != n {
					return fmt.Errorf("the Name was %q and then %q", n, again)
				}
				return nil
			}},
		{ID: "capabilities-stable", static: true,
			Text: "Capabilities says the same at every call, before and after payments.",
			Why:  "The client reads it once; a plan made by one set must not be carried out by another.",
			run: func(c *check) error {
				first := c.p.Capabilities()
				for range 3 {
					if again := c.p.Capabilities(); !reflect.DeepEqual(first, again) {
						return errors.New("two calls of Capabilities differ")
					}
				}
				return nil
			}},
		{ID: "capabilities-agree", static: true,
			Text: "What is declared is implemented, complete and consistent: methods, flow, steps, recovery, fence, times.",
			Why:  "The client plans money by the declaration alone and never asks twice.",
			run:  func(c *check) error { return agree(c.p, c.caps) }},
		{ID: "undeclared-refused", static: true,
			Text: "An operation that is not declared is refused without asking the provider: KindNotSent.",
			Why:  "A type may have more methods than an instance can serve; what slips through must be proven not to have happened.",
			run:  undeclared},
	}
}

// agree checks the declaration against the type and against itself.
func agree(p payment.Provider, caps payment.Capabilities) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	has := func(what string, ok bool, needed bool, why string) {
		if needed && !ok {
			bad("%s is declared (%s) and %T does not implement it", what, why, p)
		}
	}
	_, capturer := p.(payment.Capturer)
	_, voider := p.(payment.Voider)
	_, refunder := p.(payment.Refunder)
	_, lookuper := p.(payment.Lookuper)
	_, fencer := p.(payment.Fencer)
	_, vault := p.(payment.Vault)
	_, disputer := p.(payment.Disputer)
	_, splitter := p.(payment.Splitter)
	_, parser := p.(payment.WebhookParser)

	step := func(where string, s payment.StepSpec) {
		if s.IsZero() {
			return
		}
		if len(s.Name) > 40 {
			bad("%s: the step name %q is too long", where, s.Name)
		}
		r := s.Recovery
		if !r.Terminates() {
			bad("%s: step %q has no recovery that ends: a lost answer could never be resolved", where, s.Name)
		}
		has("Lookuper", lookuper, r.Lookup, where+" step "+s.Name)
		has("Fencer", fencer, r.FenceByReference, where+" step "+s.Name)
		has("WebhookParser", parser && caps.Webhooks, r.Webhook, where+" step "+s.Name)
		if r.Lookup && r.LookupGrace <= 0 {
			bad("%s: step %q is looked up with no grace: a request still on its way would count as absent", where, s.Name)
		}
		if r.KeyLife < 0 || r.LookupGrace < 0 {
			bad("%s: step %q has a negative time", where, s.Name)
		}
		if s.Local && s.MovesMoney {
			bad("%s: step %q calls nobody and is said to move money", where, s.Name)
		}
	}
	has("WebhookParser", parser, caps.Webhooks, "Webhooks")
	has("Splitter", splitter, !caps.Transfer.IsZero(), "Transfer")
	has("Disputer", disputer, !caps.Respond.IsZero() || !caps.Accept.IsZero(), "Respond, Accept")
	has("Vault", vault, !caps.Save.IsZero() || !caps.Forget.IsZero(), "Save, Forget")
	for where, s := range map[string]payment.StepSpec{"Transfer": caps.Transfer, "Respond": caps.Respond, "Accept": caps.Accept, "Save": caps.Save, "Forget": caps.Forget} {
		step(where, s)
	}
	if len(caps.Methods) == 0 {
		bad("no method is declared")
	}
	for name, m := range caps.Methods {
		at := string(name)
		if err := name.Check(); err != nil {
			bad("%v", err)
		}
		if len(m.Flow) == 0 {
			bad("%s: Flow is empty", at)
		}
		seen := make(map[string]bool)
		for _, s := range m.Flow {
			if s.IsZero() || seen[s.Name] {
				bad("%s: Flow has a step without a name of its own (%q)", at, s.Name)
			}
			seen[s.Name] = true
			step(at, s)
		}
		if !m.Sale && !m.Hold {
			bad("%s: neither Sale nor Hold: nothing can be paid", at)
		}
		for _, x := range []struct {
			what      string
			s         payment.StepSpec
			available bool
		}{{"Capturer", m.Capture, capturer}, {"Voider", m.Void, voider}, {"Refunder", m.Refund, refunder}, {"Fencer", m.FenceStep, fencer}} {
			step(at, x.s)
			has(x.what, x.available, !x.s.IsZero(), at)
		}
		if m.Hold {
			if m.HoldFor <= 0 {
				bad("%s: Hold without HoldFor: the end of an authorization would never be recorded", at)
			}
			if m.Capture.IsZero() {
				bad("%s: Hold without Capture: what is held could never be collected", at)
			}
			if m.Void.IsZero() {
				bad("%s: Hold without Void: what is held could never be given back", at)
			}
		}
		if m.MultiCapture && !m.PartialCapture {
			bad("%s: MultiCapture without PartialCapture", at)
		}
		if m.PartialCapture && m.Capture.IsZero() {
			bad("%s: PartialCapture without Capture", at)
		}
		if m.PartialRefund && m.Refund.IsZero() {
			bad("%s: PartialRefund without Refund", at)
		}
		switch m.Fence {
		case payment.FenceConfirmed:
			if m.FenceStep.IsZero() {
				bad("%s: FenceConfirmed without FenceStep", at)
			}
		case payment.FenceDeadline:
			if m.FenceStep.IsZero() {
				bad("%s: FenceDeadline without FenceStep", at)
			}
			if m.PayableFor <= 0 {
				bad("%s: FenceDeadline without PayableFor: the client could not set Until", at)
			}
		case payment.FenceOurs, payment.FenceNone:
		default:
			bad("%s: Fence is %q", at, m.Fence)
		}
		if m.Fence == payment.FenceOurs && (len(m.Flow) < 2 || m.Flow[0].MovesMoney) {
			bad("%s: FenceOurs needs a later step of ours without which no money moves", at)
		}
		for _, c := range m.Currencies {
			if err := money.Zero(c).Check(); err != nil {
				bad("%s: %v", at, err)
			}
		}
		for c, least := range m.Min {
			if most, ok := m.Max[c]; ok && most < least {
				bad("%s: Max of %s is below Min", at, c)
			}
		}
	}
	return errors.Join(errs...)
}

// undeclared calls what the type has and the instance does not declare.
func undeclared(c *check) error {
	base := payment.Call{Key: c.id() + "s1", Operation: c.id(), Payment: "p1"}
	var errs []error
	try := func(what string, spec payment.StepSpec, call func(payment.Call) (payment.Result, error)) {
		if !spec.IsZero() {
			return
		}
		cl := base
		cl.Step = what
		_, err := c.guarded(what, nil, func() (payment.Result, error) { return call(cl) })
		var ce *payment.CallError
		if !errors.As(err, &ce) || ce.Kind != payment.KindNotSent {
			errs = append(errs, fmt.Errorf("%s is not declared and answered: %w", what, orNil(err)))
		}
	}
	usd := money.Of(100, money.USD)
	if p, ok := c.p.(payment.Splitter); ok {
		try("transfer", c.caps.Transfer, func(cl payment.Call) (payment.Result, error) {
			return p.Transfer(c.ctx, payment.TransferRequest{Call: cl, Amount: usd, Destination: "acct_1"})
		})
	}
	if p, ok := c.p.(payment.Disputer); ok {
		try("respond", c.caps.Respond, func(cl payment.Call) (payment.Result, error) {
			return p.Respond(c.ctx, payment.RespondRequest{Call: cl, DisputeRef: "dp_1"})
		})
		try("accept", c.caps.Accept, func(cl payment.Call) (payment.Result, error) {
			return p.Accept(c.ctx, payment.AcceptRequest{Call: cl, DisputeRef: "dp_1"})
		})
	}
	if p, ok := c.p.(payment.Vault); ok {
		try("save", c.caps.Save, func(cl payment.Call) (payment.Result, error) {
			return p.Save(c.ctx, payment.SaveRequest{Call: cl, Method: payment.Card("tok_1")})
		})
		try("forget", c.caps.Forget, func(cl payment.Call) (payment.Result, error) {
			return p.Forget(c.ctx, payment.ForgetRequest{Call: cl, Token: payment.NewSecret("tok_1")})
		})
	}
	return errors.Join(errs...)
}
