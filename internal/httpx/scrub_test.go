package httpx

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestScrub(t *testing.T) {
	t.Parallel()
	type shop struct {
		Email, Name string
		Amount      int
	}
	for _, tc := range []struct{ name, in, want string }{
		{"plain text", "amount 1999 EUR declined: insufficient_funds", "amount 1999 EUR declined: insufficient_funds"},
		{"empty", "", ""},

		// Card numbers (the networks' published test numbers).
		{"card", "card 4111111111111111 refused", "card [card redacted] refused"},
		{"card with spaces", "4111 1111 1111 1111", "[card redacted]"},
		{"card with dashes", "5555-5555-5555-4444.", "[card redacted]."},
		{"card in a form", "n=4111+1111+1111+1111&x=1", "n=[card redacted]&x=1"},
		{"card percent-encoded", "n=4111%201111%201111%201111", "n=[card redacted]"},
		{"card of 13 digits", "4222222222222", "[card redacted]"},
		{"card of 14 digits", "30569309025904", "[card redacted]"},
		{"card of 15 digits", "378282246310005", "[card redacted]"},
		{"card of 19 digits", "6304000000000000000", "[card redacted]"},
		{"card beside other numbers", "exp 12 4111 1111 1111 1111 12/25", "exp 12 [card redacted] 12/25"},
		{"card after letters", "PAN4111111111111111x", "PAN[card redacted]x"},
		{"card with a no-break space", "4111\u00a01111\u00a01111\u00a01111", "[card redacted]"},
		{"card with zero-width joints", "4111\u200b1111\u200b1111\u200b1111", "[card redacted]"},
		{"not Luhn", "order 4111111111111112", "order 4111111111111112"},
		{"too long for a card", "trade 2024010122001411111111111111", "trade 2024010122001411111111111111"},
		{"zeros", "0000000000000000", "0000000000000000"},

		// Fields.
		{"json", `{"id":"pi_1","amount":1999,"email":"x","card":{"number":"4242","cvc":"123"}}`,
			`{"id":"pi_1","amount":1999,"email":"[redacted]","card":{"number":"[redacted]","cvc":"[redacted]"}}`},
		{"json with spaces and case", `{ "CVC" : 123 , "clientSecret" : "s" , "ok" : true }`, `{ "CVC" : "[redacted]" , "clientSecret" : "[redacted]" , "ok" : true }`},
		{"json object", `{"billing_address":{"line1":"1 \"Main\" } St","geo":[1,{"a":2}]},"amount":5}`, `{"billing_address":"[redacted]","amount":5}`},
		{"json array", `{"tokens":["a","b"],"n":1}`, `{"tokens":"[redacted]","n":1}`},
		{"json null and empty", `{"email":null,"name":"","phone":{}}`, `{"email":null,"name":"","phone":{}}`},
		{"json within json", `{"body":"{\"name\":\"Jane\",\"amount\":5}"}`, `{"body":"{\"name\":\"[redacted]\",\"amount\":5}"}`},
		{"json cut short", `{"amount":5,"name":"Jane D`, `{"amount":5,"name":"[redacted]"`},
		{"json object cut short", `{"address":{"city":"Par`, `{"address":"[redacted]"`},
		{"token type is no token", `{"token_type":"Bearer","expires_in":3600,"access_token":"abc"}`, `{"token_type":"Bearer","expires_in":3600,"access_token":"[redacted]"}`},
		{"form", "amount=5&card[number]=4242&card%5Bcvc%5D=123&email=a&currency=eur", "amount=5&card[number]=[redacted]&card%5Bcvc%5D=[redacted]&email=[redacted]&currency=eur"},
		{"nested form", "payment_method_data[billing_details][address][line1]=x&a=1", "payment_method_data[billing_details][address][line1]=[redacted]&a=1"},
		{"indexed form", "emails[0]=a&items[0]=b", "emails[0]=[redacted]&items[0]=b"},
		{"query within a query", "u=https%3A%2F%2Fx%3Ftoken%3Dabc%26a%3D1", "u=https%3A%2F%2Fx%3Ftoken%3D[redacted]"},
		{"xml", "<xml><openid>o1</openid><total>5</total></xml>", "<xml><openid>[redacted]</openid><total>5</total></xml>"},
		{"struct", fmt.Sprintf("%+v", shop{"x", "Jane Doe", 5}), "{Email:[redacted] Name:[redacted] Amount:5}"},
		{"header map", fmt.Sprint(http.Header{"Authorization": {"Bearer abc"}, "Date": {"d"}}), "map[Authorization:[redacted] Date:[d]]"},
		{"header lines", "Authorization: Basic abc def\r\nX-Api-Key: k\r\nDate: d", `Authorization: [redacted]\r\nX-Api-Key: [redacted]\r\nDate: d`},
		{"cookie line", "Cookie: a=b; c=d\nHost: h", `Cookie: [redacted]\nHost: h`},
		{"prose with a cvv", "cvv: 123 is wrong", "cvv: [redacted] is wrong"},
		{"prose with a phone", "phone: +49 30 123456, retry", "phone: [redacted], retry"},
		{"prose about a name", "unknown field name: amount", "unknown field name: amount"},
		{"prose about a token", "unexpected token: x", "unexpected token: x"},
		{"go json error", "json: cannot unmarshal number into Go struct field X.name of type string", "json: cannot unmarshal number into Go struct field X.name of type string"},

		// Credentials.
		{"stripe keys", "sk_live_a1 rk_test_b2 pk_live_c3 whsec_d4+/=", "[key redacted] [key redacted] [key redacted] [key redacted]"},
		{"stripe key in its own error", "Invalid API Key provided: sk_test_****1234", "Invalid API Key provided: [key redacted]"},
		{"client secret", "pi_3Nabc_secret_xyz and seti_1_secret_Z9", "pi_3Nabc_secret_[key redacted] and seti_1_secret_[key redacted]"},
		{"a name with secret in it", "env webhook_secret_missing", "env webhook_secret_missing"},
		{"bearer", "got Bearer abc.DEF-123~x", "got Bearer [redacted]"},
		{"basic", "basic dXNlcjpwYXNz!", "basic [redacted]!"},
		{"basic in prose", "basic authentication failed, bearer token missing", "basic authentication failed, bearer token missing"},
		{"json web token", "t eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln x", "t [token redacted] x"},
		{"adyen key", "k AQE" + strings.Repeat("x1Y", 20), "k [token redacted]"},
		{"paypal token", "A21AA" + strings.Repeat("x1Y_", 20), "[token redacted]"},
		{"signature", "sign " + strings.Repeat("aB3/", 40) + "==", "sign [token redacted]"},
		{"private key", "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY----- rest", "-----BEGIN RSA PRIVATE KEY-----[key redacted]-----END RSA PRIVATE KEY----- rest"},
		{"private key cut short", "-----BEGIN PRIVATE KEY-----\nMIIabc", "-----BEGIN PRIVATE KEY-----[key redacted]"},

		// People.
		{"email", "send to Jane.Doe+x@mail.example.com.", "send to [email redacted]."},
		{"email percent-encoded", "q=jane%40example.com&a=1", "q=[email redacted]&a=1"},
		{"email after a line break", "to:\njane@example.com", `to:\n[email redacted]`},
		{"email, not ASCII", "j\u00f6rg@b\u00fccher.example", "[email redacted]"},
		{"user in a URL", "https://user:pa55@host.example/x", "https://[email redacted]/x"},
		{"ipv4", "from 203.0.113.7:443", "from [ip redacted]:443"},
		{"ipv6", "from [2001:db8::1]:443 or fe80::1%eth0 or ::ffff:192.0.2.1", "from [[ip redacted]]:443 or [ip redacted]%eth0 or [ip redacted]"},
		{"ipv6 after a line break", "x\nfe80::1", `x\n[ip redacted]`},
		{"no addresses", "12:34:56 std::sync v1.2.3 1.2.3.4.5 999.1.1.1", "12:34:56 std::sync v1.2.3 1.2.3.4.5 999.1.1.1"},

		// Form.
		{"control characters", "a\x00b\x1b[31m\tc\u2028d\u202ee", "a\ufffdb\ufffd[31m\\tc\ufffdde"},
		{"bad UTF-8", "a\xffb", "a\ufffdb"},
	} {
		got := Scrub(tc.in)
		require.Equal(t, tc.want, got, tc.name)
		require.Equal(t, got, Scrub(got), "%s: twice is once", tc.name)
		require.Equal(t, got, ScrubBytes([]byte(tc.in)), tc.name)
	}
}

