package payment

import (
	"strings"

	"github.com/tender-go/payment/internal/catalog"
)

// Text is what a person reads about a payment. The zero value is no text. It
// holds plain text, not HTML, and may be sent to a browser as it is.
type Text struct {
	Lang   string `json:"lang"`   // BCP 47 tag of the language it is written in
	Title  string `json:"title"`  // what happened, in a few words
	Body   string `json:"body"`   // what happened, in a sentence or two
	Advice string `json:"advice"` // what the reader can do now
	FAQ    string `json:"faq"`    // anchor in docs/faq.md, for example "insufficient-funds"
}

// Notice names what a page shows when no decline says it.
type Notice string

// The notices.
const (
	NoticeChecking      Notice = "checking"        // the outcome is not known: the payer must not pay again
	NoticeProcessing    Notice = "processing"      // accepted, the money is on its way
	NoticeReview        Notice = "in_review"       // a person looks at it first
	NoticeAction        Notice = "action_required" // the payer has a step to do
	NoticePaid          Notice = "paid"
	NoticeRefundPending Notice = "refund_pending"
	NoticeRefunded      Notice = "refunded"     // all of it went back
	NoticeReleased      Notice = "released"     // a hold was given back; nothing was collected
	NoticeCanceled      Notice = "canceled"     // the shop gave the payment up
	NoticeChargedBack   Notice = "charged_back" // a dispute took it back
)

// Languages returns the BCP 47 tags in which Text and NoticeText can answer,
// English first. The slice is the caller's.
func Languages() []string { return catalog.Languages() }

// Text returns what the payer reads. It is safe to show to anybody: fraud,
// lost, stolen and every reason that may hide one of them read exactly like a
// plain decline, with the same FAQ anchor. Show this; never send the Decline
// itself to a browser.
//
// lang is a BCP 47 tag or an Accept-Language header; regions fall back to
// their language (pt-BR to pt, zh-HK to zh-TW, zh to zh-CN), everything else
// to English. Text of the zero Decline is the zero Text.
func (d Decline) Text(lang string) Text {
	if d.IsZero() {
		return Text{}
	}
	key := d.payerKey()
	return lookUpText(lang, key, faqAnchor(key), func(b *catalog.Book) map[string]catalog.Entry { return b.Declines })
}

// payerKey is the text that the payer may see.
func (d Decline) payerKey() string {
	r := declineRuleOf(d.Reason)
	switch {
	case r.quiet:
		return string(ReasonDeclined)
	case d.Retry == RetryNever && (r.retry == RetrySame || r.retry == RetryLater):
		// The text asks for another try, and the card network forbids one.
		return string(ReasonDeclined)
	}
	return string(r.reason)
}

// MerchantText explains the decline to the shop's own staff, plainly: it says
// lost, stolen and fraud. It is never for a payer. English and zh-CN have it;
// every other language gets English.
func (d Decline) MerchantText(lang string) Text {
	if d.IsZero() {
		return Text{}
	}
	key := string(declineRuleOf(d.Reason).reason)
	merchant := func(b *catalog.Book) map[string]catalog.Entry { return b.Merchant }
	if t := lookUpText(lang, key, "reason-"+faqAnchor(key), merchant); t.Title != "" {
		return t
	}
	return lookUpText(catalog.Fallback, key, "reason-"+faqAnchor(key), merchant)
}

// NoticeText returns what the payer reads while a payment is not refused. lang
// is as for Decline.Text. A notice that nobody knows reads as NoticeChecking,
// which tells the payer not to pay again.
func NoticeText(n Notice, lang string) Text {
	switch n {
	case NoticeChecking, NoticeProcessing, NoticeReview, NoticeAction, NoticePaid, NoticeRefundPending,
		NoticeRefunded, NoticeReleased, NoticeCanceled, NoticeChargedBack:
	default:
		n = NoticeChecking
	}
	return lookUpText(lang, string(n), faqAnchor(string(n)), func(b *catalog.Book) map[string]catalog.Entry { return b.Notices })
}

// lookUpText reads one entry; an entry that is missing is the zero Text, and the
// tests prove that none is.
func lookUpText(lang, key, faq string, part func(*catalog.Book) map[string]catalog.Entry) Text {
	b, err := catalog.Open(lang)
	if err != nil {
		return Text{}
	}
	e, ok := part(b)[key]
	if !ok {
		return Text{}
	}
	return Text{Lang: b.Lang, Title: e.Title, Body: e.Body, Advice: e.Advice, FAQ: faq}
}

// faqAnchor turns a key into its anchor in the FAQ.
func faqAnchor(key string) string { return strings.ReplaceAll(key, "_", "-") }
