package stripe

import (
	"github.com/tender-go/payment"
	"github.com/tender-go/payment/internal/httpx"
)

// declines maps every code by which Stripe refuses a payment, capture, refund
// or transfer for good. What is not in here is no refusal of the payment: a
// mistake in the request, a setting of the account, or no outcome at all.
//
// Sources: docs.stripe.com/declines/codes (cards and local payment methods),
// docs.stripe.com/error-codes, and failure_reason in docs.stripe.com/api/refunds.
var declines = map[string]payment.Reason{
	// Card declines.
	"authentication_required":               payment.ReasonAuthenticationRequired,
	"authentication_not_handled":            payment.ReasonAuthenticationRequired,
	"mobile_device_authentication_required": payment.ReasonAuthenticationRequired,
	"approve_with_id":                       payment.ReasonCallIssuer,
	"call_issuer":                           payment.ReasonCallIssuer,
	"card_not_supported":                    payment.ReasonTransactionNotPermitted,
	"card_velocity_exceeded":                payment.ReasonLimitExceeded,
	"currency_not_supported":                payment.ReasonTransactionNotPermitted, // the card's own limit, not the account's
	"do_not_honor":                          payment.ReasonDoNotHonor,
	"do_not_try_again":                      payment.ReasonDeclined, // narrowed below: Stripe files it as an advice now
	"duplicate_transaction":                 payment.ReasonDuplicate,
	"expired_card":                          payment.ReasonExpiredCard,
	"fraudulent":                            payment.ReasonSuspectedFraud,
	"generic_decline":                       payment.ReasonDeclined,
	"incorrect_address":                     payment.ReasonIncorrectAddress,
	"incorrect_cvc":                         payment.ReasonIncorrectCVC,
	"incorrect_number":                      payment.ReasonInvalidCardNumber,
	"incorrect_pin":                         payment.ReasonIncorrectPIN,
	"incorrect_zip":                         payment.ReasonIncorrectAddress,
	"insufficient_funds":                    payment.ReasonInsufficientFunds,
	"invalid_account":                       payment.ReasonInvalidAccount,
	"invalid_amount":                        payment.ReasonLimitExceeded,
	"invalid_cvc":                           payment.ReasonIncorrectCVC,
	"invalid_expiry_month":                  payment.ReasonInvalidExpiry,
	"invalid_expiry_year":                   payment.ReasonInvalidExpiry,
	"invalid_number":                        payment.ReasonInvalidCardNumber,
	"invalid_pin":                           payment.ReasonIncorrectPIN,
	"issuer_not_available":                  payment.ReasonIssuerUnavailable,
	"lost_card":                             payment.ReasonLostCard,
	"merchant_blacklist":                    payment.ReasonRiskBlocked,
	"new_account_information_available":     payment.ReasonInvalidAccount,
	"no_action_taken":                       payment.ReasonDeclined,
	"not_permitted":                         payment.ReasonTransactionNotPermitted,
	"offline_pin_required":                  payment.ReasonAuthenticationRequired,
	"online_or_offline_pin_required":        payment.ReasonAuthenticationRequired,
	"pickup_card":                           payment.ReasonPickupCard,
	"pin_try_exceeded":                      payment.ReasonPINTriesExceeded,
	"processing_error":                      payment.ReasonProcessorError,
	"reenter_transaction":                   payment.ReasonTryAgainLater,
	"restricted_card":                       payment.ReasonRestrictedCard,
	"revocation_of_all_authorizations":      payment.ReasonMandateRevoked,
	"revocation_of_authorization":           payment.ReasonMandateRevoked,
	"security_violation":                    payment.ReasonSuspectedFraud,
	"service_not_allowed":                   payment.ReasonTransactionNotPermitted,
	"stolen_card":                           payment.ReasonStolenCard,
	"stop_payment_order":                    payment.ReasonMandateRevoked,
	"testmode_decline":                      payment.ReasonDeclined, // a test card with a live key
	"test_mode_live_card":                   payment.ReasonDeclined, // a real card with a test key
	"live_mode_test_card":                   payment.ReasonDeclined,
	"transaction_not_allowed":               payment.ReasonTransactionNotPermitted,
	"try_again_later":                       payment.ReasonTryAgainLater,
	"withdrawal_count_limit_exceeded":       payment.ReasonVelocityExceeded,
	"highest_risk_level":                    payment.ReasonRiskBlocked,
	"rule":                                  payment.ReasonRiskBlocked,
	"lost_or_stolen_card":                   payment.ReasonStolenCard,
	"card_already_activated":                payment.ReasonDeclined,
	"invalid_track_data":                    payment.ReasonInvalidCardNumber,

	// Local payment methods.
	"partner_generic_decline":                             payment.ReasonDeclined,
	"invalid_customer_account":                            payment.ReasonWalletRestricted,
	"payment_limit_exceeded":                              payment.ReasonLimitExceeded,
	"invalid_billing_agreement":                           payment.ReasonMandateRevoked,
	"partner_expired_card":                                payment.ReasonFundingSource,
	"partner_processing_error":                            payment.ReasonProcessorError,
	"partner_insufficient_funds":                          payment.ReasonInsufficientFunds,
	"partner_invalid_currency":                            payment.ReasonCurrencyNotSupported,
	"partner_invalid_amount":                              payment.ReasonLimitExceeded,
	"invalid_business_account":                            payment.ReasonMerchantConfiguration,
	"partner_high_risk_customer":                          payment.ReasonSuspectedFraud,
	"compliance_violation":                                payment.ReasonSanctions,
	"payment_disputed":                                    payment.ReasonRefundNotAllowed,
	"invalid_authorization":                               payment.ReasonMandateRevoked,
	"invalid_payment_information":                         payment.ReasonFundingSource,
	"partner_payment_not_found":                           payment.ReasonExpired,
	"expired_payment_information":                         payment.ReasonFundingSource,
	"partner_duplicate_transaction":                       payment.ReasonDuplicate,
	"recurring_not_supported_by_bank":                     payment.ReasonTransactionNotPermitted,
	"partner_action_not_supported":                        payment.ReasonTransactionNotPermitted,
	"payment_intent_payment_attempt_failed":               payment.ReasonDeclined,
	"payment_intent_payment_attempt_expired":              payment.ReasonExpired,
	"payment_method_provider_decline":                     payment.ReasonDeclined,
	"payment_method_customer_decline":                     payment.ReasonPayerCanceled,
	"payment_method_provider_timeout":                     payment.ReasonIssuerUnavailable,
	"payment_method_not_available":                        payment.ReasonProviderUnavailable,
	"payment_method_currency_mismatch":                    payment.ReasonCurrencyNotSupported,
	"payment_method_unactivated":                          payment.ReasonMethodNotSupported,
	"payment_intent_incompatible_payment_method":          payment.ReasonMethodNotSupported,
	"payment_method_unsupported_type":                     payment.ReasonMethodNotSupported,
	"refer_to_customer":                                   payment.ReasonDeclined,
	"debit_not_authorized":                                payment.ReasonMandateRevoked,
	"bank_account_declined":                               payment.ReasonInvalidAccount,
	"bank_account_restricted":                             payment.ReasonWalletRestricted,
	"bank_account_unusable":                               payment.ReasonInvalidAccount,
	"no_account":                                          payment.ReasonInvalidAccount,
	"account_closed":                                      payment.ReasonInvalidAccount,
	"payment_method_bank_account_blocked":                 payment.ReasonInvalidAccount,
	"payment_intent_mandate_invalid":                      payment.ReasonMandateRevoked,
	"setup_intent_mandate_invalid":                        payment.ReasonMandateRevoked,
	"billing_invalid_mandate":                             payment.ReasonMandateRevoked,
	"payment_intent_konbini_rejected_confirmation_number": payment.ReasonDeclined,

	// Error codes of the API that refuse the payer's instrument.
	"card_declined":                         payment.ReasonDeclined,
	"card_decline_rate_limit_exceeded":      payment.ReasonVelocityExceeded,
	"invalid_card_type":                     payment.ReasonMethodNotSupported,
	"payment_intent_authentication_failure": payment.ReasonAuthenticationFailed,
	"setup_intent_authentication_failure":   payment.ReasonAuthenticationFailed,
	"payment_intent_action_required":        payment.ReasonAuthenticationRequired,
	"setup_attempt_failed":                  payment.ReasonDeclined,
	"setup_intent_setup_attempt_expired":    payment.ReasonExpired,
	"token_already_used":                    payment.ReasonInvalidToken,
	"token_in_use":                          payment.ReasonInvalidToken,
	"token_card_network_invalid":            payment.ReasonMethodNotSupported,
	"invalid_source_usage":                  payment.ReasonInvalidToken,
	"postal_code_invalid":                   payment.ReasonIncorrectAddress,
	"country_unsupported":                   payment.ReasonCountryNotSupported,
	"account_number_invalid":                payment.ReasonInvalidAccount,
	"routing_number_invalid":                payment.ReasonInvalidAccount,
	"sepa_unsupported_account":              payment.ReasonInvalidAccount,

	// Error codes about the amount.
	"amount_too_large":                 payment.ReasonAmountTooLarge,
	"amount_too_small":                 payment.ReasonAmountTooSmall,
	"charge_exceeds_source_limit":      payment.ReasonLimitExceeded,
	"charge_exceeds_transaction_limit": payment.ReasonAmountTooLarge,

	// Captures, refunds and transfers.
	"capture_charge_authorization_expired": payment.ReasonAuthorizationExpired,
	"charge_expired_for_capture":           payment.ReasonAuthorizationExpired,
	"charge_already_refunded":              payment.ReasonRefundNotAllowed,
	"charge_disputed":                      payment.ReasonRefundNotAllowed,
	"charge_not_refundable":                payment.ReasonRefundNotAllowed,
	"refund_disputed_payment":              payment.ReasonRefundNotAllowed,
	"balance_insufficient":                 payment.ReasonMerchantBalance,
	"transfers_not_allowed":                payment.ReasonMerchantConfiguration,
	"payouts_not_allowed":                  payment.ReasonMerchantConfiguration,
	"application_fees_not_allowed":         payment.ReasonMerchantConfiguration,

	// failure_reason of a refund.
	"expired_or_canceled_card":           payment.ReasonRefundDestination,
	"unknown":                            payment.ReasonUnknown,
	"declined":                           payment.ReasonRefundDestination,
	"merchant_request":                   payment.ReasonRefundNotAllowed,
	"charge_for_pending_refund_disputed": payment.ReasonRefundNotAllowed,

	// Terminal readers.
	"customer_canceled":              payment.ReasonPayerCanceled,
	"terminal_reader_offline":        payment.ReasonProviderUnavailable,
	"terminal_reader_busy":           payment.ReasonTryAgainLater,
	"terminal_reader_timeout":        payment.ReasonTryAgainLater,
	"terminal_reader_hardware_fault": payment.ReasonProviderUnavailable,
}

