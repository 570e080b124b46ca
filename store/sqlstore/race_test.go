//go:build race

package sqlstore_test

// rounds is how often rows of one kind are tampered with: the race detector
// makes a run many times slower, and the number of rows finds no races.
const rounds = 2
