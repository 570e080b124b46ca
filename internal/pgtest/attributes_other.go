//go:build unix && !linux

package pgtest

import "syscall"

// attributes runs a process as an account.
func attributes(account *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: account}
}
