package payment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// MethodState is where a saved method stands.
type MethodState string

// The states of a saved method.
const (
	MethodSaving         MethodState = "saving" // being stored; the outcome may be unknown
	MethodActionRequired MethodState = "action_required"
	MethodActive         MethodState = "active"
	MethodFailed         MethodState = "failed"
	MethodForgotten      MethodState = "forgotten"
)

// SavedMethod is a payer's method that a provider keeps, for one-click
// payments.
type SavedMethod struct {
	ID       string
	Customer string
	Provider string
	Method   Method
	State    MethodState
	Card     CardInfo
	// Ref is the provider's object of the act of saving (a Stripe
	// SetupIntent), for look-ups and webhooks.
	Ref  string
	Data map[string]string
	// Decline says why it failed.
	Decline Decline
	// Action the payer must carry out, with MethodActionRequired.
	Action *Action `json:"-"`
	// Subject names the key of Sealed, which holds the token, the provider's
	// customer id, the request and the action, encrypted.
	Subject   string
	Sealed    []byte
	CreatedAt time.Time
	UpdatedAt time.Time
}

// savedSecrets is what SavedMethod.Sealed holds.
type savedSecrets struct {
	Token            string           `json:",omitempty"`
	ProviderCustomer string           `json:",omitempty"`
	Action           *Action          `json:",omitempty"`
	Method           storedInstrument `json:",omitzero"`
	Payer            Payer            `json:",omitzero"`
	ReturnURL        string           `json:",omitempty"`
	ThreeDS          ThreeDS          `json:",omitempty"`
	Provider         string           `json:",omitempty"`
}

// SaveParams asks that a payer's method be kept for one-click payments.
type SaveParams struct {
	Key      string
	Customer string // required: guests have no saved methods
	Method   Instrument
	Payer    Payer
	// ReturnURL is where the payer comes back to after a challenge.
	ReturnURL string
	ThreeDS   ThreeDS
}

// Save keeps a payer's method at a provider. The method returned is active, or
// needs the payer ([MethodActionRequired]), or is still being stored
// ([MethodSaving]): then call Save again with the same Key, or wait for the
// webhook. No money moves, and the same Key never stores twice.
func (c *Client) Save(ctx context.Context, r SaveParams) (*SavedMethod, error) {
	if c.store.Joined(ctx) {
		return nil, ErrInTransaction
	}
	var bad problems
	bad.id("Key", r.Key, true)
	bad.id("Customer", r.Customer, true)
	bad.instrument("Method", r.Method, true)
	bad.payer(r.Payer)
	bad.returnURL(r.ReturnURL)
	bad.threeDS(r.ThreeDS)
	if r.Method.Saved != "" {
		bad.add("Method.Saved", "is set", "it is saved already; give a token")
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	provider, err := c.vaultFor(r.Method)
	if err != nil {
		return nil, err
	}
	asked := savedSecrets{Method: storeInstrument(r.Method), Payer: r.Payer, ReturnURL: r.ReturnURL, ThreeDS: r.ThreeDS}
	print, err := c.fingerprint(keyPrint{Verb: "save", Customer: r.Customer, Extra: asked})
	if err != nil {
		return nil, err
	}
	fresh, err := c.keys.fresh()
	if err != nil {
		return nil, err
	}
	now := c.now()
	m := &SavedMethod{ID: c.newID("pm", now), Customer: r.Customer, Provider: provider, Method: r.Method.Method, State: MethodSaving,
		Subject: customerSubject(r.Customer), CreatedAt: now, UpdatedAt: now}
	secrets := asked
	if secrets.ThreeDS, err = c.askSave(ctx, m, r); err != nil {
		return nil, err
	}
	err = c.store.Update(ctx, func(ctx context.Context, tx Tx) error {
		if err := tx.Claim(ctx, Claim{Kind: ClaimKey, Key: "save:" + r.Key, Owner: m.ID, Fingerprint: print}); err != nil {
			return err
		}
		key, _, err := c.keys.create(ctx, tx, m.Subject, fresh)
		if err != nil {
			return err
		}
		if m.Sealed, err = c.keys.sealJSON(key, secrets, methodPlace(m.ID)); err != nil {
			return err
		}
		return tx.SaveMethod(ctx, m)
	})
	var taken *TakenError
	if errors.As(err, &taken) {
		if !bytes.Equal(taken.Claim.Fingerprint, print) {
			return nil, &KeyError{Key: r.Key, PaymentID: taken.Claim.Owner}
		}
		if m, secrets, err = c.savedMethod(ctx, taken.Claim.Owner); err != nil {
			return nil, err
		}
		if m.State != MethodSaving {
			return m, nil
		}
	} else if err != nil {
		return nil, err
	}
	return c.sendSave(ctx, m, secrets)
}

// vaultFor picks the provider that keeps a method.
func (c *Client) vaultFor(i Instrument) (string, error) {
	reasons := map[string]string{}
	for _, name := range c.order {
		mc, ok := c.capsFor(name, i.Method)
		switch {
		case i.Provider != "" && i.Provider != name:
			reasons[name] = "does not hold the token, which is " + i.Provider + "'s"
		case !ok || !mc.Save || c.caps[name].Save.IsZero():
			reasons[name] = "cannot save " + string(i.Method)
		default:
			return name, nil
		}
	}
	return "", &RouteError{Reasons: reasons}
}

// askSave asks the hooks before a method is saved, and returns the wish for
// authentication that holds then.
func (c *Client) askSave(ctx context.Context, m *SavedMethod, r SaveParams) (ThreeDS, error) {
	if !c.hasHooks(StageBeforeSave) {
		return r.ThreeDS, nil
	}
	v, by := c.askHooks(ctx, HookRequest{Stage: StageBeforeSave, Method: r.Method, Payer: r.Payer, Saved: m, Now: c.now()})
	if mc, _ := c.capsFor(m.Provider, m.Method); v.Outcome == StepUp && mc.ThreeDS {
		return ThreeDSChallenge, nil
	}
	if v.Outcome >= StepUp {
		return "", &StateError{Verb: "save", PaymentID: "of a method", Reason: by + " says " + v.Outcome.String() + ": " + truncate(v.Reason, 200)}
	}
	return r.ThreeDS, nil
}

// sendSave asks the provider. The method's id is the idempotency key: a replay
// stores nothing twice.
func (c *Client) sendSave(ctx context.Context, m *SavedMethod, secrets savedSecrets) (*SavedMethod, error) {
	vault, ok := c.byName[m.Provider].(Vault)
	if !ok {
		return nil, fmt.Errorf("%w: %s keeps no methods", ErrUnsupported, m.Provider)
	}
	r := SaveRequest{Call: Call{Step: c.caps[m.Provider].Save.Name, Key: m.ID, Operation: m.ID, Data: m.Data, Now: m.CreatedAt},
		Method: secrets.Method.instrument(), Customer: m.Customer, Payer: secrets.Payer, ReturnURL: secrets.ReturnURL, ThreeDS: secrets.ThreeDS}
	cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.CallTimeout)
	defer cancel()
	o, s := &Operation{Provider: m.Provider, Kind: OpSave}, &Step{Name: r.Step}
	res, err := guarded(o, s, func() (Result, error) { return vault.Save(cctx, r) })
	if err = asCallError(err, o, s); err != nil {
		var ce *CallError
		if errors.As(err, &ce); ce.Kind == KindUnknown {
			return m, nil // nothing is lost: the same Key asks again
		}
		return nil, err
	}
	e := &Event{Source: SourceAnswer, Provider: m.Provider, Kind: OpSave, OperationID: m.ID}
	e.fill(res)
	if err := c.applySaved(ctx, e); err != nil {
		return nil, err
	}
	m, _, err = c.savedMethod(ctx, m.ID)
	return m, err
}

