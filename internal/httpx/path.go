package httpx

import "strings"

const maxPath = 200

// safePath makes a URL path fit for logs and metric labels: segments that are
// not plain words (ids, references, anything with a digit that is no version)
// become "{id}".
func safePath(p string) string {
	if len(p) > 4*maxPath {
		p = p[:4*maxPath]
	}
	segs := strings.Split(p, "/")
	for i, s := range segs {
		if s != "" && !isPathWord(s) {
			segs[i] = "{id}"
		}
	}
	p = strings.Join(segs, "/")
	if len(p) > maxPath {
		p = p[:maxPath]
	}
	return p
}

// isPathWord reports whether a segment is part of an API's own path: a version
// (v1, v71), or letters with single separators, not all of them capitals.
func isPathWord(s string) bool {
	if len(s) > 40 {
		return false
	}
	if s[0] == 'v' && len(s) > 1 && len(s) <= 4 {
		digits := true
		for i := 1; i < len(s); i++ {
			digits = digits && '0' <= s[i] && s[i] <= '9'
		}
		if digits {
			return true
		}
	}
	lower := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z':
			lower = true
		case 'A' <= c && c <= 'Z':
		case (c == '-' || c == '_' || c == '.') && i > 0:
		default:
			return false
		}
	}
	return lower
}
