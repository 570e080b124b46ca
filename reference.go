package payment

// This file keeps the rule that one live payment holds a shop's reference.

// freeStatus reports whether a payment with this status no longer holds its
// reference: nothing is held, collected or outstanding.
func freeStatus(s Status) bool {
	switch s {
	case StatusBlocked, StatusVoided, StatusDeclined, StatusCanceled, StatusExpired, StatusRefunded, StatusChargedBack:
		return true
	}
	return false
}

// settleReference gives the shop's reference free once the payment cannot take
// money any more, and takes it again if it holds some after all.
func (u *unit) settleReference() error {
	p := u.p
	if u.fresh {
		return nil
	}
	if !p.HoldsReference {
		return u.retakeReference()
	}
	if !freeStatus(p.Status) {
		return nil
	}
	for _, o := range p.Operations {
		if o.Payable || (o.State.Outstanding() && o.Kind != OpDispute) || p.held(o).IsPositive() {
			return nil
		}
	}
	if p.Refundable().IsPositive() {
		return nil
	}
	p.HoldsReference = false
	u.release = append(u.release, Claim{Kind: ClaimReference, Key: p.Reference, Owner: p.ID})
	return nil
}

// retakeReference makes a payment that holds money again (a refund that the
// bank returned) the live one of its reference. Where another payment has it, a
// person is told.
func (u *unit) retakeReference() error {
	p := u.p
	if freeStatus(p.Status) || p.Status == StatusCreated {
		return nil
	}
	held, err := u.tx.Claimed(u.ctx, ClaimReference, p.Reference)
	switch {
	case isNotFound(err):
		p.HoldsReference = true
		u.claims = append(u.claims, Claim{Kind: ClaimReference, Key: p.Reference, Owner: p.ID, Payment: p.ID})
	case err != nil:
		return err
	case held.Owner == p.ID:
		p.HoldsReference = true
	case p.Paid() && !p.Additional:
		u.parkFor("", "it holds money again, and payment "+held.Owner+" has its reference", "refund one of the two")
	}
	return nil
}
