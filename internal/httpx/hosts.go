package httpx

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

type hostPattern struct {
	host   string // lower case; with port if the pattern had one
	suffix bool   // "*.domain": host holds ".domain"
	port   bool
}

func parseHostPattern(s string) (hostPattern, error) {
	p := hostPattern{host: lowerASCII(s)}
	if rest, ok := strings.CutPrefix(p.host, "*."); ok {
		p.host, p.suffix = "."+rest, true
	}
	u, err := url.Parse("https://" + strings.TrimPrefix(p.host, "."))
	if err != nil || u.Host == "" || u.Host != strings.TrimPrefix(p.host, ".") || strings.Contains(p.host, "*") {
		return hostPattern{}, fmt.Errorf("httpx: AllowHosts: %q is not host, host:port or *.domain", s)
	}
	p.port = u.Port() != ""
	return p, nil
}

func (p hostPattern) match(u *url.URL) bool {
	h := u.Hostname()
	if p.port {
		h = u.Host
	}
	h = lowerASCII(h)
	if p.suffix {
		return len(h) > len(p.host) && strings.HasSuffix(h, p.host)
	}
	return h == p.host
}

// isLoopback reports whether a URL's host name is this machine. Only literals
// and "localhost" count: a name that happens to resolve to loopback may resolve
// to something else the next time.
func isLoopback(host string) bool {
	if lowerASCII(host) == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// moved returns the URL u below base.
func moved(u, base *url.URL) *url.URL {
	n := *u
	n.Scheme, n.Host = base.Scheme, base.Host
	if prefix := strings.TrimSuffix(base.EscapedPath(), "/"); prefix != "" {
		// Both forms are kept, so that an escaped slash stays escaped.
		n.RawPath = prefix + u.EscapedPath()
		n.Path = strings.TrimSuffix(base.Path, "/") + u.Path
	}
	return &n
}

// lowerASCII is strings.ToLower for host names; it does not fold letters that
// are not ASCII into ASCII (the Kelvin sign is no k).
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
