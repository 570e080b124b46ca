package payment

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"time"

	"github.com/tender-go/payment/internal/ids"
)

// Config wires a Client. Store and Providers are required; every other field
// has a documented default.
type Config struct {
	// Store keeps the records. Required.
	Store Store
	// Providers, in the order in which they are tried without a Router. At
	// least one; names must differ.
	Providers []Provider
	// Router orders the eligible providers. Defaults to the order of Providers.
	Router Router
	// Hooks are asked at their stages.
	Hooks []HookConfig
	// Books is the ledger's participant; Participants are further ones. They
	// take part in every commit.
	Books        Participant
	Participants []Participant

	// MasterKeys, 32 bytes each, wrap the keys that personal values are
	// encrypted with: the first wraps, all unwrap. Without one those keys lie
	// in the store beside the values, which protects copies of single tables
	// but not of the whole; New warns.
	MasterKeys [][]byte

	// CallTimeout bounds one call to a provider. Defaults to 20 seconds.
	CallTimeout time.Duration
	// HookTimeout bounds one hook. Defaults to 2 seconds.
	HookTimeout time.Duration
	// MaxAttempts bounds the providers tried for one wish of the payer.
	// Defaults to 3.
	MaxAttempts int
	// ReviewFor is how long a review may take. Defaults to 24 hours; a review
	// of an authorization ends before the authorization does.
	ReviewFor time.Duration
	// OnReviewExpiry is the verdict when nobody decided. The zero value, Allow,
	// is read as Block: default void.
	OnReviewExpiry Outcome
	// ExpireAfter gives up a payment that nobody sent or finished. Defaults to
	// 24 hours.
	ExpireAfter time.Duration
	// ParkAfter is how long the client looks for an unknown outcome by itself
	// before it asks for a person. Defaults to 72 hours.
	ParkAfter time.Duration
	// KeepOverpaid keeps money that is not the order's for a person to decide,
	// instead of refunding it.
	KeepOverpaid bool

	// Logger hears what an operator should know. nil discards.
	Logger *slog.Logger
	// Now is the clock. nil is time.Now.
	Now func() time.Time
	// Rand is the source of ids and encryption nonces. nil is crypto/rand; set
	// it only in a simulation that must repeat itself.
	Rand io.Reader
}

const (
	defaultCallTimeout = 20 * time.Second
	defaultHookTimeout = 2 * time.Second
	defaultMaxAttempts = 3
	defaultReviewFor   = 24 * time.Hour
	defaultExpireAfter = 24 * time.Hour
	defaultParkAfter   = 72 * time.Hour

	// replays is how often a step is sent again while its caller waits.
	replays = 1
	// clockSkew allows for clocks of replicas that differ.
	clockSkew = 5 * time.Second
	// maxSends bounds how often a step is sent in all.
	maxSends = 12
)

