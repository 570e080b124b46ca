package stripe

import (
	"net/url"
	"strconv"
	"strings"
)

// Limits of the form parser; requests beyond them are answered 400. A real
// request of the SDK stays far below.
const (
	maxFormBytes = 1 << 20
	maxFormPairs = 2000
	maxFormDepth = 12
)

// form is one node of a decoded a[b][0]=c body: a value, children, or (in a
// malformed request) both. Reading a leaf marks it, so that what nobody read
// can be refused as an unknown parameter, as Stripe does.
type form struct {
	val  string
	has  bool
	read bool
	name string // full name, as in error messages
	keys []string
	kids map[string]*form
}

// parseForm decodes an application/x-www-form-urlencoded text with nested names.
func parseForm(body string) (*form, *apiError) {
	root := &form{}
	if len(body) > maxFormBytes {
		return nil, invalid("", "", "The request body is larger than "+strconv.Itoa(maxFormBytes)+" bytes.")
	}
	for pairs := 0; body != ""; {
		var pair string
		pair, body, _ = strings.Cut(body, "&")
		if pair == "" {
			continue
		}
		if pairs++; pairs > maxFormPairs {
			return nil, invalid("", "", "The request has too many parameters.")
		}
		rawKey, rawVal, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(rawKey)
		if err != nil {
			return nil, invalid("", "", "Invalid URL-encoding in a parameter name.")
		}
		val, err := url.QueryUnescape(rawVal)
		if err != nil {
			return nil, invalid("", key, "Invalid URL-encoding in the value of "+key+".")
		}
		if apiErr := root.put(key, val); apiErr != nil {
			return nil, apiErr
		}
	}
	return root, nil
}

func (f *form) put(key, val string) *apiError {
	name, rest, nested := strings.Cut(key, "[")
	if name == "" {
		return invalid("", "", "Invalid parameter name: "+key)
	}
	at := f.child(name)
	for depth := 0; nested; depth++ {
		var part string
		var ok bool
		part, rest, ok = strings.Cut(rest, "]")
		if !ok || depth >= maxFormDepth || (rest != "" && rest[0] != '[') {
			return invalid("", key, "Invalid parameter name: "+key)
		}
		if part == "" { // a[]=x appends
			part = strconv.Itoa(len(at.keys))
		}
		at = at.child(part)
		nested = rest != ""
		if nested {
			rest = rest[1:]
		}
	}
	at.val, at.has = val, true
	return nil
}

func (f *form) child(name string) *form {
	if k := f.kids[name]; k != nil {
		return k
	}
	k := &form{name: name}
	if f.name != "" {
		k.name = f.name + "[" + name + "]"
	}
	if f.kids == nil {
		f.kids = map[string]*form{}
	}
	f.kids[name] = k
	f.keys = append(f.keys, name)
	return k
}

// unread returns the first leaf nobody read, in the order sent.
func (f *form) unread() *form {
	if f.has && !f.read {
		return f
	}
	for _, k := range f.keys {
		if u := f.kids[k].unread(); u != nil {
			return u
		}
	}
	return nil
}

// readAll marks the node and everything below as read.
func (f *form) readAll() {
	f.read = true
	for _, k := range f.kids {
		k.readAll()
	}
}

// list returns the children in the order of their numeric names, or as sent.
func (f *form) list() []*form {
	out := make([]*form, 0, len(f.keys))
	for i := range f.keys {
		if k := f.kids[strconv.Itoa(i)]; k != nil {
			out = append(out, k)
		}
	}
	if len(out) != len(f.keys) {
		out = out[:0]
		for _, k := range f.keys {
			out = append(out, f.kids[k])
		}
	}
	return out
}
