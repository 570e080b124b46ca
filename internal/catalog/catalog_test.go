package catalog

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// placeholder finds what looks like an unfilled template.
var placeholder = regexp.MustCompile(`[{}<>%$\[\]]|TODO|XXX|FIXME|\bnull\b`)

// has reports whether s holds a character of the script.
func has(s string, t *unicode.RangeTable) bool {
	return strings.IndexFunc(s, func(r rune) bool { return unicode.Is(t, r) }) >= 0
}

func TestEveryFileIsALanguageAndParses(t *testing.T) {
	t.Parallel()
	entries, err := files.ReadDir("texts")
	require.NoError(t, err)
	var onDisk []string
	for _, e := range entries {
		onDisk = append(onDisk, strings.TrimSuffix(e.Name(), ".json"))
	}
	require.ElementsMatch(t, Languages(), onDisk, "a file without a language is never read")
	for _, lang := range Languages() {
		b, err := Open(lang)
		require.NoError(t, err, "%s: unknown key or broken JSON", lang)
		require.Equal(t, lang, b.Lang, "the file says it is another language")
		again, err := Open(lang)
		require.NoError(t, err)
		require.Same(t, b, again, "%s is parsed on every call", lang)
	}
}

func TestParseRefusesUnknownKeysAndTrailingText(t *testing.T) {
	t.Parallel()
	_, err := parse([]byte(`{"lang":"en","declines":{"a":{"title":"t","body":"b","advise":"x"}}}`))
	require.ErrorContains(t, err, "advise")
	_, err = parse([]byte(`{"lang":"en"} {"lang":"en"}`))
	require.ErrorContains(t, err, "after the end")
}

func TestLanguagesSayTheSameThings(t *testing.T) {
	t.Parallel()
	en, err := Open("en")
	require.NoError(t, err)
	for _, lang := range Languages() {
		b, err := Open(lang)
		require.NoError(t, err)
		require.ElementsMatch(t, keys(en.Declines), keys(b.Declines), "%s: declines", lang)
		require.ElementsMatch(t, keys(en.Notices), keys(b.Notices), "%s: notices", lang)
		if b.Merchant != nil {
			require.ElementsMatch(t, keys(en.Merchant), keys(b.Merchant), "%s: merchant", lang)
		}
		for part, texts := range parts(b) {
			for key, e := range texts {
				checkEntry(t, lang+" "+part+" "+key, e)
				if lang == Fallback {
					continue
				}
				other := parts(en)[part][key]
				require.NotEqual(t, other.Title, e.Title, "%s %s %s: title is not translated", lang, part, key)
				require.NotEqual(t, other.Body, e.Body, "%s %s %s: body is not translated", lang, part, key)
				require.NotEqual(t, other.Advice, e.Advice, "%s %s %s: advice is not translated", lang, part, key)
			}
		}
	}
}

// TestNoTwoTextsAlike finds the entry that was copied and never rewritten:
// within a language each says its own thing.
func TestNoTwoTextsAlike(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		b, err := Open(lang)
		require.NoError(t, err)
		for part, texts := range parts(b) {
			seen := map[string]string{}
			for key, e := range texts {
				whole := e.Title + e.Body
				require.NotContains(t, seen, whole, "%s %s: %s reads like %s", lang, part, key, seen[whole])
				seen[whole] = key
			}
		}
	}
}

