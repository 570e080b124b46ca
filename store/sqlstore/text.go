package sqlstore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// A text column refuses what a provider may send: PostgreSQL takes no NUL and
// no broken UTF-8, and would refuse a fact about money with it. Such bytes are
// kept as the mark and two hex digits, and so is the mark itself; every other
// text is kept as it is.
const mark = '\x1a' // SUB, the control character for what cannot be shown

// escape returns s as a column keeps it.
func escape(s string) string {
	if strings.IndexByte(s, 0) < 0 && strings.IndexByte(s, mark) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == 0 || r == mark || r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, "%c%02x", mark, s[i])
		} else {
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

// unescape is the way back. A mark that escape did not write stays.
func unescape(s string) string {
	if strings.IndexByte(s, mark) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == mark && i+2 < len(s) {
			if c, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b.WriteByte(c[0])
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// maxKey is the longest claim key that is kept as it is: an index takes no
// longer ones (PostgreSQL: about 2,700 bytes), and a provider's id is foreign.
const maxKey = 512

// hashMark stands before the hash that a longer key ends with.
const hashMark = "~sha256:"

// indexed returns a claim's key as its column keeps it.
func indexed(key string) string {
	s := escape(key)
	if len(s) <= maxKey {
		return s
	}
	sum := sha256.Sum256([]byte(key))
	return strings.ToValidUTF8(s[:maxKey-len(hashMark)-hex.EncodedLen(sha256.Size)], "") + hashMark + hex.EncodeToString(sum[:])
}

// encode returns v as JSON, with odd text escaped, or nil (NULL) if it is the
// zero value or empty.
func encode(v any) (any, error) {
	if r := reflect.ValueOf(v); r.IsZero() || (r.Kind() == reflect.Map || r.Kind() == reflect.Slice) && r.Len() == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("payment: a %T cannot be kept as JSON: %w", v, err)
	}
	s := string(raw)
	// encoding/json writes \ufffd in place of broken UTF-8: what it was is lost.
	if strings.Contains(s, `\ufffd`) || strings.Contains(s, `\u001a`) {
		if raw, err = json.Marshal(mapTexts(reflect.ValueOf(v), escape).Interface()); err != nil {
			return nil, fmt.Errorf("payment: a %T cannot be kept as JSON: %w", v, err)
		}
		s = string(raw)
	}
	return s, nil
}

// decode reads what encode wrote into v, a pointer.
func decode(s string, v any) error {
	if err := json.Unmarshal([]byte(s), v); err != nil {
		return fmt.Errorf("payment: a stored %T cannot be read: %w", v, err)
	}
	if strings.Contains(s, `\u001a`) {
		r := reflect.ValueOf(v).Elem()
		r.Set(mapTexts(r, unescape))
	}
	return nil
}

// mapTexts returns a deep copy of v with f applied to every string in it.
func mapTexts(v reflect.Value, f func(string) string) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		c.SetString(f(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			c.Set(reflect.New(v.Type().Elem()))
			c.Elem().Set(mapTexts(v.Elem(), f))
		}
	case reflect.Slice:
		if v.IsNil() {
			return c
		}
		c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			c.Index(i).Set(mapTexts(v.Index(i), f))
		}
	case reflect.Map:
		if v.IsNil() {
			return c
		}
		c.Set(reflect.MakeMap(v.Type()))
		for _, k := range v.MapKeys() {
			c.SetMapIndex(mapTexts(k, f), mapTexts(v.MapIndex(k), f))
		}
	case reflect.Struct:
		c.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				c.Field(i).Set(mapTexts(v.Field(i), f))
			}
		}
	default:
		c.Set(v)
	}
	return c
}