func TestScrubErrorHidesTheQuery(t *testing.T) {
	t.Parallel()
	err := &url.Error{Op: "Get", URL: "https://api.example/v1/x?client_secret=pi_1_secret_2&receipt_email=a%40b.c", Err: errors.New("boom")}
	require.Equal(t, `Get "https://api.example/v1/x?client_secret=[redacted]&receipt_email=[redacted]": boom`, ScrubError(err))
	require.Empty(t, ScrubError(nil))
	require.NotPanics(t, func() { require.Contains(t, ScrubError(&brokenError{}), "panicked") })
}

func TestScrubIsBounded(t *testing.T) {
	t.Parallel()
	const pan, mail = "4111 1111 1111 1111", "jane.doe@example.com"
	// A secret across every position at which input or output can be cut.
	for _, unit := range []string{"x", "x ", "\x01", "\u20ac", `"name":"`, "[", "1 "} {
		for _, around := range []int{maxScrubInput, MaxScrubbed} {
			for shift := -40; shift <= 40; shift += 7 {
				pad := strings.Repeat(unit, around/len(unit)+50)[:around+shift]
				for _, secret := range []string{pan, mail} {
					got := Scrub(pad + " " + secret + " tail")
					require.LessOrEqual(t, len(got), MaxScrubbed)
					require.True(t, utf8.ValidString(got))
					require.NotContains(t, got, "4111 1111")
					require.NotContains(t, got, "jane")
					require.Equal(t, got, Scrub(got))
				}
			}
		}
	}
	require.Contains(t, Scrub(strings.Repeat("word ", MaxScrubbed)), " [cut]", "a cut is visible")
}

