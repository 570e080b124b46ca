package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// control serves /_sandbox/, as the package comment lists it.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, f func(*http.Request) (any, error)) {
		mux.HandleFunc("GET /_sandbox/"+path, func(w http.ResponseWriter, r *http.Request) { answer(w, r, f) })
	}
	del := func(path string, f func(*http.Request) (any, error)) {
		mux.HandleFunc("DELETE /_sandbox/"+path, func(w http.ResponseWriter, r *http.Request) { answer(w, r, f) })
	}
	post := func(path string, f func(*http.Request) (any, error)) {
		mux.HandleFunc("POST /_sandbox/"+path, func(w http.ResponseWriter, r *http.Request) { answer(w, r, f) })
	}
	get("info", func(*http.Request) (any, error) {
		return map[string]any{"url": s.URL, "now": s.Now(), "stripe": s.Stripe.info()}, nil
	})
	post("advance", func(r *http.Request) (any, error) {
		in, err := read[struct{ Seconds float64 }](r)
		if err == nil && in.Seconds < 0 {
			err = errors.New("sandbox: advance: seconds must not be negative")
		}
		if err == nil {
			s.Advance(time.Duration(in.Seconds * float64(time.Second)))
		}
		return map[string]any{"now": s.Now()}, err
	})
	post("flush", func(r *http.Request) (any, error) {
		in, err := read[struct {
			TimeoutMS int64 `json:"timeout_ms"`
		}](r)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(r.Context(), time.Duration(or(in.TimeoutMS, 10000))*time.Millisecond)
		defer cancel()
		return map[string]bool{"ok": true}, s.Flush(ctx)
	})
	post("faults", func(r *http.Request) (any, error) {
		in, err := read[struct {
			Fault
			DelayMS int64 `json:"delay_ms"`
		}](r)
		if err != nil {
			return nil, err
		}
		in.Delay = time.Duration(in.DelayMS) * time.Millisecond
		id, err := s.Fault(in.Fault)
		return map[string]int64{"id": id}, err
	})
	get("faults", func(*http.Request) (any, error) { return s.Faults(), nil })
	del("faults", func(r *http.Request) (any, error) {
		var ids []int64
		for _, raw := range r.URL.Query()["id"] {
			id, err := strconv.ParseInt(raw, 10, 64)
			if err != nil {
				return nil, errors.New("sandbox: id must be a number")
			}
			ids = append(ids, id)
		}
		s.ClearFaults(ids...)
		return map[string]bool{"ok": true}, nil
	})
	get("requests", func(*http.Request) (any, error) { return s.Requests(), nil })
	get("deliveries", func(*http.Request) (any, error) { return s.Deliveries(), nil })
	post("delivery-rules", func(r *http.Request) (any, error) {
		in, err := read[struct {
			DeliveryRule
			DelayMS int64 `json:"delay_ms"`
		}](r)
		if err == nil {
			in.Delay = time.Duration(in.DelayMS) * time.Millisecond
			err = s.Deliver(in.DeliveryRule)
		}
		return map[string]bool{"ok": true}, err
	})
	del("delivery-rules", func(*http.Request) (any, error) {
		s.DeliverNormally()
		return map[string]bool{"ok": true}, nil
	})
	post("release", func(r *http.Request) (any, error) {
		in, err := read[struct{ Reversed bool }](r)
		if err != nil {
			return nil, err
		}
		return map[string]int{"released": s.ReleaseWebhooks(in.Reversed)}, nil
	})
	s.Stripe.control(get, post)
	return mux
}

type controlFunc func(path string, f func(*http.Request) (any, error))

// stripeAction is the body of the actions on one object.
type stripeAction struct {
	ID      string          `json:"id"`
	Amount  int64           `json:"amount"`
	Outcome Outcome         `json:"outcome"`
	OK      bool            `json:"ok"`
	Won     bool            `json:"won"`
	Reason  string          `json:"reason"`
	Inquiry bool            `json:"inquiry"`
	Type    string          `json:"type"`
	Object  json.RawMessage `json:"object"`
}

