package fake

import "github.com/tender-go/payment"

// Narrow returns the provider as a value that has only the optional interfaces
// its personality can serve, as a real adapter would. A client that calls an
// interface without asserting it first is found out by it.
func (p *Provider) Narrow() payment.Provider {
	switch p.d.kind {
	case Adyen:
		return narrowAdyen{p, p, p, p, p, p, p, p, p, p, p}
	case Alipay, WeChatPay:
		return narrowWallet{p, p, p, p, p, p}
	case PayPal:
		return narrowPayPal{p, p, p, p, p, p, p, p}
	default: // cards
	}
	return narrowCard{p, p, p, p, p, p, p, p, p, p, p}
}

type (
	narrowCard struct {
		payment.Provider
		payment.Capturer
		payment.Voider
		payment.Refunder
		payment.Lookuper
		payment.Fencer
		payment.Vault
		payment.Disputer
		payment.Splitter
		payment.StatementSource
		payment.WebhookParser
	}
	narrowAdyen struct {
		payment.Provider
		payment.Capturer
		payment.Voider
		payment.Refunder
		payment.Resumer
		payment.Fencer
		payment.Vault
		payment.Disputer
		payment.Splitter
		payment.StatementSource
		payment.WebhookParser
	}
	narrowWallet struct {
		payment.Provider
		payment.Refunder
		payment.Lookuper
		payment.Fencer
		payment.StatementSource
		payment.WebhookParser
	}
	narrowPayPal struct {
		payment.Provider
		payment.Capturer
		payment.Voider
		payment.Refunder
		payment.Lookuper
		payment.Disputer
		payment.StatementSource
		payment.WebhookParser
	}
)
