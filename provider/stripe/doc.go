// Package stripe takes payments through Stripe. It speaks API version
// 2023-10-16 with github.com/stripe/stripe-go/v76 and implements
// [payment.Provider] and every optional interface except [payment.Resumer]:
// what a payer's browser brings back from Stripe is not needed, Lookup asks.
//
//	card, err := stripe.New(stripe.Config{
//		SecretKey:      payment.NewSecret("sk_live_..."),
//		WebhookSecrets: []payment.Secret{payment.NewSecret("whsec_...")},
//	})
//
// # Methods
//
// Cards, Apple Pay and Google Pay (sale, or hold and capture), cards at a
// Stripe Terminal reader, iDEAL, GrabPay, Alipay and WeChat Pay (sale only).
//
// A card or wallet is paid with the token that Stripe.js, Apple or Google gave
// (pm_, tok_, ctoken_), or without a token: then the answer is an
// [payment.ActionSDK] with the client secret, and the payer types the card into
// Stripe's own element on the shop's page. No card number passes through here.
//
// A payment at a reader names it in the field "reader" (tmr_...). Without it
// the answer is an ActionSDK for the Terminal SDK in the till.
//
// # Configuration
//
// [Config] holds everything; nothing is read from the environment. [New] makes
// no call and reports every problem at once. Several instances, one per account
// or mode, may live side by side: nothing is shared and no global is set.
//
// # Idempotency and recovery
//
// Every write carries Call.Key as its Idempotency-Key, so that a replay within
// 24 hours returns the first answer, a 500 included. An authorization is two
// steps: "create" makes the PaymentIntent and moves no money, "confirm" (at a
// reader: "process") does. A replayed confirm is answered by Stripe with the
// state of the first time; the adapter reads the intent again and reports what
// is true now.
//
// Some steps need an object beside their own. It is written first, moves no
// money, and has a key derived from the step's, so that a replay finds it again:
// a customer (key + "c") when a method is to be saved and the payer has none, and
// each file of a dispute's evidence (key + "f0", "f1", ...). If the process dies
// in between, what is left over is an unused customer or file. A fence first
// takes the payment off the reader's screen (key + "r"), and where Stripe kept an
// earlier refusal to cancel under its key, it asks again (key + "x").
//
// A look-up reads the object by its id. Where the id never came back it lists
// the objects made since and compares the operation's id in their metadata; the
// Search API is not used, because what was just written is not in it yet.
//
// # Webhooks
//
// ParseWebhook checks the signature over the bytes as they came, with each
// configured secret, and the time of sending on both sides. It reads only
// fields that are the same in every API version. Events of the other mode or of
// another account are never applied. See docs/providers/stripe.md for the
// events to enable.
//
// # Limits
//
// Within the payment itself one other party can be paid (a destination charge);
// more parties are paid with transfers afterwards. A refund takes the money
// back from that one party in proportion; what was moved by separate transfers
// is not reversed by a refund. Without Config.MultiCapture the first capture
// releases the rest of the authorization. An authorized amount cannot be
// raised. A request's metadata has at most 25 entries. Files for disputes are at
// most 5 MB each.
package stripe