// noDeclines are the documented error codes that do not refuse a payment: they
// speak of the key, of the request, of another object, or say that the outcome
// is open. A code that is in neither table is a decline of unknown reason.
//
// Source: docs.stripe.com/error-codes.
var noDeclines = map[string]bool{
	"idempotency_key_in_use": true, "lock_timeout": true, "rate_limit": true, "processing": true,
	"api_key_expired": true, "platform_api_key_expired": true, "secret_key_required": true, "platform_account_required": true,
	"livemode_mismatch": true, "testmode_charges_only": true, "tls_version_unsupported": true, "account_invalid": true,
	"charge_already_captured": true, "charge_invalid_parameter": true, "capture_unauthorized_payment": true,
	"payment_intent_unexpected_state": true, "payment_intent_invalid_parameter": true, "setup_intent_unexpected_state": true,
	"setup_intent_invalid_parameter": true, "payment_method_unexpected_state": true, "payment_method_invalid_parameter": true,
	"payment_method_invalid_parameter_testmode": true, "payment_method_billing_details_address_missing": true,
	"payment_method_configuration_failures": true, "intent_invalid_state": true, "intent_verification_method_missing": true,
	"parameter_invalid_empty": true, "parameter_invalid_integer": true, "parameter_invalid_string_blank": true,
	"parameter_invalid_string_empty": true, "parameter_missing": true, "parameter_unknown": true, "parameters_exclusive": true,
	"resource_missing": true, "resource_already_exists": true, "missing": true, "url_invalid": true, "email_invalid": true,
	"invalid_charge_amount": true, "invalid_characters": true, "country_code_invalid": true, "return_intent_already_processed": true,
	"status_transition_invalid": true, "transfer_source_balance_parameters_mismatch": true, "not_allowed_on_standard_account": true,
	"balance_invalid_parameter": true, "customer_max_payment_methods": true, "alipay_upgrade_required": true,
	"payout_reconciliation_not_ready": true,
}

