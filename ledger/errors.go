package ledger

import (
	"errors"
	"strconv"
	"strings"

	"github.com/tender-go/payment/money"
)

// What an [Error] is about; test with errors.Is. With each of the first group
// nothing was written.
var (
	// ErrInvalid: a field is not as it must be.
	ErrInvalid = errors.New("ledger: invalid")
	// ErrUnbalanced: debits and credits of a currency differ.
	ErrUnbalanced = errors.New("ledger: unbalanced")
	// ErrUnknownAccount: the chart has no rule for the path.
	ErrUnknownAccount = errors.New("ledger: unknown account")
	// ErrCurrency: the account is kept in another currency.
	ErrCurrency = errors.New("ledger: another currency")
	// ErrOverflow: a balance would leave the range of int64.
	ErrOverflow = errors.New("ledger: overflow")
	// ErrClosed: the effective date lies in a closed period.
	ErrClosed = errors.New("ledger: closed period")
	// ErrKeyConflict: the key was used with other content.
	ErrKeyConflict = errors.New("ledger: key used for something else")
	// ErrNotFound: there is nothing with that key or path.
	ErrNotFound = errors.New("ledger: not found")
	// ErrState: what it refers to cannot take it: no hold, a hold that has
	// ended, a transaction that is reversed already.
	ErrState = errors.New("ledger: not possible any more")
	// ErrExceeds: more than what is left of a hold or transaction.
	ErrExceeds = errors.New("ledger: more than is left")
	// ErrCondition: a condition does not hold. What was asked may succeed later.
	ErrCondition = errors.New("ledger: condition not met")
	// ErrTogether: another change of the same PostTogether was refused.
	ErrTogether = errors.New("ledger: refused together with another")
	// ErrBusy: a lock was not got in time. Nothing was written; try again.
	ErrBusy = errors.New("ledger: busy")
	// ErrInTransaction: the call cannot be made inside a transaction.
	ErrInTransaction = errors.New("ledger: not inside a transaction: use a context that carries none")
)

var (
	// ErrCommitUnknown: the connection was lost during commit. It may or may
	// not be written: send it again with the same key to learn which.
	ErrCommitUnknown = errors.New("ledger: commit unknown")
	// ErrCorrupt: what is stored cannot be what was written. See Book.Verify.
	ErrCorrupt = errors.New("ledger: corrupt")
)

// Error says what was wrong with one change.
type Error struct {
	// Kind is one of the sentinels above.
	Kind error
	// Key of the change, Account and Field that it is about; "" for none.
	Key, Account, Field string
	// Problem in words, and what can be done about it.
	Problem, Remedy string
	// Available and Version are what was found on the account, for
	// ErrCondition.
	Available money.Amount
	Version   int64
}

// Error is one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("ledger: ")
	if e.Key != "" {
		b.WriteString(strconv.Quote(e.Key) + ": ")
	}
	if e.Field != "" {
		b.WriteString(e.Field + " ")
	}
	if e.Account != "" {
		b.WriteString("account " + strconv.Quote(e.Account) + " ")
	}
	b.WriteString(e.Problem)
	if e.Remedy != "" {
		b.WriteString(": " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

func invalid(field, problem, remedy string) *Error {
	return &Error{Kind: ErrInvalid, Field: field, Problem: problem, Remedy: remedy}
}
