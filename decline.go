package payment

import (
	"slices"
	"strings"
	"time"
)

// Reason is the unified reason of a decline, the same for every provider and
// method. The zero value is none. Values are stored and sent in events: they
// never change their meaning, and new ones are only added.
type Reason string

// The reasons of a refused payment, capture, refund or payout. The rule of
// each (who can fix it, may another provider be asked, may the payer repeat)
// stands in the table below.
const (
	// The bank refused and named no cause.

	ReasonDoNotHonor Reason = "do_not_honor" // the issuer refuses without a cause (ISO 8583 code 05)
	ReasonCallIssuer Reason = "call_issuer"  // the issuer wants to hear from its customer first (01, 02)
	ReasonDeclined   Reason = "declined"     // the provider's own catch-all; unlike do_not_honor it may hide a risk block

	// Money and limits.

	ReasonInsufficientFunds Reason = "insufficient_funds" // account or credit line does not cover the amount (51)
	ReasonLimitExceeded     Reason = "limit_exceeded"     // over the payer's own spending or withdrawal limit (61)
	ReasonVelocityExceeded  Reason = "velocity_exceeded"  // too many uses or attempts in a period (65)

	// Card and account data.

	ReasonExpiredCard       Reason = "expired_card"        // the card is past its date (54)
	ReasonInvalidCardNumber Reason = "invalid_card_number" // no such card (14), or no such issuer (15)
	ReasonInvalidExpiry     Reason = "invalid_expiry"      // the date entered is not the card's
	ReasonIncorrectCVC      Reason = "incorrect_cvc"       // the security code is wrong (N7, 82)
	ReasonIncorrectAddress  Reason = "incorrect_address"   // the billing address or postal code does not match
	ReasonIncorrectPIN      Reason = "incorrect_pin"       // the PIN is wrong (55)
	ReasonPINTriesExceeded  Reason = "pin_tries_exceeded"  // the PIN was wrong too often (75)
	ReasonInvalidAccount    Reason = "invalid_account"     // bank account unknown, closed or unable to take part (46, 78)
	ReasonInvalidToken      Reason = "invalid_token"       // the saved or one-time token is used up, expired or unknown

	// State of the card. Most of these are quiet: the payer reads a plain
	// decline, because the payer may not be the cardholder.

	ReasonLostCard                Reason = "lost_card"                 // reported lost (41)
	ReasonStolenCard              Reason = "stolen_card"               // reported stolen (43)
	ReasonPickupCard              Reason = "pickup_card"               // the issuer wants the card kept (04, 07)
	ReasonRestrictedCard          Reason = "restricted_card"           // restricted by the issuer, lost or stolen included (62)
	ReasonCardBlocked             Reason = "card_blocked"              // blocked or frozen by issuer or cardholder
	ReasonCardNotActivated        Reason = "card_not_activated"        // a new card that was never activated
	ReasonTransactionNotPermitted Reason = "transaction_not_permitted" // the card does not allow this kind, country or currency of payment (57)
	ReasonMandateRevoked          Reason = "mandate_revoked"           // the payer ended the recurring agreement or mandate (R0, R1, R3, MAC 21)

	// Fraud and law. Quiet.

	ReasonSuspectedFraud Reason = "suspected_fraud" // the issuer suspects fraud (59, 63)
	ReasonRiskBlocked    Reason = "risk_blocked"    // a risk rule of the shop or of the provider refused
	ReasonSanctions      Reason = "sanctions"       // sanctions, money laundering or another legal bar (93): telling the payer may be an offence

	// Authentication.

	ReasonAuthenticationRequired    Reason = "authentication_required"    // a soft decline that asks for 3DS or the like (1A; 65 at Mastercard in Europe)
	ReasonAuthenticationFailed      Reason = "authentication_failed"      // 3DS, wallet or bank log-in failed or was refused
	ReasonAuthenticationUnavailable Reason = "authentication_unavailable" // the check itself could not run
	ReasonIdentityRequired          Reason = "identity_required"          // the wallet or bank wants the payer's identity first

	// Technical. The refusal is proven; a time-out is no decline.

	ReasonIssuerUnavailable   Reason = "issuer_unavailable"   // bank or wallet could not be reached (91)
	ReasonProviderUnavailable Reason = "provider_unavailable" // the provider says that it cannot work now
	ReasonProcessorError      Reason = "processor_error"      // a fault on the way, refused for certain (06, 96)
	ReasonTryAgainLater       Reason = "try_again_later"      // the provider asks for a new try and says no more (19)

	// Not offered here.

	ReasonMethodNotSupported    Reason = "method_not_supported"   // this account does not take the method or card brand
	ReasonCurrencyNotSupported  Reason = "currency_not_supported" // this account does not take the currency (a card that cannot: transaction_not_permitted)
	ReasonCountryNotSupported   Reason = "country_not_supported"  // not offered in the payer's country
	ReasonAmountTooLarge        Reason = "amount_too_large"       // above what provider or method takes
	ReasonAmountTooSmall        Reason = "amount_too_small"       // below what provider or method takes
	ReasonMerchantConfiguration Reason = "merchant_configuration" // the shop's account lacks a permission or setting, or is off (03)
	ReasonDuplicate             Reason = "duplicate"              // refused as a repeat; only where it is proven that this one took no money

	// The payer, wallets, bank redirects and QR codes.

	ReasonPayerCanceled     Reason = "payer_canceled"      // the payer left or pressed cancel
	ReasonExpired           Reason = "expired"             // the payer did not finish in time
	ReasonWalletBalance     Reason = "wallet_balance"      // the wallet does not hold enough
	ReasonWalletRestricted  Reason = "wallet_restricted"   // the payer's wallet account is limited or closed
	ReasonFundingSource     Reason = "funding_source"      // the card or bank inside the wallet was refused: choose another there
	ReasonPaymentCodeFailed Reason = "payment_code_failed" // the code shown at a till is expired, used or unreadable

	// Crypto.

	ReasonUnderpaid  Reason = "underpaid"   // less arrived than was due, and time is over
	ReasonPaidLate   Reason = "paid_late"   // the transfer came after the quoted price had ended
	ReasonWrongAsset Reason = "wrong_asset" // another coin or network than the one asked for

	// Captures, refunds and payouts.

	ReasonAuthorizationExpired Reason = "authorization_expired" // captured after the hold had ended
	ReasonRefundWindowOver     Reason = "refund_window_over"    // the provider or method takes no refund this late
	ReasonRefundNotAllowed     Reason = "refund_not_allowed"    // not refundable, or not by this sum
	ReasonRefundDestination    Reason = "refund_destination"    // the payer's card or account can no longer be credited
	ReasonMerchantBalance      Reason = "merchant_balance"      // the shop's balance at the provider is too low

	// ReasonUnknown is a decline whose code nobody has mapped yet: safe, and
	// worth a look in Decline.Code.
	ReasonUnknown Reason = "unknown"
)

