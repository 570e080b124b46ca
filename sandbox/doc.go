// Package sandbox runs local stand-ins for payment providers, so that a shop can
// test its own checkout offline: they speak the providers' wire protocols over
// loopback HTTP, keep state, honour idempotency keys, sign and deliver webhooks,
// and misbehave on demand. No money moves and nothing leaves the machine.
//
// A test starts one and points the provider's own client at it:
//
//	sb, err := sandbox.Start(sandbox.Options{WebhookURLs: []string{shop.URL + "/webhooks/stripe"}})
//	if err != nil { ... }
//	defer sb.Close()
//	// base URL sb.Stripe.URL, secret key sb.Stripe.SecretKey, webhook secret sb.Stripe.WebhookSecret
//
// # Stripe
//
// The stand-in answers in the shapes of API version 2023-10-16: payment
// intents, charges, refunds, payment methods, customers, setup intents,
// disputes, files, balance, balance transactions, transfers, payouts, events,
// tokens and webhook endpoints. Unknown parameters are refused as Stripe
// refuses them. The documented test cards (pm_card_visa, 4000000000009995, ...)
// do what https://docs.stripe.com/testing says.
//
// A payer's part (a 3D Secure challenge, a bank's page, a QR code) is played by
// [Stripe.CompleteAction], or by a person: the address in next_action shows a
// page with two buttons which then returns to return_url as Stripe does.
//
// What takes days at Stripe takes seconds of the sandbox's clock: a direct debit
// settles after 3 s, an asynchronous refund after 3 s, the balance transaction
// of capture_method automatic_async follows after 2 s. An authorization still
// expires after 7 days and an idempotency key after 24 hours; [Server.Advance]
// moves the clock.
//
// # Faults
//
// [Server.Fault] makes an endpoint misbehave: before the work (nothing was done)
// or after it (the work was done and the answer is lost), always, the first n
// times, or by chance from the seed.
//
// # As a process of its own
//
// The command sandbox/cmd/sandbox runs the same and prints its address and keys
// as one JSON line. Everything the Go methods do can be asked of it over HTTP,
// as JSON, under /_sandbox/:
//
//	GET  /_sandbox/info                        URL, keys, time
//	POST /_sandbox/advance                     {"seconds": 604800}
//	POST /_sandbox/flush                       {"timeout_ms": 5000}
//	POST /_sandbox/faults                      a Fault and "delay_ms"; answers {"id": 1}
//	GET  /_sandbox/faults                      all faults with their counts
//	DELETE /_sandbox/faults[?id=1]             ends one or all
//	GET  /_sandbox/requests                    the log of requests
//	GET  /_sandbox/deliveries                  the webhook deliveries made
//	POST /_sandbox/delivery-rules              a DeliveryRule and "delay_ms"
//	DELETE /_sandbox/delivery-rules            ends all rules
//	POST /_sandbox/release                     {"reversed": true}; sends what was held
//	GET  /_sandbox/stripe/payments[?id=pi_...][&metadata[order]=42]
//	GET  /_sandbox/stripe/collected?currency=usd
//	GET  /_sandbox/stripe/events
//	POST /_sandbox/stripe/complete             {"id": "pi_...", "outcome": "succeed"}
//	POST /_sandbox/stripe/settle               {"id": "pi_...", "ok": false}
//	POST /_sandbox/stripe/capture              {"id": "pi_...", "amount": 500}
//	POST /_sandbox/stripe/cancel               {"id": "pi_..."}
//	POST /_sandbox/stripe/refund               {"id": "pi_...", "amount": 500}
//	POST /_sandbox/stripe/settle-refund        {"id": "re_...", "ok": false}
//	POST /_sandbox/stripe/open-dispute         {"id": "ch_...", "reason": "fraudulent", "amount": 0, "inquiry": false}
//	POST /_sandbox/stripe/close-dispute        {"id": "du_...", "won": true}
//	POST /_sandbox/stripe/escalate-inquiry     {"id": "du_..."}
//	POST /_sandbox/stripe/fail-payout          {"id": "po_...", "reason": "account_closed"}
//	POST /_sandbox/stripe/roll-webhook-secret  {"keep_seconds": 3600}
//	POST /_sandbox/stripe/resend               {"id": "evt_..."}
//	POST /_sandbox/stripe/forge                {"type": "payment_intent.succeeded", "object": {...}}
//
// These addresses need no key: whoever can reach the loopback interface
// controls the sandbox.
package sandbox