func TestScriptsAreRight(t *testing.T) {
	t.Parallel()
	// Characters that exist in one of the two scripts only, and mainland words
	// that Taiwan does not use.
	simplified := strings.Split("这 卡内 账 户 银行卡 验证 支付宝 过 请 您们 额 订单 选择 时间", " ")
	traditional := strings.Split("這 帳 請 額 訂單 選擇 時間 驗證 過 銀", " ")
	mainland := []string{"銀行卡", "賬戶", "網絡支付", "短信", "信息", "激活", "屏幕", "默認"}
	for _, lang := range Languages() {
		b, err := Open(lang)
		require.NoError(t, err)
		for part, texts := range parts(b) {
			for key, e := range texts {
				for _, s := range []string{e.Title, e.Body, e.Advice} {
					at := lang + " " + part + " " + key + ": " + s
					switch lang {
					case "zh-CN":
						require.True(t, has(s, unicode.Han), at)
						for _, w := range traditional {
							require.NotContains(t, s, w, at)
						}
					case "zh-TW":
						require.True(t, has(s, unicode.Han), at)
						for _, w := range slices.Concat(simplified, mainland) {
							require.NotContains(t, s, w, at)
						}
					case "ja":
						require.True(t, has(s, unicode.Hiragana) || has(s, unicode.Katakana), at)
					default:
						require.False(t, has(s, unicode.Han), at)
					}
				}
			}
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for want, lang := range map[string]string{
		"":                        "en",
		"en":                      "en",
		"en-GB":                   "en",
		"EN_us":                   "en",
		"de-CH-1996":              "de",
		"fr-CA":                   "fr",
		"es-419":                  "es",
		"ja-JP":                   "ja",
		"pt-BR":                   "pt",
		"pt-PT":                   "pt",
		"zh":                      "zh-CN",
		"zh-Hans":                 "zh-CN",
		"zh-SG":                   "zh-CN",
		"zh-Hans-HK":              "zh-CN",
		"zh-Hant":                 "zh-TW",
		"zh_Hant_CN":              "zh-TW",
		"zh-HK":                   "zh-TW",
		"zh-MO":                   "zh-TW",
		"zh-TW":                   "zh-TW",
		"ko":                      "en",
		"ko-KR,ja;q=0.5":          "ja",
		"fr;q=0.4, de;q=0.9, *":   "de",
		"de-DE,de;q=0.9,en;q=0.8": "de",
		"de;q=0,fr;q=0.1":         "fr",
		"de;q=NaN,es;q=0.2":       "es",
		"de;q=7":                  "en",
		"de;level=1":              "en",
		" ; , ;;,,-":              "en",
		"deu":                     "en",
		"../../etc/passwd":        "en",
	} {
		require.Equal(t, lang, Match(want), "Match(%q)", want)
	}
}

func FuzzMatch(f *testing.F) {
	for _, s := range []string{"en", "zh-Hant-HK", "de;q=0.3, fr", "*;q=0", strings.Repeat(",", 10_000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, want string) {
		lang := Match(want)
		require.Contains(t, Languages(), lang)
		require.Equal(t, lang, Match(lang), "a language of the catalogue serves itself")
	})
}

func BenchmarkOpen(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open("zh-CN"); err != nil {
			b.Fatal(err)
		}
	}
}

func checkEntry(t *testing.T, at string, e Entry) {
	t.Helper()
	for _, s := range []string{e.Title, e.Body, e.Advice} {
		require.NotEmpty(t, strings.TrimSpace(s), at)
		require.Equal(t, strings.TrimSpace(s), s, "%s: space at an end", at)
		require.NotRegexp(t, placeholder, s, at)
		require.False(t, strings.ContainsAny(s, "!¡！"), "%s: no exclamation marks: %s", at, s)
	}
	require.LessOrEqual(t, len([]rune(e.Title)), 60, "%s: a title is a few words", at)
	require.LessOrEqual(t, len([]rune(e.Body))+len([]rune(e.Advice)), 330, "%s: too long to be read", at)
	for _, s := range []string{e.Body, e.Advice} {
		require.Truef(t, strings.HasSuffix(s, ".") || strings.HasSuffix(s, "。"), "%s: a sentence ends: %s", at, s)
	}
	require.Falsef(t, strings.HasSuffix(e.Title, ".") || strings.HasSuffix(e.Title, "。"), "%s: a title has no full stop", at)
}

func keys(m map[string]Entry) []string { return slices.Collect(maps.Keys(m)) }

func parts(b *Book) map[string]map[string]Entry {
	return map[string]map[string]Entry{"declines": b.Declines, "notices": b.Notices, "merchant": b.Merchant}
}
