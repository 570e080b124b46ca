package providertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// Rule is one thing an adapter must do.
type Rule struct {
	ID string
	// Text is the rule, Why what goes wrong where it is broken.
	Text, Why string

	needs   []Ability
	static  bool // about the provider as a whole, not per method
	applies func(c *check) bool
	run     func(c *check) error
}

// Rules lists the rules in the order they are checked.
func Rules() []Rule {
	return slices.Concat(staticRules(), flowRules(), moneyRules(), faultRules(), answerRules(), fenceRules(), webhookRules(), vaultRules(), safetyRules(), sideRules())
}

// Violation is a rule that an adapter breaks.
type Violation struct {
	Rule Rule
	// Method under test, "" for rules about the provider as a whole.
	Method payment.Method
	Err    error
}

// Error explains the violation.
func (v Violation) Error() string {
	where := ""
	if v.Method != "" {
		where = " (" + string(v.Method) + ")"
	}
	return fmt.Sprintf("rule %s%s is broken: %v\n\trule: %s\n\twhy:  %s", v.Rule.ID, where, v.Err, v.Rule.Text, v.Rule.Why)
}

// Unwrap returns what was seen.
func (v Violation) Unwrap() error { return v.Err }

// Check runs the suite and returns what is broken, nothing for an adapter that
// conforms.
func Check(h Harness) []Violation {
	var all []Violation
	each(h, func(_ string, _ string, run func() []Violation) { all = append(all, run()...) })
	return all
}

// Run runs the suite as subtests, one per rule and method.
func Run(t *testing.T, h Harness) {
	t.Helper()
	each(h, func(name, skipped string, run func() []Violation) {
		t.Run(name, func(t *testing.T) {
			if skipped != "" {
				t.Log(skipped)
			}
			for _, v := range run() {
				t.Error(v.Error())
			}
		})
	})
}

// each walks over all checks. skipped says why one proves nothing here.
func each(h Harness, do func(name, skipped string, run func() []Violation)) {
	if h.Timeout <= 0 {
		h.Timeout = 10 * time.Second
	}
	do("harness", "", func() []Violation { return checkHarness(h) })
	if h.New == nil || len(h.Methods) == 0 {
		return
	}
	for _, r := range Rules() {
		if r.run == nil || (len(h.Only) > 0 && !slices.Contains(h.Only, r.ID)) {
			continue
		}
		if r.static {
			do(r.ID, declared(h, r), func() []Violation { return one(h, r, nil) })
			continue
		}
		for i := range h.Methods {
			m := &h.Methods[i]
			do(r.ID+"/"+string(m.Approve.Method), declared(h, r), func() []Violation { return one(h, r, m) })
		}
	}
}

// declared returns the reason for which a rule proves nothing, "" if it does.
func declared(h Harness, r Rule) string {
	for _, a := range r.needs {
		if why, ok := h.Without[a]; ok && a == AbilityPayer {
			return fmt.Sprintf("shown as far as the payer need not act, since %q is declared missing: %s", a, why)
		} else if ok {
			return fmt.Sprintf("not shown, since %q is declared missing: %s", a, why)
		}
	}
	return ""
}

// one checks one rule on a fresh rig.
func one(h Harness, r Rule, m *Method) (found []Violation) {
	fail := func(err error) {
		v := Violation{Rule: r, Err: err}
		if m != nil {
			v.Method = m.Approve.Method
		}
		found = append(found, v)
	}
	rig, err := h.New(Options{NoWebhookSecret: r.ID == "webhook-no-secret"})
	if err != nil {
		fail(fmt.Errorf("Harness.New: %w", err))
		return found
	}
	if rig.Close != nil {
		defer rig.Close()
	}
	if _, lacking := h.lacks(rig, m, r.needs); lacking {
		return nil // declared, or told by the harness check
	}
	ctx, cancel := context.WithTimeout(context.Background(), h.Timeout)
	defer cancel()
	c := &check{ctx: ctx, h: &h, rig: rig, p: rig.Provider, caps: rig.Provider.Capabilities(), m: m}
	if m != nil {
		mc, ok := c.caps.For(m.Approve.Method)
		if !ok {
			return nil // told by the harness check
		}
		c.mc, c.amount = mc, m.Amount
		if c.amount.Currency() == "" {
			c.amount = tenOf(mc)
		}
	}
	if r.applies != nil && !r.applies(c) {
		return nil
	}
	err = func() (err error) {
		defer func() {
			if x := recover(); x != nil {
				err = fmt.Errorf("the suite itself panicked: %v", x)
			}
		}()
		return r.run(c)
	}()
	if errors.Is(err, errDeclared) {
		err = nil
	}
	if err != nil {
		fail(err)
	}
	for _, s := range c.side {
		for _, side := range sideRules() {
			if side.ID == s.rule {
				v := Violation{Rule: side, Err: s.err}
				if m != nil {
					v.Method = m.Approve.Method
				}
				found = append(found, v)
			}
		}
	}
	return found
}

