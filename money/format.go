package money

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	nbsp       = "\u00a0" // no-break space
	narrowNBSP = "\u202f" // narrow no-break space
)

// locale says how a language writes an amount. The conventions and symbols are
// those of Unicode CLDR 48.
type locale struct {
	point, group string              // decimal and grouping separators
	minGroup     int                 // digits before the first separator: with 2, 1234 is not grouped
	after        bool                // the symbol stands after the number, always with a space
	spaced       bool                // a symbol in front always has a space
	home         map[Currency]string // symbols that differ from the common ones
	codes        bool                // beyond home, codes instead of common symbols
}

// common holds the symbols that cannot be mistaken for another currency.
var common = map[Currency]string{
	AUD: "A$", BRL: "R$", CAD: "CA$", CNY: "CN¥", EUR: "€", GBP: "£", HKD: "HK$",
	ILS: "₪", INR: "₹", JPY: "JP¥", KRW: "₩", MXN: "MX$", NZD: "NZ$", TWD: "NT$",
	USD: "US$", VND: "₫", XAF: "FCFA", XCD: "EC$", XOF: "F" + narrowNBSP + "CFA", XPF: "CFPF",
}

var (
	english      = &locale{point: ".", group: ",", minGroup: 1, home: map[Currency]string{USD: "$", JPY: "¥", PHP: "₱"}}
	englishWorld = &locale{point: ".", group: ",", minGroup: 1, home: map[Currency]string{PHP: "₱"}}
	chinese      = &locale{point: ".", group: ",", minGroup: 1, home: map[Currency]string{CNY: "¥", AUD: "AU$"}}
	// CLDR writes TWD as a bare "$"; NT$ is as common and cannot be misread.
	chineseTrad = &locale{point: ".", group: ",", minGroup: 1, home: map[Currency]string{JPY: "¥", AUD: "AU$"}}
	// CLDR writes CNY as the word yuan in front of the number; CN¥ reads better.
	japanese = &locale{point: ".", group: ",", minGroup: 1, home: map[Currency]string{JPY: "￥", USD: "$"}}
	german   = &locale{point: ",", group: ".", minGroup: 1, after: true,
		home: map[Currency]string{USD: "$", JPY: "¥", AUD: "AU$", THB: "฿"}}
	french = &locale{point: ",", group: narrowNBSP, minGroup: 1, after: true,
		home: map[Currency]string{
			USD: "$US", GBP: "£GB", JPY: "JPY", CNY: "CNY", CAD: "$CA", AUD: "$AU", NZD: "$NZ", SGD: "$SG",
			MXN: "$MX", HKD: "HKD", TWD: "TWD", XCD: "XCD", XPF: "FCFP",
		}}
	spanish = &locale{point: ",", group: ".", minGroup: 2, after: true, codes: true,
		home: map[Currency]string{EUR: "€", USD: "US$", VND: "₫", THB: "฿"}}
	spanishPoint = &locale{point: ".", group: ",", minGroup: 1, codes: true}
	spanishMX    = &locale{point: ".", group: ",", minGroup: 1, codes: true, home: map[Currency]string{MXN: "$"}}
	portuguese   = &locale{point: ",", group: ".", minGroup: 1, spaced: true, home: map[Currency]string{AUD: "AU$", THB: "฿"}}
	portuguesePT = &locale{point: ",", group: nbsp, minGroup: 2, after: true, home: map[Currency]string{AUD: "AU$", THB: "฿"}}
)

// Format writes a for people who read lang, a language tag such as "en",
// "zh-CN", "pt_BR" or "es-MX": "$1,234.50", "1.234,50 €", "￥1,999". It knows
// en, zh (simplified and traditional), es, fr, de, ja and pt with their larger
// regional differences; any other language, and "", reads as en. All decimals
// of the currency are always shown, and the currency can always be told apart:
// where a language has no clear symbol for it the code stands instead.
//
// The text holds no-break spaces so that it stays on one line, and is for the
// eye only: use String for anything that is read back. An amount that Check
// refuses is written as String does.
func (a Amount) Format(lang string) string {
	exp, ok := a.currency.Exponent()
	if !ok {
		return a.String()
	}
	l := localeOf(lang)
	negative, whole, fraction := digits(a.minor, exp)
	number := l.grouped(whole)
	if exp > 0 {
		number += l.point + fraction
	}
	symbol := l.symbol(a.currency)
	s := symbol + number
	if last, _ := utf8.DecodeLastRuneInString(symbol); l.after {
		s = number + nbsp + symbol
	} else if l.spaced || unicode.IsLetter(last) {
		s = symbol + nbsp + number
	}
	if negative {
		s = "-" + s
	}
	return s
}

func (l *locale) symbol(c Currency) string {
	if s, ok := l.home[c]; ok {
		return s
	}
	if s, ok := common[c]; ok && !l.codes {
		return s
	}
	return string(c)
}

// grouped inserts the grouping separator at every third digit from the right.
func (l *locale) grouped(whole string) string {
	if len(whole) < 3+l.minGroup {
		return whole
	}
	head := len(whole) % 3
	var b strings.Builder
	b.WriteString(whole[:head])
	for i := head; i < len(whole); i += 3 {
		if i > 0 {
			b.WriteString(l.group)
		}
		b.WriteString(whole[i : i+3])
	}
	return b.String()
}

// localeOf picks the locale of a language tag. Only language, script and region
// matter; they are looked for among the first few subtags.
func localeOf(lang string) *locale {
	const longest = 64 // of a tag worth reading; foreign text may be any length
	if len(lang) > longest {
		lang = lang[:longest]
	}
	tags := strings.FieldsFunc(strings.ToLower(lang), func(r rune) bool { return r == '-' || r == '_' })
	if len(tags) == 0 {
		return english
	}
	has := func(subtags ...string) bool {
		for _, t := range tags[1:] {
			for _, want := range subtags {
				if t == want {
					return true
				}
			}
		}
		return false
	}
	switch tags[0] {
	case "zh":
		if !has("hans") && has("hant", "tw", "hk", "mo") {
			return chineseTrad
		}
		return chinese
	case "ja":
		return japanese
	case "de":
		return german
	case "fr":
		return french
	case "es":
		switch {
		case has("mx"):
			return spanishMX
		case has("419", "us", "pr", "do", "gt", "hn", "ni", "pa", "pe", "sv"): // these write 1,234.50
			return spanishPoint
		}
		return spanish
	case "pt":
		if has("pt", "ao", "cv", "gw", "mz", "st", "tl") {
			return portuguesePT
		}
		return portuguese
	case "en":
		if len(tags) > 1 && !has("us", "pr") { // a bare $ is another dollar there
			return englishWorld
		}
	}
	return english
}
