package payment

import (
	"fmt"
	"log/slog"
	"strings"
)

// Method names a way to pay: a lower-case word, optionally with a member after
// a dot (card.visa is a member of the family card). Custom providers may bring
// their own: any string that [Method.Check] accepts.
type Method string

// The methods this project knows.
const (
	MethodCard       Method = "card"
	MethodVisa       Method = "card.visa"
	MethodMastercard Method = "card.mastercard"
	MethodAmex       Method = "card.amex"
	MethodJCB        Method = "card.jcb"
	MethodUnionPay   Method = "card.unionpay"
	MethodDiscover   Method = "card.discover"
	MethodDiners     Method = "card.diners"
	// MethodCardPresent is a card, phone or watch held to a terminal (NFC),
	// inserted or swiped.
	MethodCardPresent Method = "card_present"

	MethodApplePay  Method = "apple_pay"
	MethodGooglePay Method = "google_pay"
	MethodPayPal    Method = "paypal"
	MethodIDEAL     Method = "ideal"
	MethodGrabPay   Method = "grabpay"
	MethodCrypto    Method = "crypto"

	// Alipay and WeChat Pay by the place where the payer is. The bare family
	// lets the provider choose.
	MethodAlipay           Method = "alipay"
	MethodAlipayPage       Method = "alipay.page"
	MethodAlipayH5         Method = "alipay.h5"
	MethodAlipayApp        Method = "alipay.app"
	MethodAlipayQR         Method = "alipay.qr"
	MethodAlipayBarcode    Method = "alipay.barcode"
	MethodWeChatPay        Method = "wechatpay"
	MethodWeChatPayQR      Method = "wechatpay.qr"
	MethodWeChatPayH5      Method = "wechatpay.h5"
	MethodWeChatPayApp     Method = "wechatpay.app"
	MethodWeChatPayJSAPI   Method = "wechatpay.jsapi"
	MethodWeChatPayMini    Method = "wechatpay.mini"
	MethodWeChatPayBarcode Method = "wechatpay.barcode"
)

// Methods lists the methods this project has constants for.
func Methods() []Method {
	return []Method{
		MethodCard, MethodVisa, MethodMastercard, MethodAmex, MethodJCB, MethodUnionPay, MethodDiscover, MethodDiners,
		MethodCardPresent, MethodApplePay, MethodGooglePay, MethodPayPal, MethodIDEAL, MethodGrabPay, MethodCrypto,
		MethodAlipay, MethodAlipayPage, MethodAlipayH5, MethodAlipayApp, MethodAlipayQR, MethodAlipayBarcode,
		MethodWeChatPay, MethodWeChatPayQR, MethodWeChatPayH5, MethodWeChatPayApp, MethodWeChatPayJSAPI,
		MethodWeChatPayMini, MethodWeChatPayBarcode,
	}
}

// Family returns the part before the dot: card for card.visa.
func (m Method) Family() Method {
	f, _, _ := strings.Cut(string(m), ".")
	return Method(f)
}

// Check reports whether m is well formed: [a-z0-9_]+ with at most one dot
// inside, at most 40 characters.
func (m Method) Check() error {
	if m == "" || len(m) > 40 || m[0] == '.' || m[len(m)-1] == '.' || strings.Count(string(m), ".") > 1 {
		return fmt.Errorf("payment: method %q is not valid: use a lower-case word such as %q", truncate(string(m), 48), MethodCard)
	}
	for _, r := range m {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '.' {
			return fmt.Errorf("payment: method %q is not valid: use a lower-case word such as %q", truncate(string(m), 48), MethodCard)
		}
	}
	return nil
}

// Instrument is what a payer pays with: a method and, where the method has
// one, a token that the provider or a wallet gave for it. It never holds a
// card number.
type Instrument struct {
	Method Method `json:"method,omitempty"`
	// Token is the provider's or wallet's token; it redacts itself when
	// printed and is stored encrypted.
	Token Secret `json:"token,omitzero"`
	// Saved is the id of a saved method of ours ([Client.Methods]); with it
	// Method and Token are filled in by the client, and the provider is fixed.
	Saved string `json:"saved,omitempty"`
	// Provider fixes the provider instance, for a token that only one knows.
	Provider string `json:"provider,omitempty"`
	// Fields are further facts a method needs: bank (iDEAL), openid (WeChat
	// JSAPI), auth_code (a payer's bar code), reader (card present). Stored
	// encrypted.
	Fields map[string]string `json:"fields,omitempty"`

	forgotten bool // a token was meant, and is empty
}

