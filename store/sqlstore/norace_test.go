//go:build !race

package sqlstore_test

const rounds = 8