// New checks the whole configuration and returns a Client. The error names
// every problem with its remedy. It calls no provider.
func New(cfg Config) (*Client, error) {
	var p problems
	setDefault(&cfg.CallTimeout, defaultCallTimeout)
	setDefault(&cfg.HookTimeout, defaultHookTimeout)
	setDefault(&cfg.MaxAttempts, defaultMaxAttempts)
	setDefault(&cfg.ReviewFor, defaultReviewFor)
	setDefault(&cfg.ExpireAfter, defaultExpireAfter)
	setDefault(&cfg.ParkAfter, defaultParkAfter)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.OnReviewExpiry == Allow {
		cfg.OnReviewExpiry = Block
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{
		{"CallTimeout", cfg.CallTimeout}, {"HookTimeout", cfg.HookTimeout}, {"ReviewFor", cfg.ReviewFor},
		{"ExpireAfter", cfg.ExpireAfter}, {"ParkAfter", cfg.ParkAfter},
	} {
		if d.v < 0 {
			p.add("Config."+d.name, "is "+d.v.String(), "give a positive duration, or 0 for the default")
		}
	}
	if cfg.CallTimeout > 5*time.Minute {
		p.add("Config.CallTimeout", "is "+cfg.CallTimeout.String(), "give at most 5 minutes: an outcome is unknown for as long")
	}
	if cfg.MaxAttempts < 0 {
		p.add("Config.MaxAttempts", "is negative", "give at least 1, or 0 for the default")
	}
	if empty(cfg.Store) {
		p.add("Config.Store", "is nil", "open one, e.g. sqlite.Open(\"shop.db\")")
	}
	if len(cfg.Providers) == 0 {
		p.add("Config.Providers", "is empty", "give at least one, e.g. stripe.New(stripe.Config{...})")
	}
	// What is stored must read back equal: UTC, in microseconds.
	now := func() time.Time { return cfg.Now().UTC().Truncate(time.Microsecond) }
	c := &Client{cfg: cfg, store: cfg.Store, log: cfg.Logger, now: now, random: cfg.Rand,
		byName: map[string]Provider{}, caps: map[string]Capabilities{}, skew: clockSkew}
	if c.random == nil {
		c.random = systemRandom
	} else {
		c.ids = ids.Source{Rand: cfg.Rand}
	}
	c.leaseFor = time.Duration(replays+2) * cfg.CallTimeout
	for i, prov := range cfg.Providers {
		c.addProvider(&p, fmt.Sprintf("Config.Providers[%d]", i), prov)
	}
	for i, h := range cfg.Hooks {
		c.checkHook(&p, fmt.Sprintf("Config.Hooks[%d]", i), h)
	}
	c.participants = cfg.Participants
	if cfg.Books != nil {
		c.participants = append([]Participant{cfg.Books}, cfg.Participants...)
	}
	for i, part := range c.participants {
		if empty(part) {
			p.add(fmt.Sprintf("Config.Participants[%d]", i), "is nil", "remove it")
		} else if !empty(cfg.Store) {
			if err := part.Check(cfg.Store); err != nil {
				p.add("Config.Store", "lacks what "+part.Name()+" needs ("+err.Error()+")", "use a store that offers it")
			}
		}
	}
	for i, k := range cfg.MasterKeys {
		if len(k) != keySize {
			p.add(fmt.Sprintf("Config.MasterKeys[%d]", i), fmt.Sprintf("has %d bytes", len(k)), "give 32 random bytes")
		}
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	if len(cfg.MasterKeys) == 0 {
		c.log.Warn("payment: Config.MasterKeys is empty: keys of personal values are kept in the store beside them")
	}
	var err error
	if c.keys, err = newKeyring(cfg.Store, c.random, cfg.MasterKeys); err != nil {
		return nil, err
	}
	return c, c.start()
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c *Client) addProvider(p *problems, field string, prov Provider) {
	if empty(prov) {
		p.add(field, "is nil", "remove it, or check the error of its constructor")
		return
	}
	name := prov.Name()
	if !isInstanceName(name) {
		p.add(field, "has the name "+quote(name), "use 1 to 32 characters of [a-z0-9_-]")
		return
	}
	if _, ok := c.byName[name]; ok {
		p.add(field, "has the name "+quote(name)+" of another provider", "give each instance a name of its own")
		return
	}
	caps := prov.Capabilities()
	for _, problem := range CheckCapabilities(prov, caps) {
		p.add(field+" ("+name+")", problem, "correct the adapter's Capabilities")
	}
	c.byName[name] = prov
	c.caps[name] = caps
	c.order = append(c.order, name)
}

func isInstanceName(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func (c *Client) checkHook(p *problems, field string, h HookConfig) {
	if empty(h.Hook) {
		p.add(field+".Hook", "is nil", "remove the entry")
		return
	}
	if h.Hook.Name() == "" {
		p.add(field+".Hook", "has no name", "give it a stable one")
	}
	if h.OnError > Block {
		p.add(field+".OnError", "is unknown", "use Allow, StepUp, Hold or Block")
	}
	for _, s := range h.Hook.Stages() {
		switch s {
		case StageBeforeRoute, StageAfterAuthorize, StageBeforeRefund, StageBeforeTransfer, StageBeforeSave:
		default:
			p.add(field, "asks for the unknown stage "+quote(string(s)), "use the Stage constants")
		}
	}
	if len(h.Hook.Stages()) == 0 {
		p.add(field, "asks for no stage", "say when it wants to be asked")
	}
}

// CheckCapabilities lists what is wrong with a provider's capabilities: where
// they contradict the interfaces it implements, or could leave an outcome
// unknown for ever. New and the conformance suite use it. nil is right.
func CheckCapabilities(prov Provider, c Capabilities) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	_, capturer := prov.(Capturer)
	_, voider := prov.(Voider)
	_, refunder := prov.(Refunder)
	_, lookuper := prov.(Lookuper)
	_, fencer := prov.(Fencer)
	_, vault := prov.(Vault)
	_, disputer := prov.(Disputer)
	_, splitter := prov.(Splitter)
	_, parser := prov.(WebhookParser)
	step := func(where string, s StepSpec, implemented bool, iface string) {
		if s.IsZero() {
			return
		}
		if !implemented {
			say("%s is declared, but %s is not implemented", where, iface)
		}
		if !s.Recovery.Terminates() && !s.Local {
			say("%s has a Recovery that never ends: declare a key life, a look-up, a fence, a webhook or a report", where)
		}
		if s.Recovery.Lookup && !lookuper {
			say("%s declares a look-up, but Lookuper is not implemented", where)
		}
		if s.Recovery.Webhook && !parser {
			say("%s declares a webhook, but WebhookParser is not implemented", where)
		}
		if len(s.Name) > 24 {
			say("%s has a name of more than 24 characters", where)
		}
	}
	if len(c.Methods) == 0 {
		say("no method is declared")
	}
	for _, m := range sortedKeys(c.Methods) {
		mc := c.Methods[m]
		where := "method " + string(m)
		if err := m.Check(); err != nil {
			say("%s is not a valid method name", quote(string(m)))
		}
		if len(mc.Flow) == 0 {
			say("%s has no Flow", where)
		}
		for i, s := range mc.Flow {
			if s.IsZero() {
				say("%s has an empty step %d in its Flow", where, i)
			}
			step(fmt.Sprintf("%s step %s", where, s.Name), s, true, "Provider")
		}
		if !mc.Sale && !mc.Hold {
			say("%s can neither sell nor hold", where)
		}
		if mc.Hold && mc.HoldFor <= 0 {
			say("%s holds money, but HoldFor is not set", where)
		}
		if mc.Hold && mc.Capture.IsZero() {
			say("%s holds money, but Capture is not declared", where)
		}
		if mc.Hold && mc.Void.IsZero() {
			say("%s holds money, but Void is not declared", where)
		}
		if (mc.PartialCapture || mc.MultiCapture) && mc.Capture.IsZero() {
			say("%s captures in parts, but Capture is not declared", where)
		}
		switch mc.Fence {
		case FenceOurs, FenceNone:
		case FenceConfirmed:
			if mc.FenceStep.IsZero() {
				say("%s has a confirmed fence, but no FenceStep", where)
			}
		case FenceDeadline:
			if mc.PayableFor <= 0 {
				say("%s ends by a deadline, but PayableFor is not set", where)
			}
		default:
			say("%s has the unknown fence %s", where, quote(string(mc.Fence)))
		}
		step(where+" Capture", mc.Capture, capturer, "Capturer")
		step(where+" Void", mc.Void, voider, "Voider")
		step(where+" Refund", mc.Refund, refunder, "Refunder")
		step(where+" FenceStep", mc.FenceStep, fencer, "Fencer")
	}
	step("Transfer", c.Transfer, splitter, "Splitter")
	step("Respond", c.Respond, disputer, "Disputer")
	step("Accept", c.Accept, disputer, "Disputer")
	step("Save", c.Save, vault, "Vault")
	step("Forget", c.Forget, vault, "Vault")
	if c.Webhooks && !parser {
		say("Webhooks is set, but WebhookParser is not implemented")
	}
	return out
}

// empty reports whether an interface holds nothing, or a nil pointer: what is
// left when the error of a constructor was not looked at.
func empty(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}
