package payment

import (
	"cmp"
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tender-go/payment/internal/backoff"
	"github.com/tender-go/payment/internal/ids"
)

// Client is what a shop calls. Make one with [New] and keep it: it is safe for
// concurrent use. It holds no state of payments of its own; any number of
// replicas may run on one store.
//
// Errors: a method returns an error only if nothing was asked of any provider,
// or the record itself is in doubt ([*RecordError], with the payment's id).
// Every outcome, unknown included, is a [Payment]; see [Payment.Next].
type Client struct {
	cfg          Config
	store        Store
	log          *slog.Logger
	now          func() time.Time
	random       io.Reader
	ids          ids.Source
	keys         *keyring
	byName       map[string]Provider
	caps         map[string]Capabilities
	order        []string
	participants []Participant
	leaseFor     time.Duration
	skew         time.Duration

	printer   printer
	ordersKey cipher.AEAD // of stored requests without personal values

	running atomic.Bool
	warned  atomic.Bool
	made    time.Time
}

// start reads the installation's fingerprint key, and checks the store for open
// operations of instances that are missing.
func (c *Client) start() error {
	c.made = c.now()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	var err error
	if c.printer, err = c.keys.loadPrinter(ctx); err != nil {
		return fmt.Errorf("payment: read the store: %w", err)
	}
	if c.ordersKey, err = c.printer.derive("orders"); err != nil {
		return err
	}
	open, err := c.store.Payments(ctx, PaymentQuery{OpenNotAt: c.order, Limit: 20})
	if err != nil {
		return fmt.Errorf("payment: read open payments: %w", err)
	}
	missing := map[string]string{}
	for _, sum := range open {
		p, err := c.store.Payment(ctx, sum.ID)
		if err != nil {
			return fmt.Errorf("payment: read open payments: %w", err)
		}
		for _, o := range p.Operations {
			if o.State.Outstanding() && o.Provider != "" && c.byName[o.Provider] == nil {
				missing[o.Provider] = p.ID
			}
		}
	}
	var p problems
	for _, name := range sortedKeys(missing) {
		p.add("Config.Providers", "has no instance named "+quote(name)+", and payment "+missing[name]+" has an open operation there", "add the instance until its operations have ended")
	}
	return p.err()
}

// startTimeout bounds what New reads.
const startTimeout = 30 * time.Second

