//go:build unix && !linux

package pgtest

import (
	"os"
	"syscall"
)

// attributes runs a process as an account.
func attributes(account *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: account}
}

// memory: no folder in memory is known here.
func memory() string { return "" }

func claim(string) (*os.File, error) { return nil, nil } //nolint:nilnil // nothing is swept here
