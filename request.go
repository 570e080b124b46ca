package payment

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tender-go/payment/money"
)

// Request asks for a payment.
type Request struct {
	// Key is the caller's idempotency key: the same for every retry of the
	// same wish, another for another wish. Required; 1 to 128 characters of
	// [A-Za-z0-9._:-].
	Key string
	// Reference is the shop's own name for the order. Required; as Key.
	Reference string
	// Additional: the order is to be paid once more although another payment
	// for the reference is live.
	Additional bool
	// Amount to collect; positive. Required.
	Amount money.Amount
	// Method the payer chose. Required for Pay; Create may leave it to Proceed.
	Method Instrument
	// Capture says when authorized money is taken. Zero: at once.
	Capture CaptureMode
	// Customer is the shop's opaque id of a known payer, "" for a guest; as
	// Key. Not an e-mail address: it is stored in clear.
	Customer string
	// Payer holds personal values; stored encrypted.
	Payer Payer
	// Description for the payer, at most 1000 bytes; Descriptor for the
	// statement, at most 22; Metadata at most 50 entries of 40 and 500 bytes.
	Description string
	Descriptor  string
	Metadata    map[string]string
	// ReturnURL is where the payer comes back to. Required for methods that
	// leave the shop's page.
	ReturnURL string
	ThreeDS   ThreeDS
	// Save the method for later one-click payments; needs Customer.
	Save bool
	// OffSession: the payer is not there. Unattended: the worker may send the
	// payment if the process that created it died first.
	OffSession, Unattended bool
	Splits                 []Split
}

// LogValue is what a log shows of a request: nothing of the payer.
func (r Request) LogValue() slog.Value {
	return slog.GroupValue(slog.String("key", r.Key), slog.String("reference", r.Reference),
		slog.String("amount", r.Amount.String()), slog.String("method", string(r.Method.Method)))
}

const (
	maxKey         = 128
	maxDescription = 1000
	maxDescriptor  = 22
	maxMetadata    = 50
	maxMetaKey     = 40
	maxMetaValue   = 500
	maxURL         = 2048
	maxToken       = 8192
	maxPersonal    = 500
	maxSplits      = 100
)

// problems collects what is wrong with an input.
type problems []error

func (p *problems) add(field, problem, remedy string) {
	*p = append(*p, &FieldError{Field: field, Problem: problem, Remedy: remedy})
}

func (p problems) err() error { return errors.Join(p...) }

// id checks an id, key or reference of the shop's.
func (p *problems) id(field, v string, required bool) {
	switch {
	case v == "" && required:
		p.add(field, "is empty", "give 1 to 128 characters of [A-Za-z0-9._:-]")
	case len(v) > maxKey:
		p.add(field, fmt.Sprintf("is %d bytes long", len(v)), "give at most 128")
	default:
		for _, r := range v {
			if !isIDRune(r) {
				p.add(field, "has the character "+fmt.Sprintf("%+q", r), "use only [A-Za-z0-9._:-]; it is stored in clear and goes into URLs")
				return
			}
		}
		p.noCard(field, v)
	}
}

