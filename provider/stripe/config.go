package stripe

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/httpx"
)

// Defaults of [Config].
const (
	DefaultName      = "stripe"
	DefaultTolerance = 5 * time.Minute
)

// Config describes one Stripe account. Only SecretKey is required.
type Config struct {
	// Name of the instance, [a-z0-9_-], at most 32 characters; "" for
	// DefaultName. It is stored with every payment: never change it.
	Name string
	// SecretKey is the account's secret (sk_) or restricted (rk_) key. Its mode,
	// live or test, is the mode of the instance.
	SecretKey payment.Secret
	// PublishableKey (pk_), if given, is handed to the shop's page with every
	// client secret. It must be of the same mode.
	PublishableKey string
	// WebhookSecrets (whsec_...) of the endpoint, one or, while one is being
	// rolled, several. Without any, webhooks are refused and outcomes are only
	// learned by asking.
	WebhookSecrets []payment.Secret
	// Account, if set, is the connected account (acct_...) that all calls act
	// for: direct charges. The key is then the platform's.
	Account string

	// BaseURL replaces https://api.stripe.com and https://files.stripe.com, for
	// a sandbox or a gateway of the shop's. "" for Stripe. A live key is only
	// sent over https.
	BaseURL string
	// HTTPClient gives proxy, private roots or connection limits; nil for a
	// transport of our own. It is not changed.
	HTTPClient *http.Client
	// Timeout bounds one call; 0 for 30 seconds. Stripe's own limit on a charge
	// is longer; what is cut off is unknown, not failed.
	Timeout time.Duration
	// Logger gets one scrubbed line per call; nil discards.
	Logger *slog.Logger
	// Now is the clock, for webhooks that bring none of their own; nil for
	// time.Now.
	Now func() time.Time
	// Tolerance is how far the time of sending of a webhook may be from now, on
	// either side; 0 for DefaultTolerance. Above an hour is refused.
	Tolerance time.Duration

	// Methods restricts what the instance accepts, to methods that
	// [Provider.Capabilities] lists by default; nil for all. A method must also
	// be switched on in Stripe's dashboard.
	Methods []payment.Method
	// Descriptor is what the payer's statement shows where a request names
	// nothing: at most 22 characters, for cards added to the account's prefix.
	Descriptor string
	// StripeJS says that the shop's page runs Stripe.js: a 3-D Secure challenge
	// is handed over with the client secret (handleNextAction) although a
	// return URL is there, instead of by redirect.
	StripeJS bool
	// MultiCapture asks for authorizations that can be captured in several
	// parts. It needs a feature of IC+ pricing; where a card does not allow it,
	// the second capture is refused.
	MultiCapture bool
}

// Provider is one Stripe account. It is safe for concurrent use. Make it with
// [New].
type Provider struct {
	name        string
	key         payment.Secret
	publishable string
	secrets     []payment.Secret
	account     string
	live        bool
	now         func() time.Time
	tolerance   time.Duration
	descriptor  string
	stripeJS    bool
	multi       bool
	caps        payment.Capabilities

	api, uploads *stripego.BackendImplementation
}

// What is implemented, checked by the compiler.
var (
	_ payment.Provider        = (*Provider)(nil)
	_ payment.Capturer        = (*Provider)(nil)
	_ payment.Voider          = (*Provider)(nil)
	_ payment.Refunder        = (*Provider)(nil)
	_ payment.Lookuper        = (*Provider)(nil)
	_ payment.Fencer          = (*Provider)(nil)
	_ payment.Vault           = (*Provider)(nil)
	_ payment.Disputer        = (*Provider)(nil)
	_ payment.Splitter        = (*Provider)(nil)
	_ payment.StatementSource = (*Provider)(nil)
	_ payment.WebhookParser   = (*Provider)(nil)
)

