package stripe

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tender-go/payment/sandbox/internal/core"
)

const maxUpload = 16 << 20 // the largest file purpose Stripe documents is smaller

// call is one request while an endpoint works on it.
type call struct {
	*Stripe
	a      *account
	p      params
	ids    [2]string // the ids in the path
	x      expand
	w      *core.JSON
	method string
	path   string
	reqID  string
	key    string
	at     int64 // now, in Unix seconds
	upload *upload
	raw    []byte // an answer that is not JSON
}

type handler func(*call) *apiError

type route struct {
	h    handler
	root string // type of the answer, for expand[]
}

// reply is a finished answer; it is what the idempotency store keeps.
type reply struct {
	status      int
	body        []byte
	shouldRetry string
	unsaved     bool
	requestID   string // of the request that made it
	contentType string // empty: JSON
}

// idemEntry is one remembered idempotency key.
type idemEntry struct {
	key    string
	hash   [32]byte
	at     int64
	busy   bool
	answer reply
}

// idemLife is how long a key is remembered. Stripe removes keys once they are
// at least 24 hours old: https://docs.stripe.com/api/idempotent_requests
const idemLife = 24 * 60 * 60

func (s *Stripe) serveAPI(w http.ResponseWriter, r *http.Request) {
	s.Timers.RunDue()
	line := core.Request{Time: s.Clock.Now(), Provider: "stripe", Method: r.Method, Path: r.URL.Path,
		ID: "req_" + s.IDs.Text("stripe requests", 14), IdempotencyKey: r.Header.Get("Idempotency-Key"), Account: r.Header.Get("Stripe-Account")}
	defer func() {
		s.Requests.Add(line)
		s.Log.Debug("request", "id", line.ID, "method", line.Method, "path", line.Path, "status", line.Status, "replayed", line.Replayed, "fault", line.Fault)
	}()

	fault, faulty := s.Faults.Take("stripe", r.Method, r.URL.Path, func(k core.Kind) bool { return k != core.Decline })
	if faulty {
		line.Fault = fault.Kind
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUpload))
	if err != nil {
		line.Status = http.StatusRequestEntityTooLarge
		s.sendError(w, &line, &apiError{status: line.Status, typ: "invalid_request_error", message: "The request body could not be read: it is too large or broke off."})
		return
	}
	if faulty && !fault.After {
		if !s.misbehave(w, r, &line, fault) {
			return
		}
	}
	if apiErr := s.authenticate(r); apiErr != nil {
		s.sendError(w, &line, apiErr)
		return
	}
	hold := time.Duration(0)
	if faulty && fault.Kind == core.Delay && !fault.After {
		hold = fault.Delay
	}
	answer := s.answer(r, body, &line, faulty && fault.After && fault.Kind == core.Error500, hold)
	if faulty && fault.After {
		if !s.misbehave(w, r, &line, fault) {
			return
		}
	}
	line.Status = answer.status
	s.send(w, &line, answer)
}

// answer produces the reply: from the idempotency store, or by running the endpoint.
func (s *Stripe) answer(r *http.Request, body []byte, line *core.Request, crash bool, hold time.Duration) reply {
	a, apiErr := s.accountOf(r)
	if apiErr != nil {
		return s.errorReply(nil, line.ID, apiErr)
	}
	key := line.IdempotencyKey
	if r.Method != http.MethodPost {
		key = "" // GET and DELETE are idempotent by definition
	}
	if len(key) > 255 {
		return s.errorReply(a, line.ID, &apiError{status: 400, typ: "idempotency_error", message: "Idempotency keys must be at most 255 characters.", unsaved: true})
	}
	rt, ids, known := s.route(r.Method, r.URL.Path)
	if !known {
		return s.errorReply(a, line.ID, &apiError{status: 404, typ: "invalid_request_error", unsaved: true,
			message: fmt.Sprintf("Unrecognized request URL (%s: %s). The sandbox does not know this endpoint, or it does not exist.", r.Method, r.URL.Path)})
	}
	var entry *idemEntry
	if key != "" {
		var stored *reply
		entry, stored, apiErr = s.claim(a, key, r, body)
		if apiErr != nil {
			return s.errorReply(a, line.ID, apiErr)
		}
		if stored != nil {
			line.Replayed = true
			return *stored
		}
	}
	if hold > 0 {
		s.sleep(r, hold)
	}
	c := &call{Stripe: s, a: a, ids: ids, method: r.Method, path: r.URL.Path, reqID: line.ID, key: key}
	answer := s.execute(c, rt, r, body, crash)
	line.Worked = !answer.unsaved
	if entry != nil {
		s.settle(a, entry, answer)
	}
	return answer
}