func isIDRune(r rune) bool {
	return (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9') || strings.ContainsRune("._:-", r)
}

// text checks free text: valid UTF-8, bounded, no control characters.
func (p *problems) text(field, v string, limit int) {
	switch {
	case len(v) > limit:
		p.add(field, fmt.Sprintf("is %d bytes long", len(v)), fmt.Sprintf("give at most %d", limit))
	case !utf8.ValidString(v):
		p.add(field, "is not valid UTF-8", "encode it as UTF-8")
	case strings.IndexFunc(v, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' || reorders(r) }) >= 0:
		p.add(field, "has a control character", "remove it")
	default:
		p.noCard(field, v)
	}
}

// line checks a text that has no line breaks.
func (p *problems) line(field, v string, limit int) {
	if strings.ContainsAny(v, "\n\t") {
		p.add(field, "has a line break or tab", "remove it")
		return
	}
	p.text(field, v, limit)
}

// reorders reports whether a character changes the direction of those around it
// (the explicit formatting characters of Unicode Standard Annex 9): a text with
// one can read as another than it is.
func reorders(r rune) bool {
	return (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069)
}

func (p *problems) noCard(field, v string) {
	if looksLikeCard(v) {
		p.add(field, "looks like a card number", "never send card numbers through the shop: let the provider's client library make a token of it")
	}
}

func (p *problems) amount(field string, a money.Amount) {
	if err := a.Check(); err != nil {
		p.add(field, "is not valid ("+strings.TrimPrefix(err.Error(), "money: ")+")", "give an amount in a payable ISO 4217 currency")
		return
	}
	if !a.IsPositive() {
		p.add(field, "is "+a.String(), "give an amount above zero")
	}
}

// secure reports whether a URL may carry a payer: https, or http on loopback.
func (p *problems) returnURL(v string) {
	const field = "ReturnURL"
	if v == "" {
		return
	}
	if len(v) > maxURL {
		p.add(field, fmt.Sprintf("is %d bytes long", len(v)), fmt.Sprintf("give at most %d", maxURL))
		return
	}
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || strings.ContainsFunc(v, unicode.IsControl):
		p.add(field, "is not an absolute URL", "give one such as https://shop.example/return")
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback(u.Hostname()):
	case u.Scheme != "http" && u.Scheme != "javascript" && u.Scheme != "data" && u.Scheme != "file" && u.Scheme != "vbscript":
		// An app's own scheme (myshop://return) is how a payer comes back to it.
	default:
		p.add(field, "has the scheme "+quote(u.Scheme), "use https (http only on loopback)")
	}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func (p *problems) instrument(field string, i Instrument, required bool) {
	if i.Saved != "" {
		p.id(field+".Saved", i.Saved, true)
		if !i.Token.IsZero() {
			p.add(field, "has both Saved and Token", "give one of them")
		}
	} else if i.Method == "" {
		if required {
			p.add(field, "is empty", "say how the payer pays, e.g. payment.Card(token) or payment.Saved(id)")
		}
	} else if err := i.Method.Check(); err != nil {
		p.add(field+".Method", quote(string(i.Method))+" is not valid", "use a constant such as payment.MethodCard")
	}
	if i.forgotten && i.Token.IsZero() {
		p.add(field+".Token", "is empty", "give the token that the provider's client library made; for a page of the provider's use payment.Using("+string(i.Method)+")")
	}
	token := i.Token.Reveal()
	if len(token) > maxToken || !utf8.ValidString(token) || strings.ContainsFunc(token, unicode.IsControl) {
		p.add(field+".Token", "is too long or has control characters", "pass the provider's token unchanged")
	}
	p.noCard(field+".Token", token)
	if len(i.Fields) > maxMetadata {
		p.add(field+".Fields", "has too many entries", fmt.Sprintf("give at most %d", maxMetadata))
	}
	for _, k := range sortedKeys(i.Fields) {
		p.text(field+".Fields["+quote(k)+"]", k, maxMetaKey)
		p.text(field+".Fields["+quote(k)+"]", i.Fields[k], maxMetaValue)
	}
}

// looksLikeCard finds a card number in a text: a run of digits, with single
// spaces or dashes between, of a length and with a beginning that card networks
// issue, that passes the Luhn check (ISO/IEC 7812-1).
func looksLikeCard(s string) bool {
	var digits []byte
	word := false // the digits are part of a word (a token), or of a phone number
	for i := 0; i <= len(s); i++ {
		if i < len(s) {
			if c := s[i]; c >= '0' && c <= '9' {
				if len(digits) == 0 && i > 0 {
					word = s[i-1] == '_' || s[i-1] == '+' || s[i-1]|0x20 >= 'a' && s[i-1]|0x20 <= 'z'
				}
				digits = append(digits, c-'0')
				continue
			} else if (c == ' ' || c == '-') && len(digits) > 0 && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' {
				continue
			}
		}
		if !word && issued(digits) && luhn(digits) {
			return true
		}
		digits, word = digits[:0], false
	}
	return false
}

// issued reports whether a number has the length and the first digits of a card:
// Visa 4; Mastercard 51-55, 2221-2720; Amex 34, 37; JCB 3528-3589; Diners 300-305,
// 36, 38, 39; Maestro 50, 56-58, 63, 67; Discover 6011, 644-649, 65; UnionPay 62, 81. Source: the networks'
// published issuer ranges. A clock's milliseconds, which begin with 1, is none.
func issued(d []byte) bool {
	if len(d) < 13 || len(d) > 19 {
		return false
	}
	four := int(d[0])*1000 + int(d[1])*100 + int(d[2])*10 + int(d[3])
	two, three, n := four/100, four/10, len(d)
	switch {
	case d[0] == 4:
		return n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720:
		return n == 16
	case two == 34, two == 37:
		return n == 15
	case four >= 3528 && four <= 3589:
		return n >= 16
	case two == 50, two >= 56 && two <= 58, two == 63, two == 67:
		return true // Maestro
	case three >= 300 && three <= 305, two == 36, two == 38, two == 39:
		return n >= 14
	case four == 6011, three >= 644 && three <= 649, two == 65, two == 62, two == 81:
		return n >= 16
	}
	return false
}

func luhn(digits []byte) bool {
	total := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i])
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		total += d
	}
	return total%10 == 0
}

func (p *problems) metadata(m map[string]string) {
	if len(m) > maxMetadata {
		p.add("Metadata", fmt.Sprintf("has %d entries", len(m)), fmt.Sprintf("give at most %d", maxMetadata))
		return
	}
	for _, k := range sortedKeys(m) {
		field := "Metadata[" + quote(k) + "]"
		if k == "" {
			p.add("Metadata", "has an empty key", "name every entry")
		}
		p.line(field, k, maxMetaKey)
		p.text(field, m[k], maxMetaValue)
	}
}