// Fault says who can put a decline right. The zero value is none.
type Fault string

// Who can put a decline right.
const (
	FaultPayer    Fault = "payer"
	FaultIssuer   Fault = "issuer" // the payer's bank or wallet
	FaultMerchant Fault = "merchant"
	FaultProvider Fault = "provider"
	FaultUnknown  Fault = "unknown"
)

// Retry says whether the same card, account or wallet may be tried again. The
// zero value is none.
//
// To a payer RetryOther and RetryNever look the same: the page offers other
// methods. A page that told them apart would tell a thief which cards are
// reported. They differ for machines: what is RetryNever is not charged again
// by a subscription either.
type Retry string

// Whether the same card, account or wallet may be tried again.
const (
	RetrySame  Retry = "same"  // again at once, as it is or corrected
	RetryLater Retry = "later" // again, but not now: see Decline.RetryAfter
	RetryOther Retry = "other" // not as it stands: another method, or another card
	RetryNever Retry = "never" // never again: networks fine a shop that does
)

// Decline is a definitive refusal: no money moved, and none will by this
// attempt. The zero value is none. An unknown outcome is not a decline, and
// neither is a code that says "already done".
//
// Build it with NewDecline. It is a plain value: comparable, and safe to copy.
// It is for the shop, not for the payer: a page shows Decline.Text.
type Decline struct {
	Reason Reason `json:"reason,omitempty"`
	// Code is the provider's own code, unchanged.
	Code string `json:"code,omitempty"`
	// Message is the provider's text for the merchant, scrubbed. It is never
	// shown to a payer: it may say "stolen".
	Message string `json:"message,omitempty"`
	// NetworkCode is the card network's response code (ISO 8583 field 39),
	// AdviceCode its advice (Mastercard merchant advice code, Visa category).
	// Both are empty when the provider gives none.
	NetworkCode string `json:"network_code,omitempty"`
	AdviceCode  string `json:"advice_code,omitempty"`

	Fault Fault `json:"fault,omitempty"`
	// OtherProvider says that another provider may help. Nothing else lets a
	// decline fail over, and a true counts only where the reason allows it:
	// see MayFailOver.
	OtherProvider bool  `json:"other_provider,omitempty"`
	Retry         Retry `json:"retry,omitempty"`
}

