package posting

// Stage is something that is booked. A [Rule] says how.
type Stage string

// The stages of a payment's operations. Their rules are facts: they take no
// conditions.
const (
	// Held: an authorization holds money. It is booked as a pending
	// transaction; a capture settles it, a void or its expiry releases it.
	Held Stage = "held"
	// Captured: a capture or sale collected money for the order.
	Captured Stage = "captured"
	// Refunded: collected money was given back.
	Refunded Stage = "refunded"
	// HeldOverpaid, Overpaid and OverpaidRefunded: money that is not the
	// order's was held, collected and given back (see
	// payment.Operation.Overpaid).
	HeldOverpaid     Stage = "held_overpaid"
	Overpaid         Stage = "overpaid"
	OverpaidRefunded Stage = "overpaid_refunded"
	// Disputed: the provider holds money back because of a dispute. It is
	// undone when the dispute is won.
	Disputed Stage = "disputed"
	// DisputeLost: what was held back is gone; DisputeLostOverpaid where it
	// was not the order's.
	DisputeLost         Stage = "dispute_lost"
	DisputeLostOverpaid Stage = "dispute_lost_overpaid"
	// ProviderFee: the provider took a fee; DisputeFee: one for a dispute.
	ProviderFee Stage = "fee"
	DisputeFee  Stage = "dispute_fee"
	// Transferred: collected money was moved to another party.
	Transferred Stage = "transferred"
)

// The stages that the host books itself: see [Books.Payout],
// [Books.Disbursement] and [Books.Exchange].
const (
	// PaidOut: the provider paid to the shop's bank.
	PaidOut Stage = "paid_out"
	// Disbursed: the shop paid a merchant from its bank.
	Disbursed Stage = "disbursed"
	// Exchanged: a provider or bank changed money into another currency.
	Exchanged     Stage = "exchanged"
	BankExchanged Stage = "bank_exchanged"
)

// Amount names what a leg moves.
type Amount string

// The amounts. Gross is the whole: the sum of the others that the stage has.
const (
	Gross Amount = "gross"
	// Part is what is due to one merchant, Commission what the platform keeps
	// of it: a leg with one of them stands for as many entries as there are
	// merchants. Own is the part of no merchant: all of it, in a shop without
	// splits.
	Part       Amount = "part"
	Commission Amount = "commission"
	Own        Amount = "own"
	// Excess is what went back beyond all that was collected of the attempt: of
	// all its captures together.
	Excess Amount = "excess"
	// Net is what arrives of a payout, Fee what is kept of it.
	Net Amount = "net"
	Fee Amount = "fee"
	// Sold and Bought are the two sides of an exchange, each in its currency.
	Sold   Amount = "sold"
	Bought Amount = "bought"
)

// stageInfo is what a stage's rule may use.
type stageInfo struct {
	stage Stage
	// amounts that Gross is made of; Gross alone where there is nothing to
	// tell apart.
	amounts []Amount
	// places are the placeholders, besides {currency} and {merchant}.
	places []string
	// hosts: it is booked by a call of the host's, and may carry conditions.
	hosts bool
	// needs are the stages that must be booked if this one is: what it takes
	// from, or what takes back what it leaves.
	needs []Stage
}

var inParts = []Amount{Part, Commission, Own}

var whole = []Amount{Gross}

// stages in the order of the documentation.
var stages = []stageInfo{
	{Held, inParts, []string{"provider"}, false, nil},
	{Captured, inParts, []string{"provider"}, false, []Stage{Refunded}},
	{Refunded, append(inParts[:3:3], Excess), []string{"provider"}, false, []Stage{Captured}},
	{Disputed, whole, []string{"provider"}, false, []Stage{DisputeLost, DisputeLostOverpaid}},
	{DisputeLost, append(inParts[:3:3], Excess), []string{"provider"}, false, []Stage{Disputed, Captured}},
	{DisputeFee, whole, []string{"provider"}, false, nil},
	{ProviderFee, whole, []string{"provider"}, false, nil},
	{Transferred, inParts, []string{"provider"}, false, []Stage{Captured}},
	{HeldOverpaid, whole, []string{"provider"}, false, nil},
	{Overpaid, whole, []string{"provider"}, false, []Stage{OverpaidRefunded}},
	{OverpaidRefunded, whole, []string{"provider"}, false, []Stage{Overpaid}},
	{DisputeLostOverpaid, whole, []string{"provider"}, false, []Stage{Disputed, Overpaid}},
	{PaidOut, []Amount{Net, Fee}, []string{"provider", "bank"}, true, nil},
	{Disbursed, whole, []string{"merchant", "bank"}, true, nil},
	{Exchanged, []Amount{Sold, Bought}, []string{"provider"}, true, nil},
	{BankExchanged, []Amount{Sold, Bought}, []string{"bank"}, true, nil},
}

func infoOf(s Stage) (stageInfo, bool) {
	for _, i := range stages {
		if i.stage == s {
			return i, true
		}
	}
	return stageInfo{}, false
}

// Key is the idempotency key of a stage of an operation, as Book.Find takes it:
// its n-th posting, from 1. A second one follows when the first was undone or
// became another amount; Undone(key) is the key of its reversal.
func Key(operation string, s Stage, n int) string {
	k := operation + ":" + string(s)
	if n > 1 {
		k += "#" + itoa(n)
	}
	return k
}

// Undone is the key of the reversal of what was posted under a key, and of the
// release of what was held under it.
func Undone(key string) string { return key + ":undone" }