// tenOf is 10.00 in the first currency a method takes.
func tenOf(mc payment.MethodCapabilities) money.Amount {
	c := money.USD
	if len(mc.Currencies) > 0 && !slices.Contains(mc.Currencies, c) {
		c = mc.Currencies[0]
	}
	return money.Of(1000, c)
}

// checkHarness finds what the harness leaves open.
func checkHarness(h Harness) []Violation {
	rule := Rule{ID: "harness", Text: "The harness fills in everything, or declares in Without what cannot be shown and why.",
		Why: "A rule that is silently not checked reads like one that is kept."}
	var found []Violation
	fail := func(format string, args ...any) {
		found = append(found, Violation{Rule: rule, Err: fmt.Errorf(format, args...)})
	}
	if h.New == nil {
		fail("New is nil")
	}
	if len(h.Methods) == 0 {
		fail("Methods is empty: list what the adapter takes")
	}
	if len(found) > 0 {
		return found
	}
	rig, err := h.New(Options{})
	if err != nil {
		fail("New: %w", err)
		return found
	}
	if rig.Close != nil {
		defer rig.Close()
	}
	if rig.Provider == nil {
		fail("Rig.Provider is nil")
		return found
	}
	caps := rig.Provider.Capabilities()
	listed := make(map[payment.Method]bool)
	for i := range h.Methods {
		m := &h.Methods[i]
		listed[m.Approve.Method] = true
		for _, s := range m.SameAs {
			listed[s] = true
		}
		if _, ok := caps.For(m.Approve.Method); !ok {
			fail("Methods[%d]: the adapter does not declare %q", i, m.Approve.Method)
		}
		for _, a := range []Ability{AbilityDecline, AbilityChallenge} {
			if _, ok := h.Without[a]; !ok && !rig.has(m, a) {
				fail("Methods[%d] has no instrument for %q: fill it in or declare it", i, a)
			}
		}
	}
	for m := range caps.Methods {
		if !listed[m] {
			fail("method %q is declared by the adapter and not tested: add it to Methods, or to SameAs", m)
		}
	}
	needed := []Ability{AbilityPayer, AbilityFault, AbilityTruth, AbilityRequests, AbilityClock}
	if caps.Webhooks {
		needed = append(needed, AbilityWebhooks, AbilityForge)
	}
	if !caps.Respond.IsZero() || !caps.Accept.IsZero() {
		needed = append(needed, AbilityDispute)
	}
	for _, a := range needed {
		_, declared := h.Without[a]
		switch has := rig.has(nil, a); {
		case !has && !declared:
			fail("the rig lacks %q: fill it in or declare it in Without", a)
		case has && declared:
			fail("Without declares %q missing, and the rig has it: delete the declaration", a)
		}
	}
	for a, why := range h.Without {
		if strings.TrimSpace(why) == "" {
			fail("Without[%q] gives no reason", a)
		}
	}
	return found
}

// check is one rule at work on one rig.
type check struct {
	ctx    context.Context
	h      *Harness
	rig    *Rig
	p      payment.Provider
	caps   payment.Capabilities
	m      *Method
	mc     payment.MethodCapabilities
	amount money.Amount
	ids    int
	side   []sideFind
}

type sideFind struct {
	rule string
	err  error
}

// aside notes a broken rule that is not the one under test.
func (c *check) aside(rule, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, s := range c.side {
		if s.rule == rule && s.err.Error() == err.Error() {
			return
		}
	}
	c.side = append(c.side, sideFind{rule, err})
}

// id makes an operation id as the client does: short, [0-9a-z].
func (c *check) id() string {
	c.ids++
	return "opct" + strconv.FormatInt(int64(1000+c.ids), 36)
}

func (c *check) now() time.Time {
	if c.rig.Now != nil {
		return c.rig.Now()
	}
	return time.Now()
}

// wait lets the provider get on with what it does later.
func (c *check) wait() {
	if c.rig.Advance != nil {
		c.rig.Advance(time.Second)
		return
	}
	time.Sleep(10 * time.Millisecond)
}

// errDeclared: the rig cannot do what the rule wants, and the harness says so.
var errDeclared = errors.New("declared in Harness.Without")

// fault breaks the next call of a step.
func (c *check) fault(step string, f Fault) error {
	one := Ability("fault:" + string(f))
	for _, a := range []Ability{one, one + Ability(":"+step)} {
		if _, ok := c.h.Without[a]; ok {
			return errDeclared
		}
	}
	err := c.rig.Fault(step, f)
	if errors.Is(err, ErrNoFault) {
		return fmt.Errorf("the rig cannot break step %q with the fault %q: teach it, or declare Without[%q]: %w", step, f, one, err)
	}
	return err
}