// savedMethod reads a method and what is sealed in it.
func (c *Client) savedMethod(ctx context.Context, id string) (*SavedMethod, savedSecrets, error) {
	var secrets savedSecrets
	m, err := c.store.Method(ctx, id)
	if err != nil {
		return nil, secrets, err
	}
	key, err := c.keys.of(ctx, c.store, m.Subject)
	if errors.Is(err, ErrErased) {
		m.State = MethodForgotten
		return m, secrets, nil
	}
	if err != nil {
		return nil, secrets, err
	}
	if len(m.Sealed) == 0 {
		return m, secrets, nil // forgotten
	}
	if err := openJSON(key, m.Sealed, methodPlace(m.ID), &secrets); err != nil {
		return nil, secrets, err
	}
	if m.State == MethodActionRequired {
		m.Action = secrets.Action
	}
	return m, secrets, nil
}

// applySaved takes in what became of saving a method: an answer or a webhook.
func (c *Client) applySaved(ctx context.Context, e *Event) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	return c.store.Update(ctx, func(ctx context.Context, tx Tx) error {
		ev := *e
		if seen, err := c.seen(ctx, tx, &ev); seen || err != nil {
			return err
		}
		id := ev.OperationID
		if id == "" && ev.Ref != "" {
			if held, err := tx.Claimed(ctx, ClaimRef, refKey(ev.Provider, ev.Ref)); err == nil {
				id = held.Owner
			}
		}
		now := c.now()
		ev.ID, ev.RecordedAt, ev.Type, ev.PaymentID, ev.OperationID = c.newID("ev", now), now, EventMethod, "", id
		m, err := tx.Method(ctx, id)
		if isNotFound(err) {
			ev.Applied, ev.Reason = false, "it names no method of ours"
			return tx.AppendEvents(ctx, &ev)
		}
		if err != nil {
			return err
		}
		if ev.Applied, ev.Reason, err = c.moveSaved(ctx, tx, m, &ev, now); err != nil {
			return err
		}
		if ev.Applied {
			if err := tx.SaveMethod(ctx, m); err != nil {
				return err
			}
		}
		e.Applied, e.Reason = ev.Applied, ev.Reason
		return tx.AppendEvents(ctx, &ev)
	})
}

