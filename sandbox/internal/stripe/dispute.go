package stripe

// aftermath is what a test card does to a payment after it was captured.
func (c *call) aftermath(a *account, ch *charge) {}
