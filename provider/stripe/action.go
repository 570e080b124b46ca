package stripe

import (
	"maps"
	"strings"

	"github.com/tender-go/payment"
)

// act completes a result whose payer must act, and marks that something went
// out with which the intent can be paid without us.
func (p *Provider) act(in *intent, r payment.Result) (payment.Result, error) {
	a, why := p.action(in.NextAction, in.ClientSecret, in.PaymentMethodTypes, in.Metadata[metaFlow])
	if a == nil {
		return r, p.unreadable(stepConfirm, why)
	}
	r.Status, r.Action = payment.ResultActionRequired, a
	r.Data[dataHanded] = "1"
	return r, nil
}

// action makes data of what the payer must do. A nil action comes with the
// reason.
func (p *Provider) action(na *nextAction, secret string, types []string, flow string) (*payment.Action, string) {
	card := len(types) == 0 || types[0] == "card"
	if na == nil || na.Type == "" {
		switch {
		case flow == flowReader:
			return &payment.Action{Kind: payment.ActionWait}, ""
		case secret == "":
			return nil, "the answer lacks the client secret"
		}
		return &payment.Action{Kind: payment.ActionSDK, Params: p.params(secret, "")}, ""
	}
	switch na.Type {
	case "redirect_to_url":
		if !isURL(na.RedirectToURL.URL) {
			return nil, "the answer lacks the address to send the payer to"
		}
		kind := payment.ActionRedirect
		if card {
			kind = payment.ActionChallenge
		}
		return &payment.Action{Kind: kind, URL: na.RedirectToURL.URL, Method: "GET"}, ""
	case "alipay_handle_redirect":
		if !isURL(na.Alipay.URL) {
			return nil, "the answer lacks the address to send the payer to"
		}
		a := &payment.Action{Kind: payment.ActionRedirect, URL: na.Alipay.URL, Method: "GET"}
		if na.Alipay.NativeURL != "" || na.Alipay.NativeData != "" {
			a.Params = map[string]string{"native_url": na.Alipay.NativeURL, "native_data": na.Alipay.NativeData}
		}
		return a, ""
	case "wechat_pay_display_qr_code":
		if na.WeChatQR.Data == "" {
			return nil, "the answer lacks the content of the QR code"
		}
		return &payment.Action{Kind: payment.ActionQR, Code: na.WeChatQR.Data, Image: na.WeChatQR.ImagePNG, URL: na.WeChatQR.Hosted}, ""
	case "wechat_pay_redirect_to_android_app":
		return &payment.Action{Kind: payment.ActionSDK, Params: maps.Clone(na.WeChatAndroid.V)}, ""
	case "wechat_pay_redirect_to_ios_app":
		return &payment.Action{Kind: payment.ActionSDK, Params: maps.Clone(na.WeChatIOS.V)}, ""
	}
	// use_stripe_sdk, and whatever comes later: Stripe.js knows what to do.
	if secret == "" {
		return nil, "the answer lacks the client secret"
	}
	kind := payment.ActionSDK
	if na.Type == "use_stripe_sdk" && card {
		kind = payment.ActionChallenge
	}
	return &payment.Action{Kind: kind, Params: p.params(secret, na.Type)}, ""
}

// params are what Stripe.js or the Terminal SDK needs.
func (p *Provider) params(secret, nextAction string) map[string]string {
	m := map[string]string{"client_secret": secret}
	for k, v := range map[string]string{"publishable_key": p.publishable, "account": p.account, "next_action": nextAction} {
		if v != "" {
			m[k] = v
		}
	}
	return m
}

func isURL(s string) bool { return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") }
