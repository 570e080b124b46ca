package sqlstore

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/tender-go/payment/ledger"
	"github.com/tender-go/payment/money"
)

func scanAccount(r row) (a *ledger.Account, digest []byte, err error) {
	a = &ledger.Account{}
	var ty, mode int64
	var currency string
	err = r.Scan(&a.ID, &a.Path, &currency, &ty, &mode, &digest)
	a.Currency, a.Type, a.Mode = money.Currency(currency), ledger.Type(ty), ledger.Mode(mode)
	if int64(a.Type) != ty || int64(a.Mode) != mode {
		a.Type = 0 // no number that was ever written
	}
	return a, digest, err
}

func scanLocked(r row) (l ledger.Locked, err error) {
	return l, r.Scan(&l.ID, &l.Totals.Posted, &l.Totals.HeldDebit, &l.Totals.HeldCredit, &l.Version)
}

// recordRow is a row of the journal, before its lines are read.
type recordRow struct {
	ledger.Record
	fingerprint, lines []byte
	kind               int64
	bad                bool
}

func scanRecord(r row) (*recordRow, error) {
	var j recordRow
	var effective, expires, of, part sql.NullInt64
	var description, metadata sql.NullString
	var final any
	err := r.Scan(&j.ID, &j.Key, &j.kind, &j.fingerprint, &j.Recorded, &effective, &expires, &of, &part, &final, &j.lines, &description, &metadata)
	if err != nil {
		return nil, err
	}
	j.Kind = ledger.Kind(j.kind)
	j.Effective, j.Expires, j.Of, j.Part = j.Recorded, expires.Int64, of.Int64, int(part.Int64)
	if effective.Valid {
		j.Effective = effective.Int64
	}
	j.Description = description.String
	if metadata.Valid {
		j.Metadata = []byte(metadata.String)
	}
	whole := false
	switch f := final.(type) {
	case bool:
		j.Final, whole = f, true
	case int64: // SQLite
		j.Final, whole = f != 0, f == 0 || f == 1
	}
	// NULL stands for what is not there: a value in its place was never written.
	j.bad = !whole || int64(j.Kind) != j.kind || len(j.fingerprint) != len(j.Fingerprint) || effective.Valid != (effectiveOf(&j.Record) != nil) ||
		expires.Valid && expires.Int64 == 0 || of.Valid && of.Int64 == 0 || part.Valid && part.Int64 == 0 ||
		description.Valid && description.String == "" || metadata.Valid && metadata.String == ""
	copy(j.Fingerprint[:], j.fingerprint)
	return &j, nil
}

// record completes the row with its lines.
func (j *recordRow) record(account func(int64) (*ledger.Account, error)) (*ledger.Record, error) {
	if j.bad {
		return nil, fmt.Errorf("record %d: %w", j.ID, ledger.ErrCorrupt)
	}
	var err error
	if len(j.lines) > 0 {
		if j.Lines, err = ledger.ParseLines(j.lines, account); err != nil {
			return nil, fmt.Errorf("the lines of record %d: %w", j.ID, err)
		}
	}
	return &j.Record, nil
}

func scanBlock(r row) (ledger.Block, error) {
	b, err := scanBlockRow(r)
	if err == nil {
		err = b.broken
	}
	return b.Block, err
}

// blockRow is a row of the seals. If it is broken, only First is there.
type blockRow struct {
	ledger.Block
	broken error
}

func scanBlockRow(r row) (b blockRow, err error) {
	var ids, head []byte
	if err = r.Scan(&b.First, &ids, &b.Marks, &head, &b.Sealed, &b.Closed, &b.High, &b.Notes); err != nil {
		return b, err
	}
	var whole bool
	if b.IDs, whole = unpacked(ids); !whole || len(head) != len(b.Head) {
		return blockRow{ledger.Block{First: b.First}, fmt.Errorf("the block of number %d: %w", b.First, ledger.ErrCorrupt)}, nil
	}
	copy(b.Head[:], head)
	return b, nil
}

func unpacked(b []byte) (ids []int64, ok bool) {
	ids, err := unpack(b)
	return ids, err == nil
}

// array writes a PostgreSQL array as text, which every driver can send.
type array struct {
	b     []byte
	some  bool // an element that is not NULL
	every int
}

func (a *array) next() {
	if a.every == 0 {
		a.b = append(a.b, '{')
	} else {
		a.b = append(a.b, ',')
	}
	a.every++
}

func (a *array) null() {
	a.next()
	a.b = append(a.b, "NULL"...)
}

func (a *array) number(n int64) {
	a.next()
	a.b = strconv.AppendInt(a.b, n, 10)
	a.some = true
}

func (a *array) flag(v bool) {
	a.next()
	if v {
		a.b = append(a.b, 't')
	} else {
		a.b = append(a.b, 'f')
	}
	a.some = true
}

func (a *array) text(s string) {
	a.next()
	a.b = append(a.b, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			a.b = append(a.b, '\\')
		}
		a.b = append(a.b, s[i])
	}
	a.b = append(a.b, '"')
	a.some = true
}

func (a *array) bytes(v []byte) {
	a.next()
	a.b = append(a.b, `"\\x`...)
	a.b = hex.AppendEncode(a.b, v)
	a.b = append(a.b, '"')
	a.some = true
}

// String is the literal.
func (a *array) String() string {
	if a.every == 0 {
		return "{}"
	}
	return string(append(a.b, '}'))
}

// arg is the array as an argument: NULL if there is nothing in it.
func (a *array) arg() any {
	if !a.some {
		return nil
	}
	return a.String()
}
