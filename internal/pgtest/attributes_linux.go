package pgtest

import "syscall"

// attributes runs a process as an account, and ends it with the test binary
// even if that is killed.
func attributes(account *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: account, Pdeathsig: syscall.SIGQUIT}
}
