package ledger

import (
	"bufio"
	"context"
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tender-go/payment/money"
)

// csvColumns is the first line of ExportCSV.
var csvColumns = []string{"seq", "id", "key", "kind", "effective", "booked", "recorded", "account", "type", "side", "amount", "currency", "layer", "running", "description", "metadata"} //nolint:gochecknoglobals // a table

// ExportCSV writes the sealed books as CSV (RFC 4180, UTF-8): a first line with
// the names of the columns, and then one for each line of each record, in the
// order of the seals.
//
// Amounts are decimals of the currency without a sign, the side stands beside
// them; on the held layers an amount that is released has a minus. Running is
// what the account comes to with the line: on the layer posted positive where
// it stands on its normal side, as in a Statement. A closing has no lines and
// is one row without an account. Times are RFC 3339 in the zone of the
// options; booked is the one that From and To go by. Metadata is a JSON object.
//
// A text that a spreadsheet would take for a formula has an apostrophe before
// it. As for ExportHledger, a slow writer keeps a transaction open for long.
func (b *Book) ExportCSV(ctx context.Context, w io.Writer, options ExportOptions) error {
	o, err := options.check()
	if err != nil {
		return err
	}
	e := csvExport{o: o, buffer: bufio.NewWriterSize(w, exportBuffer)}
	return b.export(ctx, o, &e, e.buffer)
}

type csvExport struct {
	o      ExportOptions
	buffer *bufio.Writer
	out    *csv.Writer
	row    []string
}

func (e *csvExport) head(context.Context, View) error {
	e.out = csv.NewWriter(e.buffer)
	e.out.UseCRLF = true
	e.row = make([]string, len(csvColumns))
	return e.out.Write(csvColumns)
}

func (e *csvExport) page(ctx context.Context, v View, list []sealedRecord) error {
	var accounts []*Account
	at := map[*Account]int{}
	for _, r := range list {
		for _, l := range r.Lines {
			if _, ok := at[l.Account]; !ok {
				at[l.Account] = len(accounts)
				accounts = append(accounts, l.Account)
			}
		}
	}
	running, err := v.Running(ctx, list[0].seq-1, accounts)
	if err != nil {
		return unreadable(err)
	}
	running = slices.Clone(running)
	for i := range list {
		r := &list[i]
		wanted := e.o.wants(r)
		if wanted && len(r.Lines) == 0 {
			e.begin(r)
			if err := e.out.Write(e.row); err != nil {
				return err
			}
		}
		for _, l := range r.Lines {
			t := &running[at[l.Account]]
			if !t.Add(l.Layer, l.Amount) {
				return overflow(l.Account)
			}
			if !wanted {
				continue
			}
			e.begin(r)
			e.line(&l, t.Of(l.Layer))
			if err := e.out.Write(e.row); err != nil {
				return err
			}
		}
	}
	e.out.Flush()
	if err := e.out.Error(); err != nil {
		return err
	}
	return ctx.Err()
}

// begin fills what all lines of a record share.
func (e *csvExport) begin(r *sealedRecord) {
	clear(e.row)
	copy(e.row, []string{strconv.FormatInt(r.seq, 10), strconv.FormatInt(r.ID, 10), plainText(r.Key), r.Kind.String(),
		e.time(r.Effective), e.time(r.booked), e.time(r.Recorded)})
	copy(e.row[len(e.row)-2:], []string{plainText(r.Description), plainText(string(r.Metadata))})
}

func (e *csvExport) time(micros int64) string {
	return instant(micros).In(e.o.Zone).Format(time.RFC3339Nano)
}

func (e *csvExport) line(l *Line, running int64) {
	a := l.Account
	side, amount := DebitSide, l.Amount
	switch {
	case l.Layer == HeldCredit:
		side = CreditSide
	case l.Layer == Posted && amount < 0:
		side, amount = CreditSide, -amount
	}
	if l.Layer == Posted {
		running *= int64(a.Type.Normal())
	}
	copy(e.row[7:], []string{plainText(a.Path), a.Type.String(), side.String(), decimal(amount, a.Currency), string(a.Currency), l.Layer.String(), decimal(running, a.Currency)})
}

// decimal is an amount without its currency.
func decimal(minor int64, c money.Currency) string {
	number, _, _ := strings.Cut(money.Of(minor, c).String(), " ")
	return number
}

// plainText keeps a spreadsheet from taking a text for a formula.
func plainText(s string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " \t\u00a0\u3000"))
	if strings.ContainsRune("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20", first) && s != "" {
		return "'" + s
	}
	return s
}
