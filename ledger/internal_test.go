package ledger

// OfRun makes an expiry as Run does, which may use Run's keys.
func OfRun(e Expiry) Change { return ofRun{e} }
