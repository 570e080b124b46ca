// Package fake is a payment provider in memory: scripted, deterministic, on an
// injected clock, with no latency. It serves unit tests, examples, benchmarks
// and the simulation of a whole shop.
//
//	bank := fake.New(fake.Options{})
//	bank.Script("pay", fake.TimeoutAfter())            // the answer is lost, the money is taken
//	pay, err := payment.New(payment.Config{Store: store, Providers: []payment.Provider{bank}})
//
// # Personalities
//
// [Plain] has one step, approves, and can do everything: the one for unit
// tests. The five others behave as their provider's documentation says, above
// all where they differ: how long an idempotency key lives and what a replay
// returns, what can be looked up, what is decided later, how an attempt is made
// unpayable. Each says so at its constant.
//
// # Misbehaviour
//
// [Provider.Script] queues faults for a step: declines, lost answers before and
// after the work, server errors that a replay repeats, work that is done long
// after the caller gave up, panics. [Options.Odds] draws them by chance; the
// draw depends on the seed, the idempotency key and how often that key came, not
// on the order of goroutines, so that a run replays exactly.
//
// The payer, the shop's staff and the bank act through methods:
// [Provider.PayerPays], [Provider.DashboardRefund], [Provider.OpenDispute], ...
// What the provider would notify waits in a queue: [Provider.TakeWebhooks].
//
// # The truth
//
// Beside what it answers, the provider keeps what really happened: every
// movement of money with its key, its cause and its time. [Provider.Truth] and
// [Provider.Collected] read it; a test that asks the truth instead of the
// records of the system under test sees a second collection that the records
// hide.
//
// All methods of a Provider may be called from many goroutines at once.
package fake
