//go:build unix && !race

package crash_test

const usualKills = 20
