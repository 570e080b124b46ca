package payment

// IDs: an operation's id is its payment's id and a number, a step's that of its
// operation and a number. So every id leads home without a look-up, and a
// replayed plan makes the same ids.
const (
	paymentIDLen   = 24
	operationIDLen = 28
	stepIDLen      = 32
	maxOperations  = 36 * 36 * 36 // three digits to base 36
	maxSteps       = 36 * 36 * 36
)

func numbered(id, mark string, n int) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	return id + mark + string([]byte{digits[n/1296%36], digits[n/36%36], digits[n%36]})
}

// paymentOf returns the payment id that an operation or step id begins with,
// or "" if it is none of ours.
func paymentOf(id string) string {
	if len(id) != operationIDLen && len(id) != stepIDLen && len(id) != paymentIDLen {
		return ""
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return ""
		}
	}
	return id[:paymentIDLen]
}

func operationOf(stepID string) string {
	if len(stepID) != stepIDLen {
		return ""
	}
	return stepID[:operationIDLen]
}
