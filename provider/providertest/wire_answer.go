package providertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
)

// elsewhere is the host that a redirect names. The domain never resolves; the
// Transport of a [Wire] leads it back to the stand-in, so that what follows a
// redirect succeeds there, and is seen.
const elsewhere = "elsewhere.invalid"

// sendAway redirects a request to another host.
func (w *Wire) sendAway(rw http.ResponseWriter, r *http.Request) {
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		w.mu.Lock()
		w.home = addr.String()
		w.mu.Unlock()
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	rw.Header().Set("Location", scheme+"://"+elsewhere+r.URL.RequestURI())
	rw.WriteHeader(http.StatusTemporaryRedirect)
}

// alter lets the stand-in work and changes its answer. One that cannot be
// changed is passed on whole: the adapter then approves, which the rule reports.
func (w *Wire) alter(rw http.ResponseWriter, r *http.Request, edit func([]byte) ([]byte, error)) {
	rec := httptest.NewRecorder()
	w.Next.ServeHTTP(rec, r)
	answer := rec.Body.Bytes()
	if edited, err := edit(bytes.Clone(answer)); err == nil {
		answer = edited
	}
	for name, values := range rec.Header() {
		rw.Header()[name] = values
	}
	rw.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	rw.WriteHeader(rec.Code)
	_, _ = rw.Write(answer)
}

// EditJSON makes a function for [Wire].Alter of one that changes a decoded JSON
// object. Numbers are [json.Number]. What is no object, and what edit leaves as
// it was, is an error.
func EditJSON(edit func(answer map[string]any)) func([]byte) ([]byte, error) {
	return func(answer []byte) ([]byte, error) {
		read := func(from []byte) (map[string]any, error) {
			var m map[string]any
			d := json.NewDecoder(bytes.NewReader(from))
			d.UseNumber()
			if err := d.Decode(&m); err != nil || m == nil {
				return nil, fmt.Errorf("providertest: the answer is no JSON object: %w", orNil(err))
			}
			return m, nil
		}
		m, err := read(answer)
		if err != nil {
			return nil, err
		}
		before, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		edit(m)
		after, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(before, after) {
			return nil, errors.New("providertest: the edit left the answer as it was")
		}
		return after, nil
	}
}
