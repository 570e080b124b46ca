package sqlstore

import (
	"context"
	"errors"
	"strings"

	"github.com/tender-go/payment"
)

// storeError is a failure of the database that means one of the sentinels of
// package payment.
type storeError struct{ sentinel, cause error }

func (e *storeError) Error() string { return e.sentinel.Error() + " (" + e.cause.Error() + ")" }

// Is matches the sentinel.
func (e *storeError) Is(target error) bool { return target == e.sentinel }

// Unwrap returns the driver's error.
func (e *storeError) Unwrap() error { return e.cause }

// failure is any other failure of the database: nothing is written.
type failure struct{ cause error }

func (e *failure) Error() string { return "payment: the database failed: " + e.cause.Error() }

// Unwrap returns the driver's error.
func (e *failure) Unwrap() error { return e.cause }

func busy(cause error) error { return &storeError{payment.ErrBusy, cause} }

// readError says what an error of a read outside Update means.
func (s *Store) readError(err error) error {
	for _, own := range []error{payment.ErrNotFound, payment.ErrErased, payment.ErrInvalid, errOver, errClosed, errSnapshot} {
		if errors.Is(err, own) {
			return err
		}
	}
	if strings.HasPrefix(err.Error(), "payment: ") {
		return err
	}
	return s.statementError(err)
}

// statementError says what the error of a statement means. ErrBusy: the lock
// was not got in time. ErrConflict: the database asks to run the transaction
// again.
func (s *Store) statementError(err error) error {
	var known *storeError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &known):
		return err
	case s.dialect == SQLite && sqliteBusy(err):
		return busy(err)
	case s.dialect == Postgres:
		switch state := sqlState(err); state {
		case "55P03": // lock_not_available: lock_timeout
			return busy(err)
		case "40001", "40P01": // serialization_failure, deadlock_detected
			return &storeError{payment.ErrConflict, err}
		}
	}
	return &failure{err}
}

// sqliteBusy reports whether the write lock was not to be had, or the
// transaction's snapshot is too old to write on. Drivers differ in how they
// say it: modernc.org/sqlite has Code() int, others only the text.
func sqliteBusy(err error) bool {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		primary := coded.Code() & 0xff
		return primary == 5 || primary == 6 // SQLITE_BUSY, SQLITE_LOCKED
	}
	s := err.Error()
	return strings.Contains(s, "database is locked") || strings.Contains(s, "table is locked")
}

// sqliteConstraint reports whether a statement met a constraint, and was
// undone without the rest of its transaction.
func sqliteConstraint(err error) bool {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		return coded.Code()&0xff == 19 // SQLITE_CONSTRAINT
	}
	return strings.Contains(err.Error(), "constraint failed")
}

// constraint reports whether a statement met a constraint, on either database.
func constraint(d Dialect, err error) bool {
	if d == SQLite {
		return sqliteConstraint(err)
	}
	return strings.HasPrefix(sqlState(err), "23") // integrity constraint violation
}

// sqlState returns the SQLSTATE of a PostgreSQL error, "" if the server did
// not send one. pgx and lib/pq both offer it.
func sqlState(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState()
	}
	return ""
}

// notCommitted reports whether an error of COMMIT proves that nothing was
// written: the server refused it (a constraint, a serialization failure, an
// aborted transaction). All else, a lost connection and a server that shuts
// down included, may have come after the write.
func notCommitted(err error) bool {
	state := sqlState(err)
	if len(state) != 5 || state == "40003" { // statement_completion_unknown
		return false
	}
	switch state[:2] {
	case "23", "25", "40", "42":
		return true
	}
	return false
}
