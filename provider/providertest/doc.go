// Package providertest proves that a payment provider's adapter keeps the
// contract of [payment.Provider]: every adapter of this project passes it, and
// every adapter of your own must, before it moves money.
//
//	func TestConformance(t *testing.T) {
//		providertest.Run(t, providertest.Harness{
//			New: func(o providertest.Options) (*providertest.Rig, error) { ... },
//			Methods: []providertest.Method{{
//				Approve: payment.Card("tok_visa"), Decline: payment.Card("tok_declined"),
//				Challenge: payment.Card("tok_3ds"), DeclineReason: payment.ReasonInsufficientFunds,
//			}},
//			Without: map[providertest.Ability]string{
//				providertest.AbilityClock: "the provider's test mode has no clock",
//			},
//		})
//	}
//
// A [Rig] is one adapter connected to one fresh provider account: a stand-in on
// loopback, or a simulation. Its functions let the suite act as the payer,
// break the network, read what really happened and collect notifications. What
// a rig cannot do it leaves nil and declares in [Harness].Without with the
// reason; an ability that is missing and not declared is a violation, and so is
// one that is declared missing although it is there.
//
// A failure names the rule, says why it matters, and then what was seen. [Check]
// returns the same as values. [Rules] lists the rules.
//
// [Wire] breaks calls and records requests, for adapters that speak HTTP. What
// only the provider's own words can say (that a key is taken, an answer about
// another amount) the harness gives it.
package providertest
