package core

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// JSON appends a JSON text field by field. Answers of a stand-in have many
// fields, most of them null, in a fixed order; appending them is several times
// cheaper than reflection and keeps the order the provider documents.
type JSON struct {
	b     []byte
	comma bool
}

// Bytes returns the text so far; it is valid until the next Reset.
func (w *JSON) Bytes() []byte { return w.b }

// Reset empties the text and keeps its memory.
func (w *JSON) Reset() { w.b, w.comma = w.b[:0], false }

func (w *JSON) sep() {
	if w.comma {
		w.b = append(w.b, ',')
	}
	w.comma = true
}

// Open begins an object as a value.
func (w *JSON) Open() { w.sep(); w.b = append(w.b, '{'); w.comma = false }

// Close ends an object.
func (w *JSON) Close() { w.b = append(w.b, '}'); w.comma = true }

// Reopen takes back the end of the object just closed, to add members to it.
func (w *JSON) Reopen() { w.b = w.b[:len(w.b)-1]; w.comma = w.b[len(w.b)-1] != '{' }

// OpenList begins a list as a value.
func (w *JSON) OpenList() { w.sep(); w.b = append(w.b, '['); w.comma = false }

// CloseList ends a list.
func (w *JSON) CloseList() { w.b = append(w.b, ']'); w.comma = true }

// Key writes a member's name; a value must follow.
func (w *JSON) Key(k string) {
	w.sep()
	w.b = append(w.b, '"')
	w.b = append(w.b, k...)
	w.b = append(w.b, '"', ':')
	w.comma = false
}

// Text writes a string value.
func (w *JSON) Text(s string) {
	w.sep()
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			w.slowText(s)
			return
		}
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

func (w *JSON) slowText(s string) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	w.b = append(w.b, bytes.TrimRight(buf.Bytes(), "\n")...)
}

// Int writes a number value.
func (w *JSON) Int(v int64) { w.sep(); w.b = strconv.AppendInt(w.b, v, 10) }

// Bool writes a truth value.
func (w *JSON) Bool(v bool) { w.sep(); w.b = strconv.AppendBool(w.b, v) }

// Null writes null.
func (w *JSON) Null() { w.sep(); w.b = append(w.b, "null"...) }

// Raw writes a value that is JSON already.
func (w *JSON) Raw(v []byte) { w.sep(); w.b = append(w.b, v...) }

// S writes a string member.
func (w *JSON) S(k, v string) { w.Key(k); w.Text(v) }

// SN writes a string member, null when empty.
func (w *JSON) SN(k, v string) {
	w.Key(k)
	if v == "" {
		w.Null()
		return
	}
	w.Text(v)
}

// I writes a number member.
func (w *JSON) I(k string, v int64) { w.Key(k); w.Int(v) }

// IN writes a number member, null when zero.
func (w *JSON) IN(k string, v int64) {
	w.Key(k)
	if v == 0 {
		w.Null()
		return
	}
	w.Int(v)
}

// IP writes a number member, null when nil.
func (w *JSON) IP(k string, v *int64) {
	w.Key(k)
	if v == nil {
		w.Null()
		return
	}
	w.Int(*v)
}

// B writes a truth member.
func (w *JSON) B(k string, v bool) { w.Key(k); w.Bool(v) }

// N writes null members.
func (w *JSON) N(keys ...string) {
	for _, k := range keys {
		w.Key(k)
		w.Null()
	}
}

// Object begins a member that is an object.
func (w *JSON) Object(k string) { w.Key(k); w.Open() }

// List begins a member that is a list.
func (w *JSON) List(k string) { w.Key(k); w.OpenList() }

// Texts writes a member that is a list of strings.
func (w *JSON) Texts(k string, vs []string) {
	w.List(k)
	for _, v := range vs {
		w.Text(v)
	}
	w.CloseList()
}

// Map writes a member that is an object of strings, keys in order.
func (w *JSON) Map(k string, m map[string]string) {
	w.Object(k)
	if len(m) > 0 {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			w.anyKey(key)
			w.Text(m[key])
		}
	}
	w.Close()
}

// anyKey writes a member's name that came from outside.
func (w *JSON) anyKey(k string) {
	w.Text(k)
	w.b = append(w.b, ':')
	w.comma = false
}