func (s *Stripe) info() map[string]string {
	return map[string]string{"url": s.URL, "secret_key": s.SecretKey, "webhook_secret": s.WebhookSecret}
}

func (s *Stripe) control(get, post controlFunc) {
	get("stripe/payments", func(r *http.Request) (any, error) {
		want := map[string]string{}
		for k, v := range r.URL.Query() {
			if name, ok := strings.CutPrefix(k, "metadata["); ok && strings.HasSuffix(name, "]") {
				want[strings.TrimSuffix(name, "]")] = v[0]
			}
		}
		if id := r.URL.Query().Get("id"); id != "" {
			p, ok := s.Payment(id)
			if !ok {
				return nil, errors.New("sandbox: stripe: no such payment_intent")
			}
			return []StripePayment{p}, nil
		}
		return s.PaymentsWhere(want), nil
	})
	get("stripe/collected", func(r *http.Request) (any, error) {
		gross, net := s.Collected(r.URL.Query().Get("currency"))
		return map[string]int64{"gross": gross, "net": net}, nil
	})
	get("stripe/events", func(*http.Request) (any, error) { return s.Events(), nil })
	action := func(path string, f func(stripeAction) (string, error)) {
		post("stripe/"+path, func(r *http.Request) (any, error) {
			in, err := read[stripeAction](r)
			if err != nil {
				return nil, err
			}
			id, err := f(in)
			return map[string]any{"ok": true, "id": id}, err
		})
	}
	plain := func(f func(stripeAction) error) func(stripeAction) (string, error) {
		return func(in stripeAction) (string, error) { return in.ID, f(in) }
	}
	action("complete", plain(func(in stripeAction) error { return s.CompleteAction(in.ID, in.Outcome) }))
	action("settle", plain(func(in stripeAction) error { return s.Settle(in.ID, in.OK) }))
	action("capture", plain(func(in stripeAction) error { return s.CaptureFromDashboard(in.ID, in.Amount) }))
	action("cancel", plain(func(in stripeAction) error { return s.CancelFromDashboard(in.ID) }))
	action("refund", func(in stripeAction) (string, error) { return s.RefundFromDashboard(in.ID, in.Amount) })
	action("settle-refund", plain(func(in stripeAction) error {
		if in.OK {
			return s.SettleRefund(in.ID)
		}
		return s.FailRefund(in.ID)
	}))
	action("open-dispute", func(in stripeAction) (string, error) {
		if in.Inquiry {
			return s.OpenInquiry(in.ID, in.Reason, in.Amount)
		}
		return s.OpenDispute(in.ID, in.Reason, in.Amount)
	})
	action("escalate-inquiry", plain(func(in stripeAction) error { return s.EscalateInquiry(in.ID) }))
	action("close-dispute", plain(func(in stripeAction) error { return s.CloseDispute(in.ID, in.Won) }))
	action("fail-payout", plain(func(in stripeAction) error { return s.FailPayout(in.ID, in.Reason) }))
	post("stripe/roll-webhook-secret", func(r *http.Request) (any, error) {
		in, err := read[struct {
			KeepSeconds int64 `json:"keep_seconds"`
		}](r)
		if err != nil {
			return nil, err
		}
		return map[string]string{"webhook_secret": s.RollWebhookSecret(time.Duration(in.KeepSeconds) * time.Second)}, nil
	})
	action("resend", plain(func(in stripeAction) error { return s.Resend(in.ID) }))
	action("forge", plain(func(in stripeAction) error { return s.ForgeEvent(in.Type, in.Object) }))
}

func answer(w http.ResponseWriter, r *http.Request, f func(*http.Request) (any, error)) {
	out, err := f(r)
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		out = map[string]string{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// read decodes a JSON body strictly; an empty body is the zero value.
func read[T any](r *http.Request) (T, error) {
	var v T
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		return v, errors.New("sandbox: the body is not the JSON expected: " + err.Error())
	}
	return v, nil
}
