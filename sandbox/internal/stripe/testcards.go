package stripe

import (
	"strconv"
	"strings"
)

// testCard is what a documented test number does: https://docs.stripe.com/testing
type testCard struct {
	number  string
	brand   string
	funding string
	country string

	decline  string // decline code at the charge; empty: approved
	block    string // outcome.reason of a Radar block
	attach   string // error when the card is attached or set up
	auth     authRule
	authFail string // what happens at the authentication itself: "" or "processing_error"

	dispute    disputeRule
	disputes   int
	refund     refundRule
	risk       string // outcome.risk_level; empty: normal
	available  bool   // funds are available at once
	cvcCheck   string
	zipCheck   string
	line1Check string
	earlyFraud bool
}

type authRule int

const (
	authUnenrolled   authRule = iota // 3D Secure may be asked for; the bank has no challenge
	authOptional                     // challenged when asked for
	authRequired                     // required on every on-session payment by the default Radar rule
	authAlways                       // required on every payment, set up or not
	authOnSetup                      // required unless the card was set up
	authIsSetUp                      // set up already: off-session passes, on-session asks
	authFrictionless                 // authenticated without a challenge
	authNone                         // 3D Secure cannot be used
)

type disputeRule int

const (
	noDispute disputeRule = iota
	disputeFraudulent
	disputeNotReceived
	disputeInquiry
)

type refundRule int

const (
	refundNow refundRule = iota
	refundPends
	refundFails
)

// testCards is the table of numbers that do something, by number.
var testCards = func() map[string]*testCard {
	m := map[string]*testCard{}
	add := func(c testCard) {
		if c.brand == "" {
			c.brand = brandOf(c.number)
		}
		if c.funding == "" {
			c.funding = "credit"
		}
		if c.country == "" {
			c.country = "US"
		}
		m[c.number] = &c
	}
	for _, c := range []testCard{
		{number: "4242424242424242"},
		{number: "4000056655665556", funding: "debit"},
		{number: "5555555555554444"},
		{number: "2223003122003222"},
		{number: "5200828282828210", funding: "debit"},
		{number: "5105105105105100", funding: "prepaid"},
		{number: "378282246310005", auth: authNone},
		{number: "371449635398431"},
		{number: "6011111111111117"},
		{number: "6011000990139424"},
		{number: "6011981111111113", funding: "debit"},
		{number: "3056930009020004"},
		{number: "36227206271667"},
		{number: "3566002020360505", country: "JP"},
		{number: "6200000000000005", country: "CN"},
		{number: "6200000000000047", country: "CN"},
		{number: "6205500000000000004", country: "CN"},

		{number: "4000000320000021", country: "AU"}, {number: "4000001240000000", country: "CA"},
		{number: "4000001560000002", country: "CN"}, {number: "4000002500000003", country: "FR"},
		{number: "4000002760000016", country: "DE"}, {number: "4000003440000004", country: "HK"},
		{number: "4000003560000008", country: "IN"}, {number: "4000003720000005", country: "IE"},
		{number: "4000003920000003", country: "JP"}, {number: "4000004840008001", country: "MX"},
		{number: "4000004580000002", country: "MY"}, {number: "4000005280000002", country: "NL"},
		{number: "4000005540000008", country: "NZ"}, {number: "4000007020000003", country: "SG"},
		{number: "4000007240000007", country: "ES"}, {number: "4000008260000000", country: "GB"},
		{number: "4000000760000002", country: "BR"},

		{number: "4000000000000002", decline: "generic_decline", attach: "generic_decline"},
		{number: "4000000000009995", decline: "insufficient_funds", attach: "insufficient_funds"},
		{number: "4000000000009987", decline: "lost_card", attach: "lost_card"},
		{number: "4000000000009979", decline: "stolen_card", attach: "stolen_card"},
		{number: "4000000000000069", decline: "expired_card", attach: "expired_card"},
		{number: "4000000000000127", decline: "incorrect_cvc", attach: "incorrect_cvc"},
		{number: "4000000000000119", decline: "processing_error", attach: "processing_error"},
		{number: "4242424242424241", decline: "incorrect_number", attach: "incorrect_number"},
		{number: "4000000000006975", decline: "card_velocity_exceeded", attach: "card_velocity_exceeded"},
		{number: "4000000000000341", decline: "generic_decline"},

		{number: "4100000000000019", decline: "fraudulent", block: "highest_risk_level", risk: "highest"},
		{number: "4000000000004954", decline: "fraudulent", block: "highest_risk_level", risk: "highest"},
		{number: "4000000000009235", risk: "elevated"},
		{number: "4000000000000101", cvcCheck: "fail"},
		{number: "4000000000000036", zipCheck: "fail"},
		{number: "4000000000000028", line1Check: "fail"},
		{number: "4000000000000010", zipCheck: "fail", line1Check: "fail"},
		{number: "4000000000000044", zipCheck: "unavailable", line1Check: "unavailable"},

		{number: "4000000000000259", dispute: disputeFraudulent, disputes: 1},
		{number: "4000000000002685", dispute: disputeNotReceived, disputes: 1},
		{number: "4000000000001976", dispute: disputeInquiry, disputes: 1},
		{number: "4000000000005423", earlyFraud: true},
		{number: "4000000404000079", dispute: disputeFraudulent, disputes: 2},

		{number: "4000000000007726", refund: refundPends},
		{number: "4000000000005126", refund: refundFails},
		{number: "4000000000000077", available: true},
		{number: "4000003720000278", available: true, country: "IE"},

		{number: "4000002500003155", auth: authOnSetup, country: "FR"},
		{number: "4000002760003184", auth: authAlways, country: "DE"},
		{number: "4000003800000446", auth: authIsSetUp, country: "IT"},
		{number: "4000008260003178", auth: authAlways, decline: "insufficient_funds", country: "GB"},
		{number: "4000000000003220", auth: authRequired, country: "IE"},
		{number: "4000000000003063", auth: authRequired},
		{number: "4000008400000027", auth: authRequired},
		{number: "4000008400001629", auth: authRequired, decline: "generic_decline"},
		{number: "4000008400001280", auth: authRequired, authFail: "processing_error"},
		{number: "4000000000003055", auth: authOptional},
		{number: "4000000000003097", auth: authOptional, authFail: "processing_error"},
		{number: "4000000032200000", auth: authFrictionless},
	} {
		add(c)
	}
	return m
}()

