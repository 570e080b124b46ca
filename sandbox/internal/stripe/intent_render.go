package stripe

import "github.com/tender-go/payment/sandbox/internal/core"

func (s *Stripe) renderPaymentIntent(a *account, w *core.JSON, pi *paymentIntent, x expand) {
	w.Open()
	w.S("id", pi.id)
	w.S("object", "payment_intent")
	w.I("amount", pi.amount)
	w.I("amount_capturable", pi.capturable)
	w.Object("amount_details")
	w.Object("tip")
	w.Close()
	w.Close()
	w.I("amount_received", pi.received)
	w.N("application")
	w.IP("application_fee_amount", pi.feeAmount)
	if pi.automatic {
		w.Object("automatic_payment_methods")
		w.S("allow_redirects", pi.allowRedirects)
		w.B("enabled", true)
		w.Close()
	} else {
		w.N("automatic_payment_methods")
	}
	w.IN("canceled_at", pi.canceledAt)
	w.SN("cancellation_reason", pi.cancelReason)
	w.S("capture_method", pi.captureMethod)
	w.S("client_secret", pi.clientSecret)
	w.S("confirmation_method", pi.confirmationMethod)
	w.I("created", pi.created)
	w.S("currency", pi.currency)
	w.Key("customer")
	s.refCustomer(a, w, pi.customer, x)
	w.SN("description", pi.description)
	w.N("invoice")
	w.Key("last_payment_error")
	if pi.lastError == nil {
		w.Null()
	} else {
		pi.lastError.renderObject(s, a, w, "")
	}
	w.Key("latest_charge")
	if sub, want := x.in("latest_charge"); pi.charge == nil {
		w.Null()
	} else if want {
		s.renderCharge(a, w, pi.charge, sub)
	} else {
		w.Text(pi.charge.id)
	}
	w.B("livemode", false)
	w.Map("metadata", pi.metadata)
	pi.action.render(s, pi, w)
	w.SN("on_behalf_of", pi.onBehalfOf)
	w.Key("payment_method")
	s.refMethod(a, w, pi.method, x)
	w.N("payment_method_configuration_details")
	w.Object("payment_method_options")
	for _, t := range pi.types {
		w.Object(t)
		if t == "card" {
			if pi.options.captureMethod != "" {
				w.S("capture_method", pi.options.captureMethod)
			}
			w.N("installments", "mandate_options")
			w.SN("network", pi.options.network)
			for _, o := range [][2]string{{"request_multicapture", pi.options.multicapture}, {"request_extended_authorization", pi.options.extended},
				{"request_incremental_authorization", pi.options.incremental}, {"request_overcapture", pi.options.overcapture}, {"setup_future_usage", pi.options.futureUsage}} {
				if o[1] != "" {
					w.S(o[0], o[1])
				}
			}
			threeDS := pi.options.threeDS
			if threeDS == "" {
				threeDS = "automatic"
			}
			w.S("request_three_d_secure", threeDS)
		}
		if t == "wechat_pay" {
			w.N("app_id")
			w.SN("client", pi.options.client)
		}
		w.Close()
	}
	w.Close()
	w.Texts("payment_method_types", pi.types)
	w.N("processing")
	w.SN("receipt_email", pi.receiptEmail)
	w.N("review")
	w.SN("setup_future_usage", pi.setupFutureUsage)
	pi.shipping.render(w)
	w.N("source")
	w.SN("statement_descriptor", pi.descriptor)
	w.SN("statement_descriptor_suffix", pi.descriptorSuffix)
	w.S("status", pi.status)
	renderTransferData(w, pi.transferTo, pi.transferAmount)
	w.SN("transfer_group", pi.transferGroup)
	w.Close()
}

func renderTransferData(w *core.JSON, to string, amount *int64) {
	if to == "" {
		w.N("transfer_data")
		return
	}
	w.Object("transfer_data")
	if amount != nil {
		w.I("amount", *amount)
	}
	w.S("destination", to)
	w.Close()
}

// refMethod writes a payment_method field's value.
func (s *Stripe) refMethod(a *account, w *core.JSON, id string, x expand) {
	sub, want := x.in("payment_method")
	if m := a.methods.find(id); want && m != nil {
		s.renderPaymentMethod(a, w, m, sub)
		return
	}
	ref(w, id)
}

func (n *nextAction) render(s *Stripe, pi *paymentIntent, w *core.JSON) {
	if n == nil {
		w.N("next_action")
		return
	}
	w.Object("next_action")
	switch n.typ {
	case "redirect_to_url":
		w.Object("redirect_to_url")
		w.S("return_url", n.returnURL)
		w.S("url", n.url)
		w.Close()
	case "alipay_handle_redirect":
		w.Object("alipay_handle_redirect")
		w.N("native_data", "native_url")
		w.S("return_url", n.returnURL)
		w.S("url", n.url)
		w.Close()
	case "wechat_pay_display_qr_code":
		w.Object("wechat_pay_display_qr_code")
		w.S("data", n.url)
		w.S("hosted_instructions_url", n.url)
		w.S("image_data_url", qrPlaceholder)
		w.S("image_url_png", n.url+"/qr.png")
		w.S("image_url_svg", n.url+"/qr.svg")
		w.Close()
	case "use_stripe_sdk":
		w.Object("use_stripe_sdk")
		w.S("type", "three_d_secure_redirect")
		w.S("stripe_js", n.url)
		w.S("source", "src_"+pi.id[len(pi.id)-14:])
		w.Close()
	}
	w.S("type", n.typ)
	w.Close()
}

// qrPlaceholder is a 1x1 image: the address in data is what a test follows.
const qrPlaceholder = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
