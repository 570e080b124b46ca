package ledger_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
	"github.com/tender-go/payment/store/memstore"
)

// A marketplace holds what a payer authorized, settles it when the goods ship,
// and pays the merchant out, as far as there is something to pay.
func Example() {
	chart, err := ledger.NewChart(
		ledger.Rule{Pattern: "psp:{provider}:clearing:{currency}", Type: ledger.Asset},
		ledger.Rule{Pattern: "merchant:{id}:payable:{currency}", Type: ledger.Liability, Mode: ledger.Strict},
		ledger.Rule{Pattern: "platform:commission:{currency}", Type: ledger.Income},
		ledger.Rule{Pattern: "bank:{currency}", Type: ledger.Asset},
	)
	if err != nil {
		log.Fatal(err)
	}
	store := memstore.New() // or sqlite.Open, postgres.Open: the shop's own database
	book, err := ledger.New(ledger.Config{Store: store, Chart: chart})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	eur := func(cents int64) money.Amount { return money.Of(cents, money.EUR) }

	_, err = book.Post(ctx, ledger.Transaction{Key: "order-42:authorized", Pending: true, Entries: []ledger.Entry{
		ledger.Debit("psp:stripe:clearing:EUR", eur(10000)),
		ledger.Credit("merchant:7:payable:EUR", eur(9200)),
		ledger.Credit("platform:commission:EUR", eur(800)),
	}})
	fmt.Println("held:", err)
	_, err = book.Settle(ctx, ledger.Settlement{Key: "order-42:shipped", Hold: "order-42:authorized"})
	fmt.Println("settled:", err)

	payout := ledger.Transaction{Key: "payout-1", Entries: []ledger.Entry{
		ledger.Debit("merchant:7:payable:EUR", eur(9300)), ledger.Credit("bank:EUR", eur(9300)),
	}, Conditions: []ledger.Condition{ledger.NotOverdrawn("merchant:7:payable:EUR")}}
	_, err = book.Post(ctx, payout)
	fmt.Println("payout:", err)

	now, err := book.Balance(ctx, "merchant:7:payable:EUR", ledger.AsOf{})
	fmt.Println("owed:", now.Available, err)
	before, err := book.Balance(ctx, "merchant:7:payable:EUR", ledger.AsOf{Effective: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)})
	fmt.Println("owed in 2020:", before.Posted, err)
	report, err := book.Verify(ctx, ledger.VerifyOptions{})
	fmt.Println("the books hold:", report.OK(), err)
	// Output:
	// held: <nil>
	// settled: <nil>
	// payout: ledger: "payout-1": account "merchant:7:payable:EUR" would have -1.00 EUR available: it has 92.00 EUR: take less, or try again when more came in
	// owed: 92.00 EUR <nil>
	// owed in 2020: 0.00 EUR <nil>
	// the books hold: true <nil>
}
