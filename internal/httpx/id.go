package httpx

import "fmt"

// MaxID is the length limit of CheckID. The longest ids that the providers
// document are well below it.
const MaxID = 255

// IDError reports an id that must not be put into a URL. It does not repeat
// the id, which may be anything.
type IDError struct {
	Field  string // what the id was for
	Reason string
}

func (e *IDError) Error() string {
	return fmt.Sprintf("httpx: %s: %s", Scrub(e.Field), e.Reason)
}

// CheckID reports whether an id may be pasted into a URL path, as SDKs do
// without escaping: 1 to MaxID characters out of A-Z a-z 0-9 _ - . ~ (those
// that RFC 3986 section 2.3 calls unreserved), not starting with a dot and
// without two dots in a row. An empty id would address the list of all objects;
// a slash or a question mark another resource. The error is an *IDError.
func CheckID(field, id string) error {
	switch {
	case id == "":
		return &IDError{field, "the id is empty"}
	case len(id) > MaxID:
		return &IDError{field, fmt.Sprintf("the id has %d characters, more than %d", len(id), MaxID)}
	}
	for i := 0; i < len(id); i++ {
		switch c := id[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c == '-', c == '~':
		case c == '.' && i > 0 && id[i-1] != '.':
		case c == '.':
			return &IDError{field, fmt.Sprintf("a dot at position %d would change the path", i+1)}
		default:
			return &IDError{field, fmt.Sprintf("the character at position %d is not a letter, digit, _ - . or ~", i+1)}
		}
	}
	return nil
}