// cardTokens maps the documented pm_card_* (and tok_*) names to numbers.
var cardTokens = map[string]string{
	"visa": "4242424242424242", "visa_debit": "4000056655665556", "mastercard": "5555555555554444",
	"mastercard_2": "2223003122003222", "mastercard_debit": "5200828282828210", "mastercard_prepaid": "5105105105105100",
	"amex": "371449635398431", "discover": "6011111111111117", "discover_debit": "6011981111111113", "diners": "3056930009020004",
	"jcb": "3566002020360505", "unionpay": "6200000000000005", "unionpay_debit": "6200000000000047", "unionpay_19": "6205500000000000004",
	"us": "4242424242424242", "au": "4000000320000021", "ca": "4000001240000000", "cn": "4000001560000002", "fr": "4000002500000003",
	"de": "4000002760000016", "hk": "4000003440000004", "in": "4000003560000008", "ie": "4000003720000005", "jp": "4000003920000003",
	"mx": "4000004840008001", "my": "4000004580000002", "nl": "4000005280000002", "nz": "4000005540000008", "sg": "4000007020000003",
	"es": "4000007240000007", "gb": "4000008260000000", "br": "4000000760000002",

	"chargeDeclined": "4000000000000002", "chargeDeclinedInsufficientFunds": "4000000000009995",
	"chargeDeclinedLostCard": "4000000000009987", "chargeDeclinedStolenCard": "4000000000009979",
	"chargeDeclinedExpiredCard": "4000000000000069", "chargeDeclinedIncorrectCvc": "4000000000000127",
	"chargeDeclinedProcessingError": "4000000000000119", "chargeDeclinedFraudulent": "4100000000000019",
	"chargeDeclinedVelocityLimitExceeded": "4000000000006975", "chargeCustomerFail": "4000000000000341",

	"radarBlock": "4100000000000019", "riskLevelHighest": "4000000000004954", "riskLevelElevated": "4000000000009235",
	"cvcCheckFail": "4000000000000101", "avsZipFail": "4000000000000036", "avsLine1Fail": "4000000000000028",
	"avsFail": "4000000000000010", "avsUnchecked": "4000000000000044",

	"createDispute": "4000000000000259", "createDisputeProductNotReceived": "4000000000002685",
	"createDisputeInquiry": "4000000000001976", "createIssuerFraudRecord": "4000000000005423", "createMultipleDisputes": "4000000404000079",

	"pendingRefund": "4000000000007726", "refundFail": "4000000000005126",
	"bypassPending": "4000000000000077", "bypassPendingInternational": "4000003720000278",

	"authenticationRequiredOnSetup": "4000002500003155", "authenticationRequired": "4000002760003184",
	"authenticationRequiredSetupForOffSession":              "4000003800000446",
	"authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
	"threeDSecure2Required":                                 "4000000000003220", "threeDSecureRequired": "4000000000003063",
	"threeDSecureRequiredChargeDeclined": "4000008400001629", "threeDSecureRequiredProcessingError": "4000008400001280",
	"threeDSecureOptional": "4000000000003055", "threeDSecureOptionalProcessingError": "4000000000003097",
	"amex_threeDSecureNotSupported": "378282246310005",
}

