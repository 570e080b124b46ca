package money

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

var (
	_ json.Marshaler           = Amount{}
	_ json.Unmarshaler         = (*Amount)(nil)
	_ encoding.TextMarshaler   = Amount{}
	_ encoding.TextUnmarshaler = (*Amount)(nil)
	_ driver.Valuer            = Amount{}
	_ sql.Scanner              = (*Amount)(nil)
	_ fmt.Stringer             = Amount{}
	_ slog.LogValuer           = Amount{}
)

// MarshalJSON writes {"value":"19.99","currency":"USD"}. The value is a string
// with all decimals of the currency, since JSON numbers pass through floats in
// too many readers. An amount that Check refuses is an error; for a field that
// may be absent use *Amount. Do not use the omitzero option: see IsZero.
func (a Amount) MarshalJSON() ([]byte, error) {
	exp, err := a.encodable("encode JSON")
	if err != nil {
		return nil, err
	}
	return []byte(`{"value":"` + plain(a.minor, exp) + `","currency":"` + string(a.currency) + `"}`), nil
}

// UnmarshalJSON reads what MarshalJSON writes, in any order of the two fields
// and with any white space between them. Anything else is an error and leaves a
// as it was: a number instead of a string, a missing, repeated, unknown or
// differently spelled field, other than exactly the decimals of the currency,
// and null (decode into *Amount where null may come).
func (a *Amount) UnmarshalJSON(data []byte) error {
	const op = "decode JSON"
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return fail(ErrSyntax, op, "", "null", "an amount cannot be null; decode into *money.Amount where it may be absent")
	}
	value, code, err := jsonFields(op, data)
	if err != nil {
		return err
	}
	got, err := exact(op, value, Currency(code))
	if err != nil {
		return err
	}
	*a = got
	return nil
}

// jsonFields returns the two strings of an amount object. It walks the tokens,
// since encoding/json into a struct would accept repeated and misspelt fields.
func jsonFields(op string, data []byte) (value, code string, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	bad := func(field, reason string) error { return fail(ErrSyntax, op, field, "", "%s", reason) }
	const want = `want an object such as {"value":"19.99","currency":"USD"}`

	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return "", "", bad("", want)
	}
	seen := map[string]string{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return "", "", bad("", want)
		}
		field, _ := t.(string) // the decoder only lets strings be keys
		if field != "value" && field != "currency" {
			return "", "", fail(ErrSyntax, op, "field", field, `unknown; an amount has just "value" and "currency"`)
		}
		if _, dup := seen[field]; dup {
			return "", "", bad(field, "it stands there twice; send it once")
		}
		t, err = dec.Token()
		if err != nil {
			return "", "", bad(field, want)
		}
		s, ok := t.(string)
		if !ok {
			return "", "", bad(field, `it must be a JSON string, such as "19.99": numbers lose digits on the way`)
		}
		seen[field] = s
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return "", "", bad("", want)
	}
	if len(bytes.TrimSpace(data[dec.InputOffset():])) != 0 {
		return "", "", bad("", "there is more text after the object; send one amount")
	}
	for _, field := range [...]string{"value", "currency"} {
		if _, ok := seen[field]; !ok {
			return "", "", bad(field, "it is missing; "+want)
		}
	}
	return seen["value"], seen["currency"], nil
}

// MarshalText writes "19.99 USD", which serves XML, flags and configuration. An
// amount that Check refuses is an error. (An Amount is no key for a JSON object:
// encoding/json would write it as text and then read it with UnmarshalJSON.)
func (a Amount) MarshalText() ([]byte, error) {
	if _, err := a.encodable("encode text"); err != nil {
		return nil, err
	}
	return []byte(a.String()), nil
}

// UnmarshalText reads exactly what MarshalText writes. Anything else is an error
// and leaves a as it was.
func (a *Amount) UnmarshalText(text []byte) error {
	return a.set("decode text", string(text))
}

// Value stores an amount as one SQL string, "19.99 USD", which keeps value and
// currency together in one column. An amount that Check refuses is an error.
//
// Where the column may be NULL use *Amount or sql.Null[Amount], both for the
// argument and for the destination.
func (a Amount) Value() (driver.Value, error) {
	if _, err := a.encodable("store in SQL"); err != nil {
		return nil, err
	}
	return a.String(), nil
}

// Scan reads a string that Value wrote. A number has lost its currency and maybe
// its digits, and NULL is no amount, so both are errors; any error leaves a as
// it was.
func (a *Amount) Scan(src any) error {
	const op = "scan from SQL"
	switch v := src.(type) {
	case string:
		return a.set(op, v)
	case []byte:
		return a.set(op, string(v))
	case nil:
		return fail(ErrSyntax, op, "", "", "the column is NULL; scan into *money.Amount or sql.Null[money.Amount]")
	default:
		return fail(ErrSyntax, op, "", "",
			`the column gave a %T; store amounts as text such as "19.99 USD", or scan a number of minor units into an int64 and use money.Of`, src)
	}
}

// set decodes the canonical text form.
func (a *Amount) set(op, s string) error {
	got, err := parseAmount(op, s)
	if err != nil {
		return err
	}
	if got.String() != s {
		return notCanonical(op, s, got)
	}
	*a = got
	return nil
}

// exact parses value and refuses any spelling but the one that is written.
func exact(op, value string, c Currency) (Amount, error) {
	got, err := parse(op, value, c)
	if err != nil {
		return Amount{}, err
	}
	if exp, _ := c.Exponent(); plain(got.minor, exp) != value {
		return Amount{}, notCanonical(op, value, got)
	}
	return got, nil
}

func notCanonical(op, s string, got Amount) error {
	exp, _ := got.currency.Exponent()
	kind := ErrSyntax // leading zeros, minus zero
	value, _, _ := strings.Cut(s, " ")
	if _, fraction, _ := strings.Cut(value, "."); len(fraction) != exp {
		kind = ErrExponent
	}
	return fail(kind, op, "", s, "not as it is written here: %s has exactly %d decimals and no spare zeros; write %s", got.currency, exp, got)
}

// encodable returns the exponent of an amount that may be written.
func (a Amount) encodable(op string) (int, error) {
	if a == (Amount{}) {
		return 0, fail(ErrUnknownCurrency, op, "currency", "",
			"the amount was never set; use money.Zero for nothing, or a *money.Amount where it may be absent")
	}
	return a.currency.exponent(op)
}
