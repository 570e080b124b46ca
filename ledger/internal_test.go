package ledger

// OfRun makes an expiry as Run does, which may use Run's keys.
func OfRun(e Expiry) Expiry {
	e.run = true
	return e
}