// IsZero reports whether d is no decline.
func (d Decline) IsZero() bool { return d == Decline{} }

// NewDecline returns the decline for a reason, with Fault, OtherProvider and
// Retry as the reason has them. code is the provider's own, unchanged. A
// reason that is not one of Reasons becomes ReasonUnknown, which stops: a gap
// in a provider's mapping never lets a payment travel on.
func NewDecline(reason Reason, code string) Decline {
	r := declineRuleOf(reason)
	return Decline{Reason: r.reason, Code: code, Fault: r.fault, OtherProvider: r.other, Retry: r.retry}
}

// MayFailOver reports whether another provider may be asked: OtherProvider is
// set, the reason allows it and no advice of the card network forbids it. A
// field set by hand can narrow the rules of this package, not widen them.
func (d Decline) MayFailOver() bool {
	if d.IsZero() || !d.OtherProvider || !declineRuleOf(d.Reason).other {
		return false
	}
	return readAdvice(d.NetworkCode, d.AdviceCode).word == adviceNone
}

// Reasons returns every reason, ReasonUnknown last. The slice is the caller's.
func Reasons() []Reason {
	all := make([]Reason, len(declineRules))
	for i := range declineRules {
		all[i] = declineRules[i].reason
	}
	return all
}

// Valid reports whether r is one of Reasons.
func (r Reason) Valid() bool {
	return slices.ContainsFunc(declineRules[:], func(x declineRule) bool { return x.reason == r })
}

// declineRule is what holds for a reason until a card network says more.
type declineRule struct {
	reason Reason
	fault  Fault
	other  bool // another provider may help
	retry  Retry
	quiet  bool // the payer reads the plain decline and nothing else
}

