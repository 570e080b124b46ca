//go:build !race

package simulation

const usualPayments = 20000
