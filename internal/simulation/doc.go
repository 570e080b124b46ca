// Package simulation runs the real payment engine against misbehaving
// providers, a failing store and crashing processes, on one goroutine, with
// virtual time, from one seed: a seed replays exactly, commit by commit.
//
// A world is one order in one shop: a store that survives crashes, one or more
// providers of provider/fake that keep the truth, two processes with a Client
// each (the shop's web server and a second replica that runs the worker), a
// post office that holds notifications back, doubles and shuffles them, and a
// clock that only the simulation turns. Everything that happens passes an
// instant: a request on its way, its answer, a commit, a read. At an instant
// trouble may strike: a fault of the provider's, an error of the store's, the
// end of the process, or somebody else's act in between.
//
// Troubles come from one of two sources. The exhaustive part puts every trouble
// at every instant of a list of scenarios, one at a time. The random part draws
// the order, the acts of its payer, shop, staff and bank, and several troubles,
// from the seed.
//
// After every commit and every act the records are held against each other and
// against the truth at the banks; see check.go and truth.go for the rules. A
// broken rule is a Violation, which carries the story of its order and the seed
// that tells it again.
package simulation
