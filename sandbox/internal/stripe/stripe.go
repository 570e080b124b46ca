// Package stripe is a stand-in for Stripe's API, version 2023-10-16, written
// from Stripe's public documentation and the types of its Go SDK.
package stripe

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/tender-go/payment/sandbox/internal/core"
)

// APIVersion is the version whose shapes the stand-in answers with.
const APIVersion = "2023-10-16"

// Config sets up a stand-in. Every field but the two lists is needed.
type Config struct {
	BaseURL       string // where the stand-in is reached, without a trailing slash
	SecretKey     string
	WebhookSecret string
	WebhookURLs   []string
	AccountID     string

	Clock    *core.Clock
	Timers   *core.Timers
	IDs      *core.IDs
	Faults   *core.Faults
	Requests *core.Log
	Outbox   *core.Outbox
	Log      *slog.Logger
	Done     <-chan struct{} // closed when hanging requests must end

	MaxEvents int // events remembered per account
}

// Stripe is one stand-in: a platform account and whatever connected accounts
// are named in a Stripe-Account header. It is safe for use by several goroutines.
type Stripe struct {
	Config
	routes map[string]route

	mu       sync.Mutex
	accounts map[string]*account
	platform *account
	writers  sync.Pool
}

// New returns a stand-in.
func New(c Config) *Stripe {
	s := &Stripe{Config: c, accounts: map[string]*account{}}
	s.writers.New = func() any { return &core.JSON{} }
	s.routes = routes()
	s.platform = newAccount(c.AccountID)
	s.accounts[c.AccountID] = s.platform
	for _, u := range c.WebhookURLs {
		s.platform.hooks = append(s.platform.hooks, &webhookEndpoint{id: s.id("we_1", 23), url: u, secret: c.WebhookSecret,
			enabledEvents: []string{"*"}, status: "enabled", created: s.now(), configured: true})
	}
	return s
}

// account is the state of one Stripe account. It is guarded by Stripe.mu.
type account struct {
	id         string
	intents    table[*paymentIntent]
	charges    table[*charge]
	refunds    table[*refund]
	methods    table[*paymentMethod]
	customers  table[*customer]
	setups     table[*setupIntent]
	tokens     table[*token]
	disputes   table[*dispute]
	files      table[*file]
	transfers  table[*transfer]
	payouts    table[*payout]
	balanceTxn table[*balanceTransaction]
	events     table[*event]
	hooks      []*webhookEndpoint
	idem       map[string]*idemEntry
	idemAge    []*idemEntry // oldest first, for pruning
	setUpCards map[string]bool
	lastSeen   map[string][]byte // the newest snapshot of each object, for previous_attributes
	balance    map[string]*money // by currency
}

type money struct{ available, pending int64 }

func newAccount(id string) *account {
	return &account{id: id, idem: map[string]*idemEntry{}, balance: map[string]*money{}, setUpCards: map[string]bool{}, lastSeen: map[string][]byte{}}
}

// table keeps objects by id and in the order made.
type table[T any] struct {
	byID  map[string]T
	order []T
}

func (t *table[T]) add(id string, v T) {
	if t.byID == nil {
		t.byID = map[string]T{}
	}
	t.byID[id] = v
	t.order = append(t.order, v)
}

func (t *table[T]) get(id string) (T, bool) { v, ok := t.byID[id]; return v, ok }

// find returns the object or its zero value.
func (t *table[T]) find(id string) T { return t.byID[id] }

func (s *Stripe) now() int64 { return s.Clock.Now().Unix() }

// id returns prefix followed by n random characters of the stream for objects.
func (s *Stripe) id(prefix string, n int) string { return prefix + s.IDs.Text("stripe objects", n) }

// later registers work for a time of the clock; it runs under the lock.
func (s *Stripe) later(d time.Duration, f func()) {
	s.Timers.At(s.Clock.Now().Add(d), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f()
	})
}

// account returns the account named in a Stripe-Account header, made on first
// sight: a platform may act for any account in the sandbox.
func (s *Stripe) account(id string) *account {
	if id == "" {
		return s.platform
	}
	a := s.accounts[id]
	if a == nil {
		a = newAccount(id)
		s.accounts[id] = a
	}
	return a
}

// ServeHTTP serves the API and the pages a payer would see.
func (s *Stripe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.Path) >= 4 && r.URL.Path[:4] == "/v1/" {
		s.serveAPI(w, r)
		return
	}
	s.servePage(w, r)
}
