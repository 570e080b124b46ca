package stripe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"

	stripego "github.com/stripe/stripe-go/v76"

	"github.com/tender-go/payment"
)

// Limits of dispute evidence. Sources: docs.stripe.com/api/disputes/update
// (evidence), docs.stripe.com/disputes/responding (file size).
const (
	maxEvidenceText = 150_000
	maxEvidenceFile = 5 << 20
)

// evidenceText are the facts that Stripe takes as text, by their neutral names,
// which are Stripe's own. The text of Evidence.Text goes to uncategorized_text.
func evidenceText(e *stripego.DisputeEvidenceParams) map[string]**string {
	return map[string]**string{
		"access_activity_log":            &e.AccessActivityLog,
		"billing_address":                &e.BillingAddress,
		"cancellation_policy_disclosure": &e.CancellationPolicyDisclosure,
		"cancellation_rebuttal":          &e.CancellationRebuttal,
		"customer_email":                 &e.CustomerEmailAddress,
		"customer_name":                  &e.CustomerName,
		"customer_ip":                    &e.CustomerPurchaseIP,
		"duplicate_charge_explanation":   &e.DuplicateChargeExplanation,
		"duplicate_charge_id":            &e.DuplicateChargeID,
		"product_description":            &e.ProductDescription,
		"refund_policy_disclosure":       &e.RefundPolicyDisclosure,
		"refund_refusal_explanation":     &e.RefundRefusalExplanation,
		"service_date":                   &e.ServiceDate,
		"shipping_address":               &e.ShippingAddress,
		"shipping_carrier":               &e.ShippingCarrier,
		"shipping_date":                  &e.ShippingDate,
		"shipping_tracking_number":       &e.ShippingTrackingNumber,
		"uncategorized_text":             &e.UncategorizedText,
	}
}

// evidenceFile are the facts that Stripe takes as a document.
func evidenceFile(e *stripego.DisputeEvidenceParams) map[string]**string {
	return map[string]**string{
		"cancellation_policy":            &e.CancellationPolicy,
		"customer_communication":         &e.CustomerCommunication,
		"customer_signature":             &e.CustomerSignature,
		"duplicate_charge_documentation": &e.DuplicateChargeDocumentation,
		"receipt":                        &e.Receipt,
		"refund_policy":                  &e.RefundPolicy,
		"service_documentation":          &e.ServiceDocumentation,
		"shipping_documentation":         &e.ShippingDocumentation,
		"uncategorized_file":             &e.UncategorizedFile,
	}
}

// alias maps Stripe's own names of text fields to the neutral ones.
var alias = map[string]string{"customer_email_address": "customer_email", "customer_purchase_ip": "customer_ip"}

// Respond sends evidence. Files are uploaded first, each under a key of its own,
// then the dispute is updated once. With r.Submit that is final: Stripe passes
// it on to the bank.
func (p *Provider) Respond(ctx context.Context, r payment.RespondRequest) (payment.Result, error) {
	if err := p.keyed(r.Call); err != nil {
		return payment.Result{}, err
	}
	if why := checkDispute(r.DisputeRef); why != "" {
		return payment.Result{}, p.notSent(r.Step, "DisputeRef", why)
	}
	evidence := &stripego.DisputeEvidenceParams{}
	files, err := p.evidence(r, evidence)
	if err != nil {
		return payment.Result{}, err
	}
	for i, f := range r.Evidence.Files {
		boundary, body := document(f)
		up := &file{}
		if fail := p.upload(ctx, r.Step, r.Key+"f"+itoa(i), boundary, body, up); fail != nil {
			return payment.Result{}, fail.aside("file " + itoa(i))
		}
		if why := checkRef(up.ID, "file_"); why != "" {
			return payment.Result{}, p.unreadable(r.Step, "the answer names no file")
		}
		*files[i] = &up.ID
	}
	params := &stripego.DisputeParams{Evidence: evidence, Submit: &r.Submit}
	params.Metadata = map[string]string{metaOperation: r.Operation, metaStep: r.Key}
	d := &dispute{}
	if _, f := p.post(ctx, r.Step, "/v1/disputes/"+r.DisputeRef, r.Key, params, d); f != nil {
		return payment.Result{}, f.call
	}
	return p.disputed(d, r.DisputeRef, r.Step)
}