// declineRules holds the default of every reason. other is true only where the
// refusal belongs to one provider's connection, account or limits, or where an
// issuer named no cause; whatever speaks of the account, the payer or the law
// is the same through every provider.
//
// Sources: Stripe "Decline codes" (next steps; which codes to show only as a
// generic decline), Adyen "Refusal reasons" (which may be tried again; details
// are not for shoppers), PayPal "Processor response codes", ISO 8583 field 39
// as published by acquirers, Visa's four decline categories and Mastercard's
// merchant advice codes. Where they differ the stricter one stands.
var declineRules = [...]declineRule{
	// Issuers use 05 for almost anything, and it depends on the acquirer's
	// route and data quality; Visa files it under "generic", open to a retry.
	{ReasonDoNotHonor, FaultIssuer, true, RetryOther, true},
	{ReasonCallIssuer, FaultIssuer, false, RetryOther, true},
	// Stripe's generic_decline may be a block by its own Radar.
	{ReasonDeclined, FaultUnknown, false, RetryOther, true},

	// Visa category 2: may be approved later, by the same issuer only.
	{ReasonInsufficientFunds, FaultPayer, false, RetryLater, false},
	{ReasonLimitExceeded, FaultPayer, false, RetryLater, false},
	{ReasonVelocityExceeded, FaultPayer, false, RetryLater, false},

	// Visa category 3: the details must change first.
	{ReasonExpiredCard, FaultPayer, false, RetryOther, false},
	{ReasonInvalidCardNumber, FaultPayer, false, RetryOther, false},
	{ReasonInvalidExpiry, FaultPayer, false, RetrySame, false},
	{ReasonIncorrectCVC, FaultPayer, false, RetrySame, false},
	{ReasonIncorrectAddress, FaultPayer, false, RetrySame, false},
	{ReasonIncorrectPIN, FaultPayer, false, RetrySame, false},
	{ReasonPINTriesExceeded, FaultPayer, false, RetryOther, false},
	{ReasonInvalidAccount, FaultPayer, false, RetryOther, false},
	// A token belongs to one provider: another has never heard of it.
	{ReasonInvalidToken, FaultPayer, false, RetrySame, false},

	// Visa category 1 and Mastercard MAC 03: never approved, fined when tried
	// again. Stripe: show lost, stolen, pickup and fraud as a generic decline.
	{ReasonLostCard, FaultIssuer, false, RetryNever, true},
	{ReasonStolenCard, FaultIssuer, false, RetryNever, true},
	{ReasonPickupCard, FaultIssuer, false, RetryNever, true},
	{ReasonRestrictedCard, FaultIssuer, false, RetryNever, true},
	{ReasonCardBlocked, FaultIssuer, false, RetryOther, true},
	{ReasonCardNotActivated, FaultPayer, false, RetryLater, false},
	{ReasonTransactionNotPermitted, FaultIssuer, false, RetryOther, false},
	{ReasonMandateRevoked, FaultPayer, false, RetryNever, false},

	{ReasonSuspectedFraud, FaultIssuer, false, RetryNever, true},
	{ReasonRiskBlocked, FaultMerchant, false, RetryOther, true},
	{ReasonSanctions, FaultMerchant, false, RetryNever, true},

	// The payer must act, and with the provider that asked.
	{ReasonAuthenticationRequired, FaultPayer, false, RetrySame, false},
	{ReasonAuthenticationFailed, FaultPayer, false, RetrySame, false},
	// Elsewhere the check might be skipped, not repaired.
	{ReasonAuthenticationUnavailable, FaultIssuer, false, RetryLater, false},
	{ReasonIdentityRequired, FaultPayer, false, RetryLater, false},

	{ReasonIssuerUnavailable, FaultIssuer, true, RetryLater, false},
	{ReasonProviderUnavailable, FaultProvider, true, RetryLater, false},
	{ReasonProcessorError, FaultProvider, true, RetrySame, false},
	{ReasonTryAgainLater, FaultProvider, true, RetryLater, false},

	// One provider's offer and limits; another's may differ.
	{ReasonMethodNotSupported, FaultMerchant, true, RetryOther, false},
	{ReasonCurrencyNotSupported, FaultMerchant, true, RetryOther, false},
	// A bar by country is often a bar by law: never routed around.
	{ReasonCountryNotSupported, FaultMerchant, false, RetryOther, false},
	{ReasonAmountTooLarge, FaultMerchant, true, RetryOther, false},
	{ReasonAmountTooSmall, FaultMerchant, true, RetryOther, false},
	{ReasonMerchantConfiguration, FaultMerchant, true, RetryOther, false},
	// The first of the two may have been paid: a person looks before the next.
	{ReasonDuplicate, FaultMerchant, false, RetryNever, false},

	{ReasonPayerCanceled, FaultPayer, false, RetrySame, false},
	{ReasonExpired, FaultPayer, false, RetrySame, false},
	{ReasonWalletBalance, FaultPayer, false, RetryLater, false},
	{ReasonWalletRestricted, FaultPayer, false, RetryOther, false},
	{ReasonFundingSource, FaultPayer, false, RetrySame, false},
	{ReasonPaymentCodeFailed, FaultPayer, false, RetrySame, false},

	// Coins may have arrived: a person, or a refund, settles them first.
	{ReasonUnderpaid, FaultPayer, false, RetryNever, false},
	{ReasonPaidLate, FaultPayer, false, RetryNever, false},
	{ReasonWrongAsset, FaultPayer, false, RetryNever, false},

	// These follow one charge at one provider and cannot move.
	{ReasonAuthorizationExpired, FaultMerchant, false, RetryNever, false},
	{ReasonRefundWindowOver, FaultMerchant, false, RetryNever, false},
	{ReasonRefundNotAllowed, FaultMerchant, false, RetryNever, false},
	{ReasonRefundDestination, FaultPayer, false, RetryNever, false},
	{ReasonMerchantBalance, FaultMerchant, false, RetryLater, false},

	{ReasonUnknown, FaultUnknown, false, RetryOther, true},
}

// declineRuleOf returns the rule of a reason; a reason nobody knows gets that of
// ReasonUnknown.
func declineRuleOf(r Reason) declineRule {
	for i := range declineRules {
		if declineRules[i].reason == r {
			return declineRules[i]
		}
	}
	return declineRules[len(declineRules)-1]
}