// tokenNumber resolves the part of a test token after pm_card_ or tok_. Stripe
// documents some tokens with a brand in front (visa_chargeDeclined) and some without.
func tokenNumber(name string) (string, bool) {
	if n, ok := cardTokens[name]; ok {
		return n, true
	}
	n, ok := cardTokens[strings.TrimPrefix(name, "visa_")]
	return n, ok
}

// cardFor returns the behaviour of a number; a valid number outside the table
// is refused, as test mode accepts test numbers only.
func cardFor(number string) (*testCard, *apiError) {
	number = strings.NewReplacer(" ", "", "-", "").Replace(number)
	if c := testCards[number]; c != nil {
		return c, nil
	}
	if number == "" || strings.Trim(number, "0123456789") != "" || len(number) < 12 || len(number) > 19 || !luhn(number) {
		return nil, &apiError{status: 402, typ: "card_error", code: "incorrect_number", param: "number", message: "Your card number is incorrect."}
	}
	return nil, &apiError{status: 402, typ: "card_error", code: "card_declined", declineCode: "test_mode_live_card", param: "number",
		message: "Your card was declined. Your request was in test mode, but used a non test card. For a list of valid test cards, visit: https://stripe.com/docs/testing."}
}

func luhn(number string) bool {
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func brandOf(number string) string {
	two, _ := strconv.Atoi(number[:2])
	switch {
	case number[0] == '4':
		return "visa"
	case two == 34 || two == 37:
		return "amex"
	case (two >= 51 && two <= 55) || (two >= 22 && two <= 27):
		return "mastercard"
	case two == 35:
		return "jcb"
	case two == 30 || two == 36 || two == 38:
		return "diners"
	case two == 62:
		return "unionpay"
	case two == 60 || two == 65:
		return "discover"
	}
	return "unknown"
}

// decline describes a refused card: https://docs.stripe.com/declines/codes
type decline struct {
	code        string // error code
	declineCode string
	message     string
	network     string // outcome.network_status
	outcomeType string
}

// declineFor maps a decline code to the error a caller sees. Some reasons have
// an error code of their own; the others are card_declined.
func declineFor(reason string) decline {
	d := decline{code: "card_declined", declineCode: reason, message: "Your card was declined.", network: "declined_by_network", outcomeType: "issuer_declined"}
	switch reason {
	case "expired_card":
		d.code, d.message = "expired_card", "Your card has expired."
	case "incorrect_cvc", "invalid_cvc":
		d.code, d.message = "incorrect_cvc", "Your card's security code is incorrect."
	case "processing_error":
		d.code, d.message = "processing_error", "An error occurred while processing your card. Try again in a little bit."
	case "incorrect_number", "invalid_number":
		d.code, d.message = "incorrect_number", "Your card number is incorrect."
	case "incorrect_zip":
		d.code, d.message = "incorrect_zip", "Your card's postal code is incorrect."
	case "authentication_required":
		d.code, d.message = "authentication_required", "Your card was declined. This transaction requires authentication."
	case "insufficient_funds":
		d.message = "Your card has insufficient funds."
	case "card_velocity_exceeded":
		d.message = "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."
	case "card_not_supported":
		d.message = "Your card does not support this type of purchase."
	case "currency_not_supported":
		d.message = "Your card does not support this currency."
	case "try_again_later", "issuer_not_available", "reenter_transaction":
		d.message = "Your card was declined. You can try again in a little bit."
	}
	return d
}
