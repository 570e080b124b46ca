package money

import (
	"math"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// "_" stands for a no-break space and "~" for a narrow one. Compared with the
// output of ICU 78 (CLDR 48); the cases that differ on purpose say so.
func TestFormat(t *testing.T) {
	t.Parallel()
	show := strings.NewReplacer(nbsp, "_", narrowNBSP, "~")
	for lang, cases := range map[string]map[Amount]string{
		"en": {
			Of(1999, USD): "$19.99", Of(-123450, USD): "-$1,234.50", Zero(USD): "$0.00", Of(1, USD): "$0.01",
			Of(123456789, EUR): "€1,234,567.89", Of(99900, EUR): "€999.00", Of(100000, EUR): "€1,000.00",
			Of(1999, JPY): "¥1,999", Of(1999, CNY): "CN¥19.99", Of(1250, KWD): "KWD_1.250", Of(-1250, KWD): "-KWD_1.250",
			Of(1999, CHF): "CHF_19.99", Of(1999, CAD): "CA$19.99", Of(1235, XOF): "F~CFA_1,235", Of(1235, XAF): "FCFA_1,235",
			Of(math.MinInt64, USD): "-$92,233,720,368,547,758.08", Of(math.MaxInt64, JPY): "¥9,223,372,036,854,775,807",
			Of(10000, CLF): "CLF_1.0000",
		},
		"en-GB": {Of(1999, USD): "US$19.99", Of(1999, GBP): "£19.99", Of(1999, JPY): "JP¥1,999"},
		"zh-CN": {Of(1999, CNY): "¥19.99", Of(-123450, CNY): "-¥1,234.50", Of(1999, JPY): "JP¥1,999", Of(1999, USD): "US$19.99",
			Of(1999, HKD): "HK$19.99", Of(1999, AUD): "AU$19.99"},
		"zh-TW": {Of(1999, TWD): "NT$19.99", /* CLDR: $19.99 */
			Of(1999, CNY): "CN¥19.99", Of(1999, JPY): "¥1,999", Of(1999, USD): "US$19.99"},
		"es": {Of(123450, EUR): "1234,50_€", Of(-123450, EUR): "-1234,50_€", Of(1234560, EUR): "12.345,60_€", Of(1999, USD): "19,99_US$",
			Of(1999, GBP): "19,99_GBP", Of(1999, JPY): "1999_JPY"},
		"es-MX":  {Of(123450, MXN): "$1,234.50", Of(123450, USD): "USD_1,234.50"},
		"es-419": {Of(123450, USD): "USD_1,234.50", Of(123450, MXN): "MXN_1,234.50"},
		"es-AR":  {Of(1234560, EUR): "12.345,60_€"},
		"fr": {Of(123450, EUR): "1~234,50_€", Of(-123450, EUR): "-1~234,50_€", Of(1999, USD): "19,99_$US", Of(1999, GBP): "19,99_£GB",
			Of(1235, XPF): "1~235_FCFP"},
		"de": {Of(123450, EUR): "1.234,50_€", Of(-123450, EUR): "-1.234,50_€", Of(1999, USD): "19,99_$", Of(1250, KWD): "1,250_KWD",
			Of(1999, CHF): "19,99_CHF"},
		"ja":    {Of(1999, JPY): "￥1,999", Of(-1999, JPY): "-￥1,999", Of(1999, USD): "$19.99", Of(1999, CNY): "CN¥19.99" /* CLDR: 元_19.99 */},
		"pt":    {Of(123450, BRL): "R$_1.234,50", Of(-123450, BRL): "-R$_1.234,50", Of(1999, EUR): "€_19,99", Of(1999, USD): "US$_19,99"},
		"pt-PT": {Of(123450, EUR): "1234,50_€", Of(1234560, EUR): "12_345,60_€"},
	} {
		for a, want := range cases {
			require.Equal(t, want, show.Replace(a.Format(lang)), "%s in %s", a, lang)
		}
	}
}

func TestFormatLanguageTags(t *testing.T) {
	t.Parallel()
	for want, tags := range map[*locale][]string{
		english: {"", "en", "EN", "en-US", "en_US", "en-us-posix", "xx", "tlh", "-", "__", "!", "\xff", "e", "english", "en-",
			strings.Repeat("x", 1<<20), strings.Repeat("-", 1<<20), "*", "fil"},
		englishWorld: {"en-GB", "en_AU", "en-CA", "en-001"},
		chinese:      {"zh", "zh-CN", "zh_CN", "zh-Hans", "zh-Hans-CN", "zh-SG", "zh-Hans-HK", "ZH-cn"},
		chineseTrad:  {"zh-TW", "zh-Hant", "zh-Hant-TW", "zh-HK", "zh_mo", "zh-Hant-HK"},
		spanish:      {"es", "es-ES", "es-AR", "es-CL", "es-CO"},
		spanishMX:    {"es-MX", "es_mx"},
		spanishPoint: {"es-419", "es-US", "es-PE"},
		french:       {"fr", "fr-FR", "fr-CA"},
		german:       {"de", "de-AT", "de-DE"},
		japanese:     {"ja", "ja-JP"},
		portuguese:   {"pt", "pt-BR", "pt_BR"},
		portuguesePT: {"pt-PT", "pt-AO"},
	} {
		for _, tag := range tags {
			require.Same(t, want, localeOf(tag), "%.40q", tag)
		}
	}
}

func TestFormatFallsBackWithoutExponent(t *testing.T) {
	t.Parallel()
	require.Equal(t, "0 (no currency)", Amount{}.Format("de"))
	require.Equal(t, `7 minor units of "XAU"`, Of(7, XAU).Format("en"))
}

// In every language no two currencies share a symbol, except where the symbol
// is on the list with the reason.
func TestFormatSymbolsAreDistinct(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "en-GB", "zh-CN", "zh-TW", "es", "es-MX", "es-419", "fr", "de", "ja", "pt", "pt-PT"} {
		seen := map[string]Currency{}
		for _, c := range payable() {
			s := localeOf(lang).symbol(c)
			require.NotEmpty(t, s)
			require.Empty(t, seen[s], "%s: %s and %s both read %q", lang, seen[s], c, s)
			seen[s] = c
		}
	}
}

// Whatever the language, the digits are those of the plain text.
func TestFormatKeepsEveryDigit(t *testing.T) {
	t.Parallel()
	onlyDigits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return r
			}
			return -1
		}, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := anyAmount().Draw(t, "a")
		lang := rapid.SampledFrom([]string{"en", "zh-CN", "zh-TW", "es", "es-MX", "fr", "de", "ja", "pt", "pt-PT", "xx"}).Draw(t, "lang")
		got := a.Format(lang)
		require.Equal(t, onlyDigits(a.String()), onlyDigits(got))
		require.Equal(t, a.IsNegative(), strings.HasPrefix(got, "-"))
		require.NotContains(t, got, " ", "only no-break spaces")
	})
}
