package money

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listOne is every code of List One of 2026-09-17, written down apart from the
// table so that a slip in either shows.
const listOne = `
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP
GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR
KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX
USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD
XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG`

func TestTableIsListOne(t *testing.T) {
	t.Parallel()
	want := strings.Fields(listOne)
	require.Len(t, want, 178, "List One of 2026-09-17 has 178 codes")
	var got []string
	for _, c := range Currencies() {
		got = append(got, string(c))
	}
	require.Equal(t, want, got)
}

func TestExponents(t *testing.T) {
	t.Parallel()
	const none = -1
	odd := map[int]string{
		none: "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX",
		0:    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
		3:    "BHD IQD JOD KWD LYD OMR TND",
		4:    "CLF UYW",
	}
	want := map[Currency]int{}
	for exp, codes := range odd {
		for _, c := range strings.Fields(codes) {
			want[Currency(c)] = exp
		}
	}
	for _, c := range Currencies() {
		exp, special := want[c]
		if !special {
			exp = 2
		}
		got, ok := c.Exponent()
		if exp == none {
			require.False(t, ok, "%s has no minor unit", c)
			require.Zero(t, got)
			require.ErrorIs(t, c.Check(), ErrNoMinorUnit, c)
			require.ErrorIs(t, Of(1, c).Check(), ErrNoMinorUnit, c)
			continue
		}
		require.True(t, ok, c)
		require.Equal(t, exp, got, "exponent of %s", c)
		require.NoError(t, c.Check())
	}
}

func TestNumbersAreUniqueAndKnown(t *testing.T) {
	t.Parallel()
	seen := map[string]Currency{}
	for _, c := range Currencies() {
		n := c.Number()
		require.Regexp(t, `^[0-9]{3}$`, n, c)
		require.Empty(t, seen[n], "%s and %s share %s", c, seen[n], n)
		require.NotEmpty(t, c.Name(), c)
		seen[n] = c
	}
	for c, n := range map[Currency]string{
		USD: "840", EUR: "978", GBP: "826", JPY: "392", CNY: "156", AUD: "036", BHD: "048", ALL: "008",
		KWD: "414", SLE: "925", VED: "926", VES: "928", ZWG: "924", XCG: "532", XAD: "396", XXX: "999", XTS: "963",
	} {
		require.Equal(t, n, c.Number(), c)
	}
	require.Equal(t, "Euro", EUR.Name())
	require.Empty(t, Currency("ZZZ").Number())
	require.Empty(t, Currency("ZZZ").Name())
}

// Each code is a constant of its own name, and each such constant is a code.
func TestConstantsMatchTable(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), "table.go", nil, 0)
	require.NoError(t, err)
	consts := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || v.Type == nil {
			return true
		}
		if id, ok := v.Type.(*ast.Ident); ok && id.Name == "Currency" {
			consts[v.Names[0].Name] = strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`)
		}
		return true
	})
	require.Len(t, consts, len(table))
	for name, value := range consts {
		require.Equal(t, name, value)
		require.True(t, Currency(value).Valid(), value)
	}
}

func TestParseCurrency(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"USD", "usd", "Usd", "uSD"} {
		c, err := ParseCurrency(s)
		require.NoError(t, err, s)
		require.Equal(t, USD, c)
	}
	c, err := ParseCurrency("XAU")
	require.NoError(t, err, "a code without a minor unit is still a code")
	require.Equal(t, XAU, c)

	for in, remedy := range map[string]string{
		"":                           "missing",
		"US":                         "not an active",
		"USDT":                       "not an active",
		" USD":                       "not an active",
		"USD ":                       "not an active",
		"ZZZ":                        "not an active",
		"840":                        "not an active",
		"$":                          "not an active",
		"uſd":                        "not an active", // U+017F upper-cases to S
		"BGN":                        "successor EUR",
		"bgn":                        "successor EUR",
		"HRK":                        "successor EUR",
		"ANG":                        "successor XCG",
		"CUC":                        "successor CUP",
		"SLL":                        "successor SLE",
		"ZWL":                        "successor ZWG",
		strings.Repeat("USD", 1<<16): "not an active",
	} {
		c, err := ParseCurrency(in)
		require.ErrorIs(t, err, ErrUnknownCurrency, "%.20q", in)
		require.Empty(t, c)
		require.Contains(t, err.Error(), remedy)
		require.Less(t, len(err.Error()), 300, "an error must not repeat foreign text at length")
	}
	for old, next := range withdrawn {
		require.False(t, old.Valid(), "%s is withdrawn", old)
		require.True(t, next.Valid(), "the successor of %s", old)
	}
}

func TestLowerCaseIsNotValid(t *testing.T) {
	t.Parallel()
	require.False(t, Currency("usd").Valid(), "a Currency is upper case; only ParseCurrency folds")
	err := Of(1, "usd").Check()
	require.ErrorIs(t, err, ErrUnknownCurrency)
	require.Contains(t, err.Error(), "write USD")
}

func TestCurrenciesBelongToTheCaller(t *testing.T) {
	t.Parallel()
	all := Currencies()
	all[0] = "???"
	require.Equal(t, AED, Currencies()[0])
}
