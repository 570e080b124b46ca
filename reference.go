package payment

import (
	"errors"
	"strconv"
)

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
		if inherited, err := u.inheritedReference(); err != nil || !inherited {
			return err
		}
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
	heir, err := u.heir()
	if err != nil {
		return err
	}
	if heir == "" {
		u.release = append(u.release, Claim{Kind: ClaimReference, Key: p.Reference, Owner: p.ID})
		return nil
	}
	if err := u.tx.Release(u.ctx, ClaimReference, p.Reference, p.ID); err != nil {
		return err
	}
	return u.tx.Claim(u.ctx, Claim{Kind: ClaimReference, Key: p.Reference, Owner: heir, Payment: heir})
}

// maxAdditional bounds the additional payments of one reference that the others
// know of.
const maxAdditional = 64

// additional makes an additional payment known to the others of its reference.
func (u *unit) additional() error {
	for n := 1; n <= maxAdditional; n++ {
		err := u.tx.Claim(u.ctx, Claim{Kind: ClaimAdditional, Key: nthKey(u.p.Reference, n), Owner: u.p.ID, Payment: u.p.ID})
		if !errors.Is(err, ErrTaken) {
			return err
		}
	}
	return &FieldError{Field: "Additional", Problem: "is set for the " + strconv.Itoa(maxAdditional+1) + "th time for Reference " + quote(u.p.Reference), Remedy: "use another Reference"}
}

// heir is an additional payment that is live or holds money when this one gives
// the reference free, or "".
func (u *unit) heir() (string, error) {
	for n := 1; n <= maxAdditional; n++ {
		held, err := u.tx.Claimed(u.ctx, ClaimAdditional, nthKey(u.p.Reference, n))
		if isNotFound(err) {
			break
		}
		if err != nil {
			return "", err
		}
		if held.Owner == u.p.ID {
			continue
		}
		switch a, err := u.tx.Payment(u.ctx, held.Owner); {
		case err != nil && !isNotFound(err):
			return "", err
		case err == nil && !freeStatus(a.Status):
			return a.ID, nil
		}
	}
	return "", nil
}

// inheritedReference takes the reference again if the payment may have it, and
// reports whether it has it: an additional payment may have inherited it.
func (u *unit) inheritedReference() (bool, error) {
	p := u.p
	if !p.Additional || !freeStatus(p.Status) {
		return false, u.retakeReference()
	}
	held, err := u.tx.Claimed(u.ctx, ClaimReference, p.Reference)
	if err != nil && !isNotFound(err) {
		return false, err
	}
	p.HoldsReference = err == nil && held.Owner == p.ID
	return p.HoldsReference, nil
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
	case p.takes() && !p.Additional:
		u.parkFor("", "it holds money again, and payment "+held.Owner+" has its reference", "refund one of the two")
	}
	return nil
}
