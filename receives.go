package payment

import "fmt"

// Receives reports whether [Client.Receive] takes notifications under the given
// name: nil, or what is wrong with the wiring. A *[FieldError] says that no
// instance of Config.Providers has the name, ErrUnsupported that the instance
// sends no webhooks. It asks nobody.
func (c *Client) Receives(provider string) error {
	prov, ok := c.byName[provider]
	if !ok {
		return &FieldError{Field: "provider", Problem: quote(provider) + " is not configured", Remedy: "use the name of a provider in Config.Providers"}
	}
	if _, ok := prov.(WebhookParser); !ok {
		return fmt.Errorf("%w: %s sends no webhooks", ErrUnsupported, provider)
	}
	return nil
}
