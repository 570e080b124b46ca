package ledger

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/tender-go/payment/money"
)

// ExportHledger writes the sealed books as a journal of hledger (hledger.org),
// which plain text accounting tools read: one transaction for each record in
// the order of the seals, dated by its effective date, with the key as its
// code and the tags seq, id, kind, of, and booked where the record counts at
// another date than its own because its period was closed. Pending amounts
// are tags held-debit and held-credit, so that the balances there are Balance.Posted here, debits
// positive.
//
// The journal declares its accounts with their types and its currencies, so
// that "hledger check --strict" holds. Its order is that of the books and not
// of dates.
//
// It is written from one consistent view: into a slow writer it keeps a
// transaction open for long, on store/memstore it keeps posts waiting.
func (b *Book) ExportHledger(ctx context.Context, w io.Writer, options ExportOptions) error {
	o, err := options.check()
	if err != nil {
		return err
	}
	e := hledgerExport{o: o, out: bufio.NewWriterSize(w, exportBuffer)}
	return b.export(ctx, o, &e, e.out)
}

type hledgerExport struct {
	o   ExportOptions
	out *bufio.Writer
}

// hledgerTypes are the codes of hledger's account types.
var hledgerTypes = [...]byte{Asset: 'A', Expense: 'X', Liability: 'L', Equity: 'E', Income: 'R'} //nolint:gochecknoglobals // a table

func (e *hledgerExport) head(ctx context.Context, v View) error {
	currencies := map[money.Currency]bool{}
	if err := v.Accounts(ctx, func(a *Account, _ []byte) error {
		currencies[a.Currency] = true
		return nil
	}); err != nil {
		return unreadable(err)
	}
	fmt.Fprint(e.out, "; A ledger's journal, in the order of its seals.\n\ndecimal-mark .\n\n")
	for _, c := range slices.Sorted(maps.Keys(currencies)) {
		exp, ok := c.Exponent()
		if !ok {
			return unreadable(fmt.Errorf("the currency %q has no minor unit: %w", c, ErrCorrupt))
		}
		fmt.Fprintf(e.out, "commodity 1000.%s %s\n", strings.Repeat("0", exp), c)
	}
	fmt.Fprintln(e.out)
	if err := v.Accounts(ctx, func(a *Account, _ []byte) error {
		if a.Type < Asset || a.Type > Income {
			return fmt.Errorf("the account %s has no type: %w", a.Path, ErrCorrupt)
		}
		_, err := fmt.Fprintf(e.out, "account %s  ; type: %c\n", a.Path, hledgerTypes[a.Type])
		return err
	}); err != nil {
		return unreadable(err)
	}
	return nil
}

func (e *hledgerExport) page(ctx context.Context, v View, list []sealedRecord) error {
	keys, err := earlierKeys(ctx, v, list)
	if err != nil {
		return err
	}
	for i := range list {
		if r := &list[i]; e.o.wants(r.seq, r.Record) {
			if err := e.record(r, keys[r.Of]); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (e *hledgerExport) record(r *sealedRecord, of string) error {
	status := byte('*')
	if r.Kind == KindHold {
		status = '!'
	}
	fmt.Fprintf(e.out, "\n%s %c (%s)", instant(r.Effective).In(e.o.Zone).Format("2006-01-02"), status, r.Key)
	if d := hledgerText(r.Description); d != "" {
		fmt.Fprint(e.out, " "+d)
	}
	fmt.Fprintf(e.out, "\n    ; seq:%d, id:%d, kind:%s", r.seq, r.ID, r.Kind)
	if of != "" {
		fmt.Fprint(e.out, ", of:"+of)
	}
	if r.Kind != KindClose && r.booked != r.Effective {
		fmt.Fprint(e.out, ", booked:"+instant(r.booked).In(e.o.Zone).Format("2006-01-02"))
	}
	fmt.Fprintln(e.out)
	for _, l := range r.Lines {
		amount := money.Of(l.Amount, l.Account.Currency).String()
		var err error
		if l.Layer == Posted {
			_, err = fmt.Fprintf(e.out, "    %s  %s\n", l.Account.Path, amount)
		} else {
			_, err = fmt.Fprintf(e.out, "    ; %s:%s  %s\n", strings.ReplaceAll(l.Layer.String(), " ", "-"), l.Account.Path, amount)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hledgerText makes a description of a text: a semicolon would begin a comment.
func hledgerText(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, ";", ",")) }
