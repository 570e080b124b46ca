//go:build !race

package crash_test

const usualKills = 20
