package stripe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// params reads one request's parameters. The first problem sticks, and reading
// goes on; done reports the first parameter that nobody asked for, or else the
// problem.
type params struct {
	f    *form
	root *paramsState
}

type paramsState struct {
	err *apiError
}

func newParams(f *form) params { return params{f: f, root: &paramsState{}} }

func (p params) fail(err *apiError) {
	if p.root.err == nil {
		p.root.err = err
	}
}

// done ends the validation phase. A parameter that does not exist is named
// first: it is the likelier cause of whatever else is wrong.
func (p params) done() *apiError {
	if u := p.f.unread(); u != nil {
		return invalid("parameter_unknown", u.name, "Received unknown parameter: "+u.name)
	}
	return p.root.err
}

func (p params) get(name string) *form {
	if p.f == nil {
		return nil
	}
	return p.f.kids[name]
}

// has tells whether the parameter or anything below it was sent.
func (p params) has(name string) bool { return p.get(name) != nil }

// sub returns a reader for a nested object; reading from an absent one finds nothing.
func (p params) sub(name string) params {
	k := p.get(name)
	if k != nil && k.has {
		k.read = true
		if k.val != "" {
			p.fail(invalid("", k.name, "Invalid object"))
		}
	}
	return params{f: k, root: p.root}
}

// str returns a string and whether it was sent. A sent empty string means "unset".
func (p params) str(name string) (string, bool) {
	k := p.get(name)
	if k == nil {
		return "", false
	}
	k.read = true
	if len(k.kids) > 0 {
		p.fail(invalid("", k.name, "Invalid string: {...}"))
		k.readAll()
		return "", false
	}
	if !utf8.ValidString(k.val) || strings.ContainsRune(k.val, 0) {
		p.fail(invalid("", k.name, "Invalid string: not valid UTF-8"))
		return "", false
	}
	return k.val, true
}

// text is str without the flag, bounded by max bytes when max > 0.
func (p params) text(name string, max int) string {
	s, _ := p.str(name)
	if max > 0 && len(s) > max {
		p.fail(invalid("", p.f.kids[name].name, fmt.Sprintf("Invalid string: %s...; must be at most %d characters", s[:8], max)))
	}
	return s
}

// set stores a sent string into dst.
func (p params) set(dst *string, name string, max int) {
	if p.has(name) {
		*dst = p.text(name, max)
	}
}

// need is text that must be sent and not be empty.
func (p params) need(name string) string {
	s, ok := p.str(name)
	if !ok {
		p.missing(name)
	} else if s == "" {
		p.empty(name)
	}
	return s
}

func (p params) missing(name string) {
	full := name
	if p.f != nil && p.f.name != "" {
		full = p.f.name + "[" + name + "]"
	}
	p.fail(invalid("parameter_missing", full, "Missing required param: "+full+"."))
}

func (p params) empty(name string) {
	full := p.f.kids[name].name
	p.fail(invalid("parameter_invalid_empty", full, "You passed an empty string for '"+full+"'. We assume empty values are an attempt to unset a parameter; however '"+full+"' cannot be unset. You should remove '"+full+"' from your request or supply a non-empty value."))
}

// int returns an integer and whether it was sent non-empty.
func (p params) int(name string) (int64, bool) {
	s, ok := p.str(name)
	if !ok || s == "" {
		return 0, false
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		p.fail(invalid("parameter_invalid_integer", p.f.kids[name].name, "Invalid integer: "+s))
		return 0, false
	}
	return v, true
}

// bool returns a truth value and whether it was sent.
func (p params) bool(name string) (v, sent bool) {
	s, ok := p.str(name)
	switch {
	case !ok || s == "":
		return false, false
	case s == "true":
		return true, true
	case s == "false":
		return false, true
	}
	p.fail(invalid("", p.f.kids[name].name, "Invalid boolean: "+s))
	return false, false
}

func (p params) is(name string) bool { v, _ := p.bool(name); return v }

// enum returns one of the allowed words, or "" when not sent.
func (p params) enum(name string, allowed ...string) string {
	s, ok := p.str(name)
	if !ok || s == "" {
		return ""
	}
	if !slices.Contains(allowed, s) {
		p.fail(invalid("", p.f.kids[name].name, "Invalid "+name+": must be one of "+strings.Join(allowed, ", ")))
		return ""
	}
	return s
}

// strs returns a list of strings and whether it was sent.
func (p params) strs(name string) ([]string, bool) {
	k := p.get(name)
	if k == nil {
		return nil, false
	}
	k.read = true
	if k.has {
		if k.val != "" {
			p.fail(invalid("", k.name, "Invalid array"))
		}
		return nil, true
	}
	var out []string
	for _, item := range k.list() {
		item.read = true
		if len(item.kids) > 0 {
			p.fail(invalid("", item.name, "Invalid string"))
			continue
		}
		out = append(out, item.val)
	}
	return out, true
}

// ignore accepts documented parameters that the sandbox has no use for.
func (p params) ignore(names ...string) {
	for _, n := range names {
		if k := p.get(n); k != nil {
			k.readAll()
		}
	}
}

// Limits of metadata: https://docs.stripe.com/api/metadata
const (
	maxMetadataKeys  = 50
	maxMetadataKey   = 40
	maxMetadataValue = 500
)

// metadata merges the sent metadata into a copy of old: an empty value removes
// its key, an empty "metadata" removes all.
func (p params) metadata(old map[string]string) map[string]string {
	k := p.get("metadata")
	if k == nil {
		return old
	}
	k.read = true
	if k.has {
		if k.val != "" {
			p.fail(invalid("", "metadata", "Invalid hash"))
		}
		return nil
	}
	out := make(map[string]string, len(old)+len(k.keys))
	for key, v := range old {
		out[key] = v
	}
	for _, key := range k.keys {
		item := k.kids[key]
		item.read = true
		switch {
		case len(item.kids) > 0:
			p.fail(invalid("", item.name, "Invalid string: {...}"))
			item.readAll()
		case utf8.RuneCountInString(key) > maxMetadataKey:
			p.fail(invalid("", item.name, fmt.Sprintf("Metadata keys can have up to %d characters, but you passed in a key that is %d characters. Invalid key: %s", maxMetadataKey, utf8.RuneCountInString(key), key)))
		case utf8.RuneCountInString(item.val) > maxMetadataValue:
			p.fail(invalid("", item.name, fmt.Sprintf("Metadata values can have up to %d characters, but you passed in a value that is %d characters.", maxMetadataValue, utf8.RuneCountInString(item.val))))
		case item.val == "":
			delete(out, key)
		default:
			out[key] = item.val
		}
	}
	if len(out) > maxMetadataKeys {
		p.fail(invalid("", "metadata", fmt.Sprintf("You can only have up to %d keys in metadata; this would make %d.", maxMetadataKeys, len(out))))
	}
	return out
}