func (p *problems) payer(v Payer) {
	for _, f := range []struct{ name, value string }{
		{"Name", v.Name}, {"Email", v.Email}, {"Phone", v.Phone}, {"UserAgent", v.UserAgent},
		{"DeviceID", v.DeviceID}, {"Language", v.Language},
		{"Billing.Name", v.Billing.Name}, {"Billing.Line1", v.Billing.Line1}, {"Billing.Line2", v.Billing.Line2},
		{"Billing.City", v.Billing.City}, {"Billing.State", v.Billing.State}, {"Billing.PostalCode", v.Billing.PostalCode},
		{"Shipping.Name", v.Shipping.Name}, {"Shipping.Line1", v.Shipping.Line1}, {"Shipping.Line2", v.Shipping.Line2},
		{"Shipping.City", v.Shipping.City}, {"Shipping.State", v.Shipping.State}, {"Shipping.PostalCode", v.Shipping.PostalCode},
	} {
		p.line("Payer."+f.name, f.value, maxPersonal)
	}
	if v.IP != "" {
		if _, err := netip.ParseAddr(v.IP); err != nil {
			p.add("Payer.IP", "is not an IP address", "give the address alone, without a port, or leave it empty")
		}
	}
	if v.Email != "" && (!strings.Contains(v.Email, "@") || strings.ContainsAny(v.Email, " \t\n")) {
		p.add("Payer.Email", "is not an e-mail address", "correct it or leave it empty")
	}
	for _, f := range []struct{ name, value string }{
		{"Country", v.Country}, {"Billing.Country", v.Billing.Country}, {"Shipping.Country", v.Shipping.Country},
	} {
		if f.value != "" && !isCountry(f.value) {
			p.add("Payer."+f.name, quote(f.value)+" is no country code", "use two capital letters (ISO 3166-1 alpha-2)")
		}
	}
}

func isCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

func (p *problems) splits(splits []Split, total money.Amount) {
	if len(splits) == 0 {
		return
	}
	if len(splits) > maxSplits {
		p.add("Splits", fmt.Sprintf("has %d parts", len(splits)), fmt.Sprintf("give at most %d", maxSplits))
		return
	}
	s := money.Zero(total.Currency())
	for i, part := range splits {
		field := fmt.Sprintf("Splits[%d]", i)
		if part.Account != "" {
			p.id(field+".Account", part.Account, true)
		}
		p.id(field+".Merchant", part.Merchant, false)
		if part.Amount.Currency() != total.Currency() {
			p.add(field+".Amount", "is in "+quote(string(part.Amount.Currency())), "use the payment's currency, "+string(total.Currency()))
			return
		}
		if !part.Amount.IsPositive() {
			p.add(field+".Amount", "is "+part.Amount.String(), "give an amount above zero")
			return
		}
		if c := part.Commission; !c.IsZero() && (c.Currency() != total.Currency() || c.IsNegative() || less(part.Amount, c)) {
			p.add(field+".Commission", "is "+c.String(), "give zero up to the part's amount")
		}
		var err error
		if s, err = s.Add(part.Amount); err != nil {
			p.add("Splits", "add up to more than an amount can hold", "check the amounts")
			return
		}
	}
	if s != total {
		p.add("Splits", "add up to "+s.String(), "they must add up to the amount, "+total.String())
	}
}

func (r *Request) check(needMethod bool) error {
	var p problems
	p.id("Key", r.Key, true)
	p.id("Reference", r.Reference, true)
	p.id("Customer", r.Customer, false)
	p.amount("Amount", r.Amount)
	p.instrument("Method", r.Method, needMethod)
	if r.Capture != CaptureAutomatic && r.Capture != CaptureManual {
		p.add("Capture", quote(string(r.Capture))+" is unknown", "use CaptureAutomatic or CaptureManual")
	}
	p.payer(r.Payer)
	p.text("Description", r.Description, maxDescription)
	p.line("Descriptor", r.Descriptor, maxDescriptor)
	if strings.ContainsAny(r.Descriptor, `<>\\'"*`) || strings.IndexFunc(r.Descriptor, func(c rune) bool { return c > unicode.MaxASCII }) >= 0 {
		p.add("Descriptor", "has a character that statements do not show", "use Latin letters, digits and spaces, without < > \\ ' \" *")
	}
	p.metadata(r.Metadata)
	p.returnURL(r.ReturnURL)
	p.threeDS(r.ThreeDS)
	if r.Save && r.Customer == "" {
		p.add("Save", "is set for a guest", "give Customer, or do not save")
	}
	if len(p) == 0 {
		p.splits(r.Splits, r.Amount)
	}
	return p.err()
}

func (p *problems) threeDS(t ThreeDS) {
	switch t {
	case ThreeDSAutomatic, ThreeDSRequested, ThreeDSChallenge, ThreeDSSkip:
	default:
		p.add("ThreeDS", quote(string(t))+" is unknown", "use one of the ThreeDS constants")
	}
}