// evidence fills in the text and returns, per file, the field for its id.
func (p *Provider) evidence(r payment.RespondRequest, e *stripego.DisputeEvidenceParams) ([]**string, error) {
	texts, docs := evidenceText(e), evidenceFile(e)
	total := len(r.Evidence.Text)
	e.UncategorizedText = text(r.Evidence.Text)
	for name, v := range r.Evidence.Fields {
		if neutral, ok := alias[name]; ok {
			name = neutral
		}
		field, ok := texts[name]
		switch {
		case !ok:
			return nil, p.notSent(r.Step, "Evidence.Fields", "has a name that Stripe does not take: use one of "+names(texts))
		case *field != nil:
			return nil, p.notSent(r.Step, "Evidence.Fields", "gives "+name+" twice")
		}
		total += len(v)
		*field = &v
	}
	if total > maxEvidenceText {
		return nil, p.notSent(r.Step, "Evidence", fmt.Sprintf("has %d characters: Stripe takes %d in all", total, maxEvidenceText))
	}
	files := make([]**string, len(r.Evidence.Files))
	taken := map[string]bool{}
	for i, f := range r.Evidence.Files {
		at := "Evidence.Files[" + itoa(i) + "]"
		field, ok := docs[f.Kind]
		switch {
		case !ok:
			return nil, p.notSent(r.Step, at+".Kind", "is not one that Stripe takes: use one of "+names(docs))
		case taken[f.Kind]:
			return nil, p.notSent(r.Step, at+".Kind", "comes twice: Stripe takes one file of each kind; join them")
		case len(f.Data) == 0 || len(f.Data) > maxEvidenceFile:
			return nil, p.notSent(r.Step, at+".Data", "is empty or above 5 MB")
		case f.ContentType != "application/pdf" && f.ContentType != "image/png" && f.ContentType != "image/jpeg":
			return nil, p.notSent(r.Step, at+".ContentType", "is not application/pdf, image/png or image/jpeg")
		}
		taken[f.Kind], files[i] = true, field
	}
	return files, nil
}

