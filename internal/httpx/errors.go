package httpx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// BodyTooLargeError reports a response body longer than
// Options.MaxResponseBytes. What it said is unknown.
type BodyTooLargeError struct {
	Limit int64 // bytes
}

func (e *BodyTooLargeError) Error() string {
	return fmt.Sprintf("httpx: response body is longer than %d bytes: raise MaxResponseBytes if it is genuine", e.Limit)
}

// RefusedError reports a request that this package did not let out. Nothing
// was sent.
type RefusedError struct {
	Host   string
	Reason string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("httpx: request to %q not sent: %s", Scrub(e.Host), e.Reason)
}

// TimeoutError reports that Options.Timeout ran out. It is a
// context.DeadlineExceeded to errors.Is.
type TimeoutError struct {
	After time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("httpx: no complete answer within %s", e.After)
}

// Timeout reports true, as net.Error asks.
func (e *TimeoutError) Timeout() bool { return true }

// Temporary reports true, as net.Error asks.
func (e *TimeoutError) Temporary() bool { return true }

// Is reports whether target is context.DeadlineExceeded.
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// Class sorts failed exchanges for metrics and logs. It decides nothing.
type Class string

// The classes. The empty class is an exchange that went well.
const (
	ClassBlocked  Class = "blocked"     // refused by this package, see RefusedError
	ClassDNS      Class = "dns"         // the name did not resolve
	ClassConnect  Class = "connect"     // the connection was refused or the dial failed
	ClassTLS      Class = "tls"         // handshake or certificate
	ClassCanceled Class = "canceled"    // the caller's context was cancelled
	ClassTimeout  Class = "timeout"     // the context's deadline or Options.Timeout
	ClassReset    Class = "reset"       // the peer reset the connection
	ClassEOF      Class = "eof"         // the peer closed, before or within the answer
	ClassTooLarge Class = "too_large"   // see BodyTooLargeError
	ClassServer   Class = "server"      // status 5xx, or below 200
	ClassOther    Class = "other"       // anything else, such as an answer that is not HTTP
	ClassPending  Class = "in_progress" // the exchange has not ended
)

func classOf(err error) Class {
	var (
		refused  *RefusedError
		tooLarge *BodyTooLargeError
		dns      *net.DNSError
		op       *net.OpError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		verify   *tls.CertificateVerificationError
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		timeout  interface{ Timeout() bool }
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		return ClassBlocked
	case errors.As(err, &tooLarge):
		return ClassTooLarge
	case errors.Is(err, context.Canceled):
		return ClassCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return ClassTimeout
	case errors.As(err, &dns):
		return ClassDNS
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &verify),
		errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &invalid):
		return ClassTLS
	case errors.As(err, &timeout) && timeout.Timeout():
		return ClassTimeout
	case errors.As(err, &op) && op.Op == "dial":
		return ClassConnect
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ClassReset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), err.Error() == "http: server closed idle connection":
		return ClassEOF
	}
	return ClassOther
}
