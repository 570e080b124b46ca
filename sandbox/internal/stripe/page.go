package stripe

import (
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The pages a payer would see: one screen with two buttons.
var payPage = template.Must(template.New("pay").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sandbox: {{.Kind}}</title>
<style>body{font:16px sans-serif;max-width:28em;margin:4em auto;padding:0 1em}button{font-size:1em;padding:.6em 1.2em;margin-right:.6em}</style></head>
<body><h1>{{.Kind}}</h1><p>This is the sandbox. No money moves.</p>
{{if .Open}}<p>{{.What}}</p><form method="post"><button name="outcome" value="succeed">Complete</button><button name="outcome" value="fail">Fail</button></form>
{{else}}<p>There is nothing to do here. {{.What}}</p>{{end}}</body></html>
`))

type page struct {
	Kind, What string
	Open       bool
}

func sessionName(pi *paymentIntent) string { return strconv.Itoa(pi.session) }

// findIntent looks through every account: a page's address names no account.
func (s *Stripe) findIntent(id string) (*account, *paymentIntent) {
	for _, a := range s.accounts {
		if pi := a.intents.find(id); pi != nil {
			return a, pi
		}
	}
	return nil, nil
}

func (s *Stripe) findSetup(id string) (*account, *setupIntent) {
	for _, a := range s.accounts {
		if si := a.setups.find(id); si != nil {
			return a, si
		}
	}
	return nil, nil
}

// servePage serves /pay/{intent}/{session} and /setup/{intent}: GET shows the
// screen, POST with outcome=succeed|fail|cancel|expire acts and redirects to return_url.
func (s *Stripe) servePage(w http.ResponseWriter, r *http.Request) {
	s.Timers.RunDue()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var pg page
	var back string
	var status string
	s.mu.Lock()
	switch {
	case len(parts) == 3 && parts[0] == "pay":
		a, pi := s.findIntent(parts[1])
		if pi == nil {
			break
		}
		m := a.methods.find(pi.method)
		pg.Kind = "Authentication"
		if m != nil && m.typ != "card" {
			pg.Kind = "Payment with " + m.typ
		}
		pg.Open = pi.status == needsAction && sessionName(pi) == parts[2]
		pg.What = "The payment is " + pi.status + "."
		if pg.Open {
			pg.What = "Pay " + display(pi.amount, pi.currency) + "?"
		}
		if r.Method == http.MethodPost && pg.Open {
			if apiErr := s.complete(a, pi, outcomeOf(r)); apiErr != nil {
				status = "failed"
			} else {
				status = "succeeded"
			}
			if pi.status == processing {
				status = "pending"
			}
			back = backTo(pi.returnURL, "payment_intent", pi.id, pi.clientSecret, status)
		}
	case len(parts) == 2 && parts[0] == "receipts":
		for _, a := range s.accounts {
			if ch := a.charges.find(parts[1]); ch != nil && ch.paid {
				pg = page{Kind: "Receipt", What: display(ch.amountCaptured-ch.returned, ch.currency) + " paid."}
			}
		}
	case len(parts) == 2 && parts[0] == "setup":
		a, si := s.findSetup(parts[1])
		if si == nil {
			break
		}
		pg = page{Kind: "Authentication", What: "The setup is " + si.status + ".", Open: si.status == needsAction}
		if pg.Open {
			pg.What = "Save this card for later?"
		}
		if r.Method == http.MethodPost && pg.Open {
			status = "succeeded"
			if apiErr := s.completeSetup(a, si, outcomeOf(r)); apiErr != nil {
				status = "failed"
			}
			back = backTo(si.returnURL, "setup_intent", si.id, si.clientSecret, status)
		}
	}
	s.mu.Unlock()
	switch {
	case pg.Kind == "":
		http.NotFound(w, r)
	case back != "":
		http.Redirect(w, r, back, http.StatusSeeOther)
	case status != "":
		pg.Open, pg.What = false, "Done: "+status+"."
		fallthrough
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = payPage.Execute(w, pg)
	}
}

func outcomeOf(r *http.Request) string {
	r.Body = http.MaxBytesReader(nil, r.Body, 1<<16)
	switch v := r.PostFormValue("outcome"); v {
	case "succeed", "cancel", "expire", "process":
		return v
	}
	return "fail"
}

// backTo adds the documented parameters to the shop's return_url.
func backTo(returnURL, kind, id, secret, status string) string {
	if returnURL == "" {
		return ""
	}
	u, err := url.Parse(returnURL)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set(kind, id)
	q.Set(kind+"_client_secret", secret)
	q.Set("redirect_status", status)
	u.RawQuery = q.Encode()
	return u.String()
}
