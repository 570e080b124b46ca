package catalog

import (
	"strconv"
	"strings"
)

// maxWanted bounds what is read of a language list: the header that it comes
// from is the browser's.
const maxWanted = 256

// Match returns the language of the catalogue that serves want best: a BCP 47
// tag ("pt-BR", "zh_Hant_HK"), or a whole Accept-Language header, whose
// weights count. What the catalogue does not have gets Fallback.
func Match(want string) string {
	if len(want) > maxWanted {
		want = want[:maxWanted]
	}
	best, weight := Fallback, 0.0
	for part := range strings.SplitSeq(want, ",") {
		tag, params, _ := strings.Cut(part, ";")
		q := quality(params)
		if q <= weight {
			continue // an earlier one of the same weight stands
		}
		if lang := matchTag(strings.TrimSpace(tag)); lang != "" {
			best, weight = lang, q
		}
	}
	return best
}

// quality reads the weight of one entry of the header (RFC 9110, 12.4.2). One
// that cannot be read counts as 0, one that is absent as 1.
func quality(params string) float64 {
	params = strings.TrimSpace(params)
	if params == "" {
		return 1
	}
	value, ok := strings.CutPrefix(params, "q=")
	if !ok {
		return 0
	}
	q, err := strconv.ParseFloat(value, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// matchTag returns the catalogue's language for one tag, or "".
func matchTag(tag string) string {
	tag = strings.ReplaceAll(strings.ToLower(tag), "_", "-")
	primary, rest, _ := strings.Cut(tag, "-")
	switch primary {
	case "en", "es", "fr", "de", "ja", "pt":
		return primary
	case "zh":
		return matchChinese(rest)
	}
	return ""
}

// matchChinese tells the scripts apart: a script that is named decides, else
// the region does. Taiwan, Hong Kong and Macau write traditional characters.
func matchChinese(rest string) string {
	lang := "zh-CN"
	for sub := range strings.SplitSeq(rest, "-") {
		switch sub {
		case "hans":
			return "zh-CN"
		case "hant":
			return "zh-TW"
		case "tw", "hk", "mo":
			lang = "zh-TW"
		}
	}
	return lang
}
