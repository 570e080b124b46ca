package payment

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/internal/catalog"
)

var allNotices = []Notice{NoticeChecking, NoticeProcessing, NoticeReview, NoticeAction, NoticePaid, NoticeRefundPending,
	NoticeRefunded, NoticeReleased, NoticeCanceled, NoticeChargedBack}

// quietReasons is the list of reasons whose cause the payer must not learn, kept here
// by hand. The first seven are the rule; the rest stand with them because each
// may hide one of them, or would stand out by its own text.
var quietReasons = []Reason{
	ReasonLostCard, ReasonStolenCard, ReasonPickupCard, ReasonSuspectedFraud, ReasonRiskBlocked, ReasonSanctions,
	ReasonRestrictedCard, ReasonCardBlocked, ReasonDoNotHonor, ReasonCallIssuer, ReasonUnknown,
}

func TestQuietReasonsReadLikeAnyDecline(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		plain := NewDecline(ReasonDeclined, "").Text(lang)
		require.Equal(t, "declined", plain.FAQ)
		for _, r := range quietReasons {
			for _, advice := range []string{"", "03", "02", "1", "21"} {
				d := NewDecline(r, "code").WithAdvice("43", advice)
				d.Message = "Stolen card, retain"
				require.Equal(t, plain, d.Text(lang), "%s: %s tells the payer something", lang, r)
			}
		}
		b, err := catalog.Open(lang)
		require.NoError(t, err)
		for _, r := range quietReasons {
			require.NotContains(t, b.Declines, string(r), "%s: a text of its own waits to be shown by mistake", lang)
		}
	}
}

// TestQuietReasonsActLikeAnyDecline: a page that offers "try again" for one of
// them and not for another says as much as a text would.
func TestQuietReasonsActLikeAnyDecline(t *testing.T) {
	t.Parallel()
	for _, r := range append(quietReasons, ReasonDeclined) {
		require.Contains(t, []Retry{RetryOther, RetryNever}, NewDecline(r, "").Retry, r)
	}
}

func TestPayerTextsNeverNameTheCause(t *testing.T) {
	t.Parallel()
	leak := regexp.MustCompile(`(?i)\b(fraud|stolen|lost card|theft|sanction|blacklist|betrug|gestohlen|vol[ée]e|fraude|robad|roubad|pérdida)|` +
		`欺诈|詐欺|不正|盗刷|被盗|被盜|盗難|挂失|掛失|紛失|制裁|风控|風控|黑名单`)
	for _, lang := range Languages() {
		for _, r := range Reasons() {
			x := NewDecline(r, "").Text(lang)
			require.NotRegexp(t, leak, x.Title+" "+x.Body+" "+x.Advice, "%s %s", lang, r)
		}
	}
}

func TestEveryReasonAndNoticeHasAText(t *testing.T) {
	t.Parallel()
	en, err := catalog.Open("en")
	require.NoError(t, err)
	used := map[string]bool{}
	for _, lang := range Languages() {
		for _, r := range Reasons() {
			x := NewDecline(r, "").Text(lang)
			requireWhole(t, x, lang, string(r))
			used[NewDecline(r, "").payerKey()] = true
			m := NewDecline(r, "").MerchantText(lang)
			want := "en"
			if lang == "zh-CN" {
				want = lang
			}
			requireWhole(t, m, want, string(r))
			require.Equal(t, "reason-"+faqAnchor(string(r)), m.FAQ)
		}
		for _, n := range allNotices {
			requireWhole(t, NoticeText(n, lang), lang, string(n))
		}
	}
	require.Len(t, used, len(en.Declines), "the catalogue has a text that no reason shows")
	require.Len(t, en.Merchant, len(Reasons()), "one explanation for staff a reason")
	require.Len(t, en.Notices, len(allNotices))
}

func TestMerchantTextIsPlain(t *testing.T) {
	t.Parallel()
	for r, word := range map[Reason]string{
		ReasonLostCard: "lost", ReasonStolenCard: "stolen", ReasonSuspectedFraud: "fraud", ReasonSanctions: "sanctions",
	} {
		x := NewDecline(r, "").MerchantText("en")
		require.Contains(t, strings.ToLower(x.Title+x.Body), word)
		require.NotEqual(t, x.Body, NewDecline(r, "").Text("en").Body)
	}
}

