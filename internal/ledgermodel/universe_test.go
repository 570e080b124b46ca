package ledgermodel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

// account is what the chart says of a path.
type account struct {
	kind ledger.Type
	mode ledger.Mode
	// currency of its own; "" where the first entry decides.
	currency money.Currency
}

// paths of the accounts that the tests use: every type of account, both modes,
// with a currency of their own and without.
var paths = []string{"bank:EUR", "bank:USD", "till:a", "till:b", "shop:1:EUR", "shop:2:EUR", "shop:1:USD", "fees", "income:EUR", "income:USD", "capital", "rent"}

// strangers are paths that no rule of the chart matches.
var strangers = []string{"nowhere", "shop:1", "shop:1:EUR:more", "bank", "bank:", "till:a b", "", "Fees"}

// lookUp says what an account is, apart from the chart that says the same.
func lookUp(path string) (account, bool) {
	own := money.Currency(path[strings.LastIndex(path, ":")+1:])
	switch path {
	case "bank:EUR", "bank:USD":
		return account{ledger.Asset, ledger.Deferred, own}, true
	case "till:a", "till:b":
		return account{ledger.Asset, ledger.Strict, ""}, true
	case "shop:1:EUR", "shop:2:EUR", "shop:1:USD":
		return account{ledger.Liability, ledger.Strict, own}, true
	case "fees":
		return account{ledger.Expense, ledger.Deferred, ""}, true
	case "income:EUR", "income:USD":
		return account{ledger.Income, ledger.Deferred, own}, true
	case "capital":
		return account{ledger.Equity, ledger.Strict, ""}, true
	case "rent":
		return account{ledger.Expense, ledger.Strict, ""}, true
	}
	return account{}, false
}

func newChart(t testing.TB) *ledger.Chart {
	t.Helper()
	chart, err := ledger.NewChart(
		ledger.Rule{Pattern: "bank:{currency}", Type: ledger.Asset},
		ledger.Rule{Pattern: "till:{name}", Type: ledger.Asset, Mode: ledger.Strict},
		ledger.Rule{Pattern: "shop:{id}:{currency}", Type: ledger.Liability, Mode: ledger.Strict},
		ledger.Rule{Pattern: "fees", Type: ledger.Expense},
		ledger.Rule{Pattern: "income:{currency}", Type: ledger.Income},
		ledger.Rule{Pattern: "capital", Type: ledger.Equity, Mode: ledger.Strict},
		ledger.Rule{Pattern: "rent", Type: ledger.Expense, Mode: ledger.Strict},
	)
	require.NoError(t, err)
	return chart
}

// TestUniverse: the chart and the model's own table say the same.
func TestUniverse(t *testing.T) {
	t.Parallel()
	chart := newChart(t)
	for _, path := range paths {
		a, ok := lookUp(path)
		require.True(t, ok, path)
		currency := a.currency
		if currency == "" {
			currency = money.JPY
		}
		spec, err := chart.Spec(path, currency)
		require.NoError(t, err)
		require.Equal(t, ledger.Spec{Path: path, Currency: currency, Type: a.kind, Mode: a.mode}, spec)
	}
	for _, path := range strangers {
		_, err := chart.Spec(path, money.EUR)
		require.ErrorIs(t, err, ledger.ErrUnknownAccount, "%q", path)
	}
}
