//go:build race

package simulation

// The race detector makes a run about ten times slower.
const usualPayments = 2000