// Card pays with a card by a provider's token (Stripe pm_..., tok_...). An empty
// token is refused as an invalid field: where the card is entered on a page that
// the provider serves, use [Using].
func Card(token string) Instrument {
	return Wallet(MethodCard, token)
}

// Wallet pays with a wallet by its token (Apple Pay, Google Pay). An empty token
// is refused, as by [Card].
func Wallet(m Method, token string) Instrument {
	return Instrument{Method: m, Token: NewSecret(token), forgotten: token == ""}
}

// Using pays with a method that needs no token: the payer is redirected, scans
// a code, opens an app, or enters a card on a page of the provider's.
func Using(m Method) Instrument { return Instrument{Method: m} }

// Saved pays with a method saved before, by its id: one click.
func Saved(id string) Instrument { return Instrument{Saved: id} }

// With returns a copy with one more field.
func (i Instrument) With(name, value string) Instrument {
	f := make(map[string]string, len(i.Fields)+1)
	for k, v := range i.Fields {
		f[k] = v
	}
	f[name] = value
	i.Fields = f
	return i
}

// CardInfo describes a card without being one.
type CardInfo struct {
	Brand    Method `json:"brand,omitempty"` // card.visa, ...
	Last4    string `json:"last4,omitempty"` // last four digits
	BIN      string `json:"bin,omitempty"`   // first six or eight digits
	ExpMonth int    `json:"exp_month,omitempty"`
	ExpYear  int    `json:"exp_year,omitempty"`
	Country  string `json:"country,omitempty"` // of the issuer, ISO 3166 alpha-2
	Funding  string `json:"funding,omitempty"` // credit, debit, prepaid
	// Fingerprint is the provider's stable mark of the same card.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Wallet that presented it: apple_pay, google_pay.
	Wallet Method `json:"wallet,omitempty"`
}

// ThreeDS is a wish for payer authentication (3-D Secure). The zero value
// leaves it to the provider.
type ThreeDS string

// The wishes. A method that has no 3DS ignores them.
const (
	ThreeDSAutomatic ThreeDS = ""
	ThreeDSRequested ThreeDS = "requested" // authenticate if the card can
	ThreeDSChallenge ThreeDS = "challenge" // and show the payer a challenge
	ThreeDSSkip      ThreeDS = "skip"      // ask for an exemption where allowed
)

// ThreeDSResult says how the payer was authenticated.
type ThreeDSResult struct {
	// Outcome: authenticated, attempted, failed, exempted, not_supported, "".
	Outcome string `json:"outcome,omitempty"`
	Version string `json:"version,omitempty"`
	// ECI is the scheme's electronic commerce indicator.
	ECI string `json:"eci,omitempty"`
	// LiabilityShift: the issuer bears a fraud chargeback.
	LiabilityShift bool `json:"liability_shift,omitempty"`
}

// Payer holds personal values about the person who pays. All are optional,
// stored encrypted, and gone once the subject is erased.
type Payer struct {
	Name      string  `json:"name,omitempty"`
	Email     string  `json:"email,omitempty"`
	Phone     string  `json:"phone,omitempty"`
	IP        string  `json:"ip,omitempty"`
	UserAgent string  `json:"user_agent,omitempty"`
	DeviceID  string  `json:"device_id,omitempty"`
	Country   string  `json:"country,omitempty"`  // ISO 3166 alpha-2
	Language  string  `json:"language,omitempty"` // BCP 47
	Billing   Address `json:"billing,omitzero"`
	Shipping  Address `json:"shipping,omitzero"`
}

// Address is a postal address.
type Address struct {
	Name       string `json:"name,omitempty"`
	Line1      string `json:"line1,omitempty"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city,omitempty"`
	State      string `json:"state,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country,omitempty"` // ISO 3166 alpha-2
}

// String prints nothing of the person.
func (Payer) String() string { return "payer(redacted)" }

// GoString prints nothing of the person.
func (Payer) GoString() string { return "payer(redacted)" }

// String prints nothing of the address.
func (Address) String() string { return "address(redacted)" }

// GoString prints nothing of the address.
func (Address) GoString() string { return "address(redacted)" }

// LogValue shows a log nothing of the person: slog's JSON handler would
// marshal the fields.
func (p Payer) LogValue() slog.Value { return slog.StringValue(p.String()) }

// LogValue shows a log nothing of the address.
func (a Address) LogValue() slog.Value { return slog.StringValue(a.String()) }
