package payment_test

import (
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/tender-go/payment"
	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/ledger/posting"
	"github.com/tender-go/payment/money"
)

// keepBooks wires books, so that every scenario is also one of the ledger.
func (s *shop) keepBooks(cfg *payment.Config) {
	s.t.Helper()
	if keeps, ok := cfg.Store.(ledger.Store); !ok || keeps.Ledger() == nil {
		return
	}
	var err error
	s.books, err = posting.New(posting.Config{Now: s.clock.Now})
	require.NoError(s.t, err)
	cfg.Books = s.books
}

// audit checks that the books foot and agree with every payment. It runs at the
// end of each scenario.
func (s *shop) audit() {
	s.t.Helper()
	if s.books == nil || s.books.Book() == nil || s.t.Failed() {
		return
	}
	var all []*payment.Payment
	after := ""
	for page := 0; page < 1000; page++ {
		got, err := s.store.Payments(s.ctx, payment.PaymentQuery{After: after, Limit: 500})
		require.NoError(s.t, err)
		for _, listed := range got {
			p, err := s.store.Payment(s.ctx, listed.ID)
			require.NoError(s.t, err)
			all = append(all, p)
		}
		if len(got) < 500 {
			break
		}
		after = payment.Cursor(got[len(got)-1])
	}
	found, err := s.books.Compare(s.ctx, all...)
	require.NoError(s.t, err)
	for _, d := range found {
		i := slices.IndexFunc(all, func(p *payment.Payment) bool { return p.ID == d.Payment })
		s.t.Errorf("%s\n%s", d, dump(all[i]))
	}
	t, err := s.books.Book().TrialBalance(s.ctx, ledger.AsOf{})
	require.NoError(s.t, err)
	require.True(s.t, t.Foots(), "the books do not foot: %+v", t.Sums)
	proof, err := s.books.Book().Verify(s.ctx, ledger.VerifyOptions{})
	require.NoError(s.t, err)
	require.True(s.t, proof.OK(), "%s\n%v", proof, proof.Problems)
	owed := map[money.Currency]int64{}
	for _, p := range all {
		n := p.Totals
		owed[p.Amount.Currency()] += n.Captured.Done.Minor() + n.Overpaid.Done.Minor() - n.Refunded.Done.Minor() - n.OverpaidRefunded.Done.Minor() -
			n.Disputed.Done.Minor() - n.Disputed.Pending.Minor() - n.Transferred.Done.Minor()
		for _, o := range p.Operations {
			if o.Fee.Currency() != "" {
				owed[o.Fee.Currency()] -= o.Fee.Minor()
			}
		}
	}
	clearing := map[money.Currency]int64{}
	for _, l := range t.Lines {
		if strings.HasPrefix(l.Account, "psp:") && strings.Contains(l.Account, ":clearing:") {
			clearing[l.Debit.Currency()] += l.Debit.Minor() - l.Credit.Minor()
		}
	}
	for c, n := range owed {
		require.Equal(s.t, n, clearing[c], "what providers owe the shop in %s: by the totals, and by the clearing accounts", c)
	}
}

// participant is the shop's books for a further client on its store.
func (s *shop) participant() payment.Participant {
	if s.books == nil {
		return nil
	}
	return s.books
}