// Text that makes a scanner look at the same bytes again and again.
func TestScrubTakesLinearTime(t *testing.T) {
	for _, unit := range []string{`"`, `\`, `":`, `"name":`, `name:`, `name: 1 `, `name:a `, `[`, `{"`, `"name":{"`, `@`, `a@`, `%40`, `1 `, `1`, `:`, `::`,
		`1.`, `=`, `token=`, `<name>`, `PRIVATE KEY-----`, `_secret_`, `eyJ`, `bearer `, `://a`, `sk_live_`, "\n", "\xff", `'name':'`, `\"name\":\"`, `%3D`, "4111 "} {
		// The best of a few on a busy machine, for a text and one four times as
		// long: a quadratic scan takes sixteen times as long for it.
		best := func(n int) time.Duration {
			s, least := strings.Repeat(unit, n/len(unit)+1), time.Hour
			for range 5 {
				start := time.Now()
				got := Scrub(s)
				least = min(least, time.Since(start))
				require.NotEqual(t, withheld, got, "%q", unit)
			}
			return least
		}
		var short, long time.Duration
		for range 5 { // the machine may get busy between the two
			short, long = best(maxScrubInput/4), best(maxScrubInput)
			if long < 10*short+5*time.Millisecond {
				break
			}
		}
		require.Less(t, long, 10*short+5*time.Millisecond, "%q", unit)
	}
}

func FuzzScrub(f *testing.F) {
	for _, s := range []string{
		`{"email":"a@b.c","address":{"line1":"x"}}`, `{\"name\":\"x`, "Authorization: Bearer abc\r\nX: y",
		"card[number]=4111111111111111&cvc=1", "4111 1111 1111 1111 12", "[::1]:443 1.2.3.4", "https://u:p@h/x?token=1",
		"<email>x</email>", "-----BEGIN PRIVATE KEY-----x-----END PRIVATE KEY-----", "{Email:x Name:y z}", "'name': 'x'", `"email"=>"x"`,
		"pi_1_secret_2", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x", "%3D%40%5B", "[ip redacted]:", "name:[email redacted]@",
	} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		got := Scrub(before)
		check := func(s, got string) {
			if len(got) > MaxScrubbed || !utf8.ValidString(got) {
				t.Fatalf("Scrub(%q): %d bytes, valid UTF-8 %t", s, len(got), utf8.ValidString(got))
			}
			if i := strings.IndexFunc(got, func(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 }); i >= 0 {
				t.Fatalf("Scrub(%q): control character at %d", s, i)
			}
			if again := Scrub(got); again != got {
				t.Fatalf("Scrub is not idempotent:\n in    %q\n once  %q\n twice %q", s, got, again)
			}
			if got == withheld && s != withheld {
				t.Fatalf("Scrub(%q) did not come to rest", s)
			}
		}
		check(before, got)
		// Whatever stands around a secret, it does not come through.
		for _, secret := range []string{"4111111111111111", "planted@person.example", "sk_live_Planted", "Bearer Planted123", "eyJplanted0000.eyJplanted0000.c2ln"} {
			s := before + " " + secret + " " + after
			got := Scrub(s)
			check(s, got)
			if strings.Contains(strings.ToLower(got), "planted") || strings.Contains(got, "4111111111111111") {
				if !strings.Contains(strings.ToLower(before+after), "planted") && !strings.Contains(before+after, "4111111111111111") {
					t.Fatalf("Scrub(%q) = %q lets %q through", s, got, secret)
				}
			}
		}
	})
}

func BenchmarkScrub(b *testing.B) {
	for name, s := range map[string]string{
		"line":   `Post "https://api.stripe.com/v1/payment_intents?client_secret=pi_1_secret_2": dial tcp 203.0.113.7:443: connect: connection refused`,
		"4KiB":   strings.Repeat(`{"id":"pi_1","email":"a@b.co","amount":1999,"status":"requires_action"},`, 57),
		"binary": strings.Repeat("\x00\xff\u20ac", 1024),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				_ = Scrub(s)
			}
		})
	}
}
