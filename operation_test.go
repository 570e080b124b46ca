package payment

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/money"
)

// allowed is the transition table once more, written as rules instead of as a
// list, so that a slip in either is seen.
func allowed(from, to State) bool {
	switch {
	case from == to, from == StateReversed:
		return false
	case to == StatePlanned:
		return false // a step is planned once
	case to == StateReversed:
		return true // the bank may undo anything at any time
	case from == StateApproved:
		return false // only undone
	case to == StateApproved:
		return true // from what is open, and as a late success
	case from == StateAbsent:
		return to == StatePending || to == StateActionRequired || to == StateDeclined // it arrived after all
	case from.Dead():
		return false
	case to == StateFailed:
		return from == StatePlanned || from == StateUnknown // proven not to have been done: only before an answer
	}
	return true // planned, unknown, pending and action required move freely among what is open, and end
}

func TestTransitionTable(t *testing.T) {
	t.Parallel()
	for _, from := range States() {
		for _, to := range States() {
			require.Equal(t, allowed(from, to), from.May(to), "%s to %s", from, to)
			require.Equal(t, from.May(to), slices.Contains(from.Next(), to), "May and Next agree on %s to %s", from, to)
		}
		_, listed := transitions[from]
		require.True(t, listed, "%s has a row", from)
		require.False(t, from.Outstanding() && from.Dead(), "%s is open or dead", from)
		ended := from.Dead() || from == StateApproved || from == StateReversed
		require.NotEqual(t, from.Outstanding(), ended, "%s is exactly one of open and ended", from)
	}
	require.Len(t, transitions, len(States()), "no state has a row and is not listed")
	require.False(t, State("nonsense").May(StateApproved))
	require.Empty(t, State("nonsense").Next())
	StateApproved.Next()[0] = StateDeclined
	require.True(t, StateApproved.May(StateReversed), "what Next returns is the caller's")
}

func TestStateOf(t *testing.T) {
	t.Parallel()
	for status, want := range map[ResultStatus]State{
		ResultContinue: StatePending, ResultApproved: StateApproved, ResultPending: StatePending, ResultActionRequired: StateActionRequired,
		ResultDeclined: StateDeclined, ResultCanceled: StateCanceled, ResultExpired: StateExpired, ResultReversed: StateReversed, ResultAbsent: StateAbsent,
		"": StateUnknown, "nonsense": StateUnknown,
	} {
		require.Equal(t, want, stateOf(status), "%q", status)
	}
}

func TestPlanIDs(t *testing.T) {
	t.Parallel()
	payment := "p01m817qnm0k6p63s4w9n9e9"
	require.Len(t, payment, paymentIDLen)
	seen := map[string]bool{}
	last := ""
	for n := 1; n < maxOperations; n++ {
		op := numbered(payment, "o", n)
		require.Len(t, op, operationIDLen)
		require.False(t, seen[op], "operation %d has an id of its own", n)
		require.Greater(t, op, last, "ids sort by number")
		seen[op], last = true, op
	}
	op := numbered(payment, "o", 1)
	step := numbered(op, "s", 35)
	require.Len(t, step, stepIDLen)
	require.Equal(t, payment+"o001s00z", step)
	for _, id := range []string{payment, op, step} {
		require.Equal(t, payment, paymentOf(id), "every id leads home")
	}
	require.Equal(t, op, operationOf(step))
	require.Empty(t, operationOf(op))
	for _, foreign := range []string{"", "p", "pi_3MtwBwLkdIwHu7ix28a3tqPa", payment + "o", payment + "o001s00z0", payment[:23] + "/", payment[:23] + "A", payment[:20] + "\x00\x00\x00\x00"} {
		require.Empty(t, paymentOf(foreign), "%q is none of ours", foreign)
	}
}

// Every order goes through JSON unchanged: a replay after a crash sends the
// same bytes.
func TestOrderRoundTrip(t *testing.T) {
	t.Parallel()
	one := money.Of(1, money.USD)
	call := Call{Step: "pay", Key: "k", Operation: "o", Payment: "p", Reference: "r", Ref: "pi_1", Data: map[string]string{"a": "b"}}
	for name, o := range map[string]order{
		"authorize": {Authorize: &AuthorizeRequest{Call: call, Amount: one, Method: Card("tok_secret").With("bank", "x"), Payer: Payer{Name: "Ann", Billing: Address{City: "Rome"}}, Metadata: map[string]string{"m": "n"}}},
		"resume":    {Resume: &ResumeRequest{Call: call, Amount: one, Method: Card("tok_secret"), Values: map[string][]string{"a": {"b", "c"}}}},
		"capture":   {Capture: &CaptureRequest{Call: call, Amount: one, Final: true}},
		"void":      {Void: &VoidRequest{Call: call, Amount: one}},
		"refund":    {Refund: &RefundRequest{Call: call, Amount: one, CaptureRef: "c", Reason: "r"}},
		"fence":     {Fence: &FenceRequest{Call: call, Amount: one, TargetKey: "t"}},
		"transfer":  {Transfer: &TransferRequest{Call: call, Amount: one, Destination: "acct"}},
		"respond":   {Respond: &RespondRequest{Call: call, Evidence: Evidence{Text: "t", Files: []EvidenceFile{{Data: []byte{0, 1, 255}}}}}},
		"accept":    {Accept: &AcceptRequest{Call: call, DisputeRef: "d"}},
	} {
		require.Equal(t, &call, func() *Call { c := *o.call(); return &c }(), name)
		plain, err := o.encode()
		require.NoError(t, err, name)
		back, err := decodeOrder(plain)
		require.NoError(t, err, name)
		again, err := back.encode()
		require.NoError(t, err, name)
		require.Equal(t, string(plain), string(again), name)
		require.Equal(t, call, *back.call(), name)
		if o.Authorize != nil {
			require.Equal(t, "tok_secret", back.Authorize.Method.Token.Reveal(), "a token survives")
			require.Equal(t, "tok_secret", o.Authorize.Method.Token.Reveal(), "encode leaves its argument alone")
			require.Equal(t, "Ann", back.Authorize.Payer.Name)
		}
	}
	require.Equal(t, &Call{}, (&order{}).call())
	_, err := decodeOrder([]byte("{"))
	require.Error(t, err)
}
