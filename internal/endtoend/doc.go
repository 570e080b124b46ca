// Package endtoend holds only tests: a whole shop (Client, adapter for Stripe,
// store, webhook handler) against the sandbox over HTTP, and after each scenario
// the shop's records against what the sandbox says really happened.
package endtoend