// moveSaved moves a method to where an event leads.
func (c *Client) moveSaved(ctx context.Context, tx Tx, m *SavedMethod, e *Event, now time.Time) (bool, string, error) {
	if m.State != MethodSaving && m.State != MethodActionRequired {
		return false, "the method is " + string(m.State) + " already", nil
	}
	key, err := c.keys.of(ctx, tx, m.Subject)
	if err != nil {
		return false, "its payer was erased", nil //nolint:nilerr // nothing can be kept for nobody
	}
	var secrets savedSecrets
	if err := openJSON(key, m.Sealed, methodPlace(m.ID), &secrets); err != nil {
		return false, "", err
	}
	switch e.Status {
	case ResultApproved:
		if e.Token.IsZero() {
			return false, "the provider approved, but gave no token", nil
		}
		m.State = MethodActive
		secrets = savedSecrets{Token: e.Token.Reveal(), ProviderCustomer: e.ProviderCustomer}
	case ResultActionRequired:
		m.State = MethodActionRequired
		secrets.Action = e.Action
	case ResultDeclined, ResultCanceled, ResultExpired:
		m.State = MethodFailed
		w := wish{Method: secrets.Method, Payer: secrets.Payer}
		e.Decline.Message = hide(e.Decline.Message, w.personal())
		m.Decline = e.Decline
		secrets = savedSecrets{}
	default:
		return false, "it is not decided yet", nil
	}
	if e.Card != (CardInfo{}) {
		m.Card = e.Card
	}
	if e.Ref != "" && m.Ref == "" {
		m.Ref = e.Ref
		ref := refKey(m.Provider, e.Ref)
		if err := tx.Release(ctx, ClaimRef, ref, nobody); err != nil {
			return false, "", err
		}
		err := tx.Claim(ctx, Claim{Kind: ClaimRef, Key: ref, Owner: m.ID})
		if err != nil && !errors.Is(err, ErrTaken) {
			return false, "", err
		}
	}
	if e.Data != nil {
		m.Data = e.Data
	}
	m.UpdatedAt = now
	m.Sealed, err = c.keys.sealJSON(key, secrets, methodPlace(m.ID))
	return true, "", err
}

// Methods lists a customer's methods that can be paid with, oldest first.
func (c *Client) Methods(ctx context.Context, customer string) ([]*SavedMethod, error) {
	var bad problems
	bad.id("customer", customer, true)
	if err := bad.err(); err != nil {
		return nil, err
	}
	all, err := c.store.Methods(ctx, customer)
	if err != nil {
		return nil, err
	}
	active := all[:0]
	for _, m := range all {
		if m.State == MethodActive {
			active = append(active, m)
		}
	}
	return active, nil
}

// Forget removes a saved method, at the provider and here. It can be called
// again; a method that is gone is forgotten.
func (c *Client) Forget(ctx context.Context, id string) error {
	if c.store.Joined(ctx) {
		return ErrInTransaction
	}
	m, secrets, err := c.savedMethod(ctx, id)
	if err != nil {
		return named(err, "saved method", id)
	}
	if m.State == MethodForgotten {
		return nil
	}
	vault, ok := c.byName[m.Provider].(Vault)
	if ok && secrets.Token != "" && !c.caps[m.Provider].Forget.IsZero() {
		r := ForgetRequest{Call: Call{Step: c.caps[m.Provider].Forget.Name, Key: m.ID + "f", Operation: m.ID, Data: m.Data, Now: m.CreatedAt},
			Token: NewSecret(secrets.Token), ProviderCustomer: secrets.ProviderCustomer}
		cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.CallTimeout)
		defer cancel()
		o, s := &Operation{Provider: m.Provider, Kind: OpSave}, &Step{Name: r.Step}
		res, err := guarded(o, s, func() (Result, error) { return vault.Forget(cctx, r) })
		if err := asCallError(err, o, s); err != nil {
			return err // still saved: call again
		}
		if res.Status != ResultApproved {
			return fmt.Errorf("payment: %s did not forget method %s (%s): call again", m.Provider, id, res.Status)
		}
	}
	dctx, cancel := detached(ctx)
	defer cancel()
	return c.store.Update(dctx, func(ctx context.Context, tx Tx) error {
		m, err := tx.Method(ctx, id)
		if err != nil {
			return err
		}
		now := c.now()
		m.State, m.Sealed, m.UpdatedAt = MethodForgotten, nil, now
		if err := tx.SaveMethod(ctx, m); err != nil {
			return err
		}
		return tx.AppendEvents(ctx, &Event{ID: c.newID("ev", now), Type: EventMethod, Source: SourceDecision, Kind: OpSave, Provider: m.Provider,
			OperationID: m.ID, Applied: true, Reason: "forgotten", RecordedAt: now})
	})
}