// DeclineFor returns what one of Stripe's codes means: a decline_code, the code
// of an error that refuses a payment, a charge's outcome reason, or a refund's
// failure_reason. It returns the zero Decline for a documented code that is no
// refusal (idempotency_key_in_use, lock_timeout, rate_limit, parameter_missing,
// ...) and for "", and a decline with [payment.ReasonUnknown] for a code that
// nobody has documented yet.
func DeclineFor(code string) payment.Decline {
	if d, ok := documented(code); ok {
		return d
	}
	if code == "" || noDeclines[code] {
		return payment.Decline{}
	}
	return payment.NewDecline(payment.ReasonUnknown, code)
}

// documented returns the decline for a code in the table.
func documented(code string) (payment.Decline, bool) {
	reason, ok := declines[code]
	if !ok {
		return payment.Decline{}, false
	}
	d := payment.NewDecline(reason, code)
	if code == "do_not_try_again" {
		d.Retry, d.OtherProvider = payment.RetryNever, false
	}
	return d, true
}

// decline reads the refusal in an error object: the decline code first, since
// the error code beside it mostly says no more than card_declined. ok is false
// if neither is documented as a refusal.
func (e *apiError) decline() (payment.Decline, bool) {
	d, ok := documented(e.DeclineCode)
	if !ok || d.Reason == payment.ReasonDeclined {
		// incorrect_cvc beside generic_decline says more, and an unknown
		// decline code must not hide what the error code says.
		if byCode, known := documented(e.Code); known && (!ok || byCode.Reason != payment.ReasonDeclined) {
			d, ok = byCode, true
			if e.DeclineCode != "" {
				d.Code = httpx.Scrub(e.DeclineCode)
			}
		}
	}
	if !ok {
		return payment.Decline{}, false
	}
	return e.dress(d), true
}

// refusal is decline for an answer that is a refusal by its status: a code that
// nobody knows yet is one of unknown reason.
func (e *apiError) refusal() payment.Decline {
	if d, ok := e.decline(); ok {
		return d
	}
	c := e.DeclineCode
	if c == "" {
		c = e.Code
	}
	return e.dress(payment.NewDecline(payment.ReasonUnknown, httpx.Scrub(c)))
}

// dress adds Stripe's text and the network's codes, which come before any table.
func (e *apiError) dress(d payment.Decline) payment.Decline {
	d.Message = httpx.Scrub(e.Message)
	advice := e.NetworkAdviceCode
	if advice == "" {
		advice = e.AdviceCode
	}
	return d.WithAdvice(httpx.Scrub(e.NetworkDeclineCode), httpx.Scrub(advice))
}