func TestTextFollowsTheNetwork(t *testing.T) {
	t.Parallel()
	plain := NewDecline(ReasonDeclined, "").Text("en")
	for _, r := range Reasons() {
		own := NewDecline(r, "")
		told := own.WithAdvice("", "03").Text("en")
		if own.Retry == RetrySame || own.Retry == RetryLater {
			require.Equal(t, plain, told, "%s asks for another try that the network forbids", r)
		} else {
			require.Equal(t, own.Text("en"), told, r)
		}
	}
}

func TestTextOfNothingAndOfTheUnknown(t *testing.T) {
	t.Parallel()
	require.Zero(t, Decline{}.Text("en"))
	require.Zero(t, Decline{}.MerchantText("en"))
	for _, d := range []Decline{{Code: "x"}, {Reason: "home_made"}} {
		require.Equal(t, NewDecline(ReasonDeclined, "").Text("de"), d.Text("de"))
	}
	for _, n := range []Notice{"", "home_made"} {
		require.Equal(t, NoticeText(NoticeChecking, "fr"), NoticeText(n, "fr"), "when in doubt: do not pay again")
	}
}

func TestLanguageFallback(t *testing.T) {
	t.Parallel()
	d := NewDecline(ReasonExpiredCard, "")
	for want, lang := range map[string]string{
		"": "en", "xx": "en", "pt-BR": "pt", "zh": "zh-CN", "zh-Hans": "zh-CN", "zh-HK": "zh-TW", "zh-Hant": "zh-TW",
		"fr-CH, fr;q=0.9, en;q=0.8": "fr",
	} {
		require.Equal(t, lang, d.Text(want).Lang, "Text(%q)", want)
		require.Equal(t, lang, NoticeText(NoticePaid, want).Lang, "NoticeText(%q)", want)
	}
	require.Equal(t, "en", Languages()[0])
}

var faqAnchors = regexp.MustCompile(`<a id="([^"]+)"></a>`)

func TestFAQAnswersEveryText(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"docs/faq.md", "docs/faq.zh-CN.md"} {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		have := map[string]bool{}
		for _, m := range faqAnchors.FindAllStringSubmatch(string(raw), -1) {
			require.False(t, have[m[1]], "%s: anchor %s stands twice", file, m[1])
			have[m[1]] = true
		}
		want := map[string]bool{}
		for _, r := range Reasons() {
			want[NewDecline(r, "").Text("en").FAQ] = true
			want[NewDecline(r, "").MerchantText("en").FAQ] = true
		}
		for _, n := range allNotices {
			want[NoticeText(n, "en").FAQ] = true
		}
		require.Equal(t, want, have, "%s: anchors and texts differ", file)
	}
}

// TestFAQTableIsTheRuleTable keeps the staff's reference honest.
func TestFAQTableIsTheRuleTable(t *testing.T) {
	t.Parallel()
	for _, f := range []struct{ file, lang, yes, no, own, plain, sep, stop string }{
		{"docs/faq.md", "en", "yes", "no", "own text", "plain", " ", ". "},
		{"docs/faq.zh-CN.md", "zh-CN", "是", "否", "专门文案", "统一文案", "", "。"},
	} {
		raw, err := os.ReadFile(f.file)
		require.NoError(t, err)
		for _, r := range declineRules {
			other, reads := f.no, f.own
			if r.other {
				other = f.yes
			}
			if r.quiet {
				reads = f.plain
			}
			m := NewDecline(r.reason, "").MerchantText(f.lang)
			row := fmt.Sprintf("| <a id=\"%s\"></a>`%s` | **%s%s**%s%s | %s | %s | %s | %s |\n", m.FAQ, r.reason,
				m.Title, strings.TrimSpace(f.stop), f.sep, m.Body+f.sep+m.Advice, r.fault, r.retry, other, reads)
			require.Contains(t, string(raw), row, "%s: the row of %s is out of date", f.file, r.reason)
		}
		for _, key := range Reasons() {
			x := NewDecline(key, "").Text(f.lang)
			require.Contains(t, string(raw), fmt.Sprintf("<a id=\"%s\"></a>\n### %s\n", x.FAQ, x.Title), "the answer carries another title")
		}
	}
}

func BenchmarkText(b *testing.B) {
	d := NewDecline(ReasonInsufficientFunds, "51")
	b.ReportAllocs()
	for b.Loop() {
		if d.Text("zh-CN").Title == "" {
			b.Fatal("no text")
		}
	}
}

func requireWhole(t *testing.T, x Text, lang, at string) {
	t.Helper()
	require.Equal(t, lang, x.Lang, at)
	for _, s := range []string{x.Title, x.Body, x.Advice, x.FAQ} {
		require.NotEmpty(t, s, "%s %s", lang, at)
	}
}