// execute decodes the parameters and runs the endpoint under the lock.
func (s *Stripe) execute(c *call, rt route, r *http.Request, body []byte, crash bool) reply {
	f, apiErr := decode(c, r, body)
	if apiErr != nil {
		return s.errorReply(c.a, c.reqID, apiErr)
	}
	c.p = newParams(f)
	c.w = s.writers.Get().(*core.JSON)
	c.w.Reset()
	defer s.writers.Put(c.w)

	s.mu.Lock()
	defer s.mu.Unlock()
	c.at = s.now()
	var xErr *apiError
	if c.x, xErr = parseExpand(c.p, rt.root); xErr != nil {
		return s.errorReplyLocked(c.a, c.reqID, xErr)
	}
	if apiErr := rt.h(c); apiErr != nil {
		return s.errorReplyLocked(c.a, c.reqID, apiErr)
	}
	if crash { // the work is done, the answer is lost inside Stripe: documented to be kept under the key
		return s.errorReplyLocked(c.a, c.reqID, internalError())
	}
	if c.raw != nil {
		return reply{status: http.StatusOK, body: c.raw, requestID: c.reqID, contentType: "application/octet-stream"}
	}
	return reply{status: http.StatusOK, body: append([]byte(nil), c.w.Bytes()...), requestID: c.reqID}
}

func decode(c *call, r *http.Request, body []byte) (*form, *apiError) {
	if r.Method == http.MethodGet || r.Method == http.MethodDelete {
		query := r.URL.RawQuery
		if len(body) > 0 { // the SDKs send a GET's parameters in the query; Stripe takes a body as well
			query += "&" + string(body)
		}
		return parseForm(query)
	}
	contentType := r.Header.Get("Content-Type")
	if strings.HasPrefix(contentType, "multipart/form-data") {
		up, f, apiErr := parseMultipart(contentType, body)
		c.upload = up
		return f, apiErr
	}
	if len(body) > 0 && !strings.HasPrefix(contentType, "application/x-www-form-urlencoded") {
		return nil, invalid("", "", "Invalid request: the Content-Type must be application/x-www-form-urlencoded.")
	}
	query := string(body)
	if r.URL.RawQuery != "" {
		query += "&" + r.URL.RawQuery
	}
	return parseForm(query)
}

// authenticate checks the secret key, sent as a bearer token or as the basic-auth user.
func (s *Stripe) authenticate(r *http.Request) *apiError {
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		got, _, ok = r.BasicAuth()
	}
	e := &apiError{status: http.StatusUnauthorized, typ: "invalid_request_error", unsaved: true}
	switch {
	case !ok || got == "":
		e.message = "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
	case subtle.ConstantTimeCompare([]byte(got), []byte(s.SecretKey)) != 1:
		e.message = "Invalid API Key provided: " + maskKey(got)
	default:
		return nil
	}
	return e
}

// maskKey shows a key the way Stripe's error does: its kind and last characters only.
func maskKey(k string) string {
	if len(k) < 12 {
		return strings.Repeat("*", len(k))
	}
	return k[:8] + strings.Repeat("*", 8) + k[len(k)-4:]
}

