package stripe

import (
	"strings"
	"time"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// The keys of Result.Data. Ids and flags only.
const (
	dataCharge      = "charge"      // ch_... behind the intent
	dataHanded      = "handed"      // "1": a client secret, link or code went out
	dataDestination = "destination" // the connected account of a destination charge
	dataFee         = "fee"         // "1": an application fee was asked for
	dataMulti       = "multi"       // multicapture status of the card: available or unavailable
)

// view is what is known around an intent that was read.
type view struct {
	step   string
	asked  money.Amount // zero value: not known (a webhook)
	lookup bool
	handed bool // the payer may still act with what was handed out
}

// check refuses an intent that is not the one asked about. Money is never
// booked on an answer that names another object or currency.
func (in *intent) check(ref string, asked money.Amount) string {
	switch {
	case checkRef(in.ID, "pi_") != "":
		return "the answer names no PaymentIntent"
	case ref != "" && in.ID != ref:
		return "the answer names another PaymentIntent than the one asked about"
	case in.Currency == "" || in.Status == "":
		return "the answer lacks its currency or status"
	case asked.Currency() != "" && !strings.EqualFold(in.Currency, string(asked.Currency())):
		return "the answer names another currency than the payment's"
	}
	return ""
}

// amounts reads the intent's three amounts.
func (in *intent) amounts() (total, held, received money.Amount, err error) {
	if total, err = amountOf(in.Amount, in.Currency); err != nil {
		return
	}
	if held, err = amountOf(in.AmountCapturable, in.Currency); err != nil {
		return
	}
	received, err = amountOf(in.AmountReceived, in.Currency)
	return
}

func (in *intent) manual() bool { return in.CaptureMethod == "manual" }

// result says what an intent means for its authorize operation.
func (p *Provider) result(in *intent, v view) (payment.Result, error) {
	total, held, received, err := in.amounts()
	if err != nil {
		return payment.Result{}, p.unreadable(v.step, "an amount of the answer is not one of its currency")
	}
	r := payment.Result{Ref: in.ID, ProviderCustomer: ident(in.Customer.ID), Data: map[string]string{}, At: unix(in.Created)}
	in.describe(&r)
	switch in.Status {
	case "requires_payment_method":
		switch {
		case in.LastPaymentError != nil:
			r.Status, r.Decline = payment.ResultDeclined, in.LastPaymentError.refusal()
			r.Payable = v.handed
		case in.Metadata[metaFlow] == flowPage && v.step == stepCreate:
			return p.act(in, r)
		case v.step == stepCreate:
			r.Status = payment.ResultContinue
		case v.lookup:
			r.Status = payment.ResultAbsent
		default:
			return r, p.unreadable(v.step, "the intent asks for a payment method that was sent")
		}
	case "requires_confirmation":
		switch {
		case v.step == stepCreate:
			r.Status = payment.ResultContinue
		case v.lookup:
			r.Status = payment.ResultAbsent
		default:
			return r, p.unreadable(v.step, "the intent asks for a confirmation that was sent")
		}
	case "requires_action":
		return p.act(in, r)
	case "processing":
		r.Status, r.Amount = payment.ResultPending, total
	case "requires_capture":
		// What is still held and what was captured of it is what was authorized.
		r.Status = payment.ResultApproved
		if r.Amount, err = held.Add(received); err != nil {
			return r, p.unreadable(v.step, "the amounts of the answer do not add up")
		}
		in.saved(&r)
		p.captured(in, received, &r)
	case "succeeded":
		r.Status, r.Captured, r.Amount = payment.ResultApproved, true, received
		in.saved(&r)
		if in.manual() {
			// The hold was approved, and captured since.
			r.Captured, r.Amount = false, total
			p.captured(in, received, &r)
			in.released(&r, total, received)
		}
	case "canceled":
		r.Status = payment.ResultCanceled
		if in.expired() {
			r.Status = payment.ResultExpired
		}
		r.At = unix(in.CanceledAt)
		p.captured(in, received, &r) // of a hold, before its rest was canceled
	default:
		return r, p.unreadable(v.step, "the intent has a status that is not known")
	}
	return r, nil
}

// expired: Stripe ended it, not we: the authorization ran out.
func (in *intent) expired() bool {
	return in.CancellationReason == "automatic" || in.CancellationReason == "expired"
}

// released adds the fact that nothing more can be captured of a hold: the last
// capture gave the rest back.
func (in *intent) released(r *payment.Result, total, received money.Amount) {
	if rest, err := total.Sub(received); err == nil && rest.IsPositive() && in.AmountCapturable == 0 {
		r.Events = append(r.Events, payment.Event{Kind: payment.OpVoid, Status: payment.ResultApproved, Parent: in.ID, Amount: rest})
	}
}

// captured adds the fact of what was captured of a hold.
func (p *Provider) captured(in *intent, received money.Amount, r *payment.Result) {
	if !received.IsPositive() {
		return
	}
	r.Events = append(r.Events, payment.Event{
		Kind: payment.OpCapture, Status: payment.ResultApproved, Parent: in.ID, Refs: refs(in.LatestCharge.ID),
		Amount: received, Cumulative: true, Captured: true,
	})
}

// describe adds what the charge says of card, authentication, fee and life.
func (in *intent) describe(r *payment.Result) {
	if id := ident(in.LatestCharge.ID); id != "" {
		r.Refs, r.Data[dataCharge] = refs(id), id
	}
	// A refund takes back what was given on.
	if in.TransferData != nil && ident(in.TransferData.Destination.ID) != "" {
		r.Data[dataDestination] = in.TransferData.Destination.ID
	}
	if in.ApplicationFee > 0 {
		r.Data[dataFee] = "1"
	}
	ch := in.LatestCharge.Object
	if ch == nil {
		if m := in.PaymentMethod.Object; m != nil {
			r.Card = m.V.info()
		}
		return
	}
	ch.describe(r)
}

// describe adds what a charge says of itself.
func (ch *charge) describe(r *payment.Result) {
	r.Card, r.ThreeDS = ch.Details.V.info(), ch.Details.V.threeDS()
	if c := ch.Details.V.card(); c != nil {
		r.ExpiresAt = unix(c.CaptureBefore)
		if c.Multicapture != nil && (c.Multicapture.Status == "available" || c.Multicapture.Status == "unavailable") {
			r.Data[dataMulti] = c.Multicapture.Status
		}
	}
	// The fee is booked in the currency of settlement; another one than the
	// payment's belongs to the statement, not here.
	if b := ch.BalanceTransaction.Object; b != nil && strings.EqualFold(b.Currency, ch.Currency) {
		if fee, err := amountOf(b.Fee, b.Currency); err == nil {
			r.Fee = fee
		}
	}
}

// saved adds the token of a method that was kept with the payment.
func (in *intent) saved(r *payment.Result) {
	if in.SetupFutureUsage != "" && in.Customer.ID != "" && in.PaymentMethod.ID != "" {
		r.Token = payment.NewSecret(in.PaymentMethod.ID)
	}
}

func (h *cardHolding) card() *cardDetails {
	if h.Card != nil {
		return h.Card
	}
	return h.CardPresent
}

func (h *cardHolding) info() payment.CardInfo {
	c := h.card()
	if c == nil {
		return payment.CardInfo{}
	}
	i := payment.CardInfo{Brand: brand(c.Brand), ExpMonth: c.ExpMonth, ExpYear: c.ExpYear}
	// Described by pattern, so that nothing longer than it should be gets in.
	i.Last4, i.BIN = onlyDigits(c.Last4, 4), onlyDigits(c.IIN, 8)
	i.Country, i.Funding, i.Fingerprint = word(c.Country, 2), word(c.Funding, 16), word(c.Fingerprint, 64)
	if c.Wallet != nil && (c.Wallet.Type == "apple_pay" || c.Wallet.Type == "google_pay") {
		i.Wallet = payment.Method(c.Wallet.Type)
	}
	return i
}

func (h *cardHolding) threeDS() payment.ThreeDSResult {
	c := h.card()
	if c == nil || c.ThreeDSecure == nil {
		return payment.ThreeDSResult{}
	}
	r := payment.ThreeDSResult{Version: word(c.ThreeDSecure.Version, 16), ECI: word(c.ThreeDSecure.ECI, 4)}
	switch c.ThreeDSecure.Result {
	case "authenticated":
		// docs.stripe.com/payments/3d-secure: authenticated payments are covered
		// by liability shift. An attempt mostly is too, but not always: not claimed.
		r.Outcome, r.LiabilityShift = "authenticated", true
	case "attempt_acknowledged":
		r.Outcome = "attempted"
	case "exempted", "failed", "not_supported":
		r.Outcome = c.ThreeDSecure.Result
	}
	return r
}

// brand maps Stripe's brand; one without a constant is left out.
func brand(b string) payment.Method {
	switch b {
	case "visa":
		return payment.MethodVisa
	case "mastercard":
		return payment.MethodMastercard
	case "amex":
		return payment.MethodAmex
	case "jcb":
		return payment.MethodJCB
	case "unionpay":
		return payment.MethodUnionPay
	case "discover":
		return payment.MethodDiscover
	case "diners":
		return payment.MethodDiners
	}
	return ""
}

// ident returns an id, or "" for what is none: ids are stored in clear.
func ident(id string) string { return word(id, 255) }

func refs(ids ...string) []string {
	var out []string
	for _, id := range ids {
		if id = ident(id); id != "" {
			out = append(out, id)
		}
	}
	return out
}

func unix(s int64) time.Time {
	if s <= 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

// onlyDigits returns s if it is at most n digits, else "".
func onlyDigits(s string, n int) string {
	if len(s) > n || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}

// word returns s if it is a plain word of at most n characters, else "".
func word(s string, n int) string {
	if len(s) > n {
		return ""
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.' {
			return ""
		}
	}
	return s
}
