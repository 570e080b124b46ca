package httpx

import (
	"bytes"
	"strings"
)

// fieldKind says how a field's name speaks of its value.
type fieldKind uint8

const (
	public  fieldKind = iota // nothing to hide
	private                  // hidden where the text is clearly a field
	telling                  // hidden in prose too
	header                   // a credential that goes on to the end of the line
)

// fieldClass classifies a name by its last part: card[number],
// payer.email_address, X-Api-Key, shopperEmail.
func fieldClass(name []byte) fieldKind {
	n := plainName(name)
	if n == "" {
		return public
	}
	switch n {
	case "authorization", "proxyauthorization", "cookie", "setcookie":
		return header
	case "xapikey", "apikey", "password", "passwd", "pwd", "passphrase", "secret", "clientsecret",
		"accesstoken", "refreshtoken", "idtoken", "privatekey", "secretkey",
		"cvc", "cvv", "cvc2", "cvv2", "cvn", "csc", "cid", "securitycode", "cardnumber", "pan",
		"email", "emailaddress", "phone", "phonenumber", "ssn", "iban":
		return telling
	case "name", "names", "number", "ip", "token", "tokens", "pin", "otp", "nonce", "auth", "credential", "credentials",
		"address", "addresses", "street", "line1", "line2", "line3", "addressline1", "addressline2", "addressline3",
		"adminarea1", "adminarea2", "city", "district", "zip", "zipcode", "postcode", "postalcode", "postal",
		"housenumberorname", "housenumber", "stateorprovince",
		"firstname", "lastname", "middlename", "givenname", "familyname", "surname", "maidenname", "fullname", "username",
		"mail", "tel", "telephone", "fax", "msisdn",
		"dob", "birthdate", "birthday", "dateofbirth", "taxid", "vatid", "nationalid", "idnumber", "passport", "socialsecuritynumber",
		"accountnumber", "routingnumber", "sortcode", "bankaccount", "banknumber", "bankaccountnumber", "cardno", "bankcardno", "accountno",
		"expiry", "expirydate", "expirymonth", "expiryyear", "expmonth", "expyear",
		"openid", "subopenid", "unionid", "buyerid", "buyeruserid", "buyeropenid", "buyerlogonid", "payeruserid", "payerlogonid", "payerid",
		"ciphertext", "appprivatekey", "apiv3key", "hmackey", "signingkey", "encryptionkey", "cardholder":
		return private
	}
	for _, part := range [...]string{"email", "password", "passwd", "secret", "apikey", "privatekey", "cardnumber", "securitycode",
		"phone", "mobile", "accesstoken"} {
		if strings.Contains(n, part) {
			return private
		}
	}
	for _, end := range [...]string{"token", "cvc", "cvv", "address", "ipaddress", "shopperip", "clientip", "customerip", "remoteip", "userip",
		"holdername", "shoppername", "payername", "buyername", "receivername", "recipientname", "customername", "accountname",
		"firstname", "lastname", "fullname", "username", "shippingname", "billingname"} {
		if strings.HasSuffix(n, end) {
			return private
		}
	}
	return public
}

// plainName returns the last part of a name in lower case without separators.
func plainName(name []byte) string {
	if bytes.IndexByte(name, '%') >= 0 {
		// card%5Bnumber%5D; whatever else is encoded separates too.
		out := make([]byte, 0, len(name))
		for i := 0; i < len(name); i++ {
			if name[i] != '%' || i+2 >= len(name) || !isHex(name[i+1]) || !isHex(name[i+2]) {
				out = append(out, name[i])
				continue
			}
			switch string(bytes.ToUpper(name[i+1 : i+3])) {
			case "5D":
				out = append(out, ']')
			default:
				out = append(out, '[')
			}
			i += 2
		}
		name = out
	}
	// The last part that is not empty and not an index: email[0] is email.
	for {
		name = bytes.TrimRight(name, "].-_%")
		i := bytes.LastIndexAny(name, "[.]")
		last := name[i+1:]
		if i < 0 || len(bytes.Trim(last, "0123456789")) > 0 {
			name = last
			break
		}
		name = name[:i]
	}
	out := make([]byte, 0, len(name))
	for _, c := range name {
		switch {
		case isUpper(c):
			out = append(out, c+'a'-'A')
		case c != '_' && c != '-' && c != ' ' && c != '%':
			out = append(out, c)
		}
	}
	return string(out)
}