// Cursor returns the cursor that continues a list of payments behind p.
func Cursor(p *Payment) string {
	return fmt.Sprintf("%d.%s", p.CreatedAt.UnixMicro(), p.ID)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

func (c *Client) newID(prefix string, now time.Time) string { return c.ids.New(prefix, now) }

func (c *Client) newPaymentID(now time.Time) string {
	return c.ids.New("p", now)[:paymentIDLen]
}

func (c *Client) capsFor(provider string, m Method) (MethodCapabilities, bool) {
	caps, ok := c.caps[provider]
	if !ok {
		return MethodCapabilities{}, false
	}
	return caps.For(m)
}

// capabilitiesOf returns what can be done with an operation; nothing, if its
// instance is gone.
func (c *Client) capabilitiesOf(o *Operation) MethodCapabilities {
	mc, _ := c.capsFor(o.Provider, o.Method)
	return mc
}

func (c *Client) hasHooks(s Stage) bool {
	for _, h := range c.cfg.Hooks {
		if slices.Contains(h.Hook.Stages(), s) {
			return true
		}
	}
	return false
}

// checkBackoff spaces look-ups: soon at first, while a payer may be waiting,
// then rarely.
var checkBackoff = backoff.Policy{Base: 5 * time.Second, Factor: 3, Max: time.Hour}

func (c *Client) backoff(n int) time.Duration { return checkBackoff.Delay(n, nil) }

// fingerprint is a keyed hash of a request.
func (c *Client) fingerprint(v any) ([]byte, error) { return c.printer.of(v) }

// Get returns a payment with all its operations, or ErrNotFound.
func (c *Client) Get(ctx context.Context, id string) (*Payment, error) {
	p, err := c.load(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.reveal(ctx, p)
}

// load reads a payment; the error of one that is not there names it.
func (c *Client) load(ctx context.Context, id string) (*Payment, error) {
	p, err := c.store.Payment(ctx, id)
	return p, named(err, "payment", id)
}

// named says which record was not found.
func named(err error, what, id string) error {
	if isNotFound(err) {
		return &NotFoundError{What: what, ID: id}
	}
	return err
}

// shown is reveal for a call that has asked a provider: that its values cannot
// be opened now does not hide the payment.
func (c *Client) shown(ctx context.Context, p *Payment) (*Payment, error) {
	if open, err := c.reveal(context.WithoutCancel(ctx), p); err == nil {
		return open, nil
	}
	return p, nil
}

// reveal opens what a caller may see: the payer's next act, description and
// metadata. Values of an erased subject stay empty.
func (c *Client) reveal(ctx context.Context, p *Payment) (*Payment, error) {
	key, err := c.keys.of(ctx, c.store, p.Subject)
	if errors.Is(err, ErrErased) || isNotFound(err) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	if p.Description == "" && p.Metadata == nil && len(p.Sealed) > 0 {
		var w wish
		if err := openJSON(key, p.Sealed, wishPlace(p.ID), &w); err != nil {
			return nil, err
		}
		p.Description, p.Metadata = w.Description, w.Metadata
	}
	for _, o := range p.Operations {
		if o.Action == nil && len(o.Sealed) > 0 {
			a := new(Action)
			if err := openJSON(key, o.Sealed, actionPlace(o.ID), a); err != nil {
				return nil, err
			}
			o.Action = a
		}
	}
	return p, nil
}

// List returns payments without their operations, newest first.
func (c *Client) List(ctx context.Context, q PaymentQuery) ([]*Payment, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	return c.store.Payments(ctx, q)
}

func (q PaymentQuery) check() error {
	var p problems
	p.id("Reference", q.Reference, false)
	p.id("Customer", q.Customer, false)
	p.limit(q.Limit)
	for _, s := range q.Statuses {
		if !slices.Contains(Statuses(), s) {
			p.add("Statuses", "has the unknown status "+quote(string(s)), "use the Status constants")
		}
	}
	if !q.From.IsZero() && !q.To.IsZero() && q.To.Before(q.From) {
		p.add("To", "is before From", "swap them")
	}
	return p.err()
}

func (p *problems) limit(n int) {
	if n < 0 || n > 1000 {
		p.add("Limit", fmt.Sprintf("is %d", n), "give 1 to 1000, or 0 for 100")
	}
}

// Parked lists the payments that need a person, newest first. Payment.Parked
// says why and what is missing; [Client.Decide] settles it.
func (c *Client) Parked(ctx context.Context, after string, limit int) ([]*Payment, error) {
	return c.List(ctx, PaymentQuery{ParkedOnly: true, After: after, Limit: limit})
}

// Events returns recorded events in order, behind the one with sequence number
// after; 0 begins. It is the shop's outbox: remember the last Seq that was
// handled, and handle each at least once.
func (c *Client) Events(ctx context.Context, q EventQuery) ([]*Event, error) {
	var p problems
	p.limit(q.Limit)
	if q.AfterSeq < 0 {
		p.add("AfterSeq", "is negative", "begin with 0")
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	return c.store.Events(ctx, q)
}

// Erase destroys the key of a customer's personal values: payments, ledger and
// audit stay, names and addresses in them cannot be read any more. Operations
// that are still open lose what would be sent; let them end first.
func (c *Client) Erase(ctx context.Context, customer string) error {
	var p problems
	p.id("customer", customer, true)
	if err := p.err(); err != nil {
		return err
	}
	return named(c.erase(ctx, customerSubject(customer)), "customer", customer)
}

// EraseGuest does the same for the guest of one payment.
func (c *Client) EraseGuest(ctx context.Context, paymentID string) error {
	p, err := c.load(ctx, paymentID)
	if err != nil {
		return err
	}
	if p.Subject != guestSubject(p.ID) {
		return &StateError{Verb: "erase the guest of", PaymentID: p.ID, Status: p.Status, Reason: "its payer is a known customer: use Erase"}
	}
	return c.erase(ctx, p.Subject)
}

func (c *Client) erase(ctx context.Context, subject string) error {
	if c.store.Joined(ctx) {
		return ErrInTransaction
	}
	c.keys.forget(subject)
	err := c.store.Update(ctx, func(ctx context.Context, tx Tx) error { return tx.DestroySubjectKey(ctx, subject) })
	c.keys.forget(subject)
	return err
}

// clone copies a payment so deep that changing the copy changes nothing of p.
func (p *Payment) clone() *Payment {
	q := *p
	q.Route = slices.Clone(p.Route)
	if p.Review != nil {
		r := *p.Review
		q.Review = &r
	}
	if p.Parked != nil {
		k := *p.Parked
		q.Parked = &k
	}
	ops := make([]Operation, len(p.Operations))
	q.Operations = make([]*Operation, len(p.Operations), len(p.Operations)+2)
	for i, o := range p.Operations {
		ops[i] = *o
		n := &ops[i]
		steps := make([]Step, len(o.Steps))
		n.Steps = make([]*Step, len(o.Steps), len(o.Steps)+2)
		for j, s := range o.Steps {
			steps[j] = *s
			n.Steps[j] = &steps[j]
		}
		q.Operations[i] = n
	}
	return &q // maps and byte slices are replaced, never changed in place
}
