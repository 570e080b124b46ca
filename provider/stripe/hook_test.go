package stripe_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/tender-go/payment"
)

// hookServer keeps the webhooks that arrive.
type hookServer struct {
	url string
	mu  sync.Mutex
	got []payment.Webhook
}

func (h *hookServer) start(t *testing.T) {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	h.url = srv.URL
}

func (h *hookServer) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, payment.Webhook{Header: r.Header.Clone(), Body: body, Now: time.Now()})
}

func (h *hookServer) take() []payment.Webhook {
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.got
	h.got = nil
	return got
}

func typeOf(body []byte) string {
	var e struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(body, &e)
	return e.Type
}
