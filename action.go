package payment

import (
	"log/slog"
	"time"
)

// ActionKind says what the payer must do next.
type ActionKind string

// The kinds of next action. Every one is data: the shop's page carries it out.
const (
	// ActionRedirect: send the payer to URL.
	ActionRedirect ActionKind = "redirect"
	// ActionQR: show Code as a QR code (or Image, when the provider drew one).
	ActionQR ActionKind = "qr"
	// ActionSDK: hand Params to the provider's client library.
	ActionSDK ActionKind = "sdk"
	// ActionChallenge: a 3DS challenge, by URL or by Params.
	ActionChallenge ActionKind = "challenge"
	// ActionWait: the payer confirms elsewhere (an app, a terminal); poll.
	ActionWait ActionKind = "wait"
)

// Action is the next act of the payer, as data. It holds secrets meant for the
// payer's own browser (a client secret, a signed URL): give it to nobody else.
// It is stored encrypted and does not print its content.
type Action struct {
	Kind ActionKind `json:"kind"`
	// URL to send the payer to. Method is GET, or POST with Params as a form.
	URL    string `json:"url,omitempty"`
	Method string `json:"method,omitempty"`
	// Code is the content of a QR code; Image the URL of a drawn one.
	Code  string `json:"code,omitempty"`
	Image string `json:"image,omitempty"`
	// Params for the provider's client library.
	Params map[string]string `json:"params,omitempty"`
	// ExpiresAt is when the action ends; zero if the provider did not say.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// String names the kind and nothing else.
func (a Action) String() string { return "action " + string(a.Kind) }

// GoString names the kind and nothing else.
func (a Action) GoString() string { return a.String() }

// LogValue shows a log the kind and nothing else: what else it holds is for the
// payer's own browser.
func (a Action) LogValue() slog.Value { return slog.StringValue(a.String()) }

// NextKind is what a caller does with a payment now.
type NextKind string

// The four cases. A handler is a switch over them.
const (
	// Paid: authorized or captured; ship.
	Paid NextKind = "paid"
	// PayerMustAct: carry out Next.Action.
	PayerMustAct NextKind = "payer_must_act"
	// Wait: the outcome is not known yet; look again at Next.After. Nothing
	// else may be charged for this order meanwhile.
	Wait NextKind = "wait"
	// Refused: not paid and not outstanding. Next.Decline says why, or, where
	// nobody declined it (refunded, voided, canceled), Next.Notice does.
	Refused NextKind = "refused"
)

// Next is what to do with a payment now. See [Payment.Next].
type Next struct {
	Kind NextKind
	// Action is set with PayerMustAct.
	Action *Action
	// After is when to look again, with Wait.
	After time.Time
	// MayLeave: the payer may close the page; the outcome is learned anyway.
	MayLeave bool
	// Decline is set with Refused, if it was declined; its Text is for the payer.
	Decline Decline
	// Notice names the text for the payer where Decline is the zero value.
	Notice Notice
}

// Text returns what the payer should read, in the language lang (BCP 47).
func (n Next) Text(lang string) Text {
	if !n.Decline.IsZero() {
		return n.Decline.Text(lang)
	}
	return NoticeText(n.Notice, lang)
}
