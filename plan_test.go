package payment

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/money"
)

// TestOrderSurvivesStorage: a step is first sent as it was planned and replayed
// as it was stored, so both must be the same to the adapter.
func TestOrderSurvivesStorage(t *testing.T) {
	t.Parallel()
	call := Call{Step: "pay", Key: "p1o001s001", Operation: "p1o001", Payment: "p1", Reference: "order-1", Ref: "pi_1",
		Data: map[string]string{"intent": "pi_1"}, Now: time.Date(2026, 11, 22, 9, 0, 0, 123000, time.UTC)}
	amount := money.Of(1250, money.KWD)
	splits := []Split{{Account: "acct_1", Merchant: "m1", Amount: money.Of(1000, money.KWD), Commission: money.Of(10, money.KWD)}, {Amount: money.Of(250, money.KWD)}}
	method := Card("tok_secret").With("bank", "b1")
	for name, o := range map[string]order{
		"authorize": {Authorize: &AuthorizeRequest{Call: call, Amount: amount, Capture: true, Method: method, Customer: "c1",
			ProviderCustomer: "cus_1", Payer: Payer{Name: "N", Email: "e@x.example", Billing: Address{Line1: "1"}}, Description: "d", Descriptor: "s",
			Metadata: map[string]string{"a": "b"}, ReturnURL: "https://x.example", ThreeDS: ThreeDSChallenge, Save: true, OffSession: true,
			Splits: splits, Until: call.Now.Add(time.Hour)}},
		"authorize, sparse": {Authorize: &AuthorizeRequest{Call: call, Amount: amount, Method: Card("tok_secret")}},
		"resume":            {Resume: &ResumeRequest{Call: call, Values: url.Values{"a": {"b", "c"}}, Amount: amount, Method: method}},
		"capture":           {Capture: &CaptureRequest{Call: call, Amount: amount, Final: true, Splits: splits}},
		"void":              {Void: &VoidRequest{Call: call, Amount: amount}},
		"refund":            {Refund: &RefundRequest{Call: call, Amount: amount, CaptureRef: "ch_1", Captured: amount, Reason: "r", Splits: splits}},
		"fence":             {Fence: &FenceRequest{Call: call, TargetKey: "k", Amount: amount, Method: MethodCard}},
		"transfer":          {Transfer: &TransferRequest{Call: call, Amount: amount, Destination: "acct_1", SourceRef: "ch_1", Description: "d"}},
		"respond":           {Respond: &RespondRequest{Call: call, DisputeRef: "dp_1", Evidence: Evidence{Text: "t", Fields: map[string]string{"a": "b"}, Files: []EvidenceFile{{Kind: "receipt", Name: "r.pdf", ContentType: "application/pdf", Data: []byte{1, 2}}}}, Submit: true}},
		"accept":            {Accept: &AcceptRequest{Call: call, DisputeRef: "dp_1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain, err := o.encode()
			require.NoError(t, err)
			back, err := decodeOrder(plain)
			require.NoError(t, err)
			token := func(o order) (order, string) {
				switch {
				case o.Authorize != nil:
					a := *o.Authorize
					s := a.Method.Token.Reveal()
					a.Method.Token, o.Authorize = Secret{}, &a
					o.Token = ""
					return o, s
				case o.Resume != nil:
					r := *o.Resume
					s := r.Method.Token.Reveal()
					r.Method.Token, o.Resume = Secret{}, &r
					o.Token = ""
					return o, s
				}
				return o, ""
			}
			want, wantToken := token(o)
			got, gotToken := token(back)
			require.Equal(t, wantToken, gotToken)
			require.Equal(t, want, got)
			require.Equal(t, call, *back.call())
		})
	}
}

func TestIDsLeadHome(t *testing.T) {
	t.Parallel()
	payment := "p01m817qnm0e1afwym9rrwnb"
	require.Len(t, payment, paymentIDLen)
	op := numbered(payment, "o", 1)
	require.Len(t, op, operationIDLen)
	step := numbered(op, "s", 46655)
	require.Len(t, step, stepIDLen)
	require.Equal(t, payment, paymentOf(op))
	require.Equal(t, payment, paymentOf(step))
	require.Equal(t, op, operationOf(step))
	require.Regexp(t, "^[0-9a-z]{32}$", step, "it fits the narrowest reference of a provider")
	for _, bad := range []string{"", "p", op + "/", op[:27] + "/", op[:27] + "\n", "../" + op[3:], op + step} {
		require.Empty(t, paymentOf(bad), "%q is no id of ours", bad)
	}
	seen := map[string]bool{}
	for n := 1; n < maxOperations; n++ {
		id := numbered(payment, "o", n)
		require.False(t, seen[id])
		seen[id] = true
	}
}
