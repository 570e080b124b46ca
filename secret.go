package payment

import (
	"encoding/json"
	"log/slog"
)

// Secret holds a value that must not be printed: a token, a key. Every way of
// formatting it gives "[redacted]"; only Reveal gives the value. The zero value
// holds "". It is comparable only through Equal.
//
// The value sits in a closure: a plain string field is printed by %+v of the
// struct that holds it, whatever methods the type has.
type Secret struct{ reveal func() string }

const redacted = "[redacted]"

// NewSecret wraps v.
func NewSecret(v string) Secret {
	if v == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return v }}
}

// Reveal returns the value.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether the value is "".
func (s Secret) IsZero() bool { return s.reveal == nil }

// String returns "[redacted]", or "" for the zero value.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// GoString returns the same as String.
func (s Secret) GoString() string { return s.String() }

// LogValue redacts the value in log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON redacts the value: a Secret never leaves through JSON.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText redacts the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
