package stripe

import (
	stripego "github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/money"
)

// split asks that a part of the payment goes to one connected account: a
// destination charge, or with Config.Account a direct charge with an
// application fee. What the other party does not get stays with the platform.
//
// Sources: docs.stripe.com/connect/destination-charges and /direct-charges.
func (p *Provider) split(r payment.AuthorizeRequest, params *stripego.PaymentIntentParams) error {
	to, keeps, err := p.share(r.Step, r.Amount, r.Splits)
	if err != nil || to == "" {
		return err
	}
	fee, uerr := units.ToUnits(keeps)
	if uerr != nil {
		return p.notSent(r.Step, "Splits", uerr.Error())
	}
	if fee > 0 {
		params.ApplicationFeeAmount = &fee
	}
	if p.account == "" {
		params.TransferData = &stripego.PaymentIntentTransferDataParams{Destination: &to}
	}
	return nil
}

// share returns the one account that takes part in the payment, "" for none,
// and what the platform keeps of the total.
func (p *Provider) share(step string, total money.Amount, splits []payment.Split) (to string, keeps money.Amount, err error) {
	keeps = total
	for i, s := range splits {
		field := "Splits[" + itoa(i) + "]"
		if s.Account == "" {
			continue
		}
		if to != "" {
			return "", keeps, p.notSent(step, "Splits", "names more than one account: Stripe takes one in a payment; pay the others with Transfer once it is captured")
		}
		if why := checkRef(s.Account, "acct_"); why != "" {
			return "", keeps, p.notSent(step, field+".Account", why)
		}
		if p.account != "" && s.Account != p.account {
			return "", keeps, p.notSent(step, field+".Account", "is not the account that this instance charges for (Config.Account)")
		}
		part := s.Amount
		if !s.Commission.IsZero() {
			if part, err = part.Sub(s.Commission); err != nil {
				return "", keeps, p.notSent(step, field+".Commission", err.Error())
			}
		}
		if keeps, err = keeps.Sub(part); err != nil {
			return "", keeps, p.notSent(step, field+".Amount", err.Error())
		}
		if part.IsNegative() || keeps.IsNegative() {
			return "", keeps, p.notSent(step, field, "is more than the payment, or less than its commission")
		}
		to = s.Account
	}
	return to, keeps, nil
}
