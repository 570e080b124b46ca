// Package webhook takes in what payment providers notify, over net/http.
//
//	mux.Handle("/webhooks/stripe", webhook.Handler(pay, card))
//
// The handler reads the body once, byte for byte, hands it to
// [payment.Client.Receive] and answers the sender. It keeps nothing, starts no
// goroutine and never shows a sender why it was refused.
//
// # Answers
//
//	200  verified and stored, whether or not it was understood, the first time
//	     or the tenth; with the acknowledgement that the provider asks for
//	400  refused: forged, stale, empty, or sent while no secret is configured
//	404  the receiver does not know the provider: the program is wired wrongly
//	405  not a POST
//	408  the body came too slowly
//	413  the body is too large
//	503  it could not be stored: the provider should send it again
//
// Every refusal of a notification is a 400, not sometimes a 401: a 401 would
// have to name a way to log in (RFC 9110, section 15.5.2), and an answer that
// differs would tell a forger which check failed. Providers repeat what was not
// answered with 2xx, so a 400 loses nothing: a notification that was refused by
// mistake (a wrong secret) comes again once the mistake is corrected.
//
// An odd event is never an error: a provider that delivers in order would block
// everything behind it. It is stored as not applied, with the reason, and
// answered with 200.
//
// # In front of it
//
// Bytes must arrive unchanged: no middleware may parse, decompress or rewrite
// the body. A middleware that wraps the http.ResponseWriter needs an Unwrap
// method (see [http.ResponseController]), else a slow body is bounded by the
// server's own ReadTimeout alone.
package webhook
