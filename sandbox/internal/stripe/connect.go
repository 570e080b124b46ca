package stripe

// What a charge means to the other account: application fees and the transfer
// of a destination charge. https://docs.stripe.com/connect/charges

// spread books the platform's and the destination's parts of a captured amount.
func (c *call) spread(a *account, ch *charge, amount int64) {
	fee := int64(0)
	if ch.feeAmount != nil {
		fee = min(*ch.feeAmount, amount)
	}
	if fee > 0 && (a != c.platform || ch.transferTo != "") {
		ch.applicationFee = c.id("fee_1", 23)
		ch.feeTaken += fee
		c.post(c.platform, &balanceTransaction{currency: ch.currency, typ: "application_fee", category: "platform_earning", amount: fee, source: named(ch.applicationFee)}, false)
	}
	if ch.transferTo == "" {
		return
	}
	part := amount
	if ch.transferAmount != nil {
		part = min(*ch.transferAmount, amount)
	}
	t := &transfer{created: c.at, currency: ch.currency, destination: ch.transferTo, amount: part, source: ch, sourceType: "card", group: ch.transferGroup}
	c.makeTransfer(a, t)
	ch.transfer = t.id
	if fee > 0 { // the fee comes out of what the destination received
		c.post(c.account(ch.transferTo), &balanceTransaction{currency: ch.currency, typ: "application_fee", category: "fee", amount: -fee, source: named(ch.applicationFee)}, false)
	}
}

// returnConnect gives back the other account's parts of a refund, in proportion.
func (c *call) returnConnect(a *account, ch *charge, r *refund, in refundInput) {
	if in.reverseTransfer {
		if t := a.transfers.find(ch.transfer); t != nil {
			amount := min(share(t.amount, r.amount, ch.amountCaptured), t.amount-t.reversedAmount)
			if amount > 0 {
				rev := &reversal{transfer: t, amount: amount, refund: r.id}
				c.reverse(a, rev)
				r.transferReversal = rev.id
			}
		}
	}
	if in.refundFee && ch.feeTaken > 0 {
		amount := share(ch.feeTaken, r.amount, ch.amountCaptured)
		to := a
		if ch.transferTo != "" {
			to = c.account(ch.transferTo)
		}
		c.post(c.platform, &balanceTransaction{currency: ch.currency, typ: "application_fee_refund", category: "platform_earning_refund", amount: -amount, source: named(ch.applicationFee)}, true)
		c.post(to, &balanceTransaction{currency: ch.currency, typ: "application_fee_refund", category: "fee", amount: amount, source: named(ch.applicationFee)}, true)
	}
}

// share is part/whole of amount, rounded down.
func share(amount, part, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	return amount * part / whole // both below 10^8: no overflow
}
