package payment

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mayFailOver is the whole list of reasons that let a payment travel on, kept
// here by hand: a reason joins it by decision, not by a slip in the table.
var mayFailOver = []Reason{
	ReasonDoNotHonor,
	ReasonIssuerUnavailable, ReasonProviderUnavailable, ReasonProcessorError, ReasonTryAgainLater,
	ReasonMethodNotSupported, ReasonCurrencyNotSupported, ReasonAmountTooLarge, ReasonAmountTooSmall,
	ReasonMerchantConfiguration,
}

func TestEveryReasonHasOneRule(t *testing.T) {
	t.Parallel()
	seen := map[Reason]bool{}
	for _, r := range declineRules {
		require.False(t, seen[r.reason], "%s stands in the table twice", r.reason)
		seen[r.reason] = true
		require.Regexp(t, `^[a-z][a-z_]*[a-z]$`, string(r.reason))
		require.Contains(t, []Fault{FaultPayer, FaultIssuer, FaultMerchant, FaultProvider, FaultUnknown}, r.fault, r.reason)
		require.Contains(t, []Retry{RetrySame, RetryLater, RetryOther, RetryNever}, r.retry, r.reason)
		require.True(t, r.reason.Valid())
	}
	all := Reasons()
	require.Len(t, all, len(seen))
	require.Equal(t, ReasonUnknown, all[len(all)-1], "the last rule serves every unknown reason")
	all[0] = "changed"
	require.NotEqual(t, all[0], Reasons()[0], "the caller's slice is its own")
	for _, r := range []Reason{"", "Declined", "no_such_reason"} {
		require.False(t, r.Valid(), "%q", r)
	}
}

func TestOnlyListedReasonsFailOver(t *testing.T) {
	t.Parallel()
	for _, r := range Reasons() {
		d := NewDecline(r, "x")
		require.Equal(t, slices.Contains(mayFailOver, r), d.OtherProvider, "%s: may another provider be asked?", r)
		require.Equal(t, d.OtherProvider, d.MayFailOver(), r)
		if d.Retry == RetryNever {
			require.False(t, d.OtherProvider, "%s: what is never tried again is not tried elsewhere", r)
		}
	}
}

func TestNewDecline(t *testing.T) {
	t.Parallel()
	d := NewDecline(ReasonInsufficientFunds, "51/NSF")
	require.Equal(t, Decline{Reason: ReasonInsufficientFunds, Code: "51/NSF", Fault: FaultPayer, Retry: RetryLater}, d)
	require.False(t, d.IsZero())
	for _, gap := range []Reason{"", "no_such_reason"} {
		u := NewDecline(gap, "novel_code")
		require.Equal(t, ReasonUnknown, u.Reason, "a gap in a mapping is an unknown decline")
		require.Equal(t, "novel_code", u.Code)
		require.False(t, u.MayFailOver(), "an unmapped code stops")
	}
	require.True(t, Decline{}.IsZero())
	require.False(t, Decline{}.MayFailOver())
}

func TestAFieldSetByHandCannotWiden(t *testing.T) {
	t.Parallel()
	for _, r := range append(Reasons(), "", "home_made") {
		d := NewDecline(r, "")
		d.Reason, d.OtherProvider = r, true
		require.Equal(t, slices.Contains(mayFailOver, r), d.MayFailOver(), "%s", r)
	}
	d := NewDecline(ReasonProcessorError, "")
	d.AdviceCode = "03" // set without WithAdvice
	require.False(t, d.MayFailOver(), "the advice binds however it came in")
	d = NewDecline(ReasonDoNotHonor, "")
	d.NetworkCode = "43 : Stolen card"
	require.False(t, d.MayFailOver())
	d = NewDecline(ReasonProcessorError, "")
	d.OtherProvider = false
	require.False(t, d.MayFailOver(), "narrowing by hand holds")
}

