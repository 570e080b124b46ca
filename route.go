package payment

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tender-go/payment/money"
)

// This file finds the providers that can take a wish, in which order.

// instrument fills in a saved method's provider and token.
func (c *Client) instrument(ctx context.Context, i Instrument, customer string) (Instrument, error) {
	if i.Saved == "" {
		return i, nil
	}
	m, secrets, err := c.savedMethod(ctx, i.Saved)
	if isNotFound(err) {
		return i, &FieldError{Field: "Method.Saved", Problem: quote(i.Saved) + " is not known", Remedy: "list the customer's methods with Methods"}
	}
	if err != nil {
		return i, err
	}
	switch {
	case m.Customer != customer || customer == "":
		return i, &FieldError{Field: "Method.Saved", Problem: quote(i.Saved) + " belongs to another customer", Remedy: "give the Customer it was saved for"}
	case m.State != MethodActive:
		return i, &FieldError{Field: "Method.Saved", Problem: quote(i.Saved) + " is " + string(m.State), Remedy: "let the payer choose another method"}
	}
	i.Method, i.Provider, i.Token = m.Method, m.Provider, NewSecret(secrets.Token)
	if secrets.ProviderCustomer != "" {
		i = i.With(fieldProviderCustomer, secrets.ProviderCustomer)
	}
	return i, nil
}

// route orders the eligible providers for a wish.
func (c *Client) route(ctx context.Context, p *Payment, w wish) (Route, error) {
	fit, excluded, err := c.eligible(p, w)
	if err != nil {
		return Route{}, err
	}
	if c.cfg.Router == nil {
		return Route{Providers: fit, Reason: "first of the configured providers that takes it"}, nil
	}
	r, err := c.cfg.Router.Route(ctx, RouteRequest{
		PaymentID: p.ID, Reference: p.Reference, Customer: p.Customer, Amount: p.Amount, Method: w.Method.instrument(),
		Country: w.Payer.Country, BIN: w.Method.Fields["bin"], Metadata: w.Metadata, Candidates: slices.Clone(fit), Excluded: excluded, Now: c.now(),
	})
	if err != nil {
		return Route{}, fmt.Errorf("payment: the router refused: %w", err)
	}
	r.Providers = slices.DeleteFunc(slices.Clone(r.Providers), func(n string) bool { return !slices.Contains(fit, n) })
	if len(r.Providers) == 0 {
		for _, n := range fit {
			excluded[n] = "was not chosen by the router (" + truncate(r.Reason, 200) + ")"
		}
		return Route{}, &RouteError{Reasons: excluded}
	}
	return r, nil
}

// eligible lists the providers that can take a wish, and says why the others
// cannot. None is a *RouteError.
func (c *Client) eligible(p *Payment, w wish) (fit []string, excluded map[string]string, err error) {
	excluded = map[string]string{}
	var invalid []error
	for _, name := range c.order {
		field, why := c.unfit(name, p, w)
		if why != "" {
			invalid = append(invalid, &FieldError{Field: field, Problem: "does not suit: " + name + " " + why})
		} else {
			if bad := c.invalidAt(name, p, w); bad != nil {
				why = "cannot take it as it is (" + bad.Error() + ")"
				invalid = append(invalid, bad)
			}
		}
		if why != "" {
			excluded[name] = why
			continue
		}
		fit = append(fit, name)
	}
	if len(fit) == 0 {
		return nil, excluded, &RouteError{Reasons: excluded, Invalid: errors.Join(invalid...)}
	}
	return fit, excluded, nil
}

// invalidAt asks a provider whether it could take the request at all.
func (c *Client) invalidAt(name string, p *Payment, w wish) error {
	v, ok := c.byName[name].(Validator)
	if !ok {
		return nil
	}
	caps, _ := c.capsFor(name, w.Method.Method)
	return v.Validate(*w.authorize(p, c.sells(p, caps), caps))
}

// unfit says why a provider cannot take the payment, and which field of the
// request is in the way; "" if it can.
func (c *Client) unfit(name string, p *Payment, w wish) (field, why string) {
	i := w.Method
	mc, ok := c.capsFor(name, i.Method)
	low, high := mc.Min[p.Amount.Currency()], mc.Max[p.Amount.Currency()]
	switch {
	case i.Provider != "" && i.Provider != name:
		return "Method.Provider", "does not hold the token, which is " + i.Provider + "'s"
	case !ok:
		return "Method", "does not take " + string(i.Method)
	case len(mc.Currencies) > 0 && !slices.Contains(mc.Currencies, p.Amount.Currency()):
		return "Amount", "does not take " + string(p.Amount.Currency()) + " by " + string(i.Method)
	case w.Payer.Country != "" && len(mc.Countries) > 0 && !slices.Contains(mc.Countries, w.Payer.Country):
		return "Payer.Country", "does not take " + string(i.Method) + " from " + w.Payer.Country
	case low > p.Amount.Minor():
		return "Amount", "takes no less than " + money.Of(low, p.Amount.Currency()).String()
	case high > 0 && high < p.Amount.Minor():
		return "Amount", "takes no more than " + money.Of(high, p.Amount.Currency()).String()
	case p.Capture == CaptureManual && !mc.Hold:
		return "Capture", "cannot hold money by " + string(i.Method) + " for a later capture"
	case w.OffSession && !mc.OffSession:
		return "OffSession", "cannot charge " + string(i.Method) + " without the payer"
	case w.Save && !mc.Save:
		return "Save", "cannot save " + string(i.Method)
	case len(w.Splits) > 0 && !mc.Splits:
		return "Splits", "cannot split " + string(i.Method)
	}
	return "", ""
}

func (c *Client) fits(name string, p *Payment, w wish) bool {
	_, why := c.unfit(name, p, w)
	return why == ""
}