func names(m map[string]**string) string {
	all := make([]string, 0, len(m))
	for n := range m {
		all = append(all, n)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// document is the multipart body of an upload. The boundary follows from the
// content: it cannot occur in it, and a replay is the same bytes.
func document(f payment.EvidenceFile) (boundary string, body *bytes.Buffer) {
	sum := sha256.Sum256(f.Data)
	boundary = "tender" + hex.EncodeToString(sum[:])[:48]
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	// Neither a bytes.Buffer nor this boundary can fail.
	_ = w.SetBoundary(boundary)
	_ = w.WriteField("purpose", "dispute_evidence")
	h := make(textproto.MIMEHeader)
	h.Set("Content-Disposition", `form-data; name="file"; filename="`+fileName(f)+`"`)
	h.Set("Content-Type", f.ContentType)
	part, _ := w.CreatePart(h)
	_, _ = part.Write(f.Data)
	_ = w.Close()
	return boundary, body
}

// fileName is a plain name: what the shop calls its files may name the payer.
func fileName(f payment.EvidenceFile) string {
	ext := map[string]string{"application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg"}[f.ContentType]
	return f.Kind + ext
}

// Accept gives a dispute up: Stripe closes it as lost, for good.
func (p *Provider) Accept(ctx context.Context, r payment.AcceptRequest) (payment.Result, error) {
	if err := p.keyed(r.Call); err != nil {
		return payment.Result{}, err
	}
	if why := checkDispute(r.DisputeRef); why != "" {
		return payment.Result{}, p.notSent(r.Step, "DisputeRef", why)
	}
	d := &dispute{}
	if _, f := p.post(ctx, r.Step, "/v1/disputes/"+r.DisputeRef+"/close", r.Key, &stripego.DisputeParams{}, d); f != nil {
		return payment.Result{}, f.call
	}
	return p.disputed(d, r.DisputeRef, r.Step)
}

func (p *Provider) lookupDispute(ctx context.Context, r payment.LookupRequest) (payment.Result, error) {
	ref := firstOf(r.StepRef, r.Data["dispute"])
	if why := checkDispute(ref); why != "" {
		return payment.Result{}, p.notSent(r.Step, "StepRef", why)
	}
	d := &dispute{}
	if f := p.get(ctx, r.Step, "/v1/disputes/"+ref, nil, d); f != nil {
		return payment.Result{}, f.unseen()
	}
	res, err := p.disputed(d, ref, r.Step)
	if err != nil {
		return payment.Result{}, err
	}
	switch s := res.Events[0].Dispute.Status; {
	case r.Kind == payment.OpAccept && s.Ended(), r.Kind == payment.OpRespond && d.submitted(r.Key):
	default:
		res.Status = payment.ResultAbsent
	}
	return res, nil
}

// submitted reports whether a response by the step with this key is in.
func (d *dispute) submitted(key string) bool { return d.Metadata[metaStep] == key }

func checkDispute(id string) string {
	if strings.HasPrefix(id, "du_") || strings.HasPrefix(id, "pdp_") {
		return checkRef(id, id[:strings.IndexByte(id, '_')+1])
	}
	return checkRef(id, "dp_")
}

func (p *Provider) disputed(d *dispute, ref, step string) (payment.Result, error) {
	if d.ID != ref {
		return payment.Result{}, p.unreadable(step, "the answer names another dispute than the one asked about")
	}
	e, ok := disputeEvent(d)
	if !ok {
		return payment.Result{}, p.unreadable(step, "the dispute has a status or amount that is not known")
	}
	return payment.Result{Status: payment.ResultApproved, Ref: d.ID, Events: []payment.Event{e}}, nil
}

// disputeEvent is the fact of a dispute, read off the object: the name of an
// event says nothing of who won.
func disputeEvent(d *dispute) (payment.Event, bool) {
	status, ok := disputeStatus[d.Status]
	a, err := amountOf(d.Amount, d.Currency)
	if !ok || err != nil || ident(d.ID) == "" {
		return payment.Event{}, false
	}
	fact := &payment.DisputeFact{Ref: d.ID, Status: status, Reason: word(d.Reason, 64), Amount: a,
		Code: word(firstOf(d.Details.V.Card.NetworkReasonCode, d.NetworkCode), 16), Due: unix(d.Evidence.DueBy)}
	var fee int64
	for _, b := range d.Transactions.V {
		if strings.EqualFold(b.Currency, d.Currency) {
			fee += b.Fee
		}
	}
	if fee != 0 {
		if f, err := amountOf(fee, d.Currency); err == nil {
			fact.Fee = f
		}
	}
	return payment.Event{Kind: payment.OpDispute, Ref: d.ID, Refs: refs(d.Charge.ID), Parent: ident(d.PaymentIntent.ID),
		Amount: a, Dispute: fact, At: unix(d.Created)}, true
}

// disputeStatus maps a dispute's status. Source: docs.stripe.com/api/disputes.
var disputeStatus = map[string]payment.DisputeStatus{
	"warning_needs_response": payment.DisputeInquiry,
	"warning_under_review":   payment.DisputeInquiry,
	"warning_closed":         payment.DisputeClosed,
	"needs_response":         payment.DisputeNeedsResponse,
	"under_review":           payment.DisputeUnderReview,
	"won":                    payment.DisputeWon,
	"lost":                   payment.DisputeLost,
	"charge_refunded":        payment.DisputeClosed, // before 2023: an inquiry that a refund ended
	"prevented":              payment.DisputeClosed, // a refund went out before it became one
}