func TestWithAdvice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		reason          Reason
		network, advice string
		retry           Retry
		other           bool
	}{
		{"nothing said", ReasonDoNotHonor, "", "", RetryOther, true},
		{"05 alone", ReasonDoNotHonor, "05", "", RetryOther, true},
		{"Visa category 1", ReasonDoNotHonor, "05", "1", RetryNever, false},
		{"Visa category 2", ReasonDoNotHonor, "05", "2", RetryLater, false},
		{"Visa category 3", ReasonDoNotHonor, "05", "3", RetryOther, false},
		{"Visa category 4 is generic", ReasonDoNotHonor, "05", "4", RetryOther, true},
		{"MAC 01 is not Visa 1", ReasonDoNotHonor, "05", "01", RetryOther, false},
		{"MAC 02", ReasonDoNotHonor, "05", "02", RetryLater, false},
		{"MAC 03", ReasonDoNotHonor, "05", "03", RetryNever, false},
		{"MAC 21", ReasonTryAgainLater, "", "21", RetryNever, false},
		{"MAC 42 sanctions", ReasonProcessorError, "", "42", RetryNever, false},
		{"MAC 26", ReasonInsufficientFunds, "51", "26", RetryLater, false},
		{"MAC 40 describes the card", ReasonDoNotHonor, "05", "40", RetryOther, true},
		{"an unknown code changes nothing", ReasonDoNotHonor, "05", "77", RetryOther, true},
		{"text after the code", ReasonDoNotHonor, "05 : Do not honor", "03 : Do not try again", RetryNever, false},
		{"colon without a space", ReasonDoNotHonor, "05", "03:never", RetryNever, false},
		{"underscores", ReasonDoNotHonor, "", "21_CANCEL_ALL_RECURRING_PAYMENTS", RetryNever, false},
		{"Stripe never", ReasonDoNotHonor, "05", "do_not_try_again", RetryNever, false},
		{"Stripe later", ReasonDoNotHonor, "05", "try_again_later", RetryLater, false},
		{"Stripe confirm", ReasonExpiredCard, "54", "confirm_card_data", RetryOther, false},
		{"update turns later into same", ReasonInsufficientFunds, "", "01", RetrySame, false},
		{"later never softens never", ReasonStolenCard, "43", "02", RetryNever, false},
		{"stolen behind a soft reason", ReasonDoNotHonor, "43", "", RetryNever, false},
		{"lost behind a technical reason", ReasonProcessorError, "41", "", RetryNever, false},
		{"stolen outweighs later", ReasonDoNotHonor, "43", "02", RetryNever, false},
		{"stop payment, lower case", ReasonTryAgainLater, "r1", "", RetryNever, false},
		{"no money is the same everywhere", ReasonDoNotHonor, "51", "", RetryOther, false},
		{"suspected fraud behind a soft reason", ReasonDoNotHonor, "59", "", RetryOther, false},
		{"authentication behind a soft reason", ReasonDoNotHonor, "1A", "", RetryOther, false},
		{"a slip in the number may be corrected", ReasonInvalidCardNumber, "14", "", RetryOther, false},
		{"issuer down", ReasonIssuerUnavailable, "91", "", RetryLater, true},
		{"03 belongs to the merchant", ReasonMerchantConfiguration, "03", "", RetryOther, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before := NewDecline(c.reason, "raw")
			d := before.WithAdvice(c.network, c.advice)
			require.Equal(t, c.retry, d.Retry)
			require.Equal(t, c.other, d.OtherProvider)
			require.Equal(t, c.other, d.MayFailOver(), "the field and the gate agree")
			require.Equal(t, c.network, d.NetworkCode, "kept as it came")
			require.Equal(t, c.advice, d.AdviceCode, "kept as it came")
			require.Equal(t, before.Reason, d.Reason)
			require.Equal(t, before.Code, d.Code)
			require.Equal(t, before.Fault, d.Fault)
		})
	}
}

// TestAdviceNeverWidens tries every code of two places against every reason.
func TestAdviceNeverWidens(t *testing.T) {
	t.Parallel()
	const places = "0123456789ABNRZ"
	codes := []string{"", "do_not_try_again", "try_again_later", "confirm_card_data"}
	for _, a := range places {
		codes = append(codes, string(a))
		for _, b := range places {
			codes = append(codes, string(a)+string(b))
		}
	}
	for _, r := range Reasons() {
		before := NewDecline(r, "")
		for _, code := range codes {
			for _, d := range []Decline{before.WithAdvice(code, ""), before.WithAdvice("", code), before.WithAdvice("05", code)} {
				require.False(t, d.OtherProvider && !before.OtherProvider, "%s with %q: advice opened a failover", r, code)
				require.False(t, before.Retry == RetryNever && d.Retry != RetryNever, "%s with %q: advice softened never", r, code)
				require.Equal(t, d.OtherProvider, d.MayFailOver(), "%s with %q", r, code)
			}
		}
	}
	require.Equal(t, Decline{}, Decline{}.WithAdvice("43", "03"), "no decline stays no decline")
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for advice, wait := range map[string]time.Duration{
		"02": 72 * time.Hour, "24": time.Hour, "25": 24 * time.Hour, "26": 48 * time.Hour, "27": 96 * time.Hour,
		"28": 144 * time.Hour, "29": 192 * time.Hour, "30": 240 * time.Hour,
		"": 0, "2": 0, "try_again_later": 0, "01": 0, "03": 0, "99": 0,
	} {
		require.Equal(t, wait, NewDecline(ReasonInsufficientFunds, "").WithAdvice("51", advice).RetryAfter(), "advice %q", advice)
	}
	require.Zero(t, NewDecline(ReasonLostCard, "").WithAdvice("41", "24").RetryAfter(), "never has no time")
	require.Equal(t, time.Hour, NewDecline(ReasonDoNotHonor, "").WithAdvice("51", "24").RetryAfter(), "the response code does not hide the wait")
}

func TestDeclineSurvivesStorage(t *testing.T) {
	t.Parallel()
	d := NewDecline(ReasonDoNotHonor, "card_declined/do_not_honor").WithAdvice("05", "24")
	d.Message = "The bank refused"
	raw, err := json.Marshal(d)
	require.NoError(t, err)
	var back Decline
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, d, back)
	raw, err = json.Marshal(Decline{})
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(raw))
}

func FuzzAdvice(f *testing.F) {
	for _, s := range []string{"03", " 03 : x", "1", "_", "0_", "do_not_try_again", "\x00", strings.Repeat("9", 4096)} {
		f.Add("05", s)
	}
	f.Fuzz(func(t *testing.T, network, advice string) {
		for _, r := range []Reason{ReasonDoNotHonor, ReasonLostCard, ReasonInsufficientFunds} {
			d := NewDecline(r, "").WithAdvice(network, advice)
			require.False(t, d.OtherProvider && r != ReasonDoNotHonor, "advice opened a failover")
			require.Equal(t, d.OtherProvider, d.MayFailOver())
			require.False(t, r == ReasonLostCard && d.Retry != RetryNever, "advice softened never")
			require.GreaterOrEqual(t, d.RetryAfter(), time.Duration(0))
		}
	})
}
