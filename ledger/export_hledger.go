package ledger

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/tender-go/payment/money"
)

// ExportHledger writes the sealed books as a journal of hledger (hledger.org),
// which plain text accounting tools read: one transaction for each record in
// the order of the seals, dated by the date that it counts at, with the key as
// its code and the tags seq, id, kind, of, and effective where that is another
// date because the period was closed. So "hledger balance -e DATE" is
// Balance.Posted as of the beginning of that day in the zone of the options,
// debits positive. Pending amounts are tags held-debit and held-credit.
//
// Metadata are tags, too, with meta- before the name. What would end a name or
// a value is written as in a URL: %2C for a comma.
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
		if r := &list[i]; e.o.wants(r) {
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
	fmt.Fprintf(e.out, "\n%s %c (%s)", e.date(r.booked), status, r.Key)
	if d := hledgerText(r.Description); d != "" {
		fmt.Fprint(e.out, " "+d)
	}
	fmt.Fprintf(e.out, "\n    ; seq:%d, id:%d, kind:%s", r.seq, r.ID, r.Kind)
	if of != "" {
		fmt.Fprint(e.out, ", of:"+of)
	}
	if r.Kind != KindClose && r.booked != r.Effective {
		fmt.Fprint(e.out, ", effective:"+e.date(r.Effective))
	}
	fmt.Fprintln(e.out)
	metadata, err := r.metadata()
	if err != nil {
		return unreadable(err)
	}
	for _, k := range slices.Sorted(maps.Keys(metadata)) {
		fmt.Fprintf(e.out, "    ; meta-%s:%s\n", tagName(k), tagValue(metadata[k]))
	}
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

func (e *hledgerExport) date(micros int64) string {
	return instant(micros).In(e.o.Zone).Format(time.DateOnly)
}

// tagName keeps a name in one word without a colon.
func tagName(s string) string {
	return escaped(s, func(_ int, r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_./", r)
	})
}

// tagValue keeps a value from ending before its end, and its outer spaces.
func tagValue(s string) string {
	inner := strings.TrimSpace(s)
	from := strings.Index(s, inner)
	return escaped(s, func(i int, r rune) bool {
		return r != ',' && r != '%' && i >= from && i < from+len(inner)
	})
}

// escaped writes what does not stay as in a URL.
func escaped(s string, stays func(i int, r rune) bool) string {
	var b strings.Builder
	for i, r := range s {
		if stays(i, r) {
			b.WriteRune(r)
			continue
		}
		for _, c := range []byte(string(r)) {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// hledgerText makes a description of a text: a semicolon would begin a comment.
func hledgerText(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, ";", ",")) }
