package stripe

import (
	"context"
	"strings"

	stripego "github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment"
)

// Transfer moves money to a connected account. With a SourceRef it is tied to
// that payment's charge: it succeeds although the money is not available yet.
// Stripe does not allow that for payments captured in several parts; give no
// SourceRef there.
func (p *Provider) Transfer(ctx context.Context, r payment.TransferRequest) (payment.Result, error) {
	if err := p.keyed(r.Call); err != nil {
		return payment.Result{}, err
	}
	n, err := units.ToUnits(r.Amount)
	if err != nil {
		return payment.Result{}, p.notSent(r.Step, "Amount", err.Error())
	}
	if n <= 0 {
		return payment.Result{}, p.notSent(r.Step, "Amount", "is not more than zero")
	}
	if p.account != "" {
		return payment.Result{}, p.notSent(r.Step, "Config.Account", "is set: a connected account cannot pay others on; use an instance of the platform's own")
	}
	if why := checkRef(r.Destination, "acct_"); why != "" {
		return payment.Result{}, p.notSent(r.Step, "Destination", why)
	}
	params := &stripego.TransferParams{
		Amount: &n, Currency: stripego.String(code(r.Amount.Currency())), Destination: &r.Destination,
		Description: text(cut(r.Description, 1000)), Metadata: p.metadata(r.Call, nil),
	}
	if r.SourceRef != "" {
		source, err := p.chargeOf(ctx, r)
		if err != nil {
			return payment.Result{}, err
		}
		params.SourceTransaction = &source
	} else {
		params.TransferGroup = text(r.Payment)
	}
	tr := &transfer{}
	if _, f := p.post(ctx, r.Step, "/v1/transfers", r.Key, params, tr); f != nil {
		if d, ok := f.decline(); ok {
			if d.Reason == payment.ReasonInsufficientFunds { // the shop's own
				d = payment.NewDecline(payment.ReasonMerchantBalance, d.Code)
			}
			return payment.Result{Status: payment.ResultDeclined, Decline: d}, nil
		}
		return payment.Result{}, f.call
	}
	return p.transferred(tr, r.Step)
}

// chargeOf returns the charge behind the payment that a transfer is taken from.
func (p *Provider) chargeOf(ctx context.Context, r payment.TransferRequest) (string, error) {
	if strings.HasPrefix(r.SourceRef, "ch_") || strings.HasPrefix(r.SourceRef, "py_") {
		return r.SourceRef, nil
	}
	if id := r.Data[dataCharge]; id != "" {
		return id, nil
	}
	if why := checkRef(r.SourceRef, "pi_"); why != "" {
		return "", p.notSent(r.Step, "SourceRef", why)
	}
	in, f := p.intent(ctx, r.Step, r.SourceRef)
	if f != nil {
		return "", f.before()
	}
	if in.check(r.SourceRef, noAmount) != "" || in.LatestCharge.ID == "" {
		return "", p.notSent(r.Step, "SourceRef", "has no charge to take the money from")
	}
	return in.LatestCharge.ID, nil
}

func (p *Provider) transferred(tr *transfer, step string) (payment.Result, error) {
	a, err := amountOf(tr.Amount, tr.Currency)
	if err != nil || checkRef(tr.ID, "tr_") != "" {
		return payment.Result{}, p.unreadable(step, "the answer names no transfer")
	}
	r := payment.Result{Status: payment.ResultApproved, Ref: tr.ID, Amount: a, At: unix(tr.Created)}
	if tr.Reversed {
		r.Status = payment.ResultReversed
	}
	return r, nil
}

func (p *Provider) lookupTransfer(ctx context.Context, r payment.LookupRequest) (payment.Result, error) {
	if r.StepRef != "" {
		if why := checkRef(r.StepRef, "tr_"); why != "" {
			return payment.Result{}, p.notSent(r.Step, "StepRef", why)
		}
		tr := &transfer{}
		if f := p.get(ctx, r.Step, "/v1/transfers/"+r.StepRef, nil, tr); f != nil {
			if f.missing() {
				return payment.Result{Status: payment.ResultAbsent}, nil
			}
			return payment.Result{}, f.unseen()
		}
		if tr.ID != r.StepRef {
			return payment.Result{}, p.unreadable(r.Step, "the answer names another transfer than the one asked about")
		}
		return p.transferred(tr, r.Step)
	}
	var found *transfer
	params := &stripego.TransferListParams{CreatedRange: madeSince(r.Since)}
	err := page(ctx, p, r.Step, "/v1/transfers", params, &params.ListParams,
		func(tr *transfer) string { return tr.ID },
		func(tr *transfer) bool {
			if ours(tr.Metadata, r.Call) {
				found = tr
			}
			return found != nil
		})
	if err != nil || found == nil {
		return payment.Result{Status: payment.ResultAbsent}, err
	}
	return p.transferred(found, r.Step)
}
