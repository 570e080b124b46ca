//go:build unix && race

package crash_test

// The race detector makes a worker about five times slower.
const usualKills = 8