// New checks the configuration and returns the provider. It calls nobody. The
// error joins one [*payment.FieldError] per problem.
func New(c Config) (*Provider, error) {
	var problems []error
	bad := func(field, problem, remedy string) {
		problems = append(problems, &payment.FieldError{Field: field, Problem: problem, Remedy: remedy})
	}
	p := &Provider{
		name: orElse(c.Name, DefaultName), key: c.SecretKey, publishable: c.PublishableKey, account: c.Account,
		now: c.Now, tolerance: c.Tolerance, descriptor: c.Descriptor, stripeJS: c.StripeJS, multi: c.MultiCapture,
	}
	if p.now == nil {
		p.now = time.Now
	}
	if !validName(p.name) {
		bad("Name", "is not a name of 1 to 32 characters a-z, 0-9, _ or -", "use a short word such as stripe_eu")
	}
	live, ok := keyMode(c.SecretKey.Reveal(), "sk_", "rk_")
	p.live = live
	switch {
	case c.SecretKey.IsZero():
		bad("SecretKey", "is missing", "give the secret key (sk_...) of the account")
	case !ok:
		bad("SecretKey", "is not a secret key of Stripe", "give the key that starts with sk_live_, sk_test_, rk_live_ or rk_test_")
	}
	if c.PublishableKey != "" {
		pkLive, pkOK := keyMode(c.PublishableKey, "pk_")
		switch {
		case !pkOK:
			bad("PublishableKey", "is not a publishable key of Stripe", "give the key that starts with pk_live_ or pk_test_")
		case ok && pkLive != live:
			bad("PublishableKey", "is of another mode than SecretKey", "give both keys of live mode, or both of test mode")
		}
	}
	for i, s := range c.WebhookSecrets {
		v := s.Reveal()
		if strings.TrimSpace(v) != v || len(v) < 16 {
			bad("WebhookSecrets["+itoa(i)+"]", "is empty, short or has spaces around it", "copy the signing secret (whsec_...) of the endpoint, or leave the entry out")
		}
		if strings.HasPrefix(v, "sk_") || strings.HasPrefix(v, "rk_") || strings.HasPrefix(v, "pk_") {
			bad("WebhookSecrets["+itoa(i)+"]", "is an API key", "copy the signing secret (whsec_...) of the endpoint")
		}
	}
	p.secrets = slices.Clone(c.WebhookSecrets)
	if c.Account != "" && (!strings.HasPrefix(c.Account, "acct_") || httpx.CheckID("Account", c.Account) != nil) {
		bad("Account", "is not the id of a connected account", "give the id that starts with acct_, or leave it empty")
	}
	if c.Timeout < 0 {
		bad("Timeout", "is negative", "give a duration, or 0 for 30 seconds")
	}
	switch {
	case c.Tolerance == 0:
		p.tolerance = DefaultTolerance
	case c.Tolerance < 0 || c.Tolerance > time.Hour:
		bad("Tolerance", "is negative or above an hour", "leave it 0 for five minutes")
	}
	if c.Descriptor != descriptor(c.Descriptor) {
		bad("Descriptor", "is longer than 22 characters or has one of < > \\ ' \" * or a character that is not ASCII", "shorten it")
	}
	if why := checkDescriptor(c.Descriptor, "card"); why != "" {
		bad("Descriptor", why, "give a name that payers recognize")
	}
	p.caps = capabilities(c)
	if c.Methods != nil {
		allowed := make(map[payment.Method]payment.MethodCapabilities, len(c.Methods))
		for i, m := range c.Methods {
			mc, known := p.caps.For(m)
			if !known || !served(m) {
				bad("Methods["+itoa(i)+"]", "is not a method of this adapter", "take one of card, apple_pay, google_pay, card_present, ideal, grabpay, alipay, wechatpay")
				continue
			}
			allowed[m] = mc
		}
		if len(c.Methods) == 0 {
			bad("Methods", "is empty", "leave it nil for all methods")
		}
		p.caps.Methods = allowed
	}

	api, uploads := stripego.APIURL, stripego.UploadsURL
	if c.BaseURL != "" {
		api = strings.TrimSuffix(strings.TrimSuffix(c.BaseURL, "/"), "/v1") // as the SDK takes it, too
		uploads = api
		u, err := url.Parse(api)
		switch {
		case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || u.RawQuery != "" || u.Fragment != "":
			bad("BaseURL", "is not a base URL", "give scheme://host[:port][/path], or leave it empty for Stripe")
		case live && u.Scheme != "https":
			bad("BaseURL", "is not https, and the key is live", "use a test key with a sandbox")
		}
	}
	hc, err := p.client(c, api, uploads)
	if err != nil {
		bad("HTTPClient", httpx.ScrubError(err), "correct its transport, or leave it nil")
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	p.api, p.uploads = backend(stripego.APIBackend, api, hc), backend(stripego.UploadsBackend, uploads, hc)
	return p, nil
}

// client is the only way out: it reaches the configured hosts and nobody else.
func (p *Provider) client(c Config, bases ...string) (*http.Client, error) {
	o := httpx.Options{Client: c.HTTPClient, Timeout: max(c.Timeout, 0), Logger: c.Logger, Now: c.Now}
	for _, b := range bases {
		if u, err := url.Parse(b); err == nil && u.Host != "" {
			o.AllowHosts = append(o.AllowHosts, u.Host)
		}
	}
	return httpx.New(o)
}

// backend is one of the SDK's, with nothing of its own: no retries (the client
// decides), no telemetry, no log, no package variables.
func backend(t stripego.SupportedBackend, base string, hc *http.Client) *stripego.BackendImplementation {
	return &stripego.BackendImplementation{
		Type: t, URL: base, HTTPClient: hc, LeveledLogger: &stripego.LeveledLogger{Level: stripego.LevelNull},
	}
}

// Name returns Config.Name.
func (p *Provider) Name() string { return p.name }

func validName(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// keyMode reads the mode off a key with one of the prefixes.
func keyMode(key string, prefixes ...string) (live, ok bool) {
	for _, prefix := range prefixes {
		rest, found := strings.CutPrefix(key, prefix)
		if !found || strings.ContainsAny(key, " \t\r\n") {
			continue
		}
		if after, isLive := strings.CutPrefix(rest, "live_"); isLive {
			return true, after != ""
		}
		after, isTest := strings.CutPrefix(rest, "test_")
		return false, isTest && after != ""
	}
	return false, false
}