func (s *Stripe) accountOf(r *http.Request) (*account, *apiError) {
	id := r.Header.Get("Stripe-Account")
	if id != "" && !strings.HasPrefix(id, "acct_") {
		return nil, &apiError{status: http.StatusForbidden, typ: "invalid_request_error", code: "account_invalid", unsaved: true,
			message: "The provided key '" + maskKey(s.SecretKey) + "' does not have access to account '" + id + "' (or that account does not exist). Application access may have been revoked."}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account(id), nil
}

// claim takes key for this request, or returns the stored answer.
func (s *Stripe) claim(a *account, key string, r *http.Request, body []byte) (*idemEntry, *reply, *apiError) {
	h := sha256.New()
	_, _ = io.WriteString(h, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery+"\n")
	_, _ = io.WriteString(h, canonical(r.Header.Get("Content-Type"), body))
	var sum [32]byte
	h.Sum(sum[:0])

	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for len(a.idemAge) > 0 && !a.idemAge[0].busy && now-a.idemAge[0].at >= idemLife {
		if a.idem[a.idemAge[0].key] == a.idemAge[0] {
			delete(a.idem, a.idemAge[0].key)
		}
		a.idemAge = a.idemAge[1:]
	}
	e := a.idem[key]
	switch {
	case e == nil:
		e = &idemEntry{key: key, hash: sum, at: now, busy: true}
		a.idem[key] = e
		a.idemAge = append(a.idemAge, e)
		return e, nil, nil
	case e.hash != sum:
		return nil, nil, &apiError{status: http.StatusBadRequest, typ: "idempotency_error", unsaved: true,
			message: "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '" + key + "' if you meant to execute a different request."}
	case e.busy:
		return nil, nil, &apiError{status: http.StatusConflict, typ: "idempotency_error", code: "idempotency_key_in_use", unsaved: true,
			message: "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): " + key}
	}
	return nil, &e.answer, nil
}

// canonical makes equal what differs only in the order of parameters or in a
// multipart boundary: the comparison is of parameters, not of bytes.
func canonical(contentType string, body []byte) string {
	if _, attrs, err := mime.ParseMediaType(contentType); err == nil && attrs["boundary"] != "" {
		return strings.ReplaceAll(string(body), attrs["boundary"], "")
	}
	pairs := strings.Split(string(body), "&")
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// settle stores the answer, or forgets the key when no work began.
func (s *Stripe) settle(a *account, e *idemEntry, answer reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.busy = false
	if answer.unsaved {
		if a.idem[e.key] == e {
			delete(a.idem, e.key)
		}
		return
	}
	e.answer = answer
}

func internalError() *apiError {
	return &apiError{status: http.StatusInternalServerError, typ: "api_error", message: "An unknown error occurred. If you have any questions, we can help at https://support.stripe.com."}
}

func (s *Stripe) errorReply(a *account, reqID string, e *apiError) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.errorReplyLocked(a, reqID, e)
}

func (s *Stripe) errorReplyLocked(a *account, reqID string, e *apiError) reply {
	var w core.JSON
	e.render(s, a, &w, reqID)
	return reply{status: e.status, body: w.Bytes(), shouldRetry: e.shouldRetry, unsaved: e.unsaved, requestID: reqID}
}

func (s *Stripe) sendError(w http.ResponseWriter, line *core.Request, e *apiError) {
	answer := s.errorReply(s.platform, line.ID, e)
	line.Status = answer.status
	s.send(w, line, answer)
}

func (s *Stripe) send(w http.ResponseWriter, line *core.Request, answer reply) {
	h := w.Header()
	h["Content-Type"] = jsonType
	if answer.contentType != "" {
		h.Set("Content-Type", answer.contentType)
	}
	h.Set("Request-Id", line.ID)
	h.Set("Stripe-Version", APIVersion)
	if line.Account != "" {
		h.Set("Stripe-Account", line.Account)
	}
	if line.IdempotencyKey != "" {
		h.Set("Idempotency-Key", line.IdempotencyKey)
		h.Set("Original-Request", answer.requestID)
	}
	if line.Replayed {
		h.Set("Idempotent-Replayed", "true")
	}
	if answer.shouldRetry != "" {
		h.Set("Stripe-Should-Retry", answer.shouldRetry)
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body)
}

var jsonType = []string{"application/json"}
