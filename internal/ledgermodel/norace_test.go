//go:build !race

package ledgermodel

const underRace = false