// WithAdvice adds the card network's response code (ISO 8583 field 39) and
// advice, and lets them narrow the decline: the network's word comes before
// any table, and it never widens one. Both may be empty, and may carry text
// after the code ("05 : Do not honor"). Advice is a Mastercard merchant advice
// code (two digits), a Visa decline category (one digit), or Stripe's word for
// either, exactly as the network has it: a provider that renumbers it is
// translated by its adapter (PayPal's 02 for Visa means "stop this payment").
// A code nobody knows changes nothing. On the zero Decline it does nothing.
func (d Decline) WithAdvice(networkCode, adviceCode string) Decline {
	if d.IsZero() {
		return d
	}
	d.NetworkCode, d.AdviceCode = strings.TrimSpace(networkCode), strings.TrimSpace(adviceCode)
	switch readAdvice(d.NetworkCode, d.AdviceCode).word {
	case adviceNever:
		d.OtherProvider, d.Retry = false, RetryNever
	case adviceLater:
		d.OtherProvider = false
		if d.Retry != RetryNever {
			d.Retry = RetryLater
		}
	case adviceUpdate:
		d.OtherProvider = false
		if d.Retry == RetryLater {
			d.Retry = RetrySame
		}
	case adviceIssuer:
		d.OtherProvider = false
	}
	return d
}

// RetryAfter is how long the card network asks to wait before the same card is
// tried again; 0 where it names no time. Source: Mastercard merchant advice
// codes 02 (72 hours) and 24 to 30.
func (d Decline) RetryAfter() time.Duration {
	if d.Retry != RetryLater {
		return 0
	}
	return readAdvice(d.NetworkCode, d.AdviceCode).wait
}

// adviceWord is what the network's codes come to.
type adviceWord uint8

const (
	adviceNone   adviceWord = iota
	adviceIssuer            // the issuer's word on the account: the same through every provider
	adviceUpdate            // the details must change first
	adviceLater             // not now
	adviceNever             // never again
)

type advice struct {
	word adviceWord
	wait time.Duration
}

// readAdvice reads both codes; the advice comes first, and the stricter word
// of the two stands.
func readAdvice(networkCode, adviceCode string) advice {
	a := adviceOf(leadingCode(adviceCode))
	if w := networkWord(leadingCode(networkCode)); w > a.word {
		a = advice{word: w}
	}
	return a
}

// leadingCode returns the code before any text: "03 : Do not try again" and
// "03_DO_NOT_TRY_AGAIN" are both 03. Stripe's words stay whole.
func leadingCode(s string) string {
	s = strings.TrimSpace(s)
	end := strings.IndexFunc(s, func(r rune) bool { return r == ' ' || r == ':' || r == '\t' })
	if end >= 0 {
		s = s[:end]
	}
	if len(s) > 2 && isDigit(s[0]) {
		if before, _, found := strings.Cut(s, "_"); found {
			s = before
		}
	}
	return s
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// adviceOf reads an advice code. One digit is a Visa category, two a
// Mastercard code: 1 (never) and 01 (update the details) are opposites.
//
// Codes that only describe the card or the shop (04, 05, 22, 40, 41, 43, Visa
// 4) change nothing.
func adviceOf(code string) advice {
	const hour, day = time.Hour, 24 * time.Hour
	switch code {
	case "1", // Visa: the issuer will never approve
		"03", "21", "42", // Mastercard: do not try again; payment canceled; sanctions score
		"do_not_try_again":
		return advice{word: adviceNever}
	case "3", "01", "confirm_card_data": // update the details, then try again
		return advice{word: adviceUpdate}
	case "2", "try_again_later":
		return advice{word: adviceLater}
	case "02":
		return advice{word: adviceLater, wait: 72 * hour}
	case "24":
		return advice{word: adviceLater, wait: hour}
	case "25":
		return advice{word: adviceLater, wait: day}
	case "26":
		return advice{word: adviceLater, wait: 2 * day}
	case "27":
		return advice{word: adviceLater, wait: 4 * day}
	case "28":
		return advice{word: adviceLater, wait: 6 * day}
	case "29":
		return advice{word: adviceLater, wait: 8 * day}
	case "30":
		return advice{word: adviceLater, wait: 10 * day}
	}
	return advice{}
}

// networkWord reads a response code whose meaning does not depend on the
// network: those in Visa's category 1 that speak of the card itself, and those
// that speak of the account, the payer or the law. 03 (merchant) and 12
// (transaction) are left out: networks file them differently. 14 (no such
// card) may be a slip of the payer's hand, so it does not forbid a correction.
func networkWord(code string) adviceWord {
	switch strings.ToUpper(code) {
	case "04", "07", "41", "43", "46", "57", "R0", "R1", "R3":
		return adviceNever
	case "14", "15", "51", "54", "55", "59", "61", "62", "63", "65", "75", "78", "82", "93", "1A", "N7":
		return adviceIssuer
	}
	return adviceNone
}
